"""The reason of an op made about the case in hand: `$A` in its docstring becomes the factor that stands there."""

from __future__ import annotations

import re
from typing import Any

from ..algebra.expr import Expr
from ..algebra.op import Reason
from ..algebra.ops.free import increment
from ..step import Increment
from .lemma import differentiate

__all__ = ["instantiate", "reason_of"]


def reason_of(e: Expr, slot: int) -> Reason:
    """The declared reason for argument number `slot` of the node; a variadic op has one for all of them."""
    if e.op.composite:
        return _lemma_reason(e, slot)
    names = [n for n, _ in e.op.slots]
    found: dict[str, Reason] = e.op.reasons
    name = names[slot] if slot < len(names) else names[-1]
    return found.get(name) or next(iter(found.values()))


def _lemma_reason(e: Expr, slot: int) -> Reason:
    """A lemma is cited; `pullback explain` shows how it is derived."""
    name = e.op.slots[slot][0]
    held = "" if len(e.args) == 1 else ", the other arguments held still"
    return Reason(
        "D-LEMMA",
        f"lemma {e.op.name.upper()}: the differential of {e.op.name} along $d{name}{held}, derived from its definition",
    )


def _slope(e: Expr, slot: int) -> Expr | str:
    """What the increment of the argument is multiplied by, if that is one factor."""
    x = e.args[slot]
    if x.args:
        return "its slope"
    terms = differentiate(e, [increment(x) if k == slot else None for k in range(len(e.args))])
    factors = [a for a in terms[0].args if a is not increment(x)] if len(terms) == 1 and len(terms[0].args) == 2 else []
    return factors[0] if factors else "its slope"


def instantiate(template: str, e: Expr, slot: int, bind: dict[str, Any], **more: Any) -> str:
    """The template with its names made unique, and `bind` extended by what they stand for.

    `$A` is an argument, `$dA` its increment, `$0` the argument in question, `$slope` the factor of its increment.
    """
    values: dict[str, Any] = {
        "0": e.args[slot],
        "name": str(getattr(e.attrs[0], "name", e.attrs[0])) if e.attrs else e.op.name,
        **more,
    }
    for k, a in enumerate(e.args):
        name = e.op.slots[k][0] if k < len(e.op.slots) else f"X{k + 1}"
        # in a move the argument in question is the increment itself
        values[name], values[f"d{name}"] = a, a if e.op.linear and "G" in more else Increment(a)
    if e.op.variadic:
        values["X"], values["dX"] = e.args[slot], e.args[slot] if "G" in more else Increment(e.args[slot])
    if e.op.linear is None:
        first = e.op.slots[0][0]
        values[f"d{first}"] = Increment(e.args[slot]) if len(e.op.slots) < len(e.args) else values[f"d{first}"]
        values["slope"] = _slope(e, slot) if "$slope" in template else ""  # there may be a move and no differential
    else:
        values.setdefault("dX", e.args[slot])
    tag = f"q{len(bind)}"

    def unique(found: re.Match[str]) -> str:
        key = found.group(1)
        if key not in values:
            return found.group(0)
        bind[f"{tag}{key}"] = values[key]
        return f"${tag}{key}"

    return re.sub(r"\$([A-Za-z0-9_]+)", unique, template)
