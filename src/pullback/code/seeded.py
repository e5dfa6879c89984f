"""A backward pass that begins with a given gradient of the result, in place of 1.

The gradient that is given is a factor of every gradient. It is multiplied in where the backward pass begins, so that it costs an
operation on small arrays, and not one on every gradient: a named gradient that is made of the forward pass alone takes it up,
and hands it on to what is linear in it.
"""

from __future__ import annotations

from dataclasses import replace

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import var
from .forms import times
from .instructions import Algorithm, Applied, Chain, Contraction, Instruction, Operand, Spread, Value, arguments
from .plan import Plan, swept

__all__ = ["seeded"]

_LEAF = var("#seed", ())
_DIVISION = _LEAF / _LEAF
_SPINE = (times(_LEAF, _LEAF), -_LEAF, _DIVISION)


class _Entangled(Exception):
    """Two factors would both have it."""


def seeded(plan: Plan, seed: Value) -> Plan:
    """The plan with gradients that are `seed` times those of `plan`; `seed` is a number, the gradient of the result."""
    try:
        return _Seeding(plan, seed).plan()
    except _Entangled:  # what is not known to be linear in a gradient: the results take it up
        return _Seeding(plan, seed, late=True).plan()


class _Seeding:
    def __init__(self, plan: Plan, seed: Value, late: bool = False) -> None:
        self.old, self.seed, self.late = plan, seed, late
        self.has: set[Value] = {seed}  # the arrays that have it as a factor
        self.now: dict[Value, Value] = {}
        self.values = [*plan.values[: plan.backward], seed]
        self.groups = dict(plan.groups)
        self.again = set(plan.again)

    def plan(self) -> Plan:
        p = self.old
        for v in p.values[p.backward :]:
            new = self.rebuilt(v)
            if v.about is not None and new not in self.has and not self.late:
                new = self.times_seed(new)
            self.now[v] = new
        results = {}
        for n, v in p.gradients.items():
            new = self.now.get(v, v)
            results[n] = new if new in self.has else self.times_seed(new)
        found = replace(
            p,
            values=self.values,
            backward=p.backward,
            gradients=results,
            groups=self.groups,
            seed=self.seed,
            again=self.again,
        )
        swept(found)
        return found

    def made(self, v: Value, by: Instruction, has: bool) -> Value:
        new = Value(v.shape, by, v.name, v.about)
        self.values.append(new)
        if v in self.groups:
            self.groups[new] = self.groups[v]
        if v in self.again:
            self.again.add(new)
        if has:
            self.has.add(new)
        return new

    def times_seed(self, v: Value) -> Value:
        """An array of its own, or the chain itself with one more number in front."""
        if isinstance(v.by, Chain) and self.values[-1] is v:
            self.values.pop()
            return self.made(v, self.chained(v.by.body, v.by), True)
        legs = tuple(range(v.order))
        leaf = var("#scaled", ())
        plain = self.made(
            v, Chain(times(_LEAF, leaf), ((_LEAF, Operand(self.seed, ())), (leaf, Operand(v, legs))), legs), True
        )
        if self.values[-2] is v:
            v.name, v.about = "", None
        return plain

    def chained(self, body: Expr, by: Chain) -> Chain:
        return Chain(_in_front(body), ((_LEAF, Operand(self.seed, ())), *by.operands), by.legs)

    def operand(self, o: Operand) -> Operand:
        return replace(o, value=self.now.get(o.value, o.value))

    def rebuilt(self, v: Value) -> Value:
        """The array made of the new ones."""
        by = v.by
        if not any(a in self.now for a in arguments(by)):
            return self.made(v, by, False)
        match by:
            case Chain(_, operands, _):
                new = replace(by, operands=tuple((x, self.operand(o)) for x, o in operands))
                marked = {x for x, o in new.operands if o.value in self.has}
                body = _carried(by.body, marked) if marked else by.body
                if body != by.body:
                    new = Chain(body, ((_LEAF, Operand(self.seed, ())), *new.operands), by.legs)
                return self.made(v, new, bool(marked))
            case Contraction(left, right, _):
                a, b = self.operand(left), None if right is None else self.operand(right)
                count = (a.value in self.has) + (b is not None and b.value in self.has)
                if count > 1:
                    raise _Entangled
                return self.made(v, replace(by, left=a, right=b), count > 0)
            case Spread(value, _):
                inner = self.now.get(value, value)
                return self.made(v, replace(by, value=inner), inner in self.has)
            case Algorithm(_, args) | Applied(_, args):
                some = tuple(self.now.get(a, a) for a in args)
                places = [k for k, a in enumerate(some) if a in self.has]
                if places and not _is_linear(by, places):
                    raise _Entangled
                return self.made(v, replace(by, args=some), bool(places))
        raise AssertionError("an input is not computed")


def _is_linear(by: Algorithm | Applied, places: list[int]) -> bool:
    """Whether a factor of these arguments is one of the result."""
    op = by.node.op
    if op.joint:
        return len(places) == len(by.args)
    return len(places) == 1 and (op.linear is not None or places[0] in op.moves)


def _in_front(body: Expr) -> Expr:
    """seed · body, the seed beside the numbers in front."""
    spine = []
    while any(body.op is e.op for e in _SPINE):
        spine.append(body)
        body = body.args[0]
    found = _LEAF if body.op.number and body.attrs[0] == 1 else times(_LEAF, body)
    for e in reversed(spine):
        found = e.with_args((found, *e.args[1:]))
    return found


def _carried(body: Expr, marked: set[Expr]) -> Expr:
    """The expression with the seed in every term that does not have it from one of the `marked` names."""
    has: set[Expr] = set(marked)
    new: dict[Expr, Expr] = {}
    for e in postorder(body):
        args = tuple(new[a] for a in e.args)
        which = [a in has for a in e.args]
        if any(which):
            if e.op.joint:
                args = tuple(a if w else _in_front(a) for a, w in zip(args, which, strict=True))
            elif sum(which) > 1 or not (e.op.linear or (e.op is _DIVISION.op and which[0])):
                raise _Entangled
            has.add(e)
        new[e] = e.with_args(args) if args != e.args else e
    if body not in has:
        raise _Entangled
    return new[body]
