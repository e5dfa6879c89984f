"""Smooth activation functions: compositions with a short derivative, each checked against its definition."""

from __future__ import annotations

import math
from fractions import Fraction

from ..expr import Expr
from ..op import op
from .arithmetic import pi, power, rational
from .entrywise import HALF, exp, expm1, log, mapped, reciprocal_of, sigmoid, sqrt, with_numbers
from .piecewise import abs_, relu, step
from .special import normcdf, normpdf
from .trigonometric import tanh

_ALPHA, _SCALE = Fraction("1.6732632423543772"), Fraction("1.0507009873554805")  # of klambauer2017, to double precision
_CUBIC = Fraction("0.044715")


def _softplus(t: float) -> float:
    return max(t, 0.0) + math.log1p(math.exp(-abs(t)))


def _sigmoid(t: float) -> float:
    return math.exp(-_softplus(-t))


@mapped("softplus", _softplus, code="xp.logaddexp(0, $X)", gives=("positive",),
        tells=lambda Y, X: [(sigmoid(X), -expm1(-Y))])  # fmt: skip
def softplus(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """softplus(t) = log(1 + eᵗ), so softplus′ = eᵗ/(1 + eᵗ) = σ.

    X D-MAP: softplus acts entry by entry and softplus′ = σ
    """
    return sigmoid(X) * dX


@mapped("logsigmoid", lambda t: -_softplus(-t), code="-xp.logaddexp(0, -$X)", names=("log_sigmoid",), latex=r"\log\sigma",
        define=lambda e, X: -softplus(-X), tells=lambda Y, X: [(sigmoid(-X), -expm1(Y))])  # fmt: skip
def logsigmoid(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """log σ(t) = −softplus(−t), so its derivative is σ(−t) = 1 − σ(t).

    X D-MAP: log σ acts entry by entry and (log σ)′(t) = σ(−t)
    """
    return sigmoid(-X) * dX


@mapped("logit", lambda t: math.log(t / (1 - t)), define=lambda e, X: log(X) - log(1 - X),
        needs="every entry of $X lies strictly between 0 and 1")  # fmt: skip
def logit(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """logit(t) = log(t/(1 − t)) inverts σ: σ(y) = t, so t (1 − t) dy = dt.

    X D-MAP: logit acts entry by entry; from σ(y) = t follows t (1 − t) dy = dt
    """
    return reciprocal_of(X * (1 - X)) * dX


@mapped("silu", lambda t: t * _sigmoid(t), names=("swish",), define=lambda e, X: X * sigmoid(X))
def silu(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """silu(t) = t σ(t) =: y, so silu′ = σ + t σ (1 − σ) = σ + y (1 − σ).

    X D-MAP: silu acts entry by entry with slope σ + y (1 − σ), y the forward value
    """
    return (sigmoid(X) + Y * (1 - sigmoid(X))) * dX


@mapped("mish", lambda t: t * math.tanh(_softplus(t)), define=lambda e, X: X * tanh(softplus(X)))
def mish(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """mish(t) = t w with w = tanh(softplus(t)), and w′ = (1 − w²) σ(t).

    X D-MAP: mish acts entry by entry with slope w + t (1 − w²) σ(t), w = tanh(softplus(t))
    """
    w = tanh(softplus(X))
    return (w + X * (1 - w**2) * sigmoid(X)) * dX


@mapped("gelu", lambda t: t * 0.5 * math.erfc(-t / math.sqrt(2)), define=lambda e, X: X * normcdf(X))
def gelu(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """gelu(t) = t Φ(t) with Φ the normal distribution function, and Φ′ = φ its density.

    X D-MAP: gelu acts entry by entry with slope Φ(t) + t φ(t)
    """
    return (normcdf(X) + X * normpdf(X)) * dX


def _bend(X: Expr) -> Expr:
    """√(2/π) (t + 0.044715 t³), of which tanh is nearly 2 Φ − 1."""
    return sqrt(2 / pi()) * (X + rational(_CUBIC) * X**3)


def _gelu_tanh(t: float) -> float:
    return 0.5 * t * (1 + math.tanh(math.sqrt(2 / math.pi) * (t + 0.044715 * t**3)))


@mapped("gelu_tanh", _gelu_tanh, names=("gelu_new",), define=lambda e, X: rational(HALF) * (X * (1 + tanh(_bend(X)))))
def gelu_tanh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """gelu_tanh(t) = ½ t (1 + w) with w = tanh(u), u = √(2/π) (t + 0.044715 t³), and w′ = (1 − w²) u′.

    X D-MAP: gelu_tanh acts entry by entry with slope ½ (1 + w + t (1 − w²) u′), w = tanh(u), u = √(2/π) (t + 0.044715 t³)
    """
    w = tanh(_bend(X))
    bent = sqrt(2 / pi()) * (1 + rational(3 * _CUBIC) * X**2)
    return (rational(HALF) * (1 + w + X * (1 - w**2) * bent)) * dX


@mapped("softsign", lambda t: t / (1 + abs(t)), define=lambda e, X: X / (1 + abs_(X)))
def softsign(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """softsign(t) = t/(1 + |t|), so softsign′ = (1 + |t| − t sign t)/(1 + |t|)² = 1/(1 + |t|)².

    X D-MAP: softsign acts entry by entry with slope 1/(1 + |t|)²
    """
    return power(1 + abs_(X), exponent=Fraction(-2)) * dX


# ---- exponentials on the left side -------------------------------------------------------------------------


def _negative(X: Expr) -> Expr:
    """t where it is negative, else 0."""
    return X - relu(X)


def _left(X: Expr) -> Expr:
    """1 where t is not positive, else 0."""
    return 1 - step(X)


@op("X[*s], a[] -> [*s]", name="elu", define=lambda e, X, a: relu(X) + a * expm1(_negative(X)), calls=("elu",), entrywise=True,
    **with_numbers("elu", "a", omitted=(Fraction(1),)),
    tells=lambda Y, X, a: [(step(X), step(Y))] if a.op.number and a.attrs[0] > 0 else [],
    real=lambda t, a: t if t > 0 else a * math.expm1(t),
    kink="elu has a kink at 0 if a ≠ 1; the slope of the left side, a, is taken there")  # fmt: skip
def elu(Y: Expr, X: Expr, a: Expr, dX: Expr, da: Expr) -> tuple[Expr, Expr]:
    """elu(t) is t for t > 0 and a (eᵗ − 1) =: y for t ≤ 0, where the slope is a eᵗ = y + a.

    X D-MAP: elu acts entry by entry with slope 1 where t > 0, else y + $a, y the forward value
    a D-MAP: an entry that is not positive is $a (eᵗ − 1), the others do not depend on $a
    """
    return (step(X) + _left(X) * (Y + a)) * dX, da * expm1(_negative(X))


@op("X[*s], a[] -> [*s]", name="celu", define=lambda e, X, a: relu(X) + a * expm1(_negative(X) / a), calls=("celu",), entrywise=True,
    **with_numbers("celu", "a", omitted=(Fraction(1),)), needs="$a ≠ 0",
    real=lambda t, a: t if t > 0 else a * math.expm1(t / a))  # fmt: skip
def celu(Y: Expr, X: Expr, a: Expr, dX: Expr, da: Expr) -> tuple[Expr, Expr]:
    """celu(t) is t for t > 0 and a (exp(t/a) − 1) for t ≤ 0: the slope is 1 from both sides of 0.

    X D-MAP: celu acts entry by entry with slope 1 where t > 0, else exp(t/$a)
    a D-MAP: for t ≤ 0, d(a (exp(t/a) − 1)) = (exp(t/a) − 1 − (t/a) exp(t/a)) da; the other entries do not depend on $a
    """
    below = _negative(X) / a
    return (step(X) + _left(X) * exp(below)) * dX, da * (expm1(below) - below * exp(below))


@mapped("selu", lambda t: float(_SCALE) * (t if t > 0 else float(_ALPHA) * math.expm1(t)),
        define=lambda e, X: rational(_SCALE) * elu(X, rational(_ALPHA)), cite="klambauer2017",
        kink="selu has a kink at 0; the slope of the left side is taken there")  # fmt: skip
def selu(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """selu(t) = λ elu(t, α) with two fixed numbers λ and α.

    X D-MAP: selu acts entry by entry with slope λ where t > 0, else λ α eᵗ
    """
    return (rational(_SCALE) * (step(X) + rational(_ALPHA) * (_left(X) * exp(_negative(X))))) * dX
