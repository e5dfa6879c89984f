"""Sample nodes of every op, built from its declaration alone: orders from the signature, data by attribute names.

Every axis has its own symbol, and every symbol its own size.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from typing import Any

from _learning import ROWS as LEARNING
from _structure import ROWS

from pullback.algebra import ops
from pullback.algebra.dims import Dim, Shape
from pullback.algebra.expr import Expr
from pullback.algebra.op import REGISTRY, Op
from pullback.algebra.ops.defined import Defined, defined, defined_map
from pullback.algebra.ops.free import var
from pullback.algebra.ops.trigonometric import sin, tanh

assert ops

S = {c: Dim.symbol(c) for c in ("k", "m", "n", "p", "q")}
ONE = Dim.number(1)
ANY = [(), (S["m"],), (S["m"], S["n"]), (S["m"], S["n"], S["k"]), (S["m"], S["n"], S["k"], S["p"])]

Sample = tuple[dict[str, Any], list[Shape]]


def _axes() -> Iterator[Sample]:
    for shape in ANY[1:]:
        for count in range(1, len(shape) + 1):
            for axes in combinations(range(len(shape)), count):
                yield {"axes": axes}, [shape]


_SPECS = [
    "ab,bc->ac", "a->", "ab->ba", "aa->", "aa->a", "ab,a->", "abc,cd->abd", "ab,cb,ca->", "a,b->ab", "a,b->",
    "abca,bc->ac", "ab,ab,ab->a", "abcd,cd->ab", "ab,c->abc", ",a->a", "aab->b", "a,a,a->a",
]  # fmt: skip


def _specs() -> Iterator[Sample]:
    names = dict(zip("abcd", (S["m"], S["n"], S["k"], S["p"]), strict=True))
    for spec in _SPECS:
        yield {"spec": spec}, [tuple(names[c] for c in slot) for slot in spec.split("->")[0].split(",")]


def _blocks() -> Iterator[Sample]:
    m, n, k, p = S["m"], S["n"], S["k"], S["p"]
    yield {"axis": 0}, [(m,), (n,)]
    yield {"axis": 0}, [(m,), ()]
    yield {"axis": 0}, [(), ()]
    yield {"axis": 1}, [(m, n), (m,), (m, k)]
    yield {"axis": 0}, [(n,), (m, n)]
    yield {"axis": 2}, [(m, n, k), (m, n), (m, n, p)]
    yield {"axis": 1}, [(m,), (m,)]


def _cut(**more: Any) -> Iterator[Sample]:
    for shape in ANY[1:]:
        for axis in range(len(shape)):
            yield {"axis": axis, **more}, [shape]


def _own() -> Iterator[tuple[Defined, tuple[int, ...]]]:
    """Defined functions: of one number, with a name from outside, and of two numbers."""
    s, t, c = (var(n, ()) for n in ("s", "t", "c"))
    one = defined("phi", [t], [], t * tanh(t) + 1)
    softcap = defined("softcap", [t], [c], c * tanh(t / (c + 2)))
    two = defined("psi", [s, t], [], s**2 * sin(t) + defined_map(one, s))
    yield from ((one, (0,)), (one, (1,)), (one, (2,)), (softcap, (0, 0)), (softcap, (1, 0)), (softcap, (0, 1)))
    yield from ((two, (0, 0)), (two, (1, 0)), (two, (1, 2)))


# By attribute names: (the attributes, the shapes of the arguments) of samples.
SAMPLES: dict[tuple[str, ...], Any] = {
    ("value",): lambda: [({"value": Fraction(-3, 2)}, [])],
    ("dim",): lambda: [({"dim": S["m"]}, []), ({"dim": S["m"] + ONE}, [])],
    ("dims",): lambda: [({"dims": s}, []) for s in ANY],
    ("name", "kind", "dims", "facts"): lambda: [
        ({"name": "v", "kind": "value", "dims": s, "facts": ()}, []) for s in ANY
    ],
    ("total", "start", "dim"): lambda: [({"total": S["m"] + S["n"], "start": S["m"], "dim": S["n"]}, [])],
    ("total", "start"): lambda: [({"total": S["m"] + ONE, "start": S["m"]}, [])],
    ("exponent",): lambda: [
        ({"exponent": Fraction(x)}, [s]) for x in (0, 1, 2, 3, -1, -2, "1/2", "-3/2", "1/3") for s in ANY[:3]
    ],
    ("n",): lambda: [({"n": k}, [s]) for k in (0, 1, 3) for s in ANY[:3]],
    ("axes",): _axes,
    ("spec",): _specs,
    ("axis",): _blocks,
    ("axis", "start", "dim"): lambda: _cut(start=ONE, dim=Dim.number(1)),
    ("axis", "start"): lambda: _cut(start=ONE),
    ("axis", "start", "total"): lambda: _cut(start=S["q"], total=S["q"] + S["m"] + S["n"] + S["k"] + S["p"]),
    ("name", "orders"): lambda: [
        ({"name": "f", "orders": o}, [s] * len(o)) for o in ((0,), (1,), (2,), (0, 0), (1, 0), (1, 2)) for s in ANY
    ],
    ("function", "orders"): lambda: [
        ({"function": f, "orders": o}, [s] * len(f.params) + [()] * len(f.outer)) for f, o in _own() for s in ANY
    ],
    ("name", "slots", "out"): lambda: [
        ({"name": "g", "slots": (), "out": ()}, [ANY[2]]),
        ({"name": "g", "slots": (), "out": (S["q"],)}, [ANY[1]]),
        ({"name": "g", "slots": (0,), "out": (S["q"],)}, [ANY[1]]),
        ({"name": "g", "slots": (), "out": ANY[2]}, [(S["k"],), (S["p"], S["q"])]),
        ({"name": "g", "slots": (1,), "out": ()}, [(S["k"],), (S["p"], S["q"])]),
        ({"name": "g", "slots": (), "out": ()}, [()]),
    ],
}


def _one_axis(op: Op) -> Iterator[Sample]:
    for shape in ANY[1:4]:
        for axis in range(len(shape)):
            yield {"axis": axis}, [shape if pattern else () for _, pattern in op.slots]


def arguments(op: Op) -> Iterator[list[Shape]]:
    """Shapes that fit the signature: one axis size per letter, and each order for `*s`."""
    free = any(p == ("*s",) for _, p in op.slots)
    for whole in ANY if free else [()]:
        yield [whole if p == ("*s",) else tuple(S.get(c, Dim.symbol(c)) for c in p) for _, p in op.slots]


def samples(op: Op) -> list[Expr]:
    """Nodes of `op` on distinct names x1, x2, …; KeyError when no sample can be built: add a row to SAMPLES."""
    if op.name in ROWS or op.name in LEARNING:
        cases = (ROWS | LEARNING)[op.name]()
    elif op.attr_names == ("axis",) and not op.variadic:
        cases = list(_one_axis(op))
    elif op.attr_names == ("axes",) and "axes" in op.defaults:
        cases = [(attrs, [s if p == ("*s",) else () for _, p in op.slots]) for attrs, [s] in _axes()]
    elif op.attr_names == ("reduction",):
        cases = [({"reduction": r}, shapes) for r in ("mean", "sum", "none") for shapes in arguments(op)]
    elif all(k in op.defaults for k in op.attr_names):
        cases = [(dict(op.defaults), shapes) for shapes in arguments(op)]
    else:
        cases = SAMPLES[op.attr_names]()
    found = []
    for attrs, shapes in cases:
        names = [n for n, _ in op.slots] if not op.variadic else []
        facts = [("index",) if n in op.fixed else () for n in names] or [()] * len(shapes)
        found.append(
            op(*(var(f"x{i + 1}", s, facts=f) for i, (s, f) in enumerate(zip(shapes, facts, strict=True))), **attrs)
        )
    return found


def every_sample() -> list[Expr]:
    return [e for op in REGISTRY.values() for e in samples(op)]
