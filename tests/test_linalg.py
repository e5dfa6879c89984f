"""Linear algebra: gradients against jax.grad, the notation of inverses, and variables that range over a subspace."""

from __future__ import annotations

from typing import Any

import pytest

import pullback as pb
from pullback.errors import PullbackError

np = pytest.importorskip("numpy")
jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

SHAPES = {"n": 4, "m": 3, "k": 2}
_RNG = np.random.default_rng(5)
_A = _RNG.normal(size=(4, 4))
VALUES: dict[str, Any] = {
    "A": _A + 3 * np.eye(4), "B": _RNG.normal(size=(4, 4)), "S": (_A + _A.T) / 2, "P": _A @ _A.T + np.eye(4),
    "X": _RNG.normal(size=(4, 3)), "Z": _RNG.normal(size=(3, 4)), "Y": _RNG.normal(size=(4, 2)), "b": _RNG.normal(size=4), "c": _RNG.normal(size=3),
}  # fmt: skip
DECLARED = {
    "A": "(n, n)",
    "B": "(n, n)",
    "S": "(n, n)",
    "P": "(n, n)",
    "X": "(n, m)",
    "Z": "(m, n)",
    "Y": "(n, k)",
    "b": "n",
    "c": "m",
}


def _unit(V: Any) -> Any:
    return V * jnp.sign(V[0])


def _positive(Q: Any, R: Any) -> tuple[Any, Any]:
    signs = jnp.sign(jnp.diagonal(R))
    return Q * signs, R * signs[:, None]


def _sym(S: Any) -> Any:
    return (S + S.T) / 2


def _sylvester(A: Any, B: Any, C: Any) -> Any:
    whole = jnp.kron(A, jnp.eye(len(B))) + jnp.kron(jnp.eye(len(A)), B.T)
    return jnp.linalg.solve(whole, C.reshape(-1)).reshape(C.shape)


PROGRAMS = [
    ("tr(B matrix_power(A, 3))", lambda A, B: jnp.trace(B @ A @ A @ A)),
    ("tr(B matrix_power(A, -2))", lambda A, B: jnp.trace(B @ jnp.linalg.inv(A @ A))),
    ("tr(B A⁻³)", lambda A, B: jnp.trace(B @ jnp.linalg.inv(A @ A @ A))),
    ("‖solve_lower(A, b)‖²", lambda A, b: jnp.sum(jnp.linalg.solve(jnp.tril(A), b) ** 2)),
    ("‖solve_upper(A, Y)‖²", lambda A, Y: jnp.sum(jnp.linalg.solve(jnp.triu(A), Y) ** 2)),
    ("bᵀ cho_solve(A, b)", lambda A, b: b @ jnp.linalg.solve(jnp.tril(A) @ jnp.tril(A).T, b)),
    ("‖cho_solve(A, Y)‖²", lambda A, Y: jnp.sum(jnp.linalg.solve(jnp.tril(A) @ jnp.tril(A).T, Y) ** 2)),
    ("‖sylvester(A, Zᵀ Z + P, B)‖²", lambda A, B, P, Z: jnp.sum(_sylvester(A, Z.T @ Z + P, B) ** 2)),
    ("bᵀ eigvals(S)", lambda S, b: b @ jnp.linalg.eigvalsh(_sym(S))),
    ("‖eigvecs(S) − B‖²", lambda S, B: jnp.sum((_unit(jnp.linalg.eigh(_sym(S))[1]) - B) ** 2)),
    ("(bᵀ maxeigvec(S))^2", lambda S, b: (b @ jnp.linalg.eigh(_sym(S))[1][:, -1]) ** 2),
    ("mineig(S)", lambda S: jnp.linalg.eigvalsh(_sym(S))[0]),
    ("cᵀ svdvals(X)", lambda X, c: c @ jnp.linalg.svd(X, compute_uv=False)),
    ("‖qrR(X) − Xᵀ X‖²", lambda X: jnp.sum((_positive(*jnp.linalg.qr(X))[1] - X.T @ X) ** 2)),
    ("‖qrQ(X) − Zᵀ‖²", lambda X, Z: jnp.sum((_positive(*jnp.linalg.qr(X))[0] - Z.T) ** 2)),
    ("⟨Zᵀ, polar(X)⟩", lambda X, Z: jnp.sum(Z.T * (lambda u, s, v: u @ v)(*jnp.linalg.svd(X, full_matrices=False)))),
    ("nuclear_norm(Z)", lambda Z: jnp.sum(jnp.linalg.svd(Z, compute_uv=False))),
    ("spectral_norm(Z)", lambda Z: jnp.sqrt(jnp.linalg.eigvalsh(Z @ Z.T)[-1])),
    ("tr(B adj(A))", lambda A, B: jnp.trace(B @ jnp.linalg.inv(A)) * jnp.linalg.det(A)),
    ("rayleigh(A, b)", lambda A, b: (b @ A @ b) / (b @ b)),
    ("slogdet(A Aᵀ)", lambda A: jnp.linalg.slogdet(A @ A.T)[1]),
    ("⟨Xᵀ, pinv(X + Zᵀ)⟩", lambda X, Z: jnp.sum(X.T * jnp.linalg.pinv(X + Z.T))),
    ("tr(A⁻ᵀ B)", lambda A, B: jnp.trace(jnp.linalg.inv(A).T @ B)),
    ("logdet(Xᵀ (I − outer(b, b)) X)", lambda X, b: jnp.linalg.slogdet(X.T @ (jnp.eye(4) - jnp.outer(b, b)) @ X)[1]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "function"), PROGRAMS, ids=[t for t, _ in PROGRAMS])
def test_gradients_are_those_of_jax(text: str, function: Any) -> None:
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    values = [VALUES[n] for n in names]
    d = pb.derive("\n".join([*(f"{n} : {DECLARED[n]}" for n in names), f"E = {text.replace('(I −', '(eye(n) −')}"]))
    value, found = d.evaluate(**dict(zip(names, values, strict=True)))
    assert np.allclose(value, function(*values), rtol=1e-9)
    for n, expected in zip(names, jax.grad(function, argnums=tuple(range(len(names))))(*values), strict=True):
        expected = _sym(expected) if n == "S" else expected
        assert np.allclose(_sym(found[n]) if n == "S" else found[n], expected, rtol=1e-7, atol=1e-8), n


@pytest.mark.parametrize("text", ["A⁻ᵀ", "A^-T", "A^{-T}", "A⁻¹ᵀ", "(A^{-1})ᵀ", "inv(A)ᵀ", "inv(Aᵀ)"])
def test_inverse_transposed_is_read_and_written_as_one_mark(text: str) -> None:
    d = pb.derive(f"E = tr({text} B)")
    assert str(d["A"]) == "−A⁻ᵀ B A⁻ᵀ"
    assert d["A"].ascii() == "-A^-T B A^-T"


def test_a_power_that_does_not_move_has_the_gradient_zero() -> None:
    d = pb.derive("X : (n, n); E = sum(matrix_power(X, 0) X)")
    assert str(pb.derive("X : (n, n); E = sum(matrix_power(X, 0))")["X"]) == "0"
    assert str(d["X"]) == "1_n 1_nᵀ"


def test_what_is_found_of_a_name_holds_as_long_as_what_is_said_of_the_inputs() -> None:
    """K = S⁻¹ is symmetric at a symmetric S; a Hessian is taken for any S near it, and K is not symmetric there."""
    text = "S : (n, n); assume symmetric(S); x : n; K = S⁻¹; E = xᵀ K x"
    assert str(pb.derive(text)["x"]) == "2 K x"
    assert str(pb.hessian(text, "x")) == "2 K"
    assert pb.hessian(text, ("x", "S")).shape == (*pb.derive(text)["x"].shape, *pb.derive(text)["S"].shape)


def test_a_derivative_of_a_matrix_function_has_gradients() -> None:
    """Found by fuzzing: the sentence about a move asked for a third derivative, which has no name."""
    d = pb.derive("X : (n, n); assume posdef(X); D : (n, n); E = sum(frechet_sqrtm(X, D))")
    assert str(d["D"]) == "frechet_sqrtm(Xᵀ, 1_(n, n))" and str(d["X"]) == "second_sqrtm(Xᵀ, Dᵀ, 1_(n, n))"
    rng = np.random.default_rng(0)
    A, D = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    X = A @ A.T + np.eye(3)
    _, small = d.evaluate(X=X, D=D)
    _, large = d.evaluate(X=X, D=1e12 * D)
    np.testing.assert_allclose(large["X"], 1e12 * small["X"], rtol=1e-9)


def test_a_matrix_without_an_inverse_is_refused_when_it_is_run() -> None:
    with pytest.raises(pb.UnsupportedError, match="inv has no value") as why:
        pb.derive("A : (n, n); E = sum(A⁻¹)").evaluate(A=np.zeros((2, 2)))
    assert why.value.code == "U022"


def test_t_may_be_a_number() -> None:
    assert "T" in str(pb.derive("x : scalar; T : scalar; E = x^-T")["x"])


def test_left_division_of_the_matlab_dialect() -> None:
    d = pb.derive("dialect: matlab\nA : (n, n)\nb : n\nc : n\nE = c'*(A\\b)")
    assert str(d["b"]) == "A⁻ᵀ c"


SUBSPACES = [
    ("symmetric", lambda G: (G + G.T) / 2), ("positive_definite", lambda G: (G + G.T) / 2), ("skew", lambda G: (G - G.T) / 2),
    ("lower", np.tril), ("upper", np.triu), ("diagonal", lambda G: np.diag(np.diag(G))),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "project"), SUBSPACES, ids=[k for k, _ in SUBSPACES])
def test_the_gradient_in_a_subspace_is_the_projection(kind: str, project: Any) -> None:
    d = pb.derive(f"V : (n, n) where {kind}\nB : (n, n)\nE = tr(B V V B V)")
    assert any("V-PROJ" in s.rules for s in d.steps)
    V = VALUES["P"] if kind == "positive_definite" else project(VALUES["A"])
    G = jax.grad(lambda V: jnp.trace(VALUES["B"] @ V @ V @ VALUES["B"] @ V))(V)
    assert np.allclose(d.evaluate(V=V, B=VALUES["B"])[1]["V"], project(np.asarray(G)))
    assert "V-PROJ" in d.text(level=4) and d.record["steps"]  # numbers and mistakes leave such a variable out
    with pytest.raises(pb.UnsupportedError):
        d.text(style="index")


@pytest.mark.parametrize(("text", "gradient"), [
    ("X : (N, n)\nH = eye(N) − 1/N 1_N 1_Nᵀ\nE = logdet(Xᵀ H X)", "2 H X (Xᵀ H X)⁻¹"),
    ("X : (n, n)\nE = log(det(X⁻¹))", "−X⁻ᵀ"),
])  # fmt: skip
def test_programs_that_are_defined_at_some_sizes_only(text: str, gradient: str) -> None:
    assert str(pb.derive(text)["X"]) == gradient


@pytest.mark.parametrize(("text", "given"), [
    ("x : n; E = sum(x.^1.5)", {"x": [-1.0, 2.0]}),
    ("x : n; g : scalar; E = sum(x.^g)", {"x": [-1.0, 2.0], "g": 2.0}),
    ("x : n; g : scalar; E = sum(x.^g)", {"x": [0.0, 2.0], "g": 2.0}),
])  # fmt: skip
def test_a_power_that_is_no_real_number_is_refused(text: str, given: dict[str, object]) -> None:
    with pytest.raises(PullbackError) as why:
        pb.derive(text).evaluate(**{n: np.asarray(x) for n, x in given.items()})
    assert why.value.code == "U022"


SETS = {
    "lower": np.tril,
    "upper": np.triu,
    "symmetric": lambda X: (X + X.T) / 2,
    "skew": lambda X: (X - X.T) / 2,
    "diagonal": lambda X: np.diag(np.diag(X)),
}


@pytest.mark.parametrize("kind", SETS)
def test_a_second_derivative_by_reverse_mode_twice_lies_in_the_set(kind: str) -> None:
    project = SETS[kind]
    f = pb.derive(f"K : (n, n) where {kind}; E = sum(K .* K .* K) + tr(K K K K)").compile("jax", form="autodiff")
    K, p = (project(_RNG.normal(size=(4, 4))) for _ in range(2))
    plain = jax.grad(lambda K: jnp.sum(K**3) + jnp.trace(K @ K @ K @ K))
    wanted = project(np.asarray(jax.jvp(plain, (jnp.array(K),), (jnp.array(p),))[1]))
    found = jax.grad(lambda K: (jax.grad(f)(K) * p).sum())(jnp.array(K))
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("target", ["numpy", "numba", "jax", "torch", "tensorflow"])
def test_an_eigenvector_may_begin_with_zero(target: str) -> None:
    """It has a length of 1 all the same: gradients of eigenvalues and singular values are made of it."""
    pytest.importorskip(target)
    S, D = np.array([[2.0, 0, 0], [0, 1, 0.5], [0, 0.5, 4]]), np.diag([3.0, 1.0, 2.0])
    V = np.linalg.eigh(S)[1]
    X = np.array([[0.0, 1, 2], [0, 3, 1], [0, 1, 1], [1e-3, 0, 0]])
    w = np.array([1.0, 10, 100])
    for text, given, wanted in (
        ("S : (n, n) where symmetric; E = maxeig(S)", {"S": S}, {"S": np.outer(V[:, -1], V[:, -1])}),
        ("S : (n, n) where symmetric; E = mineig(S)", {"S": S}, {"S": np.outer(V[:, 0], V[:, 0])}),
        (
            "S : (n, n) where symmetric; w : n; E = wᵀ eigvals(S)",
            {"S": D, "w": w},
            {"S": np.diag([100.0, 1, 10]), "w": [1, 2, 3]},
        ),
        ("X : (m, n); E = sumsq(svdvals(X))", {"X": X}, {"X": 2 * X}),
    ):
        d = pb.derive(text)
        for _, grad in (d.compile(target)(**given), d.evaluate(**given)):
            for n, g in wanted.items():
                np.testing.assert_allclose(np.asarray(grad[n]), g, atol=1e-10)
