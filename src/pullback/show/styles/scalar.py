"""S4: one number at a time. Every entry at small sizes, the scalar chain rule, and the arrays put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from ..document import Calc, Cell, Document, Head, Line, Para, Sentence, Table, join, math, plain, said
from .common import Reasons, mixed, numbered, own_checks
from .ending import conditions, notes, results, why
from .opening import opening
from .pairing import written_out

__all__ = ["scalar"]

Json = Mapping[str, Any]
Part = Head | Para | Calc | Table
_WIDTH = 92
_BLOCKS = 24  # equations that are shown entry by entry


class _Writer(Reasons):
    repeats = True

    def block(self, number: int, home: str, steps: list[Json]) -> Iterator[Part]:
        yield numbered(number, self.core[home]["equation"])
        for s in steps:
            if s["kind"] == "entries":
                if s["array"] or s["rows"][0]["right"]["text"] != self.core[home]["right"]["text"]:
                    yield from self.rows(s, False)
                continue
            yield from self.rows(s, True)
            yield Calc(join(["⇒"]), (Line("", self.reason(s), join([s["left"], "=", s["right"]])),))

    def rows(self, s: Json, grid: bool) -> Iterator[Part]:
        """One entry a line; the derivatives by a matrix in its rows and columns, where there is room."""
        cells = [join([x["left"], "=", x["right"]]) for x in s["rows"]]
        if grid and len(s["array"]) == 2 and not s["rows_left_out"] and s["array"][1] > 1:
            columns = s["array"][1]
            lines = [cells[k : k + columns] for k in range(0, len(cells), columns)]
            widths = [max(len(line[c].text) for line in lines) for c in range(columns)]
            if sum(widths) + 3 * columns <= _WIDTH:
                yield Table(tuple(tuple(line) for line in lines))
                return
        rows: list[tuple[Cell, ...]] = [(math(x["left"]), join(["=", x["right"]])) for x in s["rows"]]
        if s["rows_left_out"]:
            more = s["rows_left_out"]
            rows.append((join(["…"]), Cell(f"({more} more)", f"({more} more)", rf"\text{{({more} more)}}")))
        yield Table(tuple(rows), gap=1)


def _sizes(sizes: Json) -> str:
    return ", ".join(f"{k} = {v}" for k, v in sizes.items())


def _derivation(record: Json, level: int) -> Iterator[Part]:
    made = record["scalar"]
    w = _Writer(record, level)
    order = [(home, list(group)) for home, group in groupby(made["steps"], key=lambda s: s["premises"][0])]
    left_out = len(order) - _BLOCKS
    for n, (home, steps) in enumerate(order, 1):
        if left_out > 1 and _BLOCKS // 2 < n <= len(order) - _BLOCKS // 2:
            if n == _BLOCKS // 2 + 1:
                yield Para(plain(f"({left_out} equations are left out here; they were worked out in the same way, and are in the JSON record)"))  # fmt: skip
            continue
        yield from w.block(n, home, steps)
    if made["left_out"]:
        yield Head(plain("NOT WRITTEN OUT"), 3)
        for name, reason in list(made["left_out"].items())[:12]:
            yield Para(mixed(f"{name}: {reason}", frozenset(made["left_out"])), bullet="– ")
        if len(made["left_out"]) > 12:
            yield Para(plain(f"and {len(made['left_out']) - 12} more"), bullet="– ")


def _numbers(record: Json) -> Iterator[Part]:
    n = record["scalar"].get("numbers")
    if n is None:
        return
    yield Head(plain("NUMBERS"))
    if n["none"]:
        yield Para(mixed(f"No numbers: {n['none']}."))
        return
    for f in n["functions"]:
        yield Para(said(f))
    inputs = {x["name"] for x in record["names"] if x["role"] == "input"}
    inputs |= {v["name"] for v in n["values"]} - {q["name"] for q in record["core"]}
    for given_ in (True, False):
        rows = [(math(v["left"]), join(["=", v["right"]])) for v in n["values"] if (v["name"] in inputs) is given_]
        if rows:
            yield Table(tuple(rows), gap=1)
    shown = {b["name"] for b in record["backward"] if not b["trivial"]}
    rows = [(math(g["left"]), join(["=", g["right"]])) for g in n["gradients"] if g["name"] in shown]
    if rows:
        yield Table(tuple(rows), gap=1)
    if n["changes"]:
        yield Para(_changed(n["target"]))
        yield Table(tuple((math(c["left"]), join(["⇒", c["right"]])) for c in n["changes"]), gap=2)


def _changed(target: Json) -> Sentence:
    """What the lines below are."""
    lead = "A check without any derivative: one entry is changed by h, and the equations are computed again. "
    tail = "; the number in front of h is the slope, and it is that entry of the gradient."
    left, right = target["left"], target["right"]
    return Sentence(
        f"{lead}{left['text']} was {right['text']}{tail}",
        f"{lead}{left['ascii']} was {right['ascii']}{tail}",
        f"{lead.replace(' h,', ' $h$,')}${left['latex']}$ was ${right['latex']}${tail.replace(' h ', ' $h$ ')}",
    )


def scalar(record: Json, level: int) -> Document:
    """The derivation entry by entry at small sizes, with numbers if the view asks for them."""
    doc = opening(record, level, "Backward equations, one number at a time")
    made = record.get("scalar")
    sizes = _sizes(made["sizes"]) if made else ""
    doc.parts.append(Head(mixed("DERIVATION, ENTRY BY ENTRY" + (f", {sizes}" if sizes else ""))))
    if not made:
        doc.parts.append(Para(plain("This record holds no derivation entry by entry.")))
    else:
        doc.parts += _derivation(record, level)
        doc.parts += written_out(record, level)
        if record.get("view", {}).get("numbers"):
            doc.parts += _numbers(record)
    if level >= 3:
        doc.parts += why(record)
    doc.parts += results(record)
    doc.parts += conditions(record)
    doc.parts += notes(record, level)
    if made:
        doc.parts += own_checks(made["steps"])
    return doc
