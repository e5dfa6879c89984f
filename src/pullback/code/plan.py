"""What is computed, in which order, and what is kept from the forward pass: one plan, from which every target is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from ..algebra.definite import Definite
from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.intervals import ALL, Interval, intervals
from ..algebra.ops.free import facts_of, gradient, is_name
from ..calculus.derivation import Derivation
from ..errors import ParseError, UnsupportedError, nearest
from .forms import below
from .instructions import Chain, Contraction, Given, Value, arguments, reads
from .keeping import Equation, Group, smaller
from .lower import Lowering
from .ordering import earlier
from .paired import paired

__all__ = ["TYPICAL", "Plan", "arranged", "operations", "plan", "swept"]

TYPICAL = 64  # the size of an axis of which nothing is known, for comparing orders of evaluation


@dataclass(slots=True)
class Plan:
    """Arrays in order of computation, the inputs first; `backward` says where the backward pass begins."""

    values: list[Value]
    backward: int
    value: Value
    gradients: dict[str, Value]
    inputs: list[Value]
    groups: dict[Value, Group] = field(default_factory=dict)  # the equations that an array is computed for
    uses: dict[Value, int] = field(default_factory=dict)
    kind: str = "gradient"  # what the results are
    seed: Value | None = None  # the gradient of the result, where that is given
    fixed: frozenset[str] = frozenset()  # the inputs that are declared not to move
    again: set[Value] = field(default_factory=set)  # what the backward pass computes once more
    orders: list[tuple[str, int, int]] = field(
        default_factory=list
    )  # (index sum, multiplications, of the order as written)

    def static(self) -> set[Value]:
        """What depends on sizes alone."""
        found: set[Value] = set()
        for v in self.values:
            if not v.shape and isinstance(v.by, Chain) and all(o.value in found for _, o in v.by.operands):
                found.add(v)
        return found

    @property
    def lines(self) -> list[Value]:
        return [v for v in self.values if not isinstance(v.by, Given)]

    def kept(self) -> list[Value]:
        """What the backward pass reads of the forward pass, inputs among it."""
        before = set(self.values[: self.backward])
        read = dict.fromkeys(a for v in self.values[self.backward :] for a in arguments(v.by))
        read |= dict.fromkeys(self.gradients.values())
        return [a for a in read if a in before]


def operations(v: Value, sizes: Callable[[Dim], int]) -> int:
    """The multiplications (with an addition each) of a product; one operation for every function in every entry of a chain."""
    entries = prod((sizes(d) for d in v.shape), start=1)
    match v.by:
        case Contraction(left, right, _):
            dims = {i: d for o in (left, right) if o is not None for i, d in zip(o.legs, o.value.shape, strict=True)}
            return prod((sizes(d) for d in dims.values()), start=1)
        case Chain(body, _, _):
            return entries * sum(1 for x in postorder(body) if x.args)
    return entries


def plan(d: Derivation, wrt: Sequence[str] | None = None, sizes: Mapping[str, int] | None = None,
         constants: Collection[str] = (), kernels: Collection[str] = (), together: bool = False) -> Plan:  # fmt: skip
    """The plan for the value and the gradients of these names (default: all that were derived).

    `constants` are inputs that are declared not to move; `sizes` are what the symbols typically are. The value may come after
    the gradients where they are wanted `together`. Raises ParseError P003 for a gradient that was not derived, UnsupportedError
    U042 for what there is no code for, U043 for a program with an index.
    """
    if any(q.ranges for q in d.core.equations):
        raise UnsupportedError("U043", "a program with an index has no plan, and is no problem for SciPy, in this version",
                               hint="pullback code has its loops for the other targets")  # fmt: skip
    wanted = _wanted(d, wrt)
    equations: list[Equation] = [(q.var, q.value, q.auxiliary, False) for q in d.core.equations]
    equations += [(gradient(b.of), b.value, b.auxiliary, True) for b in d.backward]
    inputs = [*d.inputs, *([d.seed] if d.seed is not None else [])]
    results = {v.attrs[0]: gradient(v) for v in wanted}
    found = arranged(equations, inputs, d.target, results, wanted, sizes, kernels=kernels, together=together)
    found.seed = next((v for v in found.inputs if v.about is d.seed), None)
    found.fixed = frozenset(v.attrs[0] for v in d.inputs if v.attrs[0] in constants or "index" in facts_of(v))
    return found


def arranged(equations: Sequence[Equation], inputs: Sequence[Expr], target: Expr, results: Mapping[str, Expr],
             always: Sequence[Expr] = (), sizes: Mapping[str, int] | None = None, kind: str = "gradient",
             kernels: Collection[str] = (), together: bool = False) -> Plan:  # fmt: skip
    """The plan for `target` and the named results. Inputs that nothing uses are left out, but for those that are `always` there.

    `kernels` are the functions that the target has whole; `target` may come last if all is computed `together`."""
    ends = [target, *results.values()]
    typical = dict(sizes or {})
    low = Lowering(lambda dim: dim.value({s: typical.get(s, TYPICAL) for s in dim.symbols()}), kernels)
    equations, whole = _alive(equations, ends), None
    if together:
        equations, whole = paired(equations, target, results.values(), low.sizes, kernels)
    equations, said = smaller(_alive(equations, ends), low.sizes)
    said |= {target: whole} if whole else {}
    low.instead = _cheaper({v: e for v, e, _, _ in equations}, kernels) if kernels else {}
    low.count([e for _, e, _, _ in equations])
    used = {x for _, e, _, _ in equations for x in postorder(e) if is_name(x)}
    used.update(always)
    given = [low.give(v) for v in inputs if v in used]
    turn = None
    pending: list[tuple[Expr, Expr]] = []
    groups: dict[Value, Group] = {}
    start = len(low.values)
    for v, e, ours, back in equations:
        if back and turn is None:
            turn = len(low.values)
        pending += said.get(v, ((v, e),))
        once = low.uses[v] == 1 and v not in ends
        if (once and ours) or (v not in ends and not e.args):
            low.alias(v, e)
            continue
        last = low.define(v, e)
        groups.update(dict.fromkeys([*low.values[start:], last], tuple(pending)))
        start, pending = len(low.values), []
    turns = turn is not None
    turn = len(low.values) if turn is None else turn
    made = {n: low.value_of(v) for n, v in results.items()}
    found = Plan(low.values, turn, low.value_of(target), made, given, groups=groups, orders=list(low.orders), kind=kind)
    swept(found)
    if turns:
        _later(found)
    stays = {found.value, *made.values()}
    found.values[found.backward :] = earlier(found.values[found.backward :], stays, found.uses, low.sizes)
    return found


def swept(p: Plan) -> None:
    """Takes out what nothing uses, and counts the users of the rest."""
    uses: dict[Value, int] = {}
    ends = [p.value, *p.gradients.values()]
    needed = set(ends)
    for v in reversed(p.values):
        if v in needed:
            for a in reads(v.by):
                needed.add(a)
                uses[a] = uses.get(a, 0) + 1
    before = [v for v in p.values[: p.backward] if v in needed or isinstance(v.by, Given)]
    after = [v for v in p.values[p.backward :] if v in needed]
    p.values, p.backward, p.uses = before + after, len(before), uses


def _later(p: Plan) -> None:
    """Moves to the backward pass what it alone reads and makes of inputs: then these are kept, which are there anyway."""
    before = p.values[: p.backward]
    read = {p.value, *(a for v in before for a in arguments(v.by))}
    late = [
        v
        for v in before
        if v not in read
        and v.order
        and all(isinstance(a.by, Given) for a in arguments(v.by))
        and not isinstance(v.by, Given)
    ]
    if late:
        p.values[: p.backward] = [v for v in before if v not in late] + late
        p.backward -= len(late)


def _cheaper(values: Mapping[Expr, Expr], kernels: Collection[str]) -> dict[Expr, Expr]:
    """What is had cheaper, and how: by Cholesky's factor, where a matrix is known to be positive definite; from
    what is computed anyway, as softmax(x) is exp(logsoftmax(x))."""
    found: dict[Expr, Expr] = {}
    roots = list(dict.fromkeys(values.values()))
    users: dict[Expr, list[Expr]] = {e: [] for e in roots}  # of what is computed, through definitions
    stack = list(roots)
    while stack:
        e = stack.pop()
        for x in below(e, kernels):
            if x not in users:
                users[x] = []
                stack.append(x)
            users[x].append(e)
    matrices = [e for e in users if e.op.definite is not None] if "cholesky_inverse" in kernels else []
    slopes = [e for e in users if e.op.nonnegative is not None] if "sign" in kernels else []
    if matrices or slopes:
        known: dict[Expr, Interval] = {}
        for v, e in values.items():
            known[v] = intervals(e, known)[e]
        definite = Definite(known, values)
        found |= {e: e.op.definite(e, *e.args) for e in matrices if definite.positive(e.args[0])}
        found |= {e: e.op.nonnegative(e, *e.args) for e in slopes if known.get(e.args[0], ALL).low >= (0, False)}

    def is_had(e: Expr) -> bool:
        """Whether the functions in it that come whole are computed anyway."""
        return all(x in users and x not in found and x.op.kernel_of(x) in kernels for x in postorder(e) if x.op.kernel)

    for e, by in users.items():
        if e.op.sparse is not None and by and all(_picks(u) for u in by) and is_had(instead := e.op.sparse(e, *e.args)):
            found[e] = instead
    for e in users:
        if e.op.beside is not None and e not in found and is_had(instead := e.op.beside(e, *e.args)):
            found[e] = instead
    return found


def _picks(e: Expr) -> bool:
    """Whether it reads one entry of every row: a sum or a product beside a one-hot array."""
    means = e.op.meaning(e) or ()
    return any(x.op.picks is not None for x in (*e.args, *(x for m in means for x in m.extra)))


def _alive(equations: Sequence[Equation], ends: Iterable[Expr]) -> list[Equation]:
    """The equations that the ends depend on."""
    values = {v: e for v, e, _, _ in equations}
    live: set[Expr] = set()
    stack = list(ends)
    while stack:
        v = stack.pop()
        if v in live:
            continue
        live.add(v)
        if v in values:
            seen: set[Expr] = set()
            inside = [values[v]]
            while inside:
                e = inside.pop()
                if e not in seen:
                    seen.add(e)
                    inside += below(e)
            stack += [x for x in seen if is_name(x)]
    return [q for q in equations if q[0] in live]


def _wanted(d: Derivation, wrt: Sequence[str] | None) -> list[Expr]:
    if wrt is None:
        return list(d.wrt)
    known = {b.of.attrs[0]: b.of for b in d.backward if not b.auxiliary}
    for n in wrt:
        if n not in known:
            close = nearest(n, sorted(known))
            raise ParseError("P003", f"no gradient of {n} was derived",
                             hint=f"did you mean {close}?" if close else f"there are gradients of {', '.join(known)}")  # fmt: skip
    return [known[n] for n in dict.fromkeys(wrt)]
