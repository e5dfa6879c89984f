"""The text of a function for one target: a door that checks shapes, the forward pass, the backward pass, the result."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any

from .door import blamed, door, words_of
from .frame import Target, Text, Words, begun, dims_text, word_of
from .instructions import Algorithm, Applied, Given, Value, arguments
from .lives import Lives, deepest, is_inline
from .plan import Plan
from .recycled import freeing, recycled, spared
from .reused import reusing
from .syntax import expression, filled, same, unparsed

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
    "some",
    "write",
]

_REMARK = 132  # characters of a comment on one line
_STANDARD = {
    "import math",
    "from functools import cache",
    "from functools import partial",
    "from types import SimpleNamespace",
}  # a block of imports of their own
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
    read = list(function)
    found: list[tuple[str, str]] = []
    for mark, line, helper in reversed(target.extras):  # a helper may use those that stand before it
        if any(re.search(rf"(?<![\w.]){re.escape(mark)}", x) for x in read):
            found.insert(0, (line, helper))
            read.append(helper)
    lines = {*target.imports, *(line for line, _ in found if line)}
    first = sorted(lines & _STANDARD, key=lambda line: (line.startswith("from"), line))
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
    yield from t.target.decorators
    yield from t.listed(f"def {name}(", arguments_of(t), "):")
    results = f"its {p.kind}" if p.kind != "gradient" else f"{{name: gradient}} for {some(p.gradients)}"
    yield f'    """The value, and {results}.'
    yield ""
    yield from described(t)
    yield '    """'


def some(names: Iterable[str]) -> str:
    """The names, or the first and the last of them where they are many."""
    found = [*names]
    return ", ".join(found if len(", ".join(found)) <= _REMARK else [*found[:4], "…", found[-1]])


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
    t.beside = _several(p)
    t.kept |= {v for v in t.beside if is_inline(p, t.kept, v)}
    t.kept |= deepest(p, t.kept)
    if t.target.recycles:
        t.kept |= freeing(p, Lives(p, t.kept, t.size))
    turned = False
    parts: list[list[str]] = []
    for k, v in enumerate(p.values):
        if isinstance(v.by, Given):
            continue
        if k >= p.backward and not turned and p.kind == "gradient":
            turned = True
            parts.append(["", "    # backward"])
        parts.append(list(line(t, v)))
    gone = _deleted(t, parts) if p.again and not t.target.fuses else set()
    yield from (x for part in parts for x in part)
    seen = [
        v
        for v in t.plan.values[: t.plan.backward]
        if v in t.names and v.about is not None and v not in t.plan.gradients.values() and t.names[v] not in gone
    ]
    yield from blamed(t, seen if p.value in seen else [*seen, p.value])
    yield from returned(t)


def _deleted(t: Text, parts: Sequence[list[str]]) -> set[str]:
    """Puts `del` behind the last line that reads an array; what is given and what is returned stays. Gives the names."""
    p = t.plan
    stays = {t.names[v] for v in (*p.inputs, p.value, *p.gradients.values(), *t.static) if v in t.names}
    last: dict[str, int] = {}
    for k, part in enumerate(parts):
        made = {m[1] for x in part if (m := re.match(r" {4}(\w+) = ", x))}
        for name in (made | last.keys()) & words_of(part):
            last[name] = k
    last = {n: k for n, k in last.items() if n not in stays}
    for k, part in enumerate(parts):
        part += deletions(t, sorted(n for n, at in last.items() if at == k))
    return set(last)


def deletions(t: Text, names: Sequence[str]) -> Iterator[str]:
    """`del` of these names, in lines that are not too long."""
    line = ""
    for name in names:
        if line and len(f"{line}, {name}") > t.width:
            yield line
            line = ""
        line = f"{line}, {name}" if line else f"    del {name}"
    if line:
        yield line


def returned(t: Text) -> Iterator[str]:
    """The last line: the value and the gradients by name."""
    p = t.plan
    gradients = [f'"{n}": {_written(t, v)}' for n, v in p.gradients.items()]
    value = _written(t, p.value)
    yield from t.listed(f"    return {value}, {{", gradients, "}")


def _written(t: Text, v: Value) -> str:
    node = ast.Name(t.names[v], ast.Load()) if v in t.names else t.inline[v]
    return unparsed(filled(t.target.spelling.number, {"0": node}) if t.target.typed and v in t.static else node)


def line(t: Text, v: Value) -> Iterator[str]:
    """One array: nothing yet if its one user takes it up, else a line with its equation above."""
    p = t.plan

    def read(a: Value) -> ast.expr:
        if a in t.inline:
            return t.inline[a]
        name = ast.Name(t.names[a], ast.Load())
        apart = t.target.apart and v in p.again and a not in p.again and a not in t.static
        return filled(t.target.apart, {"X": name}) if apart else name

    node = None
    if t.target.fuses:
        t.lives = t.lives or Lives(p, t.kept, t.size)
        node = reusing(t, t.lives, v, read)
    if node is None:
        node = expression(v, read, t.size, lambda e: t.functions[e], t.extent)
        again = [a for a in arguments(v.by) if a in t.inline and _occurs(t.inline[a], node) > 1]
        for a in again:  # an algorithm that reads its argument in two places: computed once, and perhaps in place
            t.names[a] = word_of(t, a)
            yield from (f"    {x}" for x in fitted(t, t.names[a], t.inline.pop(a)))
        if again:
            node = expression(v, read, t.size, lambda e: t.functions[e], t.extent)
    node = t.target.spelling.applied(owned(t, v, t.joined(v, node) if t.joined else node), t.numbers())
    taken_up = [a for a in arguments(v.by) if t.inline.pop(a, None) is not None]
    if is_inline(p, t.kept, v):
        t.inline[v] = node
        return
    if v in t.beside and isinstance(node, ast.Subscript):
        yield from comments(t, v)
        if v not in t.names:
            for a in t.beside[v]:
                t.names[a] = word_of(t, a)
            results = ", ".join(t.names[a] for a in t.beside[v])
            yield from (f"    {x}" for x in fitted(t, results, node.value))
        return
    gone, node, into = recycled(t, v, node, taken_up)
    yield from deletions(t, gone)
    yield from comments(t, v)
    t.names[v] = word_of(t, v)
    lines = list(fitted(t, t.names[v], node, "+=" if v in t.added else "="))
    yield from (f"    {line}" for line in lines)
    if into:
        holder = next(x for x in lines if f"out={into[-1]}" in x).partition(" ")[0]
        t.taken_over[holder] = into
    if t.lives is not None:
        yield from _freed(t, v, lines)


def _several(p: Plan) -> dict[Value, list[Value]]:
    """The results of functions that give several at once, where all of them are needed."""
    groups: dict[tuple[Any, ...], dict[int, Value]] = {}
    for v in p.lines:
        if isinstance(v.by, Algorithm) and not v.by.node.op.source and v not in p.again:
            name, _, place = v.by.node.op.kernel.partition("[")
            if place:
                groups.setdefault((name, v.by.node.attrs, v.by.node.args), {})[int(place.rstrip("]"))] = v
    full = [[some[k] for k in sorted(some)] for some in groups.values() if len(some) > 1]
    return {v: some for some in full for v in some}


def _occurs(part: ast.expr, node: ast.expr) -> int:
    """How often work is written in the expression."""
    if not any(isinstance(x, (ast.BinOp, ast.Call)) for x in ast.walk(part)):
        return 0
    return sum(same(x, part) for x in ast.walk(node))


def _freed(t: Text, v: Value, lines: Sequence[str]) -> Iterator[str]:
    """The line that gives back the memory of what nothing needs any more; an array that took over another's has two names."""
    for x in lines:
        took = re.match(r"(\w+) = (?:(\w+)\.\w+_\(|_mark_\((\w+),)", x)
        if took:
            former = took[2] or took[3]
            t.taken_over[took[1]] = [*t.taken_over.pop(former, []), former]
    written = {n for x in lines for pair in re.findall(r"\b(\w+)\.\w+_\(|\b_mark_\((\w+),", x) for n in pair}
    current = {n for some in t.taken_over.values() for n in some}
    assert t.lives is not None
    ended = [(a, n) for a in t.lives.ended(v) if (n := t.names.get(a)) and n not in current]
    groups = [(a, [*t.taken_over.pop(n, []), n]) for a, n in ended]
    names = [x for a, group in groups if group[-1] in written or not spared(t, a, group) for x in group]
    yield from deletions(t, names)


def owned(t: Text, v: Value, node: ast.expr) -> ast.expr:
    """The expression, copied if it is a result that could be a view of an input or of another result: whoever has it may write to it."""
    if v not in t.owned and (not v.shape or v not in t.plan.gradients.values()):
        return node
    called = ast.unparse(node.func).removeprefix("xp.") if isinstance(node, ast.Call) else ""
    picks = called == "einsum" and isinstance(node, ast.Call) and len(node.args) == 2  # a diagonal
    view = isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) or called in _VIEWS or picks
    view = view or isinstance(v.by, Applied)
    return filled(t.target.copies, {"X": node}) if view else node


def comments(t: Text, v: Value) -> Iterator[str]:
    """The equations that the array is computed for, each above the first line that is for it."""
    again = v in t.plan.again
    last = None
    for name, e in t.plan.groups.get(v, ()):
        shape = f"   {dims_text(name.shape, t)}" if name.order else ""
        if name is last:  # the same once more, in other words
            yield from _remark(f"{' ' * len(t.words.text(name))} = {t.words.text(e)}{shape}")
        elif name not in t.said or again:
            t.said.add(name)
            last = name
            yield from _remark(f"{'again: ' if again else ''}{t.words.text(name)} = {t.words.text(e)}{shape}")


def _remark(text: str) -> Iterator[str]:
    """A comment, on several lines where it is long."""
    yield from (
        f"    # {x}"
        for x in wrap(text, _REMARK, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    )


def fitted(t: Text, name: str, node: ast.AST, sign: str = "=") -> Iterator[str]:
    """The line, not indented, parts of it on lines of their own where it would be too long."""
    while len(f"    {name} {sign} {unparsed(node)}") > t.width:
        part = _part(node, t.width - 16)
        if part is None:
            break
        word = t.temporary()
        yield f"{word} = {unparsed(part)}"
        node = _Replace(part, word, t.target.reuses).visit(node)
    if isinstance(node, ast.Subscript) and len(f"    {name} {sign} {unparsed(node)}") > t.width:
        word = t.temporary()
        yield f"{word} = {unparsed(node)}"
        node = ast.Name(word, ast.Load())
    long = len(f"    {name} {sign} {unparsed(node)}") > t.width
    if long and isinstance(node, ast.Call) and not any(k.arg == "out" for k in node.keywords):
        arguments = [unparsed(x) for x in node.args] + [f"{k.arg}={unparsed(k.value)}" for k in node.keywords]
        inside = ", ".join(arguments)
        yield f"{name} {sign} {unparsed(node.func)}("
        yield from [f"    {inside}"] if len(inside) + 8 <= t.width else (f"    {x}," for x in arguments)
        yield ")"
        return
    yield f"{name} {sign} {unparsed(node)}"


def _part(node: ast.AST, width: int) -> ast.expr | None:
    """The longest part that is no longer than this, if one is worth a line."""
    least = _least(node)
    for kinds in ((ast.BinOp, ast.Call), (ast.List,)):
        parts = [x for x in ast.walk(node) if isinstance(x, kinds) and x is not node and least[x] <= width]
        fitting = [(n, k) for k, x in enumerate(parts) if 8 < (n := len(unparsed(x))) <= width]
        if fitting:
            return parts[max(fitting)[1]]
    return None


def _least(node: ast.AST) -> dict[ast.AST, int]:
    """For every part a length that its text has at least: that of its names and of the signs between them."""
    found: dict[ast.AST, int] = {}
    for x in reversed(list(ast.walk(node))):  # children before their parents
        mine = len(x.id) if isinstance(x, ast.Name) else len(x.attr) + 1 if isinstance(x, ast.Attribute) else 0
        mine += 3 if isinstance(x, ast.BinOp) and not isinstance(x.op, ast.Pow) else 0
        found[x] = mine + sum(found[c] for c in ast.iter_child_nodes(x))
    return found


class _Replace(ast.NodeTransformer):
    """Puts a name in the place of every copy of one part; if it may be written to, in that one place."""

    def __init__(self, part: ast.expr, name: str, once: bool) -> None:
        self.part, self.name, self.once = part, name, once

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.part or (not self.once and same(node, self.part)):
            return ast.Name(self.name, ast.Load())
        return self.generic_visit(node)
