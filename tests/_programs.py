"""Random programs over every op of this version: several equations, shared parts, every axis with its own symbol.

Everything is drawn from one `random.Random`, so that a seed is a program and hypothesis can shrink one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from random import Random

from pullback.algebra import ops
from pullback.algebra.dims import Dim, Shape
from pullback.algebra.expr import Expr, postorder
from pullback.algebra.op import REGISTRY
from pullback.algebra.ops.arithmetic import power, rational, size_of, smul
from pullback.algebra.ops.free import free_function, free_map, is_name, var
from pullback.algebra.ops.matrix import diag, diagvec, dot, eye, inner, outer, trace
from pullback.algebra.ops.reduction import mean_over, norm, norm_sq, sum_over
from pullback.algebra.ops.structure import concat, einsum, ones, pad, slice_of, take, zeros

assert ops

SYMBOLS = ("k", "m", "n", "p", "q")
LETTERS = "abcdefghijkl"
HALF = Fraction(1, 2)
SMOOTH = ("tanh", "sigmoid", "sin", "cos", "softplus", "erf", "square", "relu", "step", "exp")


@dataclass
class RandomProgram:
    """The user's equations, what is asked, and the gradient given for a target that is no scalar."""

    equations: list[tuple[Expr, Expr]]
    inputs: list[Expr]
    target: Expr
    seed: Expr | None
    wrt: list[Expr]
    free: dict[str, str] = field(default_factory=dict)  # unknown functions: "map" or "function"
    places: dict[Expr, int] = field(default_factory=dict)  # names of whole numbers, and what they stay below

    def __repr__(self) -> str:
        lines = [f"{v.attrs[0]} = {spell(e)}" for v, e in self.equations]
        shapes = ", ".join(f"{v.attrs[0]}({', '.join(map(str, v.shape))})" for v in self.inputs)
        seed = f"; given the gradient of {self.target.attrs[0]}" if self.seed is not None else ""
        asked = ", ".join(v.attrs[0] for v in self.wrt)
        return "\n".join([f"inputs: {shapes}", *lines, f"gradient of {self.target.attrs[0]} in {asked}{seed}"])


def spell(e: Expr) -> str:
    """The expression as a call: `matmul(A, transpose(B))`; does not use the printer under test."""
    done: dict[Expr, str] = {}
    for x in postorder(e):
        if is_name(x):
            kind = {"value": "", "d": "d ", "grad": "∇"}.get(x.attrs[1], x.attrs[1] + " ")
            done[x] = kind + x.attrs[0]
            continue
        data = [f"{n}={_plain(a)}" for n, a in zip(x.op.attr_names, x.attrs, strict=True)]
        done[x] = f"{x.op.name}({', '.join([*(done[a] for a in x.args), *data])})"
    return done[e]


def _plain(a: object) -> str:
    return f"({', '.join(map(str, a))})" if isinstance(a, tuple) else str(a)


class Writer:
    """Grows expressions of a wanted shape from names, new inputs and parts that exist already."""

    def __init__(self, random: Random, symbols: Sequence[str] = SYMBOLS, most: int = 3) -> None:
        self.random = random
        self.symbols = [Dim.symbol(s) for s in symbols]
        self.most = most  # axes of an input
        self.inputs: list[Expr] = []
        self.names: list[Expr] = []
        self.parts: list[Expr] = []  # for sharing
        self.free: dict[str, str] = {}
        self.places: dict[Expr, int] = {}
        self.kinds: dict[str, tuple[object, ...]] = {}

    # ---- choices

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def pick(self, choices: Sequence[object]) -> object:
        return choices[self.random.randrange(len(choices))]

    def dim(self) -> Dim:
        d: Dim = self.pick(self.symbols)  # type: ignore[assignment]
        if self.chance(88):
            return d
        other: Dim = self.pick(self.symbols)  # type: ignore[assignment]
        return self.pick([d + Dim.number(1), d + other, d - Dim.number(1), d * Dim.number(2), Dim.number(3)])  # type: ignore[return-value]

    def shape(self, most: int | None = None) -> Shape:
        order = self.pick([0, 1, 1, 1, 2, 2, 2, 2, 3, 4][: 10 if most is None else 8])
        return tuple(self.dim() for _ in range(int(order)))  # type: ignore[call-overload]

    # ---- leaves

    def leaf(self, shape: Shape) -> Expr:
        known = [v for v in [*self.names, *self.names, *self.inputs] if v.shape == shape]
        if known and self.chance(75):
            return self.pick(known)  # type: ignore[return-value]
        if self.chance(6):
            return (
                ones(shape) if shape else rational(Fraction(self.random.randrange(1, 8), self.random.randrange(1, 5)))
            )
        if not shape and self.chance(15):
            return self.pick([size_of(self.dim()), REGISTRY["pi"](), rational(HALF), rational(-2)])  # type: ignore[return-value]
        if len(shape) == 2 and shape[0] == shape[1] and self.chance(10):
            return eye(dim=shape[0])
        if self.chance(2):
            return zeros(shape) if shape else rational(0)
        v = var(f"x{len(self.inputs) + 1}", shape)
        self.inputs.append(v)
        return v

    # ---- inner nodes

    def grow(self, shape: Shape, depth: int) -> Expr:
        """An expression of this shape."""
        shared = [e for e in self.parts if e.shape == shape]
        if shared and self.chance(25):
            return self.pick(shared)  # type: ignore[return-value]
        if depth <= 0:
            return self.leaf(shape)
        makers = [*self.everywhere(), *self.here(len(shape), shape)]
        e: Expr = self.pick(makers)(shape, depth - 1)  # type: ignore[operator]
        assert e.shape == shape, (spell(e), shape)
        self.parts.append(e)
        return e

    def everywhere(self) -> list[Callable[[Shape, int], Expr]]:
        return [
            self.leaf_again, self.sum_of, self.difference, self.minus, self.scaled, self.product, self.product,
            self.quotient, self.by_scalar, self.integer_power, self.any_power, self.function, self.function,
            self.positive, self.guarded, self.free_map, self.index_sum, self.index_sum, self.sliced, self.taken,
            self.summed, self.averaged, self.free_function,
        ]  # fmt: skip

    def here(self, order: int, shape: Shape) -> list[Callable[[Shape, int], Expr]]:
        found: list[Callable[[Shape, int], Expr]] = []
        if order == 0:
            found += [self.dot, self.inner, self.trace, self.norm_sq, self.norm, self.total]
        if order == 1:
            found += [self.matvec, self.matvec, self.diagvec]
        if order == 2:
            found += [self.matmul, self.matmul, self.matmul, self.outer, self.transpose, self.transpose]
            if shape[0] == shape[1]:
                found += [self.diag, self.diag]
        if order and any(len(d.terms) > 1 or d.constant for d in shape):
            found += [self.concat] * 3
        if order:
            found += [self.padded]
        return found

    def leaf_again(self, shape: Shape, depth: int) -> Expr:
        return self.leaf(shape)

    def sum_of(self, s: Shape, k: int) -> Expr:
        return self.grow(s, k) + self.grow(s, k)

    def difference(self, s: Shape, k: int) -> Expr:
        return self.grow(s, k) - self.grow(s, k)

    def minus(self, s: Shape, k: int) -> Expr:
        return -self.grow(s, k)

    def scaled(self, s: Shape, k: int) -> Expr:
        return smul(self.grow((), k), self.grow(s, k))

    def product(self, s: Shape, k: int) -> Expr:
        return self.grow(s, k) * self.grow(s, k)

    def quotient(self, s: Shape, k: int) -> Expr:
        return self.grow(s, k) / self.positive(s, k)

    def by_scalar(self, s: Shape, k: int) -> Expr:
        return REGISTRY["sdiv"](self.grow(s, k), self.positive((), k))

    def integer_power(self, s: Shape, k: int) -> Expr:
        return self.grow(s, k) ** int(self.pick([0, 1, 2, 2, 3]))  # type: ignore[call-overload]

    def any_power(self, s: Shape, k: int) -> Expr:
        exponent = self.pick([Fraction(-1), Fraction(-2), HALF, -HALF, Fraction(3, 2), Fraction(-1, 3)])
        return power(self.positive(s, k), exponent=exponent)

    def function(self, s: Shape, k: int) -> Expr:
        name = self.pick(SMOOTH)
        x = self.grow(s, k)
        return REGISTRY[str(name)](self.tame(x) if name == "exp" else x)

    def tame(self, x: Expr) -> Expr:
        """Bounded, so that an exponential of it stays small."""
        return REGISTRY[str(self.pick(["tanh", "sin", "erf"]))](x) if x.args else x

    def positive(self, s: Shape, k: int) -> Expr:
        """Greater than zero for all values of the inputs."""
        x = self.grow(s, k)
        form = self.random.randrange(5)
        if form == 0:
            return 1 + REGISTRY["square"](x)
        if form == 1:
            return REGISTRY["exp"](self.tame(x))
        if form == 2:
            return rational(2) + REGISTRY["sin"](x)
        if form == 3:
            return rational(HALF) + x**2
        return REGISTRY["softplus"](self.tame(x)) + rational(1)

    def guarded(self, s: Shape, k: int) -> Expr:
        """A function with a domain, inside of it."""
        return REGISTRY[str(self.pick(["log", "sqrt", "reciprocal"]))](self.positive(s, k))

    def unknown(self, names: Sequence[str], kind: tuple[object, ...]) -> str | None:
        """A name for an unknown function of this kind; a name has one kind in a program."""
        fit = [n for n in names if self.kinds.get(n, kind) == kind]
        if not fit:
            return None
        name = str(self.pick(fit))
        self.kinds[name] = kind
        self.free[name] = str(kind[0])
        return name

    def free_map(self, s: Shape, k: int) -> Expr:
        count = int(self.pick([1, 1, 1, 2]))  # type: ignore[call-overload]
        name = self.unknown(("f", "φ") if count == 1 else ("h2", "ψ"), ("map", count))
        return free_map(str(name), *(self.grow(s, k) for _ in range(count)))

    def free_function(self, s: Shape, k: int) -> Expr:
        shapes = [self.shape(2) for _ in range(int(self.pick([1, 1, 2])))]  # type: ignore[call-overload]
        if len(s) + max(map(len, shapes)) > 4:
            return self.leaf(s)
        kind = ("function", s, tuple(shapes))
        name = self.unknown(("loss", "energy", "risk") if not s else ("g", "G2", "G3"), kind)
        return free_function(name, s, *(self.grow(t, k) for t in shapes)) if name else self.leaf(s)

    def index_sum(self, s: Shape, k: int) -> Expr:
        """An einsum with up to three factors; letters may repeat in a factor or stand in one factor only."""
        out = LETTERS[: len(s)]
        dims = dict(zip(out, s, strict=True))
        for c in LETTERS[len(s) : len(s) + self.random.randrange(3)]:
            dims[c] = self.dim()
        count = self.random.randrange(1, 4)
        slots = [""] * count
        for c in dims:
            for j in sorted(self.random.sample(range(count), self.random.randrange(1, count + 1))):
                if len(slots[j]) < self.most + 1:
                    slots[j] += c
            if not any(c in t for t in slots):
                return self.leaf(s)
        if self.chance(12):  # a diagonal: the same letter twice in one factor
            j = self.random.randrange(count)
            if slots[j] and len(slots[j]) < 4:
                slots[j] += str(self.pick(slots[j]))
        for j in range(count):
            letters = list(slots[j])
            self.random.shuffle(letters)
            slots[j] = "".join(letters)
        factors = [self.grow(tuple(dims[c] for c in t), k - 1) for t in slots]
        return einsum(",".join(slots) + "->" + out, *factors)

    def sliced(self, s: Shape, k: int) -> Expr:
        if not s:
            return self.taken(s, k)
        axis = self.random.randrange(len(s))
        extra: Dim = self.pick([Dim.number(1), Dim.number(2), self.pick(self.symbols)])  # type: ignore[assignment]
        start: Dim = self.pick([Dim.number(0), extra, Dim.number(1)])  # type: ignore[assignment]
        whole = (*s[:axis], s[axis] + extra, *s[axis + 1 :])
        return slice_of(self.grow(whole, k), axis, start, s[axis])

    def taken(self, s: Shape, k: int) -> Expr:
        if len(s) >= 4:
            return self.leaf(s)
        axis = self.random.randrange(len(s) + 1)
        d = self.dim()
        start: Dim = self.pick([Dim.number(0), d - Dim.number(1), Dim.number(0)])  # type: ignore[assignment]
        return take(self.grow((*s[:axis], d, *s[axis:]), k), axis=axis, start=start)

    def padded(self, s: Shape, k: int) -> Expr:
        axis = self.random.randrange(len(s))
        inside = s[axis] - Dim.number(1)
        if s[axis].constant is not None or (
            len(s[axis].terms) > 1 and not any(not m and c > 0 for m, c in s[axis].terms)
        ):
            return self.leaf(s)
        start: Dim = self.pick([Dim.number(0), Dim.number(1)])  # type: ignore[assignment]
        part = (*s[:axis], inside, *s[axis + 1 :])
        return pad(self.grow(part, k), axis=axis, start=start, total=s[axis])

    def concat(self, s: Shape, k: int) -> Expr:
        axis: int = self.pick([i for i, d in enumerate(s) if len(d.terms) > 1 or d.constant])  # type: ignore[assignment]
        widths: list[Dim | None] = []
        for m, c in s[axis].terms:
            if c < 0:
                return self.leaf(s)
            widths += [None if not m else Dim({m: 1})] * c
        self.random.shuffle(widths)
        blocks = []
        for w in widths:
            rest = (*s[:axis], *s[axis + 1 :])
            if w is None and self.chance(80):  # a block without the axis is one entry wide
                blocks.append(self.grow(rest, k))
            else:
                wide = w or Dim.number(1)
                blocks.append(self.grow((*s[:axis], wide, *s[axis + 1 :]), k))
        e = concat(axis, *blocks)
        return e if e.shape == s else self.leaf(s)

    def wider(self, s: Shape) -> tuple[Shape, tuple[int, ...]]:
        """A shape with more axes, and which of them are new."""
        more = 1 if len(s) >= 3 else self.random.randrange(1, 3)
        axes: tuple[int, ...] = self.pick(list(combinations(range(len(s) + more), more)))  # type: ignore[assignment]
        old = iter(s)
        return tuple(self.dim() if i in axes else next(old) for i in range(len(s) + more)), axes

    def summed(self, s: Shape, k: int) -> Expr:
        if len(s) >= 4:
            return self.leaf(s)
        whole, axes = self.wider(s)
        return sum_over(self.grow(whole, k), axes=axes)

    def averaged(self, s: Shape, k: int) -> Expr:
        if len(s) >= 4:
            return self.leaf(s)
        whole, axes = self.wider(s)
        return mean_over(self.grow(whole, k), axes=axes)

    def dot(self, s: Shape, k: int) -> Expr:
        v = (self.dim(),)
        return dot(self.grow(v, k), self.grow(v, k))

    def inner(self, s: Shape, k: int) -> Expr:
        v = self.shape()
        return inner(self.grow(v, k), self.grow(v, k))

    def trace(self, s: Shape, k: int) -> Expr:
        d = self.dim()
        return trace(self.grow((d, d), k))

    def norm_sq(self, s: Shape, k: int) -> Expr:
        return norm_sq(self.grow(self.shape(), k))

    def norm(self, s: Shape, k: int) -> Expr:
        return norm(self.positive(self.shape(2), k))

    def total(self, s: Shape, k: int) -> Expr:
        v = self.shape()
        return sum_over(self.grow(v, k), axes=tuple(range(len(v))))

    def matvec(self, s: Shape, k: int) -> Expr:
        d = self.dim()
        return self.grow((s[0], d), k) @ self.grow((d,), k)

    def diagvec(self, s: Shape, k: int) -> Expr:
        return diagvec(self.grow((s[0], s[0]), k))

    def matmul(self, s: Shape, k: int) -> Expr:
        d = self.dim()
        return self.grow((s[0], d), k) @ self.grow((d, s[1]), k)

    def outer(self, s: Shape, k: int) -> Expr:
        return outer(self.grow((s[0],), k), self.grow((s[1],), k))

    def transpose(self, s: Shape, k: int) -> Expr:
        return self.grow((s[1], s[0]), k).T

    def diag(self, s: Shape, k: int) -> Expr:
        return diag(self.grow((s[0],), k))


def random_program(random: Random, depth: int = 3, writer: type[Writer] | None = None) -> RandomProgram:
    """One to four equations; the last is a scalar, or a tensor with its gradient given."""
    w = (writer or Writer)(random)
    equations: list[tuple[Expr, Expr]] = []
    for j in range(random.randrange(1, 5)):
        v_shape = w.shape()
        value = w.grow(v_shape, random.randrange(1, depth + 1))
        v = var(f"y{j + 1}", v_shape)
        equations.append((v, value))
        w.names.append(v)
    used = {x for _, e in equations for x in postorder(e)}
    loose = [v for v, _ in equations if v not in used]
    seed = None
    if loose and w.chance(20):
        target = loose[-1]
        seed = var("seed", target.shape) if target.order else None
    else:
        target = var("E", ())
        terms = [_scalar_of(w, v) for v in loose] or [w.grow((), 2)]
        if w.chance(25):
            terms.append(w.grow((), 1))
        value = terms[0]
        for t in terms[1:]:
            value = value + t if w.chance(70) else value * t
        equations.append((target, value))
    stop = next(i for i, (v, _) in enumerate(equations) if v is target)
    before = {x for _, e in equations[: stop + 1] for x in postorder(e)}
    asked = [v for v in w.inputs if v in before] or w.inputs
    extents = [d for e in before for a in (*e.shape, *e.attrs) for d in _sizes(a)]
    anchors = [var(f"a_{s}", (Dim.symbol(s),)) for s in _unknown_sizes(asked, seed, extents)]
    if len(asked) > 1 and w.chance(15):
        asked = asked[: random.randrange(1, len(asked))]
    middle = [v for v, _ in equations[:stop] if v in before]
    if middle and w.chance(10):
        asked = [*asked, middle[0]]
    places = {v: below for v, below in w.places.items() if v in before}
    inputs = [*w.inputs, *places, *anchors]
    return RandomProgram(equations, inputs, target, seed, [*asked, *anchors], w.free, places)


def _sizes(value: object) -> list[Dim]:
    if isinstance(value, Dim):
        return [value]
    return [d for v in value for d in _sizes(v)] if isinstance(value, tuple) else []


def _unknown_sizes(inputs: Sequence[Expr], seed: Expr | None, extents: Sequence[Dim]) -> list[str]:
    """Size symbols that arrays for these inputs do not settle, one linear axis after another."""
    known: set[str] = set()
    shapes = [v.shape for v in [*inputs, *([seed] if seed is not None else [])]]
    open_axes = [d for s in shapes for d in s]
    while True:
        new = {s for d in open_axes for s in d.symbols() - known if len(d.symbols() - known) == 1}
        if not new:
            break
        known |= new
    return sorted({s for d in [*extents, *open_axes] for s in d.symbols()} - known)


def _scalar_of(w: Writer, v: Expr) -> Expr:
    if not v.order:
        return v
    form = w.random.randrange(5)
    if form == 0:
        return norm_sq(v)
    if form == 1:
        return inner(w.leaf(v.shape), v)
    if form == 2:
        name = w.unknown(("loss", "energy", "risk"), ("function", (), (v.shape,)))
        if name:
            return free_function(name, (), v)
    if form == 3:
        return mean_over(v, axes=tuple(range(v.order)))
    return sum_over(v, axes=tuple(range(v.order)))
