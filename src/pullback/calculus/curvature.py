"""The Hessian times a direction, from the backward equations: H p = ∇⟨∇E, p⟩, p constant (theory.md §4, "Higher order").

The backward equations follow the forward ones in one program, whose last equation is s = Σ⟨∇v, p_v⟩, the change of E along p.
H is symmetric, so the gradient of s is H p: reverse over reverse, at a small multiple of the cost of ∇E, and no H is formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..algebra.expr import Expr
from ..algebra.ops.arithmetic import added
from ..algebra.ops.free import var
from ..algebra.ops.matrix import inner
from .core import Definition
from .derivation import Derivation
from .derive import derive
from .second import Again, again

__all__ = ["Curvature", "curvature"]


@dataclass(frozen=True, slots=True)
class Curvature:
    """The program of s, and the backward equations of s, which are to be checked like any others."""

    source: Again  # forward and backward equations of E
    slope: Definition  # s
    directions: dict[Expr, Expr]  # v -> p_v
    derivation: Derivation  # of s, with respect to every v


def curvature(first: Derivation, wrt: Sequence[Expr]) -> Curvature:
    """The derivation of H p for the Hessian of the target of `first`, which has gradients of all of `wrt`."""
    source, bars = again(first, wrt)
    taken = {str(v.attrs[0]) for v in (*first.inputs, *(d.var for d in source.definitions))}
    p = _free("pdv", [f"_{v.attrs[0]}" for v in wrt], taken)
    s = _free("srq", ["", *(f"_{v}" for v in taken)], taken)
    directions = {v: var(f"{p}_{v.attrs[0]}", v.shape) for v in wrt}
    slope = Definition(var(s, ()), added([inner(bar, directions[v]) for v, bar in zip(wrt, bars, strict=True)]))
    inputs = (*first.inputs, *directions.values())
    second = derive([*source.definitions, slope], inputs, slope.var, wrt, plain=True)
    return Curvature(source, slope, directions, second)


def _free(letters: str, ends: Sequence[str], taken: set[str]) -> str:
    """The first of the letters, else of their repetitions, that begins no name which is taken."""
    words = (c * n for n in range(1, len(taken) + 2) for c in letters)
    return next(w for w in words if not any(w + end in taken for end in ends))
