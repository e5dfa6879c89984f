"""Two programs related to each other, as a record and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._version import __version__
from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import is_var
from ..calculus.own_functions import OwnFunction
from ..step import Step
from .document import Calc, Document, Head, Para, Table, join, math, plain, said
from .evidence import evidence_of
from .notation import show
from .own_functions import own_functions_record
from .prose import fill
from .styles.common import definitions, mixed, shape
from .styles.own_functions import derivatives

__all__ = ["COMPARISON_FORMAT", "comparison_record", "document"]

COMPARISON_FORMAT = "pullback-comparison/1"

Json = dict[str, Any]
Part = Head | Para | Calc | Table
Equations = Sequence[tuple[Expr, Expr]]


def comparison_record(
    first: Equations,
    second: Equations,
    steps: Sequence[Step],
    assumptions: Sequence[str] = (),
    functions: Sequence[OwnFunction] = (),
) -> Json:
    """Everything that is shown, as plain data. Steps must have their evidence."""
    taken = frozenset(
        x.attrs[0] for side in (first, second) for q in side for e in q for x in postorder(e) if is_var(x)
    )

    def equation(v: Expr, value: Expr) -> Json:
        parts = (show(v, taken).as_dict(), show(value, taken).as_dict())
        return {
            "equation": {k: f"{parts[0][k]} = {parts[1][k]}" for k in parts[0]},
            "shape": [str(n) for n in v.shape],
        }

    return {
        "format": COMPARISON_FORMAT,
        "assumptions": list(assumptions),
        **({"own_functions": own_functions_record(functions, taken)} if functions else {}),
        "first": [equation(v, e) for v, e in first],
        "second": [equation(v, e) for v, e in second],
        "steps": [
            {
                "id": s.id,
                "kind": s.kind,
                "about": s.about,
                "left": show(s.left, taken).as_dict(),
                "relation": s.relation,
                "right": show(s.right, taken).as_dict(),
                "shape": [str(n) for n in s.left.shape],
                "rules": list(s.rules),
                "why": fill(s.why.terse, {}, taken).as_dict(),
                "evidence": [evidence_of(e) for e in s.evidence],
            }
            for s in steps
        ],
        "versions": {"pullback": __version__},
    }


_SECTIONS = (
    ("relation", "WHAT THE SECOND PROGRAM IS GIVEN"),
    ("value", "THE SAME VALUES"),
    ("gradient", "THE SAME GRADIENTS"),
    ("pairing", "FOR EVERY INPUT THE SAME CHANGE OF THE TARGET"),
)


def document(record: Mapping[str, Any]) -> Document:
    """Both programs, and line by line what the one is in terms of the other."""
    doc = Document(plain("One program in two conventions"))
    for key, title in (("first", "FIRST PROGRAM"), ("second", "SECOND PROGRAM (its names have the index 2)")):
        doc.parts.append(Head(mixed(title)))
        doc.parts.append(Table(tuple((math(q["equation"]), shape(q["shape"])) for q in record[key])))
    if record.get("own_functions"):
        doc.parts += [Head(plain("FUNCTIONS")), *definitions(record), *derivatives(record)]
    if record["assumptions"]:
        doc.parts.append(Head(plain("ASSUMED")))
        doc.parts += [Para(mixed(a), bullet="– ") for a in record["assumptions"]]
    for kind, title in _SECTIONS:
        steps = [s for s in record["steps"] if s["kind"] == kind]
        if steps:
            doc.parts.append(Head(plain(title)))
            doc.parts += _lines(steps)
    doc.parts.append(Head(plain("CHECKS")))
    doc.parts += _checks(record["steps"])
    return doc


def _lines(steps: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    yield Table(tuple((math(s["left"]), join(["=", s["right"]]), said(s["why"])) for s in steps), gap=2)


def _checks(steps: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    found: dict[str, tuple[str, int]] = {}
    for s in steps:
        for e in s["evidence"]:
            detail, n = found.get(e["level"], (e["detail"], 0))
            found[e["level"]] = (detail, n + 1)
    for level, (detail, n) in found.items():
        yield Para(mixed(f"{level}, {n} of {len(steps)} lines: {detail}"), bullet="– ")
