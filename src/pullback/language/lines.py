"""Each statement for what it is: a declaration, an equation, a given gradient, a wish, an assumption."""

from __future__ import annotations

from ..algebra.dims import show_shape
from ..algebra.facts import FACTS
from ..algebra.indexed import ref
from ..algebra.ranges import Range
from ..errors import ParseError, nearest
from .declare import declare
from .functions import is_written
from .loops import for_clause, series_symbols
from .sorted_lines import Definition, FunctionLine, Lines, Relation, check_name, defined_twice, name_once
from .tape import subscript, sum_letters
from .tokens import Statement, Token, leads

__all__ = ["Definition", "Lines", "Relation", "read_lines"]

_RELATIONS = frozenset({"=", "==", "!=", "≠", ">", "<", ">=", "<=", "≥", "≤"})


def read_lines(statements: list[Statement]) -> Lines:
    """Raises ParseError P002, P004, UnsupportedError U003, U004."""
    found = Lines()
    for statement in statements:
        first = statement.tokens[0]
        second = statement.tokens[1]
        if leads(statement, "given"):
            _given(statement, found)
        elif leads(statement, "derive"):
            _derive(statement, found)
        elif leads(statement, "assume"):
            _assume(statement, found)
        elif first.text == "dialect" and second.text in (":", "="):
            found.dialect = _dialect(statement)
        else:
            colon, equals = _separators(statement)
            if colon is not None and equals is None:
                declare(statement, colon, found)
            else:
                _define(statement, equals, found)
    return found


def _separators(statement: Statement) -> tuple[int | None, int | None]:
    """Where `:` and `=` stand outside brackets."""
    colon = equals = None
    for i, token in statement.outside():
        if token.text == ":" and colon is None:
            colon = i
        elif token.text in _RELATIONS - {"<", ">"} and equals is None:  # <A, B> is ⟨A, B⟩ in ASCII
            if token.text != "=":
                raise statement.unexpected(token, "name = expression", "write `assume x > 0` for a condition")
            equals = i
    return colon, equals


def _dialect(statement: Statement) -> str:
    token = statement.tokens[2]
    if token.text not in ("matlab", "matrix") or statement.tokens[3].kind != "end":
        raise ParseError(
            "P002",
            f"unknown dialect {token.text}",
            span=statement.span(token),
            expected="dialect: matlab, or dialect: matrix",
        )
    return token.text


# ---- equations


def _define(statement: Statement, equals: int | None, found: Lines) -> None:
    t = statement.tokens
    last = next((i for i, k in enumerate(t) if k.text == "for" and i and t[i + 1].kind == "name"), None)
    ranges: tuple[Range, ...] = ()
    if last is not None and equals is not None and last > equals:
        statement, ranges = for_clause(statement, last)
        t = statement.tokens
        found.dims |= {s for r in ranges for d in (r.first, r.last) for s in d.symbols()} | {r.letter for r in ranges}
    found.dims |= {s for k in t if k.kind == "series" for s in series_symbols(statement, k)}
    if equals is None:
        found.definitions.append(Definition("", statement, None, 0))
        return
    check_name(statement, 0)
    if t[1].text == "(" and t[1].start == t[0].end:
        name_once(statement, t[0], found)
        if ranges:
            raise ParseError("P060", f"{t[0].text} is defined once, not for every {ranges[0].letter}", span=statement.whole,
                             expected=f"{t[0].text}(t) = … without for")  # fmt: skip
        found.own[t[0].text] = function_line(statement, equals)
        return
    i = 1
    letters = ""
    while t[i].text == "," and t[i + 1].kind == "name" and len(t[i + 1].text) == 1 and i < equals:  # y_i,j
        letters += t[i + 1].text
        i += 2
    if i != equals:
        raise statement.unexpected(
            t[i], "name = expression", "the left side of an equation is one name", " on the left side"
        )
    split = subscript(t[0].text)
    name, indices = _indices(statement, split, letters, equals, found)
    if indices is not None and len(set(indices)) != len(indices):
        raise ParseError(
            "P006",
            "an index stands twice on the left side",
            span=statement.span(t[0]),
            hint="write the diagonal as a sum over one index",
        )
    if name in found.declared:
        shape = show_shape(found.declared[name].shape)
        found.notes.append(f"{name} was declared as {shape} and is defined by `{statement.surface.strip()[:80]}`")
        _declared_twice(statement, t[0], name, found)
    elif name in found.places:
        other, first = found.places[name]
        raise defined_twice(name, statement.span(t[0]), other.span(first))
    found.places[name] = statement, t[0]
    member = ref(name)
    for r in ranges:
        if member is None or not any(r.letter in d.symbols() for d in member.index):
            raise ParseError(
                "P043",
                f"the left side {name} does not hold the index {r.letter} of the range {r}",
                span=statement.span(t[0]),
                expected=f"one member for every {r.letter}, as in {member.family if member else name}[{r.letter}] = …",
                hint=f"a sum over {r.letter} is written sum_{{{r.letter}={r.first}..{r.last}}}",
            )
    found.definitions.append(Definition(name, statement, t[0], equals + 1, indices, ranges))


def _declared_twice(statement: Statement, token: Token, name: str, found: Lines) -> None:
    if any(d.name == name for d in found.definitions):
        other, first = found.places[name]
        raise defined_twice(name, statement.span(token), other.span(first))


def _indices(
    statement: Statement, split: tuple[str, tuple[str, ...]] | None, letters: str, equals: int, found: Lines
) -> tuple[str, tuple[str, ...] | None]:
    """The name and the indices of a left side; indices are None in matrix mode.

    `x_1` and `h_new` are names: an index equation holds a sum over an index, or uses an index of its left
    side again on the right, or its left side is a declared tensor with as many indices as axes.
    """
    text = statement.tokens[0].text
    summed = False
    used: set[str] = set()
    for token in statement.tokens[equals:]:
        if (token.kind == "name" and "_" in token.text) or token.text.startswith("∑"):
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


def function_line(statement: Statement, equals: int) -> FunctionLine:
    """`phi(t) =`, `g(s, t) =`. Raises ParseError P060."""
    t = statement.tokens
    name = t[0]
    if is_written(name.text):
        raise ParseError("P060", f"{name.text} is a known function, and is defined here", span=statement.span(name),
                         expected="a name without a meaning of its own",
                         hint=f"give it another name, or leave the line out: {name.text} is known")  # fmt: skip
    if t[2].text == ")":
        raise ParseError("P060", f"{name.text} has no parameter", span=statement.span(t[1], t[2]), expected=f"{name.text}(t) = …",
                         hint=f"a name without parameters is an equation: {name.text} = …")  # fmt: skip
    params: list[Token] = []
    i = 2
    while i < equals:
        if t[i].kind != "name" or t[i + 1].text not in (",", ")") or ref(t[i].text) is not None:
            raise ParseError("P060", f"{t[i].text or 'this'} cannot be a parameter of {name.text}", span=statement.span(t[i]),
                             expected=f"names in brackets, as in {name.text}(t) = … or {name.text}(s, t) = …",
                             hint="a function is defined once for all arguments, not value by value")  # fmt: skip
        params.append(t[i])
        i += 2
    if i != equals or t[i - 1].text != ")":
        raise ParseError("P060", "this definition cannot be read", span=statement.span(t[0], t[equals]),
                         expected=f"{name.text}(t) = …")  # fmt: skip
    for k, p in enumerate(params):
        if p.text in (name.text, *(q.text for q in params[:k])):
            raise ParseError("P060", f"the parameter {p.text} of {name.text} has a name that stands in this line already",
                             span=statement.span(p), expected="a name of its own for each parameter")  # fmt: skip
    return FunctionLine(name.text, statement, name, tuple(p.text for p in params), equals + 1)


# ---- wishes and assumptions


def _given(statement: Statement, found: Lines) -> None:
    """`given grad y as g`."""
    t = statement.tokens
    i = 1
    if t[i].text in ("grad", "gradient", "∇"):
        i += 1
    fits = [
        t[i].kind == "name",
        *(k.text == "as" for k in t[i + 1 : i + 2]),
        *(k.kind == "name" for k in t[i + 2 : i + 3]),
    ]
    fits += [k.kind == "end" for k in t[i + 3 : i + 4]]
    wrong = t[i + fits.index(False)] if False in fits else None
    if wrong is not None:
        own = wrong.kind == "nabla"
        raise ParseError(
            "P002",
            "this line cannot be read",
            span=statement.span(wrong),
            expected="given grad y as g",
            hint="∇y is what the gradient of y is called anyway: give the one from outside a name of its own"
            if own
            else "",
        )
    if found.given is not None:
        raise ParseError(
            "P004",
            "a gradient is given twice",
            span=statement.span(t[0]),
            notes=[f"first on line {found.given[0].source.line}"],
            hint="one given gradient for each derivation",
        )
    name_once(statement, t[i + 2], found)
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
        check_name(statement, i)
        found.wrt.append((statement, t[i]))
        i += 1
        if t[i].text != ",":
            break
        i += 1
    if t[i].kind != "end":
        raise statement.unexpected(t[i], ", or the end of the line", "derive grad W, b")


def _assume(statement: Statement, found: Lines) -> None:
    t = statement.tokens
    if t[1].text in FACTS and t[2].text == "(" and t[3].kind == "name" and t[4].text == ")":  # assume symmetric(A)
        if t[5].kind != "end":
            raise statement.unexpected(t[5], "the end of the line", "assume symmetric(A)")
        found.said.append((t[1], t[3], statement))
        return
    middle = next((i for i, token in statement.outside() if token.text in _RELATIONS), None)
    if middle is not None:
        found.relations.append(Relation(statement, middle))
        return
    if t[1].kind == "name" and t[2].text == "(":  # assume negative(x)
        below = {"negative": "<", "nonnegative": "≥", "nonpositive": "≤"}.get(t[1].text)
        close = nearest(t[1].text, list(FACTS))
        raise ParseError(
            "P002",
            f"{t[1].text} is nothing that can be assumed",
            span=statement.span(t[1]),
            expected=", ".join(FACTS),
            hint=f"write assume {t[3].text} {below} 0" if below else f"did you mean {close}?" if close else "",
        )
    raise ParseError(
        "P002",
        "an assumption without a relation",
        span=statement.span(statement.tokens[0]),
        expected="assume n = m, assume sum(y) = 1 or assume x > 0",
    )
