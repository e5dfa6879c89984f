"""The named laws; importing this package declares them all."""

from . import basic, exponentials

__all__ = ["basic", "exponentials"]
