"""Each statement for what it is: a declaration, an equation, a given gradient, a wish, an assumption."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..algebra.dims import Dim, Shape, show_shape
from ..errors import ParseError, Span, UnsupportedError
from .pratt import subscript, sum_letters
from .program import FunctionKind
from .sizes import read_dim
from .tokens import Statement, Token

__all__ = ["Declared", "Definition", "Lines", "Relation", "read_lines", "starts_word"]

_RELATIONS = frozenset({"=", "==", "!=", "≠", ">", "<", ">=", "<=", "≥", "≤"})
_CONSTANT = frozenset({"const", "data", "constant"})
_HARMLESS = frozenset({"param", "positive", "nonzero", "invertible", "nonsingular", "real"})
_SCALAR_WORDS = frozenset({"scalar", "number"})
_FUNCTION_WORDS = frozenset({"entrywise", "elementwise"})


@dataclass
class Declared:
    """`W : (m, n) where const`."""

    shape: Shape
    statement: Statement
    token: Token


@dataclass
class Definition:
    """`name = …` from token `at`; `indices` are those of an index equation's left side, None in matrix mode."""

    name: str
    statement: Statement
    token: Token | None
    at: int
    indices: tuple[str, ...] | None = None


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
    definitions: list[Definition] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    given: tuple[Statement, Token, Token] | None = None
    wrt: list[tuple[Statement, Token]] = field(default_factory=list)
    constants: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    dialect: str | None = None
    dims: set[str] = field(default_factory=set)
    places: dict[str, tuple[Statement, Token]] = field(default_factory=dict)


def starts_word(statement: Statement, word: str) -> bool:
    """Whether the statement is led by a keyword rather than by a name of that spelling."""
    first, second = statement.tokens[0], statement.tokens[1]
    return first.text == word and (second.kind in ("name", "num", "frac", "nabla", "ones") or second.text in ("‖", "||", "("))


def read_lines(statements: list[Statement]) -> Lines:
    """Raises ParseError P002, P004, UnsupportedError U003, U004."""
    found = Lines()
    for statement in statements:
        first = statement.tokens[0]
        second = statement.tokens[1]
        if first.text == "given" and starts_word(statement, "given"):
            _given(statement, found)
        elif first.text == "derive" and starts_word(statement, "derive"):
            _derive(statement, found)
        elif first.text == "assume" and starts_word(statement, "assume"):
            _assume(statement, found)
        elif first.text == "dialect" and second.text in (":", "="):
            found.dialect = _dialect(statement)
        else:
            colon, equals = _separators(statement)
            if colon is not None and equals is None:
                _declare(statement, colon, found)
            else:
                _define(statement, equals, found)
    return found


def _separators(statement: Statement) -> tuple[int | None, int | None]:
    """Where `:` and `=` stand outside brackets."""
    colon = equals = None
    depth = 0
    for i, token in enumerate(statement.tokens):
        if token.kind != "op":
            continue
        text = token.text
        if text in "([⟨":
            depth += 1
        elif text in ")]⟩":
            depth -= 1
        elif depth:
            continue
        elif text == ":" and colon is None:
            colon = i
        elif text in _RELATIONS and equals is None:
            if text != "=":
                if text == "<":  # ⟨A, B⟩ in ASCII
                    continue
                if text == ">":
                    continue
                raise ParseError("P002", f"unexpected {text}", span=statement.span(token), expected="name = expression",
                                 hint="write `assume x > 0` for a condition")  # fmt: skip
            equals = i
    return colon, equals


def _dialect(statement: Statement) -> str:
    token = statement.tokens[2]
    if token.text not in ("matlab", "matrix") or statement.tokens[3].kind != "end":
        raise ParseError("P002", f"unknown dialect {token.text}", span=statement.span(token),
                         expected="dialect: matlab, or dialect: matrix")  # fmt: skip
    return token.text


# ---- declarations


def _declare(statement: Statement, colon: int, found: Lines) -> None:
    t = statement.tokens
    names: list[Token] = []
    i = 0
    while True:
        _is_name(statement, i)
        names.append(t[i])
        i += 1
        if t[i].text != ",":
            break
        i += 1
    if i != colon:
        raise ParseError("P002", f"unexpected {t[i].text}", span=statement.span(t[i]), expected="name : shape",
                         hint="for example W : (m, n)")  # fmt: skip
    kind = _type(statement, colon + 1, found)
    for name in names:
        _once(statement, name, found)
        if isinstance(kind, FunctionKind):
            found.functions[name.text] = kind
        else:
            found.declared[name.text] = Declared(kind, statement, name)
            if any(a.text in _CONSTANT for a in t[colon:] if a.kind == "name"):
                found.constants.add(name.text)


def _is_name(statement: Statement, i: int) -> None:
    token, after = statement.tokens[i], statement.tokens[min(i + 1, len(statement.tokens) - 1)]
    if token.kind != "name":
        raise ParseError("P002", f"unexpected {token.text or 'the end of the line'}", span=statement.span(token),
                         expected="a name")  # fmt: skip
    if after.text == "[" and after.start == token.end:
        raise UnsupportedError("U003", "symbolic layer index: not in this version", span=statement.span(token, after),
                               hint="write one layer, or number the layers: W1, W2, …")  # fmt: skip


def _once(statement: Statement, token: Token, found: Lines) -> None:
    if token.text in found.places:
        other, first = found.places[token.text]
        raise _twice(token.text, statement.span(token), other.span(first))
    found.places[token.text] = statement, token


def _twice(name: str, span: Span, first: Span) -> ParseError:
    where = "the same line" if first.line == span.line else f"line {first.line}: `{first.text.strip()[:80]}`"
    return ParseError("P004", f"{name} is defined twice", span=span, notes=[f"first on {where}"],
                      hint="give the second one another name; the equations of a program hold all at once")  # fmt: skip


def _type(statement: Statement, i: int, found: Lines) -> Shape | FunctionKind:
    t = statement.tokens
    token = t[i]
    if token.text in _FUNCTION_WORDS:
        i += 1
        i += t[i].text == "function"
        _end_of_type(statement, i)
        return FunctionKind("entrywise")
    if token.text in _SCALAR_WORDS:
        if t[i + 1].text == "function":
            _end_of_type(statement, i + 2)
            return FunctionKind("tensor")
        _end_of_type(statement, i + 1)
        return ()
    shapes = [_shape(statement, i, found)]
    i = shapes[0][1]
    while t[i].text == ",":
        shapes.append(_shape(statement, i + 1, found))
        i = shapes[-1][1]
    arguments = tuple(s for s, _ in shapes)
    if t[i].text in ("->", "→"):
        out, i = _shape(statement, i + 1, found)
        _end_of_type(statement, i)
        return FunctionKind("tensor", out, arguments)
    _end_of_type(statement, i)
    if len(arguments) > 1:
        raise ParseError("P002", "several shapes", span=statement.span(token), expected="one shape such as (m, n)",
                         hint="write (m, n) for a matrix, or (n), (k) -> scalar for a function")  # fmt: skip
    return arguments[0]


def _shape(statement: Statement, i: int, found: Lines) -> tuple[Shape, int]:
    t = statement.tokens
    if t[i].text in _SCALAR_WORDS:
        return (), i + 1
    dims: list[Dim] = []
    if t[i].text == "(" and t[i + 1].text == ")":
        return (), i + 2
    if t[i].text == "(" and _is_tuple(statement, i):
        while True:
            dim, i = read_dim(statement, i + 1)
            dims.append(dim)
            if t[i].text != ",":
                break
            if t[i + 1].text == ")":
                i += 1
                break
        if t[i].text != ")":
            raise ParseError("P002", f"unexpected {t[i].text or 'the end of the line'} in a shape",
                             span=statement.span(t[i]), expected=", or )")  # fmt: skip
        i += 1
    else:
        dim, i = read_dim(statement, i)
        dims.append(dim)
    for dim in dims:
        value = dim.constant
        if value is not None and value < 1:
            raise ParseError("P002", f"a size of {value}", span=statement.span(t[i - 1]), expected="a positive size")
        found.dims |= dim.symbols()
    return tuple(dims), i


def _is_tuple(statement: Statement, i: int) -> bool:
    """Whether the bracket at `i` is a whole shape, not the first factor of a size such as (n+1)*m."""
    depth = 0
    for j in range(i, len(statement.tokens)):
        text = statement.tokens[j].text
        depth += (text == "(") - (text == ")")
        if not depth:
            return statement.tokens[j + 1].text not in ("*", "+", "-", "−", "·")
    return True


def _end_of_type(statement: Statement, i: int) -> None:
    t = statement.tokens
    if t[i].kind == "end":
        return
    if t[i].text != "where":
        raise ParseError("P002", f"unexpected {t[i].text}", span=statement.span(t[i]),
                         expected="the end of the line, or `where const`")  # fmt: skip
    i += 1
    while True:
        token = t[i]
        if token.text not in _CONSTANT | _HARMLESS:
            if token.kind != "name":
                raise ParseError("P002", "unexpected " + (token.text or "the end of the line"),
                                 span=statement.span(token), expected="an attribute such as const")  # fmt: skip
            raise UnsupportedError("U004", f"the attribute {token.text} is not supported", span=statement.span(token),
                                   expected="const, data, param or positive",
                                   hint="the gradient of a constrained variable is another question than that of a free "
                                        "one: derive without the attribute, then restrict")  # fmt: skip
        i += 1
        if t[i].text != ",":
            break
        i += 1
    if t[i].kind != "end":
        raise ParseError("P002", f"unexpected {t[i].text}", span=statement.span(t[i]), expected=", or the end of the line")


# ---- equations


def _define(statement: Statement, equals: int | None, found: Lines) -> None:
    t = statement.tokens
    last = next((i for i, k in enumerate(t) if k.text == "for" and i and t[i + 1].kind == "name"), None)
    if equals is None:
        found.definitions.append(Definition("", statement, None, 0))
        return
    _is_name(statement, 0)
    if last is not None and last > equals:
        raise UnsupportedError("U003", "symbolic layer index: not in this version", span=statement.span(t[last], t[last + 1]),
                               hint="write one layer, or number the layers: W1, W2, …")  # fmt: skip
    i = 1
    letters = ""
    while t[i].text == "," and t[i + 1].kind == "name" and len(t[i + 1].text) == 1 and i < equals:  # y_i,j
        letters += t[i + 1].text
        i += 2
    if i != equals:
        raise ParseError("P002", f"unexpected {t[i].text} on the left side", span=statement.span(t[i]),
                         expected="name = expression", hint="the left side of an equation is one name")  # fmt: skip
    split = subscript(t[0].text)
    name, indices = _indices(statement, split, letters, equals, found)
    if indices is not None and len(set(indices)) != len(indices):
        raise ParseError("P006", "an index stands twice on the left side", span=statement.span(t[0]),
                         hint="write the diagonal as a sum over one index")  # fmt: skip
    if name in found.declared:
        shape = show_shape(found.declared[name].shape)
        found.notes.append(f"{name} was declared as {shape} and is defined by `{statement.surface.strip()[:80]}`")
        _declared_twice(statement, t[0], name, found)
    elif name in found.places:
        other, first = found.places[name]
        raise _twice(name, statement.span(t[0]), other.span(first))
    found.places[name] = statement, t[0]
    found.definitions.append(Definition(name, statement, t[0], equals + 1, indices))


def _declared_twice(statement: Statement, token: Token, name: str, found: Lines) -> None:
    if any(d.name == name for d in found.definitions):
        other, first = found.places[name]
        raise _twice(name, statement.span(token), other.span(first))


def _indices(
    statement: Statement, split: tuple[str, tuple[str, ...]] | None, letters: str, equals: int, found: Lines
) -> tuple[str, tuple[str, ...] | None]:
    """The name and the indices of a left side; indices are None in matrix mode.

    `x_1` and `h_new` are names: an index equation holds a sum over an index, or uses an index of its left side
    again on the right, or its left side is a declared tensor with as many indices as axes.
    """
    text = statement.tokens[0].text
    summed = False
    used: set[str] = set()
    for token in statement.tokens[equals:]:
        if token.kind == "name" and "_" in token.text or token.text.startswith("∑"):
            if sum_letters(token.text) is not None and token.text not in found.places:
                summed = True
            elif (right := subscript(token.text)) is not None and token.text not in found.declared:
                used |= set(right[1])
    if split is None or text in found.declared:
        return text, () if summed else None
    base, indices = split
    indices = (*indices, *letters)
    declared = found.declared.get(base)
    fits = declared is not None and len(declared.shape) == len(indices)
    if summed or fits or (len(indices) <= 4 and set(indices) & used):
        return base, indices
    return text, None


# ---- wishes and assumptions


def _given(statement: Statement, found: Lines) -> None:
    """`given grad y as g`."""
    t = statement.tokens
    i = 1
    if t[i].text in ("grad", "gradient", "∇"):
        i += 1
    if t[i].kind != "name" or t[i + 1].text != "as" or t[i + 2].kind != "name" or t[i + 3].kind != "end":
        raise ParseError("P002", "this line cannot be read", span=statement.span(t[i]), expected="given grad y as g")
    if found.given is not None:
        raise ParseError("P004", "a gradient is given twice", span=statement.span(t[0]),
                         notes=[f"first on line {found.given[0].source.line}"],
                         hint="one given gradient for each derivation")  # fmt: skip
    _once(statement, t[i + 2], found)
    found.given = statement, t[i], t[i + 2]


def _derive(statement: Statement, found: Lines) -> None:
    """`derive grad W, b`, `derive W, b`."""
    t = statement.tokens
    i = 1
    if t[i].text in ("grad", "gradient", "∇") and t[i + 1].kind == "name":
        i += 1
    while True:
        if t[i].kind == "nabla":
            i += 1
        _is_name(statement, i)
        found.wrt.append((statement, t[i]))
        i += 1
        if t[i].text != ",":
            break
        i += 1
    if t[i].kind != "end":
        raise ParseError("P002", f"unexpected {t[i].text}", span=statement.span(t[i]), expected=", or the end of the line",
                         hint="derive grad W, b")  # fmt: skip


def _assume(statement: Statement, found: Lines) -> None:
    depth = 0
    for i, token in enumerate(statement.tokens):
        depth += (token.text in "([⟨") - (token.text in ")]⟩") if token.kind == "op" else 0
        if not depth and token.kind == "op" and token.text in _RELATIONS:
            found.relations.append(Relation(statement, i))
            return
    raise ParseError("P002", "an assumption without a relation", span=statement.span(statement.tokens[0]),
                     expected="assume n = m, assume sum(y) = 1 or assume x > 0")  # fmt: skip
