"""What a formula needs is said of the entries of a tensor, and of a number itself."""

import re
from collections import Counter
from random import Random

import pytest
from _declared import any_program
from _oracle import SIZES, Interpreter, _erf_complex, draw_inputs

import pullback as pb
from pullback.calculus.core import Definition
from pullback.calculus.derive import derive
from pullback.errors import PullbackError


def said(text: str) -> set[str]:
    return {c["text"] for s in pb.derive(text).record["steps"] for c in s["conditions"]}


def test_a_number_has_no_entries() -> None:
    assert said("s : scalar; f : entrywise; E = log(s) + f(s)") == {"s is positive", "f is differentiable at s"}


def test_a_tensor_has_entries() -> None:
    assert said("f : entrywise; E = sum(log(x) + f(x))") == {
        "every entry of x is positive",
        "f is differentiable at every entry of x",
    }


def test_a_size_is_positive_and_no_more() -> None:
    assert said("x : n; E = sum(x) acosh(n)") == {"n is greater than 1"}
    assert said("x : n; E = sum(x) log(n)") == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("S : (n, n) where posdef; E = trace(inv(S))", {"S is invertible, as it is positive definite"}),
        ("S : (n, n); E = trace(inv(S))", {"S is invertible"}),
        ("Q : (n, n) where orthogonal; S : (n, n) where posdef; E = trace(inv(Q S))", {"Q S is invertible, as its factors are"}),
        ("X : (m, n); e : (); assume e > 0; E = logdet(Xᵀ X + e eye(n))", {"Xᵀ X + e I_n is invertible, as it is positive definite"}),
        ("X : (m, n); e : (); E = logdet(Xᵀ X + e eye(n))", {"Xᵀ X + e I_n is invertible"}),
        ("x : n; E = log(1 + xᵀ x)", {"1 + xᵀ x is positive, as it is at least 1"}),
        ("x : n; s = sqrt(1 + xᵀ x); E = log(s)", {"1 + xᵀ x is positive, as it is at least 1", "s is positive, as it is at least 1"}),
        ("x : n; E = sum(log(exp(x)))", {"every entry of exp(x) is positive, which always holds"}),
        ("p : n where simplex; E = sum(log(p))", {"every entry of p is positive, as is declared"}),
        ("t : (); assume t > 2; E = log(t - 1)", {"t − 1 is positive, as it is greater than 1"}),
        ("t : (); assume t > 2; E = log(t - 3)", {"t − 3 is positive"}),
        ("x : n; E = sum(log(1 + exp(x)))", {"every entry of 1 + exp(x) is positive, as each is greater than 1"}),
        ("x : n; t = log(1 + exp(x)); E = sum(log(t))",
         {"every entry of 1 + exp(x) is positive, as each is greater than 1", "every entry of t is positive, which always holds"}),
        ("S : (n, n) where posdef; L = chol(S); E = sum(L)", {"S is symmetric and positive definite, which is declared or follows from its form"}),
        ("S : (n, n) where posdef; E = trace(sqrtm(S))", {"S has no eigenvalue on the negative axis, as it is positive definite"}),
    ],
)  # fmt: skip
def test_what_holds_anyway_is_said_with_the_reason(text: str, expected: set[str]) -> None:
    assert said(text) == expected


def test_a_member_that_is_given_is_not_what_the_others_are() -> None:
    text = "x[0] : n\nx[k] = exp(x[k-1]) for k = 1..L\nE = sum_{k=0}^{L} sum(log(x[k]))"
    assert said(text) == {"every entry of x[k] is positive, k = 0..L"}
    assert said("x[0] : n\nx[k] = log(1 + exp(x[k-1])) for k = 1..L\nE = sum(x[L])") == {
        "every entry of 1 + exp(x[k-1]) is positive, as each is greater than 1, k = 1..L"
    }


def test_what_is_said_to_hold_does() -> None:
    """In random programs, at random points: every condition that is given a reason."""
    np = pytest.importorskip("numpy")
    seen = Counter[str]()
    for seed in range(80):
        program = any_program(Random(seed))
        equations = [Definition(v, e) for v, e in program.equations]
        try:
            d = derive(equations, program.inputs, program.target, program.wrt, seed=program.seed, plain=True)
        except PullbackError:
            continue
        claims = [
            c
            for s in d.steps
            for c in s.conditions
            if ", " in c.template and any(w in c.template for w in (" as ", "which always"))
        ]
        seen["steps"] += len(d.steps)
        if not claims:
            continue
        point = draw_inputs(program, seed)
        run, values = Interpreter(np, SIZES, _erf_complex), dict(point)
        with np.errstate(all="ignore"):
            for v, e in [*program.equations, *((q.var, q.value) for q in d.core.equations)]:
                values[v] = run.run(e, values)
            for c in claims:
                x = run.run(c.bind[re.findall(r"\$(\w+)", c.template)[0]], values)
                if not np.all(np.isfinite(x)):
                    continue  # the program has no value here
                kind = next(k for k in HOLDS if k in c.template)
                seen[kind] += 1
                assert HOLDS[kind](np, x), (seed, c.template, x)
    assert seen["positive,"] > 3 and seen["nonzero,"] > 1, seen


HOLDS = {
    "positive,": lambda np, x: np.all(x > 0),
    "nonzero,": lambda np, x: np.all(x != 0),
    "between 0 and 1,": lambda np, x: np.all((x > 0) & (x < 1)),
    "greater than 1,": lambda np, x: np.all(x > 1),
    "greater than −1,": lambda np, x: np.all(x > -1),
    "invertible,": lambda np, x: np.linalg.svd(x)[1][-1] > 0,
    "≠ 0,": lambda np, x: np.all(x != 0),
    "negative axis,": lambda np, x: np.all(np.linalg.eigvals(x) > 0),
    "positive definite,": lambda np, x: np.all(np.linalg.eigvalsh(x) > 0),
}
