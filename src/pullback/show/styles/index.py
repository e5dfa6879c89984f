"""S3: index notation. The chain rule in sums over indices, δ eliminated, then read back as matrices."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from ..document import Calc, Document, Head, Line, Para, Reason, join, math, plain, said
from .common import conditions, given, mixed, notes, results, small_sizes, why

__all__ = ["index"]


def index(record: Mapping[str, Any], level: int) -> Document:
    """The derivation in index notation, one calculation for each name."""
    doc = Document(mixed(record["header"]["title"] or "Backward equations, in index notation"))
    doc.parts += given(record, level)
    doc.parts.append(Head(plain("DERIVATION")))
    steps = record["index_steps"]
    if not steps:
        doc.parts.append(Para(plain("This record holds no derivation in index notation.")))
    told: set[str] = set()
    for about, group in groupby(steps, key=lambda s: s["about"]):
        found = list(group)
        name = next((b["left"] for b in record["backward"] if b["name"] == about), None)
        doc.parts.append(Head(join([name]) if name else mixed(about), 3))
        lines = []
        for s in found:
            reason = None
            if level >= 2:
                levels = ("terse",) if level < 3 else ("terse", "explain", "teach")
                words = [
                    s["why"][k]
                    for k in levels
                    if s["why"][k] and (k == "terse" or s["why"][k]["text"] not in told)
                ]
                told.update(w["text"] for w in words)
                reason = Reason(tuple(s["rules"]), tuple(said(w) for w in words))
            if not s["silent"] and s["right"]:
                lines.append(Line(s["relation"], reason, math(s["right"])))
        if level < 2 and lines:
            lines = lines[-1:]
        if found[0]["left"]:
            doc.parts.append(Calc(math(found[0]["left"]), tuple(lines)))
    if level >= 3:
        doc.parts += why(record)
    if level >= 4:
        doc.parts += small_sizes(record)
    doc.parts += results(record)
    doc.parts += conditions(record)
    doc.parts += notes(record, level)
    return doc
