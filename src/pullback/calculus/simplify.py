"""The shorter of equal forms (theory.md §5.5, §6.3): laws, numbers in front, and the index sum read back.

Nothing here is trusted: every change is a step whose two sides are compared by `proof`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.lift import NotLiftable, as_einsum, cost, lift
from ..algebra.network import TooLarge
from ..algebra.ops.arithmetic import const, neg, power, rational, smul
from . import laws
from .law import rewrite

__all__ = ["fold", "simplify", "tidy"]

Rules = tuple[str, ...]
assert laws

_HEAVY = 60  # nodes above which an expression is not expanded in search of a shorter form


def _split_number(e: Expr) -> tuple[Fraction, Expr | None]:
    """e as number · rest (rest None for a bare number)."""
    if e.op is const:
        return e.attrs[0], None
    if e.op is neg:
        c, rest = _split_number(e.args[0])
        return -c, rest
    if e.op is smul:
        c, rest = _split_number(e.args[0])
        d, inner = _split_number(e.args[1])
        if rest is None:
            return c * d, inner
        if inner is None:
            return c * d, rest
        return c * d, e if (c, d) == (1, 1) else smul(rest, inner)
    return Fraction(1), e


def scaled(c: Fraction, rest: Expr | None) -> Expr:
    """c · rest, written without a factor 1 and with a minus sign for −1."""
    if rest is None:
        return rational(c) if c >= 0 else -rational(-c)
    if c == 1:
        return rest
    if c < 0:
        return -scaled(-c, rest)
    return rational(c) * rest


def _numbers(e: Expr) -> tuple[Expr, str] | None:
    """One number moved to the front: of a product, or out of an op that is linear in that slot."""
    if e.op is smul or e.op is neg:
        c, rest = _split_number(e)
        found = scaled(c, rest)
        return (found, "S-NUMBERS") if found is not e else None
    if e.op is power and e.args[0].op is const and e.attrs[0].denominator == 1 and e.args[0].attrs[0]:
        return rational(e.args[0].attrs[0] ** int(e.attrs[0])), "S-NUMBERS"
    if e.op.linear == "each" or (e.op.linear == "joint" and len(e.args) == 1):
        for k, a in enumerate(e.args):
            c, rest = _split_number(a)
            if c != 1 and rest is not None and c != 0:
                args = (*e.args[:k], rest, *e.args[k + 1 :])
                return scaled(c, Expr.make(e.op, args, e.attrs, e.shape)), "S-LINEAR"
            if a.op is smul and e.op.linear == "each":
                args = (*e.args[:k], a.args[1], *e.args[k + 1 :])
                return smul(a.args[0], Expr.make(e.op, args, e.attrs, e.shape)), "S-LINEAR"
    plus, minus = (e + e).op, (e - e).op
    if e.op is plus and e.args[1].op is neg:
        return e.args[0] - e.args[1].args[0], "S-NUMBERS"
    if e.op is minus and e.args[1].op is neg:
        return e.args[0] + e.args[1].args[0], "S-NUMBERS"
    return None


def tidy(e: Expr) -> tuple[Expr, Rules]:
    """`e` after the laws that a reader applies without noticing, and their names."""
    used: list[str] = []
    done: dict[Expr, Expr] = {}
    for node in postorder(e):
        args = tuple(done[a] for a in node.args)
        new = node if args == node.args else Expr.make(node.op, args, node.attrs, node.shape)
        for _ in range(16):
            changed = _numbers(new)
            if changed is None:
                found = next(rewrite(new), None)
                if found is None:
                    break
                changed = (found[1], found[0].name)
            new, rule = changed
            used.append(rule)
        done[node] = new
    return done[e], tuple(dict.fromkeys(used))


def _nodes(e: Expr) -> int:
    return cost(e)[-1]


def simplify(e: Expr) -> tuple[Expr, Rules]:
    """The cheapest of: `e` tidied, its meaning in matrix notation, its meaning as index sums."""
    best, rules = tidy(e)
    if _nodes(best) > _HEAVY:
        return best, rules
    for reader, rule in ((lift, "S-NETWORK"), (as_einsum, "S-NETWORK")):
        try:
            found = reader(best)
        except (NotLiftable, TooLarge):
            continue
        other = tidy(found.expr if not isinstance(found, Expr) else found)[0]
        if _rank(other) < _rank(best):
            best, rules = other, (*rules, rule)
        break
    return best, tuple(dict.fromkeys(rules))


def _rank(e: Expr) -> tuple[int, ...]:
    """Matrix notation before index sums, then the cost of reading."""
    sums = sum(1 for x in postorder(e) if x.op.cite == "laue2020")
    return (sums, *cost(e)[:5])


def fold(e: Expr, known: Mapping[Expr, Expr]) -> tuple[Expr, Rules]:
    """Sub-expressions that have a name replaced by the name."""
    found = substitute(e, known)
    return (found, ("S-FOLD",)) if found is not e else (e, ())
