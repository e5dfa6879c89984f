"""Lines that compute into an array that nothing needs any more: t3 = torch.mul(C, u, out=Y), where `del Y` would stand.

Memory that is new to the process costs more than the work of an entrywise line that fills it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from .frame import Text
from .instructions import Chain, Contraction, Value, arguments
from .lives import Lives
from .plan import Plan
from .syntax import unparsed

__all__ = ["freeing", "recycled", "spared"]

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.MatMult: "matmul"}  # fmt: skip
_CALLS = {f"torch.{n}" for n in (
    "addcmul", "addmm", "exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tanh", "sigmoid", "abs", "sign", "softmax", "log_softmax",
    "clamp")}  # fmt: skip


def spared(t: Text, a: Value, names: Sequence[str]) -> bool:
    """Whether the array, whose memory has these names, is held back for a later line: it is ours alone, and full."""
    assert t.lives is not None
    held = t.target.recycles and t.lives.is_temporary(a) and isinstance(a.by, (Chain, Contraction))
    if held:
        t.spare.append((a.shape, list(names)))
    return held


def recycled(t: Text, v: Value, node: ast.expr, taken_up: Collection[Value]) -> tuple[list[str], ast.expr, list[str]]:
    """(names to be given back before the line of `v`, its expression, the names whose memory this computes into).

    What is held back is given back where a line makes another large array, be it one that the line takes up; a product that is summed
    at once is computed into it."""
    product = _summed(node) if isinstance(v.by, Contraction) else None
    if not t.spare or not (v.order > 1 or product is not None or any(a.order > 1 for a in taken_up)):
        return [], node, []
    numbers = set(t.sizes.values()) | {t.names[x] for x in t.static if x in t.names}
    if product is not None and isinstance(v.by, Contraction):
        names = next((n for shape, n in t.spare if shape == v.by.left.value.shape), None)
        made = None if names is None else _into(product, names[-1], numbers)
        if made is not None and isinstance(node, ast.Call):
            return [], ast.Call(node.func, [made], node.keywords), []
    found, into = node, []
    new = v.order > 1 and t.lives is not None and v in t.lives.new and isinstance(v.by, (Chain, Contraction))
    root = _root(node)
    if new and isinstance(root, ast.Name):
        return [], node, []  # in place, in an array that is there
    for spare in t.spare if new else []:
        made = _into(root, spare[1][-1], numbers)
        if spare[0] == v.shape and made is not None:
            t.spare.remove(spare)
            found, into = _with_root(node, made), spare[1]
            break
    gone = [n for _, names in t.spare for n in names]
    t.spare.clear()
    return gone, found, into


def freeing(p: Plan, lives: Lives) -> set[Value]:
    """What the line of a large array would take up, and what alone of it reads an array of that size that ends there: on a line of
    its own before, it leaves the array dead for the large one."""
    found = set()
    for v in p.lines:
        whole = p.values[lives.line[v]]
        if whole is not v and v.order < whole.order and isinstance(v.by, Contraction):
            here = [a for a in arguments(v.by) if lives.ends(a, whole) and lives.reads[a, lives.line[v]] == 1]
            found |= {v for a in here if a.shape == whole.shape}
    return found


def _summed(node: ast.expr) -> ast.expr | None:
    """The product of which this is the sum, None for anything else."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.sum" and isinstance(node.args[0], ast.BinOp):
        return node.args[0]
    return None


def _root(node: ast.expr) -> ast.expr:
    """What the first of a chain of calls that work in place is called on."""
    while isinstance(node, ast.Call) and _is_in_place(node):
        node = node.func.value if isinstance(node.func, ast.Attribute) else node.args[0]
    return node


def _with_root(node: ast.expr, root: ast.expr) -> ast.expr:
    if not (isinstance(node, ast.Call) and _is_in_place(node)):
        return root
    if isinstance(node.func, ast.Attribute):
        func = ast.Attribute(_with_root(node.func.value, root), node.func.attr, ast.Load())
        return ast.Call(func, node.args, node.keywords)
    return ast.Call(node.func, [_with_root(node.args[0], root), *node.args[1:]], node.keywords)


def _is_in_place(node: ast.Call) -> bool:
    func = node.func
    return (isinstance(func, ast.Attribute) and func.attr.endswith("_")) or ast.unparse(func) == "_mark_"


def _into(node: ast.expr, out: str, numbers: set[str]) -> ast.expr | None:
    """The call that leaves its result there, None for what has no such form."""
    keyword = ast.keyword("out", ast.Name(out, ast.Load()))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        args = [node.left, node.right]
        if _is_number(args[0], numbers):
            if not isinstance(node.op, (ast.Add, ast.Mult)):
                return None
            args.reverse()
        func = ast.parse(f"torch.{_OPERATORS[type(node.op)]}", mode="eval").body
        return ast.Call(func, args, [keyword])
    if isinstance(node, ast.Call) and unparsed(node.func) in _CALLS:
        return ast.Call(node.func, node.args, [*node.keywords, keyword])
    return None


def _is_number(node: ast.expr, numbers: set[str]) -> bool:
    return all(x.id in numbers or x.id == "math" for x in ast.walk(node) if isinstance(x, ast.Name))
