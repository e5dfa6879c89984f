"""Generated code of programs with an index: loops, against the equations written out, member by member."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RNG = np.random.default_rng(11)
T, n, p, m, q = 5, 3, 2, 4, 6


def example(name: str) -> str:
    return (EXAMPLES / f"{name}.eqn").read_text(encoding="utf-8")


def drawn(*shape: int) -> Any:
    return RNG.normal(size=shape)


def many(count: int, shape: Callable[[int], tuple[int, ...]]) -> list[Any]:
    return [drawn(*shape(k)) for k in range(count)]


def width(k: int) -> int:
    """Sizes that differ from layer to layer."""
    return 2 + (3 * k) % 4


DEEP = """h[l,0] : n[l]; h[0,t] : n[0] where data; W[l] : (n[l], n[l]); U[l] : (n[l], n[l-1])
h[l,t] = tanh(W[l] h[l,t-1] + U[l] h[l-1,t])   for l = 1..D, t = 1..T
E = sum_{t=1..T} ‖h[D,t]‖²"""
LSTM = """h[0] : n; c[0] : n; x[t] : p where data; Wf, Wi, Wo, Wc : (n, n); Uf, Ui, Uo, Uc : (n, p)
f[t] = sigmoid(Wf h[t-1] + Uf x[t]) for t = 1..T
i[t] = sigmoid(Wi h[t-1] + Ui x[t]) for t = 1..T
o[t] = sigmoid(Wo h[t-1] + Uo x[t]) for t = 1..T
g[t] = tanh(Wc h[t-1] + Uc x[t]) for t = 1..T
c[t] = f[t] ⊙ c[t-1] + i[t] ⊙ g[t] for t = 1..T
h[t] = o[t] ⊙ tanh(c[t]) for t = 1..T
E = ‖h[T]‖²"""
BOTH_WAYS = """p[0] : n; q[T+1] : n; x[t] : m where data; W, V : (n, n); U, R : (n, m); C, D : (k, n)
p[t] = tanh(W p[t-1] + U x[t]) for t = 1..T
q[t] = tanh(V q[t+1] + R x[t]) for t = 1..T
y[t] = C p[t] + D q[t] for t = 1..T
E = (1/T) sum_{t=1..T} loss[t](y[t])"""
CLASSES = """h[0] : n; x[t] : p where data; y[t] : q where data; W : (n, n); U : (n, p); V : (q, n)
h[t] = tanh(W h[t-1] + U x[t])   for t = 1..T
E = -(1/T) sum_{t=1..T} y[t]' logsoftmax(V h[t])"""
GIVEN = """W[k] : (m, m); a[0] : m
a[k] = tanh(W[k] a[k-1]) for k = 1..L
given grad a[L] as g"""
SHARED = """W : (m, m); a[0] : m; c : m
a[k] = tanh(W a[k-1]) + a[k-1] for k = 1..L
E = c' a[L]"""
LOOSE = """X[k] : (m, n); v : n; w : m
E = sum_{k=1..K} ‖X[k] v‖² / (1 + w' w)"""
BLOCKS = """A[k] : (m, n[k]); x[k] : n[k]
r = sum_{k=1..K} A[k] x[k]
E = ‖r‖²"""


# What JAX traces instead of NumPy's function of the same values.
def _jax_functions() -> dict[Any, Any]:
    if importlib.util.find_spec("jax") is None:
        return {}
    import jax.numpy as jnp

    return {np.tanh: jnp.tanh, np.sin: jnp.sin, np.cos: jnp.cos, _slope_of_tanh: lambda z: 1 - jnp.tanh(z) ** 2}


# name: (program, arguments as `evaluate` takes them, the same as the code takes them, functions)
def _slope_of_tanh(z: Any) -> Any:
    return 1 - np.tanh(z) ** 2


squares = {"loss": lambda x: (x**2).sum(), "grad_loss": lambda x: 2 * x}


def programs() -> dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    L = 5
    W, b = many(L, lambda k: (width(k + 1), width(k))), many(L, lambda k: (width(k + 1),))
    a1, h0, c0, x, y = drawn(width(0)), drawn(n), drawn(n), drawn(T, p), drawn(T, q)
    S = many(L, lambda k: (width(k + 2), width(k)))
    V = many(L, lambda k: (width(k + 2), width(k + 1)))
    e = many(L, lambda k: (width(k + 2),))
    rnn = {"W": drawn(n, n), "U": drawn(n, p), "b": drawn(n)}
    lstm = {f"{a}{k}": drawn(n, n if a == "W" else p) for a in "WU" for k in "fioc"}
    coder = {"W": drawn(n, n), "U": drawn(n, p), "V": drawn(m, m), "C": drawn(m, n), "O": drawn(q, m)}
    both = {"W": drawn(n, n), "V": drawn(n, n), "U": drawn(n, m), "R": drawn(n, m), "C": drawn(q, n), "D": drawn(q, n)}
    losses = {t: (lambda v, t=t: t * (v**2).sum()) for t in range(1, T + 1)}
    slopes = {t: (lambda v, t=t: 2 * t * v) for t in range(1, T + 1)}
    xs = drawn(T, m)
    D, deepW, deepU = 3, many(3, lambda k: (width(k + 1), width(k + 1))), many(3, lambda k: (width(k + 1), width(k)))
    first, ahead = drawn(T, width(0)), many(3, lambda k: (width(k + 1),))
    h = {(0, t): first[t - 1] for t in range(1, T + 1)} | {(k, 0): ahead[k - 1] for k in range(1, D + 1)}
    yy, c, Ws, X, v, w = drawn(4, q), drawn(m), drawn(L, m, m), drawn(4, m, n), drawn(n), drawn(m)
    A, xk = many(4, lambda k: (m, width(k))), many(4, lambda k: (width(k),))
    tanh = {"f": np.tanh, "df": _slope_of_tanh}
    each = {"f": {k: (np.tanh, np.sin)[k % 2] for k in range(2, L + 2)},
            "df": {k: (_slope_of_tanh, np.cos)[k % 2] for k in range(2, L + 2)}}  # fmt: skip
    return {
        "feedforward": (example("feedforward"), {"W": W, "b": b, "a": {1: a1}}, {"W": W, "b": b, "a_1": a1}, {**tanh, **squares}),
        "residual": (example("residual"), {"W": V, "b": e, "S": S, "a": {0: a1, 1: b[0]}},
                     {"W": V, "b": e, "S": S, "a_0": a1, "a_1": b[0]}, {**each, **squares}),
        "rnn": (example("rnn"), {**rnn, "x": x, "h": {0: h0}}, {**rnn, "x": x, "h_0": h0}, squares),
        "encoder and decoder": (example("encoder_decoder"), {**coder, "x": x, "y": yy, "h": {0: h0}},
                                {**coder, "x": x, "y": yy, "h_0": h0}, {}),
        "deep": (DEEP, {"W": deepW, "U": deepU, "h": h, "D": D, "T": T}, {"W": deepW, "U": deepU, "h_0_t": list(first), "h_l_0": ahead}, {}),
        "lstm": (LSTM, {**lstm, "x": x, "h": {0: h0}, "c": {0: c0}}, {**lstm, "x": x, "h_0": h0, "c_0": c0}, {}),
        "both ways": (BOTH_WAYS, {**both, "x": xs, "p": {0: h0}, "q": {T + 1: c0}, "T": T},
                      {**both, "x": xs, "p_0": h0, "q_T_1": c0}, {"loss": losses, "grad_loss": slopes}),
        "classes": (CLASSES, {**rnn, "V": drawn(q, n), "x": x, "y": y, "h": {0: h0}}, {}, {}),
        "a given gradient": (GIVEN, {"W": Ws, "a": {0: c}, "g": w}, {"W": Ws, "a_0": c, "g": w}, {}),
        "shared weights": (SHARED, {"W": Ws[0], "a": {0: c}, "c": w, "L": 3}, {"W": Ws[0], "a_0": c, "c": w, "L": 3}, {}),
        "no recurrence": (LOOSE, {"X": X, "v": v, "w": w}, {"X": X, "v": v, "w": w}, {}),
        "ragged sum": (BLOCKS, {"A": A, "x": xk}, {"A": A, "x": xk}, {}),
    }  # fmt: skip


PROGRAMS = programs()
_IN_JAX = _jax_functions()
each_program = pytest.mark.parametrize("name", PROGRAMS)


def case(name: str) -> tuple[pb.Derived, dict[str, Any], dict[str, Any], Any, dict[str, Any]]:
    """(the derivation, arrays, functions, value, gradients), the last two by the equations written out."""
    text, given, arrays, functions = PROGRAMS[name]
    if name == "classes":
        given = {k: v for k, v in given.items() if k != "b"}
        arrays = {**{k: v for k, v in given.items() if k != "h"}, "h_0": given["h"][0]}
    d = pb.derive(text)
    known = {}
    for f in functions:
        if f"d{f}" in functions or f"grad_{f}" in functions:
            slope = functions[f"d{f}" if f"d{f}" in functions else f"grad_{f}"]
            known[f] = (functions[f], slope) if callable(slope) else {k: (functions[f][k], slope[k]) for k in slope}
    value, wanted = d.evaluate(**given, **known)
    return d, arrays, functions, value, wanted


def same(found: Any, wanted: Any) -> None:
    """Members in the order of their index."""
    if isinstance(wanted, dict):
        assert len(found) == len(wanted)
        for x, y in zip(found, wanted.values(), strict=True):
            same(x, y)
        return
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-10, atol=1e-12)


def compare(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found
    for name, g in found.items():
        family, _, index = name.partition("[")
        if not index:
            same(g, wanted[family])
            continue
        entries = index.removesuffix("]").split(",")
        if all(e.isdigit() for e in entries):
            key = tuple(map(int, entries)) if len(entries) > 1 else int(entries[0])
            same(g, wanted[family][key])
        elif entries == ["T+1"]:
            same(g, wanted[family][T + 1])
        else:
            fixed = {k: int(e) for k, e in enumerate(entries) if e.isdigit()}
            some = {k: x for k, x in wanted[family].items() if all(k[i] == e for i, e in fixed.items())}
            same(g, {k: x for k, x in some.items() if k != (0, 0)})


@each_program
def test_numpy(name: str) -> None:
    d, arrays, functions, value, wanted = case(name)
    found, grad = d.compile("numpy")(**arrays, **functions)
    if not np.shape(value):
        assert abs(found - value) <= 1e-12 * max(1.0, abs(value))
    compare(grad, wanted)


@pytest.mark.parametrize("target", ["numpy", "jax", "torch", "tensorflow"])
@each_program
def test_the_text_keeps_its_loops_and_ruff_leaves_it_as_it_is(name: str, target: str, tmp_path: Path) -> None:
    text = pb.derive(PROGRAMS[name][0]).code(target)
    assert "    for " in text or "jax.lax.scan(" in text or "einsum" in text or "tensordot" in text
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    if not Path(ruff).exists():
        pytest.skip("ruff is not installed")
    file = tmp_path / "generated.py"
    file.write_text(text, encoding="utf-8")
    for command in (["format", "--check", "--isolated"], ["check", "--isolated"]):
        found = subprocess.run([ruff, *command, str(file)], capture_output=True, text=True)
        assert found.returncode == 0, found.stdout + found.stderr + text


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="make frameworks runs this")
@each_program
def test_torch(name: str) -> None:
    import torch

    torch.set_default_dtype(torch.float64)
    d, arrays, functions, value, wanted = case(name)

    def tensors(x: Any) -> Any:
        if isinstance(x, list):
            return [torch.as_tensor(y) for y in x]
        if isinstance(x, dict):
            return {k: lifted(f) for k, f in x.items()}
        return lifted(x) if callable(x) else x if isinstance(x, int) else torch.as_tensor(x)

    def lifted(f: Any) -> Any:
        return lambda *a: torch.as_tensor(f(*(x.numpy() for x in a)))

    found, grad = d.compile("torch")(**{k: tensors(x) for k, x in (arrays | functions).items()})
    if not np.shape(value):
        assert abs(found - value) <= 1e-12 * max(1.0, abs(value))
    compare(grad, wanted)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="make frameworks runs this")
@each_program
def test_tensorflow_eager_and_in_a_graph(name: str) -> None:
    import tensorflow as tf

    d, arrays, functions, value, wanted = case(name)
    numbers = {k: x for k, x in arrays.items() if isinstance(x, int)}
    known = {np.tanh: tf.tanh, np.sin: tf.sin, np.cos: tf.cos, _slope_of_tanh: lambda z: 1 - tf.tanh(z) ** 2}
    sums = {"loss": lambda x: tf.reduce_sum(x**2), "grad_loss": lambda x: 2 * x} if functions.keys() >= {"loss"} else {}
    if isinstance(functions.get("loss"), dict):
        sums = {k: {t: (lambda x, f=f, t=t: float(t) * f(x)) for t in functions[k]} for k, f in sums.items()}

    def lifted(f: Any) -> Any:
        return {k: lifted(x) for k, x in f.items()} if isinstance(f, dict) else known[f]

    given = {k: sums[k] if k in sums else lifted(f) for k, f in functions.items()}
    f = d.compile("tensorflow")
    rest = {k: x for k, x in arrays.items() if k not in numbers}
    tensors = tf.nest.map_structure(tf.constant, rest)
    for run in (
        lambda some: f(**some, **numbers, **given),
        tf.function(lambda some: f(**some, **numbers, **given), autograph=False),
    ):
        found, grad = run(tensors)
        if not np.shape(value):
            assert abs(found - value) <= 1e-12 * max(1.0, abs(value))
        compare(grad, wanted)


@each_program
def test_jax_under_jit(name: str) -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    d, arrays, functions, value, wanted = case(name)
    numbers = {k: x for k, x in arrays.items() if isinstance(x, int)}
    rest = {k: x for k, x in arrays.items() if k not in numbers}

    def lifted(f: Any) -> Any:
        return {k: lifted(x) for k, x in f.items()} if isinstance(f, dict) else _IN_JAX.get(f, f)

    f = d.compile("jax")
    given = {k: lifted(x) for k, x in functions.items()}
    found, grad = jax.jit(lambda some: f(**some, **numbers, **given))(rest)
    if not np.shape(value):
        assert abs(found - value) <= 1e-12 * max(1.0, abs(value))
    compare(grad, wanted)


def test_jax_scans() -> None:
    """Rounds are not written out: the trace of a hundred steps is as long as that of three."""
    jax = pytest.importorskip("jax")
    text = pb.derive(CLASSES).code("jax")
    assert text.count("jax.lax.scan(") == 2 and "for t in" not in text
    f = pb.derive(CLASSES).compile("jax")

    def equations(steps: int) -> int:
        shapes = {"W": (n, n), "U": (n, p), "V": (q, n), "x": (steps, p), "y": (steps, q), "h_0": (n,)}
        given = {k: np.ones(s) for k, s in shapes.items()}
        return str(jax.make_jaxpr(lambda some: f(**some))(given)).count(" = ")

    assert equations(100) == equations(3)
