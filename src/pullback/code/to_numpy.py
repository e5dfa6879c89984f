"""NumPy: functions, and functions that compute into memory which is made once."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from .buffers import write_buffered
from .frame import Target, Writer
from .matrix_functions import NUMPY_PRINCIPAL
from .speller import Spelling
from .spellings import OURS, SPECIAL, as_, door_of, made, places_of, shared
from .syntax import filled
from .writer import write

__all__ = ["BUFFERS", "FORMS", "NUMPY"]

_ARRAY = """if isinstance(x, np.ma.MaskedArray):
            raise TypeError("its mask would be lost")
        x = np.asarray(x)"""

_NAN = '''def _blame(**arrays):
    """Says which array is the first with an entry that is no number."""
    for name, x in arrays.items():
        if np.isnan(x).any():
            raise FloatingPointError(f"an entry of {name} is no number (NaN)")'''


_SIGMOID = '''def _sigmoid(x):
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)'''

_INDEX = '''def _index(x, n, name):
    """Whole numbers from 0 to n - 1."""
    whole = np.asarray(np.rint(x), dtype=int)
    if np.any(whole != x) or np.any(whole < 0) or np.any(whole >= n):
        raise ValueError(f"an entry of {name} is no whole number from 0 to {n - 1}")
    return whole'''

_ADD_AT = '''def _add_at(n, places, values):
    """Zeros of size n along a last axis, to which values are added at these places."""
    out = np.zeros((*values.shape[: values.ndim - places.ndim], n), values.dtype)
    np.add.at(out, (..., places), values)
    return out'''

_NUMBER = '''def _number(name, x, dtype):
    """A real number of this type."""
    x = np.asarray(x)
    if x.dtype.kind not in "iubf":
        raise TypeError(f"{name} has the type {x.dtype}, not real numbers")
    if x.ndim:
        raise ValueError(f"{name} has {x.ndim} axes, not 0")
    return x.astype(dtype)[()]'''

_APART = '''def _apart(own, **arrays):
    """No argument may lie in the memory that is written to."""
    for name, x in arrays.items():
        if id(x) in own or id(x.base) in own:
            raise ValueError(f"{name} is a result of an earlier call: copy it")'''

_SIZES = '''def _sizes(**sizes):
    """Whole numbers that are not negative."""
    for name, n in sizes.items():
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            raise TypeError(f"the size {name} is {n!r}, not a whole number")
        if n < 0:
            raise ValueError(f"the size {name} is {n}, which is negative")'''

_REAL = '''def _real(dtype):
    """A type of real numbers."""
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"dtype is {dtype}, not a type of real numbers")
    return dtype'''


def _step(x: ast.expr, _: ast.expr, **options: ast.expr) -> ast.expr:
    """1 where x > 0 and 0 elsewhere: np.heaviside takes thirty times as long."""
    found = filled("np.greater($0, 0)", {"0": x})
    if "out" not in options:
        return filled("$0.astype(dtype)", {"0": found})
    assert isinstance(found, ast.Call)
    found.keywords.append(ast.keyword("out", options["out"]))
    return found


NUMPY = Target(
    "numpy",
    ("import numpy as np",),
    Spelling("np", {
        **OURS, "special.expit": "_sigmoid", "heaviside": _step,
        "as_float": as_("($0).astype(dtype)"),
        **{f"special.{n}": f"special.{n}" for n in SPECIAL},
        **{f"linalg.{n}": f"linalg.{n}" for n in ("expm", "sinm", "cosm")},
        **{f"linalg.{n}": as_(f"_principal(linalg.{n}($0))") for n in ("logm", "sqrtm")},
        **made("np", "eye", "full", "zeros", "ones", "tri"),
    }),
    door_of(array=_ARRAY, whole='x.dtype.kind in "iub"', floats="x.astype(float)", unreal='x.dtype.kind != "f"'),
    frozenset({"np", "dtype"}),
    like=("dtype = np.result_type({arrays})", "dtype = np.float64"),
    copies="$X.copy()", rows="assigned", blames="np.isnan($X)",
    extras=(("math.", "import math", ""), *shared('x.dtype.kind not in "iubf"'), ("_blame(", "", _NAN), ("_sigmoid(", "", _SIGMOID), ("_principal(", "", NUMPY_PRINCIPAL), ("_places(", "", places_of(array=_ARRAY, unreal='x.dtype.kind not in "iubf"')), ("_index(", "", _INDEX), ("_add_at(", "", _ADD_AT),
            ("_number(", "", _NUMBER), ("_apart(", "", _APART), ("_sizes(", "", _SIZES), ("_real(", "", _REAL), ("special.", "from scipy import special", ""), ("linalg.", "from scipy import linalg", "")),
)  # fmt: skip

BUFFERS = replace(
    NUMPY,
    reserved=NUMPY.reserved | {"own", "buffers"},
    spelling=Spelling("np", {**NUMPY.spelling.functions, "special.expit": "special.expit"}),
    door="""def _expect(name, x, shape, where, dtype):
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name} is no array of NumPy")
    if x.dtype != dtype and (dtype is not None or x.dtype.kind not in "iuf"):
        wanted = "real numbers" if dtype is None else np.dtype(dtype)
        raise TypeError(f"{name} has the type {x.dtype}, not {wanted}")
    if x.shape != shape:
        raise ValueError(f"{name} has the shape {x.shape}, not {shape}, in {where}")""",
)

FORMS: Mapping[str, Writer] = {
    "function": partial(write, target=NUMPY),
    "buffers": partial(write_buffered, target=BUFFERS),
}
