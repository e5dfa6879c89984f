"""A network back in matrix notation, or the reason why none exists (theory.md §5).

Indices are vertices, matrices edges, vectors weights. Four reductions (R0 isolated, R1 pendant, R2 parallel,
R3 series) are applied until nothing changes; they succeed exactly when the index graph, with its open legs
joined, has no K4 minor (T4). Transposes come from the direction in which an edge is walked, never from shapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import UnsupportedError
from .absorb import absorbed
from .canonical import symmetric, term_key
from .dims import Dim
from .expr import Expr, postorder
from .network import Factor, Term, TooLarge, network
from .ops.arithmetic import add, hadamard, power, rational, size_of, sub
from .ops.matrix import diag, diagvec, dot, eye, inner, outer, transpose
from .ops.reduction import total
from .ops.structure import einsum, ones, pad, place, slice_of, take, unit, zeros

__all__ = [
    "Lifted",
    "NotLiftable",
    "as_einsum",
    "assemble",
    "collected",
    "cost",
    "cut_blocks",
    "lift",
    "lift_term",
    "spell_term",
]


class NotLiftable(UnsupportedError):
    """No matrix notation exists; the message says why."""

    def __init__(self, why: str) -> None:
        super().__init__("U010", why)


@dataclass(slots=True)
class Lifted:
    """Matrix notation and the reductions that built it, in order: the proof of the lifting."""

    expr: Expr
    moves: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)  # two factors may hold the same matrix between the same indices
class _Edge:
    head: int
    tail: int
    matrix: Expr

    def seen_from(self, v: int) -> Expr:
        """The matrix with its rows at `v`."""
        return self.matrix if v == self.head else _turn(self.matrix)


def _turn(m: Expr) -> Expr:
    """Mᵀ, without writing a double transpose."""
    return m.args[0] if m.op is transpose else m if symmetric(m) else m.T


def _times(a: Expr, b: Expr) -> Expr:
    """Entrywise product without a factor of ones."""
    if a is ones(a.shape):
        return b
    return a if b is ones(b.shape) else a * b


def _scaled_rows(weight: Expr | None, m: Expr) -> Expr:
    return m if weight is None else diag(weight) @ m


class _Graph:
    def __init__(self, t: Term) -> None:
        self.dims = dict(t.dims)
        self.outs = t.outs
        self.scalars: list[Expr] = []
        self.weights: dict[int, Expr] = {}
        self.edges: list[_Edge] = []
        self.tied = False  # both open legs are one index: the result is diagonal
        self.moves: list[str] = []
        for f in t.factors:
            self.add(f)

    def add(self, f: Factor) -> None:
        if f.atom.op is eye and set(f.legs) == set(self.outs):
            self.tied = True
            return
        x = f.tensor
        if len(f.legs) > 2:
            raise NotLiftable(f"a factor has {len(f.legs)} axes: no matrix notation exists")
        if not f.legs:
            self.scalars.append(x)
        elif len(f.legs) == 1:
            self.weigh(f.legs[0], x)
        elif f.legs[0] == f.legs[1]:
            self.weigh(f.legs[0], diagvec(x))
        else:
            self.edges.append(_Edge(f.legs[0], f.legs[1], x))

    def weigh(self, v: int, w: Expr) -> None:
        if v in self.weights and w is not ones(w.shape) and self.weights[v] is not ones(w.shape):
            self.moves.append("two vectors share their index: ⊙")
        self.weights[v] = _times(self.weights[v], w) if v in self.weights else w

    def at(self, v: int) -> list[_Edge]:
        return [e for e in self.edges if v in (e.head, e.tail)]

    def reduce(self) -> None:
        """R0-R3 until nothing changes."""
        while self.parallel() or self.hanging() or self.series():
            pass

    def inner(self) -> list[int]:
        return [v for v in self.dims if v not in self.outs]

    def parallel(self) -> bool:
        """two edges between the same vertices become their entrywise product, or a number if they are all there is."""
        for a, e in enumerate(self.edges):
            ends = {e.head, e.tail}
            f = next((f for f in self.edges[a + 1 :] if {f.head, f.tail} == ends), None)
            if f is None:
                continue
            self.edges.remove(f)
            other = f.seen_from(e.head)
            alone = len(self.at(e.head)) == len(self.at(e.tail)) == 1
            if alone and not ends & {*self.outs, *self.weights}:
                self.edges.remove(e)
                del self.dims[e.head], self.dims[e.tail]
                self.scalars.append(inner(e.matrix, other))
                self.moves.append("two factors share both their indices and nothing else: a pairing ⟨A, B⟩")
            else:
                e.matrix = e.matrix * other
                self.moves.append("two factors share both their indices: ⊙")
            return True
        return False

    def hanging(self) -> bool:
        """R0, R1: a summed vertex with no edge becomes a number, one with a single edge a weight on its neighbour."""
        for v in self.inner():
            touching = self.at(v)
            if len(touching) > 1:
                continue
            weight = self.weights.pop(v, None)
            del self.dims[v]
            if not touching:
                self.scalars.append(_closed(weight))
                self.moves.append("an index in no other factor is summed: uᵀv or a sum")
                return True
            [e] = touching
            u = e.tail if e.head == v else e.head
            m = e.seen_from(u)
            self.edges.remove(e)
            self.weigh(u, m @ (weight if weight is not None else ones((m.shape[1],))))
            turned = "" if u == e.head else ", and as it is the first axis, a transpose"
            self.moves.append(
                f"a vector's index is summed with one axis of a matrix: a matrix product{turned}"
                if weight is not None
                else f"an axis in one factor only is summed: a product with 1{turned}"
            )
            return True
        return False

    def series(self) -> bool:
        """a summed vertex between two edges becomes a matrix product."""
        for v in self.inner():
            touching = self.at(v)
            if len(touching) != 2:
                continue
            e, f = touching
            u = e.tail if e.head == v else e.head
            w = f.tail if f.head == v else f.head
            if self.outs and (w == self.outs[0] or (len(self.outs) == 2 and u == self.outs[1])):
                e, f, u, w = f, e, w, u  # towards the output's own row axis, so that no outer transpose is needed
            self.edges.remove(e)
            self.edges.remove(f)
            weight = self.weights.pop(v, None)
            del self.dims[v]
            self.edges.append(_Edge(u, w, e.seen_from(u) @ _scaled_rows(weight, f.seen_from(v))))
            self.moves.append("an index shared by two factors and not open is summed: a matrix product")
            return True
        return False

    def result(self) -> Expr:
        if self.inner():
            raise NotLiftable(f"{len(self.dims)} indices remain that each meet three others (they form a K4): "
                              "no matrix notation exists")  # fmt: skip
        if len(self.outs) > 2:
            raise NotLiftable(f"the result has {len(self.outs)} axes: no matrix notation exists")
        if len(self.outs) == 0:
            return rational(1)
        if len(self.outs) == 1:
            v = self.outs[0]
            return self.weights.get(v) or ones((self.dims[v],))
        i, j = self.outs
        wi, wj = self.weights.get(i), self.weights.get(j)
        if self.tied:
            self.moves.append("both indices of the result are one: a diagonal")
            return diag(wi) if wi is not None else eye(dim=self.dims[i])
        if not self.edges:
            self.moves.append("two open indices in different factors: an outer product" if wi is not None and wj is not None
                              else "an open index in no factor: repeated, an outer product with 1")  # fmt: skip
            return outer(wi or ones((self.dims[i],)), wj or ones((self.dims[j],)))
        if wi is not None or wj is not None:
            self.moves.append("a vector at an open index scales the rows or columns: diag")
        if i != self.edges[0].head:
            self.moves.append("the indices of a matrix in the other order: a transpose")
        m = _scaled_rows(wi, self.edges[0].seen_from(i))
        return m if wj is None else m @ diag(wj)


def _closed(weight: Expr | None) -> Expr:
    """Σᵢ wᵢ; of a product of two vectors (or a square), their inner product."""
    assert weight is not None, "an index in no factor was turned into its size already"
    if weight.op is power and weight.attrs[0] == 2:
        return dot(weight.args[0], weight.args[0])
    return dot(*weight.args) if len(weight.args) == 2 and weight.op is hadamard else total(weight)


def cut_blocks(t: Term) -> Term:
    """Placements of blocks turned into slices and paddings of the factors that they touch."""
    for f in list(t.factors):
        if f.atom.op not in (place, unit) or f.power != 1:
            continue
        i = f.legs[0]
        others = [g for g in t.factors if g is not f and i in g.legs]
        if i not in t.outs and others and all(g.legs.count(i) == 1 and g.atom.op is not eye for g in others):
            t.factors.remove(f)
            for g in others:
                axis = g.legs.index(i)
                if f.atom.op is place:
                    g.atom = slice_of(g.atom, axis, f.atom.attrs[1], f.atom.attrs[2])
                    g.legs = tuple(f.legs[1] if x == i else x for x in g.legs)
                else:
                    g.atom = take(g.atom, axis=axis, start=f.atom.attrs[1])
                    g.legs = tuple(x for x in g.legs if x != i)
            del t.dims[i]
        elif i in t.outs and f.atom.op is place and f.legs[1] not in t.outs:
            j = f.legs[1]
            opposite = [g for g in t.factors if g is not f and j in g.legs]
            if len(opposite) == 1 and not others and opposite[0].legs.count(j) == 1 and opposite[0].atom.op is not eye:
                g = opposite[0]
                t.factors.remove(f)
                g.atom = pad(g.atom, axis=g.legs.index(j), start=f.atom.attrs[1], total=f.atom.attrs[0])
                g.legs = tuple(i if x == j else x for x in g.legs)
                del t.dims[j]
    return t


def _coefficient(t: Term) -> list[Expr]:
    parts: list[Expr] = []
    if abs(t.coef) != 1:
        parts.append(rational(abs(t.coef)))
    for d, p in sorted(t.sizes.items(), key=lambda item: str(item[0])):
        parts.append(size_of(d, p))
    return parts


def assemble(terms: list[tuple[Term, Expr]], shape: tuple[Dim, ...]) -> Expr:
    """The signed sum of the lifted terms, positive terms first."""
    ordered = sorted(terms, key=lambda pair: pair[0].coef < 0)
    total_expr: Expr | None = None
    for t, body in ordered:
        whole = body
        for s in reversed(_coefficient(t)):
            whole = s if whole is rational(1) else s * whole
        if total_expr is None:
            total_expr = -whole if t.coef < 0 else whole
        else:
            total_expr = total_expr - whole if t.coef < 0 else total_expr + whole
    if total_expr is None:
        return zeros(shape) if shape else rational(0)
    return total_expr


def collected(terms: Iterable[Term]) -> list[Term]:
    """Equal terms added, those that cancel gone. Raises TooLarge."""
    found: dict[str, Term] = {}
    for t in terms:
        key = term_key(t)
        if key in found:
            found[key].coef += t.coef
        else:
            found[key] = t
    return [t for t in found.values() if t.coef]


def lift(e: Expr) -> Lifted:
    """What `e` means, in matrix notation built from its network. Raises NotLiftable or TooLarge."""
    pieces: list[tuple[Term, Expr]] = []
    moves: list[str] = []
    for t in collected(network(e).terms):
        found = lift_term(t)
        pieces.append((t, found.expr))
        moves += found.moves
    return Lifted(assemble(pieces, e.shape), moves)


def lift_term(t: Term) -> Lifted:
    """One term without its coefficient in matrix notation. Raises NotLiftable."""
    moves = ["the entries of a block: a slice, or zeros put around it"] * any(
        f.atom.op in (place, unit) for f in t.factors
    )
    if any(f.atom.op.ordered or f.atom.op.graph for f in t.factors):
        moves.append("entries in another order or in other groups: the op that moves them")
    g = _Graph(cut_blocks(absorbed(t)))
    g.reduce()
    body = g.result()
    for s in reversed(g.scalars):
        body = s if body is rational(1) else s * body
    return Lifted(body, moves + g.moves)


def as_einsum(e: Expr) -> Expr:
    """What `e` means, as a sum of index sums. Raises TooLarge."""
    pieces = [(t, spell_term(t)) for t in collected(network(e).terms)]
    return assemble(pieces, e.shape)


def spell_term(t: Term) -> Expr:
    """One term without its coefficient as an index sum. Raises TooLarge."""
    t = absorbed(t)
    if len(t.dims) > 26:
        raise TooLarge
    letters = {i: "abcdefghijklmnopqrstuvwxyz"[k] for k, i in enumerate(t.dims)}
    together: dict[tuple[int, ...], Expr] = {}  # factors with the same axes are multiplied entry by entry
    for f in t.factors:
        together[f.legs] = together[f.legs] * f.tensor if f.legs in together else f.tensor
    factors = list(together.items())
    held = {i for legs, _ in factors for i in legs}
    factors += [((i,), ones((t.dims[i],))) for i in t.outs if i not in held]
    if len(factors) == 1 and factors[0][0] == t.outs:
        return factors[0][1]
    if not factors:
        return rational(1)
    spec = ",".join("".join(letters[i] for i in legs) for legs, _ in factors)
    return einsum(f"{spec}->{''.join(letters[i] for i in t.outs)}", *(a for _, a in factors))


def cost(e: Expr) -> tuple[int, ...]:
    """How heavy `e` is to read (theory.md §5.5): terms, atoms, diags, explicit ones, transposes, nodes.

    A `1` added to a tensor of its own shape (1 − y) reads as a number and is not an explicit vector of ones.
    """
    one = ones(()).op
    weight: dict[Expr, tuple[int, ...]] = {}
    for x in postorder(e):
        plain = sum(a.op is one for a in x.args) if x.op in (add, sub) else 0
        own = (
            x.op in (add, sub),
            not x.args or x.op is power,  # an exponent is read too
            x.op in (diag, diagvec),
            (x.op is one) - plain,
            x.op is transpose,
            1 + (x.op is diag or (x.op is power and x.attrs[0] != -1)),  # a diag is a detour
        )
        columns = zip(own, *(weight[a] for a in x.args), strict=True)
        weight[x] = tuple(min(sum(map(int, c)), 10**9) for c in columns)
    return weight[e]
