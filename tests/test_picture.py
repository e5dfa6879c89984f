"""The README's picture is real output: made again, it is the same file."""

import importlib.util
from pathlib import Path

from pullback.cli import main

ROOT = Path(__file__).parents[1]


def test_the_picture_is_what_the_program_prints() -> None:
    spec = importlib.util.spec_from_file_location("picture", ROOT / "tools" / "picture.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.main() == (ROOT / "docs" / "layer.svg").read_text(encoding="utf-8")


def test_the_picture_of_the_network_is_what_the_command_draws(tmp_path: Path) -> None:
    """README: pullback draw examples/layer.eqn --sizes m=2,n=3 -o docs/layer_network.svg."""
    target = tmp_path / "layer_network.svg"
    assert main(["draw", str(ROOT / "examples" / "layer.eqn"), "--sizes", "m=2,n=3", "-o", str(target)]) == 0
    assert target.read_bytes() == (ROOT / "docs" / "layer_network.svg").read_bytes()
