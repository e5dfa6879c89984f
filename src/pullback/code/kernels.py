"""The text of loops over numbers, for a compiler of Python: one function for a stretch of a plan."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..algebra.dims import Dim
from ..errors import UnsupportedError
from .door import told, words_of
from .frame import Text
from .instructions import Algorithm, Chain, Contraction, Legs, Value, arguments
from .nests import Leaf, Nest, Statement, statement, statements_of
from .speller import Spelling
from .syntax import body_node, dim_node, expression, filled, unparsed
from .writer import comments, fitted

__all__ = ["Kernel", "loops_of"]

_LETTERS = "ijkl"
_PLAIN = {
    "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "square", "abs", "sign", "sin", "cos", "tan", "sinh",
    "cosh", "tanh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "arctan2", "maximum", "minimum", "floor", "ceil",
    "rint", "logaddexp"}  # fmt: skip


def _expit(x: ast.expr) -> ast.expr:
    if isinstance(x, ast.UnaryOp) and isinstance(x.op, ast.USub):
        return filled("1.0 / (1.0 + np.exp($x))", {"x": x.operand})
    return filled("1.0 / (1.0 + np.exp(-$x))", {"x": x})


class _Numbers(Spelling):
    """Functions of a number, which the compiler knows."""

    def __init__(self) -> None:
        super().__init__("np", {
            "heaviside": lambda x, at: filled("1.0 if $x > 0 else 0.0", {"x": x}),
            "special.expit": _expit,
            "special.erf": "math.erf", "special.erfc": "math.erfc", "special.gammaln": "math.lgamma",
            "as_float": lambda x: filled("1.0 if $x else 0.0", {"x": x}),
        })  # fmt: skip

    def called(self, name: str, args: Sequence[ast.expr], options: Any) -> ast.expr:
        if name not in _PLAIN and name not in self.functions:
            raise UnsupportedError("U042", f"there is no loop for {name}")
        return super().called(name, args, options)


NUMBERS = _Numbers()


@dataclass(frozen=True, slots=True)
class _Product:
    """out = left right for every value of the leading axes; what is transposed is read as it lies."""

    lead: int
    left: Value
    right: Value
    turned: tuple[bool, bool]
    swapped: bool
    inner: Dim  # the size of the axis that is summed over


def _product(v: Value) -> _Product | None:
    by = v.by
    if not isinstance(by, Contraction) or by.right is None:
        return None
    a, b, out = by.left.legs, by.right.legs, by.legs
    if len(set(a)) < len(a) or len(set(b)) < len(b):
        return None
    lead = sum(1 for _ in (i for i in out if i in a and i in b))
    if not a[:lead] == b[:lead] == out[:lead]:
        return None
    a, b, out = a[lead:], b[lead:], out[lead:]
    inner = [i for i in a if i in b]
    mine, yours = [i for i in a if i not in b], [i for i in b if i not in a]
    if len(inner) != 1 or inner[0] in out or len(mine) > 1 or len(yours) > 1 or not out or set(out) != {*mine, *yours}:
        return None
    swapped = len(out) == 2 and out != (*mine, *yours)
    turned = (len(a) == 2 and a[0] in inner, len(b) == 2 and b[0] not in inner)
    size = by.left.value.shape[by.left.legs.index(inner[0])]
    return _Product(lead, by.left.value, by.right.value, turned, swapped, size)


def loops_of(v: Value, t: Text) -> Statement | bool | None:
    """The loops that compute the value; False for a product, which BLAS does, None where there are neither."""
    by = v.by
    if _product(v) is not None:
        return False
    if isinstance(by, Contraction) and by.right is not None and _is_heavy(by.left.legs, by.right.legs, by.legs):
        return None
    found = statement(v, _extreme(v, t))
    if found is None:
        return None
    try:
        _entry(v, {}, t)
    except UnsupportedError:
        return None
    return found


def _is_heavy(a: Legs, b: Legs, out: Legs) -> bool:
    """A product that is better done by NumPy: every entry is used many times."""
    return bool(set(a) - set(b)) and bool(set(b) - set(a)) and bool((set(a) & set(b)) - set(out))


def _extreme(v: Value, t: Text) -> tuple[str, Sequence[int]] | None:
    """("max", axes) for a largest entry along axes."""
    if not isinstance(v.by, Algorithm):
        return None
    try:
        node = expression(v, lambda a: ast.Name("x", ast.Load()), t.size, lambda e: "f")
    except UnsupportedError:
        return None
    if not (isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.Name)):
        return None
    name = ast.unparse(node.func).removeprefix("xp.")
    if name not in ("max", "min") or [k.arg for k in node.keywords] != ["axis"]:
        return None
    axes = ast.literal_eval(node.keywords[0].value)
    return name, (axes,) if isinstance(axes, int) else axes


def _entry(v: Value, at: dict[Value, ast.expr], t: Text, legs: dict[int, str] | None = None) -> ast.expr:
    """One entry of the value (one term of its sum) as a number; `legs` are the counters, `at` the values that are numbers."""

    def read(a: Value, mine: Legs) -> ast.expr:
        if a in at:
            return at[a]
        name = ast.Name(t.names.get(a, "x"), ast.Load())
        if not mine or legs is None:
            return name
        index = [ast.Name(legs[i], ast.Load()) for i in mine]
        return ast.Subscript(name, index[0] if len(index) == 1 else ast.Tuple(list(index), ast.Load()), ast.Load())

    match v.by:
        case Chain(body, operands, _):
            node = body_node(body, {leaf: read(o.value, o.legs) for leaf, o in operands}, t.size)
        case Contraction(left, None, _):
            node = read(left.value, left.legs)
        case Contraction(left, right, _):
            assert right is not None
            node = ast.BinOp(read(left.value, left.legs), ast.Mult(), read(right.value, right.legs))
        case Algorithm(_, args):
            node = read(args[0], tuple(range(args[0].order)))
        case _:
            raise AssertionError("no loops")
    return _Typed({*t.sizes.values()}).visit(NUMBERS.applied(node, t.sizes.values()))  # type: ignore[no-any-return]


class _Typed(ast.NodeTransformer):
    """Numbers of the type of the arrays: a literal, or a size, would turn float32 into float64."""

    def __init__(self, sizes: set[str]) -> None:
        self.sizes = {*sizes, "math", "np"}

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Call, ast.Constant, ast.Name, ast.Attribute)):
            names = [x.id for x in ast.walk(node) if isinstance(x, ast.Name)]
            if all(n in self.sizes for n in names):
                return ast.Call(ast.Name("real", ast.Load()), [node], [])
        return super().visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(a) for a in node.args]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        square = isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant) and node.right.value == 2
        self.generic_visit(node)
        if square and isinstance(node.left, (ast.Name, ast.Subscript)):
            return ast.BinOp(node.left, ast.Mult(), node.left)
        return node


class Kernel:
    """The loops of one stretch. `inputs` are read, `arrays` written, `numbers` given back."""

    def __init__(self, t: Text, items: Sequence[Leaf | Nest], kept: set[Value], local: set[Value]) -> None:
        self.t, self.items, self.local, self.name = t, items, local, ""
        leaves = list(statements_of(items))
        made = [x.value for x in leaves]
        self.inputs = list(dict.fromkeys(a for x in leaves for a in arguments(x.value.by) if a not in set(made)))
        self.shared = _shared(items, kept, local)  # in the memory of another one
        self.arrays = [v for v in made if v.shape and v not in local and v not in self.shared]
        self.numbers = [v for v in made if not v.shape and v in kept]
        self.sums: dict[Value, str] = {}
        self.body = list(self.block(items, []))
        told = {d.name for v in (*self.inputs, *self.arrays) for d in v.shape}
        used = words_of(self.body)
        self.sizes = [s for s, word in t.sizes.items() if word in used and s not in told]  # arguments

    @property
    def arguments(self) -> list[str]:
        return [*(self.t.names[v] for v in (*self.inputs, *self.arrays)), *(self.t.sizes[s] for s in self.sizes)]

    def function(self) -> Iterator[str]:
        t = self.t
        arrays = [(t.names[v], v.shape) for v in (*self.inputs, *self.arrays) if v.shape]
        t.deeper, deeper = 4, t.deeper
        yield from t.listed(f"def {self.name}(", self.arguments, "):")
        t.deeper = deeper
        yield from (f"    {t.names[v]} = real({t.names[v]})" for v in self.inputs if not v.shape)
        known = list(told(t, arrays, self.body, self.sizes))
        for k, line in enumerate(known):  # what is told by 3 m only is of use where m is
            name = re.match(r"\s*(\w+) = ", line)
            if name is None or name[1] in words_of([*known[k + 1 :], *self.body]):
                yield line
        yield from (f"    {t.names[v]} = {t.names[where]}" for v, where in self.shared.items())
        yield from self.body
        if self.numbers:
            yield f"    return {', '.join(t.names[v] for v in self.numbers)}"

    def block(self, items: Sequence[Leaf | Nest], counters: list[str]) -> Iterator[str]:
        indent = "    " * (len(counters) + 1)
        for x in items:
            if not counters:
                for leaf in statements_of([x]):
                    yield from comments(self.t, leaf.value)
            if isinstance(x, Leaf):
                yield from (indent + line for line in self.leaf(x, counters))
                continue
            sums = [
                y.statement
                for y in statements_of([x])
                if y.statement is not None and _first(y.statement) == len(counters)
            ]
            for s in sums:
                yield indent + self.begun(s, counters)
            letter = self.counter(len(counters))
            yield f"{indent}for {letter} in range({unparsed(self.dim(x))}):"
            yield from self.block(x.items, [*counters, letter])
            for s in sums:
                yield from (indent + line for line in self.ended(s, counters))

    def dim(self, x: Nest) -> ast.expr:
        return dim_node(x.dim, self.t.size)

    def counter(self, depth: int) -> str:
        return f"{_LETTERS[depth]}_" if depth < len(_LETTERS) else f"i{depth}_"

    def leaf(self, x: Leaf, counters: list[str]) -> Iterator[str]:
        t, v, s = self.t, x.value, x.statement
        if s is None:
            yield from self.product(v)
            return
        legs = dict(zip(s.legs, counters, strict=True))
        at = {a: ast.Name(t.names[a], ast.Load()) for a in arguments(v.by) if a in self.local or not a.shape}
        node = _entry(v, dict(at), t, legs)
        place, sign = self.sums.get(v, t.names[v]), "=" if s.how == "set" else "+="
        if v not in self.sums and v not in self.local and s.outs:
            place += f"[{', '.join(legs[i] for i in s.outs)}]"
        if s.how in ("max", "min"):
            node, sign = ast.Call(ast.Name(s.how, ast.Load()), [ast.Name(place, ast.Load()), node], []), "="
        deeper, t.deeper = t.deeper, 4 * (len(counters) + 1)
        yield from fitted(t, place, node, sign)
        t.deeper = deeper

    def begun(self, s: Statement, counters: list[str]) -> str:
        """Nothing added up yet."""
        start = {"add": "0.0", "max": "-np.inf", "min": "np.inf"}[s.how]
        outside = dict(zip(s.legs, counters, strict=False))
        if all(i in outside for i in s.outs):
            self.sums[s.value] = self.t.fresh(f"{self.t.names[s.value]}_{'sum' if s.how == 'add' else s.how}")
            return f"{self.sums[s.value]} = {start}"
        index = ", ".join(outside.get(i, ":") for i in s.outs)
        return f"{self.t.names[s.value]}[{index}] = real({start})"

    def ended(self, s: Statement, counters: list[str]) -> Iterator[str]:
        if s.value not in self.sums:
            return
        name, total = self.t.names[s.value], self.sums[s.value]
        index = ", ".join(dict(zip(s.legs, counters, strict=False))[i] for i in s.outs)
        yield f"{name} = real({total})" if s.value in self.local or not s.outs else f"{name}[{index}] = {total}"

    def product(self, v: Value) -> Iterator[str]:
        p = _product(v)
        assert p is not None
        t = self.t
        counters = [self.counter(k) for k in range(p.lead)]
        at = f"[{', '.join(counters)}]" if counters else ""
        left = f"{t.names[p.left]}{at}" + (".T" if p.turned[0] else "")
        right = f"{t.names[p.right]}{at}" + (".T" if p.turned[1] else "")
        if p.swapped:
            left, right = (x.removesuffix(".T") if x.endswith(".T") else x + ".T" for x in (right, left))
        for k, letter in enumerate(counters):
            yield f"{'    ' * k}for {letter} in range({t.names[v]}.shape[{k}]):"
        by = "_product" if v.order == p.lead + 2 and p.inner.constant is None else "np.dot"
        yield f"{'    ' * p.lead}{by}({left}, {right}, {t.names[v]}{at})"


def _shared(items: Sequence[Leaf | Nest], kept: set[Value], local: set[Value]) -> dict[Value, Value]:
    """Arrays that are read for the last time where an array of their shape is made entry by entry: they can lie where that will be.

    Rounds of one loop follow each other, so that within it nobody may read another entry than that of the round."""
    leaves = [x for item in items for x in statements_of([item])]
    nest = [k for k, item in enumerate(items) for _ in statements_of([item])]
    readers: dict[Value, list[int]] = {}
    for k, x in enumerate(leaves):
        for a in arguments(x.value.by):
            readers.setdefault(a, []).append(k)
    made = {x.value for x in leaves if x.value.shape} - local - kept

    def is_free(a: Value, k: int) -> bool:
        """Whether leaf k may write over the array."""
        statements = [leaves[n].statement for n in readers[a] if nest[n] == nest[k]]
        return readers[a][-1] == k and all(s is not None and _of_the_round(s, a) for s in statements)

    found: dict[Value, Value] = {}
    for k in range(len(leaves) - 1, -1, -1):
        v, s = leaves[k].value, leaves[k].statement
        if s is None or s.how != "set" or v in local or not v.shape:
            continue
        for a in (o.value for o in s.reads if o.legs == s.outs):
            if a in made and a not in found and a.shape == v.shape and is_free(a, k):
                found[a] = found.get(v, v)
                break
    return found


def _of_the_round(s: Statement, a: Value) -> bool:
    """Whether the statement reads of the array the entry of the round alone."""
    return all(o.legs == s.legs[: len(o.legs)] for o in s.reads if o.value is a)


def _first(s: Statement) -> int:
    """Around which loop a sum begins: that over the first axis that the result lacks; −1 if it is none."""
    return next((k for k, i in enumerate(s.legs) if i not in s.outs), -1) if s.how != "set" else -1
