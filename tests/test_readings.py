"""All readings of one derivation: they agree, they say so, they scale, and bad options are refused."""

import re
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from katex_check import extract

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.ops.free import var
from pullback.algebra.polynomial import Poly
from pullback.calculus.scalars import scalar_steps
from pullback.errors import CheckFailed, ParseError
from pullback.proof import agreement as agreement_room
from pullback.proof.agreement import agreement
from pullback.proof.numbers import NoNumbers, work_out
from pullback.proof.scalars import bound_of, confirm_scalars
from pullback.readings import PARTS, chosen_sizes, prepare
from pullback.show.page import READINGS, STYLES

ROOT = Path(__file__).parents[1]
LAYER = "W : (m, n)\na : n\nb : m\nz = W a + b\ny = f(z)\nE = loss(y)"
# The programs that the acceptance names (those without an index: the others are refused, U035), and some with what they lack: fan-out, einsum, a given gradient, scalars.
PROGRAMS = {
    **{
        p.stem: t
        for p in sorted((ROOT / "examples").glob("*.eqn"))
        if " for " not in (t := p.read_text(encoding="utf-8"))
    },
    "fan-out": "W : (n, n)\nh = f(W x)\ny = W h + h\nE = loss(y, h)",
    "given": "z = W a\ny = f(z)\ngiven grad y as G",
    "tensor": 'T : (m, n, p)\nx : n\ny : (m, p)\ny = ein("abc,b->ac", T, x)\nE = loss(y)',
    "scalars": "s : scalar\nt : scalar\nE = s t + f(s)",
    "softmax": "z : n\np = exp(z) / sum(exp(z))\nL = -yᵀ log(p)\nassume sum(y) = 1",
    "assumed": "x : n\ny : n\nassume sum(y) = 1\nE = (1_nᵀ y) ‖x‖² + loss(x)",
    "assumed in a function": "x : n\ny : n\nassume sum(y) = 1\nE = sum(y) log(sum(exp(x))) − yᵀ x",
    "sizes": "W : (β, d_in)\nx : d_in\nz = W x\ny = f(z)\nE = loss(y)",
    "gram": "X : (m, n)\nZ = X Xᵀ\nE = loss(Z)",
}
_WORDS = ("ONE", "TWO", "THREE", "FOUR", "FIVE")
each = pytest.mark.parametrize("name", PROGRAMS)


@cache
def derived(text: str) -> pb.Derived:
    return pb.derive(text)


def fresh(text: str) -> pb.Derived:
    """One that a test may damage."""
    return pb.derive(text)


@each
def test_the_result_tables_of_all_readings_are_equal(name: str) -> None:
    """Canonically, name by name; the scalar reading by exact polynomials."""
    d = derived(PROGRAMS[name])
    found = {a["style"]: a for a in d.record["agreement"]}
    assert set(found) == set(READINGS)
    for style, a in found.items():
        assert sum(a["levels"].values()) >= 1, style
        assert set(a["levels"]) <= (
            {"PROVED-SIZE", "EXACT-SIZE"} if style == "scalar" else {"PROVED-CANON", "TESTED-MODP"}
        )
        assert not a["left_out"] or (name, style) == (
            "attention",
            "scalar",
        )  # rows of exponentials are too long to be written out


@pytest.mark.parametrize("name", [p.stem for p in sorted((ROOT / "examples").glob("*.eqn")) if p.stem in PROGRAMS])
def test_the_examples_agree_canonically(name: str) -> None:
    for a in derived(PROGRAMS[name]).record["agreement"]:
        if a["style"] != "scalar":
            assert set(a["levels"]) == {"PROVED-CANON"}


@pytest.mark.parametrize("style", ["pairing", "index", "jacobian"])
def test_a_reading_that_says_something_else_is_found_out(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    d = derived(LAYER)
    prepare(d.derivation, PARTS["all"])
    honest = agreement_room.READINGS[style]

    def lies(x: Any) -> Any:
        found = honest(x)
        return {v: e * 2 for v, e in found.items()}

    monkeypatch.setattr(agreement_room, "READINGS", {**agreement_room.READINGS, style: lies})
    with pytest.raises(CheckFailed) as caught:
        agreement(d.derivation)
    assert caught.value.code == "C010"


@each
@pytest.mark.parametrize("format", ["text", "markdown", "latex"])
def test_one_document_shows_what_is_common_once(name: str, format: str) -> None:
    page = getattr(derived(PROGRAMS[name]), format)("all", level=2)
    for head in ("GIVEN", "NOTATION", "RESULT", "CHECKS"):
        assert len(re.findall(rf"(?m)^(?:## |\\subsection\*{{)?{head}}}?$", page)) == 1, head
    assert [w for w in _WORDS if f"READING {w}:" in page] == list(_WORDS)
    assert "READINGS: the results of pairing, jacobian, index, diagram and scalar were compared" in " ".join(
        page.split()
    )


@pytest.mark.parametrize("name", [n for n in PROGRAMS if n not in ("mlp3", "batch_columns")])
@pytest.mark.parametrize(
    ("level", "style"),
    [
        *((4, s) for s in STYLES),
        *(pytest.param(1, s, marks=[] if s == "pairing" else pytest.mark.slow) for s in STYLES),
    ],
)
def test_pages_are_whole(name: str, style: str, level: int) -> None:
    d = derived(PROGRAMS[name])
    view = {"level": level, "numbers": style in ("scalar", "all")}
    text = d.text(style, **view)
    assert max(map(len, text.split("\n"))) <= 100
    assert "None" not in text and "«" not in text and "$" not in text
    assert d.text(style, ascii=True, **view).isascii()
    tex = d.latex(style, **view)
    assert list(extract(tex)[1]) == [] and "None" not in tex
    assert "through  " not in text
    assert all(f"∇{v}" in text for v in d)


def test_layouts_are_two_forms_of_one_page() -> None:
    d = derived(LAYER)
    one, other = d.text("jacobian"), d.text("jacobian", layout="denominator")
    assert "∇yᵀ diag(f′(z))" in one and "∂E/∂z · ∂z/∂vec(W)" in one and "∇W = ∇z aᵀ" in one
    assert "∂z/∂vec(W) · ∂E/∂z" in other and "a ⊗ I_m" in other and "∇W = ∇z aᵀ" in other
    assert one.partition("RESULT")[2].partition("CHECKS")[0] == other.partition("RESULT")[2].partition("CHECKS")[0]


# ---- scalar


def test_the_layer_entry_by_entry() -> None:
    page = derived(LAYER).text("scalar", sizes={"m": 2, "n": 3})
    assert "z_1 = W_11 a_1 + W_12 a_2 + W_13 a_3 + b_1" in page
    assert "∂E/∂a_2 = ∇z_1 W_12 + ∇z_2 W_22" in page
    assert "∂E/∂W_21 = ∇z_2 a_1   ∂E/∂W_22 = ∇z_2 a_2   ∂E/∂W_23 = ∇z_2 a_3" in page
    assert "a_1 feeds z_1 and z_2: two paths, two terms" in page
    assert "W_11 feeds z_1 only: one path, one term" in page
    assert "PROVED-SIZE" in page


def test_below_the_bound_nothing_is_called_a_proof() -> None:
    """xᵀAx has two indices of one kind: size 1 proves nothing, size 2 everything."""
    text = "A : (n, n)\nx : n\nE = xᵀ A x"
    for size, level in ((1, "EXACT-SIZE"), (2, "PROVED-SIZE")):
        made = derived(text)._record({"scalar"}, sizes={"n": size})["scalar"]["steps"]
        assert {e["level"] for s in made if s["kind"] == "derivatives" for e in s["evidence"]} == {level}


def test_the_bound_counts_indices_of_one_kind() -> None:
    n, m = Dim.of("n"), Dim.of("m")
    A, x = var("A", (n, n)), var("x", (n,))
    assert bound_of([A @ (A @ x)]) == {n: 3}
    assert bound_of([var("W", (m, n)) @ x]) == {m: 1, n: 1}
    assert bound_of([x**-1]) is None  # no polynomial: T3 says nothing


def test_a_wrong_scalar_derivative_is_withheld() -> None:
    d = fresh(LAYER).derivation
    made = scalar_steps(d, {"m": 2, "n": 3})
    [s] = [s for s in made.steps if s.kind == "derivatives" and s.about == "a"]
    array = made.arrays[s.id]
    array.entries[0], array.entries[1] = array.entries[1], array.entries[0]
    with pytest.raises(CheckFailed) as caught:
        confirm_scalars(made)
    assert caught.value.code == "C012"


def test_a_wrong_entry_of_an_equation_is_withheld() -> None:
    made = scalar_steps(fresh(LAYER).derivation, {"m": 2, "n": 3})
    [s] = [s for s in made.steps if s.kind == "entries" and s.about == "z"]
    made.arrays[s.id].entries[0] = made.arrays[s.id].entries[0] + Poly.of(1)
    with pytest.raises(CheckFailed):
        confirm_scalars(made)


def test_what_is_left_out_is_said() -> None:
    text = "A : (n, n)\nx : n\nz = A x\nE = loss(z)"
    page = derived(text).text("scalar", sizes={"n": 16})
    assert "(4 more)" in page and "+ … (4 more)" in page
    lines = ["a0 : n0"]
    for k in range(30):
        lines += [f"W{k} : (n{k + 1}, n{k})", f"a{k + 1} = f(W{k} a{k})"]
    page = derived("\n".join([*lines, "E = loss(a30)"])).text("scalar", numbers=True)
    assert "equations are left out here" in page
    assert "No numbers: the program has 61 equations" in page


# ---- numbers


def test_numbers_are_exact_and_follow_from_each_other() -> None:
    d = derived(LAYER)
    n = work_out(d.derivation, {"m": 2, "n": 3})
    v = {x.attrs[0]: [int(t) for t in values] for x, values in n.values}
    g = {x.attrs[0]: [int(t) for t in values] for x, values in n.gradients}
    W = [v["W"][:3], v["W"][3:]]
    z = [sum(W[i][j] * v["a"][j] for j in range(3)) + v["b"][i] for i in range(2)]
    assert v["z"] == z and v["y"] == [t * t for t in z]
    assert n.target == v["y"][0] + 2 * v["y"][1] == v["E"][0]
    delta = [1 * 2 * z[0], 2 * 2 * z[1]]
    assert g["z"] == delta
    assert g["a"] == [sum(delta[i] * W[i][j] for i in range(2)) for j in range(3)]
    assert g["W"] == [delta[i] * v["a"][j] for i in range(2) for j in range(3)]
    assert n.probed == n.total == 11
    for c in n.changes:
        assert (
            c.result.at(0) == n.target
            and c.result.at(1) == c.claimed
            and c.claimed in g[c.of.attrs[0]]
            and not c.result.cut
        )


def test_a_change_that_contradicts_the_gradient_is_found() -> None:
    d = fresh(LAYER).derivation
    d.backward = [replace(b, value=b.value * 2) if b.of.attrs[0] == "a" else b for b in d.backward]
    with pytest.raises(CheckFailed) as caught:
        work_out(d, {"m": 2, "n": 3})
    assert caught.value.code == "C013"


def test_functions_without_rational_values_have_no_numbers() -> None:
    with pytest.raises(NoNumbers, match="tanh"):
        work_out(derived("y = tanh(x); x : n; E = sum(y)").derivation, {"n": 2})
    page = derived("y = tanh(x); x : n; E = sum(y)").text("scalar", numbers=True)
    assert "No numbers: tanh has no rational values" in page


def test_relu_and_quotients_have_numbers() -> None:
    n = work_out(derived("x : n\na = relu(W x)\nE = sum(a ⊙ a) / sum(x)").derivation, {"n": 2, "m": 3})
    assert n.changes and all(isinstance(c.claimed, Fraction) for c in n.changes)
    assert any(c.result.cut for c in n.changes)  # 1/(s + h) is no polynomial


def test_the_record_holds_both_layouts_and_the_numbers() -> None:
    record = derived(LAYER).record
    assert set(record["jacobian"]) == {"numerator", "denominator", "letters", "mistakes"}
    assert record["scalar"]["numbers"]["none"] is None
    for s in (*record["jacobian"]["numerator"], *record["jacobian"]["denominator"], *record["scalar"]["steps"]):
        assert s["evidence"], s["id"]
    for s in record["jacobian"]["numerator"]:
        if s["kind"] in ("jacobian", "rows", "put", "turn", "value"):
            assert "STACKED-MODP" in [e["level"] for e in s["evidence"]]


# ---- options


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"style": "jacobean"}, "style cannot be jacobean", "did you mean jacobian?"),
        ({"style": "jacobian", "layout": "numerater"}, "layout cannot be numerater", "did you mean numerator?"),
        ({"style": "scalar", "sizes": {"k": 2}}, "there is no size k", "the sizes are m, n"),
        ({"style": "scalar", "sizes": {"m": 0}}, "the size m cannot be 0", "m=3"),
        ({"style": "scalar", "sizes": {"m": -2}}, "the size m cannot be -2", "m=3"),
        ({"style": "scalar", "sizes": {"m": 2.5}}, "the size m cannot be 2.5", "m=3"),
        ({"style": "scalar", "sizes": {"m": True}}, "the size m cannot be True", "m=3"),
        ({"style": "scalar", "sizes": {"m": 50, "n": 50}}, "W has 2500 entries", "small sizes"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(ParseError) as caught:
        derived(LAYER).text(**options)
    assert message in caught.value.message and hint in (caught.value.hint or "")


def test_sizes_make_room_for_slices() -> None:
    d = derived("x : n\ny = x[2..4]\nE = yᵀ y").derivation
    assert chosen_sizes(d, {})["n"] >= 4
    assert chosen_sizes(d, {"n": 5})["n"] == 5
    with pytest.raises(ParseError) as caught:
        chosen_sizes(d, {"n": 3})
    assert "too small" in caught.value.message


def test_sizes_that_are_not_given_stay_different() -> None:
    assert chosen_sizes(derived(LAYER).derivation, {"m": 4}) == {"m": 4, "n": 3}


def test_other_sizes_give_another_page_and_back() -> None:
    d = derived(LAYER)
    first = d.text("scalar")
    assert d.text("scalar", sizes={"m": 3, "n": 2}) != first
    assert d.text("scalar") == first
