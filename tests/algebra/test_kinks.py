"""What is taken at a kink is what its sentence says, and where that names JAX, what JAX takes."""

from collections.abc import Callable
from typing import Any

import pytest

from pullback.algebra.dims import Dim
from pullback.algebra.ops import activations, piecewise
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.free import increment, var
from pullback.calculus.lemma import differentiate

np = pytest.importorskip("numpy")
jax = pytest.importorskip("jax")

from _oracle import Interpreter  # noqa: E402

n = Dim.symbol("n")
x = var("x", (n,))
half = rational(1) / rational(2)

# the function, where its kinks are, what we take there, the same in JAX, and what JAX takes
KINKS: dict[str, tuple[Any, list[float], list[float], Callable[[Any], Any], list[float]]] = {
    "relu": (piecewise.relu(x), [0], [0], lambda t: jax.nn.relu(t), [0]),
    "abs": (piecewise.abs_(x), [0], [0], lambda t: jax.numpy.abs(t), [1]),
    "sign": (piecewise.sign(x), [0], [0], lambda t: jax.numpy.sign(t), [0]),
    "leaky_relu": (piecewise.leaky_relu(x, half), [0], [0.5], lambda t: jax.nn.leaky_relu(t, 0.5), [1]),
    "relu6": (piecewise.relu6(x), [0, 6], [0, 0], lambda t: jax.nn.relu6(t), [0, 0]),
    "hardtanh": (piecewise.hardtanh(x), [-1, 1], [0, 0], lambda t: jax.nn.hard_tanh(t), [1, 1]),
    "hardsigmoid": (piecewise.hardsigmoid(x), [-3, 3], [0, 0], lambda t: jax.nn.hard_sigmoid(t), [0, 0]),
    "hardswish": (piecewise.hardswish(x), [-3, 3], [0, 1], lambda t: jax.nn.hard_swish(t), [0, 1]),
    "clip01": (piecewise.clip01(x), [0, 1], [0, 0], lambda t: jax.numpy.clip(t, 0, 1), [0.5, 0.5]),
    "elu": (activations.elu(x, half), [0], [0.5], lambda t: jax.nn.elu(t, 0.5), [0.5]),
    "elu, smooth": (activations.elu(x, rational(1)), [0], [1], lambda t: jax.nn.elu(t), [1]),
    "celu, smooth": (activations.celu(x, half), [0], [1], lambda t: jax.nn.celu(t, 0.5), [1]),
    "selu": (activations.selu(x), [0], [1.7580993408473768], lambda t: jax.nn.selu(t), [1.7580993408473768]),
    "softsign, smooth": (activations.softsign(x), [0], [1], lambda t: jax.nn.soft_sign(t), [1]),
    "maximum": (piecewise.maximum(x, piecewise.filled(half, x)), [0.5], [0], lambda t: jax.numpy.maximum(t, 0.5), [0.5]),
    "minimum": (piecewise.minimum(x, piecewise.filled(half, x)), [0.5], [0], lambda t: jax.numpy.minimum(t, 0.5), [0.5]),
}  # fmt: skip


@pytest.mark.parametrize("name", KINKS)
def test_the_slope_at_a_kink(name: str) -> None:
    f, places, ours, theirs, jaxs = KINKS[name]
    jax.config.update("jax_enable_x64", True)
    at = np.array(places, dtype=float)
    [claimed] = differentiate(f, [increment(x), *[None] * (len(f.args) - 1)])
    found = Interpreter(np, {"n": len(places)}, None).run(claimed, {x: at, increment(x): np.ones_like(at)})
    assert np.allclose(found, ours)
    assert np.allclose(jax.grad(lambda t: jax.numpy.sum(theirs(t)))(jax.numpy.asarray(at)), jaxs)
    said = f.op.kink
    assert ("smooth" in name) == (not said or name.startswith("elu,"))
    if "and JAX do" in said or "as JAX does" in said:
        assert np.allclose(ours, jaxs)
    elif "JAX takes" in said or "JAX give" in said:
        assert not np.allclose(ours, jaxs)
