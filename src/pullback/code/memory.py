"""The memory of a plan: how large its arrays are, when each is needed for the last time, and what all of them take meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from ..algebra.dims import Dim
from .instructions import Given, Value, arguments
from .plan import Plan

__all__ = ["Size", "alive", "entries", "last_uses", "peak"]

Size = Callable[[Dim], int]


def entries(v: Value, size: Size) -> int:
    return prod((size(d) for d in v.shape), start=1)


def last_uses(plan: Plan) -> dict[Value, int]:
    """For every array the place in the plan after which nothing needs it; the end for what is given and for the results."""
    last: dict[Value, int] = {}
    for k, v in enumerate(plan.values):
        last[v] = k
        for a in arguments(v.by):
            last[a] = k
    stays = [plan.value, *plan.gradients.values(), *(v for v in plan.values if isinstance(v.by, Given))]
    return last | dict.fromkeys(stays, len(plan.values) - 1)


def alive(plan: Plan, size: Size) -> list[int]:
    """The entries of all arrays that are needed while each array of the plan is computed; what is given is there from the start."""
    made = [entries(v, size) for v in plan.values]
    gone = [0] * len(made)
    place = {v: k for k, v in enumerate(plan.values)}
    for v, k in last_uses(plan).items():
        gone[k] += made[place[v]]
    now = sum(n for n, v in zip(made, plan.values, strict=True) if isinstance(v.by, Given))
    found: list[int] = []
    for n, less, v in zip(made, gone, plan.values, strict=True):
        now += 0 if isinstance(v.by, Given) else n
        found.append(now)
        now -= less
    return found


def peak(plan: Plan, size: Size) -> int:
    """The most entries that are needed at one time."""
    return max(alive(plan, size), default=0)
