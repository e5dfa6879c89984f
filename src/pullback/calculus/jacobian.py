"""The same backward equations by Jacobians (style S2): name the matrix of each linear map, multiply, transpose.

Numerator layout: a Jacobian has a row for each entry of the result, so dv = J dx, derivatives of E are rows, and a chain
is written left to right; in the end the row is transposed. Denominator layout: every Jacobian is transposed, a chain
is written right to left, and the derivative of E is the column ∇x at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from ..algebra.expr import Expr
from ..algebra.network import TooLarge
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.free import gradient, increment, var
from ..algebra.ops.matrix import inner
from ..algebra.ops.structure import einsum
from ..step import Claim, Said, Step, Why
from .conditions import Conditions
from .core import Equation
from .derivation import Backward, Derivation, assumed_of, cotangents, finished, unassumed, users_of
from .differential import differential
from .indexed import jacobian_of
from .kronecker import NoMatrix, matrix_of
from .matrix_reasons import chain_why, has_kron, letters_of, reason, turn_why, value_reason
from .products import Letters
from .stacked import (
    Entries,
    Form,
    Leaf,
    Named,
    Product,
    Sum,
    leaf,
    product,
    row,
    rows_first,
    turned,
)

__all__ = ["LAYOUTS", "Equality", "Jacobians", "Link", "contraction", "jacobian_steps", "links"]

LAYOUTS = ("numerator", "denominator")
ONE = rational(1)


@dataclass(frozen=True, slots=True)
class Link:
    """How v depends on x in one equation: dv = Σ terms, the array ∂v/∂x, and its matrix if there is one."""

    equation: Equation
    of: Expr
    terms: tuple[Expr, ...]
    tensor: Expr | None
    form: Form | None
    crossed: bool = False  # the matrix belongs to xᵀ stacked
    reason: str = ""  # why there is no matrix


@dataclass(frozen=True, slots=True)
class Equality:
    """What the printed matrices of a step must satisfy as numbers, whatever its claim about the tensors.

    kind: "map" `right` times the stacked dx is the stacked tangent of v · "rows" the same, stacked by rows · "equal"
    left = right · "turned" leftᵀ = right.
    """

    kind: str
    left: Form | Link
    right: Form


@dataclass(slots=True)
class Jacobians:
    """The steps in one layout, and for each step by its id what its matrices must satisfy."""

    layout: str
    steps: list[Step] = field(default_factory=list)
    equalities: dict[str, Equality] = field(default_factory=dict)
    known: dict[Named, Form] = field(default_factory=dict)  # what the names ∂v/∂x stand for
    letters: Mapping[str, str] = field(
        default_factory=dict
    )  # for A, X, B, u, v, x in general statements: no names of the program


def links(d: Derivation) -> dict[Expr, list[Link]]:
    """For each equation that is differentiated, how its name depends on each of the names in it."""
    moving = {b.of for b in d.backward}
    found: dict[Expr, list[Link]] = {}
    for q in d.core.equations:
        if q.var in moving:
            terms = differential(q.value, moving)
            found[q.var] = [
                _link(q, x, [q.named(t.expr) for t in terms if t.of is x]) for x in dict.fromkeys(t.of for t in terms)
            ]
    return _settled(found)


_LETTERS = ("iecdfg", "pqrsvw")


def _link(q: Equation, x: Expr, terms: list[Expr]) -> Link:
    v = q.var
    try:
        if max(v.order, x.order) > len(_LETTERS[0]):
            raise TooLarge
        tensor, _ = jacobian_of(v, x, terms, Letters(()), _axes(v, x))
    except (TooLarge, StopIteration):
        return Link(q, x, tuple(terms), None, None, reason="its index sums are too many to be written")
    try:
        form, crossed = matrix_of(v, x, terms, tensor)
    except NoMatrix as why:
        return Link(q, x, tuple(terms), tensor, None, reason=str(why))
    except TooLarge:
        return Link(q, x, tuple(terms), tensor, None, reason="its index sums are too many to be read as matrices")
    return Link(q, x, tuple(terms), tensor, form, crossed)


def _settled(found: dict[Expr, list[Link]]) -> dict[Expr, list[Link]]:
    """One name is stacked in one way: where uses disagree, the matrices of xᵀ are given up for the index array."""
    ways: dict[Expr, set[bool]] = {}
    for each in found.values():
        for k in each:
            if k.form is not None:
                ways.setdefault(k.of, set()).add(k.crossed)
    for v, each in found.items():
        for n, k in enumerate(each):
            if k.crossed and len(ways[k.of]) > 1:
                why = f"elsewhere {k.of.attrs[0]} is stacked as it stands, here it would have to be transposed first"
                found[v][n] = Link(k.equation, k.of, k.terms, k.tensor, None, reason=why)
    return found


class _Writer:
    def __init__(self, d: Derivation, found: dict[Expr, list[Link]], layout: str) -> None:
        self.d, self.rows = d, layout == "numerator"
        self.out = Jacobians(layout, letters=letters_of(d))
        self.links = found
        self.conditions = Conditions(d.core.equations, d.known)
        self.cotangent = cotangents(d)
        self.plain, self.assumed = unassumed(d), assumed_of(d)
        self.users = users_of(d)
        self.numbered = count(1)
        self.letter = "j" if self.rows else "k"
        self.objective = d.target if d.seed is None else "E"

    def add(self, kind: str, about: Expr, left: object, right: object, rules: tuple[str, ...], why: Why, claim: Claim,
            home: str, same: Equality | None = None, conditions: tuple[Said, ...] = ()) -> None:  # fmt: skip
        step = Step(id=f"{self.letter}{next(self.numbered)}", kind=kind, about=about.attrs[0], left=left, relation="=",
                    right=right, rules=rules, why=why, claim=claim, premises=(home,), conditions=conditions)  # fmt: skip
        self.out.steps.append(step)
        if same is not None:
            self.out.equalities[step.id] = same

    def laid(self, f: Form) -> Form:
        return f if self.rows else turned(f)

    # ---- ∂v/∂x

    def name(self, k: Link) -> Named:
        direct = k.equation.var is self.objective and len(self.users[k.of]) > 1
        return Named(k.equation.var, k.of, k.crossed, direct)

    def map(self, k: Link) -> None:
        v, x, home = k.equation.var, k.of, k.equation.var.attrs[0]
        needs = self.conditions.of(k.equation.value)
        whole = added(k.terms)
        if k.tensor is None:
            return
        out, of = _axes(v, x)
        claim = Claim("EQ", einsum(f"{out}{of},{of}->{out}", k.tensor, increment(x)), whole)
        if k.form is None:
            partial = Entries(_partial(v, x), out + of)
            self.add("entries", x, partial, Entries(k.tensor, out + of), ("J-INDEX",),
                     Why("no matrix: the array by its entries", f"why no matrix: {k.reason}"), claim, home, conditions=needs)  # fmt: skip
            return
        rules, why = reason(k.equation, k.of, k.form, whole, self.out.letters)
        right = self.laid(k.form)
        self.out.known[self.name(k)] = right
        self.add("jacobian", x, self.name(k), right, rules, why, claim, home, Equality("map", k, right), needs)
        if has_kron(k.form) and not k.crossed:
            stacked = rows_first(k.form)
            self.add("rows", x, rows_first(leaf(increment(v))), product(stacked, rows_first(leaf(increment(x)))),
                     ("V-VEC",), Why("stacked by rows instead: the same entries, every ⊗ the other way round"), claim, home,
                     Equality("rows", k, stacked))  # fmt: skip

    # ---- ∂E/∂x and ∇x

    def conclude(self, b: Backward, home: str) -> None:
        x = b.of
        used = [k for q in self.users.get(x, []) for k in self.links[q.var] if k.of is x]
        if not used:
            return
        crossed = any(k.crossed for k in used)
        total = Named(self.objective, x, crossed)
        pairs = [(k, self.cotangent[k.equation.var]) for k in used]
        start = len(pairs) == 1 and pairs[0][1] is ONE  # the target itself: ∂E/∂x is the matrix
        names = [self.link_of(k, g) for k, g in pairs]
        fan = ("FANOUT",) if len(pairs) > 1 else ()
        before = added([inner(g, t) for k, g in pairs for t in k.terms])
        whole = [k.tensor for k, _ in pairs]
        if not start and all(t is not None for t in whole):
            self.add("chain", x, total, _sum(names), ("J-CHAIN", *fan), chain_why(x, [k.equation.var for k in used], self.rows, self.d.target if self.d.seed is None else None),
                     self.chain_claim(x, pairs), home)  # fmt: skip
        plain = self.plain[x]  # before an assumption of the user was used
        value = _transposed(plain) if crossed else plain
        result = Claim("EQ", before, inner(plain, increment(x)))
        if all(k.form is not None for k in used):
            # a product of Jacobians; in numerator layout a row that is transposed at the end
            put = _sum([self.put(k, g) for k, g in pairs])
            contracted = added([inner(contraction(k, g), increment(x)) for k, g in pairs])
            if not start:
                self.add("put", x, total, put, ("SUBST",), Why("put in"), Claim("EQ", before, contracted), home,
                         Equality("equal", _sum(names), put))  # fmt: skip
            back = put
            target = Leaf(gradient(x)) if x.order < 2 else _named_leaf(gradient(x), crossed)
            if self.rows:
                back = turned(put)
                self.add("turn", x, target, back, ("J-T",), turn_why(self.out.letters), Claim("EQ", contracted, result.right), home,
                         Equality("turned", put, back))  # fmt: skip
            if self.rows or back != leaf(value):
                rules, why = value_reason(back, self.out.letters)
                self.add(
                    "value", x, target, leaf(value), rules, why, result, home, Equality("equal", back, leaf(value))
                )
        rule: tuple[str, ...] = ("V-VEC",) if all(k.form is not None for k in used) else ("J-INDEX",)
        why = Why("the stacked array, unstacked" if rule == ("V-VEC",) else "the index sum in matrix notation")
        if not self.rows and x.order < 2 and rule == ("V-VEC",):
            rule, why = (
                ("J-T",),
                Why("in this layout the derivative is the column ∇ itself: nothing is left to transpose"),
            )
        self.add("result", x, gradient(x), plain, rule, why, result, home)
        if plain is not b.value:
            facts = self.assumed.get(x.attrs[0], {})
            self.add("result", x, gradient(x), b.value, *finished(x, plain, b.value, facts), home)

    def link_of(self, k: Link, g: Expr) -> Form:
        if g is ONE:
            return self.name(k)
        outer_name = Named(self.objective, k.equation.var)
        self.out.known[outer_name] = row(g) if self.rows else leaf(g)
        return Product((outer_name, self.name(k)) if self.rows else (self.name(k), outer_name))

    def put(self, k: Link, g: Expr) -> Form:
        assert k.form is not None
        if g is ONE:
            return self.laid(k.form)
        return product(row(g), k.form) if self.rows else product(turned(k.form), leaf(g))

    def chain_claim(self, x: Expr, pairs: list[tuple[Link, Expr]]) -> Claim:
        """Σ_v ∂E/∂v ∂v/∂x with the names of the Jacobians, and with what they stand for."""
        left: list[Expr] = []
        right: list[Expr] = []
        where: dict[Expr, Expr] = {}
        for k, g in pairs:
            v = k.equation.var
            partial = _partial(v, x)
            assert k.tensor is not None
            where[partial] = k.tensor
            out, of = _axes(v, x)
            left.append(einsum(f"{out},{out}{of}->{of}", g, partial))
            right += [inner(g, t) for t in k.terms]
        paired = inner(added(left), increment(x))
        return Claim("EQ", paired, added(right), where)


def contraction(k: Link, g: Expr) -> Expr:
    """Σ g ∂v/∂x over the axes of v: what this use of x contributes to ∇x."""
    out, of = _axes(k.equation.var, k.of)
    assert k.tensor is not None
    return einsum(f"{out},{out}{of}->{of}", g, k.tensor) if g is not ONE else _as_einsum(out, of, k.tensor)


def _axes(v: Expr, x: Expr) -> tuple[str, str]:
    """Letters for the axes of v, and for those of x, as in ∂v/∂x."""
    return _LETTERS[0][: v.order], _LETTERS[1][: x.order]


def _partial(v: Expr, x: Expr) -> Expr:
    return var(f"∂{v.attrs[0]}/∂{x.attrs[0]}", v.shape + x.shape, "partial")


def _as_einsum(out: str, of: str, tensor: Expr) -> Expr:
    return einsum(f"{out}{of}->{of}", tensor) if out + of != of else tensor


def _transposed(e: Expr) -> Expr:
    found = turned(Leaf(e))
    assert isinstance(found, Leaf)
    return found.expr


def _named_leaf(g: Expr, crossed: bool) -> Form:
    return leaf(g.T if crossed else g)


def _sum(parts: list[Form]) -> Form:
    return parts[0] if len(parts) == 1 else Sum(tuple((1, p) for p in parts))


def jacobian_steps(d: Derivation) -> Iterator[Jacobians]:
    """The steps of style `jacobian` in both layouts, none of them checked yet."""
    found = links(d)
    known = {b.of: b for b in d.backward}
    for layout in LAYOUTS:
        w = _Writer(d, found, layout)
        left = {x: len(qs) for x, qs in w.users.items()}
        for q in reversed(d.core.equations):
            for k in found.get(q.var, []):
                w.map(k)
            for k in found.get(q.var, []):
                left[k.of] -= 1
                if not left[k.of]:
                    w.conclude(known[k.of], q.var.attrs[0])
        yield w.out
