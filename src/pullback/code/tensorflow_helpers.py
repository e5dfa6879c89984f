"""Functions that generated code for TensorFlow brings along: its door, and what TensorFlow has not under one name."""

from __future__ import annotations

from collections.abc import Mapping

from .spellings import EXPECT

__all__ = ["DOOR", "HELPERS"]

DOOR = (
    '''def _dtype(**arrays):
    """The type of real numbers among the arguments; float64 if there is none."""
    found = {}
    for name, x in arrays.items():
        for entry in tf.nest.flatten(x):
            dtype = tf.as_dtype(getattr(entry, "dtype", tf.int32))
            if not dtype.is_floating and not dtype.is_integer and not dtype.is_bool:
                raise TypeError(f"{name} has the type {dtype.name}, not real numbers")
            if dtype.is_floating:
                found.setdefault(dtype, name)
    for dtype in [*found][1:]:
        other, whose = next(iter(found.items()))
        first = f"{other.name} as {whose}"
        raise TypeError(f"{found[dtype]} has the type {dtype.name}, not {first}")
    return next(iter(found), tf.float64)


def _array(name, x, order, dtype):
    """A tensor with this number of axes, all of known sizes."""
    try:
        if hasattr(x, "mask") and hasattr(x, "filled"):
            raise TypeError("its mask would be lost")
        x = tf.cast(x, dtype) if hasattr(x, "dtype") else tf.convert_to_tensor(x, dtype)
    except (TypeError, ValueError) as why:
        raise TypeError(f"{name} cannot be made a tensor: {why}") from None
    if x.shape.rank != order:
        raise ValueError(f"{name} has {x.shape.rank} axes, not {order}")
    if not x.shape.is_fully_defined():
        raise ValueError(f"{name} has the shape {x.shape}: a graph needs all sizes")
    return x


'''
    + EXPECT
)

_PLACES = '''def _places(name, x, order):
    """A tensor of numbers of places, with this number of axes, all of known sizes."""
    try:
        x = tf.convert_to_tensor(x)
    except (TypeError, ValueError) as why:
        raise TypeError(f"{name} cannot be made a tensor: {why}") from None
    _dtype(**{name: x})
    return _array(name, x, order, x.dtype)'''

_BLAME = '''def _blame(**arrays):
    """Says which array is the first with an entry that is no number."""
    for name, x in arrays.items():
        if tf.reduce_any(tf.math.is_nan(x)):
            raise FloatingPointError(f"an entry of {name} is no number (NaN)")'''

_INDEX = '''def _index(x, n, name):
    """Whole numbers from 0 to n - 1."""
    x = tf.cast(x, tf.int64) if x.dtype.is_bool else x
    whole = tf.cast(tf.round(x), tf.int64)
    right = tf.reduce_all((tf.cast(whole, x.dtype) == x) & (whole >= 0) & (whole < n))
    told = [f"an entry of {name} is no whole number from 0 to {n - 1}"]
    checked = tf.debugging.Assert(right, told)  # None outside a graph
    with tf.control_dependencies([] if checked is None else [checked]):
        return tf.cast(whole, tf.int32)'''

_ADD_AT = '''def _add_at(n, places, values):
    """Zeros of size n along a last axis, to which values are added at these places."""
    lead = values.shape[: values.shape.rank - places.shape.rank]
    rows = tf.reshape(values, (lead.num_elements(), places.shape.num_elements()))
    places = tf.reshape(places, [-1])
    out = tf.math.unsorted_segment_sum(tf.transpose(rows), places, n)
    return tf.reshape(tf.transpose(out), (*lead, n))'''

_LOGADDEXP = '''def _logaddexp(x, y):
    """log(exp(x) + exp(y)), where y may be a number."""
    y = tf.convert_to_tensor(y, x.dtype)
    high, low = tf.where(x >= y, x, y), tf.where(x >= y, y, x)
    return tf.where(tf.math.is_inf(high), high, high + tf.math.softplus(low - high))'''

_VAR = '''def _var(x, axis, ddof):
    """The variance over axes of n entries, divided by n - ddof."""
    found = tf.math.reduce_variance(x, axis=axis)
    n = x.shape.num_elements() // found.shape.num_elements()
    return found * n / (n - ddof)'''

_MOVEAXIS = '''def _moveaxis(x, source, target):
    """The axes at source moved to where target says, the others in their order."""
    rank = x.shape.rank
    pairs = zip(tf.nest.flatten(target), tf.nest.flatten(source), strict=True)
    moved = sorted((t % rank, s % rank) for t, s in pairs)
    order = [k for k in range(rank) if k not in [s for _, s in moved]]
    for t, s in moved:
        order.insert(t, s)
    return tf.transpose(x, order)'''

_CUMPROD = '''def _cumprod(x, _):
    """Products of first entries, by multiplication alone: tf.math.cumprod has a wrong gradient where an entry is 0."""
    n, step = x.shape[-1], 1
    while step < n:
        x = tf.concat([x[..., :step], x[..., step:] * x[..., :-step]], axis=-1)
        step *= 2
    return x'''

_KRON = '''def _kron(x, y):
    """Every entry of x times y, as blocks."""
    n = x.shape.rank
    order = [axis for k in range(n) for axis in (k, n + k)]
    blocks = tf.transpose(tf.tensordot(x, y, axes=0), order)
    return tf.reshape(blocks, [a * b for a, b in zip(x.shape, y.shape)])'''

_TRIL = '''def _tril(x, k):
    """The entries on the k-th diagonal and below it."""
    m, n = x.shape
    return tf.where(tf.range(n) <= tf.range(m)[:, None] + k, x, tf.zeros_like(x))'''

_TRIU = '''def _triu(x, k):
    """The entries on the k-th diagonal and above it."""
    m, n = x.shape
    return tf.where(tf.range(n) >= tf.range(m)[:, None] + k, x, tf.zeros_like(x))'''

_SOLVE = '''def _solve(a, b):
    """The solution of a x = b, for one b or for columns."""
    if b.shape.rank == 1:
        return tf.linalg.solve(a, b[:, None])[:, 0]
    return tf.linalg.solve(a, b)'''

_SVD = '''def _svd(x):
    """u, s, v with x = u diag(s) v."""
    s, u, v = tf.linalg.svd(x)
    return u, s, tf.transpose(v)'''

_LOGM = '''def _logm(x):
    """The principal logarithm; NaN where it is not real."""
    found = tf.linalg.logm(tf.complex(x, tf.zeros_like(x)))
    near = 1e-6 * tf.reduce_max(tf.abs(found))
    off = tf.reduce_max(tf.abs(tf.math.imag(found))) > near
    real = tf.math.real(found)
    return tf.where(off, tf.fill(real.shape, tf.constant(math.nan, x.dtype)), real)'''

_SINM = '''def _sinm(x):
    """The sine of a matrix, the imaginary part of exp(i x)."""
    return tf.math.imag(tf.linalg.expm(tf.complex(tf.zeros_like(x), x)))'''

_COSM = '''def _cosm(x):
    """The cosine of a matrix, the real part of exp(i x)."""
    return tf.math.real(tf.linalg.expm(tf.complex(tf.zeros_like(x), x)))'''

HELPERS: Mapping[str, str] = {
    "_blame": _BLAME, "_places": _PLACES, "_index": _INDEX, "_add_at": _ADD_AT, "_logaddexp": _LOGADDEXP, "_var": _VAR, "_moveaxis": _MOVEAXIS,
    "_cumprod": _CUMPROD, "_kron": _KRON, "_tril": _TRIL, "_triu": _TRIU, "_solve": _SOLVE, "_svd": _SVD,
    "_logm": _LOGM, "_sinm": _SINM, "_cosm": _COSM,
}  # fmt: skip
"""By name, each a whole function."""
