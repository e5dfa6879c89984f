"""The door of a generated function: arrays checked once, sizes read off them; and what is said of a value that is no number."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import facts_of, is_var
from .frame import Text, dims_text, untold
from .instructions import Given, Value
from .syntax import dim_node, unparsed

__all__ = [
    "also",
    "arrays_in",
    "blamed",
    "check",
    "door",
    "expected",
    "first_use",
    "fitting",
    "is_index",
    "tellable",
    "tells",
    "told",
    "typed",
    "weighed",
    "words_of",
]

_BLAMED = 40  # arrays that are looked through for a NaN; of longer programs only the inputs


def door(t: Text, body: Sequence[str], given: Collection[str] = (), arrays_too: bool = True) -> Iterator[str]:
    """Every argument an array with the right number of axes, every size told by one of them and checked at all others.

    Sizes that are `given` are arguments themselves."""
    arrays = [(t.names[v], v.shape) for v in t.plan.inputs]
    if arrays_too:
        yield from arrays_in(t, t.plan.inputs)
    tell = _tell([shape for _, shape in arrays])
    checks = expected(t, [v for v, tells in zip(t.plan.inputs, tell, strict=True) if not tells])
    checks += fitting(t)
    yield from told(t, arrays, [*checks, *body], given)
    yield from checks
    word = t.target.like[0].partition(" ")[0]
    if word in words_of(body) and not t.target.typed:
        names = weighed(t, t.plan.inputs)
        yield from t.typed_as(names)


def arrays_in(t: Text, inputs: Sequence[Value]) -> Iterator[str]:
    """Every argument an array of numbers with the right number of axes."""
    yield from typed(t)
    for v in inputs:
        name = t.names[v]
        if is_index(v) and any(mark == "_places(" for mark, _, _ in t.target.extras):
            yield f'    {name} = _places("{name}", {name}, {v.order})'
        else:
            yield f'    {name} = _array("{name}", {name}, {v.order}{also(t)})'
    names = weighed(t, inputs)
    if len(names) > 1 and any(mark == "_alike(" for mark, _, _ in t.target.extras):
        whole = f"    {', '.join(names)} = _alike({', '.join(names)})"
        if len(whole) <= t.width:
            yield whole
        else:
            yield from t.listed("    alike = _alike(", names, ")")
            yield from t.listed("    (", names, ") = alike")


def is_index(v: Value) -> bool:
    """Whether it names places."""
    return v.about is not None and "index" in facts_of(v.about)


def weighed(t: Text, inputs: Sequence[Value]) -> list[str]:
    """The names of what is computed with: of which type that is, an index does not tell."""
    return [t.names[v] for v in inputs if not is_index(v)] or [t.names[v] for v in inputs]


def typed(t: Text) -> Iterator[str]:
    """The type of all arguments, where that must be known before they are arrays."""
    if t.target.typed:
        names = weighed(t, t.plan.inputs)
        yield from t.listed("    dtype = _dtype(", [f"{n}={n}" for n in names], ")")


def also(t: Text) -> str:
    """What `_array` is told besides."""
    return ", dtype" if t.target.typed else ""


def words_of(lines: Sequence[str]) -> set[str]:
    """The identifiers in these lines of code."""
    code = "\n".join(x for x in lines if not x.lstrip().startswith("#"))
    return set(re.findall(r"\w+", re.sub(r'(?<!f)"[^"\n]*"', "", code)))


def told(
    t: Text, arrays: Sequence[tuple[str, Shape]], body: Sequence[str], given: Collection[str] = ()
) -> Iterator[str]:
    """Lines that read the sizes off the arrays, those that the body needs. Raises UnsupportedError U044."""
    known = set(given)
    used = words_of(body)
    derived = {s for _, shape in arrays for d in shape if d.name is None for s in d.symbols()}
    used |= {t.here(s) for s in derived}
    for (name, shape), tells in zip(arrays, _tell([shape for _, shape in arrays]), strict=True):
        if tells:
            known.update(s for d in shape for s in d.symbols())
            names = [w if (w := t.here(d.name or "")) in used else "_" for d in shape]
            if set(names) != {"_"}:
                yield f"    {', '.join(names) if len(names) > 1 else f'({names[0]},)'} = {name}.shape"
            continue
        for axis, d in enumerate(shape):
            if d.name is not None and d.name not in known:
                known.add(d.name)
                if t.here(d.name) in used:
                    yield f"    {t.here(d.name)} = {name}.shape[{axis}]"
    yield from _solved(t, arrays, known)
    for symbol in t.sizes:
        if t.here(symbol) in used and symbol not in known:
            raise untold(symbol)


def expected(t: Text, inputs: Sequence[Value], more: str = "") -> list[str]:
    """The lines that check the shapes of inputs, each with the first equation that it stands in."""
    uses = first_use(t)
    return [check(t, f'"{t.names[v]}"', t.names[v], v.shape, uses.get(v.about) if v.about is not None else None,
                  ", None" if more == ", dtype" and is_index(v) else more) for v in inputs if v.shape]  # fmt: skip


def fitting(t: Text) -> list[str]:
    """The lines that refuse sizes at which an op of the equations is not defined, as one whose window lies not within its axis."""
    found: dict[str, str] = {}
    values = [q[1] for group in t.plan.groups.values() for q in group if not is_var(q[0], "grad")]
    for e in postorder(*values) if not t.blocks else ():
        for x in (e, *(a for m in e.op.meaning(e) or () for a in m.extra)):
            for whole, end in x.op.span(x) if x.op.span is not None else ():
                if not whole.at_least(end):
                    few, many = (unparsed(dim_node(d, t.size)) for d in (end, whole))
                    text = f"{e.op.name} needs {end} ≤ {whole}"
                    found[f"    if {few} > {many}:"] = f'        raise ValueError("{text}")'
    return [line for pair in found.items() for line in pair]


def first_use(t: Text) -> dict[Expr, tuple[Expr, Expr]]:
    """For every expression the first equation (name, value) that it stands in, one of the forward pass if there is one."""
    first: dict[Expr, tuple[Expr, Expr]] = {}
    for q in sorted((q for group in t.plan.groups.values() for q in group), key=lambda q: is_var(q[0], "grad")):
        for x in postorder(q[1]):
            first.setdefault(x, q)
    return first


def check(t: Text, label: str, word: str, shape: Shape, equation: tuple[Expr, Expr] | None, more: str = "") -> str:
    """The line that checks the shape of the array `word`, which is called `label` in the message."""
    where = (
        []
        if equation is None
        else [f"{t.words.text(equation[0])} = {t.words.text(equation[1])}", t.words.text(equation[0])]
    )
    line = ""
    for text in (*where, "the equations"):
        line = f'    _expect({label}, {word}, {dims_text(shape, t)}, "{text}"{more})'
        if len(line) <= t.width and '"' not in text and "\\" not in text:
            break
    return line


def blamed(t: Text, seen: Sequence[Value]) -> Iterator[str]:
    """Where the value is no number: which of these arrays is the first that has such an entry."""
    p = t.plan
    if not t.target.blames or p.value.shape or p.value not in t.names:
        return
    if len(seen) > _BLAMED:
        seen = [v for v in seen if isinstance(v.by, Given) or v is p.value]
    seen = [v for v in seen if not is_index(v)]  # what names places, has named them
    yield f"    if {t.target.blames.replace('$X', t.names[p.value])}:"
    yield from t.listed("        _blame(", [f"{t.names[v]}={t.names[v]}" for v in seen], ")")


def tellable(dims: Sequence[Dim]) -> set[str]:
    """The symbols that these sizes tell, one after the other."""
    known: set[str] = set()
    changed = True
    while changed:
        changed = False
        for d in dims:
            unknown = d.symbols() - known
            if len(unknown) == 1 and tells(d, *unknown):
                known |= unknown
                changed = True
    return known


def tells(d: Dim, symbol: str) -> bool:
    """Whether the symbol stands in one term, once."""
    with_it = [m for m, _ in d.terms if symbol in m]
    return len(with_it) == 1 and with_it[0].count(symbol) == 1


def _tell(shapes: Sequence[Shape]) -> list[bool]:
    """For every shape whether all its sizes are read off it, so that there is nothing to check."""
    seen: set[str | None] = {None}
    found = []
    for shape in shapes:
        names = {d.name for d in shape}
        found.append(bool(shape) and not names & seen and len(names) == len(shape))
        seen |= names
    return found


def _solved(t: Text, arrays: Sequence[tuple[str, Shape]], told: set[str]) -> Iterator[str]:
    """Sizes that stand in an axis of size n + 1 or h*d only."""
    axes = [(name, k, d) for name, shape in arrays for k, d in enumerate(shape)]
    changed = True
    while changed:
        changed = False
        for name, k, d in axes:
            unknown = sorted(d.symbols() - told)
            rest = [(m, c) for m, c in d.terms if not unknown or unknown[0] not in m]
            with_it = [(m, c) for m, c in d.terms if unknown and unknown[0] in m]
            if len(unknown) != 1 or len(with_it) != 1 or with_it[0][0].count(unknown[0]) != 1:
                continue
            ((m, c),) = with_it
            others = list(m)
            others.remove(unknown[0])
            factor, offset = Dim({tuple(others): c}), Dim(dict(rest))
            text = f"{name}.shape[{k}]"
            if offset.constant is not None and offset.constant < 0:
                text = f"({text} + {-offset.constant})"
            elif offset.terms:
                text = f"({text} - ({unparsed(dim_node(offset, t.size))}))"
            text = text if factor.constant == 1 else f"{text} // ({unparsed(dim_node(factor, t.size))})"
            told.add(unknown[0])
            changed = True
            yield f"    {t.sizes[unknown[0]]} = {unparsed(ast.parse(text, mode='eval').body)}"
