"""All members at once: U x[t] for every t, and Σ_t ∇s[t] h[t-1]ᵀ, are each one product of matrices."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from string import ascii_letters

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.indexed import letters_of, spelled, steps_of
from ..algebra.ops.arithmetic import rational, size_of
from ..algebra.ops.free import is_name, var
from ..algebra.ops.structure import einsum
from ..errors import UnsupportedError
from .lower import Lowering
from .schedule import Family, Line, circles, family, index_of, read_by

__all__ = ["prepared", "stacked"]


def prepared(lines: Sequence[Line], names: Iterator[str]) -> list[Line]:
    """The same, with products over all members of a range wherever nothing forbids it.

    What a recurrence needs of other members is multiplied before it begins, in a line of its own."""
    circle = {n: k for k, some in enumerate(circles(lines)) for n in some}
    within: dict[int, set[Family]] = {}
    for n, k in circle.items():
        within.setdefault(k, set()).add(family(lines[n].var))
    ours = {family(q.var) for q in lines if q.ours}
    found: list[Line] = []
    for n, q in enumerate(lines):
        if n in circle:
            found += _before(q, within[circle[n]], names)
        else:
            found.append(_at_once(q, ours))
    return found


def _at_once(q: Line, ours: Collection[Family]) -> Line:
    """What is `ours` and added up as it is has no members that anybody asked for: it stays in its loop."""
    some = q.adds[-1:] if q.adds else q.ranges[-1:]
    if not some or len(q.adds) > 1 or (is_name(q.value) and (not q.adds or family(q.value) in ours)):
        return q
    wanted = replace(q, over=some[0])
    return wanted if stacked(wanted) is not None else q


def _before(q: Line, circle: Collection[Family], names: Iterator[str]) -> Iterator[Line]:
    """The line of a recurrence, after those for the products in it of what is known before the recurrence begins."""
    if len(q.ranges) != 1 or q.adds:
        yield q
        return
    [r] = q.ranges
    free: dict[Expr, bool] = {}
    for e in postorder(q.value):
        free[e] = all(free[a] for a in e.args) and not (is_name(e) and family(e) in circle)
    bind: dict[Expr, Expr] = {}
    stack = [q.value]
    while stack:
        e = stack.pop()
        if (
            e.args
            and free[e]
            and e.order
            and r.letter in letters_of(e)
            and sum(1 for x in postorder(e) if is_name(x)) > 1
        ):
            v = var(spelled(next(names), [Dim.symbol(r.letter)]), e.shape)
            line = Line(v, e, True, q.ranges, over=r)
            if stacked(line) is not None:
                bind[e] = v
                yield line
                continue
        stack += e.args
    yield replace(q, value=substitute(q.value, bind), whole=q.whole or q.value) if bind else q


def stacked(q: Line) -> tuple[Expr, Mapping[Expr, Expr]] | None:
    """All members of `q.over`, or their sum, as an expression of arrays, and which member (with the letter) each array has.

    None if the value is no product of names."""
    r = q.over
    assert r is not None
    low = Lowering(lambda _: 2)
    for x in read_by(q.value):
        if any("[" in s or s == r.letter for d in x.shape for s in d.symbols()):
            return None
        low.give(x)
    try:
        form = low.form(q.value)
    except UnsupportedError:
        return None
    if any(f not in low.operands for f in form.factors) or len(set(form.outs)) < len(form.outs):
        return None
    if any(r.letter in d.symbols() for d, _ in form.scale.sizes):  # a factor of its own for every member
        return None
    count = r.last - r.first + Dim.number(1)
    words: list[str] = []
    arrays: list[Expr] = []
    members: dict[Expr, Expr] = {}
    letters: dict[int, str] = {}
    for f in form.factors:
        o = low.operands[f]
        if o.value.about is None:
            return None
        x = array = o.value.about
        word = "".join(letters.setdefault(i, ascii_letters[len(letters) + 1]) for i in o.legs)
        along = [d for d in index_of(x) if r.letter in d.symbols()]
        if len(along) > 1 or any((steps_of(d) or (None, 0))[0] != r.letter for d in along):
            return None
        if along:
            array = members.setdefault(x, var(f"{x.attrs[0]} for {r}, {x.attrs[1]}", (count, *x.shape)))
            word = ascii_letters[0] + word
        words.append(word)
        arrays.append(array)
    outs = "".join(letters.get(i, "") for i in form.outs)
    if not members or len(outs) < len(form.outs):
        return None
    outs = outs if q.adds else ascii_letters[0] + outs
    found = einsum(",".join(words) + "->" + outs, *arrays)
    number = rational(form.scale.coef)
    for d, power in form.scale.sizes:
        for _ in range(abs(power)):
            number = number * size_of(d) if power > 0 else number / size_of(d)
    plain = form.scale.coef == 1 and not form.scale.sizes
    return found if plain else number * found, {v: x for x, v in members.items()}
