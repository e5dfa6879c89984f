"""The Python face: what the README promises."""

import json

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

LAYER = """W : (m, n); a : n; b : m
z = W a + b
y = f(z)
E = loss(y)"""


def test_gradients_are_expressions() -> None:
    d = pb.derive(LAYER, wrt=["W", "a", "b"])
    assert [str(d[v]) for v in d] == ["∇z aᵀ", "Wᵀ ∇z", "∇z"]
    assert d["W"].latex() == r"\nabla_{z}\, a^{\top}"
    assert d["W"].ascii() == "grad_z a^T"
    assert [str(s) for s in d["W"].shape] == ["m", "n"]
    assert d["z"].ascii() == "grad_y .* f'(z)"


def test_operators_give_the_same_program_and_the_same_answers() -> None:
    W, a, b = pb.tensor("W", "m", "n"), pb.tensor("a", "n"), pb.tensor("b", "m")
    f, loss = pb.function("f"), pb.functional("loss")
    z = W @ a + b
    d = pb.derive({"z": z, "y": f(z), "E": loss(f(z))})
    text = pb.derive(LAYER)
    assert [str(d[v]) for v in ("W", "a", "b", "z")] == [str(text[v]) for v in ("W", "a", "b", "z")]
    assert d["W"].expr is text["W"].expr


def test_evidence_names_its_level_and_bound() -> None:
    levels = [e.level for e in pb.derive(LAYER).evidence]
    assert levels == ["TESTED-MODP", "TESTED-FLOAT", "LIFT"]
    d = pb.derive(LAYER)
    assert float(d.evidence[0].data["bound"]) < 1e-20
    assert all(s.evidence for s in d.steps)


def test_evaluate_gives_the_value_and_every_gradient() -> None:
    rng = np.random.default_rng(0)
    W, a, b = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=3)
    given = {"f": (np.tanh, lambda t: 1 - np.tanh(t) ** 2), "loss": (lambda y: 0.5 * y @ y, lambda y: y)}
    value, gradients = pb.derive(LAYER).evaluate(W=W, a=a, b=b, **given)
    y = np.tanh(W @ a + b)
    dz = y * (1 - y**2)
    assert value == pytest.approx(0.5 * y @ y, rel=1e-14)
    np.testing.assert_allclose(gradients["W"], np.outer(dz, a), rtol=1e-13)
    np.testing.assert_allclose(gradients["a"], W.T @ dz, rtol=1e-13)
    np.testing.assert_allclose(gradients["b"], dz, rtol=1e-13)


def test_evaluate_takes_slopes_by_a_checked_complex_step() -> None:
    rng = np.random.default_rng(1)
    arrays = {"W": rng.normal(size=(3, 4)), "a": rng.normal(size=4), "b": rng.normal(size=3)}
    d = pb.derive(LAYER)
    _, exact = d.evaluate(**arrays, f=(np.tanh, lambda t: 1 - np.tanh(t) ** 2), loss=(np.sum, np.ones_like))
    _, stepped = d.evaluate(**arrays, f=np.tanh, loss=np.sum)
    np.testing.assert_allclose(stepped["W"], exact["W"], rtol=1e-13)
    with pytest.raises(pb.UnsupportedError, match="derivative of f"):
        d.evaluate(**arrays, f=np.abs, loss=np.sum)  # a complex step is silently wrong for abs: refused


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"W": np.ones((3, 3))}, pb.ShapeError, "size"),
        ({"W": np.ones(3)}, pb.ShapeError, "axes"),
        ({"a": None}, pb.ParseError, "no array is given for a"),
        ({"q": np.ones(2)}, pb.ParseError, "q is not an input"),
        ({"a": np.ones(4) * 1j}, pb.UnsupportedError, "real"),
        ({"f": None}, pb.ParseError, "no function is given for f"),
    ],
)
def test_evaluate_refuses_what_does_not_fit(change: dict, error: type, word: str) -> None:
    given = {"W": np.ones((3, 4)), "a": np.ones(4), "b": np.ones(3), "f": np.tanh, "loss": np.sum, **change}
    with pytest.raises(error, match=word):
        pb.derive(LAYER).evaluate(**{k: v for k, v in given.items() if v is not None})


def test_the_record_is_json_and_renders_the_same_after_a_round_trip() -> None:
    from pullback.show.page import render

    d = pb.derive(LAYER)
    again = json.loads(d.to_json())
    assert again["format"].startswith("pullback/")
    for style in ("pairing", "index"):
        for form in ("text", "markdown", "latex"):
            assert render(again, style=style, format=form, level=4) == render(
                d.record, style=style, format=form, level=4
            )


def test_an_unknown_name_has_a_suggestion() -> None:
    with pytest.raises(pb.ParseError) as caught:
        pb.derive("target_x = sum(weights)", wrt=["weigths"])
    assert "weights" in caught.value.hint


def test_a_gradient_with_respect_to_a_computed_name() -> None:
    d = pb.derive(LAYER, wrt=["z"])
    assert str(d["z"]) == "∇y ⊙ f′(z)" and list(d) == ["z"]


def test_a_name_that_does_not_reach_the_target_has_gradient_zero() -> None:
    d = pb.derive("x : n; y : m; u = sum(y); E = xᵀ x", wrt=["x", "y"])
    _, gradients = d.evaluate(x=np.arange(3.0), y=np.ones(2))
    assert str(d["x"]) == "2 x" and not gradients["y"].any() and gradients["y"].shape == (2,)


def test_assumptions_are_used_and_named() -> None:
    d = pb.derive("y : n\np : n\nassume sum(y) = 1\nE = sum(y) * (pᵀ p)", wrt=["p"])
    assert str(d["p"]) == "2 p"
    assert any("S-ASSUME" in s.rules for s in d.steps)


def test_no_axis_of_a_test_is_empty() -> None:
    """H − p + 1 and W − q + 1 were both negative at the sizes that were drawn, and their product was not."""
    d = pb.derive("X : (B, c, H, W); K : (o, c, p, q); Y = conv2d(X, K); E = ½ ‖Y‖²")
    assert str(d["X"]).startswith("fold(")
