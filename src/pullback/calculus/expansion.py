"""Every backward equation with indices, as a claim: the products that WHY shows are the matrix form (I-EXPAND)."""

from __future__ import annotations

from ..algebra.network import TooLarge
from ..algebra.ops.series import without_sums
from ..step import Claim, Step, Why
from .derivation import Derivation
from .products import Letters, index_terms, product_of, sum_of

__all__ = ["expansions"]


def expansions(d: Derivation) -> list[Step]:
    """One step for each backward equation of a user's name, none of them checked yet; of a sum over an index, for one term."""
    letters = Letters(dict.fromkeys([*d.inputs, *(q.var for q in d.core.equations)]))
    steps = []
    for k, b in enumerate(d.backward, 1):
        value = without_sums(b.closed)
        terms = index_terms(value)
        if terms is None:
            continue
        legs = letters.outs(b.of.shape)
        try:
            right = sum_of([product_of(t, letters.of(t, legs)) for t in terms], legs, b.of.shape)
        except TooLarge:
            continue
        steps.append(Step(
            id=f"x{k}", kind="expand", about=b.of.attrs[0], left=value, relation="=", right=right, rules=("I-EXPAND",),
            why=Why("the matrix form, entry by entry"), claim=Claim("EQ", value, right), ranges=b.ranges))  # fmt: skip
    return steps
