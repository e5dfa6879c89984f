"""The ops, grouped by field; importing this package declares them all."""

from ..op import REGISTRY
from . import (
    activations,
    arithmetic,
    defined,
    entrywise,
    free,
    learning,
    linalg,
    matrix,
    piecewise,
    reduction,
    series,
    special,
    structure,
    trigonometric,
)

__all__ = [
    "REGISTRY",
    "activations",
    "arithmetic",
    "defined",
    "entrywise",
    "free",
    "learning",
    "linalg",
    "matrix",
    "piecewise",
    "reduction",
    "series",
    "special",
    "structure",
    "trigonometric",
]
