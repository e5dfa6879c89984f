"""LOOP-IND: why what was derived for one value of the index holds for all of them (theory.md §11.2).

For each recurrence the invariant P(k) says what dE is once the equations of the values last, …, k are eliminated: pairings
with the members that are still to come, and sums over what is settled. It is checked on the written-out program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.graph import components, topological
from ..algebra.indexed import at, letters_of, steps_of
from ..algebra.ops.arithmetic import added
from ..algebra.ops.free import gradient, increment, var
from ..algebra.ops.series import series
from ..algebra.ranges import Range, shown_end
from ..step import Claim, Step, Why
from .loops import family, index_of
from .recurrence import Contribution, Recurrence, member, summed
from .transpose import pairing

__all__ = ["Invariant", "induction"]

_ONE = Dim.number(1)


@dataclass(frozen=True, slots=True)
class Invariant:
    """One recurrence: its equations run over `range`, and dE = `value` once the values last, …, letter are eliminated.

    `others` are contributions to names that this recurrence leaves alone: they stand beside `value` all the time.
    """

    range: Range
    equations: tuple[int, ...]
    carried: tuple[str, ...]
    value: Expr
    base: Expr
    end: Expr
    others: tuple[Contribution, ...]
    gone: frozenset[str]  # families that are eliminated already: of them, only members that are inputs are left
    replaced: Expr  # the pairings that one value of the index eliminates
    by: Expr  # what they are replaced by
    open: bool  # whether a pairing of P is incomplete: then P(last + 1) is the base alone


def induction(d: Recurrence, add: Callable[[Step], str]) -> list[Invariant]:
    """An invariant for every recurrence whose equations share one upward range; each as steps, the last one first."""
    assert d.web is not None
    equations = d.web.equations
    families = list(d.web.makers)
    place = {f: k for k, f in enumerate(families)}
    needs: list[set[int]] = [set() for _ in families]
    for f, uses in d.web.uses.items():
        for u in uses:
            if f in place:
                needs[place[family(equations[u.by].var)]].add(place[f])
    live = {c.by for c in d.contributions}
    found = []
    gone: set[str] = set()  # the families that are eliminated already
    for inside in reversed(_parts(needs)):
        names = [families[k] for k in inside]
        rows = [n for f in names for n in d.web.makers[f] if n in live and equations[n].ranges]
        again = any(needs[k] & set(inside) for k in inside)
        made = _invariant(d, sorted(rows), gone) if rows and again else None
        if made is not None:
            found.append(made)
            for step in _steps(d, made):
                add(step)
        elif rows and again:
            add(_in_order(d, rows))
        gone |= set(names)
    return found


def _parts(needs: Sequence[set[int]]) -> list[list[int]]:
    """The circles of a graph and the places that are in none, each after those that it needs."""
    circle = components(needs)
    roots = sorted(set(circle))
    place = {c: k for k, c in enumerate(roots)}
    between: list[set[int]] = [set() for _ in roots]
    for k, wanted in enumerate(needs):
        between[place[circle[k]]] |= {place[circle[j]] for j in wanted} - {place[circle[k]]}
    order = topological(between)
    assert order is not None, "what is left between circles is no circle"
    return [[k for k, c in enumerate(circle) if c == roots[p]] for p in order]


def _offset(v: Expr, letter: str) -> int | None:
    """k + 2 as 2; None where the index is not this letter plus a number."""
    index = index_of(v)
    step = steps_of(index[0]) if len(index) == 1 else None
    return step[1] if step is not None and step[0] == letter else None


def _invariant(d: Recurrence, rows: Sequence[int], gone: set[str]) -> Invariant | None:
    assert d.web is not None
    equations = d.web.equations
    if len({equations[n].ranges for n in rows}) != 1 or len(equations[rows[0]].ranges) != 1:
        return None
    [r] = equations[rows[0]].ranges
    k = Dim.symbol(r.letter)
    letter = d.web.fresh(("j", "i", "j"))  # for the sums of P(k)
    made = {family(equations[n].var): _offset(equations[n].var, r.letter) for n in rows}
    mine = [c for c in d.contributions if c.by in rows]
    within = [(c, family(c.of), _offset(c.of, r.letter)) for c in mine if family(c.of) in made]
    if any(o is None for o in made.values()) or any(o is None for _, _, o in within):
        return None
    complete: list[Expr] = []  # pairings with members that every user has given its part to
    partial: list[Expr] = []  # … of which some users are still to come
    replaced: list[Expr] = []
    carried: list[str] = []
    for f, up in made.items():
        assert up is not None
        uses = [(c, o) for c, g, o in within if g == f and o is not None]
        low, high = min((o for _, o in uses), default=up), max((o for _, o in uses), default=up)
        if high > up:
            return None  # it runs downwards
        like = equations[next(n for n in rows if family(equations[n].var) == f)].var
        for i in range(up - 1, low - 1, -1):
            v = member(like, [k + Dim.number(i)])
            carried.append(f)
            if i >= high:
                complete.append(pairing(gradient(v), increment(v)))
            elif any(o < i for _, o in uses):
                return None  # an equation of a larger index, which near the end does not exist
            else:
                partial.append(pairing(added([c.value for c, o in uses if o == i]), increment(v)))
            if i == up - 1:
                replaced.append(at((complete if i >= high else partial)[-1], {r.letter: k + _ONE}))
        for c in d.contributions:
            if family(c.of) == f and c.by not in rows:
                early = _early(c, r, high, like, k, letter)
                if early is None:
                    return None
                complete += early
                if high == up:  # the member that is eliminated has no pairing of its own: its part stands in that sum
                    behind = [(e.attrs[1] - r.first).constant for e in early]
                    if not early or any(b is None or b > up for b in behind):
                        return None  # it is there for some values of the index only
                    replaced += [at(e.args[0], {e.attrs[0]: k + Dim.number(up)}) for e in early]
    count = Counter(family(c.of) for c in d.contributions)
    settled = [_settled(c, r, k, letter, count[family(c.of)] == 1) for c in mine if family(c.of) not in made]
    others = [c for c in d.contributions if c.by not in rows and family(c.of) not in made
              and (c.by < 0 or family(equations[c.by].var) in gone)]  # fmt: skip
    if not replaced:
        return None
    whole = [*complete, *partial, *settled]
    base = [at(w, {r.letter: r.last + _ONE}) for w in complete]
    end = [e for w in whole if not _empty(e := at(w, {r.letter: r.first}))]
    by = [
        summed(pairing(c.value, increment(c.of)), c.ranges[1:])
        for c in mine
        if _offset(c.of, r.letter) != made.get(family(c.of), c)
    ]
    return Invariant(r, tuple(rows), tuple(dict.fromkeys(carried)), added(whole), added(base), added(end or base),
                     tuple(others), frozenset(gone), added(replaced), added(by), bool(partial))  # fmt: skip


def _in_order(d: Recurrence, rows: Sequence[int]) -> Step:
    """A recurrence over several indices, or one that looks far ahead: the induction is over the order of elimination."""
    assert d.web is not None
    names = ", ".join(dict.fromkeys(str(d.web.equations[n].var.attrs[0]) for n in sorted(rows)))
    scopes = [[r.letter for r in d.web.equations[n].ranges] for n in rows]
    letters = ", ".join(
        [x for x in scopes[0] if all(x in s for s in scopes)] or dict.fromkeys(x for s in scopes for x in s)
    )
    return Step(
        id="", kind="induction", about=family(d.web.equations[rows[0]].var), left=None, relation="order", right=None, rules=("LOOP-IND",),
        why=Why(f"{names} are eliminated for one value of {letters} after another, in the reverse of an order of computation; there is "
                f"one, because every circle of these equations moves {letters} on",
                "claim: when a member is eliminated, its coefficient is its gradient. Every equation that uses it is eliminated before, and "
                "has given its part with the gradient of its own left side, which is right by induction; no other equation gives anything",
                "the first member has no user in the recurrence: its coefficient comes from outside alone, and is complete"),
        claim=Claim("RECUR", None, "order"))  # fmt: skip


def _settled(c: Contribution, r: Range, k: Dim, letter: str, single: bool) -> Expr:
    """What the eliminated equations have given to a name that the recurrence does not compute; `single` if nothing else does."""
    whole = single and r.letter in letters_of(c.of)
    term = summed(pairing(gradient(c.of) if whole else c.value, increment(c.of)), c.ranges[1:])
    return series(at(term, {r.letter: Dim.symbol(letter)}), letter=letter, first=k, last=r.last)


def _empty(e: Expr) -> bool:
    """A sum over a range that ends before it begins, whatever the symbols are."""
    if not e.op.binder:
        return False
    length = (e.attrs[2] - e.attrs[1]).constant
    return length is not None and length < 0


def _early(c: Contribution, r: Range, complete: int, like: Expr, k: Dim, j: str) -> list[Expr] | None:
    """What an equation outside of the recurrence gives to members that are not complete yet at P(k)."""
    [entry] = index_of(c.of)
    step = steps_of(entry)
    letters = {x.letter: x for x in c.ranges}
    if step is None:
        return None
    if step[0] not in letters:  # one member: it must be among the last ones, which are complete from the start
        beyond = entry - r.last
        return [] if beyond.constant is not None and beyond.constant > complete else None
    if len(c.ranges) != 1 or step[0] is None:
        return None
    own = letters[step[0]]
    moved = at(c.value, {own.letter: Dim.symbol(j) - Dim.number(step[1])})
    v = member(like, [Dim.symbol(j)])
    past = (own.last + Dim.number(step[1]) - r.last).constant
    if past is None or past < complete:
        return None  # the last of them would be complete before the recurrence begins
    first, last = own.first + Dim.number(step[1]), k + Dim.number(complete - 1)
    return [series(pairing(moved, increment(v)), letter=j, first=first, last=last)]


def _steps(d: Recurrence, made: Invariant) -> Iterator[Step]:
    r = made.range
    name = d.target.attrs[0] if d.seed is None else "E"
    dE = increment(d.target if d.seed is None else var("E", ()))
    about = made.carried[0]

    def step(part: str, right: Expr, why: Why, claim: Claim) -> Step:
        return Step(id="", kind="induction", about=about, left=dE, relation=part, right=right, rules=("LOOP-IND",), why=why,
                    claim=claim)  # fmt: skip

    rest = "; beside it stand pairings with other names, which these equations do not touch" if made.others else ""
    yield step("P", made.value, Why(
        f"P({r.letter}): what d{name} is once the equations of {r.letter} = {shown_end(r.last)}, …, {r.letter} are eliminated{rest}"),
        Claim("RECUR", made, "P"))  # fmt: skip
    yield step("base", made.base, Why(
        f"P at {r.letter} = {shown_end(r.last + _ONE)}: nothing of the recurrence is eliminated yet, and every sum over it is empty"),
        Claim("RECUR", made, "base"))  # fmt: skip
    yield Step(
        id="", kind="induction", about=about, left=made.replaced, relation="step", right=made.by, rules=("LOOP-IND",),
        why=Why(f"P({r.letter}+1) ⇒ P({r.letter}): the equations of one {r.letter}, eliminated as shown above, replace these pairings; "
                "the terms of larger indices are untouched",
                "a coefficient is complete once every equation that uses its member is eliminated, and those of larger indices are"),
        claim=Claim("RECUR", made, "step"), ranges=(r,))  # fmt: skip
    yield step("end", made.end, Why(
        f"P({str(r.first).replace(' ', '')}): no member that these equations compute is left; what is paired is read off (RIESZ)"),
        Claim("RECUR", made, "end"))  # fmt: skip
