"""Triangles of a matrix, and its symmetric and skew parts: projections, each its own adjoint. Kronecker products."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from ..op import TIMES, Meaning, linear_op
from .arithmetic import LETTERS
from .maps import flat, lower
from .reshaping import reshape
from .structure import einsum

__all__ = ["kron", "phi", "skew", "sym", "tril", "triu"]

_ZERO = Dim({})
_HALF = Fraction(1, 2)


def _shown(name: str, latex: bool = False) -> Any:
    def write(e: Expr) -> str:
        offset = "" if e.attrs[0] == _ZERO else f", {e.attrs[0]}"
        return (rf"\operatorname{{{name}}}" if latex else name) + f"($A:0{offset})"

    return write


def _triangle(name: str) -> dict[str, Any]:
    return {"attrs": ("offset",), "options": {"offset": ("k", "number")}, "tail": "offset", "defaults": {"offset": _ZERO},
            "calls": (name,), "ordered": True, "text": _shown(name), "latex": _shown(name, True)}  # fmt: skip


@linear_op("A[m,n] -> [m,n]", linear="joint", **_triangle("tril"), array=lambda np, A, offset: np.tril(A, offset),
           means=lambda e: Meaning("ij,ij->ij", [0], extra=(lower(rows=e.shape[0], columns=e.shape[1], offset=e.attrs[0]),)))  # fmt: skip
def tril(G: Expr, A: Expr, *, offset: Dim) -> Expr:
    """The lower triangle of A, zeros above it; with k, on and below diagonal number k.

    A M-TRI: ⟨$G, tril($dA)⟩ = ⟨tril($G), $dA⟩ | the entries above the diagonal have the factor 0 on either side
    """
    return tril(G, offset=offset)


@linear_op("A[m,n] -> [m,n]", linear="joint", **_triangle("triu"), array=lambda np, A, offset: np.triu(A, offset),
           means=lambda e: Meaning("ij,ji->ij", [0], extra=(lower(rows=e.shape[1], columns=e.shape[0], offset=_ZERO - e.attrs[0]),)))  # fmt: skip
def triu(G: Expr, A: Expr, *, offset: Dim) -> Expr:
    """The upper triangle of A, zeros below it; with k, on and above diagonal number k.

    A M-TRI: ⟨$G, triu($dA)⟩ = ⟨triu($G), $dA⟩ | the entries below the diagonal have the factor 0 on either side
    """
    return triu(G, offset=offset)


@linear_op("A[n,n] -> [n,n]", linear="joint", name="phi", calls=("Phi",), text="Phi($A:0)", latex=r"\Phi($A:0)", ordered=True,
           means=lambda e: [Meaning("ij,ij->ij", [0], extra=(lower(rows=e.shape[0], columns=e.shape[0], offset=_ZERO),)),
                            Meaning("ii->ii", [0], scale=-_HALF)],
           array=lambda np, A: np.tril(A) - np.diag(np.diagonal(A)) / 2, cite="murray2016")  # fmt: skip
def phi(G: Expr, A: Expr) -> Expr:
    """Φ(A) is the lower triangle of A with its diagonal halved: A = Φ(A) + Φ(A)ᵀ for a symmetric A.

    A M-TRI: ⟨$G, Φ($dA)⟩ = ⟨Φ($G), $dA⟩ | every entry of $dA has the factor 1, ½ or 0, which may stand beside $G
    """
    return phi(G)


@linear_op("A[n,n] -> [n,n]", linear="joint", calls=("sym",), gives=("symmetric",), text="sym($A:0)", latex=r"\operatorname{sym}($A:0)",
           means=lambda e: [Meaning("ij->ij", [0], scale=_HALF), Meaning("ij->ji", [0], scale=_HALF)],
           array=lambda np, A: (A + A.T) / 2)  # fmt: skip
def sym(G: Expr, A: Expr) -> Expr:
    """The symmetric part ½ (A + Aᵀ).

    A M-SYM: ⟨$G, sym($dA)⟩ = ⟨sym($G), $dA⟩ | ½ ⟨$G, $dA⟩ + ½ ⟨$G, $dAᵀ⟩ = ½ ⟨$G, $dA⟩ + ½ ⟨$Gᵀ, $dA⟩
    """
    return sym(G)


@linear_op("A[n,n] -> [n,n]", linear="joint", calls=("skew",), gives=("skew",), text="skew($A:0)", latex=r"\operatorname{skew}($A:0)",
           means=lambda e: [Meaning("ij->ij", [0], scale=_HALF), Meaning("ij->ji", [0], scale=-_HALF)],
           array=lambda np, A: (A - A.T) / 2)  # fmt: skip
def skew(G: Expr, A: Expr) -> Expr:
    """The skew part ½ (A − Aᵀ).

    A M-SYM: ⟨$G, skew($dA)⟩ = ⟨skew($G), $dA⟩ | ½ ⟨$G, $dA⟩ − ½ ⟨$G, $dAᵀ⟩ = ½ ⟨$G, $dA⟩ − ½ ⟨$Gᵀ, $dA⟩
    """
    return skew(G)


# ---- Kronecker products ----------------------------------------------------------------------------------


def _kron_shape(attrs: tuple[()], A: Shape, B: Shape) -> Shape:
    if len(A) != len(B) or not A:
        raise ShapeError("S002", f"A ⊗ B has as many axes as A and as B, which have the shapes {show_shape(A)} and {show_shape(B)}",
                         expected="two vectors or two matrices")  # fmt: skip
    return tuple(a * b for a, b in zip(A, B, strict=True))


def _kron_letters(e: Expr) -> tuple[str, str, str]:
    k = e.order
    return LETTERS[:k], LETTERS[k : 2 * k], LETTERS[2 * k : 3 * k]


def _kron_means(e: Expr) -> Meaning:
    a, b, c = _kron_letters(e)
    A, B = e.args
    places = ",".join(x + y + z for x, y, z in zip(c, a, b, strict=True))
    return Meaning(
        f"{a},{b},{places}->{c}", [0, 1], extra=tuple(flat(dims=pair) for pair in zip(A.shape, B.shape, strict=True))
    )


@linear_op("A[*s], B[*t] -> [*u]", linear="each", shape=_kron_shape, means=_kron_means, calls=("kron",), text="$A ⊗ $B:16", ascii="kron($A:0, $B:0)",
           latex=r"$A \otimes $B:16", fix=TIMES, ordered=True, array=lambda np, A, B: np.kron(A, B))  # fmt: skip
def kron(G: Expr, A: Expr, B: Expr) -> tuple[Expr, Expr]:
    """A ⊗ B is the block matrix of the blocks A_ij B: every entry of A times every entry of B.

    A M-KRON: ⟨$G, $dA ⊗ $B⟩ = Σ_ij ⟨block ij of $G, $B⟩ · entry ij of $dA | block ij of $dA ⊗ $B is the entry ij of $dA times $B
    B M-KRON: ⟨$G, $A ⊗ $dB⟩ = ⟨Σ_ij entry ij of $A times block ij of $G, $dB⟩ | block ij of $A ⊗ $dB is entry ij of $A times $dB
    """
    a, b = LETTERS[: A.order], LETTERS[A.order : 2 * A.order]
    blocks = reshape(G, dims=tuple(d for pair in zip(A.shape, B.shape, strict=True) for d in pair))
    both = "".join(x + y for x, y in zip(a, b, strict=True))
    return einsum(f"{both},{b}->{a}", blocks, B), einsum(f"{both},{a}->{b}", blocks, A)
