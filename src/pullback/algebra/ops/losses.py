"""Losses of predictions and targets, in the names and the order of arguments of PyTorch: what is predicted stands first.

Every loss is a number for each entry or example; of these the mean is taken, or the sum with reduction=sum, or none.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from ..op import composite_op
from .activations import logsigmoid, softplus
from .arithmetic import rational
from .composites import called, reduced, reducing, to_power
from .entrywise import HALF, exp, filled, log, sigmoid
from .piecewise import abs_, clip, relu
from .reduction import norm_sq

_ONE, _HALF = Fraction(1), rational(HALF)


# ---- distances ---------------------------------------------------------------------------------------------


@composite_op("x[*s], y[*s] -> [*t]", **reducing("mse_loss", "mse", "squared_error"))
def mse_loss(x: Expr, y: Expr, *, reduction: str) -> Expr:
    """The mean of the squares of the differences."""
    return reduced((x - y) ** 2, reduction)


@composite_op("x[*s], y[*s] -> [*t]", **reducing("l1_loss", "mae_loss", "mae"))
def l1_loss(x: Expr, y: Expr, *, reduction: str) -> Expr:
    """The mean of the absolute values of the differences."""
    return reduced(abs_(x - y), reduction)


@composite_op("x[*s], y[*s], d[] -> [*t]", **reducing("huber_loss", "huber", omitted=(_ONE,)), needs="$d is positive",
              through=lambda x, y, d, reduction: (clip(x - y, -d, d),))  # fmt: skip
def huber_loss(x: Expr, y: Expr, d: Expr, *, reduction: str) -> Expr:
    """½ r² for a difference |r| ≤ d, and d (|r| − ½ d) beyond: c (r − ½ c) with c the difference clipped at −d and d (Huber 1964)."""
    c = clip(x - y, -d, d)
    return reduced(c * ((x - y) - _HALF * c), reduction)


@composite_op("x[*s], y[*s], b[] -> [*t]", **reducing("smooth_l1_loss", "smooth_l1", omitted=(_ONE,)), needs="$b is positive",
              through=lambda x, y, b, reduction: (clip(x - y, -b, b),))  # fmt: skip
def smooth_l1_loss(x: Expr, y: Expr, b: Expr, *, reduction: str) -> Expr:
    """½ r²/b for a difference |r| ≤ b, and |r| − ½ b beyond: Huber's loss divided by b."""
    c = clip(x - y, -b, b)
    return reduced((c * ((x - y) - _HALF * c)) / b, reduction)


@composite_op("x[*s], y[*s], q[] -> [*t]", **reducing("pinball_loss", "quantile_loss"))
def pinball_loss(x: Expr, y: Expr, q: Expr, *, reduction: str) -> Expr:
    """q (y − x) where the prediction x is too small, (1 − q) (x − y) where it is too large: least at the quantile q."""
    return reduced(q * relu(y - x) + (1 - q) * relu(x - y), reduction)


# ---- two classes -------------------------------------------------------------------------------------------


@composite_op("p[*s], y[*s] -> [*t]", **reducing("binary_cross_entropy", "bce_loss", "bce"),
              needs="every entry of $p lies strictly between 0 and 1")  # fmt: skip
def binary_cross_entropy(p: Expr, y: Expr, *, reduction: str) -> Expr:
    """−y log p − (1 − y) log(1 − p), for probabilities p."""
    return reduced(-(y * log(p)) - (1 - y) * log(1 - p), reduction)


@composite_op("z[*s], y[*s] -> [*t]", through=lambda z, y, reduction: (sigmoid(z),),
              **reducing("binary_cross_entropy_with_logits", "bce_with_logits", "bce_with_logits_loss", "sigmoid_cross_entropy"))  # fmt: skip
def binary_cross_entropy_with_logits(z: Expr, y: Expr, *, reduction: str) -> Expr:
    """The cross-entropy of σ(z) against y without its overflow: −y log σ(z) − (1 − y) log σ(−z) = softplus(z) − y z."""
    return reduced(softplus(z) - y * z, reduction)


@composite_op("z[*s], y[*s], a[], g[] -> [*t]", through=lambda z, y, a, g, reduction: (sigmoid(z),),
              **reducing("sigmoid_focal_loss", "focal_loss", omitted=(Fraction(1, 4), Fraction(2)), usual="none"))  # fmt: skip
def sigmoid_focal_loss(z: Expr, y: Expr, a: Expr, g: Expr, *, reduction: str) -> Expr:
    """Binary cross-entropy in which examples that are told apart well count less, by (1 − p)ᵍ (Lin et al. 2017, for y 0 or 1)."""
    p, s = sigmoid(z), softplus(z)
    one = a * (y * (to_power(1 - p, g) * (s - z)))
    return reduced(one + (1 - a) * ((1 - y) * (to_power(p, g) * s)), reduction)


@composite_op("z[*s], y[*s] -> [*t]", **reducing("hinge_loss", "hinge"))
def hinge_loss(z: Expr, y: Expr, *, reduction: str) -> Expr:
    """relu(1 − y z), for targets 1 and −1: the margin that is missing."""
    return reduced(relu(1 - y * z), reduction)


@composite_op("z[*s], y[*s] -> [*t]", **reducing("squared_hinge_loss", "squared_hinge"))
def squared_hinge_loss(z: Expr, y: Expr, *, reduction: str) -> Expr:
    """relu(1 − y z)², for targets 1 and −1."""
    return reduced(relu(1 - y * z) ** 2, reduction)


@composite_op("z[*s], y[*s] -> [*t]", **reducing("soft_margin_loss", "logistic_loss"))
def soft_margin_loss(z: Expr, y: Expr, *, reduction: str) -> Expr:
    """log(1 + exp(−y z)), for targets 1 and −1."""
    return reduced(softplus(-(y * z)), reduction)


# ---- likelihoods -------------------------------------------------------------------------------------------


@composite_op("z[*s], y[*s] -> [*t]", **reducing("poisson_nll_loss", "poisson_nll"))
def poisson_nll_loss(z: Expr, y: Expr, *, reduction: str) -> Expr:
    """The negative log-likelihood of counts y with the rates exp(z), without log y!: exp(z) − y z."""
    return reduced(exp(z) - y * z, reduction)


@composite_op(
    "x[*s], y[*s], v[*s] -> [*t]",
    **reducing("gaussian_nll_loss", "gaussian_nll"),
    needs="every entry of $v is positive",
)
def gaussian_nll_loss(x: Expr, y: Expr, v: Expr, *, reduction: str) -> Expr:
    """The negative log-likelihood of y, normal with mean x and variance v, without ½ log 2π: ½ (log v + (x − y)²/v)."""
    return reduced(_HALF * (log(v) + (x - y) ** 2 / v), reduction)


# ---- rankings and preferences ------------------------------------------------------------------------------


@composite_op("x[*s], z[*s], y[*s], m[] -> [*t]", **reducing("margin_ranking_loss", omitted=(Fraction(0),)))
def margin_ranking_loss(x: Expr, z: Expr, y: Expr, m: Expr, *, reduction: str) -> Expr:
    """relu(−y (x − z) + m): x is to be larger than z by m where y is 1, smaller where y is −1."""
    return reduced(relu(filled(m, x) - y * (x - z)), reduction)


@composite_op("c[*s], r[*s], p[*s], q[*s], b[] -> [*t]", **reducing("dpo_loss", omitted=(Fraction(1, 10),)))
def dpo_loss(c: Expr, r: Expr, p: Expr, q: Expr, b: Expr, *, reduction: str) -> Expr:
    """−log σ(b ((c − r) − (p − q))): log-probabilities of chosen and rejected answers, then those of the reference (Rafailov et al. 2023)."""
    return reduced(-logsigmoid(b * ((c - r) - (p - q))), reduction)


# ---- variational autoencoders ------------------------------------------------------------------------------


@composite_op("m[*s], l[*s] -> []", **called("kl_standard_normal", "gaussian_kl"))
def kl_standard_normal(m: Expr, l: Expr) -> Expr:
    """KL(N(m, exp l) ‖ N(0, 1)) = ½ Σ (exp l + m² − 1 − l), l the logarithm of the variance (Kingma and Welling 2014)."""
    return _HALF * reduced(exp(l) + m**2 - 1 - l, "sum")


def _two_pairs(attrs: tuple[()], *shapes: Shape) -> list[tuple[Dim, Dim]]:
    return [ab for x, y in (shapes[:2], shapes[2:]) for ab in zip(x, y, strict=False)]


def _no_axes(attrs: tuple[()], x: Shape, y: Shape, m: Shape, l: Shape) -> Shape:
    if x != y or m != l:
        raise ShapeError("S002", f"the shapes do not fit: {', '.join(map(show_shape, (x, y, m, l)))}",
                         expected="two tensors of one shape, then a mean and the logarithm of a variance of one shape")  # fmt: skip
    return ()


_ELBO: dict[str, Any] = {"shape": _no_axes, "ties": _two_pairs}


@composite_op("x[*s], y[*s], m[*t], l[*t] -> []", **called("elbo_gaussian", "gaussian_elbo"), **_ELBO)
def elbo_gaussian(x: Expr, y: Expr, m: Expr, l: Expr) -> Expr:
    """−½ ‖x − y‖² − KL(N(m, exp l) ‖ N(0, 1)): the evidence bound of data y with mean x and variance 1, without its constant."""
    return -(_HALF * norm_sq(x - y)) - kl_standard_normal(m, l)


@composite_op("z[*s], y[*s], m[*t], l[*t] -> []", through=lambda z, y, m, l: (sigmoid(z),), **_ELBO,
              **called("elbo_bernoulli", "bernoulli_elbo"))  # fmt: skip
def elbo_bernoulli(z: Expr, y: Expr, m: Expr, l: Expr) -> Expr:
    """Σ (y z − softplus(z)) − KL(N(m, exp l) ‖ N(0, 1)): the evidence bound of data y, 1 with probability σ(z)."""
    return reduced(y * z - softplus(z), "sum") - kl_standard_normal(m, l)
