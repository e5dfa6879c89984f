"""Large sizes that are numbers are tested as symbols where the numbers do not matter, and as themselves where they do."""

from fractions import Fraction
from time import monotonic

import pytest

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.free import var
from pullback.algebra.ops.reduction import mean_over
from pullback.errors import CheckFailed, ShapeError
from pullback.proof.claim import Memo, check, modular_equal
from pullback.proof.standins import standins
from pullback.step import Claim, Step, Why

FAST = [
    ("W : (m, n); X : (n, 1024); Z = W X; E = loss(Z)", "W", "∇Z Xᵀ"),
    ("x : 5000; E = ‖x[1..2500]‖²", "x", "2 pad(x[1..2500], axis=0, start=0, size=5000)"),
    ("x : 1000000; E = x'x", "x", "2 x"),
    ("W : (128, 784); x : 784; b : 128; y = tanh(W x + b); E = loss(y)", "b", "∇y ⊙ (1 − y^∘2)"),
    ("x : 784; V : (10, 785); E = loss(V [x; 1])", "x", "(Vᵀ ∇loss(V [x; 1]))[1..784]"),
    ("X : (64, 128); E = mean(X)", "X", "0.0001220703125 1_(64, 128)"),
]


@pytest.mark.parametrize(("text", "name", "_"), FAST, ids=[f[0][:20] for f in FAST])
def test_large_numbers_cost_no_more_than_letters(text: str, name: str, _: str) -> None:
    start = monotonic()
    d = pb.derive(text)
    assert monotonic() - start < 10
    assert all(s.evidence for s in d.steps)
    assert d[name].shape == d.program.variable(name).shape


def claim(left: Expr, right: Expr) -> Step:
    return Step("1", "simplify", "x", left, "=", right, ("S",), Why(""), Claim("EQ", left, right))


x = var("x", (Dim.number(64),))


def test_what_holds_for_one_number_only_is_confirmed_for_that_number() -> None:
    general = mean_over(x, axes=(0,))
    assert modular_equal(general, rational(Fraction(1, 64)) * pb.ops.sum(x), {})
    assert modular_equal(rational(8) * general, rational(Fraction(1, 8)) * pb.ops.sum(x), {})  # 8/64 is 1/8


def test_what_is_false_is_refuted() -> None:
    assert modular_equal(mean_over(x, axes=(0,)), rational(Fraction(1, 65)) * pb.ops.sum(x), {}) is None
    with pytest.raises(CheckFailed):
        check(claim(pb.ops.sum(x), rational(2) * pb.ops.sum(x)), Memo())


def test_numbers_that_depend_on_each_other_are_written_by_each_other() -> None:
    a, b = var("a", (Dim.number(100),)), var("b", (Dim.number(200),))
    plans = [s.plan for s in standins([pb.parse_program("a : 100; b : 200; E = sum([a; a] + b)").equations[0].rhs])]
    assert [{c: str(d) for c, d in plan.items()} for plan in plans] == [{100: "100", 200: "2*100"}]
    [first, *_] = standins([a, b])
    assert {str(d) for d in first.plan.values()} == {"100", "200"}
    with pytest.raises(ShapeError):
        _ = a + b
