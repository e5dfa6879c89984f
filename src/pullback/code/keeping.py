"""Slopes are read off the argument of a map or off its value, so that as little as possible is kept from the forward pass.

For some maps the value tells what the slope needs of the argument (`Op.tells`): step(z) = step(a) for a = relu(z). Then the
backward pass needs z or a, but not both. The maps of which that is so are the edges of a graph of forward arrays, and what is
kept must have an end of each: a vertex cover. Every array is the value of at most one map, so that the graph is a forest, and the
lightest cover of all is found from its leaves to its roots (theory.md §8.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.ops.free import is_name
from .forms import below

__all__ = ["Equation", "Group", "smaller"]

Equation = tuple[Expr, Expr, bool, bool]  # (name, value, whether the name is ours, whether it is of the backward pass)
Group = tuple[tuple[Expr, Expr], ...]  # equations (name, value)


@dataclass(slots=True)
class _Map:
    """value = op(argument, …), and what of the argument can be read off the value."""

    argument: Expr
    value: Expr
    told: dict[Expr, Expr] = field(default_factory=dict)


def smaller(equations: Sequence[Equation], size: Callable[[Dim], int]) -> tuple[list[Equation], dict[Expr, Group]]:
    """The equations with the choice that keeps the fewest entries; and for those that it changed, what is to be said of them."""
    back = [q for q in equations if q[3]]
    maps = list(_maps(equations, back))
    if not maps:
        return list(equations), {}
    read = set(_names(back, {s for m in maps for s in m.told}))
    read.update(x for m in maps for s, r in m.told.items() for x in {*_inside(s)} & {*_inside(r)})
    maps = _apart(maps, read)
    made = [q[0] for q in equations if not q[3]]
    weight = {v: 0 if v in read else prod((size(d) for d in v.shape), start=1) for v in made}
    cover = _cover(maps, made, weight)
    instead = {s: r for m in maps if m.argument not in cover and m.argument in weight for s, r in m.told.items()}
    found: list[Equation] = []
    said: dict[Expr, Group] = {}
    for v, e, ours, backward in equations:
        used = [x for x in postorder(e) if x in instead] if backward else []
        if used:
            said[v] = (*((x, instead[x]) for x in used), (v, e))
            e = substitute(e, instead)
        found.append((v, e, ours, backward))
    return found, said


def _maps(equations: Sequence[Equation], back: Sequence[Equation]) -> Iterator[_Map]:
    """The maps of the forward pass with a slope that the backward pass, and it alone, needs and that has both forms."""
    wanted = {x for _, e, _, _ in back for x in postorder(e) if not is_name(x)}
    if not wanted:
        return
    forward = [q for q in equations if not q[3]]
    wanted -= set(_parts([e for _, e, _, _ in forward]))
    for v, e, _, _ in forward:
        if e.op.tells is None:
            continue
        told = {s: r for s, r in e.op.tells(v, *e.args) if s in wanted}
        lost = {x for s, r in told.items() for x in {*_inside(s)} - {*_inside(r)}}
        if len(lost) == 1:
            yield _Map(lost.pop(), v, told)


def _apart(maps: Sequence[_Map], read: set[Expr]) -> list[_Map]:
    """The maps with every slope read off one value: one that is kept anyway if there is one, else one that tells most."""
    taken: set[Expr] = set()
    found: list[_Map] = []
    for m in sorted(maps, key=lambda m: (m.value not in read, -len(m.told))):
        told = {s: r for s, r in m.told.items() if s not in taken}
        taken |= told.keys()
        if told:
            found.append(_Map(m.argument, m.value, told))
    return found


def _inside(e: Expr) -> Iterator[Expr]:
    return (x for x in postorder(e) if is_name(x))


def _parts(roots: Iterable[Expr]) -> Iterator[Expr]:
    """Everything that is computed for the roots, their definitions written out."""
    seen: set[Expr] = set()
    stack = list(roots)
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            yield e
            stack += below(e)


def _names(equations: Sequence[Equation], told: set[Expr]) -> Iterator[Expr]:
    """The names that the equations read, but for what stands in a slope of two forms."""
    seen = set(told)
    stack = [e for _, e, _, _ in equations]
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            stack += e.args
            if is_name(e):
                yield e


def _cover(maps: Sequence[_Map], made: Sequence[Expr], weight: Mapping[Expr, int]) -> set[Expr]:
    """The lightest set of arrays with an end of every map; of equally light ones that with the most arguments."""
    values: dict[Expr, list[Expr]] = {}
    for m in maps:
        values.setdefault(m.argument, []).append(m.value)
    Cost = tuple[int, int]  # entries, slopes read off the value
    kept: dict[Expr, Cost] = {}
    left: dict[Expr, Cost] = {}
    for v in reversed(made):  # values stand behind their arguments
        below = values.get(v, ())
        some = [min(kept[a], left[a]) for a in below]
        kept[v] = (weight[v] + sum(c[0] for c in some), sum(c[1] for c in some))
        left[v] = (sum(kept[a][0] for a in below), len(below) + sum(kept[a][1] for a in below))
    cover: set[Expr] = set()
    forced: set[Expr] = set()
    for v in made:
        if v in forced or kept[v] < left[v] or not weight[v]:
            cover.add(v)
        else:
            forced.update(values.get(v, ()))
    return cover
