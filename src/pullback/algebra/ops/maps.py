"""The 0/1 tensors of structure: which entry goes where. Each is the graph of a map between indices (theory.md §3.2, N4)."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, entries_of
from ..expr import Expr
from ..op import Graph, leaf_op

__all__ = ["aligned", "cyclic", "exchange", "flat", "lower", "step_place", "window"]

_ONE = Dim.number(1)
_BIJECTION = {"injective": True, "onto": True}


def _call(name: str, latex: str = "") -> dict[str, Any]:
    """The printed form of a constant: its name and its data."""

    def data(e: Expr) -> str:
        return "(" + ", ".join(str(x) for a in e.attrs for x in (a if isinstance(a, tuple) else (a,))) + ")"

    return {
        "calls": (name,),
        "text": lambda e: name + data(e),
        "latex": lambda e: (latex or rf"\operatorname{{{name}}}") + data(e),
    }


def integer(value: Any) -> int:
    """A step or an offset as a whole number. Raises ShapeError."""
    found = value.constant if isinstance(value, Dim) else value
    if not isinstance(found, int):
        raise ShapeError("S003", f"{value} is no whole number", expected="a whole number")
    return found


@leaf_op(attrs=("dim",), shape=lambda attrs: (attrs[0], attrs[0]), gives=("symmetric",), ordered=True,
         entry=lambda attrs, index, sizes: index[0] + index[1] == attrs[0].value(sizes) - 1,
         graph=lambda e: Graph((1,), (0,), **_BIJECTION), array=lambda np, dim: np.flip(np.eye(dim), 0), **_call("exchange"))  # fmt: skip
def exchange() -> None:
    """The identity matrix in reverse order: 1 where the indices are opposite, i + j = n − 1 counted from 0."""


@leaf_op(attrs=("dim", "shift"), shape=lambda attrs: (attrs[0], attrs[0]), ordered=True,
         entry=lambda attrs, index, sizes: (index[0] - index[1] - attrs[1].value(sizes)) % attrs[0].value(sizes) == 0,
         graph=lambda e: Graph((1,), (0,), **_BIJECTION), array=lambda np, dim, shift: np.roll(np.eye(dim), shift, 0),
         **_call("cyclic"))  # fmt: skip
def cyclic() -> None:
    """The permutation matrix that moves every entry `shift` places on, the last ones to the front."""


def _flat_shape(attrs: tuple[Shape]) -> Shape:
    return (entries_of(attrs[0]), *attrs[0])


def _row_major(index: tuple[int, ...], extents: tuple[int, ...]) -> int:
    at = 0
    for i, n in zip(index, extents, strict=True):
        at = at * n + i
    return at


def aligned(a: Shape, b: Shape) -> list[tuple[int, int, int, int]]:
    """Two shapes with equally many entries in the smallest groups of axes that have: (i, j, k, n) for a[i:j] and b[k:n]."""
    places = {entries_of(a[:j]): j for j in range(len(a) + 1)}
    cuts = [(places[size], n) for n in range(len(b) + 1) if (size := entries_of(b[:n])) in places]
    return [(i, j, k, n) for (i, k), (j, n) in pairwise(cuts)]


def _flat_array(np: Any, dims: tuple[int, ...]) -> Any:
    return np.eye(prod(dims)).reshape((prod(dims), *dims))


@leaf_op(attrs=("dims",), shape=_flat_shape, ordered=True,
         entry=lambda attrs, index, sizes: index[0] == _row_major(index[1:], tuple(d.value(sizes) for d in attrs[0])),
         graph=lambda e: Graph(range(1, e.order), (0,), **_BIJECTION), array=_flat_array, **_call("flat"))  # fmt: skip
def flat() -> None:
    """1 where the first index is the row-major place of the others: k = i n + j of (i, j) in an (m, n) matrix."""


def _step_entry(attrs: Any, index: tuple[int, ...], sizes: dict[str, int]) -> bool:
    return bool(index[0] == attrs[1].value(sizes) + index[1] * integer(attrs[3]))


def step_end(start: Dim, dim: Dim, step: int) -> Dim:
    """The end of `dim` entries that lie `step` apart, from `start` on."""
    return start + Dim.number(step) * (dim - _ONE) + _ONE


@leaf_op(attrs=("total", "start", "dim", "step"), shape=lambda attrs: (attrs[0], attrs[2]), ordered=True, entry=_step_entry,
         graph=lambda e: Graph((1,), (0,), injective=True),
         span=lambda e: [(e.attrs[0], step_end(e.attrs[1], e.attrs[2], integer(e.attrs[3])))],
         array=lambda np, total, start, dim, step: np.eye(total)[:, start : start + step * dim : step], **_call("steps"))  # fmt: skip
def step_place() -> None:
    """The 0/1 matrix that puts `dim` entries at positions start, start + step, … of `total`."""


def _window_shape(attrs: tuple[Dim, Dim, Dim, int, int, Dim]) -> Shape:
    whole, count, width, stride, dilation, _ = attrs
    if integer(stride) < 1 or integer(dilation) < 1:
        raise ShapeError("S003", "windows move on by at least one entry", expected="a stride and a dilation from 1 on")
    return (count, width, whole)


def window_end(count: Dim, width: Dim, stride: int, dilation: int) -> Dim:
    """The end of the last of `count` windows, from the start of the first."""
    return Dim.number(stride) * (count - _ONE) + Dim.number(dilation) * (width - _ONE) + _ONE


def windows_fit(whole: Dim, count: Dim, width: Dim, stride: int, padding: Dim, dilation: int) -> list[tuple[Dim, Dim]]:
    """That there is one window, and that all of them lie within the padded axis."""
    room = whole + padding + padding
    return [(room, window_end(_ONE, width, stride, dilation)), (room, window_end(count, width, stride, dilation))]


def _window_entry(attrs: Any, index: tuple[int, ...], sizes: dict[str, int]) -> bool:
    _, _, _, stride, dilation, padding = attrs
    t, k, s = index
    return bool(s == t * integer(stride) + k * integer(dilation) - padding.value(sizes))


def _window_array(np: Any, whole: int, count: int, width: int, stride: int, dilation: int, padding: int) -> Any:
    places = stride * np.arange(count)[:, None] + dilation * np.arange(width) - padding
    return (places[..., None] == np.arange(whole)) * 1.0


@leaf_op(array=_window_array, attrs=("whole", "count", "width", "stride", "dilation", "padding"), shape=_window_shape, ordered=True, entry=_window_entry,
         graph=lambda e: Graph((0, 1), (2,), total=e.attrs[5] == Dim({})),
         span=lambda e: windows_fit(e.attrs[0], e.attrs[1], e.attrs[2], e.attrs[3], e.attrs[5], e.attrs[4]), **_call("windows"))  # fmt: skip
def window() -> None:
    """1 where entry s of an axis is entry k of window t: s = t stride + k dilation − padding, counted from 0."""


@leaf_op(attrs=("rows", "columns", "offset"), shape=lambda attrs: (attrs[0], attrs[1]), ordered=True,
         entry=lambda attrs, index, sizes: index[1] <= index[0] + attrs[2].value(sizes),
         array=lambda np, rows, columns, offset: np.tri(rows, columns, offset), **_call("lower"))  # fmt: skip
def lower() -> None:
    """1 on and below a diagonal, 0 above it: j ≤ i + offset."""
