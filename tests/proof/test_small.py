"""Small numbers: unknown functions are polynomials whose derivatives are theirs, known functions have exact values only."""

import math
from fractions import Fraction

import pytest

from pullback.algebra.dims import Dim
from pullback.algebra.ops.activations import softplus
from pullback.algebra.ops.entrywise import exp, log, sigmoid, sqrt
from pullback.algebra.ops.free import free_function, free_map, var
from pullback.algebra.ops.piecewise import relu
from pullback.algebra.ops.trigonometric import tanh
from pullback.proof.field import OutOfDomain
from pullback.proof.jets import Point
from pullback.proof.small import RANKS, Rounded, Small, neat, unknowns

n = Dim.symbol("n")
t, s = var("t", ()), var("s", ())
x, y = var("x", (n,)), var("y", (n,))


@pytest.mark.parametrize("rank", range(RANKS))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_derivative_of_an_unknown_function_is_that_of_its_polynomial(rank: int, count: int) -> None:
    field = Small(unknowns([free_map("f", *[t] * count)]), rank)
    at = (2, -1, 3)[:count]
    for k in range(count):
        orders = tuple(int(j == k) for j in range(count))
        exact = field.free("f", orders, at)
        values = [
            field.free("f", (0,) * count, tuple(a + h * (j == k) for j, a in enumerate(at))) for h in (-2, -1, 1, 2)
        ]
        assert 12 * exact == values[0] - 8 * values[1] + 8 * values[2] - values[3]


@pytest.mark.parametrize("rank", range(RANKS))
@pytest.mark.parametrize("out", [(), (n,)])
def test_the_derivative_of_a_function_of_tensors_is_its_tangent(rank: int, out: tuple[Dim, ...]) -> None:
    g = free_function("g", out, x)
    sizes = {"n": 2}
    point = Point(Small(unknowns([g]), rank), sizes)
    point.bind(x, [1, -2], [3, 1])
    moved = point.tangent(g)
    assert moved is not None
    for k, slope in enumerate(moved):
        values = []
        for h in (-2, -1, 1, 2):
            other = Point(Small(unknowns([g]), rank), sizes)
            other.bind(x, [1 + 3 * h, -2 + h])
            values.append(other.value(g)[k])
        assert 12 * slope == values[0] - 8 * values[1] + 8 * values[2] - values[3]


def test_two_unknown_functions_are_not_the_same() -> None:
    field = Small(unknowns([free_map("f", t), free_map("g", t)]))
    assert field.free("f", (0,), (3,)) == 9 and field.free("g", (0,), (3,)) == 27


def test_what_is_said_of_a_function_is_what_it_is() -> None:
    found = unknowns([free_map("f", t), free_function("loss", (), x), free_function("g", (n,), y)])
    field = Small(found)
    told = [field.told(f, {"n": 2}) for f in found]
    assert told == [
        "f(t) = t²",
        "g(y)_1 = y_1 + 2 y_2, and so on: the weights of entry i start at i",
        "loss(x) = x_1² + 2 x_2²",
    ]
    point = Point(field, {"n": 2})
    point.bind(x, [3, 5])
    point.bind(y, [3, 5])
    assert point.value(free_function("loss", (), x)) == [9 + 2 * 25]
    assert point.value(free_function("g", (n,), y)) == [3 + 2 * 5, 2 * 3 + 3 * 5]


@pytest.mark.parametrize(
    ("e", "at", "value"),
    [(exp(t), 0, 1), (log(t), 1, 0), (tanh(t), 0, 0), (sigmoid(t), 0, Fraction(1, 2)), (relu(t), -2, 0), (relu(t), 3, 3),
     (sqrt(t), 4, 2), (sqrt(t), Fraction(9, 4), Fraction(3, 2))],
)  # fmt: skip
def test_exact_values_of_known_functions(e, at, value) -> None:
    point = Point(Small(), {})
    point.bind(t, [at])
    assert point.value(e) == [value]


@pytest.mark.parametrize(
    ("e", "at"), [(exp(t), 1), (tanh(t), 40), (softplus(t), 0), (sqrt(t), 2), (sqrt(t), -1), (log(t), 0), (1 / t, 0)]
)
def test_no_value_is_made_up(e, at) -> None:
    """tanh 40 is 1 in floats: that is no reason to call it 1."""
    point = Point(Small(), {})
    point.bind(t, [at])
    with pytest.raises(OutOfDomain):
        point.value(e)


def test_a_kink_is_no_place_for_a_derivative() -> None:
    for kind in (Small, Rounded):
        point = Point(kind((), 0, True), {})
        point.bind(t, [0])
        with pytest.raises(OutOfDomain):
            point.value(relu(t))


def test_rounded_values_are_those_of_floats() -> None:
    point = Point(Rounded(), {})
    point.bind(t, [1])
    [value] = point.value(exp(t))
    assert value == math.exp(1)
    assert neat(Fraction(4, 2)) == 2 and isinstance(neat(Fraction(4, 2)), int)
