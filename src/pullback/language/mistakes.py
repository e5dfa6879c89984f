"""What is probably meant where a text cannot be read as it stands: glued names, entries in round brackets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

from ..errors import ParseError, PullbackError, ShapeError, Span
from .kinds import SOFT, Guess
from .tokens import NAME, Statement, Token

__all__ = ["entry_in_round_brackets", "explain", "glued", "no_partial", "one_name", "without_marks"]


def glued(name: str, known: Set[str]) -> tuple[str, str] | None:
    """The two known names that an undeclared one may have been written for."""
    cuts = (k for k in range(1, len(name)) if name[:k] in known and name[k:] in known)
    k = next(cuts, 0)
    return (name[:k], name[k:]) if k else None


def one_name(span: Span, name: str, parts: tuple[str, str]) -> ParseError:
    return ParseError(
        "P003",
        f"{name} is one name, and is not defined",
        span=span,
        expected=f"{parts[0]} {parts[1]} for the product of {parts[0]} and {parts[1]}",
        hint=f"if {name} is another variable, declare it",
    )


def explain(error: PullbackError, span: Span, guesses: Mapping[str, Guess], known: Set[str]) -> None:
    """Adds what was assumed about the names that the error is about, and which of them may be two."""
    words = NAME.findall(span.text[span.column - 1 : span.column - 1 + span.length])
    guessed = [n for n in dict.fromkeys(words) if n in guesses]
    if isinstance(error, ShapeError):
        error.assumed = tuple(
            guesses[n].kind_sentence(n) for n in guessed if guesses[n].shape or n in SOFT or guesses[n].told
        )
    for name in guessed:
        two = (name[0], name[1]) if re.fullmatch("[A-Z][a-z]", name) else None
        parts = glued(name, known) or two
        if parts is not None:
            error.hint = f"{name} is one name: did you mean `{parts[0]} {parts[1]}`?" + (
                f" Else: {error.hint}" if error.hint else ""
            )
            return


def entry_in_round_brackets(statement: Statement, at: int) -> ParseError | None:
    """`x(2)`, `A(:, 1)`: an entry in round brackets, which would be a product; `at` is the place of the bracket."""
    t, i = statement.tokens, at + 1
    while t[i].text in (":", ",", "..") or (t[i].kind == "num" and t[i].text.isdecimal()):
        i += 1
    if t[i].text != ")" or i == at + 1:
        return None
    name: Token = t[at - 1]
    inside = statement.source.text[t[at].end : t[i].start]
    return ParseError(
        "P002",
        f"{name.text}({inside}) is no function, and entries stand in square brackets",
        span=statement.span(name, t[i]),
        expected=f"{name.text}[{inside}], counted from 1",
        hint=f"write {inside} {name.text} for a multiple" if inside.isdecimal() else "",
    )


def no_partial(span: Span) -> ParseError:
    """∂ in front of what is no function."""
    return ParseError("P001", "unexpected character ∂", span=span, expected="names, numbers, + - ⊙ / ᵀ brackets",
                      hint="write grad_loss(y) or ∇loss(y) for a gradient: differentiation is done for you")  # fmt: skip


def without_marks(error: PullbackError) -> PullbackError:
    """Unknown sizes are shown as ?, without their numbers."""
    error.message = re.sub(r"\?\d+", "?", error.message)
    error.notes = tuple(re.sub(r"\?\d+", "?", n) for n in error.notes)
    error.hint = re.sub(r"\?\d+", "?", error.hint)
    error.expected = re.sub(r"\?\d+", "?", error.expected)
    error.args = (error.message,)
    return error
