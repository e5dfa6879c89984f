"""Sums, means and norms."""

from __future__ import annotations

from fractions import Fraction

from ...errors import ShapeError
from ..dims import Shape, show_shape
from ..expr import Expr
from ..op import Meaning, linear_op, op
from .arithmetic import rational, same, size_of
from .entrywise import sqrt
from .matrix import outer, pair
from .structure import einsum, ones


def kept(X: Expr, axes: tuple[int, ...]) -> str:
    return "".join(c for i, c in enumerate(same(X)) if i not in axes)


def drop(attrs: tuple[tuple[int, ...]], shape: Shape) -> Shape:
    axes = attrs[0]
    if len(set(axes)) != len(axes) or not all(0 <= i < len(shape) for i in axes):
        raise ShapeError("S003", f"there is no axis {', '.join(map(str, axes))} to sum over in a tensor of shape {show_shape(shape)}",
                         expected=f"different axes, counted from 0 to {len(shape) - 1}")  # fmt: skip
    return tuple(d for i, d in enumerate(shape) if i not in attrs[0])


def spread(G: Expr, X: Expr, axes: tuple[int, ...]) -> Expr:
    """G repeated along the summed axes of X: the adjoint of a sum is a broadcast."""
    if len(axes) == X.order:
        return G * ones(X.shape)
    if X.order == 2:
        one = ones((X.shape[axes[0]],))
        return outer(one, G) if axes == (0,) else outer(G, one)
    letters = same(X)
    summed = "".join(letters[i] for i in axes)
    return einsum(f"{kept(X, axes)},{summed}->{letters}", G, ones(tuple(X.shape[i] for i in axes)))


def axes_text(name: str) -> tuple[object, object]:
    def text(e: Expr) -> str:
        axes = e.attrs[0]
        if len(axes) == e.args[0].order:
            return f"{name}($X:0)"
        inner = str(axes[0]) if len(axes) == 1 else str(tuple(axes))
        return f"{name}($X:0, axis={inner})"

    return text, lambda e: rf"\operatorname{{{name}}}" + text(e).removeprefix(name)


_sum_text, _sum_latex = axes_text("sum")
_mean_text, _mean_latex = axes_text("mean")


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axes",), shape=drop,
           means=lambda e: Meaning(f"{same(e.args[0])}->{kept(e.args[0], e.attrs[0])}", [0]),
           text=_sum_text, latex=_sum_latex, calls=("sum",))  # fmt: skip
def sum_over(G: Expr, X: Expr, *, axes: tuple[int, ...]) -> Expr:
    """A sum pairs every entry with 1: its adjoint repeats G along the summed axes.

    X M-SUM: ⟨$G, sum($dX)⟩ = ⟨$G repeated along the summed axes, $dX⟩ | Σ G (Σ d) = Σ Σ (G · 1) d: every entry gets the same factor
    """
    return spread(G, X, axes)


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axes",), shape=drop,
           means=lambda e: Meaning(f"{same(e.args[0])}->{kept(e.args[0], e.attrs[0])}", [0],
                                   over=tuple(e.args[0].shape[i] for i in e.attrs[0])),
           text=_mean_text, latex=_mean_latex, calls=("mean",))  # fmt: skip
def mean_over(G: Expr, X: Expr, *, axes: tuple[int, ...]) -> Expr:
    """A mean is a sum divided by the number of entries.

    X M-MEAN: ⟨$G, mean($dX)⟩ = ⟨$G / count, repeated along the averaged axes, $dX⟩ | Σ G (1/count) Σ d = Σ Σ (G/count · 1) d
    """
    count = rational(1)
    for i in axes:
        count = size_of(X.shape[i]) if i == axes[0] else count * size_of(X.shape[i])
    return spread(count ** Fraction(-1) * G, X, axes)


@op("X[*s] -> []", define=lambda e, X: pair(X, X), text="‖$X:0‖²", latex=r"\lVert $X:0\rVert^2",
    calls=("sumsq",))  # fmt: skip
def norm_sq(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """‖X + dX‖² = ‖X‖² + 2⟨X, dX⟩ + ‖dX‖²; the last term is second order.

    X D-NORM: d‖$X‖² = ⟨$dX, $X⟩ + ⟨$X, $dX⟩ = 2⟨$X, $dX⟩
    """
    return 2 * pair(X, dX)


@op("X[*s] -> []", define=lambda e, X: sqrt(pair(X, X)), text="‖$X:0‖", latex=r"\lVert $X:0\rVert",
    squared=lambda e: norm_sq(e.args[0]), calls=("norm", "norm2"), needs="$X ≠ 0")  # fmt: skip
def norm(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """Differentiate ‖X‖ ‖X‖ = ⟨X, X⟩: 2 ‖X‖ d‖X‖ = 2 ⟨X, dX⟩, and solve.

    X D-NORM: d‖$X‖ = ⟨$X, $dX⟩ / ‖$X‖
    """
    return Y ** Fraction(-1) * pair(X, dX)


def total(X: Expr) -> Expr:
    """The sum of all entries; of a scalar, the scalar."""
    return sum_over(X, axes=tuple(range(X.order)))


def average(X: Expr) -> Expr:
    return mean_over(X, axes=tuple(range(X.order)))
