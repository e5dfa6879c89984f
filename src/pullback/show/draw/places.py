"""Where the vertices of a network stand: a chain on a line, a ring on a circle, branches outwards.

The gap grows until no two vertices are too near and no line runs through a vertex.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from math import cos, hypot, pi, sin

from .scene import Point
from .structure import Network

__all__ = ["placed", "through"]

Size = tuple[float, float]
_GAP = 44.0
_NEAR = 12.0
_FEW = 7  # vertices of a ring whose order is searched for the fewest crossings


def placed(g: Network, sizes: Sequence[Size], room: Mapping[tuple[int, int], float]) -> list[Point]:
    """The centres of the vertices of one connected network; `room` is the least gap on a line, for its label."""
    gap = _GAP
    found: list[Point] = []
    for _ in range(8):
        found = _attempt(g, sizes, room, gap)
        if _clear(g, found, sizes):
            break
        gap *= 1.3
    return found


def _attempt(g: Network, sizes: Sequence[Size], room: Mapping[tuple[int, int], float], gap: float) -> list[Point]:
    core = g.core()
    if core:
        return _ring(g, core, sizes, room, gap)
    spine = g.spine()
    hung: dict[int, list[int]] = {}
    for v in range(len(g.vertices)):
        if v not in spine:
            near = [w for w in g.neighbours(v) if w in spine]
            if not near or len(g.neighbours(v)) > 1:
                return _radial(g, sizes, gap)
            hung.setdefault(near[0], []).append(v)
    if any(len(h) > 2 for h in hung.values()):
        return _radial(g, sizes, gap)
    at: dict[int, Point] = {}
    x = 0.0
    for k, v in enumerate(spine):
        if k:
            before = spine[k - 1]
            x += sizes[before][0] / 2 + max(gap, _room(room, before, v)) + sizes[v][0] / 2
        at[v] = (x, 0.0)
        for side, w in zip((1, -1), hung.get(v, ()), strict=False):
            at[w] = (x, side * (sizes[v][1] / 2 + max(34.0, gap * 0.8) + sizes[w][1] / 2))
    return [at[v] for v in range(len(g.vertices))]


def _room(room: Mapping[tuple[int, int], float], a: int, b: int) -> float:
    return room.get((min(a, b), max(a, b)), 0.0)


def _ring(g: Network, core: Sequence[int], sizes: Sequence[Size], room: Mapping[tuple[int, int], float], gap: float) -> list[Point]:  # fmt: skip
    order = _order(g, core)
    n = len(order)
    if n == 1:
        return _outwards(g, {order[0]: (0.0, 0.0)}, sizes, gap)
    longest = max((max(gap, _room(room, e.a, e.b)) for e in g.edges), default=gap)
    chord = max(hypot(*sizes[v]) for v in order) * 0.75 + longest
    radius = chord / (2 * sin(pi / n))
    angles = [-pi / 2 + 2 * pi * k / n for k in range(n)]
    at = {v: (radius * cos(t), radius * sin(t)) for v, t in zip(order, angles, strict=True)}
    return _outwards(g, at, sizes, gap)


def _order(g: Network, core: Sequence[int]) -> list[int]:
    """The core around the ring, the removed node first, with few crossings."""
    first = next((v for v in core if g.vertices[v].kind == "removed"), core[0])
    rest = [v for v in core if v != first]
    edges = [(e.a, e.b) for e in g.edges if e.a in core and e.b in core and e.a != e.b]
    if len(core) > _FEW:
        path = [first]
        while len(path) < len(core):
            near = [w for w in g.neighbours(path[-1]) if w in core and w not in path]
            path.append(near[0] if near else next(w for w in rest if w not in path))
        return path
    best, least = [first, *rest], 10**9
    for p in permutations(rest):
        order = [first, *p]
        place = {v: k for k, v in enumerate(order)}
        cost = _crossings([tuple(sorted((place[a], place[b]))) for a, b in edges], len(order))
        if cost < least:
            best, least = order, cost
    return best


def _crossings(chords: Sequence[tuple[int, ...]], n: int) -> int:
    """Crossings, and then how far the chords reach."""
    crossed = sum(a < c < b < d for a, b in chords for c, d in chords)
    return 100 * crossed + sum(min(b - a, n - b + a) for a, b in chords)


def _outwards(g: Network, at: dict[int, Point], sizes: Sequence[Size], gap: float) -> list[Point]:
    """The branches that hang from the ring, away from its centre."""
    queue = list(at)
    for v in queue:
        fresh = [w for w in g.neighbours(v) if w not in at]
        x, y = at[v]
        length = hypot(x, y)
        ux, uy = (x / length, y / length) if length > 1e-6 else (0.0, 1.0)
        for k, w in enumerate(fresh):
            turn = (k - (len(fresh) - 1) / 2) * (2 * pi / max(len(fresh), 3) if length <= 1e-6 else 0.8)
            vx, vy = ux * cos(turn) - uy * sin(turn), ux * sin(turn) + uy * cos(turn)
            reach = gap + (abs(vx) * (sizes[v][0] + sizes[w][0]) + abs(vy) * (sizes[v][1] + sizes[w][1])) / 2
            at[w] = (x + vx * reach, y + vy * reach)
            queue.append(w)
    return [at[v] for v in range(len(g.vertices))]


def _radial(g: Network, sizes: Sequence[Size], gap: float) -> list[Point]:
    """A tree around its busiest vertex."""
    n = len(g.vertices)
    centre = max(range(n), key=lambda v: (len(g.neighbours(v)), -v))
    at: dict[int, Point] = {centre: (0.0, 0.0)}
    spread = g.neighbours(centre)
    for k, w in enumerate(spread):
        t = pi + 2 * pi * k / len(spread)
        reach = (
            gap * 1.1
            + (abs(cos(t)) * (sizes[centre][0] + sizes[w][0]) + abs(sin(t)) * (sizes[centre][1] + sizes[w][1])) / 2
        )
        at[w] = (reach * cos(t), reach * sin(t))
    return _outwards(g, at, sizes, gap)


def _clear(g: Network, at: Sequence[Point], sizes: Sequence[Size]) -> bool:
    """No two vertices too near, no line through a third."""
    n = len(at)
    for a in range(n):
        for b in range(a):
            dx, dy = abs(at[a][0] - at[b][0]), abs(at[a][1] - at[b][1])
            if dx < (sizes[a][0] + sizes[b][0]) / 2 + _NEAR and dy < (sizes[a][1] + sizes[b][1]) / 2 + _NEAR:
                return False
    for e in g.edges:
        for v in range(n):
            if v not in (e.a, e.b) and e.a != e.b and through(at[e.a], at[e.b], at[v], sizes[v]):
                return False
    return True


def through(p: Point, q: Point, centre: Point, size: Size) -> bool:
    """Whether the stretch from p to q runs through the box around `centre`, with a margin."""
    w, h = size[0] / 2 + 6, size[1] / 2 + 6
    low, high = 0.0, 1.0
    for start, step, middle, half in ((p[0], q[0] - p[0], centre[0], w), (p[1], q[1] - p[1], centre[1], h)):
        if abs(step) < 1e-9:
            if abs(start - middle) > half:
                return False
            continue
        t = sorted(((middle - half - start) / step, (middle + half - start) / step))
        low, high = max(low, t[0]), min(high, t[1])
    return low < high
