"""Sums over the index of a family: Σ_{t=1..T} X[t]."""

from __future__ import annotations

from collections.abc import Mapping

from ..dims import Dim
from ..expr import Expr, postorder, rebuild
from ..indexed import at
from ..op import NEG, TIMES, linear_op
from ..ranges import Range
from .arithmetic import rational
from .structure import zeros


def _ends(e: Expr) -> tuple[str, str, str]:
    letter, first, last = e.attrs
    return letter, *(str(d).replace(" ", "") for d in (first, last))


def _series_text(e: Expr) -> str:
    letter, first, last = _ends(e)
    return f"Σ_{{{letter}={first}..{last}}} $X:{TIMES}"


def _series_latex(e: Expr) -> str:
    letter, first, last = _ends(e)
    return rf"\sum_{{{letter}={first}}}^{{{last}}} $X:{TIMES}"


@linear_op("X[*s] -> [*s]", linear="each", attrs=("letter", "first", "last"), binder=True, fix=NEG,
           text=_series_text, latex=_series_latex)  # fmt: skip
def series(G: Expr, X: Expr, *, letter: str, first: Dim, last: Dim) -> Expr:
    """⟨G, Σ_t X[t]⟩ = Σ_t ⟨G, X[t]⟩: a pairing is linear in its second argument.

    X M-SERIES: ⟨$G, Σ $dX⟩ = Σ ⟨$G, $dX⟩: every term of the sum is paired with the same $G | a finite sum may be taken term by term
    """
    return G


def series_ranges(root: Expr) -> tuple[Range, ...]:
    """The ranges of all sums over an index in `root`."""
    return tuple(dict.fromkeys(Range(*e.attrs) for e in postorder(root) if e.op is series))


def without_sums(root: Expr) -> Expr:
    """One term of every sum over an index."""
    return rebuild(root, lambda e, args: args[0] if e.op is series else e.with_args(args))


def write_out(root: Expr, sizes: Mapping[str, int]) -> Expr:
    """`root` with every sum over an index written out, the ends of its range having these values."""

    def change(e: Expr, args: tuple[Expr, ...]) -> Expr:
        if e.op is not series:
            return e.with_args(args)
        letter, first, last = e.attrs
        terms = [at(args[0], {letter: Dim.number(k)}) for k in range(first.value(sizes), last.value(sizes) + 1)]
        while len(terms) > 1:  # in a balanced tree, so that its depth stays small
            terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + terms[len(terms) & ~1 :]
        return terms[0] if terms else zeros(e.shape) if e.shape else rational(0)

    return rebuild(root, change)
