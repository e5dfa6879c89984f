"""A checker is worth what it refuses: no mechanically wrong equation passes FINAL at different sizes."""

from pathlib import Path

import pytest
from mutants import BUILT_IN, lines

import pullback
from pullback.algebra.canonical import equal
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import free_map, gradient, var
from pullback.algebra.ops.matrix import outer
from pullback.proof.final import Problem, survives
from pullback.proof.mutants import alike, different, mutants, mutants_of, trial

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# Programs with an index have mutants of their own, each for every value of it: test_recur.py.
INDEXED = {"feedforward", "rnn", "residual", "encoder_decoder"}
PROGRAMS = {f.stem: f.read_text(encoding="utf-8") for f in sorted(EXAMPLES.glob("*.eqn")) if f.stem not in INDEXED}
PROGRAMS |= {name: lines(text) for name, text in BUILT_IN.items()}

each_program = pytest.mark.parametrize("name", PROGRAMS)

n = Dim.symbol("n")
m = Dim.symbol("m")
W, M = var("W", (m, n)), var("M", (n, n))
x, u, v = var("x", (n,)), var("u", (m,)), var("v", (m,))


def problem(name: str) -> Problem:
    return pullback.derive(PROGRAMS[name]).problem


def made(e: Expr) -> dict[str, Expr]:
    return dict(mutants(e))


@each_program
def test_no_mutant_passes_at_different_sizes(name: str) -> None:
    p = problem(name)
    assert survives(p, different(p)), "the program itself must pass, or the test says nothing"
    counts = trial(p, different(p))
    assert counts.total > 20
    assert counts.by_shape and counts.by_value
    assert not counts.survived, "\n".join(counts.survived)
    assert counts.by_shape + counts.by_value == counts.total


@each_program
def test_the_mutants_do_not_depend_on_the_sizes(name: str) -> None:
    p = problem(name)
    one, other = trial(p, alike(p, 1)), trial(p, different(p))
    assert one.total == other.total == len(mutants_of(p))
    assert one.by_shape <= other.by_shape, "what has the wrong order has it at any size"


@each_program
def test_no_mutant_passes_where_all_sizes_are_three(name: str) -> None:
    p = problem(name)
    counts = trial(p, alike(p, 3))
    assert not counts.survived, "\n".join(counts.survived)


def test_sizes_of_one_hide_a_transpose() -> None:
    """What different sizes are for: at size 1 a wrong order of factors is no mistake."""
    p = problem("layer")
    hidden = trial(p, alike(p, 1)).survived
    assert any("drop transpose(W)" in s for s in hidden)
    assert any("swap the factors" in s for s in hidden)


def test_a_known_f_hides_its_slope() -> None:
    """What unknown functions are for: with f(t) = t, a missing f′ is no mistake."""
    p = problem("batch_columns")
    [hidden] = trial(p, different(p), identity=True).survived
    assert "drop the factor f′" in hidden


def test_a_mutant_has_the_right_shape_and_another_meaning() -> None:
    e = W.T @ (u * v) + 2 * x
    found = made(e)
    assert len(found) > 10
    for name, wrong in found.items():
        assert wrong.shape == e.shape, name
        assert not equal(wrong, e), name


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("drop the term u", u + v, v),
        ("flip the sign of the term v", u + v, u + -v),
        ("drop the factor v of hadamard(u, v)", u * v, u),
        ("transpose the factor M of matvec(M, x)", M @ x, M.T @ x),
        ("drop transpose(M)", M.T @ x, M @ x),
        ("hadamard for matmul(M, M)", M @ M, M * M),
        ("matmul for hadamard(M, M)", M * M, M @ M),
        ("double the whole", u, 2 * u),
        ("f for f′(u)", free_map("f", u, orders=(1,)), free_map("f", u)),
        ("f′′ for f′(u)", free_map("f", u, orders=(1,)), free_map("f", u, orders=(2,))),
        ("swap the factors of outer(x, …)", outer(x, M @ x), outer(M @ x, x)),
        ("exponent -2 for -1 of u", u**-1, u**-2),
    ],
)
def test_edits(name: str, right: Expr, wrong: Expr) -> None:
    assert equal(made(right)[name], wrong)


def test_what_changes_nothing_is_no_mutant() -> None:
    """x xᵀ is symmetric: its transpose, and the swap of its factors, are the same equation."""
    names = made(outer(x, x))
    assert "transpose the whole" not in names
    assert not any(name.startswith("swap") for name in names)
    p = Problem([], [], [(M, outer(x, x))], M, gradient(M), [x], [M])
    assert not any("transpose" in found.name or "swap" in found.name for found in mutants_of(p))
