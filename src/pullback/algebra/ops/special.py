"""Special functions of every entry: error function, normal distribution, logarithm of Γ and its derivatives."""

from __future__ import annotations

import math
from typing import Any

from ...errors import ParseError
from ..dims import Shape
from ..expr import Expr
from ..op import op
from .arithmetic import pi
from .entrywise import exp, mapped, reciprocal_of, sqrt

_POLES = "no entry of $X is zero or a negative whole number"
_HIGHEST = 60  # order of a polygamma function: beyond it n! leaves the range of floats with its argument
_FAR = 20.0  # from where the asymptotic series has all digits
# B₂ₖ for k = 1, …: the coefficients of the asymptotic series.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


@mapped("erf", math.erf, code="xp.special.erf($X)", keeps=("order",))
def erf(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """erf(t) = (2/√π) ∫₀ᵗ e^(−s²) ds, so erf′(t) = (2/√π) e^(−t²).

    X D-MAP: erf acts entry by entry and erf′(t) = (2/√π) e^(−t²), the integrand at its upper end
    """
    return ((2 * reciprocal_of(sqrt(pi()))) * exp(-(X**2))) * dX


@mapped("erfc", math.erfc, define=lambda e, X: 1 - erf(X), code="xp.special.erfc($X)")
def erfc(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """erfc = 1 − erf, so erfc′(t) = −(2/√π) e^(−t²).

    X D-MAP: erfc acts entry by entry and erfc′(t) = −(2/√π) e^(−t²)
    """
    return -(((2 * reciprocal_of(sqrt(pi()))) * exp(-(X**2))) * dX)


@mapped(
    "normcdf",
    lambda t: 0.5 * math.erfc(-t / math.sqrt(2)),
    latex=r"\Phi",
    names=("norm_cdf", "ndtr"),
    code="xp.special.ndtr($X)",
    gives=("positive",),
)
def normcdf(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Φ(t) = ∫ φ(s) ds from −∞ to t, so Φ′ = φ, the density of the normal distribution.

    X D-MAP: Φ acts entry by entry and Φ′ = φ, the integrand at its upper end
    """
    return normpdf(X) * dX


@mapped(
    "normpdf",
    lambda t: math.exp(-t * t / 2) / math.sqrt(2 * math.pi),
    latex=r"\varphi",
    names=("norm_pdf",),
    code="xp.exp(-$X * $X / 2) / xp.sqrt(2 * xp.pi)",
    gives=("positive",),
)
def normpdf(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """φ(t) = e^(−t²/2)/√(2π), so φ′(t) = −t φ(t).

    X D-MAP: φ acts entry by entry and φ′(t) = −t φ(t), written through the forward value
    """
    return -((X * Y) * dX)


# ---- Γ -----------------------------------------------------------------------------------------------------


def _polygamma(t: float, n: int) -> float:
    """ψ⁽ⁿ⁾(t): moved to large t by ψ⁽ⁿ⁾(t) = ψ⁽ⁿ⁾(t + 1) − (−1)ⁿ n! / tⁿ⁺¹, there by its asymptotic series."""
    if t <= 0 and t == math.floor(t):
        raise ValueError("a pole")
    if t < -1e4:
        raise OverflowError
    sign = -1.0 if n % 2 else 1.0
    terms = []
    while t < _FAR + n:
        terms.append(-sign * math.factorial(n) / t ** (n + 1))
        t += 1
    if n:
        terms += [-sign * math.factorial(n - 1) / t**n, -sign * math.factorial(n) / (2 * t ** (n + 1))]
    else:
        terms += [math.log(t), -1 / (2 * t)]
    for k, b in enumerate(_BERNOULLI, 1):
        terms.append(-sign * b * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * t ** (2 * k + n)))
    return math.fsum(terms)


@mapped(
    "lgamma",
    math.lgamma,
    code="xp.special.gammaln($X)",
    latex=r"\log\Gamma",
    names=("gammaln", "loggamma"),
    needs=_POLES,
)
def lgamma(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """log|Γ| has the derivative Γ′/Γ = ψ, the digamma function.

    X D-MAP: log|Γ| acts entry by entry and (log|Γ|)′ = Γ′/Γ = ψ
    """
    return digamma(X) * dX


@mapped(
    "digamma", lambda t: _polygamma(t, 0), code="xp.special.digamma($X)", latex=r"\psi", names=("psi",), needs=_POLES
)
def digamma(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """ψ′ is called the trigamma function.

    X D-MAP: ψ acts entry by entry and ψ′ is the trigamma function
    """
    return trigamma(X) * dX


@mapped("trigamma", lambda t: _polygamma(t, 1), code="xp.special.polygamma(1, $X)", latex=r"\psi'", needs=_POLES)
def trigamma(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """The trigamma function is ψ′, and its derivative ψ″.

    X D-MAP: ψ′ acts entry by entry and has the derivative ψ″
    """
    return polygamma(X, n=2) * dX


def _ordered(attrs: tuple[Any], shape: Shape) -> Shape:
    if not isinstance(attrs[0], int) or not 0 <= attrs[0] <= _HIGHEST:
        raise ParseError("P002", f"there is no polygamma function of order {attrs[0]}", expected=f"a whole number from 0 to {_HIGHEST}",
                         hint="polygamma(1, x) is the trigamma function")  # fmt: skip
    return shape


@op("X[*s] -> [*s]", name="polygamma", attrs=("n",), shape=_ordered, text=lambda e: f"polygamma({e.attrs[0]}, $X:0)",
    latex=lambda e: rf"\psi^{{({e.attrs[0]})}}($X:0)", calls=("polygamma",), entrywise=True, real=_polygamma, code="xp.special.polygamma($n, $X)", needs=_POLES)  # fmt: skip
def polygamma(Y: Expr, X: Expr, dX: Expr, *, n: Any) -> Expr:
    """ψ⁽ⁿ⁾ is the n-th derivative of ψ = Γ′/Γ.

    X D-MAP: ψ⁽ⁿ⁾ acts entry by entry and its derivative is ψ⁽ⁿ⁺¹⁾
    """
    return polygamma(X, n=n + 1) * dX
