"""Programs with an index in all targets: sums that share terms, sums in products, the index as a number, no rounds at all.

What `evaluate` gives, which walks the proved equations member by member and knows of no loops, is what the code must give.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

RNG = np.random.default_rng(3)
Members = tuple[Any, int]  # of a family, and the index of the first
Given = dict[str, Any]
RNN = "h[0] : n; W : (n, n); h[t] = tanh(W h[t-1]) for t = 1..T; "


def drawn(*shape: int) -> Any:
    return RNG.normal(size=shape) * 0.6


def many(count: int, *shape: int, first: int = 1) -> Members:
    return drawn(count, *shape), first


def state(**more: Any) -> Given:
    return {"h_0": drawn(3), "W": drawn(3, 3), "T": 3, **more}


def classes(steps: int) -> Given:
    return {"h_0": drawn(3), "x": many(steps, 5), "y": many(steps, 2), "W": drawn(3, 3), "U": drawn(3, 5), "V": drawn(2, 3)}  # fmt: skip


CLASSES = (
    "h[0] : n; x[t] : p where data; y[t] : q where data; W : (n, n); U : (n, p); V : (q, n); "
    "h[t] = tanh(W h[t-1] + U x[t]) for t = 1..T; E = -sum_{t=1..T} y[t]' logsoftmax(V h[t])"
)
PROGRAMS: dict[str, tuple[str, Given]] = {
    # what is added up is read by others too
    "lasso": ("W[k] : (n[k+1], n[k]); x[1] : n[1]; lam : scalar; x[k+1] = tanh(W[k] x[k]) for k = 1..L; "
              "E = sumsq(x[L+1]) + sum_{k=1..L} lam norm(W[k]) + sum_{k=1..L} sumsq(W[k])",
              {"W": ([drawn(4, 3), drawn(2, 4), drawn(5, 2)], 1), "x_1": drawn(3), "lam": 0.3}),
    "descent": ("w[0] : d; X : (B, d); y : B; w[k] = X' (X w[k-1] - y) for k = 1..K; E = sumsq(w[K])",
                {"w_0": drawn(3), "X": drawn(4, 3), "y": drawn(4), "K": 3}),
    "step size": ("w[0] : d; X : (B, d); y : B; a : scalar; w[k] = w[k-1] - a X' (X w[k-1] - y) for k = 1..K; E = sumsq(w[K])",
                  {"w_0": drawn(3), "X": drawn(4, 3), "y": drawn(4), "a": 0.1, "K": 3}),
    "two norms": ("x[k] : n; a = sum_{k=1..N} sumsq(x[k]); E = sum_{k=1..N} a norm(x[k])", {"x": many(4, 3)}),
    "norms of states": (RNN + "s : scalar; E = sum_{t=1..T} s norm(h[t]) + sum_{t=1..T} norm(h[t])^2", state(s=0.7)),
    "ring": ("h[0] : n; U, W : (n, n); b : n; h[t] = U (h[t-1] .* (W h[t-1] + b)) for t = 1..T; E = ‖h[T]‖²",
             state(U=drawn(3, 3), b=drawn(3))),
    "gate": ("w[0] : n; g, b : n; a : scalar; w[t] = tanh(g .* (w[t-1] - a b)) for t = 1..T; E = ‖w[T]‖²",
             {"w_0": drawn(3), "g": drawn(3), "b": drawn(3), "a": 0.4, "T": 3}),
    # the last state goes on
    "many to one": (RNN + "V : (m, n); y : m; E = sumsq(V h[T] - y)", state(V=drawn(2, 3), y=drawn(2))),
    "score": (RNN + "E = logsumexp(h[T])", state()),
    "chain": ("a[0] : n; A : (n, n); u[t] : n; a[t] = logsumexp(A + u[t] 1_n' + 1_n a[t-1]', axis=1) for t = 1..T; E = logsumexp(a[T])",
              {"a_0": drawn(3), "A": drawn(3, 3), "u": many(4, 3)}),
    # sums in products, and one letter within another
    "one letter": ("x[k] : n; E = (sum_{k=1..N} sumsq(x[k])) (sum_{k=1..N} norm(x[k]))", {"x": many(4, 3)}),
    "two letters": ("x[k] : n; E = (sum_{k=1..N} sumsq(x[k])) (sum_{j=1..N} norm(x[j]))", {"x": many(4, 3)}),
    "vectors": ("x[k] : n; a = sum_{k=1..N} exp(x[k]); b = sum_{k=1..N} sin(x[k]); E = a' b", {"x": many(4, 3)}),
    "pairs": ("x[i] : n; y[j] : n; E = sum_{i=1..M} sum_{j=1..N} (x[i]' y[j])^2", {"x": many(4, 3), "y": many(2, 3)}),
    "blocks": ("A[i,j] : (n, n); x[j] : n; E = sum_{i=1..M} ‖sum_{j=1..N} A[i,j] x[j]‖²", {"A": many(2, 4, 3, 3), "x": many(4, 3)}),
    "all with all": ("W[l] : (n, n); E = sum_{l=1..L} sum_{m=1..L} tr(W[l] W[m])", {"W": many(4, 3, 3)}),
    "around the mean": ("x[t] : n; m = sum_{t=1..T} x[t]/T; E = sum_{t=1..T} ‖x[t] − m‖² / T", {"x": many(4, 3)}),
    # sums alone
    "squares": ("x[k] : n; E = sum_{k=1..L} ‖x[k]‖²", {"x": many(4, 3)}),
    "largest": ("x[k] : n; E = sum_{k=1..L} max(x[k])", {"x": many(4, 3)}),
    "numbers": ("x[k] : scalar; E = sum_{k=1..L} x[k]^2", {"x": many(4)}),
    # the index is a number
    "over t": (RNN + "E = sum_{t=1..T} ‖h[t]‖² / t", state()),
    "k times": ("x[0] : n; w[k] : n; x[k] = tanh(x[k-1] + k w[k]) for k = 1..L; E = ‖x[L]‖²", {"x_0": drawn(3), "w": many(4, 3)}),
    "k-th part": ("x[0] : n; w[k] : n; x[k] = x[k-1] + w[k]/k for k = 1..L; E = ‖x[L]‖²", {"x_0": drawn(3), "w": many(4, 3)}),
    "what is left": ("x[k] : n; E = sum_{k=1..L} (L-k) ‖x[k]‖²", {"x": many(4, 3)}),
    "in a function": ("x[k] : n; E = sum_{k=1..L} sum(exp(k x[k]))", {"x": many(4, 3)}),
    "discounted": ("x[k] : n; E = sum_{k=1..L} exp(-0.5 k) sum(x[k] .* x[k])", {"x": many(4, 3)}),
    "root": ("x[k] : n; E = sum_{k=1..L} sum(sin(x[k]))/sqrt(k)", {"x": many(4, 3)}),
    "waves": ("x[t] : n; W : (m, n); y : m; E = sum_{t=1..T} ‖W x[t] + y sin(t/10)‖²", {"x": many(4, 3), "W": drawn(2, 3), "y": drawn(2)}),
    "decay": ("h[0] : n; W : (n, n); h[k] = exp(-0.1 k) W h[k-1] for k = 1..T; E = ‖h[T]‖²", state()),
    "powers": ("g : scalar; r[t] : scalar; E = sum_{t=1..T} g^t r[t]", {"g": 0.9, "r": many(4)}),
    "unbiased": ("m[0] : n; g[t] : n; b : scalar; m[t] = b m[t-1] + (1 - b) g[t] for t = 1..T; E = sum_{t=1..T} ‖m[t] / (1 - 0.9^t)‖²",
                 {"m_0": drawn(3), "g": many(4, 3), "b": 0.5}),
    "number by number": ("s[0] : scalar; a : scalar; r[t] : scalar; s[t] = a s[t-1] + r[t] for t = 1..T; E = sum_{t=1..T} s[t]^2",
                         {"s_0": 0.4, "a": 0.5, "r": many(4)}),
    "discounted states": (RNN + "E = sum_{t=1..T} 0.9^(T-t) sum(h[t])", state()),
    "another letter": (RNN + "E = sum_{u=1..T} 0.9^(T-u) sum(h[u])", state()),
    "a power in a step": ("h[0] : n; g : scalar; h[t] = g^t tanh(h[t-1]) for t = 1..T; E = sum_{t=1..T} t sum(h[t])", {"h_0": drawn(3), "g": 0.8, "T": 3}),
    "halved": ("h[0] : n; h[t] = 2^(-t) tanh(h[t-1]) for t = 1..T; E = sum_{t=1..T} t sum(h[t])", {"h_0": drawn(3), "T": 3}),
    "parts of the states": (RNN + "E = sum_{t=2..T} sum(h[t]) + sum_{u=3..T-2} sum(h[u])", state(T=7)),
    "a name that the code would take": ("h[0] : n; real_t : scalar; h[t] = real_t 2^(-t) tanh(h[t-1]) for t = 1..T; E = sum_{t=1..T} t sum(h[t])",
                                        {"h_0": drawn(3), "real_t": 0.7, "T": 3}),
    # inverses of what is symmetric by its form
    "inverse of each": ("A[t] : (n, n); E = sum_{t=1..T} tr(inv(A[t] A[t]' + 2 I))", {"A": many(2, 3, 3)}),
    "one inverse": ("B : (n, n); x[t] : n; E = sum_{t=1..T} sum(inv(B B' + I) x[t])", {"B": drawn(3, 3), "x": many(4, 3)}),
    "inverses on the way": ("x[0] : n; A[t] : (n, n); x[t] = inv(2 I + A[t] A[t]') x[t-1] for t = 1..T; E = ‖x[T]‖²", {"x_0": drawn(3), "A": many(2, 3, 3)}),
    # little or nothing to go round
    "one step": (CLASSES, classes(1)),
    "steps": (CLASSES, classes(4)),
    "an empty range": ("x[k] : n; c : n; W : (n, n); E = sum_{k=3..L} ‖W x[k]‖² + ‖W c‖²",
                       {"x": (np.zeros((0, 3)), 3), "c": drawn(3), "W": drawn(3, 3), "L": 2}),
}  # fmt: skip
TARGETS = ("numpy", "numba", "jax", "torch", "tensorflow")


def evaluated(d: pb.Derived, text: str, given: Given) -> tuple[float, Any]:
    """What `evaluate` gives for what the code is given."""
    arguments: Given = {}
    counts = {"": 0}
    for name, x in given.items():
        single = re.fullmatch(r"(\w+)_(\d+)", name)
        if isinstance(x, tuple):
            rows, first = x
            counts[name] = len(rows) + first - 1
            nested = name == "A" and np.ndim(rows) == 4
            arguments[name] = (
                {(i + 1, j + 1): rows[i][j] for i in range(len(rows)) for j in range(len(rows[0]))}
                if nested
                else {k + first: row for k, row in enumerate(rows)}
            )
            if nested:
                counts["N"] = len(rows[0])
        elif single:
            arguments[single[1]] = {int(single[2]): x}
        else:
            arguments[name] = x
    ends = {"M": counts.get("A") or counts.get("x"), "N": counts.get("N") or counts.get("y") or counts.get("x")}
    for end in sorted(set(re.findall(r"\.\.([A-Z])\b", text))):
        arguments.setdefault(end, ends.get(end) or max(counts.values()))
    value, grad = d.evaluate(**arguments)
    return float(value), grad


def as_target(target: str, x: Any) -> Any:
    if isinstance(x, list):
        return [as_target(target, row) for row in x]
    if target == "torch":
        return pytest.importorskip("torch").as_tensor(x, dtype=pytest.importorskip("torch").float64)
    if target == "tensorflow":
        return pytest.importorskip("tensorflow").constant(x, dtype="float64")
    return x


def compared(target: str, text: str, given: Given) -> None:
    d = pb.derive(text)
    value, wanted = evaluated(d, text, given)
    f = d.compile(target)
    source = d.code(target)
    head = source[source.index("def value_and_grad") :].partition(":\n")[0]
    plain = {n: x[0] if isinstance(x, tuple) else x for n, x in given.items()}
    taken = {
        n: x if isinstance(x, int) else as_target(target, x) for n, x in plain.items() if re.search(rf"\b{n}\b", head)
    }
    found, grad = f(**taken)
    assert float(found) == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert grad
    for name, g in grad.items():
        single = re.fullmatch(r"(\w+)\[(\d+)\]", name)
        right = wanted[single[1]][int(single[2])] if single else wanted[name]
        if isinstance(right, dict):
            rows = [right[k] for k in sorted(right)]
            mine = [row for some in g for row in some] if rows and isinstance(min(right), tuple) else list(g)
            assert len(mine) == len(rows), name
            for a, b in zip(mine, rows, strict=True):
                np.testing.assert_allclose(np.asarray(a), b, rtol=1e-8, atol=1e-11, err_msg=name)
        else:
            np.testing.assert_allclose(np.asarray(g), right, rtol=1e-8, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_value_and_gradients(name: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(target) is None:
        pytest.skip(f"{target} is not installed")
    if target == "numba":
        numba = pytest.importorskip("numba")
        monkeypatch.setattr(numba, "njit", lambda *_, **__: lambda f: f)  # the same text, as Python
    compared(target, *PROGRAMS[name])


def random_program(rng: random.Random) -> tuple[str, Given]:
    """A recurrence, or none, and one to three sums over the index, added, multiplied, shared, within each other."""
    lines = ["x[k], w[k] : n; h[0] : n; A : (n, n); V : (m, n); s : scalar"]
    inside = [
        "A h[k-1]",
        "s h[k-1]",
        "h[k-1] .* x[k]",
        "exp(-0.1 k) h[k-1]",
        "A' (A h[k-1] - x[k])",
        "(h[k-1]' w[k]) h[k-1]",
        "softmax(h[k-1])",
    ]
    beside = ["w[k]", "k w[k]", "w[k]/k", "s x[k]", "norm(w[k]) x[k]", "A x[k]"]
    moves = rng.random() < 0.7
    if moves:
        act = rng.choice(["tanh", "sin", "", "sigmoid"])
        lines.append(
            f"h[k] = {act}({' + '.join([rng.choice(inside), *rng.sample(beside, rng.randint(0, 2))])}) for k = 1..K"
        )
    inner = ["‖x[k]‖²", "norm(x[k])", "s norm(x[k])", "k sum(sin(x[k]))", "x[k]' w[k]", "exp(-0.2 k) ‖w[k]‖²", "logsumexp(A x[k])",
             "(x[k]' (sum_{j=1..K} w[j]))^2", "norm(A x[k] + w[k]) / k", "sum(exp(s x[k]))", "norm(w[k])^2"]  # fmt: skip
    if moves:
        inner += [
            "s norm(h[k])",
            "norm(h[k])^2",
            "‖h[k]‖² / k",
            "x[k]' h[k]",
            "x[k]' logsoftmax(A h[k])",
            "‖V h[k]‖²",
            "h[k]' h[k-1]",
        ]
    ends = (
        ["logsumexp(h[K])", "‖V h[K]‖²", "log(1 + ‖h[K]‖²)", "norm(h[K] - h[0])"]
        if moves
        else ["(sum_{k=1..K} norm(A x[k]))"]
    )

    def part() -> str:
        if rng.random() < 0.25:
            return rng.choice(ends)
        return f"(sum_{{k=1..K}} {rng.choice(inner)})"

    if rng.random() < 0.4:
        lines.append(f"a = {part()}")
        inner += ["a norm(x[k])", "a^2 x[k]' w[k]"]
    terms = [
        rng.choice(["{}", "{} " + part(), "s {}", "log(1 + {}^2)", "{} / K"]).replace("{}", part())
        for _ in range(rng.randint(1, 3))
    ]
    lines.append("E = " + " + ".join(terms))
    K = rng.choice([2, 4])
    draw = np.random.default_rng(rng.randrange(1 << 30))

    def some(*shape: int) -> Any:
        return draw.normal(size=shape) * 0.6

    given = {
        "x": (some(K, 3), 1),
        "w": (some(K, 3), 1),
        "h_0": some(3),
        "A": some(3, 3),
        "V": some(2, 3),
        "s": 0.7,
        "K": K,
    }
    text = "\n".join(lines)
    used = {n for n in given if re.search(rf"\b{n.partition('_')[0]}\b", "\n".join(lines[1:]))}
    return "\n".join([_declared(lines[0], used), *lines[1:]]) if text else text, {
        n: x for n, x in given.items() if n in used or n == "K"
    }


def _declared(line: str, used: set[str]) -> str:
    parts = []
    for part in line.split("; "):
        names, _, shape = part.partition(" : ")
        kept = [n for n in names.split(", ") if n.partition("[")[0] in {u.partition("_")[0] for u in used}]
        parts += [f"{', '.join(kept)} : {shape}"] if kept else []
    return "; ".join(parts)


SLOW = bool(os.environ.get("PULLBACK_SLOW"))
SEEDS = 300 if SLOW else 16


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_sums(seed: int) -> None:
    text, given = random_program(random.Random(seed))
    for target in TARGETS:
        if (
            target == "numba"
            or importlib.util.find_spec(target) is None
            or not (SLOW or target == "numpy" or seed % 4 == 0)
        ):
            continue
        compared(target, text, given)
