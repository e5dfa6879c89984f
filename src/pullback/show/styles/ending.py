"""What every style shows below its derivation: why, the results, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..document import Calc, Cell, Head, Item, Para, Sentence, Table, join, math, plain, said
from ..names import ascii_name, ascii_text
from ..whynots import why_nots
from .common import Part, mixed, ranged, shape, size_latex, taken_in
from .own_functions import derivatives

__all__ = ["conditions", "ending", "notes", "other_axes", "results", "small_sizes", "why"]

Json = Mapping[str, Any]


def why(record: Json) -> Iterator[Part]:
    """The role table of every backward equation, read off its index sums, and where the name is used."""
    yield Head(plain("WHY THE EQUATIONS LOOK LIKE THIS"))
    yield Para(mixed("Written with indices, each gradient is a finite sum of products. Where an index is left decides the "
                     "notation: in two factors and not kept, it is summed (matrix product); in two factors and kept, ⊙; in "
                     "one factor and kept, a free axis; in one factor and not kept, a sum."))  # fmt: skip
    yield from _same(record)
    for b in record["backward"]:
        if not _explained(b):
            continue
        yield Head(join([b["left"], "=", b["closed"]]), 3)
        if b["index"]:
            yield Calc(join([b["index"]["left"], "=", b["index"]["right"]]))
        if b["roles"] is None:
            yield Para(plain("too many index sums to be written out one by one"))
        else:
            yield from _roles(b)
        for u in b["used"]:
            yield Para(said(u), bullet="– ")


def _same(record: Json) -> Iterator[Part]:
    """That the index forms are the matrix forms, and that the chain rule on single numbers gives the same."""
    shown = [b for b in record["backward"] if _explained(b)]
    forms = [{e["level"] for e in b["index"]["evidence"]} for b in shown if b["index"]]
    said = ""
    if forms and all("PROVED-CANON" in f for f in forms):
        said = "Each index form below has the same canonical network as its matrix form (I-EXPAND: PROVED-CANON)."
    elif forms:
        said = (
            "Each index form below was compared with its matrix form (I-EXPAND: "
            + ", ".join(sorted(set().union(*forms)))
            + ")."
        )
    ends = ("lift",) if any(q["ranges"] for q in record["core"]) else ("lift", "collect")
    derived = {s["about"] for s in record["index_steps"] if s["kind"] in ends}
    if shown and all(b["name"] in derived for b in shown):
        said += (" The chain rule on single numbers (style index) gives the same equations: there, too, the last step of each "
                 "is a checked equation with the matrix form.")  # fmt: skip
    if said:
        yield Para(mixed(said.strip()))


def _explained(b: Json) -> bool:
    """Whether RESULT shows the equation."""
    return not b["trivial"] and (not b["auxiliary"] or b["needed"])


def _roles(b: Json) -> Iterator[Part]:
    terms = b["roles"]["terms"]
    for n, t in enumerate(terms, 1):
        if len(terms) > 1:
            yield Para(
                Sentence(
                    f"term {n}: {t['product']['text']}",
                    f"term {n}: {t['product']['ascii']}",
                    f"term {n}: ${t['product']['latex']}$",
                )
            )
        if len(t["axes"]) > 1 or len(t["factors"]) > 1:
            factors = [k for k, f in enumerate(t["factors"]) if any(a["places"][k] for a in t["axes"])]
            head: list[Item] = [
                plain("axis"),
                plain("size"),
                *(math(t["factors"][k]) for k in factors),
                math(b["left"]),
                plain("role"),
            ]
            rows: list[tuple[Item, ...]] = [tuple(head)]
            for a in t["axes"]:
                size = Cell(a["size"], ascii_name(a["size"]), size_latex(a["size"]))
                row: list[Item] = [Cell(a["letter"], a["letter"], a["letter"]), size]
                row += [_places(a["places"][k]) for k in factors]
                row += [
                    _places(a["open"]),
                    mixed(f"{a['role']}; {a['meaning']}" if a["role"] != "free leg" else a["meaning"]),
                ]
                rows.append(tuple(row))
            if t["axes"]:
                yield Table(tuple(rows), head=True)
        for c in t["conclusion"]:
            yield Para(said(c), bullet="– ")
    if b["roles"]["left_out"]:
        yield Para(plain(f"and {b['roles']['left_out']} more terms of the same kinds"))
    for c in b["roles"]["order"]:
        yield Para(said(c), bullet="– ")


def _places(axes: list[int]) -> Sentence:
    words = {1: "1st", 2: "2nd", 3: "3rd"}
    found = " and ".join(words.get(k, f"{k}th") for k in axes)
    return plain(found or "–", found or "-")


def other_axes(record: Json, level: int) -> Iterator[Part]:
    """The program with the transpose of a matrix in its place, equation by equation."""
    for a in record.get("axes", ()):
        old, new = math(a["old"]), math(a["new"])
        head = join(["THE OTHER CONVENTION:", new, ":=", join([old, "ᵀ"], "")])
        yield Head(
            Sentence(head.text, ascii_text(head.text), rf"THE OTHER CONVENTION: ${new.latex} := {old.latex}^{{\top}}$")
        )
        rows: list[tuple[Item, ...]] = [
            (Sentence(f"with {old.text}", f"with {old.ascii}", f"with ${old.latex}$"),
             Sentence(f"with {new.text}", f"with {new.ascii}", f"with ${new.latex}$"))]  # fmt: skip
        rows += [(math(r["with"]), math(r["instead"])) for r in a["rows"]]
        yield Table(tuple(rows), head=True)
        if level >= 2:
            last = next(s for s in record["steps"] if s["id"] == a["rows"][-1]["step"])
            yield Para(said(last["why"]["terse"] if level < 3 else last["why"]["explain"]), bullet="– ")


def small_sizes(record: Json) -> Iterator[Part]:
    """Every entry written out at sizes that differ from axis to axis."""
    sizes = record["header"]["sizes"]
    shown = ", ".join(f"{k} = {v}" for k, v in sizes.items())
    yield Head(mixed("ENTRY BY ENTRY" + (f", {shown}" if shown else "")))
    for b in record["backward"]:
        if not b["entries"] or not _explained(b):
            continue
        yield Head(join([b["left"], "=", b["closed"]]), 3)
        rows = [(join([e["left"]]), join(["=", e["right"]])) for e in b["entries"]]
        if b["entries_left_out"]:
            rows.append((join(["…"]), Cell("", "", "")))
        yield Table(tuple(rows), gap=1)


def results(record: Json) -> Iterator[Part]:
    yield Head(plain("RESULT"))
    place = {n: k for k, n in enumerate(record["header"]["wrt"])}
    asked = sorted((b for b in record["backward"] if b["wrt"]), key=lambda b: place[b["name"]])
    others = [
        b for b in record["backward"] if not b["wrt"] and not b["trivial"] and (not b["auxiliary"] or b["needed"])
    ]
    yield ranged([*others, *asked], lambda b: (join([b["left"]]), join(["=", b["closed"]]), shape(b["shape"])), gap=2)
    ours = [q for q in record["core"] if q.get("needed")]
    if ours:
        yield Para(plain("with our own names of parts:"))
        yield ranged(ours, lambda q: (join([q["left"]]), join(["=", q["right"]]), shape(q["shape"])), gap=2)
    yield from derivatives(record)
    if record["recurrences"]:
        yield Head(plain("AS A RECURRENCE"), 3)
        yield ranged(record["recurrences"], lambda b: (join([b["left"]]), join(["=", b["right"]])), gap=2)


def conditions(record: Json) -> Iterator[Part]:
    found = {c["text"]: c for s in record["steps"] for c in s["conditions"]}
    if found:
        yield Head(plain("CONDITIONS"))
        yield from (Para(said(c), bullet="– ") for c in found.values())


_FINAL = ("FINAL does not look at the derivation: it compares the gradients with the program. How often wrong ones pass is measured by "
          "tools/mutants.py (table in README.md). Every step is in the record: --format json, docs/record.md.")  # fmt: skip


def notes(record: Json, level: int) -> Iterator[Part]:
    """Conventions, and what the derivation rests on."""
    taken = taken_in(record)
    lines = [s for s in record["steps"] if s["kind"] in ("note", "convention")
             and (level >= 2 or not {"V-AXES", "V-ROWS"} & set(s["rules"]))]  # fmt: skip
    if lines:
        yield Head(plain("CONVENTIONS"))
        told: set[str] = set()
        for s in lines:
            if s["why"]["terse"]["text"] not in told:
                yield Para(said(s["why"]["terse"]), bullet="– ")
            for k in ("explain", "teach"):
                if s["why"][k] and level >= (2 if k == "explain" else 3) and s["why"][k]["text"] not in told:
                    yield Para(said(s["why"][k]), indent=6)
            told.update(w["text"] for w in s["why"].values() if w)
    if record["checks"]:
        yield Head(plain("CHECKS"))
        for f in record["final"]:
            name = f"FINAL, {f['level']}" if f["level"].startswith("TESTED") else f["level"]
            yield Para(mixed(f"{name}: {f['detail']}", taken), bullet="– ")
        total = record["counts"]["steps"]
        for c in record["checks"]:
            n = len(c["steps"])
            which = f"all {total} steps" if n == total else f"{n} of {total} steps"
            yield Para(mixed(f"{c['level']}, {which}: {c['detail']}", taken), bullet="– ")
        if level >= 3:
            yield Para(Sentence(_FINAL, _FINAL, _FINAL.replace("--", "-{}-")), bullet="– ")


def ending(record: Json, level: int, *, asides: bool = True) -> Iterator[Part]:
    """What stands below a derivation; `asides` are why nots and the other order of axes."""
    if level >= 3:
        yield from why(record)
    if level >= 4:
        yield from why_nots(record) if asides else ()
        yield from small_sizes(record)
    yield from other_axes(record, level) if asides else ()
    yield from results(record)
    yield from conditions(record)
    yield from notes(record, level)
