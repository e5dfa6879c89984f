"""One normal form per meaning: the judge of equality (theory.md §6.1).

Two expressions with the same canonical text are equal for all values and all sizes: a proof. The converse holds
for polynomials (T3); where opaque functions, negative powers of sums or blocks that overlap in part stand inside, different
texts mean "unknown".
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from weakref import WeakKeyDictionary

from .expr import Expr
from .facts import holds
from .network import Term, TooLarge, network
from .ops.free import var

__all__ = ["canonical", "equal", "mirrored", "named", "symmetric", "term_key"]

_BRANCHES = 720  # labelings tried before giving up
_LONGEST = 100_000  # characters of an argument's text: what is shared in the expression is repeated in its text

_memo: WeakKeyDictionary[Expr, str | None] = WeakKeyDictionary()
_keys: WeakKeyDictionary[Expr, str] = WeakKeyDictionary()  # of opaque factors
_mirrors: WeakKeyDictionary[Expr, bool] = WeakKeyDictionary()  # which matrices are symmetric


def _inside(atom: Expr) -> tuple[Expr, ...]:
    """The expressions of whose texts the key of an opaque factor is made."""
    if atom.args and (atom.op.alias is not None or atom.op.meaning(atom) is not None):
        return (atom,)  # the base of a power: opaque as a whole
    return atom.args


def _atom_key(e: Expr) -> str:
    """A text that two opaque factors share exactly when they are the same function of equal arguments.

    The inside has its texts already. Raises TooLarge where one of them has none."""
    found = _keys.get(e)
    if found is None:
        texts = [_memo[a] for a in _inside(e)]
        inner = [t for t in texts if t is not None and len(t) <= _LONGEST]
        if len(inner) < len(texts):
            raise TooLarge
        whole = _inside(e) == (e,)
        found = _keys[e] = f"({inner[0]})" if whole else f"{e.op.name}:{':'.join(map(_attr, e.attrs))}" + (
            f"({';'.join(inner)})" if e.args else "")  # fmt: skip
    return found


def _attr(a: object) -> str:
    return ",".join(map(str, a)) if isinstance(a, tuple) else str(a)


def term_key(t: Term) -> str:
    """The term without its coefficient, with its summed indices numbered in a canonical way. Raises TooLarge.

    Factors that share a summed index form a component; each component has a key of its own, and their sorted list is the
    key of the whole, so that a high power of one contraction costs no more than the contraction.
    """
    _settle([x for f in t.factors for x in _inside(f.atom)])
    return _term_key(t)


def _term_key(t: Term) -> str:
    names = {i: f"o{k}" for k, i in enumerate(t.outs)}
    inner = t.inner()
    sizes = "".join(f"*{d}^{p}" for d, p in sorted((str(d), p) for d, p in t.sizes.items()))
    outs = ",".join(str(t.dims[i]) for i in t.outs)
    parts = [_component_key(keys, indices, t, names) for keys, indices in _components(t, inner)]
    return f"[{outs}]{sizes}" + " ·".join(sorted(parts))


_Key = tuple[
    str, int, tuple[int, ...], bool
]  # of a factor: its text, its power, its indices, whether their order says nothing


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
        groups.setdefault(home, ([], []))[0].append((_atom_key(f.atom), f.power, f.legs, mirrored(f.atom)))
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
                        () if mirror else tuple(k for k, x in enumerate(legs) if x == i),
                        _in_order([names.get(x) or f"r{ranks[x]:03d}" for x in legs], mirror),
                    )
                    for a, p, legs, mirror in keys
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
    return "".join(
        sorted(f" {a}^{p}[{','.join(_in_order([names[i] for i in legs], mirror))}]" for a, p, legs, mirror in keys)
    )


def _in_order(names: list[str], mirror: bool) -> tuple[str, ...]:
    return tuple(sorted(names)) if mirror else tuple(names)


def mirrored(atom: Expr) -> bool:
    """Whether an opaque factor is known to be a symmetric matrix: its two indices may be exchanged."""
    if holds("symmetric", atom) or "symmetric" in atom.op.gives:
        return True
    if atom.order == 2 and atom.args and (atom.op.entrywise or _inside(atom) == (atom,)):
        parts = _inside(atom) if not atom.op.entrywise else atom.args
        return all(not a.order or symmetric(a) for a in parts)
    keeps = "symmetric" in atom.op.keeps and atom.order == 2 and len(atom.args) == 1
    return keeps and symmetric(atom.args[0])


def symmetric(e: Expr) -> bool:
    """True is a proof that the matrix `e` is symmetric, whatever its names stand for that have the facts declared of them."""
    if e.order != 2 or e.shape[0] != e.shape[1]:
        return False
    if holds("symmetric", e):
        return True
    _settle([e])
    if e not in _mirrors:
        try:  # the factors of the transpose are those of e, which have their texts
            turned = e.T
            _mirrors[e] = _memo[e] is not None and _memo[e] == _text(turned, network(turned).terms)
        except TooLarge:
            _mirrors[e] = False
    return _mirrors[e]


def named(name: str, value: Expr) -> Expr:
    """A name for a value, with what is known of it without being declared."""
    return var(name, value.shape, facts=("symmetric",) if symmetric(value) else ())


def _settle(roots: Iterable[Expr]) -> None:
    """Give every root its canonical text, what stands inside opaque factors first: the depth is the user's and not ours."""
    means: dict[Expr, list[Term]] = {}  # of those that wait for what is inside them
    stack = list(roots)
    while stack:
        e = stack[-1]
        if e in _memo:
            stack.pop()
            continue
        try:
            if e not in means:
                means[e] = network(e).terms
                stack += [x for t in means[e] for f in t.factors for x in _inside(f.atom) if x not in _memo]
                continue
            _memo[e] = _text(e, means.pop(e))
        except TooLarge:
            _memo[e] = None
            means.pop(e, None)


def _text(e: Expr, terms: Iterable[Term]) -> str:
    found: dict[str, Fraction] = {}
    for t in terms:
        key = _term_key(t)
        found[key] = found.get(key, Fraction(0)) + t.coef
    return f"{'x'.join(map(str, e.shape))}:" + " + ".join(f"{c}{k}" for k, c in sorted(found.items()) if c)


def canonical(e: Expr) -> str | None:
    """The canonical text of what `e` means, or None if it is too large to have one."""
    _settle([e])
    return _memo[e]


def equal(a: Expr, b: Expr) -> bool:
    """True is a proof that a = b for all values and sizes; False means that this judge does not know."""
    if a is b:
        return True
    return a.shape == b.shape and canonical(a) is not None and canonical(a) == canonical(b)
