"""LIFT: every printed gradient, read back by the parser, has the meaning that was proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .algebra.canonical import equal
from .algebra.dims import Dim
from .algebra.expr import Expr, postorder
from .algebra.indexed import family_of
from .algebra.ops.arithmetic import rational
from .algebra.ops.defined import definition_of, unfolded
from .algebra.ops.free import is_free_function, is_free_map, is_name, var
from .algebra.ops.structure import zeros
from .calculus.derivation import Derivation
from .errors import CheckFailed, ParseError, PullbackError
from .language.functions import derivative_of
from .language.program import FunctionKind, Program
from .language.text import parse_expression
from .proof.claim import Memo, modular_equal
from .proof.sizes import symbols_of
from .show import notation
from .show.names import ascii_name
from .step import Evidence

__all__ = ["kinds_of", "own_of", "read_back", "read_pairs", "spelled_apart"]


def read_back(d: Derivation, program: Program) -> Evidence:
    """The evidence that every printed gradient is read as what was proved. Raises CheckFailed C006."""
    pairs = [(f"∇{b.of.attrs[0]}", e) for b in d.backward for e in dict.fromkeys((b.value, b.closed))]
    kinds = kinds_of(program)
    read_pairs([(f"the function {f.function.name}", e) for f in d.functions for e in f.shown()], kinds, "functions")
    return read_pairs(pairs, kinds, "gradients")


def read_pairs(pairs: Sequence[tuple[str, Expr]], kinds: Mapping[str, FunctionKind], what: str) -> Evidence:
    """The same for any expressions, each with what it is the value of. Raises CheckFailed C006."""
    count, memo = 0, Memo()
    for name, e in pairs:
        for write, spell in ((notation.text, str), (notation.ascii, ascii_name)):
            try:
                again = parse_expression(write(e), _scope(e, kinds, write), spell)
            except PullbackError as why:  # the text is ours, and so is the mistake
                raise _misprinted(name, write(e)) from why
            if again is rational(0):  # a zero of any shape is written 0; the shape stands beside it
                again = zeros(e.shape) if e.shape else again
            if again is not e and not _same(again, e, memo):
                raise _misprinted(name, write(e))
            count += 1
    return Evidence(
        "LIFT",
        f"{count} printed {what}, Unicode and ASCII, read back by the parser mean what was proved",
        {"count": count},
    )


def _misprinted(name: str, text: str) -> CheckFailed:
    return CheckFailed("C006", f"internal error: {name} is printed as {text}, which reads differently",
                       hint="please report this program: the result is withheld")  # fmt: skip


def _same(a: Expr, b: Expr, memo: Memo) -> bool:
    """Whether two expressions mean the same: equal modulo p, or where there is no point to test it at, by canonical form."""
    proved = a.shape == b.shape and equal(a, b)
    tested = modular_equal(a, b, {}, proved=proved, memo=memo) if a.shape == b.shape else None
    return tested is not None and (proved or bool(tested))


def _scope(e: Expr, kinds: Mapping[str, FunctionKind], write: Callable[[Expr], str]) -> dict[str, Expr | FunctionKind]:
    """The names that `e` is written with, as the parser must read them; sizes are known through shapes."""
    scope: dict[str, Expr | FunctionKind] = {"·": var("·", tuple(map(Dim.symbol, sorted(symbols_of([e])))))}
    for x in postorder(e):
        f = definition_of(x)
        if f is not None:
            scope[f.name] = FunctionKind("entrywise", definition=f)
        if is_name(x):
            scope[write(x)] = x
        elif is_free_map(x) or is_free_function(x):
            name = x.attrs[0]
            scope[name] = kinds.get(name) or next(k for n, k in kinds.items() if family_of(n) == family_of(name))
    return scope


def own_of(program: Program) -> dict[str, FunctionKind]:
    """The functions that the program defines, those in the definitions of others too. Raises ParseError P004 for one name of two."""
    found: dict[str, FunctionKind] = {}
    others = {*program.names, *kinds_of(program)}
    waiting = [q.rhs for q in program.equations]
    while waiting:
        for f in filter(None, map(definition_of, postorder(waiting.pop()))):
            if f.name in others or (f.name in found and found[f.name].definition is not f):
                raise ParseError(
                    "P004", f"{f.name} names a function and something else", hint="give one of the two another name"
                )
            if f.name not in found:
                found[f.name] = FunctionKind("entrywise", definition=f)
                waiting.append(f.body)
    return found


def kinds_of(program: Program) -> dict[str, FunctionKind]:
    """What the program's unknown functions are, from their use."""
    found: dict[str, FunctionKind] = {}
    for q in program.equations:
        for e in postorder(unfolded(q.rhs)):
            if is_free_map(e):
                found[e.attrs[0]] = FunctionKind("entrywise")
            elif is_free_function(e):
                shapes = tuple(a.shape for a in e.args)
                known = found.get(e.attrs[0])
                if known is not None and known.args != shapes:  # one function of arguments of every size
                    found[e.attrs[0]] = FunctionKind("tensor", e.attrs[2])
                else:
                    found[e.attrs[0]] = FunctionKind("tensor", e.attrs[2], shapes)
    return found


def spelled_apart(program: Program) -> None:
    """Raises ParseError P019 if two names have one spelling in ASCII (and in LaTeX), so that a page could not be read."""
    variables = [v.attrs[0] for v in (*program.inputs, *(q.var for q in program.equations))]
    variables += [program.given[1].attrs[0]] if program.given is not None else []
    kinds = kinds_of(program) | own_of(program)
    functions, spelled = {ascii_name(f): f for f in kinds}, {ascii_name(f): k for f, k in kinds.items()}
    gradients = {f"grad_{ascii_name(v)}": f"the gradient of {v}" for v in variables}
    seen: dict[str, str] = {}
    for n in [*variables, *kinds, *sorted(symbols_of([q.rhs for q in program.equations]))]:
        spelling = ascii_name(n)
        of = derivative_of(spelling, spelled)
        other = f"a derivative of {functions[of[0]]}" if of else gradients.get(spelling) or seen.setdefault(spelling, n)
        if other != n:
            q = program.equation(n)
            raise ParseError("P019", f"{n} and {other} have one spelling, {spelling}", span=q.span if q else None,
                             hint=f"give {n} another name")  # fmt: skip
