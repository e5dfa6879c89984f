"""d of each equation: a sum of terms, each with exactly one increment (theory.md §3.3)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import increment, is_var
from ..algebra.ops.structure import zeros
from ..step import Why
from .reason import instantiate, reason_of

__all__ = ["DTerm", "differential", "reasons"]


@dataclass(frozen=True, slots=True)
class DTerm:
    """One term of dv: linear in the increment of the name `of`, which occurs in it exactly once."""

    of: Expr
    expr: Expr


def differential(value: Expr, moving: Set[Expr]) -> list[DTerm]:
    """The terms of d(value) when the names in `moving` move: the product rule, once per occurrence."""
    terms: dict[Expr, list[DTerm]] = {}
    for e in postorder(value):
        if is_var(e):
            terms[e] = [DTerm(e, increment(e))] if e in moving else []
            continue
        found: list[DTerm] = []
        for k, a in enumerate(e.args):
            found += [DTerm(t.of, _put(e, k, t.expr)) for t in terms[a]]
        terms[e] = found
    return terms[value]


def _put(e: Expr, k: int, d: Expr) -> Expr:
    """dF when argument k moves by d and the others are held still."""
    if e.op.linear == "joint" and len(e.args) > 1:
        if e.op.alone is not None:
            alone: Expr = e.op.alone(k, d)
            return alone
        others = [zeros(a.shape) for a in e.args]
        return Expr.make(e.op, (*others[:k], d, *others[k + 1 :]), e.attrs, e.shape)
    increments: list[Expr | None] = [None] * len(e.args)
    increments[k] = d
    return e.op.differentiate(e, increments)[0]  # type: ignore[no-any-return]


def reasons(value: Expr, moving: Set[Expr]) -> tuple[tuple[str, ...], Why]:
    """The rules used by d(value) and why they hold, from the ops that stand on the way to a moving name."""
    live: set[Expr] = set()
    rules: dict[str, None] = {}
    lines: dict[str, None] = {}
    proofs: dict[str, None] = {}
    bind: dict[str, Any] = {}
    for e in postorder(value):
        if (is_var(e) and e in moving) or any(a in live for a in e.args):
            live.add(e)
        if e not in live or not e.args:
            continue
        moved = [k for k, a in enumerate(e.args) if a in live]
        if e.op.linear == "each" and len(moved) > 1:
            rules["D-BILIN"] = None
            lines["a product changes by one term per factor, the other factors held still"] = None
            if all(is_var(e.args[k]) for k in moved):
                both = tuple(a + increment(a) if k in moved else a for k, a in enumerate(e.args))
                parts = [_put(e, k, increment(e.args[k])) for k in moved]
                shown = [Expr.make(e.op, both, e.attrs, e.shape), e, *parts]
                marks = [f"$b{len(bind) + k}" for k in range(len(shown))]
                bind.update(zip((m[1:] for m in marks), shown, strict=True))
                proofs[f"{marks[0]} = {' + '.join(marks[1:])} + terms with two increments; those are second order, "
                       "o(‖increments‖), and by the definition of the differential no part of the linear term"] = None  # fmt: skip
        elif e.op.linear:
            rules["D-ADD" if len(e.args) > 1 and e.op.linear == "joint" else "D-LIN"] = None
            lines["the differential of a sum is the sum of the differentials" if e.op.linear == "joint" and len(e.args) > 1
                  else "what is linear in the part that moves is its own differential"] = None  # fmt: skip
        else:
            for k in moved:
                reason = reason_of(e, k)
                rules[reason.rule] = None
                lines[instantiate(reason.statement, e, k, bind)] = None
                proofs[instantiate(e.op.doc, e, k, bind)] = None
    return tuple(rules), Why("differentiate the equation", "; ".join(lines), "; ".join(proofs), bind)
