"""Jacobians and Hessians from backward equations (theory.md §4, "Higher order").

The Jacobian of F: derive ∇x for a cotangent G of F that is only a name, and take G out of it. The Hessian of E: the backward
equations are equations too, so they follow the forward ones in one program, whose value is ∇x; its Jacobian is the Hessian.
No array with four axes is written down on the way: names are linear in G until G is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from unicodedata import normalize

from ..algebra.dims import Shape
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.lift import cost
from ..algebra.network import TooLarge
from ..algebra.ops.free import gradient, var
from ..step import Claim, Said, Step, Why
from .core import Definition
from .derivation import Derivation
from .derive import derive
from .gathered import arranged, gathered, merged_axes
from .inline import expand
from .opened import closed_with, empty, itself, opened
from .shorter import Shorter, Whole
from .simplify import simplify

__all__ = ["Again", "Opened", "again", "cotangent", "open_up", "use_facts", "written_out"]

Fact = tuple[Expr, Expr, str]
_NOTHING = empty(())
_LONG = 12  # nodes of an array that later equations need not look into
_MORE = 20  # nodes that an array may grow by when it is multiplied out
_MARKS = ("\u0304", "\u0302", "\u0303", "\u0307")  # z̄, ẑ, z̃, ż: the first that no name of the program has


@dataclass(frozen=True, slots=True)
class Again:
    """The gradient program: the equations of `derivation` with its backward equations, each gradient by a name of its own."""

    definitions: tuple[Definition, ...]
    names: Mapping[Expr, Expr]  # z̄ -> ∇z, in order of computation
    own: Mapping[Expr, Expr]  # what our own names stand for, by one equation each
    users: frozenset[Expr]  # those of the names z̄ that stand for the gradient of a name of the user
    target: Expr  # of which they are the gradients
    steps: tuple[Step, ...] = ()

    def named(self, e: Expr) -> Expr:
        """∇z by its name z̄."""
        return substitute(e, {g: v for v, g in self.names.items()})

    def renamed(self, bind: Mapping[Expr, Expr]) -> Again:
        """The same program about other names."""
        definitions = tuple(replace(d, value=substitute(d.value, bind)) for d in self.definitions)
        return replace(self, definitions=definitions, own={v: substitute(e, bind) for v, e in self.own.items()})


@dataclass(slots=True)
class Opened:
    """∂target/∂x as an array: the axes of the target, then those of x."""

    target: Expr
    of: Expr
    derivation: Derivation  # of ∇x for the cotangent G of the target
    arrays: list[tuple[Expr, Expr]] = field(default_factory=list)  # (v, ∂target/∂v), from the target down to x
    value: Expr = _NOTHING  # of ∂target/∂x, in names of the program and z̄
    steps: list[Step] = field(default_factory=list)

    @property
    def cotangent(self) -> Expr:
        assert self.derivation.seed is not None
        return self.derivation.seed


def cotangent(shape: Shape, taken: Iterable[str], letters: Sequence[str] = ("G", "V", "H", "U")) -> Expr:
    """A name for a cotangent that no name of the program has."""
    used = set(taken)
    return var(next(c for c in (*letters, *(f"G{k}" for k in range(1, len(used) + 2))) if c not in used), shape)


# ---- the gradient program ----------------------------------------------------------------------------------


def again(d: Derivation, of: Sequence[Expr]) -> tuple[Again, list[Expr]]:
    """The program that computes the gradients of these names, and what the gradients are called in it."""
    taken = {str(v.attrs[0]) for v in d.names()}
    mark = next((m for m in _MARKS if not taken & {_marked(v, m) for v in taken}), "\u0304\u0304")
    names = {gradient(b.of): var(_marked(str(b.of.attrs[0]), mark), b.of.shape) for b in d.backward}
    own = {q.var: q.value for q in d.core.equations if q.auxiliary}
    forward = [Definition(q.var, q.value) for q in d.core.equations]
    short = {s.about for s in d.steps if s.kind == "inline" and "S-FOLD" in s.rules}  # in one equation, proved equal
    values = {b.of: b.closed if b.of.attrs[0] in short else b.value for b in d.backward}
    backward = {names[gradient(b.of)]: (b, substitute(values[b.of], names)) for b in d.backward}
    goals = [names[gradient(v)] for v in of]
    needed = _reached(goals, {v: e for v, (_, e) in backward.items()})
    found = [Definition(v, e) for v, (_, e) in backward.items() if v in needed]
    own.update({v: e for v, (b, e) in backward.items() if b.auxiliary})
    steps = [
        Step(id="", kind="name", about=str(b.of.attrs[0]), left=v, relation=":=", right=gradient(b.of), rules=("NAME",),
             why=Why("a name for a gradient", "so that it can be differentiated like any other value"), claim=Claim("DEFINITION"))
        for v, (b, _) in backward.items() if v in needed
    ]  # fmt: skip
    users = frozenset(v for v, (b, _) in backward.items() if not b.auxiliary)
    inverse = {v: g for g, v in names.items() if v in needed}
    return Again((*forward, *found), inverse, own, users, d.target, tuple(steps)), goals


def _marked(name: str, mark: str) -> str:
    """z̄, W̄1, h̄_new."""
    head = next((k for k, c in enumerate(name) if not c.isalpha()), len(name)) or len(name)
    return normalize("NFC", "".join(c + mark for c in name[:head]) + name[head:])


def _reached(exprs: Iterable[Expr], known: Mapping[Expr, Expr]) -> dict[Expr, Expr]:
    """Of the known names those that the expressions are made of, directly or through others, in their own order."""
    found: set[Expr] = set()
    waiting = list(exprs)
    while waiting:
        for x in postorder(waiting.pop()):
            if x in known and x not in found:
                found.add(x)
                waiting.append(known[x])
    return {v: e for v, e in known.items() if v in found}


def written_out(e: Expr, known: Mapping[Expr, Expr]) -> Expr:
    """`e` with what the known names stand for, until none of them is left; they do not refer to each other in a circle."""
    while used := {x: known[x] for x in postorder(e) if x in known}:
        e = substitute(e, used)
    return e


# ---- the Jacobian ------------------------------------------------------------------------------------------


def open_up(
    definitions: Sequence[Definition],
    inputs: Sequence[Expr],
    target: Expr,
    x: Expr,
    *,
    program: Again | None = None,
    facts: Sequence[Fact] = (),
    unnamed: bool = False,
) -> Opened:
    """∂target/∂x of the program, every step with its claim, none of them checked yet (see proof.claim).

    `program` is where the definitions come from if they are a gradient program; `unnamed` says that the name of the user's
    target is ours.
    """
    taken = [str(v.attrs[0]) for v in (*inputs, *(d.var for d in definitions))]
    G = cotangent(target.shape, taken, ("G", "V", "H", "U") if program is None else ("V", "U", "H", "G"))
    d = derive(definitions, inputs, target, [x], seed=G, plain=True)
    found = Opened(target, x, d, steps=list(d.steps))

    def add(step: Step) -> str:
        number = f"s{len(found.steps) + 1}"
        found.steps.append(replace(step, id=number))
        return number

    named_values = [(q.var, q.value) for q in d.core.equations if not q.auxiliary]
    if program is not None:
        ours = {*program.names, *program.own}
        named_values = [(v, e) for v, e in named_values if v not in ours]
    shorter = Shorter(named_values, {q.var: q.value for q in d.core.equations})
    _take_out(found, G, shorter, add)
    named = target if program is None else program.target
    _close(found, program, facts, named if unnamed else None, shorter, add)
    return found


def _take_out(found: Opened, G: Expr, shorter: Shorter, add: Callable[[Step], str]) -> None:
    """G out of every backward equation, from the target down to x."""
    known = {G: itself(G)}
    read = {s.about: s.id for s in found.derivation.steps if s.kind == "readoff"}
    held: dict[Expr, Expr] = {}  # long arrays by a name: what is done at one equation does not go into those before it
    for b in found.derivation.backward:
        local = {v: next((h for h, a in held.items() if a is e), e) for v, e in known.items()}
        short = shorter(opened(b.value, local, G.shape))
        array, laws = gathered(substitute(short.expr, held)), short.laws
        linear = [v for v in known if v in set(postorder(b.value))]
        where = {v: closed_with(known[v], G) for v in linear if v is not G}
        name = str(b.of.attrs[0])
        add(Step(
            id="", kind="remove", about=name, left=b.value, relation="=", right=closed_with(array, G), rules=("M-HOLE", *laws),
            why=Why(f"take {G.attrs[0]} out: every term of ∇{name} has exactly one, and what is left is the array ∂{found.target.attrs[0]}/∂{name}",
                    f"⟨G, dF⟩ = ⟨∇{name}, d{name}⟩ for every G, so the array that stands beside G in ∇{name} is the one that stands beside d{name} in dF",
                    "remove the node (T1): a finite sum may be regrouped by the entries of G"),
            claim=Claim("EQ", b.value, closed_with(array, G), {**where, **short.where}), premises=(read[name],) if name in read else ()))  # fmt: skip
        known[gradient(b.of)] = array
        if cost(array)[-1] > _LONG:
            held[var(f"·{len(held)}", array.shape, "array")] = array
        found.arrays.append((b.of, array))
        if b.of is found.of:
            found.value = array


def _arranged(e: Expr) -> Expr:
    """The array with more than two axes as index sums of matrices, where multiplying it out does not make it long."""
    whole = Whole()
    kept = whole.put(e)
    try:
        merged = merged_axes(kept) if any(x.op.ordered for x in postorder(kept)) else None
        if merged is not None:
            return whole.back(merged)
        found = whole.back(arranged(kept)) if e.order > 2 else e
    except TooLarge:
        return e
    return found if cost(found)[-1] <= 2 * cost(e)[-1] + _MORE else e


def _close(found: Opened, program: Again | None, facts: Sequence[Fact], unnamed: Expr | None, shorter: Shorter,
           add: Callable[[Step], str]) -> None:  # fmt: skip
    """Our own names written out, those of the user kept; then what the user assumed."""
    own = {q.var: q.value for q in found.derivation.core.equations if q.auxiliary}
    kept: dict[Expr, Expr] = {}
    if program is not None:
        own = {**program.own, **own}
        kept = {v: g for v, g in program.names.items() if v in program.users}
    if unnamed is not None:
        own |= {q.var: q.value for q in found.derivation.core.equations if q.var is unnamed}
    start = found.value
    closed = _short(written_out(start, own), program, own)
    short = shorter(closed)
    value = substitute(_arranged(gathered(short.expr)), kept)
    about = str(found.of.attrs[0])
    if value is not start:
        values = _values(program)
        known = {**own, **values, **{v: g for v, g in kept.items() if g in set(postorder(value))}}
        add(Step(
            id="", kind="inline", about=about, left=start, relation="=", right=value, rules=("S-INLINE", *short.laws),
            why=Why("our own names written out", "a name is replaced by what it stands for"),
            claim=Claim("EQ", start, value, {**short.where, **_reached((start, value), known)})))  # fmt: skip
    for left, right, where in facts:
        if left in set(postorder(value)):
            after, _ = simplify(substitute(value, {left: right}))
            add(Step(
                id="", kind="simplify", about=about, left=value, relation="=", right=after, rules=("S-ASSUME",),
                why=Why(f"assumed: {where}", "an assumption of the user, used here"),
                claim=Claim("EQ", value, after, {left: right}), conditions=(Said(where),)))  # fmt: skip
            value = after
    found.value = value


def use_facts(found: Opened, back: Mapping[Expr, Expr]) -> None:
    """What is said of the names at the point, used once everything is differentiated."""
    start = substitute(found.value, back)
    short = Shorter((), {q.var: substitute(q.value, back) for q in found.derivation.core.equations})(start)
    shorter, laws = gathered(short.expr), short.laws
    if shorter is not start:
        found.steps.append(Step(
            id=f"s{len(found.steps) + 1}", kind="simplify", about=str(found.of.attrs[0]), left=start, relation="=", right=shorter,
            rules=("S-FACT", *laws), why=Why("what is known of the names", "it is used last: it holds at the point, and not beside it"),
            claim=Claim("EQ", start, shorter)))  # fmt: skip
    found.value, found.of = shorter, back.get(found.of, found.of)


def _values(program: Again | None) -> dict[Expr, Expr]:
    """What the names z̄ of the user's gradients stand for."""
    if program is None:
        return {}
    return {d.var: d.value for d in program.definitions if d.var in program.names}


def _short(e: Expr, program: Again | None, own: Mapping[Expr, Expr]) -> Expr:
    """Gradients of the user's names written out where that keeps the result short."""
    values = _values(program)
    for v in reversed(list(values)):
        if v in set(postorder(e)):
            e, _ = expand(e, {v: written_out(values[v], own)})
    return e
