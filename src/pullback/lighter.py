"""A plan that needs less memory: what a user may ask to be computed anew, by name or by a limit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from .algebra.dims import Dim
from .code.instructions import Given
from .code.memory import Size
from .code.plan import TYPICAL, Plan
from .code.recomputing import recomputed, within
from .errors import ParseError, nearest

__all__ = ["LARGEST", "bytes_of", "fits", "lighter", "sized"]

ENTRY = 8  # bytes
LARGEST = 999_999_999  # of what sizes may be
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


def fits(sizes: Mapping[str, int] | None, known: Collection[str]) -> None:
    """Refuses what are no sizes of the program. Raises ParseError P032."""
    if sizes is not None and not isinstance(sizes, Mapping):
        raise ParseError("P032", f"{sizes!r:.40} are no sizes", expected='sizes={"m": 256, "n": 784}')
    for name, n in (sizes or {}).items():
        if name not in known:
            raise ParseError("P032", f"there is no size {name!s:.40}",
                             expected=f"the sizes are {', '.join(sorted(known)) or 'numbers already'}")  # fmt: skip
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= LARGEST:
            raise ParseError(
                "P032", f"the size {name} cannot be {n!r:.40}", expected=f"a whole number from 1 to {LARGEST}"
            )


def bytes_of(memory: int | str) -> int:
    """200MB, 1.5GiB or a number of bytes. Raises ParseError P030."""
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([a-zA-Z]*)\s*", str(memory))
    unit = "" if found is None else found[2].lower()
    if found is None or unit not in _UNITS:
        raise ParseError(
            "P030",
            f"{str(memory) or 'an empty text':.40} is no amount of memory",
            expected="a number of bytes, or 200MB, 1.5GiB",
        )
    return int(float(found[1]) * _UNITS[unit])


def lighter(p: Plan, recompute: str | Sequence[str], memory: int | str | None, size: Size) -> Plan:
    """The plan with the named arrays computed anew in the backward pass, and with `memory` so many more that it suffices.

    Raises ParseError P003, P030, UnsupportedError U048.
    """
    if not isinstance(recompute, Sequence) or not all(isinstance(n, str) for n in recompute):
        raise ParseError("P030", f"{recompute!r:.40} are no names of arrays", expected='recompute=["z", "y"]')
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
                             hint=f"did you mean {close}?" if close else f"it computes {', '.join(some)}" if some else "")  # fmt: skip
        if made[n] is p.value or made[n] in p.gradients.values():
            raise ParseError(
                "P030", f"{n} is a result and stays", expected="an array between the inputs and the results"
            )
    marked = {made[n] for n in names}
    if memory is None:
        return recomputed(p, marked, size)
    return within(p, bytes_of(memory) // ENTRY, size, marked)
