"""Constants, index sums, and blocks: how entries are placed, never what they are."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ..dims import Dim, Shape, show_shape
from ..expr import OPERATORS, Expr
from ..op import POSTFIX, Meaning, leaf_op, linear_op
from .arithmetic import LETTERS, add, neg, same, sdiv, smul, sub
from .matrix import eye

_ONE = Dim.number(1)


def _ones_text(e: Expr) -> str:
    inside = ", ".join(str(d) for d in e.shape)
    plain = e.order == 1 and (e.shape[0].name or e.shape[0].constant is not None) and "[" not in inside
    return f"1_{inside}" if plain else f"1_({inside})"


@leaf_op(name="ones", attrs=("dims",), shape=lambda attrs: attrs[0], entry=lambda attrs, index, sizes: 1, uniform=1, text=_ones_text,
         latex=lambda e: r"\mathbf{1}_{" + r"\times ".join(str(d) for d in e.shape) + "}")  # fmt: skip
def _ones() -> None:
    """Every entry is 1."""


def ones(shape: Shape) -> Expr:
    return _ones(dims=tuple(shape))


OPERATORS["ones"] = ones


@leaf_op(name="zeros", attrs=("dims",), shape=lambda attrs: attrs[0], entry=lambda attrs, index, sizes: 0, uniform=0,
         text=lambda e: f"zeros({', '.join(map(str, e.shape))})" if e.order else "0",
         latex=lambda e: r"\mathbf{0}_{" + r"\times ".join(map(str, e.shape)) + "}" if e.order else "0")  # fmt: skip
def _zeros() -> None:
    """Every entry is 0."""


def zeros(shape: Shape) -> Expr:
    return _zeros(dims=tuple(shape))


def _offset(i: int, j: int, start: Dim, sizes: dict[str, int]) -> bool:
    return i == j + start.value(sizes)


def _inside(axis: int, total: Dim, start: Dim, dim: Dim) -> None:
    """Raises ShapeError where the entries lie outside the axis whatever the sizes are."""
    if start.at_least(total + _ONE - dim) or Dim({}).at_least(start + _ONE):
        first, last = start + _ONE, start + dim
        which = f"entry {first} lies" if first == last else f"entries {first} to {last} lie"
        raise ShapeError("S003", f"{which} outside axis {axis} of size {total}", expected=f"entries 1 to {total}")


def _there(total: Dim, start: Dim, dim: Dim) -> str:
    """What must hold of the sizes for these entries to be there, where that does not hold for all sizes: "m ≤ n"."""
    found = [d for d in (start, dim, total - start - dim) if not d.at_least(Dim({}))]
    sides = [(Dim({m: -c for m, c in d.terms if c < 0}), Dim({m: c for m, c in d.terms if c > 0})) for d in found]
    return " and ".join(f"{low} ≤ {high}" for low, high in dict.fromkeys(sides))


def _placed(attrs: tuple[Dim, ...]) -> Shape:
    """The shape of a place or a unit. Raises ShapeError."""
    total, start, *dim = attrs
    _inside(0, total, start, dim[0] if dim else _ONE)
    return (total, *dim)


@leaf_op(attrs=("total", "start", "dim"), shape=_placed, array=lambda np, total, start, dim: np.eye(total)[:, start : start + dim],
         places=lambda e: (e.attrs[1], e.attrs[2]), needs=lambda e: _there(*e.attrs),
         entry=lambda attrs, index, sizes: _offset(index[0], index[1], attrs[1], sizes),
         text=lambda e: f"E_({', '.join(map(str, e.attrs))})", latex=lambda e: f"E_{{{', '.join(map(str, e.attrs))}}}")  # fmt: skip
def place() -> None:
    """The 0/1 matrix that puts `dim` entries at positions start, start+1, … of `total`."""


@leaf_op(attrs=("total", "start"), shape=_placed, array=lambda np, total, start: np.eye(total)[start],
         places=lambda e: (e.attrs[1], _ONE), needs=lambda e: _there(e.attrs[0], e.attrs[1], _ONE),
         entry=lambda attrs, index, sizes: _offset(index[0], 0, attrs[1], sizes),
         text=lambda e: f"e_({', '.join(map(str, e.attrs))})", latex=lambda e: f"e_{{{', '.join(map(str, e.attrs))}}}")  # fmt: skip
def unit() -> None:
    """The 0/1 vector of size `total` with its one 1 at position `start`, counted from 0."""


# ---- index sums ------------------------------------------------------------------------------------------


def _einsum_shape(attrs: tuple[str], *shapes: Shape) -> Shape:
    left, arrow, right = attrs[0].partition("->")
    letters = left.replace(",", "") + right or "a"
    if not (arrow and letters.isalpha() and letters.isascii()):
        raise ShapeError("S003", f"{attrs[0]!r:.80} is not a pattern", expected='letters for the axes, as in "ij,j->i"')
    found: dict[str, Dim] = {}
    slots = left.split(",")
    if len(slots) != len(shapes):
        raise ShapeError("S003", f"{attrs[0]!r} names {len(slots)} factors, but {len(shapes)} are given")
    for letters, shape in zip(slots, shapes, strict=True):
        if len(letters) != len(shape):
            raise ShapeError("S003", f"{letters!r} names {len(letters)} axes of a factor of shape {show_shape(shape)}")
        for c, d in zip(letters, shape, strict=True):
            if found.setdefault(c, d) != d:
                raise ShapeError("S002", f"index {c} runs over {found[c]} in one factor and over {d} in another")
    if len(set(right)) != len(right) or not set(right) <= found.keys():
        raise ShapeError("S003", f"{attrs[0]!r}: every index of the result occurs in it once and in some factor",
                         hint="diag(x) puts a vector on a diagonal; a factor 1_n gives a new axis")  # fmt: skip
    return tuple(found[c] for c in right)


def _axis(axis: int, shape: Shape) -> Dim:
    """The size of an axis. Raises ShapeError if there is none."""
    if not 0 <= axis < len(shape):
        raise ShapeError("S003", f"there is no axis {axis} in a tensor of shape {show_shape(shape)}")
    return shape[axis]


def _sliced(attrs: tuple[int, Dim, Dim], shape: Shape) -> Shape:
    axis, start, dim = attrs
    _inside(axis, _axis(axis, shape), start, dim)
    return (*shape[:axis], dim, *shape[axis + 1 :])


def _taken(attrs: tuple[int, Dim], shape: Shape) -> Shape:
    axis, start = attrs
    _inside(axis, _axis(axis, shape), start, _ONE)
    return (*shape[:axis], *shape[axis + 1 :])


def _padded(attrs: tuple[int, Dim, Dim], shape: Shape) -> Shape:
    axis, start, total = attrs
    _inside(axis, total, start, _axis(axis, shape))
    return (*shape[:axis], total, *shape[axis + 1 :])


def _einsum_text(e: Expr) -> str:
    return f'ein("{e.attrs[0]}", ' + ", ".join(f"${i}:0" for i in range(len(e.args))) + ")"


def _einsum_latex(e: Expr) -> str:
    spec = e.attrs[0].replace("->", r"$\to$")
    return rf"\operatorname{{ein}}(\texttt{{{spec}}};\, " + ", ".join(f"${i}:0" for i in range(len(e.args))) + ")"


def _hole(spec: str, k: int, e: Expr, G: Expr) -> Expr:
    """⟨G, einsum(.., d, ..)⟩ with the node d removed (theory.md §2.2, T1)."""
    left, right = spec.split("->")
    slots = left.split(",")
    factors = [(right, G)] + [(s, a) for i, (s, a) in enumerate(zip(slots, e.args, strict=True)) if i != k]
    free = iter(c for c in LETTERS + LETTERS.upper() if c not in spec)
    target = ""
    for c, d in zip(slots[k], e.args[k].shape, strict=True):
        if c in target:  # a repeated leg: both ends are tied by δ
            twin = next(free, "")
            if not twin:
                raise ShapeError("S003", f"{spec!r} leaves no letter for an axis that is repeated")
            factors.append((c + twin, eye(dim=d)))
            c = twin
        elif not any(c in s for s, _ in factors):  # in no other factor: constant along it
            factors.append((c, ones((d,))))
        target += c
    return einsum(",".join(s for s, _ in factors) + "->" + target, *(a for _, a in factors))


@linear_op("X[*s] -> [*t]", linear="each", attrs=("spec",), shape=_einsum_shape, name="einsum",
           means=lambda e: Meaning(e.attrs[0], range(len(e.args))), text=_einsum_text, latex=_einsum_latex,
           calls=("ein", "einsum"), cite="laue2020", sums=True)  # fmt: skip
def _einsum(G: Expr, *factors: Expr, spec: str) -> tuple[Expr, ...]:
    """A finite sum of products may be regrouped by any factor: remove the node, keep the rest.

    X M-HOLE: ⟨G, Σ …$dX…⟩ = ⟨the same sum without $dX, $dX⟩ | group the finite sum by the entries of $dX (remove the node)
    """
    node = _einsum(*factors, spec=spec)
    return tuple(_hole(spec, k, node, G) for k in range(len(factors)))


def einsum(spec: str, *factors: Expr) -> Expr:
    """The index sum `spec` of the factors. Raises ShapeError when an index runs over two sizes."""
    return _einsum(*factors, spec="".join(spec.split()))


# ---- blocks ----------------------------------------------------------------------------------------------


def _widths(axis: int, order: int, shapes: tuple[Shape, ...]) -> list[Dim]:
    return [s[axis] if len(s) == order else _ONE for s in shapes]


def _concat_order(axis: int, shapes: tuple[Shape, ...]) -> int:
    return max(max(len(s) for s in shapes), axis + 1)


def _concat_shape(attrs: tuple[int], *shapes: Shape) -> Shape:
    axis = attrs[0]
    if not shapes:
        raise ShapeError("S003", "there is no block to join")
    if not isinstance(axis, int) or axis < 0:
        raise ShapeError("S003", f"blocks cannot be joined along axis {axis}", expected="an axis, counted from 0")
    order = _concat_order(axis, shapes)
    rest: Shape | None = None
    total = Dim({})
    for s, w in zip(shapes, _widths(axis, order, shapes), strict=True):
        others = s[:axis] + s[axis + 1 :] if len(s) == order else s
        if len(s) < order - 1 or (rest is not None and others != rest):
            raise ShapeError("S002", "the blocks do not fit: " + ", ".join(show_shape(s) for s in shapes))
        rest = others
        total = total + w
    assert rest is not None
    return (*rest[:axis], total, *rest[axis:])


def _offsets(e: Expr) -> list[tuple[Dim, Dim, bool]]:
    """(start, width, whether the block has the axis) of every block of a concat."""
    axis = e.attrs[0]
    shapes = tuple(a.shape for a in e.args)
    start, found = Dim({}), []
    for s, w in zip(shapes, _widths(axis, e.order, shapes), strict=True):
        found.append((start, w, len(s) == e.order))
        start = start + w
    return found


def _concat_means(e: Expr) -> list[Meaning]:
    axis, out = e.attrs[0], same(e)
    parts = []
    for k, (start, width, has) in enumerate(_offsets(e)):
        total = e.shape[axis]
        old = out[:axis] + ("z" if has else "") + out[axis + 1 :]
        extra = place(total=total, start=start, dim=width) if has else unit(total=total, start=start)
        parts.append(Meaning(f"{old},{out[axis]}{'z' if has else ''}->{out}", [k], extra=(extra,)))
    return parts


def _concat_text(e: Expr) -> str:
    if e.order > 2:
        return "concat(" + ", ".join(f"${i}:0" for i in range(len(e.args))) + f", axis={e.attrs[0]})"
    return "[" + ("; " if e.attrs[0] == 0 else ", ").join(f"${i}:30" for i in range(len(e.args))) + "]"


def _concat_latex(e: Expr) -> str:
    if e.order > 2:
        return r"\operatorname{concat}" + _concat_text(e).removeprefix("concat")
    join = r" \\ " if e.attrs[0] == 0 else " & "
    return r"\begin{bmatrix} " + join.join(f"${i}:0" for i in range(len(e.args))) + r" \end{bmatrix}"


def _concat_array(np: Any, *blocks: Any, axis: int) -> Any:
    order = max(max(b.ndim for b in blocks), axis + 1)
    return np.concatenate([b if b.ndim == order else np.expand_dims(b, axis) for b in blocks], axis=axis)


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis",), shape=_concat_shape, means=_concat_means, name="concat", calls=("concat",),
           text=_concat_text, latex=_concat_latex, array=_concat_array)  # fmt: skip
def _concat(G: Expr, *blocks: Expr, axis: int) -> tuple[Expr, ...]:
    """A sum over all entries of a block matrix is the sum over its blocks.

    X M-CONCAT: ⟨$G, [… $dX …]⟩ = … + ⟨the block of $G opposite $dX, $dX⟩ + … | entries outside the block of $dX are multiplied by zero
    """
    node = _concat(*blocks, axis=axis)
    return tuple(
        _slice(G, axis=axis, start=start, dim=width) if has else take(G, axis=axis, start=start)
        for start, width, has in _offsets(node)
    )


def concat(axis: int, *blocks: Expr) -> Expr:
    """The blocks beside each other along `axis`; a block without that axis is one entry wide. Raises ShapeError."""
    return _concat(*blocks, axis=axis)


def _slice_text(e: Expr, colon: str, dots: str) -> str:
    X, (axis, start, *width) = e.args[0], e.attrs
    first = str(start + _ONE)
    inside = [colon] * X.order
    inside[axis] = first if not width else f"{first}{dots}{start + width[0]}"
    return f"$X[{', '.join(inside)}]"


def _at(axis: int, part: Any) -> tuple[Any, ...]:
    """An index that takes a part of one axis and all of those before it."""
    return (*(slice(None),) * axis, part)


def _pad_array(np: Any, X: Any, axis: int, start: int, total: int) -> Any:
    widths = [(0, 0)] * X.ndim
    widths[axis] = (start, total - start - X.shape[axis])
    return np.pad(X, widths)


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis", "start", "dim"), name="slice",
           array=lambda np, X, axis, start, dim: X[_at(axis, slice(start, start + dim))],
           shape=_sliced, needs=lambda e: _there(e.args[0].shape[e.attrs[0]], *e.attrs[1:]),
           means=lambda e: Meaning(f"{same(e)},{same(e)[e.attrs[0]]}z->{same(e).replace(same(e)[e.attrs[0]], 'z')}", [0],
                                   extra=(place(total=e.args[0].shape[e.attrs[0]], start=e.attrs[1], dim=e.attrs[2]),)),
           text=lambda e: _slice_text(e, ":", ".."), latex=lambda e: _slice_text(e, ":", r"{..}"), fix=POSTFIX)  # fmt: skip
def _slice(G: Expr, X: Expr, *, axis: int, start: Dim, dim: Dim) -> Expr:
    """A slice keeps some entries; its adjoint puts them back and fills with zeros.

    X M-SLICE: ⟨$G, $dX[S]⟩ = ⟨$G padded with zeros outside S, $dX⟩ | entries of $dX outside S have the factor 0
    """
    return pad(G, axis=axis, start=start, total=X.shape[axis])


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis", "start"), shape=_taken,
           array=lambda np, X, axis, start: X[_at(axis, start)],
           needs=lambda e: _there(e.args[0].shape[e.attrs[0]], e.attrs[1], _ONE),
           means=lambda e: Meaning(
               f"{same(e.args[0])},{same(e.args[0])[e.attrs[0]]}->{same(e.args[0]).replace(same(e.args[0])[e.attrs[0]], '')}",
               [0], extra=(unit(total=e.args[0].shape[e.attrs[0]], start=e.attrs[1]),)),
           text=lambda e: _slice_text(e, ":", ".."), latex=lambda e: _slice_text(e, ":", r"{..}"), fix=POSTFIX)  # fmt: skip
def take(G: Expr, X: Expr, *, axis: int, start: Dim) -> Expr:
    """One index of an axis fixed; the adjoint puts the entries back and fills with zeros.

    X M-SLICE: ⟨$G, $dX[S]⟩ = ⟨$G padded with zeros outside S, $dX⟩ | entries of $dX outside S have the factor 0
    """
    letters = same(X)
    rest = letters[:axis] + letters[axis + 1 :]
    return einsum(f"{rest},{letters[axis]}->{letters}", G, unit(total=X.shape[axis], start=start))


@linear_op("X[*s] -> [*t]", linear="joint", attrs=("axis", "start", "total"),
           shape=_padded, array=_pad_array, needs=lambda e: _there(e.attrs[2], e.attrs[1], e.args[0].shape[e.attrs[0]]),
           means=lambda e: Meaning(
               f"{same(e).replace(same(e)[e.attrs[0]], 'z')},{same(e)[e.attrs[0]]}z->{same(e)}", [0],
               extra=(place(total=e.attrs[2], start=e.attrs[1], dim=e.args[0].shape[e.attrs[0]]),)),
           text=lambda e: f"pad($X:0, axis={e.attrs[0]}, start={e.attrs[1]}, size={e.attrs[2]})", calls=("pad",),
           latex=lambda e: r"\operatorname{pad}" + f"($X:0, {e.attrs[0]}, {e.attrs[1]}, {e.attrs[2]})")  # fmt: skip
def pad(G: Expr, X: Expr, *, axis: int, start: Dim, total: Dim) -> Expr:
    """X placed among zeros; the adjoint takes it out again.

    X M-SLICE: ⟨$G, pad($dX)⟩ = ⟨$G[S], $dX⟩ | the zeros outside S drop out
    """
    return _slice(G, axis=axis, start=start, dim=X.shape[axis])


def slice_of(X: Expr, axis: int, start: Dim, dim: Dim) -> Expr:
    return _slice(X, axis=axis, start=start, dim=dim)


# ---- blocks that fill an axis ----------------------------------------------------------------------------


def _terms(e: Expr, sign: bool = True) -> list[tuple[Expr, bool]]:
    """What is added and subtracted in a sum, with its sign, in the order in which it is written."""
    found: list[tuple[Expr, bool]] = []
    waiting = [(e, sign)]
    while waiting:
        x, plus = waiting.pop()
        if x.op in (add, sub):
            waiting += [(x.args[1], plus == (x.op is add)), (x.args[0], plus)]
        elif x.op is neg:
            waiting.append((x.args[0], not plus))
        else:
            found.append((x, plus))
    return found


def joined(e: Expr) -> tuple[Expr, str] | None:
    """Blocks between zeros which together fill an axis, written side by side: pad(a) + pad(b) = [a; b]."""
    if e.op not in (add, sub):
        return None
    parts: dict[Dim, Expr] = {}
    axes, lacking = set(), Dim({})
    for x, plus in _terms(e):
        wraps = []
        while x.op is not pad and len(x.args) == 2 and x.op in (smul, sdiv):
            wraps.append(x)
            x = x.args[x.op is smul]
        if x.op is not pad or x.attrs[1] in parts:
            return None
        axis, start, lacking = x.attrs
        axes.add(axis)
        block = x.args[0]
        for w in reversed(wraps):
            block = smul(w.args[0], block) if w.op is smul else sdiv(block, w.args[1])
        parts[start] = block if plus else -block
    place_, blocks = Dim({}), []
    while place_ in parts and len(axes) == 1:
        blocks.append(parts.pop(place_))
        place_ = place_ + blocks[-1].shape[axis]
    return (concat(axis, *blocks), "blocks_side_by_side") if place_ == lacking and not parts and blocks else None
