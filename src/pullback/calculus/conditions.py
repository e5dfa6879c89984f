"""When a formula is valid: what each op needs, with the factors of the case (theory.md §9)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import is_var

__all__ = ["conditions", "conventions"]


def conditions(value: Expr) -> Iterator[str]:
    """Sentences that must hold at the point where the equation is differentiated; names stand for themselves."""
    for e in postorder(value):
        needs = e.op.needs(e) if callable(e.op.needs) else e.op.needs
        if needs:
            yield re.sub(r"\$(\w+)", lambda m: _name(e, m.group(1)), needs)


def conventions(value: Expr) -> Iterator[str]:
    """What is taken where no derivative exists."""
    for e in postorder(value):
        if e.op.kink:
            yield e.op.kink


def _name(e: Expr, slot: str) -> str:
    names = [n for n, _ in e.op.slots]
    arg = e.args[int(slot) if slot.isdigit() else names.index(slot)]
    return str(arg.attrs[0]) if is_var(arg) else "its argument"
