"""The Python face: text or operators in, a proved derivation out."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from .algebra.dims import Shape
from .algebra.expr import Expr
from .algebra.indexed import family_of
from .algebra.ops.free import var
from .algebra.ops.series import series_ranges
from .calculus.core import Definition
from .calculus.derivation import Derivation
from .calculus.derive import appender
from .calculus.derive import derive as sweep
from .calculus.eliminated import eliminate_between, inline_own
from .calculus.expansion import expansions
from .calculus.induction import induction
from .calculus.recurrence import Recurrence, derive_recurrence
from .code.looped import Looped
from .code.numpy import evaluate
from .code.plan import Plan
from .code.unrolled import evaluate_unrolled
from .coding import compiled, plan_text, planned, source
from .confirming import checked, problem_of
from .errors import ParseError, PullbackError, UnsupportedError, nearest
from .language.operators import program_of
from .language.program import Program, choose_target
from .language.text import parse_program
from .minimising import minimised
from .pictures import picture
from .proof.final import Problem, confirm
from .proof.problem import sampled
from .proof.recur import confirm_all, divisors_within, prove_induction, within_reach, write_all
from .proof.whynot import WhyNot, why_not
from .readback import kinds_of, read_back, spelled_apart
from .readings import PARTS, functions_of, prepare, readable
from .show import notation
from .show.names import SCHEMES
from .show.page import LEVELS, render
from .show.record import ALL, record
from .step import Evidence, Step
from .wanted import families, names_of, nothing_free, wanted

__all__ = ["Derived", "Gradient", "derive"]


class Gradient:
    """∇x as an expression: `str()` is Unicode, `.ascii()` and `.latex()` other notations, `.shape` the shape of x."""

    def __init__(self, name: str, expr: Expr) -> None:
        self.name, self.expr = name, expr

    @property
    def shape(self) -> Shape:
        return self.expr.shape

    def __str__(self) -> str:
        return notation.text(self.expr)

    def __repr__(self) -> str:
        return f"∇{self.name} = {self}"

    def ascii(self) -> str:
        return notation.ascii(self.expr)

    def latex(self) -> str:
        return notation.latex(self.expr)


class Derived:
    """A derivation whose every step is confirmed. Indexing by a name gives its `Gradient`."""

    def __init__(self, program: Program, derivation: Derivation, evidence: Sequence[Evidence]) -> None:
        self.program = program
        self.derivation = derivation
        self.evidence = tuple(evidence)

    @property
    def steps(self) -> list[Step]:
        return self.derivation.steps

    @cached_property
    def _gradients(self) -> dict[str, Gradient]:
        return {b.of.attrs[0]: Gradient(b.of.attrs[0], b.closed) for b in self.derivation.backward if not b.auxiliary}

    def __getitem__(self, name: str) -> Gradient:
        if name not in self._gradients:
            close = nearest(name, list(self._gradients))
            hint = f"did you mean {close}?" if close else f"there are gradients of {', '.join(self._gradients)}"
            raise ParseError("P003", f"no gradient of {name} was derived", hint=hint)
        return self._gradients[name]

    def __iter__(self) -> Iterator[str]:
        return iter(v.attrs[0] for v in self.derivation.wrt)

    @cached_property
    def record(self) -> dict[str, Any]:
        """Everything that any renderer shows, as plain data (docs/record.md)."""
        return self._record(ALL)

    def _record(
        self, parts: Collection[str], names: str = "nabla", sizes: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """The record with no more than is going to be looked at."""
        if names not in SCHEMES:
            raise ParseError("P030", f"unknown names {names}", expected=", ".join(SCHEMES))
        header = {**_header(self.program, self.evidence), "names": names}
        if "neurons" in parts:
            header["sizes"] = sizes or {}
        else:
            prepare(self.derivation, parts, sizes)
        if "why" in parts and not self.derivation.expansions:
            self.derivation.expansions = list(checked(expansions(self.derivation), None))
        if "why_not" in parts and not isinstance(self.derivation, Recurrence):
            header["why_not"] = self._why_not
        return record(self.derivation, header, parts)

    @cached_property
    def problem(self) -> Problem:
        """The program and its gradients as FINAL compares them; of a program without an index."""
        return problem_of(self.derivation, self.program)

    @cached_property
    def _why_not(self) -> dict[str, WhyNot | str]:
        return why_not(self.problem, [b.of for b in self.derivation.backward if not b.auxiliary])

    def _render(
        self,
        style: str,
        format: str,
        level: int,
        names: str,
        *,
        sizes: Mapping[str, int] | None,
        numbers: bool,
        **view: Any,
    ) -> str:
        readable(self.derivation, style)
        parts = set(PARTS.get(style, ()))
        if level not in LEVELS:
            raise ParseError("P030", f"level cannot be {level!r:.20}", expected="1, 2, 3 or 4")
        for given, asked, part in (
            (numbers, "numbers", "scalar"),
            (view.get("layout") == "denominator", "layout", "jacobian"),
        ):
            if given and style in PARTS and part not in parts:
                raise ParseError(
                    "P030", f"{asked} is of the style {part}, and the style is {style}", hint=f"--style {part}, or all"
                )
        parts |= {"numbers"} if numbers else set()
        parts |= {"why"} if level >= 3 else set()
        parts |= {"index"} if level >= 3 and names != "delta" else set()  # δ is Kronecker's in the index derivation
        parts |= {"why", "entries", "why_not"} if level >= 4 else set()
        found = self._record(parts, names, sizes)
        return render(found, style=style, format=format, level=level, numbers=numbers, **view)

    def text(self, style: str = "pairing", level: int = 2, *, ascii: bool = False, color: bool = False, names: str = "nabla",
             layout: str = "numerator", sizes: Mapping[str, int] | None = None, numbers: bool = False) -> str:  # fmt: skip
        """The derivation as text, in Unicode or ASCII; `level` 1 to 4 says how much is explained.

        Styles: pairing, jacobian (in `layout` numerator or denominator), index, scalar (at `sizes`, with `numbers`), diagram,
        all. `names` says what gradients are called: nabla ∇z, full ∇_z E, partial ∂E/∂z, bar z̄, delta δz, grad grad_z.
        """
        return self._render(
            style, "text", level, names, sizes=sizes, numbers=numbers, layout=layout, ascii=ascii, color=color
        )

    def markdown(self, style: str = "pairing", level: int = 2, *, names: str = "nabla", layout: str = "numerator",
                 sizes: Mapping[str, int] | None = None, numbers: bool = False) -> str:  # fmt: skip
        return self._render(style, "markdown", level, names, sizes=sizes, numbers=numbers, layout=layout)

    def latex(self, style: str = "pairing", level: int = 2, *, names: str = "nabla", layout: str = "numerator",
              sizes: Mapping[str, int] | None = None, numbers: bool = False) -> str:  # fmt: skip
        """A complete LaTeX document."""
        return self._render(style, "latex", level, names, sizes=sizes, numbers=numbers, layout=layout)

    def draw(self, what: str = "network", format: str = "svg", sizes: Mapping[str, int] | None = None) -> str:
        """A picture as text: what is "network" or "diagrams", format "svg", "dot", "mermaid" or "tikz".

        With `sizes` (m=2, n=3: every size a small number) the network is drawn neuron by neuron; without, as boxes,
        unless every size of the program is a small number already. Raises ParseError P030 for what there is not,
        UnsupportedError U034 where there is no picture of neurons.
        """
        return picture(self.program, self.derivation, self._pictured, what, format, sizes)

    def _pictured(self, part: str, sizes: Mapping[str, int] | None) -> dict[str, Any]:
        return self._record({part}, sizes=sizes)

    def to_json(self, indent: int | None = 1, *, names: str = "nabla", sizes: Mapping[str, int] | None = None) -> str:
        """The record; entries are written out at `sizes` where they are given.

        `names="delta"` leaves the index derivation out, where δ is the Kronecker symbol, and `names="partial"` the
        Jacobians, where ∂E/∂x is one of them."""
        parts = ALL - {"delta": {"index"}, "partial": {"jacobian"}}.get(names, set())
        plain = names == "nabla" and not sizes
        found = self.record if plain else self._record(parts, names, sizes)
        return json.dumps(found, ensure_ascii=False, indent=indent)

    def evaluate(self, **arrays: Any) -> tuple[Any, dict[str, Any]]:
        """(value, {name: gradient}) on NumPy arrays; unknown functions are passed as f=callable or f=(callable, derivative).

        Raises ParseError for a missing or unknown name, ShapeError for a wrong shape, UnsupportedError where a
        derivative cannot be had to full precision.
        """
        kinds = set(kinds_of(self.program))
        if isinstance(self.derivation, Recurrence):
            asked = {family_of(v.attrs[0]) for v in self.derivation.wrt}
            return evaluate_unrolled(self.derivation, kinds, sorted(asked), arrays)
        return evaluate(self.derivation, kinds, arrays)

    def code(self, target: str, wrt: str | Sequence[str] | None = None, *, form: str = "function", name: str = "",
             sizes: Mapping[str, int] | None = None, recompute: str | Sequence[str] = (), memory: int | str | None = None,
             mesh: str | None = None) -> str:  # fmt: skip
        """Source of a function of the inputs, (value, {name: gradient}) (docs/code.md); `sizes` decide between orders of products.

        Arrays named by `recompute` are computed anew in the backward pass, and so many more that `memory` ("200MB") suffices.
        `mesh`, as in "data=4: B; model=2: n", says which sizes lie along which axis of a mesh of devices.
        Raises ParseError P003, P030, P032 for what there is not, UnsupportedError U042 to U045, U048 for what there is no code for."""
        return source(self._planned(target, wrt, form, sizes, recompute, memory, mesh), target, form, name, mesh)

    def compile(self, target: str, wrt: str | Sequence[str] | None = None, *, form: str = "function",
                sizes: Mapping[str, int] | None = None, recompute: str | Sequence[str] = (),
                memory: int | str | None = None, mesh: str | None = None) -> Callable[..., Any]:  # fmt: skip
        """The function of `code`; the package of the target must be installed."""
        return compiled(self._planned(target, wrt, form, sizes, recompute, memory, mesh), target, form, mesh)

    def _planned(self, target: str, wrt: str | Sequence[str] | None, form: str, sizes: Mapping[str, int] | None,
                 recompute: str | Sequence[str], memory: int | str | None, mesh: str | None) -> Plan | Looped:  # fmt: skip
        """What the code is written from."""
        if target == "scipy":
            if recompute or memory is not None:
                raise ParseError(
                    "P030", "for SciPy nothing is computed anew in this version", hint="leave recompute and memory out"
                )
            return minimised(self.program, self.derivation, names_of(wrt), sizes, second=form == "function")
        plain = form in ("function", "buffers") and mesh is None
        names, constants = names_of(wrt), self.program.constants
        return planned(self.derivation, names, sizes, constants, recompute, memory, target, plain)

    def plan(self, wrt: str | Sequence[str] | None = None, sizes: Mapping[str, int] | None = None, *,
             recompute: str | Sequence[str] = (), memory: int | str | None = None, format: str = "text") -> str:  # fmt: skip
        """What is computed, with operations and memory at these sizes, and what is kept: a table, or a picture (svg, tikz)."""
        return plan_text(self.derivation, names_of(wrt), sizes, recompute, memory, format)

    def __repr__(self) -> str:
        return "\n".join(repr(self[name]) for name in self)


def derive(
    source: str | Program | Expr | Mapping[str, Expr],
    *,
    wrt: str | Expr | Sequence[str | Expr] | None = None,
    target: str | None = None,
    name: str = "<text>",
    dialect: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Derived:
    """The backward equations of a program, derived and proved.

    `source` is text in the input language (docs/language.md), a Program, or expressions built with operators. `wrt`
    names what to differentiate with respect to (default: `derive grad` lines, else every input that is not constant).
    `progress` is called with a phase and the part of it that is done, for long programs.

    >>> derive("z = W a + b; y = f(z); E = loss(y)")["W"]
    ∇W = ∇z aᵀ

    Raises ParseError, ShapeError, UnsupportedError (see docs/errors.md); CheckFailed if a step could not be confirmed.
    """
    wrt = names_of(wrt)
    if target is not None and not isinstance(target, str):
        raise ParseError("P003", f"{target!r:.40} is no name of what is differentiated", expected='target="E"')
    if isinstance(source, str):
        program = parse_program(source, name=name, dialect=dialect)
    else:
        program = source if isinstance(source, Program) else program_of(source)
    spelled_apart(program)
    if program.given is not None and target is None:
        name, seed = program.given
        goal = program.variable(name) or var(name, seed.shape)  # a[L] of a family may occur in no equation
    else:
        goal, seed = choose_target(program, target).var, None
    definitions = [
        Definition(q.var, q.rhs, q.surface, q.index_form is not None, q.notes, program.ranges.get(q.name, ()))
        for q in program.equations
    ]
    if any(d.ranges or series_ranges(d.value) for d in definitions):
        return _recurrence(program, definitions, goal, seed, wrt, progress)
    sampled(program.facts, program.inputs)
    derivation = sweep(definitions, program.inputs, goal, wanted(program, wrt), seed=seed, facts=program.facts,
                       known=program.known)  # fmt: skip
    derivation.functions = functions_of(derivation)
    derivation.steps = list(checked(derivation.steps, progress))
    printed = read_back(derivation, program)
    return Derived(program, derivation, [*confirm(problem_of(derivation, program)), printed])


def _recurrence(program: Program, definitions: Sequence[Definition], goal: Expr, seed: Expr | None,
                wrt: Sequence[str] | None, progress: Callable[[str, float], None] | None) -> Derived:  # fmt: skip
    """The backward equations for every value of the indices, written out at small lengths and confirmed there."""
    if program.facts:
        raise UnsupportedError("U033", "an assumption about values cannot be used together with an index",
                               hint="leave the `assume` line out")  # fmt: skip
    asked = families(program, wrt)
    rows = [(q.var, q.rhs, program.ranges.get(q.name, ())) for q in program.equations]
    try:
        derivation = derive_recurrence(definitions, program.inputs, program.members, goal, asked, seed=seed)
        within_reach(rows, derivation.least)
        if not asked:
            nothing_free()
    except PullbackError as error:
        equation = program.equation(error.about)
        raise error.at(equation.span if equation else None) from None
    add = appender(derivation)
    inline_own(derivation, add)
    eliminate_between(derivation, add)
    induction(derivation, add)
    derivation.functions = functions_of(derivation)
    derivation.steps = list(checked(derivation.steps, progress))
    divisors_within(derivation.core.equations)
    printed = read_back(derivation, program)
    helpers = [(q.var, q.value, q.ranges) for q in derivation.core.equations if q.auxiliary]
    written = write_all(rows, helpers, derivation.backward, goal, seed, program.members, derivation.least)
    found = confirm_all(written)
    derivation.steps = prove_induction(derivation.steps, written)
    return Derived(program, derivation, [*found, printed])


def _header(program: Program, evidence: Sequence[Evidence]) -> dict[str, Any]:
    return {
        "source": program.source,
        "dialect": program.dialect,
        "assumptions": list(program.assumptions),
        "functions": {f: str(k) for f, k in kinds_of(program).items()},
        "surface": {q.name: q.surface for q in program.equations},
        "final": [{"level": e.level, "detail": e.detail, "data": dict(e.data)} for e in evidence],
    }
