"""In 4 processes: values and gradients of the ops on DTensors are those of one process. Run by test_dtensor.py, by torchrun."""

from __future__ import annotations

import os
from typing import Any

import pytest

if os.environ.get("WORLD_SIZE") != "4":  # the search for doctests finds this file too
    pytest.skip("run by test_dtensor.py", allow_module_level=True)

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard
from torch.distributed.tensor.debug import CommDebugMode

import pullback as pb

TOLERANCE = 1e-10

DEEP = "\n".join([
    "X : (B, n0)",
    *(f"W{k} : (n{k - 1}, n{k})\nZ{k} = {f'A{k - 1}' if k > 1 else 'X'} W{k} + b{k}'\nA{k} = tanh(Z{k})" for k in range(1, 11)),
    "E = ½ ‖A10 − T‖² / B",
])  # fmt: skip

# name: (program, sizes, mesh)
CASES: dict[str, tuple[str, dict[str, int], str]] = {
    "an MLP of 10 layers": (
        DEEP, {f"n{k}": 2 * (k % 4 + 2) for k in range(11)} | {"B": 8}, "data=2: B; model=2: n10"),
    "blocks of unequal length": ("X : (B, n)\nE = ½ ‖tanh(X W)‖² / B", {"B": 10, "n": 3, "m": 5}, "data=4: B"),
    "attention, queries and width": (
        "Q : (t, d)\nK : (s, d)\nV : (s, e)\nO = attention(Q, K, V)\nE = ½ ‖O − G‖²",
        {"t": 8, "d": 3, "s": 5, "e": 6}, "data=2: t; model=2: e"),
    "layer norm": ("X : (B, n)\nY = layernorm(X, g, h)\nE = sum(Y .* C) / B", {"B": 8, "n": 6}, "data=4: B"),
    "rms norm": ("X : (B, n)\nY = rmsnorm(X, g)\nE = sum(Y .* C) / B", {"B": 8, "n": 6}, "data=4: B"),
    "cross-entropy": (
        "X : (n, B)\nZ = W X\nE = -sum(Y .* logsoftmax(Z, axis=0)) / B", {"B": 8, "n": 5, "m": 6}, "data=4: B"),
    "logistic regression": ("X : (B, n)\nu = X w\nE = sum(softplus(u) − s .* u) / B", {"B": 8, "n": 3}, "data=4: B"),
    "gated linear unit": (
        "X : (B, n)\nU : (n, m)\nV : (n, m)\nY = (X U) .* sigmoid(X V)\nE = sum(Y .* C)", {"B": 4, "n": 3, "m": 6}, "data=2: B; model=2: m"),
    "what is linear in parts of a sum": ("x : n\nA : (m, n)\nC : (k, m)\ny = 3 A x\nz = C (2 y)\nE = gᵀ z", {"n": 8, "m": 3, "k": 5}, "data=4: n"),
    "a size as a number and as a shape": (
        "X : (B, n)\nE = sum((X .* X) w + log(B)) / B + n sum(X w)", {"B": 8, "n": 6}, "data=4: B"),
    "a gradient that is a number repeated": ("A : (B, n)\nE = c sum(A) / B", {"B": 8, "n": 6}, "data=4: B"),
    "looked up rows": (
        "i : B where index\nV : (v, n)\nX = gather(V, i)\nE = sum(tanh(X) .* C)", {"B": 8, "v": 5, "n": 6}, "data=4: B"),
    "convolution": (
        "X : (B, c, l)\nK : (o, c, k)\nY = conv1d(X, K)\nE = ½ ‖Y‖²", {"B": 4, "c": 6, "l": 7, "k": 3, "o": 6}, "data=2: B; model=2: o"),
    "a function of which only the name is known": ("X : (B, n)\nY = f(X w)\nE = sum(Y .* c)", {"B": 8, "n": 6}, "data=4: B"),
}  # fmt: skip


def same(found: Any, wanted: Any, label: str) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=TOLERANCE, atol=TOLERANCE, err_msg=label)


def ready(case: str) -> tuple[dict[str, Any], dict[str, np.ndarray], list[torch.Tensor], Any, pb.Derived]:
    """The module, numbers for the inputs, these as DTensors, the mesh."""
    text, sizes, mesh = CASES[case]
    d = pb.derive(text)
    names: dict[str, Any] = {}
    exec(d.code("torch", form="op", mesh=mesh), names)
    rng = np.random.default_rng(7)
    arrays = {v.attrs[0]: rng.normal(size=tuple(n.value(sizes) for n in v.shape)) for v in d.program.inputs}
    if "i" in arrays:
        arrays["i"] = rng.integers(0, sizes["v"], size=arrays["i"].shape).astype(float)
    counts = [int(part.partition("=")[2].partition(":")[0]) for part in mesh.split(";")]
    axes = [part.partition("=")[0].strip() for part in mesh.split(";")]
    devices = dist.device_mesh.init_device_mesh("cpu", tuple(counts), mesh_dim_names=tuple(axes))
    moving = set(d.evaluate(**arrays, **free(text))[1])
    tensors = [torch.tensor(arrays[n], requires_grad=n in moving) for n in names["INPUTS"]]
    return names, arrays, tensors, devices, d


def free(text: str) -> dict[str, Any]:
    return {"f": (np.sin, np.cos)} if "f(" in text else {}


def check(case: str) -> None:
    names, arrays, tensors, devices, d = ready(case)
    value, slopes = d.evaluate(**arrays, **free(CASES[case][0]))
    f = names["evaluate"] if "evaluate" in names else names["make_evaluate"](f=torch.sin, df=torch.cos)
    laid = names["laid_out"](devices, *tensors)
    with CommDebugMode() as sent:
        found = f(*laid)
    assert isinstance(found, DTensor) and not sent.get_total_counts(), f"{case}: {sent.get_comm_counts()}"
    same(found.full_tensor().detach(), value, case)
    found.backward()
    order = list(names["INPUTS"])
    for n, x in zip(order, laid, strict=True):
        if n in slopes:
            same(x.grad.full_tensor(), slopes[n], f"{case}: ∇{n}")
    some = [x for n, x in zip(order, laid, strict=True) if n in slopes][:1]  # only one is needed
    (one,) = torch.autograd.grad(f(*laid), some)
    same(one.full_tensor(), slopes[order[[id(x) for x in laid].index(id(some[0]))]], case)
    plain = f(*tensors)  # and tensors that are no DTensors
    same(plain.detach(), value, case)


def otherwise() -> None:
    """Arguments that lie in another way than was planned are laid out anew, and the result is the same."""
    names, arrays, tensors, devices, d = ready("cross-entropy")
    value, slopes = d.evaluate(**arrays)
    order = list(names["INPUTS"])
    for placement in ([Replicate()], [Shard(0)], [Shard(1)]):
        laid = [torch.distributed.tensor.distribute_tensor(x, devices, placement) for x in tensors]
        found = names["evaluate"](*laid)
        same(found.full_tensor().detach(), value, str(placement))
        found.backward()
        for n, x in zip(order, laid, strict=True):
            if n in slopes:
                same(x.grad.full_tensor(), slopes[n], f"{placement}: ∇{n}")


def twice() -> None:
    """Second derivatives, of all gradients and of the last one alone, are computed whole on every device."""
    for case in ("cross-entropy", "layer norm", "logistic regression", "blocks of unequal length"):
        names, _, tensors, devices, _ = ready(case)

        def second(arrays: list[torch.Tensor], some: slice, evaluate: Any = names["evaluate"]) -> Any:
            moving = [x for x in arrays if x.requires_grad][some]
            first = torch.autograd.grad(evaluate(*arrays), moving, create_graph=True)
            return torch.autograd.grad(sum((g * g).sum() for g in first), moving)

        for some in (slice(None), slice(-1, None)):
            laid = names["laid_out"](devices, *tensors)
            for found, wanted in zip(second(laid, some), second(tensors, some), strict=True):
                same(found.full_tensor(), wanted, f"{case}: second derivative")


def placed() -> None:
    """Where the results lie: parts of a sum for the value and the weights, rows where there are rows."""
    names, _, tensors, devices, _ = ready("layer norm")
    laid = names["laid_out"](devices, *tensors)
    found = names["evaluate"](*laid)
    assert found.placements == (Partial(),)
    grads = dict(zip(names["INPUTS"], torch.autograd.grad(found, [x for x in laid if x.requires_grad]), strict=False))
    assert {n: g.placements for n, g in grads.items()}["X"] == (Shard(0),)


def trained() -> None:
    """Ten steps of gradient descent on 4 devices are those of one."""
    names, arrays, _, devices, d = ready("logistic regression")
    order = list(names["INPUTS"])
    laid = names["laid_out"](devices, *(torch.tensor(arrays[n], requires_grad=n == "w") for n in order))
    w = laid[order.index("w")]
    optimiser = torch.optim.SGD([w], lr=0.1)
    alone = dict(arrays)
    for _ in range(10):
        optimiser.zero_grad()
        names["evaluate"](*laid).backward()
        optimiser.step()
        alone["w"] = alone["w"] - 0.1 * d.evaluate(**alone)[1]["w"]
    same(w.full_tensor().detach(), alone["w"], "after 10 steps")


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    for name in CASES:
        check(name)
    otherwise()
    twice()
    placed()
    trained()
    if dist.get_rank() == 0:
        print(f"{len(CASES)} programs on 4 devices")
    dist.barrier()
    dist.destroy_process_group()
