"""Is left = right? Text with claims in, an answer to each out: proved, refuted by a counterexample, or only tested."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from .algebra.expr import postorder
from .errors import UnsupportedError
from .language.claims import Claims, parse_claims
from .proof.equality import Question, decide
from .proof.search import Counterexample
from .readings import functions_in
from .show.proofs import Asked, document, proof_record
from .shown import Shown
from .step import Evidence

__all__ = ["Proof", "prove"]


class Proof(Shown):
    """The answers to the claims of a text.

    `holds` is True if every claim holds, False if one is refuted, None if one could not be decided. `level` is the
    highest step of the equality tower that was needed (L0 to L5), "" where a claim is refuted.
    """

    document = document

    def __init__(self, claims: Claims, answers: list[Asked]) -> None:
        self.claims = claims
        self.answers = tuple(answers)

    @property
    def holds(self) -> bool | None:
        found = {q.verdict.holds for q in self.answers}
        return False if False in found else None if None in found else True

    def __bool__(self) -> bool:
        return self.holds is True

    @property
    def level(self) -> str:
        return "" if self.holds is False else max(q.verdict.level for q in self.answers)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(e for q in self.answers for e in q.verdict.evidence)

    @property
    def counterexample(self) -> Counterexample | None:
        """That of the first claim that has one."""
        return next((q.verdict.counterexample for q in self.answers if q.verdict.counterexample is not None), None)

    @cached_property
    def record(self) -> dict[str, Any]:
        """Everything that is shown, as plain data (docs/record.md)."""
        p = self.claims.program
        functions = functions_in(
            [e for c in self.claims.claims for e in (c.left, c.right)] + [q.rhs for q in p.equations]
        )
        return proof_record(
            self.answers,
            p.inputs,
            [(q.var, q.rhs) for q in p.equations],
            {
                "source": p.source,
                "dialect": p.dialect,
                "assumptions": p.assumptions,
                "functions": {
                    f: k for f, k in p.functions.items() if f not in {own.function.name for own in functions}
                },
            },
            functions,
        )

    def __repr__(self) -> str:
        words = {True: "holds", False: "does not hold", None: "not decided"}
        return "\n".join(f"{q.surface}: {words[q.verdict.holds]}" + (f" ({q.verdict.level})" if q.verdict.level else "")
                         for q in self.answers)  # fmt: skip


def prove(source: str, *, name: str = "<text>", dialect: str | None = None) -> Proof:
    """The claims of a text, each proved, refuted by the smallest counterexample in whole numbers, or only tested.

    A claim is a line `prove left = right`; without such a line, every equation whose left side is not a new name.

    >>> prove("A : (m, n); B : (n, p); (A B)ᵀ = Bᵀ Aᵀ")
    (A B)ᵀ = Bᵀ Aᵀ: holds (L1)
    >>> prove("A B = B A").counterexample.sizes
    {'n': 2}

    Raises ParseError, ShapeError, UnsupportedError (see docs/errors.md).
    """
    claims = parse_claims(source, name=name, dialect=dialect)
    p = claims.program
    sides = [e for c in claims.claims for e in (c.left, c.right)] + [q.rhs for q in p.equations]
    if p.ranges or any(e.op.binder for e in postorder(*sides)):
        raise UnsupportedError("U036", "claims about equations for every value of an index are not supported",
                               hint="number the names: z2 = W1 a1")  # fmt: skip
    where = {q.var: q.rhs for q in p.equations}
    answers = []
    for c in claims.claims:
        verdict = decide(Question(c.left, c.right, where, p.inputs, p.facts, claims.relations))
        answers.append(Asked(c.left, c.right, c.surface, c.indices, verdict))
    return Proof(claims, answers)
