"""A network in letters, on one line where it is a chain or a ring; where no line can hold it, its nodes and lines by name.

∇z ──i── W ──j── da        ∇y ──●── dz        dW ──j── A
                                │ i           └────k───┘   (the ring is closed below)
                              f′(z)
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from .structure import Edge, Network, Vertex, network

__all__ = ["drawn"]

Json = Mapping[str, Any]
_WIDE = 90  # columns; a wider picture is listed
_UNICODE = {"h": "─", "v": "│", "l": "└", "r": "┘", "t": "┐", "dot": "●", "one": "1"}
_ASCII = {"h": "-", "v": "|", "l": "+", "r": "+", "t": "+", "dot": "*", "one": "1"}


def drawn(term: Json, removed: bool, ascii: bool = False) -> list[str]:
    """The lines of the picture of one network."""
    whole = network(term, removed)
    pieces = [whole.only(p) for p in whole.components()]
    first = [min((a for v in p.vertices for a in v.axes), default=0) for p in pieces]
    order = sorted(range(len(pieces)), key=first.__getitem__)  # numbers, then by the axes of the result
    many = sum(map(bool, first)) > 1
    blocks = [_Piece(pieces[k], ascii, many and first[k] > 1).lines() for k in order]
    if not blocks:
        return ["1"]
    if any(len(b) > 4 for b in blocks) or sum(max(map(len, b)) + 4 for b in blocks) > _WIDE + 4:
        return [line for b in blocks for line in b]
    high = max(map(len, blocks))
    wide = [max(map(len, b)) for b in blocks]
    rows = []
    for k in range(high):
        rows.append(
            "    ".join((b[k] if k < len(b) else "").ljust(w) for b, w in zip(blocks, wide, strict=True)).rstrip()
        )
    return rows


class _Piece:
    def __init__(self, g: Network, ascii: bool, turned: bool) -> None:
        self.g, self.key, self.sign = g, "ascii" if ascii else "text", _ASCII if ascii else _UNICODE
        self.turned = turned  # with its open end at the left
        self.lettered: set[int] = set()  # copy points whose letter is written already

    def name(self, v: Vertex) -> str:
        if v.kind == "copy":
            return self.sign["dot"]
        if v.kind == "ones":
            return self.sign["one"]
        if v.kind == "open":
            return "".join(v.letters)
        assert v.node is not None
        return str(v.node["entry" if len(v.node["legs"]) > 1 else "label"][self.key])

    def lines(self) -> list[str]:
        found = self.line()
        if found is not None and max(map(len, found)) <= _WIDE:
            return found
        return [
            w
            for line in self.listed()
            for w in textwrap.wrap(line, _WIDE, subsequent_indent="  ", break_on_hyphens=False)
        ]

    def line(self) -> list[str] | None:
        """The piece on one line with what hangs from it, None if it has another form."""
        n, edges = len(self.g.vertices), self.g.edges
        if n == 1 and len(edges) == 1:
            return self.loop(self.g.vertices[0], edges[0])
        if any(e.a == e.b for e in edges) or len(edges) > n:
            return None
        if n == 1:
            return [self.name(self.g.vertices[0])]
        closed = len(edges) == n
        spine = self.ring() if closed else self.g.spine()
        if self.turned and not closed:
            spine.reverse()
        hung: dict[int, int] = {}
        for v in range(n):
            if v in spine:
                continue
            [*others] = self.g.neighbours(v)
            if len(others) != 1 or others[0] not in spine or others[0] in hung:
                return None
            hung[others[0]] = v
        return self.row(spine, hung, self.g.between(spine[-1], spine[0]) if closed else None)

    def loop(self, v: Vertex, e: Edge) -> list[str]:
        name, h = self.name(v), self.sign["h"]
        first = f"{name} {h * 2}{''.join(e.letters)}{h * 2}{self.sign['t']}"
        at = (len(name) - 1) // 2
        return [first, " " * at + self.sign["l"] + h * (len(first) - at - 2) + self.sign["r"]]

    def ring(self) -> list[int]:
        """The cycle, from the removed node on if that is on it; leaves are left aside."""
        core = self.g.core()
        path = [next((v for v in core if self.g.vertices[v].kind == "removed"), core[0])]
        while len(path) < len(core):
            path.append(next(w for w in self.g.neighbours(path[-1]) if w in core and w not in path))
        return path

    def label(self, a: int, b: int) -> str:
        """The letters on a line; none where its end says them already."""
        for v in (a, b):
            x = self.g.vertices[v]
            if x.kind == "open" or v in self.lettered:
                return ""
        self.lettered |= {v for v in (a, b) if self.g.vertices[v].kind == "copy"}
        return "".join(self.g.between(a, b).letters)

    def row(self, spine: Sequence[int], hung: Mapping[int, int], closing: Edge | None) -> list[str]:
        """The line; what hangs from it stands below, or above where the line is closed below to a ring."""
        h = self.sign["h"]
        for at, v in hung.items():  # the letter of a copy point stands beside what hangs from it
            if self.g.vertices[at].kind == "copy" and self.g.vertices[v].kind != "open":
                self.lettered.add(at)
        text, centre = "", {}
        for k, v in enumerate(spine):
            if k:
                letters = self.label(spine[k - 1], v)
                text += f" {h * 2}{letters}{h * 2} " if letters else f" {h * 2} "
            name = self.name(self.g.vertices[v])
            if self.g.vertices[v].kind == "copy":  # lines run into the point
                text = text[:-1] if k else text
                centre[v] = len(text)
                text += name
                continue
            if k and self.g.vertices[spine[k - 1]].kind == "copy":
                text = text.replace(self.sign["dot"] + " ", self.sign["dot"])
            centre[v] = len(text) + (len(name) - 1) // 2
            text += name
        found = [text]
        if hung:
            more = self.hung(hung, centre)
            found = [*found, *more] if closing is None else [*reversed(more), *found]
        if closing is not None:
            a, b = centre[spine[0]], centre[spine[-1]]
            letters = "".join(closing.letters)
            inside = letters.center(b - a - 1, h)
            found.append(" " * a + self.sign["l"] + inside + self.sign["r"])
        return found

    def hung(self, hung: Mapping[int, int], centre: Mapping[int, int]) -> list[str]:
        """What hangs from the line: a stroke with its letter, and the name beyond."""
        strokes, names = "", ""
        for at, v in sorted(hung.items(), key=lambda item: centre[item[0]]):
            column = centre[at]
            x = self.g.vertices[v]
            letters = "" if x.kind == "open" else "".join(self.g.between(at, v).letters)
            name = self.name(x)
            left = max(column - (len(name) - 1) // 2, len(names) + 2 if names else 0)
            strokes = strokes.ljust(column) + self.sign["v"] + (f" {letters}" if letters else "")
            names = names.ljust(left) + name
        return [strokes, names]

    def listed(self) -> list[str]:
        """The nodes with their indices, then each index with what it joins: a picture of any network in words."""
        shown = [str(v.node["entry"][self.key]) for v in self.g.vertices if v.node is not None]
        lines = ["nodes: " + ", ".join(shown)]
        at: dict[str, list[str]] = {}
        for e in self.g.edges:
            for c in e.letters:
                for v in (e.a, e.b):
                    x = self.g.vertices[v]
                    if x.node is not None:
                        at.setdefault(c, []).append(str(x.node["label"][self.key]))
                    elif x.kind == "open":
                        at.setdefault(c, []).append("open")
        dash = f" {self.sign['h'] * 2} "
        for c, names in at.items():
            ends = [*names, self.sign["one"]] if len(names) == 1 else names
            joined = dash.join(ends) if len(ends) == 2 else f"{self.sign['dot']} {', '.join(ends)}"
            lines.append(f"line {c} ({self.g.sizes[c]}): {joined}")
        return lines
