"""Functions with kinks: steps, signs, selections and bounds. All of them are made of `step`, the one that has the sides.

What is taken at a kink is a convention, and is said: it is the slope of no linear part there.
"""

from __future__ import annotations

from fractions import Fraction

from ..expr import Expr
from ..op import REGISTRY, op
from .arithmetic import rational
from .entrywise import filled, mapped, with_numbers


@mapped("step", lambda t: float(t > 0), names=("heaviside",), exact=lambda coin, t: coin, jumps="no entry of $X is zero",
        code="xp.heaviside($X, 0)", absorbs=("step", "sign"), nonnegative=lambda e, X: REGISTRY["sign"](X),
        kink="step is 0 at 0, and its derivative is taken as 0 everywhere")  # fmt: skip
def step(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """step is constant on both sides of 0: its derivative is 0 wherever it has one.

    X D-MAP: step is constant on each side of 0
    """
    return (rational(0) * Y) * dX


@mapped("relu", lambda t: max(t, 0.0), exact=lambda coin, t: coin * t, code="xp.maximum($X, 0)", absorbs=("step", "sign"),
        tells=lambda Y, X: [(step(X), step(Y))], gives=("nonnegative",),
        kink="relu has no derivative at 0; the convention relu′(0) = 0 is taken, as PyTorch and JAX do")  # fmt: skip
def relu(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """relu(t) is t for t > 0 and 0 for t < 0, so its slope is 1 or 0.

    X D-MAP: relu acts entry by entry with slope step(t): 1 where t > 0, else 0
    """
    return step(X) * dX


def _sign(t: float) -> float:
    return float((t > 0) - (t < 0))


@mapped("sign", _sign, names=("sgn",), exact=lambda coin, t: 2 * coin - 1 if t else t, jumps="no entry of $X is zero",
        code="xp.sign($X)",
        kink="sign is 0 at 0, and its derivative is taken as 0 everywhere, as PyTorch and JAX do")  # fmt: skip
def sign(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """sign is constant on both sides of 0: its derivative is 0 wherever it has one.

    X D-MAP: sign is constant on each side of 0
    """
    return (rational(0) * Y) * dX


@mapped("abs", lambda t: abs(t), latex=r"\left|$X:0\right|", exact=lambda coin, t: (2 * coin - 1) * t, code="xp.abs($X)",
        kink="abs has no derivative at 0; the convention 0 is taken there, as PyTorch does (JAX takes 1)")  # fmt: skip
def abs_(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """|t| is t for t > 0 and −t for t < 0, so its slope is 1 or −1: the sign of t.

    X D-MAP: |·| acts entry by entry with slope sign(t)
    """
    return sign(X) * dX


# ---- the larger and the smaller of two ---------------------------------------------------------------------


@op("X[*s], Y[*s] -> [*s]", name="maximum", define=lambda e, X, Y: Y + relu(X - Y), text="maximum($X:0, $Y:0)",
    latex=r"\max($X:0, $Y:0)", calls=("maximum", "max2"), entrywise=True, real=lambda s, t: max(s, t),
    code="xp.maximum($X, $Y)", tells=lambda Z, X, Y: [(step(X - Y), step(Z - Y))], kink="maximum has no derivative at a tie; the whole slope is given to the second argument there "
    "(PyTorch and JAX give half to each)")  # fmt: skip
def maximum(Z: Expr, X: Expr, Y: Expr, dX: Expr, dY: Expr) -> tuple[Expr, Expr]:
    """The larger of two numbers moves as that one does: max(s, t) = t + relu(s − t).

    X D-MAP: with $Y held still, the slope is 1 where the first is larger, else 0
    Y D-MAP: with $X held still, the slope is 0 where the first is larger, else 1
    """
    return step(X - Y) * dX, (1 - step(X - Y)) * dY


@op("X[*s], Y[*s] -> [*s]", name="minimum", define=lambda e, X, Y: Y - relu(Y - X), text="minimum($X:0, $Y:0)",
    latex=r"\min($X:0, $Y:0)", calls=("minimum", "min2"), entrywise=True, real=lambda s, t: min(s, t),
    code="xp.minimum($X, $Y)", tells=lambda Z, X, Y: [(step(Y - X), step(Y - Z))], kink="minimum has no derivative at a tie; the whole slope is given to the second argument there "
    "(PyTorch and JAX give half to each)")  # fmt: skip
def minimum(Z: Expr, X: Expr, Y: Expr, dX: Expr, dY: Expr) -> tuple[Expr, Expr]:
    """The smaller of two numbers moves as that one does: min(s, t) = t − relu(t − s).

    X D-MAP: with $Y held still, the slope is 1 where the first is smaller, else 0
    Y D-MAP: with $X held still, the slope is 0 where the first is smaller, else 1
    """
    return step(Y - X) * dX, (1 - step(Y - X)) * dY


@op("M[*s], A[*s], B[*s] -> [*s]", name="where", define=lambda e, M, A, B: M * A + (1 - M) * B, entrywise=True,
    text="where($M:0, $A:0, $B:0)", latex=r"\operatorname{where}($M:0, $A:0, $B:0)", calls=("where",),
    needs="every entry of $M is 0 or 1")  # fmt: skip
def where(Y: Expr, M: Expr, A: Expr, B: Expr, dM: Expr, dA: Expr, dB: Expr) -> tuple[Expr, Expr, Expr]:
    """where(m, a, b) = m a + (1 − m) b: a where the mask is 1, b where it is 0.

    M D-MAP: m a + (1 − m) b is linear in m, with the slope a − b
    A D-MAP: m a + (1 − m) b is linear in a, with the slope m
    B D-MAP: m a + (1 − m) b is linear in b, with the slope 1 − m
    """
    return (A - B) * dM, M * dA, (1 - M) * dB


# ---- bounds ------------------------------------------------------------------------------------------------

_AT_A_BOUND = "has no derivative at its bounds; the convention 0 is taken there"


@op("X[*s], l[], u[] -> [*s]", name="clip", define=lambda e, X, l, u: minimum(maximum(X, filled(l, X)), filled(u, X)),
    text="clip($X:0, $l:0, $u:0)", latex=r"\operatorname{clip}($X:0, $l:0, $u:0)", calls=("clip", "clamp"), entrywise=True,
    real=lambda t, l, u: min(max(t, l), u), code="xp.clip($X, $l, $u)",
    piece=lambda X, l, u: (step(X - filled(l, X)) * step(filled(u, X) - X), X),
    kink=f"clip {_AT_A_BOUND} (PyTorch takes 1, JAX ½)")  # fmt: skip
def clip(Y: Expr, X: Expr, l: Expr, u: Expr, dX: Expr, dl: Expr, du: Expr) -> tuple[Expr, Expr, Expr]:
    """Between the bounds clip moves as its argument does; beyond one of them it is that bound.

    X D-MAP: clip acts entry by entry with slope 1 where $l < t < $u, else 0
    l D-MAP: an entry that lies below $l is $l, if that is below $u, and no other entry depends on $l
    u D-MAP: an entry that lies above $u is $u, and so is each of them if $l lies above $u; no other entry depends on $u
    """
    low, high = filled(l, X), filled(u, X)
    return ((step(X - low) * step(high - X)) * dX, (step(u - l) * dl) * (1 - step(X - low)),
            du * (1 - step(high - maximum(X, low))))  # fmt: skip


@op("X[*s], L[*s], U[*s] -> [*s]", name="clip_each", define=lambda e, X, L, U: minimum(maximum(X, L), U), entrywise=True,
    text="clip($X:0, $L:0, $U:0)", latex=r"\operatorname{clip}($X:0, $L:0, $U:0)", calls=("clip", "clamp"),
    real=lambda t, l, u: min(max(t, l), u), kink=f"clip {_AT_A_BOUND} (PyTorch takes 1, JAX ½)")  # fmt: skip
def clip_each(Y: Expr, X: Expr, L: Expr, U: Expr, dX: Expr, dL: Expr, dU: Expr) -> tuple[Expr, Expr, Expr]:
    """Between the bounds clip moves as its argument does; beyond one of them it is that bound.

    X D-MAP: clip acts entry by entry with slope 1 where l < t < u, else 0
    L D-MAP: an entry that lies below its lower bound is that bound, if that is below the upper one
    U D-MAP: an entry that lies above its upper bound is that bound, and so it is if the lower one lies above it
    """
    return ((step(X - L) * step(U - X)) * dX, (step(U - L) * (1 - step(X - L))) * dL,
            (1 - step(U - maximum(X, L))) * dU)  # fmt: skip


@mapped("clip01", lambda t: min(max(t, 0.0), 1.0), define=lambda e, X: clip(X, rational(0), rational(1)),
        code="xp.clip($X, 0, 1)", tells=lambda Y, X: [(step(X), step(Y)), (step(1 - X), step(1 - Y))],
        kink=f"clip01 {_AT_A_BOUND} (PyTorch takes 1, JAX ½)")  # fmt: skip
def clip01(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """clip01(t) is t between 0 and 1, and the nearer of both elsewhere.

    X D-MAP: clip01 acts entry by entry with slope 1 where 0 < t < 1, else 0
    """
    return (step(X) * step(1 - X)) * dX


@mapped("relu6", lambda t: min(max(t, 0.0), 6.0), define=lambda e, X: clip(X, rational(0), rational(6)),
        tells=lambda Y, X: [(step(X), step(Y)), (step(6 - X), step(6 - Y))],
        kink=f"relu6 {_AT_A_BOUND}, as PyTorch and JAX do")  # fmt: skip
def relu6(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """relu6(t) is t between 0 and 6, and the nearer of both elsewhere.

    X D-MAP: relu6 acts entry by entry with slope 1 where 0 < t < 6, else 0
    """
    return (step(X) * step(6 - X)) * dX


@mapped("hardtanh", lambda t: min(max(t, -1.0), 1.0), define=lambda e, X: clip(X, rational(-1), rational(1)),
        tells=lambda Y, X: [(step(X + 1), step(Y + 1)), (step(1 - X), step(1 - Y))],
        kink=f"hardtanh {_AT_A_BOUND}, as PyTorch does (JAX takes 1)")  # fmt: skip
def hardtanh(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """hardtanh(t) is t between −1 and 1, and the nearer of both elsewhere.

    X D-MAP: hardtanh acts entry by entry with slope 1 where −1 < t < 1, else 0
    """
    return (step(X + 1) * step(1 - X)) * dX


@mapped("hardsigmoid", lambda t: min(max(t + 3, 0.0), 6.0) / 6, names=("hard_sigmoid",),
        define=lambda e, X: rational(Fraction(1, 6)) * relu6(X + 3),
        kink="hardsigmoid has no derivative at −3 and 3; the convention 0 is taken there, as PyTorch and JAX do")  # fmt: skip
def hardsigmoid(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """hardsigmoid(t) = relu6(t + 3)/6: a straight line from (−3, 0) to (3, 1).

    X D-MAP: hardsigmoid acts entry by entry with slope 1/6 where −3 < t < 3, else 0
    """
    return rational(Fraction(1, 6)) * ((step(X + 3) * step(3 - X)) * dX)


@mapped("hardswish", lambda t: t * min(max(t + 3, 0.0), 6.0) / 6, names=("hard_swish", "hardsilu"),
        define=lambda e, X: X * hardsigmoid(X),
        kink="hardswish has no derivative at −3 and 3; there its factor hardsigmoid is taken as constant, as JAX does: 0 and 1")  # fmt: skip
def hardswish(Y: Expr, X: Expr, dX: Expr) -> Expr:
    """hardswish(t) = t hardsigmoid(t), a product: both factors change.

    X D-MAP: hardswish acts entry by entry with slope hardsigmoid(t) + t hardsigmoid′(t)
    """
    return (hardsigmoid(X) + rational(Fraction(1, 6)) * (X * step(X + 3) * step(3 - X))) * dX


@op("X[*s], a[] -> [*s]", name="leaky_relu", define=lambda e, X, a: a * X + (1 - a) * relu(X), calls=("leaky_relu", "leakyrelu", "prelu"),
    entrywise=True,
    **with_numbers("leaky_relu", "a", omitted=(Fraction(1, 100),)),
    tells=lambda Y, X, a: [(step(X), step(Y))] if a.op.number and 0 < a.attrs[0] <= 1 else [],
    real=lambda t, a: t if t > 0 else a * t, kink="leaky_relu has no derivative at 0; the slope of the left side is taken there, "
    "as PyTorch does (JAX takes that of the right side, 1)")  # fmt: skip
def leaky_relu(Y: Expr, X: Expr, a: Expr, dX: Expr, da: Expr) -> tuple[Expr, Expr]:
    """leaky_relu(t) is t for t > 0 and a t for t < 0, so its slope is 1 or a.

    X D-MAP: leaky_relu acts entry by entry with slope 1 where t > 0, else $a
    a D-MAP: an entry that is not positive is multiplied by $a, the others do not depend on it
    """
    return (step(X) + a * (1 - step(X))) * dX, -(da * relu(-X))


@op("X[*s], a[] -> [*s]", name="softshrink", define=lambda e, X, a: X - clip(X, -a, a), calls=("softshrink", "soft_threshold"),
    entrywise=True,
    **with_numbers("softshrink", "a", omitted=(Fraction(1, 2),)),
    real=lambda t, a: t - min(max(t, -a), a), kink="softshrink has no derivative at −a and a; 1 is taken there (PyTorch takes 0)")  # fmt: skip
def softshrink(Y: Expr, X: Expr, a: Expr, dX: Expr, da: Expr) -> tuple[Expr, list[Expr]]:
    """softshrink moves every entry towards 0 by a, and those nearer than a to 0.

    X D-MAP: softshrink acts entry by entry with slope 0 where −$a < t < $a, else 1
    a D-MAP: an entry above $a is t − $a, one below −$a is t + $a, and the others are 0
    """
    low, high = filled(-a, X), filled(a, X)
    inside = step(X - low) * step(high - X)
    return (1 - inside) * dX, [(step(a + a) * da) * (1 - step(X - low)), -(da * (1 - step(high - maximum(X, low))))]
