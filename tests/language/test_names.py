"""Names of any alphabet: as variables, functions and sizes, printed in Unicode, ASCII and LaTeX, and read back."""

import pytest

import pullback as pb
from pullback.errors import ParseError

PROGRAMS = [
    ("y = σ(W x); E = loss(y)", "W", "(grad_y .* sigma'(W x)) x^T"),
    ("y = f₁(x); E = loss(y)", "x", "grad_y .* f_1'(x)"),
    ("E = ℓ(W x)", "x", "W^T grad_ell(W x)"),
    ("ρ : scalar function; E = ρ(ε ⊙ x); ε : n", "x", "grad_rho(epsilon .* x) .* epsilon"),
    ("X : (n₁, n₀); E = sum(X)", "X", "1_(n_1, n_0)"),
    ("x : N₁; E = sum(x)/N₁", "x", "1_N_1 / N_1"),
    ("x, y : β; E = x'y/β", "x", "y / beta"),
    ("W : (h*d₁, n); E = sum(W[1..d₁, :] x)", "x", "W[1..d_1, :]^T 1_d_1"),
    ("ŷ = W x; E = ½‖ŷ − y‖²", "ŷ", "y_hat - y"),
    ("x̂ = W y; E = loss(x̂)", "y", "W^T grad_x_hat"),
    ("θ̄ : n; E = ½‖θ̄‖²", "θ̄", "theta_bar"),
    ("é : n; e : n; E = é'e", "e", "e_acute"),
    ("重 : n; E = ½‖重‖²", "重", "U91CD"),
    ("E = ½ tr(Σ' Σ)", "Σ", "Sigma"),
    ("y = tanh(W x); given grad y as u₁", "x", "W^T (u_1 .* (1 - y.^2))"),
    ("u_1 : scalar function; E = u_1(tanh(W x))", None, ""),
    (
        "E = ‖g([x; 1][1..n], X[:, 2])‖; x : n; X : (n, m)",
        "x",
        "(g([x; 1][1..n], X[:, 2]) .* d1_g([x; 1][1..n], X[:, 2])) / E",
    ),
    ("grad_q = W x; y = f(grad_q); E = loss(y)", "x", "W^T grad_grad_q"),
]


@pytest.mark.parametrize(("text", "name", "expected"), PROGRAMS)
def test_a_name_is_printed_in_ascii(text: str, name: str | None, expected: str) -> None:
    d = pb.derive(text)
    assert d.text(ascii=True).isascii()
    if name is not None:
        assert d[name].ascii() == expected


def test_marks_are_accents_in_latex() -> None:
    d = pb.derive("ŷ = W x̄; E = loss(ŷ)")
    assert d["x̄"].latex() == r"W^{\top}\, \nabla_{\hat{y}}"
    assert r"\nabla_{\bar{x}}" in d.latex()


@pytest.mark.parametrize("many", [2, 9, 10, 12])
@pytest.mark.parametrize("kind", ["entrywise", "scalar function"])
def test_a_function_of_many_arguments(many: int, kind: str) -> None:
    names = [f"x{i}" for i in range(1, many + 1)]
    d = pb.derive(f"f : {kind}; {', '.join(names)} : n; E = sum(f({', '.join(names)}))")
    mark = "∂{}_f" if kind == "entrywise" else "∇{}_f"
    assert str(d[names[-1]]) == mark.format(many) + f"({', '.join(names)})"


def test_second_derivatives_of_a_function_of_many_arguments_are_read_back() -> None:
    names = ", ".join(f"x{i}" for i in range(1, 12))
    d = pb.derive(f"f : scalar function; {names} : n; q = ∇10_f({names}); E = sum(q)")
    assert "∇∇10_11_f" in str(d["x11"])


@pytest.mark.parametrize(
    "text",
    [
        "ŷ = W x; y_hat = V x; E = ½‖ŷ − y_hat‖²",
        "δ = W x; E = loss(δ - delta)",
        "E = loss(x_1 - x₁)",
        "σ : entrywise; sigma : entrywise; E = sum(σ(x) + sigma(x))",
        "grad_y = W x; y = f(grad_y); E = loss(y)",
    ],
)
def test_two_names_with_one_spelling_are_refused(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        pb.derive(text)
    assert caught.value.code == "P019"
