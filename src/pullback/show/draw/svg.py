"""A scene as SVG: one file, no script, no font, no outside reference; readable by day and by night.

The colours of the day stand at the shapes as attributes, which every renderer knows; those of the night in a style for
readers who have chosen dark.
"""

from __future__ import annotations

from html import escape
from math import atan2, cos, hypot, sin

from .scene import PALETTE, Box, Disc, Line, Point, Scene, Text
from .words import SMALL

__all__ = ["svg"]

_MARGIN = 16
_HEAD = 8  # length of an arrowhead
_FONT = "'STIX Two Text', Cambria, 'Times New Roman', 'Liberation Serif', 'DejaVu Serif', serif"


def _number(x: float) -> str:
    found = f"{x:.1f}".rstrip("0").rstrip(".")
    return "0" if found in ("-0", "") else found


def _clean(text: str) -> str:
    """Escaped, and without what XML cannot hold."""
    return escape("".join(c for c in text if c.isprintable() or c == "\u00a0"))


def _style(used: set[str]) -> str:
    """The colours of the night; those of the day stand at the shapes, where every renderer finds them."""
    night = ((r, PALETTE[r][1]) for r in PALETTE if r in used)
    rules = "".join(f".pb .f-{r}{{fill:{colour}}}.pb .s-{r}{{stroke:{colour}}}" for r, colour in night)
    return f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"


class _Writer:
    def __init__(self) -> None:
        self.used = {"paper"}
        self.out: list[str] = []

    def shape(self, head: str, fill: str | None, stroke: str | None, rest: str = "") -> None:
        names, attributes = [], []
        for kind, role in (("fill", fill), ("stroke", stroke)):
            if role is None:
                attributes.append(f'{kind}="none"' if kind == "fill" else "")
                continue
            self.used.add(role)
            names.append(f"{kind[0]}-{role}")
            attributes.append(f'{kind}="{PALETTE[role][0]}"')
        marks = " ".join(a for a in attributes if a)
        self.out.append(f'<{head} class="{" ".join(names)}" {marks}{rest}/>')

    def box(self, b: Box) -> None:
        head = f'rect id="{_clean(b.id)}" x="{_number(b.x)}" y="{_number(b.y)}" width="{_number(b.w)}" height="{_number(b.h)}" rx="{_number(b.rx)}"'
        self.shape(head, b.fill, b.stroke, ' stroke-width="1.5"' + (' stroke-dasharray="4 3"' if b.dashed else ""))

    def disc(self, d: Disc) -> None:
        head = f'circle id="{_clean(d.id)}" cx="{_number(d.x)}" cy="{_number(d.y)}" r="{_number(d.r)}"'
        self.shape(head, d.fill, d.stroke, ' stroke-width="1.5"' + (' stroke-dasharray="4 3"' if d.dashed else ""))

    def line(self, line: Line) -> None:
        points = list(line.points)
        tip = points[-1]
        if line.arrow:
            points[-1] = _short(points[-2], tip, _HEAD * 0.7)
        if line.curve:
            a, b, c, d = points
            path = f"M{_pair(a)}C{_pair(b)} {_pair(c)} {_pair(d)}"
        elif line.rounded:
            path = _rounded(points)
        else:
            path = "M" + "L".join(map(_pair, points))
        rest = f' stroke-width="{_number(line.width)}" stroke-linejoin="round"' + (
            ' stroke-dasharray="5 3.5"' if line.dashed else ""
        )
        if line.double:  # a wide line with the paper in its middle
            self.shape(f'path d="{path}"', None, line.stroke, f' stroke-width="{_number(line.width + 4)}"')
            self.shape(f'path d="{path}"', None, "paper", f' stroke-width="{_number(line.width + 1)}"')
        else:
            self.shape(f'path d="{path}"', None, line.stroke, rest)
        if line.arrow:
            self.head(line.points[-2], tip, line.stroke)

    def head(self, before: Point, tip: Point, role: str) -> None:
        angle = atan2(tip[1] - before[1], tip[0] - before[0])
        wings = [
            (tip[0] - _HEAD * cos(angle) + side * 3.4 * sin(angle), tip[1] - _HEAD * sin(angle) - side * 3.4 * cos(angle))
            for side in (1, -1)
        ]  # fmt: skip
        self.shape(f'path d="M{_pair(tip)}L{_pair(wings[0])}L{_pair(wings[1])}Z"', role, None)

    def text(self, t: Text) -> None:
        self.used.add(t.role)
        parts, shift = [], 0.0
        for r in t.words.runs:
            wanted = {-1: 0.22, 0: 0.0, 1: -0.36}[r.level] * t.size
            marks = "" if abs(wanted - shift) < 1e-6 else f' dy="{_number(wanted - shift)}"'
            marks += ' font-style="italic"' if r.italic else ""
            marks += f' font-size="{_number(SMALL * t.size)}"' if r.level else ""
            parts.append(f"<tspan{marks}>{_clean(r.text)}</tspan>" if marks else _clean(r.text))
            shift = wanted
        anchor = "" if t.anchor == "start" else f' text-anchor="{t.anchor}"'
        halo = ""
        if t.halo:
            halo = f' paint-order="stroke" stroke="{PALETTE["paper"][0]}" stroke-width="4" stroke-linejoin="round"'
        inside = f' data-in="{_clean(t.inside)}"' if t.inside else ""
        names = f"f-{t.role}" + (" s-paper" if t.halo else "")
        self.out.append(
            f'<text class="{names}" fill="{PALETTE[t.role][0]}" x="{_number(t.x)}" y="{_number(t.y + 0.33 * t.size)}"'
            f' font-size="{_number(t.size)}"{anchor}{halo}{inside}>{"".join(parts)}</text>'
        )


def _pair(p: Point) -> str:
    return f"{_number(p[0])},{_number(p[1])}"


def _rounded(points: list[Point]) -> str:
    """A polyline whose corners are quarter turns, smaller where there is little room."""
    path = f"M{_pair(points[0])}"
    for a, b, c in zip(points, points[1:], points[2:], strict=False):
        into, out = hypot(b[0] - a[0], b[1] - a[1]), hypot(c[0] - b[0], c[1] - b[1])
        r = min(9.0, into / 2, out / 2)
        if r > 0.5:
            path += f"L{_pair(_short(a, b, r))}Q{_pair(b)} {_pair(_short(c, b, r))}"
    return path + f"L{_pair(points[-1])}"


def _short(before: Point, tip: Point, by: float) -> Point:
    length = hypot(tip[0] - before[0], tip[1] - before[1]) or 1
    k = max(0.0, 1 - by / length)
    return before[0] + k * (tip[0] - before[0]), before[1] + k * (tip[1] - before[1])


def svg(scene: Scene) -> str:
    """The scene as an SVG document."""
    x0, y0, x1, y1 = scene.extent()
    w, h = x1 - x0 + 2 * _MARGIN, y1 - y0 + 2 * _MARGIN
    writer = _Writer()
    for t in sorted(scene.things, key=lambda t: isinstance(t, Text)):  # words last, above all lines
        {Box: writer.box, Disc: writer.disc, Line: writer.line, Text: writer.text}[type(t)](t)  # type: ignore[operator]
    left, top = _number(x0 - _MARGIN), _number(y0 - _MARGIN)
    body = "\n".join(writer.out)
    paper = f'<rect class="f-paper" fill="{PALETTE["paper"][0]}" x="{left}" y="{top}" width="{_number(w)}" height="{_number(h)}" rx="8"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pb" role="img" viewBox="{left} {top} {_number(w)} {_number(h)}"'
        f' width="{_number(w)}" height="{_number(h)}" font-family="{_FONT}" font-size="15">\n'
        f"<title>{_clean(scene.title)}</title>\n<desc>{_clean(scene.description)}</desc>\n{_style(writer.used)}\n"
        f"{paper}\n{body}\n</svg>\n"
    )
