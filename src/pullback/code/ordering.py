"""The backward pass in an order that needs less memory: what frees arrays is computed as soon as it can be.

In the order of the derivation the gradients of the weights may come last, and every array that they are made of is needed until
then. Here a result that is the last reader of some array follows at once, and so does any other array that is no larger than what
it frees. Everything else stays in the order of the derivation.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import prod

from ..algebra.dims import Dim
from .instructions import Given, Value, arguments

__all__ = ["earlier"]


def earlier(after: list[Value], stays: set[Value], uses: dict[Value, int], size: Callable[[Dim], int]) -> list[Value]:
    """The arrays `after` the turn in a better order; what `stays` is never freed."""
    parts = _parts(after, stays, uses)
    of = {v: k for k, part in enumerate(parts) for v in part}
    reads = [{a for v in part for a in arguments(v.by) if of.get(a) != k} for k, part in enumerate(parts)]
    left: dict[Value, set[int]] = {}  # the parts that are still to read an array
    waits = [0] * len(parts)
    for k, some in enumerate(reads):
        for a in some:
            left.setdefault(a, set()).add(k)
            waits[k] += a in of

    def frees(k: int) -> bool:
        freed = sum(
            _entries(a, size) for a in reads[k] if len(left[a]) == 1 and a not in stays and not isinstance(a.by, Given)
        )
        return freed > 0 and (parts[k][-1] in stays or freed >= _entries(parts[k][-1], size))

    found: list[Value] = []
    done = [False] * len(parts)
    next_: list[int] = []

    def take(k: int) -> None:
        done[k] = True
        found.extend(parts[k])
        for a in reads[k]:
            left[a].discard(k)
        for v in parts[k]:
            for n in left.get(v, ()):
                waits[n] -= 1
        for a in (*reads[k], *parts[k]):  # who reads it last, or may begin now
            for n in left.get(a, ()) if a in of or len(left[a]) == 1 else ():
                if not waits[n]:
                    heappush(next_, n)

    for first in range(len(parts)):
        heappush(next_, first)
        while next_:
            k = heappop(next_)
            if done[k] or waits[k] or not (k == first or frees(k)):
                continue
            for a in [
                a for a in reads[k] if a.shape == parts[k][-1].shape and a.order > 1 and not isinstance(a.by, Given)
            ]:
                others = sorted(left[a] - {k})
                if all(not waits[n] and parts[n][-1].order < a.order for n in others):
                    for n in others:
                        take(n)
            take(k)
    return found


def _parts(after: list[Value], stays: set[Value], uses: dict[Value, int]) -> list[list[Value]]:
    """Arrays that are written in one expression, in the order of the last of each."""
    user = {a: v for v in after for a in arguments(v.by)}
    inside = {v for v in after if v.about is None and uses.get(v) == 1 and v not in stays and v in user}
    head: dict[Value, Value] = {}
    for v in reversed(after):
        head[v] = head[user[v]] if v in inside else v
    parts: dict[Value, list[Value]] = {v: [] for v in after if v not in inside}
    for v in after:
        parts[head[v]].append(v)
    return list(parts.values())


def _entries(v: Value, size: Callable[[Dim], int]) -> int:
    return prod((size(d) for d in v.shape), start=1)
