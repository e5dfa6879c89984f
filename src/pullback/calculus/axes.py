"""Which axis of a matrix comes first is a convention: the other one, named, and what becomes of the gradients (V-AXES, V-ROWS)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..algebra.expr import Expr, postorder
from ..algebra.indexed import family_of
from ..algebra.ops.free import gradient, increment, is_var, var
from ..algebra.ops.matrix import inner, matmul, matvec, outer
from ..algebra.ops.structure import ones
from ..step import Claim, Step, Why
from .core import Core, Equation

__all__ = ["axes_notes"]

_ORDERS = ("(from, to): the summed one first", "(to, from): the kept one first")


def _name(e: Expr) -> Expr | None:
    """The matrix of a factor that is a name or the transpose of one."""
    base = _turned(e) if _is_turned(e) else e
    return base if is_var(base) and base.order == 2 else None


def axes_notes(core: Core, derived: Callable[[Expr], bool]) -> Iterator[Step]:
    """One step for each way in which an input matrix meets a vector, and one for the products of two matrices."""
    defined = {family_of(q.var.attrs[0]) for q in core.equations}
    taken = {x.attrs[0] for q in core.equations for x in (q.var, *postorder(q.value)) if is_var(x)}
    maps: dict[int, dict[Expr, Expr]] = {}  # the axis that is summed -> matrix -> the product
    pairs: dict[Expr, Equation] = {}
    ways: dict[Expr, set[int]] = {}
    inside: set[Expr] = set()  # products that are a factor of a product
    for q in core.equations:
        for e in postorder(q.value):
            if e.op not in (matvec, matmul):
                continue
            inside.update(e.args)
            names = [_name(a) for a in e.args] if e.op is matmul else [_name(e.args[0])]
            for k, v in enumerate(names):
                if v is not None:
                    ways.setdefault(v, set()).add((0 if e.args[k] is v else 1) ^ k ^ 1)
            free = [v for v in names if v is not None and family_of(v.attrs[0]) not in defined and derived(v)]
            if free and e.op is matvec and is_var(e.args[1]):
                axis = 1 if e.args[0] is free[0] else 0
                maps.setdefault(axis, {}).setdefault(free[0], e)
            elif free and None not in names and len(set(names)) == 2:
                pairs.setdefault(e, q)
    for axis, found in sorted(maps.items()):
        once = {v: e for v, e in found.items() if len(ways[v]) == 1}
        if once:
            yield _of_map(once, axis, _fresh(taken, 1)[0])
    pairs = {
        e: q for e, q in pairs.items() if e not in inside and all(len(ways[v]) == 1 for v in map(_name, e.args) if v)
    }
    if pairs:
        yield _of_pair(pairs, _fresh(taken, 2))


def _fresh(taken: set[str], count: int) -> list[str]:
    """Names that the program does not have."""
    free = [c for c in ("V", "C", "H", "K", "M", "Q") if c not in taken]
    return [*free, *(f"V_{k}" for k in range(count))][:count]


def _of_map(found: dict[Expr, Expr], axis: int, name: str) -> Step:
    (W, product), *others = found.items()
    x, V = product.args[1], var(name, (W.shape[1], W.shape[0]))
    bind = {"W": W, "p": product, "V": V, "other": matvec(V if axis == 0 else V.T, x), "gV": gradient(V), "gW": gradient(W),
            "VT": W.T, **{f"o{k}": e for k, (_, e) in enumerate(others)}}  # fmt: skip
    alike = "; so too in " + ", ".join(f"$o{k}" for k in range(len(others))) if others else ""
    left, right = inner(gradient(W), increment(W).T.T), inner(gradient(W).T, increment(W).T)
    return Step(
        id="", kind="convention", about=W.attrs[0], left=left, relation="=", right=right, rules=("V-AXES",),
        why=Why(f"in $p, $W is summed over its {('first', 'second')[axis]} axis: its axes are in the order {_ORDERS[axis]}. "
                f"The matrix of the other convention is its transpose{alike}",
                f"with $V := $VT, axes {('(to, from)', '(from, to)')[axis]}, the product reads $other, and $gV = ($gW)ᵀ",
                "⟨G, dᵀ⟩ = ⟨Gᵀ, d⟩: a matrix and its transpose hold the same entries", bind),
        claim=Claim("EQ", left, right))  # fmt: skip


def _of_pair(found: dict[Expr, Equation], names: list[str]) -> Step:
    product, q = next(iter(found.items()))
    L, R = product.args
    first, second = _name(L), _name(R)
    assert first is not None and second is not None
    V, C = (var(n, m.T.shape) for n, m in zip(names, (R, L), strict=True))
    bind = {"p": product, "pT": product.T, "L": L, "R": R, "V": V, "C": C, "RT": _turned(R), "LT": _turned(L),
            "turned": _turned(R) @ _turned(L), "VC": V @ C, "gV": gradient(V), "gC": gradient(C),
            "gR": gradient(second), "gL": gradient(first),
            **{f"o{k}": e for k, e in enumerate(list(found)[1:])}}  # fmt: skip
    lead = {"rows": "each row of $p is the same row of $L times $R: the cases are rows",
            "columns": "each column of $p is $L times the same column of $R: the cases are columns",
            "": "each row of $p is a row of $L times $R, each column is $L times a column of $R"}[_cases(q, product)]  # fmt: skip
    alike = "; so too in " + ", ".join(f"$o{k}" for k in range(len(found) - 1)) if len(found) > 1 else ""
    return Step(
        id="", kind="convention", about=q.var.attrs[0], left=product.T, relation="=", right=_turned(R) @ _turned(L), rules=("V-ROWS",),
        why=Why(lead + ". With rows and columns exchanged the product is $pT = $turned" + alike,
                f"with $V := $RT and $C := $LT it reads $VC, and $gV = {_put('gR', R is second)}, $gC = {_put('gL', L is first)}",
                "a matrix and its transpose hold the same entries, so their gradients are transposes of each other", bind),
        claim=Claim("EQ", product.T, _turned(R) @ _turned(L)))  # fmt: skip


def _put(name: str, transposed: bool) -> str:
    return f"(${name})ᵀ" if transposed else f"${name}"


def _is_turned(e: Expr) -> bool:
    return len(e.args) == 1 and e.args[0].order == 2 and e is e.args[0].T


def _turned(e: Expr) -> Expr:
    return e.args[0] if _is_turned(e) else e.T


def _cases(q: Equation, product: Expr) -> str:
    """Along which axis one vector is added to all alike: each row is a case if it is added to every row."""
    for e in postorder(q.value):
        if e.op is outer and e.shape == product.shape:
            if e.args[0] is ones(e.args[0].shape):
                return "rows"
            if e.args[1] is ones(e.args[1].shape):
                return "columns"
    return ""
