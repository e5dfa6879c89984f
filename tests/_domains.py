"""Arguments inside the domain that an op states: the conditions (`needs`) of its declaration, read phrase by phrase.

A phrase that is not known makes the argument generic, a new input plus a bounded part: what holds for almost all
numbers holds there. Nothing here knows the name of the op whose argument is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from pullback.algebra.expr import Expr
from pullback.algebra.ops.arithmetic import rational, size_of
from pullback.algebra.ops.matrix import eye
from pullback.algebra.ops.piecewise import step
from pullback.algebra.ops.trigonometric import sin, tanh

Inside = Callable[[Expr, Callable[[], Expr], Callable[[int], int]], Expr]  # (argument, a new input like it, a choice)


def _part(x: Expr, size: Fraction | int) -> Expr:
    return rational(Fraction(size)) * tanh(x)


def _positive(x: Expr, new: Callable[[], Expr], choose: Callable[[int], int]) -> Expr:
    return [1 + x**2, rational(2) + sin(x), rational(Fraction(3, 2)) + tanh(x)][choose(3)]


def _nonzero(x: Expr, new: Callable[[], Expr], choose: Callable[[int], int]) -> Expr:
    positive = _positive(x, new, choose)
    return -positive if choose(3) == 0 else positive


def generic(x: Expr, new: Callable[[], Expr], choose: object = None) -> Expr:
    """Free to take any value, whatever x is."""
    return new() + _part(x, Fraction(1, 2))


def _regular(x: Expr, new: Callable[[], Expr], choose: Callable[[int], int]) -> Expr:
    """Eigenvalues in the disc of radius 1 around 2, whatever x is; not symmetric."""
    n = x.shape[0]
    return tanh(x) / size_of(n) + rational(2) * eye(dim=n)


def _definite(x: Expr, new: Callable[[], Expr], choose: Callable[[int], int]) -> Expr:
    """Symmetric, its eigenvalues at least 1."""
    return _square(tanh(x) if choose(2) else generic(x, new))


def _simple(x: Expr, new: Callable[[], Expr], choose: object = None) -> Expr:
    """Symmetric, its eigenvalues simple for almost all inputs, whatever x is."""
    return _square(generic(x, new))


def _square(y: Expr) -> Expr:
    return y @ y.T + eye(dim=y.shape[0])


_SQUARE: list[tuple[str, Inside]] = [
    (r"simple", _simple),
    (r"symmetric|definite", _definite),
    (r"invertible|nonsingular|negative axis|eigenvalue", _regular),
]
_ENTRIES: list[tuple[str, Inside]] = [
    (r"0 or 1", lambda x, new, choose: step(x)),
    (r"not all equal|rank|simple|distinct", generic),
    (r"whole number|has an entry that is not 0", _positive),
    (r"nonzero|≠ 0", _nonzero),
    (r"nonnegative|≥ 0|> 0|positive", _positive),
]


def inside(e: Expr, slot: int, x: Expr, new: Callable[[], Expr], choose: Callable[[int], int]) -> Expr:
    """`x` moved into the domain of argument number `slot` of the node `e`; `x` itself where nothing is asked of it."""
    needs = (e.op.needs(e) if callable(e.op.needs) else e.op.needs).replace("−", "-")
    name = e.op.slots[min(slot, len(e.op.slots) - 1)][0] if e.op.slots else ""
    if not re.search(rf"\$(?:{name}|{slot})\b", needs):
        return x
    square = x.order == 2 and x.shape[0] == x.shape[1]
    if found := re.search(r"between (-?\d+) and (-?\d+)", needs):
        low, high = int(found[1]), int(found[2])
        return rational(Fraction(low + high, 2)) + _part(x, Fraction(2 * (high - low), 5))
    if found := re.search(r"greater than (-?\d+)", needs):
        return rational(int(found[1])) + _positive(x, new, choose)
    for phrase, make in [*(_SQUARE if square else []), *_ENTRIES]:
        if re.search(phrase, needs):
            return make(x, new, choose)
    return generic(x, new, choose)
