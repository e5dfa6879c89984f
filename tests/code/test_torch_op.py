"""The form `op` of the torch target: ops of torch.library, by PyTorch's own checks; and which work a backward pass leaves out."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from _layers import LAYERS

import pullback as pb
from pullback.code.targets import FORMS

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

each_layer = pytest.mark.parametrize("layer", LAYERS)


@pytest.fixture(autouse=True)
def double() -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def case(layer: str, form: str = "op") -> tuple[Any, list[Any], dict[str, Any], list[str]]:
    """(the function, its arguments, {name: the gradient that is right}, the names of the arguments)."""
    text, shapes, moving = LAYERS[layer]
    d = pb.derive(text)
    rng = np.random.default_rng(5)
    arrays = {n: rng.normal(size=s) for n, s in shapes.items()}
    if "spd" in text:
        arrays["K"] = arrays["K"] @ arrays["K"].T + 4 * np.eye(4)
    f = d.compile("torch", form=form)
    names = list(inspect.signature(f).parameters)
    args = [torch.tensor(arrays[n], requires_grad=n in moving) for n in names]
    wanted = d.evaluate(**arrays)[1]
    return f, args, {n: wanted[n] for n in moving}, names


def ops_of(f: Any) -> tuple[Any, Any]:
    """The op of the forward pass and that of the backward pass."""
    return f.__globals__["_evaluate"], f.__globals__["_evaluate_backward"]


@each_layer
def test_pytorch_finds_nothing_wrong_with_the_ops(layer: str) -> None:
    f, args, moving, names = case(layer)
    forward, backward = ops_of(f)
    torch.library.opcheck(forward, tuple(args))
    outputs = forward(*args)
    extra = (
        len(backward._opoverload._schema.arguments) - len(args) - 2
    )  # what is kept, the value among it where it is needed
    made = [x.detach() for x in outputs[len(outputs) - extra :]]
    needed = [n in moving for n in names]
    torch.library.opcheck(backward, (torch.tensor(1.5, requires_grad=True), *args, *made, needed))


@each_layer
def test_first_and_second_derivatives_of_the_op(layer: str) -> None:
    f, args, wanted, names = case(layer)
    f(*args).backward()
    for n, x in zip(names, args, strict=True):
        if n in wanted:
            np.testing.assert_allclose(x.grad, wanted[n], rtol=1e-10, atol=1e-12)
    assert torch.autograd.gradcheck(f, args)
    assert torch.autograd.gradgradcheck(f, args)


@pytest.mark.parametrize(
    "layer", ["dense", "batch of relu", "softmax and cross-entropy", "attention", "Gaussian process"]
)
def test_the_op_is_compiled_whole(layer: str) -> None:
    f, args, wanted, names = case(layer)
    torch._dynamo.reset()
    torch.compile(lambda *xs: 2 * f(*xs), fullgraph=True, backend="aot_eager")(*args).backward()
    for n, x in zip(names, args, strict=True):
        if n in wanted:
            np.testing.assert_allclose(x.grad, 2 * wanted[n], rtol=1e-10, atol=1e-12)


def test_a_third_derivative_is_right() -> None:
    """Nothing on the way is taken for a constant."""
    f, (c, W, a, b), _, names = case("dense")
    assert names == ["c", "W", "a", "b"]

    def third(g: Any) -> Any:
        (first,) = torch.autograd.grad(g(c, W, a, b), a, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), a, create_graph=True)
        return torch.autograd.grad(second.square().sum(), (W, a, b))

    for found, right in zip(third(f), third(lambda c, W, a, b: c @ torch.tanh(W @ a + b)), strict=True):
        torch.testing.assert_close(found, right)


def test_a_batch_of_arguments_is_a_batch_of_values() -> None:
    f, args, wanted, names = case("attention")
    at = names.index("V")
    batch = torch.stack([args[at].detach(), 3 * args[at].detach()]).requires_grad_()
    values = torch.vmap(f, in_dims=tuple(0 if k == at else None for k in range(4)))(*args[:at], batch, *args[at + 1 :])
    torch.testing.assert_close(values[1], 3 * values[0])
    (found,) = torch.autograd.grad(values.sum(), batch)
    np.testing.assert_allclose(found[0], wanted["V"], rtol=1e-10, atol=1e-12)


@each_layer
def test_a_batch_of_any_one_argument_or_of_cotangents(layer: str) -> None:
    """What is written to in place is no batch where what would be written is one."""
    f, args, wanted, names = case(layer, "autodiff")
    moving = [k for k, n in enumerate(names) if n in wanted]

    def gradients(*inputs: Any) -> Any:
        leaves = [x.detach().requires_grad_() if k in moving else x for k, x in enumerate(inputs)]
        return torch.autograd.grad(f(*leaves), [leaves[k] for k in moving])

    plain = [x.detach() for x in args]
    for at in moving:
        batch = torch.stack([plain[at], 0.9 * plain[at]])
        dims = tuple(0 if k == at else None for k in range(len(args)))
        given = [batch if k == at else x for k, x in enumerate(plain)]
        found = torch.vmap(torch.func.grad(f, argnums=tuple(moving)), in_dims=dims)(*given)
        for b in (0, 1):
            right = gradients(*[x[b] if k == at else x for k, x in enumerate(given)])
            torch.testing.assert_close([x[b] for x in found], list(right), rtol=1e-10, atol=1e-12)
    first = torch.autograd.grad(f(*args), [args[k] for k in moving])
    cotangents = torch.tensor([1.0, -2.0])
    found = torch.autograd.grad(f(*args), [args[k] for k in moving], cotangents, is_grads_batched=True)
    torch.testing.assert_close([x[1] for x in found], [-2 * x for x in first], rtol=1e-10, atol=1e-12)
    found = torch.func.jacrev(f, argnums=tuple(moving))(*plain)
    torch.testing.assert_close(list(found), list(first), rtol=1e-10, atol=1e-12)


def test_two_ops_of_one_name_do_not_replace_each_other() -> None:
    """A module that is imported twice, and two modules that chose the same name."""
    text = pb.derive("z = W a; E = z' z").code("torch", form="op", name="twice")
    first: dict[str, Any] = {}
    again: dict[str, Any] = {}
    other: dict[str, Any] = {}
    exec(text, first)
    exec(text, again)
    exec(pb.derive("z = W a; E = 3 * z' z").code("torch", form="op", name="twice"), other)
    W, a = torch.randn(3, 4), torch.randn(4, requires_grad=True)
    values = [m["twice"](W, a) for m in (first, again, other)]
    torch.testing.assert_close(values, [values[0], values[0], 3 * values[0]])
    (found,) = torch.autograd.grad(values[0], a)
    torch.testing.assert_close(found, 2 * W.T @ W @ a)
    assert hasattr(torch.ops.pullback, "twice") and hasattr(torch.ops.pullback, "twice_3")


def test_an_op_says_what_does_not_fit() -> None:
    f, (c, W, a, b), _, _ = case("dense")
    with pytest.raises(ValueError, match=r"b has the shape \(5,\), not \(3,\), in z = W a \+ b"):
        f(c, W, a, torch.ones(5))
    with pytest.raises(ValueError, match=r"b has the shape \(5,\), not \(3,\), in z = W a \+ b"):
        ops_of(f)[0](c, W, a, torch.ones(5))
    with pytest.raises(TypeError, match=r"a has the type torch\.complex128, not real numbers"):
        f(c, W, a.to(torch.complex128), b)


def test_an_op_of_unknown_functions_is_made_for_them() -> None:
    make = pb.derive("z = W a; y = f(z); E = y' y").compile("torch", form="op")
    W, a = torch.randn(3, 4, requires_grad=True), torch.randn(4, requires_grad=True)
    sine, square = make(f=torch.sin, df=torch.cos), make(f=torch.square, df=lambda z: 2 * z)
    assert torch.autograd.gradcheck(sine, (W, a)) and torch.autograd.gradgradcheck(sine, (W, a))
    assert torch.autograd.gradcheck(square, (W, a)) and torch.autograd.gradgradcheck(square, (W, a))


# ---- what is not needed is not computed -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["autodiff", "op"])
def test_a_function_that_no_needed_gradient_uses_is_not_called(form: str) -> None:
    make = pb.derive("z = W a + b; y = f(z); E = c' y\nc : (m)").compile("torch", form=form)
    calls: list[int] = []

    def slope(z: Any) -> Any:
        calls.append(1)
        return torch.cos(z)

    f = make(f=torch.sin, df=slope)
    names = list(inspect.signature(f).parameters)
    arrays = {"W": torch.randn(3, 4), "a": torch.randn(4), "b": torch.randn(3), "c": torch.randn(3)}
    for moving, times in ((["c"], 0), (["b"], 1), (["W", "c"], 1)):
        calls.clear()
        args = [arrays[n].clone().requires_grad_(n in moving) for n in names]
        f(*args).backward()
        assert len(calls) == times
        assert [x.grad is not None for x in args] == [n in moving for n in names]


def test_products_that_no_needed_gradient_uses_are_left_out() -> None:
    """Of the form autodiff: into an op, which has the same text inside, the counter does not look."""
    f = pb.derive("X : (B, n)\nH = tanh(X W); Z = H V; E = ½ ‖Z‖²").compile("torch", form="autodiff")
    B, n, p, q = 5, 4, 3, 2
    names = list(inspect.signature(f).parameters)
    arrays = {"X": torch.randn(B, n), "W": torch.randn(n, p), "V": torch.randn(p, q)}
    products = {"V": B * p * q, "H": B * p * q, "W": B * n * p, "X": B * n * p}
    for moving, computed in (("V", "V"), ("W", "HW"), ("X", "HX"), ("XV", "HXV"), ("XWV", "HXWV")):
        args = [arrays[k].clone().requires_grad_(k in moving) for k in names]
        value = f(*args)
        with FlopCounterMode(display=False) as counter:
            value.backward()
        assert counter.get_total_flops() == 2 * sum(products[k] for k in computed), moving


def test_a_condition_of_many_needs_has_a_name() -> None:
    layers = "".join(f"H{k + 1} = tanh(H{k} W{k} + 1 b{k}ᵀ); " for k in range(1, 8))
    text = pb.derive("H1 : (B, n1) where const\n" + layers + "E = sum(H8)").code("torch", form="autodiff")
    assert "if need_W1 or need_b1:" in text
    assert max(x.count(" or ") for x in text.splitlines()) < 4
    assert len(text) < 16_000


def test_forms_of_the_target() -> None:
    assert set(FORMS["torch"]) == {"function", "autodiff", "op"}
