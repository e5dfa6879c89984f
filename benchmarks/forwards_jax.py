"""The forward passes as one writes them in jax.numpy: functions of what moves and of what does not."""

from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["FORWARDS"]

Arrays = dict[str, Any]


def mlp(p: Arrays, c: Arrays) -> Any:
    x = jax.nn.relu(c["X"] @ p["W1"] + p["b1"])
    x = jax.nn.relu(x @ p["W2"] + p["b2"])
    z = x @ p["W3"] + p["b3"]
    return -jnp.mean(jnp.sum(c["Y"] * jax.nn.log_softmax(z), axis=1))


def softmax_ce(p: Arrays, c: Arrays) -> Any:
    logp = jax.nn.log_softmax(p["Z"])
    return -jnp.mean(jnp.take_along_axis(logp, c["y"][:, None], axis=1))


def layer_norm(p: Arrays, c: Arrays) -> Any:
    x = p["X"]
    mean = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.var(x, axis=-1, keepdims=True)
    return jnp.sum(c["C"] * ((x - mean) * jax.lax.rsqrt(var + 1e-5) * p["g"] + p["h"]))


def rms_norm(p: Arrays, c: Arrays) -> Any:
    x = p["X"]
    return jnp.sum(c["C"] * (x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5) * p["g"]))


def attention(p: Arrays, c: Arrays) -> Any:
    s = jnp.einsum("bhtd,bhsd->bhts", p["Q"], p["K"]) / jnp.sqrt(p["Q"].shape[-1]).astype(p["Q"].dtype)
    o = jnp.einsum("bhts,bhse->bhte", jax.nn.softmax(s, axis=-1), p["V"])
    return jnp.sum(c["G"] * o)


def gp(p: Arrays, c: Arrays) -> Any:
    n = c["y"].shape[0]
    k = jnp.exp(p["sigma"]) * jnp.exp(-c["D"] / (2 * jnp.exp(2 * p["ell"]))) + jnp.exp(p["tau"]) * jnp.eye(n)
    low = jnp.linalg.cholesky(k)
    a = jax.scipy.linalg.cho_solve((low, True), c["y"])
    return 0.5 * c["y"] @ a + jnp.sum(jnp.log(jnp.diagonal(low)))


def logistic(p: Arrays, c: Arrays) -> Any:
    u = c["X"] @ p["w"] + p["b"]
    return jnp.mean(jax.nn.softplus(u) - c["s"] * u) + 0.01 * jnp.sum(p["w"] ** 2)


FORWARDS = {f.__name__: f for f in (mlp, softmax_ce, layer_norm, rms_norm, attention, gp, logistic)}
