"""Function application: known ops by their declarations, free functions by their kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..algebra.dims import Dim, Shape, show_shape
from ..algebra.expr import Expr
from ..algebra.op import Op
from ..algebra.ops import free, reduction, structure
from ..errors import PullbackError, UnsupportedError
from .fitting import check_domain, fitting, number_of
from .functions import KNOWN, derivative_of, refuse
from .own_calls import apply_defined
from .program import FunctionKind
from .structured import WRITTEN, apply_with_data, check_index, pattern_shape
from .tape import Node
from .values import Maker, Val, article

__all__ = ["apply", "apply_free", "apply_op", "axes_among"]

_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_Sum = (reduction.sum_over, reduction.mean_over)


def apply(maker: Maker, node: Node, name: str, args: list[Val]) -> Val:
    """`name(args)`. Raises UnsupportedError U001, ParseError P002, ShapeError."""
    _, token, options = node.value
    kind = maker.functions.get(name) if token.kind == "name" else None  # ‖x‖ is the norm, whatever `norm` names
    if kind is not None and kind.definition is not None:
        return apply_defined(
            maker, node, kind.definition, [a.column() for a in args], options, any(a.row for a in args)
        )
    if kind is not None:
        return apply_free(maker, node, name, kind, [a.column() for a in args], options, any(a.row for a in args))
    if name in WRITTEN and token.kind == "name" and not set(options):
        return WRITTEN[name](maker, node, args)
    rivals = KNOWN.get(name)
    if rivals is None:
        found = derivative_of(name, maker.functions)
        if found is not None:
            base, slots = found
            known = maker.functions[base].definition
            if known is not None:
                return apply_defined(
                    maker, node, known, [a.column() for a in args], options | {"slots": slots}, any(a.row for a in args)
                )
            marks = {"slots": slots}
            return apply_free(maker, node, base, maker.functions[base], [a.column() for a in args], marks, False)
        raise refuse(name, maker.statement.span(token))
    return apply_op(maker, node, name, rivals, args, dict(options))


def apply_op(
    maker: Maker, node: Node, name: str, rivals: tuple[Op, ...], raw: list[Val], options: dict[str, Any]
) -> Val:
    row = any(a.row for a in raw)
    args = [a.column() for a in raw]
    first = rivals[0]
    if "order" in options or "slots" in options or "partials" in options:
        raise maker.parse_error(
            "P002",
            f"the derivative of the known function {name} has no name here",
            node,
            hint=f"differentiation is done for you: write {name}(…) itself",
        )
    if "sub" in options:
        _which_norm(maker, node, options.pop("sub"), args[0].order)
    if "spec" in options:
        spec = options.pop("spec")
        if options or first.attr_names != ("spec",):
            wrong = f"{name} has no option {next(iter(options))}" if options else f"{name} takes no pattern"
            raise maker.parse_error(
                "P002", wrong, node, expected='a pattern and its factors, as in ein("ij,j->i", A, x)'
            )
        return _einsum(maker, node, spec, args)
    if not args:
        raise maker.parse_error("P002", f"{name} has no argument", node, expected=f"{name}(x)")
    if first in _Sum:
        return _total(maker, node, name, first, args, options)
    if first is structure.pad:
        return _pad(maker, node, args, options)
    chosen, args, numbers = fitting(maker, node, rivals, args)
    if chosen is not None and (chosen.options or chosen.fixed or chosen.ties):
        return apply_with_data(maker, node, name, chosen, args, options)
    options |= numbers
    if chosen is None:
        given = ", ".join(article(a.order) for a in args)
        takes = " or ".join(o.signature for o in rivals)
        raise maker.shape_error("S001", f"{name} does not take {given}", node, node.kids, args, expected=takes)
    shape = None if chosen.variadic else pattern_shape(maker, node, chosen, args)
    check_domain(maker, node, name, chosen, args)
    check_index(maker, node, name, chosen, args)
    attrs = {key: _attribute(key, options.pop(key)) for key in list(options) if key in chosen.attr_names}
    if options:
        raise maker.parse_error("P002", f"{name} has no option {next(iter(options))}", node)
    attrs = {k: chosen.normal(k, v, args) for k, v in {**chosen.defaults, **attrs}.items()}
    if set(attrs) != set(chosen.attr_names):
        missing = ", ".join(k for k in chosen.attr_names if k not in attrs)
        raise maker.parse_error("P002", f"{name} needs {missing}=…", node)
    if shape is None:
        leaves = [free.var(f"argument {i}", maker.sizes.shape(a.shape)) for i, a in enumerate(args)]
        try:
            shape = chosen(*leaves, **attrs).shape
        except PullbackError as error:
            raise maker.located(error, node, node.kids, args) from None
    build: Callable[..., Expr] = chosen
    at_number = chosen.at_number
    value = number_of(args[-1]) if at_number is not None else None
    if at_number is not None and value is not None:
        build = lambda X, b: at_number(X, value) or chosen(X, b)  # noqa: E731
    return maker.make(build, shape, *args, row=row and chosen.entrywise, **attrs)


def _which_norm(maker: Maker, node: Node, sub: str, order: int) -> None:
    """Refuses a norm that is not the root of the sum of squares."""
    which = sub.strip("_{}").translate(_DIGITS)
    if which in ("F", "Fro", "fro") or (which == "2" and order < 2):
        return
    hints = {
        "1": "write sum(s ⊙ x) with the signs s : const",
        "2": "‖A‖₂ of a matrix is its largest singular value; the root of the sum of squares is ‖A‖ or ‖A‖_F",
    }
    raise UnsupportedError(
        "U001",
        f"the norm ‖…‖{sub} of {article(order)} is not supported",
        span=maker.span(node),
        expected="‖x‖, ‖x‖₂ of a vector, ‖A‖_F",
        hint=hints.get(which, ""),
    )


def _attribute(key: str, value: tuple[Dim, ...]) -> Any:
    numbers = tuple(d if d.constant is None else d.constant for d in value)
    return numbers if key == "axes" else numbers[0]


def axes_among(wanted: Sequence[Any], order: int) -> tuple[int, ...] | None:
    """The axes in order, those below 0 counted from the end; None if one of them is not there."""
    if not all(isinstance(k, int) and -order <= k < order for k in wanted):
        return None
    return tuple(sorted(k % order for k in wanted))


def _axes(maker: Maker, node: Node, name: str, order: int, options: dict[str, Any]) -> tuple[int, ...] | None:
    wanted = options.pop("axis", None) or options.pop("axes", None)
    if options:
        raise maker.parse_error("P002", f"{name} has no option {next(iter(options))}", node, expected="axis=0")
    if wanted is None:
        return None
    found = axes_among([d.constant for d in wanted], order)
    if found is None:
        raise maker.parse_error(
            "P002",
            f"there is no axis {wanted[0]}",
            node,
            expected=f"an axis between 0 and {order - 1}: axes are counted from 0",
        )
    if len(set(found)) != len(found):
        raise maker.parse_error("P002", "an axis is named twice", node)
    return found


def _total(maker: Maker, node: Node, name: str, o: Op, args: list[Val], options: dict[str, Any]) -> Val:
    if len(args) != 1:
        raise maker.parse_error("P002", f"{name} takes one argument", node, expected=f"{name}(X) or {name}(X, axis=0)")
    x = args[0]
    axes = _axes(maker, node, name, x.order, options)
    if not x.order:
        return x
    if axes is None:
        axes = tuple(range(x.order))
    elif maker.building:
        sizes = ", ".join(f"axis {i} (size {x.shape[i]})" for i in axes)
        maker.note(f"{maker.surface(node)} runs over {sizes}, axes counted from 0", "V-SUMAXIS")
    shape = tuple(d for i, d in enumerate(x.shape) if i not in axes)
    return maker.make(o, shape, x, axes=axes)


def _pad(maker: Maker, node: Node, args: list[Val], options: dict[str, Any]) -> Val:
    try:
        axis, start, total = (options.pop(k)[0] for k in ("axis", "start", "size"))
    except KeyError as missing:
        raise maker.parse_error(
            "P002", f"pad needs {missing.args[0]}=", node, expected="pad(X, axis=0, start=0, size=n)"
        ) from None
    number = axis.constant
    if number is None or not 0 <= number < args[0].order or len(args) != 1 or options:
        raise maker.parse_error("P002", "this pad cannot be read", node, expected="pad(X, axis=0, start=0, size=n)")
    [start], [total] = maker.dims((start,)), maker.axes((total,))
    shape = (*args[0].shape[:number], total, *args[0].shape[number + 1 :])
    return maker.make(structure.pad, shape, args[0], axis=number, start=start, total=total)


def _einsum(maker: Maker, node: Node, spec: str, args: list[Val]) -> Val:
    spec = "".join(spec.split()).replace("→", "->")
    left, arrow, right = spec.partition("->")
    slots = left.split(",")
    letters = left.replace(",", "") + right
    good = arrow and all(c.isalpha() and c.isascii() for c in letters) and set(right) <= set(left)
    if not good or len(set(right)) != len(right):
        raise maker.parse_error(
            "P002",
            f'"{spec}" is not a pattern of ein',
            node,
            expected="letters for the axes of each factor, then -> and those of the result",
            hint='ein("b i, o i -> b o", X, W)',
        )
    if len(slots) != len(args) or any(len(s) != a.order for s, a in zip(slots, args, strict=False)):
        raise maker.shape_error(
            "S003",
            f'"{spec}" does not name the axes of its factors',
            node,
            node.kids,
            args,
            expected=" , ".join(f"{a.order} letters" for a in args),
        )
    sizes: dict[str, Dim] = {}
    for slot, a in zip(slots, args, strict=True):
        for c, d in zip(slot, a.shape, strict=True):
            if not maker.sizes.agree(sizes.setdefault(c, d), d):
                raise maker.differ(sizes[c], d, node, node.kids, args, f"the index {c} of ein")
    shape = maker.axes([sizes[c] for c in right])
    return maker.make(lambda *f: structure.einsum(spec, *f), shape, *args)


def apply_free(
    maker: Maker,
    node: Node,
    name: str,
    kind: FunctionKind,
    args: list[Val],
    options: dict[str, Any],
    row: bool,
) -> Val:
    if not args:
        raise maker.parse_error("P002", f"{name} has no argument", node, expected=f"{name}(x)")
    name = maker.own.get(name, name)
    bad = next((k for k in options if k not in ("order", "slots", "partials")), None)
    if bad:
        raise maker.parse_error("P002", f"the free function {name} has no option {bad}", node)
    slots = tuple(
        options.get("slots", ()) or (int(m) - 1 if m.isdecimal() else -1 for m in options.get("partials", ()))
    )
    if any(not 0 <= s < len(args) for s in slots):
        raise maker.parse_error("P002", f"{name} has {len(args)} arguments, counted from 1", node)
    order = options.get("order", 0)
    if order and len(args) > 1:
        raise maker.parse_error(
            "P012",
            f"{name}′ of several arguments can be read in several ways",
            node,
            expected=f"∂1_{name}(…) or ∂2_{name}(…)",
        )
    first = maker.uses.setdefault(name, (len(args), maker.surface(node)))
    if first[0] != len(args) and not maker.printed:
        raise maker.shape_error(
            "S001",
            f"{name} has {len(args)} arguments here, and {first[0]} in {first[1]}",
            node,
            node.kids,
            args,
            expected="one number of arguments for one function",
            hint="give one of the two functions another name",
        )
    if kind.args is not None:
        _check_arguments(maker, node, name, kind.args, args)
    if kind.entrywise:
        for i, a in enumerate(args[1:], 1):
            if a.order != args[0].order:
                raise maker.shape_error(
                    "S002",
                    f"{name} acts entry by entry, so its arguments have one shape",
                    node,
                    node.kids,
                    args,
                )
            maker.same_shape(args[0], a, node, (node.kids[0], node.kids[i]), maker.surface(node))
        orders = (order,) if len(args) == 1 and order else tuple(slots.count(i) for i in range(len(args)))
        return maker.make(lambda *x: free.free_map(name, *x, orders=orders), args[0].shape, *args, row=row)
    slots = slots or (0,) * order
    out = maker.axes(kind.out)
    shape = out
    for s in slots:
        shape = shape + args[s].shape
    shape = maker.axes(shape)
    return maker.make(lambda *x: free.free_function(name, out, *x, slots=slots), shape, *args)


def _check_arguments(maker: Maker, node: Node, name: str, declared: tuple[Shape, ...], args: list[Val]) -> None:
    shown = ", ".join(map(show_shape, declared))
    if len(declared) != len(args) or any(len(d) != a.order for d, a in zip(declared, args, strict=False)):
        raise maker.shape_error("S001", f"{name} was declared for the arguments {shown}", node, node.kids, args)
    for d, a, k in zip(declared, args, node.kids, strict=True):
        maker.same_shape(Val(maker.dims(d)), a, node, (k, k), f"the declared argument {show_shape(d)} of {name}")
