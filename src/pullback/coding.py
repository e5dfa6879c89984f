"""Source text and callables of a derivation, and its plan: what `pullback code` and `pullback plan` show."""

from __future__ import annotations

import ast
import keyword
import linecache
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count
from types import ModuleType
from typing import Any

from .algebra.dims import Dim
from .algebra.expr import Expr
from .calculus.derivation import Derivation
from .calculus.recurrence import Recurrence
from .code.frame import Words
from .code.looped import Looped, looped
from .code.mesh import read_mesh
from .code.plan import TYPICAL, Plan, plan
from .code.scans import write_looped
from .code.table import table
from .code.targets import TARGETS, mesh_writer_of, writer_of
from .errors import ParseError, UnsupportedError
from .show import notation
from .show.names import ascii_name

__all__ = ["compiled", "plan_text", "planned", "source"]

_numbers = count(1)


def _text(e: Expr) -> str:
    return " ".join(notation.text(e).split())  # on one line, for it stands in a comment


_WORDS = Words(ascii_name, _text)


def planned(d: Derivation, wrt: Sequence[str] | None = None, sizes: Mapping[str, int] | None = None,
            constants: Collection[str] = ()) -> Plan | Looped:  # fmt: skip
    """What code is written from; a program with an index keeps its loops. Raises what `plan` and `looped` raise."""
    return looped(d, wrt) if isinstance(d, Recurrence) else plan(d, wrt, sizes, constants)


def source(found: Plan | Looped, target: str, form: str = "function", name: str = "", mesh: str = "") -> str:
    """A module with one function, which gives (value, {name: gradient}); with another form or a mesh, what docs/code.md says of it.

    Raises ParseError P030 for a target, a form or a name that cannot be, UnsupportedError U042, U044 for what there is no code for.
    With a mesh also ParseError P032 for a size that there is not, UnsupportedError U045 for what cannot be computed in blocks.
    """
    name = name or _name(form)
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        raise ParseError("P030", f"{name!r:.40} is no name of a function", expected="letters, digits and _")
    if mesh:
        return _over(found, target, form, name, mesh)
    write = writer_of(target, form)
    if isinstance(found, Plan):
        return write(found, _WORDS, name)
    if form != "function":
        raise UnsupportedError(
            "U043", f"a program with an index has no form {form} in this version", hint="--form function"
        )
    return write_looped(found, _WORDS, name, target=TARGETS[target])


def _over(found: Plan | Looped, target: str, form: str, name: str, mesh: str) -> str:
    """The module with a function over a mesh."""
    write = mesh_writer_of(target, form)
    if not isinstance(found, Plan):
        raise UnsupportedError("U043", "a program with an index has no mesh in this version", hint="without --mesh")
    sizes = {s for v in found.values for d in v.shape for s in d.symbols()}
    return write(found, _WORDS, name, read_mesh(mesh, sizes))


def _name(form: str) -> str:
    return "evaluate" if form == "autodiff" else "value_and_grad"


def compiled(found: Plan | Looped, target: str, form: str = "function", mesh: str = "") -> Callable[..., Any]:
    """The function of that source, which `inspect.getsource` shows. Raises what `source` raises."""
    text = source(found, target, form, mesh=mesh)
    file = f"<pullback {target} {next(_numbers)}>"
    module = ModuleType("pullback_generated")
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
