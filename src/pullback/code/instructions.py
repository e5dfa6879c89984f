"""What a plan is made of: arrays, and the few kinds of instruction that compute them.

An instruction names the axes of its arguments by small numbers (legs), counted in the order in which they are first met, so
that equal work is equal data: what is asked for twice is computed once, and no transposition is an instruction of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr, postorder

__all__ = ["Algorithm", "Applied", "Chain", "Contraction", "Given", "Instruction", "Legs", "Operand", "Scale", "Spread", "Value",
    "arguments", "leaves", "reads"]  # fmt: skip

Legs = tuple[int, ...]


@dataclass(eq=False, slots=True)
class Value:
    """One array of a plan: how it is computed, and how large it is."""

    shape: Shape
    by: Instruction
    name: str = ""  # the name that the program has for it, "" for one of ours
    about: Expr | None = None  # the name in the equation that it is the value of

    @property
    def order(self) -> int:
        return len(self.shape)


@dataclass(frozen=True, slots=True)
class Operand:
    """An array with names for its axes."""

    value: Value
    legs: Legs


@dataclass(frozen=True, slots=True)
class Scale:
    """coef · Π sizes ** power."""

    coef: Fraction = Fraction(1)
    sizes: tuple[tuple[Dim, int], ...] = ()

    def times(self, coef: Fraction, *sizes: tuple[Dim, int]) -> Scale:
        powers = dict(self.sizes)
        for d, p in sizes:
            number = d.constant
            if number is not None and (number or p > 0):
                coef *= Fraction(number) ** p
            else:
                powers[d] = powers.get(d, 0) + p
        return Scale(self.coef * coef, tuple((d, p) for d, p in powers.items() if p))


@dataclass(frozen=True, slots=True)
class Given:
    """An input of the program."""

    var: Expr


@dataclass(frozen=True, slots=True)
class Contraction:
    """Σ left · right over every leg that is not in `legs`; without `right` a sum or a diagonal of `left` alone."""

    left: Operand
    right: Operand | None
    legs: Legs


@dataclass(frozen=True, slots=True)
class Chain:
    """Entry by entry: `body` is an expression of numbers, whose names stand for the operands, repeated along missing legs."""

    body: Expr
    operands: tuple[tuple[Expr, Operand], ...]
    legs: Legs


@dataclass(frozen=True, slots=True)
class Spread:
    """The entries of `value` where the repeated legs of `legs` agree, and 0 elsewhere: diag(x)."""

    value: Value
    legs: Legs


@dataclass(frozen=True, slots=True)
class Algorithm:
    """The op's own algorithm on arrays: reshape, solve, eigvals."""

    node: Expr
    args: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """A function of which only the name is known, or one of its derivatives."""

    node: Expr
    args: tuple[Value, ...]


Instruction = Given | Contraction | Chain | Spread | Algorithm | Applied


def arguments(by: Instruction) -> Iterator[Value]:
    """The arrays that an instruction reads, each once."""
    yield from dict.fromkeys(reads(by))


def reads(by: Instruction) -> Iterator[Value]:
    """The arrays that an instruction reads, one that it reads in two places twice."""
    match by:
        case Contraction(left, right, _):
            yield left.value
            if right is not None:
                yield right.value
        case Chain(body, operands, _):
            known = dict(operands)
            if body in known:
                yield known[body].value
            yield from (known[a].value for x in postorder(body) for a in x.args if a in known)
        case Spread(value, _):
            yield value
        case Algorithm(_, args) | Applied(_, args):
            yield from args


def leaves(body: Expr) -> Iterator[Expr]:
    """The names in the body of a chain."""
    return (x for x in postorder(body) if not x.args)
