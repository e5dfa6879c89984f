"""The program as a graph, and each backward equation as networks: plain data for the record (docs/record.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.indexed import family_of
from ..algebra.ops.arithmetic import rational, size_of
from ..algebra.ops.free import gradient, is_var
from ..calculus.derivation import Derivation
from ..calculus.graph import Diagram, Graph
from ..calculus.removal import removal
from ..calculus.roles import Entry, Product, Said, index_terms
from .indices import entry, products_text
from .names import ascii_text
from .notation import Printed, show
from .prose import prose_latex

__all__ = ["diagram", "program_graph"]

SHOWN = 4  # networks of one backward equation that are drawn; the others are counted

Json = dict[str, Any]


def program_graph(d: Derivation, math: Callable[[Expr], Json | None]) -> Json:
    """A node for every name, an edge for every use; `back` says whether a gradient flows along it, `side` that it comes in from beside."""
    known = {b.of: b for b in d.backward}
    moving = {family_of(b.of.attrs[0]) for b in d.backward}

    def returned(v: Expr) -> Json | None:
        """Its gradient; of a member that is written as another one only the name."""
        if v in known:
            return {"left": math(gradient(v)), "right": math(known[v].value)}
        if v is d.target and d.seed is None:
            return {"left": math(gradient(v)), "right": math(rational(1))}
        return {"left": math(gradient(v)), "right": None} if family_of(v.attrs[0]) in moving else None

    beside = _beside(d)
    defined = {q.var: q for q in d.core.equations}
    nodes, edges = [], []
    for v in [*d.inputs, *defined]:
        q, g = defined.get(v), returned(v)
        nodes.append(
            {
                "name": v.attrs[0],
                "label": math(v),
                "value": None if q is None else math(q.value),
                "shape": [str(n) for n in v.shape],
                "role": "input" if q is None else "auxiliary" if q.auxiliary else "defined",
                "wrt": v in d.wrt,
                "target": v is d.target,
                "gradient": g,
            }
        )
        for x in dict.fromkeys(x for x in postorder(q.value) if is_var(x)) if q is not None else ():
            edges.append(
                {
                    "from": x.attrs[0],
                    "to": v.attrs[0],
                    "back": returned(x) is not None and g is not None,
                    "side": x in beside,
                }
            )
    return {"nodes": nodes, "edges": edges}


def _beside(d: Derivation) -> set[Expr]:
    """The inputs that are drawn beside their one equation and not in the flow: parameters, targets.

    Where every input of an equation would be one, the flow starts at a factor of the lowest order: W a + b at a.
    """
    used: dict[Expr, list[Expr]] = {}
    for q in d.core.equations:
        for x in dict.fromkeys(x for x in postorder(q.value) if is_var(x)):
            used.setdefault(x, []).append(q.var)
    found: set[Expr] = set()
    for q in d.core.equations:
        sources = list(dict.fromkeys(x for x in postorder(q.value) if is_var(x)))
        leaves = [x for x in sources if x in d.inputs and used[x] == [q.var]]
        if len(leaves) == len(sources) and leaves:
            alone = _addends(q.value)
            spans = {n for x in leaves if x in alone for n in x.shape}
            leaves.remove(min(leaves, key=lambda x: (x in alone, x.order, sum(n in spans for n in x.shape))))
        found.update(leaves)
    return found


def _addends(e: Expr) -> set[Expr]:
    """The names that stand alone, or repeated along an axis, in a sum."""
    terms = index_terms(e, cut=False) or []
    return {t.factors[0].atom for t in terms if len(t.factors) == 1 and len(terms) > 1}


def diagram(found: Diagram, taken: Collection[str], math: Callable[[Expr], Json | None], said: Callable[[Said], Json]) -> Json:  # fmt: skip
    """One backward equation: its networks, each with the node that is removed, and what the open legs say."""
    return {
        "name": found.of.attrs[0],
        "left": show(gradient(found.of), taken).as_dict(),
        "value": math(found.value),
        "shape": [str(n) for n in found.of.shape],
        "drawn": bool(found.steps),
        "closed": _summed(found, taken, removed=False),
        "opened": _summed(found, taken, removed=True),
        "terms": [_term(g, taken, said, found.value) for g in found.graphs[:SHOWN]],
        "left_out": max(0, len(found.graphs) - SHOWN),
        "steps": [s.id for s in found.steps],
    }


def _summed(found: Diagram, taken: Collection[str], removed: bool) -> Json | None:
    """The networks as index sums: with the node, or without it; None where they are too many, or hold 0/1 blocks."""
    if len(found.graphs) > SHOWN or any(_block(n) for g in found.graphs for n in g.nodes):
        return None
    parts = []
    for g in found.graphs:
        nodes = g.nodes if removed else (*g.nodes, g.removed)
        summed = tuple(c for c in g.dims if not removed or c not in g.removed.legs)
        ordered = sorted(nodes, key=lambda n: bool(n.legs))  # numbers in front
        parts.append(Product(g.coef, g.sizes, summed, tuple(ordered)))
    return products_text(parts, taken).as_dict()


def _term(g: Graph, taken: Collection[str], said: Callable[[Said], Json], value: Expr) -> Json:
    return {
        "through": show(g.through, taken).as_dict(),
        "sign": "-" if g.coef < 0 else "+",
        "coefficient": _coefficient(g, taken),
        "nodes": [_node(n, taken) for n in g.nodes],
        "removed": _node(g.removed, taken),
        "axes": {c: str(n) for c, n in g.dims.items()},
        "said": [said(s) for s in removal(g, value)],
    }


def _coefficient(g: Graph, taken: Collection[str]) -> Json | None:
    """|coef| · Π sizes as a formula, None if it is 1."""
    parts = [rational(abs(g.coef))] if abs(g.coef) != 1 else []
    parts += [size_of(n, p) for n, p in g.sizes]
    if not parts:
        return None
    whole = parts[0]
    for factor in parts[1:]:
        whole = whole * factor
    return show(whole, taken).as_dict()


def _node(n: Entry, taken: Collection[str]) -> Json:
    block = _block(n)
    return {
        "label": (block or show(n.tensor, taken)).as_dict(),
        "entry": (block or entry(n, taken)).as_dict(),
        "legs": list(n.legs),
    }


def _block(n: Entry) -> Printed | None:
    """A 0/1 block by the places that it picks, `[1..n]`; None for any other node."""
    if n.atom.op.places is None:
        return None
    start, width = n.atom.op.places(n.atom)
    first, last = start + Dim.number(1), str(start + width)
    where = str(first) if last == str(first) else f"{first}..{last}"
    tex = prose_latex(where).replace("$", "").replace("..", "{..}")
    return Printed(f"[{where}]", f"[{ascii_text(where)}]", f"[{tex}]")
