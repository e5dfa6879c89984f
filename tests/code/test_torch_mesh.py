"""The form `op` of the torch target over a mesh: sharding rules for DTensor, what is refused, and that 4 processes find what one finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pullback as pb
from pullback.errors import UnsupportedError

HERE = Path(__file__).parent
LAYER = "X : (B, n)\nZ = X W + 1 b'\nA = tanh(Z)\nE = sum(A .* G) / B"


def code(text: str, mesh: str) -> str:
    return pb.derive(text).code("torch", form="op", mesh=mesh)


def test_in_four_processes_values_and_gradients_are_those_of_one() -> None:
    """Runs tests/code/_on_gloo.py in 4 processes that speak by gloo."""
    pytest.importorskip("torch")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "4",
        str(HERE / "_on_gloo.py"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE.parents[1], timeout=400)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert "14 programs on 4 devices" in done.stdout


def test_rules_follow_from_the_index_lists() -> None:
    text = code(LAYER, "data=2: B; model=2: m")
    assert '"X": (Shard(0), Replicate()),' in text and '"W": (Replicate(), Shard(1)),' in text
    rules = text[text.index("@register_sharding(_evaluate._opoverload)") :]
    # B along data: the value is a sum over the rows, what is kept has rows
    assert "# B along data" in rules and "[Partial(), Shard(0)]," in rules
    backward = rules[rules.index("_evaluate_backward._opoverload") :]
    assert "[Shard(0), Partial(), Partial(), Shard(0)]," in backward  # ∇X, ∇W, ∇b, ∇G along data
    assert "[Partial(), Shard(1), Shard(0), Shard(1)]," in backward  # along model


def test_a_size_that_is_a_number_is_that_of_the_whole() -> None:
    text = code(LAYER, "data=2: B")
    assert "def _forward(X, W, b, G, B):" in text and "/ B" in text
    assert "return _evaluate(X, W, b, G, B)[0]" in text and "B, n = X.shape" in text
    with_shape = code("X : (B, n)\nV = outer(ones(B), w) .* X\nE = sum(V .* V) / B", "data=2: B")
    assert "def _forward(X, w, B):" in with_shape


@pytest.mark.parametrize(
    "text, mesh, message",
    [
        (LAYER, "a=2: n", "what is computed in Z = X W + 1_B bᵀ needs a whole array of which every device along a has a part"),
        ("X : (B, n)\nr = X w\nE = sum(r .* r) / B + 0.1 * sum(w .* w)", "a=2: B", "needs a whole array"),
        ("X : (B, n)\nE = log(sum(exp(X)))", "a=2: B", "needs a whole array"),
        ("X : (B, n)\nu = sum(X)\nE = u * u", "a=2: B", "needs a whole array"),
        ("X : (B, n)\nE = max(X)", "a=2: B", "hardmax cannot be computed from blocks of an axis, and B lies along a"),
        ("A : (n, n)\nb : (n, k)\nY = solve(A, b)\nE = sum(Y .* G)", "a=2: k", "solve_columns cannot be computed from blocks"),
        ("X : (m, n)\nE = sum(X .* G)", "a=2: m, n", "two axes along a"),
        ("x : n\nE = loss(x)", "a=2: n", "loss cannot be computed from blocks of an axis"),
    ],
)  # fmt: skip
def test_what_would_need_other_devices_is_refused(text: str, mesh: str, message: str) -> None:
    with pytest.raises(UnsupportedError) as refused:
        code(text, mesh)
    assert refused.value.code == "U045" and message in refused.value.message


def test_a_mesh_that_lays_nothing_is_refused() -> None:
    with pytest.raises(pb.PullbackError) as refused:
        code(LAYER, "data=4")
    assert refused.value.code == "P030" and "lays no size" in refused.value.message


def test_ruff_has_nothing_to_say(tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    deep = "\n".join([
        "X : (B, n0)",
        *(f"W{k} : (n{k - 1}, n{k})\nA{k} = tanh({f'A{k - 1}' if k > 1 else 'X'} W{k} + 1 b{k}')" for k in range(1, 11)),
        "E = ½ ‖A10 − T‖² / B",
    ])  # fmt: skip
    some = "Shard : (B, n)\nmesh : n\nu = Shard mesh\ny = INPUTS(u)\nPartial : B\nE = sum(y .* Partial) / B"
    one = "X : (B, n) where const\nu = X w\nE = sum(tanh(u)) / B"
    for k, (text, mesh) in enumerate([(deep, "data=2: B; model=2: n10"), (some, "data=4: B"), (one, "a=2: B")]):
        (tmp_path / f"a{k}.py").write_text(code(text, mesh))
    for command in (["format", "--check", "--isolated"], ["check", "--isolated"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
