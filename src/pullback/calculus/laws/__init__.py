"""The named laws; importing this package declares them all."""

from . import basic

__all__ = ["basic"]
