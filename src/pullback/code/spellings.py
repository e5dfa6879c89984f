"""What the ways of spelling have in common: the door's helpers, and rewritings of calls."""

from __future__ import annotations

import ast

from .speller import Rewrite
from .syntax import filled
from .traced import node_of, parsed

__all__ = ["EXPECT", "OURS", "SPECIAL", "as_", "door_of", "made", "places_of", "shared", "summing"]

_TAKEN = '''def {helper}(name, x, order):
    """{says}"""
    try:
        {array}
    except (RuntimeError, TypeError, ValueError) as why:
        raise TypeError(f"{{name}} cannot be made an array: {{why}}") from None
{whole}    if {unreal}:
        raise TypeError(f"{{name}} has the type {{x.dtype}}, not real numbers")
    if x.ndim != order:
        raise ValueError(f"{{name}} has {{x.ndim}} axes, not {{order}}")
    return x'''
_WHOLE = """    if {whole}:
        x = {floats}
"""

EXPECT = """def _expect(name, x, shape, where):
    if tuple(x.shape) != shape:
        found = tuple(x.shape)
        raise ValueError(f"{name} has the shape {found}, not {shape}, in {where}")"""

_GIVEN = '''def _given(name, x, shape):
    """What a function that was given returns: real numbers of this shape."""
    if not isinstance(x, (int, float)):
        if not hasattr(x, "shape"):
            raise TypeError(f"{{name}} gave {{type(x).__name__}}, not an array")
        if {unreal}:
            raise TypeError(f"{{name}} gave the type {{x.dtype}}, not real numbers")
    found = tuple(getattr(x, "shape", ()))
    if found != shape:
        raise ValueError(f"{{name}} gave the shape {{found}}, not {{shape}}")
    return x'''

_BY_INDEX = '''class _ByIndex:
    """Functions by their index, or one function for all."""

    def __init__(self, name, given):
        if not callable(given) and not hasattr(given, "keys"):
            raise TypeError(f"{name} is no function and no dict {{index: function}}")
        self.name, self.given = name, given

    def __getitem__(self, index):
        if callable(self.given):
            return self.given
        if index not in self.given:
            raise ValueError(f"there is no {self.name}[{index}]")
        return self.given[index]'''

_END = '''def _end(name, n):
    """A whole number."""
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"{name} is {n!r}, not a whole number")
    return n.__index__()'''


def shared(unreal: str) -> tuple[tuple[str, str, str], ...]:
    """The helpers of every target: `unreal` says that the array x holds something else than real numbers."""
    return ("_given(", "", _GIVEN.format(unreal=unreal)), ("_end(", "", _END), ("_ByIndex(", "", _BY_INDEX)


def _named_index(x: ast.expr, n: ast.expr) -> ast.expr:
    """_index(y, n, "y"): who is to blame, where it holds no places."""
    name = x.id if isinstance(x, ast.Name) else "an index"
    return filled("_index($0, $1, $2)", {"0": x, "1": n, "2": ast.Constant(name)})


# helpers, and the larger of two sizes
OURS: dict[str, str | Rewrite] = {"as_index": _named_index, "add_at": "_add_at", "larger": "max"}
SPECIAL = ("erf", "erfc", "ndtr", "gammaln", "digamma", "polygamma")


def door_of(*, array: str, whole: str, floats: str, unreal: str) -> str:
    """The helpers of the door: `array` is the statement that makes x an array, which is `whole`, or `floats`, or `unreal`."""
    says = "An array of real numbers with this number of axes."
    made = _WHOLE.format(whole=whole, floats=floats)
    return f"{_TAKEN.format(helper='_array', says=says, array=array, whole=made, unreal=unreal)}\n\n\n{EXPECT}"


def places_of(*, array: str, unreal: str) -> str:
    """The helper of the door for an index: `array` is the statement that makes x an array, which is `unreal`."""
    says = "An array of numbers of places, with this number of axes: integers stay integers."
    return _TAKEN.format(helper="_places", says=says, array=array, whole="", unreal=unreal)


def as_(text: str, **defaults: str) -> Rewrite:
    """A call in other words: $0, $1 for its arguments, $axis for an option."""

    def rewritten(*args: ast.expr, **options: ast.expr) -> ast.expr:
        given = {str(k): a for k, a in enumerate(args)} | options
        for k, x in defaults.items():
            given.setdefault(k, ast.Name(x, ast.Load()))
        return filled(text, given)

    return rewritten


def made(module: str, *names: str) -> dict[str, Rewrite]:
    """Functions that make an array out of nothing: of the type of the inputs."""

    def one(name: str) -> Rewrite:
        def call(*args: ast.expr, **options: ast.expr) -> ast.expr:
            return ast.Call(
                ast.Name(f"{module}.{name}", ast.Load()),
                list(args),
                [ast.keyword("dtype", ast.Name("dtype", ast.Load()))],
            )

        return call

    return {n: one(n) for n in names}


def summing(module: str, axes: str, turned: str, squares: str = "") -> Rewrite:
    """einsum, but that a product entry by entry which is then summed is written as that: as an einsum it would be a batch of small
    products of matrices, which no compiler fuses with what is around it. `squares` is a sum of squares of $0 along $1."""

    def rewritten(words: ast.expr, *args: ast.expr, **_: ast.expr) -> ast.expr:
        inputs, arrow, out = str(ast.literal_eval(words)).partition("->")
        a, comma, b = inputs.partition(",")
        if (
            (arrow and comma and len(args) == 2)
            and set(a) == set(b)
            and len(set(a)) == len(a) == len(b)
            and [c for c in a if c in out] == list(out)
        ):
            x, y = args
            if a != b:
                y = filled(f"{turned}($0, $1)", {"0": y, "1": node_of(tuple(b.index(c) for c in a))})
            gone = tuple(k for k, c in enumerate(a) if c not in out)
            along = node_of(gone[0] if len(gone) == 1 else gone)
            if squares and ast.dump(x) == ast.dump(y):
                return filled(squares, {"0": x, "1": along})
            summed = {"0": x, "1": y, "2": along}
            return filled(f"{module}.sum($0 * $1, {axes}=$2)", summed)
        return ast.Call(parsed(f"{module}.einsum"), [words, *args], [])

    return rewritten
