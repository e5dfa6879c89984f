"""FINAL refuses: wrong gradients, slopes that differences contradict, assumptions that cannot be had."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.op import REGISTRY
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.free import var
from pullback.proof.differences import functions_in, slope_error
from pullback.proof.final import Problem, confirm

n = Dim.symbol("n")
E, x, y = var("E", ()), var("x", (n,)), var("y", (n,))

KNOWN = [o for o in REGISTRY.values() if o.real is not None and o.slots and o.define is None]


# ---- differences -------------------------------------------------------------------------------------------

WRONG_SLOPES: dict[str, tuple[str, Callable[..., Expr], list[str]]] = {
    "relu is the identity": ("relu", lambda Y, X, dX: 1 * dX, ["E = sum(relu(x))", "y = relu(x)\nE = ½‖y‖²"]),
    "a square forgotten": ("tanh", lambda Y, X, dX: (1 - Y) * dX, ["E = sum(tanh(x))", "E = 1e-7 sum(tanh(x))", "E = s + 1e-9 sum(tanh(x))"]),
    "a sign": ("cos", lambda Y, X, dX: REGISTRY["sin"](X) * dX, ["E = 1e6 sum(cos(x))"]),
    "a factor near 1": ("sqrt", lambda Y, X, dX: (rational(0.5002) * Y**-1) * dX, ["E = sum(sqrt(x))"]),
    "many layers": ("tanh", lambda Y, X, dX: (1 - Y) * dX, [
        "x0 = tanh(x)\n" + "\n".join(f"x{k + 1} = tanh(x{k})" for k in range(401)) + "\nE = sum(x401)",
    ]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "differential", "text"), [(f, d, t) for f, d, texts in WRONG_SLOPES.values() for t in texts]
)
def test_a_wrong_slope_is_refused(
    name: str, differential: Callable[..., Expr], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step and the exact check take the slope from the declaration of the function; only differences do not."""
    monkeypatch.setattr(REGISTRY[name], "differential", differential)
    with pytest.raises(pb.CheckFailed) as why:
        pb.derive("x : n\ns : scalar\n" + text)
    assert why.value.code == "C005"


@pytest.mark.parametrize("known", [o for o in KNOWN if not o.attr_names], ids=lambda o: o.name)
def test_every_declared_slope_is_that_of_its_function(known: object) -> None:
    names = [x, *(var(f"x{k}", x.shape if pattern else ()) for k, (_, pattern) in enumerate(known.slots) if k)]  # type: ignore[attr-defined]
    [f] = functions_in([known(*names)])  # type: ignore[operator]
    error = slope_error(f)
    assert error is not None and error < 1e-8


@pytest.mark.parametrize(
    "text",
    [
        "E = sum(tanh(100 x))",  # flat where it is not steep
        "E = exp(exp(sum(x ⊙ x)))",
        "E = sum(relu(50 x)) + sum(sqrt(‖x‖² 1_n))",
        "E = 1e12 + sum(x ⊙ x)",  # nearly all digits are lost
        "E = 1e-12 sum(exp(x)) − 1e-12 sum(x)",
        "E = (‖x‖² + 1e6)^3 − 1e18",
        "E = sum(log(x)) + sum(sqrt(x))",
        "E = f(f(f(f(sum(g(x))))))",
        "E = sum(x − x)",
        "E = 0 sum(x)",
        "E = sum(sigmoid(1000 x))",
    ],
)  # fmt: skip
def test_what_floats_see_badly_is_not_refused(text: str) -> None:
    derived = pb.derive("x : n\nf : entrywise\n" + text)
    assert derived.evidence[0].level == "TESTED-MODP"


def test_the_evidence_says_what_was_compared() -> None:
    shown = {e.level: e for e in pb.derive("x : n\ny = tanh(x)\nE = sum(sin(y))").evidence}["TESTED-FLOAT"]
    assert (
        shown.detail.startswith("central difference of the program")
        and "the slopes of tanh and sin agree" in shown.detail
    )
    assert shown.data["error"] < 1e-6 and set(shown.data["slopes"]) == {"tanh", "sin"}
    chain = "\n".join(["x0 : n", *(f"x{k + 1} = tanh(x{k})" for k in range(401)), "E = sum(x401)"])
    shown = {e.level: e for e in pb.derive(chain).evidence}["TESTED-FLOAT"]
    assert shown.detail.startswith("the slope of tanh agrees with a central difference") and "error" not in shown.data


def test_a_wrong_value_of_a_function_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY["softplus"], "real", lambda t: math.log1p(math.exp(-t)))
    with pytest.raises(pb.CheckFailed) as why:
        pb.derive("x : n\nE = sum(softplus(x))")
    assert why.value.code == "C005"


# ---- gradients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [3 * x, -2 * x, 2 * y, 2 * (x * x), 2 * x + (x @ y - y @ x + 1) * y])
def test_a_wrong_gradient_is_refused(wrong: Expr) -> None:
    confirm(Problem([(E, x @ x)], [], [(x, 2 * x)], E, None, [x, y], [x]))
    with pytest.raises(pb.CheckFailed) as why:
        confirm(Problem([(E, x @ x)], [], [(x, wrong)], E, None, [x, y], [x]))
    assert why.value.code == "C002"


def test_an_input_that_nothing_uses_has_a_size_too() -> None:
    confirm(Problem([(E, x @ x)], [], [(x, 2 * x)], E, None, [x, var("unused", (Dim.symbol("k"),))], [x]))


# ---- assumptions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assumed", "value", "gradient", "used"),
    [
        (["sum(y) = 1"], "sum(y)^2", "2 sum(y) 1_n", False),
        (["sum(y) = 1"], "sum(y) (yᵀ w)", "yᵀ w + w", True),
        (["sum(y) = 1", "sum(y ⊙ w) = 0"], "sum(y) (yᵀ w) + sum(y ⊙ w) sum(y)", "2 (yᵀ w + w)", True),
        (["sum(y) = 1", "sum(y) = 1"], "sum(y) (yᵀ w)", "yᵀ w + w", True),
        (["sum(y) = 1", "sum(w) = sum(y)"], "sum(y)^2 sum(w)", "2 1_n", True),
        (["yᵀ w = 1", "sum(w) = 1", "sum(y) = 2"], "(yᵀ w) sum(w) sum(y)", "2 w + 1", True),
    ],
)
def test_assumptions_hold_together(assumed: list[str], value: str, gradient: str, used: bool) -> None:
    derived = pb.derive("\n".join(["y : n", "w : n", *(f"assume {a}" for a in assumed), f"E = {value}"]))
    assert str(derived["y"]) == gradient
    assert any("S-ASSUME" in s.rules for s in derived.derivation.steps) is used


@pytest.mark.parametrize(
    "assumed",
    [
        ["‖y‖² = 1"],
        ["sum(y) = 1", "sum(y) = 2"],
        ["sum(z) = 1"],
        ["s sum(y) = 1", "sum(y) = s"],
    ],
)
def test_assumptions_that_cannot_be_sampled_are_refused(assumed: list[str]) -> None:
    with pytest.raises(pb.UnsupportedError) as why:
        pb.derive(
            "\n".join(
                ["y : n", "s : scalar", "z = 2 y", *(f"assume {a}" for a in assumed), "E = sum(y)^2 ‖y‖² s + sum(z)"]
            )
        )
    assert why.value.code == "U011"


def test_a_program_that_oscillates_within_every_step_is_no_counterexample() -> None:
    """Its differences are far smaller than its slope, at each step: they test nothing (found by fuzzing)."""
    pb.derive(
        "h[0] : n; W : (n, n); b : n; s[t] = W h[t-1] + b for t = 1..T; h[t] = 1e3 f(s[t]) for t = 1..T\n"
        "E = sum_{t=1..T} loss(h[t])"
    )


def test_a_number_that_the_prime_divides_is_no_reason_to_refuse() -> None:
    """2⁶¹ − 1 in a denominator is 1/0 modulo itself: the test takes another prime, and says so."""
    derived = pb.derive(f"s : scalar; E = s^2 / {2**61 - 1}")
    assert derived.evidence[0].data["p"] > 2**159 and "modulo a prime of 160 bits" in derived.evidence[0].detail


def test_a_gradient_that_is_right_modulo_the_prime_only_is_refused() -> None:
    with pytest.raises(pb.CheckFailed) as why:
        confirm(Problem([(E, x @ x)], [], [(x, rational(2**61 + 1) * x)], E, None, [x], [x]))
    assert why.value.code == "C002"


def test_sizes_at_which_nothing_depends_on_the_point_are_not_the_last() -> None:
    """A square G makes G (GᵀG)⁻¹ Gᵀ the identity: E is 0 whatever G is, and no difference tests its gradient."""
    d = pb.derive("G : (q, k); w : q; E = ‖w − G inv(Gᵀ G) Gᵀ w‖²; derive grad G")
    assert any("central difference" in e.detail for e in d.evidence)
    A = pb.derive(
        "A : (n, n); B : (n, k); v : (q, n); w : q; G = A B; E = ‖w − v G inv(Gᵀ vᵀ v G) Gᵀ vᵀ w‖²; derive grad A"
    )
    assert any("central difference" in e.detail for e in A.evidence)


def test_sizes_at_which_a_covariance_is_regular_are_found() -> None:
    """Of n centred rows it has the rank n − 1: at n = 2 and d = 3 two of its eigenvalues are 0, and have no slope."""
    d = pb.derive("X : (n, d); Y = X - 1_n mean(X, axis=0)'; S = Y' Y / n; E = sum(eigvals(S).^2)")
    assert {"TESTED-MODP", "TESTED-FLOAT"} <= {e.level for e in d.evidence}
