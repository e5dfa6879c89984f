"""What confirms the steps, as plain data for the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..step import Evidence

__all__ = ["as_json", "checks", "evidence_of"]

Json = dict[str, Any]


def evidence_of(e: Evidence) -> Json:
    """Evidence as plain data."""
    return {"level": e.level, "detail": e.detail, "data": {str(k): as_json(v) for k, v in e.data.items()}}


def as_json(value: Any) -> Any:
    """Plain data that JSON can hold; what it cannot is spelled."""
    if isinstance(value, Mapping):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(v) for v in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def checks(steps: Sequence[Json]) -> list[Json]:
    """How many steps rest on which kind of evidence; of bounds on a chance, the largest."""
    found: dict[str, Json] = {}
    for s in steps:
        for e in s["evidence"]:
            one = found.setdefault(
                e["level"], {"level": e["level"], "steps": {}, "detail": e["detail"], "data": e["data"]}
            )
            if _chance(e) > _chance(one):
                one["detail"], one["data"] = e["detail"], e["data"]
            one["steps"][s["id"]] = None  # in order, and each once
    return [{**one, "steps": list(one["steps"])} for one in found.values()]


def _chance(e: Json) -> float:
    return float(e["data"].get("bound", 0))
