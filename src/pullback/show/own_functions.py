"""The functions that a program defines, and their derivatives, as plain data for the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..algebra.expr import Expr
from ..calculus.own_functions import OwnFunction
from ..step import Increment, Step
from .names import ascii_text, latex_name

__all__ = ["own_functions_record"]

Json = dict[str, Any]


def own_functions_record(
    found: list[OwnFunction],
    equation: Callable[[Expr, Expr], Json],
    math: Callable[[Expr | Increment | None], Json | None],
    step: Callable[[Step], Json],
    prose: Callable[[str], Json],
) -> list[Json]:
    """Each with its definition, its derivatives and the steps that lead to them."""
    return [
        {
            "name": f.function.name,
            "ascii": ascii_text(f.function.name),
            "latex": latex_name(f.function.name),
            "parameters": [str(v.attrs[0]) for v in f.function.params],
            "outside": [math(v) for v in f.function.outer],
            **_sides(equation(f.node, f.function.body)),
            "derivatives": [
                {
                    "by": math(m.by),
                    "outside": m.by in f.function.outer,
                    **_sides(equation(m.node, m.value)),
                    "steps": [step(s) for s in m.steps],
                }
                for m in f.derived
            ],
            "conventions": [prose(c) for c in f.conventions],
        }
        for f in found
    ]


def _sides(found: Json) -> Json:
    return {key: found[key] for key in ("left", "right", "equation")}
