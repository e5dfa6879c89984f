"""A Jacobian is a gradient with its one cotangent removed (theory.md §2.2, T1): its place stays open.

∇x = L*(G) is linear in G, so it is a network with one node G in every term. Take the node out, keep its legs open, and
what is left is the array of L. It is taken out on the way from G up to ∇x, node by node, so that the factors that
the reader knows stay factors: Wᵀ (f′(z) ⊙ G) leaves diag(f′(z)) W. Nothing is multiplied out to get there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..algebra.dims import Shape
from ..algebra.expr import Expr, postorder, rebuild, substitute
from ..algebra.lift import NotLiftable, as_einsum, lift
from ..algebra.network import TooLarge
from ..algebra.op import Meaning
from ..algebra.ops.arithmetic import LETTERS, added, rational, scaled
from ..algebra.ops.free import var
from ..algebra.ops.matrix import dot, eye
from ..algebra.ops.structure import einsum, ones, zeros
from ..errors import UnsupportedError
from .gathered import joined
from .simplify import tidy
from .transpose import LinearityError

__all__ = ["closed_with", "empty", "itself", "opened"]

_ABC = LETTERS + LETTERS.upper()


def itself(G: Expr) -> Expr:
    """The array of the identity map G ↦ G: a δ for each axis."""
    if not G.order:
        return rational(1)
    if G.order == 1:
        return eye(dim=G.shape[0])
    rows, cols = LETTERS[: G.order], LETTERS[G.order : 2 * G.order]
    spec = ",".join(a + b for a, b in zip(rows, cols, strict=True)) + f"->{rows}{cols}"
    return einsum(spec, *(eye(dim=d) for d in G.shape))


def empty(shape: Shape) -> Expr:
    return zeros(shape) if shape else rational(0)


def closed_with(array: Expr, G: Expr) -> Expr:
    """G put back into the place that is open: summed over the axes of G, which come first."""
    if not G.order:
        return G * array
    if G.order == 1 and array.order < 3:
        return dot(array, G) if array.order == 1 else array.T @ G
    a, b = LETTERS[: G.order], LETTERS[G.order : array.order]
    return einsum(f"{a},{a}{b}->{b}", G, array)


def opened(e: Expr, known: Mapping[Expr, Expr], legs: Shape) -> Expr:
    """The array M with e = Σ G M, the axes `legs` of G first; `known` holds the arrays of G and of names that are linear in G.

    Raises UnsupportedError U051 where G stands inside an op that is no index sum.
    """
    e = _unfolded(e, known)
    found: dict[Expr, Expr] = {}
    for x in postorder(e):
        if x in known:
            found[x] = known[x]
        elif any(a in found for a in x.args):
            found[x] = _through(x, found, legs)
    return found.get(e, empty((*legs, *e.shape)))


def _unfolded(e: Expr, known: Mapping[Expr, Expr]) -> Expr:
    """What is defined by other ops, written with these, where a known name stands in it."""
    holds: set[Expr] = set()
    while True:
        holds = set()
        for x in postorder(e):
            if x in known or any(a in holds for a in x.args):
                holds.add(x)
        defined = [x for x in holds if x not in known and x.op.alias is not None]
        if not defined:
            return e

        def change(x: Expr, args: tuple[Expr, ...], holds: set[Expr] = holds) -> Expr:
            new = x.with_args(args)
            return new.op.alias(new, *args) if x in holds and args and x.op.alias is not None else new

        e = rebuild(e, change)


def _through(x: Expr, found: Mapping[Expr, Expr], legs: Shape) -> Expr:
    """The array of a node, from that of the argument in which G stands."""
    meanings = x.op.meaning(x)
    if meanings is None or any(m.power != 1 for m in meanings):
        raise UnsupportedError("U051", f"the cotangent stands inside {x.op.name}, which is no index sum: no Jacobian can be read off",
                               hint="derive gives the gradient for any given cotangent (given grad … as g)")  # fmt: skip
    parts = []
    for m in meanings:
        inside = [k for k, slot in enumerate(m.slots) if x.args[slot] in found]
        if len(inside) > 1 or (not inside and not any(x.args[s].op.uniform == 0 for s in m.slots)):
            raise LinearityError(f"{x.op.name} is not linear in the cotangent")
        if inside:
            parts.append(_term(x, m, inside[0], found[x.args[m.slots[inside[0]]]], legs))
    whole, _ = tidy(added(parts))
    return whole


def _term(x: Expr, m: Meaning, hole: int, array: Expr, legs: Shape) -> Expr:
    """One index sum with G's axes carried along."""
    free = iter(_ABC)
    name: dict[str, str] = {}
    outside = "".join(next(free) for _ in legs)
    for c in "".join(m.inputs) + m.output:
        if c not in name:
            name[c] = next(free)
    values = [x.args[k] for k in m.slots] + list(m.extra)
    factors = [("".join(name[c] for c in letters), a) for letters, a in zip(m.inputs, values, strict=True)]
    factors[hole] = (outside + factors[hole][0], array)
    target = outside
    dims = dict(zip(m.output, x.shape, strict=True))
    for c in m.output:
        letter = name[c]
        if letter in target:  # a repeated open leg: two legs tied by δ
            twin = next(free)
            factors.append((letter + twin, eye(dim=dims[c])))
            letter = twin
        elif not any(letter in f[0] for f in factors):
            factors.append((letter, ones((dims[c],))))
        target += letter
    coefficient = [*((d, 1) for d in m.times), *((d, -1) for d in m.over)]
    return scaled(m.scale, coefficient, _sum(factors, target))


def _sum(factors: list[tuple[str, Expr]], target: str) -> Expr:
    """The index sum, in matrix notation where that exists; the factors stay what they are."""
    if len(factors) == 1 and factors[0][0] == target:
        return factors[0][1]
    spec = ",".join(s for s, _ in factors) + "->" + target
    held: dict[Expr, Expr] = {}

    def hold(a: Expr) -> Expr:
        return held.setdefault(a, var(f"·{len(held)}", a.shape, "hole")) if a.args else a

    body = einsum(spec, *(_outside(a, hold) for _, a in factors))
    found = _read(body, matrix=len(target) < 3)
    return joined(substitute(found, {name: a for a, name in held.items()}))


def _outside(a: Expr, hold: Callable[[Expr], Expr]) -> Expr:
    """The array with its vectors and matrices held; what puts them together to more axes can be read."""
    done: dict[Expr, Expr] = {}
    for x in postorder(a):
        done[x] = hold(x) if x.order < 3 and not x.op.sums else x.with_args(tuple(done[y] for y in x.args))
    return done[a]


def _read(body: Expr, *, matrix: bool) -> Expr:
    """The index sum without its δ's, in matrix notation where that exists."""
    if matrix:
        try:
            return lift(body).expr
        except (NotLiftable, TooLarge):
            pass
    try:
        return as_einsum(body)
    except TooLarge:
        return body
