"""The statements of a text sorted by what they are, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..algebra.dims import Shape
from ..algebra.ranges import Range
from ..errors import ParseError, Span
from .program import FunctionKind
from .sizes import layer_index
from .tokens import Statement, Token

__all__ = ["Declared", "Definition", "FunctionLine", "Lines", "Relation", "check_name", "defined_twice", "name_once"]


@dataclass
class Declared:
    """`W : (m, n) where const`."""

    shape: Shape
    statement: Statement
    token: Token
    facts: tuple[str, ...] = ()


@dataclass
class Definition:
    """`name = …` from token `at`; `indices` are those of an index equation, None in matrix mode."""

    name: str
    statement: Statement
    token: Token | None
    at: int
    indices: tuple[str, ...] | None = None
    ranges: tuple[Range, ...] = ()  # of `for k = 1..L-1`


@dataclass
class FunctionLine:
    """`phi(t) = …` from token `at`."""

    name: str
    statement: Statement
    token: Token
    params: tuple[str, ...]
    at: int


@dataclass
class Relation:
    """`assume left op right`, the operator standing at token `middle`."""

    statement: Statement
    middle: int

    @property
    def text(self) -> str:
        return self.statement.surface.partition("assume")[2].strip()


@dataclass
class Lines:
    """The statements of a text, sorted."""

    declared: dict[str, Declared] = field(default_factory=dict)
    functions: dict[str, FunctionKind] = field(default_factory=dict)
    own: dict[str, FunctionLine] = field(default_factory=dict)
    definitions: list[Definition] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    given: tuple[Statement, Token, Token] | None = None
    wrt: list[tuple[Statement, Token]] = field(default_factory=list)
    constants: set[str] = field(default_factory=set)
    said: list[tuple[Token, Token, Statement]] = field(default_factory=list)  # (fact, name) of `assume symmetric(A)`
    notes: list[str] = field(default_factory=list)
    dialect: str | None = None
    dims: set[str] = field(default_factory=set)
    places: dict[str, tuple[Statement, Token]] = field(default_factory=dict)


def check_name(statement: Statement, i: int) -> None:
    token, after = statement.tokens[i], statement.tokens[min(i + 1, len(statement.tokens) - 1)]
    if token.kind != "name":
        raise statement.unexpected(token, "a name")
    if after.text == "[" and after.start == token.end:
        raise layer_index(statement.span(token, after))


def name_once(statement: Statement, token: Token, found: Lines) -> None:
    if token.text in found.places:
        other, first = found.places[token.text]
        raise defined_twice(token.text, statement.span(token), other.span(first))
    found.places[token.text] = statement, token


def defined_twice(name: str, span: Span, first: Span) -> ParseError:
    where = "the same line" if first.line == span.line else f"line {first.line}: `{first.text.strip()[:80]}`"
    return ParseError(
        "P004",
        f"{name} is defined twice",
        span=span,
        notes=[f"first on {where}"],
        hint="give the second one another name; the equations of a program hold all at once",
    )
