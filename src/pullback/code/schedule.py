"""Equations with an index as loops: which equations run together, in which direction, and what is added up on the way.

After Allen and Kennedy (ACM TOPLAS 9(4), 1987, section 4): equations that need each other in a circle share a loop, whose
direction is the one in which the index advances; all others are ordered by what they need, and join a loop over the same
range where nothing forbids it. Where equations of one loop hold for different values, the range is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, rebuild
from ..algebra.graph import components, topological
from ..algebra.indexed import at, family_of, letters_of, ref, spelled, steps_of
from ..algebra.ops.free import is_name, var
from ..algebra.ranges import Box, Cells, Order, Range
from ..calculus.loops import box_of
from ..errors import UnsupportedError

__all__ = [
    "Family",
    "Line",
    "Loop",
    "Statement",
    "family",
    "index_of",
    "lifted",
    "lines_of",
    "meets",
    "read_by",
    "scheduled",
]

Family = tuple[str, str]  # the name, and whether it is a value or a gradient


@dataclass(eq=False, slots=True)
class Line:
    """One equation, for one value of every index that a loop around it has; with `adds` a sum over its last ranges."""

    var: Expr
    value: Expr
    ours: bool
    ranges: tuple[Range, ...] = ()
    adds: tuple[Range, ...] = ()
    whole: Expr | None = None  # the sum that it adds up
    over: Range | None = None  # the range whose members are computed at once, as one product of arrays

    @property
    def loops(self) -> tuple[Range, ...]:
        """The ranges that need a loop around the line."""
        return tuple(r for r in (*self.ranges, *self.adds) if r != self.over)

    @property
    def is_sum(self) -> bool:
        """Whether it is added up round by round."""
        return bool(self.adds) and self.over is None


@dataclass(eq=False, slots=True)
class Loop:
    """The body for every value of the letter, from the last to the first if `reverse`."""

    range: Range
    reverse: bool
    body: list[Statement] = field(default_factory=list)
    is_recurrence: bool = False  # whether a round reads what an earlier one has made

    def lines(self) -> Iterator[Line]:
        return lines_of(self.body)


Statement = Line | Loop


def lines_of(statements: Sequence[Statement]) -> Iterator[Line]:
    """Every line, in order."""
    for s in statements:
        if isinstance(s, Loop):
            yield from s.lines()
        else:
            yield s


def family(v: Expr) -> Family:
    return family_of(str(v.attrs[0])), str(v.attrs[1])


def index_of(v: Expr) -> tuple[Dim, ...]:
    found = ref(str(v.attrs[0]))
    return found.index if found else ()


def read_by(e: Expr) -> Iterator[Expr]:
    """The names in an expression, each once."""
    return (x for x in postorder(e) if is_name(x))


def lifted(lines: Sequence[Line], taken: set[str], known: dict[Expr, Expr]) -> list[Line]:
    """The same with a line of its own for every sum over an index; `known` are those that have one already."""
    found: list[Line] = []
    names = (n for k in count(1) if (n := f"sum{k}") not in taken)
    for q in lines:
        found += _lifted(q, names, known)
    return found


def _lifted(q: Line, names: Iterator[str], known: dict[Expr, Expr]) -> Iterator[Line]:
    before: list[Line] = []
    own = {r.letter for r in (*q.ranges, *q.adds)}
    # a sum over a letter that the line has itself is one number for all members, with a line of its own
    is_sum = q.value.op.binder and q.value.attrs[0] not in own

    def change(e: Expr, args: tuple[Expr, ...]) -> Expr:
        if not e.op.binder or (is_sum and e is q.value):
            return e.with_args(args)
        if e in known:
            return known[e]
        scope = tuple(r for r in (*q.ranges, *q.adds) if r.letter in letters_of(e))
        name = next(names)
        v = var(spelled(name, [Dim.symbol(r.letter) for r in scope]) if scope else name, e.shape)
        before.append(Line(v, args[0], True, scope, (Range(*e.attrs),), e.with_args(args)))
        if not scope:  # one number or array for all that need it
            known[e] = v
        return v

    value = rebuild(q.value, change)
    if is_sum:
        letter, first, last = q.value.attrs
        q = replace(q, value=value.args[0], adds=(*q.adds, Range(letter, first, last)), whole=q.value)
    else:
        q = replace(q, value=value)
    for b in before:
        yield from _lifted(b, names, known)
    yield q


# ---- who needs whom --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Edge:
    """`user` reads what `maker` makes, `by[letter]` rounds of the letter later; None where that is no constant."""

    user: int
    maker: int
    by: dict[str, int | None]


def meets(one: Box, other: Box, order: Order) -> bool:
    """Whether two boxes may have a member in common; `order` notes how large the ends must be where they have none."""
    for (a, b), (c, d) in zip(one, other, strict=True):
        for low, high in ((b + Dim.number(1), c), (d + Dim.number(1), a)):
            try:
                if order.before(low, high):
                    order.need(low, high)
                    return False
            except UnsupportedError:  # ends that are not related: they may meet
                continue
    return True


def _edges(lines: Sequence[Line], order: Order) -> list[_Edge]:
    makers: dict[Family, list[int]] = {}
    for n, q in enumerate(lines):
        makers.setdefault(family(q.var), []).append(n)
    found = []
    for n, q in enumerate(lines):
        for x in read_by(q.value):
            for m in makers.get(family(x), ()):
                box = box_of(index_of(x), (*q.ranges, *q.adds))
                if meets(box, box_of(index_of(lines[m].var), lines[m].ranges), order):
                    found.append(_Edge(n, m, _distance(q, x, lines[m])))
    return found


def _distance(q: Line, x: Expr, maker: Line) -> dict[str, int | None]:
    """For every letter of the maker, how many rounds before that of the user it made what is read."""
    found: dict[str, int | None] = {r.letter: None for r in maker.adds if maker.is_sum}  # known after the last round
    mine = {r.letter: _now(r) for r in q.loops}
    for r in (r for r in maker.ranges if r != maker.over):
        place, offset = _place(maker.var, r)
        at_last = maker.is_sum or r.letter not in mine
        found[r.letter] = None if at_last else (mine[r.letter] - index_of(x)[place] + Dim.number(offset)).constant
    return found


def _now(r: Range) -> Dim:
    """What the letter is."""
    return r.first if r.first == r.last else Dim.symbol(r.letter)


def _place(v: Expr, r: Range) -> tuple[int, int]:
    """Where the letter stands in the index, and the number behind it."""
    for k, entry in enumerate(index_of(v)):
        letter, by = steps_of(entry) or (None, 0)
        if letter == r.letter:
            return k, by
        if r.first == r.last == entry:
            return k, 0
    raise AssertionError(f"{r} is no range of {v!r}")


def _pointed(lines: Sequence[Line]) -> list[Line]:
    """The same, a fixed index being a range of one value where other members of the family have a letter."""
    letters: dict[tuple[Family, int], str] = {}
    for q in lines:
        for r in q.ranges:
            letters.setdefault((family(q.var), _place(q.var, r)[0]), r.letter)
    found = []
    for q in lines:
        known = {_place(q.var, r)[0] for r in q.ranges}
        more = tuple(Range(letters[family(q.var), k], d, d) for k, d in enumerate(index_of(q.var))
                     if k not in known and (family(q.var), k) in letters)  # fmt: skip
        found.append(replace(q, ranges=(*q.ranges, *more)) if more else q)
    return found


# ---- loops -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Work:
    """The lines, and those of their ranges that have no loop around them yet."""

    lines: list[Line]
    edges: list[_Edge]
    left: list[tuple[Range, ...]]
    order: Order
    apart: bool  # whether what is no recurrence stays out of the loop of one

    def within(self, edges: list[_Edge], ranges: dict[int, Range]) -> _Work:
        """What is left inside a loop over these ranges."""
        left = [tuple(o for o in some if o != ranges.get(n)) for n, some in enumerate(self.left)]
        return _Work(self.lines, edges, left, self.order, self.apart)


def circles(lines: Sequence[Line]) -> list[list[int]]:
    """The lines by number, those together that need each other."""
    needs: list[set[int]] = [set() for _ in lines]
    for e in _edges(lines, Order()):
        needs[e.user].add(e.maker)
    found: dict[int, list[int]] = {}
    for n, circle in enumerate(components(needs)):
        found.setdefault(circle, []).append(n)
    return [some for some in found.values() if len(some) > 1 or some[0] in needs[some[0]]]


def scheduled(lines: Sequence[Line], order: Order, apart: bool = False) -> list[Statement]:
    """The lines in an order in which each has what it needs; `order` notes how large the ends must be.

    With `apart`, loops in which no round needs another one hold as much as they can. Raises UnsupportedError U043 where no loops do that."""
    lines = _pointed(lines)
    left = [q.loops for q in lines]
    return _statements(_Work(lines, _edges(lines, order), left, order, apart), range(len(lines)))


def _statements(w: _Work, some: Sequence[int]) -> list[Statement]:
    place = {n: k for k, n in enumerate(some)}
    needs: list[set[int]] = [set() for _ in some]
    for e in w.edges:
        if e.user in place and e.maker in place:
            needs[place[e.user]].add(place[e.maker])
    members: dict[int, list[int]] = {}
    for n, circle in zip(some, components(needs), strict=True):
        members.setdefault(circle, []).append(n)
    groups = list(members.values())
    number = {n: g for g, group in enumerate(groups) for n in group}
    order = topological(
        [{number[some[m]] for n in group for m in needs[place[n]]} - {g} for g, group in enumerate(groups)]
    )
    assert order is not None
    found: list[Statement] = []
    for group in (groups[g] for g in order):
        n = group[0]
        alone = len(group) == 1 and place[n] not in needs[place[n]]
        if alone and not w.left[n]:
            found.append(w.lines[n])
        elif not (alone and _joined(found, w, n)):
            found += _looped(w, group, alone)
    return found


def _looped(w: _Work, group: Sequence[int], alone: bool) -> list[Statement]:
    """Loops over one letter around lines that share it."""
    mine = [e for e in w.edges if e.user in group and e.maker in group]
    for letter in (r.letter for r in w.left[group[0]]):
        ranges = {n: r for n in group for r in w.left[n] if r.letter == letter}
        steps = [e.by.get(letter) for e in mine]
        if len(ranges) < len(group) or None in steps:
            continue
        signs = {s > 0 for s in steps if s}
        if len(signs) == 2 or not (alone or signs or any(len(w.left[n]) > 1 for n in group)):
            continue
        reverse = signs == {False}
        inside = w.within([e for e in mine if not e.by[letter]], ranges)
        cells = Cells([((ranges[n].first, ranges[n].last),) for n in group], w.order).parts()
        found: list[Statement] = []
        for box, held in reversed(cells) if reverse else cells:
            first, last = box[0]
            some = [group[k] for k in sorted(held)]
            body = _statements(inside, some)
            if first == last:
                found += (_at(s, letter, first) for s in body)
            else:
                carried = any(e.by[letter] for e in mine if e.user in some and e.maker in some)
                found.append(Loop(Range(letter, first, last), reverse, body, carried))
        return found
    names = ", ".join(sorted({str(w.lines[n].var.attrs[0]) for n in group}))
    raise UnsupportedError("U043", f"no loops were found for the equations of {names}, which need each other",
                           hint="`evaluate` computes them in Python")  # fmt: skip


def _at(s: Statement, letter: str, value: Dim) -> Statement:
    bind = {letter: value}
    if isinstance(s, Loop):
        return replace(s, body=[_at(x, letter, value) for x in s.body])
    ranges = tuple(r for r in s.ranges if r.letter != letter)
    return replace(s, var=at(s.var, bind), value=at(s.value, bind), ranges=ranges)


def _joined(found: list[Statement], w: _Work, n: int) -> bool:
    """Whether the line could be put at the end of a loop that is written already, over one of its ranges."""
    outer = [r for r in w.left[n] if r not in w.lines[n].adds] or w.left[n]
    mine = [e for e in w.edges if e.user == n]
    for s in reversed(found):
        lines = {id(q) for q in (s.lines() if isinstance(s, Loop) else [s])}
        needed = [e for e in mine if id(w.lines[e.maker]) in lines]
        if isinstance(s, Loop) and s.range in outer and not (w.apart and s.is_recurrence):
            steps = [e.by.get(s.range.letter) for e in needed]
            if not any(k is None or (k > 0 if s.reverse else k < 0) or (w.apart and k) for k in steps):
                s.is_recurrence |= any(steps)
                inner = w.within([e for e in w.edges if not e.by.get(s.range.letter)], {n: s.range})
                if not inner.left[n]:
                    s.body.append(w.lines[n])
                elif not _joined(s.body, inner, n):
                    s.body += _looped(inner, [n], True)
                return True
        if needed:
            return False
    return False
