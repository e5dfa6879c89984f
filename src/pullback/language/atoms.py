"""Atoms of the grammar: names, numbers, brackets, calls and blocks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ..algebra.dims import Dim
from ..errors import ParseError, Span, UnsupportedError
from .functions import SHAPED, places
from .loops import series_range
from .mistakes import entry_in_round_brackets, no_partial
from .sizes import read_dim
from .tape import Bound, Node, Tape, subscript, sum_letters, superscript
from .tokens import MAX_DEPTH, Statement, Token

__all__ = ["PRIMES", "Atoms"]

PRIMES = {"'": 1, "′": 1, "″": 2, "‴": 3}
_FRACTIONS = {"½": Fraction(1, 2), "⅓": Fraction(1, 3), "¼": Fraction(1, 4), "¾": Fraction(3, 4)}


class Atoms:
    """The lower half of the parser; the upper half, in pratt.py, says what a sum and a term are."""

    def __init__(
        self,
        statement: Statement,
        at: int,
        is_function: Callable[[str], bool],
        *,
        matlab: bool = False,
        bound: Bound | None = None,
        is_number: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self.statement, self.t, self.i = statement, statement.tokens, at
        self.is_function, self.is_number = is_function, is_number
        self.matlab, self.bound = matlab, bound
        self.tape: Tape = []
        self.block = False  # inside [ ], white space separates
        self.norms = 0  # open ‖ at this bracket level
        self.depth = 0  # of norms and index sums, which the tokens do not limit
        self.calls = 0
        self.identity = False  # whether a bare I is the identity matrix
        self.is_own: Callable[[str], bool] = lambda name: False  # whether the text says what a function is
        self.is_value: Callable[[str], bool] = lambda name: False  # whether the text says what a name is
        self.only_matrix = False  # a construct was met that the MATLAB-like dialect does not have

    def sum(self) -> int:
        raise NotImplementedError

    def term(self) -> int:
        raise NotImplementedError

    def instead(self, options: dict[str, Any], kids: list[int]) -> None:
        raise NotImplementedError

    def data(self, name: Token, args: int, options: dict[str, Any]) -> bool:
        raise NotImplementedError

    # ---- helpers

    def span(self, first: Token, last: Token | None = None) -> Span:
        return self.statement.span(first, last)

    def node(self, tag: str, kids: tuple[int, ...], value: Any, start: int) -> int:
        self.tape.append(Node(tag, kids, value, start, self.t[self.i - 1].end))
        return len(self.tape) - 1

    def expect(self, text: str, why: str = "") -> Token:
        token = self.t[self.i]
        if token.text != text or token.kind == "str":
            raise self.unexpected(text, why)
        self.i += 1
        return token

    def unexpected(self, expected: str, hint: str = "") -> ParseError:
        token = self.t[self.i]
        if token.kind == "str":
            return ParseError(
                "P014",
                "a quoted string can only be the pattern of ein(...)",
                span=self.span(token),
                hint='ein("i j, j -> i", W, a)',
            )
        return self.statement.unexpected(token, expected, hint)

    def number(self, token: Token) -> Fraction:
        if token.kind == "frac":
            return _FRACTIONS[token.text]
        mantissa, _, exponent = token.text.lower().partition("e")
        if exponent and abs(int(exponent)) > 400:
            raise ParseError(
                "P002",
                "a number too large to work with",
                span=self.span(token),
                expected="a power of ten between -400 and 400",
            )
        after = self.t[self.i] if self.t[self.i] is not token else self.t[self.i + 1]
        if after.kind == "name" and after.start == token.end and after.text in ("i", "j"):
            raise UnsupportedError(
                "U002",
                f"complex numbers are not supported: {token.text}{after.text}",
                span=self.span(token, after),
                expected="real numbers",
                hint=f"for a product with a variable write {token.text} {after.text}",
            )
        return Fraction(token.text if exponent else mantissa)

    # ---- atoms

    def inside(self) -> tuple[bool, int]:
        """Enters a bracket: white space no longer separates, ‖ opens a new norm."""
        saved = self.block, self.norms
        self.block, self.norms = False, 0
        return saved

    def atom(self) -> int:
        token = self.t[self.i]
        kind, text, start = token.kind, token.text, token.start
        if kind == "name":
            return self.name(token)
        self.i += 1
        if kind in ("num", "frac"):
            return self.node("num", (), self.number(token), start)
        if text == "-" and self.t[self.i].kind in ("num", "frac"):
            number = self.t[self.i]
            self.i += 1
            return self.node("num", (), -self.number(number), start)
        if kind == "ones":
            return self.ones(token)
        if kind in ("nabla", "partial"):
            return self.mark(token)
        if kind == "series":
            return self.series(token)
        if text == "(":
            saved = self.inside()
            found = self.sum()
            self.expect(")")
            self.block, self.norms = saved
            return found
        if text == "[":
            return self.blocks(token)
        if text in ("⟨", "<"):
            saved = self.inside()
            left = self.sum()
            self.expect(",", "⟨A, B⟩ is the sum over all entries of A ⊙ B")
            right = self.sum()
            self.expect("⟩" if text == "⟨" else ">")
            self.block, self.norms = saved
            return self.node("call", (left, right), ("inner", token, {}), start)
        if text in ("‖", "||", "|"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ParseError("P008", "norms are nested too deep", span=self.span(token))
            saved = self.inside()
            self.norms = 1
            kid = self.sum()
            self.expect(text, f"the {text} at column {start + 1} is never closed")
            self.block, self.norms = saved
            self.depth -= 1
            options = {}
            if self.t[self.i].kind == "sub" and text != "|":
                options["sub"] = self.t[self.i].text
                self.i += 1
            return self.node("call", (kid,), ("abs" if text == "|" else "norm", token, options), start)
        self.i -= 1
        quoted = kind == "prime" and self.t[self.i - 1].text == "("
        hint = 'a pattern stands in double quotes: ein("i j, j -> i", W, a)' if quoted else ""
        raise self.unexpected("a name, a number or an opening bracket", hint)

    def series(self, token: Token) -> int:
        """`sum_{t=1..T} term`: the term for every t, added."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ParseError("P008", "sums are nested too deep", span=self.span(token))
        body = self.term()
        self.depth -= 1
        return self.node("series", (body,), series_range(self.statement, token), token.start)

    def ones(self, token: Token) -> int:
        tail = token.text[2:]
        if self.bound is not None and tail in self.bound.active:
            return self.node("ones_index", (), self.bound.active[tail], token.start)
        if tail:
            shape: tuple[Dim, ...] = (Dim.number(int(tail)) if tail.isdecimal() else Dim.symbol(tail),)
        else:
            shape = self.dims()
        return self.node("ones", (), shape, token.start)

    def dims(self) -> tuple[Dim, ...]:
        self.expect("(", "1_n or 1_(m, n)")
        found: list[Dim] = []
        while True:
            dim, self.i = read_dim(self.statement, self.i)
            found.append(dim)
            if self.t[self.i].text != ",":
                break
            self.i += 1
        self.expect(")")
        return tuple(found)

    def mark(self, token: Token) -> int:
        """`∇loss(y)`, `∇2_loss(y, t)`, `∂1∂2_f(x, y)`, or the name `∇z`."""
        name = self.t[self.i]
        if name.kind != "name":
            raise self.unexpected(f"a name after {token.text}")
        self.i += 1
        if token.kind == "partial":
            partials = tuple(c for c in token.text.rstrip("_").split("∂") if c)
            if not self.is_function(name.text):
                raise no_partial(self.span(token))
            return self.call(name, {"partials": partials})
        digits = token.text.lstrip("∇")
        marks = len(token.text) - len(token.text.lstrip("∇"))
        if self.t[self.i].text == "(" and self.t[self.i].start == name.end and self.is_function(name.text):
            slots = places(digits, marks)
            if slots is None:
                raise ParseError("P002", f"{token.text} does not say which {marks} places", span=self.span(token))
            return self.call(name, {"slots": slots})
        return self.node("name", (), token.text + name.text, token.start)

    def name(self, token: Token) -> int:
        self.i += 1
        text, start, after = token.text, token.start, self.t[self.i]
        if self.bound is not None and (letters := sum_letters(text)) is not None:
            return self.index_sum(token, letters)
        touching = after.start == token.end
        if touching and after.text == "(" and text in ("I_", "e_", "E_"):
            return self.node("structure", (), (text, self.dims(), token), start)
        if self.is_function(text):
            return self.call(token, {})
        if touching and after.text == "(":
            mistake = entry_in_round_brackets(self.statement, self.i)
            if mistake is not None:
                raise mistake
        if text == "eye" or (text == "I" and self.identity):
            return self.node("shaped", (), ("eye", (), token), start)
        if self.bound is not None and (found := subscript(text)) is not None:
            return self.indexed(token, *found)
        return self.node("name", (), text, start)

    def indexed(self, token: Token, base: str, letters: tuple[str, ...]) -> int:
        assert self.bound is not None
        while not self.calls and self.t[self.i].text == "," and len(self.t[self.i + 1].text) == 1:  # W_i,j
            comma, after = self.t[self.i], self.t[self.i + 1]
            if comma.start != self.t[self.i - 1].end or after.start != comma.end or after.kind != "name":
                break
            letters = (*letters, after.text)
            self.i += 2
        if base == "prod":
            raise UnsupportedError(
                "U001",
                "a product over an index is not supported",
                span=self.span(token),
                hint="of positive factors it is exp(sum_i log(x_i))",
            )
        labels = []
        for letter in letters:
            label = self.bound.active.get(letter)
            if label is None:
                raise ParseError(
                    "P007",
                    f"the index {letter} of {token.text} is neither summed nor on the left",
                    span=self.span(token),
                    expected=f"{letter} under a sum_{letter}, or on the left",
                    hint=f"write sum_{letter} in front of the term",
                )
            labels.append(label)
        return self.node("indexed", (), (base, tuple(labels)), token.start)

    def index_sum(self, token: Token, letters: tuple[str, ...]) -> int:
        assert self.bound is not None
        labels = []
        for letter in letters:
            if letter in self.bound.active:
                place = "the left side" if letter in self.bound.free else "an enclosing sum"
                raise ParseError(
                    "P006",
                    f"the index {letter} is bound twice: by this sum and by {place}",
                    span=self.span(token),
                    hint="use another letter for one of them",
                )
            labels.append(self.bound.bind(letter))
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ParseError("P008", "sums are nested too deep", span=self.span(token))
        body = self.term()
        self.depth -= 1
        for letter in letters:
            del self.bound.active[letter]
        return self.node("index_sum", (body,), tuple(labels), token.start)

    # ---- calls and blocks

    def call(self, name: Token, marks: dict[str, Any]) -> int:
        """A function name, its primes, and its arguments."""
        order = 0
        while self.t[self.i].kind == "prime" and order <= MAX_DEPTH:
            text = self.t[self.i].text
            order += PRIMES.get(text) or superscript(text.strip("⁽⁾"))
            self.i += 1
        order += self.numbered_order()
        if order > 1000:
            span = self.span(name, self.t[self.i - 1])
            raise ParseError("P002", "a derivative of too high an order", span=span, expected="less than 1000")
        bracket = self.t[self.i]
        if bracket.text != "(":
            if order:
                raise ParseError(
                    "P012",
                    f"the prime of {name.text} can be read in two ways",
                    span=self.span(name, self.t[self.i - 1]),
                    expected=f"{name.text}'(z) for the derivative, or a variable for the transpose",
                    hint=f"{name.text} is a function here: write {name.text}'(…); "
                    f"if it is a matrix, declare `{name.text} : (m, n)` and write {name.text}ᵀ",
                )
            raise self.unexpected(f"( after the function {name.text}")
        if name.text in SHAPED:
            return self.node("shaped", (), (name.text, self.dims(), name), name.start)
        self.i += 1
        saved = self.inside()
        self.calls += 1
        kids: list[int] = []
        options: dict[str, Any] = dict(marks)
        if order:
            options["order"] = order
        if self.t[self.i].kind == "str":
            options["spec"] = self.t[self.i].text[1:-1]
            self.i += 1
            if self.t[self.i].text == ",":
                self.i += 1
        while self.t[self.i].text != ")":
            if self.t[self.i].kind == "name" and self.t[self.i + 1].text == "=":
                self.option(options)
            elif not self.data(name, len(kids), options):
                kids.append(self.sum())
            if self.t[self.i].text != ",":
                break
            self.i += 1
        if self.t[self.i].text == ";":
            self.instead(options, kids)
        self.expect(")")
        self.calls -= 1
        self.block, self.norms = saved
        return self.node("call", tuple(kids), (name.text, name, options), name.start)

    def numbered_order(self) -> int:
        """`f(4)(z)`, ASCII for f⁽4⁾(z): a whole number of 4 or more that touches the argument's bracket."""
        if self.i + 3 >= len(self.t):
            return 0
        opener, number = self.t[self.i], self.t[self.i + 1]
        if opener.text != "(" or number.kind != "num" or not number.text.isdecimal() or len(number.text) > 4:
            return 0
        closer, bracket = self.t[self.i + 2], self.t[self.i + 3]
        if closer.text != ")" or bracket.text != "(" or bracket.start != closer.end or int(number.text) < 4:
            return 0
        self.i += 3
        return int(number.text)

    def option(self, options: dict[str, Any]) -> None:
        """`axis=0`, `axis=(0, 1)`, `start=n+1`, `reduction="sum"`."""
        key = self.t[self.i].text
        self.i += 2
        if self.t[self.i].kind == "str":
            options[key] = (Dim.symbol(self.t[self.i].text[1:-1]),)
            self.i += 1
        elif self.t[self.i].text == "(":
            options[key] = self.dims()
        else:
            dim, self.i = read_dim(self.statement, self.i)
            options[key] = (dim,)

    def blocks(self, bracket: Token) -> int:
        """`[a; 1]`, `[W b]`, `[W, b]`: rows end with ; and blocks with , or white space."""
        saved = self.inside()
        rows: list[tuple[int, ...]] = []
        row: list[int] = []
        commas = self.row_has_comma()
        while True:
            self.block = not commas
            row.append(self.sum())
            token = self.t[self.i]
            if token.text == ",":
                self.i += 1
                continue
            if token.text in (";", "]"):
                rows.append(tuple(row))
                row = []
                self.i += 1
                if token.text == "]":
                    break
                commas = self.row_has_comma()
                continue
            if commas or token.kind == "end":
                raise self.unexpected(", or ; or ]")
            self.only_matrix = True
        self.block, self.norms = saved
        return self.node("block", tuple(k for r in rows for k in r), tuple(map(len, rows)), bracket.start)

    def row_has_comma(self) -> bool:
        depth, i = 0, self.i
        while True:
            text = self.t[i].text
            if text in ("(", "[", "⟨"):
                depth += 1
            elif text in (")", "]", "⟩"):
                depth -= 1
            if depth < 0 or self.t[i].kind == "end" or (not depth and text == ";"):
                return False
            if not depth and text == ",":
                return True
            i += 1
