"""A third number system to test claims in: small numbers that a reader can check by hand.

The rational numbers, exactly, with every unknown function a small polynomial with integer coefficients. A known
function has a value only where that value is exact (exp 0, log 1, √4, relu of anything); `Rounded` gives the others in
floats, for examples whose sides differ by far more than rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from ..algebra.dense import Residue
from ..algebra.dims import Shape
from ..algebra.expr import Expr, postorder
from ..algebra.ops.defined import unfolded
from ..algebra.ops.free import is_free_function, is_free_map, is_name, is_var
from .field import OutOfDomain, Plain, Q

__all__ = ["RANKS", "Residues", "Rounded", "Small", "Unknown", "Unseen", "is_known", "neat", "unknowns"]

_LARGEST = 512  # bits of a number that is still small
RANKS = 4  # how many polynomials are tried for an unknown function
_EXACT = (Fraction(0), Fraction(1, 2), Fraction(1))  # the only values at 0 and 1 that floats show to be exact

# The polynomials that a function of one number may be: coefficients of 1, t, t², t³.
_SINGLE: tuple[tuple[int, ...], ...] = ((0, 0, 1), (0, 0, 0, 1), (0, 1, 1), (1, 1))


@dataclass(frozen=True, slots=True)
class Unknown:
    """A function of which only the name is known: entrywise of `count` numbers, or with arguments and values of given shapes."""

    name: str
    count: int
    args: tuple[Shape, ...] | None = None
    out: Shape = ()
    letters: tuple[str, ...] = ()  # what the arguments of a function of tensors are called


def unknowns(roots: Iterable[Expr]) -> list[Unknown]:
    """The unknown functions that occur, by name."""
    found: dict[str, Unknown] = {}
    for root in roots:
        for e in postorder(unfolded(root)):
            if is_free_map(e):
                found.setdefault(e.attrs[0], Unknown(e.attrs[0], len(e.args)))
            elif is_free_function(e):
                shapes = tuple(a.shape for a in e.args)
                generic = ("x",) if len(e.args) == 1 else tuple(f"x{k + 1}" for k in range(len(e.args)))
                named = tuple(str(a.attrs[0]) for a in e.args) if all(map(is_var, e.args)) else generic
                found.setdefault(e.attrs[0], Unknown(e.attrs[0], len(e.args), shapes, e.attrs[2], named))
    return [found[name] for name in sorted(found)]


def is_known(e: Expr) -> bool:
    """Whether it is a known function or constant without exact field arithmetic, such as exp(x) or π."""
    if is_name(e) or is_free_map(e) or is_free_function(e):
        return False
    if e.op.whole is not None and not e.op.kink:
        return False
    return e.op.define is None and e.op.entry is None and e.op.meaning(e) is None


def neat(x: Any) -> Any:
    """A whole number as an int."""
    return x.numerator if isinstance(x, Fraction) and x.denominator == 1 else x


def _small(x: Any) -> Any:
    """The number, neat; powers of powers soon have more digits than a machine has room for. Raises OutOfDomain."""
    if not isinstance(x, float):
        whole = x if isinstance(x, int) else x.numerator if abs(x) > 1 else x.denominator
        if whole.bit_length() > _LARGEST:
            raise OutOfDomain
    return neat(x)


class Small(Plain):
    """The rational numbers; the k-th unknown function of its kind is the polynomial number `rank` + k of a fixed list.

    `smooth` leaves out the points at which a function has no derivative.
    """

    mod: int | None = None
    exact = True

    def __init__(self, functions: Sequence[Unknown] = (), rank: int = 0, smooth: bool = False) -> None:
        self.rank: dict[str, int] = {}
        for entrywise in (True, False):
            alike = [f.name for f in functions if (f.args is None) == entrywise]
            self.rank |= {name: (rank + k) % RANKS for k, name in enumerate(alike)}
        self.base = rank
        self.smooth = smooth

    def draw(self) -> Any:
        raise OutOfDomain  # every name has a value before anything is computed

    def number(self, value: Fraction) -> Any:
        return neat(value)

    def constant(self, e: Expr) -> Any:
        raise OutOfDomain

    def power(self, x: Any, exponent: int) -> Any:
        if exponent >= 0:
            return _small(_small(x) ** exponent)
        if x == 0:
            raise OutOfDomain
        return x**exponent if isinstance(x, float) else _small(Fraction(_small(x)) ** exponent)

    def function(self, e: Expr, args: tuple[Any, ...]) -> Any:
        t = args[0]
        if e.op.kink and self.smooth and t == 0:
            raise OutOfDomain
        if e.op.exact is not None:
            return e.op.exact(int(t > 0), t)
        if e.op.root:
            return _root(t)
        if any(x not in (0, 1) for x in args):
            raise OutOfDomain
        try:
            value = Fraction(e.op.real(*map(float, args), **e.op.attributes(e)))
        except (ValueError, ZeroDivisionError, OverflowError) as why:
            raise OutOfDomain from why
        if value not in _EXACT:
            raise OutOfDomain
        return neat(value)

    def choose(self, values: Sequence[Any]) -> int:
        """The first of the largest numbers."""
        found = max(range(len(values)), key=lambda k: (values[k], -k))
        if self.smooth and sum(x == values[found] for x in values) > 1:
            raise OutOfDomain
        return found

    def position(self, i: Any, n: int) -> int:
        return int(math.floor(i) % n)

    # ---- unknown functions

    def free(self, name: str, orders: tuple[int, ...], args: tuple[Any, ...]) -> Any:
        """The value of ∂^orders f at the arguments."""
        total = 0
        if self.mod is None:
            for x in args:
                _small(x)
        for powers, c in _entrywise(self.rank.get(name, self.base), len(args)):
            term: Any = c
            for x, e, k in zip(args, powers, orders, strict=True):
                term = term * math.perm(e, k) * x ** (e - k) if k <= e else 0
            total += term
        return self.reduced(total)

    def reduced(self, x: Any) -> Any:
        return neat(x)

    def remember(self, args: tuple[tuple[Any, ...], ...]) -> Any:
        return args

    def entry(self, name: str, at: tuple[int, ...], hits: tuple[tuple[int, int], ...], args: Any) -> Any:
        """One entry of a function of tensors, differentiated once for every hit."""
        place = {(slot, k): n for n, (slot, k) in enumerate((s, k) for s, a in enumerate(args) for k in range(len(a)))}
        flat = [x for a in args for x in a]
        lead = 1 + sum(at)
        weights = [lead + n for n in range(len(flat))]
        found = [place[h] for h in hits]
        rank = self.rank.get(name, self.base)
        if rank == 3:  # (Σ c x)²
            inside = sum(c * x for c, x in zip(weights, flat, strict=True))
            factor: Any = math.prod(weights[n] for n in found)
            return (
                self.reduced(factor * math.perm(2, len(found)) * inside ** (2 - len(found))) if len(found) <= 2 else 0
            )
        total: Any = 0
        for e in ((1,), (2,), (1, 2))[rank]:
            if not found:
                total += sum(c * x**e for c, x in zip(weights, flat, strict=True))
            elif len(set(found)) == 1 and len(found) <= e:
                [n] = set(found)
                total += weights[n] * math.perm(e, len(found)) * flat[n] ** (e - len(found))
        return self.reduced(total)

    def told(self, f: Unknown, sizes: dict[str, int]) -> str:
        """What the function is here, as it is written: `f(t) = t²`."""
        rank = self.rank.get(f.name, self.base)
        if f.args is None:
            return _told_entrywise(f, rank)
        return _told_function(f, rank, sizes)


class Unseen(Exception):
    """A known function whose value modulo p says nothing about its value."""


class Residues(Small):
    """The same polynomials modulo a large prime: whether two sides can differ at all, however large the numbers get."""

    mod: int | None = Q

    def element(self, x: int) -> Residue:
        return Residue(x % Q, Q)

    def plain(self, x: Any) -> int:
        found: int = x.value if isinstance(x, Residue) else x
        return found % Q

    def number(self, value: Fraction) -> int:
        return value.numerator * pow(value.denominator, -1, Q) % Q

    def constant(self, e: Expr) -> Any:
        raise Unseen

    def power(self, x: Any, exponent: int) -> Any:
        if exponent < 0 and x % Q == 0:
            raise OutOfDomain
        return pow(x, exponent, Q)

    def function(self, e: Expr, args: tuple[Any, ...]) -> Any:
        raise Unseen

    def choose(self, values: Sequence[Any]) -> int:
        raise Unseen

    def reduced(self, x: Any) -> int:
        return int(x) % Q


class Rounded(Small):
    """The same with floats wherever a known function has no exact value."""

    exact = False

    def constant(self, e: Expr) -> Any:
        return float(e.op.real())

    def function(self, e: Expr, args: tuple[Any, ...]) -> Any:
        try:
            return super().function(e, args)
        except OutOfDomain:
            if e.op.kink and self.smooth and args[0] == 0:
                raise
        try:
            value = e.op.real(*map(float, args), **e.op.attributes(e))
        except (ValueError, ZeroDivisionError, OverflowError) as why:
            raise OutOfDomain from why
        if isinstance(value, complex) or not math.isfinite(value):
            raise OutOfDomain
        return float(value)


def _root(t: Any) -> Any:
    x = Fraction(t)
    if x < 0:
        raise OutOfDomain
    p, q = math.isqrt(x.numerator), math.isqrt(x.denominator)
    if p * p != x.numerator or q * q != x.denominator:
        raise OutOfDomain
    return neat(Fraction(p, q))


def _entrywise(rank: int, count: int) -> list[tuple[tuple[int, ...], int]]:
    """(exponents, coefficient) of every term of a function of `count` numbers."""
    if count == 1:
        return [((e,), c) for e, c in enumerate(_SINGLE[rank]) if c]
    one = [0] * count

    def power(k: int, e: int) -> tuple[int, ...]:
        return (*one[:k], e, *one[k + 1 :])

    if rank == 0:
        return [((1,) * count, 1)]
    if rank == 1:
        return [((2,) + (1,) * (count - 1), 1)]
    return [(power(k, rank - 1), k + 1) for k in range(count)]


_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _raised(base: str, e: int) -> str:
    return base if e == 1 else base + str(e).translate(_SUPERSCRIPT)


def _told_entrywise(f: Unknown, rank: int) -> str:
    letters = ["t"] if f.count == 1 else [f"t_{k + 1}" for k in range(f.count)]
    parts = []
    for powers, c in reversed(_entrywise(rank, f.count)):
        body = " ".join(_raised(x, e) for x, e in zip(letters, powers, strict=True) if e)
        parts.append(body if c == 1 and body else f"{c} {body}".strip())
    return f"{f.name}({', '.join(letters)}) = {' + '.join(parts)}"


def _told_function(f: Unknown, rank: int, sizes: dict[str, int]) -> str:
    """The first entry of a function of tensors, written out; every entry for a function with one number as its value."""
    assert f.args is not None
    places = []
    for letter, shape in zip(f.letters, f.args, strict=True):
        extents = [range(1, d.value(sizes) + 1) for d in shape]
        places += [f"{letter}_{''.join(map(str, at))}" if at else letter for at in product(*extents)]
    powers = ((1,), (2,), (1, 2), (1,))[rank]
    shown = places if len(places) <= 6 else places[:3]

    parts = [_raised(x, e) if n == 0 else f"{n + 1} {_raised(x, e)}" for n, x in enumerate(shown) for e in powers]
    body = " + ".join([*parts, *([] if len(shown) == len(places) else ["…"])])
    body = f"({body})²" if rank == 3 else body
    head = f"{f.name}({', '.join(f.letters)})"
    if not f.out:
        return f"{head} = {body}"
    index = "ijklpqrs"[: len(f.out)]
    start = " + ".join(index) + (f" − {len(index) - 1}" if len(index) > 1 else "")
    return f"{head}_{'1' * len(f.out)} = {body}, and so on: the weights of entry {', '.join(index)} start at {start}"
