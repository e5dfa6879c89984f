"""Programs in different conventions are one program: every relation between them is a checked step."""

from pathlib import Path

import pytest

import pullback as pb
from pullback.show import notation

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

SAME = {
    "scalar block and matrix block": (
        "layer", "layer_index", "W = Wᵀ, b = 0",
        {"z₂ = z", "y₂ = y", "E₂ = E", "∇z₂ = ∇z", "∇W₂ = ∇Wᵀ", "∇a₂ = ∇a", "⟨∇W, dW⟩ = ⟨∇W₂, dWᵀ⟩", "⟨∇a, da⟩ = ⟨∇a₂, da⟩"}),
    "bias folded and bias vector": (
        "layer", "bias_folded", "",
        {"z₂ = z", "∇W₂ = ∇W", "∇b₂ = ∇b", "∇a₂ = ∇a", "⟨∇b, db⟩ = ⟨∇b₂, db⟩"}),
    "columns and rows": (
        "batch_columns", "batch_rows", "A = Aᵀ; W = Wᵀ",
        {"Z₂ = Zᵀ", "Y₂ = Yᵀ", "E₂ = E", "∇Z₂ = ∇Zᵀ", "∇A₂ = ∇Aᵀ", "∇W₂ = ∇Wᵀ", "∇b₂ = ∇b", "⟨∇A, dA⟩ = ⟨∇A₂, dAᵀ⟩"}),
    "a program and itself": ("mlp3", "mlp3", "", {"A3₂ = A3", "∇W1₂ = ∇W1"}),
}  # fmt: skip


def text(name: str) -> str:
    return (EXAMPLES / f"{name}.eqn").read_text(encoding="utf-8")


def lines(c: pb.Comparison) -> set[str]:
    return {f"{notation.text(s.left)} = {notation.text(s.right)}" for s in c.steps}


@pytest.mark.parametrize("name", SAME)
def test_what_is_the_same_is_proved_to_be(name: str) -> None:
    first, second, where, expected = SAME[name]
    c = pb.compare(text(first), text(second), where)
    assert expected <= lines(c)
    for s in c.steps:
        assert s.evidence, s.id
        if s.kind != "relation":
            assert "PROVED-CANON" in {e.level for e in s.evidence}
    paired = {s.about for s in c.steps if s.kind == "pairing"}
    assert paired == {v.attrs[0] for v in c.first.derivation.inputs} - ({"b"} if "b = 0" in where else set()) - {
        "T"
    } or name.startswith("a program")


def test_the_folded_matrix_may_be_an_input() -> None:
    """V is one matrix of numbers; a dummy entry of c is a constant, it has no increment."""
    c = pb.compare(
        "W : (m, n); b : m; a : n; E = loss(f(W a + b))", "V : (m, k); c : k; E = loss(f(V c))", "V = [W b], c = [a; 1]"
    )
    assert {
        "⟨∇W, dW⟩ = ⟨∇V₂, [dW, zeros(m)]⟩",
        "⟨∇b, db⟩ = ⟨∇V₂, [zeros(m, n), db]⟩",
        "⟨∇a, da⟩ = ⟨∇c₂, [da; 0]⟩",
    } <= lines(c)


def test_sizes_of_the_second_program_are_its_own() -> None:
    c = pb.compare("W : (m, n); a : n; z = W a; E = loss(z)", "W : (p, q); a : q; z = W a; E = loss(z)")
    assert "∇W₂ = ∇W" in lines(c)


def test_written_out_or_with_names_is_the_same() -> None:
    c = pb.compare("z = W a + b; y = f(z); E = loss(y)", "E = loss(f(W a + b)); W : (m, n); a : n; b : m")
    assert "E₂ = E" in lines(c) and "⟨∇W, dW⟩ = ⟨∇W₂, dW⟩" in lines(c)


def test_a_given_gradient_is_transposed_with_its_name() -> None:
    c = pb.compare("A : (n, B); W : (m, n); Z = W A; given grad Z as G", "A : (B, n); W : (n, m); Z = A W; given grad Z as G",
                   "A = Aᵀ, W = Wᵀ")  # fmt: skip
    assert {"Z₂ = Zᵀ", "∇W₂ = ∇Wᵀ"} <= lines(c)


@pytest.mark.parametrize(
    ("first", "second", "where", "code"),
    [
        ("z = W a; E = loss(z)", "z = 2 W a; E = loss(z)", "", "C009"),
        ("z = W a; E = loss(z); W : (n, n)", "z = W' a; E = loss(z)", "", "C009"),
        ("z = f(W a); E = loss(z)", "z = g(W a); E = loss(z)", "", "C009"),
        ("W : (m, n); b : m; a : n; z = W a + b; E = loss(z)", "V : (m, k); c : k; z = V c; E = loss(z)", "V = [W b], c = [a; 2]", "C009"),
        ("z = W a; E = loss(z)", "z = W x; E = loss(z)", "", "P003"),
        ("z = W a; E = loss(z)", "z = W a; E = loss(z)", "Q = W", "P003"),
        ("z = W a; E = loss(z)", "z = W a; E = loss(z)", "W", "P002"),
        ("z = W a; E = loss(z)", "z = W a; E = loss(z)", "W = a", "S002"),
        ("W : (m, n); a : n; z = W a; E = loss(z)", "W : (n, n); a : n; z = W a; E = loss(z)", "", "S002"),
        ("z = W a + b; E = loss(z)", "z = W a; E = loss(z)", "b = 1", "P002"),
        ("Y : (m, m); E = loss(Y) + loss(Y)", "Y : (m, m); E = loss(Y) + loss(Y')", "Y = Y'", "C009"),  # one loss is not two
        ("A, B : (m, m); E = loss(A) + loss(B)", "A, B : (m, m); E = loss(A) + loss(B)", "A = A'", "C009"),
    ],
)  # fmt: skip
def test_what_differs_is_refused(first: str, second: str, where: str, code: str) -> None:
    with pytest.raises(pb.PullbackError) as caught:
        pb.compare(first, second, where)
    assert caught.value.code == code


def test_every_format() -> None:
    c = pb.compare(text("batch_columns"), text("batch_rows"), "A = A', W = W'")
    assert c.text(ascii=True).isascii() and "\\begin{document}" in c.latex() and c.markdown().startswith("# ")
    assert c.record["format"] == "pullback-comparison/1" and c.to_json()
    assert max(map(len, c.text().splitlines())) <= 100
