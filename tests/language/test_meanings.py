"""What a text means where notation leaves room: each reading is the one of mathematics, or is refused."""

import pytest

import pullback as pb
from pullback.algebra.canonical import equal
from pullback.algebra.expr import postorder
from pullback.errors import PullbackError
from pullback.language.text import parse_program
from pullback.show import notation


def value(text: str, name: str = "E"):
    found = parse_program(text).equation(name)
    assert found is not None
    return found.rhs


SAME = [
    ("E = 1/2 ||x||^2", "E = ½ ||x||^2"),
    ("E = 1/2 x' A x", "E = ½ x' A x"),
    ("E = 1/2 (x-y)'(x-y)", "E = ½ ((x-y)'(x-y))"),
    ("E = 1/2 sum_i x_i^2", "E = ½ (sum_i x_i^2)"),
    ("E = 3/4 ‖w‖²", "E = ¾ ‖w‖²"),
    ("E = 1/2/3 x'x", "E = (1/6) x'x"),
    ("E = -1/2 x'x", "E = -½ x'x"),
    ("E = x'x/-2 λ", "E = -(½ (λ x'x))"),
    ("E = λ/2 ‖w‖²", "E = (λ/2) ‖w‖²"),
    ("E = 2 λ/4 ‖w‖²", "E = ½ λ ‖w‖²"),
    ("x : n; E = 1/n x'x", "x : n; E = (1/n) x'x"),
    ("X : (n, k); E = 1/(2n) ||X w - y||^2", "X : (n, k); E = (1/(2 n)) ||X w - y||^2"),
    ("x : n; E = 1/sqrt(n) sum(x)", "x : n; E = sum(x)/sqrt(n)"),
    ("x : n; E = 1/(n - 1) x'x", "x : n; E = (1/(n - 1)) (x'x)"),
    ("E = sum(a ⊙ 1/2 x)", "E = sum(a ⊙ (½ x))"),
]


@pytest.mark.parametrize(("text", "meant"), SAME)
def test_a_number_below_the_bar_makes_a_coefficient(text: str, meant: str) -> None:
    assert equal(value(text), value(meant))


@pytest.mark.parametrize("name", ["m"])
def test_a_coefficient_in_an_index_equation(name: str) -> None:
    text = "X : (n, k); m_i = {} sum_j X_ij; E = loss(m)"
    assert equal(value(text.format("1/n"), name), value(text.format("(1/n)"), name))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("E = sum_i a_i/b_i c_i", "(a_i/b_i) c_i or a_i/(b_i c_i)"),
        ("a, b, c : scalar; E = a/b c", "(a/b) c or a/(b c)"),
        ("E = 1/‖x‖ x'y", "(1/‖x‖) x'y or 1/(‖x‖ x'y)"),
        ("a, b, c : scalar; E = a/b/2 c", ""),
        ("E = sum(a ⊙ b / 2 x)", ""),
    ],
)
def test_any_other_quotient_before_a_product_is_refused(text: str, hint: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_program(text)
    assert caught.value.code == "P018"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["A, B : (n, n); E = tr(A * B)", "E = sum(A * B)", "A, B : (n, n); C = A*B; E = loss(C)"],
)
def test_a_star_that_could_be_either_product_is_refused(text: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_program(text)
    assert caught.value.code == "S005"


def test_a_product_with_one_reading_decides_for_the_others() -> None:
    assert parse_program("x : n; A, B : (n, n); E = sum(A*x) + tr(A*B)").dialect == "matlab"


@pytest.mark.parametrize(
    "text", ["E = tr(A*B.*C)", "E = tr(A*B'*C)", "A, B : (n, n); E = norm2(A*B)", "E = tr(A*(B+eye))"]
)
def test_a_mark_of_the_dialect_decides(text: str) -> None:
    assert parse_program(text).dialect == "matlab"


KINDS = [
    ("x : complex; E = x'x", "U002", "x_re"),
    ("x : vector; E = x'x", "P002", "x : n"),
    ("s : real; E = s", "P002", "s : scalar"),
    ("x : float; E = x'x", "P002", "scalar"),
    ("A : matrix; E = tr(A)", "P002", "A : (m, n)"),
    ("f : function; E = sum(f(x))", "P002", "f : entrywise"),
    ("t : const; E = x't", "P002", "where const"),
    ("f : vector -> scalar; E = f(x)", "P002", "f : n"),
]


@pytest.mark.parametrize(("text", "code", "word"), KINDS)
def test_a_word_for_a_kind_is_no_size(text: str, code: str, word: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_program(text)
    assert caught.value.code == code
    assert word in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "same"), [("pointwise", "entrywise"), ("R -> R", "entrywise"), ("functional", "scalar function")]
)
def test_other_words_for_kinds_of_functions(kind: str, same: str) -> None:
    text = "f : {}; E = sum(f(x))"
    assert parse_program(text.format(kind)).functions == parse_program(text.format(same)).functions


def test_a_bare_i_is_the_identity_and_this_is_said() -> None:
    text = "X : (p, n); E = ‖X' X − {}‖²"
    assert parse_program(text.format("I")).equations[0].rhs is parse_program(text.format("I_n")).equations[0].rhs
    assert "I is the identity matrix I_n" in parse_program(text.format("I")).assumptions
    assert [v.attrs[0] for v in parse_program("E = xᵀ I x").inputs] == ["x"]


@pytest.mark.parametrize("text", ["I : (n, n); E = xᵀ I x", "I = A A; E = xᵀ I x", "E = xᵀ I(x)"])
def test_an_i_that_the_text_declares_defines_or_calls_is_its_own(text: str) -> None:
    assert "I is the identity" not in " ".join(parse_program(text).assumptions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s, t : scalar; E = s log t", "log(t)"),
        ("E = sum(tanh z)", "tanh(z)"),
        ("z_i = log x_i; E = sum(z)", "log(x_i)"),
    ],
)
def test_a_function_without_brackets_is_refused(text: str, expected: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_program(text)
    assert (caught.value.code, caught.value.expected) == ("P002", expected)


def test_a_known_name_that_is_declared_is_a_variable() -> None:
    assert [v.attrs[0] for v in parse_program("log : n; E = log' log").inputs] == ["log"]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("E = loss(a - b - c)", 1),
        ("z = W a + c; E = loss(z)", 1),
        ("E = c ‖x‖²", 0),
        ("E = loss(c x)", 0),
        ("E = loss(c x - c)", 0),
        ("x : n; s : scalar; E = loss(x + λ)", None),
    ],
)
def test_an_undeclared_c_is_what_stands_beside_it(text: str, order: int | None) -> None:
    p = parse_program(text)
    if order is None:
        assert p.variable("λ").order == 0
    else:
        assert p.variable("c").order == order


def test_one_function_of_vectors_of_two_sizes() -> None:
    d = pb.derive("E = loss(W x) + loss(V x)")
    assert str(d["x"]) in ("Vᵀ ∇loss(V x) + Wᵀ ∇loss(W x)", "Wᵀ ∇loss(W x) + Vᵀ ∇loss(V x)")
    assert "loss is a scalar function of W x and of V x (a function that is not declared)" in d.program.assumptions


@pytest.mark.parametrize(
    ("text", "under"), [("E = loss(x) + loss(x, y)", "loss(x, y)"), ("E = sum(f(x, y) + f(x))", "f(x)")]
)
def test_a_function_has_one_number_of_arguments(text: str, under: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_program(text)
    assert caught.value.code == "S001"
    span = caught.value.span
    assert span.text[span.column - 1 : span.column - 1 + span.length] == under


@pytest.mark.parametrize("text", ["assume A = A'; E = x' A x", "x : n; assume x ⊙ x = x; E = sum(x)"])
def test_an_assumption_between_tensors_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises(PullbackError) as caught:
        pb.derive(text)
    assert caught.value.code == "U011"
    assert caught.value.span is not None


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("E = ‖x‖₂²", "E = ‖x‖²"),
        ("E = ||x||_2^2", "E = ‖x‖²"),
        ("E = ||x||_{2}", "E = ‖x‖"),
        ("E = ‖A‖_F²", "E = ‖A‖²"),
        ("E = λ ‖A‖_F ‖x‖₂", "E = λ ‖A‖ ‖x‖"),
        ("E = loss(‖x‖₂)", "E = loss(‖x‖)"),
    ],
)
def test_a_norm_may_have_a_subscript(text: str, same: str) -> None:
    assert equal(value(text), value(same))


@pytest.mark.parametrize(
    ("text", "hint"), [("E = ‖x‖₁", "signs"), ("E = ||x||_1", "signs"), ("E = ‖A‖₂", "‖A‖_F"), ("E = ‖x‖_∞", "")]
)
def test_another_norm_is_refused(text: str, hint: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_program(text)
    assert caught.value.code == "U001"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "E = loss(W a,\n         b)",
        "z = W a +\n    b; E = loss(z, b)",
        "E = loss(W  # the weights\n\n  # nothing here\n  a, b)",
        "z =\n W a\nE = loss(z,\r\nb)",
        "V = [W,\n b]\nE = sum(V)",
        "E = sum(W,\n axis=0)' a + b' b",
    ],
)
def test_a_statement_goes_on_while_a_bracket_is_open_or_an_operator_waits(text: str) -> None:
    joined = (
        " ".join(line.partition("#")[0].rstrip("\r") for line in text.split("\n"))
        .replace("W a E", "W a; E")
        .replace("] E", "]; E")
    )
    assert [q.rhs for q in parse_program(text).equations] == [q.rhs for q in parse_program(joined).equations]


@pytest.mark.parametrize(
    ("text", "code", "line", "under"),
    [
        ("E = loss(W a,\n   b ~ c)", "P001", 2, "~"),
        ("E = loss(W a +\n   b\n  + )", "P002", 3, ")"),
        ("E = sum(x\ny = 2", "P011", 1, "("),
        ("z = W +\ny = f(z)", "P002", 1, ""),
        ("x, y : n; E = loss(y,\n    x y)", "S003", 2, "x y"),
    ],
)
def test_a_mistake_is_shown_on_its_own_line(text: str, code: str, line: int, under: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_program(text)
    span = caught.value.span
    assert (caught.value.code, span.line) == (code, line)
    if under:
        assert text.split("\n")[line - 1][span.column - 1 :].startswith(under)


ONES = [
    ("Z = W A + b 1ᵀ; E = loss(Z)", "W : (m, n); A : (n, p); Z = W A + b 1_pᵀ; E = loss(Z)"),
    (
        "W : (m, n); A : (n, B); b : m; Z = W A + b 1'; E = loss(Z)",
        "W : (m, n); A : (n, B); Z = W A + b 1_Bᵀ; E = loss(Z)",
    ),
    ("Z = A W + 1 bᵀ; E = loss(Z)", "A : (m, n); W : (n, p); Z = A W + 1_m bᵀ; E = loss(Z)"),
    ("A : (m, n); E = 1' A 1", "A : (m, n); E = 1_m' A 1_n"),
    ("A : (m, n); y = A 1; E = loss(y)", "A : (m, n); y = A 1_n; E = loss(y)"),
    ("E = loss(x + λ 1)", "x : m; E = loss(x + λ 1_m)"),
    ("E = 1 xᵀ y", "E = xᵀ y"),
    ("A : (m, n); E = loss(1 Aᵀ)", "A : (m, n); E = loss(Aᵀ)"),
    ("E = 2 1 x'x", "E = 2 x'x"),
]


@pytest.mark.parametrize(("text", "same"), ONES)
def test_a_one_where_only_a_vector_fits_is_a_column_of_ones(text: str, same: str) -> None:
    p, q = parse_program(text), parse_program(same)
    assert all(equal(a.rhs, b.rhs) for a, b in zip(p.equations, q.equations, strict=True))
    said = any("column of ones" in line for line in p.assumptions)
    assert said == any(s in same for s in ("1_p", "1_B", "1_m", "1_n"))


def test_a_pattern_says_how_many_axes_a_name_has() -> None:
    p = parse_program('Y = ein("abc,cd->abd", T, W); E = sum(Y)')
    assert [len(v.shape) for v in p.inputs] == [3, 2]
    assert "T : (m, n, p)  (3 axes, because a pattern names 3 axes of it" in p.assumptions[0]
    assert len(parse_program('E = sum(ein("i j -> j i", x) + W)').inputs[0].shape) == 2


def test_a_vector_beside_a_matrix_with_one_unknown_size() -> None:
    p = parse_program("A : (n, B); b : m; Z = W A + b; E = loss(Z)")
    W = p.variable("W")
    assert W is not None
    assert list(map(str, W.shape)) == ["m", "n"]
    p = parse_program("X : (B, n); b : m; Z = X W + b; E = loss(Z)")
    assert list(map(str, p.variable("W").shape)) == ["n", "m"]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("assume a = b; assume b = c; x : a; y : c; E = x'y", "a"),
        ("assume m = a*b; x : m; y : a*b; E = x'y", "a*b"),
        ("x : a; y : d; assume a = b; assume c = b; assume d = c; E = x'y", "d"),
    ],
)
def test_sizes_may_be_tied_by_several_assumptions(text: str, shape: str) -> None:
    p = parse_program(text)
    assert {str(v.shape[0]) for v in p.inputs} == {shape}
    assert not any("assumed" in line for line in p.assumptions)


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("norm : scalar function; x : n; E = norm(x)^2", "power"),
        ("norm : scalar function; x : n; E = ‖x‖", "norm"),
        ("x : n; E = ‖x‖^2", "norm_sq"),
        ("inner : (n), (n) -> scalar; x, y : n; E = ⟨x, y⟩", "inner"),
        ("inner : (n), (n) -> scalar; x, y : n; E = inner(x, y)", "free_function"),
    ],
)
def test_a_function_of_the_user_is_not_the_norm_and_the_norm_is_not_the_users(text: str, op: str) -> None:
    assert value(text).op.name == op


def test_a_gradient_acts_by_entries_in_an_index_equation() -> None:
    assert equal(value("z_i = ∇loss(y_i) tanh(y_i); E = z'z"), value("z = ∇loss(y) ⊙ tanh(y); E = z'z"))


def test_an_index_has_the_size_of_its_own_axis() -> None:
    text = "x : n; y : m; E = (sum_i 1_i) (sum_i 1_i) (sum_i 1_i x_i) (sum_j 1_j) (sum_j 1_j y_j)"
    assert {str(d) for v in parse_program(text).inputs for d in v.shape} == {"m", "n"}


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("x : n; E = sum(x[1..m])", "m ≤ n"),
        ("x : n; E = x[3]", "3 ≤ n"),
        ("x : n; E = sum(x[n-1..n])", "2 ≤ n"),
        ("x : n; E = sum(x[m..n])", "m ≤ n + 1"),
        ("x : m; E = sum(pad(x, axis=0, start=1, size=n))", "m + 1 ≤ n"),
        ("x : n; E = x' e_(n, m)", "m + 1 ≤ n"),
        ("x : n; E = sum(x[2..n])", ""),
        ("x : n; E = x[n]", ""),
        ("x : n; y : m; E = sum([x; 1; y][2..n])", ""),
    ],
)
def test_what_must_hold_of_the_sizes_for_a_part_to_be_there(text: str, needs: str) -> None:
    found = [e.op.needs(e) for e in postorder(value(text)) if callable(e.op.needs)]
    assert [x for x in found if x] == [needs] * bool(needs)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("1e400/3", f"({10**400}/3)"),
        ("0." + "3" * 350, f"({int('3' * 350)}/{10**350})"),
        ("1" + "3" * 350 + ".5", f"({2 * int('1' + '3' * 350) + 1}/2)"),
        ("1e-400", f"(1/{10**400})"),
        ("2.5", "2.5"),
    ],
)
def test_a_number_of_any_length_can_be_written(number: str, shown: str) -> None:
    found = value(f"x : n; E = {number} * sum(x)")
    assert notation.text(found.args[0]) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x : T; a : scalar; E = a^T sum(x)", "a^T sum(x)"),
        ("h[0] : n; a : scalar; h[t] = a h[t-1] for t = 1..T; E = 0.9^T sum(h[T])", "0.9^T sum(h[T])"),
        ("x : n; T : scalar; E = 2^T sum(x)", "2^T sum(x)"),
        ("x : n; T : scalar; E = 2^-T sum(x)", "2^(−T) sum(x)"),
        ("A : (T, n); E = sum(A^T)", "sum(Aᵀ)"),
        ("A : (n, n); T : scalar; E = T tr(A^T)", "T tr(Aᵀ)"),
        ("T : (n, n); x : n; E = x^T T x", "xᵀ T x"),
        ("g : scalar; r[t] : scalar; E = sum_{t=1..T} g^t r[t]", "Σ_{t=1..T} g^t r[t]"),
    ],
)
def test_a_number_to_the_power_of_a_size_called_t(text: str, shown: str) -> None:
    """Of a matrix ^T is the transpose; a number has none that anybody would write."""
    assert f"E = {shown} " in pb.derive(text).text()
