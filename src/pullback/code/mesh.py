"""On which device which block of an array lies, and what is added up between devices: both follow from index lists.

Every size is laid along at most one axis of the mesh, so that the layout of an array is read off its shape, and no plan has to be
made: a leg of a result that is laid along an axis stays so, and a sum over a leg that is laid along an axis is a sum over that axis.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ..algebra.dims import Dim, Shape, show_shape
from ..errors import ParseError, UnsupportedError, nearest
from .blockwise import indices, sizes_of
from .frame import Text, Words
from .instructions import Algorithm, Value
from .plan import Plan

__all__ = ["Mesh", "MeshWriter", "laid_out", "read_mesh", "where"]

_EXAMPLE = 'for example --mesh "data=4: B; model=2: n1, n3"'
_MOST = 1 << 20  # devices along one axis


@dataclass(frozen=True, slots=True)
class Mesh:
    """Axes with their numbers of devices, and the axis that each size is laid along, if it is."""

    axes: Mapping[str, int]
    along: Mapping[str, str]  # size -> axis

    def spec(self, shape: Shape, where: str) -> tuple[str | None, ...]:
        """The axis of the mesh for every axis of an array. Raises UnsupportedError U045."""
        found = [self._axis(d, where) for d in shape]
        for axis in self.axes:
            if found.count(axis) > 1:
                raise UnsupportedError("U045", f"an array of the shape {show_shape(shape)} has two axes along {axis}, {where}",
                                       expected="one axis of an array along an axis of the mesh")  # fmt: skip
        return tuple(found)

    def joined(self, v: Value, where: str) -> tuple[str, tuple[str, ...]]:
        """How one array is made of what the devices compute, and over which axes of the mesh: ("sum", ("model",)).

        Raises UnsupportedError U045 for what cannot be computed block by block."""
        self.spec(v.shape, where)
        of = indices(v)
        axes: dict[int, str | None] = {}
        pairs = [(i, d) for o in of.operands for i, d in zip(o.legs, o.value.shape, strict=True)]
        for i, d in (*pairs, *zip(of.legs, v.shape, strict=True)):
            axis = self._axis(d, where)
            if axes.setdefault(i, axis) != axis or (axis is not None and i in of.whole):
                raise self._refused(v, d, axis or axes[i], where)
        laid = [a for a in axes.values() if a is not None]
        if len(set(laid)) < len(laid):
            twice = next(a for a in laid if laid.count(a) > 1)
            both = " and ".join(str(d) for d in {i: d for i, d in pairs if axes[i] == twice}.values())
            raise UnsupportedError("U045", f"axes of the sizes {both} meet that lie along {twice}, {where}",
                                   expected=f"one of them along {twice}")  # fmt: skip
        if isinstance(v.by, Algorithm):
            for s in sorted(sizes_of(v.by.node) & self.along.keys()):
                raise self._refused(v, Dim.symbol(s), self.along[s], where)
        return of.joins, tuple(a for i, a in axes.items() if a is not None and i not in of.legs)

    def _axis(self, d: Dim, where: str) -> str | None:
        if d.name is not None:
            return self.along.get(d.name)
        for s in sorted(d.symbols() & self.along.keys()):
            raise UnsupportedError("U045", f"{s} lies along {self.along[s]}, and there is an axis of the size {d}, {where}",
                                   expected="sizes along the mesh that are whole axes")  # fmt: skip
        return None

    def _refused(self, v: Value, d: Dim, axis: str | None, where: str) -> UnsupportedError:
        node = getattr(v.by, "node", None)
        what = "it" if node is None else node.op.name if isinstance(v.by, Algorithm) else str(node.attrs[0])
        return UnsupportedError("U045", f"{what} cannot be computed from blocks of an axis, and {d} lies along {axis}, {where}",
                                expected=f"{d} along no axis of the mesh")  # fmt: skip


MeshWriter = Callable[[Plan, Words, str, Mesh], str]  # as `Writer`, for a mesh


def where(t: Text, v: Value) -> str:
    """In which equation an array is computed."""
    group = t.plan.groups.get(v)
    return f"in {t.words.text(group[-1][0])} = {t.words.text(group[-1][1])}" if group else "in the equations"


def read_mesh(text: str, sizes: Collection[str]) -> Mesh:
    """`data=4: B; model=2: n1, n3`: axes, their numbers of devices, and the sizes along them.

    Raises ParseError P030 for what cannot be read, P032 for a size that there is not."""
    if not isinstance(text, str):
        raise ParseError("P030", f"a mesh is a text, not {type(text).__name__}", hint='mesh="data=4: B; model=2: n"')
    axes: dict[str, int] = {}
    along: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        head, _, names = part.partition(":")
        found = re.fullmatch(r"\s*([A-Za-z]\w*)\s*=\s*([0-9]{1,7})\s*", head, re.ASCII)
        if found is None or not 0 < int(found[2]) <= _MOST:
            raise ParseError("P030", f"--mesh cannot be read at {part!r:.60}",
                             expected="AXIS=DEVICES: SIZE, SIZE; AXIS=DEVICES: SIZE", hint=_EXAMPLE)  # fmt: skip
        axis = found[1]
        if axis in axes:
            raise ParseError("P030", f"the mesh has the axis {axis} twice", hint=_EXAMPLE)
        axes[axis] = int(found[2])
        for name in filter(None, (n.strip() for n in names.split(","))):
            if name not in sizes:
                close = nearest(name, sorted(sizes))
                raise ParseError("P032", f"there is no size {name:.40}", expected=f"the sizes are {', '.join(sorted(sizes)) or 'numbers'}",
                                 hint=f"did you mean {close}?" if close else "")  # fmt: skip
            if name in along:
                raise ParseError(
                    "P030", f"the size {name} lies along {along[name]} already", expected="one axis for a size"
                )
            along[name] = axis
    if not axes:
        raise ParseError("P030", "--mesh names no axis", hint=_EXAMPLE)
    return Mesh(axes, along)


def laid_out(mesh: Mesh) -> str:
    """`B along data; n1, n3 along model`."""
    names = {a: ", ".join(s for s, b in mesh.along.items() if b == a) for a in mesh.axes}
    return "; ".join(f"{n} along {a}" for a, n in names.items() if n) or "every array whole on every device"
