"""A program that may be differentiated again: what is assumed of a name may hold at the point only, and not beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..algebra.canonical import named
from ..algebra.expr import Expr, substitute
from ..algebra.ops.free import RESTRICTED, facts_of, var
from .program import Program

__all__ = ["without_facts"]


def without_facts(program: Program, names: Collection[str] | None = None) -> tuple[Program, dict[Expr, Expr]]:
    """The program about names of which nothing is said that holds at the point only, and what stands for each of these.

    `names` are the inputs that move (default: all). An index does not move.
    """
    asked = [v for v in program.inputs if names is None or v.attrs[0] in names]
    bare = {v: var(v.attrs[0], v.shape) for v in asked if facts_of(v) and not {RESTRICTED, "index"} & {*facts_of(v)}}
    if not bare:
        return program, {}
    inputs = tuple(bare.get(v, v) for v in program.inputs)
    equations = []
    for q in program.equations:
        rhs = substitute(q.rhs, bare)
        v = named(q.name, rhs)  # S⁻¹ is symmetric where S is, and no longer where nothing is said of S
        equations.append(
            replace(q, var=v, rhs=rhs, index_form=None if q.index_form is None else substitute(q.index_form, bare))
        )
        if v is not q.var:
            bare[q.var] = v
    return replace(program, inputs=inputs, equations=tuple(equations)), {b: v for v, b in bare.items()}
