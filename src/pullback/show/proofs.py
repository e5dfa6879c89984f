"""The answer to a claim, as a record and as a page: proved, refuted with a counterexample, or only tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._version import __version__
from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import is_var
from ..calculus.own_functions import OwnFunction
from ..calculus.roles import Letters
from ..proof.equality import LEVELS, Verdict
from ..proof.search import Counterexample
from .document import Calc, Cell, Document, Head, Line, Para, Reason, Sentence, Table, join, math, plain, said
from .evidence import evidence_of
from .indices import indexed
from .names import ascii_text, latex_name
from .notation import Printed, show
from .numbers import array, nested, number, place
from .own_functions import own_functions_record
from .prose import fill, prose_latex
from .styles.common import definitions as given_functions
from .styles.common import mixed, shape
from .styles.own_functions import own_functions

__all__ = ["PROOF_FORMAT", "Asked", "document", "proof_record"]

PROOF_FORMAT = "pullback-proof/1"
_CHEAP = 60  # nodes above which no index sum is written

Json = dict[str, Any]
Part = Head | Para | Calc | Table


@dataclass(frozen=True)
class Asked:
    """A claim with its answer."""

    left: Expr
    right: Expr
    surface: str
    indices: tuple[str, ...] | None
    verdict: Verdict


# ---- the record


class _Recorder:
    def __init__(self, variables: Sequence[Expr]) -> None:
        self.taken = frozenset(v.attrs[0] for v in variables)
        self.letters = Letters(variables)

    def math(self, e: Expr) -> Json:
        return show(e, self.taken).as_dict()

    def claim(self, left: Expr, right: Expr, indices: tuple[str, ...] | None) -> Json:
        a, b = (
            (show(x, self.taken) if indices is None else indexed(x, indices, self.taken, self.letters))
            for x in (left, right)
        )
        return Printed(f"{a.text} = {b.text}", f"{a.ascii} = {b.ascii}", f"{a.latex} = {b.latex}").as_dict()

    def side(self, e: Expr, indices: tuple[str, ...] | None) -> Json:
        return self.math(e) if indices is None else indexed(e, indices, self.taken, self.letters).as_dict()

    def answer(self, q: Asked) -> Json:
        v = q.verdict
        left, right = v.full
        unfolded = left is not q.left or right is not q.right
        small = all(sum(1 for _ in postorder(x)) <= _CHEAP for x in (left, right))
        legs = q.indices or self.letters.outs(left.shape)
        return {
            "claim": self.claim(q.left, q.right, q.indices),
            "surface": q.surface,
            "shape": [str(n) for n in q.left.shape],
            "holds": v.holds,
            "level": v.level,
            "reason": LEVELS.get(v.level, ""),
            "unfolded": {"left": self.side(left, q.indices), "right": self.side(right, q.indices)}
            if unfolded and small
            else None,
            "index": None
            if not small or not v.holds
            else {
                "legs": list(legs),
                "left": indexed(left, legs, self.taken, self.letters).as_dict(),
                "right": indexed(right, legs, self.taken, self.letters).as_dict(),
            },
            "uses": [{"name": u.name, "statement": mixed_trio(u.statement)} for u in v.uses],
            "conditions": list(self.conditions(v)),
            "evidence": [evidence_of(e) for e in v.evidence],
            "counterexample": None if v.counterexample is None else self.counter(q, v.counterexample),
            "holds_at": [dict(s) for s in v.hidden],
        }

    def conditions(self, v: Verdict) -> Iterator[Json]:
        """What must hold for both sides to have a value, and for the equations that were used."""
        found: dict[str, Json] = {}
        for e in v.conditions:
            needs = e.op.jumps or (e.op.needs(e) if callable(e.op.needs) else e.op.needs)
            bind: dict[str, Any] = {n: a for (n, _), a in zip(e.op.slots, e.args, strict=False)}
            if not needs or any(not a.args and not is_var(a) for a in bind.values() if f"${_slot(bind, a)}" in needs):
                continue
            trio = fill(_scalar(needs, e), {**bind, **{str(k): a for k, a in enumerate(e.args)}}, self.taken).as_dict()
            found.setdefault(trio["text"], trio)
        for u in v.uses:
            if u.positive is not None:
                word = "every entry of $X is positive" if u.positive.order else "$X is positive"
                trio = fill(word, {"X": u.positive}, self.taken).as_dict()
                found.setdefault(trio["text"], trio)
        yield from found.values()

    def counter(self, q: Asked, c: Counterexample) -> Json:
        def extents(e: Expr) -> tuple[int, ...]:
            return tuple(d.value(c.sizes) for d in e.shape)

        out = extents(q.left)
        at = place(c.at, out)
        return {
            "sizes": dict(c.sizes),
            "exact": c.exact,
            "least": c.least,
            "values": [
                {
                    "name": self.math(v),
                    "value": array(values, extents(v)).as_dict(),
                    "entries": nested(values, extents(v)),
                }
                for v, values in c.values.items()
            ],
            "functions": [mixed_trio(f) for f in c.functions],
            "left": {"value": array(c.left, out).as_dict(), "entries": nested(c.left, out)},
            "right": {"value": array(c.right, out).as_dict(), "entries": nested(c.right, out)},
            "at": list(at),
            "at_left": number(c.left[c.at]).as_dict(),
            "at_right": number(c.right[c.at]).as_dict(),
        }


def _slot(bind: Mapping[str, Any], a: Expr) -> str:
    return next(n for n, x in bind.items() if x is a)


def _scalar(needs: str, e: Expr) -> str:
    """A number has no entries."""
    return needs.replace("every entry of ", "") if not e.order else needs


def mixed_trio(text: str) -> Json:
    """A sentence of ours in the three notations."""
    return {"text": text, "ascii": ascii_text(text), "latex": prose_latex(text)}


def proof_record(
    asked: Sequence[Asked],
    inputs: Sequence[Expr],
    definitions: Sequence[tuple[Expr, Expr]],
    header: Mapping[str, Any],
    functions: Sequence[OwnFunction] = (),
) -> Json:
    """Everything that is shown of the answers, as plain data (docs/record.md)."""
    r = _Recorder([*inputs, *(v for v, _ in definitions)])
    return {
        "format": PROOF_FORMAT,
        "header": {
            "source": str(header.get("source", "")),
            "dialect": str(header.get("dialect", "")),
            "assumptions": [fill(str(a), {}, r.taken).as_dict() for a in header.get("assumptions", ())],
            "functions": [
                {"name": str(k), "ascii": ascii_text(str(k)), "latex": latex_name(str(k)), "kind": str(v)}
                for k, v in dict(header.get("functions", {})).items()
            ],
        },
        **({"own_functions": own_functions_record(functions, r.taken)} if functions else {}),
        "names": [{"name": r.math(v), "shape": [str(n) for n in v.shape]} for v in inputs],
        "definitions": [
            {"equation": r.claim(v, value, None), "shape": [str(n) for n in v.shape]} for v, value in definitions
        ],
        "answers": [r.answer(q) for q in asked],
        "versions": {"pullback": __version__},
    }


# ---- the page


def document(record: Mapping[str, Any]) -> Document:
    """What is given, the claims, and the answer to each."""
    answers = record["answers"]
    doc = Document(mixed("Claims" if len(answers) > 1 else _title(answers[0])))
    doc.parts += _given(record)
    doc.parts += own_functions(record, 2)
    for n, a in enumerate(answers, 1):
        doc.parts += _answer(a, n if len(answers) > 1 else 0)
    return doc


def _title(a: Mapping[str, Any]) -> str:
    if a["holds"] is None:
        return "Not decided"
    return "It holds" if a["holds"] else "It does not hold"


def _given(record: Mapping[str, Any]) -> Iterator[Part]:
    header = record["header"]
    if not record["names"] and not record["definitions"]:
        return
    yield Head(plain("GIVEN"))
    yield from given_functions(record)
    if record["definitions"]:
        yield Table(tuple((math(q["equation"]), shape(q["shape"])) for q in record["definitions"]))
    if record["names"]:
        yield Table(tuple((math(n["name"]), shape(n["shape"])) for n in record["names"]))
    for f in header["functions"]:
        sentence = f"{f['name']}: {f['kind']}"
        yield Para(Sentence(sentence, ascii_text(sentence), f"${f['latex']}$: {prose_latex(f['kind'])}"))
    for a in header["assumptions"]:
        yield Para(said(a), bullet="assumed: ")


_WORDS = {
    "L0": "for all values and all sizes",
    "L1": "for all values and all sizes",
    "L2": "for all values and all sizes",
    "L3": "as far as tests can tell: the probability that a false equation passes them stands below",
    "L4": "for all values and all sizes",
}


def _answer(a: Mapping[str, Any], n: int) -> Iterator[Part]:
    yield Head(plain("CLAIM" if not n else f"CLAIM {n}"))
    yield Calc(math(a["claim"]))
    yield Head(plain("ANSWER" if not n else f"ANSWER {n}: {_title(a).lower()}"))
    if a["holds"] is False:
        yield from _counterexample(a)
    else:
        yield from _confirmed(a)
    if a["conditions"]:
        yield Head(plain("CONDITIONS"))
        yield from (Para(said(c), bullet="– ") for c in a["conditions"])
    yield Head(plain("CHECKS"))
    yield from (Para(mixed(f"{e['level']}: {e['detail']}"), bullet="– ") for e in a["evidence"])


def _confirmed(a: Mapping[str, Any]) -> Iterator[Part]:
    if a["holds"] is None:
        exact = any(e["level"] == "TESTED-MODP" for e in a["evidence"])
        yield Para(
            mixed(
                "Nothing here proves it, and nothing refutes it. Modulo a prime both sides are equal at the sizes below, but an "
                "equation may hold at these and fail at others: those that would decide cost too much to test, or are not "
                "known because of what is assumed (level L5)."
                if exact
                else "Nothing here proves it, and nothing refutes it: no canonical form, no test modulo a prime and no named "
                "equation decides it. It was only tested in floating point, which is no proof (level L5)."
            )
        )
    else:
        where = " for which the conditions below hold" if a["conditions"] and a["level"] != "L3" else ""
        yield Para(mixed(f"It holds {_WORDS[a['level']]}{where}. Level {a['level']}: {a['reason']}."))
    if a["unfolded"]:
        left, right = a["unfolded"]["left"], a["unfolded"]["right"]
        both = ", both sides are" if left == right else ""
        yield Para(plain(f"With the definitions and assumptions put in{both}:"))
        yield Calc(math(left) if left == right else join([left, "=", right]))
    if a["uses"]:
        yield Para(plain("Used:"))
        seen = {u["name"]: u for u in a["uses"]}
        yield from (Para(said(u["statement"]), bullet="– ") for u in seen.values())
    shown = {a["claim"]["text"].split(" = ")[0], a["unfolded"]["left"]["text"] if a["unfolded"] else ""}
    if a["index"] and a["level"] in ("L1", "L2") and a["index"]["left"]["text"] not in shown:
        legs = ", ".join(a["index"]["legs"])
        yield Para(
            mixed(
                f"Entry {legs if len(a['index']['legs']) == 1 else f'({legs})'} of each side:"
                if legs
                else "Each side with indices:"
            )
        )
        rows = [math(a["index"][side]) for side in ("left", "right")]
        same = a["index"]["left"] == a["index"]["right"]
        reason = Reason(("I-SWAP",), (plain("finite sums of products of numbers: the order does not matter"),))
        yield Calc(rows[0]) if same else Calc(rows[0], (Line("=", reason, rows[1]),))


def _counterexample(a: Mapping[str, Any]) -> Iterator[Part]:
    c = a["counterexample"]
    if c is None:
        yield Para(
            mixed(
                "It does not hold: the two sides differ at a random point. No counterexample in small whole numbers was found."
            )
        )
        return
    sizes = ", ".join(f"{k} = {v}" for k, v in c["sizes"].items())
    names = f", {sizes}" if sizes else ""
    which = "The smallest" if c["least"] else "A"
    yield Para(mixed(f"It does not hold. {which} counterexample{names}:"))
    rows: list[tuple[Any, ...]] = [(math(v["name"]), join(["=", v["value"]])) for v in c["values"]]
    if rows:
        yield Table(tuple(rows), gap=1)
    yield from (Para(said(f), bullet="with ") for f in c["functions"])
    left, right = plain("the left side"), plain("the right side")
    yield Table(((left, join(["=", c["left"]["value"]])), (right, join(["=", c["right"]["value"]]))), gap=1)
    at = ", ".join(map(str, c["at"]))
    if a["shape"]:
        where = join([c["at_left"], Cell("≠", "!=", r"\neq"), c["at_right"]])
        lead = f"They differ in entry {f'({at})' if len(c['at']) > 1 else at}: "
        yield Para(Sentence(lead + where.text, lead + where.ascii, f"{lead}${where.latex}$"))
    if a["holds_at"]:
        hidden = " and ".join(", ".join(f"{k} = {v}" for k, v in s.items()) for s in a["holds_at"])
        yield Para(mixed(f"At {hidden} it does hold (tested modulo a prime): too small a test would have accepted it."))
