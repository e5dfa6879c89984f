"""SciPy: a problem for `scipy.optimize.minimize`, whose arrays are packed in one vector.

What is computed for an x is kept until another x is asked for, since a method asks for the value, the gradient and many H p there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from .frame import Writer
from .problem import write_problem
from .to_numpy import NUMPY

__all__ = ["FORMS", "SCIPY"]

_DOOR = '''def _numbers(name, x):
    """An array of real numbers, none of them NaN."""
    try:
        if isinstance(x, np.ma.MaskedArray):
            raise TypeError("its mask would be lost")
        x = np.asarray(x)
    except (RuntimeError, TypeError, ValueError) as why:
        raise TypeError(f"{name} cannot be made an array: {why}") from None
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{name} has the type {x.dtype}, not real numbers")
    x = x.astype(float, copy=False)
    if np.isnan(x).any():
        raise FloatingPointError(f"an entry of {name} is no number (NaN)")
    return x


def _array(name, x, order):
    """A copy with this number of axes, which nobody changes later."""
    x = _numbers(name, x).copy()
    if x.ndim != order:
        raise ValueError(f"{name} has {x.ndim} axes, not {order}")
    return x


def _vector(name, x, size):
    x = _numbers(name, x)
    if x.shape != (size,):
        raise ValueError(f"{name} has the shape {x.shape}, not ({size},)")
    return x


def _expect(name, x, shape, where):
    if x.shape != shape:
        raise ValueError(f"{name} has the shape {x.shape}, not {shape}, in {where}")


def _points(name, size):
    """The function to a vector of our own, which is the same object while x is the same."""
    last = None

    def point(x):
        nonlocal last
        x = _vector(name, x, size)
        seen = last
        if seen is None or not np.array_equal(seen, x):
            seen = last = x.copy()
        return seen

    return point


def _once(compute):
    """The function of a point, computed once while the point is the same."""
    last = None, None

    def found(x):
        nonlocal last
        seen = last
        if seen[0] is not x:
            seen = last = x, compute(x)
        return seen[1]

    return found'''

_SIZE = """def _size(name, n):
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"the size {name} is {n!r}, not a whole number")
    if not 1 <= n <= 1 << 40:
        raise ValueError(f"the size {name} is {n}, which it cannot be")
    return n.__index__()"""

_MATRIX = '''def _matrix(entries, at, n, sign):
    """The matrix with these entries at these places, and `sign` times them on the other side."""
    x = np.zeros((n, n))
    if sign:
        x.T[at] = sign * entries
    x[at] = entries
    return x'''

_FREE = '''def _entries(x, at, sign):
    """The gradient with respect to the free entries of a matrix, of that with respect to all."""
    i, j = at
    return x[at] + sign * np.where(i == j, 0, x.T[at])'''

_DEFINITE = '''def _is_definite(x):
    """Whether the symmetric matrix x is positive definite."""
    try:
        np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        return False
    return True'''

SCIPY = replace(
    NUMPY,
    name="scipy",
    imports=("from types import SimpleNamespace", "import numpy as np"),
    door=_DOOR,
    reserved=NUMPY.reserved
    | {"SimpleNamespace", "fun", "jac", "fun_and_jac", "hess", "hessp", "pack", "unpack", "size"},
    like=("dtype = float", "dtype = float"),
    extras=(
        ("_size(", "", _SIZE),
        ("_matrix(", "", _MATRIX),
        ("_entries(", "", _FREE),
        ("_is_definite(", "", _DEFINITE),
        *NUMPY.extras,
    ),
)

FORMS: Mapping[str, Writer] = {
    "function": partial(write_problem, target=SCIPY),
    "gradient": partial(write_problem, target=SCIPY, second=False),
}
