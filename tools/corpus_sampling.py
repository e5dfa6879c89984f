"""Random arrays from the largest domain that the properties of a variable allow, and the sizes to draw them at.

A corpus says of a variable what must hold of it (`props`), and nothing else holds of what is drawn here: a stray transpose
survives on symmetric samples, a lost factor on samples of norm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["PROPS", "UnknownProperty", "draw", "size_sets"]

Array = Any
Rng = np.random.Generator


class UnknownProperty(Exception):
    """A property that no sampler is known for: nothing can be said about the problem."""


def _transposed(a: Array) -> Array:
    return np.swapaxes(a, -1, -2)


def _square(shape: Sequence[int]) -> int:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise UnknownProperty(f"a property of square matrices, for the shape {tuple(shape)}")
    return int(shape[-1])


def _rotation(rng: Rng, shape: Sequence[int]) -> Array:
    """An orthogonal matrix, of either determinant."""
    _square(shape)
    q, r = np.linalg.qr(rng.normal(size=shape))
    return q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]


def _stretch(rng: Rng, shape: Sequence[int]) -> Array:
    return np.exp(rng.uniform(-1, 1, size=shape[:-1]))


def _positive_definite(rng: Rng, a: Array) -> Array:
    q = _rotation(rng, a.shape)
    found = (q * _stretch(rng, a.shape)[..., None, :]) @ _transposed(q)
    return (found + _transposed(found)) / 2


def _invertible(rng: Rng, a: Array) -> Array:
    """Singular values away from 0 and from each other; neither symmetric nor of one sign of determinant."""
    return (_rotation(rng, a.shape) * _stretch(rng, a.shape)[..., None, :]) @ _rotation(rng, a.shape)


def _det_positive(rng: Rng, a: Array) -> Array:
    found = _invertible(rng, a)
    found[..., 0] *= np.sign(np.linalg.det(found))[..., None]
    return found


def _one_hot(rng: Rng, a: Array) -> Array:
    """One 1 along the last axis: a vector, or the rows of a matrix."""
    return np.eye(a.shape[-1])[rng.integers(a.shape[-1], size=a.shape[:-1])]


def _simplex(rng: Rng, a: Array) -> Array:
    return rng.dirichlet(np.ones(a.shape[-1]), size=a.shape[:-1])


def _stable(rng: Rng, a: Array) -> Array:
    """All eigenvalues have a negative real part."""
    n = _square(a.shape)
    right = np.max(np.real(np.linalg.eigvals(a)), axis=-1) + rng.uniform(0.3, 1.3, size=a.shape[:-2])
    return a - right[..., None, None] * np.eye(n)


def _causal_mask(rng: Rng, a: Array) -> Array:
    """0 for what may be seen, −10⁹ for what lies ahead."""
    return np.broadcast_to(np.triu(np.full(a.shape[-2:], -1e9), 1), a.shape).copy()


def _distances(rng: Rng, a: Array) -> Array:
    """Squared distances between points."""
    n = _square(a.shape)
    points = rng.normal(size=(n, 3))
    return np.sum((points[:, None] - points[None]) ** 2, axis=-1)


def _positive_diagonal(rng: Rng, a: Array) -> Array:
    n = _square(a.shape)
    return np.where(np.eye(n) > 0, np.exp(rng.uniform(-1, 1, size=a.shape)), a)


def _away(rng: Rng, a: Array) -> Array:
    return a + np.where(a < 0, -0.2, 0.2)


# Each makes what was drawn before it, at first from a normal distribution, have the property; in this order, so that a
# triangle keeps its scale and a symmetric matrix of positive entries is both.
PROPS: dict[str, Callable[[Rng, Array], Array]] = {
    "small": lambda rng, a: 0.3 * a,
    "large": lambda rng, a: 3 * a,
    "nonzero": _away,
    "positive": lambda rng, a: np.exp(a * 0.7),
    "nonnegative": lambda rng, a: np.abs(a),
    "negative": lambda rng, a: -np.exp(a * 0.7),
    "unit": lambda rng, a: rng.uniform(0.03, 0.97, size=a.shape),
    "large_positive": lambda rng, a: rng.uniform(20, 40, size=a.shape),
    "binary": lambda rng, a: rng.integers(2, size=a.shape).astype(float),
    "pm1": lambda rng, a: 2.0 * rng.integers(2, size=a.shape) - 1,
    "one_hot": _one_hot,
    "simplex": _simplex,
    "unit_norm": lambda rng, a: a / np.linalg.norm(a),
    "neg_causal_mask": _causal_mask,
    "distance_matrix": _distances,
    "invertible": _invertible,
    "det_positive": _det_positive,
    "orthogonal": lambda rng, a: _rotation(rng, a.shape),
    "stable": _stable,
    "lower_triangular": lambda rng, a: np.tril(a),
    "upper_triangular": lambda rng, a: np.triu(a),
    "diagonal": lambda rng, a: a * np.eye(_square(a.shape)),
    "positive_diagonal": _positive_diagonal,
    "symmetric": lambda rng, a: (a + _transposed(a)) / 2,
    "skew": lambda rng, a: (a - _transposed(a)) / 2,
    "positive_definite": _positive_definite,
}


def draw(rng: Rng, shape: Sequence[int], props: Sequence[str]) -> Array:
    """A random array of the shape with all the properties. Raises UnknownProperty."""
    for p in props:
        if p not in PROPS:
            raise UnknownProperty(f"no array can be drawn that is {p}")
    a = rng.normal(size=tuple(shape))
    for p in PROPS:
        if p in props:
            a = np.asarray(PROPS[p](rng, a), dtype=float).reshape(shape)
    return a


def size_sets(sizes: Mapping[str, int]) -> Iterator[tuple[str, dict[str, int]]]:
    """The sizes to test at: as given; all one larger; all different, those that are alike in either order.

    A size that is given smaller than another stays smaller: a matrix that has more rows than columns may need them."""
    yield "given", dict(sizes)
    if not sizes:
        return
    yield "larger", {k: v + 1 for k, v in sizes.items()}
    for label, turn in (("different", 1), ("different, other order", -1)):
        found: dict[str, int] = {}
        last = 0
        for k in sorted(list(sizes)[::turn], key=lambda k: sizes[k]):
            found[k] = last = max(sizes[k], last + 1)
        if len(sizes) > 1 and (turn > 0 or len(set(sizes.values())) < len(sizes)):
            yield label, {k: found[k] for k in sizes}
