"""The usual mistakes with Jacobians, made for the equations at hand, and what refutes each of them (theory.md §14).

A wrong product is refuted by its shapes, and where the sizes could be equal, by numbers: the smallest integers found at
which it differs from the gradient. A product that nothing refutes is no mistake, and is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from itertools import product as choices

from ..algebra.dims import Dim, Shape, entries_of
from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import is_name
from ..algebra.ops.matrix import diag, eye
from ..calculus.derivation import Derivation, cotangents, users_of
from ..calculus.jacobian import Link, links
from ..calculus.stacked import Diag, Form, Kron, Leaf, Product, Turned, extent, turned
from .field import Modular, OutOfDomain, P
from .jets import Point
from .sizes import symbols_of
from .stacked import Matrix, evaluate, leaves_of

__all__ = ["Example", "Mistake", "mistakes"]

_MOST = 20_000  # small matrices tried before a candidate is given up
_SIZES = (2, 3)
_SYMBOLS = 6


@dataclass(frozen=True, slots=True)
class Example:
    """Numbers at which the wrong product and the gradient differ, at sizes at which both are defined."""

    sizes: Mapping[str, int]
    given: tuple[tuple[Expr, Matrix], ...]
    wrong: Matrix
    right: Matrix


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong formula for the gradient of `of`, and why it is wrong."""

    kind: str  # columns, transpose, vector, product, order, mixed, all
    of: Expr
    wrong: Form
    right: Form
    shapes: tuple[tuple[Form, Shape, Shape], ...]  # each factor with its rows and columns
    needs: tuple[tuple[Dim, Dim], ...]  # sizes that would have to be equal
    example: Example | None


def mistakes(d: Derivation) -> list[Mistake]:
    """The first true mistake of each kind, in the order in which the equations are eliminated."""
    found: dict[str, Mistake] = {}
    every = links(d)
    cot = cotangents(d)
    users = users_of(d)
    for q in reversed(d.core.equations):
        for k in every.get(q.var, []):
            if k.form is None or k.crossed or not is_name(cot[q.var]):
                continue
            above = [u for p in users.get(q.var, []) for u in every[p.var] if u.of is q.var]
            later = above[0] if len(above) == 1 and above[0].form is not None else None
            for kind, wrong, right in _candidates(k, cot, later):
                if kind not in found:
                    made = _refuted(kind, k.of, wrong, right)
                    if made is not None:
                        found[kind] = made
    order = ("columns", "order", "transpose", "vector", "product", "mixed", "all")
    return [found[k] for k in order if k in found]


def _candidates(k: Link, cot: Mapping[Expr, Expr], later: Link | None) -> Iterator[tuple[str, Form, Form]]:
    """(kind, wrong product, right product) for one link; the factors are not stacked."""
    g, f = cot[k.equation.var], k.form
    G = Leaf(g)
    if isinstance(f, Leaf) and g.order == 1 and k.of.order == 1:
        if f.expr.op is diag:
            u = Leaf(f.expr.args[0])
            yield "vector", Product((Turned(G), u)), Product((Turned(G), f))
        elif f.expr.op is not eye:
            right = Product((turned(f), G))
            yield "columns", Product((G, f)), right
            yield "transpose", Product((f, G)), right
            if later is not None and isinstance(later.form, Leaf) and later.form.expr.op is diag:
                h = cot[later.equation.var]
                if is_name(h):
                    H = Leaf(h)
                    whole = Product((turned(f), later.form, H))
                    yield "all", Product((H, f, Leaf(later.form.expr.args[0]))), whole
                    yield "mixed", Product((Turned(H), later.form, turned(f))), Product((Turned(H), later.form, f))
    elif (
        isinstance(f, Kron)
        and not _constant(f)
        and isinstance(f.left, Leaf)
        and isinstance(f.right, Leaf)
        and g.order == k.of.order == 2
    ):
        if f.left.expr.op is eye and f.right.expr.op is not eye and f.right.expr.order == 2:
            right = Product((turned(f.right), G))
            yield "order", Product((G, f.right)), right
            yield "transpose", Product((f.right, G)), right
        elif f.right.expr.op is eye and f.left.expr.op is not eye and f.left.expr.order == 2:
            right = Product((G, f.left))
            yield "order", Product((turned(f.left), G)), right
            yield "transpose", Product((G, turned(f.left))), right
    elif isinstance(f, Diag) and isinstance(f.of, Leaf) and g.order == k.of.order == 2:
        yield "product", Product((G, Leaf(f.of.expr))), Leaf(g * f.of.expr)


def _constant(f: Kron) -> bool:
    """Whether a factor is made of blocks of 0 and 1: nobody transposes those by mistake."""
    leaves = [x for x in (f.left, f.right) if isinstance(x, Leaf) and x.expr.op is not eye]
    return any(e.op.entry is not None for x in leaves for e in postorder(x.expr))


def _refuted(kind: str, of: Expr, wrong: Form, right: Form) -> Mistake | None:
    assert isinstance(wrong, Product)
    sides = [(f, *extent(f)) for f in wrong.factors]
    needs: dict[tuple[Dim, Dim], None] = {}
    for (_, _, left), (_, after, _) in pairwise(sides):
        needs[entries_of(left), entries_of(after)] = None
    rows, cols = extent(right)
    needs[entries_of(sides[0][1]), entries_of(rows)] = None
    needs[entries_of(sides[-1][2]), entries_of(cols)] = None
    open_ = tuple(dict.fromkeys((max(n, key=str), min(n, key=str)) for n in needs if n[0] != n[1]))
    fitting = _fitting([*leaves_of(wrong, {}), *leaves_of(right, {})], open_)
    example = None if fitting is None else _example(wrong, right, fitting)
    if example is None and (fitting is not None or not open_):
        return None  # nothing refutes it
    return Mistake(kind, of, wrong, right, tuple(sides), open_, example)


def _fitting(leaves: Sequence[Expr], needs: Sequence[tuple[Dim, Dim]]) -> dict[str, int] | None:
    """Small sizes, none of them 1, at which the shapes happen to fit."""
    symbols = sorted(symbols_of(leaves))
    if len(symbols) > _SYMBOLS:
        return None
    for values in choices(_SIZES, repeat=len(symbols)):
        sizes = dict(zip(symbols, values, strict=True))
        if all(a.symbols() | b.symbols() <= sizes.keys() and a.value(sizes) == b.value(sizes) for a, b in needs):
            return sizes
    return None


def _example(wrong: Form, right: Form, sizes: Mapping[str, int]) -> Example | None:
    """The smallest numbers, few of them not zero, at which the two differ."""
    leaves = _names(wrong)
    if leaves is None:
        return None
    counts = []
    for e in leaves:
        n = 1
        for d in e.shape:
            n *= d.value(sizes)
        counts.append(n)
    for values in islice(_small(counts), _MOST):
        point = Point(Modular("mistake"), sizes)
        for e, v in zip(leaves, values, strict=True):
            point.bind(e, list(v))
        try:
            a, b = evaluate(wrong, point, {}), evaluate(right, point, {})
        except OutOfDomain:
            continue
        if a != b:
            given = tuple((e, evaluate(Leaf(e), point, {})) for e in leaves)
            return Example(sizes, given, _signed(a), _signed(b))
    return None


def _names(f: Form) -> list[Expr] | None:
    """What the product is made of: names, and functions of names that stand for numbers of their own."""
    found: dict[Expr, None] = {}
    stack: list[Form] = [f]
    while stack:
        x = stack.pop()
        if isinstance(x, Product):
            stack += reversed(x.factors)
        elif isinstance(x, Turned):
            stack.append(x.of)
        elif isinstance(x, Leaf):
            for e in postorder(x.expr):
                if is_name(e):
                    found[e] = None
                elif e.op.meaning(e) is None and e.op.alias is None and e.op.entry is None:
                    held = set(postorder(e)) - {e}
                    if any(other in held for other in found if not is_name(other)):
                        return None
                    found[e] = None
                    for a in e.args:
                        found.pop(a, None)
        else:
            return None
    return list(found)


def _small(counts: Sequence[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Arrays with one 1 in each, then arrays with entries 0 and 1."""
    units = [[tuple(int(i == k) for i in range(n)) for k in range(n)] for n in counts]
    yield from choices(*units)
    ones = [tuple([1] * n) for n in counts]
    for k, n in enumerate(counts):
        for v in choices((0, 1), repeat=n):
            yield tuple(v if j == k else o for j, o in enumerate(ones))
    yield from choices(*(list(choices((0, 1), repeat=n)) for n in counts))


def _signed(m: Matrix) -> Matrix:
    return Matrix(m.rows, m.cols, tuple(x - P if x > P // 2 else x for x in m.entries))
