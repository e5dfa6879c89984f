"""Readings of the linear algebra ops by NumPy's own functions, for tests: nothing of pullback's algorithms is used.

Where an algorithm takes complex numbers, the complex step goes through it; else a displacement is a difference of fourth order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg

from pullback.algebra.expr import Expr

Array = Any
_H = 1e-3


def _half(S: Array) -> Array:
    return (S + S.T) / 2


def _function(f: Callable[[Array], Array], general: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """f of a matrix: by its eigenvalues where it has eigenvectors enough, else as SciPy calculates it."""

    def run(X: Array) -> Array:
        if not np.all(np.isfinite(X)):
            return np.full_like(X, np.nan)
        if np.array_equal(X, X.T):  # eigenvectors that are orthogonal, whatever the multiplicities
            values, vectors = np.linalg.eigh(X)
            return np.real(vectors @ np.diag(f(values.astype(complex))) @ vectors.T)
        values, vectors = np.linalg.eig(X)
        if np.linalg.cond(vectors) < 1e6:
            return np.real(vectors @ np.diag(f(values.astype(complex))) @ np.linalg.inv(vectors))
        return np.real(general(X))

    return run


def _along(f: Callable[..., Array], X: Array, E: Array, h: float = _H, finer: int = 0) -> Array:
    """The derivative of f at X along E, by differences of sixth order, of `finer` shorter steps too as long as two of them come closer.

    Where singular values lie close together, f bends within a step that is right elsewhere. An f that is a difference itself
    has no digits for shorter steps."""
    scale = float(np.max(np.abs(E), initial=0.0)) or 1.0
    D = E / scale

    def difference(h: float) -> Array:
        at = {k: f(X + k * h * D) for k in (-3, -2, -1, 1, 2, 3)}
        return (45 * (at[1] - at[-1]) - 9 * (at[2] - at[-2]) + (at[3] - at[-3])) / (60 * h)

    found, apart = difference(h), np.inf
    for k in range(1, finer + 1):
        nearer = difference(h / 4**k)
        change = float(np.max(np.abs(nearer - found), initial=0.0))
        if change >= apart:
            break
        found, apart = nearer, change
        if apart <= 1e-9 * max(1.0, float(np.max(np.abs(found), initial=0.0))):
            break
    return scale * found


def _svd(X: Array) -> tuple[Array, Array, Array]:
    return np.linalg.svd(X, full_matrices=False)


def _unit(v: Array) -> Array:
    return v * np.sign(v[0])


def _positive(Q: Array, R: Array) -> tuple[Array, Array]:
    """Q R with a positive diagonal of R."""
    signs = np.sign(np.diagonal(R))
    return Q * signs, R * signs[:, None]


_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "expm": _function(np.exp, linalg.expm), "logm": _function(np.log, linalg.logm), "sqrtm": _function(np.sqrt, linalg.sqrtm),
    "sinm": _function(np.sin, linalg.sinm), "cosm": _function(np.cos, linalg.cosm),
}  # fmt: skip
_REAL: dict[str, Callable[..., Array]] = {
    **_FUNCTIONS,
    **{f"frechet_{n}": lambda X, E, f=f: _along(f, X, E) for n, f in _FUNCTIONS.items()},
    **{f"second_{n}": lambda X, E, F, f=f: _along(lambda Y: _along(f, Y, E, 2e-2), X, F, 2e-2) for n, f in _FUNCTIONS.items()},
    "invsqrtm": lambda X: np.linalg.inv(_FUNCTIONS["sqrtm"](X)),
    "chol": lambda S: np.linalg.cholesky(_half(S)),
    "maxeig": lambda S: np.linalg.eigvalsh(_half(S))[-1],
    "maxeigvec": lambda S: _unit(np.linalg.eigh(_half(S))[1][:, -1]),
    "normnuc": lambda X: np.sum(_svd(X)[1]),
    "polar": lambda X: _svd(X)[0] @ _svd(X)[2],
    "eigvals": lambda S: np.linalg.eigvalsh(_half(S)),
    "eigvecs": lambda S: _unit(np.linalg.eigh(_half(S))[1]),
    "mineig": lambda S: np.linalg.eigvalsh(_half(S))[0],
    "mineigvec": lambda S: _unit(np.linalg.eigh(_half(S))[1][:, 0]),
    "svdvals": lambda X: _svd(X)[1],
    "svdV": lambda X: _unit(_svd(X)[2].T),
    "svdU": lambda X: _svd(X)[0] * np.sign(_svd(X)[2][:, 0]),
    "qrR": lambda X: _positive(*np.linalg.qr(X))[1],
    "qrQ": lambda X: _positive(*np.linalg.qr(X))[0],
    "normspec": lambda X: _svd(X)[1][0],
    "topsing": lambda X: np.outer(_svd(X)[0][:, 0], _svd(X)[2][0]),
}  # fmt: skip


def _pinv(X: Array) -> Array:
    wide = X.shape[0] < X.shape[1]
    return X.T @ np.linalg.inv(X @ X.T) if wide else np.linalg.inv(X.T @ X) @ X.T


def _sylvester(A: Array, B: Array, C: Array) -> Array:
    whole = np.kron(A, np.eye(len(B))) + np.kron(np.eye(len(A)), B.T)
    return np.linalg.solve(whole, C.reshape(-1)).reshape(C.shape)


def _lyap(A: Array, Q: Array) -> Array:
    eye = np.eye(len(A))
    return np.linalg.solve(np.kron(A, eye) + np.kron(eye, A), Q.reshape(-1)).reshape(Q.shape)


_COMPLEX: dict[str, Callable[..., Array]] = {
    "sym": _half, "phi": lambda A: np.tril(A, -1) + np.diag(np.diagonal(A)) / 2,
    "inv": np.linalg.inv, "det": np.linalg.det, "pinv": _pinv, "solve": np.linalg.solve, "solve_columns": np.linalg.solve, "lyap": _lyap,
    "sylvester": _sylvester,
    "solve_lower": lambda L, b: np.linalg.solve(np.tril(L), b), "solve_lower_columns": lambda L, b: np.linalg.solve(np.tril(L), b),
    "solve_upper": lambda L, b: np.linalg.solve(np.triu(L), b), "solve_upper_columns": lambda L, b: np.linalg.solve(np.triu(L), b),
    "cho_solve": lambda L, b: np.linalg.solve(np.tril(L) @ np.tril(L).T, b),
    "cho_solve_columns": lambda L, b: np.linalg.solve(np.tril(L) @ np.tril(L).T, b),
    "adj": lambda X: np.linalg.det(X) * np.linalg.inv(X), "cofactor": lambda X: np.linalg.det(X) * np.linalg.inv(X).T,
    "rayleigh": lambda A, x: (x @ A @ x) / (x @ x),
}  # fmt: skip


class Matrices:
    """Mixed into the interpreter of tests."""

    def matrix(self, e: Expr) -> Callable[..., Array] | None:
        """The reading of a linear algebra op, None for any other."""
        name = e.op.name
        if name in _COMPLEX:
            return lambda _, *args: _COMPLEX[name](*args)
        finer = 0 if name.startswith(("frechet_", "second_")) else 4
        return (lambda _, *args: _moved(_REAL[name], args, finer)) if name in _REAL else None


def _moved(f: Callable[..., Array], args: tuple[Array, ...], finer: int) -> Array:
    """f of real arrays; of complex ones, its value with its derivative along the imaginary parts."""
    real = [np.real(a) for a in args]
    value = f(*real)
    if not any(np.iscomplexobj(a) for a in args):
        return value
    slope = sum(
        _along(lambda x, k=k: f(*real[:k], x, *real[k + 1 :]), real[k], np.imag(a), finer=finer)
        for k, a in enumerate(args)
        if np.iscomplexobj(a)
    )
    return value + 1j * slope


def differenced(e: Expr) -> bool:
    """Whether the reading of this node knows its slope from differences only."""
    return e.op.name in _REAL
