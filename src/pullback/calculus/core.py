"""The core program: every function has a named argument, so that each equation is one small linear problem.

What is named here and used once is written out again in the final result (S-INLINE, derive.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..algebra.canonical import named
from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.indexed import letters_of, spelled
from ..algebra.lift import NotLiftable, lift
from ..algebra.network import TooLarge
from ..algebra.ops.defined import definition_of, unfolded
from ..algebra.ops.free import is_free_function, is_free_map, is_name, var
from ..algebra.ops.series import series_ranges
from ..algebra.ranges import Range
from ..step import Claim, Note, Step, Why
from .lemma import differentiate, through

__all__ = ["Core", "Definition", "Equation", "elaborate"]

_BUDGET = 48  # nodes of one equation after which its parts are named: keeps every step linear in the program

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


@dataclass(frozen=True, slots=True)
class Definition:
    """One equation of the user: `var` is defined as `value`; `indexed` when it was written with indices."""

    var: Expr
    value: Expr
    surface: str = ""
    indexed: bool = False
    notes: tuple[Note, ...] = ()
    ranges: tuple[Range, ...] = ()  # one equation for every value of these indices


@dataclass(frozen=True, slots=True)
class Equation:
    """One equation of the core program; `auxiliary` when its name is ours and not the user's."""

    var: Expr
    value: Expr
    auxiliary: bool = False
    ranges: tuple[Range, ...] = ()
    through: tuple[tuple[Expr, Expr], ...] = ()  # (value, name) of what its differential is written with besides

    def named(self, e: Expr) -> Expr:
        """`e` with the value of this equation, and the values beside it, where they occur, by their names."""
        return substitute(e, {self.value: self.var, **dict(self.through)}) if self.value.args else e

    def spelled_out(self, e: Expr) -> Expr:
        """`e` with the values beside that of this equation in the place of their names."""
        return substitute(e, {name: value for value, name in self.through})


@dataclass(slots=True)
class Core:
    """Equations in order of computation, and the steps that led from the user's equations to them."""

    equations: list[Equation] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


class _Namer:
    """Names u₁, u₂, … that differ from every name in `taken`, in any spelling: u₁, u_1 and u1 are one."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = {_bare(n) for n in taken}
        self.count = 0

    def fresh(self) -> str:
        while True:
            self.count += 1
            if f"u{self.count}" not in self.taken:
                return "u" + str(self.count).translate(_SUBSCRIPTS)


def _bare(name: str) -> str:
    return name.partition("[")[0].translate(_DIGITS).replace("_", "")


def _named(definitions: Sequence[Definition]) -> set[str]:
    """The names of the variables and of the unknown functions in the equations."""
    nodes = [e for d in definitions for e in postorder(d.value)]
    own = {f.name for f in map(definition_of, nodes) if f is not None}
    inside = [x for e in nodes if definition_of(e) is not None for x in postorder(unfolded(e))]
    known = (e for e in (*nodes, *inside) if is_name(e) or is_free_map(e) or is_free_function(e))
    return {d.var.attrs[0] for d in definitions} | {e.attrs[0] for e in known} | own


def _uses_own_value(e: Expr) -> bool:
    """Whether the differential of the node is written with its own forward value."""
    probes = [var(f"probe{k}", a.shape, "d") for k, a in enumerate(e.args)]
    return any(e in set(postorder(t)) for t in differentiate(e, probes))


def _is_function(e: Expr) -> bool:
    return bool(e.args) and e.op.linear is None


def _must_name(e: Expr) -> list[Expr]:
    """The arguments of a function, or of a sum over an index, that need a name of their own."""
    return [a for a in e.args if a.args] if _is_function(e) or e.op.binder else []


def elaborate(definitions: Sequence[Definition], taken: set[str]) -> Core:
    """The core program of the user's equations.

    Index sums are read back into matrix notation where it exists; arguments of functions, functions whose slope is
    written through their own value, and parts of oversized equations receive names.
    """
    core = Core()
    namer = _Namer(taken | _named(definitions))
    names: dict[
        tuple[Expr, tuple[Range, ...]], Expr
    ] = {}  # value, and for which indices -> the name that stands for it

    def called(value: Expr, here: tuple[Range, ...], d: Definition) -> Expr:
        """The name of a part, a new one if it has none."""
        wanted = [value]
        for x in wanted:
            wanted += through(x)
        for x in reversed(wanted):
            if (x, here) not in names:
                word = namer.fresh()
                name = named(spelled(word, [Dim.symbol(r.letter) for r in here]) if here else word, x)
                core.equations.append(replace(_equation(name, x, here, names), auxiliary=True))
                core.steps.append(_naming(name, x, d))
                names[x, here] = name
        return names[value, here]

    for d in definitions:
        for note in d.notes:
            core.steps.append(_put_in(d, note))
        lifted = _lifted(d, core.steps) if d.indexed else d.value
        value = _unfolded(d, lifted, core.steps)
        done: dict[Expr, Expr] = {}
        weight: dict[Expr, int] = {}
        wanted = {a for e in postorder(value) for a in _must_name(e)} | _shared(value, lifted)
        scope = (*d.ranges, *series_ranges(value))
        variable = _variable(value)
        for e in postorder(value):
            args = tuple(done[a] for a in e.args)
            new = e if args == e.args else Expr.make(e.op, args, e.attrs, e.shape)
            weight[e] = 1 + sum(weight[a] for a in e.args)
            here = tuple(r for r in scope if r.letter in letters_of(new)) if scope else ()
            if (new, here) in names and e is not value:
                new, weight[e] = names[new, here], 1
            elif e is not value and e in variable and e.args and (
                e in wanted or weight[e] > _BUDGET or (_is_function(new) and _uses_own_value(new))
            ):  # fmt: skip
                new, weight[e] = called(new, here, d), 1
            elif new.op.through is not None:
                for x in through(new):
                    called(x, here, d)
            done[e] = new
        core.equations.append(_equation(d.var, done[value], d.ranges, names))
    return core


def _variable(value: Expr) -> set[Expr]:
    """The parts that have names in them: the others, as 1/n or −t, need no differential."""
    found: set[Expr] = set()
    for e in postorder(value):
        if is_name(e) or any(a in found for a in e.args):
            found.add(e)
    return found


def _equation(
    v: Expr, value: Expr, ranges: tuple[Range, ...], names: dict[tuple[Expr, tuple[Range, ...]], Expr]
) -> Equation:
    """The equation with the names of the values that its differential is written with."""
    found = dict.fromkeys(x for e in postorder(value) for x in through(e))
    known = {e: name for (e, _), name in names.items()}
    return Equation(v, value, ranges=ranges, through=tuple((x, known[x]) for x in found if x in known))


def _naming(name: Expr, value: Expr, d: Definition) -> Step:
    return Step(
        id="", kind="name", about=d.var.attrs[0], left=name, relation=":=", right=value, rules=("NAME",),
        why=Why("a name for a part", "so that each function has one named argument, and is differentiated on its own"),
        claim=Claim("DEFINITION"),
    )  # fmt: skip


def _put_in(d: Definition, note: Note) -> Step:
    """What was left out in writing is put in: a sum of unlike shapes has a visible cause for its adjoint."""
    why = Why(note.text)
    if note.rule == "V-BCAST":
        why = Why(note.text, "what is repeated is multiplied by ones along the new axes, so that its gradient is a sum over them",
                  "v_i · 1 = v_i for every j: the sum over j in the gradient comes from this factor 1")  # fmt: skip
    return Step(id="", kind="convention", about=d.var.attrs[0], left=d.var, relation="=", right=d.value, rules=(note.rule,),
                why=why, claim=Claim("DEFINITION"))  # fmt: skip


def _unfolded(d: Definition, value: Expr, steps: list[Step]) -> Expr:
    """The equation with what only regroups entries around another op, as group_norm does, written as that; each as a step."""
    while any(e.op.unfolds for e in postorder(value)):
        done: dict[Expr, Expr] = {}
        for e in postorder(value):
            new = e.with_args(tuple(done[a] for a in e.args))
            if new.op.unfolds and new.op.define is not None:
                inside = new.op.define(new, *new.args)
                steps.append(Step(
                    id="", kind="lift", about=d.var.attrs[0], left=new, relation="=", right=inside, rules=("S-DEFINITION",),
                    why=Why("its definition is put in", new.op.doc), claim=Claim("EQ", new, inside)))  # fmt: skip
                new = inside
            done[e] = new
        value = done[value]
    return value


def _shared(value: Expr, lifted: Expr) -> set[Expr]:
    """The parts of definitions that were put in which are used several times: what all gates of a cell are functions of."""
    if value is lifted:
        return set()
    uses = Counter(a for e in postorder(value) for a in e.args)
    return {e for e, n in uses.items() if n > 1 and e.args} - set(postorder(lifted))


def _lifted(d: Definition, steps: list[Step]) -> Expr:
    """The matrix notation of an equation written with indices, as a step; itself if there is none."""
    try:
        found = lift(d.value)
    except (NotLiftable, TooLarge) as why:
        message = why.message if isinstance(why, NotLiftable) else "the sum is too large to be read back"
        steps.append(Step(
            id="", kind="note", about=d.var.attrs[0], left=d.var, relation="=", right=d.value, rules=("I-EXPAND",),
            why=Why(message, "the index sum is kept"), claim=Claim("DEFINITION")))  # fmt: skip
        return d.value
    if found.expr is d.value:
        return d.value
    steps.append(Step(
        id="", kind="lift", about=d.var.attrs[0], left=d.value, relation="=", right=found.expr, rules=("I-LIFT",),
        why=Why("the index sum in matrix notation", "; ".join(dict.fromkeys(found.moves)) or "the same entries",
                "which axis is summed decides where a transpose stands: a matrix summed over its first axis is written transposed"),
        claim=Claim("EQ", d.value, found.expr)))  # fmt: skip
    return found.expr
