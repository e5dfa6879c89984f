"""The two passes over a text: first the sizes, then the expressions; and what had to be assumed."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial
from types import MappingProxyType

from ..algebra.dims import Dim, Shape, show_shape
from ..algebra.expr import Expr
from ..algebra.indexed import Ref, family_of, ref, spelled
from ..algebra.ops import free
from ..errors import ParseError, PullbackError, ShapeError, UnsupportedError, nearest
from .constants import constant
from .domains import consistent
from .elaborate import elaborate
from .index_mode import elaborate_index
from .kinds import SOFT, Guess, guess
from .lines import Relation, read_lines
from .members import Family, families_declared
from .mistakes import explain, glued, one_name, without_marks
from .own_functions import build_functions
from .program import Equation, Program
from .said import facts_said, named_as_said
from .scan import Parsed, Scan, clip
from .sizes import Sizes, no_shape, sizes_tied, two_dims
from .tape import Node, Tape
from .tokens import Statement
from .values import Maker, Val

__all__ = ["Reader"]


class Reader:
    """Reads one text in one dialect."""

    def __init__(
        self,
        text: str,
        statements: list[Statement],
        dialect: str | None,
        recognised: bool = False,
        also: Sequence[tuple[Statement, bool]] = (),
        star: str = "",
        vectors: frozenset[str] = frozenset(),
    ) -> None:
        """`also` are statements that only use names, each with whether its subscripts are indices."""
        self.again = partial(Reader, text, statements, dialect, recognised, also, star)
        self.vectors = vectors
        self.text = text
        self.lines = read_lines(statements)
        self.chosen = dialect or self.lines.dialect
        self.matlab = self.chosen == "matlab"
        self.recognised = recognised
        self.scan = Scan(statements, self.lines, matlab=self.matlab, also=also)
        self.families = families_declared(self.lines.declared)
        self.guessed_families: dict[str, Family] = {}
        self.sizes = Sizes()
        self.scope: dict[str, Val] = {}
        self.guesses: dict[str, Guess] = {}
        self.notes: dict[str, None] = dict.fromkeys(self.scan.notes)
        self.current = ""
        self.maker = Maker(self.sizes, self.scan.functions, self._lookup, matlab=self.matlab)
        self.maker.facts = self.notes
        self.maker.star = star
        self.maker.known_sizes = self.scan.dims
        names = self.lines.declared.keys() | self.scan.defined.keys()
        build_functions(Maker(self.sizes, self.scan.functions, self._lookup, matlab=self.matlab), self.scan.own, names)
        self.numbers = {v: f.name for f in self.scan.own for v in f.outer}
        self.conditions: list[tuple[Relation, Tape, Statement, Tape, Statement]] = []
        self.facts: list[tuple[Expr, Expr, str]] = []
        self.also_used: set[str] = set()

    def read(self) -> Program:
        """The program of the text. Raises PullbackError."""
        if not self.scan.equations:
            raise ParseError(
                "P010",
                "there is no equation",
                expected="at least one line `name = expression`",
                hint="a function is used by an equation: y = phi(x)" if self.scan.own else "for example: z = W a + b",
            )
        return self.everything()

    def everything(self) -> Program:
        """Both passes, and what they found. Raises PullbackError, with what had been assumed about the names it is about."""
        try:
            return self._passes()
        except PullbackError as error:
            if not error.assumed and error.span is not None:
                explain(error, error.span, self.guesses, self._known())
            raise

    def _known(self) -> set[str]:
        return self.lines.declared.keys() | self.scan.defined.keys() | self.scan.position.keys()

    def _passes(self) -> Program:
        lines, scan = self.lines, self.scan
        self._relations()
        for name in lines.declared:
            shape = self._declared(name)
            if name not in scan.defined:
                self.scope[name] = Val(shape)
        if self._has_unknowns():
            try:
                self._pass(building=False)
            except PullbackError as error:
                if (found := self._with_vectors(SOFT)) is not None:
                    return found
                raise without_marks(error) from None
            if (found := self._with_vectors(SOFT & self.maker.filled)) is not None:
                return found
            self.sizes.settle(self.maker.beside)
            self._name_sizes()
        self._leaves()
        self._pass(building=True)
        return consistent(self._program(), self.lines.relations)

    def _with_vectors(self, names: Set[str]) -> Program | None:
        """The program if those of `names` that were guessed to be numbers are vectors; None if that cannot be."""
        soft = names & self.guesses.keys() - self.vectors
        if not soft:
            return None
        try:
            return self._read_again(self.vectors | soft)
        except PullbackError:
            return None

    def _read_again(self, vectors: frozenset[str]) -> Program:
        return self.again(vectors=vectors).read()

    # ---- assumptions about sizes

    def _relations(self) -> None:
        lines, scan = self.lines, self.scan
        others = lines.declared.keys() | scan.defined.keys() | {n for e in scan.equations for n in e.uses}
        tied = [two_dims(r.statement, r.middle) for r in lines.relations]
        scan.dims |= sizes_tied([both for both in tied if both is not None], scan.dims, others)
        for relation in self.lines.relations:
            statement, middle = relation.statement, relation.middle
            tokens = statement.tokens
            if tokens[middle].text not in ("=", "=="):
                self.notes.setdefault(f"{relation.text} (line {statement.source.line})")
                continue
            both = self._two_sizes(statement, middle)
            if both is None:
                left = Statement(statement.source, tokens[1:middle])
                right = Statement(statement.source, tokens[middle + 1 : -1])
                tapes = [self.scan.parser(s, 0).whole() for s in (left, right)]
                self.conditions.append((relation, tapes[0], left, tapes[1], right))
            elif self.sizes.assume(*both, span=statement.span(tokens[1], tokens[-2])):
                self.notes.setdefault(f"{both[0]} = {both[1]} (line {statement.source.line})")
            else:
                raise ShapeError(
                    "S007",
                    f"{both[0]} = {both[1]} cannot be used: neither side is one size by itself",
                    span=statement.span(tokens[1], tokens[-2]),
                    expected="assume n = m + 1",
                )

    def _declared(self, name: str) -> Shape:
        """The declared shape with what is assumed about its sizes. Raises ParseError P002."""
        d = self.lines.declared[name]
        shape = self.sizes.shape(d.shape)
        if (error := no_shape(shape)) is not None:
            raise error.at(d.statement.span(d.token))
        return shape

    def _two_sizes(self, statement: Statement, middle: int) -> tuple[Dim, Dim] | None:
        """Both sides if they are sizes; None if they are expressions."""
        both = two_dims(statement, middle)
        if both is None:
            return None
        symbols = both[0].symbols() | both[1].symbols()
        variables = self.lines.declared.keys() | self.scan.defined.keys()
        return both if symbols and symbols <= self.scan.dims and not symbols & variables else None

    # ---- passes

    def _has_unknowns(self) -> bool:
        known = self.scope.keys() | self.scan.defined.keys()
        if any(name not in known for e in self.scan.equations for name in e.uses) or self.conditions:
            return True
        return any(n.open for e in self.scan.equations for n in e.tape)

    def _pass(self, *, building: bool) -> None:
        maker = self.maker
        maker.building = building
        for e in self.scan.equations:
            self.current = e.surface
            maker.notes = []
            indices = e.definition.indices
            if indices is None:
                value = elaborate(maker, e.statement, e.tape)
            else:
                value = elaborate_index(maker, e.statement, e.tape, indices)
            if e.name in self.lines.declared:
                self._check_declared(e, value)
            elif (member := ref(e.name)) is not None:
                self._check_member(e, member, value)
            e.notes, e.value = maker.notes, value
            var = named_as_said(self.lines, e.name, value.built(), self.notes) if building else None
            self.scope[e.name] = Val(value.shape, var)
        for relation, left, first, right, second in self.conditions:
            self.current = relation.text
            a, b = elaborate(maker, first, left), elaborate(maker, second, right)
            if not self.sizes.agree_all(a.shape, b.shape):
                shapes = f"{show_shape(self.sizes.shape(a.shape))} and {show_shape(self.sizes.shape(b.shape))}"
                raise ShapeError(
                    "S002",
                    f"the two sides of an assumption have the shapes {shapes}",
                    span=first.span(first.tokens[0], second.tokens[-2]),
                )
            if a.order:
                raise UnsupportedError(
                    "U011",
                    f"the assumption {relation.text} cannot be sampled, so its use cannot be checked",
                    span=first.span(first.tokens[0], second.tokens[-2]),
                    expected="one scalar equation that is linear in an input, such as sum(y) = 1",
                    hint="the gradient of a constrained variable is another question than that of a free one: derive "
                    "without the assumption, then restrict",
                )
            if building:
                self.facts.append((a.built(), b.built(), relation.text))
                self.notes.setdefault(f"{relation.text} (line {first.source.line})")

    def _check_declared(self, e: Parsed, value: Val) -> None:
        """A name may be both declared and defined; then both shapes must be the same."""
        declared = self.lines.declared[e.name]
        shape = self.sizes.shape(declared.shape)
        if not self.sizes.agree_all(shape, value.shape):
            token = e.definition.token or e.statement.tokens[0]
            found = show_shape(self.sizes.shape(value.shape))
            raise ShapeError(
                "S007",
                f"{e.name} is declared {show_shape(shape)}, but its equation has the shape {found}",
                span=e.statement.span(token),
                notes=[f"declared on line {declared.statement.source.line}"],
                hint="correct the declaration, or leave it out: the equation tells the shape",
            )

    def _check_member(self, e: Parsed, member: Ref, value: Val) -> None:
        """The equation of a member has the shape that the family has; if nothing told it yet, it is told now."""
        known = self.families.get(member.family) or self.guessed_families.get(member.family)
        if known is None:
            self.families[member.family] = Family(member, value.shape)
            return
        token = e.definition.token or e.statement.tokens[0]
        shape = self.sizes.shape(known.at(member, e.statement.span(token)))
        if not self.sizes.agree_all(shape, value.shape):
            found, wanted = show_shape(self.sizes.shape(value.shape)), show_shape(self.sizes.shape(shape))
            of = spelled(known.like.family, known.like.index)
            raise ShapeError(
                "S007",
                f"{e.name} is {wanted} by the shape of {of}, but its equation has the shape {found}",
                span=e.statement.span(token),
                hint=f"declare {of} with the index in its sizes, as in `{spelled(member.family, known.like.index)} : n[…]`",
            )

    # ---- names

    def _member(self, name: str, maker: Maker, node: Node) -> Val | None:
        """A member of a family whose shape is told by another member."""
        member = ref(name)
        if member is None:
            return None
        known = self.families.get(member.family) or self.guessed_families.get(member.family)
        if known is None:
            return None
        return Val(self.sizes.shape(known.at(member, maker.span(node))))

    def _lookup(self, maker: Maker, name: str, node: Node) -> Val:
        found = self.scope.get(name) or self._member(name, maker, node)
        if found is not None:
            self.scope.setdefault(name, found)
            return found
        value = constant(maker, name, self.scan.dims)
        if value is not None:
            return value
        if name.startswith("∇"):
            raise maker.parse_error("P003", f"{name} is not defined", node, hint="write `given grad y as g` and use g")
        if (parts := glued(name, self.lines.declared.keys() | self.scan.defined.keys())) is not None:
            raise one_name(maker.span(node), name, parts)
        chosen = guess(name, self.scan.index_orders.get(name), self.sizes, self.vectors, self.scan.patterns.get(name))
        if name in self.numbers:
            chosen = Guess((), f"it stands in the definition of {self.numbers[name]}", told=True)
        chosen.line = clip(self.current)
        self.guesses[name] = chosen
        if (member := ref(name)) is not None:
            self.guessed_families[member.family] = Family(member, chosen.shape)
        found = self.scope[name] = Val(chosen.shape)
        return found

    def _name_sizes(self) -> None:
        """Letters for the sizes that are still unknown, in the order in which the names appear."""
        position = self.scan.position
        guessed = sorted(self.guesses, key=lambda n: position.get(n, 0))
        shapes = [self.guesses[n].shape for n in guessed] + [(d,) for d in self.maker.holes.values()]
        taken = self.scan.dims | position.keys()
        self.maker.inferred = self.sizes.name_unknowns(shapes, taken)

    def _leaves(self) -> None:
        self.scope = {n: v for n, v in self.scope.items() if n not in self.scan.defined}
        for name, value in self.scope.items():
            shape = self.sizes.shape(value.shape)
            member = ref(name)
            told = self.guessed_families.get(member.family) if member is not None else None
            if member is not None and told is not None:  # its size was not known yet when this member was first met
                shape = self.sizes.shape(Family(told.like, self.sizes.shape(told.shape)).at(member))
            self.scope[name] = Val(shape, free.var(name, shape, facts=facts_said(self.lines, name, shape, self.notes)))

    # ---- the result

    def _program(self) -> Program:
        lines, scan = self.lines, self.scan
        used = {n for e in scan.equations for n in e.uses}
        used |= {n.value for c in self.conditions for tape in (c[1], c[3]) for n in tape if n.tag == "name"}
        used |= {n for c in self.conditions for tape in (c[1], c[3]) for n in self.scan.outer_names(tape)}
        used |= self.also_used
        for _, of, statement in lines.said:
            if of.text not in {*self.scope, *map(family_of, self.scope)}:
                raise self._undefined(statement, of.text, of.start + 1)
        names = sorted(
            (n for n in used if n in self.scope and n not in scan.defined),
            key=lambda n: scan.position.get(n, 0),
        )
        inputs = tuple(self.scope[n].built() for n in names)
        equations = tuple(self._equation(e) for e in scan.equations)
        last = lines.definitions[-1].name if lines.definitions else None
        return Program(
            inputs=inputs,
            equations=equations,
            target="E" if "E" in scan.defined else last,
            given=self._given(),
            assumptions=tuple(self._assumptions(names)),
            facts=tuple(self.facts),
            wrt=self._wrt(set(names)),
            functions=MappingProxyType({n: str(k) for n, k in scan.functions.items()}),
            constants=frozenset(lines.constants),
            ranges=MappingProxyType({e.name: e.definition.ranges for e in scan.equations if e.definition.ranges}),
            members=tuple(n for n in lines.declared if ref(n) and n not in scan.defined),
            declared=tuple(lines.declared),
            dialect="matlab" if self.matlab else "matrix",
            source=self.text,
        )

    def _equation(self, e: Parsed) -> Equation:
        assert e.value is not None
        rhs = e.value.built()
        token = e.definition.token
        span = e.statement.span(token or e.statement.tokens[0], e.statement.tokens[-2])
        indexed = e.definition.indices is not None
        return Equation(
            e.name, self.scope[e.name].built(), rhs, e.surface, span, rhs if indexed else None, tuple(e.notes)
        )

    def _assumptions(self, inputs: list[str]) -> list[str]:
        found = []
        if self.recognised:
            found.append("read as the MATLAB-like notation of matrixcalculus.org: * is the matrix product")
        for name in inputs:
            if name in self.guesses:
                found.append(self.guesses[name].sentence(name, self.scope[name].shape))
        for name in self.scan.guessed_functions:
            if self.scan.functions[name].entrywise:
                found.append(f"{name} acts entry by entry (a function that is not declared)")
            else:
                of = self.scan.arguments_of(name)
                found.append(f"{name} is a scalar function of {of} (a function that is not declared)")
        return [*found, *self.notes]

    def _given(self) -> tuple[str, Expr] | None:
        if self.lines.given is None:
            return None
        statement, of, name = self.lines.given
        found = self.scope.get(of.text)
        member = ref(of.text)
        if found is None and member is not None and member.family in self.families:
            found = Val(self.sizes.shape(self.families[member.family].at(member, statement.span(of))))
        if found is None:
            raise self._undefined(statement, of.text, statement.span(of).column)
        if family_of(of.text) not in {family_of(n) for n in self.scan.defined}:
            raise ParseError(
                "P003",
                f"{of.text} is an input: no equation defines it, so there is nothing behind it to derive",
                span=statement.span(of),
                expected="a name on the left side of an equation: " + ", ".join(list(self.scan.defined)[:12]),
            )
        if name.text in self.scope:
            raise ParseError(
                "P004",
                f"{name.text} is a given gradient and also a name in the equations",
                span=statement.span(name),
                hint="give the gradient another name",
            )
        return of.text, free.var(name.text, found.shape)

    def _wrt(self, inputs: set[str]) -> tuple[str, ...]:
        wanted: dict[str, None] = {}
        for statement, token in self.lines.wrt:
            known = inputs | self.scan.defined.keys()
            if token.text not in known and token.text not in map(family_of, known):
                raise self._undefined(statement, token.text, token.start + 1)
            wanted.setdefault(token.text)
        return tuple(wanted)

    def _undefined(self, statement: Statement, name: str, column: int) -> ParseError:
        known = list(self.scope)
        close = nearest(name, known[:5000]) if len(name) > 1 else None
        hint = f"did you mean {close}?" if close else "the names are " + ", ".join(known[:12])
        span = statement.source.span(column - 1, column - 1 + len(name))
        return ParseError("P003", f"{name} occurs in no equation", span=span, hint=hint)
