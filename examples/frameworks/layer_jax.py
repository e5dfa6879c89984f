"""One layer in JAX: by jax.vjp, and by hand, each line beside the equation that it executes."""

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def by_tape(W, a, b, dy, f):
    W, a, b, dy = (jnp.asarray(x, dtype=jnp.float64) for x in (W, a, b, dy))
    z = W @ a + b
    _, back_f = jax.vjp(f, z)
    (dz,) = back_f(dy)
    _, back_z = jax.vjp(lambda W, a, b: W @ a + b, W, a, b)
    return [np.asarray(g) for g in (dz, *back_z(dz))]


def by_hand(W, a, b, dy, f, f_prime):
    W, a, b, dy = (jnp.asarray(x, dtype=jnp.float64) for x in (W, a, b, dy))
    z = W @ a + b
    dz = dy * f_prime(z)  # ∇z = ∇y ⊙ f′(z)
    dW = jnp.outer(dz, a)  # ∇W = ∇z aᵀ
    da = W.T @ dz  # ∇a = Wᵀ ∇z
    db = dz  # ∇b = ∇z
    return [np.asarray(g) for g in (dz, dW, da, db)]


def mlp3(X, T, W, b):
    """Gradients of ½‖A3 − T‖²/B for examples/mlp3.eqn: of W1, W2, W3, b1, b2, b3."""

    def loss(W, b):
        A = X
        for w, v in zip(W, b, strict=True):
            A = jnp.tanh(w @ A + v[:, None])
        return 0.5 * jnp.sum((A - T) ** 2) / X.shape[1]

    dW, db = jax.grad(loss, argnums=(0, 1))([jnp.asarray(w) for w in W], [jnp.asarray(v) for v in b])
    return [np.asarray(g) for g in (*dW, *db)]
