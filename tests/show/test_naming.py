"""Gradients have one spelling on a page, the one that was asked for, and never that of another name."""

import json
import unicodedata
from pathlib import Path

import pytest

import pullback as pb
from pullback.cli import main
from pullback.show.names import SCHEMES, Taken, gradient_name

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LAYER = (EXAMPLES / "layer.eqn").read_text(encoding="utf-8")

# scheme -> (∇z = …, ∇W = …, ∇a = …) in Unicode, ASCII
SPELLED = {
    "nabla": (("∇z = ∇y ⊙ f′(z)", "∇W = ∇z aᵀ", "∇a = Wᵀ ∇z"), ("grad_z = grad_y .* f'(z)", "grad_W = grad_z a^T")),
    "full": (("∇_z E = (∇_y E) ⊙ f′(z)", "∇_W E = (∇_z E) aᵀ", "∇_a E = Wᵀ (∇_z E)"),
             ("grad_z(E) = grad_y(E) .* f'(z)", "grad_W(E) = grad_z(E) a^T")),
    "partial": (("∂E/∂z = (∂E/∂y) ⊙ f′(z)", "∂E/∂W = (∂E/∂z) aᵀ", "∂E/∂a = Wᵀ (∂E/∂z)"), ("dE/dz = (dE/dy) .* f'(z)", "dE/dW = (dE/dz) a^T")),
    "bar": (("z̄ = ȳ ⊙ f′(z)", "W̄ = z̄ aᵀ", "ā = Wᵀ z̄"), ("z_bar = y_bar .* f'(z)", "W_bar = z_bar a^T")),
    "delta": (("δz = δy ⊙ f′(z)", "δW = δz aᵀ", "δa = Wᵀ δz"), ("delta_z = delta_y .* f'(z)", "delta_W = delta_z a^T")),
    "grad": (("grad_z = grad_y ⊙ f′(z)", "grad_W = grad_z aᵀ", "grad_a = Wᵀ grad_z"), ("grad_z = grad_y .* f'(z)", "grad_W = grad_z a^T")),
}  # fmt: skip


@pytest.fixture(scope="module")
def layer() -> pb.Derived:
    return pb.derive(LAYER)


def squeezed(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_short_names_are_used_in_later_equations(layer: pb.Derived, scheme: str) -> None:
    text, ascii = SPELLED[scheme]
    page = squeezed(layer.text(names=scheme))
    assert all(squeezed(line) in page for line in text)
    assert all(line in squeezed(layer.text(names=scheme, ascii=True)) for line in ascii)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("style", ["pairing", "index"])
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_no_other_spelling_is_on_the_page(layer: pb.Derived, scheme: str, style: str, level: int) -> None:
    """Beyond the legend, ∇ is only the gradient of a function, ∇loss(y)."""
    page = layer.text(style, level, names=scheme)
    after = page.split("DERIVATION")[1].split("CHECKS")[0]
    if scheme not in ("nabla", "full") and not (scheme == "delta" and style == "index"):
        assert "∇" not in after.replace("∇loss", "")
    assert layer.text(style, level, names=scheme, ascii=True).isascii()
    assert max(map(len, page.split("\n"))) <= 100
    latex = layer.latex(style, level, names=scheme)
    assert latex.count("{") == latex.count("}")
    layer.markdown(style, level, names=scheme)


def test_the_default_is_the_nabla(layer: pb.Derived) -> None:
    assert layer.text() == layer.text(names="nabla") and layer.to_json() == layer.to_json(names="nabla")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_legend_has_every_other_spelling(layer: pb.Derived, scheme: str) -> None:
    page = layer.text(names=scheme)
    [legend] = [line for line in page.split("\n") if "is also written" in line]
    for other in SCHEMES:
        word = gradient_name("W", other, "text", "E")
        assert (word in legend.replace(" ∇_W E", "∇_W E")) == (other != scheme)
    record = json.loads(layer.to_json(names=scheme))
    assert record["header"]["naming"]["scheme"] == scheme


@pytest.mark.parametrize(
    ("scheme", "text", "name"),
    [
        ("bar", "z_bar : m; z = W a + z_bar; E = loss(z)", "z_bar"),
        ("delta", "δz : m; z = W a + δz; E = loss(z)", "δz"),
        ("delta", "delta_z : m; z = W a + delta_z; E = loss(z)", "delta_z"),
        ("delta", "δ : scalar; z = δ a; E = loss(z)", "δ"),
        ("bar", "z = z_bar(W a); E = loss(z)", "z_bar"),
    ],
)
def test_a_name_of_the_program_is_never_a_gradient(scheme: str, text: str, name: str) -> None:
    d = pb.derive(text)
    page = d.text(names=scheme)
    assert f"{name} is a name of the program" in " ".join(page.split())
    assert "∇a" in page
    note = d._record(set(), scheme)["header"]["naming"]
    assert note["scheme"] == "nabla" and note["note"] is not None
    other = next(s for s in ("partial", "full") if s != scheme)
    assert "is a name of the program" not in d.text(names=other)


def test_delta_never_means_two_things() -> None:
    """The Kronecker symbol keeps its letter in the index style; elsewhere it is written with brackets."""
    d = pb.derive("W : (n, n); a : n; E = tr(W) + loss(W a)")
    index = d.text("index", 2, names="delta")
    assert "δ is the Kronecker symbol on this page" in index and "∇W" in index and "δW aᵀ" not in index
    page = d.text("pairing", 4, names="delta")
    assert "[i=j]" in page and "δ_ij" not in page and "δW" in page
    assert json.loads(d.to_json(names="delta"))["index_steps"] == []


def test_index_entries_follow(layer: pb.Derived) -> None:
    page = layer.text("index", 3, names="partial")
    assert "∂E/∂W_ij = (∂E/∂z_i) a_j" in page
    assert "W̄_ij = z̄_i a_j" in layer.text("index", 3, names="bar")
    assert "(∇_W E)_ij = (∇_z E)_i a_j" in layer.text("index", 3, names="full")


@pytest.mark.parametrize(
    ("name", "text", "ascii", "latex"),
    [
        ("z", "z̄", "z_bar", r"\bar{z}"),
        ("A3", "Ā3", "A3_bar", r"\bar{A}_{3}"),
        ("h_new", "h̄_new", "h_new_bar", r"\bar{h}_{\mathit{new}}"),
        ("θ", "θ̄", "theta_bar", r"\bar{\theta}"),
        ("out", "o̅u̅t̅", "out_bar", r"\overline{\mathit{out}}"),
        ("u₁", "ū₁", "u_1_bar", r"\bar{u}_{1}"),
    ],
)
def test_bars(name: str, text: str, ascii: str, latex: str) -> None:
    found = [gradient_name(name, "bar", t, "E") for t in ("text", "ascii", "latex")]
    assert unicodedata.normalize("NFC", found[0]) == unicodedata.normalize("NFC", text)
    assert found[1:] == [ascii, latex]


def test_columns_stay_aligned_under_bars(layer: pb.Derived) -> None:
    lines = layer.text(names="bar").split("RESULT\n")[1].split("\n\n")[0].split("\n")
    places = [unicodedata.normalize("NFC", line).replace("\u0304", "").index("=") for line in lines]
    assert len(set(places)) == 1


def test_names_are_kept_with_the_scheme() -> None:
    taken = Taken(["z"], "bar", "L")
    assert "z" in taken and taken.scheme == "bar" and taken.objective == "L"
    assert pb.derive("z = W a; L = loss(z)", target="L").text(names="partial").count("∂L/∂W") > 1


def test_the_command_and_python_refuse_other_names(layer: pb.Derived, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pb.ParseError) as caught:
        layer.text(names="dz")
    assert caught.value.code == "P030"
    assert main(["derive", str(EXAMPLES / "layer.eqn"), "--names", "dz"]) == 2
    assert main(["derive", str(EXAMPLES / "layer.eqn"), "--names", "partial"]) == 0
    assert "∂E/∂W  = (∂E/∂z) aᵀ" in capsys.readouterr().out
