"""When a formula is valid: what each op needs, with the factors of the case (theory.md §9)."""

from __future__ import annotations

from collections.abc import Iterator

from ..algebra.expr import Expr, postorder
from ..algebra.network import TooLarge, network
from ..algebra.ops.defined import unfolded
from ..step import Said
from .inline import expand

__all__ = ["conditions", "conventions"]


def conditions(value: Expr, own: dict[Expr, Expr]) -> Iterator[Said]:
    """Sentences that must hold at the point where the equation is differentiated; `$name` is an argument of the op.

    Names of ours are written out as `own` says, where that stays short.
    """
    for e in postorder(unfolded(value)):
        needs: str = e.op.needs(e) if callable(e.op.needs) else e.op.needs
        args = [expand(a, own)[0] for a in e.args] if needs else []
        about = [a for k, a in enumerate(args) if _named(e, k, needs)]
        positive = any(
            word in needs for word in ("positive", "nonzero", "≠ 0", "zero or a negative", "greater than −1")
        )
        if not needs or (positive and about and all(map(_never_zero, about))):  # what names no argument is about sizes
            continue
        if not e.order:
            needs = needs.replace("every entry of ", "").replace("every tuple of entries of ", "")
        names = [n for n, _ in e.op.slots]
        yield Said(needs, {**{str(k): a for k, a in enumerate(args)}, **dict(zip(names, args, strict=False))})


def _named(e: Expr, k: int, needs: str) -> bool:
    """Whether the sentence speaks of argument number k."""
    return f"${k}" in needs or (k < len(e.op.slots) and f"${e.op.slots[k][0]}" in needs)


def _never_zero(e: Expr) -> bool:
    """A positive number, and a product of sizes, is positive whatever the sizes are: a size is at least 1."""
    try:
        terms = network(e).terms if not e.order else []
    except TooLarge:
        return False
    return bool(terms) and all(t.coef > 0 and not t.factors for t in terms)


def conventions(value: Expr) -> Iterator[str]:
    """What is taken where no derivative exists."""
    for e in postorder(unfolded(value)):
        if e.op.kink:
            yield e.op.kink
