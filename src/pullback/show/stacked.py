"""Stacked matrices as they are written: (aᵀ ⊗ I_m) vec(dW), diag(f′(z)), ∂z/∂a; and the steps of style `jacobian`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..algebra.expr import Expr
from ..algebra.op import ATOM, POSTFIX, PRODUCT
from ..algebra.ops.arithmetic import size_of
from ..calculus.jacobian import Jacobians
from ..calculus.roles import Letters
from ..calculus.stacked import Commutation, Diag, Form, Kron, Leaf, Named, Product, Scaled, Sum, Turned
from ..step import Step
from .indices import indexed
from .names import ascii_text, latex_name
from .notation import Printed, show

__all__ = ["jacobian_record", "written"]

_SHOWN = 6  # terms of a sum that are written out

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Made:
    """Something printed, and how tightly it binds."""

    printed: Printed
    binds: int


def _call(name: str, inside: Printed) -> Printed:
    return Printed(f"{name}({inside.text})", f"{name}({inside.ascii})", rf"\operatorname{{{name}}}({inside.latex})")


def _bracketed(made: _Made, least: int) -> Printed:
    p = made.printed
    return p if made.binds >= least else Printed(f"({p.text})", f"({p.ascii})", f"({p.latex})")


def _join(parts: Sequence[Printed], text: str, ascii: str, latex: str) -> Printed:
    return Printed(
        text.join(p.text for p in parts), ascii.join(p.ascii for p in parts), latex.join(p.latex for p in parts)
    )


class _Writer:
    def __init__(self, taken: Collection[str], letters: Letters) -> None:
        self.taken, self.letters = taken, letters

    def made(self, f: Form) -> _Made:
        """A form is a few levels deep, whatever the program."""
        if isinstance(f, Leaf):
            return self.leaf(f)
        if isinstance(f, Turned):
            body = self.raised(f.of)
            return _Made(Printed(f"{body.text}ᵀ", f"{body.ascii}^T", rf"{body.latex}^{{\top}}"), POSTFIX)
        if isinstance(f, Kron):
            parts = [_bracketed(self.made(x), POSTFIX) for x in _chain(f)]
            return _Made(_join(parts, " ⊗ ", " (x) ", r" \otimes "), 1)
        if isinstance(f, Diag):
            return _Made(_call("diag", self.made(f.of).printed), ATOM)
        if isinstance(f, Commutation):
            m, n = (show(size_of(d), self.taken) for d in (f.rows, f.cols))
            return _Made(_call("commut", _join([m, n], ", ", ", ", ", ")), ATOM)
        if isinstance(f, Scaled):
            s = show(f.by, self.taken, POSTFIX)
            return _Made(_join([s, _bracketed(self.made(f.of), PRODUCT)], " ", " ", r"\, "), PRODUCT)
        if isinstance(f, Product):
            return self.product(f)
        if isinstance(f, Sum):
            return self.sum(f)
        if isinstance(f, Named):
            return _Made(self.named(f), ATOM)
        return _Made(indexed(f.expr, tuple(f.legs), self.taken, self.letters), 0)

    def leaf(self, f: Leaf) -> _Made:
        if f.how == "plain":
            body = show(f.expr, self.taken)
            for least in (ATOM, POSTFIX, PRODUCT):
                if show(f.expr, self.taken, least) == body:
                    return _Made(body, POSTFIX if body.text[:1] in "0123456789−" and least == PRODUCT else least)
            return _Made(body, 0)
        return _Made(_call(f.how, show(f.expr, self.taken)), ATOM)

    def raised(self, f: Form) -> Printed:
        if isinstance(f, Leaf) and f.how == "plain":
            return show(f.expr, self.taken, ATOM)
        return _bracketed(self.made(f), ATOM)

    def product(self, f: Product) -> _Made:
        parts = [self.made(x) for x in f.factors]
        names = all(isinstance(x, Named) for x in f.factors)
        shown = [
            _bracketed(p, POSTFIX if n and p.printed.text[:1] in "0123456789½⅓¼¾−-" else PRODUCT)
            for n, p in enumerate(parts)
        ]
        gap = (" · ", " * ", r"\; ") if names else (" ", " ", r"\, ")
        return _Made(_join(shown, *gap), PRODUCT)

    def sum(self, f: Sum) -> _Made:
        text, plain, tex = "", "", ""
        for n, (sign, x) in enumerate(f.parts[:_SHOWN]):
            p = _bracketed(self.made(x), PRODUCT if isinstance(x, Sum) or (n and sign < 0) else 1)
            text += (("−" if sign < 0 else "") if not n else " − " if sign < 0 else " + ") + p.text
            plain += (("-" if sign < 0 else "") if not n else " - " if sign < 0 else " + ") + p.ascii
            tex += (("-" if sign < 0 else "") if not n else " - " if sign < 0 else " + ") + p.latex
        more = len(f.parts) - _SHOWN
        if more > 0:
            text, plain = f"{text} + … ({more} more)", f"{plain} + ... ({more} more)"
            tex += rf" + \ldots\ \text{{({more} more)}}"
        return _Made(Printed(text, plain, tex), 0)

    def named(self, f: Named) -> Printed:
        above = self.stacked(f.of, False)
        below = self.stacked(f.by, f.turned)
        tex = rf"\frac{{\partial {above.latex}}}{{\partial {below.latex}}}"
        mark = ""
        if f.direct:
            mark, tex = "|direct", rf"\left.{tex}\right|_{{\text{{direct}}}}"
        return Printed(f"∂{above.text}/∂{below.text}{mark}", f"d{above.ascii}/d{below.ascii}{mark}", tex)

    def stacked(self, e: Expr | str, crossed: bool) -> Printed:
        if isinstance(e, str):
            return Printed(e, ascii_text(e), latex_name(e))
        body = show(e.T if crossed else e, self.taken)
        return _call("vec", body) if e.order > 1 else body


def _chain(f: Kron) -> list[Form]:
    found: list[Form] = []
    stack: list[Form] = [f]
    while stack:
        x = stack.pop()
        if isinstance(x, Kron):
            stack += [x.right, x.left]
        else:
            found.append(x)
    return found


def written(f: Form, taken: Collection[str], letters: Letters) -> Printed:
    """The form in the three notations."""
    return _Writer(taken, letters).made(f).printed


class Recorder(Protocol):
    """What a step needs to be written down."""

    letters: Letters
    by_name: dict[str, Expr]

    def math(self, e: Any) -> Json | None: ...
    def step(self, s: Step) -> Json: ...

    @property
    def taken(self) -> Collection[str]: ...


def jacobian_record(r: Recorder, made: Mapping[str, Jacobians]) -> Json:
    """The steps of style `jacobian` in both layouts."""
    found: Json = {layout: [_step(r, s) for s in j.steps] for layout, j in made.items()}
    return {**found, "letters": dict(made["numerator"].letters)}


def _step(r: Recorder, s: Step) -> Json:
    """A step whose sides are forms or expressions."""
    found = r.step(replace(s, left=None, right=None))
    for side, x in (("left", s.left), ("right", s.right)):
        found[side] = r.math(x) if isinstance(x, Expr) else written(x, r.taken, r.letters).as_dict()
    found["silent"] = found["left"] == found["right"]
    return found
