"""A Jacobian or Hessian as one matrix: both sides stacked by columns, with ⊗, diag and commut."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from .algebra.expr import Expr, postorder
from .algebra.network import TooLarge
from .algebra.ops.free import is_var
from .calculus.kronecker import NoMatrix
from .calculus.roles import Letters
from .calculus.stacked import Form
from .calculus.vectorized import stacked_matrix
from .language.program import Program
from .proof.second import confirm_matrix
from .show import notation
from .show.notation import Printed
from .show.stacked import written

__all__ = ["Vec"]


class _Array(Protocol):
    """What is stacked: a Jacobian or Hessian."""

    program: Program
    expr: Expr
    wrt: tuple[Expr, ...]

    def latex(self) -> str: ...
    def evaluate(self, **arrays: Any) -> Any: ...


class Vec:
    """A Jacobian or Hessian as one matrix, both sides stacked by columns.

    `str()`, `.ascii()` and `.latex()` write it with ⊗, diag and commut; where it has no such form, as the array that it is
    made of, and `reason` says why.
    """

    def __init__(self, of: _Array) -> None:
        self.of = of
        self.form: Form | None = None
        self.reason = ""
        try:
            self.form = stacked_matrix(of.expr, of.wrt[-1])
        except NoMatrix as why:
            self.reason = str(why)
        except TooLarge:
            self.reason = "its index sums are too many to be read as matrices"
        rows = of.expr.order - of.wrt[-1].order
        self.evidence = () if self.form is None else (confirm_matrix(self.form, of.expr, rows),)

    @cached_property
    def _printed(self) -> Printed:
        if self.form is None:
            text, ascii = (f"vec({write(self.of.expr)})" for write in (notation.text, notation.ascii))
            return Printed(text, ascii, rf"\operatorname{{vec}}({self.of.latex()})")
        taken = frozenset(x.attrs[0] for x in postorder(self.of.expr) if is_var(x))
        return written(self.form, taken, Letters([*self.of.program.inputs]))

    def __str__(self) -> str:
        return self._printed.text

    __repr__ = __str__

    def ascii(self) -> str:
        return self._printed.ascii

    def latex(self) -> str:
        return self._printed.latex

    def evaluate(self, **arrays: Any) -> Any:
        """The matrix on NumPy arrays."""
        found = self.of.evaluate(**arrays)
        rows = self.of.expr.order - self.of.wrt[-1].order
        sides = (found.shape[:rows], found.shape[rows:])
        counts = [1, 1]
        for k, side in enumerate(sides):
            for n in side:
                counts[k] *= n
        return found.reshape(counts, order="F")
