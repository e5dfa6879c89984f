"""What every style shows above its derivation and in it: what is given, notation, reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..document import Calc, Cell, Head, Item, Line, Para, Reason, Sentence, Table, join, math, plain, said
from ..names import ascii_name, ascii_text, latex_name
from ..prose import prose_latex

__all__ = [
    "Part",
    "Reasons",
    "definitions",
    "for_all",
    "given",
    "mixed",
    "numbered",
    "own_checks",
    "ranged",
    "regrouping",
    "shape",
    "size_latex",
    "taken_in",
]

Json = Mapping[str, Any]
Part = Head | Para | Calc | Table


def mixed(text: str, taken: frozenset[str] = frozenset()) -> Sentence:
    """A sentence of ours with mathematics in it."""
    return Sentence(text, ascii_text(text), prose_latex(text, taken))


def shape(sizes: list[str]) -> Cell:
    if not sizes:
        return Cell("scalar", "scalar", r"\text{scalar}")
    tex = ", ".join(size_latex(s) for s in sizes)
    return Cell(f"({', '.join(sizes)})", f"({', '.join(map(ascii_name, sizes))})", f"({tex})")


def size_latex(size: str) -> str:
    named = re.sub(r"[^\W\d]\w*(?:\[[^\]]*\])?", lambda m: latex_name(m[0]), size)
    return named.replace("*", r"\, ")


def taken_in(record: Json) -> frozenset[str]:
    """The names of the program, and its sizes with an index."""
    sizes = {s for n in record["names"] for d in n["shape"] for s in re.findall(r"[^\W\d]\w*\[[^\]]*\]", d)}
    return frozenset(n["name"] for n in record["names"]) | sizes


def numbered(number: int, equation: Json, where: Sentence | None = None) -> Head:
    """The heading of what is said of one equation, with the values of the index for which it stands."""
    parts = [
        f"({number})  {equation['text']}",
        f"({number})  {equation['ascii']}",
        rf"({number})\quad {equation['latex']}",
    ]
    if where:
        parts = [
            parts[0] + f"   {where.text}",
            parts[1] + f"   {where.ascii}",
            parts[2] + rf"\quad {where.latex.strip('$')}",
        ]
    return Head(Cell(*parts), 3)


def given(record: Json, level: int) -> Iterator[Part]:
    """The program, the names, and what ∇, d and ⟨·,·⟩ mean."""
    header, taken = record["header"], taken_in(record)
    E = header["objective"]["name"]
    yield Head(plain("GIVEN"))
    forward = record["forward"]
    yield from definitions(record)
    yield ranged(forward, lambda q: (math(q["equation"]), shape(q["shape"])))
    inputs = [n for n in record["names"] if n["role"] == "input"]
    if inputs:
        yield ranged(inputs, lambda n: (_name(n), shape(n["shape"])))
    for f in header["functions"]:
        sentence = f"{f['name']}: {f['kind']}"
        yield Para(Sentence(sentence, ascii_text(sentence), f"${f['latex']}$: {prose_latex(f['kind'], taken)}"))
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


def definitions(record: Json) -> Iterator[Part]:
    """The functions that the program defines."""
    if record.get("own_functions"):
        yield Table(tuple((math(f["equation"]), plain("entrywise")) for f in record["own_functions"]))


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
                         "tr(A B) = Σ_ij A_ij B_ji = Σ_ji B_ji A_ij = tr(B A).", taken_in(record)))  # fmt: skip


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
    """The reasons of a record's steps at one level of detail, each given once; with `repeats`, the terse ones each time."""

    repeats = False

    def __init__(self, record: Json, level: int) -> None:
        self.level = level
        self.told: set[str] = set()
        self.core = {q["name"]: q for q in record["core"]}

    def words(self, s: Json) -> list[Json]:
        """What may be said of a step: the longer reasons at level 3."""
        levels = ("terse",) if self.level < 3 else ("terse", "explain", "teach")
        return [s["why"][k] for k in levels if s["why"][k]]

    def reason(self, *steps: Json) -> Reason | None:
        """The rules of a step, or of several that are shown as one, and what was not said yet."""
        if self.level < 2:
            return None
        return Reason(tuple(r for s in steps for r in s["rules"]), tuple(w for s in steps for w in self.fresh(s)))

    def fresh(self, s: Json) -> list[Sentence]:
        found = self.words(s)
        new = [w for w in found if w["text"] not in self.told]
        self.told.update(w["text"] for w in found if not self.repeats or w is not s["why"]["terse"])
        return [said(w) for w in new]


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
