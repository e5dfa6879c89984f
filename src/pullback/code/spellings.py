"""What the ways of spelling have in common: the door's helpers, and rewritings of calls."""

from __future__ import annotations

import ast

from .syntax import Rewrite, filled

__all__ = ["EXPECT", "OURS", "SPECIAL", "as_", "door_of", "made"]

_ARRAY = '''def _array(name, x, order):
    """An array of real numbers with this number of axes."""
    x = {array}
    if {whole}:
        x = {floats}
    if {unreal}:
        raise TypeError(f"{{name}} has the type {{x.dtype}}, not real numbers")
    if x.ndim != order:
        raise ValueError(f"{{name}} has {{x.ndim}} axes, not {{order}}")
    return x'''

EXPECT = """def _expect(name, x, shape, where):
    if tuple(x.shape) != shape:
        found = tuple(x.shape)
        raise ValueError(f"{name} has the shape {found}, not {shape}, in {where}")"""

OURS = {"as_index": "_index", "add_at": "_add_at", "larger": "max"}  # helpers, and the larger of two sizes
SPECIAL = ("erf", "erfc", "ndtr", "gammaln", "digamma", "polygamma")


def door_of(**words: str) -> str:
    """The helpers of the door: `array` makes an array of x, which is `whole`, or `floats`, or `unreal`."""
    return f"{_ARRAY.format(**words)}\n\n\n{EXPECT}"


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
