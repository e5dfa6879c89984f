"""Units, signs and transposes: what a reader does without noticing."""

from __future__ import annotations

from fractions import Fraction

from ...algebra.expr import Expr
from ...algebra.ops.arithmetic import power, rational, size_of, smul
from ...algebra.ops.entrywise import sqrt
from ...algebra.ops.matrix import diag, diagvec, dot, eye, inner, outer, trace
from ...algebra.ops.reduction import average, norm, total
from ...algebra.ops.structure import ones
from ..law import law, not_law

Pair = tuple[Expr, Expr]


@law("X[*s]")
def product_with_ones(X: Expr) -> Pair:
    """X ⊙ 1 = X: every entry is multiplied by 1."""
    return X * ones(X.shape) if X.order else X * rational(1), X


@law("X[*s]")
def ones_product(X: Expr) -> Pair:
    """1 ⊙ X = X: every entry is multiplied by 1."""
    return ones(X.shape) * X if X.order else smul(X, rational(1)), X


@law("A[m,n]")
def transpose_of_transpose(A: Expr) -> Pair:
    """(Aᵀ)ᵀ = A."""
    return A.T.T, A


@law("u[m], v[n]")
def transpose_of_outer(u: Expr, v: Expr) -> Pair:
    """(u vᵀ)ᵀ = v uᵀ."""
    return outer(u, v).T, outer(v, u)


@law("A[m,n], B[n,p]")
def transpose_of_product(A: Expr, B: Expr) -> Pair:
    """((A B)ᵀ)_ij = Σ_k A_jk B_ki = (Bᵀ Aᵀ)_ij: the factors change places."""
    return (A @ B).T, B.T @ A.T


@law("A[m,n]")
def sum_of_transpose(A: Expr) -> Pair:
    """Aᵀ has the entries of A."""
    return total(A.T), total(A)


@law("A[m,n]")
def sum_of_row_sums(A: Expr) -> Pair:
    """A 1 holds the sums of the rows: its sum is that of all entries."""
    return total(A @ ones((A.shape[1],))), total(A)


@law("x[n]")
def ones_dot_last(x: Expr) -> Pair:
    """xᵀ 1 is the sum of the entries of x."""
    return dot(x, ones(x.shape)), total(x)


@law("X[*s]")
def inner_with_ones(X: Expr) -> Pair:
    """⟨X, 1⟩ is the sum of the entries of X."""
    return inner(X, ones(X.shape)), total(X)


@law("A[n,n]")
def trace_of_transpose(A: Expr) -> Pair:
    """Aᵀ has the diagonal of A."""
    return trace(A.T), trace(A)


@law("A[m,n]")
def product_with_identity(A: Expr) -> Pair:
    """A I = A."""
    return A @ eye(dim=A.shape[1]), A


@law("A[m,n]")
def identity_product(A: Expr) -> Pair:
    """I A = A."""
    return eye(dim=A.shape[0]) @ A, A


@law("x[n]")
def identity_times_vector(x: Expr) -> Pair:
    """I x = x."""
    return eye(dim=x.shape[0]) @ x, x


@law("n[n]")
def transpose_of_identity(n: Expr) -> Pair:
    """I is symmetric: Iᵀ = I."""
    return eye(dim=n.shape[0]).T, eye(dim=n.shape[0])


@law("x[n]")
def transpose_of_diag(x: Expr) -> Pair:
    """A diagonal matrix is symmetric."""
    return diag(x).T, diag(x)


@law("x[n]")
def diagonal_of_diag(x: Expr) -> Pair:
    """diagvec takes out what diag put in."""
    return diagvec(diag(x)), x


@law("x[n]")
def ones_dot(x: Expr) -> Pair:
    """1ᵀ x is the sum of the entries of x."""
    return dot(ones(x.shape), x), total(x)


@law("X[*s], Y[*s]")
def quotient(X: Expr, Y: Expr) -> Pair:
    """X ⊙ Y^∘-1 = X ⊘ Y: dividing is multiplying by the reciprocal."""
    return X * power(Y, exponent=Fraction(-1)), X / Y


@law("X[*s], Y[*s]")
def reciprocal_first(X: Expr, Y: Expr) -> Pair:
    """Y^∘-1 ⊙ X = X ⊘ Y: dividing is multiplying by the reciprocal."""
    return power(Y, exponent=Fraction(-1)) * X, X / Y


@law("s[], X[*s]")
def scaled_by_reciprocal(s: Expr, X: Expr) -> Pair:
    """s⁻¹ X = X / s."""
    return smul(power(s, exponent=Fraction(-1)), X), X / s


@law("s[], X[*s], t[]")
def fraction_of_scalars(s: Expr, X: Expr, t: Expr) -> Pair:
    """(s X) / t = (s / t) X: the scalars stand together."""
    return smul(s, X) / t, smul(s / t, X)


@law("X[*s], s[]")
def quotient_twice(X: Expr, s: Expr) -> Pair:
    """(X / s) / s = X / s²: divided by the same number twice."""
    return (X / s) / s, X / s**2


@law("X[*s], s[], t[]")
def quotient_of_quotient(X: Expr, s: Expr, t: Expr) -> Pair:
    """(X / s) / t = X / (t s): divided by the one and then by the other."""
    return (X / s) / t, X / (t * s)


@law("A[m,n], B[m,n]")
def diagonal_of_product_first_transposed(A: Expr, B: Expr) -> Pair:
    """(Aᵀ B)_jj = Σ_i A_ij B_ij: the sums of the columns of A ⊙ B."""
    return diagvec(A.T @ B), (A * B).T @ ones((A.shape[0],))


@law("A[m,n], B[m,n]")
def diagonal_of_product_last_transposed(A: Expr, B: Expr) -> Pair:
    """(A Bᵀ)_ii = Σ_j A_ij B_ij: the sums of the rows of A ⊙ B."""
    return diagvec(A @ B.T), (A * B) @ ones((A.shape[1],))


@law("x[n], A[m,n], y[m]")
def number_turned(x: Expr, A: Expr, y: Expr) -> Pair:
    """xᵀ Aᵀ y = yᵀ A x: a number is its own transpose."""
    return dot(x, A.T @ y), dot(y, A @ x)


@law("x[n], A[m,n], y[m]")
def number_turned_first(x: Expr, A: Expr, y: Expr) -> Pair:
    """(Aᵀ y)ᵀ x = yᵀ A x: the transpose of a product."""
    return dot(A.T @ y, x), dot(y, A @ x)


@law("x[n]")
def sum_over_count(x: Expr) -> Pair:
    """A sum divided by the number of its terms is the mean."""
    return total(x) / size_of(x.shape[0]), average(x)


@law("x[n]")
def length_of_vector(x: Expr) -> Pair:
    """√(xᵀ x) is the length of x."""
    return sqrt(dot(x, x)), norm(x)


@law("X[m,n]")
def length_of_matrix(X: Expr) -> Pair:
    """√⟨X, X⟩ is the length of X."""
    return sqrt(inner(X, X)), norm(X)


@law("X[*s], Y[*s]")
def minus_first(X: Expr, Y: Expr) -> Pair:
    """−X + Y = Y − X."""
    return -X + Y, Y - X


@not_law("A[n,n], B[n,n]")
def transpose_keeps_order(A: Expr, B: Expr) -> Pair:
    """False: (A B)ᵀ = Bᵀ Aᵀ, and not Aᵀ Bᵀ, though the shapes fit."""
    return (A @ B).T, A.T @ B.T


@not_law("A[n,n], B[n,n]")
def product_commutes(A: Expr, B: Expr) -> Pair:
    """False: A B = B A holds for 1×1 matrices only."""
    return A @ B, B @ A


@not_law("A[n,n]")
def matrix_is_symmetric(A: Expr) -> Pair:
    """False unless declared: A = Aᵀ."""
    return A, A.T


@not_law("A[n,n], B[n,n]")
def product_is_entrywise(A: Expr, B: Expr) -> Pair:
    """False: A B is not A ⊙ B."""
    return A @ B, A * B


@not_law("x[n], y[n]")
def sum_of_products(x: Expr, y: Expr) -> Pair:
    """False: Σ xᵢ yᵢ is not (Σ xᵢ)(Σ yᵢ)."""
    return dot(x, y), total(x) * total(y)
