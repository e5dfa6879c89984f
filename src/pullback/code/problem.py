"""The text of an optimisation problem: a function of the data, which gives functions of one vector."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from json import dumps

from ..algebra.dims import Dim, entries_of
from ..errors import ParseError, UnsupportedError
from .door import blamed, door, tellable, words_of
from .frame import Target, Text, Words, begun
from .guards import unpacked
from .instructions import Given, Value, arguments
from .lives import deepest
from .packed import Packed, Stage, stages
from .plan import Plan
from .syntax import dim_node, unparsed
from .vector import Vector, joined, returned
from .widened import in_rows
from .writer import line, module

__all__ = ["write_problem"]

_ENTRIES = 24  # of so many rows of a Hessian at a time: 2^24 entries in all arrays together are 128 MiB


def write_problem(plan: Plan, words: Words, name: str, *, target: Target, second: bool = True) -> str:
    """A module with `make_<name>(*, data)`. Raises UnsupportedError U042, U044 for what has no code, ParseError P030 for a Jacobian."""
    if not isinstance(plan, Packed):
        raise ParseError("P030", f"a {plan.kind} is nothing that SciPy minimises", expected="a derivation of a number")
    if second and plan.products:
        try:
            return _Problem(plan, words, target).module(name)
        except UnsupportedError as why:
            plan = plan.first(why.message)
    return _Problem(plan if second else plan.first(""), words, target).module(name)


class _Problem:
    """The text of one problem."""

    def __init__(self, plan: Packed, words: Words, target: Target) -> None:
        self.p = plan
        self.t = t = begun(plan, target, words)
        t.plan = replace(plan, gradients={})  # what is given away is packed, which copies
        later = {words.name(words.text(v.about)) for v in plan.values if v.about is not None}
        self.x, self.direction = _free(t, "xvuw", later), _free(t, "pdqr", later)
        self.point = t.fresh("point")
        self.v = Vector(t, plan.moving, self.x)
        self.moving = self.v.names
        self.called = {Stage.VALUE: t.fresh("forward"), Stage.GRADIENT: t.fresh("backward"), Stage.CURVATURE: t.fresh("curvature")}  # fmt: skip
        self.stage = stages(plan)
        self.read: dict[Stage, dict[Value, None]] = {s: {} for s in Stage}
        for v in plan.values:
            for a in arguments(v.by):
                self.read[self.stage[v]][a] = None
        for end, some in ((Stage.GRADIENT, plan.gradients.values()), (Stage.ALONG, plan.products.values())):
            self.read[end] |= dict.fromkeys(some)
        ends = {*plan.gradients.values(), *plan.products.values()}
        t.kept = ends | {a for s, some in self.read.items() for a in some if self.stage[a] < s}
        t.kept |= deepest(plan, t.kept)

    def module(self, name: str) -> str:
        """Imports, helpers, the function `make_<name>`. Raises UnsupportedError U042, U044."""
        t, p = self.t, self.p
        once = self.lines(Stage.DATA)
        t.deeper = 4
        ways = [*self.v.functions(), *self.at_x(), *(self.second() if p.products else self.refusal())]
        offered = [
            "fun",
            "jac",
            "fun_and_jac",
            *(["hess", "hessp"] if p.products or p.refused else []),
            "pack",
            "unpack",
        ]
        t.deeper = 0
        body = [
            *once,
            *self.v.ended(),
            f'    {self.point} = _points("{self.x}", size)',
            *(f"    {x}" if x else "" for x in ways),
        ]
        told = tellable([d for v in p.data for d in v.shape])
        given = [s for s in t.sizes if s not in told]
        data = replace(t, plan=replace(t.plan, inputs=p.data))
        sizes = [f'    {t.sizes[s]} = _size("{t.sizes[s]}", {t.sizes[s]})' for s in given]
        words = [*(t.names[v] for v in p.data), *(t.sizes[s] for s in given), *dict.fromkeys(t.functions.values())]
        return module(t.target, [
            *t.listed(f"def make_{name}(", [*(["*"] if words else []), *words], "):"), *self.described(name, words, given),
            *sizes, *door(data, body, given), *body,
            "", "    return SimpleNamespace(", *(f"        {w}={w}," for w in offered), "    )"])  # fmt: skip

    # ---- what is said of it ------------------------------------------------------------------------------------

    def described(self, name: str, words: Sequence[str], given: Sequence[str]) -> Iterator[str]:
        """The docstring: how it is used, and what the arguments are."""
        t, p = self.t, self.p
        whole = f'    """{self.value} of {", ".join(self.moving)}, packed in one vector, for scipy.optimize.minimize.'
        yield (
            whole
            if len(whole) <= t.width
            else f'    """{self.value} of arrays in one vector, for scipy.optimize.minimize.'
        )
        yield ""
        yield from t.listed(f"    problem = make_{name}(", [f"{w}={w}" for w in words], ")")
        yield from t.listed("    x0 = problem.pack(", [f"{n}={n}" for n in self.moving], ")")
        method, more = ("trust-ncg", ", hessp=problem.hessp") if p.products else ("L-BFGS-B", "")
        yield f'    found = minimize(problem.fun, x0, method="{method}",'
        yield f"                     jac=problem.jac{more})"
        yield "    problem.unpack(found.x)"
        yield ""
        yield "    Packed, one after the other:"
        yield from (f"    {self.v.kind(v)}" for v in p.moving)
        if words:
            yield ""
            yield "    Given once:"
            yield from (f"    {self.v.kind(v)}" for v in p.data)
            yield from (f"    {t.sizes[s]}: a size" for s in given)
            yield from (f"    {f}: {t.words.text(e)}" for f, e in {f: e for e, f in t.functions.items()}.items())
        yield ""
        yield f"    fun is inf where {self.value} is no number, and jac says which array is not."
        if p.refused:
            yield "    There is no hess and no hessp:"
            yield f"    {p.refused}."
        yield '    """'

    @property
    def value(self) -> str:
        about = self.p.value.about
        return "the value" if about is None else self.t.words.text(about)

    # ---- what is computed --------------------------------------------------------------------------------------

    def lines(self, stage: Stage) -> list[str]:
        """The arrays that are computed at this stage, each below its equation."""
        self.t.deeper = 0 if stage is Stage.DATA else 4
        self.t.said.clear()
        mine = [v for v in self.p.values if self.stage[v] is stage and not isinstance(v.by, Given)]
        return [s for v in mine for s in line(self.t, v)]

    def handed(self, stage: Stage) -> list[Value]:
        """What the stage computes that later ones read."""
        later = {v for s in Stage if s > stage for v in self.read[s]}
        return [v for v in self.p.lines if self.stage[v] is stage and v in later and v is not self.p.value]

    def entering(self, stage: Stage) -> Iterator[str]:
        """What the stage reads: the parts of x, and what earlier ones have computed for it."""
        read = self.read[stage]
        names = [n if v in read else "_" for n, v in zip(self.moving, self.p.moving, strict=True)]
        if set(names) != {"_"}:
            yield from self.v.taken(self.x, names)
        for s in self.called:
            names = [self.t.names[v] if v in read else "_" for v in self.handed(s)]
            if s is not Stage.CURVATURE:  # the value, or the gradient, comes first
                names.insert(0, self.t.names[self.p.value] if s is Stage.VALUE and self.p.value in read else "_")
            if s < stage and set(names) - {"_"}:
                yield from unpacked(self.t, names, f"{self.called[s]}({self.x})")

    def at_x(self) -> Iterator[str]:
        """`forward`, `backward`, and `fun`, `jac`, `fun_and_jac`."""
        t, p, x = self.t, self.p, self.x
        forward, backward = self.called[Stage.VALUE], self.called[Stage.GRADIENT]
        lines = self.lines(Stage.VALUE)
        self.read[Stage.VALUE] |= dict.fromkeys(p.moving)  # so that they can be blamed
        before = p.values[: p.backward]
        seen = [
            v
            for v in before
            if v in t.names and v.about is not None and self.stage[v] <= Stage.VALUE and v not in p.data
        ]
        yield from ("", "@_once", f"def {forward}({x}):", f'    """{self.value}, and what is read later."""')
        yield from self.entering(Stage.VALUE)
        yield from self.v.definite("FloatingPointError")
        yield from lines
        yield from blamed(t, seen)
        yield from returned(t, [t.names[v] for v in (p.value, *self.handed(Stage.VALUE))], True)
        lines = self.lines(Stage.GRADIENT)
        whole = self.v.packed([t.names[p.gradients[v.name]] for v in p.moving])
        yield from ("", "@_once", f"def {backward}({x}):", '    """The gradient, and what is read later."""')
        entering = list(self.entering(Stage.GRADIENT))
        yield from entering
        if not any(f"{forward}(" in s for s in entering):
            yield f"    {forward}({x})  # which says so if {self.value} is no number"
        yield from lines
        yield from returned(t, [whole, *(t.names[v] for v in self.handed(Stage.GRADIENT))], True)
        value, gradient = f"float({forward}({x})[0])", f"{backward}({x})[0].copy()"
        yield from (
            "",
            f"def fun({x}):",
            f'    """{self.value}; inf where it is no number, so that a method steps back."""',
        )
        yield from (f"    {x} = {self.point}({x})", "    try:", f"        return {value}")
        yield from ("    except (FloatingPointError, np.linalg.LinAlgError):", "        return np.inf")
        yield from (
            "",
            f"def jac({x}):",
            '    """The gradient."""',
            f"    {x} = {self.point}({x})",
            f"    return {gradient}",
        )
        yield from ("", f"def fun_and_jac({x}):", '    """Both, for jac=True."""', f"    {x} = {self.point}({x})")
        yield f"    return {value}, {gradient}"

    # ---- the second derivative ---------------------------------------------------------------------------------

    def second(self) -> Iterator[str]:
        """`curvature` where H p reads more than the gradient does, and `hessp`, `hess`."""
        t, p, x, d = self.t, self.p, self.x, self.direction
        lines = self.lines(Stage.CURVATURE)
        if lines:
            yield from (
                "",
                "@_once",
                f"def {self.called[Stage.CURVATURE]}({x}):",
                '    """What every product with the Hessian at x reads."""',
            )
            yield from self.entering(Stage.CURVATURE)
            yield from lines
            yield from returned(t, [t.names[v] for v in self.handed(Stage.CURVATURE)], True)
        rows = self.rows()
        lines = self.lines(Stage.ALONG)
        yield from (
            "",
            f"def hessp({x}, {d}):",
            f'    """The Hessian times {d}: the gradient of {p.slope} = ⟨∇{self.value}, {d}⟩."""',
        )
        yield f'    {x}, {d} = {self.point}({x}), _vector("{d}", {d}, size)'
        yield from self.entering(Stage.ALONG)
        names = [t.names[v] if v in self.read[Stage.ALONG] else "_" for v in p.directions]
        if set(names) != {"_"}:
            yield from self.v.taken(d, names)
        yield from lines
        yield from returned(t, [self.v.packed([t.names[p.products[v.name]] for v in p.moving])])
        yield from rows
        if not rows:
            yield from ("", f"def hess({x}):", '    """The Hessian, row by row."""')
            yield f"    return np.stack([hessp({x}, e) for e in np.eye(size)])"

    def rows(self) -> list[str]:
        """`hess`, with as many rows at a time as keep the memory small; nothing where they can be had one by one only."""
        p, x = self.p, self.x
        count = Dim.symbol("rows of P")
        along = [v for v in p.values if self.stage[v] is Stage.ALONG and v not in p.directions]
        found = in_rows(p, p.directions, along, count)
        if found is None or self.v.sets:
            return []
        t = replace(self.t, taken=set(self.t.taken), sizes=dict(self.t.sizes))  # `hessp` has the same names
        t.plan = replace(
            t.plan,
            groups=t.plan.groups | found.groups,
            uses=t.plan.uses | {w: t.plan.uses.get(v, 0) for v, w in found.of.items()},
        )
        t.kept = t.kept | {found.of[v] for v in t.kept if v in found.of}
        t.names.update({found.of[v]: t.names[v] for v in p.directions})
        t.said.clear()
        products, rows, P, H, k = (
            t.fresh("products"),
            t.fresh("rows"),
            _free(t, "PDQ"),
            _free(t, "HMS"),
            _free(t, "ijl"),
        )
        step, entries = t.fresh("step"), t.fresh("entries")
        whole = sum((entries_of(v.shape) for v in [*along, *p.directions]), start=Dim.number(0))
        terms = [unparsed(dim_node(Dim({m: c}), t.size)) for m, c in whole.terms]
        t.sizes[str(count)] = rows
        zero = {w for w in p.products.values() if w not in found.of}  # what is linear in p without depending on it
        lines = [s for v in along if v not in zero for s in line(t, found.of.get(v, v))]
        named = [t.names[v] if v in self.read[Stage.ALONG] else "_" for v in p.directions]
        made = [found.of.get(p.products[v.name]) for v in p.moving]
        flat = self.v.in_rows([t.names[w] if w is not None else "" for w in made], rows)
        used = rows in words_of([*lines, *flat])
        return ["", f"def {products}({x}, {P}):", f'    """The Hessian times every row of {P}."""',
                *([f"    {rows} = {P}.shape[0]"] if used else []), *self.entering(Stage.ALONG), *self.v.rows(P, named), *lines,
                *joined(t, flat, ", axis=1"),
                "", f"def hess({x}):", '    """The Hessian, as many rows at a time as fit into 128 MiB."""', f"    {x} = {self.point}({x})",
                *t.listed(f"    {entries} = [", terms, "]"), f"    {step} = max(1, 2**{_ENTRIES} // sum({entries}))",
                f"    {H} = np.empty((size, size))", f"    for {k} in range(0, size, {step}):",
                f"        {P} = np.eye(min({step}, size - {k}), size, {k})",
                f"        {H}[{k} : {k} + {step}] = {products}({x}, {P})",
                f"    return {H}"]  # fmt: skip

    def refusal(self) -> Iterator[str]:
        """`hess` and `hessp` that say why they cannot be."""
        if self.p.refused:
            yield from ("", "def hessp(*_):", '    """There is none."""')
            yield from self.t.listed("    raise NotImplementedError(", [dumps(self.p.refused, ensure_ascii=False)], ")")
            yield from ("", "hess = hessp")


def _free(t: Text, letters: str, later: Collection[str] = ()) -> str:
    """The first of the letters that is no name, and is not going to be one."""
    return t.fresh(next((c for c in letters if c not in t.taken and c not in later), letters[0]))
