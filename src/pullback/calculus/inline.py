"""Our own names written out again in the final equations, where that keeps them short (S-INLINE, theory.md §6.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.lift import cost
from ..algebra.ops.free import gradient, is_var
from ..step import Claim, Step, Why
from .core import Equation
from .derivation import Backward, Derivation
from .simplify import simplify

__all__ = ["expand", "inline", "own_names"]

_SMALL, _LARGE = 4, 40  # atoms of a definition that may be repeated; nodes of a result that stays readable
_SHARED = 24  # atoms and operators of a gradient that is written out in several equations


def _uses(e: Expr, name: Expr) -> int:
    """How often `name` is written in `e`."""
    count: dict[Expr, int] = {}
    for x in postorder(e):
        count[x] = int(x is name) + sum(count[a] for a in x.args)
    return count[e]


def own_names(equations: Iterable[Equation]) -> dict[Expr, Expr]:
    """What each of our own names stands for, in names of the user."""
    known: dict[Expr, Expr] = {}
    for q in equations:
        if q.auxiliary:
            known[q.var] = expand(q.value, known)[0]
    return known


def inline(d: Derivation, add: Callable[[Step], str]) -> None:
    """Set `closed` of every backward equation of a user's name, with one step for each that changes."""
    known = own_names(d.core.equations)
    blocks = {q.var: q.value for q in d.core.equations if _is_block(q.value)}
    parts = dict(blocks)
    uses = Counter(x for b in d.backward for x in set(postorder(b.value)) if is_var(x, "grad"))
    kept: set[Expr] = set()
    for k, b in enumerate(d.backward):
        closed, used = expand(b.value, {x: e for x, e in known.items() if x not in kept})
        if uses[gradient(b.of)] > 1 and cost(closed)[-1] > _SHARED:
            kept.add(gradient(b.of))
        if b.auxiliary:
            known[gradient(b.of)] = closed
        elif used:
            shorter, laws = simplify(closed)
            add(Step(
                id="", kind="inline", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=shorter,
                rules=("S-INLINE", *laws), why=Why("our own names written out", "a name used once is replaced by what it stands for"),
                claim=Claim("EQ", b.value, shorter, _reached((b.value, shorter), known))))  # fmt: skip
            closed = shorter
        elif blocks:
            _agree(b, parts, add)
        if b.of in blocks:
            parts[gradient(b.of)] = b.value
        d.backward[k] = replace(b, closed=closed)


def _is_block(e: Expr) -> bool:
    return e.op.linear == "joint" and bool(e.args) and e.op.meaning(e)[0].extra != ()


def _agree(b: Backward, parts: dict[Expr, Expr], add: Callable[[Step], str]) -> None:
    """The gradient of a block, written without the block matrix: folded and separate forms agree (theory.md §10.C)."""
    if not any(x in parts for x in postorder(b.value)):
        return
    plain, laws = simplify(_write_all(b.value, parts))
    if any(x in parts or _is_block(x) for x in postorder(plain)):
        return
    add(Step(
        id="", kind="blocks", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=plain, rules=("V-BIASFOLD", *laws),
        why=Why(f"block by block: the same ∇{b.of.attrs[0]} as without the block matrix",
                "the definitions of the blocks are put in; every entry that comes from another block drops out",
                "a dummy entry is a constant: it has no increment, and its own gradient is not asked for"),
        claim=Claim("EQ", b.value, plain, _reached((b.value, plain), parts))))  # fmt: skip


def _write_all(e: Expr, parts: dict[Expr, Expr]) -> Expr:
    for _ in range(2):  # a cotangent may refer to a block
        for name in [x for x in postorder(e) if x in parts]:
            e = substitute(e, {name: parts[name]})
    return e


def _reached(exprs: Iterable[Expr], known: Mapping[Expr, Expr]) -> dict[Expr, Expr]:
    """Of the known names those that the expressions are made of, directly or through others."""
    found: dict[Expr, Expr] = {}
    waiting = list(exprs)
    while waiting:
        for x in postorder(waiting.pop()):
            if x in known and x not in found:
                found[x] = known[x]
                waiting.append(known[x])
    return found


def expand(e: Expr, known: dict[Expr, Expr]) -> tuple[Expr, bool]:
    """`e` with those known names written out that stay short, and whether there were any."""
    changed = False
    for name in [x for x in postorder(e) if x in known]:
        value = known[name]
        times = _uses(e, name)
        if (times == 1 or cost(value)[1] <= _SMALL) and cost(e)[-1] + times * cost(value)[-1] <= _LARGE:
            e = substitute(e, {name: value})
            changed = True
    return e, changed
