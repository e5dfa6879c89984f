"""A gradient in one equation, where that is shorter than the chain that leads to it: (1ᵀy) p − y (S-FOLD, theory.md §6.3).

The cotangents between are put in, forward values that have names keep them, and what comes out is written with these (fold),
with what their entries sum up to (facts), and with the cotangents that the user has names for where those are still in it. A
chain from which nothing drops out is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ..algebra.dims import Shape
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.factor import rank, written
from ..algebra.fold import Known
from ..algebra.lift import collected, cost
from ..algebra.network import Term, TooLarge, network
from ..algebra.ops.free import gradient, is_free_function
from ..algebra.quotient import cancelled
from ..step import Claim, Step, Why
from .derivation import Backward, Derivation
from .simplify import tidy

__all__ = ["close"]

_LONGEST = 400  # atoms and operators of a chain that is put together


@dataclass(slots=True)
class _Chain:
    """The backward equations that one of them needs, and how long they are together, as they are printed."""

    values: dict[Expr, Expr]  # the gradients between, and what each stands for
    helpers: dict[Expr, Expr]  # our own names of forward values
    length: int


def close(d: Derivation, assume: Callable[[Expr, Expr], Expr], add: Callable[[Step], str]) -> None:
    """Set `closed` of the backward equations of the user's names where one shorter equation can be given.

    `assume` is what becomes of the gradient of a name by what the user assumes, told as a step."""
    if len(d.core.equations) > _LONGEST:
        return
    own = {q.var: q.value for q in d.core.equations if q.auxiliary}
    by_name = {gradient(b.of): b for b in d.backward}
    plain = {
        x: b.value for x, b in by_name.items()
    }  # with our own names, which are folded better than what they stand for
    known: Known | None = None
    values = _definitions(d)
    for k, b in enumerate(d.backward):
        if b.auxiliary:
            continue
        chain = _chain(b, plain, by_name, own)
        if chain is None or not (chain.values or chain.helpers or _summable(b.closed)):
            continue
        known = known or _known(d)
        found = _closed(b, chain, known, own, values)
        if found is None:
            continue
        elsewhere = {
            x for c in d.backward if gradient(c.of) not in chain.values and c is not b for x in postorder(c.closed)
        }
        between = {
            x: 0 if x in elsewhere else _length(c) for x, c in by_name.items() if x in chain.values and not c.auxiliary
        }
        closed = _renamed(found, chain.values, between, known, own)
        add(Step(
            id="", kind="inline", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=closed, rules=("S-FOLD",),
            why=Why("in one equation, written with forward values", "the gradients between are put in; what is the definition of a "
                    "forward value is written with its name, and what drops out or sums to a number is gone"),
            claim=Claim("EQ", b.value, closed, {**chain.values, **chain.helpers, **values})))  # fmt: skip
        d.backward[k] = by_name[gradient(b.of)] = replace(b, closed=assume(b.of, closed))
        plain[gradient(b.of)] = closed


def _definitions(d: Derivation) -> dict[Expr, Expr]:
    return {q.var: q.value for q in d.core.equations}


def _summable(e: Expr) -> bool:
    """Whether there is anything in the equation that a fact or a fold could shorten."""
    return cost(e)[-1] > 3


def _chain(b: Backward, plain: dict[Expr, Expr], by_name: dict[Expr, Backward], own: dict[Expr, Expr]) -> _Chain | None:
    """What the equation needs of other equations. None if that is too long."""
    closed = {x: c.value if c.auxiliary else c.closed for x, c in by_name.items()}
    printed = _reached(b.closed, {**closed, **own})
    if printed is None:
        return None
    needed = _reached(b.value, {**plain, **own})
    if needed is None:
        return None
    values = {x: value for x, value in needed.items() if x in plain}
    helpers = {x: value for x, value in (needed | printed).items() if x in own}
    return _Chain(values, helpers, sum(cost(e)[-1] for e in (b.closed, *printed.values())))


def _reached(e: Expr, known: dict[Expr, Expr]) -> dict[Expr, Expr] | None:
    """Of the known names those that `e` is made of, directly or through others. None if that is too long."""
    found: dict[Expr, Expr] = {}
    waiting, length = [e], 0
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


def _known(d: Derivation) -> Known:
    """Every forward value that has a name, the user's names first."""
    found = Known()
    for q in d.core.equations:
        found.add(q.var, q.value, first=not q.auxiliary)
    return found


def _closed(
    b: Backward, chain: _Chain, known: Known, own: dict[Expr, Expr], values: Mapping[Expr, Expr]
) -> Expr | None:
    """The equation with everything put in, if that is shorter."""
    whole = _put_in(b.value, chain.values)
    if cost(whole)[-1] > _LONGEST:
        return None
    try:
        plain = collected(network(whole).terms)
        shown = min(_forms(plain, whole.shape, known, own, values), key=rank)
    except TooLarge:
        return None
    length = cost(shown)[-1] + sum(cost(own[x])[-1] for x in postorder(shown) if x in own)
    simpler = length < chain.length and cost(shown)[-1] < cost(_shown(whole, own))[-1]  # something dropped out
    return shown if simpler and rank(shown)[0] <= rank(whole)[0] else None


def _forms(
    terms: list[Term], shape: Shape, known: Known, own: dict[Expr, Expr], values: Mapping[Expr, Expr]
) -> Iterator[Expr]:
    """The sum of the terms with the names that fit, as it is and with what divides out gone; and without our own names."""
    fewer = cancelled(terms, values)
    for found in (terms,) if fewer is terms else (terms, fewer):
        folded = known.reduced(found)
        e = _shown(tidy(written(folded, shape))[0], own)
        yield e
        if any(f.atom in own for t in folded for f in t.factors):
            yield tidy(written(collected(network(e).terms), shape))[0]


def _renamed(e: Expr, values: dict[Expr, Expr], between: dict[Expr, int], known: Known, own: dict[Expr, Expr]) -> Expr:
    """`e` with those gradients between, the first computed first, that make it shorter, with what each costs the reader."""
    least, names, functions = cost(e)[-1], Known(), dict[Expr, Expr]()
    for name in between:
        try:
            value = _shown(written(known.reduced(collected(network(_put_in(name, values)).terms)), name.shape), own)
            value = substitute(value, functions)
            more = {value: name} if is_free_function(value) else {}
            new = substitute(e, more)
            found = replace(names, definitions=[*names.definitions])
            found.add(name, value, first=True)
            new = tidy(written(found.reduced(collected(network(new).terms)), e.shape))[0]
        except TooLarge:
            continue
        length = cost(new)[-1] + sum(between.get(x, 0) for x in postorder(new))
        if name in set(postorder(new)) and length < least:
            e, least, names, functions = new, length, found, {**functions, **more}
    return e


def _length(b: Backward) -> int:
    """What a gradient costs a reader: nothing if it is a mere name for that of a free function."""
    return 0 if is_free_function(b.closed) else cost(b.closed)[-1]


def _put_in(e: Expr, values: dict[Expr, Expr]) -> Expr:
    for _ in range(len(values) + 1):
        used = {x: values[x] for x in postorder(e) if x in values}
        if not used:
            break
        e = substitute(e, used)
    return e


def _shown(e: Expr, own: dict[Expr, Expr]) -> Expr:
    """Our own names written out: a formula of the user's names."""
    return tidy(_put_in(e, own))[0]
