"""Exact polynomials in entries of tensors: W₁₁ a₁ + W₁₂ a₂, with rational coefficients and integer powers.

Two polynomials are equal as dictionaries exactly when they are equal for all values. A function of entries, as f(z₁), is
a symbol of its own. Powers may be negative; only a single product can be inverted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .expr import Expr
from .network import TooLarge

__all__ = ["Poly", "Symbol", "Symbols"]

Monomial = tuple[tuple[int, int], ...]  # (symbol, power), sorted by symbol
Symbol = tuple[Expr, tuple[int, ...]]  # an entry of a name or of a function, counted from 0

_LIMIT = 4000  # products in one polynomial


class Symbols:
    """Entries by number, in order of their first appearance."""

    def __init__(self) -> None:
        self.known: list[Symbol] = []
        self.numbers: dict[Symbol, int] = {}

    def number(self, e: Expr, at: tuple[int, ...]) -> int:
        key = (e, at)
        if key not in self.numbers:
            self.numbers[key] = len(self.known)
            self.known.append(key)
        return self.numbers[key]

    def poly(self, e: Expr, at: tuple[int, ...]) -> Poly:
        return Poly({((self.number(e, at), 1),): Fraction(1)})


class Poly:
    """A sum of products of symbols; like terms are always collected. Raises TooLarge when it grows without bounds."""

    __slots__ = ("terms",)

    def __init__(self, terms: dict[Monomial, Fraction]) -> None:
        if len(terms) > _LIMIT:
            raise TooLarge
        self.terms = terms

    @staticmethod
    def of(value: Any) -> Poly:
        if isinstance(value, Poly):
            return value
        return Poly({(): Fraction(value)} if value else {})

    def __add__(self, other: Any) -> Poly:
        terms = dict(self.terms)
        for m, c in Poly.of(other).terms.items():
            total = terms.get(m, 0) + c
            if total:
                terms[m] = Fraction(total)
            else:
                del terms[m]
        return Poly(terms)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Poly:
        if not isinstance(other, Poly):
            return Poly({m: c * other for m, c in self.terms.items()} if other else {})
        if len(self.terms) * len(other.terms) > 4 * _LIMIT:
            raise TooLarge
        terms: dict[Monomial, Fraction] = {}
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                key = _merged(m, n)
                total = terms.get(key, 0) + c * d
                if total:
                    terms[key] = Fraction(total)
                else:
                    terms.pop(key, None)
        return Poly(terms)

    __rmul__ = __mul__

    def __neg__(self) -> Poly:
        return self * -1

    def __sub__(self, other: Any) -> Poly:
        return self + Poly.of(other) * -1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def power(self, exponent: int) -> Poly:
        """Raises TooLarge when a sum would have to be inverted: it is then no polynomial."""
        if exponent < 0:
            if len(self.terms) != 1:
                raise TooLarge
            [(m, c)] = self.terms.items()
            return Poly({tuple((s, p * exponent) for s, p in m): Fraction(c) ** exponent})
        made = Poly.of(1)
        for _ in range(exponent):
            made = made * self
        return made

    def slopes(self) -> dict[int, Poly]:
        """The partial derivative by each symbol: sum, product and power rule."""
        found: dict[int, dict[Monomial, Fraction]] = {}
        for m, c in self.terms.items():
            for k, (s, p) in enumerate(m):
                rest = m[:k] + (((s, p - 1),) if p != 1 else ()) + m[k + 1 :]
                terms = found.setdefault(s, {})
                terms[rest] = terms.get(rest, Fraction(0)) + c * p
        return {s: Poly({m: c for m, c in terms.items() if c}) for s, terms in found.items()}

    def renamed(self, names: dict[int, int]) -> Poly:
        """Some symbols called otherwise."""
        if not any(s in names for m in self.terms for s, _ in m):
            return self
        made = Poly({})
        for m, c in self.terms.items():
            made = made + Poly({_merged((), tuple((names.get(s, s), p) for s, p in m)): c})
        return made


def _merged(m: Monomial, n: Monomial) -> Monomial:
    powers = dict(m)
    for s, p in n:
        powers[s] = powers.get(s, 0) + p
    return tuple(sorted((s, p) for s, p in powers.items() if p))
