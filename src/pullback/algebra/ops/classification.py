"""Cross-entropies of classes, by labels, by weights and among pairs; distances of triplets and pairs."""

from __future__ import annotations

from fractions import Fraction

from ..expr import Expr
from ..op import composite_op
from .arithmetic import rational, size_of
from .composites import called, reduced, reducing
from .entrywise import HALF, filled
from .learning import logsoftmax, softmax
from .matrix import diagvec, dot
from .normalisation import norm_along
from .piecewise import relu
from .reduction import average, norm, sum_over
from .selection import one_hot

_ONE = Fraction(1)


# ---- classes -----------------------------------------------------------------------------------------------


@composite_op("z[n], y[n] -> []", text="cross_entropy_logits($z:0, $y:0)", latex=r"\operatorname{CE}($z:0, $y:0)",
              calls=("cross_entropy_logits",), through=lambda z, y: (softmax(z, axis=0),))  # fmt: skip
def cross_entropy_logits(z: Expr, y: Expr) -> Expr:
    """The cross-entropy of softmax(z) against the weights y: −Σ yᵢ log softmax(z)ᵢ."""
    return -dot(y, logsoftmax(z, axis=0))


@composite_op(
    "z[c], y[c] -> []", **called("cross_entropy", "softmax_cross_entropy"), through=lambda z, y: (softmax(z, axis=0),)
)
def cross_entropy(z: Expr, y: Expr) -> Expr:
    """The cross-entropy of logits z against the weights y of the classes: −Σ yᵢ log softmax(z)ᵢ."""
    return -dot(y, logsoftmax(z, axis=0))


@composite_op("Z[b,c], Y[b,c] -> [*t]", **reducing("cross_entropy", "softmax_cross_entropy"),
              through=lambda Z, Y, reduction: (softmax(Z, axis=1),))  # fmt: skip
def cross_entropies(Z: Expr, Y: Expr, *, reduction: str) -> Expr:
    """The cross-entropy of every row of logits against a row of weights of the classes."""
    return reduced(-sum_over(Y * logsoftmax(Z, axis=1), axes=(1,)), reduction)


@composite_op(
    "z[c], y[] -> []",
    fixed=("y",),
    **called("cross_entropy", "softmax_cross_entropy"),
    through=lambda z, y: (softmax(z, axis=0),),
)
def cross_entropy_of_label(z: Expr, y: Expr) -> Expr:
    """The cross-entropy of logits z at the class y, counted from 0: −log softmax(z)_y."""
    return -dot(one_hot(y, classes=z.shape[0]), logsoftmax(z, axis=0))


@composite_op("Z[b,c], y[b] -> [*t]", fixed=("y",), **reducing("cross_entropy", "softmax_cross_entropy"),
              through=lambda Z, y, reduction: (softmax(Z, axis=1),))  # fmt: skip
def cross_entropy_of_labels(Z: Expr, y: Expr, *, reduction: str) -> Expr:
    """The cross-entropy of every row of logits at the class that y has for it, counted from 0."""
    return reduced(-sum_over(one_hot(y, classes=Z.shape[1]) * logsoftmax(Z, axis=1), axes=(1,)), reduction)


@composite_op("l[c], y[] -> []", fixed=("y",), **called("nll_loss"))
def nll_loss(l: Expr, y: Expr) -> Expr:
    """The negative log-likelihood −l_y of the class y, counted from 0, for log-probabilities l."""
    return -dot(one_hot(y, classes=l.shape[0]), l)


@composite_op("L[b,c], y[b] -> [*t]", fixed=("y",), **reducing("nll_loss"))
def nll_losses(L: Expr, y: Expr, *, reduction: str) -> Expr:
    """The negative log-likelihood in every row of log-probabilities of the class that y has for it, counted from 0."""
    return reduced(-sum_over(one_hot(y, classes=L.shape[1]) * L, axes=(1,)), reduction)


@composite_op("Y[*s], a[] -> [*s]", **called("smooth_labels", "label_smoothing"))
def smooth_labels(Y: Expr, a: Expr) -> Expr:
    """Weights of classes mixed with equal ones along the last axis: (1 − a) y + a/c for c classes."""
    classes = size_of(Y.shape[-1]) if Y.order else rational(1)
    return (1 - a) * Y + filled(a / classes, Y)


# ---- pairs -------------------------------------------------------------------------------------------------


@composite_op("A[b,d], B[b,d], t[] -> []", **called("info_nce", "infonce", "info_nce_loss", omitted=(_ONE,)), needs="$t ≠ 0",
              through=lambda A, B, t: (softmax((A @ B.T) / t, axis=1),))  # fmt: skip
def info_nce(A: Expr, B: Expr, t: Expr) -> Expr:
    """Each row of A is to find its partner among the rows of B: the mean of −log softmax(A Bᵀ/t)ᵢᵢ (van den Oord et al. 2018)."""
    return -average(diagvec(logsoftmax((A @ B.T) / t, axis=1)))


@composite_op("A[b,d], B[b,d], t[] -> []", **called("clip_loss", omitted=(_ONE,)), needs="$t ≠ 0",
              through=lambda A, B, t: (softmax((A @ B.T) / t, axis=1), softmax((B @ A.T) / t, axis=1)))  # fmt: skip
def clip_loss(A: Expr, B: Expr, t: Expr) -> Expr:
    """Half of InfoNCE from A to B, and half of it from B to A (Radford et al. 2021)."""
    return rational(HALF) * (info_nce(A, B, t) + info_nce(B, A, t))


@composite_op(
    "a[n], p[n], q[n], m[] -> []",
    **called("triplet_margin_loss", "triplet_loss", omitted=(_ONE,)),
    needs="$a ≠ $p and $a ≠ $q",
)
def triplet_margin_loss(a: Expr, p: Expr, q: Expr, m: Expr) -> Expr:
    """relu(‖a − p‖ − ‖a − q‖ + m): the anchor a is to be nearer to p than to q by m (Schroff et al. 2015, with lengths)."""
    return relu(norm(a - p) - norm(a - q) + m)


@composite_op("A[b,n], P[b,n], Q[b,n], m[] -> [*t]", **reducing("triplet_margin_loss", "triplet_loss", omitted=(_ONE,)),
              needs="no row of $A is the same row of $P or $Q",
              through=lambda A, P, Q, m, reduction: (norm_along(A - P), norm_along(A - Q)))  # fmt: skip
def triplet_margin_losses(A: Expr, P: Expr, Q: Expr, m: Expr, *, reduction: str) -> Expr:
    """The triplet loss of every row of anchors A, of what they are to be near to, P, and far from, Q."""
    far = norm_along(A - Q)
    return reduced(relu(norm_along(A - P) - far + filled(m, far)), reduction)


@composite_op("x[n], y[n], s[], m[] -> []", **called("contrastive_loss", omitted=(_ONE,)), needs="$x ≠ $y")
def contrastive_loss(x: Expr, y: Expr, s: Expr, m: Expr) -> Expr:
    """s d² + (1 − s) relu(m − d)² with d = ‖x − y‖: near where s is 1, at least m apart where it is 0 (Hadsell et al. 2006)."""
    d = norm(x - y)
    return s * d**2 + (1 - s) * relu(m - d) ** 2


@composite_op("X[b,n], Y[b,n], s[b], m[] -> [*t]", **reducing("contrastive_loss", omitted=(_ONE,)), needs="no row of $X is the same row of $Y",
              through=lambda X, Y, s, m, reduction: (norm_along(X - Y),))  # fmt: skip
def contrastive_losses(X: Expr, Y: Expr, s: Expr, m: Expr, *, reduction: str) -> Expr:
    """The contrastive loss of every row of X and Y."""
    d = norm_along(X - Y)
    return reduced(s * d**2 + (1 - s) * relu(filled(m, d) - d) ** 2, reduction)
