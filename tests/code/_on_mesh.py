"""On 8 devices: values and gradients over a mesh are those of one device. Run by test_mesh.py, in a process that has the devices."""

from __future__ import annotations

import inspect
import os
from typing import Any

import pytest

if "xla_force_host_platform_device_count=8" not in os.environ.get(
    "XLA_FLAGS", ""
):  # the search for doctests finds this file too
    pytest.skip("run by test_mesh.py", allow_module_level=True)

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import pullback as pb

assert len(jax.devices()) == 8, "XLA_FLAGS must say so before JAX starts"

TOLERANCE = 1e-10

DEEP = "\n".join([
    "X : (n0, B)",
    *(f"W{k} : (n{k}, n{k - 1})\nZ{k} = W{k} {f'A{k - 1}' if k > 1 else 'X'} + b{k} 1'\nA{k} = tanh(Z{k})" for k in range(1, 11)),
    "E = ½ ‖A10 − T‖² / B",
])  # fmt: skip
SIZES = {f"n{k}": 2 * (k % 4 + 2) for k in range(11)} | {"B": 12}

# name: (program, sizes, mesh)
CASES: dict[str, tuple[str, dict[str, int], str]] = {
    "an MLP of 10 layers": (DEEP, SIZES, "data=4: B; model=2: n1, n3, n5, n7, n9"),
    "attention, queries and width": (
        "Q : (t, d)\nK : (s, d)\nV : (s, e)\nO = attention(Q, K, V)\nE = ½ ‖O − G‖²",
        {"t": 8, "d": 6, "s": 5, "e": 3}, "data=4: t; model=2: d"),
    "attention, keys and values": (
        "Q : (t, d)\nK : (s, d)\nV : (s, e)\nO = attention(Q, K, V)\nE = ½ ‖O − G‖²",
        {"t": 3, "d": 5, "s": 8, "e": 6}, "data=4: s; model=2: e"),
    "layer norm along the mesh": (
        "X : (B, n)\nY = layernorm(X, g, h)\nE = sum(Y .* C) / B", {"B": 8, "n": 6}, "data=4: B; model=2: n"),
    "cross-entropy, classes along the mesh": (
        "X : (n, B)\nZ = W X\nE = -sum(Y .* logsoftmax(Z, axis=0)) / B", {"B": 8, "n": 5, "m": 6}, "data=4: B; model=2: m"),
    "sums over two axes of the mesh": ("X : (m, n)\nE = log(sum(exp(X)))", {"m": 8, "n": 6}, "data=4: m; model=2: n"),
    "a size as a number and as a shape": (
        "X : (B, n)\nE = sum((X .* X) w) / B + log(B) sum(X w) + n sum(w)", {"B": 8, "n": 6}, "data=4: B; model=2: n"),
    "the largest and the smallest": (
        "X : (B, n) where const\nc = max(X) - 2 min(X)\nE = c sum(w .* w) + sum(max(X, axis=1) .* max(Y, axis=1))\nY : (B, n)",
        {"B": 8, "n": 6, "m": 3}, "data=4: B"),
    "a function of which only the name is known": ("X : (B, n)\nY = f(X w)\nE = sum(Y .* c)", {"B": 8, "n": 6}, "data=4: B; model=2: n"),
    "a value with axes": ("X : (B, n)\ny = tanh(X w)\ngiven grad y as g", {"B": 8, "n": 6}, "data=4: B; model=2: n"),
    "looked up rows": (
        "i : B where index\nV : (v, n)\nX = gather(V, i)\nE = sum(tanh(X) .* C)", {"B": 8, "v": 5, "n": 6}, "data=4: B; model=2: n"),
    "convolution": ("X : (B, c, l)\nK : (o, c, k)\nY = conv1d(X, K)\nE = ½ ‖Y‖²", {"B": 4, "c": 6, "l": 7, "k": 3, "o": 5}, "data=4: B; model=2: c"),
}  # fmt: skip

each_case = pytest.mark.parametrize("case", CASES)
FREE = {"f": jnp.sin, "df": jnp.cos}


def drawn(d: pb.Derived, sizes: dict[str, int]) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    shapes = {v.attrs[0]: tuple(n.value(sizes) for n in v.shape) for v in d.program.inputs}
    found = {n: rng.normal(size=s) for n, s in shapes.items()}
    if "i" in found:
        found["i"] = rng.integers(0, sizes["v"], size=found["i"].shape)
    if d.derivation.seed is not None:
        seed = d.derivation.seed
        found[seed.attrs[0]] = rng.normal(size=tuple(n.value(sizes) for n in seed.shape))
    return found


def made(case: str, form: str) -> tuple[Any, dict[str, Any], pb.Derived]:
    text, sizes, mesh = CASES[case]
    d = pb.derive(text)
    make = d.compile("jax", form=form, mesh=mesh)
    free = {n: f for n, f in FREE.items() if n in inspect.signature(make).parameters}
    return make(**free), drawn(d, sizes), d


def same(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("form", ["function", "shard_map"])
@each_case
def test_value_and_gradients_are_those_of_the_evaluator(case: str, form: str) -> None:
    f, arrays, d = made(case, form)
    value, gradients = f(**arrays)
    free = {"f": (np.sin, np.cos)} if "f(" in CASES[case][0] else {}
    wanted, slopes = d.evaluate(**arrays, **free)
    same(value, wanted)
    assert gradients.keys() == slopes.keys()
    for n, g in gradients.items():
        same(g, slopes[n])


def test_gradients_lie_where_their_arrays_lie() -> None:
    text, sizes, mesh = CASES["an MLP of 10 layers"]
    d = pb.derive(text)
    names: dict[str, Any] = {}
    exec(d.code("jax", mesh=mesh, form="shard_map"), names)
    devices = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    inputs, (at, gradients) = names["shardings"](devices)
    assert inputs["X"].spec == P(None, "data") and at.spec == P()
    f = names["make_value_and_grad"](devices)
    arrays = {n: jax.device_put(x, inputs[n]) for n, x in drawn(d, sizes).items()}
    value, found = f(**arrays)
    assert value.sharding.is_fully_replicated
    for n, g in found.items():
        assert g.sharding.is_equivalent_to(gradients[n], g.ndim) and gradients[n] == inputs[n]
    assert found["W3"].addressable_shards[0].data.shape == (sizes["n3"] // 2, sizes["n2"])
    other = jax.make_mesh((2, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2, devices=jax.devices()[:4])
    again = names["make_value_and_grad"](other)(**drawn(d, sizes))  # the code does not depend on the number of devices
    same(again[0], value)
    same(again[1]["W3"], found["W3"])


@pytest.mark.parametrize("form", ["function", "autodiff"])
def test_the_code_for_one_device_runs_unchanged_on_a_mesh(form: str) -> None:
    text, sizes, _ = CASES["an MLP of 10 layers"]
    d = pb.derive(text)
    f = d.compile("jax", form=form)
    arrays = drawn(d, sizes)
    names = list(inspect.signature(f).parameters)
    devices = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)

    def laid(n: str) -> Any:
        along = {"B": "data", **{f"n{k}": "model" for k in range(1, 11, 2)}}
        shape = next(v.shape for v in d.program.inputs if v.attrs[0] == n)
        return jax.device_put(arrays[n], NamedSharding(devices, P(*(along.get(s.name) for s in shape))))

    value, wanted = d.evaluate(**arrays)
    if form == "function":
        found_value, found = jax.jit(f)(*map(laid, names))
    else:
        places = [names.index(n) for n in wanted]
        found_value, some = jax.jit(jax.value_and_grad(f, argnums=places))(*map(laid, names))
        found = dict(zip(wanted, some, strict=True))
    same(found_value, value)
    for n in wanted:
        same(found[n], wanted[n])


@pytest.mark.parametrize("form", ["function", "shard_map"])
def test_the_door_refuses_what_cannot_be_divided(form: str) -> None:
    f, arrays, _ = made("cross-entropy, classes along the mesh", form)
    bad = {n: x[:, :6] if n in "XY" else x for n, x in arrays.items()}
    with pytest.raises(
        ValueError, match=r"X has the shape \(5, 6\), and 6 is no multiple of 4, the devices along data"
    ):
        f(**bad)
    with pytest.raises(ValueError, match="X has 1 axes, not 2"):
        f(**{**arrays, "X": arrays["X"][0]})
    with pytest.raises(ValueError, match=r"has the shape \(6, 4\), not \(6, 5\), in Z = W X"):
        f(**{**arrays, "W": arrays["W"][:, :4]})


@pytest.mark.parametrize("form", ["function", "shard_map"])
def test_a_mesh_of_any_kind_that_has_the_axes(form: str) -> None:
    """`jax.make_mesh` has explicit axes unless it is told otherwise; ours are divided by the layout that the module says."""
    text, sizes, mesh = CASES["cross-entropy, classes along the mesh"]
    d = pb.derive(text)
    names: dict[str, Any] = {}
    exec(d.code("jax", form=form, mesh=mesh), names)
    arrays = drawn(d, sizes)
    value, _ = d.evaluate(**arrays)
    explicit = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    inputs, _ = names["shardings"](explicit)
    laid = {n: jax.device_put(x, inputs[n]) for n, x in arrays.items()}
    for given in (arrays, laid):
        same(names["make_value_and_grad"](explicit)(**given)[0], value)
    with pytest.raises(ValueError, match=r"the mesh has no axis model, it has \('data',\)"):
        names["make_value_and_grad"](jax.make_mesh((8,), ("data",)))
    with pytest.raises(TypeError, match=r"mesh is a tuple, not a jax\.sharding\.Mesh"):
        names["make_value_and_grad"]((4, 2))


# ---- the check of what is alike on all devices ------------------------------------------------------------------


def summed(check: bool) -> Any:
    """A loss over blocks whose derivative JAX takes through our code: the trap is a psum that is transposed to a psum."""
    text = "X : (B, n)\nr = X w − y\nE = ½ ‖r‖² / B"
    d = pb.derive(text)
    names: dict[str, Any] = {}
    exec(d.code("jax", form="shard_map", mesh="data=4: B").replace("check_vma=True", f"check_vma={check}"), names)
    return names["make_value_and_grad"](), d


def test_the_gradient_is_right_whether_the_check_is_on_or_off() -> None:
    """With the check off, a psum that JAX transposes gives a gradient 4 times too large (shown below); none of ours is transposed."""
    rng = np.random.default_rng(2)
    arrays = {"X": rng.normal(size=(8, 3)), "w": rng.normal(size=3), "y": rng.normal(size=8)}
    for check in (True, False):
        f, d = summed(check)
        _, wanted = d.evaluate(**arrays)
        _, found = f(**arrays)
        for n in wanted:
            same(found[n], wanted[n])


def test_our_function_in_a_custom_vjp_over_a_mesh_keeps_the_gradient() -> None:
    """The trap itself: a custom_vjp whose backward pass has psums, differentiated by JAX."""
    rng = np.random.default_rng(2)
    arrays = {"X": rng.normal(size=(8, 3)), "w": rng.normal(size=3), "y": rng.normal(size=8)}
    f, d = summed(True)
    _, wanted = d.evaluate(**arrays)

    @jax.custom_vjp
    def loss(w: Any) -> Any:
        return f(w=w, X=arrays["X"], y=arrays["y"])[0]

    def forward(w: Any) -> Any:
        value, found = f(w=w, X=arrays["X"], y=arrays["y"])
        return value, found["w"]

    loss.defvjp(forward, lambda kept, g: (g * kept,))
    same(jax.grad(loss)(arrays["w"]), wanted["w"])
    same(jax.jit(jax.grad(lambda w: 3 * loss(w)))(arrays["w"]), 3 * wanted["w"])


def test_the_trap_is_there_and_the_check_finds_it() -> None:
    """A custom_vjp by hand: with check_vma off the gradient is 4 times too large and nothing is said; our text with a psum left out
    is refused by JAX."""
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
    x = np.arange(8.0)

    def body(x: Any, w: Any) -> Any:
        return jax.lax.psum(jnp.sum(x * w), "data")

    def slope(check: bool) -> Any:
        over = jax.shard_map(
            jax.grad(body, argnums=1), mesh=mesh, in_specs=(P("data"), P()), out_specs=P(), check_vma=check
        )
        return over(x, 2.0)

    same(slope(True), x.sum())
    assert abs(float(slope(False)) - x.sum()) > 1  # what is on one device, four times: not the gradient
    text = pb.derive("X : (B, n)\nE = ½ ‖X w‖²").code("jax", form="shard_map", mesh="data=4: B")
    broken = text.replace('jax.lax.psum(u_1 @ X, "data")', "u_1 @ X", 1)
    assert broken != text
    names: dict[str, Any] = {}
    exec(broken, names)
    with pytest.raises(ValueError, match="out_specs"):
        names["make_value_and_grad"]()(X=np.ones((8, 3)), w=np.ones(3))
