"""Random programs in which all sizes are equal: what runs over one axis may share a loop, and memory, with what runs over another."""

from __future__ import annotations

import importlib.util
import os
import random
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

SEEDS = 300 if os.environ.get("PULLBACK_SLOW") else 20
N = 4
TARGETS = [(t, f) for t, f, module in (("numpy", "function", "numpy"), ("numpy", "buffers", "numpy"), ("numba", "function", "numba"),
                                       ("torch", "function", "torch"), ("torch", "autodiff", "torch"))
           if importlib.util.find_spec(module)]  # fmt: skip


def program(rng: random.Random) -> str:
    """Matrices and vectors of one size, some of which do not move."""
    matrices = ["X", "Y", "C"]
    vectors = ["u", "v"]
    lines = [
        "X : (n, n)",
        "C : (n, n) where const",
        "Y : (n, n)" + rng.choice(["", " where const"]),
        "u : n",
        "v : n where const",
    ]

    def matrix() -> str:
        return rng.choice(matrices) + rng.choice(["", "", "'"])

    def vector() -> str:
        return rng.choice(vectors)

    for k in range(rng.randint(4, 9)):
        if rng.random() < 0.65:
            right = rng.choice([
                f"{matrix()} .* {matrix()}", f"sin({matrix()})", f"{matrix()} {matrix()}", f"exp(-{matrix()} .* {matrix()})",
                f"outer({vector()}, {vector()}) + {matrix()}", f"diag({vector()}) {matrix()}", f"softmax({matrix()}, axis={rng.randint(0, 1)})",
                f"relu({matrix()}) - 2 {matrix()}", f"{matrix()} + {matrix()}"])  # fmt: skip
            matrices.append(f"M{k}")
            lines.append(f"M{k} = {right}")
        else:
            right = rng.choice([f"{matrix()} {vector()}", f"sum({matrix()}, axis={rng.randint(0, 1)})", f"tanh({vector()}) .* {vector()}",
                                f"diag({matrix()})", f"max({matrix()}, axis={rng.randint(0, 1)})"])  # fmt: skip
            vectors.append(f"w{k}")
            lines.append(f"w{k} = {right}")
    ends = [f"sum({matrices[-1]} .* {matrix()})", f"{vectors[-1]}' {vector()}", f"tr({matrix()} {matrix()})"]
    return "\n".join(
        [*lines, "E = " + " + ".join(rng.sample(ends, rng.randint(2, 3))) + " + sum(X .* C) + u' v + tr(X Y)"]
    )


@pytest.mark.parametrize(("target", "form"), TARGETS)
@pytest.mark.parametrize("start", range(0, SEEDS, 10))
def test_one_size(target: str, form: str, start: int) -> None:
    right = 0
    for seed in range(start, start + 10):
        text = program(random.Random(seed))
        try:
            d = pb.derive(text)
        except pb.PullbackError:
            continue
        rng = np.random.default_rng(seed)
        arrays = {v.attrs[0]: rng.normal(size=(N,) * v.order) / 2 for v in d.derivation.inputs}
        value, wanted = d.evaluate(**arrays)
        found, grad = computed(d, target, form, arrays)
        assert abs(found - value) <= 1e-10 * max(1, abs(value)), text
        for n, g in wanted.items():
            np.testing.assert_allclose(grad[n], g, rtol=1e-9, atol=1e-10, err_msg=f"{n}\n{text}")
        right += 1
    assert right >= 7


def computed(d: pb.Derived, target: str, form: str, arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    if target == "numba":
        import numba

        numba.config.DISABLE_JIT = True  # the loops as Python has them
    f = d.compile(target, form=form)
    if target == "torch":
        return torched(d, f, form, arrays)
    before = {n: a.copy() for n, a in arrays.items()}
    if form == "buffers":
        f = f(N)
        f(**arrays)
    found = f(**arrays)
    assert all(np.array_equal(a, before[n]) for n, a in arrays.items())
    return found


def torched(d: pb.Derived, f: Any, form: str, arrays: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    import torch

    given = {n: torch.tensor(a, requires_grad=form == "autodiff") for n, a in arrays.items()}
    if form == "function":
        value, grad = f(**given)
    else:
        value = f(**given)
        moving = [v.attrs[0] for v in d.derivation.wrt]
        grad = dict(zip(moving, torch.autograd.grad(value, [given[n] for n in moving], allow_unused=True), strict=True))
    return float(value.detach()), {n: np.zeros(arrays[n].shape) if g is None else g.numpy() for n, g in grad.items()}
