"""Every refusal has a code, a place, and says what to do."""

from time import process_time

import pytest

from pullback.errors import ParseError, PullbackError, ShapeError, UnsupportedError
from pullback.language.families import families_of
from pullback.language.operators import function, program_of, tensor
from pullback.language.text import parse_program

# code, text, what the caret stands under, a word of the message or the help
REFUSALS = [
    ("P001", "z = W ~ a", "~", "unexpected character"),
    ("P001", "z = {a}", "{", "round brackets"),
    ("P001", "z = a\x00b", "\x00", "U+0000"),
    ("P001", 'z = "abc', '"', "never closed"),
    ("P002", "z = W +", "", "end of the line"),
    ("P002", "z = ) a", None, ""),
    ("P002", "z + y = a", "+", "one name"),
    ("P002", "z = a ⊙ ⊙ b", "⊙", "unexpected"),
    ("P002", "a + b\nz = 1", "a", "without a name"),
    ("P002", "x : (m, n) extra", "extra", "where const"),
    ("P002", "z = 1/0", "1/0", "division by zero"),
    ("P002", "z = 1e999999999 x", "1e999999999", "too large"),
    ("P002", "z = x^∘999999999", "x^∘999999999", "too large"),
    ("P002", "given y as", None, "given grad y as g"),
    ("P002", "E = sum(x, axis=3)", "sum(x, axis=3)", "counted from 0"),
    ("P002", "x : n; E = x[0]", "x[0]", "counted from 1"),
    ("S002", "E = loss([t; s] + s)", "[t; s] + s", "not known here"),
    ("P002", 'z_ij = ein("ij->ji", A_ij)', 'ein("ij->ji", A_ij)', "entry by entry"),
    ("P002", "z_i = concat(x_i, y_i, axis=0)", "concat(x_i, y_i, axis=0)", "entry by entry"),
    ("P002", "x : 3; z_i = pad(x_i, axis=0, start=1, size=5)", "pad(x_i, axis=0, start=1, size=5)", "entry by entry"),
    ("P002", "g : (n) -> (m); z_i = g(x_i)", "g(x_i)", "entry by entry"),
    ("P002", "z_i = ‖x_i‖", "‖x_i‖", "entry by entry"),
    ("P002", "s : scalar; E = s sum(ones(-3))", "ones(-3)", "a size of -3"),
    ("P002", "s : scalar; E = s sum(1_0)", "1_0", "a size of 0"),
    ("P002", "A : (n, n); E = tr(I_0)", "I_0", "a size of 0"),
    ("P002", "E = sum(E_(n, 0, -m))", "E_(n, 0, -m)", "a size of -m"),
    ("P002", "x : n; assume n = 0; E = sum(x)", "n = 0", "a size of 0"),
    ("P002", "x : n; assume n = -m; E = sum(x)", "n = -m", "a size of -m"),
    ("P002", "x : n-2; assume n = 2; E = sum(x)", "x", "a size of 0"),
    ("P002", "x : -n; E = sum(x)", "n", "a size of -n"),
    ("P002", "g : (n) -> (0); E = sum(g(x))", ")", "a size of 0"),
    ("P002", "x : n; E = x[3..2]", "x[3..2]", "empty"),
    ("P002", 'E = ein("ij->", A, axis=0)', 'ein("ij->", A, axis=0)', "no option axis"),
    ("P002", 'E = sum(tanh("ij->ji", A))', 'tanh("ij->ji", A)', "no pattern"),
    ("P008", "A : (a, b, c, d, e, f, g, h, k); E = sum(A)", ")", "at most 8 axes"),
    ("P008", "E = sum(ones(2, 2, 2, 2, 2, 2, 2, 2, 2))", "ones(2, 2, 2, 2, 2, 2, 2, 2, 2)", "at most 8 axes"),
    ("P008", "E = " + " * ".join(["(sum_i x_i)"] * 27), None, "26 indices in one product"),
    ("S003", "x : n; E = sum(x[-n..n])", "x[-n..n]", "outside axis 0"),
    ("S003", "x : 3; E = sum(pad(x, axis=0, start=-1, size=n))", "pad(x, axis=0, start=-1, size=n)", "outside axis 0"),
    ("S003", "E = x' e_(3, 5)", "e_(3, 5)", "entry 6 lies outside axis 0"),
    ("S003", "E = sum(E_(3, 2, 2))", "E_(3, 2, 2)", "entries 3 to 4 lie outside axis 0"),
    ("S003", "A, B : (m, n); E = sum(concat(A, B, axis=n))", "concat(A, B, axis=n)", "along axis n"),
    ("S003", "A, B : (m, n); E = sum(concat(A, B, axis=-1))", "concat(A, B, axis=-1)", "along axis -1"),
    ("P003", "z = W a\nderive grad weight", "weight", "occurs in no equation"),
    ("P003", "weight : (m, n); z = weight a\nderive grad weigt", "weigt", "did you mean weight?"),
    ("P003", "z = W a\ngiven grad q as g", "q", "occurs in no equation"),
    ("P004", "z = W a\nz = b", "z", "defined twice"),
    ("P004", "x : n; x : m; E = sum(x)", "x", "defined twice"),
    ("P005", "a = b + c\nb = a", "a", "a → b → a"),
    ("P005", "a = a + 1", "a", "a → a"),
    ("P006", "E = sum_i sum_i a_i", "sum_i", "bound twice"),
    ("P006", "z_i = sum_i A_ii", "sum_i", "the left side"),
    ("P007", "z_j = W_ij a_i", "W_ij", "sum_i"),
    ("P007", "E = sum_k a_k + sum_ij b_i", None, "no index j"),
    ("P008", "z = " + "(" * 101 + "a" + ")" * 101, "(", "nested"),
    ("P008", "z = a" + "'" * 200, "'", "too many"),
    ("P009", "z = " + "a + " * 6000 + "a", None, "one equation a line"),
    ("P009", "z = " + "a" * 300, "a" * 300, "characters"),
    ("P010", "", None, "nothing"),
    ("P010", "# only a comment\n\n", None, "nothing"),
    ("P010", "W : (m, n)", None, "no equation"),
    ("P011", "z = (a + b", "(", "never closed"),
    ("P011", "z = a + b)", ")", "closes nothing"),
    ("P011", "z = (a + b]", "]", "does not close"),
    ("P012", "z = f(x) + f'", "f'", "two ways"),
    ("P012", "z = g' x", "g'", "two ways"),
    ("P013", "z = __import__(os)", "__import__", "cannot be a name"),
    ("P014", 'z = a + "b"', '"b"', "pattern of ein"),
    ("P015", "z_ij = sum_k A_ik b_k + c_i", None, "1_j"),
    ("S001", "E = tr(x)", "tr(x)", "A[n,n]"),
    ("S002", "X : (m, n); x : n; Z = X ⊙ x", "X ⊙ x", "diag(x) X"),
    ("S002", "x : n; y = x^2", "x^2", "x^∘2"),
    ("S002", "x : 3; W : (2, 4); z = W x", "W x", "3"),
    ("S003", "x : n; y : n; u = x y", "x y", "xᵀ y"),
    ("S003", "x : n; A : (n, m); u = x A", "x A", "Aᵀ x"),
    ("S003", 'x : n; u = ein("ij->i", x)', None, "axes"),
    ("S004", "Z = W A + b", "W A + b", "1_(p)ᵀ"),
    ("S004", "W : (n, n); b : n; Z = W + b", "W + b", "in every row"),
    ("S005", "W : (m, n); a : n; z = W * a ⊙ a", "W * a ⊙ a", "W a"),
    ("S005", "x : n; y = 1 / x", "1 / x", "⊘"),
    ("S006", "y = xᵀ", "xᵀ", "drop the ᵀ"),
    ("S007", "W : (m, n); a : k; z = W a", "W a", "assume n = k"),
    ("S007", "z : k; W : (m, n); a : n; z = W a", "z", "declared (k)"),
    ("U001", "p = fft(z)", "fft", "fft : (n) -> (n)"),
    ("U001", "p = argmax(z)", "argmax", "not supported"),
    ("S007", "X : (m, n); Y = X^-1", "X^-1", "assume m = n"),
    ("S002", "y = s^t", "s^t", "s^∘t"),
    ("S002", "A : (n, n); k : scalar; y = A^k", "A^k", "A^∘k"),
    ("P002", "y = 2 e^x", "e^x", "exp(x)"),
    ("P002", "y = x^", "", "an exponent"),
    ("P052", "y = log(-2) x", "log(-2)", "positive"),
    ("U002", "z = 2i x", "2i", "complex"),
    ("U002", "z = complex(a, b)", "complex", "complex"),
    ("P043", "z = W a for k = 1..L", "z", "does not hold the index k"),
    ("P041", "z[k] = W a[k] for k = 3..2", "k", "empty"),
    ("P040", "z[k*j] = W a[k] for k = 1..L", "z[k*j]", "cannot be read"),
    ("U003", "y = W[k] a", "W[k]", "nothing says what it counts"),
    ("U004", "A : (n, n) where symmetric, lower; E = tr(A)", "lower", "not supported"),
]
CLASS = {"P": ParseError, "S": ShapeError, "U": UnsupportedError}


@pytest.mark.parametrize(("code", "text", "under", "word"), REFUSALS, ids=[f"{r[0]}-{r[1][:24]!r}" for r in REFUSALS])
def test_a_refusal(code: str, text: str, under: str | None, word: str) -> None:
    with pytest.raises(PullbackError) as caught:
        parse_program(text)
    error = caught.value
    shown = error.render()
    if code != "P002" or word:
        assert error.code == code, shown
    assert isinstance(error, CLASS[error.code[0]])
    assert word in shown
    assert error.hint or error.expected or error.notes
    if error.span is not None:
        assert "^" in shown
    if under is not None:
        assert error.span is not None
        start = error.span.column - 1
        assert error.span.text[start : start + error.span.length].strip() == under.strip()


def test_both_places_of_a_double_definition_are_shown() -> None:
    with pytest.raises(ParseError) as caught:
        parse_program("z = W a\ny = z\nz = b")
    assert caught.value.span is not None and caught.value.span.line == 3
    assert "line 1: `z = W a`" in caught.value.notes[0]


def test_shapes_are_shown_by_name() -> None:
    with pytest.raises(ShapeError) as caught:
        parse_program("W : (m, n); a : k; b : m\nz = W (a ⊙ a) + b")
    assert "W is (m, n)" in caught.value.notes
    assert "assume n = k" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1_000_000,
        "1_①(n)",
        "\n".join(["x0 = a"] + [f"x{k + 1} = [x{k}; x{k}]" for k in range(70)]),
        "x = 1" + "/9" * 5_000,
        "\n".join("(" * 19_000 for _ in range(53)),
        "x" * 1_000_000,
        "x = " + "-" * 15_000 + "y",
        "x = " + "||" * 5_000,
        "x : " + "n*" * 9_000 + "n",
        "x = " + "sum_i " * 3_000 + "a_i",
        "\x00\x01\x02" * 100_000,
        "x = [" + "[" * 500,
        "x = y[" + "(" * 99 + "n",
        "given",
        "derive",
        "assume",
        "dialect:",
        "for",
        ":",
        "=",
        "x =",
        "= x",
        ",",
        "W[",
        "x :",
        "f(",
        "ein(",
        "1_",
        "∇",
        "∂1_",
        'x = ein("ij->k", A)',
        "x = [;]",
        "x = [a;]",
        "x = []",
        "x = ()",
        "x = ⟨a⟩",
        "x = sum()",
        "x = I_()",
        "x = a[1..]",
        "x = a^",
        "x = a^(",
        "x = a.^",
        "x = f()",
        "x = 1_(",
        "x_i = ",
        "x_ii = a_i",
        "g : ->",
        "g : (n) ->",
        "x = pad(a)",
        "x = vector()",
        "x = eye(m, n, p)",
        "assume n",
        "assume = 3",
        "derive grad",
        "given grad y as",
        "x = \\frac{1}{2}",
        "x = D(y)",
        "x = Dg(y)",
        "x = ∇∇2_f(x)",
        "x = ∇f(x)",
        "x = a ;; y = b )",
        "x = ×",
        "x : 0",
        "x : -1",
        "x = ½½",
    ],
)
def test_garbage_is_refused_or_read_but_never_crashes(text: str) -> None:
    try:
        parse_program(text)
    except PullbackError as error:
        assert error.render().startswith("error[")


def test_deep_but_allowed_nesting_is_read() -> None:
    assert parse_program("x : n; E = " + "sum(" * 99 + "x" + ")" * 99).equations[0].rhs.order == 0
    assert parse_program("x : n; y = " + "f(" * 99 + "x" + ")" * 99).equations[0].rhs.order == 1
    assert parse_program("x : n; y = " + "((x + x) ⊙ " * 49 + "x" + ")" * 49).equations[0].rhs.order == 1


def test_operators_refuse_clearly() -> None:
    x, u = tensor("x", "n"), tensor("u", "m")
    for code, act in [
        ("S002", lambda: function("f")(x, u)),
        ("P013", lambda: tensor("__x")),
        ("P010", lambda: program_of({})),
        ("P005", lambda: program_of({"x": x + x})),
        ("P003", lambda: program_of({"y": x}, wrt=["q"])),
        ("S007", lambda: program_of({"y": x, "w": tensor("x", "m")})),
    ]:
        with pytest.raises(PullbackError) as caught:
            act()
        assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        ",".join(["a_b"] * 30) + " = x[1]",
        "_" * 19_000 + "! = x[1]",
        "a" + " " * 19_000 + "b = x[1]",
        ",".join(["a"] * 9000) + " : x[1]",
        "a[b]_c," * 2500 + " = x[1]",
    ],
)
def test_a_long_left_side_is_looked_at_once(text: str) -> None:
    start = process_time()
    families_of(text)
    assert process_time() - start < 1, "it hangs: twenty times what it takes"
