"""The length of a formula: atoms and operators as printed, definitions once and their names at each use."""

from itertools import pairwise

import pytest

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import var
from pullback.show.length import length, length_of, length_with

n = Dim.symbol("n")
A, B, X = (var(name, (n, n)) for name in "ABX")
S, T = var("S", (n, n)), var("T", (n, n), "grad")


@pytest.mark.parametrize(
    ("printed", "count"),
    [
        ("x", 1),
        ("0", 1),
        ("−x", 2),
        ("Wᵀ (∇z ⊙ f′(z))", 7),
        ("W^(1/3)", 3),
        ("½ ‖x‖²", 6),
        ("A⁻¹ [x; 1]", 6),
        ("A⁻ᵀ", 3),
        ("x^∘−2", 3),
        ("s⁻²", 3),
        ("(A x)[1..n]", 6),
        ("X[:, 1..n] y", 6),
        ("A [x; 1]", 5),
        ("−(a − b) / n", 6),
        ("‖A x‖ ‖y‖", 7),
        ("‖(‖x‖ y)‖", 5),
        ("|x| ⊙ |y|", 5),
        ('ein("ij,jk->ik", A, B)', 4),
        ("sum(X, axis=0) y", 5),
        ("pad(X, axis=0, start=n+1, size=2*n)", 5),
        ("1_(m, n) ⊙ I_n", 3),
        ("⟨A, B⟩ C", 5),
        ("∇loss(y)ᵀ ∂1_f(x, y)", 7),
        ("2 · 3 x", 5),
        ("(2/3) x", 3),
        ("ŷ₁ x_1", 3),
    ],
)
def test_atoms_and_operators(printed: str, count: int) -> None:
    assert length_of(printed) == count


def test_an_expression_is_as_long_as_its_printed_form() -> None:
    assert length(A @ X.T + B) == 6


def test_a_name_used_twice_is_counted_at_its_definition() -> None:
    body = A @ X @ B @ A @ X  # 9
    assert length_with(S @ A @ S, {S: body}) == 5 + 9
    assert length_with(S @ A, {S: body}) == length(body) + 2  # used once: written out
    assert length_with(S, {}) == 1


def test_short_definitions_are_kept_where_that_is_shorter() -> None:
    assert length_with(S @ S @ S, {S: A.T}) == 5 + 2 < length(A.T @ A.T @ A.T)


def test_definitions_rest_on_definitions() -> None:
    named: dict[Expr, Expr] = {T: A @ X @ B @ X @ A, S: T @ T}
    assert length_with(S @ S, named) == 3 + 3 + 9
    assert length_with(A, named) == 1


def test_a_long_chain_of_names() -> None:
    names = [var(f"s{k}", (n, n)) for k in range(3000)]
    named = {b: a @ A for a, b in pairwise(names)}
    assert length_with(names[-1], named) == 2 * 2999 + 1


def test_names_that_double_are_not_written_out_in_vain() -> None:
    names = [var(f"s{k}", (n, n)) for k in range(60)]
    named = {b: a @ a for a, b in pairwise(names)}
    assert length_with(names[-1], named) <= 3 * 59


def test_of_a_derivation() -> None:
    assert length(pb.derive("A : (m, n); E = ‖A x − y‖²")["x"].expr) == 10
