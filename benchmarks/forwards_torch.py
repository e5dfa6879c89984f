"""The forward passes as one writes them in PyTorch, with its own fused functions where it has them."""

from typing import Any

import torch
from torch.nn import functional

__all__ = ["FORWARDS", "FUSED"]

Arrays = dict[str, Any]


def mlp(p: Arrays, c: Arrays) -> Any:
    x = torch.relu(torch.addmm(p["b1"], c["X"], p["W1"]))
    x = torch.relu(torch.addmm(p["b2"], x, p["W2"]))
    return functional.cross_entropy(torch.addmm(p["b3"], x, p["W3"]), c["labels"])


def softmax_ce(p: Arrays, c: Arrays) -> Any:
    return functional.cross_entropy(p["Z"], c["y"])


def layer_norm(p: Arrays, c: Arrays) -> Any:
    return torch.sum(c["C"] * functional.layer_norm(p["X"], p["g"].shape, p["g"], p["h"], 1e-5))


def rms_norm(p: Arrays, c: Arrays) -> Any:
    return torch.sum(c["C"] * functional.rms_norm(p["X"], p["g"].shape, p["g"], 1e-5))


def attention(p: Arrays, c: Arrays) -> Any:
    s = p["Q"] @ p["K"].mT / p["Q"].shape[-1] ** 0.5
    return torch.sum(c["G"] * (torch.softmax(s, dim=-1) @ p["V"]))


def attention_fused(p: Arrays, c: Arrays) -> Any:
    return torch.sum(c["G"] * functional.scaled_dot_product_attention(p["Q"], p["K"], p["V"]))


def gp(p: Arrays, c: Arrays) -> Any:
    y = c["y"]
    k = torch.exp(p["sigma"]) * torch.exp(-c["D"] / (2 * torch.exp(2 * p["ell"]))) + torch.exp(p["tau"]) * c["I"]
    low = torch.linalg.cholesky(k)
    a = torch.cholesky_solve(y[:, None], low)[:, 0]
    return 0.5 * (y @ a) + torch.sum(torch.log(torch.diagonal(low)))


def logistic(p: Arrays, c: Arrays) -> Any:
    u = torch.addmv(p["b"], c["X"], p["w"])
    return functional.binary_cross_entropy_with_logits(u, c["s"]) + 0.01 * torch.sum(p["w"] ** 2)


FORWARDS = {f.__name__: f for f in (mlp, softmax_ce, layer_norm, rms_norm, attention, gp, logistic)}
FUSED = {"attention": attention_fused}  # where PyTorch has the whole problem as one function
