"""One number in front of a product, in the place of several within it."""

from __future__ import annotations

from fractions import Fraction

from .expr import Expr
from .indexed import letters_of
from .ops.arithmetic import add, const, neg, power, rational, sdiv, smul, sub

__all__ = ["numbers_in_front"]

_LONG = 2000  # binary digits above which numbers are not multiplied out


def _long(c: Fraction, times: int = 1) -> bool:
    return max(c.numerator.bit_length(), c.denominator.bit_length()) * times > _LONG


def _split_number(e: Expr) -> tuple[Fraction, Expr | None]:
    """e as number · rest (rest None for a bare number)."""
    c = Fraction(1)
    front: list[Expr] = []  # scalars that stay in front of the rest
    while True:
        if e.op is const:
            c, rest = c * e.attrs[0], None
            break
        if e.op is neg:
            c, e = -c, e.args[0]
        elif e.op is sdiv and e.args[1].op is const and e.args[1].attrs[0]:
            c, e = c / e.args[1].attrs[0], e.args[0]
        elif e.op is smul and e.args[0].op is const:
            c, e = c * e.args[0].attrs[0], e.args[1]
        elif e.op is smul and e.args[0].op in (neg, smul, sdiv) and _number_of(e.args[0]) is not None:
            (d, inner), e = _number_of(e.args[0]) or (Fraction(1), None), e.args[1]
            c *= d
            front += [inner] if inner is not None else []
        elif e.op is smul and e.args[1].op in (const, neg, smul, sdiv) and _number_of(e.args[1]) is not None:
            front.append(e.args[0])
            e = e.args[1]
        else:
            rest = e
            break
    for s in reversed(front):
        rest = s if rest is None else smul(s, rest)
    return c, rest


def _number_of(e: Expr) -> tuple[Fraction, Expr | None] | None:
    """A number at the very front of `e`, and what is left, or None if there is none."""
    if e.op is const:
        return e.attrs[0], None
    if e.op is neg:
        return Fraction(-1), e.args[0]
    if e.op is smul and e.args[0].op is const:
        return e.args[0].attrs[0], e.args[1]
    if e.op is sdiv and e.args[1].op is const and e.args[1].attrs[0]:
        return 1 / e.args[1].attrs[0], e.args[0]
    return None


def _scaled(c: Fraction, rest: Expr | None) -> Expr:
    """c · rest, written without a factor 1 and with a minus sign for −1."""
    size = abs(c)
    if rest is None:
        body = rational(size)
    else:
        body = rest if size == 1 else rational(size) * rest
    return -body if c < 0 else body


def numbers_in_front(e: Expr) -> tuple[Expr, str] | None:
    """One number moved to the front: of a product, or out of an op that is linear in that slot."""
    if e.op in (smul, neg, sdiv):
        c, rest = _split_number(e)
        if _long(c):
            return None
        found = _scaled(c, rest)
        return (found, "S-NUMBERS") if found is not e else None
    if e.op is power and e.args[0].op is const and e.attrs[0].denominator == 1 and e.args[0].attrs[0]:
        if abs(e.attrs[0]) > _LONG or _long(e.args[0].attrs[0], abs(int(e.attrs[0]))):
            return None
        return rational(e.args[0].attrs[0] ** int(e.attrs[0])), "S-NUMBERS"
    if e.op.linear == "each" or (e.op.linear == "joint" and len(e.args) == 1):
        for k, a in enumerate(e.args):
            c, rest = _split_number(a)
            if c != 1 and rest is not None and c != 0 and not _long(c):
                args = (*e.args[:k], rest, *e.args[k + 1 :])
                return _scaled(c, e.with_args(args)), "S-LINEAR"
            if a.op is smul and e.op.linear == "each" and not _bound(e, a.args[0]):
                args = (*e.args[:k], a.args[1], *e.args[k + 1 :])
                return smul(a.args[0], e.with_args(args)), "S-LINEAR"
            if a.op is sdiv and e.op.linear == "each" and e.op is not smul and not _bound(e, a.args[1]):
                args = (*e.args[:k], a.args[0], *e.args[k + 1 :])
                return sdiv(e.with_args(args), a.args[1]), "S-LINEAR"
    if e.op is add and e.args[1].op is neg:
        return e.args[0] - e.args[1].args[0], "S-NUMBERS"
    if e.op is sub and e.args[1].op is neg:
        return e.args[0] + e.args[1].args[0], "S-NUMBERS"
    return None


def _bound(e: Expr, factor: Expr) -> bool:
    """Whether the factor differs from term to term of the sum over an index `e`."""
    return e.op.binder and e.attrs[0] in letters_of(factor)
