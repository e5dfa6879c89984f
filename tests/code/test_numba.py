"""Loops compiled by Numba: layers, a choice of ops, both forms and types; nothing allocated that is as large as an array."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from _layers import LAYERS

import pullback as pb

np = pytest.importorskip("numpy")
numba = pytest.importorskip("numba")

SLOW = bool(os.environ.get("PULLBACK_SLOW"))
QUICK = ["batch of relu", "softmax and cross-entropy", "layer norm", "attention", "Gaussian process"]


@pytest.fixture(autouse=True)
def compiled() -> Any:
    """Other tests run the loops as Python."""
    before, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, False
    yield
    numba.config.DISABLE_JIT = before


def case(layer: str) -> tuple[pb.Derived, dict[str, Any]]:
    text, shapes, _ = LAYERS[layer]
    rng = np.random.default_rng(3)
    arrays = {n: rng.normal(size=s) for n, s in shapes.items()}
    if "spd" in text:
        arrays["K"] = arrays["K"] @ arrays["K"].T + 4 * np.eye(4)
    return pb.derive(text), arrays


def same(found: Any, wanted: Any, tolerance: float) -> None:
    value, grad = found
    assert abs(value - wanted[0]) <= tolerance * max(1, abs(wanted[0]))
    for n, g in grad.items():
        np.testing.assert_allclose(g, wanted[1][n], rtol=tolerance, atol=tolerance, err_msg=n)


@pytest.mark.parametrize("layer", LAYERS if SLOW else QUICK)
def test_a_layer(layer: str) -> None:
    d, arrays = case(layer)
    wanted = d.evaluate(**arrays)
    f = d.compile("numba")
    before = {n: a.copy() for n, a in arrays.items()}
    same(f(**arrays), wanted, 1e-11)
    assert all(np.array_equal(a, before[n]) for n, a in arrays.items()), "an input was written to"
    turned = {n: np.asfortranarray(a) if a.ndim > 1 else a[::-1].copy()[::-1] for n, a in arrays.items()}
    same(f(**turned), wanted, 1e-11)


@pytest.mark.parametrize("layer", LAYERS if SLOW else QUICK[:3])
def test_float32_stays_float32(layer: str) -> None:
    d, arrays = case(layer)
    wanted = d.evaluate(**arrays)
    value, grad = d.compile("numba")(**{n: a.astype(np.float32) for n, a in arrays.items()})
    assert all(g.dtype == np.float32 for g in grad.values())
    same((value, grad), wanted, 1e-4)


def test_no_number_of_a_loop_is_float64() -> None:
    """What Numba infers for every name of the loops: sums alone are kept in float64."""
    d, arrays = case("softmax and cross-entropy")
    f = d.compile("numba")
    f(**{n: a.astype(np.float32) for n, a in arrays.items()})
    loops = f.__globals__["_kernels"](np.float32)
    [signature] = loops.signatures
    types = loops.overloads[signature].type_annotation.typemap
    wide = {n for n, t in types.items() if t == numba.float64 and not n.startswith(("$", "arg."))}
    assert wide and all("_sum" in n or "_max" in n for n in wide), wide


MLP = """X : (B, n) where const
Y : (B, c) where const
W1 : (n, h); b1 : h; W2 : (h, c); b2 : c
Z1 = X W1 + 1_B b1'
A1 = relu(Z1)
Z2 = A1 W2 + 1_B b2'
E = -sum(Y .* logsoftmax(Z2, axis=1)) / B
"""


def test_buffers_allocate_nothing_of_the_size_of_an_array() -> None:
    d = pb.derive(MLP, wrt=["W1", "b1", "W2", "b2"])
    B, n, h, c = 64, 100, 50, 10
    rng = np.random.default_rng(1)
    shapes = {"X": (B, n), "Y": (B, c), "W1": (n, h), "b1": (h,), "W2": (h, c), "b2": (c,)}
    arrays = {k: rng.normal(size=s) for k, s in shapes.items()}
    make = d.compile("numba", form="buffers")
    words = make.__code__.co_varnames[: make.__code__.co_argcount - 1]
    f = make(*[{"B": B, "n": n, "h": h, "c": c}[w] for w in words])
    same(f(**arrays), d.evaluate(**arrays), 1e-11)
    tracemalloc.start()
    for _ in range(20):
        f(**arrays)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * 8 * B * h, f"{peak} bytes"
    with pytest.raises(ValueError, match=r"b1 has the shape \(10,\), not \(50,\)"):
        f(**(arrays | {"b1": arrays["b2"]}))
    with pytest.raises(TypeError, match="X has the type float32, not float64"):
        f(**(arrays | {"X": arrays["X"].astype(np.float32)}))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("B", [0, 1, 2])
def test_a_batch_of_one_or_none(B: int, dtype: Any) -> None:
    """Along an axis of size 1 a product of matrices is one entry by one entry, and of size 0 it is zero."""
    d = pb.derive("X : (B, n); W : (n, h); V : (B, h); E = sum(tanh(X W) .* V)", wrt=["W", "X"])
    rng = np.random.default_rng(4)
    arrays = {k: rng.normal(size=s).astype(dtype) for k, s in {"X": (B, 7), "W": (7, 5), "V": (B, 5)}.items()}
    wanted = {k: a.astype(float) for k, a in arrays.items()}
    slope = (1 - np.tanh(wanted["X"] @ wanted["W"]) ** 2) * wanted["V"]
    tolerance = 1e-12 if dtype is np.float64 else 1e-5
    found = {"W": wanted["X"].T @ slope, "X": slope @ wanted["W"].T}
    for order in (np.ascontiguousarray, np.asfortranarray):
        _, grad = d.compile("numba")(**{k: order(a) for k, a in arrays.items()})
        for k, g in found.items():
            np.testing.assert_allclose(grad[k], g, rtol=tolerance, atol=tolerance)


def test_a_softmax_is_one_loop_over_rows() -> None:
    """Its largest entry, its sum, the loss and the gradient of a row are made before the next row is begun."""
    text = pb.derive(MLP).code("numba")
    [loops] = [x for x in ast.walk(ast.parse(text)) if isinstance(x, ast.FunctionDef) and x.name == "loops"]
    outer = [x for x in loops.body if isinstance(x, ast.For)]
    assert len(outer) == 3  # the hidden layer, the rows of the softmax, the hidden layer backward
    assert "np.dot(" in text and "@" not in text.partition("def loops")[2].partition("return E")[0]


def test_what_has_no_loops_is_a_line_of_numpy() -> None:
    text = "K : (n, n) where spd\nk = exp(-y) .* y; E = 0.5 * k' (inv(K) k) + 0.5 * logdet(K)"
    d = pb.derive(text, wrt=["y"])
    rng = np.random.default_rng(2)
    K = rng.normal(size=(5, 5))
    arrays = {"K": K @ K.T + np.eye(5), "y": rng.normal(size=5)}
    code = d.code("numba")
    assert "np.linalg." in code and code.count("@njit") >= 2
    same(d.compile("numba")(**arrays), d.evaluate(**arrays), 1e-10)


def test_a_function_of_which_only_the_name_is_known() -> None:
    d = pb.derive("z = W a + b; y = f(z); E = loss(y .* y)", wrt=["W", "b"])
    rng = np.random.default_rng(2)
    arrays = {"W": rng.normal(size=(3, 4)), "a": rng.normal(size=4), "b": rng.normal(size=3)}
    wanted = d.evaluate(**arrays, f=(np.tanh, lambda z: 1 - np.tanh(z) ** 2), loss=(np.sum, np.ones_like))
    found = d.compile("numba")(
        **arrays, f=np.tanh, df=lambda z: 1 - np.tanh(z) ** 2, loss=np.sum, grad_loss=np.ones_like
    )
    same(found, wanted, 1e-12)


def test_no_round_writes_over_what_a_later_one_reads() -> None:
    """A and its transpose are read in one loop: V cannot lie in the memory of A."""
    d = pb.derive(
        "X : (n, n) where const\nB : (n, n) where const\nY : (n, n)\nA = exp(X)\nW = B .* A'\nV = sin(A)\nE = tr(Y W V W)"
    )
    rng = np.random.default_rng(2)
    arrays = {n: rng.normal(size=(4, 4)) for n in "XBY"}
    assert "A[j_, i_]" in d.code("numba")
    same(d.compile("numba")(**arrays), d.evaluate(**arrays), 1e-11)


def test_nan_is_found() -> None:
    d, arrays = case("batch of relu")
    arrays["W"][1, 2] = np.nan
    with pytest.raises(FloatingPointError, match="an entry of W is no number"):
        d.compile("numba")(**arrays)


@pytest.mark.parametrize("form", ["function", "buffers"])
@pytest.mark.parametrize("layer", LAYERS)
def test_ruff_leaves_the_text_as_it_is(layer: str, form: str, tmp_path: Path) -> None:
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    if not Path(ruff).exists():
        pytest.skip("ruff is not installed")
    file = tmp_path / "generated.py"
    file.write_text(pb.derive(LAYERS[layer][0]).code("numba", form=form), encoding="utf-8")
    for command in (["format", "--check", "--isolated"], ["check", "--isolated"]):
        found = subprocess.run([ruff, *command, str(file)], capture_output=True, text=True)
        assert found.returncode == 0, found.stdout + found.stderr
