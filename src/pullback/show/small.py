"""Level 4: every entry of a gradient written out at small sizes, different for different axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import product

from ..algebra.expr import Expr
from ..algebra.network import Term
from ..calculus.roles import Entry, Product, index_terms

__all__ = ["default_sizes", "entries"]

_DIFFERENT = 8  # sizes; of more, no two that follow each other are equal


def default_sizes(variables: Iterable[Expr]) -> dict[str, int]:
    """2, 3, 4, … for the size symbols in order: different for different axes, and small; in turn where they are many."""
    symbols = dict.fromkeys(s for v in variables for d in v.shape for s in sorted(d.symbols()))
    return {s: 2 + k % _DIFFERENT for k, s in enumerate(symbols)}


def entries(
    e: Expr, sizes: Mapping[str, int], *, most: int = 6, longest: int = 12
) -> list[tuple[tuple[str, ...], list[Product]]] | None:
    """Each entry of `e` written out at these sizes: (index, terms); None if too long."""
    terms = index_terms(e, split=lambda x: True, cut=False)
    if terms is None:
        return None
    known = all(s in sizes for t in terms for d in (*t.sizes, *t.dims.values()) for s in d.symbols())
    if not known:  # the length of a loop, used as a number
        return None
    found = []
    for index in product(*(range(d.value(sizes)) for d in e.shape)):
        parts: list[Product] = []
        for t in terms:
            at = dict(zip(t.outs, index, strict=True))
            inner = t.inner()
            coef = t.coef
            for d, p in t.sizes.items():
                coef *= Fraction(d.value(sizes)) ** p
            for values in product(*(range(t.dims[i].value(sizes)) for i in inner)):
                found_one = _written(t, {**at, **dict(zip(inner, values, strict=True))}, coef, sizes)
                if found_one is not None:
                    parts.append(found_one)
                if len(parts) > longest:
                    return None
        found.append((tuple(str(k + 1) for k in index), parts))
        if len(found) > most:
            break
    return found


def _written(t: Term, at: Mapping[int, int], coef: Fraction, sizes: Mapping[str, int]) -> Product | None:
    """One product of entries; None when a 0/1 constant makes it zero."""
    kept = []
    for f in t.factors:
        index = tuple(at[i] for i in f.legs)
        if f.atom.op.entry is not None:
            if not f.atom.op.entry(f.atom.attrs, index, dict(sizes)):
                return None
            continue
        kept.append(Entry(f.atom, tuple(str(k + 1) for k in index), f.power))
    return Product(coef, (), (), tuple(kept))
