"""Random tensors that are what was declared of them: symmetric, summing to one, positive, … in either number system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from ..algebra.expr import Expr
from ..algebra.ops.free import facts_of
from .field import Field, OutOfDomain

__all__ = ["as_declared", "having"]

Array = list[Any]
_Extents = tuple[int, ...]
_PLACES = 12  # different indices that are drawn; in an axis of n entries they are taken modulo n


def as_declared(e: Expr, values: Array, extents: _Extents, field: Field) -> Array:
    """Random entries changed so that the facts of the named tensor `e` hold."""
    return having(facts_of(e), values, extents, field)


def having(facts: Sequence[str], values: Array, extents: _Extents, field: Field) -> Array:
    """Random entries changed so that the facts hold."""
    for fact, change in _CHANGES.items():
        if fact in facts:
            values = change(values, extents, field)
    return values


def _reduced(values: Sequence[Any], field: Field) -> Array:
    return [x % field.mod for x in values] if field.mod else list(values)


def _rows(values: Array, n: int) -> list[Array]:
    return [values[i * n : (i + 1) * n] for i in range(n)]


def _masked(keep: Callable[[int, int], bool]) -> Callable[[Array, _Extents, Field], Array]:
    def change(values: Array, extents: _Extents, field: Field) -> Array:
        n = extents[1]
        return [x if keep(k // n, k % n) else x * 0 for k, x in enumerate(values)]

    return change


def _mirrored(sign: int) -> Callable[[Array, _Extents, Field], Array]:
    def change(values: Array, extents: _Extents, field: Field) -> Array:
        n = extents[0]
        found = list(values)
        for i in range(n):
            for j in range(i + 1, n):
                found[j * n + i] = sign * values[i * n + j]
            if sign < 0:
                found[i * n + i] = values[i * n + i] * 0
        return _reduced(found, field)

    return change


def _definite(values: Array, extents: _Extents, field: Field) -> Array:
    """A Aᵀ + ½ I; modulo p no matrix is positive, and any symmetric one will do."""
    if field.mod:
        return values
    rows = _rows(values, extents[0])
    half = field.number(Fraction(1, 2))
    return [
        sum(x * y for x, y in zip(a, b, strict=True)) + half * (i == j)
        for i, a in enumerate(rows)
        for j, b in enumerate(rows)
    ]


def _orthogonal(values: Array, extents: _Extents, field: Field) -> Array:
    """(I − K)⁻¹ (I + K) with K skew (Cayley). Raises OutOfDomain where I − K is singular."""
    n = extents[0]
    K = _rows(_mirrored(-1)(values, extents, field), n)
    rows = [[*((i == j) - K[i][j] for j in range(n)), *((i == j) + K[i][j] for j in range(n))] for i in range(n)]
    for c in range(n):
        p = max(range(c, n), key=lambda r: abs(rows[r][c]))
        if not rows[p][c]:
            raise OutOfDomain
        rows[c], rows[p] = rows[p], rows[c]
        scale = field.power(rows[c][c], -1)
        rows[c] = _reduced([x * scale for x in rows[c]], field)
        for r in range(n):
            if r != c and rows[r][c]:
                factor = rows[r][c]
                rows[r] = _reduced([x - factor * y for x, y in zip(rows[r], rows[c], strict=True)], field)
    return [x for row in rows for x in row[n:]]


def _to_one(values: Array, extents: _Extents, field: Field) -> Array:
    """The last entry along the last axis makes the sum 1; positive entries are divided by their sum instead."""
    n = extents[-1]
    found: Array = []
    for k in range(0, len(values), n):
        row = values[k : k + n]
        total = sum(row)
        if not field.mod and all(x > 0 for x in row):
            found += [x * field.power(total, -1) for x in row]
        else:
            found += [*row[:-1], 1 - sum(row[:-1])]
    return _reduced(found, field)


def _positive(values: Array, extents: _Extents, field: Field) -> Array:
    return values if field.mod else [abs(x) for x in values]


def _unit(values: Array, extents: _Extents, field: Field) -> Array:
    return values if field.mod else [x * field.power(1 + x, -1) for x in values]


def _index(values: Array, extents: _Extents, field: Field) -> Array:
    """Small whole numbers: places in whatever axis they are used for."""
    return [field.number(Fraction(field.position(x, _PLACES))) for x in values]


_CHANGES: dict[str, Callable[[Array, _Extents, Field], Array]] = {
    "positive": _positive,
    "unit": _unit,
    "posdef": _definite,
    "symmetric": _mirrored(1),
    "skew": _mirrored(-1),
    "lower": _masked(lambda i, j: i >= j),
    "upper": _masked(lambda i, j: i <= j),
    "diagonal": _masked(lambda i, j: i == j),
    "orthogonal": _orthogonal,
    "sums_to_one": _to_one,
    "index": _index,
}  # in the order in which they are applied
