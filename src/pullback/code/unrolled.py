"""Values of a program with an index on NumPy arrays: written out at the given lengths, then evaluated as any other."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.indexed import family_of, ref, spelled
from ..algebra.ops.free import gradient, is_free_function, is_free_map, is_var
from ..algebra.ops.series import series_ranges
from ..algebra.ranges import Range
from ..calculus.core import Core, Equation
from ..calculus.derivation import Backward, Derivation
from ..calculus.loops import box_of, index_of
from ..calculus.unroll import ends_of, instances, instantiate
from ..errors import ParseError, nearest
from .numpy import evaluate

__all__ = ["evaluate_unrolled"]

_LONGEST = 100_000  # members of one family


def evaluate_unrolled(
    d: Derivation, functions: Iterable[str], asked: Sequence[str], given: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """(value, {family: gradients}), the gradients of a family with an index as {index: array}.

    `given` has an array for every plain name; for a family a sequence in the order of its range, or a mapping from index
    to array; for an unknown function a callable, or such a mapping; for an end of a range its value, where no sequence
    tells it. Raises ParseError, ShapeError, UnsupportedError.
    """
    ranges = _ranges(d)
    ends = _ends(d, ranges, given)
    equations = instances([(q.var, q.value, q.ranges) for q in d.core.equations], ends)
    pairs = instances([(gradient(b.of), b.value, b.ranges) for b in d.backward], ends)
    defined = {v for v, _ in equations}
    used = {x for _, value in (*equations, *pairs) for x in postorder(value)}
    inputs = sorted((x for x in used if is_var(x) and x not in defined), key=lambda x: str(x.attrs[0]))
    flat = _flat(d, ends, inputs, {x.attrs[0] for x in used if is_free_map(x) or is_free_function(x)}, functions, given)
    values = {g: Backward(_named(g, [*inputs, *defined]), value, value) for g, value in pairs}
    wanted = tuple(b.of for b in values.values() if family_of(b.of.attrs[0]) in asked)
    seed = None if d.seed is None else instantiate(d.seed, ends, {})
    known = [x for x in inputs if x is not seed]
    plain = Derivation(
        Core([Equation(v, value) for v, value in equations]), tuple(known), instantiate(d.target, ends, {}), seed, wanted,
        [b for b in values.values() if b.of in defined or b.of in known])  # fmt: skip
    value, found = evaluate(plain, {n for n in flat if callable(flat[n]) or _is_function(flat[n])}, flat)
    return value, {**{a: {} for a in asked}, **_gathered(found)}  # of a range without members there are no gradients


def _is_function(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and bool(x) and all(map(callable, x))


def _named(g: Expr, known: Sequence[Expr]) -> Expr:
    found = {(x.attrs[0]): x for x in known}
    return found.get(g.attrs[0]) or type(g).make(g.op, (), (g.attrs[0], "value", g.attrs[2], ()), g.shape)


def _ranges(d: Derivation) -> dict[str, list[tuple[tuple[Dim, Dim], ...]]]:
    """The boxes of indices at which each family is used or differentiated."""
    found: dict[str, list[tuple[tuple[Dim, Dim], ...]]] = {}
    for q in d.core.equations:
        scope = (*q.ranges, *series_ranges(q.value))
        for x in postorder(q.value):
            if is_var(x) and ref(x.attrs[0]):
                found.setdefault(family_of(x.attrs[0]), []).append(box_of(index_of(x), scope))
    return found


def _all_ranges(d: Derivation) -> list[Range]:
    return [r for q in d.core.equations for r in (*q.ranges, *series_ranges(q.value))]


def _ends(
    d: Derivation, boxes: Mapping[str, Sequence[tuple[tuple[Dim, Dim], ...]]], given: Mapping[str, Any]
) -> dict[str, int]:
    """The value of every end: given by name, or told by the length of a sequence. Raises ParseError P045."""
    ends: dict[str, int] = {}
    symbols = sorted(ends_of(_all_ranges(d)))
    for s in symbols:
        if s in given:
            try:
                ends[s] = operator.index(given[s])
            except TypeError:
                raise ParseError(
                    "P045", f"the end {s} of a range is no whole number", expected=f"{s}=…, an integer"
                ) from None
    made = {family_of(q.var.attrs[0]) for q in d.core.equations}  # of these only first members are given: no length
    for name, value in given.items():
        for box in boxes.get(name, ()):
            if name in made or isinstance(value, Mapping) or not hasattr(value, "__len__") or len(box) != 1:
                continue
            [(first, last)] = box
            size = last - first + Dim.number(1)
            free = sorted(size.symbols() - ends.keys())
            if len(free) == 1:
                zero = size.value({**ends, free[0]: 0})
                if size.value({**ends, free[0]: 1}) - zero == 1:
                    ends[free[0]] = len(value) - zero
    missing = [s for s in symbols if s not in ends]
    if missing:
        raise ParseError("P045", f"the end {missing[0]} of a range is not known",
                         expected=f"{missing[0]}=…, or a sequence with one array for every index")  # fmt: skip
    bad = [s for s in symbols if not 0 <= ends[s] <= _LONGEST]
    if bad:
        raise ParseError(
            "P045", f"the end {bad[0]} of a range cannot be {ends[bad[0]]}", expected=f"a number from 0 to {_LONGEST}"
        )
    return ends


def _flat(d: Derivation, ends: Mapping[str, int], inputs: Sequence[Expr], called: set[str], functions: Iterable[str],
          given: Mapping[str, Any]) -> dict[str, Any]:  # fmt: skip
    """Every member by its own name. Raises ParseError P020, P021, P045."""
    words = {family_of(x.attrs[0]) for x in (*inputs, *d.inputs)} | set(map(family_of, functions)) | set(ends)
    for name in given:
        if name not in words:
            close = nearest(name, sorted(words))
            raise ParseError("P021", f"{name} is not an input of this program",
                             hint=f"did you mean {close}?" if close else f"the inputs are {', '.join(sorted(words))}")  # fmt: skip
    members: dict[str, dict[str, tuple[int, ...]]] = {}  # family -> name -> index, empty for a plain name
    for name in [*(str(x.attrs[0]) for x in inputs), *sorted(called)]:
        member = ref(name)
        members.setdefault(family_of(name), {})[name] = tuple(i.constant or 0 for i in member.index) if member else ()
    flat: dict[str, Any] = {}
    for family, named in members.items():
        if family not in given:
            raise ParseError("P020", f"nothing is given for {family}", expected=f"{family}=…")
        value = given[family]
        one = (callable(value) or _is_function(value)) and named.keys() <= called
        if not one and any(named.values()):
            firsts = tuple(map(min, zip(*named.values(), strict=True)))
            lasts = tuple(map(max, zip(*named.values(), strict=True)))
            if hasattr(value, "__len__") and not isinstance(value, Mapping) and len(value) != lasts[0] - firsts[0] + 1:
                raise ParseError("P045", f"{family} has {len(value)} members, {lasts[0] - firsts[0] + 1} are asked for",
                                 expected=f"{_spelled(family, firsts)} to {_spelled(family, lasts)}, where "
                                 + ", ".join(f"{s} = {n}" for s, n in ends.items()),
                                 hint="or a mapping from index to array")  # fmt: skip
        for name, index in named.items():
            flat[name] = value if one or not index else _entry(family, value, index, firsts)
    return flat


def _spelled(family: str, index: Sequence[int]) -> str:
    return spelled(family, [Dim.number(i) for i in index])


def _entry(family: str, value: Any, index: tuple[int, ...], firsts: Sequence[int]) -> Any:
    """One member out of a mapping, or out of a sequence that starts at the first index. Raises ParseError P020."""
    if isinstance(value, Mapping):
        for key in (index, index[0] if len(index) == 1 else index):
            if key in value:
                return value[key]
        raise ParseError("P020", f"no array is given for {_spelled(family, index)}",
                         expected=f"a mapping with the key {index[0] if len(index) == 1 else index}")  # fmt: skip
    for i, first in zip(index, firsts, strict=True):
        try:
            value = value[i - first]
        except (IndexError, TypeError):
            raise ParseError("P020", f"no array is given for {_spelled(family, index)}",
                             expected=f"a sequence that starts at {_spelled(family, firsts)}, or a mapping from index to array"
                             ) from None  # fmt: skip
    return value


def _gathered(found: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in found.items():
        member = ref(name)
        if member is None:
            out[name] = value
            continue
        index = tuple(i.constant or 0 for i in member.index)
        out.setdefault(member.family, {})[index[0] if len(index) == 1 else index] = value
    return {k: dict(sorted(v.items())) if isinstance(v, dict) else v for k, v in out.items()}
