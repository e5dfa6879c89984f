"""What the documentation shows is what happens.

In the pages below, ```pycon blocks are one doctest per file, and ```console blocks are run: each
`$ pullback ...` or `$ cat ...` line (pipes and all, in bash), its output compared with the lines below it.
A line `...` stands for any lines, `...` within a line for any characters. What must not run is a ```sh block.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

from pullback.language.text import parse_program

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md",
    "docs/tour.md",
    "docs/language.md",
    "docs/second.md",
    "docs/code.md",
    "docs/plan.md",
    "docs/training.md",
    "docs/errors.md",
    "docs/corpus.md",
    "docs/explain.md",
]
FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)`*[ ]*$", re.M | re.S)
RUNS = re.compile(r"(?:^|[|;&(])\s*(?:pullback|cat)\b")

each_page = pytest.mark.parametrize("page", PAGES)


def blocks(text: str, language: str) -> Iterator[tuple[int, str]]:
    """The fenced blocks in the language, each with the number of its first line."""
    for match in FENCE.finditer(text):
        if match["info"] == language:
            yield text.count("\n", 0, match.start("body")) + 1, match["body"]


def only(text: str, language: str) -> str:
    """The blocks in the language with all else blanked, so that line numbers stay those of the page."""
    lines = [""] * (text.count("\n") + 1)
    for first, body in blocks(text, language):
        lines[first - 1 : first - 1 + body.count("\n")] = body.splitlines()
    return "\n".join(lines) + "\n"


def commands(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, command, and the output shown, for every command in a console block that is to be run."""
    for first, body in blocks(text, "console"):
        # Joined by hand, not by removing "\\\n": a continued command still counts all of its lines.
        for match in re.finditer(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", body, re.M):
            if RUNS.search(match[1]):
                yield first + body.count("\n", 0, match.start()), match[1], match[2]


def agrees(shown: str, actual: str) -> bool:
    def pattern(line: str) -> str:
        if line.strip() == "...":
            return r"(?:.*\n)*?"
        return ".*".join(map(re.escape, line.rstrip().split("..."))) + r"[ ]*\n"

    return re.fullmatch("".join(map(pattern, shown.rstrip().splitlines())), tidy(actual)) is not None


def tidy(output: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output.rstrip().splitlines())


def read(page: str, needs: str) -> str:
    path = ROOT / page
    for wanted in (path, ROOT / "src/pullback" / needs):
        if not wanted.exists():
            pytest.skip(f"no {wanted.name} yet")
    return path.read_text(encoding="utf-8")


@pytest.fixture
def workshop(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder that looks like the repository, where files may be left; an environment with `pullback`."""
    here, bin_ = tmp_path / "repo", tmp_path / "bin"
    here.mkdir()
    bin_.mkdir()
    for entry in ROOT.iterdir():
        if not entry.name.startswith("."):
            (here / entry.name).symlink_to(entry)
    shim = bin_ / "pullback"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pullback "$@"\n')
    shim.chmod(0o755)
    path = os.pathsep.join([str(bin_), str(Path(sys.executable).parent), os.environ["PATH"]])
    fixed = {"PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1", "NO_COLOR": "1", "COLUMNS": "100"}
    return here, {**os.environ, **fixed, "PATH": path}


@each_page
def test_python_sessions(page: str) -> None:
    text = only(read(page, "api.py"), "pycon")
    test = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, page, str(ROOT / page), 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not said, "".join(said)


@each_page
def test_console_sessions(page: str, workshop: tuple[Path, dict[str, str]]) -> None:
    here, env = workshop
    wrong = []
    for line, command, shown in commands(read(page, "cli.py")):
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(["bash", "-c", command], cwd=here, env=env, text=True, timeout=120, **streams)
        if not agrees(shown, done.stdout):
            pair = tidy(shown).splitlines(), tidy(done.stdout).splitlines()
            diff = "\n".join(unified_diff(*pair, "shown", "actual", lineterm="", n=2))
            wrong.append(f"{page}:{line}: $ {command}\n{diff}\n")
    assert not wrong, "\n".join(wrong)


DECLARED = "A, B, W, X : (n, n); b, u, v, x, y, z, a : n; i, o : scalar; s : scalar; loss : scalar function; "


def test_every_construct_of_the_language_page_is_read() -> None:
    """Both spellings, and they mean the same."""
    table = read("docs/language.md", "api.py").partition("## Expressions")[2].partition("Precedence")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:3] for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    for unicode, ascii in rows:
        found = [
            [parse_program(f"{DECLARED}f : entrywise; Q = {text}").equations[-1].rhs for text in texts]
            for spans in (unicode, ascii)
            if (texts := re.findall(r"`([^`]+)`", spans.replace("\\|", "|")))
        ]
        assert found[0][0] is found[-1][0], (unicode, ascii)


# The reader of the pages, on a page of its own.

PAGE = """\
# Title
```pycon
>>> x = 2
```
text
```console
$ pullback a \\
    | head
one
...
last
$ git clone somewhere
$ cat b
```
```sh
pullback serve
```
```pycon
>>> x + 1
3
```
"""


def test_blocks_keep_their_line_numbers() -> None:
    assert only(PAGE, "pycon").splitlines()[2] == ">>> x = 2"
    assert only(PAGE, "pycon").splitlines()[18] == ">>> x + 1"
    assert list(commands(PAGE)) == [(7, "pullback a \\\n    | head", "one\n...\nlast\n"), (13, "cat b", "")]


@pytest.mark.parametrize(
    ("shown", "actual", "same"),
    [
        ("one\n...\nlast\n", "one\ntwo\nthree\nlast  \n", True),
        ("one\n...\nlast\n", "one\nlast\n", True),
        ("one\n...\n", "one\n", True),
        ("took ... s\n", "took 0.3 s\n", True),
        ("one\n", "one\ntwo\n", False),
        ("", "surprise\n", False),
        ("a.b\n", "aXb\n", False),
    ],
)
def test_output_is_compared(shown: str, actual: str, same: bool) -> None:
    assert agrees(shown, actual) is same
