"""A refusal says what was probably meant."""

import pytest

import pullback as pb
from pullback.errors import PullbackError

HINTS = [
    # glued names
    ("W : (m, n); a : n; z = Wa; E = loss(z)", "P003", "Wa", "W a"),
    ("E = ½xᵀAx", "S006", "½xᵀAx", "did you mean `A x`?"),
    ("E = ‖Ax-b‖²", "S004", "Ax-b", "did you mean `A x`?"),
    # numbers
    ("E = f(x)", "S010", "E = f(x)", "f : scalar function"),
    ("E = W x", "S010", "E = W x", "make it a number: `E = sum(…)`"),
    ("z = W x", "S010", "z = W x", "add `E = sum(z)`"),
    # products and powers
    ("E = (x-y)^2", "S002", "(x-y)^2", "write (x-y)^∘2"),
    ("E = x·y", "S005", "x·y", "`xᵀ y`"),
    ("E = sum(x * (y + z))", "S005", "x * (y + z)", "`x ⊙ (y + z)`"),
    ("E = sum(A ∘ B)", "P001", "∘", "A ⊙ B"),
    ("E = sum_i prod_j A_ij", "U001", "prod_j", "exp(sum_i log(x_i))"),
    # notation of other languages
    ("E = tr(W.T)", "P001", ".", "Wᵀ"),
    (r"E = \sum x", "P001", "\\", "LaTeX commands are not read"),
    ("E = x’ y", "P001", "’", "xᵀ"),
    ("E = sum(ein('ij,j->i', A, x))", "P002", "'", "double quotes"),
    ("x ∈ R^n; E = x'x", "P001", "∈", "x : n"),
    ("x : R^n; E = x'x", "P002", "R", "x : n"),
    ("W : m×n; E = tr(W)", "P001", "×", "W : (m, n)"),
    ("W : [m, n]; E = loss(W)", "P002", "[", "W : (m, n)"),
    ("x : n; E = x(2)", "P002", "x(2)", "x[2]"),
    ("A : (m, n); E = sum(A(:, 1))", "P002", "A(:, 1)", "A[:, 1]"),
    ("y = f(x); given grad y as ∇y", "P002", "∇", "a name of its own"),
    ("y = f(x); given grad y to g", "P002", "to", "given grad y as g"),
]


@pytest.mark.parametrize(("text", "code", "under", "word"), HINTS)
def test_what_is_probably_meant(text: str, code: str, under: str, word: str) -> None:
    with pytest.raises(PullbackError) as caught:
        pb.derive(text)
    error = caught.value
    assert error.code == code
    assert error.span is not None
    assert error.span.text[error.span.column - 1 :].startswith(under)
    assert word in f"{error.expected} {error.hint}"


def test_a_refusal_says_what_was_assumed_of_its_names() -> None:
    with pytest.raises(PullbackError) as caught:
        pb.derive("E = x y + tr(A)")
    assert caught.value.assumed == (
        "x is a vector, because its name starts with a small letter",
        "y is a vector, because its name starts with a small letter",
    )


def test_a_name_that_is_no_product_is_a_name() -> None:
    assert list(pb.derive("W : (m, n); Wq : (m, n); E = tr(W' Wq)")) == ["W", "Wq"]
    assert "ab" in list(pb.derive("E = a' ab + b' b"))
