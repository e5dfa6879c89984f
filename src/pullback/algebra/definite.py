"""Which matrices are certainly positive definite, or invertible: Xᵀ X + e I with e > 0 is, whatever X is.

A matrix is a sum of terms, and a term a walk from the index of the rows to that of the columns. One that reads the same from
both ends, Xᵀ S X, is positive semidefinite where its middle is; a sum of such terms is definite where one of them is.
True is a proof; False means unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from .canonical import equal, symmetric
from .expr import Expr
from .facts import holds
from .intervals import Interval, intervals
from .lift import collected
from .network import Factor, Term, TooLarge, network

__all__ = ["Definite"]

_SEMI, _PROPER = 1, 2  # positive semidefinite, positive definite
_ONE = Interval((Fraction(1), False), (Fraction(1), False))
_Weight = tuple[Expr, int]  # a number, or an entry of a vector, and its power


@dataclass(slots=True)
class _Walk:
    """The factors of a term in order, from the rows to the columns."""

    matrices: list[tuple[Expr, bool]] = field(default_factory=list)  # each with whether it is walked from column to row
    weights: list[Counter[_Weight]] = field(default_factory=list)  # at each index on the way, the ends included
    numbers: list[Counter[_Weight]] = field(default_factory=list)  # each a product, or the sum of one over an index
    negative: bool = False
    broken: bool = False  # between two halves of the same length, as v wᵀ is

    def pairs(self) -> list[tuple[tuple[Expr, bool], tuple[Expr, bool]]]:
        """Each matrix with the one that mirrors it."""
        half = len(self.matrices) // 2
        return list(zip(self.matrices[:half], self.matrices[::-1], strict=False))


class Definite:
    """Answers for matrices made of names with these intervals and values."""

    def __init__(self, known: Mapping[Expr, Interval], values: Mapping[Expr, Expr]) -> None:
        self.known, self.values = known, values
        self.signs: dict[Expr, int] = {}
        self.regular: dict[Expr, bool] = {}
        self.walks: dict[Expr, list[_Walk | None]] = {}

    def positive(self, e: Expr) -> bool:
        """Whether the matrix is symmetric and positive definite."""
        self._settle(e)
        return self.signs[e] == _PROPER

    def invertible(self, e: Expr) -> bool:
        self._settle(e)
        return self.regular[e]

    def _settle(self, root: Expr) -> None:
        """Find out about `root`, what it is made of first."""
        stack, open_ = [root], {root}
        while stack:
            e = stack[-1]
            needed = [x for x in self._inside(e) if x not in self.signs and x not in open_]
            if needed:
                stack += needed
                open_.update(needed)
                continue
            self.signs[e] = self._sign(e)
            self.regular[e] = self.signs[e] == _PROPER or self._regular(e)
            stack.pop()

    def _inside(self, e: Expr) -> list[Expr]:
        if e in self.signs or e.order != 2 or e.shape[0] != e.shape[1]:
            return []
        if e in self.values:
            return [self.values[e]]
        if e.args and e.op.meaning(e) is None:
            return [e.args[0]] if "posdef" in e.op.keeps else []
        if e not in self.walks:
            try:
                self.walks[e] = [_walked(t) for t in collected(network(e).terms)]
            except TooLarge:
                self.walks[e] = [None]
        return [x for walk in self.walks[e] if walk is not None for x, _ in walk.matrices if x is not e]

    def _sign(self, e: Expr) -> int:
        if holds("posdef", e) or "posdef" in e.op.gives:
            return _PROPER
        if e in self.values:
            return self.signs.get(self.values[e], 0)
        if e not in self.walks:
            kept = "posdef" in e.op.keeps and self.signs.get(e.args[0], 0) == _PROPER
            return _PROPER if kept else 0
        found = [0 if walk is None else self._of_walk(walk) for walk in self.walks[e]]
        return max(found, default=0) if all(found) else 0

    def _regular(self, e: Expr) -> bool:
        if holds("orthogonal", e):
            return True
        if e in self.values:
            return self.regular.get(self.values[e], False)
        walks = self.walks.get(e, [])
        walk = walks[0] if len(walks) == 1 else None
        return walk is not None and not walk.broken and all(self.regular.get(x, False) for x, _ in walk.matrices) and all(
            self._of(at).avoids_zero for at in (*walk.numbers, *walk.weights))  # fmt: skip

    def _of_walk(self, walk: _Walk) -> int:
        if walk.negative or walk.weights != walk.weights[::-1]:
            return 0
        if any(not equal(x, y) or (back == forth and not symmetric(x)) for (x, back), (y, forth) in walk.pairs()):
            return 0
        half, odd = divmod(len(walk.matrices), 2)
        inside = [] if walk.broken or odd else [walk.weights[half]]
        middle = [self._of(at) for at in (*walk.numbers, *inside)]
        if any(w.low[0] < 0 for w in middle):
            return 0
        found = _SEMI if walk.broken else self.signs.get(walk.matrices[half][0], 0) if odd else _PROPER
        outside = half or (odd and any(walk.weights)) or not all(w.avoids_zero for w in middle)
        return min(found, _SEMI) if outside else found

    def _of(self, at: Counter[_Weight]) -> Interval:
        """Between which numbers a product lies, but for its size."""
        found = _ONE
        for (x, power), times in at.items():
            found = found * intervals(x, self.known)[x].power(power * times).signs()
        return found


def _walked(t: Term) -> _Walk | None:
    """The walk from the first index of the result to the second, None if the factors make another picture."""
    if len(set(t.outs)) != 2:
        return None
    same = {i: i for i in t.dims}

    def name(i: int) -> int:
        while same[i] != i:
            i = same[i]
        return i

    rest: list[Factor] = []
    for f in t.factors:
        if f.atom.op.delta:
            same[name(f.legs[0])] = name(f.legs[1])
        elif len(f.legs) > 2 or (len(f.legs) == 2 and f.power != 1):
            return None
        else:
            rest.append(f)
    left = [f for f in rest if len(f.legs) == 2]

    def onward(here: int) -> tuple[list[int], list[tuple[Expr, bool]]]:
        """The indices and the matrices on the way from `here`, as far as there is one way."""
        indices, matrices = [here], []
        while len(on := [f for f in left if indices[-1] in map(name, f.legs)]) == 1:
            [f] = on
            left[:] = [g for g in left if g is not f]
            back = name(f.legs[0]) != indices[-1]
            indices.append(name(f.legs[0] if back else f.legs[1]))
            matrices.append((f.atom, back))
        return indices, matrices

    end = name(t.outs[1])
    indices, matrices = onward(name(t.outs[0]))
    walk = _Walk(matrices, negative=t.coef < 0, broken=indices[-1] != end)
    if walk.broken:
        others, more = onward(end)
        if len(others) != len(indices):
            return None  # its halves are not each other's mirror image
        indices += others[::-1]
        walk.matrices += [(x, not back) for x, back in reversed(more)]
    if left or len(set(indices)) < len(indices):
        return None
    at: dict[int | None, Counter[_Weight]] = {i: Counter() for i in indices}
    for f in rest:
        if len(f.legs) < 2:
            at.setdefault(name(f.legs[0]) if f.legs else None, Counter())[f.atom, f.power] += 1
    walk.weights = [at.pop(i) for i in indices]
    walk.numbers = list(at.values())
    return walk
