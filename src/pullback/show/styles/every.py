"""All readings in one document: what is common is shown once, and the results of the readings were compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..agreement import agreement_said
from ..document import Document, Head, Item, Para, Sentence
from .common import mixed

__all__ = ["Style", "together"]

Json = Mapping[str, Any]
Style = Callable[[Json, int], Document]
_Section = tuple[Head, list[Any]]
_OWN = "this reading, "
_NUMERAL = ("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")


def _sections(doc: Document) -> Iterator[_Section]:
    """The parts under each heading of the first rank."""
    found: list[_Section] = []
    for part in doc.parts:
        if isinstance(part, Head) and part.level < 3:
            found.append((part, []))
        elif found:
            found[-1][1].append(part)
    yield from found


def _is_own(head: Head) -> bool:
    return head.title.text.startswith("DERIVATION")


def together(styles: Mapping[str, Style]) -> Style:
    """The style that shows all of these, one after the other."""

    def every(record: Json, level: int) -> Document:
        doc = Document(mixed(f"Backward equations, in {len(styles)} readings"))
        frame: list[_Section] = []  # what the first reading shows around its derivation
        own: list[_Section] = []
        checks: list[Para] = []
        for n, (name, style) in enumerate(styles.items()):
            made = style(record, level)
            sections = list(_sections(made))
            if not frame:
                frame = [s for s in sections if not _is_own(s[0])]
            common = {h.title.text for h, _ in frame}
            mine = [s for s in sections if s[0].title.text not in common]
            for k, (head, parts) in enumerate(mine):
                own.append((Head(_title(n, name, made.title, head.title)) if not k else head, parts))
            checks += [_called(p, name) for p in made.parts if isinstance(p, Para) and p.said.text.startswith(_OWN)]
        before = next(
            (k for k, (h, _) in enumerate(frame) if h.title.text not in ("GIVEN", "NOTATION", "FUNCTIONS")), len(frame)
        )
        for head, parts in (*frame[:before], *own, *frame[before:]):
            doc.parts += [head, *parts]
        doc.parts += checks
        if record.get("agreement"):
            doc.parts.append(Para(agreement_said(record["agreement"]), bullet="– "))
        return doc

    return every


def _called(p: Para, name: str) -> Para:
    """What a reading rests on, with the name of the reading."""
    found = (x.replace(_OWN, f"{name}, ", 1) for x in (p.said.text, p.said.ascii, p.said.latex))
    return Para(Sentence(*found), p.indent, p.bullet)


def _title(n: int, name: str, title: Item, head: Item) -> Item:
    """READING TWO: BY JACOBIANS, and the sizes if the reading has any."""
    word = _NUMERAL[n] if n < len(_NUMERAL) else str(n + 1)
    _, comma, tail = title.text.partition(", ")
    sizes = re.search(r"(, \w+ = \d+)+$", head.text)
    return mixed(f"READING {word}: {(tail if comma else name).upper()}{sizes[0] if sizes else ''}")
