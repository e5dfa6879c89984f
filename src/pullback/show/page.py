"""A record as text, Markdown or LaTeX. Reads only the record, so a record from a file prints the same."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import ParseError, nearest
from .document import Calc, Cell, Document, Figure, Head, Item, Line, Para, Reason, Sentence, Table
from .styles.diagram import diagram
from .styles.every import Style, together
from .styles.index import index
from .styles.jacobian import jacobian
from .styles.pairing import pairing
from .styles.scalar import scalar

__all__ = ["FORMATS", "LEVELS", "STYLES", "page", "render"]

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")  # what paints a word takes no room
_WIDTH = 98
# A reading of a derivation is one line here; `all` shows each of them (what it needs: readings.PARTS).
READINGS: Mapping[str, Style] = {
    "pairing": pairing,
    "jacobian": jacobian,
    "index": index,
    "scalar": scalar,
    "diagram": diagram,
}
STYLES: Mapping[str, Style] = {**READINGS, "all": together(READINGS)}
LAYOUTS = ("numerator", "denominator")
LEVELS = (1, 2, 3, 4)


def render(
    record: Mapping[str, Any],
    style: str = "pairing",
    format: str = "text",
    level: int = 2,
    ascii: bool = False,
    color: bool = False,
    **view: Any,
) -> str:
    """The page of a record. Formats: text, markdown, latex; levels 1 to 4.

    `view` holds what only some styles ask for: `layout`, "numerator" or "denominator"; `numbers`, whether to show some.
    """
    for what, word, known in (("style", style, STYLES), ("layout", view.get("layout", "numerator"), LAYOUTS)):
        if word not in known:
            close = nearest(str(word), list(known))
            raise ParseError("P030", f"{what} cannot be {word}", expected=", ".join(known),
                             hint=f"did you mean {close}?" if close else "")  # fmt: skip
    return page(STYLES[style]({**record, "view": view}, level), format, ascii, color)


def page(doc: Document, format: str = "text", ascii: bool = False, color: bool = False) -> str:
    """A document as text, Markdown or LaTeX."""
    return FORMATS[format](doc, ascii, color)


# ---- text ------------------------------------------------------------------------------------------------


class _Text:
    def __init__(self, ascii: bool, color: bool) -> None:
        self.ascii, self.color = ascii, color

    def of(self, x: Item) -> str:
        return x.ascii if self.ascii else x.text

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    def page(self, doc: Document) -> str:
        title = self.of(doc.title)
        out = [self.paint(title, "1"), ("=" if self.ascii else "═") * len(title)]
        previous: object = None
        for part in doc.parts:
            lines = list(self.part(part))
            tight = isinstance(part, Para) and isinstance(previous, Para)
            tight = tight or (
                isinstance(part, Calc)
                and _concludes(part)
                and isinstance(previous, Calc)
                and _concludes(previous)
                and len(lines) == 1
            )
            tight = tight or (isinstance(part, Para) and bool(part.bullet) and isinstance(previous, Table))
            if not tight and not isinstance(previous, Head):
                out.append("")
            out += lines
            previous = part
        return "\n".join(line.rstrip() for line in out) + "\n"

    def part(self, part: object) -> Iterator[str]:
        if isinstance(part, Head):
            title = self.of(part.title)
            yield (
                self.paint(title, "1;36" if part.level < 3 else "1")
                if part.level < 3
                else "  " + self.paint(title, "1")
            )
        elif isinstance(part, Para):
            yield from self.wrapped(
                self.of(part.said),
                part.indent,
                part.bullet if not self.ascii else part.bullet.replace("–", "-"),
            )
        elif isinstance(part, Table):
            yield from self.table(part)
        elif isinstance(part, Figure):
            yield from (" " * part.indent + line for line in (part.ascii if self.ascii else part.text))
        elif isinstance(part, Calc):
            yield from self.calc(part)

    def wrapped(self, text: str, indent: int, lead: str = "") -> list[str]:
        pad = " " * indent
        return textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=pad + lead,
            subsequent_indent=pad + " " * len(lead),
            break_long_words=False,
            break_on_hyphens=False,
        )

    def formula(self, text: str, indent: int) -> list[str]:
        """A formula, broken before + and − outside brackets when it is too wide."""
        pad = " " * indent
        if indent + len(text) <= _WIDTH:
            return [pad + text]
        pieces = [""]
        depth = 0
        for k, c in enumerate(text):
            depth += (c in "([⟨") - (c in ")]⟩")
            if c in "+−-=" and text[k - 1 : k] == " " and text[k + 1 : k + 2] == " " and not depth:
                pieces.append("")
            pieces[-1] += c
        lines = [pad + pieces[0]]
        for piece in pieces[1:]:
            if len(lines[-1]) + len(piece) <= _WIDTH or len(lines[-1]) < indent + 12:  # `E` alone is no line
                lines[-1] += piece
            else:
                lines.append(pad + "  " + piece)
        return [
            w
            for line in lines
            for w in (
                textwrap.wrap(
                    line,
                    _WIDTH,
                    subsequent_indent=pad + "    ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
                if len(line) > _WIDTH
                else [line]
            )
        ]

    def table(self, part: Table) -> Iterator[str]:
        rows = [[self.of(c) for c in row] for row in part.rows]
        columns = max(map(len, rows), default=0)
        widths = [max(_wide(r[k]) for r in rows if k < len(r)) for k in range(columns)]
        if sum(widths) + part.gap * columns + part.indent > _WIDTH:
            widths = [min(w, 44) for w in widths]
        for row in rows:
            line = " " * part.indent
            for k, cell in enumerate(row):
                line += cell + " " * (max(widths[k] - _wide(cell), 0) + part.gap) if k + 1 < len(row) else cell
            yield from [line] if _wide(line.rstrip()) <= _WIDTH else self.tall(row, widths, part)

    def tall(self, row: list[str], widths: list[int], part: Table) -> list[str]:
        """A row that is too wide: each cell broken within its own column, the next one behind its last line."""
        lines = [" " * part.indent]
        for k, cell in enumerate(row):
            column = part.indent + sum(widths[:k]) + part.gap * k
            column = column if column < _WIDTH - 30 else part.indent + 4
            here = lines[-1] + " " * (max(part.gap, column - _wide(lines[-1])) if k else 0)
            if _wide(here + cell) <= _WIDTH:
                lines[-1] = here + cell
                continue
            words = k > 0 and k + 1 == len(row) and not cell.startswith("=")
            broken = self.wrapped(cell, column) if words else self.formula(cell, column)
            if _wide(here) > column:
                lines += broken
            else:
                lines[-1:] = [here + broken[0].lstrip(), *broken[1:]]
        return lines

    def calc(self, part: Calc) -> Iterator[str]:
        first, pad = self.of(part.first), part.indent
        lines = part.lines
        if len(lines) == 1 and lines[0].reason is None and not lines[0].relation:
            yield from self.formula(f"{first} {self.of(lines[0].right)}", pad)
            return
        if len(lines) == 1 and lines[0].reason is None:
            together = f"{first} {lines[0].relation} {self.of(lines[0].right)}"
            yield from self.formula(together, pad)
            return
        if len(lines) == 1 and not lines[0].relation:  # a conclusion
            yield from self.concluded(first, lines[0], pad)
            return
        yield from self.formula(first, pad)
        for line in lines:
            sign = self.sign(line.relation)
            if line.reason is None:
                yield from self.formula(f"{sign} {self.of(line.right)}", pad + 3)
                continue
            yield from self.reasoned(sign, line.reason, pad + 3)
            yield from self.formula(self.of(line.right), pad + 5)

    def sign(self, relation: str) -> str:
        return relation.replace("⇒", "=>") if self.ascii else relation

    def concluded(self, arrow: str, line: Line, pad: int) -> Iterator[str]:
        result = self.of(line.right)
        lines = list(self.reasoned(arrow, line.reason, pad)) if line.reason else [" " * pad + arrow]
        seen = _wide(_ESCAPE.sub("", lines[0]))
        if len(lines) == 1 and max(seen, 50) + 2 + len(result) <= _WIDTH:
            yield f"{lines[0]}{' ' * max(50 - seen, 0)}  {self.paint(result, '32')}"
            return
        yield from lines
        for shown in self.formula(result, pad + 5):
            yield self.paint(shown, "32")

    def reasoned(self, sign: str, reason: Reason | None, pad: int) -> Iterator[str]:
        if reason is None:
            yield " " * pad + sign
            return
        names = ", ".join(reason.rules)
        words = [self.of(s).rstrip(".") for s in reason.said] or [""]
        words[0] = f"{sign} {{ {names}" + (f": {words[0]}" if words[0] else "")
        words[-1] += "\N{NO-BREAK SPACE}}"  # the closing brace never stands alone on a line
        lead = " " * (len(sign) + 3)
        for n, sentence in enumerate(words):
            start = lead if n else ""
            for k, line in enumerate(
                textwrap.wrap(
                    sentence,
                    _WIDTH - pad,
                    break_long_words=False,
                    break_on_hyphens=False,
                    initial_indent=start,
                    subsequent_indent=lead,
                )
            ):
                shown = " " * pad + line.replace("\N{NO-BREAK SPACE}", " ")
                yield shown.replace(names, self.paint(names, "33"), 1) if not n and not k else shown


def _wide(text: str) -> int:
    """How many columns a text takes: a bar over a letter takes none."""
    return len(text) if text.isascii() else sum(not unicodedata.combining(c) for c in text)


def _concludes(part: Calc) -> bool:
    return len(part.lines) == 1 and not part.lines[0].relation


def _text(doc: Document, ascii: bool, color: bool) -> str:
    return _Text(ascii, color).page(doc)


# ---- LaTeX and Markdown ------------------------------------------------------------------------------------


def _inline(x: Item) -> str:
    return x.latex if isinstance(x, Sentence) or not x.latex else f"${x.latex}$"


def _break(latex: str) -> list[str]:
    """A long formula in pieces that begin with + or − outside brackets."""
    if len(latex) < 110:
        return [latex]
    pieces, depth, at = [], 0, 0
    for found in re.finditer(r"\\langle|\\rangle|[({\[\])}]| ([+-]) ", latex):
        mark = found[0]
        depth += (mark in ("(", "{", "[", r"\langle")) - (mark in (")", "}", "]", r"\rangle"))
        if found[1] and not depth and found.start() - at > 60:
            pieces.append(latex[at : found.start()])
            at = found.start() + 1
    return [*pieces, latex[at:]]


def _rows(part: Calc) -> Iterator[str]:
    """The rows of an aligned display; the names of the rules stand at the right."""
    if len(part.lines) == 1 and not part.lines[0].relation:  # a conclusion
        [line] = part.lines
        names = ", ".join(line.reason.rules).replace("_", r"\_") if line.reason else ""
        pieces = _break(line.right.latex)
        pieces[0] += rf" && \text{{{names}}}" if names else ""
        yield rf"& {part.first.latex}\quad " + (" \\\\\n" + r"& \qquad ").join(pieces)
        return
    pieces = _break(part.first.latex)
    yield r"& " + (r" \\ & \quad " + "\n").join(pieces)
    for line in part.lines:
        names = rf" && \text{{{', '.join(line.reason.rules)}}}" if line.reason else ""
        pieces = _break(line.right.latex)
        sign = {"⇒": r"\Rightarrow ", ":=": ":="}.get(line.relation, line.relation)
        pieces[0] += names.replace("_", r"\_")
        yield rf"& \quad {sign} " + (" \\\\\n" + r"& \qquad ").join(pieces)


def _reasons(part: Calc) -> Iterator[tuple[str, str]]:
    for line in part.lines:
        if line.reason and line.reason.said:
            yield (
                ", ".join(line.reason.rules).replace("_", r"\_"),
                ". ".join(s.latex for s in line.reason.said),
            )


_PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=25mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt}
\allowdisplaybreaks
\begin{document}
"""


def _latex(doc: Document, ascii: bool, color: bool) -> str:
    drawn = any(isinstance(p, Figure) for p in doc.parts)
    preamble = (
        _PREAMBLE.replace("{amsmath,amssymb}\n", "{amsmath,amssymb}\n\\usepackage{tikz}\n") if drawn else _PREAMBLE
    )
    out = [preamble + rf"\section*{{{_inline(doc.title)}}}"]
    for part in doc.parts:
        if isinstance(part, Head):
            command = "subsection" if part.level < 3 else "paragraph"
            out.append(rf"\{command}*{{{_heading(part)}}}")
        elif isinstance(part, Para):
            lead = "" if not part.bullet else "-- " if part.bullet == "– " else part.bullet
            out.append(rf"{lead}{part.said.latex}" + "\n")
        elif isinstance(part, Figure):
            out.append("\\begin{center}\n" + part.latex + "\\end{center}\n")
        elif isinstance(part, Table):
            out.append(_latex_table(part))
        elif isinstance(part, Calc):
            out.append("\\begin{align*}\n" + " \\\\\n".join(_rows(part)) + "\n\\end{align*}")
            out += [rf"\textsc{{{names}}}: {words}." + "\n" for names, words in _reasons(part)]
    return "\n".join(out) + "\n\\end{document}\n"


def _heading(part: Head) -> str:
    found = _inline(part.title)
    return found if part.level < 3 else found + r"\quad"


def _latex_table(part: Table) -> str:
    """Rows of formulas as an array, rows with sentences as a tabular."""
    columns = max(map(len, part.rows))
    end = " \\\\[3pt]\n" if any("bmatrix" in c.latex for row in part.rows for c in row) else " \\\\\n"
    if all(isinstance(c, Cell) for row in part.rows for c in row):
        body = end.join(" & ".join(c.latex for c in row) for row in part.rows)
        return "\\[\n\\begin{array}{" + "l" * columns + "}\n" + body + "\n\\end{array}\n\\]"
    body = end.join(" & ".join(_inline(c) for c in row) for row in part.rows)
    return "\\begin{tabular}{" + "l" * (columns - 1) + "p{70mm}}\n" + body + "\n\\end{tabular}\n"


def _markdown(doc: Document, ascii: bool, color: bool) -> str:
    out = [f"# {_inline(doc.title)}"]
    for part in doc.parts:
        if isinstance(part, Head):
            out.append(f"{'#' * (part.level)} {_md(_inline(part.title))}")
        elif isinstance(part, Para):
            words = _md(part.said.latex)
            out.append(f"- {words}" if part.bullet == "– " else f"{part.bullet}{words}")
        elif isinstance(part, Figure):
            out.append("\n".join(["```text", *part.text, "```"]))
        elif isinstance(part, Table):
            out.append(_markdown_table(part))
        elif isinstance(part, Calc):
            out.append("$$\n\\begin{aligned}\n" + " \\\\\n".join(_rows(part)) + "\n\\end{aligned}\n$$")
            out += [f"- **{names.replace(chr(92) + '_', '_')}**: {_md(words)}." for names, words in _reasons(part)]
    text = "\n\n".join(out) + "\n"
    return re.sub(r"(\n- [^\n]*)\n(?=\n- )", r"\1", text)


def _md(latex: str) -> str:
    """LaTeX running text as Markdown: outside the formulas only the escapes differ."""
    parts = re.split(r"(\$[^$]*\$)", re.sub(r"\\textbf\{([^{}]*)\}", r"**\1**", latex))
    for k in range(0, len(parts), 2):
        parts[k] = (
            parts[k].replace(r"\ldots{}", "…").replace(r"\textasciicircum ", "^").replace(r"\textasciitilde ", "~")
        )
        parts[k] = re.sub(r"\\([%&#{}])", r"\1", parts[k]).replace("--", "–").replace("-{}-", "--")
    return "".join(parts)


def _markdown_table(part: Table) -> str:
    rows = [[(_md(_inline(c)) if c.latex else "").replace("|", r"\|") for c in row] for row in part.rows]
    columns = max(map(len, rows), default=0)
    head = rows.pop(0) if part.head else [""] * columns
    lines = [head, ["---"] * columns, *rows]
    return "\n".join("| " + " | ".join([*r, *[""] * (columns - len(r))]) + " |" for r in lines)


FORMATS: Mapping[str, Callable[[Document, bool, bool], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
}
