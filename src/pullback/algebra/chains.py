"""Matrix products in index networks: the inverse or the determinant of a product, and an inverse beside what it inverts.

A product is a chain: every index is an axis of two matrices, or of one if it is open. Cut at the indices of the size n of an n×n product,
it falls into square factors, of which each is invertible where the product is: (A B)⁻¹ = B⁻¹ A⁻¹, det(A B) = det A det B.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from .dims import Dim
from .expr import Expr
from .facts import holds
from .ops.matrix import eye

__all__ = ["eliminate_inverse", "of_product"]


class _Factor(Protocol):
    @property
    def atom(self) -> Expr: ...
    @property
    def legs(self) -> tuple[int, ...]: ...
    @property
    def power(self) -> int: ...


class _Term(Protocol):
    coef: Fraction
    sizes: dict[Dim, int]
    factors: Any
    dims: dict[int, Dim]
    outs: tuple[int, ...]

    def inner(self) -> list[int]: ...


_Maker = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A matrix of a product, or its transpose."""

    atom: Expr
    turned: bool

    @property
    def expr(self) -> Expr:
        return self.atom.T if self.turned else self.atom


@dataclass(frozen=True, slots=True)
class Chain:
    """A product of matrices, the sizes before, between and behind them, and the places of the scalar factors of the term."""

    links: tuple[Link, ...]
    sizes: tuple[Dim, ...]
    scalars: tuple[int, ...]


def _chain_of(factors: Sequence[_Factor], outs: Sequence[int], dims: Mapping[int, Dim]) -> Chain | None:
    """The term read as a product of matrices from its first open index to its second; None if it is none."""
    if len(outs) != 2 or outs[0] == outs[1]:
        return None
    scalars = tuple(k for k, f in enumerate(factors) if not f.legs)
    left = {k: f for k, f in enumerate(factors) if f.legs}
    if any(f.atom.op.delta or f.power != 1 or len(f.legs) != 2 or f.legs[0] == f.legs[1] for f in left.values()):
        return None
    at, links, sizes = outs[0], [], [dims[outs[0]]]
    while left:
        here = [k for k, f in left.items() if at in f.legs]
        if len(here) != 1:
            return None
        f = left.pop(here[0])
        links.append(Link(f.atom, f.legs[1] == at and not _mirror(f.atom)))
        at = f.legs[0] if f.legs[1] == at else f.legs[1]
        sizes.append(dims[at])
    return Chain(tuple(links), tuple(sizes), scalars) if at == outs[1] and links else None


def _mirror(e: Expr) -> bool:
    """Whether a factor is known to be its own transpose."""
    return "symmetric" in e.op.gives or holds("symmetric", e)


def _pieces(c: Chain) -> list[tuple[Link, ...]]:
    """The square factors of a square product, each as short as can be."""
    found: list[tuple[Link, ...]] = []
    start = 0
    for k, d in enumerate(c.sizes[1:], 1):
        if d == c.sizes[0]:
            found.append(c.links[start:k])
            start = k
    return found


def _reversed(links: Sequence[Link]) -> tuple[Link, ...]:
    """The transposed product."""
    return tuple(Link(x.atom, not x.turned and not _mirror(x.atom)) for x in reversed(links))


def _parts(e: Expr, c: Chain) -> list[tuple[Link, int]]:
    """The inverse, or the determinant, of a product as factors with their powers; of every inverse it is noted of what it is one."""
    found: list[tuple[Link, int]] = []
    inverse = e.op.products == "reversed"
    for piece in reversed(_pieces(c)) if inverse else _pieces(c):
        [one] = piece if len(piece) == 1 else [None]
        if not inverse:
            again = one is not None and one.atom.op.products == "reversed"
            of = _written(piece) if one is None else one.atom.args[0] if again else one.atom
            found.append((Link(e.op(of), False), -1 if again else 1))
        elif one is not None and one.atom.op is e.op and one.atom in _links:
            inner = _links[one.atom]
            found += [(x, 1) for x in (_reversed(inner) if one.turned else inner)]
        else:
            atom = e.op(_written(piece) if one is None else one.atom)
            _links[atom] = piece if one is None else (Link(one.atom, False),)
            found.append((Link(atom, one is not None and one.turned), 1))
    return found


def _written(links: Sequence[Link]) -> Expr:
    found = links[0].expr
    for x in links[1:]:
        found = found @ x.expr
    return found


def _found_beside(
    factors: Sequence[_Factor], place: int, links: Sequence[Link], outs: Sequence[int]
) -> tuple[list[int], int, int] | None:
    """Where the product stands beside its inverse, which is factor number `place`: the places of its matrices, and the two
    indices that become one; None if it does not."""
    row, column = factors[place].legs
    for start, other, form in ((column, row, links), (row, column, _reversed(links))):
        walked = _walk(factors, place, form, start, outs)
        if walked is not None:
            return walked[0], other, walked[1]
    return None


def _walk(
    factors: Sequence[_Factor], place: int, links: Sequence[Link], at: int, outs: Sequence[int]
) -> tuple[list[int], int] | None:
    used = [place]
    for x in links:
        if at in outs or sum(f.legs.count(at) for f in factors) != 2:
            return None
        here = [k for k, f in enumerate(factors) if at in f.legs and k not in used]
        if len(here) != 1:
            return None
        f = factors[here[0]]
        if (
            f.atom is not x.atom
            or f.power != 1
            or len(f.legs) != 2
            or not (f.legs[int(x.turned)] == at or _mirror(f.atom))
        ):
            return None
        used.append(here[0])
        at = f.legs[1] if f.legs[0] == at else f.legs[0]
    return used[1:], at


# ---- in a term -------------------------------------------------------------------------------------------


_links: WeakKeyDictionary[Expr, tuple[Link, ...]] = WeakKeyDictionary()  # the product that an inverse is the inverse of


def of_product(e: Expr, t: _Term, make: _Maker, fresh: count[int]) -> tuple[Any, ...] | None:
    """The inverse or the determinant of a product of square matrices, by those of its factors: the data of a term.

    `make` makes a factor, `fresh` gives new indices. None if the term is no product of matrices."""
    if e.order and _is_diagonal(t):
        factors = [make(f.atom, f.legs, 1 if f.atom.op.delta else -f.power) for f in t.factors]
        return 1 / t.coef, {d: -p for d, p in t.sizes.items()}, factors, dict(t.dims), t.outs
    c = _chain_of(t.factors, t.outs, t.dims)
    scaled = t.coef != 1 or t.sizes or (c is not None and c.scalars)
    if c is None or (scaled and not e.order):
        return None
    found = _parts(e, c)
    if not e.order:
        return Fraction(1), {}, [make(x.atom, (), p) for x, p in found], {}, ()
    ends = [next(fresh) for _ in range(len(found) + 1)]
    factors = [
        make(x.atom, (b, a) if x.turned else (a, b)) for (x, _), a, b in zip(found, ends, ends[1:], strict=False)
    ]
    factors += [make(t.factors[k].atom, (), -t.factors[k].power) for k in c.scalars]
    dims = {i: x.atom.shape[int(x.turned)] for (x, _), i in zip(found, ends, strict=False)}
    dims[ends[-1]] = e.shape[1]
    return 1 / t.coef, {d: -p for d, p in t.sizes.items()}, factors, dims, (ends[0], ends[-1])


def _is_diagonal(t: _Term) -> bool:
    """Whether the term is a diagonal matrix of numbers that are nonzero where it is invertible."""
    if t.inner() or not any(f.atom.op.delta for f in t.factors):
        return False
    return all(f.atom.op.delta or (len(f.legs) < 2 and f.atom.op.entry is None) for f in t.factors)


def eliminate_inverse(t: _Term, make: _Maker) -> bool:
    """X⁻¹ X as I, where a product X stands beside its inverse; whether anything changed."""
    for k, f in enumerate(t.factors):
        if f.atom in _links and f.power == 1:
            found = _found_beside(t.factors, k, _links[f.atom], t.outs)
            if found is not None:
                places, i, j = found
                gone = {x for p in (*places, k) for x in t.factors[p].legs} - {i, j}
                t.factors[:] = [g for n, g in enumerate(t.factors) if n != k and n not in places]
                t.factors.append(make(eye(dim=t.dims[i]), (i, j)))
                for x in gone:
                    del t.dims[x]
                return True
    return False
