"""RECUR refuses: no mechanically wrong equation of a recurrence survives being written out, no wrong invariant either."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.free import gradient
from pullback.calculus.derivation import Backward
from pullback.calculus.induction import Invariant
from pullback.calculus.recurrence import Recurrence
from pullback.errors import CheckFailed
from pullback.proof.final import survives
from pullback.proof.mutants import mutants
from pullback.proof.recur import Written, prove_induction, write_all

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ["feedforward", "rnn", "residual", "encoder_decoder"]


def derived(name: str) -> pb.Derived:
    return pb.derive((EXAMPLES / f"{name}.eqn").read_text(encoding="utf-8"))


def written(d: pb.Derived, backward: list[Backward]) -> Written:
    p, r = d.program, d.derivation
    program = [(q.var, q.rhs, p.ranges.get(q.name, ())) for q in p.equations]
    helpers = [(q.var, q.value, q.ranges) for q in r.core.equations if q.auxiliary]
    return write_all(program, helpers, backward, r.target, r.seed, p.members, dict(r.least))


def holds(d: pb.Derived, backward: list[Backward]) -> bool:
    return all(survives(problem) for _, problem in written(d, backward))


@pytest.mark.parametrize("name", NAMES)
def test_no_mutant_of_a_recurrence_survives(name: str) -> None:
    d = derived(name)
    backward = d.derivation.backward
    assert holds(d, backward)
    tried, survivors = 0, []
    for k, b in enumerate(backward):
        if b.auxiliary and b.value is rational(1):
            continue  # later equations hold the 1 itself: nothing depends on this line
        for label, wrong in mutants(b.value):
            if wrong.shape != b.of.shape:
                continue
            tried += 1
            if holds(d, [*backward[:k], replace(b, value=wrong), *backward[k + 1 :]]):
                survivors.append(f"∇{b.of.attrs[0]}: {label}")
    assert tried > 15
    assert not survivors, "\n".join(survivors)


@pytest.mark.parametrize("name", NAMES)
def test_a_range_that_is_too_short_or_too_long_is_refused(name: str) -> None:
    """A member that is left out, or that two equations claim, is no result."""
    d = derived(name)
    backward = d.derivation.backward
    tried = 0
    for k, b in enumerate(backward):
        for by in (1, -1):
            if b.auxiliary or not b.ranges:
                continue
            [r, *rest] = b.ranges
            moved = replace(b, ranges=(replace(r, first=r.first + Dim.number(by)), *rest))
            tried += 1
            try:
                assert not holds(d, [*backward[:k], moved, *backward[k + 1 :]]), (b.of.attrs[0], by)
            except CheckFailed as refused:
                assert refused.code == "C011"
    assert tried


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_invariant_is_refused(name: str) -> None:
    d = derived(name)
    problems = written(d, d.derivation.backward)
    steps = [s for s in d.steps if s.kind == "induction" and s.claim.left is not None]
    assert steps
    for s in steps:
        made: Invariant = s.claim.left
        for field in ("value", "base", "end", "by"):
            doubled: Expr = getattr(made, field) + getattr(made, field)
            wrong = replace(s, claim=replace(s.claim, left=replace(made, **{field: doubled})))
            part = {"value": "P", "by": "step"}.get(field, field)
            if s.relation == part:
                with pytest.raises(CheckFailed):
                    prove_induction([wrong], problems)
        assert prove_induction([s], problems)[0].evidence


def test_written_out_equations_are_the_members() -> None:
    d = derived("feedforward")
    assert isinstance(d.derivation, Recurrence)
    sizes, problem = written(d, d.derivation.backward)[-1]
    assert sizes == {"L": 3}
    assert [v.attrs[0] for v, _ in problem.forward] == ["z[2]", "a[2]", "z[3]", "a[3]", "E"]
    assert {gradient(v).attrs[0] for v, _ in problem.backward} == {
        "a[3]", "z[3]", "a[2]", "z[2]", "a[1]", "W[1]", "W[2]", "b[1]", "b[2]"}  # fmt: skip


def test_all_sizes_are_called_different_only_where_they_are() -> None:
    extra = "; ".join(f"u{k} : k{k}" for k in range(7))
    total = " + ".join(f"‖u{k}‖²" for k in range(7))
    few = pb.derive("h[0] : n; h[t] = f(h[t-1]) for t = 1..T; E = loss(h[T])")
    wide = pb.derive(f"{extra}; h[0] : n; h[t] = f(h[t-1]) for t = 1..T; E = loss(h[T]) + {total}")
    [said, other] = [next(e.detail for e in d.evidence if e.level == "RECUR") for d in (few, wide)]
    assert "all sizes different" in said and "all sizes different" not in other


@pytest.mark.parametrize(("below", "least"), [("(T - 1)", 2), ("(T - 2)", 3), ("T", 1)])
def test_ranges_at_which_it_divides_by_zero_are_too_short(below: str, least: int) -> None:
    d = pb.derive(f"x[t] : n; E = sum_{{t=1..T}} ‖x[t]‖² / {below}")
    assert next(e.data["ends"] for e in d.evidence if e.level == "RECUR")[0] == {"T": least}
    np = pytest.importorskip("numpy")
    f = d.compile("numpy")
    assert f(np.ones((least, 2)))[0] == pytest.approx(2 * least / (least - {"T": 0, "(T - 1)": 1, "(T - 2)": 2}[below]))
    if least > 1:
        with pytest.raises(ValueError, match=f"T is {least - 1}, not at least {least}"):
            f(np.ones((least - 1, 2)))
