"""What the reverse sweep produces: the core program, its backward equations, and the steps between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.facts import restricted
from ..algebra.intervals import Interval
from ..algebra.ops.arithmetic import rational
from ..algebra.ops.free import gradient, increment
from ..algebra.ops.matrix import inner
from ..algebra.ranges import Range
from ..step import Claim, Step, Why
from .core import Core, Equation
from .graph import Diagram

__all__ = ["Backward", "Derivation", "assumed_of", "cotangents", "finished", "unassumed", "users_of"]


@dataclass(frozen=True, slots=True)
class Backward:
    """One backward equation: ∇(of) = value, in terms of names; `closed` has our own names written out."""

    of: Expr
    value: Expr
    closed: Expr
    auxiliary: bool = False
    ranges: tuple[Range, ...] = ()  # the values of the index of `of` for which it holds


@dataclass(slots=True)
class Derivation:
    """The forward core, the backward equations in order of computation, and every step from one to the other."""

    core: Core
    inputs: tuple[Expr, ...]
    target: Expr
    seed: Expr | None  # the given gradient of the target, None when the target is the scalar itself
    wrt: tuple[Expr, ...]
    backward: list[Backward] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    index_steps: list[Step] = field(default_factory=list)  # style `index`, made when asked for
    expansions: list[Step] = field(default_factory=list)  # every equation with indices, made when asked for
    least: dict[str, int] = field(default_factory=dict)  # how large the ends of ranges are taken to be
    recurrences: list[Backward] = field(default_factory=list)  # with the names between the steps eliminated
    diagrams: list[Diagram] = field(default_factory=list)  # style `diagram`, made when asked for
    functions: list[Any] = field(default_factory=list)  # those that the program defines (own_functions.py)
    known: Mapping[Expr, Interval] = field(default_factory=dict)  # between which numbers names lie, as is assumed
    readings: dict[str, Any] = field(default_factory=dict)  # other readings, made when asked for (readings.py)

    def names(self) -> list[Expr]:
        """Every input and every computed name, ours with the user's."""
        return [*self.inputs, *(q.var for q in self.core.equations)]


def cotangents(d: Derivation) -> dict[Expr, Expr]:
    """What the gradient of each name is called in later equations: 1, the given gradient, or its own name."""
    one = rational(1)
    return {b.of: b.value if b.value is one or b.value is d.seed else gradient(b.of) for b in d.backward}


def users_of(d: Derivation) -> dict[Expr, list[Equation]]:
    """The equations in which each name with a gradient is used, in order of computation."""
    known = {b.of for b in d.backward}
    users: dict[Expr, list[Equation]] = {}
    for q in d.core.equations:
        if q.var in known:
            for x in postorder(q.value):
                if x in known:
                    users.setdefault(x, []).append(q)
    return users


def assumed_of(d: Derivation) -> dict[str, dict[Expr, Expr]]:
    """What the sweep assumed of the user's facts, by name."""
    found: dict[str, dict[Expr, Expr]] = {}
    for s in d.steps:
        if "S-ASSUME" in s.rules and s.kind == "simplify":
            found.setdefault(s.about, {}).update(s.claim.where)
    return found


def unassumed(d: Derivation) -> dict[Expr, Expr]:
    """The gradients before an assumption of the user was used, or a projection."""
    plain = {b.of: b.value for b in d.backward}
    named = {b.of.attrs[0]: b for b in d.backward}
    for s in d.steps:
        b = named.get(s.about)
        used = {"S-ASSUME", "V-PROJ"} & set(s.rules) and s.kind == "simplify"
        if used and b is not None and plain[b.of] is b.value:
            plain[b.of] = s.left
    return plain


def finished(v: Expr, before: Expr, value: Expr, where: Mapping[Expr, Expr]) -> tuple[tuple[str, ...], Why, Claim]:
    """How the gradient of `v` follows from what it was before the user's assumptions `where`, or before it was projected."""
    if restricted(v):
        d = increment(v)
        why = Why(f"the part among the matrices that {v.attrs[0]} ranges over")
        return ("V-PROJ",), why, Claim("EQ", inner(before, d), inner(value, d), where)
    return ("S-ASSUME",), Why("with what is assumed"), Claim("EQ", before, value, where)
