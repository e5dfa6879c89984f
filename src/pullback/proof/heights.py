"""How large the whole numbers in an identity are: one that is not 0 may be 0 modulo a prime that divides all of them.

Below the prime none of them can be. Where they may be larger, a test needs a second prime, and one that no equation was made
for (theory.md §2.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod

from ..algebra.expr import Expr
from ..algebra.network import expanded
from ..algebra.op import Meaning
from ..algebra.ops.free import is_name
from .field import P

__all__ = ["divides_prime", "tall"]

_BITS = 60  # the prime has one more
_FAR = 1e12


@dataclass(frozen=True, slots=True)
class _Height:
    """Bits of the sum of the absolute values of all coefficients, of a numerator, of the denominator that all entries share,
    and of one that an entry has for itself."""

    over: float = 0.0
    shared: float = 0.0
    own: float = 0.0

    @property
    def all(self) -> float:
        return self.over + self.shared + self.own


def _height(over: float, shared: float, own: float) -> _Height:
    return _Height(min(over, _FAR), min(shared, _FAR), min(own, _FAR))


class _Heights:
    """The heights of every node. Where names move, each is x + dx, and a function is its value and its slope beside it."""

    def __init__(self, sizes: Mapping[str, int], moving: bool) -> None:
        self.sizes, self.moving = sizes, moving
        self.of: dict[Expr, _Height] = {}
        self.most = 0.0

    def run(self, root: Expr) -> _Height:
        for e in expanded(root):
            if e not in self.of:
                self.of[e] = self.node(e)
        return self.of[root]

    def node(self, e: Expr) -> _Height:
        if is_name(e):
            return _Height(float(self.moving))
        if e.op.define is not None:
            return self.of[e.op.define(e, *e.args)]
        if e.op.entry is not None:
            return _Height()
        meanings = e.op.meaning(e)
        if meanings is None:
            for a in e.args:  # compared with those of another
                self.most = max(self.most, 2 * self.of[a].all + 1)
            args = [self.of[a] for a in e.args] if self.moving else []
            return self.sum([_Height(), *(_height(h.over + 3, h.shared, h.own) for h in args)])
        if meanings[0].power != 1:
            h, power = self.of[e.args[0]], abs(int(meanings[0].power)) + self.moving
            if meanings[0].power > 0:
                return _height(power * h.over, power * h.shared, power * h.own)
            below = power * h.over
            return _height(power * (h.shared + h.own), 0 if e.order else below, below if e.order else 0)
        return self.sum([self.product(e, m) for m in meanings])

    def sum(self, parts: Sequence[_Height]) -> _Height:
        if len(parts) == 1:
            return parts[0]
        shared, own = sum(h.shared for h in parts), sum(h.own for h in parts)
        over = max(h.over + shared - h.shared + own - h.own for h in parts)
        return _height(over + log2(len(parts)), shared, own)

    def product(self, e: Expr, m: Meaning) -> _Height:
        parts = [self.of[e.args[k]] for k in m.slots]
        shapes = [*(e.args[k].shape for k in m.slots), *(x.shape for x in m.extra)]
        runs = {
            c: d for letters, shape in zip(m.inputs, shapes, strict=True) for c, d in zip(letters, shape, strict=True)
        }
        terms = prod(d.value(self.sizes) for c, d in runs.items() if c not in m.output)
        own = sum(h.own for h in parts)
        over = sum(h.over for h in parts) + _bits(m.scale.numerator) + sum(_bits(d.value(self.sizes)) for d in m.times)
        below = (
            sum(h.shared for h in parts) + _bits(m.scale.denominator) + sum(_bits(d.value(self.sizes)) for d in m.over)
        )
        return _height(over + _bits(terms) + (terms - 1) * own if own else over + _bits(terms), below, terms * own)


def _bits(n: int) -> float:
    return log2(abs(n)) if n else 0.0


def tall(
    closing: Iterable[Expr], definitions: Sequence[tuple[Expr, Expr]], moving: bool, sizes: Mapping[str, int]
) -> bool:
    """Whether a coefficient of the identity may be as large as the prime."""
    heights = _Heights(sizes, moving)
    for name, value in definitions:
        heights.of[name] = heights.run(value)
    found = heights.sum([heights.run(e) for e in closing])
    return max(found.over, heights.most) > _BITS - 2


def divides_prime(nodes: Iterable[Expr]) -> bool:
    """Whether a number is a multiple of the prime, or has it in its denominator."""
    numbers = [e.attrs[0] for e in nodes if e.op.number]
    return any(x.denominator % P == 0 or (x and x.numerator % P == 0) for x in numbers)
