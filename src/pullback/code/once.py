"""Instructions, equal ones once: what is asked for again is the array that is there."""

from __future__ import annotations

from typing import Any

from ..algebra.dims import Shape
from ..algebra.expr import Expr, substitute
from .forms import times
from .instructions import Chain, Contraction, Instruction, Legs, Operand, Value, leaves
from .legs import Legged

__all__ = ["Once"]


class Once(Legged):
    """Makes the arrays of a plan."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Value] = []  # in order of computation
        self._known: dict[Any, Value] = {}
        # what is multiplied, and the legs that stay -> the array, with its legs in their order
        self._products: dict[tuple[Operand, Operand | None, frozenset[int]], Operand] = {}

    def _value(self, shape: Shape, by: Instruction) -> Value:
        value = Value(shape, by)
        self.values.append(value)
        return value

    def _made(self, shape: Shape, by: Instruction) -> Value:
        if isinstance(by, Chain) and not by.operands:  # a constant is not worth keeping
            return self._value(shape, by)
        found = self._known.get((by, shape))  # the legs of a number that is repeated do not say how often
        if found is None:
            found = self._known[by, shape] = self._value(shape, by)
        return found

    def _contraction(self, left: Operand, right: Operand | None, legs: Legs) -> Expr:
        """Σ left · right over the legs that are not asked for; (A B)ᵀ = Bᵀ Aᵀ is the array of A B, read the other way."""
        if right is not None and set(left.legs) == set(right.legs):
            there = self._product_of(left, right)
            if there is not None:  # the product is an array already
                left, right = there, None
        found = self._there(left, right, frozenset(legs))
        if found is None:
            by, _ = _numbered(left, right, legs)
            value = self._made(tuple(self.dims[i] for i in legs), by)
            self._products[by.left, by.right, frozenset(by.legs)] = Operand(value, by.legs)
            found = self._leaf(value, legs)
        return found

    def _there(self, left: Operand, right: Operand | None, stay: frozenset[int]) -> Expr | None:
        """The array of the product in which these legs stay, in any order, if it was made."""
        for a, b in ((left, right), (right, left)):
            if a is not None:
                by, order = _numbered(a, b, tuple(stay))
                known = self._products.get((by.left, by.right, frozenset(by.legs)))
                if known is not None:
                    return self._leaf(known.value, tuple(order[k] for k in known.legs))
        return None

    def _product_of(self, left: Operand, right: Operand) -> Operand | None:
        """The array in which two others are multiplied entry by entry, if there is one."""
        for a, b in ((left, right), (right, left)):
            for o in (a, b):
                product = times(self._leaf(a.value, a.legs), self._leaf(b.value, b.legs))
                found = self._known.get((self._chained(product, o.legs), o.value.shape))
                if found is not None:
                    return Operand(found, o.legs)
        return None

    def _chain(self, body: Expr, legs: Legs, shape: Shape) -> Value:
        return self._made(shape, self._chained(body, legs))

    def _chained(self, body: Expr, legs: Legs) -> Chain:
        names = {i: k for k, i in enumerate(legs)}
        bind: dict[Expr, Expr] = {}
        operands: dict[Expr, Operand] = {}
        for leaf in leaves(body):
            o = self.operands.get(leaf)
            if o is not None:
                short = Operand(o.value, tuple(names[i] for i in o.legs))
                bind[leaf] = self._leaf(short.value, short.legs)
                operands[bind[leaf]] = short
        return Chain(substitute(body, bind), tuple(operands.items()), tuple(names.values()))


def _numbered(left: Operand, right: Operand | None, legs: Legs) -> tuple[Contraction, Legs]:
    """The instruction with its legs numbered as they appear, and the leg that each number stands for."""
    order = tuple(dict.fromkeys((*left.legs, *(right.legs if right is not None else ()))))

    def short(word: Legs) -> Legs:
        return tuple(map(order.index, word))

    b = None if right is None else Operand(right.value, short(right.legs))
    return Contraction(Operand(left.value, short(left.legs)), b, short(legs)), order
