"""Losses of labels: entries are picked out and marked, where a target can do that; in every target that is installed."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

HEAD = "X : (B, n)\ny : B where index\nw : B where const\nW : (n, c)\nZ = X W\n"
LABELS = {  # c : (c) and the like would be sizes that are names
    "mean": HEAD + "E = cross_entropy(Z, y) + sum(w) / B",
    "a weight for every row": HEAD + "E = -sum(w .* pick(logsoftmax(Z), y))",
    "a loss for every row": HEAD + "v = cross_entropy(Z, y, reduction=none)\nE = w' (v .* v)",
    "a row of weights of classes": HEAD + "r : c where const\nE = -sum(w .* pick(logsoftmax(Z), y)) + r' sum(one_hot(y, c) .* Z, axis=0)",
    "taken from the same place twice": HEAD + "P = softmax(Z)\nE = sum(w .* (1 - pick(P, y)) .* pick(logsoftmax(Z), y))",
    "hinge": HEAD + "M = Z + 1 - one_hot(y, c)\nE = sum(w .* (logsumexp(M, axis=1) - pick(Z, y)))",
    "only the marks": HEAD + "E = sum(exp(Z) .* (3 one_hot(y, c) + Z)) / B + sum(w)",
}  # fmt: skip
SHAPES = {"X": (4, 3), "W": (3, 5), "w": (4,), "r": (5,)}
each = pytest.mark.parametrize("name", LABELS)


def with_(module: str) -> Any:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"without {module}")


def case(name: str) -> tuple[pb.Derived, dict[str, Any], Any, dict[str, Any]]:
    """(the derivation, arrays, the value and the gradients by the evaluator)."""
    d = pb.derive(LABELS[name], wrt=["X", "W"])
    rng = np.random.default_rng(8)
    arrays = {n: rng.normal(size=s) for n, s in SHAPES.items() if n != "r" or "r :" in LABELS[name]}
    arrays["y"] = np.array([4.0, 0.0, 2.0, 4.0])
    value, gradients = d.evaluate(**arrays)
    return d, arrays, value, gradients


def ordered(f: Any, arrays: dict[str, Any]) -> list[Any]:
    return [arrays[n] for n in inspect.signature(f).parameters]


def agrees(found: Any, value: Any, gradients: dict[str, Any]) -> None:
    np.testing.assert_allclose(found[0], value, rtol=1e-12)
    for n, g in gradients.items():
        np.testing.assert_allclose(found[1][n], g, rtol=1e-10, atol=1e-12)


@each
def test_functions_in_numpy_numba_and_jax(name: str) -> None:
    d, arrays, value, gradients = case(name)
    f = d.compile("numpy")
    agrees(f(*ordered(f, arrays)), value, gradients)
    make = d.compile("numpy", form="buffers")
    f = make(B=4, n=3, c=5, dtype=np.float64)
    for kind in ("f8", "i4"):
        agrees(f(*ordered(f, {**arrays, "y": arrays["y"].astype(kind)})), value, gradients)
    with pytest.raises(TypeError, match="y has the type complex128, not real numbers"):
        f(*ordered(f, {**arrays, "y": arrays["y"] + 0j}))
    if importlib.util.find_spec("numba"):
        import numba

        numba.config.DISABLE_JIT = True
        f = d.compile("numba")
        agrees(f(*ordered(f, arrays)), value, gradients)
    jax = pytest.importorskip("jax")
    f = d.compile("jax")
    agrees(jax.jit(f)(*ordered(f, arrays)), value, gradients)


@each
def test_jax_differentiates_them_twice_and_in_batches(name: str) -> None:
    jax = pytest.importorskip("jax")
    from jax.test_util import check_grads

    d, arrays, _, _ = case(name)
    f = d.compile("jax", form="autodiff")
    names = list(inspect.signature(f).parameters)

    def of(X: Any, W: Any) -> Any:
        return f(*[{**arrays, "X": X, "W": W}[n] for n in names])

    check_grads(of, (arrays["X"], arrays["W"]), order=2, modes=["rev"], atol=1e-5, rtol=1e-5)
    labels = np.stack([arrays["y"], np.array([1.0, 1.0, 3.0, 0.0])])
    axes = tuple(0 if n == "y" else None for n in names)
    at = names.index("W")
    found = jax.vmap(jax.grad(f, argnums=at), in_axes=axes)(*[labels if n == "y" else arrays[n] for n in names])
    for k in range(2):
        np.testing.assert_allclose(found[k], d.evaluate(**{**arrays, "y": labels[k]})[1]["W"], rtol=1e-10, atol=1e-12)


@with_("torch")
@each
def test_functions_in_torch(name: str) -> None:
    import torch

    torch.set_default_dtype(torch.float64)
    d, arrays, value, gradients = case(name)
    f = d.compile("torch")
    agrees(f(*[torch.tensor(a) for a in ordered(f, arrays)]), value, gradients)
    whole = {n: torch.tensor(a, dtype=torch.int64 if n == "y" else torch.float64) for n, a in arrays.items()}
    agrees(f(*ordered(f, whole)), value, gradients)


@with_("torch")
@pytest.mark.parametrize("form", ["autodiff", "op"])
@each
def test_torch_differentiates_them_twice_and_in_batches(name: str, form: str) -> None:
    import torch

    torch.set_default_dtype(torch.float64)
    d, arrays, _, gradients = case(name)
    f = d.compile("torch", form=form)
    names = list(inspect.signature(f).parameters)
    args = [torch.tensor(arrays[n], requires_grad=n in gradients) for n in names]
    f(*args).backward()
    for n, x in zip(names, args, strict=True):
        if n in gradients:
            np.testing.assert_allclose(x.grad, gradients[n], rtol=1e-10, atol=1e-12)
    assert torch.autograd.gradcheck(f, args)
    assert torch.autograd.gradgradcheck(f, args)
    torch._dynamo.reset()
    again = [x.detach().clone().requires_grad_(x.requires_grad) for x in args]
    torch.compile(f, fullgraph=True, backend="aot_eager")(*again).backward()
    for n, x in zip(names, again, strict=True):
        if n in gradients:
            np.testing.assert_allclose(x.grad, gradients[n], rtol=1e-10, atol=1e-12)
    if form == "op":
        torch.library.opcheck(f.__globals__["_evaluate"], tuple(args))
    labels = torch.stack([torch.tensor(arrays["y"]), torch.tensor([1.0, 1.0, 3.0, 0.0])])
    W = torch.tensor(arrays["W"], requires_grad=True)
    given = [W if n == "W" else labels if n == "y" else x.detach() for n, x in zip(names, args, strict=True)]
    values = torch.vmap(f, in_dims=tuple(0 if n == "y" else None for n in names))(*given)
    (found,) = torch.autograd.grad(values.sum(), W)
    right = sum(d.evaluate(**{**arrays, "y": y.numpy()})[1]["W"] for y in labels)
    np.testing.assert_allclose(found, right, rtol=1e-10, atol=1e-12)


@with_("tensorflow")
@each
def test_functions_in_tensorflow(name: str) -> None:
    import tensorflow as tf

    d, arrays, value, gradients = case(name)
    f = d.compile("tensorflow")
    for g in (f, tf.function(f, autograph=False)):
        agrees(g(*[tf.constant(a) for a in ordered(f, arrays)]), value, gradients)


def test_torch_and_jax_make_no_array_of_zeros_and_ones_for_a_loss_of_labels() -> None:
    d = pb.derive("Z : (N, V)\ny : N where index\nE = cross_entropy(Z, y)")
    for target, picks in (("torch", "torch.gather("), ("jax", "take_along_axis(")):
        forward = d.code(target).partition("def value_and_grad")[2].partition("# backward")[0]
        assert "arange" not in forward and picks in forward
    assert "arange" not in d.code("torch") and "_mark_(t1, " in d.code("torch")


@with_("torch")
@pytest.mark.parametrize("form", ["function", "autodiff", "op"])
def test_torch_loses_no_digits_of_unlikely_or_large_logits(form: str) -> None:
    """The value is read off the softmax, and yet not of an entry that underflows, nor a difference of large numbers."""
    import torch

    d = pb.derive("Z : (N, V)\ny : N where index\nE = cross_entropy(Z, y)")
    rng = np.random.default_rng(5)
    Z = rng.normal(size=(6, 9)) + 3e4
    Z[0, 4] -= 1000  # its probability is 0 in float64
    Z[1] = [3e4, *[0] * 8]
    y = np.array([4, 0, 8, 3, 2, 1])
    given = torch.tensor(Z, dtype=torch.float32, requires_grad=form != "function")
    exact = given.detach().to(torch.float64).numpy()
    shifted = exact - exact.max(axis=1, keepdims=True)
    right = np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(6), y])
    f = d.compile("torch", form=form)
    found = f(given, torch.tensor(y))
    value = found[0] if form == "function" else found
    np.testing.assert_allclose(value.item(), right, rtol=3e-7)


@with_("torch")
@pytest.mark.parametrize("wrong", [[0.0, 5.0, 1.0, 2.0], [0.0, -1.0, 1.0, 2.0], [0.0, 1.5, 1.0, 2.0]])
def test_what_is_no_label_is_refused(wrong: list[float]) -> None:
    import torch

    d, arrays, _, _ = case("mean")
    for target, convert in (("numpy", np.asarray), ("torch", torch.tensor)):
        f = d.compile(target)
        with pytest.raises(ValueError, match="an entry of y is no whole number from 0 to 4"):
            f(*[convert(a) for a in ordered(f, {**arrays, "y": np.array(wrong)})])


TYPES = [("float32", "int64"), ("float32", "uint8"), ("float64", "int32"), ("float32", "float64")]


@pytest.mark.parametrize(("numbers", "places"), TYPES)
@pytest.mark.parametrize("target", ["numpy", "numba", "jax", "torch", "tensorflow"])
def test_an_index_does_not_tell_the_type(target: str, numbers: str, places: str) -> None:
    convert = converting(target)
    d, arrays, value, gradients = case("taken from the same place twice")
    for form in ("function", "autodiff") if target in ("jax", "torch") else ("function",):
        f = d.compile(target, form=form)
        given = [convert(a, places if a is arrays["y"] else numbers) for a in ordered(f, arrays)]
        if form == "autodiff" and target == "torch":
            moving = [
                x.requires_grad_()
                for x, n in zip(given, inspect.signature(f).parameters, strict=True)
                if n in gradients
            ]
            (found := f(*given)).backward()
            results = [found, *(x.grad for x in moving)]
        elif form == "autodiff":
            import jax

            at = [k for k, n in enumerate(inspect.signature(f).parameters) if n in gradients]
            found, slopes = jax.jit(jax.value_and_grad(f, argnums=at))(*given)
            results = [found, *slopes]
        else:
            found, slopes = f(*given)
            results = [
                *([] if target == "numba" else [found]),
                *slopes.values(),
            ]  # a compiled loop gives a float of Python
        assert {str(x.dtype).rpartition(".")[2].strip("<>'") for x in results} <= {numbers, f"dtype: '{numbers}"}
        np.testing.assert_allclose(float(found), value, rtol=2e-6 if numbers == "float32" else 1e-12)


@pytest.mark.parametrize("target", ["numpy", "jax", "torch", "tensorflow"])
def test_a_place_beyond_the_whole_numbers_of_float32_is_found(target: str) -> None:
    """2²⁴ + 1 is no number of float32."""
    convert = converting(target)
    d = pb.derive("T : (v, d)\ni : (n) where index\nw : n\nE = w' pick(gather(T, i), z)\nz : n where index", wrt=["w"])
    f = d.compile(target)
    rows = (1 << 24) + 3
    arrays = {"T": np.zeros((rows, 1), np.float32), "w": np.ones(1, np.float32)}
    arrays["T"][-2] = 7
    given = {**{n: convert(a, "float32") for n, a in arrays.items()},
             "i": convert(np.array([rows - 2]), "int32"), "z": convert(np.array([0]), "int32")}  # fmt: skip
    found, slopes = f(*ordered(f, given))
    assert float(found) == 7 and float(slopes["w"][0]) == 7


def test_jax_gives_nan_for_what_is_no_label() -> None:
    jax = pytest.importorskip("jax")
    d, arrays, _, _ = case("mean")
    f = jax.jit(d.compile("jax"))
    names = list(inspect.signature(d.compile("jax")).parameters)
    for wrong in ([0, 5, 1, 2], [0, -1, 1, 2], [0, 1.5, 1, 2]):
        value, slopes = f(*[{**arrays, "y": np.array(wrong)}[n] for n in names])
        assert np.isnan(value) and all(np.isnan(g).any() for g in slopes.values())


def test_a_row_that_is_not_there_makes_the_gradient_of_the_table_nan_in_jax() -> None:
    jax = pytest.importorskip("jax")
    f = jax.jit(pb.derive("T : (V, d); i : B where index; E = sum(gather(T, i)^∘2)").compile("jax"))
    assert np.isnan(f(np.ones((3, 2)), np.array([0, 3]))[1]["T"]).all()
    np.testing.assert_array_equal(f(np.ones((3, 2)), np.array([0, 2]))[1]["T"], [[2, 2], [0, 0], [2, 2]])


def converting(target: str) -> Any:
    """(array, name of a type) -> an array of the target; skips where that is not installed."""
    if target in ("numpy", "numba"):
        pytest.importorskip(target)
        return lambda a, dtype: np.asarray(a, dtype)
    module = pytest.importorskip(target)
    if target == "jax":
        return lambda a, dtype: module.numpy.asarray(a, dtype)
    if target == "torch":
        return lambda a, dtype: module.tensor(np.asarray(a, dtype))
    return lambda a, dtype: module.constant(np.asarray(a, dtype))
