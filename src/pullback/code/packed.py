"""The plan of an optimisation problem: some inputs move, packed in one vector x; the others are data; and H p beside the gradient.

What is computed falls into stages, by what it depends on and by who needs it, so that each is done once: for the data, for an x
(the value, the gradient, what every H p there reads), for a direction p.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.ops.free import gradient, var
from ..calculus.curvature import Curvature
from .instructions import Chain, Given, Value, arguments, reads
from .keeping import Equation, Group
from .plan import Plan, arranged

__all__ = ["Packed", "Stage", "packed", "stages", "with_product"]


class Stage(IntEnum):
    """When a value is computed."""

    DATA = 0  # once
    VALUE = 1  # for an x, by the value
    GRADIENT = 2  # for an x, by the gradient
    CURVATURE = 3  # for an x, by H p alone
    ALONG = 4  # for a direction


@dataclass(slots=True)
class Packed(Plan):
    """A plan with `moving` inputs, and with the parts of p and of H p where there is a second derivative, else why there is none."""

    moving: list[Value] = field(default_factory=list)
    directions: list[Value] = field(default_factory=list)
    products: dict[str, Value] = field(default_factory=dict)
    slope: str = ""  # what s = ⟨∇E, p⟩ is called in the equations
    refused: str = ""

    @property
    def data(self) -> list[Value]:
        return [v for v in self.inputs if v not in self.moving and v not in self.directions]

    def first(self, refused: str) -> Packed:
        """The value and the gradient alone."""
        keep = set(_needed([self.value, *self.gradients.values()]))
        values = [v for v in self.values if v in keep or (isinstance(v.by, Given) and v not in self.directions)]
        uses: dict[Value, int] = dict.fromkeys(values, 0)
        for v in values:
            for a in reads(v.by):
                uses[a] += 1
        inputs = [v for v in self.inputs if v not in self.directions]
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return Packed(**{**own, "values": values, "inputs": inputs, "uses": uses, "directions": [], "products": {}, "refused": refused,
                         "backward": sum(1 for v in self.values[: self.backward] if v in set(values))})  # fmt: skip


def packed(found: Plan, moving: Sequence[str], refused: str) -> Packed:
    """The plan of the value and the gradient as a problem in these inputs."""
    own = {f.name: getattr(found, f.name) for f in fields(found)} | {"groups": _apart(found.groups)}
    return Packed(**own, moving=[_input(found, n) for n in moving], refused=refused)


def with_product(c: Curvature, target: Expr, sizes: Mapping[str, int] | None) -> Packed:
    """The plan of the value, the gradient and H p. Raises UnsupportedError U042."""
    bars = c.source.names
    s = str(c.slope.var.attrs[0])
    slopes = {gradient(b.of): var(f"{s}_{'∇' if b.of in bars else ''}{bars.get(b.of, b.of).attrs[0]}", b.of.shape)
              for b in c.derivation.backward}  # fmt: skip
    called = {**bars, **slopes}  # s_v for the gradient of s with respect to v
    equations: list[Equation] = []
    for q in c.derivation.core.equations:
        if q.var is not c.slope.var:
            back = q.var in bars
            ours = q.auxiliary or q.var in c.source.own
            equations.append((called.get(q.var, q.var), substitute(q.value, called), ours, back))
    for b in c.derivation.backward:
        if b.of is not c.slope.var:
            ours = b.auxiliary or b.of in c.source.own
            equations.append((slopes[gradient(b.of)], substitute(b.value, called), ours, True))
    names = {v: str(v.attrs[0]) for v in c.directions}
    results = {n: gradient(v) for v, n in names.items()}
    along = {f"{n} along p": slopes[gradient(v)] for v, n in names.items()}  # no name of the program has a space
    p = arranged(
        equations, c.derivation.inputs, target, results | along, [*c.directions, *c.directions.values()], sizes
    )
    products = {n: p.gradients.pop(f"{n} along p") for n in names.values()}
    found = packed(p, list(names.values()), "")
    found.directions = [_input(p, str(d.attrs[0])) for d in c.directions.values()]
    found.products, found.slope = products, s
    return found


def _apart(groups: Mapping[Value, Group]) -> dict[Value, Group]:
    """For each value its equation, after those that were put into it: what stands between them may be computed at another stage."""
    order = {q: k for k, q in enumerate(dict.fromkeys(q for g in groups.values() for q in g))}
    last = {g[-1][0] for g in groups.values()}
    inside = {name: e for name, e in order if name not in last}
    found: dict[Value, Group] = {}
    for v, g in groups.items():
        used: dict[Expr, None] = {}
        waiting = [g[-1][1]]
        while waiting:
            for x in postorder(waiting.pop()):
                if x in inside and x not in used:
                    used[x] = None
                    waiting.append(inside[x])
        found[v] = (*sorted(((x, inside[x]) for x in used), key=order.__getitem__), g[-1])
    return found


def _input(p: Plan, name: str) -> Value:
    return next(v for v in p.inputs if v.name == name)


def _needed(ends: Iterable[Value]) -> dict[Value, None]:
    """The values that these are computed from, and these."""
    found: dict[Value, None] = {}
    waiting = list(ends)
    while waiting:
        v = waiting.pop()
        if v not in found:
            found[v] = None
            waiting += arguments(v.by)
    return found


def stages(p: Packed) -> dict[Value, Stage]:
    """When each value is computed: as early as it can be, and not before somebody asks for it; a number of the data by its only user."""
    early = [(Stage.VALUE, _needed([p.value])), (Stage.GRADIENT, _needed(p.gradients.values()))]
    found = (
        dict.fromkeys(p.inputs, Stage.DATA)
        | dict.fromkeys(p.moving, Stage.VALUE)
        | dict.fromkeys(p.directions, Stage.ALONG)
    )
    for v in p.values:
        if v not in found:
            on = max((found[a] for a in arguments(v.by)), default=Stage.DATA)
            asked = next((s for s, some in early if v in some), Stage.CURVATURE)
            found[v] = on if on in (Stage.DATA, Stage.ALONG) else asked
    users: dict[Value, set[Stage]] = {v: {Stage.ALONG} for v in p.products.values()}
    for end, some in ((Stage.GRADIENT, p.gradients.values()), (Stage.VALUE, [p.value])):
        for v in some:
            users.setdefault(v, set()).add(end)
    for v in reversed(p.values):
        mine = users.get(v, set())
        if found[v] is Stage.DATA and not v.shape and isinstance(v.by, Chain) and len(mine) == 1:
            [found[v]] = mine
        for a in arguments(v.by):
            users.setdefault(a, set()).add(found[v])
    return found
