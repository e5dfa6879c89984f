"""Matrix functions and decompositions in floats, for small matrices: what has no exact arithmetic. A matrix is a list of rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from .dense import Matrix, Singular, identity, inverse, product, solved, transposed

__all__ = [
    "cholesky", "cosm", "eigenvalues", "eigenvectors", "expm", "largest_eigenvalue", "largest_eigenvector", "logm",
    "nuclear_norm", "polar", "positive", "root", "singular_values", "sinm", "sqrtm", "svd", "symmetric", "top",
]  # fmt: skip

_SWEEPS = 60
_CLOSE = 1e-3  # eigenvalues closer than this, relative to the largest, are too close to be told apart
_TERMS = 24


def symmetric(X: Matrix) -> Matrix:
    """½ (X + Xᵀ)."""
    return [[(x + y) / 2 for x, y in zip(a, b, strict=True)] for a, b in zip(X, transposed(X), strict=True)]


def _norm(X: Matrix) -> float:
    found = max(sum(map(abs, row)) for row in X)
    if not math.isfinite(found):
        raise OverflowError
    return float(found)


def _rotation(a: float, b: float, c: float) -> tuple[float, float]:
    """cos and sin of the turn that makes [a c; c b] diagonal."""
    t = (b - a) / (2 * c)
    t = math.copysign(1.0, t) / (abs(t) + math.hypot(1.0, t))
    cosine = 1 / math.hypot(1.0, t)
    return cosine, t * cosine


def _turn(x: list[float], y: list[float], c: float, s: float) -> tuple[list[float], list[float]]:
    pairs = list(zip(x, y, strict=True))
    return [c * a - s * b for a, b in pairs], [s * a + c * b for a, b in pairs]


def _eigen(X: Matrix) -> tuple[list[float], Matrix]:
    """The eigenvalues of the symmetric part, ascending, and the rows of Vᵀ: Jacobi's method."""
    S, n = symmetric(X), len(X)
    V: Matrix = [[float(x) for x in row] for row in identity(n)]
    for _ in range(_SWEEPS):
        off = sum(S[i][j] ** 2 for i in range(n) for j in range(i))
        if off <= 1e-34 * max(sum(x * x for row in S for x in row), 1e-300):
            break
        for i in range(n):
            for j in range(i + 1, n):
                if abs(S[i][j]) > 1e-300:
                    c, s = _rotation(S[i][i], S[j][j], S[i][j])
                    S[i], S[j] = _turn(S[i], S[j], c, s)
                    for row in S:
                        row[i], row[j] = c * row[i] - s * row[j], s * row[i] + c * row[j]
                    V[i], V[j] = _turn(V[i], V[j], c, s)
    order = sorted(range(n), key=lambda k: S[k][k])
    return [S[k][k] for k in order], [V[k] for k in order]


def _positive(v: list[float]) -> list[float]:
    """The vector with its sign chosen so that its first entry is positive. Raises Singular."""
    if abs(v[0]) < _CLOSE:
        raise Singular
    return [-x for x in v] if v[0] < 0 else v


def _apart(values: list[float]) -> list[float]:
    """The values, no two of them equal. Raises Singular."""
    if any(abs(a - b) < _CLOSE * max(map(abs, values)) for a, b in itertools.pairwise(values)):
        raise Singular
    return values


def eigenvalues(X: Matrix) -> list[float]:
    return _apart(_eigen(X)[0])


def eigenvectors(X: Matrix) -> Matrix:
    """V with its columns in the order of the eigenvalues."""
    values, rows = _eigen(X)
    _apart(values)
    return transposed([_positive(v) for v in rows])


def largest_eigenvalue(X: Matrix) -> float:
    return _apart(_eigen(X)[0][-2:])[-1]


def largest_eigenvector(X: Matrix) -> list[float]:
    values, rows = _eigen(X)
    _apart(values[-2:])
    return _positive(rows[-1])


def svd(X: Matrix) -> tuple[Matrix, list[float], Matrix]:
    """Columns of U, singular values in descending order, columns of V, by one-sided Jacobi rotations: X = Σ s u vᵀ."""
    wide = len(X) < len(X[0])
    U: Matrix = [[float(x) for x in row] for row in (X if wide else transposed(X))]
    n = len(U)
    V: Matrix = [[float(x) for x in row] for row in identity(n)]
    for _ in range(_SWEEPS):
        moved = False
        for i in range(n):
            for j in range(i + 1, n):
                a, b = sum(x * x for x in U[i]), sum(x * x for x in U[j])
                c = sum(x * y for x, y in zip(U[i], U[j], strict=True))
                if abs(c) > 1e-17 * math.sqrt(a * b):
                    moved = True
                    turn = _rotation(a, b, c)
                    U[i], U[j] = _turn(U[i], U[j], *turn)
                    V[i], V[j] = _turn(V[i], V[j], *turn)
        if not moved:
            break
    lengths = [math.sqrt(sum(x * x for x in u)) for u in U]
    order = sorted(range(n), key=lambda k: -lengths[k])
    values = [lengths[k] for k in order]
    if values[-1] <= _CLOSE * values[0]:
        raise Singular
    left, right = [[x / lengths[k] for x in U[k]] for k in order], [V[k] for k in order]
    return (right, values, left) if wide else (left, values, right)


def singular_values(X: Matrix) -> list[float]:
    return _apart(svd(X)[1])


def nuclear_norm(X: Matrix) -> float:
    return sum(svd(X)[1])


def polar(X: Matrix) -> Matrix:
    """U Vᵀ."""
    left, _, right = svd(X)
    return product(transposed(left), right)


def top(X: Matrix) -> Matrix:
    """u₁ v₁ᵀ, the singular vectors of the largest singular value. Raises Singular where that is not simple."""
    left, values, right = svd(X)
    _apart(values[:2])
    return [[u * v for v in right[0]] for u in left[0]]


def cholesky(X: Matrix) -> Matrix:
    """Lower triangular L with L Lᵀ the symmetric part of X. Raises Singular."""
    S, n = symmetric(X), len(X)
    L: Matrix = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = S[i][j] - sum(L[i][k] * L[j][k] for k in range(j))
            if i == j and rest <= _CLOSE * abs(S[i][i]):
                raise Singular
            L[i][j] = math.sqrt(rest) if i == j else rest / L[j][j]
    return L


def expm(X: Matrix) -> Matrix:
    """e^X: e^(X/2ᵏ) by its power series, squared k times."""
    halvings = max(0, math.frexp(_norm(X))[1] + 2)
    small = [[x / 2**halvings for x in row] for row in X]
    found: Matrix = [[float(x) for x in row] for row in identity(len(X))]
    for k in range(_TERMS, 0, -1):
        found = _plus(product([[x / k for x in row] for row in small], found), 1.0)
    for _ in range(halvings):
        found = product(found, found)
    return found


def _plus(X: Matrix, c: float) -> Matrix:
    """X + c I."""
    return [[x + c * (i == j) for j, x in enumerate(row)] for i, row in enumerate(X)]


def _turned_exp(X: Matrix) -> Matrix:
    """e^[0 −X; X 0] = [cos X, −sin X; sin X, cos X]."""
    n = len(X)
    return expm([[0.0] * n + [-x for x in row] for row in X] + [[*row, *([0.0] * n)] for row in X])


def cosm(X: Matrix) -> Matrix:
    return [row[: len(X)] for row in _turned_exp(X)[: len(X)]]


def sinm(X: Matrix) -> Matrix:
    return [row[: len(X)] for row in _turned_exp(X)[len(X) :]]


def sqrtm(X: Matrix) -> Matrix:
    """The positive definite root of the symmetric part. Raises Singular where that is not positive definite."""
    values, rows = _eigen(X)
    if values[0] <= _CLOSE * values[-1]:
        raise Singular
    scaled = [[math.sqrt(x) * v for v in row] for x, row in zip(values, rows, strict=True)]
    return product(transposed(rows), scaled)


def root(X: Matrix) -> Matrix:
    """The principal root of a matrix without eigenvalues on the negative axis: the iteration of Denman and Beavers."""
    Y, Z = X, [[float(x) for x in row] for row in identity(len(X))]
    for _ in range(_SWEEPS):
        A, B = inverse(Z), inverse(Y)
        new = [[(x + y) / 2 for x, y in zip(a, b, strict=True)] for a, b in zip(Y, A, strict=True)]
        Z = [[(x + y) / 2 for x, y in zip(a, b, strict=True)] for a, b in zip(Z, B, strict=True)]
        change = _norm([[x - y for x, y in zip(a, b, strict=True)] for a, b in zip(new, Y, strict=True)])
        Y = new
        if change <= 1e-15 * _norm(Y):
            break
    return Y


def logm(X: Matrix) -> Matrix:
    """The principal logarithm of a matrix without eigenvalues on the negative axis: 2ᵏ log X^(1/2ᵏ), by the series of artanh."""
    roots = 0
    while _norm(_plus(X, -1.0)) > 0.25 and roots < 40:
        X, roots = root(X), roots + 1
    Z = solved(_plus(X, 1.0), _plus(X, -1.0))
    square, term = product(Z, Z), Z
    total = [list(row) for row in Z]
    for k in range(1, _TERMS):
        term = product(term, square)
        total = [[x + y / (2 * k + 1) for x, y in zip(a, b, strict=True)] for a, b in zip(total, term, strict=True)]
    return [[2.0 ** (roots + 1) * x for x in row] for row in total]


def positive(f: Callable[..., Any], X: Matrix) -> Any:
    """f of the symmetric part, which is positive definite. Raises Singular."""
    cholesky(X)
    return f(symmetric(X))
