"""The command from end to end: what goes to stdout, what to stderr, and the exit code."""

import io
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pullback import __version__, derive
from pullback.cli import main

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.eqn"))
LAYER = ROOT / "examples" / "layer.eqn"
TEXT = "z = W a + b; y = f(z); E = loss(y)"
COMMAND = [sys.executable, "-m", "pullback"]
ESCAPE = "\x1b["


def run(*args: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    env |= {"PYTHONPATH": str(ROOT / "src"), **options.pop("env", {})}  # type: ignore[dict-item]
    return subprocess.run([*COMMAND, *args], capture_output=True, timeout=60, cwd=ROOT, env=env, check=False, **options)


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch):
    """Runs the command in this process: (exit code, stdout, stderr)."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NO_COLOR", raising=False)

    def invoke(*args: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(list(args))
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return invoke


# ---- where the equations come from


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_is_derived(call, path: Path) -> None:
    code, out, _ = call("derive", str(path))
    assert code == 0
    assert out.endswith("\n") and not out.endswith("\n\n")
    assert re.search("RESULT\n    ∇", out)


def test_the_three_sources_give_one_page(call) -> None:
    text = "z = W a + b\ny = f(z)\nE = loss(y)\n"
    pages = [call("derive", "-e", text)[1], call("derive", "-", stdin=text.encode())[1]]
    pages.append(call("derive", "-e", TEXT)[1])
    assert pages[0] == pages[1] == pages[2]
    assert "∇W  = ∇z aᵀ" in pages[0]


def test_a_byte_order_mark_and_windows_line_ends_are_read(call) -> None:
    data = b"\xef\xbb\xbfz = W a\r\nE = loss(z)\r\n"
    assert call("derive", "-", "--format", "json", stdin=data)[0] == 0


def test_no_command_shows_the_help(call) -> None:
    code, out, err = call()
    assert (code, err) == (0, "") and "examples:" in out


# ---- what is asked for


def test_equations_said_in_several_options_are_several_lines(call) -> None:
    parts = [a for part in TEXT.split("; ") for a in ("-e", part)]
    assert call("derive", *parts) == call("derive", "-e", TEXT.replace("; ", "\n"))


def test_wrt_chooses_the_gradients(call) -> None:
    out = call("derive", "-e", TEXT, "--wrt", "W, b", "--level", "1")[1]
    result = out.partition("RESULT")[2]
    assert "∇W" in result and "∇b" in result and "∇a" not in result


def test_target_chooses_the_scalar(call) -> None:
    text = "p = sum(x); q = xᵀ x"
    assert "∇x  = 1_m" in call("derive", "-e", text, "--target", "p")[1]
    assert "∇x  = 2 x" in call("derive", "-e", text)[1]


def test_dialect_says_what_a_star_is(call) -> None:
    code, out, _ = call("derive", "-e", "E = 0.5*x'*A*x", "--dialect", "matlab")
    assert code == 0 and "∇x" in out
    code, _, err = call("derive", "-e", "E = 0.5*x'*A*x", "--dialect", "matrix")
    assert code == 3 and "error[S005]" in err


def test_styles_differ(call) -> None:
    pairing = call("derive", str(LAYER), "--style", "pairing")[1]
    index = call("derive", str(LAYER), "--style", "index")[1]
    steps = pairing.split("DERIVATION")[1]  # the legend above it knows δ as a spelling
    assert "⟨∇z, dW a⟩" in steps and "δ" not in steps
    assert "δ" in index and "⟨∇z, dW a⟩" not in index
    assert call("derive", str(LAYER))[1] == pairing


def test_levels_say_more_and_more(call) -> None:
    pages = [call("derive", str(LAYER), "--level", str(k))[1] for k in (1, 2, 3, 4)]
    assert len(set(pages)) == 4
    lengths = [len(p) for p in pages]
    assert lengths == sorted(lengths)
    assert call("derive", str(LAYER))[1] == pages[1]
    assert all("∇W  = ∇z aᵀ" in p for p in pages)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
@pytest.mark.parametrize("style", ["pairing", "index"])
def test_ascii_is_ascii(call, path: Path, style: str) -> None:
    code, out, _ = call("derive", str(path), "--ascii", "--style", style, "--level", "4")
    assert code == 0
    assert out.isascii(), sorted({c for c in out if not c.isascii()})
    assert re.search("RESULT\n    grad_", out)


def test_latex_is_a_document(call) -> None:
    out = call("derive", str(LAYER), "--format", "latex")[1]
    assert out.startswith("\\documentclass") and out.rstrip().endswith("\\end{document}")
    assert out.count("\\begin{align*}") == out.count("\\end{align*}") > 3
    assert ESCAPE not in out


def test_markdown_has_headings_and_formulas(call) -> None:
    out = call("derive", str(LAYER), "--format", "markdown")[1]
    assert out.startswith("# ") and "\n## " in out
    assert out.count("$$") % 2 == 0 and out.count("$$") > 4
    assert "\\documentclass" not in out


def test_json_is_the_whole_record(call) -> None:
    code, out, _ = call("derive", str(LAYER), "--format", "json")
    record = json.loads(out)
    assert code == 0
    assert record == json.loads(derive(LAYER.read_text(encoding="utf-8"), name=str(LAYER)).to_json())
    shown = json.dumps(record, ensure_ascii=False)
    for name, gradient in (("W", "∇z aᵀ"), ("a", "Wᵀ ∇z"), ("b", "∇z")):
        assert f'"{name}"' in shown and f'"{gradient}"' in shown
    assert record["steps"]


# ---- streams


def test_assumptions_go_to_stderr_and_are_in_the_page(call) -> None:
    _, out, err = call("derive", "-e", TEXT)
    assert err.count("assumed: ") == 5 == len(err.splitlines())
    assert "W : (m, n)  (matrix, because its name starts with a capital" in err
    assert "f acts entry by entry" in out


def test_what_is_declared_is_not_assumed(call) -> None:
    text = "W : (m, n); a : n; f : entrywise; z = f(W a); E = ‖z‖²"
    assert call("derive", "-e", text)[2] == ""


def test_an_error_leaves_stdout_empty(call) -> None:
    code, out, err = call("derive", "-e", "z = W a")
    assert (code, out) == (3, "")
    assert err.startswith("error[S010]: ")


def test_out_writes_a_file(call, tmp_path: Path) -> None:
    target = tmp_path / "layer.tex"
    code, out, err = call("derive", str(LAYER), "--format", "latex", "-o", str(target))
    assert (code, out) == (0, "") and f"wrote {target}" in err
    assert target.read_text(encoding="utf-8") == call("derive", str(LAYER), "--format", "latex")[1]


def test_out_holds_no_colour(call, tmp_path: Path) -> None:
    target = tmp_path / "page.txt"
    call("derive", str(LAYER), "--color", "always", "--out", str(target))
    assert ESCAPE not in target.read_text(encoding="utf-8")


def test_colour_is_chosen(call) -> None:
    plain = call("derive", str(LAYER))[1]
    assert ESCAPE not in plain
    assert call("derive", str(LAYER), "--color", "never")[1] == plain
    painted = call("derive", str(LAYER), "--color", "always")[1]
    assert painted.count(ESCAPE) > 10
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain
    assert ESCAPE not in call("derive", str(LAYER), "--color", "always", "--format", "latex")[1]
    assert ESCAPE in call("derive", "-e", "z = (", "--color", "always")[2]
    assert ESCAPE not in call("derive", "-e", "z = (")[2]


def on_a_terminal(env: dict[str, str], *args: str) -> str:
    main_end, end = pty.openpty()
    process = subprocess.Popen([*COMMAND, *args], stdout=end, stderr=subprocess.DEVNULL, cwd=ROOT, env=env)
    os.close(end)
    data = b""
    try:
        while piece := os.read(main_end, 65536):
            data += piece
    except OSError:  # Linux reports the closed terminal so
        pass
    os.close(main_end)
    assert process.wait(60) == 0
    return data.decode()


@pytest.mark.parametrize(
    ("extra", "flags", "colored"),
    [
        ({}, [], True),
        ({"NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": ""}, [], True),
        ({"TERM": "dumb"}, [], False),
        ({}, ["--color", "never"], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
    ],
)
def test_colour_on_a_terminal(extra: dict[str, str], flags: list[str], colored: bool) -> None:
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    env |= {"TERM": "xterm", "PYTHONPATH": str(ROOT / "src"), **extra}
    shown = on_a_terminal(env, "derive", "examples/layer.eqn", "--level", "1", *flags)
    assert (ESCAPE in shown) is colored
    assert "RESULT" in shown


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_a_closed_pipe_is_silent() -> None:
    script = f"{shlex.join(COMMAND)} derive examples/mlp3.eqn --level 4 2> >(cat >&2) | head -1"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(["bash", "-c", script], capture_output=True, cwd=ROOT, env=env, timeout=60)
    assert done.stdout.count(b"\n") == 1
    assert b"Broken" not in done.stderr and b"Traceback" not in done.stderr and b"Exception" not in done.stderr


def test_the_real_process_gives_bytes_in_utf8() -> None:
    done = run("derive", "-", input=TEXT.encode(), env={"PYTHONUTF8": "0", "LC_ALL": "C", "LANG": "C"})
    assert done.returncode == 0
    assert "∇W  = ∇z aᵀ" in done.stdout.decode("utf-8")
    assert b"Traceback" not in done.stderr


def test_a_message_on_a_terminal_without_unicode_is_no_traceback() -> None:
    done = run("derive", "-e", "z = (λ ⊙", env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert b"error[P011]" in done.stderr and b"Traceback" not in done.stderr


# ---- exit codes


@pytest.mark.parametrize(
    ("text", "code"),
    [("E = xᵀ x", 0), ("E = (", 2), ("E = q = r", 2), ("z = W a", 3), ("x : n; y : n; E = x y", 3),
     ("p = fft(z); E = sum(p)", 4), ("A : (n, n) where symmetric, lower; E = tr(A)", 4)],
)  # fmt: skip
def test_exit_codes(call, text: str, code: int) -> None:
    assert call("derive", "-e", text)[0] == code


def test_a_failed_check_exits_with_1(call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong derivation is withheld: here the checker is made to refuse."""
    from pullback import api
    from pullback.errors import CheckFailed

    def refuse(*args: object) -> None:
        raise CheckFailed("C001", "internal error: a step could not be confirmed")

    monkeypatch.setattr(api, "confirm", refuse)
    code, out, err = call("derive", "-e", TEXT)
    assert (code, out) == (1, "") and err.startswith("error[C001]")


# ---- help, version, completion


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(call, flag: str) -> None:
    assert call(flag)[:2] == (0, f"pullback {__version__}\n")
    assert run(flag).stdout.decode() == f"pullback {__version__}\n"


def test_draw_writes_the_format_of_the_file_name(call, tmp_path: Path) -> None:
    for suffix, start in (
        (".svg", "<svg"),
        (".dot", "digraph"),
        (".mmd", "flowchart"),
        (".tex", r"\begin{tikzpicture}"),
    ):
        target = tmp_path / f"layer{suffix}"
        assert call("draw", str(LAYER), "-o", str(target))[0] == 0
        assert target.read_text(encoding="utf-8").startswith(start)
    code, out, _ = call("draw", "-", "--what", "diagrams", stdin=LAYER.read_bytes())
    assert code == 0 and out.startswith("<svg")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--what", "photo"], 2, "error[P030]: --what cannot be photo"),
        (["--format", "png"], 2, "error[P030]: --format cannot be png"),
        (["--sizes", "m"], 2, "error[P032]: --sizes cannot be read at 'm'"),
        (["--sizes", "m=2"], 2, "error[P032]: no size for n"),
        (["--sizes", "m=9,n=9"], 4, "error[U034]: no picture of neurons"),
        (["-o", "layer.png"], 2, "error[P030]: layer.png: no picture is written as .png"),
    ],
)
def test_draw_refuses(call, args: list[str], code: int, words: str) -> None:
    done = call("draw", str(LAYER), *args)
    assert (done[0], done[1]) == (code, "") and words in done[2]


def worked_examples() -> list[str]:
    found = []
    for command in ("derive", "draw"):
        shown = run(command, "--help").stdout.decode()
        block = shown.partition("examples:\n")[2].partition("\n\n")[0]
        found += [line.strip() for line in block.splitlines()]
    return found


def test_help_names_every_option_and_the_exit_codes(call) -> None:
    code, out, err = call("derive", "--help")
    assert (code, err) == (0, "")
    for option in ("--wrt", "--target", "--style", "--level", "--format", "--dialect", "--ascii", "--color", "--out"):
        assert option in out
    assert "exit codes" in out
    assert call("--help")[1].count("pullback derive") >= 4


def test_every_worked_example_of_the_help_runs(tmp_path: Path) -> None:
    examples = worked_examples()
    assert len(examples) >= 5
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "net.eqn").write_text(TEXT.replace("; ", "\n"), encoding="utf-8")
    shim = tmp_path / "pullback"
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    shim.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    for line in examples:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], cwd=tmp_path, env=env, capture_output=True, timeout=60
        )
        assert done.returncode == 0, (line, done.stderr.decode())
        assert done.stdout or ">" in line or "-o " in line, line
    assert json.loads((tmp_path / "layer.json").read_text(encoding="utf-8"))["steps"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(call, shell: str) -> None:
    code, out, err = call("completion", shell)
    assert (code, err) == (0, "")
    for word in ("style", "pairing", "format", "latex", "derive"):
        assert word in out
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=out.encode(), capture_output=True, timeout=20)
        assert checked.returncode == 0, checked.stderr.decode()


def completes(words: str) -> set[str]:
    """What bash offers for the last of the words."""
    script = run("completion", "bash").stdout.decode()
    count = len(words.split(" ")) - 1
    ask = (
        f'COMP_WORDS=({words}); [ ${{#COMP_WORDS[@]}} -gt {count} ] || COMP_WORDS+=(""); COMP_CWORD={count}; _pullback'
    )
    done = subprocess.run(
        ["bash", "-c", f'{script}\n{ask}\nprintf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True, timeout=20, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return set(done.stdout.decode().split())


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_completes() -> None:
    assert completes("pullback derive --sty") == {"--style"}
    assert completes("pullback derive --style ") == {"pairing", "jacobian", "index", "scalar", "diagram", "all"}
    assert completes("pullback derive --format la") == {"latex"}
    assert completes("pullback draw --format ") == {"svg", "dot", "mermaid", "tikz"}
    assert completes("pullback draw --wh") == {"--what"}
    assert completes("pullback de") == {"derive"}
    assert "examples" in completes("pullback derive exam")
    assert completes("pullback completion ") == {"bash", "zsh", "fish"}
    assert completes("pullback derive --style = i") == {"index"}
    assert completes("pullback draw --format=d") == {"--format=dot"}
    assert completes("pullback derive --style=p") == {"--style=pairing"}
    options = run("completion", "fish").stdout.decode()
    assert options.count("-l help") == len(
        {"derive", "jacobian", "hessian", "prove", "compare", "explain", "draw", "code", "plan", "completion"}
    )
    assert len(set(options.splitlines())) == len(options.splitlines())
    assert "-l target -r" in options


def test_every_wrt_counts(call) -> None:
    code, out, _ = call("derive", "-e", "z = W a + b; E = loss(z)", "--wrt", "W", "--wrt", "b", "--level", "1")
    assert code == 0
    assert "∇W" in out
    assert "∇b" in out


def test_wrt_splits_at_commas_outside_of_brackets(call) -> None:
    text = "h[l,t] = tanh(W[l] h[l-1,t] + U[l] h[l,t-1]) for l = 1..L, t = 1..T; E = loss(h[L,T])"
    code, out, _ = call("derive", "-e", text, "--wrt", "h[l,t],W", "--level", "1")
    code_of_families, out_of_families, _ = call("derive", "-e", text, "--wrt", "h,W", "--level", "1")
    assert (code, out) == (code_of_families, out_of_families)


def test_wrt_a_function_or_nothing_is_refused(call) -> None:
    code, _, err = call("derive", "-e", "y = f(x); E = loss(y)", "--wrt", "f")
    assert code == 2
    assert "f is a function" in err
    code, _, err = call("derive", "-e", "E = loss(x)", "--wrt", "")
    assert code == 2
    assert "--wrt names nothing" in err


# ---- Jacobians and Hessians


def test_a_jacobian_and_a_hessian_are_printed(call) -> None:
    code, out, err = call("jacobian", "-e", "W : (m, n); y = f(W x + b)", "--of", "y", "--wrt", "x")
    assert code == 0 and "∂y/∂x = diag(f′(W x + b)) W" in out and "assumed:" in err
    code, out, _ = call("hessian", "-e", "A : (m, n); E = ‖A x − y‖²", "--wrt", "x", "--ascii")
    assert code == 0 and out.isascii() and "d2E/dxdx = 2 A^T A" in out
    code, out, _ = call("hessian", "-e", "W : (m, n); v : m; E = vᵀ tanh(W x)", "--wrt", "v,x", "--format", "json")
    assert code == 0 and json.loads(out)["result"]["value"]["text"] == "diag(1 − tanh(W x)^∘2) W"


@pytest.mark.parametrize("format", ["text", "latex", "markdown", "json"])
def test_every_format_of_an_array(call, format: str) -> None:
    code, out, _ = call("jacobian", "-e", "X : (m, n); Y = Xᵀ", "--wrt", "X", "--format", format)
    assert code == 0 and "commut" in out


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (["jacobian", "-e", "x : n; w : n; y = x ⊙ w"], 2, "P050"),
        (["jacobian", "-e", "x : n; w : n; y = x ⊙ w", "--wrt", "x,w"], 2, "P030"),
        (["hessian", "-e", "x : n; y = 2 x", "--wrt", "x"], 3, "S010"),
        (["hessian", "-e", "x : n; E = ‖x‖²", "--wrt", "x,x,x"], 2, "P030"),
        (["jacobian", "-e", "h[0] : n; h[t] = f(h[t-1]) for t = 1..T", "--wrt", "h"], 4, "U050"),
        (["jacobian", "-e", "x : n; y = 2 x", "--wrt", "q"], 2, "P003"),
    ],
)
def test_a_refused_array_has_the_exit_code_of_its_kind(call, args: list[str], code: int, word: str) -> None:
    found, out, err = call(*args)
    assert (found, out) == (code, "") and word in err
