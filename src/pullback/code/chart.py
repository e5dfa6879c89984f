"""A plan as rows of data: what a table and a picture of it are made of."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..algebra.dims import Dim
from .frame import Words, named
from .instructions import Applied, Given, arguments
from .memory import Size, alive, entries, last_uses
from .plan import Plan, operations
from .syntax import expression, unparsed
from .to_numpy import NUMPY

__all__ = ["Chart", "Row", "amount", "chart", "grouped"]


@dataclass(frozen=True, slots=True)
class Row:
    """One array: how it is computed, what that costs, and how long it is needed."""

    name: str
    text: str  # the expression
    shape: str
    operations: int
    bytes: int
    alive: int  # bytes that are needed while it is computed
    reads: tuple[int, ...]  # rows
    inputs: tuple[str, ...]  # that it reads
    last: int  # the last row that needs it
    back: bool  # whether it is of the backward pass
    kept: bool  # whether the backward pass reads it, from the forward pass
    again: bool  # whether it is computed once more
    result: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The arrays that are computed, in order; and of the inputs what they take together."""

    rows: tuple[Row, ...]
    given: int
    sizes: str
    entry: int


def chart(plan: Plan, words: Words, size: Size, entry: int = 8) -> Chart:
    """The plan at these sizes, with `entry` bytes for an entry."""
    t = named(plan, NUMPY, words)
    memory, last = alive(plan, size), last_uses(plan)
    kept = {v for v in plan.kept() if not isinstance(v.by, Given)}
    place: dict[object, int] = {}
    at: list[int] = []  # for every array of the plan the rows that were made by then, less one
    for v in plan.values:
        if not isinstance(v.by, Given):
            place[v] = len(place)
        at.append(len(place) - 1)
    rows = []
    for k, v in enumerate(plan.values):
        if v not in place:
            continue
        node = expression(v, lambda a: ast.Name(t.names[a], ast.Load()), t.size, lambda e: t.functions[e])
        if isinstance(v.by, Applied) and isinstance(node, ast.Call):
            node = node.args[1]  # the function itself, without the check of its shape
        rows.append(Row(
            t.names[v], unparsed(NUMPY.spelling.applied(node, t.numbers())), _shape(v.shape), operations(v, size), entries(v, size) * entry,
            memory[k] * entry, tuple(place[a] for a in arguments(v.by) if a in place),
            tuple(t.names[a] for a in arguments(v.by) if a not in place), at[last[v]], k >= plan.backward, v in kept, v in plan.again,
            v is plan.value or v in plan.gradients.values()))  # fmt: skip
    given = sum(entries(v, size) for v in plan.inputs) * entry
    symbols = sorted({s for v in plan.values for d in v.shape for s in d.symbols()})
    return Chart(tuple(rows), given, ", ".join(f"{s} = {size(Dim.symbol(s))}" for s in symbols), entry)


def _shape(shape: tuple[Dim, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")" if shape else "number"


def grouped(n: int) -> str:
    """1 234 567."""
    return f"{n:,}".replace(",", " ")


def amount(n: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.4g} {unit}"
        n /= 1024
    return f"{n:.4g} GiB"
