"""Equations with an index, derived once for every value of it (theory.md §11).

Each equation is eliminated by the ordinary sweep, its index a symbol. What reaches a member of a family is the sum over
its uses; uses reach different members, so the members are cut into ranges in which the same uses hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.facts import restricted
from ..algebra.indexed import at, at_shape, letters_of, ref, solved, spelled, steps_of
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.free import gradient, increment, is_var, var
from ..algebra.ops.series import series, series_ranges
from ..algebra.ops.structure import zeros
from ..algebra.ranges import Box, Cells, Order, Range
from ..errors import UnsupportedError
from ..step import Claim, Step, Why
from .axes import axes_notes
from .conventions import other_axes
from .core import Definition, Equation, elaborate
from .derivation import Backward, Derivation
from .derive import Sweep, shortened, start
from .loops import Web, box_of, family, index_of, known_boxes, user_of, web
from .simplify import simplify
from .transpose import bare, pairing

__all__ = [
    "Contribution",
    "Recurrence",
    "alone",
    "binders",
    "derive_recurrence",
    "frame",
    "member",
    "moved_to",
    "summed",
    "users_of",
    "within",
]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one use adds to the gradient of the member `of`: the pairing ⟨value, d of⟩ for every value of `ranges`."""

    of: Expr
    value: Expr
    step: str
    by: int  # the equation, −1 for the given gradient
    ranges: tuple[Range, ...]

    @property
    def box(self) -> Box:
        return box_of(index_of(self.of), self.ranges)


@dataclass(slots=True)
class Recurrence(Derivation):
    """A derivation whose equations hold for every value of an index."""

    web: Web | None = None
    contributions: list[Contribution] = None  # type: ignore[assignment]


class _Sweep(Sweep):
    """Eliminates one equation at a time; the gradient of its name is taken whole, by its name."""

    def collect(self, v: Expr, auxiliary: bool = False) -> Expr:
        if v is self.d.target and self.d.seed is None:
            return rational(1)
        mine = [b for b in self.d.backward if family(b.of) == family(v)]
        plain = len(mine) == 1 and (mine[0].value is rational(1) or mine[0].value is self.d.seed)
        return mine[0].value if plain else gradient(v)


def derive_recurrence(
    definitions: Sequence[Definition],
    inputs: Sequence[Expr],
    members: Sequence[str],
    target: Expr,
    wrt: Sequence[str],
    *,
    seed: Expr | None = None,
) -> Recurrence:
    """The backward equations for every value of the indices, none of the steps checked yet.

    `members` are the names of declared inputs; `wrt` names families. Raises ParseError, UnsupportedError.
    """
    core = elaborate(definitions, {v.attrs[0] for v in (*inputs, *([seed] if seed is not None else []))})
    kept = next((v for v in inputs if restricted(v) and family(v) in wrt), None)
    if kept is not None:
        raise UnsupportedError("U004", f"{kept.attrs[0]} ranges over a subspace, which is not supported in equations with an index",
                               expected="a free variable, or one with `const`",
                               hint="derive without `where`: the gradient there is the projection, of a symmetric one ½ (G + Gᵀ)")  # fmt: skip
    d = Recurrence(core, tuple(inputs), target, seed, ())
    d.web = web(core.equations, members)
    d.contributions = []
    sweep = _Sweep(d, ())
    for s in core.steps:
        sweep.add(s)
    moving = _moving(core.equations, set(wrt))
    reached = _reached(d.web, family(target))
    first = sweep.add(start(target, seed))
    if seed is not None:
        d.contributions.append(Contribution(target, seed, first, -1, ()))
    elif family(target) in wrt:
        sweep.read_off(target, rational(1), pairing(rational(1), increment(target)), (first,), others=False)
        d.backward.append(Backward(target, rational(1), rational(1)))
    live = [n for n, q in enumerate(core.equations)
            if family(q.var) in reached and any(is_var(a) and family(a) in moving for a in postorder(q.value))]  # fmt: skip
    last = {f: min((u.by for u in uses if u.by in live), default=-1) for f, uses in d.web.uses.items()}
    for n in reversed(live):
        q = core.equations[n]
        _eliminate(sweep, d, n, q, moving)
        for f in [f for f, k in last.items() if k == n and f in moving]:
            _collect(sweep, d, f, any(e.auxiliary for e in core.equations if family(e.var) == f))
    made = sorted(f for f in moving & reached if f in d.web.makers)  # in an order that does not change from run to run
    for f in dict.fromkeys([*made, *wrt]):
        if f not in {family(b.of) for b in d.backward} and (f != family(target) or seed is not None):
            _collect(sweep, d, f, False)
    d.wrt = tuple(b.of for b in d.backward if family(b.of) in wrt)
    derived = {family(b.of) for b in d.backward}
    for s in axes_notes(core, lambda v: family(v) in derived):
        sweep.add(s)
    other_axes(d, sweep.add)
    d.least = dict(d.web.order.least)
    return d


def _moving(equations: Sequence[Equation], wrt: set[str]) -> set[str]:
    """The families that depend on an asked one, with the asked ones."""
    found = set(wrt)
    while True:
        more = {family(q.var) for q in equations if any(is_var(a) and family(a) in found for a in postorder(q.value))}
        if more <= found:
            return found
        found |= more


def _reached(w: Web, target: str) -> set[str]:
    """The families that the target depends on, with its own."""
    found, waiting = {target}, [target]
    while waiting:
        f = waiting.pop()
        for n in w.makers.get(f, ()):
            for x in postorder(w.equations[n].value):
                if is_var(x) and family(x) not in found:
                    found.add(family(x))
                    waiting.append(family(x))
    return found


def _eliminate(sweep: _Sweep, d: Recurrence, n: int, q: Equation, moving: set[str]) -> None:
    before = len(d.steps)
    sweep.eliminate(q, {a for a in postorder(q.value) if is_var(a) and family(a) in moving})
    d.steps[before:] = [replace(s, ranges=q.ranges) for s in d.steps[before:]]
    by_id = {s.id: s for s in d.steps[before:]}
    for of, parts in sweep.pending.items():
        for H, last in parts:
            step = by_id[last]
            d.contributions.append(
                Contribution(of, H, last, n, (*q.ranges, *(binders(step.right) if step.kind == "move" else ())))
            )
    sweep.pending.clear()


def binders(pair: Expr) -> tuple[Range, ...]:
    """The ranges of the sums over letters in front of an expression."""
    found = []
    while pair is not bare(pair):
        found.append(Range(*pair.attrs))
        pair = pair.args[0]
    return tuple(found)


# ---- from uses to ranges ---------------------------------------------------------------------------------


def _collect(sweep: _Sweep, d: Recurrence, f: str, auxiliary: bool) -> None:
    """The gradient of every member of the family, one backward equation for each range of its index."""
    assert d.web is not None
    mine = [c for c in d.contributions if family(c.of) == f]
    if mine and not mine[0].box:
        _region(sweep, d, mine, (), (), auxiliary)
        return
    defined = known_boxes(d.web, f)
    if f not in d.web.makers:  # an input: its members are those that are used at all
        defined += [box_of(index_of(u.of), u.ranges) for u in d.web.uses.get(f, ())]
    if not defined or not defined[0]:
        _zero(sweep, d, f, ())
        return
    boxes = [*(c.box for c in mine), *defined]
    unused = frozenset({-1})

    def users(held: frozenset[int]) -> frozenset[int]:
        return frozenset(k for k in held if k < len(mine)) or (unused if held else held)

    for cell, held in reversed(Cells(boxes, d.web.order).parts(users)):  # the later of two members comes first
        active = [mine[k] for k in sorted(held - unused)]
        if not active:
            _zero(sweep, d, f, cell)
        elif len(active) == 1 and active[0].box == cell and _own_frame(d.web, active[0], cell):
            index = index_of(active[0].of)
            _region(sweep, d, active, index, tuple(r for r in active[0].ranges if _in_index(r, index)), auxiliary)
        else:
            index, ranges = frame(d.web, active, cell)
            _region(sweep, d, active, index, ranges, auxiliary)


def _in_index(r: Range, index: Sequence[Dim]) -> bool:
    return any(r.letter in x.symbols() for x in index)


def _own_frame(w: Web, c: Contribution, cell: Box) -> bool:
    """Whether the member may be written as it is used: with bare letters, or as on the left of its own equation.

    A range of one member is written without a letter.
    """
    letters = {r.letter for r in c.ranges}
    steps = [steps_of(x) or (None, 0) for x in index_of(c.of)]
    if any(a == b and s[0] in letters for (a, b), s in zip(cell, steps, strict=True)):
        return False
    defined = [index_of(w.equations[n].var) for n in w.makers.get(family(c.of), ())]
    return index_of(c.of) in defined or all(s[0] not in letters or not s[1] for s in steps)


def frame(w: Web, active: Sequence[Contribution], cell: Box) -> tuple[tuple[Dim, ...], tuple[Range, ...]]:
    """An index for the members of the cell: a letter for each range, a number for a single value. Raises UnsupportedError U030."""
    for c in active:
        running = [x for x, _ in filter(None, map(steps_of, index_of(c.of))) if x in {r.letter for r in c.ranges}]
        twice = next((x for x in running if running.count(x) > 1), None)
        if twice is not None:  # its box holds members that it does not reach
            raise UnsupportedError("U030", f"the letter {twice} stands twice in the index of {c.of.attrs[0]}",
                                   expected="one letter for each place of an index, where members are used in several ways",
                                   hint=f"the members reached are a diagonal: make them a family with the one index {twice}"
                                   ).of(user_of(w.equations, c.by))  # fmt: skip
    index: list[Dim] = []
    ranges: list[Range] = []
    for k, (first, last) in enumerate(cell):
        if first == last:
            index.append(first)
            continue
        letters = [s[0] for c in active if (s := steps_of(index_of(c.of)[k])) and s[0] in {r.letter for r in c.ranges}]
        taken = {r.letter for r in ranges}
        letter = next((x for x in letters if x is not None and x not in taken), None) or w.fresh([f"k{k}"])
        index.append(Dim.symbol(letter))
        ranges.append(Range(letter, first, last))
    return tuple(index), tuple(ranges)


def moved_to(w: Web, c: Contribution, index: Sequence[Dim]) -> tuple[Expr, tuple[Range, ...]]:
    """The contribution to the member at `index`, and the ranges that it is still to be summed over."""
    bind = _letters(c, index)
    rest = [r for r in c.ranges if r.letter not in bind]
    taken = {s for d in index for s in d.symbols()}
    renamed: list[Range] = []
    for r in rest:
        letter = w.fresh([f"{r.letter}{n}" for n in range(2, 10)]) if r.letter in taken else r.letter
        if letter != r.letter:
            bind[r.letter] = Dim.symbol(letter)
        renamed.append(Range(letter, r.first, r.last))
    return at(c.value, {k: x for k, x in bind.items() if x.name != k}), tuple(renamed)


def users_of(d: Recurrence, b: Backward) -> list[Equation]:
    """The equations that use the members `b.of`, their indices moved so that the name is the same."""
    assert d.web is not None
    box = box_of(index_of(b.of), b.ranges)
    found = []
    for c in d.contributions:
        if family(c.of) == family(b.of) and c.by >= 0 and within(box, c.box):
            q = d.web.equations[c.by]
            bind = {k: x for k, x in _letters(c, index_of(b.of)).items() if x.name != k}
            found.append(
                Equation(
                    at(q.var, bind), at(q.value, bind), q.auxiliary, tuple(r for r in q.ranges if r.letter not in bind)
                )
            )
    return found


def alone(d: Recurrence) -> dict[tuple[Expr, Expr], Expr]:
    """(name of an equation, name in it) -> the gradient of the latter, where this use is the only one and needs no sum."""
    assert d.web is not None
    found: dict[tuple[Expr, Expr], Expr] = {}
    for b in d.backward:
        mine = [
            c
            for c in d.contributions
            if family(c.of) == family(b.of) and within(box_of(index_of(b.of), b.ranges), c.box)
        ]
        if len(mine) == 1 and mine[0].of is b.of and mine[0].by >= 0 and not series_ranges(b.value):
            found[d.web.equations[mine[0].by].var, b.of] = b.value
    return found


def within(inner: Box, outer: Box) -> bool:
    order = Order()
    return all(order.before(a, c) and order.before(d, b) for (c, d), (a, b) in zip(inner, outer, strict=True))


def _letters(c: Contribution, index: Sequence[Dim]) -> dict[str, Dim]:
    """What the letters of the use are at the member with this index."""
    letters = {r.letter for r in c.ranges}
    return {k: x for k, x in solved(index_of(c.of), index).items() if k in letters}


def summed(e: Expr, ranges: Sequence[Range]) -> Expr:
    for r in reversed(ranges):
        e = series(e, letter=r.letter, first=r.first, last=r.last)
    return e


def member(like: Expr, index: Sequence[Dim]) -> Expr:
    """The member of the family of `like` at another index."""
    found = ref(like.attrs[0])
    if found is None:
        return like
    return var(spelled(found.family, index), at_shape(like.shape, solved(found.index, index)))


def _region(sweep: _Sweep, d: Recurrence, active: Sequence[Contribution], index: Sequence[Dim],
            ranges: tuple[Range, ...], auxiliary: bool) -> None:  # fmt: skip
    lettered = next((c for c in active if letters_of(c.of)), active[0])
    v = member(lettered.of, index)
    assert d.web is not None
    moved = [moved_to(d.web, c, index) for c in active]
    premises = tuple(c.step for c in active)
    paired = added([summed(pairing(H, increment(v)), rest) for H, rest in moved])
    whole = added([summed(H, rest) for H, rest in moved])
    name = v.attrs[0]
    if len(active) > 1 or moved[0][1]:
        rules = ("FANOUT",) * (len(active) > 1) + ("LOOP-SUM",) * any(rest for _, rest in moved)
        sweep.add(Step(
            id="", kind="collect", about=name, left=gradient(v), relation="=", right=whole, rules=rules,
            why=_why_collected(name, active, [rest for _, rest in moved]), claim=Claim("EQ", paired, pairing(whole, increment(v))),
            premises=premises, ranges=ranges))  # fmt: skip
    value, laws = simplify(whole)
    if value is not whole and (len(active) > 1 or moved[0][1]):
        sweep.add(Step(
            id="", kind="simplify", about=name, left=whole, relation="=", right=value, rules=laws,
            why=shortened(whole, value), claim=Claim("EQ", whole, value),
            premises=premises, ranges=ranges))  # fmt: skip
    sweep.read_off(v, value, paired, premises, others=True)
    d.steps[-1] = replace(d.steps[-1], ranges=ranges)
    d.backward.append(Backward(v, value, value, auxiliary, ranges))


def _why_collected(name: str, active: Sequence[Contribution], rests: Sequence[tuple[Range, ...]]) -> Why:
    terms = f"{name} is used {len(active)} times: {len(active)} terms" if len(active) > 1 else ""
    letters = ", ".join(dict.fromkeys(r.letter for rest in rests for r in rest))
    shared = f"the same {name} is used for every {letters}: its effects add" if letters else ""
    return Why("; ".join(t for t in (terms, shared) if t),
               "⟨A, d⟩ + ⟨B, d⟩ = ⟨A + B, d⟩: what is paired with the same increment is added",
               "the pairing is linear in its first argument")  # fmt: skip


def _zero(sweep: _Sweep, d: Recurrence, f: str, cell: Box) -> None:
    """Members that reach nothing: their gradient is 0."""
    assert d.web is not None
    made = [d.web.equations[n].var for n in d.web.makers.get(f, ())]
    used = d.web.uses.get(f, ())
    like = [*made, *(u.of for u in used if u.ranges), *(u.of for u in used), *(v for v in d.inputs if family(v) == f)][
        0
    ]
    if not cell and index_of(like):
        cell = tuple((x, x) for x in index_of(like))  # a family that nothing uses, for every value of its index
    letters = [next(iter(x.symbols()), "k") for x in index_of(like)]
    index = [a if a == b else Dim.symbol(x) for (a, b), x in zip(cell, letters, strict=True)]
    ranges = tuple(Range(x, a, b) for (a, b), x in zip(cell, letters, strict=True) if a != b)
    v = member(like, index)
    zero = zeros(v.shape) if v.order else rational(0)
    sweep.add(Step(
        id="", kind="readoff", about=v.attrs[0], left=gradient(v), relation="=", right=zero, rules=("ZERO",),
        why=Why(f"{v.attrs[0]} is not used: it does not reach the target", "no term of the frontier has its increment"),
        claim=Claim("EQ", gradient(v), zero, {gradient(v): zero}), ranges=ranges))  # fmt: skip
    d.backward.append(Backward(v, zero, zero, ranges=ranges))
