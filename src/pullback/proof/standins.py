"""A claim about an axis of 1024 entries is a case of the claim about an axis of any size, and that one is cheaper to test.

Every large number that is a size is replaced by a symbol, the same number always by the same one, also where it stands as
a number in the expressions (1/1024 of a mean). Whatever holds for all values of the symbols holds for these numbers, so
that a test of the general claim is one of the claim itself. The converse fails where the numbers matter: 2500 is half of
5000. Then they are written as sums and multiples of each other, and at last as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Attrs, Expr, dims_in, postorder
from ..algebra.ops.arithmetic import power, rational, size_of
from ..errors import ShapeError

__all__ = ["Standins", "large", "standins"]

_LARGE = 12  # sizes up to this are tested as they are
_NEAR, _TIMES = 16, 8  # numbers that are written with another one: 785 = 784 + 1, 5000 = 2*2500


class Standins:
    """Expressions with symbols in the place of large sizes."""

    def __init__(self, plan: dict[int, Dim]) -> None:
        self.plan = plan
        self.done: dict[Expr, Expr] = {}

    def dim(self, d: Dim) -> Dim:
        total = Dim({})
        for m, c in d.terms:
            stand = self.plan.get(abs(c))
            whole = Dim({m: c}) if stand is None else stand * Dim({m: 1 if c > 0 else -1})
            total = total + whole
        return total

    def shape(self, shape: Shape) -> Shape:
        return tuple(map(self.dim, shape))

    def number(self, value: Fraction) -> Expr:
        """The number, written with sizes where its parts are sizes."""
        above, below = self.plan.get(abs(value.numerator)), self.plan.get(value.denominator)
        if above is None and below is None:
            return rational(value)
        found = rational(abs(value.numerator)) if above is None else size_of(above)
        if below is not None:
            found = power(size_of(below), exponent=Fraction(-1)) * found
        elif value.denominator != 1:
            found = rational(Fraction(1, value.denominator)) * found
        return -found if value < 0 else found

    def expr(self, root: Expr) -> Expr:
        """The expression. Raises ShapeError where the symbols lose what the numbers had in common."""
        for e in postorder(root):
            if e in self.done:
                continue
            if e.op.number:
                self.done[e] = self.number(e.attrs[0])
                continue
            args = tuple(self.done[a] for a in e.args)
            attrs: Attrs = tuple(
                self.dim(a)
                if isinstance(a, Dim)
                else tuple(self.dim(x) if isinstance(x, Dim) else x for x in a)
                if isinstance(a, tuple)
                else a
                for a in e.attrs
            )
            shape = self.shape(e.shape)
            if args and e.op.infer(args, attrs) != shape:
                raise ShapeError("S002", "the sizes are not independent")
            self.done[e] = e if args == e.args and attrs == e.attrs else Expr.make(e.op, args, attrs, shape)
        return self.done[root]


def large(exprs: Iterable[Expr]) -> set[int]:
    """The numbers in sizes that are not tested as they are."""
    found: set[int] = set()
    for root in exprs:
        for e in postorder(root):
            for d in dims_in(e):
                found |= {abs(c) for _, c in d.terms if abs(c) > _LARGE}
    return found


def standins(exprs: Iterable[Expr]) -> Iterator[Standins]:
    """Ways of writing the expressions without large sizes, the most general first; none if there are no such sizes."""
    roots = list(exprs)
    numbers = sorted(large(roots))
    if not numbers or any(e.op.binder for root in roots for e in postorder(root)):
        return
    apart = {c: Dim.symbol(str(c)) for c in numbers}
    related: dict[int, Dim] = {}
    for c in numbers:
        related[c] = _related(c, related) or apart[c]
    for plan in (apart, related) if related != apart else (apart,):
        found = Standins(plan)
        try:
            for root in roots:
                found.expr(root)
        except ShapeError:
            continue
        yield found


def _related(c: int, known: dict[int, Dim]) -> Dim | None:
    """`c` by what is known of smaller numbers, None if it is neither near to one, nor a multiple or sum of them."""
    for b, d in known.items():
        if c - b <= _NEAR:
            return d + Dim.number(c - b)
        if c % b == 0 and c // b <= _TIMES:
            return d * Dim.number(c // b)
    return next((d + known[c - b] for b, d in known.items() if c - b in known), None)
