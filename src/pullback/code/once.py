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
        names: dict[int, int] = {}

        def short(word: Legs) -> Legs:
            return tuple(names.setdefault(i, len(names)) for i in word)

        if right is not None and set(left.legs) == set(right.legs):
            there = self._product_of(left, right)
            if there is not None:  # the product is an array already
                left, right = there, None
        a = Operand(left.value, short(left.legs))
        b = None if right is None else Operand(right.value, short(right.legs))
        value = self._made(tuple(self.dims[i] for i in legs), Contraction(a, b, short(legs)))
        return self._leaf(value, legs)

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
