"""The same backward equations with indices (style S3), and the way back to matrices as steps (theory.md §10).

Built from networks alone, without the adjoints of any op: a second derivation of every contribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from string import ascii_letters

from ..algebra.dims import Dim, Shape
from ..algebra.expr import Expr, postorder, rebuild
from ..algebra.indexed import letters_of
from ..algebra.lift import NotLiftable, lift
from ..algebra.network import Term, TooLarge
from ..algebra.ops.arithmetic import negated, rational, scaled
from ..algebra.ops.free import gradient, increment, is_var, var
from ..algebra.ops.matrix import eye
from ..algebra.ops.structure import einsum, ones, zeros
from ..algebra.ranges import Range
from ..step import Claim, Step, Why
from .core import Equation
from .derivation import Derivation, assumed_of, cotangents, finished, unassumed, users_of
from .differential import differential
from .loops import family
from .products import Letters, index_terms
from .recurrence import Recurrence, alone, binders, summed
from .transpose import bare

__all__ = ["einsum_of", "index_steps", "jacobian_of"]


def _fresh(letters: Letters, dim: Dim, used: Iterable[str]) -> str:
    """The letter of this size, one character long: the variable's own indices have the letters of the program."""
    busy = set(used)
    found = letters.fresh(dim, busy)
    return found if len(found) == 1 else next(c for c in ascii_letters if c not in busy)


def _open(letters: Letters, v: Expr, x: Expr) -> tuple[str, str]:
    """Letters for the axes of v, and for those of x, as in ∂v/∂x."""
    of = ""
    for d in x.shape:
        of += _fresh(letters, d, of)
    out = ""
    for d in v.shape:
        out += _fresh(letters, d, out + of)
    return out, of


def _letters(letters: Letters, t: Term, names: dict[int, str], taken: str) -> dict[int, str]:
    """A letter for every index of the term, some given."""
    for i, d in t.dims.items():
        if i not in names:
            names[i] = _fresh(letters, d, [*names.values(), *taken])
    return names


def _scaled(t: Term, body: Expr) -> Expr:
    return scaled(t.coef, sorted(t.sizes.items(), key=lambda item: str(item[0])), body)


def einsum_of(t: Term, names: dict[int, str], target: str, extra: list[tuple[str, Expr]]) -> Expr:
    parts = [*extra]
    for f in t.factors:
        parts.append(("".join(names[i] for i in f.legs), f.tensor))
    held = {c for letters, _ in parts for c in letters}
    dims = {names[i]: d for i, d in t.dims.items()}
    parts += [(c, ones((dims[c],))) for c in target if c not in held]
    if not parts:
        return _scaled(t, rational(1))
    return _scaled(t, einsum(",".join(p for p, _ in parts) + "->" + target, *(a for _, a in parts)))


def _sum(parts: list[Expr], shape: Shape = ()) -> Expr:
    """The sum of the parts; zero of the given shape if there are none."""
    if not parts:
        return zeros(shape) if shape else rational(0)
    total = parts[0]
    for p in parts[1:]:
        less = negated(p)
        total = total + p if less is None else total - less
    return total


Hole = tuple[
    Term, tuple[int, ...], tuple[Range, ...]
]  # a term without dx, the indices of dx, sums over letters in front of it


class Inside(TooLarge):
    """An increment stands inside a function that is no index sum: there is no array to write."""


def jacobian_of(
    v: Expr, x: Expr, terms: list[Expr], letters: Letters, axes: tuple[str, str]
) -> tuple[Expr, list[Hole]]:
    """∂v/∂x with δ for the moving factor, and the terms with that factor taken out; `axes` are the letters. Raises TooLarge."""
    out, of = axes
    jacobian: list[Expr] = []
    holes: list[Hole] = []
    for term in terms:
        sums = binders(term)
        for t in _terms(bare(term)):
            node = next((f for f in t.factors if f.atom is increment(x)), None)
            if node is None:
                raise Inside
            t.factors.remove(node)
            names = _letters(letters, t, dict(zip(t.outs, out, strict=True)), of)
            deltas = [(names[i] + of[k], eye(dim=d)) for k, (i, d) in enumerate(zip(node.legs, x.shape, strict=True))]
            jacobian.append(summed(einsum_of(t, names, out + of, deltas), sums))
            holes.append((t, node.legs, sums))
    return _sum(jacobian, v.shape + x.shape), holes


def _terms(term: Expr) -> list[Term]:
    """The index sums of a term with one increment; a sum without it stays one factor. Raises TooLarge."""
    found = index_terms(term, split=lambda e: any(is_var(x, "d") for x in postorder(e)), cut=False)
    if found is None:
        raise TooLarge
    return found


def _of_member(term: Expr, x: Expr) -> tuple[Expr, tuple[Range, ...]]:
    """What the term is for the one member x of a family, and for which x: the sums over its letters are gone, others in front."""
    moving: set[Expr] = {increment(x)}
    own: list[Range] = []
    others: list[Range] = []

    def change(e: Expr, args: tuple[Expr, ...]) -> Expr:
        if moving.isdisjoint(e.args):
            return e
        moving.add(e)
        if not e.op.binder:
            return Expr.make(e.op, args, e.attrs, e.shape)
        (own if e.attrs[0] in letters_of(x) else others).append(Range(*e.attrs))
        return args[0]

    body = rebuild(term, change)
    return summed(body, others[::-1]), tuple(own)


def _without_delta(v: Expr, x: Expr, G: Expr, holes: list[Hole], letters: Letters) -> Expr:
    """The contribution after the δ's have renamed their indices."""
    _, of = _open(letters, v, x)
    parts: list[Expr] = []
    for t, legs, sums in holes:
        names: dict[int, str] = {}
        tied: list[tuple[str, Expr]] = []
        for k, (i, d) in enumerate(zip(legs, x.shape, strict=True)):
            if i in names:
                tied.append((names[i] + of[k], eye(dim=d)))
            else:
                names[i] = of[k]
        names = _letters(letters, t, names, of)
        seed = ("".join(names[i] for i in t.outs), G)
        parts.append(summed(einsum_of(t, names, of, [seed, *tied] if G is not rational(1) else tied), sums))
    return _sum(parts, x.shape)


def _lifted(short: Expr) -> tuple[tuple[str, ...], str]:
    """The rules that bring an index sum back into matrix notation, and the moves of the lifting."""
    try:
        moves = list(dict.fromkeys(lift(short).moves))
    except (NotLiftable, TooLarge):
        return ("I-RENAME",), "no matrix notation exists: the index sum is kept"
    if not moves:
        return ("I-RENAME",), "the same entries"
    return ("I-LIFT",), "; ".join(moves)


def _of(
    q: Equation,
    numbered: Iterator[int],
    cotangent: dict[Expr, Expr],
    alone: dict[tuple[Expr, Expr], Expr],
    letters: Letters,
    target: Expr,
    plain: Mapping[Expr, Expr],
    assumed: Mapping[str, Mapping[Expr, Expr]],
) -> Iterator[Step]:
    terms = differential(q.value, cotangent.keys())
    G = cotangent[q.var]
    for x in dict.fromkeys(t.of for t in terms):
        found = [_of_member(q.named(t.expr), x) for t in terms if t.of is x]
        mine = [term for term, _ in found]
        ranges = tuple(dict.fromkeys([*q.ranges, *(r for _, own in found for r in own)]))
        try:
            out, of = _open(letters, q.var, x)
            jacobian, holes = jacobian_of(q.var, x, mine, letters, (out, of))
        except (TooLarge, StopIteration) as found_no:
            why = (
                "its differential is no index sum of the increment; the same contribution is derived with pairings"
                if isinstance(found_no, Inside)
                else "too many terms or indices to be written out; the same contribution is derived with pairings"
            )
            yield Step(
                id=f"i{next(numbered)}", kind="note", about=x.attrs[0], left=gradient(x), relation="from", right=q.var, rules=("I-EXPAND",),
                why=Why(why),
                claim=Claim("DEFINITION"), premises=(q.var.attrs[0],), ranges=ranges)  # fmt: skip
            continue
        partial = var(f"∂{q.var.attrs[0]}/∂{x.attrs[0]}", q.var.shape + x.shape, "partial")
        moved = einsum(f"{out}{of},{of}->{out}", jacobian, increment(x))

        def step(
            kind: str,
            left: Expr,
            right: Expr,
            rules: tuple[str, ...],
            why: Why,
            claim: Claim,
            x: Expr = x,
            ranges: tuple[Range, ...] = ranges,
        ) -> Step:
            return Step(id=f"i{next(numbered)}", kind=kind, about=x.attrs[0], left=left, relation="=", right=right,
                        rules=rules, why=why, claim=claim, premises=(q.var.attrs[0],), ranges=ranges)  # fmt: skip

        yield step("partial", partial, jacobian, ("I-PARTIAL",),
                   Why(f"{_each(q.var)} by {_each(x)}", "∂x_p/∂x_q is 1 for p = q and 0 otherwise: δ" if x.order else "",
                       "each entry may be varied by itself" if x.order else ""),
                   Claim("EQ", moved, _sum(mine)))  # fmt: skip
        chain = (
            einsum(f"{out},{out}{of}->{of}", G, partial)
            if G is not rational(1)
            else einsum(f"{out}{of}->{of}", partial)
        )
        whole = einsum(f"{out},{out}{of}->{of}", G, jacobian)
        yield step("chain", gradient(x), chain, ("I-CHAIN",),
                   Why(f"{q.var.attrs[0]} is the target: the gradient is made of its partial derivatives"
                       if q.var is target and G is rational(1) else
                       f"{x.attrs[0]} reaches the target through {_each(q.var)}" + (", whose own gradient is 1" if G is rational(1) else ""),
                       "the chain rule on single numbers: sum over everything in between" if q.var.order else ""),
                   Claim("EQ", chain, whole, {partial: jacobian}))  # fmt: skip
        short = _without_delta(q.var, x, G, holes, letters)
        yield step(
            "delta",
            chain,
            short,
            ("I-DELTA",),
            Why("δ keeps one term of its sum and renames the index", "Σ_j δ_jq T_j = T_q")
            if x.order
            else Why("put in"),
            Claim("EQ", whole, short),
        )
        value = alone.get((q.var, x))
        if value is not None:
            rules, moves = _lifted(short)
            before = plain.get(x, value)  # before an assumption of the user was used
            yield step("lift", short, before, rules, Why("back in matrix notation", moves),
                       Claim("EQ", short, before))  # fmt: skip
            if before is not value:
                yield step("lift", before, value, *finished(x, before, value, assumed.get(x.attrs[0], {})))


def _each(v: Expr) -> str:
    return f"every entry of {v.attrs[0]}" if v.order else str(v.attrs[0])


# ---- equations with an index of their own --------------------------------------------------------------


def _moves(d: Recurrence, v: Expr) -> bool:
    return any(family(b.of) == family(v) for b in d.backward)


def _moving(d: Recurrence, q: Equation) -> dict[Expr, Expr]:
    """The names of an equation whose gradients are asked for, with what their gradients are called."""
    return {x: gradient(x) for x in postorder(q.value) if is_var(x) and _moves(d, x)}


def _joined(d: Recurrence, numbered: Iterator[int]) -> Iterator[Step]:
    """The contributions to each member put together, for each range in which the same uses hold."""
    single = set(alone(d).values())
    for b in d.backward:
        if b.value in single:
            continue
        yield Step(
            id=f"i{next(numbered)}", kind="collect", about=b.of.attrs[0], left=gradient(b.of), relation="=", right=b.value,
            rules=("FANOUT",), why=Why("the contributions of all uses, their indices moved to this member, are added"),
            claim=Claim("EQ", gradient(b.of), b.value, {gradient(b.of): b.value}), ranges=b.ranges)  # fmt: skip


def index_steps(d: Derivation) -> list[Step]:
    """The steps of style `index`, none of them checked yet: ∂v/∂x, the chain rule, δ, and the way back to matrices."""
    numbered = count(1)
    letters = Letters(dict.fromkeys([*d.inputs, *(q.var for q in d.core.equations)]))
    cotangent = cotangents(d)
    steps: list[Step] = []
    if isinstance(d, Recurrence):
        cotangent |= {q.var: gradient(q.var) for q in d.core.equations if q.var not in cotangent and _moves(d, q.var)}
        for q in reversed(d.core.equations):
            if q.var in cotangent:
                steps += _of(q, numbered, cotangent | _moving(d, q), alone(d), letters, d.target, {}, {})
        return [*steps, *_joined(d, numbered)]
    known = {b.of: b for b in d.backward}
    plain, assumed = unassumed(d), assumed_of(d)
    users = users_of(d)
    single = {(used[0].var, x): known[x].value for x, used in users.items() if len(used) == 1}
    for q in reversed(d.core.equations):
        if q.var in cotangent:
            steps += _of(q, numbered, cotangent, single, letters, d.target, plain, assumed)
    parts: dict[str, list[Expr]] = {}
    for s in steps:
        if s.kind == "delta":
            parts.setdefault(s.about, []).append(s.right)
    for b in d.backward:
        used, found = users.get(b.of, []), parts.get(b.of.attrs[0], [])
        if b.of is d.target and d.seed is not None:
            found = [d.seed, *found]
        if len(used) > 1 and len(found) >= len(used):
            steps.append(Step(
                id=f"i{next(numbered)}", kind="collect", about=b.of.attrs[0], left=gradient(b.of), relation="=",
                right=plain[b.of], rules=("FANOUT",),
                why=Why(f"{b.of.attrs[0]} is used in {len(used)} equations: their contributions are added"),
                claim=Claim("EQ", _sum(found), plain[b.of], {})))  # fmt: skip
            if plain[b.of] is not b.value:
                rules, why, claim = finished(b.of, plain[b.of], b.value, assumed.get(b.of.attrs[0], {}))
                steps.append(Step(
                    id=f"i{next(numbered)}", kind="collect", about=b.of.attrs[0], left=plain[b.of], relation="=", right=b.value,
                    rules=rules, why=why, claim=claim))  # fmt: skip
    return steps
