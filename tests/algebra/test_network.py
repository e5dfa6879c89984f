"""Networks and canonical forms: one text per meaning; δ, blocks and sizes of axes as NumPy has them."""

from __future__ import annotations

import math
from itertools import product
from random import Random

import pytest
from _networks import as_expr, random_network, renamed, same_network
from _samples import samples
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pullback.algebra.canonical import canonical, equal
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr, postorder
from pullback.algebra.network import network
from pullback.algebra.op import REGISTRY
from pullback.algebra.ops.arithmetic import rational, size_of
from pullback.algebra.ops.entrywise import exp
from pullback.algebra.ops.free import free_map, is_name, var
from pullback.algebra.ops.matrix import diag, diagvec, eye, outer, trace
from pullback.algebra.ops.reduction import mean_over, norm, total
from pullback.algebra.ops.structure import concat, einsum, ones, pad, slice_of, take
from pullback.proof.claim import modular_equal

np = pytest.importorskip("numpy")

from _oracle import SIZES, Interpreter  # noqa: E402

k, m, n, p, q = (Dim.symbol(s) for s in "kmnpq")
ZERO, ONE = Dim.number(0), Dim.number(1)
A, B, C = var("A", (m, n)), var("B", (n, p)), var("C", (n, n))
a, b, c = var("a", (n,)), var("b", (m,)), var("c", (n,))


def values(e: Expr, seed: int) -> object:
    drawn = {}
    for v in {x for x in postorder(e) if is_name(x)}:
        rng = np.random.default_rng([seed, *map(ord, v.attrs[0])])
        drawn[v] = rng.normal(size=[d.value(SIZES) for d in v.shape])
    return Interpreter(np, SIZES, np.vectorize(math.erf)).run(e, drawn)


def same_numbers(x: Expr, y: Expr) -> bool:
    return x.shape == y.shape and all(np.allclose(values(x, s), values(y, s), rtol=1e-9, atol=1e-9) for s in (1, 2))


# ---- canonical form ----------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_canonical_form_does_not_see_names_or_order(random: Random) -> None:
    spec, args = random_network(random, order=3, factors=5)
    one = canonical(as_expr(spec, args))
    assert one is not None
    for _ in range(3):
        assert canonical(as_expr(*renamed(spec, args, random))) == one


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_canonical_forms_differ_exactly_where_the_networks_do(random: Random) -> None:
    """Two products of the same few tensors: one canonical form if and only if one renaming makes them equal."""
    pool = [var("X", (n, n)), var("Y", (n, n)), var("z", (n,))]
    pair = []
    count = random.randrange(1, 5)
    chosen = [pool[random.randrange(3)] for _ in range(count)]
    out = random.randrange(3)
    for _ in range(2):
        slots = ["".join(random.choice("abcd") for _ in x.shape) for x in chosen]
        held = sorted({x for s in slots for x in s})
        assume(len(held) >= out)
        pair.append((",".join(slots) + "->" + "".join(held[:out]), chosen))
    one, two = (as_expr(*x) for x in pair)
    same = same_network(*pair)
    assert equal(one, two) == same, pair
    assert same_numbers(one, two) == same, pair


def test_a_matrix_and_its_transpose_are_not_merged() -> None:
    assert not equal(C + C.T, C + C) and not equal(C, C.T)
    assert equal((C + C.T).T, C + C.T)


def test_cayley_hamilton_is_not_a_law() -> None:
    """True for all 2×2 matrices, false for 3×3: sizes of test points matter (theory.md §2.4)."""
    X = var("X", (n, n))
    claim = X @ X - trace(X) * X + (rational("1/2") * (trace(X) * trace(X) - trace(X @ X))) * eye(dim=n)
    zero = rational(0) * X
    assert not equal(claim, zero)
    assert modular_equal(claim, zero, {}) is None


def test_functions_of_permuted_names_are_the_permuted_functions() -> None:
    f = free_map("f", A)
    assert equal(free_map("f", A.T), f.T)
    assert not equal(free_map("f", C.T), free_map("f", C))
    assert not equal(free_map("f", A), free_map("g", A))
    assert not equal(free_map("f", A, orders=(1,)), free_map("f", A))


@pytest.mark.parametrize(("power", "terms"), [(2, 1), (3, 1), (-1, 1), (0, 1)])
def test_powers_of_a_product_are_products_of_powers(power: int, terms: int) -> None:
    e = (a * c) ** power
    assert len(network(e).terms) == terms
    assert equal(e, a**power * c**power)


def test_sizes_are_coefficients() -> None:
    """Σᵢ 1 = n, mean = Σ/n, and a size is no random number: (k + m) x = k x + m x."""
    x = var("x", (n,))
    assert equal(total(ones((n,))), size_of(n))
    assert equal(mean_over(x, axes=(0,)) * size_of(n), total(x))
    assert equal(total(ones((k + m,))) * x, size_of(k) * x + size_of(m) * x)
    assert not equal(total(ones((k + m,))), total(ones((k * m,))))
    assert equal(trace(eye(dim=n)), total(ones((n,))))


# ---- δ and blocks ------------------------------------------------------------------------------------------

DELTAS = {
    "I A": (eye(dim=m) @ A, A), "A I": (A @ eye(dim=n), A), "I I": (eye(dim=n) @ eye(dim=n), eye(dim=n)),
    "I x": (eye(dim=n) @ a, a), "I transposed": (eye(dim=n).T, eye(dim=n)),
    "I ⊙ C": (eye(dim=n) * C, diag(diagvec(C))), "I ⊙ I": (eye(dim=n) * eye(dim=n), eye(dim=n)),
    "diag x · y": (diag(a) @ c, a * c), "diag diag": (diag(a) @ diag(c), diag(a * c)),
    "diagvec diag": (diagvec(diag(a)), a), "diagvec I": (diagvec(eye(dim=n)), ones((n,))),
    "tr(I C)": (trace(eye(dim=n) @ C), trace(C)), "tr diag": (trace(diag(a)), total(a)),
    "Σ I": (total(eye(dim=n)), total(ones((n,)))), "diag² off diagonal": (diag(a) * C, diag(a * diagvec(C))),
    "diag power": (diag(a) ** 2, diag(a**2)), "δ chain": (einsum("ab,bc,cd,d->a", *[eye(dim=n)] * 3, a), a),
    "δ loop": (einsum("ab,bc,ca->", *[eye(dim=n)] * 3), total(ones((n,)))),
    "two diagonals": (diag(a).T @ C, diag(a) @ C),
    "diag of outer": (diagvec(outer(a, c)), a * c),
}  # fmt: skip


@pytest.mark.parametrize(("left", "right"), DELTAS.values(), ids=DELTAS)
def test_delta_is_eliminated(left: Expr, right: Expr) -> None:
    assert equal(left, right)
    assert same_numbers(left, right)
    assert modular_equal(left, right, {})


AB = concat(1, A, var("D", (m, k)))  # (m, n + k)
v = var("v", (n + k,))
PLACEMENTS = {
    "slice of concat, first": (slice_of(AB, 1, ZERO, n), A),
    "slice of concat, second": (slice_of(AB, 1, n, k), var("D", (m, k))),
    "take from concat": (take(concat(0, a, rational(3)), axis=0, start=n), rational(3)),
    "take beside the last entry": (slice_of(concat(0, a, rational(3)), 0, ZERO, n), a),
    "concat product": (AB @ concat(0, a, var("w", (k,))), A @ a + var("D", (m, k)) @ var("w", (k,))),
    "bias column": (concat(1, A, b) @ concat(0, a, rational(1)), A @ a + b),
    "slice of pad": (slice_of(pad(a, axis=0, start=ONE, total=n + k), 0, ONE, n), a),
    "pad is orthogonal": (
        total(pad(a, axis=0, start=ZERO, total=n + k) * pad(var("w", (k,)), axis=0, start=n, total=n + k)), rational(0),
    ),
    "pad is an isometry": (total(pad(a, axis=0, start=k, total=n + k) ** 2), total(a * a)),
    "sum of pad": (total(pad(A, axis=1, start=k, total=n + k)), total(A)),
    "parts add up": (total(slice_of(v, 0, ZERO, n)) + total(slice_of(v, 0, n, k)), total(v)),
    "transpose of concat": (AB.T, concat(0, A.T, var("D", (m, k)).T)),
    "take of transpose": (take(A.T, axis=0, start=ONE), take(A, axis=1, start=ONE)),
    "inner of concats": (total(concat(0, a, b) * concat(0, c, b)), total(a * c) + total(b * b)),
}  # fmt: skip


@pytest.mark.parametrize(("left", "right"), PLACEMENTS.values(), ids=PLACEMENTS)
def test_blocks_are_placed_as_numpy_places_them(left: Expr, right: Expr) -> None:
    assert same_numbers(left, right)
    assert modular_equal(left, right, {})


# The sum over the parts of an axis is not joined again by the canonical form: it says "unknown" there, never "no".
UNDECIDED = {"parts add up"}


@pytest.mark.parametrize("name", [x for x in PLACEMENTS if x not in UNDECIDED])
def test_blocks_have_one_canonical_form(name: str) -> None:
    left, right = PLACEMENTS[name]
    assert equal(left, right)


def test_overlapping_blocks_are_not_taken_for_disjoint_ones() -> None:
    one, two = slice_of(a, 0, ZERO, n - ONE), slice_of(a, 0, ONE, n - ONE)
    assert not equal(total(one * two), rational(0)) and not equal(one, two)
    assert not equal(slice_of(v, 0, ZERO, n), slice_of(v, 0, k, n))


# ---- sizes of axes -----------------------------------------------------------------------------------------

DIMS = st.recursive(
    st.one_of(st.sampled_from([k, m, n]), st.integers(-3, 3).map(Dim.number)),
    lambda inner: st.tuples(st.sampled_from("+-*"), inner, inner).map(
        lambda t: t[1] + t[2] if t[0] == "+" else t[1] - t[2] if t[0] == "-" else t[1] * t[2]
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(DIMS, DIMS, DIMS)
def test_sizes_are_a_commutative_ring(x: Dim, y: Dim, z: Dim) -> None:
    assert x + y == y + x and x * y == y * x and x * (y + z) == x * y + x * z
    assert (x + y) + z == x + (y + z) and (x * y) * z == x * (y * z)
    assert x - x == ZERO and x + ZERO == x and x * ONE == x and x * ZERO == ZERO
    assert (x - y == ZERO) == (x == y) and (x != y or hash(x) == hash(y))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(DIMS, DIMS)
def test_sizes_are_equal_exactly_where_their_values_are(x: Dim, y: Dim) -> None:
    grid = [dict(zip("kmn", s, strict=True)) for s in product(range(1, 9), repeat=3)]
    assert (x == y) == all(x.value(s) == y.value(s) for s in grid)
    for s in grid[:20]:
        assert (x * y).value(s) == x.value(s) * y.value(s) and (x - y).value(s) == x.value(s) - y.value(s)
        bound = {name: Dim.number(size) for name, size in s.items()}
        assert x.substitute(bound).constant == x.value(s)
    assert x.symbols() <= {"k", "m", "n"}


def test_sizes_are_written_in_one_way() -> None:
    assert str(n + ONE) == "n + 1" and str(k * m - ONE) == "k*m - 1" and str(ZERO) == "0"
    assert str(Dim.number(2) * n - m) == "-m + 2*n" or str(Dim.number(2) * n - m) == "2*n - m"
    assert (n.name, (n + ONE).name, Dim.number(4).constant, n.constant) == ("n", None, 4, None)
    with pytest.raises(KeyError):
        n.value({"m": 3})


# ---- what has no canonical form ----------------------------------------------------------------------------


def crowded(X: Expr) -> Expr:
    """Σⱼ (Σᵢ Xⱼᵢ)⁷: fourteen indices that no name tells apart."""
    r = X @ ones((n,))
    return total(r**4 * r**3)


U, V, s = var("U", (m, n)), var("V", (m, n)), var("s", ())


def test_what_has_no_canonical_form_equals_only_itself() -> None:
    assert canonical(crowded(U)) is None
    for around in (lambda x: x**-1, lambda x: s / x, norm, lambda x: exp(x) + s, lambda x: free_map("f", x)):
        assert canonical(around(crowded(U))) is None
        assert not equal(around(crowded(U)), around(crowded(V)))


def test_no_two_of_many_short_lived_factors_are_one() -> None:
    texts = [canonical(norm(crowded(var(f"A{t}", (m, n))))) for t in range(20)]
    assert texts == [None] * 20


def test_a_placement_has_no_negative_power() -> None:
    """1/0 stands off the diagonal: the entrywise inverse of a diagonal matrix is no diagonal matrix."""
    assert not equal(diag(a) ** -1, diag(a**-1))
    assert not equal(pad(a, axis=0, start=ONE, total=n + k) ** -1, pad(a**-1, axis=0, start=ONE, total=n + k))
    assert equal(diag(a) ** 2, diag(a**2))


def test_constants_that_are_not_all_ones_are_no_ones() -> None:
    for constant in (op for op in REGISTRY.values() if op.entry is not None):
        nodes = [e for e in samples(constant) if e.order]
        values = [
            {int(e.op.entry(e.attrs, index, SIZES)) for index in product(*(range(d.value(SIZES)) for d in e.shape))}
            for e in nodes
        ]
        assert values and all((constant.uniform is not None) == (len(v) == 1) for v in values), constant.name


def test_depth_is_the_users() -> None:
    """Functions of functions of functions: no recursion, and a text where it stays short."""
    x = y = a
    for _ in range(1500):
        x, y = free_map("f", x), free_map("f", y)
    assert equal(x + 2 * x, 3 * y)
    for _ in range(40):
        x = free_map("f", x) * free_map("g", x)
    assert canonical(x) is None


def test_three_open_axes_that_are_one_have_one_form() -> None:
    I, s = eye(dim=n), var("s", (n,))
    stars = ["ij,jk,i->ijk", "ij,ik,j->ijk", "ik,jk,k->ijk", "ji,kj,k->ijk", "ij,ik,i->ijk"]
    assert len({canonical(einsum(spec, I, I, s)) for spec in stars}) == 1
    four = ["ij,jk,kl->ijkl", "il,jl,kl->ijkl", "ij,kl,jk->ijkl", "ik,jl,il->ijkl"]
    assert len({canonical(einsum(spec, I, I, I)) for spec in four}) == 1
    assert canonical(einsum("ij,kl->ijkl", I, I)) != canonical(einsum("ik,jl->ijkl", I, I))
