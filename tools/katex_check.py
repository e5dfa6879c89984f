"""Typeset every formula of our .tex files with KaTeX, strictly, and say file:line of each that fails.

    python tools/katex_check.py [FILE_OR_FOLDER ...]     (default: tests/golden)

KaTeX is no LaTeX: it checks the mathematics, not the document. So this reader also refuses what pdfLaTeX
would: a delimiter left open, `_` or `^` in running text, a Unicode symbol without a meaning.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PREFIX = ROOT / "build" / "katex"
KATEX = "katex@0.19.1"

DISPLAYS = {name + star for name in ("equation", "align", "gather", "alignat") for star in ("", "*")}
INNER = {"aligned", "gathered", "alignedat", "split", "cases", "matrix", "pmatrix", "bmatrix", "vmatrix"}
VERBATIM = {"verbatim", "lstlisting", "comment"}
CLOSER = {r"\[": r"\]", r"\(": r"\)", "$": "$", "$$": "$$"}
PUNCTUATION = set("–—‘’“”…")  # beyond Latin letters, what pdfLaTeX knows by itself

# In this order: `\\[2pt]` is a line break, not a display.
TOKEN = re.compile(
    r"""(?P<comment>%[^\n]*)
      | (?P<begin>\\begin\{(?P<opened>[A-Za-z]+\*?)\})
      | (?P<end>\\end\{(?P<closed>[A-Za-z]+\*?)\})
      | (?P<verb>\\verb\*?(?P<bar>[^A-Za-z\s*]).*?(?P=bar))
      | (?P<key>\\(?:label|ref|eqref|cite|url|href|input|includegraphics|usepackage)(?:\[[^\]]*\])?\{[^}]*\})
      | (?P<delimiter>\\[\[\]()]|\$\$|\$)
      | (?P<escape>\\.)
      | (?P<script>[_^])""",
    re.X | re.S,
)
COMMAND = re.compile(r"^\s*\\(?:new|renew|provide)command\b.*$", re.M)
OPERATOR = re.compile(r"^\s*\\DeclareMathOperator(\*?)\s*\{?(\\[A-Za-z]+)\}?\s*\{(.*)\}", re.M)


class Formula(NamedTuple):
    """A formula as KaTeX is to see it, and where in the text it starts."""

    tex: str
    offset: int
    display: bool


class Complaint(NamedTuple):
    offset: int
    message: str


def extract(text: str) -> tuple[list[Formula], list[Complaint]]:
    """All formulae of a document or a fragment, and what is wrong around them."""
    formulae: list[Formula] = []
    complaints: list[Complaint] = []
    opener, offset, depth = "", 0, 0  # the formula that is open now, if one is
    position = max(text.find(r"\begin{document}"), 0)
    while token := TOKEN.search(text, position):
        kind, said, position = token.lastgroup, token[0], token.end()
        env = token["opened"] or token["closed"] or ""
        if opener in DISPLAYS:
            if env == opener:
                depth += 1 if kind == "begin" else -1
            if depth == 0:
                formulae.append(Formula(text[offset:position], offset, True))
                opener = ""
        elif opener:
            if kind == "delimiter" and said == CLOSER[opener]:
                inside = offset + len(opener)
                formulae.append(Formula(text[inside : token.start()], inside, opener in (r"\[", "$$")))
                opener = ""
        elif kind == "begin" and env in DISPLAYS:
            opener, offset, depth = env, token.start(), 1
        elif kind == "begin" and env in VERBATIM:
            end = text.find(rf"\end{{{env}}}", position)
            position = end if end >= 0 else len(text)
        elif kind == "begin" and env in INNER:
            complaints.append(Complaint(token.start(), f"{said} stands outside a formula"))
        elif kind == "delimiter" and said in CLOSER:
            opener, offset = said, token.start()
        elif kind == "delimiter" or (kind == "end" and env in DISPLAYS):
            complaints.append(Complaint(token.start(), f"{said} closes nothing"))
        elif kind == "script":
            complaints.append(Complaint(token.start(), f"{said} in running text"))
    if opener:
        complaints.append(Complaint(offset, f"{opener} is never closed"))
    return formulae, [*complaints, *foreign_symbols(text)]


def foreign_symbols(text: str) -> Iterator[Complaint]:
    """KaTeX takes a bare ∇; pdfLaTeX does not, unless the document says what it is."""
    if re.search(r"\\usepackage(\[.*?\])?\{(unicode-math|fontspec)\}", text):
        return
    declared = {int(code, 16) for code in re.findall(r"\\DeclareUnicodeCharacter\{([0-9A-Fa-f]+)\}", text)}
    for match in re.finditer(r"(?<!\\)%[^\n]*|([^\x00-\u017f])", text):
        symbol = match[1]
        if symbol and symbol not in PUNCTUATION and ord(symbol) not in declared:
            yield Complaint(match.start(), f"{symbol} (U+{ord(symbol):04X}) means nothing to pdfLaTeX")


def definitions(text: str) -> str:
    """The document's own commands, in words that KaTeX knows."""
    operators = [rf"\newcommand{{{n}}}{{\operatorname{s}{{{w}}}}}" for s, n, w in OPERATOR.findall(text)]
    return "\n".join([*COMMAND.findall(text), *operators])


def typeset(text: str, formulae: list[Formula]) -> list[Complaint]:
    """What KaTeX has against the formulae."""
    request = json.dumps({"definitions": definitions(text), "formulae": [f._asdict() for f in formulae]})
    command = ["node", str(ROOT / "tools" / "katex_check.mjs"), str(PREFIX)]
    done = subprocess.run(command, input=request, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"katex_check.mjs failed:\n{done.stderr}")
    return [Complaint(**complaint) for complaint in json.loads(done.stdout)]


def install_katex() -> None:
    if not (PREFIX / "node_modules" / "katex").exists():
        print(f"installing {KATEX} in {PREFIX.relative_to(ROOT)} ...", flush=True)
        PREFIX.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", str(PREFIX), KATEX], check=True)


def tex_files(arguments: list[str]) -> list[Path]:
    """The .tex files named, or under the folders named; by default the golden ones."""
    paths = [Path(a) for a in arguments] or [ROOT / "tests" / "golden"]
    missing = [p for p in paths if not p.exists() and arguments]
    if missing:
        raise SystemExit(f"no such file: {missing[0]}")
    return sorted({f for p in paths for f in ([p] if p.is_file() else p.rglob("*.tex"))})


def main(arguments: list[str]) -> int:
    files = tex_files(arguments)
    if not files:
        print("no .tex files to typeset")
        return 0
    if not (shutil.which("node") and shutil.which("npm")):
        print("node and npm are needed to typeset with KaTeX", file=sys.stderr)
        return 1
    install_katex()
    count = failures = 0
    for file in files:
        text = file.read_text(encoding="utf-8")
        formulae, complaints = extract(text)
        count += len(formulae)
        for offset, message in sorted([*complaints, *typeset(text, formulae)]):
            failures += 1
            print(f"{file}:{text.count(chr(10), 0, offset) + 1}: {message}")
        if not formulae:
            failures += 1
            print(f"{file}:1: no formula found")
    print(f"{count} formulae in {len(files)} files typeset, {failures} complaints")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
