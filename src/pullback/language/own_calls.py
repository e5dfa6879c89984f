"""Calls of a function that the text defines: `phi(z)`, `phi'(z)`, `∂1_g(s, t)`, `∂c_softcap(x)`."""

from __future__ import annotations

from typing import Any

from ..algebra.ops.defined import Defined, defined_map
from .functions import partials
from .tape import Node
from .values import Maker, Val, article

__all__ = ["apply_defined"]


def apply_defined(maker: Maker, node: Node, f: Defined, given: list[Val], options: dict[str, Any], row: bool) -> Val:
    """The function in every entry. Raises ParseError P002, P012, ShapeError S001, S002, S060."""
    bad = next((k for k in options if k not in ("order", "partials", "slots", "instead")), None)
    if bad:
        raise maker.parse_error("P002", f"the function {f.name} has no option {bad}", node)
    instead: tuple[str, ...] = options.get("instead", ())
    args, others = (
        given[: len(given) - len(instead)],
        dict(zip(instead, given[len(given) - len(instead) :], strict=True)),
    )
    own = ", ".join(str(p.attrs[0]) for p in f.params)
    if len(args) != len(f.params):
        takes, has = (
            f"{k} {word}{'s' * (k != 1)}" for k, word in ((len(f.params), "parameter"), (len(args), "argument"))
        )
        raise maker.shape_error("S001", f"{f.name} is defined with {takes} and has {has} here",
                                node, node.kids, args, expected=f"{f.name}({own})")  # fmt: skip
    orders = _orders(maker, node, f, options)
    first: tuple[Val, int] | None = None
    for a, k in zip(args, node.kids, strict=False):
        if a.order and first is None:
            first = a, k
        elif a.order and first is not None:
            if a.order != first[0].order:
                raise maker.shape_error("S002", f"{f.name} acts entry by entry, so its arguments have one shape, or are numbers",
                                        node, node.kids, args)  # fmt: skip
            maker.same_shape(first[0], a, node, (first[1], k), maker.surface(node))
    outside = [_outside(maker, node, f, v, others) for v in f.outer]
    if others:
        raise maker.parse_error("P002", f"{next(iter(others))} does not stand in the definition of {f.name}", node,
                                expected=", ".join(str(v.attrs[0]) for v in f.outer) or f"{f.name}({own})")  # fmt: skip
    shape = first[0].shape if first is not None else ()
    return maker.make(lambda *x: defined_map(f, *x, orders=orders), shape, *args, *outside, row=row)


def _outside(maker: Maker, node: Node, f: Defined, v: Any, others: dict[str, Val]) -> Val:
    """The number that a name from outside stands for here."""
    name = str(v.attrs[0])
    found = others.pop(maker.spelled(name), None) or maker.from_outside(v, node)
    if found.order:
        raise maker.shape_error("S060", f"{name} stands for a number in the definition of {f.name}, and is {article(found.order)}",
                                node, hint=f"make it a parameter: {f.name}({', '.join(str(p.attrs[0]) for p in (*f.params, v))})")  # fmt: skip
    return found


def _orders(maker: Maker, node: Node, f: Defined, options: dict[str, Any]) -> tuple[int, ...]:
    """How often it is differentiated in each of its arguments."""
    order = options.get("order", 0)
    marks = options.get("partials") or tuple(str(s + 1) for s in options.get("slots", ()))
    if order and len(f.params) > 1:
        raise maker.parse_error("P012", f"{f.name}′ of several arguments can be read in several ways", node,
                                expected=f"∂1_{f.name}(…) or ∂2_{f.name}(…)")  # fmt: skip
    places = (0,) * order if not marks else partials(marks, f)
    if places is None or any(p >= len(f.slots) for p in places):
        raise maker.parse_error("P002", f"{f.name} has {len(f.params)} arguments, counted from 1", node,
                                expected=", ".join(f"∂{f.place(k)}_{f.name}" for k in range(len(f.slots))))  # fmt: skip
    return tuple(places.count(k) for k in range(len(f.slots)))
