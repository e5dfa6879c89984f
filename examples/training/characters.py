"""A recurrent network that learns to write, character by character, by derived backpropagation through time in NumPy.

Usage: python examples/training/characters.py [--steps 500] [--seed 1] [--picture FILE]

The text is the licence of this repository. characters.eqn is derived with its index t and compiled; Adam does the rest.
Before the first step the gradients are compared with those of JAX (lax.scan and grad), where it is installed, and with
the proved equations evaluated one by one. The exit status is 1 if one differs by more than 1e-9, or if in the end
text that was held out is not predicted better than by the frequencies of the characters.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from shown import INK, PALE, ROOT, Progress, at_least_one, saved

import pullback as pb

WEIGHTS = ("W", "U", "b", "V", "c")
STATE, BATCH, LENGTH = 128, 32, 32
RATE, DECAY, TINY = 0.003, (0.9, 0.999), 1e-8
AGREE = 1e-9
TEMPERATURE = 0.6  # below 1: what is likely is written still more often
EVERY = 50  # steps between two looks at the text held out


class Text:
    """Characters as numbers; the last tenth is held out."""

    def __init__(self, text):
        self.alphabet = sorted(set(text))
        codes = np.array([self.alphabet.index(a) for a in text])
        cut = len(codes) * 9 // 10
        self.train, self.held_out = codes[:cut], codes[cut:]

    def pieces(self, codes, starts):
        """What each piece of the text says, and what comes next: (LENGTH, pieces, characters), 1 at each character."""
        at = np.arange(LENGTH)[:, None] + starts
        one = np.eye(len(self.alphabet))
        return {"X": one[codes[at]], "Y": one[codes[at + 1]], "H_0": np.zeros((len(starts), STATE))}

    def drawn(self, rng):
        return self.pieces(self.train, rng.integers(len(self.train) - LENGTH, size=BATCH))

    def test(self):
        """All of what was held out."""
        return self.pieces(self.held_out, np.arange(0, len(self.held_out) - LENGTH, LENGTH))

    def by_frequency(self):
        """The cross-entropy of the text held out, of one who knows how often each character is."""
        count = 1 + np.bincount(self.train, minlength=len(self.alphabet))
        return float(-np.log(count / count.sum())[self.held_out].mean())


class Adam:
    """Steps of Kingma and Ba 2015."""

    def __init__(self, p):
        self.p, self.count = p, 0
        self.mean, self.square = ({k: np.zeros_like(x) for k, x in p.items()} for _ in range(2))

    def step(self, gradient):
        self.count += 1
        one, two = DECAY
        for k, g in gradient.items():
            self.mean[k] += (1 - one) * (g - self.mean[k])
            self.square[k] += (1 - two) * (g * g - self.square[k])
            mean, square = self.mean[k] / (1 - one**self.count), self.square[k] / (1 - two**self.count)
            self.p[k] -= RATE * mean / (np.sqrt(square) + TINY)


def initial(rng, n, v):
    return {
        "W": rng.normal(size=(n, n)) / np.sqrt(n),
        "U": rng.normal(size=(v, n)) / np.sqrt(n),
        "b": np.zeros(n),
        "V": rng.normal(size=(n, v)) / np.sqrt(n),
        "c": np.zeros(v),
    }


def cell(xp, H, X, p):
    """The next state, and the scores of what comes next; xp is NumPy or JAX."""
    H = xp.tanh(H @ p["W"] + X @ p["U"] + p["b"])
    return H, H @ p["V"] + p["c"]


def by_jax(p, X, Y, H_0):
    """(value, gradients) by lax.scan and value_and_grad."""
    import jax

    jax.config.update("jax_enable_x64", True)

    def loss(p):
        _, Z = jax.lax.scan(lambda H, x: cell(jax.numpy, H, x, p), H_0, X)
        return -(Y * jax.nn.log_softmax(Z)).sum(axis=-1).mean()

    return jax.value_and_grad(loss)(p)


def difference(one, other):
    """The largest between any two entries of the gradients."""
    return max(float(np.max(np.abs(one[k] - np.asarray(other[k])))) for k in WEIGHTS)


def agrees(d, compute, p, piece):
    """Whether the compiled gradients are those of the proved equations one by one, and of JAX."""
    value, gradient = compute(**p, **piece)
    others = {"the equations one by one": d.evaluate(**p, X=piece["X"], Y=piece["Y"], H={0: piece["H_0"]})}
    if find_spec("jax"):
        others["JAX, lax.scan and grad"] = by_jax(p, **piece)
    else:
        print("JAX is not installed: the gradients are compared with the proved equations alone")
    apart = {}
    for name, (other, theirs) in others.items():
        apart[name] = max(abs(float(value) - float(other)), difference(gradient, theirs))
        print(f"gradients at the start against {name}: largest difference {apart[name]:.1e}")
    return max(apart.values()) <= AGREE


def written(rng, p, alphabet, first, length):
    """A text by the network, every character drawn from its probabilities, sharpened."""
    H, found = np.zeros((1, STATE)), [alphabet.index(first)]
    for _ in range(length):
        H, Z = cell(np, H, np.eye(len(alphabet))[found[-1:]], p)
        chance = np.exp((Z[0] - Z.max()) / TEMPERATURE)
        found.append(int(rng.choice(len(alphabet), p=chance / chance.sum())))
    return "".join(alphabet[k] for k in found)


def run(steps, seed, picture):
    text = Text((ROOT / "LICENSE").read_text(encoding="utf-8"))
    rng = np.random.default_rng(seed)
    p = initial(rng, STATE, len(text.alphabet))
    d = pb.derive(Path(__file__).with_name("characters.eqn").read_text(encoding="utf-8"), wrt=WEIGHTS)
    compute = d.compile("numpy")
    same = agrees(d, compute, p, text.drawn(rng))
    adam, test, frequency = Adam(p), text.test(), text.by_frequency()
    progress, losses, tested = Progress(steps), [], []
    for k in range(1, steps + 1):
        loss, gradient = compute(**p, **text.drawn(rng))
        losses.append(float(loss))
        if k == 1 or k % EVERY == 0 or k == steps:
            tested.append((k, float(compute(**p, **test)[0])))
            progress.line(f"step {k}/{steps}  loss {loss:.3f}  held out {tested[-1][1]:.3f}")
        adam.step(gradient)
        progress.bar(k, f"step {k}/{steps}  loss {loss:.3f}")
    learnt = tested[-1][1] < frequency
    print(f"held out {tested[-1][1]:.3f} nats a character: {'less' if learnt else 'NOT LESS'} than {frequency:.3f}, "
          "what the frequencies of the characters give")  # fmt: skip
    print("── the network writes ──", written(rng, p, text.alphabet, "T", 400), "──", sep="\n")
    if picture:
        print(
            saved(
                picture,
                "A recurrent network by derived backpropagation through time",
                [curves(losses, tested, frequency)],
            )
        )
    return 0 if same and learnt else 1


def curves(losses, tested, frequency):
    def loss(ax):
        ax.plot(np.arange(1, len(losses) + 1), losses, color=INK[0], linewidth=0.8, label="each batch")
        ax.plot(*zip(*tested, strict=True), "o-", color=INK[1], markersize=3.5, linewidth=1.4, label="text held out")
        ax.axhline(frequency, color=PALE, linewidth=1, linestyle=":")
        ax.annotate(
            "by frequency alone", (len(losses), frequency), (0, 4), textcoords="offset points", ha="right", color=PALE
        )
        ax.set(xlabel="step", ylabel="cross-entropy (nats a character)", ylim=(0, None))
        ax.legend(frameon=False)

    return loss


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=at_least_one, default=500)
    parser.add_argument("--seed", type=int, default=1, help="of the start and the batches")
    parser.add_argument("--picture", type=Path, default=ROOT / "build/train/characters.png")
    asked = parser.parse_args(argv)
    return run(asked.steps, asked.seed, asked.picture)


if __name__ == "__main__":
    raise SystemExit(main())
