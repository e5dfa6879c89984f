"""docs/ops.md, the table of every op and law, made from their declarations; and the counts of both.

python tools/ops.py            prints the counts
python tools/ops.py --write    writes docs/ops.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pullback.algebra.op import REGISTRY, Op
from pullback.calculus import laws
from pullback.calculus.law import LAWS, NOT_LAWS

PAGE = Path(__file__).parents[1] / "docs" / "ops.md"
assert laws


def kind(o: Op) -> str:
    """How the op is declared."""
    if not o.slots:
        return "constant"
    if o.linear:
        return f"linear in {'each argument' if o.linear == 'each' else 'all arguments together'}: states its adjoint"
    return "composite: its differential is derived from its definition" if o.composite else "states its differential"


def rooms() -> dict[str, list[Op]]:
    """The ops by the module that declares them."""
    found: dict[str, list[Op]] = {}
    for o in REGISTRY.values():
        found.setdefault(o.room, []).append(o)
    return found


def counts() -> str:
    names = len({x.name for x in LAWS})
    false = len({x.name for x in NOT_LAWS})
    return (f"{len(REGISTRY)} ops and {names} laws ({len(LAWS)} with their instances for each number of axes); {false} tempting equations "
            "are refuted. The tests of each op and law are generated from its declaration.")  # fmt: skip


def page() -> Iterator[str]:
    yield "# The ops\n"
    yield "Made by `python tools/ops.py --write` from the declarations in `src/pullback/algebra/ops`. How one is added: "
    yield "[adding an op](adding-an-op.md).\n"
    yield counts() + "\n"
    for room, ops in rooms().items():
        yield f"## {room}\n"
        yield "| op | written | signature | | what is true |"
        yield "|---|---|---|---|---|"
        for o in ops:
            calls = ", ".join(f"`{c}`" for c in o.calls) or (f"`{o.token}`" if o.token else "–")
            doc = o.doc.replace("|", "\\|")
            yield f"| {o.name} | {calls} | `{o.signature}` | {kind(o)} | {doc} |"
        yield ""
    yield "## Laws\n"
    yield "| law | reason |"
    yield "|---|---|"
    for name, reason in dict.fromkeys((x.name, x.reason.replace("|", "\\|").replace("\n", " ")) for x in LAWS):
        yield f"| {name.replace('_', ' ')} | {reason} |"


if __name__ == "__main__":
    print(counts())
    if "--write" in sys.argv:
        PAGE.write_text("\n".join(page()) + "\n", encoding="utf-8")
        print(f"written: {PAGE}")
