"""The ops, grouped by field; importing this package declares them all."""

from ..op import REGISTRY
from . import arithmetic, defined, entrywise, free, learning, matrix, reduction, series, structure

__all__ = [
    "REGISTRY",
    "arithmetic",
    "defined",
    "entrywise",
    "free",
    "learning",
    "matrix",
    "reduction",
    "series",
    "structure",
]
