"""Equations with an index: who uses whom at which distance, and whether that is a recurrence at all (theory.md §11.3).

Refused, with the reason: an index that is not a letter plus a number, a letter without a range, a member that no equation
and no declaration gives, a member that two equations give, a circle in which the index does not advance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from ..algebra.dims import Dim
from ..algebra.expr import Expr, dims_in, postorder
from ..algebra.graph import components
from ..algebra.indexed import Ref, ref, spelled, steps_of
from ..algebra.ops.free import is_var
from ..algebra.ops.series import series_ranges
from ..algebra.ranges import Box, Cells, Order, Range, adjoin
from ..errors import ParseError, PullbackError, UnsupportedError
from .core import Equation

__all__ = ["Use", "Web", "box_of", "family", "index_of", "made_boxes", "user_of", "web"]

_FAR = 1 << 20  # outweighs every other index when one of them decides the order


@dataclass(frozen=True, slots=True)
class Use:
    """The name `of` stands in equation number `by`; `ranges` are those that its index may speak of there."""

    of: Expr
    by: int  # −1 for the given gradient
    ranges: tuple[Range, ...]


Edge = tuple[int, int, tuple[int | None, ...], Use]  # (user, used, distance in each index)


@dataclass(slots=True)
class Web:
    """The equations of a program with ranges, and how they hang together."""

    equations: Sequence[Equation]
    uses: dict[str, list[Use]]  # family -> where its members are used
    makers: dict[str, list[int]]  # family -> the equations that define members of it
    given: dict[str, list[Ref]]  # family -> members that are declared as inputs
    order: Order  # how large the ends of the ranges must be for the printed ranges to be right
    ends: frozenset[str]  # the symbols in the ends of all ranges
    words: frozenset[str]  # what a new letter must not be: letters, ends and sizes

    def fresh(self, wanted: Iterable[str]) -> str:
        """The first of these letters that means nothing yet; numbers are put behind the last."""
        last = ""
        for last in wanted:
            if last not in self.words:
                return last
        return next(x for n in count(1) if (x := f"{last}{n}") not in self.words)


def family(v: Expr) -> str:
    found = ref(v.attrs[0])
    return found.family if found else str(v.attrs[0])


def index_of(v: Expr) -> tuple[Dim, ...]:
    found = ref(v.attrs[0])
    return found.index if found else ()


def box_of(index: Sequence[Dim], ranges: Sequence[Range]) -> Box:
    """The members that an index reaches while its letters run through their ranges."""
    known = {r.letter: r for r in ranges}
    box = []
    for entry in index:
        letter, by = steps_of(entry) or (None, 0)
        if letter in known:
            r = known[letter]
            box.append((r.first + Dim.number(by), r.last + Dim.number(by)))
        else:
            box.append((entry, entry))
    return tuple(box)


def web(equations: Sequence[Equation], members: Sequence[str]) -> Web:
    """The uses, definitions and inputs of every family. Raises ParseError P004 to P006, P042 to P044, UnsupportedError U030 to U032."""
    scopes = [(*q.ranges, *series_ranges(q.value)) for q in equations]
    ends = frozenset(s for scope in scopes for r in scope for d in (r.first, r.last) for s in d.symbols())
    sizes = {s for q in equations for x in (q.var, *postorder(q.value)) for d in dims_in(x) for s in d.symbols()}
    found = Web(equations, {}, {}, {}, Order(), ends, ends | sizes | {r.letter for scope in scopes for r in scope})
    for n, q in enumerate(equations):
        with _about(equations, n):
            scope = _scope(scopes[n])
            _left(q)
        found.makers.setdefault(family(q.var), []).append(n)
        for x in dict.fromkeys(e for e in postorder(q.value) if is_var(e)):
            with _about(equations, n):
                for entry in index_of(x):
                    _readable(x, entry, scope, ends)
            found.uses.setdefault(family(x), []).append(Use(x, n, tuple(r for r in scope if _speaks(x, r))))
    inputs: dict[str, list[Ref]] = {}
    for m in filter(None, map(ref, members)):
        of = found.given if m.family in found.makers else inputs
        of.setdefault(m.family, []).append(m)
    _alike(found)
    for f in found.makers:
        with _about(equations, found.makers[f][-1]):
            _once(found, f)
            _inside(found, f, known_boxes(found, f))
    for f, given in inputs.items():  # declared one by one: there are no others
        if f in found.uses and all(_closed(m, found) for m in given):
            with _about(equations, found.uses[f][0].by):
                _inside(found, f, adjoin([_given_box(m, found, f) for m in given], Order()))
    _advances(found)
    return found


def user_of(equations: Sequence[Equation], n: int) -> str:
    """The name that the user gave to the equation which number n belongs to."""
    return next((str(q.var.attrs[0]) for q in equations[n:] if not q.auxiliary), "")


@contextmanager
def _about(equations: Sequence[Equation], n: int) -> Iterator[None]:
    """A refusal inside is about the user's equation."""
    try:
        yield
    except PullbackError as error:
        raise error.of(user_of(equations, n)) from None


def _alike(w: Web) -> None:
    """All members of a family have one number of indices."""
    for f in {*w.makers, *w.uses}:
        lefts = [index_of(w.equations[n].var) for n in w.makers.get(f, ())]
        lengths = {
            len(x)
            for x in (*lefts, *(index_of(u.of) for u in w.uses.get(f, ())), *(m.index for m in w.given.get(f, ())))
        }
        if len(lengths) > 1:
            odd = next((u for u in w.uses.get(f, ()) if len(index_of(u.of)) != max(lengths)), None)
            n = odd.by if odd else w.makers[f][0]
            raise ParseError("P042", f"{f} is used with {' and with '.join(map(str, sorted(lengths)))} indices",
                             hint="every member of a family has the same indices; a plain name needs another letter"
                             ).of(user_of(w.equations, n))  # fmt: skip


def _scope(scope: tuple[Range, ...]) -> tuple[Range, ...]:
    """All ranges of an equation, its own and those of its sums: one range for each letter."""
    letters = [r.letter for r in scope]
    twice = next((x for x in letters if letters.count(x) > 1), None)
    if twice is not None:
        raise ParseError("P006", f"the index {twice} has two ranges in this equation",
                         hint="give one of them another letter")  # fmt: skip
    return scope


def _speaks(x: Expr, r: Range) -> bool:
    return any(r.letter in d.symbols() for d in index_of(x))


def _readable(x: Expr, entry: Dim, scope: Sequence[Range], ends: frozenset[str]) -> None:
    name = x.attrs[0]
    step = steps_of(entry)
    if step is None:
        raise UnsupportedError("U030", f"the index {entry} of {name} is not a letter plus a number",
                               expected="a constant distance, such as k-1 or t+2",
                               hint="gradients go the way back along every use, and only constant distances have a way back")  # fmt: skip
    if step[0] is not None and step[0] not in {r.letter for r in scope} | ends:
        raise ParseError("P043", f"the index {step[0]} of {name} has no range", expected=f"the letter of a range, as in `for {step[0]} = 1..L` behind the equation, or the end of one")  # fmt: skip


def _left(q: Equation) -> None:
    """The left side holds each letter of its range once."""
    letters = [step[0] for d in index_of(q.var) if (step := steps_of(d)) is not None]
    for r in q.ranges:
        if letters.count(r.letter) != 1:
            where = "once for every" if r.letter not in letters else "twice in its index by"
            raise ParseError("P004", f"{q.var.attrs[0]} is defined {where} {r.letter}",
                             expected=f"the letter {r.letter} once in the index on the left",
                             hint=f"a sum over {r.letter} is written sum_{{{r.letter}={r.first}..{r.last}}}")  # fmt: skip


def made_boxes(w: Web, f: str) -> list[Box]:
    """The members that equations define."""
    return [box_of(index_of(w.equations[n].var), w.equations[n].ranges) for n in w.makers.get(f, ())]


def _shown(f: str, box: Box) -> str:
    return spelled(f, [a for a, _ in box]) + (
        "" if all(a == b for a, b in box) else " … " + spelled(f, [b for _, b in box])
    )


def _once(w: Web, f: str) -> None:
    made = made_boxes(w, f)
    boxes = [*made, *(_given_box(m, w, f) for m in w.given.get(f, ()) if _closed(m, w))]
    if not boxes or not boxes[0]:
        return
    for cell, held in Cells(boxes, Order()).parts():
        if len(held) > 1 and min(held) < len(made):
            raise ParseError("P004", f"{_shown(f, cell)} is defined twice",
                             hint="the ranges of the equations of one name, and the members declared as inputs, must not overlap"
                             ).of(user_of(w.equations, w.makers[f][-1]))  # fmt: skip


def _closed(m: Ref, w: Web) -> bool:
    """Whether the declared member is one member, or one for each value of another family's letter: not the family as a whole."""
    return not all(_free(d, w) for d in m.index)


def _free(d: Dim, w: Web) -> bool:
    """A letter that stands for any value, as in `h[l,0] : n[l]`."""
    step = steps_of(d)
    return step is not None and step[0] is not None and step[0] not in w.ends


def _given_box(m: Ref, w: Web, f: str) -> Box:
    """The declared members as a box; a letter that stands for any value runs as far as the family is used or defined."""
    known = [*made_boxes(w, f), *(box_of(index_of(u.of), u.ranges) for u in w.uses.get(f, ()))]
    order = Order()
    box = []
    for k, d in enumerate(m.index):
        if not _free(d, w):
            box.append((d, d))
            continue
        lows, highs = [b[k][0] for b in known], [b[k][1] for b in known]
        low, high = lows[0], highs[0]
        for a in lows:
            low = a if order.before(a, low) else low
        for b in highs:
            high = b if order.before(high, b) else high
        box.append((low, high))
    return tuple(box)


def known_boxes(w: Web, f: str) -> list[Box]:
    """Where the family has members at all: by equations, or as declared inputs."""
    given = [_given_box(m, w, f) for m in w.given.get(f, ()) if _closed(m, w)]
    return adjoin([*made_boxes(w, f), *given], Order())


def _inside(w: Web, f: str, known: Sequence[Box]) -> None:
    """Every use of the family reaches only the members that there are. Raises ParseError P044."""
    for use in w.uses.get(f, ()):
        box = box_of(index_of(use.of), use.ranges)
        if not box:
            continue
        for cell, held in Cells([*known, box], Order()).parts():
            if held == {len(known)}:
                where = ", ".join(_shown(f, b) for b in known)
                owner = user_of(w.equations, use.by)
                raise ParseError(
                    "P044",
                    f"{_shown(f, cell)} is used in the equation of {owner}, but nothing gives it",
                    expected=f"a member among {where}",
                    hint=f"declare it as an input, as in `{spelled(f, [a for a, _ in cell])} : n`, or change the range",
                ).of(owner)


def _advances(w: Web) -> None:
    """Every circle of equations moves the index, and always the same way (Karp, Miller and Winograd 1967)."""
    families = list(w.makers)
    place = {f: k for k, f in enumerate(families)}
    edges: list[Edge] = []
    needs: list[set[int]] = [set() for _ in families]
    for f, uses in w.uses.items():
        for u in uses:
            if f in place:
                user = place[family(w.equations[u.by].var)]
                needs[user].add(place[f])
                edges.append((user, place[f], _distance(index_of(w.equations[u.by].var), index_of(u.of)), u))
    circle = components(needs)
    for c in set(circle):
        mine = [e for e in edges if circle[e[0]] == circle[e[1]] == c]
        if not mine or _along_one_letter(w, mine):
            continue
        for _, _, distance, use in mine:
            if None in distance or not distance:
                if not index_of(use.of) or not w.equations[use.by].ranges:
                    raise _stuck(w, mine)
                raise UnsupportedError(
                    "U031",
                    f"{use.of.attrs[0]} is used by {user_of(w.equations, use.by)}, which it depends on, "
                    "at no constant distance",
                    hint="within a recurrence, members are reached by a letter plus a number",
                ).of(user_of(w.equations, use.by))
        steps = len(mine[0][2])
        weights = [
            tuple(s * (_FAR if k == first else 1) for k in range(steps)) for first in range(steps) for s in (1, -1)
        ]
        if steps == 2:
            weights += [(a * x, b * y) for a in (1, -1) for b in (1, -1) for x, y in ((_FAR, 1), (1, _FAR))]
        if not any(_forward(len(families), mine, weight) for weight in weights):
            raise _stuck(w, mine)


def _along_one_letter(w: Web, edges: Sequence[Edge]) -> bool:
    """Whether one letter, standing at some place in the index of every family of the circle, moves on, and the same way."""
    lefts = [index_of(w.equations[u.by].var) for _, _, _, u in edges]
    first = edges[0][0]
    for start in range(len(lefts[0])):
        place: dict[int, int] = {first: start}
        for _ in edges:
            for (user, used, _, u), left in zip(edges, lefts, strict=True):
                if user in place and used not in place:
                    _same_letter(left[place[user]], index_of(u.of), place, used)
                elif used in place and user not in place:
                    _same_letter(index_of(u.of)[place[used]], left, place, user)
        if all(user in place and used in place for user, used, _, _ in edges):
            line = [(user, used, ((left[place[user]] - index_of(u.of)[place[used]]).constant,), u)
                    for (user, used, _, u), left in zip(edges, lefts, strict=True)]  # fmt: skip
            if all(d is not None for _, _, (d,), _ in line) and any(
                _forward(len(w.makers), line, (s,)) for s in (1, -1)
            ):
                return True
    return False


def _same_letter(entry: Dim, index: Sequence[Dim], place: dict[int, int], of: int) -> None:
    """The place of the letter of `entry` in another index, where there is exactly one."""
    letter = (steps_of(entry) or (None, 0))[0]
    found = [k for k, x in enumerate(index) if letter is not None and (steps_of(x) or (None, 0))[0] == letter]
    if len(found) == 1:
        place[of] = found[0]


def _distance(left: tuple[Dim, ...], used: tuple[Dim, ...]) -> tuple[int | None, ...]:
    """How far behind the defined member the used one is, in each index; None where that is not a constant."""
    if len(left) != len(used):
        return ()
    return tuple((a - b).constant for a, b in zip(left, used, strict=True))


def _forward(count: int, edges: Sequence[Edge], weight: tuple[int, ...]) -> bool:
    """Whether every circle has a positive distance in this order of the indices (Bellman-Ford on scaled distances)."""
    scale = len(edges) + 1
    far = [0] * count
    length = [
        (u, v, scale * sum(w * (d or 0) for w, d in zip(weight, dist, strict=True)) - 1) for u, v, dist, _ in edges
    ]
    for _ in range(count + 1):
        changed = False
        for u, v, cost in length:
            if far[u] + cost < far[v]:
                far[v] = far[u] + cost
                changed = True
        if not changed:
            return True
    return False


def _stuck(w: Web, edges: Sequence[Edge]) -> PullbackError:
    names = list(dict.fromkeys(user_of(w.equations, e[3].by) for e in edges))
    return ParseError(
        "P005",
        "the equations are cyclic: " + ", ".join(names[:6]) + " need each other without the index moving on",
        expected="a member computed from earlier ones, as in h[t] from h[t-1]",
    ).of(user_of(w.equations, edges[0][3].by))
