"""What a claim's check refuses: one claim that must fail for each kind of evidence, alone and after a good one like it."""

from __future__ import annotations

from typing import Any

import pytest

from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import gradient, increment, var
from pullback.algebra.ops.reduction import total
from pullback.algebra.ops.series import series
from pullback.algebra.ops.structure import ones
from pullback.algebra.ops.trigonometric import tanh
from pullback.calculus.core import Equation
from pullback.errors import CheckFailed, UnsupportedError
from pullback.proof.claim import Memo, check
from pullback.step import Claim, Step, Why

k, m, n = (Dim.symbol(s) for s in "kmn")
A, B, W, V = var("A", (n, n)), var("B", (n, n)), var("W", (m, n)), var("V", (m, n))
a, b, w, y, z = (var(s, (n,)) for s in "abwyz")


def step(left: Any, right: Expr, where: Any = (), kind: str = "EQ") -> Step:
    return Step(id="s1", kind="test", about="E", left=None, relation="=", right=right, rules=("TEST",), why=Why(""),
                claim=Claim(kind, left, right, dict(where)))  # fmt: skip


def differential(q: Equation, right: Expr, *moving: Expr) -> Step:
    return step(q, right, {v: v for v in moving}, "DIFF")


def levels(s: Step, memo: Memo | None = None) -> list[str]:
    return [e.level for e in check(s, Memo() if memo is None else memo).evidence]


# ---- claims alike are proved once, and only those ------------------------------------------------------------

SAME = [
    (step(A @ B, (B.T @ A.T).T), step(B @ A, (A.T @ B.T).T)),
    (
        differential(Equation(y, W.T @ (W @ a)), increment(W).T @ (W @ a) + W.T @ (increment(W) @ a), W),
        differential(Equation(b, V.T @ (V @ z)), increment(V).T @ (V @ z) + V.T @ (increment(V) @ z), V),
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_claims_that_differ_in_names_are_one(one: Step, other: Step) -> None:
    memo = Memo()
    check(one, memo)
    check(other, memo)
    assert len(memo.found) == 1


_Z, _Y = var("z", (m,)), var("y", (m,))
_product, _tanh = differential(Equation(_Z, W @ a), increment(W) @ a + W @ increment(a), W, a), Equation(y, tanh(z))
DIFFERENT = {
    "another d": (_product, differential(Equation(_Y, W @ a), increment(V) @ a + W @ increment(a), W, a)),
    "no d": (_product, differential(Equation(_Y, W @ a), V @ a + W @ increment(a), W, a)),
    "another value": (
        differential(_tanh, (1 - y**2) * increment(z), z), differential(_tanh, (1 - w**2) * increment(z), z),
    ),
    "another moves": (
        differential(Equation(y, a * b), a * increment(b), b), differential(Equation(y, a * b), a * increment(b), a),
    ),
    "another gradient": (step(gradient(a), b, {gradient(a): b}), step(gradient(a), b, {gradient(w): b})),
    "another definition": (step(a @ a, var("c", (n,)) @ a, {a: var("c", (n,))}), step(a @ a, b @ a, {y: b})),
    "another member": (
        step(series(var("v[k]", ()), letter="k", first=Dim.number(1), last=n),
             series(var("v[k-1]", ()), letter="k", first=Dim.number(2), last=n + Dim.number(1))),
        step(series(var("v[k]", ()), letter="k", first=Dim.number(1), last=n),
             series(var("v[k]", ()), letter="k", first=Dim.number(2), last=n + Dim.number(1))),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("good", "bad"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_false_claim_fails_alone_and_after_a_true_one_like_it(good: Step, bad: Step) -> None:
    memo = Memo()
    check(good, memo)
    for seen in (Memo(), memo):
        with pytest.raises(CheckFailed) as why:
            check(bad, seen)
        assert why.value.code == "C001"


# ---- each kind of evidence refuses ---------------------------------------------------------------------------

FALSE = {
    "EQ": step(A @ B, B @ A),
    "EQ given a definition": step(gradient(a), b, {gradient(a): 2 * b}),
    "EQ of unlike shapes": step(W @ a, a),
    "EQ but for one size": step(a @ a, a @ a + (a @ a) * (total(ones((n,))) - 2)),
    "DIFF, a term too few": differential(Equation(y, a * a), a * increment(a), a),
    "DIFF, a slope": differential(Equation(y, tanh(z)), (1 - y) * increment(z), z),
    "DIFF, the wrong shape": differential(Equation(_Z, W @ a), W.T @ (increment(W) @ a), W),
    "DIFF, not for small sizes only": differential(
        Equation(y, a), increment(a) + (total(ones((n,))) - 2) * ((total(ones((n,))) - 3) * increment(a)), a
    ),
    "LINEAR, none": differential(Equation(y, a), ones((n,)) * (increment(a) * increment(a) ** -1) * increment(a), a),
    "LINEAR, three": differential(Equation(y, a), increment(a) * (increment(b) * increment(b) ** -1), a, b),
    "LINEAR, beside the increment": differential(Equation(y, a), increment(a) + (a - a), a),
}


@pytest.mark.parametrize("claim", FALSE.values(), ids=FALSE)
def test_a_false_claim_is_refused(claim: Step) -> None:
    with pytest.raises(CheckFailed) as why:
        check(claim, Memo())
    assert why.value.code == "C001"
    assert any("increment" in x for x in why.value.notes) == any(claim is c for k, c in FALSE.items() if "LINEAR" in k)


def test_each_kind_of_evidence_is_given() -> None:
    assert levels(step(A @ B, (B.T @ A.T).T)) == ["PROVED-CANON", "TESTED-MODP"]
    assert levels(step((a + b) ** 2 / (a + b), a + b)) == ["TESTED-MODP"]
    assert levels(differential(Equation(y, a * a), 2 * a * increment(a), a)) == ["LINEAR", "TESTED-MODP"]
    assert levels(differential(Equation(y, ones((n,)) - ones((n,))), 0 * increment(a), a)) == ["LINEAR", "TESTED-MODP"]
    assert levels(step(a, b, kind="DEFINITION")) == ["DEFINITION"]


def test_an_equation_that_is_defined_nowhere_is_refused() -> None:
    with pytest.raises(UnsupportedError) as why:
        check(step((a - a) ** -1, a), Memo())
    assert why.value.code == "U012"
