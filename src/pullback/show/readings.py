"""The other readings in the record: what was made of them, in the order in which pages look for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from ..algebra.expr import Expr
from ..algebra.ops.free import gradient
from ..calculus.derivation import Derivation
from .agreement import agreement_record
from .mistakes import mistake_record
from .scalars import numbers_record, scalar_record
from .stacked import Recorder as Writes
from .stacked import jacobian_record

__all__ = ["READINGS", "readings_record"]

READINGS = ("jacobian", "scalar", "numbers", "agreement")

Json = dict[str, Any]


class Recorder(Writes, Protocol):
    """What the readings must know of a derivation to be written down."""

    d: Derivation
    objective: str
    variables: list[Expr]


def readings_record(r: Recorder, parts: Collection[str]) -> Json:
    """The readings that were asked for and made; null or empty where there is none."""
    held = {k: v for k, v in r.d.readings.items() if k in parts or k == "mistakes"}
    return {
        "jacobian": _jacobian(r, held) if "jacobian" in held else None,
        "scalar": _scalar(r, held) if "scalar" in held else None,
        "agreement": agreement_record(held.get("agreement", ())),
    }


def _jacobian(r: Recorder, held: Json) -> Json:
    found = [mistake_record(m, r.taken, r.letters) for m in held["mistakes"]]
    return {**jacobian_record(r, held["jacobian"]), "mistakes": found}


def _scalar(r: Recorder, held: Json) -> Json:
    first = {gradient(v) for v in r.variables} | ({r.d.seed} if r.d.seed is not None else set())
    numbers = numbers_record(r, held["numbers"], r.objective) if "numbers" in held else None
    return {**scalar_record(r, held["scalar"], r.objective, first), "numbers": numbers}
