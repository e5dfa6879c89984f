"""The value read off gradients: a term that has v as a factor is ⟨v, what it is without v⟩ (Euler, on functions of degree 1).

The gradient of E = ⟨C, P V⟩ with respect to V is Pᵀ C, and ⟨V, Pᵀ C⟩ is E again: where the gradient is wanted in the same call,
the product P V need not be computed. Which terms a gradient has is told by canonical texts (theory.md §6.1), so that nothing is
taken for granted of E: a gradient that comes from elsewhere too fits no longer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod

from ..algebra.canonical import term_key
from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.lift import collected
from ..algebra.network import Term, TooLarge, network
from ..algebra.ops.arithmetic import added, scaled
from ..algebra.ops.free import gradient, is_name, var
from ..algebra.ops.matrix import inner
from .forms import definition, sum_of
from .keeping import Equation, Group

__all__ = ["paired"]


def paired(equations: Sequence[Equation], target: Expr, results: Collection[Expr], size: Callable[[Dim], int],
           kernels: Collection[str] = ()) -> tuple[list[Equation], Group | None]:  # fmt: skip
    """What `_paired` finds; where it finds nothing, with a name of the forward pass opened that the backward pass has beside it."""
    found, said = _paired(equations, target, results, size, kernels)
    for opened in _opened(equations, target, kernels) if said is None else ():
        other, said = _paired(opened, target, results, size, kernels)
        if said is not None:
            return other, said
    return found, said


def _opened(equations: Sequence[Equation], target: Expr, kernels: Collection[str]) -> Iterator[list[Equation]]:
    """The equations with a product entry by entry for its name y in the backward pass, one y of the target after the other."""
    values = {v: e for v, e, _, _ in equations}
    near = set(postorder(values[target])) if target in values else set()
    # of the forward pass alone: a gradient may be computed later than what would read it
    named = {e: v for v, e, _, back in equations if e.args and not back}
    for y, e, _, back in equations:
        if back or not y.order or y not in near:
            continue
        product = substitute(definition(e, kernels) or e, {q: v for q, v in named.items() if v is not y})
        one = sum_of(product)
        if one is not None and len(one.slots) > 1 and all(set(word) <= set(one.output) for word in one.inputs):
            yield [(v, substitute(x, {y: product}) if b else x, own, b) for v, x, own, b in equations]


def _paired(equations: Sequence[Equation], target: Expr, results: Collection[Expr], size: Callable[[Dim], int],
           kernels: Collection[str] = ()) -> tuple[list[Equation], Group | None]:  # fmt: skip
    """The equations with the number `target` computed last, of `results` that are gradients, where that makes arrays of the
    forward pass needless; and what is to be said of its line then. Otherwise the equations as they are."""
    values = {v: e for v, e, _, _ in equations}
    users: dict[Expr, set[Expr]] = {}
    for v, e in values.items():
        for x in postorder(e):
            if is_name(x):
                users.setdefault(x, set()).add(v)
    if target.order or target not in values or target in users:
        return list(equations), None
    given = [v for v in users if gradient(v) in results]
    given.sort(key=lambda v: (prod((size(d) for d in v.shape), start=1), v.attrs[0]))
    e = values[target]
    told: dict[Expr, None] = {}
    ahead = [v for v, _, _, back in reversed(equations) if not back and v in users]
    for y in [v for v in ahead if users[v] == {target}]:
        for chain in _chains(y, ahead, users):
            found = _without(chain, e, values, target, given, kernels)
            if found is not None:
                e = found
                told |= dict.fromkeys(chain)
                break
    if not told:
        return list(equations), None
    rest = [q for q in equations if q[0] is not target]
    said = tuple((v, values[v]) for v in values if v in told)
    return [*rest, (target, e, False, True)], (*said, (target, values[target]), (target, e))


def _chains(y: Expr, ahead: Sequence[Expr], users: Mapping[Expr, set[Expr]]) -> Iterator[list[Expr]]:
    """Names that are needed for y alone, the last first: y, and all of them."""
    yield [y]
    gone = {y: None}
    for v in ahead:
        if users[v] <= gone.keys():
            gone[v] = None
    if len(gone) > 1:
        yield list(gone)


def _without(chain: Sequence[Expr], e: Expr, values: Mapping[Expr, Expr], target: Expr, given: Sequence[Expr],
             kernels: Collection[str]) -> Expr | None:  # fmt: skip
    """The value `e` of the target with none of these names, but pairings of what is `given` with its gradients."""
    named = {q: v for v, q in values.items() if v not in chain and q.args}
    names: dict[Expr, Expr] = {}

    def terms(x: Expr) -> list[Term]:
        """Its terms, in which a composite function is an opaque factor."""
        for part in _composites(x):
            names.setdefault(part, var(f"·p{len(names)}", part.shape))
        return collected(network(substitute(x, names)).terms)

    parts = list(_summands(e))
    whole = added([part for part in parts if chain[0] in postorder(part)])
    for y in chain:
        whole = substitute(whole, {y: substitute(definition(values[y], kernels) or values[y], named)})
    slopes = {gradient(v): values[gradient(v)] for v in (*reversed(chain), target) if gradient(v) in values}
    pairs: list[Expr] = []
    try:
        left = terms(whole)
        for v in given:
            row = values[gradient(v)]
            for name, value in slopes.items():
                row = substitute(row, {name: value})
            cuts = [(t, cut) for t in left if (cut := _cut(t, v)) is not None]
            c = _ratio([cut for _, cut in cuts], terms(row)) if cuts else None
            if c is not None:
                pairs.append(scaled(c, (), inner(v, gradient(v))))
                left = [t for t in left if all(t is not x for x, _ in cuts)]
    except TooLarge:
        return None
    return None if left or not pairs else added([*pairs, *(part for part in parts if chain[0] not in postorder(part))])


def _summands(e: Expr) -> Iterator[Expr]:
    means = (e.op.meaning(e) or []) if e.op.entrywise else []
    if len(means) < 2:
        yield e
    else:
        yield from (scaled(m.scale, (), x) for m in means for x in _summands(e.args[m.slots[0]]))


def _composites(e: Expr) -> list[Expr]:
    return [x for x in postorder(e) if x.op.composite]


def _cut(t: Term, v: Expr) -> Term | None:
    """The term without its factor v, over the axes of v."""
    for k, f in enumerate(t.factors):
        if f.atom is v and f.power == 1 and len(set(f.legs)) == len(f.legs):
            found = t.copy()
            del found.factors[k]
            found.outs = f.legs
            return found
    return None


def _ratio(terms: Sequence[Term], row: Sequence[Term]) -> Fraction | None:
    """The number by which the sum of the terms is the row."""
    mine = {term_key(t): t.coef for t in terms}
    its = {term_key(t): t.coef for t in row}
    ratios = {mine[key] / its[key] for key in mine.keys() & its.keys()}
    return ratios.pop() if mine.keys() == its.keys() and len(mine) == len(terms) and len(ratios) == 1 else None
