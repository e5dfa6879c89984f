"""The options of `pullback explain`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = ["explain_options"]

_EXAMPLES = """\
examples:
  pullback explain softmax
  pullback explain inv --format latex
  pullback explain transpose_of_product
  pullback explain S-FOLD
  pullback explain P002

Of an op: what it is, its definition, conditions, differential, and the derivation behind it, checked like any other.
"""


def explain_options(commands: Any, formats: Sequence[str]) -> None:
    """The options of `pullback explain`."""
    p = commands.add_parser("explain", help="say what an op, a law, a rule or an error code is, and why it is true",
                            epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    p.add_argument(
        "name", metavar="NAME", help="an op as it is called, a law, a rule such as S-FOLD, or a code such as P002"
    )
    p.add_argument("--format", choices=formats, default="text")
    p.add_argument("--ascii", action="store_true", help="no character outside ASCII in text output")
    p.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    p.add_argument("-o", "--out", metavar="FILE", help="write there instead of to standard output")
