"""A layered layout: every node below what it uses, few crossings, straight lines where that is possible.

Edges that pass a layer get a place of their own in it, so that no line runs through a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Layers", "isotonic", "layered"]

_Near = Mapping[object, Sequence[object]]
_SWEEPS = 12  # of the order in the rows
_SETTLE = 60  # of the places in the rows


@dataclass(slots=True)
class Layers:
    """rows: the nodes of each layer from left to right, passing edges as (from, to, layer); x: their places."""

    rows: list[list[object]] = field(default_factory=list)
    x: dict[object, float] = field(default_factory=dict)
    rank: dict[object, int] = field(default_factory=dict)
    chains: dict[tuple[str, str], list[object]] = field(default_factory=dict)  # every edge from top to bottom


def _ranks(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way from a source; a source stands just above its first user. `nodes` come in order of computation."""
    sources: dict[str, list[str]] = {n: [] for n in nodes}
    users: dict[str, list[str]] = {n: [] for n in nodes}
    for a, b in edges:
        sources[b].append(a)
        users[a].append(b)
    rank: dict[str, int] = {}
    for n in nodes:
        rank[n] = max((rank[a] + 1 for a in sources[n]), default=0)
    for n in nodes:
        if not sources[n] and users[n]:
            rank[n] = max(0, min(rank[b] for b in users[n]) - 1)
    low = min(rank.values(), default=0)
    return {n: r - low for n, r in rank.items()}


def layered(nodes: Sequence[str], edges: Sequence[tuple[str, str]], left: Mapping[str, float], right: Mapping[str, float], gap: float) -> Layers:  # fmt: skip
    """The layout; `left` and `right` are how far a node reaches from its centre line."""
    rank = _ranks(nodes, edges)
    found = Layers()
    found.rank.update(rank)
    found.rows = [[n for n in nodes if rank[n] == r] for r in range(max(rank.values(), default=0) + 1)]
    for a, b in edges:
        chain: list[object] = [a]
        for r in range(rank[a] + 1, rank[b]):
            passing = (a, b, r)
            found.rows[r].append(passing)
            found.rank[passing] = r
            chain.append(passing)
        found.chains[a, b] = [*chain, b]
    up: dict[object, list[object]] = {}
    down: dict[object, list[object]] = {}
    for chain in found.chains.values():
        for p, q in pairwise(chain):
            down.setdefault(p, []).append(q)
            up.setdefault(q, []).append(p)
    _order(found.rows, up, down)
    reach = {n: (left.get(str(n), 13.0) if isinstance(n, str) else 13.0, right.get(str(n), 13.0) if isinstance(n, str) else 13.0)
             for row in found.rows for n in row}  # fmt: skip
    found.x = _places(found.rows, up, down, reach, gap)
    return found


def _crossings(rows: Sequence[Sequence[object]], down: Mapping[object, Sequence[object]]) -> int:
    total = 0
    for row, below in pairwise(rows):
        at = {n: k for k, n in enumerate(below)}
        ends = [(k, at[b]) for k, n in enumerate(row) for b in down.get(n, ())]
        if len(ends) < 400:
            total += sum(a < c and b > d for a, b in ends for c, d in ends)
    return total


def _order(rows: list[list[object]], up: Mapping[object, Sequence[object]], down: Mapping[object, Sequence[object]]) -> None:  # fmt: skip
    """Each node towards the middle of its neighbours, down and up in turn; the order with the fewest crossings stays."""
    best, least = [list(r) for r in rows], _crossings(rows, down)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        near = up if downwards else down
        for r in range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1):
            at = {n: k for k, n in enumerate(rows[r - 1 if downwards else r + 1])}
            old = {n: k for k, n in enumerate(rows[r])}

            def middle(
                n: object, at: dict[object, int] = at, old: dict[object, int] = old, near: _Near = near
            ) -> float:
                places = [at[m] for m in near.get(n, ()) if m in at]
                return sum(places) / len(places) if places else float(old[n])

            rows[r].sort(key=middle)
        crossed = _crossings(rows, down)
        if crossed < least:
            best, least = [list(r) for r in rows], crossed
    rows[:] = best


def _places(rows: Sequence[Sequence[object]], up: Mapping[object, Sequence[object]], down: Mapping[object, Sequence[object]],
            reach: Mapping[object, tuple[float, float]], gap: float) -> dict[object, float]:  # fmt: skip
    """The x of every node: near the mean of its neighbours, as far as the order and the sizes in its row allow."""
    x: dict[object, float] = {}
    for row in rows:
        at = 0.0
        for n in row:
            at += reach[n][0]
            x[n] = at
            at += reach[n][1] + gap
        shift = at / 2
        for n in row:
            x[n] -= shift
    # A line that passes rows runs straight; the nodes of one flow stand below each other; the rest gives way.
    column: dict[tuple[object, object], list[object]] = {}
    for row in rows:
        for n in row:
            if isinstance(n, tuple):
                column.setdefault(n[:2], []).append(n)
    for sweep in range(_SETTLE):
        order = range(len(rows)) if sweep % 2 else range(len(rows) - 1, -1, -1)
        for r in order:
            row = rows[r]
            wanted, weight, least = [], [], [0.0]
            for n in row:
                if isinstance(n, tuple):
                    others = column[n[:2]]
                    wanted.append(sum(x[m] for m in others) / len(others))
                    weight.append(6.0)
                    continue
                near = [(x[m], 1.0 if isinstance(m, tuple) else 5.0) for m in (*up.get(n, ()), *down.get(n, ()))]
                total = sum(w for _, w in near)
                wanted.append(sum(p * w for p, w in near) / total if near else x[n])
                weight.append(1.0)
            for p, q in pairwise(row):
                least.append(least[-1] + reach[p][1] + gap + reach[q][0])
            settled = isotonic([w - s for w, s in zip(wanted, least, strict=True)], weight)
            x.update((n, place + s) for n, place, s in zip(row, settled, least, strict=True))
    _straighten(rows, column.values(), reach, gap, x)
    for row in rows[1:]:  # what has one source stands below it
        for k, n in enumerate(row):
            sources = up.get(n, ())
            if isinstance(n, str) and len(sources) == 1 and abs(x[sources[0]] - x[n]) < 40:
                low, high = _between(row, k, reach, gap, x)
                x[n] = min(max(x[sources[0]], low), high) if low <= high else x[n]
    return x


def _between(row: Sequence[object], k: int, reach: Mapping[object, tuple[float, float]], gap: float, x: Mapping[object, float]) -> tuple[float, float]:  # fmt: skip
    """The least and the greatest place of a node that its neighbours in the row leave."""
    least = x[row[k - 1]] + reach[row[k - 1]][1] + gap + reach[row[k]][0] if k else -1e9
    most = x[row[k + 1]] - reach[row[k + 1]][0] - gap - reach[row[k]][1] if k + 1 < len(row) else 1e9
    return least, most


def _straighten(rows: Sequence[Sequence[object]], chains: Iterable[Sequence[object]], reach: Mapping[object, tuple[float, float]],
                gap: float, x: dict[object, float]) -> None:  # fmt: skip
    """A passing line at one x through all of its rows, where its neighbours leave room for that."""
    beside: dict[object, tuple[float, float]] = {}
    for chain in chains:
        for row in rows:
            for k, n in enumerate(row):
                if n in chain:
                    beside[n] = _between(row, k, reach, gap, x)
        low, high = max(beside[n][0] for n in chain), min(beside[n][1] for n in chain)
        if low <= high + 1e-6:
            middle = sum(x[n] for n in chain) / len(chain)
            x.update(dict.fromkeys(chain, min(max(middle, low), high)))


def isotonic(wanted: Sequence[float], weight: Sequence[float]) -> list[float]:
    """The nondecreasing sequence nearest to `wanted` in weighted least squares: neighbours out of order are pooled."""
    pools: list[tuple[float, float, int]] = []
    for value, w in zip(wanted, weight, strict=True):
        pool = (value, w, 1)
        while pools and pools[-1][0] > pool[0]:
            v, u, n = pools.pop()
            pool = ((v * u + pool[0] * pool[1]) / (u + pool[1]), u + pool[1], n + pool[2])
        pools.append(pool)
    return [v for v, _, n in pools for _ in range(n)]
