"""The ops, grouped by field; importing this package declares them all."""

from . import arithmetic, entrywise, free, matrix, reduction, series, structure

__all__ = ["arithmetic", "entrywise", "free", "matrix", "reduction", "series", "structure"]
