"""The door: exit statuses of `python -m pullback`."""

import subprocess
import sys

import pytest

from pullback import __main__ as door
from pullback._version import __version__


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main([flag]) == 0
    assert capsys.readouterr().out == f"pullback {__version__}\n"


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(door, "import_module", interrupted)
    assert door.main(["derive"]) == 130


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m pullback --version | true; exit ${{PIPESTATUS[0]}}"
    # The reader may be quicker or slower than we are; either way nothing is said on stderr.
    for _ in range(3):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert done.returncode in {0, 141}
        assert done.stderr == ""


@pytest.mark.parametrize(
    ("redirected", "said"),
    [
        (">/dev/full", "cannot write to standard output: No space left on device"),
        (">&-", "cannot write to standard output: it is closed"),
        ("- <&-", "cannot read standard input: it is closed"),
    ],
)
def test_a_stream_that_cannot_be_used_is_no_traceback(redirected: str, said: str) -> None:
    text = "" if redirected.startswith("-") else '-e "E = s²; s : scalar"'
    command = f"{sys.executable} -m pullback derive {text} {redirected}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert said in done.stderr
