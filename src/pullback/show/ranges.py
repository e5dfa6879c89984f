"""For which values of an index something holds, as it is written: `k = 1..L−1`."""

from __future__ import annotations

from collections.abc import Sequence

from ..algebra.expr import Expr
from ..algebra.indexed import Ref, letters_of
from ..algebra.ranges import Order, Range, adjoin
from ..calculus.derivation import Derivation
from ..calculus.loops import box_of, family, index_of
from ..calculus.recurrence import Recurrence, member
from ..step import Said
from .names import latex_name

__all__ = ["given_member", "holding", "ranges_shown", "reach"]


def holding(shown: dict[str, str], said: Said, ranges: Sequence[Range]) -> dict[str, str]:
    """A sentence in the three notations, and for which values of the index that it speaks of it holds."""
    letters = {x for e in said.bind.values() if isinstance(e, Expr) for x in letters_of(e)}
    found = ranges_shown([r for r in ranges if r.letter in letters])
    if found is None:
        return shown
    return {k: f"{text}, ${found[k]}$" if k == "latex" else f"{text}, {found[k]}" for k, text in shown.items()}


def ranges_shown(ranges: Sequence[Range]) -> dict[str, str] | None:
    """The ranges in the three notations, None if there are none."""
    if not ranges:
        return None
    text = ", ".join(map(str, ranges))
    return {"text": text, "ascii": text.replace("−", "-"), "latex": r",\; ".join(map(_latex, ranges))}


def _latex(r: Range) -> str:
    first, last = (str(d).replace(" ", "") for d in (r.first, r.last))
    return rf"{latex_name(r.letter)} = {first}, \dots, {last}"


def given_member(d: Derivation, m: Ref) -> Expr:
    """A declared member as a name, with the shape of its family."""
    assert isinstance(d, Recurrence) and d.web is not None
    return member(d.web.equations[d.web.makers[m.family][0]].var, m.index)


def reach(d: Derivation) -> dict[Expr, tuple[Range, ...]]:
    """For each input with an index, the values of the index for which it is used, where they are one range."""
    assert isinstance(d, Recurrence) and d.web is not None
    found: dict[Expr, tuple[Range, ...]] = {}
    for f, uses in d.web.uses.items():
        if f in d.web.makers or not index_of(uses[0].of):
            continue
        boxes = adjoin([box_of(index_of(u.of), u.ranges) for u in uses], Order())
        letters = [next(iter(x.symbols()), "k") for x in index_of(uses[0].of)]
        if len(boxes) == 1 and all(family(u.of) == f for u in uses):
            bare = index_of(uses[0].of)
            if all(x.name == c for x, c in zip(bare, letters, strict=True)):
                found[uses[0].of] = tuple(Range(c, a, b) for c, (a, b) in zip(letters, boxes[0], strict=True) if a != b)
    return found
