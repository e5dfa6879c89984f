"""A plan as the user sees it: a table or a picture, with what may be asked to be computed anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .calculus.derivation import Derivation
from .code.chart import Chart, amount, chart, grouped
from .code.frame import Words
from .code.plan import plan
from .code.table import table
from .errors import ParseError
from .lighter import fits, lighter, sized
from .show.draw.picture import SCENES
from .show.draw.schedule import schedule

__all__ = ["shown_plan"]


def shown_plan(d: Derivation, words: Words, wrt: Sequence[str] | None = None, sizes: Mapping[str, int] | None = None,
               recompute: str | Sequence[str] = (), memory: int | str | None = None, format: str = "text") -> str:  # fmt: skip
    """The plan at these sizes, as a table (text) or a picture (svg, tikz); a size that is not given is taken to be typical.

    Raises ParseError P030, P032 and what `plan` and `lighter` raise.
    """
    fits(sizes, {s for v in d.names() for n in v.shape for s in n.symbols()})
    if format != "text" and format not in SCENES:
        raise ParseError("P030", f"a plan is not written as {format!s:.40}", expected=", ".join(("text", *SCENES)))
    found = plan(d, wrt, sizes, together=not recompute and memory is None)
    size = sized(sizes)
    less = lighter(found, recompute, memory, size)
    if format == "text":
        return table(less, words, size, instead=found if less is not found else None)
    return SCENES[format](schedule(_data(chart(less, words, size))))


def _data(c: Chart) -> dict[str, Any]:
    """What the picture is drawn from: the room that draws knows no plan."""
    rows = [
        asdict(r) | {"cost": f"{r.shape}, {grouped(r.operations)} op{'s' * (r.operations != 1)}, {amount(r.bytes)}"}
        for r in c.rows
    ]
    said = {"peak": f"peak {amount(max((r.alive for r in c.rows), default=0))}", "inputs": f"inputs {amount(c.given)}"}
    return {"rows": rows, "given": c.given, "sizes": c.sizes, **said}
