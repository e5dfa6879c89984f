"""A wrong declaration anywhere ends in a refusal: no derivation is shown that rests on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import pullback as pb
from pullback import api
from pullback.algebra.expr import OPERATORS, Expr
from pullback.algebra.op import REGISTRY

LAYER = "W : (m, n); a : n; b : m\nz = W a + b\ny = f(z)\nE = loss(y)"

# what is declared wrongly, the declaration, a program that uses it, and who notices
WRONG: dict[str, tuple[str, str, Any, str, str]] = {
    "an adjoint": ("matvec", "adjoint", lambda G, A, x: (OPERATORS["outer"](G, x), 2 * (A.T @ G)), LAYER, "C001"),
    "an adjoint of the wrong shape": ("matmul", "adjoint", lambda G, A, B: (G @ B.T, G.T @ A), "A : (n, n); B : (n, n)\nE = tr(A B)", "C001"),
    "an adjoint of a sign": ("neg", "adjoint", lambda G, X: G, "x : n; y : n\nE = ‖x − y‖²", "C001"),
    "a lone term of a sum": ("sub", "alone", lambda k, d: d, "x : n; y : n\nE = ‖x − y‖²", "C001"),
    "a differential": ("norm", "differential", lambda Y, X, dX: 2 * (Y**-1 * OPERATORS["inner"](X, dX)), "x : n\nE = ‖x‖", "C001"),
    "a differential by parts": (
        "divide", "differential", lambda Z, X, Y, dX, dY: (Y**-1 * dX, (Z * Y**-1) * dY), "x : n; y : n\nE = sum(x ⊘ y)", "C001",
    ),
    "a differential that is not linear": (
        "square", "differential", lambda Y, X, dX: (2 * X) * (dX * (dX * dX**-1)), "x : n\nE = sum(square(x))", "C007",
    ),
    "a slope": ("sigmoid", "differential", lambda Y, X, dX: (Y * (1 + Y)) * dX, "x : n\nE = sum(sigmoid(x))", "C005"),
    "a sign in print": ("sub", "text", "$X + $Y:11", "x : n; t : n\nE = ‖x − t‖²", "C006"),
    "a transpose in print": ("transpose", "text", "$A:30", "W : (n, n); a : n; b : n\nE = bᵀ W a + ‖W a‖²", "C006"),
    "a transpose in print that does not fit": ("transpose", "text", "$A:30", LAYER, "C006"),
    "a bracket in print": ("hadamard", "text", "$X:1 ⊙ $Y:1", "x : n; y : n; w : n\nE = sum((x + y) ⊙ (x + w) ⊙ w)", "C006"),
}  # fmt: skip


@pytest.mark.parametrize(("op", "field", "wrong", "text", "code"), WRONG.values(), ids=WRONG)
def test_a_wrong_declaration_is_noticed(
    op: str, field: str, wrong: Any, text: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = text.replace("; ", "\n")
    pb.derive(program)
    monkeypatch.setattr(REGISTRY[op], field, wrong)
    with pytest.raises(pb.CheckFailed) as why:
        pb.derive(program)
    assert why.value.code == code
    assert "withheld" in why.value.hint


@pytest.mark.parametrize("change", [lambda g: 2 * g, lambda g: -g, lambda g: g + g * g])
def test_a_gradient_that_no_step_derived_is_noticed(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """FINAL rests on no step: what is listed in the end is compared with the program."""
    sweep = api.sweep

    def swept(*args: Any, **options: Any) -> Any:
        d = sweep(*args, **options)
        k = next(k for k, b in enumerate(d.backward) if b.of.attrs[0] == "W")
        wrong: Expr = change(d.backward[k].value)
        d.backward[k] = replace(d.backward[k], value=wrong, closed=wrong)
        return d

    monkeypatch.setattr(api, "sweep", swept)
    with pytest.raises(pb.CheckFailed) as why:
        pb.derive(LAYER.replace("; ", "\n"))
    assert why.value.code == "C002"
