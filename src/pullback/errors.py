"""Every refusal names its place, what was expected, the shapes by name, a suggestion and a code.

Exit codes: 1 a check failed, 2 the text cannot be read, 3 shapes do not fit, 4 not supported.
The codes are listed in ``docs/errors.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CheckFailed", "ParseError", "PullbackError", "ShapeError", "Span", "UnsupportedError", "nearest"]

_WINDOW = 100  # characters of a source line that a message shows around the caret


@dataclass(frozen=True)
class Span:
    """A piece of the user's text: `line` and `column` count from 1, `text` is the whole line."""

    source: str
    line: int
    column: int
    length: int
    text: str

    def excerpt(self) -> tuple[str, int, int]:
        """The line cut to a window around the caret, with the caret's offset and length in it."""
        start = self.column - 1
        left = max(0, start - _WINDOW // 2)
        piece = self.text[left : left + _WINDOW]
        offset = start - left
        if left > 0:
            piece, offset = "…" + piece, offset + 1
        if left + _WINDOW < len(self.text):
            piece += "…"
        visible = "".join(c if c.isprintable() else "�" for c in piece.expandtabs(1))
        return visible, offset, max(1, min(self.length, len(visible) - offset))


class PullbackError(Exception):
    """What the user can read and act on; never shown as a traceback."""

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        span: Span | None = None,
        expected: str = "",
        hint: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
        self.expected = expected
        self.hint = hint
        self.notes = tuple(notes)
        self.assumed: tuple[str, ...] = ()  # what had been assumed, where it bears on the refusal
        self.about = ""  # the name whose equation is meant, where the place is not known to whoever refuses

    def of(self, name: str) -> PullbackError:
        """The same error, about the equation of this name."""
        self.about = self.about or name
        return self

    def at(self, span: Span | None) -> PullbackError:
        """The same error with a place, unless it already has one."""
        if self.span is None:
            self.span = span
        return self

    def render(self, color: bool = False) -> str:
        """The message as it is printed on stderr."""

        def paint(text: str, sgr: str) -> str:
            return f"\x1b[{sgr}m{text}\x1b[0m" if color else text

        lines = [f"{paint(f'error[{self.code}]', '1;31')}: {paint(self.message, '1')}"]
        if self.span is not None:
            piece, offset, length = self.span.excerpt()
            gutter = str(self.span.line)
            pad = " " * len(gutter)
            bar = paint("|", "34")
            lines.append(f"{pad}{paint('-->', '34')} {self.span.source}:{self.span.line}:{self.span.column}")
            lines.append(f"{pad} {bar}")
            lines.append(f"{paint(gutter, '34')} {bar} {piece}")
            lines.append(f"{pad} {bar} {' ' * offset}{paint('^' * length, '1;31')}")
        if self.expected:
            lines.append(f"  {paint('expected:', '36')} {self.expected}")
        lines.extend(f"  {paint('note:', '36')} {note}" for note in self.notes)
        if self.hint:
            lines.append(f"  {paint('help:', '32')} {self.hint}")
        return "\n".join(lines)


class ParseError(PullbackError):
    """The text cannot be read, or names something that is not there."""

    exit_code = 2


class ShapeError(PullbackError):
    """The text can be read, but its shapes do not fit."""

    exit_code = 3


class UnsupportedError(PullbackError):
    """A clear refusal: meaningful mathematics that this version does not derive."""

    exit_code = 4


class CheckFailed(PullbackError):
    """A claim of the derivation could not be confirmed: an internal error, never shown as a result."""

    exit_code = 1


def nearest(word: str, known: Sequence[str], limit: int | None = None) -> str | None:
    """The known word at edit distance at most `limit`, 2 if not given (1 for short words, of one letter only that in the other case), from `word`, if there is one."""
    if limit is None:
        limit = 2 if len(word) > 4 else 1 if len(word) > 1 else 0
    best: tuple[int, str] | None = None
    for candidate in known:
        if abs(len(candidate) - len(word)) > limit or len(word) > 64:
            continue
        row = list(range(len(candidate) + 1))
        for i, a in enumerate(word, 1):
            previous, row = row, [i]
            for j, b in enumerate(candidate, 1):
                row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a.casefold() != b.casefold())))
        if row[-1] <= limit and (best is None or (row[-1], candidate) < best):
            best = (row[-1], candidate)
    return best[1] if best else None
