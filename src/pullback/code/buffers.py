"""NumPy without allocation: a function that computes into arrays which are made once.

Two arrays share memory where the first is not needed any more when the second is computed: of one shape they are one array, two
matrices of other shapes views of one. What may be a view of another array (a slice, what a given function returns) keeps the memory of what it was made of.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from ..algebra.dims import Shape, entries_of
from .door import blamed, expected, fitting
from .frame import Target, Text, Words, dims_text, named
from .inplace import Memory, out_of, read_once, statements, tree
from .instructions import Chain, Contraction, Given, Legs, Value, arguments
from .plan import Plan
from .syntax import dim_node, expression, unparsed
from .writer import arguments_of, comments, fitted, module, owned, returned

__all__ = ["apart", "making", "numbers_in", "owned_by", "write_buffered"]

_NEVER = 1 << 60


def _is_diagonal(v: Value) -> bool:
    by = v.by
    return isinstance(by, Contraction) and by.right is None and set(by.left.legs) == set(by.legs)


class _Layout:
    """Which memory an array has, and how long that is needed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.of: dict[Value, str] = {}
        self.shapes: dict[str, Shape] = {}
        self.regions: list[dict[Shape, str]] = []  # memory, each with its views
        self.region: dict[str, int] = {}  # where a view lies
        self.free: list[int] = []
        self.last: dict[Value, int] = {}
        self.shared: list[tuple[str, str]] = []  # (name, the memory that it has)
        self.constants: list[str] = []
        place = {v: k for k, v in enumerate(plan.values)}
        for v in (plan.value, *plan.gradients.values()):
            self.last[v] = _NEVER
        for v in reversed(plan.values):
            mine = self.last.setdefault(v, place[v])
            view = not isinstance(v.by, (Chain, Contraction)) or _is_diagonal(v)
            for a in arguments(v.by):
                self.last[a] = max(self.last.get(a, 0), mine if view else place[v])
        self.dying: dict[int, list[Value]] = {}
        for v, k in self.last.items():
            self.dying.setdefault(k, []).append(v)

    def take(self, shape: Shape, name: str, ends: bool = True) -> str:
        """Memory of this shape, by the name of its view: of what is free one that had it before, else that of any other matrix. One that
        never `ends` would keep what may be much longer, and vectors are not worth it."""
        like = [k for k in self.free if shape in self.regions[k]]
        if not like and ends and len(shape) > 1:
            like = [k for k in self.free if len(next(iter(self.regions[k]))) > 1]
        if like:
            self.free.remove(k := like[-1])
        else:
            k = len(self.regions)
            self.regions.append({})
        found = self.regions[k].setdefault(shape, name)
        self.shapes[found], self.region[found] = shape, k
        return found

    def name(self, name: str, where: str) -> None:
        if name != where:
            self.shared.append((name, where))

    def give(self, name: str) -> None:
        self.free.append(self.region[name])

    def done(self, k: int) -> None:
        """Frees what is not needed after the k-th array."""
        for v in self.dying.get(k, ()):
            if v in self.of:
                self.give(self.of.pop(v))

    def held(self, v: Value, k: int, once: set[Value]) -> Value | None:
        """An operand of a chain in whose memory the result may lie: it is read for the last time, in one place, entry by entry."""
        assert isinstance(v.by, Chain)
        for _, o in v.by.operands:
            a = o.value
            if a in once and a in self.of and self.last[a] <= k and a.shape == v.shape and o.legs == v.by.legs:
                return a
        return None


def write_buffered(plan: Plan, words: Words, name: str, *, target: Target) -> str:
    """A module with `make_<name>(sizes, dtype)`, which makes the arrays and gives the function of them. Raises what `write` raises."""
    t = named(plan, target, words, sizes=True)
    t.deeper = 4
    layout = _Layout(plan)
    body: list[str] = []
    begun = False
    for k, v in enumerate(plan.values):
        if isinstance(v.by, Given):
            continue
        if k >= plan.backward and not begun:
            begun = True
            body += ["", "    # backward"]
        body += comments(t, v)
        body += (f"    {line}" for line in _computed(t, layout, v, k))
        layout.done(k)
    owners, made = _allocated(t, layout)
    made += [f"    {n} = {where}" for n, where in layout.shared] + [f"    {line}" for line in layout.constants]
    checks = expected(t, plan.inputs, ", dtype")
    function = [
        *t.listed(f"def {name}(", arguments_of(t), "):"),
        *checks,
        *apart(t, owners),
        *numbers_in(t),
        *body,
        *blamed(t, [*plan.inputs, plan.value]),  # other arrays may have lost their memory to later ones
        *returned(t),
    ]
    t.deeper = 0
    outer = [*making(t, name), *made, *owned_by(t, owners), "", *(f"    {line}" if line else "" for line in function), "", f"    return {name}"]  # fmt: skip
    return module(target, outer)


def _allocated(t: Text, layout: _Layout) -> tuple[list[str], list[str]]:
    """The names of all memory, and the lines that make it: arrays, and views of what is as large as the largest of them."""
    names: list[str] = []
    lines: list[str] = []
    shared = 0
    for views in layout.regions:
        names += views.values()
        if len(views) == 1:
            [(shape, name)] = views.items()
            lines.append(f"    {name} = np.empty({dims_text(shape, t)}, dtype)")
            continue
        shared += 1
        whole = t.fresh(f"memory_{shared}")
        names.append(whole)
        counts = {n: unparsed(dim_node(entries_of(s), t.size)) for s, n in views.items()}
        largest = list(dict.fromkeys(counts.values()))
        if len(largest) > 1:
            lines += t.listed(f"    {whole} = np.empty(max(", largest, "), dtype)")
        else:
            lines.append(f"    {whole} = np.empty({largest[0]}, dtype)")
        lines += (f"    {n} = {whole}[: {counts[n]}].reshape{dims_text(s, t)}" for s, n in views.items())
    return names, lines


def making(t: Text, name: str) -> Iterator[str]:
    """The head of `make_<name>`: sizes and type, checked."""
    sizes = list(t.sizes.values())
    yield from t.listed(f"def make_{name}(", [*sizes, "dtype=np.float64"], "):")
    yield '    """A function of arrays of these sizes: the value, and {name: gradient}, in memory that its next call overwrites."""'
    if sizes:
        yield from t.listed("    _sizes(", [f"{s}={s}" for s in sizes], ")")
    yield from fitting(t)
    yield "    dtype = _real(dtype)"


def owned_by(t: Text, buffers: Collection[str]) -> Iterator[str]:
    """The line that notes which memory is ours."""
    if buffers and any(v.shape for v in t.plan.inputs):
        comma = "," if len(buffers) == 1 else ""
        whole = f"    own = {{id(x) for x in ({', '.join(buffers)}{comma})}}"
        if len(whole) <= t.width:
            yield whole
        else:
            yield from t.listed("    buffers = (", [*buffers], ")")
            yield "    own = {id(x) for x in buffers}"


def apart(t: Text, buffers: Collection[str]) -> Iterator[str]:
    """The line that refuses it as an argument: a result is read by whoever has it, but not while it is written to."""
    names = [t.names[v] for v in t.plan.inputs if v.shape]
    if buffers and names:
        yield from t.listed("    _apart(", ["own", *(f"{n}={n}" for n in names)], ")")


def numbers_in(t: Text) -> Iterator[str]:
    """The lines that make every argument without axes a number of the type of the arrays."""
    yield from (f'    {n} = _number("{n}", {n}, dtype)' for v in t.plan.inputs if not v.shape for n in [t.names[v]])


def _computed(t: Text, layout: _Layout, v: Value, k: int) -> Iterator[str]:
    """The statements for one array."""
    name = t.names[v]

    def read(a: Value) -> ast.expr:
        return ast.Name(t.names[a], ast.Load())

    spelling = t.target.spelling
    result = v in t.plan.gradients.values()  # filled anew by every call, since whoever has it may write to it
    if v.shape and isinstance(v.by, Chain) and (v.by.operands or result):
        root = tree(v.by, read, t.size)
        held = layout.held(v, k, read_once(root))
        legs = v.by.legs
        if held is not None:
            where = layout.of.pop(held)
        else:
            where = layout.take(v.shape, name, layout.last[v] < _NEVER)
        layout.of[v] = where
        dims = dict(zip(legs, v.shape, strict=True))

        def take(some: Legs) -> str:
            return layout.take(tuple(dims[i] for i in some), t.temporary())

        layout.name(name, where)
        yield from statements(
            root,
            legs,
            name,
            held,
            Memory(take, lambda n, _: layout.give(n), lambda x: spelling.applied(x, t.numbers())),
        )
        return
    node = expression(v, read, t.size, lambda e: t.functions[e])
    if v.shape and isinstance(v.by, Contraction):
        into = out_of(node, name, len(v.shape))
        if into is not None:
            where = layout.take(v.shape, name, layout.last[v] < _NEVER)
            layout.of[v] = where
            layout.name(name, where)
            yield unparsed(spelling.applied(into, t.numbers()))
            return
    lines = fitted(t, name, spelling.applied(owned(t, v, node), t.numbers()))
    if v in t.static or (isinstance(v.by, Chain) and not v.by.operands):
        layout.constants += lines
    else:
        yield from lines
