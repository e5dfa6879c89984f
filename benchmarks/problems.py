"""The problems that are timed: the text that we derive from, its sizes, and inputs drawn from a seed.

The same forward pass by hand stands in `forwards_jax.py` and `forwards_torch.py`, by the name of the problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["PROBLEMS", "Problem", "mlp"]

Arrays = dict[str, Any]
Draw = Callable[[np.random.Generator, Mapping[str, int]], Arrays]


@dataclass(frozen=True)
class Problem:
    """`wrt` are the inputs whose gradients are asked for, `whole` those that hold whole numbers."""

    name: str
    title: str
    text: str
    sizes: Mapping[str, int]
    draw: Draw
    wrt: tuple[str, ...]
    dtype: str = "float32"
    whole: tuple[str, ...] = ()

    def inputs(self, seed: int = 5) -> Arrays:
        """Arrays of the dtype, the same ones in every process."""
        found = self.draw(np.random.default_rng(seed), self.sizes)
        return {n: np.asarray(a, self.dtype) for n, a in found.items()}

    def at(self, **sizes: int) -> Problem:
        return replace(self, sizes={**self.sizes, **sizes})

    def said(self) -> str:
        return ", ".join(f"{s} = {n}" for s, n in self.sizes.items())


_MLP = """X : (B, n) where const
Y : (B, c) where const
W1 : (n, h); b1 : h
W2 : (h, k); b2 : k
W3 : (k, c); b3 : c
Z1 = X W1 + 1_B b1'
A1 = relu(Z1)
Z2 = A1 W2 + 1_B b2'
A2 = relu(Z2)
Z3 = A2 W3 + 1_B b3'
E = -sum(Y .* logsoftmax(Z3, axis=1)) / B
"""


_KINK = 1e-4  # how far every neuron is from the kink of relu, where float32 may fall on the other side of it


def _draw_mlp(r: np.random.Generator, s: Mapping[str, int]) -> Arrays:
    found: Arrays = {}
    for k, (a, b) in enumerate([("n", "h"), ("h", "k"), ("k", "c")], 1):
        found[f"W{k}"] = r.normal(size=(s[a], s[b])) * (2 / s[a]) ** 0.5
        found[f"b{k}"] = r.normal(size=s[b]) * 0.1
    x = r.uniform(size=(s["B"] + s["B"] // 4 + 8, s["n"]))
    z1 = x @ found["W1"] + found["b1"]
    z2 = np.maximum(z1, 0) @ found["W2"] + found["b2"]
    clear = np.minimum(np.abs(z1).min(axis=1), np.abs(z2).min(axis=1)) > _KINK
    found["X"] = x[clear][: s["B"]]
    found["Y"] = np.eye(s["c"])[r.integers(s["c"], size=s["B"])]
    return found


def mlp(batch: int, dtype: str) -> Problem:
    """A gradient step's worth: the value and six gradients."""
    sizes = {"B": batch, "n": 784, "h": 256, "k": 128, "c": 10}
    wrt = ("W1", "b1", "W2", "b2", "W3", "b3")
    return Problem("mlp", "MLP 784-256-128-10", _MLP, sizes, _draw_mlp, wrt, dtype)


def _normal(**shapes: str) -> Draw:
    """Normal entries; every letter of a shape is a size."""
    return lambda r, s: {n: r.normal(size=[s[x] for x in shape.split()]) for n, shape in shapes.items()}


def _draw_gp(r: np.random.Generator, s: Mapping[str, int]) -> Arrays:
    x = r.normal(size=(s["n"], 3))
    squares = ((x[:, None, :] - x[None, :, :]) ** 2).sum(axis=2)
    return {
        "D": squares,
        "y": np.sin(x.sum(axis=1)) + 0.1 * r.normal(size=s["n"]),
        "ell": 0.1,
        "sigma": 0.2,
        "tau": -2.0,
    }


def _draw_logistic(r: np.random.Generator, s: Mapping[str, int]) -> Arrays:
    return {
        "X": r.normal(size=(s["B"], s["d"])),
        "s": r.integers(2, size=s["B"]),
        "w": r.normal(size=s["d"]) * 0.1,
        "b": 0.1,
    }


def _draw_ce(r: np.random.Generator, s: Mapping[str, int]) -> Arrays:
    return {"Z": r.normal(size=(s["N"], s["V"])), "y": r.integers(s["V"], size=s["N"])}


PROBLEMS: dict[str, Problem] = {
    p.name: p
    for p in [
        mlp(256, "float32"),
        Problem(
            "softmax_ce",
            "softmax cross-entropy with labels",
            "Z : (N, V)\ny : N where index\nE = cross_entropy(Z, y)\n",
            {"N": 512, "V": 4096},
            _draw_ce,
            ("Z",),
            whole=("y",),
        ),
        Problem(
            "layer_norm",
            "layer norm",
            "X : (B, n)\nC : (B, n) where const\nY = layernorm(X, g, h, 0.00001)\nE = sum(C .* Y)\n",
            {"B": 1024, "n": 768},
            _normal(X="B n", C="B n", g="n", h="n"),
            ("X", "g", "h"),
        ),
        Problem(
            "rms_norm",
            "RMS norm",
            "X : (B, n)\nC : (B, n) where const\nY = rmsnorm(X, g, 0.00001)\nE = sum(C .* Y)\n",
            {"B": 1024, "n": 768},
            _normal(X="B n", C="B n", g="n"),
            ("X", "g"),
        ),
        Problem(
            "attention",
            "attention",
            """Q : (b, h, t, d)
K : (b, h, s, d)
V : (b, h, s, e)
G : (b, h, t, e) where const
S = ein("b h t d, b h s d -> b h t s", Q, K) / sqrt(d)
P = softmax(S)
O = ein("b h t s, b h s e -> b h t e", P, V)
E = sum(G .* O)
""",
            {"b": 2, "h": 8, "t": 256, "s": 256, "d": 64, "e": 64},
            _normal(Q="b h t d", K="b h s d", V="b h s e", G="b h t e"),
            ("Q", "K", "V"),
        ),
        Problem(
            "gp",
            "GP marginal likelihood",
            """D : (n, n) where const, symmetric
y : n where const
ell : scalar; sigma : scalar; tau : scalar
K = exp(sigma) exp(-D / (2 exp(2 ell))) + exp(tau) I
assume positive_definite(K)
E = ½ y' inv(K) y + ½ logdet(K)
""",
            {"n": 512},
            _draw_gp,
            ("ell", "sigma", "tau"),
            dtype="float64",
        ),
        Problem(
            "logistic",
            "logistic regression",
            """X : (B, d) where const
s : B where const
w : d; b : scalar
u = X w + b
E = sum(softplus(u) - s .* u) / B + 0.01 * sum(w .* w)
""",
            {"B": 4096, "d": 256},
            _draw_logistic,
            ("w", "b"),
        ),
    ]
}
