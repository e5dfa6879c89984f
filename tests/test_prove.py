"""Claims that hold are proved, claims that do not are refuted by numbers that NumPy confirms."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

# claim -> the step of the equality tower that decides it
TRUE = {
    # products, transposes, traces
    "A : (m, n); B : (n, p); (A B)ᵀ = Bᵀ Aᵀ": "L1",
    "A : (m, n); B : (n, p); C : (p, q); (A B) C = A (B C)": "L1",
    "A : (m, n); B : (n, p); C : (p, q); (A B C)ᵀ = Cᵀ Bᵀ Aᵀ": "L1",
    "A, B : (m, n); (A + B)ᵀ = Aᵀ + Bᵀ": "L1",
    "A : (m, n); (Aᵀ)ᵀ = A": "L1",
    "A, B : (n, n); tr(A B) = tr(B A)": "L1",
    "A : (m, n); B : (n, m); tr(A B) = tr(B A)": "L1",
    "tr(A B C) = tr(C A B)": "L1",
    "tr(A B C) = tr(B C A)": "L1",
    "A : (n, n); tr(A) = tr(Aᵀ)": "L1",
    "A, B : (n, n); tr(A + B) = tr(A) + tr(B)": "L1",
    "A : (m, n); tr(Aᵀ A) = ‖A‖²": "L1",
    "A, B : (m, n); tr(Aᵀ B) = ⟨A, B⟩": "L1",
    "A : (m, n); A I_n = A": "L1",
    "A : (m, n); I_m A = A": "L1",
    "A : (n, n); tr(I_n) = n": "L1",
    "A : (n, n); (A + Aᵀ)ᵀ = A + Aᵀ": "L1",
    "A : (n, n); A² A = A A²": "L1",
    "A, B : (n, n); (A + B)² = A² + A B + B A + B²": "L1",
    "A : (m, n); B, C : (n, p); A (B + C) = A B + A C": "L1",
    "x, y : n; xᵀ y = yᵀ x": "L1",
    "x, y : n; tr(x yᵀ) = xᵀ y": "L1",
    "x : m; y : n; (x yᵀ)ᵀ = y xᵀ": "L1",
    "A : (m, n); x : n; y : m; yᵀ A x = xᵀ Aᵀ y": "L1",
    "A : (m, n); x : m; xᵀ A = (Aᵀ x)ᵀ": "L0",
    "x, y, z : n; (x yᵀ) z = (yᵀ z) x": "L1",
    # entrywise, diagonals, sums
    "A, B : (m, n); A ⊙ B = B ⊙ A": "L1",
    "A, B : (m, n); (A ⊙ B)ᵀ = Aᵀ ⊙ Bᵀ": "L1",
    "x, y : n; diag(x) y = x ⊙ y": "L1",
    "x, y : n; diag(x ⊙ y) = diag(x) diag(y)": "L1",
    "A : (n, n); sum(diag(A)) = tr(A)": "L1",
    "x : n; 1_nᵀ x = sum(x)": "L1",
    "A : (m, n); 1_mᵀ A 1_n = sum(A)": "L1",
    "x : n; mean(x) = sum(x) / n": "L1",
    "x : m; y : n; A : (m, n); diag(x) A diag(y) = A ⊙ (x yᵀ)": "L1",
    "A : (m, n); x : n; A x = sum(A ⊙ (1_m xᵀ), axis=1)": "L1",
    "A, B : (m, n); ⟨A, B⟩ = sum(A ⊙ B)": "L1",
    "A : (m, n); B : (n, n); G : (m, n); ⟨G, A B⟩ = ⟨G Bᵀ, A⟩": "L1",
    "A : (m, n); B : (n, p); G : (m, p); ⟨G, A B⟩ = ⟨Aᵀ G, B⟩": "L1",
    "x, y : n; ‖x + y‖² = ‖x‖² + 2 xᵀ y + ‖y‖²": "L1",
    "x, y : n; ‖x + y‖² + ‖x − y‖² = 2 ‖x‖² + 2 ‖y‖²": "L1",
    "x, y : n; (x ⊘ y) ⊙ y = x": "L1",
    "x : n; x ⊘ x = 1_n": "L1",
    "x : n; s : scalar; (s x) / s = x": "L1",
    "W : (m, n); b : m; a : n; [W, b] [a; 1] = W a + b": "L1",
    "a : n; b : m; ‖[a; b]‖² = ‖a‖² + ‖b‖²": "L1",
    "X : (m, n); X − X = 0": "L1",
    # unknown functions
    "f(x + y) = f(y + x)": "L1",
    "A : (m, n); f(Aᵀ) = f(A)ᵀ": "L1",
    "A : (m, n); x : n; y : n; f(A (x + y)) = f(A x + A y)": "L1",
    "f'(x) ⊙ y = diag(y) f'(x)": "L1",
    "W : (m, n); a : n; G : m; ⟨G ⊙ f'(W a), W a⟩ = ⟨Wᵀ (f'(W a) ⊙ G), a⟩": "L1",
    "g : (n) -> (m); x, y : n; g(x + y) − g(y + x) = 0": "L1",
    # index notation, definitions, assumptions
    "sum_i W_ij a_i = sum_k a_k W_kj": "L1",
    "sum_i sum_j A_ij B_ij = sum_ij B_ij A_ij": "L1",
    "W : (n, m); z = W' a; prove z_j = sum_i W_ij a_i": "L2",
    "A : (m, n); B : (n, p); C = A B; prove C_ij = sum_k A_ik B_kj": "L2",
    "c = x − mean(x); sum(c) = 0": "L2",
    "m = mean(x); v = mean((x − m)^∘2); prove v = mean(x^∘2) − m^2": "L2",
    "p : n; assume sum(p) = 1; 2 sum(p) = 2": "L2",
    # what an exact test alone decides
    "s, t : scalar; (s² − t²) / (s − t) = s + t": "L3",
    "x : scalar; 1 / (1 + 1/x) = x / (x + 1)": "L3",
    "step(x) ⊙ x = relu(x)": "L3",
    "x : n; ‖x‖ ‖x‖ = xᵀ x": "L3",
    # named equations of known functions
    "exp(x + y) = exp(x) ⊙ exp(y)": "L4",
    "exp(x − y) = exp(x) ⊘ exp(y)": "L4",
    "exp(2 x) = exp(x)^∘2": "L4",
    "log(x ⊙ y) = log(x) + log(y)": "L4",
    "log(exp(x)) = x": "L4",
    "sin(x + y) = sin(x) ⊙ cos(y) + cos(x) ⊙ sin(y)": "L4",
    "sin(x)^∘2 + cos(x)^∘2 = 1_n; x : n": "L4",
    "tanh(x) = 2 sigmoid(2 x) − 1": "L4",
    "sigmoid(−x) = 1 − sigmoid(x)": "L4",
    "x : n; assume x > 0; sqrt(x ⊙ x) = x": "L4",
    "softplus(x) − softplus(−x) = x": "L4",
    "relu(2 x) = 2 relu(x)": "L4",
    "abs(x ⊙ y) = abs(x) ⊙ abs(y)": "L4",
    "abs(−2 x) = 2 abs(x)": "L4",
    "x : n; sign(−2 x) = −sign(x)": "L4",
    # one side of 0 is chosen, and the other is the opposite
    "relu(x) − relu(−x) = x": "L3",
    "abs(x) = sign(x) ⊙ x": "L3",
    "abs(x)^∘2 = x^∘2": "L3",
    "maximum(x, y) + minimum(x, y) = x + y": "L3",
    "maximum(x, y) = maximum(y, x)": "L3",
    "s : scalar; step(s² − 2) + step(2 − s²) = 1": "L3",
    # compositions
    "sign(−x) = −sign(x)": "L3",
    "abs(x) = relu(x) + relu(−x)": "L3",
    "silu(x) = x ⊙ sigmoid(x)": "L1",
    "logsigmoid(x) = −softplus(−x)": "L1",
    "gelu(x) = x ⊙ normcdf(x)": "L1",
    "cosh(x)^∘2 − sinh(x)^∘2 = 1_n; x : n": "L4",
    "normcdf(x) = ½ (1 + erf(x / sqrt(2)))": "L4",
    "normcdf(−x) = 1 − normcdf(x)": "L4",
    "tan(x) = sin(x) ⊘ cos(x)": "L4",
    "a, b, c : scalar; assume a > 0; a^b a^c = a^(b + c)": "L4",
}

Sides = Callable[..., tuple[Any, Any]]


def square(t: Any) -> Any:
    return t**2


# claim -> both sides by NumPy, on the values of the counterexample
FALSE: dict[str, Sides] = {
    "A, B : (n, n); A B = B A": lambda A, B: (A @ B, B @ A),
    "A, B : (n, n); (A B)ᵀ = Aᵀ Bᵀ": lambda A, B: ((A @ B).T, A.T @ B.T),
    "A : (n, n); A = Aᵀ": lambda A: (A, A.T),
    "A : (n, n); A + Aᵀ = 2 A": lambda A: (A + A.T, 2 * A),
    "A : (n, n); Aᵀ A = A Aᵀ": lambda A: (A.T @ A, A @ A.T),
    "A, B : (n, n); A B = A ⊙ B": lambda A, B: (A @ B, A * B),
    "tr(A B C) = tr(A C B)": lambda A, B, C: (np.trace(A @ B @ C), np.trace(A @ C @ B)),
    "A, B : (n, n); tr(A B) = tr(A) tr(B)": lambda A, B: (np.trace(A @ B), np.trace(A) * np.trace(B)),
    "A, B : (n, n); (A + B)² = A² + 2 A B + B²": lambda A, B: ((A + B) @ (A + B), A @ A + 2 * A @ B + B @ B),
    "A : (n, n); A² = A ⊙ A": lambda A: (A @ A, A * A),
    "A : (n, n); x : n; xᵀ A x = xᵀ (A + Aᵀ) x": lambda A, x: (x @ A @ x, x @ (A + A.T) @ x),
    "A : (n, n); x : n; A x = Aᵀ x": lambda A, x: (A @ x, A.T @ x),
    "x, y : n; xᵀ y = sum(x) sum(y)": lambda x, y: (x @ y, x.sum() * y.sum()),
    "x, y : n; x yᵀ = y xᵀ": lambda x, y: (np.outer(x, y), np.outer(y, x)),
    "x, y : n; ‖x + y‖² = ‖x‖² + ‖y‖²": lambda x, y: ((x + y) @ (x + y), x @ x + y @ y),
    "x : n; mean(x) = sum(x)": lambda x: (Fraction(int(x.sum()), len(x)), x.sum()),
    "A : (m, n); sum(A, axis=0) = 0": lambda A: (A.sum(axis=0), 0 * A.sum(axis=0)),
    "x, y : n; x ⊘ y = y ⊘ x": lambda x, y: ([Fraction(int(a), int(b)) for a, b in zip(x, y, strict=True)],
                                           [Fraction(int(b), int(a)) for a, b in zip(x, y, strict=True)]),
    "A : (n, n); x : n; diag(x) A = A diag(x)": lambda A, x: (np.diag(x) @ A, A @ np.diag(x)),
    "A : (n, n); A² − tr(A) A + ½ (tr(A)² − tr(A²)) I_n = 0": lambda A: (
        2 * A @ A - 2 * np.trace(A) * A + (np.trace(A) ** 2 - np.trace(A @ A)) * np.eye(len(A), dtype=int), 0 * A),
    "f(x + y) = f(x) + f(y)": lambda x, y: (square(x + y), square(x) + square(y)),
    "f(x ⊙ y) = f(x)": lambda x, y: (square(x * y), square(x)),
    "f'(x) = f(x)": lambda x: (2 * x, square(x)),
    "A : (n, n); f(A) A = A f(A)": lambda A: (square(A) @ A, A @ square(A)),
    "W : (n, n); a, G : n; Wᵀ (G ⊙ f'(W a)) = Wᵀ G": lambda W, a, G: (W.T @ (G * 2 * (W @ a)), W.T @ G),
    "sum_i W_ij = sum_i W_ji; W : (n, n)": lambda W: (W.sum(axis=0), W.sum(axis=1)),
    "exp(x + y) = exp(x) + exp(y)": lambda x, y: (np.exp(x + y), np.exp(x) + np.exp(y)),
    "sqrt(x ⊙ x) = x": lambda x: (abs(x), x),
    "relu(x) = x": lambda x: (np.maximum(x, 0), x),
    "relu(x + y) = relu(x) + relu(y)": lambda x, y: (np.maximum(x + y, 0), np.maximum(x, 0) + np.maximum(y, 0)),
    "tanh(x) = x": lambda x: (np.tanh(x), x),
    "log(x + y) = log(x) + log(y)": lambda x, y: (np.log(x + y), np.log(x) + np.log(y)),
    "sin(2 x) = 2 sin(x)": lambda x: (np.sin(2 * x), 2 * np.sin(x)),
}  # fmt: skip


def test_the_tables_are_long_enough() -> None:
    assert len(TRUE) >= 60 and len(FALSE) >= 30


@pytest.mark.parametrize("text", TRUE)
def test_what_is_true_is_not_refuted(text: str) -> None:
    proof = pb.prove(text)
    level = TRUE[text]
    assert proof.level == level
    assert proof.holds is (None if level == "L5" else True), "only tested is not proved"
    assert proof.evidence and proof.counterexample is None
    levels = {e.level for e in proof.evidence}
    if level in ("L1", "L2"):
        assert levels == {"PROVED-CANON", "TESTED-MODP"}, "a canonical form is confirmed modulo p"
    if level == "L5":
        assert levels == {"TESTED-FLOAT"}
    if level == "L4":
        assert proof.record["answers"][0]["uses"]


@pytest.mark.parametrize("text", FALSE)
def test_what_is_false_is_refuted_by_numbers(text: str) -> None:
    proof = pb.prove(text)
    assert (proof.holds, proof.level) == (False, "")
    c = proof.counterexample
    assert c is not None and c.least
    arrays = {}
    known = any(word in text for word in ("exp", "log", "tanh", "sin("))
    for v, values in c.values.items():
        assert all(isinstance(x, int) and -2 <= x <= 2 for x in values)
        arrays[v.attrs[0]] = np.array(values, dtype=float if known else object).reshape(
            [d.value(c.sizes) for d in v.shape]
        )
    left, right = FALSE[text](**arrays)
    if text.startswith("A : (n, n); A² −"):
        left = np.array(left) / 2
    for ours, theirs in ((c.left, left), (c.right, right)):
        theirs = np.array(theirs).reshape(-1)
        assert all(abs(float(a) - float(b)) < 1e-12 for a, b in zip(ours, theirs, strict=True))
    assert c.left[c.at] != c.right[c.at]


def test_cayley_hamilton_is_refuted_where_it_first_fails() -> None:
    """A² − tr(A) A + det(A) I = 0 at the sizes 1 and 2, and nowhere above."""
    proof = pb.prove("A : (n, n); A² − tr(A) A + ½ (tr(A)² − tr(A²)) I_n = 0")
    assert proof.counterexample is not None and proof.counterexample.sizes == {"n": 3}
    assert proof.record["answers"][0]["holds_at"] == [{"n": 1}, {"n": 2}]
    assert "At n = 1 and n = 2 it does hold" in proof.text()


def test_the_same_for_matrices_of_size_three() -> None:
    """True at the sizes 1, 2 and 3: sizes of a test must reach the bound of the theorem, 4."""
    cubic = "A³ − tr(A) A² + ½ (tr(A)² − tr(A²)) A − ((tr(A)^3 − 3 tr(A) tr(A²) + 2 tr(A³)) / 6) I_n = 0"
    proof = pb.prove(f"A : (n, n); {cubic}")
    assert proof.holds is False
    assert proof.counterexample is not None and proof.counterexample.sizes == {"n": 4}


def test_a_sum_too_large_to_be_expanded_is_tested_at_sizes_that_prove_it() -> None:
    names = [f"x{k}" for k in range(11)]
    total = " + ".join(names)
    turned = " + ".join(reversed(names))
    proof = pb.prove(f"{', '.join(names)} : n; ({total})ᵀ ({total}) = ({turned})ᵀ ({turned})")
    assert (proof.holds, proof.level) == (True, "L3")
    assert [e.level for e in proof.evidence] == ["TESTED-MODP", "PROVED-SIZE"]


@pytest.mark.parametrize(
    ("text", "at"),
    [("sqrt(t * t) = t; t : scalar", -1), ("relu(t) = t; t : scalar", -1), ("step(t) = 1; t : scalar", 0)],
)
def test_a_branch_that_a_few_points_miss_is_found(text: str, at: int) -> None:
    """Modulo p a root or a relu takes one of two branches at random: two points prove nothing."""
    proof = pb.prove(text)
    assert proof.holds is False
    assert proof.counterexample is not None and list(proof.counterexample.values.values()) == [[at]]


def test_roots_of_numbers_are_positive() -> None:
    assert pb.prove("sqrt(9) = 3").holds is True
    assert pb.prove("sqrt(9) = −3").holds is False
    assert pb.prove("sqrt(4) = 2").holds is True


def test_a_counterexample_respects_what_is_assumed() -> None:
    assert pb.prove("x : n; sqrt(x ⊙ x) = x").holds is False
    assert pb.prove("x : n; assume x > 0; sqrt(x ⊙ x) = x").holds is True
    p = pb.prove("p : n; assume sum(p) = 1; p = 1_n")
    assert p.counterexample is not None
    [values] = p.counterexample.values.values()
    assert sum(values) == 1 and len(values) > 1


def test_conditions_say_where_both_sides_are_defined() -> None:
    proof = pb.prove("log(x ⊙ y) = log(x) + log(y)")
    found = [c["text"] for c in proof.record["answers"][0]["conditions"]]
    assert found == [f"every entry of {e} is positive" for e in ("x ⊙ y", "x", "y")]


def test_several_claims_are_answered_one_by_one() -> None:
    proof = pb.prove("A, B : (n, n); prove tr(A B) = tr(B A); prove A B = B A")
    assert [q.verdict.holds for q in proof.answers] == [True, False]
    assert proof.holds is False and not proof
    assert repr(proof) == "tr(A B) = tr(B A): holds (L1)\nA B = B A: does not hold"
    assert "CLAIM 1" in proof.text() and "ANSWER 2: it does not hold" in proof.text()


@pytest.mark.parametrize("text", ["(A B)' = B' A'", "A B = B A", "exp(x+y) = exp(x) .* exp(y)", "relu(x) - relu(-x) = x",
                                  "s : scalar; 2 s = s", "g : (n) -> (n); g(x) = x"])  # fmt: skip
def test_every_format(text: str) -> None:
    proof = pb.prove(text)
    assert proof.text(ascii=True).isascii()
    assert "\\begin{document}" in proof.latex() and proof.markdown().startswith("# ")
    record = json.loads(proof.to_json())
    assert record["format"] == "pullback-proof/1" and record["answers"][0]["holds"] is proof.holds
    assert max(map(len, proof.text().splitlines())) <= 100


def test_the_same_question_has_the_same_answer() -> None:
    texts = [pb.prove("tr(A B C) = tr(A C B)").text() for _ in range(2)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "text",
    [
        "W[k] : (n[k+1], n[k]); a[1] : n[1]; z[k+1] = W[k] a[k] for k = 1..L-1; prove z[2] = W[1] a[1]",
        "h[0] : n; h[t] = f(h[t-1]) for t = 1..T; x[t] : n; s = sum_{t=1..T} x[t]; prove s = s + s",
    ],
)
def test_equations_for_every_value_of_an_index_are_refused(text: str) -> None:
    with pytest.raises(pb.UnsupportedError) as caught:
        pb.prove(text)
    assert caught.value.code == "U036"


DECLARED = {
    "positive": lambda w: np.all(w > 0), "unit": lambda w: np.all((w > 0) & (w < 1)), "simplex": lambda w: np.all(w > 0) and abs(np.sum(w) - 1) < 1e-12,
    "sums_to_one": lambda w: abs(np.sum(w) - 1) < 1e-12, "symmetric": lambda S: np.allclose(S, S.T), "skew": lambda S: np.allclose(S, -S.T),
    "lower": lambda S: np.allclose(S, np.tril(S)), "upper": lambda S: np.allclose(S, np.triu(S)), "diagonal": lambda S: np.allclose(S, np.diag(np.diag(S))),
    "posdef": lambda S: np.allclose(S, S.T) and np.all(np.linalg.eigvalsh(S) > 0), "orthogonal": lambda S: np.allclose(S @ S.T, np.eye(len(S))),
}  # fmt: skip


@pytest.mark.parametrize("fact", DECLARED)
def test_what_is_declared_holds_for_a_counterexample_and_a_mistake(fact: str) -> None:
    """And so for the numbers of every example: w = −1 refutes nothing of a positive w."""
    matrix = fact in ("symmetric", "skew", "lower", "upper", "diagonal", "posdef", "orthogonal")
    shape = "(n, n)" if matrix else "n"
    left, right = ("tr(V V)", "3 + 4 tr(V)") if matrix else ("sum(V ⊙ V ⊙ V)", "2 + 3 sum(V)")
    proof = pb.prove(f"V : {shape} where {fact}; {left} = {right}")
    assert proof.holds is False
    assert proof.counterexample is not None
    [entries] = proof.counterexample.values.values()
    V = np.array([float(x) for x in entries])
    assert DECLARED[fact](V.reshape((round(len(V) ** 0.5), -1)) if matrix else V)
    d = pb.derive(
        f"V : {shape} where {fact}; B : {shape}; x : n; " + ("E = xᵀ V B V x" if matrix else "E = (V ⊙ B)ᵀ x sum(V)")
    )
    assert d.record["steps"] and d.text(level=4)


def test_an_equation_that_is_true_of_what_is_declared_is_not_refuted() -> None:
    assert pb.prove("w : n where positive; sum(abs(w)) = sum(w)").holds is not False
    assert pb.prove("w : n; sum(abs(w)) = sum(w)").holds is False
    assert pb.prove("Q : (n, n) where orthogonal; x : n; ‖Q x‖² = ‖x‖²").holds
    assert pb.prove("p : n where simplex; sum(p)² = sum(p)").holds
