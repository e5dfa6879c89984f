"""PyTorch: plain functions, a `torch.autograd.Function`, and ops of `torch.library`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from .autodiff import Passes, write_differentiable
from .door import arrays_in
from .frame import Target, Text, Writer
from .guards import tupled
from .matrix_functions import TORCH_LOGM, TORCH_SQRTM
from .speller import Rewrite, Spelling
from .spellings import OURS, as_, door_of, places_of, shared, summing
from .syntax import filled, unparsed
from .torch_op import HELPERS, ops
from .traced import node_of
from .writer import described, write

__all__ = ["FORMS", "TORCH"]

_TORCH_INDEX = '''def _index(x, n, name):
    """Whole numbers from 0 to n - 1. Compiled, and within vmap, what is none becomes n, a place that is not there."""
    whole = x.round().to(torch.int64) if x.is_floating_point() else x.to(torch.int64)
    wrong = (whole != x) | (whole < 0) | (whole >= n)
    if torch.compiler.is_compiling():
        return whole.masked_fill(wrong, n)
    try:
        found = bool(wrong.any())
    except RuntimeError:  # vmap gives no value away
        return whole.masked_fill(wrong, n)
    if found:
        raise ValueError(f"an entry of {name} is no whole number from 0 to {n - 1}")
    return whole'''

_TORCH_ADD_AT = '''def _add_at(n, places, values):
    """Zeros of size n along a last axis, to which values are added at these places."""
    lead = values.shape[: values.ndim - places.ndim]
    out = values.new_zeros((*lead, n))
    return out.index_add(-1, places.reshape(-1), values.reshape((*lead, -1)))'''

_TORCH_MARK = '''def _mark{0}(x, places, value):
    """x, to which a value is added{1} at one place of every row."""
    value = value[..., None] if torch.is_tensor(value) else x.new_full((), value)
    places = places[..., None]
    return x.scatter_add{0}(-1, places, value.expand(places.shape))'''

_TORCH_ARRAY = """if hasattr(x, "mask") and hasattr(x, "filled"):
            raise TypeError("its mask would be lost")
        x = torch.stack(x) if isinstance(x, list) and x and torch.is_tensor(x[0]) else x
        x = torch.as_tensor(x, dtype=None if hasattr(x, "dtype") else torch.float64)"""

_TORCH_ALIKE = '''def _alike(*arrays):
    """The arrays in one type, that with the most digits; a number takes that of the arrays."""
    first = arrays[0].dtype
    if all(x.dtype == first for x in arrays):
        return arrays
    dtypes = [x.dtype for x in arrays if x.ndim] or [x.dtype for x in arrays]
    for dtype in dtypes:
        dtypes[0] = torch.promote_types(dtypes[0], dtype)
    return [x.to(dtypes[0]) for x in arrays]'''

_TORCH_ALIKE_LISTS = '''def _alike_lists(*given):
    """The arrays, and those in lists, in one type."""

    def leaves(x):
        return [y for z in x for y in leaves(z)] if isinstance(x, list) else [x]

    def put(x):
        return [put(z) for z in x] if isinstance(x, list) else next(found)

    found = iter(_alike(*leaves(list(given))))
    return put(list(given))'''

_TORCH_DOT = '''def _dot(x, y):
    """The sum of the products of all entries."""
    return torch.dot(x.reshape(-1), y.reshape(-1).to(x.dtype))'''

_TORCH_WRITING = '''def _writing(f, *arrays):
    """f, which writes to arrays of its own; within vmap f without that, for what it would write may be a batch."""
    f = _as_it_is(f, arrays[0])
    if torch.compiler.is_compiling():
        return f
    try:
        for x in arrays:
            x.data_ptr()
    except RuntimeError:  # a batch has no memory of its own
        return torch.func.functionalize(f)
    return f'''

_TORCH_STANDARDIZED = '''def _standardized(x, eps, count):
    """x with mean 0 and variance 1 along its last axes, and one over its deviation."""
    kept, axes = x.shape[:-count], x.shape[-count:]
    one, zero = x.new_ones(axes), x.new_zeros(axes)  # on a CPU faster than None
    y, _, over = torch.native_layer_norm(x, axes, one, zero, eps)
    return y, over.reshape(kept)'''

_TORCH_AS_IT_IS = '''def _as_it_is(f, x):
    """f in the types of its arrays: autocast would change that of some."""
    kind = x.device.type
    if not torch.is_autocast_enabled(kind):
        return f
    return torch.autocast(kind, enabled=False)(f)'''

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
        if side == "min" and isinstance(b, ast.Constant) and b.value == 0:
            return filled("torch.relu($0)", {"0": a})
        return filled(f"torch.clamp($0, {side}=$1)", {"0": a, "1": b})

    return rewritten


def _reduced(name: str) -> Rewrite:
    def rewritten(x: ast.expr, **options: ast.expr) -> ast.expr:
        return filled(f"torch.{name}($0, dim=$axis)" if options else f"torch.{name}($0)", {"0": x, **options})

    return rewritten


def _torch_logaddexp(x: ast.expr, y: ast.expr) -> ast.expr:
    """With 0 it is softplus, which PyTorch has whole; beyond 40 it is y to all digits."""
    if isinstance(x, ast.Constant) and x.value == 0:
        return filled("torch.nn.functional.softplus($0, threshold=40)", {"0": y})
    return filled("_logaddexp($0, $1)", {"0": x, "1": y})


def _torch_standardized(x: ast.expr, eps: ast.expr, axes: ast.expr) -> ast.expr:
    number = unparsed(eps)
    if isinstance(eps, ast.BinOp) and isinstance(eps.left, ast.Constant) and isinstance(eps.right, ast.Constant):
        number = repr(eps.left.value / eps.right.value)  # type: ignore[operator]
    return filled(f"_standardized($0, {number}, {len(ast.literal_eval(axes))})", {"0": x})


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


TORCH = Target(
    "torch",
    ("import torch",),
    Spelling("torch", {
        **OURS, "special.expit": "torch.sigmoid", "special.ndtr": as_("torch.special.erfc(-$0 / math.sqrt(2)) / 2"),  # torch's has no tail
        "as_float": as_("($0).to(like.dtype)"), "heaviside": as_("torch.sign(torch.relu($0))"),
        "softmax": as_("torch.softmax($0, dim=$axis)"), "log_softmax": as_("torch.log_softmax($0, dim=$axis)"), "standardized": _torch_standardized,
        "sum": _reduced("sum"), "max": _reduced("amax"), "min": _reduced("amin"), "transpose": "torch.permute", "vdot": "_dot",
        "tensordot": as_("torch.tensordot($0, $1, dims=$axes)"), "var": as_("torch.var($0, dim=$axis, correction=$ddof)"),
        "std": as_("torch.std($0, dim=$axis, correction=$ddof)"), "maximum": _bounded("min"), "minimum": _bounded("max"),
        "logaddexp": _torch_logaddexp, "cbrt": as_("torch.sign($0) * torch.abs($0) ** (1 / 3)"), "expand_dims": "torch.unsqueeze",
        "flip": as_("torch.flip($0, ($1,))"), "repeat": "torch.repeat_interleave", "concatenate": "torch.cat", "split": "torch.chunk",
        "kron": as_("torch.kron($0.contiguous(), $1.contiguous())"), "prod": _torch_prod, "take": _torch_take, "mark": "_mark", "mark_": "_mark_", "take_along_axis": as_("torch.gather($0, $axis, $1)"), "pad": _torch_pad, "block": _torch_block, "full": as_("like.new_full($0, $1)"), "repeated": as_("($1).repeat($0)"),
        "eye": as_("torch.eye($0, dtype=like.dtype, device=like.device)"), "zeros": as_("like.new_zeros($0)"), "ones": as_("like.new_ones($0)"),
        "tri": as_("torch.tril(like.new_ones(($0, $1)), $2)"), "arange": as_("torch.arange($0, device=like.device)"),
        "linalg.svd": _torch_svd, "linalg.norm": "torch.linalg.matrix_norm", "linalg.expm": "torch.linalg.matrix_exp",
        "einsum": summing("torch", "dim", "torch.permute"),
        "linalg.sqrtm": "_sqrtm", "linalg.logm": "_logm", "linalg.sinm": as_("torch.linalg.matrix_exp(1j * $0).imag"),
        "linalg.cosm": as_("torch.linalg.matrix_exp(1j * $0).real"),
    }, number="like.new_tensor($0)", arrays=("expand_dims", "broadcast_to", "reshape")),
    door_of(array=_TORCH_ARRAY, whole="not x.is_floating_point() and not x.is_complex()", floats="x.to(torch.get_default_dtype())", unreal="not x.is_floating_point()"),
    frozenset({"torch", "like", "alike", "self", "cls"}),
    copies="$X.clone()", decorators=("@torch.no_grad()",), fuses=True, rows="assigned",
    kernels=frozenset({"softmax", "log_softmax", "cholesky_inverse", "pick", "sign"}),
    alone=frozenset({"standardized[0]", "standardized[1]"}),
    like=("like = {first}", "like = torch.empty(())"),
    extras=(("math.", "import math", ""), *shared('x.is_complex()'), ("_places(", "", places_of(array="x = torch.as_tensor(x)", unreal="x.is_complex()")), ("_index(", "", _TORCH_INDEX), ("_add_at(", "", _TORCH_ADD_AT), ("_mark(", "", _TORCH_MARK.format("", "")), ("_mark_(", "", _TORCH_MARK.format("_", ", in place,")), ("_writing(", "", _TORCH_WRITING), ("_as_it_is(", "", _TORCH_AS_IT_IS), ("_logaddexp(", "", _TORCH_LOGADDEXP), ("_standardized(", "", _TORCH_STANDARDIZED), ("_sqrtm(", "", TORCH_SQRTM), ("_logm(", "", TORCH_LOGM), ("_dot(", "", _TORCH_DOT), ("_alike(", "", _TORCH_ALIKE), ("_alike_lists(", "", _TORCH_ALIKE_LISTS), *HELPERS),
)  # fmt: skip


REUSING = replace(TORCH, reuses=True)  # of no use where autograd looks on


def _function(t: Text, name: str, p: Passes) -> Iterator[str]:
    yield from p.lines
    inputs, kept = p.inputs, p.kept
    names = [t.names[v] for v in inputs]
    given = [f"inputs[{inputs.index(v)}]" for v in kept if v in inputs]
    start = len(given) + (t.plan.value in kept)  # where in `kept` begins what is given back beside the value
    more = f"value, *kept[{start}:]" if start < len(kept) else "(value,)"
    made = ["*made"] if len(given) < len(kept) else []
    saved = ["*inputs", *(["*output" if t.plan.value in kept else "*output[1:]"] if made else [])]
    count = len(inputs)
    needed = ", needed" if p.needed else ""
    yield from ("", "", f"def _again(g{needed}, *inputs):", f"    return _backward(_forward(*inputs)[1], g{needed})")
    yield from ("", "", f"class _{name.capitalize()}(torch.autograd.Function):", "    generate_vmap_rule = True", "")
    yield "    @staticmethod"
    yield from t.listed(
        "    def forward(", names, "):"
    )  # by name: torch.compile binds no *inputs where nothing needs a gradient
    kept_too = "kept" if "kept" in more else "_"
    whole = f"        value, {kept_too} = _writing(_forward, {', '.join(names)})({', '.join(names)})"
    if len(whole) <= t.width:
        yield whole
    else:
        forward = t.fresh("forward")  # an input may have that name
        yield from t.listed(f"        {forward} = _writing(", ["_forward", *names], ")")
        yield from t.listed(f"        value, {kept_too} = {forward}(", names, ")")
    yield f"        return {more}"
    yield from ("", "    @staticmethod", "    def setup_context(ctx, inputs, output):")
    yield "        ctx.mark_non_differentiable(*output[1:])"
    yield f"        ctx.save_for_backward({', '.join(saved)})"
    yield from ("", "    @staticmethod", "    def backward(ctx, g, *_):")
    if made:
        yield "        saved = ctx.saved_tensors  # read once, for checkpoint"
        yield f"        inputs, made = saved[:{count}], saved[{count}:]"
    else:
        yield "        inputs = ctx.saved_tensors"
    yield "        if torch.is_grad_enabled():  # a second derivative: through the inputs"
    told = ", ctx.needs_input_grad" if p.needed else ""
    some = ["g", *(["ctx.needs_input_grad"] if p.needed else []), "*inputs"]
    yield "            again = torch.func.functionalize(_as_it_is(_again, g))"
    yield from t.listed("            return again(", some, ")")
    yield from tupled(t, "        kept = ", [*given, *made])
    yield f"        return _writing(_backward, g, *kept)(kept, g{told})"
    yield from ("", "")
    yield from t.listed(f"def {name}(", names, "):")
    yield '    """A function that autograd differentiates by the derived backward pass.'
    yield ""
    yield from described(t)
    yield '    """'
    yield from arrays_in(t, inputs)
    yield from t.listed(f"    return _{name.capitalize()}.apply(", names, ")[0]")


# What no derivative is taken of: the slope of a norm is not that of its square at 0.
_SQUARES = summing("torch", "dim", "torch.permute", "torch.linalg.vector_norm($0, dim=$1) ** 2")
_PLAIN = Spelling(
    "torch", {**TORCH.spelling.functions, "einsum": _SQUARES}, TORCH.spelling.number, TORCH.spelling.arrays
)

FORMS: Mapping[str, Writer] = {
    "function": partial(write, target=replace(REUSING, recycles=True, spelling=_PLAIN)),
    "autodiff": partial(write_differentiable, target=REUSING, shell=_function, guarded=True, outside=True),
    "op": partial(write_differentiable, target=REUSING, shell=ops, guarded=True, owned=True),
}
