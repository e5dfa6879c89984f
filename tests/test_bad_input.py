"""Bad input, from end to end: each mistake has its code, its place, the shapes by name, a way out, and no traceback."""

import io
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

import pullback as pb
from pullback.cli import main

ROOT = Path(__file__).resolve().parents[1]
EXIT = {"P": 2, "S": 3, "U": 4, "C": 1}
LIMIT = 5.0  # seconds; only a hang takes so long


@dataclass
class Answer:
    exit_code: int
    out: str
    err: str
    seconds: float

    @property
    def code(self) -> str:
        found = re.search(r"^error\[([PSUC]\d{3})\]: ", self.err, re.M)
        assert found, self.err
        return found[1]

    @property
    def place(self) -> tuple[int, int] | None:
        """Line and column."""
        found = re.search(r"^ *--> .*?:(\d+):(\d+)$", self.err, re.M)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def marked(self) -> str | None:
        """The text that the carets stand under."""
        lines = self.err.splitlines()
        for above, below in pairwise(lines):
            carets = re.fullmatch(r" *\| ( *)(\^+)", below)
            if carets:
                shown = re.sub(r"^ *\d+ \| ", "", above)
                return shown[len(carets[1]) : len(carets[1]) + len(carets[2])]
        return None


@pytest.fixture
def ask(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch):
    """Runs the command in this process."""
    monkeypatch.delenv("NO_COLOR", raising=False)

    def invoke(*args: str, stdin: bytes = b"") -> Answer:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        start = time.process_time()
        exit_code = main(list(args))
        seconds = time.process_time() - start
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Answer(exit_code, out.decode(), err.decode(), seconds)

    return invoke


def check(answer: Answer, code: str, *words: str) -> None:
    assert "Traceback" not in answer.err
    assert answer.code == code, answer.err
    assert answer.exit_code == EXIT[code[0]]
    assert answer.out == ""
    assert answer.seconds < LIMIT
    assert re.search(r"^  (help|expected|note): \S", answer.err, re.M), answer.err
    for word in words:
        assert word in answer.err, f"no {word!r} in\n{answer.err}"


# name, text, code, line and column of the caret, what it stands under, words of the message
TEXTS: list[tuple[str, str, str, tuple[int, int], str, list[str]]] = [
    # names
    ("undefined name in derive", "z = W a\nE = loss(z)\nderive grad Wx", "P003", (3, 13), "Wx",
     ["Wx occurs in no equation", "did you mean W?"]),
    ("undefined name in given", "y = f(z)\ngiven grad q as g", "P003", (2, 12), "q", ["the names are"]),
    ("undefined gradient", "E = sum(∇z)", "P003", (1, 9), "∇z", ["not defined", "given grad y as g"]),
    ("given gradient of an input", "y = f(z)\ngiven grad z as g", "P003", (2, 12), "z", ["z is an input", ": y"]),
    ("name defined twice", "z = W a\ny = f(z)\nz = b", "P004", (3, 1), "z",
     ["z is defined twice", "first on line 1: `z = W a`", "another name"]),
    ("name declared twice", "x : n\nx : m\nE = sum(x)", "P004", (2, 1), "x", ["first on line 1: `x : n`"]),
    ("gradient given twice", "y = f(z)\ngiven grad y as g\ngiven grad y as h", "P004", (3, 1), "given", ["line 2"]),
    ("cyclic equations", "a = b + c\nb = 2 a\nE = sum(a)", "P005", (1, 1), "a",
     ["cyclic: a → b → a", "line 1: a = b + c", "line 2: b = 2 a", "a new value needs a new name"]),
    ("equation that uses itself", "x = x + 1", "P005", (1, 1), "x", ["x → x"]),
    # shapes
    ("matrix times vector", "W : (m, n)\na : k\nz = W a", "S007", (3, 5), "W a",
     ["matrix product", "the size n is not the size k", "W is (m, n)", "a is (k)", "assume n = k"]),
    ("matrix times matrix", "A : (m, n); B : (m, n); E = tr(A B)", "S007", (1, 32), "A B",
     ["A is (m, n)", "B is (m, n)", "Aᵀ B", "A Bᵀ", "A ⊙ B"]),
    ("numbers as sizes", "W : (2, 4); x : 3; z = W x", "S002", (1, 24), "W x", ["the size 4 is not the size 3"]),
    ("sum of vectors", "a : n; b : m; z = a + b", "S007", (1, 19), "a + b",
     ["in the sum", "a is (n)", "b is (m)", "assume n = m"]),
    ("sum of a matrix and its transpose", "A : (m, n); z = A + Aᵀ", "S007", (1, 17), "A + Aᵀ", ["Aᵀ is (n, m)"]),
    ("sum of a matrix and a vector", "A : (m, n); b : k; z = A + b", "S002", (1, 24), "A + b",
     ["neither the rows nor the columns", "b is (k)", "A is (m, n)", "size m or n"]),
    ("sum that can mean two things", "W : (n, n); b : n; Z = W + b", "S004", (1, 24), "W + b",
     ["two ways", "in every column", "in every row"]),
    ("entrywise product", "A : (m, n); B : (n, m); C = A ⊙ B", "S007", (1, 29), "A ⊙ B",
     ["entrywise ⊙", "A is (m, n)", "B is (n, m)", "Bᵀ would fit"]),
    ("entrywise product of two orders", "X : (m, n); x : n; Z = X ⊙ x", "S002", (1, 24), "X ⊙ x",
     ["X is (m, n)", "x is (n)", "X diag(x) the columns"]),
    ("juxtaposition with several readings", "x : n; y : n; u = x y", "S003", (1, 19), "x y",
     ["several ways", "x ⊙ y (entry by entry)", "xᵀ y (a number)", "x yᵀ (a matrix)"]),
    ("vector before a matrix", "x : n; A : (n, m); u = x A", "S003", (1, 24), "x A", ["Aᵀ x", "diag(x) A"]),
    ("star between tensors", "A : (m, n); B : (m, n); C = A * B ⊙ A", "S005", (1, 29), "A * B ⊙ A",
     ["matrix product or the entrywise", "`A B`", "`A ⊙ B`", "dialect: matlab"]),
    ("division by a vector", "x : n; y = 1/x", "S005", (1, 12), "1/x", ["`1 ⊘ x`", "x is (n)"]),
    ("row standing alone", "y = xᵀ", "S006", (1, 5), "xᵀ", ["drop the ᵀ"]),
    ("square of a vector", "x : n; y = x^2", "S002", (1, 12), "x^2", ["x^∘2", "‖x‖²"]),
    ("power of an oblong matrix", "A : (m, n); y = sum(A^2)", "S007", (1, 21), "A^2", ["square matrix", "(m, n)", "pinv"]),
    ("trace of a vector", "x : n; E = tr(x)", "S001", (1, 12), "tr(x)", ["tr does not take a vector", "x is (n)"]),
    ("declared otherwise", "z : k; W : (m, n); a : n; z = W a", "S007", (1, 27), "z", ["(k)", "(m)", "line 1"]),
    ("gradient of a non-scalar", "W : (m, n)\nz = W a", "S010", (2, 1), "z = W a",
     ["non-scalar", "shape (m)", "given grad z as g", "E = sum(z)"]),
    ("almost a known function", "z : n; p = softmx(z); E = sum(p)", "P054", (1, 12), "softmx", ["softmax", "softmx : entrywise"]),
    # primes
    ("prime of an unknown", "z = f' x", "P012", (1, 5), "f'", ["two ways", "derivative", "transpose", "declare"]),
    ("prime of a function", "y = f(x) + f'", "P012", (1, 12), "f'", ["f is a function here", "fᵀ"]),
    # indices
    ("index bound by the left side", "z_i = sum_i A_ii", "P006", (1, 7), "sum_i", ["i is bound twice", "left side"]),
    ("index bound by two sums", "E = sum_i sum_i a_i", "P006", (1, 11), "sum_i", ["enclosing sum", "another letter"]),
    ("index twice on the left", "z_ii = sum_k A_ik", "P006", (1, 1), "z_ii", ["twice on the left"]),
    ("index not summed", "z_j = W_ij a_i", "P007", (1, 7), "W_ij", ["the index i", "neither summed", "sum_i"]),
    ("sum without its index", "E = sum_ij a_i", "P007", (1, 5), "sum_ij a_i", ["no index j under it", "1_j"]),
    ("index only on the left", "z_ij = sum_k A_ik b_k", "P015", (1, 8), "sum_k A_ik b_k", ["index j", "1_j"]),
    # syntax
    ("line that ends too early", "z = W a +", "P002", (1, 10), "", ["unexpected end of the line", "a name, a number"]),
    ("operator twice", "z = a ⊙ ⊙ b", "P002", (1, 9), "⊙", ["unexpected ⊙"]),
    ("bracket never closed", "E = sum(x", "P011", (1, 8), "(", ["never closed", ") on this line or the next"]),
    ("bracket that closes nothing", "E = x)", "P011", (1, 6), ")", ["closes nothing", "remove"]),
    ("wrong bracket", "E = (x]", "P011", (1, 7), "]", ["does not close the ( at column 5"]),
    ("left side of two names", "z + y = a", "P002", (1, 3), "+", ["left side of an equation is one name"]),
    ("comparison", "y = x > 0", "P002", (1, 7), ">", ["unexpected >"]),
    ("slice from zero", "x : n; E = x[0]", "P002", (1, 12), "x[0]", ["counted from 1 to n"]),
    ("unknown axis", "X : (m, n); y = sum(X, axis=2)", "P002", (1, 17), "sum(X, axis=2)", ["between 0 and 1"]),
    ("unknown dialect in the text", "dialect: fortran\nE = x", "P002", (1, 10), "fortran", ["dialect: matlab"]),
    ("division by zero", "E = x/0 + 1/0", "P002", (1, 11), "1/0", ["division by zero"]),
    ("LaTeX", "z = \\frac{1}{2} x", "P001", (1, 5), "\\", ["LaTeX"]),
    ("quotation mark", 'z = a + "b"', "P014", (1, 9), '"b"', ["only be the pattern of ein"]),
    # Python and other worlds
    ("Python code as a name", "E = sum(__import__('os').system('true'))", "P013", (1, 9), "__import__",
     ["cannot be a name", "starts with a letter", "nothing of it is run"]),
    ("attribute access", "E = os.system(x)", "P001", (1, 7), ".", ["a name holds no dot"]),
    ("complex number", "z = (1 + 2i) x", "U002", (1, 10), "2i", ["complex numbers are not supported", "2 i"]),
    ("complex number, j", "z = 3j x", "U002", (1, 5), "3j", ["complex"]),
    ("complex function", "z = complex(a, b)", "U002", (1, 5), "complex", ["complex", "real numbers"]),
    # not in this version
    ("a function that is not derived", "p = fft(z)\nE = loss(p)", "U001", (1, 5), "fft", ["not supported", "fft : (n) -> (n)"]),
    ("inverse of no square", "A : (m, n); E = ‖inv(A) b‖²", "S007", (1, 18), "inv(A)", ["(m, n)"]),
    ("gather without places", "A : (v, d); i : t; E = sum(gather(A, i))", "S030", (1, 38), "i", ["i : t where index"]),
    ("rank", "E = rank(A)", "U001", (1, 5), "rank", ["rank : (n, n) -> scalar"]),
    ("symmetric of no square", "A : (m, n)\nassume symmetric(A)\nE = tr(A Aᵀ)", "S014", (2, 8), "symmetric", ["square"]),
    ("variable exponent", "y = s^t", "S002", (1, 5), "s^t", ["s^∘t", "b : scalar"]),
    ("outside a domain", "y = log(-2) x", "P052", (1, 5), "log(-2)", ["positive"]),
    ("log of a negative function", "x : n; E = sum(log(-exp(x)))", "P052", (1, 16), "log(-exp(x))", ["less than 0", "positive"]),
    ("root of a negative sum", "x : n; E = sum(sqrt(-1 - x^∘2))", "P052", (1, 16), "sqrt(-1 - x^∘2)", ["at most -1"]),
    ("root of a negative number", "t : scalar; E = t sqrt(-3)", "P052", (1, 19), "sqrt(-3)", ["positive"]),
    ("log where the assumption makes it negative", "x : n; assume x > 0; E = sum(log(-x))", "P052", (1, 30), "log(-x)", ["less than 0"]),
    ("arcsine beyond 1", "x : n; E = sum(asin(2 + exp(x)))", "P052", (1, 16), "asin(2 + exp(x))", ["greater than 2"]),
    ("log through an equation", "u = -exp(x); x : n; E = sum(log(u))", "P052", (1, 29), "log(u)", ["less than 0"]),
    ("assumptions that exclude each other", "x : n; assume positive(x); assume x < 0; E = sum(x)", "P053", (1, 35), "x < 0", ["its declaration"]),
    ("relations that exclude each other", "x : n; assume x > 0; assume x < 0; E = sum(x)", "P053", (1, 29), "x < 0", ["the assumption x > 0"]),
    ("a fact that is not there", "x : n; assume negative(x); E = sum(x)", "P002", (1, 15), "negative", ["assume x < 0"]),
    ("an assumption against an equation", "u : n; x = exp(u); assume x < 0; E = sum(x)", "P053", (1, 27), "x < 0", ["x = exp(u)"]),
    ("a sum that is another number", "z : n; y = 2 softmax(z); assume sum(y) = 1; E = loss(y)", "P053", (1, 33), "sum(y) = 1", ["differ by 1"]),
    ("a square that is negative", "x : n; assume ‖x‖² = -1; E = loss(x)", "P053", (1, 15), "‖x‖² = -1", ["at least 0", "-1"]),
    ("a sum of negatives that is positive", "x : n; assume sum(x) = 1; assume x < 0; E = loss(x)", "P053", (1, 15), "sum(x) = 1", ["less than 0"]),
    ("an axis that is not there", "X : (m, n); E = sum(softmax(X, axis=3))", "S003", (1, 21), "softmax(X, axis=3)", ["no axis 3"]),
    ("a wrong reshape", "X : (m, n); E = sum(reshape(X, (m, m)))", "S011", (1, 21), "reshape(X, (m, m))", ["m*n entries"]),
    ("a letter in brackets", "y = W[k] a; E = loss(y)", "U003", (1, 5), "W[k]", ["nothing says", "W1, W2"]),
    ("a member that nothing gives", "h[t] = f(h[t-1]) for t = 1..T; E = loss(h[T])", "P044", (1, 1), "h[t] = f(h[t-1])", ["h[0]"]),
    ("an empty range", "h[0] : n; h[t] = f(h[t-1]) for t = T..1; E = loss(h[T])", "P041", (1, 32), "t", ["T..1"]),
    ("a misspelled attribute", "w : n where positve; E = sum(w)", "U004", (1, 13), "positve", ["did you mean positive?"]),
    ("a domain by a declaration", "p : n where simplex; E = sum(log(p - 2))", "P052", (1, 30), "log(p - 2)", ["greater than -2 and at most -1"]),
    ("two structures", "A : (n, n) where symmetric, lower; E = tr(A)", "U004", (1, 29), "lower", ["both symmetric and lower"]),
    ("members with a structure", "A[k] : (n, n) where symmetric; h[k] = A[k] h[k-1] for k = 1..L; E = loss(h[L])", "U004", (1, 1), "A[k]",
     ["projection"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "code", "place", "marked", "words"), TEXTS, ids=[t[0] for t in TEXTS])
def test_a_mistake_in_the_text(
    ask, tmp_path: Path, name: str, text: str, code: str, place: tuple[int, int], marked: str, words: list[str]
) -> None:
    path = tmp_path / "net.eqn"
    path.write_text(text + "\n", encoding="utf-8")
    answer = ask("derive", str(path))
    check(answer, code, *words)
    assert answer.place == place, answer.err
    assert answer.marked is not None and answer.marked.strip() == marked
    assert f"--> {path}:" in answer.err
    piped = ask("derive", "-", stdin=text.encode())
    assert piped.err == answer.err.replace(str(path), "<stdin>")


def test_what_the_refusal_suggests_works(ask) -> None:
    """The ways out that messages show are themselves derived."""
    for text in (
        "e = exp(z); s = sum(e); p = e / s; E = loss(p)",
        "softmax : (n) -> (n); p = softmax(z); E = loss(p)",
        "inv : (n, n) -> (n, n); E = ‖inv(A) b‖²",
        "det : (n, n) -> scalar; E = det(A)",
        "assume n = k; W : (m, n); a : k; z = W a; E = loss(z)",
        "W : (n, n); b : n; Z = W + b 1_(n)ᵀ; E = loss(Z)",
        "z = W a; given grad z as g",
        "E = sum(sqrt(x^∘2))",
        "x : n; y = 1 ⊘ x; E = sum(y)",
        "E = exp(t log(s)); s : scalar; t : scalar",
    ):
        answer = ask("derive", "-e", text)
        assert answer.exit_code == 0, (text, answer.err)


def test_an_assumption_that_holds_by_itself_is_no_mistake(ask) -> None:
    assert ask("derive", "-e", "p = softmax(z); z : n; assume sum(p) = 1; E = loss(p)").exit_code == 0
    assert ask("derive", "-e", "x : n; assume x >= 0; assume x <= 0; E = loss(x)").exit_code == 0


PYTHON = [
    (lambda x, A: pb.ops.log(-2), "P052"),
    (lambda x, A: pb.ops.sqrt(-3), "P052"),
    (lambda x, A: pb.derive(pb.ops.sum(pb.ops.log(-pb.ops.exp(x)))), "P052"),
    (lambda x, A: pb.ops.gather(A, 1.5), "S030"),
    (lambda x, A: pb.ops.gather(A, x), "S030"),
    (lambda x, A: pb.ops.softmax(x, axis=4), "P002"),
    (lambda x, A: pb.ops.inv(A), "S002"),
    (lambda x, A: pb.ops.reshape(x, (3,)), "S011"),
]


@pytest.mark.parametrize(("build", "code"), PYTHON)
def test_a_mistake_in_python(build, code: str) -> None:
    with pytest.raises(pb.PullbackError) as refused:
        build(pb.tensor("x", "n"), pb.tensor("A", "m", "n"))
    assert refused.value.code == code and len(refused.value.message) > 10


def test_an_index_in_python() -> None:
    d = pb.derive(pb.ops.sum(pb.ops.gather(pb.tensor("A", "v", "d"), pb.tensor("i", "t", index=True))))
    assert list(d) == ["A"]


# ---- the command line


COMMANDS = [
    ("no input", ["derive"], "P030", ["nothing to derive", "FILE", "-e"]),
    ("two inputs", ["derive", "a.eqn", "-e", "E = x"], "P030", ["not both"]),
    ("unknown option", ["derive", "--styel", "index"], "P030", ["--styel", "did you mean --style?"]),
    ("unknown option, swapped letters", ["derive", "x.eqn", "--wtr", "W"], "P030", ["did you mean --wrt?"]),
    ("unknown option, nothing like it", ["derive", "--frobnicate"], "P030", ["--frobnicate", "--help"]),
    ("unknown command", ["derve", "x"], "P030", ["derve", "derive, jacobian, hessian, prove, compare, explain, draw", "did you mean derive?"]),
    ("unknown style", ["derive", "-e", "E = x", "--style", "pairings"], "P030", ["pairing, jacobian", "mean pairing?"]),
    ("unknown layout", ["derive", "-e", "E = x", "--layout", "numerater"], "P030", ["denominator", "mean numerator?"]),
    ("sizes without a number", ["derive", "-e", "z = W a; E = loss(z)", "--sizes", "m"], "P032", ["'m'", "m=2,n=3"]),
    ("sizes that are no number", ["derive", "-e", "z = W a; E = loss(z)", "--sizes", "m=two"], "P032", ["two", "m=3"]),
    *((f"an empty {o}", ["code", "-e", "z = W a; E = ‖z‖²", o, ""], "P030", [f"{o} is empty"]) for o in ("--mesh", "--name", "--of", "--recompute", "--out")),
    ("a plan as a photograph", ["plan", "-e", "z = W a; E = ‖z‖²", "--picture", "x.png"], "P030", ["x.png", ".svg or .tex"]),
    ("size 0", ["derive", "-e", "z = W a; E = loss(z)", "--sizes", "m=0"], "P032", ["from 1 to"]),
    ("a negative size", ["derive", "-e", "z = W a; E = loss(z)", "--sizes", "m=-3"], "P032", ["-3", "from 1 to"]),
    ("a size twice", ["derive", "-e", "z = W a; E = loss(z)", "--sizes", "m=2,m=3"], "P032", ["m has two sizes"]),
    ("an unknown size", ["derive", "-e", "z = W a; E = loss(z)", "--sizes", "rows=2"], "P032", ["rows", "m, n"]),
    ("sizes too large", ["derive", "-e", "z = W a; E = loss(z)", "--sizes", "m=999999999"], "P032", ["too many", "400"]),
    ("unknown format", ["derive", "-e", "E = x", "--format", "pdf"], "P030", ["text, markdown, latex, json"]),
    ("unknown level", ["derive", "-e", "E = x", "--level", "7"], "P030", ["--level cannot be 7", "1, 2, 3, 4"]),
    ("level that is no number", ["derive", "-e", "E = x", "--level", "high"], "P030", ["--level", "high"]),
    ("unknown dialect", ["derive", "-e", "E = x", "--dialect", "fortran"], "P030", ["fortran", "matrix, matlab"]),
    ("unknown shell", ["completion", "tcsh"], "P030", ["bash, zsh, fish"]),
    ("option without a value", ["derive", "--wrt"], "P030", ["--wrt", "expected one argument"]),
    ("unknown wrt", ["derive", "-e", "weight : (m, n); z = weight a; E = loss(z)", "--wrt", "weigth"], "P003",
     ["weigth", "did you mean weight?"]),
    ("unknown wrt, nothing like it", ["derive", "-e", "z = W a; E = loss(z)", "--wrt", "W,banana"], "P003",
     ["banana", "the names are W, a, z, E"]),
    ("unknown target", ["derive", "-e", "cost = sum(x)", "--target", "coast"], "P003", ["mean cost?"]),
    ("target that is no scalar", ["derive", "-e", "z = W a; E = loss(z)", "--target", "z"], "S010", ["non-scalar"]),
    ("empty text", ["derive", "-e", ""], "P010", ["nothing to read", "z = W a + b"]),
    ("only a comment", ["derive", "-e", "# nothing yet"], "P010", ["nothing to read"]),
    ("only declarations", ["derive", "-e", "W : (m, n)"], "P010", ["no equation", "z = W a + b"]),
    ("no input variable", ["derive", "-e", "E = π"], "P010", ["nothing to differentiate"]),
    ("every input constant", ["derive", "-e", "x : n where const; E = sum(x)"], "P010", ["nothing to differentiate"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "code", "words"), COMMANDS, ids=[c[0] for c in COMMANDS])
def test_a_mistake_in_the_command(ask, name: str, args: list[str], code: str, words: list[str]) -> None:
    check(ask(*args), code, *words)


# ---- files


def test_a_missing_file(ask, tmp_path: Path) -> None:
    (tmp_path / "layer.eqn").write_text("E = xᵀ x\n", encoding="utf-8")
    missing = tmp_path / "layre.eqn"
    check(ask("derive", str(missing)), "P031", f"cannot read {missing}: No such file", "did you mean", "layer.eqn?")


def test_a_folder_for_a_file(ask, tmp_path: Path) -> None:
    check(ask("derive", str(tmp_path)), "P031", "Is a directory")


def test_an_out_that_cannot_be_written(ask, tmp_path: Path) -> None:
    for target in (tmp_path / "no" / "page.txt", tmp_path):
        answer = ask("derive", "-e", "x : n; E = xᵀ x", "--out", str(target))
        check(answer, "P031", f"cannot write {target}: ")


def test_an_empty_file(ask, tmp_path: Path) -> None:
    path = tmp_path / "empty.eqn"
    for text in ("", "\n\n", "  \t\n", "# a comment\n   # another\n", ";;;\n", "\ufeff"):
        path.write_text(text, encoding="utf-8")
        check(ask("derive", str(path)), "P010", "there is nothing to read", "name = expression")


# ---- what is no text


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"z = W a\x00b", (1, 8), ["control character U+0000", "binary"]),
        (b"\x7fELF\x02\x01\x01\x00", (1, 1), ["U+007F", "binary"]),
        (b"E = x\nz = \x1b[31m a", (2, 5), ["U+001B"]),
        (b"z = W a\ny = caf\xe9 + b", (2, 8), ["not UTF-8", "0xe9", "encoding"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", (1, 1), ["not UTF-8", "0x89", "binary"]),
        ("z = W a".encode("utf-16"), (1, 1), ["not UTF-8", "UTF-16", "iconv"]),
        (b"\xff" * 1000, (1, 1), ["not UTF-8", "0xff"]),
        (b"E = \xf0\x9f", (1, 5), ["not UTF-8"]),
        (b"z = \xed\xa0\x80", (1, 5), ["not UTF-8"]),
    ],
    ids=["NUL", "ELF", "escape", "latin-1", "PNG", "UTF-16", "0xff", "cut", "surrogate"],
)
def test_bytes_that_are_no_text(ask, data: bytes, place: tuple[int, int], words: list[str]) -> None:
    answer = ask("derive", "-", stdin=data)
    check(answer, "P001", *words)
    assert answer.place == place, answer.err
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", answer.err), "control characters reach the terminal"


def test_a_megabyte_of_brackets(ask) -> None:
    answer = ask("derive", "-", stdin=b"(" * 1_000_000)
    check(answer, "P009", "1000000 characters", "at most")
    assert len(answer.err) < 1000
    answer = ask("derive", "-", stdin=b"\n".join([b"E = " + b"(" * 10_000] * 100))
    check(answer, "P008", "nested more than 100 deep", "a name of its own")
    assert len(answer.err) < 1000


@pytest.mark.parametrize("line", ["x" * 1_000_000, "E = " + "a + " * 250_000 + "a", "E = " + "-" * 1_000_000 + "a"])
def test_a_line_of_a_million_characters(ask, line: str) -> None:
    answer = ask("derive", "-", stdin=line.encode())
    check(answer, "P009", "characters", "one equation a line")
    assert len(answer.err) < 1000
    assert max(map(len, answer.err.splitlines())) < 130


def test_the_caret_stays_under_its_column_in_a_long_line(ask) -> None:
    answer = ask("derive", "-e", "E = " + "xᵀ x + " * 300 + "? + " + "xᵀ x + " * 300 + "1")
    check(answer, "P001", "unexpected character ?")
    assert answer.place == (1, 4 + 7 * 300 + 1)
    assert answer.marked == "?"
    assert max(map(len, answer.err.splitlines())) < 130


def test_tabs_keep_the_caret_in_place(ask) -> None:
    answer = ask("derive", "-e", "\tE\t=\tx\t~\ty")
    check(answer, "P001")
    assert answer.marked == "~"


def test_python_in_the_text_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for code in (
        f"open({str(mark)!r},'w')",
        f"__import__('pathlib').Path({str(mark)!r}).touch()",
        "sum(eval(exec(x)))",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pullback", "derive", "-e", f"E = {code}"], capture_output=True, timeout=60, cwd=ROOT
        )
        assert done.returncode in (0, 2)
        assert b"Traceback" not in done.stderr
    assert not mark.exists()


# ---- the list of the codes


def codes_in(text: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, text))


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "src").rglob("*.py")))
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    used = codes_in(source, r'"([PSUC]0\d\d)"')
    documented = codes_in(page, r"(?m)^### ([PSUC]0\d\d)\b")
    assert len(used) > 30
    assert used == documented, f"only in src: {sorted(used - documented)}; only documented: {sorted(documented - used)}"
    assert codes_in(page, r"\b([PSUC]0\d\d)\b") == documented


def test_a_function_of_ones_own_may_be_called_almost_like_a_known_one() -> None:
    declared = pb.derive("softmx : entrywise; z : n; E = sum(softmx(z))")
    assert str(declared["z"]) == "softmx′(z)"
    assert str(pb.derive("z : n; E = sum(tanh2(z))")["z"]) == "tanh2′(z)"  # a number behind a name makes another name


LOOP = "h[0] : n; W : (n, n); h[t] = tanh(W h[t-1]) for t = 1..T; "


@pytest.mark.parametrize(
    ("text", "wrt", "said"),
    [
        (LOOP + "E = sum_{t=1..T} ‖h[t]‖²/(T-t)", None, "T - t is a divisor, and 0 at t = T"),
        (LOOP + "E = sum_{t=1..T} ‖h[t]‖²/(t-1)", None, "t - 1 is a divisor, and 0 at t = 1"),
        (LOOP + "E = ‖h[T]‖²", "T", "T is a size"),
        ("W : (m, n); a : n; q : k; E = ‖W a‖²", "q", "q is declared, but no equation uses it"),
        ("z = W a; E = ‖z‖²", "m", "m is a size"),
    ],
)
def test_what_is_said_of_names_and_divisors_is_true(text: str, wrt: str | None, said: str) -> None:
    with pytest.raises(pb.PullbackError, match=re.escape(said)):
        pb.derive(text, wrt=wrt)


def test_code_says_which_ranges_it_cannot_compare() -> None:
    text = "h[b,0] : n; W : (n, n); h[b,t] = tanh(W h[b,t-1]) for b = 1..B, t = 1..T; E = sum_{b=1..B} ‖h[b,T]‖²"
    with pytest.raises(pb.PullbackError, match="no code for these ranges") as why:
        pb.derive(text).code("numpy")
    assert why.value.code == "U043"


@pytest.mark.parametrize(
    ("exponent", "value"),
    [
        ("2^2", "16"),
        ("2*2", "16"),
        ("3 - 1", "4"),
        ("-2^2", "0.0625"),
        ("1/2^2", "2^(1/4)"),
        ("4/(1+1)", "4"),
        ("1 - 1", "1"),
    ],
)
def test_an_exponent_may_be_worked_out(exponent: str, value: str) -> None:
    found = str(pb.derive(f"E = 2^({exponent}) sum(x)")["x"])
    assert found == ("1_m" if value == "1" else f"{value} 1_m")


def test_a_diagonal_is_no_number() -> None:
    """Off it there are zeros: X ^ diag(2, …) is 1 there."""
    np = pytest.importorskip("numpy")
    d = pb.derive("X : (3, 3) where positive; E = sum(X .^ diag(2 ones(3)))")
    X = np.arange(1.0, 10).reshape(3, 3)
    assert d.evaluate(X=X)[0] == pytest.approx(sum(np.diag(X) ** 2) + 6)


@pytest.mark.parametrize("power", ["10^(10^10)", "2^(2^(2^5))", "(1/3)^(10^9)"])
def test_an_exponent_that_is_too_large_is_refused(power: str) -> None:
    with pytest.raises(pb.ParseError, match="an exponent too large to work with"):
        pb.derive(f"E = {power} sum(x)")


def test_what_functions_give_to_evaluate() -> None:
    np = pytest.importorskip("numpy")
    d = pb.derive("z = W a + b; y = f(z); E = loss(y)")
    given = {"W": np.ones((2, 3)), "a": np.ones(3), "b": np.ones(2)}
    loss = (lambda y: y.sum(), lambda y: y * 0 + 1)
    for f, said in (
        ((lambda z: z[0], lambda z: z), r"gave the shape \(\), not \(2,\)"),
        ((lambda z: 1j * z, lambda z: z), "f, or a derivative that is given for it, gave complex numbers"),
        ((lambda z: None, lambda z: z), "gave NoneType, not real numbers"),
        (3, "what is given for f is no function: 3"),
        ((np.tanh, None), "what is given for f is no function"),
    ):
        with pytest.raises(pb.PullbackError, match=said):
            d.evaluate(**given, f=f, loss=loss)


def test_what_is_no_array_to_evaluate() -> None:
    np = pytest.importorskip("numpy")
    d = pb.derive("E = sum(exp(W a))")
    for a, said in (
        ([[1, 2], [3]], "a cannot be made an array: "),
        (None, "a has the type object"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), "a is a masked array"),
    ):
        with pytest.raises(pb.UnsupportedError, match=said):
            d.evaluate(W=np.ones((3, 2)), a=a)


def test_an_index_has_no_gradient() -> None:
    for text in ("z : n; y : scalar where index; E = cross_entropy(z, y)",
                 "h[0] : n; W : (n, n); y[t] : scalar where index; h[t] = tanh(W h[t-1]) for t = 1..T; E = sum_{t=1..T} cross_entropy(h[t], y[t])"):  # fmt: skip
        with pytest.raises(pb.ParseError, match="y is an index: there is no gradient"):
            pb.derive(text, wrt="y")


def test_what_python_is_given_by_mistake_is_named() -> None:
    d = pb.derive("z = W a; E = ‖z‖²")
    for ask, said in (
        (lambda: d.code(None), "no target None"), (lambda: d.code("numpy", form=3), "numpy has no form 3"),
        (lambda: d.code("numpy", name=3), "3 is no name of a function"), (lambda: d.code("numpy", sizes=[1]), r"\[1\] are no sizes"),
        (lambda: d.code("numpy", sizes={"m": "3"}), "the size m cannot be '3'"), (lambda: d.plan(sizes={"m": 2.5}), "the size m cannot be 2.5"),
        (lambda: d.code("numpy", recompute=[3]), "are no names of arrays"), (lambda: d.code("numpy", wrt=3), "3 is no name"),
        (lambda: d.code("jax", mesh=4), "a mesh is a text, not int"), (lambda: d.code("jax", mesh=""), "--mesh names no axis"),
        (lambda: d.plan(format=None), "a plan is not written as None"), (lambda: pb.derive("E = ‖x‖²", target=3), "3 is no name"),
        (lambda: pb.derive("z = W a; E = ‖z‖²", wrt="W,a"), "'W,a' is no name"),
    ):  # fmt: skip
        with pytest.raises(pb.PullbackError, match=said):
            ask()
