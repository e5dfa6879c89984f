"""Every picture in a real browser: no text larger than its box, no two things overlap, nothing outside."""

from pathlib import Path

import pytest
from _browser import CHROMIUM, measure
from _pictures import ALL, NETWORKS, SIZED

import pullback as pb
from pullback.show.draw.scene import Box, Scene, Text
from pullback.show.draw.svg import svg
from pullback.show.draw.words import plain

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


def test_pictures_by_bounding_boxes(tmp_path: Path) -> None:
    pictures = {}
    for name, text in NETWORKS.items():
        d = pb.derive(text)
        pictures[f"{name} network"] = d.draw("network")
        if name in ALL:
            pictures[f"{name} diagrams"] = d.draw("diagrams")
        if name in SIZED:
            pictures[f"{name} neurons"] = d.draw(sizes=SIZED[name])
    found = measure(pictures, tmp_path)
    assert set(found) == set(pictures)
    assert all(count >= 3 for count, _ in found.values())
    assert not {name: bad for name, (_, bad) in found.items() if bad}


def test_the_measure_sees_what_is_wrong(tmp_path: Path) -> None:
    """The tester is tested: a text in too small a box, two boxes on each other, a label on a box."""
    narrow = Scene("t", "d", [Box("a", 0, 0, 20, 30), Text(10, 15, plain("much too wide"), inside="a")])
    crossed = Scene("t", "d", [Box("a", 0, 0, 40, 30), Box("b", 30, 10, 40, 30)])
    label = Scene("t", "d", [Box("a", 0, 0, 40, 30), Text(44, 15, plain("label"), anchor="middle")])
    good = Scene("t", "d", [Box("a", 0, 0, 90, 30), Text(45, 15, plain("short"), inside="a")])
    found = measure(
        {n: svg(s) for n, s in {"narrow": narrow, "crossed": crossed, "label": label, "good": good}.items()}, tmp_path
    )
    assert "larger than its box" in found["narrow"][1][0]
    assert "overlaps" in found["crossed"][1][0] and "overlaps" in found["label"][1][0]
    assert found["good"] == (2, [])
