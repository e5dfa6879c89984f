"""docs/answer.md is what the program says today, and answers every point of the question."""

import re
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import answer

from pullback import derive

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def made() -> str:
    return answer.page()


def test_the_page_is_made_from_the_program(made: str) -> None:
    assert (ROOT / "docs/answer.md").read_text(encoding="utf-8") == made


@pytest.mark.parametrize(
    ("name", "picture"),
    [("answer_layer.svg", {"sizes": {"m": 2, "n": 3}}), ("answer_diagrams.svg", {"what": "diagrams"})],
)
def test_its_pictures_are_those_of_the_program(name: str, picture: dict) -> None:
    layer = derive((ROOT / "examples/layer.eqn").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == layer.draw(**picture)


def test_every_point_of_the_question_has_its_section(made: str) -> None:
    for k in range(1, 12):
        [title] = re.findall(rf"^## ({k}\. .*)$", made, re.M)
        assert f"| {k} | " in made and f"[section {k}](#{answer.slug(title)})" in made


def test_every_equation_of_the_page_is_a_derived_one(made: str) -> None:
    """What stands outside of the blocks that were cut out of derivations holds no equation of ours."""
    outside = re.sub(r"```.*?```", "", made, flags=re.S)
    assert not re.search(r"∇\w+ = (?!\()", outside), "an equation that no record holds"


def test_the_frameworks_gave_our_numbers() -> None:
    import json

    found = json.loads(answer.NUMBERS.read_text(encoding="utf-8"))
    assert set(found) == set(answer.FRAMEWORKS)
    for said in found.values():
        assert said["tape"] == said["hand"] == answer.ours()


def test_the_page_as_html(made: str) -> None:
    pytest.importorskip("markdown_it")
    page = answer.html(made)
    assert page.count("<svg") == 2 and "<table>" in page and "src=" not in page
    links, places = set(re.findall(r'href="#([^"]+)"', page)), set(re.findall(r'<h2 id="([^"]+)"', page))
    assert len(links) == 11 and links <= places
