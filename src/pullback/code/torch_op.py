"""PyTorch: the function and its backward pass as two ops of `torch.library`, which `torch.compile` and `torch.export` take whole.

The backward pass is an op of its own. Its derivative is that of the same text as plain functions of the inputs, so that second
derivatives are right: what the forward pass kept is computed again, and not taken for constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .autodiff import Passes
from .door import arrays_in, door, is_index, told, weighed
from .frame import Text, dims_text
from .guards import tupled
from .writer import described

__all__ = ["HELPERS", "ops"]

_NEW = '''def _new(name):
    """pullback::name, numbered where there is an op of this name."""
    found, k = name, 1
    while hasattr(torch.ops.pullback, found):
        k += 1
        found = f"{name}_{k}"
    return f"pullback::{found}"'''

_GRADIENT = '''def _gradient_like(x, need):
    """An array for the gradient of x, an empty one if it is not needed."""
    return x.new_empty(x.shape if need else 0)'''

_EACH = '''def _each(op, size, in_dims, args):
    """The results of an op for each of a batch, one after another."""
    rows = []
    for k in range(size):
        rows.append(
            op(*(x if d is None else x.select(d, k) for x, d in zip(args, in_dims)))
        )
    if torch.is_tensor(rows[0]):
        return torch.stack(rows), 0
    return tuple(torch.stack(some) for some in zip(*rows)), (0,) * len(rows[0])'''

_REVERSE = '''def _no_tangents(*arrays):
    """An op has no forward mode; without this, PyTorch takes the tangent to be 0."""
    for x in arrays:
        if torch.autograd.forward_ad.unpack_dual(x).tangent is not None:
            raise NotImplementedError("no forward mode for an op: take reverse mode")'''

HELPERS = (
    ("_new(", "", _NEW),
    ("_no_tangents(", "", _REVERSE),
    ("_gradient_like(", "", _GRADIENT),
    ("_each(", "", _EACH),
)


def ops(t: Text, name: str, p: Passes) -> Iterator[str]:
    """The ops `pullback::name` and `pullback::name_backward`, and the function `name` of the first."""
    yield from p.lines
    made = [v for v in p.kept if v not in p.inputs and v is not t.plan.value]
    needed = p.needed or t.fresh("needed")
    yield from _forward_op(t, name, p, len(made))
    yield from _backward_op(t, name, p, needed)
    yield from _derivative(t, name, p, len(made))
    yield from _second_derivative(t, name, p)
    yield from ("", "")
    for op in (f"_{name}", f"_{name}_backward"):
        yield from t.listed(f"{op}.register_autograd(", [f"_vjp{op}", f"setup_context=_setup{op}"], ")")
        yield f"{op}.register_vmap("
        yield from t.listed("    lambda info, dims, *args: _each(", [op, "info.batch_size", "dims", "args"], "),")
        yield ")"
    names = [t.names[v] for v in p.inputs]
    yield from ("", "")
    yield from t.listed(f"def {name}(", names, "):")
    yield f'    """The op pullback::{name}, which autograd differentiates by the derived backward pass.'
    yield ""
    yield from described(t)
    yield '    """'
    result = list(t.listed(f"    return _{name}(", [*names, *p.numbers], ")[0]" if made else ")"))
    if p.numbers:  # the op gets blocks: what is whole comes by here
        t.blocks = {}
        yield from door(t, result)
    else:
        yield from arrays_in(t, p.inputs)
    yield from t.listed("    _no_tangents(", weighed(t, p.inputs), ")")
    yield from result


def _registered(t: Text, name: str, args: Sequence[str], results: int) -> Iterator[str]:
    """The decorator that makes an op of the function below it."""
    words = [*args[:-1], args[-1] + ")", "->", "(" + ", ".join(["Tensor"] * results) + ")" if results > 1 else "Tensor"]
    words = [f"{w}," if k < len(args) - 1 else w for k, w in enumerate(words)]
    pieces = ["("]
    for w in words:
        joined = pieces[-1] + ("" if pieces[-1] in ("", "(") else " ") + w
        if len(joined) + 16 > t.width:
            pieces[-1] += " "
            pieces.append(w)
        else:
            pieces[-1] = joined
    yield from ("", "", "@torch.library.custom_op(", f'    _new("{name}"),', "    mutates_args=(),")
    whole = "".join(pieces)
    if len(whole) + 14 <= t.width:
        yield f'    schema="{whole}",'
    else:
        yield "    schema=("
        yield from (f'        "{x}"' for x in ([whole] if len(whole) + 10 <= t.width else pieces))
        yield "    ),"
    yield ")"


def _forward_op(t: Text, name: str, p: Passes, made: int) -> Iterator[str]:
    """From the inputs to the value and the arrays that are kept."""
    names = [t.names[v] for v in p.inputs]
    kept = p.kept[len(p.kept) - made :]
    numbers = [*names, *p.numbers]
    yield from _registered(t, name, [*(f"Tensor {n}" for n in names), *(f"int {n}" for n in p.numbers)], 1 + made)
    yield from t.listed(f"def _{name}(", numbers, "):")
    yield from t.listed(f"    value, {'kept' if made else '_'} = _as_it_is(_forward, {names[0]})(", numbers, ")")
    start = len(p.kept) - made
    yield (
        f"    return tuple(x.contiguous() for x in (value, *kept[{start}:]))"
        if made
        else "    return value.contiguous()"
    )
    yield from ("", "", f"@_{name}.register_fake")
    yield from t.listed("def _(", numbers, "):")
    shapes = [f"{names[0]}.new_empty({dims_text(v.shape, t, t.here)})" for v in (t.plan.value, *kept)]
    result = list(tupled(t, "    return ", shapes)) if made else [f"    return {shapes[0]}"]
    yield from told(t, [(t.names[v], v.shape) for v in p.inputs], result) if p.numbers else door(t, result)
    yield from result


def _moving(t: Text, p: Passes) -> list[int]:
    """The places of the inputs that have a gradient."""
    return [k for k, v in enumerate(p.inputs) if v.name in t.plan.gradients]


def _backward_op(t: Text, name: str, p: Passes, needed: str) -> Iterator[str]:
    """From the gradient of the value, the inputs and what was kept to the gradients, empty arrays for those that are not needed."""
    names = [t.names[v] for v in p.inputs]
    made = [t.names[v] for v in p.kept if v not in p.inputs]
    moving = _moving(t, p)
    args = [p.cotangent, *names, *made]
    typed = [*(f"Tensor {n}" for n in args), *(f"int {n}" for n in p.numbers), f"bool[] {needed}"]
    args += p.numbers
    yield from _registered(t, f"{name}_backward", typed, len(moving))
    yield from t.listed(f"def _{name}_backward(", [*args, needed], "):")
    yield from tupled(t, "    kept = ", [t.names[v] for v in p.kept])
    given = ["kept", p.cotangent, *([needed] if p.needed else []), *p.numbers]
    yield f"    found = _as_it_is(_backward, {p.cotangent})({', '.join(given)})"
    if len(moving) == 1:
        yield f"    return found[{moving[0]}].contiguous()"
    else:
        whole = len(moving) == len(names)
        yield from ([] if whole else tupled(t, "    found = ", [f"found[{k}]" for k in moving]))
        yield f"    none = {p.cotangent}.new_empty"
        yield "    return tuple(none(0) if x is None else x.contiguous() for x in found)"
    yield from ("", "", f"@_{name}_backward.register_fake")
    yield from t.listed("def _(", [*args, needed], "):")
    shapes = [f"_gradient_like({names[k]}, {needed}[{k}])" for k in moving]
    yield from (
        tupled(t, "    return ", shapes)
        if len(moving) > 1
        else [f"    return {names[moving[0]]}.new_empty({names[moving[0]]}.shape)"]
    )


def _derivative(t: Text, name: str, p: Passes, made: int) -> Iterator[str]:
    moving = _moving(t, p)
    count = len(p.inputs)
    arrays = f"inputs[:{count}]" if p.numbers else "inputs"
    yield from ("", "", f"def _setup_{name}(ctx, inputs, output):")
    if p.numbers:
        yield f"    ctx.sizes = inputs[{count}:]"
    if made:
        yield "    ctx.mark_non_differentiable(*output[1:])"
        kept = "*output" if t.plan.value in p.kept else "*output[1:]"
        yield f"    ctx.save_for_backward(*{arrays}, {kept})"
    else:
        yield f"    ctx.save_for_backward(*{arrays}{', output' if t.plan.value in p.kept else ''})"
    yield from ("", "", f"def _vjp_{name}(ctx, g, *_):")
    yield f"    need = list(ctx.needs_input_grad{f'[:{count}]' if p.numbers else ''})"
    yield f"    found = _{name}_backward(g, *ctx.saved_tensors, {'*ctx.sizes, ' if p.numbers else ''}need)"
    found = {k: f"found[{i}]" if len(moving) > 1 else "found" for i, k in enumerate(moving)}
    results = [f"{found[k]} if need[{k}] else None" if k in found else "None" for k in range(count)]
    yield from tupled(t, "    return ", [*results, *("None" for _ in p.numbers)])


def _second_derivative(t: Text, name: str, p: Passes) -> Iterator[str]:
    """Through the inputs; what was kept is a function of them."""
    moving = _moving(t, p)
    count = len(p.inputs)
    made = sum(v not in p.inputs for v in p.kept)
    yield from ("", "", f"def _setup_{name}_backward(ctx, inputs, output):")
    if p.numbers:
        yield f"    ctx.sizes = inputs[{-1 - len(p.numbers)}:-1]"
    yield "    ctx.need = inputs[-1]"
    yield f"    ctx.save_for_backward(*inputs[:{count + 1}])"
    yield from ("", "", f"def _vjp_{name}_backward(ctx, *grads):")
    places = [v for v in p.inputs if is_index(v)]  # of which nothing has a derivative
    args = [p.cotangent, *(t.names[v] for v in p.inputs)] if places else ["g", "*inputs"]
    of = [a for a in args if a not in {t.names[v] for v in places}]
    saved = "ctx.saved_tensors"
    if p.numbers:
        saved = "saved"
        yield "    saved, laid = _whole(ctx.saved_tensors)"
        yield "    grads, _ = _whole(grads)"
    if places:
        yield from t.listed("    (", args, f") = {saved}")
    if places or p.numbers:
        yield ""
    yield f"    def gradients({', '.join(of)}):"
    sizes = ", *ctx.sizes" if p.numbers else ""
    needed = ", ctx.need" if p.needed else ""
    yield f"        found = _backward(_forward({', '.join(args[1:])}{sizes})[1], {args[0]}{needed}{sizes})"
    yield "        return tuple(x for x in found if x is not None)"
    yield ""
    if len(moving) > 1:
        needs = "ctx.need" if len(moving) == count else f"[ctx.need[k] for k in {tuple(moving)}]"
        yield f"    needs = {needs}"
        yield "    grads = tuple(x for x, need in zip(grads, needs) if need)"
    yield f"    plain = torch.func.functionalize(_as_it_is(gradients, {saved}[0]))"
    yield f"    found = torch.func.vjp(plain, {', '.join(of) if places else f'*{saved}'})[1](tuple(grads))"
    if p.numbers:
        yield "    found = [laid(x) for x in found]"
    nothing = made + len(p.numbers) + 1
    rest = ["None"] * nothing if nothing < 10 else [f"*[None] * {nothing}"]
    if places:
        found = [f"found[{of.index(a)}]" if a in of else "None" for a in args]
        yield from tupled(t, "    return ", [*found, *rest])
    else:
        yield f"    return *found, {', '.join(rest)}"
