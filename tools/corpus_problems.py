"""Problems with external truth: our answer to each, and what it is compared with.

A problem is one JSON object (../shared/corpora/README.md). Its text is derived; what comes out is compared with JAX's
derivative of its lambda in float64. The lambdas are run: they belong to a corpus that somebody keeps, not to a user.
"""

from __future__ import annotations

import json
import re
import signal
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import numpy as np
from corpus_sampling import UnknownProperty, draw, size_sets

import pullback as pb
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import gradient
from pullback.language.program import Program
from pullback.language.text import parse_program
from pullback.show.length import length_with

__all__ = ["ASSUMED", "FACTS", "Outcome", "Refused", "arrays", "judge", "parsed", "problems", "source", "truth_of"]

jax.config.update("jax_enable_x64", True)

Array = Any
Problem = Mapping[str, Any]

# The one table of what the language knows of a property, said of the value with `assume`: the derivative that is asked for is
# that in all directions. What is not here is used for sampling alone.
ASSUMED: dict[str, str] = {
    p: p for p in ("positive", "unit", "symmetric", "skew", "positive_definite", "lower_triangular", "upper_triangular", "diagonal",
                   "orthogonal", "one_hot", "simplex")
}  # fmt: skip

TOLERANCE = 1e-7
POINTS = 3
DRAWS = 20  # of one point, until the truth is a number there
LIMIT = 60.0  # seconds for one derivation

_LAYOUTS = {"gradient": 1, "jacobian": 1, "vecjac": 1, "hessian": 2, "vechess": 2}


class Refused(Exception):
    """Why the runner has no verdict: a code that begins with R, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Outcome:
    """What became of one problem. `verdict` is right, refused, wrong or skipped."""

    id: str
    verdict: str
    code: str = ""
    reason: str = ""
    answer: str = ""
    seconds: float | None = None
    length: int | None = None
    truth_length: int | None = None
    error: float | None = None
    tested: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        return self.length / self.truth_length if self.length is not None and self.truth_length else None


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
    used = set(re.findall(r"\w+", f"{problem['expr']} {problem.get('truth')}")) | problem["vars"].keys() | problem["sizes"].keys()
    return next(n for n in ("F", "value", "target", *(f"value{k}" for k in range(99))) if n not in used)


def source(problem: Problem, *, tied: bool = False, text: str | None = None) -> str:
    """The problem in the input language; with its sizes as numbers if `tied`. `text` is read instead of its `expr`,
    with the names that the `expr` binds."""
    lines = ["dialect: matlab"]
    for name, v in problem["vars"].items():
        shape = f"({', '.join(map(str, v['shape']))})" if v["shape"] else "scalar"
        lines.append(f"{name} : {shape}")
        lines += [f"assume {ASSUMED[p]}({name})" for p in v.get("props", ()) if p in ASSUMED]
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


def _asked(problem: Problem) -> list[str]:
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


def truth_of(problem: Problem, sizes: Mapping[str, int], given: Mapping[str, Array]) -> Array:
    """The derivative by JAX, in the layout of the problem. Raises Refused R-LAYOUT, and whatever the lambda raises."""
    values = [jax.numpy.asarray(a) for a in given.values()]
    if problem.get("deriv_jax"):
        return np.asarray(run_lambda(problem["deriv_jax"], sizes)(*values))
    layout, order = problem["layout"], problem["order"]
    if _LAYOUTS.get(layout) != order:
        raise Refused("R-LAYOUT", f"layout {layout} of order {order}")
    f = run_lambda(problem["jax"], sizes)
    places = [list(problem["vars"]).index(n) for n in _asked(problem)]
    if layout == "gradient":
        if jax.numpy.shape(f(*values)):
            raise Refused("R-LAYOUT", "the gradient of a value that is not one number")
        return np.asarray(jax.grad(f, places[0])(*values))
    if order == 1:
        found = jax.jacobian(f, places[0])(*values)
    else:
        found = jax.jacfwd(jax.jacrev(f, places[0]), places[-1])(*values)
    return in_layout(problem, np.asarray(found), given)


def in_layout(problem: Problem, found: Array, given: Mapping[str, Array]) -> Array:
    """A derivative whose last axes are those of the variable, column by column if the layout is a matrix of vecs."""
    if not problem["layout"].startswith("vec"):
        return found
    inner = given[_asked(problem)[-1]].ndim
    return by_columns(found, found.ndim - inner)


def by_columns(a: Array, split: int) -> Array:
    """A tensor as a matrix: its first `split` axes in column-major order, then the others."""
    turned = a.transpose(*range(split)[::-1], *range(split, a.ndim)[::-1])
    return turned.reshape(int(np.prod(a.shape[:split])), -1)


def is_tied(problem: Problem) -> bool:
    """Whether the problem holds at its own sizes alone: its lambda runs there, and not with every size one larger."""
    for bump in (0, 1):
        sizes = {k: v + bump for k, v in problem["sizes"].items()}
        try:
            jax.eval_shape(run_lambda(problem["jax"], sizes), *arrays(problem, sizes, 0).values())
        except Exception:
            return bump == 1
    return False


def _point(problem: Problem, sizes: Mapping[str, int], seed: int) -> tuple[dict[str, Array], Array] | None:
    """Arrays at which the truth is a number, and the truth; None if there are none."""
    for again in range(DRAWS):
        given = arrays(problem, sizes, seed * DRAWS + again)
        truth = truth_of(problem, sizes, given)
        if np.all(np.isfinite(truth)):
            return given, truth
    return None


# ---- our answer ----------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What is compared: a function of the arrays, the printed form, and how long it is."""

    evaluate: Callable[[Mapping[str, Array]], Array]
    text: str
    length: int


def answer(problem: Problem, tied: bool = False) -> Answer:
    """Our derivation of the problem. Raises PullbackError, Refused."""
    wrt, text = _asked(problem), source(problem, tied=tied)
    if problem["layout"] == "gradient" and problem["order"] == 1:
        derived = pb.derive(text, wrt=wrt, target=fresh(problem), name=problem["id"])
        name = wrt[0]
        return Answer(lambda given: derived.evaluate(**_inputs(derived.program, given))[1][name],
                      repr(derived[name]), gradient_length(derived, name))  # fmt: skip
    second = problem["order"] == 2
    make = getattr(pb, "hessian" if second else "jacobian", None)
    if make is None:
        raise Refused("R-API", f"this version has no {'Hessians' if second else 'Jacobians'}")
    found = make(text, wrt=wrt[0] if len(wrt) == 1 else tuple(wrt), target=fresh(problem))
    program = parse_program(text, name=problem["id"])
    return Answer(lambda given: found.evaluate(**_inputs(program, given)), str(found), length_with(found.expr, {}))


def _inputs(program: Program, given: Mapping[str, Array]) -> dict[str, Array]:
    used = {v.attrs[0] for v in program.inputs}
    return {n: a for n, a in given.items() if n in used}


def gradient_length(derived: pb.Derived, name: str) -> int:
    """The length of a gradient with what it rests on: backward equations, and names for parts that are ours.

    Both what is printed first, in which names are kept, and the form that has our own names written out are
    measured; the shorter one counts."""
    backward = derived.derivation.backward
    own = {q.var: q.value for q in derived.derivation.core.equations if q.auxiliary}
    found = next(b for b in backward if not b.auxiliary and b.of.attrs[0] == name)
    values: dict[Expr, Expr] = {gradient(b.of): b.value for b in backward}
    closed: dict[Expr, Expr] = {gradient(b.of): b.closed for b in backward}
    return min(length_with(found.value, own | values), length_with(found.closed, own | closed))


def truth_length(problem: Problem) -> int:
    """The length of the given truth, with its own bindings; names that the problem binds are atoms. Raises PullbackError."""
    program = parsed(problem, problem["truth"])
    bound = {t.partition("=")[0].strip() for t in parts(problem["truth"])[:-1]}
    named = {q.var: q.rhs for q in program.equations if q.name in bound}
    final = program.equation(fresh(problem))
    assert final is not None
    return length_with(final.rhs, named)


# ---- the verdict ---------------------------------------------------------------------------------------------


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise Refused("R-TIME", f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(problem: Problem, points: int = POINTS, limit: float = LIMIT, sets: int | None = None) -> Outcome:
    """Derives the problem and compares it with its truth; `sets` is how many choices of sizes are tried, at most.

    A crash, and a result that cannot be evaluated where the truth can, count as wrong."""
    found = Outcome(problem["id"], "skipped")
    if not problem.get("expr_parsable", True):
        found.reason = "its text is descriptive only"
        return found
    try:
        _known(problem)
        tied = is_tied(problem)
        start = time.perf_counter()
        with _time_limit(limit):
            ours = answer(problem, tied)
        found.seconds = time.perf_counter() - start
        found.answer = ours.text
        _compare(problem, ours, found, points, sets, tied)
    except (pb.PullbackError, Refused) as why:
        found.verdict, found.code, found.reason = "refused", why.code, why.message
    except Exception as why:
        found.verdict, found.code, found.reason = "wrong", "CRASH", f"{type(why).__name__}: {why}"
    if found.verdict == "right" and problem.get("truth"):
        found.length = ours.length
        try:
            found.truth_length = truth_length(problem)
        except pb.PullbackError as why:
            found.reason = f"the length of the truth is not known: {why.message}"
    return found


def _known(problem: Problem) -> None:
    """Raises Refused where no arrays can be drawn, or the layout is none that is compared."""
    try:
        arrays(problem, problem["sizes"], 0)
    except UnknownProperty as why:
        raise Refused("R-PROP", str(why)) from None
    if not problem.get("deriv_jax") and _LAYOUTS.get(problem["layout"]) != problem["order"]:
        raise Refused("R-LAYOUT", f"layout {problem['layout']} of order {problem['order']}")
    if missing := [n for n in _asked(problem) if n not in problem["vars"]]:
        raise Refused("R-LAYOUT", f"{missing[0]} is not a variable")


def _compare(problem: Problem, ours: Answer, found: Outcome, points: int, sets: int | None, tied: bool) -> None:
    worst = 0.0
    for label, sizes in list(size_sets(problem["sizes"]))[: 1 if tied else sets]:
        for seed in range(points):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    point = _point(problem, sizes, seed)
            except Refused:
                raise
            except Exception as why:
                if label == "given":
                    raise Refused("R-TRUTH", f"its own lambda fails: {type(why).__name__}: {str(why)[:200]}") from None
                break  # sizes that the problem does not have
            if point is None:
                break
            given, truth = point
            error = difference(problem, ours, given, truth)
            worst = max(worst, error)
            if not error <= TOLERANCE:
                _same_but_for_convention(problem, ours, given, truth)
                found.verdict, found.code, found.error = "wrong", "VALUE", error
                found.reason = f"relative error {error:.2g} at the sizes {sizes} ({label})"
                return
            if label not in found.tested:
                found.tested.append(label)
    if not found.tested:
        raise Refused("R-TRUTH", "the truth is not a number at any point that its properties allow")
    found.verdict, found.error = "right", worst


def _value(problem: Problem, ours: Answer, given: Mapping[str, Array], truth: Array) -> Array:
    with np.errstate(all="ignore"):
        try:
            value = np.asarray(ours.evaluate(given), dtype=float)
        except pb.PullbackError as why:  # there is a truth here, so there is a value
            raise RuntimeError(f"the result cannot be evaluated: {why.message}") from why
    return value if value.shape == truth.shape else in_layout(problem, value, given)


def _gap(value: Array, truth: Array) -> float:
    if value.shape != truth.shape:
        return float("inf")
    gap = float(np.max(np.abs(value - truth), initial=0.0)) / (float(np.max(np.abs(truth), initial=0.0)) + 1e-3)
    return gap if np.isfinite(gap) else float("inf")


def difference(problem: Problem, ours: Answer, given: Mapping[str, Array], truth: Array) -> float:
    """The largest difference of an entry, relative to the largest entry of the truth."""
    return _gap(_value(problem, ours, given, truth), truth)


def _same_but_for_convention(problem: Problem, ours: Answer, given: Mapping[str, Array], truth: Array) -> None:
    """Raises Refused R-CONVENTION where ours is the gradient for free entries, and the truth one for a symmetric matrix."""
    props = problem["vars"][_asked(problem)[0]].get("props", ())
    if problem["layout"] != "gradient" or not {"symmetric", "positive_definite"} & set(props):
        return
    G = _value(problem, ours, given, truth)
    twice = G + np.swapaxes(G, -1, -2)
    for name, other in (("½ (G + Gᵀ)", twice / 2), ("G + Gᵀ − diag G", twice - G * np.eye(G.shape[-1]))):
        if _gap(other, truth) <= TOLERANCE:
            raise Refused("R-CONVENTION", f"the gradient G for independent entries is right; {name} is asked for")
