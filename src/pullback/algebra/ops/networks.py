"""Layers and cells of networks: affine and bilinear maps, gates, mixtures, dropout with a given mask, recurrent cells.

A layer takes a vector, or a tensor with a vector along the last axis for each example: for the rows of X, `dense` is X Wᵀ + 1 bᵀ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from ..op import Op, composite_op
from .activations import gelu, silu
from .arithmetic import LETTERS
from .composites import called, fitted, repeated
from .entrywise import sigmoid
from .learning import softmax
from .piecewise import relu
from .structure import einsum, slice_of
from .trigonometric import tanh

# ---- affine and bilinear maps ------------------------------------------------------------------------------


def _mapped(X: Expr, W: Expr) -> Expr:
    """W times every vector along the last axis of X."""
    if X.order < 3:
        return W @ X if X.order == 1 else X @ W.T
    front = LETTERS[: X.order - 1]
    return einsum(f"{front}x,yx->{front}y", X, W)


@composite_op("X[*s], W[m,n], b[m] -> [*t]", **called("dense", "affine"), unfolds=True, **fitted("...n,mn,m->...m"))
def dense(X: Expr, W: Expr, b: Expr) -> Expr:
    """The affine map W x + b of every vector x along the last axis."""
    Y = _mapped(X, W)
    return Y + repeated(b, Y, Y.order - 1)


@composite_op("X[*s], Y[*s], A[k,m,n] -> [*t]", **called("bilinear"), unfolds=True, **fitted("...m,...n,kmn->...k"))
def bilinear(X: Expr, Y: Expr, A: Expr) -> Expr:
    """The numbers xᵀ A_k y for every matrix A_k, and for the vectors x and y along the last axes."""
    front = LETTERS[: X.order - 1]
    return einsum(f"{front}y,{front}z,xyz->{front}x", X, Y, A)


@composite_op(
    "X[*s], W[m,n], A[r,n], B[m,r], s[] -> [*t]", **called("lora"), unfolds=True, **fitted("...n,mn,rn,mr,->...m")
)
def lora(X: Expr, W: Expr, A: Expr, B: Expr, s: Expr) -> Expr:
    """W x + s B A x: a matrix W with a change of low rank, B A (Hu et al. 2022, with s = α/r)."""
    return _mapped(X, W) + s * _mapped(_mapped(X, A), B)


# ---- gates -------------------------------------------------------------------------------------------------


def _part(X: Expr, k: int, parts: int) -> Expr:
    """One of equal parts of the last axis."""
    each = _each(X.shape, parts)
    return slice_of(X, X.order - 1, Dim.number(k) * each, each)


def _each(shape: Shape, parts: int) -> Dim:
    """The size of each of some equal parts of the last axis. Raises ShapeError where it does not divide."""
    each = shape[-1].over(Dim.number(parts)) if shape else None
    if each is None:
        raise ShapeError("S011", f"the last axis of a tensor of shape {show_shape(shape)} does not fall into {parts} equal parts",
                         expected=f"{parts} parts of one size along it, as {parts}*n entries")  # fmt: skip
    return each


@composite_op("X[*s] -> [*t]", **called("glu"), unfolds=True, shape=lambda attrs, X: (*X[:-1], _each(X, 2)))
def glu(X: Expr) -> Expr:
    """The first half of the last axis times σ of the second (Dauphin et al. 2017)."""
    return _part(X, 0, 2) * sigmoid(_part(X, 1, 2))


def _gated(name: str, by: Callable[[Expr], Expr], doc: str) -> Op:
    """A gated linear unit: W x, through a function, times V x."""

    def body(X: Expr, W: Expr, V: Expr) -> Expr:
        return by(_mapped(X, W)) * _mapped(X, V)

    body.__doc__ = doc
    declare: Callable[[Callable[..., Expr]], Op] = composite_op(
        "X[*s], W[m,n], V[m,n] -> [*t]", name=name, unfolds=True, **called(name), **fitted("...n,mn,mn->...m"))  # fmt: skip
    return declare(body)


swiglu = _gated("swiglu", silu, "silu(W x) ⊙ V x for every vector x along the last axis (Shazeer 2020).")
geglu = _gated("geglu", gelu, "gelu(W x) ⊙ V x for every vector x along the last axis (Shazeer 2020).")
reglu = _gated("reglu", relu, "relu(W x) ⊙ V x for every vector x along the last axis (Shazeer 2020).")


@composite_op("Z[*s], Y[*t] -> [*u]", **called("mixture", "moe"), **fitted("...k,...kn->...n"),
              through=lambda Z, Y: (softmax(Z, axis=Z.order - 1),))  # fmt: skip
def mixture(Z: Expr, Y: Expr) -> Expr:
    """Σ_k softmax(z)_k y_k: what experts say, the rows of Y, weighted by a gate with logits z (Jacobs et al. 1991)."""
    p = softmax(Z, axis=Z.order - 1)
    front = LETTERS[: Z.order - 1]
    return Y.T @ p if Z.order == 1 else einsum(f"{front}x,{front}xy->{front}y", p, Y)


@composite_op("X[*s], M[*s], p[] -> [*s]", **called("dropout"), unfolds=True, needs="$p ≠ 1")
def dropout(X: Expr, M: Expr, p: Expr) -> Expr:
    """The entries of X where the mask M is 1, divided by 1 − p where a share p is dropped (Srivastava et al. 2014)."""
    return (X * M) / (1 - p)


# ---- recurrent cells ---------------------------------------------------------------------------------------


def _gates(x: Expr, h: Expr, W: Expr, U: Expr, b: Expr) -> Expr:
    """What all gates are functions of, one below the other: W x + U h + b."""
    z = _mapped(x, W) + _mapped(h, U)
    return z + repeated(b, z, z.order - 1)


@composite_op(
    "X[*s], H[*s], W[m,n], U[m,m], b[m] -> [*s]",
    **called("rnn_cell"),
    unfolds=True,
    **fitted("...n,...m,mn,mm,m->...m"),
)
def rnn_cell(X: Expr, H: Expr, W: Expr, U: Expr, b: Expr) -> Expr:
    """The next state tanh(W x + U h + b) of an Elman network."""
    return tanh(_gates(X, H, W, U, b))


def _cell(parts: int, states: int) -> dict[str, Any]:
    """The shapes of a cell whose gates lie below each other in W, U and the vectors behind."""
    given = fitted("...n," + "...m," * states + "qn,qm" + ",q" * (3 - states) + "->...m")

    def shape(attrs: tuple[Any, ...], *shapes: Shape) -> Shape:
        found: Shape = given["shape"](attrs, *shapes)
        W = shapes[states + 1]
        if W[0] != Dim.number(parts) * found[-1]:
            raise ShapeError(
                "S002",
                f"{W[0]} rows for {parts} gates of a state of size {found[-1]}",
                expected=f"{parts} times the size of the state",
            )
        return found

    def ties(attrs: tuple[Any, ...], *shapes: Shape) -> list[tuple[Dim, Dim]]:
        h, W = shapes[1], shapes[states + 1]
        more = [(W[0], Dim.number(parts) * h[-1])] if h and W else []
        return [*given["ties"](attrs, *shapes), *more]

    return {"shape": shape, "ties": ties, "unfolds": True}


@composite_op("X[*s], H[*s], C[*s], W[q,n], U[q,m], b[q] -> [*s]", **called("lstm_state"), **_cell(4, 2))
def lstm_state(X: Expr, H: Expr, C: Expr, W: Expr, U: Expr, b: Expr) -> Expr:
    """The next cell state f ⊙ c + i ⊙ g of an LSTM, for gates i, f, g, o in this order (Hochreiter and Schmidhuber 1997)."""
    Z = _gates(X, H, W, U, b)
    i, f, g = sigmoid(_part(Z, 0, 4)), sigmoid(_part(Z, 1, 4)), tanh(_part(Z, 2, 4))
    return f * C + i * g


@composite_op("X[*s], H[*s], C[*s], W[q,n], U[q,m], b[q] -> [*s]", **called("lstm_cell"), **_cell(4, 2))
def lstm_cell(X: Expr, H: Expr, C: Expr, W: Expr, U: Expr, b: Expr) -> Expr:
    """The next output o ⊙ tanh(c′) of an LSTM, c′ its next cell state."""
    o = sigmoid(_part(_gates(X, H, W, U, b), 3, 4))
    return o * tanh(lstm_state(X, H, C, W, U, b))


@composite_op("X[*s], H[*s], W[q,n], U[q,m], b[q], c[q] -> [*s]", **called("gru_cell"), **_cell(3, 1))
def gru_cell(X: Expr, H: Expr, W: Expr, U: Expr, b: Expr, c: Expr) -> Expr:
    """(1 − z) ⊙ n + z ⊙ h with n = tanh(W x + b + r ⊙ (U h + c)), for gates r, z, n in this order (Cho et al. 2014, as in PyTorch)."""
    A, B = dense(X, W, b), dense(H, U, c)
    r, z = sigmoid(_part(A, 0, 3) + _part(B, 0, 3)), sigmoid(_part(A, 1, 3) + _part(B, 1, 3))
    n = tanh(_part(A, 2, 3) + r * _part(B, 2, 3))
    return (1 - z) * n + z * H
