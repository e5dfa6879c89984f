"""Problems for scipy.optimize.minimize: gradients and Hessians against differences and JAX, known optima, and the door."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from _declared import any_program
from _layers import LAYERS

import pullback as pb
from pullback import minimising
from pullback.cli import main
from pullback.errors import CheckFailed, ParseError, UnsupportedError

np = pytest.importorskip("numpy")
optimize = pytest.importorskip("scipy.optimize")

from _oracle import SIZES, draw_inputs  # noqa: E402

from pullback.calculus.core import Definition  # noqa: E402
from pullback.calculus.curvature import curvature  # noqa: E402
from pullback.calculus.derive import derive  # noqa: E402
from pullback.code.frame import Words  # noqa: E402
from pullback.code.packed import with_product  # noqa: E402
from pullback.code.targets import writer_of  # noqa: E402
from pullback.show import notation  # noqa: E402
from pullback.show.names import ascii_name  # noqa: E402

ROSENBROCK = "x : n\nu = x[2:n]; v = x[1:n-1]\nE = 100*sum((u - v.^2).^2) + sum((1 - v).^2)"
LOGISTIC = "s : B where const; X : (B, n) where const; c : scalar where const\nu = X w + b*ones(B); b : scalar\nE = sum(softplus(u) - s .* u) / B + c/2 * w' w"

# name: (program, shape of every input, what moves), beside the layers
CLASSICS: dict[str, tuple[str, dict[str, tuple[int, ...]], list[str]]] = {
    "Rosenbrock": (ROSENBROCK, {"x": (6,)}, ["x"]),
    "Himmelblau": ("x, y : scalar\nE = (x^2 + y - 11)^2 + (x + y^2 - 7)^2", {"x": (), "y": ()}, ["x", "y"]),
    "logistic regression with an intercept": (LOGISTIC, {"s": (7,), "X": (7, 3), "c": (), "w": (3,), "b": ()}, ["w", "b"]),
    "Poisson regression": (
        "X : (B, n)\ny : B\nv = X w + b*ones(B); b : scalar\nE = sum(exp(v)) - y' v + 0.5*sum(w.^2)",
        {"X": (7, 3), "y": (7,), "w": (3,), "b": ()}, ["b", "w"]),
    "hyperparameters of a Gaussian process": (
        "D : (n, n)\ny : n\na, l, r : scalar\nK = exp(a) .* exp(-D ./ exp(l)) + exp(r) .* eye(n)\nE = 0.5*y'*(inv(K)*y) + 0.5*logdet(K)",
        {"D": (5, 5), "y": (5,), "a": (), "l": (), "r": ()}, ["a", "l", "r"]),
    "matrix factorisation": (
        "Y : (m, n)\nM : (m, n)\nU : (m, k)\nV : (n, k)\nc : scalar\nR = M .* (Y - U V')\nE = 0.5*sum(R.^2) + 0.5*c*(sum(U.^2) + sum(V.^2))",
        {"Y": (5, 4), "M": (5, 4), "U": (5, 2), "V": (4, 2), "c": ()}, ["U", "V"]),
    "nonnegative factorisation": ("W : (m, k)\nH : (k, n)\nE = ‖Y − exp(W) exp(H)‖²", {"Y": (5, 4), "W": (5, 2), "H": (2, 4)}, ["W", "H"]),
    "robust regression": ("A : (m, n)\nr = A x - b; E = sum(sqrt(1 + r.^2) - 1)", {"A": (6, 3), "b": (6,), "x": (3,)}, ["x"]),
    "Rayleigh quotient": ("A : (n, n) where symmetric\nE = (x' A x)/(x' x)", {"A": (5, 5), "x": (5,)}, ["x"]),
    "network": (
        "X : (n, B)\nA = tanh(W X + outer(b, ones(B))); P = V A; E = -sum(Y .* logsoftmax(P, axis=0)) / B",
        {"X": (4, 6), "W": (3, 4), "b": (3,), "V": (2, 3), "Y": (2, 6)}, ["V", "W", "b"]),
    "through a solution": ("v : n\nz = solve(A, v); E = z' z", {"A": (4, 4), "v": (4,)}, ["A"]),
    "a line": ("c : n\nt : scalar\nE = c' x + t", {"c": (4,), "x": (4,), "t": ()}, ["x", "t"]),
}  # fmt: skip
PROGRAMS = {**LAYERS, **CLASSICS}
each_program = pytest.mark.parametrize("name", PROGRAMS)


@cache
def derived(name: str) -> pb.Derived:
    return pb.derive(PROGRAMS[name][0], wrt=PROGRAMS[name][2])


def drawn(name: str) -> dict[str, Any]:
    """Arrays for the inputs of a program, in its domain."""
    rng = np.random.default_rng(3)
    arrays = {n: rng.normal(size=s) for n, s in PROGRAMS[name][1].items()}
    if "K" in arrays and "spd" in PROGRAMS[name][0]:
        arrays["K"] = arrays["K"] @ arrays["K"].T + 4 * np.eye(4)
    if "D" in arrays:
        place = rng.normal(size=5)
        arrays["D"] = (place[:, None] - place) ** 2
    if name == "Rayleigh quotient":
        arrays["A"] = arrays["A"] + arrays["A"].T
    if name == "through a solution":
        arrays["A"] = arrays["A"] + 4 * np.eye(4)
    return arrays


def made(d: pb.Derived, arrays: dict[str, Any], moving: list[str], form: str = "function") -> tuple[Any, Any]:
    """The problem for this data, and the vector of the arrays that move."""
    make = d.compile("scipy", wrt=moving, form=form)
    known = {s.name: n for v in d.derivation.inputs for s, n in zip(v.shape, np.shape(arrays[v.attrs[0]]), strict=True)}
    words = inspect.signature(make).parameters
    given = {w: arrays[w] if w in arrays and w not in moving else known[w] for w in words}
    problem = make(**given)
    return problem, problem.pack(**{n: arrays[n] for n in moving})


def differences(problem: Any, x: Any) -> Any:
    """The Hessian by central differences of the gradient."""
    h = 1e-5
    return np.stack([(problem.jac(x + h * e) - problem.jac(x - h * e)) / (2 * h) for e in np.eye(len(x))])


# ---- derivatives ---------------------------------------------------------------------------------------------------


@each_program
def test_value_gradient_and_hessian(name: str) -> None:
    """check_grad, the evaluator, differences of the gradient; hess and hessp are one matrix, and symmetric."""
    moving, d = PROGRAMS[name][2], derived(name)
    arrays = drawn(name)
    problem, x = made(d, arrays, moving)
    value, gradient = d.evaluate(**arrays)
    assert np.isclose(problem.fun(x), value, rtol=1e-12)
    back = problem.unpack(x)
    found = problem.unpack(problem.jac(x))
    for n in moving:
        np.testing.assert_array_equal(back[n], arrays[n])
        np.testing.assert_allclose(found[n], gradient[n], rtol=1e-10, atol=1e-12)
    assert optimize.check_grad(problem.fun, problem.jac, x) <= 1e-5 * max(1, np.max(np.abs(problem.jac(x))))
    both = problem.fun_and_jac(x)
    assert both[0] == problem.fun(x) and np.array_equal(both[1], problem.jac(x))
    H = problem.hess(x)
    scale = max(1.0, np.max(np.abs(H)))
    assert np.max(np.abs(H - differences(problem, x))) <= 1e-6 * scale
    assert np.max(np.abs(H - H.T)) <= 1e-12 * scale
    p = np.random.default_rng(4).normal(size=len(x))
    np.testing.assert_allclose(problem.hessp(x, p), H @ p, rtol=1e-10, atol=1e-11 * scale)


@each_program
def test_hessian_times_a_direction_is_that_of_jax(name: str) -> None:
    """jvp of the gradient that JAX itself derives from the forward pass."""
    jax = pytest.importorskip("jax")
    moving, d = PROGRAMS[name][2], derived(name)
    arrays = drawn(name)
    problem, x = made(d, arrays, moving)
    f = d.compile("jax")
    names = list(inspect.signature(f).parameters)
    p = np.random.default_rng(5).normal(size=len(x))
    along = problem.unpack(p)

    def value(move: dict[str, Any]) -> Any:
        return f(*[move[n] if n in moving else arrays[n] for n in names])[0]

    start = {n: np.asarray(arrays[n]) for n in moving}
    _, wanted = jax.jvp(jax.grad(value), (start,), ({n: np.asarray(along[n]) for n in moving},))
    found = problem.unpack(problem.hessp(x, p))
    for n in moving:
        np.testing.assert_allclose(found[n], wanted[n], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("start", range(0, 21, 7))
def test_random_programs(start: int) -> None:
    """H p over every op of the random programs, against differences of the gradient."""
    words = Words(ascii_name, lambda e: " ".join(notation.text(e).split()))
    right = 0
    for s in range(start, start + 7):
        program = any_program(Random(s))
        if program.target.order or program.seed is not None:
            continue
        point = draw_inputs(program, s)
        wrt = [v for v in program.inputs if v in program.wrt]
        if not wrt:
            continue
        first = derive([Definition(v, e) for v, e in program.equations], program.inputs, program.target, wrt)
        try:
            text = writer_of("scipy")(with_product(curvature(first, wrt), program.target, None), words, "problem")
        except UnsupportedError:
            continue
        module: dict[str, Any] = {}
        exec(compile(text, "<generated>", "exec"), module)
        make = module["make_problem"]
        given = {ascii_name(v.attrs[0]): a for v, a in point.items() if v not in wrt} | {
            ascii_name(n): k for n, k in SIZES.items()
        }
        if any(w.rstrip("_") not in given for w in inspect.signature(make).parameters):
            continue  # with a function of which only the name is known: below
        problem = make(**{w: given[w.rstrip("_")] for w in inspect.signature(make).parameters})
        names = {w.rstrip("_"): w for w in inspect.signature(problem.pack).parameters}
        x = problem.pack(**{names[ascii_name(v.attrs[0])]: point[v] for v in wrt})
        if not np.max(np.abs(problem.jac(x))) < 1e4 or "NotImplementedError" in text:
            continue
        p, h = np.random.default_rng(s).normal(size=len(x)), 1e-5
        found, wanted = problem.hessp(x, p), (problem.jac(x + h * p) - problem.jac(x - h * p)) / (2 * h)
        scale = max(1.0, np.max(np.abs(wanted)))
        assert np.max(np.abs(found - wanted)) <= 1e-4 * scale, s
        np.testing.assert_allclose(problem.hess(x) @ p, found, atol=1e-9 * scale)
        right += 1
    assert right >= 1


def test_a_function_of_which_only_the_name_is_known_brings_its_second_derivative() -> None:
    d = pb.derive("z = W a + b; y = f(z); E = loss(y)", wrt=["W", "b"])
    make = d.compile("scipy")
    assert {"f", "df", "d2f", "loss", "grad_loss", "hess_loss"} <= set(inspect.signature(make).parameters)
    rng = np.random.default_rng(0)
    problem = make(a=rng.normal(size=3), m=2, f=np.sin, df=np.cos, d2f=lambda z: -np.sin(z),
                   loss=lambda y: np.sum(y**4), grad_loss=lambda y: 4 * y**3, hess_loss=lambda y: np.diag(12 * y**2))  # fmt: skip
    x = problem.pack(W=rng.normal(size=(2, 3)), b=rng.normal(size=2))
    assert optimize.check_grad(problem.fun, problem.jac, x) < 1e-6
    np.testing.assert_allclose(problem.hess(x), differences(problem, x), atol=1e-8)


SETS = {
    "symmetric": lambda A: A + A.T,
    "skew": lambda A: A - A.T,
    "lower": np.tril,
    "upper": np.triu,
    "diagonal": lambda A: np.diag(np.diag(A)),
}


@pytest.mark.parametrize("kind", SETS)
def test_a_matrix_that_ranges_over_a_set_is_packed_by_its_free_entries(kind: str) -> None:
    """Every vector is a matrix of the set, so that the derivatives are those of an ordinary function of a vector."""
    d = pb.derive(f"K : (n, n) where {kind}\nE = y' (K K y + b) + sum(K .* K .* K); b : n", wrt=["b", "K"])
    rng = np.random.default_rng(0)
    A, b = 5 * rng.normal(size=(4, 4)), rng.normal(size=4)
    problem = d.compile("scipy")(y=np.array([1.0, -2.0, 3.0, 0.5]))
    with pytest.raises(ValueError, match=f"K is not {kind}"):
        problem.pack(b=b, K=A)
    x = problem.pack(b=b, K=SETS[kind](A))
    assert len(x) == 4 + {"diagonal": 4, "skew": 6}.get(kind, 10)
    np.testing.assert_array_equal(problem.unpack(x)["K"], SETS[kind](A))
    assert optimize.check_grad(problem.fun, problem.jac, x) <= 1e-5 * np.max(np.abs(problem.jac(x)))
    H = problem.hess(x)
    np.testing.assert_allclose(H, differences(problem, x), atol=1e-6 * np.max(np.abs(H)))
    alone = pb.derive(f"K : (n, n) where {kind}\nE = tr(K K') + sum(K)").compile("scipy")(n=3)
    assert optimize.check_grad(alone.fun, alone.jac, alone.pack(K=SETS[kind](A[:3, :3]))) < 1e-5


def test_what_is_assumed_at_the_point_is_not_used_on_the_way() -> None:
    """A minimiser leaves the set where sum(y) = 1 holds, and there the gradient with the assumption is another one."""
    d = pb.derive("y, c : n\nassume sum(y) = 1\nE = sum(y)^2 + sum(y)*c'*y", wrt=["y"])
    c, y = np.array([2.0, -1.0, 0.5]), np.array([3.0, 1.0, -2.0])
    for form in ("function", "gradient"):
        problem = d.compile("scipy", form=form)(c=c)
        assert optimize.check_grad(problem.fun, problem.jac, y) < 1e-5
    problem = d.compile("scipy")(c=c)
    np.testing.assert_allclose(problem.hess(y), 2 + c[:, None] + c, rtol=1e-12)


def test_a_wrong_product_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backward equation that lost a term, and a step that says another thing, are found before there is code."""
    d = pb.derive("z = W a; y = tanh(z); E = sum(y .* y .* y)", wrt=["W"])
    right = minimising.curvature

    def without_a_factor(*given: Any) -> Any:
        found = right(*given)
        [k] = [k for k, b in enumerate(found.derivation.backward) if str(b.of.attrs[0]) == "W"]
        b = found.derivation.backward[k]
        found.derivation.backward[k] = replace(b, value=b.value * 2)
        return found

    monkeypatch.setattr(minimising, "curvature", without_a_factor)
    with pytest.raises(CheckFailed, match="the gradients do not agree with the program"):
        d.code("scipy")

    def with_a_wrong_step(*given: Any) -> Any:
        found = right(*given)
        steps = found.derivation.steps
        k = next(k for k, s in enumerate(steps) if s.claim.kind == "EQ" and s.about == "z" and s.claim.left is not None)
        steps[k] = replace(steps[k], claim=replace(steps[k].claim, right=steps[k].claim.left * 2))
        return found

    monkeypatch.setattr(minimising, "curvature", with_a_wrong_step)
    with pytest.raises(CheckFailed):
        d.code("scipy")


# ---- minima --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["trust-ncg", "Newton-CG", "trust-krylov", "trust-constr"])
def test_rosenbrock_is_minimised_by_hessian_vector_products(method: str) -> None:
    problem = pb.derive(ROSENBROCK).compile("scipy")(n=7)
    found = optimize.minimize(problem.fun, problem.pack(x=np.full(7, -0.7)), jac=problem.jac, hessp=problem.hessp, method=method,
                              options={"gtol": 1e-8, "maxiter": 1000} if method != "Newton-CG" else {"xtol": 1e-12})  # fmt: skip
    np.testing.assert_allclose(problem.unpack(found.x)["x"], np.ones(7), atol=1e-6)


@pytest.mark.parametrize("method", ["trust-exact", "dogleg"])
def test_a_convex_problem_is_minimised_with_the_matrix(method: str) -> None:
    rng = np.random.default_rng(1)
    A, b = rng.normal(size=(8, 3)), rng.normal(size=8)
    d = pb.derive("A : (m, n) where const; b : m where const\nE = ‖A x − b‖² + 0.1 x' x", wrt=["x"])
    problem = d.compile("scipy")(A=A, b=b)
    found = optimize.minimize(
        problem.fun, problem.pack(x=np.zeros(3)), jac=problem.jac, hess=problem.hess, method=method
    )
    np.testing.assert_allclose(found.x, np.linalg.solve(A.T @ A + 0.1 * np.eye(3), A.T @ b), rtol=1e-7)


@pytest.mark.parametrize("method", ["trust-ncg", "Newton-CG", "L-BFGS-B", "BFGS"])
def test_logistic_regression_is_that_of_scikit_learn(method: str) -> None:
    """Two arrays of different shapes, one of them a number."""
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(2)
    X = rng.normal(size=(80, 4))
    s = (X @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.3 + rng.normal(size=80) > 0).astype(float)
    problem = pb.derive(LOGISTIC).compile("scipy")(s=s, X=X, c=1 / 80)
    x0 = problem.pack(w=np.zeros(4), b=0)
    second = {"hessp": problem.hessp} if method in ("trust-ncg", "Newton-CG") else {}
    options = (
        {"ftol": 1e-15, "gtol": 1e-9}
        if method == "L-BFGS-B"
        else {"xtol": 1e-10}
        if method == "Newton-CG"
        else {"gtol": 1e-9}
    )
    found = optimize.minimize(problem.fun_and_jac, x0, jac=True, method=method, options=options, **second)
    wanted = linear.LogisticRegression(C=1.0, tol=1e-12, max_iter=1000, solver="newton-cholesky").fit(X, s)
    arrays = problem.unpack(found.x)
    np.testing.assert_allclose(arrays["w"], wanted.coef_[0], atol=1e-6)
    np.testing.assert_allclose(arrays["b"], wanted.intercept_[0], atol=1e-6)


def test_a_factorisation_finds_the_matrix() -> None:
    rng = np.random.default_rng(5)
    Y = rng.normal(size=(6, 2)) @ rng.normal(size=(2, 5))
    text, _, moving = CLASSICS["matrix factorisation"]
    problem = pb.derive(text, wrt=moving).compile("scipy")(Y=Y, M=np.ones_like(Y), c=0.0, k=2)
    x0 = problem.pack(U=rng.normal(size=(6, 2)), V=rng.normal(size=(5, 2)))
    found = optimize.minimize(
        problem.fun, x0, jac=problem.jac, hessp=problem.hessp, method="trust-ncg", options={"gtol": 1e-9}
    )
    arrays = problem.unpack(found.x)
    np.testing.assert_allclose(arrays["U"] @ arrays["V"].T, Y, atol=1e-6)


def test_a_step_out_of_the_domain_is_taken_back() -> None:
    """log(x) is no number for x < 0; the value there is inf, and jac says which array it is."""
    problem = pb.derive("x : n\na : n where const\nu = log(x)\nE = a' x - sum(u)").compile("scipy")(
        a=np.array([0.5, 4.0, 10.0])
    )
    x = problem.pack(x=[1, -1, 1])
    with np.errstate(invalid="ignore"):
        assert problem.fun(x) == np.inf
        for f in (problem.jac, problem.fun_and_jac):
            with pytest.raises(FloatingPointError, match=r"an entry of u is no number \(NaN\)"):
                f(x)
        found = optimize.minimize(
            problem.fun, np.ones(3), jac=problem.jac, hessp=problem.hessp, method="trust-ncg", options={"gtol": 1e-10}
        )
    np.testing.assert_allclose(found.x, [2, 0.25, 0.1], rtol=1e-7)


# ---- what is kept, and what is refused --------------------------------------------------------------------------------


def test_each_thing_is_computed_once_for_an_x() -> None:
    """The forward pass by fun, the backward pass by jac; and a vector that its owner changes is another one."""
    calls = {"f": 0, "df": 0, "d2f": 0}

    def counted(name: str, f: Any) -> Any:
        def call(z: Any) -> Any:
            calls[name] += 1
            return f(z)

        return call

    make = pb.derive("z = W a; E = sum(f(z))", wrt=["W"]).compile("scipy")
    given = {"f": counted("f", np.sin), "df": counted("df", np.cos), "d2f": counted("d2f", lambda z: -np.sin(z))}
    problem = make(a=np.array([1.0, 2.0, 3.0]), m=2, **given)
    x = problem.pack(W=np.ones((2, 3)))
    for p in np.eye(6):
        problem.fun(x), problem.jac(x), problem.fun_and_jac(x), problem.hessp(x, p)
    problem.hess(x)
    assert calls == {"f": 1, "df": 1, "d2f": 1}
    before, slope = problem.fun(x), problem.jac(x)
    x[0] = 5
    assert problem.fun(x) != before and not np.array_equal(problem.jac(x), slope)
    slope[:] = 0
    assert np.all(problem.jac(np.ones(6)) != 0)


def test_the_data_are_copied() -> None:
    A, b = np.ones((3, 2)), np.ones(3)
    problem = pb.derive("A : (m, n); E = ‖A x − b‖²", wrt=["x"]).compile("scipy")(A=A, b=b)
    before = problem.jac(np.zeros(2))
    A[:], b[:] = 7, 7
    np.testing.assert_array_equal(problem.jac(np.zeros(2)), before)
    np.testing.assert_array_equal(problem.jac(np.ones(2)), before + problem.hessp(np.ones(2), np.ones(2)))


def _problem() -> Any:
    return pb.derive("z = W a + b; y = tanh(z); E = ½ ‖y − t‖²", wrt=["W", "b"]).compile("scipy")


W, a, b, t = np.ones((2, 3)), np.ones(3), np.zeros(2), np.zeros(2)
DATA = {
    "shape": ({"a": W, "t": t}, ValueError, "a has 2 axes, not 1"),
    "missing": ({"a": a}, TypeError, "missing 1 required keyword-only argument: 't'"),
    "by place": ({"q": a, "a": a, "t": t}, TypeError, "unexpected keyword argument 'q'"),
    "NaN": ({"a": np.array([1, np.nan, 1]), "t": t}, FloatingPointError, r"an entry of a is no number \(NaN\)"),
    "complex": ({"a": 1j * a, "t": t}, TypeError, "a has the type complex128, not real numbers"),
    "text": ({"a": np.array(["x", "y", "z"]), "t": t}, TypeError, "a has the type <U1, not real numbers"),
}


@pytest.mark.parametrize("case", DATA)
def test_wrong_data_are_refused_at_the_door(case: str) -> None:
    given, error, message = DATA[case]
    with pytest.raises(error, match=message):
        _problem()(**given)


PACKED = {
    "shape": ({"W": np.ones((3, 2)), "b": b}, ValueError, r"W has the shape \(3, 2\), not \(2, 3\), in z = W a \+ b"),
    "axes": ({"W": W, "b": np.ones((2, 1))}, ValueError, "b has 2 axes, not 1"),
    "missing": ({"W": W}, TypeError, "missing 1 required keyword-only argument: 'b'"),
    "NaN": ({"W": W * np.nan, "b": b}, FloatingPointError, r"an entry of W is no number \(NaN\)"),
}


@pytest.mark.parametrize("case", PACKED)
def test_wrong_arrays_are_not_packed(case: str) -> None:
    given, error, message = PACKED[case]
    with pytest.raises(error, match=message):
        _problem()(a=a, t=t).pack(**given)


@pytest.mark.parametrize("way", ["fun", "jac", "fun_and_jac", "hess", "unpack", "hessp"])
def test_a_wrong_vector_is_refused(way: str) -> None:
    problem = _problem()(a=a, t=t)
    f = getattr(problem, way) if way != "hessp" else lambda x: problem.hessp(x, np.ones(8))
    with pytest.raises(ValueError, match=r"x has the shape \(7,\), not \(8,\)"):
        f(np.ones(7))
    with pytest.raises(FloatingPointError, match=r"an entry of x is no number \(NaN\)"):
        f(np.array([1.0] * 7 + [np.nan]))
    with pytest.raises(TypeError, match="x has the type complex128"):  # a complex step would lose its imaginary part
        f(1j * np.ones(8))


def test_a_wrong_direction_and_a_wrong_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"p has the shape \(2, 4\), not \(8,\)"):
        _problem()(a=a, t=t).hessp(np.ones(8), np.ones((2, 4)))
    make = pb.derive(ROSENBROCK).compile("scipy")
    for n, error in ((0, ValueError), (2.5, TypeError)):
        with pytest.raises(error):
            make(n=n)


def test_other_numbers_are_taken_as_float64() -> None:
    problem = _problem()(a=[1, 2, 3], t=np.zeros(2, "float32"))
    x = problem.pack(W=[[1, 0, 2], [0, 1, 1]], b=[True, False])
    assert x.dtype == np.float64 and problem.jac(x.astype("float32")).dtype == np.float64


def test_without_a_second_derivative_the_first_is_written() -> None:
    """All entries but two have no code: the module says so, and so does hessp."""
    d = pb.derive("x : n; E = prod(x)")
    text = d.code("scipy")
    assert "There is no hess and no hessp:\n    there is no code for prod_except in this version." in text
    problem = d.compile("scipy")(n=3)
    x = problem.pack(x=[2.0, 3.0, 5.0])
    np.testing.assert_allclose(problem.jac(x), [15, 10, 6])
    for call in (lambda: problem.hessp(x, x), lambda: problem.hess(x)):
        with pytest.raises(NotImplementedError, match="there is no code for prod_except"):
            call()


def test_the_gradient_alone_can_be_asked_for() -> None:
    problem, x = made(pb.derive(LOGISTIC), drawn("logistic regression with an intercept"), ["w", "b"], form="gradient")
    assert set(vars(problem)) == {"fun", "jac", "fun_and_jac", "pack", "unpack"}
    assert optimize.check_grad(problem.fun, problem.jac, x) < 1e-6


def test_what_cannot_be_packed_is_refused() -> None:
    with pytest.raises(ParseError, match="z is computed: a minimiser moves inputs"):
        pb.derive("z = W a; E = z' z", wrt=["W", "z"]).code("scipy")
    with pytest.raises(ParseError, match="y is no number: only its gradient is given"):
        pb.derive("z = W a; y = tanh(z); given grad y as g").code("scipy")
    with pytest.raises(ParseError, match="no gradient of a was derived"):
        pb.derive("z = W a; E = z' z", wrt=["W"]).code("scipy", wrt=["a"])
    with pytest.raises(ParseError, match="a hessian is nothing that SciPy minimises"):
        pb.hessian("E = ‖A x − y‖²", wrt="x").code("scipy")
    with pytest.raises(UnsupportedError, match="index"):
        pb.derive("h[0] : m\nh[t] = tanh(W h[t-1]) for t = 1..T\nE = ‖h[T]‖²", wrt=["W"]).code("scipy")


def test_names_of_the_user_are_not_ours() -> None:
    d = pb.derive(
        "x, p, s, size, fun, columns, rows, k, H, step : n\nE = sum(tanh(x) .* p .* s .* size .* fun .* columns .* rows .* k .* H .* step)"
    )
    arrays = dict.fromkeys(["x", "p", "s", "size", "fun", "columns", "rows", "k", "H", "step"])
    rng = np.random.default_rng(0)
    arrays = {n: rng.normal(size=4) for n in arrays}
    make = d.compile("scipy", wrt=["x", "k", "size"])
    renamed = {"size": "size_", "fun": "fun_"}
    problem = make(**{renamed.get(n, n): v for n, v in arrays.items() if n not in ("x", "k", "size")})
    x = problem.pack(x=arrays["x"], k=arrays["k"], size_=arrays["size"])
    assert optimize.check_grad(problem.fun, problem.jac, x) < 1e-6
    np.testing.assert_allclose(problem.hess(x), differences(problem, x), atol=1e-8)
    assert set(problem.unpack(x)) == {"x", "k", "size"}


# ---- the text ------------------------------------------------------------------------------------------------------


def test_ruff_has_nothing_to_say(tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    more = {
        "expm": "A : (n, n); E = tr(expm(A))",
        "prod": "x : n; E = prod(x)",
        "free": "z = W a + b; y = f(z); E = loss(y)",
    }
    texts = {name: derived(name).code("scipy") for name in PROGRAMS}
    texts |= {name: pb.derive(text).code("scipy") for name, text in more.items()}
    texts["first"] = pb.derive(LOGISTIC).code("scipy", form="gradient", name="regression")
    assert "def make_regression(" in texts["first"]
    for k, text in enumerate(texts.values()):
        (tmp_path / f"problem_{k}.py").write_text(text, encoding="utf-8")
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_equations_stand_above_the_lines() -> None:
    text = pb.derive(LOGISTIC).code("scipy")
    for line in (
        "# u = X w + b   (B,)\n        u = X @ w + b",
        "# ∇w = 2 u₃ w + Xᵀ ∇u   (n,)\n        grad_w = 2 * u_3 * w + ",
        "# r_w = 2 u₃ r_∇w + Xᵀ r_u   (n,)\n        r_w = 2 * u_3 * p_w + ",
        "# u₃ = c / 2\n    u_3 = 0.5 * c",
        "    w: shape (n,)\n    b: a number\n\n    Given once:\n    s: shape (B,)",
    ):
        assert line in text, line


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "problem.py"
    assert main(["code", "-e", "z = W a + b; E = ‖z − t‖²", "--target", "scipy", "--wrt", "W,b", "-o", str(out)]) == 0
    module: dict[str, Any] = {}
    exec(out.read_text(encoding="utf-8"), module)
    problem = module["make_problem"](a=a, t=t)
    x = problem.pack(W=W, b=b)
    assert problem.fun(x) == 18.0
    capsys.readouterr()
    assert main(["code", "-e", "E = ‖x‖²", "--target", "numpy", "--form", "gradient"]) == 2
    assert "numpy has no form gradient" in capsys.readouterr().err


@pytest.mark.parametrize("body", ["E = tr(C S) − logdet(S)", "L = chol(S); E = tr(C S) − 2 sum(log(diag(L)))"])
def test_outside_of_the_positive_definite_matrices_the_value_is_infinite(body: str) -> None:
    """The determinant of −I is 1 for two rows: the function that is minimised ends where the set ends."""
    d = pb.derive(f"S : (n, n) where positive_definite; C : (n, n) where const; {body}", wrt="S")
    problem = d.compile("scipy")(C=np.array([[2.0, 0.3], [0.3, 1.0]]))
    with pytest.raises(ValueError, match="S is not positive definite"):
        problem.pack(S=-np.eye(2))
    outside = -problem.pack(S=np.eye(2))
    assert problem.fun(outside) == np.inf
    with pytest.raises(FloatingPointError, match="S is not positive definite"):
        problem.jac(outside)
    found = optimize.minimize(problem.fun, problem.pack(S=0.1 * np.eye(2)), jac=problem.jac, method="BFGS")
    assert found.fun == pytest.approx(np.log(1.91) + 2)


def test_a_larger_of_two_computed_arrays_has_a_hessian() -> None:
    p = pb.derive("x : n; w : n; E = sum(sin(maximum(sin(x), w)))").compile("scipy")(n=3)
    x = p.pack(x=np.array([0.1, 0.2, 0.3]), w=np.array([0.0, 1.0, 0.0]))
    h = p.hess(x)
    differences = [(p.jac(x + e) - p.jac(x - e)) / 2e-6 for e in 1e-6 * np.eye(6)]
    np.testing.assert_allclose(h, np.array(differences), atol=1e-8)
