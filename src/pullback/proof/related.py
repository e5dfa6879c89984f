"""Two programs that say the same in different conventions: their values and their gradients, related step by step.

The inputs of the second program are given by those of the first (W₂ = Wᵀ). Each of its equations is then an equation of the
first program, perhaps transposed, and each gradient likewise; for every input ⟨∇v, dv⟩ is the sum of what the inputs of the
second program contribute. Every such line is a step with a claim, and is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..algebra.canonical import equal
from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.free import free_function, gradient, increment, is_free_function, is_name, is_var
from ..calculus.derivation import Derivation
from ..calculus.differential import differential
from ..calculus.transpose import pairing
from ..errors import CheckFailed
from ..step import Claim, Step, Why
from .claim import Memo, check, modular_equal
from .functional import uniform

__all__ = ["Side", "related", "renamed"]

SECOND = "₂"


@dataclass
class Side:
    """What is compared of a program: its equations and its backward equations, in order."""

    equations: list[tuple[Expr, Expr]]
    backward: list[tuple[Expr, Expr]]
    inputs: list[Expr]
    target: Expr
    seed: Expr | None
    auxiliary: set[Expr] = field(default_factory=set)

    @staticmethod
    def of(d: Derivation) -> Side:
        return Side(
            [(q.var, q.value) for q in d.core.equations],
            [(b.of, b.value) for b in d.backward],
            list(d.inputs),
            d.target,
            d.seed,
            {q.var for q in d.core.equations if q.auxiliary},
        )


def renamed(side: Side, sizes: Mapping[str, Dim]) -> Side:
    """The program with ₂ behind every name, and its size symbols replaced."""
    done: dict[Expr, Expr] = {}

    def sized(a: Any) -> Any:
        return a.substitute(sizes) if isinstance(a, Dim) else a

    def attr(a: Any) -> Any:
        return tuple(map(sized, a)) if isinstance(a, tuple) else sized(a)

    def made(root: Expr) -> Expr:
        for e in postorder(root):
            if e in done:
                continue
            args = tuple(done[a] for a in e.args)
            attrs = tuple(map(attr, e.attrs))
            if is_name(e):
                attrs = (attrs[0] + SECOND, *attrs[1:])
            done[e] = Expr.make(e.op, args, attrs, tuple(d.substitute(sizes) for d in e.shape))
        return done[root]

    return Side(
        [(made(v), made(value)) for v, value in side.equations],
        [(made(v), made(value)) for v, value in side.backward],
        [made(v) for v in side.inputs],
        made(side.target),
        None if side.seed is None else made(side.seed),
        {made(v) for v in side.auxiliary},
    )


class _Comparison:
    def __init__(self, first: Side, second: Side, inputs: Mapping[Expr, Expr], fixed: Mapping[Expr, Expr]) -> None:
        self.first, self.second, self.inputs, self.fixed = first, second, inputs, fixed
        self.known: dict[Expr, Expr] = dict(inputs)  # a name of the second program -> what it is in the first
        self.values = {v: self.plain(value) for v, value in first.equations}
        self.gradients = {v: self.plain(value) for v, value in first.backward}
        self.memo = Memo()
        self.count = 0
        self.defined: dict[Expr, Expr] = {}  # a function of the second program -> the function of the first that it is
        self.turned: dict[str, tuple[bool, ...]] = {}  # which arguments of a function are written the other way round
        self.partner: dict[Expr, Expr] = {}  # a name of the second program -> v or vᵀ with v in the first

    def plain(self, e: Expr) -> Expr:
        """An expression of the first program with the inputs that are fixed put in."""
        return substitute(e, self.fixed) if self.fixed else e

    def step(self, **data: Any) -> Step:
        self.count += 1
        return check(Step(id=f"r{self.count}", **data), self.memo)

    def read(self, e: Expr) -> Expr:
        """An expression of the second program in names of the first; a function of a transposed argument is the function
        of the first program, whose argument is not."""
        done: dict[Expr, Expr] = {}
        for x in postorder(e):
            if x in self.known:
                done[x] = self.known[x]
                continue
            args = tuple(done[a] for a in x.args)
            new = x if args == x.args else Expr.make(x.op, args, x.attrs, x.shape)
            done[x] = self.function(x, new) if is_free_function(x) else new
        return done[e]

    def function(self, x: Expr, new: Expr) -> Expr:
        """loss₂(Y₂) with Y₂ = Yᵀ is by definition loss(Y), and its gradient (∇loss(Y))ᵀ."""
        [name, slots, out] = x.attrs
        turned = [a in self.partner and not is_var(self.partner[a]) for a in x.args]
        if not out and len(slots) <= 1 and self.turned.setdefault(name, tuple(turned)) != tuple(turned):
            raise CheckFailed("C009", f"{name} of the second program is not one function of the first under these relations: "
                              "an argument of it is transposed in one place, and not in another",
                              hint="--where says what the inputs of the second program are")  # fmt: skip
        plain = [self.partner[a].args[0] if t else b for a, b, t in zip(x.args, new.args, turned, strict=True)]
        if not any(turned) or out or len(slots) > 1:
            return new
        found = free_function(name, out, *plain, slots=slots)
        if not slots:
            self.defined.setdefault(x, found)
        return found.T if slots and turned[slots[0]] else found

    # ---- steps

    def run(self) -> Iterator[Step]:
        for v, e in self.inputs.items():
            yield self.step(kind="relation", about=v.attrs[0], left=v, relation="=", right=e, rules=("GIVEN",),
                            why=Why("what the second program is given"), claim=Claim("DEFINITION"))  # fmt: skip
        for v, e in self.fixed.items():
            yield self.step(kind="relation", about=v.attrs[0], left=v, relation="=", right=e, rules=("GIVEN",),
                            why=Why("the second program has nothing like it"), claim=Claim("DEFINITION"))  # fmt: skip
        yield from self.forward()
        target = self.partner.get(self.second.target)
        if target is None:
            raise CheckFailed("C009", f"{self.second.target.attrs[0].removesuffix(SECOND)} of the second program is not the "
                              f"{self.first.target.attrs[0]} of the first under these relations",
                              hint="--where says what the inputs of the second program are")  # fmt: skip
        if self.second.seed is not None and self.first.seed is not None:
            self.known[self.second.seed] = self.first.seed if is_var(target) else self.first.seed.T
        yield from self.backward()
        yield from self.pairings()

    def forward(self) -> Iterator[Step]:
        for v, e in self.inputs.items():
            if is_var(e) or (len(e.args) == 1 and e is e.args[0].T and is_var(e.args[0])):
                self.partner[v] = e
        for v, value in self.second.equations:
            before = set(self.defined)
            here = self.read(value)
            for x in self.defined.keys() - before:
                yield self.step(kind="relation", about=x.attrs[0], left=x, relation=":=", right=self.defined[x], rules=("GIVEN",),
                                why=Why("the same function, its argument written the other way round"), claim=Claim("DEFINITION"))  # fmt: skip
            found = self.match(v, here)
            if found is None:
                self.known[v] = here
                continue
            name, partner, there = found
            self.known[v] = self.partner[v] = partner
            if v in self.second.auxiliary:
                continue
            yield self.step(kind="value", about=v.attrs[0], left=v, relation="=", right=partner, rules=_rules(name, partner),
                            why=Why("the same equation" if partner is name else "the same equation, transposed"),
                            claim=Claim("EQ", here, there))  # fmt: skip

    def match(self, v: Expr, here: Expr) -> tuple[Expr, Expr, Expr] | None:
        """(name, name or its transpose, its value) in the first program, for an equation of the second."""
        own = v.attrs[0].removesuffix(SECOND)
        for name, value in sorted(self.values.items(), key=lambda q: q[0].attrs[0] != own):
            if name.shape == v.shape and equal(here, value):
                return name, name, value
            if v.order == 2 and name.shape == v.shape[::-1] and equal(here, value.T):
                return name, name.T, value.T
        return None

    def backward(self) -> Iterator[Step]:
        for v, value in self.second.backward:
            here = self.read(value)
            partner = self.partner.get(v)
            name = None if partner is None else partner if is_var(partner) else partner.args[0]
            if partner is None or name is None or name not in self.gradients:
                self.known[gradient(v)] = here
                continue
            there = self.gradients[name] if partner is name else self.gradients[name].T
            right = gradient(name) if partner is name else gradient(name).T
            if not equal(here, there):
                self.known[gradient(v)] = here
                continue
            self.known[gradient(v)] = right
            if v in self.second.auxiliary or here is rational(1):
                continue
            yield self.step(kind="gradient", about=v.attrs[0], left=gradient(v), relation="=", right=right,
                            rules=_rules(name, partner), why=Why("the same backward equation" if partner is name else
                            "the same backward equation, transposed"), claim=Claim("EQ", here, there))  # fmt: skip

    def pairings(self) -> Iterator[Step]:
        """For every input of the first program: what its increment does to the target in both programs."""
        everything = {**self.values, **{gradient(v): value for v, value in self.gradients.items()}}
        for v in self.first.inputs:
            if v not in self.gradients or v in self.fixed:
                continue
            shown, total = self.contributions(v)
            left = pairing(gradient(v), increment(v))
            where: dict[Expr, Expr] = {}
            if not equal(left, total):
                where = {name: value for name, value in everything.items() if name is not value}
                if modular_equal(left, total, where) is None:
                    raise CheckFailed("C009", f"the gradients differ: d{v.attrs[0]} does not change both targets alike",
                                      hint="--where says what the inputs of the second program are")  # fmt: skip
            yield self.step(kind="pairing", about=v.attrs[0], left=left, relation="=", right=shown, rules=("RIESZ",),
                            why=Why(f"the same change of {self.first.target.attrs[0]} for every d{v.attrs[0]}"),
                            claim=Claim("EQ", left, total, where))  # fmt: skip

    def contributions(self, v: Expr) -> tuple[Expr, Expr]:
        """What dv does to the target of the second program: by its gradients, and with those read in the first."""
        shown: list[Expr] = []
        total: list[Expr] = []
        for w, e in self.inputs.items():
            if v not in set(postorder(e)):
                continue
            G = self.known.get(gradient(w), uniform(0, w.shape))
            for term in differential(e, {v}):
                shown.append(pairing(gradient(w), term.expr))
                total.append(pairing(G, term.expr))
        return (added(shown), added(total)) if shown else (rational(0), rational(0))


def _rules(name: Expr, partner: Expr) -> tuple[str, ...]:
    return ("S-SAME",) if partner is name else ("V-ROWS",) if name.order == 2 else ("V-AXES",)


def related(
    first: Side, second: Side, inputs: Mapping[Expr, Expr], fixed: Mapping[Expr, Expr] | None = None
) -> list[Step]:
    """The steps that relate the second program, renamed apart, to the first, every one with its evidence.

    `inputs` gives every input of the second program by inputs of the first; `fixed` inputs of the first have a value.
    Raises CheckFailed C009 if the targets are not the same, C001 if a step is not confirmed.
    """
    return list(_Comparison(first, second, inputs, dict(fixed or {})).run())
