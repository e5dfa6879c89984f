"""The oracle's index sums against NumPy, and that a wide one costs no more than its pairs."""

import time
from random import Random

import pytest

from pullback.algebra.op import Meaning
from pullback.proof.field import Modular, P
from pullback.proof.jets import Point

np = pytest.importorskip("numpy")
EXTENT = dict(zip("abcdefghi", (3, 2, 4, 5, 3, 2, 4, 5, 3), strict=True))


def drawn(letters: str, rng: Random) -> list[int]:
    return [rng.randrange(P) for _ in range(int(np.prod([EXTENT[c] for c in letters])))]


@pytest.mark.parametrize(
    "spec",
    ["ab,bc->ac", "a,a,a->a", "ab,bc,cd->ad", "aab,bc,cd,d->", "ab,cd,ef->af", "a,b,c->", "ab,ab,bc,ca->", "abc,cd,de,b->ae"],
)  # fmt: skip
def test_an_index_sum_is_what_numpy_says(spec: str) -> None:
    rng = Random(spec)
    inputs, _ = spec.split("->")
    arrays = [drawn(s, rng) for s in inputs.split(",")]
    m = Meaning(spec, range(len(arrays)))
    found = Point(Modular("jets"), {})._contract(m, arrays, EXTENT, 7)
    # object arrays hold Python integers: exact
    whole = [np.array(a, dtype=object).reshape([EXTENT[c] for c in s]) for a, s in zip(arrays, m.inputs, strict=True)]
    expected = np.asarray(np.einsum(spec, *whole, optimize=False), dtype=object).ravel()
    assert found == [int(x) * 7 % P for x in expected]


def test_many_factors_are_multiplied_in_pairs() -> None:
    """Nine indices at these sizes are 129 600 points; in pairs, a few hundred products."""
    rng = Random(1)
    m = Meaning("ab,cd,ef,gh,i->", range(5))
    arrays = [drawn(s, rng) for s in m.inputs]
    start = time.process_time()
    for _ in range(100):
        Point(Modular("jets"), {})._contract(m, arrays, EXTENT, 1)
    assert time.process_time() - start < 5  # the whole space 100 times takes a minute: a hang, not a figure
