"""At which sizes an identity must be tested (theory.md §2.4, T3): at small ones false ones hold, as Cayley and Hamilton know.

A false polynomial identity between tensors is false at every choice of sizes at which each kind of axis is as large as the
number of distinct indices of that kind in one term; if sizes stand in its coefficients, at all but as many as their
degree. Both numbers are bounded here by walking over the program once. What that would cost too much is cut short,
and whoever asks is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, permutations, product
from math import prod
from random import Random

from ..algebra.dims import Dim
from ..algebra.expr import Expr, dims_in, postorder
from ..algebra.network import expanded
from ..algebra.op import Meaning
from ..algebra.ops.defined import unfolded
from ..algebra.rank import room_for_inverse
from ..errors import UnsupportedError
from .field import P, Q
from .heights import divides_prime, tall
from .jets import pairwise, sizes_for
from .terms import Bound, Count, plus

__all__ = [
    "TRIALS",
    "Closing",
    "Definitions",
    "Rounds",
    "Sizes",
    "alternatives",
    "bound",
    "cost",
    "grown",
    "parts_of",
    "rounds",
    "sizes_of",
    "symbols_of",
]

Sizes = dict[str, int]
Definitions = Sequence[tuple[Expr, Expr]]  # (name, its value), in order of computation
Closing = tuple[Expr, str]  # what is compared: a value, its "tangent", or its "pairing" with an increment

TRIALS = 2  # rounds in which what is false is false, or as many as there are
_LARGEST = 12  # no axis is made longer
_CUTS = (4, 6, 8, 10, 12)  # where sizes are cut that would cost too much, the last that fits
_MOST = 12  # rounds
_BUDGET = 100_000  # points of index sums that the rounds may walk, or as many again as the least test walks
_KEPT = 10_000  # nodes whose bounds are kept
_OTHERS = 8  # other sizes that are tried where a program is not defined
_FARTHEST = 1000  # entries that an axis is short of before no test is tried


@dataclass(frozen=True, slots=True)
class Rounds:
    """The sizes to test at; `whole` if a false identity is false at two or more of them, whatever it is."""

    sizes: list[Sizes]
    whole: bool
    least: Sizes = field(default_factory=dict)  # what every size must reach
    prime: int = P
    guard: Sizes | None = None  # where one more point, modulo another prime, sees what is 0 modulo this one only

    def cells(self, exprs: Iterable[Expr]) -> int:
        """No tensor has more entries at these sizes."""
        most: Sizes = {}
        for s, n in (entry for sizes in self.sizes for entry in sizes.items()):  # a longer range has more symbols
            most[s] = max(n, most.get(s, n))
        largest = max(most.values(), default=1)  # of n[k] in a sum over k the members were tested
        shapes = {e.shape for root in exprs for e in postorder(root)}
        most = {s: most.get(s, largest) for shape in shapes for d in shape for s in d.symbols()}
        return max((prod(d.value(most) for d in shape) for shape in shapes), default=1)

    def points(self) -> Iterator[tuple[str, Sizes, int]]:
        """A name, the sizes and the prime of every point to test at; that of the guard is called "guard"."""
        yield from ((str(k), sizes, self.prime) for k, sizes in enumerate(self.sizes))
        if self.guard is not None:
            yield "guard", self.guard, Q

    @property
    def modulo(self) -> str:
        return "2^61-1" if self.prime == P else "a prime of 160 bits"

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
    return f"1e-{exponent - 1}" if exponent > 1 else "1"


def symbols_of(exprs: Iterable[Expr]) -> set[str]:
    """The size symbols that occur in the shapes of the expressions."""
    return {s for root in exprs for e in postorder(root) for d in dims_in(e) for s in d.symbols()}


def sizes_of(exprs: Iterable[Expr], round_: int, known: Mapping[Expr, Expr] | None = None) -> Sizes:
    """Sizes for a test, large enough for every block and slice that the expressions cut out, and for every inverse.

    `known` are the values of names."""
    roots = list(exprs)
    return _grown(sizes_for(symbols_of(roots), round_), parts_of(postorder(*roots), known))


def grown(sizes: Mapping[str, int], exprs: Iterable[Expr], fixed: Collection[str] = ()) -> Sizes:
    """The sizes grown until every part that is cut out of an axis lies within it; those in `fixed` stay.

    Raises UnsupportedError U038."""
    return _grown(sizes, parts_of(postorder(*exprs)), fixed)


def alternatives(sizes: Sizes, exprs: Iterable[Expr], known: Mapping[Expr, Expr] | None = None) -> Iterator[Sizes]:
    """These sizes, then others: the inverse of XᵀX is defined only where X has as many rows as columns."""
    yield sizes
    names, numbers = list(sizes), list(sizes.values())
    orders = list(islice(permutations(numbers), 1, 1 + _OTHERS)) if len(names) < 5 else [
        Random(k).sample(numbers, len(numbers)) for k in range(_OTHERS)]  # fmt: skip
    parts = parts_of(postorder(*exprs), known)
    for order in [sorted(numbers), sorted(numbers, reverse=True), *orders]:
        found = _grown(dict(zip(names, order, strict=True)), parts)
        if found != sizes:
            yield found
    for s in names[:_OTHERS]:  # one of them larger: a centred matrix has a row too many
        yield _grown({**sizes, s: max(numbers) + 1}, parts)


def parts_of(nodes: Iterable[Expr], known: Mapping[Expr, Expr] | None = None) -> list[tuple[Dim, Dim]]:
    """The axes of which the nodes cut out parts, each with where the part ends; sizes of which one must reach the other, for an inverse,
    or so that no axis is empty.

    `known` are the values of names."""
    atoms: dict[Expr, None] = {}
    room: list[tuple[Dim, Dim]] = []
    short: dict[Dim, None] = {}  # axes that are what is left of others
    for e in nodes:
        short.update((d, None) for d in e.shape if d.name is None and any(c < 0 for _, c in d.terms))
        if e.op.regular:
            room += room_for_inverse(e.args[0], known or {})
        if e.args:
            atoms.update((x, None) for m in e.op.meaning(e) or () for x in (e, *m.extra) if x.op.places or x.op.span)
        if e.op.places is not None or e.op.span is not None:
            atoms[e] = None
    blocks = [
        (x.shape[0], start + width) for x in atoms if x.op.places is not None for start, width in [x.op.places(x)]
    ]
    left = [
        (Dim({m: c for m, c in d.terms if c > 0}), Dim({m: -c for m, c in d.terms if c < 0}) + Dim.number(1))
        for d in short
    ]
    return room + blocks + left + [pair for x in atoms if x.op.span is not None for pair in x.op.span(x)]


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


# ---- what a test costs -------------------------------------------------------------------------------------


def cost(nodes: Sequence[Expr], sizes: Sizes) -> int:
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
    counts: dict[frozenset[str], Count] | None = None,
    budget: int = _BUDGET,
    wary: bool = False,
) -> Rounds:
    """The sizes at which the sum of the closing terms is to be found zero, all names but those in `definitions` being free.

    Tangents are along the names in `moving`. What stands `besides` has a size too. What is `proved` otherwise is tested at the least sizes.
    What is false may be 0 modulo p all the same, if its numbers are large: the `guard` sees that, and is not counted.
    `counts` keeps what was counted for the next identity; `budget` is in points of index sums.
    Who is `wary` reckons with terms that cancel, as in f(x − x), and with factors, as in x ⊘ x: what somebody else wrote.
    """
    names = set(moving)
    roots = [*besides, *names, *(x for pair in definitions for x in pair), *(e for e, _ in closing)]
    nodes = list(postorder(*roots))
    solving = any(e.op.exactly is not None or e.op.floats is not None or e.op.ordered for e in nodes)
    found = _rounds(closing, definitions, names, roots, nodes, proved, {} if counts is None else counts, budget, wary)
    if (
        solving
    ):  # T3 is about sums of products that know no order: an equation between inverses may hold at these sizes only
        found = replace(found, whole=False)
    prime = Q if divides_prime(postorder(*map(unfolded, roots))) else P
    if proved:
        return replace(found, prime=prime)
    largest = max(found.sizes, key=lambda z: (sum(z.values()), *z.values()))
    moves = any(kind == "tangent" for _, kind in closing)
    guard = prime == P and tall([e for e, _ in closing], definitions, moves or bool(names), largest)
    return replace(found, prime=prime, guard=largest if guard else None)


def _rounds(closing: Sequence[Closing], definitions: Definitions, names: set[Expr], roots: Sequence[Expr], nodes: list[Expr],
            proved: bool, counts: dict[frozenset[str], Count], budget: int, wary: bool) -> Rounds:  # fmt: skip
    symbols, parts = {s for e in nodes for d in dims_in(e) for s in d.symbols()}, parts_of(nodes, dict(definitions))
    least = [_grown(sizes_for(symbols, k), parts) for k in range(TRIALS)]
    want, degree = _wanted(symbols, definitions, closing, names, counts, wary)
    enough = [z for z in least if all(z[s] >= n for s, n in want.items())]
    if not any(degree.values()) and len(enough) == len(least):
        return Rounds(least, True, want)
    if proved:
        return Rounds(least, False)
    found = _grid(want, degree, parts) if max(want.values()) <= _LARGEST else None
    nodes = list({e for root in roots for e in expanded(root)})
    budget = max(budget, sum(cost(nodes, z) for z in least))
    if found is not None and sum(cost(nodes, z) for z in found) <= budget:
        return Rounds([*least, *found], True, want)
    best = least
    for cut in _CUTS:  # as large as it may cost
        tried = [
            _grown({s: max(min(want[s], cut), n) for s, n in sizes_for(symbols, k).items()}, parts) for k in (2, 0)
        ]
        if sum(cost(nodes, z) for z in tried) > budget:
            break
        best = [*least, *tried]
    return Rounds(best, False)


def _wanted(symbols: set[str], definitions: Definitions, closing: Sequence[Closing],
            moving: set[Expr], counts: dict[frozenset[str], Count], wary: bool) -> tuple[Sizes, Sizes]:  # fmt: skip
    """The number of indices of one term, and the degree of its coefficient, for each size symbol.

    `counts` holds what was counted before, where nothing is defined and nothing moves."""
    free = not definitions and not moving
    count = counts.get(frozenset(symbols)) if free else None
    if count is None or len(count.value) > _KEPT:
        count = Count(symbols, wary)
        if free:
            counts[frozenset(symbols)] = count
    count.start()
    for v in moving:
        count.value[v], count.moved[v], count.bare[v] = count.zero, count.zero, (frozenset(), frozenset())
    for name, value in definitions:
        count.bind(name, value, name in moving)
    terms = []
    for e, kind in closing:
        count.run(e)
        t = count.moved[e] if kind == "tangent" else count.value[e]
        if t is not None:
            terms.append(Bound(plus(t.over, count.indices(e.shape)), t.under))
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
