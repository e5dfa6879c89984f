"""A plan as a table: what is computed, what it costs, what is alive meanwhile, what is kept from the forward pass."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..algebra.dims import Dim
from .frame import Words, named
from .instructions import Given, Value
from .memory import Size, alive, entries, peak
from .plan import Plan, operations
from .syntax import expression, unparsed
from .to_numpy import NUMPY

__all__ = ["table"]

_WIDEST = 60  # characters of an expression


def table(plan: Plan, words: Words, sizes: Size, entry: int = 8, instead: Plan | None = None) -> str:
    """The plan at these sizes, with `entry` bytes for an entry; beside the plan `instead` of which it is, if that is given."""
    t = named(plan, NUMPY, words)
    memory = [n * entry for n in alive(plan, sizes)]
    rows: list[tuple[str, ...]] = []
    total = 0
    for k, v in enumerate(plan.values):
        if isinstance(v.by, Given):
            continue
        if k == plan.backward:
            rows.append(("backward",))
        node = expression(v, lambda a: ast.Name(t.names[a], ast.Load()), t.size, lambda e: t.functions[e])
        text = unparsed(NUMPY.spelling.applied(node, t.numbers()))
        cost = operations(v, sizes)
        total += cost
        text = text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
        rows.append((t.names[v], text, _shape(v), _number(cost), _bytes(memory[k])))
    head = ("array", "computed by", "shape", "operations", "alive")
    lines = list(_aligned([head, *rows], right=(3, 4)))
    symbols = sorted({s for v in plan.values for d in v.shape for s in d.symbols()})
    at = ", ".join(f"{s} = {sizes(Dim.symbol(s))}" for s in symbols)
    kept = plan.kept()
    given = [v for v in kept if isinstance(v.by, Given)]
    made = [v for v in kept if v not in given]
    lines += ["", f"sizes: {at or 'numbers'}; {entry} bytes an entry",
              f"operations: {_number(total)}",
              f"peak memory: {_bytes(max(memory, default=0))}, inputs and gradients included",
              "kept from the forward pass: " + (", ".join(t.names[v] for v in made) or "nothing but inputs")
              + f" ({_bytes(sum(entries(v, sizes) * entry for v in made))})"]  # fmt: skip
    if instead is not None:
        before = sum(operations(v, sizes) for v in instead.lines)
        more = f"{_bytes(peak(instead, sizes) * entry)}, {_number(before)} operations"
        again = [words.name(words.text(v.about)) for v in plan.values if v in plan.again and v.about is not None]
        lines.append(f"computed again: {', '.join(again)}; without that: {more}")
    if given:
        lines.append("inputs that the backward pass reads: " + ", ".join(t.names[v] for v in given))
    for text, chosen, written in plan.orders:
        lines.append(f"order: {text}: {_number(chosen)} multiplications, {_number(written)} from left to right")
    return "\n".join(lines)


def _shape(v: Value) -> str:
    return "(" + ", ".join(map(str, v.shape)) + ")" if v.shape else "number"


def _number(n: int) -> str:
    return f"{n:,}".replace(",", " ")


def _bytes(n: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.4g} {unit}"
        n /= 1024  # type: ignore[assignment]
    return f"{n:.4g} GiB"


def _aligned(rows: Sequence[tuple[str, ...]], right: Sequence[int]) -> Iterator[str]:
    full = [r for r in rows if len(r) > 1]
    widths = [max(len(r[k]) for r in full) for k in range(len(full[0]))]
    for r in rows:
        cells = [c.rjust(w) if k in right else c.ljust(w) for k, (c, w) in enumerate(zip(r, widths, strict=False))]
        yield "  ".join(cells).rstrip() if len(r) > 1 else f"── {r[0]} ──"
