"""A false equation is never called proved: mutants of true ones, and what holds is checked once more in floats."""

import os
from random import Random

import pytest

import pullback as pb
from pullback.algebra.expr import Expr, rebuild
from pullback.algebra.ops.free import is_name, var
from pullback.calculus import laws
from pullback.calculus.law import LAWS, NOT_LAWS, Law
from pullback.errors import PullbackError
from pullback.proof.equality import Question, decide
from pullback.proof.field import OutOfDomain, Real
from pullback.proof.jets import Point
from pullback.proof.mutants import mutants
from pullback.proof.sizes import symbols_of

assert laws.basic, "importing the laws declares them"
SLOW = os.environ.get("PULLBACK_SLOW")
PROGRAMS = (
    "W : (m, n); a : n; b : m; z = W a + b; y = f(z); E = loss(y)",
    "E = ½ ‖X w − y‖² / n + ½ lam ‖w‖²; X : (n, d); lam : scalar",
    "p = exp(z) / sum(exp(z)); E = −yᵀ log(p)",
    "A : (n, n); X : (n, m); B : (m, m); E = tr(A X B Xᵀ)",
    "A : (n, B); W : (m, n); b : m; Z = W A + b; Y = tanh(Z); E = ½ ‖Y − T‖²",
    "x : n; c = x − mean(x); v = mean(c ⊙ c); y = c / sqrt(v + 1); E = qᵀ y",
)


def free(e: Expr) -> Expr:
    """A law's pattern as an expression in ordinary names."""
    return rebuild(
        e,
        lambda n, a: (
            var(n.attrs[0], n.shape) if is_name(n) else n if a == n.args else Expr.make(n.op, a, n.attrs, n.shape)
        ),
    )


def differ(left: Expr, right: Expr) -> bool:
    """Whether floats tell the sides apart, at twenty points of random sizes from 1 to 5."""
    symbols = sorted(symbols_of([left, right]))
    points = 0
    for k in range(200):
        random = Random(k)
        point = Point(Real(f"again{k}", positive=k % 2 == 0), {s: random.randint(1, 5) for s in symbols})
        try:
            a, b = point.value(left), point.value(right)
        except OutOfDomain:
            continue
        points += 1
        if any(abs(x - y) > 1e-7 * max(1, abs(x), abs(y)) for x, y in zip(a, b, strict=True)):
            return True
        if points == 20:
            break
    return False


def never_wrong(left: Expr, right: Expr) -> bool | None:
    verdict = decide(Question(left, right))
    if verdict.holds:
        assert not differ(left, right)
    if verdict.holds is False and verdict.counterexample is not None:
        c = verdict.counterexample
        assert c.left[c.at] != c.right[c.at]
    return verdict.holds


@pytest.mark.parametrize("law", [x for x in LAWS if x.order < 3], ids=lambda x: f"{x.name}-{x.order}")
def test_laws_hold_and_their_mutants_do_not(law: Law) -> None:
    left, right = free(law.left), free(law.right)
    assert never_wrong(left, right) is True
    for name, wrong in mutants(right):
        assert never_wrong(left, wrong) is (not differ(left, wrong)), name


@pytest.mark.parametrize("law", NOT_LAWS, ids=lambda x: x.name)
def test_tempting_equations_are_refuted(law: Law) -> None:
    verdict = decide(Question(free(law.left), free(law.right)))
    assert verdict.holds is False and verdict.counterexample is not None and verdict.counterexample.least


@pytest.mark.parametrize("text", PROGRAMS if SLOW else PROGRAMS[:4])
def test_mutants_of_gradients_are_refuted(text: str) -> None:
    count = 0
    for b in pb.derive(text).derivation.backward:
        for _, wrong in list(mutants(b.value))[: None if SLOW else 12]:
            assert never_wrong(b.value, wrong) is False
            count += 1
    assert count > 10


TOKENS = [
    "A",
    "B",
    "W",
    "x",
    "y",
    "a_i",
    "W_ij",
    "sum_i",
    "sum_ij",
    "(",
    ")",
    "[",
    "]",
    "=",
    "=",
    "+",
    "-",
    ".*",
    "./",
    "'",
    "ᵀ",
    "^2",
    "^T",
    "2",
    "1",
    "0",
    "½",
    "f(",
    "g'(",
    "exp(",
    "log(",
    "sqrt(",
    "relu(",
    "tr(",
    "diag(",
    "‖",
    ",",
    ";",
    ":",
    "(m,n)",
    "n",
    "1_n",
    "I_n",
    "prove",
    "assume",
    ">",
    "norm(",
    "mean(",
    "sum(",
    "∇",
    "loss(",
    "sin(",
    "/",
    "@",
    "⟨",
    "⟩",
    "scalar",
    "entrywise",
    "where",
    "0.5",
]
BASES = ("(A B)' = B' A'", "f(x + y) = f(x) + f(y)", "exp(x + y) = exp(x) .* exp(y)", "sum_i W_ij a_i = z_j",
         "x : n; assume x > 0; log(x) = x", "relu(x) - relu(-x) = x")  # fmt: skip


@pytest.mark.parametrize("shard", range(4))
def test_token_soup_is_answered_or_refused(shard: int) -> None:
    random = Random(shard)
    for _ in range(4000 if SLOW else 250):
        words = (
            random.choice(BASES).split(" ")
            if random.random() < 0.7
            else random.choices(TOKENS, k=random.randint(1, 12))
        )
        for _ in range(random.randint(1, 4)):
            k = random.randrange(len(words))
            words[k : k + random.randint(0, 1)] = [random.choice(TOKENS)]
        try:
            proof = pb.prove(" ".join(words))
        except PullbackError as refusal:
            assert refusal.message and refusal.exit_code in (2, 3, 4)
            continue
        assert proof.text() and proof.text(ascii=True).isascii()
