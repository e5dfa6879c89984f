"""How composite ops are written and called: `name(x, y)`, last numbers that may be left out, a reduction over all entries."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from .entrywise import pow
from .reduction import average, spread, total

__all__ = ["called", "fitted", "one_for_each", "reduced", "reducing", "repeated", "to_power"]


def _arguments(e: Expr) -> list[str]:
    """The arguments as they are written: last numbers that are the usual ones are not."""
    found = [f"${name}:0" for name, _ in e.op.slots]
    for value in reversed(e.op.omitted):
        last = e.args[len(found) - 1]
        if not (last.op.number and last.attrs[0] == value):
            break
        found.pop()
    return found


def _options(e: Expr) -> list[str]:
    """The data that are not those taken where they are left out."""
    given, usual = e.op.attributes(e), e.op.defaults
    changed = [k for k in given if k not in usual or e.op.normal(k, usual[k], e.args) != given[k]]
    return [f"{e.op.options[k][0]}={_shown(given[k])}" for k in changed]


def _shown(value: Any) -> str:
    """A datum as it is written: one axis as a number, several in brackets."""
    if not isinstance(value, tuple):
        return str(value)
    return str(value[0]) if len(value) == 1 else f"({', '.join(map(str, value))})"


def called(name: str, *more: str, latex: str = "", omitted: Sequence[Fraction] = (), **data: Any) -> dict[str, Any]:
    """What is said of an op that is written as a call; `more` are other spellings, `omitted` the usual last numbers."""

    def inside(e: Expr) -> str:
        return "(" + ", ".join([*_arguments(e), *_options(e)]) + ")"

    shown = latex or rf"\operatorname{{{name}}}".replace("_", r"\_")
    return {"text": lambda e: name + inside(e), "latex": lambda e: shown + inside(e).replace("_", r"\_"), "calls": (name, *more),
            "omitted": tuple(omitted), **data}  # fmt: skip


def reducing(name: str, *more: str, usual: str = "mean", **data: Any) -> dict[str, Any]:
    """The same for a loss with one number for every entry or example, of which the mean, the sum, or all are its value."""
    return {**called(name, *more, **data), "attrs": ("reduction",), "defaults": {"reduction": usual},
            "options": {"reduction": ("reduction", "word mean sum none")}}  # fmt: skip


def reduced(entries: Expr, reduction: str) -> Expr:
    """The mean or the sum of all entries, or the entries themselves."""
    if reduction == "none" or not entries.order:
        return entries
    return average(entries) if reduction == "mean" else total(entries)


# ---- numbers for every place of an axis -------------------------------------------------------------------


def to_power(X: Expr, b: Expr) -> Expr:
    """Every entry to the power b; where b is written as a number, a power whose exponent is no argument."""
    found: Expr | None = pow.at_number(X, b.attrs[0]) if b.op.number and pow.at_number else None
    return pow(X, b) if found is None else found


def repeated(v: Expr, X: Expr, axis: int) -> Expr:
    """v, one number for every place of one axis of X, repeated along all the others."""
    return v if X.order == 1 else spread(v, X, tuple(k for k in range(X.order) if k != axis))


def one_for_each(axis: int, *slots: int) -> dict[str, Any]:
    """The shape of an op like its first argument; those in `slots` have one number for every place of one axis of it."""

    def pairs(attrs: tuple[Any, ...], X: Shape, *others: Shape) -> list[tuple[Dim, Dim]]:
        if not -len(X) <= axis < len(X):
            raise ShapeError(
                "S003", f"a tensor of shape {show_shape(X)} has no axis {axis}", expected="a tensor with more axes"
            )
        return [(X[axis], others[k - 1][0]) for k in slots]

    def shape(attrs: tuple[Any, ...], X: Shape, *others: Shape) -> Shape:
        for k, other in enumerate(others, start=1):
            if len(other) != (k in slots):
                raise ShapeError("S002", f"argument {k + 1} of shape {show_shape(other)} is no {'vector' if k in slots else 'number'}",
                                 expected="one number for every place of an axis" if k in slots else "one number")  # fmt: skip
        for a, b in pairs(attrs, X, *others):
            if a != b:
                raise ShapeError(
                    "S002", f"there are {b} numbers for {a} places of an axis", expected="one number for every place"
                )
        return X

    return {"shape": shape, "ties": pairs}


def fitted(spec: str) -> dict[str, Any]:
    """The shape of an op whose arguments have any axes in front, the same ones, as in "...mk,...nk->...mn"; letters are sizes."""
    left, result = spec.split("->")
    slots = left.split(",")

    def read(slot: str, shape: Shape) -> tuple[Shape, list[tuple[str, Dim]]] | None:
        letters = slot.removeprefix("...")
        front = len(shape) - len(letters)
        if front < 0 or (front and letters == slot):
            return None
        return shape[:front], list(zip(letters, shape[front:], strict=True))

    def pairs(attrs: tuple[Any, ...], *shapes: Shape) -> list[tuple[Dim, Dim]]:
        found: list[tuple[Dim, Dim]] = []
        fronts: list[Shape] = []
        sizes: dict[str, Dim] = {}
        for slot, s in zip(slots, shapes, strict=True):
            front, named = read(slot, s) or ((), [])
            found += [(sizes.setdefault(c, d), d) for c, d in named]
            if named and slot.startswith("..."):
                fronts.append(front)
        return found + [ab for f in fronts[1:] for ab in zip(fronts[0], f, strict=False)]

    def shape(attrs: tuple[Any, ...], *shapes: Shape) -> Shape:
        parts = [read(slot, s) for slot, s in zip(slots, shapes, strict=True)]
        fronts = {p[0] for p, slot in zip(parts, slots, strict=True) if p and slot.startswith("...")}
        if None in parts or len(fronts) > 1 or any(a != b for a, b in pairs(attrs, *shapes)):
            wanted = ", ".join(f"({', '.join(slot.replace('...', '…'))})" for slot in slots)
            more = "; the axes … are the same in all" if left.count("...") > 1 else ""
            raise ShapeError(
                "S002", f"the shapes do not fit: {', '.join(map(show_shape, shapes))}", expected=wanted + more
            )
        sizes = dict(named for p in parts if p for named in p[1])
        return (*next(iter(fronts), ()), *(sizes[c] for c in result.removeprefix("...")))

    return {"shape": shape, "ties": pairs}
