"""Functions that a program defines: what is read, what is refused, and values and gradients against JAX in float64."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import pullback as pb
from pullback.algebra.expr import Expr, postorder
from pullback.algebra.ops.defined import Defined, definition_of, unfolded
from pullback.show import notation

np = pytest.importorskip("numpy")
jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
jax.config.update("jax_enable_x64", True)

EXAMPLE = (Path(__file__).parents[2] / "examples" / "own_function.eqn").read_text(encoding="utf-8")
Array = Any


def derivatives(d: pb.Derived) -> dict[str, str]:
    """What the page calls each derivative, and what it is."""
    return {notation.text(m.node): notation.text(m.value) for f in d.derivation.functions for m in f.derived}


def close(a: Array, b: Array, tolerance: float = 1e-10) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and bool(
        np.all(np.abs(a - b) <= tolerance * max(1.0, float(np.max(np.abs(b), initial=0))))
    )


def same_as_jax(
    text: str, value: Callable[..., Array], arrays: Mapping[str, Array], tolerance: float = 1e-10
) -> pb.Derived:
    """The value and every gradient of the program are those of the function written in JAX."""
    d = pb.derive(text)
    found, gradients = d.evaluate(**arrays)
    names = list(d)
    assert close(found, value(**arrays), tolerance)
    for name in names:
        expected = jax.grad(lambda x, name=name: value(**{**arrays, name: x}))(jnp.asarray(arrays[name]))
        assert close(gradients[name], expected, tolerance), name
    return d


# ---- what the issue asks for


def test_the_gradient_is_written_with_the_derivative_and_the_derivative_is_derived() -> None:
    d = pb.derive("phi(t) = t * tanh(log(1 + exp(t))); W : (m, n); z = W a + b; y = phi(z); E = loss(y)")
    assert str(d["z"]) == "∇y ⊙ phi′(z)"
    assert str(d["W"]) == "∇z aᵀ" and str(d["a"]) == "Wᵀ ∇z"
    assert derivatives(d) == {
        "phi′(t)": "tanh(log(1 + exp(t))) + t (1 − tanh(log(1 + exp(t)))²) (exp(t) / (1 + exp(t)))"
    }


def test_every_format_shows_the_definition_and_the_derivative_once() -> None:
    d = pb.derive(EXAMPLE)
    for page, sign in (
        (d.text(), "softcap′(t) = 1 − tanh(t / c)²"),
        (d.text(ascii=True), "softcap'(t) = 1 - tanh(t / c)^2"),
    ):
        assert "softcap(t) = c tanh(t / c)" in page
        assert page.count(sign) == 2  # where it is derived, and below the results
    for page in (d.latex(), d.markdown()):
        assert r"\mathit{softcap}'(t) = 1 - \tanh(t / c)^{2}" in page
    found = {f["name"]: f for f in json.loads(d.to_json())["own_functions"]}
    assert [x["equation"]["text"] for x in found["softcap"]["derivatives"]] == [
        "softcap′(t) = 1 − tanh(t / c)²", "∂c_softcap(t) = tanh(t / c) + (t / c) (tanh(t / c)² − 1)",
    ]  # fmt: skip
    assert found["softcap"]["outside"] == ["c"] and found["phi"]["outside"] == []


def test_every_step_of_a_derivative_has_its_evidence_and_its_rules() -> None:
    for f in pb.derive(EXAMPLE).derivation.functions:
        for m in f.derived:
            assert [s.kind for s in m.steps] == ["differential", "slope", "derivative"]
            assert {e.level for e in m.steps[0].evidence} == {"LINEAR", "TESTED-MODP"}
            assert all(s.evidence and s.rules for s in m.steps)


@pytest.mark.parametrize("style", ["pairing", "jacobian", "index", "scalar", "diagram", "all"])
def test_every_reading_and_picture_is_made(style: str) -> None:
    d = pb.derive(EXAMPLE)
    for page in (d.text(style=style, level=4), d.latex(style=style, level=4), d.markdown(style=style, level=4)):
        assert "softcap" in page
    assert all(d.draw(what, form) for what in ("network", "diagrams") for form in ("svg", "dot", "mermaid", "tikz"))
    assert d.draw(sizes={"m": 2, "n": 3})


# ---- values and gradients against JAX


def rng(seed: int) -> Any:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 2), (2, 5)])
def test_a_layer_with_functions_of_its_own(m: int, n: int) -> None:
    r = rng(m)
    arrays = {"W": r.normal(size=(m, n)), "a": r.normal(size=n), "b": r.normal(size=m), "c": np.array(1.7)}

    def value(W: Array, a: Array, b: Array, c: Array) -> Array:
        z = W @ a + b
        y = z * jnp.tanh(jnp.log(1 + jnp.exp(z)))
        return jnp.sum(c * jnp.tanh(y / c))

    same_as_jax(EXAMPLE.replace("E = loss(y)", "E = sum(y)"), value, arrays)


@pytest.mark.parametrize(("m", "n"), [(2, 3), (4, 1)])
def test_several_parameters_matrices_and_numbers_among_the_arguments(m: int, n: int) -> None:
    r = rng(n)
    arrays = {"X": r.normal(size=(m, n)), "Y": r.normal(size=(m, n)), "s": np.array(0.8), "A": r.normal(size=(n, m))}
    text = """
        X : (m, n); Y : (m, n); s : scalar; A : (n, m)
        g(s, t) = s^2 * sin(t) + s / (1 + t^2)
        E = sum(g(X, Y)) + tr(g(X, s) A) + g(s, 2) + ⟨g(Aᵀ, X), Y⟩
    """

    def g(s: Array, t: Array) -> Array:
        return s**2 * jnp.sin(t) + s / (1 + t**2)

    def value(X: Array, Y: Array, s: Array, A: Array) -> Array:
        return jnp.sum(g(X, Y)) + jnp.trace(g(X, s) @ A) + g(s, 2.0) + jnp.sum(g(A.T, X) * Y)

    d = same_as_jax(text, value, arrays)
    assert derivatives(d)["∂1_g(s, t)"] == "2 s sin(t) + (1 + t²)⁻¹"


def test_functions_of_functions_primes_and_sizes() -> None:
    arrays = {"x": rng(3).normal(size=4), "k": np.array(0.6)}
    text = """
        x : n; k : scalar
        psi2(t) = phi2(k t) + phi2'(t) / n
        phi2(t) = t^3 exp(-t^2) + k t
        E = sum(psi2(x)) + sum(psi2'(x)) + sum(phi2''(x ⊙ x))
    """

    def phi(t: Array, k: Array) -> Array:
        return t**3 * jnp.exp(-(t**2)) + k * t

    slope = jax.grad(phi)

    def psi(t: Array, k: Array) -> Array:
        return phi(k * t, k) + slope(t, k) / 4

    def value(x: Array, k: Array) -> Array:
        def each(t: Array) -> Array:
            return psi(t, k) + jax.grad(psi)(t, k) + jax.grad(slope)(t * t, k)

        return jnp.sum(jax.vmap(each)(x))

    d = same_as_jax(text, value, arrays, 1e-9)
    assert "phi2‴(t)" in derivatives(d) and "psi2″(t)" in derivatives(d)


def test_an_unknown_function_inside_a_definition() -> None:
    d = pb.derive("h(t) = t f(t) + f(2 t); E = sum(h(x))")
    assert derivatives(d) == {"h′(t)": "f(t) + t f′(t) + 2 f′(2 t)"}
    x = rng(4).normal(size=3)
    value, gradients = d.evaluate(x=x, f=(np.sin, np.cos))
    assert close(value, np.sum(x * np.sin(x) + np.sin(2 * x)))
    assert close(gradients["x"], np.sin(x) + x * np.cos(x) + 2 * np.cos(2 * x))


def test_a_recurrence_with_a_function_of_its_own() -> None:
    r = rng(5)
    W, h, c, L = r.normal(size=(3, 2, 2)), r.normal(size=2), 1.3, 3
    d = pb.derive("h[0] : n; act(t) = c tanh(t / c); h[k] = act(W[k] h[k-1]) for k = 1..L; E = loss(h[L])")
    assert str(d["h[k]"]) == "W[k+1]ᵀ (∇h[k+1] ⊙ act′(W[k+1] h[k]))"

    def value(W: Array, h: Array, c: Array) -> Array:
        for k in range(L):
            h = c * jnp.tanh(W[k] @ h / c)
        return jnp.sum(h**3)

    found, gradients = d.evaluate(W=W, h={0: h}, c=np.array(c), L=L, loss=(lambda y: np.sum(y**3), lambda y: 3 * y**2))
    assert close(found, value(W, h, c))
    assert close(gradients["c"], jax.grad(value, 2)(W, h, c))
    assert close(gradients["W"][2], jax.grad(value)(jnp.asarray(W), h, c)[1])


def test_index_notation_and_the_matlab_dialect() -> None:
    arrays = {"W": rng(6).normal(size=(2, 3)), "a": rng(7).normal(size=3)}

    def value(W: Array, a: Array) -> Array:
        z = W @ a
        return jnp.sum(z**2 * jnp.cos(z))

    same_as_jax("q(t) = t^2 cos(t)\nz_i = sum_j W_ij a_j\ny_i = q(z_i)\nE = sum(y)", value, arrays)
    same_as_jax("dialect: matlab\nW : (m, n)\nq(t) = t^2*cos(t)\nE = sum(q(W*a))", value, arrays)


def test_bounds_masks_and_activations_inside_a_definition() -> None:
    text = """
        x : n; a : scalar
        p(t) = leaky_relu(t, 0.1) + clip(t, -1, a) * maximum(t, 2 t) + abs(t) * t
        q(t) = leaky_relu(t, a) + t relu(t - a) + |t|^(t / 2)
        E = sum(p(x)) + sum(q(x))
    """

    def value(x: Array, a: Array) -> Array:
        p = jnp.where(x > 0, x, 0.1 * x) + jnp.clip(x, -1, a) * jnp.maximum(x, 2 * x) + jnp.abs(x) * x
        return jnp.sum(p + jnp.where(x > 0, x, a * x) + x * jnp.maximum(x - a, 0) + jnp.abs(x) ** (x / 2))

    same_as_jax(text, value, {"x": np.array([-2.3, -0.4, 0.3, 1.9]), "a": np.array(0.7)})


def test_the_hessian_has_the_second_derivative() -> None:
    r = rng(8)
    W, x, c = r.normal(size=(3, 2)), r.normal(size=2), 1.4
    H = pb.hessian("W : (m, n); x : n; c : scalar; act(t) = c tanh(t / c)^2; E = sum(act(W x))", wrt="x")
    assert str(H) == "Wᵀ diag(act″(W x)) W"
    assert "act″(t) =" in H.page()
    expected = jax.hessian(lambda x: jnp.sum(c * jnp.tanh(W @ x / c) ** 2))(x)
    assert close(H.evaluate(W=W, x=x, c=np.array(c)), expected)


# ---- scoping and reading


def test_a_parameter_is_a_name_of_its_line_alone() -> None:
    d = pb.derive("W : (m, n); phi(W) = W^2 + x0; q(n) = n^3; z = W a; E = sum(phi(z)) + sum(q(z))")
    assert list(d) == ["W", "x0", "a"]
    assert str(d["z"]) == "q′(z) + phi′(z)" or str(d["z"]) == "phi′(z) + q′(z)"
    assert any("x0" in a and "stands in the definition of phi" in a for a in d.program.assumptions)


def test_a_name_from_outside_may_be_computed() -> None:
    arrays = {"x": rng(9).normal(size=3), "k": np.array(0.3)}
    text = "cap(t) = c tanh(t / c); c = exp(k); k : scalar; y = cap(x); E = ‖y‖²"
    same_as_jax(text, lambda x, k: jnp.sum((jnp.exp(k) * jnp.tanh(x / jnp.exp(k))) ** 2), arrays)


def test_another_number_in_the_place_of_a_name_from_outside() -> None:
    arrays = {"x": rng(10).normal(size=3), "c": np.array(1.2)}
    text = "c : scalar; cap(t) = c tanh(t / c); E = sum(cap(x)) + sum(cap(x; c = 2 c))"

    def cap(x: Array, c: Array) -> Array:
        return c * jnp.tanh(x / c)

    same_as_jax(text, lambda x, c: jnp.sum(cap(x, c)) + jnp.sum(cap(x, 2 * c)), arrays)


def test_an_unused_parameter_and_a_constant() -> None:
    d = pb.derive("k(s, t) = t; one(t) = 3; E = sum(k(x, y)) + sum(one(x))")
    assert derivatives(d)["∂1_k(s, t)"] == "0" and derivatives(d)["one′(t)"] == "0"
    _, gradients = d.evaluate(x=np.ones(2), y=np.ones(2))
    assert close(gradients["x"], np.zeros(2)) and close(gradients["y"], np.ones(2))


def test_a_second_name_of_a_known_function_may_be_defined() -> None:
    d = pb.derive("swish(t) = t sigmoid(2 t); E = sum(swish(x))")
    assert derivatives(d)["swish′(t)"].startswith("sigmoid(2 t)")


def test_conventions_and_conditions_are_those_of_the_definition() -> None:
    page = pb.derive("q(t) = relu(t) log(t); E = sum(q(x))").text()
    assert "every entry of x is positive" in page and "relu has no derivative at 0" in page


def test_equal_definitions_are_one_function_and_others_are_not() -> None:
    text = "q(t) = t^2 + sin(t); E = sum(q(x))"

    def function(text: str) -> Defined:
        [f] = [f for e in postorder(pb.parse_program(text).equations[-1].rhs) if (f := definition_of(e)) is not None]
        return f

    assert function(text) is function(text.replace("(t)", "(t)"))
    assert function(text) is not function(text.replace("sin", "cos"))
    assert pb.compare(text, text).steps
    with pytest.raises(pb.CheckFailed):
        pb.compare(text, text.replace("sin", "cos"))


def test_prove_puts_definitions_in() -> None:
    proof = pb.prove("sw(t) = t sigmoid(t); prove sw'(x) = sigmoid(x) ⊙ (1 + x ⊙ (1 - sigmoid(x)))")
    assert proof.holds and proof.level == "L2"
    assert pb.prove("sw(t) = t sigmoid(t); prove sw(x) = x").holds is False
    assert pb.prove("f(t) = t^2 + 1; f(x) = x ⊙ x + 1").holds
    assert "sw(t) = t sigmoid(t)" in proof.text()


REFUSED = [
    ("P060", "tanh(t) = t; E = sum(tanh(x))", "known function"),
    ("P060", "phi(0) = 1; E = sum(phi(x))", "cannot be a parameter"),
    ("P060", "phi() = 1; E = sum(phi(x))", "no parameter"),
    ("P060", "g(t, t) = t; E = sum(g(x, x))", "stands in this line already"),
    ("P060", "phi(t) = t for k = 1..L; E = sum(phi(x))", "not for every k"),
    ("P060", "c : scalar; phi(t) = c t; q(c) = phi(c); E = sum(q(x))", "has the name of a number"),
    ("P061", "phi(t) = t phi(t); E = sum(phi(x))", "by itself"),
    ("P061", "phi(t) = phi'(t); E = sum(phi(x))", "by itself"),
    ("P061", "a1(t) = b1(t); b1(t) = a1(t); E = sum(a1(x))", "through b1"),
    ("P004", "phi(t) = t; phi(t) = t^2; E = sum(phi(x))", "twice"),
    ("P004", "phi : entrywise; phi(t) = t; E = sum(phi(x))", "twice"),
    ("P002", "phi(t) = t log t; E = sum(phi(x))", "without its argument"),
    ("P002", "g(s, t) = s t; E = sum(∂3_g(x, x))", "counted from 1"),
    ("P002", "phi(t) = c t; E = sum(phi(x; d = 2))", "does not stand"),
    ("P010", "phi(t) = t^2", "no equation"),
    ("P012", "g(s, t) = s t; E = sum(g'(x, x))", "several ways"),
    ("S001", "phi(t) = t^2; E = sum(phi(x, y))", "defined with 1 parameter and has 2 arguments"),
    ("S002", "x : n; A : (n, n); g(s, t) = s t; E = sum(g(x, A))", "one shape"),
    ("S060", "c : n; phi(t) = c t; E = sum(phi(x))", "is a vector"),
    ("U060", "phi(t) = t / sum(t); E = sum(phi(x))", "one number"),
    ("U060", "phi(t) = tᵀ t; E = sum(phi(x))", "one number"),
    ("U060", "phi(t) = ‖t‖; E = sum(phi(x))", "one number"),
    ("U060", "phi(t) = loss(t); E = sum(phi(x))", "one number"),
    ("U060", "phi(t) = softmax(t); E = sum(phi(x))", "one number"),
    ("U060", "phi(t) = t + 1_n; E = sum(phi(x))", "one number"),
    ("U061", "; ".join(["f0(t) = t^2 + sin(t)", *(f"f{k}(t) = f{k - 1}(f{k - 1}(t))" for k in range(1, 16)), "E = sum(f15(x))"]),
     "too long"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "word"), REFUSED, ids=[f"{r[0]}-{r[1][:24]}" for r in REFUSED])
def test_what_is_no_definition_is_refused_with_its_place(code: str, text: str, word: str) -> None:
    with pytest.raises(pb.PullbackError) as caught:
        pb.derive(text)
    assert caught.value.code == code and word in str(caught.value)
    assert caught.value.span is not None or code == "P010"


# ---- in Python


def test_operators_define_the_same_functions() -> None:
    c, W, x = pb.tensor("c"), pb.tensor("W", "m", "n"), pb.tensor("x", "n")
    cap = pb.defined("cap", lambda t: c * pb.ops.tanh(t / c))
    g = pb.defined("g", lambda s, t: cap(s) * t**2)
    d = pb.derive({"z": W @ x, "E": pb.ops.sum(g(W @ x, 2)) + pb.ops.sum(cap.derivative()(W @ x))})
    r = rng(11)
    arrays = {"W": r.normal(size=(2, 3)), "x": r.normal(size=3), "c": np.array(1.1)}

    def value(W: Array, x: Array, c: Array) -> Array:
        z = W @ x
        return jnp.sum(c * jnp.tanh(z / c) * 4) + jnp.sum(1 - jnp.tanh(z / c) ** 2)

    found, gradients = d.evaluate(**arrays)
    assert close(found, value(**arrays))
    for k, name in enumerate(("W", "x", "c")):
        assert close(gradients[name], jax.grad(value, k)(*map(jnp.asarray, arrays.values())))


def test_operators_refuse_what_the_text_refuses() -> None:
    x, t = pb.tensor("x", "n"), pb.tensor("t")
    cap = pb.defined("cap", lambda s: t * s)
    for code, make in (
        ("P060", lambda: pb.defined("tanh", lambda t: t)),
        ("P060", lambda: pb.defined("q", lambda: 1)),
        ("P060", lambda: pb.defined("q", lambda t: cap(t))),
        ("U060", lambda: pb.defined("q", lambda s: pb.ops.sum(x) * s)),
        ("S001", lambda: cap(x, x)),
        ("P002", lambda: cap.derivative(2)),
        ("P004", lambda: pb.derive(pb.ops.sum(cap(x)) + pb.ops.sum(pb.defined("cap", lambda s: s)(x)))),
    ):
        with pytest.raises(pb.PullbackError) as caught:
            make()
        assert caught.value.code == code


# ---- random definitions


FUNCTIONS = {
    "exp": jnp.exp, "sin": jnp.sin, "cos": jnp.cos, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus,
    "erf": jax.scipy.special.erf, "square": jnp.square,
}  # fmt: skip


def grow(r: random.Random, names: list[str], depth: int) -> tuple[str, Callable[[Mapping[str, Array]], Array]]:
    """A random scalar expression of these names: as text, and as a function in JAX."""
    kind = (
        r.choice(["name", "number"])
        if depth == 0
        else r.choice(["+", "-", "*", "*", "/", "f", "f", "f", "neg", "pow", "name"])
    )
    if kind == "name":
        name = r.choice(names)
        return name, lambda at: at[name]
    if kind == "number":
        n = r.choice([1, 2, 3, 0.5, 1.25])
        return f"{n}", lambda at: n
    a, f = grow(r, names, depth - 1)
    if kind == "neg":
        return f"(-({a}))", lambda at: -f(at)
    if kind == "pow":
        k = r.choice([2, 3])
        return f"({a})^{k}", lambda at: f(at) ** k
    if kind == "f":
        name = r.choice(list(FUNCTIONS))
        return f"{name}({a} / 2)", lambda at: FUNCTIONS[name](f(at) / 2)
    b, g = grow(r, names, depth - 1)
    if kind == "/":
        return f"(({a}) / (2 + ({b})^2))", lambda at: f(at) / (2 + g(at) ** 2)
    return (
        f"(({a}) {kind} ({b}))",
        lambda at: f(at) + g(at) if kind == "+" else f(at) - g(at) if kind == "-" else f(at) * g(at),
    )


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(k, marks=pytest.mark.slow) for k in range(12, 24))])
def test_random_definitions_have_the_derivatives_of_jax(seed: int) -> None:
    """Bodies of known functions, two parameters and a name from outside, second order too, at a few sizes."""
    r = random.Random(seed)
    body, f = grow(r, ["s", "t", "c"], r.choice([2, 3, 4]))
    inner, h = grow(r, ["t"], r.choice([1, 2, 3]))
    m, n = r.choice([(2, 3), (1, 4), (3, 1)])
    text = f"""
        X : (m, n); c : scalar; y : n
        h2(t) = {inner}
        g2(s, t) = {body} + h2(t)
        Y = g2(X, c)
        E = sum(g2(Y, X)) / 10 + sum(h2'(y)) + sum(g2(y, 0.3))
    """
    g = rng(seed)
    arrays = {"X": g.uniform(-1, 1, size=(m, n)), "c": np.array(g.uniform(0.5, 1.5)), "y": g.uniform(-1, 1, size=n)}

    def inside(t: Array) -> Array:
        return h({"t": t}) + 0.0 * t

    def both(s: Array, t: Array, c: Array) -> Array:
        return f({"s": s, "t": t, "c": c}) + inside(t)

    def value(X: Array, c: Array, y: Array) -> Array:
        Y = both(X, c, c)
        slopes = jax.vmap(jax.grad(inside))(y)
        return (
            jnp.sum(both(Y, X, c) + jnp.zeros_like(X)) / 10
            + jnp.sum(slopes)
            + jnp.sum(both(y, 0.3, c) + jnp.zeros_like(y))
        )

    d = pb.derive(text)
    found, gradients = d.evaluate(**arrays)
    assert close(found, value(**arrays), 1e-9)
    for k, name in enumerate(arrays):
        if name in gradients:
            assert close(gradients[name], jax.grad(value, k)(*map(jnp.asarray, arrays.values())), 1e-8), (text, name)


def test_what_a_node_stands_for_does_not_depend_on_the_shape() -> None:
    """The definition spread over a tensor is the definition in every entry."""
    d = pb.derive("X : (m, n); g2(s, t) = s^2 / (2 + t) - 3; E = sum(g2(X, 2))")
    nodes: list[Expr] = [e for q in d.derivation.core.equations for e in postorder(q.value) if definition_of(e)]
    assert nodes and all(unfolded(e).shape == e.shape for e in nodes)


def test_the_order_of_definitions_does_not_depend_on_what_was_derived_before() -> None:
    """`early` is met first in the first program, and second in the other one."""
    pb.derive("early(t) = t tanh(t / 3)\nE = sum(early(x))\nx : n").text()
    text = pb.derive("late(t) = t sin(t / 3)\nearly(t) = t tanh(t / 3)\nx : n\nE = sum(late(x)) + sum(early(x))").text()
    assert text.index("late(t) =") < text.index("early(t) =")
