"""The shapes of the members of a family: one shape with the index in it, told by a declaration or an equation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..algebra.dims import Dim, Shape
from ..algebra.indexed import Ref, at_shape, ref, spelled, steps_of
from ..errors import ParseError, ShapeError, Span
from .sorted_lines import Declared

__all__ = ["Family", "families_declared"]


@dataclass(frozen=True, slots=True)
class Family:
    """The member `like` has the shape `shape`; that of every other member follows from its index."""

    like: Ref
    shape: Shape

    def at(self, wanted: Ref, span: Span | None = None) -> Shape:
        """The shape of another member. Raises ParseError P042 if it has another number of indices."""
        if len(wanted.index) != len(self.like.index):
            name, known = spelled(wanted.family, wanted.index), spelled(self.like.family, self.like.index)
            raise ParseError("P042", f"{name} has {len(wanted.index)} indices and {known} has {len(self.like.index)}",
                             span=span, hint="every member of a family has the same indices")  # fmt: skip
        bind: dict[str, Dim] = {}
        shift: list[Dim] = []
        for mine, entry in zip(self.like.index, wanted.index, strict=True):
            step = steps_of(mine)
            if step is not None and step[0] is not None:
                bind[step[0]] = entry - Dim.number(step[1])
            else:
                shift.append(entry - mine)
        shape = self.shape
        if len(shift) == 1 and shift[0].terms:  # a[1] : n[1] says a[k] : n[k]
            shape = tuple(d.substitute({s: _shifted(s, shift[0]) for s in d.symbols()}) for d in shape)
        return at_shape(shape, bind)


def _shifted(symbol: str, by: Dim) -> Dim:
    """Numbers in the index of a size moved: n[1] by k − 1 is n[k]."""
    found = ref(symbol)
    if found is None:
        return Dim.symbol(symbol)
    return Dim.symbol(spelled(found.family, [i + by if i.constant is not None else i for i in found.index]))


def families_declared(declared: Mapping[str, Declared]) -> dict[str, Family]:
    """What the declarations say of families. Raises ShapeError S007 where two of them differ."""
    found: dict[str, Family] = {}
    for name, d in _most_general_first(declared.items()):
        member = ref(name)
        if member is None:
            continue
        known = found.setdefault(member.family, Family(member, d.shape))
        expected = known.at(member, d.statement.span(d.token))
        if expected != d.shape:
            shown = [", ".join(map(str, s)) for s in (d.shape, expected)]
            raise ShapeError(
                "S007",
                f"{name} is declared ({shown[0]}), but by the declaration of {spelled(known.like.family, known.like.index)} "
                f"it is ({shown[1]})",
                span=d.statement.span(d.token),
                hint="one family has one shape, with its index in it",
            )
    return found


def _most_general_first(items: Iterable[tuple[str, Declared]]) -> list[tuple[str, Declared]]:
    def numbers(name: str) -> int:
        member = ref(name)
        return 0 if member is None else sum(i.constant is not None for i in member.index)

    return sorted(items, key=lambda item: numbers(item[0]))
