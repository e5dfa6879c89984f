"""A derivation with an index as a program of loops: what is given, the statements in order, what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr
from ..algebra.indexed import at, at_dim, family_of, spelled, steps_of
from ..algebra.ops.free import gradient
from ..algebra.ranges import Box, Cells, Order, Range
from ..calculus.derivation import Derivation
from ..calculus.loops import box_of
from ..errors import ParseError, UnsupportedError, nearest
from .schedule import Family, Line, family, index_of, lifted, meets, read_by

__all__ = ["Looped", "Members", "looped"]

_FEW = 16  # members that are arguments one by one


@dataclass(frozen=True, slots=True)
class Members:
    """One name, or those members of a family whose index runs through `ranges`; `var` is written with their letters."""

    var: Expr
    ranges: tuple[Range, ...] = ()
    name: str = ""  # what an argument or a result is called

    @property
    def counts(self) -> Shape:
        return tuple(r.last - r.first + Dim.number(1) for r in self.ranges)

    @property
    def box(self) -> Box:
        return box_of(index_of(self.var), self.ranges)

    @property
    def is_ragged(self) -> bool:
        """Whether the members may differ in shape."""
        return bool(self.ranges) and any("[" in s for d in self.var.shape for s in d.symbols())


@dataclass(slots=True)
class Looped:
    """Equations forward and backward, the arrays that they are given, and those that are asked for, by name."""

    inputs: list[Members]
    forward: list[Line]
    backward: list[Line]
    target: Expr
    results: dict[str, Members]
    order: Order  # how large the ends of the ranges must be


def looped(d: Derivation, wrt: Sequence[str] | None = None) -> Looped:
    """The program for the value and the gradients of these names (default: all inputs whose gradient was derived).

    Raises ParseError P003 for a gradient that was not derived, UnsupportedError U043 where no loops compute it.
    """
    taken = {family_of(str(x.attrs[0])) for q in d.core.equations for x in read_by(q.value)}
    sums: dict[Expr, Expr] = {}
    forward = lifted([Line(q.var, q.value, q.auxiliary, q.ranges) for q in d.core.equations], taken, sums)
    taken |= {family(q.var)[0] for q in forward}
    backward = lifted([Line(gradient(b.of), b.value, b.auxiliary, b.ranges) for b in d.backward], taken, sums)
    forward, backward = _in_one_letter(forward, backward)
    order = Order(dict(d.least))
    given = _given([*forward, *backward], order)
    results = _results(d, given, forward, wrt)
    gradients = {n: Members(gradient(m.var), m.ranges, n) for n, m in results.items()}
    live = _live([*forward, *backward], [Members(d.target), *gradients.values()], order)
    used = {(family(x), box_of(index_of(x), (*q.ranges, *q.adds))) for q in live for x in read_by(q.value)}
    inputs = [
        m for m in given
        if any(m.var is r.var for r in results.values()) or any(f == family(m.var) and meets(b, m.box, order) for f, b in used)
    ]  # fmt: skip
    return Looped(
        inputs, [q for q in forward if q in live], [q for q in backward if q in live], d.target, gradients, order
    )


def _in_one_letter(*groups: list[Line]) -> list[list[Line]]:
    """The same, every family counted by one letter, h[u] as h[t]: whoever shares a loop has its letter."""
    letters: dict[tuple[str, int], str] = {}
    return [[_renamed(q, letters) for q in lines] for lines in groups]


def _renamed(q: Line, letters: dict[tuple[str, int], str]) -> Line:
    index = index_of(q.var)
    bind: dict[str, Dim] = {}
    for k, d in enumerate(index):
        letter = (steps_of(d) or (None, 0))[0]
        if letter is not None and any(r.letter == letter for r in q.ranges):
            wanted = letters.setdefault((family(q.var)[0], k), letter)
            if wanted != letter:
                bind[letter] = Dim.symbol(wanted)
    taken = {r.letter for r in (*q.ranges, *q.adds)}
    if not bind or any(d.name in taken for d in bind.values()) or len(set(bind.values())) < len(bind):
        return q
    ranges, adds = (tuple(Range(str(bind.get(r.letter, r.letter)), at_dim(r.first, bind), at_dim(r.last, bind)) for r in some)
                    for some in (q.ranges, q.adds))  # fmt: skip
    whole = None if q.whole is None else at(q.whole, bind)
    return replace(q, var=at(q.var, bind), value=at(q.value, bind), ranges=ranges, adds=adds, whole=whole)


def _given(lines: Sequence[Line], order: Order) -> list[Members]:
    """What no equation makes: every name, and every stretch of the members of a family."""
    uses: dict[Family, list[tuple[Expr, Line]]] = {}
    for q in lines:
        for x in read_by(q.value):
            uses.setdefault(family(x), []).append((x, q))
    made: dict[Family, list[Box]] = {}
    for q in lines:
        made.setdefault(family(q.var), []).append(box_of(index_of(q.var), q.ranges))
    found: list[Members] = []
    for f, some in uses.items():
        own = made.get(f, [])
        if not index_of(some[0][0]):
            if not own:
                found.append(Members(some[0][0], (), f[0]))
            continue
        boxes = [box_of(index_of(x), (*q.ranges, *q.adds)) for x, q in some]
        pieces = [m for box in _without(boxes, own, order) for m in _pieces(box, some)]
        alone = len(pieces) == 1 and not own
        found += (Members(m.var, m.ranges, f[0] if alone and m.ranges else str(m.var.attrs[0])) for m in pieces)
    return found


def _without(boxes: Sequence[Box], made: Sequence[Box], order: Order) -> list[Box]:
    """Where the boxes are, less where something is made."""
    n = len(made)
    return [box for box, _ in Cells([*made, *boxes], order).parts(lambda held: bool(held) and min(held) >= n)]


def _pieces(box: Box, uses: Sequence[tuple[Expr, Line]]) -> Iterator[Members]:
    """The members of a box: one by one where they are few and numbered."""
    sizes = [(b - a).constant for a, b in box]
    numbered = [n + 1 for n in sizes if n is not None]
    if len(numbered) == len(box) and all(n <= _FEW for n in numbered):
        for steps in product(*map(range, numbered)):
            point = tuple(a + Dim.number(k) for (a, _), k in zip(box, steps, strict=True))
            yield Members(_member(uses, point))
        return
    letters = iter(_letters(uses, len(box)))
    index, ranges = [], []
    for a, b in box:
        letter = next(letters)
        index.append(a if a == b else Dim.symbol(letter))
        if a != b:
            ranges.append(Range(letter, a, b))
    yield Members(_member(uses, tuple(index)), tuple(ranges))


def _letters(uses: Sequence[tuple[Expr, Line]], count: int) -> list[str]:
    """A letter for each entry of the index, as the equations have it."""
    found: list[str] = []
    for k in range(count):
        known = {r.letter for _, q in uses for r in (*q.ranges, *q.adds)}
        own = [s for x, _ in uses for s, _ in [steps_of(index_of(x)[k]) or (None, 0)] if s in known and s not in found]
        found.append(own[0] or "" if own else f"i{k + 1}")
    return found


def _member(uses: Sequence[tuple[Expr, Line]], index: Sequence[Dim]) -> Expr:
    """The member with this index, its shape as the uses have it."""
    for x, _ in uses:
        bind: dict[str, Dim] = {}
        for entry, wanted in zip(index_of(x), index, strict=True):
            letter, by = steps_of(entry) or (None, 0)
            if letter is not None and letter not in wanted.symbols() - {letter}:
                bind[letter] = wanted - Dim.number(by)
        found = at(x, {s: d for s, d in bind.items() if d.name != s})
        if index_of(found) == tuple(index):
            return found
    raise UnsupportedError("U043", f"the member {spelled(family(uses[0][0])[0], index)} is used in no equation by a letter",
                           hint="`evaluate` computes it in Python")  # fmt: skip


def _results(
    d: Derivation, given: Sequence[Members], forward: Sequence[Line], wrt: Sequence[str] | None
) -> dict[str, Members]:
    """What is asked for: inputs, and names that have an equation where they are asked for by name."""
    derived = list(dict.fromkeys(family_of(str(v.attrs[0])) for v in d.wrt))
    inputs = {f: [m for m in given if family(m.var) == (f, "value")] for f in derived}
    asked = [f for f in derived if inputs[f]] if wrt is None else list(dict.fromkeys(map(family_of, wrt)))
    found: dict[str, Members] = {}
    for f in asked:
        if f not in derived:
            close = nearest(f, sorted(derived))
            raise ParseError("P003", f"no gradient of {f} was derived",
                             hint=f"did you mean {close}?" if close else f"there are gradients of {', '.join(derived)}")  # fmt: skip
        own = [Members(q.var, q.ranges, f) for q in forward if family(q.var) == (f, "value")]
        for m in inputs[f] or own:
            name = m.name if m.name not in found else str(m.var.attrs[0])
            found[name] = m
    return found


def _live(lines: Sequence[Line], ends: Sequence[Members], order: Order) -> set[Line]:
    """The lines that the ends depend on."""
    makers: dict[Family, list[Line]] = {}
    for q in lines:
        makers.setdefault(family(q.var), []).append(q)
    live: set[Line] = set()
    stack = [(family(m.var), m.box) for m in ends]
    while stack:
        f, box = stack.pop()
        for q in makers.get(f, ()):
            if q not in live and meets(box, box_of(index_of(q.var), q.ranges), order):
                live.add(q)
                stack += ((family(x), box_of(index_of(x), (*q.ranges, *q.adds))) for x in read_by(q.value))
    return live
