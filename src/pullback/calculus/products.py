"""An expression as a sum of products of entries, with the letters that it is printed with; and read back from them (I-EXPAND)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.indexed import letters_of
from ..algebra.lift import cut_blocks
from ..algebra.network import Factor, Term, TooLarge, network
from ..algebra.ops.arithmetic import add, added, neg, raised, rational, size_of, sub
from ..algebra.ops.free import var
from ..algebra.ops.structure import einsum, ones, zeros

__all__ = ["Entry", "Letters", "Product", "entry_of", "index_terms", "product_of", "sum_of"]

_POOL = "ijklpqrstuvwyhgcdoxabefmnz"
_HEAVY = 80  # nodes above which an expression is not expanded for an explanation
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tensor: `atom` at the indices `legs`, to a power."""

    atom: Expr
    legs: tuple[str, ...]
    power: int = 1

    @property
    def tensor(self) -> Expr:
        return raised(self.atom, self.power)


@dataclass(frozen=True, slots=True)
class Product:
    """coef · Π sizes · Σ_summed Π entries."""

    coef: Fraction
    sizes: tuple[tuple[Dim, int], ...]
    summed: tuple[str, ...]
    entries: tuple[Entry, ...]


class Letters:
    """Which letter an index is printed with: one for each size, the axes of matrices first."""

    def __init__(self, variables: Iterable[Expr]) -> None:
        known = list(variables)
        taken = {v.attrs[0] for v in known} | {s for v in known for d in v.shape for s in d.symbols()}
        taken |= {s for v in known for s in letters_of(v)}  # k of W[k] is no index of an entry
        self.pool = [c for c in _POOL if c not in taken] + [f"i{k}" for k in range(1, 60)]
        self.preferred: dict[Dim, str] = {}
        self.orders = {v.attrs[0]: v.order for v in known}
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


# ---- there ---------------------------------------------------------------------------------------------------


def _kept_sums(e: Expr, split: Callable[[Expr], bool]) -> dict[Expr, Expr]:
    """A sum that is a factor -> the name that stands for it while the rest is multiplied out."""
    spine = {e}
    for x in reversed(list(postorder(e))):
        if x in spine and x.op in (add, sub, neg):
            spine.update(x.args)
    found: dict[Expr, Expr] = {}
    inside: set[Expr] = set()
    for x in reversed(list(postorder(e))):
        if x in inside and x not in spine:
            inside.update(x.args)
        elif x.op in (add, sub) and x not in spine and not split(x):
            found[x] = var(f"\x00{len(found)}", x.shape)
            inside.update(x.args)
    return found


def index_terms(e: Expr, split: Callable[[Expr], bool] = lambda x: False, cut: bool = True) -> list[Term] | None:
    """The index sums of `e`, None if they are too many to be read.

    A sum that is a factor, as 1 − y² in G ⊙ (1 − y²), stays one factor unless `split` says otherwise; with `cut`, the places
    of blocks are written as slices.
    """
    if sum(1 for _ in postorder(e)) > _HEAVY:
        return None
    kept = _kept_sums(e, split)
    back = {name: x for x, name in kept.items()}
    try:
        terms = network(substitute(e, kept)).terms
    except TooLarge:
        return None
    for t in terms:
        factors = cut_blocks(t).factors if cut else t.factors
        t.factors = [Factor(substitute(f.atom, back), f.legs, f.power) for f in factors]
    return terms


def entry_of(f: Factor, names: Mapping[int, str]) -> Entry:
    """A factor of a network with its letters."""
    return Entry(f.atom, tuple(names[i] for i in f.legs), f.power)


def product_of(t: Term, names: Mapping[int, str]) -> Product:
    """One term with its letters, numbers in front."""
    ordered = sorted(t.factors, key=lambda f: bool(f.legs))
    found = tuple(entry_of(f, names) for f in ordered)
    summed = tuple(names[i] for i in t.dims if i not in t.outs)
    return Product(t.coef, tuple(sorted(t.sizes.items(), key=str)), summed, found)


# ---- and back ------------------------------------------------------------------------------------------------


def sum_of(found: Sequence[Product], legs: Sequence[str], shape: Shape) -> Expr:
    """The tensor whose entry at `legs` is this sum of products. Raises TooLarge when there are too many letters."""
    parts = [_tensor(p, legs, shape) for p in found]
    return added(parts) if parts else zeros(shape) if shape else rational(0)


def _tensor(p: Product, legs: Sequence[str], shape: Shape) -> Expr:
    named = list(dict.fromkeys([*legs, *(c for x in p.entries for c in x.legs)]))
    if len(named) > len(_LETTERS):
        raise TooLarge
    letter = dict(zip(named, _LETTERS, strict=False))
    factors = [("".join(letter[c] for c in x.legs), x.tensor)
               for x in p.entries]  # fmt: skip
    held = {c for spec, _ in factors for c in spec}
    factors += [(letter[c], ones((d,))) for c, d in zip(legs, shape, strict=True) if letter[c] not in held]
    body = rational(p.coef)
    for d, k in p.sizes:
        body = size_of(d, k) * body
    if not factors:
        return body
    spec = ",".join(s for s, _ in factors) + "->" + "".join(letter[c] for c in legs)
    return body * einsum(spec, *(a for _, a in factors))
