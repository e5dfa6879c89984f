"""What is said of the values of names: an input has these facts, a computed name has those that follow from its equation."""

from __future__ import annotations

from collections.abc import Iterator

from ..algebra.canonical import named
from ..algebra.dims import Shape
from ..algebra.expr import Expr
from ..algebra.intervals import intervals, of_facts
from ..algebra.ops.free import RESTRICTED, facts_of, var
from .declare import facts_named, ranges_over
from .sorted_lines import Lines

__all__ = ["facts_said", "named_as_said"]

Notes = dict[str, None]


def facts_said(lines: Lines, name: str, shape: Shape, notes: Notes) -> tuple[str, ...]:
    """Of an input, by its declaration and by `assume`. Raises ShapeError S014."""
    declared = lines.declared.get(name)
    found = dict.fromkeys(declared.facts if declared is not None else ())
    if declared is not None:
        notes |= dict.fromkeys(ranges_over(name, declared))
    for word, facts, line in _assumed(lines, name, shape):
        found.update(dict.fromkeys(facts))
        notes.setdefault(f"{name} is {word} (line {line})")
    return tuple(found)


def named_as_said(lines: Lines, name: str, value: Expr, notes: Notes) -> Expr:
    """The name of a computed value. Of a symmetric one it may be assumed that it is positive definite; of what else is said and
    does not follow from the equation no use is made, which is noted. Raises ShapeError S014."""
    found = named(name, value)
    declared = lines.declared.get(name)
    said = list(_assumed(lines, name, value.shape))
    if declared is not None:
        said += [(f.replace("_", " "), (f,), declared.statement.source.line) for f in declared.facts if f != RESTRICTED]
    for word, facts, line in said:
        missing = [f for f in facts if f not in facts_of(found) and not _follows(f, value)]
        if missing == ["posdef"] and "symmetric" in facts_of(found):
            found = var(name, value.shape, facts=(*facts_of(found), "posdef"))
            notes.setdefault(f"{name} is positive definite (line {line})")
        elif missing:
            notes.setdefault(f"nothing of {name} beyond its equation: that it is {word} (line {line}) is not used")
    return found


def _assumed(lines: Lines, name: str, shape: Shape) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """What `assume` says of the name: in a word, the facts, the line."""
    for token, of, statement in lines.said:
        if of.text == name:
            yield token.text.replace("_", " "), facts_named(token, shape, statement), statement.source.line


def _follows(fact: str, value: Expr) -> bool:
    """Whether the entries are such, whatever the inputs are."""
    return fact in ("positive", "unit") and intervals(value, {})[value].within(of_facts((fact,)))
