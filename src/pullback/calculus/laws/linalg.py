"""Inverses and determinants. None needs a condition: what stands on the left has a value only where the matrices are invertible."""

from __future__ import annotations

from ...algebra.expr import Expr
from ...algebra.ops.arithmetic import rational
from ...algebra.ops.linalg import det, inv, logdet
from ...algebra.ops.matrix import diagvec, eye, trace
from ...algebra.ops.reduction import total
from ..law import law, not_law

Pair = tuple[Expr, Expr]


@law("A[n,n]")
def inverse_of_transpose(A: Expr) -> Pair:
    """Aᵀ (A⁻¹)ᵀ = (A⁻¹ A)ᵀ = I; A is invertible where Aᵀ is."""
    return inv(A.T), inv(A).T


@law("A[n,n]")
def inverse_of_inverse(A: Expr) -> Pair:
    """A⁻¹ A = I says that A is the inverse of A⁻¹."""
    return inv(inv(A)), A


@law("A[n,n]")
def inverse_times_matrix(A: Expr) -> Pair:
    """A⁻¹ A = I."""
    return inv(A) @ A, eye(dim=A.shape[0])


@law("A[n,n]")
def matrix_times_inverse(A: Expr) -> Pair:
    """A A⁻¹ = I."""
    return A @ inv(A), eye(dim=A.shape[0])


@law("A[n,n], B[n,m]")
def inverse_cancels(A: Expr, B: Expr) -> Pair:
    """A⁻¹ (A B) = B."""
    return inv(A) @ (A @ B), B


@law("A[n,n], B[n,m]")
def matrix_cancels(A: Expr, B: Expr) -> Pair:
    """A (A⁻¹ B) = B."""
    return A @ (inv(A) @ B), B


@law("A[n,n], B[m,n]")
def inverse_cancels_behind(A: Expr, B: Expr) -> Pair:
    """(B A) A⁻¹ = B."""
    return (B @ A) @ inv(A), B


@law("A[n,n], B[m,n]")
def matrix_cancels_behind(A: Expr, B: Expr) -> Pair:
    """(B A⁻¹) A = B."""
    return (B @ inv(A)) @ A, B


@law("A[n,n], x[n]")
def inverse_cancels_before_vector(A: Expr, x: Expr) -> Pair:
    """A⁻¹ (A x) = x."""
    return inv(A) @ (A @ x), x


@law("A[n,n], x[n]")
def matrix_cancels_before_vector(A: Expr, x: Expr) -> Pair:
    """A (A⁻¹ x) = x."""
    return A @ (inv(A) @ x), x


@law("n[n]")
def inverse_of_identity(n: Expr) -> Pair:
    """I I = I."""
    return inv(eye(dim=n.shape[0])), eye(dim=n.shape[0])


@law("A[n,n]")
def determinant_of_transpose(A: Expr) -> Pair:
    """A permutation and its inverse have one sign: det Aᵀ = det A."""
    return det(A.T), det(A)


@law("A[n,n]")
def determinant_of_inverse(A: Expr) -> Pair:
    """det A · det A⁻¹ = det I = 1."""
    return det(inv(A)), rational(1) / det(A)


@law("A[n,n]")
def logdet_of_transpose(A: Expr) -> Pair:
    """det Aᵀ = det A."""
    return logdet(A.T), logdet(A)


@law("A[n,n]")
def sum_of_diagonal(A: Expr) -> Pair:
    """The trace is the sum of the diagonal entries."""
    return total(diagvec(A)), trace(A)


@not_law("A[n,n], B[n,n]")
def inverse_keeps_order(A: Expr, B: Expr) -> Pair:
    """False: (A B)⁻¹ = B⁻¹ A⁻¹, and not A⁻¹ B⁻¹, though the shapes fit."""
    return inv(A @ B), inv(A) @ inv(B)


@not_law("A[n,n], B[n,n]")
def inverse_of_sum(A: Expr, B: Expr) -> Pair:
    """False: A⁻¹ + B⁻¹ is not the inverse of A + B, even for numbers."""
    return inv(A + B), inv(A) + inv(B)


@not_law("A[n,n], B[n,n]")
def determinant_of_sum(A: Expr, B: Expr) -> Pair:
    """False: det(A + B) is not det A + det B for matrices with two rows or more."""
    return det(A + B), det(A) + det(B)


@not_law("A[n,n]")
def trace_of_inverse(A: Expr) -> Pair:
    """False: tr A⁻¹ is not 1 / tr A for matrices with two rows or more."""
    return trace(inv(A)), rational(1) / trace(A)
