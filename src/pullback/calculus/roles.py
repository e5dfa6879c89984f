"""Why a backward equation has the form it has: for each axis, where it occurs and whether it stays open.

Everything here is read off index networks (theory.md §0, §7.3). Sentences carry `$name` for what is printed later:
an expression, an entry `∇z_i`, or a sum of products of entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.lift import NotLiftable, lift
from ..algebra.network import Factor, Term, TooLarge, network
from ..algebra.ops.free import gradient
from ..algebra.ops.matrix import eye
from .derivation import Derivation

__all__ = [
    "Axis",
    "Entry",
    "Letters",
    "Product",
    "Roles",
    "Said",
    "TermRoles",
    "index_terms",
    "products",
    "roles",
    "used_where",
]

_POOL = "ijklpqrstuvwyhgcdoxabefmnz"
_HEAVY = 80  # nodes above which an expression is not expanded for an explanation
_SHOWN = 4  # terms or uses of one name that are explained one by one


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tensor: `atom` at the indices `legs`, to a power."""

    atom: Expr
    legs: tuple[str, ...]
    power: int = 1


@dataclass(frozen=True, slots=True)
class Product:
    """coef · Π sizes · Σ_summed Π entries."""

    coef: Fraction
    sizes: tuple[tuple[Dim, int], ...]
    summed: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence with places to fill."""

    template: str
    bind: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Axis:
    """One index of one term: the axes of the factors in which it occurs (numbered from 1), and its role."""

    letter: str
    size: str
    places: tuple[tuple[int, ...], ...]  # for each factor of the term
    open_at: tuple[int, ...]  # axes of the result
    role: str
    meaning: str


@dataclass(frozen=True, slots=True)
class TermRoles:
    product: Product
    factors: tuple[Entry, ...]
    axes: tuple[Axis, ...]
    conclusion: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """The explanation of ∇(of) = value."""

    of: Expr
    value: Expr
    legs: tuple[str, ...]
    terms: tuple[TermRoles, ...]
    left_out: int
    order: tuple[Said, ...]
    used: tuple[Said, ...]


class Letters:
    """Which letter an index is printed with: one for each size, the axes of matrices first."""

    def __init__(self, variables: Iterable[Expr]) -> None:
        known = list(variables)
        taken = {v.attrs[0] for v in known} | {s for v in known for d in v.shape for s in d.symbols()}
        self.pool = [c for c in _POOL if c not in taken] + [f"i{k}" for k in range(1, 60)]
        self.preferred: dict[Dim, str] = {}
        for v in sorted(known, key=lambda v: v.order < 2):
            for d in v.shape:
                if d not in self.preferred and len(self.preferred) < len(self.pool):
                    self.preferred[d] = self.pool[len(self.preferred)]

    def fresh(self, dim: Dim, used: Iterable[str]) -> str:
        wanted = self.preferred.get(dim)
        busy = set(used)
        if wanted is not None and wanted not in busy:
            return wanted
        others = set(self.preferred.values())
        free = [c for c in self.pool if c not in busy]
        return next((c for c in free if c not in others), free[0] if free else "i0")

    def outs(self, dims: Sequence[Dim]) -> tuple[str, ...]:
        found: list[str] = []
        for d in dims:
            found.append(self.fresh(d, found))
        return tuple(found)

    def of(self, t: Term, outs: Sequence[str]) -> dict[int, str]:
        """A letter for every index of the term, the open ones given."""
        names = dict(zip(t.outs, outs, strict=True))
        for i, d in t.dims.items():
            if i not in names:
                names[i] = self.fresh(d, names.values())
        return names


def index_terms(e: Expr) -> list[Term] | None:
    """The index sums of `e`, None if they are too many to be read."""
    if sum(1 for _ in postorder(e)) > _HEAVY:
        return None
    try:
        return network(e).terms
    except TooLarge:
        return None


def _product(t: Term, names: Mapping[int, str], extra: tuple[Entry, ...] = ()) -> Product:
    ordered = sorted(t.factors, key=lambda f: bool(f.legs))  # numbers in front
    found = tuple(Entry(f.atom, tuple(names[i] for i in f.legs), f.power) for f in ordered)
    summed = tuple(names[i] for i in t.dims if i not in t.outs)
    return Product(t.coef, tuple(sorted(t.sizes.items(), key=str)), summed, (*extra, *found))


def products(e: Expr, letters: Letters, outs: Sequence[str] | None = None) -> list[Product] | None:
    """`e` as a sum of products of entries, or None if that is too long to be read."""
    terms = index_terms(e)
    if terms is None:
        return None
    legs = tuple(outs) if outs is not None else letters.outs(e.shape)
    return [_product(t, letters.of(t, legs)) for t in terms]


# ---- roles -----------------------------------------------------------------------------------------------


def _is_placement(e: Expr) -> bool:
    return e.op.entry is not None and e.order > 0


def _ordinal(k: int) -> str:
    return ("first", "second", "third", "fourth")[k] if k < 4 else f"{k + 1}th"


def _axis(t: Term, i: int, letter: str, of: Expr) -> Axis:
    places = tuple(tuple(k + 1 for k, x in enumerate(f.legs) if x == i) for f in t.factors)
    open_at = tuple(k + 1 for k, x in enumerate(t.outs) if x == i)
    held = [f for f, p in zip(t.factors, places, strict=True) if p]
    if open_at and any(f.atom.op is eye for f in held):
        role, meaning = "diagonal", "only entries with equal indices are not zero"
    elif any(_is_placement(f.atom) for f in held):
        role, meaning = "placement", "entries are moved to their place in a block"
    elif len(held) > 1 and open_at:
        role, meaning = "⊙", "shared and kept: entries with the same index are multiplied, nothing is summed"
    elif len(held) > 1:
        vectors = len(held) == 2 and all(len(f.legs) == 1 for f in held)
        role = "inner product" if vectors else "matrix product"
        if len(held) > 2 or any(len(f.legs) > 2 for f in held):
            role = "index sum"
        meaning = "shared and not kept: summed"
    elif held and open_at:
        role, meaning = "free leg", f"kept: the {_ordinal(open_at[0] - 1)} axis of the result"
    elif held:
        twice = any(len(p) > 1 for p in places)
        role, meaning = (
            ("trace", "the diagonal is summed")
            if twice
            else ("sum", "in one factor only and not kept: summed (times 1)")
        )
    else:
        role, meaning = "broadcast", "in no factor, but an axis of the result: the same number all along it"
    return Axis(letter, str(t.dims[i]), places, open_at, role, meaning)


class _Bind:
    """Fills a sentence: `put(x)` gives the `$name` that stands for x."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def put(self, value: Any) -> str:
        for name, old in self.values.items():
            if old is value:
                return f"${name}"
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def list(self, values: Sequence[Any]) -> str:
        shown = [self.put(v) for v in values]
        return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]

    def said(self, template: str) -> Said:
        return Said(template, self.values)


def _atom(f: Factor) -> Expr:
    return f.atom if f.power == 1 else f.atom**f.power


def _conclusion(t: Term, names: Mapping[int, str], axes: Sequence[Axis], value: Expr) -> Iterator[Said]:
    """What the table says, in words; one sentence per kind of axis."""
    tensors = [f for f in t.factors if f.legs and not _is_placement(f.atom)]
    shown = {id(f): _atom(f) for f in tensors}
    where = {
        a.letter: [f for f, p in zip(t.factors, a.places, strict=True) if p and id(f) in shown] for a in axes
    }
    kinds = {a.role for a in axes}
    if not axes:
        b = _Bind()
        if len(t.factors) > 1:
            yield b.said(
                f"no axis at all: {b.list([_atom(f) for f in t.factors])} are numbers, and are multiplied"
            )
        return
    if len(tensors) == 1 and kinds == {"free leg"}:
        [f] = tensors
        b = _Bind()
        straight = tuple(f.legs) == t.outs
        yield b.said(f"{b.put(shown[id(f)])} is the only factor with axes, and every axis is kept ⇒ "
                     + ("nothing to sum, nothing to match: it stands as it is" if straight
                        else "nothing to sum; the axes stand in another order: a transpose"))  # fmt: skip
        return
    if len(tensors) > 1 and kinds == {"free leg"}:
        b = _Bind()
        legs = ", ".join(names[i] for i in t.outs)
        pair = "pair" if len(t.outs) == 2 else "choice"
        every = Product(
            t.coef, (), (), tuple(Entry(f.atom, tuple(names[i] for i in f.legs), f.power) for f in t.factors)
        )
        yield b.said(f"no axis is shared by {b.list([shown[id(f)] for f in tensors])} ⇒ nothing to sum, nothing to match: "
                     f"every {pair} ({legs}) gets {b.put(every)} ⇒ outer product")  # fmt: skip
        return
    matched: dict[tuple[Expr, ...], list[str]] = {}
    for a in axes:
        if a.role == "⊙":
            matched.setdefault(tuple(shown[id(f)] for f in where[a.letter]), []).append(a.letter)
    for held_by, letters in matched.items():
        b = _Bind()
        many = (
            f"{letters[0]} is an axis"
            if len(letters) == 1
            else f"{', '.join(letters[:-1])} and {letters[-1]} are axes"
        )
        yield b.said(f"{many} of {b.list(held_by)}, and of the result ⇒ matched, not summed: ⊙")
    for a in axes:
        b = _Bind()
        held = [shown[id(f)] for f in where[a.letter]]
        i = a.letter
        if a.role in ("matrix product", "inner product", "index sum"):
            yield b.said(f"{i} is shared by {b.list(held)} and is no axis of the result ⇒ summed: {a.role}"
                         + _transposes(b, t, where[i], a, value))  # fmt: skip
        elif a.role == "sum" and held:
            yield b.said(
                f"{i} is an axis of {b.list(held)} only, and no axis of the result ⇒ summed over all {i}"
            )
        elif a.role == "trace" and held:
            yield b.said(f"{i} is both axes of {b.list(held)} ⇒ its diagonal is summed")
        elif a.role == "broadcast":
            yield b.said(
                f"{i} is an axis of the result, but of no factor ⇒ the same number for every {i}: broadcast"
            )
        elif a.role == "diagonal":
            yield b.said("the axes of the result are tied ⇒ a diagonal matrix")
            return
    for d, p in sorted(t.sizes.items(), key=str):
        if p > 0:
            yield Said(f"an axis of size {d} is summed over but occurs in no factor ⇒ a factor {d}")


def _transposes(b: _Bind, t: Term, held: Sequence[Factor], a: Axis, value: Expr) -> str:
    """Over which axis a matrix is summed, and that this is what a transpose stands for."""
    written = set(postorder(value))
    parts = []
    for f in held:
        if len(f.legs) != 2 or f.power != 1:
            continue
        k = next(k for k, p in zip(range(2), (1, 2), strict=True) if p in a.places[t.factors.index(f)])
        M, turned = f.atom, f.atom.T
        at = t.outs.index(f.legs[1 - k]) if f.legs[1 - k] in t.outs else -1
        if turned in written and k == 0 and at < 1:
            parts.append(f"{b.put(M)} is summed over its first axis, which is written {b.put(turned)}")
        elif turned in written and k == 1 and at == 1:
            parts.append(
                f"{b.put(M)} is summed over its second axis and stands on the right, which is written {b.put(turned)}"
            )
    return "; " + "; ".join(parts) if parts else ""


def _turned(of: Expr, value: Expr, terms: Sequence[Term], legs: Sequence[str]) -> Iterator[Said]:
    """The order of the factors: which axis comes first is the convention of the name, not a choice."""
    if of.order != 2 or not terms:
        return
    first, second = terms[0].outs
    left = [f for f in terms[0].factors if first in f.legs and second not in f.legs]
    right = [f for f in terms[0].factors if second in f.legs and first not in f.legs]
    if not left or not right or any(first in f.legs and second in f.legs for f in terms[0].factors):
        return
    try:
        other = lift(value.T).expr
    except (NotLiftable, TooLarge):
        return
    if other is value:
        return
    b = _Bind()
    name = b.put(of)
    yield b.said(f"order: {legs[0]} comes first because the first axis of {name} is {legs[0]}. {b.put(other)} would have rows "
                 f"{legs[1]}: it is the gradient of {b.put(of.T)}")  # fmt: skip


def roles(of: Expr, value: Expr, letters: Letters, used: Sequence[Said] = ()) -> Roles | None:
    """The role table of ∇(of) = value, or None if the network is too large to be read."""
    terms = index_terms(value)
    if terms is None:
        return None
    legs = letters.outs(of.shape)
    found = []
    for t in terms[:_SHOWN]:
        names = letters.of(t, legs)
        order = [*dict.fromkeys([*t.outs, *t.dims])]
        axes = tuple(_axis(t, i, names[i], of) for i in order)
        factors = tuple(Entry(f.atom, tuple(names[i] for i in f.legs), f.power) for f in t.factors)
        found.append(TermRoles(_product(t, names), factors, axes, tuple(_conclusion(t, names, axes, value))))
    return Roles(
        of,
        value,
        legs,
        tuple(found),
        max(0, len(terms) - _SHOWN),
        tuple(_turned(of, value, terms, legs)),
        tuple(used),
    )


# ---- where a name is used ----------------------------------------------------------------------------------


def used_where(d: Derivation, v: Expr, letters: Letters, objective: str) -> list[Said]:
    """One sentence for each place where `v` enters a forward equation: its neighbours when the node is removed."""
    uses: list[tuple[Expr, Term, Factor]] = []
    for q in d.core.equations:
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
        said.append(Said(f"$v is used {count} times ⇒ {count} terms are added", {"v": v}))
    only = "only " if count == 1 else ""
    for to, t, f in uses[:_SHOWN]:
        said.append(_use(v, to, t, f, letters, objective, only, to is d.target and not to.order))
    if len(uses) > _SHOWN:
        said.append(Said(f"and {len(uses) - _SHOWN} more uses, each adding its term"))
    return said


def _use(v: Expr, q: Expr, t: Term, f: Factor, letters: Letters, E: str, only: str, last: bool) -> Said:
    b = _Bind()
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
            return b.said(f"the function acts entry by entry: {mine} reaches {E} {only}through {way}; no other index is "
                          "involved, so nothing is summed")  # fmt: skip
        return b.said(f"every entry of {b.put(v)} is an argument of {b.put(f.atom)}: what it does to {E} per unit is its "
                      "partial derivative")  # fmt: skip
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
        return b.said(
            f"{mine} enters {E} {only}" + ("as it is" if plain else f"multiplied by {b.put(factor)}") + per
        )
    times = "" if plain or f.power != 1 else f", multiplied by {b.put(factor)}"
    if not beside and coef == -1 and not sizes and not inner:
        times = ", with a minus sign"
    power = f" to the power {f.power}" if f.power != 1 else ""
    if free:
        alls = ", ".join(free)
        return b.said(f"{mine} enters {E} {only}through {through}{power}, once for every {alls}{times}; so its effects add: {effect}"
                      + _forth_and_back(b, t, f, others, names))  # fmt: skip
    return b.said(f"{mine} enters {E} {only}through {through}{power}{times}{per}")


def _forth_and_back(b: _Bind, t: Term, f: Factor, others: Sequence[Factor], names: Mapping[int, str]) -> str:
    """Over which axis a matrix beside `f` is summed in the forward equation, and over which in the backward one."""
    for g in others:
        if len(g.legs) == 2 and g.legs[0] != g.legs[1]:
            forth = [k for k in (0, 1) if g.legs[k] not in t.outs and g.legs[k] in f.legs]
            back = [k for k in (0, 1) if g.legs[k] in t.outs and g.legs[k] not in f.legs]
            if forth and back:
                k, j = forth[0], back[0]
                return (f". Forward, {b.put(g.atom)} is summed over its {_ordinal(k)} axis {names[g.legs[k]]}; back, over its "
                        f"{_ordinal(j)} axis {names[g.legs[j]]}")  # fmt: skip
    return ""
