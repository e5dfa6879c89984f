"""From equations to instructions: index sums merged and cut in the cheapest order, entrywise work fused.

Every expression has a form, Σ coef · Π factors over named legs, where a factor is an entrywise expression of arrays. Products
merge forms, so that a transposition, a 1 or a δ costs nothing; whatever else needs the value makes an array of it. An
expression with several users is computed once; equal instructions are one array, wherever they come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from string import ascii_letters

from ..algebra.dims import Dim
from ..algebra.expr import Expr, postorder, substitute
from ..algebra.op import Meaning
from ..algebra.ops.free import is_free_function, is_free_map, is_name, var
from ..errors import UnsupportedError
from .contraction import Path, cost_of, left_to_right, path
from .forms import Form, below, definition, factors_of, is_entrywise, number_of, scaled, sum_of, times
from .instructions import (
    Algorithm,
    Applied,
    Chain,
    Given,
    Legs,
    Operand,
    Scale,
    Spread,
    Value,
    leaves,
)
from .once import Once

__all__ = ["Lowering"]

_MOST = 32  # factors of a product, after which those of its parts are multiplied first
_LONGEST = 40  # nodes of an entrywise expression, after which it is cut


class Lowering(Once):
    """Instructions for equations that are added in order of computation; `sizes` says how large an axis typically is, and
    `instead` what is computed in place of an expression."""

    def __init__(self, sizes: Callable[[Dim], int], kernels: Collection[str] = ()) -> None:
        super().__init__()
        self.sizes = sizes
        self.kernels = kernels
        self.instead: Mapping[Expr, Expr] = {}
        self.forms: dict[Expr, Form] = {}
        self.uses: Counter[Expr] = Counter()
        # (index sum, multiplications, of the order as written), in order
        self.orders: dict[tuple[str, int, int], None] = {}

    # ---- what is given and asked for -----------------------------------------------------------------------

    def give(self, v: Expr) -> Value:
        """An input."""
        value = self._value(v.shape, Given(v))
        value.name, value.about = v.attrs[0], v
        self._bind(v, value)
        return value

    def define(self, v: Expr, e: Expr) -> Value:
        """The name `v` is the value of `e`, as an array of its own."""
        value = self.array(self.form(e))
        if value.about is not None:  # two names of one array
            value = self._value(value.shape, self._copy(value))
        value.name, value.about = v.attrs[0], v
        self._bind(v, value)
        return value

    def alias(self, v: Expr, e: Expr) -> None:
        """The name `v` stands for `e`, which is computed where it is used."""
        self.forms[v] = self.form(e)

    def value_of(self, v: Expr) -> Value:
        """The array that the name `v` stands for."""
        return self.array(self.forms[v])

    def count(self, roots: Iterable[Expr]) -> None:
        """Counts the users of everything under the roots, each of which is used once more."""
        seen: set[Expr] = set()
        stack = list(roots)
        self.uses.update(stack)
        while stack:
            e = stack.pop()
            if e not in seen:
                seen.add(e)
                parts = self._below(e)
                self.uses.update(parts)
                stack += parts

    def _below(self, e: Expr) -> tuple[Expr, ...]:
        return (self.instead[e],) if e in self.instead else below(e, self.kernels)

    def _bind(self, v: Expr, value: Value) -> None:
        legs = self._legs(v.shape)
        self.forms[v] = Form(Scale(), (self._leaf(value, legs),), legs)

    def _copy(self, value: Value) -> Chain:
        legs = tuple(range(value.order))
        leaf = self._leaf(value, legs)
        return Chain(leaf, ((leaf, Operand(value, legs)),), legs)

    # ---- forms -----------------------------------------------------------------------------------------------

    def form(self, root: Expr) -> Form:
        """The form of an expression; that of every part with several users is an array."""
        stack = [root]
        while stack:
            e = stack[-1]
            if e in self.forms:
                stack.pop()
                continue
            waiting = [a for a in self._below(e) if a not in self.forms]
            if waiting:
                stack += reversed(waiting)
                continue
            stack.pop()
            found = self._form(e)
            if self.uses[e] > 1 and not found.is_plain:
                found = self._shared(found)
            self.forms[e] = found
        return self.forms[root]

    def _form(self, e: Expr) -> Form:
        instead = self.instead.get(e) or definition(e, self.kernels)
        if instead is not None:
            return self.forms[instead]
        if is_name(e):
            raise AssertionError(f"{e!r} has no value yet")
        one = sum_of(e)
        if one is not None:
            return self._product(e, one)
        if e.op.uniform is not None:
            legs = self._legs(e.shape)
            return Form(Scale(Fraction(e.op.uniform)), (), legs)
        if e.op.delta:
            leg = self._legs(e.shape[:1])
            return Form(Scale(), (), leg * 2)
        if e.op.divides and (divisor := number_of(self.forms[e.args[1]])) is not None:
            return self._divided(self.forms[e.args[0]], divisor)
        if is_free_map(e) or is_free_function(e):
            return self._whole(self._made(e.shape, Applied(e, self._arrays(e.args))))
        meanings = e.op.meaning(e)
        if e.op.entrywise and meanings is not None and len(meanings) > 1:
            return self._sum(e, meanings)
        if is_entrywise(e):
            return self._map(e)
        if e.op.source is not None or e.op.kernel_of(e) in self.kernels:
            return self._whole(self._made(e.shape, Algorithm(e, self._arrays(e.args))))
        if e.op.code and not e.args and not e.order:
            return Form(Scale(), (e,), ())
        raise UnsupportedError("U042", f"there is no code for {e.op.name} in this version",
                               hint="`evaluate` computes it in Python")  # fmt: skip

    def _whole(self, value: Value) -> Form:
        legs = self._legs(value.shape)
        return Form(Scale(), (self._leaf(value, legs),), legs)

    def _shared(self, f: Form) -> Form:
        """The form as an array; its axes lie as those of what it is made of, so that nothing is transposed."""
        legs = self._natural(*f.factors)
        if set(legs) != set(f.outs) or len(set(f.outs)) < len(f.outs):
            return self._whole(self.array(f))
        return Form(Scale(), (self._leaf(self.array(replace(f, outs=legs)), legs),), f.outs)

    def _arrays(self, args: Sequence[Expr]) -> tuple[Value, ...]:
        return tuple(self.array(self.forms[a]) for a in args)

    def _product(self, e: Expr, m: Meaning) -> Form:
        """The forms of the arguments side by side, legs with one letter being one leg."""
        letters: dict[str, int] = {}
        root: dict[int, int] = {}

        def find(i: int) -> int:
            while root.get(i, i) != i:
                i = root[i]
            return i

        scale = Scale().times(m.scale, *((d, 1) for d in m.times), *((d, -1) for d in m.over))
        factors: list[Expr] = []
        legs: list[int] = []
        parts = [self._instance(self.forms[e.args[k]]) for k in m.slots]
        parts += [self._instance(self._form(x)) for x in m.extra]
        if sum(len(p.factors) for p in parts) > _MOST:
            parts = [self._whole(self.array(p)) if len(p.factors) > 1 else p for p in parts]
        for word, part in zip(m.inputs, parts, strict=True):
            scale = scale.times(part.scale.coef, *part.scale.sizes)
            factors += part.factors
            legs += part.outs
            for c, i in zip(word, part.outs, strict=True):
                j = letters.setdefault(c, i)
                if find(i) != find(j):
                    root[find(i)] = find(j)
        same = {i: find(i) for i in root}
        factors = [self._renamed(f, same) for f in factors]
        outs = tuple(find(letters[c]) for c in m.output)
        used = {i for f in factors for i in self.legs(f)}
        idle = dict.fromkeys(i for i in map(find, legs) if i not in used and i not in outs)
        return Form(scale.times(Fraction(1), *((self.dims[i], 1) for i in idle)), tuple(factors), outs)

    def _divided(self, f: Form, by: Scale) -> Form:
        """Divided by a number of Python: its place is with the smallest factor."""
        return replace(f, scale=f.scale.times(1 / by.coef, *((d, -p) for d, p in by.sizes)))

    def _map(self, e: Expr) -> Form:
        legs = self._legs(e.shape)
        bodies = tuple(self._body(self.forms[a], legs if a.order else ()) for a in e.args)
        return self._cut(Form(Scale(), (Expr.make(e.op, bodies, e.attrs, ()),), legs))

    def _sum(self, e: Expr, meanings: Sequence[Meaning]) -> Form:
        legs = self._legs(e.shape)
        total: Expr | None = None
        for m in meanings:
            f = self.forms[e.args[m.slots[0]]]
            c = f.scale.coef * m.scale
            part = self._body(replace(f, scale=replace(f.scale, coef=abs(c))), legs)
            if total is None:
                total = -part if c < 0 else part
            else:
                total = total - part if c < 0 else total + part
        assert total is not None
        return self._cut(Form(Scale(), (total,), legs))

    def _cut(self, f: Form) -> Form:
        """The form itself, or an array for it where it has become long."""
        if sum(1 for _ in postorder(f.factors[0])) <= _LONGEST:
            return f
        return self._whole(self.array(f))

    # ---- arrays ----------------------------------------------------------------------------------------------

    def array(self, f: Form) -> Value:
        """The form as an array, its axes in the order of `outs`."""
        distinct = tuple(dict.fromkeys(f.outs))
        shape = tuple(self.dims[i] for i in distinct)
        body = self._closed(replace(f, outs=distinct))
        operand = self.operands.get(body)
        if operand is not None and operand.legs == distinct:
            value = operand.value
        else:
            value = self._chain(body, distinct, shape)
        if distinct == f.outs:
            return value
        legs = tuple(distinct.index(i) for i in f.outs)
        return self._made(tuple(self.dims[i] for i in f.outs), Spread(value, legs))

    def _body(self, f: Form, legs: Legs) -> Expr:
        """The form as one entrywise expression over these legs."""
        if len(set(f.outs)) < len(f.outs):
            f = self._whole(self.array(f))
        return self._renamed(self._closed(f), dict(zip(f.outs, legs, strict=True)))

    def _closed(self, f: Form) -> Expr:
        """scale · Π factors, every sum carried out."""
        factors = [self._diagonal(x) for x in f.factors]
        outs = frozenset(f.outs)
        sets = [frozenset(self.legs(x)) for x in factors]
        if any(s - outs for s in sets):
            factors = self._contracted(factors, outs, f.outs)
        if f.scale.coef != 1 or f.scale.sizes:
            factors = [x for product in factors for x in factors_of(product)]
        factors.sort(key=lambda x: len(self.legs(x)))
        few, many = (len(self.legs(factors[k])) for k in (0, -1)) if factors else (0, 0)
        if few == many > 0 and f.scale.coef < 0 and f.scale.sizes:  # one pass, not a quotient and its negative
            return times(scaled(f.scale, []), scaled(Scale(), factors))
        return scaled(f.scale, factors, small=few < many)

    def _contracted(self, factors: list[Expr], outs: frozenset[int], want: Legs) -> list[Expr]:
        """The factors with no leg but `outs`, multiplied in the cheapest order."""
        have = dict(enumerate(factors))
        for k, x in have.items():  # what only one factor has is summed at once
            others = outs.union(*(self.legs(y) for j, y in have.items() if j != k))
            have[k] = self._summed(x, others)
        sets = [frozenset(self.legs(x)) for x in have.values()]
        sizes = {i: self.sizes(self.dims[i]) for s in sets for i in s}
        order = path(sets, outs, sizes)
        shorter = self._with_what_is_there([*have.values()], outs, cost_of(sets, outs, sizes, order), sizes)
        if shorter is not None:
            return self._contracted(shorter, outs, want)
        if len(sets) > 2:
            self._compare(sets, outs, want, sizes, order)
        for step, (a, b) in enumerate(order):
            left, right = have.pop(a), have.pop(b)
            rest = outs.union(*(self.legs(y) for y in have.values()))
            have[len(factors) + step] = self._pair(left, right, rest, want)
        return list(have.values())

    def _with_what_is_there(
        self, factors: list[Expr], outs: frozenset[int], most: int, sizes: Mapping[int, int]
    ) -> list[Expr] | None:
        """The factors, two of them as their product, where that was made already and the rest then costs less than `most`."""
        arrays = [x for x in factors if x in self.operands and len(factors) > 2]
        for a, b in combinations(arrays, 2):
            rest = [x for x in factors if x is not a and x is not b]
            stay = outs.union(*map(self.legs, rest)) & {*self.legs(a), *self.legs(b)}
            found = self._there(self.operands[a], self.operands[b], stay)
            if found is not None and len(rest) == len(factors) - 2:
                sets = [frozenset(self.legs(x)) for x in (found, *rest)]
                if cost_of(sets, outs, sizes, path(sets, outs, sizes)) < most:
                    return [found, *rest]
        return None

    def _compare(
        self, sets: Sequence[frozenset[int]], outs: frozenset[int], want: Legs, sizes: Mapping[int, int], order: Path
    ) -> None:
        """Notes what the order costs, and the order from left to right."""
        letters = dict(zip(dict.fromkeys(i for s in (*sets, want) for i in s), ascii_letters, strict=False))
        words = ["".join(letters.get(i, "?") for i in s) for s in (*sets, want)]
        text = ",".join(words[:-1]) + "->" + words[-1]
        self.orders[text, cost_of(sets, outs, sizes, order), cost_of(sets, outs, sizes, left_to_right(len(sets)))] = (
            None
        )

    def _summed(self, x: Expr, kept: frozenset[int]) -> Expr:
        mine = self.legs(x)
        legs = tuple(i for i in mine if i in kept)
        if legs == mine:
            return x
        operand = self._operand(x)
        return self._contraction(operand, None, legs)

    def _pair(self, left: Expr, right: Expr, kept: frozenset[int], want: Legs) -> Expr:
        """The product of two factors, summed over what nobody else needs."""
        a, b = self.legs(left), self.legs(right)
        if all(i in kept for i in (*a, *b)):  # nothing is summed: it may be part of an entrywise expression
            first, second = (left, right) if len(a) <= len(b) else (right, left)
            return times(first, second)
        picked = self._picked(left, right, kept) or self._picked(right, left, kept)
        if picked is not None:
            return picked
        both = [i for i in a if i in b and i in kept]
        only_a = [i for i in a if i not in b]
        only_b = [i for i in b if i not in a]
        place = {i: k for k, i in enumerate(want)}
        if only_a and only_b and max(place.get(i, -1) for i in only_b) < min(place.get(i, len(want)) for i in only_a):
            left, right, only_a, only_b = right, left, only_b, only_a  # the result comes out as it is wanted
        for group in (both, only_a, only_b):
            group.sort(key=lambda i: place.get(i, len(want)))
        return self._contraction(self._operand(left), self._operand(right), (*both, *only_a, *only_b))

    def _picked(self, hits: Expr, x: Expr, kept: frozenset[int]) -> Expr | None:
        """Σ one_hot(y) · x over the places is entry y of every row of x, in a target that can pick it out."""
        o = self.operands.get(hits)
        by = None if o is None else o.value.by
        if "pick" not in self.kernels or not isinstance(by, Algorithm) or by.node.op.picks is None:
            return None
        assert o is not None
        if o.legs[-1] in kept or set(o.legs) != set(self.legs(x)):
            return None
        rows, shape = o.legs[:-1], o.value.shape
        node = by.node.op.picks(var("rows", shape), *by.node.args)

        def entries(value: Value) -> Expr:
            return self._leaf(self._made(shape[:-1], Algorithm(node, (value, *by.args))), rows)

        inside = {leaf: a for leaf in leaves(x) if (a := self.operands.get(leaf)) and o.legs[-1] in a.legs}
        if inside and all(a.legs == o.legs for a in inside.values()):  # picked first, computed with afterwards
            x = substitute(x, {leaf: entries(a.value) for leaf, a in inside.items()})
        else:
            x = entries(self._chain(x, o.legs, shape))
        return self._summed(x, kept)

    def _operand(self, x: Expr) -> Operand:
        """An entrywise expression as an array."""
        found = self.operands.get(x)
        if found is not None:
            return found
        legs = self._natural(x)
        return Operand(self._chain(x, legs, tuple(self.dims[i] for i in legs)), legs)

    def _diagonal(self, x: Expr) -> Expr:
        """The expression with diagonals for arrays that have a leg twice."""
        bind: dict[Expr, Expr] = {}
        for leaf in leaves(x):
            o = self.operands.get(leaf)
            if o is not None and len(set(o.legs)) < len(o.legs):
                bind[leaf] = self._contraction(o, None, tuple(dict.fromkeys(o.legs)))
        return substitute(x, bind)
