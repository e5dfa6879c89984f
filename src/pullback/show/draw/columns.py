"""The network as columns of neurons, as the question draws it: one circle for each number, one line for each use.

Above the columns the values run to the right, below them the gradients run back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .scene import Box, Disc, Line, Scene, Text, clip
from .words import Words, formula, plain, written

__all__ = ["columns"]

Json = Mapping[str, Any]
_R = 19.0
_ROW = 58.0
_LABELLED = 4  # neurons of a column up to which weights are written on the lines into it

Slot = tuple[str, int]


class _Columns:
    def __init__(self, data: Json) -> None:
        self.layers: dict[str, Json] = {v["name"]: v for v in data["layers"]}
        self.uses = list(data["uses"])
        self.weights = list(data["weights"])
        self.rank = self.ranks()
        self.scene = Scene("")
        self.slots: list[list[list[Slot]]] = [[] for _ in range(max(self.rank.values(), default=0) + 1)]
        self.fill_slots()
        self.at: dict[tuple[str, int, int], tuple[float, float]] = {}  # (name, entry, rank)

    def ranks(self) -> dict[str, int]:
        sources: dict[str, set[str]] = {n: set() for n in self.layers}
        for u in self.uses:
            if u["from"][0] is not None:
                sources[u["to"][0]].add(u["from"][0])
        rank: dict[str, int] = {}
        for n in self.layers:
            rank[n] = max((rank[s] + 1 for s in sources[n]), default=0)
        biased = {u["to"][0] for u in self.uses if u["from"][0] is None}
        for n in self.layers:
            users = [m for m in self.layers if n in sources[m]]
            if not sources[n] and users and n not in biased:
                rank[n] = max(0, min(rank[m] for m in users) - 1)
            elif n in biased:
                rank[n] = max(rank[n], 1)
        return rank

    def fill_slots(self) -> None:
        """Groups of neurons for each column: its own, the dummies that stand for a bias, and lines passing by."""
        for n, r in self.rank.items():
            self.slots[r].append([(n, k) for k in range(len(self.layers[n]["entries"]))])
        last: dict[str, int] = {}
        for u in self.uses:
            source, target = u["from"][0], self.rank[u["to"][0]]
            if source is not None:
                last[source] = max(last.get(source, 0), target)
        for n, end in last.items():
            for r in range(self.rank[n] + 1, end):
                self.slots[r].append([(n, k) for k in range(len(self.layers[n]["entries"]))])
        for b, n in dict.fromkeys((u["bias"], u["to"][0]) for u in self.uses if u["bias"]):
            self.slots[self.rank[n] - 1].append([("1 " + b, 0)])

    def heading(self, r: int) -> list[str]:
        return [n for n in self.layers if self.rank[n] == r]

    def row(self) -> float:
        """The distance of two neurons: enough for the weights on the lines between them."""
        wide = [sum(map(len, g)) for g in self.slots]
        need = max((18.0 * (m + 1) for m in wide[1:] if m <= _LABELLED), default=0.0)
        return max(_ROW, need)

    # ---- words between columns

    def forward(self, r: int) -> list[Words]:
        """What is computed in column r."""
        return [formula(self.layers[n]["value"]) for n in self.heading(r) if self.layers[n]["value"]]

    def backward(self, r: int) -> list[Words]:
        """The gradients that come out between column r and the next: of column r, and of the parameters used there."""
        found = []
        for n in self.heading(r):
            g = self.layers[n]["gradient"]
            if g and self.rank[n] < len(self.slots) - 1:
                found.append(_equation(g))
        for w in self.weights:
            if w["gradient"] and any(self.rank.get(n) == r + 1 for n in w["users"][:1]):
                found.append(_equation(w["gradient"]))
        return found

    def spread(self) -> float:
        """The distance of two columns."""
        names = [" , ".join(self.layers[n]["label"]["text"] for n in self.heading(r)) for r in range(len(self.slots))]
        need = 150.0
        for r in range(len(self.slots)):
            for words in (*(self.forward(r) if r else ()), *self.backward(r)):
                need = max(need, words.width(14) + 34 + 8 * len(names[r]))
        return need

    # ---- drawing

    def draw(self) -> Scene:
        spread, row = self.spread(), self.row()
        heights = [sum(map(len, g)) * row + 14 * (len(g) - 1) for g in self.slots]
        high = max(heights)
        for r, groups in enumerate(self.slots):
            y = (high - heights[r]) / 2 + row / 2
            for group in groups:
                for name, k in group:
                    self.at[name, k, r] = (r * spread, y)
                    y += row
                y += 14
        self.lines()
        for (name, k, r), (x, y) in self.at.items():
            self.neuron(name, k, r, x, y)
        self.band(spread, -34, high + 34)
        return self.scene

    def neuron(self, name: str, k: int, r: int, x: float, y: float) -> None:
        id = f"c{r}_{list(self.at).index((name, k, r))}"
        if name.startswith("1 "):
            self.scene.add(Disc(id, x, y, _R, "parameter"), Text(x, y, plain("1"), 15, inside=id))
            return
        if self.rank[name] != r:  # a line passing by
            return
        v = self.layers[name]
        fill = "parameter" if v["fixed"][k] else "op" if v["value"] else "input"
        words = formula(v["entries"][k])
        if words.width(15) + 10 > 2 * _R:
            w = words.width(15) + 16
            self.scene.add(Box(id, x - w / 2, y - _R, w, 2 * _R, fill, rx=_R))
        else:
            self.scene.add(Disc(id, x, y, _R, fill))
        self.scene.add(Text(x, y, words, 15, inside=id))

    def lines(self) -> None:
        for u in self.uses:
            name, k = u["from"]
            to, i = u["to"]
            end = self.rank[to]
            source = f"1 {u['bias']}" if name is None else name
            start = end - 1 if name is None else self.rank[name]
            stops = [self.at[source, k, r] for r in range(start, end)] + [self.at[to, i, end]]
            half = self.half(to, i)
            tip = clip(stops[-1], *half, towards=stops[-2])
            self.scene.add(Line((*stops[:-1], tip), "line", arrow=True, width=1.1))
            self.label(u, stops, end)

    def half(self, name: str, k: int) -> tuple[float, float]:
        """Where a line ends: on the circle, or on the pill of a long name."""
        wide = formula(self.layers[name]["entries"][k]).width(15) + 10
        return (max(2 * _R, wide + 6 if wide > 2 * _R else 0.0) * 0.98, 2 * _R * 0.98)

    def label(self, u: Json, stops: Sequence[tuple[float, float]], end: int) -> None:
        """The weight on its line, at a place where lines into one column lie apart."""
        targets = sum(map(len, self.slots[end]))
        if u["label"] is None or targets > _LABELLED:
            return
        (x0, y0), (x1, y1) = stops[-2], stops[-1]
        t = 1 / (targets + 1) if targets > 1 else 0.45
        t = max(t, (_R + 22) / (x1 - x0))
        self.scene.add(Text(x0 + t * (x1 - x0), y0 + t * (y1 - y0), formula(u["label"]), 13, role="forward", halo=True))

    def band(self, spread: float, top: float, bottom: float) -> None:
        """The names above with what computes them, the gradients below with where they come from."""
        ends: list[tuple[float, float]] = []
        for r in range(len(self.slots)):
            found = self.heading(r)
            x = r * spread
            head = _listed([_sized(self.layers[n]) for n in found])
            last = r == len(self.slots) - 1
            foot = _listed(
                [_equation(g) if last else formula(g["left"]) for n in found if (g := self.layers[n]["gradient"])]
            )
            if head is not None:
                self.scene.add(Text(x, top, head, 15, role="forward"))
            if foot is not None:
                self.scene.add(Text(x, bottom, foot, 15, role="backward"))
            ends.append((head.width(15) / 2 + 8 if head else 6.0, foot.width(15) / 2 + 8 if foot else 0.0))
        for r in range(1, len(self.slots)):
            left, right = (r - 1) * spread, r * spread
            self.scene.add(Line(((left + ends[r - 1][0], top), (right - ends[r][0], top)), "forward", arrow=True))
            for k, words in enumerate(reversed(self.forward(r))):
                self.scene.add(Text((left + right) / 2, top - 15 - 20 * k, words, 14, role="forward"))
            if ends[r - 1][1] and ends[r][1]:
                self.scene.add(
                    Line(
                        ((right - ends[r][1], bottom), (left + ends[r - 1][1], bottom)),
                        "backward",
                        arrow=True,
                        dashed=True,
                    )
                )
            for k, words in enumerate(self.backward(r - 1)):
                self.scene.add(Text((left + right) / 2, bottom + 17 + 20 * k, words, 14, role="backward"))


def _equation(g: Json) -> Words:
    return written(f"{g['left']['text']} = {g['right']['text']}")


def _sized(v: Json) -> Words:
    return written(v["label"]["text"] + ("" if v["size"] is None else f" : {v['size']}"))


def _listed(words: Sequence[Words]) -> Words | None:
    if not words:
        return None
    found = words[0]
    for w in words[1:]:
        found = found + plain(", ") + w
    return found


def columns(record: Json) -> Scene:
    """The network of neurons of a record that holds one."""
    scene = _Columns(record["neurons"]).draw()
    layers = record["neurons"]["layers"]
    scene.title = "The network of the program: " + ", ".join(
        f"{v['label']['text']} ({v['size'] or 'a number'})" for v in layers
    )
    lines = len(record["neurons"]["uses"])
    forward = "; ".join(q["equation"]["text"] for q in record["core"])
    backward = "; ".join(f"{b['left']['text']} = {b['value']['text']}" for b in record["backward"])
    scene.description = (
        f"{lines} lines join the entries. Forward, to the right: {forward}. Backward, to the left: {backward}."
    )
    return scene
