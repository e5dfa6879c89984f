"""How large a test must be (theory.md §2.4, T3): sizes at which an equation of polynomials holds only if it always does.

An index sum with k different indices over one axis is told apart from every other one once the axis has k entries. With
unknown functions this holds level by level: their values are new variables once their arguments are told apart (T5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.op import Meaning
from ..algebra.ops.free import is_free_function, is_free_map, is_name
from ..algebra.ops.matrix import eye
from ..algebra.ops.structure import ones, zeros

__all__ = ["Adequate", "adequate", "is_known"]

_CONSTANT = (eye, ones(()).op, zeros(()).op)


@dataclass(frozen=True, slots=True)
class Adequate:
    """`least` entries for every size symbol, `rounds` different sizes; `generic` if T3 speaks of these expressions at all."""

    least: dict[str, int]
    rounds: int
    generic: bool


def is_known(e: Expr) -> bool:
    """Whether it is a known function or constant without exact field arithmetic, such as exp(x) or π."""
    if is_name(e) or is_free_map(e) or is_free_function(e):
        return False
    return e.op.define is None and e.op.entry is None and e.op.meaning(e) is None


def _symbols(dims: Iterable[Dim]) -> Counter[str]:
    return Counter(s for d in dims for s in d.symbols())


def _most(counts: Iterable[Counter[str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for c in counts:
        found |= c
    return found


def _spans(e: Expr, m: Meaning) -> dict[str, Dim]:
    """The size that every letter of a meaning runs over."""
    found: dict[str, Dim] = {}
    shapes = [e.args[k].shape for k in m.slots] + [x.shape for x in m.extra]
    for letters, shape in zip(m.inputs, shapes, strict=True):
        found.update(zip(letters, shape, strict=True))
    return found


def _through(e: Expr, m: Meaning, below: dict[Expr, Counter[str]]) -> Counter[str]:
    """How many summed indices one term has that this meaning makes."""
    inner = Counter[str]()
    for k in m.slots:
        for _ in range(max(1, abs(m.power))):
            inner += below[e.args[k]]
    spans = _spans(e, m)
    return inner + _symbols(d for c, d in spans.items() if c not in m.output)


def adequate(roots: Iterable[Expr]) -> Adequate:
    """What T3 asks of a test of an equation between the roots."""
    least: Counter[str] = Counter()
    generic = True
    inner: dict[Expr, Counter[str]] = {}  # summed indices of one term
    degree: dict[Expr, int] = {}  # of the size symbols in a coefficient
    stack = [(r, False) for r in roots]
    seen: set[Expr] = set()
    order: list[Expr] = []
    while stack:  # as postorder, with definitions unfolded
        e, ready = stack.pop()
        if ready:
            order.append(e)
        elif e not in seen:
            seen.add(e)
            stack.append((e, True))
            below = e.args if e.op.define is None else (e.op.define(e, *e.args),)
            stack.extend((a, False) for a in below if a not in seen)
    for e in order:
        meanings = e.op.meaning(e)
        if e.op.define is not None:
            whole = e.op.define(e, *e.args)
            inner[e], degree[e] = inner[whole], degree[whole]
        elif meanings is None or not e.args:
            inner[e] = Counter()
            degree[e] = sum(len(m.times) + len(m.over) for m in meanings or ())
            generic = generic and (e.op in _CONSTANT or not is_known(e)) and (e.op.entry is None or e.op in _CONSTANT)
        else:
            inner[e] = _most(_through(e, m, inner) for m in meanings)
            power = max(abs(m.power) for m in meanings)
            degree[e] = (
                max(len(m.times) + len(m.over) + sum(degree[e.args[k]] for k in m.slots) for m in meanings) * power
            )
            generic = generic and all(m.power > 0 and not m.extra for m in meanings)
        least |= inner[e] + _symbols(e.shape)
    return Adequate(dict(least), 1 + max((degree[e] for e in order), default=0), generic)
