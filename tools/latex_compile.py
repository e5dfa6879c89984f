"""Compile our complete .tex documents with a real LaTeX, where the machine has one.

Usage: python tools/latex_compile.py [FILE_OR_FOLDER ...]     (default: tests/golden)
"""

import re
import shutil
import subprocess
import sys

from katex_check import ROOT, tex_files

BUILD = ROOT / "build" / "latex"
OPTIONS = ["-interaction=nonstopmode", "-halt-on-error", "-file-line-error"]


def main(arguments: list[str]) -> int:
    engines = [engine for engine in ("pdflatex", "lualatex") if shutil.which(engine)]
    if not engines:
        print("neither pdflatex nor lualatex on this machine: documents not compiled")
        return 0
    documents = [f for f in tex_files(arguments) if r"\documentclass" in f.read_text(encoding="utf-8")]
    failures = 0
    for file in documents:
        folder = BUILD / file.stem
        folder.mkdir(parents=True, exist_ok=True)
        command = [engines[0], *OPTIONS, f"-output-directory={folder}", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            failures += 1
            errors = re.findall(r"^\S.*:\d+: .*$", done.stdout, re.M) or [f"{file}: see {folder}"]
            print(*errors, sep="\n")
    print(f"{len(documents)} documents compiled with {engines[0]}, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
