"""A Jacobian or a Hessian as a record and as a page: what is given, the array, how it came about, what confirms it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._version import __version__
from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import is_var
from ..calculus.own_functions import OwnFunction
from ..calculus.roles import Letters
from ..calculus.stacked import Form
from ..errors import CheckFailed
from ..step import Evidence, Said, Step
from .constants import constants_in
from .document import Calc, Document, Head, Para, Table, join, math, plain, said
from .evidence import checks, evidence_of
from .names import ascii_text, latex_name
from .notation import Printed, show
from .own_functions import function_steps, own_functions_record
from .prose import fill
from .stacked import written
from .styles.common import definitions, mixed, shape
from .styles.own_functions import own_functions

__all__ = ["ARRAY_FORMAT", "Array", "array_record", "document", "symbol"]

ARRAY_FORMAT = "pullback-jacobian/1"

Json = dict[str, Any]
Part = Head | Para | Calc | Table


@dataclass(frozen=True, slots=True)
class Array:
    """What is shown of one: ∂target/∂wrt, or the second derivative of the target in both names of `wrt`."""

    target: Expr
    wrt: tuple[Expr, ...]
    value: Expr
    form: Form | None  # as one matrix, both sides stacked
    no_form: str  # why there is none
    equations: Sequence[tuple[Expr, Expr]]
    inputs: Sequence[Expr]
    gradients: Sequence[tuple[Expr, Expr]]  # that the result speaks of
    cotangent: Expr
    own: Sequence[tuple[Expr, Expr]]  # our names for parts of the equations
    backward: Sequence[tuple[Expr, Expr]]  # with the cotangent
    opened: Sequence[tuple[Expr, Expr]]  # without it
    of: Expr  # what these are derivatives of: the target, or the name of its gradient
    program: Sequence[tuple[Expr, Expr]]  # of a Hessian: what the backward equations of the target are called
    steps: Sequence[Step]
    evidence: Sequence[Evidence]


def symbol(target: str, wrt: Sequence[str]) -> Printed:
    """∂y/∂x, ∂²E/∂v∂x."""
    power = "²" if len(wrt) > 1 else ""
    below = "".join(f"∂{w}" for w in wrt)
    plain_below = "".join(f"d{ascii_text(w)}" for w in wrt)
    tex = r"\,".join(rf"\partial {latex_name(w)}" for w in wrt)
    return Printed(
        f"∂{power}{target}/{below}",
        f"d{'2' if power else ''}{ascii_text(target)}/{plain_below}",
        rf"\frac{{\partial{'^2' if power else ''} {latex_name(target)}}}{{{tex}}}",
    )


def conditions_of(steps: Sequence[Step]) -> list[Said]:
    found: dict[tuple[Any, ...], Said] = {}
    for s in steps:
        for c in s.conditions:
            found.setdefault((c.template, *c.bind.items()), c)
    return list(found.values())


def array_record(a: Array, functions: Sequence[OwnFunction], header: Mapping[str, Any]) -> Json:
    """Everything that is shown, as plain data. Raises CheckFailed if a step has no evidence."""
    roots = [*a.inputs, *(e for q in (*a.equations, *a.own, *a.program, *a.backward, *a.opened) for e in q)]
    taken = frozenset(x.attrs[0] for x in postorder(*roots) if is_var(x))
    letters = Letters([*a.inputs, *(v for v, _ in a.equations)])

    def equation(left: Printed, value: Expr) -> Json:
        right = show(value, taken)
        whole = Printed(f"{left.text} = {right.text}", f"{left.ascii} = {right.ascii}", f"{left.latex} = {right.latex}")
        return {"equation": whole.as_dict(), "shape": [str(n) for n in value.shape]}

    def plain_math(e: Expr | None) -> Json | None:
        return None if e is None else show(e, taken).as_dict()

    def step(s: Step) -> Json:
        if not s.evidence:
            raise CheckFailed("C001", f"step {s.id} ({', '.join(s.rules)}) has no evidence, so it is not shown")
        return {
            "id": s.id, "kind": s.kind, "about": s.about, "left": plain_math(s.left), "relation": s.relation,
            "right": plain_math(s.right), "rules": list(s.rules), "why": fill(s.why.terse, s.why.bind, taken).as_dict(),
            "premises": list(s.premises), "claim": s.claim.kind, "evidence": [evidence_of(e) for e in s.evidence],
        }  # fmt: skip

    names = [str(v.attrs[0]) for v in a.wrt]
    steps = [step(s) for s in a.steps]
    conditions: dict[str, Json] = {}
    for c in conditions_of(a.steps):
        trio = fill(c.template, c.bind, taken).as_dict()
        conditions.setdefault(trio["text"], trio)
    inner = str(a.of.attrs[0])
    own = own_functions_record(functions, taken)
    return {
        "format": ARRAY_FORMAT,
        "header": {
            "source": str(header.get("source", "")),
            "dialect": str(header.get("dialect", "")),
            "assumptions": [fill(str(x), {}, taken).as_dict() for x in header.get("assumptions", ())],
            "functions": [{"name": str(k), "kind": str(v)} for k, v in dict(header.get("functions", {})).items()],
        },
        "order": len(a.wrt),
        "target": {"name": a.target.attrs[0], "shape": [str(n) for n in a.target.shape]},
        "wrt": [{"name": v.attrs[0], "shape": [str(n) for n in v.shape]} for v in a.wrt],
        "constants": [fill(c.template, c.bind, taken).as_dict() for c in constants_in(e for _, e in [*a.opened, *a.backward, ("", a.value)])],
        "equations": [equation(show(v, taken), e) for v, e in a.equations],
        "names": [{"name": show(v, taken).as_dict(), "shape": [str(n) for n in v.shape]} for v in a.inputs],
        "result": {
            **equation(symbol(str(a.target.attrs[0]), names), a.value),
            "value": show(a.value, taken).as_dict(),
            "matrix": None if a.form is None else written(a.form, taken, letters).as_dict(),
            "no_matrix": a.no_form,
        },
        "gradients": [equation(show(v, taken), e) for v, e in a.gradients],
        "of": show(a.of, taken).as_dict(),
        "own": [equation(show(v, taken), e) for v, e in a.own],
        "program": [equation(show(v, taken), e) for v, e in a.program],
        "cotangent": show(a.cotangent, taken).as_dict(),
        "backward": [equation(show(v, taken), e) for v, e in a.backward],
        "opened": [equation(symbol(inner, [str(v.attrs[0])]), e) for v, e in a.opened],
        "conditions": list(conditions.values()),
        **({"own_functions": own} if own else {}),
        "steps": steps,
        "checks": checks([*function_steps(own), *steps]),
        "final": [evidence_of(e) for e in a.evidence],
        "versions": {"pullback": __version__},
    }  # fmt: skip


# ---- the page ----------------------------------------------------------------------------------------------


def document(record: Mapping[str, Any]) -> Document:
    """The program, the array, the derivation in short, the conditions and the checks."""
    second = record["order"] > 1
    of, by = record["target"]["name"], " and ".join(dict.fromkeys(v["name"] for v in record["wrt"]))
    what = "Hessian" if len({v["name"] for v in record["wrt"]}) == 1 else "mixed second derivative"
    doc = Document(mixed(f"The {what if second else 'Jacobian'} of {of} with respect to {by}"))
    doc.parts += _given(record)
    doc.parts += _result(record)
    doc.parts += own_functions(record, 2)
    doc.parts += _derivation(record, second)
    if record["conditions"]:
        doc.parts.append(Head(plain("CONDITIONS")))
        doc.parts += [Para(said(c), bullet="– ") for c in record["conditions"]]
    doc.parts.append(Head(plain("CHECKS")))
    total = len(record["steps"]) + len(function_steps(record.get("own_functions", [])))
    doc.parts += [
        Para(mixed(f"{c['level']}, {len(c['steps'])} of {total} steps: {c['detail']}"), bullet="– ")
        for c in record["checks"]
    ]
    doc.parts += [Para(mixed(f"the result, {e['level']}: {e['detail']}"), bullet="– ") for e in record["final"]]
    return doc


def _given(record: Mapping[str, Any]) -> Iterator[Part]:
    yield Head(plain("GIVEN"))
    yield from definitions(record)
    yield _table(record["equations"])
    if record["names"]:
        yield Table(tuple((math(n["name"]), shape(n["shape"])) for n in record["names"]))
    for a in record["header"]["assumptions"]:
        yield Para(said(a), bullet="assumed: ")


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(tuple((math(q["equation"]), shape(q["shape"])) for q in rows))


def _result(record: Mapping[str, Any]) -> Iterator[Part]:
    r = record["result"]
    yield Head(plain("RESULT"))
    yield _table([r])
    first = record["wrt"][0] if record["order"] > 1 else record["target"]
    sides = [(first["name"], len(first["shape"])), (record["wrt"][-1]["name"], len(record["wrt"][-1]["shape"]))]
    said_axes = [f"{'the axis' if n == 1 else f'the {n} axes'} of {v}" for v, n in sides if n]
    if len(r["shape"]) > 1:
        yield Para(mixed(f"Axes: {', then '.join(said_axes)}."))
    if len(r["shape"]) > 2:
        if r["matrix"] is not None:
            yield Para(mixed("As one matrix, both sides stacked by columns (vec):"))
            yield Calc(math(r["matrix"]))
        else:
            yield Para(mixed(f"It has no form as a product ⊗ of matrices: {r['no_matrix']}."))
    yield from (Para(said(c)) for c in record["constants"])
    if record["gradients"]:
        yield Para(mixed(f"with the gradients of {record['target']['name']}:"))
        yield _table(record["gradients"])


def _derivation(record: Mapping[str, Any], second: bool) -> Iterator[Part]:
    yield Head(plain("DERIVATION"))
    G, of = record["cotangent"], record["of"]
    if record["own"]:
        yield Para(mixed("Names for parts:"))
        yield _table(record["own"])
    if second:
        yield Para(
            mixed(
                f"The backward equations of {record['target']['name']} are equations too, each gradient with a name of its own:"
            )
        )
        yield _table(record["program"])
    yield Para(mixed(f"{'These have, for' if second else 'For'} any cotangent {G['text']} of {of['text']}, the backward equations"
                     f"{'' if second else ' are'}:"))  # fmt: skip
    yield _table(record["backward"])
    yield Para(
        mixed(f"Each is linear in {G['text']}. Take {G['text']} out and leave its axes open, first of all axes:")
    )
    yield _table(record["opened"])
    if record["opened"][-1]["equation"]["text"].split(" = ", 1)[1] == record["result"]["value"]["text"]:
        return
    yield Para(mixed("Written in the names of the program:"))
    yield Calc(join([record["result"]["equation"]]))
