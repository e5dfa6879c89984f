"""Programs with an index on arrays: fifty layers or steps against JAX in float64, and what is missing or superfluous."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
N = 50
TOLERANCE = 1e-10


def program(name: str) -> pb.Derived:
    return pb.derive((EXAMPLES / f"{name}.eqn").read_text(encoding="utf-8"))


def rng() -> Any:
    return np.random.default_rng(7)


def widths(count: int) -> list[int]:
    """Sizes that differ from layer to layer."""
    return [3 + (5 * k) % 4 for k in range(count)]


def drawn(*shape: int) -> Any:
    return rng().normal(size=shape) / np.sqrt(shape[-1])


def close(found: Any, expected: Any) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert np.max(np.abs(found - expected)) <= TOLERANCE * max(1.0, float(np.max(np.abs(expected))))


@pytest.fixture
def jax() -> Any:
    found = pytest.importorskip("jax")
    found.config.update("jax_enable_x64", True)
    return found


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every gradient of the reference is there, member by member."""
    for name, value in expected.items():
        if isinstance(value, dict):
            for index, one in value.items():
                close(found[name][index], one)
        else:
            close(found[name], value)


def test_fifty_layers(jax: Any) -> None:
    """examples/feedforward.eqn: W[k], b[k] for k = 1..L−1, every layer of another width."""
    n = widths(N)
    W = {k: drawn(n[k], n[k - 1]) for k in range(1, N)}
    b = {k: drawn(n[k]) for k in range(1, N)}
    a = {1: drawn(n[0])}

    def loss(W: Any, b: Any, a: Any) -> Any:
        x = a[1]
        for k in range(1, N):
            x = jax.numpy.tanh(W[k] @ x + b[k])
        return jax.numpy.sum(x**2)

    value, found = program("feedforward").evaluate(W=W, b=b, a=a, f=np.tanh, loss=lambda x: np.sum(x**2), L=N)
    close(value, loss(W, b, a))
    expected = dict(zip("Wba", jax.grad(loss, argnums=(0, 1, 2))(W, b, a), strict=True))
    same(found, expected)
    assert sorted(found["W"]) == list(range(1, N))


def test_fifty_layers_with_skips(jax: Any) -> None:
    """examples/residual.eqn: two inputs, L blocks, each with an activation of its own."""
    n = widths(N + 2)
    blocks = range(2, N + 2)
    W = {k: drawn(n[k], n[k - 1]) for k in blocks}
    S = {k: drawn(n[k], n[k - 2]) / 2 for k in blocks}
    b = {k: drawn(n[k]) for k in blocks}
    a = {0: drawn(n[0]), 1: drawn(n[1])}
    f = {k: (np.tanh if k % 2 else np.sin) for k in blocks}
    g = {k: (jax.numpy.tanh if k % 2 else jax.numpy.sin) for k in blocks}

    def loss(W: Any, S: Any, b: Any, a: Any) -> Any:
        x = dict(a)
        for k in blocks:
            x[k] = g[k](W[k] @ x[k - 1] + b[k]) + S[k] @ x[k - 2]
        return jax.numpy.sum(x[N + 1] ** 2)

    value, found = program("residual").evaluate(W=W, S=S, b=b, a=a, f=f, loss=lambda x: np.sum(x**2), L=N)
    close(value, loss(W, S, b, a))
    same(found, dict(zip("WSba", jax.grad(loss, argnums=(0, 1, 2, 3))(W, S, b, a), strict=True)))


def test_fifty_steps_of_a_recurrent_network(jax: Any) -> None:
    """examples/rnn.eqn: shared W, U, b; an input and a loss at every step."""
    n, p = 4, 3
    W, U, b, h0 = drawn(n, n), drawn(n, p), drawn(n), drawn(n)
    x = np.random.default_rng(1).normal(size=(N, p))

    def loss(W: Any, U: Any, b: Any, h: Any) -> Any:
        total = 0.0
        for t in range(N):
            h = jax.numpy.tanh(W @ h + U @ x[t] + b)
            total = total + jax.numpy.sum(h**2)
        return total

    value, found = program("rnn").evaluate(W=W, U=U, b=b, h={0: h0}, x=x, loss=lambda v: np.sum(v**2))
    close(value, loss(W, U, b, h0))
    gradients = jax.grad(loss, argnums=(0, 1, 2, 3))(W, U, b, h0)
    same(found, {"W": gradients[0], "U": gradients[1], "b": gradients[2], "h": {0: gradients[3]}})


def test_fifty_steps_in_and_forty_out(jax: Any) -> None:
    """examples/encoder_decoder.eqn: two ranges of different lengths."""
    n, m, p, q, S = 4, 3, 2, 5, 40
    W, U, V, C, O = drawn(n, n), drawn(n, p), drawn(m, m), drawn(m, n), drawn(q, m)
    h0 = drawn(n)
    x, y = np.random.default_rng(1).normal(size=(N, p)), np.random.default_rng(2).normal(size=(S, q))

    def loss(W: Any, U: Any, V: Any, C: Any, O: Any, h: Any) -> Any:
        for t in range(N):
            h = jax.numpy.tanh(W @ h + U @ x[t])
        g = C @ h
        total = 0.0
        for u in range(S):
            g = jax.numpy.tanh(V @ g)
            total = total + 0.5 * jax.numpy.sum((O @ g - y[u]) ** 2)
        return total

    value, found = program("encoder_decoder").evaluate(W=W, U=U, V=V, C=C, O=O, h={0: h0}, x=x, y=y)
    close(value, loss(W, U, V, C, O, h0))
    gradients = jax.grad(loss, argnums=range(6))(W, U, V, C, O, h0)
    same(found, {**dict(zip("WUVCO", gradients, strict=False)), "h": {0: gradients[5]}})


def test_a_deep_recurrent_network(jax: Any) -> None:
    """Two nested ranges: layers and steps."""
    D, T = 3, 12
    n = [2, 3, 4, 5]
    d = pb.derive("""h[l,0] : n[l]; h[0,t] : n[0] where data; W[l] : (n[l], n[l]); U[l] : (n[l], n[l-1])
h[l,t] = tanh(W[l] h[l,t-1] + U[l] h[l-1,t])   for l = 1..D, t = 1..T
E = sum_{t=1..T} loss(h[D,t])""")
    W = {i: drawn(n[i], n[i]) for i in range(1, D + 1)}
    U = {i: drawn(n[i], n[i - 1]) for i in range(1, D + 1)}
    x = np.random.default_rng(3).normal(size=(T + 1, n[0]))
    h = {(i, 0): drawn(n[i]) for i in range(1, D + 1)} | {(0, t): x[t] for t in range(1, T + 1)}

    def loss(W: Any, U: Any) -> Any:
        state = [None, *(h[i, 0] for i in range(1, D + 1))]
        total = 0.0
        for t in range(1, T + 1):
            below = h[0, t]
            for i in range(1, D + 1):
                state[i] = below = jax.numpy.tanh(W[i] @ state[i] + U[i] @ below)
            total = total + jax.numpy.sum(below**2)
        return total

    value, found = d.evaluate(W=W, U=U, h=h, loss=lambda v: np.sum(v**2), D=D, T=T)
    close(value, loss(W, U))
    same(found, dict(zip("WU", jax.grad(loss, argnums=(0, 1))(W, U), strict=True)))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda g: g.pop("W"), "P020"),
        (lambda g: g.update(Q=1), "P021"),
        (lambda g: g["W"].pop(2), "P020"),
        (lambda g: g.pop("L"), "P045"),
        (lambda g: g.update(L=-1), "P045"),
        (lambda g: g["W"].update({2: np.zeros((9, 9))}), "S021"),
        (lambda g: g.pop("f"), "P020"),
    ],
)
def test_what_is_missing_is_named(change: Callable[[dict[str, Any]], Any], code: str) -> None:
    given: dict[str, Any] = {
        "W": {1: np.ones((3, 2)), 2: np.ones((4, 3))}, "b": {1: np.ones(3), 2: np.ones(4)}, "a": {1: np.ones(2)},
        "f": np.tanh, "loss": lambda x: np.sum(x**2), "L": 3,
    }  # fmt: skip
    d = program("feedforward")
    d.evaluate(**given)
    change(given)
    with pytest.raises(pb.PullbackError) as refused:
        d.evaluate(**given)
    assert refused.value.code == code, refused.value.render()


def test_a_sequence_tells_the_length() -> None:
    d = program("feedforward")
    W, b = [np.ones((3, 2)), np.ones((4, 3))], [np.ones(3), np.ones(4)]
    a = {1: np.ones(2)}
    value, found = d.evaluate(W=W, b=b, a=a, f=np.tanh, loss=np.sum)
    same_value, same_found = d.evaluate(W={1: W[0], 2: W[1]}, b={1: b[0], 2: b[1]}, a=a, f=np.tanh, loss=np.sum, L=3)
    assert value == same_value
    same(found, same_found)
    start_first, _ = d.evaluate(a=[np.ones(2)], W=W, b=b, f=np.tanh, loss=np.sum)  # a start tells no length
    assert value == start_first == d.evaluate(a=[np.ones(2)], W=W, b=b, f=np.tanh, loss=np.sum, L=np.int64(3))[0]


@pytest.mark.parametrize(("change", "says"), [
    ({"L": 4}, "2 members, 3 are asked for"),
    ({"L": 2}, "2 members, 1 are asked for"),
    ({"L": 2.5}, "no whole number"),
    ({"b": [np.ones(3)]}, "1 members, 2 are asked for"),
    ({"b": [np.ones(3), np.ones(4), np.ones(5)]}, "3 members, 2 are asked for"),
    ({"a": [np.ones(2), np.ones(3)]}, "2 members, 1 are asked for"),
])  # fmt: skip
def test_sequences_of_unlike_lengths_are_refused(change: dict[str, Any], says: str) -> None:
    given = {
        "W": [np.ones((3, 2)), np.ones((4, 3))],
        "b": [np.ones(3), np.ones(4)],
        "a": [np.ones(2)],
        "f": np.tanh,
        "loss": np.sum,
    }
    with pytest.raises(pb.PullbackError) as refused:
        program("feedforward").evaluate(**{**given, **change})
    assert refused.value.code == "P045" and says in refused.value.message, refused.value.render()
