"""The float check: central differences of the user's program, which know no slope, against the claimed gradients.

A difference has two errors, one that grows with the step and one that grows as the step shrinks. Both are measured: two
steps that agree, and runs in which every result is rounded at random. A point at which no step is good enough tests
nothing and another is drawn; a good difference that disagrees is a failure, wherever it is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import inf, isfinite
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.ops.defined import unfolded
from ..algebra.ops.free import var
from ..errors import CheckFailed
from ..step import Evidence
from .claim import nowhere
from .field import Degenerate, Modular, OutOfDomain, Real, TooLarge, dot
from .jets import Point
from .problem import Problem, claimed_change, start
from .rounding import RUNS, ULP, Shaken
from .sizes import alternatives, sizes_of

__all__ = ["confirm_by_differences", "functions_in", "slope_error"]

_TRIES = 32
_SEARCH = 160  # tries after which a program without one real point is held to be defined nowhere
_LIMIT = 400  # equations above which only the slopes of functions are checked
_VAIN = 4  # points that test nothing after which other sizes are tried
_MISSED = 6  # points outside of the domain, one after the other, after which other sizes are tried
_STEPS = (2e-3, 2e-4, 2e-5, 2e-6, 2e-2)  # a steep function needs a short step, a flat one a long step
_TOLERANCE = 1e-6
_USEFUL = 1e-5  # relative error of a difference that tests something
_PLACES = (-2.3, -1.7, -1.1, -0.7, -0.4, 0.35, 0.6, 1.2, 1.9, 2.6)


def confirm_by_differences(problem: Problem) -> list[Evidence]:
    """What differences say of the program and of the functions in it. Raises CheckFailed C005."""
    said: list[str] = []
    data: dict[str, Any] = {}
    if len(problem.forward) <= _LIMIT:
        error = _central(problem)
        if error is not None:
            said.append(f"central difference of the program in float64 agrees to {error:.1e}")
            data["error"] = error
    slopes: dict[str, float] = {}
    for f in functions_in(value for _, value in (*problem.forward, *problem.helpers)):
        found = slope_error(f)
        if found is not None:
            slopes[f.op.name] = max(found, slopes.get(f.op.name, 0.0))
    if slopes:
        names = list(slopes)
        them = (
            f"the slope of {names[0]}" if len(names) == 1 else f"the slopes of {', '.join(names[:-1])} and {names[-1]}"
        )
        where = " with one in float64" if "error" in data else " with a central difference in float64"
        said.append(f"{them} agree{'s' * (len(names) == 1)}{where} to {max(slopes.values()):.1e}")
        data["slopes"] = slopes
    return [Evidence("TESTED-FLOAT", "; ".join(said), data)] if said else []


def _refused(what: str, error: float) -> CheckFailed:
    return CheckFailed("C005", f"internal error: a central difference disagrees with {what} ({error:.1e})",
                       hint="please report this program: the result is withheld")  # fmt: skip


# ---- a difference and its error ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Difference:
    """An estimate of a slope, how far it may be off, and the largest slope that these steps can see: value / step
    where they do not agree."""

    slope: float
    error: float
    reach: float


def _differences(at: Any, noise: float) -> Iterator[_Difference]:
    """Five-point differences of the function `at` of the displacement, each with the error that another step shows."""
    last: tuple[float, float] | None = None
    for h in _STEPS:
        try:
            ahead, behind, far, back = at(h), at(-h), at(2 * h), at(-2 * h)
        except OutOfDomain:
            last = None
            continue
        slope = (8 * (ahead - behind) - (far - back)) / (12 * h)
        if last is not None:
            fine = slope if h < last[0] else last[1]
            apart, rounding = abs(slope - last[1]), 2 * noise / min(h, last[0])
            reach = max(map(abs, (ahead, behind, far, back))) / max(h, last[0]) if apart > rounding else inf
            yield _Difference(fine, apart + rounding, reach)
        last = h, slope


def _relative(at: Any, noise: float, claimed: float, size: float) -> tuple[float, bool] | None:
    """How far the claimed slope is from a difference, and whether that is within both errors; None if no difference is good."""
    found: _Difference | None = None
    for d in _differences(at, noise):
        if found is None or d.error < found.error:
            found = d
        if found.error <= _USEFUL * _TOLERANCE * max(abs(found.slope), abs(claimed)):
            break  # better than is asked
    if found is None:
        return None
    scale = max(abs(found.slope), abs(claimed))
    distance = abs(found.slope - claimed)
    if scale == 0:
        return 0.0, True
    # A program that oscillates within a step has differences far smaller than its slope, at every step.
    if found.error > _USEFUL * max(abs(found.slope), min(abs(claimed), found.reach)):
        return None
    return distance / scale, distance <= _TOLERANCE * scale + 4 * found.error + 64 * ULP * size


# ---- the program -------------------------------------------------------------------------------------------


def _defined(problem: Problem) -> Iterator[Mapping[str, int]]:
    """Sizes at which the exact test finds a point, and if there are none, those that would come first."""
    exprs, known = problem.expressions(), dict(problem.definitions())
    planned = [sizes_of(exprs, k, known) for k in range(3)]
    found = False
    for sizes in (*planned, *islice(alternatives(planned[0], exprs, known), 1, None)):
        if _has_point(problem, sizes):
            found = True
            yield sizes
    if not found:
        yield planned[0]


def _has_point(problem: Problem, sizes: Mapping[str, int]) -> bool:
    for attempt in range(_TRIES):
        point = Point(Modular("sizes", attempt), sizes)
        try:
            start(problem, point)
            for v, value in problem.forward:
                point.bind(v, point.value(value))
            return True
        except Degenerate:
            if attempt:
                return False
        except OutOfDomain:
            continue
    return False


def _central(problem: Problem) -> float | None:
    """The relative difference between Σ⟨∇x, dx⟩ and a central difference, None if no point tests it.

    At some sizes none does: where a projection is the identity, nothing depends on it. Raises CheckFailed; UnsupportedError
    U012 if at no point the program and its gradients are real numbers.
    """
    defined, vain, missed, others = False, 0, 0, _defined(problem)
    first = sizes = next(others)
    for attempt in range(_SEARCH):
        if defined and attempt >= _TRIES:
            break
        if vain == _VAIN or missed == _MISSED:
            sizes, vain, missed = next(others, first), 0, 0
        field = Real(f"float{attempt}", positive=attempt % 4 == 3)
        point = Point(field, sizes)
        try:
            start(problem, point, field.wander if attempt >= _TRIES else None)
            pushes = {
                v: point.push(v) for v in problem.probed if v is not problem.target
            }  # a push of E hides all small ones
            begin = {v: point.values[v] for v in problem.inputs}
            seed = point.values[problem.seed] if problem.seed is not None else [1.0]
            base = _run(problem, Point(field, sizes), begin, pushes, 0.0)
            here = dot(seed, base.values[problem.target], None)
            noise = max(abs(here) * ULP, *(
                abs(dot(seed, _run(problem, Shaken(field, sizes, k), begin, pushes, 0.0).values[problem.target], None) - here)
                for k in range(RUNS)))  # fmt: skip
            if problem.seed is not None:
                base.bind(problem.seed, seed)
            claimed, size = claimed_change(problem, base, pushes)
            defined = True
            vain += 1
            missed = 0
        except TooLarge:
            defined = True  # as far as floats can tell
            continue
        except OutOfDomain:  # eigenvalues of a singular matrix, which it is at these sizes
            missed += 1
            continue
        if not isfinite(claimed):
            continue

        found = _relative(partial(_objective, problem, Point(field, sizes), begin, pushes, seed), noise, claimed, size)
        if found is not None:
            error, agrees = found
            if not agrees:
                raise _refused("the gradients", error)
            return error
    if not defined:
        raise nowhere(_SEARCH)
    return None


def _objective(problem: Problem, fresh: Point, begin: Mapping[Expr, list[Any]], pushes: Mapping[Expr, list[Any]],
               seed: Sequence[float], h: float) -> float:  # fmt: skip
    """The objective h pushes away, at the sizes and in the field of the point."""
    return float(
        dot(seed, _run(problem, Point(fresh.field, fresh.sizes), begin, pushes, h).values[problem.target], None)
    )


def _run(
    problem: Problem, point: Point, begin: Mapping[Expr, list[Any]], pushes: Mapping[Expr, list[Any]], h: float
) -> Point:
    """The program with every probed name shifted by h times its push."""

    def shifted(v: Expr, x: list[Any]) -> list[Any]:
        return [a + h * b for a, b in zip(x, pushes[v], strict=True)] if v in pushes and h else x

    for v, x in begin.items():
        point.bind(v, shifted(v, x))
    for v, value in problem.forward:
        point.bind(v, shifted(v, point.value(value)))
    return point


# ---- the functions -----------------------------------------------------------------------------------------


def functions_in(values: Iterable[Expr]) -> list[Expr]:
    """One scalar node for each known function of numbers in these expressions."""
    found: dict[tuple[Any, ...], Expr] = {}
    for e in {e: None for value in values for e in postorder(unfolded(value))}:
        if e.args and e.op.real is not None and e.op.define is None and e.op.meaning(e) is None:
            names = tuple(var(f"·{k}", ()) for k in range(len(e.args)))
            found.setdefault((e.op, e.attrs), type(e).make(e.op, names, e.attrs, ()))
    return list(found.values())


def slope_error(f: Expr) -> float | None:
    """The largest relative error of the declared slope of a function, None if no place is in its domain. Raises CheckFailed."""
    worst: float | None = None
    for k, x in enumerate(f.args):
        for t in _PLACES:
            others = {a: [0.4 + 0.3 * j] for j, a in enumerate(f.args)}
            point = Point(Real("slope"), {})
            for a, v in others.items():
                point.bind(a, [t] if a is x else v, [1.0] if a is x else None)
            try:
                value, claimed = point.value(f)[0], (point.tangent(f) or [0.0])[0]
            except OutOfDomain:
                continue
            found = _relative(_along(f, k, t, others), 4 * ULP * (abs(value) + abs(t * claimed)), claimed, 0.0)
            if found is not None:
                error, agrees = found
                if not agrees:
                    raise _refused(f"the slope of {f.op.name}", error)
                worst = max(error, worst or 0.0)
    return worst


def _along(f: Expr, k: int, t: float, others: Mapping[Expr, Sequence[float]]) -> Any:
    """The function of a displacement of argument k."""

    def at(h: float) -> float:
        point = Point(Real("slope"), {})
        for j, a in enumerate(f.args):
            point.bind(a, [t + h] if j == k else list(others[a]))
        return float(point.value(f)[0])

    return at
