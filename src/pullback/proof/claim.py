"""How each kind of claim is confirmed (theory.md §7.4). A claim that fails stops the run: it is never shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ..algebra.canonical import equal
from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.indexed import at, family_of
from ..algebra.ops.defined import unfolded
from ..algebra.ops.free import increment, is_name, is_var
from ..algebra.ops.series import series_ranges, write_out
from ..algebra.ops.structure import zeros
from ..errors import CheckFailed, UnsupportedError
from ..step import Claim, Evidence, Step
from .field import Degenerate, Modular, OutOfDomain, P
from .jets import Point, sizes_for
from .sizes import TRIALS, Rounds, Sizes, alternatives, rounds
from .standins import Standins, standins

__all__ = ["Memo", "check", "degree", "modular_equal", "nowhere"]

_MOST = P  # a degree beyond which the bound says nothing
_KEPT, _POINTS = 4096, 16  # arrays that a point keeps, and points
_TRIES = 32  # new random points when one falls outside a domain


class Memo:
    """What one run has confirmed, and the points at which it did: claims share their parts."""

    def __init__(self) -> None:
        self.found: dict[tuple[Any, ...], tuple[Evidence, ...]] = {}
        self.points: dict[tuple[Any, ...], Point] = {}
        self.counts: dict[frozenset[str], Any] = {}

    def point(self, k: str, attempt: int, sizes: Sizes, prime: int) -> Point:
        """The point number `attempt` of round k."""
        key = (k, attempt, prime, *sizes.items())
        found = self.points.get(key)
        if found is None or len(found.values) > _KEPT:
            if len(self.points) > _POINTS:
                self.points.clear()
            found = self.points[key] = Point(Modular(f"claim{k}", attempt, prime), sizes)
        return found


def degree(exprs: Iterable[Expr], cells: int, known: dict[Expr, int] | None = None) -> int:
    """A bound on the degree of the polynomial identity behind an equation, the value of a function being a new variable.

    Two such variables are one when their arguments happen to agree, so the degrees of arguments count too (T5). Numerators
    and denominators are brought together by adding degrees. No tensor has more entries than `cells`. `known` gives the degrees of names, and is extended.
    """
    total = 0
    found: dict[Expr, int] = {} if known is None else known
    for root in exprs:
        whole = unfolded(root)
        for e in postorder(whole):
            if e in found:
                continue
            below = sum(found[a] for a in e.args)
            if not e.args:
                found[e] = 1
            elif e.op.exactly is not None:  # a quotient of determinants
                found[e] = min(2 * cells * max(below, 1), _MOST)
            elif e.op.linear is None and e.op.meaning(e) is None and e.op.define is None:
                total += cells * below  # collisions with the arguments of the other entries
                found[e] = 2  # the value, and the slope beside it
            else:
                power = abs(int(e.op.meaning(e)[0].power)) if e.op.linear is None and e.op.define is None else 2
                found[e] = min((power if e.op.linear is None else 1) * below, _MOST)
        found[root] = found[whole]
        total = min(total + found[root], _MOST)
    return total


def modular_equal(
    left: Expr, right: Expr, where: Mapping[Expr, Expr], *, proved: bool = False, memo: Memo | None = None
) -> list[Sizes] | None:
    """The sizes at which left = right was confirmed modulo p at random points, or None if it is false.

    What is `proved` otherwise is tested at the least sizes."""
    sides = substitute_all(left, where), substitute_all(right, where)
    memo = memo or Memo()
    for small in standins(sides):
        found = _compared((small.expr(sides[0]), small.expr(sides[1])), memo, proved=proved)
        if found is not None and found.sizes:
            return found.sizes
    found = _compared(sides, memo, proved=proved)
    return None if found is None else found.sizes


def _compared(sides: tuple[Expr, ...], memo: Memo, *, proved: bool) -> Rounds | None:
    """The rounds in which both sides were equal, None if they differ."""
    left, right = sides
    if left.shape != right.shape:
        return None
    tested = Rounds([], True)
    for left, right in written_out(sides):
        planned = rounds([(left, "value"), (right, "value")], proved=proved, counts=memo.counts)
        for k, first, prime in planned.points():
            hopeless: list[Sizes] = []
            for sizes, attempt in _tries(first, (left, right), hopeless):
                point = memo.point(k, attempt, sizes, prime)
                try:
                    if point.value(left) != point.value(right):
                        return None
                except Degenerate:
                    hopeless += [sizes] * (attempt > 0)
                    continue
                except OutOfDomain:
                    continue
                tested.sizes.extend([sizes] * (k != "guard"))
                break
        tested = _so_far(tested, planned, left is sides[0])
    return tested


def _tries(sizes: Sizes, exprs: Iterable[Expr], hopeless: Collection[Sizes]) -> Iterator[tuple[Sizes, int]]:
    """Sizes and the number of a random point, until one is defined; no more points of sizes that turn out `hopeless`."""
    for other in alternatives(sizes, exprs):
        for attempt in range(_TRIES):
            if other in hopeless:
                break
            yield other, attempt


def _so_far(tested: Rounds, planned: Rounds, generic: bool) -> Rounds:
    """Whether all that was planned was tested, and not only for some lengths of a sum."""
    whole = tested.whole and planned.whole and generic and len(tested.sizes) >= len(planned.sizes)
    return Rounds(tested.sizes, whole, prime=planned.prime)


def written_out(exprs: tuple[Expr, ...]) -> list[tuple[Expr, ...]]:
    """The expressions with their sums over an index written out, in different lengths: members are independent names."""
    ends = {s for e in exprs for r in series_ranges(e) for d in (r.first, r.last) for s in d.symbols()}
    if not any(series_ranges(e) for e in exprs):
        return [exprs]
    found = []
    for k in range(TRIALS):
        lengths = sizes_for(ends, k)
        bind = {s: Dim.number(n) for s, n in lengths.items()}
        found.append(tuple(at(write_out(e, lengths), bind) for e in exprs))
    return found


def substitute_all(e: Expr, where: Mapping[Expr, Expr]) -> Expr:
    """`e` with the definitions in `where` put in until none of their names is left."""
    for _ in range(len(where) + 1):
        used = {x: where[x] for x in postorder(e) if x in where and where[x] is not x}
        if not used:
            return e
        e = substitute(e, used)
    raise CheckFailed("C003", "definitions refer to each other in a circle")


def check(step: Step, memo: Memo) -> Step:
    """The step with its evidence. Raises CheckFailed when its claim is not confirmed.

    Claims are universally quantified, so claims that differ only in names are one claim: `memo` holds those seen.
    """
    claim = step.claim
    if claim.kind == "RECUR":
        return step  # by proof.recur, which has the written-out programs; without evidence it is not shown
    if claim.kind == "DEFINITION":
        return step.proved([Evidence("DEFINITION", "nothing to prove: it gives a name or states a convention")])
    for small in standins(_expressions(claim)):
        try:
            return step.proved(_evidence(replace(step, claim=_in_general(claim, small)), memo))
        except (CheckFailed, UnsupportedError):  # the numbers may matter
            continue
    return step.proved(_evidence(step, memo))


def _evidence(step: Step, memo: Memo) -> tuple[Evidence, ...]:
    claim = step.claim
    key = (claim.kind, *_pattern(claim.left, claim.right, claim.where))
    if key not in memo.found:
        memo.found[key] = tuple(_equation(step, memo) if claim.kind == "EQ" else _differential(step))
    return memo.found[key]


def _expressions(claim: Claim) -> list[Expr]:
    sides = [claim.left, claim.right] if claim.kind == "EQ" else [claim.left.var, claim.left.value, claim.right]
    return [*sides, *(e for pair in claim.where.items() for e in pair)]


def _in_general(claim: Claim, small: Standins) -> Claim:
    """The claim for any sizes in the place of large numbers."""
    left = claim.left
    moved = (
        small.expr(left)
        if claim.kind == "EQ"
        else replace(left, var=small.expr(left.var), value=small.expr(left.value))
    )
    where = {small.expr(k): small.expr(v) for k, v in claim.where.items()}
    return Claim(claim.kind, moved, small.expr(claim.right), where)


def _pattern(left: Any, right: Any, where: Mapping[Any, Any]) -> tuple[Any, ...]:
    """The claim with its names and size symbols replaced by their order of appearance.

    v, dv and ∇v are three names of one thing, and stay so. Under a sum over an index the text of a name counts: such a
    claim is only like itself.
    """
    roots = (
        [left, right] if isinstance(left, Expr) else [left.var, left.value, right]
    )  # an equation and its differential
    for name, value in where.items():
        roots += [name, value]
    if any(e.op.binder for root in roots for e in postorder(root)):
        return tuple(roots)
    names: dict[str, int] = {}
    sizes: dict[str, Dim] = {}
    rows: list[Any] = []
    index: dict[Expr, int] = {}

    @cache
    def dim(d: Dim) -> str:
        for s in sorted(d.symbols()):
            sizes.setdefault(s, Dim.symbol(f"#{len(sizes)}"))
        return str(d.substitute(sizes))

    def attr(a: Any) -> Any:
        if isinstance(a, Dim):
            return dim(a)
        return tuple(dim(x) if isinstance(x, Dim) else x for x in a) if isinstance(a, tuple) else a  # a shape

    def data(e: Expr) -> tuple[Any, ...]:
        if is_name(e):
            name, kind = e.attrs[:2]
            return kind, names.setdefault(name, len(names))
        return (e.op.name, *map(attr, e.attrs))

    for root in roots:
        for e in postorder(root):
            if e not in index:
                index[e] = len(index)
                rows.append((data(e), tuple(index[a] for a in e.args), tuple(map(dim, e.shape))))
        rows.append(index[root])
    return tuple(rows)


def _equation(step: Step, memo: Memo) -> list[Evidence]:
    left, right, where = step.claim.left, step.claim.right, step.claim.where
    full = (substitute_all(left, where), substitute_all(right, where))
    evidence = []
    if equal(*full):
        evidence.append(Evidence("PROVED-CANON", "both sides have the same canonical form"))
    tested = _compared(full, memo, proved=bool(evidence))
    if tested is None:
        raise failure(step, "the two sides differ modulo p at a random point")
    if tested.sizes:
        evidence.append(_tested(tested, degree(full, tested.cells(full))))
    if not evidence:
        raise nowhere()  # not refuted: there was no point to test it at
    return evidence


def _tested(tested: Rounds, D: int) -> Evidence:
    chance, said = tested.chance(D, "a false equation", "an equation that is false")
    return Evidence("TESTED-MODP", f"equal modulo {tested.modulo} at {len(tested.sizes)} random points ({said})",
                    {"trials": len(tested.sizes), "p": tested.prime, "bound": chance, "sizes": tested.sizes, "whole": tested.whole})  # fmt: skip


def _differential(step: Step) -> list[Evidence]:
    """DIFF: the tangent of the equation, computed on numbers, is what the claimed differential says."""
    q, raw = step.claim.left, (step.claim.left.value, step.claim.right)
    if raw[0].shape != raw[1].shape:
        raise failure(step, "the claimed differential has another shape than the equation")
    families = {family_of(v.attrs[0]) for v in step.claim.where}
    tested = Rounds([], True)
    for value, claimed in written_out(raw):
        moving = (
            {e for e in postorder(value) if is_var(e) and family_of(e.attrs[0]) in families}
            if value is not raw[0]
            else set(step.claim.where)
        )
        planned = rounds([(value, "tangent"), (claimed, "value")], [(q.var, value)], moving)
        for k, first, prime in planned.points():
            hopeless: list[Sizes] = []
            for sizes, attempt in _tries(first, (value, claimed), hopeless):
                try:
                    if not _is_tangent(
                        Point(Modular(f"diff{k}", attempt, prime), sizes), q.var, value, claimed, moving
                    ):
                        raise failure(step, "the claimed differential is not the tangent modulo p")
                except Degenerate:
                    hopeless += [sizes] * (attempt > 0)
                    continue
                except OutOfDomain:
                    continue
                tested.sizes.extend([sizes] * (k != "guard"))
                break
        tested = _so_far(tested, planned, value is raw[0])
    if not tested.sizes:
        raise nowhere()
    if not _linear(raw[1]):
        raise failure(step, "a term of the claimed differential does not have exactly one increment")
    linear = Evidence("LINEAR", "every term has exactly one increment")
    return [linear, _tested(tested, degree(raw, tested.cells(raw)))]


def _is_tangent(point: Point, name: Expr, value: Expr, claimed: Expr, moving: set[Expr]) -> bool:
    """Whether the claimed differential is the tangent of the value at this point. Raises OutOfDomain."""
    for e in postorder(value):
        if is_name(e):
            tangent = point.push(e) if e in moving else None
            point.bind(e, point.draw(e), tangent)
            if tangent is not None:
                point.bind(increment(e), tangent)
    tangent = point.tangent(value)
    point.bind(name, point.value(value))
    still = Point(point.field, point.sizes)  # the claim is a value: nothing moves in it
    for e in [x for x in point.values if is_name(x)]:
        still.bind(e, point.values[e])
    return (tangent or [0] * point.count(value)) == still.value(claimed)


def _linear(claimed: Expr) -> bool:
    """Every term has exactly one increment, below linear ops only."""
    holds: dict[Expr, int] = {}  # increments per term; −1 for what is not linear, 9 for zeros, which fit anywhere
    for e in postorder(claimed):
        below = [holds[a] for a in e.args]
        if is_name(e):
            holds[e] = int(is_var(e, "d"))
        elif e is zeros(e.shape):
            holds[e] = 9
        elif e.op.moves:
            moved = [k for k, n in enumerate(below) if n not in (0, 9)]
            holds[e] = sum(n for n in below if n != 9) if all(k in e.op.moves for k in moved) else -1
        elif -1 in below or (e.op.linear is None and any(k == 1 for k in below)):
            holds[e] = -1
        elif e.op.linear == "each":
            total = sum(k for k in below if k != 9)
            holds[e] = total if total < 2 else -1
        else:
            kinds = set(below) - {9}
            holds[e] = -1 if len(kinds) > 1 else kinds.pop() if kinds else 0
    return holds[claimed] in (1, 9)  # a differential may be zero


def nowhere(tries: int = 0) -> UnsupportedError:
    """The refusal of a program for which no point was found at which it is defined: modulo p, or in `tries` real ones."""
    return UnsupportedError("U012", "no point was found at which these equations are defined, so nothing can be checked",
                            notes=(f"{tries} points with real entries between 0.01 and 100 were tried",) if tries else (),
                            hint="look for a root or a logarithm of something that is never positive, or a division by 0; "
                            "a domain far from 0, as of log(s − 1000), is found if the input is t = s − 1000 instead of s"
                            if tries else "look for a division by something that is always 0, as in b / (t − t)")  # fmt: skip


def failure(step: Step, why: str) -> CheckFailed:
    return CheckFailed(
        "C001", f"internal error: step {step.id} ({', '.join(step.rules)}) of {step.about} could not be confirmed",
        notes=(why, f"left: {step.claim.left!r}", f"right: {step.claim.right!r}"),
        hint="please report this program: the result is withheld, because a claim in its derivation failed its check")  # fmt: skip
