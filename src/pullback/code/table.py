"""A plan as a table: what is computed, what it costs, what is alive meanwhile, what is kept from the forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .chart import amount, chart, grouped
from .frame import Words
from .instructions import Given
from .memory import Size, peak
from .plan import Plan, operations

__all__ = ["table"]

_WIDEST = 60  # characters of an expression


def table(plan: Plan, words: Words, size: Size, entry: int = 8, instead: Plan | None = None) -> str:
    """The plan at these sizes, with `entry` bytes for an entry; beside the plan `instead` of which it is, if that is given."""
    c = chart(plan, words, size, entry)
    found: list[tuple[str, ...]] = [("array", "computed by", "shape", "operations", "alive")]
    back = False
    for r in c.rows:
        if r.back and not back:
            back = True
            found.append(("backward",))
        text = r.text if len(r.text) <= _WIDEST else r.text[: _WIDEST - 1] + "…"
        found.append((r.name, text, r.shape, grouped(r.operations), amount(r.alive)))
    kept = [r for r in c.rows if r.kept]
    lines = [*_aligned(found, right=(3, 4)), "", f"sizes: {c.sizes or 'numbers'}; {entry} bytes an entry",
             f"operations: {grouped(sum(r.operations for r in c.rows))}",
             f"peak memory: {amount(max((r.alive for r in c.rows), default=0))}, inputs and gradients included",
             "kept from the forward pass: " + (", ".join(r.name for r in kept) or "nothing but inputs")
             + f" ({amount(sum(r.bytes for r in kept))})"]  # fmt: skip
    if instead is not None:
        again = ", ".join(r.name.removesuffix("_again") for r in c.rows if r.again and r.name.endswith("_again"))
        before = sum(operations(v, size) for v in instead.lines)
        lines.append(
            f"computed again: {again}; without that: {amount(peak(instead, size) * entry)}, {grouped(before)} operations"
        )
    given = [words.name(v.name) for v in plan.kept() if isinstance(v.by, Given)]
    if given:
        lines.append("inputs that the backward pass reads: " + ", ".join(given))
    for text, chosen, written in plan.orders:
        lines.append(f"order: {text}: {grouped(chosen)} multiplications, {grouped(written)} from left to right")
    return "\n".join(lines)


def _aligned(rows: Sequence[tuple[str, ...]], right: Sequence[int]) -> Iterator[str]:
    full = [r for r in rows if len(r) > 1]
    widths = [max(len(r[k]) for r in full) for k in range(len(full[0]))]
    for r in rows:
        cells = [c.rjust(w) if k in right else c.ljust(w) for k, (c, w) in enumerate(zip(r, widths, strict=False))]
        yield "  ".join(cells).rstrip() if len(r) > 1 else f"── {r[0]} ──"
