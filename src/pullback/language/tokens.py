"""Text into statements of tokens. One pass over each line; what cannot be read is refused with its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator

from ..errors import ParseError, Span
from .families import NOT_IN_NAMES, SERIES, families_of, member_pattern, spelling

__all__ = ["FACTOR_KINDS", "FACTOR_OPENS", "MINUS", "NAME", "Source", "Statement", "Token", "leads", "read_statements"]

MAX_TEXT = 64 * 1024 * 1024
MAX_LINE = 20_000
MAX_TOKEN = 200
MAX_DIGITS = 2000
MAX_DEPTH = 100

_NAME = rf"[^\W\d_{NOT_IN_NAMES}₀-₉](?:[^\W{NOT_IN_NAMES}]|[\u0300-\u036f])*"
NAME = re.compile(_NAME)
_SUBSCRIPT = r"\{[A-Za-z, ]*\}"
_TOKEN = re.compile(
    rf"""(?P<space>[ \t\u00a0]+)
    |(?P<series>{SERIES})
    |(?P<sub>(?<=[‖|])(?:_(?:\d+|\{{[A-Za-z0-9]+\}}|[A-Za-z]+|\*|∞)|[₀-₉]+|∞))
    |(?P<name>∑_[^\W_]+|(?:{_NAME}|∑_?)(?:(?<=_){_SUBSCRIPT})?)
    |(?P<ones>1_(?:{_NAME}|\d+)?)
    |(?P<num>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<frac>[½⅓¼¾])
    |(?P<sup>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
    |(?P<braced>\^\{{[ ]*[-−]?[ ]*(?:\d+|[T⊤])[ ]*\}}|⁻[ᵀ⊤])
    |(?P<prime>['′″‴]|⁽[\d⁰¹²³⁴⁵⁶⁷⁸⁹]+⁾)
    |(?P<nabla>∇+(?:\d+_)*)
    |(?P<partial>(?:∂(?:\d+|[A-Za-z]+))+_(?=[^\W\d]))
    |(?P<op>\.\.|\.\*|\./|\.\^|\.'|\^∘|->|!=|>=|<=|==|\*\*|\|\||[-−+*·/@⊙⊘⊗=:,;()\[\]⟨⟩<>≠≥≤→^ᵀ⊤‖|]|\\(?=[ (\[]|[^\W\d]\b))
    |(?P<comment>\#.*)
    |(?P<str>"[^"]*")
    |(?P<bad>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPEN = {"(": ")", "[": "]", "⟨": "⟩"}
_CLOSE = {")", "]", "⟩"}
MINUS = frozenset({"-", "−"})
# What the first token of a factor can be: its kind, or its text.
FACTOR_KINDS = frozenset({"name", "num", "frac", "ones", "nabla", "partial", "series"})
FACTOR_OPENS = frozenset({"(", "[", "⟨", "‖", "||"})
_WAITING = frozenset({"+", "-", "−", "*", "·", "⊙", "⊘", "/", ".*", "./", "@", "=", ",", "->", "→"})
_STATEMENT = re.compile(
    r"\s*(?!(?:axis|axes|start|size|shape|shift|step|stride|padding|dilation|groups|out|times|ddof|classes)\s*=)(?:[^\W\d][\w,]*(?:\[[^\]]*\])?\s*(?:=(?!=)|:)|given\b|derive\b|assume\b)"
)


class Token:
    """`kind` is name, num, frac, ones, series, sub, sup, braced (^{-1}, ⁻ᵀ), prime, nabla, partial, str or op; offsets count from 0."""

    __slots__ = ("end", "kind", "spaced", "start", "text")

    def __init__(self, kind: str, text: str, start: int, end: int, spaced: bool) -> None:
        self.kind, self.text, self.start, self.end, self.spaced = kind, text, start, end, spaced

    def __repr__(self) -> str:
        return f"{self.kind}:{self.text}"


class Source:
    """One line of the text, with the lines that continue it: what a span needs."""

    __slots__ = ("line", "name", "parts", "text")

    def __init__(self, name: str, line: int, text: str) -> None:
        self.name, self.line, self.text = name, line, text
        self.parts = [(0, line, text)]  # where each line begins here

    def extend(self, end: int, line: int, text: str) -> int:
        """Puts a line behind the first `end` characters; where it begins."""
        body = text.lstrip()
        self.text = f"{self.text[:end]} {body}"
        self.parts.append((end + 1 - (len(text) - len(body)), line, text))
        return end + 1

    def span(self, start: int, end: int) -> Span:
        at, line, text = next(p for p in reversed(self.parts) if p[0] <= start or not p[0])
        column = max(start - at, 0)
        return Span(self.name, line, column + 1, max(1, min(end - at, len(text)) - column), text)


class Statement:
    """The tokens of one statement, ended by a token of kind "end"."""

    __slots__ = ("source", "tokens")

    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self.source = source
        last = tokens[-1].end if tokens else 0
        self.tokens = [*tokens, Token("end", "", last, last + 1, True)]

    @property
    def surface(self) -> str:
        return self.source.text[self.tokens[0].start : self.tokens[-1].start]

    def span(self, first: Token, last: Token | None = None) -> Span:
        return self.source.span(first.start, (last or first).end)

    @property
    def whole(self) -> Span:
        return self.span(self.tokens[0], self.tokens[-2])

    def outside(self) -> Iterator[tuple[int, Token]]:
        """The operators outside of all brackets, with their places."""
        depth = 0
        for i, token in enumerate(self.tokens):
            if token.kind == "op":
                depth += (token.text in _OPEN) - (token.text in _CLOSE)
                if not depth:
                    yield i, token

    def unexpected(self, token: Token, expected: str, hint: str = "", where: str = "") -> ParseError:
        shown = token.text or "end of the line"
        return ParseError("P002", f"unexpected {shown}{where}", span=self.span(token), expected=expected, hint=hint)


def leads(statement: Statement, word: str) -> bool:
    """Whether the statement is led by a keyword rather than by a name of that spelling."""
    first, second = statement.tokens[0], statement.tokens[1]
    return first.text == word and (second.kind in FACTOR_KINDS or second.text in FACTOR_OPENS | MINUS)


def _control(text: str, name: str) -> None:
    found = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ufffd]", text)
    if found is None:
        return
    start = max(text.rfind("\n", 0, found.start()) + 1, found.start() - MAX_LINE)
    stop = text.find("\n", found.start(), found.start() + MAX_LINE)
    line = text[start : stop if stop >= 0 else found.start() + 200]
    span = Span(name, text.count("\n", 0, found.start()) + 1, found.start() - start + 1, 1, line)
    message = f"the text holds the control character U+{ord(found.group()):04X}"
    raise ParseError(
        "P001", message, span=span, expected="equations in plain text (UTF-8)", hint="is this a binary file?"
    )


def read_statements(
    text: str, name: str, max_line: int = MAX_LINE, also: frozenset[str] = frozenset(), plain: Collection[str] = ()
) -> list[Statement]:
    """Every statement of the text; `also` are families that it does not show to be such, `plain` are names that are none.

    Raises ParseError P001, P008, P009, P010, P011, P013, P040."""
    if len(text) > MAX_TEXT:
        raise ParseError("P009", f"the text has {len(text)} characters", expected=f"at most {MAX_TEXT}")
    _control(text, name)
    found: list[Statement] = []
    families = families_of(text).difference(plain) | also
    # a member of a family is one token, whatever stands in its brackets
    pattern = re.compile(f"{member_pattern(families)}|{_TOKEN.pattern}", _TOKEN.flags) if families else _TOKEN
    unfinished: _Unfinished | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = unicodedata.normalize("NFC", line.rstrip("\r").removeprefix("\ufeff"))
        line = line.replace("\u00b5", "μ")  # the micro sign of keyboards is the letter mu
        if len(line) > max_line:
            span = Span(name, number, MAX_LINE + 1, 1, line)
            raise ParseError(
                "P009",
                f"line {number} has {len(line)} characters",
                span=span,
                expected=f"at most {MAX_LINE} characters in a line",
                hint="give parts of the expression names, one equation a line",
            )
        head = line.lstrip()
        if not head or head[0] in "#%":
            continue
        if unfinished is not None:
            if not _STATEMENT.match(line):
                unfinished = unfinished.go_on(found, number, line)
                continue
            unfinished.stop(found)
        unfinished = _Unfinished(Source(name, number, line), pattern).read(found, 0)
    if unfinished is not None:
        unfinished.stop(found)
    if not found:
        raise ParseError(
            "P010",
            "there is nothing to read",
            expected="at least one line `name = expression`",
            hint="for example: z = W a + b",
        )
    return found


class _Unfinished:
    """The statement that a line begins, until its brackets are closed and no operator waits for more."""

    def __init__(self, source: Source, pattern: re.Pattern[str]) -> None:
        self.source, self.pattern = source, pattern
        self.tokens: list[Token] = []
        self.stack: list[Token] = []

    def go_on(self, found: list[Statement], number: int, line: str) -> _Unfinished | None:
        if len(self.source.text) + len(line) > max(MAX_LINE, len(line)):
            raise self.too_long(number, line)
        return self.read(found, self.source.extend(self.tokens[-1].end, number, line))

    def too_long(self, number: int, line: str) -> ParseError:
        return ParseError(
            "P009",
            f"a statement of more than {MAX_LINE} characters",
            span=Span(self.source.name, number, 1, 1, line),
            expected=f"at most {MAX_LINE} characters in a statement",
            hint="give parts of the expression names, one equation a line",
        )

    def stop(self, found: list[Statement]) -> None:
        """The end of the statement, whatever was still awaited. Raises ParseError P011."""
        if self.stack:
            raise _unbalanced(self.source, self.stack[-1], [])
        if self.tokens:
            found.append(Statement(self.source, self.tokens))

    def read(self, found: list[Statement], at: int) -> _Unfinished | None:
        """Reads from character `at` on; itself if the next line may go on."""
        source, spaced = self.source, True
        for match in self.pattern.finditer(source.text, at):
            kind = match.lastgroup
            if kind == "space":
                spaced = True
                continue
            if kind == "comment":
                break
            text = match.group()
            if kind == "member":
                text = _member(source, match)
                kind = "ones" if text.startswith("1_") else "name"
            token = Token(kind or "bad", text, match.start(), match.end(), spaced)
            spaced = False
            if kind == "op":
                if text == ";" and not self.stack:
                    if self.tokens:
                        found.append(Statement(source, self.tokens))
                        self.tokens = []
                    continue
                self.bracket(token)
            elif kind == "bad" or len(text) > (MAX_DIGITS if kind == "num" else MAX_TOKEN) or text.startswith("__"):
                raise _bad(source, token)
            self.tokens.append(token)
        if self.stack or (self.tokens and self.tokens[-1].kind == "op" and self.tokens[-1].text in _WAITING):
            return self
        self.stop(found)
        return None

    def bracket(self, token: Token) -> None:
        text, stack = token.text, self.stack
        if text in _OPEN:
            stack.append(token)
            if len(stack) > MAX_DEPTH:
                raise ParseError(
                    "P008",
                    f"brackets are nested more than {MAX_DEPTH} deep",
                    span=self.source.span(token.start, token.end),
                    hint="give the inner expression a name of its own",
                )
        elif text in _CLOSE:
            if not stack or _OPEN[stack[-1].text] != text:
                raise _unbalanced(self.source, token, stack)
            stack.pop()


def _member(source: Source, match: re.Match[str]) -> str:
    text = match.group()
    found = spelling(text)
    if found is None or len(found) > MAX_TOKEN:
        raise ParseError(
            "P040",
            f"the index of {text[:60]} cannot be read",
            span=source.span(match.start(), match.end()),
            expected="a letter plus or minus a number for each index, as in W[k+1] or h[l,t-1]",
            hint="for a part of a member write the slice behind it: W[k][1..n, :]",
        )
    return found


def _unbalanced(source: Source, token: Token, stack: list[Token]) -> ParseError:
    span = source.span(token.start, token.end)
    if token.text in _OPEN:
        return ParseError(
            "P011",
            f"{token.text} is never closed",
            span=span,
            expected=f"{_OPEN[token.text]} on this line or the next",
        )
    if not stack:
        return ParseError("P011", f"{token.text} closes nothing", span=span, hint=f"remove the {token.text}")
    opener = stack[-1]
    return ParseError(
        "P011",
        f"{token.text} does not close the {opener.text} at column {opener.start + 1}",
        span=span,
        expected=_OPEN[opener.text],
    )


_HINTS = {
    "{": "use round brackets for grouping; { } only encloses indices, as in W_{ij}",
    "}": "use round brackets for grouping; { } only encloses indices, as in W_{ij}",
    ".": "a name holds no dot; .* ./ .^ act entry by entry, and 1..n is a slice",
    "%": "a comment starts with #",
    "\\": "LaTeX commands are not read: write ⊙ or .*, sum_i, W_ij, alpha",
    "×": "write a b for the matrix product, a ⊙ b for the entrywise product, W : (m, n) for a shape",
    "√": "write sqrt(x)",
    "∘": "write A ⊙ B for the entrywise product, x^∘2 for an entrywise power",
    "∈": "write x : n for a vector, W : (m, n) for a matrix, s : scalar for a number",
    "’": "this is a typographic quotation mark: write x' or xᵀ for the transpose",
    "‘": "this is a typographic quotation mark: write x' or xᵀ for the transpose",
    "“": 'this is a typographic quotation mark: write "',
    "”": 'this is a typographic quotation mark: write "',
    "∂": "write grad_loss(y) or ∇loss(y) for a gradient: differentiation is done for you",
    "!": "write ≠ or != only after `assume`",
    "&": "equations are separated by line ends or ;",
    "$": "write the mathematics without dollar signs",
    '"': 'a quotation mark is never closed; strings stand only in ein("...", ...)',
}


def _bad(source: Source, token: Token) -> ParseError:
    text = token.text
    span = source.span(token.start, token.end)
    if text.startswith("_"):
        word = re.match(r"\w+", source.text[token.start :])
        whole = word.group()[:MAX_TOKEN] if word else text
        span = source.span(token.start, token.start + len(whole))
        return ParseError(
            "P013",
            f"{whole} cannot be a name",
            span=span,
            expected="a name that starts with a letter",
            hint="this is read as mathematics: nothing of it is run as Python",
        )
    most, what = (MAX_DIGITS, "number") if token.kind == "num" else (MAX_TOKEN, "word")
    if len(text) > most:
        return ParseError(
            "P009", f"a {what} of {len(text)} characters", span=span, expected=f"at most {most} characters"
        )
    shown = text if text.isprintable() else f"U+{ord(text):04X}"
    hint = _HINTS.get(text, "")
    if re.match(r"\.T\b", source.text[token.start :]):
        hint = "write Wᵀ, W^T or W' for the transpose of W"
    return ParseError(
        "P001",
        f"unexpected character {shown}",
        span=span,
        expected="names, numbers, + - ⊙ / ᵀ brackets",
        hint=hint,
    )
