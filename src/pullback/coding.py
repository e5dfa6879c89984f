"""Source text and callables of a derivation, and its plan: what `pullback code` and `pullback plan` show."""

from __future__ import annotations

import ast
import keyword
import linecache
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count
from types import ModuleType
from typing import Any

from .algebra.expr import Expr
from .calculus.derivation import Derivation
from .calculus.recurrence import Recurrence
from .code.frame import Words
from .code.looped import Looped, looped
from .code.mesh import read_mesh
from .code.plan import Plan, plan
from .code.scans import write_looped
from .code.targets import TARGETS, kernels_of, mesh_writer_of, writer_of
from .errors import ParseError, UnsupportedError
from .lighter import fits, lighter, sized
from .planning import shown_plan
from .show import notation
from .show.names import ascii_name

__all__ = ["compiled", "plan_text", "planned", "source"]

_numbers = count(1)


def _text(e: Expr) -> str:
    return " ".join(notation.text(e).split())  # on one line, for it stands in a comment


_WORDS = Words(ascii_name, _text)


def planned(d: Derivation, wrt: Sequence[str] | None = None, sizes: Mapping[str, int] | None = None,
            constants: Collection[str] = (), recompute: str | Sequence[str] = (), memory: int | str | None = None,
            target: str = "", plain: bool = False) -> Plan | Looped:  # fmt: skip
    """What code is written from; a program with an index keeps its loops. The code is `plain` if one call computes all of it
    and nothing differentiates that. Raises what `plan`, `looped` and `lighter` raise, and ParseError P032 for a size that there is not."""
    fits(sizes, _sizes(d))
    if isinstance(d, Recurrence):
        if recompute or memory is not None:
            raise UnsupportedError("U043", "in a program with an index nothing is computed anew in this version",
                                   hint="leave recompute and memory out")  # fmt: skip
        try:
            return looped(d, wrt)
        except UnsupportedError as error:
            if error.code != "U032":
                raise
            raise UnsupportedError("U043", "there is no code for these ranges in this version, which are not compared with each other",
                                   expected="loops one after another, or in one letter",
                                   hint="write a second letter as an axis: H[t] = tanh(H[t-1] W' + X[t]) with a row for each b") from None  # fmt: skip
    together = plain and not recompute and memory is None
    found = plan(d, wrt, sizes, constants, kernels_of(target, plain), together)
    return lighter(found, recompute, memory, sized(sizes))


def _sizes(d: Derivation) -> list[str]:
    """The sizes of the axes of all names, and the ends of ranges."""
    equations = list(d.core.equations)
    dims = [n for v in (*d.inputs, *(q.var for q in equations)) for n in v.shape]
    dims += [n for q in equations for r in q.ranges for n in (r.first, r.last)]
    return sorted({s for n in dims for s in n.symbols()})


def source(found: Plan | Looped, target: str, form: str = "function", name: str = "", mesh: str | None = None) -> str:
    """A module with one function, which gives (value, {name: gradient}); with another form or a mesh, what docs/code.md says of it.

    Raises ParseError P030 for a target, a form or a name that cannot be, UnsupportedError U042, U044 for what there is no code for.
    With a mesh also ParseError P032 for a size that there is not, UnsupportedError U045 for what cannot be computed in blocks.
    """
    usual = _name(target, form)
    if not name or name == usual:
        return _written(found, target, form, usual, mesh)
    if not (isinstance(name, str) and name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        said = "is a word of Python" if keyword.iskeyword(name) else "is no name of a function"
        raise ParseError("P030", f"{name!r:.40} {said}", expected="letters, digits and _")
    if name in _own_names(_written(found, target, form, usual, mesh)):
        raise ParseError("P030", f"the code has another use for the name {name}", expected="a name that it has not",
                         hint=f"--name {name.strip('_')}_and_grad")  # fmt: skip
    return _written(found, target, form, name, mesh)


def _own_names(text: str) -> set[str]:
    """What a module defines, imports, or has from Python, and what its functions call their arguments and arrays."""
    tree = ast.parse(text)
    found = {x.arg if isinstance(x, ast.arg) else x.id for x in ast.walk(tree) if isinstance(x, (ast.Name, ast.arg))}
    for x in tree.body:
        if isinstance(x, (ast.Import, ast.ImportFrom)):
            found.update(a.asname or a.name.partition(".")[0] for a in x.names)
        elif isinstance(x, (ast.FunctionDef, ast.ClassDef)):
            found.add(x.name)
    return found


def _written(found: Plan | Looped, target: str, form: str, name: str, mesh: str | None) -> str:
    """The module, the name being one that can be."""
    if mesh is not None:
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


def _name(target: str, form: str) -> str:
    return "problem" if target == "scipy" else "evaluate" if form in ("autodiff", "op") else "value_and_grad"


def compiled(found: Plan | Looped, target: str, form: str = "function", mesh: str | None = None) -> Callable[..., Any]:
    """The function of that source, which `inspect.getsource` shows. Raises what `source` raises."""
    text = source(found, target, form, mesh=mesh)
    number = next(_numbers)
    file = f"<pullback {target} {number}>"
    module = sys.modules[f"pullback_generated_{number}"] = ModuleType(
        f"pullback_generated_{number}"
    )  # torch.compile asks for it
    # Our own text: a syntax tree that we wrote, in which every name of the user is an identifier; comments are left out.
    exec(compile(ast.parse(text), file, "exec"), module.__dict__)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    name = _name(target, form)
    made: Callable[..., Any] = module.__dict__.get(f"make_{name}") or module.__dict__[name]
    return made


def plan_text(d: Derivation, wrt: Sequence[str] | None = None, sizes: Mapping[str, int] | None = None,
              recompute: str | Sequence[str] = (), memory: int | str | None = None, format: str = "text") -> str:  # fmt: skip
    """The plan as a table or a picture. Raises what `shown_plan` raises."""
    return shown_plan(d, _WORDS, wrt, sizes, recompute, memory, format)
