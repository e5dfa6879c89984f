"""What contradicts itself: an assumption that what is known excludes, and a function of numbers outside its domain.

Both are decided by intervals (algebra/intervals.py): what is refused here has no value for any input that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import inf

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.fold import Known
from ..algebra.intervals import ALL, Interval, intervals, of_facts
from ..algebra.lift import collected
from ..algebra.network import TooLarge, network
from ..algebra.ops.free import facts_of, var
from ..algebra.quotient import cancelled
from ..calculus.lemma import definition_of
from ..errors import ParseError, Span
from .program import Equation, Program
from .sorted_lines import Relation

__all__ = ["consistent", "refuse_outside"]

_FLIPPED = {"<": ">", ">": "<", "≤": "≥", "≥": "≤", "<=": ">=", ">=": "<="}
_POINTS = 24
_LARGEST = 400  # nodes of an assumption, written out, above which it is not decided here
_LEAVE = "correct it, or leave it out: from a contradiction anything follows"
Compared = tuple[str, str, Fraction, str, Span | None]  # name, relation, number, the text, its place


def consistent(program: Program, relations: Sequence[Relation] = ()) -> Program:
    """The program, if no assumption contradicts what is known and no function is outside its domain. Raises ParseError P052, P053.

    An assumption that holds by itself is left out."""
    if program.ranges or program.members:
        return program
    compared = list(_compared(relations))
    places = {r.text: r.statement.span(r.statement.tokens[1], r.statement.tokens[-2]) for r in relations}
    known: dict[Expr, Interval] = {}
    for v in program.inputs:
        known[v] = _assumed(v, of_facts(facts_of(v)), compared, "its declaration")
    for a, b, text in program.facts:
        if a in known and b.op.number:
            one = Interval((b.attrs[0], False), (b.attrs[0], False))
            known[a] = _met(known[a], one, text, places.get(text), "what else is said of it")
    for q in program.equations:
        found = intervals(q.rhs, known)
        _inside(q, found)
        known[q.var] = _assumed(q.var, found[q.rhs], compared, f"{q.name} = {q.surface.partition('=')[2].strip()}")
    facts = tuple(f for f in program.facts if not _decided(f, program, known, places.get(f[2])))
    return replace(program, facts=facts, known={v: x for v, x in known.items() if x != ALL})


# ---- assumptions


def _compared(relations: Sequence[Relation]) -> Iterator[Compared]:
    """Those that compare one name with one number."""
    for r in relations:
        t = r.statement.tokens
        sign, left, right = t[r.middle].text, t[1 : r.middle], t[r.middle + 1 : -1]
        if len(right) == 1 and right[0].kind == "name":
            left, right, sign = right, left, _FLIPPED.get(sign, sign)
        number = "".join(x.text for x in right).replace("−", "-")
        if len(left) == 1 and left[0].kind == "name" and sign in _FLIPPED:
            try:
                yield left[0].text, sign, Fraction(number), r.text, r.statement.span(t[1], t[-2])
            except (ValueError, ZeroDivisionError):
                continue


def _assumed(v: Expr, found: Interval, compared: Sequence[Compared], why: str) -> Interval:
    """The interval with what is assumed of the name."""
    for name, sign, number, text, span in compared:
        if name == v.attrs[0]:
            end = (number, sign in "<>")
            side = Interval(low=end) if sign[0] in ">≥" else Interval(high=end)
            found, why = _met(found, side, text, span, why), f"the assumption {text}"
    return found


def _met(found: Interval, side: Interval, text: str, span: Span | None, why: str) -> Interval:
    both = found.meet(side)
    if both.empty:
        raise ParseError("P053", f"the assumption {text} contradicts {why}", span=span,
                         expected=f"a number that is {found}",
                         hint=_LEAVE)  # fmt: skip
    return both


def _decided(fact: tuple[Expr, Expr, str], program: Program, ends: Mapping[Expr, Interval], span: Span | None) -> bool:
    """Whether an equation holds by itself. Raises ParseError P053 if it cannot hold."""
    left, right, text = fact
    difference = left - right
    here = intervals(difference, ends)
    apart = here[left].meet(here[right])
    if apart.empty:
        raise ParseError("P053", f"the assumption {text} cannot hold: one side is {here[left]}, the other {here[right]}",
                         span=span, hint=_LEAVE)  # fmt: skip
    whole = difference
    for q in reversed(program.equations):
        whole = substitute(whole, {q.var: q.rhs})
    if len(list(postorder(whole))) > _LARGEST:
        return False
    try:
        known, names = _composite(whole)
        terms = known.reduced(collected(network(substitute(whole, names)).terms))
        terms = cancelled(terms, {})  # sum(exp(z)) / sum(exp(z)) is 1
    except TooLarge:
        return False
    if len(terms) == 1 and not terms[0].factors and not terms[0].sizes and not terms[0].dims:
        raise ParseError("P053", f"the assumption {text} contradicts the equations: its sides differ by {abs(terms[0].coef)}",
                         span=span, hint=_LEAVE)  # fmt: skip
    return not terms


def _composite(whole: Expr) -> tuple[Known, dict[Expr, Expr]]:
    """Names for the composite values in an expression, and what their entries sum up to. Raises TooLarge."""
    known = Known()
    names: dict[Expr, Expr] = {}
    for x in postorder(whole):
        if not x.op.composite:
            continue
        names[x] = var(f"·{len(names)}", x.shape)
        bind: dict[Expr, Expr] = {}
        for k, (v, value) in enumerate(equations := definition_of(x)):
            bind[v] = names[x] if k + 1 == len(equations) else var(f"{names[x].attrs[0]}.{k}", v.shape)
            known.add(bind[v], substitute(value, bind))
    return known, names


# ---- domains


def _inside(q: Equation, found: Mapping[Expr, Interval]) -> None:
    for e in postorder(q.rhs):
        refuse_outside(e, found, q)


def refuse_outside(e: Expr, found: Mapping[Expr, Interval], q: Equation | None = None) -> None:
    """Refuse an entrywise function whose arguments are nowhere in its domain. Raises ParseError P052."""
    ends = [found[a] for a in e.args]
    if not e.op.entrywise or e.op.real is None or not ends or e.op.attr_names or all(x == ALL for x in ends):
        return
    try:
        points = [list(_points(x)) for x in ends]
    except OverflowError:  # a number that is no float
        return
    for at in product(*points):
        try:
            if not isinstance(e.op.real(*at), complex):
                return
        except (ValueError, ZeroDivisionError, OverflowError) as why:
            if isinstance(why, OverflowError):
                return
    said = ", ".join(map(str, ends))
    alone = len(ends) == 1 and ends[0].low[0] == ends[0].high[0]
    message = (
        f"{e.op.name} has no real value at {ends[0].low[0]}"
        if alone
        else f"{e.op.name} has no real value where its argument is {said}"
    )
    raise ParseError("P052", message, span=None if q is None else _place(q, e), expected=_domain(e),
                     hint="nothing can be derived where the program has no value")  # fmt: skip


def _domain(e: Expr) -> str:
    needs = e.op.needs(e) if callable(e.op.needs) else e.op.needs
    return f"an argument x for which {needs.replace('$' + e.op.slots[0][0], 'x')}" if needs else "another argument"


def _points(x: Interval) -> Iterator[float]:
    """Numbers all over the interval, its ends if they belong to it."""
    a, b = float(x.low[0]), float(x.high[0])
    if a == b:
        yield a
        return
    for k in range(1, _POINTS):
        t = k / _POINTS
        if a > -inf and b < inf:
            yield a + (b - a) * t
        elif a > -inf:
            yield a + 2.0 ** (k - _POINTS // 2)
        elif b < inf:
            yield b - 2.0 ** (k - _POINTS // 2)
        else:
            yield 2.0 ** (k - _POINTS // 2) * (-1) ** k
    if not x.low[1] and a > -inf:
        yield a
    if not x.high[1] and b < inf:
        yield b


def _place(q: Equation, e: Expr) -> Span | None:
    """The call in the line of the equation, if it stands there once; else the equation."""
    if q.span is None:
        return None
    line = q.span.text
    found = [line.find(f"{c}(", q.span.column - 1) for c in e.op.calls if line.count(f"{c}(") == 1]
    start = next((k for k in found if k >= 0), -1)
    if start < 0:
        return q.span
    depth, end = 0, len(line)
    for k in range(line.index("(", start), len(line)):
        depth += (line[k] in "([{") - (line[k] in ")]}")
        if not depth:
            end = k + 1
            break
    return Span(q.span.source, q.span.line, start + 1, end - start, line)
