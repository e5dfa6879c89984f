"""Index networks written with values that have a name already: Σ_s A_ts V_se is O_te, and Σ_i p_i is 1 (theory.md §6.3).

S-FOLD puts a name for a part of a term that is its definition, or for several terms that are together; S-FACT puts in what the
entries of a name sum up to, which is found by unfolding the definition. Nothing here is trusted: whoever uses it claims
that the result is equal, and the claim is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from .canonical import term_key
from .dims import Dim
from .expr import Expr, postorder
from .facts import sums_to_one
from .lift import collected
from .network import Factor, Term, TooLarge, network, tidied
from .op import REGISTRY
from .ops.arithmetic import add, sub

__all__ = ["Known", "sums_of"]

_MOST = 64  # terms above which nothing is folded
_ROUNDS = 200

_Match = tuple[dict[int, int], list[int]]  # which index stands for which, and the places of the factors


@dataclass(slots=True)
class _Definition:
    """A name and the terms of its value, the most telling first."""

    name: Expr
    terms: list[Term]
    weight: tuple[bool, int]  # which are tried first
    power: int = 1  # 2 where the terms are those of its square, as of a length


@dataclass(slots=True)
class Known:
    """Named values in order of computation, what each is made of, and what its entries sum up to."""

    definitions: list[_Definition] = field(default_factory=list)
    pieces: list[tuple[Term, list[Term], Expr]] = field(
        default_factory=list
    )  # equal products, with the name in the first
    constant: dict[Expr, dict[tuple[int, ...], tuple[Fraction, dict[Dim, int]]]] = field(default_factory=dict)
    partial: bool = False  # whether a part of a coefficient may go into a fold: (x − m)² from x² − 2 x m + m²

    def add(self, name: Expr, value: Expr, first: bool = False) -> None:
        """Take note of one more named value; its terms may be written with the names before it. Those `first` are preferred."""
        square = None if value.op.squared is None else value.op.squared(value)
        try:
            self._note_pieces(name, value)
            terms = collected(network(value if square is None else square).terms)
        except TooLarge:
            return
        if not terms or any(f.atom.op.delta or f.atom.op.entry is not None for t in terms for f in t.factors):
            return
        terms = sorted((t.copy() for t in terms), key=lambda t: -len(t.factors))
        self.note_sums(name, value)
        if (
            len(terms) == 1
            and not terms[0].inner()
            and all(f.power == 1 for f in terms[0].factors[:1])
            and len(terms[0].factors) < 2
        ):
            return  # another name for the same thing
        weight = (first, sum(len(t.factors) for t in terms))
        self.definitions.append(_Definition(name, terms, weight, 1 if square is None else 2))

    def _note_pieces(self, name: Expr, value: Expr) -> None:
        """Products with the name in shorter forms: where clip(x, l, u) is x, and what relu(x) absorbs."""
        found = [(REGISTRY[other](*value.args) * name, name) for other in value.op.absorbs]
        if value.op.piece is not None:
            where, plain = value.op.piece(*value.args)
            found.append((where * name, where * plain))
        for left, right in found:
            self.pieces.append((network(left).terms[0], network(right).terms, name))

    def note_sums(self, name: Expr, value: Expr) -> None:
        """The axes along which the entries add up to a number, whatever the inputs are; several at once where none does alone."""
        terms = network(value).terms
        for axes in [*((k,) for k in range(name.order)), *self._joint(name, terms)]:
            known = self.constant.get(name, {})
            if any(set(a) <= set(axes) for a in known):
                continue
            found = []
            for t in terms:
                t = t.copy()
                t.outs = tuple(i for k, i in enumerate(t.outs) if k not in axes)
                found += list(tidied(t))
            left = self.reduced(collected(found))
            if len(left) <= 1 and not any(t.factors for t in left):
                self.constant.setdefault(name, {})[axes] = (left[0].coef, left[0].sizes) if left else (Fraction(0), {})

    def _joint(self, name: Expr, terms: Sequence[Term]) -> set[tuple[int, ...]]:
        """Several axes that a part of the value is summed over, or that the entries of a factor add up along."""
        found = set()
        for t in terms:
            for f in t.factors:
                if len(f.legs) == name.order:
                    found.add(tuple(k for k, i in enumerate(f.legs) if i not in t.outs))
                for axes in self.constant.get(f.atom, ()):
                    legs = [f.legs[a] for a in axes]
                    found.add(tuple(sorted(t.outs.index(i) for i in legs if i in t.outs)))
        return {axes for axes in found if len(axes) > 1}

    # ---- reducing

    def reduced(self, terms: Sequence[Term]) -> list[Term]:
        """Fewer terms with fewer factors, which mean the same."""
        found = list(terms)
        for _ in range(_ROUNDS):
            if len(found) > _MOST:
                break
            shorter = self._once(found)
            if shorter is None:
                break
            found = shorter
        return found

    def _once(self, terms: list[Term]) -> list[Term] | None:
        """One fact or one fold, None if there is none."""
        for k, t in enumerate(terms):
            summed = self._summed(t)
            if summed is not None:
                return collected([*terms[:k], *summed, *terms[k + 1 :]])
        for left, right, name in self.pieces:
            for k, t in enumerate(terms):
                for match in _matches(t, left):
                    found = _replaced(t, left, match, name)
                    new = [u for part in right for u in tidied(_unfolded(found, name, part))]
                    return collected([*terms[:k], *new, *terms[k + 1 :]])
        for d in sorted(self.definitions, key=lambda d: d.weight, reverse=True):
            changed = self._single(terms, d) if len(d.terms) == 1 else self._several(terms, d)
            if changed is not None:
                return changed
        return None

    def _summed(self, t: Term) -> list[Term] | None:
        """The term with one factor summed along an axis on which nothing else depends."""
        for f in t.factors:
            known = self.constant.get(f.atom) or sums_to_one(f.atom)
            for axes, (coef, sizes) in known.items():
                legs = {f.legs[k] for k in axes}
                alone = (
                    f.power == 1
                    and legs.isdisjoint(t.outs)
                    and sum(i in legs for g in t.factors for i in g.legs) == len(axes)
                )
                if alone:
                    found = t.copy()
                    found.factors = [g for g, old in zip(found.factors, t.factors, strict=True) if old is not f]
                    for i in legs:
                        del found.dims[i]
                    found.coef *= coef
                    for d, p in sizes.items():
                        found.sizes[d] = found.sizes.get(d, 0) + p
                    return list(tidied(found)) if coef else []
        return None

    def _single(self, terms: list[Term], d: _Definition) -> list[Term] | None:
        for k, t in enumerate(terms):
            for match in _matches(t, d.terms[0]):
                found = list(tidied(_replaced(t, d.terms[0], match, d.name, d.power)))
                return collected([*terms[:k], *found, *terms[k + 1 :]])
        return None

    def _several(self, terms: list[Term], d: _Definition) -> list[Term] | None:
        """Terms that are together a multiple of the definition become one."""
        if len(terms) < len(d.terms):
            return None
        keys: dict[str, int] = {}
        for t in terms:
            for match in _matches(t, d.terms[0]):
                keys = keys or {term_key(u): k for k, u in enumerate(terms)}
                found = _replaced(t, d.terms[0], match, d.name, d.power)
                left = _left(found, d, keys, terms, self.partial)
                if left is not None:
                    return collected([*left, *tidied(found)])
        return None


def sums_of(values: Iterable[Expr], terms: Sequence[Term]) -> Known:
    """The sums of factors of the terms that are written in one of the values, each standing for itself: (x − m)(x − m)ᵀ."""
    found = Known(partial=True)
    atoms = {f.atom for t in terms for f in t.factors}
    seen: set[frozenset[tuple[str, bool]]] = set()
    for value in values:
        for x in postorder(value):
            if x.op not in (add, sub):
                continue
            own = network(x).terms
            if atoms.issuperset(f.atom for t in own for f in t.factors):
                parts = [(term_key(t), t.coef > 0) for t in own]
                if not seen & {frozenset(parts), frozenset((k, not sign) for k, sign in parts)}:  # m − x is −(x − m)
                    found.add(x, x)
                seen.add(frozenset(parts))
    return found


def _left(
    folded: Term, d: _Definition, keys: dict[str, int], terms: Sequence[Term], partial: bool
) -> list[Term] | None:
    """The terms without those that `folded` unfolds to, if all of them are there; with larger coefficients if `partial`."""
    found: list[Term | None] = list(terms)
    whole = True
    for part in d.terms:
        for u in tidied(_unfolded(folded, d.name, part)):
            k = keys.get(term_key(u))
            t = None if k is None else found[k]
            if k is None or t is None or t.coef * u.coef < 0 or abs(t.coef) < abs(u.coef):
                return None
            found[k] = None
            if t.coef != u.coef:
                found[k] = rest = t.copy()
                rest.coef -= u.coef
                whole = False
    return [t for t in found if t is not None] if whole or partial else None


def _unfolded(t: Term, name: Expr, part: Term) -> Term:
    """The term with one term of the definition in the place of the name, which stands in it as its last factor."""
    found = t.copy()
    f = found.factors.pop()
    factors, dims = part.instance(f.legs)
    found.factors += factors
    found.dims.update(dims)
    found.coef *= part.coef
    for d, p in part.sizes.items():
        found.sizes[d] = found.sizes.get(d, 0) + p
    return found


def _replaced(t: Term, part: Term, match: _Match, name: Expr, power: int = 1) -> Term:
    """The term with the name, as its last factor, in the place of the factors that match its definition."""
    names, places = match
    found = t.copy()
    for f, place in zip(part.factors, places, strict=True):
        found.factors[place].power -= f.power
    found.factors = [f for f in found.factors if f.power]
    used = {i for f in found.factors for i in f.legs} | set(found.outs)
    legs = tuple(names[i] for i in part.outs)
    found.factors.append(Factor(name, legs, power))
    found.dims = {i: d for i, d in found.dims.items() if i in used or i in legs}
    found.coef /= part.coef
    for d, p in part.sizes.items():
        found.sizes[d] = found.sizes.get(d, 0) - p
    return found


def _matches(t: Term, part: Term) -> Iterator[_Match]:
    """The ways in which the factors of `part` are factors of `t`, its summed indices summed there and used nowhere else."""
    inner = set(part.inner())
    if not {*part.outs} <= {i for f in part.factors for i in f.legs} or len(set(part.outs)) < len(part.outs):
        return
    stack: list[tuple[int, dict[int, int], list[int]]] = [(0, {}, [])]
    while stack:
        k, names, places = stack.pop()
        if k == len(part.factors):
            if _closed(t, part, names, places, inner):
                yield names, places
            continue
        f = part.factors[k]
        for place, g in enumerate(t.factors):
            fits = g.atom is f.atom and place not in places and g.power * f.power > 0 and abs(g.power) >= abs(f.power)
            if not fits:
                continue
            more = _extended(names, f.legs, g.legs, inner)
            if more is not None:
                stack.append((k + 1, more, [*places, place]))


def _extended(
    names: dict[int, int], mine: Iterable[int], theirs: Iterable[int], inner: set[int]
) -> dict[int, int] | None:
    found = dict(names)
    for i, j in zip(mine, theirs, strict=True):
        if found.setdefault(i, j) != j:
            return None
    summed = [found[i] for i in inner if i in found]
    return found if len(set(summed)) == len(summed) else None


def _closed(t: Term, part: Term, names: dict[int, int], places: list[int], inner: set[int]) -> bool:
    """Whether what is summed in the definition is summed in the term, over the same factors and no others."""
    for i in inner:
        j = names[i]
        if j in t.outs or any(names[o] == j for o in part.outs):
            return False
        for place, g in enumerate(t.factors):
            if j in g.legs and (place not in places or g.power != part.factors[places.index(place)].power):
                return False
    return True
