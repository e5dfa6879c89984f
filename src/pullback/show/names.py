"""How names are typeset in each target: Greek letters, subscripts, increments and gradients."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

from ..algebra.indexed import ref

__all__ = ["GREEK", "SCHEMES", "Taken", "ascii_name", "ascii_text", "gradient_name", "latex_name", "marked"]

_LETTERS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
]
GREEK = {unicodedata.lookup(f"GREEK SMALL LETTER {'LAMDA' if g == 'lambda' else g.upper()}"): g for g in _LETTERS}
GREEK |= {
    unicodedata.lookup(f"GREEK CAPITAL LETTER {'LAMDA' if g == 'lambda' else g.upper()}"): g.capitalize()
    for g in _LETTERS
}
_TEX_GREEK = (
    set(GREEK.values())
    - {"omicron", "Omicron"}
    - {
        w.capitalize()
        for w in ["alpha", "beta", "epsilon", "zeta", "eta", "iota", "kappa", "mu", "nu", "rho", "tau", "chi"]
    }
)
_SUB = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_LOW = str.maketrans("ᵢⱼₖ", "ijk")
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_ASCII = {
    "ᵀ": "^T",
    "⊙": ".*",
    "⊘": "./",
    "‖": "||",
    "∇": "grad_",
    "′": "'",
    "″": "''",
    "‴": "'''",
    "−": "-",
    "⟨": "<",
    "⟩": ">",
    "½": "(1/2)",
    "⅓": "(1/3)",
    "¼": "(1/4)",
    "¾": "(3/4)",
    "·": "*",
    "π": "pi",
    "ℓ": "ell",
    "Σ": "sum",
    "…": "...",
    "⇒": "=>",
    "→": "->",
    "≠": "!=",
    "≥": ">=",
    "≤": "<=",
    "×": "x",
    "√": "sqrt",
    "∂": "d",
    "≡": "=",
    "⊗": "(x)",
    "–": "-",
    "—": "-",
    "“": '"',
    "”": '"',
    "’": "'",
    "∎": "QED",
    "∫": "integral ",
    "ᵢ": "_i",
    "ⱼ": "_j",
    "ᵗ": "t",
    "⁽": "(",
    "⁾": ")",
    "²": "^2",
    "³": "^3",
    "σ": "sigma",
    "ₖ": "_k",
    "ᵉ": "^e",
    "̄": "bar",
    "●": "*",
}


_MARKS = {
    "\u0302": ("hat", r"\hat"), "\u0304": ("bar", r"\bar"), "\u0305": ("bar", r"\bar"), "\u0303": ("tilde", r"\tilde"),
    "\u0307": ("dot", r"\dot"), "\u0308": ("ddot", r"\ddot"), "\u030c": ("check", r"\check"), "\u0306": ("breve", r"\breve"),
    "\u0301": ("acute", r"\acute"), "\u0300": ("grave", r"\grave"), "\u20d7": ("vec", r"\vec"),
}  # fmt: skip


def _accented(letter: str) -> tuple[str, list[tuple[str, str]]] | None:
    """A letter and the marks over it, in words and in LaTeX; None if there are none, or others."""
    base, *marks = list(unicodedata.normalize("NFD", letter))
    return (base, [_MARKS[m] for m in marks]) if marks and all(m in _MARKS for m in marks) else None


def _words(found: re.Match[str]) -> str:
    parts = _accented(found[0])
    return "_".join([parts[0], *(word for word, _ in parts[1])]) if parts else found[0]


def ascii_name(name: str) -> str:
    """A name in ASCII: a capital Σ is the letter, not the sign of a sum."""
    return ascii_text(name.replace("Σ", "Sigma"))


@lru_cache(maxsize=1 << 14)
def ascii_text(text: str) -> str:
    """The text in ASCII; every symbol has one spelling."""
    if text.isascii():
        return text
    # ŷ is y_hat where it stands alone, but not inside a word
    text = re.sub(r"(?<![^\W\d_])[^\W\d_][\u0300-\u036f]*(?![^\W\d_])", _words, text)
    text = re.sub("Σ([ᵢⱼₖ]+)", lambda m: "sum_" + m[1].translate(_LOW), text).replace("Σ_", "sum_")
    text = text.replace("^∘", ".^")
    text = re.sub(r"\be⁻ᵗ", "exp(-t)", text).replace("eᵗ", "exp(t)").replace("tᵉ⁻¹", "t^(e-1)")
    text = re.sub("[₀-₉]+", lambda m: "_" + m[0].translate(_SUB), text)
    text = text.replace("⁻ᵀ", "^-T")
    text = re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "^" + m[0].translate(_SUPER), text)
    text = re.sub("[ᵢⱼₖ]{2,}", lambda m: "_" + m[0].translate(_LOW), text)
    text = "".join(_ASCII.get(c) or GREEK.get(c) or c for c in text)
    return text if text.isascii() else "".join(c if c.isascii() else _spelled(c) for c in text)


def _spelled(c: str) -> str:
    plain = unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode()
    return plain or f"U{ord(c):04X}"


def _latex_word(word: str) -> str:
    """One piece of a name without subscripts."""
    if word in GREEK:
        word = GREEK[word]
    if word in _TEX_GREEK:
        return "\\" + word
    if word == "ℓ":
        return r"\ell"
    accented = _accented(word)
    if accented is not None and len(accented[0]) == 1:
        body = _latex_word(accented[0])
        for _, command in accented[1]:
            body = f"{command}{{{body}}}"
        return body
    if word.isascii():
        return word if len(word) == 1 or word.isdigit() else rf"\mathit{{{word}}}"
    if all(c.isascii() or c in GREEK for c in word):
        return "".join(f"\\{GREEK[c]} " if GREEK.get(c) in _TEX_GREEK else GREEK.get(c, c) for c in word).strip()
    latin = all(c.isascii() or c in "àáâäçèéêëìíîïñòóôöùúûüýÀÁÂÄÇÈÉÊËÌÍÎÏÑÒÓÔÖÙÚÛÜÝß" for c in word)
    return rf"\text{{{word if latin else ascii_text(word)}}}"


@lru_cache(maxsize=1 << 16)  # a page writes the same names again and again
def latex_name(name: str) -> str:
    """`u₁` and `u_1` as u_{1}, `lambda` as \\lambda, `alphas` as \\mathit{alphas}; primes stay; `W[k]` as W^{(k)}."""
    member = ref(name.rstrip("′″‴'"))
    if member is not None:
        primes = name[len(name.rstrip("′″‴'")) :]
        index = ",".join(str(d).replace(" ", "") for d in member.index)
        return f"{{{latex_name(member.family + primes)}^{{({index})}}}}"
    body = name.rstrip("′″‴'")
    primes = "'" * sum({"′": 1, "'": 1, "″": 2, "‴": 3}[c] for c in name[len(body) :])
    found = re.fullmatch(r"(.*?[^_\d₀-₉])(?:_+(.*)|([₀-₉]+)|(\d+))", body)
    if found is None:
        return _latex_word(body) + primes
    base, under, small, digits = found.groups()
    sub = under if under is not None else (small or digits).translate(_SUB)
    if "_" in base or len(base) == 0:
        return rf"\mathit{{{ascii_text(body)}}}".replace("_", r"\_") + primes
    inside = "\\_".join(_latex_word(w) for w in sub.translate(_SUB).split("_") if w)
    return f"{_latex_word(base)}{primes}_{{{inside}}}"


# ---- what gradients are called ---------------------------------------------------------------------------

SCHEMES = ("nabla", "full", "partial", "bar", "delta", "grad")
_MACRON, _OVERLINE = "\u0304", "\u0305"


class Taken(frozenset[str]):
    """The names of a program, and how the gradients of `objective` are called beside them."""

    scheme: str
    objective: str

    def __new__(cls, names: Collection[str], scheme: str = "nabla", objective: str = "E") -> Taken:
        found = super().__new__(cls, names)
        found.scheme, found.objective = scheme, objective
        return found


def _barred(name: str, target: str) -> str:
    """z̄, Ā3, h̄_new; a long word has a line over all its letters."""
    found = re.fullmatch(r"([^\W\d_₀-₉]+)(.*)", name, re.S)
    word, tail = found.groups() if found else (name, "")
    if target == "latex":
        body = latex_name(name)
        lead = re.match(r"\\[A-Za-z]+\{[^{}]*\}|\\[A-Za-z]+|.", body)
        base = lead[0] if lead else body
        bar = r"\bar" if len(word) == 1 else r"\overline"
        return f"{bar}{{{base}}}{body[len(base) :]}"
    if target == "ascii":
        return f"{ascii_text(name)}_bar"
    return word + _MACRON + tail if len(word) == 1 else "".join(c + _OVERLINE for c in word) + tail


def gradient_name(name: str, scheme: str, target: str, objective: str, sub: str = "") -> str:
    """The gradient of `name` in a scheme other than ∇ with a clash; `sub` are the indices of an entry of it."""
    tex = target == "latex"
    spell = latex_name if tex else ascii_text if target == "ascii" else str
    x, E = spell(name), spell(objective)
    if scheme == "full":
        if target == "ascii":
            return f"grad_{x}({E}){sub}"
        body = rf"\nabla_{{{x}}} {E}" if tex else f"∇_{x} {E}"
        return f"({body}){sub}" if sub else body
    if scheme == "partial":
        if tex:
            return rf"\tfrac{{\partial {E}}}{{\partial {f'({x})' if '_' in x and sub else x}{sub}}}"
        d = "d" if target == "ascii" else "∂"
        return f"{d}{E}/{d}{x}{sub}"
    if scheme == "bar":
        body = _barred(name, target)
        return f"({body}){sub}" if tex and sub and "_" in body else body + sub
    if scheme == "delta":
        return (rf"\delta_{{{x}}}" if tex else f"delta_{x}" if target == "ascii" else f"δ{x}") + sub if not (tex and sub) else (
            rf"(\delta_{{{x}}}){sub}")  # fmt: skip
    if scheme == "grad":
        body = rf"\mathrm{{grad}}_{{{x}}}" if tex else f"grad_{x}"
        return f"({body}){sub}" if tex and sub else body + sub
    body = rf"\nabla_{{{x}}}" if tex else f"grad_{x}" if target == "ascii" else f"∇{x}"
    return f"({body}){sub}" if tex and sub else body + sub


def marked(name: str, kind: str, target: str, taken: Collection[str]) -> str:
    """A name of kind value, d (its increment) or grad (its gradient), as it is printed."""
    if kind == "grad" and isinstance(taken, Taken) and taken.scheme != "nabla":
        return gradient_name(name, taken.scheme, target, taken.objective)
    if target == "latex":
        body = latex_name(name)
        return {"d": rf"\mathrm{{d}}{body}", "grad": rf"\nabla_{{{body}}}"}.get(kind, body)
    if kind == "d":
        found = f"d({name})" if f"d{name}" in taken else f"d{name}"
    elif kind == "grad":
        clash = f"∇{name}" in taken or (target == "ascii" and f"grad_{name}" in taken)
        found = f"∇({name})" if clash else f"∇{name}"
    else:
        found = name
    return ascii_name(found) if target == "ascii" else found
