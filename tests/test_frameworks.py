"""The equations found again in the code of frameworks: the lines of examples/frameworks, run and compared in float64.

JAX is part of `make test`; PyTorch and TensorFlow are slow to install and run in `make check-all`.
"""

import importlib.util
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORKS = {"jax": "jax", "torch": "torch", "tensorflow": "tensorflow"}
TOLERANCE = 1e-10

slow = pytest.mark.slow
each_framework = pytest.mark.parametrize(
    "name", ["jax", pytest.param("torch", marks=slow), pytest.param("tensorflow", marks=slow)]
)


def load(name: str) -> ModuleType:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip(FRAMEWORKS[name])
    spec = importlib.util.spec_from_file_location(f"layer_{name}", ROOT / f"examples/frameworks/layer_{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same(found: Any, expected: Any) -> None:
    assert np.shape(found) == np.shape(expected)
    assert np.max(np.abs(np.asarray(found) - expected)) <= TOLERANCE * max(1.0, float(np.max(np.abs(expected))))


def example(name: str) -> str:
    return (ROOT / "examples" / f"{name}.eqn").read_text(encoding="utf-8")


@each_framework
def test_the_layer(name: str) -> None:
    """The framework's own tape, the lines by hand, and our equations give the same numbers; f(t) = t³."""
    module = load(name)
    rng = np.random.default_rng(5)
    W, a, b, dy = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=3), rng.normal(size=3)
    d = pb.derive(example("layer"), wrt=["z", "W", "a", "b"])
    cube = (lambda t: t**3, lambda t: 3 * t**2)
    _, ours = d.evaluate(W=W, a=a, b=b, f=cube, loss=(lambda y: dy @ y, lambda y: dy))
    expected = [ours[n] for n in ("z", "W", "a", "b")]
    for found in (module.by_tape(W, a, b, dy, cube[0]), module.by_hand(W, a, b, dy, *cube)):
        for one, other in zip(found, expected, strict=True):
            same(one, other)


@each_framework
def test_three_layers(name: str) -> None:
    module = load(name)
    rng = np.random.default_rng(6)
    n, B = [4, 5, 3, 2], 7
    X, T = rng.normal(size=(n[0], B)), rng.normal(size=(n[3], B))
    W = [rng.normal(size=(n[k + 1], n[k])) for k in range(3)]
    b = [rng.normal(size=n[k + 1]) for k in range(3)]
    names = ["W1", "W2", "W3", "b1", "b2", "b3"]
    d = pb.derive(example("mlp3"), wrt=names)
    _, ours = d.evaluate(X=X, T=T, **dict(zip(names, [*W, *b], strict=True)))
    for found, k in zip(module.mlp3(X, T, W, b), names, strict=True):
        same(found, ours[k])


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_equation_beside_a_line_is_a_derived_one(name: str) -> None:
    """The comments of the code are the equations of the proved derivation, all of them, letter by letter."""
    code = (ROOT / f"examples/frameworks/layer_{name}.py").read_text(encoding="utf-8")
    shown = re.findall(r"# (∇.*)", code)
    d = pb.derive(example("layer"), wrt=["z", "W", "a", "b"])
    assert shown == [repr(d[n]) for n in ("z", "W", "a", "b")]
