"""The functions that a program defines, and their derivatives, as plain data for a record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ..algebra.expr import Expr
from ..calculus.own_functions import Derivative, OwnFunction
from ..errors import CheckFailed
from ..step import Step
from .evidence import evidence_of
from .names import ascii_text, latex_name
from .notation import Printed, show
from .prose import fill

__all__ = ["function_steps", "own_functions_record"]

Json = dict[str, Any]


def own_functions_record(found: Iterable[OwnFunction], taken: Collection[str] = ()) -> list[Json]:
    """Each with its definition, its derivatives and the steps that lead to them. Raises CheckFailed."""
    return [_function(f, taken) for f in found]


def function_steps(functions: Sequence[Json]) -> list[Json]:
    """The steps of all of them."""
    return [s for f in functions for d in f["derivatives"] for s in d["steps"]]


def _function(f: OwnFunction, taken: Collection[str]) -> Json:
    return {
        "name": f.function.name,
        "ascii": ascii_text(f.function.name),
        "latex": latex_name(f.function.name),
        "parameters": [str(v.attrs[0]) for v in f.function.params],
        "outside": [str(v.attrs[0]) for v in f.function.outer],
        **_equation(f.node, f.function.body, taken),
        "derivatives": [_derivative(m, taken) for m in f.derived],
        "conventions": [fill(c, {}, taken).as_dict() for c in f.conventions],
    }


def _equation(left: Expr, right: Expr, taken: Collection[str]) -> Json:
    a, b = show(left, taken), show(right, taken)
    whole = Printed(f"{a.text} = {b.text}", f"{a.ascii} = {b.ascii}", f"{a.latex} = {b.latex}")
    return {"left": a.as_dict(), "right": b.as_dict(), "equation": whole.as_dict()}


def _derivative(m: Derivative, taken: Collection[str]) -> Json:
    return {"by": str(m.by.attrs[0]), **_equation(m.node, m.value, taken), "steps": [_step(s, taken) for s in m.steps]}


def _step(s: Step, taken: Collection[str]) -> Json:
    if not s.evidence:
        raise CheckFailed("C001", f"step {s.id} ({', '.join(s.rules)}) has no evidence, so it is not shown",
                          hint="this is a fault of the program, not of your text")  # fmt: skip
    left, right = show(s.left, taken).as_dict(), show(s.right, taken).as_dict()
    words = (("terse", s.why.terse), ("explain", s.why.explain), ("teach", s.why.teach))
    return {
        "id": s.id, "kind": s.kind, "about": s.about, "left": left, "relation": s.relation, "right": right,
        "rules": list(s.rules), "silent": left == right,
        "why": {level: fill(text, s.why.bind, taken).as_dict() if text else None for level, text in words},
        "conditions": [fill(c.template, c.bind, taken).as_dict() for c in s.conditions],
        "claim": s.claim.kind, "evidence": [evidence_of(e) for e in s.evidence],
    }  # fmt: skip
