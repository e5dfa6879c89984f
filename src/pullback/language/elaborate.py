"""A tape of nodes into a value, in matrix notation and in the MATLAB-like dialect."""

from __future__ import annotations

from collections.abc import Callable

from ..algebra.expr import OPERATORS, Expr
from ..algebra.ops import arithmetic, matrix, structure
from ..algebra.ops.series import series
from ..errors import PullbackError
from .blocks import block_of
from .calls import apply, apply_op
from .chain import chain_of, lone_row
from .constants import ones_node, shaped_node, slice_node, structure_node
from .fitting import filled, number_of
from .functions import KNOWN
from .structured import kron_of
from .tape import Node, Tape, is_one
from .tokens import Statement
from .values import Maker, Val, article

__all__ = ["elaborate"]

_LARGEST_POWER = 1000
_LARGEST_NUMBER = 10**500


def elaborate(maker: Maker, statement: Statement, tape: Tape, *, rows: bool = False) -> Val:
    """The value of the whole tape, which may be a row if `rows`. Raises PullbackError with its place."""
    maker.statement, maker.tape = statement, tape
    values: list[Val] = []
    for at, node in enumerate(tape):
        kids = [values[k] for k in node.kids]
        try:
            values.append(_HANDLERS[node.tag](maker, node, kids, at))
        except PullbackError as error:
            raise maker.located(error, node, node.kids, kids) from None
    final = values[-1]
    if final.row and not rows:
        raise lone_row(maker, tape[-1], final)
    return final


def _number(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    return maker.constant(node.value)


def _name(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    return maker.lookup(maker, node.value, node)


def _neg(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    return maker.make(OPERATORS["neg"], kids[0].shape, kids[0], row=kids[0].row)


# ---- sums


def _sum(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    if kids[0].size is not None and maker.one_size(kids):
        size = kids[0].size
        for sign, kid in zip(node.value[1:], kids[1:], strict=True):
            assert kid.size is not None
            size = size + kid.size if sign == "+" else size - kid.size
        return maker.size(size)
    total, place = kids[0], node.kids[0]
    for sign, value, k in zip(node.value[1:], kids[1:], node.kids[1:], strict=True):
        total = _plus(maker, node, (total, place), (value, k), arithmetic.add if sign == "+" else arithmetic.sub)
    return total


def _plus(maker: Maker, node: Node, left: tuple[Val, int], right: tuple[Val, int], build: Callable[..., Expr]) -> Val:
    (a, i), (b, j) = left, right
    if a.order == b.order:
        if a.row != b.row:
            raise maker.shape_error(
                "S003",
                "a row and a column are added",
                node,
                [i, j],
                [a, b],
                hint="a vector has one axis here: drop the ᵀ",
            )
        maker.same_shape(a, b, node, [i, j], "the sum")
        return maker.make(build, a.shape, a, b, row=a.row)
    if not a.order or not b.order:
        wide = a if a.order else b
        a, b = (filled(maker, v, k, wide, "is added to every entry") for v, k in ((a, i), (b, j)))
        return maker.make(build, wide.shape, a, b, row=wide.row)
    if {a.order, b.order} == {1, 2}:
        if a.order == 1:
            a = _broadcast(maker, node, (a, i), (b, j))
        else:
            b = _broadcast(maker, node, (b, j), (a, i))
        return maker.make(build, a.shape, a, b)
    raise maker.shape_error("S002", f"{article(a.order)} and {article(b.order)} cannot be added", node, [i, j], [a, b])


def _broadcast(maker: Maker, node: Node, vector: tuple[Val, int], wide: tuple[Val, int]) -> Val:
    """`W A + b`: b in every column, or in every row, where only one of them fits."""
    (v, i), (w, j) = vector, wide
    name, big = maker.surface(maker.tape[i]), maker.surface(maker.tape[j])
    if v.row:
        if not maker.sizes.agree(v.shape[0], w.shape[1]):
            raise maker.differ(v.shape[0], w.shape[1], node, [i, j], [v, w], "the sum of a matrix and a row")
        return _in_every_row(maker, v, w, name)
    if not maker.building:
        maker.beside.append((v.shape[0], w.shape[0], w.shape[1]))
        return Val(w.shape)
    d, (rows, columns) = v.shape[0], w.shape
    if d == rows and d != columns:
        ones = structure.ones((columns,))
        maker.note(f"{name} is added to every column of {big}: {name} 1_{columns}ᵀ", "V-BCAST")
        return maker.make(lambda x: matrix.outer(x, ones), w.shape, v)
    if d == columns and d != rows:
        return _in_every_row(maker, v, w, name)
    bare = name.removesuffix("ᵀ")
    spell = f"{bare} 1_({columns})ᵀ for {bare} in every column, 1_({rows}) {bare}ᵀ for {bare} in every row"
    if d == rows or d.name in maker.inferred:
        raise maker.shape_error(
            "S004",
            f"adding the vector {name} to a matrix can be read in two ways",
            node,
            [i, j],
            [v, w],
            hint=f"write {spell}; or declare the size of {bare}",
        )
    raise maker.shape_error(
        "S002",
        f"the vector {name} fits neither the rows nor the columns of the matrix",
        node,
        [i, j],
        [v, w],
        expected=f"a vector of size {rows} or {columns}",
    )


def _in_every_row(maker: Maker, v: Val, w: Val, name: str) -> Val:
    rows = w.shape[0]
    maker.note(f"{name.removesuffix('ᵀ')} is added to every row: 1_{rows} {name.removesuffix('ᵀ')}ᵀ", "V-BCAST")
    return maker.make(lambda x: matrix.outer(structure.ones((rows,)), x), w.shape, v.column())


# ---- products


def _chain(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    return chain_of(maker, node, list(zip(_with_ones(maker, kids, node.kids), node.kids, strict=True)))


def _with_ones(maker: Maker, factors: list[Val], places: tuple[int, ...]) -> list[Val]:
    """`A 1` and `1 bᵀ`: a 1 behind a factor, and one in front of a row that nothing closes, is a column of ones."""
    if maker.printed or not any(is_one(maker.tape[k]) for k in (places[0], places[-1])):
        return factors
    found = list(factors)
    if is_one(maker.tape[places[-1]]) and any(v.number is None for v in found[:-1]):
        found[-1] = _ones(maker, places[-1])
    tensors = [v for v in found[1:] if v.order]
    if is_one(maker.tape[places[0]]) and tensors and tensors[0].row and all(v.row or v.order > 1 for v in tensors):
        found[0] = _ones(maker, places[0])
    return found


def _ones(maker: Maker, at: int, row: bool = False) -> Val:
    size = maker.hole(-100 * at - 50)
    maker.note(f"1 is a column of ones, 1_{size}", "V-CONST")
    found = maker.leaf(lambda: structure.ones((size,)), (size,))
    return Val(found.shape, found.expr, row)


def _times(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    """Left to right; in the MATLAB-like dialect a run of `*` is one chain."""
    run = [(kids[0], node.kids[0])]
    for op, value, k in zip(node.value, kids[1:], node.kids[1:], strict=True):
        if op == "*" and maker.matlab:
            run.append((value, k))
            continue
        left = _close(maker, node, run)
        combined = _TIMES[op](maker, node, left, (value, k))
        run = [(combined, node.kids[0])]
    return _close(maker, node, run)[0]


def _close(maker: Maker, node: Node, run: list[tuple[Val, int]]) -> tuple[Val, int]:
    return run[0] if len(run) == 1 else (chain_of(maker, node, run), run[-1][1])


def _star(maker: Maker, node: Node, left: tuple[Val, int], right: tuple[Val, int]) -> Val:
    (a, i), (b, j) = left, right
    if a.size is not None and b.size is not None and maker.one_size((a, b)):
        return maker.size(a.size * b.size)
    if not a.order or not b.order:
        scalar, other = (a, b) if not a.order else (b, a)
        return maker.make(arithmetic.smul, other.shape, scalar, other, row=other.row)
    if maker.star:
        return _TIMES[maker.star](maker, node, left, right)
    x, y = maker.factor(maker.tape[i]), maker.factor(maker.tape[j])
    if a.order == b.order == 1:
        raise maker.shape_error(
            "S005",
            "a product of two vectors could be the inner product or the entrywise product",
            node,
            [i, j],
            [a, b],
            hint=f"write `{x}ᵀ {y}` for the inner product, a number, or `{x} ⊙ {y}` for the entrywise one",
        )
    raise maker.shape_error(
        "S005",
        "* between two tensors could be the matrix product or the entrywise product",
        node,
        [i, j],
        [a, b],
        hint=f"write `{x} {y}` for the matrix product or `{x} ⊙ {y}` for the entrywise one "
        "(or begin with `dialect: matlab`, where * is the matrix product)",
    )


def _hadamard(maker: Maker, node: Node, left: tuple[Val, int], right: tuple[Val, int]) -> Val:
    a, b = left[0], right[0]
    if a.order != b.order and not (a.order and b.order):
        return _star(maker, node, left, right)
    _alike(maker, node, left, right, "⊙")
    return maker.make(arithmetic.hadamard, a.shape, a, b, row=a.row)


def _alike(maker: Maker, node: Node, left: tuple[Val, int], right: tuple[Val, int], op: str) -> None:
    (a, i), (b, j) = left, right
    if a.order != b.order or a.row != b.row:
        x, y = maker.surface(maker.tape[i]), maker.surface(maker.tape[j])
        hint = ""
        if {a.order, b.order} == {1, 2}:
            v, m = (x, y) if a.order == 1 else (y, x)
            hint = f"diag({v}) {m} scales the rows, {m} diag({v}) the columns"
        raise maker.shape_error("S002", f"{op} needs two equal shapes", node, [i, j], [a, b], hint=hint)
    maker.same_shape(a, b, node, [i, j], f"the entrywise {op}")


def _divide(maker: Maker, node: Node, left: tuple[Val, int], right: tuple[Val, int]) -> Val:
    """⊘, entry by entry."""
    a, b = left[0], right[0]
    if a.order and not b.order:
        return maker.make(arithmetic.sdiv, a.shape, a, b, row=a.row)
    if not a.order and b.order:
        a = maker.make(lambda s: OPERATORS["fill"](s, b.shape), b.shape, a, row=b.row)
    _alike(maker, node, (a, left[1]), right, "⊘")
    return maker.make(arithmetic.divide, a.shape, a, b, row=a.row)


def _over(maker: Maker, node: Node, left: tuple[Val, int], right: tuple[Val, int]) -> Val:
    (a, i), (b, j) = left, right
    if not b.order:
        if a.number is not None and b.number is not None:
            if not b.number:
                raise maker.parse_error("P002", "division by zero", node, expected="a number other than 0")
            value = a.number / b.number
            if max(abs(value.numerator), value.denominator) < _LARGEST_NUMBER:
                return maker.constant(value)
        return maker.make(arithmetic.sdiv, a.shape, a, b, row=a.row)
    x, y = maker.factor(maker.tape[i]), maker.factor(maker.tape[j])
    fits = not a.order or a.order == b.order
    raise maker.shape_error(
        "S005",
        f"division by {article(b.order)}",
        node,
        [i, j],
        [a, b],
        expected="a scalar below /",
        hint=f"write `{x} ⊘ {y}` (or ./) to divide entry by entry"
        if fits
        else f"if {y} is a number, declare `{y} : scalar`",
    )


def _under(maker: Maker, node: Node, left: tuple[Val, int], right: tuple[Val, int]) -> Val:
    """`A \\ b` of the MATLAB-like dialect: the solution x of A x = b."""
    if not maker.matlab:
        raise maker.parse_error(
            "P002", "\\ divides from the left in the dialect matlab only", node, hint="write solve(A, b) or A⁻¹ b"
        )
    (a, i), (b, j) = left, right
    return apply_op(
        maker, Node(node.tag, (i, j), node.value, node.start, node.end), "solve", KNOWN["solve"], [a, b], {}
    )


_TIMES = {"⊗": kron_of, "\\": _under, "*": _star, "⊙": _hadamard, "⊘": _divide, "/": _over}


def _pow(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    x = kids[0]
    exponent, dotted, _ = node.value
    if abs(exponent) > _LARGEST_POWER and not maker.printed:
        raise maker.parse_error(
            "P002", "an exponent too large to work with", node, expected=f"at most {_LARGEST_POWER}"
        )
    if not x.order or dotted:
        if exponent == 2 and not dotted and x.expr is not None and x.expr.op.squared is not None:
            return maker.make(x.expr.op.squared, (), x)
        return maker.make(lambda e: arithmetic.power(e, exponent=exponent), x.shape, x, row=x.row)
    if x.order == 2 and exponent.denominator == 1 and 1 <= abs(exponent) <= 16:
        if not maker.sizes.agree(*x.shape):
            raise maker.not_square(x, node, maker.surface(node))
        one = x if exponent > 0 else maker.make(OPERATORS["inv"], x.shape, x)
        return chain_of(maker, node, [(one, node.kids[0])] * int(abs(exponent)))
    base = maker.factor(maker.tape[node.kids[0]])
    shown = str(exponent) if exponent.denominator == 1 else f"({exponent})"
    raise maker.shape_error(
        "S002",
        f"{article(x.order)} has no power {shown}",
        node,
        node.kids,
        kids,
        hint=f"write {base}^∘{shown} (or {base}.^{shown}) for the power of every entry"
        + (f", ‖{base}‖² for the sum of squares" if exponent == 2 else ""),
    )


def _raised(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    """A power whose exponent is an expression: of a number, or entry by entry."""
    x, b = kids
    dotted, _ = node.value
    exponent = number_of(b) if b.number is None else b.number
    if exponent is not None:
        return _pow(maker, Node("pow", node.kids[:1], (exponent, dotted, None), node.start, node.end), kids[:1], at)
    if maker.tape[node.kids[0]].tag == "name" and maker.tape[node.kids[0]].value == "e" and x.order:
        raise maker.parse_error("P002", "e is a variable here", node, expected="exp(x) for the exponential function",
                                hint="if e is a number, declare `e : scalar`")  # fmt: skip
    if not dotted and (x.order or b.order):
        name, power = (maker.factor(maker.tape[k]) for k in node.kids)
        raise maker.shape_error(
            "S002",
            f"{article(x.order)} has no power whose exponent is {article(b.order)}",
            node,
            node.kids,
            kids,
            hint=f"write {name}^∘{power} (or {name}.^{power}) for the power of every entry; numbers are declared `b : scalar`",
        )
    base = number_of(x)
    if base is not None and base <= 0:
        raise maker.parse_error("P052", f"a power of {base} with a variable exponent has no real value", node, expected="a positive base",
                                hint="x^y is exp(y log(x))")  # fmt: skip
    wide = x if x.order else b
    if not x.order and b.order:
        x = filled(maker, x, node.kids[0], wide, "is raised to the power of every entry")
    if b.order:
        _alike(maker, node, (x, node.kids[0]), (b, node.kids[1]), "the power")
    return maker.make(OPERATORS["^"], wide.shape, x, b, row=wide.row)


def _transpose(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    x = kids[0]
    if is_one(maker.tape[node.kids[0]]) and not maker.printed:
        return _ones(maker, node.kids[0], row=True)
    if x.order == 2:
        return maker.make(OPERATORS["T"], x.shape[::-1], x)
    if x.order == 1:
        return Val(x.shape, x.expr, not x.row)
    if not x.order:
        return x if len(kids) == 1 else _raised(maker, node, kids, at)
    raise maker.shape_error(
        "S002",
        f"{article(x.order)} has no transpose",
        node,
        node.kids,
        kids,
        hint='name the new order of the axes: ein("b i j -> b j i", X)',
    )


# ---- calls and blocks


def _call(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    return apply(maker, node, node.value[0], kids)


def _series(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    r = node.value
    return maker.make(series, kids[0].shape, kids[0], row=kids[0].row, letter=r.letter, first=r.first, last=r.last)


def _block(maker: Maker, node: Node, kids: list[Val], at: int) -> Val:
    return block_of(maker, node, kids)


_HANDLERS: dict[str, Callable[[Maker, Node, list[Val], int], Val]] = {
    "num": _number,
    "name": _name,
    "neg": _neg,
    "sum": _sum,
    "chain": _chain,
    "times": _times,
    "pow": _pow,
    "raised": _raised,
    "T": _transpose,
    "ones": ones_node,
    "structure": structure_node,
    "shaped": shaped_node,
    "slice": slice_node,
    "call": _call,
    "series": _series,
    "block": _block,
}
