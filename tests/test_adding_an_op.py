"""A newcomer's test: the op of docs/adding-an-op.md, added as the page says, in a copy of the source."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "adding-an-op.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `src` with the ten lines of the page, which touch one file."""
    folder = tmp_path_factory.mktemp("newcomer") / "src"
    shutil.copytree(ROOT / "src", folder, ignore=shutil.ignore_patterns("__pycache__"))
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code.splitlines()) <= 13
    [name] = re.findall(r"`src/(pullback/algebra/ops/\w+\.py)`", PAGE)
    file = folder / name
    file.write_text(file.read_text(encoding="utf-8") + "\n\n" + code, encoding="utf-8")
    return folder


def run(source: Path, *command: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_it_is_derived(source: Path) -> None:
    shown = run(source, "-m", "pullback", "derive", "-e", "z : n; c : scalar; E = sum(softcap(z, c))")
    assert "LEMMA SOFTCAP" in shown.upper() and "∇z" in shown and "∇c" in shown
    assert "c is positive" in shown


def test_it_is_typeset(source: Path) -> None:
    shown = run(
        source, "-m", "pullback", "derive", "--format", "latex", "-e", "z : n; c : scalar; E = sum(softcap(z, c))"
    )
    assert r"\operatorname{softcap}" in shown


def test_it_has_generated_tests(source: Path) -> None:
    shown = run(
        source,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "tests/algebra/test_ops.py",
        "-k",
        "softcap",
    )
    passed = re.search(r"(\d+) passed", shown)
    assert passed and int(passed[1]) >= 8 and "failed" not in shown


def test_it_is_in_the_table(source: Path) -> None:
    code = "import sys; sys.argv = ['ops']; sys.path.insert(0, 'tools'); import ops; print('\\n'.join(ops.page()))"
    assert "| softcap | `softcap` |" in run(source, "-c", code)


def test_the_table_is_that_of_the_declarations() -> None:
    code = "import sys; sys.path.insert(0, 'tools'); import ops; print('\\n'.join(ops.page()))"
    assert run(ROOT / "src", "-c", code) == (ROOT / "docs" / "ops.md").read_text(encoding="utf-8")
