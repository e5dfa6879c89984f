"""Whatever is typed, the answer is a derivation or a refusal: never another exception, never a long silence.

Inputs are made from a seed alone: random bytes, soup of the language's own words, damaged examples. Each goes the
way of the command line: bytes to text, text to a proved derivation, now and then the derivation to a page.
"""

# ruff: noqa: SIM905 - a vocabulary is read more easily as one text

import gc
import json
import os
import random
import re
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from pullback import PullbackError, derive
from pullback.language.text import decode

ROOT = Path(__file__).resolve().parents[1]
CORPORA = Path(os.environ.get("PULLBACK_CORPORA", ROOT.parent / "shared" / "corpora"))
LIMIT = 1.0  # seconds of processor time for one input, so that a busy machine changes nothing

NAMES = "W a b z y E x A B X Y V c u v s t λ alpha W1 b1 n m k x_1 h_new I_n 1_n 1_3 1_(m,n) e_ E_ I_ π pi eye".split()
CALLS = (
    "f g h loss L σ exp log tanh sin sqrt relu sigmoid softplus sum mean tr trace norm diag softmax inv det abs max vec fft eig"
    " inner dot ones zeros vector matrix pad ein reshape f' f″ f⁽4⁾ ∇loss ∇2_loss ∂1_f Dg grad_loss d1d2_f complex"
).split()
INDICES = "W_ij a_i b_j z_j y_j z_{ij} A_ik x_i,j sum_i Σ_j sum_ij ∑_k sum_{i j} 1_i δ_ij a_ijklm".split()
OPERATORS = (
    "+ - − * / ⊙ ⊘ @ · ^ .^ ^∘ ** .* ./ .' ' ᵀ ⊤ ^T ^2 ^-1 ² ⁻¹ ³ ″ ‖ || | ⟨ ⟩ < > ( ) [ ] , ; : .. = = = + ⊙ ᵀ ( ) ( )"
    " -> → == ≠ ≥ ⊗ ∇ ∂1_"
).split()
ODD = '{ } # % ~ \\ ! " $ & × √ … ℝ \t \r \u00a0 é ９ __x ️'.split(" ")
NUMBERS = "0 1 2 3 -1 0.5 .5 ½ ¼ 1e3 1e-400 1e999 10 100 999999999999999999 2i 1/2 1.2.3 ⁹⁹⁹".split()
LINES = (
    "\n|\n|\n|;|W : (m, n)|a : n|b : m|x : scalar|f : entrywise|g : (n) -> (m)|X : (n, n) where const|A : (n+1, 2*m)"
    "|loss : scalar function|given grad y as g|given grad z as q|derive grad W, b|derive a|assume n = m|assume k = n + 1"
    "|assume x > 0|assume sum(y) = 1|dialect: matlab|dialect: matrix|z = W a + b|y = f(z)|E = loss(y)|E = ½ ‖y − t‖²"
    "|z_j = sum_i W_ij a_i|y_j = f(z_j)|where|const|for k = 1..L|axis=0|X[1..n, :]|x[2]|[a; 1]|[W b]|W*x+b|x'*A*x"
    '|ein("ij,j->i", A, x)|sum(X, axis=1)|‖x‖²|⟨A, B⟩|(|)|= =|z = |E = '
).split("|")  # fmt: skip


def random_bytes(rng: random.Random) -> bytes:
    data = rng.randbytes(rng.randrange(1, 200))
    if rng.random() < 0.5:  # printable, so that the control characters do not end it at once
        data = bytes(32 + c % 95 if c % 23 else 10 for c in data)
    if rng.random() < 0.1:
        data = rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"]) + data
    return data


CLOSERS = {"(": ")", "[": "]", "⟨": "⟩"}


def soup(rng: random.Random) -> bytes:
    kinds = [NAMES, CALLS, INDICES, OPERATORS, NUMBERS, LINES]
    weights = rng.choice([(6, 2, 0, 6, 1, 2), (4, 1, 4, 6, 1, 3), (3, 4, 1, 8, 2, 1), (1, 1, 1, 1, 1, 6)])
    pieces: list[str] = []
    odd = rng.choice([0, 0, 0.02])
    for _ in range(rng.randrange(1, rng.choice([8, 30, 200]))):
        pieces.append(rng.choice(rng.choices(kinds, weights)[0]))
        if rng.random() < odd:
            pieces.append(rng.choice(ODD))
        if pieces[-1] in CALLS and rng.random() < 0.8:
            pieces.append("(")
        pieces.append(rng.choice(["", " ", " ", "  "]))
    text = "".join(pieces)
    return ("\n".join(map(closed, text.split("\n"))) if rng.random() < 0.7 else text).encode()


def closed(line: str) -> str:
    """The line with its brackets matched."""
    out: list[str] = []
    stack: list[str] = []
    for c in line:
        if c in CLOSERS:
            stack.append(CLOSERS[c])
        elif c in CLOSERS.values():
            if not stack:
                continue
            c = stack.pop()
        out.append(c)
    return "".join(out + stack[::-1])


# What stands for a value of each kind; V and v are any matrix and vector of fitting sizes.
TYPED: dict[str, list[str]] = {
    "1": [
        "V1", "V1", "½", "2", "3", "λ", "n", "π", "(1 {1})", "{1} + {1}", "{1} − {1}", "{1} * {1}", "({1}) ({1})", "{1}²",
        "({1}) / ({1})", "-{1}", "sum({n})", "sum({mn})", "{n}ᵀ ({n})", "({n})' * ({n})", "⟨{mn}, {mn}⟩", "‖{n}‖", "‖{mn}‖²",
        "tr({nn})", "loss({n})", "L({mn}, {n})", "mean({n})", "exp({1})", "f({1})", "({n})[1]", "sqrt({1})", "({1})^3",
        "({n})ᵀ ({nn}) ({n})", "tr(({mn})ᵀ ({mn}))", "log({1})", "inner({n}, {n})", "max({n})", "({n})[2]", "{1} B",
    ],
    "n": [
        "Vn", "Vn", "Vn", "{n} + {n}", "{n} − {n}", "{n} ⊙ {n}", "({1}) ({n})", "f({n})", "f'({n})", "tanh({n})", "exp({n})",
        "({nn}) ({n})", "({mn})ᵀ ({m})", "({n}) / ({1})", "({n}) ⊘ ({n})", "-{n}", "({n})^∘2", "diag({nn})", "1_n", "h({n})",
        "softmax({n})", "fft({n})", "relu({n})", "({mn})'*({m})", "sum({mn}, axis=0)", "({n}) + ({1})", "∇loss({n})", "({mn})[1, :]",
        "[{n}; {1}][1..n]", "({nn})[:, 2]", "g({n}, {n})", "[{1}; 2; {1}]", "σ({n})", "({n})ᵀᵀ", "({n} + {1})",
    ],
    "m": ["Vm", "Vm", "({mn}) ({n})", "{m} + {m}", "f({m})", "({1}) ({m})", "sum({mn}, axis=1)", "({m}) ⊙ ({m})", "1_m"],
    "mn": [
        "Vmn", "Vmn", "Vmn", "{mn} + {mn}", "({mn}) ({nn})", "{m} ({n})ᵀ", "({nn} Vmnᵀ)ᵀ", "({mn}) ⊙ ({mn})", "f({mn})",
        "({1}) ({mn})", "-{mn}", "({mn}) + ({m})", "({mn}) + ({n})", "diag({m}) ({mn})", "({mn}) / ({1})", "({mn}).^2",
        "[{m}, {m}, {mn}][:, 3..n+2]", "1_(m, n)", "exp({mn})", "({m})*({n})'", "1_m ({n})ᵀ",
    ],
    "nn": ["Vnn", "Vnn", "({mn})ᵀ ({mn})", "diag({n})", "I_n", "({nn})ᵀ", "({nn}) ({nn})", "{n} ({n})ᵀ", "{nn} − {nn}", "({nn})^2"],
}  # fmt: skip


def typed(rng: random.Random) -> bytes:
    """A program whose shapes fit, or nearly: at times a part of another kind is put in."""
    slips = rng.choice([0, 0, 0.03, 0.1])
    have = {"1": ["s", "t"], "n": ["a", "x"], "m": ["b", "y"], "mn": ["W", "A"], "nn": ["X", "M"]}

    def expression(kind: str, depth: int) -> str:
        kind = rng.choice(list(TYPED)) if rng.random() < slips else kind
        form = rng.choice(TYPED[kind] if depth > 0 else TYPED[kind][:2])
        if form[0] == "V":
            form = rng.choice(have[kind]) + form[1 + len(kind) :]
        form = form.replace("Vmn", "W")
        for part in TYPED:
            while "{" + part + "}" in form:
                form = form.replace("{" + part + "}", expression(part, depth - 1), 1)
        return form

    lines = ["s, t : scalar; a, x : n; b, y : m; W, A : (m, n); X, M : (n, n)"] * (rng.random() < 0.8)
    for k in range(rng.randrange(4)):
        kind = rng.choice(list(TYPED))
        lines.append(f"v{k} = {expression(kind, rng.randrange(1, 4))}")
        have[kind].append(f"v{k}")
    if rng.random() < 0.8:
        lines.append("E = " + expression("1", rng.randrange(1, 5)))
    else:
        lines += ["u = " + expression("n", 3), "given grad u as q"]
    if rng.random() < 0.2:
        lines.insert(rng.randrange(len(lines)), rng.choice(LINES))
    if rng.random() < 0.03:  # a circle, anywhere
        lines[1:1] = [
            "c1 = " + rng.choice(["f(c2)", "c2 + x", "X c2"]),
            "c2 = " + rng.choice(["f(c1)", "c1 + x", "X c1"]),
        ]
    return rng.choice(["\n", "; "]).join(lines).encode()


@cache
def seeds() -> list[str]:
    """Texts that mean something: the examples, and the expressions of the corpora in the MATLAB-like dialect."""
    found = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "examples").glob("*.eqn"))] * 20
    assert found
    for path in sorted(CORPORA.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            kinds = [f"{n} : ({', '.join(map(str, v['shape']))})" for n, v in row["vars"].items() if v["shape"]]
            found.append("\n".join(["dialect: matlab", *kinds, row["expr"].replace(";", "\n")]))
    return found


def mutation(rng: random.Random) -> bytes:
    """A text that means something with a few characters or words deleted, doubled, exchanged or put in."""
    text = rng.choice(seeds())
    parts = re.findall(r"\w+|\s+|.", text) if rng.random() < 0.6 else list(text)
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        if not parts:
            break
        i = rng.randrange(len(parts))
        j = min(len(parts), i + rng.choice([1, 1, 1, 3, 10]))
        kind = rng.randrange(6)
        if kind == 0:
            del parts[i:j]
        elif kind == 1:
            parts[i:i] = parts[i:j]
        elif kind == 2:
            other = rng.randrange(len(parts))
            parts[i], parts[other] = parts[other], parts[i]
        elif kind == 3:
            parts[i:i] = rng.choice(rng.choice([NAMES, OPERATORS, NUMBERS, LINES, CALLS]))
        else:  # a word by a word, a sign by a sign
            alike = [NAMES, [p for p in parts if p.isalpha()], NUMBERS] if parts[i].isalnum() else [OPERATORS]
            parts[i] = rng.choice(rng.choice(alike) or NAMES)
    return "".join(parts).encode()


# The numbers of the inputs go round this list.
MAKERS: list[Callable[[random.Random], bytes]] = [
    random_bytes, soup, soup, typed, typed, typed, typed, mutation, mutation, mutation
]  # fmt: skip


class Hang(BaseException):
    """Not an Exception, so that no `except Exception` on the way can swallow it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    def stop(signum: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def outcome(data: bytes, show: bool) -> str:
    """ "accepted", the code of the refusal, or "BUG: …"."""
    try:
        with limited(LIMIT):
            derived = derive(decode(data, "<fuzz>"), name="<fuzz>")
        if show:
            with limited(5 * LIMIT):
                pages = derived.text(), derived.latex(), derived.text(ascii=True)
            if not pages[2].isascii():
                return "BUG: a page in ASCII is not ASCII"
    except PullbackError as error:
        with limited(LIMIT):
            shown = error.render()
        if error.exit_code not in (2, 3, 4) or not shown.startswith(f"error[{error.code}]: "):
            return f"BUG: {shown}"
        return error.code
    except Hang:
        return "BUG: Hang\n" + "".join(traceback.format_exc(limit=-3))
    except Exception as error:
        return f"BUG: {type(error).__name__}\n" + "".join(traceback.format_exc(limit=-4))
    return "accepted"


def hunt(start: int, count: int, progress: bool = False) -> tuple[Counter[str], list[str], tuple[float, int]]:
    """(how often each outcome, the bugs with their inputs, the slowest input's seconds and number)."""
    tally: Counter[str] = Counter()
    bugs: list[str] = []
    slowest, began = (0.0, -1), time.monotonic()
    for number in range(start, start + count):
        rng = random.Random(number)
        data = MAKERS[number % len(MAKERS)](rng)
        clock = time.process_time()
        found = outcome(data, show=number % 97 < 2)
        slowest = max(slowest, (time.process_time() - clock, number))
        if found.startswith("BUG"):
            bugs.append(f"input {number}: {data!r}\n{found}")
            found = "BUG"
            if progress:
                print(bugs[-1], file=sys.stderr, flush=True)
        tally[found] += 1
        done = number - start + 1
        if progress and not done % 1000:
            print(f"{done} inputs, {time.monotonic() - began:.0f} s, {tally['accepted'] / done:.1%} accepted, "
                  f"{len(bugs)} bugs, slowest {slowest[0]:.2f} s (input {slowest[1]})", file=sys.stderr, flush=True)  # fmt: skip
    return tally, bugs, slowest


def test_any_text_is_derived_or_refused() -> None:
    tally, bugs, _ = hunt(0, 800)
    assert not bugs, "\n\n".join(bugs[:20])
    # The hunt is worth something only if it gets everywhere.
    assert tally["accepted"] > 40
    assert {"P001", "P002", "P004", "P005", "P011", "S001", "S002", "S003", "S010", "U001"} <= set(tally)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("PULLBACK_SLOW"), reason="PULLBACK_SLOW is not set")
def test_any_of_many_texts_is_derived_or_refused() -> None:
    gc.collect()
    gc.freeze()  # what other tests left in this process (JAX: gigabytes) is not searched for garbage on our clock
    try:
        tally, bugs, slowest = hunt(1_000_000, 100_000, progress=True)
    finally:
        gc.unfreeze()
    print(tally.most_common(), slowest)
    assert not bugs, "\n\n".join(bugs[:20])


def test_the_inputs_are_made_from_the_seed_alone() -> None:
    for make in set(MAKERS):
        assert make(random.Random(7)) == make(random.Random(7))
    assert len({make(random.Random(k)) for make in set(MAKERS) for k in range(50)}) > 190


def test_a_hang_is_noticed() -> None:
    with pytest.raises(Hang), limited(0.05):
        while True:
            pass
