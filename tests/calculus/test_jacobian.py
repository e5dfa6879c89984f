"""Printed Jacobians against NumPy: the printed text is read by a small reader of its own and compared with differences.

Nothing of the house evaluates anything here: `vec`, ⊗, ᵀ and diag are NumPy's, and the Jacobian of each equation is a
central difference of the forward program.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")

SIZES = {"m": 3, "n": 2, "p": 4, "B": 5}


def f(t: Any) -> Any:
    return np.sin(t) + t**2


def slope(t: Any) -> Any:
    return np.cos(t) + 2 * t


class Reader:
    """Matrices as they are printed: sums, juxtaposition, ⊗, ᵀ, vec( ), diag( ), f′( ), I_n, 1_n, blocks, names."""

    TOKEN = re.compile(
        r"\s*([+−]|⊗|⊙|[()\[\];,]|ᵀ|\^∘?\d|zeros|diagvec|rvec|vec|diag|∇loss|f′|f|[I1]_[A-Za-z]\d*|∇?[A-Za-z]\d*|\d+)"
    )

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.tokens, at = [], 0
        while at < len(text.rstrip()):
            found = self.TOKEN.match(text, at)
            assert found, text[at:]
            self.tokens.append(found[1])
            at = found.end()
        self.names = names
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        assert not wanted or token == wanted, (token, wanted)
        self.at += 1
        return token

    def sum(self) -> Any:
        sign = -1 if self.peek() == "−" and self.take() else 1
        total = sign * self.kron()
        while self.peek() in ("+", "−"):
            sign = 1 if self.take() == "+" else -1
            total = total + sign * self.kron()
        return total

    def kron(self) -> Any:
        made = self.times()
        while self.peek() == "⊗":
            self.take()
            made = np.kron(made, self.times())
        return made

    def times(self) -> Any:
        made = self.product()
        while self.peek() == "⊙":
            self.take()
            made = made * self.product()
        return made

    def product(self) -> Any:
        factors = [self.postfix()]
        while self.peek() and self.peek() not in "+−⊗⊙)];,":
            factors.append(self.postfix())
        made = factors[0]
        for x in factors[1:]:
            made = made * x if 1 in (made.size, x.size) and made.shape[1] != x.shape[0] else made @ x
        return made

    def postfix(self) -> Any:
        made = self.atom()
        while self.peek() == "ᵀ" or self.peek().startswith("^"):
            token = self.take()
            made = made.T if token == "ᵀ" else made ** int(token[-1])
        return made

    def atom(self) -> Any:
        token = self.take()
        if token == "(":
            made = self.sum()
            self.take(")")
            return made
        if token == "[":
            blocks, sign = [self.sum()], self.peek()
            while self.peek() in (";", ","):
                self.take()
                blocks.append(self.sum())
            self.take("]")
            wide = max(max(b.shape) for b in blocks)
            gap = np.zeros((1, wide) if sign == ";" else (wide, 1))
            return (np.vstack if sign == ";" else np.hstack)([gap if not b.any() else b for b in blocks])
        if token in ("diagvec", "vec", "rvec", "diag", "f", "f′", "∇loss"):
            self.take("(")
            inside = self.sum()
            self.take(")")
            table: dict[str, Callable[[Any], Any]] = {
                "vec": lambda x: x.reshape(-1, 1, order="F"), "rvec": lambda x: x.reshape(-1, 1),
                "diag": lambda x: np.diag(x[:, 0]), "f": f, "diagvec": lambda x: np.diag(x)[:, None], "f′": slope, "∇loss": lambda x: self.names["∇loss"],
            }  # fmt: skip
            return table[token](inside)
        if token == "zeros":
            self.take("(")
            extents = [self.take()]
            while self.peek() == ",":
                self.take()
                extents.append(self.take())
            self.take(")")
            return np.zeros([int(x) if x.isdigit() else SIZES[x] for x in extents])
        if re.fullmatch(r"[I1]_\w+", token):
            n = self.names.get(token[2:], SIZES.get(token[2:]))
            return np.eye(n) if token[0] == "I" else np.ones((n, 1))
        return np.array([[float(token)]]) if token.isdigit() else self.names[token]


def read(text: str, names: dict[str, Any]) -> Any:
    reader = Reader(re.sub(r"⟨(.+), (.+)⟩", r"(vec(\1)ᵀ vec(\2))", text), names)
    made = reader.sum()
    assert not reader.peek(), text
    return made


def stacked(x: Any) -> Any:
    return x.reshape(-1, 1, order="F")


def difference(run: Callable[..., Any], names: dict[str, Any], x: str, turned: bool) -> Any:
    """The Jacobian of vec(run) by vec(x), or by vec(xᵀ), as a central difference."""
    columns = []
    start = names[x].T if turned else names[x]
    for k in range(start.size):
        moved = []
        for h in (1e-6, -1e-6):
            step = np.zeros(start.size)
            step[k] = h
            new = start + step.reshape(start.shape, order="F")
            moved.append(stacked(run(**{**names, x: new.T if turned else new})))
        columns.append((moved[0] - moved[1]) / 2e-6)
    return np.hstack(columns)


# equation, the names' shapes, the same in NumPy, and the printed Jacobian by each name
CASES = {
    "layer": ("z = W a + b", {"W": "mn", "a": "n", "b": "m"}, lambda W, a, b, **_: W @ a + b,
              {"W": "aᵀ ⊗ I_m", "a": "W", "b": "I_m"}),
    "from_to": ("z = Wᵀ a", {"W": "nm", "a": "n"}, lambda W, a, **_: W.T @ a, {"W": "I_m ⊗ aᵀ", "a": "Wᵀ"}),
    "map": ("z = f(a)", {"a": "n"}, lambda a, **_: f(a), {"a": "diag(f′(a))"}),
    "batch": ("Z = W A + b", {"W": "mn", "A": "nB", "b": "m"}, lambda W, A, b, **_: W @ A + b,
              {"W": "Aᵀ ⊗ I_m", "A": "I_B ⊗ W", "b": "1_B ⊗ I_m"}),
    "rows": ("Z = A W + b", {"A": "Bn", "W": "nm", "b": "m"}, lambda A, W, b, **_: A @ W + b.T,
             {"A": "Wᵀ ⊗ I_B", "W": "I_m ⊗ A", "b": "I_m ⊗ 1_B"}),
    "matrix map": ("Z = f(X)", {"X": "mn"}, lambda X, **_: f(X), {"X": "diag(vec(f′(X)))"}),
    "two sides": ("Z = A X C", {"A": "pm", "X": "mn", "C": "nB"}, lambda A, X, C, **_: A @ X @ C,
                  {"X": "Cᵀ ⊗ A", "A": "(Cᵀ Xᵀ) ⊗ I_p", "C": "I_B ⊗ (A X)"}),
    "composed": ("Z = f(X) Wᵀ", {"X": "mn", "W": "pn"}, lambda X, W, **_: f(X) @ W.T,
                 {"X": "(W ⊗ I_m) diag(vec(f′(X)))", "W": "I_p ⊗ f(X)"}),
    "scaled rows": ("Z = diag(v) X", {"v": "m", "X": "mn"}, lambda v, X, **_: v * X,
                    {"v": "diag(vec(X)) (1_n ⊗ I_m)", "X": "I_n ⊗ diag(v)"}),
    "row sums": ("z = sum(X ⊙ Y, axis=1)", {"X": "mn", "Y": "mn"}, lambda X, Y, **_: (X * Y).sum(1)[:, None],
                 {"X": "(1_nᵀ ⊗ I_m) diag(vec(Y))"}),
    "outer": ("Z = u vᵀ", {"u": "m", "v": "n"}, lambda u, v, **_: u @ v.T, {"u": "v ⊗ I_m", "v": "I_n ⊗ u"}),
    "quadratic": ("z = xᵀ A x", {"x": "n", "A": "nn"}, lambda x, A, **_: x.T @ A @ x, {"x": "((A + Aᵀ) x)ᵀ", "A": "xᵀ ⊗ xᵀ"}),
    "trace": ("z = tr(A X)", {"A": "mn", "X": "nm"}, lambda A, X, **_: np.trace(A @ X).reshape(1, 1), {"X": "vec(Aᵀ)ᵀ"}),
    "scalar times": ("Z = s X", {"s": "", "X": "mn"}, lambda s, X, **_: s * X, {"s": "vec(X)", "X": "s (I_n ⊗ I_m)"}),
    "folded": ("z = [a; 1]", {"a": "n"}, lambda a, **_: np.vstack([a, [[1.0]]]), {"a": "[I_n; zeros(1, n)]"}),
}  # fmt: skip


def program(equation: str, shapes: dict[str, str]) -> str:
    lines = [f"{n} : ({', '.join(s)})" if s else f"{n} : scalar" for n, s in shapes.items()]
    return "\n".join([*lines, equation, f"E = loss({equation.split()[0]})"])


def steps(name: str, layout: str = "numerator") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    equation, shapes, _, _ = CASES[name]
    d = pb.derive(program(equation, shapes))
    rng = np.random.default_rng(7)
    names = {n: rng.uniform(0.3, 1, [SIZES[c] for c in s] + [1] * (2 - len(s))) for n, s in shapes.items()}
    return d.record["jacobian"][layout], names


@pytest.mark.parametrize("name", CASES)
def test_printed_jacobians_are_the_expected_ones(name: str) -> None:
    found = {s["about"]: s["right"]["text"] for s in steps(name)[0] if s["kind"] == "jacobian"}
    assert {x: found[x] for x in CASES[name][3]} == CASES[name][3]


@pytest.mark.parametrize("name", CASES)
def test_what_is_printed_is_the_jacobian(name: str) -> None:
    """Every printed ∂z/∂x, read from its text, is the central difference; its transpose in the other layout."""
    _, shapes, run, _ = CASES[name]
    made, names = steps(name)
    mirrored, _ = steps(name, "denominator")
    other = {(s["about"], s["left"]["text"]): s["right"]["text"] for s in mirrored if s["kind"] == "jacobian"}
    checked = 0
    for s in made:
        if s["kind"] == "jacobian" and s["about"] in shapes:
            J = read(s["right"]["text"], names)
            wanted = difference(run, names, s["about"], f"vec({s['about']}ᵀ)" in s["left"]["text"])
            assert J.shape == wanted.shape
            assert np.allclose(J, wanted, atol=1e-6), s["right"]["text"]
            assert np.allclose(read(other[s["about"], s["left"]["text"]], names), J.T)
            checked += 1
    assert checked >= 1


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if any("⊗" in j for j in c[3].values())])
def test_stacking_by_rows_gives_the_same_map(name: str) -> None:
    _, _, run, _ = CASES[name]
    made, names = steps(name)
    checked = 0
    for s in made:
        if s["kind"] == "rows":
            checked += 1
            d = np.random.default_rng(1).uniform(-1, 1, names[s["about"]].shape) * 1e-6
            x = s["about"]
            moved = (run(**{**names, x: names[x] + d}) - run(**{**names, x: names[x] - d})) / 2
            text = s["right"]["text"].replace(f"d{x}", "Q")
            assert np.allclose(read(text, {**names, "Q": d}), moved.reshape(-1, 1), atol=1e-11)
    assert checked


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layout", ["numerator", "denominator"])
def test_every_line_of_a_chain_is_the_same_gradient(name: str, layout: str) -> None:
    """∂E/∂x as a product, its transpose, and the result: the printed matrices, multiplied by NumPy."""
    equation, shapes, run, _ = CASES[name]
    made, names = steps(name, layout)
    v = equation.split()[0]
    out = run(**names)
    g = np.random.default_rng(3).uniform(-1, 1, out.shape)
    names = {**names, v: out, f"∇{v}": g, "∇loss": g}
    checked = []
    for s in made:
        if s["kind"] in ("put", "turn", "value", "result") and s["about"] in shapes:
            x = s["about"]
            J = difference(run, names, x, False)
            wanted = (J.T @ stacked(g)).reshape(names[x].shape, order="F")
            checked.append(s["kind"])
            whole, cut, _ = s["right"]["text"].partition("[1..n]")
            shown = read(whole, names)[: names[x].shape[0] if cut else None]
            turned = f"vec({x}ᵀ)" in s["left"]["text"] or f"vec(∇{x}ᵀ)" in s["left"]["text"]
            column = stacked(wanted.T if turned else wanted)
            if s["kind"] == "result":
                column = wanted
            if s["kind"] == "put" and layout == "numerator":
                column = column.T
            assert np.allclose(shown, column, atol=1e-5), (s["kind"], s["right"]["text"])
    assert {"put", "value"} & set(checked)
    assert "result" in checked


def test_where_no_matrix_exists_the_entries_are_shown_with_the_reason() -> None:
    d = pb.derive("Z = X Xᵀ\nE = loss(Z)")
    [s] = [s for s in d.record["jacobian"]["numerator"] if s["kind"] == "entries"]
    assert "δ" in s["right"]["text"]
    assert "as it is and transposed" in s["why"]["explain"]["text"]
    d = pb.derive('T : (m, n, p)\nx : n\ny : (m, p)\ny = ein("abc,b->ac", T, x)\nE = loss(y)')
    page = d.text("jacobian")
    assert "why no matrix" in page and "∇x" in page


def test_a_direct_derivative_is_not_the_total_one() -> None:
    d = pb.derive("y = f(z); z = W a; E = loss(y, z)")
    page = d.text("jacobian")
    assert "∂E/∂z|direct" in page and "∂E/∂y · ∂y/∂z + ∂E/∂z|direct" in page
    assert "marked direct" in page


def test_letters_of_general_statements_are_no_names_of_the_program() -> None:
    page = pb.derive("Z = A X\nE = loss(Z)\nA : (m, B)").text("jacobian", level=3)
    assert "vec(P M Q) = (Qᵀ ⊗ P) vec(M)" in page
