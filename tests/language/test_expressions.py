"""Printed and typed expressions read back: text against the same expression built in Python."""

from fractions import Fraction

import pytest

from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops import arithmetic, entrywise, free, matrix, reduction, structure, trigonometric
from pullback.errors import PullbackError
from pullback.language.text import FunctionKind, parse_expression

M, N, ZERO, ONE = Dim.symbol("m"), Dim.symbol("n"), Dim.number(0), Dim.number(1)
W, X, A = free.var("W", (M, N)), free.var("X", (M, N)), free.var("A", (N, N))
A3 = free.var("T3", (M, N, N))
a, x = free.var("a", (N,)), free.var("x", (N,))
b, y, z = (free.var(c, (M,)) for c in "byz")
s, t = free.var("s", ()), free.var("t", ())
gz = free.gradient(z)
SCOPE: dict[str, Expr | FunctionKind] = {
    **{str(v.attrs[0]): v for v in (W, X, A, A3, a, x, b, y, z, s, t)},
    "∇z": gz,
    "f": FunctionKind("entrywise"),
    "loss": FunctionKind("tensor"),
    "g": FunctionKind("tensor", (M,)),
}
f1 = free.free_map("f", z, orders=(1,))


def num(value: int | Fraction) -> Expr:
    return arithmetic.rational(Fraction(value))


def f(order: int) -> Expr:
    return free.free_map("f", z, orders=(order,))


def loss(*args: Expr, slots: tuple[int, ...] = ()) -> Expr:
    return free.free_function("loss", (), *args, slots=slots)


def g(*args: Expr, slots: tuple[int, ...] = ()) -> Expr:
    return free.free_function("g", (M,), *args, slots=slots)


TABLE: list[tuple[str, Expr]] = [
    # free functions and their derivatives, as they are printed and in ASCII
    ("f(z)", f(0)),
    ("f′(z)", f1),
    ("f'(z)", f1),
    ("f″(z)", f(2)),
    ("f''(z)", f(2)),
    ("f‴(z)", f(3)),
    ("f'''(z)", f(3)),
    ("f⁽4⁾(z)", f(4)),
    ("f⁽12⁾(z)", f(12)),
    ("∂1∂1∂2_f(s, t)", free.free_map("f", s, t, orders=(2, 1))),
    ("d1d1d2_f(s, t)", free.free_map("f", s, t, orders=(2, 1))),
    ("f(s, t)", free.free_map("f", s, t)),
    ("loss(y)", loss(y)),
    ("∇loss(y)", loss(y, slots=(0,))),
    ("grad_loss(y)", loss(y, slots=(0,))),
    ("∇2_loss(y, t)", loss(y, t, slots=(1,))),
    ("grad2_loss(y, t)", loss(y, t, slots=(1,))),
    ("grad_2_loss(y, t)", loss(y, t, slots=(1,))),
    ("grad_grad_12_loss(y, z)", loss(y, z, slots=(0, 1))),
    ("grad_grad_loss(y)", loss(y, slots=(0, 0))),
    ("f(4)(z)", f(4)),
    ("∇∇12_loss(y, z)", loss(y, z, slots=(0, 1))),
    ("∇∇loss(y)", loss(y, slots=(0, 0))),
    ("Dg(x)", g(x, slots=(0,))),
    ("D2_g(x, y)", g(x, y, slots=(1,))),
    ("DD12_g(x, y)", g(x, y, slots=(0, 1))),
    # gradients by name
    ("∇z ⊙ f′(z)", gz * f1),
    ("Wᵀ (∇z ⊙ f′(z))", W.T @ (gz * f1)),
    ("grad_z aᵀ", matrix.outer(gz, a)),
    # products
    ("W a", W @ a),
    ("W@a", W @ a),
    ("W a + b", W @ a + b),
    ("xᵀ a", matrix.dot(x, a)),
    ("x' a", matrix.dot(x, a)),
    ("xᵀ A a", matrix.dot(x, A @ a)),
    ("(xᵀ A) a", matrix.dot(A.T @ x, a)),
    ("b xᵀ", matrix.outer(b, x)),
    ("W x aᵀ", matrix.outer(W @ x, a)),
    ("b xᵀ A", matrix.outer(b, x) @ A),
    ("a xᵀ a", arithmetic.smul(matrix.dot(x, a), a)),
    ("xᵀ a xᵀ x", arithmetic.smul(matrix.dot(x, a), matrix.dot(x, x))),
    ("A A A", A @ (A @ A)),
    ("(A A) A", (A @ A) @ A),
    ("A A x", A @ (A @ x)),
    ("W^T b", W.T @ b),
    ("W^⊤ b", W.T @ b),
    ("W' b", W.T @ b),
    ("W'(b - y)", W.T @ (b - y)),
    ("Wᵀᵀ", W.T.T),
    ("A^2", A @ A),
    ("A²", A @ A),
    ("s W a", arithmetic.smul(s, W @ a)),
    ("W s a", arithmetic.smul(s, W @ a)),
    ("2 s a", arithmetic.smul(num(2), arithmetic.smul(s, a))),
    ("(2 s) a", arithmetic.smul(arithmetic.smul(num(2), s), a)),
    ("½ (xᵀ x)", arithmetic.smul(num(Fraction(1, 2)), matrix.dot(x, x))),
    ("0.5*(a + x)", arithmetic.smul(num(Fraction(1, 2)), a + x)),
    ("a * 2", arithmetic.smul(num(2), a)),
    ("s T3", arithmetic.smul(s, A3)),
    # entry by entry
    ("a ⊙ x", a * x),
    ("a .* x", a * x),
    ("a ⊘ x", arithmetic.divide(a, x)),
    ("a ./ x", arithmetic.divide(a, x)),
    ("a / s", arithmetic.sdiv(a, s)),
    ("s ⊙ t", arithmetic.hadamard(s, t)),
    ("a^∘2", a**2),
    ("a.^2", a**2),
    ("a^∘-1", a**-1),
    ("a^∘(1/2)", a ** Fraction(1, 2)),
    ("a^∘0.5", a ** Fraction(1, 2)),
    ("s^2", s**2),
    ("s²", s**2),
    ("s⁻¹", s**-1),
    ("s^(-1/2)", s ** Fraction(-1, 2)),
    # numbers and signs
    ("(2/3) a", Fraction(2, 3) * a),
    ("1/3", num(Fraction(1, 3))),
    ("0.1 s", arithmetic.smul(num(Fraction(1, 10)), s)),
    ("1e-3 s", arithmetic.smul(num(Fraction(1, 1000)), s)),
    ("-2 a", -2 * a),
    ("−2 a", -(2 * a)),
    ("−a + x", (-a) + x),
    ("-a ⊙ x", -(a * x)),
    ("a − (x − a)", a - (x - a)),
    ("a - x - a", (a - x) - a),
    ("1_n − a^∘2", structure.ones((N,)) - a**2),
    ("1 - a.^2", 1 - a**2),
    ("2 + a", 2 + a),
    ("π s", arithmetic.smul(arithmetic.pi(), s)),
    ("(1/n) a", arithmetic.smul(arithmetic.sdiv(num(1), arithmetic.size_of(N)), a)),
    ("n^-1 a", arithmetic.smul(arithmetic.size_of(N) ** -1, a)),
    ("(n + 1) s", arithmetic.smul(arithmetic.size_of(N + ONE), s)),
    ("1/(m*n)", arithmetic.sdiv(num(1), arithmetic.size_of(M * N))),
    # norms and inner products
    ("⟨W, X⟩", matrix.inner(W, X)),
    ("<W, X>", matrix.inner(W, X)),
    ("inner(W, X)", matrix.inner(W, X)),
    ("‖a‖²", reduction.norm_sq(a)),
    ("‖W a − y‖^2", reduction.norm_sq(W @ a - y)),
    ("||a||", reduction.norm(a)),
    ("norm(a)^2", reduction.norm_sq(a)),
    ("‖a‖ ‖x‖", arithmetic.smul(reduction.norm(a), reduction.norm(x))),
    # blocks, slices, constants
    ("[a; 1]", structure.concat(0, a, num(1))),
    ("[a; x]", structure.concat(0, a, x)),
    ("[W, b]", structure.concat(1, W, b)),
    ("[W b]", structure.concat(1, W, b)),
    ("[W a, b]", structure.concat(1, W @ a, b)),
    ("[(W a); 1]", structure.concat(0, W @ a, num(1))),
    ("[W; x]", structure.concat(0, W, x)),
    ("[W; xᵀ]", structure.concat(0, W, x)),
    ("[aᵀ; xᵀ]", structure.concat(1, a, x).T),
    ("[W b; xᵀ 1]", structure.concat(0, structure.concat(1, W, b), structure.concat(0, x, num(1)))),
    ("X[:, 1..n]", structure.slice_of(X, 1, ZERO, N)),
    ("x[2..n]", structure.slice_of(x, 0, ONE, N - ONE)),
    ("x[n]", structure.take(x, axis=0, start=N - ONE)),
    ("X[:, 1]", structure.take(X, axis=1, start=ZERO)),
    ("pad(x, axis=0, start=1, size=n + 2)", structure.pad(x, axis=0, start=ONE, total=N + Dim.number(2))),
    ("e_(n, 0)", structure.unit(total=N, start=ZERO)),
    ("E_(n + 1, 0, n)", structure.place(total=N + ONE, start=ZERO, dim=N)),
    ("I_n", matrix.identity(N)),
    ("I_(n + 1)", matrix.identity(N + ONE)),
    ("1_(m, n)", structure.ones((M, N))),
    ("1_3", structure.ones((Dim.number(3),))),
    ("1_n xᵀ", matrix.outer(structure.ones((N,)), x)),
    # known functions
    ('ein("i j, j -> i", W, a)', structure.einsum("ij,j->i", W, a)),
    ("sum(W)", reduction.sum_over(W, axes=(0, 1))),
    ("sum(W, axis=0)", reduction.sum_over(W, axes=(0,))),
    ("mean(W, axis=(0, 1))", reduction.mean_over(W, axes=(0, 1))),
    ("tr(A)", matrix.trace(A)),
    ("diag(x)", matrix.diag(x)),
    ("diag(A)", matrix.diagvec(A)),
    ("diagvec(A)", matrix.diagvec(A)),
    ("exp(−a)", entrywise.exp(-a)),
    ("tanh(W a)", trigonometric.tanh(W @ a)),
    ("outer(b, x)", matrix.outer(b, x)),
]


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=[t for t, _ in TABLE])
def test_an_expression_reads_as(text: str, expected: Expr) -> None:
    assert parse_expression(text, SCOPE) is expected


@pytest.mark.parametrize("text", ["q", "W a b", "a +", "(a", "a ⊙ b", "f'", "1_n +", "fft(a)", "aᵀ", "a; b"])
def test_what_cannot_be_read_is_refused_with_a_place(text: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_expression(text, SCOPE)
    assert caught.value.span is not None
    assert "^" in caught.value.render()
