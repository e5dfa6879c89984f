"""All readings end in the same results: each reading's own equations, compared name by name with those of the derivation.

A reading comes to its result in its own way: pairings by moving factors, index notation by networks, Jacobians by
contracting ∂v/∂x with the cotangents, scalars by polynomials in entries. Here the ends are compared, not the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..algebra.canonical import equal
from ..algebra.expr import Expr
from ..algebra.ops.arithmetic import added
from ..calculus.derivation import Derivation, cotangents, unassumed, users_of
from ..calculus.graph import after
from ..calculus.jacobian import contraction, links
from ..calculus.scalars import Scalars
from ..errors import CheckFailed
from .claim import modular_equal

__all__ = ["READINGS", "Agreement", "agreement"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the results of one reading were found equal to the others': names for each level of evidence."""

    style: str
    levels: Mapping[str, int]
    left_out: int  # names whose result this reading does not write


def _pairing(d: Derivation) -> dict[Expr, Expr]:
    """What each read-off says, before names are written out."""
    of = {b.of.attrs[0]: b.of for b in d.backward}
    found = {of[s.about]: s.right for s in d.steps if s.kind == "readoff" and s.about in of}
    plain = unassumed(d)
    return {v: plain[v] if plain[v] is not b.value else found[v] for b in d.backward for v in [b.of] if v in found}


def _index(d: Derivation) -> dict[Expr, Expr]:
    parts: dict[str, list[Expr]] = {}
    for s in d.index_steps:
        if s.kind == "delta":
            parts.setdefault(s.about, []).append(s.right)
    users = users_of(d)
    names = {b.of.attrs[0]: b.of for b in d.backward}
    return {names[n]: added(p) for n, p in parts.items() if len(p) == len({q.var for q in users[names[n]]})}


def _jacobian(d: Derivation) -> dict[Expr, Expr]:
    cotangent, users = cotangents(d), users_of(d)
    parts: dict[Expr, list[Expr]] = {}
    for each in links(d).values():
        for k in each:
            if k.tensor is not None:
                parts.setdefault(k.of, []).append(contraction(k, cotangent[k.equation.var]))
    return {x: added(p) for x, p in parts.items() if len(p) == len({q.var for q in users[x]})}


def _diagram(d: Derivation) -> dict[Expr, Expr]:
    """What is left of the networks when the node is removed."""
    return {g.of: added([after(x) for x in g.graphs]) for g in d.diagrams if g.graphs}


# What each reading says each gradient is. A reading that has none is left out of the comparison.
READINGS: Mapping[str, Callable[[Derivation], dict[Expr, Expr]]] = {
    "pairing": _pairing,
    "jacobian": _jacobian,
    "index": _index,
    "diagram": _diagram,
}


def agreement(d: Derivation) -> list[Agreement]:
    """Every reading compared with the result table. Raises CheckFailed if one differs."""
    values = unassumed(d)
    users = users_of(d)
    wanted = [b.of for b in d.backward if users.get(b.of)]
    found = []
    for style, results in READINGS.items():
        own = results(d)
        levels: dict[str, int] = {}
        for v in wanted:
            if v in own:
                level = _compare(own[v], values[v])
                if level is None:
                    raise CheckFailed("C010", f"internal error: reading {style} says something else about ∇{v.attrs[0]}",
                                      hint="please report this program: the result is withheld")  # fmt: skip
                levels[level] = levels.get(level, 0) + 1
        found.append(Agreement(style, levels, sum(v not in own for v in wanted)))
    made: Scalars | None = d.readings.get("scalar")
    if made is not None:  # its comparison with the formulas is the claim of its steps
        levels = {}
        done = [s for s in made.steps if s.kind == "derivatives"]
        for s in done:
            levels[s.evidence[0].level] = levels.get(s.evidence[0].level, 0) + 1
        found.append(Agreement("scalar", levels, len(wanted) - len(done)))
    return found


def _compare(a: Expr, b: Expr) -> str | None:
    if equal(a, b):
        return "PROVED-CANON"
    return "TESTED-MODP" if modular_equal(a, b, {}) else None
