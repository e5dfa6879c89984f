"""The usual mistakes in words: the wrong formula, what was done in it, and what refutes it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..algebra.dims import Dim, Shape, entries_of
from ..calculus.roles import Letters
from ..calculus.stacked import Form, Leaf, extent
from ..proof.mistakes import Mistake
from ..proof.stacked import Matrix
from .names import ascii_name, ascii_text
from .notation import Printed
from .numbers import array
from .prose import prose_latex, sentence
from .stacked import written

__all__ = ["mistake_record"]

_DONE = {
    "columns": "gradients as columns, multiplied in the order of a chain of rows",
    "order": "the factors in the other order",
    "transpose": "the transpose forgotten",
    "vector": "the vector of the slopes in place of the diagonal matrix",
    "product": "a matrix product in place of ⊙",
    "mixed": "two layouts in one product: the first Jacobian with its rows for the results, the second transposed",
    "all": "both at once: columns in the order of a chain of rows, and the vector of the slopes in place of its diagonal matrix",
}


def mistake_record(m: Mistake, taken: Collection[str], letters: Letters) -> dict[str, Any]:
    """What is shown of one mistake."""

    def w(f: Form) -> Printed:
        return written(f, taken, letters)

    parts: list[str | Printed] = []
    if m.needs:
        factors: list[str | Printed] = []
        for _, rows, cols in m.shapes:
            factors += ["(", _size(rows, cols), ") "]
        right = extent(m.right)
        parts += ["shapes ", *factors, "for a result ", _size(*right), ": it would fit only if "]
        for n, (a, b) in enumerate(m.needs):
            parts += [" and " if n else "", _dim(a), " = ", _dim(b)]
    e = m.example
    if e is not None:
        if m.needs:
            parts += [". It fits at "]
            for n, (s, k) in enumerate(e.sizes.items()):
                parts += [", " if n else "", f"{s} = {k}"]
            parts += [", and is wrong: with "]
        else:
            parts += ["the shapes fit, and it is wrong: with "]
        for n, (x, value) in enumerate(e.given):
            between = "" if not n else " and " if n == len(e.given) - 1 else ", "
            parts += [between, w(Leaf(x)), " = ", _array(value)]
        parts += [" it is ", _array(e.wrong), ", and not ", w(m.right), " = ", _array(e.right)]
    return {
        "kind": m.kind,
        "about": m.of.attrs[0],
        "wrong": w(m.wrong).as_dict(),
        "right": w(m.right).as_dict(),
        "done": sentence(_DONE[m.kind], taken=taken).as_dict(),
        "refuted": sentence(*parts, taken=taken).as_dict(),
        "by": "value" if e is not None else "shape",
    }


def _dim(d: Dim) -> Printed:
    return Printed(str(d), ascii_name(str(d)), prose_latex(str(d)).replace("$", "") if not str(d).isalpha() or len(str(d)) == 1
                   else rf"\mathit{{{d}}}")  # fmt: skip


def _size(rows: Shape, cols: Shape) -> Printed:
    a, b = _dim(entries_of(rows)), _dim(entries_of(cols))
    return Printed(f"{a.text} × {b.text}", ascii_text(f"{a.ascii} × {b.ascii}"), rf"{a.latex} \times {b.latex}")


def _array(m: Matrix) -> Printed:
    if (m.rows, m.cols) == (1, 1):
        return array(m.entries, ())
    return array(m.entries, (len(m.entries),) if 1 in (m.rows, m.cols) else (m.rows, m.cols))
