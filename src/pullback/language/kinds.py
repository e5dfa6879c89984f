"""What an undeclared name stands for, by its first letter; every guess is echoed."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ..algebra.dims import Shape, show_shape
from .sizes import Sizes

__all__ = ["SOFT", "Guess", "guess"]

_GREEK_SCALARS = frozenset("λαβγεμητκρ")
_SCALAR_NAMES = frozenset(
    [
        "lam",
        "lambda",
        "alpha",
        "beta",
        "gamma",
        "eps",
        "epsilon",
        "mu",
        "eta",
        "tau",
        "kappa",
        "rho",
        "lr",
        "c",
    ]
)
SOFT = frozenset({"c"})  # scalars that become vectors where they stand beside vectors
_KIND = ("scalar", "vector", "matrix")


@dataclass
class Guess:
    """The shape of an undeclared name, why, and the equation that it was first met in."""

    shape: Shape
    reason: str
    line: str = ""
    told: bool = False  # by the definition of a function

    def kind_sentence(self, name: str) -> str:
        """What is assumed before any size is known."""
        kind = _KIND[len(self.shape)] if len(self.shape) < 3 else f"tensor with {len(self.shape)} axes"
        return f"{name} is a {kind}, because {self.reason}"

    def sentence(self, name: str, shape: Shape) -> str:
        kind = _KIND[len(shape)] if len(shape) < 3 else f"{len(shape)} axes"
        source = f"; sizes from `{self.line}`" if shape and self.line else ""
        return f"{name} : {show_shape(shape)}  ({kind}, because {self.reason}{source})"


def guess(
    name: str, indices: int | None, sizes: Sizes, vectors: Container[str] = (), pattern: int | None = None
) -> Guess:
    """The order by the number of indices, or by the letter rule; its sizes are unknown. `vectors` are no scalars; `pattern` is the number of
    axes that ein names."""
    if indices is not None:
        order, reason = indices, f"it is written with {indices} ind{'ex' if indices == 1 else 'ices'}"
    elif pattern is not None:
        order, reason = pattern, f"a pattern names {pattern} ax{'is' if pattern == 1 else 'es'} of it"
    elif name in vectors:
        order, reason = 1, "it stands beside vectors"
    elif name in _SCALAR_NAMES or (name[0] in _GREEK_SCALARS and name[1:].isalnum() <= name[1:].isdecimal()):
        order, reason = 0, f"{name} is usually a number"
    elif name[0].isupper():
        order, reason = 2, "its name starts with a capital"
    else:
        order, reason = 1, "its name starts with a small letter"
    return Guess(tuple(sizes.fresh() for _ in range(order)), reason)
