"""Generated for every law: both sides have one shape, one value and one gradient; mutants and false laws are refuted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from _programs import Writer

from pullback.algebra.canonical import equal
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr, postorder
from pullback.algebra.lift import cost
from pullback.algebra.op import REGISTRY
from pullback.algebra.ops.arithmetic import power, rational, size_of, smul
from pullback.algebra.ops.free import free_function, free_map, is_name, var
from pullback.algebra.ops.linalg import det, inv, logdet
from pullback.algebra.ops.matrix import diag, diagvec, dot, eye, inner, outer, trace
from pullback.algebra.ops.reduction import mean_over, norm, total
from pullback.algebra.ops.structure import ones
from pullback.algebra.ops.triangles import skew, sym, tril, triu
from pullback.calculus import laws
from pullback.calculus.core import Definition
from pullback.calculus.derive import derive
from pullback.calculus.law import LAWS, NOT_LAWS, Law, rewrite
from pullback.calculus.simplify import simplify, tidy
from pullback.proof.claim import modular_equal, substitute_all

np = pytest.importorskip("numpy")

from _oracle import Interpreter  # noqa: E402

assert laws

# Sizes of the symbols in law signatures, all different, none of them 1.
SIZES = {"m": 3, "n": 4, "k": 5, "s0": 2, "s1": 3, "s2": 5, "s3": 4, "p": 2}

each_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{law.name}-{law.order}")
each_false = pytest.mark.parametrize("law", NOT_LAWS, ids=lambda law: f"{law.name}-{law.order}")


def names_of(*exprs: Expr) -> list[Expr]:
    return list(dict.fromkeys(x for e in exprs for x in postorder(e) if is_name(x)))


def draw(names: list[Expr], seed: int) -> dict[Expr, Any]:
    rng = np.random.default_rng(seed)
    found = {}
    for v in names:
        extents = [d.value(SIZES) for d in v.shape]
        found[v] = rng.uniform(0.3, 1.5, extents) * rng.choice([-1, 1], extents)
    return found


def value(e: Expr, values: dict[Expr, Any]) -> Any:
    return Interpreter(np, SIZES, np.vectorize(math.erf, otypes=[float])).run(e, dict(values))


def agree(left: Expr, right: Expr, seed: int = 3) -> bool:
    values = draw(names_of(left, right), seed)
    a, b = value(left, values), value(right, values)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-12, atol=1e-12))


@each_law
def test_sides_are_equal(law: Law) -> None:
    assert law.left.shape == law.right.shape
    assert set(names_of(law.right)) <= set(names_of(law.left)), "the right side has a name that matching cannot bind"
    tested = modular_equal(law.left, law.right, {})
    assert tested, "not confirmed modulo p at any point"
    defines = law.right.op.composite  # what an op is defined as: its own differential is derived from that
    assert defines or equal(law.left, law.right), "true modulo p, but no proof by canonical forms"
    assert agree(law.left, law.right)


@each_law
def test_reason_is_a_sentence(law: Law) -> None:
    assert law.reason and law.reason[0] not in " \n"
    assert (law.name.islower() and "_" in law.name) or law.name in ("quotient",)


@each_law
def test_law_matches_its_own_left_side(law: Law) -> None:
    """Applied to fresh names with other sizes, a law gives its right side in those names."""
    sizes = {s: Dim.symbol(s + s) for v in names_of(law.left) for d in v.shape for s in d.symbols()}
    other = _resized(law.left, sizes)
    found = law.match(other)
    assert found is not None and found.shape == other.shape
    assert modular_equal(other, found, {})


def _resized(e: Expr, sizes: dict[str, Dim]) -> Expr:
    done: dict[Expr, Expr] = {}
    for x in postorder(e):
        shape = tuple(d.substitute(sizes) for d in x.shape)
        if is_name(x):
            done[x] = var(x.attrs[0] + "2", shape)
            continue
        attrs = tuple(_resize(a, sizes) for a in x.attrs)
        done[x] = Expr.make(x.op, tuple(done[a] for a in x.args), attrs, shape)
    return done[e]


def _resize(a: Any, sizes: dict[str, Dim]) -> Any:
    if isinstance(a, Dim):
        return a.substitute(sizes)
    return tuple(_resize(x, sizes) for x in a) if isinstance(a, tuple) else a


@each_law
def test_gradients_of_both_sides_are_equal(law: Law) -> None:
    """∇ Σ⟨C, left⟩ = ∇ Σ⟨C, right⟩ in every name."""
    C, E = var("C", law.left.shape), var("E", ())
    bind = {v: var(v.attrs[0], v.shape) for v in names_of(law.left)}
    inputs = [*bind.values(), C]
    gradients = []
    for side in (law.left, law.right):
        d = derive([Definition(E, inner(C, _named(side, bind)))], inputs, E, inputs)
        known = {q.var: q.value for q in d.core.equations}
        gradients.append(({b.of: b.closed for b in d.backward}, known))
    (left, one), (right, two) = gradients
    for v in inputs:
        assert modular_equal(substitute_all(left[v], one), substitute_all(right[v], two), {}), v.attrs[0]


def _named(e: Expr, bind: dict[Expr, Expr]) -> Expr:
    done: dict[Expr, Expr] = {}
    for x in postorder(e):
        done[x] = bind.get(x) or Expr.make(x.op, tuple(done[a] for a in x.args), x.attrs, x.shape)
    return done[e]


# ---- mutants -----------------------------------------------------------------------------------------------


def mutants(e: Expr) -> Iterator[Expr]:
    """`e` with two factors swapped, a transpose dropped or added, a sign flipped, or a factor doubled."""
    yield -e
    yield rational(2) * e
    if e.order == 2 and e.shape[0] == e.shape[1]:
        yield e.T
    for x in postorder(e):
        found: list[Expr] = []
        if x.op.name == "transpose" and x.args[0].shape == x.shape:
            found.append(x.args[0])
        if len(x.args) == 2 and x.args[0].shape == x.args[1].shape and x.args[0] is not x.args[1]:
            found.append(Expr.make(x.op, x.args[::-1], x.attrs, x.shape))
        if x.op.name in ("add", "sub"):
            found.append(REGISTRY["sub" if x.op.name == "add" else "add"](*x.args))
        if x.op.name == "neg":
            found.append(x.args[0])
        if x.op.name == "power":
            found.append(power(x.args[0], exponent=-x.attrs[0]))
        for new in found:
            done: dict[Expr, Expr] = {}
            for y in postorder(e):
                done[y] = new if y is x else Expr.make(y.op, tuple(done[a] for a in y.args), y.attrs, y.shape)
            yield done[e]


@each_law
def test_mutants_are_refuted(law: Law) -> None:
    """Every mutant of the right side that is another function, as NumPy says, is refuted modulo p."""
    refuted = 0
    for mutant in mutants(law.right):
        different = not agree(law.left, mutant)
        assert (modular_equal(law.left, mutant, {}) is None) == different
        assert not (equal(law.left, mutant) and different)
        refuted += different
    assert refuted >= 2, "no mutant of this law is false: it asserts nothing"


@each_false
def test_false_laws_are_refuted(law: Law) -> None:
    assert law.left.shape == law.right.shape, "a false law of unlike shapes tempts nobody"
    assert modular_equal(law.left, law.right, {}) is None
    assert not equal(law.left, law.right)
    assert not agree(law.left, law.right)
    assert law.reason.startswith("False")


# ---- termination and use -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_rewriting_ends(seed: int) -> None:
    """Rewriting anywhere, in any order, reaches an expression that no law fits; tidy and simplify stop there too."""
    random = Random(seed)
    writer = Writer(random)
    e = writer.grow(writer.shape(2), 4)
    e = _dressed(e, random)
    start = e
    for _ in range(400):
        options = [(x, found) for x in postorder(e) for _, found in rewrite(x)]
        if not options:
            break
        x, found = options[random.randrange(len(options))]
        assert found.shape == x.shape
        done: dict[Expr, Expr] = {}
        for y in postorder(e):
            done[y] = found if y is x else Expr.make(y.op, tuple(done[a] for a in y.args), y.attrs, y.shape)
        e = done[e]
    else:
        pytest.fail("no fixpoint after 400 steps")
    assert cost(e)[-1] <= cost(start)[-1] + 4
    assert modular_equal(start, e, {}) is not None
    tidied = [start]
    while len(tidied) < 8 and tidied[-1] is not (after := tidy(tidied[-1])[0]):
        tidied.append(after)
    assert len(tidied) < 8, "tidy does not come to rest"
    short, _ = simplify(start)
    again, _ = simplify(short)
    assert cost(again)[-1] <= cost(short)[-1] + 4, "simplify grows what it has simplified"


def _dressed(e: Expr, random: Random) -> Expr:
    """The expression with redundancies for the laws to remove."""
    done: dict[Expr, Expr] = {}
    for x in postorder(e):
        new = Expr.make(x.op, tuple(done[a] for a in x.args), x.attrs, x.shape)
        form = random.randrange(8)
        if form == 0:
            minus = -new
            new = -minus
        elif form == 1:
            new = smul(rational(1), new)
        elif form == 2:
            new = new * ones(new.shape) if new.order else new * rational(1)
        elif form == 3 and new.order == 2:
            new = new.T.T
        elif form == 4 and new.order == 2:
            new = eye(dim=new.shape[0]) @ new @ eye(dim=new.shape[1])
        done[x] = new
    return done[e]


# One small program per law: its derivation writes the left side of the law, and the law removes it.
m, n = Dim.symbol("m"), Dim.symbol("n")
W, A, B, C = var("W", (m, n)), var("A", (n, n)), var("B", (n, n)), var("C", (n, n))
x, y, t, s = var("x", (n,)), var("y", (n,)), var("t", (m,)), var("s", ())
PROGRAMS = [
    total(REGISTRY["exp"](diagvec(A.T @ B))), total(REGISTRY["exp"]((x / s) / s)),
    total(REGISTRY["exp"]((x / s) / var("r", ()))),
    s * dot(A.T @ x, y), total(W @ x), norm(W @ x - t), trace(A.T @ B), trace(A), trace(A.T), inner(A.T, B), dot(x, A @ x),
    -REGISTRY["log"](total(REGISTRY["exp"](x - y))), dot(x, x) / total(REGISTRY["exp"](x)), total(x / (1 + y * y)), total(outer(x, y)), total(outer(x, y).T),
    total(diag(x) @ A), total(diag(diagvec(A))), total(diagvec(diag(x))), -total(-x), total(s * (x * y)), s * dot(x, y),
    total((s * x) * (s * y)), total(1 - x), total(REGISTRY["tanh"](x)), total(REGISTRY["sigmoid"](W @ x)),
    total(REGISTRY["log"](1 + x * x)), total(REGISTRY["sqrt"](1 + x * x)), total(free_map("f", s * x)),
    free_function("loss", (), W @ x), total(A @ A @ x), norm(A), total(power(1 + x * x, exponent=Fraction(-1))),
    dot(ones((n,)), x * y), total(eye(dim=n) @ A), total(A @ eye(dim=n)), total(eye(dim=n).T @ x), total(diag(x).T @ A),
    dot(x, eye(dim=n) @ y), trace(eye(dim=n) @ A @ B), total(W.T.T @ x), s * s * s, s / (1 + s * s), total(x / s) * s,
    total(-x + y), total((-x + y) * (-y + x)), total(x * (s * y)) - total((s * x) * y), total(W / (1 + s * s)),
    total(smul(s, ones((n,))) * x), total(x * smul(s, ones((n,)))),
    power(norm(x), exponent=Fraction(3)) * dot(t, W @ x), power(norm(A), exponent=Fraction(3)),
    free_function("loss", (), W + smul(s, ones((m, n)))), dot(t, (W @ x) * ones((m,))), s * trace(A.T), s * (total(x) / size_of(n)), mean_over(W @ x, axes=(0,)), dot(t, mean_over(W, axes=(1,))), mean_over(W, axes=(0, 1)),
    trace(B @ (inv(A).T @ A.T)), trace(B @ (A.T @ inv(A).T)), inner(A @ B, inv(A).T @ C), inner(inv(A) @ B, A.T @ C),
    inner(B @ A, C @ inv(A).T), inner(B @ inv(A), C @ A.T), total(inv(A.T) @ B), trace(inv(inv(A)) @ B),
    dot(y, inv(A) @ (A @ x)), dot(y, A @ (inv(A) @ x)), total(inv(eye(dim=n)) @ x), det(A.T) * total(x), det(inv(A)) * total(x),
    logdet(A.T) * total(x), total(diagvec(A)) * total(x),
    inner(sym(sym(A)), B), inner(skew(skew(A)), B), inner(sym(A).T, B), inner(tril(tril(W)), W @ A), inner(triu(triu(W)), W @ A),
]  # fmt: skip


def test_every_law_is_alive() -> None:
    """Each law fires in the derivation of one of the programs above."""
    fired: set[str] = set()
    E = var("E", ())
    for value_ in PROGRAMS:
        inputs = names_of(value_)
        d = derive([Definition(E, value_)], inputs, E, inputs)
        fired |= {rule for step in d.steps for rule in step.rules}
    dead = {law.name for law in LAWS} - fired
    assert not dead, f"never used: {sorted(dead)}"
