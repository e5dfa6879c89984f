"""Sentences with formulas in them: `$name` filled in, and Unicode mathematics made legal LaTeX."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ..algebra.expr import Expr
from ..algebra.indexed import family_of
from ..algebra.op import ATOM, POSTFIX, PRODUCT, TIMES
from ..calculus.roles import Entry, Letters, Product
from ..step import Increment
from .indices import entry, product
from .names import GREEK, ascii_text, latex_name, marked
from .notation import Printed, show

__all__ = ["fill", "prose_latex", "sentence"]

_PLACE = re.compile(r"\$([A-Za-z0-9]+)")


def _least(before: str, after: str) -> int:
    """How tightly a formula must bind between these two pieces of a sentence."""
    if re.match(r"[ᵀ^′²³⁻\[]", after):
        return ATOM
    if re.match(r" ?[⊙⊘/]", after) or re.search(r"[⊙⊘/] ?$", before):
        return POSTFIX
    if re.match(r" (\$|\(|·|[A-Za-z](?![A-Za-z]))", after) and not re.match(r" a [a-z]", after):
        return PRODUCT
    if re.search(r"(\$[A-Za-z0-9]+|ᵀ|\)|Σ[ᵢⱼ]*|·|(?<![A-Za-z])[A-Za-z][ᵢⱼ]*) $", before) and not re.search(
        r"(^| )a $", before
    ):
        return PRODUCT
    return TIMES if re.search(r"−$|− $", before) else 0


def _shown(value: Any, taken: Collection[str], least: int, letters: Letters | None) -> Printed:
    if isinstance(value, Expr | Increment):
        return show(value, taken, least)
    if isinstance(value, Entry):
        return entry(value, taken, letters)
    if isinstance(value, Product):
        return product(value, taken, letters)
    word = str(value)
    name = re.fullmatch(r"[^\W\d]\w*", word) is not None
    return Printed(word, ascii_text(word), latex_name(word) if name else rf"\text{{{_escape(word)}}}")


def fill(
    template: str, bind: Mapping[str, Any], taken: Collection[str] = (), letters: Letters | None = None
) -> Printed:
    """The sentence in all three notations."""
    values: dict[str, Printed] = {}
    text, plain, tex = [], [], []
    at = 0
    for found in _PLACE.finditer(template):
        if found[1] not in bind:
            continue
        least = _least(template[: found.start()], template[found.end() :])
        shown = _shown(bind[found[1]], taken, least, letters)
        before = template[at : found.start()]
        at = found.end()
        mark = f"\x00{len(values)}\x00"
        values[mark] = shown
        text += [before, shown.text]
        plain += [ascii_text(before), shown.ascii]
        tex += [before, mark]
    rest = template[at:]
    marks = {m: p.latex for m, p in values.items()}
    return Printed(
        "".join([*text, rest]),
        "".join([*plain, ascii_text(rest)]),
        prose_latex("".join([*tex, rest]), taken, marks),
    )


def sentence(*parts: str | Printed, taken: Collection[str] = ()) -> Printed:
    """Words and formulas beside each other; the LaTeX is running text."""
    text = "".join(p if isinstance(p, str) else p.text for p in parts)
    plain = "".join(ascii_text(p) if isinstance(p, str) else p.ascii for p in parts)
    marks: dict[str, str] = {}
    tex = ""
    for p in parts:
        if isinstance(p, str):
            tex += p
        else:
            mark = f"\x00{len(marks)}\x00"
            marks[mark] = p.latex
            tex += mark
    return Printed(text, plain, prose_latex(tex, taken, marks))


# ---- Unicode prose to LaTeX ------------------------------------------------------------------------------

_SUB = str.maketrans("₀₁₂₃₄₅₆₇₈₉ᵢⱼₖ", "0123456789ijk")
_SUP = {
    "ᵀ": r"\top ",
    "⁻": "-",
    "ᵉ": "e",
    "ᵗ": "t",
    "ᵇ": "b",
    "ⁿ": "n",
    "ˢ": "s",
    "ᶻ": "z",
    "⁺": "+",
    "⁽": "(",
    "⁾": ")",
} | dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))
_SYMBOL = {
    "⟨": r"\langle ",
    "⟩": r"\rangle ",
    "⊙": r"\odot ",
    "⊘": r"\oslash ",
    "Σ": r"\sum",
    "∇": r"\nabla",
    "⇒": r"\Rightarrow ",
    "−": "-",
    "·": r"\cdot ",
    "≠": r"\neq ",
    "≥": r"\geq ",
    "≤": r"\leq ",
    "×": r"\times ",
    "√": r"\surd ",
    "∂": r"\partial ",
    "≡": r"\equiv ",
    "→": r"\to ",
    "∫": r"\int",
    "½": r"\tfrac{1}{2}",
    "⅓": r"\tfrac{1}{3}",
    "¼": r"\tfrac{1}{4}",
    "¾": r"\tfrac{3}{4}",
    "+": "+",
    "=": "=",
    "<": "<",
    ">": ">",
    "π": r"\pi ",
    "ℓ": r"\ell ",
    "⊗": r"\otimes ",
    "∘": r"\circ ",
    "●": r"\bullet ",
}
_FUNCTIONS = ("diagvec", "rvec", "vec", "diag", "tr", "exp", "log", "tanh", "cosh", "sinh", "sin", "cos")
_PLAIN = {"exp", "log", "tanh", "cosh", "sinh", "sin", "cos"}
_TOKEN = re.compile(
    r"""(?P<mark>\x00\d+\x00)
    |(?P<owned>[A-Za-z]{2,}'[a-z]+\b)
    |(?P<ones>1_(?:[A-Za-z][A-Za-z0-9]*|\([^()]*\)))
    |(?P<member>[^\W\d_]\w*\[[\w+,-]+\])
    |(?P<range>Σ_\{[^{}=]+=[^{}]*?\.\.[^{}]*\})
    |(?P<tiny>\d+(?:\.\d+)?e[-+]?\d+\b)
    |(?P<sup>[ᵀ⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᵉᵗᵇⁿˢᶻ⁺⁽⁾]+)
    |(?P<sub>[₀-₉ᵢⱼₖ]+)
    |(?P<grad>∇_?[^\W\d_]\w*(?:\[[\w+,-]+\]|[⁻⁺¹²³]*))
    |(?P<name>[A-Za-zͰ-Ͽ][A-Za-z0-9]*_\w+|[^\W\d_]\w*[⁻⁺¹²³ᵗᵉᵇⁿˢᶻ⁽⁾]*)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<power>\^\((?:[^()]*)\)|\^∘?[-−]?\w+)
    |(?P<prime>[′″‴']+)
    |(?P<bar>‖)
    |(?P<dots>…)
    |(?P<symbol>:=|[⟨⟩⊙⊘Σ∇⇒−·≠≥≤×√∂≡→∫½⅓¼¾+=<>πℓ⊗∘●])
    |(?P<join>[ (),\[\]/-])
    |(?P<other>.)""",
    re.X | re.S,
)


def _escape(word: str) -> str:
    word = "".join(c if c.isascii() or c in "–—‘’“”…éèêëàâäöüßçñ" else ascii_text(c) for c in word)
    return (
        re.sub(r"([%&#$_{}])", r"\\\1", word.replace("\\", r"\textbackslash "))
        .replace("~", r"\textasciitilde ")
        .replace("^", r"\textasciicircum ")
        .replace("…", r"\ldots{}")
    )


def _split_name(word: str) -> tuple[str, str]:
    """A word and the super- or subscript letters that end it (Σ x yᵢ: `yᵢ` is one token of letters)."""
    k = len(word)
    while k > 1 and (word[k - 1] in _SUP or word[k - 1] in "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖ"):
        k -= 1
    return word[:k], word[k:]


def _scripts(tail: str) -> str:
    out = ""
    for found in re.finditer("[₀-₉ᵢⱼₖ]+|[^₀-₉ᵢⱼₖ]+", tail):
        run = found[0]
        if run[0] in "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖ":
            out += f"_{{{run.translate(_SUB)}}}"
        else:
            out += f"^{{{''.join(_SUP.get(c, '') for c in run)}}}"
    return out


_VERB = re.compile(
    "is|are|as|in|of|by|at|to|on|or|has|does|reaches|enters?|acts|moves|alone|and|with|for|only|stands|from"
)


def _article(after: str, taken: Collection[str]) -> bool:
    """Whether the word a before this is English: no verb follows that a name could be the subject of."""
    found = re.match(r" ([a-z]{2,})", after)
    if found is None or found[1] in taken or found[1][1:] in taken:
        return False
    return _VERB.fullmatch(found[1]) is None


_NUMBERED = re.compile("[A-Za-z][₀-₉]+")  # names as ours


def _word(word: str, after: str, taken: Collection[str]) -> str | None:
    """The LaTeX of a word that is mathematics, None if it is English."""
    base, tail = _split_name(word)
    if base[0] in "Σ" and len(base) == 1:
        return r"\sum" + _scripts(tail) + " "
    entry = re.fullmatch(r"([A-Za-zΑ-ω])_([a-z]{1,4})", base)
    if entry is not None and base not in taken:
        name = r"\sum" if entry[1] == "Σ" else latex_name(entry[1])
        return f"{name}_{{{entry[2]}}}{_scripts(tail)} "
    owner, _, letters = base.rpartition("_")
    if (
        owner
        and re.fullmatch("[a-z]{1,2}", letters)
        and (owner in taken or _NUMBERED.fullmatch(owner))
        and base not in taken
    ):
        return f"{{{latex_name(owner)}}}_{{{letters}}}{_scripts(tail)} "
    if base in ("a", "A", "I") and not tail and _article(after, taken):
        return None
    if base in taken:
        return latex_name(base) + _scripts(tail)
    if base[0] == "d" and base[1:] in taken:
        return marked(base[1:], "d", "latex", taken) + _scripts(tail)
    if base in _FUNCTIONS:
        return (f"\\{base}" if base in _PLAIN else rf"\operatorname{{{base}}}") + _scripts(tail) + " "
    if base in ("sum", "mean", "pad", "relu", "softplus", "sigmoid", "step", "erf", "count") and after[:1] in (
        "(",
        "′",
    ):
        return rf"\operatorname{{{base}}}" + _scripts(tail)
    if len(base) == 1 and base.isascii() and base not in "aAI":
        return base + _scripts(tail)
    if all(c in GREEK for c in base) or "_" in base or re.fullmatch(r"[A-Za-z]\d+", base):
        return latex_name(base) + _scripts(tail)
    if len(base) == 2 and base[0] == "d" and base.isascii() and base not in ("do",):
        return rf"\mathrm{{d}}{base[1]}" + _scripts(tail)
    if base in ("a", "A", "I", "AB") and (tail or re.match(r"[ᵀ⟩),]| ?[=+−⊙·∇(⟨\x00]| [a-zA-Z](?![A-Za-z])", after)):
        return base + _scripts(tail)
    return None


def _member(piece: str, taken: Collection[str]) -> str:
    """`a[L]`, `da[L]` and `∇a[L]` with a^{(L)} where the program has a family a; else an entry of a."""
    kind = "grad" if piece[0] == "∇" else "value"
    base, bracket, index = piece.removeprefix("∇").removeprefix("_").partition("[")
    families = {family_of(n) for n in taken} - set(taken)
    if kind == "value" and base not in families and base[0] == "d" and base[1:] in families:
        kind, base = "d", base[1:]
    inside = bracket + index
    return (
        marked(base + inside, kind, "latex", taken) if base in families else marked(base, kind, "latex", taken) + inside
    )


def prose_latex(sentence: str, taken: Collection[str] = (), marks: Mapping[str, str] | None = None) -> str:
    """The sentence as LaTeX text, formulas between dollar signs; `\\x00n\\x00` stands for marks[..]."""
    known = marks or {}
    tokens: list[tuple[str, str]] = []  # ("m", formula), ("p", prose) or ("j", joining character)
    bars = 0
    for found in _TOKEN.finditer(sentence):
        kind, piece = found.lastgroup or "other", found[0]
        after = sentence[found.end() : found.end() + 12]
        if kind == "mark":
            tokens.append(("m", known.get(piece, "")))
        elif kind == "member" or (kind == "grad" and "[" in piece):
            tokens.append(("m", _member(piece, taken)))
        elif kind == "grad":
            base, tail = _split_name(piece[1:].removeprefix("_"))
            tokens.append(("m", marked(base, "grad", "latex", taken) + _scripts(tail)))
        elif kind == "name":
            maths = _word(piece, after, taken)
            tokens.append(("p", _escape(piece)) if maths is None else ("m", maths))
        elif kind == "owned":  # the user's
            tokens.append(("p", _escape(piece)))
        elif kind == "ones":
            sizes = [latex_name(s.strip()) for s in piece[2:].strip("()").split(",")]
            tokens.append(("m", r"\mathbf{1}_{" + r"\times ".join(sizes) + "}"))
        elif kind == "range":
            letter, first, last = re.split(r"=|\.\.", piece[3:-1])
            tokens.append(("m", rf"\sum_{{{letter}={first}}}^{{{last}}} "))
        elif kind == "tiny":
            number, exponent = piece.split("e")
            power = rf"10^{{{int(exponent)}}}"
            tokens.append(("m", power if number == "1" else rf"{number} \cdot {power}"))
        elif kind == "number":
            tokens.append(("m", piece))
        elif kind == "power":
            inside = piece[2:-1] if piece[1] == "(" else piece[1:]
            body = "".join(_SYMBOL.get(c, "^{2}" if c == "²" else c) for c in inside)
            tokens.append(("m", f"^{{{body}}}"))
        elif kind in ("sup", "sub"):
            tokens.append(("m", _scripts(piece)))
        elif kind == "prime":
            maths_before = tokens and tokens[-1][0] == "m"
            tokens.append(
                ("m", "'" * len(piece)) if maths_before and piece[0] != "'" else ("p", piece.replace("′", "'"))
            )
        elif kind == "bar":
            bars += 1
            tokens.append(("m", r"\lVert " if bars % 2 else r"\rVert "))
        elif kind == "dots":
            tokens.append(("m", r"\ldots "))
        elif kind == "symbol":
            tokens.append(("m", _SYMBOL.get(piece, piece)))
        elif kind == "join":
            tokens.append(("j", piece))
        else:
            tokens.append(("p", _escape(piece)))
    return _assembled(tokens)


def _assembled(tokens: list[tuple[str, str]]) -> str:
    """Neighbouring formulas, with the brackets and blanks between them, made one."""
    out: list[str] = []
    k = 0
    while k < len(tokens):
        if tokens[k][0] != "m":
            out.append(_escape(tokens[k][1]) if tokens[k][0] == "j" else tokens[k][1])
            k += 1
            continue
        end, j, depth = k + 1, k, 0
        while j < len(tokens) and tokens[j][0] != "p":
            kind, piece = tokens[j]
            depth += (piece in ("(", "[", r"\langle ")) - (piece in (")", "]", r"\rangle "))
            if kind == "m" or (piece in ")]" and depth >= 0 and end == j):
                end = j + 1
            elif (piece == "," and depth <= 0) or depth < 0:
                break
            j += 1
        out.append("$" + "".join(p for _, p in tokens[k:end]).strip() + "$")
        k = end
    return "".join(out)
