"""The graph of an index network: nodes with lettered legs, one of them to be removed (theory.md §2.2, T1).

What is drawn is what is checked: both are this graph, and `before` and `after` contract it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.network import TooLarge
from ..algebra.ops.arithmetic import rational, scaled
from ..algebra.ops.matrix import eye
from ..algebra.ops.structure import einsum, ones
from ..step import Step
from .products import Entry

__all__ = ["Diagram", "Graph", "after", "before"]

_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Graph:
    """coef · Π sizes · one network of nodes; `removed` is the node that is taken out, its legs stay open.

    A letter is one line: summed, unless it is a leg of the removed node. `through` is the equation it comes from.
    """

    coef: Fraction
    sizes: tuple[tuple[Dim, int], ...]
    nodes: tuple[Entry, ...]
    removed: Entry
    dims: Mapping[str, Dim]
    through: Expr


@dataclass(frozen=True, slots=True)
class Diagram:
    """∇(of) = value as networks with d(of) removed; `graphs` is empty where they are too large to be drawn."""

    of: Expr
    value: Expr
    graphs: tuple[Graph, ...]
    steps: tuple[Step, ...]


def _contracted(g: Graph, nodes: Sequence[Entry], outs: Sequence[str]) -> Expr:
    """The graph as an index sum. A letter that is open twice is tied by δ; one that no node holds is constant."""
    names = dict(zip(g.dims, _ALPHABET, strict=False))
    if len(names) < len(g.dims) or len(g.dims) + len(outs) > len(_ALPHABET):
        raise TooLarge
    spare = iter(_ALPHABET[len(names) :])
    parts = [("".join(names[c] for c in n.legs), n.tensor) for n in nodes]
    target = ""
    for c in outs:
        if names[c] in target:
            twin = next(spare)
            parts.append((names[c] + twin, eye(dim=g.dims[c])))
            target += twin
        else:
            target += names[c]
    held = {x for letters, _ in parts for x in letters}
    parts += [(names[c], ones((g.dims[c],))) for c in dict.fromkeys(outs) if names[c] not in held]
    if not parts:
        return scaled(g.coef, g.sizes, rational(1))
    return scaled(g.coef, g.sizes, einsum(",".join(p for p, _ in parts) + "->" + target, *(a for _, a in parts)))


def before(g: Graph) -> Expr:
    """The closed network, a number that is linear in the node to be removed."""
    return _contracted(g, (*g.nodes, g.removed), ())


def after(g: Graph) -> Expr:
    """What is left when the node is removed: a tensor with its axes."""
    return _contracted(g, g.nodes, g.removed.legs)
