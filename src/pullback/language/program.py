"""A Program: named equations in an order of evaluation, and everything assumed to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from ..algebra.dims import Shape, show_shape
from ..algebra.expr import Expr
from ..algebra.indexed import at_name, ref
from ..algebra.intervals import Interval
from ..algebra.ops.defined import Defined
from ..algebra.ops.free import is_free_map
from ..algebra.ranges import Range
from ..errors import ParseError, ShapeError, Span, nearest
from ..step import Note

__all__ = ["Equation", "FunctionKind", "Program", "choose_target"]


@dataclass(frozen=True)
class FunctionKind:
    """What is known of a function of which only the name is known.

    `kind` is "entrywise" (one number in, one number out, at every entry) or "tensor" (a result of shape
    `out`, scalar when `out` is empty). `args` are the shapes of its arguments where they were declared. `definition` is
    there if the program says what the function is.
    """

    kind: str
    out: Shape = ()
    args: tuple[Shape, ...] | None = None
    definition: Defined | None = None

    @property
    def entrywise(self) -> bool:
        return self.kind == "entrywise"

    def __str__(self) -> str:
        if self.entrywise:
            return "entrywise"
        inside = "" if self.args is None else " of " + ", ".join(map(show_shape, self.args))
        return ("scalar function" if not self.out else f"function with values of shape {show_shape(self.out)}") + inside


@dataclass(frozen=True)
class Equation:
    """`name = rhs`; `surface` is the user's line, `index_form` what an index equation writes."""

    name: str
    var: Expr
    rhs: Expr
    surface: str
    span: Span | None
    index_form: Expr | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Program:
    """Immutable. `equations` stand in an order in which each uses only inputs and earlier ones."""

    inputs: tuple[Expr, ...]
    equations: tuple[Equation, ...]
    target: str | None = None
    given: tuple[str, Expr] | None = None
    assumptions: tuple[str, ...] = ()
    facts: tuple[tuple[Expr, Expr, str], ...] = ()
    # between which numbers names lie
    known: Mapping[Expr, Interval] = field(default_factory=lambda: MappingProxyType({}))
    wrt: tuple[str, ...] = ()
    functions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    constants: frozenset[str] = frozenset()
    ranges: Mapping[str, tuple[Range, ...]] = field(default_factory=lambda: MappingProxyType({}))  # of `for k = 1..L`
    members: tuple[str, ...] = ()  # the members of families that are declared as inputs: `a[1] : n[1]`
    declared: tuple[str, ...] = ()  # by a line of its own, used or not
    dialect: str = "matrix"
    source: str = ""

    @cached_property
    def _equations(self) -> dict[str, Equation]:
        return {e.name: e for e in self.equations}

    @cached_property
    def _inputs(self) -> dict[str, Expr]:
        return {v.attrs[0]: v for v in self.inputs}

    def equation(self, name: str) -> Equation | None:
        return self._equations.get(name)

    def variable(self, name: str) -> Expr | None:
        """The leaf that stands for a name, defined or an input."""
        found = self.equation(name)
        return found.var if found else self._inputs.get(name)

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        """The sizes of the axes of all names, and the ends of ranges."""
        dims = [d for v in (*self.inputs, *(q.var for q in self.equations)) for d in v.shape]
        dims += [d for some in self.ranges.values() for r in some for d in (r.first, r.last)]
        return tuple(sorted({s for d in dims for s in d.symbols()}))

    @property
    def names(self) -> tuple[str, ...]:
        return (*(v.attrs[0] for v in self.inputs), *(e.name for e in self.equations))


def _to_a_number(program: Program, found: Equation, last: str) -> str:
    """How a gradient can be had of an equation whose value is no number."""
    call = found.rhs
    if is_free_map(call) and program.functions.get(call.attrs[0]) is not None:
        function = call.attrs[0]
        if any(line.startswith(f"{function} acts entry by entry") for line in program.assumptions):
            return f"if the value of {function} is a number, declare `{function} : scalar function`"
    pulled = f"write `given grad {last} as g` to pull a gradient back, or "
    reduced = "loss" if ref(found.name) else "sum"
    taken = set(program.names)
    if found.name in ("E", "F", "value") or "E" in taken:
        return pulled + f"make it a number: `{found.name} = {reduced}(…)`"
    return pulled + f"add `E = {reduced}({last})`"


def choose_target(program: Program, name: str | None = None) -> Equation:
    """The scalar equation whose gradient is taken. Raises ParseError P003, P010 or ShapeError S010."""
    wanted = name or program.target
    if wanted is None:
        raise ParseError("P010", "there is no equation to differentiate", expected="a line `name = expression`")
    found = program.equation(wanted)
    if found is None:
        known = [e.name for e in program.equations]
        close = nearest(wanted, known)
        hint = f"did you mean {close}?" if close else "the defined names are " + ", ".join(known[:12])
        raise ParseError("P003", f"{wanted} is not defined by an equation", hint=hint)
    if found.var.order:
        shape = show_shape(found.var.shape)
        member = ref(wanted)
        ranges = program.ranges.get(wanted, ())
        last = at_name(wanted, {r.letter: r.last for r in ranges}) if member else wanted
        raise ShapeError(
            "S010",
            f"the gradient of a non-scalar: {wanted} has shape {shape}",
            span=found.span,
            expected="a scalar, or the gradient with respect to it given from outside",
            hint=_to_a_number(program, found, last),
        )
    return found
