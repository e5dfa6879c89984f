"""Declarations: `W : (m, n) where const`, `f : entrywise`, `g : (n) -> (m)`."""

from __future__ import annotations

from ..algebra.dims import Dim, Shape, show_shape
from ..algebra.facts import FACTS, SQUARE, SUBSPACES
from ..algebra.ops.free import RESTRICTED
from ..errors import ParseError, ShapeError, UnsupportedError, nearest
from .program import FunctionKind
from .sizes import no_shape, read_dim
from .sorted_lines import Declared, Lines, check_name, name_once
from .tokens import Statement, Token

__all__ = ["declare", "facts_named", "ranges_over"]

_AT_THE_POINT = ("orthogonal", "sums_to_one")  # no subspaces: what is near such a value is another
_CONSTANT = frozenset({"const", "data", "constant"})
_HARMLESS = frozenset({"param", "nonzero", "nonnegative", "invertible", "nonsingular", "real", "binary"})
_SCALAR_WORDS = frozenset({"scalar", "number"})
_FUNCTION_WORDS = frozenset({"entrywise", "elementwise", "pointwise"})
_REALS = frozenset({"R", "ℝ"})
_SHAPE_OF = {
    "vector": "{0} : n", "column": "{0} : n", "row": "{0} : n", "array": "{0} : n or {0} : (m, n)", "list": "{0} : n",
    "matrix": "{0} : (m, n)", "tensor": "{0} : (m, n, p)", "function": "{0} : entrywise, {0} : scalar function or "
    "{0} : (n) -> (m)", "map": "{0} : (n) -> (m)", "mapping": "{0} : (n) -> (m)",
    **dict.fromkeys(["real", "float", "double", "int", "integer", "ℝ"], "{0} : scalar, {0} : n or {0} : (m, n)"),
    **dict.fromkeys(["const", "constant", "data"], "{0} : scalar where const, or {0} : n where const"),
    **dict.fromkeys(["param", "parameter", "variable", "input"], "{0} : scalar, {0} : n or {0} : (m, n)"),
    **dict.fromkeys(["symmetric", "diagonal", "orthogonal", "positive"], "{0} : (n, n)"),
}  # fmt: skip


def declare(statement: Statement, colon: int, found: Lines) -> None:
    t = statement.tokens
    names: list[Token] = []
    i = 0
    while True:
        check_name(statement, i)
        names.append(t[i])
        i += 1
        if t[i].text != ",":
            break
        i += 1
    if i != colon:
        raise statement.unexpected(t[i], "name : shape", "for example W : (m, n)")
    kind = _type(statement, colon + 1, found)
    for name in names:
        name_once(statement, name, found)
        if isinstance(kind, FunctionKind):
            found.functions[name.text] = kind
        else:
            facts = _facts(statement, colon, kind)
            if RESTRICTED in facts and "[" in name.text:
                raise UnsupportedError("U004", f"the members of {name.text} range over a subspace, which is not supported", span=statement.span(name),
                                       expected="a name without an index", hint="derive without `where`: the gradient there is the "
                                       "projection, of a symmetric one ½ (G + Gᵀ)")  # fmt: skip
            found.declared[name.text] = Declared(kind, statement, name, facts)
            if "index" in facts or any(a.text in _CONSTANT for a in t[colon:] if a.kind == "name"):
                found.constants.add(name.text)


def _facts(statement: Statement, colon: int, shape: Shape) -> tuple[str, ...]:
    """What `where` says of the values. Raises ShapeError S014."""
    words = [k for k in statement.tokens[colon:] if k.kind == "name" and k.text in FACTS]
    found = dict.fromkeys(f for k in words for f in facts_named(k, shape, statement))
    linear = [f for f in found if f in SUBSPACES]
    if len(linear) > 1 and set(linear) != {"symmetric", "diagonal"}:
        raise UnsupportedError("U004", f"a variable that is both {linear[0]} and {linear[1]} is not supported", span=statement.span(words[-1]),
                               expected="one of " + ", ".join(SUBSPACES))  # fmt: skip
    return (*found, RESTRICTED) if linear else tuple(found)


def facts_named(token: Token, shape: Shape, statement: Statement) -> tuple[str, ...]:
    """The facts that a word says of a tensor of this shape. Raises ShapeError S014."""
    found = FACTS[token.text]
    square = len(shape) == 2 and shape[0] == shape[1]
    if any(f in SQUARE for f in found) and not square:
        raise ShapeError("S014", f"{token.text} is said of a tensor of shape {show_shape(shape)}", span=statement.span(token),
                         expected="a square matrix, as in S : (n, n) where symmetric")  # fmt: skip
    if "sums_to_one" in found and not shape:
        raise ShapeError(
            "S014", f"{token.text} is said of a scalar", span=statement.span(token), expected="a vector or a matrix"
        )
    return found


def ranges_over(name: str, declared: Declared) -> list[str]:
    """What is said of a name by its declaration: that it ranges over a subspace, or what its value is."""
    facts, line = declared.facts, f"(line {declared.statement.source.line})"
    if RESTRICTED in facts:
        return [f"{name} ranges over {'diagonal' if 'diagonal' in facts else facts[0]} matrices {line}"]
    told = [f.replace("_", " ") for f in facts if f in _AT_THE_POINT]
    return [
        f"{name} is {fact}: its gradient is that of free entries, at such a value {line}".replace("is sums", "sums")
        for fact in told
    ]


def _type(statement: Statement, i: int, found: Lines) -> Shape | FunctionKind:
    t = statement.tokens
    token = t[i]
    arrow = [k.text for k in t[i : i + 3]] in [[a, to, b] for a in _REALS for to in ("->", "→") for b in _REALS]
    if token.text in _FUNCTION_WORDS or arrow:
        i += 3 if arrow else 1
        i += not arrow and t[i].text == "function"
        _end_of_type(statement, i)
        return FunctionKind("entrywise")
    if token.text == "functional":
        _end_of_type(statement, i + 1)
        return FunctionKind("tensor")
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
        raise ParseError(
            "P002",
            "several shapes",
            span=statement.span(token),
            expected="one shape such as (m, n)",
            hint="write (m, n) for a matrix, or (n), (k) -> scalar for a function",
        )
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
            raise statement.unexpected(t[i], ", or )", where=" in a shape")
        i += 1
    else:
        _no_size(statement, i)
        written = t[i].text == "[" or (t[i].text in _REALS and t[i + 1].text == "^")
        if written:
            raise ParseError(
                "P002",
                f"unexpected {t[i].text if t[i].text == '[' else t[i].text + '^'} in a shape",
                span=statement.span(t[i]),
                expected="sizes in round brackets",
                hint=f"write {t[0].text} : n for a vector, {t[0].text} : (m, n) for a matrix",
            )
        dim, i = read_dim(statement, i)
        dims.append(dim)
    if (error := no_shape(tuple(dims))) is not None:
        raise error.at(statement.span(t[i - 1]))
    found.dims |= {s for d in dims for s in d.symbols()}
    return tuple(dims), i


def _no_size(statement: Statement, i: int) -> None:
    """Refuses a word that says what kind of thing is declared where its sizes are asked for."""
    token, name = statement.tokens[i], statement.tokens[0].text
    if token.text == "complex":
        raise UnsupportedError(
            "U002",
            "complex numbers are not supported",
            span=statement.span(token),
            expected="real numbers",
            hint=f"for the real and the imaginary part declare two names, {name}_re and {name}_im",
        )
    if token.text in _SHAPE_OF:
        raise ParseError(
            "P002",
            f"{token.text} is no size",
            span=statement.span(token),
            expected="the sizes of the axes, scalar, entrywise or scalar function",
            hint=f"write {_SHAPE_OF[token.text].format(name)}",
        )


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
        raise statement.unexpected(t[i], "the end of the line, or `where const`")
    i += 1
    while True:
        token = t[i]
        if token.text not in _CONSTANT | _HARMLESS | FACTS.keys():
            if token.kind != "name":
                raise statement.unexpected(token, "an attribute such as const")
            meant = nearest(token.text, ["const", "param", *FACTS])
            raise UnsupportedError("U004", f"the attribute {token.text} is not supported", span=statement.span(token),
                                   expected="const, param, " + ", ".join(FACTS), hint=f"did you mean {meant}?" if meant else "")  # fmt: skip
        i += 1
        if t[i].text != ",":
            break
        i += 1
    if t[i].kind != "end":
        raise statement.unexpected(t[i], ", or the end of the line")
