"""What the 0/1 vectors and matrices that place blocks are, for every one that is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.ops.structure import pad
from ..calculus.derivation import Derivation
from ..step import Said

__all__ = ["constants", "constants_in"]


def constants(d: Derivation) -> Iterator[Said]:
    """One sentence for each; positions in their names are counted from 0, entries in the text from 1."""
    roots = [e for s in d.steps for e in (s.left, s.right) if isinstance(e, Expr)]
    roots += [e for b in d.backward for e in (b.value, b.closed)]
    yield from constants_in(roots)


def constants_in(roots: Iterable[Expr]) -> Iterator[Said]:
    """The same for those that these expressions are made of."""
    nodes = dict.fromkeys(postorder(*roots))
    for e in nodes:
        if e.op.places is None:
            continue
        start, width = e.op.places(e)
        first, last = start + Dim.number(1), start + width
        if e.order == 1:
            yield Said(f"$e is the vector of size {e.shape[0]} with 1 at entry {first} and 0 elsewhere.", {"e": e})
        else:
            yield Said(f"$e is the matrix with the identity in the rows {first} to {last} and 0 elsewhere.", {"e": e})
    if any(e.op is pad for e in nodes):
        yield Said("pad(X, axis, start, size) is X between zeros: start entries before it, size entries in all along the axis, "
                   "axes counted from 0.")  # fmt: skip
