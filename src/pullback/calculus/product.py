"""The product rule: one term for every occurrence of a name that moves (theory.md §3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import increment, is_var
from ..algebra.ops.structure import zeros

__all__ = ["DTerm", "Slope", "product_rule"]

Slope = Callable[[Expr, Sequence[Expr | None]], list[Expr]]  # dF of a node as terms with one increment each


@dataclass(frozen=True, slots=True)
class DTerm:
    """One term of dv: linear in the increment of the name `of`, which occurs in it exactly once."""

    of: Expr
    expr: Expr


def product_rule(value: Expr, moving: Set[Expr], slope: Slope) -> list[DTerm]:
    """The terms of d(value) when the names in `moving` move, `slope` being the differential of one node."""
    terms: dict[Expr, list[DTerm]] = {}
    for e in postorder(value):
        if is_var(e):
            terms[e] = [DTerm(e, increment(e))] if e in moving else []
            continue
        found: list[DTerm] = []
        for k, a in enumerate(e.args):
            found += [DTerm(t.of, x) for t in terms[a] for x in _put(e, k, t.expr, slope)]
        terms[e] = found
    return terms[value]


def _put(e: Expr, k: int, d: Expr, slope: Slope) -> list[Expr]:
    """dF when argument k moves by d and the others are held still."""
    if e.op.linear == "joint" and len(e.args) > 1:
        if e.op.alone is not None:
            alone: Expr = e.op.alone(k, d)
            return [alone]
        others = [zeros(a.shape) for a in e.args]
        return [Expr.make(e.op, (*others[:k], d, *others[k + 1 :]), e.attrs, e.shape)]
    increments: list[Expr | None] = [None] * len(e.args)
    increments[k] = d
    return slope(e, increments)
