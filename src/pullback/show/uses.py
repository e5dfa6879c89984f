"""Where a name enters the program: its neighbours in the index sum of a forward equation (theory.md §7.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.indexed import family_of, letters_of
from ..algebra.network import Factor, Term
from ..algebra.ops.free import gradient, increment, is_var
from ..algebra.ops.structure import slice_of, take
from ..calculus.core import Equation
from ..calculus.derivation import Derivation
from ..calculus.eliminated import value_at
from ..calculus.lemma import differentiate
from ..calculus.products import product_of
from ..calculus.recurrence import Recurrence
from ..calculus.roles import Bind, Entry, Letters, Product, index_terms, ordinal
from ..step import Said

__all__ = ["mentioned", "own_names_in", "used_where", "users"]

SHOWN = 4  # uses of one name that are explained one by one


def users(d: Derivation) -> dict[Expr, list[Equation]]:
    """The forward equations in which each name occurs."""
    found: dict[Expr, list[Equation]] = {}
    for q in d.core.equations:
        for x in postorder(q.value):
            if is_var(x):
                found.setdefault(x, []).append(q)
    return found


def own_names_in(d: Derivation) -> set[Expr]:
    """Our own names of forward values that the results are written with, directly or through each other."""
    own = {q.var: q.value for q in d.core.equations if q.auxiliary}
    spoken = mentioned(d)
    found: set[Expr] = set()
    waiting = [b.closed for b in d.backward if not b.auxiliary or family_of(b.of.attrs[0]) in spoken]
    while waiting:
        for x in postorder(waiting.pop()):
            if x in own and x not in found:
                found.add(x)
                waiting.append(own[x])
    return found


def used_where(d: Derivation, v: Expr, equations: Sequence[Equation], letters: Letters, objective: str) -> list[Said]:
    """One sentence for each place where `v` enters a forward equation: the neighbours of the removed node."""
    uses: list[tuple[Equation, Term, Factor]] = []
    for q in equations:
        if v not in set(postorder(q.value)) or q.var is v:
            continue
        terms = index_terms(q.value, split=lambda e: v in set(postorder(e)), cut=False)
        if terms is None:
            return [Said(f"$v enters {objective} through $q", {"v": v, "q": q.var})]
        for t in terms:
            uses += [(q, t, f) for f in t.factors if v in set(postorder(f.atom))]
    if not uses:
        return []
    said = []
    count = len(uses)
    if count > 1:
        said.append(Said(f"$v enters {objective} in several places ⇒ their effects are added", {"v": v}))
    letters_of_uses = dict.fromkeys(str(r) for q in equations for r in q.ranges if r.letter not in letters_of(v))
    if letters_of_uses:
        said.append(
            Said(
                f"$v is the same for every {', '.join(letters_of_uses)} ⇒ what it does for each of them is added",
                {"v": v},
            )
        )
    # our own gradients that no shown equation speaks of are written out
    closed = {b.of: b.closed for b in d.backward if b.auxiliary}
    if isinstance(d, Recurrence):  # those of a member at the end of a range
        mine = {q.var: value_at(d, gradient(q.var), q.ranges) for q in equations if q.auxiliary}
        closed |= {x: g for x, g in mine.items() if g is not None}
    for q, t, f in uses[:SHOWN]:
        last = q.var is d.target and not q.var.order and d.seed is None
        said.append(_Use(v, q, t, f, letters, objective, "only " if count == 1 else "", last, closed).said())
    if len(uses) > SHOWN:
        said.append(Said(f"and {len(uses) - SHOWN} more uses, each adding its term"))
    return said


@dataclass
class _Use:
    """One occurrence of `v`: the factor `f` of the term `t` of the equation `q`."""

    v: Expr
    q: Equation
    t: Term
    f: Factor
    letters: Letters
    E: str
    only: str
    last: bool  # the equation is E itself
    closed: Mapping[Expr, Expr]

    def __post_init__(self) -> None:
        self.b = Bind()
        self.names: dict[int, str] = {}
        for i in (*self.f.legs, *self.t.outs, *self.t.dims):
            if i not in self.names:
                self.names[i] = self.letters.fresh(self.t.dims[i], self.names.values())
        self.others = [g for g in self.t.factors if g is not self.f]
        self.me = self.f.atom
        self.my_legs = self.f.legs
        self.out = self.q.var
        self.back_atom = gradient(self.out)
        self.out_legs = self.t.outs
        self.block = self._cut()

    def _cut(self) -> str:
        """Placements of blocks taken away: the entry is one of the block, in the name or in the equation. What the block is."""
        said: dict[str, None] = {}
        for g in list(self.others):
            if g.atom.op.places is None:
                continue
            i = g.legs[0]
            small = g.legs[1] if len(g.legs) > 1 else None
            if i in self.my_legs and i not in self.t.outs:
                whole, axis = self.me, self.my_legs.index(i)
                self.me = _block(whole, axis, g.atom)
                self.my_legs = _other(self.my_legs, axis, small)
                said[f"of {self.b.put(whole)} only the block {self.b.put(self.me)} enters here"] = None
            elif i in self.out_legs and i not in self.my_legs:
                axis = self.out_legs.index(i)
                self.out = _block(self.out, axis, g.atom)
                self.back_atom = _block(self.back_atom, axis, g.atom)
                self.out_legs = _other(self.out_legs, axis, small)
                said[f"{self.b.put(self.v)} goes into the block {self.b.put(self.out)}"] = None
            elif i not in self.out_legs and i not in self.my_legs and all(o.power == 1 for o in self.others):
                self.others = [
                    Factor(_block(o.atom, o.legs.index(i), g.atom), _other(o.legs, o.legs.index(i), small))
                    if o is not g and o.legs.count(i) == 1
                    else o
                    for o in self.others
                ]
            else:
                continue
            self.others.remove(g)
        return "; ".join(said) + ": " if said else ""

    # ---- what is printed

    def entry(self, atom: Expr, legs: Sequence[int], power: int = 1) -> Entry:
        return Entry(atom, tuple(self.names[i] for i in legs), power)

    def product(self, entries: Sequence[Entry], coef: Fraction, kept: Sequence[str],
                sizes: Sequence[tuple[Dim, int]] = ()) -> Product:  # fmt: skip
        """coef · sizes · Σ entries, summed over every letter that is not kept."""
        held = tuple(dict.fromkeys(c for x in entries for c in x.legs if c not in kept))
        powers = dict(self.t.sizes)
        for d, p in sizes:
            powers[d] = powers.get(d, 0) + p
        return Product(coef, tuple(sorted(((d, p) for d, p in powers.items() if p), key=str)), held, tuple(entries))

    def named(self, *legs: int) -> list[str]:
        return [self.names[i] for i in legs]

    def back(self) -> tuple[list[Entry], Fraction, tuple[tuple[Dim, int], ...]]:
        """What comes back from the equation: ∇q, or what it stands for if the name is ours; with a number and sizes."""
        if self.last:
            return [], Fraction(1), ()
        closed = self.closed.get(self.q.var) if self.out is self.q.var else None
        terms = index_terms(closed) if closed is not None else None
        if terms is not None and len(terms) == 1 and len(terms[0].factors) <= 3:
            [t] = terms
            names = dict(zip(t.outs, (self.names[i] for i in self.out_legs), strict=True))
            for i, d in t.dims.items():
                if i not in names:
                    names[i] = self.letters.fresh(d, [*self.names.values(), *names.values()])
            p = product_of(t, names)
            return list(p.entries), p.coef, p.sizes
        return [self.entry(self.back_atom, self.out_legs)], Fraction(1), ()

    def beside(self) -> list[Entry]:
        return [self.entry(g.atom, g.legs, g.power) for g in self.others]

    def through(self) -> str:
        return "" if self.last else f" {self.only}through {self.b.put(self.entry(self.out, self.out_legs))}"

    def effect(self, entries: Sequence[Entry], coef: Fraction) -> str:
        """What one unit of the entry does to E, as a sum over everything in between."""
        back, number, sizes = self.back()
        return self.b.put(self.product([*back, *entries], coef * number, self.named(*self.my_legs), sizes))

    # ---- the sentence

    def said(self) -> Said:
        return self.b.said(self.block + (self.factor() if self.f.atom is self.v else self.function()))

    def free(self) -> list[int]:
        """The axes of the equation that the entry does not have: it is used once for each of their values."""
        return [i for i in self.out_legs if i not in self.my_legs]

    def factor(self) -> str:
        """`v` itself is a factor."""
        b, power, free = self.b, self.f.power, self.free()
        mine = b.put(self.entry(self.me, self.my_legs))
        beside, coef = self.beside(), self.t.coef
        plain = not beside and coef == 1 and not self.t.sizes
        per = self.effect(
            [*([self.entry(self.me, self.my_legs, power - 1)] if power != 1 else []), *beside], coef * power
        )
        if power != 1:
            kept = self.my_legs if not self.last else ()
            whole = b.put(
                self.product(
                    [*beside, self.entry(self.me, self.my_legs, power)], coef, self.named(*kept, *self.out_legs)
                )
            )
            slope = b.put(self.product([self.entry(self.me, self.my_legs, power - 1), *beside], coef * power,
                                       self.named(*self.my_legs, *self.out_legs)))  # fmt: skip
            how = f"enters {self.E}{self.through()} as {whole}, whose slope is {slope}"
            return f"{mine} {how}; so {self.E} changes by {per} per unit of {mine}"
        factor = b.put(self.product(beside, coef, self.named(*self.my_legs, *self.out_legs)))
        minus = coef == -1 and not beside and not self.t.sizes
        times = "" if plain else " with a minus sign" if minus else f" multiplied by {factor}"
        if self.last:
            return (f"{mine} enters {self.E} {self.only}" + (times.strip() or "as it is")
                    + f"; so {self.E} changes by {per} per unit of {mine}")  # fmt: skip
        if free:
            alls = ", ".join(self.names[i] for i in free)
            return (f"{mine} enters {self.E}{self.through()}, once for every {alls}{',' * bool(times)}{times}; "
                    f"so its effects add: {per}" + self.forth_and_back())  # fmt: skip
        return f"{mine} enters {self.E}{self.through()}{',' * bool(times)}{times}; so {self.E} changes by {per} per unit of {mine}"

    def function(self) -> str:
        """`v` is an argument of a function."""
        b, atom, v = self.b, self.f.atom, self.v
        slope = _slope(atom, v, self.q)
        if slope is None or self.f.power != 1:
            return f"{b.put(v)} enters {self.E} {self.only}through {b.put(self.q.var)}"
        if atom.op.entrywise:
            mine = b.put(self.entry(v, self.f.legs))
            per = self.effect([self.entry(slope, self.f.legs), *self.beside()], self.t.coef)
            value = b.put(self.entry(atom, self.f.legs))
            acts = "" if not v.order else "the function acts entry by entry: "
            alone = ", and no other index is involved" if set(self.t.dims) == set(self.f.legs) and v.order else ""
            return (f"{acts}{mine} enters {self.E} {self.only}in {value}{alone}; so {self.E} changes by {per} per unit "
                    f"of {mine}" + (": nothing is summed" if alone else ""))  # fmt: skip
        fresh: list[str] = []
        for d in v.shape:
            fresh.append(self.letters.fresh(d, [*self.names.values(), *fresh]))
        legs = tuple(fresh)
        partial = Entry(slope, (*(self.names[i] for i in self.f.legs), *legs))
        mine = b.put(Entry(v, legs))
        back, number, sizes = self.back()
        per = b.put(self.product([*back, partial, *self.beside()], self.t.coef * number, legs, sizes))
        every = f"every entry of {b.put(v)} is" if v.order else f"{b.put(v)} is"
        return (f"{every} an argument of {b.put(atom)}, with the partial derivative {b.put(partial)}; "
                f"so {self.E} changes by {per} per unit of {mine}")  # fmt: skip

    def forth_and_back(self) -> str:
        """Over which axis a matrix beside `v` is summed forward, and over which backward."""
        for g in self.others:
            if len(g.legs) == 2 and g.legs[0] != g.legs[1]:
                forth = [k for k in (0, 1) if g.legs[k] not in self.out_legs and g.legs[k] in self.my_legs]
                back = [k for k in (0, 1) if g.legs[k] in self.out_legs and g.legs[k] not in self.my_legs]
                if forth and back:
                    k, j = forth[0], back[0]
                    return (f". Forward, {self.b.put(g.atom)} is summed over its {ordinal(k)} axis {self.names[g.legs[k]]}; "
                            f"back, over its {ordinal(j)} axis {self.names[g.legs[j]]}")  # fmt: skip
        return ""


def _other(legs: Sequence[int], axis: int, small: int | None) -> tuple[int, ...]:
    return (*legs[:axis], *((small,) if small is not None else ()), *legs[axis + 1 :])


def _block(whole: Expr, axis: int, placement: Expr) -> Expr:
    """The entries of `whole` that the placement puts in or takes out."""
    start, width = placement.op.places(placement)
    return slice_of(whole, axis, start, width) if placement.order > 1 else take(whole, axis=axis, start=start)


def _slope(atom: Expr, v: Expr, q: Equation) -> Expr | None:
    """The factor of dv in the differential of a function of `v`; None if `v` is no argument of it."""
    if atom.args.count(v) != 1 or atom.op.linear:
        return None
    increments = [increment(v) if a is v else None for a in atom.args]
    terms = differentiate(atom, increments)
    if len(terms) != 1:
        return None
    [term] = terms
    minus = term.op.linear == "joint" and len(term.args) == 1  # −(slope · dv)
    inner = term.args[0] if minus else term
    if inner.op.linear != "each" or len(inner.args) != 2 or inner.args[1] is not increment(v):
        return None
    slope = inner.args[0]
    if any(is_var(x, "d") for x in postorder(slope)):
        return None
    if slope.shape != (atom.shape if atom.op.entrywise else atom.shape + v.shape):
        return None
    found = -slope if minus else slope
    return q.named(found)


def mentioned(d: Derivation) -> set[str]:
    """The names whose gradients the results speak of, and those that these speak of."""
    closed = {family_of(b.of.attrs[0]): b.closed for b in d.backward}
    waiting, found = [b.closed for b in d.backward if not b.auxiliary], set[str]()
    while waiting:
        new = {family_of(x.attrs[0]) for x in postorder(waiting.pop()) if is_var(x, "grad")} - found
        found |= new
        waiting += [closed[f] for f in new if f in closed]
    return found
