"""One precedence scheme, three notations."""

from fractions import Fraction

import pytest

from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.entrywise import exp
from pullback.algebra.ops.free import free_map, gradient, increment, var
from pullback.algebra.ops.matrix import inner, outer
from pullback.algebra.ops.reduction import norm, norm_sq
from pullback.algebra.ops.structure import concat, einsum, ones, slice_of
from pullback.show import notation
from pullback.show.indices import indexed

m, n = Dim.of("m"), Dim.of("n")
W, X, Y = var("W", (m, n)), var("X", (m, n)), var("Y", (m, n))
a, x, b, z, s = var("a", (n,)), var("x", (n,)), var("b", (m,)), var("z", (m,)), var("s", ())
u = var("u₁", (m,))

CASES = [
    (W @ a + b, "W a + b", "W a + b", r"W\, a + b"),
    (W.T @ gradient(z), "Wᵀ ∇z", "W^T grad_z", r"W^{\top}\, \nabla_{z}"),
    (outer(gradient(z), a), "∇z aᵀ", "grad_z a^T", r"\nabla_{z}\, a^{\top}"),
    (b * free_map("f", z, orders=(1,)), "b ⊙ f′(z)", "b .* f'(z)", r"b \odot f'(z)"),
    ((W @ a) * b, "(W a) ⊙ b", "(W a) .* b", r"(W\, a) \odot b"),
    (z * (1 - z), "z ⊙ (1 − z)", "z .* (1 - z)", r"z \odot (1 - z)"),
    (ones((m,)) + ones((m,)), "1_m + 1", "1_m + 1", r"\mathbf{1}_{m} + 1"),
    (rational(Fraction(1, 2)) * norm_sq(a), "½ ‖a‖²", "(1/2) ||a||^2", r"\tfrac{1}{2}\, \lVert a\rVert^2"),
    (norm(norm(x) * x), "‖(‖x‖ x)‖", "||(||x|| x)||", r"\lVert (\lVert x\rVert\, x)\rVert"),
    (rational(2) * (rational(3) * x), "2·3 x", "2*3 x", r"2 \cdot 3\, x"),
    (W @ (2 * x), "W (2 x)", "W (2 x)", r"W\, (2\, x)"),
    (x + (-a), "x − a", "x - a", "x - a"),
    (x - (-a), "x − (−a)", "x - (-a)", "x - (-a)"),
    (-(x + a), "−(x + a)", "-(x + a)", "-(x + a)"),
    ((x**2) ** 3, "(x^∘2)^∘3", "(x.^2).^3", r"(x^{\circ 2})^{\circ 3}"),
    (s**-1, "s⁻¹", "s^-1", "s^{-1}"),
    (s * inner(X, Y), "s ⟨X, Y⟩", "s (<X, Y>)", r"s\, \langle X, Y\rangle"),
    (concat(0, W @ x, b), "[(W x); b]", "[(W x); b]", r"\begin{bmatrix} W\, x \\ b \end{bmatrix}"),
    (slice_of(X, 1, Dim.of(0), Dim.of(2)), "X[:, 1..2]", "X[:, 1..2]", "X[:, 1{..}2]"),
    (outer(u, x), "u₁ xᵀ", "u_1 x^T", r"u_{1}\, x^{\top}"),
    (var("n_in", ()) * var("lambda", ()), "n_in lambda", "n_in lambda", r"n_{\mathit{in}}\, \lambda"),
    (increment(z), "dz", "dz", r"\mathrm{d}z"),
    (exp(-x), "exp(−x)", "exp(-x)", r"\exp(-x)"),
]


@pytest.mark.parametrize(("e", "unicode", "plain", "tex"), CASES, ids=[c[1] for c in CASES])
def test_printed_form(e: Expr, unicode: str, plain: str, tex: str) -> None:
    assert (notation.text(e), notation.ascii(e), notation.latex(e)) == (unicode, plain, tex)


def test_an_increment_never_looks_like_a_name() -> None:
    assert notation.text(increment(z), {"z", "dz"}) == "d(z)"
    assert notation.text(increment(z) + var("dz", (m,))) == "d(z) + dz"


def test_long_and_shared_expressions() -> None:
    e: Expr = x
    for _ in range(5000):
        e = e + x
    assert notation.text(e).count("x") == 5001
    for _ in range(60):
        e = e + e
    assert len(notation.text(e)) < 2_000_000


def test_index_notation() -> None:
    assert indexed(W @ a + b, "p").text == "Σ_i W_pi a_i + b_p"
    assert indexed(einsum("ij,j->i", W, a), "i").latex == r"\sum_{j} W_{ij}\, a_{j}"
    assert indexed(b * free_map("f", z, orders=(1,)), "k").text == "b_k f′(z_k)"
    partial = var("∂z/∂W", (m, m, n), "partial")
    assert indexed(gradient(z), "i").latex == r"(\nabla_{z})_{i}"
    assert "∂z" in indexed(partial, "ipq").text
