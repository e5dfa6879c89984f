"""Programs run by other means than ours: each op as its own NumPy or JAX call, by name; nothing is read off its meaning.

The unknown functions of a program become fixed smooth ones. `reference` differentiates with JAX, `slope` by a complex
step through NumPy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from itertools import pairwise, product
from typing import Any

import numpy as np
from _matrices import Matrices, differenced
from _programs import RandomProgram

from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr, postorder
from pullback.algebra.ops.free import var
from pullback.calculus.core import Definition
from pullback.calculus.derivation import Derivation
from pullback.calculus.derive import derive
from pullback.proof.claim import Memo, check
from pullback.proof.final import Problem, confirm

SIZES = {"k": 2, "m": 3, "n": 4, "p": 5, "q": 6, "b": 3, "c": 5, "d": 2}  # c classes, in a batch of b

Array = Any


def _erf_complex(z: Array) -> Array:
    """erf along a complex step: value from the real part, slope 2/√π e^(−t²) known in closed form."""
    real = np.vectorize(math.erf, otypes=[float])(np.real(z))
    return real + 1j * np.imag(z) * 2 / math.sqrt(math.pi) * np.exp(-(np.real(z) ** 2))


_PLAIN = re.compile(r"xp\.(\w+)\(\$X\)")


def by_difference(e: Expr) -> bool:
    """Whether a slope of this expression is an extrapolated difference, and not exact to the last digits."""
    stack, seen = [e], set()
    while stack:
        for x in postorder(stack.pop()):
            if x.op in seen or not x.args:
                continue
            seen.add(x.op)
            if x.op.define is not None:
                stack.append(x.op.define(x, *x.args))
            elif differenced(x) or (x.op.real is not None and not hasattr(Interpreter, "op_" + x.op.name)):
                return True
    return False


_STEPS = (1.6e-2, 8e-3, 4e-3, 2e-3, 1e-3)  # each half of the one before, as the extrapolation asks


def along_entries(e: Expr, args: list[Array]) -> Array:
    """An entrywise op by its scalar function; a complex step is a dual number, whose slope is an extrapolated difference."""

    def real(*t: float) -> float:
        return float(e.op.real(*t, **e.op.attributes(e)))

    def slope(k: int, t: tuple[float, ...]) -> float:
        def at(h: float) -> float:
            return real(*t[:k], t[k] + h, *t[k + 1 :])

        best = (math.inf, math.nan)
        for room in (max(abs(t[k]), 0.1) / 32**j for j in range(3)):  # shorter where there is a jump near by
            rows = [(at(s * room) - at(-s * room)) / (2 * s * room) for s in _STEPS]
            for power in range(1, len(rows) - 1):
                rows = [b + (b - a) / (4**power - 1) for a, b in pairwise(rows)]
            last, other = rows[1] + (rows[1] - rows[0]) / (4 ** (len(_STEPS) - 1) - 1), rows[1]
            best = min(best, (abs(last - other), last))
            if best[0] <= 1e-10 * max(1.0, abs(last)):
                break
        return best[1]

    shape = np.broadcast_shapes(*(a.shape for a in args))
    wide = [np.broadcast_to(a, shape) for a in args]
    value = np.vectorize(real, otypes=[float])(*(np.real(w) for w in wide)) if wide[0].size else np.zeros(shape)
    if not any(np.iscomplexobj(w) for w in wide):
        return value
    found = value.astype(complex)
    for at in np.ndindex(shape):
        here = tuple(float(np.real(w[at])) for w in wide)
        found[at] += 1j * sum(np.imag(w[at]) * slope(k, here) for k, w in enumerate(wide) if np.imag(w[at]))
    return found


class Interpreter(Matrices):
    """One forward run. `xp` is numpy or jax.numpy."""

    def __init__(self, xp: Any, sizes: Mapping[str, int], erf: Callable[[Array], Array]) -> None:
        self.xp, self.sizes, self.erf = xp, dict(sizes), erf
        self.largest = 0.0  # magnitude met on the way, for rejecting ill-conditioned draws

    def size(self, d: Dim) -> int:
        return d.value(self.sizes)

    def extents(self, e: Expr) -> tuple[int, ...]:
        return tuple(self.size(d) for d in e.shape)

    def run(self, root: Expr, values: dict[Expr, Array], watch: bool = False) -> Array:
        for e in postorder(root):
            if e not in values:
                found = self.node(e, [values[a] for a in e.args])
                if watch:
                    assert found.shape == self.extents(e), f"{e!r}: shape {found.shape}, declared {self.extents(e)}"
                    self.largest = max(self.largest, float(np.max(np.abs(found), initial=0.0)))
                    if not np.all(np.isfinite(found)):
                        self.largest = math.inf
                values[e] = found
        return values[root]

    def reading(self, e: Expr) -> Callable[..., Array] | None:
        """A reading that comes before all others here."""
        return None

    def node(self, e: Expr, args: list[Array]) -> Array:
        if (own := self.reading(e)) is not None:
            return self.xp.asarray(own(e, *args))
        method = (
            getattr(self, "op_" + e.op.name, None) or self.plain(e, args) or (self.matrix(e) if self.xp is np else None)
        )
        moving = any(np.iscomplexobj(a) for a in args) if self.xp is np else True
        by_numbers = e.op.real is not None and e.args and self.xp is np and not (moving and e.op.define)
        if method is None and by_numbers:  # a function of numbers, entry by entry
            return along_entries(e, [np.asarray(a) for a in args])
        if method is None and e.op.define is not None:  # run as the ops that define it: no kink is straddled
            names = [var(f"·{k}", a.shape) for k, a in enumerate(e.args)]  # of which nothing below is asked
            whole = e.op.define(Expr.make(e.op, tuple(names), e.attrs, e.shape), *names)
            return self.run(whole, dict(zip(names, args, strict=True)))
        if method is None:
            raise NotImplementedError(f"tests/_oracle.py has no reading of the op {e.op.name}: add op_{e.op.name}")
        return self.xp.asarray(method(e, *args))

    def plain(self, e: Expr, args: list[Array]) -> Callable[..., Array] | None:
        """The one function of NumPy or JAX that the op says it is, if that takes complex numbers where there are some."""
        found = _PLAIN.fullmatch(e.op.code) if isinstance(e.op.code, str) else None
        moving = self.xp is np and any(np.iscomplexobj(a) for a in args)
        if found is None or (moving and found[1] in ("abs", "sign", "cbrt")):
            return None
        return lambda _, x: getattr(self.xp, found[1])(x)

    # ---- constants
    def op_const(self, e: Expr) -> Array:
        return self.xp.asarray(float(e.attrs[0]))

    def op_size(self, e: Expr) -> Array:
        return self.xp.asarray(float(self.size(e.attrs[0])))

    def op_pi(self, e: Expr) -> Array:
        return self.xp.asarray(math.pi)

    def op_ones(self, e: Expr) -> Array:
        return self.xp.ones(self.extents(e))

    def op_zeros(self, e: Expr) -> Array:
        return self.xp.zeros(self.extents(e))

    def op_eye(self, e: Expr) -> Array:
        return self.xp.eye(self.size(e.attrs[0]))

    def op_place(self, e: Expr) -> Array:
        total, start, dim = (self.size(d) for d in e.attrs)
        return self.xp.eye(total)[:, start : start + dim]

    def op_unit(self, e: Expr) -> Array:
        total, start = (self.size(d) for d in e.attrs)
        return self.xp.eye(total)[start]

    # ---- arithmetic
    def op_add(self, e: Expr, x: Array, y: Array) -> Array:
        return x + y

    def op_sub(self, e: Expr, x: Array, y: Array) -> Array:
        return x - y

    def op_neg(self, e: Expr, x: Array) -> Array:
        return -x

    def op_smul(self, e: Expr, s: Array, x: Array) -> Array:
        return s * x

    def op_hadamard(self, e: Expr, x: Array, y: Array) -> Array:
        return x * y

    def op_sdiv(self, e: Expr, x: Array, s: Array) -> Array:
        return x / s

    def op_divide(self, e: Expr, x: Array, y: Array) -> Array:
        return x / y

    def op_power(self, e: Expr, x: Array) -> Array:
        exponent = e.attrs[0]
        if exponent.denominator > 1:
            return x ** float(exponent)
        if exponent < 0:
            x, exponent = 1 / x, -exponent
        found = self.xp.ones(self.extents(e))
        for _ in range(int(exponent)):
            found = found * x
        return found

    # ---- entrywise
    def op_exp(self, e: Expr, x: Array) -> Array:
        return self.xp.exp(x)

    def op_log(self, e: Expr, x: Array) -> Array:
        return self.xp.log(x)

    def op_tanh(self, e: Expr, x: Array) -> Array:
        return self.xp.tanh(x)

    def op_sigmoid(self, e: Expr, x: Array) -> Array:
        return (1 + self.xp.tanh(x / 2)) / 2

    def op_step(self, e: Expr, x: Array) -> Array:
        return self.xp.where(self.xp.real(x) > 0, 1.0, 0.0)

    def op_sign(self, e: Expr, x: Array) -> Array:
        return self.xp.sign(self.xp.real(x))

    def op_abs(self, e: Expr, x: Array) -> Array:
        return self.xp.where(self.xp.real(x) < 0, -x, x)

    def op_relu(self, e: Expr, x: Array) -> Array:
        return self.xp.where(self.xp.real(x) > 0, x, 0 * x)

    def op_sqrt(self, e: Expr, x: Array) -> Array:
        return self.xp.sqrt(x)

    def op_sin(self, e: Expr, x: Array) -> Array:
        return self.xp.sin(x)

    def op_cos(self, e: Expr, x: Array) -> Array:
        return self.xp.cos(x)

    def op_softplus(self, e: Expr, x: Array) -> Array:
        up = self.xp.real(x) > 0
        return self.xp.where(up, x, 0 * x) + self.xp.log(1 + self.xp.exp(self.xp.where(up, -x, x)))

    def op_erf(self, e: Expr, x: Array) -> Array:
        return self.erf(x)

    def op_normcdf(self, e: Expr, x: Array) -> Array:
        return (1 + self.erf(x / math.sqrt(2))) / 2

    def op_normpdf(self, e: Expr, x: Array) -> Array:
        return self.xp.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    def op_logabs(self, e: Expr, x: Array) -> Array:
        return self.xp.log(x * x) / 2

    def op_pow(self, e: Expr, x: Array, b: Array) -> Array:
        return self.xp.exp(b * self.xp.log(x))

    def op_pow_each(self, e: Expr, x: Array, b: Array) -> Array:
        return self.xp.exp(b * self.xp.log(x))

    def op_square(self, e: Expr, x: Array) -> Array:
        return x * x

    def op_reciprocal(self, e: Expr, x: Array) -> Array:
        return 1 / x

    # ---- matrices
    def op_matmul(self, e: Expr, a: Array, b: Array) -> Array:
        return self.xp.matmul(a, b)

    def op_matvec(self, e: Expr, a: Array, x: Array) -> Array:
        return self.xp.dot(a, x)

    def op_dot(self, e: Expr, x: Array, y: Array) -> Array:
        return self.xp.dot(x, y)

    def op_inner(self, e: Expr, x: Array, y: Array) -> Array:
        return self.xp.sum(x * y)

    def op_outer(self, e: Expr, u: Array, v: Array) -> Array:
        return u[:, None] * v[None, :]

    def op_transpose(self, e: Expr, a: Array) -> Array:
        return self.xp.swapaxes(a, 0, 1)

    def op_trace(self, e: Expr, a: Array) -> Array:
        return self.xp.trace(a)

    def op_diag(self, e: Expr, x: Array) -> Array:
        return self.xp.diag(x)

    def op_diagvec(self, e: Expr, a: Array) -> Array:
        return self.xp.diagonal(a)

    # ---- sums
    def op_sum_over(self, e: Expr, x: Array) -> Array:
        return self.xp.sum(x, axis=e.attrs[0])

    def op_mean_over(self, e: Expr, x: Array) -> Array:
        return self.xp.mean(x, axis=e.attrs[0])

    def op_norm_sq(self, e: Expr, x: Array) -> Array:
        return self.xp.sum(x * x)

    def op_norm(self, e: Expr, x: Array) -> Array:
        return self.xp.sqrt(self.xp.sum(x * x))

    def op_einsum(self, e: Expr, *factors: Array) -> Array:
        return self.xp.einsum(e.attrs[0], *factors)

    def op_rotate_half(self, e: Expr, x: Array) -> Array:
        first, second = self.xp.split(x, 2, axis=-1)
        return self.xp.concatenate([-second, first], axis=-1)

    # ---- blocks
    def op_concat(self, e: Expr, *blocks: Array) -> Array:
        axis = e.attrs[0]
        wide = [b if b.ndim == e.order else self.xp.expand_dims(b, axis) for b in blocks]
        return self.xp.concatenate(wide, axis=axis)

    def op_slice(self, e: Expr, x: Array) -> Array:
        axis, start, dim = e.attrs[0], self.size(e.attrs[1]), self.size(e.attrs[2])
        return x[(slice(None),) * axis + (slice(start, start + dim),)]

    def op_take(self, e: Expr, x: Array) -> Array:
        return x[(slice(None),) * e.attrs[0] + (self.size(e.attrs[1]),)]

    def op_pad(self, e: Expr, x: Array) -> Array:
        axis, start, total = e.attrs[0], self.size(e.attrs[1]), self.size(e.attrs[2])
        widths = [(0, 0)] * x.ndim
        widths[axis] = (start, total - start - x.shape[axis])
        return self.xp.pad(x, widths)

    # ---- functions with a definition
    def op_defined_map(self, e: Expr, *args: Array) -> Array:
        """The body run as it is written; a derivative by Cauchy's integral, and beside a complex step by one order more."""
        f, orders = e.attrs
        shape = np.broadcast_shapes(*(np.shape(a) for a in args))

        def value(*at: Array) -> Array:
            return self.run(f.body, dict(zip(f.slots, at, strict=True)))

        if not any(orders):
            return value(*args) + self.xp.zeros(shape)
        real = [np.real(a) for a in args]
        found = cauchy(value, orders, real) + np.zeros(shape)
        if any(np.iscomplexobj(a) for a in args):
            raised = [tuple(k + (i == j) for j, k in enumerate(orders)) for i in range(len(args))]
            found = found + 1j * sum(np.imag(a) * cauchy(value, r, real) for a, r in zip(args, raised, strict=True))
        return found

    # ---- structure
    def numbers(self, data: Any) -> Any:
        """Data of a node as numbers."""
        if isinstance(data, tuple):
            return tuple(map(self.numbers, data))
        return self.size(data) if isinstance(data, Dim) else data

    def op_exchange(self, e: Expr) -> Array:
        return self.xp.flipud(self.xp.eye(self.size(e.attrs[0])))

    def op_cyclic(self, e: Expr) -> Array:
        n, shift = self.numbers(e.attrs)
        return self.xp.roll(self.xp.eye(n), shift, axis=0)

    def op_flat(self, e: Expr) -> Array:
        dims = self.numbers(e.attrs[0])
        return self.xp.eye(math.prod(dims)).reshape((-1, *dims))

    def op_step_place(self, e: Expr) -> Array:
        total, start, dim, step = self.numbers(e.attrs)
        return self.xp.eye(total)[:, start::step][:, :dim]

    def op_window(self, e: Expr) -> Array:
        whole, count, width, stride, dilation, padding = self.numbers(e.attrs)
        wide = self.xp.pad(self.xp.eye(whole), ((padding, padding), (0, 0)))
        return self.xp.stack([wide[t * stride :: dilation][:width] for t in range(count)])

    def op_lower(self, e: Expr) -> Array:
        return self.xp.tri(*self.numbers(e.attrs), dtype=float)

    def op_reshape(self, e: Expr, x: Array) -> Array:
        return self.xp.reshape(x, self.extents(e))

    def op_vec(self, e: Expr, a: Array) -> Array:
        return self.xp.concatenate([a[:, j] for j in range(a.shape[1])])

    def op_unvec(self, e: Expr, x: Array) -> Array:
        m, n = self.extents(e)
        return self.xp.stack([x[j * m : (j + 1) * m] for j in range(n)], axis=1)

    def op_commut(self, e: Expr) -> Array:
        m, n = self.numbers(e.attrs)
        units = [np.eye(m * n)[k].reshape((m, n), order="F") for k in range(m * n)]
        return self.xp.asarray(np.stack([u.T.ravel(order="F") for u in units], axis=1))

    def op_permute(self, e: Expr, x: Array) -> Array:
        return self.xp.transpose(x, e.attrs[0])

    def op_broadcast(self, e: Expr, x: Array) -> Array:
        return self.xp.broadcast_to(self.xp.expand_dims(x, e.attrs[0]), self.extents(e))

    def op_repeat(self, e: Expr, x: Array) -> Array:
        axis, times = self.numbers(e.attrs)
        return self.xp.repeat(x, times, axis=axis)

    def op_tile(self, e: Expr, x: Array) -> Array:
        axis, times = self.numbers(e.attrs)
        return self.xp.tile(x, [times if k == axis else 1 for k in range(x.ndim)])

    def op_stack(self, e: Expr, *parts: Array) -> Array:
        return self.xp.stack(parts, axis=e.attrs[0])

    def op_tril(self, e: Expr, a: Array) -> Array:
        return self.xp.tril(a, self.size(e.attrs[0]))

    def op_triu(self, e: Expr, a: Array) -> Array:
        return self.xp.triu(a, self.size(e.attrs[0]))

    def op_phi(self, e: Expr, a: Array) -> Array:
        return self.xp.tril(a, -1) + self.xp.diag(self.xp.diagonal(a)) / 2

    def op_sym(self, e: Expr, a: Array) -> Array:
        return (a + self.xp.swapaxes(a, 0, 1)) / 2

    def op_skew(self, e: Expr, a: Array) -> Array:
        return (a - self.xp.swapaxes(a, 0, 1)) / 2

    def op_kron(self, e: Expr, a: Array, b: Array) -> Array:
        return self.xp.kron(a, b)

    def op_flip(self, e: Expr, x: Array) -> Array:
        return self.xp.flip(x, axis=e.attrs[0])

    def op_roll(self, e: Expr, x: Array) -> Array:
        axis, shift = self.numbers(e.attrs)
        return self.xp.roll(x, shift, axis=axis)

    def op_cumsum(self, e: Expr, x: Array) -> Array:
        return self.xp.cumsum(x, axis=e.attrs[0])

    def op_revcumsum(self, e: Expr, x: Array) -> Array:
        return self.xp.sum(x, axis=e.attrs[0], keepdims=True) - self.xp.cumsum(x, axis=e.attrs[0]) + x

    def op_strided(self, e: Expr, x: Array) -> Array:
        axis, start, dim, step = self.numbers(e.attrs)
        return x[(slice(None),) * axis + (slice(start, start + step * (dim - 1) + 1, step),)]

    def op_spaced(self, e: Expr, x: Array) -> Array:
        axis, start, total, step = self.numbers(e.attrs)
        columns = self.xp.eye(total)[start::step][: x.shape[axis]]
        return self.xp.moveaxis(self.xp.tensordot(x, columns, axes=([axis], [0])), -1, axis)

    def selected(self, x: Array, axes: tuple[int, ...], sign: int) -> Array:
        """1 at the first of the largest entries, by a running search in reading order."""
        real = sign * np.real(np.asarray(x))
        found = np.zeros(real.shape)
        rest = [range(n) if k not in axes else (slice(None),) for k, n in enumerate(real.shape)]
        for at in np.ndindex(*[len(r) for r in rest]):
            where = tuple(r[i] for r, i in zip(rest, at, strict=True))
            part = real[where]
            one = np.zeros(part.shape)
            one.flat[list(part.flat).index(max(part.flat))] = 1
            found[where] = one
        return self.xp.asarray(found)

    def op_hardmax(self, e: Expr, x: Array) -> Array:
        return self.selected(x, e.attrs[0], 1)

    def op_hardmin(self, e: Expr, x: Array) -> Array:
        return self.selected(x, e.attrs[0], -1)

    def op_max_over(self, e: Expr, x: Array) -> Array:
        if self.xp is not np:
            return self.xp.max(x, axis=e.attrs[0])
        return np.sum(self.selected(x, e.attrs[0], 1) * x, axis=e.attrs[0])

    def op_min_over(self, e: Expr, x: Array) -> Array:
        if self.xp is not np:
            return self.xp.min(x, axis=e.attrs[0])
        return np.sum(self.selected(x, e.attrs[0], -1) * x, axis=e.attrs[0])

    def op_one_hot(self, e: Expr, y: Array) -> Array:
        return self.xp.eye(self.size(e.attrs[0]))[self.xp.real(y).astype(int)]

    def op_gather(self, e: Expr, table: Array, idx: Array) -> Array:
        return table[self.xp.real(idx).astype(int)]

    def op_scatter(self, e: Expr, rows: Array, idx: Array) -> Array:
        total = self.size(e.attrs[0])
        flat = rows.reshape((-1, *rows.shape[idx.ndim :]))
        names = np.real(np.asarray(idx)).astype(int).ravel()
        return self.xp.stack(
            [sum((r for i, r in zip(names, flat, strict=True) if i == k), 0 * flat[0]) for k in range(total)]
        )

    def op_pick(self, e: Expr, x: Array, y: Array) -> Array:
        rows, places = x.reshape((-1, x.shape[-1])), self.xp.real(y).astype(int).reshape(-1)
        return self.xp.stack([row[k] for row, k in zip(rows, places, strict=True)]).reshape(y.shape)

    def op_var_over(self, e: Expr, x: Array) -> Array:
        axes, ddof = e.attrs
        count = math.prod(x.shape[k] for k in axes)
        mean = self.xp.sum(x, axis=axes, keepdims=True) / count
        return self.xp.sum((x - mean) ** 2, axis=axes) / (count - ddof)

    def op_std_over(self, e: Expr, x: Array) -> Array:
        return self.xp.sqrt(self.op_var_over(e, x))

    def op_prod_over(self, e: Expr, x: Array) -> Array:
        return self.xp.prod(x, axis=e.attrs[0])

    def op_prod_except(self, e: Expr, x: Array) -> Array:
        """Entry by entry: the product of the entries of its line that are not named, 0 if one is named twice."""
        axes, times = e.attrs
        spans, last = [x.shape[k] for k in axes], range(-len(axes), 0)
        size = int(np.prod(spans))
        lines = self.xp.moveaxis(x, axes, last).reshape((*(n for k, n in enumerate(x.shape) if k not in axes), size))
        found = []
        for named in np.ndindex(*[size] * times):
            rest = [k for k in range(size) if k not in named]
            found.append(self.xp.prod(lines[..., rest], axis=-1) * (len(set(named)) == times))
        whole = self.xp.stack(found, axis=-1).reshape((*lines.shape[:-1], *spans * times))
        first = lines.ndim - 1
        return self.xp.moveaxis(whole, range(first, first + len(axes)), axes)

    def op_unfold(self, e: Expr, x: Array) -> Array:
        axis, width, stride, padding, dilation, count = self.numbers(e.attrs)
        widths = [(0, 0)] * x.ndim
        widths[axis] = (padding, padding)
        wide = self.xp.moveaxis(self.xp.pad(x, widths), axis, 0)
        windows = [wide[t * stride : t * stride + dilation * (width - 1) + 1 : dilation] for t in range(count)]
        return self.xp.moveaxis(self.xp.moveaxis(self.xp.stack(windows), 1, -1), 0, axis)

    def op_fold(self, e: Expr, y: Array) -> Array:
        axis, whole, stride, padding, dilation = self.numbers(e.attrs)
        count, width = y.shape[axis], y.shape[-1]
        moved = self.xp.moveaxis(y, axis, 0)
        parts = []
        for s in range(whole):
            hits = [
                moved[t, ..., k] for t in range(count) for k in range(width) if t * stride + k * dilation - padding == s
            ]
            parts.append(sum(hits, 0 * moved[0, ..., 0]))
        return self.xp.moveaxis(self.xp.stack(parts), 0, axis)

    def op_conv1d(self, e: Expr, x: Array, w: Array) -> Array:
        return self.correlated(e, x, w)

    def op_conv2d(self, e: Expr, x: Array, w: Array) -> Array:
        return self.correlated(e, x, w)

    def correlated(self, e: Expr, x: Array, w: Array) -> Array:
        """The sum over the entries of the kernel, each times a shifted and thinned out copy of the argument."""
        stride, padding, dilation, groups, count = self.numbers(e.attrs)
        n = len(stride)
        x = self.xp.pad(x, [(0, 0)] * (x.ndim - n) + [(p, p) for p in padding])
        each_in, each_out = w.shape[1], w.shape[0] // groups
        out = []
        for o in range(w.shape[0]):
            first = o // each_out * each_in
            total = 0
            for c in range(each_in):
                for at in np.ndindex(*w.shape[2:]):
                    cut = tuple(
                        slice(k * d, k * d + a * (t - 1) + 1, a)
                        for k, d, a, t in zip(at, dilation, stride, count, strict=True)
                    )
                    total = total + w[(o, c, *at)] * x[(..., first + c, *cut)]
            out.append(total)
        return self.xp.stack(out, axis=-n - 1)

    def pooled(self, e: Expr, x: Array, data: dict[str, Any]) -> Array:
        """The windows along the last axes, entry by entry of the window."""
        count, stride, dilation, width = data["count"], data["stride"], data["dilation"], data["width"]
        n = len(width)
        x = self.xp.pad(x, [(0, 0)] * (x.ndim - n) + [(p, p) for p in data["padding"]])
        found = []
        for at in np.ndindex(*width):
            cut = tuple(
                slice(k * d, k * d + a * (t - 1) + 1, a) for k, d, a, t in zip(at, dilation, stride, count, strict=True)
            )
            found.append(x[(..., *cut)])
        return self.xp.stack(found)

    def op_avgpool1d(self, e: Expr, x: Array) -> Array:
        width, stride, padding, count = self.numbers(e.attrs)
        data = {"width": width, "stride": stride, "padding": padding, "count": count, "dilation": (1,) * len(width)}
        return self.xp.sum(self.pooled(e, x, data), axis=0) / math.prod(width)

    def op_maxpool1d(self, e: Expr, x: Array) -> Array:
        width, stride, dilation, count = self.numbers(e.attrs)
        data = {"width": width, "stride": stride, "padding": (0,) * len(width), "count": count, "dilation": dilation}
        windows = self.pooled(e, x, data)
        if self.xp is not np:
            return self.xp.max(windows, axis=0)
        return np.sum(self.selected(windows, (0,), 1) * windows, axis=0)

    op_avgpool2d, op_maxpool2d = op_avgpool1d, op_maxpool1d

    # ---- unknown functions
    def op_free_map(self, e: Expr, *args: Array) -> Array:
        name, orders = e.attrs
        return map_derivative(self.xp, name, orders, args)

    def op_free_function(self, e: Expr, *args: Array) -> Array:
        name, slots, out = e.attrs
        return tensor_function(self.xp, name, tuple(self.size(d) for d in out), slots)(*args)

    # ---- names: a name that is not bound has no reading
    def op_var(self, e: Expr) -> Array:
        raise KeyError(f"{e.attrs[0]} ({e.attrs[1]}) has no value")


# ---- the functions that stand for unknown ones -------------------------------------------------------------


def _phase(name: str) -> float:
    return 0.2 + 0.1 * (sum(map(ord, name)) % 7)


def cauchy(
    f: Callable[..., Array], orders: tuple[int, ...], args: list[Array], radius: float = 0.15, points: int = 32
) -> Array:
    """∂^orders f at real arguments: the mean of f around small circles, for analytic f."""
    moved = [k for k, order in enumerate(orders) if order]
    circle = np.exp(2j * math.pi * np.arange(points) / points)
    total = 0.0
    for at in product(range(points), repeat=len(moved)):
        weight = math.prod(
            math.factorial(orders[k]) * (circle[i] * radius) ** -orders[k] / points
            for k, i in zip(moved, at, strict=True)
        )
        shift = dict(zip(moved, (radius * circle[i] for i in at), strict=True))
        total = total + weight * f(*(a + shift.get(k, 0.0) for k, a in enumerate(args)))
    return np.real(total)


def map_derivative(xp: Any, name: str, orders: tuple[int, ...], args: tuple[Array, ...]) -> Array:
    """sin(Σ cᵢ xᵢ + phase), or a derivative of it."""
    rates = [0.7 + 0.15 * i + _phase(name) / 3 for i in range(len(args))]
    inside = _phase(name) + sum(c * x for c, x in zip(rates, args, strict=True))
    scale = math.prod(c**k for c, k in zip(rates, orders, strict=True))
    return scale * xp.sin(inside + math.pi / 2 * sum(orders))


def _weights(name: str, slot: int, shape: tuple[int, ...], out: tuple[int, ...]) -> Array:
    count, rows = math.prod(shape), math.prod(out)
    table = np.cos(_phase(name) + np.arange(rows * count) * 0.7 + slot).reshape((*out, *shape))
    return table / max(1, count) ** 0.5


def tensor_function(xp: Any, name: str, out: tuple[int, ...], slots: tuple[int, ...] = ()) -> Callable[..., Array]:
    """sin(phase + W · x + V · y) in every entry, with fixed weights; with `slots`, its derivative in those arguments."""

    def g(*args: Array) -> Array:
        total = _phase(name)
        for k, x in enumerate(args):
            w = _weights(name, k, x.shape, out)
            total = total + (xp.tensordot(w, x, axes=x.ndim) if x.ndim else w * x)
        found = xp.sin(total + math.pi / 2 * len(slots))
        for k in slots:  # each derivative multiplies by the weights and appends the axes of its argument
            w = _weights(name, k, args[k].shape, out)
            middle = found.ndim - len(out)
            found = found.reshape(found.shape + (1,) * args[k].ndim)
            found = found * w.reshape(out + (1,) * middle + args[k].shape)
        return found

    return g


def tensor_gradient(name: str) -> Callable[..., Any]:
    """The gradient of the scalar `tensor_function(name, ())` in every argument."""

    def dg(*args: Array) -> Any:
        total = _phase(name) + sum(np.sum(_weights(name, k, np.shape(x), ()) * x) for k, x in enumerate(args))
        found = tuple(np.cos(total) * _weights(name, k, np.shape(x), ()) for k, x in enumerate(args))
        return found if len(args) > 1 else found[0]

    return dg


def ours(program: RandomProgram) -> dict[str, Any]:
    """The unknown functions in the form that `code.numpy.evaluate` takes; some with derivatives, some without."""
    found: dict[str, Any] = {}
    for e in {x for _, value in program.equations for x in postorder(value)}:
        if e.op.name == "free_map":
            name, orders = e.attrs
            f = _map_of(name, orders)
            found[name] = (f, _map_of(name, (1,))) if len(orders) == 1 else f
        elif e.op.name == "free_function":
            name, _, out = e.attrs
            g = tensor_function(np, name, tuple(d.value(SIZES) for d in out))
            found[name] = g if out else (g, tensor_gradient(name))
    return found


def _map_of(name: str, orders: tuple[int, ...]) -> Callable[..., Array]:
    return lambda *args: map_derivative(np, name, orders, args)


# ---- running programs --------------------------------------------------------------------------------------


def draw_inputs(program: RandomProgram, seed: int) -> dict[Expr, Array]:
    rng = np.random.default_rng(seed)
    names = [*program.inputs, *([program.seed] if program.seed is not None else [])]
    drawn = {v: rng.uniform(0.2, 1.3, [d.value(SIZES) for d in v.shape]) * rng.choice([-1, 1], [d.value(SIZES) for d in v.shape])
             for v in names}  # fmt: skip
    return {v: np.floor(abs(x) * 97 % program.places[v]) if v in program.places else x for v, x in drawn.items()}


def prove(program: RandomProgram) -> Derivation:
    """Derived, every step checked, FINAL confirmed. Raises what the house raises."""
    definitions = [Definition(v, e) for v, e in program.equations]
    d = derive(definitions, program.inputs, program.target, program.wrt, seed=program.seed)
    memo = Memo()
    d.steps = [check(s, memo) for s in d.steps]
    assert all(s.evidence for s in d.steps)
    stop = next(k for k, (v, _) in enumerate(program.equations) if v is program.target)
    confirm(Problem(
        forward=program.equations[: stop + 1],
        helpers=[(q.var, q.value) for q in d.core.equations if q.auxiliary],
        backward=[(b.of, b.value) for b in d.backward],
        target=d.target, seed=d.seed, inputs=d.inputs,
        probed=[b.of for b in d.backward if not b.auxiliary],
    ))  # fmt: skip
    return d


def forward(program: RandomProgram, point: Mapping[Expr, Array]) -> tuple[float, float, Interpreter]:
    """(value of the objective, largest magnitude met): NumPy only, every shape checked against the declared one."""
    run = Interpreter(np, SIZES, np.vectorize(math.erf, otypes=[float]))
    values = dict(point)
    with np.errstate(all="ignore"):
        for v, e in program.equations:
            values[v] = run.run(e, values, watch=True)
            if v is program.target:
                break
    value = values[program.target]
    return float(np.sum(value * point[program.seed]) if program.seed is not None else value), run.largest, run


def slope(program: RandomProgram, point: Mapping[Expr, Array], directions: Mapping[Expr, Array]) -> float:
    """The directional derivative of the objective by a complex step."""
    run = Interpreter(np, SIZES, _erf_complex)
    step = 1e-40
    values: dict[Expr, Array] = {v: x + 1j * step * directions[v] if v in directions else x for v, x in point.items()}
    with np.errstate(all="ignore"):
        for v, e in program.equations:
            values[v] = run.run(e, values)
            if v in directions:
                values[v] = values[v] + 1j * step * directions[v]
            if v is program.target:
                break
    value = values[program.target]
    if program.seed is not None:
        value = np.sum(value * point[program.seed])
    return float(np.imag(value) / step)


def reference(program: RandomProgram, point: Mapping[Expr, Array]) -> dict[str, Array]:
    """The gradients by JAX in float64."""
    import jax
    from _jax_readings import reading as by_jax
    from jax.scipy.special import erf

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def objective(moving: dict[str, Array]) -> Array:
        run = Interpreter(jnp, SIZES, erf)
        run.reading = by_jax
        values = {
            v: moving[v.attrs[0]] if v.attrs[0] in moving else x if v in program.places else jnp.asarray(x)
            for v, x in point.items()
        }
        for v, e in program.equations:
            values[v] = run.run(e, values)
            if v.attrs[0] in moving:
                values[v] = values[v] + moving[v.attrs[0]]
            if v is program.target:
                break
        value = values[program.target]
        return jnp.sum(value * point[program.seed]) if program.seed is not None else value

    zeros = {v.attrs[0]: jnp.zeros([d.value(SIZES) for d in v.shape]) for v in program.wrt}
    start = {v.attrs[0]: jnp.asarray(point[v]) if v in point else zeros[v.attrs[0]] for v in program.wrt}
    return {name: np.asarray(g) for name, g in jax.jit(jax.grad(objective))(start).items()}
