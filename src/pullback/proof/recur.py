"""RECUR: what was derived for every value of an index, written out at small ends of its range and put to FINAL (theory.md §7.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..algebra.expr import Expr, postorder
from ..algebra.indexed import family_of, ref
from ..algebra.ops.free import gradient, is_var
from ..algebra.ops.series import series_ranges
from ..algebra.ranges import Range
from ..calculus.derivation import Backward
from ..calculus.unroll import ends_of, instances, instantiate
from ..errors import UnsupportedError
from ..step import Evidence
from .final import Problem, confirm

__all__ = ["Program", "confirm_all", "written_out"]

_ROUNDS = 3

Program = Sequence[tuple[Expr, Expr, Sequence[Range]]]  # name, value, and for which values of its index


def ends(program: Program, backward: Sequence[Backward]) -> list[str]:
    """The symbols in the ends of all ranges."""
    found = set()
    for _, value, ranges in (*program, *((b.of, b.value, b.ranges) for b in backward)):
        found |= ends_of((*ranges, *series_ranges(value)))
    return sorted(found)


def choices(symbols: Sequence[str], least: dict[str, int]) -> Iterator[dict[str, int]]:
    """Small ends of the ranges, different ones for different symbols: 1, 2, 3 from the smallest that the result is for."""
    for n in range(_ROUNDS):
        yield {s: least.get(s, 1) + (n + k) % _ROUNDS for k, s in enumerate(symbols)}


def written_out(program: Program, helpers: Program, backward: Sequence[Backward], target: Expr, seed: Expr | None,
                members: Sequence[str], sizes: dict[str, int]) -> Problem | None:  # fmt: skip
    """The program and its gradients at these ends; None where the program reaches a member that does not exist there."""
    forward = instances(program, sizes)
    defined = {v for v, _ in forward}
    families = {family_of(v.attrs[0]) for v, _, _ in program if ref(v.attrs[0])}
    pairs = instances([(gradient(b.of), b.value, b.ranges) for b in backward], sizes)
    named = {gradient(x): x for x in _names([v for v, _ in forward], [x for _, x in forward], [x for _, x in pairs])}
    own = instances(helpers, sizes)
    inputs = dict.fromkeys(x for _, value in forward for x in postorder(value) if is_var(x) and x not in defined)
    given = {m for m in members}
    for x in inputs:
        if family_of(x.attrs[0]) in families and not _declared(x, given):
            return None
    for g, _ in pairs:
        named.setdefault(g, _value_of(g))
    helper_names = {v for v, _ in own}
    asked = [(named[g], value) for g, value in pairs]
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


def _names(*groups: Sequence[Expr]) -> Iterator[Expr]:
    for group in groups:
        for e in group:
            yield from (x for x in postorder(e) if is_var(x))


def _value_of(g: Expr) -> Expr:
    """The name whose gradient is called `g`."""
    return type(g).make(g.op, (), (g.attrs[0], "value", g.attrs[2]), g.shape)


def _declared(x: Expr, members: set[str]) -> bool:
    """Whether the member is one of the declared inputs: `h[0]` itself, or `h[l,0]` for any l."""
    mine = ref(x.attrs[0])
    for name in members:
        m = ref(name)
        if mine is not None and m is not None and m.family == mine.family and len(m.index) == len(mine.index):
            if all(d.constant is None or d == e for d, e in zip(m.index, mine.index, strict=True)):
                return True
    return False


def confirm_all(program: Program, helpers: Program, backward: Sequence[Backward], target: Expr, seed: Expr | None,
                members: Sequence[str], least: dict[str, int]) -> list[Evidence]:  # fmt: skip
    """Evidence for the whole result; `least` grows where the program itself needs longer ranges. Raises CheckFailed."""
    symbols = ends(program, backward)
    for _ in range(8):
        problems = [(sizes, written_out(program, helpers, backward, target, seed, members, sizes)) for sizes in choices(symbols, least)]
        if all(p is not None for _, p in problems):
            break
        for s in symbols:
            least[s] = least.get(s, 1) + 1
    else:
        raise UnsupportedError("U032", "no small ranges were found at which every member that is used exists",
                               hint="are the ends of the ranges far apart?")  # fmt: skip
    found: dict[str, Evidence] = {}
    shown = []
    for sizes, problem in problems:
        assert problem is not None
        shown.append(", ".join(f"{s} = {n}" for s, n in sizes.items()))
        for e in confirm(problem):
            worse = found.get(e.level)
            if worse is None or e.data.get("error", 0) >= worse.data.get("error", 0):
                found[e.level] = e
    at = " and ".join([", ".join(f"({x})" if "," in x else x for x in shown[:-1]), f"({shown[-1]})" if "," in shown[-1] else shown[-1]])
    recur = Evidence("RECUR", f"written out at {at}, all sizes different: the gradients of each written-out program are confirmed "
                     "as a whole, as below", {"ends": [dict(s) for s, _ in problems]})  # fmt: skip
    return [recur, *found.values()]
