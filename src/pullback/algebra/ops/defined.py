"""Functions that a program defines, as φ(t) = t tanh(log(1 + eᵗ)): one number for each entry, by its own name in every formula.

A definition is a scalar expression in its parameters. Its derivatives are not given: they are the chain rule through this
expression, node by node. What a node of the op `defined_map` means is that expression, spread over the entries of its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from weakref import WeakValueDictionary

from ...errors import ShapeError, UnsupportedError
from ..dims import Dim, Shape, show_shape
from ..expr import OPERATORS, Expr, dims_in, postorder, rebuild, substitute
from ..numbers import numbers_in_front
from ..op import REGISTRY, Op, op
from .arithmetic import added, rational, sdiv, smul
from .free import is_free_map, primes

__all__ = ["Defined", "defined", "defined_map", "definition_of", "is_pointwise", "map_of", "unfolded"]

_LARGEST = 4000  # nodes of a definition with all others put in, after which it is refused

_interned: WeakValueDictionary[tuple[object, ...], Defined] = WeakValueDictionary()
_serial = count(1)


class Defined:
    """`name(params) = body`, one object for equal definitions. `outer` are the other names in the body: arguments that are not written."""

    __slots__ = ("__weakref__", "body", "name", "outer", "params", "serial", "whole")

    name: str
    params: tuple[Expr, ...]
    outer: tuple[Expr, ...]
    body: Expr
    whole: Expr  # the body with all definitions put in
    serial: int

    def __str__(self) -> str:
        """Different definitions have different texts, also under one name."""
        return f"{self.name}#{self.serial}"

    __repr__ = __str__

    @property
    def slots(self) -> tuple[Expr, ...]:
        return self.params + self.outer

    def spelling(self, orders: tuple[int, ...], mark: str = "∂", sub: str = "_") -> str:
        """What a derivative is called: φ′, ∂1_g, and ∂c_φ for a name c from outside."""
        if len(self.params) == 1 and not any(orders[1:]):
            return primes(self.name, orders[:1])
        return (
            "".join((mark + self.place(i)) * k for i, k in enumerate(orders)) + (sub if any(orders) else "") + self.name
        )

    def place(self, i: int) -> str:
        """How a derivative says in which argument it is taken: by its number, or by a short name from outside."""
        name = str(self.slots[i].attrs[0])
        return name if i >= len(self.params) and is_mark(name) else str(i + 1)


def is_mark(name: str) -> bool:
    """Whether ∂name_φ can be read, also as dname_phi."""
    return name.isascii() and name.isalpha() and "d" not in name


def defined(name: str, params: Sequence[Expr], outer: Sequence[Expr], body: Expr) -> Defined:
    """The function. Raises UnsupportedError U060, U061 if the body is none of numbers, or too large."""
    key = (name, tuple(params), tuple(outer), body)
    found = _interned.get(key)
    if found is not None:
        return found
    for e in postorder(body):
        if e.order or not is_pointwise(e.op) or any(dims_in(e)):
            what = e.attrs[0] if not e.args and e.attrs else e.op.name
            raise UnsupportedError("U060", f"the value of {name} is not made of numbers: {what} is no number, or no function of numbers",
                                   expected="sums, products, powers, quotients and functions of one number")  # fmt: skip
    found = object.__new__(Defined)
    found.name, found.params, found.outer, found.body = name, tuple(params), tuple(outer), body
    found.serial, found.whole = next(_serial), unfolded(body, composite=True)
    if sum(1 for _ in postorder(found.whole)) > _LARGEST:
        raise UnsupportedError("U061", f"the definition of {name} is too long with all other definitions put in",
                               expected=f"at most {_LARGEST} operations", hint="name a part of it in the program: z = …; y = f(z)")  # fmt: skip
    return _interned.setdefault(key, found)


def is_pointwise(o: Op) -> bool:
    """Whether the op makes one number of numbers, so that it can be done in every entry by itself."""
    everywhere = o.result == ("*s",) and all(p in (("*s",), ()) for _, p in o.slots)
    along = o.binder or not {"axis", "axes"}.isdisjoint(o.attr_names) or (o.composite and not o.entrywise)
    return not o.slots or (everywhere and not along)


def _has_numbers(o: Op) -> bool:
    """Whether a slot is for one number beside a tensor, as the bounds of clip are."""
    return o is not smul and o is not sdiv and not all(p == ("*s",) for _, p in o.slots)


# ---- the derivative of a scalar expression ---------------------------------------------------------------


def slope(body: Expr, x: Expr) -> Expr:
    """The derivative of a scalar expression by one of its names: the chain rule, every node once."""
    moved: dict[Expr, Expr] = {x: rational(1)}
    for e in postorder(body):
        if e is not x and any(a in moved for a in e.args):
            moved[e] = added([_plain(change(e, k, moved[a])) for k, a in enumerate(e.args) if a in moved])
    return moved.get(body, rational(0))


def _plain(e: Expr) -> Expr:
    """Without a factor 1."""
    found = numbers_in_front(e)
    return e if found is None else found[0]


def change(e: Expr, k: int, d: Expr) -> Expr:
    """How a number changes when the k-th number it is made of changes by d."""
    if e.op.alone is not None:
        alone: Expr = e.op.alone(k, d)
        return alone
    found: list[Expr] = e.op.differentiate(e, [d if i == k else None for i in range(len(e.args))])
    return found[0]


@lru_cache(maxsize=512)
def _derivative(f: Defined, orders: tuple[int, ...]) -> Expr:
    """The scalar expression for a derivative of f, as the chain rule gives it."""
    found = f.whole
    for x, times in zip(f.slots, orders, strict=True):
        for _ in range(times):
            found = slope(found, x)
    return found


# ---- a scalar expression in every entry -------------------------------------------------------------------


def spread(body: Expr, bind: Mapping[Expr, Expr], shape: Shape) -> Expr:
    """The tensor whose entries are `body` at the entries of what its names are bound to; a number is the same for all."""
    if not shape:
        return substitute(body, bind)
    done: dict[Expr, Expr] = {}
    for e in postorder(body):
        args = tuple(done[a] for a in e.args)
        if e in bind:
            done[e] = bind[e]
        elif not any(a.order for a in args):
            done[e] = e.with_args(args)
        elif e.op is smul:
            done[e] = args[0] * args[1]
        elif e.op is sdiv:
            done[e] = args[0] / args[1]
        else:
            done[e] = _everywhere(e, args, shape)
    return _wide(done[body], shape)


def _everywhere(e: Expr, args: tuple[Expr, ...], shape: Shape) -> Expr:
    """The op of the node in every entry: with one number beside a tensor, as in xᵇ, or with one for each entry."""
    slots = [pattern for _, pattern in e.op.slots]
    held = len(slots) == len(args) and all(a.order == 0 for a, p in zip(args, slots, strict=True) if not p)
    if held:
        return e.op(*(_wide(a, shape) if p else a for a, p in zip(args, slots, strict=True)), **e.op.attributes(e))  # type: ignore[no-any-return]
    wide = [_wide(a, shape) for a in args]
    if len(slots) == len(args):  # the op of the same name for tensors alone
        other = next(
            o
            for o in REGISTRY.values()
            if set(o.calls) & set(e.op.calls) and all(p for _, p in o.slots) and o.accepts(wide)
        )
        return other(*wide)
    return e.op(*wide, **e.op.attributes(e))  # type: ignore[no-any-return]


def _wide(e: Expr, shape: Shape) -> Expr:
    found: Expr = e if e.order else OPERATORS["fill"](e, shape)
    return found


# ---- the op ----------------------------------------------------------------------------------------------


def _shape(attrs: tuple[Defined, tuple[int, ...]], *shapes: Shape) -> Shape:
    f, orders = attrs
    wide = next((s for s in shapes if s), ())
    if len(shapes) != len(f.slots) or len(orders) != len(shapes) or any(s and s != wide for s in shapes):
        raise ShapeError("S002", f"{f.name} acts entry by entry on {len(f.slots)} arguments of one shape, or numbers, not "
                         + " and ".join(show_shape(s) for s in shapes))  # fmt: skip
    return wide


def _arguments(e: Expr) -> str:
    """The arguments as they are written; what stands for a name from outside only where it is another."""
    f: Defined = e.attrs[0]
    n = len(f.params)
    others = ", ".join(f"@{v.attrs[0]}@ = ${n + k}:0" for k, v in enumerate(f.outer) if not _itself(e.args[n + k], v))
    return "(" + ", ".join(f"${k}:0" for k in range(n)) + (f"; {others}" if others else "") + ")"


def _itself(a: Expr, v: Expr) -> bool:
    """Whether a name from outside stands for what it names in the program: a number, or a size."""
    size = next(iter(a.attrs), None)
    return a is v or (not a.args and isinstance(size, Dim) and str(size) == v.attrs[0])


def _text(e: Expr) -> str:
    f, orders = e.attrs
    return f"@{f.spelling(orders)}@" + _arguments(e)


def _latex(e: Expr) -> str:
    f, orders = e.attrs
    if len(f.params) == 1 and not any(orders[1:]):
        power = "'" * orders[0] if orders[0] < 4 else f"^{{({orders[0]})}}"
        return f"@{f.name}@{power}" + _arguments(e)
    return "".join(rf"\partial_{{@{f.place(i)}@}}" * k for i, k in enumerate(orders)) + f"@{f.name}@" + _arguments(e)


def _define(e: Expr, *args: Expr) -> Expr:
    f, orders = e.attrs
    return spread(_derivative(f, orders), dict(zip(f.slots, args, strict=True)), e.shape)


@op("X[*s] -> [*s]", name="defined_map", attrs=("function", "orders"), shape=_shape, entrywise=True, named=True,
    define=_define, text=_text, latex=_latex)  # fmt: skip
def _defined_map(Y: Expr, *both: Expr, function: Defined, orders: tuple[int, ...]) -> tuple[Expr, ...]:
    """φ(t + dt) = φ(t) + φ′(t) dt + o(|dt|) in every entry; φ′ is derived from the definition of φ.

    X D-MAP: $name acts entry by entry: the entry of the result depends on the same entry of $0 alone, with slope $slope
    """
    args, increments = both[: len(orders)], both[len(orders) :]
    terms = []
    for i, dX in enumerate(increments):
        raised = tuple(k + (j == i) for j, k in enumerate(orders))
        terms.append(_defined_map(*args, function=function, orders=raised) * dX)
    return tuple(terms)


def defined_map(f: Defined, *args: Expr, orders: tuple[int, ...] | None = None) -> Expr:
    """f(x, ..) entry by entry, the names from outside behind the arguments; `orders` says how often it is differentiated in each."""
    return _defined_map(*args, function=f, orders=orders or (0,) * len(args))


def definition_of(e: Expr) -> Defined | None:
    """The function that is applied, if the program defines it."""
    return e.attrs[0] if e.op is _defined_map else None


def map_of(e: Expr) -> tuple[str, tuple[int, ...]] | None:
    """The name and the orders of a function with a name of the program, unknown or defined, that acts entry by entry."""
    if is_free_map(e):
        return e.attrs[0], e.attrs[1]
    return (e.attrs[0].name, e.attrs[1]) if e.op is _defined_map else None


def unfolded(root: Expr, *, composite: bool = False) -> Expr:
    """`root` with every defined function replaced by what it stands for, and composite ops and those with a number beside a
    tensor too if asked for."""

    def opened(e: Expr) -> bool:
        return bool(e.op.named or (composite and e.op.define is not None and (e.op.composite or _has_numbers(e.op))))

    while any(map(opened, postorder(root))):
        root = rebuild(root, lambda e, args: e.op.define(e, *args) if opened(e) else e.with_args(args))
    return root
