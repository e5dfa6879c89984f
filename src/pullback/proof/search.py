"""The smallest counterexample to an equation: sizes 1, 2, 3, entries between −2 and 2, unknown functions as polynomials.

"Smallest" is one fixed order: first by the sum of the sizes, then by the polynomials of the unknown functions (t² first),
then by the number of entries that are not 0, then by the sum of their absolute values. Nothing is random in the result;
random numbers modulo a prime only tell beforehand where a search would be in vain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations, islice, product
from random import Random
from typing import Any

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.ops.free import facts_of
from .field import Field, OutOfDomain, P
from .jets import Point
from .rounding import surely
from .samples import having
from .small import RANKS, Residues, Rounded, Small, Unknown, Unseen, neat

__all__ = ["Counterexample", "Search", "sizes_in_order"]

_VALUES = (1, -1, 2, -2)
_CLOSE = 1e-6  # rounded sides that differ by less than this are not told apart
_WORK = 10_000_000  # points of index sums that a search at one choice of sizes may walk
_COMBINATIONS = 400  # choices of sizes that are looked at

Array = list[Any]
Sides = Callable[[Point], tuple[Array, Array]]
Room = Sequence[tuple[Dim, Dim]]


@dataclass(frozen=True)
class Counterexample:
    """Values at which two sides differ: `at` is the place of the first entry that does, counted along the rows.

    `least` says that it is the first in the order of the search; else no entry of it can be left out, but there were too
    many places to try them all.
    """

    sizes: Mapping[str, int]
    values: Mapping[Expr, Array]
    functions: tuple[str, ...]
    left: Array
    right: Array
    at: int
    exact: bool
    rank: int = 0
    least: bool = True


def sizes_in_order(symbols: Iterable[str], most: int = 3, least: int = 1) -> Iterator[dict[str, int]]:
    """Every choice of sizes from `least` to `most`, the smallest sum first."""
    names = sorted(symbols)
    if len(names) > 6:  # too many to combine: all alike, or one of them larger
        for base in range(least, most + 1):
            yield dict.fromkeys(names, base)
            for s in names if base < most else ():
                yield {**dict.fromkeys(names, base), s: base + 1}
        return
    choices = sorted(product(range(least, most + 1), repeat=len(names)), key=lambda c: (sum(c), max(c, default=0), c))
    yield from (dict(zip(names, c, strict=True)) for c in choices)


class Search:
    """Looks for a point at which the two sides differ.

    `names` are given values in this order, 0 or one of `values`; `admits` says whether a point satisfies what is assumed. `budget` bounds the
    points that are looked at for one choice of sizes and functions, and fewer where `cost` says that one of them is dear.
    """

    def __init__(
        self,
        sides: Sides,
        names: Sequence[Expr],
        functions: Sequence[Unknown],
        *,
        admits: Callable[[Point], bool] | None = None,
        exact: bool = True,
        smooth: bool = False,
        budget: int = 3000,
        values: Sequence[Any] = _VALUES,
        cost: Callable[[Mapping[str, int]], int] | None = None,
    ) -> None:
        self.cost = cost
        self.sides, self.names, self.functions = sides, list(names), list(functions)
        self.admits, self.exact, self.smooth, self.budget, self.values = admits, exact, smooth, budget, values

    def first(self, choices: Iterable[Mapping[str, int]], room: Room = ()) -> Counterexample | None:
        """The first counterexample in order, None if there is none within the budget."""
        for sizes in islice(choices, _COMBINATIONS):
            if any(total.value(sizes) < end.value(sizes) for total, end in room):
                continue
            for rank in range(RANKS if self.functions else 1):
                found = self.at(sizes, rank)
                if found is not None:
                    return found
        return None

    def at(self, sizes: Mapping[str, int], rank: int = 0) -> Counterexample | None:
        """The first counterexample of these sizes, with the unknown functions chosen."""
        here = _Here(self, sizes, rank)
        if self.admits is None and not here.can_differ():
            return None
        left = here.budget
        for point in here.points():
            left -= 1
            if left < 0:
                break
            found = here.differ(point)
            if found is not None:
                return replace(here.made(point, *found), least=here.complete)
        thin = here.thinned() if self.admits is None and here.light else None
        found = here.differ(thin) if thin is not None else None
        return replace(here.made(thin, *found), least=False) if thin is not None and found is not None else None


class _Here:
    """The search at one choice of sizes and functions; a point is a flat list of entries."""

    def __init__(self, search: Search, sizes: Mapping[str, int], rank: int) -> None:
        self.s, self.sizes, self.rank = search, dict(sizes), rank
        kind = Small if search.exact else Rounded
        self.field = kind(search.functions, rank, search.smooth)
        self.residues = Residues(search.functions, rank)
        probe = Point(self.field, self.sizes)
        self.counts = [probe.count(v) for v in search.names]
        self.total = sum(self.counts)
        self.random = Random("smallest")
        cost = 1 if search.cost is None else search.cost(sizes) + self.total
        self.budget = min(search.budget, max(8, _WORK // cost))
        self.light = 3 * self.total * cost <= _WORK  # so that every entry can be tried to be left out
        self.complete = True  # all places were looked at for the number of entries that is tried

    def point(self, values: Sequence[Any], field: Field | None = None) -> Point:
        """The names with these entries, changed so that what is declared of them holds. Raises OutOfDomain."""
        point = Point(field or self.field, self.sizes)
        start = 0
        for v, n in zip(self.s.names, self.counts, strict=True):
            point.bind(v, _as_declared(v, list(values[start : start + n]), point))
            start += n
        return point

    def differ(self, values: Sequence[Any]) -> tuple[Array, Array] | None:
        """Both sides at the point if they differ there."""
        try:
            point = self.point(values)
            if self.s.admits is not None and not self.s.admits(point):
                return None
            left, right = self.s.sides(point)
        except OutOfDomain:
            return None
        return (left, right) if any(self.unlike(point, left, right)) else None

    def unlike(self, point: Point, left: Array, right: Array) -> list[bool]:
        """The entries in which the sides differ: rounded ones, by far more than rounding."""
        found = list(map(_unlike, left, right))
        if self.s.exact or not any(found):
            return found
        sure = surely(self.s.sides, point, left, right)
        return [a and b for a, b in zip(found, sure, strict=True)]

    def wild(self, support: Sequence[int]) -> bool | None:
        """Whether the sides differ modulo p at random numbers in these places and 0 elsewhere; None where that says nothing.

        False means that they are equal there whatever the numbers: a polynomial that vanishes at a random point is zero.
        """
        chosen = set(support)
        values = [self.random.randrange(1, P) if k in chosen else 0 for k in range(self.total)]
        try:
            left, right = self.s.sides(self.point(values, self.residues))
        except OutOfDomain:
            return False
        except Unseen:
            return None
        return bool(left != right)

    def can_differ(self) -> bool:
        """False when a search would be in vain: the sides are equal here (in floats: at eight points, and at four with zeros)."""
        everything = range(self.total)
        found = self.wild(everything) if self.s.exact else None
        if found is not None:
            return found or bool(self.wild(everything))
        for k in range(12):
            some = self.s.values if k < 8 else (0, *self.s.values[:1])
            try:
                left, right = self.s.sides(self.point([self.random.choice(some) for _ in everything]))
            except OutOfDomain:
                return True
            if any(map(_unlike, left, right)):
                return True
        return False

    def points(self) -> Iterator[list[int]]:
        """Points in order, as far as the budget of supports goes. A support at which the sides are equal whatever the
        numbers is passed over."""
        spent = 0
        prunes = self.s.admits is None and self.s.exact
        for k in range(self.total + 1):
            supports: list[tuple[int, ...]] = []
            for support in combinations(range(self.total), k):
                spent += 1
                if spent > self.budget:
                    self.complete = False
                    break
                hope = self.wild(support) if prunes else None
                if hope is None or hope:
                    supports.append(support)
            yield from self._valued(k, supports)
            if spent > self.budget:
                return

    def _valued(self, k: int, supports: Sequence[tuple[int, ...]]) -> Iterator[list[int]]:
        """The values of these supports, the smallest sum of absolute values first."""
        few = product(self.s.values if k <= 5 else self.s.values[:2], repeat=k)
        for chosen in sorted(islice(few, 1024), key=lambda c: sum(map(abs, c))):
            for support in supports:
                values = [0] * self.total
                for at, x in zip(support, chosen, strict=True):
                    values[at] = x
                yield values

    def thinned(self) -> list[int] | None:
        """A counterexample from which no entry can be left out, when there are too many places to try them all."""
        for attempt in range(8):
            values: list[int] = [self.random.choice(self.s.values[: 2 + 2 * (attempt > 1)]) for _ in range(self.total)]
            if self.differ(values) is None:
                continue
            for k in reversed(range(self.total)):
                for smaller in (0, 1, -1):
                    if abs(smaller) >= abs(values[k]):
                        continue
                    trial = [*values[:k], smaller, *values[k + 1 :]]
                    if self.differ(trial) is not None:
                        values = trial
                        break
            return values
        return None

    def made(self, values: Sequence[int], left: Array, right: Array) -> Counterexample:
        point = self.point(values)
        first = self.unlike(point, left, right).index(True)
        told = tuple(self.field.told(f, self.sizes) for f in self.s.functions)
        tidy = [[neat(x) for x in side] for side in (left, right)]
        exact = not any(isinstance(x, float) for side in tidy for x in side)
        return Counterexample(
            self.sizes, {v: point.values[v] for v in self.s.names}, told, tidy[0], tidy[1], first, exact, self.rank
        )


def _as_declared(v: Expr, values: Array, point: Point) -> Array:
    """Entries of which 0 stands for the simplest that there is; a place in an axis is read by the op that it is for."""
    facts = tuple(f for f in facts_of(v) if f != "index")
    if "positive" in facts:
        values = [x or 1 for x in values]
    return having(facts, values, point.extent(v), point.field)


def _unlike(a: Any, b: Any) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return bool(abs(a - b) > _CLOSE * max(1.0, abs(a), abs(b)))
    return bool(Fraction(a) != Fraction(b))
