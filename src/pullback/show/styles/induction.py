"""The proof that what was derived for one value of an index holds for all of them, as a proof is written: P, base, step, end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..document import Calc, Cell, Head, Line, Para, Reason, Sentence, join, math, plain, said

__all__ = ["induction"]

Json = Mapping[str, Any]
_TITLES = {"P": "P", "base": "base", "step": "step", "end": "conclusion", "order": "order"}


def induction(record: Json, level: int) -> Iterator[Head | Para | Calc]:
    """What dE is after every value of the index; nothing for a program without one."""
    steps = [s for s in record["steps"] if s["kind"] == "induction"]
    if not steps:
        return
    yield Head(plain("INDUCTION: FROM ONE VALUE OF THE INDEX TO ALL"))
    for s in steps:
        if level < 2 and s["relation"] not in ("P", "order"):
            continue
        first = said(s["why"]["terse"])
        words = [
            first,
            *(said(s["why"][k]) for k in ("explain", "teach") if s["why"][k] and level >= (2 if k == "explain" else 3)),
        ]
        yield Para(_led(_TITLES[s["relation"]], words[0]))
        if s["relation"] == "step":
            yield Calc(math(s["left"]), (Line("=", Reason(tuple(s["rules"])), math(s["right"])),), indent=8)
        elif s["right"] is not None:
            end = [" ∎"] if s["relation"] == "end" else []
            shown = join([s["left"], "=", s["right"]])
            yield Calc(Cell(shown.text + "".join(end), shown.ascii + (" QED" if end else ""),
                            shown.latex + (r"\quad\blacksquare" if end else "")), indent=8)  # fmt: skip
        for w in words[1:]:
            yield Para(w, indent=8)


def _led(title: str, s: Sentence) -> Sentence:
    if title == "P":
        return s
    return Sentence(f"{title}: {s.text}", f"{title}: {s.ascii}", f"\\textbf{{{title}}}: {s.latex}")
