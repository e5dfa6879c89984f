"""A question whether left = right, and what can be tried of it: both sides modulo a prime, in floats, and at small numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import log
from typing import Any

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.network import expanded
from ..algebra.ops.arithmetic import unsigned
from ..algebra.ops.defined import unfolded
from ..algebra.ops.free import is_name
from .claim import substitute_all
from .field import Modular, OutOfDomain, Real, TooLarge
from .jets import Point
from .problem import satisfy
from .rounding import surely
from .search import Array, Counterexample, Search, sizes_in_order
from .sizes import Rounds, Sizes, cost, parts_of, rounds, symbols_of
from .small import is_known, unknowns

__all__ = ["BUDGET", "Case", "Exact", "Floats", "Question", "Relation"]

_TRIES = 32
_FLOATS = 12  # float points
_COINS = 6  # entries of relu and √ whose branches a test modulo p can still go through
_MOST = 4000  # points at which it does
_LUCK = 1e-9
BUDGET = 2_000_000  # points of index sums that one test of a question may walk
_WHOLE = (1, -1, 2, -2)
_HALVES = (Fraction(1, 2), Fraction(-1, 2))

Relation = tuple[Expr, str, Expr]  # left, one of < ≤ > ≥ ≠, right


@dataclass(frozen=True)
class Question:
    """Whether left = right, the names in `where` standing for their definitions, under what is assumed."""

    left: Expr
    right: Expr
    where: Mapping[Expr, Expr] = field(default_factory=dict)
    inputs: Sequence[Expr] = ()
    facts: Sequence[tuple[Expr, Expr, str]] = ()
    relations: Sequence[Relation] = ()


@dataclass
class Exact:
    """What a test modulo p has shown: the sizes at which the sides were equal, those at which they differ, and how likely it
    is that a branch of a function was never taken."""

    planned: Rounds
    tested: list[Sizes] = field(default_factory=list)
    differs: Sizes | None = None
    luck: float = 0.0

    @property
    def rounds(self) -> Rounds:
        """What was tested of what was planned."""
        whole = self.planned.whole and all(z in self.tested for z in self.planned.sizes)
        return Rounds(self.tested, whole, self.planned.least, self.planned.prime)

    @property
    def equal(self) -> bool:
        return self.differs is None and bool(self.tested) and self.luck < 2 * _LUCK


@dataclass
class Floats:
    points: int = 0
    error: float = 0.0  # the largest difference of the sides, relative to their size or 1
    differ: bool = False  # by far more than rounding
    large: bool = False  # somewhere it was too large for floats


class Case:
    """A question with everything that its tests need."""

    def __init__(self, q: Question) -> None:
        self.q = q
        assumed = {unfolded(a): unfolded(b) for a, b, _ in q.facts}
        left, right = (unfolded(substitute_all(x, q.where)) for x in (q.left, q.right))
        self.full = (substitute(left, assumed), substitute(right, assumed))
        self.plain = (left, right)
        self.facts = [(substitute_all(a, q.where), substitute_all(b, q.where), text) for a, b, text in q.facts]
        self.facts = [(unfolded(a), unfolded(b), text) for a, b, text in self.facts]
        self.relations = [(unfolded(substitute_all(a, q.where)), op, unfolded(substitute_all(b, q.where)))
                          for a, op, b in q.relations]  # fmt: skip
        roots = [
            *self.plain,
            *(x for a, b, _ in self.facts for x in (a, b)),
            *(x for a, _, b in self.relations for x in (a, b)),
        ]
        self.roots = roots
        used = {e for root in roots for e in postorder(root)}
        listed = [v for v in q.inputs if v in used]
        self.names = listed or sorted((e for e in used if is_name(e)), key=lambda e: str(e.attrs[0]))
        self.known = any(is_known(e) for root in roots for e in expanded(root))
        self.symbols = symbols_of(roots)
        self.nodes = list({e for root in self.plain for e in expanded(root)})

    def planned(self, proved: bool = False) -> Rounds:
        """The sizes of a test. What is assumed makes names depend on each other: then no sizes are known to be enough."""
        found = rounds([(e, "value") for e in self.plain], besides=self.roots, proved=proved, budget=BUDGET, wary=True)
        return replace(found, whole=found.whole and not (self.facts and self.symbols))

    @cached_property
    def plan(self) -> Rounds:
        return self.planned()

    def cost(self, sizes: Mapping[str, int]) -> int:
        """About how many points one evaluation of both sides walks."""
        return cost(self.nodes, dict(sizes))

    # ---- points

    def start(self, point: Point) -> None:
        """Values for the names, such that what is assumed holds."""
        for v in self.names:
            point.bind(v, point.draw(v))
        satisfy(self.facts, self.names, point)

    def admits(self, point: Point) -> bool:
        """Whether a point satisfies what is assumed."""
        if any(point.value(a) != point.value(b) for a, b, _ in self.facts):
            return False
        for a, op, b in self.relations:
            pairs = list(zip(point.value(a), point.value(b), strict=True))
            if not all(_HOLDS[op](x, y) for x, y in pairs):
                return False
        return True

    def modular(self, planned: Rounds, branches: bool = True, ties: bool = False) -> Exact:
        """Both sides modulo p at the planned sizes; where there are `branches`, at as many points as they ask for.

        With `ties`, at the points where functions jump too."""
        coins = [self._coins(sizes) * (1 + ties) if branches else 0 for sizes in planned.sizes]
        rare = [2.0**-c if c else 1.0 for c in coins]
        trials = [1 if r == 1 else round(log(_LUCK) / log(1 - r)) + 1 if r >= 2.0**-_COINS else _MOST for r in rare]
        some = sum(trials) <= _MOST
        found = Exact(planned, luck=max((1 - r) ** t for r, t in zip(rare, trials, strict=True)) if some else 1.0)
        for k, sizes, prime in planned.points():
            coin = bool(coins[int(k)]) if k != "guard" else any(coins)
            for trial in range(trials[int(k)] if some and k != "guard" else 1):
                for attempt in range(_TRIES):
                    # even attempts leave every relu its coin; see Modular
                    name = f"prove{k}" + f".{trial}" * bool(trial)
                    point = Point(Modular(name, 2 * attempt if coin else attempt, prime, ties), sizes)
                    try:
                        self.start(point)
                        if point.value(self.plain[0]) != point.value(self.plain[1]):
                            found.differs = sizes
                            return found
                    except OutOfDomain:
                        continue
                    found.tested += [sizes] * (k != "guard")
                    break
        return found

    def _coins(self, sizes: Mapping[str, int]) -> int:
        """Entries at which relu, step, √ or the largest entry takes one of several branches modulo p."""
        count, seen = 0, set()
        for e in self.nodes:
            if e.op.exact is not None or e.op.root or (e.op.whole is not None and e.op.kink):
                about = (e.op.root, frozenset(unsigned(e.args[0])))
                if about not in seen:
                    seen.add(about)
                    cells = 1
                    for d in e.shape:
                        cells *= d.value(sizes)
                    count += cells
        return count

    def floats(self) -> Floats:
        """Both sides in floats, at the planned sizes in turn."""
        found = Floats()
        wanted = max(_FLOATS, len(self.plan.sizes))
        for attempt in range(_TRIES * 4):
            point = Point(
                Real(f"prove{attempt}", positive=attempt % 2 == 1), self.plan.sizes[found.points % len(self.plan.sizes)]
            )
            try:
                self.start(point)
                if not all(_HOLDS[op](x, y) for a, op, b in self.relations
                           for x, y in zip(point.value(a), point.value(b), strict=True)):  # fmt: skip
                    continue
                left, right = self.sides(point)
            except TooLarge:
                found.large = True
                continue
            except OutOfDomain:
                continue
            found.points += 1
            for a, b in zip(left, right, strict=True):
                found.error = max(found.error, abs(a - b) / max(1.0, abs(a), abs(b)))
            if not found.differ and left != right:
                found.differ = any(surely(self.sides, point, left, right))
            if found.points == wanted:
                break
        return found

    def sides(self, point: Point) -> tuple[Array, Array]:
        return point.value(self.plain[0]), point.value(self.plain[1])

    def counterexample(self, most: int = 3, budget: int = 3000, differs: Sizes | None = None) -> Counterexample | None:
        """The smallest one, in small numbers; in rounded numbers where no exact ones differ.

        Sizes up to `most` are looked at, and beyond, alike, up to those at which the sides are known to differ."""
        functions = unknowns(self.roots)
        admits = self.admits if self.facts or self.relations else None
        room = parts_of(postorder(*self.roots))
        far = [dict.fromkeys(self.symbols, n) for n in range(most + 1, max((differs or {}).values(), default=0) + 1)]
        ways: list[tuple[bool, Sequence[Any], int]] = [(True, _WHOLE, budget // 3 if self.known else budget)]
        if self.known:  # then rounded values, and halves where whole numbers leave a domain
            ways += [(False, _WHOLE, budget // 5), (False, _HALVES, budget // 5)]
        for exact, values, some in ways:
            search = Search(
                self.sides,
                self.names,
                functions,
                admits=admits,
                exact=exact,
                budget=some,
                values=values,
                cost=self.cost,
            )
            found = search.first(sizes_in_order(self.symbols, most), room)
            if found is None and far:
                found = search.first(far, room)
            if found is not None:
                return found
        return None

    def hidden(self, found: Counterexample) -> tuple[Mapping[str, int], ...]:
        """The sizes below those of the counterexample at which the equation holds, tested modulo p; for one size symbol."""
        if len(found.sizes) != 1 or self.known or self.facts or self.relations:
            return ()
        [(symbol, top)] = found.sizes.items()
        kept = []
        for n in range(1, top):
            for attempt in range(_TRIES):
                point = Point(Modular(f"hidden{n}", attempt), {symbol: n})
                try:
                    self.start(point)
                    if point.value(self.plain[0]) == point.value(self.plain[1]):
                        kept.append({symbol: n})
                except OutOfDomain:
                    continue
                break
        return tuple(kept)


_HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "≥": lambda a, b: a >= b,
    "≤": lambda a, b: a <= b,
    "≠": lambda a, b: a != b,
}
