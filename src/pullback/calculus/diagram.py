"""Each gradient is a network with one node removed (theory.md §0, §2.2 T1): the networks, and the proof that it is so.

Built from the meaning of every op alone, without the adjoints: a derivation of every backward equation that is
independent of the reverse sweep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..algebra.expr import Expr, postorder
from ..algebra.network import Term, TooLarge, network
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.free import increment, is_var
from ..algebra.ops.matrix import inner
from ..algebra.ops.structure import zeros
from ..step import Claim, Step, Why
from .derivation import Backward, Derivation, assumed_of, cotangents, finished, unassumed
from .differential import differential
from .graph import Diagram, Graph, after, before
from .products import Letters, entry_of

__all__ = ["diagrams"]


def _graph(t: Term, x: Expr, q: Expr, letters: Letters) -> Graph:
    node = next((f for f in t.factors if f.atom is increment(x)), None)
    if node is None:  # it stands inside a function that is no index sum
        raise TooLarge
    names: dict[int, str] = {}
    order = [i for i in t.dims if i not in node.legs]
    for i in (*node.legs, *sorted(order, key=lambda i: not any(i in f.legs for f in t.factors))):
        if i not in names:
            names[i] = letters.fresh(t.dims[i], names.values())
    rest = tuple(entry_of(f, names) for f in t.factors if f is not node)
    removed = entry_of(node, names)
    sizes = tuple(sorted(t.sizes.items(), key=str))
    return Graph(t.coef, sizes, rest, removed, {names[i]: d for i, d in t.dims.items()}, q)


def _sum(parts: Sequence[Expr], x: Expr | None = None) -> Expr:
    return added(parts) if parts else zeros(x.shape) if x is not None and x.order else rational(0)


def _merged(graphs: Sequence[Graph]) -> list[Graph]:
    """Networks that differ in nothing but their coefficient, through the same equation, added."""
    found: dict[object, Graph] = {}
    for g in graphs:
        key = (g.sizes, frozenset((n.atom, n.legs, n.power) for n in g.nodes), len(g.nodes), g.removed.legs, g.through)
        old = found.get(key)
        coef = g.coef if old is None else old.coef + g.coef
        found[key] = Graph(coef, g.sizes, g.nodes, g.removed, g.dims, g.through)
    return [g for g in found.values() if g.coef]


def _of(
    b: Backward, uses: Sequence[tuple[Expr, Expr, Expr]], letters: Letters, plain: Expr, assumed: Mapping[Expr, Expr]
) -> Diagram:
    """The diagram of one backward equation; `uses` are (equation, pairing, cotangent) with d(of) in them.

    `plain` is the gradient before an assumption of the user was used."""
    x, d = b.of, increment(b.of)
    graphs = [_graph(t, x, q, letters) for q, p, _ in uses for t in network(p).terms]
    graphs = _merged(graphs)
    closed, opened = _sum([before(g) for g in graphs]), _sum([after(g) for g in graphs], x)
    paired = _sum([p for _, p, _ in uses])
    name = x.attrs[0]

    def step(kind: str, left: Expr, right: Expr, rule: str, why: Why, claim: Claim, relation: str = "=") -> Step:
        return Step(id="", kind=kind, about=name, left=left, relation=relation, right=right, rules=(rule,), why=why, claim=claim)  # fmt: skip

    steps = [
        step("network", paired, closed, "I-EXPAND",
             Why("the pairing as a network", "a node for each tensor, a line for each index that is summed",
                 "every op means an index sum; a product of sums is one sum over all their indices"),
             Claim("EQ", paired, closed)),
        step("remove", closed, inner(opened, d), "M-HOLE",
             Why(f"remove the node d{name}", f"group the finite sum by the entries of d{name}: what they are multiplied by is the rest of the network",
                 "distributivity: nothing else is used, no op is asked for its adjoint"),
             Claim("EQ", closed, inner(opened, d))),
        step("read", opened, plain, "I-LIFT",
             Why("the rest in matrix notation", "where each line ends decides the notation"),
             Claim("EQ", opened, plain)),
    ]  # fmt: skip
    if plain is not b.value:
        (rule,), why, claim = finished(x, plain, b.value, assumed)
        steps.append(step("read", plain, b.value, rule, why, claim))
    return Diagram(x, b.value, tuple(graphs), tuple(steps))


def _uses(d: Derivation) -> dict[Expr, list[tuple[Expr, Expr, Expr]]]:
    """For every name the pairings ⟨∇v, term of dv⟩ that hold its increment, and the equation of v."""
    cotangent = cotangents(d)
    found: dict[Expr, list[tuple[Expr, Expr, Expr]]] = {}
    for q in reversed(d.core.equations):
        if q.var not in cotangent:
            continue
        moving = {x for x in postorder(q.value) if is_var(x) and x in cotangent}
        for t in differential(q.value, moving):
            G = cotangent[q.var]
            found.setdefault(t.of, []).append((q.var, inner(G, q.named(t.expr)), G))
    return found


def diagrams(d: Derivation) -> Iterator[Diagram]:
    """The networks of every backward equation, in their order; steps have no ids and are not checked yet."""
    letters = Letters([*d.inputs, *(q.var for q in d.core.equations)])
    uses, plain, assumed = _uses(d), unassumed(d), assumed_of(d)
    for b in d.backward:
        if b.of is d.target or b.of not in uses:
            continue
        try:
            yield _of(b, uses[b.of], letters, plain[b.of], assumed.get(b.of.attrs[0], {}))
        except TooLarge:
            yield Diagram(b.of, b.value, (), ())
