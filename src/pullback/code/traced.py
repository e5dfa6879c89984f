"""The source of an op's algorithm, read off by running it on arrays that write down what is done to them.

Every op with an algorithm declares it once, as a function of (np, *arrays, **data). Run on a `Traced` it gives an expression of
Python's syntax in which functions are called as `xp.name`; each target spells them in its own way. What cannot be written down
so (a loop over entries, an assignment) raises `Untraceable`, and the op is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

__all__ = ["Namespace", "Traced", "Untraceable", "node_of", "parsed"]

_RESULTS = {"linalg.svd": 3, "linalg.eigh": 2, "linalg.slogdet": 2}  # functions of several results
_BINARY: Mapping[str, type[ast.operator]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "truediv": ast.Div, "matmul": ast.MatMult, "pow": ast.Pow,
    "floordiv": ast.FloorDiv, "mod": ast.Mod}  # fmt: skip
_COMPARED: Mapping[str, type[ast.cmpop]] = {
    "eq": ast.Eq,
    "ne": ast.NotEq,
    "lt": ast.Lt,
    "le": ast.LtE,
    "gt": ast.Gt,
    "ge": ast.GtE,
}


# x + 0, 0 + x, x - 0, x * 1, 1 * x, x // 1
_IDLE = {
    ("add", 0, False),
    ("add", 0, True),
    ("sub", 0, False),
    ("mul", 1, False),
    ("mul", 1, True),
    ("floordiv", 1, False),
}


class Untraceable(Exception):
    """The algorithm asks for something that source text cannot say."""


def parsed(text: str) -> ast.expr:
    """The expression of a text of ours."""
    return ast.parse(text, mode="eval").body


def node_of(x: Any) -> ast.expr:
    """What was traced, or a number, a text or a tuple of such, as syntax."""
    if isinstance(x, Traced):
        return x.node
    if isinstance(x, ast.expr):
        return x
    if isinstance(x, (tuple, range)):
        return ast.Tuple([node_of(i) for i in x], ast.Load())
    if isinstance(x, list):
        return ast.List([node_of(i) for i in x], ast.Load())
    if isinstance(x, slice):
        parts = (None if p is None else node_of(p) for p in (x.start, x.stop, x.step))
        return ast.Slice(*parts)
    if x is None or x is Ellipsis or isinstance(x, (bool, int, float, str)):
        if isinstance(x, (int, float)) and not isinstance(x, bool) and x < 0:
            return ast.UnaryOp(ast.USub(), ast.Constant(-x))
        return ast.Constant(x)
    raise Untraceable(f"{x!r:.80} in an algorithm")


class Traced:
    """An array, or a number, of which only the source text is known; `ndim` where that is known too."""

    __slots__ = ("dims", "node", "results")

    def __init__(self, node: ast.expr, dims: Sequence[Any] | None = None, results: int = 0) -> None:
        self.node, self.dims, self.results = node, None if dims is None else tuple(dims), results

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def shape(self) -> tuple[Any, ...]:
        if self.dims is None:
            raise Untraceable("the shape of an intermediate array")
        return self.dims

    @property
    def T(self) -> Traced:
        return Traced(ast.Attribute(self.node, "T", ast.Load()), None if self.dims is None else self.dims[::-1])

    def reshape(self, *dims: Any) -> Traced:
        whole = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple) else dims
        return _called("reshape", (self, whole), {})

    def ravel(self) -> Traced:
        return _called("reshape", (self, (-1,)), {})

    def __getitem__(self, index: Any) -> Traced:
        return Traced(ast.Subscript(self.node, node_of(index), ast.Load()), _taken(self.dims, index))

    def __iter__(self) -> Iterator[Traced]:
        if not self.results:
            raise Untraceable("a loop over the entries of an array")
        return (self[k] for k in range(self.results))

    def __bool__(self) -> bool:
        raise Untraceable("a decision that depends on a value")

    def __neg__(self) -> Traced:
        return Traced(ast.UnaryOp(ast.USub(), self.node), self.dims)

    def __abs__(self) -> Traced:
        return _called("abs", (self,), {})


def _operator(name: str, kind: ast.AST, swapped: bool, comparison: bool) -> Any:
    def apply(self: Traced, other: Any) -> Traced:
        if isinstance(other, int) and (name, other, swapped) in _IDLE:
            return self
        left, right = (node_of(other), self.node) if swapped else (self.node, node_of(other))
        dims = None if name == "matmul" else _wider(self.dims, other)
        if comparison:
            return Traced(ast.Compare(left, [kind], [right]), dims)  # type: ignore[list-item]
        return Traced(ast.BinOp(left, kind, right), dims)  # type: ignore[arg-type]

    return apply


def _wider(dims: Sequence[Any] | None, other: Any) -> Sequence[Any] | None:
    """The shape of two arrays beside each other."""
    if not isinstance(other, Traced):
        return dims
    if dims is None or other.dims is None:
        return None
    pairs = zip_longest(reversed(dims), reversed(other.dims), fillvalue=1)
    return [b if isinstance(a, int) and a == 1 else a for a, b in pairs][::-1]


for _name, _kind in _BINARY.items():
    setattr(Traced, f"__{_name}__", _operator(_name, _kind(), False, False))
    setattr(Traced, f"__r{_name}__", _operator(_name, _kind(), True, False))
for _name, _cmp in _COMPARED.items():
    setattr(Traced, f"__{_name}__", _operator(_name, _cmp(), False, True))


class Namespace:
    """Stands for NumPy while an algorithm is traced: its functions write themselves down."""

    def __init__(self, path: str = "") -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Namespace(f"{self._path}.{name}" if self._path else name)

    def __call__(self, *args: Any, **options: Any) -> Traced:
        return _called(self._path, args, options)


def _called(name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Traced:
    func: ast.expr = parsed(f"xp.{name}")
    node = ast.Call(func, [node_of(a) for a in args], [ast.keyword(k, node_of(v)) for k, v in options.items()])
    return Traced(node, _shape_of(name, args, options), _RESULTS.get(name, 0) if options.get("compute_uv", True) else 0)


def _taken(dims: Sequence[Any] | None, index: Any) -> Sequence[Any] | None:
    """The shape of a part: whole axes, new axes, and axes that are gone; else it is not known."""
    if dims is None:
        return None
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    at = next(k for k, p in enumerate(parts) if p is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (len(dims) - used)
    left, found = list(dims), []
    for p in parts:
        if p is None:
            found.append(1)
        elif isinstance(p, slice):
            n = left.pop(0)
            if p.step is not None:
                return None
            end = n if p.stop is None else p.stop
            found.append(end if p.start is None else end - p.start)
        elif isinstance(p, int) or (isinstance(p, Traced) and p.dims == ()):
            left.pop(0)
        else:
            return None
    return found


def _shape_of(name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Sequence[Any] | None:
    """The shape of a result, where it is that of an argument or is named in the call."""
    first = args[0].dims if args and isinstance(args[0], Traced) else None
    if name == "arange":
        return (args[0],)
    if name == "pad" and first is not None:
        return [a + n + b for n, (a, b) in zip(first, args[1], strict=True)]
    if name == "take" and first is not None and isinstance(args[1], Traced) and args[1].dims is not None:
        axis = args[2] if len(args) > 2 else options["axis"]
        return (*first[:axis], *args[1].dims, *first[axis + 1 :])
    if name in ("mean", "max", "min", "sum", "prod", "argmax") and first is not None:
        axes = options.get("axis")
        gone = range(len(first)) if axes is None else [axes] if isinstance(axes, int) else axes
        return [n for k, n in enumerate(first) if k not in {a % len(first) for a in gone}]
    if name == "expand_dims" and first is not None:
        axis = args[1] % (len(first) + 1)
        return (*first[:axis], 1, *first[axis:])
    if name == "reshape" and isinstance(args[1], tuple) and -1 not in [a for a in args[1] if isinstance(a, int)]:
        return tuple(args[1])
    if name in ("zeros", "ones") and isinstance(args[0], tuple):
        return tuple(args[0])
    if name == "moveaxis" and isinstance(args[0], Traced) and args[0].dims is not None:
        order = _moved(len(args[0].dims), args[1], args[2])
        return tuple(args[0].dims[k] for k in order)
    kept = ("flip", "roll", "cumsum", "tril", "triu", "sign", "abs", "exp", "sqrt", "linalg.inv", "linalg.cholesky")
    return args[0].dims if name in kept and isinstance(args[0], Traced) else None


def _moved(order: int, source: Any, target: Any) -> list[int]:
    """NumPy's moveaxis as an order of axes."""
    sources = [k % order for k in ([source] if isinstance(source, int) else source)]
    targets = [k % order for k in ([target] if isinstance(target, int) else target)]
    found = [k for k in range(order) if k not in sources]
    for t, s in sorted(zip(targets, sources, strict=True)):
        found.insert(t, s)
    return found
