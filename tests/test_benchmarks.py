"""The benchmarks run: what they time by name exists, a small case of each goes through, and the report is made of what is stored."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def benchmark(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module(name)


def test_every_phase_is_a_function_that_derive_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    phases = benchmark("scaling", monkeypatch).PHASES.values()
    assert all(callable(getattr(importlib.import_module(f"pullback.{home}"), name)) for home, name in phases)


def test_a_small_network_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    scaling = benchmark("scaling", monkeypatch)
    found = scaling.measure(2, next(iter(scaling.FORMS)))
    assert all(found[phase] > 0 for phase in (*scaling.PHASES, "text", "whole"))


def test_the_symbolic_cost_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    symbolic = benchmark("symbolic", monkeypatch)
    assert symbolic.ours(2, 0)().gradients.keys() == symbolic.ours_checked(2, 0)().gradients.keys()


@pytest.mark.slow
def test_all_of_it_runs_on_the_smallest_case(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    stored = tmp_path / "found.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--quick", "--json", str(stored)]
    done = subprocess.run(
        [*command, "--only", "steps", "problems", "memory", "symbolic"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(stored.read_text())
    [network] = found["steps"][0]["cases"]
    assert network["failed"] == {} and {
        "floor: the products alone",
        "ours NumPy buffers",
        "ours JAX function",
        "jax.grad",
    } <= set(network["seconds"])
    assert all(len(times) == found["rounds"] and min(times) > 0 for times in network["seconds"].values())
    [problem] = found["problems"][0]["cases"]
    assert problem["failed"] == {} and set(problem["error"]) == set(problem["seconds"])
    assert found["memory"][0]["memory"].keys() >= {"ours NumPy function", "ours NumPy buffers"}
    assert all(one["seconds"] > 0 for one in found["symbolic"]["pullback"].values())
    page = (tmp_path / "benchmarks-quick" / "performance.md").read_text()
    assert page.startswith("# Performance") and "| ours NumPy buffers |" in page


def test_a_wrong_gradient_is_an_error_and_no_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    worker, problems = benchmark("worker", monkeypatch), benchmark("problems", monkeypatch)
    p = problems.PROBLEMS["logistic"].at(B=5, d=3)
    right = {"w": np.array([1.0, -2.0, 3.0]), "b": np.array(0.5)}
    np.savez(tmp_path / "reference.npz", **right)
    assert worker.compared(p, right, str(tmp_path / "reference.npz")) == 0
    for wrong in ({"w": right["w"] * 1.001}, {"w": right["w"][:2]}, {"w": right["w"] * np.nan}):
        with pytest.raises(ValueError, match="the gradient of w"):
            worker.compared(p, right | wrong, str(tmp_path / "reference.npz"))
    with pytest.raises(ValueError, match="no gradient of b"):
        worker.compared(p, {"w": right["w"]}, str(tmp_path / "reference.npz"))


def _case(**seconds: list[float]) -> dict[str, Any]:
    named = {n.replace("_", " "): t for n, t in seconds.items()}
    names = {"floor": "floor: the products alone", "jax": "jax.grad", "compile": "torch.compile"}
    named = {names.get(n, n): t for n, t in named.items()}
    return {"problem": "mlp", "title": "MLP 784-256-128-10", "sizes": {"B": 256}, "said": "B = 256", "dtype": "float32", "threads": 1,
            "failed": {}, "first": dict.fromkeys(named, 1.5), "error": dict.fromkeys(named, 0.0), "seconds": named}  # fmt: skip


def _stored() -> dict[str, Any]:
    case = _case(floor=[1e-3, 2e-3, 1e-3], ours_NumPy_buffers=[2e-3, 4e-3, 2e-3], ours_JAX_function=[3e-3, 3e-3, 3e-3],
                 ours_PyTorch_function=[2.5e-3, 2.5e-3, 2.5e-3], jax=[1e-3, 3e-3, 2e-3], torch_eager=[4e-3, 4e-3, 4e-3], compile=[4e-3, 4e-3, 4e-3])  # fmt: skip
    mib = 2**20
    memory = {**case, "memory": {"ours JAX function": {"rise": 9 * mib, "temp": 2 * mib, "output": mib},
                                 "jax.grad": {"rise": 9 * mib, "temp": mib, "output": mib},
                                 "ours PyTorch function": {"rise": 3 * mib}, "torch eager": {"rise": 4 * mib}}}  # fmt: skip
    run = {"info": {"numpy": {"numpy": "2.4", "blas": ["openblas 0.3 SkylakeX, 1 threads"]}}, "cases": [case]}
    linear = {str(n): {"seconds": 0.01 * n} for n in (10, 100, 1000)}
    return {"machine": {"model": "A machine", "cores": 2, "system": "Linux 6", "python": "3.11", "load": 0.25}, "date": "2026-01-02",
            "rounds": 3, "quick": False, "steps": [run], "problems": [run], "memory": [memory],
            "symbolic": {"pullback": linear, "JAX: lowered": {"10": {"seconds": 0.05}, "100": {"failed": "over 60 s"}}}}  # fmt: skip


def test_the_report_is_made_of_what_is_stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = benchmark("report", monkeypatch)
    (tmp_path / "performance.md").write_text("# Performance\n\nBy hand.\n")
    report.write(_stored(), tmp_path)
    page = (tmp_path / "performance.md").read_text()
    assert page.startswith("# Performance\n\nBy hand.\n")
    assert "A machine, 2 cores, Linux 6, Python 3.11; 2026-01-02" in page
    assert "| ours NumPy buffers | 2 ms (2.00) |" in page
    # The median of the rounds' ratios 2, 4/3 and 1; the ratio of the medians is 1.
    row = "| float32, 1 thread, batch 256 | NumPy buffers | 2.00 | jax.grad | 1.33 |"
    assert f"{row} behind: 1.33 × jax.grad, the aim is 1; behind: 2.00 × the floor, the aim is 1.15 |" in page
    assert "3.0 MiB" in page and "behind: 1.50 × jax.grad, the aim is 1.05 |" in page
    assert "| pullback | 100 ms | 1 s | 10 s | 1.00 |" in page and "over 60 s" in page
    assert "- L = 10: JAX: lowered (2.0 times)\n- L = 100: nobody" in page
    report.write(_stored(), tmp_path)
    assert (tmp_path / "performance.md").read_text() == page, "written twice it stands there once"


def test_the_pictures_are_drawn_of_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    found = benchmark("report", monkeypatch).pictures(_stored())
    assert set(found) == {"performance_steps.svg", "performance_symbolic.svg"}
    for svg in found.values():
        ET.fromstring(svg)
    points = re.findall(
        r'<circle cx="([\d.]+)" cy="([\d.]+)" r="3" fill="#0969da"/>', found["performance_symbolic.svg"]
    )
    across, up = [float(x) for x, _ in points], [float(y) for _, y in points]
    assert across == sorted(across) and up == sorted(up, reverse=True) and len(points) == 3
    assert abs((up[0] - up[1]) - (up[1] - up[2])) < 0.2, "a line, where both axes are logarithmic"


def test_the_page_has_the_markers() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    assert "| layers | steps |" in page, "the table of scaling is kept"
