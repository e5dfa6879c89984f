"""Sliding windows of arrays: taken out of an axis, and added up again."""

from __future__ import annotations

from typing import Any

__all__ = ["fold_array", "fold_source", "unfold_array"]


def unfold_array(np: Any, X: Any, axis: int, width: int, stride: int, padding: int, dilation: int, count: int) -> Any:
    widths = [(0, 0)] * X.ndim
    widths[axis] = (padding, padding)
    places = stride * np.arange(count)[:, None] + dilation * np.arange(width)
    taken = np.take(np.pad(X, widths), places, axis=axis)
    return np.moveaxis(taken, axis + 1, -1)


def fold_source(np: Any, X: Any, axis: int, whole: int, stride: int, padding: int, dilation: int) -> Any:
    moved = np.moveaxis(X, axis, -2)  # (…, windows, entries)
    count, width = moved.shape[-2:]
    places = stride * np.arange(count)[:, None] + dilation * np.arange(width)
    room = stride * (count - 1) + dilation * (width - 1) + 1  # as far as the windows reach
    found = np.add_at(np.larger(whole + 2 * padding, room), places, moved)
    return np.moveaxis(found[..., padding : padding + whole], -1, axis)


def fold_array(np: Any, X: Any, axis: int, whole: int, stride: int, padding: int, dilation: int) -> Any:
    moved = np.moveaxis(X, axis, -2)  # (…, windows, entries)
    count, width = moved.shape[-2:]
    found = np.zeros((*moved.shape[:-2], max(whole + 2 * padding, stride * (count - 1) + dilation * (width - 1) + 1)))
    for k in range(width):
        found[..., dilation * k + stride * np.arange(count)] += moved[..., k]
    return np.moveaxis(found[..., padding : padding + whole], -1, axis)
