"""What a picture is made of, whatever it is written in: boxes, discs, lines and words at places.

y grows downwards; a pixel is the unit. `role` says what a thing is, and thereby its colour: see `PALETTE`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot

from .words import Words

__all__ = ["PALETTE", "Box", "Disc", "Line", "Point", "Scene", "Text", "clip"]

Point = tuple[float, float]

# role -> (stroke, fill, text) by day and by night. Forward and backward differ in hue and lightness, and in their dashes.
PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#e6edf3"),
    "soft": ("#59636e", "#9aa4af"),
    "line": ("#8b949e", "#6e7681"),
    "forward": ("#0a55b5", "#79b8ff"),
    "backward": ("#b02a0e", "#ff9f7a"),
    "op": ("#eef4ff", "#12233d"),
    "input": ("#f3f4f6", "#1c222b"),
    "parameter": ("#fff6dc", "#2e2610"),
    "hole": ("#ffffff", "#0d1117"),
    "removed": ("#fdeae4", "#3a1a10"),
}


@dataclass(slots=True)
class Box:
    id: str
    x: float
    y: float
    w: float
    h: float
    fill: str = "op"
    stroke: str = "line"
    rx: float = 6
    dashed: bool = False


@dataclass(slots=True)
class Disc:
    id: str
    x: float
    y: float
    r: float
    fill: str = "op"
    stroke: str = "line"
    dashed: bool = False


@dataclass(slots=True)
class Line:
    """A polyline, its corners perhaps rounded, or a Bézier curve of four points; perhaps with an arrowhead at its end."""

    points: tuple[Point, ...]
    stroke: str = "line"
    arrow: bool = False
    dashed: bool = False
    curve: bool = False
    rounded: bool = False
    double: bool = False
    width: float = 1.5


@dataclass(slots=True)
class Text:
    """Words whose vertical middle is y; `inside` names the box that must hold them."""

    x: float
    y: float
    words: Words
    size: float = 15
    anchor: str = "middle"
    role: str = "ink"
    inside: str = ""
    halo: bool = False

    @property
    def extent(self) -> tuple[float, float, float, float]:
        w = self.words.width(self.size)
        left = self.x - {"middle": w / 2, "start": 0, "end": w}[self.anchor]
        return left, self.y - 0.66 * self.size, left + w, self.y + 0.66 * self.size


@dataclass(slots=True)
class Scene:
    title: str
    description: str = ""
    things: list[Box | Disc | Line | Text] = field(default_factory=list)

    def add(self, *things: Box | Disc | Line | Text) -> None:
        self.things.extend(things)

    def extent(self) -> tuple[float, float, float, float]:
        """The rectangle that holds everything."""
        found = [_extent(t) for t in self.things] or [(0.0, 0.0, 0.0, 0.0)]
        return (
            min(e[0] for e in found),
            min(e[1] for e in found),
            max(e[2] for e in found),
            max(e[3] for e in found),
        )

    def shifted(self, dx: float, dy: float) -> list[Box | Disc | Line | Text]:
        """Everything moved by (dx, dy)."""
        for t in self.things:
            if isinstance(t, Line):
                t.points = tuple((x + dx, y + dy) for x, y in t.points)
            else:
                t.x, t.y = t.x + dx, t.y + dy
        return self.things


def _extent(t: Box | Disc | Line | Text) -> tuple[float, float, float, float]:
    if isinstance(t, Text):
        return t.extent
    if isinstance(t, Box):
        return t.x, t.y, t.x + t.w, t.y + t.h
    if isinstance(t, Disc):
        return t.x - t.r, t.y - t.r, t.x + t.r, t.y + t.r
    xs, ys = [p[0] for p in t.points], [p[1] for p in t.points]
    return min(xs), min(ys), max(xs), max(ys)


def clip(centre: Point, w: float, h: float, towards: Point) -> Point:
    """Where the line from the centre of a w × h box leaves the box."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    if hypot(dx, dy) < 1e-9:
        return centre
    t = min(w / 2 / abs(dx) if dx else 1e9, h / 2 / abs(dy) if dy else 1e9)
    return centre[0] + t * dx, centre[1] + t * dy
