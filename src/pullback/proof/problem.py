"""What FINAL is about: the program as the user wrote it, the gradients claimed for it, and points at which both can be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.facts import restricted
from ..algebra.ops.free import gradient, is_name
from ..errors import UnsupportedError
from .field import Field, Modular, OutOfDomain, dot
from .jets import Point
from .samples import as_declared
from .sizes import Rounds, rounds, sizes_of

__all__ = ["Fact", "Problem", "claimed_change", "sampled", "satisfy", "start"]

_TRIES = 32
_CLOSE = 1e-9  # how nearly an assumption must hold in floats

Fact = tuple[Expr, Expr, str]  # left = right, and where it was assumed


@dataclass(frozen=True, slots=True)
class Problem:
    """What FINAL needs and nothing more: the program as the user wrote it, and the equations claimed for it."""

    forward: Sequence[tuple[Expr, Expr]]  # the user's equations, in order
    helpers: Sequence[tuple[Expr, Expr]]  # our own names, values for the backward equations only
    backward: Sequence[tuple[Expr, Expr]]  # (name, value of its gradient) in order of computation
    target: Expr
    seed: Expr | None
    inputs: Sequence[Expr]
    probed: Sequence[Expr]  # the names whose gradient is claimed
    facts: Sequence[Fact] = ()

    def expressions(self) -> list[Expr]:
        """Everything whose sizes a test must choose."""
        return [*self.inputs, *(v for _, v in self.forward), *(v for _, v in self.backward)]

    def everything(self) -> list[Expr]:
        """Every expression there is, names included."""
        pairs = [*self.forward, *self.helpers, *self.backward, *((a, b) for a, b, _ in self.facts)]
        seed = [self.seed] if self.seed is not None else []
        return [*(e for pair in pairs for e in pair), self.target, *seed, *self.inputs, *self.probed]

    def mapped(self, change: Callable[[Expr], Expr]) -> Problem:
        """The same problem about other expressions."""

        def pairs(of: Sequence[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
            return [(change(a), change(b)) for a, b in of]

        return Problem(
            forward=pairs(self.forward),
            helpers=pairs(self.helpers),
            backward=pairs(self.backward),
            target=change(self.target),
            seed=None if self.seed is None else change(self.seed),
            inputs=[change(e) for e in self.inputs],
            probed=[change(e) for e in self.probed],
            facts=[(change(a), change(b), where) for a, b, where in self.facts],
        )

    def definitions(self) -> list[tuple[Expr, Expr]]:
        """Every equation, the user's and the claimed ones, in order of computation."""
        return [*self.forward, *self.helpers, *((gradient(v), g) for v, g in self.backward)]

    def rounds(self) -> Rounds:
        """The sizes at which the program and its gradients are run."""
        probed = set(self.probed)
        facts = [e for left, right, _ in self.facts for e in (left, right)]
        closing = [(self.target, "tangent"), *((gradient(v), "value") for v, _ in self.backward if v in probed)]
        return rounds(closing, self.definitions(), self.probed, besides=[*self.inputs, *facts])


def start(problem: Problem, point: Point, before: Callable[[], None] | None = None) -> None:
    """Draw the inputs, so that every assumption holds; `before` is called before each. Raises OutOfDomain, UnsupportedError U011."""
    names = list(problem.inputs) + ([problem.seed] if problem.seed is not None else [])
    for v in names:
        if before is not None:
            before()
        point.bind(v, point.draw(v))
    satisfy(problem.facts, names, point)


def sampled(facts: Sequence[Fact], inputs: Sequence[Expr]) -> None:
    """Raises UnsupportedError U011 if no point is found at which all assumptions hold."""
    sizes = sizes_of([*inputs, *(e for left, right, _ in facts for e in (left, right))], 0)
    for attempt in range(_TRIES if facts else 0):
        point = Point(Modular("facts", attempt), sizes)
        for v in inputs:
            point.bind(v, point.draw(v))
        try:
            return satisfy(facts, inputs, point)
        except OutOfDomain:
            continue


# ---- assumptions -------------------------------------------------------------------------------------------


def satisfy(facts: Sequence[Fact], names: Sequence[Expr], point: Point) -> None:
    """Move entries of the inputs so that all assumptions hold at this point, which is seen by trying."""
    if not facts:
        return
    used = [v for v in names if any(v in set(postorder(*f[:2])) for f in facts)]
    sides = [e for f in facts for e in f[:2]]
    if all(left.order == 0 for left, _, _ in facts) and all(
        e in used for s in sides for e in postorder(s) if is_name(e)
    ):
        for k in range(len(used)):  # entries of one name after those of another; which is first is tried in turn
            for v, values in _moved(facts, [*used[k:], *used[:k]], point).items():
                point.bind(v, values)
            point.forget(set(names))
            if all(_is_zero(r, point.field) for r in _residues(facts, names, point, {})):
                point.forget(set(names))
                return
    where = [place for _, _, place in facts]
    one = len(where) == 1
    what = f"the assumption {where[0]}" if one else f"the assumptions {', '.join(where[:-1])} and {where[-1]}"
    raise UnsupportedError("U011", f"{what} cannot be sampled{'' if one else ' together'}, so {'its' if one else 'their'} use cannot "
                           "be checked", hint="assume one scalar equation that is linear in an input, such as sum(y) = 1" if one else
                           "assume scalar equations that are linear in an input and can hold together")  # fmt: skip


def _is_zero(x: Any, field: Field) -> bool:
    return bool(x % field.mod == 0 if field.mod else abs(x) < _CLOSE)


def _residues(facts: Sequence[Fact], names: Sequence[Expr], point: Point, moved: Mapping[Expr, list[Any]]) -> list[Any]:
    """left − right of every assumption, with some names moved."""
    trial = Point(point.field, point.sizes)
    for n in names:
        trial.bind(n, moved.get(n, point.values[n]))
    return [trial.value(left)[0] - trial.value(right)[0] for left, right, _ in facts]


def _moved(facts: Sequence[Fact], names: Sequence[Expr], point: Point) -> dict[Expr, list[Any]]:
    """The inputs with the entries moved that solve the assumptions, if these are linear in them together."""
    now = _residues(facts, names, point, {})
    places = [(v, k) for v in names for k in range(min(len(point.values[v]), len(facts) + 1))]
    columns = []
    for v, k in places:
        values = list(point.values[v])
        values[k] += 1
        columns.append([a - b for a, b in zip(_residues(facts, names, point, {v: values}), now, strict=True)])
    found = {v: list(point.values[v]) for v in names}
    for c, shift in _solved(columns, now, point.field).items():
        v, k = places[c]
        found[v][k] = _reduced(found[v][k] - shift, point.field)
    return found


def _reduced(x: Any, field: Field) -> Any:
    return x % field.mod if field.mod else x


def _solved(columns: Sequence[Sequence[Any]], right: Sequence[Any], field: Field) -> dict[int, Any]:
    """Numbers for as many columns as are needed to add up to `right`, the first that will do; elimination, row by row."""
    rows = [[*(column[k] for column in columns), r] for k, r in enumerate(right)]
    pivots: dict[int, int] = {}  # column -> row
    for c in range(len(columns)):
        free = [k for k in range(len(rows)) if k not in pivots.values() and not _is_zero(rows[k][c], field)]
        if not free:
            continue
        p = max(free, key=lambda k: abs(rows[k][c])) if field.mod is None else free[0]
        scale = field.power(rows[p][c], -1)
        rows[p] = [_reduced(x * scale, field) for x in rows[p]]
        for k, row in enumerate(rows):
            if k != p:
                rows[k] = [_reduced(x - row[c] * y, field) for x, y in zip(row, rows[p], strict=True)]
        pivots[c] = p
    return {c: rows[p][-1] for c, p in pivots.items()}


# ---- the claim ---------------------------------------------------------------------------------------------


def claimed_change(problem: Problem, point: Point, pushes: Mapping[Expr, list[Any]]) -> tuple[Any, Any]:
    """Σ⟨∇x, dx⟩ over the probed names by the claimed equations, and the sum of the sizes of its terms."""
    values = Point(point.field, point.sizes)
    values.values = {e: v for e, v in point.values.items() if is_name(e)}
    values.tangents = dict.fromkeys(values.values)
    for v, value in problem.helpers:
        values.bind(v, values.value(value))
    total, size = 0, 0
    for v, value in problem.backward:
        values.bind(gradient(v), values.value(value))
        if restricted(v) and not _stays(gradient(v), values):
            return None, 0  # a gradient among symmetric matrices is one of them
        if v in pushes:
            term = dot(values.values[gradient(v)], pushes[v], point.field.mod)
            total, size = total + term, size + abs(term)
    return (total % point.field.mod if point.field.mod else total), size


def _stays(name: Expr, point: Point) -> bool:
    """Whether the entries of the name have the facts that it has: exactly, in floats it is not asked."""
    if not point.field.mod:
        return True
    entries = [x % point.field.mod for x in point.values[name]]
    return as_declared(name, list(entries), point.extent(name), point.field) == entries
