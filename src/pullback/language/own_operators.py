"""A function with a definition, written in Python: `defined("phi", lambda t: t * ops.tanh(t))`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..algebra.expr import Expr, postorder, substitute
from ..algebra.op import rational
from ..algebra.ops.arithmetic import rational as number
from ..algebra.ops.defined import Defined, defined_map
from ..algebra.ops.defined import defined as define
from ..algebra.ops.free import is_name, is_var, var
from ..errors import ParseError, ShapeError
from .functions import is_written

__all__ = ["OwnFunction", "defined"]


class OwnFunction:
    """A function with a definition, applied entry by entry. Numbers beside tensors are the same for every entry."""

    def __init__(self, function: Defined, orders: tuple[int, ...]) -> None:
        self.function, self.orders = function, orders

    def __call__(self, *raw: Any) -> Expr:
        f = self.function
        args = [a if isinstance(a, Expr) else number(rational(a)) for a in raw]
        if len(args) != len(f.params):
            takes, has = (
                f"{k} {word}{'s' * (k != 1)}" for k, word in ((len(f.params), "parameter"), (len(args), "argument"))
            )
            raise ShapeError("S001", f"{f.name} is defined with {takes} and was given {has}",
                             expected=f"{f.name}({', '.join(str(p.attrs[0]) for p in f.params)})")  # fmt: skip
        return defined_map(f, *args, *f.outer, orders=self.orders)

    def derivative(self, place: int = 1) -> OwnFunction:
        """The derivative in one argument, counted from 1: phi.derivative()(z) is φ′(z)."""
        count = len(self.function.params)
        if not 1 <= place <= count:
            raise ParseError("P002", f"there is no argument {place} of {self.function.name}", expected=f"1 to {count}")
        return OwnFunction(self.function, tuple(k + (i == place - 1) for i, k in enumerate(self.orders)))

    def __repr__(self) -> str:
        return self.function.spelling(self.orders)


def defined(name: str, body: Callable[..., Any]) -> OwnFunction:
    """A function with a definition: `body` is called once, with a scalar for each of its parameters.

    >>> phi = defined("phi", lambda t: t * ops.tanh(t))      # doctest: +SKIP

    Other scalars in it are names from outside; gradients with respect to them are derived too. Raises ParseError P004,
    P013, P060, UnsupportedError U060, U061.
    """
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise ParseError("P013", f"{name!r:.80} cannot be a name", expected="a name that starts with a letter")
    if is_written(name):
        raise ParseError("P060", f"{name} is a known function", expected="a name without a meaning of its own",
                         hint=f"use pb.ops.{name}, or give the function another name")  # fmt: skip
    words = list(inspect.signature(body).parameters)
    params = {var(w, (), "parameter"): var(w, ()) for w in words}
    if not params:
        raise ParseError("P060", f"{name} has no parameter", expected=f'defined("{name}", lambda t: …)')
    found = body(*params)
    value = found if isinstance(found, Expr) else number(rational(found))
    outer = [x for x in dict.fromkeys(postorder(value)) if is_name(x) and x not in params]
    hidden = next((x for x in outer if not is_var(x) or x in params.values()), None)
    if hidden is not None:
        raise ParseError("P060", f"the parameter {hidden.attrs[0]} of {name} has the name of another scalar in its definition",
                         expected="another name for the parameter")  # fmt: skip
    made = define(name, tuple(params.values()), outer, substitute(value, params))
    return OwnFunction(made, (0,) * len(made.slots))
