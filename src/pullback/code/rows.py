"""Loops where all members of a family have one shape: what is computed is one array with the index in front.

A sum over an index of products is then one product of arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.indexed import ref, steps_of
from ..algebra.ops.free import is_free_function, is_free_map, var
from ..algebra.ranges import Box, Order, Range
from ..calculus.loops import box_of
from .frame import Target, Words
from .looped import Looped, Members
from .looping import LoopWriter
from .schedule import Family, Line, family, index_of, read_by
from .stacking import prepared, stacked

__all__ = ["Rows", "is_even"]


def is_even(p: Looped) -> bool:
    """Whether nothing but numbers depends on an index in its shape or its function."""
    lines = (*p.forward, *p.backward)
    if any("[" in s for q in lines for e in (q.var, *read_by(q.value)) for d in e.shape for s in d.symbols()):
        return False
    return not any(
        ref(str(e.attrs[0])) for q in lines for e in postorder(q.value) if is_free_map(e) or is_free_function(e)
    )


class Rows(LoopWriter):
    """Members in the rows of arrays."""

    def __init__(self, p: Looped, words: Words, target: Target) -> None:
        self.boxes: dict[Family, Box] = {}
        self.numbers = count(1)
        self.whole: set[str] = set()  # arrays that are made in one line
        super().__init__(p, words, target)

    def prepared(self, lines: Sequence[Line]) -> list[Line]:
        taken = {family(x)[0] for q in (*self.p.forward, *self.p.backward) for x in (q.var, *read_by(q.value))}
        return prepared(lines, (n for k in self.numbers if (n := f"known{k}") not in taken))

    def name_members(self) -> None:
        super().name_members()
        some: dict[Family, list[Box]] = {}
        for q in self.lines:
            some.setdefault(family(q.var), []).append(box_of(index_of(q.var), q.ranges))
        for m in self.p.inputs:
            some.setdefault(family(m.var), []).append(m.box)
        for f in self.stores:
            self.boxes[f] = _hull(some.get(f, []), self.p.order)

    def place(self, v: Expr) -> str:
        f = family(v)
        if f in self.stores and f not in self.local:
            return f"{self.stores[f]}[{self.index(self.row(f, index_of(v)))}]"
        return super().place(v)

    def row(self, f: Family, index: Sequence[Dim]) -> list[Dim]:
        """The index counted from 0."""
        return [d - a for d, (a, _) in zip(index, self.boxes[f], strict=True)]

    def opened(self, f: Family, word: str, given: Sequence[Members]) -> Iterator[str]:
        made = [q.var for q in self.lines if family(q.var) == f]
        shape = (made[0] if made else given[0].var).shape
        counts = [b - a + Dim.number(1) for a, b in self.boxes[f]]
        yield f"    {word} = {self.nothing((*counts, *shape))}"
        for m in given:
            at = ", ".join(self.stretch(d, r, a) for d, r, a in self.entries(m))
            yield self.written(word, at, self.single[m.var])

    def entries(self, m: Members) -> Iterator[tuple[Dim, Range | None, Dim]]:
        """For every entry of the index its letter's range, and where counting begins."""
        by = {r.letter: r for r in m.ranges}
        for d, (a, _) in zip(index_of(m.var), self.boxes[family(m.var)], strict=True):
            yield d, by.get((steps_of(d) or (None, 0))[0] or ""), a

    def stretch(self, d: Dim, r: Range | None, first: Dim) -> str:
        """The rows that an entry of an index runs through, counted from `first`."""
        if r is None:
            return self.dim(d - first)
        by = Dim.number((steps_of(d) or (None, 0))[1])
        low, high = r.first + by - first, r.last + by - first + Dim.number(1)
        return _slice(self.dim(low), self.dim(high))

    def written(self, word: str, at: str, value: str) -> str:
        return f"    {word}[{at}] = {value}"

    def value(self, q: Line) -> tuple[Expr, Mapping[Expr, Expr]]:
        found = stacked(q) if q.over is not None else None
        return found or super().value(q)

    def is_row(self, v: Expr) -> bool:
        return bool(index_of(v)) and family(v) in self.stores and family(v) not in self.local

    def made(self, q: Line, n: int) -> Expr:
        if q.over is None or q.adds:
            return super().made(q, n)
        return var(f"term{n + 1}", (q.over.last - q.over.first + Dim.number(1), *q.var.shape))

    def target_of(self, v: Expr, q: Line, is_end: bool) -> str:
        return self.all_of(q, q.over) if q.over in q.ranges and q.over else super().target_of(v, q, is_end)

    def all_of(self, q: Line, r: Range) -> str:
        """The rows that a line makes at once; an array which has no others is made by it."""
        found = self.slices(q.var, r)
        if found == self.stores[family(q.var)]:
            self.whole.add(found)
        return found

    def begun(self) -> Iterator[str]:
        yield from (x for x in super().begun() if x.partition(" = ")[0].strip() not in self.whole)

    def slices(self, x: Expr, r: Range) -> str:
        f = family(x)
        if f in self.stores:
            word, box = self.stores[f], self.boxes[f]
        else:
            word, box = self.single[self.many[f].var], self.many[f].box
        index = [
            (d, r if r.letter in d.symbols() else None, a)
            for d, (a, b) in zip(index_of(x), box, strict=True)
            if f in self.stores or a != b
        ]
        whole = all(o is not None and r.first + d - Dim.symbol(r.letter) == a and r.last + d - Dim.symbol(r.letter) == b
                    for (d, o, _), (a, b) in zip(index, (e for e in box if f in self.stores or e[0] != e[1]), strict=True))  # fmt: skip
        return word if whole else f"{word}[{', '.join(self.stretch(*e) for e in index)}]"

    def is_copied(self, v: Expr) -> bool:
        return not index_of(v) and super().is_copied(v)  # a row is written to, which copies

    def is_stacked(self, m: Members) -> bool:
        return super().is_stacked(m) and family(m.var) not in self.stores

    def gathered(self, m: Members) -> str:
        f = family(m.var)
        if not m.ranges or f not in self.stores:
            return super().gathered(m)
        box = self.boxes[f]
        if m.box == box:
            return self.stores[f]
        return f"{self.stores[f]}[{', '.join(self.stretch(*e) for e in self.entries(m))}]"


def _slice(low: str, high: str) -> str:
    """low:high, as ruff format writes it."""
    low = "" if low == "0" else low
    plain = all(x.isidentifier() or x.isdecimal() or not x for x in (low, high))
    return f"{low}:{high}" if plain else f"{low} : {high}".strip()


def _hull(boxes: Sequence[Box], order: Order) -> Box:
    """The smallest box around all of them. Raises UnsupportedError U032."""
    found = list(boxes[0])
    for box in boxes[1:]:
        for k, (a, b) in enumerate(box):
            low, high = found[k]
            if not order.before(low, a):
                order.need(a, low)
                low = a
            else:
                order.need(low, a)
            if not order.before(b, high):
                order.need(high, b)
                high = b
            else:
                order.need(b, high)
            found[k] = (low, high)
    return tuple(found)
