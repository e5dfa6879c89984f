"""The options of `pullback code` and `pullback plan`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["code_options"]

_CODE = """\
examples:
  pullback code examples/layer.eqn --target numpy
  pullback code -e "Z = W X; P = softmax(Z, axis=0); E = -sum(Y .* log(P))" --target jax --wrt W -o grad.py
  pullback code net.eqn --target numpy --form buffers
  pullback code net.eqn --target torch --form autodiff --name loss
  pullback code fit.eqn --target scipy --wrt W,b -o problem.py
  pullback code net.eqn --target jax --form shard_map --mesh "data=4: B; model=2: n1, n3"

The function gives (value, {name: gradient}). Unknown functions and their derivatives are arguments: f, df; loss, grad_loss.
"""

_PLAN = """\
examples:
  pullback plan examples/layer.eqn --sizes m=256,n=784
  pullback plan -e "E = ‖A B x − y‖²" --wrt x

Operations are multiplications (with an addition each) of products, and functions of one entry; a size that is not given is 64.
"""


def code_options(commands: Any, forms: Mapping[str, Iterable[str]]) -> None:
    """The options of `pullback code` and `pullback plan`."""
    for command, says, epilog in (
        ("code", "write the value and the gradients as a function", _CODE),
        ("plan", "show what is computed, what it costs and what is kept", _PLAN),
    ):
        p = commands.add_parser(command, help=says, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
        p.add_argument("file", nargs="?", metavar="FILE", help="a file of equations, or - for standard input")
        p.add_argument("-e", "--equations", metavar="TEXT", help="the equations themselves, separated by ;")
        p.add_argument("--wrt", metavar="NAMES", action="append",
                       help="differentiate with respect to these, comma-separated (default: every input)")  # fmt: skip
        p.add_argument("--of", metavar="NAME", help="the scalar to differentiate (default: E, or the last equation)")
        p.add_argument(
            "--dialect", choices=("matrix", "matlab"), help="how to read *: refuse between tensors, or matrix product"
        )
        p.add_argument(
            "--sizes", metavar="m=256,n=784", help="what sizes typically are, to choose between orders of products"
        )
        p.add_argument("--recompute", metavar="NAMES",
                       help="compute these arrays anew in the backward pass, comma-separated; auto: as --memory needs it")  # fmt: skip
        p.add_argument(
            "--memory", metavar="200MB", help="compute so many arrays anew that this suffices at these sizes"
        )
        if command == "code":
            p.add_argument("--target", choices=tuple(forms), default="numpy")
            p.add_argument("--form", choices=list(dict.fromkeys(f for some in forms.values() for f in some)), default="function",
                           help="function: value and gradients; buffers (numpy): into memory that is made once; "
                           "autodiff (jax, torch, tensorflow): a function that the framework differentiates; op (torch): an op of "
                           "torch.library; gradient (scipy): without second derivatives; "
                           "shard_map (jax, with --mesh): block by block, with the sums between devices written out")  # fmt: skip
            p.add_argument("--name", help="the name of the function")
            p.add_argument("--mesh", metavar="'data=4: B; model=2: n1, n3'",
                            help="(jax, torch) a mesh of devices: its axes, how many devices each has, and the sizes that lie along it")  # fmt: skip
        else:
            p.add_argument("--picture", metavar="FILE", help="draw it as well: a file named .svg, or .tex for TikZ")
        p.add_argument("-o", "--out", metavar="FILE", help="write there instead of to standard output")
