"""Readings of ops by JAX's own functions, by name, for the reference of random programs: nothing of pullback's is used.

What has no row here is run by tests/_oracle.py; a row that JAX's library does not have is built from what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy import special

from pullback.algebra.expr import Expr

Array = Any


def _half(S: Array) -> Array:
    return (S + S.T) / 2


def _sqrtm(X: Array, steps: int = 12) -> Array:
    """Newton's iteration of Denman and Beavers, unrolled."""
    Y, Z = X, jnp.eye(len(X))
    for _ in range(steps):
        Y, Z = (Y + jnp.linalg.inv(Z)) / 2, (Z + jnp.linalg.inv(Y)) / 2
    return Y


def _logm(X: Array, roots: int = 4, terms: int = 20) -> Array:
    """log X = 2^r log X^(1/2^r), and log Y = 2 artanh((Y − I)(Y + I)⁻¹)."""
    for _ in range(roots):
        X = _sqrtm(X)
    eye = jnp.eye(len(X))
    T = jnp.linalg.solve((X + eye).T, (X - eye).T).T
    total, power = 0.0, T
    for k in range(terms):
        total = total + power / (2 * k + 1)
        power = power @ T @ T
    return 2**roots * 2 * total


def _wave(X: Array) -> Array:
    """exp(iX) by scaling and squaring of its series; JAX's expm is for real matrices in the same way."""
    Y, total, term = 1j * X / 64, jnp.eye(len(X), dtype=complex), jnp.eye(len(X), dtype=complex)
    for k in range(1, 25):
        term = term @ Y / k
        total = total + term
    for _ in range(6):
        total = total @ total
    return total


_MATRIX: dict[str, Callable[[Array], Array]] = {
    "expm": jax.scipy.linalg.expm, "sqrtm": _sqrtm, "logm": _logm,
    "sinm": lambda X: jnp.imag(_wave(X)), "cosm": lambda X: jnp.real(_wave(X)),
}  # fmt: skip


def _frechet(f: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda X, E: jax.jvp(f, (X,), (E,))[1]


def _second(f: Callable[[Array], Array]) -> Callable[[Array, Array, Array], Array]:
    return lambda X, E, F: jax.jvp(lambda Y: jax.jvp(f, (Y,), (E,))[1], (X,), (F,))[1]


def _pinv(X: Array) -> Array:
    wide = X.shape[0] < X.shape[1]
    return X.T @ jnp.linalg.inv(X @ X.T) if wide else jnp.linalg.inv(X.T @ X) @ X.T


def _polar(X: Array) -> Array:
    if X.shape[0] < X.shape[1]:
        return _polar(X.T).T
    return X @ jnp.linalg.inv(_sqrtm(X.T @ X, 20))


def _maxeigvec(S: Array) -> Array:
    v = jnp.linalg.eigh(_half(S))[1][:, -1]
    return v * jnp.sign(v[0])


def _topsing(X: Array) -> Array:
    v = jnp.linalg.eigh(X.T @ X)[1][:, -1]
    u = X @ v
    return jnp.outer(u / jnp.sqrt(u @ u), v)


def _lyap(A: Array, Q: Array) -> Array:
    eye = jnp.eye(len(A))
    return jnp.linalg.solve(jnp.kron(A, eye) + jnp.kron(eye, A), Q.reshape(-1)).reshape(Q.shape)


def _sylvester(A: Array, B: Array, C: Array) -> Array:
    return jnp.linalg.solve(jnp.kron(A, jnp.eye(len(B))) + jnp.kron(jnp.eye(len(A)), B.T), C.reshape(-1)).reshape(
        C.shape
    )


def _eigvecs(S: Array) -> Array:
    V = jnp.linalg.eigh(_half(S))[1]
    return V * jnp.sign(V[0])


def _singular(X: Array) -> Array:
    small = X.T @ X if X.shape[0] >= X.shape[1] else X @ X.T
    return jnp.sqrt(jnp.linalg.eigvalsh(small))


_PLAIN: dict[str, Callable[..., Array]] = {
    **_MATRIX,
    **{f"frechet_{n}": _frechet(f) for n, f in _MATRIX.items()},
    **{f"second_{n}": _second(f) for n, f in _MATRIX.items()},
    "invsqrtm": lambda X: jnp.linalg.inv(_sqrtm(X)),
    "inv": jnp.linalg.inv, "det": jnp.linalg.det, "logdet": lambda X: jnp.linalg.slogdet(X)[1], "pinv": _pinv,
    "solve": jnp.linalg.solve, "solve_columns": jnp.linalg.solve, "lyap": _lyap,
    "sylvester": _sylvester, "eigvals": lambda S: jnp.linalg.eigvalsh(_half(S)), "eigvecs": _eigvecs,
    "chol": lambda S: jnp.linalg.cholesky(_half(S), symmetrize_input=False),
    "maxeig": lambda S: jnp.linalg.eigvalsh(_half(S))[-1], "maxeigvec": _maxeigvec,
    "normnuc": lambda X: jnp.sum(_singular(X)), "normspec": lambda X: _singular(X)[-1], "polar": _polar, "topsing": _topsing,
    # entrywise
    "expm1": jnp.expm1, "log1p": jnp.log1p, "logaddexp": jnp.logaddexp, "sigmoid": jax.nn.sigmoid, "silu": jax.nn.silu,
    "softplus": jax.nn.softplus, "relu": jax.nn.relu, "relu6": jax.nn.relu6, "mish": jax.nn.mish, "selu": jax.nn.selu,
    "softsign": jax.nn.soft_sign, "logsigmoid": jax.nn.log_sigmoid, "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True), "elu": jax.nn.elu, "celu": jax.nn.celu, "hardtanh": jax.nn.hard_tanh,
    "hardsigmoid": jax.nn.hard_sigmoid, "hardswish": jax.nn.hard_swish, "leaky_relu": jax.nn.leaky_relu,
    "erf": special.erf, "erfc": special.erfc, "normcdf": special.ndtr, "lgamma": special.gammaln, "digamma": special.digamma,
    "trigamma": lambda x: special.polygamma(1, x), "logit": special.logit, "atan2": jnp.arctan2, "pow": jnp.power,
    "pow_each": jnp.power, "maximum": jnp.maximum, "minimum": jnp.minimum, "where": lambda m, a, b: jnp.where(m > 0, a, b),
    "clip": jnp.clip, "clip_each": jnp.clip, "clip01": lambda x: jnp.clip(x, 0, 1), "exp2": jnp.exp2, "log2": jnp.log2,
    "log10": jnp.log10, "rsqrt": lax.rsqrt, "abs": jnp.abs, "sign": jnp.sign, "square": jnp.square,
    "softshrink": lambda x, a: x - jnp.clip(x, -a, a),
    "phi": lambda A: jnp.tril(A, -1) + jnp.diag(jnp.diag(A)) / 2, "sym": _half, "skew": lambda A: (A - A.T) / 2,
    "norm1": lambda x: jnp.sum(jnp.abs(x)),
    # learning
    "cross_entropy_logits": lambda z, y: -jnp.sum(y * jax.nn.log_softmax(z)),
    "cosine_similarity": lambda x, y: x @ y / jnp.sqrt((x @ x) * (y @ y)),
    "kl_divergence": lambda p, q: jnp.sum(p * jnp.log(p / q)),
    "attention_weights": lambda Q, K: jax.nn.softmax(Q @ K.swapaxes(-1, -2) / jnp.sqrt(Q.shape[-1]), axis=-1),
    "attention": lambda Q, K, V: jax.nn.softmax(Q @ K.swapaxes(-1, -2) / jnp.sqrt(Q.shape[-1]), axis=-1) @ V,
}  # fmt: skip


def _standardize(x: Array, e: Array, axes: tuple[int, ...]) -> Array:
    return (x - jnp.mean(x, axis=axes, keepdims=True)) / jnp.sqrt(jnp.var(x, axis=axes, keepdims=True) + e)


_ALONG: dict[str, Callable[..., Array]] = {
    "softmax": lambda x, axis: jax.nn.softmax(x, axis=axis),
    "logsoftmax": lambda x, axis: jax.nn.log_softmax(x, axis=axis),
    "logsumexp": lambda x, axis: jax.nn.logsumexp(x, axis=axis),
    "standardize": _standardize,
    "rstd": lambda x, e, axes: 1 / jnp.sqrt(jnp.var(x, axis=axes) + e),
    "rmsnorm": lambda x, e, axes: x / jnp.sqrt(jnp.mean(x * x, axis=axes, keepdims=True) + e),
    "rrms": lambda x, e, axes: 1 / jnp.sqrt(jnp.mean(x * x, axis=axes) + e),
}


def _first(x: Array, axes: tuple[int, ...]) -> Array:
    """1 at the first of the largest entries in reading order."""
    ends = tuple(range(x.ndim - len(axes), x.ndim))
    moved = jnp.moveaxis(x, axes, ends)
    flat = moved.reshape((*moved.shape[: x.ndim - len(axes)], -1))
    found = jax.nn.one_hot(jnp.argmax(flat, axis=-1), flat.shape[-1], dtype=x.dtype).reshape(moved.shape)
    return jnp.moveaxis(found, ends, axes)


_OVER: dict[str, Callable[..., Array]] = {
    "hardmax": _first,
    "hardmin": lambda x, axes: _first(-x, axes),
    "max_over": lambda x, axes: jnp.sum(_first(x, axes) * x, axis=axes),
    "min_over": lambda x, axes: jnp.sum(_first(-x, axes) * x, axis=axes),
}


def reading(e: Expr) -> Callable[..., Array] | None:
    """The JAX function that the node is, of the node and its arguments; None if there is no row for it."""
    if e.op.name in _PLAIN:
        return lambda _, *args: _PLAIN[e.op.name](*args)
    if e.op.name in _ALONG:
        return lambda _, *args: _ALONG[e.op.name](*args, e.attrs[0])
    if e.op.name in _OVER:
        return lambda _, x: _OVER[e.op.name](x, e.attrs[0])
    if e.op.name == "polygamma":
        return lambda _, x: special.polygamma(e.attrs[0], x)
    return None
