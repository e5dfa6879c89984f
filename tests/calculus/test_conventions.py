"""A matrix that occurs only transposed: the program with its transpose, equation by equation."""

from pathlib import Path

import pytest

import pullback as pb
from pullback.show import notation

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def axes(d: pb.Derived) -> dict[str, str]:
    return {notation.text(s.left): notation.text(s.right) for s in d.steps if s.kind == "axes"}


def test_the_scalar_block_is_the_matrix_block() -> None:
    """layer_index.eqn with V := Wᵀ has the equations of layer.eqn, letter for letter."""
    d = pb.derive((EXAMPLES / "layer_index.eqn").read_text(encoding="utf-8"))
    assert axes(d) == {"V": "Wᵀ", "z": "V a", "∇a": "Vᵀ ∇z", "∇V": "∇z aᵀ"}
    matrix = pb.derive("V : (m, n); a : n; z = V a; y = f(z); E = loss(y)")
    assert {"V": str(matrix["V"]), "a": str(matrix["a"])} == {"V": axes(d)["∇V"], "a": axes(d)["∇a"]}
    for s in d.steps:
        if s.kind == "axes" and s.relation == "=":
            assert {e.level for e in s.evidence} == {"PROVED-CANON", "TESTED-MODP"}


def test_the_new_letter_is_new() -> None:
    d = pb.derive("V : (k, m); W : (n, m); z = W' a; q = V z; E = loss(q)")
    assert axes(d)["U"] == "Wᵀ"
    assert "THE OTHER CONVENTION: U := Wᵀ" in d.text()


@pytest.mark.parametrize("text", ["z = W a; E = loss(z)", "W : (n, n); z = W' a + W a; E = loss(z)", "E = sum(x)"])
def test_other_matrices_are_left_alone(text: str) -> None:
    assert axes(pb.derive(text)) == {}


def test_a_matrix_that_is_used_twice() -> None:
    d = pb.derive("W : (n, m); z = W' a; q = W' x; E = loss(z) + cost(q)")
    assert axes(d)["∇V"] == "∇q xᵀ + ∇z aᵀ"


def test_it_stands_in_the_record_and_on_every_page() -> None:
    d = pb.derive((EXAMPLES / "layer_index.eqn").read_text(encoding="utf-8"))
    [found] = d.record["axes"]
    assert [r["instead"]["text"] for r in found["rows"]] == ["z = V a", "∇a = Vᵀ ∇z", "∇V = ∇z aᵀ"]
    for style in ("pairing", "index"):
        for page in (d.text(style), d.latex(style), d.markdown(style)):
            assert "THE OTHER CONVENTION" in page
