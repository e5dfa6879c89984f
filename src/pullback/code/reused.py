"""Entrywise expressions that compute in the memory of their own temporaries: (a - b).mul_(c), and a.exp_() where `a` dies.

New memory is what entrywise work on large arrays spends most of its time on. An array is written to only if it is ours, if this
line is the last that reads it or a view of it, and if the line reads it in one place.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .frame import Text
from .inplace import Ufunc, tree
from .instructions import Algorithm, Chain, Contraction, Legs, Value
from .lives import Lives
from .syntax import aligned, call, dim_node, filled
from .traced import node_of

__all__ = ["reusing"]

_OPERATORS: dict[str, ast.operator] = {
    "add": ast.Add(), "subtract": ast.Sub(), "multiply": ast.Mult(), "divide": ast.Div(), "power": ast.Pow()}  # fmt: skip
_BINARY = {"add": "add_", "subtract": "sub_", "multiply": "mul_", "divide": "div_"}
_UNARY = {
    "negative": "neg_", "abs": "abs_", "sign": "sign_", "special.expit": "sigmoid_", "arcsin": "asin_",
    "arccos": "acos_", "arctan": "atan_", "arcsinh": "asinh_", "arccosh": "acosh_", "arctanh": "atanh_",
    **{n: f"{n}_" for n in ("exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
}  # fmt: skip


def reusing(t: Text, lives: Lives, v: Value, read: Callable[[Value], ast.expr]) -> ast.expr | None:
    """The expression for a chain, None for anything else."""
    if not (v.shape and isinstance(v.by, Chain) and v in lives.new):
        return None
    root = tree(v.by, read, t.size)
    texts = [ast.unparse(x.leaf) for x in _leaves(root) if x.leaf is not None]
    words = [w for x in _leaves(root) if x.leaf is not None for w in _names(x.leaf)]

    def ends(u: Ufunc, beside: Sequence[Ufunc]) -> bool:
        """Whether a leaf is an array that dies here, and what else reads it is computed before, being beside it in one call."""
        if not t.target.reuses or len(u.reads) != 1 or not isinstance(u.leaf, ast.Name):
            return False
        (a,) = u.reads
        found = [(x.reads, x.leaf) for b in beside for x in _leaves(b) if x.leaf is not None]
        others = [(reads, leaf) for reads, leaf in found if u.leaf.id in _names(leaf)]
        before = all(not isinstance(leaf, ast.Name) and reads <= lives.new for reads, leaf in others)
        seen = 1 + sum(_names(leaf).count(u.leaf.id) for _, leaf in others)
        return before and words.count(u.leaf.id) == seen == lives.reads[a, lives.line[v]] and lives.ends(a, v)

    def free(u: Ufunc) -> bool:
        """Whether a leaf may be written to: a temporary of this line, or an array that dies here."""
        if not t.target.reuses or len(u.reads) != 1 or texts.count(ast.unparse(u.leaf)) > 1:  # type: ignore[arg-type]
            return False
        (a,) = u.reads
        if not isinstance(u.leaf, ast.Name):
            return lives.is_temporary(a)
        return lives.dies(a, v) and words.count(u.leaf.id) == 1

    return _Line(t, free, ends).written(_tidied(root, free, t))


def _leaves(root: Ufunc) -> list[Ufunc]:
    found, stack = [], [root]
    while stack:
        u = stack.pop()
        stack += u.args
        found += [] if u.name else [u]
    return found


def _names(node: ast.expr) -> list[str]:
    return [x.id for x in ast.walk(node) if isinstance(x, ast.Name)]


def _is_number(u: Ufunc, t: Text) -> bool:
    """Whether it is a number of Python."""
    return not u.legs and all(x in t.static for x in u.reads)


def _negated(u: Ufunc) -> Ufunc:
    """−u of a number."""
    if u.name == "negative":
        return u.args[0]
    if u.name == "divide" and u.legs and not u.args[1].legs:
        return replace(u, args=(u.args[0], _negated(u.args[1])))
    if u.name in ("multiply", "divide"):
        return replace(u, args=(_negated(u.args[0]), u.args[1]))
    if isinstance(u.leaf, ast.UnaryOp) and isinstance(u.leaf.op, ast.USub):
        return replace(u, leaf=u.leaf.operand)
    return replace(u, name="negative", args=(u,), leaf=None)


def _product(a: Ufunc, b: Ufunc) -> Ufunc:
    """a b, over the legs of both."""
    return Ufunc(tuple(sorted({*a.legs, *b.legs})), "multiply", (a, b), reads=a.reads | b.reads)


def _tidied(u: Ufunc, free: Callable[[Ufunc], bool], t: Text) -> Ufunc:
    """Numbers moved to the smaller factors, and signs to numbers or to differences, which turn round."""
    if not u.name:
        return u
    if u.name == "divide" and _is_number(u.args[1], t) and _has_small(u.args[0]):
        (small, large), divisor = u.args[0].args, u.args[1]
        quotient = Ufunc(small.legs, "divide", (small, divisor), reads=small.reads | divisor.reads)
        u = replace(u.args[0], args=(quotient, large))
    u = replace(u, args=tuple(_tidied(a, free, t) for a in u.args))
    if u.name == "negative" and u.legs:
        (x,) = u.args
        if x.name == "multiply":
            return (
                _tidied(replace(x, args=(_negated(x.args[0]), x.args[1])), free, t) if _is_number(x.args[0], t) else u
            )
        if x.name == "subtract":
            return replace(x, args=x.args[::-1])
    if u.name == "multiply" and u.legs and not u.args[0].legs:
        factor, x = u.args
        turns = t.target.reuses and x.name == "subtract"
        if turns and _will_be_free(x.args[1], x.legs, free) and not _will_be_free(x.args[0], x.legs, free):
            factor, x = _negated(factor), replace(x, args=x.args[::-1])
            u = replace(u, args=(factor, x))
        marks = t.target.reuses and x.name in ("add", "subtract") and _place(x.args[1], t) is not None
        if marks and not _will_be_free(x.args[0], x.legs, free):  # what is marked then is the new array
            return replace(x, args=(_product(factor, x.args[0]), _product(factor, x.args[1])))
        if x.name in ("add", "subtract") and _has_small(x.args[0]):
            first, second = x.args
            (small, large) = first.args
            return replace(x, args=(_product(_product(factor, small), large), _product(factor, second)))
    return u


def _has_small(u: Ufunc) -> bool:
    """Whether it is a product with a factor of fewer axes in front."""
    return u.name == "multiply" and len(u.args[0].legs) < len(u.args[1].legs)


def _will_be_free(u: Ufunc, legs: Legs, free: Callable[[Ufunc], bool]) -> bool:
    """Whether the value over these legs will be a temporary."""
    return set(u.legs) == set(legs) and (bool(u.name) or free(u))


@dataclass(slots=True)
class _Line:
    t: Text
    free: Callable[[Ufunc], bool]
    ends: Callable[[Ufunc, Sequence[Ufunc]], bool]

    def written(self, u: Ufunc) -> ast.expr:
        """The value of `u` over its legs."""
        if not u.name:
            assert u.leaf is not None
            return u.leaf
        if not u.legs:
            return _plain(u.name, [self.written(a) for a in u.args])
        fused = self.fused(u)
        if fused is not None:
            return fused
        args = [self.beside(a, u.legs) for a in u.args]
        own = [k for k, a in enumerate(u.args) if self.is_own(a, u)]
        if u.name == "square" and own:
            return _method(args[0], "pow_", ast.Constant(2))  # square_ is none of what functionalize knows
        if u.name in _UNARY and own:
            return _method(args[0], _UNARY[u.name])
        if u.name in _BINARY and own:
            if 0 in own:
                return _method(args[0], _BINARY[u.name], args[1])
            if u.name in ("add", "multiply"):
                return _method(args[1], _BINARY[u.name], args[0])
            # this one writes to args[1] before args[0] is computed
            if u.name == "subtract" and (u.args[1].name or self.free(u.args[1])):
                return _method(_method(args[1], "neg_"), "add_", args[0])
        if u.name in ("maximum", "minimum") and own and _is_number(u.args[1 - own[0]], self.t):
            bound, array = args[1 - own[0]], args[own[0]]
            if u.name == "maximum" and isinstance(bound, ast.Constant) and bound.value == 0:
                return ast.Call(ast.Attribute(array, "relu_", ast.Load()), [], [])
            side = ast.keyword("min" if u.name == "maximum" else "max", bound)
            return ast.Call(ast.Attribute(array, "clamp_", ast.Load()), [], [side])
        return _plain(u.name, args)

    def beside(self, a: Ufunc, legs: Legs) -> ast.expr:
        order = a.legs if not a.name else tuple(sorted(a.legs))
        return aligned(self.written(a), order, legs)

    def is_own(self, a: Ufunc, u: Ufunc) -> bool:
        """Whether `u` may be computed in the memory of its argument `a`."""
        if not self.t.target.reuses or a.legs != u.legs:
            return False
        return bool(a.name) or self.free(a) or self.ends(a, [x for x in u.args if x is not a])

    def fused(self, u: Ufunc) -> ast.expr | None:
        """x + y z and x - y z in one pass, and where y z is a product of matrices, as part of that product."""
        if u.name not in ("add", "subtract"):
            return None
        x, y = u.args
        if u.name == "subtract" and x.name == "multiply" and 0 < len(y.legs) < len(u.legs) and y.name:
            return self.fused(replace(u, name="add", args=(_negated(y), x)))
        if (u.name == "add" and x.name == "multiply" and y.name != "multiply") or (
            u.name == "add" and _matrices(x) and not _matrices(y)
        ):
            x, y = y, x
        sign = -1 if u.name == "subtract" else 1
        factor, product = (
            (y.args[0], y.args[1]) if y.name == "multiply" and _is_number(y.args[0], self.t) else (None, y)
        )
        pair = _matrices(product)
        if pair is not None and x.legs and product.legs == u.legs == tuple(sorted(u.legs)):
            alpha = None if factor is None else self.written(factor)
            return self.call("addmm", x, list(pair), u, "alpha", _signed(alpha, sign))
        marked = self.marked(x, y, u, sign)
        if marked is not None:
            return marked
        if y.name != "multiply" or set(y.legs) != set(u.legs) or not x.legs:
            return None
        if self.is_own(x, u) and factor is not None:
            return _method(
                self.beside(x, u.legs), _BINARY[u.name], self.beside(product, u.legs), alpha=self.written(factor)
            )
        if factor is not None or any(_is_number(a, self.t) for a in y.args):
            return None
        if not self.is_own(x, u) and any(self.is_own(a, u) for a in y.args):
            return None
        return self.call("addcmul", x, [self.beside(a, u.legs) for a in y.args], u, "value", _signed(None, sign))

    def marked(self, x: Ufunc, y: Ufunc, u: Ufunc, sign: int) -> ast.expr | None:
        """x ± a one_hot(i), a number or one for every row: added at these places, and the zeros are never made."""
        factor, hits = y.args if y.name == "multiply" else (None, y)
        place = _place(hits, self.t)
        if place is None or x.legs != u.legs or hits.legs != u.legs:
            return None
        if factor is None:
            value = node_of(sign)
        elif factor.legs in (hits.legs[:-1], ()):
            value = _signed(self.written(factor), sign)  # type: ignore[assignment]
        else:
            return None
        name = "mark_" if self.is_own(x, u) else "mark"
        return call(name, self.beside(x, u.legs), place, value)

    def call(
        self, name: str, x: Ufunc, args: list[ast.expr], u: Ufunc, option: str, value: ast.expr | None
    ) -> ast.expr:
        first = self.beside(x, u.legs)
        options = [] if value is None else [ast.keyword(option, value)]
        own = self.is_own(x, u)
        if name == "addmm":  # a product that reads x is not computed before, but while x is written to
            own = own and (bool(x.name) or self.free(x))
        if own:
            return ast.Call(ast.Attribute(first, f"{name}_", ast.Load()), args, options)
        return ast.Call(ast.parse(f"torch.{name}", mode="eval").body, [first, *args], options)


def _matrices(u: Ufunc) -> tuple[ast.expr, ast.expr] | None:
    """The two factors of a product of matrices that this line takes up."""
    if isinstance(u.leaf, ast.BinOp) and isinstance(u.leaf.op, ast.MatMult) and len(u.reads) == 1:
        (v,) = u.reads
        by = v.by
        if (
            isinstance(by, Contraction)
            and by.right is not None
            and by.left.value.order == by.right.value.order == v.order == 2
        ):
            return u.leaf.left, u.leaf.right
    return None


def _place(u: Ufunc, t: Text) -> ast.expr | None:
    """The index, as whole numbers, of an array of zeros and ones that this line takes up."""
    if u.name or isinstance(u.leaf, ast.Name) or len(u.reads) != 1:
        return None
    (v,) = u.reads
    if not isinstance(v.by, Algorithm) or v.by.node.op.picks is None:
        return None
    (y,) = v.by.args
    index = t.inline[y] if y in t.inline else ast.Name(t.names[y], ast.Load())
    return call("as_index", index, dim_node(v.shape[-1], t.size))


def _signed(value: ast.expr | None, sign: int) -> ast.expr | None:
    if sign == 1:
        return value
    return ast.UnaryOp(ast.USub(), ast.Constant(1) if value is None else value)


def _method(x: ast.expr, name: str, *args: ast.expr, **options: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(x, name, ast.Load()), list(args), [ast.keyword(k, v) for k, v in options.items()])


def _plain(name: str, args: list[ast.expr]) -> ast.expr:
    if name in _OPERATORS:
        return ast.BinOp(args[0], _OPERATORS[name], args[1])
    if name == "negative":
        return ast.UnaryOp(ast.USub(), args[0])
    if name == "square":
        return filled("$0 ** 2", {"0": args[0]})
    return call(name, *args)
