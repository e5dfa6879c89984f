"""The named laws; importing this package declares them all."""

from . import basic, exponentials, linalg, projections

__all__ = ["basic", "exponentials", "linalg", "projections"]
