"""Numba: loops that are compiled, products of matrices by BLAS; what has no loops is a line of NumPy between them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from .buffers import apart, making, numbers_in, owned_by
from .door import blamed, door, expected
from .frame import WIDTH, Target, Text, Words, Writer, dims_text, named
from .guards import unpacked
from .instructions import Value, arguments
from .kernels import Kernel, loops_of
from .nests import Statement, fused, locals_of
from .plan import Plan
from .syntax import expression
from .to_numpy import BUFFERS, NUMPY
from .writer import arguments_of, described, fitted, module, owned, returned, some

__all__ = ["FORMS", "NUMBA"]

_PRODUCT = '''@njit(error_model="numpy", fastmath={"reassoc", "contract"})
def _product(a, b, out):
    """out = a b, by BLAS; along an axis of size 1 every entry is one product, and BLAS would read and write it twice."""
    if a.shape[1] != 1:
        np.dot(a, b, out)
        return
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            out[i, j] = a[i, 0] * b[0, j]'''

NUMBA: Target = replace(
    NUMPY,
    name="numba",
    reserved=NUMPY.reserved | {"real", "njit", "cache", "_kernels"},
    like=("dtype = np.result_type({arrays})", "dtype = np.dtype(float)"),
    rows="",
    extras=(
        *NUMPY.extras,
        ("@cache", "from functools import cache", ""),
        ("@njit", "from numba import njit", ""),
        ("_product(", "", _PRODUCT),
    ),
)


class _Parts:
    """A plan cut into stretches of loops and single lines of NumPy."""

    def __init__(self, plan: Plan, t: Text) -> None:
        self.plan, self.t = plan, t
        self.stretches: list[Kernel | Value] = []
        waiting: list[Value] = []
        for v in [*plan.lines, None]:
            if v is not None and loops_of(v, t) is not None:
                waiting.append(v)
                continue
            if waiting:
                self.stretches.append(self.kernel(waiting))
                waiting = []
            if v is not None:
                self.stretches.append(v)
        self.kernels = [k for k in self.stretches if isinstance(k, Kernel)]
        for n, k in enumerate(self.kernels):
            k.name = t.fresh("loops" if len(self.kernels) == 1 else f"loops_{n + 1}")

    def kernel(self, values: Sequence[Value]) -> Kernel:
        mine = set(values)
        kept = {v for v in values if v is self.plan.value or v in self.plan.gradients.values()}
        kept |= {a for v in self.plan.lines if v not in mine for a in arguments(v.by) if a in mine}
        items = fused(values, lambda v: s if isinstance(s := loops_of(v, self.t), Statement) else None)
        return Kernel(self.t, items, kept, locals_of(items, kept))

    def compiled(self) -> Iterator[str]:
        """The function that compiles all stretches for one type."""
        yield "@cache"
        yield "def _kernels(real):"
        yield '    """The loops for numbers of this type."""'
        yield "    if real not in (np.float32, np.float64):"
        yield '        raise TypeError(f"the loops are for float32 and float64, not {real.__name__}")'
        for k in self.kernels:
            yield ""
            yield '    @njit(error_model="numpy", fastmath={"reassoc", "contract"})'
            yield from (f"    {x}" if x else "" for x in k.function())
        yield ""
        whole = f"    return {', '.join(k.name for k in self.kernels)}"
        yield from (
            [whole] if len(whole) <= WIDTH else self.t.listed("    return (", [k.name for k in self.kernels], ")")
        )
        yield ""
        yield ""

    def arrays(self, dtype: str) -> Iterator[str]:
        """The arrays that the loops write to."""
        for k in self.kernels:
            yield from (f"    {self.t.names[v]} = np.empty({dims_text(v.shape, self.t)}, {dtype})" for v in k.arrays)

    def body(self) -> Iterator[str]:
        t = self.t
        for part in self.stretches:
            if isinstance(part, Kernel):
                results = [t.names[v] for v in part.numbers]
                yield from t.listed(f"    {', '.join(results)} = {part.name}(" if results else f"    {part.name}(",
                                    part.arguments, ")")  # fmt: skip
                continue
            node = expression(part, lambda a: ast.Name(t.names[a], ast.Load()), t.size, lambda e: t.functions[e])
            node = t.target.spelling.applied(owned(t, part, node), t.numbers())
            yield from (f"    {x}" for x in fitted(t, t.names[part], node))
            if part.shape and any(part in k.inputs for k in self.kernels):
                yield f"    {t.names[part]} = np.ascontiguousarray({t.names[part]}, dtype)"
        yield from blamed(t, [*self.plan.inputs, self.plan.value])
        yield from returned(t)

    def taken(self) -> Iterator[str]:
        """Inputs as the loops want them: next to each other in memory, and of one type."""
        for v in self.plan.inputs:
            if any(v in k.inputs for k in self.kernels):
                name = self.t.names[v]
                yield (
                    f"    {name} = np.ascontiguousarray({name}, dtype)"
                    if v.shape
                    else f"    {name} = dtype.type({name})"
                )


def _function(plan: Plan, words: Words, name: str) -> str:
    """A module with the function, compiled when it is first called with a type."""
    t = named(plan, NUMBA, words, sizes=True)
    parts = _Parts(plan, t)
    body = [*parts.taken(), *parts.arrays("dtype"), *parts.body()]
    head = [*t.listed(f"def {name}(", arguments_of(t), "):"),
            f'    """The value, and {{name: gradient}} for {some(plan.gradients)}.', "", *described(t), '    """']  # fmt: skip
    first = [*door(t, [*body, "dtype"])]
    first += _chosen(parts, "dtype.type")
    return module(NUMBA, [*(parts.compiled() if parts.kernels else ()), *head, *first, *body])


def _chosen(parts: _Parts, real: str) -> list[str]:
    names = [k.name for k in parts.kernels]
    return (
        list(unpacked(parts.t, names, f"_kernels({real})"))
        if len(names) > 1
        else [f"    {n} = _kernels({real})" for n in names]
    )


def _buffered(plan: Plan, words: Words, name: str) -> str:
    """A module with `make_<name>(sizes, dtype)`: all arrays made once, the loops compiled for the type."""
    target = replace(NUMBA, door=BUFFERS.door, reserved=NUMBA.reserved | BUFFERS.reserved)
    t = named(plan, target, words, sizes=True)
    parts = _Parts(plan, t)
    t.deeper = 4
    buffers = [t.names[v] for k in parts.kernels for v in k.arrays]
    inside = [*expected(t, plan.inputs, ", dtype"), *apart(t, buffers), *numbers_in(t),
              *(x for x in parts.taken() if "ascontiguousarray" in x), *parts.body()]  # fmt: skip
    inner = [*t.listed(f"def {name}(", arguments_of(t), "):"), *inside]
    t.deeper = 0
    outer = [*making(t, name), *_chosen(parts, "dtype.type"), *parts.arrays("dtype"), *owned_by(t, buffers), "",
             *(f"    {x}" if x else "" for x in inner), "", f"    return {name}"]  # fmt: skip
    return module(target, [*(parts.compiled() if parts.kernels else ()), *outer])


FORMS: Mapping[str, Writer] = {"function": _function, "buffers": _buffered}
