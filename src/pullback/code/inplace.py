"""An entrywise expression as calls of NumPy's ufuncs into memory that is there already (`out=`)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from .instructions import Chain, Legs, Value
from .syntax import aligned, call, dim_node, number_node, template_of, unparsed

__all__ = ["Memory", "Ufunc", "out_of", "read_once", "statements", "tree"]

_OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power", ast.USub: "negative"}  # fmt: skip
# Functions with a keyword `out`; what is not here is computed as it stands, and copied.
_UFUNCS = {
    *_OPERATORS.values(), "square", "sqrt", "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "abs", "sign", "sin", "cos",
    "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "arctan2", "cbrt", "maximum",
    "minimum", "logaddexp", "heaviside", "clip", "special.expit", "special.erf", "special.erfc", "special.ndtr", "special.gammaln",
    "special.digamma"}  # fmt: skip


@dataclass(slots=True, eq=False)
class Ufunc:
    """One call over `legs`, or a leaf: an array that is there, or a number."""

    legs: Legs
    name: str = ""
    args: tuple[Ufunc, ...] = ()
    leaf: ast.expr | None = None
    reads: frozenset[Value] = frozenset()  # the arrays under it


@dataclass(slots=True)
class Memory:
    """Where intermediate results go: `take` gives a name for an array over legs, `give` takes it back."""

    take: Callable[[Legs], str]
    give: Callable[[str, Legs], None]
    spelled: Callable[[ast.expr], ast.expr]
    lines: list[str] = field(default_factory=list)


def tree(chain: Chain, read: Callable[[Value], ast.expr], size: Callable[[str], str]) -> Ufunc:
    """The body of a chain as nested calls."""
    operands = {leaf: Ufunc(o.legs, leaf=read(o.value), reads=frozenset([o.value])) for leaf, o in chain.operands}

    def built(e: Expr) -> Ufunc:
        if e in operands:
            return operands[e]
        if e.op.number:
            return Ufunc((), leaf=number_node(e.attrs[0]))
        if not e.args and e.attrs and isinstance(e.attrs[0], Dim):
            return Ufunc((), leaf=dim_node(e.attrs[0], size))
        parts = {f"_slot_{n}": built(a) for (n, _), a in zip(e.op.slots, e.args, strict=True)}
        return of_code(template_of(e, size), parts)

    def of_code(node: ast.expr, parts: Mapping[str, Ufunc]) -> Ufunc:
        if isinstance(node, ast.Name) and node.id in parts:
            return parts[node.id]
        name, inner = _call_of(node)
        if not name:
            return Ufunc((), leaf=node)
        if name == "power" and isinstance(inner[1], ast.Constant) and inner[1].value == 2:
            name, inner = "square", inner[:1]
        args = tuple(of_code(a, parts) for a in inner)
        found = {i for a in args for i in a.legs}
        return Ufunc(
            tuple(i for i in chain.legs if i in found), name, args, reads=frozenset().union(*(a.reads for a in args))
        )

    return built(chain.body)


def read_once(root: Ufunc) -> set[Value]:
    """The arrays that are read in one place."""
    seen: dict[Value, int] = {}
    stack = [root]
    while stack:
        u = stack.pop()
        stack += u.args
        if not u.name:
            for v in u.reads:
                seen[v] = seen.get(v, 0) + 1
    return {v for v, n in seen.items() if n == 1}


def _call_of(node: ast.expr) -> tuple[str, list[ast.expr]]:
    """("add", [a, b]) for a + b, ("exp", [a]) for xp.exp(a); ("", []) for what is no call."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)], [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)], [node.operand]
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).removeprefix("xp."), list(node.args)
    return "", []


def statements(root: Ufunc, legs: Legs, out: str, held: Value | None, memory: Memory) -> Iterator[str]:
    """Statements that leave the value over `legs` in the array `out`. `held` is an operand that lies there, to be read first."""
    if not root.name and held in root.reads and root.legs == legs:
        return  # it lies there already
    found = _run(root, out if root.legs == legs else "", held, memory)
    if not (isinstance(found, ast.Name) and found.id == out):
        memory.lines.append(
            unparsed(memory.spelled(call("copyto", ast.Name(out), aligned(found, tuple(sorted(root.legs)), legs))))
        )
    if isinstance(found, ast.Name) and found.id != out and root.name:
        memory.give(found.id, root.legs)
    yield from memory.lines


def _run(u: Ufunc, out: str, held: Value | None, memory: Memory) -> ast.expr:
    """The value over the legs of `u`, in their order; in `out` if that is named and may be written to by now."""
    if not u.name:
        assert u.leaf is not None
        return aligned(u.leaf, u.legs, tuple(sorted(u.legs)))
    if not u.legs:
        return _scalar(u)
    taken: list[tuple[str, Legs]] = []
    first = next((a for a in u.args if a.name and a.legs == u.legs), None)  # computed where the result will be
    order = sorted(
        u.args, key=lambda a: (held is not None and held not in a.reads, a is not first)
    )  # what is held is read first
    done: dict[int, ast.expr] = {}
    for a in order:
        may = a is first and (held is None or held in a.reads)
        found = done[id(a)] = _run(a, out if may else "", held, memory)
        if a.name and a.legs and isinstance(found, ast.Name) and found.id != out:
            taken.append((found.id, a.legs))
    args = [aligned(done[id(a)], tuple(sorted(a.legs)), u.legs) for a in u.args]
    target = out or next((n for n, legs in taken if legs == u.legs), "") or memory.take(u.legs)
    if u.name in _UFUNCS:
        node = call(u.name, *args, out=ast.Name(target))
    else:
        node = call("copyto", ast.Name(target), call(u.name, *args))
    memory.lines.append(unparsed(memory.spelled(node)))
    for name, legs in taken:
        if name != target:
            memory.give(name, legs)
    return ast.Name(target)


def _scalar(u: Ufunc) -> ast.expr:
    """A number: written where it is used."""
    if not u.name:
        assert u.leaf is not None
        return u.leaf
    args = [_scalar(a) for a in u.args]
    kind = next((k for k, n in _OPERATORS.items() if n == u.name), None)
    if kind is ast.USub:
        return ast.UnaryOp(ast.USub(), args[0])
    if u.name == "square":
        return ast.BinOp(args[0], ast.Pow(), ast.Constant(2))
    return call(u.name, *args) if kind is None else ast.BinOp(args[0], kind(), args[1])  # type: ignore[arg-type]


def out_of(node: ast.expr, out: str, order: int) -> ast.expr | None:
    """A product, a sum or an einsum into `out`, which has `order` axes, or None for what has no such form."""
    target = ast.Name(out)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        # Of two matrices by np.dot, which is BLAS at all sizes; np.matmul has a loop of its own for an inner axis of length 1.
        return call("dot" if order == 2 else "matmul", node.left, node.right, out=target)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("xp.sum", "xp.einsum"):
        return ast.Call(node.func, node.args, [*node.keywords, ast.keyword("out", target)])
    return None
