"""Is left = right? The equality tower (theory.md §6.2), and when it is not, the smallest counterexample.

L0 the same expression · L1 equal canonical forms, a proof for all values and sizes · L2 the same after the definitions are
put in · L3 equal modulo a prime at random points · L4 after a named equation of a known function · L5 only tested.
A canonical form counts only if the test modulo p agrees, and a test modulo p of known functions only if floats agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import log
from typing import Any

from ..algebra.canonical import equal
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.ops.free import is_free_function, is_free_map, is_name
from ..errors import CheckFailed
from ..step import Evidence
from .adequacy import Adequate, adequate, is_known
from .claim import degree, nowhere, substitute_all
from .field import Modular, OutOfDomain, P, Real
from .functional import Use, functional
from .jets import Point
from .problem import satisfy
from .search import Array, Counterexample, Search, room_of, sizes_in_order
from .sizes import Rounds, bound, sizes_of, symbols_of
from .small import unknowns

__all__ = ["LEVELS", "Question", "Relation", "Verdict", "decide"]

LEVELS: Mapping[str, str] = {
    "L0": "both sides are the same expression",
    "L1": "both sides have the same canonical form",
    "L2": "both sides have the same canonical form once the definitions are put in",
    "L3": "both sides are equal modulo a prime at random points",
    "L4": "both sides are equal by a named equation of a known function",
    "L5": "only tested",
}

_TRIES = 32
_LARGEST = 7  # size of an axis in a test
_FLOATS = 12  # float points
_FAR = 1e-7  # relative difference that is not rounding
_COINS = 6  # entries of relu and √ whose branches a test modulo p can still go through
_LUCK = 1e-9
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


@dataclass(frozen=True)
class Verdict:
    """`holds` is None where nothing could be decided; `full` are both sides with the definitions put in."""

    holds: bool | None
    level: str
    evidence: tuple[Evidence, ...]
    full: tuple[Expr, Expr]
    counterexample: Counterexample | None = None
    uses: tuple[Use, ...] = ()
    conditions: tuple[Expr, ...] = ()  # nodes that have a value only where their op says
    hidden: tuple[Mapping[str, int], ...] = ()  # smaller sizes at which a false equation holds


class _Case:
    """A question with everything that its tests need."""

    def __init__(self, q: Question) -> None:
        self.q = q
        assumed = {a: b for a, b, _ in q.facts}
        left, right = substitute_all(q.left, q.where), substitute_all(q.right, q.where)
        self.full = (substitute(left, assumed), substitute(right, assumed))
        self.plain = (left, right)
        self.facts = [(substitute_all(a, q.where), substitute_all(b, q.where), text) for a, b, text in q.facts]
        self.relations = [(substitute_all(a, q.where), op, substitute_all(b, q.where)) for a, op, b in q.relations]
        roots = [
            *self.plain,
            *(x for a, b, _ in self.facts for x in (a, b)),
            *(x for a, _, b in self.relations for x in (a, b)),
        ]
        self.roots = roots
        used = {e for root in roots for e in postorder(root)}
        listed = [v for v in q.inputs if v in used]
        self.names = listed or sorted((e for e in used if is_name(e)), key=lambda e: str(e.attrs[0]))
        self.known = any(is_known(e) for e in used)
        self.adequate: Adequate = adequate(self.plain)

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

    def sizes(self, round_: int) -> tuple[dict[str, int], bool]:
        """Sizes for a test, and whether they reach what T3 asks."""
        chosen = sizes_of(self.roots, round_)
        wanted = {s: max(n, self.adequate.least.get(s, 1) + round_) for s, n in chosen.items()}
        found = {s: min(n, max(_LARGEST, chosen[s])) for s, n in wanted.items()}
        if not all(t.value(found) >= end.value(found) for t, end in room_of(self.roots)):
            found = chosen
        return found, all(found[s] >= self.adequate.least.get(s, 1) for s in found)

    def modular(self, proved: bool = False) -> tuple[list[dict[str, int]], bool, float] | None:
        """(sizes tested, whether T3 applies, the chance of a branch never taken), or None if the sides differ modulo p.

        A few points are enough to confirm what is `proved`.
        """
        rounds = max(2, min(self.adequate.rounds, 5))
        plans = [self.sizes(k) for k in range(rounds)]
        coins = 0 if proved else self._coins(plans[0][0])
        trials, luck = rounds, 0.0
        if coins:
            rare = 2.0 ** -min(coins, _COINS)
            trials = max(rounds, min(1500, round(log(_LUCK) / log(1 - rare)) + 1))
            luck = (1 - 2.0**-coins) ** trials
        tested: list[dict[str, int]] = []
        for k in range(trials):
            sizes = plans[k % rounds][0] if not coins else plans[0][0]
            for attempt in range(_TRIES):
                # even attempts leave every relu its coin; see Modular
                point = Point(Modular(f"prove{k}", 2 * attempt if coins else attempt), sizes)
                try:
                    self.start(point)
                    if point.value(self.plain[0]) != point.value(self.plain[1]):
                        return None
                except OutOfDomain:
                    continue
                tested.append(sizes)
                break
        enough = len(tested) >= self.adequate.rounds and all(ok for _, ok in plans)
        return tested, enough and self.adequate.generic and not self.facts, luck

    def _coins(self, sizes: Mapping[str, int]) -> int:
        """Entries at which relu, step or √ takes one of two branches modulo p."""
        count = 0
        for e in {e for root in self.plain for e in postorder(root)}:
            if e.op.exact is not None or e.op.root:
                cells = 1
                for d in e.shape:
                    cells *= d.value(sizes)
                count += cells
        return count

    def floats(self) -> tuple[int, float]:
        """(points, largest relative difference of the two sides in floats); no point, if none is in the domain."""
        worst, points = 0.0, 0
        sizes = sizes_of(self.roots, 0)
        for attempt in range(_TRIES * 4):
            point = Point(Real(f"prove{attempt}", positive=attempt % 2 == 1), sizes)
            try:
                self.start(point)
                if not all(_HOLDS[op](x, y) for a, op, b in self.relations
                           for x, y in zip(point.value(a), point.value(b), strict=True)):  # fmt: skip
                    continue
                left, right = point.value(self.plain[0]), point.value(self.plain[1])
            except OutOfDomain:
                continue
            points += 1
            for a, b in zip(left, right, strict=True):
                worst = max(worst, abs(a - b) / max(1.0, abs(a), abs(b)))
            if points == _FLOATS:
                break
        return points, worst

    def counterexample(self, most: int = 3, budget: int = 3000) -> Counterexample | None:
        """The smallest one, in small numbers; in rounded numbers where no exact ones differ."""
        functions = unknowns(self.roots)
        symbols = symbols_of(self.roots)
        admits = self.admits if self.facts or self.relations else None
        room = room_of(self.roots)

        def sides(point: Point) -> tuple[Array, Array]:
            return point.value(self.plain[0]), point.value(self.plain[1])

        ways: list[tuple[bool, Sequence[Any], int]] = [(True, _WHOLE, budget // 3 if self.known else budget)]
        if self.known:  # then rounded values, and halves where whole numbers leave a domain
            ways += [(False, _WHOLE, budget // 5), (False, _HALVES, budget // 5)]
        for exact, values, some in ways:
            search = Search(sides, self.names, functions, admits=admits, exact=exact, budget=some, values=values)
            found = search.first(sizes_in_order(symbols, most), room)
            if found is None and not self.known and admits is None and symbols:
                top = max(self.adequate.least.values(), default=0)
                found = search.first((dict.fromkeys(symbols, n) for n in range(most + 1, min(top, _LARGEST) + 1)), room)
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


def decide(q: Question) -> Verdict:
    """The answer to a question. Raises UnsupportedError where nothing can be tested, CheckFailed if two judges disagree."""
    case = _Case(q)
    needs = tuple(dict.fromkeys(_needs(q)))
    if q.left is q.right:
        return Verdict(True, "L0", (Evidence("IDENTICAL", LEVELS["L0"]),), case.full, conditions=needs)
    level = _canonical(q, case)
    found = case.modular(proved=level is not None)
    if level is not None:
        if found is None:
            raise CheckFailed("C008", "internal error: the canonical forms are equal, but the sides differ modulo p",
                              hint="please report this equation: nothing is claimed about it")  # fmt: skip
        if not found[0]:
            raise nowhere()
        proof = Evidence("PROVED-CANON", LEVELS[level])
        return Verdict(True, level, (proof, _tested(found[0], case.full, found[2])), case.full, conditions=needs)
    if found is not None and not found[0] and not case.known:
        raise nowhere()
    return _beyond(case, found, needs)


def _needs(q: Question) -> Iterator[Expr]:
    """The nodes that are not defined everywhere."""
    for root in (q.left, q.right, *q.where.values()):
        for e in postorder(root):
            if e.op.needs and not is_free_map(e) and not is_free_function(e):
                yield e


def _canonical(q: Question, case: _Case) -> str | None:
    if equal(q.left, q.right):
        return "L1"
    return "L2" if case.full[0] is case.full[1] or equal(*case.full) else None


def _tested(tested: Sequence[dict[str, int]], full: Sequence[Expr], luck: float) -> Evidence:
    chance = bound(degree(full, Rounds(list(tested), True).cells(full)), min(len(tested), 5))
    if luck:
        chance = f"{max(luck, 1e-300):.0e}"
    sizes = [s for k, s in enumerate(tested) if s not in tested[:k]]
    return Evidence("TESTED-MODP", f"equal modulo 2^61-1 at {len(tested)} random points (a false equation passes with "
                    f"probability below {chance})", {"trials": len(tested), "p": P, "bound": chance, "sizes": sizes})  # fmt: skip


def _size_evidence(tested: Sequence[dict[str, int]], least: Mapping[str, int]) -> Evidence:
    wanted = ", ".join(f"{s} ≥ {n}" for s, n in sorted(least.items())) or "none"
    return Evidence("PROVED-SIZE", "the sizes tested are as large as the theorem on test sizes asks "
                    f"({wanted}): what holds there holds at every size", {"least": dict(least), "sizes": list(tested)})  # fmt: skip


def _beyond(case: _Case, found: tuple[list[dict[str, int]], bool, float] | None, needs: tuple[Expr, ...]) -> Verdict:
    """Neither side has the other's canonical form: tests decide, or a counterexample."""
    points, error = case.floats() if case.known or (found is not None and not found[0]) else (0, 0.0)
    agree = points > 0 and error < _FAR
    if found is not None and found[0] and found[2] < _LUCK * 2 and (agree or not case.known):
        tested, enough, luck = found
        evidence = [_tested(tested, case.full, luck)]
        if enough:
            evidence.append(_size_evidence(evidence[0].data["sizes"], case.adequate.least))
        if case.known:
            evidence.append(_float_evidence(points, error))
        return Verdict(True, "L3", tuple(evidence), case.full, conditions=needs)
    if found is None and not case.known:
        differs = Evidence("REFUTED-MODP", "the two sides differ modulo 2^61-1 at a random point")
        return _refuted(case, case.counterexample(), differs)
    wrong = case.counterexample() if points and not agree else case.counterexample(most=2, budget=200)
    if wrong is not None:
        return _refuted(case, wrong, None)
    if points and not agree:
        return _refuted(
            case,
            None,
            Evidence("REFUTED-FLOAT", f"the two sides differ in floats, by {error:.1e} relative to their size"),
        )
    if not points:
        raise nowhere()
    left, right, uses = functional(*case.full)
    if uses and equal(left, right):
        lawful = Evidence("PROVED-CANON", "both sides have the same canonical form after the equations above are used")
        return Verdict(True, "L4", (lawful, _float_evidence(points, error)), case.full, uses=uses, conditions=needs)
    if uses:
        again = _Case(Question(left, right, {}, case.q.inputs, case.q.facts, case.q.relations))
        tried = again.modular()
        if tried is not None and tried[0] and not again._coins(tried[0][0]):
            return Verdict(True, "L4", (_tested(tried[0], (left, right), 0.0), _float_evidence(points, error)), case.full,
                           uses=uses, conditions=needs)  # fmt: skip
    return Verdict(None, "L5", (_float_evidence(points, error),), case.full, conditions=needs)


def _float_evidence(points: int, error: float) -> Evidence:
    return Evidence(
        "TESTED-FLOAT", f"equal in float64 at {points} random points to {error:.1e}", {"points": points, "error": error}
    )


def _refuted(case: _Case, found: Counterexample | None, otherwise: Evidence | None) -> Verdict:
    if found is None:
        assert otherwise is not None
        return Verdict(False, "", (otherwise,), case.full)
    exact = "exact rational arithmetic" if found.exact else "floats; the sides differ by far more than rounding"
    level = "COUNTEREXAMPLE" if found.exact else "COUNTEREXAMPLE-FLOAT"
    return Verdict(False, "", (Evidence(level, f"the two sides were computed at these values, in {exact}"),), case.full, found,
                   hidden=case.hidden(found))  # fmt: skip
