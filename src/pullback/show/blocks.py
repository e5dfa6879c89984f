"""Which steps belong together: one block for each eliminated name (theory.md §2.3, the frontier)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ..algebra.expr import Expr
from ..algebra.ops.free import is_var
from ..calculus.derivation import Derivation
from ..calculus.recurrence import Recurrence
from ..calculus.transpose import bare
from ..step import Step

__all__ = ["blocks"]

_SHOWN = 6  # pairings of one frontier line; the others are counted

Json = dict[str, Any]


def _pairings(e: Expr) -> Iterator[Expr]:
    """The pairings that a frontier line is the sum of, from left to right."""
    stack = [e]
    while stack:
        x = stack.pop()
        if x.op.pairing:
            yield x
        else:
            stack.extend(reversed(x.args))


def blocks(d: Derivation, math: Callable[[Expr], Json | None]) -> list[Json]:
    """For each elimination: the differential, its pairings and moves, what is concluded, what still waits."""
    found: list[Json] = []
    home: dict[str, int] = {}  # step id -> the block it belongs to
    waiting: dict[str, list[Expr]] = {}  # name -> pairings ⟨·, d name⟩ collected so far
    open_terms: dict[Expr, Json] = {}
    loose: dict[str, list[Step]] = {}  # collect and simplify steps until their readoff
    differential: Step | None = None
    for s in d.steps:
        if s.kind == "differential":
            differential = s
        elif s.kind == "substitute":
            assert differential is not None
            waiting.pop(s.about, None)
            if isinstance(d, Recurrence):
                waiting.clear()
            others = list(islice((p for pairs in waiting.values() for p in pairs), _SHOWN))
            pending = sum(map(len, waiting.values()))
            block: Json = {
                "name": s.about,
                "differential": differential.id,
                "substitute": s.id,
                "chains": [],
                "concluded": [],
                "waiting": [math(p) for p in others],
                "waiting_more": pending - len(others),
                "frontier": not isinstance(d, Recurrence),  # else one term of dE, for every value of the index
            }
            found.append(block)
            home[differential.id] = home[s.id] = len(found) - 1
            open_terms = {}
            for p in _pairings(s.right):
                fresh: Json = {"term": math(p), "moves": [], "of": ""}
                block["chains"].append(fresh)
                _settle(p, fresh, waiting, open_terms)
        elif s.kind == "move" and found:
            left: Expr = s.left
            if left not in open_terms:
                open_terms[left] = {"term": math(left), "moves": [], "of": ""}
                found[-1]["chains"].append(open_terms[left])
            chain = open_terms.pop(left)
            chain["moves"].append(s.id)
            home[s.id] = len(found) - 1
            _settle(s.right, chain, waiting, open_terms)
        elif s.kind in ("collect", "simplify"):
            loose.setdefault(s.about, []).append(s)
        elif s.kind == "readoff":
            where = [home[p] for p in s.premises if p in home]
            if where:
                last = max(where)
                found[last]["concluded"].append(
                    {
                        "name": s.about,
                        "readoff": s.id,
                        "before": [x.id for x in loose.pop(s.about, [])],
                        "waits": len(set(where)) > 1,
                    }
                )
                for premise in s.premises:
                    home.setdefault(premise, last)
    return found


def _settle(p: Expr, chain: Json, waiting: dict[str, list[Expr]], open_terms: dict[Expr, Json]) -> None:
    """A pairing with a bare increment waits in the frontier; any other is moved further."""
    last = bare(p).args[1]
    if is_var(last, "d"):
        name = last.attrs[0]
        chain["of"] = name
        waiting.setdefault(name, []).append(p)
    else:
        open_terms[p] = chain
