"""How a target calls the functions of arrays: what targets differ in, while expressions are the same for all of them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence

from ..errors import UnsupportedError
from .syntax import copied, filled, negative
from .traced import parsed

__all__ = ["Rewrite", "Spelling"]

Rewrite = Callable[..., ast.expr]
# functions of a number that `math` does not have
_ENTRYWISE = {
    "special.expit",
    "special.ndtr",
    "special.digamma",
    "special.polygamma",
    "logaddexp",
    "heaviside",
    "sign",
    "clip",
}


class Spelling:
    """How a target calls the functions of arrays. `functions` maps a name of NumPy to another, or to a rewriting of the call, or to None
    where the target has no such function; `number` makes an array of a number, where functions ask for arrays, as those in `arrays` do
    for their first argument."""

    def __init__(self, module: str, functions: Mapping[str, str | Rewrite | None], number: str = "",
                 arrays: Collection[str] = ()) -> None:  # fmt: skip
        self.module, self.functions, self.number, self.arrays = module, functions, number, arrays

    def called(self, name: str, args: Sequence[ast.expr], options: Mapping[str, ast.expr]) -> ast.expr:
        axis = options.get("axis")
        if isinstance(axis, ast.Tuple) and len(axis.elts) == 1:
            options = {**options, "axis": axis.elts[0]}
        found = self.functions.get(name, f"{self.module}.{name}")
        if found is None:
            raise UnsupportedError("U042", f"there is no {name} in {self.module}", hint="--target numpy")
        if callable(found):
            return found(*args, **options)
        return ast.Call(parsed(found), list(args), [ast.keyword(k, v) for k, v in options.items()])

    def applied(self, node: ast.expr, numbers: Collection[str] = ()) -> ast.expr:
        """The expression with every `xp.name(…)` as this target calls it; what is made of `numbers` (names) alone, by Python's `math`."""
        return _Speller(self, numbers).visit(_Signs().visit(copied(node)))  # type: ignore[no-any-return]


_MATH = {"abs": "abs", "maximum": "max", "minimum": "min", "arcsin": "math.asin", "arccos": "math.acos", "arctan": "math.atan",
         "arctan2": "math.atan2", "arcsinh": "math.asinh", "arccosh": "math.acosh", "arctanh": "math.atanh",
         "special.erf": "math.erf", "special.erfc": "math.erfc", "special.gammaln": "math.lgamma",
         **{n: f"math.{n}" for n in ("sqrt", "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sin", "cos", "tan",
                                     "sinh", "cosh", "tanh", "cbrt")}}  # fmt: skip


class _Speller(ast.NodeTransformer):
    def __init__(self, spelling: Spelling, numbers: Collection[str]) -> None:
        self.spelling, self.numbers = spelling, {*numbers, "math", "max", "min", "abs"}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = _function(node.func)
        if name is None:
            self.generic_visit(node)
            return node
        args = [self.visit(a) for a in node.args]
        options = {k.arg: self.visit(k.value) for k in node.keywords if k.arg}
        numbers = args and not options and all(isinstance(x, ast.expr) and self.is_number(x) for x in args)
        if numbers and name in _MATH:
            return ast.Call(parsed(_MATH[name]), args, [])
        if numbers and self.spelling.number and name in _ENTRYWISE:
            *orders, x = args  # the order of polygamma stays a whole number
            args = [*(orders if name == "special.polygamma" else map(self.counted, orders)), self.counted(x)]
        elif name == "full" and "repeated" in self.spelling.functions and not self.is_number(args[1]):
            name = "repeated"  # an array is not a number that is known when the line is run
        elif name in self.spelling.arrays and self.is_number(args[0]):
            args[0] = filled(self.spelling.number, {"0": args[0]})
        return self.spelling.called(name, args, options)

    def counted(self, node: ast.expr) -> ast.expr:
        """A number of Python as the target's functions take it."""
        return filled(self.spelling.number, {"0": node})

    def is_number(self, node: ast.expr) -> bool:
        if isinstance(node, (ast.Tuple, ast.List)):
            return False
        return all(x.id in self.numbers for x in ast.walk(node) if isinstance(x, ast.Name))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.MatMult) and "matmul" in self.spelling.functions:
            return self.spelling.called(getattr(node, "product", "matmul"), [node.left, node.right], {})
        floats = (
            isinstance(node.left, ast.Compare)
            and isinstance(node.op, ast.Mult)
            and isinstance(node.right, ast.Constant)
        )
        return self.spelling.called("as_float", [node.left], {}) if floats else node  # (a == b) * 1.0

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if _function(node) == "pi":
            return parsed("math.pi")
        self.generic_visit(node)
        if node.attr == "T" and "T" in self.spelling.functions:
            return self.spelling.called("T", [node.value], {})
        return node


def _function(node: ast.expr) -> str | None:
    """ "linalg.inv" for xp.linalg.inv."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed(parts)) if isinstance(node, ast.Name) and node.id == "xp" else None


class _Signs(ast.NodeTransformer):
    """−(−x) = x, a + (−b) = a − b, a − (−b) = a + b."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        inner = node.operand
        return inner.operand if negative(node) and negative(inner) else node  # type: ignore[attr-defined]

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Sub)) and negative(node.right):
            swapped = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            return ast.BinOp(node.left, swapped, node.right.operand)  # type: ignore[attr-defined]
        return node
