"""DOT and Mermaid spell the same graph: every kind of item in both, and nothing of a label can end its string."""

from collections.abc import Callable

import pytest
from _pictures import NETWORKS, SIZED

import pullback as pb
from pullback.show.draw import dot, mermaid
from pullback.show.draw.graphs import Item, diagrams_graph, network_graph, neurons_graph


def everything(graph: Item) -> list[Item]:
    found = [graph]
    for x in found:  # grows as it is read
        found += x.items
    return found[1:]


def layer() -> list[Item]:
    d = pb.derive(NETWORKS["layer"])
    return [
        network_graph(d.record),
        neurons_graph(d._record({"neurons"}, sizes=SIZED["layer"])),
        diagrams_graph(d.record),
    ]


def test_every_kind_is_spelled_in_both() -> None:
    assert dot._PATTERNS.keys() == mermaid._PATTERNS.keys()
    made = {x.kind for graph in layer() for x in everything(graph)}
    assert made | {"ones"} == dot._PATTERNS.keys() - {"network", "neurons", "diagrams"}


def test_edges_join_what_is_there_and_names_are_used_once() -> None:
    for graph in layer():
        items = everything(graph)
        ids = [x.id for x in items if not x.to]
        assert len(ids) == len(set(ids))
        assert {end for x in items if x.to for end in (x.id, x.to)} <= set(ids)


@pytest.mark.parametrize(
    ("write", "line"),
    [
        (dot.dot, r'  n0 [label="a \"b\" {0} \\ <c>\nd", fillcolor="#eef4ff"];'),
        (mermaid.mermaid, r'  n0["a #quot;b#quot; {0} \ #lt;c#gt;<br/>d"]'),
    ],
)
def test_labels_are_escaped(write: Callable[[Item], str], line: str) -> None:
    graph = Item("network", items=(Item("op", "n0", 'a "b" {0} \\ <c>\nd'),))
    assert line in write(graph).splitlines()


def test_a_gradient_that_comes_back_is_coloured_by_the_number_of_its_edge() -> None:
    ends = [Item("op", "n0"), Item("op", "n1")]
    edges = [Item("forward", "n0", to="n1"), Item("backward", "n1", to="n0"), Item("forward", "n0", to="n1")]
    assert mermaid.mermaid(Item("network", items=(*ends, *edges))).endswith("\n  linkStyle 1 stroke:#b02a0e\n")
    assert "linkStyle" not in mermaid.mermaid(Item("network", items=(*ends, edges[0])))
