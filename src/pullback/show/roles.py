"""The role table of a backward equation, as plain data for the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..calculus.roles import Roles, Said
from .indices import product
from .names import Taken
from .notation import show

__all__ = ["roles_record"]

Json = dict[str, Any]


def roles_record(r: Roles, taken: Taken, said: Callable[[Said], Json]) -> Json:
    """The role tables of one backward equation, a table for each index sum, and the order of its factors."""
    return {
        "legs": list(r.legs),
        "terms": [
            {
                "product": product(t.product, taken).as_dict(),
                "factors": [show(x.tensor, taken).as_dict() for x in t.factors],
                "axes": [
                    {
                        "letter": a.letter,
                        "size": a.size,
                        "places": [list(p) for p in a.places],
                        "open": list(a.open_at),
                        "role": a.role,
                        "meaning": a.meaning,
                    }
                    for a in t.axes
                ],
                "conclusion": [said(s) for s in t.conclusion],
            }
            for t in r.terms
        ],
        "left_out": r.left_out,
        "order": [said(s) for s in r.order],
    }
