"""A picture of a record: what is drawn, and in which language it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .boxes import boxes
from .columns import columns
from .dot import diagrams_dot, network_dot, neurons_dot
from .mermaid import diagrams_mermaid, network_mermaid, neurons_mermaid
from .svg import svg
from .tensors import diagrams
from .tikz import tikz

__all__ = ["FORMATS", "SUFFIXES", "WHAT", "draw"]

Json = Mapping[str, Any]
WHAT = ("network", "diagrams")
FORMATS = ("svg", "dot", "mermaid", "tikz")
SUFFIXES: Mapping[str, str] = {
    ".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid", ".tex": "tikz", ".tikz": "tikz",
}  # fmt: skip

_WRITERS: Mapping[str, Mapping[str, Callable[[Json], str]]] = {
    "network": {
        "svg": lambda r: svg(boxes(r)), "tikz": lambda r: tikz(boxes(r)), "dot": network_dot, "mermaid": network_mermaid,
    },
    "neurons": {
        "svg": lambda r: svg(columns(r)), "tikz": lambda r: tikz(columns(r)), "dot": neurons_dot, "mermaid": neurons_mermaid,
    },
    "diagrams": {
        "svg": lambda r: svg(diagrams(r)), "tikz": lambda r: tikz(diagrams(r)), "dot": diagrams_dot, "mermaid": diagrams_mermaid,
    },
}  # fmt: skip


def draw(record: Json, what: str, format: str) -> str:
    """The text of the picture; a network is drawn as neurons where the record holds them."""
    kind = "neurons" if what == "network" and record["neurons"] else what
    return _WRITERS[kind][format](record)
