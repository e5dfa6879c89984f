"""Tokens of one expression into a tape of nodes.

The tape makes elaboration a loop: nothing but brackets nests, and those are limited by the tokens.
Precedence: `+ −` < `⊙ ⊘ * /` < juxtaposition, `@` < postfix. A sign in front takes the whole term.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..algebra.dims import Dim
from ..errors import ParseError
from .atoms import PRIMES, Atoms
from .functions import KNOWN
from .sizes import read_dim
from .tape import Node, Tape, superscript
from .tokens import FACTOR_KINDS, FACTOR_OPENS, MAX_DEPTH, MINUS, Token

__all__ = ["Parser"]

_TIMES = {"⊙": "⊙", ".*": "⊙", "⊘": "⊘", "./": "⊘", "*": "*", "·": "*", "/": "/", "\\": "\\", "⊗": "⊗"}
_TRANSPOSE = frozenset({"ᵀ", "⊤", ".'"})
_PLAIN = str.maketrans("−⁻ᵀ⊤", "--TT", "^{} ")


class Parser(Atoms):
    """Reads one expression of a statement. `is_function` tells f'(z) from W', `is_number` a size from a variable;
    `matlab` is what `*` means."""

    def whole(self) -> Tape:
        """The expression up to the end of the statement."""
        self.sum()
        if self.t[self.i].kind != "end":
            raise self.unexpected("an operator or the end of the line")
        return self.tape

    # ---- sums and products

    def sum(self) -> int:
        start = self.t[self.i].start
        terms, signs = [self.term()], "+"
        while True:
            token = self.t[self.i]
            if token.text != "+" and token.text not in MINUS:
                break
            if self.block and token.spaced and not self.t[self.i + 1].spaced:
                raise ParseError(
                    "P002",
                    f"{token.text} between brackets can be read in two ways",
                    span=self.span(token),
                    hint=f"write `a {token.text} b` with spaces on both sides, or commas between blocks",
                )
            signs += "+" if token.text == "+" else "-"
            self.i += 1
            terms.append(self.term())
        return terms[0] if len(terms) == 1 else self.node("sum", tuple(terms), signs, start)

    def sign(self) -> bool:
        """Reads signs in front of a term; a minus that belongs to a number stays."""
        negative, count = False, 0
        while True:
            token = self.t[self.i]
            if token.text in MINUS:
                if self.literal_minus():
                    break
                negative = not negative
            elif token.text != "+":
                break
            self.i += 1
            count += 1
            if count > MAX_DEPTH:
                raise ParseError(
                    "P008",
                    "too many signs",
                    span=self.span(token),
                    expected=f"at most {MAX_DEPTH}",
                )
        return negative

    def literal_minus(self) -> bool:
        """`-2`: an ASCII minus glued to a number that is not the base of a power."""
        token, after = self.t[self.i], self.t[self.i + 1]
        if token.text != "-" or after.kind not in ("num", "frac") or after.start != token.end:
            return False
        beyond = self.t[self.i + 2]
        return beyond.text not in ("^", ".^", "^∘", "**") and beyond.kind not in ("sup", "braced")

    def term(self) -> int:
        start = self.t[self.i].start
        negative = self.sign()
        kids: list[int] = [self.chain()]
        ops: list[str] = []
        while (op := _TIMES.get(self.t[self.i].text)) is not None and self.t[self.i].kind == "op":
            if self.t[self.i].text in ("⊙", "⊘", "⊗"):
                self.only_matrix = True
            self.i += 1
            ops.append(op)
            inner = self.t[self.i].start
            flip = self.sign()
            factors = self.factors()
            if op == "/" and len(factors) > 1:
                kids, ops = self.coefficient(kids, ops[:-1], factors, flip)
                continue
            kid = self.product(factors, inner)
            kids.append(self.node("neg", (kid,), None, inner) if flip else kid)
        found = kids[0] if not ops else self.node("times", tuple(kids), tuple(ops), start)
        return self.node("neg", (found,), None, start) if negative else found

    def coefficient(
        self, kids: list[int], ops: list[str], factors: list[int], flip: bool
    ) -> tuple[list[int], list[str]]:
        """`a/2 x` is (a/2) x: below the bar stands a number, and the factors behind it are multiplied.

        With anything else below the bar, `a / b c` could be (a/b) c or a/(b c): ParseError P018."""
        below, numbers = factors[0], all(map(self.is_numeric, kids))
        if not self.is_numeric(below) or not (not ops or numbers or (self.is_numeric(kids[-1]) and ops[-1] in "*⊙")):
            raise self.two_quotients(kids[-1] if self.is_numeric(below) else kids[0], factors)
        first = 0 if numbers else len(kids) - 1
        start, end = self.tape[kids[first]].start, self.tape[below].end
        if flip:
            self.tape.append(Node("neg", (below,), None, self.tape[below].start, end))
            below = len(self.tape) - 1
        self.tape.append(Node("times", (*kids[first:], below), (*ops[first:], "/"), start, end))
        whole = self.product([len(self.tape) - 1, *factors[1:]], start)
        return [*kids[:first], whole], ops[:first]

    def is_numeric(self, at: int) -> bool:
        """Whether the node is made of numerals and sizes alone."""
        stack = [at]
        while stack:
            node = self.tape[stack.pop()]
            leaf = node.tag == "num" or (node.tag == "name" and self.is_number(node.value))
            known = node.tag == "call" and node.value[0] in KNOWN
            if not (leaf or known or node.tag in ("chain", "times", "sum", "neg", "pow", "raised")):
                return False
            stack.extend(node.kids)
        return True

    def two_quotients(self, over: int, factors: list[int]) -> ParseError:
        first, second, last = (self.tape[k] for k in (factors[0], factors[1], factors[-1]))
        text = self.statement.source.text
        above = self.tape[over]
        a, b, c = (
            text[above.start : first.start].rstrip(" /"),
            text[first.start : first.end],
            text[second.start : last.end],
        )
        whole = self.statement.source.span(above.start, last.end)
        return ParseError(
            "P018",
            "a quotient in front of a product can be read in two ways",
            span=whole,
            expected="brackets; only a number below the bar, as in 1/2 x or 1/n x, needs none",
            hint=f"write ({a}/{b}) {c} or {a}/({b} {c})",
        )

    def chain(self) -> int:
        start = self.t[self.i].start
        return self.product(self.factors(), start)

    def product(self, kids: list[int], start: int) -> int:
        return kids[0] if len(kids) == 1 else self.node("chain", tuple(kids), None, start)

    def factors(self) -> list[int]:
        """Factors beside each other."""
        kids = [self.postfix()]
        while True:
            token = self.t[self.i]
            if token.text == "@":
                self.i += 1
            elif not self.starts_factor(token):
                break
            self.only_matrix = True
            kids.append(self.postfix())
        return kids

    def starts_factor(self, token: Token) -> bool:
        if self.block and token.spaced:
            return False
        if token.text in ("‖", "||", "|"):
            return not self.norms
        return token.kind in FACTOR_KINDS or (token.kind == "op" and token.text in FACTOR_OPENS)

    # ---- postfix

    def postfix(self) -> int:
        start = self.t[self.i].start
        found, count = self.atom(), 0
        while True:
            token = self.t[self.i]
            text = token.text
            if token.kind == "prime" or text in _TRANSPOSE:
                if text in _TRANSPOSE and text != ".'":
                    self.only_matrix = True
                times = PRIMES.get(text, 1)
                self.i += 1
                for _ in range(times):
                    found = self.node("T", (found,), None, start)
            elif token.kind == "sup":
                self.i += 1
                found = self.node("pow", (found,), (Fraction(superscript(text)), False, token), start)
            elif token.kind == "braced":
                self.i += 1
                found = self.raised(found, text.translate(_PLAIN), token, start)
            elif text in ("^", "**", ".^", "^∘"):
                self.i += 1
                found = self.power(found, text in (".^", "^∘"), token, start)
            elif text == "[" and token.start == self.t[self.i - 1].end and not self.block:
                found = self.slices(found, start)
            else:
                return found
            count += 1
            if count > MAX_DEPTH:
                raise ParseError(
                    "P008",
                    "too many marks after one another",
                    span=self.span(token),
                    expected=f"at most {MAX_DEPTH}",
                )

    def raised(self, base: int, exponent: str, caret: Token, start: int) -> int:
        """The exponent is a whole number, T or -T."""
        number = exponent.rstrip("Tᵀ")
        if number == exponent:
            return self.node("pow", (base,), (Fraction(number), False, caret), start)
        self.only_matrix = True
        if number:
            base = self.node("pow", (base,), (Fraction(-1), False, caret), start)
        known = exponent.endswith("T") and (self.is_number("T") or self.is_value("T"))
        named = (self.node("name", (), "T", caret.start),) if known else ()  # of a number 2^T is a power
        return self.node("T", (base, *named), (False, caret), start)

    def power(self, base: int, dotted: bool, caret: Token, start: int) -> int:
        token = self.t[self.i]
        if token.text in ("T", "⊤", "ᵀ") and not dotted:
            self.i += 1
            return self.raised(base, "T" if token.text == "T" else "ᵀ", caret, start)
        negative = False
        if token.text in MINUS:
            negative = True
            self.i += 1
            token = self.t[self.i]
            if token.text in ("T", "⊤", "ᵀ") and not dotted and not self.is_value(token.text):
                self.i += 1
                return self.raised(base, "-T", caret, start)
        first = self.i
        value = self.exponent(token)
        if value is not None:
            return self.node("pow", (base,), (-value if negative else value, dotted, caret), start)
        self.i = first
        if token.kind != "name" and token.text != "(":
            raise self.unexpected("an exponent")
        kid = self.atom()
        if negative:
            kid = self.node("neg", (kid,), None, token.start)
        return self.node("raised", (base, kid), (dotted, caret), start)

    def exponent(self, token: Token) -> Fraction | None:
        """A number, or a fraction in brackets; None for any other expression."""
        if token.kind in ("num", "frac"):
            self.i += 1
            return self.number(token)
        if token.text == "(":
            self.i += 1
            minus = self.t[self.i].text in MINUS
            self.i += minus
            value = self.exponent(self.t[self.i])
            if value is not None and self.t[self.i].text == "/":
                self.i += 1
                below = self.exponent(self.t[self.i])
                if below == 0:
                    raise ParseError("P002", "division by zero", span=self.span(token), expected="a number")
                value = None if below is None else value / below
            if value is not None and self.t[self.i].text == ")":
                self.i += 1
                return -value if minus else value
        return None

    def slices(self, base: int, start: int) -> int:
        """`X[:, 1..n]`, counted from 1: one entry for every axis."""
        bracket = self.t[self.i]
        self.i += 1
        parts: list[tuple[Dim, Dim | None, Dim] | None] = []
        while True:
            token = self.t[self.i]
            if token.text == ":":
                self.i += 1
                parts.append(None)
            else:
                first, self.i = read_dim(self.statement, self.i)
                last, step = None, Dim.number(1)
                if self.t[self.i].text in ("..", ":"):
                    last, self.i = read_dim(self.statement, self.i + 1)
                if last is not None and self.t[self.i].text == ":":  # first:step:last
                    step = last
                    last, self.i = read_dim(self.statement, self.i + 1)
                parts.append((first, last, step))
            if self.t[self.i].text != ",":
                break
            self.i += 1
        self.expect("]", "a space before [ makes a product with a block matrix")
        return self.node("slice", (base,), (tuple(parts), bracket), start)

    def instead(self, options: dict[str, Any], kids: list[int]) -> None:
        """`phi(x; c = 2 c)`: other values for names from outside that stand in the definition."""
        names: list[str] = []
        while self.t[self.i].text in (";", ","):
            names.append(self.t[self.i + 1].text)
            self.i += 2
            self.expect("=", "phi(x; c = 2)")
            kids.append(self.sum())
        options["instead"] = tuple(names)

    # ---- data of a call

    def data(self, name: Token, args: int, options: dict[str, Any]) -> bool:
        """Sizes behind the arguments of a known function, as in reshape(X, (m, n)) and one_hot(y, c); whether that is what stands here."""
        rivals = KNOWN.get(name.text, ())
        if not rivals or not rivals[0].tail or self.is_own(name.text) or args != len(rivals[0].slots):
            return False
        word, kind = rivals[0].options[rivals[0].tail]
        if word in options:
            return False
        found: list[Dim] = []
        while True:
            if self.t[self.i].text == "(" and self.t[self.i + 1].text == ")":
                self.i += 2
            elif self.t[self.i].text == "(" and self.is_list():
                found += self.dims()
            else:
                dim, self.i = read_dim(self.statement, self.i)
                found.append(dim)
            after = self.t[self.i + 1]
            if (
                kind != "sizes"
                or self.t[self.i].text != ","
                or (after.kind == "name" and self.t[self.i + 2].text == "=")
            ):
                break
            self.i += 1
        options[word] = tuple(found)
        return True

    def is_list(self) -> bool:
        """Whether the bracket here holds several sizes, or all that stands at this place."""
        depth, i, commas = 0, self.i, False
        while self.t[i].kind != "end":
            text = self.t[i].text
            depth += (text == "(") - (text == ")")
            commas = commas or (depth == 1 and text == ",")
            i += 1
            if not depth:
                break
        return commas or self.t[i].text in (",", ")")
