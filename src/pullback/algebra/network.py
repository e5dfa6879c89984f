"""What an expression means: a sum of index networks, Σ c · Π factor[indices] (theory.md §2.2, §3.2).

A network is built from the `meaning` of each op. What has none (f(z), a negative power of a sum) is an opaque
factor. δ, the 0/1 placements of blocks, and axes that nothing depends on are eliminated on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, product
from math import prod
from weakref import WeakKeyDictionary

from .dims import Dim, Shape
from .expr import Expr
from .facts import holds
from .maps import eliminate_maps
from .op import REGISTRY, Meaning
from .ops.arithmetic import raised
from .ops.matrix import eye

__all__ = ["Factor", "Network", "Term", "TooLarge", "expanded", "network", "tidied"]

_LIMIT = 100  # terms or factors after which expansion is given up: the answer is then "unknown", never a guess
_DIGITS = 4000  # binary digits of a coefficient, after which it is given up too
_KEPT = 4096  # nodes whose terms are kept for the next expression
_fresh = count()


class TooLarge(Exception):
    """The expanded form is too large to be worth having."""


@dataclass(slots=True)
class Factor:
    """`atom[legs] ** power`, entry by entry."""

    atom: Expr
    legs: tuple[int, ...]
    power: int = 1

    @property
    def tensor(self) -> Expr:
        return raised(self.atom, self.power)


@dataclass(slots=True)
class Term:
    """coef · Π sizes · Σ Π factors: summed over every index of `dims` that is not in `outs`."""

    coef: Fraction
    sizes: dict[Dim, int]
    factors: list[Factor]
    dims: dict[int, Dim]
    outs: tuple[int, ...]

    def inner(self) -> list[int]:
        return [i for i in self.dims if i not in self.outs]

    def instance(self, outs: Sequence[int]) -> tuple[list[Factor], dict[int, Dim]]:
        """The factors with `outs` for its open legs and new names for all other indices."""
        names = dict(zip(self.outs, outs, strict=True))
        for i in self.dims:
            if i not in names:
                names[i] = next(_fresh)
        factors = [Factor(f.atom, tuple(names[i] for i in f.legs), f.power) for f in self.factors]
        return factors, {names[i]: d for i, d in self.dims.items()}

    def copy(self) -> Term:
        """The same term, which may be changed."""
        factors = [Factor(f.atom, f.legs, f.power) for f in self.factors]
        return Term(self.coef, dict(self.sizes), factors, dict(self.dims), self.outs)


@dataclass(slots=True)
class Network:
    """A sum of terms over the same open legs."""

    shape: Shape
    terms: list[Term]


def _rename(t: Term, old: int, new: int) -> None:
    t.factors = [Factor(f.atom, tuple(new if i == old else i for i in f.legs), f.power) for f in t.factors]
    del t.dims[old]


def _digits(c: Fraction) -> int:
    return c.numerator.bit_length() + c.denominator.bit_length()


def _is_delta(f: Factor) -> bool:
    return bool(f.atom.op.delta)


def _has_zeros(f: Factor) -> bool:
    """Whether the factor is a 0/1 constant: its positive powers are itself, and it has no negative ones."""
    return f.atom.op.entry is not None or f.atom.op.graph is not None


def _eliminate_delta(t: Term) -> bool:
    """One δ gone, or those that cannot be eliminated (both ends open) put in order; whether anything changed."""
    for k, f in enumerate(t.factors):
        if not _is_delta(f):
            continue
        i, j = f.legs
        if i == j:
            del t.factors[k]
            return True
        if j in t.outs and i in t.outs:
            continue
        del t.factors[k]
        _rename(t, *((j, i) if j not in t.outs else (i, j)))
        return True
    return _tie(t)


def _tie(t: Term) -> bool:
    """Open legs that are one index: each tied by δ to the first of them, which alone stands in the other factors."""
    ties = [f for f in t.factors if _is_delta(f)]
    if not ties:
        return False
    root = {i: i for f in ties for i in f.legs}

    def find(i: int) -> int:
        while root[i] != i:
            i = root[i]
        return i

    for f in ties:
        first, second = sorted(map(find, f.legs), key=t.outs.index)
        root[second] = first
    tied = (Factor(eye(dim=t.dims[i]), (find(i), i)) for i in t.outs if i in root and find(i) != i)
    found = []
    for f in t.factors:
        if not _is_delta(f):
            found.append(Factor(f.atom, tuple(find(i) if i in root else i for i in f.legs), f.power))
        elif (tie := next(tied, None)) is not None:
            found.append(tie)
    changed = found != t.factors
    t.factors = found
    return changed


def _interval(f: Factor) -> tuple[Dim, Dim] | None:
    found: tuple[Dim, Dim] | None = None if f.atom.op.places is None else f.atom.op.places(f.atom)
    return found


def _eliminate_placement(t: Term) -> bool | None:
    """One pair of block placements on the same index resolved; None when the term is zero."""
    by_index: dict[int, list[Factor]] = {}
    for f in t.factors:
        if _interval(f) is not None:
            by_index.setdefault(f.legs[0], []).append(f)
    for i, found in by_index.items():
        for f in found:
            f.power = 1
        for a, f in enumerate(found):
            for g in found[a + 1 :]:
                (s, m), (r, n) = _interval(f) or (Dim({}), Dim({})), _interval(g) or (Dim({}), Dim({}))
                if (s, m) == (r, n):
                    t.factors.remove(g)
                    if len(f.legs) == 2 and len(g.legs) == 2 and f.legs[1] != g.legs[1]:
                        t.factors.append(Factor(eye(dim=m), (f.legs[1], g.legs[1])))
                    return True
                if r.at_least(s + m) or s.at_least(r + n):
                    return None
        only = found[0]
        alone = i not in t.outs and sum(i in f.legs for f in t.factors) == 1
        if alone:  # Σᵢ place[i, j] = 1 for every j
            t.factors.remove(only)
            del t.dims[i]
            return True
    return False


def _absorb(powers: dict[tuple[Expr, tuple[int, ...]], int]) -> None:
    """The factors gone that change nothing beside another one: step(t) beside relu(t), a second step(t)."""
    for (a, legs), p in list(powers.items()):
        for name in a.op.absorbs if p > 0 else ():
            other = REGISTRY[name](*a.args)
            if other is a:
                powers[a, legs] = 1
            elif powers.get((other, legs), 0) > 0 and powers[a, legs]:
                powers[other, legs] = 0


def tidied(t: Term) -> Iterator[Term]:
    """The normal form of one term: nothing, itself, or several when a size polynomial is multiplied out."""
    while True:
        if _eliminate_delta(t):
            continue
        changed = _eliminate_placement(t)
        if changed is False:
            changed = eliminate_maps(t, Factor, _fresh)
        if changed is None:
            return
        if not changed:
            break
    merged: dict[tuple[Expr, tuple[int, ...]], int] = {}
    for f in t.factors:
        legs = tuple(sorted(f.legs)) if holds("symmetric", f.atom) else f.legs
        merged[f.atom, legs] = merged.get((f.atom, legs), 0) + f.power
    _absorb(merged)
    t.factors = [Factor(a, legs, 1 if a.op.delta else p) for (a, legs), p in merged.items() if p]
    used = {i for f in t.factors for i in f.legs}
    for i in t.inner():
        if i not in used:
            t.sizes[t.dims[i]] = t.sizes.get(t.dims[i], 0) + 1
            del t.dims[i]
    spread: list[tuple[Fraction, dict[Dim, int]]] = [(t.coef, {})]
    for dim, power in t.sizes.items():
        if power > 0:
            for _ in range(power):
                spread = [_times(c * k, s, m, 1) for c, s in spread for m, k in dim.terms]
        elif power and len(dim.terms) == 1:
            (m, k) = dim.terms[0]
            spread = [_times(c * Fraction(k) ** power, s, m, power) for c, s in spread]
        elif power:
            spread = [(c, {**s, dim: s.get(dim, 0) + power}) for c, s in spread]
    for c, s in spread:
        if c:
            kept = {d: p for d, p in s.items() if p}
            yield Term(c, kept, t.factors if len(spread) == 1 else list(t.factors), dict(t.dims), t.outs)


def _times(c: Fraction, sizes: dict[Dim, int], symbols: tuple[str, ...], power: int) -> tuple[Fraction, dict[Dim, int]]:
    new = dict(sizes)
    for s in symbols:
        d = Dim.symbol(s)
        new[d] = new.get(d, 0) + power
    return c, new


def _product(e: Expr, m: Meaning, parts: Sequence[Term]) -> Iterator[Term]:
    """The term that a meaning makes of one term per argument."""
    index: dict[str, int] = {}
    dims: dict[int, Dim] = {}
    factors: list[Factor] = []
    coef, sizes = m.scale, dict.fromkeys(m.times, 0)
    for d in m.times:
        sizes[d] += 1
    for d in m.over:
        sizes[d] = sizes.get(d, 0) - 1
    for letters, part in zip(m.inputs, parts, strict=False):
        legs = [index.setdefault(c, next(_fresh)) for c in letters]
        more, inner = part.instance(legs)
        factors += more
        dims.update(inner)
        coef *= part.coef
        for d, p in part.sizes.items():
            sizes[d] = sizes.get(d, 0) + p
    for letters, atom in zip(m.inputs[len(parts) :], m.extra, strict=True):
        legs = [index.setdefault(c, next(_fresh)) for c in letters]
        if atom.op.uniform != 1:
            factors.append(Factor(atom, tuple(legs)))
        dims.update(zip(legs, atom.shape, strict=True))
    outs: list[int] = []
    for c, d in zip(m.output, e.shape, strict=True):
        i = index.setdefault(c, next(_fresh))
        if i in outs:  # a repeated open leg: tie two legs by δ
            twin = next(_fresh)
            factors.append(Factor(eye(dim=d), (i, twin)))
            i = twin
        dims[i] = d
        outs.append(i)
    if len(factors) > _LIMIT or _digits(coef) > _DIGITS:
        raise TooLarge
    yield from tidied(Term(coef, sizes, factors, dims, tuple(outs)))


def _opaque(e: Expr, power: int = 1) -> Term:
    legs = tuple(next(_fresh) for _ in e.shape)
    return Term(Fraction(1), {}, [Factor(e, legs, power)], dict(zip(legs, e.shape, strict=True)), legs)


def _entrywise(e: Expr, argument: list[Term]) -> Term:
    """f(x) with x one bare name, possibly permuted or repeated along axes: f of the name, the same way."""
    if len(argument) == 1:
        t = argument[0]
        bare = t.coef == 1 and not t.sizes and len(t.factors) == 1 and not t.inner()
        if bare and t.factors[0].power == 1 and len(set(t.factors[0].legs)) == len(t.factors[0].legs):
            x = t.factors[0].atom
            atom = Expr.make(e.op, (x,), e.attrs, x.shape)
            return Term(Fraction(1), {}, [Factor(atom, t.factors[0].legs)], dict(t.dims), t.outs)
    return _opaque(e)


def _size(terms: Sequence[Term]) -> Dim | None:
    """The sum of these terms as a size, if they are made of sizes and whole numbers alone and do not cancel."""
    total = Dim({})
    for t in terms:
        if t.factors or t.dims or t.coef.denominator > 1 or any(p < 0 for p in t.sizes.values()):
            return None
        total = total + prod((d for d, p in t.sizes.items() for _ in range(p)), start=Dim.number(t.coef.numerator))
    return total if total.terms else None


def _raise(e: Expr, argument: list[Term], power: int) -> list[Term]:
    """Every entry to an integer power."""
    if power == 0:
        legs = tuple(next(_fresh) for _ in e.shape)
        return [Term(Fraction(1), {}, [], dict(zip(legs, e.shape, strict=True)), legs)]
    if len(argument) == 1 and not argument[0].inner() and (power > 0 or not any(map(_has_zeros, argument[0].factors))):
        t = argument[0]
        factors = [Factor(f.atom, f.legs, f.power * power) for f in t.factors]
        sizes = {d: p * power for d, p in t.sizes.items()}
        if _digits(t.coef) * abs(power) > _DIGITS:
            raise TooLarge
        return list(tidied(Term(t.coef**power, sizes, factors, dict(t.dims), t.outs)))
    if power < 0 and not e.shape and (dim := _size(argument)) is not None:  # 1/(n − 1)
        return list(tidied(Term(Fraction(1), {dim: power}, [], {}, ())))
    if 0 < power <= 4 and len(argument) ** power <= _LIMIT:
        letters = "abcdefghijklmnopqrstuvwxyz"[: e.order]
        spec = ",".join([letters] * power) + "->" + letters
        m = Meaning(spec, range(power))
        return [t for parts in product(argument, repeat=power) for t in _product(e, m, parts)]
    return [_opaque(e.args[0], power)]


def network(root: Expr) -> Network:
    """The sum of index networks that `root` stands for, its indices new ones. Raises TooLarge."""
    done: dict[Expr, list[Term]] = {}
    if len(_known) > _KEPT:
        _known.clear()
    for e in expanded(root, named=False):
        found = _known.get(e)
        if found is None:
            found = _known[e] = _terms(e, done)
        done[e] = found
    terms = []
    for t in done[root]:  # whoever asks may change them
        names = [next(_fresh) for _ in t.outs]
        factors, dims = t.instance(names)
        terms.append(Term(t.coef, dict(t.sizes), factors, dims, tuple(names)))
    return Network(root.shape, terms)


_known: WeakKeyDictionary[Expr, list[Term]] = WeakKeyDictionary()  # what expressions share is expanded once


def _terms(e: Expr, done: Mapping[Expr, list[Term]]) -> list[Term]:
    """The terms of a node, given those of its arguments; nobody changes them. Raises TooLarge."""
    meanings = e.op.meaning(e)
    if e.op.alias is not None:
        return done[e.op.alias(e, *e.args)]
    if e.op.entry is not None:
        return list(_constant(e))
    if meanings is None:
        one = e.op.entrywise and len(e.args) == 1
        return [_entrywise(e, done[e.args[0]]) if one else _opaque(e)]
    if meanings[0].power != 1:
        return _raise(e, done[e.args[0]], meanings[0].power)
    terms: list[Term] = []
    for m in meanings:
        choices = [done[e.args[k]] for k in m.slots]
        size = 1
        for c in choices:
            size *= len(c)
        if size + len(terms) > _LIMIT:
            raise TooLarge
        for parts in product(*choices):
            terms += _product(e, m, parts)
    return terms


def _constant(e: Expr) -> Iterator[Term]:
    t = _opaque(e)
    if e.op.uniform is not None:
        t.coef, t.factors = Fraction(e.op.uniform), []
    yield from tidied(t)


def expanded(root: Expr, *, named: bool = True) -> Iterator[Expr]:
    """Nodes under `root`, arguments first, definitions unfolded, and nothing below an opaque node but its arguments.

    Functions that the program defines are unfolded if `named`."""
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            define = node.op.define if named else node.op.alias
            below = node.args if define is None else (define(node, *node.args),)
            stack.extend((a, False) for a in below if a not in seen)
