"""FINAL: the listed gradients are those of the program, from the forward program alone (theory.md §7.4).

No step of the derivation is used: the user's equations are run with tangents modulo p, and the change of the target
is compared with Σ⟨∇x, dx⟩; then the same with floats and a central difference, which knows no slope at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import gradient, is_name
from ..errors import CheckFailed, UnsupportedError
from ..step import Evidence
from .claim import bound, degree, nowhere, sizes_of
from .field import Field, Modular, OutOfDomain, P, Real, dot
from .jets import Point

__all__ = ["Problem", "confirm", "survives"]

_TRIES = 32
_FLOAT_LIMIT = 400  # equations above which the float check (four more forward runs) is left out
_STEPS, _TOLERANCE = (2e-3, 2e-4, 2e-5, 2e-6), 1e-6  # a steep function needs a short step, a flat one a long step


@dataclass(frozen=True, slots=True)
class Problem:
    """What FINAL needs and nothing more: the program as the user wrote it, and the equations claimed for it."""

    forward: Sequence[tuple[Expr, Expr]]  # the user's equations, in order
    helpers: Sequence[tuple[Expr, Expr]]  # our own names, values for the backward equations only
    backward: Sequence[tuple[Expr, Expr]]  # (name, value of its gradient) in order of computation
    target: Expr
    seed: Expr | None
    inputs: Sequence[Expr]
    probed: Sequence[Expr]  # the names whose gradient is claimed
    facts: Sequence[tuple[Expr, Expr, str]] = ()

    def expressions(self) -> list[Expr]:
        """Everything whose sizes a test must choose."""
        return [*self.inputs, *(v for _, v in self.forward), *(v for _, v in self.backward)]


def confirm(problem: Problem) -> list[Evidence]:
    """Evidence for the whole result. Raises CheckFailed."""
    found: list[dict[str, int]] = []
    for k in range(2):
        sizes = sizes_of(problem.expressions(), k)
        if not _attempt(problem, sizes, f"final{k}"):
            raise CheckFailed("C002", "internal error: the gradients do not agree with the program (FINAL)",
                              hint="please report this program: the result is withheld")  # fmt: skip
        found.append(sizes)
    degrees: dict[Expr, int] = {}
    D = 0
    for v, value in [*problem.forward, *problem.helpers, *((gradient(v), g) for v, g in problem.backward)]:
        D += degree([value], degrees)
        degrees[v] = degrees[value]
    chance = bound(D, len(found))
    evidence = [Evidence(
        "TESTED-MODP", f"Σ⟨∇x, dx⟩ = d{problem.target.attrs[0]} modulo 2^61-1 at {len(found)} random points of the program as it "
        f"was written, each function being a random value and a slope that fits it (a wrong gradient passes with probability below {chance})",
        {"trials": len(found), "p": P, "bound": chance, "sizes": found})]  # fmt: skip
    if len(problem.forward) <= _FLOAT_LIMIT:
        error = _central(problem, sizes_of(problem.expressions(), 0))
        if error is not None:
            evidence.append(Evidence(
                "TESTED-FLOAT", f"central difference of the program in float64 agrees to {error:.1e}", {"error": error}))  # fmt: skip
    return evidence


def survives(problem: Problem, sizes: Mapping[str, int] | None = None) -> bool:
    """Whether the claimed gradients pass the exact check (at given sizes, or all different): the tool of mutation tests."""
    return _attempt(problem, sizes or sizes_of(problem.expressions(), 0), "mutant")


def _attempt(problem: Problem, sizes: Mapping[str, int], seed: str) -> bool:
    for attempt in range(_TRIES):
        try:
            return _exact(problem, Point(Modular(seed, attempt), sizes))
        except OutOfDomain:
            continue
    raise nowhere()


def _start(problem: Problem, point: Point) -> None:
    names = list(problem.inputs) + ([problem.seed] if problem.seed is not None else [])
    for v in names:
        point.bind(v, point.draw(v))
    for left, right, where in problem.facts:
        _satisfy(point, left, right, where, names)


def _satisfy(point: Point, left: Expr, right: Expr, where: str, names: Sequence[Expr]) -> None:
    """Move one entry of an input so that the assumption left = right holds at this point."""
    for v in [e for e in postorder(left) if is_name(e) and e in names]:
        values = list(point.values[v])
        residues = []
        for shift in (0, 1):
            trial = Point(point.field, point.sizes)
            for n in names:
                trial.bind(n, point.values[n])
            trial.bind(v, [values[0] + shift, *values[1:]])
            residues.append([a - b for a, b in zip(trial.value(left), trial.value(right), strict=True)])
        slope = residues[1][0] - residues[0][0]
        if len(residues[0]) == 1 and slope:
            moved = values[0] - residues[0][0] * point.field.power(slope, -1)
            values[0] = moved % point.field.mod if point.field.mod else moved
            point.bind(v, values)
            point.forget(set(names))
            return
    raise UnsupportedError("U011", f"the assumption {where} cannot be sampled, so its use cannot be checked",
                           hint="assume one scalar equation that is linear in an input, such as sum(y) = 1")  # fmt: skip


def _forward(problem: Problem, point: Point, pushes: Mapping[Expr, list[Any]]) -> None:
    """Run the program with every probed name moved by its push (as a tangent)."""
    for v in problem.inputs:
        point.bind(v, point.values[v], pushes.get(v))
    for v, value in problem.forward:
        x, t = point.value(value), point.tangent(value)
        push = pushes.get(v)
        if push is not None:
            t = push if t is None else point._plus(t, push)
        point.bind(v, x, t)


def _exact(problem: Problem, point: Point) -> bool:
    _start(problem, point)
    pushes = {v: point.draw(v) for v in problem.probed}
    _forward(problem, point, pushes)
    mod = point.field.mod
    seed = point.values[problem.seed] if problem.seed is not None else [1]
    change = dot(seed, point.tangents[problem.target] or [0] * len(seed), mod)
    claimed = _backward(problem, point, pushes)
    return bool(change == claimed)


def _backward(problem: Problem, point: Point, pushes: Mapping[Expr, list[Any]]) -> Any:
    """Σ⟨∇x, dx⟩ over the probed names, by the claimed equations."""
    values = Point(point.field, point.sizes)
    values.values = {e: v for e, v in point.values.items() if is_name(e)}
    values.tangents = dict.fromkeys(values.values)
    for v, value in problem.helpers:
        values.bind(v, values.value(value))
    total = 0
    for v, value in problem.backward:
        values.bind(gradient(v), values.value(value))
        if v in pushes:
            total = total + dot(values.values[gradient(v)], pushes[v], point.field.mod)
    return total % point.field.mod if point.field.mod else total


def _central(problem: Problem, sizes: Mapping[str, int]) -> float | None:
    """The relative difference between Σ⟨∇x, dx⟩ and a five-point central difference, None if no point is in the domain."""
    for attempt in range(_TRIES):
        field = Real(f"float{attempt}", positive=attempt % 2 == 1)
        point = Point(field, sizes)
        try:
            _start(problem, point)
            pushes = {v: point.draw(v) for v in problem.probed}
            start = {v: point.values[v] for v in problem.inputs}
            base = _run(problem, field, sizes, start, pushes, 0.0)
            seed = point.values[problem.seed] if problem.seed is not None else [1.0]
            height = 1e-15 * abs(dot(seed, base.values[problem.target], None))  # rounding of the value itself
            slopes = [(_slope(problem, field, sizes, start, pushes, h, seed), height / h) for h in _STEPS]
            claimed = _backward(problem, base if problem.seed is None else _with_seed(base, problem.seed, seed), pushes)
        except OutOfDomain:
            continue
        slope, noise = min(slopes, key=lambda s: max(abs(s[0] - claimed), s[1]))
        error = abs(slope - claimed) / max(1.0, abs(slope), abs(claimed))
        if noise > _TOLERANCE * max(1.0, abs(claimed)):
            continue  # the difference is lost in rounding: this point tests nothing
        if error < _TOLERANCE:
            return float(error)
        if attempt >= 4:  # several points in a row: not a kink or a steep place
            raise CheckFailed("C005", f"internal error: a central difference disagrees with the gradients ({error:.1e})",
                              hint="please report this program: the result is withheld")  # fmt: skip
    return None


def _slope(problem: Problem, field: Field, sizes: Mapping[str, int], start: Mapping[Expr, list[Any]],
           pushes: Mapping[Expr, list[Any]], h: float, seed: list[Any]) -> float:  # fmt: skip
    """The five-point central difference of the target along the pushes."""
    at = {
        k: dot(seed, _run(problem, field, sizes, start, pushes, k * h).values[problem.target], None)
        for k in (-2, -1, 1, 2)
    }
    return float((8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h))


def _with_seed(point: Point, name: Expr, value: list[Any]) -> Point:
    point.bind(name, value)
    return point


def _run(problem: Problem, field: Field, sizes: Mapping[str, int], start: Mapping[Expr, list[Any]],
         pushes: Mapping[Expr, list[Any]], h: float) -> Point:  # fmt: skip
    """The program with every probed name shifted by h times its push."""
    point = Point(field, sizes)

    def shifted(v: Expr, x: list[Any]) -> list[Any]:
        return [a + h * b for a, b in zip(x, pushes[v], strict=True)] if v in pushes and h else x

    for v, x in start.items():
        point.bind(v, shifted(v, x))
    for v, value in problem.forward:
        point.bind(v, shifted(v, point.value(value)))
    return point
