"""Entrywise work and sums as loops over numbers: what runs over the same axis shares a loop, and needs no array between.

Loops are fused from the outside in: two statements share a loop over an axis if the second reads of the first only what the same
round has made. So a row of a softmax is read three times and written once, whatever the number of names in its equations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..algebra.dims import Dim
from .instructions import Algorithm, Chain, Contraction, Legs, Operand, Value, arguments

__all__ = ["Leaf", "Nest", "Statement", "fused", "locals_of", "statement", "statements_of"]


@dataclass(eq=False, slots=True)
class Statement:
    """An array by loops over `legs`: every entry set, or a sum (a maximum, a minimum) over the legs that it does not have."""

    value: Value
    legs: Legs
    outs: Legs
    how: str  # "set", "add", "max", "min"
    reads: tuple[Operand, ...]
    dims: dict[int, Dim]

    @property
    def reduced(self) -> Legs:
        return tuple(i for i in self.legs if i not in self.outs)


@dataclass(eq=False, slots=True)
class Leaf:
    """One statement with no loop left, or something that is no loop at all."""

    value: Value
    statement: Statement | None = None


@dataclass(eq=False, slots=True)
class Nest:
    """A loop over one axis."""

    dim: Dim
    items: list[Leaf | Nest] = field(default_factory=list)


def statement(v: Value, extreme: tuple[str, Sequence[int]] | None = None) -> Statement | None:
    """The loops for a value, `extreme` being ("max", axes) where it is one; None for what is no loops."""
    by = v.by
    if isinstance(by, Chain):
        return _made(v, by.legs, by.legs, "set", tuple(o for _, o in by.operands))
    if isinstance(by, Contraction) and by.right is None:
        return _made(v, _order(by.left.legs), by.legs, "add" if set(by.left.legs) - set(by.legs) else "set", (by.left,))
    if isinstance(by, Contraction) and by.right is not None:
        both = _order((*by.legs, *by.left.legs, *by.right.legs))
        whole = next((o.legs for o in (by.left, by.right) if len(set(o.legs)) == len(o.legs) == len(both)), None)
        both = whole or both  # as the array lies that has all axes
        return _made(v, both, by.legs, "add" if set(both) - set(by.legs) else "set", (by.left, by.right))
    if isinstance(by, Algorithm) and extreme is not None:
        how, axes = extreme
        legs = tuple(range(by.args[0].order))
        return _made(v, legs, tuple(i for i in legs if i not in axes), how, (Operand(by.args[0], legs),))
    return None


def _order(legs: Legs) -> Legs:
    return tuple(dict.fromkeys(legs))


def _made(v: Value, legs: Legs, outs: Legs, how: str, reads: tuple[Operand, ...]) -> Statement:
    dims = dict(zip(outs, v.shape, strict=True))
    dims |= {i: d for o in reads for i, d in zip(o.legs, o.value.shape, strict=True)}
    return Statement(v, legs, outs, how, reads, dims)


# ---- fusion ----------------------------------------------------------------------------------------------------


def fused(values: Sequence[Value], loops: Callable[[Value], Statement | None]) -> list[Leaf | Nest]:
    """The values in an order in which each has what it needs, loops over one axis together where that can be."""
    found = [Leaf(v, loops(v)) for v in values]
    return _level(found, 0)


def _level(leaves: Sequence[Leaf], depth: int) -> list[Leaf | Nest]:
    groups: list[tuple[Dim | None, list[Leaf]]] = []
    for one in leaves:
        s = one.statement
        dim = s.dims[s.legs[depth]] if s is not None and len(s.legs) > depth else None
        place = None
        for k in range(len(groups) - 1, -1, -1):
            other, members = groups[k]
            if dim is not None and other == dim and _aligned(one, members, depth):
                place = k
            if place is not None or _needs(one, members):
                break
        if place is None:
            groups.append((dim, [one]))
        else:
            groups[place][1].append(one)
    return [x for dim, some in groups for x in ([Nest(dim, _level(some, depth + 1))] if dim is not None else some)]


def _needs(one: Leaf, members: Sequence[Leaf]) -> bool:
    read = set(arguments(one.value.by))
    return any(m.value in read for m in members)


def _aligned(one: Leaf, members: Sequence[Leaf], depth: int) -> bool:
    """Whether the statement reads of these only what the same round of the loop has made."""
    made = {m.value: m.statement for m in members}
    assert one.statement is not None
    for o in one.statement.reads:
        maker = made.get(o.value)
        if maker is None:
            continue
        leg = maker.legs[depth]
        if leg not in maker.outs or o.legs[maker.outs.index(leg)] != one.statement.legs[depth]:
            return False
    return True


# ---- what needs no array -----------------------------------------------------------------------------------------


def statements_of(items: Sequence[Leaf | Nest]) -> Iterator[Leaf]:
    for x in items:
        if isinstance(x, Nest):
            yield from statements_of(x.items)
        else:
            yield x


def locals_of(items: Sequence[Leaf | Nest], kept: set[Value]) -> set[Value]:
    """The values that are one number at a time: all users stand in the loop that makes them, and read the entry of that round."""
    where: dict[Value, tuple[int, ...]] = {}
    users: dict[Value, list[tuple[Leaf, tuple[int, ...]]]] = {}

    def walk(some: Sequence[Leaf | Nest], path: tuple[int, ...]) -> None:
        for k, x in enumerate(some):
            if isinstance(x, Nest):
                walk(x.items, (*path, k))
                continue
            s = x.statement
            # a sum is known where its first loop was begun
            depth = len(path) if s is None else next((n for n, i in enumerate(s.legs) if i not in s.outs), len(path))
            where[x.value] = path[:depth]
            for a in arguments(x.value.by):
                users.setdefault(a, []).append((x, path))

    walk(items, ())
    found = set()
    for leaf in statements_of(items):
        v, s = leaf.value, leaf.statement
        if v in kept or s is None or not v.shape:
            continue
        depth = len(where[v])
        if depth != len(s.outs) or s.legs[:depth] != s.outs:
            continue  # some of its axes are inside: it is an array
        if all(
            x.statement is not None and path[:depth] == where[v] and _reads(x.statement, v, depth)
            for x, path in users.get(v, ())
        ):
            found.add(v)
    return found


def _reads(s: Statement, v: Value, depth: int) -> bool:
    """Whether the statement reads the entry of the round alone."""
    return all(o.legs == s.legs[:depth] for o in s.reads if o.value is v)
