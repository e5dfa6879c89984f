"""Formulas as runs of upright and italic letters, raised and lowered; and how wide they are at most.

No renderer can be asked, so widths are estimated from above: those of DejaVu Serif, the widest of the usual faces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from ..names import ascii_text, latex_name

__all__ = ["Run", "Words", "formula", "italic", "plain", "wrap", "written"]

SMALL = 0.72  # size of a sub- or superscript
# Hundredths of an em for the characters from blank to ~.
_ASCII = [
    32, 40, 46, 84, 64, 95, 89, 27, 39, 39, 50, 84, 32, 34, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 54, 100, 72, 73, 77, 80, 73, 69, 80, 87, 40, 44, 75, 66, 102, 88, 82,
    67, 82, 75, 69, 67, 84, 72, 103, 72, 72, 69, 39, 34, 39, 84, 50, 50, 60, 64, 56, 64, 59, 37, 64,
    64, 32, 31, 61, 32, 95, 64, 60, 64, 64, 48, 51, 40, 64, 56, 86, 56, 56, 53, 64, 34, 64, 84,
]  # fmt: skip
_OTHER = {"∇": 0.72, "∘": 0.6, "⊙": 0.86, "′": 0.26, "″": 0.45, "‴": 0.6, "‖": 0.52, "⟨": 0.42, "⟩": 0.42, "·": 0.34, "−": 0.86, "\u00a0": 0.32}  # fmt: skip
_SUB = str.maketrans("₀₁₂₃₄₅₆₇₈₉ᵢⱼₖ", "0123456789ijk")
_SUP = str.maketrans("ᵀ⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᵉᵗ⁺⁽⁾", "T−0123456789et+()")

_TOKEN = re.compile(
    r"""(?P<slot>[∇D]+)(?P<slots>\d+)_(?=[^\W\d])
    |(?P<lower>[₀-₉ᵢⱼₖ]+)
    |(?P<upper>[ᵀ⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᵉᵗ⁺⁽⁾]+)
    |\^(?P<each>∘?)(?:\((?P<group>[^()]*)\)|(?P<power>[−-]?[^\Wᵀ]+))
    |_(?:\{(?P<braced>[^{}]*)\}|\((?P<index>[^()]*)\)|(?P<under>[^\W_ᵀ²³]+))
    |(?P<quoted>"[^"]*")
    |(?P<name>(?:(?![½⅓¼¾ᵀᵉᵗᵢⱼₖ⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉])[^\W\d_])+)(?P<digits>\d*)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<other>.)""",
    re.X | re.S,
)


@dataclass(frozen=True, slots=True)
class Run:
    """Letters in one style; `level` is −1 for a subscript, 1 for a superscript."""

    text: str
    italic: bool = False
    level: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """What is written at one place."""

    runs: tuple[Run, ...]

    def __add__(self, other: Words) -> Words:
        return Words(self.runs + other.runs)

    @property
    def text(self) -> str:
        return "".join(r.text for r in self.runs).replace("\u00a0", " ")

    @property
    def latex(self) -> str:
        """The same in LaTeX, for amsmath and amssymb."""
        tight = _SPACED.sub(r"\1", _latex(self.runs))
        return f"${tight}$"

    def width(self, size: float) -> float:
        """At most this wide."""
        return sum(_width(r.text) * size * (SMALL if r.level else 1) for r in self.runs)


def _width(text: str) -> float:
    return sum(_letter(c) for c in text)


def _letter(c: str) -> float:
    if " " <= c <= "~":
        return _ASCII[ord(c) - 32] / 100
    if c in _OTHER:
        return _OTHER[c]
    if unicodedata.combining(c):
        return 0
    return 1.1 if unicodedata.east_asian_width(c) in "WF" else 0.9


def _is_name(word: str) -> bool:
    """One letter is a name, and so is a letter with its increment or gradient mark; longer words stand upright."""
    return len(word) == 1 or (len(word) == 2 and word[0] in "d∂")


def written(text: str) -> Words:
    """A formula in our Unicode notation."""
    found: list[Run] = []

    def put(piece: str, italic: bool = False, level: int = 0) -> None:
        if not piece:
            return
        if found and found[-1].italic == italic and found[-1].level == level:
            found[-1] = Run(found[-1].text + piece, italic, level)
        else:
            found.append(Run(piece, italic, level))

    for m in _TOKEN.finditer(text):
        if m["slot"]:  # ∇2_loss: the derivative in the second argument
            put(m["slot"])
            put(m["slots"], level=-1)
        elif m["lower"]:
            put(m["lower"].translate(_SUB), level=-1)
        elif m["upper"]:
            put(m["upper"].translate(_SUP), level=1)
        elif m["group"] is not None or m["power"]:
            put(m["each"] + (m["group"] or m["power"] or "").replace("-", "−"), level=1)
        elif m["braced"] is not None or m["index"] is not None or m["under"]:
            inside = next(x for x in (m["braced"], m["index"], m["under"]) if x is not None)
            put("," if found and found[-1].level < 0 else "", level=-1)  # W1_23 is an entry of W₁, not W₁₂₃
            put(inside, italic=not any(c.isdigit() for c in inside), level=-1)
        elif m["name"]:
            put(m["name"], italic=_is_name(m["name"]))
            put(m["digits"], level=-1)
        else:
            put((m["number"] or m["quoted"] or m["other"]).replace(" ", "\u00a0"))
    return Words(tuple(found))


def formula(trio: Mapping[str, str]) -> Words:
    """A formula of the record."""
    return written(trio["text"])


def plain(text: str) -> Words:
    """Words of ours, upright."""
    return Words((Run(text.replace(" ", "\u00a0")),))


def italic(text: str) -> Words:
    """Letters of indices."""
    return Words((Run(text, italic=True),))


# ---- LaTeX

_TEX = {
    "∇": r"\nabla ", "⊙": r"\odot ", "⊘": r"\oslash ", "⊗": r"\otimes ", "′": "'", "″": "''", "‴": "'''", "‖": r"\Vert ", "⟨": r"\langle ",
    "⟩": r"\rangle ", "·": r"\cdot ", "−": "-", "½": r"\tfrac{1}{2}", "⅓": r"\tfrac{1}{3}", "¼": r"\tfrac{1}{4}", "¾": r"\tfrac{3}{4}",
    "×": r"\times ", "…": r"\ldots ", "●": r"\bullet ", "ℓ": r"\ell ", "∂": r"\partial ", "\u00a0": r"\,", "→": r"\to ", "⇒": r"\Rightarrow ",
    "Σ": r"\textstyle\sum ", "√": r"\surd ", "∘": r"\circ ", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$",
    "\\": r"\backslash ", "^": r"\hat{}", "_": r"\_", "~": r"\sim ", ":": "{:}",
}  # fmt: skip
_SPACED = re.compile(r"\\,(=|\+|-|\\odot |\\oslash |\\otimes |\\times )\\,")  # TeX has room of its own around these
_PIECE = re.compile(r"[^\W\d_½⅓¼¾ℓ]+(?:[,.;]?\u00a0[^\W\d_½⅓¼¾ℓ]+)*|.", re.S)


def _latex(runs: tuple[Run, ...]) -> str:
    """Mathematics without delimiters; letters that are lowered or raised together make one group."""
    out, lowered, raised, k = "", False, False, 0
    while k < len(runs):
        level, body = runs[k].level, ""
        while k < len(runs) and runs[k].level == level:
            body += _run(runs[k])
            k += 1
        if level == 0:
            out, lowered, raised = out + body, False, False
        elif level < 0:
            out, lowered = out + ("{}_" if lowered else "_") + "{" + body + "}", True
        else:
            body = r"\top" if body == r"\text{T}" else body
            out, raised = out + ("{}^" if raised else "^") + "{" + body + "}", True
    return out


def _run(r: Run) -> str:
    """Letters in italics as they are, words upright, signs by their commands."""
    found = ""
    for m in _PIECE.finditer(r.text):
        piece = m[0].replace("\u00a0", " ")
        if m[0] in _TEX or not piece[0].isalpha():
            found += _TEX.get(m[0], piece if piece.isascii() else rf"\text{{{_word(piece)}}}")
        elif piece.isascii():
            found += piece if r.italic else rf"\text{{{piece}}}"
        else:
            found += " ".join(latex_name(c) if c.isalpha() else c for c in piece)
    return found


def _word(text: str) -> str:
    return re.sub(r"[%&#$_{}\\^~]", "", ascii_text(text))


def wrap(text: str, size: float, width: float) -> list[str]:
    """The text in lines that are at most this wide, unless one word is wider."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and _width(longer) * size > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
