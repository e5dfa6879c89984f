"""The lines of a backward pass that is told which gradients are needed, and computes what those depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .frame import Text
from .instructions import Value, arguments
from .plan import Plan
from .writer import line

__all__ = ["backward_lines", "bracketed", "tupled", "unpacked"]

_MANY = 3  # needs in one condition, after which it has a name of its own

Needs = frozenset[str]


def backward_lines(t: Text, inputs: Sequence[Value], seed: Value, guarded: bool) -> tuple[list[str], str]:
    """The lines of the backward pass, with its result; and, if `guarded`, a name for what says which gradients are needed.

    A line that not all gradients depend on stands under the condition that one of those that do is needed.
    """
    p = t.plan
    moving = [v.name for v in inputs if v.name in p.gradients]
    depends = _dependents(p)
    every = frozenset(moving)
    guarded = guarded and len(moving) > 1 and any(s != every for s in depends.values())
    needs = {n: t.fresh(f"need_{t.names[v]}") for v in inputs if (n := v.name) in p.gradients} if guarded else {}
    wanted = t.fresh("needed") if guarded else ""
    blocks: list[tuple[Needs, list[str]]] = []
    for v in p.values[p.backward :]:
        if v is seed:
            continue
        of = depends[v] if guarded else every
        t.deeper += 4 * (of != every)
        lines = list(line(t, v))
        t.deeper -= 4 * (of != every)
        if blocks and blocks[-1][0] == of:
            blocks[-1][1].extend(lines)
        elif lines:
            blocks.append((of, lines))
    found: list[str] = []
    conditions: Mapping[Needs, list[str]] = {}
    if guarded:
        words = [needs.get(v.name, "_") for v in inputs]
        found += unpacked(t, words, wanted)
        conditions, more = _conditions(t, [of for of, _ in blocks if of != every], needs)
        found += more
    for of, lines in blocks:
        if of == every:
            found += lines
        else:
            found += _either(t, "    if ", conditions[of], ":")
            found += [f"    {x}" if x else x for x in lines]
    results = []
    for v in inputs:
        g = p.gradients.get(v.name)
        word = "None" if g is None else t.names[g]
        results.append(
            word
            if g is None or not guarded or depends.get(g, every) == every
            else f"{word} if {needs[v.name]} else None"
        )
    found += tupled(t, "    return ", results)
    return found, wanted


def _dependents(p: Plan) -> dict[Value, Needs]:
    """The gradients that depend on each array of the backward pass."""
    found: dict[Value, set[str]] = {v: set() for v in p.values[p.backward :]}
    for n, v in p.gradients.items():
        if v in found:
            found[v].add(n)
    for v in reversed(p.values[p.backward :]):
        for a in arguments(v.by):
            if a in found:
                found[a] |= found[v]
    return {v: frozenset(s) for v, s in found.items()}


def _conditions(t: Text, sets: Sequence[Needs], needs: Mapping[str, str]) -> tuple[dict[Needs, list[str]], list[str]]:
    """The parts of each condition, and lines that give names to those of many parts, the smaller sets within the larger."""
    found: dict[Needs, list[str]] = {}
    lines: list[str] = []
    known: dict[Needs, str] = {}
    for of in sorted(dict.fromkeys(sets), key=len):
        parts: list[str] = []
        rest = set(of)
        for inner in sorted(known, key=len, reverse=True):
            if inner <= rest:
                parts.append(known[inner])
                rest -= inner
        parts += [word for n, word in needs.items() if n in rest]
        if len(parts) > _MANY or (len(parts) > 1 and any(of < other for other in sets) and len(of) > _MANY):
            word = known[of] = t.fresh(f"need_{len(known) + 1}")
            lines += _either(t, f"    {word} = ", parts, "")
            parts = [word]
        found[of] = parts
    return found, lines


def _either(t: Text, head: str, parts: Sequence[str], tail: str) -> Iterator[str]:
    """`head` a or b `tail`, on lines of their own where that is too long."""
    whole = f"{head}{' or '.join(parts)}{tail}"
    if len(whole) <= t.width:
        yield whole
        return
    yield f"{head}("
    yield f"        {parts[0]}"
    yield from (f"        or {x}" for x in parts[1:])
    yield f"    ){tail}"


def bracketed(words: Sequence[str]) -> str:
    """A tuple of these."""
    return f"({', '.join(words)}{',' if len(words) == 1 else ''})"


def tupled(t: Text, head: str, words: Sequence[str]) -> Iterator[str]:
    """`head` (a, b), with one word a line where that is too long."""
    whole = f"{head}{bracketed(words)}"
    yield from [whole] if len(whole) <= t.width else t.listed(f"{head}(", words, ")")


def unpacked(t: Text, words: Sequence[str], bundle: str) -> Iterator[str]:
    """The names out of what was kept."""
    whole = f"    {', '.join(words)} = {bundle}"
    if len(words) == 1:
        yield f"    ({words[0]},) = {bundle}"
    elif len(whole) <= t.width:
        yield whole
    else:
        yield from t.listed("    (", words, f") = {bundle}")
