"""What may be asked of a picture: names, small numbers for sizes, a file name that says the format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from .calculus.derivation import Derivation
from .calculus.recurrence import Recurrence
from .errors import ParseError, UnsupportedError, nearest
from .language.program import Program
from .lighter import LARGEST
from .readings import readable
from .show.draw.picture import FORMATS, SUFFIXES, WHAT, draw

__all__ = ["chosen", "format_of", "picture", "read_sizes", "small_numbers"]

_MOST = 99


def chosen(kind: str, word: str, known: Sequence[str]) -> str:
    """The word, if it is one of those known. Raises ParseError P030."""
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
    """The format asked for, else the one that the name of the file says, else SVG. Raises ParseError P030."""
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
        name, equals, value = (p.strip() for p in piece.partition("="))
        if not name or not equals or name in found:
            said = f"{name} has two sizes" if name in found else f"--sizes cannot be read at {piece!r}"
            raise ParseError("P032", said, expected="NAME=NUMBER,NAME=NUMBER", hint="for example --sizes m=2,n=3")
        if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
            raise ParseError(
                "P032", f"the size {name} cannot be {value or 'empty'}", expected=f"a whole number from 1 to {LARGEST}",
                hint=f"for example {name}=3")  # fmt: skip
        found[name] = int(value)
    if not found:
        raise ParseError("P032", "--sizes names no size", expected="a number for each size", hint="--sizes m=2,n=3")
    return found


def small_numbers(program: Program, sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes, if each is a size of the program and a small positive number. Raises ParseError P032."""
    for name, value in sizes.items():
        if name not in program.sizes:
            shown = ", ".join(program.sizes) or "numbers already"
            raise ParseError("P032", f"there is no size {name}", expected=f"the sizes are {shown}")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
            raise ParseError(
                "P032", f"the size {name} = {value!r} is not a small number", expected=f"an integer from 1 to {_MOST}"
            )
    return dict(sizes)


def picture(program: Program, d: Derivation, record: Callable[[str, Mapping[str, int] | None], Mapping[str, Any]],
            what: str, format: str, sizes: Mapping[str, int] | None) -> str:  # fmt: skip
    """A picture as text; `record` makes a record with the part that is drawn. Raises ParseError, UnsupportedError U034, U035."""
    chosen("picture", what, WHAT)
    chosen("format of a picture", format, FORMATS)
    if what == "diagrams":
        readable(d, "diagram")
    if sizes is not None and isinstance(d, Recurrence):
        raise UnsupportedError("U034", "no picture of neurons: the equations stand for every value of an index",
                               hint="without sizes one step is drawn, as boxes; or draw one layer, without `for`")  # fmt: skip
    given = small_numbers(program, sizes) if sizes is not None else None
    if what == "diagrams":
        if given:
            raise ParseError("P030", "sizes are for the network: a tensor diagram holds for all of them",
                             hint="leave the sizes out, or draw what = network")  # fmt: skip
        return draw(record("diagrams", None), what, format)
    if given is not None or all(n.constant is not None for v in d.names() for n in v.shape):
        try:
            return draw(record("neurons", given), what, format)
        except UnsupportedError:
            if given is not None:
                raise
    return draw(record("graph", None), what, format)
