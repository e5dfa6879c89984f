"""The picture of a plan: rows as in the table, arrows for what is read, bars for lifetimes, the peak; nothing overlaps."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from _browser import CHROMIUM, measure

import pullback as pb
from pullback.cli import main
from pullback.errors import ParseError
from pullback.show.draw.scene import Box, Disc, Line, Scene, Text
from pullback.show.draw.schedule import schedule

EXAMPLES = Path(__file__).parents[3] / "examples"
NS = "{http://www.w3.org/2000/svg}"
PLANS: dict[str, tuple[str, dict[str, int], str]] = {
    "layer": ((EXAMPLES / "layer.eqn").read_text(encoding="utf-8"), {"m": 256, "n": 784}, ""),
    "mlp": ((EXAMPLES / "mlp3.eqn").read_text(encoding="utf-8"), {"B": 256}, "A2,Z2"),
    "attention": ((EXAMPLES / "attention.eqn").read_text(encoding="utf-8"), {"t": 512, "s": 512}, "A,S"),
    "softmax": ("Z = W X; P = softmax(Z, axis=0); E = -sum(Y .* log(P))", {"n": 7}, "P"),
    "norm": ("x : n; y = layernorm(x, g, b); E = ½ ‖y − t‖²", {}, ""),
    "scalar": ("x : (); E = x^3", {}, ""),
    "long": ("x : n; E = sum(tanh(x) .* exp(x) .* sin(x) .* cos(x) .* sqrt(x) .* log(x) .* (x + 1) .* (x + 2))", {}, ""),
}  # fmt: skip


def row(name: str, **data: object) -> dict[str, object]:
    known = {"name": name, "text": f"f({name})", "cost": "(n), 1 op, 8 B", "alive": 8, "reads": (), "inputs": (), "last": 0,
             "back": False, "kept": False, "again": False, "result": False}  # fmt: skip
    return known | data


def scene() -> Scene:
    rows = [row("a", inputs=("x", "y"), kept=True, last=3, alive=80), row("b", reads=(0,), last=2, alive=160), row("c", reads=(0, 1), last=2, alive=240),
            row("d", reads=(0,), back=True, result=True, last=3, alive=200, inputs=("y",))]  # fmt: skip
    return schedule({"rows": rows, "given": 40, "sizes": "n = 1", "peak": "peak 240 B", "inputs": "inputs 40 B"})


def boxes(s: Scene) -> dict[str, Box]:
    return {t.id: t for t in s.things if isinstance(t, Box)}


def test_boxes_and_bars_lie_in_the_rows() -> None:
    found = boxes(scene())
    middles = [found[f"a{k}"].y + found[f"a{k}"].h / 2 for k in range(4)]
    assert middles == sorted(middles) and len({b - a for a, b in pairwise(middles)}) == 1
    assert found["a0"].x == found["a1"].x == found["a2"].x < found["a3"].x - found["a0"].w
    for k, last in enumerate(
        (3, 2, 2, 3)
    ):  # a bar covers the middles of the rows in which the array is needed, and no other
        bar = found[f"b{k}"]
        assert [bar.y <= m <= bar.y + bar.h for m in middles] == [k <= j <= last for j in range(4)]
    assert found["a0"].stroke == found["b0"].fill == "forward"
    assert found["a3"].fill == found["b3"].fill == "parameter"


def test_an_arrow_for_everything_that_is_read() -> None:
    s = scene()
    found = boxes(s)
    arrows = [t for t in s.things if isinstance(t, Line) and t.arrow]

    def at(x: float, y: float) -> str:
        return next(
            n for n, b in found.items() if b.x - 0.1 <= x <= b.x + b.w + 0.1 and b.y - 0.1 <= y <= b.y + b.h + 0.1
        )

    read = {(at(*t.points[0]), at(*t.points[-1])) for t in arrows}
    assert read == {("a0", "a1"), ("a0", "a2"), ("a1", "a2"), ("a0", "a3"), ("i0", "a0"), ("i3", "a3")}


def test_the_curve_has_its_peak_where_the_memory_has() -> None:
    s = scene()
    (peak,) = [t for t in s.things if isinstance(t, Disc)]
    box = boxes(s)["a2"]
    assert peak.y == box.y + box.h / 2
    curve = next(t for t in s.things if isinstance(t, Line) and t.stroke == "ink")
    assert max(p[0] for p in curve.points) == peak.x and len(curve.points) == 8
    assert "peak 240 B" in {t.words.text for t in s.things if isinstance(t, Text)}


def pictures() -> dict[str, str]:
    found = {}
    for name, (text, sizes, marked) in PLANS.items():
        d = pb.derive(text)
        found[name] = d.plan(sizes=sizes, format="svg")
        if marked:
            found[f"{name} again"] = d.plan(sizes=sizes, recompute=marked, format="svg")
    return found


def test_the_picture_says_what_the_table_says() -> None:
    for name, (text, sizes, marked) in PLANS.items():
        d = pb.derive(text)
        table = d.plan(sizes=sizes, recompute=marked)
        root = ElementTree.fromstring(d.plan(sizes=sizes, recompute=marked, format="svg"))
        said = ["".join(t.itertext()).replace("\u00a0", " ") for t in root.iter(f"{NS}text")]
        peak = re.search(r"^peak memory: (.*), inputs", table, re.M)
        assert peak is not None and f"peak {peak[1]}" in said, name
        rows = [line.split("  ")[0] for line in table.split("\n\n")[0].split("\n")[1:] if "──" not in line]
        assert all(any(t.startswith(f"{r} = ") for t in said) for r in rows)
        ids = [e.get("id") for e in root.iter() if e.get("id")]
        assert len(ids) == len(set(ids)) and sum(1 for i in ids if re.fullmatch(r"a\d+", i or "")) == len(rows)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PLANS["layer"][0]
    assert main(["plan", "-e", text, "--picture", str(tmp_path / "p.svg")]) == 0
    assert "peak memory" in capsys.readouterr().out and (tmp_path / "p.svg").read_text(encoding="utf-8").startswith(
        "<svg"
    )
    assert main(["plan", "-e", text, "--picture", str(tmp_path / "p.tex")]) == 0
    assert r"\begin{tikzpicture}" in (tmp_path / "p.tex").read_text(encoding="utf-8")
    capsys.readouterr()
    for wrong in ("p.dot", "p.png"):
        assert main(["plan", "-e", text, "--picture", str(tmp_path / wrong)]) == 2
        assert "error[P030]" in capsys.readouterr().err
    with pytest.raises(ParseError, match="not written as mermaid"):
        pb.derive(text).plan(format="mermaid")


def test_the_picture_of_the_documentation_is_this_one() -> None:
    """docs/plan_attention.svg, made by the command in docs/plan.md."""
    d = pb.derive(PLANS["attention"][0], wrt=["Q", "K", "V"])
    drawn = d.plan(sizes={"t": 512, "s": 512}, format="svg")
    assert (EXAMPLES.parent / "docs" / "plan_attention.svg").read_text(encoding="utf-8") == drawn


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_in_a_browser(tmp_path: Path) -> None:
    """No text larger than its box, no two things overlap, nothing outside."""
    found = measure(pictures(), tmp_path)
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
    assert all(count >= 8 for count, _ in found.values())
    assert not {name: bad for name, (_, bad) in found.items() if bad}
