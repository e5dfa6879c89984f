"""Equations written with Python operators: `f(W @ a + b)` with W, a and b tensors of symbolic sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..algebra.dims import Dim, Shape, show_shape
from ..algebra.expr import Expr, postorder
from ..algebra.ops import free
from ..errors import ParseError, ShapeError
from .program import Equation, Program

__all__ = ["function", "functional", "map_to", "program_of", "tensor"]


def _shape(dims: Sequence[Dim | int | str]) -> Shape:
    found = tuple(Dim.of(d) for d in dims)
    for d in found:
        if d.constant is not None and d.constant < 1:
            raise ShapeError("S002", f"a size of {d}", expected="positive sizes")
    return found


def tensor(name: str, *dims: Dim | int | str) -> Expr:
    """A named tensor with the given sizes: names, numbers or `Dim`s; without sizes, a scalar."""
    if not name.isidentifier() or name.startswith("_"):
        raise ParseError("P013", f"{name!r} cannot be a name", expected="a name that starts with a letter")
    return free.var(name, _shape(dims))


def function(name: str) -> Callable[..., Expr]:
    """A function of which only the name is known, applied entry by entry."""

    def build(*args: Expr) -> Expr:
        if len({a.shape for a in args}) != 1:
            shapes = ", ".join(show_shape(a.shape) for a in args) or "nothing"
            raise ShapeError(
                "S002",
                f"{name} acts entry by entry and was given {shapes}",
                expected="arguments of one shape",
            )
        return free.free_map(name, *args)

    return build


def functional(name: str) -> Callable[..., Expr]:
    """A scalar function of which only the name is known, such as a loss."""
    return map_to(name)


def map_to(name: str, *dims: Dim | int | str) -> Callable[..., Expr]:
    """A function of which only the name is known, whose values have the given sizes."""
    shape = _shape(dims)

    def build(*args: Expr) -> Expr:
        if not args:
            raise ShapeError("S001", f"{name} was given no argument", expected=f"{name}(x)")
        return free.free_function(name, shape, *args)

    return build


def _renamed(root: Expr, done: dict[Expr, Expr]) -> Expr:
    """`root` with what `done` knows replaced; what it knows is not entered."""
    stack = [root]
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
            continue
        waiting = [a for a in node.args if a not in done]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        args = tuple(done[a] for a in node.args)
        done[node] = node if args == node.args else Expr.make(node.op, args, node.attrs, node.shape)
        stack.pop()
    return done[root]


def program_of(
    equations: Expr | Mapping[str, Expr],
    *,
    given: tuple[str, Expr | str] | None = None,
    wrt: Sequence[str | Expr] = (),
    constants: Sequence[str | Expr] = (),
    facts: Sequence[tuple[Expr, Expr]] = (),
    target: str | None = None,
) -> Program:
    """A Program from named expressions, in the order of the mapping; a single scalar is named E.

    A part of an expression that equals an earlier named expression is replaced by that name.
    Raises ParseError P003, P004, P005, P010 and ShapeError.
    """
    named: Mapping[str, Expr] = {"E": equations} if isinstance(equations, Expr) else equations
    if not named:
        raise ParseError("P010", "there is no equation", expected="a mapping from names to expressions")
    done: dict[Expr, Expr] = {}
    found: list[Equation] = []
    inputs: dict[str, Expr] = {}
    defined: dict[str, Expr] = {}
    for name, value in named.items():
        rhs = _renamed(value, done)
        variable = tensor(name, *rhs.shape)
        for leaf in postorder(rhs):
            if free.is_var(leaf):
                _use(leaf, name, named, defined, inputs)
        found.append(Equation(name, variable, rhs, "", None))
        defined[name] = variable
        done[value] = variable
    names = {**inputs, **defined}

    def name_of(item: str | Expr) -> str:
        key = item if isinstance(item, str) else str(item.attrs[0]) if free.is_var(item) else ""
        if key not in names:
            raise ParseError("P003", f"{key or item!r} occurs in no equation", expected=", ".join(list(names)[:12]))
        return key

    pulled: tuple[str, Expr] | None = None
    if given is not None:
        key, cotangent = name_of(given[0]), given[1]
        leaf = tensor(cotangent, *names[key].shape) if isinstance(cotangent, str) else cotangent
        if leaf.shape != names[key].shape:
            raise ShapeError(
                "S002",
                f"the gradient of {key} has the shape {show_shape(leaf.shape)}",
                expected=show_shape(names[key].shape),
            )
        pulled = key, leaf
    last = target or ("E" if "E" in defined else found[-1].name)
    return Program(
        inputs=tuple(inputs.values()),
        equations=tuple(found),
        target=name_of(last),
        given=pulled,
        facts=tuple((_renamed(a, done), _renamed(b, done), f"fact {i}") for i, (a, b) in enumerate(facts, 1)),
        wrt=tuple(dict.fromkeys(name_of(w) for w in wrt)),
        functions=MappingProxyType({}),
        constants=frozenset(name_of(c) for c in constants),
        dialect="python",
    )


def _use(leaf: Expr, name: str, named: Mapping[str, Any], defined: dict[str, Expr], inputs: dict[str, Expr]) -> None:
    word = str(leaf.attrs[0])
    if word in named and word not in defined:
        raise ParseError(
            "P005",
            f"{name} uses {word}, which is defined later or by itself",
            hint="put the definitions in the order in which they are computed",
        )
    known = defined.get(word) or inputs.setdefault(word, leaf)
    if known != leaf:
        raise ShapeError(
            "S007",
            f"{word} is used with the shapes {show_shape(known.shape)} and {show_shape(leaf.shape)}",
            hint="one name stands for one tensor",
        )
