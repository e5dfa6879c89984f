"""Lines of Python out of instructions: every expression is a syntax tree, so that no bracket is ever missing.

All of it is the same for all targets: array functions are those of `xp`, which `speller.py` calls as a target does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..errors import UnsupportedError
from .instructions import Algorithm, Applied, Chain, Contraction, Legs, Operand, Spread, Value
from .traced import Namespace, Traced, Untraceable, node_of, parsed

__all__ = [
    "aligned", "call", "copied", "dim_node", "expression", "filled", "negative", "number_node", "same", "template_of", "unparsed", "unsigned",
]  # fmt: skip

_SLOT = re.compile(r"\$(\w+)(?::\d+)?")
_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"
_POWER = re.compile(r"(?<![\w.)\]])(-?[A-Za-z_][\w.]*|\d[\w.]*) \*\* (-?[\w.]+)(?![\w.(\[])")


def call(name: str, *args: Any, **options: Any) -> ast.expr:
    """xp.name(args), to be spelled by the target."""
    return ast.Call(
        parsed(f"xp.{name}"), [node_of(a) for a in args], [ast.keyword(k, node_of(v)) for k, v in options.items()]
    )


def copied(node: Any) -> Any:
    """The tree again, sharing no node with it; `copy.deepcopy` takes ten times as long."""
    if isinstance(node, list):
        return [copied(x) for x in node]
    if not isinstance(node, ast.AST):
        return node
    new = type(node).__new__(type(node))
    for name, value in node.__dict__.items():
        setattr(new, name, copied(value))
    return new


def same(a: Any, b: Any) -> bool:
    """Whether two trees have the same text; of two that differ `ast.dump` would write everything."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if not isinstance(a, ast.AST):
        return bool(a == b)
    return a is b or all(same(getattr(a, f, None), getattr(b, f, None)) for f in a._fields)


def unparsed(node: ast.AST) -> str:
    """The text, as `ruff format` leaves it."""
    slices = _Slices()
    if any(isinstance(n, ast.Slice) for n in ast.walk(node)):
        node = slices.visit(copied(node))
    text = ast.unparse(node).replace("'", '"')
    for k, part in reversed(list(enumerate(slices.found))):
        text = text.replace(f"_slice_{k}_", part)
    return _POWER.sub(r"\1**\2", text)


class _Slices(ast.NodeTransformer):
    """Takes slices out, to write them with spaces about the colon where a bound is more than a name or a number."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Slice(self, node: ast.Slice) -> ast.expr:
        self.generic_visit(node)
        bounds = [node.lower, node.upper, *([node.step] if node.step else [])]
        plain = all(b is None or isinstance(unsigned(b), (ast.Name, ast.Constant)) for b in bounds)
        texts = ["" if b is None else ast.unparse(b) for b in bounds]
        space = "" if plain else " "
        text = texts[0]
        for t in texts[1:]:
            text += (space if text else "") + ":" + (space + t if t else "")
        self.found.append(text)
        return ast.Name(f"_slice_{len(self.found) - 1}_", ast.Load())


# ---- entrywise code -----------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _template(text: str) -> ast.expr:
    return parsed(_SLOT.sub(r"_slot_\1", text))


def unsigned(node: ast.expr) -> ast.expr:
    return node.operand if negative(node) and isinstance(node, ast.UnaryOp) else node


def negative(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


class _Filler(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node)


def filled(text: str, values: Mapping[str, ast.expr]) -> ast.expr:
    """A template of Python's syntax with an expression for every $name."""
    found = _Filler({f"_slot_{k}": v for k, v in values.items()}).visit(copied(_template(text)))
    return found  # type: ignore[no-any-return]


def dim_node(d: Dim, size: Callable[[str], str]) -> ast.expr:
    """A size as an expression of the names of its symbols."""
    text = str(d)
    for s in sorted(d.symbols(), key=len, reverse=True):
        text = re.sub(rf"(?<![\w\[]){re.escape(s)}(?![\w\]])", size(s), text)
    return parsed(text)


def number_node(x: Fraction, whole: bool = True) -> ast.expr:
    """A rational as a literal, an integer where it is one if it may be `whole`. Raises UnsupportedError U040."""
    try:
        value = x.numerator if whole and x.denominator == 1 and abs(x.numerator) < 1 << 53 else float(x)
    except OverflowError:
        raise UnsupportedError("U040", "a number of the program is too large for float64",
                               expected="numbers below 1.8e308") from None  # fmt: skip
    return node_of(value)


def template_of(e: Expr, size: Callable[[str], str]) -> ast.expr:
    """The code of an entrywise op with its data put in; the slot X is the name _slot_X."""
    code = e.op.code if isinstance(e.op.code, str) else e.op.code(e)
    return filled(code, {k: node_of(_sized(v, size)) for k, v in e.op.attributes(e).items() if f"${k}" in code})


def body_node(body: Expr, operands: Mapping[Expr, ast.expr], size: Callable[[str], str]) -> ast.expr:
    """The entrywise expression of a chain, its operands put in."""
    done: dict[Expr, ast.expr] = {}
    for e in postorder(body):
        if e in operands:
            done[e] = operands[e]
        elif e.op.number:
            done[e] = number_node(e.attrs[0], whole=bool(operands))
        elif not e.args and e.attrs and isinstance(e.attrs[0], Dim):
            done[e] = dim_node(e.attrs[0], size)
        else:
            values = {f"_slot_{n}": done[a] for (n, _), a in zip(e.op.slots, e.args, strict=True)}
            done[e] = _Filler(values).visit(template_of(e, size))
    return done[body]


def _sized(x: Any, size: Callable[[str], str]) -> Any:
    """Data of a node with names for its sizes."""
    if isinstance(x, Dim):
        return x.constant if x.constant is not None else Traced(dim_node(x, size), ())
    if isinstance(x, Fraction):
        return Traced(number_node(x), ())
    return tuple(_sized(i, size) for i in x) if isinstance(x, tuple) else x


# ---- one expression for one instruction ------------------------------------------------------------------------


def expression(v: Value, read: Callable[[Value], ast.expr], size: Callable[[str], str], function: Callable[[Expr], str],
               extent: Callable[[str], str] | None = None) -> ast.expr:  # fmt: skip
    """What computes the array, `read` saying how each argument is written; `extent` is how many entries of an axis there are, where
    these are not all that it has. Raises UnsupportedError U042."""
    extent = extent or size
    match v.by:
        case Chain(body, operands, legs):
            nodes = {leaf: aligned(read(o.value), o.legs, legs) for leaf, o in operands}
            found = body_node(body, nodes, size)
            if len({i for _, o in operands for i in o.legs}) < len(legs):
                dims = tuple(_sized(d, extent) for d in v.shape)
                return call(
                    "broadcast_to" if any(o.legs for _, o in operands) else "full",
                    *((found, dims) if any(o.legs for _, o in operands) else (dims, found)),
                )
            return found
        case Contraction(left, None, legs):
            return _reduced(read(left.value), left.legs, legs)
        case Contraction(left, Operand() as right, legs):
            return _contracted(left, right, legs, read)
        case Spread(value, legs):
            return _spread(read(value), value.order, legs, v, size)
        case Applied(node, args):
            found = ast.Call(ast.Name(function(node), ast.Load()), [read(a) for a in args], [])
            shape = ast.Tuple([dim_node(d, extent) for d in v.shape], ast.Load())
            return ast.Call(ast.Name("_given", ast.Load()), [ast.Constant(function(node)), found, shape], [])
        case Algorithm(node, args):
            return _algorithm(node, args, read, size, extent)
    raise AssertionError("an input is not computed")


def _algorithm(node: Expr, args: Sequence[Value], read: Callable[[Value], ast.expr], size: Callable[[str], str],
               extent: Callable[[str], str]) -> ast.expr:  # fmt: skip
    data = {k: _sized(x, size) for k, x in node.op.attributes(node).items()}
    arrays = [Traced(read(a), tuple(_sized(d, extent) for d in a.shape)) for a in args]
    try:
        algorithm = node.op.source or partial(_kernel, node.op.kernel)
        return node_of(algorithm(Namespace(), *arrays, **data))
    except (Untraceable, TypeError, AttributeError) as why:
        raise UnsupportedError("U042", f"there is no code for {node.op.name} in this version",
                               hint="`evaluate` computes it in Python") from why  # fmt: skip


def _kernel(name: str, xp: Namespace, *arrays: Traced, **data: Any) -> Traced:
    """A function that the target has whole, name[k] one of several results."""
    name, _, place = name.partition("[")
    found: Traced = getattr(xp, name)(*arrays, **data)
    return found[int(place.rstrip("]"))] if place else found


def _transposed(x: ast.expr, order: Sequence[int]) -> ast.expr:
    """The axes of `x` in another order."""
    if list(order) == sorted(order):
        return x
    return ast.Attribute(x, "T", ast.Load()) if list(order) == [1, 0] else call("transpose", x, tuple(order))


def aligned(x: ast.expr, mine: Legs, legs: Legs) -> ast.expr:
    """An operand beside others over `legs`: its axes in their order, an axis of length 1 for each that it lacks."""
    wanted = [i for i in legs if i in mine]
    x = _transposed(x, [mine.index(i) for i in wanted])
    first = next((k for k, i in enumerate(legs) if i in mine), len(legs))
    index = [slice(None) if i in mine else None for i in legs[first:]]
    return ast.Subscript(x, node_of(tuple(index)), ast.Load()) if None in index else x


def _reduced(x: ast.expr, mine: Legs, legs: Legs) -> ast.expr:
    """A sum over axes, or a diagonal."""
    if len(set(mine)) < len(mine):
        if mine == (0, 0):
            return call("trace", x) if not legs else call("diagonal", x)
        return _einsum([mine], legs, [x])
    kept = [i for i in mine if i in legs]
    axes = tuple(k for k, i in enumerate(mine) if i not in legs)
    if not axes:
        summed = x
    elif not kept:
        summed = call("sum", x)
    else:
        summed = call("sum", x, axis=axes[0] if len(axes) == 1 else axes)
    return _transposed(summed, [kept.index(i) for i in legs])


def _einsum(words: Sequence[Legs], legs: Legs, args: Sequence[ast.expr]) -> ast.expr:
    def spelled(word: Legs) -> str:
        return "".join(_LETTERS[i] for i in word)

    return call("einsum", ",".join(map(spelled, words)) + "->" + spelled(legs), *args)


def _contracted(left: Operand, right: Operand, legs: Legs, read: Callable[[Value], ast.expr]) -> ast.expr:
    """A product of two arrays: a matrix product where it is one, never an einsum where a product serves."""
    x, y = read(left.value), read(right.value)
    a, b = left.legs, right.legs
    both = [i for i in a if i in b and i in legs]
    inner = [i for i in a if i in b and i not in legs]
    mine, yours = [i for i in a if i not in b], [i for i in b if i not in a]
    alone = [i for i in (*mine, *yours) if i not in legs]
    if alone or (both and (len(inner), len(mine), len(yours)) != (1, 1, 1)):
        return _einsum([a, b], legs, [x, y])
    if both:
        x = _transposed(x, [a.index(i) for i in (*both, *mine, *inner)])
        y = _transposed(y, [b.index(i) for i in (*both, *inner, *yours)])
        return _transposed(_matmul(x, y), [(*both, *mine, *yours).index(i) for i in legs])
    if mine and yours and legs == (*yours, *mine):  # (x y)ᵀ = yᵀ xᵀ, whose rows lie together in memory
        return _contracted(right, left, legs, read)
    if not mine and not yours and len(inner) > 1:
        return call("vdot", x, _transposed(y, [b.index(i) for i in a]))
    if len(inner) == 1 and len(mine) + len(yours) == 1:  # a matrix and a vector: never a transposed matrix in front
        matrix, vector, legs_of = (x, y, a) if mine else (y, x, b)
        return _matmul(vector, matrix, "vecmat") if legs_of[0] in inner else _matmul(matrix, vector, "matvec")
    if len(inner) == 1 and len(mine) < 2 and len(yours) < 2:
        x = _transposed(x, [a.index(i) for i in (*mine, *inner)])
        y = _transposed(y, [b.index(i) for i in (*inner, *yours)])
        product = "matmul" if mine and yours else "vecdot"
        return _transposed(_matmul(x, y, product), [(*mine, *yours).index(i) for i in legs])
    axes = (tuple(a.index(i) for i in inner), tuple(b.index(i) for i in inner))
    return _transposed(call("tensordot", x, y, axes=axes), [(*mine, *yours).index(i) for i in legs])


def _matmul(x: ast.expr, y: ast.expr, product: str = "matmul") -> ast.expr:
    """x @ y, which remembers what NumPy calls it: not every target has one sign for vectors and matrices."""
    found = ast.BinOp(x, ast.MatMult(), y)
    found.product = product  # type: ignore[attr-defined]
    return found


def _spread(x: ast.expr, order: int, legs: Legs, v: Value, size: Callable[[str], str]) -> ast.expr:
    """diag(x); with more axes, x beside identity matrices."""
    if legs == (0, 0):
        return call("diag", x)
    words: list[Legs] = [tuple(range(order))]
    args = [x]
    out: list[int] = []
    for i, d in zip(legs, v.shape, strict=True):
        if i in out:
            twin = order + len(words)
            words.append((i, twin))
            args.append(call("eye", _sized(d, size)))
            out.append(twin)
        else:
            out.append(i)
    return _einsum(words, tuple(out), args)
