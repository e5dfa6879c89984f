"""Which parts of a graph depend on each other in circles."""

from __future__ import annotations

from collections.abc import Sequence, Set
from heapq import heapify, heappop, heappush

__all__ = ["components", "topological"]


def components(needs: Sequence[Set[int]]) -> list[int]:
    """The number of the strongly connected component of every place (Tarjan, without recursion)."""
    found = [-1] * len(needs)
    index, low = [-1] * len(needs), [0] * len(needs)
    path: list[int] = []
    count = 0
    for root in range(len(needs)):
        stack = [(root, iter(sorted(needs[root])))] if index[root] < 0 else []
        while stack:
            v, rest = stack[-1]
            if index[v] < 0:
                index[v] = low[v] = count
                count += 1
                path.append(v)
            w = next(rest, None)
            if w is None:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[v])
                if low[v] == index[v]:
                    while found[v] < 0:
                        found[path.pop()] = v
            elif index[w] < 0:
                stack.append((w, iter(sorted(needs[w]))))
            elif found[w] < 0:
                low[v] = min(low[v], index[w])
    return found


def topological(needs: Sequence[Set[int]]) -> list[int] | None:
    """The places in an order in which each stands after those that it needs, else in their own order; None for a circle."""
    users: list[list[int]] = [[] for _ in needs]
    for i, wanted in enumerate(needs):
        for j in wanted:
            users[j].append(i)
    missing = [len(w) for w in needs]
    ready = [i for i, n in enumerate(missing) if not n]
    heapify(ready)
    ordered: list[int] = []
    while ready:
        i = heappop(ready)
        ordered.append(i)
        for j in users[i]:
            missing[j] -= 1
            if not missing[j]:
                heappush(ready, j)
    return ordered if len(ordered) == len(needs) else None
