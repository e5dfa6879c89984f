"""Sizes that T3 asks for: more than the number of different indices over one axis in one term."""

from pullback.algebra.dims import Dim
from pullback.algebra.ops.arithmetic import size_of
from pullback.algebra.ops.entrywise import exp
from pullback.algebra.ops.free import free_map, var
from pullback.algebra.ops.matrix import trace
from pullback.algebra.ops.reduction import average, total
from pullback.algebra.ops.structure import concat
from pullback.proof.adequacy import adequate

m, n = Dim.symbol("m"), Dim.symbol("n")
A, W = var("A", (n, n)), var("W", (m, n))
x = var("x", (n,))


def test_indices_are_counted_axis_by_axis() -> None:
    assert adequate([W @ x]).least == {"m": 1, "n": 1}
    assert adequate([A @ A]).least == {"n": 3}
    assert adequate([A @ A @ A]).least == {"n": 4}
    assert adequate([trace(A) * (trace(A) * A)]).least == {"n": 4}
    assert adequate([trace(A) ** 3]).least == {"n": 3}
    assert adequate([A, trace(A @ A) * A]).least == {"n": 4}


def test_what_is_inside_a_function_counts_for_itself() -> None:
    found = adequate([free_map("f", A @ A) * A])
    assert found.least == {"n": 3} and found.generic


def test_a_size_in_a_coefficient_asks_for_more_sizes() -> None:
    assert adequate([total(x)]).rounds == 1
    assert adequate([average(x)]).rounds == 2
    assert adequate([average(x) * average(x)]).rounds == 3
    assert adequate([size_of(n) * x]).rounds == 2


def test_the_theorem_speaks_of_polynomials_in_free_tensors_only() -> None:
    assert adequate([A @ x + x * x]).generic
    assert not adequate([exp(x)]).generic
    assert not adequate([x**-1]).generic
    assert not adequate([concat(0, x, x)]).generic
