"""FINAL for arrays refutes what is wrong: a transposed factor, a lost term, a coefficient, another order of the axes."""

import pytest

import pullback as pb
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import var
from pullback.calculus.stacked import Commutation, Kron, Leaf
from pullback.errors import CheckFailed
from pullback.proof.second import array_problem, confirm_array, confirm_matrix


def problem(J: pb.Jacobian, value: Expr):
    forward = [(q.var, q.rhs) for q in J.program.equations]
    return array_problem(forward, J.program.inputs, J.target, J.wrt[0], J.found.cotangent, value)


def test_a_right_array_is_confirmed() -> None:
    J = pb.jacobian("A : (n, n); y = A x + 2 x", "x")
    assert next(e.level for e in confirm_array(problem(J, J.expr))) == "TESTED-MODP"


@pytest.mark.parametrize("wrong", [lambda e: e.T, lambda e: 2 * e, lambda e: e.args[0], lambda e: e - e.T])
def test_a_wrong_array_is_refuted(wrong) -> None:
    J = pb.jacobian("A : (n, n); y = A x + 2 x", "x")
    with pytest.raises(CheckFailed):
        confirm_array(problem(J, wrong(J.expr)))


def test_a_wrong_matrix_is_refuted() -> None:
    J = pb.jacobian("A : (n, n); X : (n, n); B : (n, n); Y = A X B", "X")
    A, _, B = (J.program.variable(n) for n in "AXB")
    assert A is not None and B is not None
    right = Kron(Leaf(B.T), Leaf(A))
    assert confirm_matrix(right, J.expr, 2).level == "STACKED-MODP"
    for wrong in (Kron(Leaf(A), Leaf(B.T)), Kron(Leaf(B), Leaf(A)), Leaf(A)):
        with pytest.raises(CheckFailed):
            confirm_matrix(wrong, J.expr, 2)


def test_commut_turns_the_stacked_matrix_into_that_of_the_transpose() -> None:
    J = pb.jacobian("X : (m, n); Y = Xᵀ", "X")
    X = J.wrt[0]
    assert confirm_matrix(Commutation(*X.shape), J.expr, 2)
    with pytest.raises(CheckFailed):
        confirm_matrix(Commutation(*X.shape[::-1]), J.expr, 2)
    assert X is var("X", X.shape)
