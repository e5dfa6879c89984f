"""The program at small sizes, entry by entry: which number goes into which, and with which weight."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ..algebra.expr import Expr, postorder
from ..algebra.ops.free import gradient, is_var
from ..calculus.core import Equation
from ..calculus.derivation import Derivation
from ..calculus.roles import Entry, Product, index_terms
from ..errors import ParseError, UnsupportedError
from .indices import entry, products_text
from .small import entries

__all__ = ["neurons"]

MOST = 6  # neurons of one layer

Json = dict[str, Any]


def neurons(
    d: Derivation, sizes: Mapping[str, int], taken: Collection[str], math: Callable[[Expr], Json | None]
) -> Json:
    """Layers of numbers and the uses between them. Raises UnsupportedError U034 where the program has no such picture."""
    _sized(d, sizes)
    found = _Neurons(d, sizes, taken, math)
    return {"layers": found.layers(), "uses": found.uses, "weights": found.weights()}


def _refusal(why: str) -> UnsupportedError:
    return UnsupportedError("U034", f"no picture of neurons: {why}",
                            hint="without --sizes the network is drawn as boxes, whatever it holds")  # fmt: skip


def _sized(d: Derivation, sizes: Mapping[str, int]) -> None:
    """Every size symbol has a number."""
    symbols = dict.fromkeys(s for v in [*d.inputs, *(q.var for q in d.core.equations)] for n in v.shape for s in sorted(n.symbols()))  # fmt: skip
    missing = [s for s in symbols if s not in sizes]
    if missing:
        raise ParseError("P032", f"no size for {', '.join(missing)}", expected="a small number for every size",
                         hint=f"--sizes {','.join(f'{s}={sizes.get(s, 2 + k % 3)}' for k, s in enumerate(symbols))}")  # fmt: skip


class _Neurons:
    def __init__(self, d: Derivation, sizes: Mapping[str, int], taken: Collection[str], math: Callable[[Expr], Json | None]) -> None:  # fmt: skip
        self.d, self.sizes, self.taken, self.math = d, sizes, taken, math
        self.equations = {q.var: q for q in d.core.equations}
        self.biases: dict[Expr, Expr] = {}  # a bias, and the name that it is added to
        self.products: dict[Expr, list[list[Product]]] = {}
        self.uses: list[Json] = []
        self.fixed: dict[tuple[Expr, int], Json] = {}  # entries that are plain numbers
        for q in d.core.equations:
            if q.var.order > 1:
                self.assembly(q)
            else:
                self.products[q.var] = self.expanded(q)
        self.columns = [v for v in [*d.inputs, *self.equations] if v.order < 2 and self.reached(v)]
        for v in self.columns:
            if self.count(v) > MOST:
                raise _refusal(f"{v.attrs[0]} has {self.count(v)} entries, and at most {MOST} are drawn side by side")
        self.find_biases()
        for v, rows in self.products.items():
            for k, row in enumerate(rows):
                self.use(v, k, row)

    def count(self, v: Expr) -> int:
        return v.shape[0].value(self.sizes) if v.order else 1

    def assembly(self, q: Equation) -> None:
        """A matrix may be put together from others; one that is computed holds a batch or more than a layer."""
        terms = index_terms(q.value, cut=False)
        if terms is None or any(sum(not _constant(f.atom) for f in t.factors) > 1 or any(not is_var(f.atom) and not _constant(f.atom) for f in t.factors) for t in terms):  # fmt: skip
            raise _refusal(f"{q.var.attrs[0]} is computed and has {q.var.order} axes; a column of neurons has one")

    def expanded(self, q: Equation) -> list[list[Product]]:
        if self.count(q.var) > MOST:
            raise _refusal(
                f"{q.var.attrs[0]} has {self.count(q.var)} entries, and at most {MOST} are drawn side by side"
            )
        rows = entries(q.value, self.sizes, most=MOST, longest=400)
        if rows is None:
            raise _refusal(f"the equation of {q.var.attrs[0]} has too many terms")
        return [parts for _, parts in rows]

    def reached(self, v: Expr) -> bool:
        """Whether some vector or number is computed from it, or it is computed."""
        return v in self.equations or any(
            v in set(postorder(q.value)) for q in self.d.core.equations if q.var.order < 2
        )

    def find_biases(self) -> None:
        """An input vector that is added as it is, beside other terms, to one name."""
        for b in [v for v in self.columns if v not in self.equations]:
            users = [q for q in self.d.core.equations if b in set(postorder(q.value))]
            if len(users) != 1 or users[0].var.shape != b.shape:
                continue
            rows = self.products[users[0].var]
            if all(len(row) > 1 and sum(self.is_bias(p, b) for p in row) == 1 for row in rows):
                self.biases[b] = users[0].var
        self.columns = [v for v in self.columns if v not in self.biases]

    def is_bias(self, p: Product, b: Expr) -> bool:
        return p.coef == 1 and len(p.entries) == 1 and p.entries[0].atom is b and p.entries[0].power == 1

    def use(self, v: Expr, k: int, row: Sequence[Product]) -> None:
        """The lines into entry k of v."""
        if not any(p.entries for p in row):
            self.fixed[v, k] = products_text(row, self.taken).as_dict()
            return
        seen: dict[tuple[Expr, int], list[Json | None]] = {}
        for p in row:
            [*bias] = [b for b in self.biases if self.is_bias(p, b)]
            if bias:
                label = entry(p.entries[0], self.taken).as_dict()
                self.uses.append({"from": [None, 0], "to": [v.attrs[0], k], "label": label, "bias": bias[0].attrs[0]})
                continue
            for e in p.entries:
                for source in self.sources(e):
                    seen.setdefault(source, []).append(self.weight(p, e))
        for (x, j), labels in seen.items():
            only = labels[0] if len(labels) == 1 else None
            self.uses.append({"from": [x.attrs[0], j], "to": [v.attrs[0], k], "label": only, "bias": None})

    def sources(self, x: Entry) -> list[tuple[Expr, int]]:
        """The neurons that an entry is made of: itself, the argument of a function, or all that a function sees."""
        if is_var(x.atom):
            return [(x.atom, int(x.legs[0]) - 1 if x.legs else 0)] if x.atom in self.columns else []
        names = [a for a in dict.fromkeys(postorder(x.atom)) if is_var(a) and a in self.columns]
        if x.atom.op.entrywise and all(a in self.columns or a.order > 1 for a in x.atom.args):
            return [(a, int(x.legs[0]) - 1 if x.legs and a.order else 0) for a in names]
        return [(a, j) for a in names for j in range(self.count(a))]

    def weight(self, p: Product, x: Entry) -> Json | None:
        """What the neuron is multiplied by, if that is one entry of a matrix."""
        others = [o for o in p.entries if o is not x]
        if len(others) == 1 and is_var(others[0].atom) and others[0].atom.order > 1 and p.coef == 1 and x.power == 1:
            return entry(others[0], self.taken).as_dict()
        return None

    def layers(self) -> list[Json]:
        found = []
        for v in self.columns:
            label = [
                entry(Entry(v, (str(k + 1),) if v.order else ()), self.taken).as_dict() for k in range(self.count(v))
            ]
            q = self.equations.get(v)
            found.append(
                {
                    "name": v.attrs[0],
                    "label": self.math(v),
                    "value": None if q is None else self.math(q.value),
                    "size": self.count(v) if v.order else None,
                    "entries": [self.fixed.get((v, k), x) for k, x in enumerate(label)],
                    "fixed": [(v, k) in self.fixed for k in range(self.count(v))],
                    "gradient": self.gradient(v),
                }
            )
        return found

    def gradient(self, v: Expr) -> Json | None:
        b = next((b for b in self.d.backward if b.of is v), None)
        return None if b is None else {"left": self.math(gradient(v)), "right": self.math(b.value)}

    def weights(self) -> list[Json]:
        """Parameters: matrices and biases, each with the names whose equations they stand in."""
        found = []
        for w in [*self.d.inputs, *self.equations]:
            if w.order < 2 and w not in self.biases:
                continue
            users = [q.var.attrs[0] for q in self.d.core.equations if q.var.order < 2 and w in set(postorder(q.value))]
            shape = [str(n.value(self.sizes)) for n in w.shape]
            found.append(
                {
                    "name": w.attrs[0],
                    "label": self.math(w),
                    "shape": shape,
                    "users": users,
                    "gradient": self.gradient(w),
                }
            )
        return found


def _constant(e: Expr) -> bool:
    return e.op.entry is not None
