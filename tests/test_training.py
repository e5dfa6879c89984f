"""The training runs of examples/training: as they are, shortened; and whole, where slow tests are run."""

import importlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest

np = pytest.importorskip("numpy")
try:
    from threadpoolctl import threadpool_limits  # scikit-learn needs it
except ImportError:
    threadpool_limits = None

ROOT = Path(__file__).resolve().parents[1]
TRAINING = ROOT / "examples/training"
EPOCH = re.compile(r"epoch \d/\d  loss [\d.]+ \| [\d.]+  test accuracy [\d.]+% \| [\d.]+%")

Load = Callable[[str], ModuleType]
installed = importlib.util.find_spec
needs_images = pytest.mark.skipif(not installed("sklearn"), reason="the images come with scikit-learn")
needs_autodiff = pytest.mark.skipif(not (installed("torch") or installed("jax")), reason="nothing to compare with")
needs_jax = pytest.mark.skipif(not installed("jax"), reason="compared with JAX")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports a script, and nothing of it stays; one thread, for other tests run beside it."""
    monkeypatch.syspath_prepend(str(TRAINING))
    names = ("digits", "characters", "shown")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with threadpool_limits(1) if threadpool_limits else nullcontext():
        yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


def as_a_user(name: str, *options: str) -> str:
    """What the script says, run as one runs it."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(TRAINING / f"{name}.py"), *options]
    found = subprocess.run(command, env=env, capture_output=True, text=True, timeout=500)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stderr == ""  # no bar where nobody looks
    return found.stdout


def sees_a_picture(path: Path, said: str) -> None:
    if installed("matplotlib"):
        assert f"picture: {path}" in said
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000
    else:
        assert "matplotlib is not installed" in said


def knows_digits(said: str, epochs: int) -> None:
    assert len(EPOCH.findall(said)) == epochs
    [apart] = re.findall(r"parameters differ by at most (\S+):", said)
    [right] = re.findall(r"^test accuracy ([\d.]+)%", said, re.M)
    assert float(apart) <= 1e-9 and float(right) > 95
    assert ("PyTorch is not installed" in said) == (not installed("torch"))


def writes(said: str, loss: float) -> None:
    apart = re.findall(r"gradients at the start against (.*): largest difference (\S+)", said)
    assert len(apart) == 2 and all(float(x) <= 1e-9 for _, x in apart)
    losses = [float(x) for x in re.findall(r"^step .* loss ([\d.]+)", said, re.M)]
    assert losses[0] > 4 and losses[-1] < loss
    assert len(said.split("── the network writes ──\n")[1].rsplit("\n──", 1)[0]) == 401


@needs_images
@needs_autodiff
def test_digits(load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Derived and automatic training end at the same parameters, and know the digits."""
    picture = tmp_path / "new/digits.png"
    assert load("digits").main(["--epochs", "1", "--picture", str(picture)]) == 0
    said = capsys.readouterr().out
    knows_digits(said, 1)
    sees_a_picture(picture, said)


@pytest.mark.slow
@needs_images
@needs_autodiff
def test_digits_to_the_end(tmp_path: Path) -> None:
    """The run that the page shows."""
    said = as_a_user("digits", "--picture", str(tmp_path / "digits.png"))
    knows_digits(said, 5)
    sees_a_picture(tmp_path / "digits.png", said)
    assert EPOCH.findall((ROOT / "docs/training.md").read_text(encoding="utf-8")) == EPOCH.findall(said)


@needs_jax
def test_characters(load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "characters.png"
    assert load("characters").main(["--steps", "60", "--picture", str(picture)]) == 0
    said = capsys.readouterr().out
    writes(said, 3)
    sees_a_picture(picture, said)


@pytest.mark.slow
@needs_jax
def test_characters_to_the_end(tmp_path: Path) -> None:
    said = as_a_user("characters", "--picture", str(tmp_path / "characters.png"))
    writes(said, 1.5)
    sees_a_picture(tmp_path / "characters.png", said)


@needs_images
@needs_autodiff
def test_a_wrong_gradient_is_seen(
    load: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One gradient too large by 9e-8 of itself: the images are known all the same, and the exit status is 1."""
    digits = load("digits")

    class Wrong(digits.Derived):
        def __init__(self, start):
            super().__init__(start)
            right = self.compute
            self.compute = lambda B: lambda *a, **k: off(*right(B)(*a, **k))

    def off(loss, gradient):
        gradient["W2"] *= 1 + 9e-8
        return loss, gradient

    monkeypatch.setattr(digits, "Derived", Wrong)
    assert digits.run(1, 1, None) == 1
    said = capsys.readouterr().out
    assert "NOT THE SAME to 1e-09" in said and "over 95%" in said and "NOT OVER" not in said


@needs_images
@needs_autodiff
def test_an_unlearnt_digit_is_seen(
    load: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = load("digits")
    monkeypatch.setattr(digits, "RATE", 1e-4)
    assert digits.run(1, 1, None) == 1
    said = capsys.readouterr().out
    assert "NOT OVER 95%" in said and "NOT THE SAME" not in said


@needs_jax
def test_backpropagation_through_time(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled, the equations one by one, JAX: one value and one gradient, all sizes different; and a wrong one is seen."""
    characters = load("characters")
    for name, size in (("STATE", 5), ("BATCH", 3), ("LENGTH", 4)):
        monkeypatch.setattr(characters, name, size)
    rng = np.random.default_rng(3)
    text = characters.Text("so many a character is here, and 1 more. " * 3)
    p, piece = characters.initial(rng, 5, len(text.alphabet)), text.drawn(rng)
    piece["H_0"] = rng.normal(size=(3, 5))
    assert piece["X"].shape == (4, 3, len(text.alphabet))
    program = (TRAINING / "characters.eqn").read_text(encoding="utf-8")
    d = characters.pb.derive(program, wrt=characters.WEIGHTS)
    compute = d.compile("numpy")
    assert characters.agrees(d, compute, p, piece)

    def wrong(**arrays):
        value, gradient = compute(**arrays)
        return value, {**gradient, "W": gradient["W"] * (1 + 1e-6)}

    assert np.max(np.abs(compute(**p, **piece)[1]["W"])) > 1e-2
    assert not characters.agrees(d, wrong, p, piece)


@needs_jax
def test_an_unlearnt_text_is_seen(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    assert load("characters").run(1, 1, None) == 1
    assert "NOT LESS than" in capsys.readouterr().out


def test_the_bar(load: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is drawn over itself on a terminal, and wiped before a line."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = load("shown")
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = shown.Progress(4)
    progress.bar(1, "a")
    progress.line("one")
    assert sys.stderr.getvalue() == f"\r\x1b[K{'█' * 8}{'░' * 22}  25%  a\r\x1b[K"
    assert capsys.readouterr().out == "one\n"
