"""What is called positive definite or invertible is: for random matrices built in every way that the judge reads."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from pullback.algebra.definite import Definite
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.intervals import of_facts
from pullback.algebra.op import REGISTRY
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.free import facts_of, var
from pullback.algebra.ops.linalg import inv
from pullback.algebra.ops.matrix import diag, eye, outer

np = pytest.importorskip("numpy")

n, m = Dim.symbol("n"), Dim.symbol("m")
SIZES = {"n": 3, "m": 2}
S, R = var("S", (n, n), facts=("symmetric", "posdef")), var("R", (n, n), facts=("symmetric", "posdef"))
X, A, K = var("X", (m, n)), var("A", (n, n)), var("K", (n, n), facts=("symmetric",))
Q = var("Q", (n, n), facts=("orthogonal",))
v, w = var("v", (n,)), var("w", (n,), facts=("positive",))
s, t = var("s", ()), var("t", (), facts=("positive",))
NAMES = (S, R, X, A, K, Q, v, w, s, t)
sqrtm = REGISTRY["sqrtm"]


def judge() -> Definite:
    return Definite({x: of_facts(facts_of(x)) for x in NAMES}, {})


@pytest.mark.parametrize("e", [
    S, S + R, t * S, 2 * S, inv(S), sqrtm(S), inv(S + R), S.T, X.T @ X + eye(dim=n), X.T @ X + t * eye(dim=n), A @ A.T + S, A @ S @ A.T + R,
    outer(v, v) + S, eye(dim=n), diag(w), diag(w) + X.T @ X, (s * s) * S + R, eye(dim=n) + A @ outer(v, v) @ A.T, (v @ v) * eye(dim=n) + S,
    diag(w) @ diag(w), eye(dim=n) + A.T @ diag(v * v) @ A, eye(dim=n) + diag(v) @ S @ diag(v), K @ K + S, K @ S @ K + S,
])  # fmt: skip
def test_positive_definite(e: Expr) -> None:
    assert judge().positive(e)


@pytest.mark.parametrize("e", [
    K, A, X.T @ X, S - R, s * S, A @ A.T, diag(v), outer(v, v), S @ R, K @ S, A @ S, K + eye(dim=n), A.T @ K @ A + S, eye(dim=n) - X.T @ X,
    A @ A + S, A @ A.T @ outer(REGISTRY["ones"](dims=(n,)), REGISTRY["ones"](dims=(n,))) + S, outer(v, w) + S, -S,
])  # fmt: skip
def test_unknown(e: Expr) -> None:
    assert not judge().positive(e)


@pytest.mark.parametrize(("e", "known"), [(S @ R, True), (Q, True), (Q @ S @ Q.T, True), (2 * S @ inv(R), True), (diag(w) @ S, True), (A, False),
                                          (A @ S, False), (X.T @ X, False), (s * S, False), (diag(v), False), (S - R, False), (outer(v, v), False)])  # fmt: skip
def test_invertible(e: Expr, known: bool) -> None:
    assert judge().invertible(e) is known


def grown(random: Random, depth: int) -> Expr:
    """A square matrix of the names, by the constructions that keep definiteness and those that do not."""
    if not depth:
        return random.choice([S, R, K, A, Q, eye(dim=n), diag(w), diag(v), X.T @ X, outer(v, v), outer(w, v), A @ A.T])
    a, b = grown(random, depth - 1), grown(random, random.randrange(depth))
    return random.choice([
        lambda: a + b, lambda: a - b, lambda: a @ b, lambda: a.T, lambda: a.T @ b @ a, lambda: b @ a @ b.T, lambda: random.choice([s, t, t * t, s * t, rational(2)]) * a,
        lambda: diag(v) @ a @ diag(v), lambda: diag(w) @ a @ diag(w), lambda: inv(a + 3 * eye(dim=n)), lambda: inv(S),
    ])()  # fmt: skip


def draw(x: Expr, random: Any) -> Any:
    found = random.normal(size=[d.value(SIZES) for d in x.shape])
    facts = facts_of(x)
    if "positive" in facts:
        return abs(found) + 0.5
    if "orthogonal" in facts:
        return np.linalg.qr(found)[0]
    if "posdef" in facts:
        return found @ found.T + np.eye(len(found))
    return found + found.T if "symmetric" in facts else found


def value(e: Expr, point: dict[Expr, Any]) -> Any:
    from _oracle import Interpreter

    return Interpreter(np, SIZES, lambda x: x).run(e, dict(point))


def test_random_matrices() -> None:
    """At many points: the least eigenvalue of what is called definite, the least singular value of what is called invertible."""
    said = {"positive": 0, "invertible": 0, "unknown": 0}
    for seed in range(1500):
        e = grown(Random(seed), 1 + seed % 3)
        positive, invertible = judge().positive(e), judge().invertible(e)
        said["positive" if positive else "invertible" if invertible else "unknown"] += 1
        assert invertible or not positive
        for k in range(6 if invertible else 0):
            random = np.random.default_rng([seed, k])
            M = value(e, {x: draw(x, random) for x in NAMES})
            size = np.linalg.norm(M, 2)
            if size > 1e5:
                continue  # floats tell nothing
            assert np.linalg.svd(M)[1][-1] > 1e-12 * size, e
            if positive:
                assert np.allclose(M, M.T, atol=1e-9 * size) and np.linalg.eigvalsh(M)[0] > 0, e
    assert min(said.values()) > 50, said
