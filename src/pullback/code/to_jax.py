"""JAX: pure functions, and functions with a `jax.custom_vjp`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import partial

from ..errors import ParseError
from .autodiff import Passes, write_differentiable
from .frame import Target, Text, Words, Writer
from .matrix_functions import JAX_LOGM, JAX_SQRTM
from .plan import Plan
from .speller import Spelling
from .spellings import OURS, SPECIAL, as_, door_of, made, places_of, shared, summing
from .syntax import filled
from .writer import described, write

__all__ = ["FORMS", "JAX"]

_JAX_INDEX = '''def _index(x, n):
    """Whole numbers from 0 to n - 1. Under jit they cannot be checked: what is none becomes n, a place that is not there."""
    whole = (x if x.dtype.kind in "iub" else jnp.rint(x)).astype(int)
    return jnp.where((whole == x) & (whole >= 0), whole, n)'''

_JAX_ADD_AT = '''def _add_at(n, places, values):
    """Zeros of size n along a last axis, to which values are added at these places; NaN if one is not there."""
    zero = jnp.where(jnp.any(places >= n), jnp.nan, 0).astype(values.dtype)
    out = jnp.full((*values.shape[: values.ndim - places.ndim], n), zero)
    return out.at[..., places].add(values)'''

_JAX_HOT = '''def _hot(places, n, dtype):
    """1 at the place that is named, 0 at the others; NaN for a place that is not there."""
    hot = (jnp.arange(n) == places[..., None]).astype(dtype)
    return jnp.where(places[..., None] < n, hot, jnp.nan)'''


def _as_float(x: ast.expr) -> ast.expr:
    """Zeros and ones as numbers; where they stand for places, those may be none."""
    for node in ast.walk(x):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_index"):
            return filled("_hot($0, $1, dtype)", {"0": node, "1": node.args[1]})
    return filled("($0).astype(dtype)", {"0": x})


_JAX_CHOLESKY_INVERSE = '''def _cholesky_inverse(x):
    """The inverse of the matrix of which x is Cholesky's factor."""
    eye = jnp.eye(x.shape[-1], dtype=x.dtype)
    return jax.scipy.linalg.cho_solve((x, True), eye)'''

JAX = Target(
    "jax",
    ("import jax.numpy as jnp",),
    Spelling("jnp", {
        **OURS, "as_index": "_index", "special.expit": "jax.nn.sigmoid",
        "as_float": _as_float, "cholesky_inverse": "_cholesky_inverse", "einsum": summing("jnp", "axis", "jnp.transpose"), "vdot": as_("jnp.sum($0 * $1)"),
        **{f"special.{n}": f"jax.scipy.special.{n}" for n in SPECIAL},
        **{f"linalg.{n}": f"jax.scipy.linalg.{n}" for n in ("expm",)},
        "linalg.sqrtm": "_sqrtm", "linalg.logm": "_logm", "linalg.sinm": as_("jnp.imag(jax.scipy.linalg.expm(1j * $0))"),
        "linalg.cosm": as_("jnp.real(jax.scipy.linalg.expm(1j * $0))"),
        **made("jnp", "eye", "full", "zeros", "ones", "tri"),
        **{f"p{how}": f"jax.lax.p{how}" for how in ("sum", "max", "min")},
    }, number="float($0)"),
    door_of(array="x = jnp.asarray(x)", whole='x.dtype.kind in "iub"', floats="x.astype(float)", unreal="not jnp.issubdtype(x.dtype, jnp.floating)"),
    frozenset({"jax", "jnp", "dtype"}),
    apart="jax.lax.optimization_barrier($X)",
    like=("dtype = jnp.result_type({arrays})", "dtype = float"),
    rows="functional",
    kernels=frozenset({"pick", "cholesky_inverse"}),
    extras=(("math.", "import math", ""), *shared('x.dtype.kind == "c"'), ("jax.", "import jax", ""), ("_places(", "", places_of(array="x = jnp.asarray(x)", unreal="jnp.iscomplexobj(x)")), ("_index(", "", _JAX_INDEX), ("_hot(", "", _JAX_HOT), ("_add_at(", "", _JAX_ADD_AT), ("_cholesky_inverse(", "", _JAX_CHOLESKY_INVERSE), ("_sqrtm(", "", JAX_SQRTM), ("_logm(", "", JAX_LOGM)),
)  # fmt: skip


def _custom_vjp(t: Text, name: str, p: Passes) -> Iterator[str]:
    yield from p.lines
    names = [t.names[v] for v in p.inputs]
    yield from ("", "", "@jax.custom_vjp")
    yield from t.listed(f"def {name}(", names, "):")
    yield '    """A function that JAX differentiates by the derived backward pass.'
    yield ""
    yield from described(t)
    yield '    """'
    yield from t.listed("    return _forward(", names, ")[0]")
    yield from ("", "", f"{name}.defvjp(_forward, _backward)")


def _unlaid(plan: Plan, words: Words, name: str) -> str:
    raise ParseError("P030", "the form shard_map needs a mesh", hint='--mesh "data=4: B; model=2: n"')


FORMS: Mapping[str, Writer] = {
    "function": partial(write, target=JAX),
    "autodiff": partial(write_differentiable, target=JAX, shell=_custom_vjp),
    "shard_map": _unlaid,
}
