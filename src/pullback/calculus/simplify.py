"""The shorter of equal forms (theory.md §5.5, §6.3): laws, numbers in front, and the index sum read back.

Nothing here is trusted: every change is a step whose two sides are compared by `proof`.
"""

from __future__ import annotations

from weakref import WeakSet

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.factor import rank, written
from ..algebra.fold import Known
from ..algebra.lift import collected, cost
from ..algebra.network import TooLarge, network
from ..algebra.numbers import numbers_in_front
from ..algebra.ops.free import var
from ..algebra.ops.structure import joined
from ..algebra.quotient import cancelled
from . import laws
from .law import rewrite

__all__ = ["simplify", "tidy", "turned"]

Rules = tuple[str, ...]
assert laws.basic, "importing the laws declares them"

_PASSES = 4
_TRANSPOSES = 4  # where `cost` counts them
_HEAVY = 60  # nodes above which an expression is not expanded in search of a shorter form


_tidied: WeakSet[Expr] = WeakSet()  # nothing in them is written shorter by a law


def tidy(e: Expr) -> tuple[Expr, Rules]:
    """`e` after the laws that a reader applies without noticing, and their names."""
    used: Rules = ()
    for _ in range(_PASSES):  # a number taken out of a product leaves a new product below it
        shorter, more = _pass(e)
        used += more
        if shorter is e:
            _tidied.add(e)
            break
        e = shorter
    return e, tuple(dict.fromkeys(used))


def _pass(e: Expr) -> tuple[Expr, Rules]:
    """Every node of `e` once, arguments first."""
    used: list[str] = []
    done: dict[Expr, Expr] = {}
    for node in postorder(e, without=_tidied):
        new = node.with_args(tuple(done.get(a, a) for a in node.args))
        for _ in range(16):
            changed = numbers_in_front(new) or joined(new)
            if changed is None:
                found = next(rewrite(new), None)
                if found is None:
                    break
                changed = (found[1], found[0].name)
            new, rule = changed
            used.append(rule)
        done[node] = new
    return done.get(e, e), tuple(dict.fromkeys(used))


def _composites(e: Expr) -> list[Expr]:
    """The values of composite ops in `e`, not those inside others."""
    found: dict[Expr, None] = {}
    stack, seen = [e], set()
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        if x.op.composite:
            found[x] = None
        else:
            stack += x.args
    return list(found)


def _nodes(e: Expr) -> int:
    return cost(e)[-1]


def simplify(e: Expr) -> tuple[Expr, Rules]:
    """The cheaper of `e` tidied and its meaning: in matrix notation, or as index sums where there is none."""
    best, rules = tidy(e)
    if _nodes(best) > _HEAVY:
        return best, rules
    try:
        known = Known()
        names = {x: var(f"·c{k}", x.shape) for k, x in enumerate(_composites(best))}  # they are written as such
        for x, name in names.items():
            known.add(name, x, first=True)
        plain = collected(network(substitute(best, names)).terms)
        terms = known.reduced(plain)  # what is declared or known of sums
        fewer = cancelled(terms, {})
        back = {name: x for x, name in names.items()}
        other, more = tidy(substitute(written(terms, best.shape), back))
        reason = "S-FACT" if terms != plain else "S-FACTOR" if len(terms) > 1 else "S-NETWORK"
        if fewer is not terms:
            divided, last = tidy(substitute(written(fewer, best.shape), back))
            if rank(divided) < rank(other):
                other, more, reason = divided, last, "S-CANCEL"
    except TooLarge:
        return best, rules
    if rank(other) < rank(best):
        best, rules = other, (*rules, reason, *more)
    return best, tuple(dict.fromkeys(rules))


def turned(e: Expr) -> Expr:
    """The matrix `e` as a transpose, where that has fewer of them: (B A)ᵀ for Aᵀ Bᵀ."""
    if e.order != 2 or cost(e)[_TRANSPOSES] < 2:
        return e
    try:
        inner = tidy(written(collected(network(e.T).terms), e.T.shape))[0]
    except TooLarge:
        return e
    return inner.T if rank(inner.T) < rank(e) else e
