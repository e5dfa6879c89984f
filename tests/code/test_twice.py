"""Random programs, as functions that frameworks differentiate: the gradient, and what autodiff makes of it, which is H w.

A framework differentiates our backward pass to get there. It goes wrong without a word where a number is taken for a constant, or
where an array is one that it has under another name.
"""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from pullback.algebra.expr import postorder
from pullback.algebra.ops.free import is_free_function, is_free_map
from pullback.code.frame import Words
from pullback.code.plan import plan
from pullback.code.targets import kernels_of, writer_of
from pullback.errors import UnsupportedError
from pullback.show import notation
from pullback.show.names import ascii_name

np = pytest.importorskip("numpy")

from _declared import any_program  # noqa: E402
from _oracle import draw_inputs, ours  # noqa: E402

from pullback.calculus.core import Definition  # noqa: E402
from pullback.calculus.derive import derive  # noqa: E402
from pullback.code.numpy import evaluate  # noqa: E402

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
WORDS = Words(ascii_name, lambda e: " ".join(notation.text(e).split()))
FORMS = [("jax", "autodiff"), ("torch", "autodiff"), ("torch", "op"), ("tensorflow", "autodiff")]
HAVE = [(t, f) for t, f in FORMS if importlib.util.find_spec(t) is not None]

Arrays = dict[str, Any]


def assert_close(a: Any, b: Any, tolerance: float) -> None:
    scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
    assert np.shape(a) == np.shape(b)
    assert float(np.max(np.abs(np.asarray(a) - b), initial=0.0)) <= tolerance * scale


Twice = Callable[[Callable[..., Any], Arrays, Sequence[str], Arrays], tuple[Arrays, Arrays]]


def by_jax(f: Callable[..., Any], given: Arrays, names: Sequence[str], w: Arrays) -> tuple[Arrays, Arrays]:
    import jax

    which = tuple(list(given).index(n) for n in names)
    args = [jax.numpy.array(a) for a in given.values()]
    gradient = jax.grad(f, argnums=which)

    def along(*args: Any) -> Any:
        return sum(jax.numpy.sum(g * w[n]) for n, g in zip(names, gradient(*args), strict=True))

    both = jax.jit(lambda *args: (gradient(*args), jax.grad(along, argnums=which)(*args)))(*args)
    return tuple(dict(zip(names, x, strict=True)) for x in both)  # type: ignore[return-value]


def by_torch(f: Callable[..., Any], given: Arrays, names: Sequence[str], w: Arrays) -> tuple[Arrays, Arrays]:
    import torch

    torch.set_default_dtype(torch.float64)
    args = {n: torch.tensor(a, requires_grad=n in names) for n, a in given.items()}
    move = [args[n] for n in names]

    def filled(some: Sequence[Any]) -> Arrays:
        return {
            n: np.zeros_like(given[n]) if g is None else g.detach().numpy() for n, g in zip(names, some, strict=True)
        }

    value = f(*args.values())
    first = torch.autograd.grad(value, move, create_graph=True, allow_unused=True)
    along = sum((g * torch.tensor(w[n])).sum() for n, g in zip(names, first, strict=True) if g is not None)
    curved = torch.is_tensor(along) and along.requires_grad
    second = torch.autograd.grad(along, move, allow_unused=True) if curved else [None] * len(move)
    return filled(first), filled(second)


def by_tensorflow(f: Callable[..., Any], given: Arrays, names: Sequence[str], w: Arrays) -> tuple[Arrays, Arrays]:
    import tensorflow as tf

    args = {n: tf.constant(a) for n, a in given.items()}
    some = [args[n] for n in names]
    with tf.GradientTape() as outer:
        outer.watch(some)
        with tf.GradientTape() as inner:
            inner.watch(some)
            value = f(*args.values())
        first = inner.gradient(value, some, unconnected_gradients="zero")
        along = tf.add_n([tf.reduce_sum(g * w[n]) for n, g in zip(names, first, strict=True)])
    second = outer.gradient(along, some, unconnected_gradients="zero")
    return tuple({n: x.numpy() for n, x in zip(names, found, strict=True)} for found in (first, second))  # type: ignore[return-value]


TWICE: Mapping[str, Twice] = {"jax": by_jax, "torch": by_torch, "tensorflow": by_tensorflow}


def outcome(seed: int, target: str, form: str) -> str:
    """What became of the program: "right", or why it says nothing."""
    program = any_program(Random(seed))
    wrt = [v for v in program.inputs if v in program.wrt]
    if program.seed is not None or program.target.order or not wrt or ours(program):
        return "no number"
    d = derive([Definition(v, e) for v, e in program.equations], program.inputs, program.target, wrt)
    leaves = {x for q in d.core.equations for x in postorder(q.value)}
    if any(is_free_function(x) or is_free_map(x) for x in leaves):
        return "unknown functions"
    point = draw_inputs(program, seed)
    given = {v.attrs[0]: x for v, x in point.items() if v in leaves or v in d.wrt}
    try:
        value, wanted = evaluate(d, set(), dict(given))
        p = plan(d, kernels=kernels_of(target))
        p.fixed = frozenset(v.attrs[0] for v in d.inputs if v not in wrt)
        text = writer_of(target, form)(p, WORDS, "evaluate")
    except UnsupportedError:
        return "refused"
    if not float(np.max(np.abs(value))) < 1e4:
        return "large"
    module: dict[str, Any] = {}
    exec(compile(text, "<generated>", "exec"), module)
    arrays = {v.name: np.array(given[v.name], float) for v in p.inputs}
    names = [n for n in arrays if n in wanted]
    rng = np.random.default_rng(seed)
    w, step = ({n: rng.normal(size=np.shape(wanted[n])) for n in names} for _ in range(2))
    try:
        first, second = TWICE[target](module["evaluate"], arrays, names, w)
    except (NotImplementedError, LookupError):  # JAX differentiates no Schur form, TensorFlow no matrix logarithm
        return "refused"
    for n in names:
        assert_close(first[n], wanted[n], 1e-8)

    def slope(h: float) -> float:
        """Of ⟨w, the gradient⟩ along the step, by differences of our own evaluator."""

        def along(t: float) -> float:
            found = evaluate(d, set(), {**given, **{n: given[n] + t * step[n] for n in names}})[1]
            return sum(float(np.sum(found[n] * w[n])) for n in names)

        return (8 * (along(h / 2) - along(-h / 2)) - (along(h) - along(-h))) / (6 * h)

    expected, again = slope(1e-4), slope(3e-5)
    scale = max(1.0, abs(expected))
    if not abs(expected - again) < 1e-5 * scale:
        return "rough"
    found = sum(float(np.sum(np.asarray(second[n]) * step[n])) for n in names)
    assert abs(found - again) <= 2e-4 * scale, f"{found}, by differences {again}"
    return "right"


@pytest.mark.parametrize(("target", "form"), HAVE, ids=[f"{t}-{f}" for t, f in HAVE])
@pytest.mark.parametrize("start", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(10, 100, 10))])
def test_random_programs_are_differentiated_twice(target: str, form: str, start: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(start, start + 10):
        try:
            seen[outcome(seed, target, form)] += 1
        except Exception as why:
            raise AssertionError(f"seed {seed}: {any_program(Random(seed))!r}") from why
    assert seen["right"], seen


CASES = {  # what the random programs found, with the number that must be right
    "a number repeated": "X : (n, n) where const; y : n where const; s : scalar\nE = y' inv(X X' + exp(s) I) y",
    "a value that is kept": "x : n\nL = ‖x‖\nE = L",
    "a value that is an input": "x : scalar\nE = x",
    "a number in a block": "x : n; W : (m, n + 1)\nE = sum(tanh(W [x; 1]))",
    "a block of numbers": "x : n\nE = sum(exp([x; 0.5^0; pi])) x[1]",
    "no triangle": "X : (n, n)\nE = sum(cholesky_inverse(X + 2 I).^2)",
    "a square in place": "X : (n, n); y : n\nu = tanh(X y)\nE = sum((1 - u.^2).^2 .* exp(u))",
}


@pytest.mark.parametrize(("target", "form"), HAVE, ids=[f"{t}-{f}" for t, f in HAVE])
@pytest.mark.parametrize("name", CASES)
def test_what_was_found(name: str, target: str, form: str) -> None:
    import pullback as pb

    d = pb.derive(CASES[name])
    rng = np.random.default_rng(4)
    sizes = {"m": 2, "n": 3}
    arrays = {v.attrs[0]: rng.uniform(0.5, 1.5, size=[a.value(sizes) for a in v.shape]) for v in d.derivation.inputs}
    wanted = d.evaluate(**arrays)[1]
    names = [n for n in arrays if n in wanted]
    w = {n: rng.normal(size=np.shape(arrays[n])) for n in names}
    first, second = TWICE[target](d.compile(target, form=form), arrays, names, w)

    def along(t: float) -> Any:
        found = d.evaluate(**arrays | {n: arrays[n] + t * w[n] for n in names})[1]
        return sum(np.sum(found[n] * w[n]) for n in names)

    for n in names:
        assert_close(first[n], wanted[n], 1e-10)
    h = 1e-4
    slope = (8 * (along(h / 2) - along(-h / 2)) - (along(h) - along(-h))) / (6 * h)
    assert sum(np.sum(np.asarray(second[n]) * w[n]) for n in names) == pytest.approx(slope, rel=1e-6, abs=1e-6)
