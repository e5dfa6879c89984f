"""Functions that a framework differentiates by the derived backward pass: first and second derivatives against differences."""

from __future__ import annotations

import importlib.util
import inspect
import os
from typing import Any

import pytest
from _layers import LAYERS

import pullback as pb

os.environ.setdefault("JAX_ENABLE_X64", "1")
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


@pytest.mark.parametrize("target", ["jax", "torch"])
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
