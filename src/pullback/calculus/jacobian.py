"""The same backward equations by Jacobians (style S2): name the matrix of each linear map, multiply, transpose.

Numerator layout: a Jacobian has a row for each entry of the result, so dv = J dx, derivatives of E are rows, and a chain
is written left to right; in the end the row is transposed. Denominator layout: every Jacobian is transposed, a chain
is written right to left, and the derivative of E is the column ∇x at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from ..algebra.expr import Expr, postorder
from ..algebra.network import TooLarge
from ..algebra.ops.arithmetic import rational
from ..algebra.ops.free import gradient, increment, var
from ..algebra.ops.matrix import diag, inner
from ..algebra.ops.structure import einsum
from ..step import Claim, Step, Why
from .conditions import conditions
from .core import Equation
from .derivation import Backward, Derivation
from .differential import differential
from .indexed import OF, OUT, cotangents, jacobian_of, named, users_of
from .kronecker import NoMatrix, matrix_of
from .stacked import Diag, Entries, Form, Kron, Leaf, Named, Product, Sum, column, extent, product, row, rows_first, turned

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

    @property
    def name(self) -> Named:
        return Named(self.equation.var, self.of, self.crossed)


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


def links(d: Derivation) -> dict[Expr, list[Link]]:
    """For each equation that is differentiated, how its name depends on each of the names in it."""
    moving = {b.of for b in d.backward}
    found: dict[Expr, list[Link]] = {}
    for q in d.core.equations:
        if q.var in moving:
            terms = differential(q.value, moving)
            found[q.var] = [
                _link(q, x, [named(t.expr, q) for t in terms if t.of is x]) for x in dict.fromkeys(t.of for t in terms)
            ]
    return _settled(found)


def _link(q: Equation, x: Expr, terms: list[Expr]) -> Link:
    v = q.var
    try:
        tensor, _ = jacobian_of(v, x, terms)
    except (TooLarge, StopIteration, IndexError):
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
        self.out = Jacobians(layout)
        self.links = found
        self.cotangent = cotangents(d)
        self.users = users_of(d)
        self.numbered = count(1)
        self.letter = "j" if self.rows else "k"
        self.objective = d.target if d.seed is None else "E"

    def add(self, kind: str, about: Expr, left: object, right: object, rules: tuple[str, ...], why: Why, claim: Claim,
            home: str, same: Equality | None = None, conditions: tuple[str, ...] = ()) -> None:  # fmt: skip
        step = Step(id=f"{self.letter}{next(self.numbered)}", kind=kind, about=about.attrs[0], left=left, relation="=",
                    right=right, rules=rules, why=why, claim=claim, premises=(home,), conditions=conditions)  # fmt: skip
        self.out.steps.append(step)
        if same is not None:
            self.out.equalities[step.id] = same

    def laid(self, f: Form) -> Form:
        return f if self.rows else turned(f)

    # ---- ∂v/∂x

    def map(self, k: Link) -> None:
        v, x, home = k.equation.var, k.of, k.equation.var.attrs[0]
        needs = tuple(conditions(k.equation.value))
        whole = k.terms[0]
        for t in k.terms[1:]:
            whole = whole + t
        if k.tensor is None:
            return
        out, of = OUT[: v.order], OF[: x.order]
        claim = Claim("EQ", einsum(f"{out}{of},{of}->{out}", k.tensor, increment(x)), whole)
        if k.form is None:
            partial = Entries(_partial(v, x), out + of)
            self.add("entries", x, partial, Entries(k.tensor, out + of), ("J-INDEX",),
                     Why("no matrix: the array by its entries", f"why no matrix: {k.reason}"), claim, home, conditions=needs)  # fmt: skip
            return
        rules, why = _reason(k, whole)
        right = self.laid(k.form)
        self.out.known[k.name] = right
        self.add("jacobian", x, k.name, right, rules, why, claim, home, Equality("map", k, right), needs)
        if _has_kron(k.form) and not k.crossed:
            stacked = rows_first(k.form)
            self.add("rows", x, rows_first(column(increment(v))), product(stacked, rows_first(column(increment(x)))),
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
        before = _pairing_sum([inner(g, t) for k, g in pairs for t in k.terms])
        whole = [k.tensor for k, _ in pairs]
        if not start and all(t is not None for t in whole):
            self.add("chain", x, total, _sum(names), ("J-CHAIN", *fan), _chain_why(x, used, self.rows),
                     self.chain_claim(x, pairs), home)  # fmt: skip
        value = _transposed(b.value) if crossed else b.value
        result = Claim("EQ", before, inner(b.value, increment(x)))
        if all(k.form is not None for k in used):
            # a product of Jacobians; in numerator layout a row that is transposed at the end
            put = _sum([self.put(k, g) for k, g in pairs])
            contracted = _pairing_sum([inner(contraction(k, g), increment(x)) for k, g in pairs])
            if not start:
                self.add("put", x, total, put, ("SUBST",), Why("put in"), Claim("EQ", before, contracted), home,
                         Equality("equal", _sum(names), put))  # fmt: skip
            back = put
            target = Leaf(gradient(x)) if x.order < 2 else _named_column(gradient(x), crossed)
            if self.rows:
                back = turned(put)
                self.add("turn", x, target, back, ("J-T",), _turn_why(x), Claim("EQ", contracted, result.right), home,
                         Equality("turned", put, back))  # fmt: skip
            self.add("value", x, target, column(value), _value_rules(back, value), _value_why(back), result, home,
                     Equality("equal", back, column(value)))  # fmt: skip
        rule = ("V-VEC",) if all(k.form is not None for k in used) else ("J-INDEX",)
        why = Why("what is stacked, unstacked" if rule == ("V-VEC",) else "the index sum in matrix notation")
        if not self.rows and x.order < 2 and rule == ("V-VEC",):
            rule, why = ("J-T",), Why("in this layout the derivative is the column ∇ itself: nothing is left to transpose")
        self.add("result", x, gradient(x), b.value, rule, why, result, home)

    def link_of(self, k: Link, g: Expr) -> Form:
        if g is ONE:
            return k.name
        outer_name = Named(self.objective, k.equation.var)
        self.out.known[outer_name] = row(g) if self.rows else column(g)
        return Product((outer_name, k.name) if self.rows else (k.name, outer_name))

    def put(self, k: Link, g: Expr) -> Form:
        assert k.form is not None
        if g is ONE:
            return self.laid(k.form)
        return product(row(g), k.form) if self.rows else product(turned(k.form), column(g))

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
            out, of = OUT[: v.order], OF[: x.order]
            left.append(einsum(f"{out},{out}{of}->{of}", g, partial))
            right += [inner(g, t) for t in k.terms]
        paired = inner(_pairing_sum(left), increment(x))
        return Claim("EQ", paired, _pairing_sum(right), where)


def contraction(k: Link, g: Expr) -> Expr:
    """Σ g ∂v/∂x over the axes of v: what this use of x contributes to ∇x."""
    out, of = OUT[: k.equation.var.order], OF[: k.of.order]
    assert k.tensor is not None
    return einsum(f"{out},{out}{of}->{of}", g, k.tensor) if g is not ONE else _as_einsum(out, of, k.tensor)


def _partial(v: Expr, x: Expr) -> Expr:
    return var(f"∂{v.attrs[0]}/∂{x.attrs[0]}", v.shape + x.shape, "partial")


def _as_einsum(out: str, of: str, tensor: Expr) -> Expr:
    return einsum(f"{out}{of}->{of}", tensor) if out + of != of else tensor


def _pairing_sum(parts: list[Expr]) -> Expr:
    total = parts[0]
    for p in parts[1:]:
        total = total + p
    return total


def _transposed(e: Expr) -> Expr:
    [found] = [turned(Leaf(e))]
    assert isinstance(found, Leaf)
    return found.expr


def _named_column(g: Expr, crossed: bool) -> Form:
    return column(g.T if crossed else g)


def _sum(parts: list[Form]) -> Form:
    return parts[0] if len(parts) == 1 else Sum(tuple((1, p) for p in parts))


def _has_kron(f: Form) -> bool:
    inside = f.factors if isinstance(f, Product) else tuple(p for _, p in f.parts) if isinstance(f, Sum) else (f,)
    flat = [y for x in inside for y in (x.factors if isinstance(x, Product) else (x,))]
    return any(isinstance(getattr(x, "of", x) if not isinstance(x, Named) else x, Kron) or isinstance(x, Kron) for x in flat)


def _is_diagonal(f: Form) -> bool:
    return isinstance(f, Diag) or (isinstance(f, Leaf) and f.expr.op is diag)


# ---- reasons ---------------------------------------------------------------------------------------------


def _ways(q: Expr, x: Expr) -> tuple[bool, bool]:
    """(whether q is linear in x, whether every function between them acts entry by entry)."""
    live: set[Expr] = set()
    linear = entrywise = True
    for e in postorder(q):
        held = sum(a in live for a in e.args)
        if e is x or held:
            live.add(e)
        if held and e.op.linear is None:
            linear, entrywise = False, entrywise and e.op.entrywise
        if held > 1 and e.op.linear == "each":
            linear = False
    return linear, entrywise


def _reason(k: Link, whole: Expr) -> tuple[tuple[str, ...], Why]:
    v, x = k.equation.var, k.of
    linear, entrywise = _ways(k.equation.value, x)
    assert k.form is not None
    bind = {"d": increment(v), "t": whole, "dx": increment(x), "x": x, "v": v}
    many = bool(v.order > 1 or x.order > 1)
    more = ("J-KRON",) if _has_kron(k.form) else ()
    stacked = "; with columns stacked, vec(A X B) = (Bᵀ ⊗ A) vec(X)" if more else ""
    proof = ""
    if more:
        proof = "column k of A X B is Σⱼ Bⱼₖ times column j of A X: block (k, j) of the matrix is Bⱼₖ A"
    if not linear and entrywise and _is_diagonal(k.form):
        name, other = v.attrs[0], x.attrs[0]
        says = f"entry by entry: an entry of {name} depends on the same entry of {other} alone, so all entries off the diagonal are 0"
        if v.order == 1:
            says = f"entry by entry: ∂{name}_i/∂{other}_k = 0 for i ≠ k"
        slope = "the diagonal holds the slopes, one for each entry: a matrix, not the vector of the slopes"
        return ("J-MAP", *more), Why(says, slope, proof, bind)
    if linear:
        says = f"{v.attrs[0]} is linear in {x.attrs[0]}: its part in $d is $t{stacked}"
        return ("J-LIN", *more), Why(says, "what is linear in the part that moves is its own derivative", proof, bind)
    lead = "with the entries stacked, " if many and not more else ""
    says = f"the part of $d that is linear in $dx is $t: {lead}the matrix in front of $dx{stacked}"
    return ("J-DIFF", *more), Why(says, "dv = J dx for every dx: only one matrix does that", proof, bind)


def _chain_why(x: Expr, used: list[Link], rows: bool) -> Why:
    name = x.attrs[0]
    through = ", ".join(dict.fromkeys(k.equation.var.attrs[0] for k in used[:4])) + (", …" if len(used) > 4 else "")
    order = "rows are multiplied from the left" if rows else "in this layout the later Jacobian stands on the right"
    if len(used) > 1:
        return Why(f"{name} reaches the target through {through}: the products are added", order)
    return Why(f"{name} reaches the target through {through}", order)


def _turn_why(x: Expr) -> Why:
    stacked = f"vec(∇{x.attrs[0]})" if x.order > 1 else f"∇{x.attrs[0]}"
    return Why(f"the gradient is the row, transposed: {stacked}", "(A B)ᵀ = Bᵀ Aᵀ, and (A ⊗ B)ᵀ = Aᵀ ⊗ Bᵀ",
               "dE = ∂E/∂x dx is one number, and a row times a column is the pairing of the transposed row with the column")  # fmt: skip


def _value_rules(back: Form, value: Expr) -> tuple[str, ...]:
    found: list[str] = []
    parts = [p for _, p in back.parts] if isinstance(back, Sum) else [back]
    factors = [y for p in parts for y in (p.factors if isinstance(p, Product) else (p,))]
    if any(isinstance(f, Kron) for f in factors) or extent(back)[0][1:]:
        found.append("J-KRON")
    if any(_is_diagonal(f) for f in factors):
        found.append("J-DIAG")
    return tuple(found) or ("S-SAME",)


def _value_why(back: Form) -> Why:
    rules = _value_rules(back, ONE)
    says = [{"J-KRON": "(Bᵀ ⊗ A) vec(X) = vec(A X B)", "J-DIAG": "diag(u) v = u ⊙ v"}[r] for r in rules if r != "S-SAME"]
    return Why("; ".join(says) or "the same, written shorter")


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
