"""Arrays of small numbers as they are written: 3, [1 2], [1 2; 3 4], in Unicode, ASCII and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .notation import Printed

__all__ = ["array", "nested", "number", "place", "polynomial"]

_DIGITS = 5  # of a rounded number


def number(x: Any) -> Printed:
    """One number; a float is rounded."""
    if isinstance(x, float):
        body = f"{x:.{_DIGITS}g}"
        body = body if any(c in body for c in ".e") else body + ".0"
        return Printed(body.replace("-", "−"), body, _scientific(body))
    value = Fraction(x)
    if value.denominator == 1:
        body = str(value.numerator)
        return Printed(body.replace("-", "−"), body, body)
    sign = "-" if value < 0 else ""
    body = f"{value.numerator}/{value.denominator}"
    tex = rf"{sign}\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    return Printed(body.replace("-", "−"), body, tex)


def _scientific(body: str) -> str:
    mantissa, mark, exponent = body.partition("e")
    return rf"{mantissa}\cdot 10^{{{int(exponent)}}}" if mark else body


def nested(values: Sequence[Any], extents: Sequence[int]) -> Any:
    """The flat array as lists in lists, its numbers as text: what a record holds."""
    parts: list[Any] = [number(x).ascii for x in values]
    for n in reversed(extents[1:]):
        parts = [parts[k : k + n] for k in range(0, len(parts), n)]
    return parts if extents else parts[0]


def place(at: int, extents: Sequence[int]) -> tuple[int, ...]:
    """The indices of the entry number `at`, counted from 1."""
    found = []
    for n in reversed(extents):
        at, k = divmod(at, n)
        found.append(k + 1)
    return tuple(reversed(found))


def array(values: Sequence[Any], extents: Sequence[int]) -> Printed:
    """The whole array: rows are separated by ; and the slices of a larger tensor stand in brackets of their own."""
    shown = [number(x) for x in values]
    if not extents:
        return shown[0]
    if len(extents) > 2:
        size = len(values) // extents[0] if extents[0] else 0
        slices = [array(values[k * size : (k + 1) * size], extents[1:]) for k in range(extents[0])]
        return Printed(
            "[" + ", ".join(s.text for s in slices) + "]",
            "[" + ", ".join(s.ascii for s in slices) + "]",
            r"\left[" + r",\, ".join(s.latex for s in slices) + r"\right]",
        )
    if len(extents) == 1:
        text, ascii = (f"({', '.join(parts)})" if len(parts) > 1 else f"({parts[0]})" for parts in
                       ([s.text for s in shown], [s.ascii for s in shown]))  # fmt: skip
        return Printed(text, ascii, r"\begin{bmatrix} " + r" \\ ".join(s.latex for s in shown) + r" \end{bmatrix}")
    rows = [shown[k : k + extents[1]] for k in range(0, len(shown), extents[1])]
    return Printed(
        "[" + "; ".join(" ".join(s.text for s in row) for row in rows) + "]",
        "[" + "; ".join(" ".join(s.ascii for s in row) for row in rows) + "]",
        r"\begin{bmatrix} " + r" \\ ".join(" & ".join(s.latex for s in row) for row in rows) + r" \end{bmatrix}",
    )


def polynomial(coefficients: Sequence[Fraction], cut: bool = False) -> Printed:
    """c₀ + c₁ h + c₂ h²; with dots when higher powers were left out."""
    made: list[Printed] = []
    for k, c in enumerate(coefficients):
        if not c and (k or len(coefficients) > 1):
            continue
        size, power = number(abs(c)), _power(k)
        body = power if k and abs(c) == 1 else size if not k else Printed(
            f"{size.text} {power.text}", f"{size.ascii} {power.ascii}", rf"{size.latex}\, {power.latex}")  # fmt: skip
        if not made:
            signs = ("−", "-", "-") if c < 0 else ("", "", "")
        else:
            signs = (" − ", " - ", " - ") if c < 0 else (" + ", " + ", " + ")
        made.append(Printed(signs[0] + body.text, signs[1] + body.ascii, signs[2] + body.latex))
    if cut:
        made.append(Printed(" + …", " + ...", r" + \ldots"))
    if not made:
        return number(0)
    return Printed(*("".join(getattr(p, k) for p in made) for k in ("text", "ascii", "latex")))


def _power(k: int) -> Printed:
    return Printed("h" + ("" if k < 2 else "⁰¹²³⁴⁵⁶⁷⁸⁹"[k]), "h" if k < 2 else f"h^{k}", "h" if k < 2 else f"h^{{{k}}}")
