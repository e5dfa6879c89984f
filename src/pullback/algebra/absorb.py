"""The 0/1 tensors of structure in a term that is read back: each as the op that it means for the factor it is joined to.

A reversed axis is flip(X), a sum up to an entry cumsum(X), windows unfold(X), an axis counted in groups reshape(X, …).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .dims import Dim
from .expr import Expr
from .network import Factor, Term
from .op import Op
from .ops import convolution, order, reshaping, selection, triangles
from .ops.maps import cyclic, exchange, flat, lower, step_place, window

__all__ = ["absorbed"]

_ZERO = Dim({})
_Legs = tuple[int, ...]
_Found = tuple[Expr, _Legs]


class _Reader:
    def __init__(self, t: Term) -> None:
        self.t = t

    def joined(self, f: Factor, legs: Sequence[int]) -> Factor | None:
        """The one factor beside f that all these summed indices occur in, once each."""
        if not legs or any(i in self.t.outs or f.legs.count(i) > 1 for i in legs):
            return None
        users = [g for g in self.t.factors if g is not f and any(i in g.legs for i in legs)]
        if len(users) != 1 or users[0].power != 1 or users[0].atom.op.delta or users[0].atom.op in _READ:
            return None
        return users[0] if all(users[0].legs.count(i) == 1 for i in legs) else None

    def put(self, f: Factor, g: Factor, found: _Found, gone: Sequence[int]) -> None:
        self.t.factors.remove(f)
        g.atom, g.legs = found
        for i in gone:
            del self.t.dims[i]


def _arranged(g: Factor, legs: _Legs) -> Expr:
    """The factor with its axes in another order; an index may be at two of them, which is a diagonal."""
    places: dict[int, list[int]] = {}
    for k, i in enumerate(g.legs):
        places.setdefault(i, []).append(k)
    axes = tuple(places[i].pop(0) for i in legs)
    if axes == tuple(range(len(axes))):
        return g.atom
    return g.atom.T if len(axes) == 2 else reshaping.permute(g.atom, order=axes)


def _replaced(legs: _Legs, old: int, new: Sequence[int]) -> _Legs:
    at = legs.index(old)
    return (*legs[:at], *new, *legs[at + 1 :])


def _read_flat(r: _Reader, f: Factor) -> bool:
    k, inside = f.legs[0], f.legs[1:]
    if (g := r.joined(f, [k])) is not None:
        legs = _replaced(g.legs, k, inside)
        r.put(f, g, (reshaping.reshape(g.atom, dims=tuple(r.t.dims[i] for i in legs)), legs), [k])
        return True
    if (g := r.joined(f, inside)) is not None:
        if g.atom.order == 2 and g.legs == inside[::-1]:
            r.put(f, g, (reshaping.vec(g.atom), (k,)), inside)
            return True
        first = min(map(g.legs.index, inside))
        rest = [i for i in g.legs if i not in inside]
        wanted = (*rest[:first], *inside, *rest[first:])
        legs = (*rest[:first], k, *rest[first:])
        r.put(f, g, (reshaping.reshape(_arranged(g, wanted), dims=tuple(r.t.dims[i] for i in legs)), legs), inside)
        return True
    return False


def _along(
    forward: Callable[[Expr, Expr, int], Expr], backward: Callable[[Expr, Expr, int], Expr]
) -> Callable[[_Reader, Factor], bool]:
    """A matrix that is applied to an axis: `forward` where its second index is summed, `backward` where its first one is."""

    def read(r: _Reader, f: Factor) -> bool:
        for here, make in ((1, forward), (0, backward)):
            g = r.joined(f, [f.legs[here]])
            if g is not None and f.legs[1 - here] not in g.legs:
                made = make(f.atom, g.atom, g.legs.index(f.legs[here]))
                r.put(f, g, (made, _replaced(g.legs, f.legs[here], [f.legs[1 - here]])), [f.legs[here]])
                return True
        return False

    return read


def _read_lower(r: _Reader, f: Factor) -> bool:
    rows, columns, offset = f.atom.attrs
    for g in r.t.factors:
        if g is not f and g.atom.order == 2 and g.power == 1 and not g.atom.op.delta and g.atom.op not in _READ:
            if g.legs == f.legs:
                r.put(f, g, (triangles.tril(g.atom, offset=offset), g.legs), [])
                return True
            if g.legs == f.legs[::-1]:
                r.put(f, g, (triangles.triu(g.atom, offset=_ZERO - offset), g.legs), [])
                return True
    return rows == columns and offset == _ZERO and _running(r, f)


_running = _along(lambda m, X, axis: order.cumsum(X, axis=axis), lambda m, X, axis: order.revcumsum(X, axis=axis))


def _read_window(r: _Reader, f: Factor) -> bool:
    t, k, s = f.legs
    whole, count, width, stride, dilation, padding = f.atom.attrs
    data = {"stride": stride, "padding": padding, "dilation": dilation}
    if (g := r.joined(f, [s])) is not None and not {t, k} & set(g.legs):
        made = convolution.unfold(g.atom, axis=g.legs.index(s), width=width, count=count, **data)
        r.put(f, g, (made, (*_replaced(g.legs, s, [t]), k)), [s])
        return True
    if (g := r.joined(f, [t, k])) is not None and s not in g.legs:
        legs = tuple(i for i in g.legs if i != k)
        made = convolution.fold(_arranged(g, (*legs, k)), axis=legs.index(t), whole=whole, **data)
        r.put(f, g, (made, _replaced(legs, t, [s])), [t, k])
        return True
    return False


def _read_hits(r: _Reader, f: Factor) -> bool:
    *places, m = f.legs
    idx, total = f.atom.args[0], f.atom.shape[-1]
    if (g := r.joined(f, [m])) is not None and not set(places) & set(g.legs):
        rest = tuple(i for i in g.legs if i != m)
        r.put(f, g, (selection.gather(_arranged(g, (m, *rest)), idx), (*places, *rest)), [m])
        return True
    if (g := r.joined(f, places)) is not None and m not in g.legs:
        rest = tuple(i for i in g.legs if i not in places)
        r.put(f, g, (selection.scatter(_arranged(g, (*places, *rest)), idx, total=total), (m, *rest)), places)
        return True
    return False


_READ: dict[Op, Callable[[_Reader, Factor], bool]] = {
    flat: _read_flat,
    exchange: _along(lambda m, X, axis: order.flip(X, axis=axis), lambda m, X, axis: order.flip(X, axis=axis)),
    cyclic: _along(lambda m, X, axis: order.roll(X, axis=axis, shift=m.attrs[1]), lambda m, X, axis: order.roll(X, axis=axis, shift=_ZERO - m.attrs[1])),
    step_place: _along(lambda m, X, axis: order.spaced(X, axis=axis, start=m.attrs[1], total=m.attrs[0], step=m.attrs[3]),
                       lambda m, X, axis: order.strided(X, axis=axis, start=m.attrs[1], dim=m.attrs[2], step=m.attrs[3])),
    lower: _read_lower,
    window: _read_window,
    selection.one_hot: _read_hits,
}  # fmt: skip


def absorbed(t: Term) -> Term:
    """The term, its 0/1 tensors read as ops on the factors that they are joined to, as far as that goes."""
    reader = _Reader(t)
    while any(_READ[f.atom.op](reader, f) for f in t.factors if f.power == 1 and f.atom.op in _READ):
        pass
    return t
