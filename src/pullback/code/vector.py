"""Arrays that lie one after the other in a vector: how they are taken out of it and put into it.

Of a matrix that ranges over the symmetric ones, or over another such set, the vector has the free entries alone, so that every
vector is a point of the set and every direction one within it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..algebra.dims import entries_of
from ..algebra.facts import restricted
from ..algebra.ops.free import facts_of
from .door import expected
from .frame import Text, dims_text
from .guards import tupled, unpacked
from .instructions import Value
from .syntax import dim_node, unparsed
from .traced import parsed

__all__ = ["Vector", "joined", "returned"]

# of each set of matrices: what a matrix of it is equal to; where its free entries are, and how many; the sign on the other side
_SETS = {
    "diagonal": ("np.diag(np.diag({0}))", "np.diag_indices({0})", "{0}", 0),
    "symmetric": ("{0}.T", "np.tril_indices({0})", "{0} * ({0} + 1) // 2", 1),
    "skew": ("-{0}.T", "np.tril_indices({0}, -1)", "{0} * ({0} - 1) // 2", -1),
    "lower": ("np.tril({0})", "np.tril_indices({0})", "{0} * ({0} + 1) // 2", 0),
    "upper": ("np.triu({0})", "np.triu_indices({0})", "{0} * ({0} + 1) // 2", 0),
}


class Vector:
    """The text about a vector `x`, which holds the `moving` arrays; `arrays` and `vector` are its functions where they are several."""

    def __init__(self, t: Text, moving: Sequence[Value], x: str) -> None:
        self.t, self.moving, self.x = t, moving, x
        self.names = [t.names[v] for v in moving]
        self.arrays, self.vector = t.fresh("arrays"), t.fresh("vector")
        self.ends = [t.fresh(f"end_{n}") for n in self.names[:-1]]
        self.sets = {
            v: next(s for s in _SETS if s in some)
            for v in moving
            if v.about is not None and (some := restricted(v.about))
        }
        self.at = {v: t.fresh(f"at_{t.names[v]}") for v in self.sets}

    def kind(self, v: Value) -> str:
        """What the array is, in words."""
        shape = f"shape {dims_text(v.shape, self.t)}" if v.shape else "a number"
        free = f", {self.sets[v]}, packed by its free entries" if v in self.sets else ""
        return f"{self.t.names[v]}: {shape}{free}"

    def axis(self, v: Value) -> str:
        return unparsed(dim_node(v.shape[0], self.t.size))

    def ended(self) -> Iterator[str]:
        """Where each array ends in x."""
        for v, at in self.at.items():
            yield f"    {at} = {_SETS[self.sets[v]][1].format(self.axis(v))}"
        total: int | None = 0
        before = ""
        for word, v in zip([*self.ends, "size"], self.moving, strict=True):
            n, text = entries_of(v.shape).constant, unparsed(dim_node(entries_of(v.shape), self.t.size))
            if v in self.sets:
                n, text = None, unparsed(parsed(_SETS[self.sets[v]][2].format(f"({self.axis(v)})")))
            total = None if total is None or n is None else total + n
            yield f"    {word} = {total if total is not None else f'{before} + {text}' if before else text}"
            before = word

    def _places(self) -> Iterator[tuple[str, Value, str, str]]:
        """The arrays, and where each begins and ends."""
        yield from zip(self.names, self.moving, ["", *self.ends], [*self.ends, ""], strict=True)

    def _part(self, v: Value, vector: str, start: str, end: str) -> str:
        if not v.shape:
            return f"{vector}[{start or 0}]"
        cut = f"{vector}[{start}:{end}]" if start or end else vector
        if v in self.sets:
            return f"_matrix({cut}, {self.at[v]}, {self.axis(v)}, {_SETS[self.sets[v]][3]})"
        return f"{cut}.reshape{dims_text(v.shape, self.t)}" if v.order > 1 else cut

    def _flat(self, name: str, v: Value) -> str:
        """The entries of a gradient, in the order of x."""
        if v in self.sets:
            return f"_entries({name}, {self.at[v]}, {_SETS[self.sets[v]][3]})"
        return name if v.order == 1 else f"{name}.ravel()" if v.shape else f"[{name}]"

    def packed(self, names: Sequence[str]) -> str:
        """Gradients of these names as one vector, which is a new one."""
        if len(names) > 1:
            first, *rest = self.t.listed(f"    return {self.vector}(", names, ")")
            return "\n".join([first.removeprefix("    return "), *(x[4:] for x in rest)])
        [v] = self.moving
        if v in self.sets:
            return self._flat(names[0], v)
        return (
            f"{names[0]}.{'flatten' if v.order > 1 else 'copy'}()"
            if v.order
            else f"np.array([{names[0]}], dtype=float)"
        )

    def taken(self, vector: str, names: Sequence[str]) -> Iterator[str]:
        """The arrays in a vector, by these names; "_" for what is not wanted."""
        if len(names) > 1:
            yield from unpacked(self.t, names, f"{self.arrays}({vector})")
        else:
            yield f"    {names[0]} = {self._part(self.moving[0], vector, '', '')}"

    def functions(self) -> Iterator[str]:
        """`arrays` and `vector` where there are several arrays, and `pack`, `unpack`."""
        t, x, names = self.t, self.x, self.names
        if len(names) > 1:
            yield from ("", f"def {self.arrays}({x}):", '    """The arrays that lie in a vector."""')
            for name, v, start, end in self._places():
                yield f"    {name} = {self._part(v, x, start, end)}"
            yield from returned(t, names)
            of = "The gradient in" if self.sets else "The arrays in"
            yield from ("", *t.listed(f"def {self.vector}(", names, "):"), f'    """{of} one new vector."""')
            yield from joined(t, [self._flat(n, v) for n, v in zip(names, self.moving, strict=True)])
        yield from ("", *t.listed("def pack(", ["*", *names], "):"), '    """The vector of these arrays."""')
        yield from (f'    {n} = _array("{n}", {n}, {v.order})' for n, v in zip(names, self.moving, strict=True))
        yield from expected(t, self.moving)
        for n, v in zip(names, self.moving, strict=True):
            if v in self.sets:
                yield f"    if not np.array_equal({n}, {_SETS[self.sets[v]][0].format(n)}):"
                yield f'        raise ValueError("{n} is not {self.sets[v]}")'
        yield from self.definite("ValueError")
        if self.sets:
            yield from joined(
                t,
                [
                    f"{n}[{self.at[v]}]" if v in self.sets else self._flat(n, v)
                    for n, v in zip(names, self.moving, strict=True)
                ],
            )
        else:
            yield from returned(t, [self.packed(names)])
        yield from ("", f"def unpack({x}):", '    """{name: array} for a vector."""')
        yield from self.taken(f'_vector("{x}", {x}, size)', names)
        own = [f'"{v.name}": {n}{".copy()" if v.shape else ""}' for n, v in zip(names, self.moving, strict=True)]
        yield from t.listed("    return {", own, "}")

    def definite(self, error: str) -> Iterator[str]:
        """The lines that refuse a matrix which is not positive definite where it was declared so."""
        for n, v in zip(self.names, self.moving, strict=True):
            if v.about is not None and "posdef" in facts_of(v.about):
                yield f"    if not _is_definite({n}):"
                yield f'        raise {error}("{n} is not positive definite")'

    # ---- many vectors, the rows of a matrix ----------------------------------------------------------------------

    def rows(self, matrix: str, names: Sequence[str]) -> Iterator[str]:
        """The arrays in every row of a matrix, by these names; "_" for what is not wanted."""
        for name, (_, v, start, end) in zip(names, self._places(), strict=True):
            cut = f"{matrix}[:, {start}:{end}]" if start or end else matrix
            part = (
                f"{cut}.reshape(-1, {dims_text(v.shape, self.t)[1:-1]})"
                if v.order > 1
                else cut
                if v.order
                else f"{matrix}[:, {start or 0}]"
            )
            if name != "_":
                yield f"    {name} = {part}"

    def in_rows(self, names: Sequence[str], rows: str) -> list[str]:
        """The gradients of these names as matrices, one gradient a row; "" for what is 0."""
        found = []
        for name, v in zip(names, self.moving, strict=True):
            entries = unparsed(dim_node(entries_of(v.shape), self.t.size))
            shaped = name if v.order == 1 else f"{name}.reshape(-1, {entries})" if v.order else f"{name}[:, None]"
            found.append(shaped if name else f"np.zeros(({rows}, {entries}))")
        return found


def returned(t: Text, words: Sequence[str], many: bool = False) -> Iterator[str]:
    """The last line; a tuple, if there may be `many`, also where it is one."""
    whole = f"    return {', '.join(words)}"
    if len(words) == 1 and not many:
        yield from (f"    {x}" for x in f"return {words[0]}".split("\n"))
    elif len(words) > 1 and len(whole) <= t.width and "\n" not in whole:
        yield whole
    else:
        yield from tupled(t, "    return ", words)


def joined(t: Text, arrays: Sequence[str], option: str = "") -> Iterator[str]:
    """The arrays side by side, given back."""
    whole = f"    return np.concatenate([{', '.join(arrays)}]{option})"
    if len(arrays) == 1:
        yield f"    return {arrays[0]}"
    elif len(whole) <= t.width:
        yield whole
    else:
        word = t.fresh("parts")
        yield from t.listed(f"    {word} = [", arrays, "]")
        yield f"    return np.concatenate({word}{option})"
