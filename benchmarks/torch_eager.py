"""The torch target against eager autograd of the same forward pass: time and peak memory of a value and all gradients.

`formula` is autograd of the equations as they stand in the program, in PyTorch's functions of arrays; `fused` is autograd of what
PyTorch has whole for them (torch.nn.functional), where it has that.

    .venv-frameworks/bin/python benchmarks/torch_eager.py [--only mlp] [--threads 1,2] [--memory]

Every row runs our function, our autodiff form and eager autograd in turn, many times, and compares medians. With --memory every
figure is the peak of a process of its own, above what the process has before its first gradient.
"""

from __future__ import annotations

import argparse
import inspect
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F

import pullback as pb

Arrays = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Case:
    """A program, the same in PyTorch, what of it PyTorch has whole, and what moves."""

    program: str
    formula: Callable[..., torch.Tensor]
    fused: Callable[..., torch.Tensor] | None
    shapes: dict[str, tuple[int, ...]]
    moving: tuple[str, ...]
    make: Callable[[Arrays], Arrays] = lambda a: a


def _mlp_formula(X: Any, T: Any, W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any) -> Any:
    h = torch.relu(X @ W1.T + b1)
    g = torch.relu(h @ W2.T + b2)
    return -(T * torch.log_softmax(g @ W3.T + b3, dim=1)).sum() / len(X)


def _layer_norm(X: Any, g: Any, h: Any, C: Any) -> Any:
    c = X - X.mean(1, keepdim=True)
    return (C * (g * (c * torch.rsqrt((c * c).mean(1, keepdim=True) + 1e-5)) + h)).sum()


def _rms_norm(X: Any, g: Any, C: Any) -> Any:
    return (C * (g * (X * torch.rsqrt((X * X).mean(1, keepdim=True) + 1e-5)))).sum()


def _mlp(X: Any, T: Any, W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any) -> Any:
    h = torch.relu(F.linear(X, W1, b1))
    g = torch.relu(F.linear(h, W2, b2))
    return F.cross_entropy(F.linear(g, W3, b3), T)


def _attention(Q: Any, K: Any, V: Any, G: Any) -> Any:
    return (G * (torch.softmax(Q @ K.T / Q.shape[1] ** 0.5, dim=1) @ V)).sum()


def _rbf(X: Any, y: Any) -> Any:
    s = (X * X).sum(1)
    D = s[:, None] + s[None, :] - 2 * (X @ X.T)
    return _gp(torch.exp(-0.5 * D) + 0.1 * torch.eye(len(y), dtype=X.dtype), y)


def _gp(K: Any, y: Any) -> Any:
    L = torch.linalg.cholesky(K)
    a = torch.cholesky_solve(y[:, None], L)[:, 0]
    return 0.5 * (y @ a) + torch.log(torch.diagonal(L)).sum()


def _spd(a: Arrays) -> Arrays:
    a["K"] = a["K"] @ a["K"].T / len(a["K"]) + torch.eye(len(a["K"]), dtype=a["K"].dtype)
    return a


def _weights(a: Arrays) -> Arrays:
    key = "T" if "T" in a else "Y"
    a[key] = torch.softmax(a[key], 1)
    return a


def _scaled(a: Arrays) -> Arrays:
    for n in ("W1", "W2", "W3"):
        a[n] /= a[n].shape[1] ** 0.5
    return _weights(a)


def mlp(batch: int) -> Case:
    return Case(
        "X : (B, p) where const\nT : (B, c) where const\nW1 : (q, p)\nW2 : (r, q)\nW3 : (c, r)\nb1 : q\nb2 : r\nb3 : c\n"
        "H = relu(X W1ᵀ + 1 b1ᵀ); G = relu(H W2ᵀ + 1 b2ᵀ); Z = G W3ᵀ + 1 b3ᵀ; E = -sum(T ⊙ logsoftmax(Z)) / B",
        _mlp_formula,
        _mlp,
        {"X": (batch, 784), "T": (batch, 10), "W1": (256, 784), "b1": (256,), "W2": (128, 256), "b2": (128,), "W3": (10, 128), "b3": (10,)},
        ("W1", "b1", "W2", "b2", "W3", "b3"),
        _scaled,
    )  # fmt: skip


CASES: dict[str, Case] = {
    "mlp 32": mlp(32),
    "mlp 256": mlp(256),
    "cross-entropy": Case(
        "Z : (B, c)\nY : (B, c) where const\nE = -sum(Y ⊙ logsoftmax(Z)) / B",
        lambda Z, Y: -(Y * torch.log_softmax(Z, dim=1)).sum() / len(Z),
        lambda Z, Y: F.cross_entropy(Z, Y),
        {"Z": (256, 1000), "Y": (256, 1000)}, ("Z",), _weights),
    "layer norm": Case(
        "X : (B, n)\ng : n\nh : n\nC : (B, n) where const\nE = sum(C ⊙ layernorm(X, g, h, 0.00001))",
        _layer_norm,
        lambda X, g, h, C: (C * F.layer_norm(X, X.shape[1:], g, h)).sum(),
        {"X": (256, 512), "g": (512,), "h": (512,), "C": (256, 512)}, ("X", "g", "h")),
    "rms norm": Case(
        "X : (B, n)\ng : n\nC : (B, n) where const\nE = sum(C ⊙ rmsnorm(X, g, 0.00001))",
        _rms_norm,
        lambda X, g, C: (C * F.rms_norm(X, X.shape[1:], g, 1e-5)).sum(),
        {"X": (256, 512), "g": (512,), "C": (256, 512)}, ("X", "g")),
    "attention": Case(
        "Q : (t, d)\nK : (t, d)\nV : (t, d)\nG : (t, d) where const\nS = Q Kᵀ / sqrt(d); P = softmax(S); O = P V; E = sum(G ⊙ O)",
        _attention,
        lambda Q, K, V, G: (G * F.scaled_dot_product_attention(Q[None], K[None], V[None])[0]).sum(),
        {"Q": (128, 64), "K": (128, 64), "V": (128, 64), "G": (128, 64)}, ("Q", "K", "V")),
    "gp, K given": Case(
        "K : (n, n) where spd\ny : n\nE = 0.5 * y' (inv(K) y) + 0.5 * logdet(K)",
        _gp, None, {"K": (200, 200), "y": (200,)}, ("K", "y"), _spd),
    "gp, RBF": Case(
        "X : (n, d)\ny : n where const\ns = sum(X ⊙ X, axis=1); D = s 1ᵀ + 1 sᵀ - 2 X Xᵀ; K = exp(-0.5 * D) + 0.1 * I_n\n"
        "assume spd(K)\nE = 0.5 * y' (inv(K) y) + 0.5 * logdet(K)",
        _rbf, None, {"X": (200, 5), "y": (200,)}, ("X",)),
    "logistic": Case(
        "s : B where const\nX : (B, n) where const\nw : n\nu = X w; E = sum(softplus(u) - s ⊙ u) / B + 0.1 * sum(w ⊙ w)",
        lambda s, X, w: (F.softplus(X @ w) - s * (X @ w)).mean() + 0.1 * (w @ w), None,
        {"s": (2000,), "X": (2000, 50), "w": (50,)}, ("w",)),
}  # fmt: skip


def arrays_of(case: Case, dtype: torch.dtype) -> Arrays:
    torch.manual_seed(0)
    return case.make({n: torch.randn(s, dtype=dtype) for n, s in case.shapes.items()})


def runs(case: Case, dtype: torch.dtype) -> dict[str, Callable[[], Any]]:
    """Each way to the value and the gradients, as a function of nothing."""
    d = pb.derive(case.program)
    arrays = arrays_of(case, dtype)
    plain = d.compile("torch", form="function")
    smart = d.compile("torch", form="autodiff")

    def order(f: Callable[..., Any]) -> list[str]:
        return list(inspect.signature(f).parameters)

    ours = [arrays[n] for n in order(plain)]
    leaves = {n: x.clone().requires_grad_(n in case.moving) for n, x in arrays.items()}
    moving = [leaves[n] for n in case.moving]
    mine = [leaves[n] for n in order(smart)]

    def function() -> Any:
        with torch.no_grad():
            value, grad = plain(*ours)
        return value, [grad[n] for n in case.moving]

    def differentiated(f: Callable[..., torch.Tensor], args: list[torch.Tensor]) -> Callable[[], Any]:
        def run() -> Any:
            value = f(*args)
            return value, torch.autograd.grad(value, moving)

        return run

    found = {"formula": differentiated(case.formula, [leaves[n] for n in order(case.formula)])}
    if case.fused is not None:
        found["fused"] = differentiated(case.fused, [leaves[n] for n in order(case.fused)])
    op = d.compile("torch", form="op")
    return {**found, "function": function, "op": differentiated(op, mine), "autodiff": differentiated(smart, mine)}


def checked(case: Case) -> float:
    """The largest relative difference from eager autograd, in float64."""
    found = {n: f() for n, f in runs(case, torch.float64).items()}
    value, grads = found.pop("formula")
    worst = 0.0
    for v, g in found.values():
        for a, b in zip([v, *g], [value, *grads], strict=True):
            worst = max(worst, ((a - b).abs().max() / b.abs().max()).item())
    return worst


def timed(fs: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """The median time of each, the ways taking turns."""
    times: dict[str, list[float]] = {n: [] for n in fs}
    for f in fs.values():
        for _ in range(5):
            f()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["formula"]) < 15:
        for n, f in fs.items():
            start = time.perf_counter()
            f()
            times[n].append(time.perf_counter() - start)
    return {n: median(t) for n, t in times.items()}


def peak(way: str, name: str) -> float:
    """The bytes that tensors take at most, above those that are there before, in MB."""
    from torch.profiler import ProfilerActivity, profile

    f = runs(CASES[name], torch.float32)[way]
    f()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as p:
        kept = f()
    now = most = 0
    for e in p.profiler.kineto_results.events():
        if e.name() == "[memory]":
            now += e.nbytes()
            most = max(most, now)
    del kept
    return most / 1e6


def rows(only: str) -> Iterator[str]:
    yield from (n for n in CASES if only in n)


def main() -> None:
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--seconds", type=float, default=3.0)
    p.add_argument("--dtype", default="float32")
    p.add_argument("--memory", action="store_true")
    p.add_argument("--peak", nargs=2)
    a = p.parse_args()
    if a.peak:
        print(peak(*a.peak))
        return
    for n in rows(a.only):
        case = CASES[n]
        if a.memory:
            ways = list(runs(case, torch.float32))
            found = {w: float(subprocess.run([sys.executable, __file__, "--peak", w, n], capture_output=True, text=True, check=True).stdout)
                     for w in ways}  # fmt: skip
            print(f"{n:14} " + "  ".join(f"{w} {m:.2f} MB" for w, m in found.items()), flush=True)
            continue
        line = f"{n:14} err {checked(case):.0e}"
        for k in map(int, a.threads.split(",")):
            torch.set_num_threads(k)
            t = timed(runs(case, getattr(torch, a.dtype)), a.seconds)
            base = t.pop("formula")
            line += f" | {k}T {base * 1e6:6.0f} µs; " + " ".join(f"{w} {x / base:.2f}" for w, x in t.items())
        print(line, flush=True)


if __name__ == "__main__":
    main()
