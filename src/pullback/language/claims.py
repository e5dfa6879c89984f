"""Claims to be proved or refuted: `prove lhs = rhs`, beside the declarations, definitions and assumptions of a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from ..algebra.expr import Expr
from ..algebra.ops.structure import zeros
from ..errors import ParseError, ShapeError, Span
from .elaborate import elaborate
from .functions import is_known
from .index_mode import elaborate_index
from .program import Program
from .reader import Reader
from .tape import Bound, Tape, subscript, sum_letters
from .text import in_its_dialect
from .tokens import Statement, Token, leads, read_statements
from .values import Val

__all__ = ["Claimed", "Claims", "parse_claims"]

_COMPARED = {"<": "<", ">": ">", "<=": "≤", "≤": "≤", ">=": "≥", "≥": "≥", "!=": "≠", "≠": "≠"}


@dataclass(frozen=True)
class Claimed:
    """`left = right` as it was read; `indices` are those of an index equation."""

    left: Expr
    right: Expr
    surface: str
    span: Span
    indices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Claims:
    """What is to be proved, the program that its names come from, and the inequalities that are assumed."""

    program: Program
    claims: tuple[Claimed, ...]
    relations: tuple[tuple[Expr, str, Expr], ...] = ()


@dataclass
class _Half:
    """One side of a claim while it is read."""

    statement: Statement
    tape: Tape


@dataclass
class _Open:
    """A claim while it is read."""

    statement: Statement
    left: Statement
    right: Statement
    surface: str
    indices: tuple[str, ...] | None = None

    @property
    def span(self) -> Span:
        return self.statement.span(self.left.tokens[0], self.right.tokens[-2])


def parse_claims(text: str, *, name: str = "<text>", dialect: str | None = None) -> Claims:
    """The claims of a text. Raises ParseError, ShapeError or UnsupportedError, with their place.

    A line `prove lhs = rhs` is a claim. Without such a line every equation is one whose left side is not a new name.
    """
    if dialect not in (None, "matrix", "matlab"):
        raise ParseError("P002", f"unknown dialect {dialect}", expected="matrix or matlab")
    statements = read_statements(text, name)
    return in_its_dialect(partial(_Reader, text, *_split(statements)), _Reader.claims, statements, dialect)


# ---- which statements are claims


def _equals(statement: Statement, start: int = 0) -> int | None:
    """Where = stands outside brackets."""
    return next((i for i, token in statement.outside() if i >= start and token.text in ("=", "==")), None)


def _colon(statement: Statement, equals: int | None) -> bool:
    return any(t.text == ":" and (equals is None or i < equals) for i, t in statement.outside())


def _split(statements: list[Statement]) -> tuple[list[Statement], list[_Open]]:
    """Everything but the claims, and the claims."""
    explicit = any(leads(s, "prove") for s in statements)
    plain: list[Statement] = []
    claims: list[_Open] = []
    seen: set[str] = set()
    for statement in statements:
        if leads(statement, "prove"):
            claims.append(_opened(statement, 1))
            continue
        equals = _equals(statement)
        led = any(leads(statement, word) for word in ("assume", "given", "derive"))
        if not explicit and not led and equals is not None and not _colon(statement, equals):
            if not (_defines(statement, equals, seen) or _is_function(statement, equals, seen, statements)):
                claims.append(_opened(statement, 0))
                seen |= _words(statement.tokens)
                continue
        elif not led and equals is None and not _colon(statement, None):
            raise _no_claim(
                statement, "an expression is not a claim", "left = right", "for example: prove (A B)ᵀ = Bᵀ Aᵀ"
            )
        plain.append(statement)
        seen |= _words(statement.tokens)
    if not claims:
        raise _no_claim(statements[-1], "there is nothing to prove: every equation defines a new name",
                        "a claim: prove left = right", "write `prove` in front of the claim")  # fmt: skip
    return plain, claims


def _no_claim(statement: Statement, message: str, expected: str, hint: str = "") -> ParseError:
    return ParseError("P016", message, span=statement.whole, expected=expected, hint=hint)


def _words(tokens: list[Token]) -> set[str]:
    found = set()
    for t in tokens:
        if t.kind == "name":
            split = subscript(t.text)
            found |= {t.text, split[0] if split is not None else t.text}
    return found


def _defines(statement: Statement, equals: int, seen: set[str]) -> bool:
    """Whether the left side is one name, with or without indices, that is new here and not used on the right."""
    tokens = statement.tokens
    name = tokens[0]
    if name.kind != "name" or any(t.text != "," and len(t.text) > 1 for t in tokens[1:equals]):
        return False
    if equals > 1 and tokens[1].text != ",":
        return False
    split = subscript(name.text)
    known = seen | _words(tokens[equals:])
    return name.text not in known and (split is None or split[0] not in known)


def _is_function(statement: Statement, equals: int, seen: set[str], statements: list[Statement]) -> bool:
    """`f(t) = …` with f and t new here, f in no meaning of its own, not on the right, and used in another line."""
    t = statement.tokens
    inside = t[2 : equals - 1]
    if (
        t[0].kind != "name"
        or t[1].text != "("
        or t[1].start != t[0].end
        or t[equals - 1].text != ")"
        or is_known(t[0].text)
    ):
        return False
    if any(x.kind != "name" if k % 2 == 0 else x.text != "," for k, x in enumerate(inside)) or len(inside) % 2 == 0:
        return False
    names = {t[0].text, *(x.text for x in inside[::2])}
    used = any(t[0].text in _words(s.tokens) for s in statements if s is not statement)
    return used and not names & seen and t[0].text not in _words(t[equals:])


def _opened(statement: Statement, start: int) -> _Open:
    """A claim taken apart at its =."""
    tokens = statement.tokens
    equals = _equals(statement, start)
    if equals is None:
        raise _no_claim(statement, "a claim without =", "prove left = right")
    again = _equals(statement, equals + 1)
    if again is not None:
        raise ParseError(
            "P016",
            "a claim has one =",
            span=statement.span(tokens[again]),
            expected="one equation in a line",
            hint="write a = b = c as two claims",
        )
    sides = tokens[start:equals], tokens[equals + 1 : -1]
    for side, place in zip(sides, ("left", "right"), strict=True):
        if not side:
            raise ParseError("P016", f"the {place} side of the claim is missing", span=statement.span(tokens[equals]),
                             expected="left = right")  # fmt: skip
    left, right = (Statement(statement.source, side) for side in sides)
    return _Open(statement, left, right, statement.source.text[sides[0][0].start : sides[1][-1].end])


# ---- reading


class _Reader(Reader):
    """Reads a program together with claims about its names."""

    def __init__(
        self,
        text: str,
        plain: list[Statement],
        claims: list[_Open],
        dialect: str | None,
        *,
        recognised: bool = False,
        star: str = "",
        vectors: frozenset[str] = frozenset(),
    ) -> None:
        known = _orders(plain)
        for c in claims:
            c.indices = _indices(c, known)
        also = [(s, c.indices is not None) for c in claims for s in (c.left, c.right)]
        super().__init__(text, plain, dialect, recognised, also, star, vectors)
        self.with_vectors = partial(_Reader, text, plain, claims, dialect, recognised=recognised, star=star)
        self.open = claims
        self.halves: list[tuple[_Half, _Half]] = []
        self.compared: list[tuple[_Half, str, _Half]] = []
        self.built: list[Claimed] = []
        self.relations: list[tuple[Expr, str, Expr]] = []

    def claims(self) -> Claims:
        """Everything read. Raises PullbackError."""
        self.halves = [(self._half(c.left, c.indices), self._half(c.right, c.indices)) for c in self.open]
        for relation in self.lines.relations:
            tokens = relation.statement.tokens
            op = _COMPARED.get(tokens[relation.middle].text)
            if op is not None:
                left = Statement(relation.statement.source, tokens[1 : relation.middle])
                right = Statement(relation.statement.source, tokens[relation.middle + 1 : -1])
                self.compared.append((self._half(left, None), op, self._half(right, None)))
        program = self.everything()
        return Claims(program, tuple(self.built), tuple(self.relations))

    def _read_again(self, vectors: frozenset[str]) -> Program:
        found = self.with_vectors(vectors=vectors).claims()
        self.built, self.relations = list(found.claims), list(found.relations)
        return found.program

    def _half(self, statement: Statement, indices: tuple[str, ...] | None) -> _Half:
        bound = None if indices is None else Bound(indices)
        parser = self.scan.parser(statement, 0, bound)
        tape = parser.whole()
        self.scan.only_matrix = self.scan.only_matrix or parser.only_matrix
        self.also_used |= {*self.scan.outer_names(tape)} | {
            n.value if n.tag == "name" else n.value[0] for n in tape if n.tag in ("name", "indexed")
        }
        return _Half(statement, tape)

    def _has_unknowns(self) -> bool:
        return True

    def _pass(self, *, building: bool) -> None:
        super()._pass(building=building)
        self.built, self.relations = [], []
        for c, (left, right) in zip(self.open, self.halves, strict=True):
            self.current = c.surface
            a, b = self._side(left, c.indices), self._side(right, c.indices)
            a, b = self._alike(c, a, b)
            if building:
                self.built.append(Claimed(a.built(), b.built(), c.surface, c.span, c.indices))
        for first, op, second in self.compared:
            self.current = first.statement.surface
            a, b = self._side(first, None), self._side(second, None)
            a, b = self._spread(a, b)
            if not self.sizes.agree_all(a.shape, b.shape):
                raise ShapeError("S002", "the two sides of an assumption have different shapes",
                                 span=first.statement.span(first.statement.tokens[0], second.statement.tokens[-2]))  # fmt: skip
            if building:
                self.relations.append((a.built(), op, b.built()))

    def _side(self, half: _Half, indices: tuple[str, ...] | None) -> Val:
        if indices is None:
            return elaborate(self.maker, half.statement, half.tape, rows=True)
        return elaborate_index(self.maker, half.statement, half.tape, indices)

    def _spread(self, a: Val, b: Val) -> tuple[Val, Val]:
        """A number beside a tensor, as in `x > 0`, is compared with every entry."""
        if not b.order and a.order and b.number is not None:
            b = self.maker.make(lambda s: s * _ones_like(a.built()), a.shape, b)
        return a, b

    def _alike(self, c: _Open, a: Val, b: Val) -> tuple[Val, Val]:
        """Both sides with one shape; 0 is the zero of any shape. Raises ShapeError S002, S007."""
        for zero, other in ((a, b), (b, a)):
            if zero.number == 0 and other.order:
                shape = self.sizes.shape(other.shape)
                made = self.maker.leaf(partial(zeros, shape), shape)
                return (made, b) if zero is a else (a, made)
        sides = [f"the {word} side is {Val(self.sizes.shape(v.shape), None, v.row).describe()}"
                 for word, v in (("left", a), ("right", b))]  # fmt: skip
        if a.row != b.row or a.order != b.order:
            hint = "a row is not a column: transpose one side" if a.row != b.row and a.order == b.order else ""
            raise ShapeError(
                "S002", "the two sides of the claim have different shapes", span=c.span, notes=sides, hint=hint
            )
        for x, y in zip(a.shape, b.shape, strict=True):
            if not self.sizes.agree(x, y):
                x, y = self.sizes.resolve(x), self.sizes.resolve(y)
                both = x.name is not None and y.name is not None
                raise ShapeError(
                    "S007" if both else "S002",
                    f"the two sides of the claim have different shapes: the size {x} is not the size {y}",
                    span=c.span,
                    notes=sides,
                    hint=f"if they are the same size, write `assume {x} = {y}`" if both else "",
                )
        return a.column(), b.column()


def _ones_like(e: Expr) -> Expr:
    return zeros(e.shape) + 1


def _orders(statements: list[Statement]) -> Mapping[str, int]:
    """How many axes a declaration gives a name, or the indices on the left side of an equation; −1 for other names."""
    found: dict[str, int] = {}
    for s in statements:
        t = s.tokens
        colon = next((i for i, x in enumerate(t) if x.text == ":"), None)
        equals = _equals(s)
        if colon is not None and (equals is None or colon < equals):
            order = 1 + sum(x.text == "," for x in t[colon:]) if t[colon + 1].text != "scalar" else 0
            found.update({x.text: order for x in t[:colon] if x.kind == "name"})
        elif equals is not None and t[0].kind == "name":
            split = subscript(t[0].text)
            right = [x.text for x in t[equals:] if x.kind == "name"]
            letters = {i for x in right if (s2 := subscript(x)) is not None for i in s2[1]}
            if split is not None and (any(sum_letters(x) for x in right) or letters & set(split[1])):
                found.setdefault(split[0], len(split[1]))
            else:
                found[t[0].text] = -1
    return found


def _indices(c: _Open, known: Mapping[str, int]) -> tuple[str, ...] | None:
    """The free indices of an index equation, in order; None for an equation in matrix notation."""
    sides: list[list[str]] = []
    summed = False
    used = False
    for half in (c.left, c.right):
        bound: set[str] = set()
        letters: list[str] = []
        for token in half.tokens:
            if token.kind == "ones" and len(token.text) == 3 and token.text[2].isalpha():
                letters.append("1" + token.text[2])
            if token.kind != "name":
                continue
            over = sum_letters(token.text) if token.text not in known else None
            split = subscript(token.text) if token.text not in known else None
            if over is not None:
                summed = True
                bound |= set(over)
            elif split is not None:
                used = used or known.get(split[0]) == len(split[1])
                letters += split[1]
        sides.append([x for x in letters if x not in bound])
    if not summed and not used:
        return None
    free = [dict.fromkeys(x for x in side if len(x) == 1) for side in sides]
    every = dict.fromkeys([*free[0], *free[1]])
    for k, side in enumerate(sides):  # 1_j counts as j where the other side has j
        free[k].update(dict.fromkeys(x[1] for x in side if len(x) == 2 and x[1] in every))
    if set(free[0]) != set(free[1]):
        [odd, *_] = [x for x in every if (x in free[0]) != (x in free[1])]
        place = "left" if odd in free[0] else "right"
        raise ParseError(
            "P015",
            f"the index {odd} stands only on the {place} side",
            span=c.span,
            expected="the same free indices on both sides",
            hint=f"write sum_{odd} where it is summed, or 1_{odd} as a factor to repeat a value along {odd}",
        )
    return tuple(every)
