"""The largest entry, through the entry that is selected; one-hot vectors and rows that are looked up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from ..op import Graph, Meaning, linear_op, op
from .arithmetic import LETTERS, rational
from .reduction import axes_text, drop, spread, sum_over
from .structure import zeros

__all__ = ["TIES", "gather", "hardmax", "max_over", "min_over", "one_hot", "pick", "scatter"]

TIES = (
    "where two entries are equally large, {0} takes the first of them, and its derivative goes to that one alone, as in PyTorch's "
    "{1}(dim) and JAX's arg{1}; PyTorch's a{1} and JAX's {1} share it among all of them"
)


# ---- the largest entry -----------------------------------------------------------------------------------


def lines(extents: Sequence[int], axes: Sequence[int]) -> list[list[int]]:
    """The places of the entries along these axes, one list for every index of the others, in row-major order."""
    strides = [prod(extents[k + 1 :]) for k in range(len(extents))]

    def offsets(chosen: Sequence[int]) -> list[int]:
        spans = [range(extents[k]) for k in chosen]
        return [sum(i * strides[k] for i, k in zip(at, chosen, strict=True)) for at in product(*spans)]

    rest = [k for k in range(len(extents)) if k not in axes]
    return [[start + o for o in offsets(axes)] for start in offsets(rest)]


def _selected(
    field: Any, extents: Sequence[tuple[int, ...]], args: Sequence[list[Any]], axes: tuple[int, ...]
) -> list[Any]:
    [x], found = args, [0] * len(args[0])
    for line in lines(extents[0], axes):
        found[line[field.choose(tuple(x[k] for k in line))]] = 1
    return found


def _hardmax_array(np: Any, X: Any, axes: tuple[int, ...]) -> Any:
    rest, spans = [n for k, n in enumerate(X.shape) if k not in axes], [X.shape[k] for k in axes]
    size, last = prod(spans), tuple(range(-len(axes), 0))
    flat = np.moveaxis(X, axes, last).reshape((*rest, size))
    one = (np.arange(size) == np.argmax(flat, axis=-1)[..., None]) * 1.0
    return np.moveaxis(one.reshape((*rest, *spans)), last, axes)


def _whole_shape(attrs: tuple[Any, ...], shape: Shape) -> Shape:
    """The shape itself. Raises ShapeError where an axis is not there."""
    drop(attrs, shape)
    return shape


def _hard(name: str) -> dict[str, Any]:
    text, latex = axes_text(name)
    return {"attrs": ("axes",), "text": text, "latex": latex, "calls": (name,), "options": {"axes": ("axis", "axes")},
            "shape": _whole_shape}  # fmt: skip


@op("X[*s] -> [*s]", name="hardmax", whole=_selected, array=_hardmax_array, **_hard("hardmax"),
    graph=lambda e: Graph([k for k in range(e.order) if k not in e.attrs[0]], e.attrs[0]), kink=TIES.format("hardmax", "max"))  # fmt: skip
def hardmax(Y: Expr, X: Expr, dX: Expr, *, axes: tuple[int, ...]) -> Expr:
    """hardmax(X) is 1 at the largest entry, the first one if there are several, and 0 elsewhere: a small change of X does not change it.

    X D-MAX: the largest entry stays the largest for all small $dX, so that the 0s and 1s stay as they are
    """
    return (rational(0) * Y) * dX


@op("X[*s] -> [*s]", name="hardmin", define=lambda e, X: hardmax(-X, axes=e.attrs[0]), **_hard("hardmin"),
    kink=TIES.format("hardmin", "min"), array=lambda np, X, axes: _hardmax_array(np, -X, axes))  # fmt: skip
def hardmin(Y: Expr, X: Expr, dX: Expr, *, axes: tuple[int, ...]) -> Expr:
    """hardmin(X) is 1 at the smallest entry, the first one if there are several, and 0 elsewhere.

    X D-MAX: the smallest entry stays the smallest for all small $dX, so that the 0s and 1s stay as they are
    """
    return (rational(0) * Y) * dX


def _picked(name: str, hard: Any) -> dict[str, Any]:
    text, latex = axes_text(name)
    return {"attrs": ("axes",), "shape": drop, "text": text, "latex": latex, "calls": (name, f"a{name}"), "name": f"{name}_over",
            "options": {"axes": ("axis", "axes")}, "kink": TIES.format(name, name),
            "define": lambda e, X: sum_over(hard(X, axes=e.attrs[0]) * X, axes=e.attrs[0])}  # fmt: skip


@op("X[*s] -> [*t]", **_picked("max", hardmax), joins="max", array=lambda np, X, axes: np.max(X, axis=axes))
def max_over(Y: Expr, X: Expr, dX: Expr, *, axes: tuple[int, ...]) -> Expr:
    """The largest entry is Σ hardmax(X) ⊙ X, and hardmax(X) does not change with X: its slope is 1 at the largest entry, else 0.

    X D-MAX: near $X the largest entry is one and the same entry of $X, picked out by hardmax($X)
    """
    return sum_over(hardmax(X, axes=axes) * dX, axes=axes)


@op("X[*s] -> [*t]", **_picked("min", hardmin), joins="min", array=lambda np, X, axes: np.min(X, axis=axes))
def min_over(Y: Expr, X: Expr, dX: Expr, *, axes: tuple[int, ...]) -> Expr:
    """The smallest entry is Σ hardmin(X) ⊙ X, and hardmin(X) does not change with X: its slope is 1 at the smallest entry, else 0.

    X D-MAX: near $X the smallest entry is one and the same entry of $X, picked out by hardmin($X)
    """
    return sum_over(hardmin(X, axes=axes) * dX, axes=axes)


# ---- one-hot vectors and rows that are looked up -----------------------------------------------------------


def _one_hot(field: Any, extents: Sequence[tuple[int, ...]], args: Sequence[list[Any]], classes: int) -> list[Any]:
    return [int(field.position(i, classes) == c) for i in args[0] for c in range(classes)]


def _one_hot_array(np: Any, idx: Any, classes: int) -> Any:
    return (np.arange(classes) == checked_index(np, idx, classes)[..., None]) * 1.0


def checked_index(np: Any, idx: Any, size: int) -> Any:
    """The index as integers. Raises ShapeError S031."""
    whole = np.asarray(np.rint(idx), dtype=int)
    if not np.all(whole == idx) or np.any(whole < 0) or np.any(whole >= size):
        raise ShapeError(
            "S031",
            "an index array holds something else than places of the axis",
            expected=f"whole numbers from 0 to {size - 1}",
        )
    return whole


def _entries(X: Expr, y: Expr) -> Expr:
    return pick(X, y)


@op("y[*s] -> [*t]", attrs=("classes",), shape=lambda attrs, y: (*y, attrs[0]), fixed=("y",), calls=("one_hot", "onehot"), whole=_one_hot,
    options={"classes": ("classes", "size")}, tail="classes", text=lambda e: f"one_hot($y:0, {e.attrs[0]})",
    latex=lambda e: rf"\operatorname{{onehot}}($y:0, {e.attrs[0]})", graph=lambda e: Graph(range(e.order - 1), (e.order - 1,)),
    blocks=lambda e: ([LETTERS[: e.order - 1]], LETTERS[: e.order - 1] + "_"), picks=_entries,
    array=_one_hot_array, source=lambda np, idx, classes: (np.arange(classes) == np.as_index(idx, classes)[..., None]) * 1.0)  # fmt: skip
def one_hot(Y: Expr, y: Expr, dy: Expr, *, classes: Dim) -> Expr:
    """one_hot(y, c) has a new last axis of size c, with 1 at place y, counted from 0, and 0 elsewhere.

    y D-MAX: $y holds whole numbers, which do not move
    """
    return zeros(Y.shape)


def _gathered(attrs: tuple[()], E: Shape, idx: Shape) -> Shape:
    if not E:
        raise ShapeError("S003", "a number has no rows to look up", expected="a vector or a matrix, and an index")
    return (*idx, *E[1:])


def _hits(idx: Expr, total: Dim) -> Expr:
    return one_hot(idx, classes=total)


def _gather_letters(E: Expr, idx: Expr) -> tuple[str, str, str]:
    return LETTERS[: idx.order], LETTERS[idx.order], LETTERS[idx.order + 1 : idx.order + E.order]


def _gather_means(e: Expr) -> Meaning:
    t, m, rest = _gather_letters(*e.args)
    return Meaning(f"{m}{rest},{t}{m}->{t}{rest}", [0], extra=(_hits(e.args[1], e.args[0].shape[0]),))


@linear_op("E[*s], idx[*t] -> [*u]", linear="each", fixed=("idx",), shape=_gathered, means=_gather_means, calls=("gather", "embedding"),
           text="gather($E:0, $idx:0)", latex=r"\operatorname{gather}($E:0, $idx:0)",
           array=lambda np, E, idx: np.take(E, checked_index(np, idx, E.shape[0]), axis=0),
           source=lambda np, E, idx: np.take(E, np.as_index(idx, E.shape[0]), axis=0))  # fmt: skip
def gather(G: Expr, E: Expr, idx: Expr) -> tuple[Expr, Expr]:
    """The rows of E that idx names, counted from 0; the adjoint adds every row of G to the row that it was taken from.

    E M-GATHER: ⟨$G, gather($dE, $idx)⟩ = ⟨scatter($G, $idx), $dE⟩ | a row of $dE that is taken several times has several rows of $G beside it: they add
    idx M-GATHER: $idx holds whole numbers, which do not move | an index has no increment
    """
    return scatter(G, idx, total=E.shape[0]), zeros(idx.shape)


def _scattered(attrs: tuple[Dim], G: Shape, idx: Shape) -> Shape:
    if G[: len(idx)] != idx:
        raise ShapeError("S002", f"the index of shape {show_shape(idx)} does not name the first axes of {show_shape(G)}",
                         expected="one place for every row")  # fmt: skip
    return (attrs[0], *G[len(idx) :])


def _scatter_means(e: Expr) -> Meaning:
    t, m, rest = LETTERS[: e.args[1].order], LETTERS[e.args[1].order], LETTERS[e.args[1].order + 1 :][: e.order - 1]
    return Meaning(f"{t}{rest},{t}{m}->{m}{rest}", [0], extra=(_hits(e.args[1], e.attrs[0]),))


def _scatter_source(np: Any, G: Any, idx: Any, total: int) -> Any:
    last = tuple(range(-idx.ndim, 0))
    return np.moveaxis(np.add_at(total, np.as_index(idx, total), np.moveaxis(G, tuple(range(idx.ndim)), last)), -1, 0)


def _scatter_array(np: Any, G: Any, idx: Any, total: int) -> Any:
    found = np.zeros((total, *G.shape[idx.ndim :]))
    np.add.at(found, checked_index(np, idx, total), G)
    return found


@linear_op("G[*s], idx[*t] -> [*u]", linear="each", attrs=("total",), fixed=("idx",), shape=_scattered, means=_scatter_means,
           options={"total": ("size", "size")}, tail="total", calls=("scatter",), text=lambda e: f"scatter($G:0, $idx:0, {e.attrs[0]})",
           ties=lambda attrs, G, idx: list(zip(G, idx, strict=False)),
           latex=lambda e: rf"\operatorname{{scatter}}($G:0, $idx:0, {e.attrs[0]})", array=_scatter_array, source=_scatter_source)  # fmt: skip
def scatter(H: Expr, G: Expr, idx: Expr, *, total: Dim) -> tuple[Expr, Expr]:
    """Zeros, with every row of G added at the place that idx names, counted from 0; the adjoint looks the rows up.

    G M-GATHER: ⟨$0, scatter($dG, $idx)⟩ = ⟨gather($0, $idx), $dG⟩ | every row of $dG stands beside the row of the cotangent at its place
    idx M-GATHER: $idx holds whole numbers, which do not move | an index has no increment
    """
    return gather(H, idx), zeros(idx.shape)


def _rows(attrs: tuple[()], X: Shape, y: Shape) -> Shape:
    if not X or X[:-1] != y:
        raise ShapeError("S002", f"the index of shape {show_shape(y)} does not name one entry in every row of {show_shape(X)}",
                         expected="one place for every row")  # fmt: skip
    return y


def _pick_means(e: Expr) -> Meaning:
    rows, n = LETTERS[: e.order], LETTERS[e.order]
    return Meaning(f"{rows}{n},{rows}{n}->{rows}", [0], extra=(_hits(e.args[1], e.args[0].shape[-1]),))


def _pick_array(np: Any, X: Any, y: Any) -> Any:
    return np.take_along_axis(X, checked_index(np, y, X.shape[-1])[..., None], axis=-1)[..., 0]


@linear_op("X[*s], y[*t] -> [*t]", linear="each", fixed=("y",), shape=_rows, means=_pick_means, calls=("pick",), text="pick($X:0, $y:0)",
           latex=r"\operatorname{pick}($X:0, $y:0)", ties=lambda attrs, X, y: list(zip(X, y, strict=False)), array=_pick_array,
           blocks=lambda e: ([LETTERS[: e.order] + "_", LETTERS[: e.order]], LETTERS[: e.order]),
           source=lambda np, X, y: np.take_along_axis(X, np.as_index(y, X.shape[-1])[..., None], axis=-1)[..., 0])  # fmt: skip
def pick(P: Expr, X: Expr, y: Expr) -> tuple[Expr, Expr]:
    """The entry of every row of X that y names, counted from 0; the adjoint puts each back at its place, beside zeros.

    X M-GATHER: ⟨$0, pick($dX, $y)⟩ = ⟨$0 in every column ⊙ one_hot($y), $dX⟩ | of every row of $dX one entry stands beside one of the cotangent
    y M-GATHER: $y holds whole numbers, which do not move | an index has no increment
    """
    n = X.shape[-1]
    return one_hot(y, classes=n) * spread(P, X, (X.order - 1,)), zeros(y.shape)
