"""Functions that a framework differentiates by the derived backward pass: first and second derivatives against differences."""

from __future__ import annotations

import importlib.util
import inspect
import os
from typing import Any

import pytest
from _layers import LAYERS

import pullback as pb

np = pytest.importorskip("numpy")

each_layer = pytest.mark.parametrize("layer", LAYERS)


def case(layer: str, target: str) -> tuple[Any, list[str], dict[str, Any], pb.Derived, list[str]]:
    """(the function, its arguments by name, arrays, the derivation, what moves)."""
    text, shapes, moving = LAYERS[layer]
    d = pb.derive(text)
    rng = np.random.default_rng(3)
    arrays = {n: rng.normal(size=s) for n, s in shapes.items()}
    if "K" in arrays and "spd" in text:
        arrays["K"] = arrays["K"] @ arrays["K"].T + 4 * np.eye(4)
    f = d.compile(target, form="autodiff")
    names = list(inspect.signature(f).parameters)
    return f, names, arrays, d, moving


@each_layer
def test_jax_differentiates_it_by_our_backward_pass(layer: str) -> None:
    jax = pytest.importorskip("jax")
    from jax.test_util import check_grads

    f, names, arrays, d, moving = case(layer, "jax")
    value, wanted = d.evaluate(**arrays)
    places = [names.index(n) for n in moving]
    args = [arrays[n] for n in names]
    found_value, found = jax.jit(jax.value_and_grad(f, argnums=places))(*args)
    assert abs(found_value - value) <= 1e-12 * max(1, abs(value))
    for n, g in zip(moving, found, strict=True):
        np.testing.assert_allclose(g, wanted[n], rtol=1e-10, atol=1e-12)

    def of(*some: Any) -> Any:
        return f(*[some[moving.index(n)] if n in moving else arrays[n] for n in names])

    check_grads(of, [arrays[n] for n in moving], order=2, modes=["rev"], atol=1e-5, rtol=1e-5)
    batched = jax.vmap(jax.grad(f, argnums=places[0]), in_axes=(0,) + (None,) * (len(names) - 1))(
        np.stack([args[0], 2 * args[0]]), *args[1:]
    )
    np.testing.assert_allclose(batched[0], found[0], rtol=1e-10, atol=1e-12)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="make frameworks runs this")
@each_layer
def test_pytorch_differentiates_it_by_our_backward_pass(layer: str) -> None:
    import torch

    torch.set_default_dtype(torch.float64)
    f, names, arrays, d, moving = case(layer, "torch")
    args = [torch.tensor(arrays[n], requires_grad=n in moving) for n in names]
    f(*args).backward()
    _, wanted = d.evaluate(**arrays)
    for n, x in zip(names, args, strict=True):
        if n in moving:
            np.testing.assert_allclose(x.grad, wanted[n], rtol=1e-10, atol=1e-12)
    assert torch.autograd.gradcheck(f, args)
    assert torch.autograd.gradgradcheck(f, args)
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")
    again = [torch.tensor(arrays[n], requires_grad=n in moving) for n in names]
    compiled(*again).backward()
    for x, y in zip(args, again, strict=True):
        if x.requires_grad:
            np.testing.assert_allclose(y.grad, x.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("target", ["jax", "torch", "tensorflow"])
def test_an_input_without_a_gradient_is_refused_or_declared(target: str) -> None:
    """The framework would take a gradient that is not there for 0, without a word."""
    with pytest.raises(pb.ParseError, match="that of a is not asked for"):
        pb.derive("z = W a; E = z' z", wrt=["W"]).code(target, form="autodiff")
    assert "evaluate" in pb.derive("a : n where const; z = W a; E = z' z").code(target, form="autodiff")
    with pytest.raises(pb.ParseError, match="a hessian has no form autodiff"):
        pb.hessian("E = ‖A x − y‖²", wrt="x").code(target, form="autodiff")


def test_a_gradient_that_is_given_scales_the_backward_pass() -> None:
    """Of a tensor the function is differentiated with the cotangent that JAX brings."""
    jax = pytest.importorskip("jax")
    d = pb.derive("z = W a; y = tanh(z); given grad y as g")
    f = d.compile("jax", form="autodiff")
    rng = np.random.default_rng(1)
    W, a, g = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=3)
    _, pull = jax.vjp(f, W, a)
    slope = (1 - np.tanh(W @ a) ** 2) * g
    found = pull(g)
    np.testing.assert_allclose(found[0], np.outer(slope, a), rtol=1e-12)
    np.testing.assert_allclose(found[1], W.T @ slope, rtol=1e-12)


# ---- TensorFlow ----------------------------------------------------------------------------------------------------

with_tensorflow = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="make frameworks runs this")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def slopes_in_tensorflow(f: Any, args: list[Any], places: list[int]) -> Any:
    """The gradient by a tape, as a function of what moves."""
    import tensorflow as tf

    def of(*some: Any) -> Any:
        given = [some[places.index(k)] if k in places else a for k, a in enumerate(args)]
        with tf.GradientTape() as tape:
            tape.watch(some)
            value = f(*given)
        return tape.gradient(value, some)

    return of


def curved(slopes: Any, by: list[Any]) -> Any:
    """H v by a tape about the tape of the gradient."""
    import tensorflow as tf

    def of(*some: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(some)
            along = tf.add_n([tf.reduce_sum(g * v) for g, v in zip(slopes(*some), by, strict=True)])
        return tape.gradient(along, some, unconnected_gradients="zero")

    return of


def all_close(found: Any, wanted: Any, tolerance: float = 1e-10) -> None:
    for x, y in zip(found, wanted, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


@with_tensorflow
@each_layer
def test_tensorflow_differentiates_it_by_our_backward_pass(layer: str) -> None:
    """Eager, in a graph, and with tapes about a graph; the second derivative against differences and JAX's own."""
    import tensorflow as tf

    f, names, arrays, d, moving = case(layer, "tensorflow")
    _, wanted = d.evaluate(**arrays)
    places = [names.index(n) for n in moving]
    args = [tf.constant(arrays[n]) for n in names]
    some = [args[k] for k in places]
    slopes = slopes_in_tensorflow(f, args, places)
    all_close(slopes(*some), [wanted[n] for n in moving])
    all_close(tf.function(slopes)(*some), [wanted[n] for n in moving])
    rng = np.random.default_rng(7)
    by = [tf.constant(rng.normal(size=x.shape)) for x in some]
    second = curved(slopes, by)(*some)
    step = 1e-5
    ahead, behind = (slopes(*[x + s * v for x, v in zip(some, by, strict=True)]) for s in (step, -step))
    for h, a, b in zip(second, ahead, behind, strict=True):
        difference = (a - b) / (2 * step)
        np.testing.assert_allclose(h, difference, rtol=1e-6, atol=1e-6 * max(1.0, np.max(np.abs(difference))))
    all_close(tf.function(curved(slopes, by))(*some), second)
    outside = slopes_in_tensorflow(tf.function(f), args, places)
    all_close(curved(outside, by)(*some), second)
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    ours = d.compile("jax", form="autodiff")

    def of(*moved: Any) -> Any:
        return ours(*[moved[places.index(k)] if k in places else np.asarray(a) for k, a in enumerate(args)])

    gradient = jax.grad(of, argnums=tuple(range(len(places))))
    _, theirs = jax.jvp(gradient, tuple(map(np.asarray, some)), tuple(map(np.asarray, by)))
    all_close(second, theirs)


@with_tensorflow
@each_layer
def test_tensorflow_maps_its_gradient_over_a_batch(layer: str) -> None:
    import tensorflow as tf

    f, names, arrays, _, moving = case(layer, "tensorflow")
    args = [tf.constant(arrays[n]) for n in names]
    slopes = slopes_in_tensorflow(f, args, [names.index(moving[0])])
    one = args[names.index(moving[0])]
    found = tf.vectorized_map(lambda x: slopes(x)[0], tf.stack([one, 2 * one]))
    all_close(found, [slopes(one)[0], slopes(2 * one)[0]])


@with_tensorflow
def test_tensorflow_third_derivatives_and_hessians() -> None:
    """A tape in a tape in a tape; and `tape.jacobian`, which maps the backward pass over directions."""
    import tensorflow as tf

    text = "w : n; c : n; z = w ⊙ w; E = sum(tanh(z) .* c)"
    d = pb.derive(text)
    f = d.compile("tensorflow", form="autodiff")
    names = list(inspect.signature(f).parameters)
    w, c = tf.constant([0.3, -0.7, 1.1], tf.float64), tf.constant([1.0, 2.0, -1.0], tf.float64)
    args = [{"w": w, "c": c}[n] for n in names]
    slopes = slopes_in_tensorflow(f, args, [names.index("w")])
    with tf.GradientTape() as tape:
        tape.watch(w)
        (g,) = slopes(w)
    hessian = np.asarray(pb.hessian(text, wrt="w").evaluate(w=w.numpy(), c=c.numpy()))
    np.testing.assert_allclose(tape.jacobian(g, w), hessian, rtol=1e-10, atol=1e-12)
    v = tf.constant([0.5, 1.5, -0.5], tf.float64)
    twice = curved(slopes, [v])
    (third,) = curved(twice, [v])(w)
    step = 1e-5
    difference = (twice(w + step * v)[0] - twice(w - step * v)[0]) / (2 * step)
    np.testing.assert_allclose(third, difference, rtol=1e-6, atol=1e-6)


@with_tensorflow
@pytest.mark.parametrize("graph", [False, True])
def test_tensorflow_forward_mode(graph: bool) -> None:
    """Forward mode alone, over reverse mode and under it, as of the same function without the derived backward pass."""
    import tensorflow as tf

    text = "x : n where data; W : (m, n); b : m; z = W x + b; y = tanh(z); E = sum(y^∘3)"
    rng = np.random.default_rng(3)
    W, x, b, tW, tb = (tf.constant(rng.normal(size=s)) for s in [(2, 3), (3,), (2,), (2, 3), (2,)])
    evaluate = pb.derive(text).compile("tensorflow", form="autodiff")
    names = list(inspect.signature(evaluate).parameters)

    def ours(W: Any, b: Any) -> Any:
        return evaluate(**dict(zip(names, ({"W": W, "x": x, "b": b}[n] for n in names), strict=True)))

    def theirs(W: Any, b: Any) -> Any:
        return tf.reduce_sum(tf.tanh(tf.linalg.matvec(W, x) + b) ** 3)

    def found(of: Any) -> list[Any]:
        with tf.autodiff.ForwardAccumulator([W, b], [tW, tb]) as over:
            with tf.GradientTape() as tape:
                tape.watch([W, b])
                value = of(W, b)
            gradients = tape.gradient(value, [W, b])
        slope = over.jvp(value)
        with tf.GradientTape() as outer:
            outer.watch([W, b])
            with tf.autodiff.ForwardAccumulator([W, b], [tW, tb]) as under:
                value = of(W, b)
            rate = under.jvp(value)
        return [slope, *over.jvp(gradients), *(() if graph else outer.gradient(rate, [W, b]))]

    wrapped = tf.function if graph else lambda f: f  # tapes over forward mode over a graph: None, without us as well
    for one, other in zip(found(wrapped(ours)), found(theirs), strict=False):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="make frameworks runs this")
def test_an_op_of_pytorch_refuses_forward_mode() -> None:
    """PyTorch would take the tangent to be 0."""
    import torch

    evaluate = pb.derive("v : n; E = sum(v^∘3)").compile("torch", form="op")
    v = torch.tensor([1.0, 2.0], dtype=torch.float64)
    with pytest.raises(NotImplementedError, match="no forward mode"):
        torch.func.jvp(evaluate, (v,), (v,))
    with pytest.raises(NotImplementedError, match="no forward mode"), torch.autograd.forward_ad.dual_level():
        evaluate(torch.autograd.forward_ad.make_dual(v, v))
