"""Two number systems to test claims in: the integers modulo a prime, exactly, and floats.

Modulo p, an unknown f is an independent random value per (f, order, argument): an identity that holds for these holds
for every smooth f (jets, theory.md §2.6, T5). Known functions are opaque there too; only their slopes are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from random import Random
from typing import Any, Protocol

from ..algebra.dense import Residue, flat, power_series
from ..algebra.expr import Expr

__all__ = ["Degenerate", "Field", "Modular", "OutOfDomain", "P", "Plain", "Q", "Real", "TooLarge"]

P = 2**61 - 1
Q = 0xEF524E98498A9207DABD23E06DC22E7EF1C79563  # a second prime, drawn at random once: no equation was made for it
_KINK, _HUGE = 1e-2, 1e4
_TIE = 1e-4  # relative distance below which it is not certain which of two numbers is the larger near by
_TERMS = 12  # of the power series of a matrix function
_EXACT = (Fraction(0), Fraction(1, 2), Fraction(1))
_PLAIN = 1000  # numerators and denominators up to which a residue is read as the fraction that it is


class OutOfDomain(Exception):
    """The random point is outside the domain of a function: draw another."""


class Degenerate(OutOfDomain):
    """A matrix without an inverse at a random point modulo p: so it is, but for a chance of n/p, at every point of these sizes."""


class TooLarge(OutOfDomain):
    """A float without digits left: this says nothing about the domain."""


class Field(Protocol):
    """Numbers, and what functions do to them."""

    mod: int | None

    def number(self, value: Fraction) -> Any: ...
    def constant(self, e: Expr) -> Any: ...
    def power(self, x: Any, exponent: int) -> Any: ...
    def function(self, e: Expr, args: tuple[Any, ...]) -> Any: ...
    def free(self, name: str, orders: tuple[int, ...], args: tuple[Any, ...]) -> Any: ...
    def remember(self, args: tuple[tuple[Any, ...], ...]) -> Any: ...
    def entry(self, name: str, at: tuple[int, ...], hits: tuple[tuple[int, int], ...], args: Any) -> Any: ...
    def draw(self) -> Any: ...
    def element(self, x: Any) -> Any: ...
    def plain(self, x: Any) -> Any: ...
    def array(self, e: Expr, args: Sequence[Any], count: int) -> list[Any]: ...
    def algorithm(self, e: Expr) -> Callable[..., Any] | None: ...
    def choose(self, values: Sequence[Any]) -> int: ...
    def position(self, i: Any, n: int) -> int: ...


class Modular:
    """The integers modulo a prime, 2⁶¹ − 1 if nothing else is asked for, at the random point number `attempt` of a test named `seed`.

    Points differ in two ways that a domain may demand: odd attempts lie where every relu is open, and after STRICT
    attempts the root of a number that is no square is an opaque value instead of a reason to draw again.

    Residues have no sign. Each pair t, −t is given one, at random, so that step(−t) = 1 − step(t). With `ties` some pairs
    have none for functions that jump: what holds then holds where t = 0 too, since the others are continuous there.
    """

    mod: int | None
    STRICT = 24

    def __init__(self, seed: str, attempt: int = 0, prime: int = P, ties: bool = False) -> None:
        self.mod = self.prime = prime  # 3 modulo 4
        self.random = Random(f"{seed}.{attempt}")
        self.open = attempt % 2 == 1
        self.strict = attempt < self.STRICT
        self.ties = ties
        self.table: dict[tuple[Any, ...], int] = {}

    def draw(self) -> int:
        return self.random.randrange(1, self.prime)

    def element(self, x: int) -> Residue:
        """A number as algorithms calculate with it."""
        return Residue(x % self.prime, self.prime)

    def plain(self, x: Any) -> int:
        found: int = x.value if isinstance(x, Residue) else x
        return found % self.prime

    def algorithm(self, e: Expr) -> Callable[..., Any] | None:
        """What can be run on dual numbers; a matrix function is a power series with random coefficients."""
        if not e.op.series:
            return None if e.op.exactly is None else partial(e.op.exactly, **e.op.attributes(e))
        coefficients = [self.opaque("series", e.op.series, k) for k in range(_TERMS)]
        return partial(power_series, coefficients, self.prime)

    def array(self, e: Expr, args: Sequence[Any], count: int) -> list[int]:
        """The entries of a tensor function without exact arithmetic: random values, the same for the same arguments."""
        key = self.opaque(
            "arguments",
            e.op.name,
            e.attrs,
            *(tuple(x.value for x in flat(a, b.order)) for a, b in zip(args, e.args, strict=True)),
        )
        return [self.opaque("array", key, k) for k in range(count)]

    def opaque(self, *key: Any) -> int:
        """The one random value of this key."""
        if key not in self.table:
            self.table[key] = self.draw()
        return self.table[key]

    def number(self, value: Fraction) -> int:
        return value.numerator * self.power(value.denominator, -1) % self.prime

    def constant(self, e: Expr) -> int:
        return self.opaque("constant", e.op.name)

    def power(self, x: int, exponent: int) -> int:
        if exponent < 0 and x % self.prime == 0:
            raise OutOfDomain
        return pow(x, exponent, self.prime)

    def function(self, e: Expr, args: tuple[int, ...]) -> int:
        if e.op.exact is not None:
            tie = self.ties and e.op.jumps and self.tie(args[0])
            return 0 if tie else int(e.op.exact(self.side(args[0]), *args)) % self.prime
        if e.op.root and self.strict and not e.shape:
            found = pow(args[0], (self.prime + 1) // 4, self.prime)
            if found * found % self.prime != args[0] % self.prime:
                raise OutOfDomain
            return found
        at_zero = None if any(x % self.prime for x in args) else _at_zero(e.op, e.attrs, len(args))
        return self.opaque(e.op.name, e.attrs, args) if at_zero is None else self.number(at_zero)

    def side(self, t: int) -> int:
        """1 where t counts as positive, else 0: as it is for a small fraction, at random otherwise."""
        t %= self.prime
        told = _sign(t, self.prime)
        if told is not None:
            return int(told > 0)
        first = min(t, self.prime - t)
        if self.open:  # the side that was asked for first is the open one
            return int(self.table.setdefault(("open", first), t) == t)
        return self.opaque("coin", first) & 1 ^ int(t != first)

    def choose(self, values: Sequence[int]) -> int:
        """Which of the numbers counts as the largest: the first that is, where they are small fractions, else one at random."""
        best = 0
        for k, x in enumerate(values):
            told = _sign((x - values[best]) % self.prime, self.prime)
            if told is None:
                return self.opaque("largest", *values) % len(values)
            best = k if told > 0 else best
        return best

    def position(self, i: int, n: int) -> int:
        """The place that i names in an axis of n entries; what is no whole number stands for some place."""
        return i % self.prime % n

    def tie(self, t: int) -> bool:
        """Whether t counts as 0, at random."""
        t %= self.prime
        return _sign(t, self.prime) is None and bool(self.opaque("tie", min(t, self.prime - t)) & 1)

    def free(self, name: str, orders: tuple[int, ...], args: tuple[int, ...]) -> int:
        return self.opaque("free", name, orders, args)

    def remember(self, args: tuple[tuple[Any, ...], ...]) -> int:
        """A short name for an argument, so that a large one is hashed once and not for every entry."""
        return self.opaque("argument", args)

    def entry(self, name: str, at: tuple[int, ...], hits: tuple[tuple[int, int], ...], args: int) -> int:
        return self.opaque("entry", name, at, tuple(sorted(hits)), args)


class Plain:
    """What a number system without exact roots and without floats makes of tensor functions."""

    def element(self, x: Any) -> Any:
        """A number as algorithms calculate with it: it is one of its own field already."""
        return x

    def plain(self, x: Any) -> Any:
        return x

    def algorithm(self, e: Expr) -> Callable[..., Any] | None:
        return None if e.op.exactly is None else partial(e.op.exactly, **e.op.attributes(e))

    def array(self, e: Expr, args: Sequence[Any], count: int) -> list[Any]:
        """Raises OutOfDomain: there is no exact value."""
        raise OutOfDomain


class Real:
    """Floats; an unknown f is a sine of its own frequency and phase, whose derivatives are known in closed form."""

    mod: int | None = None

    def __init__(self, seed: str, positive: bool = False) -> None:
        self.random = Random(seed)
        self.positive = positive
        self.centre = 0.0  # 0: entries of size about 1, else entries near this number
        self.table: dict[tuple[Any, ...], float] = {}

    def element(self, x: float) -> float:
        return x

    def plain(self, x: Any) -> float:
        return float(x)

    def algorithm(self, e: Expr) -> Callable[..., Any] | None:
        return None if e.op.exactly is None else partial(e.op.exactly, **e.op.attributes(e))

    def array(self, e: Expr, args: Sequence[Any], count: int) -> list[float]:
        assert e.op.floats is not None
        return flat(e.op.floats(*args, **e.op.attributes(e)), e.order)

    def choose(self, values: Sequence[float]) -> int:
        """The first of the largest numbers. Raises OutOfDomain where another one is nearly as large."""
        found = max(range(len(values)), key=lambda k: (values[k], -k))
        if any(k != found and values[found] - x < _TIE * max(1.0, abs(x)) for k, x in enumerate(values)):
            raise OutOfDomain  # a difference across a kink is not a derivative
        return found

    def position(self, i: float, n: int) -> int:
        return int(i if i == int(i) else i * 2**20) % n

    def draw(self) -> float:
        if self.centre:
            return self.random.uniform(0.8, 1.2) * self.centre
        return self.random.uniform(0.3, 1.2) * (1 if self.positive else self.random.choice((-1, 1)))

    def wander(self) -> None:
        """The next draws may have another sign and another size: for narrow domains."""
        self.positive = self.random.random() < 0.5
        near = self.random.random() < 0.7
        self.centre = self.random.choice((-1, 1)) * 10 ** self.random.uniform(-2, 2) if near else 0.0

    def _coefficient(self, *key: Any) -> float:
        if key not in self.table:
            self.table[key] = Random(repr(key)).uniform(0.4, 1.1)
        return self.table[key]

    def number(self, value: Fraction) -> float:
        try:
            return float(value)
        except OverflowError as why:
            raise TooLarge from why

    def constant(self, e: Expr) -> float:
        return float(e.op.real())

    def power(self, x: float, exponent: int) -> float:
        if exponent < 0 and x == 0:
            raise OutOfDomain
        try:
            return float(x**exponent)
        except OverflowError as why:
            raise TooLarge from why

    def function(self, e: Expr, args: tuple[float, ...]) -> float:
        if e.op.kink and abs(args[0]) < _KINK:
            raise OutOfDomain  # a difference across a kink is not a derivative
        try:
            value = e.op.real(*args, **e.op.attributes(e))
        except OverflowError as why:
            raise TooLarge from why
        except (ValueError, ZeroDivisionError) as why:
            raise (OutOfDomain if all(map(math.isfinite, args)) else TooLarge) from why
        if isinstance(value, complex):
            raise OutOfDomain
        if not math.isfinite(value):
            raise TooLarge
        return float(value)

    def free(self, name: str, orders: tuple[int, ...], args: tuple[float, ...]) -> float:
        phase = self._coefficient(name, "phase")
        scale = 1.0
        for i, x in enumerate(args):
            c = self._coefficient(name, i)
            phase += c * x
            scale *= c ** orders[i]
        if abs(phase) > _HUGE:
            raise TooLarge  # its digits are lost, and with them every difference
        return scale * math.sin(phase + math.pi / 2 * sum(orders))

    def remember(self, args: tuple[tuple[Any, ...], ...]) -> tuple[tuple[Any, ...], ...]:
        return args

    def entry(self, name: str, at: tuple[int, ...], hits: tuple[tuple[int, int], ...], args: Any) -> float:
        phase = self._coefficient(name, at, "phase")
        for slot, values in enumerate(args):
            for k, x in enumerate(values):
                phase += self._coefficient(name, at, slot, k) * x
        scale = 1.0
        for slot, k in hits:
            scale *= self._coefficient(name, at, slot, k)
        if abs(phase) > _HUGE:
            raise TooLarge
        return scale * math.sin(phase + math.pi / 2 * len(hits))


def _sign(t: int, p: int) -> int | None:
    """The sign of the fraction with small numerator and denominator that t is modulo p, None if it is no such fraction.

    A random residue is one with a chance of about 10⁻¹²."""
    above, below, top, bottom = p, t, 0, 1  # below ≡ bottom · t
    while below > _PLAIN:
        q = above // below
        above, below, top, bottom = below, above - q * below, bottom, top - q * bottom
    if abs(bottom) > _PLAIN:
        return None
    return (below > 0) if bottom > 0 else -(below > 0)


@lru_cache(maxsize=256)
def _at_zero(op: Any, attrs: tuple[Any, ...], count: int) -> Fraction | None:
    """The value at 0 where that is 0, ½ or 1: exp(0) = 1. Floats show no other value to be exact."""
    if op.real is None:
        return None
    try:
        value = Fraction(op.real(*[0.0] * count, **dict(zip(op.attr_names, attrs, strict=True))))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if value in _EXACT else None


def dot(a: Sequence[Any], b: Sequence[Any], mod: int | None) -> Any:
    """Σ aᵢ bᵢ."""
    total = sum(x * y for x, y in zip(a, b, strict=True))
    return total % mod if mod else total
