"""Trigonometric and hyperbolic functions of every entry, and their inverses."""

from __future__ import annotations

import math

from ..expr import Expr
from ..op import op
from .entrywise import mapped, reciprocal_of, sqrt

_INSIDE = "every entry of $X lies strictly between −1 and 1"


@mapped("sin", math.sin, latex=r"\sin", code="xp.sin($X)")
def sin(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """sin′ = cos.

    X D-MAP: sin acts entry by entry and sin′ = cos
    """
    return cos(X) * dX


@mapped("cos", math.cos, latex=r"\cos", code="xp.cos($X)")
def cos(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """cos′ = −sin.

    X D-MAP: cos acts entry by entry and cos′ = −sin
    """
    return -(sin(X) * dX)


@mapped("tan", math.tan, latex=r"\tan", needs="no entry of cos($X) is zero", code="xp.tan($X)")
def tan(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """tan = sin/cos, so tan′ = (cos² + sin²)/cos² = 1 + tan².

    X D-MAP: tan acts entry by entry and tan′ = 1 + tan², written through the forward value
    """
    return (1 + Y**2) * dX


@mapped("asin", math.asin, latex=r"\arcsin", names=("arcsin",), needs=_INSIDE, code="xp.arcsin($X)")
def asin(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate sin(asin t) = t: cos(y) dy = dt, and cos y = √(1 − t²) for |y| < π/2.

    X D-MAP: asin acts entry by entry; from sin y = t follows cos y dy = dt, with cos y = √(1 − t²)
    """
    return reciprocal_of(sqrt(1 - X**2)) * dX


@mapped("acos", math.acos, latex=r"\arccos", names=("arccos",), needs=_INSIDE, code="xp.arccos($X)")
def acos(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate cos(acos t) = t: −sin(y) dy = dt, and sin y = √(1 − t²) for 0 < y < π.

    X D-MAP: acos acts entry by entry; from cos y = t follows −sin y dy = dt, with sin y = √(1 − t²)
    """
    return -(reciprocal_of(sqrt(1 - X**2)) * dX)


@mapped("atan", math.atan, latex=r"\arctan", names=("arctan",), code="xp.arctan($X)", keeps=("order",))
def atan(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate tan(atan t) = t: (1 + tan² y) dy = dt, and tan y = t.

    X D-MAP: atan acts entry by entry; from tan y = t follows (1 + t²) dy = dt
    """
    return reciprocal_of(1 + X**2) * dX


@op("Y[*s], X[*s] -> [*s]", name="atan2", text="atan2($Y:0, $X:0)", latex=r"\operatorname{atan2}($Y:0, $X:0)",
    calls=("atan2", "arctan2"), entrywise=True, real=math.atan2, code="xp.arctan2($Y, $X)",
    needs="no point ($X, $Y) lies on the half-line of the angle π")  # fmt: skip
def atan2(A: Expr, Y: Expr, X: Expr, dY: Expr, dX: Expr) -> tuple[Expr, Expr]:
    """The angle a of (x, y) = r (cos a, sin a): x dy − y dx = r² da.

    Y D-MAP: with $X held still, x dy = r² da, with r² = x² + y²
    X D-MAP: with $Y held still, −y dx = r² da, with r² = x² + y²
    """
    square = X**2 + Y**2
    return (X / square) * dY, -((Y / square) * dX)


@mapped("sinh", math.sinh, latex=r"\sinh", code="xp.sinh($X)", keeps=("order",))
def sinh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """sinh t = (eᵗ − e⁻ᵗ)/2, so sinh′ = cosh.

    X D-MAP: sinh acts entry by entry and sinh′ = cosh
    """
    return cosh(X) * dX


@mapped("cosh", math.cosh, latex=r"\cosh", code="xp.cosh($X)", gives=("positive",))
def cosh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """cosh t = (eᵗ + e⁻ᵗ)/2, so cosh′ = sinh.

    X D-MAP: cosh acts entry by entry and cosh′ = sinh
    """
    return sinh(X) * dX


@mapped("tanh", math.tanh, latex=r"\tanh", code="xp.tanh($X)", keeps=("order",))
def tanh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """tanh = sinh/cosh, so tanh′ = (cosh² − sinh²)/cosh² = 1 − tanh².

    X D-MAP: tanh acts entry by entry and tanh′ = 1 − tanh², written through the forward value
    """
    return (1 - Y**2) * dX


@mapped(
    "asinh",
    math.asinh,
    latex=r"\operatorname{arsinh}",
    names=("arcsinh", "arsinh"),
    code="xp.arcsinh($X)",
    keeps=("order",),
)
def asinh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate sinh(asinh t) = t: cosh(y) dy = dt, and cosh y = √(1 + t²).

    X D-MAP: asinh acts entry by entry; from sinh y = t follows cosh y dy = dt, with cosh y = √(1 + t²)
    """
    return reciprocal_of(sqrt(1 + X**2)) * dX


@mapped("acosh", math.acosh, latex=r"\operatorname{arcosh}", names=("arccosh", "arcosh"),
        needs="every entry of $X is greater than 1", code="xp.arccosh($X)")  # fmt: skip
def acosh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate cosh(acosh t) = t: sinh(y) dy = dt, and sinh y = √(t² − 1) for y > 0.

    X D-MAP: acosh acts entry by entry; from cosh y = t follows sinh y dy = dt, with sinh y = √(t² − 1)
    """
    return reciprocal_of(sqrt(X**2 - 1)) * dX


@mapped("atanh", math.atanh, latex=r"\operatorname{artanh}", names=("arctanh", "artanh"), needs=_INSIDE,
        code="xp.arctanh($X)")  # fmt: skip
def atanh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate tanh(atanh t) = t: (1 − tanh² y) dy = dt, and tanh y = t.

    X D-MAP: atanh acts entry by entry; from tanh y = t follows (1 − t²) dy = dt
    """
    return reciprocal_of(1 - X**2) * dX
