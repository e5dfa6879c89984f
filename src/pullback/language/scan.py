"""What is known before any size: which names are functions, and the order of the equations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

from ..algebra.graph import components, topological
from ..algebra.indexed import family_of, ref
from ..errors import ParseError, Span
from ..step import Note
from .functions import SCALAR_FUNCTIONS, WORDY, derivative_of, is_known, refuse_misspelled
from .lines import Definition, Lines
from .own_functions import in_order, read_function
from .pratt import Parser
from .program import FunctionKind
from .sorted_lines import FunctionLine
from .tape import Bound, Tape, subscript, sum_letters
from .tokens import Statement, Token
from .values import Val

__all__ = ["Parsed", "Scan", "clip"]

_FUNCTION_LETTERS = frozenset({"f", "g", "h", "phi", "sigma", "psi", "φ", "σ", "ψ"})


def clip(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 80 else text[:77] + "…"


@dataclass
class Parsed:
    """A definition with its tape, and what the passes find."""

    definition: Definition
    tape: Tape
    uses: list[str]
    notes: list[Note] = field(default_factory=list)
    value: Val | None = None

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def statement(self) -> Statement:
        return self.definition.statement

    @property
    def surface(self) -> str:
        return self.statement.surface.strip()


class Scan:
    """The names of a text, its equations parsed and in order. Raises ParseError."""

    def __init__(
        self,
        statements: list[Statement],
        lines: Lines,
        *,
        matlab: bool,
        also: Sequence[tuple[Statement, bool]] = (),
    ) -> None:
        self.lines, self.matlab = lines, matlab
        facts = {id(s) for _, _, s in lines.said}  # assume symmetric(A): there no function is called
        self.statements = [*(s for s in statements if id(s) not in facts), *(s for s, _ in also)]
        self.also_indexed = {id(s) for s, is_index in also if is_index}
        self.functions: dict[str, FunctionKind] = {
            **lines.functions,
            **{n: FunctionKind("entrywise") for n in lines.own},
        }
        self.guessed_functions: list[str] = []
        self.dims = set(lines.dims)
        self.defined = {d.name: d for d in lines.definitions if d.name}
        self.index_orders: dict[str, int] = {}
        self.patterns: dict[str, int] = {}  # how many axes the pattern of an ein names
        self.position: dict[str, int] = {}
        self.variables: set[str] = set()  # names that are used and never called
        self.notes: list[str] = []
        self.only_matrix = False
        taken = self.functions.keys() | lines.declared.keys() | self.defined.keys() | self.dims
        self.identity = "I" not in taken
        self._names()
        self._functions_without_brackets()
        self.own = in_order(
            [read_function(f, partial(self._own_parser, f), self.functions) for f in lines.own.values()]
        )
        self._outer = {f.name: f.outer for f in self.own}
        self._last_line()
        self.equations = self._order([self._parse(d) for d in lines.definitions])

    # ---- names

    def _names(self) -> None:
        """One look at every name: where it stands first, whether it is called, and with how many indices."""
        called: dict[str, Span] = {}
        bare: set[str] = set()
        primed: set[str] = set()
        indexed = self.also_indexed | {id(d.statement) for d in self.lines.definitions if d.indices is not None}
        last = self.lines.definitions[-1] if self.lines.definitions else None
        if (
            last is not None
            and not last.name
            and any(sum_letters(t.text) is not None for t in last.statement.tokens if t.kind == "name")
        ):
            last.indices = ()
            indexed.add(id(last.statement))
        for d in self.lines.definitions:
            if d.name and d.indices is not None:
                self.index_orders.setdefault(d.name, len(d.indices))
                self.position.setdefault(d.name, 0)
        count = 0
        own = {id(f.statement): f for f in self.lines.own.values()}
        for statement in self.statements:
            is_index = id(statement) in indexed
            t = statement.tokens
            calls: list[bool] = []  # for every open round bracket, whether a function is called there
            line = own.get(id(statement))
            for i, token in enumerate(t):
                if line is not None and (i < line.at or token.text in line.params):
                    continue  # parameters are names of their line alone
                if token.kind == "ones" and not is_index:
                    self.dims.add(token.text[2:])
                if token.kind == "str":
                    self.patterns = {**_pattern_orders(t, i), **self.patterns}
                if token.kind != "name":
                    if token.text == "(":
                        before = t[i - 1]
                        calls.append(before.kind in ("name", "prime") and before.end == token.start)
                    elif token.text == ")" and calls:
                        calls.pop()
                    continue
                if is_word(t, i):
                    continue
                count += 1
                name = token.text
                if is_index:
                    if sum_letters(name) is not None:
                        continue
                    split = subscript(name)
                    if split is not None:
                        name = split[0]
                        self.index_orders.setdefault(name, len(split[1]) + (0 if any(calls) else _more_indices(t, i)))
                self.position.setdefault(name, count)
                j, end = i + 1, token.end
                while t[j].kind == "prime" and t[j].start == end:
                    end = t[j].end
                    j += 1
                if t[j].text == "(" and t[j].start == end:
                    called.setdefault(name, statement.span(token))
                elif j > i + 1:
                    primed.add(name)
                elif not (t[j].text == "=" and i and t[i - 1].text in (",", "(")):
                    bare.add(name)
        self.dims -= {""}
        self.variables = (bare | primed) - called.keys()
        self._prime_without_call(primed - bare - called.keys())
        for name in called:
            if not self._known_name(name) and name not in bare:
                refuse_misspelled(name, called[name])
                self.functions[name] = FunctionKind("tensor" if family_of(name) in SCALAR_FUNCTIONS else "entrywise")
                self.guessed_functions.append(name)

    def _known_name(self, name: str) -> bool:
        return (
            name in self.functions
            or name in self.lines.declared
            or name in self.defined
            or is_known(name)
            or name in ("I_", "e_", "E_", "complex", "given", "derive", "assume")
            or derivative_of(name, self.functions) is not None
        )

    def _prime_without_call(self, names: set[str]) -> None:
        """`g'` with g undeclared and never used otherwise, where g is a letter for functions."""
        for name in sorted(names & _FUNCTION_LETTERS - self.defined.keys() - self.lines.declared.keys()):
            if name in self.functions:
                continue
            for statement in self.statements:
                for i, token in enumerate(statement.tokens):
                    if token.text == name:
                        raise ParseError(
                            "P012",
                            f"the prime of {name} can be read in two ways",
                            span=statement.span(token, statement.tokens[i + 1]),
                            expected=f"{name}'(z), the derivative of a function, or {name}ᵀ, a transpose",
                            hint=f"declare `{name} : n` or `{name} : entrywise`",
                        )

    def _functions_without_brackets(self) -> None:
        """`s log t`: a known function is no variable, unless the text declares or defines it."""
        wrong = {n for n in self.variables if is_known(n) and n != "eye"}
        wrong -= self.lines.declared.keys() | self.defined.keys() | self.functions.keys()
        if not wrong:
            return
        lines: list[tuple[Statement, tuple[str, ...]]] = [(f.statement, f.params) for f in self.lines.own.values()]
        lines += [(d.statement, ()) for d in self.lines.definitions]
        for statement, hidden in lines:
            for k, (token, after) in enumerate(pairwise(statement.tokens)):
                hidden_here = token.text in hidden or is_word(statement.tokens, k)
                if token.kind == "name" and token.text in wrong and not hidden_here:
                    arg = after.text if after.kind in ("name", "num") else "x"
                    raise ParseError(
                        "P002",
                        f"{token.text} is a function, and stands here without its argument",
                        span=statement.span(token),
                        expected=f"{token.text}({arg})",
                        hint=f"a variable of this name has to be declared: {token.text} : n",
                    )

    def is_function(self, name: str) -> bool:
        if name in self.lines.declared or name in self.defined:
            return False
        if name in self.functions or name == "complex":
            return True
        if is_known(name):
            return name not in self.variables
        return derivative_of(name, self.functions) is not None

    def arguments_of(self, name: str) -> str:
        """What a function is called with, as it is written."""
        found: dict[str, None] = {}
        for e in self.equations:
            for node in e.tape:
                if node.tag == "call" and node.value[0] == name:
                    parts = (e.tape[k] for k in node.kids)
                    found.setdefault(", ".join(e.statement.source.text[p.start : p.end] for p in parts))
        return " and of ".join(list(found)[:6]) or "its arguments"

    def is_number(self, name: str) -> bool:
        """Whether the name is a size or π, and nothing else."""
        return (
            name in self.dims or name in ("π", "pi")
        ) and name not in self.lines.declared.keys() | self.defined.keys()

    # ---- equations

    def _last_line(self) -> None:
        """A bare expression in the last line is the target."""
        definitions = self.lines.definitions
        for d in definitions:
            if d.name:
                continue
            if d is not definitions[-1]:
                first = d.statement.tokens[0]
                raise ParseError(
                    "P002",
                    "an expression without a name",
                    span=d.statement.span(first),
                    expected="name = expression; only the last line may be a bare expression",
                )
            names = ["E", "F", "value", "result", *(f"E{i}" for i in range(1, len(self.position) + 2))]
            d.name = next(n for n in names if n not in self.position)
            self.defined[d.name] = d
            self.notes.append(f"{d.name} names the last line, `{clip(d.statement.surface)}`")

    def parser(self, statement: Statement, at: int, bound: Bound | None = None) -> Parser:
        found = Parser(statement, at, self.is_function, matlab=self.matlab, bound=bound, is_number=self.is_number)
        found.identity, found.is_own = self.identity, self.functions.__contains__
        found.is_value = lambda n: n in self.lines.declared or n in self.defined
        return found

    def _own_parser(self, line: FunctionLine, is_outer: Callable[[str], bool]) -> Parser:
        """For the right side of a definition, in which a parameter is no function and no size."""
        found = Parser(line.statement, line.at, lambda n: is_outer(n) and self.is_function(n), matlab=self.matlab,
                       is_number=lambda n: is_outer(n) and self.is_number(n))  # fmt: skip
        found.is_own = self.functions.__contains__
        return found

    def outer_names(self, tape: Tape) -> list[str]:
        """The names from outside in the definitions of the functions that are called."""
        called = [n.value[0] for n in tape if n.tag == "call"] if self._outer else []
        return [
            v
            for c in called
            for v in self._outer.get(c, self._outer.get((derivative_of(c, self.functions) or ("",))[0], ()))
        ]

    def _parse(self, d: Definition) -> Parsed:
        bound = None if d.indices is None else Bound(d.indices)
        parser = self.parser(d.statement, d.at, bound)
        tape = parser.whole()
        self.only_matrix = self.only_matrix or parser.only_matrix
        uses = [n.value if n.tag == "name" else n.value[0] for n in tape if n.tag in ("name", "indexed")]
        uses += self.outer_names(tape)
        if d.indices is not None:
            self.notes.append(f"`{clip(d.statement.surface)}` is an index equation: letters after _ are indices")
        return Parsed(d, tape, uses)

    def _order(self, equations: list[Parsed]) -> list[Parsed]:
        """Each equation after those that it uses, else in the order of the text. Raises ParseError P005."""
        place = {e.name: i for i, e in enumerate(equations)}
        needs = [{place[n] for n in e.uses if n in place} for e in equations]
        _after_families(equations, needs)
        ordered = topological(needs)
        if ordered is None:
            raise _cycle(equations, needs)
        return [equations[i] for i in ordered]


def is_word(t: Sequence[Token], i: int) -> bool:
    """Whether the name here is the value of an option, as in mse(x, y, reduction=sum)."""
    return i > 2 and t[i - 1].text == "=" and t[i - 2].text in WORDY and t[i - 3].text in (",", "(")


def _after_families(equations: list[Parsed], needs: list[set[int]]) -> None:
    """A use of `z[L]` waits for the equation of `z[k+1]`, unless that waits for it in turn: then it is a recurrence."""
    makers: dict[str, list[int]] = {}
    for i, e in enumerate(equations):
        if ref(e.name):
            makers.setdefault(family_of(e.name), []).append(i)
    if not makers:
        return
    more = [
        {j for n in e.uses if ref(n) for j in makers.get(family_of(n), ()) if j != i} for i, e in enumerate(equations)
    ]
    component = components([a | b for a, b in zip(needs, more, strict=True)])
    for i, wanted in enumerate(more):
        needs[i] |= {j for j in wanted if component[j] != component[i]}


def _pattern_orders(t: list[Token], i: int) -> dict[str, int]:
    """How many axes the pattern at `i` names of each factor that is a bare name."""
    slots = "".join(t[i].text.strip('"').replace("→", "->").partition("->")[0].split()).split(",")
    found: dict[str, int] = {}
    depth, place = 0, -1
    for token, after in pairwise(t[i + 1 :]):
        depth += (token.text in ("(", "[", "⟨")) - (token.text in (")", "]", "⟩"))
        if depth < 0:
            break
        if token.text == "," and not depth:
            place += 1
        before_name = token.text == "," and not depth and after.kind == "name"
        if before_name and place < len(slots) and t[t.index(after) + 1].text in (",", ")"):
            found.setdefault(after.text, len(slots[place]))
    return found


def _more_indices(t: list[Token], i: int) -> int:
    """How many `,k` follow the indexed name at `i`, as in W_i,j."""
    count = 0
    while t[i + 1].text == "," and t[i + 1].start == t[i].end:
        after = t[i + 2]
        if after.kind != "name" or len(after.text) > 1 or after.start != t[i + 1].end:
            break
        count += 1
        i += 2
    return count


def _cycle(equations: list[Parsed], needs: list[set[int]]) -> ParseError:
    circles = components(needs)
    missing = [len([j for j in wanted if circles[j] == circles[i]]) for i, wanted in enumerate(needs)]
    i = next(k for k, n in enumerate(missing) if n)
    path: list[int] = []
    at: dict[int, int] = {}
    while i not in at:
        at[i] = len(path)
        path.append(i)
        i = min(k for k in needs[i] if circles[k] == circles[i])
    loop = path[at[i] :]
    start = min(range(len(loop)), key=lambda k: loop[k])
    loop = [*loop[start:], *loop[:start]]
    names = [equations[k].name for k in loop]
    shown = names if len(names) <= 8 else [*names[:4], "…", *names[-3:]]
    first = equations[loop[0]]
    token = first.definition.token or first.statement.tokens[0]
    notes = [f"line {equations[k].statement.source.line}: {clip(equations[k].surface)}" for k in loop[:6]]
    return ParseError(
        "P005",
        "the equations are cyclic: " + " → ".join([*shown, shown[0]]),
        span=first.statement.span(token),
        expected="each name computed from others",
        notes=notes,
        hint="a new value needs a new name: x2 = x1 + …",
    )
