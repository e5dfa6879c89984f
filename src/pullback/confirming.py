"""Evidence for a derivation: every step by itself, and what FINAL compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .calculus.derivation import Derivation
from .language.program import Program
from .proof.claim import Memo, check
from .proof.final import Problem
from .step import Step

__all__ = ["checked", "problem_of"]


def checked(steps: Sequence[Step], progress: Callable[[str, float], None] | None) -> Iterator[Step]:
    """The steps with their evidence; `progress` hears of every hundredth."""
    memo = Memo()
    for k, s in enumerate(steps):
        if progress is not None and k % 100 == 0:
            progress("checking steps", k / len(steps))
        yield check(s, memo)
    if progress is not None:
        progress("checking steps", 1.0)


def problem_of(d: Derivation, program: Program) -> Problem:
    """The program up to its target, and the gradients claimed for it."""
    stop = next(k for k, q in enumerate(program.equations) if q.var is d.target)
    return Problem(
        forward=[(q.var, q.rhs) for q in program.equations[: stop + 1]],
        helpers=[(q.var, q.value) for q in d.core.equations if q.auxiliary],
        backward=[(b.of, b.value) for b in d.backward],
        target=d.target,
        seed=d.seed,
        inputs=d.inputs,
        probed=[b.of for b in d.backward if not b.auxiliary],
        facts=program.facts,
    )
