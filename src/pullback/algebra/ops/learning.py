"""Softmax and its kin: composite ops, whose differentials are derived from their definitions."""

from __future__ import annotations

from ..expr import Expr
from ..op import REGISTRY, composite_op
from .entrywise import exp, log
from .matrix import dot
from .piecewise import abs_
from .reduction import spread, sum_over, total


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


def largest(X: Expr, *, axes: tuple[int, ...]) -> Expr:
    """The largest entry along axes; that op is declared later than these."""
    return REGISTRY["max_over"](X, axes=axes)


def _shifted(X: Expr, axis: int) -> Expr:
    """X minus its largest entry along an axis: no exponential of it overflows, and no sum of them is 0."""
    return X - along(largest(X, axes=(axis,)), X, axis)


def _softmax_stable(node: Expr, X: Expr) -> Expr:
    e = exp(_shifted(X, node.attrs[0]))
    return e / along(sum_over(e, axes=node.attrs), X, node.attrs[0])


def _logsumexp_stable(node: Expr, X: Expr) -> Expr:
    return largest(X, axes=node.attrs) + log(sum_over(exp(_shifted(X, node.attrs[0])), axes=node.attrs))


def _logsoftmax_stable(node: Expr, X: Expr) -> Expr:
    s = _shifted(X, node.attrs[0])
    return s - along(log(sum_over(exp(s), axes=node.attrs)), X, node.attrs[0])


def _log_of_largest(X: Expr, axis: int) -> Expr:
    """The largest logarithm of a softmax: minus the logarithm of the sum of exponentials of X less its largest entry."""
    return log(largest(softmax(X, axis=axis), axes=(axis,)))


def _logsumexp_beside(node: Expr, X: Expr) -> Expr:
    return largest(X, axes=node.attrs) - _log_of_largest(X, node.attrs[0])


def _logsoftmax_sparse(node: Expr, X: Expr) -> Expr:
    return _shifted(X, node.attrs[0]) + along(_log_of_largest(X, node.attrs[0]), X, node.attrs[0])


@composite_op("X[*s] -> [*s]", attrs=("axis",), defaults={"axis": -1}, text=_axis_text("softmax"), latex=_axis_latex("softmax"),
              calls=("softmax",), stable=_softmax_stable, kernel="softmax", beside=lambda e, X: exp(REGISTRY["logsoftmax"](X, axis=e.attrs[0])))  # fmt: skip
def softmax(X: Expr, *, axis: int) -> Expr:
    """Softmax is exp divided by its sum along an axis: positive, and its entries add up to 1."""
    e = exp(X)
    return e / along(sum_over(e, axes=(axis,)), X, axis)


@composite_op("X[*s] -> [*t]", attrs=("axis",), defaults={"axis": -1}, text=_axis_text("logsumexp"), latex=_axis_latex("logsumexp"),
              calls=("logsumexp",), stable=_logsumexp_stable, beside=_logsumexp_beside, through=lambda X, axis: (softmax(X, axis=axis),))  # fmt: skip
def logsumexp(X: Expr, *, axis: int) -> Expr:
    """The logarithm of the sum of the exponentials along an axis: a smooth maximum."""
    return log(sum_over(exp(X), axes=(axis,)))


@composite_op("X[*s] -> [*s]", attrs=("axis",), defaults={"axis": -1}, text=_axis_text("logsoftmax"), latex=_axis_latex("logsoftmax"),
              calls=("logsoftmax", "log_softmax"), stable=_logsoftmax_stable, kernel="log_softmax", sparse=_logsoftmax_sparse, through=lambda X, axis: (softmax(X, axis=axis),))  # fmt: skip
def logsoftmax(X: Expr, *, axis: int) -> Expr:
    """The logarithm of softmax, without its underflow."""
    return X - along(log(sum_over(exp(X), axes=(axis,))), X, axis)


@composite_op("X[*s] -> []", text="norm1($X:0)", latex=r"\lVert $X:0\rVert_1", calls=("norm1",))
def norm1(X: Expr) -> Expr:
    """The sum of the absolute values of all entries."""
    return total(abs_(X))


@composite_op("p[n], q[n] -> []", text="kl_divergence($p:0, $q:0)", latex=r"\operatorname{KL}($p:0 \,\|\, $q:0)", calls=("kl_divergence",),
              needs="every entry of $p and of $q is positive")  # fmt: skip
def kl_divergence(p: Expr, q: Expr) -> Expr:
    """Σ pᵢ (log pᵢ − log qᵢ)."""
    return dot(p, log(p) - log(q))
