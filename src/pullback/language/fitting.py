"""What a call of a known function leaves out or repeats: last arguments, data, scalars beside tensors; and its domain."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from ..algebra.dims import Dim
from ..algebra.expr import OPERATORS, Expr
from ..algebra.meaning import Meaning
from ..algebra.op import Op
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
    parts = [_number(a, depth - 1) for a in e.args] if depth else []
    if not parts or None in parts:
        return None
    if e.op.define is not None:
        return _number(e.op.define(e, *e.args), depth - 1)
    total = Fraction(0)
    for m in e.op.meaning(e) or (None,):
        term = None if m is None else _entry(m, parts)
        if term is None:
            return None
        total += term
    return total


def _entry(m: Meaning, parts: Sequence[Fraction | None]) -> Fraction | None:
    """An entry of the index sum of arrays whose entries are these; None where it is a sum or a diagonal, or a long number."""
    legs = set(m.output)
    if m.extra or m.times or m.over or len(legs) < len(m.output) or any(set(word) != legs for word in m.inputs if word):
        return None
    term = prod((x for k in m.slots if (x := parts[k]) is not None), start=Fraction(1))
    bits = term.numerator.bit_length() + term.denominator.bit_length()
    if abs(m.power) * bits > _BITS or (m.power < 0 and not term):
        return None
    return m.scale * term**m.power
