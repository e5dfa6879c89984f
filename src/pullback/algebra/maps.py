"""Round trips that cancel: the 0/1 tensors of structure on the same index of a term are resolved against each other.

What a map takes apart, its inverse puts together (reshape and reshape back), whatever stands between. The rules are those of maps
in general, by what an op declares its graph to be, and the arithmetic of row-major places, shifts and diagonals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, count
from typing import Any, Protocol

from .dims import Dim, entries_of
from .expr import Expr
from .op import Graph
from .ops.maps import aligned, cyclic, flat, lower
from .ops.matrix import eye

__all__ = ["eliminate_maps"]

_ONE, _ZERO = Dim.number(1), Dim({})


class _Factor(Protocol):
    atom: Expr
    legs: tuple[int, ...]
    power: int


class _Term(Protocol):
    factors: Any
    dims: dict[int, Dim]
    outs: tuple[int, ...]


_Maker = Callable[[Expr, tuple[int, ...]], Any]


def eliminate_maps(t: _Term, make: _Maker, fresh: count[int]) -> bool | None:
    """One simplification of the 0/1 tensors of a term: whether anything changed; None when the term is zero.

    `make` makes a factor, `fresh` gives new indices."""
    if not any(f.atom.op.graph is not None or f.atom.op.ordered for f in t.factors):
        return False
    for f in t.factors:
        if f.power > 1 and (f.atom.op.entry is not None or f.atom.op.graph is not None):
            f.power = 1  # 0² = 0 and 1² = 1
    work = _Work(t, make, fresh)
    return work.pairs() or work.alone() or work.places() or work.cycles() or work.triangles()


class _Work:
    def __init__(self, t: _Term, make: _Maker, fresh: count[int]) -> None:
        self.t, self.make, self.fresh = t, make, fresh

    def inner_alone(self, legs: Sequence[int], *users: _Factor) -> bool:
        """Whether these indices are summed, all different, and occur in these factors only, once in each."""
        if len(set(legs)) != len(legs) or any(i in self.t.outs for i in legs):
            return False
        return all(
            sum(f.legs.count(i) for f in self.t.factors) == len(users) and all(u.legs.count(i) == 1 for u in users)
            for i in legs
        )

    def tie(self, old: Sequence[int], new: Sequence[int]) -> None:
        """The indices are the same, one by one."""
        for i, j in zip(old, new, strict=True):
            if i != j:
                self.t.factors.append(self.make(eye(dim=self.t.dims[i]), (i, j)))

    def drop(self, *factors: _Factor) -> None:
        self.t.factors[:] = [f for f in self.t.factors if not any(f is g for g in factors)]

    def index(self, dim: Dim) -> int:
        i = next(self.fresh)
        self.t.dims[i] = dim
        return i

    def graphs(self) -> list[tuple[_Factor, Graph]]:
        return [(f, f.atom.op.graph(f.atom)) for f in self.t.factors if f.atom.op.graph is not None and f.power == 1]

    # ---- maps in general

    def pairs(self) -> bool:
        """Twice the same map: of one source it has one image, and of one image an injective map has one source."""
        for (f, how), (g, _) in combinations(self.graphs(), 2):
            if f.atom is not g.atom:
                continue
            for legs in (g.legs, g.legs[::-1]) if "symmetric" in f.atom.op.gives else (g.legs,):
                here = [[x[k] for k in axes] for x in (f.legs, legs) for axes in (how.source, how.target)]
                if here[0] == here[2]:
                    self.drop(g)
                    self.tie(here[3], here[1])
                    return True
                if how.injective and here[1] == here[3]:
                    self.drop(g)
                    self.tie(here[2], here[0])
                    return True
        return False

    def alone(self) -> bool:
        """Summed over its images alone a total map is 1 for every source; a bijection also the other way round."""
        for f, how in self.graphs():
            sides = [how.target] * how.total + [how.source] * (how.total and how.onto and how.injective)
            for axes in sides:
                legs = [f.legs[k] for k in axes]
                if self.inner_alone(legs, f):
                    self.drop(f)
                    for i in legs:
                        del self.t.dims[i]
                    return True
        return False

    # ---- row-major places

    def places(self) -> bool:
        found = [f for f in self.t.factors if f.atom.op is flat]
        return any(self.plain(f) for f in found) or any(
            self.nested(f, g) or self.opposite(f, g) for f in found for g in found if f is not g
        )

    def flat(self, k: int, legs: Sequence[int]) -> Any:
        return self.make(flat(dims=tuple(self.t.dims[i] for i in legs)), (k, *legs))

    def plain(self, f: _Factor) -> bool:
        """Axes of size 1 do not matter, and of one axis the place is the index."""
        k, legs = f.legs[0], [i for i, d in zip(f.legs[1:], f.atom.attrs[0], strict=True) if d != _ONE]
        if len(legs) == len(f.legs) - 1 > 1:
            return False
        self.drop(f)
        if len(legs) > 1:
            self.t.factors.append(self.flat(k, legs))
        elif legs:
            self.tie([k], legs)
        return True

    def nested(self, f: _Factor, g: _Factor) -> bool:
        """The place of a place is the place of all."""
        k = g.legs[0]
        if k in f.legs[1:] and self.inner_alone([k], f, g):
            at = f.legs.index(k)
            self.drop(f, g)
            del self.t.dims[k]
            self.t.factors.append(self.flat(f.legs[0], (*f.legs[1:at], *g.legs[1:], *f.legs[at + 1 :])))
            return True
        return False

    def opposite(self, f: _Factor, g: _Factor) -> bool:
        """Two ways of counting one axis: groups of axes that have equally many entries are counted by themselves."""
        k = f.legs[0]
        if g.legs[0] != k:
            return False
        groups = aligned(f.atom.attrs[0], g.atom.attrs[0])
        if len(groups) < 2:
            return False
        gone = [g]
        if self.inner_alone([k], f, g):
            gone.append(f)
            del self.t.dims[k]
        self.drop(*gone)
        a, b = f.legs[1:], g.legs[1:]
        for i, j, m, n in groups:
            sides = a[i:j], b[m:n]
            if len(sides[0]) == len(sides[1]) == 1:
                self.tie(sides[1], sides[0])
                continue
            middle = next((x[0] for x in sides if len(x) == 1), None)
            if middle is None:
                middle = self.index(entries_of(tuple(self.t.dims[x] for x in sides[0])))
            self.t.factors += [self.flat(middle, x) for x in sides if len(x) > 1]
        return True

    # ---- shifts

    def cycles(self) -> bool:
        """One shift after the other is one shift."""
        for f in self.t.factors:
            if f.atom.op is not cyclic:
                continue
            dim, shift = f.atom.attrs
            if shift in (_ZERO, dim):
                self.drop(f)
                self.tie(f.legs[1:], f.legs[:1])
                return True
            if shift.terms[0][1] < 0:  # backwards: the transpose
                self.drop(f)
                self.t.factors.append(self.make(cyclic(dim=dim, shift=_ZERO - shift), f.legs[::-1]))
                return True
        found = [f for f in self.t.factors if f.atom.op is cyclic]
        for f, g in combinations(found, 2):
            for j in set(f.legs) & set(g.legs):
                if not self.inner_alone([j], f, g):
                    continue
                dim, shift = f.atom.attrs
                other = g.atom.attrs[1]
                i, k = f.legs[f.legs[0] == j], g.legs[g.legs[0] == j]
                total = (shift if i == f.legs[0] else _ZERO - shift) + (other if k == g.legs[1] else _ZERO - other)
                self.drop(f, g)
                del self.t.dims[j]
                self.t.factors.append(self.make(cyclic(dim=dim, shift=total), (i, k)))
                return True
        return False

    # ---- triangles

    def triangles(self) -> bool | None:
        found = [f for f in self.t.factors if f.atom.op is lower]
        for f in found:
            rows, columns, offset = f.atom.attrs
            i, j = f.legs
            full = offset.at_least(columns - _ONE) or (i == j and offset.at_least(_ZERO))
            empty = (_ZERO - rows).at_least(offset) or (i == j and (_ZERO - _ONE).at_least(offset))
            if empty:
                return None
            if full:
                self.drop(f)
                return True
        for f, g in combinations(found, 2):
            if f.legs == g.legs and (weaker := _weaker(f, g)) is not None:
                self.drop(weaker)
                return True
            if f.legs == g.legs[::-1]:  # on and below one diagonal, on and above another
                band = f.atom.attrs[2] + g.atom.attrs[2]
                if (_ZERO - _ONE).at_least(band):
                    return None
                if f.atom.attrs[2] == g.atom.attrs[2] == _ZERO and f.atom.attrs[0] == f.atom.attrs[1]:
                    self.drop(f, g)
                    self.tie(f.legs[1:], f.legs[:1])
                    return True
        return False


def _weaker(f: _Factor, g: _Factor) -> _Factor | None:
    """The one of two triangles that holds the other, if that is known."""
    a, b = f.atom.attrs[2], g.atom.attrs[2]
    return f if a.at_least(b) else g if b.at_least(a) else None
