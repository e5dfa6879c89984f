"""What is linear in a vector, for many vectors at once: every array that depends on it has one axis more, its first.

A product with a vector becomes a product with a matrix, which is faster than one vector after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.ops.free import is_name, var
from .instructions import (
    Algorithm,
    Applied,
    Chain,
    Contraction,
    Given,
    Instruction,
    Legs,
    Operand,
    Spread,
    Value,
    arguments,
)
from .keeping import Group
from .plan import Plan

__all__ = ["Rows", "in_rows"]


@dataclass(slots=True)
class Rows:
    """For each array that depends on the vector, the array with the axis more."""

    of: dict[Value, Value] = field(default_factory=dict)
    groups: dict[Value, Group] = field(default_factory=dict)


def in_rows(p: Plan, given: Collection[Value], linear: Collection[Value], count: Dim) -> Rows | None:
    """The `linear` arrays of a plan, for `count` vectors of which `given` are the parts; None where an algorithm takes one array only."""
    found = Rows()
    names: dict[Expr, Expr] = {}
    for v in p.values:
        if v in given:
            found.of[v] = Value((count, *v.shape), v.by, v.name, v.about)
        elif v in linear and any(a in found.of for a in arguments(v.by)):
            by = _widened(v, found.of)
            if by is None:
                return None
            found.of[v] = Value((count, *v.shape), by, v.name, v.about)
            if v in p.groups:
                named = [(name, e) for name, e in p.groups[v] if is_name(name)]  # not a value that has no name
                for name, _ in named:
                    names.setdefault(name, var(str(name.attrs[0]), (count, *name.shape), str(name.attrs[1])))
                found.groups[found.of[v]] = tuple((names[name], e) for name, e in named)
    return found


def _widened(v: Value, wide: Mapping[Value, Value]) -> Instruction | None:
    """The same instruction with one more leg in what depends on the vector, and in the result."""
    match v.by:
        case Contraction(left, right, legs):
            new = _leg(legs, left.legs, () if right is None else right.legs)
            return Contraction(_wide(left, new, wide), None if right is None else _wide(right, new, wide), (new, *legs))
        case Chain(body, operands, legs):
            new = _leg(legs, *(o.legs for _, o in operands))
            return Chain(body, tuple((x, _wide(o, new, wide)) for x, o in operands), (new, *legs))
        case Spread(value, legs):
            return Spread(wide[value], (0, *(i + 1 for i in legs)))  # leg i is the i-th axis of the value
        case Algorithm() | Applied() | Given():
            return None


def _leg(*some: Legs) -> int:
    return max((i for legs in some for i in legs), default=-1) + 1


def _wide(o: Operand, new: int, wide: Mapping[Value, Value]) -> Operand:
    return Operand(wide[o.value], (new, *o.legs)) if o.value in wide else o
