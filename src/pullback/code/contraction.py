"""In which order the factors of an index sum are multiplied, two at a time (theory.md §8.1).

The cost of one product is the number of its multiplications, the product of the sizes of all legs of both factors. A leg is
summed as soon as no other factor and no result needs it. Up to ten factors the cheapest order of all is found by dynamic
programming over subsets; beyond, the cheapest of several: the pair first that makes the smallest array; the cheapest order in
which only neighbours are multiplied, which for a chain of matrices is the cheapest of all; the order of the text; and, where
opt_einsum is installed, the one that it finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from math import prod

__all__ = ["Path", "cost_of", "left_to_right", "path"]

_EXACT = 10  # factors up to which every order is compared: 3^10 pairs of subsets

_DYNAMIC = 16  # factors up to which opt_einsum compares all orders
_NEIGHBOURS = 64  # factors up to which the orders of neighbours are compared: n^3 / 6 cuts

Legs = frozenset[int]
Path = list[tuple[int, int]]  # pairs of factors to multiply; the product is appended to the list of factors


def path(factors: Sequence[Legs], outs: Legs, sizes: Mapping[int, int]) -> Path:
    """The cheapest order; of equally cheap ones that with the smaller arrays, then that of the text."""
    if len(factors) < 2:
        return []
    if len(factors) <= _EXACT:
        return _exact(factors, outs, sizes)
    found = [_greedy(factors, outs, sizes), left_to_right(len(factors))]
    if len(factors) <= _NEIGHBOURS:
        found.append(_neighbours(factors, outs, sizes))
    found += _of_opt_einsum(factors, outs, sizes)
    return min(found, key=lambda order: cost_of(factors, outs, sizes, order))


def left_to_right(count: int) -> Path:
    """The order of the text."""
    return [(0, 1), *((count + k, k + 2) for k in range(count - 2))]


def cost_of(factors: Sequence[Legs], outs: Legs, sizes: Mapping[int, int], order: Path) -> int:
    """The multiplications of this order."""
    have = dict(enumerate(factors))
    total = 0
    for step, (a, b) in enumerate(order):
        both = have.pop(a) | have.pop(b)
        total += _size(both, sizes)
        have[len(factors) + step] = both & outs.union(*have.values())
    return total


def _size(legs: Legs, sizes: Mapping[int, int]) -> int:
    return prod(sizes[i] for i in legs)


def _of_opt_einsum(factors: Sequence[Legs], outs: Legs, sizes: Mapping[int, int]) -> list[Path]:
    """The order that opt_einsum finds, none where it is not installed. (Its random searches are left out: code is the same twice.)"""
    try:
        paths = import_module("opt_einsum").paths
    except ImportError:
        return []
    find = paths.dynamic_programming if len(factors) <= _DYNAMIC else paths.greedy
    have = list(range(len(factors)))
    order: Path = []
    for pair in find([frozenset(f) for f in factors], frozenset(outs), dict(sizes)):
        some = [have[k] for k in pair]
        have = [n for k, n in enumerate(have) if k not in pair]
        for n in some[1:]:  # more than two at once: one after the other
            order.append((some[0], n))
            some[0] = len(factors) + len(order) - 1
        have.append(some[0])
    return [order]


def _exact(factors: Sequence[Legs], outs: Legs, sizes: Mapping[int, int]) -> Path:
    n = len(factors)
    everything = (1 << n) - 1
    inside: list[Legs] = [frozenset()] * (everything + 1)
    for s in range(1, everything + 1):
        low = s & -s
        inside[s] = inside[s ^ low] | factors[low.bit_length() - 1]
    kept = [legs & (outs | inside[everything ^ s]) for s, legs in enumerate(inside)]
    area = [_size(legs, sizes) for legs in kept]
    # cost, entries made, products that are neither entrywise nor of matrices, first half
    best: dict[int, tuple[int, int, int, int]] = {1 << k: (0, 0, 0, 0) for k in range(n)}
    for s in range(1, everything + 1):
        if s in best:
            continue
        low, found = s & -s, None
        rest = s ^ low
        part = 0
        while part != rest:  # every way to cut s in two, the first factor in the first half
            first, second = low | part, rest ^ part
            cost = best[first][0] + best[second][0] + _size(kept[first] | kept[second], sizes)
            made = best[first][1] + best[second][1] + area[s]
            alike = kept[first] == kept[second] and kept[s] != kept[first] and bool(kept[s])
            rowwise = best[first][2] + best[second][2] + alike
            if found is None or (cost, made, rowwise) < found[:3]:
                found = (cost, made, rowwise, first)
            part = (part - rest) & rest  # the next larger subset of the rest
        assert found is not None
        best[s] = found
    order: Path = []
    name: dict[int, int] = {1 << k: k for k in range(n)}
    stack = [everything]
    while stack:
        s = stack[-1]
        first = best[s][3]
        waiting = [h for h in (s ^ first, first) if h not in name]
        if waiting:
            stack += waiting
            continue
        stack.pop()
        name[s] = n + len(order)
        order.append((name[first], name[s ^ first]))
    return order


def _neighbours(factors: Sequence[Legs], outs: Legs, sizes: Mapping[int, int]) -> Path:
    """The cheapest order among those that only multiply runs of factors that stand side by side."""
    n = len(factors)
    before = [outs]  # the legs that are needed outside of a run
    for legs in factors:
        before.append(before[-1] | legs)
    after = [frozenset[int]()] * (n + 1)
    for k in range(n - 1, -1, -1):
        after[k] = after[k + 1] | factors[k]
    kept: dict[tuple[int, int], Legs] = {}
    cost: dict[tuple[int, int], int] = {}
    cut: dict[tuple[int, int], int] = {}
    for i in range(n):
        inside: Legs = frozenset()
        for j in range(i + 1, n + 1):
            inside |= factors[j - 1]
            kept[i, j] = inside & (before[i] | after[j])
        cost[i, i + 1] = 0
    for length in range(2, n + 1):
        for i in range(n - length + 1):
            j = i + length
            cost[i, j], cut[i, j] = min(
                (cost[i, k] + cost[k, j] + _size(kept[i, k] | kept[k, j], sizes), k) for k in range(i + 1, j)
            )
    order: Path = []
    name = {(k, k + 1): k for k in range(n)}
    stack = [(0, n)]
    while stack:
        i, j = stack[-1]
        if (i, j) in name:
            stack.pop()
            continue
        halves = [(i, cut[i, j]), (cut[i, j], j)]
        waiting = [h for h in halves if h not in name]
        if waiting:
            stack += reversed(waiting)
            continue
        stack.pop()
        name[i, j] = n + len(order)
        order.append((name[halves[0]], name[halves[1]]))
    return order


def _greedy(factors: Sequence[Legs], outs: Legs, sizes: Mapping[int, int]) -> Path:
    have = dict(enumerate(factors))
    uses: dict[int, int] = {}
    for legs in factors:
        for i in legs:
            uses[i] = uses.get(i, 0) + 1
    order: Path = []
    made = len(factors)
    while len(have) > 1:
        names = list(have)
        near = [(a, b) for k, a in enumerate(names) for b in names[k + 1 :] if have[a] & have[b]]

        def grown(pair: tuple[int, int]) -> tuple[int, int, int]:
            left, right = have[pair[0]], have[pair[1]]
            result = frozenset(i for i in left | right if i in outs or uses[i] > (i in left) + (i in right))
            return _size(result, sizes) - _size(left, sizes) - _size(right, sizes), *pair

        a, b = min(near, key=grown) if near else (names[0], names[1])
        left, right = have.pop(a), have.pop(b)
        for i in left & right:
            uses[i] -= 1
        have[made] = frozenset(i for i in left | right if i in outs or any(i in legs for legs in have.values()))
        order.append((a, b))
        made += 1
    return order
