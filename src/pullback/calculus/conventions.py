"""The same program in the other convention, proved equation by equation: W with axes (from, to) and V := Wᵀ.

A matrix that occurs only transposed has its axes the other way round. Written with its transpose every equation reads as in
the other half of the textbooks; each of them, and each backward equation, is a claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.indexed import family_of, ref, spelled
from ..algebra.ops.free import gradient, increment, is_var, var
from ..algebra.ops.series import series_ranges
from ..step import Claim, Step, Why
from .core import Core
from .derivation import Derivation
from .simplify import simplify, tidy
from .transpose import pairing

__all__ = ["other_axes", "turned"]

_LARGE = 200  # equations above which the program is not written out a second time


def other_axes(d: Derivation, add: Callable[[Step], str]) -> None:
    """Add the steps for every matrix input that occurs only transposed."""
    if len(d.core.equations) > _LARGE:
        return
    derived = {b.of for b in d.backward if not series_ranges(b.value)}
    for v in _transposed(d.core):
        if v in derived:
            for step in turned(d, v):
                add(step)


def _transposed(core: Core) -> list[Expr]:
    """Matrix inputs that occur in products only as transposes: their axes are (from, to)."""
    seen: dict[Expr, set[bool]] = {}
    for q in core.equations:
        for e in postorder(q.value):
            for a in e.args:
                if is_var(a) and a.order == 2:
                    seen.setdefault(a, set()).add(e is a.T)
    defined = {q.var for q in core.equations}
    return [v for v, uses in seen.items() if uses == {True} and v not in defined]


def _fresh(d: Derivation) -> str:
    """V, or a letter that the program does not use."""
    taken = {x.attrs[0] for x in [*d.inputs, *(q.var for q in d.core.equations)]}
    taken |= {
        e.attrs[0] for q in d.core.equations for e in postorder(q.value) if e.attrs and isinstance(e.attrs[0], str)
    }
    taken |= {family_of(name) for name in taken}
    free = (c for c in ("V", "U", "M", "R", "Q", *(f"V{k}" for k in range(1, len(taken) + 2))) if c not in taken)
    return next(free)


def turned(d: Derivation, W: Expr) -> Iterator[Step]:
    """The equations of the program in which W occurs, and the backward equations, with V := Wᵀ in its place.

    The first step names V, the last gives ∇V = (∇W)ᵀ; none of them is checked yet.
    """
    index = ref(W.attrs[0])
    V = var(spelled(_fresh(d), index.index) if index else _fresh(d), W.shape[::-1])
    word = W.attrs[0]
    name = V.attrs[0]
    yield Step(
        id="", kind="axes", about=word, left=V, relation=":=", right=W.T, rules=("V-AXES",),
        why=Why(f"the same numbers with the axes in the other order: {name}_ij is {word}_ji"),
        claim=Claim("DEFINITION"))  # fmt: skip
    for q in d.core.equations:
        if W in set(postorder(q.value)):
            value = _with(q.value, W, V)
            yield Step(
                id="", kind="axes", about=q.var.attrs[0], left=q.var, relation="=", right=value, rules=("V-AXES",),
                why=Why(f"{word}ᵀ is called {name}"), claim=Claim("EQ", q.value, value, {V: W.T}))  # fmt: skip
    mine = next(b for b in d.backward if b.of is W)
    for b in d.backward:
        if b.of is not W and W in set(postorder(b.value)):
            value = _with(b.value, W, V)
            yield Step(
                id="", kind="axes", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=value, rules=("V-AXES",),
                why=Why(f"{word}ᵀ is called {name}, so {word} is {name}ᵀ"),
                claim=Claim("EQ", b.value, value, {V: W.T}))  # fmt: skip
    value, laws = simplify(_with(mine.value, W, V).T)
    yield Step(
        id="", kind="axes", about=word, left=gradient(V), relation="=", right=value, rules=("V-AXES", "M-T", *laws),
        why=Why(f"∇{name} = (∇{word})ᵀ", f"d{name} = (d{word})ᵀ, and ⟨G, d⟩ = ⟨Gᵀ, dᵀ⟩",
                "a matrix and its transpose hold the same entries, so pairing both factors transposed gives the same sum"),
        claim=Claim("EQ", pairing(gradient(W), increment(W)), pairing(value, increment(V)),
                    {gradient(W): mine.value, V: W.T, increment(V): increment(W).T}))  # fmt: skip


def _with(e: Expr, W: Expr, V: Expr) -> Expr:
    """`e` with V for Wᵀ and Vᵀ for W, double transposes gone."""
    return tidy(substitute(substitute(e, {W.T: V}), {W: V.T}))[0]
