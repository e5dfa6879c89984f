"""The same backward equations one number at a time (style S4): every entry written out at small sizes, and differentiated.

Entries are read off index networks; they are polynomials in the entries of names and of functions. Their derivatives
come from the sum, product and power rule on these polynomials, and from the chain rule for functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, product
from math import prod

from ..algebra.expr import Expr, postorder
from ..algebra.network import Factor, Term, TooLarge, network
from ..algebra.ops.arithmetic import added, rational
from ..algebra.ops.free import gradient, is_name, var
from ..algebra.polynomial import Poly, Symbols
from ..step import Claim, Step, Why
from .core import Equation
from .derivation import Derivation, cotangents, unassumed, users_of
from .lemma import differentiate
from .roles import Entry

__all__ = ["MOST", "Array", "Path", "Scalars", "scalar_steps", "unassumed"]

MOST = 400  # entries of one array that are still worked out
_WORK = 40_000  # products of entries in one equation
_COUNT = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """One way from an entry of x to the target: through this entry of v."""

    through: Expr
    at: Index


@dataclass(slots=True)
class Array:
    """The entries of an array in row-major order, and for derivatives the paths of each."""

    shape: Index
    entries: list[Poly]
    paths: list[list[Path]] = field(default_factory=list)

    def indices(self) -> Iterator[Index]:
        return product(*map(range, self.shape))


@dataclass(slots=True)
class Scalars:
    """The steps at these sizes; for each step by its id the entries that it is about."""

    sizes: dict[str, int]
    symbols: Symbols
    steps: list[Step] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    forward: dict[str, Equation] = field(default_factory=dict)  # step id -> the equation that its claim is read off
    left_out: dict[str, str] = field(default_factory=dict)  # name -> why its entries are not written out


class _Writer:
    def __init__(self, d: Derivation, sizes: Mapping[str, int]) -> None:
        self.d, self.out = d, Scalars(dict(sizes), Symbols())
        self.cotangent = cotangents(d)
        self.users = users_of(d)
        self.numbered = count(1)
        self.known: dict[int, dict[int, Poly]] = {}  # symbol -> its derivatives by entries of names
        self.functions: dict[Expr, list[tuple[Expr, list[Poly], list[Poly]]]] = {}
        self.slopes: dict[Expr, dict[int, dict[int, Poly]]] = {}  # v -> entry of v -> derivatives

    # ---- entries

    def extent(self, e: Expr) -> Index:
        return tuple(d.value(self.out.sizes) for d in e.shape)

    def entries(self, e: Expr) -> list[Poly]:
        """Every entry of `e`. Raises TooLarge."""
        terms = network(e).terms
        spans = self.extent(e)
        work = prod(spans) * sum(prod(t.dims[i].value(self.out.sizes) for i in t.inner()) for t in terms)
        if prod(spans) > MOST or work > _WORK:
            raise TooLarge
        return [self._entry(terms, at) for at in product(*map(range, spans))]

    def _entry(self, terms: list[Term], at: Index) -> Poly:
        made: dict[tuple[tuple[int, int], ...], Fraction] = {}
        for t in terms:
            coef = t.coef
            for d, p in t.sizes.items():
                coef *= Fraction(d.value(self.out.sizes)) ** p
            where = dict(zip(t.outs, at, strict=True))
            inner = t.inner()
            for values in product(*(range(t.dims[i].value(self.out.sizes)) for i in inner)):
                powers = self._product(t.factors, {**where, **dict(zip(inner, values, strict=True))})
                if powers is not None:
                    made[powers] = made.get(powers, Fraction(0)) + coef
        return Poly({m: c for m, c in made.items() if c})

    def _product(self, factors: list[Factor], at: Mapping[int, int]) -> tuple[tuple[int, int], ...] | None:
        powers: dict[int, int] = {}
        for f in factors:
            index = tuple(at[i] for i in f.legs)
            if f.atom.op.entry is not None:
                if not f.atom.op.entry(f.atom.attrs, index, self.out.sizes):
                    return None
                continue
            s = self.out.symbols.number(f.atom, index)
            powers[s] = powers.get(s, 0) + f.power
        return tuple(sorted((s, p) for s, p in powers.items() if p))

    # ---- derivatives

    def by_entries(self, p: Poly) -> dict[int, Poly]:
        """∂p by the entries of names: the chain rule over the symbols of p."""
        found: dict[int, Poly] = {}
        for s, slope in p.slopes().items():
            for name, inner in self.of_symbol(s).items():
                found[name] = found.get(name, Poly({})) + slope * inner
        return {name: q for name, q in found.items() if q.terms}

    def of_symbol(self, s: int) -> dict[int, Poly]:
        """The derivatives of one symbol: itself, or a function by the rule of its op and the chain rule for its arguments."""
        stack = [s]
        while stack:
            top = stack[-1]
            e, at = self.out.symbols.known[top]
            if top in self.known or is_name(e):
                self.known.setdefault(top, {top: Poly.of(1)})
                stack.pop()
                continue
            outer, needed = self._function(e, at)
            missing = [i for p in needed for m in p.terms for i, _ in m if i not in self.known]
            if missing:
                stack += missing
                continue
            total: dict[int, Poly] = {}
            for slope, argument in zip(outer, needed, strict=True):
                for inner_symbol, d in argument.slopes().items():
                    for name, inner in self.known[inner_symbol].items():
                        total[name] = total.get(name, Poly({})) + slope * d * inner
            self.known[top] = total
            stack.pop()
        return self.known[s]

    def _function(self, e: Expr, at: Index) -> tuple[list[Poly], list[Poly]]:
        """The slopes of one entry of a function by the entries of its arguments, and those entries."""
        if e.op.linear:  # the base of a power of a sum
            raise TooLarge
        flat = 0
        for i, n in zip(at, self.extent(e), strict=True):
            flat = flat * n + i
        slopes: list[Poly] = []
        inner: list[Poly] = []
        for probe, moved, arguments in self._slots(e):
            line = moved[flat].slopes()
            for j, index in enumerate(product(*map(range, self.extent(probe)))):
                slope = line.get(self.out.symbols.number(probe, index))
                if slope is not None and slope.terms:
                    slopes.append(slope)
                    inner.append(arguments[j])
        return slopes, inner

    def _slots(self, e: Expr) -> list[tuple[Expr, list[Poly], list[Poly]]]:
        """For each argument of a function: an increment, the differential in its entries, and the argument's entries."""
        if e not in self.functions:
            found = []
            for k, a in enumerate(e.args):
                probe = var(f"·{k}", a.shape, "probe")
                moved = added(differentiate(e, [probe if j == k else None for j in range(len(e.args))]))
                if any(
                    f.atom is not probe and probe in postorder(f.atom) for t in network(moved).terms for f in t.factors
                ):
                    raise TooLarge  # no sum of products of the increments
                found.append((probe, self.entries(moved), self.entries(a)))
            self.functions[e] = found
        return self.functions[e]

    # ---- steps

    def add(
        self, kind: str, about: Expr, right: Expr, rules: tuple[str, ...], why: Why, home: str, array: Array
    ) -> None:
        left = gradient(about) if kind == "derivatives" else about
        step = Step(id=f"e{next(self.numbered)}", kind=kind, about=about.attrs[0], left=left, relation="=", right=right,
                    rules=rules, why=why, claim=Claim("SCALAR", array, right), premises=(home,))  # fmt: skip
        self.out.steps.append(step)
        self.out.arrays[step.id] = array

    def expand(self, q: Equation) -> None:
        """Every entry of one equation, and its derivatives by the entries of the names in it."""
        v = q.var
        try:
            entries = self.entries(q.value)
            slopes = [self.by_entries(p) for p in entries]
        except TooLarge:
            self.out.left_out[v.attrs[0]] = "its entries are too many, or too long, to be written out"
            return
        fold = {}  # a function whose slope is written through its own value
        for at in product(*map(range, self.extent(v))) if q.value.args else ():
            n = self.out.symbols.numbers.get((q.value, at))
            if n is not None:
                fold[n] = self.out.symbols.number(v, at)
        self.slopes[v] = {k: {x: p.renamed(fold) for x, p in s.items()} for k, s in enumerate(slopes)}
        array = Array(self.extent(v), entries)
        self.add("entries", v, q.value, ("I-EXPAND",), Why("every entry by itself"), v.attrs[0], array)
        self.out.forward[self.out.steps[-1].id] = q

    def conclude(self, x: Expr, value: Expr, home: str) -> None:
        """∂E/∂x_j for every entry: one term for each path, and the array that they make up."""
        used = list(dict.fromkeys(q.var for q in self.users.get(x, [])))
        missing = [v for v in used if v not in self.slopes]
        spans = self.extent(x)
        if missing or prod(spans) > MOST or not used:
            if used and x.attrs[0] not in self.out.left_out:
                which = missing[0].attrs[0] if missing else x.attrs[0]
                self.out.left_out[x.attrs[0]] = f"the entries of {which} are not written out"
            return
        index = {self.out.symbols.number(x, at): n for n, at in enumerate(product(*map(range, spans)))}
        total = [Poly({}) for _ in index]
        paths: list[list[Path]] = [[] for _ in index]
        for v in used:
            g = self.cotangent[v]
            for n, at in enumerate(product(*map(range, self.extent(v)))):
                one = Poly.of(1) if g is rational(1) else self.out.symbols.poly(g, at)
                for s, slope in self.slopes[v][n].items():
                    if s in index and slope.terms:
                        total[index[s]] = total[index[s]] + one * slope
                        paths[index[s]].append(Path(v, at))
        array = Array(spans, total, paths)
        self.add("derivatives", x, value, ("S-CHAIN", "S-GROUP"), _why(x, array), home, array)


def _number(n: int) -> str:
    return _COUNT[n] if n < len(_COUNT) else str(n)


def _terms(n: int, word: str) -> str:
    return f"{_number(n)} {word}" + ("" if n == 1 else "s")


def _why(x: Expr, array: Array) -> Why:
    """a₁ feeds z₁ and z₂: two paths, two terms."""
    paths, terms = array.paths[0], len(array.entries[0].terms)
    bind: dict[str, object] = {"x": Entry(x, tuple("1" for _ in array.shape))}
    shown = [f"$p{k}" for k in range(min(len(paths), 4))]
    bind.update({f"p{k}": Entry(p.through, tuple(str(i + 1) for i in p.at)) for k, p in enumerate(paths[:4])})
    if not paths:
        return Why("$x has no influence on the target: 0", bind=bind)
    listed = shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
    if len(paths) > 4:
        listed = ", ".join(shown) + f" and {len(paths) - 4} more"
    says = (
        f"$x feeds {listed}{' only' if len(paths) == 1 else ''}: {_terms(len(paths), 'path')}, {_terms(terms, 'term')}"
    )
    if terms != len(paths):
        says = f"$x feeds {listed}{' only' if len(paths) == 1 else ''}: {_terms(len(paths), 'path')}"
        says += ", whose terms are added" if len(paths) > 1 else f", with {_terms(terms, 'term')}"
    same = len({len(p) for p in array.paths}) == 1
    if len(array.paths) > 1 and same:
        says += f"; so for every entry of {x.attrs[0]}"
    return Why(says, "the chain rule on single numbers: along a path slopes are multiplied, over all paths they are added",
               "each ∂E/∂· stands where its number stands in the array: grouped like this they are the entries of the formula", bind)  # fmt: skip


def scalar_steps(d: Derivation, sizes: Mapping[str, int]) -> Scalars:
    """The steps of style `scalar` at these sizes, none of them checked yet."""
    w = _Writer(d, sizes)
    known = {b.of: b for b in d.backward}
    plain = unassumed(d)
    left = {x: len(qs) for x, qs in w.users.items()}
    for q in reversed(d.core.equations):
        if q.var not in known:
            continue
        w.expand(q)
        for x in dict.fromkeys(e for e in postorder(q.value) if e in left):
            left[x] -= 1
            if not left[x]:
                w.conclude(x, plain[x], q.var.attrs[0])
    return w.out
