"""The functions that a program defines, and their derivatives: φ′ from φ, once, with reasons and claims (theory.md §3.3).

dφ is the chain and the product rule inside the definition; φ′ is what dt is multiplied by. A higher derivative is that of the
one before it, as it was written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.defined import Defined, defined_map, definition_of, unfolded
from ..algebra.ops.free import increment, var
from ..step import Claim, Increment, Step, Why
from .conditions import Conditions, conventions
from .core import Equation
from .differential import reasons
from .lemma import differentiate
from .product import product_rule
from .simplify import simplify, tidy

__all__ = ["Derivative", "OwnFunction", "own_functions"]


@dataclass(slots=True)
class Derivative:
    """One derivative, of the function at its parameters: `node` = `value`, and the steps that lead to it."""

    node: Expr
    value: Expr
    by: Expr  # the name that is varied
    steps: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class OwnFunction:
    """A function of the program with its definition, the derivatives that are used, and what holds where there is none."""

    function: Defined
    node: Expr
    derived: list[Derivative] = field(default_factory=list)
    conventions: tuple[str, ...] = ()

    def shown(self) -> list[Expr]:
        """What is printed of it: the definition and the derivatives."""
        return [self.function.body, *(x.value for x in self.derived)]


def own_functions(shown: Iterable[Expr]) -> list[OwnFunction]:
    """Every function that these expressions are written with, those first that others are defined by; no step is checked yet."""
    return _Writer().all(shown)


class _Writer:
    def __init__(self) -> None:
        self.found: dict[Defined, OwnFunction] = {}
        self.values: dict[tuple[Defined, tuple[int, ...]], Expr] = {}
        self.told: set[str] = set()
        self.count = 0

    def all(self, shown: Iterable[Expr]) -> list[OwnFunction]:
        shown = list(shown)
        waiting = list(_uses(shown))
        order: list[Defined] = []
        while waiting:
            f, orders = waiting.pop()
            if f not in self.found:
                node = defined_map(f, *f.slots)
                self.found[f] = OwnFunction(f, node, conventions=tuple(dict.fromkeys(conventions(node))))
                order.append(f)
                waiting += _uses([f.body])
            waiting += _uses(self.derive(f, orders))
        for own in self.found.values():
            own.derived.sort(key=lambda x: (sum(x.node.attrs[1]), [-k for k in x.node.attrs[1]]))
        return self._numbered(_in_order(dict.fromkeys([f for f, _ in _uses(shown)] + order)))

    def derive(self, f: Defined, orders: tuple[int, ...]) -> list[Expr]:
        """What the derivative is, and those before it, each derived once."""
        chain: list[tuple[tuple[int, ...], int]] = []
        while any(orders) and (f, orders) not in self.values:
            last = max(k for k, n in enumerate(orders) if n)
            chain.append((orders, last))
            orders = tuple(n - (k == last) for k, n in enumerate(orders))
        made = []
        for orders, k in reversed(chain):
            lower = tuple(n - (j == k) for j, n in enumerate(orders))
            base = self.values[f, lower] if any(lower) else f.body
            found = _derived(f, orders, lower, f.slots[k], base, self.told)
            self.values[f, orders] = found.value
            self.found[f].derived.append(found)
            made.append(found.value)
        return made

    def _numbered(self, order: list[Defined]) -> list[OwnFunction]:
        for f in order:
            for made in self.found[f].derived:
                for k, s in enumerate(made.steps):
                    self.count += 1
                    made.steps[k] = replace(s, id=f"f{self.count}")
        return [self.found[f] for f in order]


def _in_order(functions: Iterable[Defined]) -> list[Defined]:
    """As they are met, but each behind those that it is defined by: whatever else was derived in this process before."""
    found: dict[Defined, None] = {}
    stack = list(functions)[::-1]
    while stack:
        f = stack[-1]
        before = [g for g, _ in _uses([f.body]) if g not in found]
        stack += before[::-1]
        if not before:
            found[stack.pop()] = None
    return list(found)


def _uses(shown: Iterable[Expr]) -> Iterator[tuple[Defined, tuple[int, ...]]]:
    for e in dict.fromkeys(x for root in shown for x in postorder(root)):
        f = definition_of(e)
        if f is not None:
            yield f, e.attrs[1]


def _derived(
    f: Defined, orders: tuple[int, ...], lower: tuple[int, ...], x: Expr, base: Expr, told: set[str]
) -> Derivative:
    """The derivative of `base`, which is the derivative of f of the orders `lower`, by x."""
    before, node, dx = defined_map(f, *f.slots, orders=lower), defined_map(f, *f.slots, orders=orders), increment(x)
    plain = _slope(base, x)
    value, laws = simplify(plain)
    made = Derivative(node, value, x)
    whole = _moved(base, x, dx)
    rules, why = reasons(base, {x}, told)
    name = var(f.name, ())
    if base is x:
        rules, why = ("D-LIN",), Why("differentiate", "the value is the parameter itself")
    if whole is None:
        rules, why, whole = ("ZERO",), Why(f"{x.attrs[0]} does not occur: nothing changes"), rational(0) * dx
    made.steps.append(Step(
        id="", kind="differential", about=f.name, left=Increment(before), relation="=", right=whole, rules=rules, why=why,
        claim=Claim("DIFF", Equation(name, base), whole, {x: x}), conditions=Conditions(()).of(base)))  # fmt: skip
    outside = plain * dx
    if outside is not whole and plain is not rational(1):
        made.steps.append(Step(
            id="", kind="slope", about=f.name, left=whole, relation="=", right=outside, rules=("D-SLOPE",),
            why=Why(f"d{x.attrs[0]} stands outside", "every term has this factor once", "a number may stand anywhere in a product"),
            claim=Claim("EQ", whole, outside)))  # fmt: skip
    made.steps.append(Step(
        id="", kind="derivative", about=f.name, left=node, relation="=", right=value, rules=("D-DERIV", *laws),
        why=Why(f"what d{x.attrs[0]} is multiplied by", f"the change is this number times d{x.attrs[0]} and o(|d{x.attrs[0]}|), "
                "and only one number leaves so little"),
        claim=Claim("EQ", unfolded(node, composite=True), unfolded(value, composite=True))))  # fmt: skip
    return made


def _moved(base: Expr, x: Expr, dx: Expr) -> Expr | None:
    """d(base) when x moves by dx: the chain rule, every node once; None if x does not occur."""
    moved: dict[Expr, Expr] = {x: dx}
    for e in postorder(base):
        live = [k for k, a in enumerate(e.args) if a in moved]
        if e is x or not live:
            continue
        names = [var(f"·{k}", ()) for k in range(len(e.args))]
        terms = product_rule(e.with_args(tuple(names)), {names[k] for k in live}, differentiate)
        bind = dict(zip(names, e.args, strict=True)) | {increment(names[k]): moved[e.args[k]] for k in live}
        moved[e] = added([substitute(t.expr, bind) for t in terms])
    return moved.get(base)


def _slope(base: Expr, x: Expr) -> Expr:
    found = _moved(base, x, rational(1))
    return rational(0) if found is None else tidy(found)[0]
