"""Expressions as they are written: Unicode, ASCII and LaTeX from one precedence scheme.

The printed form of an op is its own template; no op is known by name here. Printing is two passes, one up the
DAG for what decides brackets, one down for the text, both without recursion.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ..algebra.expr import Expr, postorder
from ..algebra.op import ATOM, NEG, POSTFIX, PRODUCT, SUM, TIMES
from ..algebra.ops.free import is_name, is_var
from ..algebra.ops.structure import ones
from ..step import Increment
from .names import Taken, ascii_name, ascii_text, latex_name, marked

__all__ = ["Printed", "ascii", "binding", "latex", "precedence", "show", "text"]

_LIMIT = 1_000_000  # characters after which a printed form is cut: nobody reads it
_SLOT = re.compile(r"\$([A-Za-z]+|\d+)(?::(\d+))?|@([^@]*)@")
_ONE = ones(())
_NUMERAL = "0123456789½⅓¼¾"
_RAISED = "^ᵀ⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Printed:
    """One formula in the three notations."""

    text: str
    ascii: str
    latex: str

    def as_dict(self) -> dict[str, str]:
        return {"text": self.text, "ascii": self.ascii, "latex": self.latex}


@dataclass(slots=True)
class _Child:
    node: Expr
    bracket: str = ""
    bare: bool = False  # without its leading minus sign, which the operator in front has taken


@dataclass(slots=True)
class _Form:
    """How one node is written, and what its neighbours must know of it."""

    pieces: list[str | _Child]
    prec: int
    minus: bool = False  # starts with a minus sign
    number: bool = False  # starts with a digit
    ends_in_number: bool = False
    bar: bool = False  # holds a ‖ outside of parentheses
    raised: bool = False  # ends with a superscript
    angle: bool = False  # ASCII: starts with <
    bracket: bool = False  # ends with ]


class _Printer:
    def __init__(self, target: str, taken: Collection[str]) -> None:
        self.target, self.taken = target, taken
        self.forms: dict[Expr, _Form] = {}

    # ---- up: forms

    def plan(self, root: Expr) -> None:
        for e in postorder(root):
            self.forms[e] = self.leaf(e) if not e.args else self.inner(e)

    def literal(self, piece: str) -> str:
        return ascii_text(piece) if self.target == "ascii" else piece

    def template(self, e: Expr) -> str:
        chosen = e.op.latex if self.target == "latex" and e.op.latex else e.op.text
        found = str(chosen(e) if callable(chosen) else chosen)
        if self.target == "ascii" and e.op.ascii:
            return str(e.op.ascii)
        if self.target == "latex":
            found = found.replace(r"$\to$", r"}\to\texttt{")
            found = re.sub(r"\\sqrt\((\$\w+:0)\)", r"\\sqrt{\1}", found)
            if e.args:
                return re.sub(r"(?<![\w$\\@])[^\W\d_]\w*(?:_\w+|\[[^\]]*\])", lambda m: latex_name(m[0]), found)
            sizes = re.sub(r"(?<![\w\\])[^\W\d_]\w*(?<!_)(?:\[[^\]]*\])?", lambda m: latex_name(m[0]), found)
            return sizes.replace("*", r"\,")
        found = re.sub(r"(\^∘?\(?)-", r"\1−", found)
        return re.sub(r"\^(−?\d+)$", lambda m: m[1].replace("−", "-").translate(_SUPERSCRIPT), found)

    def leaf(self, e: Expr) -> _Form:
        if is_name(e):
            name, kind = e.attrs[:2]
            return _Form([marked(name, kind, self.target, self.taken)], binding(kind, self.target, self.taken))
        body = self.template(e)
        number = (body[:1] in _NUMERAL and body[:2] != "1_") or body.startswith(r"\tfrac")
        prec = ATOM
        if body.startswith("-"):
            prec = NEG
        if self.target == "latex":
            return _Form([body], prec, minus=prec == NEG, number=number, ends_in_number=number)
        body = body.replace("-", "−")
        if self.target == "ascii":
            body = ascii_text(body)
        return _Form([body], prec, minus=prec == NEG, number=number, ends_in_number=number)

    def inner(self, e: Expr) -> _Form:
        below = e.args[0]
        short = below.op.turned if e.op.token == "T" else ("", "")  # X⁻ᵀ for the transpose of X⁻¹
        source = short[self.target == "latex"] or self.template(e)
        e = below if short[0] else e
        slots = {n: k for k, (n, _) in enumerate(e.op.slots)}
        form = _Form([], e.op.fix)
        at = 0
        fallback = not source
        if fallback:
            source = f"@{e.op.name}@(" + ", ".join(f"${k}:0" for k in range(len(e.args))) + ")"
        rows = source.startswith("[") and ";" in source
        for found in _SLOT.finditer(source):
            self.add_literal(form, source[at : found.start()])
            at = found.end()
            if found[3] is not None:
                self.add_name(form, found[3])
                continue
            slot = found[1]
            k = int(slot) if slot.isdigit() else slots.get(slot, -1)
            if not 0 <= k < len(e.args):
                self.add_literal(form, found[0])
                continue
            least = int(found[2]) if found[2] else e.op.fix
            self.add_child(form, e, k, least, source[at:], rows)
        self.add_literal(form, source[at:])
        return form

    def add_literal(self, form: _Form, piece: str) -> None:
        if not piece:
            return
        shown = self.literal(piece)
        if not form.pieces:
            form.minus = shown[0] in "−-"
            form.angle = shown[0] == "<"
        form.ends_in_number = form.ends_in_number and not shown.strip(" \\,")
        form.bar = form.bar or "‖" in piece or r"\lVert" in piece
        form.raised = "^" in piece or piece[-1] in _RAISED
        form.bracket = shown.endswith("]")
        form.pieces.append(shown)

    def add_name(self, form: _Form, name: str) -> None:
        if self.target == "latex":
            form.pieces.append(latex_name(name))
        else:
            form.pieces.append(ascii_name(name) if self.target == "ascii" else name)
        form.raised = form.ends_in_number = False

    def add_child(self, form: _Form, e: Expr, k: int, least: int, after: str, rows: bool) -> None:
        node = self.plain(e, k)
        child = self.forms[node]
        first = not form.pieces
        before = form.pieces[-1] if form.pieces and isinstance(form.pieces[-1], str) else ""
        bracket = "(" if child.prec < least else ""
        if first and e.op.fix == PRODUCT and child.minus and not node.args:  # −2 x, read as −(2 x): the same number
            bracket, form.prec = "", NEG
        if rows and (child.prec < POSTFIX or (child.bracket and child.prec == POSTFIX)):
            bracket = "("
        bare = False
        if before and not first and child.minus and not bracket and e.op.fix == SUM:
            if before.endswith("+ "):  # a + −b is written a − b
                form.pieces[-1] = before[:-2] + ("- " if self.target != "text" else "− ")
                bare = True
            else:
                bracket = "("
        if e.op.fix == PRODUCT and not first and not bracket:
            if (child.number and form.ends_in_number) or (child.number and not node.order and not node.args):
                form.pieces[-1] = r" \cdot " if self.target == "latex" else self.literal("·")
                form.prec = TIMES
            elif child.number or child.angle:
                bracket = "("
        if "‖" in str(e.op.text) and child.bar:
            bracket = "("
        if child.raised and after[:1] in _RAISED and after:
            bracket = "("
        if first:
            form.minus, form.number = child.minus and not bracket, child.number and not bracket
            form.angle = child.angle and not bracket
        form.ends_in_number = child.ends_in_number and not bracket
        form.bar = form.bar or (child.bar and not bracket)
        form.raised = child.raised and not bracket
        form.bracket = child.bracket and not bracket
        form.pieces.append(_Child(node, bracket, bare))

    def plain(self, e: Expr, k: int) -> Expr:
        """The argument; in a sum beside a tensor, s 1 is written s and 1 is written 1."""
        a = e.args[k]
        if e.op.fix != SUM or not e.op.entrywise or not e.order:
            return a
        short = [_constant(x) for x in e.args]
        found = short[k]
        if found is None or (k == 0 and all(x is not None for x in short)):
            return a
        if found not in self.forms:
            self.plan(found)
        return found

    # ---- down: text

    def emit(self, root: Expr) -> str:
        out: list[str] = []
        size, bare = 0, False
        stack: list[str | _Child] = [_Child(root)]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                out.append(item[1:] if bare else item)
                bare = False
                size += len(item)
                if size > _LIMIT:
                    out.append(r" \ldots" if self.target == "latex" else self.literal(" …"))
                    break
                continue
            pieces = self.forms[item.node].pieces
            bare = bare or item.bare
            if item.bracket:
                stack.append(")")
            stack.extend(reversed(pieces))
            if item.bracket:
                stack.append("(")
        return "".join(out)


def binding(kind: str, target: str, taken: Collection[str]) -> int:
    """How tightly a name binds: ∂E/∂z and ∇_z E stand in parentheses beside another factor."""
    scheme = taken.scheme if isinstance(taken, Taken) and kind == "grad" else ""
    if scheme == "full" and target != "ascii":
        return TIMES
    if scheme == "partial":
        return PRODUCT if target == "latex" else TIMES
    return ATOM


def _constant(e: Expr) -> Expr | None:
    """The scalar s if every entry of the tensor `e` is visibly s."""
    if not e.order:
        return None
    if e.op.uniform == 1:
        return _ONE
    if e.op.scales and e.args[1].op.uniform == 1:
        return e.args[0]
    return None


def _increments_taken(e: Expr, taken: Collection[str]) -> Collection[str]:
    if taken:
        return taken
    return {x.attrs[0] for x in postorder(e) if is_var(x)}


def _print(e: Expr, target: str, taken: Collection[str]) -> tuple[str, int]:
    printer = _Printer(target, _increments_taken(e, taken))
    printer.forms[_ONE] = _Form(["1"], ATOM, number=True, ends_in_number=True)
    printer.plan(e)
    if e is _ONE:
        return "1", ATOM
    if e.op.uniform == 0:  # alone it is written 0; inside a formula its shape must be seen
        return "0", ATOM
    return printer.emit(e), printer.forms[e].prec


def text(e: Expr, taken: Collection[str] = ()) -> str:
    """Unicode: `Wᵀ (∇z ⊙ f′(z))`. `taken` are the names of the program, so that dz cannot mean two things."""
    return _print(e, "text", taken)[0]


def ascii(e: Expr, taken: Collection[str] = ()) -> str:
    """ASCII: `W^T (grad_z .* f'(z))`."""
    return _print(e, "ascii", taken)[0]


def latex(e: Expr, taken: Collection[str] = ()) -> str:
    """LaTeX without delimiters, for amsmath and KaTeX."""
    return _print(e, "latex", taken)[0]


def precedence(e: Expr) -> int:
    """How tightly the printed form of `e` binds."""
    return _print(e, "text", ())[1]


def show(e: Expr | Increment, taken: Collection[str] = (), least: int = 0) -> Printed:
    """All three notations, in parentheses where it binds less than `least`; d(…) of an increment."""
    if isinstance(e, Increment):
        inner = e.expr
        if any(is_var(x, "d") for x in postorder(inner)):  # it moves already
            return show(inner, taken, least)
        if is_var(inner):
            return Printed(*(marked(inner.attrs[0], "d", t, taken) for t in ("text", "ascii", "latex")))
        body = show(inner, taken)
        return Printed(f"d({body.text})", f"d({body.ascii})", rf"\mathrm{{d}}({body.latex})")
    forms = []
    for target in ("text", "ascii", "latex"):
        body_text, prec = _print(e, target, taken)
        forms.append(f"({body_text})" if prec < least else body_text)
    return Printed(*forms)
