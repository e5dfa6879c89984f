"""Sums, scaling, entrywise products and powers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from ..dims import Dim, Shape
from ..expr import OPERATORS, Expr
from ..op import NEG, POSTFIX, PRODUCT, SUM, TIMES, Meaning, leaf_op, linear_op, op
from ..op import rational as exact

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def same(e: Expr) -> str:
    """Letters for the axes of `e`, in order."""
    return LETTERS[: e.order]


def number(value: Fraction) -> str:
    """A rational as it is written: 3, ½, 0.3 or 2/3; every one of them reads back to the same value."""
    special = {Fraction(1, 2): "½", Fraction(1, 3): "⅓", Fraction(1, 4): "¼", Fraction(3, 4): "¾"}
    if value in special:
        return special[value]
    if value.denominator == 1:
        return str(value.numerator)
    decimal = _decimal(float(value)) if abs(value.numerator) < 10**9 * value.denominator else "e"
    exact = (
        "e" not in decimal
        and Fraction(decimal) == value
        and len(decimal) <= max(8, len(f"{value.numerator}/{value.denominator}"))
    )
    return decimal if exact else f"({value.numerator}/{value.denominator})"


def _decimal(x: float) -> str:
    """As it is written without a power of ten, where that has a few zeros: 0.00001."""
    return f"{x:.6f}".rstrip("0") if 1e-7 < abs(x) < 1e-4 else repr(x)


def number_latex(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    plain = number(value)
    sign = "-" if value < 0 else ""
    return plain if "." in plain else rf"{sign}\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"


@leaf_op(
    attrs=("value",),
    number=True,
    shape=lambda attrs: (),
    means=lambda e: Meaning("->", (), scale=e.attrs[0]),
    text=lambda e: number(e.attrs[0]),
    latex=lambda e: number_latex(e.attrs[0]),
    code=lambda e: repr(float(e.attrs[0])),
)
def const() -> None:
    """A rational number."""


@leaf_op(
    attrs=("dim",),
    shape=lambda attrs: (),
    means=lambda e: Meaning("->", (), times=(e.attrs[0],)),
    text=lambda e: str(e.attrs[0]) if e.attrs[0].name else f"({e.attrs[0]})",
    latex=lambda e: str(e.attrs[0]) if e.attrs[0].name else f"({e.attrs[0]})",
)
def size() -> None:
    """The size of an axis, used as a number."""


@leaf_op(shape=lambda attrs: (), text="π", latex=r"\pi", code="xp.pi", real=lambda: 3.141592653589793)
def pi() -> None:
    """The circle constant: an opaque number for exact checks."""


@linear_op(
    "X[*s], Y[*s] -> [*s]",
    linear="joint",
    means=lambda e: [Meaning(f"{same(e)}->{same(e)}", [0]), Meaning(f"{same(e)}->{same(e)}", [1])],
    alone=lambda k, d: d,
    text="$X + $Y:11",
    latex="$X + $Y:11",
    fix=SUM,
    token="+",
    entrywise=True,
    code="$X + $Y",
)
def add(G: Expr, X: Expr, Y: Expr) -> tuple[Expr, Expr]:
    """A pairing is linear: ⟨G, X + Y⟩ = ⟨G, X⟩ + ⟨G, Y⟩.

    X M-ADD: ⟨$G, $dX + …⟩ = ⟨$G, $dX⟩ + … | the sum over all entries is taken term by term
    Y M-ADD: ⟨$G, … + $dY⟩ = … + ⟨$G, $dY⟩ | the sum over all entries is taken term by term
    """
    return G, G


@linear_op(
    "X[*s], Y[*s] -> [*s]",
    linear="joint",
    means=lambda e: [Meaning(f"{same(e)}->{same(e)}", [0]), Meaning(f"{same(e)}->{same(e)}", [1], scale=-1)],
    alone=lambda k, d: -d if k else d,
    text="$X − $Y:11",
    latex="$X - $Y:11",
    fix=SUM,
    token="-",
    entrywise=True,
    code="$X - $Y",
)
def sub(G: Expr, X: Expr, Y: Expr) -> tuple[Expr, Expr]:
    """A pairing is linear: ⟨G, X − Y⟩ = ⟨G, X⟩ − ⟨G, Y⟩.

    X M-ADD: ⟨$G, $dX − …⟩ = ⟨$G, $dX⟩ − … | the sum over all entries is taken term by term
    Y M-ADD: ⟨$G, … − $dY⟩ = … + ⟨−$G, $dY⟩ | the sum over all entries is taken term by term
    """
    return G, -G


@linear_op(
    "X[*s] -> [*s]",
    linear="joint",
    means=lambda e: Meaning(f"{same(e)}->{same(e)}", [0], scale=-1),
    text="−$X:15",
    latex="-$X:15",
    fix=NEG,
    token="neg",
    code="-$X",
)
def neg(G: Expr, X: Expr) -> Expr:
    """A pairing is linear: ⟨G, −X⟩ = ⟨−G, X⟩.

    X M-SCALE: ⟨$G, −$dX⟩ = ⟨−$G, $dX⟩ | the factor −1 may stand on either side of each product
    """
    return -G


@linear_op(
    "s[], X[*s] -> [*s]",
    linear="each",
    means=lambda e: Meaning(f",{same(e)}->{same(e)}", [0, 1]),
    text="$s:30 $X:20",
    latex=r"$s:30\, $X:20",
    fix=PRODUCT,
    token="*",
    commutes=True,
    scales=True,
    code="$s * $X",
)
def smul(G: Expr, s: Expr, X: Expr) -> tuple[Expr, Expr]:
    """⟨G, s X⟩ = s ⟨G, X⟩: a scalar factor may stand anywhere.

    s M-SCALAR: ⟨$G, $ds $X⟩ = ⟨$G, $X⟩ · $ds | the number $ds is a factor of every term of the sum over all entries
    X M-SCALE: ⟨$G, $s $dX⟩ = ⟨$s $G, $dX⟩ | the number $s is a factor of every term of the sum over all entries
    """
    return OPERATORS["inner"](G, X), s * G


@linear_op(
    "X[*s], Y[*s] -> [*s]",
    linear="each",
    means=lambda e: Meaning(f"{same(e)},{same(e)}->{same(e)}", [0, 1]),
    text="$X:30 ⊙ $Y:30",
    latex=r"$X:30 \odot $Y:30",
    fix=TIMES,
    token="*",
    entrywise=True,
    code="$X * $Y",
)
def hadamard(G: Expr, X: Expr, Y: Expr) -> tuple[Expr, Expr]:
    """⟨G, X ⊙ Y⟩ = ⟨G ⊙ Y, X⟩ = ⟨G ⊙ X, Y⟩: in a sum over entries, three factors may be grouped at will.

    X M-HAD: ⟨$G, $dX ⊙ $Y⟩ = ⟨$G ⊙ $Y, $dX⟩ | Σ $G ⊙ ($dX ⊙ $Y) = Σ ($G ⊙ $Y) ⊙ $dX, summed over all entries: the same products
    Y M-HAD: ⟨$G, $X ⊙ $dY⟩ = ⟨$G ⊙ $X, $dY⟩ | Σ $G ⊙ ($X ⊙ $dY) = Σ ($G ⊙ $X) ⊙ $dY, summed over all entries: the same products
    """
    return G * Y, G * X


def _power_text(e: Expr, dot: str) -> str:
    value: Fraction = e.attrs[0]
    plain = number(value)
    return "$X^" + (dot if e.order else "") + (plain if value.denominator == 1 else f"({value})")


def _power_means(e: Expr) -> Meaning | None:
    exponent: Fraction = e.attrs[0]
    return Meaning(f"{same(e)}->{same(e)}", [0], power=int(exponent)) if exponent.denominator == 1 else None


def _power_code(e: Expr) -> str:
    value: Fraction = e.attrs[0]
    if value == Fraction(1, 2):
        return "xp.sqrt($X)"
    if value == Fraction(-1, 2):
        return "1 / xp.sqrt($X)"
    if value == -1:
        return "1 / $X"
    return f"$X ** {value.numerator if value.denominator == 1 else float(value)!r}"


@op(
    "X[*s] -> [*s]",
    attrs=("exponent",),
    means=_power_means,
    text=lambda e: _power_text(e, "∘"),
    latex=lambda e: "$X^{" + (r"\circ " if e.order else "") + str(e.attrs[0]) + "}",
    fix=POSTFIX,
    needs=lambda e: (
        ""
        if e.attrs[0].denominator == 1 and e.attrs[0] >= 0
        else "every entry of $X is nonzero"
        if e.attrs[0].denominator == 1
        else "every entry of $X is positive"
    ),
    real=lambda t, exponent: t ** float(exponent) if exponent.denominator > 1 else t ** int(exponent),
    code=_power_code,
)
def power(Y: Expr, X: Expr, dX: Expr, *, exponent: Fraction) -> Expr:
    """d(tᵉ) = e tᵉ⁻¹ dt in every entry.

    X D-POW: each entry is a power of the same entry of $X, and d(tᵉ) = e tᵉ⁻¹ dt
    """
    if exponent == 1:
        return dX
    if exponent == Fraction(-1, 2):  # from y² t = 1 follows 2 y t dy + y² dt = 0
        return (const(value=exponent) * power(Y, exponent=Fraction(3))) * dX
    if exponent.denominator != 1:  # through the forward value, since roots have no exact field arithmetic
        return (const(value=exponent) * (Y / X)) * dX
    lower = X if exponent == 2 else power(X, exponent=exponent - 1)
    return (const(value=exponent) * lower) * dX


@op(
    "X[*s], s[] -> [*s]",
    define=lambda e, X, s: power(s, exponent=Fraction(-1)) * X,
    text="$X:30 / $s:30",
    latex=r"$X:30 / $s:30",
    fix=TIMES,
    token="/",
    divides=True,
    needs="$s ≠ 0",
    code="$X / $s",
)
def sdiv(Z: Expr, X: Expr, s: Expr, dX: Expr, ds: Expr) -> tuple[Expr, Expr]:
    """Differentiate s Z = X: ds Z + s dZ = dX, and solve for dZ.

    X D-DIV: d($X / $s) = $dX / $s, $s held still
    s D-DIV: d($X / $s) = −$ds (($X / $s) / $s), $X held still
    """
    return power(s, exponent=Fraction(-1)) * dX, -(ds * (Z / s))


@op(
    "X[*s], Y[*s] -> [*s]",
    define=lambda e, X, Y: X * power(Y, exponent=Fraction(-1)),
    text="$X:30 ⊘ $Y:30",
    latex=r"$X:30 \oslash $Y:30",
    fix=TIMES,
    token="/",
    entrywise=True,
    needs="every entry of $Y is nonzero",
    code="$X / $Y",
)
def divide(Z: Expr, X: Expr, Y: Expr, dX: Expr, dY: Expr) -> tuple[Expr, Expr]:
    """Differentiate Z ⊙ Y = X entry by entry: dZ ⊙ Y + Z ⊙ dY = dX, and solve for dZ.

    X D-DIV: d($X ⊘ $Y) = $dX ⊘ $Y, $Y held still
    Y D-DIV: d($X ⊘ $Y) = −(($X ⊘ $Y) ⊘ $Y) ⊙ $dY, $X held still
    """
    return power(Y, exponent=Fraction(-1)) * dX, -((Z / Y) * dY)


def _fill(scalar: Expr, shape: Shape) -> Expr:
    """The tensor whose every entry is `scalar`."""
    constant = OPERATORS["ones"](shape)
    return constant if scalar.op is const and scalar.attrs[0] == 1 else smul(scalar, constant)


def _raised(X: Expr, exponent: Any) -> Expr:
    return OPERATORS["^"](X, exponent) if isinstance(exponent, Expr) else power(X, exponent=exact(exponent))


def rational(value: Any) -> Expr:
    """A number as an expression."""
    return const(value=Fraction(value))


def raised(X: Expr, exponent: Fraction | int) -> Expr:
    """Every entry to a power; X itself for 1."""
    return X if exponent == 1 else power(X, exponent=Fraction(exponent))


def size_of(dim: Dim, exponent: int = 1) -> Expr:
    """The size of an axis as a scalar, to a power; a plain number when it is one."""
    return raised(const(value=Fraction(dim.constant)) if dim.constant is not None else size(dim=dim), exponent)


def scaled(coef: Fraction, sizes: Iterable[tuple[Dim, int]], body: Expr) -> Expr:
    """coef · Π sizes · body, without a factor 1 and with a minus sign for a negative coefficient."""
    for d, p in sizes:
        body = size_of(d, p) * body
    if abs(coef) != 1:
        body = rational(abs(coef)) * body
    return -body if coef < 0 else body


def added(parts: Sequence[Expr]) -> Expr:
    """The sum of one or more expressions of one shape, from left to right."""
    total = parts[0]
    for p in parts[1:]:
        total = total + p
    return total


def negated(e: Expr) -> Expr | None:
    """X where `e` is −X."""
    return e.args[0] if e.op is neg else None


def unsigned(e: Expr) -> tuple[Expr, ...]:
    """What −e has too, in some order: X for X and −X, X and Y for X − Y and Y − X."""
    while e.op is neg:
        e = e.args[0]
    return e.args if e.op is sub else (e,)


OPERATORS["**"] = _raised
OPERATORS["fill"] = _fill
