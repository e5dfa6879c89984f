"""A gradient is its network without one node: contracted again, what is drawn is the backward equation."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from _pictures import ALL

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.matrix import eye
from pullback.algebra.ops.structure import einsum, ones, zeros
from pullback.calculus.graph import Graph, after, before
from pullback.calculus.removal import pieces
from pullback.proof.claim import modular_equal
from pullback.show.draw.structure import network
from pullback.show.notation import show

each = pytest.mark.parametrize("name", ALL)


@cache
def derived(name: str) -> pb.Derived:
    d = pb.derive(ALL[name])
    assert d.record  # with its diagrams
    return d


def tensors(d: pb.Derived) -> dict[str, Expr]:
    """What a label stands for."""
    found: dict[str, Expr] = {}
    taken = frozenset(v.attrs[0] for v in d.derivation.names())
    for g in d.derivation.diagrams:
        for x in g.graphs:
            for n, shown in zip((*x.nodes, x.removed), labels(d, g.of.attrs[0], x), strict=True):
                assert found.setdefault(shown, n.tensor) is n.tensor
                assert shown.startswith("[") or show(n.tensor, taken).text == shown
    return found


def labels(d: pb.Derived, name: str, graph: Graph) -> list[str]:
    [made] = [x for x in d.record["diagrams"] if x["name"] == name]
    [drawn] = [x for x in d.derivation.diagrams if x.of.attrs[0] == name]
    k = next(k for k, g in enumerate(drawn.graphs) if g is graph)
    if k >= len(made["terms"]):
        return [show(n.tensor).text for n in (*graph.nodes, graph.removed)]
    t = made["terms"][k]
    return [n["label"]["text"] for n in (*t["nodes"], t["removed"])]


def contracted(term: dict[str, Any], meaning: dict[str, Expr], dims: dict[str, Dim]) -> Expr:
    """The network with its node removed, from the vertices and lines that are drawn and from nothing else."""
    drawn = network(term, removed=True)
    letter: dict[tuple[int, str], str] = {}  # (edge, its letter) -> an index of ours
    tie: dict[str, str] = {}
    for k, e in enumerate(drawn.edges):
        for c in e.letters:
            letter[k, c] = f"{k}{c}"
    for v, x in enumerate(drawn.vertices):
        if x.kind in ("copy", "ones"):  # all of its lines are one index, letter by letter
            for c in x.letters:
                mine = [letter[k, c] for k, e in enumerate(drawn.edges) if v in (e.a, e.b)]
                assert len(mine) == 1 if x.kind == "ones" else len(mine) > 1
                for m in mine:
                    tie[m] = mine[0]
    names: dict[str, str] = {}

    def index(k: int, c: str) -> str:
        root = tie.get(letter[k, c], letter[k, c])
        return names.setdefault(root, "abcdefghijklmnopqrstuvwxyz"[len(names)])

    parts, spans, opened = [], {}, {}
    for v, x in enumerate(drawn.vertices):
        at = {c: index(k, c) for k, e in enumerate(drawn.edges) if v in (e.a, e.b) for c in e.letters}
        for c, i in at.items():
            spans[i] = dims[c]
        if x.kind == "tensor":
            assert set(at) == set(x.node["legs"])
            parts.append(("".join(at[c] for c in x.node["legs"]), meaning[x.node["label"]["text"]]))
        elif x.kind == "open":
            for c, axis in zip(x.letters if len(x.letters) > 1 else x.letters * len(x.axes), x.axes, strict=True):
                opened[axis] = at[c]
    target = ""
    for axis in sorted(opened):
        i = opened[axis]
        if i in target:
            twin = "ABCDEF"[len(target)]
            parts.append((i + twin, eye(dim=spans[i])))
            i = twin
        target += i
    held = {c for letters, _ in parts for c in letters}
    parts += [(i, ones((span,))) for i, span in spans.items() if i not in held]
    return einsum(",".join(p for p, _ in parts) + "->" + target, *(a for _, a in parts)) if parts else rational(1)


@each
def test_the_drawn_network_is_the_gradient(name: str) -> None:
    """From the record alone, by way of what is drawn: for every equation whose networks are all drawn."""
    d = derived(name)
    meaning = tensors(d)
    checked = 0
    for made, found in zip(d.record["diagrams"], d.derivation.diagrams, strict=True):
        if made["left_out"] or not made["drawn"]:
            continue
        total = zeros(found.of.shape) if found.of.order else rational(0)
        for term, g in zip(made["terms"], found.graphs, strict=True):
            assert {c: str(n) for c, n in g.dims.items()} == term["axes"]
            body = contracted(term, meaning, dict(g.dims))
            scale = Graph(abs(g.coef), g.sizes, (), g.removed, g.dims, g.through)
            number = after(Graph(scale.coef, scale.sizes, (), type(g.removed)(g.removed.atom, ()), {}, g.through))
            part = body if number is rational(1) else number * body
            total = total - part if term["sign"] == "-" else total + part
        where = dict(w for s in found.steps for w in s.claim.where.items())
        assert modular_equal(total, found.value, where), made["left"]["text"]
        checked += 1
    assert checked


def test_a_wrong_drawing_is_seen() -> None:
    """The tester is tested: legs in the wrong order, and a line that ends elsewhere, are not the gradient."""
    d = derived("quadratic")
    [made] = [x for x in d.record["diagrams"] if x["name"] == "x"]
    [found] = [x for x in d.derivation.diagrams if x.of.attrs[0] == "x"]
    meaning, dims = tensors(d), dict(found.graphs[0].dims)

    def drawn(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Expr:
        first, second = made["terms"]
        return contracted(change(first), meaning, dims) + contracted(second, meaning, dims)

    def turned(term: dict[str, Any]) -> dict[str, Any]:
        return {**term, "nodes": [{**n, "legs": n["legs"][::-1]} for n in term["nodes"]]}

    def elsewhere(term: dict[str, Any]) -> dict[str, Any]:
        other = next(c for c in term["axes"] if c not in term["removed"]["legs"])
        return {**term, "removed": {**term["removed"], "legs": [other]}}

    assert modular_equal(drawn(lambda t: t), found.value, {})
    assert not modular_equal(drawn(turned), found.value, {})
    assert not modular_equal(drawn(elsewhere), found.value, {})


@each
def test_every_removal_is_proved(name: str) -> None:
    steps = [s for g in derived(name).derivation.diagrams for s in g.steps]
    assert steps and all(s.evidence and s.claim.kind == "EQ" for s in steps)
    assert len({s.id for s in steps}) == len(steps)
    kinds = [s.kind for s in steps]
    assert kinds == ["network", "remove", "read"] * (len(steps) // 3)


@each
def test_the_removed_node_occurs_once(name: str) -> None:
    for g in derived(name).derivation.diagrams:
        for x in g.graphs:
            assert all(n.atom is not x.removed.atom for n in x.nodes)
            assert after(x).shape == g.of.shape and not before(x).order


def said(name: str, of: str) -> list[str]:
    [made] = [x for x in derived(name).record["diagrams"] if x["name"] == of]
    return [s["text"] for t in made["terms"] for s in t["said"]]


@pytest.mark.parametrize(
    ("name", "of", "words"),
    [
        ("layer", "z", "i joins ∇y and f′(z) and is open ⇒ ●, matched and not summed: ⊙"),
        ("layer", "W", "falls into 2 pieces with open legs, ∇z | a, and no line joins them ⇒ outer product"),
        ("layer", "a", "W is entered through its first leg, which is written Wᵀ"),
        ("layer", "b", "∇z is left with its legs in their own order ⇒ it stands as it is"),
        ("batch_rows", "b", "i ends at ∇Z and has no other end ⇒ summed over all i"),
        ("quadratic", "A", "i is open 2 times: the open ends are tied by δ ⇒ diagonal"),
        ("order3", "x", "j hangs on nothing that is left ⇒ the same number for every j: broadcast"),
        ("order3", "y", "the piece of s has no open leg ⇒ a number, a factor"),
        ("bias_folded", "b", "k ends at the 0/1 block [n + 1] ⇒ along k of ∇V only n + 1 is kept: a slice"),
        ("scalars", "x", "remove dx: it has no legs, so what is left is a number"),
    ],
)
def test_what_the_open_legs_say(name: str, of: str, words: str) -> None:
    assert any(words in s for s in said(name, of)), said(name, of)


def test_no_transpose_is_claimed_that_is_not_written() -> None:
    assert not any("ᵀ" in s for s in said("layer_index", "a"))


def test_pieces() -> None:
    [found] = [x for x in derived("layer").derivation.diagrams if x.of.attrs[0] == "W"]
    assert [len(p) for p in pieces(found.graphs[0])] == [1, 1]


def test_equal_terms_are_one_picture() -> None:
    d = pb.derive("x : n; E = x' x")
    assert d.record["diagrams"][0]["terms"][0]["coefficient"]["text"] == "2"
    assert len(d.record["diagrams"][0]["terms"]) == 1


def test_cancelling_terms_leave_zero() -> None:
    d = pb.derive("x : n; y : n; E = sum(x - x + y)", wrt=["x", "y"])
    [made] = [x for x in d.record["diagrams"] if x["name"] == "x"]
    assert made["terms"] == [] and made["drawn"]
    assert "cancel" in d.text("diagram")
