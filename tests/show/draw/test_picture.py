"""Pictures are valid, hold what they should, and nothing in them overlaps by our own measure of text."""

import re
from functools import cache
from xml.etree import ElementTree

import pytest
from _pictures import ALL, NETWORKS, RECURRENCES, SIZED

import pullback as pb
from pullback.pictures import format_of, read_sizes
from pullback.show.draw.boxes import boxes
from pullback.show.draw.columns import columns
from pullback.show.draw.picture import FORMATS
from pullback.show.draw.scene import PALETTE, Box, Disc, Scene, Text
from pullback.show.draw.svg import svg
from pullback.show.draw.tensors import diagrams
from pullback.show.draw.words import plain, written

NS = "{http://www.w3.org/2000/svg}"
each = pytest.mark.parametrize("name", ALL)


@cache
def derived(name: str) -> pb.Derived:
    return pb.derive(NETWORKS[name])


def scene(name: str, what: str) -> Scene:
    d = derived(name)
    if what == "neurons":
        return columns(d._record({"neurons"}, sizes=SIZED[name]))
    return boxes(d.record) if what == "network" else diagrams(d.record)


def pictures() -> list[tuple[str, str]]:
    kinds = [(n, w) for n in ALL for w in ("network", "diagrams", "neurons") if w != "neurons" or n in SIZED]
    return [*kinds, *((n, "network") for n in NETWORKS if n not in ALL)]


@pytest.mark.parametrize(("name", "what"), pictures())
def test_svg_is_valid_and_accessible(name: str, what: str) -> None:
    root = ElementTree.fromstring(svg(scene(name, what)))
    assert root.tag == f"{NS}svg" and root.get("role") == "img"
    assert [root[0].tag, root[1].tag, root[2].tag] == [f"{NS}title", f"{NS}desc", f"{NS}style"]
    assert root[0].text and root[1].text
    assert root[2].text.startswith(
        "@media (prefers-color-scheme:dark){"
    )  # what knows no such rule shows the attributes
    assert "var(" not in root[2].text
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for e in root.iter():  # whoever ignores CSS finds a colour in the attribute
        if e.tag in (f"{NS}text", f"{NS}rect", f"{NS}circle", f"{NS}path"):
            assert e.get("fill"), ElementTree.tostring(e)
    assert "http" not in svg(scene(name, what)).replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(("name", "what"), pictures())
def test_nothing_overlaps_as_far_as_we_can_tell(name: str, what: str) -> None:
    """Without a browser: boxes from the layout, words by their estimated width."""
    things = []
    for t in scene(name, what).things:
        if isinstance(t, Box):
            things.append(((t.x, t.y, t.x + t.w, t.y + t.h), t.id, ""))
        elif isinstance(t, Disc):
            things.append(((t.x - t.r, t.y - t.r, t.x + t.r, t.y + t.r), t.id, ""))
        elif isinstance(t, Text):
            x0, y0, x1, y1 = t.extent
            cut = 0.22 * t.size  # letters do not fill their line
            things.append(((x0, y0 + cut, x1, y1 - cut), t.words.text, t.inside))
    at = {name: box for box, name, inside in things if not inside}
    for box, said, inside in things:
        if inside:
            outer = at[inside]
            assert outer[0] <= box[0] and box[2] <= outer[2], f"{said} is wider than its box"
    for k, (a, said, inside) in enumerate(things):
        for b, other, around in things[:k]:
            if inside == other or around == said:
                continue
            apart = min(a[2], b[2]) - max(a[0], b[0]) <= 0.5 or min(a[3], b[3]) - max(a[1], b[1]) <= 0.5
            assert apart, f"{said} overlaps {other}"


@pytest.mark.parametrize("name", NETWORKS)
def test_network_shows_every_name_and_gradient(name: str) -> None:
    d = derived(name)
    shown = {t.words.text for t in scene(name, "network").things if isinstance(t, Text)}
    graph = d.record["graph"]
    for n in graph["nodes"]:
        text = n["value"]["text"] if n["value"] else n["label"]["text"]
        assert any(written(text).text == s or s.endswith("…") for s in shown)
        if n["gradient"]:
            left = written(n["gradient"]["left"]["text"]).text
            assert any(s == left or s.startswith(f"{left} =") for s in shown), left
    names = {n["name"] for n in graph["nodes"]}
    assert all({e["from"], e["to"]} <= names for e in graph["edges"])


def test_data_gets_no_backward_arrow() -> None:
    graph = pb.derive("W : (m, n); x : n where data; z = W x; E = loss(z)").record["graph"]
    back = {(e["from"], e["to"]): e["back"] for e in graph["edges"]}
    assert back == {("W", "z"): True, ("x", "z"): False, ("z", "E"): True}


@pytest.mark.parametrize(
    ("name", "full", "single", "label"),
    [
        ("layer", [("a", "z")], [("z", "y")], "W_21"),
        ("layer_index", [("a", "z")], [("z", "y")], "W_31"),
        ("bias_folded", [("c", "z")], [("z", "y")], "V_13"),
        ("perceptron", [("x", "z1"), ("a1", "z2")], [("z1", "a1")], "W1_43"),
    ],
)
def test_neurons_are_joined_as_the_program_says(name: str, full: list, single: list, label: str) -> None:
    """Every entry to every entry through a matrix, entry to entry through a function."""
    data = derived(name)._record({"neurons"}, sizes=SIZED[name])["neurons"]
    sizes = {v["name"]: len(v["entries"]) for v in data["layers"]}
    uses = {(*u["from"], *u["to"]) for u in data["uses"] if not u["bias"]}
    for x, v in full:
        assert {(x, j, v, i) for j in range(sizes[x]) for i in range(sizes[v])} == {
            u for u in uses if u[0] == x and u[2] == v
        }
    for x, v in single:
        assert {u for u in uses if u[0] == x and u[2] == v} == {(x, i, v, i) for i in range(sizes[v])}
    assert label in {u["label"]["text"] for u in data["uses"] if u["label"]}


def test_weights_stand_in_the_order_of_their_axes() -> None:
    """z = W a: the line from a_3 to z_2 carries W_23; with indices (from, to) it carries W_32."""
    for name, label in (("layer", "W_23"), ("layer_index", "W_32")):
        data = derived(name)._record({"neurons"}, sizes={"m": 2, "n": 3})["neurons"]
        [use] = [u for u in data["uses"] if u["from"] == ["a", 2] and u["to"] == ["z", 1]]
        assert use["label"]["text"] == label


def test_the_bias_is_a_dummy_neuron() -> None:
    data = derived("layer")._record({"neurons"}, sizes={"m": 2, "n": 3})["neurons"]
    assert [u["label"]["text"] for u in data["uses"] if u["bias"]] == ["b_1", "b_2"]
    assert "b" not in {v["name"] for v in data["layers"]}
    folded = derived("bias_folded")._record({"neurons"}, sizes={"m": 2, "n": 2})["neurons"]
    [c] = [v for v in folded["layers"] if v["name"] == "c"]
    assert [e["text"] for e in c["entries"]] == ["c_1", "c_2", "1"]


@pytest.mark.parametrize("name", RECURRENCES)
def test_one_step_of_a_recurrence(name: str) -> None:
    """One step is drawn as boxes, with its ranges, and everything that is computed has its gradient coming back."""
    d = derived(f"{name}_k")
    graph = d.record["graph"]
    asked = [e for e in graph["edges"] if not e["from"].startswith(("x[", "y["))]
    assert asked and all(e["back"] for e in asked)
    shown = {t.words.text for t in scene(f"{name}_k", "network").things if isinstance(t, Text)}
    assert sum(s.startswith("for ") for s in shown) == len(
        {q["ranges"]["text"] for q in d.record["core"] if q["ranges"]}
    )
    for wrong, code in (({"what": "diagrams"}, "U035"), ({"sizes": {"n": 2}}, "U034")):
        with pytest.raises(pb.UnsupportedError) as caught:
            d.draw(**wrong)
        assert caught.value.code == code


def test_sizes_that_are_numbers_give_neurons() -> None:
    small = pb.derive("W : (2, 3); a : 3; z = W a; E = loss(z)")
    assert "circle" in small.draw() and "W" in small.draw()
    assert small.draw() == small.draw(sizes={})
    assert "n0" in pb.derive("W : (2, 30); a : 30; z = W a; E = loss(z)").draw()  # too many: boxes


REFUSALS = [
    ({"what": "photo"}, "P030", "there is no picture 'photo'"),
    ({"format": "png"}, "P030", "there is no format of a picture 'png'"),
    ({"sizes": {"m": 2}}, "P032", "no size for n"),
    ({"sizes": {"m": 2, "k": 2}}, "P032", "there is no size k"),
    ({"sizes": {"m": 2, "n": 0}}, "P032", "not a small number"),
    ({"sizes": {"m": 2, "n": True}}, "P032", "not a small number"),
    ({"sizes": {"m": 2, "n": 2.5}}, "P032", "not a small number"),
    ({"sizes": {"m": 2, "n": 7}}, "U034", "a has 7 entries, and at most 6 are drawn"),
    ({"what": "diagrams", "sizes": {"m": 2, "n": 2}}, "P030", "sizes are for the network"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "code", "words"), REFUSALS)
def test_refusals(wrong: dict, code: str, words: str) -> None:
    with pytest.raises(pb.PullbackError) as caught:
        derived("layer").draw(**wrong)
    assert caught.value.code == code and words in caught.value.message
    assert caught.value.hint or caught.value.expected


@pytest.mark.parametrize("name", ["batch_columns", "mlp3", "attention", "einsum", "order3"])
def test_a_batch_has_no_columns_of_neurons(name: str) -> None:
    symbols = sorted({s for v in derived(name).derivation.names() for n in v.shape for s in n.symbols()})
    with pytest.raises(pb.UnsupportedError) as caught:
        derived(name).draw(sizes=dict.fromkeys(symbols, 2))
    assert caught.value.code == "U034" and "boxes" in caught.value.hint


@pytest.mark.parametrize("text", ["", ",", "m", "m=", "m=x", "=2", "m=-1", "m=2,m=3", "m=99999999999"])
def test_sizes_that_cannot_be_read(text: str) -> None:
    with pytest.raises(pb.ParseError) as caught:
        read_sizes(text)
    assert caught.value.code == "P032"


def test_sizes_and_formats_are_read() -> None:
    assert read_sizes("m=2, n = 3") == {"m": 2, "n": 3}
    assert [format_of(f"x{s}", None) for s in (".svg", ".DOT", ".gv", ".mmd", ".tex", "")] == [
        "svg",
        "dot",
        "dot",
        "mermaid",
        "tikz",
        "svg",
    ]
    assert format_of("x.png", "tikz") == "tikz" and format_of(None, None) == "svg"
    with pytest.raises(pb.ParseError):
        format_of("x.png", None)


@each
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("what", ["network", "diagrams"])
def test_every_format_is_written(name: str, format: str, what: str) -> None:
    text = derived(name).draw(what, format)
    start = {"svg": "<svg ", "dot": ("digraph ", "graph "), "mermaid": "flowchart ", "tikz": r"\begin{tikzpicture}"}[
        format
    ]
    assert text.startswith(start) and text.endswith("\n")
    if format == "dot":
        assert text.count("{") == text.count("}")
    if format == "mermaid":
        assert text.count("subgraph ") == len(re.findall(r"^ *end$", text, re.M))
        assert all(line.count('"') % 2 == 0 for line in text.splitlines())
    if format == "tikz":
        assert text.isascii() and text.count("$") % 2 == 0 and text.count("{") == text.count("}")


def test_a_term_of_a_gradient_is_not_called_the_gradient() -> None:
    text = derived("fan").draw(format="dot")
    assert '"a term of ∇x"' in text and '"∇x"' not in text and '"∇y"' in text


def test_words() -> None:
    runs = [(r.text, r.italic, r.level) for r in written("W1ᵀ ∇z_ij").runs]
    assert runs == [
        ("W", True, 0),
        ("1", False, -1),
        ("T", False, 1),
        ("\u00a0∇", False, 0),
        ("z", True, 0),
        ("ij", True, -1),
    ]
    assert written("W1_23").text == "W1,23"
    assert written("tanh(Z1)").latex == r"$\text{tanh}(Z_{1})$"
    assert written("∇y ⊙ f′(z)").latex == r"$\nabla y\odot f'(z)$"
    assert written("∇2_loss(b)").runs[1].level == -1
    assert plain("a & b_c").latex == r"$\text{a}\,\&\,\text{b}\_\text{c}$"


def test_widths_are_estimated_from_above() -> None:
    """Against the advance widths of Times and DejaVu Serif, in thousandths of an em."""
    real = {
        "∇z": 712 + 527,
        "W a + b": 1029 + 318 * 3 + 596 + 838 + 640,
        "loss(y)": 320 + 602 + 513 * 2 + 390 * 2 + 565,
    }
    for text, width in real.items():
        assert written(text).width(1000) >= width - 25


def test_text_is_escaped() -> None:
    made = svg(Scene("a < b & c", '"quoted"', [Text(0, 0, plain("x<y>&z\x07"))]))
    assert ElementTree.fromstring(made)[0].text == "a < b & c"
    assert "x&lt;y&gt;&amp;z<" in made


def test_palette_is_readable() -> None:
    """Words on paper and in boxes: a contrast of 4.5 by day and by night (WCAG AA)."""

    def light(color: str) -> float:
        parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(a: str, b: str) -> float:
        high, low = sorted((light(a), light(b)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for time in (0, 1):
        for words in ("ink", "soft", "forward", "backward"):
            assert contrast(PALETTE[words][time], PALETTE["paper"][time]) >= 4.5
        for fill in ("op", "input", "parameter"):
            assert contrast(PALETTE["ink"][time], PALETTE[fill][time]) >= 4.5
            assert contrast(PALETTE["soft"][time], PALETTE[fill][time]) >= 4.5
        assert contrast(PALETTE["backward"][time], PALETTE["removed"][time]) >= 4.5
