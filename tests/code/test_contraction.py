"""Orders of long products: with and without opt_einsum never dearer than left to right, and the cheapest for chains."""

from __future__ import annotations

import sys
from itertools import combinations
from random import Random
from typing import Any

import pytest

import pullback as pb
from pullback.code.contraction import Path, _of_opt_einsum, cost_of, left_to_right, path

Network = tuple[list[frozenset[int]], frozenset[int], dict[int, int]]


@pytest.fixture(params=["with opt_einsum", "without"])
def installed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "without":
        monkeypatch.setitem(sys.modules, "opt_einsum", None)  # importing it fails
        return False
    pytest.importorskip("opt_einsum")
    return True


def network(seed: int) -> Network:
    """A random network of 11 to 24 factors: a tree, and some legs more, some of them shared by three factors."""
    random = Random(seed)
    count = random.randrange(11, 25)
    legs: list[set[int]] = [set() for _ in range(count)]
    edges = [(random.randrange(k), k) for k in range(1, count)]
    edges += random.sample(list(combinations(range(count), 2)), random.randrange(count // 2))
    for n, (a, b) in enumerate(edges):
        legs[a].add(n)
        legs[b].add(n)
        if random.random() < 0.1:
            legs[random.randrange(count)].add(n)
    some = [n for n in range(len(edges)) if random.random() < 0.1]
    random.shuffle(legs)
    return (
        [frozenset(f) for f in legs],
        frozenset(some),
        {n: random.choice([2, 3, 5, 17, 64]) for n in range(len(edges))},
    )


def is_whole(order: Path, count: int) -> bool:
    """Whether every factor and every product but the last is used once, after it was made."""
    there = set(range(count))
    for k, (a, b) in enumerate(order):
        if not {a, b} <= there or a == b:
            return False
        there = (there - {a, b}) | {count + k}
    return len(there) == 1


@pytest.mark.parametrize("seed", range(24))
def test_never_dearer_than_left_to_right(seed: int, installed: bool) -> None:
    factors, outs, sizes = network(seed)
    order = path(factors, outs, sizes)
    assert is_whole(order, len(factors))
    assert cost_of(factors, outs, sizes, order) <= cost_of(factors, outs, sizes, left_to_right(len(factors)))
    found = _of_opt_einsum(factors, outs, sizes)
    assert len(found) == installed
    for other in found:
        assert is_whole(other, len(factors))
        assert cost_of(factors, outs, sizes, order) <= cost_of(factors, outs, sizes, other)
    assert order == path(factors, outs, sizes)  # the same twice


@pytest.mark.parametrize("seed", range(6))
def test_a_chain_has_its_cheapest_order(seed: int, installed: bool) -> None:
    """Against the textbook's dynamic programming for a product of matrices."""
    random = Random(seed)
    n = random.randrange(11, 24)
    dims = [random.randrange(1, 50) for _ in range(n + 1)]
    factors = [frozenset({k, k + 1}) for k in range(n)]
    best: dict[tuple[int, int], int] = {(k, k): 0 for k in range(n)}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            best[i, j] = min(best[i, k] + best[k + 1, j] + dims[i] * dims[k + 1] * dims[j + 1] for k in range(i, j))
    ends, sizes = frozenset({0, n}), dict(enumerate(dims))
    assert cost_of(factors, ends, sizes, path(factors, ends, sizes)) == best[0, n - 1]


def test_the_plan_prints_the_comparison(installed: bool) -> None:
    names = [f"A{k}" for k in range(12)]
    text = "\n".join([*(f"{n} : (n{k}, n{k + 1})" for k, n in enumerate(names)), f"E = ‖{' '.join(names)} x‖²"])
    out = pb.derive(text, wrt="x").plan(sizes={f"n{k}": 10 + k for k in range(13)})
    orders = [line for line in out.split("\n") if line.startswith("order: ")]
    assert orders
    for line in orders:
        _, _, costs = line.split(": ", 2)
        chosen, written = (int("".join(c for c in part if c.isdigit())) for part in costs.split(","))
        assert chosen <= written


def test_the_code_computes_the_product(installed: bool) -> None:
    np: Any = pytest.importorskip("numpy")
    names = [f"A{k}" for k in range(11)]
    text = "\n".join([*(f"{n} : (n{k}, n{k + 1})" for k, n in enumerate(names)), f"E = ‖{' '.join(names)} x‖²"])
    d = pb.derive(text, wrt=["x", "A5"])
    rng = np.random.default_rng(0)
    shape = [2 + k % 4 for k in range(12)]
    given = {n: rng.normal(size=(shape[k], shape[k + 1])) for k, n in enumerate(names)} | {
        "x": rng.normal(size=shape[11])
    }
    value, found = d.compile("numpy")(**given)
    wanted_value, wanted = d.evaluate(**given)
    assert np.isclose(value, wanted_value)
    for n in ("x", "A5"):
        np.testing.assert_allclose(found[n], wanted[n], rtol=1e-10)
