"""Our answer to a problem, what it is compared with, and the verdict."""

from __future__ import annotations

import inspect
import os
import signal
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from types import FrameType
from typing import Any

import numpy as np
from corpus_problems import (
    LAYOUTS,
    SUBSPACES,
    Problem,
    Refused,
    arrays,
    asked,
    fresh,
    in_layout,
    is_tied,
    parsed,
    parts,
    point,
    source,
    truth_of,
)
from corpus_sampling import UnknownProperty, size_sets

import pullback as pb
from pullback.algebra.expr import Expr
from pullback.algebra.ops.free import gradient
from pullback.language.program import Program
from pullback.show.length import length, length_of, length_with
from pullback.show.names import ascii_name

__all__ = ["LIMIT", "POINTS", "Answer", "Outcome", "answer", "gap", "gradient_length", "judge", "truth_length"]

Array = Any

TOLERANCE = 1e-7
POINTS = 3
LIMIT = 60.0  # seconds for one derivation
TARGET = os.environ.get(
    "PULLBACK_TARGET", ""
)  # the code that is run: numpy, jax, torch or tensorflow; none: the evaluator


@dataclass
class Outcome:
    """What became of one problem. `verdict` is right, refused, wrong or skipped."""

    id: str
    verdict: str
    code: str = ""
    reason: str = ""
    answer: str = ""
    truth: str = ""
    seconds: float | None = None  # of processor time, for the derivation
    length: int | None = None
    truth_length: int | None = None
    error: float | None = None
    tested: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        return self.length / self.truth_length if self.length is not None and self.truth_length else None


# ---- our answer ----------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What is compared: a function of the arrays, the printed form, and how long it is."""

    evaluate: Callable[[Mapping[str, Array]], Array]
    text: str
    length: int


def answer(problem: Problem, tied: bool = False, restricted: bool = False) -> Answer:
    """Our derivation of the problem, evaluated by the code of TARGET if one is set. Raises PullbackError, Refused."""
    wrt, text = asked(problem), source(problem, tied=tied, restricted=restricted)
    if problem["layout"] == "gradient" and problem["order"] == 1:
        derived = pb.derive(text, wrt=wrt, target=fresh(problem), name=problem["id"])
        name = wrt[0]
        run = generated(derived.compile(TARGET), derived.program, name) if TARGET else None
        return Answer(run or (lambda given: derived.evaluate(**_inputs(derived.program, given))[1][name]),
                      repr(derived[name]), gradient_length(derived, name))  # fmt: skip
    make = pb.hessian if problem["order"] == 2 else pb.jacobian
    found = make(text, wrt=wrt[0] if len(wrt) == 1 else tuple(wrt), target=fresh(problem), name=problem["id"])
    # the array is written with gradients where they keep it short: with these it is whole
    whole = length_with(found.expr, dict(found._gradients))
    shown = str(found)
    if problem["layout"].startswith("vec"):
        shown = str(found.vec())
        whole += length_of(shown) - length(found.expr)
    run = generated(found.compile(TARGET), found.program, "") if TARGET else None
    return Answer(run or (lambda given: found.evaluate(**_inputs(found.program, given))), shown, whole)


def generated(f: Callable[..., Any], program: Program, name: str) -> Callable[[Mapping[str, Array]], Array]:
    """What generated code gives for arrays by name: the gradient of that name, or the one array that there is."""
    words = {w: v.attrs[0] for v in program.inputs for w in (ascii_name(v.attrs[0]), ascii_name(v.attrs[0]) + "_")}
    convert: Callable[..., Any] = np.asarray
    if TARGET == "torch":
        torch = import_module("torch")
        convert = partial(torch.as_tensor, dtype=torch.float64)
    elif TARGET == "tensorflow":
        convert = import_module("tensorflow").constant

    def run(given: Mapping[str, Array]) -> Array:
        args = [convert(np.asarray(given[words[w]], dtype=float)) for w in inspect.signature(f).parameters]
        found = f(*args)[1]
        return np.asarray(found[name] if name else next(iter(found.values())))

    return run


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


def judge(
    problem: Problem, points: int = POINTS, limit: float = LIMIT, labels: Collection[str] | None = None
) -> Outcome:
    """Derives the problem and compares it with its truth, at all choices of sizes or at those in `labels`.

    A crash, and a result that cannot be evaluated where the truth can, count as wrong."""
    found = Outcome(problem["id"], "skipped", truth=problem.get("truth") or "")
    if not problem.get("expr_parsable", True):
        found.reason = "its text is descriptive only"
        return found
    try:
        _known(problem)
        tests = _Tests(problem, points, labels)
        ours = _answer(problem, found, limit, tests.tied)
        error, where = tests.worst(ours)
        if error > TOLERANCE and SUBSPACES & set(_props(problem)):
            among = _among(problem, found, limit, tests.tied)
            if among is not None and tests.worst(among)[0] <= TOLERANCE:
                ours, (error, where) = among, tests.worst(among)
                found.reason = "among the matrices of its kind: the projection"
            elif (other := tests.convention(ours)) is not None:
                raise Refused(
                    "R-CONVENTION", f"{other} is asked for, where G is the gradient for free entries: that is right"
                )
        found.answer, found.tested, found.error = ours.text, tests.labels, error
        found.verdict = "right"
        if error > TOLERANCE:
            found.verdict, found.code, found.reason = "wrong", "VALUE", f"relative error {error:.2g} {where}"
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


def _answer(problem: Problem, found: Outcome, limit: float, tied: bool, restricted: bool = False) -> Answer:
    start = time.process_time()
    with _time_limit(limit):
        ours = answer(problem, tied, restricted)
    found.seconds = time.process_time() - start
    return ours


def _among(problem: Problem, found: Outcome, limit: float, tied: bool) -> Answer | None:
    """The gradient among the matrices of its kind; None where the language refuses such a variable (U004)."""
    try:
        return _answer(problem, found, limit, tied, restricted=True)
    except pb.UnsupportedError as why:
        if why.code != "U004":
            raise
        return None


def _props(problem: Problem) -> list[str]:
    return [p for n in asked(problem) for p in problem["vars"][n].get("props", ())]


def _known(problem: Problem) -> None:
    """Raises Refused where no arrays can be drawn, or the layout is none that is compared."""
    if missing := [n for n in asked(problem) if n not in problem["vars"]]:
        raise Refused("R-LAYOUT", f"{missing[0]} is not a variable")
    if not problem.get("deriv_jax") and LAYOUTS.get(problem["layout"]) != problem["order"]:
        raise Refused("R-LAYOUT", f"layout {problem['layout']} of order {problem['order']}")
    try:
        arrays(problem, problem["sizes"], 0)
    except UnknownProperty as why:
        raise Refused("R-PROP", str(why)) from None


class _Tests:
    """The points at which a problem is tested, with their truths. Raises Refused where there are none."""

    def __init__(self, problem: Problem, points: int, labels: Collection[str] | None) -> None:
        self.problem = problem
        self.tied = is_tied(problem)
        sets = list(size_sets(problem["sizes"]))[: 1 if self.tied else None]
        if labels is not None:
            sets = [s for s in sets if s[0] in labels] or sets[-1:]
        self.cases = [(label, sizes, *case) for label, sizes in sets for case in self.at(label, sizes, points)]
        self.labels = list(dict.fromkeys(label for label, *_ in self.cases))
        if not self.cases:
            raise Refused("R-TRUTH", "the truth is not a number at any point that its properties allow")

    def at(self, label: str, sizes: Mapping[str, int], points: int) -> Iterator[tuple[dict[str, Array], Array]]:
        """Arrays with their truth; none at sizes, other than its own, that the problem does not have."""
        truth = truth_of(self.problem, sizes)
        for seed in range(points):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = point(self.problem, truth, sizes, seed)
            except Refused:
                raise
            except Exception as why:
                if label == "given":
                    raise Refused("R-TRUTH", f"its lambda fails: {type(why).__name__}: {str(why)[:200]}") from None
                return
            if found is None:
                return
            yield found

    def worst(self, ours: Answer) -> tuple[float, str]:
        """The largest difference, and where it is."""
        return max((gap(self.value(ours, given, truth), truth), f"at the sizes {sizes} ({label})")
                   for label, sizes, given, truth in self.cases)  # fmt: skip

    def convention(self, ours: Answer) -> str | None:
        """The gradient among symmetric matrices that the truth is, where ours is that for free entries."""
        pairs = [(self.value(ours, given, truth), truth) for _, _, given, truth in self.cases]
        if any(g.ndim != 2 or g.shape[0] != g.shape[1] for g, _ in pairs):
            return None
        for name, made in (
            ("½ (G + Gᵀ)", lambda g: (g + g.T) / 2),
            ("G + Gᵀ − diag G", lambda g: g + g.T - g * np.eye(len(g))),
        ):
            if all(gap(made(g), truth) <= TOLERANCE for g, truth in pairs):
                return name
        return None

    def value(self, ours: Answer, given: Mapping[str, Array], truth: Array) -> Array:
        with np.errstate(all="ignore"):
            try:
                found = np.asarray(ours.evaluate(given), dtype=float)
            except pb.PullbackError as why:  # there is a truth here, so there is a value
                raise RuntimeError(f"the result cannot be evaluated: {why.message}") from why
        return found if found.shape == truth.shape else in_layout(self.problem, found, given)


def gap(value: Array, truth: Array) -> float:
    """The largest difference of an entry, relative to the largest entry of the truth."""
    if value.shape != truth.shape:
        return float("inf")
    found = float(np.max(np.abs(value - truth), initial=0.0)) / (float(np.max(np.abs(truth), initial=0.0)) + 1e-3)
    return found if np.isfinite(found) else float("inf")
