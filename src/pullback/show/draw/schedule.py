"""A plan as a picture: arrays in order of computation, what reads what, how long each is needed, and the memory of all of them.

Time runs downwards, one row for an array; the columns of the forward and the backward pass, the bars of the lifetimes and the
curve of the memory have the same rows. Lines between boxes run in lanes beside the columns: left of the forward pass what it reads
of itself, between the columns what is kept for the backward pass, right of that what the backward pass reads of itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .scene import Box, Disc, Line, Scene, Text
from .words import plain

__all__ = ["schedule"]

Json = Mapping[str, Any]
_ROW, _HIGH = 50.0, 38.0
_LANE, _BAR = 11.0, 8.0
_CURVE = 210.0
_SIZE, _SMALL = 13.0, 11.0
_LONGEST = 40  # characters of an expression


def schedule(data: Json) -> Scene:
    """The scene of the data of a plan: its rows, the bytes of the inputs (given), and what is said of it (sizes, peak, inputs)."""
    return _Schedule(data).draw()


def _lanes(spans: Iterable[tuple[int, int, int]]) -> dict[int, int]:
    """A lane for every (key, first, last), so that no two in one lane overlap; long ones far out."""
    ends: list[int] = []
    found: dict[int, int] = {}
    for key, first, last in sorted(spans, key=lambda s: (s[1], s[2])):
        lane = next((k for k, end in enumerate(ends) if end < first), len(ends))
        ends[lane : lane + 1] = [last]
        found[key] = lane
    return found


class _Schedule:
    def __init__(self, data: Json) -> None:
        self.rows: Sequence[Json] = data["rows"]
        self.data = data
        self.peak = max((r["alive"] for r in self.rows), default=0)
        self.scene = Scene("Plan", f"Arrays in order of computation, their lifetimes and the memory; {data['sizes']}")
        reads = [(s, k) for k, r in enumerate(self.rows) for s in r["reads"]]
        back = [bool(r["back"]) for r in self.rows]
        self.beside = {False: [(s, k) for s, k in reads if not back[k] and k - s > 1],
                       True: [(s, k) for s, k in reads if back[s] and k - s > 1]}  # fmt: skip
        self.near = [(s, k) for s, k in reads if back[s] == back[k] and k - s == 1]
        self.over = [(s, k) for s, k in reads if back[k] and not back[s]]

    def words(self, r: Json) -> tuple[str, str]:
        text = r["text"] if len(r["text"]) <= _LONGEST else r["text"][: _LONGEST - 1] + "…"
        return f"{r['name']} = {text}", r["cost"]

    def y(self, k: int) -> float:
        """The middle of a row."""
        return k * _ROW + _ROW / 2

    def draw(self) -> Scene:
        wide = {b: max((max(plain(a).width(_SIZE), plain(c).width(_SMALL)) for r in self.rows if r["back"] == b
                        for a, c in [self.words(r)]), default=60.0) + 16 for b in (False, True)}  # fmt: skip
        tags = {b: max((plain(", ".join(r["inputs"])).width(_SMALL) + 12 for r in self.rows if r["back"] == b and r["inputs"]),
                       default=0.0) for b in (False, True)}  # fmt: skip
        lanes = {"left": _spans(self.beside[False]), "over": _spans(self.over), "right": _spans(self.beside[True])}
        count = {n: max(found.values(), default=-1) + 1 for n, found in lanes.items()}
        x = tags[False] + 16
        self.left = x
        x += count["left"] * _LANE + 16
        self.x = {False: x}
        self.wide = wide
        x += wide[False] + 12
        self.middle = x
        x += count["over"] * _LANE + 16
        self.x[True] = x
        x += wide[True] + 12
        self.right = x
        x += count["right"] * _LANE + 12
        self.lines(lanes, count)
        self.boxes(x, tags)
        x += tags[True] + 40
        x = self.bars(x)
        self.curve(x + 24)
        self.legend()
        return self.scene

    # ---- what reads what -----------------------------------------------------------------------------------------

    def lines(self, lanes: Mapping[str, Mapping[int, int]], count: Mapping[str, int]) -> None:
        for s, k in self.near:
            x = self.x[bool(self.rows[k]["back"])] + 24
            self.scene.add(Line(((x, self.y(s) + _HIGH / 2), (x, self.y(k) - _HIGH / 2)), arrow=True))
        for s, k in self.beside[False]:
            at = self.left + (count["left"] - 1 - lanes["left"][s]) * _LANE
            self.around(s, k, self.x[False], at, self.x[False], "line", lanes["left"][s])
        for s, k in self.beside[True]:
            edge = self.x[True] + self.wide[True]
            self.around(s, k, edge, self.right + lanes["right"][s] * _LANE, edge, "backward", lanes["right"][s])
        for s, k in self.over:
            at = self.middle + lanes["over"][s] * _LANE
            self.around(s, k, self.x[False] + self.wide[False], at, self.x[True], "forward", lanes["over"][s], 2)

    def around(
        self, s: int, k: int, out: float, at: float, into: float, stroke: str, lane: int, width: float = 1.2
    ) -> None:
        """A line from a box through a lane to another box; lines of several lanes reach it at several heights."""
        start, end = self.y(s) + 9, self.y(k) - 5 - 4 * (lane % 3)
        points = ((out, start), (at, start), (at, end), (into, end))
        self.scene.add(Line(points, stroke, arrow=True, rounded=True, width=width))

    def boxes(self, right: float, tags: Mapping[bool, float]) -> None:
        for name, back in (("forward pass", False), ("backward pass", True)):
            self.scene.add(Text(self.x[back] + self.wide[back] / 2, -16, plain(name), _SIZE, role="soft"))
        for k, r in enumerate(self.rows):
            back = bool(r["back"])
            x, y = self.x[back], self.y(k)
            fill = "removed" if r["again"] else "parameter" if r["result"] else "op" if not back else "hole"
            stroke = "forward" if r["kept"] else "backward" if r["again"] else "line"
            self.scene.add(
                Box(f"a{k}", x, y - _HIGH / 2, self.wide[back], _HIGH, fill, stroke, dashed=bool(r["again"]))
            )
            for text, dy, size, role in zip(self.words(r), (-8, 9), (_SIZE, _SMALL), ("ink", "soft"), strict=True):
                self.scene.add(Text(x + self.wide[back] / 2, y + dy, plain(text), size, role=role, inside=f"a{k}"))
            if r["inputs"]:
                self.tag(k, ", ".join(r["inputs"]), tags[back], right if back else 0.0, back)

    def tag(self, k: int, text: str, wide: float, x: float, back: bool) -> None:
        """The inputs that an array is made of, beside it."""
        own = plain(text).width(_SMALL) + 10
        x = x if back else x + wide - own
        y = self.y(k)
        self.scene.add(Box(f"i{k}", x, y - 10, own, 20, "input", rx=10),
                       Text(x + own / 2, y, plain(text), _SMALL, inside=f"i{k}"))  # fmt: skip
        edge = self.x[back] + (self.wide[back] if back else 0)
        self.scene.add(Line(((x if back else x + own, y), (edge, y)), "line", arrow=True, width=1))

    # ---- lifetimes and memory ------------------------------------------------------------------------------------

    def bars(self, x: float) -> float:
        """A bar from the row of an array to the last row that needs it; beside them the names. Gives where they end."""
        names = max((plain(r["name"]).width(_SMALL) for r in self.rows), default=0.0)
        lanes = _lanes((k, k, r["last"]) for k, r in enumerate(self.rows))
        count = max(lanes.values(), default=-1) + 1
        start = x + names + 12
        self.scene.add(Text(x, -16, plain("lifetimes"), _SIZE, "start", "soft"))
        for k, r in enumerate(self.rows):
            y, at = k * _ROW + 19, start + lanes[k] * _LANE
            self.scene.add(Text(x + names, y, plain(r["name"]), _SMALL, "end"))
            self.scene.add(Line(((x + names + 4, y), (at, y)), "line", dashed=True, width=0.7))
        for k, r in enumerate(self.rows):
            at = start + lanes[k] * _LANE
            top, end = k * _ROW + 12, (r["last"] + 1) * _ROW - 4
            fill = "forward" if r["kept"] else "removed" if r["again"] else "parameter" if r["result"] else "op"
            stroke = "forward" if r["kept"] else "backward" if r["again"] else "line"
            self.scene.add(Box(f"b{k}", at, top, _BAR, end - top, fill, stroke, rx=2))
        return start + count * _LANE

    def curve(self, x: float) -> None:
        """The bytes of all arrays that are needed, row for row, and where they are most."""
        if not self.rows:
            return
        unit = _CURVE / max(1, self.peak)
        points: list[tuple[float, float]] = []
        for k, r in enumerate(self.rows):
            at = x + r["alive"] * unit
            self.scene.add(Line(((x, self.y(k)), (at, self.y(k))), "op", width=_ROW))
            points += [(at, k * _ROW), (at, (k + 1) * _ROW)]
        base = x + self.data["given"] * unit
        bottom = len(self.rows) * _ROW
        top = max(range(len(self.rows)), key=lambda k: self.rows[k]["alive"])
        self.scene.add(
            Line(((x, 0), (x, bottom)), "line"),
            Line(((base, 0), (base, bottom)), "line", dashed=True, width=1),
            Line(tuple(points), "ink"),
            Disc("peak", x + _CURVE, self.y(top), 4, "backward", "backward"),
            Text(x + _CURVE + 10, self.y(top), plain(self.data["peak"]), _SMALL, "start"),
            Text(x, -16, plain("memory"), _SIZE, "start", "soft"),
            Text(base, bottom + 12, plain(self.data["inputs"]), _SMALL, "start", "soft"),
            Text(x, bottom + 30, plain(self.data["sizes"]), _SMALL, "start", "soft"),
        )

    def legend(self) -> None:
        """What the colours say, of those that occur."""
        x, y = self.left, len(self.rows) * _ROW + 30
        for word, said, fill, stroke in (("kept", "kept for the backward pass", "forward", "forward"), ("again", "computed again", "removed", "backward"),
                                         ("result", "result", "parameter", "line")):  # fmt: skip
            if any(r[word] for r in self.rows):
                self.scene.add(Box(word, x, y - 6, 18, 12, fill, stroke, rx=2, dashed=word == "again"),
                               Text(x + 26, y, plain(said), _SMALL, "start", "soft"))  # fmt: skip
                x += 26 + plain(said).width(_SMALL) + 24


def _spans(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Lanes for the arrays that are read from afar."""
    last: dict[int, int] = {}
    for s, k in pairs:
        last[s] = max(k, last.get(s, k))
    return _lanes((s, s, k) for s, k in last.items())
