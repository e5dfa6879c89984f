"""Arrays that are left when a cotangent is taken out, as a reader would write them.

Matrices: diagonals beside each other become one, diag(u) diag(v) = diag(u ⊙ v), and terms that differ only in a diagonal
are added there, Xᵀ diag(u) X + Xᵀ diag(v) X = Xᵀ diag(u + v) X. Arrays with more axes: one index sum a term, whose factors are
the matrices and vectors that no index connects. Whoever calls this compares both sides: nothing here is trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..algebra.dims import Shape
from ..algebra.expr import Expr
from ..algebra.lift import NotLiftable, assemble, collected, cost, lift, spell_term
from ..algebra.network import Factor, Term, TooLarge, network
from ..algebra.ops.arithmetic import add, neg, rational, scaled, sdiv, smul, sub
from ..algebra.ops.maps import flat
from ..algebra.ops.matrix import diag, eye, matmul
from ..algebra.ops.reshaping import reshape
from ..algebra.ops.structure import einsum, ones, zeros
from .simplify import simplify, tidy

__all__ = ["arranged", "gathered", "joined", "merged_axes"]

_LETTERS = "ijklpqrstuvwxyzabcdefgh"
_LONG = 200  # nodes above which nothing is gathered

_Chain = tuple[Expr, ...]


def joined(e: Expr) -> Expr:
    """A product that ends in two diagonals, with one."""
    if e.op is not matmul or e.args[1].op is not diag:
        return e
    before, last = e.args[0], e.args[1].args[0]
    found: Expr = e
    if before.op is diag:
        found = diag(before.args[0] * last)
    elif before.op is matmul and before.args[1].op is diag:
        found = before.args[0] @ diag(before.args[1].args[0] * last)
    return found


# ---- matrices ----------------------------------------------------------------------------------------------


def gathered(e: Expr) -> Expr:
    """The matrix with its diagonals gathered; itself where that is not shorter."""
    if e.order != 2 or cost(e)[-1] > _LONG:
        return e
    found, _ = tidy(_signed(_merged([(sign, numbers, _diagonals(chain)) for sign, numbers, chain in _parts(e)])))
    return found if cost(found) < cost(e) else e


def _parts(e: Expr) -> list[tuple[int, tuple[Expr, ...], _Chain]]:
    """The terms of a sum of products of matrices: sign, numbers in front (dividing where so), factors."""
    found: list[tuple[int, tuple[Expr, ...], _Chain]] = []
    stack: list[tuple[int, tuple[Expr, ...], _Chain, Expr, _Chain]] = [(1, (), (), e, ())]
    while stack:
        sign, numbers, before, x, after = stack.pop()
        if x.op in (add, sub):
            stack.append((-sign if x.op is sub else sign, numbers, before, x.args[1], after))
            stack.append((sign, numbers, before, x.args[0], after))
        elif x.op is neg:
            stack.append((-sign, numbers, before, x.args[0], after))
        elif x.op is smul:
            stack.append((sign, (*numbers, x.args[0]), before, x.args[1], after))
        elif x.op is sdiv:
            stack.append((sign, (*numbers, rational(1) / x.args[1]), before, x.args[0], after))
        elif x.op is matmul and _sums(x.args[0]):
            stack.append((sign, numbers, before, x.args[0], (x.args[1], *after)))
        elif x.op is matmul and _sums(x.args[1]):
            stack.append((sign, numbers, (*before, x.args[0]), x.args[1], after))
        else:
            found.append((sign, numbers, tuple(_flat((*before, x, *after)))))
    return found


def _sums(x: Expr) -> bool:
    return x.op in (add, sub, neg, smul, sdiv)


def _flat(factors: Iterable[Expr]) -> list[Expr]:
    found: list[Expr] = []
    stack = list(factors)[::-1]
    while stack:
        x = stack.pop()
        if x.op is matmul:
            stack += [x.args[1], x.args[0]]
        else:
            found.append(x)
    return found


def _diagonals(chain: _Chain) -> _Chain:
    """Diagonal factors beside each other as one."""
    found: list[Expr] = []
    for x in chain:
        if found and x.op is diag and found[-1].op is diag:
            found[-1] = diag(found[-1].args[0] * x.args[0])
        else:
            found.append(x)
    return tuple(found)


def _merged(parts: Sequence[tuple[int, tuple[Expr, ...], _Chain]]) -> list[tuple[int, Expr]]:
    """Terms that are alike but for one diagonal, as one term."""
    groups: dict[tuple[_Chain, _Chain] | int, list[tuple[int, tuple[Expr, ...], Expr | None, _Chain]]] = {}
    for n, (sign, numbers, chain) in enumerate(parts):
        at = next((k for k, x in enumerate(chain) if x.op is diag), None)
        key = n if at is None else (chain[:at], chain[at + 1 :])
        groups.setdefault(key, []).append((sign, numbers, None if at is None else chain[at].args[0], chain))
    found: list[tuple[int, Expr]] = []
    for key, members in groups.items():
        if len(members) == 1 or isinstance(key, int):
            found += [(sign, _product(numbers, chain)) for sign, numbers, _, chain in members]
            continue
        entries = _signed([(sign, _product(numbers, (u,))) for sign, numbers, u, _ in members if u is not None])
        shorter, _ = simplify(entries)
        found.append((1, _product((), (*key[0], diag(shorter), *key[1]))))
    return found


def _product(numbers: Sequence[Expr], chain: _Chain) -> Expr:
    """The numbers in front of the product."""
    whole = chain[0]
    for x in chain[1:]:
        whole = whole @ x
    for s in reversed(numbers):
        whole = s * whole
    return whole


def _signed(terms: Sequence[tuple[int, Expr]]) -> Expr:
    """The sum, a positive term first."""
    ordered = sorted(terms, key=lambda t: -t[0])
    sign, total = ordered[0]
    total = -total if sign < 0 else total
    for sign, e in ordered[1:]:
        total = total - e if sign < 0 else total + e
    return total


# ---- more axes ---------------------------------------------------------------------------------------------


def arranged(e: Expr) -> Expr:
    """One index sum for each term, its factors as large as they can be in matrix notation. Raises TooLarge."""
    terms = collected(network(e).terms)
    if not terms:
        return zeros(e.shape)
    return _signed([(-1 if t.coef < 0 else 1, _term(t)) for t in terms])


def merged_axes(e: Expr) -> Expr | None:
    """An array whose axes are merged from others, as a reshape of the array with these; None if it is not. Raises TooLarge."""
    terms = collected(network(e).terms)
    plans = {tuple(_merged_from(t)) for t in terms}
    if len(plans) != 1:
        return None
    [plan] = plans
    if not any(plan):
        return None
    shape = tuple(d for n, parts in zip(e.shape, plan, strict=True) for d in (parts or (n,)))
    opened = map(_apart, terms)
    inside = assemble([(t, spell_term(t)) for t in opened], shape)
    return reshape(arranged(inside) if inside.order > 2 else simplify(inside)[0], dims=e.shape)


def _merger(t: Term, i: int) -> Factor | None:
    """The 0/1 tensor that merges other indices into the open index `i`, if nothing else has it."""
    found = [f for f in t.factors if i in f.legs]
    if len(found) != 1 or found[0].atom.op is not flat or found[0].power != 1 or found[0].legs[0] != i:
        return None
    return found[0] if i not in found[0].legs[1:] else None


def _merged_from(t: Term) -> list[Shape]:
    """For every open axis the axes that it is merged from."""
    return [() if f is None else tuple(t.dims[j] for j in f.legs[1:]) for f in (_merger(t, i) for i in t.outs)]


def _apart(t: Term) -> Term:
    """The term with the axes that are merged in place of the merged ones."""
    gone = [f for f in (_merger(t, i) for i in t.outs) if f is not None]
    heads = {f.legs[0]: f.legs[1:] for f in gone}
    found = t.copy()
    found.factors = [f for f in t.factors if not any(f is g for g in gone)]
    found.dims = {i: d for i, d in t.dims.items() if i not in heads}
    outs = [j for i in t.outs for j in heads.get(i, (i,))]
    seen: set[int] = set()
    for k, j in enumerate(outs):  # an index that stays open twice: two legs tied by δ
        if j in seen:
            twin = max((*t.dims, *found.dims)) + 1
            found.dims[twin] = found.dims[j]
            found.factors.append(Factor(eye(dim=found.dims[j]), (j, twin)))
            outs[k] = twin
        seen.add(outs[k])
    found.outs = tuple(outs)
    return found


def _term(t: Term) -> Expr:
    """The term without its sign."""
    if len(t.dims) > len(_LETTERS):
        raise TooLarge
    name = dict(zip((*t.outs, *t.inner()), _LETTERS, strict=False))
    numbers: list[Expr] = []
    factors: list[tuple[str, Expr]] = []
    for group in _groups(t):
        legs = [i for i in t.outs if any(i in f.legs for f in group)]
        whole = _matrix(t, group, legs, name)
        if whole is None:
            factors += [("".join(name[i] for i in f.legs), f.tensor) for f in group]
        elif whole[0]:
            factors.append(whole)
        else:
            numbers.append(whole[1])
    held = {c for letters, _ in factors for c in letters}
    factors += [(name[i], ones((t.dims[i],))) for i in t.outs if name[i] not in held]
    target = "".join(name[i] for i in t.outs)
    factors.sort(key=lambda f: target.find(f[0][0]) if f[0][0] in target else len(target))
    body = einsum(",".join(s for s, _ in factors) + "->" + target, *(a for _, a in factors))
    for s in reversed(numbers):
        body = s * body
    return scaled(abs(t.coef), sorted(t.sizes.items(), key=lambda item: str(item[0])), body)


def _groups(t: Term) -> list[list[Factor]]:
    """Factors that an index connects."""
    found: list[list[Factor]] = []
    for f in t.factors:
        touching = [g for g in found if any(set(f.legs) & set(x.legs) for x in g)]
        found = [g for g in found if g not in touching]
        found.append([x for g in touching for x in g] + [f])
    return found


def _matrix(t: Term, group: list[Factor], legs: list[int], name: dict[int, str]) -> tuple[str, Expr] | None:
    """The factors as one number, vector or matrix, read in the direction that is shorter; None where they are more than that."""
    if len(legs) > 2:
        return None
    spec = ",".join("".join(name[i] for i in f.legs) for f in group)
    best: tuple[str, Expr] | None = None
    for target in (legs, legs[::-1]) if len(legs) == 2 else (legs,):
        letters = "".join(name[i] for i in target)
        try:
            shown, _ = tidy(lift(einsum(f"{spec}->{letters}", *(f.tensor for f in group))).expr)
        except (NotLiftable, TooLarge):
            return None
        if best is None or cost(shown) < cost(best[1]):
            best = letters, shown
    return best
