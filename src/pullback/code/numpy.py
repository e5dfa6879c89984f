"""The value and every gradient on NumPy arrays (extra `numpy`), by walking the proved equations.

Products run through `numpy.einsum` from the meaning of each op; generated source is the business of later targets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from importlib import import_module
from itertools import product
from typing import Any

from ..algebra.dense import Singular
from ..algebra.dims import Dim, sized
from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import gradient, is_free_function, is_free_map, is_name
from ..calculus.derivation import Derivation
from ..errors import ParseError, ShapeError, UnsupportedError, nearest

__all__ = ["evaluate"]

_PLAIN = re.compile(r"xp\.(\w+)\(\$X\)")  # an op that is one function of NumPy, by its declaration
_STEP = 1e-30  # of the complex step: f(x + ih) has f′(x) h for its imaginary part, without cancellation
_H = 1e-5  # of the real difference that the complex step is compared with

Function = Callable[..., Any]


def _numpy() -> Any:
    try:
        return import_module("numpy")
    except ImportError as why:
        raise UnsupportedError("U020", "evaluating needs NumPy", hint="pip install 'pullback[numpy]'") from why


def _float(x: Fraction | int) -> float:
    """Raises UnsupportedError U040."""
    try:
        return float(x)
    except OverflowError:
        raise UnsupportedError("U040", "a number of the program is too large for float64",
                               expected="numbers below 1.8e308") from None  # fmt: skip


class _Run:
    def __init__(self, functions: Mapping[str, tuple[Function, ...]], sizes: dict[str, int]) -> None:
        self.np = _numpy()
        self.functions = functions
        self.sizes = sizes
        self.values: dict[Expr, Any] = {}

    def value(self, root: Expr) -> Any:
        for e in postorder(root):
            if e not in self.values:
                self.values[e] = self.node(e)
        return self.values[root]

    def node(self, e: Expr) -> Any:
        np = self.np
        args = [self.values[a] for a in e.args]
        if e.op.stable is not None:
            return self.value(e.op.stable(e, *e.args))
        if e.op.array is not None or (e.op.floats is not None and e.op.define is None):
            try:
                return self.algorithm(e, args)
            except (Singular, np.linalg.LinAlgError) as why:
                raise _no_value(e) from why
        if (
            e.op.define is not None and e.op.real is None
        ):  # else the function itself, which does not overflow on the way
            return self.value(e.op.define(e, *e.args))
        if e.op.entry is not None:
            extents = [d.value(self.sizes) for d in e.shape]
            flat = [float(e.op.entry(e.attrs, i, self.sizes)) for i in product(*map(range, extents))]
            return np.array(flat).reshape(extents)
        meanings = e.op.meaning(e)
        if meanings is None:
            return self.function(e, args)
        total: Any = 0.0
        for m in meanings:
            if m.power != 1:
                return args[0] ** _float(m.power)
            parts = [args[k] for k in m.slots] + [self.value(x) for x in m.extra]
            scale = _float(m.scale)
            for d in m.times:
                scale *= d.value(self.sizes)
            for d in m.over:
                scale /= d.value(self.sizes)
            total = total + scale * (self.contract(m.inputs, m.output, parts, e) if parts else 1.0)
        return total

    def algorithm(self, e: Expr, args: list[Any]) -> Any:
        """In NumPy where the op has such a form, else its own algorithm on lists of floats."""
        data = sized(e.op.attributes(e), self.sizes)
        if e.op.array is not None:
            return e.op.array(self.np, *(self.np.asarray(a) if isinstance(a, float) else a for a in args), **data)
        assert e.op.floats is not None
        return self.np.array(e.op.floats(*(self.np.asarray(a, dtype=float).tolist() for a in args), **data))

    def contract(self, inputs: tuple[str, ...], output: str, parts: list[Any], e: Expr) -> Any:
        """einsum, with a repeated open leg placed on a diagonal, which NumPy's einsum cannot write."""
        np = self.np
        kept = "".join(dict.fromkeys(output))
        body = np.einsum(",".join(inputs) + "->" + kept, *parts, optimize=True)
        if kept == output:
            return body
        whole = np.zeros([d.value(self.sizes) for d in e.shape])
        index = np.indices(body.shape)
        whole[tuple(index[kept.index(c)] for c in output)] = body
        return whole

    def function(self, e: Expr, args: list[Any]) -> Any:
        np = self.np
        if not e.args:
            return float(e.op.real())
        args = [np.asarray(a, dtype=float) for a in args]  # what is given to us may ask for a shape
        if is_free_map(e) or is_free_function(e):
            given, name = self.functions[e.attrs[0]], str(e.attrs[0])
            found = _entrywise(np, given, e.attrs[1], args, name) if is_free_map(e) else _tensor(np, given, e, args)
            shape = tuple(d.value(self.sizes) for d in e.shape)
            if found.shape != shape:
                raise ShapeError(
                    "S021", f"{name}, or a derivative that is given for it, gave the shape {found.shape}, not {shape}"
                )
            return found
        plain = _PLAIN.fullmatch(e.op.code) if isinstance(e.op.code, str) else None
        known = getattr(np, plain[1]) if plain else None
        if known is not None:
            return known(args[0])
        try:
            return np.vectorize(lambda *t: e.op.real(*t, **e.op.attributes(e)), otypes=[float])(*args)
        except (ValueError, TypeError, ZeroDivisionError) as why:  # outside of the domain, where it may be complex
            raise _no_value(e) from why


def _callables(name: str, given: Any) -> tuple[Function, ...]:
    """A function and what derivatives of it are given. Raises ParseError P020."""
    found = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    if not found or not all(map(callable, found)):
        raise ParseError("P020", f"what is given for {name} is no function: {given!r:.40}",
                         expected=f"{name}=callable, or {name}=(callable, derivative)")  # fmt: skip
    return found


def _no_value(e: Expr) -> UnsupportedError:
    return UnsupportedError("U022", f"{e.op.name} has no value at these numbers",
                            hint="the conditions of the derivation say where it has one")  # fmt: skip


def _numbers(np: Any, found: Any, name: str) -> Any:
    """What a function that was given returns, in float64. Raises ShapeError S021."""
    array = np.asarray(found)
    if array.dtype.kind not in "iubf":
        raise ShapeError("S021", f"{name}, or a derivative that is given for it, gave {type(found).__name__}, not real numbers"
                         if array.dtype.kind != "c" else f"{name}, or a derivative that is given for it, gave complex numbers")  # fmt: skip
    return array.astype(float)


def _entrywise(np: Any, given: tuple[Function, ...], orders: tuple[int, ...], args: list[Any], name: str) -> Any:
    order = sum(orders)
    if order == 0 or (len(given) > order and len(orders) == 1):
        return _numbers(np, given[order](*args), name)
    if order == 1 and len(given) > 1:
        found = given[1](*args)
        if not isinstance(found, tuple) or len(found) != len(orders):
            raise UnsupportedError("U021", f"the derivative that is given for {name} is no tuple of {len(orders)} arrays",
                                   expected=f"the partial derivatives of {name}, one for each argument")  # fmt: skip
        return _numbers(np, found[orders.index(1)], name)
    if order > 1:
        raise UnsupportedError(
            "U021",
            f"the derivative of order {order} of {name} is needed",
            hint=f"pass {name}=({name}, {name}′, …)",
        )
    k = orders.index(1)

    def moved(by: complex) -> list[Any]:
        return [a + by if i == k else a for i, a in enumerate(args)]

    return _checked_step(np, lambda by: given[0](*moved(by)), name)


def _checked_step(np: Any, along: Callable[[complex], Any], name: str) -> Any:
    """The complex step, accepted only where a central difference confirms it: it is wrong for abs, max and the like."""
    rough = (np.asarray(along(_H), dtype=float) - np.asarray(along(-_H), dtype=float)) / (2 * _H)
    try:
        with np.errstate(all="ignore"):
            sharp = np.imag(np.asarray(along(1j * _STEP))) / _STEP
        good = bool(np.allclose(sharp, rough, rtol=1e-5, atol=1e-7))
    except TypeError:
        good = False
    if not good:
        raise UnsupportedError("U021", f"the derivative of {name} cannot be computed from its values to full precision",
                               hint=f"pass {name}=({name}, derivative_of_{name})")  # fmt: skip
    return sharp


def _tensor(np: Any, given: tuple[Function, ...], e: Expr, args: list[Any]) -> Any:
    name, slots, out = e.attrs
    if len(slots) < len(given):
        found = given[len(slots)](*args)
        return _numbers(np, found[slots[0]] if isinstance(found, tuple) and slots else found, name)
    if len(slots) != 1:
        raise UnsupportedError(
            "U021", f"the derivative of {name} is needed", hint=f"pass {name}=({name}, gradient_of_{name})"
        )
    k = slots[0]
    columns = []
    for index in np.ndindex(args[k].shape):
        unit = np.zeros(args[k].shape)
        unit[index] = 1.0

        def along(by: complex, unit: Any = unit) -> Any:
            return given[0](*[a + by * unit if i == k else a for i, a in enumerate(args)])

        columns.append(_checked_step(np, along, name))
    stacked = np.array(columns).reshape((*args[k].shape, *np.shape(columns[0])))
    return np.moveaxis(stacked, range(args[k].ndim), range(-args[k].ndim, 0)) if out else stacked


def _reals(np: Any, name: str, given: Any) -> Any:
    """An input in float64. Raises UnsupportedError U002."""
    if isinstance(given, np.ma.MaskedArray):
        raise UnsupportedError("U002", f"{name} is a masked array; only real numbers are supported",
                               hint="put numbers in the masked places: x.filled(0)")  # fmt: skip
    try:
        a = np.asarray(given)
    except (TypeError, ValueError) as why:  # rows of several lengths, a tensor that is elsewhere
        raise UnsupportedError("U002", f"{name} cannot be made an array: {why}") from None
    if a.dtype.kind not in "fiub":
        raise UnsupportedError("U002", f"{name} has the type {a.dtype}; only real numbers are supported")
    return a.astype(float)


def _bind(np: Any, names: list[Expr], arrays: Mapping[str, Any], sizes: dict[str, int]) -> dict[Expr, Any]:
    found: dict[Expr, Any] = {}
    for v in names:
        name = v.attrs[0]
        if name not in arrays:
            raise ParseError(
                "P020",
                f"no array is given for {name}",
                expected=f"{name} of shape ({', '.join(map(str, v.shape))})",
            )
        a = _reals(np, name, arrays[name])
        if a.ndim != v.order:
            raise ShapeError(
                "S020",
                f"{name} has {a.ndim} axes, not {v.order}",
                expected=f"shape ({', '.join(map(str, v.shape))})",
            )
        for d, extent in zip(v.shape, a.shape, strict=True):
            if d.name is not None and sizes.setdefault(d.name, extent) != extent:
                raise ShapeError("S021", f"{name} has size {extent} where {d.name} is {sizes[d.name]}")
        found[v] = a
    axes = [(v, d, extent) for v in names for d, extent in zip(v.shape, found[v].shape, strict=True)]
    for _ in axes:  # a size may be told by an axis of size n + 1 or h*d once the others are known
        for _, d, extent in axes:
            _solve(d, extent, sizes)
    for v, d, extent in axes:
        if d.symbols() <= sizes.keys() and d.value(sizes) != extent:
            raise ShapeError("S021", f"{v.attrs[0]} has size {extent} where {d} is {d.value(sizes)}")
    return found


def _solve(d: Dim, extent: int, sizes: dict[str, int]) -> None:
    """The one unknown size symbol of `d`, if it occurs once and to the first power."""
    unknown = sorted(d.symbols() - sizes.keys())
    terms = [(m, c) for m, c in d.terms if unknown and unknown[0] in m]
    if len(unknown) != 1 or len(terms) != 1 or terms[0][0].count(unknown[0]) != 1:
        return
    zero, one = d.value({**sizes, unknown[0]: 0}), d.value({**sizes, unknown[0]: 1})
    if (extent - zero) % (one - zero) == 0 and (extent - zero) // (one - zero) > 0:
        sizes[unknown[0]] = (extent - zero) // (one - zero)


def _fits(e: Expr, sizes: Mapping[str, int]) -> None:
    """Refuses sizes at which the windows of an op do not lie within its axis: the equations do not hold there. Raises ShapeError S022."""
    for x in (e, *(a for m in e.op.meaning(e) or () for a in m.extra)):
        for whole, end in x.op.span(x) if x.op.span is not None else ():
            if end.value(sizes) > whole.value(sizes):
                raise ShapeError("S022", f"{e.op.name} does not fit at these sizes: {end} is {end.value(sizes)}, and {whole} is {whole.value(sizes)}",
                                 hint="the conditions of the derivation say at which sizes it is defined")  # fmt: skip


def evaluate(d: Derivation, functions: set[str], arrays: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """(value of the target, gradient of every asked name) in float64.

    `arrays` has every input by name, and for every unknown function a callable, or (f, f′): without f′ it is taken by a
    complex step, which is checked. Raises ParseError, ShapeError, UnsupportedError.
    """
    np = _numpy()
    leaves = {e for q in d.core.equations for e in postorder(q.value) if is_name(e)} - {q.var for q in d.core.equations}
    inputs = [v for v in d.inputs if v in leaves or v in d.wrt] + ([d.seed] if d.seed is not None else [])
    wanted = {v.attrs[0] for v in inputs} | functions
    for name in arrays:
        if name not in wanted:
            close = nearest(name, sorted(wanted))
            raise ParseError("P021", f"{name} is not an input of this program",
                             hint=f"did you mean {close}?" if close else f"the inputs are {', '.join(sorted(wanted))}")  # fmt: skip
    for name in sorted(functions):
        if name not in arrays:
            raise ParseError(
                "P020",
                f"no function is given for {name}",
                expected=f"{name}=callable, or {name}=(callable, derivative)",
            )
    run = _Run({f: _callables(f, arrays[f]) for f in sorted(functions)}, {})
    run.values.update(_bind(np, inputs, arrays, run.sizes))
    used = [e for q in d.core.equations for e in postorder(q.value)]
    untold = sorted(s for v in (*d.inputs, *used) for n in v.shape for s in n.symbols() - run.sizes.keys())
    if untold:
        raise ShapeError(
            "S022",
            f"the size {untold[0]} cannot be told from the arrays",
            hint="every size must occur in an input's shape",
        )
    for e in used:
        _fits(e, run.sizes)
    for q in d.core.equations:
        run.values[q.var] = run.value(q.value)
    for b in d.backward:
        run.values[gradient(b.of)] = np.broadcast_to(
            run.value(b.value), [n.value(run.sizes) for n in b.of.shape]
        ).copy()
    value = run.values[d.target]
    return value, {v.attrs[0]: run.values[gradient(v)] for v in d.wrt}
