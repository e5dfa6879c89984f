"""The text of a function for one target: a door that checks shapes, the forward pass, the backward pass, the result."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from .door import blamed, door
from .frame import Target, Text, Words, begun, dims_text, word_of
from .instructions import Applied, Given, Value, arguments
from .plan import Plan
from .syntax import expression, filled, unparsed

__all__ = [
    "arguments_of",
    "body",
    "comments",
    "described",
    "fitted",
    "function",
    "line",
    "module",
    "owned",
    "returned",
    "write",
]

# functions that may give a view of their argument
_VIEWS = {"broadcast_to", "transpose", "diagonal", "reshape", "moveaxis", "flip", "expand_dims", "real", "split"}


def write(plan: Plan, words: Words, name: str, *, target: Target) -> str:
    """A module: imports, helpers, one function. Raises UnsupportedError U042 where an op has no code in this target."""
    return module(target, function(begun(plan, target, words), name))


def function(t: Text, name: str) -> list[str]:
    """The lines of the function."""
    lines = list(body(t))
    return [*_signature(t, name), *door(t, lines), *lines]


def module(target: Target, function: Sequence[str]) -> str:
    """The function with the imports and helpers that it needs."""
    found = [
        (line, helper)
        for mark, line, helper in target.extras
        if any(re.search(rf"(?<![\w.]){re.escape(mark)}", x) for x in function)
    ]
    lines = {*target.imports, *(line for line, _ in found if line)}
    first = [line for line in ("import math", "from functools import partial") if line in lines]
    others = sorted(lines.difference(first), key=lambda line: (line.startswith("from"), line))
    imports = [*first, *([""] if first else []), *others]
    parts = ["\n".join(imports), target.door, *(h for _, h in found if h), "\n".join(function)]
    return "\n\n\n".join(parts) + "\n"


def arguments_of(t: Text) -> list[str]:
    """The arguments of the function: the inputs, and by keyword the unknown functions."""
    functions = list(dict.fromkeys(t.functions.values()))
    return [*(t.names[v] for v in t.plan.inputs), *(["*", *functions] if functions else [])]


def _signature(t: Text, name: str) -> Iterator[str]:
    p = t.plan
    yield from t.listed(f"def {name}(", arguments_of(t), "):")
    results = f"its {p.kind}" if p.kind != "gradient" else f"{{name: gradient}} for {', '.join(p.gradients)}"
    yield f'    """The value, and {results}.'
    yield ""
    yield from described(t)
    yield '    """'


def described(t: Text) -> Iterator[str]:
    """What the arguments are."""
    for v in t.plan.inputs:
        shape = "a number" if not v.shape else f"shape {dims_text(v.shape, t)}"
        yield f"    {t.names[v]}: {shape}"
    for node, f in {f: n for n, f in t.functions.items()}.items():
        yield f"    {node}: {t.words.text(f)}"


def body(t: Text) -> Iterator[str]:
    """The forward pass, the backward pass, and the results."""
    p = t.plan
    turned = False
    for k, v in enumerate(p.values):
        if isinstance(v.by, Given):
            continue
        if k >= p.backward and not turned and p.kind == "gradient":
            turned = True
            yield ""
            yield "    # backward"
        yield from line(t, v)
    seen = [
        v
        for v in t.plan.values[: t.plan.backward]
        if v in t.names and v.about is not None and v not in t.plan.gradients.values()
    ]
    yield from blamed(t, seen)
    yield from returned(t)


def returned(t: Text) -> Iterator[str]:
    """The last line: the value and the gradients by name."""
    p = t.plan
    gradients = [f'"{n}": {t.names[v]}' for n, v in p.gradients.items()]
    value = _written(t, p.value)
    yield from t.listed(f"    return {value}, {{", gradients, "}")


def _written(t: Text, v: Value) -> str:
    return t.names[v] if v in t.names else unparsed(t.inline[v])


def line(t: Text, v: Value) -> Iterator[str]:
    """One array: nothing yet if its one user takes it up, else a line with its equation above."""
    p = t.plan

    def read(a: Value) -> ast.expr:
        return t.inline[a] if a in t.inline else ast.Name(t.names[a], ast.Load())

    node = expression(v, read, t.size, lambda e: t.functions[e], t.extent)
    node = t.target.spelling.applied(owned(t, v, t.joined(v, node) if t.joined else node), t.numbers())
    for a in arguments(v.by):
        t.inline.pop(a, None)
    if (
        v.about is None
        and p.uses.get(v) == 1
        and v is not p.value
        and v not in t.kept
        and v not in p.gradients.values()
    ):
        t.inline[v] = node
        return
    yield from comments(t, v)
    t.names[v] = word_of(t, v)
    yield from (f"    {line}" for line in fitted(t, t.names[v], node, "+=" if v in t.added else "="))


def owned(t: Text, v: Value, node: ast.expr) -> ast.expr:
    """The expression, copied if it is a result that could be a view of an input or of another result: whoever has it may write to it."""
    if not v.shape or v not in t.plan.gradients.values():
        return node
    called = ast.unparse(node.func).removeprefix("xp.") if isinstance(node, ast.Call) else ""
    view = isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) or called in _VIEWS or isinstance(v.by, Applied)
    return filled(t.target.copies, {"X": node}) if view else node


def comments(t: Text, v: Value) -> Iterator[str]:
    """The equations that the array is computed for, each above the first line that is for it."""
    for name, e in t.plan.groups.get(v, ()):
        if name not in t.said:
            t.said.add(name)
            shape = f"   {dims_text(name.shape, t)}" if name.order else ""
            yield f"    # {t.words.text(name)} = {t.words.text(e)}{shape}"


def fitted(t: Text, name: str, node: ast.AST, sign: str = "=") -> Iterator[str]:
    """The line, not indented, parts of it on lines of their own where it would be too long."""
    while len(f"    {name} {sign} {unparsed(node)}") > t.width:
        parts = [x for x in ast.walk(node) if isinstance(x, (ast.BinOp, ast.Call)) and x is not node]
        fitting = [(len(unparsed(x)), k) for k, x in enumerate(parts)]
        fitting = [(n, k) for n, k in fitting if n + 16 <= t.width and n > 8]
        if not fitting:
            break
        part = parts[max(fitting)[1]]
        word = t.temporary()
        yield f"{word} = {unparsed(part)}"
        node = _Replace(part, word).visit(node)
    yield f"{name} {sign} {unparsed(node)}"


class _Replace(ast.NodeTransformer):
    """Puts a name in the place of every copy of one part."""

    def __init__(self, part: ast.expr, name: str) -> None:
        self.text, self.name = ast.dump(part), name

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and ast.dump(node) == self.text:
            return ast.Name(self.name, ast.Load())
        return self.generic_visit(node)
