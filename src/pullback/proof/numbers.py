"""A worked example with small numbers, and what a change of one entry does to the target (theory.md §10.A, S4 NUMBERS).

Unknown functions are replaced by small polynomials; everything is exact rational arithmetic. Each entry of each input
is then changed by h and the forward program run again: the coefficient of h is the slope, and no derivative was used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import floor, isqrt
from random import Random
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.facts import restricted
from ..algebra.network import expanded
from ..algebra.ops.defined import unfolded
from ..algebra.ops.free import gradient, is_free_function, is_free_map
from ..algebra.series import Series
from ..calculus.derivation import Derivation
from ..errors import CheckFailed
from ..step import Evidence
from .field import OutOfDomain, Plain
from .jets import Point
from .problem import satisfy
from .sizes import cost

__all__ = ["Change", "NoNumbers", "Numbers", "work_out"]

_TRIES = 100  # choices of inputs, of which the one with the smallest values is shown
_PROBED = 60  # entries that are changed one after the other
_MOST = 40_000  # entries of a program that is still worked out
_WALK = 300_000  # points of index sums that the choices may walk
_LARGE = 10**6  # numbers that nobody follows
_EQUATIONS = 60
_DRAWS = (-2, -1, -1, 0, 1, 1, 2, 3)


class NoNumbers(Exception):
    """There is no exact example; the message says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of an input changed by h, and the target after it."""

    of: Expr
    at: tuple[int, ...]
    start: Fraction
    result: Series
    claimed: Fraction


@dataclass(slots=True)
class Numbers:
    """The example: values of all names, gradients by the formulas, and the changes."""

    sizes: dict[str, int]
    functions: list[tuple[str, str]]  # name, and the polynomial that stands for it
    values: list[tuple[Expr, list[Fraction]]] = field(default_factory=list)
    gradients: list[tuple[Expr, list[Fraction]]] = field(default_factory=list)
    target: Fraction = Fraction(0)
    changes: list[Change] = field(default_factory=list)
    probed: int = 0
    total: int = 0
    evidence: list[Evidence] = field(default_factory=list)


class _Standins(Plain):
    """Rational numbers, or series in h; an unknown function is a small polynomial."""

    mod: int | None = None

    def __init__(self, names: Sequence[str], seed: int) -> None:
        self.names = list(names)
        self.random = Random(seed)

    def draw(self) -> Fraction:
        return Fraction(self.random.choice(_DRAWS))

    def number(self, value: Fraction) -> Fraction:
        return value

    def constant(self, e: Expr) -> Any:
        raise NoNumbers(f"{e.op.name} is no rational number")

    def power(self, x: Any, exponent: int) -> Any:
        try:
            return x.power(exponent) if isinstance(x, Series) else Fraction(x) ** exponent
        except ZeroDivisionError:
            raise OutOfDomain from None

    def function(self, e: Expr, args: tuple[Any, ...]) -> Any:
        start = Series.of(args[0]).at(0)
        if e.op.exact is not None:  # linear on both sides of 0
            if not start:
                raise OutOfDomain
            return e.op.exact(int(start > 0), *args)
        if e.op.root:
            top, below = isqrt(max(start.numerator, 0)), isqrt(start.denominator)
            if (
                isinstance(args[0], Series)
                or start <= 0
                or (top * top, below * below) != (start.numerator, start.denominator)
            ):
                raise OutOfDomain
            return Fraction(top, below)
        raise NoNumbers(f"{e.op.name} has no rational values, so there are no exact numbers to show")

    def choose(self, values: Sequence[Any]) -> int:
        starts = [Series.of(x).at(0) for x in values]
        found = starts.index(max(starts))
        if starts.count(starts[found]) > 1:
            raise OutOfDomain
        return found

    def position(self, i: Any, n: int) -> int:
        return floor(Series.of(i).at(0)) % n

    def free(self, name: str, orders: tuple[int, ...], args: tuple[Any, ...]) -> Any:
        c = _linear(self.names.index(name) if name in self.names else 0)
        if len(args) == 1:  # t² + c t
            [k], [t] = orders, args
            return t * t + t * c if not k else t * 2 + c if k == 1 else Fraction(2 if k == 2 else 0)
        value: Any = Fraction(1)
        for k, t in zip(orders, args, strict=True):
            value = value * (t if not k else Fraction(int(k == 1)))
        return value

    def remember(self, args: tuple[tuple[Any, ...], ...]) -> Any:
        return args

    def entry(self, name: str, at: tuple[int, ...], hits: tuple[tuple[int, int], ...], args: Any) -> Any:
        if len(hits) > 1:
            return Fraction(0)
        if hits:
            [(_, k)] = hits
            return _weight(at, k)
        total: Any = Fraction(0)
        for values in args:
            for k, x in enumerate(values):
                total = total + x * _weight(at, k)
        return total


def _linear(n: int) -> int:
    """The middle coefficient of the stand-in of function number n: t², t² + t, t² − t, …"""
    return (0, 1, -1, 2, -2)[n % 5]


def _weight(at: tuple[int, ...], k: int) -> Fraction:
    return Fraction((k + sum(at)) % 3 + 1)


def _described(name: str, n: int, arguments: int) -> str:
    if arguments == 1:
        c = _linear(n)
        tail = "" if not c else f" {'+' if c > 0 else '−'} {'' if abs(c) == 1 else f'{abs(c)} '}t"
        return f"{name}(t) = t²{tail}"
    letters = [f"t_{k + 1}" for k in range(arguments)]
    return f"{name}({', '.join(letters)}) = {' '.join(letters)}"


def _functions(d: Derivation, sizes: Mapping[str, int]) -> tuple[list[str], list[tuple[str, str]]]:
    """The unknown functions of the program and what stands for them."""
    names: list[str] = []
    said: dict[str, str] = {}
    for q in d.core.equations:
        for e in postorder(unfolded(q.value)):
            if is_free_map(e) and e.attrs[0] not in said:
                names.append(e.attrs[0])
                said[e.attrs[0]] = _described(e.attrs[0], len(names) - 1, len(e.args))
            elif is_free_function(e) and e.attrs[0] not in said:
                said[e.attrs[0]] = _weighted(e, sizes)
    return names, list(said.items())


def _weighted(e: Expr, sizes: Mapping[str, int]) -> str:
    """The stand-in of a function of whole arrays, in words or written out."""
    name, _, out = e.attrs
    [first, *others] = e.args
    if not out and not others and first.order == 1 and first.shape[0].value(sizes) <= 4:
        terms = [(_weight((), k), f"t_{k + 1}") for k in range(first.shape[0].value(sizes))]
        return f"{name}(t) = " + " + ".join(t if c == 1 else f"{c} {t}" for c, t in terms)
    each = "each entry is " if out else ""
    whose = "its arguments" if others else "its argument"
    rows = ", row by row" if first.order > 1 else ""
    return f"{name}: {each}the sum of the entries of {whose}{rows}, with weights 1, 2, 3, 1, 2, 3, …"


def _run(d: Derivation, point: Point) -> Any:
    """The forward program, and the target: ⟨G, target⟩ if a gradient G is given."""
    for q in d.core.equations:
        point.bind(q.var, point.value(q.value))
        if any(abs(Series.of(x).at(0).numerator) > _LARGE for x in point.values[q.var]):
            raise OutOfDomain
    made = point.value(d.target)
    if d.seed is None:
        return made[0]
    total: Any = Fraction(0)
    for g, x in zip(point.value(d.seed), made, strict=True):
        total = total + g * x
    return total


def _inputs(d: Derivation) -> list[Expr]:
    return [*d.inputs, *([d.seed] if d.seed is not None else [])]


def _affordable(d: Derivation, sizes: Mapping[str, int], wanted: int) -> int:
    """How often the program may be run, one time at least."""
    walked = cost(list({e for q in d.core.equations for e in expanded(q.value)}), dict(sizes))
    return max(1, min(wanted, _WALK // max(walked, 1)))


def _choose(
    d: Derivation, sizes: Mapping[str, int], names: Sequence[str]
) -> tuple[dict[Expr, list[Fraction]], Point, Fraction]:
    """Small inputs at which everything is defined and little is zero: the best of a fixed list of choices."""
    best: tuple[Fraction, dict[Expr, list[Fraction]], Point, Fraction] | None = None
    facts = {pair for s in d.steps if "S-ASSUME" in s.rules for pair in s.claim.where.items()}
    for seed in range(_affordable(d, sizes, _TRIES)):
        point = Point(_Standins(names, seed), sizes)
        try:
            for v in _inputs(d):
                point.bind(v, point.draw(v))
            satisfy([(left, right, "assumed") for left, right in sorted(facts, key=str)], _inputs(d), point)
            start = {v: point.values[v] for v in _inputs(d)}
            target = _run(d, point)
            for b in d.backward:
                point.bind(gradient(b.of), point.value(b.value))
        except OutOfDomain:
            continue
        score = _score(d, point)
        if best is None or score < best[0]:
            best = (score, start, point, target)
    if best is None:
        raise NoNumbers("no small numbers were found at which the program is defined and its values stay small")
    return best[1], best[2], best[3]


def _score(d: Derivation, point: Point) -> Fraction:
    """Large numbers, fractions and zeros make an example hard to follow."""
    score = Fraction(0)
    for v in [*(q.var for q in d.core.equations), *(gradient(b.of) for b in d.backward)]:
        values = point.values[v]
        score = max([score, *(abs(Fraction(x)) + 3 * (Fraction(x).denominator - 1) for x in values)])
    for b in d.backward:
        values = point.values[gradient(b.of)]
        score += Fraction(40 * sum(not x for x in values), max(len(values), 1))
    return score


def work_out(d: Derivation, sizes: Mapping[str, int]) -> Numbers:
    """The example at these sizes. Raises NoNumbers, and CheckFailed if a change contradicts a gradient."""
    tied = [v.attrs[0] for v in d.inputs if restricted(v)]
    if tied:
        raise NoNumbers(f"{tied[0]} ranges over a subspace, in which no entry changes alone")
    names, said = _functions(d, sizes)
    made = Numbers(dict(sizes), said)
    entries = sum(Point(_Standins(names, 0), sizes).count(q.var) for q in d.core.equations)
    if entries > _MOST or len(d.core.equations) > _EQUATIONS:
        raise NoNumbers(f"the program has {len(d.core.equations)} equations with {entries} entries, too many to follow")
    start, point, target = _choose(d, sizes, names)
    made.target = Fraction(target)
    shown = [*_inputs(d), *(q.var for q in d.core.equations)]
    made.values = [(v, [Fraction(x) for x in point.values[v]]) for v in shown]
    made.gradients = [(b.of, [Fraction(x) for x in point.values[gradient(b.of)]]) for b in d.backward]
    claimed = dict(made.gradients)
    asked = [v for v in d.inputs if v in claimed]
    made.total = sum(len(claimed[v]) for v in asked)
    most = _affordable(d, sizes, _PROBED)
    for v in sorted(asked, key=lambda v: len(claimed[v])):
        for n, at in enumerate(product(*map(range, point.extent(v)))):
            if made.probed >= most and n:
                break
            change = _changed(d, sizes, names, start, v, n)
            if change is None:
                continue
            made.probed += 1
            if change.at(1) != claimed[v][n]:
                raise CheckFailed("C013", f"internal error: a change of {v.attrs[0]} contradicts its gradient",
                                  hint="please report this program: the result is withheld")  # fmt: skip
            kept = made.changes[-1] if made.changes and made.changes[-1].of is v else None
            if kept is None or (not kept.claimed and claimed[v][n]):  # the first entry that has a slope
                made.changes[len(made.changes) - (kept is not None) :] = [
                    Change(v, at, start[v][n], change, claimed[v][n])
                ]
    order = {v: k for k, v in enumerate(d.inputs)}
    made.changes.sort(key=lambda c: order[c.of])
    made.evidence = [Evidence("EXACT-NUMBERS", f"an entry changed by h and the forward program run again: for {made.probed} of {made.total} "
                              "entries of the inputs the coefficient of h is the entry of the gradient, in exact arithmetic",
                              {"sizes": dict(sizes), "entries": made.probed, "of": made.total})]  # fmt: skip
    return made


def _changed(d: Derivation, sizes: Mapping[str, int], names: Sequence[str], start: Mapping[Expr, list[Fraction]], v: Expr,
             n: int) -> Series | None:  # fmt: skip
    """The target after entry n of v was changed by h; None where a root has no series here."""
    point = Point(_Standins(names, 0), sizes)
    for x, values in start.items():
        moved: list[Any] = list(values)
        if x is v:
            moved[n] = Series([values[n], Fraction(1)])
        point.bind(x, moved)
    try:
        return Series.of(_run(d, point))
    except (NoNumbers, OutOfDomain):
        return None
