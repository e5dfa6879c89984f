"""Attention: rows of values averaged with weights that queries find by keys; composite ops."""

from __future__ import annotations

from ..expr import Expr
from ..op import composite_op
from .arithmetic import size_of
from .entrywise import sqrt
from .learning import softmax


@composite_op("Q[m,k], K[n,k] -> [m,n]", text="attention_weights($Q:0, $K:0)", latex=r"\operatorname{weights}($Q:0, $K:0)",
              calls=("attention_weights",))  # fmt: skip
def attention_weights(Q: Expr, K: Expr) -> Expr:
    """The weights of scaled dot-product attention, softmax(Q Kᵀ / √d) in every row."""
    return softmax((Q @ K.T) / sqrt(size_of(Q.shape[1])), axis=1)


@composite_op("Q[m,k], K[n,k], V[n,p] -> [m,p]", text="attention($Q:0, $K:0, $V:0)", latex=r"\operatorname{attention}($Q:0, $K:0, $V:0)",
              calls=("attention",), through=lambda Q, K, V: (attention_weights(Q, K),))  # fmt: skip
def attention(Q: Expr, K: Expr, V: Expr) -> Expr:
    """Scaled dot-product attention, softmax(Q Kᵀ / √d) V (Vaswani et al. 2017, eq. 1)."""
    return attention_weights(Q, K) @ V
