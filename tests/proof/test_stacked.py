"""A wrong matrix does not pass, whatever the tensors say; and the listed mistakes are mistakes."""

from dataclasses import replace

import pytest

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import is_name, var
from pullback.calculus.jacobian import Jacobians, jacobian_steps
from pullback.calculus.stacked import Diag, Form, Kron, Leaf, Product, Scaled, Sum, Turned, extent, turned
from pullback.errors import CheckFailed
from pullback.proof.field import Modular
from pullback.proof.jets import Point
from pullback.proof.mistakes import Mistake, mistakes
from pullback.proof.stacked import Matrix, evaluate, holds, stacked_evidence

np = pytest.importorskip("numpy")

BATCH = "W : (m, n)\nA : (n, B)\nb : m\nZ = W A + b\nY = f(Z)\nE = loss(Y)"
LAYER = "W : (m, n)\na : n\nb : m\nz = W a + b\ny = f(z)\nE = loss(y)"
SQUARE = "W : (n, n)\na : n\nz = W a\ny = f(z)\nE = loss(y)"
m, n, p = (Dim.of(c) for c in "mnp")
A, X, u = var("A", (m, n)), var("X", (n, p)), var("u", (m,))


def numbers(f: Form, point: Point) -> np.ndarray:
    made = evaluate(f, point, {})
    return np.array(made.entries, dtype=object).reshape(made.rows, made.cols)


def test_the_evaluator_against_numpy() -> None:
    point = Point(Modular("x"), {"m": 2, "n": 3, "p": 4})
    rng = np.random.default_rng(0)
    values = {e: rng.integers(-9, 9, [d.value(point.sizes) for d in e.shape]) for e in (A, X, u)}
    for e, x in values.items():
        point.bind(e, [int(t) for t in x.reshape(-1)])
    a, x, v = (values[e] for e in (A, X, u))
    col = v[:, None]
    cases: list[tuple[Form, np.ndarray]] = [
        (Leaf(A), a),
        (Leaf(u), col),
        (Leaf(A, "vec"), a.reshape(-1, 1, order="F")),
        (Leaf(A, "rvec"), a.reshape(-1, 1)),
        (Turned(Leaf(u)), col.T),
        (Kron(Leaf(A), Leaf(X)), np.kron(a, x)),
        (Kron(Turned(Leaf(u)), Leaf(X)), np.kron(col.T, x)),
        (Diag(Leaf(A, "vec")), np.diag(a.reshape(-1, order="F"))),
        (Product((Leaf(A), Leaf(X))), a @ x),
        (Product((Turned(Leaf(u)), Leaf(A), Leaf(X))), col.T @ a @ x),
        (Sum(((1, Leaf(A)), (-1, Leaf(A)), (-1, Leaf(A)))), -a),
        (turned(Kron(Leaf(A), Product((Leaf(A), Leaf(X))))), np.kron(a, a @ x).T),
    ]
    P = point.field.mod
    for f, wanted in cases:
        assert (numbers(f, point) == wanted % P).all(), f
        rows, cols = extent(f)
        sizes = [int(np.prod([d.value(point.sizes) for d in side], initial=1)) for side in (rows, cols)]
        assert tuple(sizes) == wanted.shape, f


def spoilt(f: Form) -> list[Form]:
    """The matrix damaged in ways that a printer or a hand might damage it."""
    found: list[Form] = [Scaled(var("s", ()), f), Sum(((-1, f),))]
    if isinstance(f, Kron):
        found.append(Kron(f.right, f.left))
        found += [Kron(turned(f.left), f.right)] if turned(f.left) != f.left else []
    if isinstance(f, Leaf) and f.expr.order == 2 and is_name(f.expr):
        found.append(Leaf(f.expr.T))
    if isinstance(f, Diag) and isinstance(f.of, Leaf):
        found += [Diag(Leaf(f.of.expr, "rvec")), f.of]
    return found


@pytest.mark.parametrize("text", [LAYER, BATCH, SQUARE])
def test_a_spoilt_matrix_does_not_pass(text: str) -> None:
    tried = 0
    for j in jacobian_steps(pb.derive(text).derivation):
        for s in j.steps:
            e = j.equalities.get(s.id)
            if e is None:
                continue
            assert holds(e, j.known, j.layout)
            if s.kind != "jacobian":
                continue
            for wrong in spoilt(e.right):
                tried += 1
                assert not same(j, replace(e, right=wrong)), (s.about, wrong)
    assert tried > 20


def same(j: Jacobians, e: object) -> bool:
    try:
        return holds(e, j.known, j.layout) is not None  # type: ignore[arg-type]
    except CheckFailed:  # the sizes do not even fit
        return False


def test_a_wrong_matrix_is_withheld() -> None:
    [j, _] = jacobian_steps(pb.derive(BATCH).derivation)
    [s] = [s for s in j.steps if s.kind == "jacobian" and s.about == "W"]
    e = j.equalities[s.id]
    assert isinstance(e.right, Kron)
    j.equalities[s.id] = replace(e, right=Kron(e.right.right, e.right.left))
    with pytest.raises(CheckFailed) as caught:
        stacked_evidence(j, s)
    assert caught.value.code == "C012"


# ---- mistakes


def shown(x: Matrix) -> np.ndarray:
    return np.array(x.entries).reshape(x.rows, x.cols)


def value(f: Form, given: dict[Expr, np.ndarray]) -> np.ndarray:
    if isinstance(f, Leaf):
        e = f.expr
        if e in given:
            return given[e]
        if e.op.name == "diag":
            return np.diag(given[e.args[0]][:, 0])
        if e.op.name == "hadamard":
            return given[e.args[0]] * given[e.args[1]]
        assert e.op.name == "transpose", e
        return given[e.args[0]].T
    if isinstance(f, Turned):
        return value(f.of, given).T
    assert isinstance(f, Product)
    made = value(f.factors[0], given)
    for g in f.factors[1:]:
        made = made @ value(g, given)
    return made


@pytest.mark.parametrize(
    "text", [LAYER, BATCH, SQUARE, "W : (n, m)\nz = Wᵀ a\ny = f(z)\nE = loss(y)", "Z = A W\nE = loss(Z)"]
)
def test_listed_mistakes_are_refuted(text: str) -> None:
    """By NumPy: the shapes do not fit at different sizes; where they can be equal, the numbers differ as shown."""
    found = mistakes(pb.derive(text).derivation)
    assert found
    for x in found:
        if x.needs:
            sizes = {"m": 2, "n": 3, "B": 5, "p": 7}
            factors = [
                np.ones([int(np.prod([d.value(sizes) for d in side], initial=1)) for side in f[1:]]) for f in x.shapes
            ]
            wanted = tuple(int(np.prod([d.value(sizes) for d in side], initial=1)) for side in extent(x.right))
            assert not fits(factors, wanted), x.kind
        else:
            assert x.example is not None
        if x.example is not None:
            given = {e: shown(v) for e, v in x.example.given}
            assert (value(x.wrong, given) == shown(x.example.wrong)).all()
            assert (value(x.right, given) == shown(x.example.right)).all()
            assert (shown(x.example.wrong) != shown(x.example.right)).any()


def fits(factors: list[np.ndarray], wanted: tuple[int, ...]) -> bool:
    made = factors[0]
    for x in factors[1:]:
        if made.shape[1] != x.shape[0]:
            return False
        made = made @ x
    return made.shape == wanted


def kinds(text: str) -> dict[str, Mistake]:
    return {x.kind: x for x in mistakes(pb.derive(text).derivation)}


def test_the_layer_has_the_mistake_of_the_asker() -> None:
    page = pb.derive(LAYER).text("jacobian")
    assert "∇y W f′(z): both at once" in page
    assert set(kinds(LAYER)) == {"columns", "transpose", "vector", "mixed", "all"}
    assert all(x.example is not None for k, x in kinds(SQUARE).items() if k in ("transpose", "mixed"))


def test_what_is_right_is_no_mistake() -> None:
    """A symmetric Jacobian may be transposed: nothing is listed for it."""
    assert "transpose" not in kinds("p = x + x\nE = loss(p)")
    assert not kinds("E = xᵀ x")
