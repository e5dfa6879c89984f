"""How large the rank of a matrix can be: sizes that bound it. A determinant that is 0 at some sizes says nothing there.

X Xᵀ with X of shape (m, n) has at most rank n, so that it is invertible only where n ≥ m: tests are made at such sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .dims import Dim
from .expr import Expr

__all__ = ["room_for_inverse"]

_MOST = 8  # bounds that are kept


def _bounds(root: Expr, known: Mapping[Expr, Expr]) -> frozenset[Dim]:
    """Sizes of which none is below the rank of `root`; `known` are the values of names."""
    found: dict[Expr, frozenset[Dim]] = {}
    stack = [(root, False)]
    while stack:
        e, ready = stack.pop()
        below = _below(e, known)
        if not ready:
            stack.append((e, True))
            stack += [(a, False) for a in below if a not in found]
            continue
        parts = [found[a] for a in below]
        found[e] = frozenset(
            sorted(_own(e, below, parts) if e not in known else _shape(e).union(*parts), key=str)[:_MOST]
        )
    return found[root]


def _shape(e: Expr) -> frozenset[Dim]:
    return frozenset(e.shape) if e.order == 2 else frozenset({Dim.number(1)})


def _own(e: Expr, args: Sequence[Expr], parts: Sequence[frozenset[Dim]]) -> frozenset[Dim]:
    """The bounds of one node, by those of its arguments."""
    shape = _shape(e)
    if e.order != 2:
        return shape
    if e.op.token in ("T", "neg"):
        return shape | parts[0]
    if e.op.scales:
        return shape | parts[1]
    if e.op.token == "@":  # no more than any factor
        return shape.union(*parts)
    if e.op.linear == "each" and all(a.order == 1 for a in args) and len(args) == 2:  # u vᵀ
        return frozenset({Dim.number(1)})
    if e.op.linear == "joint" and e.op.entrywise and len(args) == 2:
        return shape | {a + b for a in parts[0] for b in parts[1]}
    return shape


def _below(e: Expr, known: Mapping[Expr, Expr]) -> tuple[Expr, ...]:
    return (known[e],) if e in known else e.args


def room_for_inverse(X: Expr, known: Mapping[Expr, Expr]) -> list[tuple[Dim, Dim]]:
    """(a, n) for every size a that the rank of the n×n matrix X cannot exceed: it is invertible where a ≥ n."""
    n = X.shape[0]
    return [(d, n) for d in _bounds(X, known) if d != n]
