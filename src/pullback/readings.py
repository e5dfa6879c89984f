"""The other readings of a derivation, made and checked when they are asked for: what a record may hold besides S1."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from .calculus.derivation import Derivation
from .calculus.indexed import index_steps
from .calculus.jacobian import jacobian_steps
from .proof.claim import Memo, check
from .proof.mistakes import mistakes
from .proof.stacked import stacked_evidence
from .step import Step

__all__ = ["PARTS", "prepare"]

# What a page of each style reads besides the steps of S1.
PARTS: Mapping[str, frozenset[str]] = {
    "pairing": frozenset(),
    "index": frozenset({"index"}),
    "jacobian": frozenset({"jacobian"}),
    "scalar": frozenset({"scalar"}),
    "all": frozenset({"index", "jacobian", "scalar", "agreement"}),
}


def _checked(steps: Iterable[Step]) -> list[Step]:
    memo: Memo = {}
    return [check(s, memo) for s in steps]


def _index(d: Derivation) -> None:
    if not d.index_steps:
        d.index_steps = _checked(index_steps(d))


def _jacobian(d: Derivation) -> None:
    if "jacobian" in d.readings:
        return
    made = {}
    for j in jacobian_steps(d):
        j.steps = [stacked_evidence(j, s) for s in _checked(j.steps)]
        made[j.layout] = j
    d.readings["jacobian"] = made
    d.readings["mistakes"] = mistakes(d)


_MAKERS: Mapping[str, Callable[[Derivation], None]] = {"index": _index, "jacobian": _jacobian}


def prepare(d: Derivation, parts: Collection[str], **options: Any) -> None:
    """Make and check the readings that a record with these parts shows. Raises CheckFailed."""
    for part, make in _MAKERS.items():
        if part in parts:
            make(d)
