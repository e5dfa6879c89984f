"""Exponentials, logarithms and powers of every entry, with derivatives through the forward value.

`mapped` declares any function of one number that is applied entry by entry; the other rooms of entrywise functions use it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ..expr import OPERATORS, Expr
from ..op import POSTFIX, Op, op
from .arithmetic import power, raised, rational

HALF, INVERSE = Fraction(1, 2), Fraction(-1)


def mapped(
    name: str, real: Callable[..., float] | None = None, latex: str = "", names: tuple[str, ...] = (), **data: Any
) -> Callable[[Callable[..., Expr]], Op]:
    """Declare an entrywise function of one number by its differential; `names` are other spellings.

    Without `latex` it is written as an upright word."""
    shown = latex or rf"\operatorname{{{name}}}".replace("_", r"\_")
    return op("X[*s] -> [*s]", name=name, text=f"{name}($X:0)", latex=shown if "$" in shown else shown + "($X:0)",
              calls=(name, *names), entrywise=True, real=real, **data)  # fmt: skip


def with_numbers(name: str, *slots: str, omitted: tuple[Fraction, ...]) -> dict[str, Any]:
    """How a function of X and numbers is written and called: `elu(x, a)`, and `elu(x)` for the usual numbers."""

    def shown(e: Expr) -> str:
        usual = all(a.op.number and a.attrs[0] == value for a, value in zip(e.args[1:], omitted, strict=True))
        return "($X:0" + ("" if usual else "".join(f", ${s}:0" for s in slots)) + ")"

    word = rf"\operatorname{{{name}}}".replace("_", r"\_")
    return {"text": lambda e: name + shown(e), "latex": lambda e: word + shown(e), "omitted": omitted}


def reciprocal_of(X: Expr) -> Expr:
    """1/t for every entry."""
    return power(X, exponent=INVERSE)


def filled(s: Expr, X: Expr) -> Expr:
    """The number s in every entry, shaped like X."""
    return OPERATORS["fill"](s, X.shape) if X.order else s


# ---- exponentials ------------------------------------------------------------------------------------------


@mapped("exp", math.exp, latex=r"\exp", code="xp.exp($X)", gives=("positive",))
def exp(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """exp is its own derivative.

    X D-MAP: exp acts entry by entry and exp′ = exp, so d exp($X) = exp($X) ⊙ $dX
    """
    return Y * dX


@mapped("expm1", math.expm1, define=lambda e, X: exp(X) - 1, code="xp.expm1($X)", keeps=("order",))
def expm1(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """expm1(t) = eᵗ − 1, and the derivative of a constant is 0.

    X D-MAP: expm1 acts entry by entry and expm1′ = exp
    """
    return exp(X) * dX


@mapped("exp2", lambda t: 2.0**t, define=lambda e, X: _two_to(X), code="xp.exp2($X)", gives=("positive",))
def exp2(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """2ᵗ = exp(t log 2), so its derivative is 2ᵗ log 2.

    X D-MAP: 2ᵗ acts entry by entry and (2ᵗ)′ = (log 2) 2ᵗ, written through the forward value
    """
    return log(rational(2)) * Y * dX


# ---- logarithms --------------------------------------------------------------------------------------------


@mapped(
    "log",
    math.log,
    latex=r"\log",
    names=("ln",),
    needs="every entry of $X is positive",
    code="xp.log($X)",
    keeps=("order",),
)
def log(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate exp(log t) = t: t d(log t) = dt.

    X D-MAP: log acts entry by entry and log′(t) = 1/t, so d log($X) = $dX ⊘ $X
    """
    return reciprocal_of(X) * dX


@mapped("log1p", math.log1p, define=lambda e, X: log(1 + X), needs="every entry of $X is greater than −1",
        code="xp.log1p($X)", keeps=("order",), tells=lambda Y, X: [(reciprocal_of(1 + X), exp(-Y))])  # fmt: skip
def log1p(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """log1p(t) = log(1 + t), and 1 + t changes as t does.

    X D-MAP: log1p acts entry by entry and log1p′(t) = 1/(1 + t)
    """
    return reciprocal_of(1 + X) * dX


@mapped("log2", math.log2, latex=r"\log_{2}", define=lambda e, X: log(X) / log(rational(2)),
        needs="every entry of $X is positive", code="xp.log2($X)", keeps=("order",))  # fmt: skip
def log2(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """log₂ t = log t / log 2: a constant multiple of the natural logarithm.

    X D-MAP: log₂ acts entry by entry and log₂′(t) = 1/(t log 2)
    """
    return (reciprocal_of(X) / log(rational(2))) * dX


@mapped("log10", math.log10, latex=r"\log_{10}", define=lambda e, X: log(X) / log(rational(10)),
        needs="every entry of $X is positive", code="xp.log10($X)", keeps=("order",))  # fmt: skip
def log10(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """log₁₀ t = log t / log 10: a constant multiple of the natural logarithm.

    X D-MAP: log₁₀ acts entry by entry and log₁₀′(t) = 1/(t log 10)
    """
    return (reciprocal_of(X) / log(rational(10))) * dX


@mapped("logabs", lambda t: math.log(abs(t)), latex=r"\log\left|$X:0\right|", needs="every entry of $X is nonzero",
        code="xp.log(xp.abs($X))")  # fmt: skip
def logabs(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """log|t| is log t for t > 0 and log(−t) for t < 0: on both sides the derivative is 1/t.

    X D-MAP: log|·| acts entry by entry and (log|t|)′ = 1/t for either sign of t
    """
    return reciprocal_of(X) * dX


def _logaddexp(s: float, t: float) -> float:
    return max(s, t) + math.log1p(math.exp(-abs(s - t)))


@op("X[*s], Y[*s] -> [*s]", name="logaddexp", text="logaddexp($X:0, $Y:0)", latex=r"\operatorname{logaddexp}($X:0, $Y:0)",
    calls=("logaddexp",), entrywise=True, real=_logaddexp, code="xp.logaddexp($X, $Y)")  # fmt: skip
def logaddexp(Z: Expr, X: Expr, Y: Expr, dX: Expr, dY: Expr) -> tuple[Expr, Expr]:
    """z = log(eˢ + eᵗ), so eᶻ dz = eˢ ds + eᵗ dt, and eˢ/(eˢ + eᵗ) = σ(s − t).

    X D-MAP: with $Y held still, the slope is eˢ/(eˢ + eᵗ) = σ(s − t)
    Y D-MAP: with $X held still, the slope is eᵗ/(eˢ + eᵗ) = σ(t − s)
    """
    return sigmoid(X - Y) * dX, sigmoid(Y - X) * dY


def _sigmoid(t: float) -> float:
    return 1 / (1 + math.exp(-t)) if t >= 0 else math.exp(t) / (1 + math.exp(t))


@mapped("sigmoid", _sigmoid, latex=r"\sigma", names=("logistic", "expit"),
        code="xp.special.expit($X)", gives=("positive", "unit"))  # fmt: skip
def sigmoid(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """σ(t) = 1/(1 + e⁻ᵗ), so σ′ = e⁻ᵗ/(1 + e⁻ᵗ)² = σ (1 − σ).

    X D-MAP: σ acts entry by entry and σ′ = σ (1 − σ), written through the forward value
    """
    return (Y * (1 - Y)) * dX


# ---- roots and powers --------------------------------------------------------------------------------------


@mapped(
    "sqrt",
    math.sqrt,
    latex=r"\sqrt",
    root=True,
    needs="every entry of $X is positive",
    code="xp.sqrt($X)",
    keeps=("order",),
)
def sqrt(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate Y ⊙ Y = X: 2 Y ⊙ dY = dX.

    X D-MAP: √ acts entry by entry; from y² = t follows 2 y dy = dt, so dy = dt / (2 y)
    """
    return (rational(HALF) * reciprocal_of(Y)) * dX


@mapped("rsqrt", lambda t: 1 / math.sqrt(t), define=lambda e, X: reciprocal_of(sqrt(X)),
        needs="every entry of $X is positive")  # fmt: skip
def rsqrt(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate y² t = 1: 2 y t dy + y² dt = 0, and t = 1/y², so dy = −½ y³ dt.

    X D-POW: 1/√ acts entry by entry; from y² t = 1 follows dy = −½ y³ dt, written through the forward value
    """
    return -(rational(HALF) * Y**3 * dX)


@mapped("cbrt", lambda t: math.copysign(abs(t) ** (1 / 3), t), latex=r"\sqrt[3]{$X:0}",
        needs="every entry of $X is nonzero", code="xp.cbrt($X)", keeps=("order",))  # fmt: skip
def cbrt(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate y³ = t: 3 y² dy = dt.

    X D-MAP: the cube root acts entry by entry; from y³ = t follows 3 y² dy = dt, so dy = dt / (3 y²)
    """
    return (rational(Fraction(1, 3)) * power(Y, exponent=Fraction(-2))) * dX


@mapped("square", define=lambda e, X: X**2)
def square(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """(t + dt)² = t² + 2 t dt + dt²; the last term is second order.

    X D-POW: the square acts entry by entry and d(t²) = 2 t dt
    """
    return (2 * X) * dX


@mapped("reciprocal", define=lambda e, X: reciprocal_of(X), needs="every entry of $X is nonzero")
def reciprocal(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate Y ⊙ X = 1: dY ⊙ X + Y ⊙ dX = 0, and solve for dY.

    X D-POW: from y t = 1 follows dy t + y dt = 0, so dy = −y² dt
    """
    return -(Y**2 * dX)


def _raise(t: float, b: float) -> float:
    """Raises ValueError where t is not positive."""
    return math.exp(b * math.log(t))


def _at_number(X: Expr, b: Fraction) -> Expr | None:
    """Xᵇ for a number b; to the power of 0 a number is 1."""
    return raised(X, b) if b else rational(1) if not X.order else None


def _raised_text(slot: str) -> dict[str, Any]:
    return {"text": lambda e: f"$X:40^∘${slot}:40" if e.order else f"$X:40^${slot}:40",
            "latex": lambda e: rf"{{$X:40}}^{{\circ ${slot}:40}}" if e.order else f"{{$X:40}}^{{${slot}:0}}"}  # fmt: skip


@op("X[*s], b[] -> [*s]", name="pow", fix=POSTFIX, calls=("pow", "power"), needs="every entry of $X is positive",
    real=_raise, entrywise=True, token="^", code="$X ** $b", at_number=_at_number, **_raised_text("b"))  # fmt: skip
def pow(Y: Expr, X: Expr, b: Expr, dX: Expr, db: Expr) -> tuple[Expr, Expr]:
    """tᵇ = exp(b log t), so d(tᵇ) = tᵇ (b dt/t + log t db).

    X D-POW: with $b held still, each entry is a power of the same entry of $X, and d(tᵇ) = b tᵇ⁻¹ dt
    b D-POW: with $X held still, tᵇ = exp(b log t) is an exponential, and d(tᵇ) = tᵇ log t db
    """
    return b * (pow(X, b - 1) * dX), db * (Y * log(X))


@op("X[*s], B[*s] -> [*s]", name="pow_each", fix=POSTFIX, calls=("pow", "power"), needs="every entry of $X is positive",
    real=_raise, entrywise=True, token="^", code="$X ** $B", **_raised_text("B"))  # fmt: skip
def pow_each(Y: Expr, X: Expr, B: Expr, dX: Expr, dB: Expr) -> tuple[Expr, Expr]:
    """tᵇ = exp(b log t) in every entry, so d(tᵇ) = tᵇ (b dt/t + log t db).

    X D-POW: with $B held still, each entry is a power of the same entry of $X, and d(tᵇ) = b tᵇ⁻¹ dt
    B D-POW: with $X held still, tᵇ = exp(b log t) is an exponential, and d(tᵇ) = tᵇ log t db
    """
    return (B * pow_each(X, B - 1)) * dX, (Y * log(X)) * dB


def _two_to(X: Expr) -> Expr:
    return exp(log(rational(2)) * X)
