"""Arrays of the forward pass that are not kept but computed anew in the backward pass: less memory for more operations.

The derivation does not change, only the schedule. An array that is marked is computed again just before the backward pass first
reads it. What stands between it and the next named array is computed again with it, but for what is much smaller (the maxima and
the sums of a softmax), which is kept. Within a limit of memory the arrays are chosen one after the other, each time those that
lower the peak most for an operation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ..errors import UnsupportedError
from .instructions import Chain, Contraction, Given, Instruction, Operand, Spread, Value, arguments
from .memory import Size, alive, entries, last_uses
from .plan import Plan, operations, swept

__all__ = ["recomputed", "within"]

_SMALLER = 8  # how many times smaller an array without a name is that is kept for what is computed again from it
_TRIED = 8  # arrays that are tried in each round


def recomputed(p: Plan, marked: Collection[Value], size: Size) -> Plan:
    """The plan in which the backward pass computes the marked arrays again."""
    if not marked:
        return p
    before = set(p.values[: p.backward])
    ends = {p.value, *p.gradients.values()}
    read = {a for v in p.values[p.backward :] for a in arguments(v.by) if a in before}

    def is_again(a: Value, reader: Value | None) -> bool:
        """Whether the array is computed again for a reader in the backward pass, or for one that is itself computed again."""
        if a not in before or a in ends or isinstance(a.by, Given):
            return False
        if a in marked or reader is None:
            return a in marked
        return a.about is None and a not in read and _SMALLER * entries(a, size) > entries(reader, size)

    new: dict[Value, Value] = {}
    groups = dict(p.groups)
    again: set[Value] = set()
    after: list[Value] = []
    last = last_uses(p)
    dying = [sum(entries(a, size) for a in arguments(v.by) if last[a] == k) for k, v in enumerate(p.values)]

    def copied(v: Value) -> Value:
        new[v] = made = Value(v.shape, _reading(v.by, new), v.name, v.about)
        return made

    for k, v in enumerate(p.values[p.backward :], p.backward):
        batch: list[Value] = []
        stack = [a for a in arguments(v.by) if is_again(a, None)][::-1]
        while stack:
            a = stack[-1]
            waiting = [b for b in arguments(a.by) if b not in new and is_again(b, a)] if a not in new else []
            if waiting:
                stack += waiting[::-1]
                continue
            stack.pop()
            if a not in new:
                made = copied(a)
                batch.append(made)
                groups[made] = p.groups.get(a, ())[-1:] if a.about is not None else ()
        if batch:
            again.update(batch)
            first = len(after)
            if k > p.backward and after[-1] not in again:  # it may lie better before the array that was computed last
                most, stay = _needed(batch, {new[a] for a in read if a in new}, size)
                late, early = entries(after[-1], size) + most, dying[k - 1] + max(most, stay + entries(after[-1], size))
                first -= early < late
            after[first:first] = batch
        after.append(copied(v))
        groups[after[-1]] = p.groups.get(v, ())
    found = replace(p, values=[*p.values[: p.backward], *after], groups=groups, again=again,
                    gradients={n: new.get(v, v) for n, v in p.gradients.items()})  # fmt: skip
    swept(found)
    return found


def _needed(batch: Sequence[Value], stays: set[Value], size: Size) -> tuple[int, int]:
    """The entries that are needed at most while these arrays are computed one after the other, and those that stay behind."""
    last = {a: k for k, v in enumerate(batch) for a in (v, *arguments(v.by))}
    now = most = 0
    for k, v in enumerate(batch):
        now += entries(v, size)
        most = max(most, now)
        now -= sum(entries(a, size) for a in {v, *arguments(v.by)} & {*batch} - stays if last[a] == k)
    return most, now


def _reading(by: Instruction, new: Mapping[Value, Value]) -> Instruction:
    """The instruction on other arrays."""

    def of(o: Operand) -> Operand:
        return replace(o, value=new.get(o.value, o.value))

    match by:
        case Contraction(left, right, _):
            return replace(by, left=of(left), right=None if right is None else of(right))
        case Chain(_, operands, _):
            return replace(by, operands=tuple((leaf, of(o)) for leaf, o in operands))
        case Spread(value, _):
            return replace(by, value=new.get(value, value))
        case Given():
            return by
    return replace(by, args=tuple(new.get(a, a) for a in by.args))


# ---- within a limit --------------------------------------------------------------------------------------------------


def within(p: Plan, limit: int, size: Size, marked: Collection[Value] = ()) -> Plan:
    """The plan with so much computed again that at most `limit` entries are needed at one time. Raises UnsupportedError U048."""
    marks = set(marked)
    now = recomputed(p, marks, size)
    while (worst := max(alive(now, size), default=0)) > limit:
        area = sum(alive(now, size))
        cost = _cost(now, size)
        best: tuple[float, float, set[Value], Plan] | None = None
        for some in _candidates(p, now, marks, size):
            trial = recomputed(p, marks | some, size)
            memory = alive(trial, size)
            less, lower = worst - max(memory), area - sum(memory)
            if less < 0 or (less == 0 and lower <= 0):
                continue
            more = max(1, _cost(trial, size) - cost)
            if best is None or (less / more, lower / more) > best[:2]:
                best = (less / more, lower / more, some, trial)
        if best is None:
            raise UnsupportedError("U048", f"no choice was found of what is computed again that needs less than {worst * 8} bytes",
                                   hint="a larger limit; inputs and gradients are part of it")  # fmt: skip
        marks |= best[2]
        now = best[3]
    return now


def _cost(p: Plan, size: Size) -> int:
    return sum(operations(v, size) for v in p.values if not isinstance(v.by, Given))


def _candidates(p: Plan, now: Plan, marks: set[Value], size: Size) -> list[set[Value]]:
    """Arrays that are kept over the peak, each alone and with the named arrays that would be kept instead of it."""
    memory = alive(now, size)
    top = memory.index(max(memory))
    last = last_uses(now)
    kept = set(now.kept())
    ends = {p.value, *p.gradients.values()}
    place = {v: k for k, v in enumerate(now.values)}
    free = [v for v in kept if not isinstance(v.by, Given) and v not in marks and v not in ends and v.shape]
    over = [v for v in free if place[v] <= top <= last[v]]
    over.sort(key=lambda v: (-entries(v, size) / max(1, operations(v, size)), place[v]))
    found: list[set[Value]] = []
    for v in over[:_TRIED]:
        found.append({v})
        whole, stack = {v}, [v]
        while stack:
            for a in arguments(stack.pop().by):
                instead = a not in kept and a not in whole and not isinstance(a.by, Given) and a not in ends
                if instead and _SMALLER * entries(a, size) > entries(v, size):
                    whole.add(a)
                    stack.append(a)
        if len(whole) > 1:
            found.append(whole)
    return found
