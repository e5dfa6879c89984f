"""Entries and their derivatives as they are written: ∂E/∂a_1 = ∇z_1 W_11 + ∇z_2 W_21, and the worked example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ..algebra.expr import Expr
from ..algebra.ops.free import gradient
from ..algebra.polynomial import Poly
from ..algebra.series import Series
from ..calculus.roles import Entry, Product
from ..calculus.scalars import Scalars
from ..proof.numbers import Numbers
from .indices import entry, products_text, subscript
from .names import ascii_text, latex_name
from .notation import Printed, show
from .numbers import array, number, polynomial
from .prose import sentence
from .stacked import Recorder

__all__ = ["numbers_record", "scalar_record"]

_ROWS = 12  # entries of one array that are written out
_TERMS = 12  # products in one entry
_NUMBERS = 48  # numbers of one array in the worked example

Json = dict[str, Any]


def _digits(at: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(str(i + 1) for i in at)


class _Writer:
    def __init__(self, r: Recorder, s: Scalars, first: set[Expr]) -> None:
        self.r, self.s = r, s
        self.rank: dict[Expr, int] = {}  # cotangents first, then as they appear in the equations
        for e, _ in s.symbols.known:
            self.rank.setdefault(e, len(self.rank) - (10**6 if e in first else 0))

    def poly(self, p: Poly) -> Printed:
        parts = []
        for m, c in list(p.terms.items())[:_TERMS]:
            symbols = [(*self.s.symbols.known[n], power) for n, power in m]
            symbols.sort(key=lambda x: (self.rank[x[0]], x[1]))
            parts.append(Product(Fraction(c), (), (), tuple(Entry(e, _digits(at), power) for e, at, power in symbols)))
        found = products_text(parts, self.r.taken)
        more = len(p.terms) - _TERMS
        if more <= 0:
            return found
        return Printed(f"{found.text} + … ({more} more)", f"{found.ascii} + ... ({more} more)",
                       rf"{found.latex} + \ldots\ \text{{({more} more)}}")  # fmt: skip

    def partial(self, x: Expr, at: tuple[int, ...], objective: str) -> Printed:
        below = entry(Entry(x, _digits(at)), self.r.taken)
        return Printed(f"∂{objective}/∂{below.text}", f"d{ascii_text(objective)}/d{below.ascii}",
                       rf"\frac{{\partial {latex_name(objective)}}}{{\partial {below.latex}}}")  # fmt: skip


def scalar_record(r: Recorder, s: Scalars, objective: str, first: set[Expr]) -> Json:
    """The steps of style `scalar`, with their entries."""
    w = _Writer(r, s, first)
    steps = []
    for step in s.steps:
        found = r.step(replace(step, left=None, right=None))
        of = r.by_name[step.about]
        found["left"], found["right"] = r.math(step.left), r.math(step.right)
        made = s.arrays[step.id]
        rows = []
        for at, p in list(zip(made.indices(), made.entries, strict=True))[:_ROWS]:
            left = entry(Entry(of, _digits(at)), r.taken) if step.kind == "entries" else w.partial(of, at, objective)
            rows.append({"at": [i + 1 for i in at], "left": left.as_dict(), "right": w.poly(p).as_dict()})
        found["rows"], found["rows_left_out"] = rows, len(made.entries) - len(rows)
        found["array"] = list(made.shape)
        steps.append(found)
    return {"sizes": dict(s.sizes), "steps": steps, "left_out": dict(s.left_out)}


# ---- the worked example ----------------------------------------------------------------------------------


def numbers_record(r: Recorder, n: Numbers | str, objective: str) -> Json:
    """The worked example, or why there is none."""
    if isinstance(n, str):
        return {"none": n, "functions": [], "values": [], "gradients": [], "changes": [], "evidence": []}
    return {
        "none": None,
        "functions": [sentence(said, taken={*r.taken, "t"}).as_dict() for _, said in n.functions],
        "values": [_named(r, v, v, x, n.sizes) for v, x in n.values],
        "gradients": [_named(r, v, gradient(v), x, n.sizes) for v, x in n.gradients],
        "changes": [_change(r, c.of, c.at, c.start, c.result, objective) for c in n.changes],
        "target": {"left": Printed(objective, ascii_text(objective), latex_name(objective)).as_dict(), "right": number(n.target).as_dict()},
        "evidence": [{"level": e.level, "detail": e.detail, "data": dict(e.data)} for e in n.evidence],
    }  # fmt: skip


def _named(r: Recorder, v: Expr, name: Expr, values: list[Fraction], sizes: Mapping[str, int]) -> Json:
    shape = [d.value(sizes) for d in v.shape]
    if len(shape) > 2 or len(values) > _NUMBERS:
        body = Printed(f"{len(values)} numbers", f"{len(values)} numbers", rf"\text{{{len(values)} numbers}}")
    else:
        body = array(values, shape)
    return {"name": v.attrs[0], "left": show(name, r.taken).as_dict(), "right": body.as_dict()}


def _change(r: Recorder, v: Expr, at: tuple[int, ...], start: Fraction, result: Series, objective: str) -> Json:
    digits = _digits(at)
    name = show(v, r.taken)
    inside = f"({name.latex})" if "_{" in name.latex and digits else name.latex
    x = Printed(*(b + subscript(digits, t) for b, t in ((name.text, "text"), (name.ascii, "ascii"), (inside, "latex"))))
    shifted = polynomial([start, Fraction(1)])
    after = polynomial(result.coefficients[: 3 if result.cut else None], result.cut)
    return {
        "of": v.attrs[0],
        "left": Printed(f"{x.text} → {shifted.text}", f"{x.ascii} -> {shifted.ascii}", rf"{x.latex} \to {shifted.latex}").as_dict(),
        "right": Printed(f"{objective} = {after.text}", f"{ascii_text(objective)} = {after.ascii}",
                         f"{latex_name(objective)} = {after.latex}").as_dict(),
    }  # fmt: skip
