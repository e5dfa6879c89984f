"""A picture of a record: what is drawn, and in which language it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .boxes import boxes
from .columns import columns
from .dot import dot
from .graphs import Item, diagrams_graph, network_graph, neurons_graph
from .mermaid import mermaid
from .scene import Scene
from .svg import svg
from .tensors import diagrams
from .tikz import tikz

__all__ = ["FORMATS", "SCENES", "SUFFIXES", "WHAT", "draw"]

Json = Mapping[str, Any]
WHAT = ("network", "diagrams")
FORMATS = ("svg", "dot", "mermaid", "tikz")
SUFFIXES: Mapping[str, str] = {
    ".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid", ".tex": "tikz", ".tikz": "tikz",
}  # fmt: skip

# What is shown -> the scene and the graph of a record.
_SHOWN: Mapping[str, tuple[Callable[[Json], Scene], Callable[[Json], Item]]] = {
    "network": (boxes, network_graph),
    "neurons": (columns, neurons_graph),
    "diagrams": (diagrams, diagrams_graph),
}
SCENES: Mapping[str, Callable[[Scene], str]] = {"svg": svg, "tikz": tikz}
_GRAPHS: Mapping[str, Callable[[Item], str]] = {"dot": dot, "mermaid": mermaid}


def draw(record: Json, what: str, format: str) -> str:
    """The text of the picture; a network is drawn as neurons where the record holds them."""
    scene, graph = _SHOWN["neurons" if what == "network" and record["neurons"] else what]
    return SCENES[format](scene(record)) if format in SCENES else _GRAPHS[format](graph(record))
