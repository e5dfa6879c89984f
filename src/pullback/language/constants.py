"""Constants of a given shape, and slices."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..algebra.dims import Dim, Shape, show_shape
from ..algebra.expr import OPERATORS
from ..algebra.op import Op
from ..algebra.ops import arithmetic, matrix, order, structure
from .functions import KNOWN
from .sizes import layer_index, no_entries
from .tape import Node
from .values import Maker, Val, article

__all__ = ["constant", "ones_node", "shaped_node", "slice_node", "structure_node"]

_ONE = Dim.number(1)
_STEPS = ("step", "stride", "dilation")  # data that are plain numbers


def ones_node(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    shape = maker.axes(node.value)
    return maker.leaf(lambda: structure.ones(shape), shape)


def structure_node(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    name, raw, _ = node.value
    dims = maker.dims(raw)
    wanted = {"I_": 1, "e_": 2, "E_": 3}[name]
    if len(dims) != wanted:
        raise maker.parse_error(
            "P002",
            f"{name}(…) takes {wanted} sizes, not {len(dims)}",
            node,
            expected="I_(n), e_(total, start), E_(total, start, size)",
        )
    maker.axes(dims[::2])  # not the start
    if wanted == 1:
        return maker.leaf(lambda: matrix.identity(dims[0]), (dims[0], dims[0]))
    if wanted == 2:
        return maker.leaf(lambda: structure.unit(total=dims[0], start=dims[1]), dims[:1])
    return maker.leaf(lambda: structure.place(total=dims[0], start=dims[1], dim=dims[2]), (dims[0], dims[2]))


def shaped_node(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    """ones(n), zeros(m, n), eye(n); vector(c) and matrix(c) take their sizes from their surroundings."""
    name, raw, _ = node.value
    dims = maker.dims(raw)
    if name in ("vector", "matrix"):
        value = dims[0].constant if len(dims) == 1 else None
        if value is None:
            raise maker.parse_error("P002", f"{name}(…) takes one number", node, expected=f"{name}(1)")
        shape = tuple(maker.hole(-100 * at - k) for k in range(1 if name == "vector" else 2))
        return maker.leaf(lambda: OPERATORS["fill"](arithmetic.rational(Fraction(value)), shape), shape)
    if name in KNOWN:
        return _constant(maker, node, KNOWN[name][0], dims)
    maker.axes(dims)
    if name == "eye":
        if len(dims) > 1 and (len(dims) > 2 or not maker.sizes.agree(*dims)):
            raise maker.parse_error("P002", "eye takes one size", node, expected="eye(n)")
        size = dims[0] if dims else maker.hole(-100 * at)
        if not dims:
            maker.note(f"{maker.surface(node)} is the identity matrix I_{size}", "V-CONST")
        return maker.leaf(lambda: matrix.identity(size), (size, size))
    one = Fraction(name == "ones")
    return maker.leaf(lambda: OPERATORS["fill"](arithmetic.rational(one), dims), dims)


def _constant(maker: Maker, node: Node, o: Op, dims: Shape) -> Val:
    """A constant that is declared as an op: commut(m, n)."""
    names = o.attr_names
    if names == ("dims",):
        data: dict[str, Any] = {"dims": dims}
    elif len(dims) == len(names):
        data = {k: d.constant if k in _STEPS else d for k, d in zip(names, dims, strict=True)}
    else:
        raise maker.parse_error(
            "P002", f"{node.value[0]}(…) takes {len(names)} sizes, not {len(dims)}", node, expected=", ".join(names)
        )
    made = o(**data)
    return maker.leaf(lambda: made, maker.axes(made.shape))


def slice_node(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    x = kids[0].column()
    parts, _ = node.value
    bare = next((p[0].name for p in parts if p is not None and p[1] is None and p[0].name is not None), None)
    if bare is not None and maker.known_sizes is not None and bare not in maker.known_sizes:
        raise layer_index(maker.span(node))
    if len(parts) != x.order:
        raise maker.parse_error(
            "P002",
            f"{len(parts)} entries in the brackets for {article(x.order)}",
            node,
            expected=f"{x.order}: one for every axis, : for the whole axis",
            hint="a space before [ makes a product with a block matrix",
        )
    for axis in range(x.order - 1, -1, -1):
        part = parts[axis]
        if part is None:
            continue
        first, last, step = maker.dims((part[0],))[0], part[1], part[2]
        start = first - _ONE
        total = maker.sizes.resolve(x.shape[axis]).constant
        end = first.constant if last is None else last.constant
        if (start.constant or 0) < 0 or (total is not None and end is not None and end > total):
            raise maker.parse_error(
                "P002",
                f"axis {axis} of shape {show_shape(x.shape)} has no such entry",
                node,
                expected=f"entries counted from 1 to {x.shape[axis]}",
            )
        if last is None:
            shape = (*x.shape[:axis], *x.shape[axis + 1 :])
            x = maker.make(structure.take, shape, x, axis=axis, start=start)
            continue
        if step != _ONE:
            x = _stepped(maker, node, x, axis, start, maker.dims((last,))[0], step)
            continue
        size = maker.dims((last,))[0] - start
        if no_entries(size):
            raise maker.parse_error("P002", "an empty slice", node, expected="first..last, counted from 1")
        shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        x = maker.make(lambda e, k=axis, s=start, d=size: structure.slice_of(e, k, s, d), shape, x)
    return x


def constant(maker: Maker, name: str, dims: set[str]) -> Val | None:
    """π, I_n, and sizes used as numbers; None for any other name."""
    if name in ("π", "pi"):
        return maker.leaf(arithmetic.pi, ())
    if name.startswith("I_") and len(name) > 2:
        raw = Dim.number(int(name[2:])) if name[2:].isdecimal() and name.isascii() else Dim.symbol(name[2:])
        [size] = maker.axes((raw,))
        return maker.leaf(lambda: matrix.identity(size), (size, size))
    if name in dims:
        return maker.size(maker.sizes.resolve(Dim.symbol(name)))
    return None


def _stepped(maker: Maker, node: Node, x: Val, axis: int, start: Dim, last: Dim, step: Dim) -> Val:
    """`x[first:step:last]`: every so many entries. Raises ParseError P002."""
    by = step.constant
    if by is None or by < 1:
        raise maker.parse_error("P002", f"a step of {step}", node, expected="x[first:step:last] with a step of 1 or more",
                                hint=f"flip(X, axis={axis}) counts backwards")  # fmt: skip
    room = last - start - _ONE
    steps = Dim.number(room.constant // by) if room.constant is not None else room.over(step)
    if steps is None:
        raise maker.parse_error("P002", f"how many entries {start + _ONE}:{by}:{last} names depends on the sizes", node,
                                expected=f"an end that is a multiple of {by} entries from the start, as in x[1:{by}:{by}*m]")  # fmt: skip
    size = steps + _ONE
    if no_entries(size):
        raise maker.parse_error("P002", "an empty slice", node, expected="first:step:last, counted from 1")
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    return maker.make(order.strided, shape, x, axis=axis, start=start, dim=size, step=by)
