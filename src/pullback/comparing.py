"""Two programs, and how the inputs of the second are made of those of the first: the same values, the same gradients, proved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from .algebra.dims import Dim
from .algebra.expr import Expr, substitute
from .algebra.ops.arithmetic import rational
from .algebra.ops.structure import zeros
from .api import Derived, derive
from .errors import ParseError, ShapeError, UnsupportedError
from .language.program import FunctionKind
from .language.text import parse_expression
from .proof.related import SECOND, Side, related, renamed
from .show.comparisons import comparison_record, document
from .shown import Shown
from .step import Step

__all__ = ["Comparison", "compare"]


class Comparison(Shown):
    """The steps that relate two programs, each with its evidence; `steps` are shown by text(), markdown(), latex()."""

    document = document

    def __init__(
        self, first: Derived, second: Derived, steps: Sequence[Step], shown: Sequence[tuple[Expr, Expr]]
    ) -> None:
        self.first, self.second, self.steps = first, second, tuple(steps)
        self._shown = shown  # the equations of the second program, its names with ₂

    @cached_property
    def record(self) -> dict[str, Any]:
        """Everything that is shown, as plain data (docs/record.md)."""
        functions = list({f.function: f for d in (self.first, self.second) for f in d.derivation.functions}.values())
        assumed = dict.fromkeys(a for d in (self.first, self.second) for a in d.program.assumptions)
        return comparison_record(_written(self.first), self._shown, self.steps, list(assumed), functions)


def compare(first: str | Derived, second: str | Derived, where: str = "") -> Comparison:
    """The second program is the first in another convention: proved value by value and gradient by gradient.

    `where` holds equations `name = expression`, separated by commas: a name of the second program by names of the first.
    Names that are not mentioned are the names of the first. `name₁ = 0` fixes an input that only the first program has.

    >>> c = compare("z = W a; E = loss(z)", "z = W' a; E = loss(z)", "W = W'")
    >>> [s.about for s in c.steps if s.kind == "pairing"]
    ['W', 'a']

    Raises CheckFailed if the programs differ (C009) or a step is not confirmed, ParseError, ShapeError.
    """
    one = first if isinstance(first, Derived) else derive(first)
    two = second if isinstance(second, Derived) else derive(second)
    if one.program.ranges or two.program.ranges:
        raise UnsupportedError("U036", "programs with equations for every value of an index cannot be compared",
                               hint="number the layers: z2 = W1 a1")  # fmt: skip
    given, fixed = _given(one, two, where)
    sizes: dict[str, Dim] = {}
    for v in two.derivation.inputs:
        e = given.get(v.attrs[0])
        if e is None:
            e = _input(one, v.attrs[0])
            given[v.attrs[0]] = e
        _agree(v, e, sizes)
    side = renamed(Side.of(two.derivation), sizes)
    inputs = {v: given[v.attrs[0].removesuffix(SECOND)] for v in side.inputs}
    steps = related(Side.of(one.derivation), side, inputs, fixed)
    written = Side(_written(two), [], [], two.derivation.target, None)
    return Comparison(one, two, steps, renamed(written, sizes).equations)


def _written(d: Derived) -> list[tuple[Expr, Expr]]:
    """The user's equations in matrix notation, with our own names written out."""
    known: dict[Expr, Expr] = {}
    found: list[tuple[Expr, Expr]] = []
    for q in d.derivation.core.equations:
        value = substitute(q.value, known)
        if q.auxiliary:
            known[q.var] = value
        else:
            found.append((q.var, value))
    return found


def _input(one: Derived, name: str) -> Expr:
    found = one.program.variable(name)
    if found is None or found not in one.derivation.inputs:
        raise ParseError("P003", f"nothing says what {name} of the second program is in the first",
                         hint=f"add an equation for it: where=\"{name} = …\"")  # fmt: skip
    return found


def _given(one: Derived, two: Derived, where: str) -> tuple[dict[str, Expr], dict[Expr, Expr]]:
    """What the inputs of the second program are, and what inputs of the first are fixed to."""
    scope: dict[str, Expr | FunctionKind] = {}
    for v in one.derivation.inputs:
        for suffix in ("", "1", "₁"):
            scope.setdefault(v.attrs[0] + suffix, v)
    second = {v.attrs[0] for v in two.derivation.inputs}
    given: dict[str, Expr] = {}
    fixed: dict[Expr, Expr] = {}
    for part in _parts(where):
        left, equals, right = part.partition("=")
        name = left.strip()
        if not equals or not name:
            raise ParseError(
                "P002", f"{part.strip()} is no equation", expected="name = expression", hint='where="W = Wᵀ"'
            )
        e = parse_expression(right.strip(), scope)
        base = name.removesuffix("2").removesuffix("₂") if name not in second else name
        if base in second:
            given[base] = e
            continue
        own = scope.get(name)
        if not isinstance(own, Expr):
            raise ParseError("P003", f"{name} is an input of neither program", expected=", ".join(sorted(second)))
        if e is not rational(0):
            raise ParseError(
                "P002", f"{name} belongs to the first program: it can only be fixed to 0", expected=f"{name} = 0"
            )
        fixed[own] = zeros(own.shape) if own.order else e
    return given, fixed


def _parts(where: str) -> list[str]:
    """The equations, separated by commas, semicolons or line ends outside brackets."""
    parts, depth = [""], 0
    for c in where:
        depth += (c in "([⟨") - (c in ")]⟩")
        if c in ",;\n" and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [p for p in parts if p.strip()]


def _agree(v: Expr, e: Expr, sizes: dict[str, Dim]) -> None:
    """Match the size symbols of the second program with the sizes of the first. Raises ShapeError."""
    if v.order != e.order:
        raise ShapeError(
            "S002", f"{v.attrs[0]} of the second program has {v.order} axes, but what it is said to be has {e.order}"
        )
    for mine, other in zip(v.shape, e.shape, strict=True):
        if mine.name is not None and sizes.setdefault(mine.name, other) != other:
            raise ShapeError(
                "S002", f"the size {mine} of the second program would be {sizes[mine.name]} and {other} at once"
            )
    for mine, other in zip(v.shape, e.shape, strict=True):
        if mine.symbols() <= sizes.keys() and mine.substitute(sizes) != other:
            raise ShapeError("S002", f"the size {mine} of {v.attrs[0]} would have to be {other}")
