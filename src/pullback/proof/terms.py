"""How many indices one term of a value has, and how often the sizes stand in its coefficient: bounds, by one walk over a program.

Two numbers for every size symbol: the indices of axes of that size in one term, and the degree of its coefficient in that
size. They say how large a test must be (sizes.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.network import expanded
from ..algebra.op import Meaning
from ..algebra.ops.free import is_free_function, is_free_map

__all__ = ["Bound", "Count", "plus"]

_FEW = 12  # size symbols up to which each is counted for itself
_FAR = 10**6

_Vector = tuple[int, ...]  # for each symbol: indices of axes with it; then, for each symbol: the degree in it


def plus(*vectors: _Vector) -> _Vector:
    return tuple(min(sum(x), _FAR) for x in zip(*vectors, strict=True))


def _times(v: _Vector, times: int) -> _Vector:
    return tuple(min(times * x, _FAR) for x in v) if times != 1 else v


def _most(vectors: Sequence[_Vector]) -> _Vector:
    return tuple(map(max, zip(*vectors, strict=True)))


@dataclass(frozen=True, slots=True)
class Bound:
    """What a term of a value has at most, with the powers of what it is divided by."""

    over: _Vector
    under: Mapping[Dim | Expr, int]

    def raised(self, power: int) -> Bound:
        return Bound(_times(self.over, power), {x: min(power * p, _FAR) for x, p in self.under.items()})


class Count:
    """Bounds for the terms of every node of a program, and of its tangent."""

    def __init__(self, symbols: Iterable[str], wary: bool = False) -> None:
        ordered = sorted(symbols)
        few = len(ordered) <= _FEW
        self.place = {s: k if few else 0 for k, s in enumerate(ordered)}
        self.width = len(ordered) if few else 1
        self.none = (0,) * (2 * self.width)
        self.zero = Bound(self.none, {})
        self.value: dict[Expr, Bound] = {}
        self.moved: dict[Expr, Bound | None] = {}
        self.bare: dict[
            Expr, tuple[frozenset[int], frozenset[int]]
        ] = {}  # axes along which some term, or all, are constant
        self.patterned: set[Expr] = set()  # some entries may be constants, as those of diag(x) off its diagonal
        self.wary = wary  # terms and factors may cancel: x − x and x ⊘ x are constants
        self.atoms: dict[Expr, frozenset[Expr]] = {}
        self.inverse: set[Expr] = set()  # what entries were divided by stands in it
        self.cancelled: set[Expr] = set()  # a factor may have been divided out, and with it an index
        self.inside: dict[Expr, Bound] = {}  # a term of a function's arguments, which are compared with those of others
        self.start()

    def start(self) -> None:
        """Another identity: what was counted is kept, what it needs is not."""
        self.need = self.none
        self.arguments: dict[str, dict[Expr, Bound]] = {}

    def indices(self, dims: Iterable[Dim], degree: bool = False) -> _Vector:
        found = list(self.none)
        for d in dims:
            for s in d.symbols():
                found[self.place[s] + degree * self.width] += 1
        return tuple(found)

    def weight(self, divisor: Dim | Expr) -> _Vector:
        """What a term has more when it is multiplied by this."""
        return self.indices([divisor], True) if isinstance(divisor, Dim) else self.value[divisor].over

    def cleared(self, part: Bound, by: Mapping[Dim | Expr, int]) -> _Vector:
        """The numerator when all is multiplied by these powers."""
        return plus(part.over, *(_times(self.weight(x), p - part.under.get(x, 0)) for x, p in by.items()))

    def sum(self, parts: Sequence[Bound]) -> Bound:
        """Of a sum, over one denominator."""
        under: dict[Dim | Expr, int] = {}
        for part in parts:
            for x, p in part.under.items():
                under[x] = max(under.get(x, 0), p)
        return self.kept(_most([self.none, *(self.cleared(part, under) for part in parts)]), under)

    def product(self, parts: Sequence[Bound]) -> Bound:
        under: dict[Dim | Expr, int] = {}
        for part in parts:
            for x, p in part.under.items():
                under[x] = under.get(x, 0) + p
        return self.kept(plus(self.none, *(part.over for part in parts)), under)

    def kept(self, over: _Vector, under: Mapping[Dim | Expr, int]) -> Bound:
        """So many divisors that nothing good can be said any more are not kept apart."""
        return Bound(over, under) if len(under) <= _FEW else Bound((_FAR,) * len(over), {})

    def run(self, root: Expr) -> None:
        for e in expanded(root):
            if e not in self.value:
                if self.wary:
                    self._wary(e)
                self._node(e)
            if e in self.inside:
                self.arguments.setdefault(_table(e), {})[e] = self.inside[e]

    def bind(self, name: Expr, value: Expr, pushed: bool) -> None:
        self.run(value)
        self.value[name], self.moved[name] = self.value[value], self.moved[value]
        self.bare[name] = self.bare[value]
        self.patterned |= {name} if value in self.patterned else set()
        if pushed and self.moved[name] is None:
            self.moved[name] = self.zero

    def _node(self, e: Expr) -> None:
        meanings = e.op.meaning(e)
        if (e.op.entry is not None and e.op.uniform is None) or self.patterned.intersection(e.args) or any(
                m.extra or len(set(m.output)) < len(m.output) for m in meanings or ()):  # fmt: skip
            self.patterned.add(e)
        if e.op.define is not None:
            whole = e.op.define(e, *e.args)
            self.value[e], self.moved[e], self.bare[e] = self.value[whole], self.moved[whole], self.bare[whole]
            self.patterned |= {e} if whole in self.patterned else set()
        elif e.op.entry is not None:  # nothing in it has the index: summed, it is a factor n (so is the diagonal's)
            axes = frozenset(range(e.order))
            self.value[e], self.moved[e], self.bare[e] = self.zero, None, (axes, axes)
        elif meanings is None:
            self._opaque(e)
        elif meanings[0].power != 1:
            self._power(e, meanings[0].power)
        else:
            found = [self._product(e, m) for m in meanings]
            tangents = [t for _, moved in found for t in moved]
            self.value[e] = self.sum([v for v, _ in found])
            self.moved[e] = self.sum(tangents) if tangents else None
            self.bare[e] = self._bare(e, meanings)

    def _wary(self, e: Expr) -> None:
        """Take note of what the terms or factors of a node have in common: they may cancel."""
        args = e.args if e.op.define is None else (e.op.define(e, *e.args),)
        found: set[Expr] = set()
        shared = False
        for a in args:
            shared = shared or not found.isdisjoint(self.atoms[a])
            found |= self.atoms[a]
        meanings = e.op.meaning(e)
        opaque = e.op.define is None and (not args or meanings is None)
        self.atoms[e] = frozenset({e}) if opaque and e.op.entry is None else frozenset(found)
        if shared and not opaque:
            self.patterned.add(e)
        if opaque:
            return
        if self.inverse.intersection(args) or (e.order and meanings is not None and meanings[0].power < 0):
            self.inverse.add(e)
        if e in self.inverse and (shared or self.cancelled.intersection(args)):
            self.cancelled.add(e)

    def _bare(self, e: Expr, meanings: Sequence[Meaning]) -> tuple[frozenset[int], frozenset[int]]:
        some = [frozenset(k for k, c in enumerate(m.output) if self._is_bare(e, m, c, 0)) for m in meanings]
        every = [frozenset(k for k, c in enumerate(m.output) if self._is_bare(e, m, c, 1)) for m in meanings]
        return frozenset().union(*some), every[0].intersection(*every)

    def _is_bare(self, e: Expr, m: Meaning, letter: str, which: int) -> bool:
        """Whether no factor has the index, in some term (0) or in all (1)."""
        factors = [*(self.bare[e.args[k]][which] for k in m.slots), *(frozenset(range(x.order)) for x in m.extra)]
        return all(
            k in axes
            for axes, letters in zip(factors, m.inputs, strict=True)
            for k, c in enumerate(letters)
            if c == letter
        )

    def _opaque(self, e: Expr, entrywise: bool = False) -> None:
        """A function is a tensor of its own; its arguments are compared with those of others, its slope meets their tangents."""
        entrywise = entrywise or e.op.entrywise
        self.value[e] = self.zero
        same = frozenset.intersection(*(self.bare[a][1] for a in e.args)) if entrywise and e.args else frozenset()
        if entrywise and self.patterned.intersection(e.args):
            same = frozenset(range(e.order))
        self.bare[e] = same, same
        self.inside[e] = self.sum(
            [Bound(plus(self.value[a].over, self.indices(a.shape)), self.value[a].under) for a in e.args]
        )
        tangents = []
        for a in e.args:
            t = self.moved[a]
            if t is not None:
                tangents.append(Bound(plus(t.over, self.indices(() if entrywise else a.shape)), t.under))
        self.moved[e] = self.sum(tangents) if tangents else None

    def _power(self, e: Expr, power: int) -> None:
        [x] = e.args
        v, t = self.value[x], self.moved[x]
        if power < 0 and x.order:  # a tensor of its own, like the value of a function
            self._opaque(e, entrywise=True)
            return
        self.bare[e] = self.bare[x]
        one = v if power > 0 else Bound(self.cleared(self.zero, v.under), {x: 1})
        self.value[e] = one.raised(abs(power))
        self.moved[e] = None if t is None else self.product([one.raised(abs(power - 1)), t])

    def _product(self, e: Expr, m: Meaning) -> tuple[Bound, list[Bound]]:
        shapes = [*(e.args[k].shape for k in m.slots), *(x.shape for x in m.extra)]
        runs = {
            c: d for letters, shape in zip(m.inputs, shapes, strict=True) for c, d in zip(letters, shape, strict=True)
        }
        summed = {c: d for c, d in runs.items() if c not in m.output}
        own = plus(self.indices(summed.values()), self.indices(m.times, True),
                    self.indices((d for c, d in summed.items() if e in self.cancelled or self._is_bare(e, m, c, 0)), True))  # fmt: skip
        around = Bound(own, {d: m.over.count(d) for d in m.over})
        args = [self.value[e.args[k]] for k in m.slots]
        tangents = []
        for k, slot in enumerate(m.slots):
            t = self.moved[e.args[slot]]
            if t is not None:
                tangents.append(self.product([around, *args[:k], t, *args[k + 1 :]]))
        return self.product([around, *args]), tangents

    def compare(self, bound: Bound) -> None:
        """Take note that a term of this kind occurs in an identity."""
        self.need = _most([self.need, bound.over])

    def wanted(self) -> tuple[dict[str, int], dict[str, int]]:
        """The least size and the degree for each symbol."""
        for alike in self.arguments.values():
            self.compare(self.sum(list(alike.values())))
        return (
            {s: self.need[k] for s, k in self.place.items()},
            {s: self.need[k + self.width] for s, k in self.place.items()},
        )


def _table(e: Expr) -> str:
    """Functions whose arguments are never compared have different ones."""
    return f"free {e.attrs[0]}" if is_free_map(e) or is_free_function(e) else "known"
