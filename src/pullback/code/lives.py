"""Until which line each array of a plan is needed, and which arrays are ours to write to."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Collection

from ..algebra.expr import Expr, postorder
from .instructions import Algorithm, Chain, Contraction, Given, Value, arguments
from .plan import Plan
from .syntax import expression

__all__ = ["Lives", "deepest", "is_inline"]

_NEVER = 1 << 60
_DEEPEST = 100  # levels of brackets in a line before it is cut: what walks over its tree calls itself
_NEW = ("linalg.", "max", "min")  # algorithms whose results are no views


def is_inline(plan: Plan, kept: Collection[Value], v: Value) -> bool:
    """Whether the one line that reads the array takes it up."""
    ends = v is plan.value or v in kept or v in plan.gradients.values()
    return v.about is None and plan.uses.get(v) == 1 and not ends


def deepest(plan: Plan, kept: Collection[Value]) -> set[Value]:
    """The arrays that are not taken up although one line alone reads them: so deep is the expression of that line already."""
    found: set[Value] = set()
    depth: dict[Value, int] = {}
    for v in plan.values:
        inside = [depth[a] for a in arguments(v.by) if is_inline(plan, kept, a) and a not in found]
        depth[v] = max(inside, default=0) + (_depth(v.by.body) if isinstance(v.by, Chain) else 2)
        if depth[v] > _DEEPEST and is_inline(plan, kept, v):
            found.add(v)
    return found


def _depth(body: Expr) -> int:
    depth: dict[Expr, int] = {}
    for e in postorder(body):
        depth[e] = 1 + max((depth[a] for a in e.args), default=0)
    return depth[body]


class Lives:
    """The lines are those of the plan, each with what it takes up; what is `kept` or given or asked for lives for ever."""

    def __init__(self, plan: Plan, kept: Collection[Value], size: Callable[[str], str]) -> None:
        self.new = {v for v in plan.values if _is_new(v, size)}
        self.last: dict[Value, int] = {}
        self.line: dict[Value, int] = {}
        self.reads: Counter[tuple[Value, int]] = Counter()  # how many parts of a line read an array
        self.seen = {a for v in plan.values if v not in self.new for a in arguments(v.by)}  # what there may be views of
        for v in (plan.value, *plan.gradients.values(), *kept, *(v for v in plan.values if isinstance(v.by, Given))):
            self.last[v] = _NEVER
        for k, v in reversed(list(enumerate(plan.values))):
            here = self.line.setdefault(v, k)
            for a in arguments(v.by):
                if is_inline(plan, kept, a):
                    self.line[a] = here
                self.last[a] = max(self.last.get(a, 0), here)
                self.reads[a, here] += 1

        self.gone: dict[int, list[Value]] = {}  # the arrays that no later line needs
        for v, k in self.last.items():
            self.gone.setdefault(k, []).append(v)
        self.end = max(self.line.values(), default=0)

    def ended(self, v: Value) -> list[Value]:
        """The matrices, and larger, that nothing needs once `v` is computed; of the last line none, for all ends there."""
        here = self.line[v]
        return [a for a in self.gone.get(here, ()) if a.order > 1 and a is not v] if here < self.end else []

    def is_temporary(self, a: Value) -> bool:
        """Whether its memory is its own."""
        return bool(a.shape) and a in self.new and a not in self.seen

    def dies(self, a: Value, v: Value) -> bool:
        """Whether its memory is free once `v` is computed, and nothing else on the line of `v` reads it."""
        return self.ends(a, v) and self.reads[a, self.line[v]] == 1

    def ends(self, a: Value, v: Value) -> bool:
        """Whether its memory is free once `v` is computed."""
        return self.is_temporary(a) and self.last[a] <= self.line[v]


def _is_new(v: Value, size: Callable[[str], str]) -> bool:
    """Whether the array has memory that no other array can have."""
    match v.by:
        case Chain(body, operands, legs):
            return bool(body.args) and len({i for _, o in operands for i in o.legs}) == len(legs)
        case Contraction(left, None, legs):
            return set(left.legs) != set(legs)
        case Contraction():
            return True
        case Algorithm(node, _):
            if node.op.source is None:
                return True  # a function that the target has whole
            made = expression(v, lambda a: ast.Name("x", ast.Load()), size, str)
            if isinstance(made, ast.Subscript) and ast.unparse(made).startswith("xp.take_along_axis("):
                return True  # of a copy
            return isinstance(made, ast.Call) and ast.unparse(made.func).removeprefix("xp.").startswith(_NEW)
    return False
