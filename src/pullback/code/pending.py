"""What is still to be joined between the devices of an axis of a mesh, where every device computes on its own blocks to the end.

A sum over a leg that is cut leaves a part of the sum on every device. What is linear in it may be done with the parts, and gives
parts of the result; whatever else needs the sum itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from ..algebra.expr import Expr, postorder
from ..algebra.network import TooLarge, network
from ..errors import UnsupportedError
from .instructions import Algorithm, Chain, Contraction, Spread, Value, arguments
from .mesh import Mesh

__all__ = ["pending"]


def pending(
    values: Iterable[Value], known: Mapping[Value, str], mesh: Mesh, axis: str, where: Callable[[Value], str]
) -> Mapping[Value, str]:
    """How the parts of each of these arrays make the array, "sum", "max" or "min"; "" for those that are no parts; of some it is `known`.

    Raises UnsupportedError U045 for what needs a joined array, and for what cannot be computed block by block."""
    found = dict(known)
    for v in values:
        if v in found:
            continue
        joins, axes = mesh.joined(v, where(v))
        parts = [a for a in arguments(v.by) if found.get(a)]
        found[v] = joins if axis in axes else ""
        if parts:
            cut = {a for x in (v, *arguments(v.by)) for a in mesh.spec(x.shape, where(v))}
            if axis in cut or any(found[a] != "sum" for a in parts) or not _linear(v, parts):
                raise UnsupportedError("U045", f"what is computed {where(v)} needs a whole array of which every device along {axis} has a part",
                                       expected=f"no size along {axis} over which that is joined",
                                       hint="one op does not speak to other devices: make two of it, or leave the size whole")  # fmt: skip
            found[v] = "sum"
    return found


def _linear(v: Value, parts: list[Value]) -> bool:
    """Whether f(x + x', c) = f(x, c) + f(x', c), where x are the `parts` and c the other arguments."""
    match v.by:
        case Contraction(left, right, _):
            return right is None or left.value not in parts or right.value not in parts
        case Chain(body, operands, _):
            return _homogeneous(body, {x for x, o in operands if o.value in parts})
        case Algorithm(node, args):
            sums = node.op.meaning(node)
            inside = set(chain.from_iterable(postorder(x) for m in sums or () for x in m.extra))
            return sums is not None and all(
                m.power == 1
                and sum(args[k] in parts for k in m.slots) == 1
                and not any(x in inside for x, a in zip(node.args, args, strict=True) if a in parts)
                for m in sums
            )
    return isinstance(v.by, Spread)


def _homogeneous(body: Expr, moving: set[Expr]) -> bool:
    """Whether every term of the sum has one of these names as a factor, once, and none of them anywhere else."""
    try:
        terms = network(body).terms
    except TooLarge:
        return False
    for t in terms:
        inside = [f for f in t.factors if not moving.isdisjoint(postorder(f.atom))]
        if len(inside) != 1 or inside[0].atom not in moving or inside[0].power != 1:
            return False
    return True
