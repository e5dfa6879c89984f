"""FINAL: the listed gradients are those of the program, from the forward program alone (theory.md §7.4).

No step of the derivation is used: the user's equations are run with tangents modulo p, and the change of the target
is compared with Σ⟨∇x, dx⟩; then the same with floats and central differences, which know no slope at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..algebra.expr import Expr
from ..errors import CheckFailed, UnsupportedError
from ..step import Evidence
from .claim import degree, nowhere
from .differences import confirm_by_differences
from .field import Degenerate, Modular, OutOfDomain, dot
from .jets import Point
from .problem import Problem, claimed_change, start
from .sizes import Rounds, alternatives
from .standins import standins

__all__ = ["Problem", "confirm", "survives"]

_TRIES = 32


def confirm(problem: Problem) -> list[Evidence]:
    """Evidence for the whole result, with any size in the place of large numbers if that can be. Raises CheckFailed."""
    for small in standins(problem.everything()):
        try:
            return _confirm(problem.mapped(small.expr))
        except (CheckFailed, UnsupportedError):  # the numbers may matter
            continue
    return _confirm(problem)


def _confirm(problem: Problem) -> list[Evidence]:
    planned = problem.rounds()
    for k, sizes, prime in planned.points():
        if not _attempt(problem, sizes, f"final{k}", prime):
            raise CheckFailed("C002", "internal error: the gradients do not agree with the program (FINAL)",
                              hint="please report this program: the result is withheld")  # fmt: skip
    degrees: dict[Expr, int] = {}
    cells = planned.cells(problem.expressions())
    D = 0
    for v, value in problem.definitions():
        D += degree([value], cells, degrees)
        degrees[v] = degrees[value]
    chance, said = planned.chance(D, "a wrong gradient", "a gradient that is wrong")
    exact = Evidence(
        "TESTED-MODP", f"Σ⟨∇x, dx⟩ = d{problem.target.attrs[0]} modulo {planned.modulo} at {len(planned.sizes)} random points of the program as it "
        f"was written, each function being a random value and a slope that fits it ({said})",
        {"trials": len(planned.sizes), "p": planned.prime, "bound": chance, "sizes": planned.sizes, "whole": planned.whole})  # fmt: skip
    return [exact, *confirm_by_differences(problem)]


def survives(problem: Problem, sizes: Mapping[str, int] | None = None) -> bool:
    """Whether the claimed gradients pass the exact check (at given sizes, or at those of FINAL): the tool of mutation tests."""
    planned = Rounds([dict(sizes)], False) if sizes else problem.rounds()
    return all(_attempt(problem, z, f"mutant{k}", prime) for k, z, prime in planned.points())


def _attempt(problem: Problem, sizes: Mapping[str, int], seed: str, prime: int) -> bool:
    if any(value.shape != v.shape for v, value in problem.backward):
        return False  # a gradient has the axes of its name, whatever its entries are
    for other in alternatives(dict(sizes), problem.expressions(), dict(problem.definitions())):
        for attempt in range(_TRIES):
            try:
                return _exact(problem, Point(Modular(seed, attempt, prime), other))
            except Degenerate:
                if attempt:
                    break
            except OutOfDomain:
                continue
    raise nowhere()


def _exact(problem: Problem, point: Point) -> bool:
    start(problem, point)
    pushes = {v: point.push(v) for v in problem.probed}
    _forward(problem, point, pushes)
    mod = point.field.mod
    seed = point.values[problem.seed] if problem.seed is not None else [1]
    change = dot(seed, point.tangents[problem.target] or [0] * len(seed), mod)
    claimed, _ = claimed_change(problem, point, pushes)
    return bool(change == claimed)


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
