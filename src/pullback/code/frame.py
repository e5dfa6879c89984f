"""What a target is, and the names that everything has while its text is written."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..algebra.dims import Shape
from ..algebra.expr import Expr
from ..algebra.ops.free import is_free_function, is_free_map
from ..errors import UnsupportedError
from .instructions import Applied, Value
from .lives import Lives
from .plan import Plan
from .speller import Spelling
from .syntax import dim_node, unparsed

__all__ = ["WIDTH", "Target", "Text", "Words", "Writer", "begun", "called", "dims_text", "named", "untold", "word_of"]

WIDTH = 88  # as ruff format has it
_RESERVED = frozenset(
    {
        "abs",
        "enumerate",
        "evaluate",
        "float",
        "id",
        "int",
        "len",
        "linalg",
        "math",
        "max",
        "min",
        "range",
        "slice",
        "special",
        "sum",
        "tuple",
        "value_and_grad",
    }
)  # words that generated code may use, and what its functions are called


@dataclass(frozen=True, slots=True)
class Words:
    """How names and equations are written: the printer stands above this floor."""

    name: Callable[[str], str]  # of a variable or a function, in ASCII
    text: Callable[[Expr], str]  # of an expression, in Unicode


@dataclass(frozen=True, slots=True)
class Target:
    """What a target writes in its own way."""

    name: str
    imports: tuple[str, ...]
    spelling: Spelling
    door: str  # the helper that makes an array of an argument and checks its number of axes
    reserved: frozenset[str]
    like: tuple[
        str, str
    ]  # the line that says of which type new arrays are, made of {arrays} or {first}; and without inputs
    kernels: frozenset[str] = frozenset()  # functions that it has whole, by the names that ops give them
    # those that only a plain function may call, for the framework cannot differentiate them
    alone: frozenset[str] = frozenset()
    typed: bool = False  # whether one type is settled for all arguments first: arrays of two types cannot be added
    copies: str = "$X"  # an array that must not be the same as another one
    apart: str = ""  # an array of which the compiler must not know that it was computed with before
    rows: str = ""  # how one row of an array is written: "assigned", "functional"; "" if not at all
    blames: str = ""  # whether a number is NaN, where code can ask
    fuses: bool = False  # whether x + y z is one call
    reuses: bool = False  # whether lines write to temporaries, and to arrays that die
    recycles: bool = False  # whether lines compute into arrays that are dead
    decorators: tuple[str, ...] = ()  # of a plain function
    # what a function needs whose code has these characters: (characters, import, helper)
    extras: tuple[tuple[str, str, str], ...] = ()


Writer = Callable[[Plan, Words, str], str]  # the module for a plan, with a function of this name


@dataclass(slots=True)
class Text:
    plan: Plan
    target: Target
    words: Words
    taken: set[str] = field(default_factory=set)
    names: dict[Value, str] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    functions: dict[Expr, str] = field(default_factory=dict)  # a call -> the name of what is called
    inline: dict[Value, ast.expr] = field(default_factory=dict)
    static: set[Value] = field(default_factory=set)
    kept: set[Value] = field(default_factory=set)  # what must have a name although it is used once
    owned: set[Value] = field(default_factory=set)  # what must not be a view of another array
    said: set[Expr] = field(default_factory=set)  # the names whose equations stand above a line already
    places: dict[Expr, str] = field(default_factory=dict)  # where names go that are no identifiers: h[t]
    added: set[Value] = field(default_factory=set)  # what is added to its place
    beside: dict[Value, list[Value]] = field(default_factory=dict)  # results of one call, in their order
    lives: Lives | None = None
    # arrays that are dead, with the names of their memory
    spare: list[tuple[Shape, list[str]]] = field(default_factory=list)
    taken_over: dict[str, list[str]] = field(default_factory=dict)  # a name -> earlier names of its memory
    extent: Callable[[str], str] | None = (
        None  # how many entries of an axis an array has, where it is a block of another
    )
    blocks: dict[str, str] = field(default_factory=dict)  # sizes that are cut -> identifiers for how long a block is
    joined: Callable[[Value, ast.expr], ast.expr] | None = (
        None  # what a block of an array is made of: the sum over all of them
    )
    temporaries: int = 0
    deeper: int = 0  # how far to the right of the margin all of it will stand
    traced: set[str] = field(default_factory=set)  # identifiers of sizes that are arrays here, and no numbers of Python

    def fresh(self, wanted: str) -> str:
        """An identifier that nobody has yet."""
        word = re.sub(r"\W", "_", wanted.rstrip("])"))
        word = f"v{word}" if not word or word[0].isdigit() else word
        while word in self.taken or keyword.iskeyword(word) or word in _RESERVED | self.target.reserved:
            word += "_"
        self.taken.add(word)
        return word

    def size(self, symbol: str) -> str:
        """The identifier of a size. Raises UnsupportedError U044."""
        if symbol not in self.sizes:
            raise untold(symbol)
        return self.sizes[symbol]

    def here(self, symbol: str) -> str:
        """The identifier of a size, or of how much of it a block has."""
        return self.blocks.get(symbol) or self.size(symbol)

    @property
    def width(self) -> int:
        return WIDTH - self.deeper

    def listed(self, head: str, words: Sequence[str], tail: str) -> Iterator[str]:
        """`head` a, b, c `tail`, with one word a line where that is too long."""
        whole = f"{head}{', '.join(words)}{tail}"
        if len(whole) <= self.width and "\n" not in whole:
            yield whole
            return
        indent = " " * (len(head) - len(head.lstrip()))
        yield head
        yield from (f"{indent}    {x}" for w in words for x in f"{w},".split("\n"))
        yield f"{indent}{tail}"

    def typed_as(self, arrays: Sequence[str], first: str = "") -> Iterator[str]:
        """What the numbers of the code are like: these arrays, or the `first` of them."""
        head, arrays_too, tail = self.target.like[not arrays].partition("{arrays}")
        if arrays_too:
            yield from self.listed(f"    {head}", arrays, tail)
        else:
            yield f"    {head.format(first=first or [*arrays, ''][0])}"

    def numbers(self) -> set[str]:
        """The identifiers that stand for numbers of Python."""
        return {*self.sizes.values(), *(self.names[v] for v in self.static if v in self.names)} - self.traced

    def temporary(self) -> str:
        self.temporaries += 1
        return self.fresh(f"t{self.temporaries}")


def begun(plan: Plan, target: Target, words: Words) -> Text:
    """Names for the inputs, the functions and the sizes."""
    t = Text(plan, target, words, static=plan.static())
    for v in plan.inputs:
        t.names[v] = t.fresh(words.name(v.name))
    _name_functions(t)
    for d in (d for v in plan.inputs for d in v.shape):
        for s in sorted(d.symbols() - t.sizes.keys()):
            t.sizes[s] = t.fresh(words.name(s))
    return t


def named(plan: Plan, target: Target, words: Words, sizes: bool = False) -> Text:
    """A name for every array; and for every size that occurs, if `sizes` are arguments."""
    t = begun(plan, target, words)
    if sizes:
        for d in (d for v in plan.values for d in v.shape):
            for s in sorted(d.symbols() - t.sizes.keys()):
                t.sizes[s] = t.fresh(words.name(s))
    for v in plan.lines:
        t.names[v] = word_of(t, v)
    return t


def word_of(t: Text, v: Value) -> str:
    if v.about is None:
        return t.temporary()
    again = "_again" if v in t.plan.again else ""
    return t.places.get(v.about) or t.fresh(t.words.name(t.words.text(v.about)) + again)


def _name_functions(t: Text) -> None:
    known: dict[str, str] = {}
    for v in t.plan.lines:
        if isinstance(v.by, Applied):
            node = v.by.node
            key = called(node, t.words)
            if key not in known:
                known[key] = t.fresh(key)
            t.functions[node] = known[key]


def called(e: Expr, words: Words, name: str = "") -> str:
    """f, df, d2f for an entrywise function and its derivatives; loss, grad_loss, jac_g for others."""
    name = words.name(name or e.attrs[0])
    if is_free_map(e):
        orders: tuple[int, ...] = e.attrs[1]
        if not any(orders):
            return name
        which = "" if len(orders) == 1 else "_" + "".join(str(i + 1) * k for i, k in enumerate(orders))
        total = sum(orders)
        return f"d{total if total > 1 else ''}{name}{which}"
    assert is_free_function(e)
    slots = e.attrs[1]
    if not slots:
        return name
    word = ("jac" if e.attrs[2] else "grad") if len(slots) == 1 else "hess" if len(slots) == 2 else f"d{len(slots)}"
    which = "".join(f"_{k + 1}" for k in slots) if len(e.args) > 1 else ""
    return f"{word}_{name}{which}"


def dims_text(shape: Shape, t: Text, size: Callable[[str], str] | None = None) -> str:
    dims = [unparsed(dim_node(d, size or t.size)) for d in shape]
    return "(" + ", ".join(dims) + ("," if len(dims) == 1 else "") + ")"


def untold(symbol: str) -> UnsupportedError:
    return UnsupportedError("U044", f"the size {symbol} cannot be told from the arrays",
                            hint="every size must occur in an input's shape")  # fmt: skip
