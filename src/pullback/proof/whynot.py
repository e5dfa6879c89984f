"""Why not …? One plausible wrong form of each backward equation, refuted on the program itself (theory.md §14).

The wrong form is a mechanical mutant. Where its shapes fit only when some sizes are equal, that is said, and then they are
made equal: what is left is a counterexample in small numbers. The true gradient is taken from the forward program alone, by
tangents; where the target is a polynomial in the entry that is moved, by that polynomial.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, pairwise, permutations
from typing import Any

from ..algebra.canonical import equal
from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.facts import restricted
from ..algebra.network import expanded
from ..algebra.ops.free import gradient, is_name, is_var, var
from ..errors import CheckFailed
from .field import OutOfDomain
from .final import Problem
from .jets import Point
from .mutants import Edit, built, edits
from .search import Array, Counterexample, Search, sizes_in_order
from .sizes import parts_of, symbols_of
from .small import RANKS, Rounded, Small, is_known, neat, unknowns

__all__ = ["WhyNot", "why_not"]

_LARGEST_PROGRAM = 60  # equations above which nothing is searched for
_TRIED = 5  # wrong forms of one equation
_SHOWN = 8  # equations that are answered
_WORK = 80_000  # nodes that are computed for one program before it is left at what was found
_STEPS = tuple(range(-4, 5))  # at which the target is computed to find its polynomial
_ORDER = ("mean", "untranspose", "swap", "product", "transpose", "factor", "sum", "axes", "slope", "term")


@dataclass(frozen=True)
class WhyNot:
    """∇(of) = value, and not `wrong`: at these values the two differ.

    `kind` and `part` say what is wrong; `alike` are the sizes that must be equal for the shapes to fit at all; `instead` is
    the equation that `wrong` is a form of, where that is not `value` itself. `known` are values of names on the way;
    `polynomial` are the coefficients of the target in h, the entry moved by h.
    """

    of: Expr
    value: Expr
    wrong: Expr
    instead: Expr
    kind: str
    part: Expr | None
    alike: tuple[tuple[str, Dim], ...]
    found: Counterexample
    known: Mapping[Expr, Array] = field(default_factory=dict)
    polynomial: tuple[Fraction, ...] | None = None


class _Exhausted(Exception):
    """A program so large that searching it any further costs more than an example is worth."""


class _Program:
    """A program with its true backward equations, run at small numbers."""

    def __init__(self, problem: Problem) -> None:
        self.p = problem
        self.names = [*problem.inputs, *([problem.seed] if problem.seed is not None else [])]
        roots = problem.expressions()
        self.symbols = symbols_of(roots)
        self.functions = unknowns(roots)
        self.room = parts_of(postorder(*roots))
        every = {e for root in roots for e in expanded(root)}
        self.left = _WORK // max(1, len({e for root in roots for e in postorder(root)}))
        self.exact = not any(is_known(e) and e.op.exact is None and e.op.whole is None for e in every)

    def forward(
        self, point: Point, moved: Mapping[Expr, Array] | None = None, pushes: Mapping[Expr, Array] | None = None
    ) -> None:
        """Run the equations, with names moved by arrays or pushed along tangents."""
        for v in self.p.inputs if moved or pushes else ():
            x = point.values[v]
            if moved and v in moved:
                x = [a + b for a, b in zip(x, moved[v], strict=True)]
            point.bind(v, x, pushes.get(v) if pushes else None)
        for v, value in self.p.forward:
            x, t = point.value(value), point.tangent(value)
            if moved and v in moved:
                x = [a + b for a, b in zip(x, moved[v], strict=True)]
            push = pushes.get(v) if pushes else None
            if push is not None:
                t = push if t is None else [a + b for a, b in zip(t, push, strict=True)]
            point.bind(v, x, t)

    def backward(self, point: Point) -> None:
        """The true values of all gradients, by the proved equations. Raises _Exhausted when enough was computed."""
        self.left -= 1
        if self.left < 0:
            raise _Exhausted
        self.forward(point)
        for v, value in self.p.helpers:
            point.bind(v, point.value(value))
        for v, value in self.p.backward:
            point.bind(gradient(v), point.value(value))

    def target(self, point: Point, tangent: bool = False) -> Any:
        """The value of the target, ⟨g, target⟩ if its gradient g is given; or its change along the tangents."""
        found = point.tangents[self.p.target] if tangent else point.values[self.p.target]
        if found is None:
            return 0
        seed = point.values[self.p.seed] if self.p.seed is not None else [1]
        return sum(a * b for a, b in zip(seed, found, strict=True))

    def start(self, c: Counterexample) -> Point:
        kind = Small if self.exact else Rounded
        point = Point(kind(self.functions, c.rank, True), c.sizes)
        for v, x in c.values.items():
            point.bind(v, x)
        return point

    def gradient_of(self, v: Expr, c: Counterexample) -> Array:
        """∇v from the forward program alone: one run for each entry, with that entry moving."""
        count = self.start(c).count(v)
        found = []
        for k in range(count):
            point = self.start(c)
            self.forward(point, pushes={v: [int(j == k) for j in range(count)]})
            found.append(neat(self.target(point, tangent=True)))
        return found

    def polynomial(self, v: Expr, at: int, c: Counterexample) -> tuple[Fraction, ...] | None:
        """The target as a polynomial in h, entry number `at` of v being moved by h; None if it is none of a low degree."""
        if not self.exact:
            return None
        values = []
        for h in _STEPS:
            point = self.start(c)
            try:
                self.forward(point, moved={v: [h * int(j == at) for j in range(point.count(v))]})
            except OutOfDomain:
                return None
            values.append(Fraction(self.target(point)))
        return _interpolated(values)


def _interpolated(values: Sequence[Fraction]) -> tuple[Fraction, ...] | None:
    """Coefficients of the polynomial through the values at −4 … 4, if its degree is at most 5."""
    differences = []
    row = list(values)
    while row:
        differences.append(row[0])
        row = [b - a for a, b in pairwise(row)]
    if any(differences[6:]):  # three differences too many would vanish by chance only
        return None
    total = [Fraction(0)] * 7
    basis = [Fraction(1)]  # Π (h − x_j) / k!, ascending
    for k, d in enumerate(differences[:6]):
        for j, b in enumerate(basis):
            total[j] += d * b
        x = _STEPS[k]
        shifted = [Fraction(0), *basis]
        basis = [(a - x * b) / (k + 1) for a, b in zip(shifted, [*basis, Fraction(0)], strict=True)]
    while len(total) > 1 and not total[-1]:
        total.pop()
    return tuple(total)


def why_not(problem: Problem, wanted: Sequence[Expr]) -> dict[str, WhyNot | str]:
    """For each wanted name, one wrong form of its backward equation and what refutes it; names that have none are left out.

    Equations that differ in names only are answered once: the others have the name of the one that is answered. What is
    near the target comes first, where the numbers are the simplest.
    """
    if len(problem.forward) > _LARGEST_PROGRAM:
        return {}
    program = _Program(problem)
    values = dict(problem.backward)
    place = {v: k for k, (v, _) in enumerate(problem.forward)}
    for k, (_, value) in enumerate(problem.forward):
        place.update({x: k for x in postorder(value) if x in set(problem.inputs)})
    answered: dict[tuple[object, ...], str] = {}
    found: dict[str, WhyNot | str] = {}
    for v in sorted((v for v in wanted if v in values), key=lambda v: -place.get(v, 0)):
        outline = (v.order, *_outline(_written(v, values, wanted)), is_var(values[v], "grad"))
        if outline in answered:
            found[v.attrs[0]] = answered[outline]
            continue
        if len(answered) >= _SHOWN:
            continue
        if restricted(v):
            continue  # the numbers of an answer change one entry alone
        try:
            answer = _answer(program, v, values, wanted)
        except _Exhausted:
            continue
        if answer is not None:
            answered[outline] = v.attrs[0]
            found[v.attrs[0]] = answer
    return found


def _outline(e: Expr) -> tuple[object, ...]:
    """The expression without its names: what equal layers have in common."""
    index: dict[Expr, int] = {}
    rows: list[object] = []
    for x in postorder(e):
        index[x] = len(index)
        data = x.attrs[1] if is_name(x) else x.op.name
        rows.append((data, tuple(index[a] for a in x.args), x.order))
    return tuple(rows)


def _written(v: Expr, values: Mapping[Expr, Expr], wanted: Sequence[Expr]) -> Expr:
    """The value of ∇v; where that is only the gradient of another wanted name, the value of that."""
    e = values[v]
    for _ in range(4):
        if not is_var(e, "grad"):
            break
        w = var(e.attrs[0], e.shape)
        if w not in wanted:
            break
        e = values[w]
    return e


def _candidates(e: Expr) -> Iterator[Edit]:
    """The edits that a person might make, the likeliest first."""
    found = [x for x in edits(e) if _rank(x) is not None]
    yield from sorted(found, key=lambda x: _rank(x) or 0)


def _rank(edit: Edit) -> int | None:
    if edit.kind == "factor" and any(is_var(x, "grad") for x in postorder(edit.part or edit.node)):
        return None  # nobody forgets the gradient itself
    word = edit.kind.split(" ")[0]
    return _ORDER.index(word) if word in _ORDER else None


def _answer(program: _Program, v: Expr, values: Mapping[Expr, Expr], wanted: Sequence[Expr]) -> WhyNot | None:
    written = _written(v, values, wanted)
    fitting = [(edit, *_fitting(written, edit)) for edit in _candidates(written)]
    likely = sorted((f for f in fitting if f[1] is not None), key=lambda f: len(f[2]) > 1)
    for edit, shown, alike in likely[:_TRIED]:
        assert shown is not None
        if equal(shown, _alike(written, alike)):
            continue
        found = _refuted(program, v, written, edit)
        if found is None:
            continue
        true = program.gradient_of(v, found)
        close = [abs(a - b) <= 1e-6 * max(1.0, abs(a)) for a, b in zip(true, found.left, strict=True)]
        if not all(close):
            raise CheckFailed("C002", "internal error: the gradients do not agree with the program (FINAL)",
                              hint="please report this program: the result is withheld")  # fmt: skip
        point = program.start(found)
        program.backward(point)
        names = [w for w, _ in program.p.forward] + [x for x in postorder(shown) if is_var(x, "grad")]
        known = {w: [neat(x) for x in point.values[_named(w, program, values)]] for w in names}
        return WhyNot(v, values[v], shown, written, edit.kind, edit.part, alike, found, known,
                      program.polynomial(v, found.at, found))  # fmt: skip
    return None


def _named(w: Expr, program: _Program, values: Mapping[Expr, Expr]) -> Expr:
    """The name of the program that `w`, perhaps with other sizes, stands for."""
    for x in [
        *program.names,
        *(v for v, _ in program.p.forward),
        *(v for v, _ in program.p.helpers),
        *map(gradient, values),
    ]:
        if x.attrs[:2] == w.attrs[:2]:
            return x
    return w


def _alike(e: Expr, equal_sizes: Sequence[tuple[str, Dim]]) -> Expr:
    """`e` with these sizes made equal."""
    return built(e, Edit("", e, lambda x: x), dict(equal_sizes)) or e


def _fitting(e: Expr, edit: Edit) -> tuple[Expr | None, tuple[tuple[str, Dim], ...]]:
    """The edited equation with as few sizes made equal as its shapes ask, and which; None if they never fit."""
    dims = {d for x in postorder(e) for d in x.shape}
    sizes = sorted(dims, key=lambda d: (len(d.terms), str(d)))
    pairs = [(a.name, b) for b, a in permutations(sizes, 2)
             if a.name and a.name not in b.symbols() and (b.name is None or b.name < a.name)]  # fmt: skip
    choices: list[tuple[tuple[str, Dim], ...]] = [(), *((p,) for p in pairs)]
    choices += [(p, q) for p, q in combinations(pairs, 2) if p[1] == q[1] and p[0] != q[0]]
    for equal_sizes in choices[:200]:
        made = built(e, edit, dict(equal_sizes))
        if made is not None:
            return made, equal_sizes
    return None, ()


def _refuted(program: _Program, v: Expr, written: Expr, edit: Edit) -> Counterexample | None:
    """The smallest numbers at which the edited equation does not give the gradient."""
    p = program.p
    for sizes in sizes_in_order(program.symbols):
        if any(total.value(sizes) < end.value(sizes) for total, end in program.room):
            continue
        wrong = built(written, edit, {s: Dim.number(n) for s, n in sizes.items()})
        if wrong is None:
            continue
        names = {x: x.attrs[:2] for x in postorder(wrong) if is_name(x)}

        def sides(point: Point, wrong: Expr = wrong, names: Mapping[Expr, Any] = names) -> tuple[Array, Array]:
            program.backward(point)
            by_name = {x.attrs[:2]: values for x, values in point.values.items() if is_name(x)}
            for x, key in names.items():
                point.bind(x, by_name[key])
            return point.values[gradient(v)], point.value(wrong)

        def admits(point: Point) -> bool:
            return all(point.value(a) == point.value(b) for a, b, _ in p.facts)

        search = Search(sides, program.names, program.functions, admits=admits if p.facts else None, exact=program.exact,
                        smooth=True, budget=300 if program.exact else 60)  # fmt: skip
        for rank in range(RANKS if program.functions else 1):
            found = search.at(sizes, rank)
            if found is not None:
                return found
    return None
