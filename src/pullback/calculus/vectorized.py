"""An array between tensors as one matrix: both sides stacked by columns, ∂ vec F / ∂ (vec X)ᵀ (theory.md §5.4).

Each term of dF = J dX is a product ⊗ if its factors tie one axis of F to one axis of X; where they tie them crosswise,
it is one after commut(m, n), which turns vec(X) into vec(Xᵀ). Any other term has no such form, and the reason is said.
"""

from __future__ import annotations

from ..algebra.expr import Expr
from ..algebra.network import network
from ..algebra.ops.arithmetic import rational
from ..algebra.ops.free import increment, var
from ..algebra.ops.matrix import eye
from ..algebra.ops.structure import einsum, zeros
from .kronecker import term_matrix
from .stacked import Commutation, Form, Kron, Leaf, Product, Scaled, Sum, Turned

__all__ = ["stacked_matrix"]

_ABC = "abcdefghijklmnopqrstuvwxyz"


def stacked_matrix(array: Expr, x: Expr) -> Form:
    """The matrix of the array, the axes of x being its last. Raises NoMatrix or TooLarge."""
    rows = array.order - x.order
    if rows < 2 and x.order < 2:
        return Leaf(array) if rows or not x.order else Turned(Leaf(array))
    out, of = _ABC[:rows], _ABC[rows : array.order]
    moved = einsum(f"{out}{of},{of}->{out}", array, increment(x)) if of else array * increment(x)
    parts: list[tuple[int, Form]] = []
    for t in network(moved).terms:
        [node] = [f for f in t.factors if f.atom is increment(x)]
        t.factors.remove(node)
        sign, form, cross = term_matrix(t, t.outs, node.legs)
        parts.append((sign, _after(form, Commutation(*x.shape)) if cross else form))
    parts.sort(key=lambda p: -p[0])
    if not parts:
        return Leaf(zeros(array.shape) if array.order == 2 else var("0", ()))
    return parts[0][1] if len(parts) == 1 and parts[0][0] > 0 else Sum(tuple(parts))


def _after(form: Form, turn: Commutation) -> Form:
    """The product with the permutation; the identity in front of it is left out."""
    if isinstance(form, Scaled):
        return Scaled(form.by, _after(form.of, turn))
    whole = isinstance(form, Kron) and all(_is_identity(f) for f in (form.left, form.right))
    return turn if whole or form == Leaf(rational(1)) else Product((form, turn))


def _is_identity(f: Form) -> bool:
    return isinstance(f, Leaf) and f.how == "plain" and f.expr.order == 2 and f.expr is eye(dim=f.expr.shape[0])


