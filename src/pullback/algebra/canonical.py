"""One normal form per meaning: the judge of equality (theory.md §6.1).

Two expressions with the same canonical text are equal for all values and all sizes: a proof. The converse holds
for polynomials (T3); where opaque functions or negative powers of sums stand inside, different texts mean "unknown".
"""

from __future__ import annotations

from fractions import Fraction
from weakref import WeakKeyDictionary

from .expr import Expr
from .network import Term, TooLarge, network

__all__ = ["atom_key", "canonical", "equal", "term_key"]

_BRANCHES = 720  # labelings tried before giving up

_memo: WeakKeyDictionary[Expr, str | None] = WeakKeyDictionary()


def atom_key(e: Expr) -> str:
    """A text that two opaque factors share exactly when they are the same function of equal arguments."""
    if not e.args:
        return f"{e.op.name}:{':'.join(_attr(a) for a in e.attrs)}"
    if e.op.define is not None or e.op.meaning(e) is not None:  # the base of a power: opaque as a whole
        return f"({canonical(e)})"
    inner = ";".join(canonical(a) or _spelled(a) for a in e.args)
    return f"{e.op.name}:{':'.join(_attr(a) for a in e.attrs)}({inner})"


def _attr(a: object) -> str:
    return ",".join(map(str, a)) if isinstance(a, tuple) else str(a)


def _spelled(e: Expr) -> str:
    """The expression as it is written: equal only to itself."""
    return f"#{id(e)}"


def term_key(t: Term) -> str:
    """The term without its coefficient, with its summed indices numbered in a canonical way. Raises TooLarge.

    Factors that share a summed index form a component; each component has a key of its own, and their sorted list is the
    key of the whole, so that a high power of one contraction costs no more than the contraction.
    """
    names = {i: f"o{k}" for k, i in enumerate(t.outs)}
    inner = t.inner()
    sizes = "".join(f"*{d}^{p}" for d, p in sorted((str(d), p) for d, p in t.sizes.items()))
    outs = ",".join(str(t.dims[i]) for i in t.outs)
    parts = [_component_key(keys, indices, t, names) for keys, indices in _components(t, inner)]
    return f"[{outs}]{sizes}" + " ·".join(sorted(parts))


_Key = tuple[str, int, tuple[int, ...]]


def _components(t: Term, inner: list[int]) -> list[tuple[list[_Key], list[int]]]:
    """The factors grouped by the summed indices that connect them."""
    root = {i: i for i in inner}

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = i = root[root[i]]
        return i

    for f in t.factors:
        mine = [i for i in f.legs if i in root]
        for i in mine[1:]:
            root[find(i)] = find(mine[0])
    groups: dict[int | None, tuple[list[_Key], list[int]]] = {}
    for i in inner:
        groups.setdefault(find(i), ([], []))[1].append(i)
    for f in t.factors:
        home = next((find(i) for i in f.legs if i in root), None)
        groups.setdefault(home, ([], []))[0].append((atom_key(f.atom), f.power, f.legs))
    return list(groups.values())


def _component_key(keys: list[_Key], inner: list[int], t: Term, names: dict[int, str]) -> str:
    """The smallest spelling over the canonical numberings of the summed indices: refine, individualize, refine."""
    if not inner:
        return _spell(keys, names)
    best: list[str] = []
    budget = _BRANCHES

    def refine(ranks: dict[int, int]) -> dict[int, int]:
        while True:
            labels: dict[int, tuple[object, ...]] = {}
            for i in inner:
                seen = sorted(
                    (
                        a,
                        p,
                        tuple(k for k, x in enumerate(legs) if x == i),
                        tuple(names.get(x) or f"r{ranks[x]:03d}" for x in legs),
                    )
                    for a, p, legs in keys
                    if i in legs
                )
                labels[i] = (ranks[i], *seen)
            order = {lab: k for k, lab in enumerate(sorted(set(labels.values())))}
            new = {i: order[labels[i]] for i in inner}
            if len(order) == len(set(ranks.values())):
                return new
            ranks = new

    start = {c: k for k, c in enumerate(sorted({str(t.dims[i]) for i in inner}))}
    stack = [refine({i: start[str(t.dims[i])] for i in inner})]
    while stack:
        ranks = stack.pop()
        cells: dict[int, list[int]] = {}
        for i, r in ranks.items():
            cells.setdefault(r, []).append(i)
        crowded = sorted(r for r, members in cells.items() if len(members) > 1)
        if not crowded:
            named = {**names, **{i: f"s{r}" for i, r in ranks.items()}}
            spans = ",".join(str(t.dims[i]) for i in sorted(ranks, key=ranks.__getitem__))
            best.append(f"({spans})" + _spell(keys, named))
            continue
        r = crowded[0]
        budget -= len(cells[r])
        if budget < 0:
            raise TooLarge
        for chosen in cells[r]:
            stack.append(refine({i: 2 * k + (k == r and i != chosen) for i, k in ranks.items()}))
    return min(best)


def _spell(keys: list[_Key], names: dict[int, str]) -> str:
    return "".join(sorted(f" {a}^{p}[{','.join(names[i] for i in legs)}]" for a, p, legs in keys))


def canonical(e: Expr) -> str | None:
    """The canonical text of what `e` means, or None if it is too large to have one."""
    if e in _memo:
        return _memo[e]
    try:
        terms: dict[str, Fraction] = {}
        for t in network(e).terms:
            key = term_key(t)
            terms[key] = terms.get(key, Fraction(0)) + t.coef
        found: str | None = " + ".join(f"{c}{k}" for k, c in sorted(terms.items()) if c)
        found = f"{'x'.join(map(str, e.shape))}:{found}"
    except TooLarge:
        found = None
    _memo[e] = found
    return found


def equal(a: Expr, b: Expr) -> bool:
    """True is a proof that a = b for all values and sizes; False means that this judge does not know."""
    if a is b:
        return True
    return a.shape == b.shape and canonical(a) is not None and canonical(a) == canonical(b)
