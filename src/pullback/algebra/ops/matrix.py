"""Products, transposes, traces and diagonals of vectors and matrices. A vector has one axis, truly."""

from __future__ import annotations

from ..dims import Dim
from ..expr import OPERATORS, Expr
from ..op import POSTFIX, PRODUCT, Meaning, leaf_op, linear_op
from .arithmetic import same


@leaf_op(
    attrs=("dim",),
    shape=lambda attrs: (attrs[0], attrs[0]),
    entry=lambda attrs, index, sizes: index[0] == index[1],
    delta=True,
    text=lambda e: f"I_{e.attrs[0]}" if "[" not in (e.attrs[0].name or "[") else f"I_({e.attrs[0]})",
    latex=lambda e: f"I_{{{e.attrs[0]}}}",
)
def eye() -> None:
    """The identity matrix: 1 where both indices are equal, else 0."""


@linear_op("A[m,k], B[k,n] -> [m,n]", linear="each", means="ik,kj->ij", text="$A $B", latex=r"$A\, $B",
           fix=PRODUCT, token="@", cite="giles2008:2.1")  # fmt: skip
def matmul(G: Expr, A: Expr, B: Expr) -> tuple[Expr, Expr]:
    """⟨G, A B⟩ = tr(Gᵀ A B): the trace may be rotated.

    A M-RIGHT: ⟨$G, $dA $B⟩ = ⟨$G $Bᵀ, $dA⟩ | tr($Gᵀ $dA $B) = tr($B $Gᵀ $dA) = tr(($G $Bᵀ)ᵀ $dA): the trace may be rotated
    B M-LEFT: ⟨$G, $A $dB⟩ = ⟨$Aᵀ $G, $dB⟩ | tr($Gᵀ $A $dB) = tr(($Aᵀ $G)ᵀ $dB): ($Aᵀ $G)ᵀ = $Gᵀ $A
    """
    return G @ B.T, A.T @ G


@linear_op("A[m,n], x[n] -> [m]", linear="each", means="ij,j->i", text="$A $x", latex=r"$A\, $x",
           fix=PRODUCT, token="@", cite="giles2008:2.1")  # fmt: skip
def matvec(G: Expr, A: Expr, x: Expr) -> tuple[Expr, Expr]:
    """⟨G, A x⟩ = Gᵀ A x: one number, which may be bracketed either way.

    A M-RIGHT: ⟨$G, $dA $x⟩ = ⟨$G $xᵀ, $dA⟩ | $Gᵀ $dA $x = tr($Gᵀ $dA $x) = tr($x $Gᵀ $dA) = tr(($G $xᵀ)ᵀ $dA): the trace may be rotated
    x M-LEFT: ⟨$G, $A $dx⟩ = ⟨$Aᵀ $G, $dx⟩ | $Gᵀ $A $dx = ($Aᵀ $G)ᵀ $dx: ($Aᵀ $G)ᵀ = $Gᵀ $A
    """
    return OPERATORS["outer"](G, x), A.T @ G


@linear_op("x[n], y[n] -> []", linear="each", means="i,i->", text="$x:30ᵀ $y:20", latex=r"$x:30^{\top} $y:20",
           fix=PRODUCT, token="@")  # fmt: skip
def dot(G: Expr, x: Expr, y: Expr) -> tuple[Expr, Expr]:
    """xᵀ y = yᵀ x = Σᵢ xᵢ yᵢ is one number, linear in each vector.

    x M-DOT: $G · ($dxᵀ $y) = ⟨$G $y, $dx⟩ | the factor $G enters every term of the sum $dxᵀ $y
    y M-DOT: $G · ($xᵀ $dy) = ⟨$G $x, $dy⟩ | the factor $G enters every term of the sum $xᵀ $dy
    """
    return G * y, G * x


@linear_op("X[*s], Y[*s] -> []", linear="each", means=lambda e: Meaning(f"{same(e.args[0])},{same(e.args[0])}->", [0, 1]),
           text="⟨$X:0, $Y:0⟩", latex=r"\langle $X:0, $Y:0\rangle", calls=("inner",), pairing=True)  # fmt: skip
def inner(G: Expr, X: Expr, Y: Expr) -> tuple[Expr, Expr]:
    """⟨X, Y⟩ is the sum over all entries of X ⊙ Y.

    X M-DOT: $G · ⟨$dX, $Y⟩ = ⟨$G $Y, $dX⟩ | the factor $G enters every term of the sum
    Y M-DOT: $G · ⟨$X, $dY⟩ = ⟨$G $X, $dY⟩ | the factor $G enters every term of the sum
    """
    return G * Y, G * X


@linear_op("u[m], v[n] -> [m,n]", linear="each", means="i,j->ij", text="$u $v:30ᵀ", latex=r"$u\, $v:30^{\top}",
           fix=PRODUCT, calls=("outer",))  # fmt: skip
def outer(G: Expr, u: Expr, v: Expr) -> tuple[Expr, Expr]:
    """⟨G, u vᵀ⟩ = uᵀ G v: every pair (i, j) contributes uᵢ Gᵢⱼ vⱼ.

    u M-BCAST: ⟨$G, $du $vᵀ⟩ = ⟨$G $v, $du⟩ | tr($Gᵀ $du $vᵀ) = $vᵀ $Gᵀ $du = ($G $v)ᵀ $du: the trace may be rotated
    v M-BCAST: ⟨$G, $u $dvᵀ⟩ = ⟨$Gᵀ $u, $dv⟩ | tr($Gᵀ $u $dvᵀ) = $dvᵀ $Gᵀ $u = ($Gᵀ $u)ᵀ $dv: the trace may be rotated
    """
    return G @ v, G.T @ u


@linear_op("A[m,n] -> [n,m]", linear="joint", means="ij->ji", text="$A:30ᵀ", latex=r"$A:30^{\top}", fix=POSTFIX,
           token="T")  # fmt: skip
def transpose(G: Expr, A: Expr) -> Expr:
    """⟨G, Aᵀ⟩ = ⟨Gᵀ, A⟩: the same products of entries, read in the other order.

    A M-T: ⟨$G, $dAᵀ⟩ = ⟨$Gᵀ, $dA⟩ | tr($Gᵀ $dAᵀ) = tr(($dA $G)ᵀ) = tr($dA $G): a matrix and its transpose have one trace
    """
    return G.T


@linear_op("A[n,n] -> []", linear="joint", means="ii->", text="tr($A:0)", latex=r"\operatorname{tr}($A:0)",
           calls=("tr", "trace"))  # fmt: skip
def trace(G: Expr, A: Expr) -> Expr:
    """tr A = ⟨I, A⟩: the sum of the diagonal entries.

    A M-TR: $G · tr($dA) = ⟨$G I, $dA⟩ | tr $dA = Σᵢⱼ δᵢⱼ dᵢⱼ = ⟨I, $dA⟩
    """
    return G * eye(dim=A.shape[0])


@linear_op("x[n] -> [n,n]", linear="joint", means="i->ii", text="diag($x:0)", latex=r"\operatorname{diag}($x:0)",
           calls=("diag",))  # fmt: skip
def diag(G: Expr, x: Expr) -> Expr:
    """diag(x) has x on its diagonal and zeros elsewhere.

    x M-DIAG: ⟨$G, diag($dx)⟩ = ⟨diagvec($G), $dx⟩ | Σᵢⱼ Gᵢⱼ δᵢⱼ dᵢ = Σᵢ Gᵢᵢ dᵢ: the zeros off the diagonal drop out
    """
    return diagvec(G)


@linear_op("A[n,n] -> [n]", linear="joint", means="ii->i", text="diagvec($A:0)", latex=r"\operatorname{diagvec}($A:0)",
           calls=("diagvec", "diag"))  # fmt: skip
def diagvec(G: Expr, A: Expr) -> Expr:
    """diagvec(A) is the diagonal of A as a vector.

    A M-DIAGVEC: ⟨$G, diagvec($dA)⟩ = ⟨diag($G), $dA⟩ | Σᵢ Gᵢ dᵢᵢ = Σᵢⱼ (Gᵢ δᵢⱼ) dᵢⱼ
    """
    return diag(G)


def identity(dim: Dim) -> Expr:
    return eye(dim=dim)


def pair(X: Expr, Y: Expr) -> Expr:
    """⟨X, Y⟩ in the form that its order is printed in: s t, xᵀ y or ⟨X, Y⟩."""
    return X * Y if X.order == 0 else dot(X, Y) if X.order == 1 else inner(X, Y)


OPERATORS["outer"] = outer
OPERATORS["inner"] = pair
