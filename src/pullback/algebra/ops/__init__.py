"""The ops, grouped by field; importing this package declares them all."""

from ..op import REGISTRY
from . import arithmetic, entrywise, free, learning, linalg, matrix, reduction, series, structure

__all__ = ["REGISTRY", "arithmetic", "entrywise", "free", "learning", "linalg", "matrix", "reduction", "series", "structure"]
