"""What is true of an op, a law, a rule or an error code, why, and the derivation behind it.

An op is explained from its declaration: what it is, when it may be used, its differential with reasons. Its definition,
where it has one, is derived as a program of its own and checked as any other: that derivation is the proof of the lemma.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from ._version import __version__
from .algebra.dims import Dim, Shape
from .algebra.expr import Expr, rebuild, substitute
from .algebra.op import REGISTRY, Op
from .algebra.ops.arithmetic import added
from .algebra.ops.free import increment, is_var, var
from .api import Derived, derive
from .calculus import laws
from .calculus.law import LAWS, NOT_LAWS, Law
from .calculus.lemma import definition_of, differentiate
from .calculus.product import product_rule
from .calculus.reason import instantiate, reason_of
from .calculus.rules import RULES, Rule
from .errors import ParseError, PullbackError, UnsupportedError, nearest
from .language.functions import is_known
from .language.operators import program_of
from .proof.equality import Question, decide
from .show.explained import EXPLANATION_FORMAT, document
from .show.notation import show
from .show.prose import fill
from .shown import Shown

__all__ = ["Explanation", "explain"]

assert laws, "importing the laws declares them"
_MOST = 12  # ops named in a list
_CODE = re.compile(r"[PSUC]\d{3}")
_KINDS = {
    "P": "the text or the command cannot be read, or names something that is not there (exit code 2, ParseError)",
    "S": "the text can be read, but its shapes do not fit (exit code 3, ShapeError)",
    "U": "meaningful mathematics that this version does not derive (exit code 4, UnsupportedError)",
    "C": "a check of the derivation failed: the result is withheld (exit code 1, CheckFailed)",
}
# Data for an example, where the declaration does not say what is left out.
_DATA: Mapping[str, tuple[Any, ...]] = {
    "axis": (0,), "axes": ((0,),), "exponent": (3,), "n": (1,), "dim": (Dim.symbol("k"), Dim.number(2)), "new": (0,), "times": (Dim.number(3),),
    "shift": (Dim.number(1),), "classes": (Dim.symbol("c"),), "total": (Dim.symbol("t"),), "start": (Dim.number(0),), "offset": (Dim.number(0),),
    "heads": (Dim.number(2),), "groups": (Dim.number(2),), "spec": ("ij,jk->ik", "i->"), "order": ((1, 0),), "step": (2,), "reduction": ("mean",),
    "dims": ((Dim.symbol("m"), Dim.symbol("n")),), "width": ((Dim.number(2),),), "stride": ((1,),), "count": ((Dim.symbol("n"),),),
}  # fmt: skip

Json = dict[str, Any]


class Explanation(Shown):
    """The answer of `explain`: `kind` is "op", "law", "rule" or "code"."""

    document = document

    def __init__(
        self, kind: str, name: str, sections: Sequence[Json], derived: Derived | None = None, title: str = ""
    ) -> None:
        self.kind, self.name, self.sections, self.derived, self._title = kind, name, tuple(sections), derived, title

    @cached_property
    def record(self) -> Json:
        """Everything that is shown, as plain data (docs/record.md)."""
        return {
            "format": EXPLANATION_FORMAT,
            "kind": self.kind,
            "name": self.name,
            "title": fill(self.name, {}).as_dict(),
            "sections": list(self.sections),
            "derived": self._title,
            "derivation": None if self.derived is None else self.derived.record,
            "versions": {"pullback": __version__},
        }

    def __repr__(self) -> str:
        return self.text()


def explain(name: str) -> Explanation:
    """What is true of an op, a law, a rule or an error code, and why.

    >>> explain("transpose_of_product").kind
    'law'

    Raises ParseError P070 for a name that none of them has, UnsupportedError U001 for a function that is not derived.
    """
    word = name.strip() if isinstance(name, str) else str(name)
    ops = [o for o in REGISTRY.values() if word in (o.name, *o.calls, o.token)]
    if ops:
        first = next((o for o in ops if o.name == word), ops[0])
        return _op(first, [o for o in ops if o is not first])
    law = next((x for x in sorted((*LAWS, *NOT_LAWS), key=lambda x: abs(x.order - 2)) if x.name == word), None)
    if law is not None:
        return _law(law)
    found = {word, word.upper()} & {*RULES, *_declared()}
    if found:
        return _rule(found.pop())
    if _CODE.fullmatch(word.upper()):
        return _code(word.upper())
    if is_known(word):
        raise UnsupportedError("U001", f"{word} is not supported in this version: there is nothing to explain",
                               hint="docs/ops.md lists the ops")  # fmt: skip
    known = sorted(
        {w for o in REGISTRY.values() for w in (o.name, *o.calls)} | {x.name for x in LAWS} | {*RULES, *_declared()}
    )
    close = nearest(word, known) or nearest(word.upper(), known)
    raise ParseError("P070", f"nothing is called {word[:60]}", expected="the name of an op, a law, a rule or an error code",
                     hint=f"did you mean {close}?" if close else "docs/ops.md lists the ops")  # fmt: skip


# ---- what sections are made of


def _section(title: str, items: Sequence[Json], many: bool = False) -> Json:
    return {"title": title, "list": many, "items": list(items)}


def _sentence(template: str, bind: Mapping[str, Any] | None = None) -> Json:
    return {"kind": "sentence", "said": fill(template, bind or {}).as_dict()}


def _formula(left: Expr, right: Expr, relation: str = "=") -> Json:
    return {"kind": "formula", "left": show(left).as_dict(), "relation": relation, "right": show(right).as_dict()}


# ---- ops


def _example(op: Op) -> Expr | None:
    """A node of the op on names, of low order; None if its declaration does not say enough."""
    free = [k for k in op.attr_names if k not in op.defaults]
    if any(k not in _DATA for k in free):
        return None
    slots = op.slots * 2 if op.variadic else op.slots
    letters = [Dim.symbol(c) for c in "nmkp"]
    for data in product(*(_DATA[k] for k in free)):
        for order, other in product((1, 2, 3, 4, 0), repeat=2):
            shapes: list[Shape] = []
            for k, (_, pattern) in enumerate(slots):
                if pattern[:1] in (("*s",), ("*t",)):
                    count = order if pattern == ("*s",) else other
                    shapes.append(
                        tuple(letters[:count][::-1]) if k == 0 or pattern == ("*s",) else tuple(letters[:count])
                    )
                else:
                    shapes.append(tuple(Dim.of(int(c)) if c.isdecimal() else Dim.symbol(c) for c in pattern))
            names = [n if not op.variadic else f"X{k + 1}" for k, (n, _) in enumerate(slots)]
            args = [var("T" if n == "E" else n, s, facts=("index",) if slots[k][0] in op.fixed else ())
                    for k, (n, s) in enumerate(zip(names, shapes, strict=True))]  # fmt: skip
            try:
                e = op(*args, **dict(zip(free, data, strict=True)))
                if op.define is None or (op.define(e, *e.args).shape == e.shape and definition_of(e)):
                    return e
            except (PullbackError, ValueError, TypeError, IndexError, AttributeError):
                continue
    return None


def _op(op: Op, others: Sequence[Op]) -> Explanation:
    e = _example(op)
    slots = ", ".join(f"{n}: {_shape(p)}" for n, p in op.slots)
    lines = [f"{slots} → {_shape(op.result)}" if op.slots else "a constant"]
    if op.calls:
        lines.append("called " + ", ".join(op.calls))
    lines += [f"{key}: an option, {kind}" for key, kind in (op.options[k] for k in op.attr_names if k in op.options)]
    lines += [
        f"by the same name, for other arguments: {o.name}, {o.signature.replace('->', '→')}" for o in others[:_MOST]
    ]
    if e is None:
        told = [_sentence(_plain(op.doc))]
        reasons = [_sentence(f"{n}, by {r.rule}: {_plain(r.statement)}" + (f". {_plain(r.proof)}" if r.proof else ""))
                   for n, r in op.reasons.items()]  # fmt: skip
        parts = [_section("WHAT IT IS", told), _section("ARGUMENTS", [_sentence(x) for x in lines], True)]
        parts += [_section("REASONS", reasons, True)] if reasons else []
        return Explanation("op", op.name, parts)
    Y = var(next(n for n in ("Y", "Z", "V", "R") if all(a.attrs[0] != n for a in e.args)), e.shape)
    bind: dict[str, Any] = {}
    slot_of = _bound(e)
    sections = [_section("WHAT IT IS", [_formula(Y, e), _sentence(op.doc, slot_of)])]
    sections.append(_section("ARGUMENTS", [_sentence(x) for x in lines], True))
    if op.define is not None:
        sections.append(_section("DEFINITION", [_formula(e, op.define(e, *e.args))]))
    conditions = [x for x in (op.needs(e) if callable(op.needs) else op.needs, op.jumps, op.kink) if x]
    if conditions:
        sections.append(_section("CONDITIONS AND CONVENTIONS", [_sentence(c, slot_of) for c in conditions], True))
    moving = [a for k, a in enumerate(e.args) if k >= len(op.slots) or op.slots[k][0] not in op.fixed]
    if not moving:
        return Explanation("op", op.name, sections)
    sections += _differential(op, e, Y, moving, bind)
    return Explanation("op", op.name, sections, *_derived(e, Y, moving))


def _differential(op: Op, e: Expr, Y: Expr, moving: Sequence[Expr], bind: dict[str, Any]) -> Iterator[Json]:
    """dY, and the reason for every argument; nothing where the differential is refused."""
    try:
        terms = product_rule(e, set(moving), differentiate)
    except PullbackError as why:
        yield _section("DIFFERENTIAL", [_sentence(why.message)])
        return
    total = added([t.expr for t in terms])
    items = [_formula(increment(Y), total)]
    for k, a in enumerate(e.args):
        if a in moving and not op.composite:
            reason = reason_of(e, k)
            G = var("G", e.shape)
            parts = [instantiate(t, e, k, bind, G=G) if op.linear else instantiate(t, e, k, bind)
                     for t in (reason.statement, reason.proof) if t]  # fmt: skip
            items.append(_sentence(f"by {reason.rule} in ${_key(bind, a)}: " + ". ".join(parts), bind))
    if op.composite:
        items.append(_sentence(f"This is the lemma {op.name.upper()}, which the derivations that use it cite as D-LEMMA. "
                               "It is derived from the definition below."))  # fmt: skip
    yield _section("DIFFERENTIAL", items)


def _key(bind: dict[str, Any], a: Expr) -> str:
    bind[f"arg{len(bind)}"] = a
    return f"arg{len(bind) - 1}"


def _bound(e: Expr) -> dict[str, Any]:
    """What `$A` and `$0` in the sentences of the declaration stand for."""
    names = {n: a for (n, _), a in zip(e.op.slots, e.args, strict=False)}
    return {**names, **{str(k): a for k, a in enumerate(e.args)}}


def _derived(e: Expr, Y: Expr, moving: Sequence[Expr]) -> tuple[Derived | None, str]:
    """The gradients of Y = its definition (else of Y = the op), derived and checked; None where that is refused."""
    tried = [({Y: e}, "DERIVED FROM THE DECLARATION")]
    if e.op.define is not None:
        body = {Y: e.op.define(e, *e.args)}
        tried = [(_parts(e, Y), "DERIVED FROM THE DEFINITION"), (body, "DERIVED FROM THE DEFINITION"), *tried]
    taken = {a.attrs[0] for a in (Y, *e.args)}
    seed = next(n for n in ("G", "H", "W", "Q") if n not in taken)
    for equations, title in tried:
        named = {v.attrs[0]: value for v, value in equations.items()}
        try:
            program = program_of(named, given=(Y.attrs[0], seed) if Y.order else None, wrt=[a.attrs[0] for a in moving])
            return derive(program), title
        except PullbackError:
            continue
    return None, ""


def _parts(e: Expr, Y: Expr) -> dict[Expr, Expr]:
    """The definition as equations with names of their own."""
    taken = {a.attrs[0] for a in e.args}
    fresh = (n for k in range(1, 1000) if (n := f"t{k}") not in taken)
    bind: dict[Expr, Expr] = {}
    found: dict[Expr, Expr] = {}
    equations = definition_of(e)
    for v, value in equations:
        bind[v] = Y if v is equations[-1][0] else var(next(fresh), v.shape)
        found[bind[v]] = substitute(value, bind)
    return found


def _shape(pattern: Sequence[str]) -> str:
    if not pattern:
        return "a number"
    return "any shape" if pattern[0][:1] == "*" else f"({', '.join(pattern)})"


def _plain(template: str) -> str:
    """A template without what it is about."""
    return template.replace("$0", "the argument").replace("$", "")


# ---- laws, rules, codes


def _law(law: Law) -> Explanation:
    """Both sides, the reason, and whether it holds: what is false is kept to be refuted."""
    left, right = (_free(x) for x in (law.left, law.right))
    verdict = decide(Question(left, right))
    sections = [
        _section("WHAT IT SAYS" if verdict.holds else "WHAT IT WOULD SAY", [_formula(left, right)]),
        _section("WHY" if verdict.holds else "WHY ONE MIGHT THINK SO", [_sentence(" ".join(law.reason.split()))]),
    ]
    if law.where:
        sections.append(_section("WHERE", [_sentence(law.where)]))
    found = [_sentence(f"{x.level}: {x.detail}") for x in verdict.evidence]
    if not verdict.holds:
        found.insert(0, _sentence("It is false: `pullback prove` shows a counterexample."))
    sections.append(_section("CHECKS", found, True))
    return Explanation("law", law.name, sections)


def _free(e: Expr) -> Expr:
    """A law's pattern as an expression in ordinary names."""
    return rebuild(
        e,
        lambda n, a: (
            var(n.attrs[0], n.shape) if is_var(n, "law") else n if a == n.args else Expr.make(n.op, a, n.attrs, n.shape)
        ),
    )


def _declared() -> dict[str, list[tuple[Op, str, str]]]:
    """The rules that ops declare: for each, the ops with what they say of it."""
    found: dict[str, list[tuple[Op, str, str]]] = {}
    for o in REGISTRY.values():
        for r in o.reasons.values():
            found.setdefault(r.rule, []).append((o, r.statement, r.proof))
    return found


def _rule(name: str) -> Explanation:
    sections: list[Json] = []
    rule = RULES.get(name)
    if rule is not None:
        sections += [_section("WHAT IT SAYS", [_sentence(rule.statement)]), _section("WHY", [_sentence(rule.proof)])]
        sections += _used(name, rule)
    ops = _declared().get(name, [])
    if ops:
        said = dict.fromkeys(f"{o.name}: {_plain(s)}" + (f". {_plain(p)}" if p else "") for o, s, p in ops)
        items = [_sentence(x) for x in list(said)[:_MOST]]
        more = len({o.name for o, _, _ in ops}) - _MOST
        items += [_sentence(f"and {more} more")] if more > 0 else []
        sections.append(_section("WHAT IT SAYS OF EACH OP", items, True))
    return Explanation("rule", name, sections)


def _used(name: str, rule: Rule) -> Iterator[Json]:
    """The steps of the example that use the rule."""
    if not rule.example:
        return
    style = "" if rule.style == "pairing" else f" --style {rule.style}"
    items = [_sentence(f'`pullback derive -e "{rule.example}"{style}`')]
    steps = [s for s in derive(rule.example).derivation.steps if name in s.rules] if rule.style == "pairing" else []
    for s in steps[:2]:
        if isinstance(s.left, Expr) and isinstance(s.right, Expr) and s.relation:
            items.append({"kind": "step", "left": show(s.left).as_dict(), "relation": s.relation, "right": show(s.right).as_dict(),
                          "rules": list(s.rules), "why": fill(s.why.explain or s.why.terse, s.why.bind).as_dict()})  # fmt: skip
    yield _section("EXAMPLE", items)


def _code(code: str) -> Explanation:
    """What the page of the errors says, where that page is at hand."""
    here = Path(__file__).resolve()
    pages = [p for p in (here.parent / "errors.md", here.parents[2] / "docs" / "errors.md") if p.is_file()]
    text = pages[0].read_text(encoding="utf-8") if pages else ""
    found = re.search(rf"(?ms)^### {code}: (.*?)\n(.*?)(?=^##|\Z)", text)
    kind = _sentence(f"{code[0]}: {_KINDS[code[0]]}")
    if text and found is None:
        close = nearest(code, re.findall(r"(?m)^### ([PSUC]\d\d\d):", text)) if code[1] == "0" else None
        raise ParseError("P070", f"there is no error {code}", expected="a code of docs/errors.md, such as P002",
                         hint=f"did you mean {close}?" if close else "")  # fmt: skip
    if found is None:
        return Explanation("code", code, [_section("KIND", [kind])])
    told, _, example = found[2].strip().partition("```")
    sections = [
        _section(
            "WHAT IT SAYS",
            [_sentence(found[1]), *(_sentence(" ".join(p.split())) for p in told.split("\n\n") if p.strip())],
        )
    ]
    sections.append(_section("KIND", [kind]))
    shown = [x for x in example.splitlines()[1:] if x.startswith("$ ")]
    if shown:
        sections.append(_section("EXAMPLE", [_sentence(f"`{shown[0][2:]}`")]))
    return Explanation("code", code, sections)
