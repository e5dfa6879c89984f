"""What is kept from the forward pass: what a value tells of its argument is so, and the choice keeps the least that it can."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod
from random import Random
from typing import Any

import pytest

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr, substitute
from pullback.algebra.op import REGISTRY, Op
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.free import var
from pullback.code import plan as planning
from pullback.code.frame import Words
from pullback.code.instructions import Given
from pullback.code.keeping import smaller
from pullback.code.plan import Plan, arranged, plan
from pullback.code.targets import writer_of
from pullback.show import notation
from pullback.show.names import ascii_name

np = pytest.importorskip("numpy")

WORDS = Words(ascii_name, notation.text)
TELLING = [op for op in REGISTRY.values() if op.tells is not None]


N = Dim.symbol("n")
UNDECIDED = {"leaky_relu", "elu", "clip01", "relu6", "hardtanh"}  # their pieces are not compared modulo p; floats agree
FAR = [0.5, 1.0, 3.0, 6.0, 40.0, 700.0, 1e-9]


def told(op: Op) -> tuple[Expr, list[tuple[Expr, Expr]]]:
    """A node of the op, numbers being ⅓, and what its value tells: pairs of equal expressions."""
    args = [var(n.lower(), (N,)) if p == ("*s",) else rational(Fraction(1, 3)) for n, p in op.slots]
    e, value = op(*args), var("value", (N,))
    pairs = list(op.tells(value, *args))
    assert pairs
    return e, [(s, substitute(r, {value: e})) for s, r in pairs]


@pytest.mark.parametrize("op", TELLING, ids=lambda op: op.name)
def test_what_a_value_tells_is_so(op: Op) -> None:
    """By the judges of equality; and in the numbers that the code gives, also far out and at the kinks."""
    e, pairs = told(op)
    names = [a for a in e.args if not a.op.number]
    declared = "; ".join(f"{a.attrs[0]} : (n)" + (" where positive" if op.needs else "") for a in names)
    for s, r in pairs:
        proof = pb.prove(f"{declared}; {notation.text(s)} = {notation.text(r)}")
        assert proof.holds is (None if op.name in UNDECIDED else True)
        left, right = var("left", (N,)), var("right", (N,))
        p = arranged([(left, s, False, False), (right, r, False, False)], names, left, {"right": right})
        code: dict[str, Any] = {}
        exec(writer_of("numpy", "function")(p, WORDS, "both"), code)
        points = np.array(list(product([*FAR, *([] if op.needs else [0.0, *(-x for x in FAR)])], repeat=len(names))))
        found, grad = code["both"](*points.T)
        np.testing.assert_allclose(grad["right"], found, rtol=1e-12, atol=0)


def test_what_only_some_numbers_tell() -> None:
    """The sign of leaky_relu(t) is that of t only if its slope on the left is positive."""
    for text, kept in (("leaky_relu(z, 0.1)", "y"), ("leaky_relu(z, -0.1)", "z"), ("leaky_relu(z, s)", "z")):
        p = plan(pb.derive(f"s : (); z = W x; y = {text}; E = ‖y‖²", wrt=["W", "x"]).derivation)
        assert [v.name for v in p.kept() if v.name in ("z", "y")][:1] == ["y"]
        assert ("z" in {v.name for v in p.kept()}) == (kept == "z")


# ---- the choice --------------------------------------------------------------------------------------------------------


def size_of(p: Plan, sizes: dict[str, int]) -> int:
    made = [v for v in p.kept() if not isinstance(v.by, Given)]
    return sum(prod(d.value({s: sizes.get(s, 64) for s in d.symbols()}) for d in v.shape) for v in made)


def kept(text: str, wrt: list[str] | None = None, **sizes: int) -> set[str]:
    p = plan(pb.derive(text, wrt=wrt).derivation, sizes=sizes)
    return {v.name for v in p.kept() if not isinstance(v.by, Given)}


MLP = """X : (n, B)
Z1 = W1 X + outer(b1, ones(B)); A1 = relu(Z1); Z2 = W2 A1 + outer(b2, ones(B)); A2 = softplus(Z2)
Z3 = W3 A2 + outer(b3, ones(B)); P = softmax(Z3, axis=0); E = -sum(Y .* log(P))"""


def test_the_kept_set_of_the_textbook() -> None:
    weights = ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert kept(MLP, weights) == {"A1", "A2", "P"}
    assert kept("Z = X W; P = softmax(Z, axis=1); E = -sum(Y .* log(P))", ["W"]) == {"P"}
    # u₂ is x̂, and r has no name
    assert kept("x : n; y = layernorm(x, g, b); E = loss(y)") == {"y", "u₂", ""}
    # O is read by loss; A is what is kept of Q Kᵀ
    assert kept("S = c (Q Kᵀ); A = softmax(S, axis=1); O = A V; E = loss(O)", ["Q", "K", "V"]) == {"A", "O"}


def test_the_choice_depends_on_what_else_is_read() -> None:
    """Where z is kept for another reason, the slope is read off it, as it was derived."""
    assert kept("z = W x; y = relu(z); E = loss(y)", ["W"]) == {"y"}
    assert kept("z = W x; y = relu(z); E = sum(y) + ‖z‖²", ["W"]) == {"z"}
    # z → y → w: the one in the middle serves both maps
    assert kept("z = W x; y = relu(z); w = softplus(y); E = sum(w)", ["W"]) == {"y"}
    # of two values of one argument it is cheaper to keep the argument
    assert kept("z = W x; y = relu(z); w = softplus(z); E = sum(y) + sum(w)", ["W"]) == {"z"}


@pytest.mark.parametrize("seed", range(12))
def test_no_choice_keeps_less(seed: int) -> None:
    """Against every choice there is, on random trees of maps."""
    random = Random(seed)
    names, lines, ends = ["z"], ["x : n", "z = W x"], []
    for k in range(random.randrange(2, 6)):
        lines.append(f"a{k} = {random.choice(['relu', 'softplus', 'relu6', 'tanh'])}({random.choice(names)})")
        names.append(f"a{k}")
    ends = [f"sum({n})" if random.random() < 0.6 else f"‖{n}‖²" for n in names[1:]]
    d = pb.derive("; ".join([*lines, "E = " + " + ".join(ends)]), wrt=["W"]).derivation
    best = size_of(plan(d), {})
    assert best == min(size_of(p, {}) for p in every(d))


def every(d: Any) -> list[Plan]:
    """The plans with every choice of the slopes that are read off the value."""
    pairs = [s for q in d.core.equations if q.value.op.tells for s in [dict(q.value.op.tells(q.var, *q.value.args))]]
    found = []
    original = planning.smaller
    for bits in product((False, True), repeat=len(pairs)):
        instead = {s: r for bit, some in zip(bits, pairs, strict=True) if bit for s, r in some.items()}
        planning.smaller = lambda equations, size, instead=instead: (  # type: ignore[assignment]
            [(v, substitute(e, instead) if back else e, ours, back) for v, e, ours, back in equations],
            {},
        )
        try:
            found.append(plan(d))
        finally:
            planning.smaller = original
    return found


def test_nothing_to_choose_changes_nothing() -> None:
    d = pb.derive("z = W x; y = tanh(z); E = ‖y‖²").derivation
    equations = [(q.var, q.value, q.auxiliary, False) for q in d.core.equations]
    assert smaller(equations, lambda n: 3) == (equations, {})


def test_the_choice_is_said_in_the_code() -> None:
    text = pb.derive("z = W x; y = relu(z); E = ‖y‖²", wrt="W").code("numpy")
    assert "# step(z) = step(y)   (m,)\n    # ∇z = ∇y ⊙ step(z)   (m,)\n" in text
    assert "np.greater(y, 0)" in text
