"""What an expression is while it is lowered: a scaled product of entrywise factors over named legs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce

from ..algebra.dims import Dim
from ..algebra.expr import OPERATORS, Expr
from ..algebra.op import Meaning
from ..algebra.ops.arithmetic import rational, size_of
from ..algebra.ops.free import is_name
from .instructions import Legs, Scale

__all__ = ["Form", "below", "definition", "factors_of", "is_entrywise", "number_of", "scaled", "sum_of", "times"]

_HALVES = frozenset(1 << k for k in range(1, 11))  # what a short decimal is a fraction of


@dataclass(frozen=True, slots=True)
class Form:
    """scale · Π factors, summed over every leg of a factor that is not in `outs`; constant along a leg that is in no factor.

    A leg that is twice in `outs` is a δ: the entries where both indices agree."""

    scale: Scale
    factors: tuple[Expr, ...]
    outs: Legs

    @property
    def is_plain(self) -> bool:
        """Whether it costs nothing to use it again."""
        return len(self.factors) < 2 and all(not f.args for f in self.factors)


def below(e: Expr, kernels: Collection[str] = ()) -> tuple[Expr, ...]:
    """What must have a form before `e` has one."""
    instead = definition(e, kernels)
    return e.args if instead is None else (instead,)


def definition(e: Expr, kernels: Collection[str] = ()) -> Expr | None:
    """What is computed instead of `e`: its stable form, or its definition where it has neither code nor algorithm.

    `kernels` are the functions that the target has whole.
    """
    if e.op.kernel_of(e) in kernels:
        return None
    if e.op.stable is not None:
        found: Expr = e.op.stable(e, *e.args)
        return found
    direct = sum_of(e) is not None or is_entrywise(e) or e.op.source is not None or is_name(e)
    return None if direct or e.op.define is None else e.op.define(e, *e.args)


def factors_of(x: Expr) -> Iterator[Expr]:
    """The factors of a product of numbers."""
    if x.op.scales:
        for a in x.args:
            yield from factors_of(a)
    else:
        yield x


def number_of(f: Form) -> Scale | None:
    """The form as a number that is made of constants and sizes, None if it is none or 0."""
    found = f.scale
    for x in f.factors:
        if x.args or not x.attrs or not isinstance(x.attrs[0], Dim):
            return None
        found = found.times(Fraction(1), (x.attrs[0], 1))
    return found if found.coef else None


def is_entrywise(e: Expr) -> bool:
    """Whether there is code for its entries, the same for all of them; a scalar argument stands beside each."""
    fits = all(not a.order or a.shape == e.shape for a in e.args)
    return bool(e.op.code) and fits and e.op.result == ("*s",) and bool(e.args)


def sum_of(e: Expr) -> Meaning | None:
    """The one index sum that `e` is, if it needs no other constants than 1 and δ."""
    found = e.op.meaning(e)
    if found is None or len(found) != 1 or found[0].power != 1:
        return None
    return found[0] if all(x.op.uniform == 1 or x.op.delta for x in found[0].extra) else None


def times(a: Expr, b: Expr) -> Expr:
    """The product of two numbers."""
    return OPERATORS["*"](a, b)


def scaled(scale: Scale, factors: Sequence[Expr], small: bool = False) -> Expr:
    """coef · Π sizes · Π factors as an expression of numbers: what is negative has its sign in front.

    The number is with the first factor, where that is a `small` one: there are fewer entries to multiply then."""
    if small and scale.coef:
        first = scaled(replace(scale, coef=abs(scale.coef)), factors[:1])
        product = reduce(times, factors[1:], first)
        return -product if scale.coef < 0 else product
    coef = abs(scale.coef)
    above = [size_of(d) ** p if p > 1 else size_of(d) for d, p in scale.sizes if p > 0]
    under = [size_of(d) ** -p if p < -1 else size_of(d) for d, p in scale.sizes if p < 0]
    top, bottom = coef.numerator, coef.denominator
    if not under and bottom in _HALVES and top < 1 << 53:
        above, bottom, top = [rational(coef), *above], 1, 1  # 0.5
    if top != 1:
        above = [rational(top), *above]
    if bottom != 1:
        under = [rational(bottom), *under]
    number = reduce(times, above) if above else None
    divisor = reduce(times, under) if under else None
    body = reduce(times, factors) if factors else None
    if number is not None and divisor is not None:
        number, divisor = number / divisor, None
    if body is None:
        body = number if number is not None else rational(1)
    elif number is not None:
        body = number * body
    if divisor is not None:
        body = body / divisor
    if scale.coef == 0:
        return rational(0)
    return -body if scale.coef < 0 else body
