"""The derived gradient as one differentiable function of JAX or PyTorch: a forward pass that keeps what the backward pass reads.

A second derivative goes through the backward pass, as the framework does it. PyTorch would take kept arrays for constants there, so
that a backward pass which is to be differentiated again computes them anew from the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..errors import ParseError
from .door import door, told, words_of
from .frame import Text, Words, begun
from .instructions import Given, Value
from .plan import Plan
from .targets import TARGETS
from .writer import described, line, module

__all__ = ["write_differentiable"]


def write_differentiable(plan: Plan, language: str, words: Words, name: str = "evaluate") -> str:
    """A module with the function `name` (with unknown functions: `make_<name>`), for "jax" or "torch".

    Raises what `write` raises, and ParseError P030 where an input that may move has no gradient: the framework would take it for 0.
    """
    seed = plan.seed
    if plan.kind != "gradient":
        raise ParseError("P030", f"a {plan.kind} has no form autodiff", expected="function")
    free = [v.name for v in plan.inputs if v is not seed and v.name not in plan.gradients and v.name not in plan.fixed]
    if free:
        raise ParseError("P030", f"the form autodiff needs the gradient of every input, and that of {free[0]} is not asked for",
                         hint=f"leave wrt out, or declare that it does not move: {free[0]} : … where const")  # fmt: skip
    t = begun(plan, TARGETS[language], words)
    t.deeper = 4 if t.functions else 0
    cotangent, bundle = t.fresh("g"), t.fresh("kept")
    inputs = [v for v in plan.inputs if v is not seed]
    t.plan = plan = replace(plan, inputs=inputs)
    if seed is not None:
        t.names[seed] = cotangent
    static = plan.static()
    kept = [v for v in plan.kept() if v is not seed and v not in static]
    t.kept = set(kept)
    forward = [s for v in plan.values[: plan.backward] if not isinstance(v.by, Given) for s in line(t, v)]
    backward = [s for v in plan.values[plan.backward :] for s in line(t, v)]
    again = [n for v in plan.values[: plan.backward] if v in static and (n := t.names.get(v)) in words_of(backward)]
    backward = [*(x for x in forward if any(x.startswith(f"    {n} = ") for n in again)), *backward]
    kept += _tellers(t, inputs, kept, backward)
    functions = list(dict.fromkeys(t.functions.values()))
    write = _jax if language == "jax" else _torch
    body = list(write(t, name, inputs, kept, _passes(t, (cotangent, bundle), inputs, kept, forward, backward, seed)))
    if functions:
        single = [x for k, x in enumerate(body) if x or body[k - 1]]  # inside a function one blank line is enough
        inside = [f"    {x}" if x else "" for x in single]
        body = [
            f"def make_{name}(*, {', '.join(functions)}):",
            f'    """The function {name} for these functions."""',
            "",
            *inside,
            "",
            f"    return {name}",
        ]
    return module(t.target, body)


def _tellers(t: Text, inputs: Sequence[Value], kept: Sequence[Value], backward: Sequence[str]) -> list[Value]:
    """Inputs that are kept for a size alone which the backward pass needs."""
    used = words_of(backward)
    known = {s for v in kept for d in v.shape for s in d.symbols()}
    found: list[Value] = []
    for symbol, word in t.sizes.items():
        if word in used and symbol not in known:
            teller = next((v for v in inputs if any(symbol in d.symbols() for d in v.shape)), None)
            if teller is not None:
                found.append(teller)
                known |= {s for d in teller.shape for s in d.symbols()}
    return found


def _tuple(words: Sequence[str]) -> str:
    return f"({', '.join(words)}{',' if len(words) == 1 else ''})"


def _tupled(t: Text, head: str, words: Sequence[str]) -> Iterator[str]:
    """`head` (a, b), with one word a line where that is too long."""
    whole = f"{head}{_tuple(words)}"
    yield from [whole] if len(whole) <= t.width else t.listed(f"{head}(", words, ")")


def _unpacked(t: Text, words: Sequence[str], bundle: str) -> Iterator[str]:
    """The names out of what was kept."""
    whole = f"    {', '.join(words)} = {bundle}"
    if len(words) == 1:
        yield f"    ({words[0]},) = {bundle}"
    elif len(whole) <= t.width:
        yield whole
    else:
        yield from t.listed("    (", words, f") = {bundle}")


def _passes(t: Text, own: tuple[str, str], inputs: Sequence[Value], kept: Sequence[Value], forward: Sequence[str], backward: Sequence[str],
            seed: Value | None) -> Iterator[str]:  # fmt: skip
    """The functions `_forward`, to (value, kept), and `_backward`, to a gradient for every input; `own` are names for cotangent and kept."""
    cotangent, bundle = own
    names = [t.names[v] for v in inputs]
    yield from t.listed("def _forward(", names, "):")
    yield from door(t, forward)
    yield from forward
    yield from _tupled(t, f"    return {t.names[t.plan.value]}, ", [t.names[v] for v in kept])
    yield ""
    yield ""
    yield f"def _backward({bundle}, {cotangent}):"
    if kept:
        yield from _unpacked(t, [t.names[v] for v in kept], bundle)
    arrays = [(t.names[v], v.shape) for v in kept]
    yield from told(t, arrays, backward)
    word = t.target.like[0].partition(" ")[0]
    if word in words_of(backward):
        first = [t.names[v] for v in kept][:1] or [cotangent]
        yield "    " + t.target.like[0].format(arrays=", ".join([*first]), first=first[0])
    yield from backward
    results = []
    for v in inputs:
        g = t.plan.gradients.get(v.name)
        results.append("None" if g is None else t.names[g] if seed is not None else f"{cotangent} * {t.names[g]}")
    yield from _tupled(t, "    return ", results)


def _jax(t: Text, name: str, inputs: Sequence[Value], kept: Sequence[Value], passes: Iterator[str]) -> Iterator[str]:
    yield from passes
    names = [t.names[v] for v in inputs]
    yield from ("", "", "@jax.custom_vjp")
    yield from t.listed(f"def {name}(", names, "):")
    yield '    """A function that JAX differentiates by the derived backward pass.'
    yield ""
    yield from described(t)
    yield '    """'
    yield from t.listed("    return _forward(", names, ")[0]")
    yield from ("", "", f"{name}.defvjp(_forward, _backward)")


def _torch(t: Text, name: str, inputs: Sequence[Value], kept: Sequence[Value], passes: Iterator[str]) -> Iterator[str]:
    yield from passes
    names = [t.names[v] for v in inputs]
    given = [v for v in kept if isinstance(v.by, Given)]
    made = [v for v in kept if not isinstance(v.by, Given) and v is not t.plan.value]
    saved = {v: f"inputs[{inputs.index(v)}]" for v in given} | {v: f"made[{k}]" for k, v in enumerate(made, 1)}
    saved[t.plan.value] = "made[0]"
    order = [kept.index(v) for v in made]
    count = len(inputs)
    yield from ("", "", f"class _{name.capitalize()}(torch.autograd.Function):", "    generate_vmap_rule = True", "")
    yield "    @staticmethod"
    yield "    def forward(*inputs):"
    yield "        value, kept = _forward(*inputs)"
    yield from _tupled(t, "        return ", ["value", *(f"kept[{k}]" for k in order)])
    yield from ("", "    @staticmethod", "    def setup_context(ctx, inputs, output):")
    yield "        ctx.mark_non_differentiable(*output[1:])"
    yield "        ctx.save_for_backward(*inputs, *output)"
    yield from ("", "    @staticmethod", "    def backward(ctx, g, *_):")
    yield f"        inputs, made = ctx.saved_tensors[:{count}], ctx.saved_tensors[{count}:]"
    yield "        if torch.is_grad_enabled():  # a second derivative: through the inputs"
    yield "            kept = _forward(*inputs)[1]"
    yield "        else:"
    yield from _tupled(t, "            kept = ", [saved[v] for v in kept])
    yield "        found = _backward(kept, g)"
    yield "        needed = ctx.needs_input_grad"
    yield "        return tuple(x if need else None for x, need in zip(found, needed))"
    yield from ("", "")
    yield from t.listed(f"def {name}(", names, "):")
    yield '    """A function that autograd differentiates by the derived backward pass.'
    yield ""
    yield from described(t)
    yield '    """'
    yield from t.listed(f"    return _{name.capitalize()}.apply(", names, ")[0]")
