"""The size of an axis is a polynomial in size symbols with integer coefficients: `m`, `n + 1`, `h*d`.

Two sizes are equal when their normal forms are equal; nothing is unified because values happen to agree
(theory.md §3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

__all__ = ["Dim", "Shape", "entries_of", "show_shape", "sized"]

_Monomial = tuple[str, ...]  # sorted symbols, with repetition: ("h", "d"), () for the constant


class Dim:
    """One axis size in normal form; immutable, compared by value."""

    __slots__ = ("_hash", "_text", "terms")

    terms: tuple[tuple[_Monomial, int], ...]

    def __init__(self, terms: Mapping[_Monomial, int]) -> None:
        self.terms = tuple(sorted((m, c) for m, c in terms.items() if c))
        self._hash = hash(self.terms)
        self._text = ""

    @staticmethod
    def symbol(name: str) -> Dim:
        return Dim({(name,): 1})

    @staticmethod
    def number(value: int) -> Dim:
        return Dim({(): value})

    @staticmethod
    def of(value: Dim | int | str) -> Dim:
        """A `Dim` as it is; an integer as a constant; a string as one symbol."""
        if isinstance(value, Dim):
            return value
        return Dim.number(value) if isinstance(value, int) else Dim.symbol(value)

    def __add__(self, other: Dim) -> Dim:
        terms = dict(self.terms)
        for m, c in other.terms:
            terms[m] = terms.get(m, 0) + c
        return Dim(terms)

    def __sub__(self, other: Dim) -> Dim:
        return self + other * Dim.number(-1)

    def __mul__(self, other: Dim) -> Dim:
        terms: dict[_Monomial, int] = {}
        for m, c in self.terms:
            for k, d in other.terms:
                key = tuple(sorted(m + k))
                terms[key] = terms.get(key, 0) + c * d
        return Dim(terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    @property
    def constant(self) -> int | None:
        """Its value if it is a plain number, else None."""
        if not self.terms:
            return 0
        return self.terms[0][1] if len(self.terms) == 1 and self.terms[0][0] == () else None

    @property
    def name(self) -> str | None:
        """The symbol if it is one symbol alone, else None."""
        if len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1:
            return self.terms[0][0][0]
        return None

    def symbols(self) -> set[str]:
        return {s for m, _ in self.terms for s in m}

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number it stands for. Raises KeyError for a symbol without a size."""
        total = 0
        for m, c in self.terms:
            for s in m:
                c *= sizes[s]
            total += c
        return total

    def at_least(self, other: Dim) -> bool:
        """Whether self ≥ other for all sizes ≥ 1, as far as the coefficients show it; False means unknown."""
        difference = (self - other).terms
        return all(c > 0 for m, c in difference if m) and sum(c for _, c in difference) >= 0

    def over(self, other: Dim) -> Dim | None:
        """The quotient if it is a size again: 6*m*n over 2*n is 3*m. None if it is not, or if `other` is a sum."""
        if len(other.terms) != 1:
            return Dim.number(1) if self == other else None
        (below, c), found = other.terms[0], {}
        for m, k in self.terms:
            rest = list(m)
            for s in below:
                if s not in rest:
                    return None
                rest.remove(s)
            if k % c:
                return None
            found[tuple(rest)] = k // c
        return Dim(found)

    def substitute(self, bind: Mapping[str, Dim]) -> Dim:
        """Each symbol replaced by what `bind` says."""
        if not (self.symbols() & bind.keys()):
            return self
        total = Dim({})
        for m, c in self.terms:
            product = Dim.number(c)
            for s in m:
                product = product * bind.get(s, Dim.symbol(s))
            total = total + product
        return total

    def __str__(self) -> str:
        if not self._text:
            self._text = self._written()
        return self._text

    def _written(self) -> str:
        parts: list[str] = []
        for m, c in sorted(self.terms, key=lambda t: (-len(t[0]), t[0])):
            body = "*".join(m) if m else ""
            size = str(abs(c)) if not m or abs(c) != 1 else ""
            text = "*".join(p for p in (size, body) if p)
            sign = ("-" if c < 0 else "") if not parts else (" - " if c < 0 else " + ")
            parts.append(sign + text)
        return "".join(parts) or "0"

    def __repr__(self) -> str:
        return f"Dim({self})"


Shape = tuple[Dim, ...]


def entries_of(shape: Shape) -> Dim:
    """How many entries an array of this shape has."""
    return prod(shape, start=Dim.number(1))


def show_shape(shape: Iterable[Dim]) -> str:
    """`scalar`, `(n)` or `(m, n)`."""
    dims = [str(d) for d in shape]
    return f"({', '.join(dims)})" if dims else "scalar"


def sized(data: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Data of a node with numbers for the sizes in them."""

    def number(x: Any) -> Any:
        return x.value(sizes) if isinstance(x, Dim) else x

    return {k: tuple(map(number, x)) if isinstance(x, tuple) else number(x) for k, x in data.items()}
