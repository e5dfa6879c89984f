"""Everything but the increment to the other side of the pairing: ⟨G, L d⟩ = ⟨L* G, d⟩ (theory.md §2.2, §3.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import is_var
from ..algebra.ops.matrix import inner
from ..errors import CheckFailed
from ..step import Claim, Step, Why
from .reason import instantiate, reason_of
from .simplify import simplify, tidy

__all__ = ["LinearityError", "bare", "move_all", "pairing"]


class LinearityError(CheckFailed):
    """A term does not have exactly one increment: the message names the factor."""

    def __init__(self, why: str) -> None:
        super().__init__("C007", f"internal error: {why}", hint="please report this program: the result is withheld")


@dataclass(frozen=True, slots=True)
class _At:
    cotangent: Expr
    term: Expr


def pairing(G: Expr, term: Expr) -> Expr:
    """⟨G, term⟩, printed as a pairing whatever the order."""
    return inner(G, term)


def bare(pair: Expr) -> Expr:
    """The pairing that a sum over an index is taken of."""
    while pair.op.binder:
        pair = pair.args[0]
    return pair


def _summed(pair: Expr, binders: list[Expr]) -> Expr:
    """The pairing under the sums that were passed on the way to it."""
    for e in reversed(binders):
        pair = Expr.make(e.op, (pair,), e.attrs, pair.shape)
    return pair


def _path(term: Expr) -> list[tuple[Expr, int]]:
    """The nodes from the root of `term` down to its one increment, each with the slot that leads on."""
    holds: dict[Expr, int] = {}
    for e in postorder(term):
        holds[e] = int(is_var(e, "d")) + sum(holds[a] for a in e.args)
    if holds[term] != 1:
        raise LinearityError(f"a term with {holds[term]} increments is not linear")
    path: list[tuple[Expr, int]] = []
    e = term
    while e.args:
        if e.op.linear is None and next(k for k, a in enumerate(e.args) if holds[a]) not in e.op.moves:
            raise LinearityError(f"an increment stands inside {e.op.name}, which is not linear")
        slot = next(k for k, a in enumerate(e.args) if holds[a])
        path.append((e, slot))
        e = e.args[slot]
    return path


def move_all(G: Expr, term: Expr, about: str, of: str) -> Iterator[Step]:
    """⟨G, term⟩ = … = ⟨H, d⟩, one named move per node of `term`; the last step's right side is ⟨H, d⟩."""
    here = _At(G, term)
    binders: list[Expr] = []
    for e, slot in _path(term):
        H = e.op.adjoints(e, here.cotangent)[slot]
        reason = reason_of(e, slot)
        bind: dict[str, Any] = {}
        statement = instantiate(reason.statement, e, slot, bind, G=here.cotangent)
        numbers = not e.order and not any(a.order for a in e.args)  # nothing is summed
        proof = "" if numbers else instantiate(reason.proof, e, slot, bind, G=here.cotangent)
        last = not e.args[slot].args
        H, laws = simplify(H) if last else tidy(H)
        left = _summed(pairing(here.cotangent, here.term), binders)
        if e.op.binder:
            binders.append(e)
        right = _summed(pairing(H, e.args[slot]), binders)
        yield Step(
            id="", kind="move", about=about, left=left, relation="=", right=right, rules=(reason.rule, *laws),
            why=Why(e.op.doc, statement, proof, bind), claim=Claim("EQ", left, right), premises=(of,),
        )  # fmt: skip
        here = _At(H, e.args[slot])
