"""Names, and functions of which only the name is known: f, its derivatives f′, f″, and Jacobians Dg(x)."""

from __future__ import annotations

from ...errors import ShapeError
from ..dims import Shape, show_shape
from ..expr import Expr
from ..op import leaf_op, op
from .arithmetic import LETTERS
from .matrix import pair
from .structure import einsum

_PRIMES = ("", "′", "″", "‴")


RESTRICTED = "restricted"  # a mark among the facts: the name ranges over the tensors that have them, and no others
_LINEAR = ("symmetric", "skew", "lower", "upper", "diagonal")  # facts that differences of such tensors have too


@leaf_op(name="var", attrs=("name", "kind", "dims", "facts"), shape=lambda attrs: attrs[2])
def _var() -> None:
    """A named tensor. `kind` is "value", "d" (its increment) or "grad" (its cotangent); `facts` is what is known of it."""


def var(name: str, shape: Shape, kind: str = "value", facts: tuple[str, ...] = ()) -> Expr:
    return _var(name=name, kind=kind, dims=tuple(shape), facts=facts)


def facts_of(e: Expr) -> tuple[str, ...]:
    """What is declared of a named tensor (facts.py); () for anything else."""
    found: tuple[str, ...] = e.attrs[3] if e.op is _var else ()
    return found


def _moves_in(v: Expr) -> tuple[str, ...]:
    """The facts of increments and gradients of `v`."""
    facts = v.attrs[3]
    return tuple(f for f in facts if f in _LINEAR) if RESTRICTED in facts else ()


def is_var(e: Expr, kind: str = "value") -> bool:
    return e.op is _var and e.attrs[1] == kind


def is_name(e: Expr) -> bool:
    """Whether `e` is a named leaf of any kind."""
    return e.op is _var


def increment(v: Expr) -> Expr:
    """dv, an arbitrary increment of the named tensor v."""
    return var(v.attrs[0], v.shape, "d", _moves_in(v))


def gradient(v: Expr) -> Expr:
    """∇v, the name of the gradient of the named tensor v."""
    return var(v.attrs[0], v.shape, "grad", _moves_in(v))


# ---- entrywise functions ---------------------------------------------------------------------------------


def primes(name: str, orders: tuple[int, ...]) -> str:
    if len(orders) == 1:
        return name + (_PRIMES[orders[0]] if orders[0] < len(_PRIMES) else f"⁽{orders[0]}⁾")
    return "".join(f"∂{i + 1}" * k for i, k in enumerate(orders)) + ("_" if any(orders) else "") + name


def _args(e: Expr) -> str:
    return "(" + ", ".join(f"${i}:0" for i in range(len(e.args))) + ")"


def _free_latex(e: Expr) -> str:
    name, orders = e.attrs
    if len(orders) == 1:
        return "@" + str(name) + "@" + ("'" * orders[0] if orders[0] < 4 else f"^{{({orders[0]})}}") + _args(e)
    return "".join(rf"\partial_{{{i + 1}}}" * k for i, k in enumerate(orders)) + "@" + str(name) + "@" + _args(e)


def _entrywise_shape(attrs: tuple[str, tuple[int, ...]], *shapes: Shape) -> Shape:
    if len(attrs[1]) != len(shapes) or any(s != shapes[0] for s in shapes):
        raise ShapeError("S002", f"{attrs[0]} acts entry by entry: its arguments have one shape, not "
                         + " and ".join(show_shape(s) for s in shapes))  # fmt: skip
    return shapes[0]


@op("X[*s] -> [*s]", name="free_map", attrs=("name", "orders"), shape=_entrywise_shape, entrywise=True,
    text=lambda e: "@" + primes(*e.attrs) + "@" + _args(e), latex=_free_latex,
    needs=lambda e: f"{primes(*e.attrs)} is differentiable at " + ("every entry of $0" if len(e.args) == 1 else "every tuple of entries of "
                    + _point(e)))  # fmt: skip
def _free_map(Y: Expr, *both: Expr, name: str, orders: tuple[int, ...]) -> tuple[Expr, ...]:
    """f(t + dt) = f(t) + f′(t) dt + o(|dt|) in every entry, which is what differentiable means: the linear part is kept.

    X D-MAP: $name acts entry by entry: the entry of the result depends on the same entry of $0 alone, with slope $slope
    """
    args, increments = both[: len(orders)], both[len(orders) :]
    terms = []
    for i, dX in enumerate(increments):
        raised = tuple(k + (j == i) for j, k in enumerate(orders))
        terms.append(_free_map(*args, name=name, orders=raised) * dX)
    return tuple(terms)


def free_map(name: str, *args: Expr, orders: tuple[int, ...] | None = None) -> Expr:
    """f(x, ..) entry by entry, f unknown; `orders` says how often it is differentiated in each argument."""
    return _free_map(*args, name=name, orders=orders or (0,) * len(args))


def is_free_map(e: Expr) -> bool:
    return e.op is _free_map


def is_free_function(e: Expr) -> bool:
    return e.op is _free_function


# ---- tensor functions ------------------------------------------------------------------------------------


def _jacobian_shape(attrs: tuple[str, tuple[int, ...], Shape], *shapes: Shape) -> Shape:
    shape = attrs[2]
    for i in attrs[1]:
        shape = shape + shapes[i]
    return shape


def _which(slots: tuple[int, ...], between: str) -> str:
    """The places of the arguments, counted from 1: 12, and 1_10 where one of them has two digits."""
    return (between if max(slots) > 8 else "").join(str(i + 1) for i in slots)


def _mark(e: Expr) -> str:
    """What is written in front of a function for its derivative."""
    return "D" if e.attrs[2] else "∇"


def _function_text(e: Expr) -> str:
    name, slots, _ = e.attrs
    mark = _mark(e) * len(slots)
    which = _which(slots, "_") if len(e.args) > 1 and slots else ""
    return (f"@{mark}{which}_{name}@" if which else f"@{mark}{name}@") + _args(e)


def _function_latex(e: Expr) -> str:
    name, slots, out = e.attrs
    mark = (r"\nabla" if not out else "D") if slots else ""
    power = f"^{{{len(slots)}}}" if len(slots) > 1 else ""
    which = "_{" + _which(slots, ",") + "}" if len(e.args) > 1 and slots else ""
    return f"{mark}{power}{which} @{name}@" + _args(e)


def _point(e: Expr) -> str:
    """Where a function of several arguments must be differentiable: in all of them together."""
    return (
        "$0"
        if len(e.args) == 1
        else "(" + ", ".join(f"${k}" for k in range(len(e.args))) + "), in all arguments jointly"
    )


@op("X[*s] -> [*t]", name="free_function", attrs=("name", "slots", "out"), shape=_jacobian_shape, text=_function_text,
    latex=_function_latex, needs=lambda e: f"{_mark(e) * len(e.attrs[1])}{e.attrs[0]} is differentiable at {_point(e)}")  # fmt: skip
def _free_function(Y: Expr, *both: Expr, name: str, slots: tuple[int, ...], out: Shape) -> tuple[Expr, ...]:
    """g(x + dx) = g(x) + L dx + o(‖dx‖), L linear, which is what differentiable means; the entries of L are the partial derivatives.

    X D-FUN: the linear part of the change of $name has its partial derivatives $slope as coefficients of $dX
    """
    args, increments = both[: len(both) // 2], both[len(both) // 2 :]
    terms = []
    for i, dX in enumerate(increments):
        jacobian = _free_function(*args, name=name, slots=(*slots, i), out=out)
        if not Y.order:
            terms.append(pair(jacobian, dX))
        elif (Y.order, dX.order) == (1, 1):
            terms.append(jacobian @ dX)
        else:
            rows, cols = LETTERS[: Y.order], LETTERS[Y.order : jacobian.order]
            terms.append(einsum(f"{rows}{cols},{cols}->{rows}", jacobian, dX))
    return tuple(terms)


def free_function(name: str, out: Shape, *args: Expr, slots: tuple[int, ...] = ()) -> Expr:
    """g(x, ..) of shape `out`, g unknown; with `slots`, its derivative with respect to those arguments.

    A derivative has the axes of the result, then those of each argument it is taken in: the gradient ∇ℓ(y) of a
    scalar function has the shape of y, the Jacobian Dg(x) of g: (n) → (m) has the shape (m, n).
    """
    return _free_function(*args, name=name, slots=slots, out=tuple(out))
