"""Sums of exponentials in the names that people have for them."""

from __future__ import annotations

from ...algebra.expr import Expr
from ...algebra.ops.entrywise import exp
from ...algebra.ops.learning import softmax
from ...algebra.ops.reduction import total
from ..law import law

Pair = tuple[Expr, Expr]


@law("x[n]")
def exponentials_over_sum(x: Expr) -> Pair:
    """exp(x) / Σ exp(x) is softmax(x), by definition."""
    return exp(x) / total(exp(x)), softmax(x, axis=0)
