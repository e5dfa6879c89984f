"""What is false at some size is never said to hold, and what is true is never refuted by rounding."""

import time

import pytest

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.ops.free import var
from pullback.proof.equality import Question, decide

from .test_sizes import cayley_hamilton

# true at the sizes 2 and 3, or modulo 2⁶¹ − 1
FALSE = [
    "A : (n,n); s : scalar; (tr(eye(n)) - 3) s = 0",
    "s : scalar; x : (n); (sum(ones(n)) - 3) s sum(x) = 0",
    "x : (n); (sum(x) - 4 mean(x)) (sum(x) - 5 mean(x)) (sum(x) - 6 mean(x)) (sum(x) - 7 mean(x)) = 0",
    "s : scalar; A : (n,n); (tr(eye(n)) - 3) relu(s) tr(A) = 0",
    "s : scalar; A : (n,n); (tr(eye(n)) - 3) exp(s) tr(A) = 0",
    "s : scalar; A : (n,n); (tr(eye(n)) - 2) (tr(eye(n)) - 3) exp(s) tr(A) = 0",
    "s : scalar; A : (n,n); (tr(eye(n)) - 2) (tr(eye(n)) - 3) relu(s) tr(A) = 0",
    "x : (n); S = sum(f(x - x)); prove (S - 2 f(0)) (S - 3 f(0)) (S - 4 f(0)) = 0",
    "x : (n); s : scalar; (sum(x ./ x) - 3) (sum(x ./ x) - 2) (sum(x ./ x) - 4) s = 0",
    "X : (n, n); s : scalar; P = X ./ (X ones(n) ones(n)'); S = sum(P); prove (S - 2) (S - 3) (S - 4) (S - 5) s = 0",
    "s : scalar; 2305843009213693952 s = s",
    "s : scalar; (2 s)^61 = s^61",
    "s : scalar; f(2305843009213693952 s) = f(s)",
]

# what cancels leaves nothing but rounding
TRUE = [
    "s : scalar; exp(20 s) - exp(s)^20 = 0",
    "s : scalar; exp(6 s) (exp(6 s) - exp(s)^6) = 0",
    "s : scalar; 1e10 (sin(s)^2 + cos(s)^2 - 1) = 0",
]


@pytest.mark.parametrize("text", FALSE)
def test_what_is_false_at_some_size_is_refuted(text: str) -> None:
    assert pb.prove(text).holds is False


@pytest.mark.parametrize("text", TRUE)
def test_what_a_named_equation_proves_is_not_refuted_by_rounding(text: str) -> None:
    proof = pb.prove(text)
    assert (proof.holds, proof.level) == (True, "L4")


@pytest.mark.parametrize(
    "text",
    ["s : scalar; 1e10 (softplus(s) - softplus(-s) - s) = 0", "s : scalar; exp(8 s) (relu(s) - relu(-s) - s + sin(s) - sin(s)) = 0"],
)  # fmt: skip
def test_what_no_law_proves_is_not_refuted_by_rounding_either(text: str) -> None:
    assert pb.prove(text).holds is not False


def test_a_small_difference_is_a_difference() -> None:
    proof = pb.prove("s : scalar; exp(s) + 1e-5 s = exp(s)")
    assert proof.holds is False


@pytest.mark.parametrize("degree", [5, 7])
def test_a_size_that_is_large_enough_is_reached(degree: int) -> None:
    n = Dim.symbol("n")
    A = var("A", (n, n))
    verdict = decide(Question(cayley_hamilton(A, degree), 0 * A))
    assert verdict.holds is False
    assert verdict.counterexample is not None and verdict.counterexample.sizes == {"n": degree + 1}


def test_what_was_not_tested_at_sizes_that_decide_is_not_decided() -> None:
    """(n − 2) (n − 3) … (n − 20) s is 0 at all sizes that a test can go through."""
    product = " ".join(f"(c - {k})" for k in range(1, 40))
    proof = pb.prove(f"s : scalar; c = tr(eye(n)); prove {product} s = 0")
    assert proof.holds is None and proof.level == "L5"
    assert "may hold at these and fail at others" in " ".join(proof.text().split())
    assert "false at each of these sizes passes" in proof.evidence[0].detail


def test_what_is_proved_by_tests_says_at_which_sizes() -> None:
    names = [f"x{k}" for k in range(11)]
    proof = pb.prove(
        f"{', '.join(names)} : n; ({' + '.join(names)})ᵀ ({' + '.join(names)}) = ({' + '.join(reversed(names))})ᵀ ({' + '.join(names)})"
    )
    assert [e.level for e in proof.evidence] == ["TESTED-MODP", "PROVED-SIZE"]
    assert proof.evidence[1].data["least"] == {"n": 1} and "n ≥ 1" in proof.evidence[1].detail


def test_large_numbers_in_sizes_cost_no_more_than_letters() -> None:
    start = time.process_time()
    assert pb.prove("A : (300, 300); B : (300, 300); tr(A B) = tr(B A)").level == "L1"
    assert pb.prove("A : (300, 300); f(A + A) + f(A)' = f(2 A) + f(A')").holds is True
    assert pb.prove("x : 1000; y : 1000; x .* y = x + y").holds is False
    with pytest.raises(pb.UnsupportedError) as refused:
        pb.prove("A : (300, 300); B : (300, 300); A B = B A")
    assert refused.value.code == "U039"
    assert time.process_time() - start < 20, "it hangs: computed entry by entry, each of these takes minutes"


def test_a_large_factor_in_an_exponent_is_no_large_size() -> None:
    assert pb.prove("s : scalar; exp(-1e9 exp(s)) = 0").holds is None


def test_an_assumption_that_nothing_satisfies_decides_nothing() -> None:
    with pytest.raises(pb.ParseError) as why:
        pb.prove("s : scalar; assume s > 0; assume s < 0; s = 2 s")
    assert why.value.code == "P053"
