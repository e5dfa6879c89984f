"""The backward pass in an order in which little is alive at a time: what ends the life of large arrays comes first."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from .instructions import Value, arguments
from .plan import TYPICAL, Plan

__all__ = ["frugal"]


def frugal(plan: Plan) -> Plan:
    """The plan with its backward pass in another order; of equals the one that was first stays first."""
    waiting = dict.fromkeys(plan.values[plan.backward :])
    left: dict[Value, int] = {}  # lines that are yet to read an array
    for v in waiting:
        for a in arguments(v.by):
            left[a] = left.get(a, 0) + 1
    stays = {*plan.inputs, plan.value, *plan.gradients.values()}
    missing = {v: sum(a in waiting for a in arguments(v.by)) for v in waiting}
    readers: dict[Value, list[Value]] = {}
    for v in waiting:
        for a in arguments(v.by):
            readers.setdefault(a, []).append(v)
    ready = [v for v, n in missing.items() if not n]
    place = {v: k for k, v in enumerate(waiting)}
    order: list[Value] = []

    def grown(v: Value) -> tuple[int, int]:
        """By how much more is alive once it is computed."""
        ends = sum(_size(a) for a in arguments(v.by) if left[a] == 1 and a not in stays)
        return _size(v) - ends, place[v]

    while ready:
        v = min(ready, key=grown)
        ready.remove(v)
        order.append(v)
        for a in arguments(v.by):
            left[a] -= 1
        for w in readers.get(v, ()):
            missing[w] -= 1
            if not missing[w]:
                ready.append(w)
    return replace(plan, values=[*plan.values[: plan.backward], *order])


def _size(v: Value) -> int:
    return prod((d.value({s: TYPICAL for s in d.symbols()}) for d in v.shape), start=1)
