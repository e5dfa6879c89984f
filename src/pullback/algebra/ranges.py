"""Ranges of an index with symbolic ends, `k = 1..L-1`, and boxes of them cut into cells.

Two ends are compared when they differ by a number or by one symbol, which is taken as large; how large it must be for the
comparison to hold is kept and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ..errors import UnsupportedError
from .dims import Dim

__all__ = ["Box", "Cells", "Order", "Range", "adjoin", "shown_end"]

_ONE = Dim.number(1)


def shown_end(d: Dim) -> str:
    """`L−1`."""
    return str(d).replace(" ", "").replace("-", "−")


@dataclass(frozen=True, slots=True)
class Range:
    """`letter = first..last`, both ends included."""

    letter: str
    first: Dim
    last: Dim

    def __str__(self) -> str:
        return f"{self.letter} = {self.ends}"

    @property
    def ends(self) -> str:
        first, last = map(shown_end, (self.first, self.last))
        return first if first == last else f"{first}..{last}"


Interval = tuple[Dim, Dim]
Box = tuple[Interval, ...]  # one interval for each entry of an index


@dataclass(slots=True)
class Order:
    """Comparisons that hold once every symbol is large enough; `least` says how large."""

    least: dict[str, int] = field(default_factory=dict)

    def before(self, a: Dim, b: Dim) -> bool:
        """Whether a ≤ b. Raises UnsupportedError U032 if that depends on symbols that are not related."""
        terms = (b - a).terms
        letters = [(m, c) for m, c in terms if m]
        if not letters:
            return sum(c for _, c in terms) >= 0
        if len(letters) > 1 or len(letters[0][0]) > 1:
            raise UnsupportedError(
                "U032",
                f"the ranges cannot be compared: is {a} ≤ {b}?",
                expected="ends of ranges that differ by a number, or of which one is a number",
                hint="give both ranges the same end, or ends such as T and T-1",
            )
        return letters[0][1] > 0

    def need(self, a: Dim, b: Dim) -> None:
        """a ≤ b is used from here on."""
        for m, c in (b - a).terms:
            if m and c > 0:
                rest = sum(c for m, c in (b - a).terms if not m)
                self.least[m[0]] = max(self.least.get(m[0], 1), -(rest // c))


def _sorted(points: Iterable[Dim], order: Order) -> list[Dim]:
    found: list[Dim] = []
    for p in dict.fromkeys(points):
        k = len(found)
        while k and not order.before(found[k - 1], p):
            k -= 1
        found.insert(k, p)
    return found


class Cells:
    """The cells into which boxes cut their space: in each, every box holds everywhere or nowhere."""

    def __init__(self, boxes: Sequence[Box], order: Order) -> None:
        self.boxes, self.order = boxes, order
        axes = range(len(boxes[0])) if boxes else range(0)
        self.points = [_sorted((p for b in boxes for p in (b[a][0], b[a][1] + _ONE)), order) for a in axes]
        self.places = [{p: k for k, p in enumerate(points)} for points in self.points]

    def held(self, cell: tuple[int, ...]) -> frozenset[int]:
        """The boxes that hold the cell at these places."""
        found = []
        for n, b in enumerate(self.boxes):
            spans = ((at[lo], at[hi + _ONE]) for at, (lo, hi) in zip(self.places, b, strict=True))
            if all(lo <= c < hi for c, (lo, hi) in zip(cell, spans, strict=True)):
                found.append(n)
        return frozenset(found)

    def parts(self, label: Callable[[frozenset[int]], Any] = lambda held: held) -> list[tuple[Box, Any]]:
        """The cells with their label, from the first to the last; neighbours with one label are one, cells with none left out."""
        grid = {c: label(self.held(c)) for c in product(*(range(len(p) - 1) for p in self.points))}
        blocks = [(tuple((i, i + 1) for i in c), h) for c, h in grid.items() if h]
        for axis in reversed(range(len(self.points))):
            joined: list[tuple[tuple[tuple[int, int], ...], Any]] = []
            for span, h in blocks:
                k = next((k for k, (other, g) in enumerate(joined) if g == h and _touch(other, span, axis)), None)
                if k is None:
                    joined.append((span, h))
                else:
                    other = joined[k][0]
                    joined[k] = (*other[:axis], (other[axis][0], span[axis][1]), *other[axis + 1 :]), h
            blocks = joined
        found = []
        for span, h in sorted(blocks, key=lambda b: b[0]):
            for p, (i, j) in zip(self.points, span, strict=True):
                self.order.need(p[i], p[j])
            found.append((tuple((p[i], p[j] - _ONE) for p, (i, j) in zip(self.points, span, strict=True)), h))
        return found


def _touch(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]], axis: int) -> bool:
    """Whether `other` begins where `one` ends along the axis, and they agree along all others."""
    return one[axis][1] == other[axis][0] and all(
        x == y for a, (x, y) in enumerate(zip(one, other, strict=True)) if a != axis
    )


def adjoin(boxes: Sequence[Box], order: Order) -> list[Box]:
    """The same points in fewer boxes: those that touch along one axis and agree in the others are one."""
    found = list(dict.fromkeys(boxes))
    changed = True
    while changed:
        changed = False
        for a in found:
            for b in found:
                if a is b:
                    continue
                axes = [k for k, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
                if len(axes) == 1 and a[axes[0]][1] + _ONE == b[axes[0]][0]:
                    k = axes[0]
                    found = [c for c in found if c is not a and c is not b]
                    found.append((*a[:k], (a[k][0], b[k][1]), *a[k + 1 :]))
                    changed = True
                    break
            if changed:
                break
    return found
