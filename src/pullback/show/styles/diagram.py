"""S5: diagrams. Each pairing is one network; the gradient is the network without the node d(x)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..document import Calc, Cell, Document, Figure, Head, Line, Para, Sentence, join, math, plain, said
from ..draw.lines import drawn
from ..draw.tensors import panel
from ..draw.tikz import tikz
from .common import Part, Reasons, mixed, numbered
from .ending import ending
from .opening import opening

__all__ = ["diagram"]

Json = Mapping[str, Any]
_BESIDE = 84  # columns up to which before and after stand side by side

_BELOW = Cell("the network below", "the network below", r"\text{the network below}")
_KEY = (
    "A name is a tensor; one with several axes carries their letters in order. A line is an index: between two tensors it "
    "is summed. ● joins three or more ends of one index, whose entries are multiplied. A line that ends in 1 is summed alone, or constant.",
    "The node d of a name occurs once in each network. With it removed, its lines stay open: they are the axes of the gradient.",
)  # fmt: skip


class _Writer(Reasons):
    repeats = True

    def __init__(self, record: Json, level: int) -> None:
        super().__init__(record, level)
        self.steps = {s["id"]: s for s in record["diagram_steps"]}

    def equation(self, number: int, d: Json) -> Iterator[Part | Figure]:
        """One backward equation: the pairing, its networks with and without the node, what the open legs say."""
        head = join([d["left"], "=", d["value"]])
        yield numbered(number, {"text": head.text, "ascii": head.ascii, "latex": head.latex})
        if not d["drawn"]:
            yield Para(plain("too many networks to be drawn one by one"))
            return
        network, *rest = (self.steps[s] for s in d["steps"])
        if self.level >= 2:
            whole = math(d["closed"]) if d["closed"] else _BELOW
            yield Calc(math(network["left"]), (Line("=", self.reason(network), whole),))
        if not d["terms"]:
            yield Para(plain("the networks cancel: nothing is left"))
        yield from self.pictures(d, number)
        if d["left_out"]:
            yield Para(plain(f"and {d['left_out']} more networks of the same kinds"))
        if self.level >= 2:
            many = len(d["terms"]) > 1
            for k, t in enumerate(d["terms"], 1):
                for s in t["said"]:
                    words = said(s)
                    if many:
                        lead = f"network {k}: "
                        words = Sentence(lead + words.text, lead + words.ascii, lead + words.latex)
                    yield Para(words, bullet="– ")
        yield Calc(join(["⇒"]), (Line("", self.reason(*rest), head),))

    def pictures(self, d: Json, number: int) -> Iterator[Figure]:
        """All networks of one equation in one figure, so that LaTeX shows one picture."""
        yield Figure(tuple(self.letters(d, False)), tuple(self.letters(d, True)), tikz(panel(d, number, title=False)))

    def letters(self, d: Json, ascii: bool) -> Iterator[str]:
        key = "ascii" if ascii else "text"
        for k, t in enumerate(d["terms"]):
            if k:
                yield ""
            minus = "-" if ascii else "−"
            sign = "" if k == 0 and t["sign"] == "+" else f"{t['sign'].replace('-', minus)} "
            number = f"{t['coefficient'][key]} " if t["coefficient"] else ""
            yield from _beside(
                sign + number, drawn(t, False, ascii), f"remove {t['removed']['label'][key]}:", drawn(t, True, ascii)
            )


def _main(block: list[str]) -> int:
    """The row of the block on which its line runs: that with most strokes along it."""
    return max(
        range(len(block)),
        key=lambda k: (
            block[k].count("─") + block[k].count("-") if not block[k].strip().startswith(("└", "+")) else 0,
            -k,
        ),
    )


def _beside(lead: str, left: list[str], verb: str, right: list[str]) -> Iterator[str]:
    """Before and after side by side with their lines at one height, or below each other where that is too wide."""
    wide = max(map(len, left))
    if (
        2 * len(lead) + wide + len(verb) + 8 + max(map(len, right)) > _BESIDE
        or left[0].startswith("nodes:")
        or right[0].startswith("nodes:")
    ):
        yield from _led(lead, left)
        yield " " * len(lead) + verb
        yield from _led(lead, right)
        return
    above = max(_main(left), _main(right))
    left = [""] * (above - _main(left)) + left
    right = [""] * (above - _main(right)) + right
    for k in range(max(len(left), len(right))):
        a = left[k] if k < len(left) else ""
        b = right[k] if k < len(right) else ""
        first = lead if k == above else " " * len(lead)
        middle = verb if k == above else " " * len(verb)
        more = (lead if k == above else " " * len(lead)) if lead else ""
        yield f"{first}{a.ljust(wide)}    {middle}  {more}{b}".rstrip()


def _led(lead: str, block: list[str]) -> Iterator[str]:
    at = _main(block)
    for k, line in enumerate(block):
        yield ((lead if k == at else " " * len(lead)) + line).rstrip()


def _rests(record: Json) -> Para:
    """How the diagrams were checked."""
    steps = record["diagram_steps"]
    found: dict[str, int] = {}
    for s in steps:
        for e in s["evidence"]:
            found[e["level"]] = found.get(e["level"], 0) + 1
    shown = ", ".join(f"{level} {n} of {len(steps)}" for level, n in found.items())
    return Para(mixed(f"Each removal is three checked steps: the pairing is the network; the network is the rest, paired with the node; the rest is the equation. {shown}."))  # fmt: skip


def diagram(record: Json, level: int) -> Document:
    """The derivation in diagrams, one network with its node removed for each backward equation and each use."""
    doc = opening(record, level, "Backward equations, in diagrams")
    doc.parts.append(Head(plain("DIAGRAMS")))
    for words in _KEY:
        doc.parts.append(Para(mixed(words)))
    doc.parts.append(Head(plain("DERIVATION")))
    if not record["diagrams"]:
        doc.parts.append(Para(plain("There is no gradient to be drawn.")))
    writer = _Writer(record, level)
    for n, d in enumerate(record["diagrams"], 1):
        doc.parts += writer.equation(n, d)
    if record["diagram_steps"]:
        doc.parts.append(_rests(record))
    doc.parts += ending(record, level, asides=False)
    return doc
