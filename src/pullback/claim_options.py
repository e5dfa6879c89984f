"""The options of `pullback prove` and `pullback compare`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = ["claim_options"]

_PROVE_EXAMPLES = """\
examples:
  pullback prove "A : (m, n); B : (n, p); (A B)ᵀ = Bᵀ Aᵀ"
  pullback prove "tr(A B C) = tr(A C B)"
  pullback prove "W : (n, m); z = W' a; prove z_j = sum_i W_ij a_i"
  pullback prove claims.txt --format json

A line `prove left = right` is a claim; without one, every equation whose left side is not a new name.

exit codes: 0 it holds · 1 it is refuted · 2 the text or the command cannot be read · 3 shapes · 4 not decided
"""


_COMPARE_EXAMPLES = """\
examples:
  pullback compare examples/layer.eqn examples/layer_index.eqn --where "W = W', b = 0"
  pullback compare examples/batch_columns.eqn examples/batch_rows.eqn --where "A = A', W = W'"
  pullback compare examples/layer.eqn examples/bias_folded.eqn

On the left a name of FILE2, on the right names of FILE1; names that are not mentioned are the same in both.
"""


def claim_options(commands: Any, formats: Sequence[str]) -> None:
    """The options of both commands."""
    p = commands.add_parser("prove", help="prove or refute an equation", epilog=_PROVE_EXAMPLES,
                            formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    p.add_argument(
        "file", nargs="?", metavar="CLAIM", help="declarations and a claim, a file of them, or - for standard input"
    )
    p.add_argument("-e", "--equations", metavar="TEXT", help="the claim itself, whatever files there are")
    p.add_argument("--format", choices=formats, default="text")
    p.add_argument(
        "--dialect", choices=("matrix", "matlab"), help="how to read *: refuse between tensors, or matrix product"
    )
    p.add_argument("--ascii", action="store_true", help="no character outside ASCII in text output")
    p.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    p.add_argument("-o", "--out", metavar="FILE", help="write there instead of to standard output")
    p = commands.add_parser("compare", help="relate two programs that differ in conventions", epilog=_COMPARE_EXAMPLES,
                            formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    p.add_argument("first", metavar="FILE1", help="a file of equations, or - for standard input")
    p.add_argument("second", metavar="FILE2", help="the same in another convention")
    p.add_argument(
        "--where", metavar="EQUATIONS", default="", help='what the inputs of the second are: "W = W\', b1 = 0"'
    )
    p.add_argument("--format", choices=formats, default="text")
    p.add_argument("--ascii", action="store_true", help="no character outside ASCII in text output")
    p.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    p.add_argument("-o", "--out", metavar="FILE", help="write there instead of to standard output")
