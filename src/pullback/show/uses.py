"""Where a name enters the program: its neighbours in the index sum of a forward equation (theory.md §7.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..algebra.expr import Expr, postorder
from ..algebra.indexed import letters_of
from ..algebra.network import Factor, Term
from ..algebra.ops.free import gradient, is_var
from ..calculus.core import Equation
from ..calculus.derivation import Derivation
from ..calculus.roles import Bind, Entry, Letters, Product, index_terms, ordinal
from ..step import Said

__all__ = ["used_where", "users"]

SHOWN = 4  # uses of one name that are explained one by one


def users(d: Derivation) -> dict[Expr, list[Equation]]:
    """The forward equations in which each name occurs."""
    found: dict[Expr, list[Equation]] = {}
    for q in d.core.equations:
        for x in postorder(q.value):
            if is_var(x):
                found.setdefault(x, []).append(q)
    return found


def used_where(d: Derivation, v: Expr, equations: Sequence[Equation], letters: Letters, objective: str) -> list[Said]:
    """One sentence for each place where `v` enters a forward equation: the neighbours of the removed node."""
    uses: list[tuple[Expr, Term, Factor]] = []
    for q in equations:
        if v not in set(postorder(q.value)) or q.var is v:
            continue
        terms = index_terms(q.value)
        if terms is None:
            return [Said(f"$v enters {objective} through $q", {"v": v, "q": q.var})]
        for t in terms:
            for f in t.factors:
                if v in set(postorder(f.atom)):
                    uses.append((q.var, t, f))
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
    only = "only " if count == 1 else ""
    for to, t, f in uses[:SHOWN]:
        said.append(_use(v, to, t, f, letters, objective, only, to is d.target and not to.order))
    if len(uses) > SHOWN:
        said.append(Said(f"and {len(uses) - SHOWN} more uses, each adding its term"))
    return said


def _use(v: Expr, q: Expr, t: Term, f: Factor, letters: Letters, E: str, only: str, last: bool) -> Said:
    b = Bind()
    names: dict[int, str] = {}
    for i in (*f.legs, *t.outs, *t.dims):
        if i not in names:
            names[i] = letters.fresh(t.dims[i], names.values())
    through = b.put(Entry(q, tuple(names[i] for i in t.outs)))
    me = Entry(f.atom, tuple(names[i] for i in f.legs), 1)
    if f.atom is not v:
        if f.atom.op.entrywise and not f.legs:
            return b.said(f"{b.put(v)} is a number, and reaches {E} {only}through {b.put(f.atom)}")
        if f.atom.op.entrywise:
            mine = b.put(Entry(v, me.legs))
            way = through if len(t.factors) == 1 and set(t.outs) == set(f.legs) else b.put(me)
            return b.said(
                f"the function acts entry by entry: {mine} reaches {E} {only}through {way}; "
                "no other index is involved, so nothing is summed"
            )
        return b.said(
            f"every entry of {b.put(v)} is an argument of {b.put(f.atom)}: "
            f"what it does to {E} per unit is its partial derivative"
        )
    others = [g for g in t.factors if g is not f]
    beside = [Entry(g.atom, tuple(names[i] for i in g.legs), g.power) for g in others]
    coef = t.coef
    if f.power != 1:
        coef *= f.power
        beside.insert(0, Entry(v, me.legs, f.power - 1))
    sizes = tuple(sorted(t.sizes.items(), key=str))
    inner = tuple(names[i] for i in t.dims if i not in t.outs and i not in f.legs)
    free = tuple(names[i] for i in t.outs if i not in f.legs)
    factor = Product(coef, sizes, inner, tuple(beside))
    plain = not beside and coef == 1 and not sizes and not inner
    back = () if last else (Entry(gradient(q), tuple(names[i] for i in t.outs)),)
    effect = b.put(Product(coef, sizes, (*free, *inner), (*back, *beside)))
    mine = b.put(me)
    per = f"; so {E} changes by {effect} per unit of {mine}"
    if last:
        if f.power != 1:
            whole = b.put(
                Product(
                    t.coef,
                    sizes,
                    (*inner, *(names[i] for i in f.legs if i not in t.outs)),
                    (*beside[1:], Entry(v, me.legs, f.power)),
                )
            )
            return b.said(f"{mine} enters {E} in {whole}{per}")
        return b.said(f"{mine} enters {E} {only}" + ("as it is" if plain else f"multiplied by {b.put(factor)}") + per)
    times = "" if plain or f.power != 1 else f", multiplied by {b.put(factor)}"
    if not beside and coef == -1 and not sizes and not inner:
        times = ", with a minus sign"
    raised = b.put(Entry(v, me.legs, f.power)) if f.power != 1 else mine
    if free:
        alls = ", ".join(free)
        return b.said(
            f"{raised} enters {E} {only}through {through}, once for every {alls}{times}; "
            f"so its effects add: {effect}" + _forth_and_back(b, t, f, others, names)
        )
    return b.said(f"{raised} enters {E} {only}through {through}{times}{per}")


def _forth_and_back(b: Bind, t: Term, f: Factor, others: Sequence[Factor], names: Mapping[int, str]) -> str:
    """Over which axis a matrix beside `f` is summed forward, and over which backward."""
    for g in others:
        if len(g.legs) == 2 and g.legs[0] != g.legs[1]:
            forth = [k for k in (0, 1) if g.legs[k] not in t.outs and g.legs[k] in f.legs]
            back = [k for k in (0, 1) if g.legs[k] in t.outs and g.legs[k] not in f.legs]
            if forth and back:
                k, j = forth[0], back[0]
                return (
                    f". Forward, {b.put(g.atom)} is summed over its {ordinal(k)} axis {names[g.legs[k]]}; "
                    f"back, over its {ordinal(j)} axis {names[g.legs[j]]}"
                )
    return ""
