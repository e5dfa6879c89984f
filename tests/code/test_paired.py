"""The value read off gradients: the same number, fewer products, and only where a gradient has exactly the terms that it must."""

from __future__ import annotations

from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

SIZES = {"B": 4, "n": 3, "k": 5, "m": 2, "t": 6, "s": 7}
LINEAR = {  # name: (program, what its last line says)
    "a product": ("P : (t, s)\nV : (s, m)\nC : (t, m) where const\nO = P V\nE = sum(C .* O)", "⟨P, ∇P⟩"),
    "a number in front": ("P : (t, s)\nV : (s, m)\nC : (t, m) where const\nO = P V\nE = 7 sum(C .* O) / t", "⟨P, ∇P⟩"),
    "two terms": ("X : (B, n)\nC : (B, m) where const\nW : (n, m)\nb : m\nY = X W + 1 b'\nE = sum(C .* Y)", "⟨b, ∇b⟩ + ⟨W, ∇W⟩"),
    "layer norm": ("X : (B, n)\nC : (B, n) where const\ng : n\nh : n\nY = layernorm(X, g, h)\nE = sum(C .* Y)", "⟨g, ∇g⟩ + ⟨h, ∇h⟩"),
    "through names": ("X : (B, n)\nC : (B, m) where const\nW : (n, m)\nY = X W\nZ = 3 Y\nL = sum(C .* Z)\nE = L / 7", "⟨W, ∇W⟩"),
    "what is left is said": ("P : (t, s)\nV : (s, m)\nC : (t, m) where const\nO = P V\nE = sum(C .* O) - ½ ‖P‖²", "⟨V, ∇V⟩ − ½ ‖P‖²"),
    "a number": ("X : (B, n)\nC : (B, n) where const\na : scalar\nY = a X\nE = sum(C .* Y)", "⟨a, ∇a⟩"),
    "a product that the backward pass has too": ("X : (B, n)\nC : (B, n) where const\ng : n\nY = rmsnorm(X, g)\nE = sum(C .* Y)", "⟨g, ∇g⟩"),
    "with a function inside": ("X : (B, n)\nC : (B, n) where const\na : scalar\nY = a tanh(X)\nE = sum(C .* Y)", "⟨a, ∇a⟩"),
}  # fmt: skip
OTHERS = {  # programs that stay as they are
    "a penalty in every gradient": "X : (B, n) where const\nC : (B, m) where const\nW : (n, m)\nc : m\n"
    "Y = X W + 1 c'\nE = ½ ‖W‖² - sum(C .* Y) + sum(exp(c))",
    "not linear": "P : (t, s)\nV : (s, m)\nO = P V\nE = ½ ‖O‖²",
    "no name between": "c : n\nx : n\nE = c' x",
    "the gradient has another term": "V : (s, m)\nP : (t, s) where const\nC : (t, m) where const\nO = P V\nE = sum(C .* O) + ½ ‖V‖²",
    "needed in the backward pass": "C : (t, m)\nP : (t, s) where const\nV : (s, m)\nO = P V\nE = sum(C .* O)",
    "the value is needed": "P : (t, s) where const\nV : (s, m)\nC : (t, m) where const\nO = P V\nE = exp(sum(C .* O))",
    "a root": "x : n\nc : n where const\ny = c .* x\nE = ‖y‖",
}  # fmt: skip


def arrays(d: Any, seed: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {v.attrs[0]: rng.normal(size=[SIZES[str(a)] for a in v.shape]) for v in d.derivation.inputs}


def agrees(d: Any, target: str = "numpy") -> None:
    given = arrays(d)
    f = d.compile(target)
    value, gradients = f(**given)
    expected = d.evaluate(**given)
    assert float(value) == pytest.approx(float(expected[0]), rel=1e-12, abs=1e-12)
    for n, g in gradients.items():
        np.testing.assert_allclose(np.asarray(g), expected[1][n], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_value_is_read_off_its_gradients(name: str) -> None:
    text, said = LINEAR[name]
    d = pb.derive(text)
    source = d.code("numpy")
    assert f"    #   = {said}\n" in source
    agrees(d)


@pytest.mark.parametrize("name", OTHERS)
def test_others_stay_as_they_are(name: str) -> None:
    d = pb.derive(OTHERS[name])
    source = d.code("numpy")
    assert "    #   = " not in source
    agrees(d)


def test_the_product_is_not_computed() -> None:
    """Its equation still stands above a line; the smallest array is taken among those whose gradients are wanted."""
    d = pb.derive(LINEAR["a product"][0])
    both, one = d.code("numpy"), d.code("numpy", wrt=["P"])
    assert "P @ V" not in both + one
    assert "# O = P V" in both and "# O = P V" in one
    assert "np.vdot(P, grad_P)" in one
    assert "np.vdot(V, grad_V)" in d.code("numpy", sizes={"s": 3, "t": 9, "m": 2})
    assert "np.vdot(P, grad_P)" in d.code("numpy", sizes={"s": 3, "t": 2, "m": 9})


@pytest.mark.parametrize("how", [{"form": "autodiff"}, {"mesh": "data=2: t"}])
def test_not_where_the_value_comes_first(how: dict[str, str]) -> None:
    """The forward pass of an autodiff form is a function of its own; blocks on a mesh are summed in it."""
    d = pb.derive(LINEAR["a product"][0])
    assert "    #   = " not in d.code("jax", **how)


def test_not_where_arrays_are_computed_anew() -> None:
    d = pb.derive("P : (t, s)\nV : (s, m)\nC : (t, m) where const\nS = exp(P)\nO = S V\nE = sum(C .* O)")
    assert "    #   = " in d.code("numpy")
    assert "    #   = " not in d.code("numpy", recompute=["S"])


def test_shapes_are_blamed_on_the_equation_that_was_written() -> None:
    d = pb.derive(LINEAR["layer norm"][0])
    given = arrays(d) | {"C": np.ones((4, 9))}
    with pytest.raises(ValueError, match=r"C has the shape \(4, 9\), not \(4, 3\), in E = sum\(C ⊙ Y\)"):
        d.compile("numpy")(**given)


def test_a_value_that_is_no_number_is_blamed() -> None:
    """∞ − ∞ of entries that are numbers; the array that is first is E, for the product is not computed."""
    d = pb.derive(LINEAR["a product"][0])
    given = {"P": np.full((2, 3), 1e308), "V": np.full((3, 4), 1e308), "C": np.array([[1.0], [-1.0]]) * np.ones(4)}
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="an entry of E is no number"):
        d.compile("numpy")(**given)


@pytest.mark.parametrize("target", ["numba", "jax"])
@pytest.mark.parametrize("name", ["layer norm", "a product"])
def test_in_other_targets(target: str, name: str) -> None:
    module = pytest.importorskip(target)
    if target == "jax":
        module.config.update("jax_enable_x64", True)
    agrees(pb.derive(LINEAR[name][0]), target)


STANDARDIZED = {  # name: (program, how often the kernel is called)
    "layer norm": (LINEAR["layer norm"][0], 1),
    "only the value": ("X : (B, n) where const\nC : (B, n)\nY = standardize(X)\nE = sum(C .* Y)", 1),
    "two axes": ("X : (B, n, k)\nC : (B, n, k) where const\nY = standardize(X, 0.1, axis=(1, 2))\nE = sum(C .* Y .* Y)", 1),
    "two of them": ("X : (B, n)\nC : (B, n) where const\nY = tanh(standardize(X))\nE = sum(C .* standardize(Y))", 2),
    "the number moves": ("X : (B, n)\nC : (B, n) where const\ne : scalar where positive\nY = standardize(X, e)\nE = sum(C .* Y)", 0),
    "over the batch": ("X : (B, n)\nC : (B, n) where const\nY = batch_norm(X)\nE = sum(C .* Y)", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", STANDARDIZED)
def test_torch_standardizes_in_one_pass(name: str) -> None:
    torch = pytest.importorskip("torch")
    text, calls = STANDARDIZED[name]
    d = pb.derive(text)
    source = d.code("torch")
    assert source.count("= _standardized(") == source.count("_standardized(") - (calls > 0) == calls
    given = {n: torch.tensor(abs(a) if n == "e" else a) for n, a in arrays(d).items()}
    value, gradients = d.compile("torch")(**given)
    expected = d.evaluate(**{n: a.numpy() for n, a in given.items()})
    assert float(value) == pytest.approx(float(expected[0]), rel=1e-12)
    for n, g in gradients.items():
        np.testing.assert_allclose(g.numpy(), expected[1][n], rtol=1e-9, atol=1e-11)
    for form in ("autodiff", "op"):  # its rstd has no derivative there
        assert "_standardized(" not in d.code("torch", form=form)


def test_torch_reads_small_results_first_and_computes_into_the_array() -> None:
    """∇g and t C g are read off C ⊙ u, which then takes ∇X: two arrays of the size of X, as many as PyTorch's own layer norm has."""
    source = pb.derive(LINEAR["layer norm"][0]).code("torch")
    lines = [x.strip() for x in source.splitlines()]
    made = next(k for k, x in enumerate(lines) if "= C * u_2" in x)
    name = lines[made].partition(" ")[0]
    into = next(k for k, x in enumerate(lines) if f"out={name})" in x)
    assert (
        made
        < lines.index(f"grad_g = torch.sum({name}, dim=0)")
        < into
        < next(k for k, x in enumerate(lines) if x.startswith("grad_X ="))
    )
