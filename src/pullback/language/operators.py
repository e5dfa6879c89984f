"""Equations written with Python operators: `f(W @ a + b)` with W, a and b tensors of symbolic sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any

from ..algebra.dims import Dim, Shape, show_shape
from ..algebra.expr import Expr, postorder
from ..algebra.facts import holds
from ..algebra.intervals import intervals
from ..algebra.op import Op, rational
from ..algebra.ops import arithmetic, free, matrix, structure
from ..algebra.ops.entrywise import filled
from ..errors import ParseError, ShapeError
from .calls import axes_among
from .domains import consistent, refuse_outside
from .fitting import data_in_front
from .functions import KNOWN
from .options import attributes_of
from .program import Equation, Program
from .sizes import no_shape, read_dim
from .tokens import read_statements

__all__ = ["function", "functional", "map_to", "ops", "program_of", "tensor"]


def _dim(size: Any) -> Dim:
    """A size from a name, a whole number, a `Dim`, or a text such as "n+1". Raises ParseError P002."""
    if isinstance(size, Dim):
        return size
    if isinstance(size, int) and not isinstance(size, bool):
        return Dim.number(size)
    if isinstance(size, str):
        statements = read_statements(f"size : ({size})", "<size>")
        dim, end = read_dim(statements[0], 2)
        if len(statements) == 1 and statements[0].tokens[end].kind == "end":
            return dim
    raise ParseError(
        "P002", f"{size!r:.80} is no size", expected='a name, a positive whole number, or a text such as "n+1"'
    )


def _checked(name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise ParseError("P013", f"{name!r:.80} cannot be a name", expected="a name that starts with a letter")
    return name


def _shape(dims: Sequence[Dim | int | str]) -> Shape:
    found = tuple(map(_dim, dims))
    if (error := no_shape(found)) is not None:
        raise ShapeError("S002", error.message, expected=error.expected)
    return found


def tensor(name: str, *dims: Dim | int | str, index: bool = False) -> Expr:
    """A named tensor with the given sizes: names, numbers or `Dim`s; without sizes, a scalar.

    An `index` holds whole numbers that name places of an axis, counted from 0: it does not move."""
    return free.var(_checked(name), _shape(dims), facts=("index",) if index else ())


def function(name: str) -> Callable[..., Expr]:
    """A function of which only the name is known, applied entry by entry. Raises ParseError P004 for a known name."""
    if _checked(name) in KNOWN:
        raise ParseError("P004", f"{name} is a known function", expected="a name without a meaning of its own",
                         hint=f"use pb.ops.{name}, or give the unknown function another name")  # fmt: skip

    def build(*raw: Any) -> Expr:
        args = [_tensor(a) for a in raw]
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
    _checked(name)

    def build(*raw: Any) -> Expr:
        args = [_tensor(a) for a in raw]
        if not args:
            raise ShapeError("S001", f"{name} was given no argument", expected=f"{name}(x)")
        return free.free_function(name, shape, *args)

    return build


def _tensor(value: Any) -> Expr:
    return value if isinstance(value, Expr) else arithmetic.rational(rational(value))


def _known(name: str) -> Callable[..., Expr]:
    """A known function as a Python function: the first op of that name whose arguments fit."""
    rivals = KNOWN[name]

    def build(*raw: Any, **options: Any) -> Expr:
        if not rivals[0].slots:
            return _made(name, rivals[0], raw)
        if rivals[0].tail and len(raw) > len(rivals[0].slots):  # reshape(X, ("m", "n")), one_hot(y, "c")
            word = rivals[0].options[rivals[0].tail][0]
            options = {**options, word: raw[len(rivals[0].slots) :]}
            raw = raw[: len(rivals[0].slots)]
        spec = [raw[0]] if raw and isinstance(raw[0], str) else []
        args = [_tensor(a) for a in raw[len(spec) :]]
        for o in rivals:
            if spec and o.attr_names == ("spec",):
                if options:
                    raise ParseError("P002", f"{name} has no option {min(options)}")
                found = structure.einsum(spec[0], *args)
                _shape(found.shape)
                return found
            if args and not spec and o.attr_names != ("spec",):
                data = data_in_front(o) if len(args) > len(o.slots) and not o.variadic else 0
                full = _completed(o, args[data:])
                if o.accepts(full):
                    _allowed(name, o, full)
                    if o.options:
                        given = {k: _listed(v) for k, v in options.items()}
                        return o(*full, **attributes_of(o, name, [a.shape for a in full], given))
                    numbers = dict(zip(o.attr_names[:data], raw, strict=False))
                    return o(*full, **_options(name, o, full, {**options, **numbers}))
        takes = " or ".join(o.signature for o in rivals)
        raise ShapeError("S001", f"{name} does not take {', '.join(map(_described, raw)) or 'nothing'}", expected=takes)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = " ".join(dict.fromkeys(o.doc for o in rivals)) + "."
    return build


def _missing(o: Op, args: Sequence[Expr]) -> int:
    return len(o.slots) - len(args)


def _completed(o: Op, args: list[Expr]) -> list[Expr]:
    """The arguments with the usual numbers for those that are left out, and a number beside tensors for every entry."""
    missing = _missing(o, args)
    if 0 < missing <= len(o.omitted):
        args = [*args, *map(arithmetic.rational, o.omitted[-missing:])]
    wide = max(args, key=lambda a: a.order)
    if o.entrywise and len(args) > 1 and all(p == ("*s",) for _, p in o.slots):
        return [a if a.order else filled(a, wide) for a in args]
    return args


def _allowed(name: str, o: Op, args: Sequence[Expr]) -> None:
    """Refuses places that are no whole numbers, and numbers outside the domain. Raises ShapeError S030, ParseError P052."""
    for (slot, _), a in zip(o.slots, args, strict=False):
        if slot in o.fixed and not holds("index", a):
            raise ShapeError("S030", f"{name} needs whole numbers for the places, and {_described(a) if a.args or not a.attrs else a.attrs[0]} is not declared to hold any",
                             hint='name them with pb.tensor("i", "n", index=True)')  # fmt: skip
    if o.entrywise and args and all(a.op.number for a in args):
        refuse_outside(o(*args) if not o.attr_names else args[0], {a: intervals(a, {})[a] for a in args})


def _listed(value: Any) -> tuple[Dim, ...]:
    """The sizes in an option: one, or several in tuples."""
    if isinstance(value, tuple | list):
        return tuple(d for v in value for d in _listed(v))
    return (_dim(value),)


def _made(name: str, o: Op, raw: Sequence[Any]) -> Expr:
    """A constant of given sizes: commut("m", "n")."""
    dims = _listed(tuple(raw))
    if o.attr_names == ("dims",):
        return o(dims=dims)
    if len(dims) != len(o.attr_names):
        raise ParseError(
            "P002", f"{name} takes {len(o.attr_names)} sizes, not {len(dims)}", expected=", ".join(o.attr_names)
        )
    return o(**dict(zip(o.attr_names, dims, strict=True)))


def _described(value: Any) -> str:
    return show_shape(value.shape) if isinstance(value, Expr) else f"{value!r:.40}"


def _options(name: str, o: Op, args: Sequence[Expr], given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of an op from the options of a call: `axis=0`, `start=…, size=…`."""
    known = {"axes": "axis", "total": "size"}
    found: dict[str, Any] = {}
    for key in o.attr_names:
        option = known.get(key, key)
        if option in given:
            value = given[option]
        elif key == "axes":
            value = tuple(range(args[0].order))
        elif key in o.defaults:
            found[key] = o.normal(key, o.defaults[key], args)
            continue
        else:
            raise ParseError("P002", f"{name} needs {option}=…")
        if key in ("axes", "axis"):
            value = _axes(value, args[0].order, least=1 if key == "axis" else min(args[0].order, 1))
        found[key] = value if key == "axes" or o.entrywise else value[0] if key == "axis" else _dim(value)
    wrong = given.keys() - {known.get(k, k) for k in o.attr_names}
    if wrong:
        raise ParseError(
            "P002",
            f"{name} has no option {min(wrong)}",
            expected=", ".join(f"{known.get(k, k)}=…" for k in o.attr_names),
        )
    return found


def _axes(value: Any, order: int, least: int) -> tuple[int, ...]:
    axes = value if isinstance(value, tuple) else (value,)
    if len(axes) < least:
        raise ParseError("P002", "no axis is named", expected=f"axes between 0 and {order - 1}")
    found = axes_among(axes, order)
    if found is None or len(set(found)) != len(found):
        raise ParseError("P002", f"there is no axis {value!r:.40}", expected=f"axes between 0 and {order - 1}")
    return found


def _ones(*dims: Dim | int | str) -> Expr:
    """Ones of the given shape."""
    return structure.ones(_shape(dims))


def _eye(*size: Dim | int | str) -> Expr:
    """The identity matrix."""
    if len(size) != 1:
        raise ParseError("P002", f"eye takes one size, not {len(size)}", expected="eye(n)")
    return matrix.identity(_shape(size)[0])


# Every function that the text knows, as a Python function: ops.tanh(x), ops.sum(X, axis=0), ops.ein("ij,j->i", A, x).
ops = SimpleNamespace(**{n: _known(n) for n in sorted(KNOWN)}, ones=_ones, eye=_eye)


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
        done[node] = node.with_args(args)
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
    if not isinstance(named, Mapping) or not all(isinstance(e, Expr) for e in named.values()):
        raise ParseError(
            "P010", "there is nothing to derive", expected="text, an expression, or a mapping from names to expressions"
        )
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
    return consistent(Program(
        inputs=tuple(inputs.values()),
        equations=tuple(found),
        target=name_of(last),
        given=pulled,
        facts=tuple((_renamed(a, done), _renamed(b, done), f"fact {i}") for i, (a, b) in enumerate(facts, 1)),
        wrt=tuple(dict.fromkeys(name_of(w) for w in wrt)),
        functions=MappingProxyType({}),
        constants=frozenset(name_of(c) for c in constants) | {n for n, v in inputs.items() if holds("index", v)},
        dialect="python",
    ))  # fmt: skip


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
