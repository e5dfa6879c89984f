"""Attention: rows of values averaged with weights that queries find by keys, with bias, masks and several heads; composite ops.

Queries, keys and values are matrices, a row for each; further axes in front, of heads or examples, go along.
"""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import Expr
from ..op import Meaning, composite_op, linear_op
from .arithmetic import LETTERS, size_of
from .composites import called, fitted
from .entrywise import exp, sqrt
from .learning import along, largest, softmax
from .maps import lower
from .piecewise import abs_, minimum, step
from .reduction import sum_over
from .reshaping import permute, reshape
from .structure import einsum, ones, place
from .trigonometric import cos, sin

# ---- products of many matrices -----------------------------------------------------------------------------


def _scores(Q: Expr, K: Expr) -> Expr:
    """The products of every query with every key, divided by the root of their length."""
    front = LETTERS[: Q.order - 2]
    products = Q @ K.T if Q.order == 2 else einsum(f"{front}xz,{front}yz->{front}xy", Q, K)
    return products / sqrt(size_of(Q.shape[-1]))


def _average(A: Expr, V: Expr) -> Expr:
    """The values averaged with the weights in the rows of A."""
    front = LETTERS[: A.order - 2]
    return A @ V if A.order == 2 else einsum(f"{front}xy,{front}yz->{front}xz", A, V)


# ---- masks -------------------------------------------------------------------------------------------------


def _masked_stable(node: Expr, X: Expr, M: Expr) -> Expr:
    """Shifted by the largest entry that the mask lets through; what it does not let through is bounded, and may be as large as it likes."""
    last = X.order - 1
    seen = step(abs_(M))
    least = -largest(-X, axes=(last,))  # a bound that every type of number has, for what the mask does not let through
    shown = seen * X + along(least, X, last) * (1 - seen)
    below = X - along(largest(shown, axes=(last,)), X, last)
    e = M * exp(minimum(below, 0 * below))
    return e / along(sum_over(e, axes=(last,)), X, last)


@composite_op(
    "X[*s], M[*s] -> [*s]",
    **called("masked_softmax"),
    stable=_masked_stable,
    needs="every row of $M has an entry that is not 0",
)
def masked_softmax(X: Expr, M: Expr) -> Expr:
    """Softmax along the last axis of those entries where the mask M is 1; 0 where it is 0."""
    e = M * exp(X)
    return e / along(sum_over(e, axes=(X.order - 1,)), X, X.order - 1)


def _causal(X: Expr) -> Expr:
    """1 on and below the diagonal of the last two axes of X: a query sees the keys up to its own place."""
    below = lower(rows=X.shape[-2], columns=X.shape[-1], offset=Dim({}))
    front = LETTERS[: X.order - 2]
    return below if X.order == 2 else einsum(f"xy,{front}->{front}xy", below, ones(X.shape[:-2]))


# ---- one head ----------------------------------------------------------------------------------------------


@composite_op("Q[*s], K[*s] -> [*t]", **called("attention_weights"), **fitted("...mk,...nk->...mn"))
def attention_weights(Q: Expr, K: Expr) -> Expr:
    """The weights of scaled dot-product attention, softmax(Q Kᵀ / √d) in every row."""
    return softmax(_scores(Q, K), axis=Q.order - 1)


@composite_op("Q[*s], K[*s], V[*s] -> [*t]", **called("attention", "scaled_dot_product_attention"), **fitted("...mk,...nk,...np->...mp"),
              through=lambda Q, K, V: (attention_weights(Q, K),))  # fmt: skip
def attention(Q: Expr, K: Expr, V: Expr) -> Expr:
    """Scaled dot-product attention, softmax(Q Kᵀ / √d) V (Vaswani et al. 2017, eq. 1)."""
    return _average(attention_weights(Q, K), V)


@composite_op("Q[*s], K[*s], B[*s] -> [*t]", **called("biased_attention_weights"), **fitted("...mk,...nk,...mn->...mn"))
def biased_attention_weights(Q: Expr, K: Expr, B: Expr) -> Expr:
    """The weights of attention with a bias for every pair of a query and a key: softmax(Q Kᵀ / √d + B) in every row."""
    return softmax(_scores(Q, K) + B, axis=Q.order - 1)


@composite_op("Q[*s], K[*s], V[*s], B[*s] -> [*t]", **called("biased_attention"), **fitted("...mk,...nk,...np,...mn->...mp"),
              through=lambda Q, K, V, B: (biased_attention_weights(Q, K, B),))  # fmt: skip
def biased_attention(Q: Expr, K: Expr, V: Expr, B: Expr) -> Expr:
    """Attention with a bias: softmax(Q Kᵀ / √d + B) V, with positions for one (Raffel et al. 2020)."""
    return _average(biased_attention_weights(Q, K, B), V)


@composite_op("Q[*s], K[*s], M[*s] -> [*t]", **called("masked_attention_weights"), **fitted("...mk,...nk,...mn->...mn"),
              needs="every row of $M has an entry that is not 0")  # fmt: skip
def masked_attention_weights(Q: Expr, K: Expr, M: Expr) -> Expr:
    """The weights of attention to those keys alone where the mask M is 1."""
    return masked_softmax(_scores(Q, K), M)


@composite_op("Q[*s], K[*s], V[*s], M[*s] -> [*t]", **called("masked_attention"), **fitted("...mk,...nk,...np,...mn->...mp"),
              needs="every row of $M has an entry that is not 0", through=lambda Q, K, V, M: (masked_attention_weights(Q, K, M),))  # fmt: skip
def masked_attention(Q: Expr, K: Expr, V: Expr, M: Expr) -> Expr:
    """Attention in which a query sees those keys alone where the mask M is 1."""
    return _average(masked_attention_weights(Q, K, M), V)


@composite_op("Q[*s], K[*s] -> [*t]", **called("causal_attention_weights"), **fitted("...mk,...nk->...mn"))
def causal_attention_weights(Q: Expr, K: Expr) -> Expr:
    """The weights of attention to the keys up to a query's own place: 0 above the diagonal."""
    S = _scores(Q, K)
    return masked_softmax(S, _causal(S))


@composite_op("Q[*s], K[*s], V[*s] -> [*t]", **called("causal_attention"), **fitted("...mk,...nk,...np->...mp"),
              through=lambda Q, K, V: (causal_attention_weights(Q, K),))  # fmt: skip
def causal_attention(Q: Expr, K: Expr, V: Expr) -> Expr:
    """Attention in which a query sees the keys up to its own place: those that come later are masked."""
    return _average(causal_attention_weights(Q, K), V)


# ---- several heads -----------------------------------------------------------------------------------------


def _split(X: Expr, heads: Dim) -> Expr:
    """The columns in as many blocks as there are heads, which become the first axis. Raises ShapeError where they do not divide."""
    each = X.shape[1].over(heads)
    if each is None:
        raise ShapeError("S011", f"the columns of a tensor of shape {show_shape(X.shape)} do not fall into {heads} heads",
                         expected="as many columns as heads, or a multiple of that")  # fmt: skip
    return permute(reshape(X, dims=(X.shape[0], heads, each)), order=(1, 0, 2))


def _merged(X: Expr) -> Expr:
    """The heads beside each other again."""
    h, m, p = X.shape
    return reshape(permute(X, order=(1, 0, 2)), dims=(m, h * p))


_HEADS: dict[str, Any] = {"attrs": ("heads",), "options": {"heads": ("heads", "size")}, "unfolds": True}


@composite_op("Q[m,k], K[n,k], V[n,p] -> [m,p]", **called("multi_head_attention"), **_HEADS)
def multi_head_attention(Q: Expr, K: Expr, V: Expr, *, heads: Dim) -> Expr:
    """Attention in every one of the heads, which are blocks of columns of Q, K and V, side by side (Vaswani et al. 2017, §3.2.2)."""
    return _merged(attention(_split(Q, heads), _split(K, heads), _split(V, heads)))


@composite_op("Q[m,k], K[n,k], V[n,p] -> [m,p]", **called("causal_multi_head_attention"), **_HEADS)
def causal_multi_head_attention(Q: Expr, K: Expr, V: Expr, *, heads: Dim) -> Expr:
    """Attention in several heads in which a query sees the keys up to its own place."""
    return _merged(causal_attention(_split(Q, heads), _split(K, heads), _split(V, heads)))


def _grouped(attrs: tuple[Dim, Dim], Q: Shape, K: Shape, V: Shape) -> Shape:
    """The shape. Raises ShapeError where the heads do not share out."""
    heads, groups = attrs
    if any(len(X) != 2 for X in (Q, K, V)):
        raise ShapeError(
            "S002", f"the shapes do not fit: {', '.join(map(show_shape, (Q, K, V)))}", expected="three matrices"
        )
    shared, of_key, of_value = heads.over(groups), K[1].over(groups), V[1].over(groups)
    if shared is None or of_key is None or of_value is None or Q[1] != heads * of_key or K[0] != V[0]:
        raise ShapeError("S011", f"queries of shape {show_shape(Q)}, keys {show_shape(K)} and values {show_shape(V)} do not fall into "
                         f"{heads} heads that share {groups} keys and values",
                         expected="queries (m, heads k), keys (n, groups k), values (n, groups p), heads a multiple of groups")  # fmt: skip
    return (Q[0], heads * of_value)


@composite_op("Q[m,k], K[n,l], V[n,p] -> [m,q]", **called("grouped_query_attention"), attrs=("heads", "groups"), unfolds=True,
              options={"heads": ("heads", "size"), "groups": ("groups", "size")}, shape=_grouped,
              ties=lambda attrs, Q, K, V: list(zip(K[:1], V[:1], strict=False)))  # fmt: skip
def grouped_query_attention(Q: Expr, K: Expr, V: Expr, *, heads: Dim, groups: Dim) -> Expr:
    """Attention in several heads that share keys and values in groups, each read by heads/groups of them (Ainslie et al. 2023)."""
    shared = heads.over(groups) or heads
    k, v = _split(K, groups), _split(V, groups)
    q = reshape(
        _split(Q, heads), dims=(groups, shared * Q.shape[0], k.shape[2])
    )  # the heads of a group below each other
    O = reshape(attention(q, k, v), dims=(heads, Q.shape[0], v.shape[2]))
    return _merged(O)


# ---- positions ---------------------------------------------------------------------------------------------


def _half(shape: Shape) -> Dim:
    """Half of the last axis. Raises ShapeError where it has none."""
    half = shape[-1].over(Dim.number(2)) if shape else None
    if half is None:
        raise ShapeError("S011", f"the last axis of a tensor of shape {show_shape(shape)} does not fall into two halves",
                         expected="an even number of entries along it, as 2*n")  # fmt: skip
    return half


def _turned(e: Expr) -> list[Meaning]:
    half, total = _half(e.shape), e.shape[-1]
    first, second = (place(total=total, start=start, dim=half) for start in (Dim({}), half))
    spec = "{0}x,yz,xz->{0}y".format(LETTERS[: e.order - 1])
    return [Meaning(spec, [0], extra=(first, second), scale=-1), Meaning(spec, [0], extra=(second, first))]


def _halves(attrs: tuple[()], shape: Shape) -> Shape:
    _half(shape)
    return shape


def _alike(X: Shape, T: Shape) -> Shape:
    if X != T:
        raise ShapeError(
            "S002", f"the shapes do not fit: {show_shape(X)} and {show_shape(T)}", expected="an angle for every entry"
        )
    return _halves((), X)


def _rotated(np: Any, X: Any) -> Any:
    half = X.shape[-1] // 2
    return np.concatenate([-X[..., half:], X[..., :half]], axis=-1)


@linear_op("X[*s] -> [*s]", linear="joint", means=_turned, shape=_halves, **called("rotate_half"), ordered=True,
           array=_rotated)  # fmt: skip
def rotate_half(G: Expr, X: Expr) -> Expr:
    """The halves (a, b) of the last axis become (−b, a): every pair (aᵢ, bᵢ) is turned by a right angle.

    X M-ROTATE: ⟨$G, rotate_half($dX)⟩ = ⟨−rotate_half($G), $dX⟩ | with $G = (g, h) and $dX = (a, b): −Σ g b + Σ h a is the pairing with (h, −g)
    """
    return -rotate_half(G)


@composite_op(
    "X[*s], T[*s] -> [*s]", **called("rope", "rotary_embedding"), unfolds=True, shape=lambda attrs, X, T: _alike(X, T)
)
def rope(X: Expr, T: Expr) -> Expr:
    """Every pair of entries of X in the two halves of the last axis is turned by its angle in T (Su et al. 2021)."""
    return X * cos(T) + rotate_half(X) * sin(T)
