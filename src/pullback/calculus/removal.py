"""What the open legs say: the notation of a gradient, read off the network that is left (theory.md §0, table)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder
from .graph import Graph
from .products import Entry
from .roles import Bind, Said, ordinal

__all__ = ["pieces", "removal"]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def pieces(g: Graph) -> list[list[Entry]]:
    """The nodes that are left, grouped by the lines that still connect them; nodes without lines stand alone."""
    group: dict[str, int] = {}
    found: dict[int, list[Entry]] = {}
    for k, n in enumerate(g.nodes):
        joined = {group[c] for c in n.legs if c in group}
        found[k] = [x for j in sorted(joined) for x in found.pop(j)] + [n]
        group.update({c: k for x in found[k] for c in x.legs})
    return list(found.values())


def removal(g: Graph, value: Expr) -> Iterator[Said]:
    """Which node is removed, what stays open, and what each line that is left means."""
    yield _removed(g)
    opened = g.removed.legs
    for c in g.dims:
        said = _line(g, c, opened.count(c), value)
        if said is not None:
            yield said
    yield from _whole(g)


def _removed(g: Graph) -> Said:
    b = Bind()
    d, legs = b.put(g.removed.atom), g.removed.legs
    if not legs:
        return b.said(f"remove {d}: it has no legs, so what is left is a number")
    if len(set(legs)) < len(legs):
        return b.said(f"remove {d}: its legs {_listed(legs)} stay open, and equal letters stay tied")
    many = f"its legs {_listed(legs)} stay open" if len(legs) > 1 else f"its leg {legs[0]} stays open"
    return b.said(f"remove {d}: {many}")


def _line(g: Graph, c: str, open_ends: int, value: Expr) -> Said | None:
    """One letter: how many ends it has at tensors, and whether it is open."""
    b = Bind()
    held = [n for n in g.nodes if c in n.legs]
    ends = sum(n.legs.count(c) for n in held)
    if open_ends > 1:
        rest = f", with {b.list([n.tensor for n in held])} on the diagonal" if held else ""
        return b.said(f"{c} is open {open_ends} times: the open ends are tied by δ{rest} ⇒ diagonal")
    if not held:
        return b.said(f"{c} hangs on nothing that is left ⇒ the same number for every {c}: broadcast") if open_ends else None  # fmt: skip
    blocks = [n for n in held if n.atom.op.places]
    if blocks:
        return _placed(b, c, blocks[0], [n for n in held if n is not blocks[0]], bool(open_ends))
    names = b.list([n.tensor for n in held])
    if open_ends:
        if ends > len(held):
            return b.said(f"{c} is two axes of {names}, and open ⇒ its diagonal is kept")
        return b.said(f"{c} joins {names} and is open ⇒ ●, matched and not summed: ⊙") if ends > 1 else None
    if ends == 1:
        return b.said(f"{c} ends at {names} and has no other end ⇒ summed over all {c}")
    if ends > len(held):
        return b.said(f"{c} is two axes of {names} and not open ⇒ the diagonal is summed: trace")
    if ends > 2:
        return b.said(f"{c} joins {names} at one ● and is not open ⇒ multiplied entry by entry, then summed")
    return b.said(f"{c} joins {names} and is not open ⇒ summed{_product(g, c, held)}" + _transposed(b, g, c, held, value))  # fmt: skip


def _placed(b: Bind, c: str, block: Entry, others: Sequence[Entry], is_open: bool) -> Said | None:
    """A line at a 0/1 block: entries are picked where its long side is summed, put in place where it is open."""
    first, width = block.atom.op.places(block.atom)
    start, last = first + Dim.number(1), first + width
    where = f"{start}" if last == start else f"{start}..{last}"
    names = f" of {b.list([n.tensor for n in others])}" if others else ""
    if c == block.legs[0]:
        if is_open:
            return b.said(f"{c} is open at the 0/1 block [{where}] ⇒ entries are put at {where}, zeros stand elsewhere")
        return b.said(f"{c} ends at the 0/1 block [{where}] ⇒ along {c}{names} only {where} is kept: a slice")
    return None


def _product(g: Graph, c: str, held: Sequence[Entry]) -> str:
    """What a sum over one line between two tensors is called; nothing where that depends on more than this line."""
    shared = set(held[0].legs) & set(held[1].legs)
    orders = [len(n.legs) for n in held]
    if len(shared) > 1 or max(orders) > 2:
        return ""
    return ": inner product" if orders == [1, 1] else ": matrix product"


def _transposed(b: Bind, g: Graph, c: str, held: Sequence[Entry], value: Expr) -> str:
    """Through which leg a matrix is entered, where that is what its transpose in the result stands for."""
    written = set(postorder(value))
    opened = g.removed.legs
    found = []
    for n in held:
        if len(n.legs) != 2 or n.power != 1 or n.atom.T not in written:
            continue
        k = n.legs.index(c)
        at = opened.index(n.legs[1 - k]) if n.legs[1 - k] in opened else -1
        if (k == 0 and at < 1) or (k == 1 and at == 1):
            found.append(f"{b.put(n.atom)} is entered through its {ordinal(k)} leg, which is written {b.put(n.atom.T)}")
    return "; " + "; ".join(found) if found else ""


def _whole(g: Graph) -> Iterator[Said]:
    """Into how many pieces the rest falls."""
    b = Bind()
    opened = set(g.removed.legs)
    parts = pieces(g)
    with_axes = [p for p in parts if any(c in opened for n in p for c in n.legs)]
    numbers = [p for p in parts if not any(c in opened for n in p for c in n.legs)]
    if len(with_axes) > 1:
        first = " | ".join(b.list([n.tensor for n in p]) for p in with_axes)
        yield b.said(f"what is left falls into {len(with_axes)} pieces with open legs, {first}, and no line joins them ⇒ outer product")  # fmt: skip
    elif len(with_axes) == 1 and len(with_axes[0]) == 1 and len(set(g.removed.legs)) == len(g.removed.legs):
        [n] = with_axes[0]
        if tuple(n.legs) == g.removed.legs:
            yield b.said(f"{b.put(n.tensor)} is left with its legs in their own order ⇒ it stands as it is")
        elif len(n.legs) == 2 and set(n.legs) == opened:
            yield b.said(f"{b.put(n.tensor)} is left with its legs in the other order ⇒ a transpose")
    if opened and numbers:
        shown = b.list([n.tensor for p in numbers for n in p])
        yield b.said(f"the piece of {shown} has no open leg ⇒ a number, a factor")
