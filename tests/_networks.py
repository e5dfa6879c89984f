"""Random einsum networks of vectors and matrices, and whether matrix notation exists, decided without our lifting."""

from __future__ import annotations

from itertools import combinations, permutations
from random import Random

from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import var
from pullback.algebra.ops.structure import einsum

SYMBOLS = ("k", "m", "n", "p", "q")
LETTERS = "abcdefgh"


def random_network(random: Random, most: int = 6, factors: int = 7, order: int = 2) -> tuple[str, list[Expr]]:
    """(spec, factors): axes of up to five sizes, some sizes on several axes, factors possibly repeated."""
    letters = LETTERS[: random.randrange(1, most + 1)]
    dims = {c: Dim.symbol(SYMBOLS[random.randrange(len(SYMBOLS))]) for c in letters}
    if random.randrange(3) == 0:  # one size everywhere: nothing can be told from shapes
        dims = dict.fromkeys(letters, Dim.symbol("n"))
    slots, args = [], []
    for i in range(random.randrange(1, factors + 1)):
        if args and random.randrange(5) == 0:  # a factor once more, at other places of the same sizes
            j = random.randrange(len(args))
            slots.append("".join(random.choice([c for c in letters if dims[c] == d]) for d in args[j].shape))
            args.append(args[j])
            continue
        count = min(len(letters), 0 if random.randrange(9) == 0 else random.randrange(1, order + 1))
        slot = "".join(random.choice(letters) for _ in range(count))
        shape = tuple(dims[c] for c in slot)
        again = [x for x in args if x.shape == shape]
        x = again[0] if again and random.randrange(4) == 0 else var(f"x{i + 1}", shape)
        slots.append(slot)
        args.append(x)
    held = sorted({c for s in slots for c in s})
    out = "".join(random.sample(held, min(len(held), random.randrange(3))))
    return ",".join(slots) + "->" + out, args


def as_expr(spec: str, args: list[Expr]) -> Expr:
    return einsum(spec, *args)


def index_graph(spec: str) -> set[frozenset[str]]:
    """An edge for every pair of different indices in one factor, and between the two open indices."""
    left, right = spec.split("->")
    edges = {frozenset(pair) for slot in [*left.split(","), right] for pair in combinations(set(slot), 2)}
    return edges


def has_k4_minor(edges: set[frozenset[str]]) -> bool:
    """By contracting edges until four mutually adjacent vertices remain; exhaustive, with no reduction rules."""
    vertices = frozenset(v for e in edges for v in e)
    seen: set[frozenset[frozenset[str]]] = set()
    stack = [frozenset(edges)]
    while stack:
        graph = stack.pop()
        if graph in seen:
            continue
        seen.add(graph)
        here = {v for e in graph for v in e}
        if len(here) < 4:
            continue
        for four in combinations(sorted(here), 4):
            if all(frozenset(p) in graph for p in combinations(four, 2)):
                return True
        for edge in graph:
            u, v = sorted(edge)
            stack.append(frozenset(frozenset(u if x == v else x for x in e) for e in graph if e != edge))
    assert len(vertices) >= 0
    return False


def renamed(spec: str, args: list[Expr], random: Random) -> tuple[str, list[Expr]]:
    """The same sum with other letters and its factors in another order."""
    letters = sorted(set(spec) - set(",->"))
    others = random.sample("ABCDEFGHIJKLMNOP", len(letters))
    spec = "".join(dict(zip(letters, others, strict=True)).get(c, c) for c in spec)
    left, right = spec.split("->")
    order = list(range(len(args)))
    random.shuffle(order)
    slots = left.split(",")
    return ",".join(slots[i] for i in order) + "->" + right, [args[i] for i in order]


def same_network(a: tuple[str, list[Expr]], b: tuple[str, list[Expr]]) -> bool:
    """Whether some renaming of the summed indices makes the two the same product: by trying all of them."""
    (left, out), (other, out2) = a[0].split("->"), b[0].split("->")
    if len(out) != len(out2) or len(a[1]) != len(b[1]):
        return False
    inner = sorted(set(left) - set(out) - {","})
    inner2 = sorted(set(other) - set(out2) - {","})
    if len(inner) != len(inner2):
        return False
    goal = sorted((x.attrs[0], s) for s, x in zip(other.split(","), b[1], strict=True))
    for choice in permutations(inner2):
        to = {**dict(zip(out, out2, strict=True)), **dict(zip(inner, choice, strict=True))}
        if sorted((x.attrs[0], "".join(to[c] for c in s)) for s, x in zip(left.split(","), a[1], strict=True)) == goal:
            return True
    return False
