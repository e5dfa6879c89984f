"""Functions that the text defines, `phi(t) = t tanh(t)`: one number of numbers, applied entry by entry.

The parameters live in their line alone. Any other name in it is a number of the program, a further argument that no call writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import partial

from ..algebra.expr import Expr
from ..algebra.graph import components, topological
from ..algebra.indexed import ref
from ..algebra.ops import arithmetic
from ..algebra.ops.defined import defined, is_pointwise
from ..algebra.ops.free import var
from ..errors import ParseError, PullbackError, UnsupportedError
from .elaborate import elaborate
from .functions import KNOWN, derivative_of
from .pratt import Parser
from .program import FunctionKind
from .sorted_lines import FunctionLine
from .tape import Node, Tape
from .values import Maker, Val

__all__ = ["OwnFunction", "build_functions", "in_order", "read_function"]

_NUMBERS = frozenset(
    {"num", "name", "neg", "sum", "chain", "times", "pow", "raised", "call"}
)  # what a value of numbers is written with
_INSTEAD = (
    "an entrywise function of its parameters; what sums or multiplies whole tensors is an equation of the program"
)


@dataclass
class OwnFunction:
    """A line with its tape: the functions that it calls, and the names from outside."""

    line: FunctionLine
    tape: Tape
    calls: list[str]
    outer: list[str]

    @property
    def name(self) -> str:
        return self.line.name


def read_function(
    line: FunctionLine, parser: Callable[[Callable[[str], bool]], Parser], functions: Mapping[str, FunctionKind]
) -> OwnFunction:
    """The tape of a definition. Raises ParseError, UnsupportedError U060."""
    tape = parser(lambda name: name not in line.params).whole()
    own = [n.value[0] for n in tape if n.tag == "call"]
    based = [found[0] if (found := derivative_of(n, functions)) and n not in functions else n for n in own]
    names = dict.fromkeys(n.value for n in tape if n.tag == "name" and n.value not in line.params)
    for node in tape:
        _of_numbers(line, node, functions)
    return OwnFunction(line, tape, based, list(names))


def _of_numbers(line: FunctionLine, node: Node, functions: Mapping[str, FunctionKind]) -> None:
    """Refuses what is no function of numbers."""
    source = line.statement.source
    span = source.span(node.start, node.end)
    shown = source.text[node.start : node.end][:60]
    params = ", ".join(line.params)
    stands = f"{params} stand{'s' * (len(line.params) == 1)} for one number{' each' * (len(line.params) > 1)}"
    if node.tag not in _NUMBERS:
        why = f"{shown} is no number made of numbers: in the definition of {line.name}, {stands}"
        raise UnsupportedError("U060", why, span=span, expected=_INSTEAD)
    if node.tag == "name" and (ref(node.value) is not None or node.value.startswith("∇")):
        raise UnsupportedError("U060", f"{shown} stands in the definition of {line.name}", span=span,
                               expected="names without an index, and no gradients", hint=f"make it a parameter of {line.name}")  # fmt: skip
    if node.tag == "call":
        name = node.value[0]
        kind = functions.get(name) if node.value[1].kind == "name" else None  # |t| and ‖t‖ are known functions
        if kind is None and name not in KNOWN and (found := derivative_of(name, functions)) is not None:
            kind = functions[found[0]]
        fits = kind.entrywise if kind is not None else name not in KNOWN or all(map(is_pointwise, KNOWN[name]))
        if not fits:
            why = f"{shown} is a function of a whole tensor: in the definition of {line.name}, {stands}"
            raise UnsupportedError("U060", why, span=span, expected=_INSTEAD)


def in_order(found: list[OwnFunction]) -> list[OwnFunction]:
    """Each definition after those that it uses, with the names from outside of all of them. Raises ParseError P061."""
    place = {f.name: k for k, f in enumerate(found)}
    needs = [{place[c] for c in f.calls if c in place} for f in found]
    order = topological(needs)
    if order is None or any(k in n for k, n in enumerate(needs)):
        circles = components(needs)
        k = next(k for k, n in enumerate(needs) if any(circles[j] == circles[k] for j in n))
        others = [f.name for j, f in enumerate(found) if circles[j] == circles[k] and j != k]
        line = found[k].line
        by = f" (through {', '.join(others[:6])})" if others else ""
        raise ParseError("P061", f"{line.name} is defined by itself{by}", span=line.statement.span(line.token),
                         expected="a definition by parameters and other functions",
                         hint="a recurrence is written with an index: h[k] = phi(h[k-1])   for k = 1..L")  # fmt: skip
    for k in order:
        line = found[k].line
        more = [v for j in sorted(needs[k]) for v in found[j].outer]
        hidden = next((v for v in more if v in line.params), None)
        if hidden is not None:
            other = next(found[j].name for j in needs[k] if hidden in found[j].outer)
            raise ParseError("P060", f"the parameter {hidden} of {line.name} has the name of a number in the definition of {other}",
                             span=line.statement.whole, expected="another name for the parameter")  # fmt: skip
        found[k].outer = list(dict.fromkeys([*found[k].outer, *more]))
    return [found[k] for k in order]


def build_functions(maker: Maker, found: list[OwnFunction], names: Set[str]) -> None:
    """Put the definition of every function in its kind; `names` are those that the program declares or defines.

    Raises PullbackError."""
    for f in found:
        bound = {p: var(p, ()) for p in f.line.params}
        outer = {n: var(n, ()) for n in f.outer if n in names or n not in ("π", "pi")}
        maker.lookup = partial(_number, bound | outer)
        maker.outer = partial(_outer, outer)
        try:
            body = elaborate(maker, f.line.statement, f.tape)
            made = defined(f.name, tuple(bound.values()), tuple(outer.values()), body.built())
        except PullbackError as error:
            raise error.at(f.line.statement.whole) from None
        maker.functions[f.name] = FunctionKind("entrywise", definition=made)


def _number(known: Mapping[str, Expr], maker: Maker, name: str, node: Node) -> Val:
    return Val((), known[name]) if name in known else maker.leaf(arithmetic.pi, ())


def _outer(outer: Mapping[str, Expr], v: Expr, node: Node) -> Val:
    return Val((), outer[str(v.attrs[0])])
