"""A plan that needs less memory: what a user may ask to be computed anew, by name or by a limit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .algebra.dims import Dim
from .code.instructions import Given
from .code.memory import Size
from .code.plan import TYPICAL, Plan
from .code.recomputing import recomputed, within
from .errors import ParseError, nearest

__all__ = ["bytes_of", "lighter", "sized"]

ENTRY = 8  # bytes
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{c}b": 1000**k for k, c in enumerate("kmgt", 1)},
    **{f"{c}ib": 1024**k for k, c in enumerate("kmgt", 1)},
}


def sized(sizes: Mapping[str, int] | None) -> Size:
    """How large an axis is; a size that is not given is taken to be typical."""
    given = dict(sizes or {})

    def size(d: Dim) -> int:
        return d.value({s: given.get(s, TYPICAL) for s in d.symbols()})

    return size


def bytes_of(memory: int | str) -> int:
    """200MB, 1.5GiB or a number of bytes. Raises ParseError P030."""
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([a-zA-Z]*)\s*", str(memory))
    unit = "" if found is None else found[2].lower()
    if found is None or unit not in _UNITS:
        raise ParseError(
            "P030", f"{memory!s:.40} is no amount of memory", expected="a number of bytes, or 200MB, 1.5GiB"
        )
    return int(float(found[1]) * _UNITS[unit])


def lighter(p: Plan, recompute: str | Sequence[str], memory: int | str | None, size: Size) -> Plan:
    """The plan with the named arrays computed anew in the backward pass, and with `memory` so many more that it suffices.

    Raises ParseError P003, P030, UnsupportedError U048.
    """
    names = [n.strip() for n in recompute.split(",")] if isinstance(recompute, str) else list(recompute)
    names = [n for n in dict.fromkeys(names) if n]
    made = {v.name: v for v in p.values[: p.backward] if v.about is not None and not isinstance(v.by, Given)}
    if names == ["auto"] and "auto" not in made:
        if memory is None:
            raise ParseError("P030", "recompute=auto needs a limit of memory", expected="memory, for example 200MB")
        names = []
    for n in names:
        if n not in made:
            some = [m for m, v in made.items() if v is not p.value and v not in p.gradients.values()]
            close = nearest(n, sorted(some)) if len(n) > 1 else ""
            raise ParseError("P003", f"the forward pass computes no array {n}",
                             hint=f"did you mean {close}?" if close else f"it computes {', '.join(some)}")  # fmt: skip
        if made[n] is p.value or made[n] in p.gradients.values():
            raise ParseError(
                "P030", f"{n} is a result and stays", expected="an array between the inputs and the results"
            )
    marked = {made[n] for n in names}
    if memory is None:
        return recomputed(p, marked, size)
    return within(p, bytes_of(memory) // ENTRY, size, marked)
