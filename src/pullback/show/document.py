"""What a page is made of, whatever it is printed in: headings, sentences, calculations, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Calc",
    "Cell",
    "Document",
    "Figure",
    "Head",
    "Item",
    "Line",
    "Para",
    "Reason",
    "Sentence",
    "Table",
    "capital",
    "join",
    "math",
    "plain",
    "said",
]

Trio = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """Text with formulas in it; `latex` is running text."""

    text: str
    ascii: str
    latex: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A formula; `latex` is mathematics without delimiters."""

    text: str
    ascii: str
    latex: str


Item = Sentence | Cell


@dataclass(frozen=True, slots=True)
class Head:
    title: Item
    level: int = 2


@dataclass(frozen=True, slots=True)
class Para:
    said: Sentence
    indent: int = 4
    bullet: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Rule names and why they may be used here."""

    rules: tuple[str, ...]
    said: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """`relation { reason } right` under the line before."""

    relation: str
    reason: Reason | None
    right: Cell


@dataclass(frozen=True, slots=True)
class Calc:
    """A calculation in Dijkstra's style: the first expression, then one line for each step."""

    first: Cell
    lines: tuple[Line, ...] = ()
    indent: int = 4


@dataclass(frozen=True, slots=True)
class Table:
    rows: tuple[tuple[Item, ...], ...]
    head: bool = False  # whether the first row names the columns
    gap: int = 3
    indent: int = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing in letters, Unicode and ASCII, and the same as a TikZ picture."""

    text: tuple[str, ...]
    ascii: tuple[str, ...]
    latex: str
    indent: int = 4


@dataclass(slots=True)
class Document:
    title: Item
    parts: list[Head | Para | Calc | Table | Figure] = field(default_factory=list)


def plain(text: str, ascii: str | None = None) -> Sentence:
    """A sentence without formulas that need typesetting."""
    return Sentence(text, text if ascii is None else ascii, text)


def capital(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def math(trio: Trio) -> Cell:
    return Cell(trio["text"], trio["ascii"], trio["latex"])


def said(trio: Trio) -> Sentence:
    return Sentence(trio["text"], trio["ascii"], trio["latex"])


def join(parts: Sequence[Any], between: str = " ") -> Cell:
    """Formulas and signs beside each other; a string is the same in all notations, but for a few signs."""
    signs = {
        "⇒": ("=>", r"\Rightarrow"),
        "≡": ("=", r"\equiv"),
        "…": ("...", r"\ldots"),
        "⟨": ("<", r"\langle"),
        "⟩": (">", r"\rangle"),
    }
    found = [[], [], []]  # type: list[list[str]]
    for p in parts:
        if isinstance(p, str):
            plain_one, tex = signs.get(p, (p, p))
            three = (p, plain_one, tex)
        elif isinstance(p, Mapping):
            three = (p["text"], p["ascii"], p["latex"])
        else:
            three = (p.text, p.ascii, p.latex)
        for k in range(3):
            found[k].append(three[k])
    return Cell(between.join(found[0]), between.join(found[1]), between.join(found[2]))
