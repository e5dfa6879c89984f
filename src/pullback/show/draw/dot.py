"""The same graphs as DOT text, for Graphviz: the program with its values and gradients, its neurons, its networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .scene import PALETTE
from .structure import Network, network

__all__ = ["diagrams_dot", "network_dot", "neurons_dot"]

Json = Mapping[str, Any]


def quoted(text: str) -> str:
    """A DOT string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _paint(role: str) -> str:
    return quoted(PALETTE[role][0])


def carried(node: Json) -> str:
    """What an edge carries forward: a name with its shape."""
    shape = f" : ({', '.join(node['shape'])})" if node["shape"] else ""
    return f"{node['label']['text']}{shape}"


def returned(node: Json, several: bool) -> str:
    """What an edge carries back: a gradient, or where the name is used several times one of the terms of it."""
    left = str(node["gradient"]["left"]["text"])
    return f"a term of {left}" if several else left


def boxed(node: Json) -> list[str]:
    """The lines in the box of a node."""
    found = [carried(node) if node["value"] is None else f"{node['label']['text']} = {node['value']['text']}"]
    if node["gradient"] and node["gradient"]["right"]:
        found.append(f"{node['gradient']['left']['text']} = {node['gradient']['right']['text']}")
    return found


def network_dot(record: Json) -> str:
    graph = record["graph"]
    at = {n["name"]: (f"n{k}", n) for k, n in enumerate(graph["nodes"])}
    used = [e["from"] for e in graph["edges"] if e["back"]]
    out = [
        "digraph network {",
        '  rankdir=TB; node [shape=box, style="rounded,filled", fontname="Times"]; edge [fontname="Times", fontsize=11];',
    ]
    for id, n in at.values():
        fill = "input" if n["role"] == "input" else "op"
        label = "\\n".join(quoted(line)[1:-1] for line in boxed(n))
        out.append(f'  {id} [label="{label}", fillcolor={_paint(fill)}];')
    for e in graph["edges"]:
        (a, node), (b, _) = at[e["from"]], at[e["to"]]
        out.append(
            f"  {a} -> {b} [label={quoted(carried(node))}, color={_paint('forward')}, fontcolor={_paint('forward')}];"
        )
        if e["back"]:
            label = quoted(returned(node, used.count(e["from"]) > 1))
            out.append(
                f"  {b} -> {a} [label={label}, style=dashed, constraint=false, color={_paint('backward')}, fontcolor={_paint('backward')}];"
            )
    return "\n".join([*out, "}"]) + "\n"


def neurons_dot(record: Json) -> str:
    data = record["neurons"]
    out = [
        "digraph neurons {",
        '  rankdir=LR; node [shape=circle, fontname="Times"]; edge [fontname="Times", fontsize=10];',
    ]
    id: dict[tuple[str, int], str] = {}
    for k, v in enumerate(data["layers"]):
        for j in range(len(v["entries"])):
            id[v["name"], j] = f"v{k}_{j}"
        row = " ".join(f"v{k}_{j} [label={quoted(x['text'])}];" for j, x in enumerate(v["entries"]))
        out.append(f"  {{ rank=same; {row} }}")
    for k, b in enumerate(dict.fromkeys(u["bias"] for u in data["uses"] if u["bias"])):
        id[f"1 {b}", 0] = f"one{k}"
        out.append(f'  one{k} [label="1", style=filled, fillcolor={_paint("parameter")}];')
    for u in data["uses"]:
        a = id[f"1 {u['bias']}", 0] if u["bias"] else id[u["from"][0], u["from"][1]]
        label = f" [label={quoted(u['label']['text'])}]" if u["label"] else ""
        out.append(f"  {a} -> {id[u['to'][0], u['to'][1]]}{label};")
    return "\n".join([*out, "}"]) + "\n"


def _vertex(g: Network, k: int) -> str:
    v = g.vertices[k]
    if v.kind == "copy":
        return 'shape=point, width=0.09, label=""'
    if v.kind == "ones":
        return 'shape=circle, label="1"'
    if v.kind == "open":
        return f"shape=plaintext, label={quoted(''.join(v.letters))}, fontcolor={_paint('backward')}"
    assert v.node is not None
    label = quoted(v.node["entry" if len(v.node["legs"]) > 1 else "label"]["text"])
    style = f'style="rounded,dashed", color={_paint("backward")}' if v.kind == "removed" else "style=rounded"
    return f"shape=box, {style}, label={label}"


def sides(d: Json) -> Iterator[tuple[int, str, str, Network]]:
    """(number, tag, caption, network) of every network of one equation, before and after."""
    for k, t in enumerate(d["terms"]):
        sign = "" if k == 0 and t["sign"] == "+" else f"{t['sign'].replace('-', '−')} "
        number = f"{t['coefficient']['text']} × " if t["coefficient"] else ""
        yield k, "b", f"{sign}{number}with {t['removed']['label']['text']}", network(t, removed=False)
        yield k, "a", f"{sign}{number}without: {d['left']['text']}", network(t, removed=True)


def diagrams_dot(record: Json) -> str:
    out = [
        "graph diagrams {",
        '  layout=dot; rankdir=LR; node [fontname="Times"]; edge [fontname="Times", fontsize=11]; compound=true;',
    ]
    for n, d in enumerate(record["diagrams"]):
        out.append(f"  subgraph cluster_{n} {{")
        out.append(
            f"    label={quoted(d['left']['text'] + ' = ' + d['value']['text'])}; labeljust=l; fontcolor={_paint('backward')};"
        )
        for k, tag, caption, g in sides(d):
            name = f"d{n}{tag}{k}"
            out.append(f"    subgraph cluster_{name} {{ label={quoted(caption)}; color={_paint('line')};")
            out += [f"      {name}_{j} [{_vertex(g, j)}];" for j in range(len(g.vertices))]
            for e in g.edges:
                out.append(f"      {name}_{e.a} -- {name}_{e.b} [label={quoted(''.join(e.letters))}];")
            out.append("    }")
        out.append("  }")
    return "\n".join([*out, "}"]) + "\n"
