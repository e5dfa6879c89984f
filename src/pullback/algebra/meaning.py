"""What an op declares of itself as data: the index sum that it is, the map that it is the graph of, the reason of a rule."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from .dims import Dim
from .expr import Expr

__all__ = ["Graph", "Meaning", "Reason", "plain"]


class Graph:
    """A 0/1 tensor that is the graph of a map: 1 where the indices at the `target` axes are the image of those at `source`.

    A total map has an image everywhere; an injective one takes no value twice; an onto one takes every value.
    """

    __slots__ = ("injective", "onto", "source", "target", "total")

    def __init__(self, source: Sequence[int], target: Sequence[int], *, total: bool = True, injective: bool = False,
                 onto: bool = False) -> None:  # fmt: skip
        self.source, self.target = tuple(source), tuple(target)
        self.total, self.injective, self.onto = total, injective, onto


class Meaning:
    """One index sum: `spec` over the `slots` of the node then over the constants `extra`, scaled.

    `spec` is an einsum string, e.g. "ik,kj->ij"; letters are arbitrary and may repeat in one slot (theory.md §5.1).
    The scale is `scale * Π times / Π over`, sizes of axes. `power` raises every entry of the one argument.
    """

    __slots__ = ("extra", "inputs", "output", "over", "power", "scale", "slots", "times")

    def __init__(
        self,
        spec: str,
        slots: Sequence[int],
        *,
        extra: tuple[Expr, ...] = (),
        scale: Fraction | int = 1,
        times: tuple[Dim, ...] = (),
        over: tuple[Dim, ...] = (),
        power: int = 1,
    ) -> None:
        left, self.output = spec.split("->")
        self.slots, self.extra = tuple(slots), extra
        self.inputs = tuple(left.split(",")) if self.slots or extra else ()
        self.scale, self.times, self.over, self.power = Fraction(scale), times, over, power


@lru_cache(maxsize=256)
def plain(spec: str, slots: int) -> Meaning:
    return Meaning(spec, range(slots))


class Reason:
    """Why a factor may be moved, or a differential taken: rule name, statement, proof (templates)."""

    __slots__ = ("proof", "rule", "statement")

    def __init__(self, rule: str, statement: str, proof: str = "") -> None:
        self.rule, self.statement, self.proof = rule, statement, proof
