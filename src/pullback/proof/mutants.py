"""Wrong backward equations, made mechanically: what a checker, or matching shapes by eye, must find.

An edit changes one node of one equation: a term or factor dropped, a sign flipped, a coefficient, a transpose, an
order of factors or a derivative changed. It is the mistake of a person, so it knows no op by name: what can be done
to a node follows from how its op was declared (a product is linear in each argument, a sum in both jointly).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

from ..algebra.canonical import canonical, equal
from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.op import REGISTRY
from ..algebra.ops.arithmetic import power, rational, size_of
from ..algebra.ops.free import free_map, is_free_map, is_name
from ..algebra.ops.structure import ones, zeros
from ..errors import CheckFailed, ShapeError
from .claim import symbols_of
from .final import Problem, survives

__all__ = ["Counts", "Edit", "alike", "different", "edits", "mutants", "trial"]

_HALF = Fraction(1, 2)

Args = tuple[Expr, ...]
Sizes = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change at `node`: `make` builds what stands there instead, from the node's arguments at any sizes."""

    name: str
    node: Expr
    make: Callable[[Args], Expr]


@dataclass(slots=True)
class Counts:
    """How the wrong equations of one program fared."""

    total: int = 0
    by_shape: int = 0
    by_value: int = 0
    equal: int = 0  # edits that change nothing, such as transposing x xᵀ: not among the total
    repeated: int = 0  # edits that mean the same as an earlier one: not among the total
    survived: list[str] = field(default_factory=list)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.total + other.total, self.by_shape + other.by_shape, self.by_value + other.by_value,
            self.equal + other.equal, self.repeated + other.repeated, self.survived + other.survived)  # fmt: skip


# ---- what can be done to a node --------------------------------------------------------------------------


def _called(e: Expr) -> str:
    """What a description calls a node: its name, or its op's."""
    if is_name(e):
        return ("∇" if e.attrs[1] == "grad" else "") + str(e.attrs[0])
    if is_free_map(e):
        return f"{e.attrs[0]}{'′' * sum(e.attrs[1])}({', '.join(map(_called, e.args))})" if e.order < 9 else ""
    return f"{e.op.name}" if e.args or not e.attrs else f"{e.op.name} {','.join(map(str, e.attrs))}"


def _is_sum(e: Expr) -> bool:
    return len(e.args) > 1 and e.op.alone is not None


def _is_product(e: Expr) -> bool:
    return len(e.args) > 1 and e.op.linear == "each"


def _turned(X: Expr) -> Expr:
    """Xᵀ, written without a double transpose."""
    return X.args[0] if len(X.args) == 1 and X.args[0].order == 2 and X is X.args[0].T else X.T


def _remake(e: Expr, args: Args, **changed: Any) -> Expr:
    return e.op(*args, **{**e.op.attributes(e), **changed})  # type: ignore[no-any-return]


def _put(e: Expr, k: int, change: Callable[[Expr], Expr]) -> Callable[[Args], Expr]:
    return lambda args: _remake(e, (*args[:k], change(args[k]), *args[k + 1 :]))


def _of_sum(e: Expr) -> Iterator[Edit]:
    for k, a in enumerate(e.args):
        rest = tuple(j for j in range(len(e.args)) if j != k)
        if len(rest) == 1:
            yield Edit(f"drop the term {_called(a)}", e, lambda args, j=rest[0]: e.op.alone(j, args[j]))
        yield Edit(f"flip the sign of the term {_called(a)}", e, _put(e, k, lambda X: -X))
        yield Edit(f"double the term {_called(a)}", e, _put(e, k, lambda X: 2 * X))
        yield Edit(f"halve the term {_called(a)}", e, _put(e, k, lambda X: _HALF * X))


def _of_product(e: Expr) -> Iterator[Edit]:
    pair = len(e.args) == 2
    for k, a in enumerate(e.args):
        if pair:
            yield Edit(f"drop the factor {_called(a)} of {e.op.name}", e, lambda args, k=k: args[1 - k])
        else:
            yield Edit(f"drop the factor {_called(a)} of {e.op.name}", e, _put(e, k, lambda X: ones(X.shape)))
        if a.order == 2:
            yield Edit(f"transpose the factor {_called(a)} of {e.op.name}", e, _put(e, k, _turned))
        if a.args == () and a.order and a is ones(a.shape):
            yield Edit(f"mean for the sum over {a.shape[0]}", e, _put(e, k, lambda X: _count(X.shape, -1) * X))
    if pair and not e.op.commutes:
        yield Edit(f"swap the factors {_called(e.args[0])} and {_called(e.args[1])}", e, lambda args: _remake(e, args[::-1]))
        for other in REGISTRY.values():
            same_order = (len(other.result) if other.result != ("*s",) else e.args[-1].order) == e.order
            if other is not e.op and other.linear == "each" and not other.attr_names and other.accepts(e.args) and same_order:
                yield Edit(f"{other.name} for {e.op.name} of {_called(e.args[0])} and {_called(e.args[1])}", e,
                           lambda args, other=other: other(*args))  # fmt: skip


def _of_single(e: Expr) -> Iterator[Edit]:
    """A linear op with one argument: transposes, sums, diagonals, signs."""
    [a] = e.args
    yield Edit(f"drop {e.op.name} of {_called(a)}", e, lambda args: args[0])
    if e.order >= a.order:
        return
    meaning = e.op.meaning(e)
    if meaning is not None and e.op.attr_names:
        back = 1 if meaning[0].over else -1
        lost = e.attrs[0]
        yield Edit(f"{'sum for the mean' if back > 0 else 'mean for the sum'} of {_called(a)}", e,
                   lambda args: _count(tuple(args[0].shape[i] for i in lost), back) * _remake(e, args))  # fmt: skip
        for axes in combinations(range(a.order), len(lost)):
            if axes != lost:
                yield Edit(f"{e.op.name} of {_called(a)} over axes {axes}", e,
                           lambda args, axes=axes: e.op(*args, **{e.op.attr_names[0]: axes}))  # fmt: skip


def _count(shape: Sequence[Dim], exponent: int) -> Expr:
    total = rational(1)
    for d in shape:
        total = total * size_of(d)
    return power(total, exponent=Fraction(exponent))


def _of_function(e: Expr) -> Iterator[Edit]:
    if is_free_map(e):
        name, orders = e.attrs
        for i, k in enumerate(orders):
            for new in {k - 1, k + 1, 0} - {k, -1}:
                raised = (*orders[:i], new, *orders[i + 1 :])
                yield Edit(f"{name}{'′' * new} for {_called(e)}", e,
                           lambda args, raised=raised: free_map(name, *args, orders=raised))  # fmt: skip
        return
    for key, value in e.op.attributes(e).items():
        if isinstance(value, Fraction):
            for step in (-1, 1):
                yield Edit(f"{key} {value + step} for {value} of {_called(e.args[0])}", e,
                           lambda args, key=key, new=value + step: _remake(e, args, **{key: new}))  # fmt: skip
    if len(e.args) == 2:
        yield Edit(f"drop the divisor {_called(e.args[1])}", e, lambda args: args[0])


def edits(e: Expr) -> Iterator[Edit]:
    """Every edit of one equation, those included that come to nothing or cannot be built."""
    for node in postorder(e):
        if not node.args:
            continue
        if _is_sum(node):
            yield from _of_sum(node)
        elif _is_product(node):
            yield from _of_product(node)
        elif node.op.linear and len(node.args) == 1:
            yield from _of_single(node)
        elif node.op.linear is None:
            yield from _of_function(node)
    if e.op.alone is None and e.shape is not None:
        yield from _of_whole(e)


def _of_whole(e: Expr) -> Iterator[Edit]:
    def whole(change: Callable[[Expr], Expr]) -> Callable[[Args], Expr]:
        return lambda args: change(_remake(e, args))

    yield Edit("flip the sign", e, whole(lambda X: -X))
    yield Edit("double it", e, whole(lambda X: 2 * X))
    yield Edit("halve it", e, whole(lambda X: _HALF * X))
    if e.order == 2:
        yield Edit("transpose it", e, whole(lambda X: X.T))


# ---- building ---------------------------------------------------------------------------------------------


def _resized(attr: Any, bind: Mapping[str, Dim]) -> Any:
    if isinstance(attr, Dim):
        return attr.substitute(bind)
    return tuple(_resized(a, bind) for a in attr) if isinstance(attr, tuple) else attr  # the depth of one op's data


