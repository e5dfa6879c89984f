"""A sum of index networks with its common factors outside: A x + Aᵀ x is (A + Aᵀ) x (theory.md §5.5, S-FACTOR).

A factor may be taken out of several terms when it stands in the same place in each of them: its axes are the same axes of
the result, or are summed with what is left. What is left of the terms is again a sum of networks, written the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from weakref import WeakKeyDictionary

from .canonical import term_key
from .dims import Dim, Shape
from .expr import Expr, postorder
from .lift import NotLiftable, assemble, collected, cost, lift_term, spell_term
from .network import Factor, Term
from .ops.arithmetic import rational, scaled
from .ops.free import is_var
from .ops.matrix import outer
from .ops.structure import zeros

__all__ = ["apart", "rank", "written"]

_MOST = 24  # terms among which common factors are looked for
_EFFORT = 650  # factors of the sums that are looked at for one result
_TRIED = 3  # factors that are tried, those first that save most

_Signature = tuple[
    Expr, bool, tuple[tuple[str, int], ...]
]  # the factor, whether its power is negative, where it stands


def rank(e: Expr) -> tuple[int, ...]:
    """How heavy `e` is to read: index sums and 0/1 tensors, then what is written (atoms and operators), then the rest of `cost`."""
    if e not in _ranks:
        sums = sum(
            bool(x.op.sums or (not x.args and (x.op.ordered or (x.op.places and x.order == 2)))) for x in postorder(e)
        )
        found = cost(e)
        _ranks[e] = (sums, found[-1], *found)
    return _ranks[e]


_ranks: WeakKeyDictionary[Expr, tuple[int, ...]] = WeakKeyDictionary()


def written(terms: Sequence[Term], shape: Shape, search: _Search | None = None) -> Expr:
    """The shortest form found of the sum of the terms, which are collected. Raises TooLarge."""
    if not terms:
        return zeros(shape) if shape else rational(0)
    if len(terms) == 1:
        return assemble([(terms[0], _single(terms[0]))], shape)
    if search is None:
        search = _Search()
        terms = _with_numbers(terms)
    key = frozenset((term_key(t), t.coef) for t in terms)
    if key not in search.found:
        search.found[key] = plain = assemble([(t, _single(t)) for t in terms], shape)
        search.spent += sum(len(t.factors) for t in terms)
        if len(terms) <= _MOST and search.spent <= _EFFORT:
            search.found[key] = min((*_factored(terms, shape, search), plain), key=rank)
    return search.found[key]


@dataclass(slots=True)
class _Search:
    """The sums that were looked at on the way to one result: every factor taken out leaves two of them."""

    found: dict[frozenset[tuple[str, Fraction]], Expr] = field(default_factory=dict)
    spent: int = 0


def _with_numbers(terms: Sequence[Term]) -> list[Term]:
    """The terms with those numbers as one factor that several of them share: (vᵀ A b) x + (vᵀ A b) y has vᵀ A b twice."""
    parts = [(t, [(p, term_key(p)) for p in _numbers(t)]) for t in terms]
    often = Counter(key for _, own in parts for key in {key for _, key in own})
    made: dict[str, Expr] = {}
    found = []
    for t, own in parts:
        shared = [(p, key) for p, key in own if often[key] > 1]
        if shared:
            gone = {id(f) for p, _ in shared for f in p.factors}
            new = t.copy()
            new.factors = [new for new, f in zip(new.factors, t.factors, strict=True) if id(f) not in gone]
            new.factors += [Factor(made.setdefault(key, _single(p)), ()) for p, key in shared]
            new.dims = {i: d for i, d in t.dims.items() if not any(i in p.dims for p, _ in shared)}
            t = new
        found.append(t)
    return found


def _numbers(t: Term) -> list[Term]:
    """The parts of a term that several factors make and that have no axis of the result, with the factors of the term itself."""
    groups: list[tuple[set[int], list[Factor]]] = []
    for f in t.factors:
        touched = [g for g in groups if not g[0].isdisjoint(f.legs)]
        groups = [g for g in groups if g[0].isdisjoint(f.legs)]
        groups.append((set(f.legs).union(*(g[0] for g in touched)), [*(x for g in touched for x in g[1]), f]))
    return [Term(Fraction(1), {}, factors, {i: t.dims[i] for i in legs}, ())
            for legs, factors in groups if len(factors) > 1 and legs and legs.isdisjoint(t.outs)]  # fmt: skip


def apart(terms: Sequence[Term], atom: Expr, shape: Shape) -> list[Expr]:
    """The sum as parts in each of which the factor `atom`, which every term has once, is written once. Raises TooLarge."""
    places: dict[_Signature, list[Term]] = {}
    for t in terms:
        [f] = [f for f in t.factors if f.atom is atom]
        places.setdefault(_signature(t, f), []).append(t)
    found = []
    for group in places.values():
        where = [(k, next(q for q, f in enumerate(t.factors) if f.atom is atom)) for k, t in enumerate(group)]
        single = [assemble([(t, _single(t))], shape) for t in group]
        one = _taken_out(group, where) if len(group) > 1 else None
        together = None if one is None else assemble([(t, _single(t)) for t in one], shape)
        good = together is not None and rank(together) < tuple(map(sum, zip(*map(rank, single), strict=True)))
        found += [together] if together is not None and good else single
    return found


def _single(t: Term) -> Expr:
    """One term without its coefficient: in matrix notation, or as an index sum where there is none; an increment stands last."""
    found = t.copy()
    found.factors.sort(key=lambda f: is_var(f.atom, "d"))
    try:
        return lift_term(found).expr
    except NotLiftable:
        return spell_term(found)


def _factored(terms: Sequence[Term], shape: Shape, search: _Search) -> Iterator[Expr]:
    coef, sizes = _content(terms)
    if coef != 1 or sizes:
        rest = [_divided(t, coef, sizes) for t in terms]
        yield scaled(coef, sizes.items(), written(rest, shape, search))
        return
    places: dict[_Signature, list[tuple[int, int]]] = {}
    for k, t in enumerate(terms):
        for q, f in enumerate(t.factors):
            found = places.setdefault(_signature(t, f), [])
            if not found or found[-1][0] != k:
                found.append((k, q))
    saved = {s: (len(where) - 1) * cost(s[0])[-1] for s, where in places.items() if len(where) > 1}
    for s in sorted(saved, key=lambda s: (-saved[s], len(s[0].shape)))[: _TRIED if len(terms) <= 6 else 1]:
        shorter = _taken_out(terms, places[s], search)
        if shorter is not None:
            yield written(shorter, shape, search)


def _content(terms: Sequence[Term]) -> tuple[Fraction, dict[Dim, int]]:
    """The number and the sizes that all coefficients have in common, with the sign that all have."""
    top, bottom = 0, 1
    for t in terms:
        top, bottom = gcd(top, t.coef.numerator), lcm(bottom, t.coef.denominator)
    coef = Fraction(top, bottom)
    first = terms[0].sizes
    sizes = {d: p for d, p in first.items() if all(t.sizes.get(d, 0) == p for t in terms[1:])}
    return -coef if all(t.coef < 0 for t in terms) else coef, sizes


def _divided(t: Term, coef: Fraction, sizes: dict[Dim, int]) -> Term:
    found = t.copy()
    found.coef /= coef
    found.sizes = {d: p for d, p in t.sizes.items() if d not in sizes}
    return found


def _signature(t: Term, f: Factor) -> _Signature:
    """What two factors share that can be taken out together."""
    legs = tuple(("o", t.outs.index(i)) if i in t.outs else ("i", f.legs.index(i)) for i in f.legs)
    return f.atom, f.power < 0, legs


@dataclass(slots=True)
class _Cut:
    """A term without the factor that is taken out."""

    coef: Fraction
    sizes: dict[Dim, int]
    factors: list[Factor]
    ties: list[int]  # the summed indices by which the factor hangs on what is left


def _cut(t: Term, q: int, power: int) -> _Cut:
    f = t.factors[q]
    rest = [g for k, g in enumerate(t.factors) if k != q]
    if f.power != power:
        rest.append(Factor(f.atom, f.legs, f.power - power))
    return _Cut(t.coef, t.sizes, rest, [i for i in dict.fromkeys(f.legs) if i not in t.outs])


def _taken_out(
    terms: Sequence[Term], where: Sequence[tuple[int, int]], search: _Search | None = None
) -> list[Term] | None:
    """The terms with those that have the factor at these places (term, factor) made one, the factor outside.

    None where that would make outer products of what is summed: (1 wᵀ) y for sum(y) w."""
    factors = [terms[k].factors[q] for k, q in where]
    power = min((f.power for f in factors), key=abs)
    cuts = [_cut(terms[k], q, power) for k, q in where]
    own = set(factors[0].legs)
    held = [
        k for k, i in enumerate(terms[0].outs)
        if terms[where[0][0]].outs[k] not in own or any(terms[j].outs[k] in g.legs for (j, _), c in zip(where, cuts, strict=True) for g in c.factors)
    ]  # the axes of the result that what is left has  # fmt: skip
    rests = []
    for (k, _), c in zip(where, cuts, strict=True):
        t = terms[k]
        outs = (*(t.outs[h] for h in held if not h), *c.ties, *(t.outs[h] for h in held if h))  # rows first
        used = {*outs, *(i for g in c.factors for i in g.legs)}
        rests.append(Term(c.coef, dict(c.sizes), c.factors, {i: d for i, d in t.dims.items() if i in used}, outs))
    first = terms[where[0][0]]
    outs = rests[0].outs
    inside = written(collected(rests), tuple(first.dims[i] for i in outs), search)
    if inside.order > max(len(first.outs), len(factors[0].legs)) and any(x.op is outer for x in postorder(inside)):
        return None
    kept = {*first.outs, *outs, *own}
    body = Term(Fraction(1), {}, [Factor(factors[0].atom, factors[0].legs, power), Factor(inside, outs)],
                {i: d for i, d in first.dims.items() if i in kept}, first.outs)  # fmt: skip
    found = [t for k, t in enumerate(terms) if k not in {j for j, _ in where}]
    found.insert(min(where[0][0], len(found)), body)
    return found
