"""Softmax, losses and normalisations: composite ops, whose differentials are derived from their definitions."""

from __future__ import annotations

from fractions import Fraction

from ..expr import Expr
from ..op import composite_op
from .arithmetic import power, size_of
from .entrywise import exp, log, sqrt
from .matrix import dot
from .piecewise import abs_
from .reduction import mean_over, norm, spread, sum_over, total
from .structure import ones


def along(v: Expr, X: Expr, axis: int) -> Expr:
    """v repeated along an axis of X that v does not have."""
    return spread(v, X, (axis,))


def _axis_text(name: str) -> object:
    def text(e: Expr) -> str:
        axis = e.attrs[0]
        return f"{name}($X:0)" if axis == e.args[0].order - 1 else f"{name}($X:0, axis={axis})"

    return text


def _axis_latex(name: str) -> object:
    text = _axis_text(name)
    return lambda e: rf"\operatorname{{{name}}}" + text(e).removeprefix(name)  # type: ignore[operator]


@composite_op("X[*s] -> [*s]", attrs=("axis",), defaults={"axis": -1}, text=_axis_text("softmax"), latex=_axis_latex("softmax"),
              calls=("softmax",))  # fmt: skip
def softmax(X: Expr, *, axis: int) -> Expr:
    """Softmax is exp divided by its sum along an axis: positive, and its entries add up to 1."""
    e = exp(X)
    return e / along(sum_over(e, axes=(axis,)), X, axis)


@composite_op("X[*s] -> [*t]", attrs=("axis",), defaults={"axis": -1}, text=_axis_text("logsumexp"), latex=_axis_latex("logsumexp"),
              calls=("logsumexp",), through=lambda X, axis: (softmax(X, axis=axis),))  # fmt: skip
def logsumexp(X: Expr, *, axis: int) -> Expr:
    """The logarithm of the sum of the exponentials along an axis: a smooth maximum."""
    return log(sum_over(exp(X), axes=(axis,)))


@composite_op("X[*s] -> [*s]", attrs=("axis",), defaults={"axis": -1}, text=_axis_text("logsoftmax"), latex=_axis_latex("logsoftmax"),
              calls=("logsoftmax", "log_softmax"), through=lambda X, axis: (softmax(X, axis=axis),))  # fmt: skip
def logsoftmax(X: Expr, *, axis: int) -> Expr:
    """The logarithm of softmax, without its underflow."""
    return X - along(log(sum_over(exp(X), axes=(axis,))), X, axis)


def _centred(X: Expr, axis: int) -> Expr:
    return X - along(mean_over(X, axes=(axis,)), X, axis)


@composite_op("X[*s], e[] -> [*t]", attrs=("axis",), defaults={"axis": -1}, text=lambda e: _with_eps("rstd", e),
              latex=lambda e: _with_eps("rstd", e, True), calls=("rstd",), needs="$e is positive")  # fmt: skip
def rstd(X: Expr, e: Expr, *, axis: int) -> Expr:
    """One over the standard deviation along an axis, with e added to the variance."""
    c = _centred(X, axis)
    return power(mean_over(c * c, axes=(axis,)) + _like(e, X, axis), exponent=Fraction(-1, 2))


def _with_eps(name: str, e: Expr, latex: bool = False) -> str:
    axis = e.attrs[0]
    where = "" if axis == e.args[0].order - 1 else f", axis={axis}"
    return (rf"\operatorname{{{name}}}" if latex else name) + f"($X:0, $e:0{where})"


def _like(e: Expr, X: Expr, axis: int) -> Expr:
    """The number e beside what is left of X without an axis."""
    shape = (*X.shape[:axis], *X.shape[axis + 1 :])
    return e * ones(shape) if shape else e


@composite_op("X[*s], e[] -> [*s]", attrs=("axis",), defaults={"axis": -1}, text=lambda e: _with_eps("standardize", e),
              latex=lambda e: _with_eps("standardize", e, True), calls=("standardize", "layernorm", "layer_norm"),
              through=lambda X, e, axis: (rstd(X, e, axis=axis),), needs="$e is positive")  # fmt: skip
def standardize(X: Expr, e: Expr, *, axis: int) -> Expr:
    """Layer normalisation without its scale and shift: the mean is 0 along the axis, and the variance v/(v + e)."""
    return _centred(X, axis) * along(rstd(X, e, axis=axis), X, axis)


@composite_op("X[*s], e[] -> [*t]", attrs=("axis",), defaults={"axis": -1}, text=lambda e: _with_eps("rrms", e),
              latex=lambda e: _with_eps("rrms", e, True), calls=("rrms",), needs="$e is positive")  # fmt: skip
def rrms(X: Expr, e: Expr, *, axis: int) -> Expr:
    """One over the root of the mean square along an axis, with e added to the mean square."""
    return power(mean_over(X * X, axes=(axis,)) + _like(e, X, axis), exponent=Fraction(-1, 2))


@composite_op("X[*s], e[] -> [*s]", attrs=("axis",), defaults={"axis": -1}, text=lambda e: _with_eps("rmsnorm", e),
              latex=lambda e: _with_eps("rmsnorm", e, True), calls=("rmsnorm", "rms_norm"),
              through=lambda X, e, axis: (rrms(X, e, axis=axis),), needs="$e is positive")  # fmt: skip
def rmsnorm(X: Expr, e: Expr, *, axis: int) -> Expr:
    """X divided by the root of its mean square along an axis (Zhang and Sennrich 2019)."""
    return X * along(rrms(X, e, axis=axis), X, axis)


@composite_op("z[n], y[n] -> []", text="cross_entropy_logits($z:0, $y:0)", latex=r"\operatorname{CE}($z:0, $y:0)",
              calls=("cross_entropy_logits",), through=lambda z, y: (softmax(z, axis=0),))  # fmt: skip
def cross_entropy_logits(z: Expr, y: Expr) -> Expr:
    """The cross-entropy of softmax(z) against the weights y: −Σ yᵢ log softmax(z)ᵢ."""
    return -dot(y, logsoftmax(z, axis=0))


@composite_op("X[*s] -> []", text="norm1($X:0)", latex=r"\lVert $X:0\rVert_1", calls=("norm1",))
def norm1(X: Expr) -> Expr:
    """The sum of the absolute values of all entries."""
    return total(abs_(X))


@composite_op("x[n], y[n] -> []", text="cosine_similarity($x:0, $y:0)", latex=r"\cos($x:0, $y:0)", calls=("cosine_similarity",),
              needs="$x ≠ 0 and $y ≠ 0")  # fmt: skip
def cosine_similarity(x: Expr, y: Expr) -> Expr:
    """The cosine of the angle between two vectors."""
    return dot(x, y) / (norm(x) * norm(y))


@composite_op("p[n], q[n] -> []", text="kl_divergence($p:0, $q:0)", latex=r"\operatorname{KL}($p:0 \,\|\, $q:0)", calls=("kl_divergence",),
              needs="every entry of $p and of $q is positive")  # fmt: skip
def kl_divergence(p: Expr, q: Expr) -> Expr:
    """Σ pᵢ (log pᵢ − log qᵢ)."""
    return dot(p, log(p) - log(q))


@composite_op("Q[m,k], K[n,k] -> [m,n]", text="attention_weights($Q:0, $K:0)", latex=r"\operatorname{weights}($Q:0, $K:0)",
              calls=("attention_weights",))  # fmt: skip
def attention_weights(Q: Expr, K: Expr) -> Expr:
    """The weights of scaled dot-product attention, softmax(Q Kᵀ / √d) in every row."""
    return softmax((Q @ K.T) / sqrt(size_of(Q.shape[1])), axis=1)


@composite_op("Q[m,k], K[n,k], V[n,p] -> [m,p]", text="attention($Q:0, $K:0, $V:0)", latex=r"\operatorname{attention}($Q:0, $K:0, $V:0)",
              calls=("attention",), through=lambda Q, K, V: (attention_weights(Q, K),))  # fmt: skip
def attention(Q: Expr, K: Expr, V: Expr) -> Expr:
    """Scaled dot-product attention, softmax(Q Kᵀ / √d) V (Vaswani et al. 2017, eq. 1)."""
    return attention_weights(Q, K) @ V
