"""What `assume` and declarations say of names that equations compute: used where that is safe, and otherwise noted."""

from __future__ import annotations

import pytest

import pullback as pb

HEAD = "A : (n, n)\nD : (n, n) where symmetric\n"


def notes(text: str) -> tuple[pb.Derived, str]:
    d = pb.derive(HEAD + text)
    return d, "\n".join(d.program.assumptions)


@pytest.mark.parametrize("said", ["assume positive_definite(K)", "assume spd(K)", "K : (n, n) where positive_definite"])
def test_a_computed_symmetric_matrix_may_be_said_to_be_positive_definite(said: str) -> None:
    d, told = notes(f"{said}\nK = exp(D) + I\nE = logdet(K)")
    assert "K is positive definite (line 3)" in told and "is not used" not in told
    assert "as it is positive definite" in d.text()
    assert "cholesky" in d.code("torch") and "cholesky" in d.code("jax")
    plain, _ = notes("K = exp(D) + I\nE = logdet(K)")
    assert str(plain["D"]) == str(d["D"]) and "cholesky" not in plain.code("torch")


@pytest.mark.parametrize("word", ["symmetric", "positive definite", "lower", "positive", "orthogonal"])
def test_what_does_not_follow_from_the_equation_is_not_used_and_that_is_said(word: str) -> None:
    d, told = notes(f"K = A + 2 I\nassume {word.replace(' ', '_')}(K)\nE = logdet(K)")
    assert f"nothing of K beyond its equation: that it is {word} (line 4) is not used" in told
    assert str(d["A"]) == "∇K" and str(d["K"]) == "K⁻ᵀ"


def test_what_follows_from_the_equation_needs_no_word() -> None:
    _, told = notes("K = A A' + I\np = exp(A)\nassume symmetric(K)\nassume positive(p)\nE = logdet(K) + sum(p)")
    assert "not used" not in told


def test_a_definite_weight_is_found_in_the_plan_through_names() -> None:
    """exp(t) is positive, under a name too."""
    d = pb.derive("X : (n, p)\nt : scalar\ns = exp(t)\nK = X X' + s I\nE = logdet(K)")
    assert "torch.linalg.cholesky" in d.code("torch") and "jnp.linalg.cholesky" in d.code("jax")


def test_a_fact_of_a_name_that_is_nowhere_is_refused() -> None:
    with pytest.raises(pb.ParseError, match="Q occurs in no equation") as caught:
        pb.derive(HEAD + "assume symmetric(Q)\nE = logdet(A) + tr(D)")
    assert caught.value.code == "P003"
