"""Which statements are claims, and what is refused."""

import pytest

from pullback.algebra.canonical import equal
from pullback.errors import ParseError, PullbackError, ShapeError
from pullback.language.claims import parse_claims
from pullback.show import notation


def claims(text: str) -> list[str]:
    return [c.surface for c in parse_claims(text).claims]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A B = B A", ["A B = B A"]),
        ("z = W a; prove z = W a", ["z = W a"]),
        ("prove z = W a; y = f(z)", ["z = W a"]),
        ("A : (n, n); A = Aᵀ", ["A = Aᵀ"]),  # A is no new name
        ("z = W a; z = W a", ["z = W a"]),  # the second time it is none either
        ("x = x", ["x = x"]),
        ("c = x − mean(x); sum(c) = 0", ["sum(c) = 0"]),
        ("z_j = sum_i W_ij a_i; sum_i W_ij a_i = z_j", ["sum_i W_ij a_i = z_j"]),
        ("W : (m, n)\n# a comment\nprove W = W\nprove W + W = 2 W", ["W = W", "W + W = 2 W"]),
        ("prove (A B)ᵀ = Bᵀ Aᵀ", ["(A B)ᵀ = Bᵀ Aᵀ"]),
        ("prove ‖x‖² = xᵀ x", ["‖x‖² = xᵀ x"]),
        ("prove = 2 x; prove prove = prove", ["prove = prove"]),  # also a name
        ("x : scalar; prove sum_{t=1..T} x = x", ["sum_{t=1..T} x = x"]),
        ("assume ⟨x, y⟩ = 1; prove ⟨y, x⟩ = 1", ["⟨y, x⟩ = 1"]),
        ("x : scalar; assume -x < 0; prove x = x", ["x = x"]),
        ("f : scalar function; s, t : scalar; assume ∂1_f(s, t) = 1; s + t = t + s", ["s + t = t + s"]),
        ("p[t] : scalar; assume sum_{t=1..T} p[t] = 1; x = x", ["x = x"]),
        ("given + x = x + given", ["given + x = x + given"]),
        ("X : (m, n); X[:, 1] + b = b + X[:, 1]", ["X[:, 1] + b = b + X[:, 1]"]),
    ],
)
def test_what_is_a_claim(text: str, found: list[str]) -> None:
    assert claims(text) == found


def test_sizes_of_both_sides_are_made_equal() -> None:
    found = parse_claims("A B = C")
    [c] = found.claims
    assert c.left.shape == c.right.shape
    assert any("C : (m, p)" in line or "C : (m, n)" in line for line in found.program.assumptions)


def test_zero_is_the_zero_of_any_shape() -> None:
    [c] = parse_claims("X : (m, n); X − X = 0").claims
    assert c.right.shape == c.left.shape and notation.text(c.right) == "0"


def test_free_indices_are_those_of_both_sides() -> None:
    [c] = parse_claims("sum_k A_ik B_kj = sum_k B_kj A_ik").claims
    assert c.indices == ("i", "j")
    [c] = parse_claims("x_1 : n; x_1 = x_1").claims
    assert c.indices is None, "a declared name with _ is a name"


def test_definitions_and_assumptions_are_read() -> None:
    found = parse_claims("p : n; assume sum(p) = 1; assume p > 0; q = 2 p; prove sum(q) = 2")
    assert [e.name for e in found.program.equations] == ["q"]
    assert len(found.program.facts) == 1
    [(_, op, _)] = found.relations
    assert op == ">"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("y = W x", "P016", "nothing to prove"),
        ("A B", "P016", "not a claim"),
        ("prove A B", "P016", "without ="),
        ("prove A =", "P016", "the right side"),
        ("A : (n, n); prove A = A = A", "P016", "one ="),
        ("sum_i a_i = b_j", "P015", "only on the right side"),
        ("sum_i W_ij a_i = sum_i a_i", "P015", "only on the left side"),
        ("", "P010", "nothing to read"),
        ("prove W[k] = W[k", "P011", "never closed"),
        ("prove A ~ B", "P001", "unexpected character"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, code: str, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_claims(text)
    assert caught.value.code == code and words in caught.value.render()


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("A : (m, n); B : (m, n); A B = B A", "S007", "A is (m, n)"),
        ("A : (m, n); A = Aᵀ", "S007", "assume m = n"),
        ("A : (m, n); x : n; A x = x", "S007", "the right side is (n)"),
        ("A : (m, n); A = 1", "S002", "the right side is scalar"),
        ("x : n; A : (n, n); xᵀ A = A x", "S002", "a row is not a column"),
    ],
)
def test_shapes_that_do_not_fit_get_the_usual_message(text: str, code: str, words: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse_claims(text)
    error = caught.value
    assert error.code == code and error.span is not None and words in error.render()


@pytest.mark.parametrize("text", ["(((", "prove", "prove prove", "= =", "prove = ", "a_i = ", "assume", "assume x", "1 = 1", "prove 1 = 2",
                                  "∇z = z", "given grad y as g; y = y", "x : n; prove x_i = x_j", "sum_i = sum_i", "W : (n, n); W_ii = W_ii",
                                  "prove x = x for k = 1..L", "[a = b", "prove ‖x‖ = ‖", "A:(n,n); A.^-1 = A"])  # fmt: skip
def test_odd_texts_are_answered_or_refused(text: str) -> None:
    try:
        parse_claims(text)
    except PullbackError as error:
        assert error.message and error.exit_code in (2, 3, 4)


@pytest.mark.parametrize("text", ["prove A * B = B * A", "prove A * B x = A (B x)", "x * y = y * x"])
def test_a_star_that_can_be_meant_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse_claims(text)
    assert caught.value.code == "S005"


@pytest.mark.parametrize(
    "text",
    ["prove (A * B)' = B' * A'", "A : (m, n); B : (n, p); (A * B)' = B'*A'", "dialect: matlab; prove A * B = B * A"],
)
def test_the_dialect_of_a_claim_is_recognised(text: str) -> None:
    assert parse_claims(text).program.dialect == "matlab"


def test_a_claim_is_read_as_an_equation_is() -> None:
    [c] = parse_claims("x : n; prove sum(1/n x) = sum(x) / n").claims
    assert equal(c.left, c.right)
    [c] = parse_claims("A I = A").claims
    assert equal(c.left, c.right)


@pytest.mark.parametrize("text", ["y = W x + c; E2 = 2 c; prove y − c = W x", "prove W x + c = c + W x"])
def test_claims_about_a_name_that_turns_out_to_be_a_vector_are_kept(text: str) -> None:
    found = parse_claims(text)
    assert len(found.claims) == 1
    assert any(line.startswith("c : (m)") for line in found.program.assumptions)
