"""Why a backward equation has the form it has: for each axis, where it occurs and whether it stays open.

Everything here is read off index networks (theory.md §0, §7.3). Sentences carry `$name` for what is
printed later: an expression, an entry `∇z_i`, or a sum of products of entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from ..algebra.lift import NotLiftable, lift
from ..algebra.network import Factor, Term, TooLarge
from ..algebra.ops.matrix import diag
from ..algebra.ops.structure import pad
from ..step import Said
from .products import Entry, Letters, Product, entry_of, index_terms, product_of

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
]

_SHOWN = 4  # terms that are explained one by one


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


def products(e: Expr, letters: Letters, outs: Sequence[str] | None = None) -> list[Product] | None:
    """`e` as a sum of products of entries, or None if that is too long to be read."""
    terms = index_terms(e)
    if terms is None:
        return None
    legs = tuple(outs) if outs is not None else letters.outs(e.shape)
    return [product_of(t, letters.of(t, legs)) for t in terms]


# ---- roles -----------------------------------------------------------------------------------------------


def _is_placement(e: Expr) -> bool:
    return e.op.entry is not None and e.order > 0


def ordinal(k: int) -> str:
    return ("first", "second", "third", "fourth")[k] if k < 4 else f"{k + 1}th"


def _is_einsum(e: Expr) -> bool:
    """Whether a sum over an index is written with its letters somewhere in `e`."""
    return any(x.op.sums for x in postorder(e))


def _axis(t: Term, i: int, letter: str, value: Expr) -> Axis:
    places = tuple(tuple(k + 1 for k, x in enumerate(f.legs) if x == i) for f in t.factors)
    open_at = tuple(k + 1 for k, x in enumerate(t.outs) if x == i)
    held = [f for f, p in zip(t.factors, places, strict=True) if p]
    if open_at and any(f.atom.op.delta for f in held):
        role, meaning = "diagonal", "only entries with equal indices are not zero"
    elif any(_is_placement(f.atom) for f in held):
        role, meaning = "placement", "entries are moved to their place in a block"
    elif len(held) > 1 and open_at:
        role, meaning = "⊙", "shared and kept: entries with the same index are multiplied, nothing is summed"
    elif len(held) > 1:
        role = "inner product" if all(len(f.legs) == 1 for f in held) else "matrix product"
        if any(len(f.legs) > 2 for f in held) or _is_einsum(value):
            role = "index sum"
        meaning = "shared and not kept: " + ("multiplied and " if len(held) > 2 else "") + "summed"
    elif held and open_at:
        role, meaning = "free leg", f"kept: the {ordinal(open_at[0] - 1)} axis of the result"
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


class Bind:
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


def _conclusion(t: Term, names: Mapping[int, str], axes: Sequence[Axis], value: Expr) -> Iterator[Said]:
    """What the table says, in words; one sentence per kind of axis."""
    tensors = [f for f in t.factors if f.legs and not _is_placement(f.atom)]
    shown = {id(f): f.tensor for f in tensors}
    where = {a.letter: [f for f, p in zip(t.factors, a.places, strict=True) if p and id(f) in shown] for a in axes}
    kinds = {a.role for a in axes}
    if not axes:
        b = Bind()
        if len(t.factors) > 1:
            yield b.said(f"no axis at all: {b.list([f.tensor for f in t.factors])} are numbers, and are multiplied")
        return
    if len(tensors) == 1 and kinds == {"free leg"}:
        [f] = tensors
        b = Bind()
        numbers = "; only numbers stand in front" if len(t.factors) > 1 or t.coef != 1 or t.sizes else ""
        yield b.said(
            f"{b.put(shown[id(f)])} is the only factor with axes, and every axis is kept ⇒ "
            + (
                "nothing to sum, nothing to match: it stands as it is"
                if tuple(f.legs) == t.outs
                else "nothing to sum; the axes stand in another order: a transpose"
            )
            + numbers
        )
        return
    if len(tensors) > 1 and kinds == {"free leg"}:
        b = Bind()
        legs = ", ".join(names[i] for i in t.outs)
        pair = "pair" if len(t.outs) == 2 else "choice"
        every = product_of(t, names)
        yield b.said(
            f"no axis is shared by {b.list([shown[id(f)] for f in tensors])} ⇒ "
            f"nothing to sum, nothing to match: every {pair} ({legs}) gets {b.put(every)} ⇒ outer product"
        )
        return
    matched: dict[tuple[Expr, ...], list[str]] = {}
    for a in axes:
        if a.role == "⊙":
            matched.setdefault(tuple(shown[id(f)] for f in where[a.letter]), []).append(a.letter)
    for held_by, letters in matched.items():
        b = Bind()
        many = (
            f"{letters[0]} is an axis" if len(letters) == 1 else f"{', '.join(letters[:-1])} and {letters[-1]} are axes"
        )
        scaled = next((x for x in postorder(value) if len(x.args) == 1 and x.op is diag and x.args[0] in held_by), None)
        yield b.said(f"{many} of {b.list(held_by)}, and of the result ⇒ matched, not summed: "
                     + (f"a product with {b.put(scaled)}" if scaled is not None else "⊙"))  # fmt: skip
    for a in axes:
        b = Bind()
        held = [shown[id(f)] for f in where[a.letter]]
        i = a.letter
        if a.role in ("matrix product", "inner product", "index sum"):
            yield b.said(
                f"{i} is shared by {b.list(held)} and is no axis of the result ⇒ "
                + ("multiplied entry by entry and " if len(held) > 2 else "")
                + f"summed: {a.role}"
                + _transposes(b, t, where[i], a, value)
            )
        elif a.role == "sum" and held:
            yield b.said(f"{i} is an axis of {b.list(held)} only, and no axis of the result ⇒ summed over all {i}")
        elif a.role == "trace" and held:
            yield b.said(f"{i} is both axes of {b.list(held)} ⇒ its diagonal is summed")
        elif a.role == "broadcast":
            yield b.said(f"{i} is an axis of the result, but of no factor ⇒ the same number for every {i}: broadcast")
        elif a.role == "diagonal":
            yield b.said("the axes of the result are tied ⇒ a diagonal matrix")
            return
    yield from _placed(t)
    for d, p in sorted(t.sizes.items(), key=str):
        if p > 0:
            yield Said(f"an axis of size {d} is summed over but occurs in no factor ⇒ a factor {d}")


def _placed(t: Term) -> Iterator[Said]:
    """What the 0/1 factors and the paddings of a term do."""
    for atom in dict.fromkeys(f.atom for f in t.factors):
        at = None if atom.op.places is None else atom.op.places(atom)[0] + Dim.number(1)
        if at is not None and atom.order == 1:
            yield Said(f"$e is 1 at entry {at} and 0 elsewhere ⇒ the other entries get nothing "
                       "from this term", {"e": atom})  # fmt: skip
        elif at is not None:
            yield Said(f"$e puts entry 1 at place {at}, and so on ⇒ the entries outside this block "
                       "get nothing from this term", {"e": atom})  # fmt: skip
        elif atom.op is pad:
            axis, start, _ = atom.attrs
            last = start + atom.args[0].shape[axis]
            yield Said(f"$e is $X at the places {start + Dim.number(1)} to {last} of its {ordinal(axis)} axis, and 0 elsewhere",
                       {"e": atom, "X": atom.args[0]})  # fmt: skip


def _written(value: Expr) -> set[Expr]:
    """The nodes of `value` that are not inside an argument of a function."""
    found = {value}
    for x in reversed(list(postorder(value))):
        if x in found and (x.op.linear or x.op.alias is not None or x.op.meaning(x)):
            found.update(x.args)
    return found


def _transposes(b: Bind, t: Term, held: Sequence[Factor], a: Axis, value: Expr) -> str:
    """Over which axis a matrix is summed, and that this is what a transpose stands for."""
    written = _written(value)
    parts = []
    for f in held:
        if len(f.legs) != 2 or f.power != 1:
            continue
        k = next(k for k, p in zip(range(2), (1, 2), strict=True) if p in a.places[t.factors.index(f)])
        M, turned = f.atom, f.atom.T
        at = t.outs.index(f.legs[1 - k]) if f.legs[1 - k] in t.outs else -1
        if turned in written and k == 0 and at == 0:
            parts.append(f"{b.put(M)} is summed over its first axis, which is written {b.put(turned)}")
        elif turned in written and k == 1 and at == 1:
            parts.append(
                f"{b.put(M)} stands on the right and is summed over its second axis, which is written {b.put(turned)}"
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
    b = Bind()
    name = b.put(of)
    yield b.said(
        f"order: {legs[0]} comes first because the first axis of {name} is {legs[0]}. "
        f"{b.put(other)} would have rows {legs[1]}: it is the gradient of {b.put(of.T)}"
    )


def roles(of: Expr, value: Expr, letters: Letters) -> Roles | None:
    """The role table of ∇(of) = value, or None if the network is too large to be read."""
    terms = index_terms(value)
    if terms is None:
        return None
    legs = letters.outs(of.shape)
    found = []
    for t in terms[:_SHOWN]:
        names = letters.of(t, legs)
        order = [*dict.fromkeys([*t.outs, *t.dims])]
        axes = tuple(_axis(t, i, names[i], value) for i in order)
        found.append(
            TermRoles(
                product_of(t, names),
                tuple(entry_of(f, names) for f in t.factors),
                axes,
                tuple(_conclusion(t, names, axes, value)),
            )
        )
    return Roles(
        of,
        value,
        legs,
        tuple(found),
        max(0, len(terms) - _SHOWN),
        tuple(_turned(of, value, terms, legs)),
    )
