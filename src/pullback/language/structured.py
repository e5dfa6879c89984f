"""Calls of functions with data, and what is written with blocks: hcat, vcat, and Kronecker products of vectors and matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..algebra.dims import Dim, Shape
from ..algebra.facts import holds
from ..algebra.op import Op
from ..algebra.ops import arithmetic, free, reshaping, triangles
from ..errors import PullbackError
from .blocks import block_of
from .options import attributes_of
from .sizes import is_unknown
from .tape import Node
from .values import Maker, Val, article

__all__ = ["WRITTEN", "apply_with_data", "check_index", "kron_of", "pattern_shape"]

_ONE = Dim.number(1)


def apply_with_data(maker: Maker, node: Node, name: str, o: Op, args: list[Val], options: dict[str, Any]) -> Val:
    """A call of an op whose data are written as options. Raises ParseError, ShapeError with their place."""
    if o.lettered:
        pattern_shape(maker, node, o, args)
    shapes = [maker.sizes.shape(a.shape) for a in args]
    attrs = attributes_of(o, name, shapes, {k: maker.dims(v) for k, v in options.items()})
    if o.ties is not None:
        for x, y in o.ties(tuple(attrs.values()), *shapes):
            maker.sizes.agree(x, y)
        shapes = [maker.sizes.shape(a.shape) for a in args]
    check_index(maker, node, name, o, args)
    try:
        shape = o(*(free.var(f"argument {i}", s) for i, s in enumerate(shapes)), **attrs).shape
    except PullbackError as error:
        if any(is_unknown(d) for s in shapes for d in s) and not error.hint:
            error.hint = "declare the names: a size that is not known here is written ?"
        raise maker.located(error, node, node.kids, args) from None
    axes = attrs.get("axes")
    if isinstance(axes, tuple) and maker.building and len(axes) < len(shapes[0]):
        sizes = ", ".join(f"axis {i} (size {shapes[0][i]})" for i in axes)
        maker.note(f"{maker.surface(node)} runs over {sizes}, axes counted from 0", "V-SUMAXIS")
    maker.axes(shape)
    return maker.make(o, shape, *args, **attrs)


def pattern_shape(maker: Maker, node: Node, o: Op, args: Sequence[Val]) -> Shape | None:
    """The result shape that the signature gives, sizes made equal; None if the signature leaves it open."""
    bound: dict[str, Dim] = {}
    whole: Val | None = None
    for a, (_, pattern) in zip(args, o.slots, strict=True):
        if pattern == ("*s",):
            if whole is not None:
                maker.same_shape(whole, a, node, node.kids, maker.surface(node))
            whole = a
            continue
        for symbol, size in zip(pattern, a.shape, strict=False):
            if symbol not in bound:
                bound[symbol] = size
            elif not maker.sizes.agree(bound[symbol], size):
                raise maker.differ(bound[symbol], size, node, node.kids, args, maker.surface(node))
    if o.result == ("*s",) and whole is not None:
        return whole.shape
    if any(s.startswith("*") or s not in bound for s in o.result):
        return None
    return tuple(bound[s] for s in o.result)


def check_index(maker: Maker, node: Node, name: str, o: Op, args: Sequence[Val]) -> None:
    """What names places must be declared to hold whole numbers. Raises ShapeError S030."""
    if not maker.building:
        return
    for (slot, _), a, k in zip(o.slots, args, node.kids, strict=False):
        if slot in o.fixed and not holds("index", a.built()):
            said = maker.surface(maker.tape[k])
            raise maker.shape_error("S030", f"{name} needs whole numbers for the places, and {said} is not declared to hold any", maker.tape[k],
                                    expected="an input that is declared as an index, counted from 0",
                                    hint=f"declare `{said} : {_declared(a.shape)} where index`")  # fmt: skip


def _declared(shape: Shape) -> str:
    """A shape as it is declared."""
    sizes = ", ".join(map(str, shape))
    return f"({sizes})" if len(shape) > 1 else sizes or "scalar"


# ---- blocks ----------------------------------------------------------------------------------------------


def _hcat(maker: Maker, node: Node, args: list[Val]) -> Val:
    """Beside each other: a vector is a column."""
    return _joined(maker, node, args, (len(args),))


def _vcat(maker: Maker, node: Node, args: list[Val]) -> Val:
    """Below each other; a vector beside a matrix is a row of it."""
    return _joined(maker, node, args, (1,) * len(args))


def _joined(maker: Maker, node: Node, args: list[Val], rows: tuple[int, ...]) -> Val:
    if not args:
        raise maker.parse_error("P002", f"{node.value[0]} has no argument", node, expected=f"{node.value[0]}(A, B)")
    return block_of(maker, Node(node.tag, node.kids, rows, node.start, node.end), args)


# ---- Kronecker products ----------------------------------------------------------------------------------


def _kron(maker: Maker, node: Node, args: list[Val]) -> Val:
    if len(args) != 2:
        raise maker.parse_error("P002", f"kron takes two arguments, not {len(args)}", node, expected="kron(A, B)")
    return kron_of(maker, node, (args[0], node.kids[0]), (args[1], node.kids[1]))


def kron_of(maker: Maker, node: Node, left: tuple[Val, int], right: tuple[Val, int]) -> Val:
    """A ⊗ B; a vector beside a matrix is a matrix with one column, a row one with one row."""
    (a, i), (b, j) = left, right
    if not a.order or not b.order:
        scalar, other = (a, b) if not a.order else (b, a)
        return maker.make(arithmetic.smul, other.shape, scalar, other, row=other.row)
    row = a.row and b.row
    if a.order != b.order or a.row != b.row:
        if max(a.order, b.order) > 2:
            raise maker.shape_error(
                "S002",
                f"{article(a.order)} ⊗ {article(b.order)}",
                node,
                [i, j],
                [a, b],
                expected="two vectors or two matrices",
            )
        a, b = _matrix(maker, a), _matrix(maker, b)
    shape = tuple(maker.sizes.resolve(x) * maker.sizes.resolve(y) for x, y in zip(a.shape, b.shape, strict=True))
    return maker.make(triangles.kron, shape, a, b, row=row)


def _matrix(maker: Maker, v: Val) -> Val:
    """A vector as a matrix with one column, a row as one with one row."""
    if v.order == 2:
        return v
    shape = (_ONE, v.shape[0]) if v.row else (v.shape[0], _ONE)
    return maker.make(
        lambda e: reshaping.reshape(e, dims=(_ONE, e.shape[0]) if v.row else (e.shape[0], _ONE)), shape, v.column()
    )


# What is written as a call and is no single op.
WRITTEN: dict[str, Callable[[Maker, Node, list[Val]], Val]] = {"hcat": _hcat, "vcat": _vcat, "kron": _kron}
