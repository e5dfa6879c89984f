"""Sums of index networks over one denominator, with what divides out gone: p/u − p²/u is p where u = 1 − p (S-CANCEL).

A denominator is an opaque factor with a negative power; what it means is a sum of networks again. Terms with different
powers of it are brought to the lowest, and terms that are together a multiple of it lose it (fold.py). Nothing here is
trusted: whoever uses it claims that the result is equal, and the claim is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .expr import Expr, substitute
from .fold import Known
from .lift import collected, cost
from .network import Factor, Term, network, tidied

__all__ = ["cancelled"]

_MOST = 48  # terms above which nothing is brought to one denominator


def cancelled(terms: Sequence[Term], values: Mapping[Expr, Expr]) -> list[Term]:
    """The terms with fewer denominators and inverses, themselves if nothing cancels; `values` is what names stand for. Raises TooLarge."""
    found = terms if isinstance(terms, list) else list(terms)
    for atom in _denominators(found):
        value = values.get(atom, atom)
        if not value.args or len(found) > _MOST:
            continue
        known = Known()
        known.add(atom, value)
        if known.definitions:
            shorter = known.reduced(_together(found, atom, network(value).terms))
            if _weight(shorter) < _weight(found):
                found = shorter
    before: list[Term] | None = None
    while found is not before:  # what cancels may bring together what cancels
        before = found
        for known in _products(found, values):
            shorter = known.reduced(found)
            if _weight(shorter) < _weight(found):
                found = shorter
    return found


def _products(terms: Sequence[Term], values: Mapping[Expr, Expr]) -> Iterator[Known]:
    """What matrices cancel with what they are made of: K K⁻¹ = I for a sum K, X X⁺ X = X."""
    for atom in dict.fromkeys(f.atom for t in terms for f in t.factors):
        value = values.get(atom, atom)
        if value.op.cancels is not None:
            known = Known()
            own = {x: values[x] for x in value.args if x in values}
            for shorter, longer in value.op.cancels(atom, *value.args):
                known.add(shorter, longer)
                if own:
                    known.add(shorter, substitute(longer, own))
            yield known


def _weight(terms: Sequence[Term]) -> tuple[int, int]:
    return sum(f.power < 0 for t in terms for f in t.factors), sum(1 + len(t.factors) for t in terms)


def _denominators(terms: Sequence[Term]) -> list[Expr]:
    """What is divided by, the heaviest first."""
    found = dict.fromkeys(f.atom for t in terms for f in t.factors if f.power < 0)
    return sorted(found, key=lambda e: -cost(e)[-1])


def _together(terms: Sequence[Term], atom: Expr, value: Sequence[Term]) -> list[Term]:
    """The terms that are divided by the same entry of `atom` all divided by the same power of it."""
    lowest: dict[tuple[object, ...], int] = {}
    for t in terms:
        for f in t.factors:
            if f.atom is atom and f.power < 0:
                lowest[_where(t, f)] = min(f.power, lowest.get(_where(t, f), 0))
    found: list[Term] = []
    for t in terms:
        raised = [
            (k, f, f.power - lowest[_where(t, f)]) for k, f in enumerate(t.factors) if f.atom is atom and f.power < 0
        ]
        parts = [t.copy()]
        for k, f, missing in raised:
            for part in parts:
                part.factors[k].power -= missing
            for _ in range(missing):
                parts = [_times(part, v, f.legs) for part in parts for v in value]
        found += [u for part in parts for u in tidied(part)]
        if len(found) > 4 * _MOST:
            return list(terms)
    return collected(found)


def _where(t: Term, f: Factor) -> tuple[object, ...]:
    """At which entry a factor stands: places of the result, and otherwise only that an index is summed."""
    return tuple(t.outs.index(i) if i in t.outs else "" for i in f.legs)


def _times(t: Term, v: Term, legs: tuple[int, ...]) -> Term:
    """The term times one term of the denominator's value at these indices."""
    found = t.copy()
    factors, dims = v.instance(legs)
    found.factors += factors
    found.dims |= {i: d for i, d in dims.items() if i not in found.dims}
    found.coef *= v.coef
    for d, p in v.sizes.items():
        found.sizes[d] = found.sizes.get(d, 0) + p
    return found
