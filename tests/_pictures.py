"""Programs whose pictures are drawn in tests: the examples, and others with up to twelve nodes."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TEXTS = {p.stem: p.read_text(encoding="utf-8") for p in sorted((ROOT / "examples").glob("*.eqn"))}
RECURRENCES = {name: text for name, text in _TEXTS.items() if re.search(r"\bfor [a-z] =", text)}
EXAMPLES = {name: text for name, text in _TEXTS.items() if name not in RECURRENCES}

PROGRAMS = {
    "residual": "W : (n, n); U : (n, n); x : n; a = tanh(W x); b = tanh(U a) + x; c = tanh(W b) + a; E = loss(c)",
    "fan": "x : n; W : (m, n); V : (m, n); h = W x; k = V x; q = f(h) .* g(k); r = h + k; y = q + r; E = loss(y) + ||x||^2",
    "attention": "X : (t, d); Q = X WQ; K = X WK; V = X WV; WQ : (d, e); WK : (d, e); WV : (d, e); S = Q K'; P = exp(S); "
    "s = sum(P, axis=1); O = diag(s.^-1) P V; E = loss(O)",
    "einsum": 'X : (B, h, n); W : (h, n, m); Y = ein("b h n, h n m -> b h m", X, W); Z = tanh(Y); given grad Z as G',
    "given": "W : (m, n); a : n; z = W a; y = f(z); given grad y as g",
    "quadratic": "A : (n, n); x : n; E = x' A x + tr(A)",
    "ring": "A : (m, n); B : (n, p); C : (p, q); D : (q, m); u : n; E = tr(A diag(u) B C D)",
    "k4": 'A : (i, j); B : (i, k); C : (i, l); D : (j, k); F : (j, l); G : (k, l); E = ein("ij,ik,il,jk,jl,kl->", A, B, C, D, F, G)',
    "star": "a : n; b : n; c : n; d : n; g : n; h : n; E = sum(a .* b .* c .* d .* g .* h)",
    "tree": "A : (n, m); B : (n, p); C : (n, q); u : m; v : p; w : q; E = sum((A u) .* (B v) .* (C w))",
    "norm": "x : n; y : n where data; mu = mean(x); c = x - mu*1_n; v = mean(c .* c); r = 1/sqrt(v+1); h = r*c; E = h' y",
    "order3": 'T : (m, n, p); x : n; y = ein("m n p, n -> m p", T, x); s : scalar; E = s*||y||^2 + sum(x)',
    "scalars": "x : scalar; y : scalar; z = x*y; w = sin(z) + x; E = w^2",
    "zero": "x : n; E = sum(x - x) + sum(x)",
    "many": "x : n; a = f(x); b = g(x); c = h(x); d = k(x); e = a .* b; p = c .* d; q = e + p; r = q .* x; s = r + a; E = loss(s, b, q)",
    "long_names": "weights_of_layer : (m, n); activation : n; preactivation = weights_of_layer activation; E = loss(preactivation)",
    "two_parameters": "A : (m, n); B : (m, n); C : (m, n); b : m; c : m; x : n; y = A x + B x + C x + b + c; E = loss(y)",
    "greek": "Δ : (m, n); α : n; β = Δ α; ψ = tanh(β); E = loss(ψ)",
}  # fmt: skip

SIZED = {  # (program, sizes) with a picture of neurons
    "layer": {"m": 2, "n": 3},
    "layer_index": {"m": 2, "n": 3},
    "bias_folded": {"m": 2, "n": 2},
    "residual": {"n": 3},
    "fan": {"m": 2, "n": 2},
    "given": {"m": 3, "n": 2},
    "norm": {"n": 4},
    "scalars": {},
    "two_parameters": {"m": 3, "n": 4},
    "perceptron": {"n": 3, "h": 4, "m": 2},
    "wide": {"n": 6, "m": 6},
}
PROGRAMS["perceptron"] = (
    "x : n; W1 : (h, n); b1 : h; W2 : (m, h); b2 : m; t : m where data; z1 = W1 x + b1; a1 = tanh(z1); z2 = W2 a1 + b2; E = ½‖z2 − t‖²"
)
PROGRAMS["wide"] = "W : (m, n); a : n; z = W a; E = loss(z)"

ALL = {**EXAMPLES, **PROGRAMS}  # those with every kind of picture
NETWORKS = {**ALL, **{f"{name}_k": text for name, text in RECURRENCES.items()}}
