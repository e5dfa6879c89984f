"""Sizes of axes: reading them, and finding the unknown ones.

An unknown size is a symbol that starts with `?`. Two unknowns may turn out equal; two sizes that the user
named are never made equal, whatever the rest of the text would like (theory.md §3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from ..algebra.dims import Dim, Shape
from ..errors import ParseError, PullbackError, Span, UnsupportedError
from .tokens import MAX_DEPTH, MINUS, Statement

__all__ = [
    "MAX_AXES",
    "Sizes",
    "is_unknown",
    "layer_index",
    "no_entries",
    "no_shape",
    "read_dim",
    "sizes_tied",
    "two_dims",
]

MAX_AXES = 8

_ZERO = Dim({})
_PREFERRED = ("m", "n", "p", "q", "r", "s", "k", "d", "h", "l", "t", "u", "v")


def is_unknown(dim: Dim) -> bool:
    return any(s.startswith("?") for s in dim.symbols())


def no_entries(dim: Dim) -> bool:
    """Whether an axis of that size has no entry, whatever its symbols stand for."""
    return not any(c > 0 for _, c in dim.terms)


def no_shape(shape: Shape) -> ParseError | None:
    """The refusal of a tensor with an axis that has no entries, or with too many axes."""
    empty = next((d for d in shape if no_entries(d)), None)
    if empty is not None:
        return ParseError("P002", f"a size of {empty}", expected="a positive size")
    if len(shape) > MAX_AXES:
        return ParseError("P008", f"a tensor with {len(shape)} axes", expected=f"at most {MAX_AXES} axes")
    return None


class Sizes:
    """What is known about which sizes are equal."""

    def __init__(self) -> None:
        self.bound: dict[str, Dim] = {}
        self.count = 0

    def fresh(self) -> Dim:
        self.count += 1
        return Dim.symbol(f"?{self.count}")

    def resolve(self, dim: Dim) -> Dim:
        bound = self.bound
        if not bound:
            return dim
        name = dim.name
        if name is not None:
            path = []
            while name is not None and name in bound:
                path.append(name)
                dim = bound[name]
                name = dim.name
            for p in path[:-1]:
                bound[p] = dim
            if name is not None:
                return dim
        while dim.symbols() & bound.keys():
            dim = dim.substitute(bound)
        return dim

    def shape(self, shape: Shape) -> Shape:
        return tuple(map(self.resolve, shape)) if self.bound else shape

    def agree(self, a: Dim, b: Dim) -> bool:
        """Makes two sizes equal if that needs nothing but unknown ones; says whether they are equal now."""
        if a is b or a == b:
            return True
        a, b = self.resolve(a), self.resolve(b)
        if a == b:
            return True
        p, q = a.name, b.name
        if p is not None and p[0] == "?" and q is not None and q[0] == "?":
            late, early = (p, b) if int(p[1:]) > int(q[1:]) else (q, a)
            self.bound[late] = early
            return True
        for name, other in ((p, b), (q, a)):
            if name is not None and name[0] == "?" and name not in other.symbols():
                self.bound[name] = other
                return True
        rest = a - b
        candidates = [(m[0], c) for m, c in rest.terms if len(m) == 1 and m[0].startswith("?") and c in (1, -1)]
        solutions = []
        for symbol, sign in candidates:
            if sum(symbol in m for m, _ in rest.terms) == 1:
                value = (rest - Dim({(symbol,): sign})) * Dim.number(-sign)
                if no_entries(value):
                    continue
                below = any(c < 0 for _, c in value.terms)  # n + 1 is nicer than n - 1
                solutions.append((below, -int(symbol[1:]), symbol, value))
        if not solutions:
            return False
        _, _, symbol, value = min(solutions, key=lambda s: s[:2])
        self.bound[symbol] = value
        return True

    def agree_all(self, a: Shape, b: Shape) -> bool:
        """The same for all axes of two tensors."""
        return len(a) == len(b) and all(map(self.agree, a, b))

    def settle(self, sums: Sequence[tuple[Dim, Dim, Dim]]) -> None:
        """A vector of size d beside a matrix (rows, columns) of which one size is unknown, the other not d: that one is d."""
        waiting = list(sums)
        while waiting:
            rest = []
            for d, rows, columns in ((*map(self.resolve, s),) for s in waiting):
                for unknown, other in ((rows, columns), (columns, rows)):
                    if is_unknown(unknown) and not is_unknown(other) and not is_unknown(d) and d != other:
                        self.agree(unknown, d)
                        break
                else:
                    rest.append((d, rows, columns))
            if len(rest) == len(waiting):
                return
            waiting = rest

    def assume(self, a: Dim, b: Dim, span: Span | None = None) -> bool:
        """Makes two sizes equal because the user said so; False if neither is a symbol alone. Raises ParseError P002."""
        a, b = self.resolve(a), self.resolve(b)
        if a == b:
            return True
        for one, other in ((b, a), (a, b)):
            name = one.name
            if name is not None and name not in other.symbols():
                if (error := no_shape((other,))) is not None:
                    raise error.at(span)
                self.bound[name] = other
                return True
        return False

    def name_unknowns(self, shapes: Iterable[Shape], taken: set[str]) -> set[str]:
        """Gives every unknown size a letter, in the order in which the shapes show it; the new letters."""
        new: set[str] = set()
        spare = iter(_PREFERRED)
        number = 0
        for shape in shapes:
            for dim in self.shape(shape):
                for symbol in sorted(dim.symbols()):
                    if not symbol.startswith("?"):
                        continue
                    letter = next((c for c in spare if c not in taken), None)
                    while letter is None or letter in taken:
                        number += 1
                        letter = f"n{number}"
                    taken.add(letter)
                    new.add(letter)
                    self.bound[symbol] = Dim.symbol(letter)
        return new


def layer_index(span: Span) -> UnsupportedError:
    """The refusal of `W[k]` where nothing says that W is a family with an index k."""
    return UnsupportedError(
        "U003",
        "a letter in brackets, and nothing says what it counts",
        span=span,
        expected="W[k] : (m, n), or an equation with `for k = 1..L`; a slice of one tensor has sizes in its brackets, as in x[2..n]",
        hint="declare the family, W[k] : (m, n), or number the layers: W1, W2, …",
    )


def read_dim(statement: Statement, at: int) -> tuple[Dim, int]:
    """The size that starts at token `at`, and where it ends. Iterative: brackets are kept on a stack."""
    t, i = statement.tokens, at
    stack: list[tuple[Dim, int]] = []  # the sum so far and the sign in front of an open bracket's product
    total, sign, product = _ZERO, 1, Dim.number(1)
    pending: list[Dim] = []
    signs = 0
    while True:
        token = t[i]
        if token.text in MINUS or token.text == "+":
            sign = -sign if token.text in MINUS else sign
            i += 1
            signs += 1
            if signs > MAX_DEPTH * 10:
                raise ParseError("P008", "a size with too many terms", span=statement.span(token))
            continue
        if token.text == "(":
            stack.append((total, sign))
            pending.append(product)
            total, sign, product = _ZERO, 1, Dim.number(1)
            i += 1
            continue
        value = _atom(statement, i)
        i += 1
        while True:
            product = product * value
            if len(product.terms) > 64 or sum(len(m) for m, _ in product.terms) > 256:
                raise ParseError("P008", "a size with too many terms", span=statement.span(token))
            if t[i].text in ("*", "·"):
                i += 1
                break
            total = total + product * Dim.number(sign)
            sign, product = 1, Dim.number(1)
            if t[i].text == ")" and stack:
                value = total
                total, sign = stack.pop()
                product = pending.pop()
                i += 1
                continue
            if t[i].text == "+" or t[i].text in MINUS:
                break
            if stack:
                raise statement.unexpected(t[i], ")", where=" in a size")
            return total, i


def _atom(statement: Statement, i: int) -> Dim:
    token = statement.tokens[i]
    if token.kind == "num" and token.text.isdecimal() and len(token.text) < 19:
        return Dim.number(int(token.text))
    if token.kind == "name":
        after = statement.tokens[i + 1]
        if after.text == "[" and after.start == token.end:
            raise layer_index(statement.span(token, after))
        return Dim.symbol(token.text)
    raise statement.unexpected(token, "a size such as n, 3, n+1 or h*d", where=" where a size is needed")


def two_dims(statement: Statement, middle: int) -> tuple[Dim, Dim] | None:
    """Both sides of the relation at token `middle` if they read as sizes."""
    try:
        left, end = read_dim(statement, 1)
        right, stop = read_dim(statement, middle + 1)
    except PullbackError:
        return None
    return (left, right) if end == middle and statement.tokens[stop].kind == "end" else None


def sizes_tied(relations: Sequence[tuple[Dim, Dim]], known: Set[str], others: Set[str]) -> set[str]:
    """Names that a relation ties to a known size, and that are nothing else, are sizes: `assume m = a*b`."""
    sides = [a.symbols() | b.symbols() for a, b in relations]
    found: set[str] = set()
    while True:
        dims = found | known
        more = {s for side in sides if side & dims and not (side - dims) & others for s in side - dims}
        if not more:
            return found
        found |= more
