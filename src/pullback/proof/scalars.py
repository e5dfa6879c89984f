"""SCALAR: at these sizes the entries are equal as polynomials, exactly (theory.md §7.4); T3 says when that is a proof for all sizes.

The scalar derivation reads entries off index networks. Here the tensor formula is evaluated on polynomials by the meaning
of each op, an independent way to its entries, and both are compared as dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.network import Term, TooLarge, network
from ..algebra.ops.free import is_name
from ..algebra.polynomial import Poly, Symbols
from ..calculus.scalars import Array, Scalars
from ..errors import CheckFailed
from ..step import Evidence, Step
from .claim import nowhere
from .field import Modular, OutOfDomain, P
from .jets import Point

__all__ = ["bound_of", "confirm_scalars", "polynomials"]

_TRIES = 32
_BRANCHES = 12  # points at which both sides of every kink are met


class _Polynomials:
    """Numbers that are polynomials: only what sums and products need."""

    mod: int | None = None

    def number(self, value: Fraction) -> Fraction:
        return value

    def power(self, x: Any, exponent: int) -> Any:
        return x.power(exponent) if isinstance(x, Poly) else Fraction(x) ** exponent


class _Entries(Point):
    """Every entry of a name or of a function is a symbol."""

    def __init__(self, symbols: Symbols, sizes: Mapping[str, int]) -> None:
        super().__init__(_Polynomials(), sizes)  # type: ignore[arg-type]
        self.symbols = symbols

    def _evaluate(self, e: Expr) -> None:
        opaque = e.op.meaning(e) is None and e.op.alias is None and e.op.entry is None
        if is_name(e) or opaque:
            self.bind(e, [self.symbols.poly(e, at) for at in product(*map(range, self.extent(e)))])
        else:
            super()._evaluate(e)


def polynomials(e: Expr, symbols: Symbols, sizes: Mapping[str, int]) -> list[Poly]:
    """The entries of `e`, by the meaning of its ops. Raises TooLarge."""
    return [Poly.of(x) for x in _Entries(symbols, sizes).value(e)]


def bound_of(exprs: list[Expr]) -> dict[Dim, int] | None:
    """For each kind of axis the most indices of that kind in one term: the size that T3 asks for; None where T3 does not apply.

    Removing a factor from a term and putting a cotangent there adds no index, so the terms of the equations count for their
    derivatives too; the derivative of an unknown function has the axes of its argument besides.
    """
    most: dict[Dim, int] = {}
    try:
        terms = [t for e in exprs for t in network(e).terms]
    except TooLarge:
        return None
    for t in terms:
        if t.sizes or not _generic(t):
            return None
        held = list(t.dims.values())
        for f in t.factors:
            if f.atom.args and not f.atom.op.entrywise:
                held += [d for a in f.atom.args for d in a.shape]
        for d in dict.fromkeys(held):
            most[d] = max(most.get(d, 0), held.count(d))
    return most


def _generic(t: Term) -> bool:
    """Every factor is a name, or a function of names, to a positive power: what T3 calls a generic tensor."""
    return all(
        f.power > 0 and f.atom.op.entry is None and (is_name(f.atom) or all(is_name(a) for a in f.atom.args))
        for f in t.factors
    )


def confirm_scalars(s: Scalars) -> None:
    """Give every step its evidence. Raises CheckFailed."""
    equations = {q.var: q for q in s.forward.values()}
    for k, step in enumerate(s.steps):
        array = s.arrays[step.id]
        if step.kind == "entries":
            evidence = _expansion(s, step, array)
        else:
            block = [equations[v] for v in dict.fromkeys(p.through for paths in array.paths for p in paths)]
            through = {q.var: q.value for q in block} | {name: value for q in block for value, name in q.through}
            evidence = _formula(s, step, array, through)
        s.steps[k] = step.proved([evidence])


def _expansion(
    s: Scalars, step: Step, array: Array, points: int = 1, through: Mapping[Expr, Expr] | None = None
) -> Evidence:
    """The written-out entries have the values of the equation at a random point, or at several; `through` are names with values."""
    left = points
    for attempt in range(_TRIES * points):
        point = Point(Modular("entries", attempt), s.sizes)
        try:
            for name, value in _in_order(through or {}):
                point.bind(name, point.value(value))
            found = point.value(step.claim.right)
            if [_at(p, s.symbols, point) for p in array.entries] != found:
                raise _failed(step, "the entries differ from the equation at a random point")
            left -= 1
            if not left:
                where = "a random point" if points == 1 else f"{points} random points"
                return Evidence("TESTED-MODP", f"the entries, written out, have the values of the equation modulo 2^61-1 at {where}",
                                {"p": P, "sizes": s.sizes})  # fmt: skip
        except OutOfDomain:
            continue
    raise nowhere()


def _in_order(through: Mapping[Expr, Expr]) -> Iterator[tuple[Expr, Expr]]:
    """The same, each name behind those that its value is made of."""
    pending = dict(through)
    while pending:
        ready = [v for v, e in pending.items() if pending.keys().isdisjoint(postorder(e))]
        if not ready:
            return
        yield from ((v, pending.pop(v)) for v in ready)


def _at(p: Poly, symbols: Symbols, point: Point) -> int:
    total = 0
    for m, c in p.terms.items():
        value = point.field.number(c)
        for n, power in m:
            e, at = symbols.known[n]
            flat = 0
            for i, span in zip(at, point.extent(e), strict=True):
                flat = flat * span + i
            value = value * point.field.power(point.value(e)[flat], power) % P
        total += value
    return total % P


def _formula(s: Scalars, step: Step, array: Array, through: Mapping[Expr, Expr]) -> Evidence:
    """The derivatives, entry by entry, are the entries of the tensor formula."""
    formula, put_in = step.claim.right, ""
    try:
        found = polynomials(formula, s.symbols, s.sizes)
        if found != array.entries:  # the formula may be written through the values of the equations
            formula, put_in = substitute(formula, through), ", the equations of this block put in,"
            found = polynomials(formula, s.symbols, s.sizes)
    except TooLarge:
        return _expansion(s, replace(step, claim=replace(step.claim, right=formula)), array, 1, through)
    if found != array.entries:
        return _expansion(
            s, replace(step, claim=replace(step.claim, right=formula)), array, _BRANCHES, through
        )  # as relu(t)² = t relu(t)
    at = ", ".join(f"{k} = {v}" for k, v in s.sizes.items())
    where = f"at {at}"
    if not at:
        return Evidence("PROVED-SIZE", f"equal as polynomials in the entries{put_in} with no size left open: that is a proof",
                        {"sizes": {}, "bound": {}})  # fmt: skip
    need = bound_of([formula, *through.values()])
    if need is not None and all(d.value(s.sizes) >= n for d, n in need.items()):
        return Evidence("PROVED-SIZE", f"equal as polynomials in the entries{put_in} {where}; no term has more indices of one kind than that "
                        "size, so that equality here is a proof for all sizes (T3)",
                        {"sizes": s.sizes, "bound": {str(d): n for d, n in sorted(need.items(), key=str)}})  # fmt: skip
    return Evidence("EXACT-SIZE", f"equal as polynomials in the entries{put_in} {where}: exact there, and no proof for other sizes",
                    {"sizes": s.sizes, "bound": None if need is None else {str(d): n for d, n in sorted(need.items(), key=str)}})  # fmt: skip


def _failed(step: Step, why: str) -> CheckFailed:
    return CheckFailed("C012", f"internal error: the scalar form of {step.about} ({step.id}) could not be confirmed", notes=(why,),
                       hint="please report this program: the result is withheld")  # fmt: skip
