"""The printed scalar derivatives against SymPy: the forward program is written out by SymPy and differentiated by it.

Only printed text is read: the entries of the record, and from them nothing but names, numbers, + − products and powers.
"""

import re
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

import pullback as pb

sympy = pytest.importorskip("sympy")
mpmath = pytest.importorskip("mpmath")
mpmath.mp.dps = 50

EXAMPLES = Path(__file__).parents[2] / "examples"
WEIGHTS = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def f(t: Any) -> Any:
    """What stands for an unknown f: a cubic, so that f, f′ and f″ are all different."""
    return t**3 + 2 * t


def slope(t: Any) -> Any:
    return 3 * t**2 + 2


def loss(y: list[Any]) -> Any:
    """What stands for an unknown loss: no two entries enter it alike."""
    return sum(w * t**2 + t for w, t in zip(WEIGHTS, y, strict=False))


def loss_slope(y: list[Any], k: int) -> Any:
    return 2 * WEIGHTS[k] * y[k] + 1


PROGRAMS: dict[str, str] = {
    **{
        p.stem: t
        for p in sorted(EXAMPLES.glob("*.eqn"))
        if " for " not in (t := p.read_text(encoding="utf-8"))
        and p.stem
        not in ("own_function", "attention", "layernorm")  # no sums of products, or too many to be written out
    },
    "quadratic": "A : (n, n)\nx : n\nE = xᵀ A x",
    "shared": "h = f(W x)\ny = W h + h\nW : (n, n)\nE = loss(y)",
    "ratio": "c = a ⊘ b\nE = loss(c)\na : n",
    "tensor": 'T : (m, n, p)\nx : n\ny : (m, p)\ny = ein("abc,b->ac", T, x)\nE = loss(y)',
    "softmax": "z : n\ne = exp(z)\np = e / sum(e)\nE = loss(p)",
    "mean": "X : (m, n)\nE = mean(X ⊙ X)",
}
_FRACTIONS = {"½": "1/2", "⅓": "1/3", "¼": "1/4", "¾": "3/4"}
TOKEN = re.compile(
    r"\s*(∂E/∂\w+|∇loss\((\w+)\)(?:_(\d+))?|f′\(|f\(|exp\(|tanh\(|sigmoid\(|[∇A-Za-z][A-Za-z0-9_₀-₉]*|\d+(?:/\d+)?|[½⅓¼¾]|[+−()⁻⁰¹²³⁴])"
)


class Reader:
    """Sums of products as they are printed."""

    def __init__(self, text: str, known: dict[str, Any], whole: dict[str, list[Any]]) -> None:
        self.tokens: list[re.Match[str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            assert found, (text, text[at:])
            self.tokens.append(found)
            at = found.end()
        self.known, self.whole, self.at = known, whole, 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def sum(self) -> Any:
        total, sign = 0, 1
        while self.peek() not in ("", ")"):
            if self.peek() in "+−":
                sign = -1 if self.peek() == "−" else 1
                self.at += 1
            total = total + sign * self.product()
            sign = 1
        return total

    def product(self) -> Any:
        made: Any = 1
        while self.peek() and self.peek() not in "+−)":
            made = made * self.factor()
        return made

    def factor(self) -> Any:
        token = self.tokens[self.at]
        self.at += 1
        made = self.atom(token)
        power = ""
        while self.peek() and self.peek() in "⁻⁰¹²³⁴":
            power += self.peek().translate(str.maketrans("⁻⁰¹²³⁴", "-01234"))
            self.at += 1
        return made ** int(power) if power else made

    def atom(self, token: re.Match[str]) -> Any:
        text = token[1]
        if token[2]:
            return loss_slope(self.whole[token[2]], self.place(token[2], token[3] or ""))
        if text.endswith("("):
            inside = self.sum()
            assert self.peek() == ")"
            self.at += 1
            exp, tanh = (sympy.exp, sympy.tanh) if isinstance(inside, sympy.Basic) else (mpmath.exp, mpmath.tanh)
            table = {
                "(": lambda t: t,
                "f(": f,
                "f′(": slope,
                "exp(": exp,
                "tanh(": tanh,
                "sigmoid(": lambda t: 1 / (1 + exp(-t)),
            }
            return table[text](inside)
        if text in _FRACTIONS:
            return _rational(_FRACTIONS[text])
        return _rational(text) if text[0].isdigit() else self.known[text]

    def place(self, name: str, digits: str) -> int:
        found = self.known[f"#{name}"]
        return found.index(digits)


def _rational(text: str) -> Any:
    return int(text) if text.isdigit() else sympy.Rational(text)


def spans(v: Any, sizes: dict[str, int]) -> list[str]:
    """The indices of the entries of an array, as they are printed."""
    return ["".join(str(i + 1) for i in at) for at in product(*(range(n.value(sizes)) for n in v.shape))]


class Values:
    """Entries of arrays by their printed name: symbols and sums of them, or numbers."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.whole: dict[str, list[Any]] = {}

    def keep(self, name: str, places: list[str], values: list[Any]) -> None:
        self.whole[name], self.known[f"#{name}"] = values, places
        self.known.update({f"{name}_{p}" if p else name: x for p, x in zip(places, values, strict=True)})

    def read(self, text: str) -> Any:
        called = re.fullmatch(r"loss\((\w+)\)", text)
        return loss(self.whole[called[1]]) if called else Reader(text, self.known, self.whole).sum()


@pytest.mark.parametrize("name", PROGRAMS)
def test_printed_derivatives_are_those_of_sympy(name: str) -> None:
    """SymPy differentiates the program that the printed entries make up; the printed derivatives are evaluated to 50 digits."""
    d = pb.derive(PROGRAMS[name])
    record = d._record({"scalar"}, sizes=_small(d))
    made = record["scalar"]
    assert not made["left_out"]
    sizes, inputs = made["sizes"], d.derivation.inputs
    forward, numbers = Values(), Values()
    rng = Random(name)
    symbols: dict[str, Any] = {}
    for v in inputs:
        places = spans(v, sizes)
        own = [sympy.Symbol(f"{v.attrs[0]}__{p}") for p in places]
        symbols.update({f"{v.attrs[0]}_{p}" if p else v.attrs[0]: x for p, x in zip(places, own, strict=True)})
        forward.keep(v.attrs[0], places, own)
        numbers.keep(v.attrs[0], places, [mpmath.mpf(rng.randint(20, 120)) / 100 for _ in places])
    blocks = {s["about"]: s for s in made["steps"] if s["kind"] == "entries"}
    for q in d.derivation.core.equations:
        v = q.var
        if v.attrs[0] in blocks:
            rows = [row["right"]["text"] for row in blocks[v.attrs[0]]["rows"]]
            for values in (forward, numbers):
                values.keep(v.attrs[0], spans(v, sizes), [values.read(text) for text in rows])
    wanted = {x: sympy.diff(forward.known["E"], symbol) for x, symbol in symbols.items()}
    exact = sympy.lambdify(list(symbols.values()), list(wanted.values()), modules="mpmath", cse=True)
    values = dict(zip(wanted, exact(*(numbers.known[x] for x in symbols)), strict=True))
    numbers.known["∇E"] = mpmath.mpf(1)
    checked = set()
    for s in made["steps"]:
        if s["kind"] == "derivatives":
            for row in s["rows"]:
                below = row["left"]["text"].removeprefix("∂E/∂")
                found = numbers.read(row["right"]["text"])
                numbers.known[f"∇{below}"] = found
                if below in wanted:
                    assert abs(found - values[below]) <= mpmath.mpf(10) ** -30 * (1 + abs(found)), (
                        row["left"]["text"],
                        found,
                    )
                    checked.add(below)
    constants = {f"{v.attrs[0]}_{p}" for v in inputs if v.attrs[0] in d.program.constants for p in spans(v, sizes)}
    assert checked == set(symbols) - constants


def _small(d: pb.Derived) -> dict[str, int]:
    """Sizes 2 and 3, so that every entry is printed."""
    found = sorted({s for x in d.derivation.inputs for n in x.shape for s in n.symbols()})
    return {s: 2 + k % 2 for k, s in enumerate(found)}


def test_the_oracle_can_fail() -> None:
    values = Values()
    values.keep("x", ["1", "2"], [mpmath.mpf(3), mpmath.mpf(5)])
    assert values.read("2 x_1 + x_2²") == 31
    assert values.read("2 x_1 − x_2²") == -19
    with pytest.raises(KeyError):
        values.read("x_3")
