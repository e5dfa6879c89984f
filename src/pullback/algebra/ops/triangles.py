"""Placeholder until the structure branch is merged: Φ only."""
from __future__ import annotations
from fractions import Fraction
from ..expr import Expr
from ..op import Meaning, leaf_op, linear_op
@leaf_op(attrs=("dim",), shape=lambda attrs: (attrs[0], attrs[0]), entry=lambda attrs, index, sizes: index[0] >= index[1], name="lowmask",
    text="Low", latex="Low", code="")
def lowmask() -> None:
    """1 on and below the diagonal."""
@linear_op("A[n,n] -> [n,n]", linear="joint", calls=("sym",), text="sym($A:0)", latex=r"\operatorname{sym}($A:0)",
           means=lambda e: [Meaning("ij->ij", [0], scale=Fraction(1,2)), Meaning("ij->ji", [0], scale=Fraction(1,2))],
           array=lambda np, A: (A + A.T) / 2)  # fmt: skip
def sym(G: Expr, A: Expr) -> Expr:
    """The symmetric part ½ (A + Aᵀ).

    A M-SYM: ⟨$G, sym($dA)⟩ = ⟨sym($G), $dA⟩ | ½ ⟨$G, $dA⟩ + ½ ⟨$G, $dAᵀ⟩ = ½ ⟨$G, $dA⟩ + ½ ⟨$Gᵀ, $dA⟩
    """
    return sym(G)
@linear_op("A[n,n] -> [n,n]", linear="joint", name="phi", calls=("Phi",), text="Phi($A:0)", latex=r"\Phi($A:0)",
           means=lambda e: [Meaning("ij,ij->ij", [0], extra=(lowmask(dim=e.shape[0]),)), Meaning("ii->ii", [0], scale=Fraction(-1, 2))],
           array=lambda np, A: np.tril(A) - np.diag(np.diag(A)) / 2)
def phi(G: Expr, A: Expr) -> Expr:
    """Φ(A) is the lower triangle of A with its diagonal halved.

    A M-TRI: ⟨$G, Φ($dA)⟩ = ⟨Φ($G), $dA⟩ | every entry has the same factor on either side
    """
    return phi(G)
