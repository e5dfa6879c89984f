"""The other readings of a derivation, made and checked when they are asked for: what a record may hold besides S1."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import count

from .algebra.expr import Expr
from .algebra.facts import restricted
from .calculus.derivation import Derivation
from .calculus.diagram import diagrams
from .calculus.indexed import index_steps
from .calculus.jacobian import jacobian_steps
from .calculus.own_functions import OwnFunction, own_functions
from .calculus.recurrence import Recurrence
from .calculus.scalars import MOST, scalar_steps
from .errors import ParseError, UnsupportedError, nearest
from .proof.agreement import agreement
from .proof.claim import Memo, check
from .proof.mistakes import mistakes
from .proof.numbers import NoNumbers, work_out
from .proof.scalars import confirm_scalars
from .proof.sizes import grown, symbols_of
from .proof.stacked import stacked_evidence
from .show.small import default_sizes
from .step import Step

__all__ = ["PARTS", "chosen_sizes", "functions_in", "functions_of", "prepare", "readable"]

# What a page of each style reads besides the steps of S1.
PARTS: Mapping[str, frozenset[str]] = {
    "pairing": frozenset(),
    "index": frozenset({"index"}),
    "jacobian": frozenset({"jacobian"}),
    "scalar": frozenset({"scalar"}),
    "diagram": frozenset({"diagrams"}),
    "all": frozenset({"index", "jacobian", "scalar", "diagrams", "agreement"}),
}


def _checked(steps: Iterable[Step], memo: Memo) -> list[Step]:
    return [check(s, memo) for s in steps]


def functions_of(d: Derivation) -> list[OwnFunction]:
    """The functions that the program defines, with the derivatives that the derivation uses."""
    shown = [e for q in d.core.equations for e in (q.value, *(x for pair in q.through for x in pair))]
    shown += [x for b in d.backward for x in (b.value, b.closed)]
    return functions_in([*shown, *(x for s in d.steps for x in (s.left, s.right) if isinstance(x, Expr))])


def functions_in(shown: Iterable[Expr]) -> list[OwnFunction]:
    """The same for any expressions, every step confirmed. Raises CheckFailed."""
    found = own_functions(shown)
    memo = Memo()
    for f in found:
        for made in f.derived:
            made.steps = _checked(made.steps, memo)
    return found


def _index(d: Derivation) -> None:
    if not d.index_steps:
        d.index_steps = _checked(index_steps(d), Memo())


def _jacobian(d: Derivation) -> None:
    if "jacobian" in d.readings:
        return
    made, memo = {}, Memo()  # of its own, so that its evidence does not depend on what was asked for before
    for j in jacobian_steps(d):
        j.steps = [stacked_evidence(j, s) for s in _checked(j.steps, memo)]
        made[j.layout] = j
    d.readings["jacobian"] = made
    d.readings["mistakes"] = mistakes(d)


def _scalar(d: Derivation) -> None:
    if "scalar" not in d.readings:
        made = scalar_steps(d, d.readings["sizes"])
        confirm_scalars(made)
        d.readings["scalar"] = made


def _numbers(d: Derivation) -> None:
    if "numbers" not in d.readings:
        try:
            d.readings["numbers"] = work_out(d, d.readings["sizes"])
        except NoNumbers as why:
            d.readings["numbers"] = str(why)


def _diagrams(d: Derivation) -> None:
    """The diagrams of the backward equations with the evidence for their steps."""
    if not d.diagrams:
        numbered = count(1)
        for g in diagrams(d):
            steps = [replace(s, id=f"d{next(numbered)}") for s in g.steps]
            d.diagrams.append(replace(g, steps=tuple(_checked(steps, Memo()))))


def _agreement(d: Derivation) -> None:
    d.readings["agreement"] = agreement(d)


_MAKERS: Mapping[str, Callable[[Derivation], None]] = {
    "index": _index,
    "jacobian": _jacobian,
    "scalar": _scalar,
    "numbers": _numbers,
    "diagrams": _diagrams,
    "agreement": _agreement,  # after the readings that it compares
}


def readable(d: Derivation, style: str) -> None:
    """Refuse a reading that has none for every value of an index. Raises UnsupportedError U035."""
    if isinstance(d, Recurrence) and PARTS.get(style, frozenset()) - {"index"}:
        raise UnsupportedError("U035", f"the reading {style} is not made for every value of an index at once",
                               expected="--style pairing or --style index",
                               hint="or derive one layer: the equations without `for`, its result given (given grad … as g)")  # fmt: skip
    found = within(d)
    if found is not None and PARTS.get(style):
        raise UnsupportedError("U004", f"the reading {style} is not made where a variable ranges over a subspace, as {found.attrs[0]} does",
                               expected="--style pairing", hint="without `where` it is derived for free entries; the projection is its last step")  # fmt: skip


def within(d: Derivation) -> Expr | None:
    """A name whose gradient is one among the matrices of a kind: its entries do not vary by themselves."""
    return None if isinstance(d, Recurrence) else next((b.of for b in d.backward if restricted(b.of)), None)


def prepare(d: Derivation, parts: Collection[str], sizes: Mapping[str, int] | None = None) -> None:
    """Make and check the readings that a record with these parts shows, entries at these sizes. Raises CheckFailed."""
    if isinstance(d, Recurrence):
        if sizes:
            raise UnsupportedError("U035", "sizes cannot be chosen for every value of an index at once",
                                   hint="leave --sizes out, or derive one layer: the equations without `for`")  # fmt: skip
        if "index" in parts:
            _index(d)
        return
    chosen = chosen_sizes(d, sizes or {})
    if d.readings.get("sizes") != chosen:
        d.readings = {k: v for k, v in d.readings.items() if k not in ("scalar", "numbers")}
        d.readings["sizes"] = chosen
    free = within(d) is None
    for part, make in _MAKERS.items():
        if part in parts and (free or part not in PARTS["all"]):
            make(d)


def _expressions(d: Derivation) -> list[Expr]:
    return [*d.inputs, *(e for q in d.core.equations for e in (q.var, q.value))]


def chosen_sizes(d: Derivation, wanted: Mapping[str, int]) -> dict[str, int]:
    """The sizes at which entries are written out: those asked for, the others small and different. Raises ParseError."""
    exprs = _expressions(d)
    variables = list(dict.fromkeys([*d.inputs, *(q.var for q in d.core.equations)]))
    sizes = default_sizes(variables) | dict.fromkeys(sorted(symbols_of(exprs) - default_sizes(variables).keys()), 2)
    for name, value in wanted.items():
        if name not in sizes:
            close = nearest(name, list(sizes)) if len(name) > 1 else None
            known = (
                f"the sizes are {', '.join(list(sizes)[:12])}" if sizes else "these equations have no sizes to choose"
            )
            raise ParseError("P032", f"there is no size {name}", hint=f"did you mean {close}?" if close else known)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ParseError("P032", f"the size {name} cannot be {value}", expected="a whole number from 1 on",
                             hint=f"for example {name}=3")  # fmt: skip
    if not wanted:
        return grown(sizes, exprs)
    sizes |= wanted
    free = sizes if len(sizes) == len(wanted) else grown(sizes, exprs, fixed=set(wanted))
    if grown(free, exprs) != free:
        raise ParseError("P032", f"the sizes {_said(wanted)} are too small: a block or a slice does not fit",
                         hint=f"at {_said(grown(free, exprs))} it fits")  # fmt: skip
    for v in variables:
        total = 1
        for n in v.shape:
            total *= n.value(free)
        if total > MOST:
            raise ParseError("P032", f"at {_said(wanted)} the name {v.attrs[0]} has {total} entries, too many to write out",
                             expected=f"at most {MOST} entries in each array", hint="small sizes, all different, show the most")  # fmt: skip
        if total < 1:
            raise ParseError("P032", f"at {_said(wanted)} the name {v.attrs[0]} has no entries",
                             expected="sizes at which every axis has at least one entry")  # fmt: skip
    return free


def _said(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{k} = {v}" for k, v in sizes.items())
