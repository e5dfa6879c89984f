"""Known functions of one number, applied to every entry, with derivatives through the forward value."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ..expr import Expr
from ..op import Op, op
from .arithmetic import pi, power, rational


def _map(
    name: str, real: Callable[[float], float], code: str = "", latex: str = "", **data: Any
) -> Callable[[Callable[..., Expr]], Op]:
    """Declare an entrywise function by its differential."""
    return op("X[*s] -> [*s]", name=name, text=f"{name}($X:0)", latex=(latex or rf"\{name}") + "($X:0)", calls=(name,),
              entrywise=True, real=real, code=code or f"xp.{name}($X)", **data)  # fmt: skip


@_map("exp", math.exp)
def exp(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """exp is its own derivative.

    X D-MAP: exp acts entry by entry and exp′ = exp, so d exp($X) = exp($X) ⊙ $dX
    """
    return Y * dX


@_map("log", math.log, needs="every entry of $X is positive")
def log(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate exp(log t) = t: t d(log t) = dt.

    X D-MAP: log acts entry by entry and log′(t) = 1/t, so d log($X) = $dX ⊘ $X
    """
    return power(X, exponent=Fraction(-1)) * dX


@_map("tanh", math.tanh)
def tanh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """tanh = sinh/cosh, so tanh′ = (cosh² − sinh²)/cosh² = 1 − tanh².

    X D-MAP: tanh acts entry by entry and tanh′ = 1 − tanh², written through the forward value
    """
    return (1 - Y**2) * dX


def _sigmoid(t: float) -> float:
    return 1 / (1 + math.exp(-t)) if t >= 0 else math.exp(t) / (1 + math.exp(t))


@_map("sigmoid", _sigmoid, code="xp.where($X >= 0, 1 / (1 + xp.exp(-abs($X))), xp.exp(-abs($X)) / (1 + xp.exp(-abs($X))))",
      latex=r"\sigma")  # fmt: skip
def sigmoid(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """σ(t) = 1/(1 + e⁻ᵗ), so σ′ = e⁻ᵗ/(1 + e⁻ᵗ)² = σ (1 − σ).

    X D-MAP: σ acts entry by entry and σ′ = σ (1 − σ), written through the forward value
    """
    return (Y * (1 - Y)) * dX


@_map("step", lambda t: float(t > 0), exact=lambda coin, t: coin, code="($X > 0) * 1.0", latex=r"\operatorname{step}",
      kink="step is 0 at 0, and its derivative is taken as 0 everywhere")  # fmt: skip
def step(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """step is constant on both sides of 0: its derivative is 0 wherever it has one.

    X D-MAP: step is constant on each side of 0
    """
    return (rational(0) * Y) * dX


@_map("relu", lambda t: max(t, 0.0), exact=lambda coin, t: coin * t, code="xp.maximum($X, 0)", latex=r"\operatorname{relu}",
      kink="relu has no derivative at 0; the convention relu′(0) = 0 is taken, as PyTorch and JAX do")  # fmt: skip
def relu(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """relu(t) is t for t > 0 and 0 for t < 0, so its slope is 1 or 0.

    X D-MAP: relu acts entry by entry with slope step(t): 1 where t > 0, else 0
    """
    return step(X) * dX


@_map("sqrt", math.sqrt, root=True, needs="every entry of $X is positive")
def sqrt(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate Y ⊙ Y = X: 2 Y ⊙ dY = dX.

    X D-MAP: √ acts entry by entry; from y² = t follows 2 y dy = dt, so dy = dt / (2 y)
    """
    return (rational(Fraction(1, 2)) * power(Y, exponent=Fraction(-1))) * dX


@_map("sin", math.sin)
def sin(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """sin′ = cos.

    X D-MAP: sin acts entry by entry and sin′ = cos
    """
    return cos(X) * dX


@_map("cos", math.cos)
def cos(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """cos′ = −sin.

    X D-MAP: cos acts entry by entry and cos′ = −sin
    """
    return -(sin(X) * dX)


@_map("softplus", lambda t: max(t, 0.0) + math.log1p(math.exp(-abs(t))), code="xp.logaddexp(0, $X)",
      latex=r"\operatorname{softplus}")  # fmt: skip
def softplus(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """softplus(t) = log(1 + eᵗ), so softplus′ = eᵗ/(1 + eᵗ) = σ.

    X D-MAP: softplus acts entry by entry and softplus′ = σ
    """
    return sigmoid(X) * dX


@_map("erf", math.erf, code="_erf($X)", latex=r"\operatorname{erf}")
def erf(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """erf(t) = (2/√π) ∫₀ᵗ e^(−s²) ds, so erf′(t) = (2/√π) e^(−t²).

    X D-MAP: erf acts entry by entry and erf′(t) = (2/√π) e^(−t²), the integrand at its upper end
    """
    return ((2 * power(sqrt(pi()), exponent=Fraction(-1))) * exp(-(X**2))) * dX


@op("X[*s] -> [*s]", name="square", define=lambda e, X: X**2, text="square($X:0)", latex=r"\operatorname{square}($X:0)",
    calls=("square",), entrywise=True, real=lambda t: t * t, code="$X:30 ** 2")  # fmt: skip
def square(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """(t + dt)² = t² + 2 t dt + dt²; the last term is second order.

    X D-POW: the square acts entry by entry and d(t²) = 2 t dt
    """
    return (2 * X) * dX


@op("X[*s] -> [*s]", name="reciprocal", define=lambda e, X: power(X, exponent=Fraction(-1)), text="reciprocal($X:0)",
    latex=r"\operatorname{reciprocal}($X:0)", calls=("reciprocal",), entrywise=True, real=lambda t: 1 / t,
    needs="every entry of $X is nonzero", code="1 / $X:30")  # fmt: skip
def reciprocal(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate Y ⊙ X = 1: dY ⊙ X + Y ⊙ dX = 0, and solve for dY.

    X D-POW: from y t = 1 follows dy t + y dt = 0, so dy = −y² dt
    """
    return -(Y**2 * dX)
