"""FINAL for a Jacobian: J d is the tangent of the program along d, from the forward equations alone (theory.md §7.4).

With a random cotangent G on the left, ⟨G, J d⟩ = ⟨G, tangent⟩: that is the check of a gradient Σ G J, so it is done by the
same code, modulo p and with central differences. For a Hessian the program is that of the gradient, which has been
confirmed by itself before.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..algebra.expr import Expr
from ..calculus.opened import closed_with
from ..calculus.stacked import Form
from ..errors import CheckFailed
from ..step import Evidence
from .claim import nowhere
from .field import Modular, OutOfDomain, P
from .final import confirm
from .jets import Point
from .problem import Fact, Problem
from .sizes import sizes_of
from .stacked import evaluate, leaves_of

__all__ = ["array_problem", "confirm_array", "confirm_matrix"]

_TRIES = 32


def array_problem(forward: Sequence[tuple[Expr, Expr]], inputs: Sequence[Expr], target: Expr, x: Expr, G: Expr,
                  array: Expr, facts: Sequence[Fact] = ()) -> Problem:  # fmt: skip
    """That Σ G J is the gradient of ⟨G, target⟩, for every G."""
    return Problem(forward=forward, helpers=[], backward=[(x, closed_with(array, G))], target=target, seed=G,
                   inputs=inputs, probed=[x], facts=facts)  # fmt: skip


def confirm_array(problem: Problem) -> list[Evidence]:
    """Evidence that the array is the derivative of the program. Raises CheckFailed."""
    of, x = problem.target.attrs[0], problem.probed[0].attrs[0]
    said = f"Σ⟨∇x, dx⟩ = d{of}"
    return [
        Evidence(e.level, e.detail.replace(said, f"⟨G, J d{x}⟩ = ⟨G, d{of}⟩"), e.data) for e in confirm(problem)
    ]  # fmt: skip


def confirm_matrix(form: Form, array: Expr, rows: int) -> Evidence:
    """The printed matrix has the entries of the array, both sides stacked by columns, at a random point. Raises CheckFailed."""
    sizes = sizes_of([array, *leaves_of(form, {})], 0)
    for attempt in range(_TRIES):
        point = Point(Modular("stacked", attempt), sizes)
        try:
            entries = stacked_entries(array, rows, point)
            found = evaluate(form, point, {})
        except OutOfDomain:
            continue
        if list(found.entries) != entries:
            raise CheckFailed("C012", "internal error: the printed matrix is not the array that was derived",
                              hint="please report this program: the result is withheld")  # fmt: skip
        return Evidence("STACKED-MODP", "the printed matrix has the entries of the array, with ⊗, vec, diag and commut computed from "
                        "their definitions modulo 2^61-1 at a random point", {"p": P, "sizes": sizes})  # fmt: skip
    raise nowhere()


def stacked_entries(array: Expr, rows: int, point: Point) -> list[int]:
    """The entries row by row; the first axis of each side runs fastest."""
    spans = point.extent(array)
    values = point.value(array)
    strides = [1] * len(spans)
    for k in range(len(spans) - 1, 0, -1):
        strides[k - 1] = strides[k] * spans[k]

    def offsets(axes: range) -> list[int]:
        found = [0]
        for k in axes:  # the first axis runs fastest: it is the innermost loop
            found = [o + i * strides[k] for i in range(spans[k]) for o in found]
        return found

    return [values[a + b] % P for a in offsets(range(rows)) for b in offsets(range(rows, len(spans)))]
