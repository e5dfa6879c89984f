"""TensorFlow: plain functions, eager or in a graph, and functions with a `tf.custom_gradient`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import partial

from .autodiff import Passes, write_differentiable
from .door import door
from .frame import Target, Text, Writer
from .speller import Rewrite, Spelling
from .spellings import OURS, as_, made, shared
from .syntax import filled
from .tensorflow_helpers import DOOR, HELPERS
from .writer import described, write

__all__ = ["FORMS", "TENSORFLOW"]


_NUMBER = "tf.convert_to_tensor($0, dtype)"  # without its type it would be of float32 in a graph


def _turned(x: ast.expr) -> tuple[ast.expr, bool]:
    """A matrix, and whether its transpose is meant."""
    found = isinstance(x, ast.Call) and ast.unparse(x.func) == "tf.transpose" and len(x.args) == 1
    return (x.args[0], True) if found else (x, False)  # type: ignore[attr-defined]


def _matmul(x: ast.expr, y: ast.expr) -> ast.expr:
    """A transposition is an option of the product, and no array."""
    (x, a), (y, b) = _turned(x), _turned(y)
    if not a and not b:
        return ast.BinOp(x, ast.MatMult(), y)
    options = [*([", transpose_a=True"] if a else []), *([", transpose_b=True"] if b else [])]
    return filled(f"tf.matmul($0, $1{''.join(options)})", {"0": x, "1": y})


def _matvec(x: ast.expr, v: ast.expr, turned: bool = False) -> ast.expr:
    x, a = _turned(x)
    return filled(f"tf.linalg.matvec($0, $1{', transpose_a=True' if a != turned else ''})", {"0": x, "1": v})


def _full(dims: ast.expr, x: ast.expr) -> ast.expr:
    if isinstance(x, ast.Constant) and x.value in (0, 1):
        return filled(f"tf.{'ones' if x.value else 'zeros'}($0, dtype=dtype)", {"0": dims})
    return filled(f"tf.fill($0, {_NUMBER.replace('$0', '$1')})", {"0": dims, "1": x})


def _block(rows: ast.expr) -> ast.expr:
    assert isinstance(rows, ast.List)
    parts: list[ast.expr] = [filled("tf.concat($0, axis=1)", {"0": r}) for r in rows.elts]
    return filled("tf.concat($0, axis=0)", {"0": ast.List(parts, ast.Load())})


def _logaddexp(x: ast.expr, y: ast.expr) -> ast.expr:
    zero = ast.unparse(x) == _NUMBER.replace("$0", "0")  # the first argument is a tensor, whatever it was
    return filled("tf.math.softplus($1)" if zero else "_logaddexp($0, $1)", {"0": x, "1": y})


def _svd(x: ast.expr, **options: ast.expr) -> ast.expr:
    return filled("tf.linalg.svd($0, compute_uv=False)" if "compute_uv" in options else "_svd($0)", {"0": x})


def _norm(x: ast.expr, order: ast.expr) -> ast.expr:
    kind = "sum" if ast.literal_eval(order) == "nuc" else "max"
    return filled(f"tf.reduce_{kind}(tf.linalg.svd($0, compute_uv=False))", {"0": x})


def _take(x: ast.expr, places: ast.expr, axis: ast.expr) -> ast.expr:
    return filled("tf.gather($0, $1, axis=$2)", {"0": x, "1": places, "2": axis})


def _triangle(lower: bool) -> Rewrite:
    """The entries on one side of a diagonal: band_part counts diagonals from the main one, which it never leaves out."""

    def rewritten(x: ast.expr, k: ast.expr | None = None) -> ast.expr:
        if k is None or (isinstance(k, ast.Constant) and k.value == 0):
            return filled(f"tf.linalg.band_part($0, {'-1, 0' if lower else '0, -1'})", {"0": x})
        return filled(f"_tri{'l' if lower else 'u'}($0, $1)", {"0": x, "1": k})

    return rewritten


_REDUCED = {n: f"tf.reduce_{n}" for n in ("sum", "max", "min", "mean", "prod")}
_MATH = {n: f"tf.math.{n}" for n in ("log", "log1p", "expm1")}
_INVERSE = {f"arc{n}": f"tf.math.a{n}" for n in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")}

TENSORFLOW = Target(
    "tensorflow",
    ("import tensorflow as tf",),
    Spelling("tf", {
        **OURS, **_REDUCED, **_MATH, **_INVERSE, **made("tf", "eye", "zeros", "ones"),
        "T": "tf.transpose", "matmul": _matmul, "matvec": _matvec, "vecmat": lambda v, x: _matvec(x, v, turned=True),
        "vecdot": as_("tf.reduce_sum($0 * $1)"), "vdot": as_("tf.reduce_sum($0 * $1)"),
        "as_float": as_("tf.cast($0, dtype)"), "heaviside": as_("tf.cast($0 > 0, dtype)"), "clip": as_("tf.minimum(tf.maximum($0, $1), $2)"),
        "exp2": as_("2.0**$0"), "log2": as_("tf.math.log($0) / math.log(2)"), "log10": as_("tf.math.log($0) / math.log(10)"),
        "cbrt": as_("tf.sign($0) * tf.abs($0) ** (1 / 3)"), "logaddexp": _logaddexp,
        "special.expit": "tf.sigmoid", "special.erf": "tf.math.erf", "special.erfc": "tf.math.erfc", "special.gammaln": "tf.math.lgamma",
        "special.digamma": "tf.math.digamma", "special.polygamma": as_("tf.math.polygamma(tf.constant($0, dtype), $1)"),
        "special.ndtr": as_("0.5 * tf.math.erfc(-$0 / math.sqrt(2))"),
        "cumprod": "_cumprod", "var": "_var", "std": as_("tf.sqrt(_var($0, axis=$axis, ddof=$ddof))"), "arange": "tf.range",
        "argmax": as_("tf.argmax($0, axis=$axis, output_type=tf.int32)"), "ravel": as_("tf.reshape($0, [-1])"),
        "block": _block, "concatenate": "tf.concat", "take": _take, "take_along_axis": as_("tf.gather($0, $1, axis=$axis, batch_dims=-1)"), "flip": as_("tf.reverse($0, [$1])"),
        "full": _full, "moveaxis": "_moveaxis", "outer": as_("tf.tensordot($0, $1, axes=0)"), "kron": "_kron", "tri": as_("tf.cast(tf.range($1) <= tf.range($0)[:, None] + $2, dtype)"),
        "tril": _triangle(lower=True), "triu": _triangle(lower=False),
        "diag": "tf.linalg.diag", "diagonal": "tf.linalg.diag_part", "trace": "tf.linalg.trace",
        "linalg.svd": _svd, "linalg.norm": _norm, "linalg.solve": "_solve",
        **{f"linalg.{n}": f"_{n}" for n in ("logm", "sinm", "cosm")},
    }, number=_NUMBER, arrays=("maximum", "minimum", "arctan2", "logaddexp", "expand_dims")),
    DOOR,
    frozenset({"tf", "dtype"}),
    like=("dtype = {first}.dtype", "dtype = tf.float64"),
    typed=True,
    blames="tf.executing_eagerly() and math.isnan($X)",
    extras=(("math.", "import math", ""), *shared('x.dtype.is_complex'), *((f"{name}(", "", text) for name, text in HELPERS.items())),
)  # fmt: skip


def _custom_gradient(t: Text, name: str, p: Passes) -> Iterator[str]:
    yield from p.lines
    inputs = p.inputs
    names = [t.names[v] for v in inputs]
    value = "value" if t.plan.value not in t.static else "tf.constant(value, inputs[0].dtype)"
    yield from ("", "", "@tf.custom_gradient", "def _evaluate(*inputs):")
    yield "    value, kept = _forward(*inputs)"  # on the tape: the gradient of a gradient reaches the inputs through `kept`
    yield from ("", "    def pull(g):", "        return _backward(kept, g)")
    yield from ("", f"    return {value}, pull")
    yield from ("", "")
    yield from t.listed(f"def {name}(", names, "):")
    yield '    """A function that a tape differentiates by the derived backward pass.'
    yield ""
    yield from described(t)
    yield '    """'
    yield from door(t, [])
    yield from t.listed("    return _evaluate(", names, ")")


FORMS: Mapping[str, Writer] = {
    "function": partial(write, target=TENSORFLOW),
    "autodiff": partial(write_differentiable, target=TENSORFLOW, shell=_custom_gradient),
}
