"""PyTorch: the function and its backward pass as two ops of `torch.library`, which `torch.compile` and `torch.export` take whole.

The backward pass is an op of its own. Its derivative is that of the same text as plain functions of the inputs, so that second
derivatives are right: what the forward pass kept is computed again, and not taken for constants.
"""

from __future__ import annotations

from collections.abc import Iterator

from .autodiff import Passes
from .door import arrays_in, door
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

_EACH = '''def _each(op, size, in_dims, args):
    """The results of an op for each of a batch, one after another."""

    def at(x, d, k):
        if isinstance(x, list):
            return [at(y, e, k) for y, e in zip(x, d or [None] * len(x))]
        return x if d is None else x.select(d, k)

    rows = [op(*(at(x, d, k) for x, d in zip(args, in_dims))) for k in range(size)]
    return [torch.stack(some) for some in zip(*rows)], [0] * len(rows[0])'''

HELPERS = (("_new(", "", _NEW), ("_each(", "", _EACH))


def ops(t: Text, name: str, p: Passes) -> Iterator[str]:
    """The ops `pullback::name` and `pullback::name_backward`, and the function `name` of the first."""
    yield from p.lines
    yield from _forward_op(t, name, p)
    yield from _backward_op(t, name, p)
    yield from _derivatives(t, name, p)
    names = [t.names[v] for v in p.inputs]
    yield from ("", "")
    yield from t.listed(f"def {name}(", names, "):")
    yield f'    """The op pullback::{name}, which autograd differentiates by the derived backward pass.'
    yield ""
    yield from described(t)
    yield '    """'
    yield from arrays_in(t, p.inputs)
    yield from t.listed(f"    return _{name}(", names, ")[0]")


def _registered(name: str) -> Iterator[str]:
    yield from ("", "", f'@torch.library.custom_op(_new("{name}"), mutates_args=())')


def _forward_op(t: Text, name: str, p: Passes) -> Iterator[str]:
    """From the inputs to the value and the arrays that are kept."""
    names = [t.names[v] for v in p.inputs]
    given = sum(v in p.inputs for v in p.kept)
    made = [v for v in p.kept if v not in p.inputs and v is not t.plan.value]
    yield from _registered(name)
    yield from t.listed(f"def _{name}(", [f"{n}: torch.Tensor" for n in names], ") -> list[torch.Tensor]:")
    yield from t.listed("    value, kept = _forward(", names, ")")
    start = len(p.kept) - len(made)
    yield (
        f"    return [x.contiguous() for x in (value, *kept[{start}:])]" if made else "    return [value.contiguous()]"
    )
    yield from ("", "", f"@_{name}.register_fake")
    yield from t.listed("def _(", names, "):")
    shapes = [f"{names[0]}.new_empty({dims_text(v.shape, t)})" for v in (t.plan.value, *made)]
    result = list(t.listed("    return [", shapes, "]"))
    yield from door(t, result)
    yield from result


def _backward_op(t: Text, name: str, p: Passes) -> Iterator[str]:
    """From the gradient of the value to those gradients that are needed."""
    g, given, made, needed = (
        "g: torch.Tensor",
        "inputs: list[torch.Tensor]",
        "made: list[torch.Tensor]",
        "needed: list[bool]",
    )
    yield from _registered(f"{name}_backward")
    yield from t.listed(f"def _{name}_backward(", [g, given, made, needed], ") -> list[torch.Tensor]:")
    before = [f"inputs[{p.inputs.index(v)}]" for v in p.kept if v in p.inputs]
    after = ["*made" if t.plan.value in p.kept else "*made[1:]"] if len(before) < len(p.kept) else []
    yield from tupled(t, "    kept = ", [*before, *after])
    yield f"    found = _backward(kept, g{', needed' if p.told else ''})"
    yield "    return [x.contiguous() for x, need in zip(found, needed) if need]"
    yield from ("", "", f"@_{name}_backward.register_fake", "def _(g, inputs, made, needed):")
    yield "    wanted = [x for x, need in zip(inputs, needed) if need]"
    yield "    return [x.new_empty(x.shape) for x in wanted]"


def _derivatives(t: Text, name: str, p: Passes) -> Iterator[str]:
    count = len(p.inputs)
    moves = tuple(v.name in t.plan.gradients for v in p.inputs)
    yield from ("", "", f"def _setup_{name}(ctx, inputs, output):")
    yield "    ctx.mark_non_differentiable(*output[1:])"
    yield "    ctx.save_for_backward(*inputs, *output)"
    yield from ("", "", f"def _vjp_{name}(ctx, grads):")
    yield f"    inputs, made = ctx.saved_tensors[:{count}], ctx.saved_tensors[{count}:]"
    yield f"    needed = list(ctx.needs_input_grad[:{count}])"
    for k, moving in enumerate(moves):
        if not moving:
            yield f"    needed[{k}] = False  # {t.names[p.inputs[k]]} is declared not to move"
    yield f"    found = iter(_{name}_backward(grads[0], list(inputs), list(made), needed))"
    yield "    return tuple(next(found) if need else None for need in needed)"
    yield from ("", "", f"def _setup_{name}_backward(ctx, inputs, output):")
    yield "    g, inputs, made, needed = inputs"
    yield "    ctx.made, ctx.needed = len(made), needed"
    yield "    ctx.save_for_backward(g, *inputs)"
    yield from ("", "", f"def _vjp_{name}_backward(ctx, grads):")
    yield "    def gradients(g, *inputs):  # through the inputs, not through what was kept"
    yield f"        found = _backward(_forward(*inputs)[1], g{', ctx.needed' if p.told else ''})"
    yield "        return [x for x, need in zip(found, ctx.needed) if need]"
    yield ""
    yield "    plain = torch.func.functionalize(gradients)  # nothing is done in place"
    yield "    grad_g, *found = torch.func.vjp(plain, *ctx.saved_tensors)[1](list(grads))"
    yield "    return grad_g, found, [None] * ctx.made, None"
    yield from ("", "", f"def _vmap_{name}(info, in_dims, *args):")
    yield f"    return _each(_{name}, info.batch_size, in_dims, args)"
    yield from ("", "", f"def _vmap_{name}_backward(info, in_dims, *args):")
    yield f"    return _each(_{name}_backward, info.batch_size, in_dims, args)"
    yield from ("", "")
    for op in (f"_{name}", f"_{name}_backward"):
        yield from t.listed(f"{op}.register_autograd(", [f"_vjp{op}", f"setup_context=_setup{op}"], ")")
        yield f"{op}.register_vmap(_vmap{op})"
