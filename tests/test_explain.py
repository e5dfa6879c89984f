"""`pullback explain`: every op, law and rule has an answer, and the derivation behind it is checked in every reading."""

from __future__ import annotations

import json
import os

import pytest

import pullback as pb
from pullback.algebra.op import REGISTRY
from pullback.calculus.law import LAWS, NOT_LAWS
from pullback.calculus.rules import RULES
from pullback.cli import main
from pullback.explaining import explain

SLOW = os.environ.get("PULLBACK_SLOW")
LINEAR_ALGEBRA = ["inv", "det", "solve", "lyap", "chol", "expm", "pinv"]
LEARNING = ["softmax", "normalize", "cross_entropy", "layernorm", "huber_loss"]


def test_softmax_is_derived_from_its_definition(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "softmax"]) == 0
    told = capsys.readouterr().out
    for part in ("Y = softmax(X)", "DEFINITION", "exp(X)", "dY = softmax(X) ⊙ dX − (softmax(X)ᵀ dX) softmax(X)", "lemma SOFTMAX",
                 "DERIVED FROM THE DEFINITION", "t1 = exp(X)", "D-MAP: exp acts entry by entry", "CHECKS", "FINAL, TESTED-MODP"):  # fmt: skip
        assert part in told, part


def test_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    for format, part in (
        ("latex", r"\begin{document}"),
        ("markdown", "# softmax"),
        ("json", '"format": "pullback-explanation/1"'),
    ):
        assert main(["explain", "softmax", "--format", format]) == 0
        assert part in capsys.readouterr().out
    assert main(["explain", "softmax", "--ascii"]) == 0
    assert capsys.readouterr().out.isascii()


@pytest.mark.parametrize("name", REGISTRY if SLOW else list(REGISTRY)[::8])
def test_every_op_is_explained(name: str) -> None:
    found = explain(name)
    assert found.kind == "op" and REGISTRY[name].doc.replace("$", "")[:3] in found.text().replace("$", "")
    if found.derived is not None:
        assert set(found.derived) and all(s.evidence for s in found.derived.derivation.steps)


@pytest.mark.parametrize("name", REGISTRY if SLOW else [*LINEAR_ALGEBRA, *LEARNING])
def test_every_reading_of_its_derivation_holds(name: str) -> None:
    """The record has the derivation in matrices, with indices, in numbers and in diagrams: each of them is checked."""
    found = explain(name)
    assert json.loads(found.to_json())["name"] == name
    if found.derived is not None:
        for style in ("pairing", "jacobian", "index", "scalar", "diagram"):
            assert found.derived.text(style=style, level=3)


@pytest.mark.parametrize("name", dict.fromkeys(x.name for x in (*LAWS, *NOT_LAWS)))
def test_every_law_is_explained(name: str) -> None:
    found = explain(name)
    text = found.text()
    assert found.kind == "law" and " = " in text
    assert ("It is false" in text) == (name in {x.name for x in NOT_LAWS})


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_explained_and_its_example_uses_it(name: str) -> None:
    rule = RULES[name]
    text = explain(name).text()
    assert "WHAT IT SAYS" in text and "WHY" in text
    if rule.example and rule.style == "pairing":
        d = pb.derive(rule.example)
        assert any(name in s.rules for s in d.derivation.steps) or f'"{name}"' in d.to_json()
    elif rule.example:
        assert name in pb.derive(rule.example).text(style=rule.style, level=3)


def test_every_rule_that_a_derivation_of_the_goldens_names_is_known() -> None:
    from pathlib import Path

    used: set[str] = set()
    for path in (Path(__file__).parent / "golden").glob("*.json"):
        stack = [json.loads(path.read_text(encoding="utf-8"))]
        while stack:
            x = stack.pop()
            if isinstance(x, dict):
                used |= {r for r in x.get("rules", []) if isinstance(r, str)}
                stack += x.values()
            elif isinstance(x, list):
                stack += x
    assert len(used) > 40
    for name in used:
        assert explain(name).sections, name


def test_calls_and_operators_are_names_too() -> None:
    assert explain("@").name == "matmul"
    assert "solve_columns" in explain("solve").text()
    assert explain("swish").name == "silu"


def test_an_error_code() -> None:
    assert "KIND" in explain("P002").text() and "exit code 2" in explain("p002").text()


@pytest.mark.parametrize(
    ("name", "code", "exit_code", "hint"),
    [("softmaks", "P070", 2, "softmax"), ("S-FLOD", "P070", 2, "S-FOLD"), ("qqqqqqq", "P070", 2, "docs/ops.md"), ("fft", "U001", 4, "docs/ops.md"), ("P999", "P070", 2, "")],
)  # fmt: skip
def test_an_unknown_name_is_refused(
    name: str, code: str, exit_code: int, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", name]) == exit_code
    told = capsys.readouterr()
    assert not told.out and f"error[{code}]" in told.err and hint in told.err
