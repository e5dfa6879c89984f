"""The versioned record: everything that any renderer shows, as plain JSON (docs/record.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .._version import __version__
from ..algebra.expr import Expr, postorder, rebuild, substitute
from ..algebra.indexed import family_of
from ..algebra.ops.arithmetic import rational
from ..algebra.ops.free import gradient, increment, is_name, var
from ..algebra.ops.series import series_ranges, without_sums
from ..algebra.ranges import Range
from ..calculus.derivation import Backward, Derivation
from ..calculus.recurrence import Recurrence, users_of
from ..calculus.roles import Letters, Roles, roles
from ..errors import CheckFailed
from ..step import Increment, Said, Step
from .blocks import blocks
from .constants import constants
from .evidence import as_json, checks, evidence_of
from .graph import diagram, program_graph
from .indices import indexed, indexed_text, products_text
from .names import Taken, ascii_text, latex_name
from .naming import chosen, spellings, with_gradients
from .neurons import neurons
from .notation import Printed, show
from .own_functions import function_steps, own_functions_record
from .prose import fill
from .ranges import given_member, holding, ranges_shown, reach
from .readings import READINGS, readings_record
from .roles import roles_record
from .small import default_sizes, entries
from .uses import mentioned, own_names_in, used_where, users
from .whynots import why_not_record

__all__ = ["ALL", "FORMAT", "record"]

FORMAT = "pullback/1"
# What a record may leave out when nobody will look at it.
ALL = frozenset({"index", "net", "why", "entries", "why_not", "graph", "diagrams", *READINGS})
_CHEAP = 60  # nodes above which no index sum is printed beside an expression
_WIDE = 200  # nodes above which our own names are not written out in a forward equation
_LINES = 6  # entries of one gradient that are written out

Json = dict[str, Any]


class _Recorder:
    def __init__(self, d: Derivation, header: Mapping[str, Any], parts: Collection[str]) -> None:
        self.d, self.header, self.parts = d, header, parts
        self.variables = list(dict.fromkeys([*d.inputs, *(q.var for q in d.core.equations)]))
        self.letters = Letters(self.variables)
        self.objective = d.target.attrs[0] if d.seed is None else "E"
        words = [v.attrs[0] for v in self.variables]
        functions = list(header.get("functions", {}))
        scheme, self.unnamed = chosen(str(header.get("names") or "nabla"), words, functions, self.objective, parts)
        self.taken = Taken(words, scheme, self.objective)
        self.auxiliary = {q.var for q in d.core.equations if q.auxiliary}
        self.shown: dict[Expr | Increment, Json] = {}  # what was printed already
        self.nets: dict[Expr, str] = {}
        self.sentences: dict[str, Json] = {}
        self.users = users(d)
        self.mentioned = mentioned(d)
        self.by_name = {v.attrs[0]: v for v in (*self.variables, *(b.of for b in d.backward))}
        web = getattr(d, "web", None)
        self.given = {given_member(d, m) for ms in web.given.values() for m in ms} if web else set()
        self.variables += [v for v in sorted(self.given, key=lambda v: str(v.attrs[0])) if v not in self.variables]
        self.reach = reach(d) if web else {}
        self.expanded = {(s.about, s.left): s.evidence for s in d.expansions}

    # ---- printing

    def math(self, e: Expr | Increment | None) -> Json | None:
        if e is None:
            return None
        if e not in self.shown:
            self.shown[e] = show(_plain(e) if isinstance(e, Expr) else e, self.taken).as_dict()
        return self.shown[e]

    def prose(self, template: str, bind: Mapping[str, Any] | None = None) -> Json:
        if self.taken.scheme != "nabla" and "∇" in template:
            more = dict(bind or {})
            template, bind = with_gradients(template, more, self.taken, lambda x: var(x, (), "grad")), more
        if self.taken.scheme == "delta":
            template = template.replace("δᵢⱼ", "[i=j]")
        if bind:
            return fill(template, bind, self.taken, self.letters).as_dict()
        if template not in self.sentences:
            self.sentences[template] = fill(template, {}, self.taken).as_dict()
        return self.sentences[template]

    def said(self, s: Said) -> Json:
        return self.prose(s.template, s.bind)

    def net(self, e: Expr | None) -> str | None:
        if e is None or sum(1 for _ in postorder(e)) > _CHEAP:
            return None
        if e not in self.nets:
            self.nets[e] = indexed_text(_plain(e), self.letters.outs(e.shape), self.taken, self.letters)
        return self.nets[e]

    # ---- parts

    def names(self) -> list[Json]:
        defined = {q.var for q in self.d.core.equations}
        families = {family_of(v.attrs[0]) for v in (*(q.var for q in self.d.core.equations if q.ranges), *self.reach)}
        found = []
        for v in self.variables:
            role = "auxiliary" if v in self.auxiliary else "defined" if v in defined else "input"
            if role == "input" and family_of(v.attrs[0]) in families and v not in (*self.given, *self.reach):
                role = "member"  # of a family that equations define, or that is listed for all its values
            name = v.attrs[0]
            found.append(
                {
                    "ranges": ranges_shown(self.reach.get(v, ())),
                    "name": name,
                    "ascii": ascii_text(name),
                    "latex": latex_name(name),
                    "shape": [str(n) for n in v.shape],
                    "role": role,
                    "wrt": v in self.d.wrt,
                    "target": v is self.d.target,
                }
            )
        return found

    def naming(self) -> Json:
        """How gradients are called, and how else: for the first name that is asked for."""
        names = [v.attrs[0] for v in self.d.wrt] or ["x"]
        return {**spellings(names[0], self.taken), "note": self.prose(self.unnamed) if self.unnamed else None}

    def axes(self) -> list[Json]:
        """Every equation in which a matrix occurs only transposed, and the same equation with the transpose as the name."""
        forward = {q.var: q.value for q in self.d.core.equations}
        backward = {gradient(b.of): b.value for b in self.d.backward}
        found: list[Json] = []
        for s in self.d.steps:
            if s.kind != "axes":
                continue
            if s.relation == ":=":
                old, new = self.by_name[s.about], s.left
                found.append({"old": self.math(old), "new": self.math(new), "definition": s.id, "rows": []})
                continue
            left = gradient(old) if s.left is gradient(new) else s.left
            value = forward.get(left, backward.get(left))
            assert value is not None
            found[-1]["rows"].append(
                {
                    "with": self.equation(left, value)["equation"],
                    "instead": self.equation(s.left, s.right)["equation"],
                    "step": s.id,
                }
            )
        return found

    def equation(self, v: Expr, value: Expr, ranges: Sequence[Range] = ()) -> Json:
        left, right = show(v, self.taken), show(_plain(value), self.taken)
        whole = Printed(f"{left.text} = {right.text}", f"{left.ascii} = {right.ascii}", f"{left.latex} = {right.latex}")
        return {
            "name": v.attrs[0],
            "shape": [str(n) for n in v.shape],
            "left": left.as_dict(),
            "right": right.as_dict(),
            "equation": whole.as_dict(),
            "ranges": ranges_shown(ranges),
        }

    def forward(self) -> tuple[list[Json], list[Json]]:
        """The user's equations with our own names written out, and the core equations."""
        surface: Mapping[str, str] = self.header.get("surface") or {}
        known: dict[Expr, Expr] = {}
        user, core = [], []
        spoken = own_names_in(self.d)
        for q in self.d.core.equations:
            whole = substitute(q.value, known)
            if sum(1 for _ in postorder(whole)) > _WIDE:
                whole = q.value
            if q.auxiliary:
                known[q.var] = whole
            else:
                user.append({**self.equation(q.var, whole, q.ranges), "surface": str(surface.get(q.var.attrs[0], ""))})
            needed = {"needed": True} if q.var in spoken else {}  # the results are written with it
            core.append({**self.equation(q.var, q.value, q.ranges), "auxiliary": q.auxiliary, **needed})
        return user, core

    def step(self, s: Step) -> Json:
        if not s.evidence and s.kind != "note":
            raise CheckFailed(
                "C001",
                f"step {s.id} ({', '.join(s.rules)}) has no evidence, so it is not shown",
                expected="evidence for every step",
                hint="this is a fault of the program, not of your text",
            )
        left, right = self.math(s.left), self.math(s.right)
        bind = s.why.bind
        return {
            "id": s.id,
            "kind": s.kind,
            "about": s.about,
            "left": left,
            "relation": s.relation,
            "right": right,
            "unit": s.left is not None and s.left.op.pairing and s.left.args[0] is rational(1),
            "silent": left is not None and left == right and s.relation == "=",
            "net": {"left": self.net(s.left), "right": self.net(s.right)}
            if s.left is not None and s.right is not None and "net" in self.parts
            else None,
            "rules": list(s.rules),
            "why": {
                level: self.prose(text, bind) if text else None
                for level, text in (
                    ("terse", s.why.terse),
                    ("explain", s.why.explain),
                    ("teach", s.why.teach),
                )
            },
            "conditions": [holding(self.said(c), c, s.ranges) for c in s.conditions],
            "premises": list(s.premises),
            "ranges": ranges_shown(s.ranges),
            "claim": s.claim.kind,
            "evidence": [evidence_of(e) for e in s.evidence],
        }

    def index_step(self, s: Step) -> Json:
        """A step of the index derivation: both sides in index notation."""
        found = self.step(s)
        legs: Sequence[str] | None = None
        for e in (s.right, s.left):
            legs = legs or (_open(e) if isinstance(e, Expr) else None)
        sides = {"lift": ("left",), "collect": ()}.get(s.kind, ("left", "right"))  # the others are matrix notation
        for side, e in (("left", s.left), ("right", s.right)):
            if side in sides and isinstance(e, Expr):
                own = legs if legs is not None and len(legs) == e.order else self.letters.outs(e.shape)
                found[side] = indexed(e, own, self.taken, self.letters).as_dict()
        found["silent"] = found["left"] == found["right"]
        found["gradient"] = show(gradient(self.by_name[s.about]), self.taken).as_dict()
        return found

    def backward(self, b: Backward, sizes: Mapping[str, int]) -> Json:
        left = show(gradient(b.of), self.taken)
        plain = {
            "name": b.of.attrs[0],
            "auxiliary": b.auxiliary,
            "wrt": b.of in self.d.wrt,
            "shape": [str(n) for n in b.of.shape],
            "left": left.as_dict(),
            "value": self.math(b.value),
            "closed": self.math(b.closed),
            "trivial": b.value.op.number,
            "ranges": ranges_shown(b.ranges),
            "needed": b.auxiliary and family_of(b.of.attrs[0]) in self.mentioned,  # a shown equation speaks of it
            "index": None, "roles": None, "used": [], "entries": [], "entries_left_out": False,
            **self.why_not(b.of),
        }  # fmt: skip
        if "why" not in self.parts:
            return plain
        users = users_of(self.d, b) if isinstance(self.d, Recurrence) else self.users.get(b.of, [])
        used = used_where(self.d, b.of, users, self.letters, self.objective)
        value = b.closed
        found = roles(b.of, without_sums(value), self.letters)
        return {
            **plain,
            "index": self.index(b, value, found),
            "roles": None if found is None else roles_record(found, self.taken, self.said),
            "used": [self.said(s) for s in used],
            **(self.entries(b, sizes) if "entries" in self.parts and not series_ranges(value) else {}),
        }

    def why_not(self, v: Expr) -> Json:
        """The answer to "why not", or the name of the equation that has the same answer."""
        found = self.header.get("why_not", {}).get(v.attrs[0])
        like = isinstance(found, str)
        return {
            "why_not": None
            if found is None or like
            else why_not_record(
                found, lambda e: show(e, self.taken).as_dict(), self.taken, self.objective, self.d.target, self.d.seed
            ),
            "why_not_like": found if like else None,
        }

    def index(self, b: Backward, value: Expr, found: Roles | None) -> Json | None:
        """The entry of the gradient, from the very products that the role table speaks of."""
        legs = self.letters.outs(b.of.shape)
        left = indexed(gradient(b.of), legs, self.taken)
        evidence = self.expanded.get((b.of.attrs[0], without_sums(value)))
        if not evidence:  # not compared with the matrix form: not shown
            return None
        if found is not None and not found.left_out and not series_ranges(value):
            right = products_text([t.product for t in found.terms], self.taken, self.letters)
        elif sum(1 for _ in postorder(value)) <= _CHEAP:
            right = indexed(value, legs, self.taken, self.letters)
        else:
            return None
        return {"left": left.as_dict(), "right": right.as_dict(), "evidence": [evidence_of(e) for e in evidence]}

    def diagrams(self) -> list[Json]:
        return [diagram(g, self.taken, self.math, self.said) for g in self.d.diagrams]

    def entries(self, b: Backward, sizes: Mapping[str, int]) -> Json:
        rows = entries(b.closed, sizes, most=_LINES) or []
        shown = []
        for index, parts in rows[:_LINES]:
            at = ("," if any(len(x) > 1 for x in index) else "").join(index)
            name, E = show(b.of, self.taken), self.objective
            sub = f"_{at}" if at else ""
            inside = f"({name.latex})" if "_{" in name.latex and at else name.latex
            tex = rf"\frac{{\partial {latex_name(E)}}}{{\partial {inside}{f'_{{{at}}}' if at else ''}}}"
            left = Printed(f"∂{E}/∂{name.text}{sub}", f"d{E}/d{name.ascii}{sub}", tex)
            shown.append({"left": left.as_dict(), "right": products_text(parts, self.taken).as_dict()})
        return {"entries": shown, "entries_left_out": len(rows) > _LINES}


def _open(e: Expr) -> Sequence[str] | None:
    """The open letters of an index sum are its own."""
    for x in postorder(e):
        if x.shape == e.shape and x.op.sums:
            return tuple(str(x.attrs[0]).split("->")[1])
    return None


def _plain(e: Expr) -> Expr:
    """⟨1, t⟩ of numbers is written t, and ⟨s, t⟩ is written s t."""
    one = rational(1)

    def change(x: Expr, args: tuple[Expr, ...]) -> Expr:
        if x.op.pairing and not args[0].order:
            return args[1] if args[0] is one else args[0] if args[1] is one else args[0] * args[1]
        return x if args == x.args else Expr.make(x.op, args, x.attrs, x.shape)

    return rebuild(e, change)


def record(derivation: Derivation, header: Mapping[str, Any], parts: Collection[str] = ALL) -> Json:
    """Everything that is shown of a proved derivation. Raises CheckFailed if a step has no evidence.

    `header` says what only the reader of the program knows: source, dialect, surface (name → its line), assumptions,
    functions (name → kind), final (the evidence for the whole), why_not (name → WhyNot, or the name of
    an equation with the same answer), names (what gradients are called). All of it is optional.
    `parts` may leave out what will not be looked at: the index derivation, index sums beside formulas, the role tables
    and uses (`why`), the entries at small sizes, the graph of the program, the diagrams. The record that is written to a file has them all.
    """
    r = _Recorder(derivation, header, parts)
    named = (x for b in derivation.backward for x in (b.of, *filter(is_name, postorder(b.value))))
    sizes = derivation.readings.get("sizes") or default_sizes([*r.variables, *named])
    steps = [r.step(s) for s in derivation.steps]
    index = [r.index_step(s) for s in derivation.index_steps] if "index" in parts else []
    own = own_functions_record(derivation.functions, r.taken)
    inside = function_steps(own)
    user, core = r.forward()
    kept = [s for s in derivation.steps if s.kind in ("readoff", "collect", "simplify", "inline")]
    target = derivation.target
    return {
        "format": FORMAT,
        "header": {
            "source": str(header.get("source", "")),
            "dialect": str(header.get("dialect", "")),
            "assumptions": [r.prose(str(a)) for a in header.get("assumptions", ())],
            "functions": [
                {"name": str(k), "ascii": ascii_text(str(k)), "latex": latex_name(str(k)), "kind": str(v)}
                for k, v in dict(header.get("functions", {})).items()
            ],
            "constants": [r.said(s) for s in constants(derivation)],
            "objective": {
                "name": r.objective,
                "latex": latex_name(r.objective),
                "ascii": ascii_text(r.objective),
            },
            "target": {"name": target.attrs[0], "shape": [str(n) for n in target.shape]},
            "seed": None
            if derivation.seed is None
            else {
                "left": r.math(gradient(target)),
                "right": r.math(derivation.seed),
                "increment": r.math(increment(target)),
            },
            "wrt": [v.attrs[0] for v in derivation.wrt],
            "naming": r.naming(),
            "sizes": sizes,
        },
        "names": r.names(),
        "forward": user,
        "core": core,
        **({"own_functions": own} if own else {}),
        "steps": steps,
        "axes": r.axes(),
        "recurrences": [
            {
                "name": b.of.attrs[0],
                "left": r.math(gradient(b.of)),
                "right": r.math(b.closed),
                "ranges": ranges_shown(b.ranges),
            }
            for b in derivation.recurrences
        ],
        "blocks": blocks(derivation, r.math),
        "index_steps": index,
        **readings_record(r, parts),
        "backward": [r.backward(b, sizes) for b in derivation.backward],
        "graph": program_graph(derivation, r.math) if "graph" in parts else None,
        "neurons": neurons(derivation, header["sizes"], r.taken, r.math) if "neurons" in parts else None,
        "diagrams": r.diagrams() if "diagrams" in parts else [],
        "diagram_steps": [r.step(s) for g in derivation.diagrams for s in g.steps] if "diagrams" in parts else [],
        "checks": checks([*inside, *steps]),
        "final": [
            {"level": f["level"], "detail": str(f["detail"]), "data": as_json(f["data"])}
            for f in header.get("final", ())
        ],
        "versions": {"pullback": __version__},
        "counts": {"steps": len(inside) + len(steps), "results": len(kept)},
    }
