"""One layer in PyTorch: by autograd, and by hand, each line beside the equation that it executes."""

import torch


def tensors(*arrays, grad=False):
    return [torch.tensor(x, dtype=torch.float64, requires_grad=grad) for x in arrays]


def by_tape(W, a, b, dy, f):
    W, a, b = tensors(W, a, b, grad=True)
    z = W @ a + b
    z.retain_grad()
    y = f(z)
    y.backward(torch.tensor(dy, dtype=torch.float64))
    return [x.grad.numpy() for x in (z, W, a, b)]


def by_hand(W, a, b, dy, f, f_prime):
    W, a, b, dy = tensors(W, a, b, dy)
    z = W @ a + b
    dz = dy * f_prime(z)  # ∇z = ∇y ⊙ f′(z)
    dW = torch.outer(dz, a)  # ∇W = ∇z aᵀ
    da = W.T @ dz  # ∇a = Wᵀ ∇z
    db = dz  # ∇b = ∇z
    return [g.numpy() for g in (dz, dW, da, db)]


def mlp3(X, T, W, b):
    """Gradients of ½‖A3 − T‖²/B for examples/mlp3.eqn: of W1, W2, W3, b1, b2, b3."""
    X, T = tensors(X, T)
    W, b = tensors(*W, grad=True), tensors(*b, grad=True)
    A = X
    for w, v in zip(W, b, strict=True):
        A = torch.tanh(w @ A + v[:, None])
    E = 0.5 * torch.sum((A - T) ** 2) / X.shape[1]
    E.backward()
    return [x.grad.numpy() for x in (*W, *b)]
