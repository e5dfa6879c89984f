"""Why not: each wrong form really is wrong at the numbers shown, by NumPy and by hand."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import pullback as pb
from pullback.algebra.expr import postorder
from pullback.algebra.ops.free import is_var
from pullback.proof.whynot import WhyNot, _interpolated
from pullback.show import notation

np = pytest.importorskip("numpy")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# example -> name -> (the wrong form, what is wrong with it, which sizes must be equal)
EXPECTED = {
    "layer": {
        "z": ("∇y", "factor", ""),
        "W": ("a ∇zᵀ", "swap", "n = m"),
        "a": ("W ∇z", "untranspose", "n = m"),
        "b": ("∇y", "factor", ""),
    },
    "layer_index": {"z": ("∇y", "factor", ""), "W": ("∇z aᵀ", "swap", "n = m"), "a": ("Wᵀ ∇z", "transpose", "n = m")},
    "batch_columns": {
        "Z": ("∇Y f′(Z)", "product MUL", "m = B"),
        "W": ("∇Z A", "untranspose", "n = B"),
        "A": ("W ∇Z", "untranspose", "n = m"),
        "b": ("∇Z B⁻¹ 1_B", "mean", ""),
    },
    "batch_rows": {
        "Z": ("∇Y f′(Z)", "product MUL", "m = B"),
        "W": ("A ∇Z", "untranspose", "n = B"),
        "A": ("∇Z W", "untranspose", "n = m"),
        "b": ("∇Zᵀ B⁻¹ 1_B", "mean", ""),
    },
    "bias_folded": {
        "V": ("c ∇zᵀ", "swap", "m = n + 1"),
        "c": ("V ∇z", "untranspose", "m = n + 1"),
        "z": ("∇y", "factor", ""),
    },
}


def derived(name: str) -> pb.Derived:
    return pb.derive((EXAMPLES / f"{name}.eqn").read_text(encoding="utf-8"))


def answers(d: pb.Derived) -> dict[str, WhyNot]:
    return {name: w for name, w in d._why_not.items() if isinstance(w, WhyNot)}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_likeliest_mistake_is_answered(name: str) -> None:
    found = answers(derived(name))
    said = {
        v: (notation.text(w.wrong), w.kind, " and ".join(f"{s} = {d}" for s, d in w.alike)) for v, w in found.items()
    }
    assert {v: said[v] for v in EXPECTED[name]} == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_two_sides_differ_and_the_program_says_which_is_right(name: str) -> None:
    """The gradient from central differences of the program with exact numbers: no tangent, no derivation."""
    d = derived(name)
    for v, w in answers(d).items():
        c = w.found
        assert c.exact and c.least and c.left != c.right and c.left[c.at] != c.right[c.at]
        assert w.polynomial is not None
        assert c.left[c.at] == (w.polynomial[1] if len(w.polynomial) > 1 else 0)
        if name == "layer" and v in ("W", "a", "b"):
            numbers = {x.attrs[0]: values for x, values in c.values.items()}
            assert _slope(numbers, c.sizes, v, c.at) == c.left[c.at]


def _slope(numbers: dict[str, list[Any]], sizes: Any, name: str, at: int) -> Fraction:
    """∂E/∂(entry) of the layer with f(t) = t² and loss(y) = y₁ + 2 y₂, which is quadratic in every entry."""

    def value(h: int) -> Any:
        moved = {k: [x + h * (k == name and j == at) for j, x in enumerate(v)] for k, v in numbers.items()}
        W = np.array(moved["W"]).reshape(sizes["m"], sizes["n"])
        y = (W @ np.array(moved["a"]) + np.array(moved["b"])) ** 2
        return sum((k + 1) * x for k, x in enumerate(y.tolist()))

    return Fraction(value(1) - value(-1), 2)


def test_shapes_that_fit_only_when_sizes_are_equal_are_built_there() -> None:
    w = answers(derived("layer"))["a"]
    assert w.found.sizes["m"] == w.found.sizes["n"] == 2
    assert {str(d) for x in postorder(w.wrong) for d in x.shape} == {"m"}


def test_the_true_gradients_on_the_right_are_those_of_the_program() -> None:
    """∇z inside a wrong form is the true ∇z: the form is wrong, not what is put into it."""
    w = answers(derived("layer"))["a"]
    [grad_z] = [values for x, values in w.known.items() if is_var(x, "grad")]
    z = next(values for x, values in w.known.items() if x.attrs[0] == "z" and is_var(x))
    weights = range(1, len(z) + 1)
    assert grad_z == [k * 2 * t for k, t in zip(weights, z, strict=True)]


def test_equal_layers_are_answered_once() -> None:
    d = derived("mlp3")
    found = d._why_not
    assert found["Z2"] == found["Z1"] == "Z3" and found["b1"] == "b3" and found["W1"] == "W3"
    assert isinstance(found["Z3"], WhyNot) and isinstance(found["W3"], WhyNot)


def test_known_functions_are_rounded_and_said_to_be() -> None:
    d = pb.derive("z = W x; y = tanh(z); E = ½ ‖y − t‖²; t : m where const")
    w = answers(d)["W"]
    assert w.polynomial is None
    assert any(isinstance(x, float) for x in w.found.left) or w.found.exact


def test_a_given_gradient_takes_the_place_of_the_target() -> None:
    d = pb.derive("z = W a; given grad z as g")
    text = d.text(level=4)
    assert "Why not ∇a = W g, without the transpose?" in text and "gᵀ z becomes h, so ∂E/∂a_2 = 1, not 0" in text


def test_assumptions_hold_at_the_numbers() -> None:
    d = pb.derive("p : n; assume sum(p) = 1; E = sum(p ⊙ f(x))")
    for w in answers(d).values():
        p = next(values for x, values in w.found.values.items() if x.attrs[0] == "p")
        assert sum(p) == 1


def test_a_program_without_products_has_no_answer() -> None:
    assert pb.derive("E = sum(x)")._why_not == {}
    assert "WHY NOT" not in pb.derive("E = sum(x)").text(level=4)


def test_a_long_program_is_not_searched() -> None:
    lines = "; ".join(f"z{k + 1} = W{k} z{k}" for k in range(80))
    assert pb.derive(f"{lines}; E = loss(z80)")._why_not == {}


def test_a_polynomial_is_found_or_there_is_none() -> None:
    def at(f: Any) -> list[Fraction]:
        return [Fraction(f(Fraction(h))) for h in range(-4, 5)]

    assert _interpolated(at(lambda h: 1 + 2 * h + 3 * h**5)) == (1, 2, 0, 0, 0, 3)
    assert _interpolated(at(lambda h: 7)) == (7,)
    assert _interpolated(at(lambda h: abs(h))) is None
    assert _interpolated(at(lambda h: h**6)) is None
