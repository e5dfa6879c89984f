"""The smallest counterexample is the first in one fixed order."""

from itertools import product

from pullback.algebra.dims import Dim
from pullback.algebra.ops.free import var
from pullback.algebra.ops.structure import slice_of
from pullback.proof.jets import Point
from pullback.proof.search import Array, Search, sizes_in_order
from pullback.proof.sizes import parts_of
from pullback.proof.small import Small

n, m = Dim.symbol("n"), Dim.symbol("m")
A, B = var("A", (n, n)), var("B", (n, n))
x = var("x", (n,))


def search(left, right, names, **options) -> Search:
    def sides(point: Point) -> tuple[Array, Array]:
        return point.value(left), point.value(right)

    return Search(sides, names, [], **options)


def test_sizes_come_in_the_order_of_their_sum() -> None:
    found = list(sizes_in_order({"m", "n"}, 3))
    assert found[:4] == [{"m": 1, "n": 1}, {"m": 1, "n": 2}, {"m": 2, "n": 1}, {"m": 2, "n": 2}]
    assert len(found) == 9 and [sum(s.values()) for s in found] == sorted(sum(s.values()) for s in found)
    assert len(list(sizes_in_order({f"n{k}" for k in range(9)}))) < 30
    assert list(sizes_in_order(set())) == [{}]


def test_the_fewest_entries_and_the_smallest_sizes() -> None:
    found = search(A @ B, B @ A, [A, B]).first(sizes_in_order({"n"}))
    assert found is not None and found.least and found.exact
    assert found.sizes == {"n": 2}
    assert [list(v) for v in found.values.values()] == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert (found.left, found.right, found.at) == ([0, 1, 0, 0], [0, 0, 0, 0], 1)


def test_no_smaller_one_exists() -> None:
    """Every point with fewer entries that are not 0, and every one of a smaller size, gives equal sides: by brute force."""
    for size, most in ((1, 2), (2, 1)):
        for values in product((0, 1, -1, 2, -2), repeat=2 * size * size):
            if sum(map(bool, values)) > most:
                continue
            point = Point(Small(), {"n": size})
            point.bind(A, list(values[: size * size]))
            point.bind(B, list(values[size * size :]))
            assert point.value(A @ B) == point.value(B @ A)


def test_what_is_equal_has_none() -> None:
    assert search(A + A.T, A.T + A, [A]).first(sizes_in_order({"n"})) is None


def test_what_is_not_admitted_is_passed_over() -> None:
    found = search(x, x * x, [x], admits=lambda p: p.value(x)[0] < 0).first(sizes_in_order({"n"}))
    assert found is not None and list(found.values.values()) == [[-1]]


def test_many_entries_are_thinned_out() -> None:
    """A product of eleven factors differs from 0 only where none of them is 0."""
    names = [var(f"t{k}", ()) for k in range(11)]
    product = names[0]
    for t in names[1:]:
        product = product * t
    found = search(product, 0 * product, names, budget=50).at({})
    assert found is not None and not found.least
    assert all(abs(v) == 1 for [v] in found.values.values())


def test_sizes_leave_room_for_slices() -> None:
    e = slice_of(x, 0, Dim.number(1), Dim.number(1))
    [(total, end)] = parts_of([e])
    assert total == n and end.value({"n": 1}) == 2
