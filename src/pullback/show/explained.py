"""What is explained of an op, a law, a rule or an error code, as a page; the derivation behind it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .document import Calc, Document, Head, Line, Para, Reason, Sentence, Table, math, plain, said
from .page import STYLES

__all__ = ["EXPLANATION_FORMAT", "document"]

EXPLANATION_FORMAT = "pullback-explanation/1"

Part = Head | Para | Calc | Table


def document(record: Mapping[str, Any]) -> Document:
    """The sections in their order, then the derivation, whose headings are its own."""
    doc = Document(said(record["title"]))
    for section in record["sections"]:
        doc.parts.append(Head(plain(section["title"])))
        doc.parts += _section(section)
    if record["derivation"] is not None:
        page = STYLES["pairing"]({**record["derivation"], "view": {}}, 2)
        doc.parts += [Head(plain(record["derived"]))]
        doc.parts += page.parts
    return doc


def _section(section: Mapping[str, Any]) -> Iterator[Part]:
    for item in section["items"]:
        if item["kind"] == "sentence":
            yield Para(said(item["said"]), bullet="– " if section["list"] else "")
        elif item["kind"] == "formula":
            yield Calc(math(item["left"]), (Line(item["relation"], None, math(item["right"])),))
        elif item["kind"] == "step":
            reason = Reason(tuple(item["rules"]), tuple(_words(item["why"])))
            yield Calc(math(item["left"]), (Line(item["relation"], reason, math(item["right"])),))


def _words(why: Mapping[str, str]) -> Iterator[Sentence]:
    if why["text"]:
        yield said(why)
