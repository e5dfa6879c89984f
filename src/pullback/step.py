"""Steps and derivations: the one record that everything shown or run is read off.

Expressions are held as opaque objects here (floor 0 stands under the algebra); the rooms above know what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Claim", "Evidence", "Increment", "Note", "Said", "Step", "Why"]


@dataclass(frozen=True, slots=True)
class Increment:
    """d(expr), for printing inside a reason."""

    expr: Any


@dataclass(frozen=True, slots=True)
class Note:
    """What the reader of an equation put in, by which rule."""

    text: str
    rule: str


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence with places to fill: `$name` stands for bind[name] and is printed later."""

    template: str
    bind: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Why:
    """The reason of a step at three levels of detail; `$name` is filled from `bind` when it is printed."""

    terse: str
    explain: str = ""
    teach: str = ""
    bind: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """What is asserted, in a form that a machine can check (theory.md §7.4).

    kind: DEFINITION nothing to check · EQ `left` = `right` for all values, given `where` (names to expressions) ·
    DIFF `right` is the differential of `left` · LINEAR `left` has exactly one increment in every term ·
    FINAL the gradients are those of the program.
    """

    kind: str
    left: Any = None
    right: Any = None
    where: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a claim was confirmed: level (theory.md §7.6) and its data (trials, bound, sizes, …)."""

    level: str
    detail: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a derivation."""

    id: str
    kind: str  # definition name differential frontier move collect readoff simplify lift note final …
    about: str  # the name whose equation or gradient this step belongs to
    left: Any
    relation: str  # = := ⇒
    right: Any
    rules: tuple[str, ...]
    why: Why
    claim: Claim
    premises: tuple[str, ...] = ()
    conditions: tuple[Said, ...] = ()
    ranges: tuple[Any, ...] = ()  # for which values of its indices it holds
    evidence: tuple[Evidence, ...] = ()

    def proved(self, evidence: Sequence[Evidence]) -> Step:
        """The same step with what confirms its claim."""
        return replace(self, evidence=tuple(evidence))
