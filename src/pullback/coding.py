"""Source text and callables of a derivation, and its plan: what `pullback code` and `pullback plan` show."""

from __future__ import annotations

import ast
import keyword
import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from types import ModuleType
from typing import Any

from .algebra.dims import Dim
from .algebra.expr import Expr
from .calculus.derivation import Derivation
from .code.frame import Words
from .code.plan import TYPICAL, Plan, plan
from .code.table import table
from .code.targets import writer_of
from .errors import ParseError
from .show import notation
from .show.names import ascii_name

__all__ = ["compiled", "plan_text", "source"]

_numbers = count(1)


def _text(e: Expr) -> str:
    return " ".join(notation.text(e).split())  # on one line, for it stands in a comment


_WORDS = Words(ascii_name, _text)


def source(found: Plan, target: str, form: str = "function", name: str = "") -> str:
    """A module with one function, which gives (value, {name: gradient}); with another form, what docs/code.md says of it.

    Raises ParseError P030 for a target, a form or a name that cannot be, UnsupportedError U042, U044 for what there is no code for.
    """
    name = name or _name(form)
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        raise ParseError("P030", f"{name!r:.40} is no name of a function", expected="letters, digits and _")
    return writer_of(target, form)(found, _WORDS, name)


def _name(form: str) -> str:
    return "evaluate" if form in ("autodiff", "op") else "value_and_grad"


def compiled(found: Plan, target: str, form: str = "function") -> Callable[..., Any]:
    """The function of that source, which `inspect.getsource` shows. Raises what `source` raises."""
    text = source(found, target, form)
    number = next(_numbers)
    file = f"<pullback {target} {number}>"
    module = sys.modules[f"pullback_generated_{number}"] = ModuleType(
        f"pullback_generated_{number}"
    )  # torch.compile asks for it
    # Our own text: a syntax tree that we wrote, in which every name of the user is an identifier; comments are left out.
    exec(compile(ast.parse(text), file, "exec"), module.__dict__)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    name = _name(form)
    made: Callable[..., Any] = module.__dict__.get(f"make_{name}") or module.__dict__[name]
    return made


def plan_text(d: Derivation, wrt: Sequence[str] | None = None, sizes: Mapping[str, int] | None = None) -> str:
    """The plan as a table, at these sizes; a size that is not given is taken to be typical. Raises ParseError P032."""
    known = {s for v in d.names() for n in v.shape for s in n.symbols()}
    for s in sizes or {}:
        if s not in known:
            raise ParseError("P032", f"there is no size {s}", expected=f"the sizes are {', '.join(sorted(known))}")
    typical = dict(sizes or {})

    def size(dim: Dim) -> int:
        return dim.value({s: typical.get(s, TYPICAL) for s in dim.symbols()})

    return table(plan(d, wrt, sizes), _WORDS, size)
