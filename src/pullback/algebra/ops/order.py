"""Where an entry stands in its axis: flip, roll, every other entry, running sums."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape
from ..expr import Expr
from ..op import POSTFIX, Meaning, linear_op
from .arithmetic import same
from .maps import cyclic, exchange, integer, lower, step_end, step_place
from .reshaping import axis_in

__all__ = ["cumsum", "flip", "revcumsum", "roll", "spaced", "strided"]

_ONE, _ZERO = Dim.number(1), Dim({})


def _along(e: Expr, matrix: Expr, turned: bool = False) -> Meaning:
    """A matrix applied along the axis that the data of `e` name, or its transpose."""
    c = same(e)[e.attrs[0]]
    return Meaning(f"{same(e).replace(c, 'z')},{'z' + c if turned else c + 'z'}->{same(e)}", [0], extra=(matrix,))


def _size(e: Expr) -> Dim:
    return e.args[0].shape[e.attrs[0]]


def _kept(attrs: tuple[Any, ...], shape: Shape) -> Shape:
    axis_in(attrs[0], len(shape))
    return shape


def _call(name: str, more: str = "") -> dict[str, Any]:
    """How an op along an axis is written; of a vector the axis is not said."""

    def write(e: Expr, head: str) -> str:
        axis = f", axis={e.attrs[0]}" if e.order > 1 else ""
        data = f", {more}={e.attrs[1]}" if more else ""
        return f"{head}($X:0{data}{axis})"

    options = {
        "axis": ("axis", "last axis" if name.endswith("cumsum") else "axis"),
        **({more: (more, "number")} if more else {}),
    }
    return {"text": lambda e: write(e, name), "latex": lambda e: write(e, rf"\operatorname{{{name}}}"), "calls": (name,),
            "attrs": ("axis", more) if more else ("axis",), "shape": _kept, "options": options, "ordered": True}  # fmt: skip


@linear_op("X[*s] -> [*s]", linear="joint", means=lambda e: _along(e, exchange(dim=_size(e))), **_call("flip"),
           array=lambda np, X, axis: np.flip(X, axis))  # fmt: skip
def flip(G: Expr, X: Expr, *, axis: int) -> Expr:
    """The entries along an axis in reverse order; flipped twice they are back.

    X M-FLIP: ⟨$G, flip($dX)⟩ = ⟨flip($G), $dX⟩ | the same products of entries, counted from the other end
    """
    return flip(G, axis=axis)


@linear_op("X[*s] -> [*s]", linear="joint", means=lambda e: _along(e, cyclic(dim=_size(e), shift=e.attrs[1])), **_call("roll", "shift"),
           array=lambda np, X, axis, shift: np.roll(X, shift, axis))  # fmt: skip
def roll(G: Expr, X: Expr, *, axis: int, shift: Dim) -> Expr:
    """Every entry `shift` places on along an axis, the last ones to the front.

    X M-ROLL: ⟨$G, roll($dX, s)⟩ = ⟨roll($G, −s), $dX⟩ | the same products of entries, all moved back by s places
    """
    return roll(G, axis=axis, shift=_ZERO - shift)


@linear_op("X[*s] -> [*s]", linear="joint", means=lambda e: _along(e, lower(rows=_size(e), columns=_size(e), offset=_ZERO)),
           **_call("cumsum"), array=lambda np, X, axis: np.cumsum(X, axis))  # fmt: skip
def cumsum(G: Expr, X: Expr, *, axis: int) -> Expr:
    """Running sums along an axis: entry i is the sum of the entries up to i.

    X M-CUMSUM: ⟨$G, cumsum($dX)⟩ = ⟨revcumsum($G), $dX⟩ | Σᵢ Gᵢ Σ_(j ≤ i) dⱼ = Σⱼ (Σ_(i ≥ j) Gᵢ) dⱼ: entry j enters every sum from j on
    """
    return revcumsum(G, axis=axis)


@linear_op("X[*s] -> [*s]", linear="joint", means=lambda e: _along(e, lower(rows=_size(e), columns=_size(e), offset=_ZERO), True),
           **_call("revcumsum"), array=lambda np, X, axis: np.flip(np.cumsum(np.flip(X, axis), axis), axis))  # fmt: skip
def revcumsum(G: Expr, X: Expr, *, axis: int) -> Expr:
    """Running sums from the end: entry i is the sum of the entries from i on.

    X M-CUMSUM: ⟨$G, revcumsum($dX)⟩ = ⟨cumsum($G), $dX⟩ | Σᵢ Gᵢ Σ_(j ≥ i) dⱼ = Σⱼ (Σ_(i ≤ j) Gᵢ) dⱼ: entry j enters every sum up to j
    """
    return cumsum(G, axis=axis)


# ---- every other entry -----------------------------------------------------------------------------------


def _step_fits(total: Dim, start: Dim, dim: Dim, step: int) -> None:
    """Raises ShapeError where the entries lie outside the axis whatever the sizes are."""
    if integer(step) < 1:
        raise ShapeError("S003", f"a step of {step}", expected="a step from 1 on; flip(X, axis=…) counts backwards")
    end = step_end(start, dim, integer(step))
    if end.at_least(total + _ONE) or (_ZERO - _ONE).at_least(start):
        raise ShapeError("S003", f"entries up to {end} of an axis of size {total}", expected=f"entries 1 to {total}")


def _strided(attrs: tuple[int, Dim, Dim, int], shape: Shape) -> Shape:
    axis, start, dim, step = attrs
    axis_in(axis, len(shape))
    _step_fits(shape[axis], start, dim, step)
    return (*shape[:axis], dim, *shape[axis + 1 :])


def _fits(total: Dim, start: Dim, dim: Dim, step: int) -> str:
    end = step_end(start, dim, integer(step))
    return "" if total.at_least(end) else f"{end} ≤ {total}"


def _strided_text(e: Expr, colon: str) -> str:
    axis, start, dim, step = e.attrs
    last = step_end(start, dim, integer(step))
    inside = [colon] * e.order
    inside[axis] = f"{start + _ONE}:{step}:{last}"
    return f"$X[{', '.join(inside)}]"


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis", "start", "dim", "step"), shape=_strided, fix=POSTFIX, ordered=True,
           needs=lambda e: _fits(_size(e), *e.attrs[1:]),
           means=lambda e: _along(e, step_place(total=_size(e), start=e.attrs[1], dim=e.attrs[2], step=e.attrs[3]), True),
           text=lambda e: _strided_text(e, ":"), latex=lambda e: _strided_text(e, ":"),
           array=lambda np, X, axis, start, dim, step: np.take(X, start + step * np.arange(dim), axis))  # fmt: skip
def strided(G: Expr, X: Expr, *, axis: int, start: Dim, dim: Dim, step: int) -> Expr:
    """Every so many entries of an axis; the adjoint puts them back and fills with zeros.

    X M-SLICE: ⟨$G, $dX[S]⟩ = ⟨$G among zeros outside S, $dX⟩ | entries of $dX outside S have the factor 0
    """
    return spaced(G, axis=axis, start=start, total=X.shape[axis], step=step)


def _spread(attrs: tuple[int, Dim, Dim, int], shape: Shape) -> Shape:
    axis, start, total, step = attrs
    axis_in(axis, len(shape))
    _step_fits(total, start, shape[axis], step)
    return (*shape[:axis], total, *shape[axis + 1 :])


def _spaced_source(np: Any, X: Any, axis: int, start: int, total: int, step: int) -> Any:
    places = start + step * np.arange(X.shape[axis])
    return np.moveaxis(np.add_at(total, places, np.moveaxis(X, axis, -1)), -1, axis)


def _spaced_array(np: Any, X: Any, axis: int, start: int, total: int, step: int) -> Any:
    shape = list(X.shape)
    shape[axis] = total
    found = np.zeros(shape)
    found[(slice(None),) * axis + (start + step * np.arange(X.shape[axis]),)] = X
    return found


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis", "start", "total", "step"), shape=_spread, calls=("spaced",), ordered=True,
           needs=lambda e: _fits(e.attrs[2], e.attrs[1], _size(e), e.attrs[3]),
           options={"axis": ("axis", "axis"), "start": ("start", "number"), "total": ("size", "size"), "step": ("step", "step")},
           means=lambda e: _along(e, step_place(total=e.attrs[2], start=e.attrs[1], dim=_size(e), step=e.attrs[3])),
           text=lambda e: f"spaced($X:0, axis={e.attrs[0]}, start={e.attrs[1]}, size={e.attrs[2]}, step={e.attrs[3]})",
           latex=lambda e: rf"\operatorname{{spaced}}($X:0, {e.attrs[0]}, {e.attrs[1]}, {e.attrs[2]}, {e.attrs[3]})",
           array=_spaced_array, source=_spaced_source)  # fmt: skip
def spaced(G: Expr, X: Expr, *, axis: int, start: Dim, total: Dim, step: int) -> Expr:
    """The entries of X `step` apart along an axis, zeros between and around them; the adjoint takes them out again.

    X M-SLICE: ⟨$G, spaced($dX)⟩ = ⟨$G[S], $dX⟩ | the zeros outside S drop out
    """
    return strided(G, axis=axis, start=start, dim=X.shape[axis], step=step)
