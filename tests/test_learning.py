"""The ops of learning inside programs: every gradient against `jax.grad` of an independent implementation, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import pytest

import pullback

np = pytest.importorskip("numpy")
jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
nn = pytest.importorskip("jax.nn")
jax.config.update("jax_enable_x64", True)

Array = Any
SIZES = {"b": 8, "c": 9, "d": 7, "k": 2, "m": 3, "n": 4, "p": 5, "q": 6}
_EPS = 1e-5


def _extents(shape: str) -> tuple[int, ...]:
    return tuple(prod(SIZES.get(x) or int(x) for x in d.split("*")) for d in shape.split(",") if d)


def _draw(rng: Any, shape: str, props: str) -> Array:
    extents = _extents(shape)
    if "index" in props:
        return rng.integers(0, 5, extents) * 1.0
    if "mask" in props:
        found = (rng.uniform(size=extents) < 0.5) * 1.0
        return np.maximum(found, np.eye(extents[-2], extents[-1])) if len(extents) > 1 else found
    if "sign" in props:
        return rng.choice([-1.0, 1.0], extents)
    x = rng.choice([-1, 1], extents) * rng.uniform(0.3, 1.4, extents)
    if "unit" in props:
        return rng.uniform(0.1, 0.9, extents)
    if "shares" in props:
        x = rng.uniform(0.1, 0.9, extents)
        return x / x.sum(axis=-1, keepdims=True)
    return np.abs(x) if "positive" in props else x


def _weigh(Y: Array) -> Array:
    """A number from a tensor, with a factor of its own for every entry."""
    return jnp.sum(Y * jnp.cos(jnp.arange(1, 1 + Y.size, dtype=float)).reshape(Y.shape))


def _reduced(entries: Array, reduction: str) -> Array:
    return {"mean": jnp.mean, "sum": jnp.sum, "none": _weigh}[reduction](entries)


Case = tuple[str, str, Callable[..., Array]]  # the call, its arguments with shapes and properties, what it is in JAX
_EACH: list[Case] = []  # losses that are a number for every entry or example
CASES: list[Case] = []


def _losses() -> None:
    def bce(p: Array, y: Array) -> Array:
        return -(y * jnp.log(p) + (1 - y) * jnp.log1p(-p))

    def huber(x: Array, y: Array, d: Array) -> Array:
        r = jnp.abs(x - y)
        return jnp.where(r <= d, r**2 / 2, d * (r - d / 2))

    def focal(z: Array, y: Array, a: Any = 0.25, g: Any = 2) -> Array:
        p = nn.sigmoid(z)
        pt, at = y * p + (1 - y) * (1 - p), y * a + (1 - y) * (1 - a)
        return -at * (1 - pt) ** g * jnp.log(pt)

    def picked(L: Array, y: Array) -> Array:
        return -jnp.take_along_axis(L, y.astype(int)[:, None], axis=1)[:, 0]

    def length(X: Array) -> Array:
        return jnp.sqrt(jnp.sum(X**2, axis=-1))

    both = "X: m,n; Y: m,n"
    _EACH.extend([
        ("mse_loss(X, Y)", both, lambda X, Y: (X - Y) ** 2),
        ("mae(X, Y)", both, lambda X, Y: jnp.abs(X - Y)),
        ("huber_loss(X, Y)", both, lambda X, Y: huber(X, Y, 1.0)),
        ("huber_loss(X, Y, r)", both + "; r: positive", huber),
        ("smooth_l1_loss(X, Y, r)", both + "; r: positive", lambda X, Y, r: huber(X, Y, r) / r),
        ("pinball_loss(X, Y, r)", both + "; r: unit", lambda X, Y, r: jnp.maximum(r * (Y - X), (r - 1) * (Y - X))),
        ("binary_cross_entropy(X, Y)", "X: m,n unit; Y: m,n", bce),
        ("bce_with_logits(X, Y)", both, lambda X, Y: bce(nn.sigmoid(X), Y)),
        ("focal_loss(X, Y)", "X: m,n; Y: m,n mask const", focal),
        ("focal_loss(X, Y, r, s)", "X: m,n; Y: m,n mask const; r: unit; s: positive", focal),
        ("hinge_loss(X, Y)", "X: m,n; Y: m,n sign", lambda X, Y: jnp.maximum(0, 1 - X * Y)),
        ("squared_hinge_loss(X, Y)", both, lambda X, Y: jnp.maximum(0, 1 - X * Y) ** 2),
        ("soft_margin_loss(X, Y)", both, lambda X, Y: jnp.log1p(jnp.exp(-X * Y))),
        ("poisson_nll_loss(X, Y)", both, lambda X, Y: jnp.exp(X) - Y * X),
        ("gaussian_nll_loss(X, Y, V)", both + "; V: m,n positive", lambda X, Y, V: (jnp.log(V) + (X - Y) ** 2 / V) / 2),
        ("margin_ranking_loss(X, Y, Z)", both + "; Z: m,n sign", lambda X, Y, Z: jnp.maximum(0, -Z * (X - Y))),
        ("margin_ranking_loss(X, Y, Z, r)", both + "; Z: m,n sign; r:", lambda X, Y, Z, r: jnp.maximum(0, -Z * (X - Y) + r)),
        ("dpo_loss(x, y, z, w)", "x: n; y: n; z: n; w: n", lambda x, y, z, w: -nn.log_sigmoid(0.1 * (x - y - z + w))),
        ("dpo_loss(x, y, z, w, r)", "x: n; y: n; z: n; w: n; r:", lambda x, y, z, w, r: -nn.log_sigmoid(r * (x - y - z + w))),
        ("cross_entropy(Z, Y)", "Z: b,c; Y: b,c", lambda Z, Y: -jnp.sum(Y * nn.log_softmax(Z), axis=1)),
        ("cross_entropy(Z, y)", "Z: b,c; y: b index", lambda Z, y: picked(nn.log_softmax(Z), y)),
        ("nll_loss(Z, y)", "Z: b,c; y: b index", picked),
        ("triplet_loss(A, P, Q)", "A: b,n; P: b,n; Q: b,n", lambda A, P, Q: jnp.maximum(0, length(A - P) - length(A - Q) + 1)),
        ("triplet_loss(A, P, Q, r)", "A: b,n; P: b,n; Q: b,n; r: positive",
         lambda A, P, Q, r: jnp.maximum(0, length(A - P) - length(A - Q) + r)),
        ("contrastive_loss(A, P, s)", "A: b,n; P: b,n; s: b unit",
         lambda A, P, s: s * length(A - P) ** 2 + (1 - s) * jnp.maximum(0, 1 - length(A - P)) ** 2),
    ])  # fmt: skip
    one = lambda X, Y: picked(nn.log_softmax(X @ Y), jnp.arange(X.shape[0]))  # noqa: E731
    kl = lambda m, v: jnp.sum(jnp.exp(v) + m**2 - 1 - v) / 2  # noqa: E731
    CASES.extend([
        ("cross_entropy(z, y)", "z: c; y: c", lambda z, y: -jnp.dot(y, nn.log_softmax(z))),
        ("cross_entropy(z, y)", "z: c; y: index", lambda z, y: -nn.log_softmax(z)[y.astype(int)]),
        ("nll_loss(z, y)", "z: c; y: index", lambda z, y: -z[y.astype(int)]),
        ("cross_entropy(z, label_smoothing(y, s))", "z: c; y: c; s: unit",
         lambda z, y, s: -jnp.dot((1 - s) * y + s / z.size, nn.log_softmax(z))),
        ("mse_loss(x, y)", "x: ; y:", lambda x, y: (x - y) ** 2),
        ("kl_divergence(x, y)", "x: n shares; y: n shares", lambda x, y: jnp.sum(x * (jnp.log(x) - jnp.log(y)))),
        ("info_nce(A, B)", "A: b,n; B: b,n", lambda A, B: jnp.mean(one(A, B.T))),
        ("info_nce(A, B, r)", "A: b,n; B: b,n; r: positive", lambda A, B, r: jnp.mean(one(A / r, B.T))),
        ("clip_loss(A, B, r)", "A: b,n; B: b,n; r: positive", lambda A, B, r: jnp.mean(one(A / r, B.T) + one(B / r, A.T)) / 2),
        ("triplet_loss(x, y, z)", "x: n; y: n; z: n", lambda x, y, z: jnp.maximum(0, length(x - y) - length(x - z) + 1)),
        ("contrastive_loss(x, y, s, r)", "x: n; y: n; s: unit; r: positive",
         lambda x, y, s, r: s * length(x - y) ** 2 + (1 - s) * jnp.maximum(0, r - length(x - y)) ** 2),
        ("cosine_similarity(x, y)", "x: n; y: n", lambda x, y: jnp.dot(x, y) / length(x) / length(y)),
        ("cosine_similarity(X, Y)", "X: m,n; Y: m,n", lambda X, Y: jnp.sum(X * Y, axis=1) / length(X) / length(Y)),
        ("gaussian_kl(m, v)", "m: n; v: n", kl),
        ("elbo_gaussian(X, Y, m, v)", "X: p,q; Y: p,q; m: n; v: n", lambda X, Y, m, v: -jnp.sum((X - Y) ** 2) / 2 - kl(m, v)),
        ("elbo_bernoulli(z, y, m, v)", "z: p; y: p unit; m: n; v: n", lambda z, y, m, v: -jnp.sum(bce(nn.sigmoid(z), y)) - kl(m, v)),
    ])  # fmt: skip


def _norms() -> None:
    def standard(X: Array, axes: Any, e: Any = _EPS) -> Array:
        return (X - X.mean(axes, keepdims=True)) / jnp.sqrt(X.var(axes, keepdims=True) + e)

    def rms(X: Array, e: Any = _EPS) -> Array:
        return X / jnp.sqrt(jnp.mean(X**2, axis=-1, keepdims=True) + e)

    def channels(v: Array, X: Array) -> Array:
        return v.reshape((1, -1) + (1,) * (X.ndim - 2))

    def grouped(X: Array, groups: int) -> Array:
        return standard(X.reshape((X.shape[0], groups, -1)), 2).reshape(X.shape)

    def long(X: Array) -> Array:
        return X / jnp.sqrt(jnp.sum(X**2, axis=-1, keepdims=True))

    for X in ("n", "m,n", "m,n,p"):
        last = X[-1]
        CASES.extend([
            ("layernorm(X)", f"X: {X}", lambda X: standard(X, -1)),
            ("layernorm(X, e)", f"X: {X}; e: positive", lambda X, e: standard(X, -1, e)),
            ("layernorm(X, g, b)", f"X: {X}; g: {last}; b: {last}", lambda X, g, b: g * standard(X, -1) + b),
            ("layernorm(X, g, b, e)", f"X: {X}; g: {last}; b: {last}; e: positive", lambda X, g, b, e: g * standard(X, -1, e) + b),
            ("rmsnorm(X)", f"X: {X}", rms),
            ("rmsnorm(X, g)", f"X: {X}; g: {last}", lambda X, g: g * rms(X)),
            ("normalize(X)", f"X: {X}", long),
        ])  # fmt: skip
    for X in ("m,n", "m,n,p", "m,n,p,k"):
        axes = (0, *range(2, 1 + X.count(",")))
        CASES.extend([
            ("batch_norm(X)", f"X: {X}", lambda X, axes=axes: standard(X, axes)),
            ("batch_norm(X, g, b)", f"X: {X}; g: n; b: n", lambda X, g, b, axes=axes: channels(g, X) * standard(X, axes) + channels(b, X)),
            ("group_norm(X, groups=2)", f"X: {X.replace('n', '2*n')}", lambda X: grouped(X, 2)),
            ("group_norm(X, g, b, groups=2)", f"X: {X.replace('n', '2*n')}; g: 2*n; b: 2*n",
             lambda X, g, b: channels(g, X) * grouped(X, 2) + channels(b, X)),
        ])  # fmt: skip
    for X, axes in (("m,n,p", (2,)), ("m,n,p,k", (2, 3))):
        CASES.extend([
            ("instance_norm(X)", f"X: {X}", lambda X, axes=axes: standard(X, axes)),
            ("instance_norm(X, g, b)", f"X: {X}; g: n; b: n", lambda X, g, b, axes=axes: channels(g, X) * standard(X, axes) + channels(b, X)),
        ])  # fmt: skip
    CASES.append(("weight_norm(V, g)", "V: m,n; g: m", lambda V, g: g[:, None] * long(V)))
    CASES.append(("layernorm(X, axis=0)", "X: m,n", lambda X: standard(X, 0)))


def _attention() -> None:
    def weights(Q: Array, K: Array, more: Any = 0.0) -> Array:
        return nn.softmax(jnp.einsum("...mk,...nk->...mn", Q, K) / np.sqrt(Q.shape[-1]) + more, axis=-1)

    def hide(M: Array) -> Array:
        return jnp.where(M > 0, 0.0, -jnp.inf)

    def causal(Q: Array, K: Array, V: Array) -> Array:
        return weights(Q, K, hide(jnp.tril(jnp.ones((Q.shape[-2], K.shape[-2]))))) @ V

    def heads(X: Array, h: int) -> list[Array]:
        return jnp.split(X, h, axis=1)

    def shared(Q: Array, K: Array, V: Array, h: int, g: int) -> Array:
        parts = zip(
            heads(Q, h),
            (x for x in heads(K, g) for _ in range(h // g)),
            (x for x in heads(V, g) for _ in range(h // g)),
            strict=True,
        )
        return jnp.concatenate([weights(q, k) @ v for q, k, v in parts], axis=1)

    for front in ("", "c,", "d,c,"):
        qkv = f"Q: {front}m,k; K: {front}n,k; V: {front}n,p"
        CASES.extend([
            ("attention(Q, K, V)", qkv, lambda Q, K, V: weights(Q, K) @ V),
            ("causal_attention(Q, K, V)", qkv, causal),
            ("biased_attention(Q, K, V, B)", qkv + f"; B: {front}m,n", lambda Q, K, V, B: weights(Q, K, B) @ V),
            ("masked_attention(Q, K, V, M)", qkv + f"; M: {front}m,n mask const", lambda Q, K, V, M: weights(Q, K, hide(M)) @ V),
        ])  # fmt: skip
    CASES.extend([
        ("masked_softmax(X, M)", "X: m,n; M: m,n mask const", lambda X, M: nn.softmax(X + hide(M), axis=-1)),
        ("multi_head_attention(Q, K, V, heads=2)", "Q: m,2*k; K: n,2*k; V: n,2*p", lambda Q, K, V: shared(Q, K, V, 2, 2)),
        ("causal_multi_head_attention(Q, K, V, heads=2)", "Q: m,2*k; K: n,2*k; V: n,2*p",
         lambda Q, K, V: jnp.concatenate([causal(*x) for x in zip(heads(Q, 2), heads(K, 2), heads(V, 2), strict=True)], axis=1)),
        ("grouped_query_attention(Q, K, V, heads=6, groups=2)", "Q: m,6*k; K: n,2*k; V: n,2*p", lambda Q, K, V: shared(Q, K, V, 6, 2)),
        ("grouped_query_attention(Q, K, V, heads=3, groups=1)", "Q: m,3*k; K: n,k; V: n,p", lambda Q, K, V: shared(Q, K, V, 3, 1)),
    ])  # fmt: skip
    for front in ("", "m,"):
        CASES.append(("rope(X, T)", f"X: {front}2*n; T: {front}2*n", lambda X, T: X * jnp.cos(T)
                      + jnp.concatenate([-X[..., X.shape[-1] // 2 :], X[..., : X.shape[-1] // 2]], axis=-1) * jnp.sin(T)))  # fmt: skip


def _layers() -> None:
    def lstm(X: Array, H: Array, C: Array, W: Array, U: Array, b: Array) -> tuple[Array, Array]:
        i, f, g, o = jnp.split(X @ W.T + H @ U.T + b, 4, axis=-1)
        new = nn.sigmoid(f) * C + nn.sigmoid(i) * jnp.tanh(g)
        return nn.sigmoid(o) * jnp.tanh(new), new

    def gru(X: Array, H: Array, W: Array, U: Array, b: Array, c: Array) -> Array:
        x, h = jnp.split(X @ W.T + b, 3, axis=-1), jnp.split(H @ U.T + c, 3, axis=-1)
        r, z = nn.sigmoid(x[0] + h[0]), nn.sigmoid(x[1] + h[1])
        return (1 - z) * jnp.tanh(x[2] + r * h[2]) + z * H

    for f in ("", "c,", "c,b,"):
        cell = f"X: {f}n; H: {f}k; C: {f}k; W: 4*k,n; U: 4*k,k; b: 4*k"
        CASES.extend([
            ("dense(X, W, b)", f"X: {f}n; W: m,n; b: m", lambda X, W, b: X @ W.T + b),
            ("bilinear(X, Y, A)", f"X: {f}m; Y: {f}n; A: k,m,n", lambda X, Y, A: jnp.einsum("...m,...n,kmn->...k", X, Y, A)),
            ("lora(X, W, A, B, s)", f"X: {f}n; W: m,n; A: k,n; B: m,k; s:", lambda X, W, A, B, s: X @ (W + s * B @ A).T),
            ("glu(X)", f"X: {f}2*n", lambda X: X[..., : X.shape[-1] // 2] * nn.sigmoid(X[..., X.shape[-1] // 2 :])),
            ("swiglu(X, W, V)", f"X: {f}n; W: m,n; V: m,n", lambda X, W, V: nn.silu(X @ W.T) * (X @ V.T)),
            ("geglu(X, W, V)", f"X: {f}n; W: m,n; V: m,n", lambda X, W, V: nn.gelu(X @ W.T, approximate=False) * (X @ V.T)),
            ("reglu(X, W, V)", f"X: {f}n; W: m,n; V: m,n", lambda X, W, V: nn.relu(X @ W.T) * (X @ V.T)),
            ("mixture(Z, Y)", f"Z: {f}k; Y: {f}k,n", lambda Z, Y: jnp.sum(nn.softmax(Z, axis=-1)[..., None] * Y, axis=-2)),
            ("dropout(X, M, r)", f"X: {f}n; M: {f}n mask const; r: unit", lambda X, M, r: X * M / (1 - r)),
            ("rnn_cell(X, H, W, U, b)", f"X: {f}n; H: {f}k; W: k,n; U: k,k; b: k", lambda X, H, W, U, b: jnp.tanh(X @ W.T + H @ U.T + b)),
            ("lstm_cell(X, H, C, W, U, b)", cell, lambda *a: lstm(*a)[0]),
            ("lstm_state(X, H, C, W, U, b)", cell, lambda *a: lstm(*a)[1]),
            ("gru_cell(X, H, W, U, b, c)", f"X: {f}n; H: {f}k; W: 3*k,n; U: 3*k,k; b: 3*k; c: 3*k", gru),
        ])  # fmt: skip


_losses()
_norms()
_attention()
_layers()
CASES += [(call[:-1] + f", reduction={r})", args, lambda *a, f=f, r=r: _reduced(f(*a), r))
          for call, args, f in _EACH for r in ("mean", "sum", "none")]  # fmt: skip
CASES += [(call, args, lambda *a, f=f: jnp.mean(f(*a))) for call, args, f in _EACH if not call.startswith("focal")]


def _read(args: str) -> dict[str, tuple[str, str]]:
    """The shape and the properties of every argument."""
    found = {}
    for part in args.split(";"):
        name, rest = part.split(":")
        words = rest.split()
        shape = words[0] if words and (words[0][0].isdigit() or len(words[0].split(",")[0].split("*")[0]) == 1) else ""
        found[name.strip()] = shape, " ".join(words[bool(shape) :])
    return found


def _program(call: str, given: Mapping[str, tuple[str, str]], weighed: bool) -> str:
    lines = []
    for name, (shape, props) in given.items():
        sizes = [d.strip() for d in shape.split(",")]
        facts = [w for w in ("index", "const") if w in props]
        lines.append(
            f"{name} : {f'({shape})' if len(sizes) > 1 else shape or 'scalar'}"
            + (f" where {facts[0]}" if facts else "")
        )
    return "\n".join([*lines, f"E = loss({call})" if weighed else f"E = {call}"])


# The same call at other shapes is for the slow tests.
FIRST = {call: args for call, args, _ in reversed(CASES)}
MARKED = [pytest.param(c, a, t, marks=[] if FIRST[c] == a else pytest.mark.slow, id=f"{c} of {a}") for c, a, t in CASES]


@pytest.mark.parametrize(("call", "args", "truth"), MARKED)
def test_gradients_are_those_of_jax(call: str, args: str, truth: Callable[..., Array]) -> None:
    given = _read(args)
    rng = np.random.default_rng(sum(map(ord, call + args)))
    values = {name: _draw(rng, *said) for name, said in given.items()}
    tensor = truth(*map(jnp.asarray, values.values()))
    weighed = bool(tensor.ndim) or "none" in call
    moving = [k for k, (_, props) in enumerate(given.values()) if "index" not in props and "const" not in props]

    def scalar(*a: Array) -> Array:
        found = truth(*a)
        return _weigh(found) if found.ndim else found

    expected_value, expected = jax.value_and_grad(scalar, argnums=tuple(moving))(*map(jnp.asarray, values.values()))
    functions = {
        "loss": (lambda Y: float(_weigh(jnp.asarray(Y))), lambda Y: np.asarray(jax.grad(_weigh)(jnp.asarray(Y))))
    }
    d = pullback.derive(_program(call, given, weighed))
    value, gradients = d.evaluate(**values, **(functions if weighed else {}))
    assert value == pytest.approx(float(expected_value), rel=1e-9, abs=1e-12)
    for k, g in zip(moving, expected, strict=True):
        name = list(given)[k]
        np.testing.assert_allclose(gradients[name], g, rtol=1e-8, atol=1e-10, err_msg=f"∇{name} = {d[name]}")
