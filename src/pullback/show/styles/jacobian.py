"""S2: Jacobians. The matrix of each linear map is named, a chain is a product of matrices, and a gradient its transpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from ..document import Calc, Cell, Document, Head, Line, Para, Sentence, capital, join, math, plain
from .common import Reasons, mixed, numbered, own_checks
from .ending import ending
from .opening import opening
from .pairing import written_out

__all__ = ["jacobian"]

Json = Mapping[str, Any]
Part = Head | Para | Calc

_LAYOUT = {
    "numerator": (
        "Numerator layout: a Jacobian has a row for each entry of what is differentiated and a column for each entry it is "
        "differentiated by, so that d«v» = (∂«v»/∂«x») d«x». In this reading ∂{E}/∂«x», a derivative of {E}, is a row, a chain is multiplied from left to right, "
        "and in the end the row is transposed: ∇«x» = (∂{E}/∂«x»)ᵀ."
    ),
    "denominator": (
        "Denominator layout: every Jacobian is the transpose of the matrix with d«v» = J d«x»; it has a row for each entry that is "
        "differentiated by. In this reading ∂{E}/∂«x», a derivative of {E}, is a column of the shape of «x», which is ∇«x», and a chain is multiplied from "
        "right to left."
    ),
}
_VEC = (
    "vec(«X») is the columns of «X» below each other, the first index running fastest. «A» ⊗ «B» is the matrix of the blocks "
    "«A»_ij «B». Then vec(«A» «X» «B») = («B»ᵀ ⊗ «A») vec(«X»)."
)
_RVEC = "rvec(«X») is the rows of «X» one after the other; rvec(«A» «X» «B») = («A» ⊗ «B»ᵀ) rvec(«X»)."


def _sentence(text: str, record: Json) -> Sentence:
    """A general statement, in letters that are no names of the program."""
    letters: Mapping[str, str] = record["jacobian"]["letters"]
    for role, letter in letters.items():
        text = text.replace(f"«{role}»", letter)
    return mixed(text, frozenset(letters.values()) | {record["header"]["objective"]["name"]})


class _Writer(Reasons):
    def words(self, s: Json) -> list[Json]:
        return [s["why"]["terse"], s["why"]["explain"]] if s["kind"] == "entries" else super().words(s)

    def line(self, s: Json) -> Line:
        return Line("=", self.reason(s), math(s["right"]))

    def block(self, number: int, steps: list[Json]) -> Iterator[Part]:
        yield numbered(number, self.core[steps[0]["premises"][0]]["equation"])
        maps = [s for s in steps if s["kind"] in ("jacobian", "entries", "rows")]
        for s in maps:
            if s["kind"] == "rows" and self.level < 2:
                continue
            yield Calc(math(s["left"]), (self.line(s),))
        rest = [s for s in steps if s["kind"] not in ("jacobian", "entries", "rows")]
        for _, group in groupby(rest, key=lambda s: s["about"]):
            yield from self.conclusion(list(group))

    def conclusion(self, steps: list[Json]) -> Iterator[Part]:
        """The Jacobian of the target as a product, then the gradient."""
        by = {s["kind"]: s for s in steps}
        result = by["result"]
        chain = [by[k] for k in ("chain", "put") if k in by]
        if chain and self.level >= 2:
            yield Calc(math(chain[0]["left"]), tuple(self.line(s) for s in chain))
        elif chain:
            yield Calc(math(chain[0]["left"]), (Line("=", None, math(chain[-1]["right"])),))
        stacked = [by[k] for k in ("turn", "value") if k in by]
        lines: list[Line] = []
        last = None
        for s in stacked:
            if last is not None and s["right"]["text"] == last:
                continue
            last = s["right"]["text"]
            lines.append(self.line(s))
        if result["right"]["text"] == last:  # a vector: nothing to unstack
            if not any(s["kind"] == "turn" for s in stacked):
                lines[-1] = Line("=", self.reason(result), lines[-1].right) if len(lines) == 1 else lines[-1]
            yield from self.concluded(math(result["left"]), lines)
            return
        if lines and self.level >= 2:
            yield Calc(math(stacked[0]["left"]), tuple(lines))
        yield from self.concluded(math(result["left"]), [self.line(result)])

    def concluded(self, left: Cell, lines: list[Line]) -> Iterator[Part]:
        if self.level < 2 or len(lines) == 1:
            yield Calc(join(["⇒"]), (Line("", lines[-1].reason, join([left, "=", lines[-1].right])),))
        else:
            yield Calc(join(["⇒", left]), tuple(lines))


def _mistakes(record: Json) -> Iterator[Part]:
    found = record["jacobian"]["mistakes"]
    if not found:
        return
    yield Head(plain("THE USUAL MISTAKES, AND WHAT REFUTES THEM"))
    for m in found:
        wrong, done, why_not = m["wrong"], m["done"], m["refuted"]
        yield Para(
            Sentence(
                f"{wrong['text']}: {done['text']}. {capital(why_not['text'])}.",
                f"{wrong['ascii']}: {done['ascii']}. {capital(why_not['ascii'])}.",
                f"${wrong['latex']}$: {done['latex']}. {capital(why_not['latex'])}.",
            ),
            bullet="– ",
        )


def jacobian(record: Json, level: int) -> Document:
    """The derivation by Jacobians, in the layout that the view asks for."""
    layout = record.get("view", {}).get("layout", "numerator")
    doc = opening(record, level, f"Backward equations, by Jacobians in {layout} layout")
    doc.parts.append(Head(plain("DERIVATION")))
    if not record.get("jacobian"):
        doc.parts.append(Para(plain("This record holds no derivation by Jacobians.")))
    else:
        steps = record["jacobian"][layout]
        doc.parts.append(Para(_sentence(_LAYOUT[layout].format(E=record["header"]["objective"]["name"]), record)))
        used = " ".join(s[side]["text"] for s in steps for side in ("left", "right"))
        if "vec(" in used:
            doc.parts.append(Para(_sentence(_VEC, record)))
        if "rvec(" in used and level >= 2:
            doc.parts.append(Para(_sentence(_RVEC, record)))
        if "|direct" in used:
            E = record["header"]["objective"]["name"]
            doc.parts.append(Para(mixed(f"A derivative of {E} marked direct is that of its own equation, every other name in it held still.", frozenset({E}))))  # fmt: skip
        writer = _Writer(record, level)
        for n, (_, group) in enumerate(groupby(steps, key=lambda s: s["premises"]), 1):
            doc.parts += writer.block(n, list(group))
        doc.parts += written_out(record, level)
        if level >= 2:
            doc.parts += _mistakes(record)
    doc.parts += ending(record, level, asides=False)
    if record.get("jacobian"):
        doc.parts += own_checks(record["jacobian"][layout])
    return doc
