"""Arrays that are computed anew in the backward pass: the same gradients, the kept set as said, less memory, a limit that is met."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from _layers import LAYERS

import pullback as pb
from pullback.cli import main
from pullback.code.frame import Words
from pullback.code.instructions import Given, arguments
from pullback.code.memory import alive, peak
from pullback.code.ordering import earlier
from pullback.code.plan import Plan, plan
from pullback.code.recomputing import recomputed, within
from pullback.code.targets import writer_of
from pullback.errors import ParseError, UnsupportedError
from pullback.lighter import bytes_of, sized
from pullback.show import notation
from pullback.show.names import ascii_name

np = pytest.importorskip("numpy")
WORDS = Words(ascii_name, notation.text)

HAVE = [(t, f) for t, f in (("numpy", "function"), ("numpy", "buffers"), ("jax", "function"), ("jax", "autodiff"),
                            ("torch", "function"), ("torch", "autodiff")) if importlib.util.find_spec(t)]  # fmt: skip


def deep(layers: int, f: str = "tanh") -> str:
    """A network of `layers` equal layers."""
    lines = ["X : (n, B)", *(f"W{k} : (n, n)" for k in range(1, layers + 1))]
    for k in range(1, layers + 1):
        lines += [f"Z{k} = W{k} {f'A{k - 1}' if k > 1 else 'X'}", f"A{k} = {f}(Z{k})"]
    return "\n".join([*lines, f"E = ½ ‖A{layers}‖²"])


# (program, marked, what is kept beside inputs, shapes)
CASES: dict[str, tuple[str, str, set[str], dict[str, tuple[int, ...]]]] = {
    "deep": (deep(4), "Z1,A1,Z3,A3", {"A2", "A4"}, {"X": (3, 5), **{f"W{k}": (3, 3) for k in range(1, 5)}}),
    "relu": (deep(3, "relu"), "Z1,A1,A2,Z2", {"A3"}, {"X": (3, 5), **{f"W{k}": (3, 3) for k in range(1, 4)}}),
    "attention": ("S = c (Q Kᵀ); A = softmax(S, axis=1); O = A V; E = ½ ‖O − Y‖²", "S,A", {"t1", "max", "sum", "u₁"},
                  {"c": (), "Q": (3, 2), "K": (40, 2), "V": (40, 4), "Y": (3, 4)}),
    "cross-entropy": ("Z = W X; P = softmax(Z, axis=0); E = -sum(Y .* log(P))", "P,Z", {"max", "sum", "log P"},
                      {"W": (40, 4), "X": (4, 5), "Y": (40, 5)}),
    "convolution": ("x : (b, c, n)\nw : (o, c, 3)\ny = conv1d(x, w); z = tanh(y); v = z .* z; E = sum(v .* v)", "y,z,v", set(),
                    {"x": (2, 3, 7), "w": (4, 3, 3)}),
}  # fmt: skip

UNNAMED = {"t1", "max", "sum", "log P"}


def arrays(case: str, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found = {n: np.array(rng.uniform(0.1, 0.9, size=s)) for n, s in CASES[case][3].items()}
    return found


@pytest.mark.parametrize("target", HAVE, ids="-".join)
@pytest.mark.parametrize("case", CASES)
def test_the_gradients_are_the_same(case: str, target: tuple[str, str]) -> None:
    text, marked, _, _ = CASES[case]
    d = pb.derive(text)
    given = arrays(case)
    _, wanted = d.evaluate(**given)
    f = d.compile(target[0], form=target[1], recompute=marked)
    if target[1] == "buffers":
        sizes = {}
        for v in d.derivation.inputs:
            sizes.update({str(n): k for n, k in zip(v.shape, given[v.attrs[0]].shape, strict=True)})
        f = f(**{n: sizes[n] for n in inspect.signature(f).parameters if n != "dtype"})
        f(**given)
    if target[0] == "torch":
        import torch

        given = {n: torch.tensor(x, requires_grad=target[1] == "autodiff") for n, x in given.items()}
    if target[1] == "function" or target[1] == "buffers":
        found = f(**given)[1]
    elif target[0] == "jax":
        import jax

        found = dict(zip(given, jax.grad(f, argnums=tuple(range(len(given))))(*given.values()), strict=True))
    else:
        f(*given.values()).backward()
        found = {n: x.grad for n, x in given.items()}
    for n, g in wanted.items():
        np.testing.assert_allclose(np.asarray(found[n]), g, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", LAYERS)
def test_all_that_may_be_is_computed_again(name: str) -> None:
    """Every array of the forward pass that has a name and is no result; and every second one."""
    text, shapes, wrt = LAYERS[name]
    d = pb.derive(text, wrt=wrt)
    rng = np.random.default_rng(1)
    given = {n: rng.uniform(0.1, 0.9, size=s) for n, s in shapes.items()}
    if name == "Gaussian process":
        given["K"] = given["K"] @ given["K"].T + np.eye(4)
    order = [v.attrs[0] for v in d.derivation.inputs]
    value, wanted = d.evaluate(**given)
    p = plan(d.derivation, wrt)
    size = sized({})
    ends = {p.value, *p.gradients.values()}
    some = [v for v in p.values[: p.backward] if v.about is not None and not isinstance(v.by, Given) and v not in ends]
    for marked in (some, some[::2], some[1::2]):
        less = recomputed(p, marked, size)
        names: dict[str, Any] = {}
        exec(writer_of("numpy", "function")(less, WORDS, "both"), names)
        found = names["both"](*(given[n] for n in order))
        np.testing.assert_allclose(found[0], value, rtol=1e-12)
        for n in wrt:
            np.testing.assert_allclose(found[1][n], wanted[n], rtol=1e-10, atol=1e-12)


def made(p: Plan) -> list[Any]:
    return [v for v in p.kept() if not isinstance(v.by, Given)]


@pytest.mark.parametrize("case", CASES)
def test_the_kept_set_is_as_said(case: str) -> None:
    text, marked, wanted, _ = CASES[case]
    p = plan(pb.derive(text).derivation, sizes={"n": 40, "p": 40})
    less = recomputed(p, {v for v in p.values if v.name in marked.split(",")}, sized({"p": 40}))
    unnamed = [v for v in made(less) if not v.name and v.shape]
    assert {v.name for v in made(less) if v.name} == {n for n in wanted if n not in UNNAMED}
    assert len(unnamed) == len(wanted & UNNAMED)
    assert {v.name for v in less.again if v.name} == set(marked.split(","))
    assert p.values[: p.backward] == [v for v in less.values if v in p.values[: p.backward]]


def test_autodiff_keeps_less() -> None:
    d = pb.derive(deep(4))
    text = d.code("jax", form="autodiff", recompute="Z1,A1,Z3,A3")
    kept = text[text.index("    return E, (") : text.index("def _backward")]
    assert "A1" not in kept and "A3" not in kept and "A2" in kept
    assert "# again: A1 = tanh(Z1)" in text and "jax.lax.optimization_barrier" in text


def test_measured_memory_falls() -> None:
    """NumPy, by tracemalloc: what one call allocates at most, and what the buffers are."""
    layers, n, batch = 12, 8, 4096
    d = pb.derive(deep(layers))
    marked = [f"{c}{k}" for k in range(1, layers) for c in "ZA" if k % 4]
    rng = np.random.default_rng(0)
    given = {v.attrs[0]: rng.normal(size=(n, batch if v.attrs[0] == "X" else n)) for v in d.derivation.inputs}
    one = 8 * n * batch
    peaks = {}
    for form in ("function", "buffers"):
        for marks in ((), tuple(marked)):
            f = d.compile("numpy", form=form, recompute=marks)
            tracemalloc.start()
            if form == "buffers":
                f = f(n=n, B=batch)
            f(**given)
            peaks[form, bool(marks)] = tracemalloc.get_traced_memory()[1] / one
            tracemalloc.stop()
    # kept are A4, A8, A12 instead of twelve arrays, beside some that are computed just then
    assert peaks["buffers", True] < 0.75 * peaks["buffers", False]
    assert peaks["function", True] < 0.6 * peaks["function", False]
    size = sized({"n": n, "B": batch})
    p = plan(d.derivation)
    less = recomputed(p, {v for v in p.values if v.name in marked}, size)
    assert peak(less, size) < 0.75 * peak(p, size)


def test_the_backward_pass_frees_early() -> None:
    """∇W[k] follows when its arrays are at hand, so that the peak is one array a layer and not two."""
    size = sized({"n": 4, "B": 1000})
    for layers in (4, 16):
        p = plan(pb.derive(deep(layers)).derivation, sizes={"n": 4, "B": 1000})
        assert peak(p, size) < 1000 * 4 * (layers + 4)
        after = p.values[p.backward :]
        place = {v: k for k, v in enumerate(after)}
        assert all(place.get(a, -1) < k for k, v in enumerate(after) for a in arguments(v.by))
        assert sorted(earlier(after, {p.value, *p.gradients.values()}, p.uses, size), key=place.__getitem__) == after


# ---- within a limit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.9, 0.75, 0.6])
def test_a_limit_is_met(share: float) -> None:
    sizes = {"n": 8, "B": 512}
    size = sized(sizes)
    p = plan(pb.derive(deep(12)).derivation, sizes=sizes)
    limit = int(share * peak(p, size))
    found = within(p, limit, size)
    assert max(alive(found, size)) <= limit < peak(p, size)
    assert found.again


def test_more_is_computed_again_only_as_needed() -> None:
    sizes = {"n": 8, "B": 512}
    p = plan(pb.derive(deep(12)).derivation, sizes=sizes)
    size = sized(sizes)
    counts = [len(within(p, int(s * peak(p, size)), size).again) for s in (1.0, 0.9, 0.75, 0.6)]
    assert counts[0] == 0 and counts == sorted(counts) and counts[1] < counts[3]


def test_a_limit_that_cannot_be_met_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="less than") as found:
        pb.derive(deep(3)).plan(memory="1kB")
    assert found.value.code == "U048"


def test_amounts_of_memory() -> None:
    assert [bytes_of(x) for x in ("200MB", "1.5GiB", "64 KiB", "10", 10, "3kb")] == [
        200_000_000, 3 * 2**29, 65536, 10, 10, 3000]  # fmt: skip
    for wrong in ("much", "1 XB", "-3MB", "", "1e9"):
        with pytest.raises(ParseError, match="no amount of memory"):
            bytes_of(wrong)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--recompute", "Q9"], "P003"), (["--recompute", "W1"], "P003"), (["--recompute", "E"], "P030"),
        (["--recompute", "auto"], "P030"), (["--memory", "lots"], "P030"), (["--memory", "10B"], "U048"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["plan", "code"])
def test_wrong_options(command: str, options: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "-e", deep(2), *options]) != 0
    answer = capsys.readouterr()
    assert f"error[{code}]" in answer.err and not answer.out


def test_a_program_with_an_index_is_refused() -> None:
    d = pb.derive("z[k] = tanh(W z[k-1]) for k = 1..L; z[0] : n; E = loss(z[L])")
    with pytest.raises(UnsupportedError, match="computed anew"):
        d.code("numpy", recompute="z")


def test_the_table_compares(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "-e", deep(12), "--sizes", "n=8,B=512", "--memory", "300kB"]) == 0
    out = capsys.readouterr().out
    assert "computed again: " in out and "without that: " in out and "A1_again  " in out


def test_ruff_has_nothing_to_say(tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    for case, (text, marked, _, _) in CASES.items():
        d = pb.derive(text)
        for target, form in (("numpy", "function"), ("numpy", "buffers"), ("jax", "function"), ("jax", "autodiff"), ("torch", "autodiff")):  # fmt: skip
            path = tmp_path / f"{case.replace('-', '_')}_{target}_{form}.py"
            path.write_text(d.code(target, form=form, recompute=marked), encoding="utf-8")
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)],
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_buffers_need_what_the_plan_says() -> None:
    """Matrices of several shapes lie in one memory, one after the other, so that a limit is kept."""
    layers = "; ".join(f"Z{k} = W{k} {f'A{k - 1}' if k > 1 else 'X'}; A{k} = tanh(Z{k})" for k in range(1, 5))
    d = pb.derive(f"X : (n, B); {layers}; E = ½ ‖A4‖²", wrt=["W1", "W2", "W3", "W4"])
    sizes = {"n": 24, "m": 32, "p": 28, "q": 30, "r": 20, "B": 1024}
    rows = [sizes[s] for s in "nmpqr"]
    rng = np.random.default_rng(2)
    arrays = {
        "X": rng.normal(size=(24, 1024)),
        **{f"W{k}": rng.normal(size=(rows[k], rows[k - 1])) for k in range(1, 5)},
    }
    given = sum(a.nbytes for a in arrays.values())
    wanted = d.evaluate(**arrays)
    for memory in (None, 1_600_000):
        make = d.compile("numpy", form="buffers", sizes=sizes, memory=memory)
        tracemalloc.start()
        value, grad = make(**sizes)(**arrays)
        peak = tracemalloc.get_traced_memory()[1] + given
        tracemalloc.stop()
        assert value == pytest.approx(wanted[0], rel=1e-12)
        assert all(np.allclose(grad[n], g, rtol=1e-12, atol=1e-12) for n, g in wanted[1].items())
        said = re.search(r"peak memory: ([\d.]+) MiB", d.plan(sizes=sizes, memory=memory))
        assert said is not None and peak <= 1.15 * float(said[1]) * 2**20
        assert memory is None or peak <= memory
