"""Lifting: matrix notation exists exactly for networks without a K4 minor (theory.md §5.3, T4), and is right."""

from __future__ import annotations

import math
from random import Random

import pytest
from _networks import as_expr, has_k4_minor, index_graph, random_network
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.algebra.canonical import equal
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr, postorder
from pullback.algebra.lift import NotLiftable, as_einsum, lift
from pullback.algebra.ops.free import is_name, var
from pullback.algebra.ops.maps import window
from pullback.algebra.ops.matrix import inner, outer
from pullback.algebra.ops.reduction import total
from pullback.algebra.ops.structure import concat, einsum, ones, slice_of, take
from pullback.proof.claim import modular_equal

np = pytest.importorskip("numpy")

from _oracle import SIZES, Interpreter  # noqa: E402

MATRIX_NOTATION = {
    "var", "const", "size", "ones", "eye", "matmul", "matvec", "dot", "inner", "outer", "transpose", "trace", "diag",
    "diagvec", "hadamard", "smul", "sum_over", "power", "neg", "add", "sub",
}  # fmt: skip


def value(e: Expr) -> object:
    names = sorted({x for x in postorder(e) if is_name(x)}, key=lambda v: v.attrs[0])
    values = {
        v: np.random.default_rng(sum(map(ord, v.attrs[0]))).normal(size=[d.value(SIZES) for d in v.shape])
        for v in names
    }
    return Interpreter(np, SIZES, np.vectorize(math.erf)).run(e, values)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_lifted_means_the_same_and_exists_exactly_without_k4(random: Random) -> None:
    spec, args = random_network(random)
    e = as_expr(spec, args)
    liftable = not has_k4_minor(index_graph(spec))
    try:
        found = lift(e).expr
    except NotLiftable as why:
        assert not liftable, f"{spec}: {why.message}"
        assert "K4" in why.message
        return
    assert liftable, f"{spec} lifted to {found!r}, though it has a K4 minor"
    assert {x.op.name for x in postorder(found)} <= MATRIX_NOTATION
    assert found.shape == e.shape
    assert equal(found, e), spec
    assert modular_equal(found, e, {})
    assert np.allclose(value(found), value(e), rtol=1e-10, atol=1e-10)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_networks_of_any_order_are_written_as_index_sums(random: Random) -> None:
    spec, args = random_network(random, order=3, factors=4)
    e = as_expr(spec, args)
    found = as_einsum(e)
    assert found.shape == e.shape and equal(found, e)
    assert np.allclose(value(found), value(e), rtol=1e-10, atol=1e-10)
    if any(len(s) > 2 and len(set(s)) == len(s) for s in spec.split("->")[0].split(",")):
        with pytest.raises(NotLiftable, match="3 axes"):
            lift(e)


def test_k4_is_refused_with_its_reason() -> None:
    n = Dim.symbol("n")
    six = [var(f"A{i}", (n, n)) for i in range(6)]
    with pytest.raises(NotLiftable, match="K4"):
        lift(einsum("ab,ac,ad,bc,bd,cd->", *six))
    assert lift(einsum("ab,ac,ad,bc,bd->", *six[:5])).expr.order == 0


def test_the_terminal_edge_counts() -> None:
    """Five of the six edges of K4 inside, and the sixth between the open legs: no matrix notation."""
    n = Dim.symbol("n")
    five = [var(f"A{i}", (n, n)) for i in range(5)]
    with pytest.raises(NotLiftable):
        lift(einsum("ac,ad,bc,bd,cd->ab", *five))
    assert lift(einsum("ac,ad,cb,db->ab", *five[:4])).expr.shape == (n, n)


def test_equal_parallel_factors_are_both_kept() -> None:
    """(A B) ⊙ (A B) is two equal edges: one of them must not be taken for the other."""
    A, B = var("A", (m, n)), var("B", (n, k))
    for e in ((A @ B) * (A @ B), (A @ B) * (A @ B) * (A @ B), ((A @ B) * (A @ B)).T, inner(A @ B, A @ B)):
        found = lift(e).expr
        assert modular_equal(found, e, {})
        assert np.allclose(value(found), value(e))


m, n, k = (Dim.symbol(s) for s in "mnk")
one = Dim.number(1)
M, B, u, v = var("M", (m, n)), var("B", (m, k)), var("u", (m,)), var("v", (n,))
BLOCKS = {
    "slice-of-product": slice_of(M @ v, 0, one, m - one),
    "product-of-slice": slice_of(M, 1, one, n - one) @ slice_of(v, 0, one, n - one),
    "concat-product": concat(1, M, B) @ concat(0, v, var("w", (k,))),
    "concat-bias": concat(1, M, u) @ concat(0, v, ones(())),
    "take-row": take(M, axis=0, start=Dim.number(0)) * v,
    "slice-times-summed-composite": total(outer(slice_of(v, 0, one, n - one), ones((k + one,)))),
    "slice-squared-times-size": inner(slice_of(M, 0, one, m - one), slice_of(M, 0, one, m - one))
    * total(ones((k + one,))),
    "slice-times-vector-of-count": slice_of(v, 0, one, n - one) * total(ones((k + m,))),
}


@pytest.mark.parametrize("e", BLOCKS.values(), ids=BLOCKS)
def test_blocks_are_lifted_right(e: Expr) -> None:
    """Also where a size such as k + 1 is multiplied out, which makes two terms of one network."""
    for read in (lambda e: lift(e).expr, as_einsum):
        found = read(e)
        assert found.shape == e.shape
        assert np.allclose(value(found), value(e))
        assert modular_equal(found, e, {})


def test_a_0_1_tensor_is_read_beside_a_diagonal() -> None:
    """Windows that are summed with a factor of which one index stands at two axes."""
    m, n, k, one = Dim.symbol("m"), Dim.symbol("n"), Dim.symbol("k"), Dim.number(1)
    sums = window(whole=m + k - one, count=m, width=k, stride=1, dilation=1, padding=Dim({}))
    for words in ("aiakc,iks->asc", "aikac,iks->sac", "ikaca,iks->acs"):
        shape = tuple({"i": m, "k": k}.get(c, n) for c in words.partition(",")[0])
        e = einsum(words, var("G", shape), sums)
        found = as_einsum(e)
        assert found.shape == e.shape and equal(found, e)
        assert np.allclose(value(found), value(e), rtol=1e-10, atol=1e-10)
