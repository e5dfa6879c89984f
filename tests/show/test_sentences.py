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


# ---- where a name enters, and roles -----------------------------------------------------------------------


def why(source: str, name: str, style: str = "pairing") -> str:
    """What WHY says of one gradient."""
    text = page(source, style).split("WHY THE EQUATIONS LOOK LIKE THIS")[1].split("RESULT")[0]
    return text.split(f" ∇{name} = ", 1)[1].split(" ∇", 1)[0] + text.split(f" ∇{name} = ", 1)[1]


@pytest.mark.parametrize(
    ("source", "name", "sentence"),
    [
        ("y = W x; E = 2 loss(y)", "y", "so E changes by 2 ∇loss(y)_i per unit of y_i"),
        ("g : (n) -> (m); x : n; y = g(x); E = ‖y‖²", "x", "so E changes by Σ_j ∇y_j Dg(x)_ji per unit of x_i"),
        ("x : n; e = exp(x); s = sum(e); p = e / s; E = loss(p)", "s",
         "s enters E only through p_i as e_i s⁻¹, whose slope is −s⁻² e_i; so E changes by −Σ_i ∇p_i s⁻² e_i per unit of s"),
        ("x : n; y = ‖x‖; E = ½ y²", "y", "so E changes by y per unit of y"),
        ("s : scalar; E = tanh(s)", "s", "s enters E only in tanh(s); so E changes by (1 − E²) per unit of s"),
        ("X : n; T : n; E = ½ ‖X - T‖² / n", "X", "so E changes by (1/n) (X_i − T_i) per unit of X_i"),
        ("X : n; Z : n; E = loss(exp(X) ⊙ Z)", "Z", "multiplied by u₁_i; so E changes by"),
    ],
)  # fmt: skip
def test_what_one_entry_does(source: str, name: str, sentence: str) -> None:
    assert sentence in page(source)


def test_a_vector_is_no_number() -> None:
    assert "is a number" not in page("x : n; s : scalar; E = relu(s) ‖x‖")


@pytest.mark.parametrize(
    "source",
    [
        "X : (b, t, i); W : (o, i); Y = ein(\"bti,oi->bto\", X, W); E = loss(Y)",
        "Q : (d, n); K : (d, d); M : (n, n); E = loss((Qᵀ K Q) ⊙ M)",
        "v : n; X : (n, B); E = ‖diag(v) X‖² / B",
        "A : (m, n); B : (n, p); C : (p, q); E = loss(A B C)",
        "x : n; W : (m, n - 1); E = loss(W x[2..n]) + x[1]²",
        LAYER,
    ],
)  # fmt: skip
def test_the_formula_has_the_letters_of_its_table(source: str) -> None:
    for b in pb.derive(source).record["backward"]:
        if b["index"] and b["roles"] and not b["roles"]["left_out"]:
            right, terms = b["index"]["right"]["text"], b["roles"]["terms"]
            assert all(t["product"]["text"].removeprefix("−") in right for t in terms)
            assert any(e["level"] == "PROVED-CANON" for e in b["index"]["evidence"])


def test_the_slope_stays_one_factor() -> None:
    source = "x : (n, B); W : (m, n); Z = W x; A = tanh(Z); E = loss(A)"
    for style in ("pairing", "index"):
        assert "∇Z_kj = ∇A_kj (1 − A_kj²)" in page(source, style) and "term 1" not in page(source, style)
    assert "} ∇A_kj (1 − A_kj²)" in page(source, "index")


def test_why_speaks_of_what_result_shows() -> None:
    text = page("W : (m, n); A : (n, B); T : (m, B); Y = W A; E = ½ ‖Y - T‖² / B")
    assert "∇u" not in text.split("WHY")[1] and " ∇Y = (Y − T) / B ∇Y_ik = (1/B) (Y_ik − T_ik)" in text.replace(
        "ij", "ik"
    )


def test_a_product_of_three_is_a_matrix_product() -> None:
    text = page("W : (m, n); v : m; x : n; y = v ⊙ (W x); E = loss(y)")
    assert "index sum" not in text and "⇒ multiplied entry by entry and summed: matrix product" in text


def test_a_transpose_is_claimed_of_the_factor_that_has_it() -> None:
    text = page("Q : (d, n); K : (d, d); E = loss(Qᵀ K Q)").split("∇Q = ")[1].split("∇K = ")[0]
    assert "Q is summed over its first axis, which is written" not in text


def test_transposed_products_are_written_out() -> None:
    assert str(pb.derive("A : (m, k); B : (k, n); x : m; E = loss((A B)ᵀ x)")["x"]) == "A B ∇loss(Bᵀ Aᵀ x)"
    assert str(pb.derive("X : (m, p); s : scalar; E = s sum(Xᵀ 1_m)")["s"]) == "sum(X)"
    assert "1_" not in str(pb.derive("X : (b, t, o); E = mean(tanh(X))")["X"])


# ---- blocks -----------------------------------------------------------------------------------------------

FOLDED = "W : (m, n); b : m; a : n; V = [W b]; c = [a; 1]; z = V c; y = f(z); E = loss(y)"


def test_blocks_have_their_own_sentences() -> None:
    for style in ("pairing", "index"):
        text = page(FOLDED, style)
        assert "E_(" not in text and "once for every k" not in text.split("∇a = ")[-1].split("RESULT")[0]
        assert "a goes into the block c[1..n]: a_j enters E only through c[1..n]_j" in text
    assert "what is constant has the increment 0 } [da; 0]" in page(FOLDED)
    assert "I-LIFT: the entries of a block: a slice" in page(FOLDED, "index")


def test_a_unit_vector_is_explained() -> None:
    text = page("x : n; E = exp(x[1]) sum(x)")
    assert "e_(n, 0) is the vector of size n with 1 at entry 1 and 0 elsewhere." in text
    assert "of x only the block x[1] enters here" in text


# ---- index style ------------------------------------------------------------------------------------------


def test_the_index_style_has_the_letters_of_the_program() -> None:
    text = page("W : (n, m); a : n; z_j = sum_i W_ij a_i; y_j = f(z_j); E = loss(y)", "index")
    assert "∂z_j/∂a_i" in text and "∇W_ij" in text and "∇a_i" in text
    assert "every entry of E" not in text and "E is the target" in text


def test_the_lift_says_its_own_moves() -> None:
    text = page("X : n; E = loss(tanh(X))", "index")
    assert "I-LIFT: two vectors share their index: ⊙" in text and "SUM" not in text
    assert "a matrix product, and as it is the first axis, a transpose" in page(LAYER, "index")


def test_contributions_are_added_and_compared() -> None:
    d = pb.derive("x : n; W : (n, n); y = W x + x; E = ‖y - x‖²")
    d.text(style="index")
    [step] = [s for s in d.derivation.index_steps if s.kind == "collect" and s.about == "x"]
    assert step.claim.left is not step.claim.right and not step.claim.where
    assert any(e.level == "PROVED-CANON" for e in step.evidence)


def test_no_plus_minus_and_no_bare_one() -> None:
    text = page("x : n; mu = mean(x); b : scalar; E = ‖x - mu‖² / b", "index")
    assert "+ −" not in text and "⁻¹ 1" not in text


def test_the_index_page_counts_the_steps_it_shows() -> None:
    d = pb.derive(LAYER)
    steps = d.record["index_steps"]
    assert f"all {len(steps)} steps" in d.text(style="index", level=2)


def test_the_bound_is_the_largest() -> None:
    record = pb.derive(LAYER).record
    bounds = [float(e["data"]["bound"]) for s in record["steps"] for e in s["evidence"] if "bound" in e["data"]]
    [shown] = [c for c in record["checks"] if c["level"] == "TESTED-MODP"]
    assert float(shown["data"]["bound"]) == max(bounds) and shown["data"]["bound"] in shown["detail"]


# ---- typesetting ------------------------------------------------------------------------------------------


def test_sentences_in_latex() -> None:
    from pullback.show.prose import prose_latex

    names = frozenset({"b", "W"})
    assert prose_latex("the user's program") == "the user's program"
    assert prose_latex("below 1e-30") == "below $10^{-30}$"
    assert prose_latex("b 1_Bᵀ", names) == r"$b \mathbf{1}_{B}^{\top }$"
    assert "mathit" not in prose_latex("Σ_j δ_jq T_j = T_q") and r"\sum_{j}" in prose_latex("Σ_j δ_jq T_j")
    assert "}^{" not in prose_latex("d(tᵉ) = e tᵉ⁻¹ dt").replace("t^{", "")


def test_sizes_are_typeset_like_names() -> None:
    assert r"(n_{1}, B)" in latex("W : (n1, n0); X : (n0, B); Z = W X; E = loss(Z)")


def test_small_sizes_differ() -> None:
    sizes = pb.derive('Q : (b, h, t, d); K : (b, h, s, d); S = ein("bhtd,bhsd->bhts", Q, K); E = loss(S)').record[
        "header"
    ]["sizes"]
    assert len(set(sizes.values())) == len(sizes)
