"""Index notation: Σ_j W_ij a_j, printed from the meaning of each op; iterative, like notation.py."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.op import ATOM, NEG, POSTFIX, PRODUCT, SUM, TIMES, Meaning
from ..algebra.ops.arithmetic import rational, size_of
from ..algebra.ops.free import is_name, is_var
from ..calculus.roles import Entry, Letters, Product
from .names import Taken, ascii_text, gradient_name, latex_name, marked
from .notation import Printed, ascii, binding, latex, precedence, text

__all__ = ["entry", "indexed", "indexed_text", "product", "products_text"]

_SLOT = re.compile(r"\$([A-Za-z]+|\d+)(?::(\d+))?|@([^@]*)@")
_PRINT = {"text": text, "ascii": ascii, "latex": latex}
_NO_LETTERS = Letters(())
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class _Part:
    node: Expr
    legs: tuple[str, ...]
    least: int
    used: frozenset[str]


def subscript(legs: Sequence[str], target: str) -> str:
    """The indices of an entry."""
    if not legs:
        return ""
    inside = ("," if any(len(x) > 1 for x in legs) else "").join(legs)
    return f"_{{{inside}}}" if target == "latex" else f"_{inside}"


def _sum_sign(letters: Sequence[str], target: str) -> str:
    inside = ("," if any(len(x) > 1 for x in letters) else "").join(letters)
    return {"text": f"Σ_{inside} ", "ascii": f"sum_{inside} ", "latex": rf"\sum_{{{inside}}} "}[target]


def _binder_sign(e: Expr, target: str) -> str:
    """Σ_{t=1..T}, from the template of the op."""
    template = e.op.latex if target == "latex" else e.op.text
    sign = str(template(e)).split("$")[0]
    return ascii_text(sign) if target == "ascii" else sign


def _number(c: Fraction, target: str) -> str:
    return _PRINT[target](rational(c))


def _scales(coef: Fraction, sizes: Sequence[tuple[Dim, int]], target: str) -> list[str]:
    parts = [_number(abs(coef), target)] if abs(coef) != 1 else []
    for d, p in sizes:
        body = _PRINT[target](size_of(d))
        if p < 0:
            body = rf"\frac{{1}}{{{body}}}" if target == "latex" else f"(1/{body})"
            p = -p
        parts.append(body if p == 1 else f"{body}^{{{p}}}" if target == "latex" else f"{body}^{p}")
    return parts


class _Walker:
    def __init__(self, target: str, taken: Collection[str], letters: Letters) -> None:
        self.target, self.taken, self.letters = target, taken, letters

    def emit(self, root: Expr, legs: tuple[str, ...], least: int = 0, used: Collection[str] = ()) -> str:
        out: list[str] = []
        stack: list[str | _Part] = [_Part(root, legs, least, frozenset(legs) | frozenset(used))]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                out.append(item)
                continue
            pieces, prec = self.form(item)
            if prec < item.least:
                pieces = ["(", *pieces, ")"]
            stack.extend(reversed(pieces))
        return "".join(out)

    def form(self, part: _Part) -> tuple[list[str | _Part], int]:
        """The pieces of one node and how tightly they bind; nodes that only rename axes are passed by."""
        while True:
            e = part.node
            if e.op.alias is not None and e.args:
                part = replace(part, node=e.op.alias(e, *e.args))
                continue
            if not e.args:
                return [self.leaf(part)], self.binding(part)
            meanings: list[Meaning] | None = e.op.meaning(e)
            if e.op.binder:
                return [_binder_sign(e, self.target), replace(part, node=e.args[0], least=TIMES)], NEG
            if (e.op.entrywise and (meanings is None or meanings[0].power != 1)) or (
                meanings and meanings[0].power != 1
            ):
                return self.entrywise(part), e.op.fix
            if meanings is None or any(m.extra for m in meanings):
                return [self.opaque(part)], ATOM
            if len(meanings) > 1:
                return self.sum(part, meanings), SUM
            m = meanings[0]
            bind = dict(zip(m.output, part.legs, strict=True)) if len(set(m.output)) == len(m.output) else {}
            passed = len(m.slots) == 1 and m.scale == 1 and not m.times and not m.over
            if passed and len(bind) == len(m.output) and set(m.inputs[0]) <= set(bind):
                part = replace(part, node=e.args[m.slots[0]], legs=tuple(bind[c] for c in m.inputs[0]))
                continue
            return self.product(part, m)

    def binding(self, part: _Part) -> int:
        e = part.node
        if not is_var(e, "grad") or (part.legs and isinstance(self.taken, Taken) and self.taken.scheme == "full"):
            return ATOM
        return binding("grad", self.target, self.taken)

    def leaf(self, part: _Part) -> str:
        e, sub = part.node, subscript(part.legs, self.target)
        if is_var(e, "grad") and isinstance(self.taken, Taken) and self.taken.scheme != "nabla":
            return gradient_name(e.attrs[0], self.taken.scheme, self.target, self.taken.objective, sub)
        if e.op.delta:
            return self.kronecker(part.legs)
        if e.op.places is not None:  # 1 where the first index is the second, moved
            start, single = e.op.places(e)[0], len(part.legs) == 1
            at = start + Dim.number(1) if single else start
            shown = str(at) if single else part.legs[1] + (f" + {at}" if at.terms else "")
            inside = f"{part.legs[0]}, {shown}" if " " in shown or len(shown) > 1 else part.legs[0] + shown
            delta = {"latex": r"\delta", "text": "δ", "ascii": "delta"}[self.target]
            if self.target == "latex":
                return f"{delta}_{{{inside}}}"
            return f"{delta}_({inside})" if "," in inside else f"{delta}_{inside}"
        if _is_ones(e):
            return "1"
        if is_var(e, "partial"):
            return self.partial(part)
        if is_name(e):
            body = marked(e.attrs[0], e.attrs[1], self.target, self.taken)
            if self.target == "latex" and sub and re.search(r"_\{", body):
                body = f"({body})"
            return body + sub
        return self.opaque(part) if e.order else _PRINT[self.target](e)

    def kronecker(self, legs: Sequence[str]) -> str:
        """δ_ij; [i = j] where δ is what gradients are called."""
        if isinstance(self.taken, Taken) and self.taken.scheme == "delta":
            return "[" + "=".join(legs) + "]"
        return {"latex": r"\delta", "text": "δ", "ascii": "delta"}[self.target] + subscript(legs, self.target)

    def partial(self, part: _Part) -> str:
        """∂z_i/∂W_pq: the first legs belong to the name above."""
        above, _, below = part.node.attrs[0].partition("/")
        names = above.removeprefix("∂"), below.removeprefix("∂")
        k = len(part.legs) - self.letters.orders.get(names[1], 0)
        shown = []
        for name, legs in zip(names, (part.legs[:k], part.legs[k:]), strict=True):
            body = marked(name, "value", self.target, self.taken)
            if self.target == "latex" and legs and "_{" in body:
                body = f"({body})"
            shown.append(body + subscript(legs, self.target))
        if self.target == "latex":
            return rf"\frac{{\partial {shown[0]}}}{{\partial {shown[1]}}}"
        d = "d" if self.target == "ascii" else "∂"
        return f"{d}{shown[0]}/{d}{shown[1]}"

    def opaque(self, part: _Part) -> str:
        body = _PRINT[self.target](part.node, self.taken)
        if (precedence(part.node) < ATOM and not body.endswith("]")) or (part.legs and self.target == "latex"):
            body = f"({body})"
        return body + subscript(part.legs, self.target)

    def entrywise(self, part: _Part) -> list[str | _Part]:
        """The op's own template, with an entry of each argument in place of the argument."""
        e = part.node
        chosen = e.op.latex if self.target == "latex" and e.op.latex else e.op.text
        source = str(chosen(e) if callable(chosen) else chosen).replace("^∘", "^").replace(r"\circ ", "")
        if self.target == "latex":
            source = re.sub(r"\\sqrt\((\$\w+:0)\)", r"\\sqrt{\1}", source)
        elif self.target == "text":
            source = re.sub(r"\^(-?\d+)$", lambda m: m[1].translate(_SUPERSCRIPT), source)
        slots = {n: k for k, (n, _) in enumerate(e.op.slots)}
        pieces: list[str | _Part] = []
        at = 0
        for found in _SLOT.finditer(source):
            pieces.append(self.literal(source[at : found.start()]))
            at = found.end()
            if found[3] is not None:
                pieces.append(latex_name(found[3]) if self.target == "latex" else self.literal(found[3]))
                continue
            k = int(found[1]) if found[1].isdigit() else slots[found[1]]
            least = int(found[2]) if found[2] else e.op.fix
            legs = part.legs if e.args[k].order else ()  # a number beside tensors is the same for every entry
            pieces.append(_Part(e.args[k], legs, least, part.used))
        pieces.append(self.literal(source[at:]))
        return pieces

    def literal(self, piece: str) -> str:
        return ascii_text(piece) if self.target == "ascii" else piece

    def sum(self, part: _Part, meanings: Sequence[Meaning]) -> list[str | _Part]:
        pieces: list[str | _Part] = []
        minus = "−" if self.target == "text" else "-"
        for n, m in enumerate(meanings):
            bind = dict(zip(m.output, part.legs, strict=True))
            legs = tuple(bind[c] for c in m.inputs[0])
            if n or m.scale < 0:
                pieces.append((f" {minus} " if m.scale < 0 else " + ") if n else minus)
            pieces.append(_Part(part.node.args[m.slots[0]], legs, SUM if not n else SUM + 1, part.used))
        return pieces

    def product(self, part: _Part, m: Meaning) -> tuple[list[str | _Part], int]:
        e = part.node
        bind: dict[str, str] = {}
        ties: list[tuple[str, str]] = []
        for c, leg in zip(m.output, part.legs, strict=True):
            if c in bind:
                ties.append((bind[c], leg))
            else:
                bind[c] = leg
        sizes = {
            c: d
            for letters, k in zip(m.inputs, m.slots, strict=True)
            for c, d in zip(letters, e.args[k].shape, strict=True)
        }
        summed: list[str] = []
        used = set(part.used)
        for c in dict.fromkeys("".join(m.inputs)):
            if c not in bind:
                own = e.op.sums and c not in used  # an index sum keeps the letters that it was given
                bind[c] = c if own else self.letters.fresh(sizes[c], used)
                used.add(bind[c])
                summed.append(bind[c])
        scale = m.scale
        over = [(d, -1) for d in m.over] + [(d, 1) for d in m.times]
        parts: list[list[str | _Part]] = [[s] for s in _scales(scale, over, self.target)]
        body: list[_Part] = []
        for letters, k in zip(m.inputs, m.slots, strict=True):
            a = e.args[k]
            if _is_ones(a):
                continue
            body.append(_Part(a, tuple(bind[c] for c in letters), PRODUCT, frozenset(used)))
        if body and not ties:
            body[-1] = replace(body[-1], least=TIMES)
        parts += [[b] for b in body]
        parts += [[self.kronecker(pair)] for pair in ties]
        pieces: list[str | _Part] = []
        if scale < 0:
            pieces.append("−" if self.target == "text" else "-")
        if summed:
            pieces.append(_sum_sign(summed, self.target))
        gap = r"\, " if self.target == "latex" else " "
        unit: list[list[str | _Part]] = [["1"]]
        for n, one in enumerate(parts or unit):
            if n:
                pieces.append(gap)
            pieces.extend(one)
        if scale < 0:
            return pieces, NEG
        if summed:
            return pieces, TIMES
        return pieces, PRODUCT if len(parts) != 1 else POSTFIX


def _is_ones(e: Expr) -> bool:
    """Whether every entry is visibly 1: ones, and products of them in which nothing is summed."""
    if e.op.uniform == 1:
        return bool(e.order)
    [m] = e.op.meaning(e) or [None] if e.op.linear == "each" and e.args and e.order else [None]
    return (m is not None and not m.extra and m.scale == 1 and set("".join(m.inputs)) <= set(m.output)
            and all(a.op.uniform == 1 for a in e.args))  # fmt: skip


def _one(e: Expr, legs: Sequence[str], target: str, taken: Collection[str], letters: Letters | None) -> str:
    return _Walker(target, taken, letters or _NO_LETTERS).emit(e, tuple(legs))


def indexed_text(e: Expr, legs: Sequence[str], taken: Collection[str] = (), letters: Letters | None = None) -> str:
    """The entry of `e` at the open indices `legs`, in Unicode."""
    return _one(e, legs, "text", taken, letters)


def indexed(e: Expr, legs: Sequence[str], taken: Collection[str] = (), letters: Letters | None = None) -> Printed:
    """The entry of `e` at the open indices `legs`: `Σ_j W_ij a_j`; an index sum keeps its letters."""
    return Printed(*(_one(e, legs, t, taken, letters) for t in ("text", "ascii", "latex")))


def _entry(x: Entry, target: str, taken: Collection[str], letters: Letters | None, used: Collection[str] = ()) -> str:
    walker = _Walker(target, taken, letters or _NO_LETTERS)
    body = walker.emit(x.atom, x.legs, POSTFIX if x.power != 1 else PRODUCT, used)
    if x.power == 1:
        return body
    if target == "latex":
        return f"{body}^{{{x.power}}}"
    return f"{body}{str(x.power).translate(_SUPERSCRIPT)}" if target == "text" else f"{body}^{x.power}"


def entry(x: Entry, taken: Collection[str] = (), letters: Letters | None = None) -> Printed:
    return Printed(*(_entry(x, t, taken, letters) for t in ("text", "ascii", "latex")))


def _product(p: Product, target: str, taken: Collection[str], signed: bool, letters: Letters | None) -> str:
    gap = r"\, " if target == "latex" else " "
    used = {c for x in p.entries for c in x.legs}
    found = [_entry(x, target, taken, letters, used) for x in p.entries if not _is_ones(x.atom)]
    inside = _sum_sign(p.summed, target) + (gap.join(found) or "1") if p.summed else gap.join(found)
    body = gap.join([*_scales(p.coef, p.sizes, target), *([inside] if inside else [])]) or "1"
    return ("−" if target == "text" else "-") + body if signed and p.coef < 0 else body


def product(p: Product, taken: Collection[str] = (), letters: Letters | None = None) -> Printed:
    """One product of entries with its sum in front."""
    return Printed(*(_product(p, t, taken, True, letters) for t in ("text", "ascii", "latex")))


def products_text(parts: Sequence[Product], taken: Collection[str] = (), letters: Letters | None = None) -> Printed:
    """A sum of products of entries; 0 when there is none."""
    shown = []
    for target in ("text", "ascii", "latex"):
        minus = " − " if target == "text" else " - "
        line = ""
        for n, p in enumerate(parts):
            line += (
                _product(p, target, taken, True, letters)
                if not n
                else (minus if p.coef < 0 else " + ") + _product(p, target, taken, False, letters)
            )
        shown.append(line or "0")
    return Printed(*shown)
