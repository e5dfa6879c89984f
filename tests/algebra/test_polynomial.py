"""Polynomials in entries and series in h are rings: against Python's own arithmetic at random points."""

from fractions import Fraction
from random import Random

import pytest

from pullback.algebra.network import TooLarge
from pullback.algebra.ops.free import var
from pullback.algebra.polynomial import Poly, Symbols
from pullback.algebra.series import Series

x = var("x", ())


def drawn(symbols: Symbols, rng: Random) -> Poly:
    made = Poly.of(rng.randint(-3, 3))
    for _ in range(rng.randint(0, 4)):
        term = Poly.of(Fraction(rng.randint(-3, 3), rng.randint(1, 3)))
        for _ in range(rng.randint(0, 3)):
            term = term * symbols.poly(x, (rng.randint(0, 2),))
        made = made + term
    return made


def at(p: Poly, values: list[Fraction]) -> Fraction:
    total = Fraction(0)
    for monomial, c in p.terms.items():
        for s, power in monomial:
            c *= values[s] ** power
        total += c
    return total


@pytest.mark.parametrize("seed", range(40))
def test_polynomials_compute_like_numbers(seed: int) -> None:
    rng, symbols = Random(seed), Symbols()
    for k in range(3):
        symbols.number(x, (k,))
    a, b, c = (drawn(symbols, rng) for _ in range(3))
    values = [Fraction(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(3)]
    va, vb = at(a, values), at(b, values)
    assert at(a + b, values) == va + vb
    assert at(a * b, values) == va * vb
    assert at(a - b, values) == va - vb
    assert at(2 + a * 3, values) == 2 + 3 * va
    assert (a + b) * c == a * c + b * c
    assert a - a == Poly.of(0)
    h = Fraction(1, 10**9)
    for s, slope in a.slopes().items():
        moved = [v + h * (k == s) for k, v in enumerate(values)]
        assert abs((at(a, moved) - va) / h - at(slope, values)) < Fraction(1, 10**5)


def test_only_a_product_is_inverted() -> None:
    symbols = Symbols()
    a, b = symbols.poly(x, (0,)), symbols.poly(x, (1,))
    assert (2 * a * b).power(-1) * a * b == Poly.of(Fraction(1, 2))
    with pytest.raises(TooLarge):
        (a + b).power(-1)


def test_series() -> None:
    s = Series([Fraction(2), Fraction(1)])
    assert (s * s + 1).coefficients == [5, 4, 1]
    assert (s.power(3)).coefficients == [8, 12, 6, 1]
    inverse = s.power(-1)
    assert inverse.cut and (inverse * s).coefficients == [1]
    assert s.power(5).cut and s.power(5).at(4) == 10
    assert not s.power(4).cut
