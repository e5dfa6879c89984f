"""What the printed matrices are, as numbers: ⊗, vec, diag and products computed from their definitions (S2).

No derivation is used here: expressions are evaluated modulo p by their meaning, stacked, and multiplied out. The matrix
of dv = J dx is compared with the tangent of the program's own equation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product as indices
from math import prod

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import increment, is_name
from ..algebra.ops.structure import ones
from ..calculus.jacobian import Equality, Jacobians, Link
from ..calculus.stacked import (
    Commutation,
    Diag,
    Entries,
    Form,
    Kron,
    Leaf,
    Named,
    Product,
    Scaled,
    Sum,
    Turned,
    leaf,
    rows_first,
    turned,  # fmt: skip
)
from ..errors import CheckFailed
from ..step import Evidence, Step
from .claim import nowhere
from .field import Modular, OutOfDomain, P
from .jets import Point
from .sizes import sizes_of

__all__ = ["Matrix", "evaluate", "holds", "leaves_of", "stacked_evidence"]

_TRIES = 32


@dataclass(frozen=True, slots=True)
class Matrix:
    """Numbers in rows and columns, row after row."""

    rows: int
    cols: int
    entries: tuple[int, ...]

    def at(self, i: int, j: int) -> int:
        return self.entries[i * self.cols + j]


def _made(rows: int, cols: int, entry: Sequence[int]) -> Matrix:
    return Matrix(rows, cols, tuple(x % P for x in entry))


def evaluate(f: Form, point: Point, known: Mapping[Named, Form]) -> Matrix:
    """The matrix that the form stands for at this point."""
    if isinstance(f, Leaf):
        return _leaf(f, point)
    if isinstance(f, Named):
        return evaluate(known[f], point, known)
    if isinstance(f, Turned):
        a = evaluate(f.of, point, known)
        return _made(a.cols, a.rows, [a.at(i, j) for j in range(a.cols) for i in range(a.rows)])
    if isinstance(f, Diag):
        a = evaluate(f.of, point, known)
        return _made(a.rows, a.rows, [a.at(i, 0) if i == j else 0 for i in range(a.rows) for j in range(a.rows)])
    if isinstance(f, Commutation):
        r, c = f.rows.value(point.sizes), f.cols.value(point.sizes)
        places = (
            (j * r + i) == k for i in range(r) for j in range(c) for k in range(r * c)
        )  # X_ij, and entry k of vec(X)
        return _made(r * c, r * c, [int(x) for x in places])
    if isinstance(f, Scaled):
        [s] = point.value(f.by)
        a = evaluate(f.of, point, known)
        return _made(a.rows, a.cols, [s * x for x in a.entries])
    if isinstance(f, Kron):
        a, b = evaluate(f.left, point, known), evaluate(f.right, point, known)
        spans = (range(a.rows), range(b.rows), range(a.cols), range(b.cols))
        return _made(a.rows * b.rows, a.cols * b.cols, [a.at(i, k) * b.at(j, n) for i, j, k, n in indices(*spans)])
    if isinstance(f, Sum):
        parts = [(s, evaluate(p, point, known)) for s, p in f.parts]
        total = [sum(s * m.entries[n] for s, m in parts) for n in range(len(parts[0][1].entries))]
        return _made(parts[0][1].rows, parts[0][1].cols, total)
    assert isinstance(f, Product)
    made = [evaluate(g, point, known) for g in f.factors]
    if made[-1].cols == 1:  # a column: matrix times column all the way
        found = made[-1]
        for m in reversed(made[:-1]):
            found = _times(m, found)
        return found
    found = made[0]
    for m in made[1:]:
        found = _times(found, m)
    return found


def _times(a: Matrix, b: Matrix) -> Matrix:
    if (a.rows, a.cols) == (1, 1) or (b.rows, b.cols) == (1, 1):  # a number beside a matrix
        s, m = (a, b) if (a.rows, a.cols) == (1, 1) else (b, a)
        return _made(m.rows, m.cols, [s.entries[0] * x for x in m.entries])
    if a.cols != b.rows:
        raise CheckFailed("C012", f"internal error: a printed product of a {a.rows} by {a.cols} and a {b.rows} by {b.cols} matrix",
                          hint="please report this program: the result is withheld")  # fmt: skip
    entry: list[int] = []
    for i in range(a.rows):
        line = [0] * b.cols
        for k, x in enumerate(a.entries[i * a.cols : (i + 1) * a.cols]):
            if x:  # most entries of ⊗ and diag are 0
                line = [t + x * y for t, y in zip(line, b.entries[k * b.cols : (k + 1) * b.cols], strict=True)]
        entry += line
    return _made(a.rows, b.cols, entry)


def _leaf(f: Leaf, point: Point) -> Matrix:
    values, spans = point.value(f.expr), point.extent(f.expr)
    if f.how == "vec":  # the first axis runs fastest
        strides = [prod(spans[k + 1 :]) for k in range(len(spans))]
        order = [
            sum(i * s for i, s in zip(reversed(at), strides, strict=True))
            for at in indices(*map(range, reversed(spans)))
        ]
        return _made(len(values), 1, [values[o] for o in order])
    if f.how == "rvec" or len(spans) < 2:
        return _made(len(values), 1, values)
    return _made(spans[0], spans[1], values)


def leaves_of(f: Form, known: Mapping[Named, Form]) -> list[Expr]:
    """The expressions that the form is made of."""
    found: list[Expr] = []
    stack: list[Form] = [f]
    while stack:
        x = stack.pop()
        if isinstance(x, Leaf | Entries):
            found.append(x.expr)
        elif isinstance(x, Commutation):
            found.append(ones((x.rows, x.cols)))
        elif isinstance(x, Named):
            stack.append(known[x])
        elif isinstance(x, Turned | Diag):
            stack.append(x.of)
        elif isinstance(x, Scaled):
            found.append(x.by)
            stack.append(x.of)
        elif isinstance(x, Kron):
            stack += [x.left, x.right]
        elif isinstance(x, Product):
            stack += x.factors
        else:
            stack += [p for _, p in x.parts]
    return found


def holds(e: Equality, known: Mapping[Named, Form], layout: str) -> dict[str, int] | None:
    """The sizes at which the equality of matrices was confirmed modulo p, or None if it is false."""
    exprs = leaves_of(e.right, known)
    if isinstance(e.left, Link):
        exprs += [e.left.equation.value, e.left.equation.var, e.left.of]
    else:
        exprs += leaves_of(e.left, known)
    sizes = sizes_of(exprs, 0)
    for attempt in range(_TRIES):
        point = Point(Modular("stacked", attempt), sizes)
        try:
            if isinstance(e.left, Link):
                matrix = e.right if layout == "numerator" or e.kind == "rows" else turned(e.right)
                return sizes if _maps(e.left, matrix, point, known, e.kind == "rows") else None
            left, right = evaluate(e.left, point, known), evaluate(e.right, point, known)
            if e.kind == "turned":
                left = Matrix(
                    left.cols, left.rows, tuple(left.at(i, j) for j in range(left.cols) for i in range(left.rows))
                )
            return sizes if left == right else None
        except OutOfDomain:
            continue
    raise nowhere()


def _maps(k: Link, right: Form, point: Point, known: Mapping[Named, Form], by_rows: bool) -> bool:
    """Whether the matrix takes the stacked increment of x to the stacked tangent of the equation."""
    v, x = k.equation.var, k.of
    push = point.push(x)
    for e in postorder(k.equation.value):
        if is_name(e):
            point.bind(e, point.draw(e), push if e is x else None)
    tangent = point.tangent(k.equation.value) or [0] * point.count(v)
    point.bind(v, point.value(k.equation.value))
    point.bind(increment(v), tangent)
    point.bind(increment(x), push)
    for value, name in k.equation.through:  # what the matrix is written with besides v
        point.bind(name, point.value(value))
    moved = leaf(increment(x).T if k.crossed else increment(x))
    result = leaf(increment(v))
    if by_rows:
        moved, result = rows_first(moved), rows_first(result)
    return evaluate(Product((right, moved)), point, known) == evaluate(result, point, known)


def stacked_evidence(j: Jacobians, step: Step) -> Step:
    """The step with the evidence for its matrices, besides that for its claim. Raises CheckFailed."""
    e = j.equalities.get(step.id)
    if e is None:
        return step
    sizes = holds(e, j.known, j.layout)
    if sizes is None:
        raise CheckFailed("C012", f"internal error: the matrix of step {step.id} ({', '.join(step.rules)}) of {step.about} is wrong",
                          hint="please report this program: the result is withheld")  # fmt: skip
    what = "the printed matrix maps the stacked increment to the stacked tangent of the equation" if e.kind in ("map", "rows") else (
        "the printed matrices, multiplied out, are equal")  # fmt: skip
    return step.proved([*step.evidence, Evidence("STACKED-MODP", f"{what}, with ⊗, vec and diag computed from their definitions "
                        "modulo 2^61-1 at a random point", {"p": P, "sizes": sizes})])  # fmt: skip
