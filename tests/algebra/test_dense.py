"""Algorithms of algebra/dense.py against each other."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from pullback.algebra.dense import Dual, Matrix, Residue, frechet, power_series, product

P = 2**61 - 1


def horner(coefficients: list[int], X: Matrix) -> Matrix:
    """Σ cₖ Xᵏ by products of whole matrices."""
    found: Matrix = [[coefficients[-1] * (i == j) + 0 * X[i][j] for j in range(len(X))] for i in range(len(X))]
    for c in reversed(coefficients[:-1]):
        found = [[x + c * (i == j) for j, x in enumerate(row)] for i, row in enumerate(product(found, X))]
    return found


def plain(x: Any) -> tuple[int, ...]:
    return (
        (*plain(x.value), *plain(x.slope)) if isinstance(x, Dual) else ((x.value if isinstance(x, Residue) else x) % P,)
    )


@pytest.mark.parametrize("directions", [0, 1, 2, 3])
@pytest.mark.parametrize("dual", [False, True])
def test_a_power_series_along_directions_is_a_corner_of_that_of_a_block_matrix(directions: int, dual: bool) -> None:
    random = Random(directions)

    def matrix() -> Matrix:
        def entry() -> Any:
            return Residue(random.randrange(P), P)

        return [[Dual(entry(), entry()) if dual else entry() for _ in range(3)] for _ in range(3)]

    X, along = matrix(), [matrix() for _ in range(directions)]
    coefficients = [random.randrange(P) for _ in range(7)]
    expected = frechet(lambda Y: horner(coefficients, Y), X, *along)
    assert [list(map(plain, row)) for row in power_series(coefficients, P, X, *along)] == [
        list(map(plain, row)) for row in expected
    ]
