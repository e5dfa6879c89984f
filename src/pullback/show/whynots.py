"""The section WHY NOT: one plausible wrong form of each backward equation, and the numbers that refute it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..algebra.expr import Expr
from ..algebra.ops.matrix import pair
from ..proof.whynot import WhyNot
from .document import Calc, Head, Para, Sentence, Table, join, math, plain, said
from .indices import subscript
from .names import ascii_text, latex_name
from .numbers import array, nested, number, place, polynomial
from .prose import fill, prose_latex

__all__ = ["why_not_record", "why_nots"]

Json = dict[str, Any]
Part = Head | Para | Calc | Table

_WORDS = {
    "mean": "with the mean for the sum",
    "sum": "with the sum for the mean",
    "untranspose": "without the transpose",
    "transpose": "with $part transposed",
    "swap": "with the factors in the other order",
    "product HAD": "with ⊙ for the matrix product",
    "product MUL": "with the matrix product for ⊙",
    "product OUTER": "with the outer product",
    "factor": "without the factor $part",
    "axes": "summed over another axis",
    "slope": "with another derivative for $part",
    "term": "without the term $part",
}


def why_not_record(
    w: WhyNot, math_of: Callable[[Expr], Json], taken: Any, objective: str, target: Expr, seed: Expr | None
) -> Json:
    """What the record holds of one answer."""
    c = w.found

    def extents(e: Expr) -> tuple[int, ...]:
        return tuple(d.value(c.sizes) for d in e.shape)

    def valued(e: Expr, values: Sequence[Any]) -> Json:
        shape = tuple(d.value(c.sizes) for d in e.shape)
        return {"name": math_of(e), "value": array(values, shape).as_dict(), "entries": nested(values, shape)}

    at = place(c.at, extents(w.of))
    words = _WORDS.get(w.kind, "changed")
    bind: dict[str, Any] = {"part": w.part} if w.part is not None else {}
    name = math_of(w.of)
    legs = [str(k) for k in at]
    entry = {t: name[t] + subscript(legs, t) for t in ("text", "ascii")}
    inner = f"({name['latex']})" if "_{" in name["latex"] and legs else name["latex"]
    entry["latex"] = inner + subscript(legs, "latex")
    return {
        "wrong": math_of(w.wrong),
        "written": None if w.instead is w.value else math_of(w.instead),
        "change": fill(words, bind, taken).as_dict(),
        "kind": w.kind,
        "alike": [f"{s} = {d}" for s, d in w.alike],
        "sizes": dict(c.sizes),
        "exact": c.exact,
        "least": c.least,
        "values": [valued(v, x) for v, x in c.values.items()],
        "functions": [{"text": f, "ascii": ascii_text(f), "latex": prose_latex(f)} for f in c.functions],
        "known": [valued(v, x) for v, x in w.known.items()],
        "true": {"value": array(c.left, extents(w.of)).as_dict(), "entries": nested(c.left, extents(w.of))},
        "false": {"value": array(c.right, extents(w.of)).as_dict(), "entries": nested(c.right, extents(w.of))},
        "entry": entry,
        "at": list(at),
        "at_true": number(c.left[c.at]).as_dict(),
        "at_false": number(c.right[c.at]).as_dict(),
        "objective": {"text": objective, "ascii": ascii_text(objective), "latex": latex_name(objective)},
        "target": math_of(target if seed is None else pair(seed, target)),
        "polynomial": None if w.polynomial is None else polynomial(w.polynomial).as_dict(),
    }


def _sentence(*parts: Any) -> Sentence:
    """Words (str) and formulas (mappings) in turn."""
    text, ascii, latex = "", "", ""
    for p in parts:
        if isinstance(p, str):
            text, ascii, latex = text + p, ascii + ascii_text(p), latex + prose_latex(p)
        else:
            text, ascii, latex = text + p["text"], ascii + p["ascii"], f"{latex}${p['latex']}$"
    return Sentence(text, ascii, latex)


def _running(trio: Mapping[str, str]) -> Sentence:
    return Sentence(trio["text"], trio["ascii"], trio["latex"])


def why_nots(record: Mapping[str, Any]) -> Iterator[Part]:
    """The section of a page; nothing if there is nothing to say."""
    answered = [b for b in record["backward"] if b.get("why_not")]
    if not answered:
        return
    yield Head(plain("WHY NOT SOMETHING ELSE"))
    smallest = "the smallest" if all(b["why_not"]["least"] for b in answered) else "small"
    yield Para(
        plain(
            f"Mistakes that are easily made, and {smallest} whole numbers at which each gives something else than the "
            "program does."
        )
    )
    names = {b["name"]: b for b in record["backward"]}
    for b in answered:
        yield from _one(b, b["why_not"])
    for b in record["backward"]:
        like = b.get("why_not_like")
        if like and like in names:
            yield Para(_sentence(b["left"], " = ", b["value"], ": as for ", names[like]["left"]), bullet="– ")


def _one(b: Mapping[str, Any], w: Mapping[str, Any]) -> Iterator[Part]:
    change = _running(w["change"])
    lead = _sentence("Why not ", b["left"], " = ", w["wrong"], ", ")
    yield Head(
        Sentence(f"{lead.text}{change.text}?", f"{lead.ascii}{change.ascii}?", f"{lead.latex}{change.latex}?"), 3
    )
    if w["written"]:
        yield Para(_sentence(b["left"], " = ", b["value"], " is ", w["written"], ", written out."))
    if w["alike"]:
        wanted = " and ".join(w["alike"])
        yield Para(_sentence(f"The shapes fit only if {wanted}: there, only the numbers can tell."))
    else:
        yield Para(plain("The shapes fit at all sizes: whoever only matches shapes cannot find this mistake."))
    sizes = ", ".join(f"{k} = {v}" for k, v in w["sizes"].items())
    yield Para(_sentence(f"With {sizes}:" if sizes else "For example:"))
    rows = [(math(v["name"]), join(["=", v["value"]])) for v in w["values"]]
    yield Table(tuple(rows), gap=1)
    for f in w["functions"]:
        yield Para(said(f), bullet="with ")
    known: list[Any] = []
    for v in w["known"]:
        known += [*([", "] if known else []), v["name"], " = ", v["value"]]
    if known:
        yield Para(_sentence(*known), bullet="so ")
    yield Table(
        (
            (join([b["left"], "=", w["true"]["value"]]), plain("the gradient")),
            (join([w["wrong"], "=", w["false"]["value"]]), plain("the mistake")),
        ),
        gap=3,
    )
    yield Para(_verdict(b, w))


def _verdict(b: Mapping[str, Any], w: Mapping[str, Any]) -> Sentence:
    slope = _derivative(w)
    if w["polynomial"]:
        still = "" if b["wrt"] else " and hold still what comes before it"
        verb = " becomes " if "h" in w["polynomial"]["ascii"] else " stays "
        return _sentence("The forward program decides. Move ", w["entry"], f" by h{still}: ", w["target"], verb, w["polynomial"], ", so ",
                         slope, " = ", w["at_true"], ", not ", w["at_false"], ".")  # fmt: skip
    return _sentence("The forward program decides: run with ", w["entry"], " moving, it has the slope ", w["at_true"],
                     ", not ", w["at_false"], "." if w["exact"] else " (rounded).")  # fmt: skip


def _derivative(w: Mapping[str, Any]) -> Mapping[str, str]:
    E, x = w["objective"], w["entry"]
    return {
        "text": f"∂{E['text']}/∂{x['text']}",
        "ascii": f"d{E['ascii']}/d{x['ascii']}",
        "latex": rf"\partial {E['latex']}/\partial {x['latex']}",
    }
