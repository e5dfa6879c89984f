"""Handwritten digits, learnt by a derived backward pass in NumPy, beside the same run by automatic differentiation.

Usage: python examples/training/digits.py [--epochs 5] [--seed 1] [--picture FILE]

digits.eqn is derived and compiled; momentum SGD does the rest. PyTorch (JAX, where it is not installed) starts from the same
parameters and sees the same batches. The exit status is 1 if any parameter differs by more than 1e-9 at the end, or
if at most 95 % of the test images are classified rightly.
"""

import argparse
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from shown import INK, PALE, ROOT, Progress, at_least_one, saved
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import pullback as pb

HIDDEN = (64, 32)
BATCH, RATE, MOMENTUM = 32, 0.05, 0.9
AGREE, ACCURATE = 1e-9, 0.95


def forward(xp, X, p):
    """The scores of every class for every image; xp is NumPy, PyTorch or JAX."""
    A1 = xp.tanh(X @ p["W1"] + p["b1"])
    A2 = xp.tanh(A1 @ p["W2"] + p["b2"])
    return A2 @ p["W3"] + p["b3"]


class Derived:
    """Training by the derived gradient."""

    def __init__(self, start):
        self.name = "derived, NumPy"
        self.p = {k: x.copy() for k, x in start.items()}
        self.speed = {k: np.zeros_like(x) for k, x in start.items()}
        d = pb.derive(Path(__file__).with_name("digits.eqn").read_text(encoding="utf-8"))
        make = d.compile("numpy", form="buffers")
        n0, n1, n2, n3 = (*start["W1"].shape, *start["W3"].shape)
        self.compute = cache(lambda B: make(B=B, n0=n0, n1=n1, n2=n2, n3=n3))  # the last batch is shorter

    def step(self, X, Y):
        loss, gradient = self.compute(len(X))(X, Y, **self.p)
        for k, g in gradient.items():
            self.speed[k] *= MOMENTUM
            self.speed[k] += g
            self.p[k] -= RATE * self.speed[k]
        return float(loss)

    def parameters(self):
        return self.p


class Torch:
    """The same by PyTorch's autograd and its own loss and optimizer."""

    def __init__(self, start):
        import torch

        self.name, self.torch = "PyTorch, autograd", torch
        self.p = {k: torch.tensor(x, requires_grad=True) for k, x in start.items()}
        self.optimizer = torch.optim.SGD(self.p.values(), lr=RATE, momentum=MOMENTUM)

    def step(self, X, Y):
        scores = forward(self.torch, self.torch.from_numpy(X), self.p)
        loss = self.torch.nn.functional.cross_entropy(scores, self.torch.from_numpy(Y))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def parameters(self):
        return {k: x.detach().numpy() for k, x in self.p.items()}


class Jax:
    """The same by jax.value_and_grad."""

    def __init__(self, start):
        import jax

        jax.config.update("jax_enable_x64", True)
        self.name = "JAX, value_and_grad"
        self.p = {k: jax.numpy.asarray(x) for k, x in start.items()}
        self.speed = {k: 0 * x for k, x in self.p.items()}

        def loss(p, X, Y):
            return -(Y * jax.nn.log_softmax(forward(jax.numpy, X, p))).sum() / len(X)

        @jax.jit
        def update(p, speed, X, Y):
            value, gradient = jax.value_and_grad(loss)(p, X, Y)
            speed = {k: MOMENTUM * speed[k] + g for k, g in gradient.items()}
            return {k: p[k] - RATE * speed[k] for k in p}, speed, value

        self.update = update

    def step(self, X, Y):
        self.p, self.speed, loss = self.update(self.p, self.speed, X, Y)
        return float(loss)

    def parameters(self):
        return {k: np.asarray(x) for k, x in self.p.items()}


def other():
    """What the derived run is compared with."""
    if find_spec("torch"):
        return Torch
    if find_spec("jax"):
        print("PyTorch is not installed: compared with JAX instead")
        return Jax
    raise SystemExit("neither PyTorch nor JAX is installed: there is nothing to compare with")


def data(seed):
    """Images to train and to test with, then their classes; pixels from their mean, in units of their spread."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=y)
    mean = X.mean(axis=0)
    spread = (X - mean).std()
    return (X - mean) / spread, (X_test - mean) / spread, y, y_test


def initial(rng, *widths):
    """Weights of the size that keeps activations as large as their inputs; biases 0."""
    p = {}
    for k, (n, m) in enumerate(pairwise(widths), 1):
        p[f"W{k}"] = rng.normal(size=(n, m)) / np.sqrt(n)
        p[f"b{k}"] = np.zeros(m)
    return p


def accuracy(p, X, y):
    return float(np.mean(np.argmax(forward(np, X, p), axis=1) == y))


def difference(one, other):
    """The largest between any two entries of the parameters."""
    return max(float(np.max(np.abs(one[k] - other[k]))) for k in one)


def run(epochs, seed, picture):
    X, X_test, y, y_test = data(seed)
    Y = np.eye(10)[y]
    rng = np.random.default_rng(seed)
    start = initial(rng, X.shape[1], *HIDDEN, 10)
    runs = [Derived(start), other()(start)]
    print(
        f"{len(X)} images of digits to train with, {len(X_test)} to test with; {' beside '.join(r.name for r in runs)}"
    )
    losses, right, apart = ([], []), ([], []), []
    steps = -(-len(X) // BATCH)
    progress = Progress(epochs * steps)
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(X))
        for k in range(steps):
            rows = order[k * BATCH : (k + 1) * BATCH]
            for one, losses_of_one in zip(runs, losses, strict=True):
                losses_of_one.append(one.step(X[rows], Y[rows]))
            apart.append(difference(*(r.parameters() for r in runs)))
            progress.bar(len(apart), f"epoch {epoch}/{epochs}  loss {losses[0][-1]:.4f} | {losses[1][-1]:.4f}")
        for one, right_of_one in zip(runs, right, strict=True):
            right_of_one.append(accuracy(one.parameters(), X_test, y_test))
        mean = [sum(x[-steps:]) / steps for x in losses]
        progress.line(
            f"epoch {epoch}/{epochs}  loss {mean[0]:.4f} | {mean[1]:.4f}"
            f"  test accuracy {right[0][-1]:.2%} | {right[1][-1]:.2%}  largest difference {apart[-1]:.1e}"
        )
    same, good = apart[-1] <= AGREE, right[0][-1] > ACCURATE
    print(f"parameters differ by at most {apart[-1]:.1e}: {'the same' if same else 'NOT THE SAME'} to {AGREE:.0e}")
    print(f"test accuracy {right[0][-1]:.2%}: {'over' if good else 'NOT OVER'} {ACCURATE:.0%}")
    if picture:
        print(saved(picture, "Handwritten digits: the derived backward pass beside autodiff",
                    panels(runs, losses, right, apart, steps)))  # fmt: skip
    return 0 if same and good else 1


def panels(runs, losses, right, apart, steps):
    """The three curves of the picture, against the number of epochs."""
    at = np.arange(1, len(apart) + 1) / steps
    ends = np.arange(1, len(right[0]) + 1)
    names = [r.name for r in runs]

    def loss(ax):
        ax.plot(at, losses[0], color=INK[0], linewidth=2.2, label=names[0])
        ax.plot(at, losses[1], color=INK[1], linewidth=1.1, linestyle=(0, (3, 3)), label=names[1])
        ax.set(title="loss of each batch", xlabel="epoch", ylabel="cross-entropy (nats)", yscale="log")
        ax.legend(frameon=False)

    def correct(ax):
        ax.plot(ends, [100 * r for r in right[0]], "o-", color=INK[0], markersize=9, linewidth=2.2, label=names[0])
        ax.plot(ends, [100 * r for r in right[1]], "o--", color=INK[1], markersize=4, linewidth=1.1, label=names[1])
        ax.axhline(100 * ACCURATE, color=PALE, linewidth=1, linestyle=":")
        ax.annotate("wanted", (1, 100 * ACCURATE), (0, 4), textcoords="offset points", color=PALE)
        ax.annotate(
            f"{right[0][-1]:.1%}", (ends[-1], 100 * right[0][-1]), (0, 9), textcoords="offset points", ha="center"
        )
        ax.set(title="test accuracy", xlabel="epoch", ylabel="images classified rightly (%)", xticks=ends)
        ax.set_ylim(top=100)
        ax.legend(frameon=False, loc="lower right")

    def gap(ax):
        ax.plot(at, apart, color=INK[2], linewidth=1.8)
        ax.axhline(AGREE, color=PALE, linewidth=1, linestyle=":")
        ax.annotate("allowed", (at[-1], AGREE), (0, -11), textcoords="offset points", ha="right", color=PALE)
        ax.set(title="largest difference of a parameter", xlabel="epoch", ylabel="absolute", yscale="log")

    return [loss, correct, gap]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=at_least_one, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the split, the start and the batches")
    parser.add_argument("--picture", type=Path, default=ROOT / "build/train/digits.png")
    asked = parser.parse_args(argv)
    return run(asked.epochs, asked.seed, asked.picture)


if __name__ == "__main__":
    raise SystemExit(main())
