"""A Jacobian is a matrix once tensors are stacked: W, diag(u), B ⊗ A, vec(X) (theory.md §10, S2).

These forms say how a matrix is put together from expressions. They are no ops of the algebra, because a stacked axis is
none of its axes; what they stand for is computed in `proof.stacked`, from this definition alone. Columns are stacked:
vec(X) runs through the first axis fastest, and (B ⊗ A) vec(X) = vec(A X Bᵀ).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..algebra.canonical import equal
from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr
from ..algebra.ops.arithmetic import rational
from ..algebra.ops.matrix import diag, eye, transpose
from ..algebra.ops.structure import concat, zeros
from .simplify import simplify

__all__ = ["Commutation", "Diag", "Entries", "Form", "Kron", "Leaf", "Named", "Product", "Scaled", "Sum", "Turned", "extent",
           "kron", "leaf", "mapped", "product", "row", "rows_first", "turned"]  # fmt: skip


_CONCAT = concat(0, rational(1)).op


@dataclass(frozen=True, slots=True)
class Leaf:
    """An expression as a matrix. how: "plain", a vector being a column; "vec" by columns, "rvec" by rows, as one column."""

    expr: Expr
    how: str = "plain"


@dataclass(frozen=True, slots=True)
class Turned:
    """The transpose."""

    of: Form


@dataclass(frozen=True, slots=True)
class Kron:
    """left ⊗ right: the blocks are the entries of `left` times `right`."""

    left: Form
    right: Form


@dataclass(frozen=True, slots=True)
class Diag:
    """The diagonal matrix with the column `of` on its diagonal."""

    of: Form


@dataclass(frozen=True, slots=True)
class Commutation:
    """The permutation with commut(m, n) vec(X) = vec(Xᵀ) for X of m rows and n columns."""

    rows: Dim
    cols: Dim


@dataclass(frozen=True, slots=True)
class Scaled:
    """A number times a matrix."""

    by: Expr
    of: Form


@dataclass(frozen=True, slots=True)
class Product:
    factors: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of matrices, each with its sign."""

    parts: tuple[tuple[int, Form], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """∂v/∂x, or ∂v/∂xᵀ when `turned`; `of` is a name of the program, or the text of one that stands for a number.

    When x reaches the target in several ways, `direct` marks what its own equation contributes.
    """

    of: Expr | str
    by: Expr
    turned: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Entries:
    """An array with more axes than a matrix has, by its entry at the letters `legs`."""

    expr: Expr
    legs: str


Form = Leaf | Turned | Kron | Diag | Commutation | Scaled | Product | Sum | Named | Entries


def leaf(e: Expr) -> Form:
    """The expression as a column: stacked when it has several axes."""
    return Leaf(e, "vec" if e.order > 1 else "plain")


def row(e: Expr) -> Form:
    return turned(leaf(e)) if e.order else leaf(e)


def kron(positions: list[Form | None]) -> Form | None:
    """The product over the axes, the last axis first; what is 1 × 1 is left out."""
    found: Form | None = None
    for f in positions:
        if f is not None:
            found = f if found is None else Kron(f, found)
    return found


def mapped(f: Form, change: Callable[[Expr], Expr]) -> Form:
    """The form of other expressions."""
    if isinstance(f, Leaf):
        return Leaf(change(f.expr), f.how)
    if isinstance(f, Kron):
        return Kron(mapped(f.left, change), mapped(f.right, change))
    if isinstance(f, Turned | Diag):
        return type(f)(mapped(f.of, change))
    if isinstance(f, Scaled):
        return Scaled(change(f.by), mapped(f.of, change))
    if isinstance(f, Product):
        return Product(tuple(mapped(x, change) for x in f.factors))
    return Sum(tuple((s, mapped(p, change)) for s, p in f.parts)) if isinstance(f, Sum) else f


def rows_first(f: Form) -> Form:
    """The same map between arrays stacked by rows: every ⊗ the other way round, every vec a rvec."""
    if isinstance(f, Kron):
        return Kron(rows_first(f.right), rows_first(f.left))
    if isinstance(f, Leaf):
        return Leaf(f.expr, "rvec") if f.how == "vec" else f
    if isinstance(f, Turned | Diag):
        return type(f)(rows_first(f.of))
    if isinstance(f, Scaled):
        return Scaled(f.by, rows_first(f.of))
    if isinstance(f, Product):
        return Product(tuple(map(rows_first, f.factors)))
    return Sum(tuple((s, rows_first(p)) for s, p in f.parts)) if isinstance(f, Sum) else f


def product(*factors: Form) -> Form:
    """The product, without factors of the number 1 and without brackets that are not needed."""
    flat: list[Form] = []
    for f in factors:
        flat += f.factors if isinstance(f, Product) else [f]
    kept = [f for f in flat if f != Leaf(rational(1))] or [flat[0]]
    return kept[0] if len(kept) == 1 else Product(tuple(kept))


def turned(f: Form) -> Form:
    """The transpose, carried inside: (A B)ᵀ = Bᵀ Aᵀ, (A ⊗ B)ᵀ = Aᵀ ⊗ Bᵀ, diag(u)ᵀ = diag(u)."""
    if isinstance(f, Turned):
        return f.of
    if isinstance(f, Kron):
        return Kron(turned(f.left), turned(f.right))
    if isinstance(f, Product):
        return Product(tuple(turned(x) for x in reversed(f.factors)))
    if isinstance(f, Sum):
        return Sum(tuple((s, turned(x)) for s, x in f.parts))
    if isinstance(f, Scaled):
        return Scaled(f.by, turned(f.of))
    if isinstance(f, Diag):
        return f
    if isinstance(f, Commutation):
        return Commutation(f.cols, f.rows)
    if isinstance(f, Leaf) and f.how == "plain" and f.expr.order != 1:
        return Leaf(_transposed(f.expr)) if f.expr.order else f
    return Turned(f)


def _transposed(e: Expr) -> Expr:
    if e.op is transpose:
        return e.args[0]
    if e.op is _CONCAT:
        return concat(1 - e.attrs[0], *(_transposed_block(a) for a in e.args))
    if e.op in (eye, diag) or (e.shape[0] == e.shape[1] and equal(e, e.T)):
        return e
    found, _ = simplify(e.T)
    return found


def _transposed_block(e: Expr) -> Expr:
    if e.order != 2 or e.op is eye:
        return e
    return zeros(e.shape[::-1]) if e is zeros(e.shape) else simplify(e.T)[0]


def extent(f: Form) -> tuple[Shape, Shape]:
    """The axes that are stacked into the rows, and those stacked into the columns."""
    if isinstance(f, Leaf):
        s = f.expr.shape
        return (s, ()) if f.how != "plain" or len(s) < 2 else (s[:1], s[1:])
    if isinstance(f, Turned):
        return extent(f.of)[::-1]
    if isinstance(f, Kron):
        (a, b), (c, d) = extent(f.right), extent(f.left)
        return a + c, b + d
    if isinstance(f, Diag):
        return extent(f.of)[0], extent(f.of)[0]
    if isinstance(f, Commutation):
        return (f.cols, f.rows), (f.rows, f.cols)
    if isinstance(f, Scaled):
        return extent(f.of)
    if isinstance(f, Product):
        inner = [x for x in f.factors if extent(x) != ((), ())] or [f.factors[0]]
        return extent(inner[0])[0], extent(inner[-1])[1]
    if isinstance(f, Sum):
        return extent(f.parts[0][1])
    return (() if isinstance(f, Entries) or isinstance(f.of, str) else f.of.shape), (
        () if isinstance(f, Entries) else f.by.shape
    )
