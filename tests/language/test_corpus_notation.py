"""The notation of the corpora is read as their authors mean it: what the reader makes of a text has the lambda's numbers.

Two readings of every problem that do not know of each other: the parsed text, evaluated, and the lambda that stands beside
it. A wrong precedence, transpose or order of axes gives other numbers at sizes that all differ.
"""

import types
import warnings
from collections.abc import Mapping
from typing import Any

import pytest

np = pytest.importorskip("numpy")
jax = pytest.importorskip("jax")

from corpus_problems import Problem, arrays, fresh, is_tied, parsed, problems  # noqa: E402
from corpus_sampling import size_sets  # noqa: E402
from corpus_verdicts import gap  # noqa: E402
from run_corpus import FOLDER  # noqa: E402

import pullback as pb  # noqa: E402
from pullback.algebra.dims import Dim  # noqa: E402
from pullback.algebra.ops.free import var  # noqa: E402
from pullback.calculus.core import Core, Equation  # noqa: E402
from pullback.calculus.derivation import Derivation  # noqa: E402
from pullback.code.numpy import evaluate  # noqa: E402
from pullback.language.program import Program  # noqa: E402

Array = Any
ROWS = [p for p in problems(sorted(FOLDER.glob("*.jsonl"))) if p.get("expr_parsable", True)]
# Functions that are known by name, and not derived yet.
LATER = "is not supported in this version"

pytestmark = pytest.mark.skipif(not ROWS, reason=f"no corpora at {FOLDER}")


def sizes_of(p: Problem) -> list[dict[str, int]]:
    """Sizes to evaluate at, the first that the problem allows: all different, all one larger, its own."""
    sets = dict(size_sets(p["sizes"]))
    if is_tied(p):
        return [sets["given"]]
    return [sets[k] for k in ("different", "larger", "given") if k in sets]


def read(p: Problem, program: Program, given: Mapping[str, Array]) -> Array:
    """The value of the text; variables that it does not use tell sizes that it does."""
    found = program.variable(fresh(p))
    assert found is not None
    used = {v.attrs[0] for v in program.inputs}
    idle = [var(n, tuple(Dim.number(d) if isinstance(d, int) else Dim.symbol(d) for d in v["shape"]))
            for n, v in p["vars"].items() if n not in used]  # fmt: skip
    forward = [Equation(q.var, q.rhs) for q in program.equations]
    forward += [Equation(var(f"idle {k}", v.shape), v) for k, v in enumerate(idle)]
    d = Derivation(Core(forward), (*program.inputs, *idle), found, None, ())
    return np.asarray(evaluate(d, set(), given)[0])


def lambda_value(code: str, sizes: Mapping[str, int], given: Mapping[str, Array]) -> Array:
    """The lambda's value: by NumPy, which need not compile, and by JAX where it uses more than NumPy has."""
    for xp, nn in ((np, types.SimpleNamespace()), (jax.numpy, jax)):
        try:
            f = eval(code, {"jnp": xp, "np": np, "jax": nn, "jsp": jax.scipy, **sizes})
            return np.asarray(f(*(xp.asarray(a) for a in given.values())), dtype=float)
        except (AttributeError, TypeError):
            if xp is not np:
                raise
    raise AssertionError


def wanted_of(p: Problem, lambda_field: str) -> tuple[dict[str, Array], Array]:
    """Arrays, and the value of the lambda there."""
    for sizes in sizes_of(p):
        given = arrays(p, sizes, 0)
        try:
            return given, lambda_value(p[lambda_field], sizes, given)
        except (ValueError, TypeError):  # it has its own sizes written into it
            if sizes == p["sizes"]:
                raise
    raise AssertionError


def compared(field: str, lambda_field: str) -> tuple[int, list[str], list[str]]:
    """How many texts have the numbers of their lambda, which have not, and what could not be read, with the reason."""
    good, wrong, unread = 0, [], []
    for p in ROWS:
        if not p.get(field) or not p.get(lambda_field):
            continue
        try:
            program = parsed(p, None if field == "expr" else p[field])
        except pb.PullbackError as why:
            unread.append(f"{p['id']}: {why.message}")
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            given, wanted = wanted_of(p, lambda_field)
            value = read(p, program, given)
        if not np.all(np.isfinite(wanted)):  # outside the domain of the formula as it is written
            continue
        good += 1
        if not gap(value, wanted) < 1e-8:
            wrong.append(f"{p['id']}: {p[field]}")
    return good, wrong, unread


def test_truths_are_read_as_they_are_meant() -> None:
    good, wrong, unread = compared("truth", "truth_jax")
    assert not wrong
    assert all(LATER in why for why in unread), unread
    assert good >= 425, good


def test_problems_are_read_as_they_are_meant() -> None:
    good, wrong, unread = compared("expr", "jax")
    assert not wrong
    assert all(LATER in why for why in unread), unread
    assert good >= 430, good
