"""The README's picture is real output: made again, it is the same file."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_picture_is_what_the_program_prints() -> None:
    spec = importlib.util.spec_from_file_location("picture", ROOT / "tools" / "picture.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.main() == (ROOT / "docs" / "layer.svg").read_text(encoding="utf-8")
