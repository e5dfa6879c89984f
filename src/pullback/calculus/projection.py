"""A variable that ranges over a linear subspace: its gradient is the projection on that subspace (theory.md §3.6, V-PROJ)."""

from __future__ import annotations

from collections.abc import Callable

from ..algebra.expr import Expr
from ..algebra.facts import restricted
from ..algebra.ops.free import increment
from ..algebra.ops.matrix import diag, diagvec
from ..algebra.ops.triangles import skew, sym, tril, triu
from ..step import Claim, Step, Why
from .simplify import simplify
from .transpose import pairing

__all__ = ["projected"]

_SYMMETRIC, _SKEW, _DIAGONAL = "symmetric", "skew", "diagonal"
_SAID = {
    _SYMMETRIC: ("½ (G + Gᵀ)", "⟨G, d⟩ = ⟨Gᵀ, dᵀ⟩ = ⟨Gᵀ, d⟩ as dᵀ = d"),
    _SKEW: ("½ (G − Gᵀ)", "⟨G, d⟩ = ⟨Gᵀ, dᵀ⟩ = −⟨Gᵀ, d⟩ as dᵀ = −d"),
    "lower": ("the lower triangle of G", "the entries of d above the diagonal are 0, whatever stands beside them"),
    "upper": ("the upper triangle of G", "the entries of d below the diagonal are 0, whatever stands beside them"),
    _DIAGONAL: ("the diagonal of G", "the entries of d off the diagonal are 0, whatever stands beside them"),
}
_ONTO: dict[str, Callable[[Expr], Expr]] = {
    _SYMMETRIC: sym, _SKEW: skew, "lower": tril, "upper": triu, _DIAGONAL: lambda G: diag(diagvec(G)),
}  # fmt: skip


def _subspace(v: Expr) -> str:
    """The one subspace that is declared, "" for none; a diagonal matrix is a symmetric one too."""
    found = restricted(v)
    return _DIAGONAL if _DIAGONAL in found else next(iter(found), "")


def projected(v: Expr, e: Expr, add: Callable[[Step], str]) -> Expr:
    """What is paired with dv, projected on the subspace that dv ranges over: a step, unless it lies there."""
    kind = _subspace(v)
    if not kind:
        return e
    name = v.attrs[0]
    onto = _ONTO[kind](e)
    found, laws = simplify(onto)
    form, why = _SAID[kind]
    add(Step(
        id="", kind="simplify", about=name, left=e, relation="=", right=found, rules=("V-PROJ", *laws),
        why=Why(f"{name} ranges over {kind} matrices, and so does d{name}: of G, which is paired with it, the part {form} counts",
                f"{why}: ⟨G, d⟩ = ⟨{form}, d⟩ for every increment d there, and this part lies there itself, so it is the gradient "
                f"among {kind} matrices (a derivative by the independent entries alone is another question)"),
        claim=Claim("EQ", pairing(e, increment(v)), pairing(found, increment(v)))))  # fmt: skip
    return found
