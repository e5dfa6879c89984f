"""Our own names written out again in the final equations, where that keeps them short (S-INLINE, theory.md §6.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..algebra.expr import Expr, postorder
from ..algebra.lift import cost
from ..algebra.ops.free import gradient
from ..step import Claim, Step, Why
from .derivation import Derivation
from .simplify import simplify

__all__ = ["inline"]

_SMALL, _LARGE = 4, 40  # atoms of a definition that may be repeated; nodes of a result that stays readable


def _uses(e: Expr, name: Expr) -> int:
    """How often `name` is written in `e`."""
    count: dict[Expr, int] = {}
    for x in postorder(e):
        count[x] = int(x is name) + sum(count[a] for a in x.args)
    return count[e]


def inline(d: Derivation, add: Callable[[Step], str]) -> None:
    """Set `closed` of every backward equation of a user's name, with one step for each that changes."""
    known: dict[Expr, Expr] = {}
    for q in d.core.equations:
        if q.auxiliary:
            known[q.var] = _expand(q.value, known)[0]
    forward = dict(known)
    for k, b in enumerate(d.backward):
        closed, used = _expand(b.value, known)
        if b.auxiliary:
            known[gradient(b.of)] = closed
        elif used:
            shorter, laws = simplify(closed)
            add(Step(
                id="", kind="inline", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=shorter,
                rules=("S-INLINE", *laws), why=Why("our own names written out", "a name used once is replaced by what it stands for"),
                claim=Claim("EQ", b.value, shorter, {**forward, **known})))  # fmt: skip
            closed = shorter
        d.backward[k] = replace(b, closed=closed)


def _expand(e: Expr, known: dict[Expr, Expr]) -> tuple[Expr, bool]:
    """`e` with those known names written out that stay short, and whether there were any."""
    changed = False
    for name in [x for x in postorder(e) if x in known]:
        value = known[name]
        times = _uses(e, name)
        if (times == 1 or cost(value)[1] <= _SMALL) and cost(e)[-1] + times * cost(value)[-1] <= _LARGE:
            e = _write(e, name, value)
            changed = True
    return e, changed


def _write(e: Expr, name: Expr, value: Expr) -> Expr:
    done: dict[Expr, Expr] = {}
    for x in postorder(e):
        args = tuple(done[a] for a in x.args)
        done[x] = value if x is name else x if args == x.args else Expr.make(x.op, args, x.attrs, x.shape)
    return done[e]
