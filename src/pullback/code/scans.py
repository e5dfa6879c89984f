"""Loops of JAX, whose arrays cannot be written to: rounds as functions.

A recurrence is a `jax.lax.scan` over the values of the index, whose state is the arrays that a round writes to; where no round needs
another one, all of them are one `jax.vmap`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..algebra.dims import Dim
from ..algebra.expr import Expr, dims_in, postorder
from ..algebra.indexed import steps_of
from .door import words_of
from .frame import Target, Words
from .guards import tupled, unpacked
from .instructions import Chain, Value
from .looped import Looped
from .looping import LoopWriter
from .rows import Rows, is_even
from .schedule import Line, Loop, Statement, family, index_of, read_by

__all__ = ["write_looped"]


def write_looped(p: Looped, words: Words, name: str, *, target: Target) -> str:
    """A module with one function of the given arrays. Raises UnsupportedError U042 to U044."""
    kind = {"assigned": Rows, "functional": Scans}.get(target.rows, LoopWriter) if is_even(p) else LoopWriter
    return kind(p, words, target).module(name)


class Scans(Rows):
    """Rounds as functions of a state, or of one row of every array."""

    apart = True

    def __init__(self, p: Looped, words: Words, target: Target) -> None:
        self.inside: dict[Expr, str] = {}  # the rows that a round of a map is given
        self.found: list[tuple[Line, str]] | None = None  # what a round of a map gives
        self.real: dict[str, str] = {}  # for every letter of a loop the identifier of the index as a real number
        super().__init__(p, words, target)

    def block(self, statements: Sequence[Statement], depth: int) -> Iterator[str]:
        self.t.traced = {*self.reals().values()}
        yield from super().block(statements, depth)
        self.t.traced = {*list(self.reals().values())[:-1]}

    def reals(self) -> dict[str, str]:
        """For every letter of a loop around what is written the index as a real number: powers of whole ones overflow."""
        for r in self.scope:
            if r.letter not in self.real:
                self.real[r.letter] = self.t.fresh(f"real_{self.dim(Dim.symbol(r.letter))}")
        return {r.letter: self.real[r.letter] for r in self.scope}

    def as_numbers(self) -> dict[str, str]:
        return {**self.t.sizes, **self.reals()}

    def is_known(self, v: Value) -> bool:
        """Not what depends on the index of a loop, which JAX traces."""
        letters = {r.letter for r in self.scope}
        inside = postorder(v.by.body) if isinstance(v.by, Chain) else ()
        return letters.isdisjoint(s for e in inside for d in dims_in(e) for s in d.symbols())

    def place(self, v: Expr) -> str:
        return self.inside.get(v) or super().place(v)

    def written(self, word: str, at: str, value: str) -> str:
        return f"    {word} = {word}.at[{at}].set({value})"

    def target_of(self, v: Expr, q: Line, is_end: bool) -> str:
        if q.over is not None and q.over in q.ranges:
            found = self.all_of(q, q.over)
            return found if found in self.whole else ""
        return self.place(q.var) if q.var in self.single and self.found is None else ""

    def is_added(self, q: Line) -> bool:
        return super().is_added(q) and q.var in self.single and self.found is None

    def after(self, q: Line, name: str) -> Iterator[str]:
        f = family(q.var)
        if self.found is not None:
            self.found.append((q, name))
        elif q.over is not None and q.over in q.ranges:
            where = self.slices(q.var, q.over)
            if where not in self.whole:
                yield self.written(self.stores[f], where.partition("[")[2].removesuffix("]"), name)
        elif f in self.stores and f not in self.local:
            at = self.index(self.row(f, index_of(q.var)))
            yield f"    {self.stores[f]} = {self.stores[f]}.at[{at}].{'add' if super().is_added(q) else 'set'}({name})"

    def zeros(self, loop: Loop) -> Iterator[str]:
        for q in loop.lines():
            if q.is_sum and q.adds[0] == loop.range and q.var in self.single and not self.is_map(loop):
                yield f"    {self.place(q.var)} = {self.nothing(q.var.shape)}"

    def repeated(self, loop: Loop, depth: int) -> Iterator[str]:
        indent = "    " * (depth - 1)
        lines = self.mapped(loop, depth) if self.is_map(loop) else self.scanned(loop, depth)
        yield from (x and indent + x for x in lines)

    # ---- recurrences -------------------------------------------------------------------------------------------

    def scanned(self, loop: Loop, depth: int) -> Iterator[str]:
        lines = [q for q in loop.lines() if family(q.var) not in self.local]
        words = list(dict.fromkeys(self.stores.get(family(q.var)) or self.single[q.var] for q in lines))
        if self.may_be_empty(loop.range):  # JAX traces a round though there is none, and there are no rows to read then
            yield f"    if {self.dim(loop.range.last)} >= {self.dim(loop.range.first)}:"
            yield from (x and f"    {x}" for x in self.rounds(loop, words, depth, 1))
        else:
            yield from self.rounds(loop, words, depth, 0)

    def rounds(self, loop: Loop, words: Sequence[str], depth: int, guards: int) -> Iterator[str]:
        """The round as a function of the state, which is these names, and the scan over all of them."""
        step, state = self.t.fresh("step"), self.t.fresh("state")
        yield ""
        yield f"    def {step}({state}, {self.dim(Dim.symbol(loop.range.letter))}):"
        yield from (f"    {x}" for x in unpacked(self.t, words, state))
        body = [x.removeprefix("    " * (depth - 1 + guards)) for x in self.block(loop.body, depth + 1 + guards)]
        real = self.real[loop.range.letter]
        if real in words_of(body):
            yield f"        {real} = 1.0 * {self.dim(Dim.symbol(loop.range.letter))}"
        yield from body
        yield from (f"    {x}" for x in tupled(self.t, f"    {state} = ", words))
        yield f"        return {state}, None"
        yield ""
        yield from tupled(self.t, f"    {state} = ", words)
        how = ", reverse=True" if loop.reverse else ""
        yield f"    {state}, _ = jax.lax.scan({step}, {state}, {self.steps(loop)}{how})"
        yield from unpacked(self.t, words, state)
        self.t.taken -= {step, state}

    def steps(self, loop: Loop) -> str:
        return f"jnp.arange({self.span(loop.range).removeprefix('range(')}"

    # ---- maps --------------------------------------------------------------------------------------------------

    def is_map(self, loop: Loop) -> bool:
        """Whether no round needs another one, and each reads rows alone."""
        letter = loop.range.letter
        if loop.is_recurrence or any(isinstance(s, Loop) for s in loop.body):
            return False
        for q in loop.lines():
            if q.over is not None:  # it has all members of another range
                return False
            if any(letter in d.symbols() for e in postorder(q.value) for d in dims_in(e)):
                return False
            for x in (q.var, *read_by(q.value)):
                along = [d for d in index_of(x) if letter in d.symbols()]
                if len(along) > 1 or any((steps_of(d) or (None, 0))[0] != letter for d in along):
                    return False
        return True

    def rows_of(self, loop: Loop) -> list[Expr]:
        made = {q.var for q in loop.lines()}
        read = dict.fromkeys(x for q in loop.lines() for x in read_by(q.value) if x not in made)
        return [x for x in read if any(loop.range.letter in d.symbols() for d in index_of(x))]

    def mapped(self, loop: Loop, depth: int) -> Iterator[str]:
        taken = set(self.t.taken)
        step = self.t.fresh("each")
        rows = self.rows_of(loop)
        arrays = [self.slices(x, loop.range) for x in rows] or [self.steps(loop)]
        self.inside = {x: self.t.fresh(self.t.words.name(self.t.words.text(x))) for x in rows}
        given = list(self.inside.values()) or [self.dim(Dim.symbol(loop.range.letter))]
        self.found = []
        body = [x.removeprefix("    " * (depth - 1)) for x in self.block(loop.body, depth + 1)]
        found = [(q, n) for q, n in self.found if family(q.var) not in self.local]
        yield ""
        yield from self.t.listed(f"    def {step}(", given, "):")
        yield from body
        if len(found) > 1:
            yield from (f"    {x}" for x in tupled(self.t, "    return ", [n for _, n in found]))
        else:
            yield f"        return {found[0][1]}"
        yield ""
        self.inside, self.found = {}, None
        words = [self.all_of(q, loop.range) if self.fills(q, loop) else self.t.fresh("rows") for q, _ in found]
        if len(words) > 1:
            bundle = self.t.fresh("rows")
            yield from self.t.listed(f"    {bundle} = jax.vmap({step})(", arrays, ")")
            yield from unpacked(self.t, words, bundle)
        else:
            yield from self.t.listed(f"    {words[0]} = jax.vmap({step})(", arrays, ")")
        for (q, _), word in zip(found, words, strict=True):
            if not self.fills(q, loop):
                yield from self.taken_over(q, word, loop)
        self.t.taken &= taken

    def fills(self, q: Line, loop: Loop) -> bool:
        """Whether the rows are a whole array."""
        f = family(q.var)
        return not q.is_sum and f in self.stores and self.slices(q.var, loop.range) == self.stores[f]

    def taken_over(self, q: Line, rows: str, loop: Loop) -> Iterator[str]:
        """The rows that a map gave, where they belong."""
        value = f"jnp.sum({rows}, axis=0)" if q.is_sum else rows
        if q.var in self.single:
            yield f"    {self.single[q.var]} = {value}"
            return
        f = family(q.var)
        index = zip(index_of(q.var), self.boxes[f], strict=True)
        at = [(d, loop.range if loop.range.letter in d.symbols() else None, a) for d, (a, _) in index]
        where = ", ".join(self.stretch(*e) for e in at)
        yield f"    {self.stores[f]} = {self.stores[f]}.at[{where}].{'add' if q.is_sum else 'set'}({value})"
