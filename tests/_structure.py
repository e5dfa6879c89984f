"""Samples of the ops of structure: data and shapes for each, every axis with its own size."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from pullback.algebra.dims import Dim, Shape

Sample = tuple[dict[str, Any], list[Shape]]

S = {c: Dim.symbol(c) for c in ("k", "m", "n", "p", "q")}
k, m, n, p, q = S.values()
ANY: list[Shape] = [(m,), (m, n), (m, n, k), (m, n, k, p)]


def d(value: int) -> Dim:
    return Dim.number(value)


def _each_axis(**more: Any) -> list[Sample]:
    return [({"axis": a, **more}, [s]) for s in ANY[:3] for a in range(len(s))]


def _axes(**more: Any) -> list[Sample]:
    return [
        ({"axes": a, **more}, [s])
        for s in ANY[:3]
        for r in range(1, len(s) + 1)
        for a in combinations(range(len(s)), r)
    ]


def _reshapes() -> list[Sample]:
    pairs = [((m, n), (m * n,)), ((m * n,), (m, n)), ((m, n), (n, m)), ((m, n, k), (m * n, k)), ((m, n, k), (m, n * k)),
             ((m * n, k), (m, n * k)), ((m, n, k), (k, n, m)), ((m,), (d(1), m)), ((d(1), m, d(1)), (m,)), ((m, n), (m, d(1), n)),
             ((m, n, k, p), (m, n * k, p)), ((d(1), n), (n, d(1))), ((), (d(1),)), ((d(1), d(1)), ())]  # fmt: skip
    return [({"dims": new}, [old]) for old, new in pairs]


def _windows() -> list[tuple[dict[str, Any], Shape]]:
    """(data, shape of what is unfolded)"""
    return [
        ({"axis": 0, "width": k, "stride": 1, "padding": d(0), "dilation": 1, "count": q}, (q + k - d(1),)),
        ({"axis": 1, "width": d(2), "stride": 1, "padding": d(0), "dilation": 1, "count": n - d(1)}, (m, n)),
        ({"axis": 0, "width": d(3), "stride": 1, "padding": d(1), "dilation": 1, "count": m}, (m, n)),
        ({"axis": 1, "width": d(2), "stride": 1, "padding": d(2), "dilation": 2, "count": n + d(2)}, (m, n, k)),
        ({"axis": 0, "width": d(2), "stride": 2, "padding": d(1), "dilation": 1, "count": d(4)}, (d(7), n)),
        ({"axis": 0, "width": d(3), "stride": 3, "padding": d(0), "dilation": 1, "count": m}, (d(3) * m,)),
        ({"axis": 0, "width": k, "stride": 2, "padding": d(0), "dilation": 1, "count": m}, (m + n + p,)),
    ]


def _folds() -> list[Sample]:
    found = []
    for data, shape in _windows():
        a = data["axis"]
        rest = {x: data[x] for x in ("axis", "stride", "padding", "dilation")}
        found.append(({**rest, "whole": shape[a]}, [(*shape[:a], data["count"], *shape[a + 1 :], data["width"])]))
    return found


def _data(stride: Any, padding: Any, dilation: Any, count: Any, groups: Dim = Dim.number(1)) -> dict[str, Any]:  # noqa: B008
    return {
        "stride": stride,
        "padding": tuple(map(Dim.of, padding)),
        "dilation": dilation,
        "groups": groups,
        "count": count,
    }


def _conv1() -> list[Sample]:
    return [
        (_data((1,), (0,), (1,), (q,)), [(m, q + k - d(1)), (p, m, k)]),
        (_data((1,), (1,), (1,), (n,)), [(p, m, n), (q, m, d(3))]),
        (_data((2,), (1,), (1,), (d(4),)), [(m, d(7)), (n, m, d(3))]),
        (_data((1,), (0,), (2,), (n,)), [(m, n + d(2)), (p, m, d(2))]),
        (_data((1,), (0,), (1,), (n,), d(2)), [(d(2) * m, n + d(1)), (d(2) * p, m, d(2))]),
        (_data((3,), (0,), (1,), (d(2),), m), [(q, m, d(5)), (d(2) * m, d(1), d(2))]),
        (_data((2,), (0,), (1,), (n,)), [(m, n + n + q), (p, m, d(2))]),
    ]


def _conv2() -> list[Sample]:
    return [
        (_data((1, 1), (0, 0), (1, 1), (m, n)), [(k, m + d(1), n + d(2)), (p, k, d(2), d(3))]),
        (_data((1, 1), (1, 0), (1, 1), (m, d(3))), [(d(2), k, m, d(4)), (p, k, d(3), d(2))]),
        (_data((2, 1), (0, 1), (1, 2), (d(2), m), d(2)), [(d(2) * k, d(5), m), (d(2), k, d(2), d(2))]),
    ]


def _pools(padding: bool) -> Callable[[], list[Sample]]:
    extra = (lambda v: {"padding": v}) if padding else (lambda v: {"dilation": tuple(1 for _ in v)})

    def one() -> list[Sample]:
        return [
            ({"width": (d(2),), "stride": (2,), **extra((d(0),)), "count": (n,)}, [(m, d(2) * n)]),
            (
                {"width": (d(3),), "stride": (1,), **extra((d(1),)), "count": (n,) if padding else (n - d(2),)},
                [(k, m, n)],
            ),
            ({"width": (d(2),), "stride": (1,), **extra((d(0),)), "count": (m - d(1),)}, [(m,)]),
        ]

    return one


def _pools2(padding: bool) -> Callable[[], list[Sample]]:
    extra = {"padding": (d(0), d(0))} if padding else {"dilation": (1, 1)}

    def two() -> list[Sample]:
        return [
            ({"width": (d(2), d(3)), "stride": (2, 1), **extra, "count": (n, m)}, [(k, d(2) * n, m + d(2))]),
            ({"width": (d(2), d(2)), "stride": (2, 2), **extra, "count": (d(1), d(2))}, [(d(3), d(4))]),
        ]

    return two


ROWS: dict[str, Callable[[], list[Sample]]] = {
    "exchange": lambda: [({"dim": m}, [])],
    "matrix_power": lambda: [({"exponent": x}, [(n, n)]) for x in (0, 1, 2, 3, -1, -2)],
    "cyclic": lambda: [({"dim": n, "shift": d(1)}, []), ({"dim": m, "shift": k}, []), ({"dim": m, "shift": d(-1)}, [])],
    "flat": lambda: [({"dims": (m, n)}, []), ({"dims": (k, m, n)}, [])],
    "step_place": lambda: [({"total": d(2) * m + d(1), "start": d(1), "dim": m, "step": 2}, [])],
    "window": lambda: [({"whole": m + k - d(1), "count": m, "width": k, "stride": 1, "dilation": 1, "padding": d(0)}, []),
                       ({"whole": d(5), "count": d(3), "width": d(3), "stride": 2, "dilation": 1, "padding": d(1)}, [])],
    "lower": lambda: [({"rows": m, "columns": n, "offset": d(x)}, []) for x in (0, 1, -1)],
    "reshape": _reshapes,
    "unvec": lambda: [({"dims": (m, n)}, [(m * n,)])],
    "commut": lambda: [({"rows": m, "columns": n}, [])],
    "permute": lambda: [({"order": o}, [s]) for s, o in (((m, n), (1, 0)), ((m, n, k), (2, 0, 1)), ((m, n, k), (0, 2, 1)),
                                                          ((m, n, k, p), (3, 1, 0, 2)))],
    "broadcast": lambda: [({"new": a, "dim": q}, [s]) for s in ((), *ANY[:3]) for a in range(len(s) + 1)],
    "repeat": lambda: _each_axis(times=q),
    "tile": lambda: _each_axis(times=d(2)),
    "stack": lambda: [({"axis": 0}, [(m,), (m,)]), ({"axis": 1}, [(m,)] * 3), ({"axis": 1}, [(m, n)] * 2), ({"axis": 0}, [(), ()])],
    "tril": lambda: [({"offset": x}, [(m, n)]) for x in (d(0), d(1), d(-1), d(0) - k)],
    "triu": lambda: [({"offset": x}, [(n, m)]) for x in (d(0), d(2), d(-1))],
    "kron": lambda: [({}, [(m, n), (p, q)]), ({}, [(m,), (n,)])],
    "flip": _each_axis,
    "roll": lambda: [*_each_axis(shift=d(1)), *_each_axis(shift=q), *_each_axis(shift=d(-2))],
    "cumsum": _each_axis,
    "revcumsum": _each_axis,
    "strided": lambda: [({"axis": 0, "start": d(1), "dim": m, "step": 2}, [(d(2) * m + d(1),)]),
                        ({"axis": 1, "start": d(0), "dim": k, "step": 3}, [(m, d(3) * k)])],
    "spaced": lambda: [({"axis": 0, "start": d(1), "total": d(2) * m + d(1), "step": 2}, [(m,)]),
                       ({"axis": 1, "start": d(0), "total": d(3) * k, "step": 3}, [(m, k, n)])],
    "hardmax": _axes,
    "hardmin": _axes,
    "max_over": _axes,
    "min_over": _axes,
    "one_hot": lambda: [({"classes": q}, [s]) for s in ((), (m,), (m, n))],
    "gather": lambda: [({}, [(q,), (m,)]), ({}, [(q, n), (m,)]), ({}, [(q, n), ()]), ({}, [(p, k, n), (m, q)])],
    "scatter": lambda: [({"total": q}, [(m,), (m,)]), ({"total": q}, [(m, n), (m,)]), ({"total": q}, [(n,), ()]), ({"total": p}, [(m, n, k), (m, n)])],
    "pick": lambda: [({}, [(q,), ()]), ({}, [(m, q), (m,)]), ({}, [(m, n, q), (m, n)])],
    "var_over": lambda: [*_axes(ddof=0), *_axes(ddof=1)],
    "std_over": lambda: [*_axes(ddof=0), *_axes(ddof=1)],
    "prod_over": _axes,
    "prod_except": lambda: [*_axes(times=1), ({"axes": (0,), "times": 2}, [(m,)]), ({"axes": (1,), "times": 2}, [(m, n)])],
    "unfold": lambda: [(data, [shape]) for data, shape in _windows()],
    "fold": _folds,
    "conv1d": _conv1,
    "conv2d": _conv2,
    "avgpool1d": _pools(True),
    "maxpool1d": _pools(False),
    "avgpool2d": _pools2(True),
    "maxpool2d": _pools2(False),
}  # fmt: skip
