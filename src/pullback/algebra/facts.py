"""What is known of values: symmetric, summing to one, positive, … ; yes or unknown, and unknown is never taken for yes."""

from __future__ import annotations

from fractions import Fraction

from .dims import Dim
from .expr import Expr

__all__ = ["sums_to_one"]


def sums_to_one(e: Expr) -> dict[int, tuple[Fraction, dict[Dim, int]]]:
    """The axes along which the entries of a named value sum to one, by declaration."""
    return {}
