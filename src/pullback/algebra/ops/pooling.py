"""Pooling: the mean, or the largest entry, of every window of the last axes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from ..op import Meaning, Op, linear_op, op
from .arithmetic import LETTERS, power, size_of
from .convolution import (
    _checked,
    _conv_letters,
    _fold_all,
    _out,
    _room,
    _spatial,
    _spatial_defaults,
    _unfold_all,
    _written,
    counted,
    told,
)
from .maps import integer, window, windows_fit
from .reduction import sum_over
from .reshaping import broadcast
from .selection import TIES, hardmax, max_over
from .sliding import unfold_array

_ONE, _ZERO = Dim.number(1), Dim({})
_Ints = tuple[int, ...]


def _pool_data(e: Expr, names: tuple[str, ...]) -> dict[str, Any]:
    n = len(e.attrs[1])
    return {"padding": (_ZERO,) * n, "dilation": (1,) * n, **dict(zip(names, e.attrs, strict=True))}


def _pooled(names: tuple[str, ...]) -> Any:
    def infer(attrs: Any, shape: Shape) -> Shape:
        n = len(attrs[1])
        data = {"padding": (_ZERO,) * n, "dilation": (1,) * n, **dict(zip(names, attrs, strict=True))}
        if len(shape) < n:
            raise ShapeError(
                "S003", f"{n} axes to pool over in a tensor of shape {show_shape(shape)}", expected=f"{n} axes or more"
            )
        for how in zip(
            shape[-n:], *(data[x] for x in ("count", "width", "stride", "padding", "dilation")), strict=True
        ):
            _checked(*how)
        return (*shape[:-n], *data["count"])

    return infer


_AVERAGE = ("width", "stride", "padding", "count")
_LARGEST = ("width", "stride", "dilation", "count")


def _pool(name: str, names: tuple[str, ...], n: int) -> dict[str, Any]:
    def write(e: Expr) -> str:
        data = _pool_data(e, names)
        own = [k.constant for k in data["width"]]
        said = [("size", data["width"], ()), ("stride", data["stride"], own), ("padding", data["padding"], (_ZERO,) * n),
                ("dilation", data["dilation"], (1,) * n)]  # fmt: skip
        out = _out(e, e.args[0].shape[-n:], *(data[x] for x in ("width", "stride", "padding", "dilation", "count")))
        return f"($X:0{_written([*said, *out])})"

    def needs(e: Expr) -> str:
        data = _pool_data(e, names)
        hows = zip(
            e.args[0].shape[-n:], *(data[x] for x in ("count", "width", "stride", "padding", "dilation")), strict=True
        )
        return " and ".join(dict.fromkeys(room for how in hows if (room := _room(*how))))

    def complete(data: dict[str, Any], shape: Shape) -> dict[str, Any]:
        if "stride" not in data:  # each window begins where the last one ended
            if any(k.constant is None for k in data["width"]):
                raise ShapeError(
                    "S013", "windows of a size that is no number", expected="the stride as a number, as in stride=1"
                )
            data = {**data, "stride": tuple(integer(k) for k in data["width"])}
        if len(shape) < n:
            return {"count": (_ONE,) * n, **data}
        whole = {"padding": (_ZERO,) * n, "dilation": (1,) * n, "count": (None,) * n, **data}
        hows = zip(shape[-n:], *(whole[x] for x in ("width", "stride", "padding", "dilation", "count")), strict=True)
        return {**data, "count": tuple(counted(*how) for how in hows)}

    def ties(attrs: Any, shape: Shape) -> list[tuple[Dim, Dim]]:
        data = {"padding": (_ZERO,) * n, "dilation": (1,) * n, **dict(zip(names, attrs, strict=True))}
        hows = zip(shape[-n:], *(data[x] for x in ("width", "stride", "padding", "dilation")), strict=True)
        return told(hows, data["count"]) if len(shape) >= n else []

    own = {k: v for k, v in _spatial(n).items() if k in names}
    defaults = {k: v for k, v in _spatial_defaults(n).items() if k in names and k != "stride"}

    def span(e: Expr) -> list[tuple[Dim, Dim]]:
        data = _pool_data(e, names)
        hows = zip(
            e.args[0].shape[-n:], *(data[x] for x in ("count", "width", "stride", "padding", "dilation")), strict=True
        )
        return [pair for how in hows for pair in windows_fit(*how)]

    return {"attrs": names, "span": span, "name": f"{name}{n}d", "calls": (f"{name}{n}d", f"{name[:3]}_{name[3:]}{n}d"), "shape": _pooled(names), "needs": needs,
            "options": {**own, "width": ("size", f"sizes:{n}")}, "defaults": defaults, "ordered": True,
            "completes": ("stride", "count"), "complete": complete, "ties": ties,
            "text": lambda e: f"{name}{n}d{write(e)}", "latex": lambda e: rf"\operatorname{{{name}{n}d}}{write(e)}"}  # fmt: skip


def _avgpool_means(e: Expr) -> Meaning:
    [x] = e.args
    width, stride, padding, count = e.attrs
    n = len(width)
    out, inside, whole = _conv_letters(n)
    lead = LETTERS[: x.order - n]
    places = ",".join(a + b + c for a, b, c in zip(out, inside, whole, strict=True))
    extra = tuple(window(whole=s, count=t, width=k, stride=a, dilation=1, padding=p)
                  for s, t, k, a, p in zip(x.shape[-n:], count, width, stride, padding, strict=True))  # fmt: skip
    return Meaning(f"{lead}{whole},{places}->{lead}{out}", [0], extra=extra, over=width)


def _avgpool_adjoint(G: Expr, X: Expr, *, width: Shape, stride: _Ints, padding: Shape, count: Shape) -> Expr:
    n = len(width)
    scaled = G
    for k in width:
        scaled = power(size_of(k), exponent=Fraction(-1)) * scaled
    for k in width:  # every entry of a window has the same factor
        scaled = broadcast(scaled, new=scaled.order, dim=k)
    return _fold_all(scaled, X.shape[-n:], stride, padding, (1,) * n)


def _avgpool_array(np: Any, X: Any, width: _Ints, stride: _Ints, padding: _Ints, count: _Ints) -> Any:
    n = len(width)
    for k in range(n):
        X = np.mean(unfold_array(np, X, X.ndim - n + k, width[k], stride[k], padding[k], 1, count[k]), axis=-1)
    return X


def _avgpool(n: int) -> Callable[[Callable[..., Any]], Op]:
    return linear_op(
        "X[*s] -> [*t]", linear="joint", means=_avgpool_means, array=_avgpool_array, **_pool("avgpool", _AVERAGE, n)
    )


@_avgpool(1)
def avgpool1d(G: Expr, X: Expr, **data: Any) -> Expr:
    """The mean of every window of the last axis; zeros of the padding count as entries, as in PyTorch.

    X M-POOL: ⟨$G, avgpool($dX)⟩ = ⟨fold($G / size, repeated in every window), $dX⟩ | Σ_t G_t (1/size) Σ_k d_(t, k) = Σ_(t, k) (G_t / size) d_(t, k)
    """
    return _avgpool_adjoint(G, X, **data)


@_avgpool(2)
def avgpool2d(G: Expr, X: Expr, **data: Any) -> Expr:
    """The mean of every window of the last two axes; zeros of the padding count as entries, as in PyTorch.

    X M-POOL: ⟨$G, avgpool($dX)⟩ = ⟨fold($G / size, repeated in every window), $dX⟩ | every entry of a window has the factor 1/size
    """
    return _avgpool_adjoint(G, X, **data)


def _pool_windows(X: Expr, width: Shape, stride: _Ints, dilation: _Ints, count: Shape) -> tuple[Expr, _Ints]:
    """The windows, and the axes of their entries."""
    n = len(width)
    found = _unfold_all(X, width, stride, (_ZERO,) * n, dilation, count)
    return found, tuple(range(found.order - n, found.order))


def _largest(X: Expr, *data: Any) -> Expr:
    windows, axes = _pool_windows(X, *data)
    return max_over(windows, axes=axes)


def _largest_moved(X: Expr, dX: Expr, *data: Any) -> Expr:
    (windows, axes), (moved, _) = _pool_windows(X, *data), _pool_windows(dX, *data)
    return sum_over(hardmax(windows, axes=axes) * moved, axes=axes)


def _maxpool_array(np: Any, X: Any, width: _Ints, stride: _Ints, dilation: _Ints, count: _Ints) -> Any:
    n = len(width)
    for k in range(n):
        X = np.max(unfold_array(np, X, X.ndim - n + k, width[k], stride[k], 0, dilation[k], count[k]), axis=-1)
    return X


def _maxpool(n: int) -> Callable[[Callable[..., Any]], Op]:
    return op("X[*s] -> [*t]", define=lambda e, X: _largest(X, *e.attrs), array=_maxpool_array, kink=TIES.format("maxpool", "max"),
              **_pool("maxpool", _LARGEST, n))  # fmt: skip


@_maxpool(1)
def maxpool1d(Y: Expr, X: Expr, dX: Expr, **data: Any) -> Expr:
    """The largest entry of every window of the last axis: its slope is 1 at that entry of the window, the first if there are several.

    X D-MAX: near $X the largest entry of a window is one and the same entry of it
    """
    return _largest_moved(X, dX, *data.values())


@_maxpool(2)
def maxpool2d(Y: Expr, X: Expr, dX: Expr, **data: Any) -> Expr:
    """The largest entry of every window of the last two axes: its slope is 1 at that entry, the first if there are several.

    X D-MAX: near $X the largest entry of a window is one and the same entry of it
    """
    return _largest_moved(X, dX, *data.values())
