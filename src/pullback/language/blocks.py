"""Block vectors and matrices: `[a; 1]`, `[W b]`, `[A, B; C, D]`."""

from __future__ import annotations

from ..algebra.dims import Dim
from ..algebra.expr import OPERATORS
from ..algebra.ops import structure
from .tape import Node
from .values import Maker, Val

__all__ = ["block_of"]

_ONE = Dim.number(1)
_LARGEST = 10**18
_Block = tuple[Val, int]


def block_of(maker: Maker, node: Node, kids: list[Val]) -> Val:
    """Rows are put beside each other along axis 1, then below each other along axis 0."""
    rows: list[_Block] = []
    at = 0
    for length in node.value:
        row = list(zip(kids[at : at + length], node.kids[at : at + length], strict=True))
        rows.append((_beside(maker, node, row), row[0][1]))
        at += length
    return _below(maker, node, rows)


def _beside(maker: Maker, node: Node, row: list[_Block]) -> Val:
    if len(row) == 1:
        return row[0][0]
    if any(v.row for v, _ in row):  # [aᵀ 1]: a row vector
        if not all(v.row or not v.order for v, _ in row):
            raise _misfit(maker, node, row, "a row of blocks mixes rows with columns")
        return _joined(maker, node, row, 0, 1, flat=True)
    if all(not v.order for v, _ in row):  # [1, 2]: numbers in a row
        return _joined(maker, node, row, 0, 1, flat=True)
    if any(not v.order or v.order > 2 for v, _ in row):
        raise _misfit(maker, node, row, "a row of blocks needs matrices and columns of the same height")
    return _joined(maker, node, row, 1, 2, flat=False)


def _below(maker: Maker, node: Node, rows: list[_Block]) -> Val:
    if len(rows) == 1:
        return rows[0][0]
    if any(v.order == 2 for v, _ in rows):
        return _joined(maker, node, [(v.column(), k) for v, k in rows], 0, 2, flat=False)
    if all(v.row for v, _ in rows):  # rows below each other: the transpose of columns beside each other
        found = _joined(maker, node, [(v.column(), k) for v, k in rows], 1, 2, flat=False)
        return maker.make(OPERATORS["T"], found.shape[::-1], found)
    if any(v.row for v, _ in rows) or any(v.order > 1 for v, _ in rows):
        raise _misfit(maker, node, rows, "these blocks cannot stand below each other")
    return _joined(maker, node, rows, 0, 1, flat=False)


def _joined(maker: Maker, node: Node, blocks: list[_Block], axis: int, order: int, *, flat: bool) -> Val:
    """One concat of blocks that have `order` axes, or one less and are then one wide."""
    other: tuple[Dim, _Block] | None = None
    total = Dim({})
    for value, k in blocks:
        if not order - 1 <= value.order <= order:
            raise _misfit(maker, node, blocks, "the blocks have different numbers of axes")
        total = total + (value.shape[axis] if value.order == order else _ONE)
        if order == 2:
            size = value.shape[1 - axis] if value.order == 2 else value.shape[0]
            if other is not None and not maker.sizes.agree(other[0], size):
                first, at = other[1]
                raise maker.differ(other[0], size, node, [at, k], [first, value], "the block matrix")
            other = other or (size, (value, k))
    if any(abs(c) > _LARGEST for _, c in total.terms):
        raise maker.parse_error("P008", "a block with a size too large to work with", node, expected="fewer blocks")
    shape = (total,) if other is None else (total, other[0]) if axis == 0 else (other[0], total)
    parts = [v for v, _ in blocks]
    return maker.make(lambda *b: structure.concat(axis, *b), shape, *parts, row=flat)


def _misfit(maker: Maker, node: Node, blocks: list[_Block], why: str) -> Exception:
    return maker.shape_error(
        "S002",
        why,
        node,
        [k for _, k in blocks],
        [v for v, _ in blocks],
        hint="; stands between rows, a comma or a space between columns; brackets keep a product together: [(W a); 1]",
    )
