"""Ranges of an index as they are written: `for k = 1..L-1` behind an equation, `sum_{t=1..T}` in front of a term."""

from __future__ import annotations

import re

from ..algebra.dims import Dim
from ..algebra.indexed import affine
from ..algebra.ranges import Range
from ..errors import ParseError
from .sizes import read_dim
from .tokens import Statement, Token

__all__ = ["for_clause", "series_range", "series_symbols"]

_SERIES = re.compile(
    r"\w+?_?\{\s*(\w+)\s*=\s*(?:([^{}.]*?)\s*\.\.\s*([^{}]*?)\s*\}|([^{}]*?)\s*\}\^(?:\{\s*([^{}]*?)\s*\}|(\w+)))"
)


def for_clause(statement: Statement, at: int) -> tuple[Statement, tuple[Range, ...]]:
    """The statement without its `for`, and the ranges: `for l = 1..D, t = 1..T` or one `for` for each."""
    t = statement.tokens
    found: list[Range] = []
    i = at
    while True:
        i += 1
        letter = t[i]
        if letter.kind != "name" or t[i + 1].text != "=":
            raise _unclear(statement, letter)
        first, i = read_dim(statement, i + 2)
        if t[i].text != "..":
            raise _unclear(statement, t[i])
        last, i = read_dim(statement, i + 1)
        if any(r.letter == letter.text for r in found):
            raise ParseError("P006", f"the index {letter.text} is bound twice by this `for`", span=statement.span(letter),
                             hint="give the second range another letter")  # fmt: skip
        found.append(_range(statement, letter, letter.text, first, last))
        if t[i].text not in (",", "for"):
            break
    if t[i].kind != "end":
        raise _unclear(statement, t[i])
    return Statement(statement.source, t[:at]), tuple(found)


def _unclear(statement: Statement, token: Token) -> ParseError:
    expected = "for k = 1..L-1, or for l = 1..D, t = 1..T"
    return statement.unexpected(token, expected, where=" in the range of an index")


def _range(statement: Statement, token: Token, letter: str, first: Dim, last: Dim) -> Range:
    if letter in first.symbols() | last.symbols():
        raise ParseError("P040", f"the range of {letter} depends on {letter}", span=statement.span(token),
                         expected=f"{letter} = 1..L")  # fmt: skip
    terms = (last - first).terms
    if terms and (all(c < 0 for m, c in terms if m) and (any(m for m, _ in terms) or terms[0][1] < 0)):
        raise ParseError(
            "P041",
            f"the range {letter} = {first}..{last} is empty",
            span=statement.span(token),
            expected="a first value that is not after the last",
            hint=f"indices count upwards: {letter} = {last}..{first}; what runs downwards uses later members, as in q[t] from q[t+1]",
        )
    return Range(letter, first, last)


def series_range(statement: Statement, token: Token) -> Range:
    """`sum_{t=1..T}`, `Σ_{t=1}^{T}`."""
    found = _SERIES.fullmatch(token.text)
    first = affine(found[2] or found[4] or "") if found else None
    last = affine(found[3] or found[5] or found[6] or "") if found else None
    if found is None or first is None or last is None:
        raise ParseError("P002", f"the range of {token.text} cannot be read", span=statement.span(token),
                         expected="sum_{t=1..T} in front of a term")  # fmt: skip
    return _range(statement, token, found[1], first, last)


def series_symbols(statement: Statement, token: Token) -> set[str]:
    """The size symbols of a sum, its letter among them."""
    r = series_range(statement, token)
    return {r.letter} | r.first.symbols() | r.last.symbols()
