"""Text into a Program: matrix notation, index notation, and the MATLAB-like dialect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeVar

from ..algebra.dims import Dim
from ..algebra.expr import Expr
from ..algebra.indexed import family_of
from ..errors import ParseError, PullbackError, ShapeError, Span
from .constants import constant
from .elaborate import elaborate
from .functions import derivative_of, is_known
from .pratt import Parser
from .program import FunctionKind, Program
from .reader import Reader
from .sizes import Sizes
from .tape import Node
from .tokens import Statement, read_statements
from .values import Maker, Val

__all__ = ["FunctionKind", "decode", "in_its_dialect", "parse_expression", "parse_program"]

_R = TypeVar("_R", bound=Reader)
_T = TypeVar("_T")

_MARK = re.compile(r"^(?:(?:grad_)+(?:\d+_)*|D+(?:\d+_)*|(?:d\d+)+_)")  # of a derivative, in ASCII
_DIALECT_CALLS = frozenset({"norm2", "vector", "matrix"})
_DIALECT_NAMES = frozenset({"eye"})
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def decode(data: bytes, name: str) -> str:
    """Bytes as text. Raises ParseError P001 at the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as why:
        start = data.rfind(b"\n", 0, why.start) + 1
        before = data[start : why.start].decode("utf-8-sig", "replace")
        stop = data.find(b"\n", start)
        line = before + data[why.start : stop if stop >= 0 else len(data)][:200].decode("utf-8", "replace")
        span = Span(name, data.count(b"\n", 0, why.start) + 1, len(before) + 1, 1, line)
        encoding = _MARKS.get(data[:2])
        raise ParseError(
            "P001",
            f"{name} is not UTF-8 text: the byte {data[why.start]:#04x}"
            + (f" (this looks like {encoding})" if encoding else ""),
            span=span,
            expected="equations as UTF-8 text",
            hint=f"save the file as UTF-8: iconv -f {encoding} -t UTF-8 {name}"
            if encoding
            else "is this a binary file, or a text in another encoding?",
        ) from None


def parse_program(text: str, *, name: str = "<text>", dialect: str | None = None) -> Program:
    """The equations of a text. Raises ParseError, ShapeError or UnsupportedError, with their place."""
    if dialect not in (None, "matrix", "matlab"):
        raise ParseError("P002", f"unknown dialect {dialect}", expected="matrix or matlab")
    statements = read_statements(text, name)
    return in_its_dialect(partial(Reader, text, statements), Reader.read, statements, dialect)


def in_its_dialect(
    reader: Callable[..., _R], read: Callable[[_R], _T], statements: Sequence[Statement], dialect: str | None
) -> _T:
    """What `read` makes of the reader of a dialect; where none is chosen, of that in which `*` can have one meaning only.

    Raises PullbackError; ShapeError S005 where `*` can have several."""
    first = reader(dialect)
    try:
        return read(first)
    except ShapeError as error:
        if error.code != "S005" or first.chosen is not None or first.scan.only_matrix:
            raise
        try:
            found = read(reader("matlab", recognised=True))
        except PullbackError:
            raise error from None
        if _shows_dialect(statements):
            return found
        try:
            read(reader("matrix", star="⊙"))
        except PullbackError:
            return found
        raise


def _shows_dialect(statements: Sequence[Statement]) -> bool:
    """Whether the text holds a mark beside which `*` is the matrix product: `.*`, `x'*y`, norm2(…), vector(1), eye."""
    for statement in statements:
        for token, after in pairwise(statement.tokens):
            called = after.text == "(" and after.start == token.end
            if token.text in (".*", "./", ".^") or (token.kind == "prime" and after.text == "*"):
                return True
            if token.kind == "name" and token.text in (_DIALECT_CALLS if called else _DIALECT_NAMES):
                return True
    return False


def _sizes_of(scope: Mapping[str, Expr | FunctionKind]) -> set[str]:
    return {s for e in scope.values() if isinstance(e, Expr) for d in e.shape for s in d.symbols()}


def parse_expression(
    text: str, scope: Mapping[str, Expr | FunctionKind], spell: Callable[[str], str] = lambda name: name
) -> Expr:
    """One printed expression read back, its names bound by `scope`. Raises PullbackError.

    A gradient may be bound as `∇z` or as `grad_z`; a function by its name and kind. `spell` says how the names of
    functions and sizes are spelled in the text, the others being bound as they are spelled.
    """
    bracketed = [n for n in scope if "[" in n] + [s for s in _sizes_of(scope) if "[" in s]
    families = {family_of(x) for n in bracketed for x in (n.lstrip("∇"), n.removeprefix("grad_"))}
    marked = {w for w in re.findall(r"(\w+)\[", text) if _MARK.sub("", w) in families}  # grad_loss[t](…), D1_g[k](…)
    also = frozenset(families | marked)
    # what is bound without an index is no family: g^(t − 1) is a power of a number g
    statements = read_statements(text, "<expression>", max_line=len(text), also=also, plain=scope)
    if len(statements) > 1:
        span = statements[1].span(statements[1].tokens[0])
        raise ParseError("P002", "more than one expression", span=span)
    own = {spell(n): n for n, k in scope.items() if isinstance(k, FunctionKind)}
    functions = {spell(n): k for n, k in scope.items() if isinstance(k, FunctionKind)}
    values = {n: e for n, e in scope.items() if isinstance(e, Expr)}

    def is_function(word: str) -> bool:
        if word in values:
            return False
        return word in functions or is_known(word) or derivative_of(word, functions) is not None

    spelled = {spell(s): s for s in _sizes_of(scope)}
    sizes_known = set(spelled)

    def lookup(maker: Maker, word: str, node: Node) -> Val:
        found = values.get(word)
        if found is None and word.startswith("∇"):
            found = values.get("grad_" + word[1:])
        if found is None and word.startswith("grad_"):
            found = values.get("∇" + word[5:])
        if found is not None:
            return Val(found.shape, found)
        constants = constant(maker, word, sizes_known)
        if constants is not None:
            return constants
        known = ", ".join(list(values)[:12])
        raise ParseError("P003", f"{word} is not defined here", span=maker.span(node), expected=known)

    parser = Parser(statements[0], 0, is_function, is_number=lambda n: n in sizes_known and n not in values)
    parser.is_own = functions.__contains__
    parser.is_value = lambda n: n in values and not values[n].order
    tape = parser.whole()
    sizes = Sizes()
    sizes.bound.update({s: Dim.symbol(n) for s, n in spelled.items() if s != n})
    maker = Maker(sizes, functions, lookup)
    maker.printed, maker.own, maker.spell = True, own, spell
    known = set(values.values())
    maker.outer = lambda v, node: Val((), v) if v in known else maker.size(Dim.symbol(v.attrs[0]))
    return elaborate(maker, statements[0], tape).built()
