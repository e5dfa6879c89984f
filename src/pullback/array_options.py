"""The options of `pullback jacobian` and `pullback hessian`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = ["array_options"]

_ARRAYS = """\
examples:
  pullback jacobian -e "W : (m, n); y = f(W x + b)" --wrt x
  pullback jacobian net.eqn --of y --wrt W --format latex
  pullback hessian -e "A : (m, n); E = ‖A x − y‖²" --wrt x
  pullback hessian net.eqn --wrt v,x

The axes of a Jacobian are those of --of, then those of --wrt; of a Hessian those of the first name, then of the second.
"""


def array_options(commands: Any, formats: Sequence[str]) -> None:
    """The options of `pullback jacobian` and `pullback hessian`."""
    for command, of, wrt in (
        ("jacobian", "the name to differentiate (default: E, or the last equation)", "with respect to this name"),
        ("hessian", "the scalar to differentiate (default: E, or the last equation)", "with respect to this name, or to two: v,x"),
    ):  # fmt: skip
        p = commands.add_parser(command, help=f"derive a {command.capitalize()} as an array", epilog=_ARRAYS,
                                formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
        p.add_argument("file", nargs="?", metavar="FILE", help="a file of equations, or - for standard input")
        p.add_argument("-e", "--equations", metavar="TEXT", help="the equations themselves, separated by ;")
        p.add_argument("--of", metavar="NAME", help=of)
        p.add_argument("--wrt", metavar="NAME", action="append", help=wrt)
        p.add_argument(
            "--dialect", choices=("matrix", "matlab"), help="how to read *: refuse between tensors, or matrix product"
        )
        p.add_argument("--format", choices=formats, default="text")
        p.add_argument("--ascii", action="store_true", help="no character outside ASCII in text output")
        p.add_argument("--color", choices=("auto", "always", "never"), default="auto")
        p.add_argument("-o", "--out", metavar="FILE", help="write there instead of to standard output")
