"""One layer in TensorFlow: by tf.GradientTape, and by hand, each line beside the equation that it executes."""

import tensorflow as tf


def by_tape(W, a, b, dy, f):
    W, a, b, dy = (tf.constant(x, tf.float64) for x in (W, a, b, dy))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([W, a, b])
        z = tf.linalg.matvec(W, a) + b
        y = f(z)
    return [g.numpy() for g in tape.gradient(y, [z, W, a, b], output_gradients=dy)]


def by_hand(W, a, b, dy, f, f_prime):
    W, a, b, dy = (tf.constant(x, tf.float64) for x in (W, a, b, dy))
    z = tf.linalg.matvec(W, a) + b
    dz = dy * f_prime(z)  # ∇z = ∇y ⊙ f′(z)
    dW = tf.tensordot(dz, a, axes=0)  # ∇W = ∇z aᵀ
    da = tf.linalg.matvec(W, dz, transpose_a=True)  # ∇a = Wᵀ ∇z
    db = dz  # ∇b = ∇z
    return [g.numpy() for g in (dz, dW, da, db)]


def mlp3(X, T, W, b):
    """Gradients of ½‖A3 − T‖²/B for examples/mlp3.eqn: of W1, W2, W3, b1, b2, b3."""
    X, T = tf.constant(X, tf.float64), tf.constant(T, tf.float64)
    W, b = [tf.constant(w, tf.float64) for w in W], [tf.constant(v, tf.float64) for v in b]
    with tf.GradientTape() as tape:
        tape.watch([*W, *b])
        A = X
        for w, v in zip(W, b, strict=True):
            A = tf.tanh(w @ A + v[:, None])
        E = 0.5 * tf.reduce_sum((A - T) ** 2) / X.shape[1]
    return [g.numpy() for g in tape.gradient(E, [*W, *b])]
