"""Tensor diagrams: for each backward equation its networks, closed with the node d(x), and with that node removed.

Both pictures of a pair use the same places: what is left is the first picture without one node, its legs open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot
from typing import Any

from .places import placed, through
from .scene import Box, Disc, Line, Point, Scene, Text, clip
from .structure import Edge, Network, Vertex, network
from .words import Words, formula, italic, plain, written

__all__ = ["diagrams", "panel"]

Json = Mapping[str, Any]
_HIGH = 30.0  # of a tensor
_MOST = 16  # vertices of one network that are drawn
_LEGEND = (
    "Box: a tensor, its letters in the order of its axes.  Line: an axis, with its letter and size; between two boxes it is summed.",
    "●: one index for all its lines.  1: an axis that is summed alone, or constant.  Dashed: where the node was; its lines are the open axes.",
)  # fmt: skip


def _words(v: Vertex) -> Words:
    if v.node is None:
        return plain("1")
    return formula(v.node["entry" if len(v.node["legs"]) > 1 else "label"])


def _size(v: Vertex) -> tuple[float, float]:
    if v.kind == "copy":
        return 9.0, 9.0
    if v.kind == "ones":
        return 22.0, 22.0
    return max(34.0, _words(v).width(15) + 18), _HIGH


def _inner(v: Vertex) -> tuple[float, float]:
    """To where a line is drawn: under the rounded rim."""
    w, h = _size(v)
    return (w * 0.6, h * 0.6) if v.node is not None else (w * 0.5, h * 0.5)


def _axis(letters: Sequence[str], sizes: Mapping[str, str]) -> Words:
    """`i : m`, and `ik : m × B` for two lines in one."""
    spans = [sizes[c] if sizes[c].isalnum() or len(letters) == 1 else f"({sizes[c]})" for c in letters]
    return italic("".join(letters)) + written(f" : {' × '.join(spans)}")


class _Picture:
    """One term: the network at its places, drawn closed or with its node removed."""

    def __init__(self, term: Json, tag: str) -> None:
        whole = network(term, removed=False)
        self.sizes, self.tag = whole.sizes, tag
        self.vertices: list[Vertex] = []
        self.at: list[Point] = []
        self.edges: list[Edge] = []
        self.loops: dict[int, int] = {}  # on which side of its tensor an edge from it to itself is drawn
        self.letters: list[tuple[Edge, Text]] = []  # beside which line each letter stands
        x = 0.0
        for piece in whole.components():
            g = whole.only(piece)
            x = self.place(g, x)
        boxes = [(p[0] - _size(v)[0] / 2, p[0] + _size(v)[0] / 2) for v, p in zip(self.vertices, self.at, strict=True)]
        words = [(t.extent[0], t.extent[2]) for _, t in self.letters]
        left = min(b[0] for b in [*boxes, *words])
        self.width = max(b[1] for b in [*boxes, *words]) - left
        self.at = [(p[0] - left, p[1]) for p in self.at]
        for _, t in self.letters:
            t.x -= left

    def place(self, g: Network, x: float) -> float:
        sizes = [_size(v) for v in g.vertices]
        room = {(min(e.a, e.b), max(e.a, e.b)): _axis(e.letters, self.sizes).width(13) + 16 for e in g.edges}
        at = placed(g, sizes, room)
        left = min(p[0] - s[0] / 2 for p, s in zip(at, sizes, strict=True))
        right = max(p[0] + s[0] / 2 for p, s in zip(at, sizes, strict=True))
        first = len(self.vertices)
        moved = [(p[0] - left + x, p[1]) for p in at]
        self.vertices += g.vertices
        self.at += moved
        middle = (sum(p[0] for p in moved) / len(moved), sum(p[1] for p in moved) / len(moved))
        made = [Edge(e.a + first, e.b + first, e.letters) for e in g.edges]
        self.edges += made
        groups: dict[object, list[Edge]] = {}  # the lines of a copy point share one letter
        for e in made:
            copies = [v for v in (e.a, e.b) if self.vertices[v].kind == "copy"]
            groups.setdefault(copies[0] if copies else id(e), []).append(e)
        for e in [e for e in made if e.a == e.b]:
            self.loops[id(e)] = self.loop_side(e, middle)
        for group in sorted(
            groups.values(), key=lambda g: g[0].a != g[0].b
        ):  # a loop has only one place for its letter
            removed = [e for e in group if any(self.vertices[v].kind == "removed" for v in (e.a, e.b))]
            self.letters.append(self.letter(removed or group, middle))
        return x + right - left + 26

    def draw(self, scene: Scene, dx: float, dy: float, removed: bool) -> None:
        shift = [(p[0] + dx, p[1] + dy) for p in self.at]
        mark = f"{self.tag}{'after' if removed else 'before'}"
        for e in self.edges:
            self.edge(scene, e, shift, removed)
        for k, (v, p) in enumerate(zip(self.vertices, shift, strict=True)):
            self.vertex(scene, v, p, f"{mark}{k}", removed)
        for e, t in self.letters:
            role = "backward" if removed and self.at_hole(e) else "soft"
            scene.add(Text(t.x + dx, t.y + dy, t.words, t.size, t.anchor, role))

    def at_hole(self, e: Edge) -> bool:
        return any(self.vertices[v].kind == "removed" for v in (e.a, e.b))

    def vertex(self, scene: Scene, v: Vertex, p: Point, id: str, removed: bool) -> None:
        w, h = _size(v)
        if v.kind == "copy":
            scene.add(Disc(id, *p, w / 2, "ink", "ink"))
            return
        if v.kind == "ones":
            scene.add(Disc(id, *p, w / 2, "input"), Text(*p, plain("1"), 14, inside=id))
            return
        hole = v.kind == "removed"
        fill, stroke = ("removed", "backward") if hole else ("op", "line")
        if hole and removed:
            scene.add(Box(id, p[0] - w / 2, p[1] - h / 2, w, h, "hole", "backward", h / 2, dashed=True))
            return
        scene.add(Box(id, p[0] - w / 2, p[1] - h / 2, w, h, fill, stroke, h / 2))
        scene.add(Text(*p, _words(v), 15, role="backward" if hole else "ink", inside=id))

    def edge(self, scene: Scene, e: Edge, at: Sequence[Point], removed: bool) -> None:
        stroke = "backward" if removed and self.at_hole(e) else "ink"
        double = len(e.letters) > 1
        if e.a == e.b:  # both axes of one tensor
            (x, y), (w, h) = at[e.a], _size(self.vertices[e.a])
            out = self.loops[id(e)]
            points = tuple(
                (x + side * w / 4, y + out * (h / 2 + far)) for side, far in ((-1, 0), (-1, 34), (1, 34), (1, 0))
            )
            scene.add(Line(points, stroke, curve=True, double=double))
            return
        under = [clip(at[v], *_inner(self.vertices[v]), towards=at[w]) for v, w in ((e.a, e.b), (e.b, e.a))]
        scene.add(Line((under[0], under[1]), stroke, double=double))

    def loop_side(self, e: Edge, centre: Point) -> int:
        """Above (−1) or below (1) its tensor: away from the centre of the network, unless something is there."""
        (x, y), (_, h) = self.at[e.a], _size(self.vertices[e.a])
        taken = [self.loops[id(o)] for o in self.edges if o is not e and o.a == o.b == e.a and id(o) in self.loops]
        first = -1 if y < centre[1] - 1 else 1
        covered = {
            side: self._covered(Text(x, y + side * (h / 2 + 24), plain("mmm"), 22)) + 99 * (side in taken)
            for side in (-1, 1)
        }
        return first if covered[first] <= covered[-first] else -first

    def letter(self, edges: Sequence[Edge], centre: Point) -> tuple[Edge, Text]:
        """The letter and size beside one of the lines, at the first place where they cover nothing."""
        words = _axis(edges[0].letters, self.sizes)
        if edges[0].a == edges[0].b:
            (x, y), (_, h) = self.at[edges[0].a], _size(self.vertices[edges[0].a])
            return edges[0], Text(x, y + self.loops[id(edges[0])] * (h / 2 + 36), words, 13)
        tried: list[tuple[int, Edge, Text]] = []
        for part in (0.5, 0.38, 0.62, 0.27, 0.73):
            for outside in (True, False):
                for e in edges:
                    t = self._beside(e, part, outside, centre, words)
                    tried.append((self._covered(t), e, t))
                    if not tried[-1][0]:
                        return e, t
        _, e, t = min(tried, key=lambda x: x[0])
        return e, t

    def _beside(self, e: Edge, part: float, outside: bool, centre: Point, words: Words) -> Text:
        p, q = (clip(self.at[v], *_size(self.vertices[v]), towards=self.at[w]) for v, w in ((e.a, e.b), (e.b, e.a)))
        dx, dy = q[0] - p[0], q[1] - p[1]
        mx, my, length = p[0] + part * dx, p[1] + part * dy, hypot(dx, dy) or 1
        nx, ny = -dy / length, dx / length
        if abs(dy) < 1:
            nx, ny = 0.0, -1.0 if my <= centre[1] + 1 else 1.0
        elif (mx - centre[0]) * nx + (my - centre[1]) * ny < -1e-6 or (abs(mx - centre[0]) < 1 and nx < 0):
            nx, ny = -nx, -ny
        if not outside:
            nx, ny = -nx, -ny
        anchor = "middle" if abs(nx) < 0.35 else "start" if nx > 0 else "end"
        down = 13 + (abs(dy) / length * words.width(13) / 2 if anchor == "middle" else 0)
        return Text(mx + nx * 9, my + ny * down, words, 13, anchor)

    def _covered(self, t: Text) -> int:
        """How much the words would stand on: vertices and other words weigh more than lines."""
        left, top, right, bottom = t.extent
        found = 0
        for v, (x, y) in zip(self.vertices, self.at, strict=True):
            w, h = _size(v)
            found += 10 * (
                left < x + w / 2 + 2 and right > x - w / 2 - 2 and top < y + h / 2 + 2 and bottom > y - h / 2 - 2
            )
        for _, o in self.letters:
            l, u, r, d = o.extent
            found += 10 * (left < r and right > l and top < d and bottom > u)
        middle, size = ((left + right) / 2, (top + bottom) / 2), (right - left - 10, bottom - top - 10)
        return found + sum(through(self.at[e.a], self.at[e.b], middle, size) for e in self.edges if e.a != e.b)


def _sign(term: Json, first: bool) -> Words | None:
    """What stands before a network: its sign unless it is a leading plus, and its number."""
    number = term["coefficient"]
    sign = "− " if term["sign"] == "-" else "" if first else "+ "
    if not sign and number is None:
        return None
    return written(sign + (number["text"] if number else ""))


def _column(d: Json) -> float:
    """How wide the closed networks of one equation are, with their signs."""
    pictures = [_Picture(t, "") for t in d["terms"]]
    if not pictures or any(len(p.vertices) > _MOST for p in pictures):
        return 0.0
    return _lead(d) + max(p.width for p in pictures)


def _lead(d: Json) -> float:
    signs = [_sign(t, k == 0) for k, t in enumerate(d["terms"])]
    return max([s.width(15) + 10 for s in signs if s] or [0.0])


def panel(d: Json, number: int = 0, title: bool = True, column: float = 0.0) -> Scene:
    """One backward equation: before, the removal, after; a row for each network. `column` is the room for the first."""
    left, value = d["left"], d["value"]
    whole = f"{left['text']} = {value['text']}"
    scene = Scene(whole, " ".join(s["text"] + "." for t in d["terms"] for s in t["said"]))
    y = 0.0
    if title:
        scene.add(Text(0, 0, written(whole), 17, anchor="start", role="backward"))
        y = 34.0
    pictures = [_Picture(t, f"d{number}t{k}") for k, t in enumerate(d["terms"])]
    if not pictures or any(len(p.vertices) > _MOST for p in pictures):
        why = "the same terms cancel: zero" if d["drawn"] and not pictures else "too large to be drawn"
        scene.add(Text(0, y, plain(why), 14, anchor="start", role="soft"))
        return scene
    signs = [_sign(t, k == 0) for k, t in enumerate(d["terms"])]
    lead, column = _lead(d), max(column, _column(d))
    for k, (t, p) in enumerate(zip(d["terms"], pictures, strict=True)):
        probe = Scene("")
        p.draw(probe, 0, 0, False)
        _, top, _, bottom = probe.extent()
        y -= top
        gap = 128.0
        removal = plain("remove ") + formula(t["removed"]["label"])
        gap = max(gap, removal.width(14) + 56)
        for side, removed in ((0.0, False), (column + gap, True)):
            if (s := signs[k]) is not None:
                scene.add(Text(side + lead - 10, y, s, 15, anchor="end"))
            p.draw(scene, side + lead, y, removed)
        scene.add(Line(((column + 22, y), (column + gap - 22, y)), "backward", arrow=True, dashed=True))
        scene.add(Text(column + gap / 2, y - 14, removal, 14, role="backward"))
        y += bottom + 26
    if d["left_out"]:
        scene.add(
            Text(0, y, plain(f"and {d['left_out']} more networks of the same kinds"), 14, anchor="start", role="soft")
        )
    return scene


def diagrams(record: Json) -> Scene:
    """Every backward equation below each other."""
    column = max((_column(d) for d in record["diagrams"]), default=0.0)
    found = [panel(d, k, column=column) for k, d in enumerate(record["diagrams"])]
    title = "Tensor diagrams: " + "; ".join(p.title for p in found)
    whole = Scene(title[:300], " ".join(f"{p.title}: {p.description}" for p in found))
    y = 0.0
    widest = max((p.extent()[2] for p in found), default=0.0)
    for k, p in enumerate(found):
        if k:
            whole.add(Line(((0, y), (widest, y)), "line", width=0.6))
            y += 26
        _, top, _, bottom = p.extent()
        whole.add(*p.shifted(0, y - top))
        y += bottom - top + 18
    if found:
        y += 10
        for line in _LEGEND:
            whole.add(Text(0, y, plain(line), 12, anchor="start", role="soft"))
            y += 19
    return whole
