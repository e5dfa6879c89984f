"""Evaluation of expressions over a field, with tangents: the oracle that does not use any derivation.

An op is evaluated by its meaning (an index sum) or its definition, never by its adjoint; the tangent of an index sum
is the product rule on numbers. Arrays are flat lists in row-major order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, product
from math import prod
from typing import Any

from ..algebra.dense import Dual, Singular, flat, nested
from ..algebra.dims import sized
from ..algebra.expr import Expr
from ..algebra.op import Meaning
from ..algebra.ops.free import facts_of, increment, is_free_function, is_free_map, is_name, var
from ..errors import UnsupportedError
from .field import Field, OutOfDomain, TooLarge
from .samples import as_declared, having

__all__ = ["Point", "pairwise", "sizes_for"]

Array = list[Any]
_SPARSE = 3  # an array is walked by its nonzero entries if at most one in so many is nonzero
_Labelled = tuple[str, Array]  # an array and the letters of its axes


def sizes_for(symbols: set[str], round_: int) -> dict[str, int]:
    """A size for every symbol: all different while there are few, then in turn; another choice each round."""
    ladder: tuple[int, ...] = ((3, 2, 4, 5, 6, 7), (2, 4, 3, 6, 5, 7), (4, 3, 5, 2, 7, 6))[round_ % 3]
    ordered = sorted(symbols)
    if len(ordered) > len(ladder):
        ladder = ladder[:4]  # small ones in turn
    return {s: ladder[k % len(ladder)] for k, s in enumerate(ordered)}


@lru_cache(maxsize=4096)
def _offsets(letters: str, order: str, extents: tuple[int, ...]) -> list[int]:
    """Where each point of the iteration space `order` falls in an array indexed by `letters`."""
    extent = dict(zip(order, extents, strict=True))
    stride: dict[str, int] = {}
    step = 1
    for c in reversed(letters):
        stride[c] = stride.get(c, 0) + step
        step *= extent[c]
    found = [0]
    for c in order:
        s = stride.get(c, 0)
        found = [o + s * i for o in found for i in range(extent[c])]
    return found


def _offsets_of(letters: str, rest: str, spans: tuple[int, ...], extents: Mapping[str, int]) -> list[int]:
    """Where each point of the space of the `rest` falls in an array, the other indices being 0."""
    stride, found = _strides(letters, extents), [0]
    for c, span in zip(rest, spans, strict=True):
        s = stride.get(c, 0)
        found = [o + s * i for o in found for i in range(span)]
    return found


def _sparsest(factors: Sequence[_Labelled]) -> int | None:
    """The factor with the fewest nonzero entries for its size, None if none has few."""
    share = [sum(map(bool, a)) / len(a) if a else 1.0 for _, a in factors]
    k = min(range(len(share)), key=share.__getitem__, default=0)
    return k if share and share[k] * _SPARSE <= 1 and len(factors[k][1]) >= _SPARSE else None


def _strides(letters: str, extents: Mapping[str, int]) -> dict[str, int]:
    """How far apart the entries of an array are along each index."""
    found: dict[str, int] = {}
    step = 1
    for c in reversed(letters):
        found[c] = found.get(c, 0) + step
        step *= extents[c]
    return found


def _fewer(
    factors: list[_Labelled], output: str, extents: Mapping[str, int], join: Callable[..., Array]
) -> list[_Labelled]:
    """The factors multiplied in pairs until two are left, the cheapest pair first: the whole space is never walked."""
    while len(factors) > 2:
        a, b = min(combinations(range(len(factors)), 2),
                   key=lambda ab: prod(extents[c] for c in set(factors[ab[0]][0] + factors[ab[1]][0])))  # fmt: skip
        pair = [factors[a], factors[b]]
        factors = [f for k, f in enumerate(factors) if k not in (a, b)]
        held = set(output).union(*(letters for letters, _ in factors))
        kept = "".join(c for c in dict.fromkeys(pair[0][0] + pair[1][0]) if c in held)
        factors.append((kept, join(pair, kept, extents)))
    return factors


def pairwise(inputs: Sequence[str], output: str, extents: Mapping[str, int]) -> int:
    """How many points the product of factors with these axes walks."""
    walked = 0

    def join(pair: list[_Labelled], kept: str, extents: Mapping[str, int]) -> Array:
        nonlocal walked
        walked += prod(extents[c] for c in {*kept, *pair[0][0], *pair[1][0]})
        return []

    last = _fewer([(letters, []) for letters in inputs], output, extents, join)
    return walked + prod(extents[c] for c in set(output).union(*(letters for letters, _ in last)))


class Point:
    """Values (and, if `tangents` is given, directional derivatives) of expressions at one random point."""

    def __init__(self, field: Field, sizes: Mapping[str, int]) -> None:
        self.field = field
        self.sizes = sizes
        self.values: dict[Expr, Array] = {}
        self.tangents: dict[Expr, Array | None] = {}

    def extent(self, e: Expr) -> tuple[int, ...]:
        return tuple(d.value(self.sizes) for d in e.shape)

    def count(self, e: Expr) -> int:
        n = 1
        for d in self.extent(e):
            n *= d
        return n

    def draw(self, e: Expr) -> Array:
        """Random entries for a name, as it is declared."""
        found = [self.field.draw() for _ in range(self.count(e))]
        return as_declared(e, found, self.extent(e), self.field) if facts_of(e) else found

    def push(self, v: Expr) -> Array:
        """A random increment of a name."""
        return self.draw(increment(v))

    def bind(self, name: Expr, value: Array, tangent: Array | None = None) -> None:
        self.values[name], self.tangents[name] = value, tangent

    def forget(self, keep: set[Expr]) -> None:
        """Drop the values of inner nodes: memory stays proportional to the names."""
        self.values = {e: v for e, v in self.values.items() if e in keep}
        self.tangents = {e: v for e, v in self.tangents.items() if e in keep}

    def value(self, root: Expr) -> Array:
        """The entries of `root`; names that are not bound yet are drawn at random."""
        for e in _pending(root, self.values):
            if e not in self.values:
                self._evaluate(e)
        return self.values[root]

    def tangent(self, root: Expr) -> Array | None:
        """The directional derivative of `root` along the tangents of the names, None for zero."""
        self.value(root)
        return self.tangents[root]

    # ---- one node --------------------------------------------------------------------------------------

    def _evaluate(self, e: Expr) -> None:
        if is_name(e):
            self.bind(e, self.draw(e))
            return
        if e.op.define is not None:
            whole = e.op.define(e, *e.args)
            self.value(whole)
            self.bind(e, self.values[whole], self.tangents[whole])
            return
        if e.op.entry is not None:
            extents = self.extent(e)
            one = self.field.number
            self.bind(
                e, [one(Fraction(int(e.op.entry(e.attrs, i, self.sizes)))) for i in product(*map(range, extents))]
            )
            return
        meanings = e.op.meaning(e)
        if meanings is not None:
            self._sum(e, meanings)
        elif not e.args:
            self.bind(e, [self.field.constant(e)])
        elif e.op.whole is not None:
            args = [self.values[a] for a in e.args]
            value = e.op.whole(
                self.field, [self.extent(a) for a in e.args], args, **sized(e.op.attributes(e), self.sizes)
            )
            self.bind(e, value, self._by_differential(e, value))
        elif e.op.exactly is not None or e.op.floats is not None or e.op.series:
            self._algorithm(e)
        elif is_free_map(e):
            self._free_map(e)
        elif is_free_function(e):
            self._free_function(e)
        else:
            self._known(e)

    def _sum(self, e: Expr, meanings: list[Meaning]) -> None:
        total: Array | None = None
        moved: Array | None = None
        for m in meanings:
            if m.power != 1:
                self._power(e, m.power)
                return
            arrays = [self.values[e.args[k]] for k in m.slots] + [self.value(x) for x in m.extra]
            extents: dict[str, int] = {}
            shapes = [self.extent(e.args[k]) for k in m.slots] + [self.extent(x) for x in m.extra]
            for letters, shape in zip(m.inputs, shapes, strict=True):
                extents.update(zip(letters, shape, strict=True))
            extents.update((c, d) for c, d in zip(m.output, self.extent(e), strict=True))
            scale = self.field.number(m.scale)
            for d in m.times:
                scale = scale * d.value(self.sizes)
            for d in m.over:
                scale = scale * self.field.power(d.value(self.sizes), -1)
            total = self._plus(total, self._contract(m, arrays, extents, scale))
            for k, slot in enumerate(m.slots):
                t = self.tangents[e.args[slot]]
                if t is not None:
                    part = self._contract(m, [*arrays[:k], t, *arrays[k + 1 :]], extents, scale)
                    moved = self._plus(moved, part)
        assert total is not None
        self.bind(e, total, moved)

    def _plus(self, a: Array | None, b: Array) -> Array:
        if a is None:
            return b
        mod = self.field.mod
        return [(x + y) % mod for x, y in zip(a, b, strict=True)] if mod else [x + y for x, y in zip(a, b, strict=True)]

    def _contract(self, m: Meaning, arrays: list[Array], extents: Mapping[str, int], scale: Any) -> Array:
        factors = _fewer(list(zip(m.inputs, arrays, strict=True)), m.output, extents, self._join)
        return self._join(factors, m.output, extents, scale)

    def _join(self, factors: list[_Labelled], output: str, extents: Mapping[str, int], scale: Any = 1) -> Array:
        """The scaled product of the factors, summed over every letter that is not in `output`."""
        mod = self.field.mod
        order = "".join(dict.fromkeys("".join(letters for letters, _ in factors) + output))
        spans = tuple(extents[c] for c in order)
        out: Array = [0] * prod(extents[c] for c in output)
        k = _sparsest(factors)
        if k is not None:
            self._walk(factors[k], [f for n, f in enumerate(factors) if n != k], order, (output, out), extents, scale)
            return [x % mod for x in out] if mod else out
        terms: Array = [scale] * prod(spans)
        for letters, a in factors:
            where = _offsets(letters, order, spans)
            terms = [t * a[o] % mod for t, o in zip(terms, where, strict=True)] if mod else [
                t * a[o] for t, o in zip(terms, where, strict=True)]  # fmt: skip
        for t, o in zip(terms, _offsets(output, order, spans), strict=True):
            out[o] += t
        return [x % mod for x in out] if mod else out

    def _walk(
        self,
        sparse: _Labelled,
        others: list[_Labelled],
        order: str,
        target: _Labelled,
        extents: Mapping[str, int],
        scale: Any,
    ) -> None:
        """The same, walked by the nonzero entries of one factor."""
        mod, (letters, entries), (output, out) = self.field.mod, sparse, target
        held = "".join(dict.fromkeys(letters))
        rest = "".join(c for c in order if c not in held)
        spans = tuple(extents[c] for c in rest)
        arrays = [(a, _strides(names, extents), _offsets_of(names, rest, spans, extents)) for names, a in others]
        to, there = _strides(output, extents), _offsets_of(output, rest, spans, extents)
        places = _offsets(letters, held, tuple(extents[c] for c in held))
        for at, o in zip(product(*(range(extents[c]) for c in held)), places, strict=True):
            if not entries[o]:
                continue
            terms: Array = [scale * entries[o]] * len(there)
            for a, stride, inner in arrays:
                first = sum(stride.get(c, 0) * i for c, i in zip(held, at, strict=True))
                terms = [t * a[first + n] % mod for t, n in zip(terms, inner, strict=True)] if mod else [
                    t * a[first + n] for t, n in zip(terms, inner, strict=True)]  # fmt: skip
            first = sum(to.get(c, 0) * i for c, i in zip(held, at, strict=True))
            for t, n in zip(terms, there, strict=True):
                out[first + n] += t

    def _power(self, e: Expr, exponent: int) -> None:
        x, t = self.values[e.args[0]], self.tangents[e.args[0]]
        value = [self.field.power(v, exponent) for v in x]
        moved = None
        if t is not None:
            slope = [exponent * self.field.power(v, exponent - 1) if exponent else 0 for v in x]
            moved = self._times(slope, t)
        self.bind(e, value, moved)

    def _times(self, a: Array, b: Array) -> Array:
        mod = self.field.mod
        return [x * y % mod for x, y in zip(a, b, strict=True)] if mod else [x * y for x, y in zip(a, b, strict=True)]

    def _algorithm(self, e: Expr) -> None:
        """An op with an algorithm on numbers: its tangent by the same algorithm on dual numbers where that is exact."""
        algorithm = self.field.algorithm(e)
        exact = algorithm is not None
        moving = exact and any(self.tangents[a] is not None for a in e.args)
        args = []
        for a in e.args:
            entries = [self.field.element(x) for x in self.values[a]]
            if moving:
                slopes = self.tangents[a] or [0] * len(entries)
                entries = [Dual(x, self.field.element(t)) for x, t in zip(entries, slopes, strict=True)]
            args.append(nested(entries, self.extent(a)))
        try:
            if exact:
                found = flat(algorithm(*args), e.order)  # type: ignore[misc]
            else:
                found = self.field.array(e, args, self.count(e))
        except (Singular, ValueError, ZeroDivisionError) as why:
            raise OutOfDomain from why
        except OverflowError as why:
            raise TooLarge from why
        plain = self.field.plain
        if moving:
            self.bind(e, [plain(x.value) for x in found], [plain(x.slope) for x in found])
        else:
            found = [plain(x) for x in found]
            self.bind(e, found if exact else having(e.op.gives, found, self.extent(e), self.field))
            if not exact:
                try:
                    self.tangents[e] = self._by_differential(e, self.values[e])
                except UnsupportedError as why:
                    self.tangents[e] = _Unknown(why)

    def _known(self, e: Expr) -> None:
        """A known entrywise function: its value opaque, its slope by its differential equation."""
        args = [self.values[a] for a in e.args]
        wide = [x if a.order == e.order else x * self.count(e) for a, x in zip(e.args, args, strict=True)]
        value = [self.field.function(e, at) for at in zip(*wide, strict=True)]
        self.bind(e, value, self._by_differential(e, value))

    def _by_differential(self, e: Expr, value: Array) -> Array | None:
        """The tangent of a function by its declared differential, `value` being its value."""
        args = [self.values[a] for a in e.args]
        moved: Array | None = None
        if any(self.tangents[a] is not None for a in e.args):
            names = [var(f"·{k}", a.shape, "jet") for k, a in enumerate(e.args)]
            here = Expr.make(e.op, tuple(names), e.attrs, e.shape)
            for k, a in enumerate(e.args):
                t = self.tangents[a]
                if t is None:
                    continue
                inner = Point(self.field, self.sizes)
                for name, v in zip(names, args, strict=True):
                    inner.bind(name, v)
                inner.bind(here, value)
                inner.bind(increment(names[k]), t)
                for body in e.op.differentiate(here, [increment(n) if n is names[k] else None for n in names]):
                    moved = self._plus(moved, inner.value(body))
        return moved

    def _free_map(self, e: Expr) -> None:
        name, orders = e.attrs
        args = [self.values[a] for a in e.args]
        points = list(zip(*args, strict=True))
        value = [self.field.free(name, orders, at) for at in points]
        moved: Array | None = None
        for k, a in enumerate(e.args):
            t = self.tangents[a]
            if t is not None:
                raised = tuple(o + (i == k) for i, o in enumerate(orders))
                moved = self._plus(moved, self._times([self.field.free(name, raised, at) for at in points], t))
        self.bind(e, value, moved)

    def _free_function(self, e: Expr) -> None:
        name, slots, out = e.attrs
        args = self.field.remember(tuple(tuple(self.values[a]) for a in e.args))
        outs = tuple(d.value(self.sizes) for d in out)
        counts = [self.count(e.args[k]) for k in slots]
        value: Array = []
        moved: Array | None = [0] * self.count(e) if any(self.tangents[a] is not None for a in e.args) else None
        for at in product(*map(range, outs)):
            for hit in product(*map(range, counts)):
                hits = tuple(zip(slots, hit, strict=True))
                value.append(self.field.entry(name, at, hits, args))
                for k, a in enumerate(e.args):
                    t = self.tangents[a]
                    if t is not None and moved is not None:
                        for j, dt in enumerate(t):
                            moved[len(value) - 1] += self.field.entry(name, at, (*hits, (k, j)), args) * dt
        if moved is not None and self.field.mod:
            moved = [x % self.field.mod for x in moved]
        self.bind(e, value, moved)


class _Unknown(list[Any]):
    """The tangent of what cannot be differentiated: whoever asks for it is told so."""

    def __init__(self, why: UnsupportedError) -> None:
        super().__init__()
        self.why = why

    def __iter__(self) -> Any:
        raise self.why

    def __len__(self) -> int:
        raise self.why


def _pending(root: Expr, done: Mapping[Expr, Array]) -> list[Expr]:
    """The nodes under `root` that have no value yet, arguments first."""
    if root in done:
        return []
    found: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            found.append(node)
        elif node not in seen and node not in done:
            seen.add(node)
            stack.append((node, True))
            stack.extend((a, False) for a in node.args)
    return found
