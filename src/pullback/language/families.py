"""Which names carry an index in brackets: `W[k]` is a member of a family, `x[2]` a slice.

A name is a family when it stands with brackets on the left of a line, in the sizes of a declaration, or with the letter
of the left side, of a `for` or of a sum inside its brackets. It is found before the text is cut into tokens, so that a member is one token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ..algebra.indexed import ref as member
from ..algebra.indexed import spelled

__all__ = ["NOT_IN_NAMES", "SERIES", "families_of", "member_pattern", "spelling"]

NOT_IN_NAMES = "ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ½⅓¼¾"
_NAME = rf"[^\W\d_{NOT_IN_NAMES}₀-₉][^\W{NOT_IN_NAMES}]*?"
_BRACKET = r"(?:\[[^\[\]\n]*\]|\^\([^()\n]*\))"
_HEAD = re.compile(rf"({_NAME}){_BRACKET}")
_LEFT = re.compile(rf"\s*(?:{_NAME}(?:{_BRACKET}(?:_\w+)?)?(?:_\{{[^}}]*\}})?\s*,\s*)*?({_NAME}){_BRACKET}")
_TAIL = re.compile(r"(?:\w,)*(\w*)")  # of a text that is read from its end
_LETTER = re.compile(r"\bfor\s+([^\W\d]\w*)\s*=|(?:sum|Σ|∑)_\{\s*([^\W\d]\w*)\s*=|,\s*([^\W\d]\w*)\s*=[^=;]*\.\.")
_PLAIN = re.compile(rf"\s*((?:{_NAME}\s*,\s*)*{_NAME})\s*:")
SERIES = r"(?:sum|Σ|∑)_\{\s*[^\W\d]\w*\s*=[^{}\n]*\}(?:\^(?:\{[^{}\n]*\}|\w+))?"


def families_of(text: str) -> frozenset[str]:
    """The names of the text that carry an index."""
    if "[" not in text and "^(" not in text:
        return frozenset()
    found: set[str] = set()
    declared: set[str] = set()
    letters: dict[str, set[str]] = {}  # of the indices on the left of each equation
    pieces = [p for line in text.split("\n") for p in _pieces(line.split("#")[0]) if len(p) < 20_000]
    for piece in pieces:
        left, colon, right = _colon(piece)
        if colon:
            heads = _HEAD.findall(left)
            found.update(heads, _HEAD.findall(right))
            plain = _PLAIN.fullmatch(left + ":")
            declared.update(n.strip() for n in plain[1].split(",")) if plain and not heads else None
        else:
            before = piece.split("=")[0]
            whole = _LEFT.fullmatch(_without_index(before))
            if whole and "=" in piece:
                found.add(whole[1])
                letters[piece] = set(re.findall(r"[^\W\d]\w*", before[whole.end(1) :].split("_")[0]))
    for piece in pieces:
        mine = letters.get(piece, set()) | {x for groups in _LETTER.findall(piece) for x in groups if x}
        if mine:
            inside = ((m[1], set(re.findall(r"[^\W\d]\w*", m[0][len(m[1]) :]))) for m in _HEAD.finditer(piece))
            found.update(name for name, words in inside if words & mine)
    return frozenset(found - declared)


def _without_index(left: str) -> str:
    """A left side without the indices of an entry at its end: `_{i j}`, `_ij`, `_i,j`. Linear in its length."""
    left = left.rstrip()
    if left.endswith("}"):
        brace = left.rfind("_{")
        return left[:brace] if brace >= 0 and left.find("}", brace) == len(left) - 1 else left
    tail = _TAIL.match(left[::-1])
    assert tail is not None
    start = len(left) - tail.end()
    bar = left.find("_", start, start + len(tail[1]) - 1)
    return left[:bar] if bar >= 0 else left


def _pieces(line: str) -> Iterator[str]:
    """The line cut at each `;` that stands in no bracket."""
    held: list[str] = []
    depth = 0
    for part in line.split(";"):
        held.append(part)
        depth += part.count("(") + part.count("[") - part.count(")") - part.count("]")
        if depth <= 0:
            yield ";".join(held)
            held, depth = [], 0
    if held:
        yield ";".join(held)


def _colon(piece: str) -> tuple[str, str, str]:
    """A declaration in two halves; not `a..b`, and not a line with `=` outside of brackets."""
    depth = 0
    for i, c in enumerate(piece):
        depth += (c in "([") - (c in ")]")
        if not depth and c == "=":
            break
        if not depth and c == ":":
            return piece[:i], ":", piece[i + 1 :]
    return piece, "", ""


@lru_cache(maxsize=64)
def member_pattern(families: frozenset[str]) -> str:
    """The members of these families, with the indices of their entries, as one group `member`."""
    words = "|".join(sorted(map(re.escape, families), key=len, reverse=True))
    return rf"(?P<member>(?:1_)?(?:{words}){_BRACKET}(?:_(?:\{{[A-Za-z, ]*\}}|[A-Za-z]+))?)"


def spelling(token: str) -> str | None:
    """The member in its one spelling, `a^( k + 1 )_i` as `a[k+1]_i`; None if its index cannot be read."""
    found = re.fullmatch(rf"(.+?)({_BRACKET})(.*)", token)
    if found is None:
        return None
    inside = found[2].lstrip("^")[1:-1]
    read = member(f"{found[1]}[{inside}]")
    return None if read is None else spelled(read.family, read.index) + found[3]
