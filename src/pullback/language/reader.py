"""The two passes over a text: what is declared and used, which sizes there are, and then the expressions."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from types import MappingProxyType

from ..algebra.dims import Dim, Shape, show_shape
from ..algebra.expr import Expr
from ..algebra.ops import arithmetic, free, matrix
from ..errors import ParseError, PullbackError, Span, nearest
from .elaborate import elaborate
from .functions import KNOWN, SCALAR_FUNCTIONS, SHAPED, derivative_of, is_known
from .index_mode import elaborate_index
from .kinds import Guess, guess
from .lines import Definition, Lines, read_lines
from .pratt import Bound, Node, Parser, Tape, subscript, sum_letters
from .program import Equation, FunctionKind, Program
from .sizes import Sizes
from .tokens import Statement, Token
from .values import Maker, Val

__all__ = ["Reader"]


@dataclass
class _Equation:
    """A definition with its tape, and what the passes find."""

    definition: Definition
    tape: Tape
    uses: list[str]
    notes: list[str] = field(default_factory=list)
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


class Reader:
    """Reads one text in one dialect."""

    def __init__(self, text: str, statements: list[Statement], dialect: str | None, recognised: bool = False) -> None:
        self.text, self.statements = text, statements
        self.lines: Lines = read_lines(statements)
        self.chosen = dialect or self.lines.dialect
        self.matlab = self.chosen == "matlab"
        self.recognised = recognised
        self.only_matrix = False
        self.sizes = Sizes()
        self.scope: dict[str, Val] = {}
        self.guesses: dict[str, Guess] = {}
        self.facts: dict[str, None] = {}
        self.inferred_sizes: set[str] = set()
        self.holes: dict[tuple[int, int], Dim] = {}
        self.functions: dict[str, FunctionKind] = dict(self.lines.functions)
        self.dims = set(self.lines.dims)
        self.defined = {d.name: d for d in self.lines.definitions if d.name}
        self.index_orders: dict[str, int] = {}
        self.position: dict[str, int] = {}

    # ---- which names are functions

    def scan(self) -> None:
        """One look at every name: where it stands first, whether it is called, and with how many indices."""
        called: dict[str, None] = {}
        bare: set[str] = set()
        index_statements = {id(d.statement): d for d in self.lines.definitions if d.indices is not None}
        for definition in index_statements.values():
            if definition.name and definition.indices is not None:
                self.index_orders.setdefault(definition.name, len(definition.indices))
        count = 0
        for statement in self.statements:
            indexed = id(statement) in index_statements
            t = statement.tokens
            for i, token in enumerate(t):
                if token.kind == "ones":
                    self.dims.add(token.text[2:])
                if token.kind != "name":
                    continue
                count += 1
                name = token.text
                if indexed and sum_letters(name) is None and (split := subscript(name)) is not None:
                    name = split[0]
                    self.index_orders.setdefault(name, len(split[1]))
                self.position.setdefault(name, count)
                after, end = t[i + 1], token.end
                j = i + 1
                while t[j].kind == "prime" and t[j].start == end:
                    end = t[j].end
                    j += 1
                if t[j].text == "(" and t[j].start == end:
                    called.setdefault(name)
                elif after.kind != "prime" and not (after.text == "=" and i and t[i - 1].text in (",", "(")):
                    bare.add(name)
        for name in called:
            unknown = name not in self.functions and name not in self.lines.declared and name not in self.defined
            if unknown and name not in bare and not is_known(name) and derivative_of(name, self.functions) is None:
                if sum_letters(name) is not None and index_statements:
                    continue
                if name in ("I_", "e_", "E_") or name == "complex":
                    continue
                self.functions[name] = FunctionKind("tensor" if name in SCALAR_FUNCTIONS else "entrywise")
        self.dims.discard("")

    def is_function(self, name: str) -> bool:
        if name in self.lines.declared or name in self.defined:
            return False
        if name in self.functions or name == "complex":
            return True
        if is_known(name):
            return name not in self.variables_by_use
        return derivative_of(name, self.functions) is not None

    @property
    def variables_by_use(self) -> frozenset[str]:
        return frozenset()

    # ---- passes

    def read(self) -> Program:
        self.scan()
        self.name_last()
        equations = self.parse()
        ordered = self.sort(equations)
        for name, declared in self.lines.declared.items():
            if name not in self.defined:
                self.scope[name] = Val(declared.shape)
        self.assume_sizes()
        self.pass_over(ordered, building=False)
        self.build_leaves(ordered)
        self.pass_over(ordered, building=True)
        return self.program(ordered)

    def name_last(self) -> None:
        """A bare expression in the last line is the target."""
        definitions = self.lines.definitions
        for d in definitions:
            if d.name:
                continue
            if d is not definitions[-1]:
                first = d.statement.tokens[0]
                raise ParseError("P002", "an expression without a name", span=d.statement.span(first),
                                 expected="name = expression; only the last line may be a bare expression")  # fmt: skip
            d.name = next(n for n in ("E", "F", "value", "result", "E1") if n not in self.position)
            self.defined[d.name] = d
            self.facts.setdefault(f"{d.name} names the last line, `{d.statement.surface.strip()[:80]}`")
            if any(sum_letters(t.text) is not None for t in d.statement.tokens if t.kind == "name"):
                d.indices = ()
                for token in d.statement.tokens:
                    if token.kind == "name" and (split := subscript(token.text)) is not None:
                        self.index_orders.setdefault(split[0], len(split[1]))

    def parse(self) -> list[_Equation]:
        found = []
        for d in self.lines.definitions:
            bound = None if d.indices is None else Bound(d.indices)
            parser = Parser(d.statement, d.at, self.is_function, matlab=self.matlab, bound=bound)
            tape = parser.whole()
            self.only_matrix = self.only_matrix or parser.only_matrix
            names = [n.value if n.tag == "name" else n.value[0] for n in tape if n.tag in ("name", "indexed")]
            if d.indices:
                self.facts.setdefault(
                    f"`{d.statement.surface.strip()[:80]}` is an index equation: letters after _ are indices"
                )
            found.append(_Equation(d, tape, names))
        return found

    def sort(self, equations: list[_Equation]) -> list[_Equation]:
        """Each equation after those that it uses, otherwise in the order of the text. Raises ParseError P005."""
        place = {e.name: i for i, e in enumerate(equations)}
        needs = [{place[n] for n in e.uses if n in place} for e in equations]
        users: list[list[int]] = [[] for _ in equations]
        for i, wanted in enumerate(needs):
            for j in wanted:
                users[j].append(i)
        missing = [len(w) for w in needs]
        ready = [i for i, n in enumerate(missing) if not n]
        ordered: list[_Equation] = []
        while ready:
            i = heappop(ready)
            ordered.append(equations[i])
            for j in users[i]:
                missing[j] -= 1
                if not missing[j]:
                    heappush(ready, j)
        if len(ordered) < len(equations):
            raise self.cycle(equations, needs, missing)
        return ordered

    def cycle(self, equations: list[_Equation], needs: list[set[int]], missing: list[int]) -> ParseError:
        i = next(k for k, n in enumerate(missing) if n)
        path: list[int] = []
        at: dict[int, int] = {}
        while i not in at:
            at[i] = len(path)
            path.append(i)
            i = min(k for k in needs[i] if missing[k])
        loop = path[at[i] :]
        start = min(range(len(loop)), key=lambda k: loop[k])
        loop = [*loop[start:], *loop[:start]]
        names = [equations[k].name for k in loop]
        shown = names if len(names) <= 8 else [*names[:4], "…", *names[-3:]]
        first = equations[loop[0]]
        token = first.definition.token or first.statement.tokens[0]
        notes = [f"line {equations[k].statement.source.line}: {equations[k].surface[:80]}" for k in loop[:6]]
        return ParseError("P005", "the equations are cyclic: " + " → ".join([*shown, shown[0]]),
                          span=first.statement.span(token), expected="each name computed from others", notes=notes,
                          hint="a new value needs a new name: x2 = x1 + …")  # fmt: skip

    def maker(self, building: bool) -> Maker:
        maker = Maker(self.sizes, self.functions, self.lookup, matlab=self.matlab, building=building)
        maker.facts, maker.inferred, maker.holes = self.facts, self.inferred_sizes, self.holes
        return maker

    def pass_over(self, ordered: list[_Equation], *, building: bool) -> None:
        maker = self.maker(building)
        for e in ordered:
            self.current = e
            maker.notes = []
            indices = e.definition.indices
            if indices is None:
                value = elaborate(maker, e.statement, e.tape)
            else:
                value = elaborate_index(maker, e.statement, e.tape, indices)
            e.notes = maker.notes
            self.check_declared(e, value)
            if building:
                e.value = value
                value = Val(value.shape, free.var(e.name, value.shape))
            self.scope[e.name] = value

    def check_declared(self, e: _Equation, value: Val) -> None:
        """A name may be both declared and defined; then both shapes must be the same."""
        declared = self.lines.declared.get(e.name)
        if declared is None:
            return
        shape = self.sizes.shape(declared.shape)
        fits = len(shape) == value.order and all(map(self.sizes.agree, shape, value.shape))
        if not fits:
            token = e.definition.token or e.statement.tokens[0]
            message = f"{e.name} is declared {show_shape(shape)}, but its equation has the shape "
            raise ParseError("S007", message + show_shape(self.sizes.shape(value.shape)), span=e.statement.span(token),
                             notes=[f"declared on line {declared.statement.source.line}"])  # fmt: skip

    # ---- names

    def lookup(self, maker: Maker, name: str, node: Node) -> Val:
        found = self.scope.get(name)
        if found is not None:
            return found if maker.building else Val(self.sizes.shape(found.shape))
        constant = self.constant(maker, name, self.dims, self.position)
        if constant is not None:
            return constant
        if name.startswith("∇"):
            raise maker.parse_error("P003", f"{name} is not defined", node, hint="write `given grad y as g` and use g")
        chosen = guess(name, self.index_orders.get(name), maker.sizes)
        self.guesses[name] = chosen
        chosen.line = self.current.surface[:80] if not maker.facts.get(name) else ""
        self.scope[name] = Val(chosen.shape)
        return self.scope[name]

    @staticmethod
    def constant(maker: Maker, name: str, dims: set[str], _: object) -> Val | None:
        """π, I_n, and sizes used as numbers."""
        if name in ("π", "pi"):
            return maker.leaf(arithmetic.pi, ())
        if name.startswith("I_") and len(name) > 2:
            size = maker.dims((Dim.number(int(name[2:])) if name[2:].isdecimal() else Dim.symbol(name[2:]),))[0]
            return maker.leaf(lambda: matrix.identity(size), (size, size))
        if name in dims:
            size = maker.dims((Dim.symbol(name),))[0]
            return maker.leaf(lambda: arithmetic.size_of(size), ())
        return None

    def assume_sizes(self) -> None:
        pass

    def build_leaves(self, ordered: list[_Equation]) -> None:
        pass

    def program(self, ordered: list[_Equation]) -> Program:
        raise NotImplementedError


assert KNOWN and SHAPED and MappingProxyType and nearest and PullbackError and Span and Token and Equation and Shape and Expr
