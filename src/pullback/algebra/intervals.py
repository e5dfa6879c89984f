"""Between which numbers all entries of a value lie, whatever the names are: exp(x) is positive, 2 + x ⊙ x at least 2.

The interval of an op is that of its meaning (sums of products), of its definition, or what it gives by its declaration;
where none of these tells, it is all numbers. An interval is never too small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from .expr import Expr
from .op import Meaning
from .ops.arithmetic import number
from .ops.free import facts_of, is_name

__all__ = ["ALL", "Interval", "intervals", "of_facts"]

Number = Fraction | float
_End = tuple[Number, bool]  # where it ends, and whether that number is left out


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers between two ends, each of which may be left out."""

    low: _End = (-inf, True)
    high: _End = (inf, True)

    def __add__(self, other: Interval) -> Interval:
        (a, x), (b, y) = self.low, other.low
        (c, z), (d, w) = self.high, other.high
        return Interval((a + b, x or y), (c + d, z or w))

    def __mul__(self, other: Interval) -> Interval:
        corners = [_corner(x, y) for x in (self.low, self.high) for y in (other.low, other.high)]
        return Interval(min(corners), max(corners, key=lambda c: (c[0], not c[1])))

    def meet(self, other: Interval) -> Interval:
        return Interval(max(self.low, other.low), min(self.high, other.high, key=lambda c: (c[0], not c[1])))

    @property
    def avoids_zero(self) -> bool:
        return self.low >= (Fraction(0), True) or self.high < (Fraction(0), False) or self.high == (Fraction(0), True)

    def within(self, other: Interval) -> bool:
        return self.meet(other) == self

    @property
    def empty(self) -> bool:
        (a, x), (b, y) = self.low, self.high
        return a > b or (a == b and (x or y))

    def __str__(self) -> str:
        (a, p), (b, q) = self.low, self.high
        low, high = ("" if isinstance(x, float) else number(x).strip("()") for x in (a, b))
        if a == b:
            return low
        low = low and f"{'greater than' if p else 'at least'} {low}"
        high = high and f"{'less than' if q else 'at most'} {high}"
        return " and ".join(w for w in (low, high) if w) or "any number"

    def signs(self) -> Interval:
        """What is left when the value is multiplied by an unknown positive number."""
        low: _End = (Fraction(0), self.low[1] or self.low[0] > 0) if self.low[0] >= 0 else (-inf, True)
        high: _End = (Fraction(0), self.high[1] or self.high[0] < 0) if self.high[0] <= 0 else (inf, True)
        return Interval(low, high)

    def summed(self) -> Interval:
        """What a sum of one or more such numbers is."""
        return Interval(self.low if self.low[0] >= 0 else (-inf, True), self.high if self.high[0] <= 0 else (inf, True))

    def power(self, exponent: int) -> Interval:
        """A power of one number, by its sign."""
        if exponent == 1:
            return self
        sign = self.signs()
        if exponent % 2 == 0:
            zero = self.low < (Fraction(0), True) and self.high[0] >= 0 and (self.high != (Fraction(0), True))
            return Interval((Fraction(0), not zero or exponent < 0))
        return sign


ALL = Interval()
_NONNEGATIVE = Interval((Fraction(0), False))
_POSITIVE = Interval((Fraction(0), True))


def _corner(x: _End, y: _End) -> _End:
    (a, p), (b, q) = x, y
    if not a or not b:
        return Fraction(0), not ((not a and not p) or (not b and not q))
    return a * b, p or q


def of_facts(facts: tuple[str, ...]) -> Interval:
    """What the facts of a value say of its entries."""
    found = ALL
    if "positive" in facts:
        found = found.meet(_POSITIVE)
    if "nonnegative" in facts:
        found = found.meet(_NONNEGATIVE)
    if "positive" in facts and "sums_to_one" in facts:
        found = found.meet(Interval(high=(Fraction(1), False)))
    if "unit" in facts:
        found = found.meet(Interval((Fraction(0), True), (Fraction(1), True)))
    return found


def intervals(root: Expr, known: Mapping[Expr, Interval]) -> dict[Expr, Interval]:
    """The intervals of `root` and of all that it is made of; `known` are those of names."""
    done: dict[Expr, Interval] = {}
    bodies: dict[Expr, Expr] = {}
    stack = [root]
    while stack:
        e = stack[-1]
        if e in done:
            stack.pop()
            continue
        if e.op.define is not None and e not in bodies and not e.op.gives and e.op.meaning(e) is None:
            bodies[e] = e.op.define(e, *e.args)
        needed = (*e.args, bodies[e]) if e in bodies else e.args
        missing = [x for x in needed if x not in done]
        if missing:
            stack += missing
            continue
        try:
            done[e] = done[bodies[e]] if e in bodies else _node(e, done, known)
        except OverflowError:  # a number that is no float
            done[e] = ALL
        stack.pop()
    return done


def _node(e: Expr, done: Mapping[Expr, Interval], known: Mapping[Expr, Interval]) -> Interval:
    if is_name(e):
        return known.get(e, ALL).meet(of_facts(facts_of(e)))
    if e.op.number:
        return Interval((e.attrs[0], False), (e.attrs[0], False))
    if e.op.uniform is not None:
        return Interval((Fraction(e.op.uniform), False), (Fraction(e.op.uniform), False))
    if e.op.entry is not None:
        return Interval((Fraction(0), False), (Fraction(1), False))
    if e.op.gives:
        return of_facts(e.op.gives)
    meanings = e.op.meaning(e)
    if not meanings:
        found = Interval((Fraction(0), False)) if e.op.root else ALL
        return found.meet(_increasing(e, done[e.args[0]])) if "order" in e.op.keeps else found
    total = Interval((Fraction(0), False), (Fraction(0), False))
    for m in meanings:
        total = total + _term(m, e, done)
    return total


def _increasing(e: Expr, x: Interval) -> Interval:
    """What is certain of an increasing function by its exact values: log(1) = 0, so that log(x) > 0 for x > 1."""
    low, high = ALL.low, ALL.high
    for t in (Fraction(0), Fraction(1)):
        try:
            value = Fraction(e.op.real(float(t))) if e.op.real is not None else None
        except ValueError:
            continue
        if value not in (0, 1):
            continue
        if x.low >= (t, False):
            low = max(low, (value, x.low > (t, False)))
        if x.high[0] < t or x.high in ((t, False), (t, True)):
            high = min(high, (value, x.high != (t, False)), key=lambda c: (c[0], not c[1]))
    return Interval(low, high)


def _term(m: Meaning, e: Expr, done: Mapping[Expr, Interval]) -> Interval:
    """One sum of products; equal factors at the same indices are a power."""
    powers: dict[tuple[Expr, str], int] = {}
    factors = [e.args[k] for k in m.slots]
    for x, letters in zip(factors, m.inputs, strict=False):
        powers[x, letters] = powers.get((x, letters), 0) + m.power
    found = Interval((m.scale, False), (m.scale, False))
    for (x, _), p in powers.items():
        found = found * done[x].power(p)
    if m.extra:  # constants that are 0 or 1
        found = found * Interval((Fraction(0), False), (Fraction(1), False))
    if any(c not in m.output for letters in m.inputs for c in letters):
        found = found.summed()
    return found.signs() if m.times or m.over else found
