"""The named laws; importing this package declares them all."""

from . import basic, exponentials, linalg

__all__ = ["basic", "exponentials", "linalg"]
