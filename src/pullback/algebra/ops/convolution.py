"""Windows of an axis, convolution and pooling. A convolution is a cross-correlation, as in PyTorch and JAX: the kernel is not flipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from ..op import Meaning, Op, linear_op, op
from .arithmetic import LETTERS, power, same, size_of
from .maps import flat, integer, window, window_end, windows_fit
from .reduction import sum_over
from .reshaping import axis_in, reshape
from .selection import TIES, hardmax, max_over
from .structure import einsum, ones

__all__ = ["conv1d", "conv2d", "fold", "outputs", "unfold"]

_ONE, _ZERO = Dim.number(1), Dim({})
_Ints = tuple[int, ...]


def outputs(whole: Dim, width: Dim, stride: int, padding: Dim, dilation: int) -> Dim | None:
    """The number of windows, ⌊(s + 2p − d(k − 1) − 1) / stride⌋ + 1; None if that is no polynomial in the sizes."""
    room = whole + padding + padding - window_end(_ONE, width, 1, dilation)
    if room.constant is not None:
        return Dim.number(room.constant // stride) + _ONE
    steps = room.over(Dim.number(stride))
    return None if steps is None else steps + _ONE


def _checked(whole: Dim, count: Dim, width: Dim, stride: int, padding: Dim, dilation: int) -> None:
    """Raises ShapeError where there is no such window, or the number of windows is known to be another one."""
    if integer(stride) < 1 or integer(dilation) < 1 or (_ZERO - _ONE).at_least(padding):
        raise ShapeError(
            "S003",
            "windows move on by at least one entry",
            expected="a stride and a dilation from 1 on, a padding from 0 on",
        )
    told = outputs(whole, width, stride, padding, dilation)
    if (told is not None and told != count) or _ZERO.at_least(count):
        raise ShapeError("S012", f"an axis of size {whole} with padding {padding} has {told if told is not None else 'no'} windows of {width} "
                         f"entries at stride {stride} and dilation {dilation}, not {count}",
                         expected="(size + 2 padding − dilation (width − 1) − 1) / stride + 1 windows, rounded down")  # fmt: skip


def _room(whole: Dim, count: Dim, width: Dim, stride: int, padding: Dim, dilation: int) -> str:
    """What must hold of the sizes for these windows to be there."""
    if outputs(whole, width, stride, padding, dilation) == count and stride == 1:
        end, room = window_end(_ONE, width, 1, dilation), whole + padding + padding
        return "" if room.at_least(end) or count.at_least(_ONE) else f"{end} ≤ {room}"
    if outputs(whole, width, stride, padding, dilation) is not None:
        return ""
    room = whole + padding + padding - window_end(_ONE, width, 1, dilation)
    return f"{count} is ⌊({room})/{stride}⌋ + 1"


def counted(whole: Dim, width: Dim, stride: int, padding: Dim, dilation: int) -> Dim:
    """The number of windows. Raises ShapeError S013 where only numbers would tell it."""
    found = outputs(whole, width, stride, padding, dilation)
    if found is None:
        raise ShapeError("S013", f"how many windows of {width} entries at stride {stride} an axis of size {whole} has is no polynomial in its size",
                         expected="numbers for the sizes, a size that is a multiple of the stride, or the number of windows, as in out=t",
                         hint="with out=t the condition t = ⌊(size + 2 padding − dilation (width − 1) − 1) / stride⌋ + 1 is stated in the answer")  # fmt: skip
    return found


def _count_one(data: dict[str, Any], shape: Shape) -> dict[str, Any]:
    how = (data["width"], data["stride"], data["padding"], data["dilation"])
    return data if "count" in data else {**data, "count": counted(shape[data["axis"]], *how)}


# ---- windows ---------------------------------------------------------------------------------------------

_WINDOW = ("axis", "width", "stride", "padding", "dilation")
_OPTIONS = {"axis": ("axis", "last axis"), "width": ("size", "size"), "stride": ("stride", "step"), "padding": ("padding", "number"),
            "dilation": ("dilation", "step")}  # fmt: skip
_DEFAULTS = {"stride": 1, "padding": _ZERO, "dilation": 1}


def _said(stride: int, padding: Dim, dilation: int) -> str:
    parts = [("stride", stride, 1), ("padding", padding, _ZERO), ("dilation", dilation, 1)]
    return "".join(f", {name}={value}" for name, value, plain in parts if value != plain)


def _unfolded(attrs: Any, shape: Shape) -> Shape:
    axis, width, stride, padding, dilation, count = attrs
    whole = shape[axis_in(axis, len(shape))]
    _checked(whole, count, width, stride, padding, dilation)
    return (*shape[:axis], count, *shape[axis + 1 :], width)


def _unfold_array(np: Any, X: Any, axis: int, width: int, stride: int, padding: int, dilation: int, count: int) -> Any:
    widths = [(0, 0)] * X.ndim
    widths[axis] = (padding, padding)
    places = stride * np.arange(count)[:, None] + dilation * np.arange(width)
    taken = np.take(np.pad(X, widths), places, axis=axis)
    return np.moveaxis(taken, axis + 1, -1)


def _window_text(name: str, latex: bool = False) -> Any:
    def write(e: Expr) -> str:
        axis, width, stride, padding, dilation, count = e.attrs
        axis_said = "" if axis == e.args[0].order - 1 else f", axis={axis}"
        told = outputs(e.args[0].shape[axis], width, stride, padding, dilation) is not None
        out = "" if told else f", out={count}"
        return (
            rf"\operatorname{{{name}}}" if latex else name
        ) + f"($X:0, size={width}{_said(stride, padding, dilation)}{axis_said}{out})"

    return write


@linear_op("X[*s] -> [*t]", linear="joint", attrs=(*_WINDOW, "count"), shape=_unfolded, name="unfold", calls=("unfold",), ordered=True,
           options={**_OPTIONS, "count": ("out", "windows")}, defaults=_DEFAULTS, completes=("count",), complete=_count_one,
           needs=lambda e: _room(e.args[0].shape[e.attrs[0]], e.attrs[5], *e.attrs[1:5]),
           means=lambda e: Meaning(f"{same(e.args[0]).replace(same(e.args[0])[e.attrs[0]], 'z')},"
                                   f"{same(e)[e.attrs[0]]}{same(e)[-1]}z->{same(e)}", [0],
                                   extra=(window(whole=e.args[0].shape[e.attrs[0]], count=e.attrs[5], width=e.attrs[1], stride=e.attrs[2],
                                                 dilation=e.attrs[4], padding=e.attrs[3]),)),
           text=_window_text("unfold"), latex=_window_text("unfold", True), array=_unfold_array)  # fmt: skip
def unfold(G: Expr, X: Expr, *, axis: int, width: Dim, stride: int, padding: Dim, dilation: int, count: Dim) -> Expr:
    """The windows of an axis, their entries along a new last axis (im2col); the adjoint adds every window back where it was taken.

    X M-UNFOLD: ⟨$G, unfold($dX)⟩ = ⟨fold($G), $dX⟩ | an entry of $dX stands in several windows, each with its own factor in $G: they add
    """
    return fold(G, axis=axis, whole=X.shape[axis], stride=stride, padding=padding, dilation=dilation)


def _folded(attrs: Any, shape: Shape) -> Shape:
    axis, whole, stride, padding, dilation = attrs
    if len(shape) < 2:
        raise ShapeError(
            "S003",
            f"there are no windows in a tensor of shape {show_shape(shape)}",
            expected="windows along the last axis",
        )
    axis_in(axis, len(shape) - 1)
    told = outputs(whole, shape[-1], stride, padding, dilation)
    if told is not None:
        _checked(whole, shape[axis], shape[-1], stride, padding, dilation)
    return (*shape[:axis], whole, *shape[axis + 1 : -1])


def _fold_array(np: Any, X: Any, axis: int, whole: int, stride: int, padding: int, dilation: int) -> Any:
    moved = np.moveaxis(X, axis, -2)  # (…, windows, entries)
    count, width = moved.shape[-2:]
    found = np.zeros((*moved.shape[:-2], max(whole + 2 * padding, stride * (count - 1) + dilation * (width - 1) + 1)))
    for k in range(width):
        found[..., dilation * k + stride * np.arange(count)] += moved[..., k]
    return np.moveaxis(found[..., padding : padding + whole], -1, axis)


def _fold_text(name: str) -> Any:
    def write(e: Expr) -> str:
        axis, whole, stride, padding, dilation = e.attrs
        axis_said = "" if axis == e.order - 1 else f", axis={axis}"
        return f"{name}($X:0, size={whole}{_said(stride, padding, dilation)}{axis_said})"

    return write


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis", "whole", "stride", "padding", "dilation"), shape=_folded, name="fold",
           calls=("fold",), ordered=True, options={**{k: v for k, v in _OPTIONS.items() if k not in ("axis", "width")},
                                                   "axis": ("axis", "last but one axis"), "whole": ("size", "size")}, defaults=_DEFAULTS,
           means=lambda e: Meaning(f"{same(e).replace(same(e)[e.attrs[0]], 'y')}z,yz{same(e)[e.attrs[0]]}->{same(e)}", [0],
                                   extra=(window(whole=e.attrs[1], count=e.args[0].shape[e.attrs[0]], width=e.args[0].shape[-1],
                                                 stride=e.attrs[2], dilation=e.attrs[4], padding=e.attrs[3]),)),
           text=_fold_text("fold"), latex=_fold_text(r"\operatorname{fold}"), array=_fold_array)  # fmt: skip
def fold(G: Expr, X: Expr, *, axis: int, whole: Dim, stride: int, padding: Dim, dilation: int) -> Expr:
    """Windows added up where they lie in an axis (col2im); the adjoint takes the windows out again.

    X M-UNFOLD: ⟨$G, fold($dX)⟩ = ⟨unfold($G), $dX⟩ | every entry of a window of $dX stands beside the entry of $G that it is added to
    """
    return unfold(
        G, axis=axis, width=X.shape[-1], stride=stride, padding=padding, dilation=dilation, count=X.shape[axis]
    )


# ---- convolution -----------------------------------------------------------------------------------------


def _conv_shape(attrs: Any, x: Shape, w: Shape) -> Shape:
    stride, padding, dilation, groups, count = attrs
    n = len(stride)
    if len(w) != n + 2 or len(x) not in (n + 1, n + 2):
        raise ShapeError("S002", f"a convolution over {n} {'axis' if n == 1 else 'axes'} does not take {show_shape(x)} and {show_shape(w)}",
                         expected="x : (channels, sizes…) or (batch, channels, sizes…) and w : (out, channels / groups, widths…)")  # fmt: skip
    if w[0].over(groups) is None:
        raise ShapeError(
            "S012",
            f"{w[0]} output channels do not fall into {groups} groups",
            expected="a multiple of the number of groups",
        )
    if x[-n - 1] != w[1] * groups:
        raise ShapeError("S002", f"the kernel is for {w[1] * groups} channels, and there are {x[-n - 1]}",
                         expected="x : (channels, sizes…) or (batch, channels, sizes…) and w : (out, channels / groups, widths…)")  # fmt: skip
    for s, t, k, how in zip(x[-n:], count, w[-n:], zip(stride, padding, dilation, strict=True), strict=True):
        _checked(s, t, k, *how)
    return (*x[: -n - 1], w[0], *count)


def _conv_count(data: dict[str, Any], x: Shape, w: Shape) -> dict[str, Any]:
    n = len(data["stride"])
    if "count" in data or len(w) != n + 2 or len(x) <= n:
        return {"count": (_ONE,) * n, **data}
    hows = zip(x[-n:], w[2:], data["stride"], data["padding"], data["dilation"], strict=True)
    return {**data, "count": tuple(counted(*how) for how in hows)}


def _conv_ties(attrs: Any, x: Shape, w: Shape) -> list[tuple[Dim, Dim]]:
    n = len(attrs[0])
    return [(x[-n - 1], w[1] * attrs[3])] if len(w) == n + 2 and len(x) > n else []


def _conv_letters(n: int) -> tuple[str, str, str]:
    """Letters for the places of the result, of the kernel and of the argument."""
    return "tuv"[:n], "klm"[:n], "xyz"[:n]


def _conv_windows(e: Expr) -> list[Expr]:
    x, w = e.args
    n = len(e.attrs[0])
    return [window(whole=s, count=t, width=k, stride=a, dilation=d, padding=p)
            for s, t, k, a, p, d in zip(x.shape[-n:], e.attrs[4], w.shape[-n:], *e.attrs[:3], strict=True)]  # fmt: skip


def _conv_means(e: Expr) -> Meaning:
    n, groups = len(e.attrs[0]), e.attrs[3]
    out, inside, whole = _conv_letters(n)
    b = "b" * (e.order - n - 1)
    places = ",".join(x + y + z for x, y, z in zip(out, inside, whole, strict=True))
    extra = _conv_windows(e)
    if groups == _ONE:
        return Meaning(f"{b}c{whole},oc{inside},{places}->{b}o{out}", [0, 1], extra=tuple(extra))
    w = e.args[1]
    each = w.shape[0].over(groups)
    assert each is not None
    extra += [flat(dims=(groups, w.shape[1])), flat(dims=(groups, each))]
    return Meaning(f"{b}c{whole},od{inside},{places},cgd,oge->{b}o{out}", [0, 1], extra=tuple(extra))


def _unfold_all(x: Expr, widths: Shape, stride: _Ints, padding: Shape, dilation: _Ints, count: Shape) -> Expr:
    """The windows along the last axes, their entries along as many new last axes."""
    n = len(widths)
    for k in range(n):
        x = unfold(
            x,
            axis=x.order - n,
            width=widths[k],
            stride=stride[k],
            padding=padding[k],
            dilation=dilation[k],
            count=count[k],
        )
    return x


def _fold_all(y: Expr, wholes: Shape, stride: _Ints, padding: Shape, dilation: _Ints) -> Expr:
    """The adjoint of that."""
    n = len(wholes)
    for k in reversed(range(n)):
        y = fold(y, axis=y.order - n - 1, whole=wholes[k], stride=stride[k], padding=padding[k], dilation=dilation[k])
    return y


def _split(x: Expr, axis: int, groups: Dim) -> Expr:
    """An axis of channels as groups of channels."""
    each = x.shape[axis].over(groups)
    assert each is not None
    return reshape(x, dims=(*x.shape[:axis], groups, each, *x.shape[axis + 1 :]))


def _conv_adjoint(
    G: Expr, x: Expr, w: Expr, *, stride: _Ints, padding: Shape, dilation: _Ints, groups: Dim, count: Shape
) -> tuple[Expr, Expr]:
    n = len(stride)
    out, inside, _ = _conv_letters(n)
    b = "b" * (x.order - n - 1)
    at = len(b)
    windows = _unfold_all(x, w.shape[2:], stride, padding, dilation, count)
    if groups == _ONE:
        to_w = einsum(f"{b}o{out},{b}c{out}{inside}->oc{inside}", G, windows)
        to_x = einsum(f"{b}o{out},oc{inside}->{b}c{out}{inside}", G, w)
    else:
        H, windows, kernel = _split(G, at, groups), _split(windows, at, groups), _split(w, 0, groups)
        to_w = reshape(einsum(f"{b}ge{out},{b}gd{out}{inside}->ged{inside}", H, windows), dims=w.shape)
        to_x = einsum(f"{b}ge{out},ged{inside}->{b}gd{out}{inside}", H, kernel)
        to_x = reshape(to_x, dims=(*x.shape[: at + 1], *count, *w.shape[2:]))
    return _fold_all(to_x, x.shape[-n:], stride, padding, dilation), to_w


def _conv_array(
    np: Any, x: Any, w: Any, stride: _Ints, padding: _Ints, dilation: _Ints, groups: int, count: _Ints
) -> Any:
    n = len(stride)
    for k in range(n):
        x = _unfold_array(np, x, x.ndim - n, w.shape[2 + k], stride[k], padding[k], dilation[k], count[k])
    lead = x.ndim - 2 * n - 1
    x = x.reshape((*x.shape[:lead], groups, -1, *x.shape[lead + 1 :]))
    out, inside, _ = _conv_letters(n)
    b = "b" * lead
    found = np.einsum(
        f"{b}gd{out}{inside},ged{inside}->{b}ge{out}", x, w.reshape((groups, -1, *w.shape[1:])), optimize=True
    )
    return found.reshape((*found.shape[:lead], w.shape[0], *count))


def _plain(values: Any, default: Any) -> bool:
    return all(v == default for v in values)


def _each(values: Any) -> str:
    """One number for all axes, or one for each."""
    return str(values[0]) if _plain(values, values[0]) else "(" + ", ".join(map(str, values)) + ")"


def _written(options: Sequence[tuple[str, Sequence[Any], Sequence[Any]]]) -> str:
    """Options that are not what is taken if they are left out: (name, values, those values)."""
    return "".join(f", {name}={_each(values)}" for name, values, plain in options if tuple(values) != tuple(plain))


def _out(
    e: Expr, wholes: Shape, widths: Shape, stride: _Ints, padding: Shape, dilation: _Ints, count: Shape
) -> list[Any]:
    """The number of windows, where it cannot be told from the sizes."""
    told = all(outputs(*how) is not None for how in zip(wholes, widths, stride, padding, dilation, strict=True))
    return [] if told else [("out", count, ())]


def _conv_text(name: str) -> Any:
    def write(e: Expr) -> str:
        stride, padding, dilation, groups, count = e.attrs
        n = len(stride)
        x, w = e.args
        said = [
            ("stride", stride, (1,) * n),
            ("padding", padding, (_ZERO,) * n),
            ("dilation", dilation, (1,) * n),
            ("groups", [groups], [_ONE]),
        ]
        return f"{name}($x:0, $w:0{_written([*said, *_out(e, x.shape[-n:], w.shape[2:], stride, padding, dilation, count)])})"

    return write


def _conv_needs(e: Expr) -> str:
    stride, padding, dilation, _, count = e.attrs
    x, w = e.args
    found = [
        _room(*how) for how in zip(x.shape[-len(stride) :], count, w.shape[2:], stride, padding, dilation, strict=True)
    ]
    return " and ".join(dict.fromkeys(f for f in found if f))


def _spatial(n: int) -> dict[str, tuple[str, str]]:
    return {"stride": ("stride", f"steps:{n}"), "padding": ("padding", f"numbers:{n}"), "dilation": ("dilation", f"steps:{n}"),
            "count": ("out", f"windows:{n}")}  # fmt: skip


def _spatial_defaults(n: int) -> dict[str, Any]:
    return {"stride": (1,) * n, "padding": (_ZERO,) * n, "dilation": (1,) * n}


def _conv(n: int) -> Callable[[Callable[..., Any]], Op]:
    name = f"conv{n}d"
    return linear_op("x[*s], w[*t] -> [*u]", linear="each", attrs=("stride", "padding", "dilation", "groups", "count"), name=name,
                     shape=_conv_shape, ties=_conv_ties, completes=("count",), complete=_conv_count, means=_conv_means, calls=(name,), array=_conv_array, ordered=True, needs=_conv_needs,
                     options={**_spatial(n), "groups": ("groups", "size")}, defaults={**_spatial_defaults(n), "groups": _ONE},
                     text=_conv_text(name), latex=_conv_text(rf"\operatorname{{{name}}}"))  # fmt: skip


@_conv(1)
def conv1d(G: Expr, x: Expr, w: Expr, **data: Any) -> tuple[Expr, Expr]:
    """Entry (o, t) is the sum of w[o, c, k] x[c, t stride + k dilation − padding]: bilinear, linear in the kernel and in the argument.

    x M-CONV: ⟨$G, conv1d($dx, $w)⟩ = ⟨fold(Σ_o of entry ot of $G times entry ock of $w), $dx⟩ | entry cs of $dx is multiplied by entry ock of $w wherever s is entry k of window t
    w M-CONV: ⟨$G, conv1d($x, $dw)⟩ = ⟨Σ_t of entry ot of $G times window t of $x, $dw⟩ | entry ock of $dw meets entry k of every window of channel c, beside entry ot of $G
    """
    return _conv_adjoint(G, x, w, **data)


@_conv(2)
def conv2d(G: Expr, x: Expr, w: Expr, **data: Any) -> tuple[Expr, Expr]:
    """The same along two axes: entry (o, t, u) is the sum of w[o, c, k, l] times the entry (k, l) of window (t, u) of channel c.

    x M-CONV: ⟨$G, conv2d($dx, $w)⟩ = ⟨fold(Σ_o of entry otu of $G times entry ockl of $w), $dx⟩ | an entry of $dx is multiplied by entry ockl of $w wherever it is entry (k, l) of window (t, u)
    w M-CONV: ⟨$G, conv2d($x, $dw)⟩ = ⟨Σ_tu of entry otu of $G times window (t, u) of $x, $dw⟩ | entry ockl of $dw meets entry (k, l) of every window of channel c, beside entry otu of $G
    """
    return _conv_adjoint(G, x, w, **data)


# ---- pooling ---------------------------------------------------------------------------------------------


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
        if "count" in data or len(shape) < n:
            return {"count": (_ONE,) * n, **data}
        whole = {"padding": (_ZERO,) * n, "dilation": (1,) * n, **data}
        hows = zip(shape[-n:], *(whole[x] for x in ("width", "stride", "padding", "dilation")), strict=True)
        return {**data, "count": tuple(counted(*how) for how in hows)}

    own = {k: v for k, v in _spatial(n).items() if k in names}
    defaults = {k: v for k, v in _spatial_defaults(n).items() if k in names and k != "stride"}

    def span(e: Expr) -> list[tuple[Dim, Dim]]:
        data = _pool_data(e, names)
        hows = zip(
            e.args[0].shape[-n:], *(data[x] for x in ("count", "width", "stride", "padding", "dilation")), strict=True
        )
        return [pair for how in hows for pair in windows_fit(*how)]

    return {"attrs": names, "span": span, "name": f"{name}{n}d", "calls": (f"{name}{n}d",), "shape": _pooled(names), "needs": needs,
            "options": {**own, "width": ("size", f"sizes:{n}")}, "defaults": defaults, "ordered": True,
            "completes": ("stride", "count"), "complete": complete,
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
    letters, new = LETTERS[: G.order], LETTERS[G.order : G.order + n]
    return _fold_all(
        einsum(f"{letters},{new}->{letters}{new}", scaled, ones(width)), X.shape[-n:], stride, padding, (1,) * n
    )


def _avgpool_array(np: Any, X: Any, width: _Ints, stride: _Ints, padding: _Ints, count: _Ints) -> Any:
    n = len(width)
    for k in range(n):
        X = np.mean(_unfold_array(np, X, X.ndim - n + k, width[k], stride[k], padding[k], 1, count[k]), axis=-1)
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
        X = np.max(_unfold_array(np, X, X.ndim - n + k, width[k], stride[k], 0, dilation[k], count[k]), axis=-1)
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
