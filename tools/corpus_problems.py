"""Problems with external truth: their text, arrays for their variables, and their derivatives by JAX in float64.

A problem is one JSON object (../shared/corpora/README.md). Its lambdas are run: they belong to a corpus that somebody
keeps, not to a user.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from corpus_sampling import draw

import pullback as pb
from pullback.language.program import Program
from pullback.language.text import parse_program

__all__ = [
    "FACTS",
    "LAYOUTS",
    "SUBSPACES",
    "Refused",
    "arrays",
    "asked",
    "fresh",
    "in_layout",
    "is_tied",
    "parsed",
    "parts",
    "point",
    "problems",
    "run_lambda",
    "source",
    "truth_of",
]

jax.config.update("jax_enable_x64", True)

Array = Any
Problem = Mapping[str, Any]

# The one table of what the language knows of a property: the fact in `assume symmetric(A)`. What is not here is used for
# sampling alone.
FACTS = {
    "positive": "positive",
    "large_positive": "positive",
    "unit": "unit",
    "one_hot": "one_hot",
    "simplex": "simplex",
    "symmetric": "symmetric",
    "distance_matrix": "symmetric",
    "positive_definite": "positive_definite",
    "skew": "skew",
    "orthogonal": "orthogonal",
    "diagonal": "diagonal",
    "lower_triangular": "lower_triangular",
    "upper_triangular": "upper_triangular",
}
# Of a variable, these can be meant in two ways: its gradient for free entries, at a matrix that has the property, or that
# among the matrices that have it, which is a projection. The first is asked for unless the truth is the second.
SUBSPACES = frozenset({"symmetric", "positive_definite", "skew", "diagonal", "lower_triangular", "upper_triangular"})

DRAWS = 20  # of one point, until the truth is a number there

LAYOUTS = {"gradient": 1, "jacobian": 1, "vecjac": 1, "hessian": 2, "vechess": 2}


class Refused(Exception):
    """Why the runner has no verdict: a code that begins with R, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def problems(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Every problem of the files, one JSON object a line."""
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield json.loads(line)


# ---- the text ------------------------------------------------------------------------------------------------


def parts(text: str) -> list[str]:
    """`a=…; b=…; value` in its pieces, the value last."""
    return [p.strip() for p in text.split(";") if p.strip()]


def fresh(problem: Problem) -> str:
    """A name for the value that the problem does not use."""
    used = (
        set(re.findall(r"\w+", f"{problem['expr']} {problem.get('truth')}"))
        | problem["vars"].keys()
        | problem["sizes"].keys()
    )
    return next(n for n in ("F", "value", "target", *(f"value{k}" for k in range(99))) if n not in used)


def source(problem: Problem, *, tied: bool = False, restricted: bool = False, text: str | None = None) -> str:
    """The problem in the input language; with its sizes as numbers if `tied`; its variable ranging over a subspace if
    `restricted`. `text` is read instead of its `expr`, with the names that the `expr` binds."""
    wrt = asked(problem)
    lines = ["dialect: matlab"]
    for name, v in problem["vars"].items():
        shape = f"({', '.join(map(str, v['shape']))})" if v["shape"] else "scalar"
        facts = list(dict.fromkeys(FACTS[p] for p in v.get("props", ()) if p in FACTS))
        if restricted and name in wrt:
            lines.append(f"{name} : {shape} where {', '.join(facts)}")
        else:
            lines += [f"{name} : {shape}", *(f"assume {f}({name})" for f in facts)]
    if tied:
        lines += [f"assume {k} = {v}" for k, v in problem["sizes"].items()]
    own = parts(problem["expr"])
    body = own if text is None else [*own[:-1], *parts(text)]
    return "\n".join([*lines, *body[:-1], f"{fresh(problem)} = {body[-1]}"])


def parsed(problem: Problem, text: str | None = None) -> Program:
    """The program of the problem's `expr`, or of `text` (its truth). Raises PullbackError."""
    try:
        return parse_program(source(problem, text=text), name=problem["id"])
    except pb.PullbackError:
        if not is_tied(problem):
            raise
        return parse_program(source(problem, text=text, tied=True), name=problem["id"])


def asked(problem: Problem) -> list[str]:
    return [problem["wrt"]] if isinstance(problem["wrt"], str) else list(problem["wrt"])


# ---- arrays and truth ----------------------------------------------------------------------------------------


def _shape(shape: Iterable[Any], sizes: Mapping[str, int]) -> list[int]:
    """The extents of a shape; a size may be made of others, as in "n+1" or "2*h"."""
    return [d if isinstance(d, int) else int(eval(d, {"__builtins__": {}}, dict(sizes))) for d in shape]


def arrays(problem: Problem, sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
    """Random arrays for the variables. Raises UnknownProperty."""
    rng = np.random.default_rng([zlib.crc32(problem["id"].encode()), *sizes.values(), seed])
    return {n: draw(rng, _shape(v["shape"], sizes), v.get("props", ())) for n, v in problem["vars"].items()}


def run_lambda(code: str, sizes: Mapping[str, int]) -> Callable[..., Array]:
    found: Callable[..., Array] = eval(code, {"jnp": jax.numpy, "jax": jax, "np": np, "jsp": jax.scipy, **sizes})
    return found


def truth_of(problem: Problem, sizes: Mapping[str, int]) -> Callable[[Mapping[str, Array]], Array]:
    """The derivative by JAX, in the layout of the problem, as a function of the arrays: NaN where the value is none.

    It is compiled as a whole, which takes a third of the time; what looks at values while it runs is run as it stands.
    Raises Refused R-LAYOUT."""
    f, derivative = run_lambda(problem["jax"], sizes), _derivative(problem, sizes)

    def plain(*values: Array) -> tuple[Array, Array]:
        return f(*values), derivative(*values)

    compiled = jax.jit(plain)

    def truth(given: Mapping[str, Array]) -> Array:
        nonlocal compiled
        values = [jax.numpy.asarray(a) for a in given.values()]
        try:
            value, found = map(np.asarray, compiled(*values))
        except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
            compiled = plain
            value, found = map(np.asarray, plain(*values))
        if problem["layout"] == "gradient" and value.shape:
            raise Refused("R-LAYOUT", "the gradient of a value that is not one number")
        if not np.all(np.isfinite(value)):
            return np.full(found.shape, np.nan)
        return found if problem.get("deriv_jax") else in_layout(problem, found, given)

    return truth


def _derivative(problem: Problem, sizes: Mapping[str, int]) -> Callable[..., Array]:
    if problem.get("deriv_jax"):
        return run_lambda(problem["deriv_jax"], sizes)
    layout, order = problem["layout"], problem["order"]
    if LAYOUTS.get(layout) != order:
        raise Refused("R-LAYOUT", f"layout {layout} of order {order}")
    f = run_lambda(problem["jax"], sizes)
    places = [list(problem["vars"]).index(n) for n in asked(problem)]
    found: Callable[..., Array]
    if order == 2:
        found = jax.jacfwd(jax.jacrev(f, places[0]), places[-1])
    else:
        found = jax.jacrev(f, places[0])
    return found


def in_layout(problem: Problem, found: Array, given: Mapping[str, Array]) -> Array:
    """A derivative whose last axes are those of the variable, column by column if the layout is a matrix of vecs."""
    if not problem["layout"].startswith("vec"):
        return found
    inner = given[asked(problem)[-1]].ndim
    return by_columns(found, found.ndim - inner)


def by_columns(a: Array, split: int) -> Array:
    """A tensor as a matrix: its first `split` axes in column-major order, then the others."""
    turned = a.transpose(*range(split)[::-1], *range(split, a.ndim)[::-1])
    return turned.reshape(int(np.prod(a.shape[:split])), -1)


def is_tied(problem: Problem) -> bool:
    """Whether the problem holds at its own sizes alone, or ties sizes in a way that its text does not say (d1 is d + 1)."""
    return _grows(problem) is False or not _fits(problem)


def _fits(problem: Problem) -> bool:
    """Whether the shapes of the text fit with its sizes as letters."""
    try:
        parse_program(source(problem), name=problem["id"])
    except pb.ShapeError:
        return False
    except pb.PullbackError:
        pass
    return True


def _grows(problem: Problem) -> bool | None:
    """Whether its lambda runs with every size one larger; None if it does not run at its own."""
    for bump in (0, 1):
        sizes = {k: v + bump for k, v in problem["sizes"].items()}
        try:
            jax.eval_shape(run_lambda(problem["jax"], sizes), *arrays(problem, sizes, 0).values())
        except Exception:
            return False if bump else None
    return True


def point(
    problem: Problem, truth: Callable[[Mapping[str, Array]], Array], sizes: Mapping[str, int], seed: int
) -> tuple[dict[str, Array], Array] | None:
    """Arrays at which the truth is a number, and the truth; None if there are none."""
    for again in range(DRAWS):
        given = arrays(problem, sizes, seed * DRAWS + again)
        found = truth(given)
        if np.all(np.isfinite(found)):
            return given, found
    return None
