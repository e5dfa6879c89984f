"""The sentences of a page are true of the program at hand, and answer the sceptic of theory.md §14."""

from functools import cache

import pytest

import pullback as pb

LAYER = "z = W a + b; y = f(z); E = loss(y)"


@cache
def page(source: str, style: str = "pairing", level: int = 3) -> str:
    """The page as one line of words: sentences are looked for, not line breaks."""
    return " ".join(pb.derive(source).text(style=style, level=level).split())


@cache
def latex(source: str, style: str = "pairing") -> str:
    return pb.derive(source).latex(style=style, level=3)


# ---- theory.md §14: what the level-3 page of a layer must answer ------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        "what is left is o(‖increments‖)",  # a differential is a linear map, and the remainder is small
        "(W + dW) (a + da) = W a + dW a + W da + dW da, and ‖dW da‖ ≤ ‖dW‖ ‖da‖",  # displayed once for W a
        "f(t + dt) = f(t) + f′(t) dt + o(|dt|)",  # and once for f
        "the chain rule: what is linear in a differential",
        "tr(A B) = Σ_ij A_ij B_ji = Σ_ji B_ji A_ij = tr(B A)",
        "which is written Mᵀ g: that is all a transpose is",
        "dE = ⟨∇z aᵀ, dW⟩ + ⟨Wᵀ ∇z, da⟩ + ⟨∇z, db⟩ ⇒ { INDEP, RIESZ: for every dW, the others 0",
        "each may be varied by itself",
        "with V := Wᵀ, axes (from, to), the product reads Vᵀ a, and ∇V = (∇W)ᵀ",
        "∂z/∂W, with m · m · n entries, is never formed",
        "FINAL does not look at the derivation",
    ],
)
def test_an_objection_is_answered(answer: str) -> None:
    assert page(LAYER).count(answer) == 1


def test_increments_are_set_to_zero_only_beside_others() -> None:
    text = page(LAYER)
    assert text.count("the others 0") == 3 and "RIESZ: true for every increment dz" in text


# ---- differentials ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expansion"),
    [
        ("z = Wᵀ a; E = loss(z)", "(Wᵀ + dWᵀ) (a + da) = Wᵀ a + dWᵀ a + Wᵀ da + dWᵀ da, and ‖dWᵀ da‖ ≤ ‖dWᵀ‖ ‖da‖"),
        ("x : n; W : (m, n - 1); E = loss(W x[2..n])", "(W + dW) (x[2..n] + dx[2..n])"),
        ("X : (b, t); y : (b); E = loss(ein(\"bt,b->b\", X, y))", "≤ const · ‖dX‖ ‖dy‖"),
        ("x : n; y : n; E = loss(exp(x) ⊙ y)", "(u₁ + du₁) ⊙ (y + dy)"),
        ("A : (n, n); x : n; y : n; E = loss(A (x - y))", "(here Q = x − y"),
    ],
)  # fmt: skip
def test_the_first_product_is_multiplied_out(source: str, expansion: str) -> None:
    assert expansion in page(source)


def test_the_remainder_is_shown_once() -> None:
    assert page("h = V x; y = W h; E = loss(y)").count("is o(‖increments‖) and so no part") == 1


def test_a_function_changes_linearly_up_to_a_remainder() -> None:
    assert "the linear part of the change of loss" in page(LAYER)
    assert "its change is linear" not in page(LAYER)


def test_numbers_are_not_summed_over_entries() -> None:
    assert "entries" not in page("a : scalar; b : scalar; E = a b").split("DERIVATION")[1].split("WHY")[0]


# ---- conditions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "conditions"),
    [
        ("x : n; E = ‖x‖² / n", []),
        ("x : n; E = ‖x‖² / (2 n)", []),
        ("x : n; b : scalar; E = ‖x‖² / (b + 1)", ["b + 1 ≠ 0"]),
        ("b : scalar; E = log(b)", ["b is positive"]),
        ("x : n; E = sum(log(x))", ["every entry of x is positive"]),
        ("y : m; x : n; L : (m), (n) -> scalar; E = L(y, x)", ["L is differentiable at (y, x), in all arguments jointly"]),
    ],
)  # fmt: skip
def test_conditions(source: str, conditions: list[str]) -> None:
    assert [c["text"] for s in pb.derive(source).record["steps"] for c in s["conditions"]] == conditions


# ---- conventions ------------------------------------------------------------------------------------------


def test_the_two_axis_orders_name_each_other() -> None:
    assert "in Xᵀ t, X is summed over its first axis" in page("X : (N, d); t : N; w = Xᵀ t; E = loss(w)")
    rows = page("A : (B, n); W : (n, m); b : m; Z = A W + b; E = loss(Z)")
    assert "the cases are rows" in rows and "with V := Wᵀ and C := Aᵀ it reads V C, and ∇V = (∇W)ᵀ, ∇C = (∇A)ᵀ" in rows
    assert "the cases are columns" in page("A : (n, B); W : (m, n); b : m; Z = W A + b; E = loss(Z)")
    assert "V-ROWS" not in str(pb.derive("Q : (d, n); K : (d, d); E = loss(Qᵀ K Q)").record["steps"])


def test_a_matrix_that_is_no_name_has_no_axis_note() -> None:
    assert "CONVENTIONS" not in page("x : n; y : n; E = loss(diag(x) y)")


@pytest.mark.parametrize("source", ["X : (n, B); E = loss(sum(X, axis=1))", "X : (n, B); E = loss(mean(X, axis=0))"])
def test_a_named_axis_repeats_nothing(source: str) -> None:
    assert "repeated" not in page(source) and "axes counted from 0" in page(source)


def test_level_one_says_no_formula_twice() -> None:
    assert "⟨∇loss(y), dy⟩ = ⟨∇loss(y), dy⟩" not in page(LAYER, level=1)
    assert "\n       =\n" not in pb.derive(LAYER).text(style="index", level=1)
