"""When a formula is valid: what each op needs, with the factors of the case, and which of that holds anyway (theory.md §9)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from ..algebra.definite import Definite
from ..algebra.expr import Expr, postorder
from ..algebra.intervals import ALL, Interval, intervals
from ..algebra.network import TooLarge, network
from ..algebra.ops.defined import unfolded
from ..algebra.ops.free import facts_of, is_name
from ..step import Said
from .core import Equation
from .inline import expand, own_names

__all__ = ["Conditions", "conventions"]

_ENTRIES = re.compile(
    r"(?:every entry of )?\$(\w+) (?:(is positive)|(is nonzero|≠ 0)|is greater than (−?\d+)|lies strictly between (−?\d+) and (−?\d+))"
)
_MATRIX = re.compile(
    r"\$(\w+) is (invertible|symmetric and positive definite)|\$(\w+) has no eigenvalue on the negative axis"
)


class Conditions:
    """Of the equations of one program; `known` are the intervals of its names, as they are declared and assumed."""

    def __init__(self, equations: Iterable[Equation], known: Mapping[Expr, Interval] | None = None) -> None:
        equations = list(equations)
        self.own = own_names(equations)
        equations = [q for q in equations if q.auxiliary or not q.ranges]  # x[k] may be a given x[0] elsewhere
        self.computed = {q.var for q in equations}
        self.known = dict(known or {})
        for q in equations:
            found = intervals(q.value, self.known)[q.value]
            self.known[q.var] = self.known.get(q.var, ALL).meet(found)
        self.definite = Definite(self.known, {q.var: q.value for q in equations})

    def of(self, value: Expr) -> tuple[Said, ...]:
        """Sentences that must hold at the point where the value is differentiated; `$name` is an argument of the op.

        Names of ours are written out, where that stays short. What holds anyway is said with the reason."""
        return tuple(self._all(unfolded(value)))

    def _all(self, value: Expr) -> Iterator[Said]:
        found = intervals(value, self.known)
        for e in postorder(value):
            needs: str = e.op.needs(e) if callable(e.op.needs) else e.op.needs
            if not needs or _of_sizes(e, needs):
                continue
            names = [n for n, _ in e.op.slots]
            args = {
                **dict(zip(map(str, range(len(e.args))), e.args, strict=True)),
                **dict(zip(names, e.args, strict=False)),
            }
            needs += self.reason(needs, args, found)
            if not e.order:
                needs = needs.replace("every entry of ", "").replace("every tuple of entries of ", "")
            yield Said(needs, {k: expand(a, self.own)[0] for k, a in args.items()})

    def reason(self, needs: str, args: Mapping[str, Expr], found: Mapping[Expr, Interval]) -> str:
        """Why the condition holds, as the end of the sentence; "" where that is not known."""
        told = _ENTRIES.fullmatch(needs)
        if told:
            x = args[told[1]]
            here, wanted = found[x], _wanted(told)
            if not (here.avoids_zero if wanted is None else here.within(wanted)):
                return ""
            if is_name(x) and x not in self.computed:
                return f", as is {'declared' if facts_of(x) else 'assumed'}"
            return ", which always holds" if here == wanted else f", as {'each' if x.order else 'it'} is {here}"
        told = _MATRIX.fullmatch(needs)
        if told and self.definite.positive(args[told[1] or told[3]]):
            return (
                ", which is declared or follows from its form" if " and " in needs else ", as it is positive definite"
            )
        if told and told[2] == "invertible" and self.definite.invertible(args[told[1]]):
            return ", as its factors are"
        return ""


def _wanted(told: re.Match[str]) -> Interval | None:
    """Where the entries must lie; None for all numbers but 0."""
    if told[2]:
        return Interval((Fraction(0), True))
    if told[3]:
        return None
    low, high = told[4] or told[5], told[6]
    return Interval((_number(low), True), (_number(high), True) if high else ALL.high)


def _number(text: str) -> Fraction:
    return Fraction(text.replace("−", "-"))


def _of_sizes(e: Expr, needs: str) -> bool:
    """Whether the sentence asks that a product of sizes is positive: a size is at least 1."""
    about = [a for k, a in enumerate(e.args) if _named(e, k, needs)]
    positive = any(word in needs for word in ("positive", "nonzero", "≠ 0", "zero or a negative", "greater than −1"))
    return positive and bool(about) and all(map(_never_zero, about))


def _named(e: Expr, k: int, needs: str) -> bool:
    """Whether the sentence speaks of argument number k."""
    return f"${k}" in needs or (k < len(e.op.slots) and f"${e.op.slots[k][0]}" in needs)


def _never_zero(e: Expr) -> bool:
    """A positive number, and a product of sizes, is positive whatever the sizes are."""
    try:
        terms = network(e).terms if not e.order else []
    except TooLarge:
        return False
    return bool(terms) and all(t.coef > 0 and not t.factors for t in terms)


def conventions(value: Expr) -> Iterator[str]:
    """What is taken where no derivative exists."""
    for e in postorder(unfolded(value)):
        if e.op.kink:
            yield e.op.kink
