"""Where the members of a program with an index are kept: in a dictionary by their index, in one array, under a name of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..algebra.dims import Dim
from ..algebra.expr import Expr, dims_in, postorder
from ..algebra.indexed import family_of, ref
from ..algebra.ops.free import is_free_function, is_free_map, var
from ..algebra.ranges import Range
from .frame import Target, Text, Words, called
from .instructions import Chain, Given, Value
from .looped import Looped, Members
from .plan import Plan
from .schedule import Family, Line, Loop, Statement, family, index_of, lines_of, read_by, scheduled
from .syntax import dim_node, unparsed

__all__ = ["Places"]


class Places:
    """The lines of a program with an index, and where everything that they name is: members in dictionaries."""

    apart = False  # whether what is no recurrence has loops of its own

    def __init__(self, p: Looped, words: Words, target: Target) -> None:
        self.p = p
        # what one line writes, another round may read: no line takes over the memory of another one
        target = replace(target, fuses=False, reuses=False)
        self.forward, self.backward = (
            scheduled(self.prepared(some), p.order, self.apart) for some in (p.forward, p.backward)
        )
        self.lines = [*lines_of(self.forward), *lines_of(self.backward)]
        inputs = [_stacked(m) for m in p.inputs]
        goal = Value(p.target.shape, Given(p.target))
        said = {goal: tuple((q.var, q.whole or q.value) for q in (*p.forward, *p.backward))}
        self.t = Text(Plan(inputs, 0, goal, {}, inputs, groups=said), target, words)
        self.stores: dict[Family, str] = {}  # where the members of a family are
        self.single: dict[Expr, str] = {}  # the identifier of a name
        self.many: dict[Family, Members] = {}  # families that are one argument
        self.scope: list[Range] = []  # the loops around what is being written
        self.functions: dict[str, tuple[str, str]] = {}  # (identifier, what it is), by name
        self.runs = {
            id(q): number for number, run in enumerate([*_runs(self.forward), *_runs(self.backward)]) for q in run
        }
        for v, m in zip(inputs, p.inputs, strict=True):
            self.t.names[v] = self.single[m.var] = self.t.fresh(_word(words, m.name))
        for s in self.symbols():
            if "[" not in s:
                self.t.sizes[s] = self.t.fresh(words.name(s))
        self.letters = {r.letter for r in self.all_ranges()}
        self.functions_of()
        self.local = self.locals()
        self.counted = self.numbers_of()
        self.name_members()
        for s in self.symbols():
            if "[" in s:
                found = ref(s)
                assert found is not None
                f = (found.family, "size")
                if f not in self.stores:
                    self.stores[f] = self.t.fresh(words.name(found.family))
                self.t.sizes[s] = f"{self.stores[f]}[{self.index(found.index)}]"
        self.t.names[goal] = self.place(p.target)

    def prepared(self, lines: Sequence[Line]) -> list[Line]:
        """The lines as they are to be scheduled."""
        return list(lines)

    def all_ranges(self) -> Iterator[Range]:
        stack: list[Statement] = [*self.forward, *self.backward]
        while stack:
            s = stack.pop()
            if isinstance(s, Loop):
                yield s.range
                stack += s.body
            else:
                yield from s.adds
        for m in (*self.p.inputs, *self.p.results.values()):
            yield from m.ranges

    def symbols(self) -> list[str]:
        """Every symbol of a size, an end or an index, once."""
        every = (*self.p.inputs, *self.p.results.values())
        dims = [d for q in self.lines for e in (q.var, *postorder(q.value)) for d in dims_in(e)]
        dims += [d for m in every for d in (*m.counts, *m.var.shape)]
        dims += [d for r in self.all_ranges() for d in (Dim.symbol(r.letter), r.first, r.last)]
        dims += [d for q in self.lines for x in (q.var, *read_by(q.value)) for d in index_of(x)]
        return list(dict.fromkeys(s for d in dims for s in sorted(d.symbols())))

    # ---- names -------------------------------------------------------------------------------------------------

    def functions_of(self) -> None:
        for q in self.lines:
            for e in postorder(q.value):
                if is_free_map(e) or is_free_function(e):
                    word = called(e, self.t.words, family_of(e.attrs[0]))
                    if word not in self.functions:
                        self.functions[word] = (self.t.fresh(word), self.t.words.text(e))

    def locals(self) -> set[Family]:
        """The families of which every member is used only where it is made."""
        made: dict[Family, list[Line]] = {}
        for q in self.lines:
            made.setdefault(family(q.var), []).append(q)
        kept = {family(m.var) for m in self.p.results.values()} | {family(self.p.target)}
        for q in self.lines:
            for x in read_by(q.value):
                here = any(o.var is x and self.runs[id(o)] == self.runs[id(q)] for o in made.get(family(x), ()))
                if not here or q.over is not None:
                    kept.add(family(x))
        return {f for f, lines in made.items() if f not in kept and not any(q.adds or q.over for q in lines)}

    def name_members(self) -> None:
        made = {family(q.var) for q in self.lines if index_of(q.var)}
        read = {family(x) for q in self.lines for x in read_by(q.value) if any(d.symbols() for d in index_of(x))}
        for m in self.p.inputs:
            f = family(m.var)
            if m.ranges and f not in made:
                self.many[f] = m
            elif index_of(m.var) and (f in made or f in read):
                self.store(f)
        for q in self.lines:
            f = family(q.var)
            if index_of(q.var):
                self.store(f)
            elif q.var not in self.single:
                self.single[q.var] = self.t.fresh(self.t.words.name(self.t.words.text(q.var)))

    def store(self, f: Family) -> None:
        if f not in self.stores:
            stem = var(f[0], (), f[1])
            self.stores[f] = self.t.fresh(self.t.words.name(self.t.words.text(stem)))

    def place(self, v: Expr) -> str:
        """How the name is written in code."""
        f = family(v)
        if f in self.local and index_of(v):
            return self.stores[f]
        if f in self.stores:
            return f"{self.stores[f]}[{self.index(index_of(v))}]"
        if f in self.many:
            m = self.many[f]
            return self.member(self.single[m.var], m, index_of(v))
        return self.single[v]

    def member(self, word: str, m: Members, index: Sequence[Dim]) -> str:
        """A member of what is given as one argument, where counting begins at 0."""
        firsts = [a for a, b in m.box if a != b]
        some = [self.dim(d - a) for d, (a, b) in zip(index, m.box, strict=True) if a != b]
        assert len(firsts) == len(some)
        return f"{word}[{']['.join(some)}]" if m.is_ragged else f"{word}[{', '.join(some)}]"

    def index(self, index: Sequence[Dim]) -> str:
        return ", ".join(map(self.dim, index))

    def dim(self, d: Dim) -> str:
        return unparsed(dim_node(d, self.t.size))

    # ---- numbers of Python -------------------------------------------------------------------------------------

    def numbers_of(self) -> set[Family]:
        """The families of which every member is made of sizes and indices alone."""
        found = {family(q.var) for q in self.lines if not q.var.order} - {family(m.var) for m in self.p.inputs}
        while True:
            other = {family(q.var) for q in self.lines if any(family(x) not in found for x in read_by(q.value))}
            if found.isdisjoint(other):
                return found
            found -= other

    def static(self, plan: Plan) -> set[Value]:
        """What of the plan is a number of Python."""
        found: set[Value] = set()
        for v in plan.values:
            if v.about is not None and self.is_row(v.about):
                continue
            if isinstance(v.by, Given):
                known = v.about is not None and family(v.about) in self.counted
            else:
                known = isinstance(v.by, Chain) and not v.shape and all(o.value in found for _, o in v.by.operands)
            if known and self.is_known(v):
                found.add(v)
        return found

    def is_row(self, v: Expr) -> bool:
        """Whether the name is a part of an array."""
        return False

    def is_known(self, v: Value) -> bool:
        """Whether the indices in it are numbers of Python."""
        return True


def _stacked(m: Members) -> Value:
    value = Value((*m.counts, *m.var.shape), Given(m.var))
    value.name, value.about = m.name, m.var
    return value


def _word(words: Words, name: str) -> str:
    """h_0 for h[0]."""
    return re.sub(r"\W+", "_", words.name(name.replace("−", "-"))).strip("_")


def _runs(statements: Sequence[Statement]) -> Iterator[list[Line]]:
    run: list[Line] = []
    for s in statements:
        if isinstance(s, Line):
            run.append(s)
            continue
        if run:
            yield run
            run = []
        yield from _runs(s.body)
    if run:
        yield run
