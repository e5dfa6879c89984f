"""The text of a function with loops: a program with an index, its loops as loops.

Computed members of a family are in a dictionary by their index, so that `h[t - 1]` is written as in the equations; a family that is
given, or asked for, is one array with the index in front where all members have one shape, else a list. rows.py: where all members
have one shape and the target can, what is computed is in one array too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr
from ..algebra.indexed import family_of, ref
from ..algebra.ops.free import var
from ..algebra.ranges import Order, Range
from ..calculus.loops import box_of
from .door import is_index
from .entrance import entrance
from .frame import called, dims_text
from .instructions import Applied
from .looped import Members
from .places import Places
from .plan import arranged
from .schedule import Family, Line, Loop, Statement, family, index_of, meets, read_by
from .syntax import call, dim_node, unparsed
from .writer import line, module, some

__all__ = ["LoopWriter"]


class LoopWriter(Places):
    """Members in dictionaries, loops of Python."""

    def module(self, name: str) -> str:
        t = self.t
        body = list(self.block(self.forward, 1))
        if self.backward:
            body += ["", "    # backward", *self.block(self.backward, 1)]
        body = [*self.begun(), *body]
        body += self.blamed()
        body += self.returned()
        ends, first = entrance(self.p, t, self.letters, body)
        functions = list(dict.fromkeys(f for f, _ in self.functions.values()))
        arguments = [*(t.names[v] for v in t.plan.inputs), *(["*", *ends, *functions] if ends or functions else [])]
        head = [*t.target.decorators, *t.listed(f"def {name}(", arguments, "):"), *self.described(ends)]
        families = [f for f, what in self.functions.values() if _is_family(what)]
        return module(
            t.target, [*head, *(f'    {f} = _ByIndex("{f}", {f})' for f in dict.fromkeys(families)), *first, *body]
        )

    def blamed(self) -> Iterator[str]:
        """Where the value is no number: which of what is given is the first that has such an entry."""
        goal = self.place(self.p.target)
        if not self.t.target.blames or self.p.target.order or not goal.isidentifier():
            return
        parts = []
        for v, m in zip(self.t.plan.inputs, self.p.inputs, strict=True):
            word = self.t.names[v]
            if is_index(v):
                continue
            if m.is_ragged:
                index = ",".join("{" + self.dim(d) + "}" for d in index_of(m.var))
                loops = " ".join(f"for {self.dim(Dim.symbol(r.letter))} in {self.span(r)}" for r in m.ranges)
                parts.append(f'**{{f"{family(m.var)[0]}[{index}]": {self.member(word, m, index_of(m.var))} {loops}}}')
            else:
                parts.append(f"{word}={word}")
        yield f"    if {self.t.target.blames.replace('$X', goal)}:"
        yield from self.t.listed("        _blame(", [*parts, f"{goal}={goal}"], ")")

    def described(self, ends: Sequence[str]) -> Iterator[str]:
        yield f'    """The value, and {{name: gradient}} for {some(self.p.results)}.'
        yield ""
        for v, m in zip(self.t.plan.inputs, self.p.inputs, strict=True):
            word = self.t.names[v]
            which = ", ".join(
                f"{self.dim(Dim.symbol(r.letter))} = {self.dim(r.first)}..{self.dim(r.last)}" for r in m.ranges
            )
            shape = dims_text(m.var.shape, self.t)
            if m.is_ragged:
                yield f"    {word}: a list of arrays of shape {shape} for {which}"
            else:
                shape = f"shape {dims_text(v.shape, self.t)}" if v.shape else "a number"
                yield f"    {word}: {shape}{', for ' + which if which else ''}"
        yield from (f"    {e}: a whole number" for e in ends)
        for word, what in self.functions.values():
            yield f"    {word}: {what}" + (": one function, or a dict by the index" if _is_family(what) else "")
        yield '    """'

    def begun(self) -> Iterator[str]:
        """Where members will be, with those that are given."""
        for f, word in self.stores.items():
            if f[1] != "size" and f not in self.local:
                yield from self.opened(f, word, [m for m in self.p.inputs if family(m.var) == f])

    def opened(self, f: Family, word: str, given: Sequence[Members]) -> Iterator[str]:
        pairs = [f"{self.key(m)}: {self.single[m.var]}" for m in given if not m.ranges]
        yield from self.t.listed(f"    {word} = {{", pairs, "}")
        for m in given:
            if m.ranges:
                loops = " ".join(f"for {self.dim(Dim.symbol(r.letter))} in {self.span(r)}" for r in m.ranges)
                item = self.member(self.single[m.var], m, index_of(m.var))
                yield f"    {word}.update({{{self.key(m)}: {item} {loops}}})"

    def key(self, m: Members) -> str:
        index = index_of(m.var)
        return self.index(index) if len(index) == 1 else f"({self.index(index)})"

    def span(self, r: Range, reverse: bool = False) -> str:
        one = Dim.number(1)
        if reverse:
            return f"range({self.dim(r.last)}, {self.dim(r.first - one)}, -1)"
        first = "" if r.first.constant == 0 else f"{self.dim(r.first)}, "
        return f"range({first}{self.dim(r.last + one)})"

    def block(self, statements: Sequence[Statement], depth: int) -> Iterator[str]:
        """The statements, every line as far to the right as `depth` says."""
        indent = "    " * (depth - 1)
        waiting: list[Line] = []
        for s in [*statements, None]:
            if isinstance(s, Line):
                waiting.append(s)
                continue
            if waiting:
                yield from (indent + x for x in self.run(waiting, depth))
                waiting = []
            if isinstance(s, Loop):
                yield from (indent + x for x in self.zeros(s))
                self.scope.append(s.range)
                yield from self.repeated(s, depth)
                self.scope.pop()

    def repeated(self, loop: Loop, depth: int) -> Iterator[str]:
        letter = self.dim(Dim.symbol(loop.range.letter))
        yield f"{'    ' * depth}for {letter} in {self.span(loop.range, loop.reverse)}:"
        yield from self.block(loop.body, depth + 1)

    def zeros(self, loop: Loop) -> Iterator[str]:
        """What is added up in the loop, before its first round."""
        for q in loop.lines():
            if q.is_sum and q.adds[0] == loop.range:
                yield f"    {self.place(q.var)} = {self.nothing(q.var.shape)}"

    def nothing(self, shape: Shape) -> str:
        dims = ast.Tuple([dim_node(d, self.t.size) for d in shape], ast.Load())
        node = call("zeros", dims) if shape else ast.Constant(0)
        return unparsed(self.t.target.spelling.applied(node, self.t.numbers()))

    def run(self, lines: Sequence[Line], depth: int) -> Iterator[str]:
        """Lines without a loop between them, as one plan."""
        taken = set(self.t.taken)
        parts: dict[Expr, Line] = {}  # what the plan computes -> the line that it is for
        values: list[Expr] = []
        at: dict[Expr, str] = {}
        for n, q in enumerate(lines):
            v = self.made(q, n)
            value, arrays = self.value(q)
            parts[v] = q
            values.append(value)
            at |= {a: self.slices(x, q.over) for a, x in arrays.items() if q.over}
        at |= {x: self.place(x) for e in values for x in read_by(e) if x not in parts and x not in at}
        ends = [v for v, q in parts.items() if family(q.var) not in self.local]
        if not ends:
            return
        plan = arranged([(v, e, q.ours, False) for (v, q), e in zip(parts.items(), values, strict=True)], list(at), ends[-1],
                        {str(n): v for n, v in enumerate(ends)})  # fmt: skip
        plan.gradients = {n: v for n, v in plan.gradients.items() if v.about is not None and self.is_copied(v.about)}
        said = {v: (q.var, q.whole or q.value) for v, q in parts.items()}
        plan.groups = {v: tuple(said[x] for x, _ in group) for v, group in plan.groups.items()}
        added = {v for v in plan.values if v.about in parts and self.is_added(parts[v.about])}
        # where others read the term, it has a name of its own: that of the sum has another value
        apart = {v.about for v in added if plan.uses.get(v)}
        places = {v: p for v, q in parts.items() if (p := self.target_of(v, q, v in ends))}
        t = replace(self.t, plan=plan, sizes=self.as_numbers(), names={v: at[v.about] for v in plan.inputs if v.about is not None}, inline={},
                    static=self.static(plan), kept=set(), deeper=self.deeper(depth),
                    places={v: p for v, p in places.items() if v not in apart},
                    functions={v.by.node: self.function(v.by.node) for v in plan.values if isinstance(v.by, Applied)},
                    added={v for v in added if v.about not in apart})  # fmt: skip
        for made in plan.lines:
            yield from line(t, made)
            if made.about is not None and made.about in apart:
                yield f"    {places[made.about]} += {t.names[made]}"
            if made.about in parts:
                yield from self.after(parts[made.about], t.names[made])
        self.t.temporaries = t.temporaries
        self.t.taken &= taken

    def as_numbers(self) -> dict[str, str]:
        """How sizes and indices are written as numbers."""
        return self.t.sizes

    def made(self, q: Line, n: int) -> Expr:
        """The name of what the n-th line of a run computes."""
        return var(f"term{n + 1}", q.var.shape) if q.adds else q.var

    def value(self, q: Line) -> tuple[Expr, Mapping[Expr, Expr]]:
        """What the line computes, and which arrays of members stand in it."""
        return q.value, {}

    def slices(self, x: Expr, r: Range) -> str:
        """All members of the range as one array."""
        raise NotImplementedError

    def deeper(self, depth: int) -> int:
        return 4 * (depth - 1)

    def target_of(self, v: Expr, q: Line, is_end: bool) -> str:
        """Where the value goes; "" for a name that is used in this run alone."""
        return self.place(q.var) if q.adds or not q.ours or is_end else ""

    def is_added(self, q: Line) -> bool:
        return q.is_sum

    def after(self, q: Line, name: str) -> Iterator[str]:
        """Lines that follow the one that computes `name`."""
        yield from ()

    def is_copied(self, v: Expr) -> bool:
        """Whether the array must be one of its own."""
        return self.is_asked(v)

    def is_asked(self, v: Expr) -> bool:
        """Whether the name is a result, or may be a member of one."""
        box = box_of(index_of(v), self.scope)
        return any(family(m.var) == family(v) and meets(m.box, box, Order()) for m in self.p.results.values())

    def function(self, e: Expr) -> str:
        name = str(e.attrs[0])
        word, _ = self.functions[called(e, self.t.words, family_of(name))]
        found = ref(name)
        return f"{word}[{self.index(found.index)}]" if found else word

    def may_be_empty(self, r: Range) -> bool:
        """Whether the sizes that the door lets in leave no value for the letter."""
        terms = (r.last - r.first).terms
        least = sum(c * (self.p.order.least.get(m[0], 0) if m else 1) for m, c in terms)
        return least < 0 or any(c < 0 for m, c in terms if m)

    def returned(self) -> Iterator[str]:
        results = []
        for n, m in self.p.results.items():
            text = self.gathered(m)
            if self.is_stacked(m) and any(map(self.may_be_empty, m.ranges)):  # of no arrays there is no stack
                where = " and ".join(f"{self.dim(r.last)} >= {self.dim(r.first)}" for r in m.ranges)
                word = self.t.fresh("rows")
                yield from (f"    if {where}:", f"        {word} = {text}", "    else:")
                yield f"        {word} = {self.nothing((*m.counts, *m.var.shape))}"
                text = word
            start = f'"{n}": '
            rows = _laid_out(ast.parse(text, mode="eval").body, self.t.width - 8, len(start) + len(","))
            results.append(start + "\n".join(rows))
        varies = any(q.var is self.p.target and any(read_by(q.value)) for q in self.p.forward)
        value = self.place(self.p.target) if varies else self.number(self.p.target)
        yield from self.t.listed(f"    return {value}, {{", results, "}")

    def number(self, v: Expr) -> str:
        """How the name is written as a result: a number is a tensor then, where only tensors have a type."""
        text = self.place(v)
        return self.t.target.spelling.number.replace("$0", text) if self.t.target.typed and not v.shape else text

    def is_stacked(self, m: Members) -> bool:
        """Whether the result is put together of its members."""
        return bool(m.ranges) and not m.is_ragged

    def gathered(self, m: Members) -> str:
        text = self.number(m.var)
        for r in reversed(m.ranges):
            text = f"[{text} for {self.dim(Dim.symbol(r.letter))} in {self.span(r)}]"
            if not m.is_ragged:
                text = unparsed(self.t.target.spelling.applied(call("stack", ast.parse(text, mode="eval").body)))
        return text


def _is_family(what: str) -> bool:
    """Whether the call is one of a function with an index."""
    return "[" in what.partition("(")[0]


def _laid_out(node: ast.expr, width: int, before: int = 0) -> list[str]:
    """The lines of a stack of members as ruff format has them, what stands `before` the first line on it."""
    text = unparsed(node)
    if before + len(text) <= width:
        return [text]
    if isinstance(node, ast.Call) and len(node.args) == 1:
        return [f"{unparsed(node.func)}(", *(f"    {x}" for x in _laid_out(node.args[0], width - 4)), ")"]
    if isinstance(node, ast.ListComp):
        loops = [f"for {unparsed(g.target)} in {unparsed(g.iter)}" for g in node.generators]
        return ["[", *(f"    {x}" for x in [*_laid_out(node.elt, width - 4), *loops]), "]"]
    return [text]
