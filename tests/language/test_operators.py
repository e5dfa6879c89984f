"""Python operators: the known functions, and clear refusals of what is no tensor, number, name or size."""

import math

import pytest

import pullback as pb
from pullback.algebra.op import REGISTRY
from pullback.errors import PullbackError
from pullback.language.functions import KNOWN
from pullback.language.text import parse_program

W, A, b, x, s = (
    pb.tensor("W", "m", "n"),
    pb.tensor("A", "m", "m"),
    pb.tensor("b", "m"),
    pb.tensor("x", "n"),
    pb.tensor("s"),
)
DECLARED = "W : (m, n); A : (m, m); b : m; x : n; s : scalar; y = "

SAME = [
    (pb.ops.tanh(W @ x), "tanh(W x)"),
    (pb.ops.sum(W), "sum(W)"),
    (pb.ops.sum(W, axis=0), "sum(W, axis=0)"),
    (pb.ops.mean(W, axis=-1), "mean(W, axis=1)"),
    (pb.ops.norm(x), "norm(x)"),
    (pb.ops.tr(A), "tr(A)"),
    (pb.ops.diag(x), "diag(x)"),
    (pb.ops.diag(A), "diag(A)"),
    (pb.ops.outer(b, x), "outer(b, x)"),
    (pb.ops.inner(W, W), "inner(W, W)"),
    (pb.ops.ein("ij, j -> i", W, x), 'ein("ij,j->i", W, x)'),
    (pb.ops.pad(x, axis=0, start=1, size="2*n"), "pad(x, axis=0, start=1, size=2*n)"),
    (W + pb.ops.outer(b, pb.ops.ones("n")), "W + b 1_nᵀ"),
    (pb.ops.eye("m") @ A, "I_m A"),
    (1 / x, "1 ⊘ x"),
    (0.1 * x, "0.1 x"),
    (x / s, "x / s"),
]


@pytest.mark.parametrize(("built", "text"), SAME)
def test_an_expression_is_that_of_the_text(built, text: str) -> None:
    assert parse_program(DECLARED + text).equations[0].rhs is built


def test_every_known_function_is_there() -> None:
    spelled = {name for o in REGISTRY.values() for name in o.calls}
    assert {"tanh", "sum", "ein", "norm", "tr", "diag", "pad", "concat"} < spelled == KNOWN.keys()
    assert spelled | {"ones", "eye"} == vars(pb.ops).keys()
    assert all(len(vars(pb.ops)[n].__doc__) > 10 for n in spelled)


REFUSED = [
    (lambda: pb.function("tanh"), "P004", "pb.ops.tanh"),
    (lambda: pb.function("a b"), "P013", "a b"),
    (lambda: pb.tensor("q", 2.5), "P002", "2.5"),
    (lambda: pb.tensor("q", "n^2"), "P002", "n^2"),
    (lambda: pb.tensor(3), "P013", "3"),
    (lambda: x * math.inf, "P002", "finite"),
    (lambda: x * math.nan, "P002", "finite"),
    (lambda: x * "a", "P002", "tensor"),
    (lambda: x + None, "P002", "tensor"),
    (lambda: W + b, "S002", "outer(b, ones(n))"),
    (lambda: pb.ops.tr(x), "S001", "A[n,n]"),
    (lambda: pb.ops.sum(W, axis=2), "P002", "axis"),
    (lambda: pb.ops.tanh(x, axis=0), "P002", "option"),
    (lambda: pb.ops.concat(), "S001", "nothing"),
    (lambda: pb.ops.concat(axis=0), "S001", "nothing"),
    (lambda: pb.ops.tanh(), "S001", "nothing"),
    (lambda: pb.ops.concat(x, x, axis=()), "P002", "no axis"),
    (lambda: pb.ops.sum(W, axis=()), "P002", "no axis"),
    (lambda: pb.ops.ein("abc", W), "S003", "pattern"),
    (lambda: pb.ops.ein("i1->i", W), "S003", "pattern"),
    (lambda: pb.ops.ein("ij->ji", W, axis=0), "P002", "no option axis"),
    (lambda: pb.ops.ein("a,b,c,d,e,f,g,h,i->abcdefghi", *[x] * 9), "S002", "at most 8 axes"),
    (lambda: pb.ops.eye(), "P002", "one size"),
    (lambda: pb.ops.eye("m", "n"), "P002", "one size"),
    (lambda: pb.ops.ones("-n"), "S002", "a size of -n"),
    (lambda: pb.tensor("q", "n); y : (3"), "P002", "no size"),
    (lambda: pb.tensor("q", "-n"), "S002", "a size of -n"),
    (lambda: pb.tensor("q", *"abcdefghi"), "S002", "at most 8 axes"),
    (lambda: pb.derive(3), "P010", "mapping"),
    (lambda: pb.derive("E = loss(x)", wrt=[3]), "P003", "3"),
]


@pytest.mark.parametrize(("made", "code", "word"), REFUSED)
def test_a_clear_refusal(made, code: str, word: str) -> None:
    with pytest.raises(PullbackError) as caught:
        made()
    assert caught.value.code == code
    assert word in caught.value.render()


def test_wrt_takes_tensors_and_one_name() -> None:
    E = pb.functional("loss")(W @ x)
    assert list(pb.derive(E, wrt=[W])) == ["W"]
    assert list(pb.derive(E, wrt=x)) == ["x"]
    assert list(pb.derive("E = loss(Wa)", wrt="Wa")) == ["Wa"]


def test_sizes_are_texts_too() -> None:
    assert [str(d) for d in pb.tensor("q", "n+1", "2*k", 3).shape] == ["n + 1", "2*k", "3"]


def test_a_function_of_a_number() -> None:
    assert str(pb.derive(pb.functional("g")(2) * s)["s"]) == "g(2)"
