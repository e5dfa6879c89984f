"""Why a matrix is the Jacobian, and why products of them are written as they are: the sentences of style `jacobian`."""

from __future__ import annotations

from collections.abc import Mapping

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import increment
from ..algebra.ops.matrix import diag
from ..step import Why
from .core import Equation
from .derivation import Derivation
from .simplify import tidy
from .stacked import Diag, Form, Kron, Leaf, Product, Scaled, Sum, Turned

__all__ = ["chain_why", "has_kron", "letters_of", "reason", "turn_why", "value_reason"]

_POOLS = {"A": "APRCK", "X": "XMYHN", "B": "BQSDL", "u": "uprgc", "v": "vwsqh", "x": "xtyoe"}


def letters_of(d: Derivation) -> dict[str, str]:
    """Letters for statements about any matrices and vectors, none of them a name or a size of the program."""
    names = [*d.inputs, *(q.var for q in d.core.equations)]
    taken = {v.attrs[0] for v in names} | {s for v in names for n in v.shape for s in n.symbols()} | {"E", "J", "I"}
    taken |= {
        e.attrs[0] for q in d.core.equations for e in postorder(q.value) if e.attrs and isinstance(e.attrs[0], str)
    }
    found: dict[str, str] = {}
    for role, pool in _POOLS.items():
        found[role] = next((c for c in pool if c not in taken), role)
    return found


def has_kron(f: Form) -> bool:
    stack: list[Form] = [f]
    while stack:
        match stack.pop():
            case Kron():
                return True
            case Product(inside):
                stack += inside
            case Sum(parts):
                stack += [p for _, p in parts]
            case Scaled(_, of) | Turned(of):
                stack.append(of)
    return False


def _is_diagonal(f: Form) -> bool:
    return isinstance(f, Diag) or (isinstance(f, Leaf) and f.expr.op is diag)


def _ways(q: Expr, x: Expr) -> tuple[bool, bool]:
    """(whether q is linear in x, whether every function between them acts entry by entry)."""
    live: set[Expr] = set()
    linear = entrywise = True
    for e in postorder(q):
        held = sum(a in live for a in e.args)
        if e is x or held:
            live.add(e)
        if held and e.op.linear is None:
            linear, entrywise = False, entrywise and e.op.entrywise
        if held > 1 and e.op.linear == "each":
            linear = False
    return linear, entrywise


def _general(text: str, letters: Mapping[str, str]) -> str:
    """The statement with the letters of its roles, written «A», put in."""
    for role, letter in letters.items():
        text = text.replace(f"«{role}»", letter)
    return text


def reason(q: Equation, x: Expr, form: Form, whole: Expr, letters: Mapping[str, str]) -> tuple[tuple[str, ...], Why]:
    v = q.var
    linear, entrywise = _ways(q.value, x)
    bind = {"d": increment(v), "t": tidy(whole)[0], "dx": increment(x)}
    more = ("J-KRON",) if has_kron(form) else ()
    proof = ""
    if more:
        proof = _general("vec(«A» «X» «B») = («B»ᵀ ⊗ «A») vec(«X»): column k of the product is the sum over j of «B»_jk times column j "
                         "of «A» «X», so block (k, j) of the matrix is «B»_jk «A»", letters)  # fmt: skip
    if not linear and entrywise and _is_diagonal(form):
        name, other = v.attrs[0], x.attrs[0]
        says = f"entry by entry: an entry of {name} depends on the same entry of {other} alone, so all entries off the diagonal are 0"
        if v.order == 1:
            says = f"entry by entry: ∂{name}_i/∂{other}_k = 0 for i ≠ k"
        slope = "the diagonal holds the slopes, one for each entry: a matrix, not the vector of the slopes"
        return ("J-MAP", *more), Why(says, slope, proof, bind)
    if linear:
        says = f"{v.attrs[0]} is linear in {x.attrs[0]}: its part in $d is $t"
        return ("J-LIN", *more), Why(says, "what is linear in the part that moves is its own derivative", proof, bind)
    says = "the part of $d that is linear in $dx is $t: its coefficients"
    return ("J-DIFF", *more), Why(
        says, _general("d«v» = J d«x» for every d«x»: only one matrix does that", letters), proof, bind
    )


def chain_why(x: Expr, used: list[Expr], rows: bool, target: Expr | None) -> Why:
    """Through which names x reaches the target; `target` is the name whose own equation holds x besides."""
    name = x.attrs[0]
    names = list(dict.fromkeys(v.attrs[0] for v in used if v is not target))
    through = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    order = "rows are multiplied from the left" if rows else "in this layout the later Jacobian stands on the right"
    straight = " and directly" if any(v is target for v in used) else ""
    added = ": the products are added" if len(used) > 1 else ""
    return Why(f"{name} reaches the target through {through}{straight}{added}", order)


def turn_why(letters: Mapping[str, str]) -> Why:
    return Why("the gradient is the row, transposed", _general("(«A» «B»)ᵀ = «B»ᵀ «A»ᵀ, and («A» ⊗ «B»)ᵀ = «A»ᵀ ⊗ «B»ᵀ", letters),
               "a row times the stacked increment is one number, and so is the pairing of the transposed row with the increment: "
               "they are the same sum of products")  # fmt: skip


_UNSTACKED = {"J-KRON": "(«B»ᵀ ⊗ «A») vec(«X») = vec(«A» «X» «B»)", "J-DIAG": "diag(«u») «v» = «u» ⊙ «v»"}


def value_reason(back: Form, letters: Mapping[str, str]) -> tuple[tuple[str, ...], Why]:
    """Which identities turn a product of matrices and a stacked array into a stacked array."""
    parts = [p for _, p in back.parts] if isinstance(back, Sum) else [back]
    factors = [y for p in parts for y in (p.factors if isinstance(p, Product) else (p,))]
    found = ["J-KRON"] if any(isinstance(f, Kron) for f in factors) else []
    found += ["J-DIAG"] if any(_is_diagonal(f) for f in factors) else []
    if not found:
        return ("S-SAME",), Why("the same, written shorter")
    return tuple(found), Why(_general("; ".join(_UNSTACKED[r] for r in found), letters))
