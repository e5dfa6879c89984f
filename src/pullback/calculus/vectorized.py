"""An array between tensors as one matrix: both sides stacked by columns, ∂ vec F / ∂ (vec X)ᵀ (theory.md §5.4).

Each term of dF = J dX is a product ⊗ if its factors tie one axis of F to one axis of X; where they tie them crosswise,
it is one after commut(m, n), which turns vec(X) into vec(Xᵀ). Any other term has no such form, and the reason is said.
"""

from __future__ import annotations

from ..algebra.dims import entries_of
from ..algebra.expr import Expr
from ..algebra.lift import collected
from ..algebra.network import network
from ..algebra.ops.arithmetic import rational
from ..algebra.ops.free import increment
from ..algebra.ops.matrix import eye
from ..algebra.ops.structure import einsum, zeros
from .kronecker import term_matrix
from .shorter import Whole
from .stacked import Commutation, Form, Kron, Leaf, Product, Scaled, Sum, Turned, mapped

__all__ = ["stacked_matrix"]

_ABC = "abcdefghijklmnopqrstuvwxyz"


def stacked_matrix(array: Expr, x: Expr) -> Form:
    """The matrix of the array, the axes of x being its last. Raises NoMatrix or TooLarge."""
    rows = array.order - x.order
    if rows < 2 and x.order < 2:
        return Leaf(array) if rows or not x.order else Turned(Leaf(array))
    out, of = _ABC[:rows], _ABC[rows : array.order]
    whole = Whole()  # known functions are not taken apart
    kept = whole.put(array)
    moved = einsum(f"{out}{of},{of}->{out}", kept, increment(x)) if of else kept * increment(x)
    parts: list[tuple[int, Form]] = []
    for t in collected(network(moved).terms):
        [node] = [f for f in t.factors if f.atom is increment(x)]
        t.factors.remove(node)
        sign, form, cross = term_matrix(t, t.outs, node.legs)
        parts.append((sign, _after(form, Commutation(*x.shape)) if cross else form))
    parts.sort(key=lambda p: -p[0])
    if not parts:
        return Leaf(zeros((entries_of(array.shape[:rows]), entries_of(x.shape))))
    return mapped(parts[0][1] if len(parts) == 1 and parts[0][0] > 0 else Sum(tuple(parts)), whole.back)


def _after(form: Form, turn: Commutation) -> Form:
    """The product with the permutation; the identity in front of it is left out."""
    inner = form.of if isinstance(form, Scaled) else form
    whole = isinstance(inner, Kron) and _is_identity(inner.left) and _is_identity(inner.right)
    found = turn if whole or inner == Leaf(rational(1)) else Product((inner, turn))
    return Scaled(form.by, found) if isinstance(form, Scaled) else found


def _is_identity(f: Form) -> bool:
    return isinstance(f, Leaf) and f.how == "plain" and f.expr.order == 2 and f.expr is eye(dim=f.expr.shape[0])
