"""The README's picture: real output of `pullback derive examples/layer.eqn --level 1`, as SVG text.

Usage: python tools/picture.py > docs/layer.svg   (tests/test_picture.py compares)
"""

import re
from html import escape
from pathlib import Path

import pullback

ROOT = Path(__file__).resolve().parents[1]
COLORS = {"1": "#f0f6fc", "32": "#7ee787", "33": "#d2a8ff", "36": "#79c0ff", "34": "#79c0ff"}
WIDTH, LINE, LEFT = 8.43, 19, 18  # pixels of a character at 14 px, of a line, of the margin


def spans(line: str) -> str:
    """One line with its ANSI colours as tspans, each placed by its column so that no font can shift it."""
    made, column, color = [], 0, ""
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if code:
            color = COLORS.get(code.group(1).split(";")[-1], "")
            continue
        for word in re.finditer(r"\S+(?: \S+)*", piece):
            x = LEFT + (column + word.start()) * WIDTH
            fill = f' fill="{color}"' if color else ""
            made.append(
                f'<tspan x="{x:.1f}" textLength="{len(word.group()) * WIDTH:.1f}"{fill}>{escape(word.group())}</tspan>'
            )
        column += len(piece)
    return "".join(made)


def picture(command: str, text: str) -> str:
    lines = [f"$ {command}", "", *text.splitlines()]
    wide = LEFT * 2 + WIDTH * max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    rows = "\n".join(f'<text y="{30 + k * LINE}">{spans(line)}</text>' for k, line in enumerate(lines) if line.strip())
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {len(lines) * LINE + 34}" role="img"
 aria-label="{escape(command)}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, monospace" font-size="14">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g fill="#c9d1d9" lengthAdjust="spacingAndGlyphs">
{rows}
</g>
</svg>
"""


def main() -> str:
    example = "examples/layer.eqn"
    derived = pullback.derive((ROOT / example).read_text(encoding="utf-8"), name=example)
    text = derived.text(level=1, color=True)
    start = text.index("DERIVATION")
    return picture(
        f"pullback derive {example} --level 1   # from the derivation on", text[text.rindex("\n", 0, start) + 1 :]
    )


if __name__ == "__main__":
    print(main(), end="")
