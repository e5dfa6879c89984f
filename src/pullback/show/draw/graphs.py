"""What DOT and Mermaid write: nodes, edges, and groups of them; `kind` says what each is, and its pattern how it looks.

Of the program: op, input, forward, backward. Of its neurons: layer, neuron, bias, weight, plain (an edge without a
label). Of its diagrams: equation, side (one network of it), the kinds of a vertex (see `structure`), index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from .scene import PALETTE
from .structure import Network, network

__all__ = ["Item", "diagrams_graph", "network_graph", "neurons_graph", "spelled"]

Json = Mapping[str, Any]
_COLOURS = {role: day for role, (day, _) in PALETTE.items()}


@dataclass(frozen=True, slots=True)
class Item:
    """A node, its label perhaps of several lines; an edge from `id` to `to`; a group of `items`, or a whole graph."""

    kind: str
    id: str = ""
    label: str = ""
    items: tuple[Item, ...] = ()
    to: str = ""


def spelled(x: Item, patterns: Mapping[str, str], codes: Mapping[int, str]) -> str:
    """The text of an item by the pattern of its kind: {0.id}, {label} in quotes, {items} on lines or in one {row}."""
    inner = [spelled(y, patterns, codes) for y in x.items]
    items = indent("".join(f"\n{y}" for y in inner), "  ")
    label = f'"{x.label.translate(codes)}"'
    return patterns[x.kind].format(x, label=label, items=items, row=" ".join(inner), **_COLOURS)


def network_graph(record: Json) -> Item:
    """The program with its values and gradients."""
    graph = record["graph"]
    at = {n["name"]: (f"n{k}", n) for k, n in enumerate(graph["nodes"])}
    used = [e["from"] for e in graph["edges"] if e["back"]]
    items = [Item("input" if n["role"] == "input" else "op", id, _boxed(n)) for id, n in at.values()]
    for e in graph["edges"]:
        (a, node), (b, _) = at[e["from"]], at[e["to"]]
        items.append(Item("forward", a, _carried(node), to=b))
        if e["back"]:  # a gradient, or where the name is used several times one of the terms of it
            several = "a term of " if used.count(e["from"]) > 1 else ""
            items.append(Item("backward", b, several + node["gradient"]["left"]["text"], to=a))
    return Item("network", items=tuple(items))


def _carried(node: Json) -> str:
    """What an edge carries forward: a name with its shape."""
    return str(node["label"]["text"]) + (f" : ({', '.join(node['shape'])})" if node["shape"] else "")


def _boxed(node: Json) -> str:
    """The lines in the box of a node."""
    value = _carried(node) if node["value"] is None else f"{node['label']['text']} = {node['value']['text']}"
    g = node["gradient"]
    return f"{value}\n{g['left']['text']} = {g['right']['text']}" if g and g["right"] else value


def neurons_graph(record: Json) -> Item:
    """The program entry by entry; a bias is the weight of a neuron that is always 1."""
    layers, uses = record["neurons"]["layers"], record["neurons"]["uses"]
    at = {v["name"]: k for k, v in enumerate(layers)}
    ones = {b: f"one{k}" for k, b in enumerate(dict.fromkeys(u["bias"] for u in uses if u["bias"]))}
    items = []
    for k, v in enumerate(layers):
        entries = (Item("neuron", f"v{k}_{j}", x["text"]) for j, x in enumerate(v["entries"]))
        items.append(Item("layer", str(k), v["label"]["text"], tuple(entries)))
    items += [Item("bias", id) for id in ones.values()]
    for u in uses:
        (x, j), (y, i) = u["from"], u["to"]
        a = ones[u["bias"]] if u["bias"] else f"v{at[x]}_{j}"
        kind, label = ("weight", u["label"]["text"]) if u["label"] else ("plain", "")
        items.append(Item(kind, a, label, to=f"v{at[y]}_{i}"))
    return Item("neurons", items=tuple(items))


def diagrams_graph(record: Json) -> Item:
    """Every gradient as the networks that it is read off, each with its node and without."""
    equations = []
    for n, d in enumerate(record["diagrams"]):
        sides = []
        for k, t in enumerate(d["terms"]):
            sign = "" if k == 0 and t["sign"] == "+" else f"{t['sign'].replace('-', '−')} "
            number = f"{t['coefficient']['text']} × " if t["coefficient"] else ""
            before, after = f"with {t['removed']['label']['text']}", f"without: {d['left']['text']}"
            sides.append(_side(f"d{n}b{k}", sign + number + before, network(t, removed=False)))
            sides.append(_side(f"d{n}a{k}", sign + number + after, network(t, removed=True)))
        equations.append(Item("equation", str(n), f"{d['left']['text']} = {d['value']['text']}", tuple(sides)))
    return Item("diagrams", items=tuple(equations))


def _side(id: str, label: str, g: Network) -> Item:
    items = []
    for j, v in enumerate(g.vertices):
        text = v.node["entry" if len(v.node["legs"]) > 1 else "label"]["text"] if v.node else "".join(v.letters)
        items.append(Item(v.kind, f"{id}_{j}", text))
    items += [Item("index", f"{id}_{e.a}", "".join(e.letters), to=f"{id}_{e.b}") for e in g.edges]
    return Item("side", id, label, tuple(items))
