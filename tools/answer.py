"""docs/answer.md: the reply to the question (shared/design/question.md), point by point, from the program's own output.

    python tools/answer.py                 write docs/answer.md and its picture
    python tools/answer.py --html FILE     the same as one HTML page (needs markdown-it-py)
    python tools/answer.py --numbers       run the layer in the frameworks that are installed, and keep their numbers

Only the sentences between the blocks stand here. Every formula is cut out of a proved derivation, a proof or a picture;
what is looked for and not found is an error. tests/test_answer.py makes the page again and compares.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pullback as pb
from pullback.proof.mutants import different, trial

ROOT = Path(__file__).resolve().parents[1]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
NUMBERS = EXAMPLES / "frameworks" / "numbers.json"
FRAMEWORKS = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
# Small whole numbers with f(t) = t²: every product of the layer can be checked by eye.
LAYER = {"W": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "a": [1.0, 0.0, -1.0], "b": [1.0, 5.0], "dy": [1.0, 2.0]}


def example(name: str) -> str:
    return (EXAMPLES / f"{name}.eqn").read_text(encoding="utf-8")


class Page:
    """The text of a derivation cut at its headings."""

    def __init__(self, text: str) -> None:
        self.sections: dict[str, str] = {}
        name, lines = "", list[str]()
        for line in text.splitlines():
            if re.match(r"[A-Z][A-Z ,:=]{4,}", line) and not line.startswith(" "):
                self.sections[name] = "\n".join(lines).strip("\n")
                name, lines = line.strip(), []
            else:
                lines.append(line)
        self.sections[name] = "\n".join(lines).strip("\n")

    def __getitem__(self, start: str) -> str:
        """The section whose heading starts like this. Raises KeyError."""
        return next(body for name, body in self.sections.items() if name.startswith(start))

    def part(self, section: str, start: str) -> str:
        """One paragraph group of a section: from the line that starts like this to the next of its kind. Raises KeyError."""
        lines = self[section].splitlines()
        first = next((k for k, line in enumerate(lines) if line.strip().startswith(start)), None)
        if first is None:
            raise KeyError(f"{start} in {section}")
        margin = len(lines[first]) - len(lines[first].lstrip())
        last = next((k for k in range(first + 1, len(lines))
                     if lines[k].strip() and len(lines[k]) - len(lines[k].lstrip()) <= margin), len(lines))  # fmt: skip
        return "\n".join(lines[first:last]).rstrip()


def block(text: str, kind: str = "text") -> str:
    """A fenced block, its common margin taken away."""
    lines = text.splitlines()
    margin = min((len(x) - len(x.lstrip()) for x in lines if x.strip()), default=0)
    return f"```{kind}\n" + "\n".join(x[margin:].rstrip() for x in lines) + "\n```"


def load(name: str) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    spec = importlib.util.spec_from_file_location(f"layer_{name}", EXAMPLES / "frameworks" / f"layer_{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ours() -> list[Any]:
    """∇z, ∇W, ∇a, ∇b of the layer at LAYER by our own equations."""
    import numpy as np

    dy = np.array(LAYER["dy"])
    d = pb.derive(example("layer"), wrt=["z", "W", "a", "b"])
    square = (lambda t: t**2, lambda t: 2 * t)
    _, found = d.evaluate(W=LAYER["W"], a=LAYER["a"], b=LAYER["b"], f=square, loss=(lambda y: dy @ y, lambda y: dy))
    return [found[n].tolist() for n in ("z", "W", "a", "b")]


def run_frameworks() -> dict[str, Any]:
    """What each installed framework says, by its tape and by hand; kept where it is not installed here."""
    kept: dict[str, Any] = json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else {}
    for name in FRAMEWORKS:
        if importlib.util.find_spec(name) is None:
            continue
        module = load(name)
        data = [LAYER[k] for k in ("W", "a", "b", "dy")]
        tape = module.by_tape(*data, lambda t: t**2)
        hand = module.by_hand(*data, lambda t: t**2, lambda t: 2 * t)
        version = __import__(name).__version__
        kept[name] = {"version": version, "tape": [x.tolist() for x in tape], "hand": [x.tolist() for x in hand]}
    return kept


def whole(x: Any) -> str:
    """Numbers as a reader writes them: (−2, 12), [−2 0 2; 12 0 −12]."""

    def one(v: float) -> str:
        return f"{v + 0:g}".replace("-", "−")

    if isinstance(x[0], list):
        return "[" + "; ".join(" ".join(map(one, row)) for row in x) + "]"
    return "(" + ", ".join(map(one, x)) + ")"


def numbers_table() -> str:
    found = json.loads(NUMBERS.read_text(encoding="utf-8"))
    rows = [("our equations", ours())]
    for name, title in FRAMEWORKS.items():
        rows.append((f"{title} {found[name]['version']}, its own tape", found[name]["tape"]))
        rows.append((f"{title}, the lines above", found[name]["hand"]))
    head = "| | ∇z | ∇W | ∇a | ∇b |\n|---|---|---|---|---|\n"
    return head + "\n".join(f"| {name} | " + " | ".join(map(whole, values)) + " |" for name, values in rows)


def code_of(name: str) -> str:
    source = (EXAMPLES / "frameworks" / f"layer_{name}.py").read_text(encoding="utf-8")
    found = re.search(r"def by_hand.*?\n(?=\n\n)", source, re.S)
    assert found is not None
    return found[0]


def wrong_equations() -> str:
    """How many mechanically wrong equations of the layer the shapes would let through."""

    p = pb.derive(example("layer")).problem
    counts = trial(p, different(p))
    return (
        f"Of {counts.total} mechanically wrong versions of these equations (a factor dropped, swapped or transposed, ⊙ for a product, "
        f"f for f′, a sign), matching shapes finds {counts.by_shape} even where all sizes differ; the check against the program finds "
        f"{counts.by_shape + counts.by_value}."
    )


POINTS = [
    ("fill in every ???", "1"), ("a purely tensor derivation, or a vectorised scalar one?", "2"),
    ("why ⊙ here and a matrix product there", "3"), ("why this order, why the transpose", "4"), ("the bias, both ways", "5"),
    ("both weight conventions", "6"), ("any f, any E", "7"), ("every layer at once", "8"), ("right notation, with a short name", "9"),
    ("a picture", "10"), ("the same equations in the code of frameworks", "11"),
]  # fmt: skip


def page() -> str:
    layer = pb.derive(example("layer"))
    two, three, four = (Page(layer.text(level=k)) for k in (2, 3, 4))
    index, every = Page(layer.text(style="index", level=2)), Page(layer.text(style="all", level=1))
    scalar_block, folded = pb.derive(example("layer_index")), pb.derive(example("bias_folded"))
    deep = Page(pb.derive(example("feedforward")).text(level=2))
    known = pb.derive("W : (m, n); a : n; b : m; t : m where data; z = W a + b; y = tanh(z); E = ½ ‖y − t‖²")
    other = Page(scalar_block.text(level=3))
    conventions = pb.compare(layer, scalar_block, "W = Wᵀ, b = 0")
    bias = pb.compare(layer, folded)
    spelled = "\n".join(
        f"| `{scheme}` | " + ", ".join(f"`{x}`" for x in row) + " |" for scheme, row in spellings(layer).items()
    )
    table = "\n".join(f"| {k} | {what} | [section {where}](#{where}) |" for k, (what, where) in enumerate(POINTS, 1))
    parts = [
        "# The answer: backpropagation, derived natively in vectors and matrices",
        "Every block below is cut out of a derivation that was proved step by step; this page is made by `python tools/answer.py` "
        "and compared with it by a test. The question has eleven points:",
        f"| | asked | answered |\n|---|---|---|\n{table}",
        "The answer in one screen. The layer `z = W a + b`, `y = f(z)`, `E = loss(y)`, f and loss unknown:",
        block(two["RESULT"]),
        "∇z, ∇a and ∇W are lines 1, 2 and 3 of the question's tensor block, ∇b is the one that it leaves out; ∇y is what its lines call "
        "∇a^(k+1). With the question's indices k they stand in [section 8](#8).",
        head(1, "Every ??? filled in"),
        "The gradient is *defined* by what a small change does: `dE = ⟨∇x, dx⟩` for every increment `dx`, where ⟨·,·⟩ is the sum over "
        "all entries of a product. So nothing is made to fit: put the differential of each equation in, the last one first, and move "
        "everything but the increment to the other side of the pairing.",
        block(two["DERIVATION"]),
        head(2, "Purely tensor, or only vectorised?"),
        "Purely tensor. The derivation above has no index in it: it uses that a differential is linear, that a product changes by one "
        "term per factor, and that a pairing may be regrouped. Two theorems make this certain.",
        "**Uniqueness (rule RIESZ).** If ⟨A, d⟩ = ⟨B, d⟩ for every d, then A = B: take d = A − B, then ‖A − B‖² = 0. So the linear map "
        "dE has exactly one gradient, and whoever finds it by whatever way finds the same array, also for square matrices, where every "
        "shape fits.",
        "**Same network (T1 and T3).** Written with indices, each pairing is one finite sum, and the gradient is that sum with the "
        "increment taken out. The scalar derivation takes out the same thing entry by entry. So it is no other derivation, and neither "
        "is a rewriting of the other: they are two notations for one regrouping. Here is the scalar one for ∇W, and its way back to "
        "matrices:",
        block(index.part("DERIVATION", "∇W  from")),
        "That both, and three more readings (Jacobians, single numbers at small sizes, tensor diagrams), end in the same equations is "
        "checked by the program for this layer, for all sizes at once:",
        block(readings(every)),
        head(3, "Why ⊙ here and a matrix product there"),
        "Where an index is left decides it. In ∇z the index i is in both factors *and* an axis of the result, so nothing is summed:",
        block(three.part("WHY", "∇z = ")),
        "In ∇a the shared index is *not* an axis of the result, so it is summed, and a sum over a shared index is a matrix product:",
        block(three.part("WHY", "∇a = ")),
        head(4, "Why this order, why the transpose"),
        "The order of the factors is the order of the axes of W; the transpose says over which axis of W is summed, and nothing else:",
        block(three.part("WHY", "∇W = ")),
        "\"The dimensions agree\" is not a reason. With m = n every one of these fits, and the forward program refutes each:",
        block(four.part("WHY NOT", "Why not ∇W")),
        block(four.part("WHY NOT", "Why not ∇a")),
        block(four.part("WHY NOT", "Why not ∇z")),
        wrong_equations(),
        head(5, "The bias, both ways"),
        "As a vector, b is one more input (above). Folded in, W and b are one matrix V = [W b] and the activation carries a dummy 1, "
        "`c = [a; 1]`:",
        block(Page(folded.text(level=2))["RESULT"]),
        block(Page(folded.text(level=2))["FOLDED"]),
        "The two programs are one:",
        block(proved(bias)),
        head(6, "Both weight conventions"),
        "The question's scalar block has W_ij from neuron i to neuron j, its matrix block the other way. The two W are transposes of each "
        "other, and each convention has its own pair of equations. From the scalar block:",
        block(Page(scalar_block.text(level=2))["RESULT"]),
        block(next(body for name, body in other.sections.items() if name.startswith("THE OTHER CONVENTION"))),
        "That the two blocks are the same program, with W and Wᵀ:",
        block(proved(conventions)),
        head(7, "Any f, any E"),
        "f and loss are unknown in everything above: they enter through f′ and ∇loss only, under these conditions:",
        block(two["CONDITIONS"]),
        "The checks draw f, f′ and ∇loss at random, so an equation that held for a particular f only would not pass. With a "
        "known activation and error the same equations come out, f′ written through the forward value:",
        block(Page(known.text(level=2))["RESULT"]),
        head(8, "Every layer at once"),
        "The question's own notation, k and L symbols. One layer is derived as above; one induction says that it holds for all:",
        block(example("feedforward"), "eqn"),
        block(deep["INDUCTION"]),
        block(deep["RESULT"]),
        head(9, "Notation"),
        "`∇a` alone does not say of what. The full name is `∇_a E`, the gradient of E with respect to a; `∇a` is short for it, is said to be "
        "so once, and is used in later equations. `--names` chooses another of these:",
        f"| name | the gradients of z, W, a and b |\n|---|---|\n{spelled}",
        head(10, "A picture"),
        "The layer with m = 2 and n = 3, values forward in blue, gradients backward in red "
        "(`pullback draw examples/layer.eqn --sizes m=2,n=3`):",
        "![the layer: neurons, weights, values forward and gradients backward](answer_layer.svg)",
        "Each gradient is the network of a pairing with one node taken out (`pullback draw examples/layer.eqn --what diagrams`):",
        "![each gradient as a tensor diagram with one node removed](answer_diagrams.svg)",
        head(11, "The same equations in the code of frameworks"),
        "The layer's backward pass by hand in three frameworks; the comment behind a line is the equation that it executes.",
        *[f"**{title}**\n\n{block(code_of(name), 'python')}" for name, title in FRAMEWORKS.items()],
        f"At W = {whole(LAYER['W'])}, a = {whole(LAYER['a'])}, b = {whole(LAYER['b'])}, ∇y = {whole(LAYER['dy'])} and f(t) = t²:",
        numbers_table(),
        "Random numbers, and a network of three layers, agree to 1e-10 in float64 (`tests/test_frameworks.py`).",
        "## What this rests on",
        block(two["CHECKS"]),
    ]  # fmt: skip
    return linked("\n\n".join(parts) + "\n")


def head(k: int, title: str) -> str:
    return f"## {k}. {title}"


def slug(title: str) -> str:
    """What a heading is called in a link, by GitHub and by MyST."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def linked(text: str) -> str:
    """`(#8)` as a link to the heading that begins with 8."""
    found = {title.partition(".")[0]: slug(title) for title in re.findall(r"^## (.*)$", text, re.M)}
    return re.sub(r"\(#(\d+)\)", lambda m: f"(#{found[m[1]]})", text)


def spellings(d: pb.Derived) -> dict[str, list[str]]:
    """What the gradients are called in each scheme, read off the result table."""
    from pullback.show.names import SCHEMES

    found = {}
    for scheme in SCHEMES:
        rows = [
            x.split(" = ")[0].strip() for x in Page(d.text(level=2, names=scheme))["RESULT"].splitlines() if " = " in x
        ]
        found[scheme] = rows[1:]
    return found


def readings(p: Page) -> str:
    lines = p["CHECKS"].splitlines()
    first = next(k for k, x in enumerate(lines) if "READINGS" in x)
    return "\n".join(lines[first:])


def proved(c: Any) -> str:
    """What is the same in the two programs, and how that was checked."""
    p = Page(c.text())
    wanted = ("SECOND PROGRAM", "WHAT THE SECOND", "THE SAME VALUES", "THE SAME GRADIENTS", "FOR EVERY INPUT", "CHECKS")
    return "\n\n".join(
        f"{name}\n{p.sections[name]}" for start in wanted for name in p.sections if name.startswith(start)
    )


def write() -> None:
    layer = pb.derive(example("layer"))
    (DOCS / "answer_layer.svg").write_text(layer.draw(sizes={"m": 2, "n": 3}), encoding="utf-8")
    (DOCS / "answer_diagrams.svg").write_text(layer.draw("diagrams"), encoding="utf-8")
    (DOCS / "answer.md").write_text(page(), encoding="utf-8")


STYLE = """
:root { color-scheme: light dark; }
body { max-width: 54rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.55 system-ui, sans-serif; }
pre { padding: .8rem 1rem; overflow-x: auto; border-radius: .5rem; background: color-mix(in srgb, CanvasText 6%, Canvas); }
code, pre { font: .88rem/1.45 "DejaVu Sans Mono", ui-monospace, monospace; }
table { border-collapse: collapse; } td, th { padding: .2rem .7rem; border: 1px solid color-mix(in srgb, CanvasText 25%, Canvas); }
img, svg { max-width: 100%; height: auto; } h2 { margin-top: 2.2rem; }
"""


def html(markdown: str) -> str:
    """The page by itself: style and pictures inside."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    body = re.sub(r"<h2>(.*?)</h2>", lambda m: f'<h2 id="{slug(unescape(m[1]))}">{m[1]}</h2>', body)
    for name in ("answer_layer.svg", "answer_diagrams.svg"):
        picture = (DOCS / name).read_text(encoding="utf-8")
        picture = re.sub(r"<\?xml.*?\?>\s*", "", picture)
        body = re.sub(rf'<img src="{name}"[^>]*>', lambda _, p=picture: p, body)
    title = "Backpropagation, derived natively in vectors and matrices"
    return f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n<style>{STYLE}</style>\n{body}</html>\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--html", metavar="FILE")
    parser.add_argument("--numbers", action="store_true")
    args = parser.parse_args()
    if args.numbers:
        NUMBERS.write_text(json.dumps(run_frameworks(), indent=1) + "\n", encoding="utf-8")
        return 0
    write()
    if args.html:
        Path(args.html).parent.mkdir(parents=True, exist_ok=True)
        Path(args.html).write_text(html((DOCS / "answer.md").read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
