"""Random programs: every step checked, FINAL confirmed, every gradient compared with JAX and with a complex step.

The forward program is run by tests/_oracle.py, which knows each op by name and nothing of its meaning. A refusal is
allowed only with exit code 4 and a reason, and rarely; everything else that is not a right gradient is a failure.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from random import Random
from typing import Any

import pytest
from _programs import RandomProgram, random_program, spell
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from pullback.algebra.expr import Expr, postorder
from pullback.algebra.op import REGISTRY
from pullback.errors import PullbackError

np = pytest.importorskip("numpy")

from _declared import ONLY_OURS, any_program, drawn  # noqa: E402
from _declared import refused as no_differential  # noqa: E402
from _oracle import SIZES, by_difference, draw_inputs, forward, ours, prove, reference, slope  # noqa: E402

from pullback.code.numpy import evaluate  # noqa: E402

LARGEST = 1e4  # programs in which a larger number occurs are drawn again: their floats say little
TOLERANCE = 1e-9
LOOSE = 1e-5
MAX_REFUSED = 0.02
SHARDS, SHARD = 2, 15  # of programs drawn by hypothesis; those drawn by seed are many more, in the slow tests
SLOW = 20_000

programs = st.randoms(use_true_random=False).map(any_program)


class Refused(Exception):
    """The house declined, with a reason and exit code 4."""


def gradients(program: RandomProgram, point: dict[Expr, Any]) -> tuple[float, dict[str, Any]]:
    """Value and gradients by the house: derived, checked, confirmed, evaluated."""
    try:
        d = prove(program)
        leaves = {x for q in d.core.equations for x in postorder(q.value)}
        needed = {v.attrs[0]: x for v, x in point.items() if v in leaves or v in d.wrt or v is d.seed}
        functions = {n: f for n, f in ours(program).items() if any(x.attrs[:1] == (n,) and x.args for x in leaves)}
        value, found = evaluate(d, set(functions), {**needed, **functions})
    except PullbackError as why:
        if (why.exit_code == 4 or why.code == "S022") and len(why.message) > 20:
            raise Refused(f"{why.code}: {why.message}") from why
        raise
    if d.seed is not None:
        value = np.sum(value * point[d.seed])
    return float(value), found


def far(a: Any, b: Any) -> bool:
    """Further apart than the tolerance, relative to the largest entry."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
    return a.shape != b.shape or not float(np.max(np.abs(a - b), initial=0.0)) <= TOLERANCE * scale


def compare(program: RandomProgram, seed: int, jax: bool) -> str:
    """ "right", "drawn again" or "refused CODE"; an AssertionError for a wrong value or gradient."""
    point = draw_inputs(program, seed)
    expected, largest, _ = forward(program, point)
    if not largest < LARGEST:
        return "drawn again"
    try:
        value, found = gradients(program, point)
    except Refused as why:
        return f"refused {str(why)[:4]}"
    assert not far(value, expected), f"value {value}, not {expected}"
    assert list(found) == [v.attrs[0] for v in program.wrt]
    rng = np.random.default_rng(seed)
    loose = any(by_difference(e) for _, e in program.equations)  # there the slope is an extrapolated difference
    for v in [None, *program.wrt]:  # all together, then each by itself
        moving = program.wrt if v is None else [v]
        push = {w: rng.normal(size=[d.value(SIZES) for d in w.shape]) for w in moving}
        claimed = [found[w.attrs[0]] * push[w] for w in moving]
        scale = max(1.0, float(sum(np.sum(np.abs(c)) for c in claimed)))
        difference = abs(slope(program, point, push) - float(sum(np.sum(c) for c in claimed)))
        assert difference <= (LOOSE if loose else TOLERANCE) * scale, (
            f"complex step along {[w.attrs[0] for w in moving]}: {difference}"
        )
    if jax:
        wanted = reference(program, point)
        near = None
        for name, expected_gradient in wanted.items():
            if far(found[name], expected_gradient):  # is JAX itself so sure?
                near = near or reference(program, {v: x * (1 + 1e-12) for v, x in point.items()})
                if far(near[name], expected_gradient):
                    return "drawn again"
            assert not far(found[name], expected_gradient), f"∇{name} is {found[name]}, JAX has {expected_gradient}"
    return "right"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_random_programs_have_the_gradients_of_jax(shard: int) -> None:
    pytest.importorskip("jax")
    seen: Counter[str] = Counter()

    # Not shrunk: a failure would take as long as all the other tests.
    @settings(
        max_examples=SHARD,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(programs, st.just(shard))
    def check(program: RandomProgram, shard: int) -> None:
        outcome = compare(program, seed=shard, jax=seen.total() < SHARD // 2)
        seen[outcome] += 1
        event(outcome)

    # Each shard draws other programs: hypothesis derives its seed from the name of the function.
    check.hypothesis.inner_test.__qualname__ = f"check_{shard}"
    check()
    assert seen["right"] >= SHARD - 3, seen
    assert refused(seen) <= max(1, MAX_REFUSED * seen.total()), seen


@pytest.mark.parametrize("start", [0, 15, *(pytest.param(k, marks=pytest.mark.slow) for k in (30, 45))])
def test_seeded_programs_have_the_slope_of_a_complex_step(start: int) -> None:
    """Programs drawn by plain `random`, which are larger and less alike than hypothesis draws."""
    seen, failed = sweep(range(start, start + 15))
    assert not failed, report(failed)
    assert seen["right"] >= 10 and refused(seen) <= 1, seen


def test_every_op_occurs_in_the_programs() -> None:
    """What the strategy never draws, the fuzzing never tests."""
    seen = Counter(x.op.name for s in range(1500) for _, e in any_program(Random(s)).equations for x in postorder(e))
    rare = {o.name for o in drawn() if no_differential(o)}  # drawn, but seldom: a program with it is refused
    missing = set(REGISTRY) - ONLY_OURS - set(seen) - rare
    assert not missing, f"never drawn: {sorted(missing)}"
    orders = Counter(v.order for s in range(200) for v, _ in any_program(Random(s)).equations)
    assert set(orders) == set(range(5))


def refused(seen: Counter[str]) -> int:
    return sum(n for outcome, n in seen.items() if outcome.startswith("refused"))


def sweep(seeds: range, jax: int = 0, progress: bool = False) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Outcomes over these seeds (every `jax`-th also by JAX), and the failures with their reasons."""
    seen: Counter[str] = Counter()
    failed: list[tuple[int, str]] = []
    start = time.perf_counter()
    for count, s in enumerate(seeds, 1):
        program = any_program(Random(s))
        try:
            seen[compare(program, s, bool(jax) and s % jax == 0)] += 1
        except Exception as why:
            failed.append((s, f"{type(why).__name__}: {why}"))
        if progress and count % 500 == 0:
            rate = count / (time.perf_counter() - start)
            print(
                f"{count}/{len(seeds)} programs, {rate:.1f} per second, {dict(seen)}, {len(failed)} failed", flush=True
            )
    return seen, failed


def report(failed: list[tuple[int, str]]) -> str:
    lines = [f"{len(failed)} programs failed"]
    for s, why in itertools.islice(failed, 5):
        lines.append(f"--- seed {s}: {why}\n{any_program(Random(s))!r}")
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(10))
def test_twenty_thousand_programs(chunk: int) -> None:
    """PULLBACK_SLOW=1 runs them all; otherwise a tenth. Every tenth program also goes through JAX."""
    pytest.importorskip("jax")
    count = SLOW // 10 if os.environ.get("PULLBACK_SLOW") else SLOW // 100
    first = 1_000_000 + chunk * SLOW
    seen, failed = sweep(range(first, first + count), jax=10, progress=True)
    assert not failed, report(failed)
    assert refused(seen) <= MAX_REFUSED * seen.total(), seen
    assert seen["drawn again"] <= 0.05 * seen.total(), seen


def test_the_comparison_itself_detects_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard on the guard: one entry off by a millionth is seen by the complex step and by JAX."""
    program = random_program(Random(1))
    point = draw_inputs(program, 1)
    value, found = gradients(program, point)
    name = next(v.attrs[0] for v in program.wrt if np.size(found[v.attrs[0]]))
    wrong = {**found, name: found[name] + 1e-6}
    monkeypatch.setitem(globals(), "gradients", lambda *_: (value, wrong))
    with pytest.raises(AssertionError, match="complex step"):
        compare(program, 1, jax=False)
    assert spell(program.equations[0][1])
