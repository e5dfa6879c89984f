"""Index equations: `z_j = sum_i W_ij a_i` as index sums over whole tensors.

Strict: every index is on the left or bound by a sum. A product is kept as its factors until something needs
it whole, so that one term becomes one einsum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from ..algebra.dims import Dim
from ..algebra.expr import OPERATORS
from ..algebra.ops import arithmetic, matrix, structure
from ..errors import ParseError, PullbackError
from .calls import apply
from .functions import KNOWN
from .tape import Node, Tape
from .tokens import Statement
from .values import Maker, Val

__all__ = ["elaborate_index"]

Labels = tuple[str, ...]


class Term:
    """A product: scalar factors, tensors with a label for every axis, and the labels that are summed."""

    __slots__ = ("bound", "factors", "number", "scalars")

    def __init__(
        self,
        factors: Sequence[tuple[Val, Labels]] = (),
        scalars: Sequence[Val] = (),
        bound: Labels = (),
        number: Fraction | None = None,
    ) -> None:
        self.factors, self.scalars, self.bound, self.number = tuple(factors), tuple(scalars), bound, number

    @property
    def free(self) -> Labels:
        seen = dict.fromkeys(x for _, labels in self.factors for x in labels)
        return tuple(x for x in seen if x not in self.bound)


def elaborate_index(maker: Maker, statement: Statement, tape: Tape, left: Labels) -> Val:
    """The right side with its axes in the order of the indices on the left."""
    maker.statement, maker.tape = statement, tape
    reader = _Indices(maker, left)
    terms: list[Term] = []
    for node in tape:
        kids = [terms[k] for k in node.kids]
        try:
            terms.append(_HANDLERS[node.tag](reader, node, kids) if node.tag in _HANDLERS else reader.refuse(node))
        except PullbackError as error:
            raise error.at(maker.span(node)) from None
    last, node = terms[-1], tape[-1]
    missing = [x for x in left if x not in last.free]
    if missing:
        whole = ", ".join(missing)
        raise maker.parse_error(
            "P015",
            f"the index {whole} is on the left but not on the right",
            node,
            expected="every index of the left side on the right",
            hint=f"write 1_{missing[0]} as a factor to repeat the value along {missing[0]}",
        )
    try:
        return reader.whole(node, last, left)
    except PullbackError as error:
        raise error.at(maker.span(node)) from None


class _Indices:
    def __init__(self, maker: Maker, left: Labels) -> None:
        self.maker, self.left = maker, left
        self.size: dict[str, Dim] = {}

    def refuse(self, node: Node) -> Term:
        raise self.maker.parse_error(
            "P002",
            f"{self.maker.surface(node)} cannot stand in an index equation",
            node,
            expected="sums and products of entries such as W_ij, numbers and functions",
            hint="write this line in matrix notation, without indices",
        )

    # ---- whole tensors

    def whole(self, node: Node, term: Term, order: Labels) -> Val:
        """The term as a tensor whose axes are `order`; labels that it lacks are filled with ones."""
        maker = self.maker
        factors = list(term.factors)
        lacking = [x for x in order if x not in term.free]
        for x in lacking:
            factors.append((self.ones(x), (x,)))
        if lacking:
            name = maker.surface(node)
            maker.note(
                f"{name} does not depend on {', '.join(lacking)}: it is repeated along "
                + ", ".join(f"{x} (1_{maker.sizes.resolve(self.size[x])})" for x in lacking),
                "V-BCAST",
            )
        if not factors:
            value = term.scalars[-1] if term.scalars else maker.constant(Fraction(1))
            return self.scaled(term.scalars[:-1], value)
        return self.scaled(term.scalars, self.contract(factors, order))

    def contract(self, factors: Sequence[tuple[Val, Labels]], order: Labels) -> Val:
        maker = self.maker
        shape = maker.axes([self.size[x] for x in order])
        if len(factors) == 1 and factors[0][1] == order:
            return factors[0][0]
        if [labels for _, labels in factors] == [order[:1], order[1:]] and len(order) == 2:
            return maker.make(matrix.outer, shape, factors[0][0], factors[1][0])
        letters: dict[str, str] = {}
        for _, labels in factors:
            for x in labels:
                if x not in letters:
                    spare = (c for c in (x[0], *arithmetic.LETTERS) if c not in letters.values())
                    letters[x] = next(spare, "")
        if not all(letters.values()):
            raise ParseError(
                "P008",
                f"more than {len(arithmetic.LETTERS)} indices in one product",
                expected=f"at most {len(arithmetic.LETTERS)}",
                hint="give some of the sums names of their own",
            )
        spec = ",".join("".join(letters[x] for x in labels) for _, labels in factors)
        spec += "->" + "".join(letters[x] for x in order)
        return maker.make(lambda *f: structure.einsum(spec, *f), shape, *(v for v, _ in factors))

    def scaled(self, scalars: Sequence[Val], value: Val) -> Val:
        for s in reversed(scalars):
            value = self.maker.make(arithmetic.smul, value.shape, s, value)
        return value

    def ones(self, label: str) -> Val:
        size = self.maker.sizes.resolve(self.size.setdefault(label, self.maker.sizes.fresh()))
        return self.maker.leaf(lambda: structure.ones((size,)), (size,))

    def tensor(self, node: Node, term: Term) -> tuple[Val, Labels]:
        """The term as one tensor, its axes in the order in which its labels appear."""
        order = term.free
        return self.whole(node, term, order), order

    def as_term(self, value: Val, labels: Labels) -> Term:
        return Term([(value, labels)]) if labels else Term(scalars=[value])

    def axes(self, kids: list[Term]) -> Labels:
        """The axes of several terms, in one order."""
        labels = tuple(dict.fromkeys(x for t in kids for x in t.free))
        if set(labels) <= set(self.left):
            return tuple(x for x in self.left if x in labels)
        return kids[0].free if len(kids[0].free) == len(labels) else labels

    def together(self, node: Node, kids: list[Term]) -> tuple[list[Val], Labels]:
        """Several terms with the same axes: those that one lacks are filled with ones."""
        labels, places = self.axes(kids), node.kids
        return [self.whole(self.maker.tape[k], t, labels) for k, t in zip(places, kids, strict=True)], labels

    # ---- nodes

    def number(self, node: Node, kids: list[Term]) -> Term:
        return Term(scalars=[self.maker.constant(node.value)], number=node.value)

    def name(self, node: Node, kids: list[Term]) -> Term:
        value = self.maker.lookup(self.maker, node.value, node)
        if value.order:
            raise self.maker.parse_error(
                "P002",
                f"{node.value} stands without indices in an index equation",
                node,
                hint=f"it has {value.order} axes: write {node.value}_" + "ijklmn"[: value.order],
            )
        return Term(scalars=[value])

    def indexed(self, node: Node, kids: list[Term]) -> Term:
        base, labels = node.value
        maker = self.maker
        value = maker.lookup(maker, base, node)
        if value.order != len(labels):
            raise maker.shape_error(
                "S003",
                f"{base} has {value.order} axes, but {len(labels)} indices are written",
                node,
                expected=f"one index for each axis of {base}",
            )
        for x, size in zip(labels, value.shape, strict=True):
            if not maker.sizes.agree(self.size.setdefault(x, size), size):
                raise maker.differ(self.size[x], size, node, [], [], f"the index {x}")
        return Term([(value, labels)])

    def ones_index(self, node: Node, kids: list[Term]) -> Term:
        label = node.value
        self.size.setdefault(label, self.maker.hole(label))
        return Term([(self.ones(label), (label,))])

    def product(self, kids: list[Term]) -> Term:
        return Term(
            [f for t in kids for f in t.factors],
            [s for t in kids for s in t.scalars],
            tuple(x for t in kids for x in t.bound),
        )

    def chain(self, node: Node, kids: list[Term]) -> Term:
        return self.product(kids)

    def times(self, node: Node, kids: list[Term]) -> Term:
        term = kids[0]
        for op, k, other in zip(node.value, node.kids[1:], kids[1:], strict=True):
            term = self.product([term, other]) if op in "*⊙" else self.divide(node, term, k, other)
        return term

    def divide(self, node: Node, term: Term, place: int, below: Term) -> Term:
        maker = self.maker
        if term.number is not None and below.number is not None:
            if not below.number:
                raise maker.parse_error("P002", "division by zero", node, expected="a number other than 0")
            value = term.number / below.number
            return Term(scalars=[maker.constant(value)], number=value)
        low, labels = self.tensor(maker.tape[place], below)
        if not labels:
            high, order = self.tensor(node, term)
            return self.as_term(maker.make(arithmetic.sdiv, high.shape, high, low), order)
        inverse = maker.make(lambda e: arithmetic.power(e, exponent=Fraction(-1)), low.shape, low)
        return self.product([term, Term([(inverse, labels)])])

    def index_sum(self, node: Node, kids: list[Term]) -> Term:
        term, labels = kids[0], node.value
        unused = [x for x in labels if x not in term.free]
        if unused:
            raise self.maker.parse_error(
                "P007",
                f"the sum over {unused[0]} has no index {unused[0]} under it",
                node,
                expected=f"a factor with the index {unused[0]}",
                hint=f"write 1_{unused[0]} for a sum of equal terms",
            )
        return Term(term.factors, term.scalars, (*term.bound, *labels))

    def negative(self, node: Node, kids: list[Term]) -> Term:
        value, labels = self.tensor(node, kids[0])
        return self.as_term(self.maker.make(arithmetic.neg, value.shape, value), labels)

    def total(self, node: Node, kids: list[Term]) -> Term:
        values, labels = self.together(node, kids)
        value = values[0]
        for sign, other in zip(node.value[1:], values[1:], strict=True):
            build = arithmetic.add if sign == "+" else arithmetic.sub
            value = self.maker.make(build, value.shape, value, other)
        return self.as_term(value, labels)

    def power(self, node: Node, kids: list[Term]) -> Term:
        exponent = node.value[0]
        if abs(exponent) > 1000:
            raise self.maker.parse_error("P002", "an exponent too large to work with", node, expected="at most 1000")
        value, labels = self.tensor(node, kids[0])
        build = self.maker.make(lambda e: arithmetic.power(e, exponent=exponent), value.shape, value)
        return self.as_term(build, labels)

    def raised(self, node: Node, kids: list[Term]) -> Term:
        """x_i^b and x_i^(b_i), entry by entry."""
        labels = self.axes(kids)
        places = [self.maker.tape[k] for k in node.kids]
        value = self.whole(places[0], kids[0], labels)
        b = self.whole(places[1], kids[1], labels if kids[1].free else ())
        return self.as_term(self.maker.make(OPERATORS["^"], value.shape, value, b), labels)

    def call(self, node: Node, kids: list[Term]) -> Term:
        """A function of entries acts entry by entry: f(z_j) is f(z) on the whole tensor."""
        maker = self.maker
        name, token, _ = node.value
        labels = self.axes(kids)
        free = token.kind == "name" and name in maker.functions
        if labels and not free and not all(o.entrywise for o in KNOWN.get(name, ())):
            raise self.not_by_entries(node)
        axes = [labels if t.free or free else () for t in kids]  # numbers stay numbers beside entries
        values = [self.whole(maker.tape[k], t, x) for k, t, x in zip(node.kids, kids, axes, strict=True)]
        value = apply(maker, node, name, values)
        if not maker.sizes.agree_all(value.shape, tuple(self.size[x] for x in labels)):
            raise self.not_by_entries(node)
        return self.as_term(value, labels)

    def not_by_entries(self, node: Node) -> ParseError:
        name, token, _ = node.value
        shown, whole = (name, f"{name}(y)") if token.kind == "name" else (self.maker.surface(node), "‖y‖, xᵀ y")
        return self.maker.parse_error(
            "P002",
            f"{shown} does not act entry by entry, so it cannot stand in an index equation",
            node,
            hint=f"write this line in matrix notation: {whole} without indices",
        )


_HANDLERS: dict[str, Callable[[_Indices, Node, list[Term]], Term]] = {
    "num": _Indices.number,
    "name": _Indices.name,
    "indexed": _Indices.indexed,
    "ones_index": _Indices.ones_index,
    "chain": _Indices.chain,
    "times": _Indices.times,
    "index_sum": _Indices.index_sum,
    "neg": _Indices.negative,
    "sum": _Indices.total,
    "pow": _Indices.power,
    "raised": _Indices.raised,
    "call": _Indices.call,
}
