"""Windows of an axis, convolution and pooling. A convolution is a cross-correlation, as in PyTorch and JAX: the kernel is not flipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from ..op import Meaning, Op, linear_op
from .arithmetic import same
from .maps import flat, integer, window, window_end, windows_fit
from .reshaping import axis_in, reshape
from .sliding import fold_array, fold_source, unfold_array
from .structure import einsum

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
    found = outputs(whole, width, stride, padding, dilation)
    numbers = found is not None and found.constant is not None and count.constant is not None
    fewer = numbers and found is not None and found.at_least(count)  # the first ones of all windows
    if _ZERO.at_least(count):
        span = f"windows of {width} entries" + (f" at dilation {dilation}" if dilation != 1 else "")
        raise ShapeError("S012", f"no window fits: {span}, an axis of {whole}" + (f" and a padding of {padding}" if padding != _ZERO else ""),
                         expected="windows that are no longer than the axis with its padding on both sides")  # fmt: skip
    if found is not None and found != count and not fewer:
        raise ShapeError("S012", f"an axis of size {whole} with padding {padding} has {found} windows of {width} "
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


def counted(whole: Dim, width: Dim, stride: int, padding: Dim, dilation: int, given: Dim | None = None) -> Dim:
    """The number of windows, which may be `given`. Raises ShapeError S013 where only numbers would tell it, S012 where it is another one."""
    found = outputs(whole, width, stride, padding, dilation)
    if found is None and given is None:
        raise ShapeError("S013", f"how many windows of {width} entries at stride {stride} an axis of size {whole} has is no polynomial in its size",
                         expected="numbers for the sizes, a size that is a multiple of the stride, or the number of windows, as in out=t",
                         hint="with out=t the condition t = ⌊(size + 2 padding − dilation (width − 1) − 1) / stride⌋ + 1 is stated in the answer")  # fmt: skip
    if found is not None and given is not None and (found - given).constant:
        raise ShapeError("S012", f"an axis of size {whole} with padding {padding} has {found} windows of {width} entries at stride {stride} and "
                         f"dilation {dilation}, not {given}", expected=f"out={found}, which may be left out")  # fmt: skip
    return given if given is not None else found or Dim({})


def _count_one(data: dict[str, Any], shape: Shape) -> dict[str, Any]:
    how = (data["width"], data["stride"], data["padding"], data["dilation"])
    return {**data, "count": counted(shape[data["axis"]], *how, data.get("count"))}


def told(hows: Iterable[tuple[Dim, Dim, int, Dim, int]], count: Sequence[Dim]) -> list[tuple[Dim, Dim]]:
    """The number of windows along each axis as it was given and as it follows from the sizes, where it does."""
    both = zip(count, (outputs(*how) for how in hows), strict=True)
    return [(t, found) for t, found in both if found is not None]


def _unfold_ties(attrs: Any, shape: Shape) -> list[tuple[Dim, Dim]]:
    axis, width, stride, padding, dilation, count = attrs
    return told([(shape[axis], width, stride, padding, dilation)], [count])


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


def _window_text(name: str, latex: bool = False) -> Any:
    def write(e: Expr) -> str:
        axis, width, stride, padding, dilation, count = e.attrs
        axis_said = "" if axis == e.args[0].order - 1 else f", axis={axis}"
        out = "" if outputs(e.args[0].shape[axis], width, stride, padding, dilation) == count else f", out={count}"
        return (
            rf"\operatorname{{{name}}}" if latex else name
        ) + f"($X:0, size={width}{_said(stride, padding, dilation)}{axis_said}{out})"

    return write


@linear_op("X[*s] -> [*t]", linear="joint", attrs=(*_WINDOW, "count"), shape=_unfolded, name="unfold", calls=("unfold",), ordered=True,
           options={**_OPTIONS, "count": ("out", "windows")}, defaults=_DEFAULTS, completes=("count",), complete=_count_one, ties=_unfold_ties,
           needs=lambda e: _room(e.args[0].shape[e.attrs[0]], e.attrs[5], *e.attrs[1:5]),
           means=lambda e: Meaning(f"{same(e.args[0]).replace(same(e.args[0])[e.attrs[0]], 'z')},"
                                   f"{same(e)[e.attrs[0]]}{same(e)[-1]}z->{same(e)}", [0],
                                   extra=(window(whole=e.args[0].shape[e.attrs[0]], count=e.attrs[5], width=e.attrs[1], stride=e.attrs[2],
                                                 dilation=e.attrs[4], padding=e.attrs[3]),)),
           text=_window_text("unfold"), latex=_window_text("unfold", True), array=unfold_array)  # fmt: skip
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
    if outputs(whole, shape[-1], stride, padding, dilation) is not None:
        _checked(whole, shape[axis], shape[-1], stride, padding, dilation)
    return (*shape[:axis], whole, *shape[axis + 1 : -1])


def _fold_text(name: str) -> Any:
    def write(e: Expr) -> str:
        axis, whole, stride, padding, dilation = e.attrs
        axis_said = "" if axis == e.order - 1 else f", axis={axis}"
        return f"{name}($X:0, size={whole}{_said(stride, padding, dilation)}{axis_said})"

    return write


def _folds(e: Expr) -> tuple[Any, ...]:
    """The axis that the windows lie in, how many they are, how wide, and where."""
    X, (axis, whole, stride, padding, dilation) = e.args[0], e.attrs
    return whole, X.shape[axis], X.shape[-1], stride, padding, dilation


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis", "whole", "stride", "padding", "dilation"), shape=_folded, name="fold",
           calls=("fold",), ordered=True, options={**{k: v for k, v in _OPTIONS.items() if k not in ("axis", "width")},
                                                   "axis": ("axis", "last but one axis"), "whole": ("size", "size")}, defaults=_DEFAULTS,
           means=lambda e: Meaning(f"{same(e).replace(same(e)[e.attrs[0]], 'y')}z,yz{same(e)[e.attrs[0]]}->{same(e)}", [0],
                                   extra=(window(whole=e.attrs[1], count=e.args[0].shape[e.attrs[0]], width=e.args[0].shape[-1],
                                                 stride=e.attrs[2], dilation=e.attrs[4], padding=e.attrs[3]),)),
           needs=lambda e: " and ".join(f"{end} is at most {whole}" for whole, end in windows_fit(*_folds(e))[1:] if not whole.at_least(end)),
           text=_fold_text("fold"), latex=_fold_text(r"\operatorname{fold}"), array=fold_array, source=fold_source)  # fmt: skip
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
    if len(w) != n + 2 or len(x) <= n:
        return {"count": (_ONE,) * n, **data}
    given = data.get("count", (None,) * n)
    hows = zip(x[-n:], w[2:], data["stride"], data["padding"], data["dilation"], given, strict=True)
    return {**data, "count": tuple(counted(*how) for how in hows)}


def _conv_ties(attrs: Any, x: Shape, w: Shape) -> list[tuple[Dim, Dim]]:
    stride, padding, dilation, groups, count = attrs
    n = len(stride)
    if len(w) != n + 2 or len(x) <= n:
        return []
    return [(x[-n - 1], w[1] * groups), *told(zip(x[-n:], w[2:], stride, padding, dilation, strict=True), count)]


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
        x = unfold_array(np, x, x.ndim - n, w.shape[2 + k], stride[k], padding[k], dilation[k], count[k])
    lead = x.ndim - 2 * n - 1
    front = x.shape[:lead]
    x = x.reshape((*front, groups, -1, *x.shape[lead + 1 :]))
    out, inside, _ = _conv_letters(n)
    b = "b" * lead
    found = np.einsum(
        f"{b}gd{out}{inside},ged{inside}->{b}ge{out}", x, w.reshape((groups, -1, *w.shape[1:])), optimize=True
    )
    return found.reshape((*front, w.shape[0], *count))


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
    found = [outputs(*how) for how in zip(wholes, widths, stride, padding, dilation, strict=True)]
    return [] if found == list(count) else [("out", count, ())]


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
