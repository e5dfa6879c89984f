"""Names with an index, `W[k]`, `h[l,t-1]`: one family of tensors, one member for each value of the index.

A member is an ordinary name whose text holds its index, so that everything that knows names knows members; a size may be
a member too, `n[k+1]`. This file says what the text in the brackets means; before there are tokens, language/families.py looks for letters in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from .dims import Dim, Shape
from .expr import Attrs, Expr, dims_in, postorder, rebuild

__all__ = [
    "Ref",
    "affine",
    "at",
    "at_dim",
    "at_name",
    "at_shape",
    "family_of",
    "letters_of",
    "ref",
    "solved",
    "spelled",
    "steps_of",
]

_MEMBER = re.compile(r"(.+?)\[([^\[\]]+)\](.*)")
_TERM = re.compile(r"([+-]?)(?:(\d+)\*)?(\d+|[^\W\d]\w*)")


@dataclass(frozen=True, slots=True)
class Ref:
    """The member of `family` at `index`, one entry for each of its letters."""

    family: str
    index: tuple[Dim, ...]


def spelled(family: str, index: Sequence[Dim]) -> str:
    """`W[k]`, `h[l,t-1]`."""
    return f"{family}[{','.join(str(d).replace(' ', '') for d in index)}]"


@lru_cache(maxsize=65536)
def ref(name: str) -> Ref | None:
    """What a name refers to, None if it is no member of a family."""
    found = _MEMBER.fullmatch(name)
    if found is None or found[3]:
        return None
    index = tuple(map(affine, found[2].split(",")))
    return None if any(d is None for d in index) else Ref(found[1], tuple(d for d in index if d is not None))


def affine(text: str) -> Dim | None:
    """`k`, `t-1`, `2*k+3`, `4`."""
    total, end = Dim({}), 0
    for m in _TERM.finditer(text.replace(" ", "").replace("−", "-")):
        if m.start() != end or (end and not m[1]):
            return None
        end = m.end()
        value = Dim.number(int(m[3])) if m[3].isdecimal() else Dim.symbol(m[3])
        value = value * Dim.number(int(m[2] or 1))
        total = total - value if m[1] == "-" else total + value
    return total if end == len(text.replace(" ", "")) and end else None


def family_of(name: str) -> str:
    """The family of a member; any other name is its own family."""
    found = ref(name)
    return found.family if found else name


def steps_of(d: Dim) -> tuple[str | None, int] | None:
    """`k + 2` as (k, 2), `4` as (None, 4); None if it is more than one letter plus a number."""
    letters = [(m, c) for m, c in d.terms if m]
    rest = sum(c for m, c in d.terms if not m)
    if not letters:
        return None, rest
    if len(letters) == 1 and len(letters[0][0]) == 1 and letters[0][1] == 1:
        return letters[0][0][0], rest
    return None


def solved(index: Sequence[Dim], wanted: Sequence[Dim]) -> dict[str, Dim]:
    """The letters of `index` for which it is `wanted`."""
    found = {}
    for mine, entry in zip(index, wanted, strict=True):
        step = steps_of(mine)
        if step is not None and step[0] is not None:
            found[step[0]] = entry - Dim.number(step[1])
    return found


def at_name(name: str, bind: Mapping[str, Dim]) -> str:
    """The name with the letters of its index replaced."""
    found = ref(name)
    return name if found is None else spelled(found.family, [d.substitute(bind) for d in found.index])


def at_dim(d: Dim, bind: Mapping[str, Dim]) -> Dim:
    """The size with letters replaced, also in the indices of its symbols: `n[k+1]` at k = 2 is `n[3]`."""
    moved = {s: bind[s] if s in bind else Dim.symbol(at_name(s, bind)) for s in d.symbols()}
    return d.substitute({s: x for s, x in moved.items() if x.name != s})


def at_shape(shape: Shape, bind: Mapping[str, Dim]) -> Shape:
    return tuple(at_dim(d, bind) for d in shape)


def _at_attr(a: object, bind: Mapping[str, Dim]) -> object:
    """One datum of a node: a size, a name, or a shape."""
    if isinstance(a, Dim):
        return at_dim(a, bind)
    if isinstance(a, str):
        return at_name(a, bind) if "[" in a else a
    if isinstance(a, tuple):
        return tuple(at_dim(x, bind) if isinstance(x, Dim) else x for x in a)
    return a


def at(e: Expr, bind: Mapping[str, Dim]) -> Expr:
    """`e` with the letters of all indices replaced, in names, sizes and functions; a sum's own letter steps out of the way."""
    if not bind:
        return e
    return _moved(_apart(e, {s for d in bind.values() for s in d.symbols()}), bind)


def _moved(e: Expr, bind: Mapping[str, Dim]) -> Expr:
    def change(x: Expr, args: tuple[Expr, ...]) -> Expr:
        attrs: Attrs = tuple(_at_attr(a, bind) for a in x.attrs)
        shape = at_shape(x.shape, bind)
        same = args == x.args and attrs == x.attrs and shape == x.shape
        return x if same else _with_number(x.op, args, attrs, shape)

    return rebuild(e, change)


def _with_number(op: Any, args: tuple[Expr, ...], attrs: Attrs, shape: Shape) -> Expr:
    """The node, or what it is called where its last argument is a number: g^t at t = 1 is g."""
    number = None if op.at_number is None else _number(args[-1])
    found: Expr | None = None if number is None else op.at_number(args[0], number)
    return Expr.make(op, args, attrs, shape) if found is None else found


def _number(e: Expr) -> Fraction | None:
    """The number that sums and multiples of numbers are."""
    known: dict[Expr, Fraction | None] = {}
    for x in postorder(e):
        if x.op.number:
            known[x] = Fraction(x.attrs[0])
        elif not x.args:
            size = x.attrs[0] if len(x.attrs) == 1 and not x.shape else None
            known[x] = Fraction(size.constant) if isinstance(size, Dim) and size.constant is not None else None
        else:
            known[x] = _sum_of(x, [known[a] for a in x.args])
    return known[e]


def _sum_of(e: Expr, parts: Sequence[Fraction | None]) -> Fraction | None:
    """The number that the node is, its arguments being these; None for what is no sum of multiples and products of them."""
    total = Fraction(0)
    for m in e.op.meaning(e) or (None,):
        if m is None or m.extra or m.times or m.over or m.power != 1 or e.shape:
            return None
        term = m.scale
        for part in (parts[k] for k in m.slots):
            if part is None:
                return None
            term *= part
        total += term
    return total


def _apart(e: Expr, taken: set[str]) -> Expr:
    """`e` without a sum over one of these letters, which would capture what is put into it."""
    if not taken or not any(x.op.binder and x.attrs[0] in taken for x in postorder(e)):
        return e
    words = taken | {s for x in postorder(e) for d in dims_in(x) for s in d.symbols()} | letters_of(e)

    def change(x: Expr, args: tuple[Expr, ...]) -> Expr:
        if not (x.op.binder and x.attrs[0] in taken):
            return x.with_args(args)
        letter = x.attrs[0]
        while letter in words:
            letter += "2"
        words.add(letter)
        return Expr.make(x.op, (_moved(args[0], {x.attrs[0]: Dim.symbol(letter)}),), (letter, *x.attrs[1:]), x.shape)

    return rebuild(e, change)


def letters_of(e: Expr) -> frozenset[str]:
    """The letters in the indices of names and sizes under `e`, without those that a sum inside it binds."""
    done: dict[Expr, frozenset[str]] = {}
    for x in postorder(e):
        inner = frozenset().union(*(done[a] for a in x.args))
        own = frozenset().union(*map(_letters, x.attrs))
        done[x] = own | (inner - {x.attrs[0]} if x.op.binder else inner)
    return done[e]


def _letters(a: object) -> set[str]:
    found: set[str] = set()
    stack = [a]
    while stack:
        x = stack.pop()
        if isinstance(x, Dim):
            found |= {s for s in x.symbols() if "[" not in s}
            stack += [s for s in x.symbols() if "[" in s]
        elif isinstance(x, str) and "[" in x:
            member = ref(x)
            found |= {s for d in member.index for s in d.symbols()} if member else set()
        elif isinstance(x, tuple):
            stack += x
    return found
