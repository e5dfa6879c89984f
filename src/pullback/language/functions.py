"""Which function names are known, which are refused, and what an undeclared one is taken for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..algebra.op import Op
from ..algebra.ops import REGISTRY
from ..algebra.ops.defined import Defined, is_pointwise
from ..errors import ParseError, Span, UnsupportedError, nearest
from .program import FunctionKind

__all__ = [
    "KNOWN",
    "SCALAR_FUNCTIONS",
    "SHAPED",
    "WORDY",
    "derivative_of",
    "is_known",
    "is_written",
    "partials",
    "places",
    "refuse",
    "refuse_misspelled",
]

_LONG = 5  # letters from which a name is taken for a known one with a letter wrong


def _calls() -> dict[str, tuple[Op, ...]]:
    found: dict[str, tuple[Op, ...]] = {}
    for o in REGISTRY.values():
        for name in o.calls:
            found[name] = (*found.get(name, ()), o)
    return found


KNOWN = _calls()

# Functions whose arguments are sizes or text, read by the parser itself.
SHAPED = frozenset({"ones", "zeros", "eye", "vector", "matrix"}) | {
    n for n, rivals in KNOWN.items() if not rivals[0].slots
}

# Options whose value is a word, as in reduction=sum.
WORDY = frozenset(word for o in REGISTRY.values() for word, kind in o.options.values() if kind.startswith("word "))

BLOCKS = frozenset({"hcat", "vcat"})  # blocks, written as calls

# Names that, undeclared, stand for a scalar function of everything they are given.
SCALAR_FUNCTIONS = frozenset(
    [
        "loss",
        "cost",
        "ell",
        "ℓ",
        "L",
        "J",
        "risk",
        "objective",
        "error",
        "nll",
        "mse",
        "MSE",
        "mae",
        "bce",
        "ce",
        "cross_entropy",
        "crossentropy",
        "energy",
        "Loss",
        "Cost",
        "Energy",
        "Risk",
    ]
)

_REFUSED = {
    "inv": "name the inverse V, give it as an input, and use dV = −V dA V",
    "solve": "name the solution x, give it as an input",
    "dot": "write xᵀ y",
    "matmul": "write A B",
    "transpose": "write Aᵀ",
}
_REFUSED_PLAIN = frozenset(
    [
        "det",
        "logdet",
        "slogdet",
        "argmax",
        "argmin",
        "cumprod",
        "cholesky",
        "chol",
        "eig",
        "eigh",
        "eigvals",
        "eigvalsh",
        "svd",
        "qr",
        "lu",
        "expm",
        "logm",
        "sqrtm",
        "sinm",
        "cosm",
        "norm_nuc",
        "normnuc",
        "normspec",
        "normfro",
        "batchnorm",
        "batch_norm",
        "dropout",
        "floor",
        "ceil",
        "round",
        "pinv",
        "rank",
        "maxeig",
        "maxeigvec",
        "mineig",
        "trinv",
        "lyap",
        "sort",
        "topk",
        "median",
        "quantile",
        "gamma",
        "bessel",
        "real",
        "imag",
        "conj",
        "cross",
        "rot",
        "fft",
        "ifft",
        "adj",
        "adjugate",
        "cot",
        "sec",
        "csc",
        "hinge",
        "einsum_path",
        "norminf",
        "norm_inf",
    ]
)


_DERIVATIVES = (
    re.compile(r"(D+)((?:\d+_)*)(\w+(?:\[[^\]]*\])?)"),  # Dg, D2_g, DD1_10_g
    re.compile(r"((?:grad_)+)((?:\d+_)*)(\w+(?:\[[^\]]*\])?)"),  # grad_loss, grad_2_loss
    re.compile(r"(grad)(\d)_(\w+(?:\[[^\]]*\])?)"),  # grad2_loss
    re.compile(r"((?:d\d+)+)()_(\w+(?:\[[^\]]*\])?)"),  # d1d2_f
)


def derivative_of(name: str, functions: Mapping[str, FunctionKind]) -> tuple[str, tuple[int, ...]] | None:
    """`Dg`, `D2_g`, `grad_loss`, `d1d2_f`, `dc_phi`: the function and the places, from 0, it is differentiated in."""
    for pattern in _DERIVATIVES:
        found = pattern.fullmatch(name)
        if found is None or found[3] not in functions:
            continue
        marks, digits = found[1], found[2] or ""
        if marks[0] == "d":
            return found[3], tuple(int(c) - 1 for c in marks[1:].split("d"))
        slots = places(digits, len(marks) if marks[0] == "D" else marks.count("grad"))
        if slots is not None:
            return found[3], slots
    head, _, base = name.partition("_")
    kind = functions.get(base)
    if kind is None or kind.definition is None or not head.startswith("d"):
        return None
    slots = partials(head[1:].split("d"), kind.definition)
    return None if slots is None else (base, slots)


def partials(marks: Sequence[str], f: Defined) -> tuple[int, ...] | None:
    """The places that the marks of ∂1∂c_f name: numbers from 1, or names from outside."""
    names = {str(v.attrs[0]): k for k, v in enumerate(f.slots) if k >= len(f.params)}
    found = [int(m) - 1 if m.isdecimal() else names.get(m, -1) for m in marks]
    return tuple(found) if found and min(found) >= 0 else None


def places(digits: str, count: int) -> tuple[int, ...] | None:
    """The `count` places, from 0, that `12_` or `1_10_` between the marks of a derivative and its function names."""
    parts = digits.strip("_").split("_")
    if parts == [""]:
        return (0,) * count
    if len(parts) == 1 < count:
        parts = list(parts[0])
    return tuple(int(p) - 1 for p in parts) if len(parts) == count else None


_TO_NUMBER = frozenset(["det", "logdet", "slogdet", "rank", "maxeig", "mineig", "normnuc", "norm_nuc", "normspec"])
_TO_MATRIX = frozenset(["inv", "pinv", "cholesky", "chol", "expm", "logm", "sqrtm", "sinm", "cosm", "tril", "triu"])


def is_written(name: str) -> bool:
    """Whether formulas are written with this name: another function of the same name could not be told from it."""
    known = KNOWN.get(name, ())
    return name in SHAPED or any(
        callable(o.text) or o.text.startswith(f"{name}(") or not is_pointwise(o) for o in known
    )


def is_known(name: str) -> bool:
    """Whether the name has a meaning of its own, so that it is never read as a free function."""
    return name in KNOWN or name in SHAPED or name in BLOCKS or name in _REFUSED or name in _REFUSED_PLAIN


def refuse_misspelled(name: str, span: Span | None) -> None:
    """Refuses `softmx(x)`: nobody declared it, and one letter makes it a known function. Raises ParseError P054."""
    meant = nearest(name, sorted(KNOWN), 1) if len(name) >= _LONG and not name[-1].isdecimal() else None
    if meant is not None:
        raise ParseError("P054", f"{name} is no known function, and is spelled almost like {meant}", span=span,
                         expected=f"{meant}, or a declaration of {name}", hint=f"if it is a function of your own, declare it: `{name} : entrywise`")  # fmt: skip


def refuse(name: str, span: Span | None) -> UnsupportedError:
    """The refusal of a function that is well known but not derived here."""
    if name == "complex":
        return UnsupportedError("U002", "complex numbers are not supported", span=span, expected="real numbers")
    hint = _REFUSED.get(name, "")
    kind = "(n, n) -> scalar" if name in _TO_NUMBER else "(n, n) -> (n, n)" if name in _TO_MATRIX else "(n) -> (n)"
    free = f"declare `{name}` yourself, for example `{name} : {kind}`, to derive with any such function"
    near = nearest(name, sorted(KNOWN))
    known = f"a known function (docs/ops.md){f', as {near}' if near else ''}, or a free one such as f"
    return UnsupportedError(
        "U001",
        f"the function {name} is not supported in this version",
        span=span,
        expected="" if hint else known,
        hint=f"{hint}; or {free}" if hint else free,
    )
