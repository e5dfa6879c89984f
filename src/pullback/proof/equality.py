"""Is left = right? The equality tower (theory.md §6.2), and when it is not, the smallest counterexample.

L0 the same expression · L1 equal canonical forms, a proof for all values and sizes · L2 the same after the definitions are
put in · L3 equal modulo a prime at random points · L4 after a named equation of a known function · L5 only tested.
A canonical form counts only if the test modulo p agrees, and a test modulo p of known functions only if floats agree. A test
modulo p decides only if its sizes are those at which whatever is false is false (sizes.py); floats refute only by far more
than rounding can do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..algebra.canonical import equal
from ..algebra.expr import Expr, postorder
from ..algebra.ops.arithmetic import unsigned
from ..algebra.ops.defined import unfolded
from ..algebra.ops.free import is_free_function, is_free_map
from ..errors import CheckFailed, UnsupportedError
from ..step import Evidence
from .claim import degree, nowhere
from .functional import Use, functional
from .question import BUDGET, Case, Exact, Floats, Question, Relation
from .search import Counterexample
from .sizes import Rounds
from .standins import Standins, large, standins

__all__ = ["LEVELS", "Question", "Relation", "Verdict", "decide"]

LEVELS: Mapping[str, str] = {
    "L0": "both sides are the same expression",
    "L1": "both sides have the same canonical form",
    "L2": "both sides have the same canonical form once the definitions are put in",
    "L3": "both sides are equal modulo a prime at random points",
    "L4": "both sides are equal by a named equation of a known function",
    "L5": "only tested",
}


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


def decide(q: Question) -> Verdict:
    """The answer to a question. Raises UnsupportedError where nothing can be tested, CheckFailed if two judges disagree.

    What holds for any sizes in the place of large numbers holds for these; what does not may hold for these alone."""
    case = Case(q)
    needs = tuple(dict.fromkeys(_needs(q)))
    for small in standins([*case.roots, q.left, q.right, *(e for pair in q.where.items() for e in pair), *q.inputs]):
        general = _in_general(q, small)
        if general.left.shape != general.right.shape:
            continue
        try:
            verdict = _decided(Case(general), needs, refute=False)
        except (CheckFailed, UnsupportedError):  # the numbers may matter
            continue
        if verdict.holds:
            return replace(verdict, full=case.full)
    if large(case.roots) and case.cost(case.planned(proved=True).sizes[0]) > BUDGET:
        raise UnsupportedError("U039", "it does not follow for all sizes, and tensors as large as these are not computed",
                               expected="smaller numbers in the sizes",
                               hint="letters in the place of the numbers: n for 1000; what holds for all sizes is proved, and "
                               "what does not is refuted at small ones")  # fmt: skip
    return _decided(case, needs)


def _in_general(q: Question, small: Standins) -> Question:
    """The question for any sizes in the place of large numbers."""
    return Question(
        small.expr(q.left),
        small.expr(q.right),
        {small.expr(v): small.expr(e) for v, e in q.where.items()},
        [small.expr(v) for v in q.inputs],
        [(small.expr(a), small.expr(b), text) for a, b, text in q.facts],
        [(small.expr(a), op, small.expr(b)) for a, op, b in q.relations],
    )


def _decided(case: Case, needs: tuple[Expr, ...], refute: bool = True) -> Verdict:
    """The answer; what is false is only searched for numbers if it is to `refute`."""
    q = case.q
    if q.left is q.right:
        return Verdict(True, "L0", (Evidence("IDENTICAL", LEVELS["L0"]),), case.full, conditions=needs)
    level = _canonical(q, case)
    if level is None:
        return _beyond(case, case.modular(case.plan), needs, refute)
    found = case.modular(case.planned(proved=True), branches=False)
    if found.differs is not None:
        raise CheckFailed("C008", "internal error: the canonical forms are equal, but the sides differ modulo p",
                          hint="please report this equation: nothing is claimed about it")  # fmt: skip
    if not found.tested:
        raise nowhere()
    proof = Evidence("PROVED-CANON", LEVELS[level])
    return Verdict(True, level, (proof, _tested(found, case.full)), case.full, conditions=needs)


def _needs(q: Question) -> Iterator[Expr]:
    """The nodes that are not defined everywhere."""
    for root in (q.left, q.right, *q.where.values()):
        for e in postorder(unfolded(root)):
            if e.op.needs and not is_free_map(e) and not is_free_function(e):
                yield e


def _canonical(q: Question, case: Case) -> str | None:
    if equal(q.left, q.right):
        return "L1"
    return "L2" if case.full[0] is case.full[1] or equal(*case.full) else None


def _tested(found: Exact, full: Sequence[Expr]) -> Evidence:
    tested = found.rounds
    chance, said = tested.chance(degree(full, tested.cells(full)), "a false equation", "an equation that is false")
    if found.luck:
        said, chance = said.replace(chance, f"{found.luck:.0e}"), f"{found.luck:.0e}"
    sizes = [s for k, s in enumerate(tested.sizes) if s not in tested.sizes[:k]]
    where = (
        ""
        if tested.whole or not any(sizes)
        else f", {'; '.join(', '.join(f'{s} = {n}' for s, n in z.items()) for z in sizes)}"
    )
    return Evidence("TESTED-MODP", f"equal modulo {tested.modulo} at {len(tested.sizes)} random points{where} ({said})",
                    {"trials": len(tested.sizes), "p": tested.prime, "bound": chance, "sizes": sizes})  # fmt: skip


def _size_evidence(planned: Rounds) -> Evidence:
    wanted = ", ".join(f"{s} ≥ {n}" for s, n in sorted(planned.least.items())) or "none"
    return Evidence("PROVED-SIZE", "the sizes tested are as large and as many as the theorem on test sizes asks "
                    f"({wanted}): what holds there holds at every size", {"least": dict(planned.least), "sizes": list(planned.sizes)})  # fmt: skip


def _beyond(case: Case, found: Exact, needs: tuple[Expr, ...], refute: bool) -> Verdict:
    """Neither side has the other's canonical form: tests decide, or a named equation, or a counterexample."""

    def holds(level: str, evidence: Sequence[Evidence], uses: tuple[Use, ...] = ()) -> Verdict:
        jumps = tuple(e for e in case.nodes if e.op.jumps)
        if jumps and not case.modular(case.plan, ties=True).equal:  # it was tested beside the jumps, and not at them
            wrong = case.counterexample(most=2, budget=300)
            if wrong is not None:
                return _refuted(case, wrong, None)
            beside = {frozenset(unsigned(e.args[0])): e for e in reversed(jumps)}  # t and −t are zero together
            return Verdict(True, level, tuple(evidence), case.full, uses=uses, conditions=(*needs, *beside.values()))
        return Verdict(True, level, tuple(evidence), case.full, uses=uses, conditions=needs)

    if not case.known:
        if found.differs is not None:
            differs = Evidence("REFUTED-MODP", f"the two sides differ modulo {case.plan.modulo} at a random point")
            wrong = case.counterexample(differs=found.differs) if refute else None
            if wrong is None and case.relations and not case.floats().points:
                raise nowhere()  # no point is known that satisfies what is assumed
            return _refuted(case, wrong, differs)
        if not found.tested:
            raise nowhere()
        tested = [_tested(found, case.full)]
        if not found.rounds.whole:  # it may be false at larger sizes
            return Verdict(None, "L5", tuple(tested), case.full, conditions=needs)
        return holds("L3", [*tested, *([_size_evidence(case.plan)] if case.symbols else [])])
    left, right, uses = functional(*case.full)
    lawful = bool(uses) and equal(left, right)
    floats = case.floats()
    told = [_float_evidence(floats)] if floats.points else []
    law = Evidence("PROVED-CANON", "both sides have the same canonical form after the equations above are used")
    if lawful and (told or floats.large) and (not floats.differ or all(u.positive is None for u in uses)):
        exact = found.equal and found.rounds.whole
        return holds("L3", [_tested(found, case.full), *told]) if exact and told else holds("L4", [law, *told], uses)
    if found.equal and found.rounds.whole and told and not floats.differ:
        return holds("L3", [_tested(found, case.full), *told])
    if refute or floats.differ:
        wrong = (
            None
            if not refute
            else case.counterexample(differs=found.differs)
            if floats.differ
            else case.counterexample(most=2, budget=200)
        )
        if wrong is not None:
            return _refuted(case, wrong, None)
        if floats.differ:
            return _refuted(case, None, Evidence("REFUTED-FLOAT", "the two sides differ in floats, by far more than rounding: "
                                                 f"by {floats.error:.1e} relative to their size"))  # fmt: skip
    if not told:
        raise nowhere()
    if uses:
        again = Case(Question(left, right, {}, case.q.inputs, case.q.facts, case.q.relations))
        tried = again.modular(again.plan)
        if tried.equal and tried.rounds.whole and not tried.luck:
            return holds("L4", [_tested(tried, (left, right)), *told], uses)
    partly = [_tested(found, case.full)] if found.equal else []
    return Verdict(None, "L5", (*partly, *told), case.full, conditions=needs)


def _float_evidence(found: Floats) -> Evidence:
    return Evidence("TESTED-FLOAT", f"equal in float64 at {found.points} random points to {found.error:.1e}",
                    {"points": found.points, "error": found.error})  # fmt: skip


def _refuted(case: Case, found: Counterexample | None, otherwise: Evidence | None) -> Verdict:
    if found is None:
        assert otherwise is not None
        return Verdict(False, "", (otherwise,), case.full)
    exact = "exact rational arithmetic" if found.exact else "floats; the sides differ by far more than rounding"
    level = "COUNTEREXAMPLE" if found.exact else "COUNTEREXAMPLE-FLOAT"
    return Verdict(False, "", (Evidence(level, f"the two sides were computed at these values, in {exact}"),), case.full, found,
                   hidden=case.hidden(found))  # fmt: skip
