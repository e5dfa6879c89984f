"""What every style shows around its derivation: what is given, why, the results, and what they rest on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..document import Calc, Cell, Head, Item, Line, Para, Reason, Sentence, Table, join, math, plain, said
from ..names import ascii_name, ascii_text, latex_name
from ..prose import prose_latex
from ..whynots import why_nots

__all__ = [
    "Reasons",
    "conditions",
    "ending",
    "for_all",
    "given",
    "mixed",
    "notes",
    "other_axes",
    "own_checks",
    "regrouping",
    "results",
    "shape",
    "small_sizes",
    "why",
]

Json = Mapping[str, Any]
Part = Head | Para | Calc | Table


def mixed(text: str, taken: frozenset[str] = frozenset()) -> Sentence:
    """A sentence of ours with mathematics in it."""
    return Sentence(text, ascii_text(text), prose_latex(text, taken))


def shape(sizes: list[str]) -> Cell:
    if not sizes:
        return Cell("scalar", "scalar", r"\text{scalar}")
    tex = ", ".join(_size_latex(s) for s in sizes)
    return Cell(f"({', '.join(sizes)})", f"({', '.join(map(ascii_name, sizes))})", f"({tex})")


def _size_latex(size: str) -> str:
    named = re.sub(r"[^\W\d]\w*(?:\[[^\]]*\])?", lambda m: latex_name(m[0]), size)
    return named.replace("*", r"\, ")


def _taken(record: Json) -> frozenset[str]:
    return frozenset(n["name"] for n in record["names"])


def given(record: Json, level: int) -> Iterator[Part]:
    """The program, the names, and what ∇, d and ⟨·,·⟩ mean."""
    header, taken = record["header"], _taken(record)
    E = header["objective"]["name"]
    yield Head(plain("GIVEN"))
    forward = record["forward"]
    yield ranged(forward, lambda q: (math(q["equation"]), shape(q["shape"])))
    inputs = [n for n in record["names"] if n["role"] == "input"]
    if inputs:
        yield ranged(inputs, lambda n: (_name(n), shape(n["shape"])))
    for f in header["functions"]:
        sentence = f"{f['name']}: {f['kind']}"
        yield Para(Sentence(sentence, ascii_text(sentence), f"${f['latex']}$: {prose_latex(f['kind'])}"))
    if header["seed"]:
        seed = header["seed"]
        yield Calc(join([seed["left"], ":=", seed["right"]]))
        yield Para(
            mixed(
                f"the gradient of an unknown {E} with respect to {header['target']['name']}, given",
                taken | {E},
            )
        )
    for s in record["steps"]:
        if s["kind"] in ("lift", "note") and s["left"] and s["right"] and not s["silent"]:
            yield Calc(math(s["left"]), (Line(s["relation"], _why(s, level), math(s["right"])),))
    named = [s for s in record["steps"] if s["kind"] == "name"]
    if named and level >= 2:
        yield Para(_words(named[0], taken))
        yield Table(tuple((join([s["left"], s["relation"], s["right"]]),) for s in named))
    for a in header["assumptions"]:
        yield Para(said(a), bullet="assumed: ")
    yield Head(plain("NOTATION"))
    x = next((n["name"] for n in record["names"] if n["wrt"]), "x")
    yield Para(mixed("⟨A, B⟩ is the sum over all entries of A ⊙ B: for columns aᵀ b, for matrices tr(Aᵀ B)."))
    yield Para(mixed(f"d{x} is an arbitrary increment of {x}, of the same shape. d of a computed name is the part of its "
                     "change that is linear in the increments; what is left is o(‖increments‖), and only one linear map "
                     "leaves so little.", taken))  # fmt: skip
    yield from _gradients(header["naming"], x, E, taken)
    for c in header["constants"]:
        yield Para(said(c))
    if header["seed"] is not None:
        yield Para(mixed(f"{E} is the scalar, not written here, whose gradient is given.", taken | {E}))
    if level >= 3:
        yield Para(mixed("It has the shape of its variable because entries are paired with entries. Another inner "
                         "product would give another array (a natural gradient) for the same linear map dE.", taken))  # fmt: skip


def _gradients(naming: Json, x: str, E: str, taken: frozenset[str]) -> Iterator[Part]:
    """What the gradient is, what it is called on this page, and how else it is written."""
    short = naming["short"]
    if naming["scheme"] == "nabla":
        says = f"∇{x} is short for ∇_{x} {E} = ∂{E}/∂{x}: the one array with d{E} = ⟨∇{x}, d{x}⟩ + … for every d{x}."
        yield Para(mixed(says, taken | {E}))
    else:
        before, after = (
            f" is the gradient of {E} with respect to {x}: the one array with d{E} = ⟨",
            f", d{x}⟩ + … for every d{x}.",
        )
        first, last = mixed(before, taken | {E}), mixed(after, taken | {E})
        yield Para(
            Sentence(
                f"{short['text']}{before}{short['text']}{after}",
                f"{short['ascii']}{first.ascii}{short['ascii']}{last.ascii}",
                f"${short['latex']}${first.latex}${short['latex']}${last.latex}".replace(r"\langle $$", r"\langle "),
            )
        )
    others = naming["others"]
    lead = "The same array is also written "
    yield Para(Sentence(f"{lead}{others['text']}.", f"{lead}{others['ascii']}.", f"{lead}{others['latex']}."))
    if naming["note"]:
        yield Para(said(naming["note"]))


def regrouping(record: Json) -> Iterator[Part]:
    """What moving a factor rests on, once: one finite sum, grouped in another way."""
    rules = {r for s in record["steps"] if s["kind"] == "move" for r in s["rules"]}
    if rules & {"M-LEFT", "M-RIGHT", "M-BCAST", "M-T"}:
        yield Para(mixed("To move a factor to the other side of a pairing is to regroup one finite sum: Σ_ij g_i M_ij d_j is "
                         "Σ_j (Σ_i M_ij g_i) d_j, summed over the first axis of M and not the second, which is written Mᵀ g: "
                         "that is all a transpose is. A trace may be rotated for the same reason: "
                         "tr(A B) = Σ_ij A_ij B_ji = Σ_ji B_ji A_ij = tr(B A).", _taken(record)))  # fmt: skip


def _name(n: Json) -> Cell:
    return Cell(n["name"], n["ascii"], n["latex"])


def _words(s: Json, taken: frozenset[str]) -> Sentence:
    words = "Names of ours: " + s["why"]["explain"]["text"] + "."
    return mixed(words, taken)


def _why(s: Json, level: int) -> Reason | None:
    if level < 2:
        return None
    parts = [s["why"][k] for k in (("terse",) if level < 3 else ("terse", "explain", "teach"))]
    return Reason(tuple(s["rules"]), tuple(said(p) for p in parts if p))


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
                row: list[Item] = [Cell(a["letter"], a["letter"], a["letter"]), shape([a["size"]])]
                row[1] = Cell(a["size"], a["size"], _size_latex(a["size"]))
                row += [_places(a["places"][k]) for k in factors]
                row += [
                    _places(a["open"]),
                    mixed(f"{a['role']}; {a['meaning']}" if a["role"] != "free leg" else a["meaning"]),
                ]
                rows.append(tuple(row))
            if t["axes"]:
                yield Table(tuple(rows))
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
        yield Table(tuple(rows))
        if level >= 2:
            last = next(s for s in record["steps"] if s["id"] == a["rows"][-1]["step"])
            yield Para(said(last["why"]["terse"] if level < 3 else last["why"]["explain"]), bullet="– ")


def small_sizes(record: Json) -> Iterator[Part]:
    """Every entry written out at sizes that differ from axis to axis."""
    sizes = record["header"]["sizes"]
    shown = ", ".join(f"{k} = {v}" for k, v in sizes.items())
    yield Head(plain("ENTRY BY ENTRY" + (f", {shown}" if shown else "")))
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
    if record["recurrences"]:
        yield Head(plain("AS A RECURRENCE"), 3)
        yield ranged(record["recurrences"], lambda b: (join([b["left"]]), join(["=", b["right"]])), gap=2)


def ranged(found: Sequence[Json], row: Callable[[Json], tuple[Item, ...]], gap: int = 3) -> Table:
    """A table with a row for each, and with their ranges in a last column where any has one."""
    if not any(r["ranges"] for r in found):
        return Table(tuple(map(row, found)), gap=gap)
    return Table(tuple((*row(r), for_all(r) or plain("")) for r in found), gap=gap)


def for_all(of: Json) -> Sentence | None:
    """`k = 1..L−1`, or nothing."""
    r = of["ranges"]
    return Sentence(r["text"], r["ascii"], f"${r['latex']}$") if r else None


class Reasons:
    """The reasons of a record's steps at one level of detail, each given once."""

    def __init__(self, record: Json, level: int) -> None:
        self.level = level
        self.told: set[str] = set()
        self.core = {q["name"]: q for q in record["core"]}

    def words(self, s: Json) -> list[Json]:
        """What may be said of a step: the longer reasons at level 3."""
        levels = ("terse",) if self.level < 3 else ("terse", "explain", "teach")
        return [s["why"][k] for k in levels if s["why"][k]]

    def reason(self, s: Json) -> Reason | None:
        """The rules of a step, and what was not said yet."""
        if self.level < 2:
            return None
        words = [w for w in self.words(s) if w["text"] not in self.told]
        self.told.update(w["text"] for w in words)
        return Reason(tuple(s["rules"]), tuple(said(w) for w in words))


def conditions(record: Json) -> Iterator[Part]:
    found = {c["text"]: c for s in record["steps"] for c in s["conditions"]}
    if found:
        yield Head(plain("CONDITIONS"))
        yield from (Para(said(c), bullet="– ") for c in found.values())


def own_checks(steps: list[Json]) -> Iterator[Part]:
    """What the steps of one reading rest on, below the checks of the derivation itself."""
    found: dict[str, tuple[int, str]] = {}
    for s in steps:
        for e in s["evidence"]:
            count, detail = found.get(e["level"], (0, e["detail"]))
            found[e["level"]] = (count + 1, detail)
    for level, (count, detail) in found.items():
        which = f"all {len(steps)} steps" if count == len(steps) else f"{count} of {len(steps)} steps"
        yield Para(mixed(f"this reading, {level}, {which}: {detail}"), bullet="– ")


def notes(record: Json, level: int, checks: str = "checks") -> Iterator[Part]:
    """Conventions, and what the derivation rests on; `checks` names those of the steps that the page shows."""
    taken = _taken(record)
    lines = [s for s in record["steps"] if s["kind"] in ("note", "convention")
             and (level >= 2 or not {"V-AXES", "V-ROWS"} & set(s["rules"]))]  # fmt: skip
    if lines or record["header"]["conventions"]:
        yield Head(plain("CONVENTIONS"))
        yield from (Para(said(c), bullet="– ") for c in record["header"]["conventions"])
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
        total = len(record["index_steps"]) if checks == "index_checks" else record["counts"]["steps"]
        for c in record[checks]:
            n = len(c["steps"])
            which = f"all {total} steps" if n == total else f"{n} of {total} steps"
            yield Para(mixed(f"{c['level']}, {which}: {c['detail']}", taken), bullet="– ")
        if level >= 3:
            yield Para(plain("FINAL does not look at the derivation: it compares the gradients with the program. How often wrong "
                             "ones pass is measured by tools/mutants.py (table in README.md). Every step is in the record: "
                             "--format json, docs/record.md."), bullet="– ")  # fmt: skip


def ending(record: Json, level: int, *, asides: bool = True, checks: str = "checks") -> Iterator[Part]:
    """What stands below a derivation; `asides` are why nots and the other order of axes."""
    if level >= 3:
        yield from why(record)
    if level >= 4:
        yield from why_nots(record) if asides else ()
        yield from small_sizes(record)
    yield from other_axes(record, level) if asides else ()
    yield from results(record)
    yield from conditions(record)
    yield from notes(record, level, checks)
