"""The same entries in other axes: reshape, permute, vec, stack, and entries that are repeated."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, entries_of, show_shape
from ..expr import Expr
from ..op import Meaning, leaf_op, linear_op
from .arithmetic import LETTERS, same
from .maps import aligned, flat
from .reduction import sum_over
from .structure import ones, take, unit

__all__ = ["broadcast", "commut", "permute", "repeat", "reshape", "stack", "tile", "unvec", "vec"]

_ONE = Dim.number(1)


def listed(dims: Shape) -> str:
    return f"({', '.join(map(str, dims))})"


def axis_in(axis: int, order: int) -> int:
    """The axis. Raises ShapeError if there is none."""
    if not isinstance(axis, int) or not 0 <= axis < order:
        raise ShapeError("S003", f"there is no axis {axis} in a tensor with {order} axes",
                         expected=f"an axis between 0 and {order - 1}" if order else "a tensor with an axis")  # fmt: skip
    return axis


# ---- reshape ---------------------------------------------------------------------------------------------


def _reshaped(attrs: tuple[Shape], shape: Shape) -> Shape:
    if entries_of(attrs[0]) != entries_of(shape):
        raise ShapeError("S011", f"a tensor of shape {show_shape(shape)} has {entries_of(shape)} entries, one of shape "
                         f"{listed(attrs[0])} has {entries_of(attrs[0])}", expected="a shape with as many entries")  # fmt: skip
    return attrs[0]


def _rest(data: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """One size written as −1 is what the others leave."""
    dims = data["dims"]
    open_ = [k for k, d in enumerate(dims) if d == Dim.number(-1)]
    if not open_:
        return data
    others = entries_of(tuple(d for d in dims if d != Dim.number(-1)))
    rest = entries_of(shape).over(others) if len(open_) == 1 else None
    if rest is None:
        raise ShapeError(
            "S011",
            f"{entries_of(shape)} entries do not tell the size that is written -1",
            expected="one size -1, which the others divide",
        )
    return {"dims": tuple(rest if d == Dim.number(-1) else d for d in dims)}


def _reshape_means(e: Expr) -> Meaning:
    """Axes that fill one another are counted in row-major order, group by group; axes of size 1 are left out."""
    old, new = e.args[0].shape, e.shape
    letters = LETTERS + LETTERS.upper()
    a, b, spare = letters[: len(old)], letters[len(old) :][: len(new)], iter(letters[len(old) + len(new) :])
    before = [(c, d) for c, d in zip(a, old, strict=True) if d != _ONE]
    after = [(c, d) for c, d in zip(b, new, strict=True) if d != _ONE]
    spec, extra, rename = [a], [], {}
    for i, j, k, n in aligned(tuple(d for _, d in before), tuple(d for _, d in after)):
        sides = before[i:j], after[k:n]
        single = next((side[0][0] for side in sides if len(side) == 1), "")
        if len(sides[0]) == len(sides[1]) == 1:
            rename[sides[1][0][0]] = single
            continue
        place = single or next(spare)
        for side in sides:
            if len(side) > 1:
                spec.append(place + "".join(c for c, _ in side))
                extra.append(flat(dims=tuple(d for _, d in side)))
    for c, d in zip(b, new, strict=True):
        if d == _ONE:
            spec.append(c)
            extra.append(ones((d,)))
    return Meaning(f"{','.join(spec)}->{''.join(rename.get(c, c) for c in b)}", [0], extra=tuple(extra))


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("dims",), shape=_reshaped, means=_reshape_means, name="reshape", calls=("reshape",),
           options={"dims": ("shape", "sizes")}, tail="dims", complete=_rest, ordered=True,
           ties=lambda attrs, shape: [(entries_of(shape), entries_of(attrs[0]))], text=lambda e: f"reshape($X:0, {listed(e.shape)})", latex=lambda e: rf"\operatorname{{reshape}}($X:0, {listed(e.shape)})",
           array=lambda np, X, dims: np.reshape(X, dims))  # fmt: skip
def reshape(G: Expr, X: Expr, *, dims: Shape) -> Expr:
    """The same entries in the same row-major order, in other axes: entry (i, j) of an (m, n) matrix is number i n + j.

    X M-RESHAPE: ⟨$G, reshape($dX)⟩ = ⟨$G reshaped back, $dX⟩ | every entry of $dX occurs once, beside the entry of $G with the same number
    """
    return reshape(G, dims=X.shape)


def _column(attrs: tuple[()], shape: Shape) -> Shape:
    if len(shape) != 2:
        raise ShapeError(
            "S002",
            f"vec stacks the columns of a matrix, not of a tensor of shape {show_shape(shape)}",
            expected="vec(A)",
        )
    return (shape[0] * shape[1],)


@linear_op("A[m,n] -> [q]", linear="joint", shape=_column, calls=("vec",), ordered=True,
           means=lambda e: Meaning("ij,kji->k", [0], extra=(flat(dims=e.args[0].shape[::-1]),)),
           text="vec($A:0)", latex=r"\operatorname{vec}($A:0)", array=lambda np, A: np.reshape(A.T, (-1,)))  # fmt: skip
def vec(G: Expr, A: Expr) -> Expr:
    """The columns of A below each other: entry (i, j) of an (m, n) matrix is number j m + i.

    A M-RESHAPE: ⟨$G, vec($dA)⟩ = ⟨unvec($G), $dA⟩ | every entry of $dA occurs once, beside the entry of $G with the same number
    """
    return unvec(G, dims=A.shape)


def _unstacked(attrs: tuple[Shape], shape: Shape) -> Shape:
    if len(attrs[0]) != 2 or len(shape) != 1:
        raise ShapeError("S011", "unvec makes a matrix of a vector", expected="unvec(x, m, n)")
    return _reshaped(attrs, shape)


@linear_op("x[q] -> [m,n]", linear="joint", attrs=("dims",), shape=_unstacked, calls=("unvec",), ordered=True,
           options={"dims": ("shape", "sizes")}, tail="dims", ties=lambda attrs, x: [(entries_of(x), entries_of(attrs[0]))],
           means=lambda e: Meaning("k,kji->ij", [0], extra=(flat(dims=e.shape[::-1]),)),
           text=lambda e: f"unvec($x:0, {e.shape[0]}, {e.shape[1]})",
           latex=lambda e: rf"\operatorname{{unvec}}($x:0, {e.shape[0]}, {e.shape[1]})",
           array=lambda np, x, dims: np.reshape(x, dims[::-1]).T)  # fmt: skip
def unvec(G: Expr, x: Expr, *, dims: Shape) -> Expr:
    """The matrix whose columns below each other are x.

    x M-RESHAPE: ⟨$G, unvec($dx)⟩ = ⟨vec($G), $dx⟩ | every entry of $dx occurs once, beside the entry of $G with the same number
    """
    return vec(G)


@leaf_op(attrs=("rows", "columns"), shape=lambda attrs: (attrs[0] * attrs[1],) * 2, ordered=True,
         calls=("commut",), means=lambda e: Meaning("pij,qji->pq", (), extra=(flat(dims=e.attrs), flat(dims=e.attrs[::-1]))),
         array=lambda np, rows, columns: np.take(np.eye(rows * columns), np.arange(rows * columns).reshape(columns, rows).T.ravel(), 0),
         text=lambda e: f"commut({e.attrs[0]}, {e.attrs[1]})", latex=lambda e: f"K_{{{e.attrs[0]}, {e.attrs[1]}}}")  # fmt: skip
def commut() -> None:
    """The commutation matrix: commut(m, n) vec(A) = vec(Aᵀ) for every (m, n) matrix A."""


# ---- axes in another order -------------------------------------------------------------------------------


def _permuted(attrs: tuple[tuple[int, ...]], shape: Shape) -> Shape:
    if sorted(attrs[0]) != list(range(len(shape))):
        raise ShapeError("S003", f"{attrs[0]} does not name each axis of a tensor of shape {show_shape(shape)} once",
                         expected=f"the numbers 0 to {len(shape) - 1} in another order")  # fmt: skip
    return tuple(shape[k] for k in attrs[0])


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("order",), shape=_permuted, name="permute", calls=("permute",),
           options={"order": ("axes", "order")},
           means=lambda e: Meaning(f"{same(e)}->{''.join(same(e)[k] for k in e.attrs[0])}", [0]),
           text=lambda e: f"permute($X:0, axes={_listed(e.attrs[0])})",
           latex=lambda e: rf"\operatorname{{permute}}($X:0, {_listed(e.attrs[0])})",
           array=lambda np, X, order: np.transpose(X, order))  # fmt: skip
def permute(G: Expr, X: Expr, *, order: tuple[int, ...]) -> Expr:
    """The axes in another order: axis k of the result is axis order[k] of X.

    X M-T: ⟨$G, $dX with its axes permuted⟩ = ⟨$G with its axes permuted back, $dX⟩ | the same products of entries, read in another order
    """
    return permute(G, order=tuple(order.index(k) for k in range(len(order))))


def _listed(numbers: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, numbers))})"


# ---- repeated entries ------------------------------------------------------------------------------------


def _new_axis(attrs: tuple[int, Dim], shape: Shape) -> Shape:
    axis_in(attrs[0], len(shape) + 1)
    return (*shape[: attrs[0]], attrs[1], *shape[attrs[0] :])


def _but(e: Expr) -> str:
    """Letters for all axes of `e` but the one that its data name."""
    return same(e)[: e.attrs[0]] + same(e)[e.attrs[0] + 1 :]


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("new", "dim"), shape=_new_axis, name="broadcast", calls=("broadcast",),
           options={"new": ("axis", "new axis"), "dim": ("size", "size")},
           means=lambda e: Meaning(f"{_but(e)},{same(e)[e.attrs[0]]}->{same(e)}", [0], extra=(ones((e.attrs[1],)),)),
           text=lambda e: f"broadcast($X:0, axis={e.attrs[0]}, size={e.attrs[1]})",
           latex=lambda e: rf"\operatorname{{broadcast}}($X:0, {e.attrs[0]}, {e.attrs[1]})",
           array=lambda np, X, new, dim: np.repeat(np.expand_dims(X, new), dim, new))  # fmt: skip
def broadcast(G: Expr, X: Expr, *, new: int, dim: Dim) -> Expr:
    """X repeated along a new axis; the adjoint of a broadcast is a sum.

    X M-BCAST: ⟨$G, $dX repeated⟩ = ⟨$G summed over the new axis, $dX⟩ | every copy of an entry has its own factor in $G: they add
    """
    return sum_over(G, axes=(new,))


def _copied(attrs: tuple[int, Dim], shape: Shape) -> Shape:
    axis = axis_in(attrs[0], len(shape))
    return (*shape[:axis], shape[axis] * attrs[1], *shape[axis + 1 :])


def _copies(e: Expr, own_first: bool) -> Meaning:
    """Along one axis entry (i, r) of the copies; `own_first` if the copies of one entry are neighbours."""
    old = same(e).replace(same(e)[e.attrs[0]], "y")
    dims = (e.args[0].shape[e.attrs[0]], e.attrs[1])
    legs = same(e)[e.attrs[0]] + ("yz" if own_first else "zy")
    return Meaning(f"{old},{legs}->{same(e)}", [0], extra=(flat(dims=dims if own_first else dims[::-1]),))


def _back(G: Expr, X: Expr, axis: int, dims: Shape, copies: int) -> Expr:
    """The sum over the copies of every entry."""
    whole = reshape(G, dims=(*X.shape[:axis], *dims, *X.shape[axis + 1 :]))
    return sum_over(whole, axes=(axis + copies,))


def _repeats(name: str) -> dict[str, Any]:
    return {"text": lambda e: f"{name}($X:0, {e.attrs[1]}, axis={e.attrs[0]})",
            "latex": lambda e: rf"\operatorname{{{name}}}($X:0, {e.attrs[1]}, {e.attrs[0]})",
            "options": {"axis": ("axis", "axis"), "times": ("times", "size")}, "tail": "times", "ordered": True,
            "attrs": ("axis", "times"), "shape": _copied, "calls": (name,), "name": name, "defaults": {"axis": 0}}  # fmt: skip


@linear_op("X[*s] -> [*t]", linear="joint", means=lambda e: _copies(e, True), **_repeats("repeat"),
           array=lambda np, X, axis, times: np.repeat(X, times, axis))  # fmt: skip
def repeat(G: Expr, X: Expr, *, axis: int, times: Dim) -> Expr:
    """Every entry several times, its copies beside each other: x₁ x₁ x₂ x₂ ….

    X M-BCAST: ⟨$G, repeat($dX)⟩ = ⟨$G summed over the copies of each entry, $dX⟩ | every copy has its own factor in $G: they add
    """
    return _back(G, X, axis, (X.shape[axis], times), 1)


@linear_op("X[*s] -> [*t]", linear="joint", means=lambda e: _copies(e, False), **_repeats("tile"),
           array=lambda np, X, axis, times: np.concatenate([X] * times, axis))  # fmt: skip
def tile(G: Expr, X: Expr, *, axis: int, times: Dim) -> Expr:
    """The whole several times, one copy behind the other: x₁ x₂ … x₁ x₂ ….

    X M-BCAST: ⟨$G, tile($dX)⟩ = ⟨$G summed over the copies, $dX⟩ | every copy has its own factor in $G: they add
    """
    return _back(G, X, axis, (times, X.shape[axis]), 0)


# ---- stack -----------------------------------------------------------------------------------------------


def _stacked(attrs: tuple[int], *shapes: Shape) -> Shape:
    if not shapes or any(s != shapes[0] for s in shapes):
        raise ShapeError("S002", "what is stacked has one shape, not " + " and ".join(show_shape(s) for s in shapes) if shapes
                         else "there is nothing to stack")  # fmt: skip
    axis = axis_in(attrs[0], len(shapes[0]) + 1)
    return (*shapes[0][:axis], Dim.number(len(shapes)), *shapes[0][axis:])


def _stack_ties(attrs: tuple[int], *shapes: Shape) -> list[tuple[Dim, Dim]]:
    return [pair for s in shapes[1:] if len(s) == len(shapes[0]) for pair in zip(shapes[0], s, strict=True)]


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis",), shape=_stacked, name="stack", calls=("stack",), ties=_stack_ties,
           options={"axis": ("axis", "new axis")}, defaults={"axis": 0},
           means=lambda e: [Meaning(f"{_but(e)},{same(e)[e.attrs[0]]}->{same(e)}", [k],
                                    extra=(unit(total=Dim.number(len(e.args)), start=Dim.number(k)),)) for k in range(len(e.args))],
           text=lambda e: "stack(" + ", ".join(f"${k}:0" for k in range(len(e.args))) + f", axis={e.attrs[0]})",
           latex=lambda e: r"\operatorname{stack}(" + ", ".join(f"${k}:0" for k in range(len(e.args))) + f", {e.attrs[0]})",
           array=lambda np, *parts, axis: np.stack(parts, axis))  # fmt: skip
def stack(G: Expr, *parts: Expr, axis: int) -> tuple[Expr, ...]:
    """Tensors of one shape along a new axis.

    X M-CONCAT: ⟨$G, stack(… $dX …)⟩ = … + ⟨the part of $G opposite $dX, $dX⟩ + … | entries outside the part of $dX are multiplied by zero
    """
    return tuple(take(G, axis=axis, start=Dim.number(k)) for k in range(len(parts)))
