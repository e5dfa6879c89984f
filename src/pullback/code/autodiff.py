"""The derived gradient as one differentiable function of a framework: a forward pass that keeps what the backward pass reads.

A second derivative goes through the backward pass, as the framework does it. PyTorch and TensorFlow would take kept arrays for
constants there, so that a backward pass which is to be differentiated again computes them anew from the inputs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ..algebra.facts import restricted
from ..algebra.ops.free import var
from ..errors import ParseError
from .door import door, is_index, told, weighed, words_of
from .frame import Target, Text, Words, begun
from .guards import backward_lines, tupled, unpacked
from .instructions import Given, Value
from .lives import deepest
from .plan import Plan
from .seeded import seeded
from .syntax import filled, unparsed
from .writer import fitted, line, module

__all__ = ["Passes", "Shell", "write_differentiable"]


@dataclass(frozen=True, slots=True)
class Passes:
    """The functions `_forward`, to (value, kept), and `_backward`, to a gradient for every input, None for one that does not move."""

    lines: Sequence[str]
    inputs: Sequence[Value]
    kept: Sequence[Value]  # the inputs first, then the value, if that is kept
    cotangent: str  # names for the last arguments of `_backward`
    needed: str  # "" if it is not told which gradients are needed
    numbers: Sequence[str] = ()  # sizes of which the arrays are blocks, and that the last arguments tell


Shell = Callable[[Text, str, Passes], Iterator[str]]


def write_differentiable(plan: Plan, words: Words, name: str, *, target: Target, shell: Shell, guarded: bool = False,
                         owned: bool = False, outside: bool = False, cut: Collection[str] = (),
                         ahead: Shell | None = None) -> str:  # fmt: skip
    """A module with the function `name` (with unknown functions: `make_<name>`); `shell` makes it of the two passes.

    With `guarded` the backward pass is told which gradients are needed, and computes what those depend on; with `owned` no result of
    either pass is a view of another array; with `outside` the shell makes arrays of the arguments. Of the sizes that are `cut` an array
    has a part only: the passes read off it how long that is, and are told the size where it is used as a number. What stands `ahead`
    needs none of the unknown functions.

    Raises what `write` raises, and ParseError P030 where an input that may move has no gradient: the framework would take it for 0.
    """
    seed = plan.seed
    if plan.kind != "gradient":
        raise ParseError("P030", f"a {plan.kind} has no form autodiff", expected="function")
    free = [v.name for v in plan.inputs if v is not seed and v.name not in plan.gradients and v.name not in plan.fixed]
    if free:
        raise ParseError("P030", f"this form needs the gradient of every input, and that of {free[0]} is not asked for",
                         hint=f"leave wrt out, or declare that it does not move: {free[0]} : … where const")  # fmt: skip
    t = begun(plan, target, words)
    t.deeper = 4 if t.functions else 0
    cotangent, bundle = t.fresh("g"), t.fresh("kept")
    t.blocks = {s: t.fresh(f"{w}_here") for s, w in t.sizes.items() if s in cut}
    t.extent = t.here if t.blocks else None
    inputs = [v for v in plan.inputs if v is not seed]
    plan = replace(plan, inputs=inputs)
    if seed is None:
        seed = Value((), Given(var(cotangent, ())))
        plan = seeded(plan, seed)
    t.plan = plan
    t.names[seed] = cotangent
    static = t.static = plan.static()
    kept = [v for v in plan.kept() if v is not seed and v not in static]
    t.kept = {*kept, *deepest(plan, kept)}
    # A value that is an input, or is kept under another name, would be no result of its own for the framework.
    t.owned = (
        {v for v in (plan.value, *kept, *plan.gradients.values()) if v not in inputs}
        if owned
        else {plan.value} - static
    )
    forward = [s for v in plan.values[: plan.backward] if not isinstance(v.by, Given) for s in line(t, v)]
    if plan.value in static and (number := t.target.spelling.number):
        value = t.names[plan.value]
        forward.append(f"    {value} = {unparsed(filled(number, {'0': ast.Name(value, ast.Load())}))}")
    forward = [*_within(t, inputs), *forward]
    backward, wanted = backward_lines(t, inputs, seed, guarded)
    numbers = {t.names[v] for v in plan.values[: plan.backward] if v in static and v in t.names}
    backward = [*_repeated(forward, numbers, backward), *backward]
    kept += _tellers(t, inputs, kept, backward)
    kept.sort(key=lambda v: inputs.index(v) if v in inputs else len(inputs) + (v is not plan.value))
    functions = list(dict.fromkeys(t.functions.values()))
    passes = list(_passes(t, (cotangent, bundle, wanted), inputs, kept, forward, backward, not outside))
    both = Passes(passes, inputs, kept, cotangent, wanted, [t.sizes[s] for s in t.blocks])
    first = [*ahead(t, name, both), "", ""] if ahead else []
    body = list(shell(t, name, both))
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
    return module(t.target, [*first, *body])


# the part of a matrix in the set that it ranges over
_PARTS = {"diagonal": "xp.diag(xp.diagonal($X))", "symmetric": "($X + $X.T) / 2", "skew": "($X - $X.T) / 2", "lower": "xp.tril($X)",
          "upper": "xp.triu($X)"}  # fmt: skip


def _within(t: Text, inputs: Sequence[Value]) -> Iterator[str]:
    """The lines that take of every matrix its part in the set that it ranges over, which is all of it: so does its second derivative."""
    for v in inputs:
        kinds = restricted(v.about) if v.about is not None and v.name in t.plan.gradients else ()
        part = next((_PARTS[k] for k in _PARTS if k in kinds), None)
        if part is not None:
            node = filled(part, {"X": ast.Name(t.names[v], ast.Load())})
            yield from (f"    {x}" for x in fitted(t, t.names[v], t.target.spelling.applied(node, t.numbers())))


def _repeated(forward: Sequence[str], numbers: set[str], backward: Sequence[str]) -> list[str]:
    """The lines of the forward pass for these numbers, which sizes alone tell, where the backward pass, or such a line, has them."""
    needed = numbers & words_of(backward)
    found: list[str] = []
    for text in reversed(forward):
        name = re.match(r" {4}(\w+) = ", text)
        if name is not None and name[1] in needed:
            found.insert(0, text)
            needed |= words_of([text])
    return found


def _tellers(t: Text, inputs: Sequence[Value], kept: Sequence[Value], backward: Sequence[str]) -> list[Value]:
    """Inputs that are kept for a size alone which the backward pass needs."""
    used = words_of(backward)
    known = {s for v in kept for d in v.shape for s in d.symbols()}
    found: list[Value] = []
    for symbol in t.sizes:
        if t.here(symbol) in used and symbol not in known:
            teller = next((v for v in inputs if any(symbol in d.symbols() for d in v.shape)), None)
            if teller is not None:
                found.append(teller)
                known |= {s for d in teller.shape for s in d.symbols()}
    return found


def _passes(t: Text, own: tuple[str, str, str], inputs: Sequence[Value], kept: Sequence[Value], forward: Sequence[str],
            backward: Sequence[str], arrays: bool) -> Iterator[str]:  # fmt: skip
    """The text of both; `own` are names for the cotangent, for what is kept and, if that is told, for what is needed."""
    cotangent, bundle, wanted = own
    names = [t.names[v] for v in inputs]
    numbers = [t.sizes[s] for s in t.blocks]
    yield from t.listed("def _forward(", [*names, *numbers], "):")
    word = t.target.like[0].partition(" ")[0]
    if t.blocks or t.target.typed:  # the door stands before it: what arrives is in blocks, or has tensors of one type
        yield from told(t, [(t.names[v], v.shape) for v in inputs], forward)
        if word in words_of(forward):
            yield from t.typed_as(weighed(t, inputs))
    else:
        yield from door(t, forward, arrays_too=arrays)
    yield from forward
    yield from tupled(t, f"    return {t.names[t.plan.value]}, ", [t.names[v] for v in kept])
    yield ""
    yield ""
    yield f"def _backward({', '.join([bundle, cotangent, *([wanted] if wanted else []), *numbers])}):"
    if kept:
        yield from unpacked(t, [t.names[v] for v in kept], bundle)
    yield from told(t, [(t.names[v], v.shape) for v in kept], backward)
    if word in words_of(backward):
        yield from t.typed_as([t.names[v] for v in kept if not is_index(v)][:1] or [cotangent])
    yield from backward
