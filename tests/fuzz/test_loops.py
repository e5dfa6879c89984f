"""Random recurrences: the code with its loops against the equations written out."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

SEEDS = 400 if os.environ.get("PULLBACK_SLOW") else 10
N, P = 3, 2


def program(rng: random.Random) -> str:
    """States that go up or down through the index, with one step or two; outputs; a sum, a last member, or both."""
    lines = ["x[t] : p where data; c : n"]
    states: list[tuple[str, bool]] = []
    numbers = iter(range(1, 99))

    def weight(*shape: str) -> str:
        name = f"W{next(numbers)}"
        lines.append(f"{name} : ({', '.join(shape)})")
        return name

    equations: list[str] = []
    groups = [rng.random() < 0.6 for _ in range(rng.randint(1, 2))]
    for g, up in enumerate(groups):
        members = [f"{'hq'[g]}{'ab'[k]}" for k in range(rng.randint(1, 2))]
        lag = rng.randint(1, 2)
        back = [f"t-{k}" if up else f"t+{k}" for k in range(1, lag + 1)]
        for s in members:
            lines += [f"{s}[{k}] : n" for k in (range(lag) if up else (f"T+{k}" for k in range(1, lag + 1)))]
        for k, s in enumerate(members):
            terms = [f"{weight('n', 'n')} {rng.choice(members)}[{rng.choice(back)}]" for _ in range(rng.randint(1, 2))]
            terms.append(f"{weight('n', 'n')} {s}[{back[-1]}]")
            if k and rng.random() < 0.5:
                terms.append(f"{members[0]}[t]")
            if rng.random() < 0.7:
                terms.append(f"{weight('n', 'p')} x[t]")
            if g and rng.random() < 0.4:
                terms.append(f"{weight('n', 'n')} {rng.choice(states)[0]}[t]")
            act = rng.choice(["tanh", "sigmoid", "sin"])
            equations.append(f"{s}[t] = {act}({' + '.join(terms)}) for t = {f'{lag}..T' if up else '1..T'}")
        states += [(s, up) for s in members]
        lines.append("")
    first = 2
    s = rng.choice(states)[0]
    ends = [f"c' {name}[{'T' if up else '2'}]" for name, up in states]
    equations.append(f"y[t] = {rng.choice(['tanh', 'exp', 'cos'])}({weight('n', 'n')} {s}[t]) for t = {first}..T")
    if rng.random() < 0.5:
        equations.append(f"z[t] = y[t-1] .* {rng.choice(states)[0]}[t] for t = 3..T")
        ends.append("sum_{u=3..T} c' z[u]")
    ends.append(rng.choice(["sum_{t=2..T} ‖y[t]‖²", "(1/T) sum_{t=2..T} c' y[t]", "log(sum_{t=2..T} ‖y[t]‖²)"]))
    if rng.random() < 0.5:
        rng.shuffle(ends)
    return "\n".join([*filter(None, lines), *equations, "E = " + " + ".join(ends)])


def arrays(d: pb.Derived, text: str, steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `evaluate` takes, and what the code takes."""
    rng = np.random.default_rng(5)
    given: dict[str, Any] = {"T": steps, "x": {t: rng.normal(size=P) for t in range(1, steps + 1)}}
    flat: dict[str, Any] = {"x": None}
    for line in text.splitlines():
        for part in line.split(";") if " = " not in line else ():
            name, _, shape = part.partition(" : ")
            name = name.strip()
            sizes = tuple(
                {"n": N, "p": P}[s]
                for s in shape.replace("where data", "").strip().strip("()").replace(" ", "").split(",")
            )
            if name == "x[t]":
                continue
            value = rng.normal(size=sizes) / 2
            family, _, index = name.partition("[")
            if not index:
                given[name] = flat[name] = value
                continue
            index = index.removesuffix("]")
            at = steps + int(index[2:]) if index.startswith("T") else int(index)
            given.setdefault(family, {})[at] = value
            flat[f"{family}_{index.replace('+', '_')}"] = value
    return given, flat


def compared(d: pb.Derived, text: str, steps: int, f: Any, jit: Any = None) -> None:
    given, flat = arrays(d, text, steps)
    source = d.code("numpy")
    head = source[source.index("def value_and_grad") :].partition('"""')[0]
    words = [w for w in flat if f"{w}," in head or f"{w})" in head or f"{w}\n" in head]
    if "x" in words:  # rows for the steps that the equations read
        first = int(source.partition("    x: ")[2].partition("..")[0].rpartition("= ")[2])
        flat["x"] = np.array([given["x"][t] for t in range(first, steps + 1)])
    else:
        given.pop("x")
    some = {w: flat[w] for w in words}
    numbers = {"T": steps} if "T," in head or "T)" in head else {}
    value, wanted = d.evaluate(**given)
    found, grad = jit(lambda a: f(**a, **numbers))(some) if jit else f(**some, **numbers)
    assert abs(found - value) <= 1e-10 * max(1, abs(value))
    for name, g in grad.items():
        family, _, index = name.partition("[")
        expected = wanted[family]
        if index:
            index = index.removesuffix("]")
            expected = expected[steps + int(index[2:]) if index.startswith("T") else int(index)]
        np.testing.assert_allclose(np.asarray(g), expected, rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_one_recurrence(seed: int) -> None:
    text = program(random.Random(seed))
    d = pb.derive(text)
    f = d.compile("numpy")
    for steps in (4, 7):
        compared(d, text, steps, f)
    if seed % 4 == 0:
        jax = pytest.importorskip("jax")
        compared(d, text, 5, d.compile("jax"), jax.jit)
