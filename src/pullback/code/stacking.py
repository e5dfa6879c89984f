"""A sum over an index as one product of arrays: Σ_t ∇s[t] h[t-1]ᵀ is a matrix product of all members at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import ascii_letters

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.indexed import steps_of
from ..algebra.ops.arithmetic import rational, size_of
from ..algebra.ops.free import is_name, var
from ..algebra.ops.structure import einsum
from ..errors import UnsupportedError
from .lower import Lowering
from .schedule import Family, Line, family, index_of, read_by

__all__ = ["is_product", "stacked"]


def is_product(q: Line, ours: Collection[Family]) -> bool:
    """Whether the line adds up products of names, so that all members can be multiplied at once.

    What is `ours` and added up as it is has no members that anybody asked for."""
    return len(q.adds) == 1 and not (is_name(q.value) and family(q.value) in ours) and stacked(q) is not None


def stacked(q: Line) -> tuple[Expr, Mapping[Expr, Expr]] | None:
    """The sum as an expression of arrays of members, and which member (with the letter of the sum) each of them has; None if it is none."""
    [r] = q.adds
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
    count = r.last - r.first + Dim.number(1)
    words: list[str] = []
    arrays: list[Expr] = []
    members: dict[Expr, Expr] = {}
    letters: dict[int, str] = {}
    for f in form.factors:
        o = low.operands[f]
        assert o.value.about is not None
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
    found = einsum(",".join(words) + "->" + outs, *arrays)
    number = rational(form.scale.coef)
    for d, power in form.scale.sizes:
        for _ in range(abs(power)):
            number = number * size_of(d) if power > 0 else number / size_of(d)
    plain = form.scale.coef == 1 and not form.scale.sizes
    return found if plain else number * found, {v: x for x, v in members.items()}
