"""Variance, standard deviation, and products of all entries."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from ..dims import Dim, Shape, entries_of
from ..expr import Expr
from ..op import op
from .arithmetic import LETTERS, power, rational, size_of
from .entrywise import sqrt
from .reduction import axes_text, drop, mean_over, spread, sum_over
from .selection import lines
from .structure import einsum

__all__ = ["prod_except", "prod_over", "std_over", "var_over"]

_ZERO = Dim({})


# ---- variance --------------------------------------------------------------------------------------------


def _count(X: Expr, axes: tuple[int, ...], ddof: int) -> Expr:
    """The number that a sum of squares is divided by."""
    return size_of(entries_of(tuple(X.shape[k] for k in axes)) - Dim.number(ddof))


def _centred(X: Expr, axes: tuple[int, ...]) -> Expr:
    return X - spread(mean_over(X, axes=axes), X, axes)


def _moment(name: str) -> dict[str, Any]:
    plain, latex = axes_text(name)

    def more(write: Any) -> Any:
        return lambda e: write(e)[:-1] + (f", ddof={e.attrs[1]})" if e.attrs[1] else ")")

    return {"attrs": ("axes", "ddof"), "shape": lambda attrs, shape: drop(attrs[:1], shape), "text": more(plain), "latex": more(latex),
            "name": f"{name}_over", "calls": (name,), "options": {"axes": ("axis", "axes"), "ddof": ("ddof", "whole")}, "defaults": {"ddof": 0}}  # fmt: skip


def _fewer(e: Expr) -> str:
    """What the number of entries must be, where that does not hold for all sizes."""
    count = entries_of(tuple(e.args[0].shape[k] for k in e.attrs[0]))
    return "" if not e.attrs[1] or count.at_least(Dim.number(e.attrs[1] + 1)) else f"{e.attrs[1]} < {count}"


@op("X[*s] -> [*t]", **_moment("var"), needs=_fewer, array=lambda np, X, axes, ddof: np.var(X, axis=axes, ddof=ddof),
    define=lambda e, X: power(_count(X, *e.attrs), exponent=Fraction(-1)) * sum_over(_centred(X, e.attrs[0]) ** 2, axes=e.attrs[0]))  # fmt: skip
def var_over(Y: Expr, X: Expr, dX: Expr, *, axes: tuple[int, ...], ddof: int) -> Expr:
    """The mean square distance from the mean: divided by the number of entries n as in NumPy and JAX, by n − 1 with ddof=1 as in PyTorch.

    X D-VAR: d Σ (x − mean)² = 2 Σ (x − mean) dx, for the deviations from the mean add up to 0, so that d(mean) drops out
    """
    return (rational(2) * power(_count(X, axes, ddof), exponent=Fraction(-1))) * sum_over(
        _centred(X, axes) * dX, axes=axes
    )


@op("X[*s] -> [*t]", **_moment("std"), array=lambda np, X, axes, ddof: np.std(X, axis=axes, ddof=ddof),
    needs=lambda e: "the entries of $X are not all equal" + (f", and {_fewer(e)}" if _fewer(e) else ""),
    define=lambda e, X: sqrt(var_over(X, axes=e.attrs[0], ddof=e.attrs[1])))  # fmt: skip
def std_over(Y: Expr, X: Expr, dX: Expr, *, axes: tuple[int, ...], ddof: int) -> Expr:
    """The root of the variance. Differentiate Y ⊙ Y = var(X): 2 Y ⊙ dY = d var(X), and solve.

    X D-VAR: d std = Σ (x − mean) dx / (n std), for the deviations from the mean add up to 0, so that d(mean) drops out
    """
    return power(_count(X, axes, ddof), exponent=Fraction(-1)) * (
        power(Y, exponent=Fraction(-1)) * sum_over(_centred(X, axes) * dX, axes=axes)
    )


# ---- products of all entries -------------------------------------------------------------------------------


def _multiplied(field: Any, values: Sequence[Any]) -> Any:
    found: Any = field.number(Fraction(1))
    for x in values:
        found = found * x % field.mod if field.mod else found * x
    return found


def _product(
    field: Any, extents: Sequence[tuple[int, ...]], args: Sequence[list[Any]], axes: tuple[int, ...]
) -> list[Any]:
    return [_multiplied(field, [args[0][k] for k in line]) for line in lines(extents[0], axes)]


_prod_text, _prod_latex = axes_text("prod")


@op("X[*s] -> [*t]", name="prod_over", attrs=("axes",), shape=drop, text=_prod_text, latex=_prod_latex, calls=("prod",), whole=_product,
    options={"axes": ("axis", "axes")}, ordered=True, array=lambda np, X, axes: np.prod(X, axis=axes))  # fmt: skip
def prod_over(Y: Expr, X: Expr, dX: Expr, *, axes: tuple[int, ...]) -> Expr:
    """By the product rule every factor is differentiated in turn, beside the product of all others: right also where an entry is 0.

    X D-PROD: d(x₁ ⋯ xₙ) = Σᵢ (product of all xⱼ with j ≠ i) dxᵢ; where no entry is 0 that product is prod($X) / xᵢ
    """
    return sum_over(prod_except(X, axes=axes, times=1) * dX, axes=axes)


def _except_shape(attrs: tuple[tuple[int, ...], int], shape: Shape) -> Shape:
    drop(attrs[:1], shape)
    return shape + tuple(shape[k] for k in attrs[0]) * (attrs[1] - 1)


def _others(
    field: Any, extents: Sequence[tuple[int, ...]], args: Sequence[list[Any]], axes: tuple[int, ...], times: int
) -> list[Any]:
    """The product of the entries in the line of each, without those that are named; 0 where one is named twice."""
    [shape], [x] = extents, args
    per = {k: (line, n) for line in lines(shape, axes) for n, k in enumerate(line)}
    found = []
    for k in range(len(x)):
        line, n = per[k]
        for more in product(range(len(line)), repeat=times - 1):
            left = {n, *more}
            found.append(
                _multiplied(field, [x[j] for i, j in enumerate(line) if i not in left]) if len(left) == times else 0
            )
    return found


def _others_array(np: Any, X: Any, axes: tuple[int, ...], times: int) -> Any:
    moved = np.moveaxis(X, axes, range(-len(axes), 0))
    flat = moved.reshape((*moved.shape[: moved.ndim - len(axes)], -1))
    n = flat.shape[-1]
    out = np.zeros((*flat.shape, *[n] * (times - 1)))
    for named in product(range(n), repeat=times):
        if len(set(named)) == times:
            out[(..., *named)] = np.prod(np.delete(flat, named, axis=-1), axis=-1)
    spans = [X.shape[k] for k in axes]
    out = out.reshape((*flat.shape[:-1], *spans * times))
    first = flat.ndim - 1
    return np.moveaxis(out, range(first, first + len(axes)), axes)


def _others_source(np: Any, X: Any, axes: tuple[int, ...], times: int) -> Any:
    """The products before and after every entry of its line: nothing is divided by."""
    if times > 1:
        raise TypeError("only products of all but one are written")
    rest, spans = [n for k, n in enumerate(X.shape) if k not in axes], [X.shape[k] for k in axes]
    last = tuple(range(-len(axes), 0))
    flat = np.moveaxis(X, axes, last).reshape((*rest, prod(spans)))
    one = np.ones((*rest, 1))
    before = np.cumprod(np.concatenate([one, flat[..., :-1]], axis=-1), -1)
    after = np.flip(np.cumprod(np.concatenate([one, np.flip(flat, -1)[..., :-1]], axis=-1), -1), -1)
    return np.moveaxis((before * after).reshape((*rest, *spans)), last, axes)


def _except_text(name: str) -> Any:
    def write(e: Expr) -> str:
        axes, times = e.attrs
        shown = "" if len(axes) == e.args[0].order else f", axis={axes[0] if len(axes) == 1 else axes}"
        return f"{name}($X:0{shown}{f', times={times}' if times > 1 else ''})"

    return write


@op("X[*s] -> [*t]", name="prod_except", attrs=("axes", "times"), shape=_except_shape, whole=_others, ordered=True, calls=("prod_except",),
    options={"axes": ("axis", "axes"), "times": ("times", "whole")}, defaults={"times": 1}, array=_others_array, source=_others_source,
    text=_except_text("prod_except"), latex=_except_text(r"\operatorname{prod\_except}"))  # fmt: skip
def prod_except(Y: Expr, X: Expr, dX: Expr, *, axes: tuple[int, ...], times: int) -> Expr:
    """Beside every entry the product of all others, a polynomial: prod(X) / X where no entry is 0. With times=2, of all but two.

    X D-PROD: the product of all entries but some is differentiated factor by factor, beside the product without that one as well
    """
    letters = LETTERS[: Y.order]
    new = LETTERS[Y.order : Y.order + len(axes)]
    own = "".join(new[axes.index(k)] if k in axes else c for k, c in enumerate(letters[: X.order]))
    return einsum(f"{letters}{new},{own}->{letters}", prod_except(X, axes=axes, times=times + 1), dX)
