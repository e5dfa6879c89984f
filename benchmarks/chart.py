"""Small line charts with logarithmic axes, as SVG text: nothing but the standard library draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

__all__ = ["INK", "Line", "Panel", "chart"]

WIDE, HIGH = 400, 250  # of a panel, inside its axes
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 34, 46
INK, GRID = "#24292f", "#d8dee4"
ENTRY = 205  # the width of an entry of the legend


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[tuple[float, float]]
    color: str
    dash: str = ""


@dataclass(frozen=True)
class Panel:
    title: str
    across: str
    up: str
    lines: Sequence[Line]
    level: float | None = None  # a horizontal line to compare with


def _marks(low: float, high: float) -> list[float]:
    """1, 2, 5 of every power of ten, or powers of ten alone if there are many."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    steps = (1,) if log10(high / low) > 2.5 else (1, 2, 5)
    return [s * 10.0**p for p in powers for s in steps if low * 0.999 <= s * 10.0**p <= high * 1.001]


def _said(x: float) -> str:
    return f"{x:,.0f}".replace(",", " ") if x >= 1 else f"{x:g}"


def _panel(p: Panel, left: float, top: float) -> list[str]:
    xs = sorted({x for one in p.lines for x, _ in one.points})
    ys = [y for one in p.lines for _, y in one.points] + ([p.level] if p.level else [])
    low, high = min(ys) / 1.15, max(ys) * 1.15

    def at(x: float, y: float) -> tuple[float, float]:
        across = log10(x / xs[0]) / log10(xs[-1] / xs[0]) if len(xs) > 1 else 0.5
        return left + WIDE * (0.03 + 0.94 * across), top + HIGH * (1 - log10(y / low) / log10(high / low))

    made = [f'<text x="{left}" y="{top - 14}" font-weight="600">{escape(p.title)}</text>']
    for y in _marks(low, high):
        _, v = at(xs[0], y)
        made.append(f'<path d="M{left} {v:.1f}h{WIDE}" stroke="{GRID}"/>')
        made.append(f'<text x="{left - 7}" y="{v + 4:.1f}" text-anchor="end">{_said(y)}</text>')
    for k, x in enumerate(xs):
        u, _ = at(x, low)
        if len(xs) <= 6 or k % 2 == (len(xs) - 1) % 2:
            made.append(f'<text x="{u:.1f}" y="{top + HIGH + 17}" text-anchor="middle">{_said(x)}</text>')
    made.append(f'<path d="M{left} {top}v{HIGH}h{WIDE}" fill="none" stroke="{INK}"/>')
    made.append(f'<text x="{left + WIDE / 2}" y="{top + HIGH + 36}" text-anchor="middle">{escape(p.across)}</text>')
    u, v = left - 44, top + HIGH / 2
    made.append(f'<text x="{u}" y="{v}" text-anchor="middle" transform="rotate(-90 {u} {v})">{escape(p.up)}</text>')
    if p.level is not None:
        _, v = at(xs[0], p.level)
        made.append(f'<path d="M{left} {v:.1f}h{WIDE}" stroke="{INK}" stroke-dasharray="2 4"/>')
    for one in p.lines:
        points = [at(x, y) for x, y in one.points]
        path = "L".join(f"{u:.1f} {v:.1f}" for u, v in points)
        dash = f' stroke-dasharray="{one.dash}"' if one.dash else ""
        made.append(f'<path d="M{path}" fill="none" stroke="{one.color}" stroke-width="2"{dash}/>')
        made += [f'<circle cx="{u:.1f}" cy="{v:.1f}" r="3" fill="{one.color}"/>' for u, v in points]
    return made


def chart(panels: Sequence[Panel], columns: int, about: str) -> str:
    """The panels in rows, over one legend for all of them."""
    names = {one.name: one for p in panels for one in p.lines}
    wide = min(columns, len(panels)) * (LEFT + WIDE + RIGHT)
    entries = max(1, wide // ENTRY)
    legend = 14 + 22 * -(-len(names) // entries)
    high = legend + -(-len(panels) // columns) * (TOP + HIGH + BOTTOM)
    made = []
    for k, one in enumerate(names.values()):
        u, v = 14 + k % entries * ENTRY, 20 + k // entries * 22
        dash = f' stroke-dasharray="{one.dash}"' if one.dash else ""
        made.append(f'<path d="M{u} {v}h22" stroke="{one.color}" stroke-width="2.5"{dash}/>')
        made.append(f'<text x="{u + 29}" y="{v + 4}">{escape(one.name)}</text>')
    for k, p in enumerate(panels):
        made += _panel(
            p, LEFT + k % columns * (LEFT + WIDE + RIGHT), legend + TOP + k // columns * (TOP + HIGH + BOTTOM)
        )
    body = "\n".join(made)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" role="img" aria-label="{escape(about)}"
 font-family="system-ui, 'Helvetica Neue', Arial, sans-serif" font-size="13" fill="{INK}">
<rect width="{wide}" height="{high}" fill="#ffffff"/>
{body}
</svg>
"""
