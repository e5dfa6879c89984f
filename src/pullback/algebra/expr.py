"""One immutable, interned node: (op, args, attrs, shape). Equal structure is the same object.

Every sub-expression is in `args`, every datum in `attrs`; constructors never simplify. Walks are iterative,
because the depth of a program is the user's and not ours.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from fractions import Fraction
from typing import Any
from weakref import WeakValueDictionary

from .dims import Dim, Shape

__all__ = ["OPERATORS", "Attrs", "Expr", "dims_in", "postorder", "rebuild", "substitute"]

Attrs = tuple[Any, ...]

# Filled by the op declarations (`operator="@"`): which op a Python operator builds is the op's own datum.
OPERATORS: dict[str, Callable[..., Expr]] = {}

_interned: WeakValueDictionary[tuple[Any, ...], Expr] = WeakValueDictionary()


class Expr:
    """A tensor-valued expression; build it with an op, never directly."""

    __slots__ = ("__weakref__", "args", "attrs", "op", "shape")

    op: Any  # an algebra.op.Op; typed there, since op.py stands on this file
    args: tuple[Expr, ...]
    attrs: Attrs
    shape: Shape

    @staticmethod
    def make(op: Any, args: tuple[Expr, ...], attrs: Attrs, shape: Shape) -> Expr:
        key = (op, args, attrs, shape)
        found = _interned.get(key)
        if found is None:
            found = object.__new__(Expr)
            found.op, found.args, found.attrs, found.shape = op, args, attrs, shape
            _interned[key] = found
        return found

    @property
    def order(self) -> int:
        return len(self.shape)

    def with_args(self, args: tuple[Expr, ...]) -> Expr:
        """The node with other arguments of the same shapes."""
        return self if args == self.args else Expr.make(self.op, args, self.attrs, self.shape)

    @property
    def T(self) -> Expr:
        return OPERATORS["T"](self)

    def __matmul__(self, other: Expr) -> Expr:
        return OPERATORS["@"](self, other)

    def __add__(self, other: Expr | int | float | Fraction) -> Expr:
        return OPERATORS["+"](self, other)

    def __radd__(self, other: int | float | Fraction) -> Expr:
        return OPERATORS["+"](other, self)

    def __sub__(self, other: Expr | int | float | Fraction) -> Expr:
        return OPERATORS["-"](self, other)

    def __rsub__(self, other: int | float | Fraction) -> Expr:
        return OPERATORS["-"](other, self)

    def __mul__(self, other: Expr | int | float | Fraction) -> Expr:
        return OPERATORS["*"](self, other)

    def __rmul__(self, other: int | float | Fraction) -> Expr:
        return OPERATORS["*"](other, self)

    def __truediv__(self, other: Expr | int | float | Fraction) -> Expr:
        return OPERATORS["/"](self, other)

    def __rtruediv__(self, other: int | float | Fraction) -> Expr:
        return OPERATORS["/"](other, self)

    def __pow__(self, exponent: Expr | int | float | Fraction) -> Expr:
        return OPERATORS["**"](self, exponent)

    def __rpow__(self, base: int | float | Fraction) -> Expr:
        return OPERATORS["^"](base, self)

    def __neg__(self) -> Expr:
        return OPERATORS["neg"](self)

    def __repr__(self) -> str:
        """A shallow S-expression for debugging; `show.notation` prints mathematics."""
        inner = [a.op.name if a.args else "/".join(map(str, a.attrs)) or a.op.name for a in self.args]
        return f"<{self.op.name}{list(self.attrs) or ''}({', '.join(inner)}) : {tuple(map(str, self.shape))}>"


def postorder(*roots: Expr, without: Container[Expr] = ()) -> Iterator[Expr]:
    """Every node under `roots` once, arguments before their node; those `without` which it is asked are not entered."""
    seen: set[Expr] = set()
    stack: list[Expr | None] = list(reversed(roots))
    while stack:
        node = stack.pop()
        if node is None:  # what stands below it has its arguments behind it
            done = stack.pop()
            assert done is not None
            yield done
        elif node not in seen and node not in without:
            seen.add(node)
            if node.args:
                stack += (node, None)
                stack += [a for a in node.args[::-1] if a not in seen]
            else:
                yield node


def dims_in(e: Expr) -> Iterator[Dim]:
    """The sizes in the shape and in the data of one node."""
    yield from e.shape
    for a in e.attrs:
        if isinstance(a, Dim):
            yield a
        elif isinstance(a, tuple):
            yield from (d for d in a if isinstance(d, Dim))


def rebuild(root: Expr, change: Callable[[Expr, tuple[Expr, ...]], Expr]) -> Expr:
    """`root` with `change(node, new_args)` applied to every node, arguments first."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        done[node] = change(node, tuple(done[a] for a in node.args))
    return done[root]


def substitute(root: Expr, bind: Mapping[Expr, Expr]) -> Expr:
    """`root` with each node in `bind` replaced (largest first: what is replaced is not entered)."""
    if not bind:
        return root

    def change(node: Expr, args: tuple[Expr, ...]) -> Expr:
        if node in bind:
            return bind[node]
        return node.with_args(args)

    return rebuild(root, change)
