"""What is timed: by name, functions without arguments that compute the value and every gradient once.

`ours NumPy buffers` is our target and its form; the rest are the frameworks' own autodiff, and the floor. Each is made in
the process of its framework, and imports nothing else.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from problems import Problem

import pullback as pb
from pullback.code.targets import FORMS

__all__ = [
    "FLOOR",
    "FRAMEWORKS",
    "TORCH_FLOOR",
    "Call",
    "Made",
    "candidates",
    "floor_of",
    "is_ours",
    "make",
    "to_numpy",
]

Call = Callable[[], Any]
Made = tuple[Call, Callable[[Any], Mapping[str, Any]]]  # the call, and how gradients by name are read off its result

FLOOR = "floor: the products alone"
TORCH_FLOOR = "floor: the products alone, PyTorch"
FRAMEWORKS = {"numpy": "NumPy", "numba": "Numba", "jax": "JAX", "torch": "PyTorch"}  # in this order in the tables
DIFFERENTIABLE = ("autodiff", "op")  # forms that the framework calls its autodiff on


def is_ours(name: str) -> bool:
    return name.startswith("ours ")


def candidates(framework: str, problem: str) -> list[str]:
    """Of one framework, in the order in which they take turns."""
    forms = [f for f in FORMS.get(framework, {}) if f in ("function", "buffers", *DIFFERENTIABLE)]
    ours = [f"ours {FRAMEWORKS[framework]} {f}" for f in forms]
    if framework == "numpy":
        return [*([FLOOR] if problem == "mlp" else []), *ours]
    if framework == "jax":
        return [*ours, "jax.grad"]
    if framework == "torch":
        fused = ["torch eager, fused"] if problem == "attention" else []
        floor = [TORCH_FLOOR] if problem in _TORCH_FLOORS else []
        return [*floor, *ours, "ours PyTorch function, compiled", "torch eager", *fused, "torch.compile"]
    return ours


@cache
def _derived(text: str) -> pb.Derived:
    return pb.derive(text)


def make(framework: str, name: str, p: Problem) -> Made:
    """The candidate, on arrays of its framework that are made here."""
    if name == FLOOR:
        return floor_of(p), lambda found: {}
    if framework in ("numpy", "numba"):
        return _ours(_derived(p.text), framework, name.split()[2], p, dict), lambda found: found[1]
    return (_jax if framework == "jax" else _torch)(name, p)


def _ours(d: pb.Derived, target: str, form: str, p: Problem, arrays: Callable[[Any], Mapping[str, Any]]) -> Call:
    """Our function for a target, bound to its arrays in the order in which it takes them."""
    f = d.compile(target, form=form, sizes=dict(p.sizes))
    taken = inspect.signature(f).parameters
    if "dtype" in taken:  # it makes its arrays first
        f = f(**{s: p.sizes[s] for s in taken if s != "dtype"}, dtype=np.dtype(p.dtype))
        taken = inspect.signature(f).parameters
    given = arrays(p.inputs())
    args = [given[n] for n in taken]
    return lambda: f(*args)


def _jax(name: str, p: Problem) -> Made:
    import jax
    from forwards_jax import FORWARDS

    given = {n: jax.device_put(a) for n, a in p.inputs().items()}
    given |= {n: given[n].astype(int) for n in p.whole if not is_ours(name)}
    move = {n: given[n] for n in p.wrt}
    data = {n: a for n, a in given.items() if n not in move}
    if name == "jax.grad":
        f, args = jax.value_and_grad(FORWARDS[p.name]), (move, data)
    elif name.endswith("function"):
        g = _derived(p.text).compile("jax", sizes=dict(p.sizes))
        f, args = g, tuple(given[n] for n in inspect.signature(g).parameters)
    else:
        g = _derived(p.text).compile("jax", form=name.split()[2], sizes=dict(p.sizes))
        order = list(inspect.signature(g).parameters)
        f = jax.value_and_grad(lambda m, c: g(*({**m, **c}[n] for n in order)))
        args = (move, data)
    run = jax.jit(f)
    call: Any = lambda: jax.block_until_ready(run(*args))  # noqa: E731
    call.lowered = lambda: run.lower(*args)
    return call, lambda found: found[1]


def _torch(name: str, p: Problem) -> Made:
    import torch
    from forwards_torch import FORWARDS, FUSED

    if name == TORCH_FLOOR:
        return _TORCH_FLOORS[p.name](p), lambda found: {}
    torch._dynamo.reset()
    given = {n: torch.from_numpy(a.copy()) for n, a in p.inputs().items()}
    form = name.split()[2].rstrip(",") if is_ours(name) else ""
    if form in ("function", "buffers"):
        f = _derived(p.text).compile("torch", form=form, sizes=dict(p.sizes))
        order = inspect.signature(f).parameters
        args = [given[n] for n in order]
        if name.endswith("compiled"):
            f = torch.compile(f, dynamic=False)
        return lambda: f(*args), lambda found: found[1]
    move = {n: given[n].requires_grad_() for n in p.wrt}
    data = {n: a for n, a in given.items() if n not in move}
    if is_ours(name):
        g = _derived(p.text).compile("torch", form=form, sizes=dict(p.sizes))
        args = [given[n] for n in inspect.signature(g).parameters]
        value: Call = lambda: g(*args)  # noqa: E731
    else:
        data |= {n: data[n].long() for n in p.whole}
        if "Y" in data:
            data["labels"] = data["Y"].argmax(dim=1)
        if p.name == "gp":
            data["I"] = torch.eye(p.sizes["n"], dtype=data["D"].dtype)
        chosen = FUSED[p.name] if name.endswith("fused") else FORWARDS[p.name]
        forward = torch.compile(chosen, dynamic=False) if name == "torch.compile" else chosen
        value = lambda: forward(move, data)  # noqa: E731
    leaves = list(move.values())

    def step() -> Any:
        found = value()
        return found, torch.autograd.grad(found, leaves)

    return step, lambda found: dict(zip(move, found[1], strict=True))


def floor_of(p: Problem) -> Call:
    """The eight matrix products of the network, into arrays that are there: what any gradient of it has to do."""
    a = p.inputs()
    batch = p.sizes["B"]
    x, w1, w2, w3 = a["X"], a["W1"], a["W2"], a["W3"]
    h1, h2, z = (np.ones((batch, w.shape[1]), p.dtype) for w in (w1, w2, w3))
    g1, g2 = np.empty_like(h1), np.empty_like(h2)
    d1, d2, d3 = (np.empty_like(w) for w in (w1, w2, w3))

    def products() -> None:
        np.dot(x, w1, out=h1)
        np.dot(h1, w2, out=h2)
        np.dot(h2, w3, out=z)
        np.dot(z, w3.T, out=g2)
        np.dot(g2, w2.T, out=g1)
        np.dot(x.T, g1, out=d1)
        np.dot(h1.T, g2, out=d2)
        np.dot(h2.T, z, out=d3)

    return products


def _torch_mlp(p: Problem) -> Call:
    import torch

    a = {n: torch.from_numpy(x) for n, x in p.inputs().items()}
    x, w1, w2, w3 = a["X"], a["W1"], a["W2"], a["W3"]
    h1, h2, z = (torch.ones(p.sizes["B"], w.shape[1], dtype=x.dtype) for w in (w1, w2, w3))
    g1, g2 = torch.ones_like(h1), torch.ones_like(h2)

    def products() -> None:
        torch.mm(x, w1), torch.mm(h1, w2), torch.mm(h2, w3)
        torch.mm(z, w3.T), torch.mm(g2, w2.T)
        torch.mm(x.T, g1), torch.mm(h1.T, g2), torch.mm(h2.T, z)

    return products


def _torch_attention(p: Problem) -> Call:
    import torch

    a = {n: torch.from_numpy(x) for n, x in p.inputs().items()}
    q, k, v, g = a["Q"], a["K"], a["V"], a["G"]
    s = torch.ones(*q.shape[:-1], k.shape[-2], dtype=q.dtype)

    def products() -> None:
        torch.matmul(q, k.mT), torch.matmul(s, v)
        torch.matmul(g, v.mT), torch.matmul(s.mT, g), torch.matmul(s, k), torch.matmul(s.mT, q)

    return products


_TORCH_FLOORS = {"mlp": _torch_mlp, "attention": _torch_attention}  # where products are most of the work


def to_numpy(gradients: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """In float64."""
    for n, g in gradients.items():
        yield n, np.asarray(g.detach() if hasattr(g, "detach") else g, dtype=np.float64)


def installed(framework: str) -> bool:
    return importlib.util.find_spec(framework) is not None
