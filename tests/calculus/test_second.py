"""Jacobians and Hessians: how they are written, what they are on numbers, and that every step and the whole are confirmed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from _programs import random_program

import pullback as pb
from pullback.algebra.ops.free import var
from pullback.calculus.core import Definition
from pullback.calculus.derive import derive
from pullback.calculus.opened import closed_with, itself, opened
from pullback.calculus.second import again, open_up
from pullback.proof.claim import Memo, check
from pullback.proof.second import array_problem, confirm_array

np = pytest.importorskip("numpy")

NET = "W : (h, d); V : (c, h); z = W x + b; a = tanh(z); o = V a; s = exp(o); p = s / sum(s)"

JACOBIANS = {
    "layer": ("W : (m, n); y = f(W x + b)", "x", "diag(f′(W x + b)) W"),
    "center": ("x : n; x − mean(x) 1_n", "x", "I_n − (1_n 1_nᵀ) / n"),
    "length": ("x : n; x / ‖x‖", "x", "(I_n − (x xᵀ) / ‖x‖²) / ‖x‖"),
    "softmax": ("z : n; s = exp(z); p = s / sum(s)", "z", "diag(p) − p pᵀ"),
    "net": (NET, "x", "(diag(p) − p pᵀ) V diag(1 − a^∘2) W"),
    "both sides": ("A : (m, n); X : (n, p); B : (p, q); Y = A X B", "X", 'ein("ik,lj->ijkl", A, B)'),
    "transpose": ("X : (m, n); Y = Xᵀ", "X", 'ein("il,jk->ijkl", I_n, I_m)'),
    "quadratic": ("X : (m, n); B : (m, m); F = Xᵀ B X", "X",
                  'ein("il,kj->ijkl", I_n, B X) + ein("ik,jl->ijkl", Xᵀ B, I_n)'),
    "scalar": ("X : (n, n); E = tr(X X)", "X", "2 Xᵀ"),
    "in a scalar": ("s : scalar; x : n; y = s² x", "s", "2 s x"),
    "itself": ("x : n; y = x", "x", "I_n"),
    "unknown map": ("g : (n) -> (m); y = g(x)", "x", "Dg(x)"),
    "given": ("W : (m, n); z = W x; given grad z as g", "x", "W"),
}  # fmt: skip

HESSIANS = {
    "least squares": ("A : (m, n); E = ‖A x − y‖²", "x", "2 Aᵀ A"),
    "form": ("A : (n, n); E = xᵀ A x", "x", "A + Aᵀ"),
    "matrix": ("U : (m, k); V : (n, k); T : (m, n); E = ‖T − U Vᵀ‖²", "U", '2 ein("ik,jl->ijkl", I_m, Vᵀ V)'),
    "layer": ("W : (m, n); v : m; E = vᵀ f(W x)", "x", "Wᵀ diag(v ⊙ f″(W x)) W"),
    "mixed": ("W : (m, n); v : m; E = vᵀ tanh(W x)", ("v", "x"), "diag(1 − tanh(W x)^∘2) W"),
    "cross entropy": ("z : n; y : n; E = −yᵀ logsoftmax(z); assume sum(y) = 1", "z", "diag(softmax(z)) − softmax(z) softmax(z)ᵀ"),
    "functional": ("A : (m, n); E = loss(A x)", "x", "Aᵀ ∇∇loss(A x) A"),
    "linear": ("x : n; w : n; E = wᵀ x", "x", "0"),
    "cube": ("s : scalar; E = s³", "s", "6 s"),
}  # fmt: skip

VECS = {
    "both sides": "Bᵀ ⊗ A",
    "transpose": "commut(m, n)",
    "quadratic": "((Xᵀ Bᵀ) ⊗ I_n) commut(m, n) + I_n ⊗ (Xᵀ B)",
    "layer": "diag(f′(W x + b)) W",
}


@pytest.mark.parametrize("name", JACOBIANS)
def test_a_jacobian_as_it_is_written(name: str) -> None:
    text, wrt, expected = JACOBIANS[name]
    J = pb.jacobian(text, wrt)
    assert str(J) == expected
    confirmed(J)


@pytest.mark.parametrize("name", HESSIANS)
def test_a_hessian_as_it_is_written(name: str) -> None:
    text, wrt, expected = HESSIANS[name]
    H = pb.hessian(text, wrt)
    assert str(H) == expected
    confirmed(H)


def confirmed(J: pb.Jacobian) -> None:
    assert all(s.evidence for s in J.steps)
    assert len({s.id for s in J.steps}) == len(J.steps)
    known: set[str] = set()
    for s in J.steps:
        assert set(s.premises) <= known, s
        known.add(s.id)
    levels = [e.level for e in J.evidence]
    assert levels[0] == "TESTED-MODP" and levels[-1] == "LIFT"


@pytest.mark.parametrize("name", VECS)
def test_a_jacobian_as_one_matrix(name: str) -> None:
    text, wrt, _ = JACOBIANS[name]
    vec = pb.jacobian(text, wrt).vec()
    assert str(vec) == VECS[name]
    assert [e.level for e in vec.evidence] == ["STACKED-MODP"]


def test_what_has_no_matrix_with_kron_says_why_and_has_its_numbers_all_the_same() -> None:
    J = pb.jacobian("Q : (s, d); K : (t, d); S = tanh(Q Kᵀ); O = S ⊙ (Q Kᵀ)", "Q")
    found = J.vec().evaluate(Q=np.ones((2, 3)), K=np.ones((4, 3)))
    assert found.shape == (8, 6)
    J = pb.hessian("Om : (m, n); U : (m, k); V : (n, k); E = sum(Om ⊙ (U Vᵀ)^∘2)", "U")
    assert J.vec().form is None and "axes" in J.vec().reason
    assert str(J.vec()).startswith("vec(2 ein(")


# ---- on numbers ---------------------------------------------------------------------------------------------


def differences(f: Callable[[Any], Any], x: Any) -> Any:
    """∂f/∂x by central differences: the axes of f, then those of x."""
    columns = []
    for at in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[at] = 1e-6
        columns.append((f(x + step) - f(x - step)) / 2e-6)
    stacked = np.array(columns).reshape((*x.shape, *np.shape(columns[0])))
    return np.moveaxis(stacked, range(x.ndim), range(-x.ndim, 0))


def test_a_jacobian_on_numbers() -> None:
    rng = np.random.default_rng(3)
    W, V, b, x = rng.normal(size=(4, 3)), rng.normal(size=(5, 4)), rng.normal(size=4), rng.normal(size=3)

    def p(W: Any) -> Any:
        s = np.exp(V @ np.tanh(W @ x + b))
        return s / s.sum()

    J = pb.jacobian(NET, "W", "p")
    found = J.evaluate(W=W, V=V, b=b, x=x)
    assert found.shape == (5, 4, 3)
    assert np.allclose(found, differences(p, W), atol=1e-8)
    assert np.allclose(J.vec().evaluate(W=W, V=V, b=b, x=x), found.reshape(5, 12, order="F"))


@pytest.mark.parametrize("wrt", ["W", "x", ("W", "x"), ("x", "b"), ("z", "V")], ids=str)
def test_a_hessian_is_the_jacobian_of_the_gradient(wrt: Any) -> None:
    rng = np.random.default_rng(4)
    values = {
        "W": rng.normal(size=(4, 3)),
        "V": rng.normal(size=(5, 4)),
        "b": rng.normal(size=4),
        "x": rng.normal(size=3),
    }
    text = NET.replace("p = s / sum(s)", "E = log(sum(s))")
    H = pb.hessian(text, wrt)
    confirmed(H)
    v, w = wrt if isinstance(wrt, tuple) else (wrt, wrt)
    d = pb.derive(text, wrt=[v])
    expected = differences(lambda a: d.evaluate(**{**values, w: a})[1][v], values[w])
    assert np.allclose(H.evaluate(**values), expected, atol=1e-7)


def test_unknown_functions_are_given_with_their_derivatives() -> None:
    H = pb.hessian("W : (m, n); v : m; E = vᵀ f(W x)", "x")
    W, v, x = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([1.0, -2.0]), np.array([0.3, 0.1])
    found = H.evaluate(W=W, v=v, x=x, f=(np.sin, np.cos, lambda t: -np.sin(t)))
    assert np.allclose(found, W.T @ np.diag(-v * np.sin(W @ x)) @ W)


def test_what_is_assumed_is_used_after_everything_is_differentiated() -> None:
    """Σ x = 1 holds at the point, and not beside it: (Σ x)² is not constant."""
    H = pb.hessian("x : n; E = sum(x)²; assume sum(x) = 1", "x")
    assert str(H) == "2 1_n 1_nᵀ"


def test_results_are_written_in_forward_values_and_conditions_follow() -> None:
    H = pb.hessian("W : (m, n); z = W x; y = f(z); E = ½ ‖y‖² + loss(z)", "x")
    J = pb.jacobian("W : (m, n); z = W x; y = f(z); E = loss(y)", "W")
    assert str(J) == "(∇loss(y) ⊙ f′(z)) xᵀ"
    assert "f″(z)" in str(H) and "f is differentiable at every entry of z" in H.conditions
    assert "f′ is differentiable at every entry of z" in H.conditions


# ---- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: pb.jacobian("x : n; w : n; y = x ⊙ w"), "P050"),
        (lambda: pb.hessian("x : n; E = ‖x‖²", ("x", "x", "x")), "P050"),
        (lambda: pb.jacobian("x : n; y = 2 x", "q"), "P003"),
        (lambda: pb.jacobian("x : n; y = 2 x", "x", "q"), "P003"),
        (lambda: pb.hessian("x : n; y = 2 x", "x"), "S010"),
        (lambda: pb.jacobian("h[0] : n; h[t] = f(W h[t-1]) for t = 1..T; E = loss(h[T])", "W"), "U050"),
        (lambda: pb.hessian("x : n; E = Σ_{t=1..T} loss(t x)", "x"), "U050"),
    ],
)
def test_a_refusal(call: Callable[[], Any], code: str) -> None:
    with pytest.raises(pb.PullbackError) as why:
        call()
    assert why.value.code == code


def test_the_one_input_need_not_be_named() -> None:
    assert str(pb.jacobian("x : n; y = 2 x")) == "2 I_n"
    assert str(pb.hessian("x : n; E = ‖x‖²")) == "2 I_n"


def test_operators_are_read_too() -> None:
    W, x = pb.tensor("W", "m", "n"), pb.tensor("x", "n")
    assert str(pb.jacobian({"y": W @ x}, x)) == "W"
    assert str(pb.hessian({"E": (W @ x) @ (W @ x)}, wrt=(x, x))) == "2 Wᵀ W"


# ---- taking a node out --------------------------------------------------------------------------------------


def test_a_node_is_taken_out_and_put_back() -> None:
    assert str(itself(var("G", ())).attrs[0]) == "1"
    d = pb.derive("W : (m, n); y = f(W x); given grad y as g", wrt=["x"]).derivation
    seed = d.seed
    assert seed is not None
    known = {seed: itself(seed)}
    first = d.backward[0].value  # ∇y, which is G
    assert opened(first, known, seed.shape) is itself(seed)
    assert closed_with(itself(seed), seed).shape == first.shape


@pytest.mark.parametrize("start", range(0, 40, 10))
def test_random_programs(start: int) -> None:
    """Over every op of the random programs: each step, the whole, and where there is one the matrix."""
    for seed in range(start, start + 10):
        p = random_program(Random(seed))
        definitions = [Definition(v, e) for v, e in p.equations]
        stop = next(k for k, (v, _) in enumerate(p.equations) if v is p.target)
        found = open_up(definitions, p.inputs, p.target, p.wrt[0])
        forward, value = list(p.equations[: stop + 1]), found.value
        if not p.target.order and p.seed is None:
            source, [bar] = again(derive(definitions, p.inputs, p.target, [p.wrt[0]]), [p.wrt[0]])
            found = open_up(source.definitions, p.inputs, bar, p.wrt[-1], program=source)
            user = {v for v, _ in p.equations}
            forward = [*p.equations, *((d.var, d.value) for d in source.definitions if d.var not in user)]
            value = source.named(found.value)
        memo = Memo()
        for s in found.steps:
            check(s, memo)
        assert confirm_array(array_problem(forward, p.inputs, found.target, found.of, found.cotangent, value))


@pytest.mark.parametrize(
    ("text", "wrt"),
    [("Z : (B, n); y : B where index; E = cross_entropy(Z, y)", "Z"), ("z : n; k : scalar where index; E = pick(z, k)^3", "z"),
     ("x : n; y : B where index; E = sumsq(gather(x, y))^2", "x"), ("X : (B, m) where const; W : (m, n); y : B where index; E = cross_entropy(X W, y)", "W")],
)  # fmt: skip
def test_the_hessian_beside_labels(text: str, wrt: str) -> None:
    rng = np.random.default_rng(4)
    d = pb.derive(text, wrt=wrt)
    given = {"Z": rng.normal(size=(5, 4)), "X": rng.normal(size=(5, 3)), "W": rng.normal(size=(3, 4)), "z": rng.normal(size=4),
             "x": rng.normal(size=4), "y": np.array([1, 3, 0, 2, 2]), "k": 2}  # fmt: skip
    given = {v.attrs[0]: given[v.attrs[0]] for v in d.program.inputs}
    found = pb.hessian(text, wrt=wrt).evaluate(**given)
    wanted = differences(lambda a: d.evaluate(**{**given, wrt: a})[1][wrt], given[wrt])
    np.testing.assert_allclose(found, wanted, atol=1e-7)
