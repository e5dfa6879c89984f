"""Between two rows every line that moves sideways has a height of its own: its track.

Each line comes down, runs along its track, and goes on down. Lines whose tracks would run into each other lie on
different tracks, and where one comes down at the place at which another goes on, the first stands above the second.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["tracks"]

_NEAR = 24.0  # two lines, each of two lanes, nearer than this would touch


def tracks(hops: Sequence[tuple[float, float]]) -> list[int]:
    """The track of every (from x, to x), counted from above; −1 for a line that goes straight down."""
    found = [-1] * len(hops)
    moving = [k for k, (a, b) in enumerate(hops) if abs(a - b) > 0.5]
    above = {k: [j for j in moving if j != k and abs(hops[j][0] - hops[k][1]) < _NEAR and abs(hops[j][0] - hops[k][0]) > 0.5]
             for k in moving}  # fmt: skip
    left = sorted(moving, key=lambda k: abs(hops[k][0] - hops[k][1]))
    while left:
        free = [k for k in left if not any(j in left for j in above[k])]
        k = (free or left)[0]  # a circle of lines that want to be above each other is broken
        left.remove(k)
        least = max((found[j] + 1 for j in above[k] if found[j] >= 0), default=0)
        while any(found[j] == least and _touch(hops[j], hops[k]) for j in moving if j != k):
            least += 1
        found[k] = least
    return found


def _touch(p: tuple[float, float], q: tuple[float, float]) -> bool:
    return min(p) - _NEAR < max(q) and min(q) - _NEAR < max(p)
