"""S1: differentials and pairings. dE = Σ⟨∇v, dv⟩, the last-computed increment eliminated first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from ..document import (
    Calc,
    Cell,
    Document,
    Head,
    Line,
    Para,
    Reason,
    Sentence,
    Table,
    join,
    math,
    plain,
    said,
)
from .common import for_all, mixed, numbered, regrouping, taken_in
from .ending import ending
from .induction import induction
from .opening import opening

__all__ = ["pairing", "written_out"]

Json = Mapping[str, Any]


class _Writer:
    def __init__(self, record: Json, level: int) -> None:
        self.r, self.level = record, level
        self.steps: dict[str, Json] = {s["id"]: s for s in record["steps"]}
        self.objective = record["header"]["objective"]
        self.d = Cell(
            "d" + self.objective["name"],
            "d" + self.objective["ascii"],
            rf"\mathrm{{d}}{self.objective['latex']}",
        )
        self.told: set[str] = set()
        self.core = {q["name"]: q for q in record["core"]}

    def reason(self, step: Json, *levels: str) -> Reason | None:
        """The rules of a step, with as much reason as the level asks for; nothing is explained twice."""
        if self.level < 2:
            return None
        sentences: list[Sentence] = []
        for n, name in enumerate(levels):
            words = step["why"][name]
            if words is None or (n and self.level < 3):
                continue
            if words["text"] in self.told and (n or name == "explain"):
                continue
            if n or name == "explain":
                self.told.add(words["text"])
            if n and step["unit"]:
                continue
            sentences.append(said(words))
        return Reason(tuple(step["rules"]), tuple(sentences))

    def block(self, number: int, b: Json) -> Iterator[Head | Para | Calc | Table]:
        differential, substitute = self.steps[b["differential"]], self.steps[b["substitute"]]
        equation = self.core[b["name"]]
        yield numbered(number, equation["equation"], for_all(equation))
        if self.level >= 2:
            yield Calc(
                math(differential["left"]),
                (Line("=", self.reason(differential, "explain", "teach"), math(differential["right"])),),
            )
        rest = [math(p) for p in b["waiting"]]
        if b["waiting_more"]:
            more = b["waiting_more"]
            rest.append(
                Cell(
                    f"… ({more} more, unchanged)",
                    f"... ({more} more, unchanged)",
                    rf"\ldots\ \text{{({more} more, unchanged)}}",
                )
            )
        first = (
            join([self.d, "=", _plus([math(substitute["left"]), *rest])]) if b["frontier"] else math(substitute["left"])
        )
        lines = []
        if substitute["right"]["text"] == differential["right"]["text"]:  # paired with 1: dE is the differential itself
            first = (
                join([self.d, "=", _plus([math(substitute["right"]), *rest])])
                if b["frontier"]
                else math(substitute["right"])
            )
        else:
            lines.append(
                Line("=", self.reason(substitute, "terse", "teach"), _plus([math(substitute["right"]), *rest]))
            )
        moved = [self.moves(c) for c in b["chains"]]
        last = _plus([*(self.final(c) for c in b["chains"]), *rest])
        whole = join([self.d, "=", last]) if b["frontier"] else last
        if self.level < 2:
            yield Calc(first, (Line("=", None, last),) if first.text != whole.text else ())
        elif len(moved) == 1 and not rest:
            if lines or moved[0]:
                yield Calc(first, (*lines, *moved[0]))
        else:
            if lines or rest:
                yield Calc(first, tuple(lines))
            for c, steps in zip(b["chains"], moved, strict=True):
                if steps:
                    yield Calc(math(c["term"]), steps)
            if b["frontier"] and any(moved):  # dE with every increment of this equation bare
                yield Calc(whole)
        for done in b["concluded"]:
            yield from self.conclusion(done)

    def order(self) -> Iterator[Para]:
        """Why the last computed increment is eliminated first: cost, and nothing else."""
        shapes = {n["name"]: n["shape"] for n in self.r["names"]}
        pairs = [(b["name"], c["of"]) for b in self.r["blocks"] for c in b["chains"]
                 if shapes.get(b["name"]) and shapes.get(c["of"]) and "D-FUN" not in self.steps[b["differential"]]["rules"]]  # fmt: skip
        said = (
            "The increment computed last is eliminated first. Any order gives the same gradients, since they are unique"
        )
        if pairs:
            v, x = max(pairs, key=lambda p: len(shapes[p[0]] + shapes[p[1]]))
            jacobian, gradient = (" · ".join(f"({s})" if " " in s else s for s in sizes)
                                  for sizes in (shapes[v] + shapes[x], shapes[x]))  # fmt: skip
            said += f"; this one is cheap: ∂{v}/∂{x}, with {jacobian} entries, is never formed, only the gradient of {x}, with {gradient}"
        yield Para(mixed(said + ".", taken_in(self.r)))

    def final(self, chain: Json) -> Cell:
        return math(self.steps[chain["moves"][-1]]["right"]) if chain["moves"] else math(chain["term"])

    def moves(self, chain: Json) -> tuple[Line, ...]:
        steps = [self.steps[m] for m in chain["moves"]]
        return tuple(Line("=", self.reason(m, "terse", "teach"), math(m["right"])) for m in steps if not m["silent"])

    def conclusion(self, done: Json) -> Iterator[Calc]:
        lines: list[Line] = []
        step = self.steps[done["readoff"]]
        first = math(step["left"])
        where = for_all(step)
        result = join([first, "=", step["right"]])
        if where:
            result = Cell(
                f"{result.text}   {where.text}",
                f"{result.ascii}   {where.ascii}",
                rf"{result.latex} \qquad {where.latex.strip('$')}",
            )
        if self.level < 2:
            yield Calc(join(["⇒"]), (Line("", None, result),))
            return
        for k in done["before"]:
            s = self.steps[k]
            if not s["silent"]:
                lines.append(Line("=", self.reason(s, "terse", "teach"), math(s["right"])))
        if not lines:
            yield Calc(
                join(["⇒"]),
                (Line("", self.reason(step, "terse", "explain", "teach"), result),),
            )
            return
        if where:
            lines[-1] = _for(lines[-1], where)
        yield Calc(
            join(["⇒", first]),
            (*lines[:-1], _with(lines[-1], self.reason(step, "terse", "explain", "teach"))),
        )

    def written_out(self) -> Iterator[Head | Para | Calc | Table]:
        values = {b["name"]: b["value"] for b in self.r["backward"]}
        for kind, title in (
            ("inline", "OUR OWN NAMES WRITTEN OUT"),
            ("blocks", "FOLDED AND SEPARATE AGREE, BLOCK BY BLOCK"),
        ):
            steps = [s for s in self.r["steps"] if s["kind"] == kind]
            if steps:
                ours = kind != "inline" or all("S-INLINE" in s["rules"] for s in steps)
                yield Head(plain(title if ours else "WRITTEN SHORTER"))
            for name, same in groupby(steps, key=lambda s: str(s["about"])):
                chain = list(same)
                yield Calc(
                    join([chain[0]["left"], "=", values[name]]),
                    tuple(Line("=", self.reason(s, "terse", "explain", "teach"), math(s["right"])) for s in chain),
                )


def _for(line: Line, where: Sentence) -> Line:
    """The line with the values of the index for which it holds."""
    c = line.right
    right = Cell(
        f"{c.text}   {where.text}", f"{c.ascii}   {where.ascii}", rf"{c.latex} \qquad {where.latex.strip('$')}"
    )
    return Line(line.relation, line.reason, right)


def _with(line: Line, reason: Reason | None) -> Line:
    if reason is None or line.reason is None:
        return line
    rules = (*line.reason.rules, *reason.rules)
    return Line(line.relation, Reason(rules, (*line.reason.said, *reason.said)), line.right)


def _plus(cells: list[Cell]) -> Cell:
    """A sum of formulas; one that starts with a minus sign is subtracted."""
    out = cells[0]
    for c in cells[1:]:
        if c.ascii.startswith("-"):
            out = join([out, Cell("− " + c.text[1:], "- " + c.ascii[1:], "- " + c.latex[1:])])
        else:
            out = join([out, "+", c])
    return out


def written_out(record: Json, level: int) -> Iterator[Head | Para | Calc | Table]:
    """Names of ours put back into the results, and blocks compared with what they were made of."""
    return _Writer(record, level).written_out()


def pairing(record: Json, level: int) -> Document:
    """The derivation by differentials and pairings. Levels: 1 frontiers, 2 reasons, 3 proofs, 4 entries."""
    w = _Writer(record, level)
    doc = opening(record, level, "Backward equations, by differentials and pairings")
    doc.parts.append(Head(plain("DERIVATION")))
    if level >= 3:
        doc.parts += [*w.order(), *regrouping(record)]
    for n, b in enumerate(record["blocks"], 1):
        doc.parts += w.block(n, b)
    doc.parts += w.written_out()
    doc.parts += induction(record, level)
    doc.parts += ending(record, level)
    return doc
