"""Exact polynomials in one variable h up to h⁴: what a change of one entry by h does to a value, without any derivative."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

__all__ = ["ORDER", "Series"]

ORDER = 4


class Series:
    """c₀ + c₁ h + … + c₄ h⁴; `cut` when higher powers were left out."""

    __slots__ = ("coefficients", "cut")

    def __init__(self, coefficients: list[Fraction], cut: bool = False) -> None:
        kept = list(coefficients[: ORDER + 1])
        self.cut = cut or any(coefficients[ORDER + 1 :])
        while len(kept) > 1 and not kept[-1]:
            kept.pop()
        self.coefficients = kept

    @staticmethod
    def of(x: Any) -> Series:
        return x if isinstance(x, Series) else Series([Fraction(x)])

    def at(self, k: int) -> Fraction:
        return self.coefficients[k] if k < len(self.coefficients) else Fraction(0)

    def __add__(self, other: Any) -> Series:
        b = Series.of(other)
        n = max(len(self.coefficients), len(b.coefficients))
        return Series([self.at(k) + b.at(k) for k in range(n)], self.cut or b.cut)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Series:
        b = Series.of(other)
        made = [Fraction(0)] * (len(self.coefficients) + len(b.coefficients) - 1)
        for i, x in enumerate(self.coefficients):
            for j, y in enumerate(b.coefficients):
                made[i + j] += x * y
        return Series(made, self.cut or b.cut)

    __rmul__ = __mul__

    def __neg__(self) -> Series:
        return self * -1

    def __sub__(self, other: Any) -> Series:
        return self + -Series.of(other)

    def __rsub__(self, other: Any) -> Series:
        return Series.of(other) - self

    def __truediv__(self, other: Any) -> Series:
        return self * Series.of(other).inverse()

    def __rtruediv__(self, other: Any) -> Series:
        return Series.of(other) / self

    def inverse(self) -> Series:
        """1/s by s · (1/s) = 1. Raises ZeroDivisionError."""
        c0 = self.at(0)
        made = [1 / c0]
        for k in range(1, ORDER + 1):
            made.append(-sum((self.at(j) * made[k - j] for j in range(1, k + 1)), Fraction(0)) / c0)
        return Series(made, self.cut or len(self.coefficients) > 1)

    def power(self, exponent: int) -> Series:
        base = self.inverse() if exponent < 0 else self
        made = Series([Fraction(1)])
        for _ in range(abs(exponent)):
            made = made * base
        return made
