"""Samples of the ops of learning whose shapes the signature leaves open, and those for the gradients of test_learning.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pullback.algebra.dims import Dim, Shape

Sample = tuple[dict[str, Any], list[Shape]]

k, m, n, p, q = (Dim.symbol(c) for c in "kmnpq")
ANY: list[Shape] = [(m,), (m, n), (m, n, k), (m, n, k, p)]


def _last(*slots: int) -> Callable[[], list[Sample]]:
    """A tensor, and for each of the slots a number for every place of its last axis (1) or one number (0)."""
    return lambda: [({}, [s, *((s[-1],) if x else () for x in slots)]) for s in ANY]


def _channels(first: int, *slots: int, **more: Any) -> Callable[[], list[Sample]]:
    """The same with channels, axis 1, for a tensor with `first` axes at least."""
    return lambda: [(more, [s, *((s[1],) if x else () for x in slots)]) for s in ANY[first - 1 :]]


def _groups(*slots: int) -> Callable[[], list[Sample]]:
    shapes: list[tuple[Dim, Shape]] = [(k, (m, k * n)), (Dim.number(2), (m, Dim.number(2) * n, k)), (n, (m, n, k))]
    return lambda: [({"groups": g}, [s, *((s[1],) if x else () for x in slots)]) for g, s in shapes]


def _pairs() -> list[Sample]:
    return [
        ({}, [(m,), (m,), (n,), (n,)]),
        ({}, [(), (), (m,), (m,)]),
        ({}, [(m, n), (m, n), (k,), (k,)]),
        ({}, [(m, n)] * 4),
    ]


ROWS: dict[str, Callable[[], list[Sample]]] = {
    "layernorm": _last(1, 1, 0),
    "scaled_rmsnorm": _last(1, 0),
    "batch_norm": _channels(2, 0),
    "scaled_batch_norm": _channels(2, 1, 1, 0),
    "instance_norm": _channels(3, 0),
    "scaled_instance_norm": _channels(3, 1, 1, 0),
    "group_norm": _groups(0),
    "scaled_group_norm": _groups(1, 1, 0),
    "elbo_gaussian": _pairs,
    "elbo_bernoulli": _pairs,
}
