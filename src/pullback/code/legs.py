"""Names for the axes of arrays while equations are lowered, and names of numbers that stand for an array beside others."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr, substitute
from ..algebra.ops.free import var
from .forms import Form
from .instructions import Legs, Operand, Value, leaves

__all__ = ["Legged"]


class Legged:
    """Leaves of entrywise expressions, each an array with names for its axes (legs)."""

    def __init__(self) -> None:
        self.operands: dict[Expr, Operand] = {}  # leaf of an entrywise expression -> what it stands for
        self.dims: dict[int, Dim] = {}
        self._fresh = count()
        self._leaves: dict[Operand, Expr] = {}

    def _legs(self, shape: Shape) -> Legs:
        found = tuple(next(self._fresh) + 1000 for _ in shape)  # below 1000: the legs of one instruction
        self.dims.update(zip(found, shape, strict=True))
        return found

    def _leaf(self, value: Value, legs: Legs) -> Expr:
        operand = Operand(value, legs)
        found = self._leaves.get(operand)
        if found is None:
            found = self._leaves[operand] = var(f"#{len(self._leaves)}", ())
            self.operands[found] = operand
        return found

    def legs(self, body: Expr) -> Legs:
        """The legs of an entrywise expression, in order of appearance."""
        found = (i for leaf in leaves(body) if leaf in self.operands for i in self.operands[leaf].legs)
        return tuple(dict.fromkeys(found))

    def _natural(self, *bodies: Expr) -> Legs:
        """The legs of entrywise expressions, in the order that they have in the array with the most axes."""
        of = [self.operands[leaf].legs for body in bodies for leaf in leaves(body) if leaf in self.operands]
        return tuple(dict.fromkeys(i for legs in sorted(of, key=len, reverse=True) for i in legs))

    def _renamed(self, body: Expr, names: Mapping[int, int]) -> Expr:
        if not names:
            return body
        bind: dict[Expr, Expr] = {}
        for leaf in leaves(body):
            o = self.operands.get(leaf)
            if o is not None and any(i in names for i in o.legs):
                bind[leaf] = self._leaf(o.value, tuple(names.get(i, i) for i in o.legs))
        return substitute(body, bind)

    def _instance(self, f: Form) -> Form:
        """The form with legs of its own."""
        old = dict.fromkeys((*f.outs, *(i for x in f.factors for i in self.legs(x))))
        names = dict(zip(old, self._legs(tuple(self.dims[i] for i in old)), strict=True))
        return Form(f.scale, tuple(self._renamed(x, names) for x in f.factors), tuple(names[i] for i in f.outs))
