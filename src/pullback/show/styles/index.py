"""S3: index notation. The chain rule in sums over indices, δ eliminated, then read back as matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from ..document import Calc, Cell, Document, Head, Line, Para, join, math, plain
from .common import Reasons, own_checks
from .ending import ending
from .opening import opening

__all__ = ["index"]

Json = Mapping[str, Any]


class _Writer(Reasons):
    def group(self, steps: list[Json]) -> Iterator[Head | Calc]:
        """One name through one equation: ∂v/∂x, the chain rule, δ, and the way back to matrices."""
        first = steps[0]
        equation = self.core.get(first["premises"][0] if first["premises"] else "")
        where = join([first["gradient"], "from", equation["equation"]], "  ") if equation else math(first["gradient"])
        if equation:
            tex = rf"{first['gradient']['latex']} \quad\text{{from}}\quad {equation['equation']['latex']}"
            where = Cell(where.text, where.ascii, tex)
        yield Head(where, 3)
        whole = any(s["kind"] == "lift" for s in steps)
        lines: list[Line] = []
        start: Cell | None = None
        for s in steps:
            line = Line(s["relation"], self.reason(s), math(s["right"]))
            if s["kind"] == "partial":
                if self.level >= 2:
                    yield Calc(math(s["left"]), (line,))
            elif s["kind"] == "lift":
                if start is not None:
                    yield Calc(start, tuple(lines))
                    start = None
                yield Calc(join(["⇒"]), (Line("", line.reason, join([s["gradient"], "=", s["right"]])),))
            elif start is None:
                start = math(s["left"])
                if not whole and s["kind"] != "collect":
                    start = Cell(
                        f"contribution to {start.text}",
                        f"contribution to {start.ascii}",
                        rf"\text{{contribution to }} {start.latex}",
                    )
                lines = [line]
            elif not s["silent"]:
                lines.append(line)
        if start is not None:
            yield Calc(start, tuple(lines))


def index(record: Json, level: int) -> Document:
    """The derivation in index notation, one calculation for each name and each equation it occurs in."""
    doc = opening(record, level, "Backward equations, in index notation")
    doc.parts.append(Head(plain("DERIVATION")))
    if not record["index_steps"]:
        doc.parts.append(Para(plain("This record holds no derivation in index notation.")))
    writer = _Writer(record, level)
    for _, group in groupby(record["index_steps"], key=lambda s: (s["about"], s["premises"])):
        doc.parts += writer.group(list(group))
    doc.parts += ending(record, level)
    doc.parts += own_checks(record["index_steps"])
    return doc
