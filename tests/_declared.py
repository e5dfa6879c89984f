"""Random programs over every op of the registry, drawn by declaration: no op is named here.

A node is a sample of its op (tests/_samples.py) with the sizes renamed; its arguments are grown, moved into the domain
that the op states (tests/_domains.py), and its value is brought to the wanted shape by an index sum where it has another.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from random import Random

import numpy as np
from _domains import generic, inside
from _oracle import SIZES, Interpreter
from _programs import LETTERS, RandomProgram, Writer, random_program
from _samples import samples

from pullback.algebra.dims import Dim, Shape
from pullback.algebra.expr import Expr, postorder
from pullback.algebra.op import REGISTRY, Op
from pullback.algebra.ops.free import increment, var
from pullback.algebra.ops.reduction import sum_over
from pullback.algebra.ops.structure import einsum
from pullback.calculus.lemma import differentiate
from pullback.errors import ShapeError, UnsupportedError

LARGEST_NODE = 400  # entries
ONLY_OURS = frozenset({"place", "unit", "series"})  # what only derivations hold; they have no notation of their own


@cache
def drawn() -> tuple[Op, ...]:
    """The ops that are drawn from their samples: all but names, unknown functions and what needs an index with a range."""
    known = [o for o in REGISTRY.values() if not o.binder and "name" not in o.attr_names and o.name not in ONLY_OURS]
    return tuple(o for o in known if cases(o))


@cache
def rooms() -> tuple[tuple[Op, ...], ...]:
    """The same, by the file that declares them: each field is drawn alike, however many ops it has."""
    found: dict[str, list[Op]] = defaultdict(list)
    for o in drawn():
        found[o.room].append(o)
    return tuple(map(tuple, found.values()))


@cache
def cases(op: Op) -> tuple[Expr, ...]:
    """The samples; none of an op that has no row of samples yet, which tests/algebra/test_ops.py reports."""
    try:
        return tuple(e for e in samples(op) if defined(e))
    except (KeyError, ShapeError):
        return ()


def defined(e: Expr) -> bool:
    try:
        return e.op.define is None or e.op.define(e, *e.args).shape == e.shape
    except ShapeError:
        return False


@cache
def kinked(op: Op) -> bool:
    """Whether its slope jumps somewhere, by its own declaration or by that of an op in its definition."""
    e = cases(op)[0]
    parts = postorder(e.op.define(e, *e.args)) if e.op.define is not None else ()
    return bool(op.kink) or any(
        x.op.kink or (x.op is not op and x.op.define is not None and kinked(x.op)) for x in parts
    )


@cache
def refused(op: Op) -> bool:
    """Whether its differential is refused, so that a program with it mostly is."""
    e = cases(op)[0]
    try:
        differentiate(e, [increment(a) for a in e.args])
    except UnsupportedError:
        return True
    return False


def sized(e: Expr) -> bool:
    """Whether the sizes of the tests are as the op needs them: its reading has the declared shape."""
    needs = e.op.needs(e) if callable(e.op.needs) else e.op.needs
    if not needs or needs.startswith(("every", "no ", "the entries", "$")):
        return True
    args = [np.ones([d.value(SIZES) for d in a.shape]) for a in e.args]
    try:
        found = Interpreter(np, SIZES, np.vectorize(math.erf, otypes=[float])).node(e, args)
    except (ValueError, IndexError):
        return False
    return np.shape(found) == tuple(d.value(SIZES) for d in e.shape)


def renamed(value: object, sizes: dict[str, Dim]) -> object:
    if isinstance(value, Dim):
        return value.substitute(sizes)
    return tuple(renamed(v, sizes) for v in value) if isinstance(value, tuple) else value


def sizes_in(value: object) -> list[Dim]:
    if isinstance(value, Dim):
        return [value]
    return [d for v in value for d in sizes_in(v)] if isinstance(value, tuple) else []


class Declared(Writer):
    """Grows expressions from the registry, beside what the other writer does."""

    def grow(self, shape: Shape, depth: int) -> Expr:
        if depth > 0 and self.chance(60):
            e = self.brought(self.declared(shape, depth - 1), shape)
            self.parts.append(e)
            return e
        return super().grow(shape, depth)

    def declared(self, shape: Shape, depth: int) -> Expr:
        """A node of some op, of this shape if the op can have it."""
        op: Op = self.pick(self.pick(rooms())) if self.chance(50) else self.pick(drawn())  # type: ignore[assignment, arg-type]
        if refused(op) and self.chance(99):
            return self.declared(shape, depth)
        fits = [(e, bound) for e in cases(op) if (bound := self.fitted(e.shape, shape)) is not None]
        if op.entrywise or (all(p == ("*s",) for _, p in op.slots) and op.result == ("*s",) and not op.attr_names):
            fits = [(e, b) for e, b in fits if e.order == len(shape)]
        for _ in range(8):
            sample, bound = self.pick(fits) if fits else (self.pick(cases(op)), {})  # type: ignore[misc]
            node = self.instance(sample, dict(bound), depth)
            if node is not None:
                return node
            fits = []
        return self.leaf(shape)

    def fitted(self, pattern: Shape, shape: Shape) -> dict[str, Dim] | None:
        """Sizes for the symbols of a sample that give it this shape."""
        if len(pattern) != len(shape):
            return None
        bound: dict[str, Dim] = {}
        for p, d in zip(pattern, shape, strict=True):
            if p.name is not None and bound.setdefault(p.name, d) != d:
                return None
        return bound if all(p.substitute(bound) == d for p, d in zip(pattern, shape, strict=True)) else None

    def instance(self, sample: Expr, bound: dict[str, Dim], depth: int) -> Expr | None:
        """The sample with sizes of its own and grown arguments; None if these sizes make no tensors of a sensible size."""
        op = sample.op
        free = [d for d in self.symbols if d not in bound.values()]
        self.random.shuffle(free)
        seen = {s for d in sizes_in((sample.shape, sample.attrs, *(a.shape for a in sample.args))) for s in d.symbols()}
        for s in sorted(seen - bound.keys()):
            bound[s] = free.pop() if free and not self.chance(10) else self.symbol()
        attrs = {k: renamed(v, bound) for k, v in op.attributes(sample).items()}
        shapes: list[Shape] = [renamed(a.shape, bound) for a in sample.args]  # type: ignore[misc]
        fixed = [k < len(op.slots) and op.slots[k][0] in op.fixed for k in range(len(shapes))]
        names = [
            var(f"·{k}", s, facts=("index",) if f else ()) for k, (s, f) in enumerate(zip(shapes, fixed, strict=True))
        ]
        try:
            bare = op(*names, **attrs)
        except Exception:  # these sizes do not fit each other
            return None
        extents = [[d.value(SIZES) for d in s] for s in (bare.shape, *shapes)]
        if any(n < 1 or n > 40 for s in extents for n in s) or any(_entries(s) > LARGEST_NODE for s in extents):
            return None
        if op.span is not None and any(end.value(SIZES) > whole.value(SIZES) for whole, end in op.span(bare)):
            return None
        if not sized(bare):
            return None
        below = min((n for s in extents for n in s), default=1)
        args = []
        for k, s in enumerate(shapes):
            if fixed[k]:
                args.append(self.place(s, below))
            else:
                args.append(
                    inside(bare, k, self.argument(op, s, depth), lambda s=s: self.input(s), self.random.randrange)
                )
        return op(*args, **attrs)

    def argument(self, op: Op, shape: Shape, depth: int) -> Expr:
        """Grown; where slopes jump mostly generic, since a program that stands on a kink at every point is refused."""
        x = self.grow(shape, depth)
        if kinked(op) and self.chance(85):
            return generic(x, lambda: self.input(shape))
        return self.tame(x) if x.args and not op.linear and self.chance(40) else x

    def symbol(self) -> Dim:
        return self.pick(self.symbols)  # type: ignore[return-value]

    def input(self, shape: Shape) -> Expr:
        """A new one: nothing else depends on it."""
        v = var(f"x{len(self.inputs) + 1}", shape)
        self.inputs.append(v)
        return v

    def place(self, shape: Shape, below: int) -> Expr:
        known = [v for v, b in self.places.items() if v.shape == shape and b <= below]
        if known and self.chance(50):
            return self.pick(known)  # type: ignore[return-value]
        v = var(f"i{len(self.places) + 1}", shape, facts=("index",))
        self.places[v] = below
        return v

    def brought(self, e: Expr, shape: Shape) -> Expr:
        """`e` as a tensor of this shape: axes that are not wanted are contracted with a new part, or summed."""
        if e.shape == shape:
            return e
        mine = LETTERS[: e.order]
        rest = dict(zip(mine, e.shape, strict=True))
        out, missing = "", ""
        dims: dict[str, Dim] = dict(rest)
        for k, d in enumerate(shape):
            same = next((i for i in rest if rest[i] == d), None)
            if same is None:
                same = LETTERS[e.order + k]
                missing += same
                dims[same] = d
            else:
                del rest[same]
            out += same
        if not missing and not rest:
            return einsum(f"{mine}->{out}", e)
        if not missing and self.chance(50):
            e = sum_over(e, axes=tuple(mine.index(i) for i in rest))
            left = "".join(i for i in mine if i not in rest)
            return e if left == out else einsum(f"{left}->{out}", e)
        letters = missing + "".join(i for i in rest)[: max(0, 3 - len(missing))]
        if not letters:
            return sum_over(e, axes=tuple(range(e.order)))
        other = self.leaf(tuple(dims[c] for c in letters))
        return einsum(f"{mine},{letters}->{out}", e, other)


def _entries(extents: Sequence[int]) -> int:
    count = 1
    for n in extents:
        count *= n
    return count


def any_program(random: Random) -> RandomProgram:
    """A program over all ops, or one over the core alone, which is larger and composed more densely."""
    declared = random.randrange(100) < 75
    return random_program(random, writer=Declared if declared else Writer)


__all__ = ["ONLY_OURS", "Declared", "any_program", "drawn"]
