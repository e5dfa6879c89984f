"""A problem for a minimiser: which inputs move, their gradients, and H p, derived from the backward equations and proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .algebra.ops.free import RESTRICTED, facts_of
from .calculus.core import Definition
from .calculus.curvature import Curvature, curvature
from .calculus.derivation import Derivation
from .calculus.derive import derive
from .code.packed import Packed, packed, with_product
from .code.plan import plan
from .confirming import checked, problem_of
from .errors import ParseError, UnsupportedError
from .language.program import Program
from .language.unassumed import without_facts
from .proof.claim import Memo, check
from .proof.final import Problem, confirm

__all__ = ["minimised"]


def minimised(
    program: Program, d: Derivation, wrt: Sequence[str] | None, sizes: Mapping[str, int] | None, second: bool
) -> Packed:
    """The plan of a problem in these inputs (default: all that have a gradient), with H p if it is asked for and there is one.

    Raises what `plan` raises, ParseError P030 for what cannot be packed in x, CheckFailed.
    """
    names = list(dict.fromkeys(wrt)) if wrt else [str(v.attrs[0]) for v in d.wrt]
    first = plan(d, names, sizes, program.constants)
    if d.seed is not None:
        raise ParseError(
            "P030", f"{d.target.attrs[0]} is no number: only its gradient is given", expected="an equation for a number"
        )
    inputs = {str(v.attrs[0]): v for v in d.inputs}
    for n in names:
        if n not in inputs:
            raise ParseError(
                "P030", f"{n} is computed: a minimiser moves inputs", expected=f"some of {', '.join(inputs)}"
            )
    program, found = _anywhere(program, d, names)
    refused = ""
    if second:
        try:
            return with_product(_proved(program, found, names), found.target, sizes)
        except UnsupportedError as why:
            refused = why.message
    return packed(first if found is d else plan(found, names, sizes), names, refused)


def _anywhere(program: Program, d: Derivation, names: Sequence[str]) -> tuple[Program, Derivation]:
    """The program, and its derivation, with no use of what is assumed of inputs that move: a minimiser leaves the set where it holds."""
    told = [v for v in d.inputs if v.attrs[0] in names and facts_of(v) and RESTRICTED not in facts_of(v)]
    if not program.facts and not told:
        return program, d
    plain, _ = without_facts(replace(program, facts=(), given=None), names)
    goal = next(q.var for q in plain.equations if q.name == d.target.attrs[0])
    definitions = [Definition(q.var, q.rhs, q.surface, q.index_form is not None, q.notes) for q in plain.equations]
    found = derive(definitions, plain.inputs, goal, [v for v in plain.inputs if v.attrs[0] in names])
    found.steps = list(checked(found.steps, None))
    confirm(problem_of(found, plain))
    return plain, found


def _proved(program: Program, d: Derivation, names: Sequence[str]) -> Curvature:
    """H p, every step and the whole confirmed. Raises CheckFailed, UnsupportedError for what has no second derivative."""
    inputs = {str(v.attrs[0]): v for v in d.inputs}
    wrt = [inputs[n] for n in names]
    found = curvature(d, wrt)
    memo = Memo()
    for s in (*found.source.steps, *found.derivation.steps):
        check(s, memo)
    user = problem_of(d, program).forward
    known = {v for v, _ in user}
    forward = [
        *user,
        *((q.var, q.value) for q in found.source.definitions if q.var not in known),
        (found.slope.var, found.slope.value),
    ]
    second = found.derivation
    confirm(Problem(forward=forward, helpers=[(q.var, q.value) for q in second.core.equations if q.auxiliary],
                    backward=[(b.of, b.value) for b in second.backward], target=found.slope.var, seed=None, inputs=second.inputs,
                    probed=wrt))  # fmt: skip
    return found
