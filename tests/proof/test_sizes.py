"""Tests are made at sizes at which what is false is false, and no evidence says more than was tested."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pullback import derive, prove
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.arithmetic import rational, size_of
from pullback.algebra.ops.entrywise import exp
from pullback.algebra.ops.free import free_map, var
from pullback.algebra.ops.matrix import eye, trace
from pullback.algebra.ops.reduction import mean_over, norm, total
from pullback.algebra.ops.structure import concat, ones, unit, zeros
from pullback.errors import CheckFailed, UnsupportedError
from pullback.language.claims import parse_claims
from pullback.proof.claim import modular_equal
from pullback.proof.final import Problem, confirm, survives
from pullback.proof.sizes import bound, rounds, sizes_of

m, n = Dim.symbol("m"), Dim.symbol("n")
A, B, W = var("A", (n, n)), var("B", (n, n)), var("W", (m, n))
E, x, s = var("E", ()), var("x", (n,)), var("s", ())
N = size_of(n)


def cayley_hamilton(A: Expr, degree: int) -> Expr:
    """What is 0 for every matrix of `degree` rows or fewer, and for no larger one."""
    e, total_ = [rational(1)], rational(0) * A
    powers = [A]
    while len(powers) < degree:
        powers.append(powers[-1] @ A)
    for k in range(1, degree + 1):  # Newton: k eₖ = Σ (−1)ⁱ⁻¹ eₖ₋ᵢ tr(Aⁱ)
        terms = [(-1) ** (i - 1) * (e[k - i] * trace(powers[i - 1])) for i in range(1, k + 1)]
        found = terms[0]
        for t in terms[1:]:
            found = found + t
        e.append(Fraction(1, k) * found)
    for k in range(degree + 1):
        power = powers[degree - k - 1] if k < degree else eye(dim=A.shape[0])
        total_ = total_ + (-1) ** k * (e[k] * power)
    return total_


def claimed(value: Expr, *gradients: tuple[Expr, Expr]) -> Problem:
    names = [v for v, _ in gradients]
    return Problem([(E, value)], [], list(gradients), E, None, names, names)


@pytest.mark.parametrize("degree", [2, 3, 4, 5])
def test_what_holds_for_small_matrices_only_is_refuted(degree: int) -> None:
    assert modular_equal(cayley_hamilton(A, degree), 0 * A, {}) is None
    assert not survives(claimed(trace(A @ B), (A, B.T + cayley_hamilton(A, degree)), (B, A.T)))


WRONG = {
    "a polynomial in n": claimed(x @ x, (x, 2 * x + ((N - 2) * (N - 3)) * x)),
    "a polynomial in 1/n": claimed(x @ x, (x, 2 * x + (1 - 2 / N) * ((1 - 3 / N) * ((1 - 4 / N) * x)))),
    "a sum of ones": claimed(x @ x, (x, 2 * x + (ones((n,)) @ ones((n,)) - 2) * ((trace(eye(dim=n)) - 3) * x))),
    "sums of ones": claimed(x @ x, (x, 2 * x + total(ones((n, n)) @ ones((n, n)) - 8 * ones((n, n))) * x)),
    "another shape": claimed(total(W), (W, ones((n, m)))),
    "a size too many": claimed(total(W), (W, ones((m, m)))),
}


@pytest.mark.parametrize("problem", WRONG.values(), ids=WRONG)
def test_a_wrong_gradient_is_refused(problem: Problem) -> None:
    assert not survives(problem)
    with pytest.raises(CheckFailed) as why:
        confirm(problem)
    assert why.value.code == "C002"


def test_sides_of_unlike_shape_are_not_equal() -> None:
    assert modular_equal(ones((m, n)), ones((n, m)), {}) is None
    assert modular_equal(rational(0), 0 * x, {}) is None


@pytest.mark.parametrize(
    ("value", "indices", "degree"),
    [
        (x @ x, 1, 0),
        (trace(A @ B @ A), 3, 0),
        ((x @ x) ** 3, 3, 0),
        (total(ones((n,))), 1, 1),
        (total(A @ ones((n,))), 2, 0),  # both indices are A's
        (mean_over(x, axes=(0,)), 1, 0),
        (mean_over(x, axes=(0,)) + total(x), 1, 1),
        (free_map("f", trace(A @ A @ A)), 3, 0),  # its arguments must be told apart
        (total(exp(x) + 1), 1, 1),
        (norm(x) ** 2, 1, 0),
        (s / trace(A @ A) + 1 / trace(A @ A @ B), 3, 0),  # over one denominator
        (total(concat(0, x, s)), 1, 0),
    ],
)
def test_how_many_indices_a_term_has(value: Expr, indices: int, degree: int) -> None:
    found = rounds([(value, "value")])
    assert found.whole
    enough = {z["n"] for z in found.sizes if z["n"] >= indices}
    assert len([z for z in found.sizes if z["n"] >= indices]) >= 2 and len(enough) >= degree + 1 + (degree > 0)
    assert rounds([(value, "value")], proved=True).sizes == found.sizes[:2], "a proof needs no larger test"


FUNCTIONS = {
    "constants beside the diagonal": "x : n; S = sum(f(diag(x))) - sum(f(x)); prove (S - 12 f(0)) (S - 20 f(0)) = 0",
    "and three of them": "x : n; S = sum(f(diag(x))) - sum(f(x)); prove (S - 2 f(0)) (S - 6 f(0)) (S - 30 f(0)) = 0",
    "a product with I": "A : (n, n); S = sum(f(A .* eye(n))) - tr(f(A)); prove (S - 2 f(0)) (S - 6 f(0)) (S - 12 f(0)) = 0",
    "sizes in an argument": "s : scalar; c = tr(eye(n)); prove f((c - 2) (c - 3) (c - 4) (c - 5) (c - 6) s) = f(0)",
    "sizes above and below": "s : scalar; c = tr(eye(n)); prove f((c-2) (c-3) (c-4) (c-5) (c-6) s / c^4) = f(0)",
    "two polynomials": "s : scalar; c = tr(eye(n)); prove f((c^5 + 1580 c) s / c^4) = f((20 c^4 - 155 c^3 + 580 c^2 + 1764 c - 1680) s / c^4 - s)",
}


@pytest.mark.parametrize("text", FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_arguments_of_functions_hold_sizes_too(text: str) -> None:
    claims = parse_claims(text, name="", dialect=None)
    [claim] = claims.claims
    where = {q.var: q.rhs for q in claims.program.equations}
    assert modular_equal(claim.left, claim.right, where) is None
    assert prove(text).holds is False


def test_what_no_equation_was_made_for_divides_no_number() -> None:
    """A false equation may hold modulo 2⁶¹ − 1: a number tells, and a power of a small one."""
    p = 2**61 - 1
    assert modular_equal(rational(p + 1) * s, s, {}) is None
    assert modular_equal((2 * s) ** 61, s**61, {}) is None
    assert modular_equal(free_map("f", rational(p) * s), free_map("f", rational(0)), {}) is None
    assert modular_equal(rational(Fraction(1, p)) * s, rational(Fraction(2, p)) * s, {}) is None
    assert modular_equal(s / rational(p), rational(Fraction(1, p)) * s, {})
    assert modular_equal(2 * s + s, 3 * s, {})


def test_a_second_prime_is_asked_only_where_numbers_are_large() -> None:
    assert rounds([(2 * s - 3 * (s * s), "value")]).guard is None
    assert rounds([(rational(2**60) * s, "value")]).guard == {}
    assert rounds([((x @ x) ** 10, "value")]).guard is None
    assert rounds([((3 * s) ** 40, "value")]).guard is not None


def test_a_bound_is_never_smaller_than_it_is_known_to_be() -> None:
    assert bound(10**20, 2) == "1" and bound(1, 2) == "1e-36"


def test_a_test_that_would_cost_too_much_says_what_it_was() -> None:
    deep = A
    for _ in range(30):
        deep = deep @ A
    found = rounds([(trace(deep), "value")])
    assert not found.whole and max(z["n"] for z in found.sizes) >= 4
    short = confirm(claimed(trace(A @ B), (A, B.T), (B, A.T)))[0]
    assert "a wrong gradient passes" in short.detail and short.data["whole"]
    chain = "A : (n, n)\nx0 : n\n" + "\n".join(f"x{k + 1} = A x{k}" for k in range(20)) + "\nE = ‖x20‖²"
    long = derive(chain).evidence[0]
    assert "wrong at each of these sizes passes" in long.detail and not long.data["whole"]


def test_the_one_of_a_unit_vector_lies_within_its_axis() -> None:
    """Beyond the end of a short axis a unit vector is zero, and every claim about it is a claim about zero."""
    far = unit(total=Dim.symbol("m"), start=Dim.number(24))
    assert modular_equal(far, zeros(far.shape), {}) is None
    assert modular_equal(far + far, rational(2) * far, {})
    with pytest.raises(UnsupportedError, match="too far"):
        sizes_of([unit(total=Dim.symbol("m"), start=Dim.number(10**9))], 0)
