"""What rounding does to a result, measured: floats that differ by no more than that are not told apart.

An evaluation in which every result is off by a few roundings, at random, is done three times; how far the results spread says how
far any of them may be from the truth, whatever cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from ..algebra.expr import Expr
from ..algebra.ops.free import is_name
from .field import Field, OutOfDomain
from .jets import Point

__all__ = ["RUNS", "ULP", "Shaken", "surely"]

ULP = 2.0**-52
RUNS = 3
_FAR = 1e3  # times the spread: no rounding
_CLOSE = 1e-10  # relative: not told apart, whatever the spread

Array = Sequence[Any]


class Shaken(Point):
    """A point at which every float that is computed is off by a few roundings, at random."""

    def __init__(self, field: Field, sizes: Mapping[str, int], seed: int) -> None:
        super().__init__(field, sizes)
        self.random = Random(seed)

    def bind(self, name: Expr, value: list[Any], tangent: list[Any] | None = None) -> None:
        if not is_name(name):
            value = [x * (1 + self.random.uniform(-4, 4) * ULP) if isinstance(x, float) else x for x in value]
        super().bind(name, value, tangent)


def surely(sides: Callable[[Point], tuple[Array, Array]], point: Point, left: Array, right: Array) -> list[bool]:
    """For each entry of two sides that were computed at a point, whether they differ by far more than rounding."""
    apart = [a - b for a, b in zip(left, right, strict=True)]
    spread = [0.0] * len(apart)
    names = {v: x for v, x in point.values.items() if is_name(v)}
    for k in range(RUNS):
        again = Shaken(point.field, point.sizes, k)
        for v, x in names.items():
            again.bind(v, x)
        try:
            one, other = sides(again)
        except OutOfDomain:  # at the edge of a domain
            return [False] * len(apart)
        spread = [max(s, abs(a - b - d)) for s, a, b, d in zip(spread, one, other, apart, strict=True)]
    return [
        bool(d) and (not isinstance(d, float) or abs(d) > max(_FAR * s, _CLOSE * max(abs(a), abs(b))))
        for d, s, a, b in zip(apart, spread, left, right, strict=True)
    ]
