"""Normalisations: a tensor centred and scaled along axes, by layer, batch, group, channel or row; composite ops."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, show_shape
from ..expr import Expr
from ..op import composite_op
from .arithmetic import power
from .composites import called, one_for_each, repeated
from .entrywise import reciprocal_of, sqrt
from .matrix import diag, dot
from .reduction import mean_over, norm, spread, sum_over
from .reshaping import reshape
from .structure import ones

_EPS = Fraction("0.00001")  # what is added to a variance where nothing is said, as in PyTorch


def _on_axes(name: str, *more: str, **data: Any) -> dict[str, Any]:
    """An op along axes, the last one if none is named."""
    return {
        **called(name, *more, **data),
        "attrs": ("axes",),
        "defaults": {"axes": (-1,)},
        "options": {"axes": ("axis", "axes")},
    }


def _number(e: Expr, X: Expr, axes: tuple[int, ...]) -> Expr:
    """The number e beside what is left of X without the axes."""
    shape = tuple(d for k, d in enumerate(X.shape) if k not in axes)
    return e * ones(shape) if shape else e


# ---- mean and variance -------------------------------------------------------------------------------------


def _centred(X: Expr, axes: tuple[int, ...]) -> Expr:
    return X - spread(mean_over(X, axes=axes), X, axes)


def _over_last(e: Expr) -> bool:
    """Whether the axes are the last ones, and the small number is written as one: so have it packages."""
    axes, order = e.attrs[0], e.args[0].order
    return bool(axes == tuple(range(order - len(axes), order)) and e.args[1].op.number)


@composite_op("X[*s], e[] -> [*t]", **_on_axes("rstd", omitted=(_EPS,)), needs="$e is positive",
              kernel="standardized[1]", whole_if=_over_last)  # fmt: skip
def rstd(X: Expr, e: Expr, *, axes: tuple[int, ...]) -> Expr:
    """One over the standard deviation along axes, with e added to the variance."""
    c = _centred(X, axes)
    return power(mean_over(c * c, axes=axes) + _number(e, X, axes), exponent=Fraction(-1, 2))


@composite_op("X[*s], e[] -> [*s]", **_on_axes("standardize", "layernorm", "layer_norm", omitted=(_EPS,)),
              through=lambda X, e, axes: (rstd(X, e, axes=axes),), needs="$e is positive",
              kernel="standardized[0]", whole_if=_over_last)  # fmt: skip
def standardize(X: Expr, e: Expr, *, axes: tuple[int, ...]) -> Expr:
    """Layer normalisation without its scale and shift: the mean is 0 along the axes, and the variance v/(v + e)."""
    return _centred(X, axes) * spread(rstd(X, e, axes=axes), X, axes)


@composite_op("X[*s], e[] -> [*t]", **_on_axes("rrms", omitted=(_EPS,)), needs="$e is positive")
def rrms(X: Expr, e: Expr, *, axes: tuple[int, ...]) -> Expr:
    """One over the root of the mean square along axes, with e added to the mean square."""
    return power(mean_over(X * X, axes=axes) + _number(e, X, axes), exponent=Fraction(-1, 2))


@composite_op("X[*s], e[] -> [*s]", **_on_axes("rmsnorm", "rms_norm", omitted=(_EPS,)),
              through=lambda X, e, axes: (rrms(X, e, axes=axes),), needs="$e is positive")  # fmt: skip
def rmsnorm(X: Expr, e: Expr, *, axes: tuple[int, ...]) -> Expr:
    """X divided by the root of its mean square along axes (Zhang and Sennrich 2019)."""
    return X * spread(rrms(X, e, axes=axes), X, axes)


# ---- with a scale and a shift ------------------------------------------------------------------------------


def _scaled(name: str, *more: str, axis: int, slots: tuple[int, ...]) -> dict[str, Any]:
    """A normalisation with a scale for every place of an axis, and the small number last."""
    return {**called(name, *more, omitted=(_EPS,)), **one_for_each(axis, *slots), "needs": "$e is positive"}


@composite_op("X[*s], g[n], b[n], e[] -> [*s]", **_scaled("layernorm", "layer_norm", axis=-1, slots=(1, 2)),
              through=lambda X, g, b, e: (rstd(X, e), standardize(X, e)))  # fmt: skip
def layernorm(X: Expr, g: Expr, b: Expr, e: Expr) -> Expr:
    """Layer normalisation along the last axis with a scale g and a shift b for every place of it (Ba, Kiros and Hinton 2016)."""
    last = X.order - 1
    return repeated(g, X, last) * standardize(X, e) + repeated(b, X, last)


@composite_op("X[*s], g[n], e[] -> [*s]", **_scaled("rmsnorm", "rms_norm", axis=-1, slots=(1,)),
              through=lambda X, g, e: (rrms(X, e), rmsnorm(X, e)))  # fmt: skip
def scaled_rmsnorm(X: Expr, g: Expr, e: Expr) -> Expr:
    """Root mean square normalisation along the last axis with a scale g for every place of it."""
    return repeated(g, X, X.order - 1) * rmsnorm(X, e)


# ---- over a batch, over groups of channels -----------------------------------------------------------------


def _axes_of(name: str, first: int) -> Any:
    """The axes that a batch of that shape is normalised along. Raises ShapeError where it has none."""

    def found(X: Expr) -> tuple[int, ...]:
        if X.order <= max(first, 1):
            raise ShapeError("S003", f"{name} of a tensor of shape {show_shape(X.shape)}",
                             expected="a batch: examples, then channels" + (", then places" if first > 1 else ""))  # fmt: skip
        return tuple(k for k in range(X.order) if k >= first and k != 1) if first else (0, *range(2, X.order))

    return found


_batch, _instance = _axes_of("batch_norm", 0), _axes_of("instance_norm", 2)


@composite_op("X[*s], e[] -> [*s]", **called("batch_norm", "batchnorm", omitted=(_EPS,)), needs="$e is positive",
              through=lambda X, e: (rstd(X, e, axes=_batch(X)),))  # fmt: skip
def batch_norm(X: Expr, e: Expr) -> Expr:
    """Every channel (axis 1) with mean 0 and variance v/(v + e) over the examples and places: training mode (Ioffe and Szegedy 2015)."""
    return standardize(X, e, axes=_batch(X))


@composite_op("X[*s], g[n], b[n], e[] -> [*s]", **_scaled("batch_norm", "batchnorm", axis=1, slots=(1, 2)),
              through=lambda X, g, b, e: (rstd(X, e, axes=_batch(X)), batch_norm(X, e)))  # fmt: skip
def scaled_batch_norm(X: Expr, g: Expr, b: Expr, e: Expr) -> Expr:
    """Batch normalisation with a scale g and a shift b for every channel."""
    return repeated(g, X, 1) * batch_norm(X, e) + repeated(b, X, 1)


@composite_op("X[*s], e[] -> [*s]", **called("instance_norm", omitted=(_EPS,)), needs="$e is positive",
              through=lambda X, e: (rstd(X, e, axes=_instance(X)),))  # fmt: skip
def instance_norm(X: Expr, e: Expr) -> Expr:
    """Every channel of every example with mean 0 and variance v/(v + e) over its places (Ulyanov, Vedaldi and Lempitsky 2016)."""
    return standardize(X, e, axes=_instance(X))


@composite_op("X[*s], g[n], b[n], e[] -> [*s]", **_scaled("instance_norm", axis=1, slots=(1, 2)),
              through=lambda X, g, b, e: (rstd(X, e, axes=_instance(X)), instance_norm(X, e)))  # fmt: skip
def scaled_instance_norm(X: Expr, g: Expr, b: Expr, e: Expr) -> Expr:
    """Instance normalisation with a scale g and a shift b for every channel."""
    return repeated(g, X, 1) * instance_norm(X, e) + repeated(b, X, 1)


def _split(X: Expr, groups: Dim) -> Expr:
    """The channels (axis 1) in groups, a new axis. Raises ShapeError where they do not divide."""
    each = X.shape[1].over(groups) if X.order > 1 else None
    if each is None:
        raise ShapeError("S011", f"the channels of a tensor of shape {show_shape(X.shape)} do not fall into {groups} groups",
                         expected="examples, then channels, as many as the groups or a multiple of that")  # fmt: skip
    return reshape(X, dims=(X.shape[0], groups, each, *X.shape[2:]))


@composite_op("X[*s], e[] -> [*s]", attrs=("groups",), options={"groups": ("groups", "size")}, needs="$e is positive",
              unfolds=True, **called("group_norm", omitted=(_EPS,)))  # fmt: skip
def group_norm(X: Expr, e: Expr, *, groups: Dim) -> Expr:
    """The channels of every example in groups, each with mean 0 and variance v/(v + e) over its channels and places (Wu and He 2018)."""
    R = _split(X, groups)
    return reshape(standardize(R, e, axes=tuple(range(2, R.order))), dims=X.shape)


@composite_op("X[*s], g[n], b[n], e[] -> [*s]", attrs=("groups",), options={"groups": ("groups", "size")}, unfolds=True,
              **_scaled("group_norm", axis=1, slots=(1, 2)))  # fmt: skip
def scaled_group_norm(X: Expr, g: Expr, b: Expr, e: Expr, *, groups: Dim) -> Expr:
    """Group normalisation with a scale g and a shift b for every channel."""
    return repeated(g, X, 1) * group_norm(X, e, groups=groups) + repeated(b, X, 1)


# ---- lengths -----------------------------------------------------------------------------------------------


@composite_op("X[*s] -> [*t]", **_on_axes("norm_along"), needs="no line of $X along these axes is zero")
def norm_along(X: Expr, *, axes: tuple[int, ...]) -> Expr:
    """The lengths √Σ x² of the lines along axes: of the rows of a matrix."""
    return sqrt(sum_over(X * X, axes=axes))


@composite_op("X[*s] -> [*s]", **_on_axes("normalize", "l2_normalize", "l2norm"), needs="no line of $X along these axes is zero",
              through=lambda X, axes: (norm_along(X, axes=axes),))  # fmt: skip
def normalize(X: Expr, *, axes: tuple[int, ...]) -> Expr:
    """Every line along the axes divided by its length."""
    return X * spread(reciprocal_of(norm_along(X, axes=axes)), X, axes)


@composite_op("V[m,n], g[m] -> [m,n]", **called("weight_norm"), needs="no row of $V is zero",
              through=lambda V, g: (norm_along(V), normalize(V)))  # fmt: skip
def weight_norm(V: Expr, g: Expr) -> Expr:
    """Every row of V divided by its length and multiplied by the number that g has for it (Salimans and Kingma 2016)."""
    return diag(g) @ normalize(V)


@composite_op("x[n], y[n] -> []", text="cosine_similarity($x:0, $y:0)", latex=r"\cos($x:0, $y:0)", calls=("cosine_similarity",),
              needs="$x ≠ 0 and $y ≠ 0")  # fmt: skip
def cosine_similarity(x: Expr, y: Expr) -> Expr:
    """The cosine of the angle between two vectors."""
    return dot(x, y) / (norm(x) * norm(y))


@composite_op("X[m,n], Y[m,n] -> [m]", **called("cosine_similarity", latex=r"\cos"), needs="no row of $X and no row of $Y is zero",
              through=lambda X, Y: (norm_along(X), norm_along(Y), normalize(X), normalize(Y)))  # fmt: skip
def cosine_similarities(X: Expr, Y: Expr) -> Expr:
    """The cosines of the angles between the rows of two matrices, row by row."""
    return sum_over(normalize(X) * normalize(Y), axes=(1,))
