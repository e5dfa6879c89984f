"""Code over a mesh of devices: what is refused, what is written, and that the values are those of one device.

The functions run in a process of its own (`_on_mesh.py`), for JAX must be told before it starts that there are 8 devices.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from _declared import cases, drawn

import pullback as pb
from pullback.algebra.dims import sized
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import facts_of, var
from pullback.cli import main
from pullback.code.instructions import Algorithm, Given, Value
from pullback.code.mesh import Mesh, read_mesh
from pullback.errors import UnsupportedError

np = pytest.importorskip("numpy")

from _oracle import SIZES  # noqa: E402

HERE = Path(__file__).parent
LONG = "weights_of_the_layer"
LAYER = "X : (n, B)\nZ = W X + b 1'\nA = tanh(Z)\nE = sum(A .* G) / B"


def test_on_eight_devices_values_and_gradients_are_those_of_one() -> None:
    """Runs tests/code/_on_mesh.py on 8 host devices, JAX's check of replication being on."""
    pytest.importorskip("jax")
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    environment = {
        **os.environ,
        "XLA_FLAGS": flags,
        "JAX_ENABLE_X64": "1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_PLATFORMS": "cpu",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        str(HERE / "_on_mesh.py"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE.parents[1], timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\d+ passed", done.stdout) and "skipped" not in done.stdout


# ---- index lists ---------------------------------------------------------------------------------------------


def blocks(e: Expr, args: list[np.ndarray], symbol: str) -> list[list[np.ndarray]]:
    """The arguments of two devices, cut in half along every axis of this size."""

    def half(x: np.ndarray, a: Expr, k: int) -> np.ndarray:
        for axis, d in enumerate(a.shape):
            if d.name == symbol:
                x = np.split(x, 2, axis)[k]
        return x

    return [[half(x, a, k) for x, a in zip(args, e.args, strict=True)] for k in (0, 1)]


def test_what_is_not_refused_may_be_computed_in_blocks() -> None:
    """Every op that has an algorithm, along every size: the algorithm on two halves, joined as the index lists say, against the whole."""
    rng = np.random.default_rng(5)
    computed: set[str] = set()
    for e in (e for op in drawn() if op.array is not None for e in cases(op) if e.args):
        values = [Value(a.shape, Given(var(f"x{k}", a.shape))) for k, a in enumerate(e.args)]
        for symbol in sorted({s for a in e.args for d in a.shape for s in d.symbols()}):
            try:
                how, axes = Mesh({"data": 2}, {symbol: "data"}).joined(Value(e.shape, Algorithm(e, tuple(values))), "")
            except UnsupportedError as refused:
                assert refused.code == "U045"
                continue
            sizes = {**SIZES, symbol: 2 * SIZES[symbol]}
            shapes = [tuple(d.value(sizes) for d in a.shape) for a in e.args]
            args = [rng.integers(0, 2, s).astype(float) if "index" in facts_of(a) else rng.normal(size=s)
                    for a, s in zip(e.args, shapes, strict=True)]  # fmt: skip
            data = sized(e.op.attributes(e), sizes)
            wanted = e.op.array(np, *args, **data)
            parts = [e.op.array(np, *some, **data) for some in blocks(e, args, symbol)]
            if axes:
                found = {"sum": np.add, "max": np.maximum, "min": np.minimum}[how](*parts)
            else:
                found = np.concatenate(parts, [d.name for d in e.shape].index(symbol))
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12, err_msg=f"{e!r} along {symbol}")
            computed.add(e.op.name)
    assert {
        "concat",
        "conv1d",
        "cumsum",
        "gather",
        "hardmax",
        "max_over",
        "min_over",
        "one_hot",
        "scatter",
        "var_over",
    } <= computed


# ---- the specification ---------------------------------------------------------------------------------------


def test_a_mesh_is_axes_with_devices_and_the_sizes_along_them() -> None:
    found = read_mesh(" data = 4 : B;model=2: n1 ,n3; spare=3", {"B", "n1", "n2", "n3"})
    assert found == Mesh({"data": 4, "model": 2, "spare": 3}, {"B": "data", "n1": "model", "n3": "model"})


@pytest.mark.parametrize(
    "mesh, code, message",
    [
        ("data: B", "P030", "--mesh cannot be read at 'data: B'"),
        ("data=0: B", "P030", "--mesh cannot be read at 'data=0: B'"),
        ("da ta=2: B", "P030", "cannot be read at 'da ta=2: B'"),
        (";", "P030", "names no axis"),
        ("data=2: B; data=4: n", "P030", "the axis data twice"),
        ("data=2: B; model=2: B", "P030", "the size B lies along data already"),
        ("data=2: C", "P032", "there is no size C"),
        ("data=2: m, n", "U045", "an array of the shape (m, n) has two axes along data, in W"),
    ],
)
@pytest.mark.parametrize("form", ["function", "shard_map"])
def test_a_mesh_that_cannot_be_is_refused(mesh: str, code: str, message: str, form: str) -> None:
    with pytest.raises(pb.PullbackError) as refused:
        pb.derive(LAYER).code("jax", form=form, mesh=mesh)
    assert refused.value.code == code and message in refused.value.message


@pytest.mark.parametrize(
    "text, mesh, message",
    [
        ("X : (n, d); S = X X'; E = sum(S .* G)", "a=2: n", "two axes along a, in G"),
        ("X : (n, d); S = X X'; E = sum(exp(S))", "a=2: n", "an array of the shape (n, n) has two axes along a, in "),
        (
            "A : (n, n); b : (n, k); Y = solve(A, b); E = sum(Y .* G)",
            "a=2: k",
            "solve_columns cannot be computed from blocks of an axis",
        ),
        (
            "x : n; y = cumsum(x); E = sum(y .* g)",
            "a=2: n",
            "cumsum cannot be computed from blocks of an axis, and n lies along a",
        ),
        ("X : (m, n); y = var(X, axis=1); E = sum(y .* g)", "a=2: n", "var_over cannot be computed from blocks"),
        ("X : (m, n); y = vec(X); E = sum(y .* g)", "a=2: m", "m lies along a, and there is an axis of the size m*n"),
        ("x : n;; y = [x; 1];; E = sum(y .* g)", "a=2: n", "n lies along a, and there is an axis of the size n + 1"),
        ("x : n; y = x[1:k]; E = sum(y .* g); g : k", "a=2: k", "cannot be computed from blocks"),
        ("x : n; y : m; A : (m, n); E = y' A x", "a=2: m, n", "two axes along a"),
        ("x : n; E = loss(x)", "a=2: n", "loss cannot be computed from blocks of an axis"),
    ],
)
def test_what_cannot_be_computed_in_blocks_is_refused(text: str, mesh: str, message: str) -> None:
    text = text.replace(";; " if ";; " in text else "; ", "\n")
    with pytest.raises(UnsupportedError) as refused:
        pb.derive(text).code("jax", form="shard_map", mesh=mesh)
    assert refused.value.code == "U045" and message in refused.value.message


@pytest.mark.parametrize(
    "args, code",
    [
        (["--target", "jax", "--form", "shard_map"], "P030"),
        (["--target", "numpy", "--mesh", "data=2: B"], "P030"),
        (["--target", "jax", "--form", "autodiff", "--mesh", "data=2: B"], "P030"),
        (["--target", "jax", "--mesh", "data=2: q"], "P032"),
    ],
)
def test_wrong_commands(args: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["code", "-e", LAYER.replace("\n", "; "), *args]) in (2, 4)
    shown = capsys.readouterr()
    assert f"[{code}]" in shown.err and not shown.out


def test_a_program_with_an_index_is_refused() -> None:
    text = "h[0] : n; W : (n, n); h[t] = tanh(W h[t-1]) for t = 1..T; E = sum(h[T])".replace("; ", "\n")
    with pytest.raises(UnsupportedError) as refused:
        pb.derive(text).code("jax", mesh="data=2: n")
    assert refused.value.code == "U043"


# ---- the text ------------------------------------------------------------------------------------------------


def test_sums_between_devices_follow_from_the_index_lists() -> None:
    text = pb.derive(LAYER).code("jax", form="shard_map", mesh="data=4: B; model=2: n")
    assert 'Z = jax.lax.psum(W @ X, "model") + b[:, None]' in text  # n is summed in W X
    assert 'grad_b = jax.lax.psum(jnp.sum(grad_Z, axis=1), "data")' in text
    assert 'grad_W = jax.lax.psum(grad_Z @ X.T, "data")' in text
    assert "grad_X = W.T @ grad_Z" in text  # nothing that lies on the mesh is summed
    assert '"W": P(None, "model"),' in text and "check_vma=True" in text


def test_nothing_is_sent_where_no_size_lies_along_the_mesh() -> None:
    text = pb.derive(LAYER).code("jax", form="shard_map", mesh="data=4; model=2")
    assert "psum" not in text and "every array whole on every device" in text


@pytest.mark.parametrize("form", ["function", "shard_map"])
def test_ruff_has_nothing_to_say(form: str, tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    texts = [LAYER, "mesh : (n, B); P = softmax(block mesh); block : (m, n); E = sum(P .* INPUTS)",
             f"X : (B, n); {LONG} : n; u = X {LONG}; y = longest_name_of_a_function(u); E = sum(y .* partial) / B + n sum(blocks)"]  # fmt: skip
    for k, text in enumerate(texts):
        made = pb.derive(text.replace("; ", "\n")).code("jax", form=form, mesh="data=4: B; model=2: n")
        (tmp_path / f"a{k}.py").write_text(made)
    for command in (["format", "--check", "--isolated"], ["check", "--isolated"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
