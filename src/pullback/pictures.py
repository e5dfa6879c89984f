"""What may be asked of a picture: names, small numbers for sizes, a file name that says the format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from .errors import ParseError, nearest
from .language.program import Program
from .show.draw.picture import FORMATS, SUFFIXES

__all__ = ["chosen", "format_of", "read_sizes", "small_numbers"]

_MOST = 99


def chosen(kind: str, word: str, known: Sequence[str]) -> str:
    """The word, if it is one of those known. Raises ParseError P032."""
    if word in known:
        return word
    close = nearest(str(word), known)
    raise ParseError(
        "P030",
        f"there is no {kind} {word!r}",
        expected=", ".join(known),
        hint=f"did you mean {close}?" if close else "",
    )


def format_of(out: str | None, format: str | None) -> str:
    """The format asked for, else the one that the name of the file says, else SVG. Raises ParseError P032."""
    if format is not None:
        return chosen("format of a picture", format, FORMATS)
    suffix = PurePath(out).suffix.lower() if out else ""
    if not suffix:
        return "svg"
    if suffix not in SUFFIXES:
        raise ParseError("P030", f"{out}: no picture is written as {suffix}", expected=", ".join(SUFFIXES),
                         hint="or say which with --format svg, dot, mermaid or tikz")  # fmt: skip
    return SUFFIXES[suffix]


def read_sizes(text: str) -> dict[str, int]:
    """`m=2,n=3` as a dict. Raises ParseError P032."""
    found: dict[str, int] = {}
    for piece in filter(None, (p.strip() for p in text.split(","))):
        match = re.fullmatch(r"(.+?)\s*=\s*(\d{1,6})", piece)
        if match is None or match[1] in found:
            why = f"the size of {match[1]} is given twice" if match else f"--sizes cannot be read at {piece!r}"
            raise ParseError("P032", why, expected="a number for each size", hint="--sizes m=2,n=3")
        found[match[1]] = int(match[2])
    if not found:
        raise ParseError("P032", "--sizes names no size", expected="a number for each size", hint="--sizes m=2,n=3")
    return found


def small_numbers(program: Program, sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes, if each is a size of the program and a small positive number. Raises ParseError P032."""
    variables = [*program.inputs, *(q.var for q in program.equations)]
    known = sorted({s for v in variables for n in v.shape for s in n.symbols()})
    for name, value in sizes.items():
        if name not in known:
            shown = ", ".join(known) or "numbers already"
            raise ParseError("P032", f"there is no size {name}", expected=f"the sizes are {shown}")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
            raise ParseError(
                "P032", f"the size {name} = {value!r} is not a small number", expected=f"an integer from 1 to {_MOST}"
            )
    return dict(sizes)
