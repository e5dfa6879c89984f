"""Named equations of known functions are true where their conditions hold: both sides in floats, at many points."""

import math
from random import Random

import pytest

from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.activations import softplus
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.entrywise import exp, log, logaddexp, pow, pow_each, sigmoid, sqrt
from pullback.algebra.ops.free import var
from pullback.algebra.ops.piecewise import abs_, relu, sign, step
from pullback.algebra.ops.special import erf, normcdf, normpdf
from pullback.algebra.ops.trigonometric import cos, cosh, sin, sinh, tan, tanh
from pullback.proof.field import OutOfDomain, Real
from pullback.proof.functional import _LAWS, functional
from pullback.proof.jets import Point

n = Dim.symbol("n")
x, y = var("x", (n,)), var("y", (n,))
s, t = var("s", ()), var("t", ())

CASES: dict[str, Expr] = {
    "sum": exp(x + 2 * y - x / rational(3)),
    "number": exp(s + 1),
    "zero": exp(0 * x + (x - x)),
    "log inside": exp(log(x) + y),
    "power of log": exp(3 * log(s)),
    "product": log(x * y / (x * x)),
    "log of exp": log(exp(x) * y),
    "log of one": log(x / x),
    "log of power": log(x**3),
    "sigmoid": sigmoid(x - y),
    "tanh": tanh(2 * x),
    "softplus": softplus(x),
    "root": sqrt(x * x * y),
    "root of power": sqrt(x**4),
    "root of number": sqrt(rational(9) / rational(4)),
    "square of root": sqrt(x) ** 4,
    "root times root": sqrt(s) * sqrt(s),
    "sine": sin(x + y - 2 * x),
    "cosine": cos(-x) + cos(3 * y),
    "square of cosine": cos(x) ** 2,
    "sine of nothing": sin(x - x) + cos(y - y),
    "softplus of negative": softplus(-x),
    "logaddexp": logaddexp(x, y),
    "hyperbolic": cosh(x) + sinh(y),
    "tangent": tan(x - y),
    "variable power": pow_each(x, y) * pow_each(x, x - 1) * pow(x, s),
    "normal": normpdf(x) + normcdf(-2 * x) + erf(-y),
    "step": step(2 * x - y) + step(3 * s) * x,
    "relu": relu(x / rational(2) - 3 * y),
    "sign": sign(-2 * x + y),
    "abs": abs_(-2 * x + y),
    "abs of product": abs_(-3 * (x * y)) * abs_(s) ** 2,
    "numbers": abs_(rational(-3)) * relu(rational(-1)) + step(rational(1)),
    "half": exp(x / rational(2)) * sin(x / rational(2)),
}


@pytest.mark.parametrize("name", CASES)
def test_rewriting_changes_no_value(name: str) -> None:
    e = CASES[name]
    again, same, uses = functional(e, e)
    assert again is same and bool(uses) == (name not in ("half", "numbers"))
    for k in range(8):
        values = []
        for root in (e, again):
            point = Point(Real("x"), {"n": 3})
            random = Random(k)
            for v in (x, y, s, t):  # positive: where every condition holds
                point.bind(v, [random.uniform(0.3, 1.5) for _ in range(point.count(v))])
            try:
                values.append(point.value(root))
            except OutOfDomain:  # too near to a kink
                break
        assert len(values) < 2 or all(
            math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(*values, strict=True)
        )


def test_every_law_is_used_here() -> None:
    """A law that no case uses is a law that no test has seen."""
    used = {u.name for e in CASES.values() for u in functional(e, e)[2]}
    assert used == set(_LAWS)


def test_conditions_are_named() -> None:
    positive = {u.positive for u in functional(log(x * y), log(x))[2]}
    assert positive == {x, y}
    assert {u.positive for u in functional(exp(x + y), x)[2]} == {None}
