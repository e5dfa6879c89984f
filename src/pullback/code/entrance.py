"""The door of a function with loops: how many members there are, which sizes they have, and whether all of it fits."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.indexed import ref
from ..algebra.ops.free import is_name
from .door import also, check, door, first_use, tellable, tells, typed, words_of
from .frame import Text
from .instructions import Value
from .looped import Looped, Members
from .schedule import family
from .syntax import dim_node, unparsed

__all__ = ["entrance"]


def entrance(p: Looped, t: Text, letters: Collection[str], body: Sequence[str]) -> tuple[list[str], list[str]]:
    """The ends that are arguments, since no array tells them; and the lines before the body. Raises UnsupportedError U044."""
    known = _tellable(p)
    ends = [s for s in t.sizes if s not in known and s not in letters and "[" not in s]
    plain = {s: w for s, w in t.sizes.items() if s not in letters and "[" not in s}
    checks = [
        x
        for w, n in ((t.sizes[s], n) for s, n in p.order.least.items() if s in plain and n > 0)
        for x in (f"    if {w} < {n}:", f'        raise ValueError(f"{w} is {{{w}}}, not at least {n}")')
    ]
    whole = [f'    {t.sizes[e]} = _end("{e}", {t.sizes[e]})' for e in ends]
    body = [*checks, *body]
    if any(m.is_ragged or any("[" in s for d in m.var.shape for s in d.symbols()) for m in p.inputs):
        lines = list(_ragged(p, t, plain, set(ends), body))
    else:
        lines = list(door(replace(t, sizes=plain), body, ends))
    like = not t.target.typed and any(x.strip().startswith(("dtype =", "like =")) for x in lines[-1:])
    where = len(lines) - like
    return [t.sizes[e] for e in ends], [*whole, *lines[:where], *checks, *lines[where:]]


def _dims(p: Looped) -> Iterator[Dim]:
    for m in p.inputs:
        yield from (*m.counts, *m.var.shape)


def _tellable(p: Looped) -> set[str]:
    """The symbols that the numbers of members and the shapes tell."""
    return tellable([d for d in _dims(p) if all("[" not in s for s in d.symbols())])


def _ragged(p: Looped, t: Text, plain: dict[str, str], known: set[str], body: Sequence[str]) -> Iterator[str]:
    """Arrays one by one, whose sizes differ from member to member."""
    one = {id(m): t.names[v] for v, m in zip(t.plan.inputs, p.inputs, strict=True)}
    more = also(t)
    yield from typed(t)
    for v, m in zip(t.plan.inputs, p.inputs, strict=True):
        word, order = one[id(m)], m.var.order
        if not m.is_ragged:
            yield f'    {word} = _array("{m.name}", {word}, {len(v.shape)}{more})'
        elif len(m.ranges) == 1:
            start = m.ranges[0].first.constant or 0  # where counting begins at a symbol, that is not known yet
            yield f'    {word} = [_array(f"{m.name}[{{i}}]", x, {order}{more}) for i, x in enumerate({word}, {start})]'
        else:
            yield f'    {word} = [[_array("{m.name}", x, {order}{more}) for x in row] for row in {word}]'
    if any(mark == "_alike(" for mark, _, _ in t.target.extras):
        every = [one[id(m)] for m in p.inputs]
        yield f"    {', '.join(every) if len(every) > 1 else f'({every[0]},)'} = _alike_lists({', '.join(every)})"
    facts = [(text, d) for m in p.inputs for text, d in _facts(m, one[id(m)])]
    telling: set[str] = set()
    changed = True
    while changed:
        changed = False
        for text, d in facts:
            unknown = d.symbols() - known
            if len(unknown) == 1 and tells(d, *unknown):
                [s] = unknown
                known.add(s)
                telling.add(text)
                changed = True
                yield f"    {plain[s]} = {_solved(t, d, s, text)}"
    names = dict.fromkeys(r.family for m in p.inputs for d in m.var.shape for s in d.symbols() if (r := ref(s)))
    yield from (f"    {t.sizes[_any(t, n)].partition('[')[0]} = {{}}" for n in names)
    uses = first_use(t)
    for v, m in zip(t.plan.inputs, p.inputs, strict=True):
        yield from _checked(t, v, m, one[id(m)], telling, uses)
    word = t.target.like[0].partition(" ")[0]
    if word in words_of(body) and not t.target.typed:
        arrays = [
            f"*{one[id(m)]}"
            if m.is_ragged and len(m.ranges) == 1
            else f"{one[id(m)]}[0][0]"
            if m.is_ragged
            else one[id(m)]
            for m in p.inputs
        ]
        first = one[id(p.inputs[0])] + "[0]" * (len(p.inputs[0].ranges) if p.inputs[0].is_ragged else 0)
        yield from t.typed_as(arrays, first)


def _any(t: Text, name: str) -> str:
    """A symbol of this family of sizes."""
    return next(s for s in t.sizes if (r := ref(s)) and r.family == name)


def _facts(m: Members, word: str) -> Iterator[tuple[str, Dim]]:
    """What is known of the sizes without an index, and how it is asked for."""
    if m.is_ragged:
        yield from ((f"len({word}{'[0]' * k})", d) for k, d in enumerate(m.counts))
        word, shape = word + "[0]" * len(m.ranges), m.var.shape
    else:
        shape = (*m.counts, *m.var.shape)
    yield from ((f"{word}.shape[{k}]", d) for k, d in enumerate(shape) if all("[" not in s for s in d.symbols()))


def _solved(t: Text, d: Dim, symbol: str, text: str) -> str:
    """The symbol, the size being `text`."""
    [(others, factor)] = [(m, c) for m, c in d.terms if symbol in m]
    rest = list(others)
    rest.remove(symbol)
    by, offset = Dim({tuple(rest): factor}), Dim({m: c for m, c in d.terms if symbol not in m})
    if offset.terms:
        number = offset.constant
        text = (
            f"{text} + {-number}"
            if number is not None and number < 0
            else f"{text} - ({unparsed(dim_node(offset, t.size))})"
        )
    if by.constant != 1:
        text = f"({text}) // ({unparsed(dim_node(by, t.size))})"
    return unparsed(ast.parse(text, mode="eval").body)


def _checked(
    t: Text, v: Value, m: Members, word: str, telling: Collection[str], uses: dict[Expr, tuple[Expr, Expr]]
) -> Iterator[str]:
    """The lines that tell the sizes with an index, and those that check all of them."""
    if m.is_ragged:
        for k, d in enumerate(m.counts):
            text = f"len({word}{'[0]' * k})"
            if text not in telling:
                count = unparsed(dim_node(d, t.size))
                yield f"    if {text} != {count}:"
                yield f'        raise ValueError(f"{m.name} has {{{text}}} members, not {{{count}}}")'
    depth = 1
    item, label = word, f'"{m.name}"'
    shape = v.shape
    if m.is_ragged:
        shape = m.var.shape
        for r in m.ranges:
            letter = t.size(r.letter)
            first, last = (unparsed(dim_node(d, t.size)) for d in (r.first, r.last + Dim.number(1)))
            yield f"{'    ' * depth}for {letter} in range({first}, {last}):"
            item += f"[{unparsed(dim_node(Dim.symbol(r.letter) - r.first, t.size))}]"
            depth += 1
        index = ", ".join("{" + unparsed(dim_node(d, t.size)) + "}" for d in ref(str(m.var.attrs[0])).index)  # type: ignore[union-attr]
        label = f'f"{str(m.var.attrs[0]).partition("[")[0]}[{index}]"'
    for k, d in enumerate(shape):
        if d.name is not None and ref(d.name) is not None:
            store, _, at = t.size(str(d.name)).partition("[")
            yield f"{'    ' * depth}{store}.setdefault({at.removesuffix(']')}, {item}.shape[{k}])"
    if shape:
        found = uses.get(m.var) or next((q for x, q in uses.items() if is_name(x) and family(x) == family(m.var)), None)
        more = check(replace(t, deeper=t.deeper + 4 * (depth - 1)), label, item, shape, found)
        yield "    " * (depth - 1) + more
