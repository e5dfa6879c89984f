"""Wrong backward equations, made mechanically: what a checker, or matching shapes by eye, must find.

An edit changes one node of one equation, as a person errs: a term or a factor dropped, a sign, a coefficient,
a transpose, the order of factors, ⊙ for a product, f for f′. What can be done to a node follows from how its op is
declared: a product is linear in each argument, a sum in all of them. Of two products the name is known, ⊙ and the outer
product, for the words in which a slip with them is described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

from ..algebra.canonical import canonical, equal
from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.op import REGISTRY, Op
from ..algebra.ops.arithmetic import hadamard, power, rational, size_of
from ..algebra.ops.defined import map_of
from ..algebra.ops.free import gradient, is_free_map, is_name
from ..algebra.ops.matrix import outer
from ..algebra.ops.structure import ones
from ..errors import CheckFailed, ShapeError
from .final import Problem, survives
from .functional import uniform
from .sizes import symbols_of

__all__ = ["Counts", "Edit", "Mutant", "alike", "built", "different", "edits", "mutants", "mutants_of", "trial"]

_HALF = Fraction(1, 2)

Change = Callable[[Expr], Expr]
Sizes = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change at `node`: `make` builds what stands there instead, from the node at the sizes tried.

    `kind` is what a person did, `part` the factor or term it was done to.
    """

    name: str
    node: Expr
    make: Change
    kind: str = ""
    part: Expr | None = None


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit of the k-th backward equation of a program."""

    name: str
    k: int
    edit: Edit


@dataclass(slots=True)
class Counts:
    """How the mutants of a program fared."""

    total: int = 0
    by_shape: int = 0
    by_value: int = 0
    equal: int = 0  # edits that change nothing, as transposing x xᵀ: not in the total
    repeated: int = 0  # edits that mean what an earlier one means: not in the total
    survived: list[str] = field(default_factory=list)

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


# ---- what can be done to a node --------------------------------------------------------------------------


def _called(e: Expr) -> str:
    """What a description calls a node: its name, or its op and the names that stand directly below."""
    if not e.args:
        return _leaf(e)
    called = map_of(e)
    name = f"{called[0]}{'′' * sum(called[1])}" if called else e.op.name
    return f"{name}({', '.join('…' if a.args else _leaf(a) for a in e.args)})"


def _leaf(e: Expr) -> str:
    if is_name(e):
        return ("∇" if e.attrs[1] == "grad" else "") + str(e.attrs[0])
    return str(e.attrs[0]) if e.attrs and not e.order else str(e.op.name)


def _remake(e: Expr, args: tuple[Expr, ...], **changed: Any) -> Expr:
    made: Expr = e.op(*args, **{**e.op.attributes(e), **changed})
    return made


def _put(k: int, change: Change) -> Change:
    """The k-th argument changed."""
    return lambda e: _remake(e, (*e.args[:k], change(e.args[k]), *e.args[k + 1 :]))


def _alone(k: int) -> Change:
    """A sum of which the k-th term alone is left."""

    def make(e: Expr) -> Expr:
        assert e.op.alone is not None
        left: Expr = e.op.alone(k, e.args[k])
        return left

    return make


def _only(k: int) -> Change:
    """The k-th argument instead of the node."""
    return lambda e: e.args[k]


def _with(key: str, value: Any) -> Change:
    """Another datum of the same op."""
    return lambda e: _remake(e, e.args, **{key: value})


def _other(op: Op) -> Change:
    return lambda e: op(*e.args)


def _scaled_by_size(lost: Sequence[int], exponent: int) -> Change:
    """The sum over the axes `lost` of the first argument turned into the mean (-1), or the reverse (1)."""

    def make(e: Expr) -> Expr:
        count = rational(1)
        for i in lost:
            count = count * size_of(e.args[0].shape[i])
        return power(count, exponent=Fraction(exponent)) * e

    return make


def _turned(X: Expr) -> Expr:
    """Xᵀ, without a double transpose."""
    return X.args[0] if len(X.args) == 1 and X.args[0].order == 2 and X is X.args[0].T else X.T


def _rescaled() -> Iterator[tuple[str, Change]]:
    yield "flip the sign of", lambda X: -X
    yield "double", lambda X: 2 * X
    yield "halve", lambda X: _HALF * X


def _of_sum(e: Expr) -> Iterator[Edit]:
    for k, a in enumerate(e.args):
        if len(e.args) == 2 and e.op.alone is not None:
            yield Edit(f"drop the term {_called(a)}", e, _alone(1 - k), "term", a)
        for name, change in _rescaled():
            yield Edit(f"{name} the term {_called(a)}", e, _put(k, change))


_PRODUCTS = {hadamard: "HAD", outer: "OUTER"}  # the others sum over a shared index


def _of_product(e: Expr) -> Iterator[Edit]:
    pair = len(e.args) == 2
    for k, a in enumerate(e.args):
        without = _only(1 - k) if pair else _put(k, lambda X: ones(X.shape))
        lost = "factor" if e.op is hadamard else "lost"
        yield Edit(f"drop the factor {_called(a)} of {_called(e)}", e, without, lost, a)
        if a.order == 2:
            yield Edit(f"transpose the factor {_called(a)} of {_called(e)}", e, _put(k, _turned), "transpose", a)
        if a.order and a is ones(a.shape):
            mean = _put(k, lambda X: size_of(X.shape[0]) ** Fraction(-1) * X)
            yield Edit(
                f"mean for the sum over {a.shape[0]} in {_called(e)}", e, mean, "mean" if _summed(e, k) else "", a
            )
    if pair and not e.op.commutes:
        yield Edit(f"swap the factors of {_called(e)}", e, lambda x: _remake(x, x.args[::-1]), "swap")
        for other in REGISTRY.values():
            if other is not e.op and _product_of_this_order(other, e):
                yield Edit(f"{other.name} for {_called(e)}", e, _other(other), f"product {_PRODUCTS.get(other, 'MUL')}")


def _summed(e: Expr, k: int) -> bool:
    """Whether the one axis of the k-th factor is summed over, and not one of the result."""
    meaning = e.op.meaning(e)
    return meaning is not None and not set(meaning[0].inputs[k]) & set(meaning[0].output)


def _product_of_this_order(other: Op, e: Expr) -> bool:
    """Whether it takes these arguments, and its result has as many axes: what could be meant instead."""
    if other.linear != "each" or other.attr_names or other.fixed or not other.accepts(e.args):
        return False
    return e.order == (e.args[-1].order if other.result == ("*s",) else len(other.result))


def _of_single(e: Expr) -> Iterator[Edit]:
    """A linear op of one argument: transposes, sums, diagonals, signs."""
    [a] = e.args
    yield Edit(f"drop {_called(e)}", e, _only(0), "untranspose" if a.order == 2 and e is a.T else "lost", a)
    meaning = e.op.meaning(e)
    if e.order >= a.order or e.op.attr_names[:1] != ("axes",) or meaning is None:
        return
    lost, exponent = e.attrs[0], 1 if meaning[0].over else -1
    name = "sum for the mean" if exponent > 0 else "mean for the sum"
    yield Edit(f"{name} {_called(e)}", e, _scaled_by_size(lost, exponent), "mean" if exponent < 0 else "sum")
    for axes in combinations(range(a.order), len(lost)):
        if axes != lost:
            yield Edit(f"{_called(e)} over axes {axes}", e, _with(e.op.attr_names[0], axes), "axes")


def _of_function(e: Expr) -> Iterator[Edit]:
    called = map_of(e)
    if called is not None:
        name, orders = called
        for i, k in enumerate(orders):
            for new in sorted({0, k - 1, k + 1} - {k, -1}):
                raised = (*orders[:i], new, *orders[i + 1 :])
                yield Edit(f"{name}{'′' * new} for {_called(e)}", e, _with("orders", raised), "slope", e)
        return
    for key, value in e.op.attributes(e).items():
        if isinstance(value, Fraction):
            for other in (value - 1, value + 1, -value):
                yield Edit(f"{key} {other} for {value} of {_called(e.args[0])}", e, _with(key, other))
    if len(e.args) == 2:
        yield Edit(f"drop the divisor {_called(e.args[1])}", e, _only(0))


def _of_whole(e: Expr) -> Iterator[Edit]:
    for name, change in _rescaled():
        yield Edit(f"{name} the whole", e, change)
    if e.order == 2:
        yield Edit("transpose the whole", e, _turned)


def edits(e: Expr) -> Iterator[Edit]:
    """Every edit of one equation, with those that change nothing and those that no shapes fit."""
    for node in postorder(e):
        if not node.args:
            continue
        if node.op.linear is None:
            yield from _of_function(node)
        elif len(node.args) == 1:
            yield from _of_single(node)
        else:
            yield from (_of_product if node.op.linear == "each" else _of_sum)(node)
    yield from _of_whole(e)


# ---- building and judging --------------------------------------------------------------------------------


def _resized(x: Expr, args: tuple[Expr, ...], bind: Mapping[str, Dim]) -> Expr:
    """The node with sizes put in for size symbols."""

    def put(a: Any) -> Any:
        return a.substitute(bind) if isinstance(a, Dim) else a

    attrs = [tuple(put(a) for a in v) if isinstance(v, tuple) else put(v) for v in x.attrs]
    made: Expr = x.op(*args, **dict(zip(x.op.attr_names, attrs, strict=True)))
    return made


def _sized(e: Expr, bind: Mapping[str, Dim]) -> Expr:
    done: dict[Expr, Expr] = {}
    for x in postorder(e):
        done[x] = _resized(x, tuple(done[a] for a in x.args), bind)
    return done[e]


def built(e: Expr, edit: Edit, bind: Mapping[str, Dim]) -> Expr | None:
    """The edited equation at the given sizes; None where the shapes do not fit."""
    plain: dict[Expr, Expr] = {}
    done: dict[Expr, Expr] = {}
    for x in postorder(e):
        try:
            plain[x] = _resized(x, tuple(plain[a] for a in x.args), bind)
        except ShapeError:  # no such sizes: windows that are longer than their axis
            return None
        if x is edit.node:
            try:
                done[x] = edit.make(plain[x])
            except ShapeError:
                return None
            if done[x].order != x.order:  # another kind of thing: no sizes make it fit
                return None
            continue
        args = tuple(done[a] for a in x.args)
        try:
            done[x] = plain[x] if args == plain[x].args else _remake(plain[x], args)
        except ShapeError:
            return None
    return done[e] if done[e].shape == plain[e].shape else None


def mutants(e: Expr) -> Iterator[tuple[str, Expr]]:
    """The edited equations of the right shape, each with what was done; none is known to be equal to `e`."""
    for edit in edits(e):
        made = built(e, edit, {})
        if made is not None and not equal(made, e):
            yield edit.name, made


def _claims(problem: Problem) -> list[int]:
    """The backward equations on which a claimed gradient rests: what nothing reads claims nothing."""
    read = {gradient(v) for v in problem.probed}
    found: list[int] = []
    for k in reversed(range(len(problem.backward))):
        of, value = problem.backward[k]
        if gradient(of) in read:
            found.append(k)
            read.update(postorder(value))
    return found[::-1]


def mutants_of(problem: Problem, counts: Counts | None = None) -> list[Mutant]:
    """Every edit of every backward equation that changes what it says, one for each change of meaning."""
    counts = counts if counts is not None else Counts()
    symbols = symbols_of([v for _, v in problem.forward] + list(problem.inputs))
    square = {s: Dim.symbol("n") for s in symbols}
    found: list[Mutant] = []
    for k in _claims(problem):
        of, value = problem.backward[k]
        seen: set[object] = set()
        for edit in edits(value):
            made = built(value, edit, {})
            if made is not None and equal(made, value):
                counts.equal += 1
                continue
            fits = made is not None
            made = made if fits else built(value, edit, square)
            key: object = edit if made is None else (fits, canonical(made) or made)
            if key in seen:
                counts.repeated += 1
                continue
            seen.add(key)
            found.append(Mutant(f"∇{of.attrs[0]}: {edit.name}", k, edit))
    counts.total += len(found)
    return found


def alike(problem: Problem, size: int) -> dict[str, int]:
    """The same size for every symbol."""
    return dict.fromkeys(sorted(symbols_of([v for _, v in problem.forward] + list(problem.inputs))), size)


def different(problem: Problem) -> dict[str, int]:
    """Another size for every symbol: odd, so that n + 1 is none of the others."""
    return {s: 2 * k + 3 for k, s in enumerate(alike(problem, 1))}


def _identity(e: Expr) -> Expr:
    """`e` with every unknown function of one number replaced by the identity: f(t) = t, f′ = 1, f″ = 0."""
    done: dict[Expr, Expr] = {}
    for x in postorder(e):
        args = tuple(done[a] for a in x.args)
        if is_free_map(x) and len(args) == 1:
            [order] = x.attrs[1]
            done[x] = args[0] if order == 0 else uniform(int(order == 1), x.shape)
        else:
            done[x] = x if args == x.args else _remake(x, args)
    return done[e]


def trial(problem: Problem, sizes: Sizes, identity: bool = False) -> Counts:
    """What becomes of the mutants of a program at these sizes: refused by shape, caught by FINAL, or neither.

    With `identity`, f is known to be the identity: what a test with a linear network would find.
    """
    counts = Counts()
    found = mutants_of(problem, counts)
    bind = {s: Dim.number(n) for s, n in sizes.items()}
    small = problem.mapped(lambda e: _identity(_sized(e, bind)) if identity else _sized(e, bind))
    for m in found:
        made = built(problem.backward[m.k][1], m.edit, bind)
        if made is None:
            counts.by_shape += 1
            continue
        backward = list(small.backward)
        backward[m.k] = (backward[m.k][0], _identity(made) if identity else made)
        if _passes(replace(small, backward=backward)):
            counts.survived.append(m.name)
        else:
            counts.by_value += 1
    return counts


def _passes(problem: Problem) -> bool:
    try:
        return survives(problem)
    except CheckFailed:  # it divides by zero everywhere
        return False
