"""A shorter form of an array: its index sum written again, with the values that have names (theory.md §6.3).

The forward values of the program keep their names (s / sum(s) is p), known functions stay whole, and where many terms are
left it stays as it is: nobody factors twenty terms to read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..algebra.expr import Expr, postorder, rebuild, substitute
from ..algebra.factor import rank, written
from ..algebra.fold import Known, sums_of
from ..algebra.lift import collected, cost
from ..algebra.network import Term, TooLarge, network
from ..algebra.ops.free import var
from ..algebra.quotient import cancelled
from .simplify import tidy

__all__ = ["Short", "Shorter", "Whole"]

_HEAVY = 150  # nodes above which an index sum is not written out
_MANY = 6  # terms among which common factors are looked for


@dataclass(frozen=True, slots=True)
class Short:
    """The form, the laws that led to it, and what the names stand for whose definitions were used."""

    expr: Expr
    laws: tuple[str, ...]
    where: Mapping[Expr, Expr] = field(default_factory=dict)


class Shorter:
    """What makes arrays shorter, with the named values of one program."""

    def __init__(self, values: Sequence[tuple[Expr, Expr]], definitions: Mapping[Expr, Expr]) -> None:
        """With the named values that results are written with, and what every name of the program stands for."""
        self.values = dict(values)
        self.definitions = definitions
        self.known = Known()
        for name, value in values:
            self.known.add(name, value, first=True)

    def __call__(self, e: Expr) -> Short:
        best, laws = tidy(e)
        if cost(best)[-1] > _HEAVY:
            return Short(best, laws)
        whole = Whole()
        try:
            terms = collected(network(whole.put(best)).terms)
            fewer = cancelled(terms, self.values)
            folded = [self.known.reduced(t) for t in ([terms] if fewer is terms else [terms, fewer])]
            folded += [
                less
                for t in folded
                for less in [sums_of(self.definitions.values(), t).reduced(t)]
                if len(less) < len(t)
            ]
            others = [self._written(terms, t, whole, e) for t in folded]
        except TooLarge:
            return Short(best, laws)
        other = min((o for o in others if o is not None), key=lambda o: rank(o.expr), default=None)
        if other is None or rank(other.expr) >= rank(best):
            return Short(best, laws)
        return Short(other.expr, (*laws, *other.laws), other.where)

    def _written(self, terms: list[Term], folded: list[Term], whole: Whole, e: Expr) -> Short | None:
        if len(folded) > _MANY:
            return None
        found, laws = tidy(whole.back(written(folded, e.shape)))
        if len(folded) == len(terms) and all(a is b for a, b in zip(folded, terms, strict=True)):
            return Short(found, ("S-FACTOR" if len(terms) > 1 else "S-NETWORK", *laws))
        return Short(found, ("S-FOLD", *laws), self._used(e, found))

    def _used(self, *exprs: Expr) -> dict[Expr, Expr]:
        """What the names in the expressions stand for, and the names in that: a fact about a name is one about its parts."""
        found: dict[Expr, Expr] = {}
        waiting = list(exprs)
        while waiting:
            for x in postorder(waiting.pop()):
                if x in self.definitions and x not in found:
                    found[x] = self.definitions[x]
                    waiting.append(found[x])
        return found


class Whole:
    """Known functions of tensors by names, so that they are not taken apart."""

    def __init__(self) -> None:
        self.held: dict[Expr, Expr] = {}

    def put(self, e: Expr) -> Expr:
        def change(x: Expr, args: tuple[Expr, ...]) -> Expr:
            new = x.with_args(args)
            if not new.op.composite:
                return new
            return self.held.setdefault(new, var(f"·f{len(self.held)}", new.shape, "whole"))

        return rebuild(e, change)

    def back(self, e: Expr) -> Expr:
        names = {name: x for x, name in self.held.items()}
        while any(x in names for x in postorder(e)):  # one may stand inside another
            e = substitute(e, names)
        return e
