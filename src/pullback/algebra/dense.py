"""Linear algebra on numbers of any field: residues, fractions, floats, and dual numbers a + ε b over each of these.

A matrix is a list of rows. The tangent of an algorithm is the same algorithm run on dual numbers: no derivative is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add, mul
from typing import Any

from .series import Series

__all__ = [
    "Dual", "Matrix", "Residue", "Singular", "determinant", "flat", "frechet", "identity", "inverse", "lyapunov",
    "nested", "power_series", "product", "pseudoinverse", "solved", "sylvester", "transposed",
]  # fmt: skip

Matrix = list[list[Any]]
_TINY = 1e-13  # a float pivot that is smaller than this, relative to its matrix, is no pivot


class Singular(ArithmeticError):
    """The algorithm divides by zero here: the point is outside the domain."""


class Residue:
    """An integer modulo a prime."""

    __slots__ = ("p", "value")

    def __init__(self, value: int, p: int) -> None:
        self.value, self.p = value, p

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Dual):
            return NotImplemented
        return Residue((self.value + _plain(other)) % self.p, self.p)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, Dual):
            return NotImplemented
        return Residue((self.value - _plain(other)) % self.p, self.p)

    def __rsub__(self, other: Any) -> Any:
        if isinstance(other, Dual):
            return NotImplemented
        return Residue((_plain(other) - self.value) % self.p, self.p)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Dual):
            return NotImplemented
        return Residue(self.value * _plain(other) % self.p, self.p)

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Dual):
            return NotImplemented
        return Residue(self.value * pow(_plain(other), -1, self.p) % self.p, self.p)

    def __neg__(self) -> Residue:
        return Residue(-self.value % self.p, self.p)

    def __bool__(self) -> bool:
        return self.value != 0

    __radd__, __rmul__ = __add__, __mul__


def _plain(x: Any) -> int:
    found: int = x.value if isinstance(x, Residue) else x
    return found


class Dual:
    """a + ε b with ε² = 0: a value and its slope."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __add__(self, other: Any) -> Dual:
        if not isinstance(other, Dual):
            return Dual(self.value + other, self.slope)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other: Any) -> Dual:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Dual:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Dual:
        if not isinstance(other, Dual):
            return Dual(self.value * other, self.slope * other)
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def __truediv__(self, other: Any) -> Dual:
        if not isinstance(other, Dual):
            return Dual(_over(self.value, other), _over(self.slope, other))
        value = _over(self.value, other.value)
        return Dual(value, _over(self.slope - value * other.slope, other.value))

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __rtruediv__(self, other: Any) -> Dual:
        return Dual(other, self.value * 0) / self

    __radd__, __rmul__ = __add__, __mul__


def _over(a: Any, b: Any) -> Any:
    if isinstance(a, int) and not isinstance(b, int | float):
        a = b * 0 + a  # 0 and 1 of an identity, as numbers of the field
    return a * b.inverse() if isinstance(b, Series) else a / b


def _weight(x: Any) -> float:
    """How good a pivot x is: 0 if it is none."""
    while isinstance(x, Dual):
        x = x.value
    if isinstance(x, float):
        return abs(x)
    return float(bool(x.at(0) if isinstance(x, Series) else x))


# ---- arrays ----------------------------------------------------------------------------------------------


def nested(entries: Sequence[Any], extents: Sequence[int]) -> Any:
    """A scalar, a list, or a list of rows, … of entries in row-major order."""
    found: list[Any] = list(entries)
    for n in reversed(extents[1:]):
        found = [found[k : k + n] for k in range(0, len(found), n)] if n else []
    return found if extents else found[0]


def flat(value: Any, order: int) -> list[Any]:
    """The entries in row-major order."""
    found: list[Any] = [value]
    for _ in range(order):
        found = [x for part in found for x in part]
    return found


def identity(n: int) -> Matrix:
    return [[int(i == j) for j in range(n)] for i in range(n)]


def transposed(A: Matrix) -> Matrix:
    return [list(column) for column in zip(*A, strict=True)]


def product(A: Matrix, B: Matrix) -> Matrix:
    columns = list(zip(*B, strict=True))
    return [[sum(map(mul, row, column)) for column in columns] for row in A]


# ---- elimination -----------------------------------------------------------------------------------------


def _eliminated(rows: Matrix) -> tuple[Matrix, int, bool]:
    """Row echelon form of the first n columns, the sign of the row exchanges, and whether every pivot was found."""
    n, sign = len(rows), 1
    rows = [list(r) for r in rows]
    scale = max((_weight(x) for r in rows for x in r[:n]), default=0.0)
    for c in range(n):
        best = max(range(c, n), key=lambda k: _weight(rows[k][c]))
        if _weight(rows[best][c]) <= _TINY * scale:
            return rows, 0, False
        if best != c:
            rows[c], rows[best], sign = rows[best], rows[c], -sign
        top = rows[c]
        for k in range(c + 1, n):
            factor = _over(rows[k][c], top[c])
            rows[k] = [
                *rows[k][: c + 1],
                *(x - factor * y for x, y in zip(rows[k][c + 1 :], top[c + 1 :], strict=True)),
            ]
    return rows, sign, True


def solved(A: Matrix, B: Matrix) -> Matrix:
    """A⁻¹ B by elimination. Raises Singular."""
    n = len(A)
    rows, _, whole = _eliminated([[*a, *b] for a, b in zip(A, B, strict=True)])
    if not whole:
        raise Singular
    found: Matrix = [[] for _ in range(n)]
    for k in reversed(range(n)):
        right = rows[k][n:]
        for j in range(k + 1, n):
            right = [x - rows[k][j] * y for x, y in zip(right, found[j], strict=True)]
        found[k] = [_over(x, rows[k][k]) for x in right]
    return found


def inverse(A: Matrix) -> Matrix:
    """Raises Singular."""
    return solved(A, identity(len(A)))


def determinant(A: Matrix) -> Any:
    """The product of the pivots. Raises Singular where it is 0: there its derivative has another form."""
    rows, sign, whole = _eliminated(A)
    if not whole:
        raise Singular
    found: Any = sign
    for k, row in enumerate(rows):
        found = found * row[k]
    return found


def pseudoinverse(X: Matrix) -> Matrix:
    """(XᵀX)⁻¹Xᵀ of a tall matrix of full rank, Xᵀ(XXᵀ)⁻¹ of a wide one. Raises Singular."""
    T = transposed(X)
    if len(X) >= len(T):
        return solved(product(T, X), T)
    return transposed(solved(product(X, T), X))


def lyapunov(A: Matrix, Q: Matrix) -> Matrix:
    """X with A X + X Aᵀ = Q. Raises Singular."""
    return sylvester(A, transposed(A), Q)


def sylvester(A: Matrix, B: Matrix, C: Matrix) -> Matrix:
    """X with A X + X B = C: one linear equation for each entry of C. Raises Singular."""
    m, n = range(len(A)), range(len(B))
    zero = A[0][0] * 0
    rows = [
        [zero + (A[i][k] if q == j else 0) + (B[q][j] if k == i else 0) for k in m for q in n] for i in m for j in n
    ]
    found = solved(rows, [[C[i][j]] for i in m for j in n])
    return [[found[i * len(B) + j][0] for j in n] for i in m]


# ---- functions of a matrix -------------------------------------------------------------------------------


def power_series(coefficients: Sequence[int], p: int, X: Matrix, *directions: Matrix) -> Matrix:
    """Σ cₖ Xᵏ modulo p, or its derivative along the directions, for residues or dual numbers of residues.

    The derivative is the coefficient of ε₁ε₂… in the series of X + ε₁E₁ + ε₂E₂ + …, where every εᵢ² = 0; the ε of dual
    numbers is one more. A matrix is kept for each set of ε, a bit for each: integers, reduced once per product.
    """
    n, all_of = len(X), 2 ** len(directions) - 1
    parts = {0: X} | {2**k: E for k, E in enumerate(directions)}
    dual = any(isinstance(x, Dual) for M in parts.values() for row in M for x in row)
    given = {
        2 * s: [[_plain(x.value if isinstance(x, Dual) else x) for x in row] for row in M] for s, M in parts.items()
    }
    if dual:
        given |= {2 * s + 1: [[_plain(x.slope) if isinstance(x, Dual) else 0 for x in row] for row in M]
                  for s, M in parts.items()}  # fmt: skip
    columns = {s: list(zip(*M, strict=True)) for s, M in given.items()}
    *lower, last = coefficients
    found: dict[int, list[list[int]]] = {0: [[last * (i == j) for j in range(n)] for i in range(n)]}
    for c in reversed(lower):
        new: dict[int, list[list[int]]] = {}
        for s, A in found.items():
            for t, B in columns.items():
                if not s & t:
                    M = [[sum(map(mul, row, column)) for column in B] for row in A]
                    new[s | t] = (
                        [list(map(add, a, b)) for a, b in zip(new[s | t], M, strict=True)] if s | t in new else M
                    )
        for i in range(n):
            new[0][i][i] += c
        found = {s: [[x % p for x in row] for row in M] for s, M in new.items()}
    value = [[Residue(x, p) for x in row] for row in found[2 * all_of]]
    if not dual:
        return value
    slope = found[2 * all_of + 1]
    return [[Dual(x, Residue(y, p)) for x, y in zip(*rows, strict=True)] for rows in zip(value, slope, strict=True)]


def _block(X: Matrix, E: Matrix | None) -> Matrix:
    """[X E; 0 X]."""
    n = len(X)
    right = E or [[0] * n for _ in range(n)]
    return [[*x, *e] for x, e in zip(X, right, strict=True)] + [[0] * n + x for x in X]


def frechet(f: Callable[[Matrix], Matrix], X: Matrix, *directions: Matrix) -> Matrix:
    """The derivative of the matrix function f at X, once along each direction.

    [X E; 0 X] is X + ε E, ε the nilpotent [0 1; 0 0]: f of it is f(X) + ε Df(X)[E], whose corner is the derivative.
    """
    n, left = len(X), list(directions)
    while left:
        E = left.pop()
        X, left = _block(X, E), [_block(D, None) for D in left]
    found = f(X)
    return [row[len(X) - n :] for row in found[:n]]
