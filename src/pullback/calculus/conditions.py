"""When a formula is valid: what each op needs, with the factors of the case (theory.md §9)."""

from __future__ import annotations

from collections.abc import Iterator

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import is_var

__all__ = ["conditions", "conventions"]


def conditions(value: Expr) -> Iterator[str]:
    """Sentences that must hold at the point where the equation is differentiated; names stand for themselves."""
    for e in postorder(value):
        needs = e.op.needs(e) if callable(e.op.needs) else e.op.needs
        if needs:
            names = [n for n, _ in e.op.slots]
            values = {**{n: _name(a) for n, a in zip(names, e.args, strict=False)}, "0": _name(e.args[0])}
            if not e.args[0].order:  # a number is its only entry
                needs = needs.replace("every entry of ", "")
            for slot, name in values.items():
                needs = needs.replace(f"${slot}", name)
            yield needs


def conventions(value: Expr) -> Iterator[str]:
    """What is taken where no derivative exists."""
    for e in postorder(value):
        if e.op.kink:
            yield e.op.kink


def _name(arg: Expr) -> str:
    return str(arg.attrs[0]) if is_var(arg) else "its argument"
