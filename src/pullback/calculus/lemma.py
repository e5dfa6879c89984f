"""The differential of a composite op, derived once from its definition and used as one step: a lemma (theory.md §4).

The definition is taken apart into named values, each is differentiated, and what comes out is written with the op's own
value (S-FOLD) and with what is known of sums (S-FACT). Nothing is trusted: the claim of every step that uses a lemma is
tested against the definition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ..algebra.dims import Shape
from ..algebra.expr import Attrs, Expr, postorder, substitute
from ..algebra.factor import apart, written
from ..algebra.fold import Known
from ..algebra.lift import collected
from ..algebra.network import Term, network
from ..algebra.op import Op
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.free import increment, is_var, var
from ..algebra.ops.reduction import total
from ..algebra.ops.structure import zeros
from .product import product_rule
from .simplify import tidy

__all__ = ["Lemma", "definition_of", "differentiate", "lemma_of", "through"]


@dataclass(frozen=True, slots=True)
class Lemma:
    """The differential of `node`, whose arguments are placeholders: for each argument, terms with one increment each."""

    node: Expr
    names: tuple[tuple[Expr, Expr], ...]  # the values that the definition is made of
    terms: tuple[tuple[Expr, ...], ...]


def _nothing(dx: Expr, shape: Shape) -> Expr:
    """0 as the differential of what does not change with x, as X⁰: linear in dx like every other."""
    return zeros(shape) * (dx if dx.shape == shape else total(dx)) if shape else rational(0) * total(dx)


def differentiate(e: Expr, increments: Sequence[Expr | None]) -> list[Expr]:
    """dF as terms with one increment each, the arguments without one held still."""
    if not e.op.composite:
        found: list[Expr] = e.op.differentiate(e, increments)
        return found
    lemma = lemma_of(e)
    bind = {x: a for x, a in zip(lemma.node.args, e.args, strict=True) if x is not a}
    return [
        substitute(term, {**bind, increment(lemma.node.args[k]): d})
        for k, d in enumerate(increments)
        if d is not None
        for term in lemma.terms[k]
    ]


def lemma_of(e: Expr) -> Lemma:
    """The lemma of a composite node; numbers among its arguments, which do not move, are a part of the lemma."""
    return _lemma(e.op, e.attrs, tuple(a if a.op.number else a.shape for a in e.args))


def through(e: Expr) -> tuple[Expr, ...]:
    """The forward values that the differential of `e` is written with, besides its own."""
    if e.op.through is None:
        return ()
    return tuple(e.op.through(*e.args, **e.op.attributes(e)))


def definition_of(e: Expr) -> list[tuple[Expr, Expr]]:
    """The definition of a node as equations between named parts, as its lemma takes it apart; the last one is the node."""
    parts = _Parts()
    assert e.op.define is not None
    parts.take(e, e.op.define(e, *e.args))
    return parts.equations


@lru_cache(maxsize=512)
def _lemma(op: Op, attrs: Attrs, given: tuple[Shape | Expr, ...]) -> Lemma:
    args = tuple(x if isinstance(x, Expr) else var(f"·{k}", x) for k, x in enumerate(given))
    node = Expr.make(op, args, attrs, op.infer(args, attrs))
    parts = _Parts()
    helpers = through(node)
    for h in helpers:
        parts.take(h, h.op.define(h, *h.args) if h.op.composite and h.op.define is not None else h)
    assert op.define is not None
    parts.take(node, op.define(node, *args))
    return Lemma(node, tuple(parts.equations), tuple(parts.moved(node, x) if is_var(x) else () for x in args))


@dataclass(slots=True)
class _Parts:
    """A definition as equations between names, and what is known of those."""

    equations: list[tuple[Expr, Expr]] = field(default_factory=list)
    names: dict[Expr, Expr] = field(default_factory=dict)  # what a part of the definition is called
    back: dict[Expr, Expr] = field(default_factory=dict)  # what a name is written as in the end
    known: Known = field(default_factory=Known)

    def take(self, e: Expr, body: Expr) -> None:
        """The equations of one more definition; `e` is what its value is written as."""
        wanted = _wanted(body)
        done: dict[Expr, Expr] = {}
        for x in postorder(body):
            new = x.with_args(tuple(done[a] for a in x.args))
            done[x] = new
            if x is not body and (x in wanted or new in self.names):
                done[x] = self.name(new, x)
        self.name(done[body], e, whole=True)

    def name(self, value: Expr, shown: Expr, whole: bool = False) -> Expr:
        if not whole and value in self.names:
            return self.names[value]
        found = var(f"·u{len(self.equations)}", value.shape)
        self.equations.append((found, value))
        self.names[value] = found
        self.back[found] = shown
        self.known.add(found, value, first=whole)
        return found

    def moved(self, node: Expr, x: Expr) -> tuple[Expr, ...]:
        """The differential of the last equation when only the placeholder `x` moves."""
        changes: dict[Expr, Expr] = {x: increment(x)}
        last: list[Term] = []
        for name, value in self.equations:
            found = product_rule(value, changes.keys(), differentiate)
            last = []
            if found:
                whole = added([substitute(t.expr, {value: name, increment(t.of): changes[t.of]}) for t in found])
                whole = substitute(whole, {shown: name for name, shown in self.back.items()})
                last = self.known.reduced(collected(network(whole).terms))
                changes[name] = written(last, name.shape)
        return tuple(self.shown(e) for e in apart(last, increment(x), node.shape)) or (
            _nothing(increment(x), node.shape),
        )

    def shown(self, e: Expr) -> Expr:
        """Our names written as what they stand for."""
        while any(y in self.back for y in postorder(e)):
            e = substitute(e, self.back)
        return _movable(tidy(e)[0])


def _movable(e: Expr) -> Expr:
    """The term with every node around its increment linear: a quotient by a number is a product with its reciprocal."""
    inside: dict[Expr, Expr] = {}  # the nodes around the increment, and what they are written as
    for x in postorder(e):
        slot = next((k for k, a in enumerate(x.args) if a in inside), None)
        if is_var(x, "d"):
            inside[x] = x
        elif slot is not None:
            args = tuple(inside.get(a, a) for a in x.args)
            straight = x.op.linear is not None or slot in x.op.moves or x.op.composite
            moved = [args[slot] if k == slot else None for k in range(len(args))]
            inside[x] = x.with_args(args) if straight else x.op.differentiate(x, moved)[0]
    return inside.get(e, e)


def _wanted(body: Expr) -> set[Expr]:
    """The parts that get a name: functions, what is divided by or raised to a power, and what is used more than once."""
    uses = Counter(a for x in postorder(body) for a in x.args if a.args)
    found = {a for a, n in uses.items() if n > 1 and not _constant(a)}
    for x in postorder(body):
        opaque = x.args and x.op.meaning(x) is None and (x.op.define is None or x.op.composite)
        if opaque:
            found.add(x)
        if x.op.linear is None:
            found |= set(_bases(x))
    return found


def _bases(x: Expr) -> Iterator[Expr]:
    """What is raised to a power in the node, divided by for one: a sum would be multiplied out."""
    meanings = x.op.meaning(x)
    raised = meanings is not None and meanings[0].power not in (0, 1)
    whole = x if x.op.define is None or x.op.composite else x.op.define(x, *x.args)
    for y in postorder(whole) if whole is not x else [x] * raised:
        m = y.op.meaning(y)
        if m is not None and m[0].power not in (0, 1):
            base = _core(y.args[0])
            if base.args:
                yield base


def _core(e: Expr) -> Expr:
    """What is repeated along axes in `e`; `e` itself if nothing is."""
    while True:
        below = [a for a in e.args if not _constant(a)]
        if len(below) != 1 or not e.op.linear:
            return e
        hole = var("·hole", below[0].shape)
        terms = network(e.with_args(tuple(hole if a is below[0] else a for a in e.args))).terms
        if len(terms) != 1 or terms[0].inner() or len(terms[0].factors) != 1:
            return e
        e = below[0]


def _constant(e: Expr) -> bool:
    return not any(is_var(x) for x in postorder(e))
