"""What generated code looks like and how it behaves at its door: format, names, types, memory, wrong input, the plan."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from _layers import LAYERS

import pullback as pb
from pullback.cli import main
from pullback.code import targets
from pullback.code.contraction import cost_of, path
from pullback.errors import ParseError, UnsupportedError

np = pytest.importorskip("numpy")

LAYER = "z = W a + b; y = f(z); E = loss(y)"
MLP = """X : (n, B)
Z1 = W1 X + outer(b1, ones(B)); A1 = relu(Z1); Z2 = W2 A1 + outer(b2, ones(B)); A2 = tanh(Z2)
E = -sum(Y .* logsoftmax(A2, axis=0)) / B"""
PROGRAMS = {
    **{name: (text, wrt) for name, (text, _, wrt) in LAYERS.items()},
    "layer": (LAYER, ["W", "a", "b"]),
    "deep": (MLP, ["W1", "b1", "W2", "b2"]),
    "convolution": ("x : (b, c, n)\nw : (o, c, 3)\ny = conv1d(x, w)\nE = sum(relu(y))", ["w", "x"]),
    "lookup": ("T : (v, d)\ni : (n) where index\ny = gather(T, i)\nE = sum(tanh(y))", ["T"]),
    "labels": ("Z : (N, V)\ny : N where index\nw : N where const\nE = cross_entropy(Z, y) + w' pick(Z, y)", ["Z"]),
    "long sum": ("E = " + " + ".join(f"sum(x{k} .* tanh(x{k}))" for k in range(24)), [f"x{k}" for k in range(24)]),
}
FORMS = [
    ("numpy", "function"),
    ("numpy", "buffers"),
    ("jax", "function"),
    ("jax", "autodiff"),
    ("torch", "function"),
    ("torch", "autodiff"),
    ("tensorflow", "function"),
    ("tensorflow", "autodiff"),
]


def derived(name: str, form: str = "function") -> pb.Derived:
    text, wrt = PROGRAMS[name]
    return pb.derive(text, wrt=None if form == "autodiff" else wrt)


def test_ruff_has_nothing_to_say(tmp_path: Path) -> None:
    """Formatted as `ruff format` does it, and without a complaint of its default rules."""
    pytest.importorskip("ruff")
    for name in PROGRAMS:
        ways = {form: derived(name, form) for form in ("function", "autodiff")}
        for target, form in FORMS:
            d = ways["autodiff" if form == "autodiff" else "function"]
            stem = f"{name.replace(' ', '_').replace('-', '_')}_{target}_{form}"
            (tmp_path / f"{stem}.py").write_text(d.code(target, form=form), encoding="utf-8")
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_gradient_that_is_a_diagonal_of_an_input_is_an_array_of_its_own() -> None:
    d = pb.derive('C : (m, n, n) where const\nA : (m, n)\nE = sum(A .* ein("i j j -> i j", C))')
    C, A = np.ones((2, 3, 3)), np.ones((2, 3))
    _, found = d.compile("numpy")(C, A)
    found["A"][:] = 7.0
    assert (C == 1.0).all()


# What makes long lines and deep loops, sizes that only 3 m tells, and a backward pass that needs inputs alone.
LONG = {
    "grouped attention": "Q : (m, 6*k); K : (n, 2*k); V : (n, 2*k); G : (m, 6*k) where const\n"
    "Y = grouped_query_attention(Q, K, V, heads=6, groups=2)\nE = sum(G .* Y)",
    "image": "X : (B, c, h, w); K : (o, c, 3, 3); G : (B, o, h - 2, w - 2) where const\nY = conv2d(X, K)\nE = sum(G .* Y)",
    "skip-gram": "u : d; v : d; N : (k, d)\nE = -log(sigmoid(u' v)) - sum(log(sigmoid(-(N v))))",
    "gated": "X : (B, n); W : (n, m); V : (n, m); U : (m, n); G : (B, n) where const\n"
    "A = X W\nY = ((A .* sigmoid(A)) .* (X V)) U\nE = sum(G .* Y)",
}


def test_ruff_has_nothing_to_say_of_long_programs_in_any_form(tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    for name, text in LONG.items():
        d = pb.derive(text)
        for target, forms in targets.FORMS.items():
            for form in forms:
                if form != "shard_map":  # it needs a mesh
                    file = tmp_path / f"{name.replace(' ', '_').replace('-', '_')}_{target}_{form}.py"
                    file.write_text(d.code(target, form=form), encoding="utf-8")
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_name_of_the_user_is_never_a_word_of_python() -> None:
    """λ is written lambda, which is a keyword; np is the module; t1 would be one of ours."""
    d = pb.derive("E = sum(λ .* tanh(np)) + sum(t1 .* np) + sum(dtype .* np)\nλ : (n)\nt1 : (n)\nnp : (n)\ndtype : (n)")
    f = d.compile("numpy")
    assert list(inspect.signature(f).parameters) == ["lambda_", "np_", "t1", "dtype_"]
    x = np.linspace(1, 2, 3)
    value, grad = f(x, x, x, x)
    assert np.isclose(value, x @ np.tanh(x) + 2 * x @ x)
    assert set(grad) == {"λ", "np", "t1", "dtype"}


def test_a_name_of_the_user_is_no_module_or_function_of_the_code() -> None:
    """special, math and abs stand for what the code calls so; the user's arrays have an underscore."""
    d = pb.derive("E = sum(erf(special)) + math' math / sqrt(n) + sum(abs(x))\nspecial : (n)\nmath : (n)\nx : (n)")
    value, _ = d.compile("numpy")(np.ones(4), np.ones(4), np.ones(4))
    assert np.isclose(value, 4 * 0.8427007929497149 + 2 + 4)


# A gradient that is an input turned, repeated, cut or put on a diagonal; or a constant.
VIEWS = {
    "turned": "A : (m, n); B : (n, m); E = tr(A B)",
    "repeated": "X : (m, n); b : n; E = sum(X b)",
    "cut": "x : 5; y : 3; E = x[2:4]' y",
    "diagonal": "X : (n, n); y : n; E = diagvec(X)' y",
    "reshaped": "X : (m, n); Y : (n, m); E = sum(reshape(X, n, m) .* Y)",
    "constant": "x : n; y : n; E = sum(x) + sum(y)",
    "the same twice": "x : n; y : n; E = sum(tanh(x + y))",
    "given": "x : n; E = loss(x)",
}


@pytest.mark.parametrize("form", ["function", "buffers"])
@pytest.mark.parametrize("case", VIEWS)
def test_a_gradient_may_be_written_to(case: str, form: str) -> None:
    """It is no view of an input or of another gradient, and what is written to it is not seen by the next call."""
    d = pb.derive(VIEWS[case])
    sizes = {"m": 2, "n": 3}
    rng = np.random.default_rng(0)
    arrays = {v.attrs[0]: rng.normal(size=[n.value(sizes) for n in v.shape]) for v in d.derivation.inputs}
    given = rng.normal(size=3)
    free = {"loss": lambda x: given @ x, "grad_loss": lambda x: given} if case == "given" else {}
    f = d.compile("numpy", form=form)
    if form == "buffers":
        f = f(**{w: sizes[w] for w in inspect.signature(f).parameters if w != "dtype"})
    before = {n: a.copy() for n, a in arrays.items()}
    _, first = f(**arrays, **free)
    wanted = {n: g.copy() for n, g in first.items()}
    for n, g in first.items():
        g *= 0
        others = [h for k, h in first.items() if k != n]
        assert not any(np.shares_memory(g, h) for h in [*arrays.values(), given, *others])
    assert all(np.array_equal(arrays[n], before[n]) for n in arrays)
    _, second = f(**arrays, **free)
    for n in wanted:
        np.testing.assert_array_equal(second[n], wanted[n])


def test_the_source_of_what_was_compiled_can_be_read() -> None:
    f = pb.derive(LAYER).compile("numpy")
    assert "# z = W a + b" in inspect.getsource(f)


def test_unknown_functions_are_arguments() -> None:
    f = pb.derive(LAYER).compile("numpy")
    kinds = inspect.signature(f).parameters.values()
    assert [p.name for p in kinds if p.kind is p.KEYWORD_ONLY] == ["f", "loss", "grad_loss", "df"]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'df'"):
        f(np.eye(2), np.ones(2), np.ones(2), f=np.tanh, loss=np.sum, grad_loss=np.ones_like)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["function", "buffers"])
@pytest.mark.parametrize(
    "name", ["deep", "softmax and cross-entropy", "layer norm", "rms norm", "attention", "logistic regression", "gelu"]
)
def test_the_type_of_the_arrays_is_kept(name: str, form: str, dtype: str) -> None:
    if name == "deep":
        shapes: dict[str, tuple[int, ...]] = {
            "X": (4, 5),
            "W1": (3, 4),
            "b1": (3,),
            "W2": (2, 3),
            "b2": (2,),
            "Y": (2, 5),
        }
    else:
        shapes = LAYERS[name][1]
    rng = np.random.default_rng(0)
    _, grad = call(derived(name), form, {n: rng.normal(size=s).astype(dtype) for n, s in shapes.items()})
    assert {np.asarray(g).dtype.name for g in grad.values()} == {dtype}


def call(d: pb.Derived, form: str, arrays: dict[str, Any]) -> Any:
    """The function of that form, for these arrays."""
    f = d.compile("numpy", form=form)
    if form == "buffers":
        sizes = {s: n for v in d.derivation.inputs for axis, n in zip(v.shape, arrays.get(v.attrs[0], np.zeros(())).shape, strict=False)
                 for s in [axis.name] if s}  # fmt: skip
        words = [w for w in inspect.signature(f).parameters if w != "dtype"]
        f = f(*[sizes[w.rstrip("_")] for w in words], dtype=next(iter(arrays.values())).dtype)
    return f(**{w: arrays[w] for w in inspect.signature(f).parameters})


def test_the_steady_state_allocates_nothing_of_the_size_of_an_array() -> None:
    d = derived("deep")
    B, n, m, p = 500, 250, 270, 230
    rng = np.random.default_rng(0)
    arrays = {"X": (n, B), "W1": (m, n), "b1": (m,), "W2": (p, m), "b2": (p,), "Y": (p, B)}
    given = {k: rng.normal(size=s) for k, s in arrays.items()}
    sizes = {"n": n, "B": B, "m": m, "p": p}
    make = d.compile("numpy", form="buffers")
    f = make(*[sizes[w] for w in inspect.signature(make).parameters if w != "dtype"])
    args = [given[w] for w in inspect.signature(f).parameters]
    first, _ = f(*args)
    tracemalloc.start()
    second, _ = f(*args)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert first == second
    assert peak < 0.2 * 8 * p * B, f"{peak} bytes"  # ufuncs have a buffer of 64 KiB of their own


@pytest.mark.parametrize("form", ["function", "buffers", "evaluate"])
def test_large_logits_overflow_nowhere(form: str) -> None:
    d = pb.derive("p = softmax(z); E = logsumexp(z) + t' p", wrt=["z"])
    z = np.array([1e4, -1e4, 9.999e3])
    with np.errstate(all="raise", under="ignore"):
        arrays = {"z": z, "t": np.zeros(3)}
        value, grad = d.evaluate(**arrays) if form == "evaluate" else call(d, form, arrays)
    assert np.isfinite(value) and np.isclose(value, 1e4 + np.log1p(np.exp(-1)), rtol=1e-14)
    np.testing.assert_allclose(grad["z"], [1 / (1 + np.exp(-1)), 0, 1 / (1 + np.exp(1))], atol=1e-12)


@pytest.mark.parametrize("form", ["function", "buffers", "evaluate"])
def test_what_a_mask_hides_may_be_as_large_as_it_likes(form: str) -> None:
    """The entries that are seen are near 10⁴, those that are hidden above and below."""
    d = pb.derive("Z : (m, n); M : (m, n) where const; Y : (m, n) where const; E = sum(Y .* masked_softmax(Z, M))")
    Z = np.array([[1e4, 9.999e3, 2e4, -3e4], [-1e4, -1.0001e4, 0.0, 5.0]])
    M = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0]])
    Y = np.array([[1.0, 0.0, 5.0, 5.0], [0.0, 1.0, 5.0, 5.0]])
    arrays = {"Z": Z, "M": M, "Y": Y}
    with np.errstate(all="raise", under="ignore"):
        value, grad = d.evaluate(**arrays) if form == "evaluate" else call(d, form, arrays)
    p = 1 / (1 + np.exp(-1)), 2 * np.exp(-1) / (1 + 2 * np.exp(-1))
    assert np.isclose(value, sum(p), rtol=1e-12)
    s = [x * (1 - x) for x in p]
    np.testing.assert_allclose(grad["Z"], [[s[0], -s[0], 0, 0], [-s[1], s[1], 0, 0]], atol=1e-12)


# ---- the door ------------------------------------------------------------------------------------------------------

W, a, b, t = np.ones((2, 3)), np.ones(3), np.zeros(2), np.zeros(2)
WRONG = {
    "shape": ((W, np.ones(4), b, t), ValueError, r"a has the shape \(4,\), not \(3,\), in z = W a \+ b"),
    "axes": ((W, np.ones((3, 1)), b, t), ValueError, "a has 2 axes, not 1"),
    "complex": ((W, 1j * a, b, t), TypeError, "a has the type complex128, not real numbers"),
    "text": ((W, np.array(["x", "y", "z"]), b, t), TypeError, "a has the type <U1, not real numbers"),
    "rows": (([[1, 2, 3], [4, 5]], a, b, t), TypeError, "W cannot be made an array: .*inhomogeneous"),
    "nothing": ((W, None, b, t), TypeError, "a has the type object, not real numbers"),
    "mask": ((W, np.ma.array(a, mask=[0, 1, 0]), b, t), TypeError, "a cannot be made an array: its mask would be lost"),
    "NaN": ((W, np.array([1, np.nan, 1]), b, t), FloatingPointError, r"an entry of a is no number \(NaN\)"),
    "NaN on the way": ((np.array([[np.inf, -np.inf, 0.0], [0, 0, 0]]), a, b, t), FloatingPointError, "an entry of z is no number"),
    "missing": ((W, a, b), TypeError, "missing 1 required positional argument: 't'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_wrong_arrays_are_named(case: str) -> None:
    args, error, says = WRONG[case]
    with pytest.raises(error, match=says):
        pb.derive("z = W a + b; y = tanh(z); E = ½ ‖y − t‖²").compile("numpy")(*args)


@pytest.mark.parametrize("target", ["jax", "torch", "tensorflow"])
@pytest.mark.parametrize("wrong", [None, "text", [[1.0, 2.0], [3.0]], {1: 2.0}])
def test_what_is_no_array_is_named(target: str, wrong: object) -> None:
    pytest.importorskip(target)
    f = pb.derive("z = W a + b; y = tanh(z); E = ½ ‖y − t‖²").compile(target)
    with pytest.raises(TypeError, match=r"a cannot be made an? (array|tensor): "):
        f(W, wrong, b, t)


def test_whole_numbers_are_taken_for_real_ones() -> None:
    value, _ = pb.derive("E = x' x").compile("numpy")([1, 2, 3])
    assert value == 14.0


def test_wrong_arrays_for_buffers_are_named() -> None:
    f = pb.derive("z = W a + b; E = z' z").compile("numpy", form="buffers")(2, 3)
    with pytest.raises(TypeError, match="a has the type float32, not float64"):
        f(W, a.astype("float32"), b)
    with pytest.raises(TypeError, match="a is no array of NumPy"):
        f(W, [1, 2, 3], b)
    with pytest.raises(ValueError, match=r"b has the shape \(3,\), not \(2,\), in z = W a \+ b"):
        f(W, a, a)


@pytest.mark.parametrize("target", ["numpy", "numba"])
@pytest.mark.parametrize(
    ("size", "error", "says"),
    [(-1, ValueError, "the size m is -1, which is negative"), (2.0, TypeError, "the size m is 2.0, not a whole number"),
     ("2", TypeError, "the size m is '2', not a whole number"), (None, TypeError, "the size m is None")],
)  # fmt: skip
def test_sizes_of_buffers_are_whole_numbers(target: str, size: object, error: type[Exception], says: str) -> None:
    pytest.importorskip(target)
    with pytest.raises(error, match=says):
        pb.derive("z = W a + b; E = z' z").compile(target, form="buffers")(m=size, n=3)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["code", "-e", LAYER, "--target", "numpi"], "P030"), (["code", "-e", LAYER, "--target", "numpy", "--form", "autodiff"], "P030"),
        (["code", "-e", LAYER, "--name", "two words"], "P030"), (["code", "-e", LAYER, "--name", "class"], "P030"),
        (["code", "-e", LAYER, "--wrt", "V"], "P003"), (["code", "-e", "z = W a +", "--target", "jax"], "P002"),
        (["plan", "-e", LAYER, "--sizes", "q=3"], "P032"), (["plan", "-e", LAYER, "--sizes", "m=x"], "P032"), (["code"], "P030"),
    ],
)  # fmt: skip
def test_wrong_commands(args: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2
    answer = capsys.readouterr()
    assert f"error[{code}]" in answer.err and not answer.out


def test_a_gradient_that_was_not_derived() -> None:
    with pytest.raises(ParseError, match="no gradient of Wz was derived"):
        pb.derive(LAYER).code("numpy", wrt="Wz")


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="a program with an index has no form buffers"):
        pb.derive("z[k] = W[k] z[k-1] for k = 1..L; z[0] : n[0]; E = loss(z[L])").code("numpy", form="buffers")
    with pytest.raises(UnsupportedError, match="the size k cannot be told"):
        pb.derive("x : n*k; E = k sum(x)").code("numpy")
    with pytest.raises(UnsupportedError, match="too large for float64"):
        pb.derive("x : n; E = (1/3*10^400) * sum(x)").code("numpy")
    d = pb.derive("x : n*k; E = k sum(x)")
    assert d.compile("numpy", form="buffers")(n=2, k=3)(np.ones(6))[0] == 18


# ---- the plan ---------------------------------------------------------------------------------------------------------


def test_products_are_taken_in_the_cheapest_order() -> None:
    f = frozenset
    chain = [f({0, 1}), f({1, 2}), f({2, 3})]
    sizes = {0: 100, 1: 50, 2: 70, 3: 1}
    order = path(chain, f({0, 3}), sizes)
    assert order == [(1, 2), (0, 3)] and cost_of(chain, f({0, 3}), sizes, order) == 50 * 70 + 100 * 50
    long = [f({k, k + 1}) for k in range(30)]
    sizes = {k: 2 + (7 * k) % 11 for k in range(31)}
    left = [(0, 1), *((30 + k, k + 2) for k in range(28))]
    ends = f({0, 30})
    assert cost_of(long, ends, sizes, path(long, ends, sizes)) <= cost_of(long, ends, sizes, left)


def test_a_product_of_many_factors_is_planned_in_time() -> None:
    """Beyond 32 factors those of its parts are multiplied first."""
    names = [f"A{k}" for k in range(48)]
    text = "E = x' " + " ".join(names) + " y\n" + "\n".join(f"{n} : (n, n)" for n in names)
    value, grad = pb.derive(text, wrt=["x"]).compile("numpy")(np.ones(2), *[np.eye(2) * 1.1] * 48, np.array([1.0, 2.0]))
    assert np.isclose(value, 3 * 1.1**48)
    np.testing.assert_allclose(grad["x"], np.array([1.0, 2.0]) * 1.1**48)


def test_the_order_follows_the_sizes() -> None:
    text = "A : (m, n); B : (n, p); C : (p, q); G : (m, q); E = sum(G .* (A B C))"
    wide, narrow = ({"m": 2, "n": 300, "p": 300, "q": 300}, {"m": 300, "n": 300, "p": 300, "q": 2})
    first, second = (pb.derive(text, wrt=["A"]).code("numpy", sizes=s) for s in (wide, narrow))
    assert first != second


def test_work_that_two_gradients_share_is_done_once() -> None:
    text = pb.derive("u = X w; E = sum(exp(u) .* t) + ‖u‖²", wrt=["w", "X"]).code("numpy")
    assert text.count("np.exp(") == 1 and text.count("X @ w") == 1


@pytest.mark.parametrize("target", ["numpy", "numba", "jax"])
def test_a_product_is_not_computed_again_the_other_way_round(target: str) -> None:
    """yᵀ (L⁻¹)ᵀ in a gradient is v = L⁻¹ y; (A B)ᵀ C in one equation is made of A B in another."""
    d = pb.derive("K : (n, n) where positive_definite; y : n; L = cholesky(K); v = L⁻¹ y; E = ‖v‖²", wrt=["K", "y"])
    assert len(re.findall(r"u_1 @ y\b|np\.dot\(u_1, y", d.code(target))) == 1
    d = pb.derive("A : (m, n); B : (n, p); C : (m, q); P = A B; Q = Bᵀ Aᵀ C; E = sum(sin(P)) + sum(cos(Q))", wrt=["C"])
    assert len(re.findall(r"A @ B|B\.T @ A\.T|(?:np\.dot|_product)\(A, B", d.code(target))) == 1
    rng = np.random.default_rng(0)
    given = {"A": rng.normal(size=(2, 3)), "B": rng.normal(size=(3, 4)), "C": rng.normal(size=(2, 5))}
    value, grad = d.compile(target)(**given)
    A, B, C = given.values()
    np.testing.assert_allclose(float(value), np.sin(A @ B).sum() + np.cos(B.T @ A.T @ C).sum(), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(grad["C"]), -(A @ B) @ np.sin(B.T @ A.T @ C), rtol=1e-5)


def test_the_plan_says_what_is_kept() -> None:
    shown = pb.derive("z = W a + b; y = tanh(z); E = c' y\nc : (m)", wrt=["W", "b"]).plan(sizes={"m": 10, "n": 20})
    assert "kept from the forward pass: y (80 B)" in shown
    assert "inputs that the backward pass reads: c, a" in shown
    assert "sizes: m = 10, n = 20" in shown


def test_no_einsum_where_a_product_serves() -> None:
    for name in ("deep", "attention", "dense", "low rank", "Gaussian process", "recurrent cell"):
        text = derived(name).code("numpy")
        assert text.count("einsum") <= (name == "attention"), text  # a row by row inner product has no other form


@pytest.mark.parametrize("target", ["numpy", "jax", "torch", "tensorflow"])
def test_what_an_algorithm_reads_in_two_places_is_computed_once(target: str) -> None:
    """Twice in place would be wrong, and in other targets twice the work."""
    text = "A : (h, n*2); w : n*2; a = Aᵀ s; y = rotate_half(a .* w); E = sum(y .* y .* a)"
    code = pb.derive(text.replace("; ", "\n")).code(target)
    assert code.count("a * w") == 1 and not any("_(" in x for x in code.split("\n") if "cat([" in x), code


def test_rotated_products_in_the_memory_of_temporaries() -> None:
    torch = pytest.importorskip("torch")
    d = pb.derive(
        "X : (n*2, m)\nV : (k, n*2)\ns : n*2\nu = X x\nc = cos(u .* s)\nr = rotate_half(u) .* sin(u .* s)\nE = sum(V (u .* c + r))"
    )
    rng = np.random.default_rng(3)
    arrays = {
        "X": rng.normal(size=(6, 2)),
        "V": rng.normal(size=(4, 6)),
        "x": rng.normal(size=2),
        "s": rng.normal(size=6),
    }
    _, wanted = d.evaluate(**arrays)
    _, found = d.compile("torch")(**{n: torch.tensor(a) for n, a in arrays.items()})
    for n in wanted:
        np.testing.assert_allclose(found[n], wanted[n], rtol=1e-12)


def test_a_number_repeated_over_two_shapes_is_two_arrays() -> None:
    """The legs of an array say nothing of the axes along which a number, or a vector, is repeated."""
    d = pb.derive("A : (m, n)\nB : (p, q)\nC : (m, p)\nD : (m, q)\nu : m\nE = c sum(A) + c sum(B) + u' C 1 + u' D 1")
    sizes = {"A": (2, 3), "B": (4, 5), "C": (2, 4), "D": (2, 5), "u": (2,), "c": ()}
    arrays = {n: np.full(s, 1.5) for n, s in sizes.items()}
    _, wanted = d.evaluate(**arrays)
    _, found = d.compile("numpy")(**arrays)
    for n in wanted:
        assert np.shape(found[n]) == sizes[n]
        np.testing.assert_allclose(found[n], wanted[n])


@pytest.mark.parametrize("target", ["jax", "torch"])
@pytest.mark.parametrize("f", ["sqrtm", "logm"])
def test_a_matrix_without_a_real_function_gives_nan(target: str, f: str) -> None:
    """No hang, and no number that means nothing."""
    module = pytest.importorskip(target)
    d = pb.derive(f"A : (n, n)\nE = sum({f}(A))")
    run = d.compile(target)
    convert = module.numpy.asarray if target == "jax" else module.tensor
    for bad in (np.diag([-1.0, 2.0, 3.0]), np.array([[-1.0, 0.1], [0.2, -3.0]]), np.full((2, 2), np.nan)):
        assert np.isnan(float(run(convert(bad))[0]))
    good = np.array([[4.0, 1.0, 0.0], [0.0, 9.0, -2.0], [1.0, 0.0, 100.0]])
    for scale in (1.0, 1e6, 1e-6):
        value, gradients = run(convert(scale * good))
        wanted = d.evaluate(A=scale * good)
        assert abs(float(value) - wanted[0]) <= 1e-11 * max(1.0, abs(wanted[0]))
        np.testing.assert_allclose(gradients["A"], wanted[1]["A"], rtol=1e-9, atol=1e-11 / scale)
    if target == "jax" and f == "logm":
        assert np.isnan(float(run(convert(np.diag([0.0, 1.0])))[0]))


@pytest.mark.parametrize(
    "f", ["norm_cdf(1)", "norm_cdf(n)", "digamma(2)", "trigamma(n)", "erf(1)", "gammaln(n)", "sigmoid(1)"]
)
@pytest.mark.parametrize("target", ["jax", "torch"])
def test_a_function_of_a_number_of_python(target: str, f: str) -> None:
    """Some functions of JAX take no integers, those of PyTorch no numbers."""
    module = pytest.importorskip(target)
    d = pb.derive(f"x : n\nE = {f} * sum(x)")
    x = np.array([1.0, 2.0, 4.0])
    value, gradients = d.compile(target)(module.tensor(x) if target == "torch" else x)
    wanted = d.evaluate(x=x)
    near = 1e-9 if target == "torch" else 1e-12  # PyTorch's trigamma has ten digits
    assert abs(float(value) - wanted[0]) < near * abs(wanted[0])
    np.testing.assert_allclose(gradients["x"], wanted[1]["x"], rtol=near)


def test_pytorch_computes_into_what_is_dead() -> None:
    """By `out=` into an array that nothing reads any more; in place where what else reads it is computed before."""
    text = "X : (B, n)\nC : (B, n) where const\nY = layernorm(X, g, h)\nE = sum(exp(C .* Y))"
    assert "g, grad_Y, out=t2)" in pb.derive(text).code("torch")
    attention = pb.derive("P = softmax(Q K', axis=1); E = sum((P V) .* G)").code("torch")
    assert "grad_P.sub_(torch.sum(grad_P * P, dim=1)[:, None])" in attention


def test_pytorch_gives_the_backward_pass_memory_of_its_own() -> None:
    """What the forward pass made may be kept: it is not computed into."""
    text = "X : (B, n)\nC : (B, n) where const\nY = layernorm(X, g, h)\nE = sum(C .* Y)"
    for form in ("autodiff", "op"):
        assert "out=" not in pb.derive(text).code("torch", form=form)


@pytest.mark.parametrize("target", ["numpy", "numba", "jax"])
def test_what_a_given_function_returns_has_the_shape_of_its_equation(target: str) -> None:
    pytest.importorskip(target)
    xp = pytest.importorskip("jax.numpy") if target == "jax" else np
    f = pb.derive("X : (B, n); E = sum(f(X))").compile(target)
    X = np.arange(12.0).reshape(4, 3)
    value, grad = f(X, f=xp.sin, df=xp.cos)
    assert float(value) == pytest.approx(np.sin(X).sum())
    np.testing.assert_allclose(grad["X"], np.cos(X), rtol=1e-6)
    with pytest.raises(ValueError, match=r"^f gave the shape \(4, 1\), not \(4, 3\)$"):
        f(X, f=lambda z: xp.sin(z)[:, :1], df=xp.cos)
    with pytest.raises(ValueError, match=r"^df gave the shape \(\), not \(4, 3\)$"):
        f(X, f=xp.sin, df=lambda z: 1.0)
    with pytest.raises(TypeError, match=r"^df gave the type complex\d+, not real numbers$"):
        f(X, f=xp.sin, df=lambda z: 1j * z)
    with pytest.raises(TypeError, match=r"^f gave list, not an array$"):
        f(X, f=lambda z: [1.0], df=xp.cos)


@pytest.mark.parametrize("target", ["numpy", "numba", "jax"])
def test_functions_by_their_index(target: str) -> None:
    """A dict, or one function for all: a list would be counted from 0 by one and from 1 by another."""
    pytest.importorskip(target)
    text = "a[1] : n[1]; W[k] : (n[k+1], n[k]); a[k+1] = f[k](W[k] a[k]) for k = 1..L; E = sum(a[L+1])"
    g = pb.derive(text).compile(target)
    given = {"W": [np.ones((3, 2)), np.ones((4, 3))], "a_1": np.ones(2)}
    f, df = {1: lambda z: z, 2: lambda z: 10 * z}, {1: lambda z: z * 0 + 1, 2: lambda z: z * 0 + 10}
    value, grad = g(**given, f=f, df=df)
    assert float(value) == 240 and np.allclose(grad["a[1]"], 120)
    assert float(g(**given, f=f[1], df=df[1])[0]) == 24
    with pytest.raises(TypeError, match="f is no function and no dict"):
        g(**given, f=[*f.values()], df=df)
    with pytest.raises(ValueError, match=r"there is no df\[2\]"):
        g(**given, f=f, df={1: df[1]})


@pytest.mark.parametrize("target", ["numpy", "numba", "jax"])
def test_sizes_at_which_an_op_is_not_defined(target: str) -> None:
    pytest.importorskip(target)
    f = pb.derive("A : (m, n); E = sum(svdvals(A))").compile(target)
    with pytest.raises(ValueError, match="svdvals needs n ≤ m"):
        f(np.ones((3, 4)))
    assert float(f(np.eye(4, 3))[0]) == pytest.approx(3)
    g = pb.derive("x : (N, c, n); k : (o, c, w); E = sumsq(conv1d(x, k))").compile(target)
    with pytest.raises(ValueError, match="conv1d needs w ≤ n"):
        g(np.ones((1, 1, 3)), np.ones((1, 1, 5)))


@pytest.mark.parametrize("target", ["numpy", "numba", "jax"])
@pytest.mark.parametrize("name", ["sqrtm", "logm", "invsqrtm"])
def test_functions_of_matrices_that_are_not_real(name: str, target: str) -> None:
    pytest.importorskip(target)
    pytest.importorskip("scipy")
    f = pb.derive(f"C : (n, n); E = sum({name}(C))").compile(target)
    M = np.array([[1.0, 2.0], [-0.1, -3.0]])  # an eigenvalue below 0
    if target == "jax":
        assert np.isnan(f(M)[0])
    else:
        with pytest.raises(FloatingPointError, match="is no number"):
            f(M)
    assert np.isfinite(f(M @ M)[0])


def test_an_equation_of_hundreds_of_terms(tmp_path: Path) -> None:
    """Its line is cut into several, its comments and lists are no longer than others, and it is the same sum."""
    count = 400
    d = pb.derive("E = " + " + ".join(f"{k + 1} sum(x_{k})^2" for k in range(count)))
    for target, form in (("numpy", "function"), ("numpy", "buffers"), ("numba", "function"), ("torch", "function"),
                         ("jax", "autodiff"), ("tensorflow", "function"), ("scipy", "gradient")):  # fmt: skip
        text = d.code(target, form=form)
        assert max(map(len, text.splitlines())) < 150
        (tmp_path / f"{target}_{form}.py").write_text(text, encoding="utf-8")
    if importlib.util.find_spec("ruff"):
        done = subprocess.run([sys.executable, "-m", "ruff", "format", "--check", "--isolated", "--no-cache", str(tmp_path)],
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stdout
    value, grad = d.compile("numpy")(*[np.full(2, 0.25)] * count)
    assert value == pytest.approx(count * (count + 1) / 8, rel=1e-14)
    assert all(np.allclose(grad[f"x_{k}"], k + 1, rtol=1e-14) for k in range(count))


def test_sizes_that_there_are_not() -> None:
    with pytest.raises(ParseError, match="there is no size q"):
        pb.derive("z = W a; E = ‖z‖²").code("numpy", sizes={"q": 3})


@pytest.mark.parametrize("target", ["numpy", "numba"])
def test_numbers_of_buffers_are_numbers(target: str) -> None:
    pytest.importorskip(target)
    d = pb.derive("X : (n, m); s : scalar; c : scalar where const; E = sum(tanh(X / s)) + c sumsq(X)")
    X = np.arange(12.0).reshape(3, 4) / 7
    f = d.compile(target, form="buffers")(3, 4)
    value, _ = f(X, 1.3, 0.1)
    assert value == pytest.approx(np.tanh(X / 1.3).sum() + 0.1 * (X * X).sum())
    for s, c, error, message in (
        (np.arange(4.0), 0.1, ValueError, "s has 1 axes, not 0"),
        (1.3, np.ones(4), ValueError, "c has 1 axes, not 0"),
        ("a", 0.1, TypeError, "s has the type <U1, not real numbers"),
        (None, 0.1, TypeError, "s has the type object, not real numbers"),
        (1j, 0.1, TypeError, "s has the type complex128, not real numbers"),
        (np.nan, 0.1, FloatingPointError, "an entry of s is no number"),
    ):
        with pytest.raises(error, match=message):
            f(X, s, c)
    small, grad = d.compile("numpy", form="buffers")(3, 4, dtype=np.float32)(X.astype(np.float32), np.float64(1.3), 0.1)
    assert small.dtype == grad["s"].dtype == np.float32


@pytest.mark.parametrize("name", ["np", "_array", "tuple", "ValueError"])
def test_a_name_that_the_code_uses_itself_is_refused(name: str) -> None:
    with pytest.raises(ParseError, match=f"another use for the name {name}"):
        pb.derive("E = sum(tanh(x))").code("numpy", name=name)


@pytest.mark.parametrize("target", ["numpy", "jax"])
def test_the_end_of_a_range_is_a_whole_number(target: str) -> None:
    pytest.importorskip(target)
    f = pb.derive("h[0] : n; W : (n, n); h[t] = tanh(W h[t-1]) for t = 1..T; E = ‖h[T]‖²").compile(target)
    given = {"h_0": np.ones(2), "W": np.ones((2, 2))}
    assert float(f(**given, T=np.int64(2))[0]) == pytest.approx(float(f(**given, T=2)[0]))
    for wrong in (3.0, "3", None, True):
        with pytest.raises(TypeError, match=f"^T is {wrong!r}, not a whole number$"):
            f(**given, T=wrong)


def test_elu_has_all_digits_near_zero() -> None:
    x = np.array([-1e-10, -1e-6, 0.5])
    for text in ("elu(x)", "celu(x, 1)"):
        value, _ = pb.derive(f"E = sum({text})").compile("numpy")(x[:2])
        assert value == pytest.approx(np.expm1(x[:2]).sum(), rel=1e-14)


@pytest.mark.parametrize("target", ["numpy", "numba"])
def test_buffers_refuse_their_own_results_and_other_types(target: str) -> None:
    pytest.importorskip(target)
    d = pb.derive("X : (n, n); E = sum(sin(X)) + sum(X X)")
    f = d.compile(target, form="buffers")(n=3)
    grad = f(np.arange(9.0).reshape(3, 3) / 5)[1]["X"]
    for mine in (grad, grad.T, grad[:, ::-1]):
        with pytest.raises(ValueError, match=r"^X is a result of an earlier call: copy it$"):
            f(mine)
    own = grad.copy()
    assert f(own)[0] == pytest.approx(np.sin(own).sum() + (own @ own).sum())
    for wrong in (np.int8, np.complex128, int):
        with pytest.raises(TypeError, match="not a type of real numbers"):
            d.compile(target, form="buffers")(n=3, dtype=wrong)


@pytest.mark.parametrize("target", ["numpy", "numba"])
def test_sizes_may_be_called_as_buffers_are(target: str) -> None:
    pytest.importorskip(target)
    X = np.arange(6.0).reshape(2, 3)
    f = pb.derive("X : (buffers, own); E = sum(tanh(X))").compile(target, form="buffers")(2, 3)
    assert f(X)[0] == pytest.approx(np.tanh(X).sum())


def test_numba_says_which_types_its_loops_are_for() -> None:
    pytest.importorskip("numba")
    with pytest.raises(TypeError, match="for float32 and float64, not float16"):
        pb.derive("E = sum(tanh(x))").compile("numba")(np.ones(3, np.float16))


@pytest.mark.parametrize("form", ["function", "buffers"])
def test_arrays_may_have_the_names_of_what_is_written(form: str) -> None:
    """`id` and the function's own name as arrays and as sizes."""
    for text in ("W : (m, n); id = W a; E = ‖tanh(id)‖²", "W : (id, n); z = W a; E = ‖tanh(z)‖²",
                 "W : (m, n); value_and_grad = W a; E = ‖tanh(value_and_grad)‖²"):  # fmt: skip
        f = pb.derive(text).compile("numpy", form=form)
        f = f(2, 3) if form == "buffers" else f
        assert f(np.ones((2, 3)), np.ones(3))[0] == pytest.approx(2 * np.tanh(3) ** 2)


def test_a_name_that_an_array_has_is_refused() -> None:
    for name in ("W", "E", "grad_W"):
        with pytest.raises(ParseError, match=f"another use for the name {name}"):
            pb.derive("z = W a; E = ‖tanh(z)‖²").code("numpy", name=name)
