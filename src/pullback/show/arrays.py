"""Numbers in rows and columns as they are written: (1, 0, −1), [1 2; 3 4], and sentences put together from pieces."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from .names import ascii_text
from .notation import Printed
from .prose import prose_latex

__all__ = ["array", "number", "sentence"]


def number(x: Fraction | int) -> Printed:
    x = Fraction(x)
    sign = "−" if x < 0 else ""
    plain = str(abs(x.numerator)) if x.denominator == 1 else f"{abs(x.numerator)}/{x.denominator}"
    tex = plain if x.denominator == 1 else rf"\tfrac{{{abs(x.numerator)}}}{{{x.denominator}}}"
    return Printed(sign + plain, sign.replace("−", "-") + plain, sign.replace("−", "-") + tex)


def array(shape: Sequence[int], entries: Sequence[Fraction | int]) -> Printed:
    """A number, a column (written lying down), or a matrix row by row."""
    cells = [number(x) for x in entries]
    if not shape:
        return cells[0]
    if len(shape) == 1:
        text, plain, tex = (f"({', '.join(getattr(c, k) for c in cells)})" for k in ("text", "ascii", "latex"))
        return Printed(text, plain, tex)
    rows = [cells[k : k + shape[1]] for k in range(0, len(cells), shape[1])]
    text, plain = (f"[{'; '.join(' '.join(getattr(c, k) for c in r) for r in rows)}]" for k in ("text", "ascii"))
    tex = r" \\ ".join(" & ".join(c.latex for c in r) for r in rows)
    return Printed(text, plain, rf"\begin{{bmatrix}} {tex} \end{{bmatrix}}")


def sentence(*parts: str | Printed, taken: Collection[str] = ()) -> Printed:
    """Words and formulas beside each other; the LaTeX is running text."""
    text = "".join(p if isinstance(p, str) else p.text for p in parts)
    plain = "".join(ascii_text(p) if isinstance(p, str) else p.ascii for p in parts)
    marks: dict[str, str] = {}
    tex = ""
    for p in parts:
        if isinstance(p, str):
            tex += p
        else:
            mark = f"\x00{len(marks)}\x00"
            marks[mark] = p.latex
            tex += mark
    return Printed(text, plain, prose_latex(tex, taken, marks))
