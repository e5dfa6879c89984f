"""A gradient in one equation, where that is shorter than the chain that leads to it: (1ᵀy) p − y (S-FOLD, theory.md §6.3).

The cotangents between are put in, forward values that have names keep them, and what comes out is written with these (fold),
with what their entries sum up to (facts), with sums that the program writes, and with the cotangents that the user has names
for where those are still in it. A chain from which nothing drops out is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..algebra.dims import Shape
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.factor import rank, written
from ..algebra.fold import Known, sums_of
from ..algebra.lift import collected, cost
from ..algebra.network import Term, TooLarge, network
from ..algebra.ops.free import gradient, is_free_function
from ..algebra.quotient import cancelled
from ..step import Claim, Step, Why
from .derivation import Backward, Derivation
from .inline import expand
from .simplify import tidy, turned

__all__ = ["close"]

_WORTH = 4  # what a chain loses at least where nothing drops out and its last equation does not become shorter
_FEW = 6  # terms of a sum that is put together even if nothing drops out
_MANY = 12  # terms among which nobody looks for sums
_WIDE = 150  # atoms and operators above which no other form is tried
_READABLE = 60  # where our own names are not written out in every place
_SHORT = 6  # of a gradient that a reader has in mind
_DIAGS = 2  # where `cost` counts diagonal matrices: ⊙ is given up for one of them at most
_Weight = tuple[int, int]
_LONGEST = 150  # atoms and operators of a chain that is put together: each costs the square of its length
_EQUATIONS = 400  # of a program in which that is tried


def close(d: Derivation, assume: Callable[[Expr, Expr], Expr], add: Callable[[Step], str]) -> None:
    """Set `closed` of the backward equations of the user's names where one shorter equation can be given.

    `assume` is what becomes of the gradient of a name by what the user assumes, told as a step."""
    if len(d.core.equations) > _EQUATIONS:
        return
    _fold(d, assume, add)
    for k, b in enumerate(d.backward):
        closed = b.closed if b.auxiliary else turned(b.closed)
        if closed is not b.closed:
            add(Step(
                id="", kind="inline", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=closed, rules=("S-TRANSPOSE",),
                why=Why("one transpose for several", "(A B)ᵀ = Bᵀ Aᵀ and (A + B)ᵀ = Aᵀ + Bᵀ"),
                claim=Claim("EQ", b.closed, closed)))  # fmt: skip
            d.backward[k] = replace(b, closed=closed)


def _fold(d: Derivation, assume: Callable[[Expr, Expr], Expr], add: Callable[[Step], str]) -> None:
    closing = _Closing(d)
    for k, b in enumerate(d.backward):
        chain = None if b.auxiliary else closing.chain(b)
        if chain is None or not (chain.values or chain.helpers or _summable(b.closed)):
            continue
        closed = closing.closed(b, chain)
        if closed is None:
            continue
        add(Step(
            id="", kind="inline", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=closed, rules=("S-FOLD",),
            why=Why("in one equation, written with forward values", "the gradients between are put in; what is the definition of a "
                    "forward value is written with its name, and what drops out or sums to a number is gone"),
            claim=Claim("EQ", b.value, closed, {**chain.values, **chain.helpers, **closing.values})))  # fmt: skip
        d.backward[k] = replace(b, closed=assume(b.of, closed))
        closing.note(d.backward[k], closed)


def _summable(e: Expr) -> bool:
    """Whether there is anything in the equation that a fact or a fold could shorten."""
    return cost(e)[-1] > 3


@dataclass(slots=True)
class _Chain:
    """The backward equations that one of them needs, and how long they are together, as they are printed."""

    values: dict[Expr, Expr]  # the gradients between, and what each stands for
    helpers: dict[Expr, Expr]  # our own names of forward values
    length: int


class _Closing:
    """The equations of one derivation, forward and backward, by their names."""

    def __init__(self, d: Derivation) -> None:
        self.d = d
        self.values = {q.var: q.value for q in d.core.equations}
        self.own = {q.var: q.value for q in d.core.equations if q.auxiliary}
        self.backward = {gradient(b.of): b for b in d.backward}
        self.plain = {x: b.value for x, b in self.backward.items()}  # with our own names, which are folded better
        self._known: Known | None = None

    def note(self, b: Backward, closed: Expr) -> None:
        """The equation is `b` from now on; before assumptions were used it was `closed`."""
        self.backward[gradient(b.of)] = b
        self.plain[gradient(b.of)] = closed

    @property
    def known(self) -> Known:
        """Every forward value that has a name, the user's names first."""
        if self._known is None:
            self._known = Known()
            for q in self.d.core.equations:
                self._known.add(q.var, q.value, first=not q.auxiliary)
        return self._known

    @property
    def printed(self) -> dict[Expr, Expr]:
        """What gradients and our own names stand for, as it is printed."""
        return {x: c.value if c.auxiliary else c.closed for x, c in self.backward.items()} | self.own

    def chain(self, b: Backward) -> _Chain | None:
        """What the equation needs of other equations. None if that is too long."""
        printed, needed = _reached(self.printed, b.closed), _reached(self.plain | self.own, b.value)
        if printed is None or needed is None:
            return None
        values = {x: value for x, value in needed.items() if x in self.plain}
        helpers = {x: value for x, value in (needed | printed).items() if x in self.own}
        return _Chain(values, helpers, sum(cost(e)[-1] for e in (b.closed, *printed.values())))

    def closed(self, b: Backward, chain: _Chain) -> Expr | None:
        """The equation with everything put in, if that is shorter."""
        whole = _put_in(b.value, chain.values)
        if cost(whole)[-1] > _LONGEST:
            return None
        try:
            raw = network(whole).terms
            weight, terms = _weight(raw), collected(raw)
            found = list(self.forms(terms, whole.shape, chain.length, weight))
        except TooLarge:
            return None
        if not found:
            return None
        shown, left = min(found, key=lambda form: self.length(form[0]))
        most = cost(self.shown(whole))
        if cost(shown)[-1] >= most[-1] or cost(shown)[_DIAGS] > most[_DIAGS] + 1 or rank(shown)[0] > rank(whole)[0]:
            return None
        closed = self.renamed(shown, b, chain.values)
        needed = _reached(self.printed, closed)
        if needed is None:
            return None
        gain = chain.length - sum(cost(e)[-1] for e in (closed, *needed.values()))
        dropped, shorter = _weight(left) < _weight(terms), gain > 0 and cost(closed)[-1] < cost(b.closed)[-1]
        return closed if gain >= (0 if dropped or shorter else _WORTH) else None

    def forms(
        self, terms: Sequence[Term], shape: Shape, most: int, weight: _Weight
    ) -> Iterator[tuple[Expr, Sequence[Term]]]:
        """The sum of the terms with the names that fit: as it is, with what divides out gone, without our own names.

        Those are left out that are far longer than `most` even if everything in them could be written once, and sums of many terms
        of whose `weight`, before equal terms are collected, nothing dropped out."""
        most += max(_WORTH * 2, most // 4)  # what laws still make of them: softmax(u) of exp(u) / sum(exp(u))
        fewer = cancelled(terms, self.values)
        for found in (terms,) if fewer is terms else (terms, fewer):
            folded = self.known.reduced(found)
            if self.least(folded) > most or (len(folded) > _FEW and _weight(folded) >= weight):
                continue
            ours = tidy(written(folded, shape))[0]
            e = self.shown(ours)
            yield e, folded
            if cost(e)[-1] > _READABLE:
                yield tidy(expand(ours, self.own)[0])[0], folded
            if len(folded) > _MANY or cost(ours)[-1] > _WIDE:
                continue
            if any(f.atom in self.own for t in folded for f in t.factors):
                raw = network(e).terms
                before, folded = _weight(raw), collected(raw)
                if self.least(folded) > most or (len(folded) > _FEW and _weight(folded) >= before):
                    continue
                yield tidy(written(folded, shape))[0], folded
            sums = sums_of(self.values.values(), folded).reduced(folded)
            if len(sums) < len(folded):
                yield self.shown(tidy(written(sums, shape))[0]), sums

    def least(self, terms: Sequence[Term]) -> int:
        """How long the sum is at least, before laws, with what our names in it stand for: each factor is written once."""
        atoms = {f.atom for t in terms for f in t.factors}
        return sum(cost(x)[-1] + 1 for x in atoms) - 1 + self.needed(*atoms)

    def needed(self, *roots: Expr) -> int:
        """How long the values of our names in these expressions are, together."""
        found = _reached(self.own, *roots)
        return _LONGEST if found is None else sum(cost(x)[-1] for x in found.values())

    def length(self, e: Expr) -> tuple[int, ...]:
        """How long the equation is with what our names in it stand for."""
        return (rank(e)[0], cost(e)[-1] + self.needed(e), *rank(e))

    def shown(self, e: Expr) -> Expr:
        """Our own names written out: a formula of the user's names."""
        return tidy(_put_in(e, self.own))[0]

    def renamed(self, e: Expr, b: Backward, values: dict[Expr, Expr]) -> Expr:
        """`e` with those of the user's gradients between, the first computed first, that make it and what it needs shorter."""
        elsewhere = {
            x
            for c in self.backward.values()
            if gradient(c.of) not in values and c.of is not b.of
            for x in postorder(c.closed)
        }
        price = {
            x: 0 if x in elsewhere else _price(c) for x, c in self.backward.items() if x in values and not c.auxiliary
        }
        least, names, functions = cost(e)[-1], Known(), dict[Expr, Expr]()
        for name in price:
            try:
                terms = self.known.reduced(collected(network(_put_in(name, values)).terms))
                value = substitute(self.shown(written(terms, name.shape)), functions)
                more = {value: name} if is_free_function(value) else {}
                found = replace(names, definitions=[*names.definitions])
                found.add(name, value, first=True)
                terms = found.reduced(collected(network(substitute(e, more)).terms))
                new = tidy(written(terms, e.shape))[0]
            except TooLarge:
                continue
            length = cost(new)[-1] + sum(price.get(x, 0) for x in postorder(new))
            if name in set(postorder(new)) and length < least:
                e, least, names, functions = new, length, found, {**functions, **more}
        return e


def _weight(terms: Sequence[Term]) -> _Weight:
    """How much is added up, and divided: what a fold that is worth having makes less."""
    return sum(1 + len(t.inner()) for t in terms), sum(f.power < 0 for t in terms for f in t.factors)


def _price(b: Backward) -> int:
    """What a gradient costs a reader: nothing if it is a mere name for that of a free function, little if it is short."""
    length = cost(b.closed)[-1]
    return 0 if is_free_function(b.closed) else length if length > _SHORT else length // 2


def _reached(known: dict[Expr, Expr], *roots: Expr) -> dict[Expr, Expr] | None:
    """Of the known names those that the roots are made of, directly or through others. None if that is too long."""
    found: dict[Expr, Expr] = {}
    waiting, length = [*roots], 0
    while waiting:
        e = waiting.pop()
        length += cost(e)[-1]
        if length > _LONGEST:
            return None
        for x in postorder(e):
            if x in known and x not in found:
                found[x] = known[x]
                waiting.append(known[x])
    return found


def _put_in(e: Expr, values: dict[Expr, Expr]) -> Expr:
    for _ in range(len(values) + 1):
        used = {x: values[x] for x in postorder(e) if x in values}
        if not used:
            break
        e = substitute(e, used)
    return e
