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


def _attended(*slots: str) -> Callable[[], list[Sample]]:
    """Queries, keys, values and pairs by their letters, alone and with other axes in front."""
    sizes = dict(zip("mnkp", (m, n, k, p), strict=True))
    return lambda: [({}, [(*front, *(sizes[c] for c in s)) for s in slots]) for front in ((), (q,), (Dim.number(2), q))]


def _vectors(fronts: int, *slots: str, sizes: dict[str, Dim] | None = None) -> Callable[[], list[Sample]]:
    """Vectors by the letter of their size, alone and with other axes in front of the first ones; matrices behind."""
    named = {"m": m, "n": n, "k": k, "p": p, "q": q, **(sizes or {})}

    def shapes(front: Shape) -> list[Shape]:
        return [(*(front if i < fronts else ()), *(named[c] for c in s)) for i, s in enumerate(slots)]

    return lambda: [({}, shapes(front)) for front in ((), (Dim.symbol("b"),), (Dim.symbol("b"), Dim.symbol("c")))]


_TWO, _THREE = Dim.number(2), Dim.number(3)
_HEADS = [
    ({"heads": _TWO}, [(m, _TWO * k), (n, _TWO * k), (n, _TWO * p)]),
    ({"heads": k}, [(m, k), (n, k), (n, k * p)]),
]

ROWS |= {
    "attention_weights": _attended("mk", "nk"),
    "attention": _attended("mk", "nk", "np"),
    "biased_attention_weights": _attended("mk", "nk", "mn"),
    "biased_attention": _attended("mk", "nk", "np", "mn"),
    "masked_attention_weights": _attended("mk", "nk", "mn"),
    "masked_attention": _attended("mk", "nk", "np", "mn"),
    "causal_attention_weights": _attended("mk", "nk"),
    "causal_attention": _attended("mk", "nk", "np"),
    "masked_softmax": lambda: [({}, [s, s]) for s in ANY],
    "multi_head_attention": lambda: _HEADS,
    "causal_multi_head_attention": lambda: _HEADS,
    "grouped_query_attention": lambda: [
        ({"heads": _TWO * _THREE, "groups": _TWO}, [(m, _TWO * _THREE * k), (n, _TWO * k), (n, _TWO * p)]),
        ({"heads": k * p, "groups": k}, [(m, k * p), (n, k), (n, k)]),
    ],
    "rotate_half": lambda: [({}, [(*s[:-1], _TWO * s[-1])]) for s in ANY[:3]],
    "rope": lambda: [({}, [(*s[:-1], _TWO * s[-1])] * 2) for s in ANY[:3]],
    "dense": _vectors(1, "n", "mn", "m"),
    "bilinear": _vectors(2, "m", "n", "kmn"),
    "lora": _vectors(1, "n", "mn", "kn", "mk", ""),
    "glu": lambda: [({}, [(*s[:-1], _TWO * s[-1])]) for s in ANY[:3]],
    "swiglu": _vectors(1, "n", "mn", "mn"),
    "geglu": _vectors(1, "n", "mn", "mn"),
    "reglu": _vectors(1, "n", "mn", "mn"),
    "mixture": _vectors(2, "k", "kn"),
    "rnn_cell": _vectors(2, "n", "m", "mn", "mm", "m"),
    "lstm_state": _vectors(3, "n", "k", "k", "gn", "gk", "g", sizes={"g": Dim.number(4) * k}),
    "lstm_cell": _vectors(3, "n", "k", "k", "gn", "gk", "g", sizes={"g": Dim.number(4) * k}),
    "gru_cell": _vectors(2, "n", "k", "gn", "gk", "g", "g", sizes={"g": _THREE * k}),
}
