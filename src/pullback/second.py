"""Jacobians and Hessians: text or operators in, a proved array out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from .algebra.dims import Shape
from .algebra.expr import Expr, postorder, substitute
from .algebra.ops.free import gradient, is_name, var
from .algebra.ops.series import series_ranges
from .api import derive
from .calculus.core import Core, Definition, Equation
from .calculus.derivation import Backward, Derivation
from .calculus.second import Again, Opened, again, open_up, use_facts, written_out
from .code.numpy import evaluate
from .code.plan import Plan, arranged
from .code.targets import kernels_of
from .coding import compiled, source
from .errors import CheckFailed, ParseError, UnsupportedError
from .language.operators import program_of
from .language.program import Equation as Written
from .language.program import Program, choose_target
from .language.text import parse_program
from .language.unassumed import without_facts
from .proof.claim import Memo, check
from .proof.problem import sampled
from .proof.second import array_problem, confirm_array
from .readback import kinds_of, read_pairs, spelled_apart
from .readings import functions_in
from .show import notation
from .show.page import page
from .show.prose import fill
from .show.second import Array, array_record, conditions_of, document, symbol
from .shown import Shown
from .step import Evidence, Step
from .vec import Vec
from .wanted import names_of, wanted

__all__ = ["Jacobian", "hessian", "jacobian"]

Source = str | Program | Expr | Mapping[str, Expr]


class Jacobian(Shown):
    """∂target/∂x: the axes of the target, then those of x. Of a Hessian, the axes of the one name, then of the other.

    `expr` is written in the names of the program, and in their gradients where they keep it short; every step is confirmed.
    """

    document = document

    def __init__(self, program: Program, target: Expr, wrt: tuple[Expr, ...], found: Opened, steps: Sequence[Step],
                 evidence: Sequence[Evidence], source: Again | None) -> None:  # fmt: skip
        self.program, self.target, self.wrt = program, target, wrt
        self.found, self.source = found, source
        self.expr = found.value
        self.steps = list(steps)
        self.evidence = tuple(evidence)

    @property
    def shape(self) -> Shape:
        return self.expr.shape

    def __str__(self) -> str:
        return notation.text(self.expr)

    def __repr__(self) -> str:
        return f"{symbol(str(self.target.attrs[0]), [str(v.attrs[0]) for v in self.wrt]).text} = {self}"

    def ascii(self) -> str:
        return notation.ascii(self.expr)

    def latex(self) -> str:
        """The array in LaTeX; `page("latex")` is a document."""
        return notation.latex(self.expr)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Where the array is the derivative, in words."""
        return tuple(dict.fromkeys(fill(c.template, c.bind).text for c in conditions_of(self.steps)))

    @cached_property
    def _vec(self) -> Vec:
        return Vec(self)

    def vec(self) -> Vec:
        """∂ vec(target) / ∂ vec(x)ᵀ, both sides stacked by columns. Raises CheckFailed."""
        return self._vec

    def page(self, format: str = "text", *, ascii: bool = False, color: bool = False) -> str:
        """The whole page: text, markdown or latex."""
        return page(document(self.record), format, ascii, color)

    @cached_property
    def _gradients(self) -> list[tuple[Expr, Expr]]:
        """∇z = … for the gradients that the result is written with, and those that they are written with."""
        if self.source is None:
            return []
        known = {g: v for v, g in self.source.names.items()}
        values = {d.var: d.value for d in self.source.definitions}
        found: dict[Expr, Expr] = {}
        waiting = [self.expr]
        while waiting:
            for x in postorder(waiting.pop()):
                if x in known and x not in found:
                    found[x] = substitute(written_out(values[known[x]], self.source.own), self.source.names)
                    waiting.append(found[x])
        return [(g, found[g]) for g in known if g in found]

    @property
    def _own(self) -> list[tuple[Expr, Expr]]:
        """Our names for parts of the program, and of the gradient program."""
        gradients = {} if self.source is None else self.source.names
        ours = {} if self.source is None else self.source.own
        return [
            (q.var, q.value) for q in self.found.derivation.core.equations
            if (q.auxiliary or q.var in ours) and q.var not in gradients
        ]  # fmt: skip

    @cached_property
    def record(self) -> dict[str, Any]:
        """Everything that is shown, as plain data."""
        vec = self.vec() if self.expr.order > 2 else None
        bars = (
            []
            if self.source is None
            else [(d.var, d.value) for d in self.source.definitions if d.var in self.source.names]
        )
        shown = Array(
            target=self.target, wrt=self.wrt, value=self.expr,
            form=None if vec is None else vec.form, no_form="" if vec is None else vec.reason,
            equations=[(q.var, q.rhs) for q in _needed(self.program, self.target)], inputs=_inputs(self.program, self.target),
            gradients=self._gradients, cotangent=self.found.cotangent,
            own=self._own, of=self.found.target, program=bars,
            backward=[(gradient(b.of), b.value) for b in self.found.derivation.backward],
            opened=self.found.arrays, steps=self.steps, evidence=[*self.evidence, *(() if vec is None else vec.evidence)],
        )  # fmt: skip
        p = self.program
        return array_record(
            shown,
            functions_in([self.expr, *(e for pairs in (shown.equations, bars, shown.gradients, shown.backward) for _, e in pairs)]),
            {"source": p.source, "dialect": p.dialect, "assumptions": p.assumptions,
             "functions": {f: str(k) for f, k in kinds_of(p).items()}},
        )  # fmt: skip

    def evaluate(self, **arrays: Any) -> Any:
        """The array on NumPy arrays; unknown functions are passed as f=(f, f′, f″). Raises what `Derived.evaluate` raises."""
        result = var("the result", self.shape)
        q = [Equation(v, e) for v, e in _forward(self.program, self.target, self.source)]
        d = Derivation(Core(q), tuple(self.program.inputs), self.target, None, (result,),
                       [Backward(result, self._named, self._named)])  # fmt: skip
        return evaluate(d, set(kinds_of(self.program)), arrays)[1]["the result"]

    @property
    def _named(self) -> Expr:
        """The array in the names of the program and of its gradients."""
        return self.expr if self.source is None else self.source.named(self.expr)

    def _plan(self, target: str) -> Plan:
        """The plan for the target and the array, which is called "jacobian" or "hessian"."""
        word = "jacobian" if self.source is None else "hessian"
        result = var(f" {word}", self.shape)  # no name of the program begins with a space
        equations = [(v, e, False, False) for v, e in _forward(self.program, self.target, self.source)]
        return arranged(
            [*equations, (result, self._named, False, True)],
            self.program.inputs,
            self.target,
            {word: result},
            kind=word,
            kernels=kernels_of(target),
        )

    def code(self, target: str, *, form: str = "function", name: str = "") -> str:
        """Source of a function of the inputs: (value of the target, {"jacobian" or "hessian": array}) (docs/code.md)."""
        return source(self._plan(target), target, form, name)

    def compile(self, target: str, *, form: str = "function") -> Callable[..., Any]:
        """The function of `code`; the package of the target must be installed."""
        return compiled(self._plan(target), target, form)


# ---- the two questions -------------------------------------------------------------------------------------


def jacobian(
    source: Source,
    wrt: str | Expr | None = None,
    target: str | None = None,
    *,
    name: str = "<text>",
    dialect: str | None = None,
) -> Jacobian:
    """∂target/∂wrt as an array, derived and proved: the axes of the target, then those of `wrt`.

    `target` is any name that an equation defines (default: the target of the program). Of a scalar it is the gradient.

    >>> jacobian("W : (m, n); y = f(W x + b)", wrt="x")
    ∂y/∂x = diag(f′(W x + b)) W

    Raises ParseError, ShapeError, UnsupportedError (see docs/errors.md); CheckFailed if a step could not be confirmed.
    """
    program = _read(source, name, dialect)
    goal = _goal(program, target)
    [x] = _asked(program, [wrt])
    definitions = [
        Definition(q.var, q.rhs, q.surface, q.index_form is not None, q.notes) for q in _needed(program, goal)
    ]
    sampled(program.facts, program.inputs)
    found = open_up(definitions, program.inputs, goal, x, facts=program.facts, unnamed=_unnamed(program, source, goal))
    return _proved(program, goal, (x,), found, None, [])


def hessian(
    source: Source,
    wrt: str | Expr | tuple[str | Expr, str | Expr] | None = None,
    target: str | None = None,
    *,
    name: str = "<text>",
    dialect: str | None = None,
) -> Jacobian:
    """The second derivative of a scalar target as an array: the axes of wrt[0], then those of wrt[1].

    `wrt` is one name, or two for a mixed derivative. It is the Jacobian of the gradient, derived from the backward equations.

    >>> hessian("A : (m, n); E = ‖A x − y‖²", wrt="x")
    ∂²E/∂x∂x = 2 Aᵀ A

    Raises ParseError, ShapeError, UnsupportedError (see docs/errors.md); CheckFailed if a step could not be confirmed.
    """
    program = _read(source, name, dialect)
    goal = choose_target(program, target).var
    both = list(wrt) if isinstance(wrt, (tuple, list)) else [wrt, wrt]
    if len(both) != 2:
        raise ParseError("P050", f"a second derivative is with respect to two names, not {len(both)}", expected='wrt="x" or wrt=("v", "x")')  # fmt: skip
    v, x = _asked(program, both)
    sampled(program.facts, program.inputs)
    # what is assumed may hold at the point only: it is used when everything is differentiated
    plain, back = without_facts(replace(program, facts=(), given=None))
    first = derive(plain, wrt=[str(v.attrs[0])], target=str(goal.attrs[0]))
    source_program, [bar] = again(
        first.derivation,
        [next(w for w in (*plain.inputs, *(q.var for q in plain.equations)) if w.attrs[0] == v.attrs[0])],
    )
    found = open_up(source_program.definitions, plain.inputs, bar, next((w for w, y in back.items() if y is x), x), program=source_program,
                    facts=program.facts, unnamed=_unnamed(program, source, goal))  # fmt: skip
    if back:
        use_facts(found, back)
        source_program = source_program.renamed(back)
    steps = [*first.steps, *(s.proved(check(s, Memo()).evidence) for s in source_program.steps)]
    return _proved(program, goal, (v, x), found, source_program, steps)


def _proved(program: Program, goal: Expr, wrt: tuple[Expr, ...], found: Opened, source: Again | None,
            before: Sequence[Step]) -> Jacobian:  # fmt: skip
    """The array with the evidence for every step and for the whole. Raises CheckFailed."""
    memo = Memo()
    second = [replace(s, id=f"h{s.id[1:]}", premises=tuple(f"h{p[1:]}" for p in s.premises)) if source else s for s in found.steps]  # fmt: skip
    steps = [*before, *(check(s, memo) for s in second)]
    value = found.value if source is None else source.named(found.value)
    problem = array_problem(_forward(program, goal, source), program.inputs, found.target, found.of, found.cotangent, value,
                            program.facts)  # fmt: skip
    evidence = confirm_array(problem)
    title = symbol(str(goal.attrs[0]), [str(v.attrs[0]) for v in wrt]).text
    evidence.append(_read_back(title, found.value, program))
    numbered = [s if s.id else replace(s, id=f"n{k}") for k, s in enumerate(steps, 1)]
    return Jacobian(program, goal, wrt, found, numbered, evidence, source)


def _read_back(title: str, value: Expr, program: Program) -> Evidence:
    """LIFT; a 0/1 tensor for which the language has no word is read as a name. Raises CheckFailed C006."""
    kinds = kinds_of(program)
    try:
        return read_pairs([(title, value)], kinds, "arrays")
    except CheckFailed:
        constants = [x for x in postorder(value) if not x.args and x.op.entry is not None and x.op.uniform is None]
        held = {x: var(f"Φ{k}", x.shape) for k, x in enumerate(constants)}
        if not held:
            raise
        return read_pairs([(title, substitute(value, held))], kinds, "arrays (0/1 tensors by name)")


def _read(source: Source, name: str, dialect: str | None) -> Program:
    if isinstance(source, str):
        program = parse_program(source, name=name, dialect=dialect)
    else:
        program = source if isinstance(source, Program) else program_of(source)
    spelled_apart(program)
    if program.ranges or any(series_ranges(q.rhs) for q in program.equations):
        raise UnsupportedError("U050", "the Jacobian of equations for every value of an index is not supported",
                               hint="number the layers: z2 = W1 a1")  # fmt: skip
    return program


def _goal(program: Program, target: str | None) -> Expr:
    """What is differentiated: any name with an equation."""
    wanted = target or (program.given[0] if program.given else program.target)
    found = program.equation(wanted) if wanted else None
    return found.var if found else choose_target(program, target).var


def _asked(program: Program, names: Sequence[str | Expr | None]) -> list[Expr]:
    """The names to differentiate with respect to; the only one there is where none is said. Raises ParseError P050."""
    found = []
    for n in names:
        some = wanted(program, names_of(n))
        if len(some) != 1:
            raise ParseError("P050", "a Jacobian is with respect to one name, and there are "
                             f"{', '.join(str(v.attrs[0]) for v in some[:12])}", expected="one of them", hint='wrt="x", or --wrt x')  # fmt: skip
        found += some
    return found


def _unnamed(program: Program, source: Source, goal: Expr) -> bool:
    """Whether the name of the target is ours: the user wrote an expression alone."""
    name = str(goal.attrs[0])
    return isinstance(source, Expr) or any(a.startswith(f"{name} names the last line") for a in program.assumptions)


def _needed(program: Program, goal: Expr) -> list[Written]:
    """The equations up to that of the goal."""
    stop = next(k for k, q in enumerate(program.equations) if q.var is goal)
    return list(program.equations[: stop + 1])


def _inputs(program: Program, goal: Expr) -> list[Expr]:
    used = {e for q in _needed(program, goal) for e in postorder(q.rhs) if is_name(e)}
    return [v for v in program.inputs if v in used]


def _forward(program: Program, goal: Expr, source: Again | None) -> list[tuple[Expr, Expr]]:
    """The user's equations, and for a Hessian the backward equations after them."""
    found = [(q.var, q.rhs) for q in _needed(program, goal)]
    if source is not None:
        user = {v for v, _ in found}
        found += [(d.var, d.value) for d in source.definitions if d.var not in user]
    return found
