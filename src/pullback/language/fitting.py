"""What a call of a known function leaves out or repeats: last arguments, data, scalars beside tensors; and its domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from operator import add, mul, neg, sub

from ..algebra.dims import Dim
from ..algebra.expr import OPERATORS, Expr
from ..algebra.op import Op
from ..algebra.ops import arithmetic
from .tape import Node, Tape
from .values import Maker, Val

__all__ = ["check_domain", "data_in_front", "filled", "fitting", "number_of"]

_DEPTH = 16  # of the arithmetic that is worked out
_BITS = 1 << 20  # of a power


def fitting(
    maker: Maker, node: Node, rivals: Sequence[Op], args: list[Val]
) -> tuple[Op | None, list[Val], dict[str, tuple[Dim, ...]]]:
    """The op that takes the arguments, or takes them once what is left out is put in; and the numbers that are its data."""
    for o in rivals:
        if o.accepts(args):
            return o, args, {}
    for o in rivals:
        missing = len(o.slots) - len(args)
        usual = o.omitted[-missing:] if 0 < missing <= len(o.omitted) else ()
        full = [*args, *map(maker.constant, usual)]
        if len(full) == len(o.slots) and o.accepts(full):
            return o, full, {}
        if -missing == data_in_front(o) > 0 and o.accepts(args[-missing:]):
            data = [a.size for a in args[:-missing]]
            if all(d is not None for d in data):
                return o, args[-missing:], {k: (d,) for k, d in zip(o.attr_names, data, strict=True) if d is not None}
        wide = max(full, key=lambda a: a.order)
        alike = all(p == ("*s",) for _, p in o.slots) and all(a.order in (0, wide.order) for a in full)
        if len(full) == len(o.slots) > 1 and o.entrywise and alike:
            said = f"is taken for every entry of {maker.surface(node)}"
            return o, [filled(maker, a, k, wide, said) for a, k in zip(full, node.kids, strict=False)], {}
    return None, args, {}


def data_in_front(o: Op) -> int:
    """How many numbers that are no arguments of a function of every entry stand before them, as in polygamma(2, x)."""
    return len(o.attr_names) if o.entrywise else 0


def filled(maker: Maker, value: Val, at: int, wide: Val, said: str) -> Val:
    """A scalar beside a tensor stands for a tensor with that entry everywhere."""
    if value.order:
        return value
    if value.number is None:
        maker.filled |= _names_under(maker.tape, at)
        maker.note(f"the scalar {maker.surface(maker.tape[at])} {said}", "V-BCAST")
    return maker.make(lambda s: OPERATORS["fill"](s, wide.shape), wide.shape, value, row=wide.row)


def _names_under(tape: Tape, at: int) -> set[str]:
    found: set[str] = set()
    stack = [at]
    while stack:
        node = tape[stack.pop()]
        stack += node.kids
        if node.tag == "name":
            found.add(node.value)
    return found


def check_domain(maker: Maker, node: Node, name: str, o: Op, args: Sequence[Val]) -> None:
    """Refuses log(−2): a function of numbers outside its domain. Raises ParseError P052."""
    numbers = [number_of(a) for a in args]
    if not maker.building or o.real is None or o.attr_names or not numbers or any(x is None for x in numbers):
        return
    try:
        o.real(*(float(x) for x in numbers if x is not None))
    except (ValueError, ZeroDivisionError):
        shown = ", ".join(str(x) for x in numbers)
        raise maker.parse_error("P052", f"{name} has no real value at {shown}", node,
                                expected=_domain_of(o), hint="nothing can be derived where the program has no value") from None  # fmt: skip
    except OverflowError:
        return


def _domain_of(o: Op) -> str:
    needs = o.needs if isinstance(o.needs, str) else ""
    first = o.slots[0][0]
    return "a number" + needs.removeprefix(f"every entry of ${first}").replace(" is ", " that is ").replace(
        " lies ", " that lies ") if needs.startswith(f"every entry of ${first}") else ""  # fmt: skip


def number_of(value: Val) -> Fraction | None:
    """The number that every entry visibly is."""
    return None if value.expr is None else _number(value.expr, _DEPTH)


def _number(e: Expr, depth: int) -> Fraction | None:
    if e.op.number:
        return Fraction(e.attrs[0])
    if e.op.scales and e.args[1].op.uniform == 1:
        return _number(e.args[0], depth)
    how = _EXACT.get(e.op)
    parts = [_number(a, depth - 1) for a in e.args] if how is not None and depth else [None]
    return None if how is None or None in parts else how(*parts, *e.attrs)


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """The power, where it is a fraction that is not too long."""
    bits = base.numerator.bit_length() + base.denominator.bit_length()
    if exponent.denominator != 1 or abs(exponent) * bits > _BITS or (exponent < 0 and not base):
        return None
    return base ** int(exponent)


_EXACT: Mapping[Op, Callable[..., Fraction | None]] = {
    arithmetic.add: add, arithmetic.sub: sub, arithmetic.neg: neg, arithmetic.smul: mul, arithmetic.power: _power,
    arithmetic.sdiv: lambda a, b: a / b if b else None,
}  # fmt: skip
