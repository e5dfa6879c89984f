"""How a gradient is called: ∇z, ∇_z E, ∂E/∂z, z̄, δz or grad_z, one spelling for a whole page (theory.md §6.5)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Any

from .names import SCHEMES, Taken, ascii_text, gradient_name

__all__ = ["chosen", "spellings", "with_gradients"]

_LITERAL = re.compile(r"∇([^\W\d_]\w*)(?![\w(])")
_TARGETS = ("text", "ascii", "latex")


def _same(word: str) -> str:
    return unicodedata.normalize("NFC", word)


def _clash(scheme: str, names: Iterable[str], others: Collection[str], objective: str) -> str | None:
    """A name of the program that a gradient would be spelled like, or None."""
    if scheme in ("nabla", "full", "partial"):  # with their own marks, which no name has
        return None
    known = {_same(n): n for n in others}
    known |= {_same(ascii_text(n)): n for n in others}
    for name in names:
        for target in ("text", "ascii"):
            word = _same(gradient_name(name, scheme, target, objective))
            if word in known:
                return known[word]
    if scheme == "delta":
        return next((n for n in others if n in ("δ", "delta")), None)
    return None


def chosen(
    scheme: str, names: Collection[str], functions: Collection[str], objective: str, parts: Collection[str]
) -> tuple[str, str]:
    """The scheme that is used, and why it is not the one that was asked for ("" if it is).

    `parts` are those of the page: where δ_ij stands on it, or Jacobians of the target, these signs mean nothing else.
    """
    if scheme == "delta" and "index" in parts:
        return "nabla", "δ is the Kronecker symbol on this page, so the gradients are not called δ"
    if scheme == "partial" and "jacobian" in parts:
        return "nabla", f"∂{objective}/∂· are Jacobians on this page, so the gradients are not called so"
    word = _clash(scheme, names, [*names, *functions], objective)
    if word is not None:
        return "nabla", f"{word} is a name of the program, so no gradient is called so: they are written with ∇"
    return scheme, ""


def spellings(name: str, taken: Taken) -> dict[str, Any]:
    """The spelling in use and all others, in the three notations: the legend."""
    found: dict[str, Any] = {"scheme": taken.scheme}
    for key, wanted in (("short", [taken.scheme]), ("others", [s for s in SCHEMES if s != taken.scheme])):
        found[key] = {}
        for t in _TARGETS:
            here = gradient_name(name, taken.scheme, t, taken.objective)
            words = dict.fromkeys(gradient_name(name, s, t, taken.objective) for s in wanted)
            if key == "others":
                words.pop(here, None)
                found[key][t] = ", ".join(f"${w}$" if t == "latex" else w for w in words)
            else:
                [found[key][t]] = words
    return found


def with_gradients(template: str, bind: dict[str, Any], taken: Collection[str], made: Any) -> str:
    """The template with every literal ∇z of a name of the program as a place to fill, so that it follows the scheme."""

    def place(found: re.Match[str]) -> str:
        name = found[1]
        if name not in taken and len(name) > 1:
            return found[0]
        key = f"grad{len(bind)}"
        bind[key] = made(name)
        return f"${key}"

    return _LITERAL.sub(place, template)
