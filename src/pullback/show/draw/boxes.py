"""The program as boxes: one for each equation and input, values running down, gradients running back up.

The trunk below a box carries its value down at the left, its gradient up at the right. Where a value is used several
times, ● copies it, and + adds what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from .layers import Layers, isotonic, layered
from .scene import Box, Disc, Line, Point, Scene, Text
from .tracks import tracks
from .words import Words, formula, plain, wrap, written

__all__ = ["boxes", "equation", "shape_words"]

Json = Mapping[str, Any]
_LANE = 8.0  # half the distance between the lane down and the lane up
_TRUNK = 40.0
_SIDE = 52.0  # between a box and what stands beside it
_LOW = 40.0  # height of a box
_PORT = 40.0
_ASIDE = 12.0  # from the middle of a box at most to the line that leaves it
_WIDE = 420.0  # of one label; a longer formula is left to the text


def shape_words(node: Json) -> str:
    return f"({', '.join(node['shape'])})"


def equation(left: Json, right: Json | None) -> Words:
    """`∇z = ∇y ⊙ f′(z)`, or only its left side where the right is too long for a label."""
    if right is None:
        return formula(left)
    words = written(f"{left['text']} = {right['text']}")
    return words if words.width(14) <= _WIDE else formula(left)


def _value(node: Json) -> Words:
    """What stands in a box: the right side, shortened where it would be too wide."""
    if node["value"] is None:
        return formula(node["label"])
    words = formula(node["value"])
    if words.width(15) <= _WIDE:
        return words
    return written(wrap(node["value"]["text"], 15, _WIDE - 20)[0] + " …")


def _trunk_label(node: Json) -> Words:
    return written(node["label"]["text"] + (f" : {shape_words(node)}" if node["shape"] else ""))


class _Boxes:
    def __init__(self, graph: Json) -> None:
        self.nodes: dict[str, Json] = {n["name"]: n for n in graph["nodes"]}
        self.id = {name: f"n{k}" for k, name in enumerate(self.nodes)}
        self.back = {(e["from"], e["to"]): bool(e["back"]) for e in graph["edges"]}
        self.flow = [(e["from"], e["to"]) for e in graph["edges"] if not e["side"]]
        self.sides: dict[str, tuple[list[str], list[str]]] = {}
        for e in graph["edges"]:
            if e["side"]:
                both = self.sides.setdefault(e["to"], ([], []))
                both[len(both[0]) > len(both[1])].append(e["from"])
        beside = {x for both in self.sides.values() for s in both for x in s}
        self.main = [n for n in self.nodes if n not in beside]
        self.users: dict[str, list[str]] = {}
        self.sources: dict[str, list[str]] = {}
        for a, b in self.flow:
            self.users.setdefault(a, []).append(b)
            self.sources.setdefault(b, []).append(a)
        self.scene = Scene("")
        self.top: list[float] = []
        self.bottom: list[float] = []
        self.trunk: dict[str, float] = {}
        self.port: dict[tuple[str, str], float] = {}
        self.hops: dict[tuple[str, str], list[tuple[float, float, float]]] = {}  # from x, to x, height of the track

    # ---- sizes

    def width(self, n: str) -> float:
        node = self.nodes[n]
        inside = _value(node).width(15)
        if node["value"] is None and node["shape"]:
            inside = max(inside, written(shape_words(node)).width(12))
        entries = len(self.sources.get(n, ()))
        return max(52.0, inside + 26, _PORT * entries + 30 if entries > 1 else 0.0)

    def gradient(self, n: str) -> Words | None:
        g = self.nodes[n]["gradient"]
        return None if g is None else equation(g["left"], g["right"])

    def side_width(self, names: Sequence[str]) -> float:
        """The room that a column of inputs beside a box takes."""
        return max([self.width(n) + self.side_gap(n) for n in names] or [0.0])

    def side_gap(self, n: str) -> float:
        """Between a box and an input beside it: enough for the gradient that stands below both."""
        g = self.gradient(n)
        return max(_SIDE, g.width(13) + 12 - self.width(n) if g else 0.0)

    def reach(self, n: str) -> tuple[float, float]:
        half = self.width(n) / 2
        left, right = self.sides.get(n, ([], []))
        g = self.gradient(n)
        up = _LANE + 8 + g.width(14) if g else 0.0
        down = _LANE + 8 + _trunk_label(self.nodes[n]).width(14) if self.nodes[n]["value"] is not None else 0.0
        return max(half + self.side_width(left), down + _ASIDE), max(half + self.side_width(right), up + _ASIDE)

    def height(self, n: str) -> float:
        """Of a box: as high as what stands beside it, so that every arrow meets it."""
        return max([_LOW, *(66.0 * (len(s) - 1) + _LOW for s in self.sides.get(n, ()))])

    def room(self, n: str) -> float:
        """Of a row: the box, and the gradients below what stands beside it."""
        most = max(map(len, self.sides.get(n, ((), ()))))
        return self.height(n) + (40.0 if most > 1 else 24.0 if most else 0.0)

    # ---- drawing

    def draw(self) -> Scene:
        reaches = {n: self.reach(n) for n in self.main}
        plan = layered(
            self.main, self.flow, {n: r[0] for n, r in reaches.items()}, {n: r[1] for n, r in reaches.items()}, 26.0
        )
        self.rows(plan)
        for n in self.main:
            self.node(n, plan.x[n], self.middle(plan.rank[n]))
        for n in self.main:
            self.out(n, plan)
        return self.scene

    def middle(self, r: int) -> float:
        return (self.top[r] + self.bottom[r]) / 2

    def rows(self, plan: Layers) -> None:
        """The top and the bottom of every row, and between them a track for every line that moves sideways."""
        self.ports(plan)
        self.trunks(plan)
        hops: list[list[tuple[tuple[str, str], float, float]]] = [[] for _ in plan.rows]
        for edge, chain in plan.chains.items():
            for p, q in pairwise(chain):
                to = self.port[edge] if isinstance(q, str) else plan.x[q]
                hops[plan.rank[p]].append((edge, self.trunk.get(str(p), plan.x[p]), to))
        y = 0.0
        for row, crossing in zip(plan.rows, hops, strict=True):
            high = max((self.room(n) for n in row if isinstance(n, str)), default=_LOW)
            self.top.append(y)
            self.bottom.append(y + high)
            y += high + _TRUNK
            given = tracks([(a, b) for _, a, b in crossing])
            for (edge, a, b), k in zip(crossing, given, strict=True):
                self.hops.setdefault(edge, []).append((a, b, y + 16 + 30 * k))
            y += 30 * (max(given) + 1) + 14 if given and max(given) >= 0 else 12

    def ports(self, plan: Layers) -> None:
        """Where each edge enters its box: straight below where it comes from, as far as the box is wide."""
        for n, sources in self.sources.items():
            came = sorted(sources, key=lambda a, n=n: plan.x[plan.chains[a, n][-2]])  # type: ignore[misc]
            low, high = plan.x[n] - self.width(n) / 2 + 15, plan.x[n] + self.width(n) / 2 - 15
            wanted = []
            for k, a in enumerate(came):
                least, most = low + k * _PORT, high - (len(came) - 1 - k) * _PORT
                wanted.append(min(max(plan.x[plan.chains[a, n][-2]], least), most) - k * _PORT)
            for k, (a, place) in enumerate(zip(came, isotonic(wanted, [1.0] * len(came)), strict=True)):
                self.port[a, n] = place + k * _PORT

    def trunks(self, plan: Layers) -> None:
        """Where each box is left: below its middle, or a little beside it where that makes a line straight."""
        for n in self.main:
            ends = [
                self.port[n, m] if len(c := plan.chains[n, m]) == 2 else plan.x[c[1]] for m in self.users.get(n, [])
            ]
            near = min(ends, key=lambda e, n=n: abs(e - plan.x[n]), default=plan.x[n])  # type: ignore[misc]
            self.trunk[n] = near if abs(near - plan.x[n]) <= _ASIDE else plan.x[n]

    def node(self, n: str, x: float, y: float) -> None:
        node, w = self.nodes[n], self.width(n)
        given = node["value"] is None
        self.box(n, x, y, "input" if given else "op")
        for names, side in zip(self.sides.get(n, ((), ())), (-1, 1), strict=True):
            for k, s in enumerate(names):
                at = y + (k - (len(names) - 1) / 2) * 66.0
                self.beside(s, n, x + side * (w / 2), at, side)

    def box(self, n: str, x: float, y: float, fill: str) -> None:
        node, w, h = self.nodes[n], self.width(n), self.height(n)
        self.scene.add(Box(self.id[n], x - w / 2, y - h / 2, w, h, fill, rx=14 if fill != "op" else 5))
        if node["value"] is None and node["shape"]:
            self.scene.add(Text(x, y - 8, _value(node), 15, inside=self.id[n]))
            self.scene.add(Text(x, y + 10, written(shape_words(node)), 12, role="soft", inside=self.id[n]))
        else:
            self.scene.add(Text(x, y, _value(node), 15, inside=self.id[n]))

    def beside(self, s: str, n: str, edge: float, y: float, side: int) -> None:
        """An input beside its box: its value goes in above, its gradient comes out below."""
        w = self.width(s)
        near = edge + side * self.side_gap(s)
        self.box(s, near + side * w / 2, y, "parameter")
        inwards: tuple[Point, ...] = ((near, y - 6), (edge, y - 6))
        if not self.back[s, n]:
            self.scene.add(Line(((near, y), (edge, y)), "forward", arrow=True))
            return
        self.scene.add(Line(inwards, "forward", arrow=True))
        self.scene.add(Line(((edge, y + 6), (near, y + 6)), "backward", arrow=True, dashed=True))
        g = self.gradient(s)
        if g is not None:
            far = near + side * w
            self.scene.add(Text(far, y + _LOW / 2 + 12, g, 13, "start" if side < 0 else "end", "backward"))

    def out(self, n: str, plan: Layers) -> None:
        """The trunk of a box, its labels, and the branches to its users."""
        users, x, r = self.users.get(n, []), self.trunk[n], plan.rank[n]
        start, end = self.middle(r) + self.height(n) / 2, self.bottom[r] + _TRUNK
        backs = [self.back[n, m] for m in users]
        up = any(backs) or (not users and self.nodes[n]["value"] is not None and self.nodes[n]["gradient"] is not None)
        lanes = (x - _LANE, x + _LANE) if up else (x, x)
        if self.nodes[n]["value"] is not None:
            self.scene.add(Text(lanes[0] - 8, end - 19, _trunk_label(self.nodes[n]), 14, "end", "forward"))
        g = self.gradient(n)
        if g is not None:
            self.scene.add(Text(x + _LANE + 8, end - 19, g, 14, "start", "backward"))
        if len(users) != 1:
            self.scene.add(Line(((lanes[0], start), (lanes[0], end)), "forward", arrow=not users))
            if up:
                self.scene.add(Line(((lanes[1], end), (lanes[1], start)), "backward", arrow=True, dashed=True))
        many = sum(backs) > 1
        down = [self.turn((n, m), plan) for m in users]
        for m, back, turn in zip(users, backs, down, strict=True):
            whole = turn == max(down)  # the others leave its line where they turn
            begin = start if len(users) == 1 else end if whole else None
            self.branch((n, m), lanes[0], begin, -_LANE if back else 0.0, plan, True)
            if back:
                whole = turn == max(t for t, b in zip(down, backs, strict=True) if b)
                begin = start if len(users) == 1 else end if whole else None
                self.branch((n, m), lanes[1], begin, _LANE, plan, len(users) == 1)
        if len(users) > 1:
            self.scene.add(Disc(f"{self.id[n]}copy", lanes[0], end, 3.2, "forward", "forward"))
        if many:
            self.scene.add(Disc(f"{self.id[n]}sum", lanes[1], end, 7, "paper", "backward"))
            self.scene.add(Text(lanes[1], end, plain("+"), 12, role="backward", inside=f"{self.id[n]}sum"))

    def turn(self, edge: tuple[str, str], plan: Layers) -> tuple[float, str]:
        """How far down an edge leaves the line of its source; the name makes it the only one."""
        heights = [high for a, b, high in self.hops[edge] if abs(a - b) > 0.5]
        first = heights[0] if heights else self.top[plan.rank[edge[1]]] + 1e4
        return first, edge[1]

    def branch(self, edge: tuple[str, str], x: float, y: float | None, shift: float, plan: Layers, arrow: bool) -> None:
        """One lane of an edge from its source to its box; to the right of the other lane if `shift` > 0.

        It starts at the height y, or where it first turns.
        """
        points: list[Point] = [(x, 0.0 if y is None else y)]
        for a, b, high in self.hops[edge]:
            if abs(a - b) > 0.5:
                at = high - shift * (1 if b > a else -1)
                points += [(points[-1][0], at), (b + shift, at)]
        points.append((points[-1][0], self.middle(plan.rank[edge[1]]) - self.height(edge[1]) / 2))
        if y is None:
            del points[0]
        if abs(points[-1][0] - self.port[edge] - shift) > 0.5:  # one lane became two, or two became one
            points[-1:] = [(points[-1][0], points[-1][1] - 22), (self.port[edge] + shift, points[-1][1] - 22), (self.port[edge] + shift, points[-1][1])]  # fmt: skip
        forward = shift <= 0
        if not forward:
            points.reverse()
        self.scene.add(Line(tuple(points), "forward" if forward else "backward", arrow, not forward, rounded=True))


def _ranges(scene: Scene, core: Sequence[Json]) -> None:
    """Below the boxes, for which values of an index each equation stands."""
    found: dict[str, list[str]] = {}
    for q in core:
        if q.get("ranges"):
            found.setdefault(q["ranges"]["text"], []).append(q["left"]["text"])
    left, _, _, y = scene.extent()
    for ranges, names in found.items():
        y += 22
        scene.add(Text(left, y, plain("for ") + written(f"{ranges}: {', '.join(names)}"), 13, "start", "soft"))


def boxes(record: Json) -> Scene:
    """The network of the program as boxes."""
    drawn = _Boxes(record["graph"])
    scene = drawn.draw()
    names = ", ".join(q["left"]["text"] for q in record["core"])
    _ranges(scene, record["core"])
    scene.title = f"The network of the program: {names}"[:300]
    forward = "; ".join(q["equation"]["text"] for q in record["core"])
    backward = "; ".join(f"{b['left']['text']} = {b['value']['text']}" for b in record["backward"])
    scene.description = f"Forward, downwards: {forward}. Backward, upwards: {backward}."
    return scene
