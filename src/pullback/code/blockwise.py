"""The index lists of every instruction: along which legs it may be done block by block, and what makes one array of the blocks.

Along a leg that is not `whole`, what has index i in the result is computed from what has index i in the arguments. A leg that the
result lacks is summed, or is one along which the largest or the smallest entry is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.meaning import Meaning
from ..algebra.ops.free import is_free_map
from .instructions import Algorithm, Applied, Chain, Contraction, Given, Legs, Operand, Spread, Value

__all__ = ["Indices", "indices", "sizes_of"]


@dataclass(frozen=True, slots=True)
class Indices:
    """The legs of an instruction, as its arguments and its result name them."""

    operands: tuple[Operand, ...]
    legs: Legs  # of the result
    whole: frozenset[int] = frozenset()
    joins: str = "sum"  # over the legs that the result lacks: "sum", "max", "min"


def indices(v: Value) -> Indices:
    """The index lists of what computes the array."""
    match v.by:
        case Given():
            return Indices((), tuple(range(v.order)))
        case Contraction(left, right, legs):
            return Indices((left,) if right is None else (left, right), legs)
        case Chain(_, operands, legs):
            return Indices(tuple(o for _, o in operands), legs)
        case Spread(value, legs):
            return Indices((Operand(value, tuple(range(value.order))),), legs)
        case Applied(node, args):
            fits = is_free_map(node) and all(a.order in (0, v.order) for a in args)
            words = [_LETTERS[: a.order] if fits else "_" * a.order for a in args]
            return _spelled(args, words, _LETTERS[: v.order] if fits else "_" * v.order)
        case Algorithm(node, args):
            return _algorithm(node, args)
    raise AssertionError(v.by)


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _spelled(args: Sequence[Value], words: Sequence[str], out: str, joins: str = "sum") -> Indices:
    """Letters are legs, and every "_" is one that must be whole."""
    letters = {c: k for k, c in enumerate(dict.fromkeys("".join((*words, out)).replace("_", "")))}
    more = count(len(letters))

    def legs(word: str) -> Legs:
        return tuple(next(more) if c == "_" else letters[c] for c in word)

    operands = tuple(Operand(a, legs(w)) for a, w in zip(args, words, strict=True))
    mine = legs(out)
    return Indices(operands, mine, frozenset(range(len(letters), next(more))), joins)


def _algorithm(node: Expr, args: Sequence[Value]) -> Indices:
    op = node.op
    if op.blocks is not None:
        words, mine = op.blocks(node)
        return _spelled(args, words, mine, op.joins or "sum")
    found = op.meaning(node)
    if found is not None:
        return _summed(node, args, found)
    data = op.attributes(node)
    axes: tuple[int, ...] = (data["axis"],) if "axis" in data else data.get("axes", ())
    if axes and len(args) == 1 and node.args[0].order - node.order in (0, len(axes)):
        return _along(node, args, axes)
    return _spelled(args, ["_" * a.order for a in args], "_" * node.order)


def _along(node: Expr, args: Sequence[Value], axes: tuple[int, ...]) -> Indices:
    """An op along axes does the same in every line along them."""
    letters = _LETTERS[: args[0].order]
    if node.op.joins:
        return _spelled(args, [letters], "".join(c for k, c in enumerate(letters) if k not in axes), node.op.joins)
    word = "".join("_" if k in axes else c for k, c in enumerate(letters))
    return _spelled(args, [word], word if node.order == len(word) else word.replace("_", ""))


def _summed(node: Expr, args: Sequence[Value], sums: Sequence[Meaning]) -> Indices:
    """What an op means as sums of products: letters of a constant other than 1 are whole, for its entries know their index."""
    fresh = count(node.order)
    whole: set[int] = set()
    operands: list[Operand] = []
    for m in sums:
        legs = {c: k for k, c in enumerate(m.output)}
        for c in dict.fromkeys("".join(m.inputs)):
            if c not in legs:
                legs[c] = next(fresh)
                whole.update([legs[c]] if len(sums) > 1 or m.power != 1 else [])
        words = [(w, args[k]) for w, k in zip(m.inputs, m.slots, strict=False)]
        for word, constant in zip(m.inputs[len(m.slots) :], m.extra, strict=True):
            inside, mine = _constant(constant, word)
            whole.update(legs[c] for c, free in zip(word, mine, strict=True) if free == "_")
            words += [
                (w, args[node.args.index(x)]) for w, x in zip(inside, constant.args, strict=True) if x in node.args
            ]
        scaled = {s for d in (*m.times, *m.over) for s in d.symbols()}
        for word, value in words:
            whole.update(legs[c] for c, d in zip(word, value.shape, strict=True) if d.symbols() & scaled)
            operands.append(Operand(value, tuple(legs[c] for c in word)))
    for value in args:
        if all(o.value is not value for o in operands):  # it is used in a way that the sums do not tell
            operands.append(Operand(value, tuple(next(fresh) for _ in value.shape)))
            whole.update(operands[-1].legs)
    return Indices(tuple(operands), tuple(range(node.order)), frozenset(whole))


def _constant(constant: Expr, word: str) -> tuple[Sequence[str], str]:
    """The letters of a factor that is no argument: those of what it is made of, and its own, "_" where it cannot be cut in blocks."""
    if constant.op.uniform is not None:
        return (), word
    if constant.op.blocks is None:
        return ["_" * a.order for a in constant.args], "_" * len(word)
    inside, mine = constant.op.blocks(constant)
    names = dict(zip(mine, word, strict=True))
    return ["".join(names[c] for c in w) for w in inside], "".join("_" if c == "_" else names[c] for c in mine)


def sizes_of(node: Expr) -> frozenset[str]:
    """The symbols in the data of a node: how far an axis goes, where a part begins."""
    flat = [x for a in node.attrs for x in (a if isinstance(a, tuple) else (a,))]
    return frozenset(s for x in flat if isinstance(x, Dim) for s in x.symbols())
