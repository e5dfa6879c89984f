"""Layers and losses as programs, for the tests of generated code."""

from __future__ import annotations

# name: (program, shape of every input in order of the function, the inputs that move)
LAYERS: dict[str, tuple[str, dict[str, tuple[int, ...]], list[str]]] = {
    "dense": ("c : (m)\nz = W a + b; y = tanh(z); E = c' y", {"W": (3, 4), "a": (4,), "b": (3,), "c": (3,)}, ["W", "a", "b"]),
    "batch of relu": (
        "X : (n, B)\nZ = W X + outer(b, ones(B)); A = relu(Z); E = sum(G .* A)",
        {"X": (4, 5), "W": (3, 4), "b": (3,), "G": (3, 5)}, ["W", "X", "b"]),
    "softmax and cross-entropy": (
        "Z = W X; E = -sum(Y .* logsoftmax(Z, axis=0)) / B\nX : (n, B)", {"W": (3, 4), "X": (4, 5), "Y": (3, 5)}, ["W", "X"]),
    "layer norm": (
        "c : (n)\nx : (n)\ny = layernorm(x, g, h, 0.00001); E = c' y", {"g": (6,), "x": (6,), "h": (6,), "c": (6,)}, ["x", "g", "h"]),
    "rms norm": ("c : (n)\nx : (n)\ny = rmsnorm(x, g, 0.00001); E = c' y", {"g": (6,), "x": (6,), "c": (6,)}, ["x", "g"]),
    "attention": (
        "Q : (t, d)\nK : (s, d)\nV : (s, e)\nS = Q Kᵀ / sqrt(d); P = softmax(S); O = P V; E = sum(G .* O)",
        {"Q": (3, 4), "K": (5, 4), "V": (5, 2), "G": (3, 2)}, ["Q", "K", "V"]),
    "logistic regression": (
        "s : (B)\nu = X w; E = sum(softplus(u) - s .* u) / B + 0.1 * sum(w .* w)", {"s": (5,), "X": (5, 3), "w": (3,)}, ["w", "X"]),
    "gated linear unit": ("c : (m)\ny = (U x) .* sigmoid(V x); E = c' y", {"U": (3, 4), "x": (4,), "V": (3, 4), "c": (3,)}, ["U", "V", "x"]),
    "Gaussian process": (
        "K : (n, n) where spd\nE = 0.5 * y' (inv(K) y) + 0.5 * logdet(K)", {"K": (4, 4), "y": (4,)}, ["y"]),
    "gelu": ("c : (m)\ny = gelu(W a); E = c' y", {"W": (3, 4), "a": (4,), "c": (3,)}, ["W", "a"]),
    "low rank": ("c : (m)\ny = A (B x); E = c' (y .* y)", {"A": (3, 2), "B": (2, 4), "x": (4,), "c": (3,)}, ["A", "B", "x"]),
    "recurrent cell": ("c : (m)\ng : (m)\nh = tanh(W x + U g + b); E = c' h", {"W": (3, 2), "x": (2,), "U": (3, 3), "g": (3,), "b": (3,), "c": (3,)},
                       ["W", "U", "x", "g", "b"]),
}  # fmt: skip
