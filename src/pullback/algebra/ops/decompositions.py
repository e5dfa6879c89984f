"""Factorizations, eigenvalues and singular values, each by the equations that define it (theory.md §3.4).

Of a symmetric matrix the symmetric part is meant, as in JAX. What has a sign has a positive first entry, so that it is one function.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .. import spectral
from ..dims import Dim
from ..expr import Expr
from ..op import composite_op, op
from .arithmetic import power
from .entrywise import sqrt
from .free import facts_of
from .linalg import inv, sylvester
from .matrix import diag, diagvec, dot, eye, inner, outer
from .structure import ones
from .triangles import phi, sym


def _named(name: str, *more: str) -> dict[str, Any]:
    """How a function of one argument is written."""
    return {"name": name, "text": f"{name}($X:0)", "latex": rf"\operatorname{{{name}}}($X:0)", "calls": (name, *more)}


def _tall(e: Expr) -> list[tuple[Dim, Dim]]:
    """A matrix with no more columns than rows."""
    return [e.args[0].shape]  # type: ignore[list-item]


def _is_lower(e: Expr) -> bool:
    """Whether the argument is known to be a lower triangle: packages read no more of it."""
    (L,) = e.args
    return "lower" in (*facts_of(L), *L.op.gives)


def _reciprocals(x: Expr) -> Expr:
    return power(x, exponent=Fraction(-1))


# ---- factorizations --------------------------------------------------------------------------------------


@op("S[n,n] -> [n,n]", floats=spectral.cholesky, gives=("lower",), text="chol($S:0)", latex=r"\operatorname{chol}($S:0)",
    calls=("chol", "cholesky"), regular=True, needs="$S is symmetric and positive definite", array=lambda np, S: np.linalg.cholesky((S + S.T) / 2),
    cite="murray2016")  # fmt: skip
def chol(L: Expr, S: Expr, dS: Expr) -> Expr:
    """S = L Lᵀ: dS = dL Lᵀ + L dLᵀ, so L⁻¹ dS L⁻ᵀ = K + Kᵀ with K = L⁻¹ dL lower triangular, K = Φ(L⁻¹ dS L⁻ᵀ).

    S D-CHOL: dL = L Φ(L⁻¹ dS L⁻ᵀ), Φ the lower triangle with its diagonal halved; dS is symmetrised, since S is symmetric
    """
    return L @ phi(inv(L) @ sym(dS) @ inv(L).T)


@composite_op("L[n,n] -> [n,n]", text="cholesky_inverse($L:0)", latex=r"\operatorname{cholesky\_inverse}($L:0)", calls=("cholesky_inverse",),
              needs="$L is invertible", kernel="cholesky_inverse", whole_if=_is_lower)  # fmt: skip
def cholesky_inverse(L: Expr) -> Expr:
    """S⁻¹ = (L Lᵀ)⁻¹, of a Cholesky factor L of S."""
    return inv(L @ L.T)


@composite_op(
    "X[n,m] -> [m,m]", **_named("qrR", "qr_r"), needs="$X has full column rank, and R a positive diagonal", span=_tall
)
def qr_r(X: Expr) -> Expr:
    """X = Q R with QᵀQ = I and R upper triangular gives XᵀX = RᵀR: Rᵀ is the Cholesky factor of XᵀX."""
    return chol(X.T @ X).T


@composite_op(
    "X[n,m] -> [n,m]", **_named("qrQ", "qr_q"), needs="$X has full column rank, and R a positive diagonal", span=_tall
)
def qr_q(X: Expr) -> Expr:
    """From X = Q R follows Q = X R⁻¹."""
    return X @ inv(qr_r(X))


@op("X[m,n] -> [m,n]", floats=spectral.polar, text="polar($X:0)", latex=r"\operatorname{polar}($X:0)", calls=("polar",),
    needs="$X has full rank", array=lambda np, X: (lambda u, s, v: u @ v)(*np.linalg.svd(X, full_matrices=False)))  # fmt: skip
def polar(Y: Expr, X: Expr, dX: Expr) -> list[Expr]:
    """The orthogonal factor Y = U Vᵀ of X = U Σ Vᵀ. Differentiate Y Xᵀ Y = X: dY XᵀY + Y dXᵀ Y + Y Xᵀ dY = dX, and XᵀY = YᵀX.

    X D-POLAR: Y Xᵀ dY + dY YᵀX = dX − Y dXᵀ Y, a Sylvester equation for dY
    """
    left, right = Y @ X.T, Y.T @ X
    return [sylvester(left, right, dX), -sylvester(left, right, Y @ dX.T @ Y)]


# ---- eigenvalues of a symmetric matrix -------------------------------------------------------------------


@op("S[n,n] -> []", floats=spectral.largest_eigenvalue, text="maxeig($S:0)", latex=r"\lambda_{\max}($S:0)", calls=("maxeig",),
    needs="$S is symmetric, and its largest eigenvalue is simple", array=lambda np, S: np.linalg.eigvalsh((S + S.T) / 2)[-1])  # fmt: skip
def maxeig(Y: Expr, S: Expr, dS: Expr) -> Expr:
    """S q = λ q with qᵀq = 1: qᵀ dS q + qᵀ S dq = dλ + λ qᵀ dq, and qᵀ S dq = λ qᵀ dq.

    S D-EIGH: dλ = qᵀ dS q, q the unit eigenvector of the largest eigenvalue
    """
    q = maxeigvec(S)
    return dot(q, dS @ q)


@op("S[n,n] -> [n]", floats=spectral.largest_eigenvector, text="maxeigvec($S:0)", latex=r"q_{\max}($S:0)", calls=("maxeigvec",),
    needs="$S is symmetric, and its largest eigenvalue is simple",
    array=lambda np, S: (lambda q: np.where(q[0] < 0, -q, q))(np.linalg.eigh((S + S.T) / 2)[1][:, -1]))  # fmt: skip
def maxeigvec(q: Expr, S: Expr, dS: Expr) -> Expr:
    """The unit eigenvector of the largest eigenvalue, its first entry not negative (either sign where it is 0): (λI − S) dq = dS q − dλ q, and qᵀ dq = 0.

    S D-EIGH: dq = (λI − S)⁺ dS q, and (λI − S)⁺ = (λI − S + q qᵀ)⁻¹ − q qᵀ, since q is an eigenvector of both; dS is symmetrised
    """
    square = outer(q, q)
    return (inv(maxeig(S) * eye(dim=S.shape[0]) - sym(S) + square) - square) @ (sym(dS) @ q)


@composite_op("X[n,n] -> []", **_named("mineig"), needs="$X is symmetric, and its smallest eigenvalue is simple")
def mineig(X: Expr) -> Expr:
    """The smallest eigenvalue of X is minus the largest of −X."""
    return -maxeig(-X)


@composite_op("X[n,n] -> [n]", **_named("mineigvec"), needs="$X is symmetric, and its smallest eigenvalue is simple")
def mineigvec(X: Expr) -> Expr:
    """The unit eigenvector of the smallest eigenvalue of X is that of the largest of −X."""
    return maxeigvec(-X)


@op("X[n,n] -> [n]", **_named("eigvals", "eigvalsh"), floats=spectral.eigenvalues, needs="$X is symmetric, and its eigenvalues are simple",
    array=lambda np, X: np.linalg.eigvalsh((X + X.T) / 2))  # fmt: skip
def eigvals(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """The eigenvalues of a symmetric matrix in ascending order. X q = λ q with qᵀq = 1: qᵀ dX q = dλ.

    X D-EIGH: every eigenvalue changes by qᵀ dX q, q its unit eigenvector: dλ is the diagonal of Vᵀ dX V
    """
    V = eigvecs(X)
    return diagvec(V.T @ dX @ V)


@op("X[n,n] -> [n,n]", **_named("eigvecs"), floats=spectral.eigenvectors, needs="$X is symmetric, and its eigenvalues are simple",
    array=lambda np, X: (lambda V: np.where(V[0] < 0, -V, V))(np.linalg.eigh((X + X.T) / 2)[1]))  # fmt: skip
def eigvecs(V: Expr, X: Expr, dX: Expr) -> Expr:
    """The unit eigenvectors as columns, no first entry of which is negative (either sign where it is 0). From X V = V Λ: Vᵀ dX V = Λ (−VᵀdV) + Vᵀ dV Λ + dΛ.

    X D-EIGH: entry ij of Vᵀ dV is (Vᵀ dX V)ᵢⱼ / (λⱼ − λᵢ) off the diagonal, and 0 on it as Vᵀ V = I; dX is symmetrised
    """
    n = X.shape[0]
    values, one = eigvals(X), ones((n,))
    gaps = outer(one, values) - outer(values, one) + eye(dim=n)
    return V @ ((_reciprocals(gaps) - eye(dim=n)) * (V.T @ sym(dX) @ V))


# ---- singular values -------------------------------------------------------------------------------------


_DISTINCT = "$X has no more columns than rows, and its singular values are distinct and nonzero"


@composite_op("X[n,m] -> [m,m]", **_named("svdV", "svd_v"), needs=_DISTINCT, span=_tall)
def svd_v(X: Expr) -> Expr:
    """The right singular vectors of X as columns, that of the largest value first, are the eigenvectors of −XᵀX."""
    return eigvecs(-(X.T @ X))


@composite_op("X[n,m] -> [n,m]", **_named("svdU", "svd_u"), needs=_DISTINCT, span=_tall)
def svd_u(X: Expr) -> Expr:
    """The left singular vectors of X as columns: X V = U Σ gives U = X V Σ⁻¹."""
    return X @ svd_v(X) @ diag(_reciprocals(svdvals(X)))


@op("X[n,m] -> [m]", **_named("svdvals", "singvals"), needs=_DISTINCT, span=_tall, define=lambda e, X: sqrt(-eigvals(-(X.T @ X))),
    array=lambda np, X: np.linalg.svd(X, compute_uv=False), cite="giles2008:2.2.11")  # fmt: skip
def svdvals(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """The singular values in descending order. Differentiate X v = σ u and multiply by uᵀ: uᵀ du = 0, uᵀX = σ vᵀ and vᵀ dv = 0.

    X D-SVD: every singular value changes by uᵀ dX v, u and v its singular vectors: dσ is the diagonal of Uᵀ dX V
    """
    return diagvec(svd_u(X).T @ dX @ svd_v(X))


@op("X[m,n] -> []", floats=spectral.nuclear_norm, text="normnuc($X:0)", latex=r"\lVert $X:0\rVert_*",
    calls=("normnuc", "norm_nuc", "nuclear_norm"), needs="$X has full rank", array=lambda np, X: np.linalg.norm(X, "nuc"))  # fmt: skip
def normnuc(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """The sum of the singular values; X = U Σ Vᵀ gives dσᵢ = uᵢᵀ dX vᵢ.

    X D-SVD: d Σσᵢ = Σ uᵢᵀ dX vᵢ = ⟨U Vᵀ, dX⟩
    """
    return inner(polar(X), dX)


@op("X[m,n] -> []", define=lambda e, X: sqrt(maxeig(X.T @ X)), text="normspec($X:0)", latex=r"\lVert $X:0\rVert_2",
    calls=("normspec", "norm_spec", "spectral_norm"), needs="the largest singular value of $X is simple",
    array=lambda np, X: np.linalg.norm(X, 2))  # fmt: skip
def normspec(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """The largest singular value: dσ₁ = u₁ᵀ dX v₁.

    X D-SVD: dσ₁ = u₁ᵀ dX v₁ = ⟨u₁ v₁ᵀ, dX⟩, u₁ and v₁ the singular vectors of σ₁
    """
    return inner(topsing(X), dX)


@composite_op("X[m,n] -> [m,n]", text="topsing($X:0)", latex=r"u_1 v_1^{\top}($X:0)", calls=("topsing",),
              needs="the largest singular value of $X is simple",
              array=lambda np, X: (lambda u, s, v: np.outer(u[:, 0], v[0]))(*np.linalg.svd(X, full_matrices=False)))  # fmt: skip
def topsing(X: Expr) -> Expr:
    """u vᵀ of the largest singular value σ: v is the eigenvector of the largest eigenvalue of XᵀX, and u = X v / σ."""
    v = maxeigvec(X.T @ X)
    return _reciprocals(normspec(X)) * outer(X @ v, v)
