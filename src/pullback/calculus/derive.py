"""The reverse sweep: the frontier line dE = Σ⟨v̄, dv⟩, the last-computed differential eliminated first.

Invariant (theory.md §2.3): after each elimination dE is a sum of pairings with the increments of names that are
computed earlier; when only inputs are left, uniqueness of the gradient reads the answer off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.intervals import Interval
from ..algebra.lift import cost
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.free import gradient, increment, is_var
from ..algebra.ops.matrix import inner
from ..algebra.ops.structure import zeros
from ..step import Claim, Said, Step, Why
from .axes import axes_notes
from .closing import close
from .conditions import Conditions, conventions
from .conventions import other_axes
from .core import Core, Definition, Equation, elaborate
from .derivation import Backward, Derivation
from .differential import DTerm, differential, reasons
from .inline import inline
from .projection import projected
from .simplify import simplify
from .transpose import bare, move_all, pairing

__all__ = ["Sweep", "appender", "derive", "shortened", "start"]


def appender(d: Derivation) -> Callable[[Step], str]:
    """What appends a step to the derivation and returns the number it was given."""

    def add(step: Step) -> str:
        number = f"s{len(d.steps) + 1}"
        d.steps.append(replace(step, id=number))
        return number

    return add


class Sweep:
    def __init__(self, d: Derivation, facts: Sequence[tuple[Expr, Expr, str]]) -> None:
        self.d = d
        self.add = appender(d)
        self.facts = facts
        self.conditions = Conditions(d.core.equations, d.known)
        self.pending: dict[Expr, list[tuple[Expr, str]]] = {}  # name -> contributions and the steps they came from
        self.assumed = {left: right for left, right, _ in facts}
        self.together = False  # whether what is read off now stands beside other increments
        self.told: set[str] = set()  # rules whose remainder was written out

    def collect(self, v: Expr, auxiliary: bool = False) -> Expr:
        """∇v := the sum of its contributions, simplified; the name or value by which later steps refer to it."""
        parts = self.pending.pop(v)
        total, premises = parts[0][0], tuple(p for _, p in parts)
        if len(parts) > 1:
            total = added([e for e, _ in parts])
            self.add(Step(
                id="", kind="collect", about=v.attrs[0], left=gradient(v), relation="=", right=total, rules=("FANOUT",),
                why=Why(f"{v.attrs[0]} is used {len(parts)} times: {len(parts)} terms",
                        "⟨A, d⟩ + ⟨B, d⟩ = ⟨A + B, d⟩: what is paired with the same increment is added",
                        "the pairing is linear in its first argument"),
                claim=Claim("EQ", added([pairing(e, increment(v)) for e, _ in parts]), pairing(total, increment(v))),
                premises=premises))  # fmt: skip
        shorter, laws = simplify(total)
        if shorter is not total and len(parts) > 1:
            self.add(Step(
                id="", kind="simplify", about=v.attrs[0], left=total, relation="=", right=shorter, rules=laws,
                why=shortened(total, shorter), claim=Claim("EQ", total, shorter),
                premises=premises))  # fmt: skip
        shorter = projected(v, self.assume(v, shorter), self.add)
        paired = added([pairing(e, increment(v)) for e, _ in parts])
        self.read_off(v, shorter, paired, premises, bool(self.pending) or self.together)
        self.d.backward.append(Backward(v, shorter, shorter, auxiliary))
        plain = shorter is rational(1) or shorter is self.d.seed
        return shorter if plain else gradient(v)

    def assume(self, v: Expr, e: Expr, kind: str = "simplify") -> Expr:
        """The gradient `e` of `v` by what the user assumes, every use a step: "inline" once it is in one equation."""
        for left, right, where in self.facts:
            if left in set(postorder(e)):
                found, _ = simplify(substitute(e, {left: right}))
                self.add(Step(
                    id="", kind=kind, about=v.attrs[0], left=e if kind == "simplify" else gradient(v), relation="=", right=found, rules=("S-ASSUME",),
                    why=Why(f"assumed: {where}", "an assumption of the user, used here"),
                    claim=Claim("EQ", e, found, {left: right}), conditions=(Said(where),)))  # fmt: skip
                e = found
        return e

    def read_off(self, v: Expr, value: Expr, paired: Expr, premises: tuple[str, ...], others: bool) -> None:
        """∇v is what is paired with dv; `others` when other increments stand beside it."""
        goal = self.d.target.attrs[0] if self.d.seed is None else "E"
        name, rules = v.attrs[0], ("INDEP", "RIESZ") if others else ("RIESZ",)
        self.add(Step(
            id="", kind="readoff", about=name, left=gradient(v), relation="=", right=value, rules=rules,
            why=Why(f"for every d{name}, the others 0" if others else f"true for every increment d{name}",
                    "⟨A, d⟩ = ⟨B, d⟩ for every d forces A = B (take d = A − B: then ‖A − B‖² = 0), so what is paired with the "
                    "increment is the gradient: nothing is made to fit",
                    f"up to here {goal} is a function of the names whose increments stand in the line, and each may be varied by "
                    "itself, the others set to 0; the increment of one that was computed earlier is expanded later, by its own equation, and nothing is lost"
                    if others else ""),
            claim=Claim("EQ", paired, pairing(gradient(v), increment(v)), {gradient(v): value, **self.assumed}),
            premises=premises))  # fmt: skip

    def eliminate(self, q: Equation, moving: set[Expr]) -> None:
        """The frontier term of q.var replaced by terms with the names that q.value is made of."""
        v = q.var
        name = v.attrs[0]
        G = self.collect(v, q.auxiliary)
        terms = [DTerm(t.of, q.named(t.expr)) for t in differential(q.value, moving)]
        whole = added([t.expr for t in terms])
        rules, why = reasons(q.value, moving, self.told)
        first = self.add(Step(
            id="", kind="differential", about=name, left=increment(v), relation="=", right=whole, rules=rules, why=why,
            claim=Claim("DIFF", q, q.spelled_out(whole), {v: v for v in postorder(q.value) if v in moving}), conditions=self.conditions.of(q.value)))  # fmt: skip
        paired = added([pairing(G, t.expr) for t in terms])
        second = self.add(Step(
            id="", kind="substitute", about=name, left=pairing(G, increment(v)), relation="=", right=paired,
            rules=("SUBST",) if len(terms) == 1 else ("SUBST", "M-ADD"),
            why=Why(f"put in d{name}" + ("; a pairing is linear: one pairing per term" if len(terms) > 1 else ""), "",
                    "the chain rule: what is linear in a differential is linear in the increments that it is made of, and what is "
                    "o(‖differential‖) is o(‖increments‖)"),
            claim=Claim("EQ", pairing(G, increment(v)), paired, {increment(v): whole}), premises=(first,)))  # fmt: skip
        for t in terms:
            H, last = self._moved(G, t, name, second)
            self.pending.setdefault(t.of, []).append((H, last))
        for text in conventions(q.value):
            self.add(Step(id="", kind="note", about=name, left=None, relation="", right=None, rules=("CONVENTION",),
                          why=Why(text), claim=Claim("DEFINITION")))  # fmt: skip

    def _moved(self, G: Expr, t: DTerm, name: str, of: str) -> tuple[Expr, str]:
        last, H = of, G
        for step in move_all(G, t.expr, name, of):
            last = self.add(step)
            H = bare(step.right).args[0]
        return H, last


def shortened(total: Expr, shorter: Expr) -> Why:
    """What was done to a sum of contributions."""
    fewer = cost(shorter)[0] < cost(total)[0]
    return Why("equal terms collected" if fewer else "written shorter", "the same index sums")


def _moving(core: Core, wrt: Sequence[Expr]) -> set[Expr]:
    """The names that depend on an asked name, with the asked names themselves."""
    found = set(wrt)
    for q in core.equations:
        if q.var in found or any(a in found for a in postorder(q.value) if is_var(a)):
            found.add(q.var)
    return found


def derive(
    definitions: Sequence[Definition],
    inputs: Sequence[Expr],
    target: Expr,
    wrt: Sequence[Expr],
    *,
    seed: Expr | None = None,
    facts: Sequence[tuple[Expr, Expr, str]] = (),
    known: Mapping[Expr, Interval] | None = None,
    plain: bool = False,
) -> Derivation:
    """The backward equations of the program, every step with its claim, none of them checked yet (see proof.claim).

    `target` is a scalar name, or any name whose gradient `seed` is given. `known` are the intervals of names. If `plain`, the equations stay as the sweep leaves
    them: nobody reads them as results.
    """
    core = elaborate(definitions, {v.attrs[0] for v in (*inputs, *([seed] if seed is not None else []))})
    d = Derivation(core, tuple(inputs), target, seed, tuple(wrt), known=known or {})
    sweep = Sweep(d, facts)
    for s in core.steps:
        sweep.add(s)
    moving = _moving(core, wrt)
    given = rational(1) if seed is None else seed
    sweep.pending[target] = [(given, sweep.add(start(target, seed)))]
    for q in reversed(core.equations):
        if q.var in sweep.pending and any(a in moving for a in postorder(q.value) if is_var(a)):
            sweep.eliminate(q, moving)
    sweep.together = len(sweep.pending) > 1
    for v in [*[q.var for q in reversed(core.equations)], *inputs]:
        if v in sweep.pending:
            sweep.collect(v)
    derived = {b.of for b in d.backward}
    for v in d.wrt:
        if v not in derived:
            _disconnected(sweep, v)
    if plain:
        return d
    for s in axes_notes(core, derived.__contains__):
        sweep.add(s)
    inline(d, sweep.add)
    close(d, partial(sweep.assume, kind="inline"), sweep.add)
    other_axes(d, sweep.add)
    return d


def start(target: Expr, seed: Expr | None) -> Step:
    name = target.attrs[0]
    if seed is None:
        return Step(
            id="", kind="seed", about=name, left=increment(target), relation="=",
            right=inner(rational(1), increment(target)), rules=("DEF-GRAD",),
            why=Why(f"the gradient of {name} with respect to itself is 1"),
            claim=Claim("EQ", increment(target), inner(rational(1), increment(target))))  # fmt: skip
    return Step(
        id="", kind="seed", about=name, left=gradient(target), relation=":=", right=seed, rules=("SEED",),
        why=Why(f"given: the gradient of the unknown E with respect to {name}",
                f"by definition dE = ⟨∇{name}, d{name}⟩ for every increment d{name}"),
        claim=Claim("DEFINITION"))  # fmt: skip


def _disconnected(sweep: Sweep, v: Expr) -> None:
    zero = zeros(v.shape) if v.order else rational(0)
    sweep.add(Step(
        id="", kind="readoff", about=v.attrs[0], left=gradient(v), relation="=", right=zero, rules=("ZERO",),
        why=Why(f"{v.attrs[0]} does not reach the target", "no term of the frontier has its increment"),
        claim=Claim("EQ", gradient(v), zero, {gradient(v): zero})))  # fmt: skip
    sweep.d.backward.append(Backward(v, zero, zero))
