"""Names written out in backward equations with an index: our own, and those between two steps of a recurrence.

∇a[k] = W[k]ᵀ ∇z[k+1] put into ∇z[k] = ∇a[k] ⊙ f′(z[k]) is the recurrence of textbooks, with its start value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.graph import components
from ..algebra.indexed import at, solved
from ..algebra.ops.free import gradient, is_var
from ..algebra.ops.series import series_ranges
from ..algebra.ranges import Box, Cells, Order, Range
from ..errors import UnsupportedError
from ..step import Claim, Step, Why
from .derivation import Backward
from .inline import expand
from .loops import box_of, family, index_of
from .recurrence import Recurrence, member, within
from .simplify import simplify

__all__ = ["eliminate_between", "inline_own", "value_at"]

Add = Callable[[Step], str]


def _bind(like: Expr, wanted: Sequence[Dim]) -> dict[str, Dim]:
    """The letters in the index of `like` for which it is the member at `wanted`."""
    return {k: x for k, x in solved(index_of(like), wanted).items() if x.name != k}


def _inside(inner: Box, outer: Box) -> bool:
    try:
        return within(inner, outer)
    except UnsupportedError:
        return False


def value_at(d: Recurrence, name: Expr, ranges: Sequence[Range]) -> Expr | None:
    """What an own name, or the gradient of one, stands for where its index runs through these ranges."""
    if is_var(name):
        own = next((q for q in d.core.equations if q.auxiliary and family(q.var) == family(name)), None)
        return None if own is None else at(own.value, _bind(own.var, index_of(name)))
    if is_var(name, "grad"):
        box = box_of(index_of(name), ranges)
        for b in d.backward:
            if family(b.of) == family(name) and _inside(box, box_of(index_of(b.of), b.ranges)):
                return at(b.value, _bind(b.of, index_of(name)))
    return None


def inline_own(d: Recurrence, add: Add) -> None:
    """Set `closed` of every backward equation of a user's name, with one step for each that changes."""
    own = {family(q.var) for q in d.core.equations if q.auxiliary}
    for k, b in enumerate(d.backward):
        closed = b.value
        known: dict[Expr, Expr] = {}
        scope = (*b.ranges, *series_ranges(b.value))
        for _ in range(4):
            names = [x for x in postorder(closed) if (is_var(x) or is_var(x, "grad")) and family(x) in own]
            here = {x: v for x in names if (v := value_at(d, x, scope)) is not None}
            changed, used = expand(closed, here)
            known |= here
            if not used:
                break
            closed = changed
        if closed is not b.value and not b.auxiliary:
            shorter, laws = simplify(closed)
            add(Step(
                id="", kind="inline", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=shorter,
                rules=("S-INLINE", *laws), why=Why("our own names written out", "a name used once is replaced by what it stands for"),
                claim=Claim("EQ", b.value, shorter, known), ranges=b.ranges))  # fmt: skip
            closed = shorter
        d.backward[k] = replace(b, closed=closed)


# ---- the recurrence --------------------------------------------------------------------------------------


def eliminate_between(d: Recurrence, add: Add) -> None:
    """Fill `recurrences`: a family v whose gradients are given by those of a family u, and u's by v's, with u written out."""
    mine = [b for b in d.backward if not b.auxiliary]
    families = list(dict.fromkeys(family(b.of) for b in mine))
    place = {f: k for k, f in enumerate(families)}
    mentions = [
        {place[f] for b in mine if family(b.of) == g for f in _gradients(b.closed) if f in place} for g in families
    ]
    circle = components(mentions)
    for u in families:
        users = [v for v in families if place[u] in mentions[place[v]]]
        if len(users) != 1 or users[0] == u or circle[place[u]] != circle[place[users[0]]]:
            continue
        rows = list(_written(d, users[0], u))
        for b, step in rows:
            d.recurrences.append(b)
            add(step)


def _gradients(e: Expr) -> set[str]:
    return {family(x) for x in postorder(e) if is_var(x, "grad")}


def _written(d: Recurrence, v: str, u: str) -> Iterator[tuple[Backward, Step]]:
    """The equations of ∇v with ∇u put in, one for each range in which both hold; nothing if the ranges do not fit."""
    for b in [b for b in d.backward if family(b.of) == v]:
        names = [x for x in postorder(b.closed) if is_var(x, "grad") and family(x) == u]
        if not names:
            yield b, _step(b, b.closed, b.closed, {})
            continue
        if len(names) > 1:
            return
        [name] = names
        for c in [c for c in d.backward if family(c.of) == u]:
            yield from _joined(b, name, c)


def _joined(b: Backward, name: Expr, c: Backward) -> Iterator[tuple[Backward, Step]]:
    mine, theirs = index_of(b.of), index_of(name)
    if len(mine) != len(theirs) or len(mine) != len(index_of(c.of)):
        return
    shifts = [x - y for x, y in zip(theirs, mine, strict=True)]
    if any(s.constant is None for s in shifts):
        return
    there = box_of(index_of(c.of), c.ranges)
    boxes = [box_of(mine, b.ranges), tuple((p - s, q - s) for (p, q), s in zip(there, shifts, strict=True))]
    try:
        cells = Cells(boxes, Order()).parts()
    except UnsupportedError:
        return
    for cell, held in cells:
        if held != {0, 1}:
            continue
        letters = [next(iter(x.symbols() & {r.letter for r in b.ranges}), None) for x in mine]
        index = [p if p == q or x is None else Dim.symbol(x) for (p, q), x in zip(cell, letters, strict=True)]
        ranges = tuple(Range(x, p, q) for (p, q), x in zip(cell, letters, strict=True) if p != q and x is not None)
        bind = _bind(b.of, index)
        before, g = at(b.closed, bind), at(name, bind)
        put = at(c.closed, _bind(c.of, index_of(g)))
        after = substitute(before, {g: put})
        shorter, _ = simplify(after)
        found = Backward(member(b.of, index), shorter, shorter, False, ranges)
        yield found, _step(found, before, shorter, {g: put})


def _step(b: Backward, before: Expr, after: Expr, where: dict[Expr, Expr]) -> Step:
    return Step(
        id="", kind="recurrence", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=after, rules=("S-INLINE",),
        why=Why("the gradient in between put in" if where else "the start of the recurrence",
                "one line for each range in which both equations hold"),
        claim=Claim("EQ", before, after, where), ranges=b.ranges)  # fmt: skip
