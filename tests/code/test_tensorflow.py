"""Generated code for TensorFlow at its door: types, shapes, numbers, variables, NaN, in the open and in a graph."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

import pytest

import pullback as pb

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
np = pytest.importorskip("numpy")

LAYER = "z = W a + b; y = tanh(z); E = ½ ‖y − t‖²"
RNG = np.random.default_rng(5)
ARRAYS = {"W": RNG.normal(size=(3, 4)), "a": RNG.normal(size=4), "b": RNG.normal(size=3), "t": RNG.normal(size=3)}

with_tensorflow = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="make frameworks runs this")
each_form = pytest.mark.parametrize("form", ["function", "autodiff"])


def test_what_is_written_needs_no_tensorflow() -> None:
    """Neither the package nor the text loads it; a program that is run does."""
    text = "import sys, pullback; pullback.derive('E = sum(exp(x))').code('tensorflow'); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_products_are_matvec_and_options_of_matmul() -> None:
    text = pb.derive("A : (m, n); B : (m, p); x : n; y : m; E = tr(Aᵀ B C) + yᵀ A x", wrt=["C", "A", "x"]).code(
        "tensorflow"
    )
    assert "tf.matmul(B, A, transpose_a=True)" in text
    assert "tf.linalg.matvec(A, y, transpose_a=True)" in text
    assert "tf.transpose(" not in text and "einsum" not in text and ".T" not in text


@with_tensorflow
@pytest.mark.parametrize("kind", ["float32", "float64"])
@each_form
def test_results_have_the_type_of_the_arguments(form: str, kind: str) -> None:
    import tensorflow as tf

    d = pb.derive(LAYER)
    args = [tf.constant(x, kind) for x in ARRAYS.values()]
    f = d.compile("tensorflow", form=form)
    value, wanted = d.evaluate(**ARRAYS)
    for run in (f, tf.function(f)):
        with tf.GradientTape() as tape:
            tape.watch(args)
            found = run(*args)
        grads = dict(zip(ARRAYS, tape.gradient(found, args), strict=True)) if form == "autodiff" else found[1]
        found = found if form == "autodiff" else found[0]
        assert found.dtype == kind and abs(float(found) - value) <= 1e-6 * abs(value)
        for n, g in grads.items():
            assert g.dtype == kind
            np.testing.assert_allclose(g, wanted[n], rtol=1e-4, atol=1e-6)


@with_tensorflow
@each_form
def test_numbers_and_whole_numbers_take_the_type_of_the_others(form: str) -> None:
    """0.1 of Python is the 0.1 of float64; a graph would make float32 of it."""
    import tensorflow as tf

    f = pb.derive("E = c * sum(x) + c").compile("tensorflow", form=form)
    x = tf.constant([1.0, 2.0], tf.float64)
    for run in (f, tf.function(f)):
        found = run(c=0.1, x=x)
        assert abs(float(found if form == "autodiff" else found[0]) - 0.4) < 1e-15
    whole = f(c=tf.constant(2), x=np.array([1.5, 2.5]))
    assert float(whole if form == "autodiff" else whole[0]) == 10


@with_tensorflow
def test_a_result_that_is_a_number_is_a_tensor() -> None:
    """In a graph a number of Python would have the type int32 or float32."""
    import tensorflow as tf

    f = pb.derive("x : number; w : number; E = x / 3 + pi + w").compile("tensorflow")
    for run in (f, tf.function(f)):
        _, grad = run(x=tf.constant(1.0, tf.float64), w=tf.constant(1.0, tf.float64))
        assert grad["x"].dtype == grad["w"].dtype == tf.float64
        assert float(grad["x"]) == 1 / 3


@with_tensorflow
@each_form
def test_a_wrong_argument_is_refused_at_the_door(form: str) -> None:
    import tensorflow as tf

    f = pb.derive(LAYER).compile("tensorflow", form=form)
    for run in (f, tf.function(f, autograph=False)):
        with pytest.raises(ValueError, match=r"a has the shape \(5,\), not \(4,\), in z = W a \+ b"):
            run(**{**ARRAYS, "a": np.ones(5)})
        with pytest.raises(ValueError, match="W has 1 axes, not 2"):
            run(**{**ARRAYS, "W": np.ones(3)})
        with pytest.raises(TypeError, match="b has the type float32, not float64 as W"):
            run(**{**ARRAYS, "b": np.ones(3, np.float32)})
        with pytest.raises(TypeError, match="t has the type complex128, not real numbers"):
            run(**{**ARRAYS, "t": np.ones(3) * 1j})
    unknown = [
        tf.TensorSpec([None, 4], tf.float64),
        *(tf.TensorSpec(x.shape, x.dtype) for x in list(ARRAYS.values())[1:]),
    ]
    with pytest.raises(ValueError, match=r"W has the shape \(None, 4\): a graph needs all sizes"):
        tf.function(f, input_signature=unknown, autograph=False).get_concrete_function()


@with_tensorflow
def test_nan_is_blamed_on_the_first_array_that_has_one() -> None:
    """Where it can be asked: a graph computes on."""
    import tensorflow as tf

    f = pb.derive(LAYER).compile("tensorflow")
    bad = {**ARRAYS, "b": np.array([1.0, np.nan, 2.0])}
    with pytest.raises(FloatingPointError, match="an entry of b is no number"):
        f(**bad)
    value, _ = tf.function(f)(**bad)
    assert np.isnan(value)


@with_tensorflow
def test_an_index_is_checked_also_in_a_graph() -> None:
    import tensorflow as tf

    d = pb.derive("T : (v, d)\ni : (n) where index\ny = gather(T, i)\nE = sum(tanh(y))", wrt=["T"])
    table = RNG.normal(size=(5, 3))
    f = d.compile("tensorflow")
    value, wanted = d.evaluate(T=table, i=np.array([4.0, 0.0, 4.0]))
    for run in (f, tf.function(f)):
        found, grad = run(table, tf.constant([4, 0, 4]))
        assert abs(found - value) < 1e-12
        np.testing.assert_allclose(grad["T"], wanted["T"], rtol=1e-12)
        for wrong in ([5, 0, 1], [-1, 0, 1]):
            with pytest.raises(tf.errors.InvalidArgumentError, match="no whole number from 0 to 4"):
                run(table, tf.constant(wrong))
    g = d.compile("tensorflow", form="autodiff")
    variable = tf.Variable(table)
    with tf.GradientTape() as tape:
        found = g(variable, tf.constant([4, 0, 4]))
    np.testing.assert_allclose(tape.gradient(found, variable), wanted["T"], rtol=1e-12)


@with_tensorflow
def test_a_variable_is_trained() -> None:
    """Variables are arguments like tensors, also of a compiled step; and XLA compiles it."""
    import tensorflow as tf

    f = pb.derive("X : (B, n) where const; y : B where const; w : n; E = ‖X w − y‖² / B").compile(
        "tensorflow", form="autodiff"
    )
    X, w = RNG.normal(size=(20, 3)), tf.Variable(np.zeros(3))
    y = X @ np.array([1.0, -2.0, 0.5])

    def step() -> Any:
        with tf.GradientTape() as tape:
            value = f(X=X, y=y, w=w)
        w.assign_sub(0.3 * tape.gradient(value, w))
        return value

    for compiled in (step, tf.function(step), tf.function(step, jit_compile=True)):
        w.assign(np.zeros(3))
        for _ in range(200):
            compiled()
        np.testing.assert_allclose(w.numpy(), [1.0, -2.0, 0.5], atol=1e-6)


@with_tensorflow
def test_a_gradient_that_is_given_scales_the_backward_pass() -> None:
    import tensorflow as tf

    f = pb.derive("z = W a; y = tanh(z); given grad y as g").compile("tensorflow", form="autodiff")
    W, a, g = (tf.constant(RNG.normal(size=s)) for s in ((3, 4), 4, 3))
    with tf.GradientTape() as tape:
        tape.watch([W, a])
        y = f(W, a)
    found = tape.gradient(y, [W, a], output_gradients=g)
    slope = (1 - np.tanh(W.numpy() @ a.numpy()) ** 2) * g.numpy()
    np.testing.assert_allclose(found[0], np.outer(slope, a), rtol=1e-12)
    np.testing.assert_allclose(found[1], W.numpy().T @ slope, rtol=1e-12)


@with_tensorflow
def test_log_of_a_sum_of_exponentials_at_a_tie_and_at_infinity() -> None:
    """Each of two equal arguments has half the slope; infinities give no NaN."""
    import tensorflow as tf

    d = pb.derive("x : n; y : n; E = sum(logaddexp(x, y))")
    f = d.compile("tensorflow", form="autodiff")
    x, y = tf.constant([0.0, 700.0, -50.0]), tf.constant([0.0, -700.0, 0.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = f(x, y)
        (slope,) = tape.gradient(value, [x])
    np.testing.assert_allclose(slope[:2], [0.5, 1.0], rtol=1e-6)
    np.testing.assert_allclose(outer.gradient(slope, x)[:2], [0.25, 0.0], rtol=1e-6)
    none = tf.constant([-np.inf, np.inf, 1.0])
    assert not np.isnan(d.compile("tensorflow")(none[1:], none[1:])[0])
    assert float(d.compile("tensorflow")(none[:1], none[:1])[0]) == -np.inf


@with_tensorflow
@pytest.mark.parametrize("compiled", [False, True])
def test_the_second_derivative_of_a_product_with_a_zero(compiled: bool) -> None:
    """That of tf.math.cumprod is wrong there."""
    import tensorflow as tf

    f = pb.derive("x : n; E = prod(x)").compile("tensorflow", form="autodiff")
    x = tf.constant([2.0, 0.0, 3.0, 1.0], tf.float64)

    def hessian(x: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = f(x)
            slope = inner.gradient(value, x)
        return outer.jacobian(slope, x)

    found = (tf.function(hessian) if compiled else hessian)(x)
    np.testing.assert_allclose(found, [[0, 3, 0, 0], [3, 0, 2, 6], [0, 2, 0, 0], [0, 6, 0, 0]])
