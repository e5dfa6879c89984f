"""That all readings agree, in the record and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..proof.agreement import Agreement
from .document import Sentence, capital, plain

__all__ = ["agreement_record", "agreement_said"]

_HOW = {
    "PROVED-CANON": "canonically equal",
    "TESTED-MODP": "equal modulo 2^61-1 at random points",
    "PROVED-SIZE": "equal as polynomials in the entries, at sizes that prove it for all",
    "EXACT-SIZE": "equal as polynomials in the entries at the sizes shown",
}


def agreement_record(found: Sequence[Agreement]) -> list[dict[str, Any]]:
    return [{"style": a.style, "levels": dict(a.levels), "left_out": a.left_out} for a in found]


def agreement_said(found: Sequence[Mapping[str, Any]]) -> Sentence:
    """One sentence about the comparison that was made."""
    names = [a["style"] for a in found]
    total = max((sum(a["levels"].values()) + a["left_out"] for a in found), default=0)
    listed = ", ".join(names[:-1]) + " and " + names[-1]
    parts = []
    for level in dict.fromkeys(k for a in found for k in a["levels"]):
        who = ", ".join(f"{a['style']} {a['levels'][level]}" for a in found if level in a["levels"])
        parts.append(f"{_HOW.get(level, level)} ({level}): {who}")
    left = ", ".join(f"{a['style']} {a['left_out']}" for a in found if a["left_out"])
    tail = f"; not compared, because not written out: {left}" if left else ""
    text = f"READINGS: the results of {listed} were compared name by name with the table above, {total} names. {capital('; '.join(parts))}{tail}"
    return plain(text, text)
