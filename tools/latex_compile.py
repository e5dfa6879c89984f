"""Compile our complete .tex documents with a real LaTeX, where the machine has one.

Usage: python tools/latex_compile.py [FILE_OR_FOLDER ...]     (default: tests/golden)
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from katex_check import ROOT, tex_files

BUILD = ROOT / "build" / "latex"
OPTIONS = ["-interaction=nonstopmode", "-halt-on-error", "-file-line-error"]


PICTURE = r"""\documentclass{article}
\usepackage{amsmath,amssymb,tikz}
\usepackage[paperwidth=100cm,paperheight=300cm,margin=1cm]{geometry}
\begin{document}
%s
\end{document}
"""  # a page that is larger than any picture


def has_tikz() -> bool:
    """Whether TeX on this machine knows the package tikz."""
    if not shutil.which("kpsewhich"):
        return False
    return bool(subprocess.run(["kpsewhich", "tikz.sty"], capture_output=True, text=True).stdout.strip())


def document(file: Path) -> Path | None:
    """The document to compile: the file itself, a picture in a document of its own, or None."""
    text = file.read_text(encoding="utf-8")
    if r"\documentclass" in text:
        return file
    if r"\begin{tikzpicture}" not in text:
        return None
    made = BUILD / file.stem / file.name
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(PICTURE % text, encoding="utf-8")
    return made


def main(arguments: list[str]) -> int:
    engines = [engine for engine in ("pdflatex", "lualatex") if shutil.which(engine)]
    if not engines:
        print("neither pdflatex nor lualatex on this machine: documents not compiled")
        return 0
    tikz = has_tikz()
    found = [f for f in tex_files(arguments) if document(f)]
    left_out = [f for f in found if not tikz and "tikz" in f.read_text(encoding="utf-8")]
    failures = 0
    for file in [f for f in found if f not in left_out]:
        source = document(file)
        folder = BUILD / file.stem
        folder.mkdir(parents=True, exist_ok=True)
        command = [engines[0], *OPTIONS, f"-output-directory={folder}", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            failures += 1
            errors = re.findall(r"^\S.*:\d+: .*$", done.stdout, re.M) or [f"{file}: see {folder}"]
            print(*errors, sep="\n")
    if left_out:
        print(
            f"no tikz.sty on this machine (Debian: texlive-pictures): {len(left_out)} documents with pictures not compiled"
        )
    print(f"{len(found) - len(left_out)} documents compiled with {engines[0]}, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
