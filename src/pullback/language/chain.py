"""Juxtaposition: which product a chain of factors is.

A vector has one axis; `vᵀ` marks it as a row for the chain it stands in. Scalars are pulled out in front.
What is left is cut after each column: `xᵀ A y` is a number, `u vᵀ` a matrix; everything folds from the right.
"""

from __future__ import annotations

from ..algebra.expr import OPERATORS
from ..algebra.ops import arithmetic, matrix
from ..errors import ShapeError
from .tape import Node
from .values import Maker, Val, article, bracketed

__all__ = ["chain_of", "lone_row"]

_Factor = tuple[Val, int]  # the value and its place on the tape


def lone_row(maker: Maker, node: Node, value: Val) -> ShapeError:
    text = maker.surface(node)
    return maker.shape_error(
        "S006",
        f"{text} is a row vector standing alone",
        node,
        hint="a vector has one axis here, so drop the ᵀ; a product of a row with a column is written xᵀ y",
    )


def chain_of(maker: Maker, node: Node, factors: list[_Factor]) -> Val:
    """The product of the factors. Raises ShapeError S002, S003, S007."""
    scalars: list[Val] = []
    groups: list[list[_Factor]] = []
    ends: list[str] = []  # of each group: "column", "row" or "matrix"
    for value, at in factors:
        if not value.order:
            scalars.append(value)
            continue
        if value.order > 2 and sum(v.order > 0 for v, _ in factors) > 1:
            raise maker.shape_error(
                "S003",
                f"a product with {article(value.order)}",
                maker.tape[at],
                [at],
                [value],
                hint='write the sum out: ein("b i j, j -> b i", X, w)',
            )
        kind = "matrix" if value.order >= 2 else "row" if value.row else "column"
        if not groups or (ends[-1] == "column" and kind == "row"):
            groups.append([(value, at)])
            ends.append(kind)
        elif ends[-1] == "column" or kind == "row":
            raise _two_readings(maker, node, groups[-1][-1], (value, at))
        else:
            groups[-1].append((value, at))
            if kind == "column":
                ends[-1] = kind
                if groups[-1][0][0].row:
                    group = groups.pop()
                    ends.pop()
                    scalars.append(_dot(maker, node, group))
    if not groups:
        return _scale(maker, scalars[:-1], scalars[-1])
    if len(groups) == 1:
        return _scale(maker, scalars, _alone(maker, node, groups[0], ends[0]))
    left = _fold(maker, node, groups[0])
    row, rest = groups[1][0][0], groups[1][1:]
    product = maker.make(matrix.outer, (left.shape[0], row.shape[0]), left, row)
    if rest:
        product = _fold(maker, node, [(product, groups[0][-1][1]), *rest])
    return _scale(maker, scalars, product)


def _alone(maker: Maker, node: Node, group: list[_Factor], end: str) -> Val:
    """The only group that is not a number: a matrix, a column, or a row (Aᵀ x)ᵀ."""
    if end != "row":
        return _fold(maker, node, group)
    first = group[0][0]
    if len(group) == 1:
        return first
    product = _fold(maker, node, group[1:])
    flipped = maker.make(OPERATORS["T"], product.shape[::-1], product)
    if not maker.sizes.agree(product.shape[0], first.shape[0]):
        raise maker.differ(
            first.shape[0],
            product.shape[0],
            node,
            [a for _, a in group],
            [v for v, _ in group],
            "the matrix product",
        )
    return maker.make(matrix.matvec, (product.shape[1],), flipped, first, row=True)


def _fold(maker: Maker, node: Node, group: list[_Factor]) -> Val:
    """M₁ (M₂ (… v)): matrices, then a matrix or a column."""
    result, place = group[-1]
    for value, at in reversed(group[:-1]):
        inner, outer_size = value.shape[1], result.shape[0]
        if inner is not outer_size and not maker.sizes.agree(inner, outer_size):
            raise _mismatch(maker, node, (value, at), (result, place))
        if result.order == 1:
            result = maker.make(matrix.matvec, (value.shape[0],), value, result)
        else:
            result = maker.make(matrix.matmul, (value.shape[0], result.shape[1]), value, result)
        place = at
    return result


def _dot(maker: Maker, node: Node, group: list[_Factor]) -> Val:
    row, at = group[0]
    column = _fold(maker, node, group[1:])
    if not maker.sizes.agree(row.shape[0], column.shape[0]):
        raise _mismatch(maker, node, (row, at), (column, group[1][1]))
    return maker.make(matrix.dot, (), row, column)


def _scale(maker: Maker, scalars: list[Val], value: Val) -> Val:
    for s in reversed(scalars):
        row = value.row
        value = maker.make(arithmetic.smul, value.shape, s, value, row=row)
    return value


def _mismatch(maker: Maker, node: Node, left: _Factor, right: _Factor) -> ShapeError:
    (a, i), (b, j) = left, right
    sizes = maker.sizes
    inner = a.shape[0] if a.row else a.shape[1]
    error = maker.differ(inner, b.shape[0], node, [i, j], [a, b], "the matrix product")
    options = []
    x, y = maker.surface(maker.tape[i]), maker.surface(maker.tape[j])
    shape_a, shape_b = sizes.shape(a.shape), sizes.shape(b.shape)
    if a.order == 2 and shape_a[0] == shape_b[0]:
        options.append(f"{bracketed(x)}ᵀ {y}")
    if b.order == 2 and a.order == 2 and shape_a[1] == shape_b[1]:
        options.append(f"{x} {bracketed(y)}ᵀ")
    if shape_a == shape_b and a.order == 2:
        options.append(f"{x} ⊙ {y}")
    if options:
        error.hint = "what would fit: " + " or ".join(options) + (f"; {error.hint}" if error.hint else "")
    return error


def _two_readings(maker: Maker, node: Node, left: _Factor, right: _Factor) -> ShapeError:
    """A product that no rule gives a meaning: list what would type-check."""
    (a, i), (b, j) = left, right
    x, y = maker.surface(maker.tape[i]), maker.surface(maker.tape[j])
    x, y = (
        x.removesuffix("ᵀ").removesuffix("'") if a.row else x,
        y.removesuffix("ᵀ").removesuffix("'") if b.row else y,
    )
    shape_a, shape_b = maker.sizes.shape(a.shape), maker.sizes.shape(b.shape)
    options = []
    if a.order == b.order == 1:
        if shape_a == shape_b or not maker.building:
            options += [f"{x} ⊙ {y} (entry by entry)", f"{x}ᵀ {y} (a number)"]
        options.append(f"{x} {y}ᵀ (a matrix)")
    elif b.order == 2:
        if a.order == 1 and shape_a[0] == shape_b[0]:
            options += [f"{y}ᵀ {x}", f"diag({x}) {y}"]
        if a.order == 1 and shape_a[0] == shape_b[1]:
            options.append(f"{y} {x}")
    elif a.order == 2:
        if shape_a[1] == shape_b[0]:
            options.append(f"{x} {y}")
        if shape_a[0] == shape_b[0]:
            options.append(f"{x}ᵀ {y}")
    return maker.shape_error(
        "S003",
        f"the product of {article(a.order)} and {article(b.order)} can be meant in several ways, or in none",
        node,
        [i, j],
        [a, b],
        expected="(m, n)(n) → (m), (m, n)(n, p) → (m, p), xᵀ y, u vᵀ",
        hint="what would fit: " + " or ".join(options) if options else "",
    )
