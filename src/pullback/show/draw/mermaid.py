"""A graph as Mermaid text, which several Markdown renderers draw by themselves."""

from __future__ import annotations

from .graphs import Item, spelled
from .scene import PALETTE

__all__ = ["mermaid"]

# Mermaid's own entity codes for what would end a string.
_CODES = str.maketrans({'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "\n": "<br/>"})
_PATTERNS = {
    "network": "flowchart TB{items}\n",
    "op": "{0.id}[{label}]", "input": "{0.id}([{label}])",
    "forward": "{0.id} -->|{label}| {0.to}", "backward": "{0.id} -.->|{label}| {0.to}",
    "neurons": "flowchart LR{items}\n",
    "layer": "subgraph g{0.id}[{label}]{items}\nend", "neuron": "{0.id}(({label}))", "bias": '{0.id}(("1"))',
    "weight": "{0.id} -->|{label}| {0.to}", "plain": "{0.id} --> {0.to}",
    "diagrams": "flowchart LR\n  classDef removed stroke:{backward},stroke-dasharray:4 3{items}\n",
    "equation": "subgraph e{0.id}[{label}]{items}\nend", "side": "subgraph {0.id}[{label}]{items}\nend",
    "tensor": "{0.id}([{label}])", "removed": "{0.id}([{label}]):::removed",
    "copy": '{0.id}(("●"))', "ones": '{0.id}(("1"))', "open": "{0.id}[/{label}/]",
    "index": "{0.id} ---|{label}| {0.to}",
}  # fmt: skip


def mermaid(graph: Item) -> str:
    edges = (x.kind for x in graph.items if x.to)
    back = ",".join(str(k) for k, kind in enumerate(edges) if kind == "backward")  # an edge has a number, not a class
    style = f"  linkStyle {back} stroke:{PALETTE['backward'][0]}\n" if back else ""
    return spelled(graph, _PATTERNS, _CODES) + style
