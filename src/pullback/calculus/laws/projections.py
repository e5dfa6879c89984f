"""Parts of a matrix: taken a second time, a part is what it was."""

from __future__ import annotations

from ...algebra.expr import Expr
from ...algebra.ops.triangles import skew, sym, tril, triu
from ..law import law, not_law

Pair = tuple[Expr, Expr]


@law("A[n,n]")
def symmetric_part_again(A: Expr) -> Pair:
    """½ (A + Aᵀ) is symmetric, so that it is its own symmetric part."""
    return sym(sym(A)), sym(A)


@law("A[n,n]")
def symmetric_part_of_transpose(A: Expr) -> Pair:
    """½ (Aᵀ + A) = ½ (A + Aᵀ)."""
    return sym(A.T), sym(A)


@law("A[n,n]")
def skew_part_again(A: Expr) -> Pair:
    """½ (A − Aᵀ) changes its sign when it is transposed, so that it is its own skew part."""
    return skew(skew(A)), skew(A)


@law("A[m,n]")
def lower_triangle_again(A: Expr) -> Pair:
    """Above the diagonal there are zeros already."""
    return tril(tril(A)), tril(A)


@law("A[m,n]")
def upper_triangle_again(A: Expr) -> Pair:
    """Below the diagonal there are zeros already."""
    return triu(triu(A)), triu(A)


@not_law("A[n,n]")
def triangles_make_the_whole(A: Expr) -> Pair:
    """False: the two triangles share the diagonal."""
    return tril(A) + triu(A), A
