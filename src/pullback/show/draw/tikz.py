"""A scene as a TikZ picture: the same places, the labels typeset by LaTeX. Needs only `\\usepackage{tikz}`, amsmath and amssymb."""

from __future__ import annotations

from .scene import PALETTE, Box, Disc, Line, Point, Scene, Text

__all__ = ["tikz"]

_SCALE = 0.021  # centimetres of a pixel: 15 px of the picture are ten points and a little


def _at(p: Point) -> str:
    return f"({p[0] * _SCALE:.2f},{-p[1] * _SCALE:.2f})"


def _options(*found: str) -> str:
    return "[" + ",".join(f for f in found if f) + "]"


def _written(t: Box | Disc | Line | Text) -> str:
    if isinstance(t, Box):
        style = _options(
            f"draw=pb{t.stroke}",
            f"fill=pb{t.fill}",
            f"rounded corners={t.rx * _SCALE:.2f}cm",
            "densely dashed" if t.dashed else "",
        )
        return rf"\path{style} {_at((t.x, t.y))} rectangle {_at((t.x + t.w, t.y + t.h))};"
    if isinstance(t, Disc):
        style = _options(f"draw=pb{t.stroke}", f"fill=pb{t.fill}", "densely dashed" if t.dashed else "")
        return rf"\path{style} {_at((t.x, t.y))} circle[radius={t.r * _SCALE:.2f}cm];"
    if isinstance(t, Line):
        style = _options(
            f"draw=pb{t.stroke}",
            "-latex" if t.arrow else "",
            "densely dashed" if t.dashed else "",
            "double" if t.double else "",
            "rounded corners=0.18cm" if t.rounded else "",
        )
        if t.curve:
            a, b, c, d = map(_at, t.points)
            return rf"\path{style} {a} .. controls {b} and {c} .. {d};"
        return rf"\path{style} {' -- '.join(map(_at, t.points))};"
    anchor = {"middle": "", "start": "anchor=west", "end": "anchor=east"}[t.anchor]
    size = r"\footnotesize" if t.size < 14 else r"\small" if t.size < 15 else ""
    style = _options(
        f"text=pb{t.role}", anchor, f"font={size}" if size else "", "inner sep=1pt", "fill=white" if t.halo else ""
    )
    return rf"\node{style} at {_at((t.x, t.y))} {{{t.words.latex}}};"


def tikz(scene: Scene) -> str:
    """The scene as a tikzpicture environment; colours are defined inside it."""
    used = {"paper"}
    for t in scene.things:
        used |= {t.role} if isinstance(t, Text) else {t.stroke} if isinstance(t, Line) else {t.stroke, t.fill}
    colours = [rf"\definecolor{{pb{r}}}{{HTML}}{{{PALETTE[r][0][1:].upper()}}}" for r in PALETTE if r in used]
    ordered = sorted(scene.things, key=lambda t: isinstance(t, Text))
    return (
        "\n".join([r"\begin{tikzpicture}[line width=0.6pt]", *colours, *map(_written, ordered), r"\end{tikzpicture}"])
        + "\n"
    )
