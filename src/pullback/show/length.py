"""How long a formula is: its atoms and its operators, counted in the form in which it is printed.

One measure for two answers to one question, ours and somebody else's. An atom is a name, the name of a gradient, a
number, a constant such as 1_n or I_n, an option of a function, the pattern of an index sum. An operator is a sign between
operands or in front of one, a product written as factors beside each other, a mark behind an operand (ᵀ, ⁻¹; ⁻ᵀ is two),
a power (its exponent is an atom), a norm, an inner product, a block matrix, a slice, a function. Brackets and commas are free.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ..algebra.expr import Expr, postorder, substitute
from .notation import text

__all__ = ["length", "length_of", "length_with"]

_NOT = "ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹⁻"  # letters to Python, marks to a reader
_WORD = rf"[^\W\d_₀-₉{_NOT}](?:[^\W{_NOT}]|[\u0300-\u036f])*"
_NAME = rf"{_WORD}(?:\[[^\]:.;]*\])?"
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<atom>"[^"]*"
        |(?:axis|axes|start|size)=(?:\([^()]*\)|[^,()])+
        |(?:1_|I_|e_|E_|zeros|ones)(?:\([^()]*\)|{_NAME}|\d+)
        |\(\d+/\d+\)|\d+(?:\.\d+)?(?:e-?\d+)?|[½⅓¼¾])
    |(?P<function>{_WORD}(?:\[[^\]]*\])?(?:[′″‴]|⁽\d+⁾)?(?=\()|(?:∇[\d_]*)+{_NAME}(?=\()|(?:∂\d+)+_{_NAME}(?=\())
    |(?P<name>∇?{_NAME})
    |(?P<double>⁻ᵀ)
    |(?P<mark>ᵀ|⁻¹(?![⁰¹²³⁴⁵⁶⁷⁸⁹]))
    |(?P<power>\^∘?(?:−?\d+(?:\.\d+)?|\([^()]*\)|[½⅓¼¾])|⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
    |(?P<open>\()
    |(?P<pair>⟨)
    |(?P<block>\[)
    |(?P<close>[)⟩\]])
    |(?P<norm>[‖|])
    |(?P<sign>[−+⊙⊘/·⊗^-])
    |(?P<rest>.)""",
    re.VERBOSE,
)
_OPERANDS = frozenset({"atom", "name"})
_OPENING = _OPERANDS | {"function", "open", "pair", "block", "norm"}
_COUNTED = _OPENING | {"mark", "double", "sign", "power"}
_WEIGHT = {"open": 0, "power": 2, "double": 2}


def length_of(printed: str) -> int:
    """Atoms and operators of one printed formula.

    >>> length_of("Wᵀ (∇z ⊙ f′(z))")  # W ᵀ · ∇z ⊙ f′ z
    7
    >>> length_of("½ ‖x‖²")  # ½ · ‖ x and ², which is a power and its exponent
    6
    """
    count = end = 0
    operand = False  # whether an operand has just ended: what begins now is multiplied by it
    norms: list[int] = []  # of the brackets that are open, how many ‖ are open in each
    inside = 0
    for found in _TOKEN.finditer(printed):
        kind = found.lastgroup or ""
        if kind == "space":
            continue
        if kind == "norm" and inside and operand:
            inside, operand, end = inside - 1, True, found.end()
            continue
        if kind in _OPENING and operand and not (kind == "block" and found.start() == end):
            count += 1  # a product; a [ that touches an operand is a slice
        count += _WEIGHT.get(kind, 1) if kind in _COUNTED else 0
        if kind in ("open", "pair", "block"):
            norms.append(inside)
            inside = 0
        elif kind == "close" and norms:
            inside = norms.pop()
        elif kind == "norm":
            inside += 1
        operand = kind in _OPERANDS or kind in ("close", "mark", "double", "power")
        end = found.end()
    return count


def length(e: Expr) -> int:
    """Atoms and operators of an expression as it is printed."""
    return length_of(text(e))


def length_with(final: Expr, named: Mapping[Expr, Expr]) -> int:
    """The length of `final` with the definitions that it rests on, or with everything written out, whichever is less.

    A definition counts once and its name is an atom wherever it is used; a name that is used once is written out."""
    order = _order(final, named)
    uses = _uses([final, *(named[n] for n in order)], order)
    once = {n for n in order if uses[n] == 1}
    lines = [final, *(named[n] for n in order if n not in once)]
    kept = sum(length(_written(e, order, named, once)) for e in lines)
    whole = _written(final, order, named, order)
    leaves = [x for x in postorder(whole) if not x.args]
    # names that use one another twice make a formula that is too long to be printed, and not worth it
    return kept if sum(_uses([whole], leaves).values()) > 2 * kept else min(kept, length(whole))


def _order(final: Expr, named: Mapping[Expr, Expr]) -> list[Expr]:
    """The names that `final` rests on, each after those in its own definition."""
    order: dict[Expr, None] = {}
    stack: list[tuple[Expr, Expr | None]] = [(final, None)]
    while stack:
        body, name = stack.pop()
        inner = [x for x in postorder(body) if x in named and x not in order]
        if name is not None and not inner:
            order.setdefault(name)
            continue
        if name is not None:
            stack.append((body, name))
        stack += [(named[x], x) for x in inner]
    return list(order)


def _uses(bodies: Collection[Expr], names: Collection[Expr]) -> dict[Expr, int]:
    """How often each name is printed in the formulas."""
    total = dict.fromkeys(names, 0)
    for body in bodies:
        times: dict[Expr, int] = {body: 1}
        for e in reversed(list(postorder(body))):
            for a in e.args:
                times[a] = times.get(a, 0) + times[e]
        for n in total:
            total[n] += times.get(n, 0)
    return total


def _written(e: Expr, order: Collection[Expr], named: Mapping[Expr, Expr], which: Collection[Expr]) -> Expr:
    """`e` with the names in `which` replaced by what they stand for."""
    done: dict[Expr, Expr] = {}
    for n in order:
        if n in which:
            done[n] = substitute(named[n], done)
    return substitute(e, done)
