"""Named laws as data: left, right, where, reason; and how they rewrite (house.md, "Declaring a law").

A law is written once with Python operators on typed variables; its soundness tests are generated from the data.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import is_var, var

__all__ = ["LAWS", "NOT_LAWS", "Law", "law", "not_law", "rewrite"]

_ORDERS = range(5)  # a variable `X[*s]` stands for tensors of these orders
_WILD = "law"


@dataclass(frozen=True, slots=True)
class Law:
    """`left` may be replaced by `right` where `where` holds; `name` is a sentence, `reason` says why."""

    name: str
    reason: str
    left: Expr
    right: Expr
    where: str
    order: int  # the order that `*s` stands for in this instance

    def match(self, e: Expr) -> Expr | None:
        """The right side for the expression `e`, or None if the left side does not fit or `where` is not known to hold."""
        if self.where:
            return None
        bound: dict[Expr, Expr] = {}
        sizes: dict[str, Dim] = {}
        stack = [(self.left, e)]
        while stack:
            p, x = stack.pop()
            if is_var(p, _WILD):
                if bound.setdefault(p, x) is not x or not _fit(p.shape, x.shape, sizes):
                    return None
            elif (
                p.op is not x.op
                or len(p.args) != len(x.args)
                or not _fit(p.shape, x.shape, sizes)
                or (p.args and p.attrs != x.attrs)
                or (not p.args and not p.shape and not _same(p.attrs, x.attrs, sizes))
            ):
                return None
            else:
                stack.extend(zip(p.args, x.args, strict=True))
        return _instance(self.right, bound, sizes)


def _fit(pattern: Shape, shape: Shape, sizes: dict[str, Dim]) -> bool:
    if len(pattern) != len(shape):
        return False
    return all(sizes.setdefault(str(p), d) == d for p, d in zip(pattern, shape, strict=True))


def _same(pattern: tuple[object, ...], attrs: tuple[object, ...], sizes: dict[str, Dim]) -> bool:
    """The data of a scalar leaf: sizes are matched like the sizes of axes, everything else must be equal."""
    return all(
        sizes.setdefault(str(p), a) == a if isinstance(p, Dim) and isinstance(a, Dim) else p == a
        for p, a in zip(pattern, attrs, strict=True)
    )


def _instance(right: Expr, bound: dict[Expr, Expr], sizes: dict[str, Dim]) -> Expr:
    done: dict[Expr, Expr] = {}
    for node in postorder(right):
        if node in bound:
            done[node] = bound[node]
        else:
            attrs = tuple(_resize(a, sizes) for a in node.attrs)
            shape = tuple(d.substitute(sizes) for d in node.shape)
            done[node] = Expr.make(node.op, tuple(done[a] for a in node.args), attrs, shape)
    return done[right]


def _resize(attr: object, sizes: dict[str, Dim]) -> object:
    if isinstance(attr, Dim):
        return attr.substitute(sizes)
    if isinstance(attr, tuple) and attr and all(isinstance(a, Dim) for a in attr):
        return tuple(a.substitute(sizes) for a in attr)
    return attr


LAWS: list[Law] = []
NOT_LAWS: list[Law] = []
_by_op: dict[Any, list[Law]] = {}  # the laws by the op of their left side


def _declare(signature: str, where: str, store: list[Law]) -> Callable[[Callable[..., tuple[Expr, Expr]]], list[Law]]:
    slots = re.findall(r"(\w+)\[([^\]]*)\]", signature)
    free = any(p == "*s" for _, p in slots)

    def wrap(body: Callable[..., tuple[Expr, Expr]]) -> list[Law]:
        made = []
        for order in _ORDERS if free else (0,):
            names = [Dim.symbol(f"s{k}") for k in range(order)]
            shapes = [
                tuple(names) if p == "*s" else tuple(Dim.symbol(d.strip()) for d in p.split(",") if d) for _, p in slots
            ]
            left, right = body(*(var(n, s, _WILD) for (n, _), s in zip(slots, shapes, strict=True)))
            made.append(Law(body.__name__, inspect.cleandoc(body.__doc__ or ""), left, right, where, order))
        store.extend(made)
        if store is LAWS:
            for one in made:
                _by_op.setdefault(one.left.op, []).append(one)
        return made

    return wrap


def law(signature: str, *, where: str = "") -> Callable[[Callable[..., tuple[Expr, Expr]]], list[Law]]:
    """Declare a true law: the body returns (left, right)."""
    return _declare(signature, where, LAWS)


def not_law(signature: str, *, where: str = "") -> Callable[[Callable[..., tuple[Expr, Expr]]], list[Law]]:
    """Declare a tempting equation that is false; the tests must refute it."""
    return _declare(signature, where, NOT_LAWS)


def rewrite(e: Expr) -> Iterator[tuple[Law, Expr]]:
    """Every law that fits the root of `e`, with what it makes of it."""
    for candidate in _by_op.get(e.op, ()):
        found = candidate.match(e)
        if found is not None:
            yield candidate, found
