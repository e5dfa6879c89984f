"""What is declared of a value: symmetric, summing to one, positive, … ; yes or unknown, and unknown is never taken for yes.

A fact belongs to a name, as its shape does. A *subspace* fact may restrict the increments too: then the name ranges over
symmetric matrices only, and its gradient is the projection on these (theory.md §3.6).
"""

from __future__ import annotations

from fractions import Fraction

from .dims import Dim
from .expr import Expr
from .ops.free import RESTRICTED, facts_of

__all__ = ["FACTS", "SQUARE", "SUBSPACES", "holds", "restricted", "sums_to_one"]

# What may be said of a value in a text, and what is known then.
FACTS: dict[str, tuple[str, ...]] = {
    "symmetric": ("symmetric",),
    "skew": ("skew",),
    "antisymmetric": ("skew",),
    "posdef": ("symmetric", "posdef"),
    "positive_definite": ("symmetric", "posdef"),
    "spd": ("symmetric", "posdef"),
    "lower": ("lower",),
    "lower_triangular": ("lower",),
    "upper": ("upper",),
    "upper_triangular": ("upper",),
    "diagonal": ("symmetric", "diagonal"),
    "orthogonal": ("orthogonal",),
    "sums_to_one": ("sums_to_one",),
    "one_hot": ("sums_to_one",),
    "onehot": ("sums_to_one",),
    "simplex": ("positive", "sums_to_one"),
    "stochastic": ("positive", "sums_to_one"),
    "positive": ("positive",),
    "unit": ("positive", "unit"),
    "probability": ("positive", "unit"),
    "index": ("index",),  # whole numbers that name places of an axis, counted from 0; they do not move
}
SUBSPACES = ("symmetric", "skew", "lower", "upper", "diagonal")  # linear: the increments have the fact too
SQUARE = (*SUBSPACES, "posdef", "orthogonal")


def holds(fact: str, e: Expr) -> bool:
    """Whether the fact is declared of the named value `e`."""
    return fact in facts_of(e)


def restricted(e: Expr) -> tuple[str, ...]:
    """The subspace facts that the increments of a name have, () if it ranges over all tensors of its shape."""
    found = facts_of(e)
    return tuple(f for f in found if f in SUBSPACES) if RESTRICTED in found else ()


def sums_to_one(e: Expr) -> dict[tuple[int, ...], tuple[Fraction, dict[Dim, int]]]:
    """The axes along which the entries of a named value sum to one, by declaration: the last one."""
    return {(e.order - 1,): (Fraction(1), {})} if e.order and holds("sums_to_one", e) else {}
