"""A graph as DOT text, for Graphviz."""

from __future__ import annotations

from .graphs import Item, spelled

__all__ = ["dot"]

_CODES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_PATTERNS = {
    "network": 'digraph network {{\n  rankdir=TB; node [shape=box, style="rounded,filled", fontname="Times"]; '
               'edge [fontname="Times", fontsize=11];{items}\n}}\n',
    "op": '{0.id} [label={label}, fillcolor="{op}"];', "input": '{0.id} [label={label}, fillcolor="{input}"];',
    "forward": '{0.id} -> {0.to} [label={label}, color="{forward}", fontcolor="{forward}"];',
    "backward": '{0.id} -> {0.to} [label={label}, style=dashed, constraint=false, '
                'color="{backward}", fontcolor="{backward}"];',
    "neurons": 'digraph neurons {{\n  rankdir=LR; node [shape=circle, fontname="Times"]; '
               'edge [fontname="Times", fontsize=10];{items}\n}}\n',
    "layer": "{{ rank=same; {row} }}", "neuron": "{0.id} [label={label}];",
    "bias": '{0.id} [label="1", style=filled, fillcolor="{parameter}"];',
    "weight": "{0.id} -> {0.to} [label={label}];", "plain": "{0.id} -> {0.to};",
    "diagrams": 'graph diagrams {{\n  layout=dot; rankdir=LR; node [fontname="Times"]; '
                'edge [fontname="Times", fontsize=11]; compound=true;{items}\n}}\n',
    "equation": 'subgraph cluster_{0.id} {{\n  label={label}; labeljust=l; fontcolor="{backward}";{items}\n}}',
    "side": 'subgraph cluster_{0.id} {{ label={label}; color="{line}";{items}\n}}',
    "tensor": "{0.id} [shape=box, style=rounded, label={label}];",
    "removed": '{0.id} [shape=box, style="rounded,dashed", color="{backward}", label={label}];',
    "copy": '{0.id} [shape=point, width=0.09, label=""];', "ones": '{0.id} [shape=circle, label="1"];',
    "open": '{0.id} [shape=plaintext, label={label}, fontcolor="{backward}"];',
    "index": "{0.id} -- {0.to} [label={label}];",
}  # fmt: skip


def dot(graph: Item) -> str:
    return spelled(graph, _PATTERNS, _CODES)
