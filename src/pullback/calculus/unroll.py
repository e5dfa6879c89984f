"""A program with an index written out for given ends of its ranges: an ordinary program (claim RECUR, theory.md §7.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.graph import topological
from ..algebra.indexed import at
from ..algebra.ops.series import write_out
from ..algebra.ranges import Range
from ..errors import CheckFailed

__all__ = ["ends_of", "instances", "instantiate", "values_of"]


def ends_of(ranges: Sequence[Range]) -> set[str]:
    """The symbols in the ends of the ranges."""
    return {s for r in ranges for d in (r.first, r.last) for s in d.symbols()}


def instantiate(e: Expr, ends: Mapping[str, int], index: Mapping[str, int]) -> Expr:
    """`e` with its sums written out and every letter a number."""
    values = {**ends, **index}
    return at(write_out(e, values), {s: Dim.number(n) for s, n in values.items()})


def values_of(ranges: Sequence[Range], ends: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Every choice of values for the letters of the ranges."""
    spans = [range(r.first.value(ends), r.last.value(ends) + 1) for r in ranges]
    for choice in product(*spans):
        yield {r.letter: k for r, k in zip(ranges, choice, strict=True)}


def instances(
    equations: Sequence[tuple[Expr, Expr, Sequence[Range]]], ends: Mapping[str, int]
) -> list[tuple[Expr, Expr]]:
    """Every equation `left = right` for every value of its index, each after those whose left sides it uses.

    Raises CheckFailed C011 if two of them have one left side, or if they need each other in a circle.
    """
    found = [
        (instantiate(left, ends, index), instantiate(right, ends, index))
        for left, right, ranges in equations
        for index in values_of(ranges, ends)
    ]
    place = {left: k for k, (left, _) in enumerate(found)}
    needs = [{place[x] for x in postorder(right) if x in place} for _, right in found]
    order = topological(needs)
    if order is None or len(place) < len(found):
        shown = ", ".join(f"{s} = {n}" for s, n in sorted(ends.items()))
        raise CheckFailed("C011", f"internal error: written out at {shown}, the equations do not hang together",
                          hint="please report this program: the result is withheld")  # fmt: skip
    return [found[k] for k in order]
