"""One network of the record as vertices and lines, before or after its node is removed.

An index with two ends is a line. Any other index is a copy point with that many lines: three or more a ●, a
single one the vector of ones. Indices with the same ends are drawn as one line with several letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Edge", "Network", "Vertex", "network"]

Json = Mapping[str, Any]


@dataclass(slots=True)
class Vertex:
    """kind: tensor, removed, copy (●), ones (an index that is summed alone, or constant), open (the end of an axis)."""

    kind: str
    node: Json | None = None
    letters: tuple[str, ...] = ()
    axes: tuple[int, ...] = ()  # of an open end: which axes of the result, counted from 1


@dataclass(slots=True)
class Edge:
    a: int
    b: int
    letters: tuple[str, ...]


@dataclass(slots=True)
class Network:
    vertices: list[Vertex] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    sizes: Mapping[str, str] = field(default_factory=dict)

    def neighbours(self, v: int) -> list[int]:
        return [e.b if e.a == v else e.a for e in self.edges if v in (e.a, e.b) and e.a != e.b]

    def components(self) -> list[list[int]]:
        """The connected pieces, each in the order of its vertices."""
        left, found = list(range(len(self.vertices))), []
        while left:
            piece, stack = {left[0]}, [left[0]]
            while stack:
                for w in self.neighbours(stack.pop()):
                    if w not in piece:
                        piece.add(w)
                        stack.append(w)
            found.append([v for v in left if v in piece])
            left = [v for v in left if v not in piece]
        return found

    def between(self, a: int, b: int) -> Edge:
        return next(e for e in self.edges if {e.a, e.b} == {a, b})

    def core(self) -> list[int]:
        """What is left when leaves are taken off as long as there are any: empty for a tree."""
        kept = set(range(len(self.vertices)))
        while leaves := {v for v in kept if sum(w in kept for w in self.neighbours(v)) < 2}:
            kept -= leaves
        return sorted(kept)

    def spine(self) -> list[int]:
        """A longest path of a tree, the removed node or an open end at its right; open ends in the order of the axes."""
        best: list[int] = []
        score: tuple[int, ...] = ()
        for start in range(len(self.vertices)):
            for path in self._paths(start):
                ends = self.vertices[path[0]], self.vertices[path[-1]]
                inner = [self.vertices[v].kind for v in path[1:-1]]
                right = ends[1].kind == "removed" or (ends[1].kind == "open" and ends[0].kind != "open")
                ordered = ends[0].kind == ends[1].kind == "open" and ends[0].axes < ends[1].axes
                mine = (len(path), inner.count("removed"), int(right or ordered), -path[0])
                if mine > score:
                    best, score = path, mine
        return best

    def _paths(self, start: int) -> Iterator[list[int]]:
        """From `start` to every vertex of the tree."""
        stack = [[start]]
        while stack:
            path = stack.pop()
            yield path
            stack.extend([*path, w] for w in self.neighbours(path[-1]) if w not in path)

    def only(self, piece: Sequence[int]) -> Network:
        """One piece, renumbered."""
        at = {v: k for k, v in enumerate(piece)}
        edges = [Edge(at[e.a], at[e.b], e.letters) for e in self.edges if e.a in at]
        return Network([self.vertices[v] for v in piece], edges, self.sizes)


def _bundles(ends: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> Iterator[tuple[tuple[str, ...], tuple[int, ...], list[int]]]:  # fmt: skip
    """(letters, tensor ends, open axes) of the indices that have the same ends."""
    found: dict[object, list[str]] = {}
    for c, (at, axes) in ends.items():
        loops = len(set(at)) < len(at) or len(axes) > 1
        found.setdefault(c if loops else (at, bool(axes)), []).append(c)
    for letters in found.values():
        at, _ = ends[letters[0]]
        yield tuple(letters), at, [k for c in letters for k in ends[c][1]]


def network(term: Json, removed: bool) -> Network:
    """The term of a diagram: closed with its node, or with the node removed and its legs open."""
    made = Network(sizes=term["axes"])
    nodes = list(term["nodes"])
    made.vertices = [Vertex("tensor", n) for n in nodes]
    hole: Json = term["removed"]
    if not removed:
        made.vertices.append(Vertex("removed", hole))
        nodes.append(hole)
    ends: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for c in term["axes"]:
        at = tuple(k for k, n in enumerate(nodes) for x in n["legs"] if x == c)
        axes = tuple(k for k, x in enumerate(hole["legs"], 1) if x == c) if removed else ()
        if at or axes:
            ends[c] = (at, axes)
    for letters, held, opens in _bundles(ends):
        opened = [opens] if len(letters) > 1 and opens else [[k] for k in opens]
        places = list(held)
        for group in opened:
            made.vertices.append(Vertex("open", None, letters, tuple(group)))
            places.append(len(made.vertices) - 1)
        if len(places) == 2 and held:
            made.edges.append(Edge(places[0], places[1], letters))
            continue
        made.vertices.append(Vertex("ones" if len(places) == 1 else "copy", None, letters))
        made.edges += [Edge(p, len(made.vertices) - 1, letters) for p in places]
    return made
