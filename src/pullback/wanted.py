"""What is differentiated with respect to: names that are given, or every free input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from .algebra.expr import Expr, postorder
from .algebra.indexed import family_of
from .algebra.ops.free import facts_of, is_name
from .errors import ParseError, nearest
from .language.program import Program
from .readback import kinds_of, own_of

__all__ = ["families", "names_of", "nothing_free", "wanted"]


def names_of(wrt: str | Expr | Sequence[str | Expr] | None) -> list[str] | None:
    """The names in `wrt`, which may be tensors, or one name alone."""
    if wrt is None:
        return None
    found: list[str] = []
    for n in wrt if isinstance(wrt, Iterable) and not isinstance(wrt, (str, Expr)) else [wrt]:
        name = n.attrs[0] if isinstance(n, Expr) and is_name(n) else n
        if not isinstance(name, str):
            raise ParseError(
                "P003", f"{n!r:.80} is no name to differentiate with respect to", expected='wrt=["W", "b"]'
            )
        found.append(name)
    return found


def families(program: Program, wrt: Sequence[str] | None) -> list[str]:
    """What to differentiate with respect to: families, by their own name or by that of a member."""
    used = {family_of(e.attrs[0]) for q in program.equations for e in (q.var, *postorder(q.rhs)) if is_name(e)}
    named = dict.fromkeys(family_of(n) for n in (*(v.attrs[0] for v in program.inputs), *program.members))
    inputs = {f: None for f in named if f in used}  # what is declared only, nothing depends on
    defined = dict.fromkeys(family_of(q.name) for q in program.equations)
    given = {family_of(m) for m in program.members}
    constant = {family_of(c) for c in program.constants}
    names = list(wrt) if wrt else list(program.wrt)
    if not names:
        return [f for f in inputs if f not in constant and (f not in defined or f in given)]
    for n in names:
        if family_of(n) in named and family_of(n) not in inputs | defined:
            raise ParseError("P003", f"{n} is declared, but no equation uses it", hint="leave it out")
        if family_of(n) not in inputs | defined:
            raise _unknown(program, family_of(n), list(inputs | defined))
        if any(family_of(v.attrs[0]) == family_of(n) and "index" in facts_of(v) for v in program.inputs):
            raise _no_gradient(program, n)
    return list(dict.fromkeys(map(family_of, names)))


def _unknown(program: Program, n: str, names: Sequence[str]) -> ParseError:
    """What is said of a name with respect to which there is no gradient."""
    if n in program.declared:
        return ParseError("P003", f"{n} is declared, but no equation uses it", hint="leave it out")
    if "," in n:
        return ParseError("P003", f"{n!r:.40} is no name to differentiate with respect to", expected='wrt=["W", "b"]')
    close = nearest(n, names) if len(n) > 1 else None
    hint = f"did you mean {close}?" if close else f"the names are {', '.join(names[:12])}"
    if n in program.sizes:
        return ParseError("P003", f"{n} is a size: there is no gradient with respect to it", hint=hint)
    return ParseError("P003", f"undefined name {n}: nothing to differentiate with respect to", hint=hint)


def _no_gradient(program: Program, n: str) -> ParseError:
    """What is said of an index: its values are places, which nothing moves."""
    names = dict.fromkeys(family_of(v.attrs[0]) for v in program.inputs if "index" not in facts_of(v))
    return ParseError("P003", f"{n} is an index: there is no gradient with respect to it",
                      hint=f"the names are {', '.join([*names][:12])}")  # fmt: skip


def nothing_free() -> NoReturn:
    raise ParseError("P010", "there is nothing to differentiate with respect to: the equations have no free input",
                     hint="use a name that is not defined, as in E = ‖x‖², or name one with --wrt")  # fmt: skip


def wanted(program: Program, wrt: Sequence[str] | None) -> list[Expr]:
    """What to differentiate with respect to. Raises ParseError P003, P010."""
    names = list(wrt) if wrt else list(program.wrt)
    if not names:
        names = [v.attrs[0] for v in program.inputs if v.attrs[0] not in program.constants]
        if not names:
            nothing_free()
    found = []
    functions = kinds_of(program) | own_of(program)
    for n in dict.fromkeys(names):
        v = program.variable(n)
        if v is None:
            if n in functions:
                raise ParseError("P003", f"{n} is a function: there is no gradient with respect to it",
                                 hint=f"the names are {', '.join(program.names[:12])}")  # fmt: skip
            raise _unknown(program, n, program.names)
        if "index" in facts_of(v):
            raise _no_gradient(program, n)
        found.append(v)
    return found
