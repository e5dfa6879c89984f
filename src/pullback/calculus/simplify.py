"""The shorter of equal forms (theory.md §5.5, §6.3): laws, numbers in front, and the index sum read back.

Nothing here is trusted: every change is a step whose two sides are compared by `proof`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.indexed import letters_of
from ..algebra.lift import NotLiftable, as_einsum, cost, lift
from ..algebra.network import TooLarge
from ..algebra.ops.arithmetic import add, const, neg, power, rational, sdiv, smul, sub
from . import laws
from .law import rewrite

__all__ = ["fold", "simplify", "tidy"]

Rules = tuple[str, ...]
assert laws.basic, "importing the laws declares them"

_LONG = 2000  # binary digits above which numbers are not multiplied out
_PASSES = 4
_HEAVY = 60  # nodes above which an expression is not expanded in search of a shorter form


def _long(c: Fraction, times: int = 1) -> bool:
    return max(c.numerator.bit_length(), c.denominator.bit_length()) * times > _LONG


def _split_number(e: Expr) -> tuple[Fraction, Expr | None]:
    """e as number · rest (rest None for a bare number)."""
    c = Fraction(1)
    front: list[Expr] = []  # scalars that stay in front of the rest
    while True:
        if e.op is const:
            c, rest = c * e.attrs[0], None
            break
        if e.op is neg:
            c, e = -c, e.args[0]
        elif e.op is sdiv and e.args[1].op is const and e.args[1].attrs[0]:
            c, e = c / e.args[1].attrs[0], e.args[0]
        elif e.op is smul and e.args[0].op is const:
            c, e = c * e.args[0].attrs[0], e.args[1]
        elif e.op is smul and e.args[0].op in (neg, smul, sdiv) and _number_of(e.args[0]) is not None:
            (d, inner), e = _number_of(e.args[0]) or (Fraction(1), None), e.args[1]
            c *= d
            front += [inner] if inner is not None else []
        elif e.op is smul and e.args[1].op in (const, neg, smul, sdiv) and _number_of(e.args[1]) is not None:
            front.append(e.args[0])
            e = e.args[1]
        else:
            rest = e
            break
    for s in reversed(front):
        rest = s if rest is None else smul(s, rest)
    return c, rest


def _number_of(e: Expr) -> tuple[Fraction, Expr | None] | None:
    """A number at the very front of `e`, and what is left, or None if there is none."""
    if e.op is const:
        return e.attrs[0], None
    if e.op is neg:
        return Fraction(-1), e.args[0]
    if e.op is smul and e.args[0].op is const:
        return e.args[0].attrs[0], e.args[1]
    if e.op is sdiv and e.args[1].op is const and e.args[1].attrs[0]:
        return 1 / e.args[1].attrs[0], e.args[0]
    return None


def scaled(c: Fraction, rest: Expr | None) -> Expr:
    """c · rest, written without a factor 1 and with a minus sign for −1."""
    size = abs(c)
    if rest is None:
        body = rational(size)
    else:
        body = rest if size == 1 else rational(size) * rest
    return -body if c < 0 else body


def _numbers(e: Expr) -> tuple[Expr, str] | None:
    """One number moved to the front: of a product, or out of an op that is linear in that slot."""
    if e.op in (smul, neg, sdiv):
        c, rest = _split_number(e)
        if _long(c):
            return None
        found = scaled(c, rest)
        return (found, "S-NUMBERS") if found is not e else None
    if e.op is power and e.args[0].op is const and e.attrs[0].denominator == 1 and e.args[0].attrs[0]:
        if abs(e.attrs[0]) > _LONG or _long(e.args[0].attrs[0], abs(int(e.attrs[0]))):
            return None
        return rational(e.args[0].attrs[0] ** int(e.attrs[0])), "S-NUMBERS"
    if e.op.linear == "each" or (e.op.linear == "joint" and len(e.args) == 1):
        for k, a in enumerate(e.args):
            c, rest = _split_number(a)
            if c != 1 and rest is not None and c != 0 and not _long(c):
                args = (*e.args[:k], rest, *e.args[k + 1 :])
                return scaled(c, Expr.make(e.op, args, e.attrs, e.shape)), "S-LINEAR"
            if a.op is smul and e.op.linear == "each" and not _bound(e, a.args[0]):
                args = (*e.args[:k], a.args[1], *e.args[k + 1 :])
                return smul(a.args[0], Expr.make(e.op, args, e.attrs, e.shape)), "S-LINEAR"
            if a.op is sdiv and e.op.linear == "each" and e.op is not smul and not _bound(e, a.args[1]):
                args = (*e.args[:k], a.args[0], *e.args[k + 1 :])
                return sdiv(Expr.make(e.op, args, e.attrs, e.shape), a.args[1]), "S-LINEAR"
    if e.op is add and e.args[1].op is neg:
        return e.args[0] - e.args[1].args[0], "S-NUMBERS"
    if e.op is sub and e.args[1].op is neg:
        return e.args[0] + e.args[1].args[0], "S-NUMBERS"
    return None


def _bound(e: Expr, factor: Expr) -> bool:
    """Whether the factor differs from term to term of the sum over an index `e`."""
    return e.op.binder and e.attrs[0] in letters_of(factor)


def tidy(e: Expr) -> tuple[Expr, Rules]:
    """`e` after the laws that a reader applies without noticing, and their names."""
    used: Rules = ()
    for _ in range(_PASSES):  # a number taken out of a product leaves a new product below it
        shorter, more = _pass(e)
        used += more
        if shorter is e:
            break
        e = shorter
    return e, tuple(dict.fromkeys(used))


def _pass(e: Expr) -> tuple[Expr, Rules]:
    """Every node of `e` once, arguments first."""
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
        other, more = tidy(found.expr if not isinstance(found, Expr) else found)
        if _rank(other) < _rank(best):
            best, rules = other, (*rules, rule, *more)
        break
    return best, tuple(dict.fromkeys(rules))


def _rank(e: Expr) -> tuple[int, ...]:
    """Matrix notation before index sums, then the cost of reading."""
    sums = sum(1 for x in postorder(e) if x.op.cite == "laue2020")
    return (sums, *cost(e))


def fold(e: Expr, known: Mapping[Expr, Expr]) -> tuple[Expr, Rules]:
    """Sub-expressions that have a name replaced by the name."""
    found = substitute(e, known)
    return (found, ("S-FOLD",)) if found is not e else (e, ())
