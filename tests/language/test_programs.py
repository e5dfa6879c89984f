"""Whole texts: sizes, kinds, targets, assumptions, index equations, the MATLAB-like dialect."""

import json
from pathlib import Path

import pytest

from pullback.algebra.dims import Dim
from pullback.algebra.expr import postorder
from pullback.algebra.ops import arithmetic, free, matrix, reduction, structure
from pullback.errors import ShapeError, UnsupportedError
from pullback.language.operators import function, functional, map_to, program_of, tensor
from pullback.language.program import Program, choose_target
from pullback.language.text import parse_program
from pullback.step import Note


def shapes(program: Program) -> dict[str, str]:
    return {v.attrs[0]: ", ".join(map(str, v.shape)) for v in program.inputs}


def var(program: Program, name: str):
    found = program.variable(name)
    assert found is not None
    return found


def test_the_layer_is_read_and_everything_assumed_is_said():
    p = parse_program("z = W a + b\ny = f(z)\nE = loss(y)")
    W, a, b, z, y = (var(p, n) for n in ("W", "a", "b", "z", "y"))
    assert shapes(p) == {"W": "m, n", "a": "n", "b": "m"}
    loss = free.free_function("loss", (), y)
    assert [e.rhs for e in p.equations] == [W @ a + b, free.free_map("f", z), loss]
    assert p.target == "E"
    assert p.assumptions == (
        "W : (m, n)  (matrix, because its name starts with a capital; sizes from `z = W a + b`)",
        "a : (n)  (vector, because its name starts with a small letter; sizes from `z = W a + b`)",
        "b : (m)  (vector, because its name starts with a small letter; sizes from `z = W a + b`)",
        "f acts entry by entry (a function that is not declared)",
        "loss is a scalar function of y (a function that is not declared)",
    )


def test_declarations_given_and_derive():
    p = parse_program(
        "# a layer\nW : (m, n) where param; a : n where const\nb : m\n\nz = W a + b  # pre-activation\n"
        "given grad z as g; derive grad W, b"
    )
    assert p.given == ("z", free.var("g", (Dim.symbol("m"),)))
    assert p.wrt == ("W", "b")
    assert p.constants == {"a"}
    assert p.equations[0].surface == "z = W a + b"
    span = p.equations[0].span
    assert span is not None and (span.line, span.column, span.length) == (5, 1, 11)
    assert p.assumptions == ()


def test_equations_are_put_in_order():
    p = parse_program("E = loss(y); y = f(z); z = W a")
    assert [e.name for e in p.equations] == ["z", "y", "E"]
    assert [v.attrs[0] for v in p.inputs] == ["W", "a"]


def test_the_folded_bias_needs_one_more_column():
    p = parse_program("z = W [a; 1]")
    assert shapes(p) == {"W": "m, n + 1", "a": "n"}
    assert p.equations[0].rhs.args[1].shape == (Dim.symbol("n") + Dim.number(1),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("E = ½ ‖W a − y‖² + λ ‖W‖²", {"W": "m, n", "a": "n", "y": "m", "λ": ""}),
        ("E = xᵀ A y", {"x": "m", "A": "m, n", "y": "n"}),
        ("m = x ⊙ y", {"x": "n", "y": "n"}),
        ("A : (n, p); B = A C", {"A": "n, p", "C": "p, m"}),
        ("E = lr * sum(x)", {"lr": "", "x": "m"}),
        ("z = I_k x", {"x": "k"}),
        ("E = 1_nᵀ x", {"x": "n"}),
    ],
)
def test_sizes_are_found(text, expected):
    assert shapes(parse_program(text)) == expected


def test_a_bias_is_added_to_every_column_only_where_it_fits():
    p = parse_program("W : (m, n); A : (n, B); b : m\nZ = W A + b")
    W, A, b = (var(p, n) for n in "WAb")
    assert p.equations[0].rhs is W @ A + matrix.outer(b, structure.ones((Dim.symbol("B"),)))
    assert p.equations[0].notes == (Note("b is added to every column of W A: b 1_Bᵀ", "V-BCAST"),)
    assert p.equations[0].notes[0].text in p.assumptions
    q = parse_program("W : (m, n); A : (n, B); b : B\nZ = W A - b")
    assert q.equations[0].rhs.args[1] is matrix.outer(structure.ones((Dim.symbol("m"),)), var(q, "b"))


def test_assumed_sizes_and_facts():
    p = parse_program("W : (m, n); a : k; y : m\nassume n = k\nassume sum(y) = 1\nassume a > 0\nE = yᵀ W a")
    assert shapes(p) == {"W": "m, n", "a": "n", "y": "m"}
    assert "n = k (line 2)" in p.assumptions
    assert "a > 0 (line 4)" in p.assumptions
    ((left, right, text),) = p.facts
    assert (left, text) == (reduction.total(var(p, "y")), "sum(y) = 1")
    assert not right.order


def test_declared_functions():
    p = parse_program("f : scalar function\ng : (n), (k) -> (m)\nx : n; u : k\ny = g(x, u)\nE = f(y)")
    assert [e.var.order for e in p.equations] == [1, 0]
    assert p.functions["f"] == "scalar function"
    p = parse_program("softmax : (n) -> (n); z : n; p = softmax(z)")
    assert p.equations[0].rhs.shape == (Dim.symbol("n"),)


def test_a_name_of_a_known_function_may_be_a_variable():
    p = parse_program("f = sigmoid(W x); step = f ⊙ f; E = sum(step)")
    assert [e.name for e in p.equations] == ["f", "step", "E"]


def test_a_bare_last_line_is_the_target():
    p = parse_program("r = W a - y\n‖r‖²")
    assert p.target == "E"
    assert "E names the last line, `‖r‖²`" in p.assumptions


def test_a_target_must_be_scalar():
    p = parse_program("z = W a + b")
    assert p.target == "z"
    with pytest.raises(ShapeError) as caught:
        choose_target(p)
    assert caught.value.code == "S010"
    assert "given grad z as g" in caught.value.hint and "E = sum(z)" in caught.value.hint
    assert choose_target(parse_program("z = W a; E = sum(z)")).name == "E"


def test_sum_along_an_axis_is_echoed():
    p = parse_program("X : (N, d)\ns = sum(X, axis=0)")
    assert p.assumptions == ("sum(X, axis=0) runs over axis 0 (size N), axes counted from 0",)


# ---- index equations


def test_the_scalar_block_of_the_question():
    p = parse_program("z_j = sum_i W_ij a_i\ny_j = f(z_j)\nE = sum_j (y_j - t_j)^2")
    W, a, z = (var(p, n) for n in "Waz")
    assert shapes(p) == {"W": "m, n", "a": "m", "t": "n"}
    first, second, third = p.equations
    assert first.rhs is structure.einsum("ij,i->j", W, a) is first.index_form
    assert second.rhs is free.free_map("f", z)
    assert third.rhs is structure.einsum("j->", (var(p, "y") - var(p, "t")) ** 2)
    assert parse_program("z = W a").equations[0].index_form is None


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("C_ij = sum_k A_ik B_kj", "ik,kj->ij"),
        ("C_{ij} = Σ_k A_{ik} B_{kj}", "ik,kj->ij"),
        ("C_i,j = ∑_k A_i,k B_k,j", "ik,kj->ij"),
        ("d_i = sum_j A_ij A_ij", "ij,ij->i"),
        ("B_ji = sum_k A_ij c_k", "ij,k->ji"),
        ("E = sum_ij A_ij x_i y_j", "ij,i,j->"),
        ("E = sum_i x_i sum_j A_ij y_j", "i,ij,j->"),
    ],
)
def test_an_index_sum_is_one_einsum(text, spec):
    assert parse_program(text).equations[0].rhs.attrs == (spec,)


def test_a_sum_of_terms_is_a_sum_of_einsums():
    rhs = parse_program("d_i = A_ii + b_i").equations[0].rhs
    assert rhs.op is arithmetic.add
    assert rhs.args[0].attrs == ("ii->i",)


def test_one_letter_may_be_summed_twice_over_different_ranges():
    p = parse_program("a : m; b : n\nE = sum_i a_i + sum_i b_i")
    sums = (structure.einsum("i->", var(p, "a")), structure.einsum("i->", var(p, "b")))
    assert p.equations[0].rhs.args == sums


def test_a_missing_index_is_filled_and_said():
    p = parse_program("Z_be = sum_i W_bi A_ie + b_b")
    assert p.equations[0].rhs.args[1] is matrix.outer(var(p, "b"), structure.ones((Dim.symbol("p"),)))
    assert "b_b does not depend on e" in p.equations[0].notes[0].text


def test_names_with_an_underline_stay_names():
    p = parse_program("h_new = tanh(U h_old + V x_1)")
    assert set(shapes(p)) == {"U", "h_old", "V", "x_1"}


# ---- the MATLAB-like dialect


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5*x'*A*x", {"x": "m", "A": "m, m"}),
        ("norm2(A*x-y)^2", {"A": "m, n", "x": "n", "y": "m"}),
        ("tr(A*X'*B)", {"A": "m, n", "X": "p, n", "B": "p, m"}),
        ("sum(log(exp(A*x)+vector(1)))", {"A": "m, n", "x": "n"}),
        ("tr(A*(B+eye))", {"A": "m, n", "B": "n, m"}),
    ],
)
def test_the_dialect_is_recognised(text, expected):
    p = parse_program(text)
    assert p.dialect == "matlab"
    assert p.assumptions[0].startswith("read as the MATLAB-like notation of matrixcalculus.org")
    found = shapes(p)
    assert found.keys() == expected.keys()
    if "eye" not in text:
        assert found == expected


def test_the_dialect_can_be_chosen():
    assert parse_program("dialect: matlab\nE = x'*y").dialect == "matlab"
    assert parse_program("E = x'*y", dialect="matlab").equations[0].rhs.shape == ()
    with pytest.raises(ShapeError):
        parse_program("E = x'*y", dialect="matrix")


def test_the_dialect_multiplies_and_divides_from_left_to_right():
    p = parse_program("x : n; y : n; A : (n, n); s : scalar\nE = x'*A*y/s", dialect="matlab")
    x, y, A, s = (var(p, n) for n in "xyAs")
    assert p.equations[0].rhs.args == (matrix.dot(x, A @ y), s)


CORPORA = sorted(Path("/work/shared/corpora").glob("*.jsonl"))


@pytest.mark.skipif(not CORPORA, reason="the corpora are not part of the repository")
def test_the_corpora_are_read_or_refused_for_a_function():
    read = 0
    for line in (line for path in CORPORA for line in path.read_text(encoding="utf-8").splitlines()):
        problem = json.loads(line)
        named = {n: v["shape"] for n, v in problem["vars"].items()}
        declared = "; ".join(f"{n} : ({', '.join(map(str, d))})" for n, d in named.items())
        tied = "".join(f"\nassume {k} = {n}" for k, n in problem["sizes"].items())
        try:
            p = parse_program(declared + "\n" + problem["expr"], dialect="matlab")
        except UnsupportedError:
            continue
        except ShapeError:  # it holds at its own sizes only (README of the corpora)
            p = parse_program(declared + tied + "\n" + problem["expr"], dialect="matlab")
        read += 1
        assert {v.attrs[0] for v in p.inputs} <= set(named)
    assert read > 250


# ---- Python operators


def test_operators_make_the_same_program():
    W, a, b = tensor("W", "m", "n"), tensor("a", "n"), tensor("b", "m")
    f, loss = function("f"), functional("loss")
    z = W @ a + b
    p = program_of({"z": z, "y": f(z), "E": loss(f(z))}, given=("y", "g"), wrt=["W"], constants=[a])
    q = parse_program("W : (m, n); a : n; b : m; z = W a + b; y = f(z); E = loss(y)")
    assert [(e.name, e.rhs) for e in p.equations] == [(e.name, e.rhs) for e in q.equations]
    assert p.inputs == q.inputs and p.target == "E" and p.wrt == ("W",) and p.constants == {"a"}
    assert p.given == ("y", tensor("g", "m"))
    assert program_of(loss(z)).equations[0].name == "E"
    assert map_to("g", "k", 2)(a).shape == (Dim.symbol("k"), Dim.number(2))


def test_a_long_python_program_stays_linear():
    h = tensor("x", "n")
    named = {}
    for k in range(3000):
        h = function("f")(h)
        named[f"h{k}"] = h
    p = program_of(named)
    assert all(sum(1 for _ in postorder(e.rhs)) == 2 for e in p.equations)


def test_a_large_network_is_read():
    lines = [f"z{k} = W{k} a{k - 1} + b{k}\na{k} = f(z{k})" for k in range(1, 501)]
    p = parse_program("\n".join(lines) + "\nE = loss(a500)")
    assert len(p.equations) == 1001
    assert len({d for v in p.inputs for d in v.shape}) == 501
