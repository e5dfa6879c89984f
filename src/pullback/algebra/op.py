"""How an op is declared: once, in one place, in about ten lines (house.md, "Declaring an op").

A linear op states its adjoint and its meaning; a nonlinear op states its differential. Never both.
The docstring is the reason that the derivation prints: its first line says what is true, and each further
line `slot RULE: statement | proof` is the moving rule for one slot, with `$G` the cotangent, `$A` an argument
and `$dA` the increment in that slot.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from numbers import Rational
from typing import Any, Protocol

from ..errors import ParseError, ShapeError
from .dims import Dim, Shape, show_shape
from .expr import OPERATORS, Attrs, Expr
from .meaning import Graph, Meaning, Reason, plain

__all__ = [
    "ATOM",
    "POSTFIX",
    "PRODUCT",
    "REGISTRY",
    "SUM",
    "TIGHT",
    "Graph",
    "Meaning",
    "Op",
    "Ordered",
    "Reason",
    "composite_op",
    "leaf_op",
    "linear_op",
    "op",
    "rational",
]

# Precedence: how tightly the printed form of an op binds. SUM < NEG < TIMES (⊙) < PRODUCT < POSTFIX < ATOM.
SUM, NEG, TIMES, PRODUCT, POSTFIX, ATOM = 10, 12, 15, 20, 30, 40
TIGHT = POSTFIX  # what a factor of ⊙ must reach: products beside ⊙ are always parenthesised (theory.md §13.23)

REGISTRY: dict[str, Op] = {}
_RIVALS: dict[str, list[Op]] = {}  # the ops that share an operator, in order of declaration

_Pattern = tuple[str, ...]  # ("m", "k"), or ("*s",) for any shape
_ANY = (("*s",), ("*t",))  # the second need not have as many axes as the first


class Ordered(Protocol):
    """What has a number of axes."""

    @property
    def order(self) -> int: ...


def _patterns(signature: str) -> tuple[list[tuple[str, _Pattern]], _Pattern]:
    left, right = signature.split("->")
    slots = re.findall(r"(\w+)\[([^\]]*)\]", left)
    return [(n, _split(p)) for n, p in slots], _split(right.strip().strip("[]"))


def _split(pattern: str) -> _Pattern:
    return tuple(p.strip() for p in pattern.split(",") if p.strip())


def _describe(e: Expr, role: str) -> str:
    return f"{role if e.args or not e.attrs else e.attrs[0]} is {show_shape(e.shape)}"


class Op:
    """A declared operation. Calling it builds a node; it never simplifies. Raises ShapeError when sizes do not fit."""

    def __init__(self, body: Callable[..., Any], signature: str, **data: Any) -> None:
        self.name: str = data.get("name") or body.__name__
        self.room = body.__module__.rpartition(".")[2]  # where it is declared
        self.slots, self.result = _patterns(signature)
        self.signature = signature
        self.linear: str | None = data.get("linear")
        self.joint: bool = self.linear == "joint"  # in all its arguments together
        self.text: str | Callable[[Expr], str] = data.get("text", "")
        self.latex: str | Callable[[Expr], str] = data.get("latex", "")
        self.fix: int = data.get("fix", ATOM)
        self.code: str = data.get("code", "")
        self.cite: str = data.get("cite", "")
        self.needs: str = data.get("needs", "")  # condition for the formula, a template
        # The convention taken where it is not differentiable: at 0, or where the step or relu in its definition says.
        self.kink: str = data.get("kink", "")
        self.calls: tuple[str, ...] = data.get("calls", ())  # spellings in `name(args)`
        self.token: str = data.get("token", "")  # spelling as an operator
        self.omitted: tuple[Fraction, ...] = data.get("omitted", ())  # the last arguments, where a call leaves them out
        self.real: Callable[..., float] | None = data.get("real")  # the scalar function, for floats
        self.entry: Callable[..., bool | int] | None = data.get("entry")  # a constant's entries: (attrs, index, sizes)
        # what is built where the last argument is written as a number: (the other one, the number), None for nothing else
        self.at_number: Callable[[Expr, Fraction], Expr | None] | None = data.get("at_number")
        # ops of the same argument that change nothing as factors beside it
        self.absorbs: tuple[str, ...] = data.get("absorbs", ())
        # where a function of several pieces is one of its arguments: (0/1 factors that say so, that argument), of the arguments
        self.piece: Callable[..., tuple[Expr, Expr]] | None = data.get("piece")
        # what its value tells of its arguments: pairs (function of them, the same read off the value), of (value, *arguments)
        self.tells: Callable[..., Sequence[tuple[Expr, Expr]]] | None = data.get("tells")
        self.sums: bool = data.get("sums", False)  # an index sum with letters of its own
        self.pairing: bool = data.get("pairing", False)  # ⟨X, Y⟩, written as such
        self.number: bool = data.get("number", False)  # a rational number, its one attribute
        self.squared: Callable[[Expr], Expr] | None = data.get("squared")  # a number whose square is an op: that square
        self.scales: bool = data.get("scales", False)  # a number times a tensor, in this order
        self.divides: bool = data.get("divides", False)  # a tensor over a number, in this order
        # 0s, and a 1 in every row: the entries of other rows at the same places, of (rows, *arguments)
        self.picks: Callable[..., Expr] | None = data.get("picks")
        self.exactly: Callable[..., Any] | None = data.get("exactly")  # an algorithm on numbers of any field (dense.py)
        self.floats: Callable[..., Any] | None = data.get("floats")  # an algorithm on floats alone (spectral.py)
        self.series: str = data.get("series", "")  # the power series of a matrix function: any one will do modulo p
        self.gives: tuple[str, ...] = data.get("gives", ())  # facts of its value, whatever the argument is
        self.moves: Mapping[int, Callable[..., Expr]] = data.get("moves", {})  # adjoints of the slots it is linear in
        self.keeps: tuple[str, ...] = data.get("keeps", ())  # facts (facts.py) its argument passes on, or "order"
        self.delta: bool = data.get("delta", False)  # 1 where both indices are equal, else 0
        # a 0/1 block: its first place, width
        self.places: Callable[[Expr], tuple[Dim, Dim]] | None = data.get("places")
        self.uniform: int | None = data.get("uniform")  # a constant's one value, where all its entries are equal
        self.exact: Callable[..., Any] | None = data.get("exact")  # the scalar function modulo p, where it has one
        self.jumps: str = data.get("jumps", "")  # where it is continuous, a template
        self.root: bool = data.get("root", False)  # a square root: modulo p it is one where there is one
        self.attr_names: tuple[str, ...] = data.get("attrs", ())
        self.entrywise: bool = data.get("entrywise", False)  # entry by entry, of tensors alike and of numbers
        self.binder: bool = data.get("binder", False)  # it has a value only once its index has values
        self.commutes: bool = data.get("commutes", False)
        self.alone: Callable[[int, Expr], Expr] | None = data.get("alone")  # a joint op with all other arguments 0
        # a 0/1 tensor that is a map from some of its axes to others
        self.graph: Callable[[Expr], Graph] | None = data.get("graph")
        # entries that know the order or the number of the indices: what is false may hold at some sizes
        self.ordered: bool = data.get("ordered", False)
        # what lies within what: pairs (size of the whole, end of the part), for the sizes of a test
        self.span: Callable[[Expr], Sequence[tuple[Dim, Dim]]] | None = data.get("span")
        # all entries at once, for an op that is neither entrywise nor an index sum: (field, extents of the arguments, arguments, **data)
        self.whole: Callable[..., list[Any]] | None = data.get("whole")
        self.array: Callable[..., Any] | None = data.get("array")  # a fast form in NumPy: (np, *arrays, **data)
        self.source: Callable[..., Any] | None = data.get("source", self.array)  # in functions that every target has
        # the letters of its arguments' axes and of its own, "_" for an axis that must be whole: along the others its algorithm
        # may be done in blocks; where it has none, its meaning tells
        self.blocks: Callable[[Expr], tuple[Sequence[str], str]] | None = data.get("blocks")
        self.joins: str = data.get(
            "joins", ""
        )  # its value from its values for blocks of an axis that it lacks: "max", "min"
        self.stable: Callable[..., Expr] | None = data.get("stable")  # equal, and does not overflow on the way
        # what packages call it that have it whole: name(arrays, **data); name[k] for one of several results
        self.kernel: str = data.get("kernel", "")
        self._whole_if: Callable[[Expr], bool] | None = data.get("whole_if")  # which of its nodes packages have whole
        # equal where the argument is symmetric and positive definite, and cheaper
        self.definite: Callable[..., Expr] | None = data.get("definite")
        # equal where the argument is not negative, and cheaper
        self.nonnegative: Callable[..., Expr] | None = data.get("nonnegative")
        # equal, through a function of the same argument: cheaper where that is computed anyway
        self.beside: Callable[..., Expr] | None = data.get("beside")
        # the same, where only one entry of every row is read
        self.sparse: Callable[..., Expr] | None = data.get("sparse")
        self.fixed: tuple[str, ...] = data.get("fixed", ())  # slots of whole numbers, which do not move
        self.ties: Callable[..., Sequence[tuple[Dim, Dim]]] | None = data.get(
            "ties"
        )  # more equal sizes: (attrs, *shapes) -> pairs
        # how attributes are written in a call: attribute -> (keyword, kind), see language/options.py
        self.options: Mapping[str, tuple[str, str]] = data.get("options", {})
        # what a call may leave to the sizes, and how it follows from them: (attributes, *shapes) -> attributes
        self.completes: tuple[str, ...] = data.get("completes", ())
        self.complete: Callable[..., dict[str, Any]] | None = data.get("complete")
        self.ascii: str = data.get("ascii", "")  # the template in ASCII, where that is another one
        # "reversed": f(A B) = f(B) f(A), "number": f(A B) = f(A) f(B), for square A and B
        self.products: str = data.get("products", "")
        # products of its value (first) with its arguments that are shorter: pairs (shorter, longer)
        self.cancels: Callable[..., Sequence[tuple[Expr, Expr]]] | None = data.get("cancels")
        self.regular: bool = data.get("regular", False)  # its first argument must be invertible
        # the transpose of its value, where that has a sign of its own: in text and in LaTeX
        self.turned: tuple[str, str] = data.get("turned", ("", ""))
        self.tail: str = data.get("tail", "")  # the attribute that may be written behind the arguments, without keyword
        kinds = [p.kind for p in inspect.signature(body).parameters.values()]
        self.variadic = inspect.Parameter.VAR_POSITIONAL in kinds  # any number of arguments like the one slot
        self._means = data.get("means")
        self._shape: Callable[..., Shape] | None = data.get("shape")
        self.composite: bool = data.get("composite", False)  # its differential is derived from its definition
        self.unfolds: bool = data.get("unfolds", False)  # a derivation is written with its definition instead
        self.through: Callable[..., Sequence[Expr]] | None = data.get(
            "through"
        )  # what its differential is written with
        self.defaults: Mapping[str, Any] = data.get("defaults", {})  # attributes that a call may leave out
        self.define: Callable[..., Expr] | None = data.get("define") or (
            self._defined(body) if self.composite else None
        )
        self.named: bool = data.get("named", False)  # a function of the program: formulas keep its name
        self.adjoint: Callable[..., Any] | None = body if self.linear else None
        stated = not (self.linear or self.composite or data.get("leaf"))
        self.differential: Callable[..., Expr] | None = body if stated else None
        doc = inspect.cleandoc(body.__doc__ or "").split("\n")
        self.doc = doc[0].rstrip(".")
        self.reasons: dict[str, Reason] = {}
        for line in doc[1:]:
            found = re.fullmatch(r"(\w+) +([A-Z]+-[A-Z]+): (.*?)(?: \| (.*))?", line.strip())
            if found:
                slot, rule, statement, proof = found.groups()
                self.reasons[slot] = Reason(rule, statement, proof or "")
        if self.name in REGISTRY:
            raise ValueError(f"op {self.name} is declared twice")
        REGISTRY[self.name] = self
        if self.token:
            rivals = _RIVALS.setdefault(self.token, [])
            rivals.append(self)
            OPERATORS[self.token] = _dispatcher(self.token, rivals)

    def __repr__(self) -> str:
        return f"Op({self.name})"

    def _defined(self, body: Callable[..., Expr]) -> Callable[..., Expr]:
        return lambda e, *args: body(*args, **self.attributes(e))

    def __call__(self, *args: Expr, **attrs: Any) -> Expr:
        values = tuple(self.normal(k, attrs[k] if k in attrs else self.defaults[k], args) for k in self.attr_names)
        return Expr.make(self, args, values, self.infer(args, values))

    def normal(self, key: str, value: Any, args: Sequence[Ordered]) -> Any:
        """The one form of an attribute: an axis is counted from the front. Raises ShapeError S003."""
        many = key == "axes" and key in self.defaults and isinstance(value, tuple)
        if not (many or (key == "axis" and isinstance(value, int))) or not args or self.variadic:
            return value
        order = args[0].order
        for k in value if many else (value,):
            if not -order <= k < order:
                raise ShapeError(
                    "S003", f"there is no axis {k} in a tensor with {order} axes", expected=_axes_of(order)
                )
        return tuple(sorted({k % order for k in value})) if many else value % order

    def accepts(self, args: Sequence[Ordered]) -> bool:
        """Whether the orders (not the sizes) of the arguments fit the signature."""
        if self.variadic:
            return True
        if len(args) != len(self.slots):
            return False
        pairs = [(a.order, pattern) for a, (_, pattern) in zip(args, self.slots, strict=True)]
        free = {order for order, pattern in pairs if pattern == ("*s",)}
        return len(free) <= 1 and all(p[:1] in _ANY or len(p) == order for order, p in pairs)

    def infer(self, args: tuple[Expr, ...], attrs: Attrs) -> Shape:
        """The shape of the result. Raises ShapeError."""
        if self._shape is not None:
            if not self.variadic and len(args) != len(self.slots):
                raise ShapeError("S001", f"{self.name} takes {len(self.slots)} arguments, not {len(args)}")
            return self._shape(attrs, *(a.shape for a in args))
        if len(args) != len(self.slots):
            raise ShapeError("S001", f"{self.name} takes {len(self.slots)} arguments, not {len(args)}")
        bound: dict[str, Dim] = {}
        whole: Shape | None = None
        for a, (slot, pattern) in zip(args, self.slots, strict=True):
            if pattern == ("*s",):
                if whole is not None and whole != a.shape:
                    raise self.mismatch(args, f"{show_shape(whole)} is not {show_shape(a.shape)}")
                whole = a.shape
                continue
            if len(pattern) != a.order:
                want = {0: "a scalar", 1: "a vector", 2: "a matrix"}[len(pattern)]
                raise self.mismatch(args, f"{slot} must be {want}")
            for symbol, size in zip(pattern, a.shape, strict=True):
                if bound.setdefault(symbol, size) != size:
                    raise self.mismatch(args, f"{bound[symbol]} is not {size}")
        if self.result == ("*s",):
            assert whole is not None
            return whole
        if self.composite and not set(self.result) <= bound.keys():
            assert self.define is not None
            return self.define(Expr.make(self, args, attrs, ()), *args).shape
        return tuple(bound[s] for s in self.result)

    def mismatch(self, args: Sequence[Expr], why: str) -> ShapeError:
        roles = ["the left side", "the right side"] if len(args) == 2 else [n for n, _ in self.slots]
        shapes = ", ".join(_describe(a, r) for a, r in zip(args, roles, strict=False))
        return ShapeError("S002", f"the shapes do not fit: {shapes} ({why})", expected=self.signature)

    def meaning(self, e: Expr) -> list[Meaning] | None:
        """The index sums that add up to a node of this op, or None if it is not a sum of index sums."""
        if self._means is None:
            return None
        if isinstance(self._means, str):
            return [plain(self._means, len(e.args))]
        found = self._means(e)
        return found if isinstance(found, list) or found is None else [found]

    def kernel_of(self, e: Expr) -> str:
        """What packages call a node of this op that have it whole, "" for one that nobody has."""
        return self.kernel if self._whole_if is None or self._whole_if(e) else ""

    @property
    def lettered(self) -> bool:
        """Whether equal letters of its signature are equal sizes."""
        return self._shape is None

    @property
    def alias(self) -> Callable[..., Expr] | None:
        """The definition, where a formula may say what the node stands for instead of the node."""
        return None if self.named else self.define

    def attributes(self, e: Expr) -> dict[str, Any]:
        return dict(zip(self.attr_names, e.attrs, strict=True))

    def adjoints(self, e: Expr, cotangent: Expr) -> tuple[Expr, ...]:
        """F*ᵢ[G] for every slot i of the linear node `e`: ⟨G, F(.., d, ..)⟩ = ⟨F*ᵢ[G], d⟩."""
        if self.moves:
            moved = (self.moves.get(k) for k in range(len(e.args)))
            return tuple(cotangent if m is None else m(cotangent, *e.args) for m in moved)
        assert self.adjoint is not None
        found = self.adjoint(cotangent, *e.args, **self.attributes(e))
        return found if isinstance(found, tuple) else (found,)

    def differentiate(self, e: Expr, increments: Sequence[Expr | None]) -> list[Expr]:
        """dF as terms with one increment each, the arguments without one held still."""
        terms: list[Expr] = []
        for i, d in enumerate(increments):
            if d is None:
                continue
            if self.linear:
                changed = (*e.args[:i], d, *e.args[i + 1 :])
                terms.append(e.with_args(changed))
            else:
                assert self.differential is not None
                moved = [d if j == i else a for j, a in enumerate(e.args)]  # the others are placeholders
                found = self.differential(e, *e.args, *moved, **self.attributes(e))
                mine = found[i] if isinstance(found, tuple) else found
                terms += mine if isinstance(mine, list) else [mine]
        return terms


def _axes_of(order: int) -> str:
    return f"an axis from 0 to {order - 1}: axes are counted from 0" if order else "a tensor: a scalar has no axis"


def rational(value: Any) -> Fraction:
    """The number that is written: 0.1 is one tenth. Raises ParseError P002."""
    try:
        if isinstance(value, float):
            return Fraction(repr(float(value)))
        if isinstance(value, Rational):
            return Fraction(value)
    except ValueError:
        raise ParseError("P002", f"{value} is no number to calculate with", expected="a finite number") from None
    raise ParseError("P002", f"{value!r:.80} is neither a tensor nor a number", expected="a tensor or a finite number")


def _dispatcher(token: str, rivals: Sequence[Op]) -> Callable[..., Expr]:
    """The builder behind an operator: the first op with that token whose orders fit."""

    def build(*raw: Any) -> Expr:
        args = [a if isinstance(a, Expr) else REGISTRY["const"](value=rational(a)) for a in raw]
        for o in rivals:
            if o.accepts(args):
                return o(*args)
            if o.commutes and o.accepts(args[::-1]):
                return o(*args[::-1])
        alike = next((o for o in rivals if o.entrywise and all(p == ("*s",) for _, p in o.slots)), None)
        if alike is not None and len(args) == 2:  # a scalar beside a tensor stands for a constant tensor
            wide = max(args, key=lambda a: a.order)
            lifted = [a if a.order else OPERATORS["fill"](a, wide.shape) for a in args]
            if {a.order for a in lifted} == {1, 2}:
                raise alike.mismatch(args, "a vector is not repeated over a matrix by itself: write outer(b, ones(n)) "
                                     "for b in every column, outer(ones(m), b) for b in every row")  # fmt: skip
            return alike(*lifted)
        raise rivals[0].mismatch(args, "no product of these orders")

    return build


def _declare(signature: str, data: Mapping[str, Any]) -> Callable[[Callable[..., Any]], Op]:
    return lambda body: Op(body, signature, **data)


def linear_op(signature: str, *, linear: str, **data: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare an op linear in each argument ("each", as A B) or jointly ("joint", as A + B) by its adjoint."""
    return _declare(signature, {**data, "linear": linear})


def op(signature: str, **data: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare a nonlinear op by its differential `body(Y, *args, *increments)`, Y the node itself.

    With several arguments the body returns a tuple, one entry per increment; an entry may be a list of terms."""
    return _declare(signature, data)


def composite_op(signature: str, **data: Any) -> Callable[[Callable[..., Expr]], Op]:
    """Declare an op by its definition `body(*args, **attrs)` in other ops: its differential is derived from that, as a lemma.

    `through(*args, **attrs)` gives forward values that the differential is to be written with, besides the op's own."""
    return _declare(signature, {**data, "composite": True})


def leaf_op(**data: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare a constant or a name: no arguments, and its shape is computed from its attrs."""
    return _declare("-> []", {**data, "leaf": True})
