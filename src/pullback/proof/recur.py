"""RECUR: what was derived for every value of an index, written out at small ends of its range and put to FINAL (theory.md §7.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.indexed import family_of, ref
from ..algebra.ops.free import gradient, increment, is_name, is_var
from ..algebra.ops.series import series_ranges
from ..algebra.ranges import Range
from ..calculus.core import Equation
from ..calculus.derivation import Backward
from ..calculus.induction import Invariant
from ..calculus.transpose import pairing
from ..calculus.unroll import ends_of, instances, instantiate, values_of
from ..errors import CheckFailed, UnsupportedError
from ..step import Evidence, Step
from .claim import failure, nowhere
from .field import Modular, OutOfDomain, P, dot
from .final import Problem, confirm
from .jets import Point
from .sizes import TRIALS, sizes_of

__all__ = ["Program", "confirm_all", "divisors_within", "prove_induction", "within_reach", "write_all"]

_ROUNDS = 3
_LONGEST = 24  # members of a family that are written out
_TRIES = 32

Program = Sequence[tuple[Expr, Expr, Sequence[Range]]]  # name, value, and for which values of its index


def ends(program: Program, backward: Sequence[Backward]) -> list[str]:
    """The symbols in the ends of all ranges."""
    found = set()
    for _, value, ranges in (*program, *((b.of, b.value, b.ranges) for b in backward)):
        found |= ends_of((*ranges, *series_ranges(value)))
    return sorted(found)


def within_reach(program: Program, least: dict[str, int]) -> None:
    """Whether ranges that are right for this result can be written out. Raises UnsupportedError U037."""
    for name, value, ranges in program:
        for r in (*ranges, *series_ranges(value)):
            length = (r.last - r.first).constant
            if length is not None and length >= _LONGEST:
                raise _far(f"{r} has {length + 1} values").of(name.attrs[0])
    for s, n in least.items():
        if n > _LONGEST:
            raise _far(f"this needs {s} ≥ {n}").of(next((v.attrs[0] for v, value, _ in program if _is_far(value)), ""))


def _is_far(value: Expr) -> bool:
    """Whether a member stands in it whose index holds a large number."""
    members = [m for x in postorder(value) if is_var(x) and (m := ref(x.attrs[0]))]
    return any(abs(c) >= _LONGEST for m in members for d in m.index for _, c in d.terms)


def _far(what: str) -> UnsupportedError:
    return UnsupportedError("U037", f"{what}, and a result is confirmed by writing it out",
                            expected=f"numbers up to {_LONGEST} in indices and ranges",
                            hint="a letter in the place of the number is derived for all its values")  # fmt: skip


def choices(symbols: Sequence[str], least: dict[str, int]) -> Iterator[dict[str, int]]:
    """Small ends of the ranges, different ones for different symbols: 1, 2, 3 from the smallest that the result is for."""
    for n in range(_ROUNDS):
        yield {s: least.get(s, 1) + (n + k) % _ROUNDS for k, s in enumerate(symbols)}


def written_out(program: Program, helpers: Program, backward: Sequence[Backward], target: Expr, seed: Expr | None,
                members: Sequence[str], sizes: dict[str, int]) -> Problem | None:  # fmt: skip
    """The program and its gradients at these ends; None where the program reaches a member that does not exist there, or divides
    by a number of members that is 0, as T − 1 is."""
    forward = instances(program, sizes)
    if any(_divides_by_zero(x) for _, value in forward for x in postorder(value)):
        return None
    defined = {v for v, _ in forward}
    families = {family_of(v.attrs[0]) for v, _, _ in program if ref(v.attrs[0])}
    pairs = instances([(gradient(b.of), b.value, b.ranges) for b in backward], sizes)
    own = instances(helpers, sizes)
    parts = ([v for v, _ in (*forward, *own)], [x for _, x in (*forward, *own)], [x for _, x in pairs])
    named = {gradient(x): x for x in _names(*parts)}  # with what is known of it, as that it is symmetric
    inputs = dict.fromkeys(x for _, value in forward for x in postorder(value) if is_var(x) and x not in defined)
    given = set(members)
    for x in inputs:
        if family_of(x.attrs[0]) in families and not _declared(x, given):
            return None
    for g, _ in pairs:
        named.setdefault(g, _value_of(g))
    helper_names = {v for v, _ in own}
    asked = [(named[g], value) for g, value in pairs]
    listed, said = {family_of(b.of.attrs[0]) for b in backward}, {v for v, _ in asked}
    for v in [*inputs, *(v for v, _ in forward if v is not target)]:
        if family_of(v.attrs[0]) in listed and v not in said:
            raise CheckFailed("C011", f"internal error: the ranges of the result leave out {v.attrs[0]} at {sizes}",
                              hint="please report this program: the result is withheld")  # fmt: skip
    inputs |= dict.fromkeys(v for v, _ in asked if v not in defined and v not in helper_names)
    index: dict[str, int] = {}
    return Problem(
        forward=forward,
        helpers=own,
        backward=asked,
        target=instantiate(target, sizes, index),
        seed=None if seed is None else instantiate(seed, sizes, index),
        inputs=list(inputs),
        probed=[v for v, _ in asked if v not in helper_names],
    )


def divisors_within(equations: Iterable[Equation]) -> None:
    """Refuses a divisor that is 0 at an end of its range, as T − t is at t = T. Raises UnsupportedError U032."""
    for q in equations:
        for r, x in product(q.ranges, postorder(q.value)):
            size = _divisor(x)
            if not isinstance(size, Dim):
                continue
            for end in (r.first, r.last):
                if size.substitute({r.letter: end}) == Dim({}):
                    raise UnsupportedError("U032", f"{size} is a divisor, and 0 at {r.letter} = {end}",
                                           hint="end the range before that")  # fmt: skip


def _divisor(e: Expr) -> object:
    """The number or the size that `e` is something over; None where it is no quotient by such a one."""
    powers = [m.power for m in e.op.meaning(e) or ()]
    below = e.args[-1] if e.op.divides or (powers and powers[0] < 0) else None
    return below.attrs[0] if below is not None and not below.args and below.attrs else None


def _divides_by_zero(e: Expr) -> bool:
    """Whether it is something over a number, and that is 0 here."""
    return _divisor(e) in (0, Dim({}))


def _names(*groups: Sequence[Expr]) -> Iterator[Expr]:
    for group in groups:
        for e in group:
            yield from (x for x in postorder(e) if is_var(x))


def _value_of(g: Expr) -> Expr:
    """The name whose gradient is called `g`."""
    return type(g).make(g.op, (), (g.attrs[0], "value", g.attrs[2], ()), g.shape)


def _declared(x: Expr, members: set[str]) -> bool:
    """Whether the member is one of the declared inputs: `h[0]` itself, or `h[l,0]` for any l."""
    mine = ref(x.attrs[0])
    for name in members:
        m = ref(name)
        alike = mine is not None and m is not None and m.family == mine.family and len(m.index) == len(mine.index)
        if alike and all(d.constant is None or d == e for d, e in zip(m.index, mine.index, strict=True)):  # type: ignore[union-attr]
            return True
    return False


Written = list[tuple[dict[str, int], Problem]]


def write_all(program: Program, helpers: Program, backward: Sequence[Backward], target: Expr, seed: Expr | None,
              members: Sequence[str], least: dict[str, int]) -> Written:  # fmt: skip
    """The program written out at three choices of ends; `least` grows where the program itself needs longer ranges.

    Raises CheckFailed, UnsupportedError U032."""
    symbols = ends(program, backward)
    for _ in range(8):
        found = [
            (z, written_out(program, helpers, backward, target, seed, members, z)) for z in choices(symbols, least)
        ]
        whole = [(sizes, p) for sizes, p in found if p is not None]
        if len(whole) == len(found):
            return whole
        for s in symbols:
            least[s] = least.get(s, 1) + 1
    raise UnsupportedError("U032", "no small ranges were found at which every member that is used exists and nothing is divided by 0",
                           hint="are the ends of the ranges far apart? is t − 1 a divisor, and t 1?")  # fmt: skip


def confirm_all(written: Written) -> list[Evidence]:
    """Evidence for the whole result. Raises CheckFailed."""
    found: dict[str, Evidence] = {}
    differ = True
    for _, problem in written:
        for e in confirm(problem):
            differ = differ and all(len(set(z.values())) == len(z) for z in e.data.get("sizes", ())[:TRIALS])
            worse = found.get(e.level)
            if worse is None or e.data.get("error", 0) >= worse.data.get("error", 0):
                found[e.level] = e
    recur = Evidence("RECUR", f"written out at {shown(written)}{', all sizes different' * differ}: the gradients of each written-out program "
                     "are confirmed as a whole, as below", {"ends": [dict(s) for s, _ in written]})  # fmt: skip
    return [recur, *found.values()]


def shown(written: Written) -> str:
    """`L = 1, L = 2 and L = 3`."""
    each = [", ".join(f"{s} = {n}" for s, n in sizes.items()) for sizes, _ in written]
    each = [f"({x})" if "," in x else x for x in each]
    return " and ".join([", ".join(each[:-1]), each[-1]])


# ---- the invariants of the induction -----------------------------------------------------------------------


def prove_induction(steps: Sequence[Step], written: Written) -> list[Step]:
    """The steps, those of an induction with their evidence: each invariant holds exactly on every written-out program.

    A step without an invariant says no more than that every gradient is right, which `confirm_all` has confirmed.
    Raises CheckFailed C001.
    """
    if all(s.claim.kind != "RECUR" for s in steps):
        return list(steps)
    points = [(sizes, problem, _moved(problem)) for sizes, problem in written]
    where = Evidence("RECUR", f"equal modulo 2^61-1 for every value of the index, written out at {shown(written)}")
    found = []
    for s in steps:
        if s.claim.kind == "RECUR":
            for sizes, problem, (point, change) in points:
                if s.claim.left is not None and not _holds(s.claim.left, s.claim.right, sizes, problem, point, change):
                    raise failure(s, f"it does not hold written out at {shown([(sizes, problem)])}")
            s = s.proved([where])
        found.append(s)
    return found


def _moved(problem: Problem) -> tuple[Point, int]:
    """A point at which every input moves by a random increment, with the gradients by the claimed equations, and dE."""
    sizes = sizes_of(problem.expressions(), 0)
    for attempt in range(_TRIES):
        point = Point(Modular("induction", attempt), sizes)
        try:
            return _run(problem, point)
        except OutOfDomain:
            continue
    raise nowhere()


def _run(problem: Problem, point: Point) -> tuple[Point, int]:
    made = {v for v, _ in (*problem.forward, *problem.helpers)}
    asked = {v for v, _ in problem.backward} - made
    if problem.seed is not None:
        point.bind(problem.seed, point.draw(problem.seed))
    for v in problem.inputs:
        if v is not problem.seed:
            point.bind(v, point.draw(v), point.push(v) if v in asked else None)
    for v, value in (*problem.forward, *problem.helpers):
        point.bind(v, point.value(value), point.tangent(value))
    for v in [x for x in point.values if is_var(x)]:
        point.bind(increment(v), point.tangents[v] or [0] * point.count(v))
    still = Point(point.field, point.sizes)
    still.values = {e: v for e, v in point.values.items() if is_name(e)}
    still.tangents = dict.fromkeys(still.values)
    for v, value in problem.backward:
        still.bind(gradient(v), still.value(value))
    seed = still.values[problem.seed] if problem.seed is not None else [1]
    return still, int(dot(seed, still.values[increment(problem.target)], point.field.mod))


def _holds(made: Invariant, part: str, ends_: dict[str, int], problem: Problem, point: Point, change: int) -> bool:
    first, last = made.range.first.value(ends_), made.range.last.value(ends_)
    values = {
        "P": range(first, last + 1),
        "base": [last + 1],
        "end": [first],
        "step": range(first, last + (not made.open)),
    }[part]
    for k in values:
        index = {made.range.letter: k}

        def number(e: Expr, index: dict[str, int] = index) -> int:
            return int(point.value(instantiate(e, ends_, index))[0])

        if part == "step":
            if number(made.replaced) != number(made.by):
                return False
            continue
        value = {"P": made.value, "base": made.base, "end": made.end}[part]
        if (number(value) + _beside(made, ends_, problem, point) - change) % P:
            return False
    return True


def _beside(made: Invariant, ends_: dict[str, int], problem: Problem, point: Point) -> int:
    """The pairings with names that the recurrence leaves alone."""
    computed = {v for v, _ in (*problem.forward, *problem.helpers)}
    total = 0
    for c in made.others:
        for index in values_of(c.ranges, ends_):
            v = instantiate(c.of, ends_, index)
            if v not in computed or family_of(v.attrs[0]) not in made.gone:
                total += int(point.value(instantiate(pairing(c.value, increment(c.of)), ends_, index))[0])
    return total
