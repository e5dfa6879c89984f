"""The tape that a parser writes: the nodes of an expression, arguments before their node."""

from __future__ import annotations

from typing import Any

__all__ = ["Bound", "Node", "Tape", "is_one", "subscript", "sum_letters", "superscript"]

_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_SUMS = ("sum_", "Σ_", "∑_", "∑")


def superscript(text: str) -> int:
    return int(text.translate(_DIGITS))


class Node:
    """One step of the tape. `kids` are places on the tape; `value` belongs to the tag."""

    __slots__ = ("end", "kids", "start", "tag", "value")

    def __init__(self, tag: str, kids: tuple[int, ...], value: Any, start: int, end: int) -> None:
        self.tag, self.kids, self.value, self.start, self.end = tag, kids, value, start, end

    @property
    def open(self) -> bool:
        """Whether the node may leave a size to its surroundings."""
        return self.tag in ("shaped", "ones_index") or is_one(self)


Tape = list[Node]


def is_one(node: Node) -> bool:
    """Whether the node is the numeral 1."""
    return node.tag == "num" and bool(node.value == 1)


class Bound:
    """The indices that may be used at a point of an index equation; every binding has a label of its own."""

    def __init__(self, free: tuple[str, ...] = ()) -> None:
        self.free = free
        self.active: dict[str, str] = {i: i for i in free}
        self.taken: dict[str, int] = dict.fromkeys(free, 1)

    def bind(self, letter: str) -> str:
        count = self.taken[letter] = self.taken.get(letter, 0) + 1
        label = letter if count == 1 else f"{letter}{count}"
        self.active[letter] = label
        return label


def subscript(text: str) -> tuple[str, tuple[str, ...]] | None:
    """`W_ij` and `W_{i j}` as (W, (i, j)); None if the name carries no indices."""
    base, bar, tail = text.rpartition("_")
    letters = tail.strip("{}").replace(",", "").replace(" ", "")
    if not bar or not base or not letters.isalpha() or not letters.isascii() or len(letters) > 6:
        return None
    return base, tuple(letters)


def sum_letters(text: str) -> tuple[str, ...] | None:
    """The indices that `sum_ij` binds, or None if the name is not such a sum."""
    for head in _SUMS:
        if text.startswith(head):
            letters = text[len(head) :].strip("{}").replace(",", "").replace(" ", "")
            if letters.isalpha() and letters.isascii() and len(letters) <= 6:
                return tuple(letters)
    return None
