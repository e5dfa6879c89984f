"""The matrix of a linear map between tensors, from its index network: which factor ties which axis to which (S2).

After stacking by columns, a term whose factors each tie one axis of the result to the same axis of the argument is a
product ⊗ over the axes. A factor with both axes of one side is a diagonal matrix beside it. Where a factor ties
axes in another way there is no such matrix, and the reason is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from ..algebra.dims import Dim, entries_of
from ..algebra.expr import Expr, postorder, rebuild
from ..algebra.network import Factor, Term, TooLarge, network
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.free import increment
from ..algebra.ops.matrix import eye, outer, transpose
from ..algebra.ops.structure import concat, zeros
from .indexed import einsum_of
from .simplify import simplify
from .stacked import Diag, Form, Leaf, Product, Scaled, Sum, Turned, kron, leaf, product, turned

__all__ = ["NoMatrix", "matrix_of", "term_matrix"]

_LETTERS = "ijklpqrstuvwxyzabcdefgh"


class NoMatrix(Exception):
    """No matrix with ⊗ and diag is this map; the message says why."""


@dataclass(slots=True)
class _Part:
    """Factors that hang together, with the axes of the result and of the argument that they touch."""

    rows: list[int] = field(default_factory=list)
    cols: list[int] = field(default_factory=list)
    factors: list[Factor] = field(default_factory=list)


def matrix_of(v: Expr, x: Expr, terms: list[Expr], tensor: Expr) -> tuple[Form, bool]:
    """The matrix J with dv = J dx for the stacked increments, and whether it is xᵀ that is stacked.

    `terms` are the terms of dv in dx, `tensor` the array ∂v/∂x. Raises NoMatrix or TooLarge.
    """
    if v.order < 2 and x.order < 2:
        return _plain(v, _matrix(tensor)), False
    slopes = _slopes(v, x, terms)
    if slopes is not None:
        return Diag(leaf(slopes)), False
    parts: list[tuple[int, Form]] = []
    crossed: set[bool] = set()
    for e in terms:
        for t in network(e).terms:
            [node] = [f for f in t.factors if f.atom is increment(x)]
            t.factors.remove(node)
            sign, form, cross = term_matrix(t, t.outs, node.legs)
            parts.append((sign, form))
            if cross is not None:
                crossed.add(cross)
    if len(crossed) > 1:
        raise NoMatrix(
            f"{x.attrs[0]} stands in it as it is and transposed: a permutation of its entries would be needed"
        )
    if not parts:
        return Leaf(zeros((entries_of(v.shape), entries_of(x.shape)))), False
    parts.sort(key=lambda p: -p[0])
    whole = parts[0][1] if len(parts) == 1 and parts[0][0] > 0 else Sum(tuple(parts))
    return whole, crossed == {True}


def _slopes(v: Expr, x: Expr, terms: list[Expr]) -> Expr | None:
    """What every entry of dx is multiplied by, if that is all that happens and takes several terms to write."""
    found: list[Expr] = []
    for e in terms:
        for t in network(e).terms:
            [node] = [f for f in t.factors if f.atom is increment(x)]
            t.factors.remove(node)
            if node.legs != t.outs:
                return None
            names = dict(zip(t.dims, _LETTERS, strict=False))
            if len(t.dims) > len(_LETTERS):
                return None
            found.append(einsum_of(t, names, "".join(names[i] for i in t.outs), []))
    if len(found) < 2:
        return None
    try:
        return _matrix(added(found))
    except NoMatrix:
        return None


def _plain(v: Expr, e: Expr) -> Form:
    """A Jacobian with at most two axes: of a number by a vector it is a row."""
    return Turned(Leaf(e)) if e.order == 1 and not v.order else Leaf(e)


def _matrix(e: Expr) -> Expr:
    """The expression in matrix notation, blocks of 0 and 1 written as blocks. Raises NoMatrix."""
    found, _ = simplify(e)
    if any(x.op.sums for x in postorder(found)):
        raise NoMatrix("its entries are an index sum that has no matrix notation")
    return rebuild(found, _blocks)


def _blocks(e: Expr, args: tuple[Expr, ...]) -> Expr:
    if e.op.places is None:
        return e if args == e.args else Expr.make(e.op, args, e.attrs, e.shape)
    total, (start, width) = e.shape[0], e.op.places(e)
    rest = total - start - width
    if not (start.at_least(Dim.number(0)) and rest.at_least(Dim.number(0))):
        return e
    tail = e.shape[1:]
    middle = eye(dim=width) if e.order > 1 else rational(1)
    blocks = [zeros((n, *tail)) for n in (start,) if n != Dim.number(0)]
    blocks += [middle, *(zeros((n, *tail)) for n in (rest,) if n != Dim.number(0))]
    if len(blocks) == 1:
        return middle
    return concat(0, *blocks)


# ---- one term --------------------------------------------------------------------------------------------


def term_matrix(t: Term, rows: tuple[int, ...], cols: tuple[int, ...]) -> tuple[int, Form, bool | None]:
    """sign, matrix, and whether the axes cross (None: there is nothing to tell by)."""
    inside, beside = _diagonals(t, rows, cols)
    parts = _parts(t, rows, cols, inside)
    scale = _number(t, [f for p in parts if not p.rows and not p.cols for f in p.factors])
    linked = [p for p in parts if p.rows or p.cols]
    core, cross = _core(t, rows, cols, linked, bool(beside[0] or beside[1]))
    factors = [*(Diag(f) for f in beside[0]), *([core] if core is not None else []), *(Diag(f) for f in beside[1])]
    whole = product(*factors) if factors else Leaf(rational(1))
    if cross and beside[1]:
        whole = product(*factors[: -len(beside[1])], *(Diag(_other(f)) for f in beside[1]))
    if scale is not rational(1):
        whole = Scaled(scale, whole) if whole != Leaf(rational(1)) else Leaf(scale)
    return (-1 if t.coef < 0 else 1), whole, cross


def _other(f: Form) -> Form:
    """The column of Xᵀ stacked, from that of X."""
    return leaf(_matrix(f.expr.T)) if isinstance(f, Leaf) and f.expr.order == 2 else f


def _number(t: Term, factors: list[Factor]) -> Expr:
    """The number in front of the term, without its sign."""
    plain = Term(abs(t.coef), dict(t.sizes), factors, {i: t.dims[i] for f in factors for i in f.legs}, ())
    return _matrix(einsum_of(plain, dict(zip(plain.dims, _LETTERS, strict=False)), "", []))


def _diagonals(
    t: Term, rows: tuple[int, ...], cols: tuple[int, ...]
) -> tuple[list[Factor], tuple[list[Form], list[Form]]]:
    """Factors with all axes of one side stand beside the rest as diagonal matrices, if the two sides are tied."""
    kept: list[Factor] = []
    beside: tuple[list[Form], list[Form]] = ([], [])
    for f in t.factors:
        for side, legs in enumerate((rows, cols)):
            full = len(legs) > 1 and len(set(legs)) == len(legs) and set(f.legs) == set(legs) and not f.atom.op.delta
            if full and len(f.legs) == len(legs) and _tied(t, rows, cols, f):
                found = _oriented(f, legs)
                if found is not None:
                    beside[side].append(leaf(found))
                    break
        else:
            kept.append(f)
    return kept, beside


def _tied(t: Term, rows: tuple[int, ...], cols: tuple[int, ...], f: Factor) -> bool:
    """Whether the indices of the factor reach both the result and the argument."""
    reached = set(f.legs)
    grown = True
    while grown:
        grown = False
        for g in t.factors:
            if reached & set(g.legs) and not set(g.legs) <= reached:
                reached |= set(g.legs)
                grown = True
    return bool(reached & set(rows)) and bool(reached & set(cols))


def _oriented(f: Factor, legs: tuple[int, ...]) -> Expr | None:
    atom = f.tensor
    if f.legs == legs:
        return atom
    if len(legs) != 2:
        return None
    return atom.args[0] if atom.op is transpose else atom.T


def _parts(t: Term, rows: tuple[int, ...], cols: tuple[int, ...], factors: list[Factor]) -> list[_Part]:
    root = {i: i for i in (*t.dims, *rows, *cols)}

    def find(i: int) -> int:
        while root[i] != i:
            i = root[i]
        return i

    for f in factors:
        for i in f.legs[1:]:
            root[find(i)] = find(f.legs[0])
    found: dict[int | None, _Part] = {}
    for k, i in enumerate(rows):
        found.setdefault(find(i), _Part()).rows.append(k)
    for k, i in enumerate(cols):
        found.setdefault(find(i), _Part()).cols.append(k)
    for f in factors:
        found.setdefault(find(f.legs[0]) if f.legs else None, _Part()).factors.append(f)
    return list(found.values())


def _piece(t: Term, factors: list[Factor], legs: tuple[int, ...]) -> Expr:
    """The factors as an array with these open legs, in matrix notation."""
    dims = {i: t.dims[i] for f in factors for i in f.legs}
    outs: list[int] = []
    tied: list[Factor] = []
    for i in legs:
        dims[i] = t.dims[i]
        if i in outs:
            twin = max((*t.dims, *dims)) + 1
            dims[twin] = t.dims[i]
            tied.append(Factor(eye(dim=t.dims[i]), (i, twin)))
            i = twin
        outs.append(i)
    part = Term(Fraction(1), {}, [*factors, *tied], dims, tuple(outs))
    if len(dims) > len(_LETTERS):
        raise TooLarge
    names = dict(zip(dims, _LETTERS, strict=False))
    return _matrix(einsum_of(part, names, "".join(names[i] for i in outs), []))


def _core(
    t: Term, rows: tuple[int, ...], cols: tuple[int, ...], parts: list[_Part], beside: bool
) -> tuple[Form | None, bool | None]:
    """The product ⊗ of what ties each axis; None where it is the identity beside a diagonal matrix."""
    dims = t.dims
    for i, d in zip((*rows, *cols), [dims.get(i) for i in (*rows, *cols)], strict=True):
        assert d is not None, i
    whole = [p for p in parts if len(p.rows) > 1 or len(p.cols) > 1]
    if whole:
        return _dyad(t, rows, cols, parts), None
    identity = all(len(p.rows) == len(p.cols) == 1 and not p.factors for p in parts)
    links = [p for p in parts if p.rows and p.cols]
    two_sided = len(rows) > 1 and len(cols) > 1
    crosses = {p.rows != p.cols for p in links} if two_sided else set()
    if len(crosses) > 1 or (True in crosses and (len(rows), len(cols)) != (2, 2)):
        raise NoMatrix("it ties some axes in order and others crosswise")
    cross = True in crosses
    if identity and beside and not cross:
        return None, False if two_sided else None
    if len(rows) > 1 and len(cols) > 1 and len(rows) != len(cols):
        raise NoMatrix(f"it ties {len(rows)} axes of the result to {len(cols)} of the argument")
    n = max(len(rows), len(cols))
    at: list[dict[str, Expr]] = [{} for _ in range(n)]
    for p in sorted(parts, key=lambda p: not (p.rows and p.cols)):
        legs = (*(rows[k] for k in p.rows), *(cols[k] for k in p.cols))
        found = _piece(t, p.factors, legs)
        kind = "link" if p.rows and p.cols else "row" if p.rows else "col"
        if len(rows) < 2:
            free = next((k for k in range(n) if not at[k]), 0)
            k = p.cols[0] if p.cols else free
        elif len(cols) < 2:
            free = next((k for k in range(n) if not at[k]), 0)
            k = p.rows[0] if p.rows else free
        else:
            k = p.rows[0] if p.rows else (1 - p.cols[0] if cross else p.cols[0])
        at[k][kind] = found
    return kron([_position(p) for p in at]), cross if crosses else None


def _position(found: dict[str, Expr]) -> Form | None:
    """The factor of ⊗ for one axis."""
    if "link" in found:
        if len(found) > 1:
            raise NoMatrix("it ties three axes together")
        return Leaf(found["link"])
    if len(found) == 2:
        return Leaf(outer(found["row"], found["col"]))
    if "row" in found:
        return Leaf(found["row"])
    return Turned(Leaf(found["col"])) if "col" in found else None


def _dyad(t: Term, rows: tuple[int, ...], cols: tuple[int, ...], parts: list[_Part]) -> Form:
    """A column times a row: nothing ties the result to the argument."""
    if any(p.rows and p.cols for p in parts):
        axes = next(len(p.rows) + len(p.cols) for p in parts if p.rows and p.cols)
        raise NoMatrix(f"one factor ties {axes if axes > 2 else 'some'} axes of the result and the argument together")
    sides: list[Form] = []
    for legs, own in ((rows, [p for p in parts if p.rows]), (cols, [p for p in parts if p.cols])):
        if not legs:
            continue
        if len(own) == 1 and len(legs) > 2:
            [f] = own[0].factors if len(own[0].factors) == 1 else [None]
            if f is None or f.legs != legs or f.power != 1:
                raise NoMatrix(f"it has {len(legs)} axes")
            sides.append(leaf(f.atom))
        elif len(own) == 1:
            sides.append(leaf(_piece(t, own[0].factors, legs)))
        else:
            places: list[Form | None] = [None] * len(legs)
            for p in own:
                k = (p.rows or p.cols)[0]
                if len(p.rows or p.cols) > 1:
                    raise NoMatrix("its axes are tied in part")
                places[k] = Leaf(_piece(t, p.factors, (legs[k],)))
            found = kron(places)
            assert found is not None
            sides.append(found)
    if not rows:
        return turned(sides[0])
    return sides[0] if not cols else Product((sides[0], turned(sides[1])))
