"""The targets: which module, which spellings, which door. What NumPy calls a function is its name everywhere else in this folder."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from ..errors import ParseError, nearest
from .frame import Target
from .syntax import Rewrite, Spelling, filled
from .traced import node_of, parsed

__all__ = ["FORMS", "NUMPY_OUT", "TARGETS", "target_of"]

_DOOR = '''def _array(name, x, order):
    """An array of real numbers with this number of axes."""
    x = {array}
    if {whole}:
        x = {floats}
    if {unreal}:
        raise TypeError(f"{{name}} has the type {{x.dtype}}, not real numbers")
    if x.ndim != order:
        raise ValueError(f"{{name}} has {{x.ndim}} axes, not {{order}}")
    return x


def _expect(name, x, shape, where):
    if tuple(x.shape) != shape:
        found = tuple(x.shape)
        raise ValueError(f"{{name}} has the shape {{found}}, not {{shape}}, in {{where}}")'''

_OURS = {"as_index": "_index", "add_at": "_add_at", "larger": "max"}  # helpers, and the larger of two sizes
_SPECIAL = ("erf", "erfc", "ndtr", "gammaln", "digamma", "polygamma")


def _as(text: str, **defaults: str) -> Rewrite:
    """A call in other words: $0, $1 for its arguments, $axis for an option."""

    def rewritten(*args: ast.expr, **options: ast.expr) -> ast.expr:
        given = {str(k): a for k, a in enumerate(args)} | options
        for k, x in defaults.items():
            given.setdefault(k, ast.Name(x, ast.Load()))
        return filled(text, given)

    return rewritten


def _made(module: str, *names: str) -> dict[str, Rewrite]:
    """Functions that make an array out of nothing: of the type of the inputs."""

    def made(name: str) -> Rewrite:
        def call(*args: ast.expr, **options: ast.expr) -> ast.expr:
            return ast.Call(
                ast.Name(f"{module}.{name}", ast.Load()),
                list(args),
                [ast.keyword("dtype", ast.Name("dtype", ast.Load()))],
            )

        return call

    return {n: made(n) for n in names}


_NAN = '''def _blame(**arrays):
    """Says which array is the first with an entry that is no number."""
    for name, x in arrays.items():
        if np.isnan(x).any():
            raise FloatingPointError(f"an entry of {name} is no number (NaN)")'''


# ---- NumPy ---------------------------------------------------------------------------------------------------

_SIGMOID = '''def _sigmoid(x):
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)'''

_INDEX = '''def _index(x, n):
    """Whole numbers from 0 to n - 1."""
    whole = np.asarray(np.rint(x), dtype=int)
    if np.any(whole != x) or np.any(whole < 0) or np.any(whole >= n):
        raise ValueError(f"an index is no whole number from 0 to {n - 1}")
    return whole'''

_ADD_AT = '''def _add_at(n, places, values):
    """Zeros of size n along a last axis, to which values are added at these places."""
    out = np.zeros((*values.shape[: values.ndim - places.ndim], n), values.dtype)
    np.add.at(out, (..., places), values)
    return out'''

_NUMPY = Target(
    "numpy",
    ("import numpy as np",),
    Spelling("np", {
        **_OURS, "special.expit": "_sigmoid",
        "as_float": _as("($0).astype(dtype)"),
        **{f"special.{n}": f"special.{n}" for n in _SPECIAL},
        **{f"linalg.{n}": f"linalg.{n}" for n in ("expm", "logm", "sqrtm", "sinm", "cosm")},
        **_made("np", "eye", "full", "zeros", "ones", "tri"),
    }),
    _DOOR.format(array="np.asarray(x)", whole='x.dtype.kind in "iub"', floats="x.astype(float)", unreal='x.dtype.kind != "f"'),
    frozenset({"np", "dtype"}),
    like=("dtype = np.result_type({arrays})", "dtype = np.float64"),
    copies="$X.copy()", blames="np.isnan($X)",
    extras=(("math.", "import math", ""), ("_blame(", "", _NAN), ("_sigmoid(", "", _SIGMOID), ("_index(", "", _INDEX), ("_add_at(", "", _ADD_AT),
            ("special.", "from scipy import special", ""), ("linalg.", "from scipy import linalg", "")),
)  # fmt: skip

NUMPY_OUT = replace(
    _NUMPY,
    spelling=Spelling("np", {**_NUMPY.spelling.functions, "special.expit": "special.expit"}),
    door="""def _expect(name, x, shape, where, dtype):
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name} is no array of NumPy")
    if x.dtype != dtype:
        raise TypeError(f"{name} has the type {x.dtype}, not {np.dtype(dtype)}")
    if x.shape != shape:
        raise ValueError(f"{name} has the shape {x.shape}, not {shape}, in {where}")""",
)

# ---- JAX -----------------------------------------------------------------------------------------------------

_JAX_INDEX = '''def _index(x, n):
    """Whole numbers from 0 to n - 1; under jit they cannot be checked."""
    return jnp.rint(x).astype(int)'''

_JAX_ADD_AT = '''def _add_at(n, places, values):
    """Zeros of size n along a last axis, to which values are added at these places."""
    out = jnp.zeros((*values.shape[: values.ndim - places.ndim], n), values.dtype)
    return out.at[..., places].add(values)'''

_JAX = Target(
    "jax",
    ("import jax.numpy as jnp",),
    Spelling("jnp", {
        **_OURS, "special.expit": "jax.nn.sigmoid",
        "as_float": _as("($0).astype(dtype)"),
        **{f"special.{n}": f"jax.scipy.special.{n}" for n in _SPECIAL},
        **{f"linalg.{n}": f"jax.scipy.linalg.{n}" for n in ("expm",)},
        "linalg.sqrtm": _as("jnp.real(jax.scipy.linalg.sqrtm($0))"),  # complex by its type alone: no eigenvalue is negative
        **dict.fromkeys(("linalg.logm", "linalg.sinm", "linalg.cosm"), None),
        **_made("jnp", "eye", "full", "zeros", "ones", "tri"),
    }),
    _DOOR.format(array="jnp.asarray(x)", whole='x.dtype.kind in "iub"', floats="x.astype(float)",
                 unreal="not jnp.issubdtype(x.dtype, jnp.floating)"),
    frozenset({"jax", "jnp", "dtype"}),
    like=("dtype = jnp.result_type({arrays})", "dtype = float"),
    extras=(("math.", "import math", ""), ("jax.", "import jax", ""), ("_index(", "", _JAX_INDEX), ("_add_at(", "", _JAX_ADD_AT)),
)  # fmt: skip

# ---- PyTorch -------------------------------------------------------------------------------------------------

_TORCH_INDEX = '''def _index(x, n):
    """Whole numbers from 0 to n - 1."""
    whole = torch.round(x).to(torch.int64)
    if (whole != x).any() or (whole < 0).any() or (whole >= n).any():
        raise ValueError(f"an index is no whole number from 0 to {n - 1}")
    return whole'''

_TORCH_ADD_AT = '''def _add_at(n, places, values):
    """Zeros of size n along a last axis, to which values are added at these places."""
    lead = values.shape[: values.ndim - places.ndim]
    out = values.new_zeros((*lead, n))
    return out.index_add(-1, places.reshape(-1), values.reshape((*lead, -1)))'''

_TORCH_LOGADDEXP = '''def _logaddexp(x, y):
    """log(exp(x) + exp(y)), one of them may be a number."""
    x = x if torch.is_tensor(x) else torch.full_like(y, x)
    y = y if torch.is_tensor(y) else torch.full_like(x, y)
    return torch.logaddexp(x, y)'''


def _bounded(side: str) -> Rewrite:
    """The larger or smaller of two, one of which may be a number: clamp takes either."""

    def rewritten(a: ast.expr, b: ast.expr) -> ast.expr:
        if not any(isinstance(x, ast.Name) for x in ast.walk(a)):
            a, b = b, a
        return filled(f"torch.clamp($0, {side}=$1)", {"0": a, "1": b})

    return rewritten


def _torch_take(x: ast.expr, index: ast.expr, axis: ast.expr) -> ast.expr:
    at = ast.literal_eval(axis)
    return ast.Subscript(x, node_of((*(slice(None),) * at, index)), ast.Load())


def _torch_prod(x: ast.expr, axis: ast.expr) -> ast.expr:
    axes = ast.literal_eval(axis)
    for k in sorted((axes,) if isinstance(axes, int) else axes, reverse=True):
        x = filled("torch.prod($0, dim=$1)", {"0": x, "1": ast.Constant(k)})
    return x


def _torch_pad(x: ast.expr, widths: ast.expr) -> ast.expr:
    assert isinstance(widths, ast.List)
    flat = [n for pair in reversed(widths.elts) if isinstance(pair, ast.Tuple) for n in pair.elts]
    return filled("torch.nn.functional.pad($0, $1)", {"0": x, "1": ast.Tuple(flat, ast.Load())})


def _torch_block(rows: ast.expr) -> ast.expr:
    assert isinstance(rows, ast.List)
    return filled(
        "torch.cat($0, dim=0)",
        {"0": ast.List([filled("torch.cat($0, dim=1)", {"0": r}) for r in rows.elts], ast.Load())},
    )


def _torch_svd(x: ast.expr, **options: ast.expr) -> ast.expr:
    return filled(
        "torch.linalg.svdvals($0)" if "compute_uv" in options else "torch.linalg.svd($0, full_matrices=False)", {"0": x}
    )


_TORCH = Target(
    "torch",
    ("import torch",),
    Spelling("torch", {
        **_OURS, "special.expit": "torch.sigmoid",
        "as_float": _as("($0).to(like.dtype)"), "heaviside": _as("($0 > 0).to(like.dtype)"),
        "max": "torch.amax", "min": "torch.amin", "transpose": "torch.permute", "vdot": _as("torch.sum($0 * $1)"),
        "tensordot": _as("torch.tensordot($0, $1, dims=$axes)"), "var": _as("torch.var($0, dim=$axis, correction=$ddof)"),
        "std": _as("torch.std($0, dim=$axis, correction=$ddof)"), "maximum": _bounded("min"), "minimum": _bounded("max"),
        "logaddexp": "_logaddexp", "cbrt": _as("torch.sign($0) * torch.abs($0) ** (1 / 3)"), "expand_dims": "torch.unsqueeze",
        "flip": _as("torch.flip($0, ($1,))"), "repeat": "torch.repeat_interleave", "concatenate": "torch.cat", "split": "torch.chunk",
        "kron": _as("torch.kron($0.contiguous(), $1.contiguous())"), "prod": _torch_prod, "take": _torch_take, "pad": _torch_pad, "block": _torch_block, "full": _as("like.new_full($0, $1)"),
        "eye": _as("torch.eye($0, dtype=like.dtype, device=like.device)"), "zeros": _as("like.new_zeros($0)"), "ones": _as("like.new_ones($0)"),
        "tri": _as("torch.tril(like.new_ones(($0, $1)), $2)"), "arange": _as("torch.arange($0, device=like.device)"),
        "linalg.svd": _torch_svd, "linalg.norm": "torch.linalg.matrix_norm", "linalg.expm": "torch.linalg.matrix_exp",
        "einsum": lambda *args, **options: ast.Call(parsed("torch.einsum"), list(args), []),
        **dict.fromkeys(("linalg.logm", "linalg.sqrtm", "linalg.sinm", "linalg.cosm"), None),
    }, number="like.new_tensor($0)"),
    _DOOR.format(array="torch.as_tensor(x)", whole="not x.is_floating_point() and not x.is_complex()",
                 floats="x.to(torch.get_default_dtype())", unreal="not x.is_floating_point()"),
    frozenset({"torch", "like"}),
    copies="$X.clone()",
    like=("like = {first}", "like = torch.empty(())"),
    extras=(("math.", "import math", ""), ("_index(", "", _TORCH_INDEX), ("_add_at(", "", _TORCH_ADD_AT), ("_logaddexp(", "", _TORCH_LOGADDEXP)),
)  # fmt: skip

TARGETS: Mapping[str, Target] = {t.name: t for t in (_NUMPY, _JAX, _TORCH)}
FORMS: Mapping[str, tuple[str, ...]] = {
    "numpy": ("function", "buffers"), "jax": ("function", "autodiff"), "torch": ("function", "autodiff")}  # fmt: skip


def target_of(name: str, form: str = "function") -> Target:
    """Raises ParseError P030 for a target, or a form of it, that there is not."""
    if name not in TARGETS:
        close = nearest(name, list(TARGETS))
        raise ParseError(
            "P030", f"no target {name:.40}", expected=", ".join(TARGETS), hint=f"did you mean {close}?" if close else ""
        )
    if form not in FORMS[name]:
        raise ParseError("P030", f"{name} has no form {form:.40}", expected=", ".join(FORMS[name]))
    return TARGETS[name]
