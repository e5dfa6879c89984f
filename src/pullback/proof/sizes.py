"""At which sizes an identity must be tested (theory.md §2.4, T3): at small ones false ones hold, as Cayley and Hamilton know.

A false polynomial identity between tensors is false at every choice of sizes at which each kind of axis is as large as the
number of distinct indices of that kind in one term; if sizes stand in its coefficients, at all but as many as their
degree. Both numbers are bounded here by walking over the program once. What that would cost too much is cut short,
and whoever asks is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from ..algebra.dims import Dim
from ..algebra.expr import Expr, dims_in, postorder
from ..algebra.network import expanded
from ..algebra.op import Meaning
from ..errors import UnsupportedError
from .field import P
from .jets import pairwise, sizes_for

__all__ = ["TRIALS", "Closing", "Definitions", "Rounds", "Sizes", "bound", "grown", "rounds", "sizes_of", "symbols_of"]

Sizes = dict[str, int]
Definitions = Sequence[tuple[Expr, Expr]]  # (name, its value), in order of computation
Closing = tuple[Expr, str]  # what is compared: a value, its "tangent", or its "pairing" with an increment

TRIALS = 2  # rounds in which what is false is false, or as many as there are
_FEW = 12  # size symbols up to which each is counted for itself
_LARGEST = 12  # no axis is made longer
_CUTS = (4, 6, 8, 10, 12)  # where sizes are cut that would cost too much, the last that fits
_MOST = 12  # rounds
_BUDGET = 100_000  # points of index sums that the rounds may walk, or as many again as the least test walks
_FAR = 10**6
_KEPT = 10_000  # nodes whose bounds are kept
_FARTHEST = 1000  # entries that an axis is short of before no test is tried


@dataclass(frozen=True, slots=True)
class Rounds:
    """The sizes to test at; `whole` if a false identity is false at two or more of them, whatever it is."""

    sizes: list[Sizes]
    whole: bool

    def cells(self, exprs: Iterable[Expr]) -> int:
        """No tensor has more entries at these sizes."""
        most: Sizes = {}
        for s, n in (entry for sizes in self.sizes for entry in sizes.items()):  # a longer range has more symbols
            most[s] = max(n, most.get(s, n))
        largest = max(most.values(), default=1)  # of n[k] in a sum over k the members were tested
        shapes = {e.shape for root in exprs for e in postorder(root)}
        most = {s: most.get(s, largest) for shape in shapes for d in shape for s in d.symbols()}
        return max((prod(d.value(most) for d in shape) for shape in shapes), default=1)

    def chance(self, D: int, false: str, false_here: str) -> tuple[str, str]:
        """The bound on the chance of an error, and in words: no more is said than was tested."""
        value = bound(D, min(len(self.sizes), TRIALS))
        return (
            value,
            f"{false if self.whole else f'{false_here} at each of these sizes'} passes with probability below {value}",
        )


def bound(D: int, trials: int) -> str:
    """The Schwartz-Zippel bound (D/p)^trials on the chance that a false equation passes."""
    exponent = 0
    value = (D / P) ** trials
    while value < 1 and exponent < 400:
        value, exponent = value * 10, exponent + 1
    return f"1e-{max(exponent - 1, 0)}"


def symbols_of(exprs: Iterable[Expr]) -> set[str]:
    """The size symbols that occur in the shapes of the expressions."""
    return {s for root in exprs for e in postorder(root) for d in dims_in(e) for s in d.symbols()}


def sizes_of(exprs: Iterable[Expr], round_: int) -> Sizes:
    """Sizes for a test, large enough for every block and slice that the expressions cut out."""
    roots = list(exprs)
    return grown(sizes_for(symbols_of(roots), round_), roots)


def grown(sizes: Mapping[str, int], exprs: Iterable[Expr], fixed: Collection[str] = ()) -> Sizes:
    """The sizes grown until every part that is cut out of an axis lies within it; those in `fixed` stay.

    Raises UnsupportedError U038."""
    return _grown(sizes, _parts(postorder(*exprs)), fixed)


def _parts(nodes: Iterable[Expr]) -> list[tuple[Dim, Dim]]:
    """The axes of which the nodes cut out parts, each with where the part ends."""
    atoms: dict[Expr, None] = {}
    for e in nodes:
        if e.args:
            atoms.update((x, None) for m in e.op.meaning(e) or () for x in m.extra if x.op.places is not None)
        elif e.op.places is not None:
            atoms[e] = None
    return [(x.shape[0], start + width) for x in atoms for start, width in [x.op.places(x)]]


def _grown(sizes: Mapping[str, int], fits: Sequence[tuple[Dim, Dim]], fixed: Collection[str] = ()) -> Sizes:
    sizes = dict(sizes)
    for _ in range(64):
        short = [(t, e) for t, e in fits if t.value(sizes) < e.value(sizes)]
        if not short:
            break
        total, end = short[0]
        by = max(1, (end.value(sizes) - total.value(sizes)) // 2)
        if by > _FARTHEST:
            raise UnsupportedError("U038", f"the end {end} of a part is too far from the start of its axis for a test",
                                   expected=f"numbers up to {_FARTHEST}", hint="a letter in its place stands for any number")  # fmt: skip
        # the size that helps most: one that the whole has and the part has not
        grow = (total.symbols() - end.symbols()) or total.symbols()
        if grow:
            sizes = {s: n + by * (s in grow and s not in fixed) for s, n in sizes.items()}
        else:  # the whole is a number: the part must be small
            sizes = {s: max(1, n - (s in end.symbols() and s not in fixed)) for s, n in sizes.items()}
    return sizes


# ---- how many indices one term has -------------------------------------------------------------------------

_Vector = tuple[int, ...]  # for each symbol: indices of axes with it; then, for each symbol: the degree in it


def _plus(*vectors: _Vector) -> _Vector:
    return tuple(min(sum(x), _FAR) for x in zip(*vectors, strict=True))


def _times(v: _Vector, times: int) -> _Vector:
    return tuple(min(times * x, _FAR) for x in v) if times != 1 else v


def _most(vectors: Sequence[_Vector]) -> _Vector:
    return tuple(map(max, zip(*vectors, strict=True)))


@dataclass(frozen=True, slots=True)
class _Bound:
    """What a term of a value has at most, with the powers of what it is divided by."""

    over: _Vector
    under: Mapping[Dim | Expr, int]

    def raised(self, power: int) -> _Bound:
        return _Bound(_times(self.over, power), {x: min(power * p, _FAR) for x, p in self.under.items()})


class _Count:
    """Bounds for the terms of every node of a program, and of its tangent."""

    def __init__(self, symbols: Iterable[str]) -> None:
        ordered = sorted(symbols)
        few = len(ordered) <= _FEW
        self.place = {s: k if few else 0 for k, s in enumerate(ordered)}
        self.width = len(ordered) if few else 1
        self.none = (0,) * (2 * self.width)
        self.zero = _Bound(self.none, {})
        self.value: dict[Expr, _Bound] = {}
        self.moved: dict[Expr, _Bound | None] = {}
        self.bare: dict[
            Expr, tuple[frozenset[int], frozenset[int]]
        ] = {}  # axes along which some term, or all, are constant
        self.inside: dict[Expr, _Vector] = {}  # what the comparisons of a function's arguments need
        self.need = self.none

    def indices(self, dims: Iterable[Dim], degree: bool = False) -> _Vector:
        found = list(self.none)
        for d in dims:
            for s in d.symbols():
                found[self.place[s] + degree * self.width] += 1
        return tuple(found)

    def weight(self, divisor: Dim | Expr) -> _Vector:
        """What a term has more when it is multiplied by this."""
        return self.indices([divisor], True) if isinstance(divisor, Dim) else self.value[divisor].over

    def cleared(self, part: _Bound, by: Mapping[Dim | Expr, int]) -> _Vector:
        """The numerator when all is multiplied by these powers."""
        return _plus(part.over, *(_times(self.weight(x), p - part.under.get(x, 0)) for x, p in by.items()))

    def sum(self, parts: Sequence[_Bound]) -> _Bound:
        """Of a sum, over one denominator."""
        under: dict[Dim | Expr, int] = {}
        for part in parts:
            for x, p in part.under.items():
                under[x] = max(under.get(x, 0), p)
        return self.kept(_most([self.none, *(self.cleared(part, under) for part in parts)]), under)

    def product(self, parts: Sequence[_Bound]) -> _Bound:
        under: dict[Dim | Expr, int] = {}
        for part in parts:
            for x, p in part.under.items():
                under[x] = under.get(x, 0) + p
        return self.kept(_plus(self.none, *(part.over for part in parts)), under)

    def kept(self, over: _Vector, under: Mapping[Dim | Expr, int]) -> _Bound:
        """So many divisors that nothing good can be said any more are not kept apart."""
        return _Bound(over, under) if len(under) <= _FEW else _Bound((_FAR,) * len(over), {})

    def run(self, root: Expr) -> None:
        for e in expanded(root):
            if e not in self.value:
                self._node(e)
            if e in self.inside:
                self.need = _most([self.need, self.inside[e]])

    def bind(self, name: Expr, value: Expr, pushed: bool) -> None:
        self.run(value)
        self.value[name], self.moved[name] = self.value[value], self.moved[value]
        self.bare[name] = self.bare[value]
        if pushed and self.moved[name] is None:
            self.moved[name] = self.zero

    def _node(self, e: Expr) -> None:
        meanings = e.op.meaning(e)
        if e.op.define is not None:
            whole = e.op.define(e, *e.args)
            self.value[e], self.moved[e], self.bare[e] = self.value[whole], self.moved[whole], self.bare[whole]
        elif e.op.entry is not None:  # nothing in it has the index: summed, it is a factor n (so is the diagonal's)
            axes = frozenset(range(e.order))
            self.value[e], self.moved[e], self.bare[e] = self.zero, None, (axes, axes)
        elif meanings is None:
            self._opaque(e)
        elif meanings[0].power != 1:
            self._power(e, meanings[0].power)
        else:
            found = [self._product(e, m) for m in meanings]
            tangents = [t for _, moved in found for t in moved]
            self.value[e] = self.sum([v for v, _ in found])
            self.moved[e] = self.sum(tangents) if tangents else None
            self.bare[e] = self._bare(e, meanings)

    def _bare(self, e: Expr, meanings: Sequence[Meaning]) -> tuple[frozenset[int], frozenset[int]]:
        some = [frozenset(k for k, c in enumerate(m.output) if self._is_bare(e, m, c, 0)) for m in meanings]
        every = [frozenset(k for k, c in enumerate(m.output) if self._is_bare(e, m, c, 1)) for m in meanings]
        return frozenset().union(*some), every[0].intersection(*every)

    def _is_bare(self, e: Expr, m: Meaning, letter: str, which: int) -> bool:
        """Whether no factor has the index, in some term (0) or in all (1)."""
        factors = [*(self.bare[e.args[k]][which] for k in m.slots), *(frozenset(range(x.order)) for x in m.extra)]
        return all(
            k in axes
            for axes, letters in zip(factors, m.inputs, strict=True)
            for k, c in enumerate(letters)
            if c == letter
        )

    def _opaque(self, e: Expr, entrywise: bool = False) -> None:
        """A function is a tensor of its own; its arguments are compared with those of others, its slope meets their tangents."""
        entrywise = entrywise or e.op.entrywise
        self.value[e] = self.zero
        same = frozenset.intersection(*(self.bare[a][1] for a in e.args)) if entrywise and e.args else frozenset()
        self.bare[e] = same, same
        self.inside[e] = _most([self.none, *(_plus(self.value[a].over, self.indices(a.shape)) for a in e.args)])
        tangents = []
        for a in e.args:
            t = self.moved[a]
            if t is not None:
                tangents.append(_Bound(_plus(t.over, self.indices(() if entrywise else a.shape)), t.under))
        self.moved[e] = self.sum(tangents) if tangents else None

    def _power(self, e: Expr, power: int) -> None:
        [x] = e.args
        v, t = self.value[x], self.moved[x]
        if power < 0 and x.order:  # a tensor of its own, like the value of a function
            self._opaque(e, entrywise=True)
            return
        self.bare[e] = self.bare[x]
        one = v if power > 0 else _Bound(self.cleared(self.zero, v.under), {x: 1})
        self.value[e] = one.raised(abs(power))
        self.moved[e] = None if t is None else self.product([one.raised(abs(power - 1)), t])

    def _product(self, e: Expr, m: Meaning) -> tuple[_Bound, list[_Bound]]:
        shapes = [*(e.args[k].shape for k in m.slots), *(x.shape for x in m.extra)]
        runs = {
            c: d for letters, shape in zip(m.inputs, shapes, strict=True) for c, d in zip(letters, shape, strict=True)
        }
        summed = {c: d for c, d in runs.items() if c not in m.output}
        own = _plus(self.indices(summed.values()), self.indices(m.times, True),
                    self.indices((d for c, d in summed.items() if self._is_bare(e, m, c, 0)), True))  # fmt: skip
        around = _Bound(own, {d: m.over.count(d) for d in m.over})
        args = [self.value[e.args[k]] for k in m.slots]
        tangents = []
        for k, slot in enumerate(m.slots):
            t = self.moved[e.args[slot]]
            if t is not None:
                tangents.append(self.product([around, *args[:k], t, *args[k + 1 :]]))
        return self.product([around, *args]), tangents

    def compare(self, bound: _Bound) -> None:
        """Take note that a term of this kind occurs in an identity."""
        self.need = _most([self.need, bound.over])

    def wanted(self) -> tuple[Sizes, Sizes]:
        """The least size and the degree for each symbol."""
        return (
            {s: self.need[k] for s, k in self.place.items()},
            {s: self.need[k + self.width] for s, k in self.place.items()},
        )


# ---- what a test costs -------------------------------------------------------------------------------------


def _cost(nodes: Sequence[Expr], sizes: Sizes) -> int:
    """About how many points the index sums and functions of these nodes walk."""
    total = 0
    known: dict[tuple[object, ...], int] = {}
    for e in nodes:
        extent = {d: d.value(sizes) for x in (e, *e.args) for d in x.shape}
        key = (e.op, e.attrs, *(tuple(extent[d] for d in x.shape) for x in (e, *e.args)))
        if key not in known:
            cells = prod(extent[d] for d in e.shape)
            if e.op.meaning(e) is None:
                entrywise = e.op.entrywise or not e.args
                known[key] = cells if entrywise else cells * sum(prod(extent[d] for d in a.shape) for a in e.args)
            else:
                known[key] = cells + sum(_points(e, m, sizes) for m in e.op.meaning(e) if m.power == 1)
        total += known[key]
    return total


def _points(e: Expr, m: Meaning, sizes: Sizes) -> int:
    shapes = [*(e.args[k].shape for k in m.slots), *(x.shape for x in m.extra)]
    extents = {
        c: d.value(sizes)
        for letters, shape in zip(m.inputs, shapes, strict=True)
        for c, d in zip(letters, shape, strict=True)
    }
    return pairwise(m.inputs, m.output, extents)


# ---- the rounds --------------------------------------------------------------------------------------------


def rounds(
    closing: Sequence[Closing],
    definitions: Definitions = (),
    moving: Iterable[Expr] = (),
    *,
    besides: Iterable[Expr] = (),
    proved: bool = False,
    counts: dict[frozenset[str], _Count] | None = None,
) -> Rounds:
    """The sizes at which the sum of the closing terms is to be found zero, all names but those in `definitions` being free.

    Tangents are along the names in `moving`. What stands `besides` has a size too. What is `proved` otherwise is tested at the least sizes.
    `counts` keeps what was counted for the next identity.
    """
    names = set(moving)
    roots = [*besides, *names, *(x for pair in definitions for x in pair), *(e for e, _ in closing)]
    nodes = list(postorder(*roots))
    symbols, parts = {s for e in nodes for d in dims_in(e) for s in d.symbols()}, _parts(nodes)
    least = [_grown(sizes_for(symbols, k), parts) for k in range(TRIALS)]
    want, degree = _wanted(symbols, definitions, closing, names, {} if counts is None else counts)
    enough = [z for z in least if all(z[s] >= n for s, n in want.items())]
    if not any(degree.values()) and len(enough) == len(least):
        return Rounds(least, True)
    if proved:
        return Rounds(least, False)
    found = _grid(want, degree, parts) if max(want.values()) <= _LARGEST else None
    nodes = list({e for root in roots for e in expanded(root)})
    budget = max(_BUDGET, sum(_cost(nodes, z) for z in least))
    if found is not None and sum(_cost(nodes, z) for z in found) <= budget:
        return Rounds([*least, *found], True)
    best = least
    for cut in _CUTS:  # as large as it may cost
        tried = [
            _grown({s: max(min(want[s], cut), n) for s, n in sizes_for(symbols, k).items()}, parts) for k in (2, 0)
        ]
        if sum(_cost(nodes, z) for z in tried) > budget:
            break
        best = [*least, *tried]
    return Rounds(best, False)


def _wanted(symbols: set[str], definitions: Definitions, closing: Sequence[Closing],
            moving: set[Expr], counts: dict[frozenset[str], _Count]) -> tuple[Sizes, Sizes]:  # fmt: skip
    """The number of indices of one term, and the degree of its coefficient, for each size symbol.

    `counts` holds what was counted before, where nothing is defined and nothing moves."""
    free = not definitions and not moving
    count = counts.get(frozenset(symbols)) if free else None
    if count is None or len(count.value) > _KEPT:
        count = _Count(symbols)
        if free:
            counts[frozenset(symbols)] = count
    count.need = count.none
    for v in moving:
        count.value[v], count.moved[v], count.bare[v] = count.zero, count.zero, (frozenset(), frozenset())
    for name, value in definitions:
        count.bind(name, value, name in moving)
    terms = []
    for e, kind in closing:
        count.run(e)
        t = count.moved[e] if kind == "tangent" else count.value[e]
        if t is not None:
            terms.append(_Bound(_plus(t.over, count.indices(e.shape)), t.under))
    count.compare(count.sum(terms))
    return count.wanted()


def _grid(want: Sizes, degree: Sizes, parts: Sequence[tuple[Dim, Dim]]) -> list[Sizes] | None:
    """Rounds in which each size takes two values more than its degree, from the least on; None if these are too many."""
    some = [s for s in sorted(want) if degree[s]]
    if prod(min(degree[s], _MOST) + 2 for s in some) > _MOST:
        return None
    plain = [_grown({s: max(n, want[s]) for s, n in sizes_for(set(want), k).items()}, parts) for k in range(TRIALS)]
    if not some:
        return plain
    base = {s: max(z[s] for z in plain) for s in want}
    found = [{**base, **{s: base[s] + i for s, i in zip(some, steps, strict=True)}}
             for steps in product(*(range(degree[s] + 2) for s in some))]  # fmt: skip
    return found if all(_grown(z, parts) == z for z in found) else None
