"""The same graphs as Mermaid text, which several Markdown renderers draw by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .dot import boxed, carried, returned, sides
from .structure import Network

__all__ = ["diagrams_mermaid", "network_mermaid", "neurons_mermaid"]

Json = Mapping[str, Any]
_CODES = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}


def _quoted(text: str) -> str:
    """A Mermaid string: its own entity codes for what would end it."""
    return '"' + "".join(_CODES.get(c, c) for c in text) + '"'


def network_mermaid(record: Json) -> str:
    graph = record["graph"]
    at = {n["name"]: (f"n{k}", n) for k, n in enumerate(graph["nodes"])}
    used = [e["from"] for e in graph["edges"] if e["back"]]
    out = ["flowchart TB"]
    for id, n in at.values():
        label = "<br/>".join(_quoted(line)[1:-1] for line in boxed(n))
        left, right = ("([", "])") if n["role"] == "input" else ("[", "]")
        out.append(f'  {id}{left}"{label}"{right}')
    back: list[int] = []
    count = 0
    for e in graph["edges"]:
        (a, node), (b, _) = at[e["from"]], at[e["to"]]
        out.append(f"  {a} -->|{_quoted(carried(node))}| {b}")
        count += 1
        if e["back"]:
            out.append(f"  {b} -.->|{_quoted(returned(node, used.count(e['from']) > 1))}| {a}")
            back.append(count)
            count += 1
    if back:
        out.append(f"  linkStyle {','.join(map(str, back))} stroke:#b02a0e")
    return "\n".join(out) + "\n"


def neurons_mermaid(record: Json) -> str:
    data = record["neurons"]
    out = ["flowchart LR"]
    id: dict[tuple[str, int], str] = {}
    for k, v in enumerate(data["layers"]):
        out.append(f"  subgraph g{k}[{_quoted(v['label']['text'])}]")
        for j, x in enumerate(v["entries"]):
            id[v["name"], j] = f"v{k}_{j}"
            out.append(f"    v{k}_{j}(({_quoted(x['text'])}))")
        out.append("  end")
    for k, b in enumerate(dict.fromkeys(u["bias"] for u in data["uses"] if u["bias"])):
        id[f"1 {b}", 0] = f"one{k}"
        out.append(f'  one{k}(("1"))')
    for u in data["uses"]:
        a = id[f"1 {u['bias']}", 0] if u["bias"] else id[u["from"][0], u["from"][1]]
        label = f"|{_quoted(u['label']['text'])}|" if u["label"] else ""
        out.append(f"  {a} -->{label} {id[u['to'][0], u['to'][1]]}")
    return "\n".join(out) + "\n"


def _vertex(g: Network, k: int) -> str:
    v = g.vertices[k]
    if v.kind == "copy":
        return '(("●"))'
    if v.kind == "ones":
        return '(("1"))'
    if v.kind == "open":
        return f"[/{_quoted(''.join(v.letters))}/]"
    assert v.node is not None
    label = _quoted(v.node["entry" if len(v.node["legs"]) > 1 else "label"]["text"])
    return f"([{label}]):::removed" if v.kind == "removed" else f"([{label}])"


def diagrams_mermaid(record: Json) -> str:
    out = ["flowchart LR", "  classDef removed stroke:#b02a0e,stroke-dasharray:4 3"]
    for n, d in enumerate(record["diagrams"]):
        out.append(f"  subgraph e{n}[{_quoted(d['left']['text'] + ' = ' + d['value']['text'])}]")
        for k, tag, caption, g in sides(d):
            name = f"d{n}{tag}{k}"
            out.append(f"    subgraph {name}[{_quoted(caption)}]")
            out += [f"      {name}_{j}{_vertex(g, j)}" for j in range(len(g.vertices))]
            for e in g.edges:
                out.append(f"      {name}_{e.a} ---|{_quoted(''.join(e.letters))}| {name}_{e.b}")
            out.append("    end")
        out.append("  end")
    return "\n".join(out) + "\n"
