"""What an expression is while it is read: a shape, and in the second pass the expression itself.

Elaboration runs twice with the same code: first to find the unknown sizes, then to build.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, MutableMapping, Sequence
from fractions import Fraction
from typing import Any

from ..algebra.dims import Dim, Shape, show_shape
from ..algebra.expr import Expr
from ..algebra.ops import arithmetic
from ..errors import ParseError, PullbackError, ShapeError, Span
from ..step import Note
from .program import FunctionKind
from .sizes import Sizes, is_unknown, no_shape
from .tape import Node, Tape
from .tokens import Statement

__all__ = ["Maker", "Val", "article", "bracketed"]

_KINDS = ("a scalar", "a vector", "a matrix")


def article(order: int) -> str:
    return _KINDS[order] if order < 3 else f"a tensor with {order} axes"


def bracketed(text: str) -> str:
    """The text of a factor as a postfix may stand behind it."""
    return text if text.isalnum() else f"({text})"


class Val:
    """`row` marks the transpose of a vector, which lives only inside products; `number` is a literal's value,
    `size` that of a number made of sizes and integers alone."""

    __slots__ = ("expr", "number", "row", "shape", "size")

    def __init__(
        self, shape: Shape, expr: Expr | None = None, row: bool = False, number: Fraction | None = None
    ) -> None:
        self.shape, self.expr, self.row, self.number = shape, expr, row, number
        self.size: Dim | None = None

    @property
    def order(self) -> int:
        return len(self.shape)

    def built(self) -> Expr:
        assert self.expr is not None
        return self.expr

    def column(self) -> Val:
        return Val(self.shape, self.expr) if self.row else self

    def describe(self) -> str:
        if self.row:
            return f"the row (1, {self.shape[0]})"
        return show_shape(self.shape)


class Maker:
    """What both passes and both notations share: sizes, building, and errors with their place."""

    def __init__(
        self,
        sizes: Sizes,
        functions: MutableMapping[str, FunctionKind],
        lookup: Callable[[Maker, str, Node], Val],
        *,
        matlab: bool = False,
        building: bool = True,
    ) -> None:
        self.sizes, self.functions, self.lookup = sizes, functions, lookup
        self.matlab, self.building = matlab, building
        self.beside: list[tuple[Dim, Dim, Dim]] = []  # sizes of a vector that is added to a matrix, and of the matrix
        self.printed = False  # whether the text is our own
        self.outer: Callable[[Expr, Node], Val] | None = (
            None  # what a name from outside a definition is, if not looked up
        )
        self.spell: Callable[[str], str] = lambda name: name
        self.own: Mapping[str, str] = {}  # the names of functions that are spelled in another way there
        self.filled: set[str] = set()  # names of scalars that stand beside tensors in a sum
        self.star = ""  # ⊙ if `*` between tensors is tried as the entrywise product
        self.inferred: set[str] = set()  # size letters that the reader chose
        self.known_sizes: set[str] | None = None  # the size symbols of the text, if there is one
        self.holes: dict[tuple[int, Hashable], Dim] = {}  # sizes that a node leaves to its surroundings
        self.uses: dict[str, tuple[int, str]] = {}  # of each unknown function: how many arguments, and where first
        self.notes: list[Note] = []
        self.facts: dict[str, None] = {}  # assumptions, in order, each once
        self.statement: Statement
        self.tape: Tape

    # ---- values

    def make(self, build: Callable[..., Expr], shape: Shape, *parts: Val, row: bool = False, **attrs: Any) -> Val:
        if not self.building:
            return Val(shape, None, row)
        expr = build(*(p.built() for p in parts), **attrs)
        return Val(expr.shape, expr, row)

    def constant(self, value: Fraction) -> Val:
        found = Val((), arithmetic.rational(value) if self.building else None, number=value)
        if value.denominator == 1:
            found.size = Dim.number(int(value))
        return found

    def size(self, dim: Dim) -> Val:
        """A size used as a number."""
        found = self.leaf(lambda: arithmetic.size_of(dim), ())
        found.size = dim
        return found

    def one_size(self, parts: Sequence[Val]) -> bool:
        """Whether the numbers combine to one size: `n + 1`, `m n`."""
        return all(p.size is not None for p in parts) and any(p.number is None for p in parts)

    def leaf(self, build: Callable[[], Expr], shape: Shape) -> Val:
        return Val(shape, build() if self.building else None)

    def dims(self, shape: Sequence[Dim]) -> Shape:
        """Sizes that stand in the text, with what was assumed about them."""
        return self.sizes.shape(tuple(shape))

    def axes(self, shape: Sequence[Dim]) -> Shape:
        """The same for the axes of a tensor. Raises ParseError P002, P008."""
        found = self.dims(shape)
        if not self.printed and (error := no_shape(found)) is not None:
            raise error
        return found

    def hole(self, at: Hashable) -> Dim:
        """A size that the node leaves open, the same in both passes."""
        key = id(self.statement), at
        if key not in self.holes:
            self.holes[key] = self.sizes.fresh()
        return self.sizes.resolve(self.holes[key])

    def spelled(self, name: str) -> str:
        """How a name is spelled in the text."""
        return self.spell(name)

    def from_outside(self, v: Expr, node: Node) -> Val:
        """A number that stands in the definition of a function, where the function is called."""
        return self.lookup(self, str(v.attrs[0]), node) if self.outer is None else self.outer(v, node)

    # ---- agreement

    def same_shape(self, a: Val, b: Val, node: Node, kids: Sequence[int], what: str) -> None:
        """Makes the axes of two values of one order equal, or says why they are not."""
        for x, y in zip(a.shape, b.shape, strict=True):
            if x is not y and not self.sizes.agree(x, y):
                raise self.differ(x, y, node, kids, [a, b], what)

    def not_square(self, x: Val, node: Node, what: str) -> ShapeError:
        """The refusal of a matrix that has not as many rows as columns."""
        rows, columns = self.sizes.shape(x.shape)
        symbols = rows.name is not None and columns.name is not None
        named = rows if rows.name is not None else columns
        other = columns if rows.name is not None else rows
        return ShapeError(
            "S007" if symbols else "S002",
            f"{what} is of a square matrix, and this one has the shape ({rows}, {columns})",
            span=self.span(node),
            hint=(f"if they are the same size, write `assume {named} = {other}`; " if named.name is not None else "")
            + "a matrix that is not square has a pseudo-inverse, pinv(X), and XᵀX is square",
        )

    def differ(self, x: Dim, y: Dim, node: Node, kids: Sequence[int], values: Sequence[Val], what: str) -> ShapeError:
        x, y = self.sizes.resolve(x), self.sizes.resolve(y)
        symbols = x.name is not None and y.name is not None
        named = x.name if x.name is not None else y.name
        other = y if x.name is not None else x
        hint = f"if they are the same size, write `assume {named} = {other}`" if named else ""
        if is_unknown(x) or is_unknown(y):
            hint = "declare the names: a size that is not known here is written ?"
        both = [v for v in values if v.order == 2]
        if what in ("the sum", "the entrywise ⊙", "the entrywise ⊘") and len(both) == 2:
            first, second = (self.sizes.shape(v.shape) for v in values)
            if first == second[::-1]:
                part = bracketed(self.surface(self.tape[kids[1]]))
                hint = f"{part}ᵀ would fit" + (f"; {hint}" if hint else "")
        if any(what.startswith(w) for w in ("the matrix product",)) and both and not hint:
            hint = "did you mean a transpose (ᵀ) of one factor?"
        return ShapeError(
            "S007" if symbols else "S002",
            f"the shapes do not fit in {what}: the size {x} is not the size {y}",
            span=self.span(node),
            notes=self.describe(kids, values),
            hint=hint,
        )

    def describe(self, kids: Sequence[int], values: Sequence[Val]) -> list[str]:
        lines = []
        for k, v in zip(kids, values, strict=False):
            shown = Val(self.sizes.shape(v.shape), None, v.row).describe()
            lines.append(f"{self.surface(self.tape[k])} is {shown}")
        return lines

    def surface(self, node: Node) -> str:
        text = self.statement.source.text[node.start : node.end]
        return text if len(text) <= 60 else text[:57] + "…"

    def factor(self, node: Node) -> str:
        """The text of a node as it may stand beside another factor."""
        text = self.surface(node)
        return f"({text})" if node.tag in ("sum", "chain", "times", "neg") else text

    def span(self, node: Node) -> Span:
        return self.statement.source.span(node.start, node.end)

    def shape_error(
        self,
        code: str,
        message: str,
        node: Node,
        kids: Sequence[int] = (),
        values: Sequence[Val] = (),
        hint: str = "",
        expected: str = "",
    ) -> ShapeError:
        return ShapeError(
            code,
            message,
            span=self.span(node),
            notes=self.describe(kids, values),
            hint=hint,
            expected=expected,
        )

    def parse_error(self, code: str, message: str, node: Node, hint: str = "", expected: str = "") -> ParseError:
        return ParseError(code, message, span=self.span(node), hint=hint, expected=expected)

    def note(self, text: str, rule: str) -> None:
        """Something the reader put in or decided: kept with the equation and with the program."""
        if self.building:
            if (note := Note(text, rule)) not in self.notes:
                self.notes.append(note)
            self.facts.setdefault(text)

    def located(self, error: PullbackError, node: Node, kids: Sequence[int], values: Sequence[Val]) -> PullbackError:
        if error.span is None:
            error.notes = (*error.notes, *self.describe(kids, values))
        return error.at(self.span(node))
