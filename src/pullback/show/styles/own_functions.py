"""What a page says of the functions that its program defines: the definition, and the derivatives, derived once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..document import Calc, Head, Line, Para, Reason, Table, join, math, plain, said
from .common import Part, Reasons

__all__ = ["derivatives", "own_functions"]

Json = Mapping[str, Any]


def own_functions(record: Json, level: int) -> Iterator[Part]:
    """One calculation for each derivative: the change of the function, what is taken outside, and the derivative."""
    found = [f for f in record.get("own_functions", ()) if f["derivatives"]]
    if not found:
        return
    yield Head(plain("FUNCTIONS"))
    reasons = Reasons({"core": ()}, level)
    for f in found:
        yield Head(math(f["equation"]), 3)
        for d in f["derivatives"]:
            yield from _derivation(d, reasons, level)
        yield from (Para(said(c), bullet="– ") for c in f["conventions"])


def _derivation(d: Json, reasons: Reasons, level: int) -> Iterator[Part]:
    first, *between, last = d["steps"]
    if level < 2:
        yield Calc(join([d["equation"]]))
        return
    lines = [Line("=", _reason(s, reasons), math(s["right"])) for s in (first, *between) if not s["silent"]]
    yield Calc(math(first["left"]), tuple(lines))
    result = join([last["left"], "=", last["right"]])
    yield Calc(join(["⇒"]), (Line("", reasons.reason(last), result),))
    yield from (Para(said(c), bullet="where ") for c in first["conditions"])


def _reason(s: Json, reasons: Reasons) -> Reason | None:
    """For a differential, the rules of its parts; `terse` says nothing that the reader does not see."""
    if s["kind"] != "differential":
        return reasons.reason(s)
    words = [s["why"][k] for k in (("explain",) if reasons.level < 3 else ("explain", "teach")) if s["why"][k]]
    new = [said(w) for w in words if w["text"] not in reasons.told]
    reasons.told.update(w["text"] for w in words)
    return Reason(tuple(s["rules"]), tuple(new))


def derivatives(record: Json) -> Iterator[Part]:
    """The derivatives by themselves, below the results that use them."""
    rows = [(math(d["equation"]),) for f in record.get("own_functions", ()) for d in f["derivatives"]]
    if rows:
        yield Table(tuple(rows))
