"""d of each equation: a sum of terms, each with exactly one increment (theory.md §3.3)."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import increment, is_var, var
from ..step import Why
from .lemma import differentiate
from .product import DTerm, product_rule
from .reason import instantiate, reason_of

__all__ = ["DTerm", "differential", "reasons"]


def differential(value: Expr, moving: Set[Expr]) -> list[DTerm]:
    """The terms of d(value) when the names in `moving` move: the product rule, once per occurrence."""
    return product_rule(value, moving, differentiate)


def reasons(value: Expr, moving: Set[Expr], told: set[str] | None = None) -> tuple[tuple[str, ...], Why]:
    """The rules used by d(value) and why they hold, from the ops that stand on the way to a moving name.

    The first product of which several factors move is written out with its remainder; `told` holds the rules of which
    that was said already.
    """
    told = set() if told is None else told
    live: set[Expr] = set()
    rules: dict[str, None] = {}
    lines: dict[str, None] = {}
    proofs: dict[str, None] = {}
    bind: dict[str, Any] = {}
    for e in postorder(value):
        if (is_var(e) and e in moving) or any(a in live for a in e.args):
            live.add(e)
        if e not in live or not e.args:
            continue
        moved = [k for k, a in enumerate(e.args) if a in live]
        if e.op.linear == "each" and len(moved) > 1:
            rules["D-BILIN"] = None
            lines["a product changes by one term per factor, the other factors held still"] = None
            if "D-BILIN" not in told:
                told.add("D-BILIN")
                proofs[_expansion(e, moved, bind)] = None
        elif e.op.linear:
            sums = e.op.linear == "joint" and len(e.args) > 1 and e.op.entrywise
            rules["D-ADD" if sums else "D-LIN"] = None
            lines["the differential of a sum is the sum of the differentials" if sums
                  else "what is linear in the part that moves is its own differential"] = None  # fmt: skip
            if e.op.linear == "joint" and len(moved) < len(e.args):
                lines["what is constant has the increment 0"] = None
        else:
            for k in moved:
                reason = reason_of(e, k)
                rules[reason.rule] = None
                lines[instantiate(reason.statement, e, k, bind)] = None
                proofs[instantiate(e.op.doc, e, k, bind)] = None
    return tuple(rules), Why("differentiate the equation", "; ".join(lines), "; ".join(proofs), bind)


def _expansion(e: Expr, moved: list[int], bind: dict[str, Any]) -> str:
    """The product with changed factors multiplied out, and why what has two increments is no part of the differential."""

    def put(shown: Expr) -> str:
        name = f"b{len(bind)}"
        bind[name] = shown
        return f"${name}"

    where: dict[str, None] = {}
    arguments: list[Expr] = list(e.args)
    changes: dict[int, Expr] = {}
    for k in moved:
        exact = _change(e.args[k])
        if exact is None:  # the factor gets a name, for this sentence
            arguments[k] = var(_letter(e, e.args.index(e.args[k])), e.args[k].shape)
            where[f"{put(arguments[k])} = {put(e.args[k])}"] = None
        changes[k] = increment(arguments[k]) if exact is None else exact

    def product(which: Set[int], both: bool = False) -> Expr:
        args = [
            a + changes[k] if both and k in which else changes[k] if k in which else a for k, a in enumerate(arguments)
        ]
        return Expr.make(e.op, tuple(args), e.attrs, e.shape)

    whole, parts = put(product(set(moved), both=True)), [put(product({k})) for k in moved]
    if len(moved) == 2:
        rest = put(product(set(moved)))
        one, two = (put(changes[k]) for k in moved)
        bound = f"‖{rest}‖ ≤ {'' if _bounded(e) else 'const · '}‖{one}‖ ‖{two}‖"
    else:
        rest = "terms with two or more increments"
        bound = "each of those is at most a constant times the product of the lengths of its increments"
    said = f"{whole} = {put(product(set()))} + {' + '.join(parts)} + {rest}, and {bound}, which is o(‖increments‖) and so no part of the differential"
    return said + (
        f" (here {', '.join(where)}; d is the whole change, which is the differential and o(‖increments‖))"
        if where
        else ""
    )


def _change(e: Expr) -> Expr | None:
    """How a factor changes, where that is its differential: it is a name, or linear in one, as Wᵀ is in W."""
    if is_var(e):
        return increment(e)
    if e.op.linear != "joint" or len(e.args) != 1:
        return None
    below = e.args[0]
    return Expr.make(e.op, (increment(below),), e.attrs, e.shape) if is_var(below) else None


def _letter(e: Expr, slot: int = 0) -> str:
    """A letter for a factor that has no name, different from all names in the expression."""
    taken = {x.attrs[0] for x in postorder(e) if is_var(x)}
    free = [c for c in ("P", "Q", "R", "S", "F", "H") if c not in taken]
    return free[slot % len(free)] if free else f"P_{slot}"


def _bounded(e: Expr) -> bool:
    """Whether ‖product‖ ≤ ‖first‖ ‖second‖: by Cauchy and Schwarz if every index that is summed stands in both factors."""
    [m] = e.op.meaning(e) or [None]
    if m is None or len(m.inputs) != 2 or m.extra:
        return False
    return all(c in m.output or all(c in letters for letters in m.inputs) for c in "".join(m.inputs))
