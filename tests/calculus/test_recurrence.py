"""Equations with an index: what is derived, for which values, and the induction; every result also written out."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

import pullback as pb
from pullback.show.notation import text

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

DEEP = """h[l,0] : n[l]; h[0,t] : n[0] where data; W[l] : (n[l], n[l]); U[l] : (n[l], n[l-1])
h[l,t] = tanh(W[l] h[l,t-1] + U[l] h[l-1,t])   for l = 1..D, t = 1..T
E = sum_{t=1..T} loss(h[D,t])"""
LSTM = """h[0] : n; c[0] : n; x[t] : p where data; Wf, Wi, Wo, Wc : (n, n); Uf, Ui, Uo, Uc : (n, p)
f[t] = sigmoid(Wf h[t-1] + Uf x[t]) for t = 1..T
i[t] = sigmoid(Wi h[t-1] + Ui x[t]) for t = 1..T
o[t] = sigmoid(Wo h[t-1] + Uo x[t]) for t = 1..T
g[t] = tanh(Wc h[t-1] + Uc x[t]) for t = 1..T
c[t] = f[t] ⊙ c[t-1] + i[t] ⊙ g[t] for t = 1..T
h[t] = o[t] ⊙ tanh(c[t]) for t = 1..T
E = loss(h[T])"""
BOTH_WAYS = """p[0] : n; q[T+1] : n; x[t] : m where data; W, V : (n, n); U, R : (n, m); C, D : (k, n)
p[t] = tanh(W p[t-1] + U x[t]) for t = 1..T
q[t] = tanh(V q[t+1] + R x[t]) for t = 1..T
y[t] = C p[t] + D q[t] for t = 1..T
E = (1/T) sum_{t=1..T} loss[t](y[t])"""


def rows(d: pb.Derived, recurrence: bool = False) -> list[str]:
    """`∇a[k] = W[k]ᵀ ∇z[k+1]  (k = 1..L−1)` for every backward equation of the user's names."""
    found = d.derivation.recurrences if recurrence else [b for b in d.derivation.backward if not b.auxiliary]
    return [f"∇{text(b.of)} = {text(b.closed)}" + "".join(f"  ({r})" for r in b.ranges) for b in found]


def example(name: str) -> pb.Derived:
    return pb.derive((EXAMPLES / f"{name}.eqn").read_text(encoding="utf-8"))


def test_the_question_for_every_layer() -> None:
    d = example("feedforward")
    assert rows(d) == [
        "∇z[k+1] = ∇a[k+1] ⊙ f′(z[k+1])  (k = 1..L−1)",
        "∇W[k] = ∇z[k+1] a[k]ᵀ  (k = 1..L−1)",
        "∇a[L] = ∇loss(a[L])",
        "∇a[k] = W[k]ᵀ ∇z[k+1]  (k = 1..L−1)",
        "∇b[k] = ∇z[k+1]  (k = 1..L−1)",
    ]
    assert rows(d, recurrence=True) == [
        "∇z[L] = ∇loss(a[L]) ⊙ f′(z[L])",
        "∇z[k] = (W[k]ᵀ ∇z[k+1]) ⊙ f′(z[k])  (k = 2..L−1)",
    ]
    assert d.derivation.least == {"L": 1}


def test_the_induction_is_printed_as_a_proof() -> None:
    steps = {s.relation: s for s in example("feedforward").steps if s.kind == "induction"}
    assert list(steps) == ["P", "base", "step", "end"]
    assert text(steps["P"].right) == ("⟨∇a[k], da[k]⟩ + Σ_{j=k..L-1} ⟨∇W[j], dW[j]⟩ + Σ_{j=k..L-1} ⟨∇b[j], db[j]⟩")
    assert text(steps["base"].right) == "⟨∇a[L], da[L]⟩"
    assert text(steps["step"].left) == "⟨∇a[k+1], da[k+1]⟩"
    assert "⟨W[k]ᵀ ∇z[k+1], da[k]⟩" in text(steps["step"].right)
    assert all(e.level == "RECUR" for s in steps.values() for e in s.evidence)
    assert all(s.evidence for s in steps.values())


def test_back_through_time() -> None:
    d = example("rnn")
    assert rows(d) == [
        "∇s[t] = ∇h[t] ⊙ (1 − h[t]^∘2)  (t = 1..T)",
        "∇W = Σ_{t=1..T} ∇s[t] h[t-1]ᵀ",
        "∇h[T] = ∇loss(h[T])",
        "∇h[t] = ∇loss(h[t]) + Wᵀ ∇s[t+1]  (t = 1..T−1)",
        "∇h[0] = Wᵀ ∇s[1]",
        "∇U = Σ_{t=1..T} ∇s[t] x[t]ᵀ",
        "∇b = Σ_{t=1..T} ∇s[t]",
    ]


def test_skips_split_the_range() -> None:
    """A member is cut into ranges in which the same uses hold: only the last ones lack the long skip."""
    assert rows(example("residual"))[3:7] == [
        "∇a[L+1] = ∇loss(a[L+1])",
        "∇a[L] = W[L+1]ᵀ ∇z[L+1]",
        "∇a[k] = S[k+2]ᵀ ∇a[k+2] + W[k+1]ᵀ ∇z[k+1]  (k = 1..L−1)",
        "∇a[0] = S[2]ᵀ ∇a[2]",
    ]


def test_two_ranges_meet_in_one_member() -> None:
    found = rows(example("encoder_decoder"))
    assert "∇h[T] = Cᵀ ∇g[0]" in found and "∇C = ∇g[0] h[T]ᵀ" in found


@pytest.mark.parametrize("name", ["feedforward", "rnn", "residual", "encoder_decoder"])
def test_written_out_at_one_two_and_three(name: str) -> None:
    evidence = example(name).evidence[0]
    assert evidence.level == "RECUR"
    ends = evidence.data["ends"]
    assert {n for e in ends for n in e.values()} == {1, 2, 3}


@pytest.mark.parametrize("source", [DEEP, LSTM, BOTH_WAYS], ids=["deep", "lstm", "both ways"])
@pytest.mark.parametrize("style", ["pairing", "index"])
def test_larger_networks_in_every_format(source: str, style: str) -> None:
    d = pb.derive(source)
    for level in (1, 2, 3, 4):
        assert "RESULT" in d.text(style=style, level=level)
    assert d.text(style=style, ascii=True).isascii()
    assert r"\end{document}" in d.latex(style=style, level=3)
    assert "## RESULT" in d.markdown(style=style)


def test_two_indices() -> None:
    found = rows(pb.derive(DEEP))
    assert any(r.endswith("(l = 1..D−1)  (t = 1..T−1)") and r.startswith("∇h[l,t] = W[l]ᵀ") for r in found)
    assert any(r.startswith("∇h[D,T] = ∇loss(h[D,T])") for r in found)
    assert any(r.startswith("∇W[l] = Σ_{t=1..T}") and r.endswith("(l = 1..D)") for r in found)


def test_an_index_without_a_range_is_one_layer() -> None:
    """The question's scalar block for one k: an ordinary program whose names hold k."""
    d = pb.derive("""W[k] : (n[k], n[k+1]); a[k] : n[k]
z[k+1]_j = sum_i W[k]_ij a[k]_i
a[k+1]_j = f(z[k+1]_j)
given grad a[k+1] as g""")
    assert [repr(d[x]) for x in ("z[k+1]", "a[k]", "W[k]")] == [
        "∇z[k+1] = g ⊙ f′(z[k+1])", "∇a[k] = W[k] ∇z[k+1]", "∇W[k] = a[k] ∇z[k+1]ᵀ"]  # fmt: skip


def test_superscripts_are_indices() -> None:
    one = pb.derive("W[k] : (n, n); a[1] : n; a[k+1] = f(W[k] a[k]) for k = 1..L-1; E = loss(a[L])")
    other = pb.derive("W^(k) : (n, n); a^(1) : n; a^(k+1) = f(W^(k) a^(k)) for k = 1..L-1; E = loss(a^(L))")
    assert rows(one) == rows(other)


def test_a_given_gradient_at_the_end() -> None:
    d = pb.derive("W[k] : (n[k+1], n[k]); a[1] : n[1]; a[k+1] = f(W[k] a[k]) for k = 1..L-1; given grad a[L] as g")
    assert rows(d)[1] == "∇a[L] = g"


def test_what_is_not_used_has_gradient_zero() -> None:
    d = pb.derive("x[0] : n; W : (n, n); x[t] = W x[t-1] for t = 1..T; y[t] = f(x[t]) for t = 1..T; E = loss(y[T])")
    assert "∇y[t] = 0  (t = 1..T−1)" in rows(d)


def test_a_declared_member_that_reaches_nothing_has_gradient_zero() -> None:
    d = pb.derive("h[0] : n; s[t] : n; u[t] = f(h[t-1]) for t = 1..T; h[t] = tanh(s[t]) for t = 1..T; E = loss(h[T])")
    assert "∇h[t] = 0  (t = 0..T−1)" in rows(d)


def test_a_member_of_an_undeclared_family_has_its_own_size() -> None:
    d = pb.derive(
        "W[k] : (n[k], n[k-1]); a[0] : n[0]; a[k] = f(W[k] a[k-1] + b[k]) for k = 1..L; E = loss(a[L]) + ‖b[L]‖²"
    )
    [last] = [v for v in d.program.inputs if v.attrs[0] == "b[L]"]
    assert str(last.shape[0]) == "n[L]"


def test_an_input_that_reaches_nothing_has_gradient_zero() -> None:
    d = pb.derive("a[0] : n[0]; W[k] : (n[k], n[k-1]); a[k] = f(W[k] a[k-1] + b[k]) for k = 1..L; E = loss(b[L])")
    assert "∇b[k] = 0  (k = 1..L−1)" in rows(d)


def test_the_ends_may_be_numbers() -> None:
    d = pb.derive("h[0] : n; h[t] = tanh(W h[t-1]) for t = 1..5; E = loss(h[5])")
    assert rows(d)[1] == "∇h[5] = ∇loss(h[5])"


REFUSED = [
    ("h[t] = tanh(W h[t-1]) for t = 1..T; E = loss(h[T])", "P044", "h[0]"),
    ("h[0] : n; h[t] = tanh(W h[t-1]) for t = 1..T; E = loss(h[T+1])", "P044", "h[T+1]"),
    ("h[0] : n; W : (n, n); s[t] = W h[t-1] for t = 1..T; m[t] = tanh(s[t]) for t = 1..T; E = loss(m[T])", "P044", "h[1]"),
    ("x[1] : n; W[k] : (n, n); z[k] = W[k] x[k] for k = 1..L; E = loss(z[L])", "P044", "x[2]"),
    ("h[0] : n; h[t] = tanh(W h[2*t]) for t = 1..T; E = loss(h[T])", "U030", "2*t"),
    ("h[0] : n; h[t] = tanh(W h[T-t]) for t = 1..T; E = loss(h[T])", "U030", "T - t"),
    ("h[0] : n; h[t] = tanh(W h[s]) for t = 1..T; E = loss(h[T])", "P043", "s"),
    ("h[0] : n; h[t] = tanh(W h[t-1]) for t = 1..T; h[1] = x; E = loss(h[T])", "P004", "h[1]"),
    ("h[0] : n; h[t] = tanh(W h[t-1]) for t = 1..T; E = loss(h)", "P042", "h"),
    ("h[0] : n; h[t] = tanh(W h[t-1,t]) for t = 1..T; E = loss(h[T])", "P042", "h[t-1,t]"),
    ("h[0] : n; h[t] = tanh(W h[t-1]) for t = 3..2; E = loss(h[T])", "P041", "3..2"),
    ("h[0] : n; h[t] = tanh(W h[t-1]) for t = T..1; E = loss(h[T])", "P041", "T..1"),
    ("h[0] : n; h[t] = tanh(W h[t-1]) for t = 1..t; E = loss(h[T])", "P040", "t"),
    ("W[k^2] : (n, n); h[t] = tanh(W[t] x) for t = 1..T; E = loss(h[T])", "P040", "W[k^2]"),
    ("h[0] : n; h[t] = tanh(W h[t-1]) for t in 1..T; E = loss(h[T])", "P002", "range of an index"),
    ("h[0] : n; h[t] = tanh(W h[t-1]) for t = 1..T, t = 1..S; E = loss(h[T])", "P006", "t"),
    ("z = W a for k = 1..L; E = loss(z)", "P043", "k"),
    ("h[T+1] : n; g[0] : n; h[t] = f(g[t-1]) for t = 1..T; g[t] = h[t+1] + g[t-1] for t = 1..T; E = loss(h[T])", "P005",
     "h[t], g[t]"),
    ("h[t] = f(g[t]) for t = 1..T; g[t] = f(h[t]) for t = 1..T; E = loss(h[T])", "P005", "h[t]"),
    ("h[0] : n; h[t] = tanh(W h[t-1] + h[T]) for t = 1..T; E = loss(h[T])", "U031", "h[T]"),
    ("x[0] : n; x[t] = f(x[t-1]) for t = 1..T; E = sum_{t=1..S} loss(x[t])", "U032", "compared"),
    ("W[k] : (n[k+1], n[k]); a[1] : n[1]; a[k+1] = W[k]ᵀ a[k] for k = 1..L-1; E = loss(a[L])", "S007", "n[k+1]"),
    ("W[k] : (n, n); W[1] : (m, n); a[k+1] = W[k] a[k] for k = 1..L; E = loss(a[L])", "S007", "W[1]"),
    ("h[0] : n; h[t] = f(h[t-1]) for t = 1..T", "S010", "h[t]"),
    ("h[0] : n; h[t] = f(h[t-1]) for t = 1..T; E = loss(h[T]); assume sum(x) = 1", "U033", "index"),
    ("x : n; E = sum_{t=1..1000} loss(t x)", "U037", "1000 values"),
    ("h[0] : n; h[t] = f(h[t-1]) for t = 1..100000; E = loss(h[100000])", "U037", "100000 values"),
    ("h[0] : n; h[t] = f(h[t-1]) for t = 1..T; E = loss(h[100000])", "U037", "T ≥ 10000"),
    ("a[0] : n[0]; W[k] : (n[k], n[k-1]); a[k] = v[3000] (W[k] a[k-1]) for k = 1..L; E = loss(a[L])", "U038", "3000"),
    ("x[t] : n; E = sum_{t=1..T} loss(x[t] - sum_{t=1..S} x[t])", "P006", "two ranges in this equation"),
    ("E = sum_{t=1..T} t", "P010", "nothing to differentiate"),
    ("A[t,u] : (n, n); x[t] : n where data; E = sum_{t=1..T} loss(A[t,t-1] x[t])", "U030", "twice in the index of A[t,t-1]"),
    ("A[t,u] : (n, n); x[t] : n; E = sum_{t=1..T} loss(A[t,t] x[t] + A[t,t] x[t])", "U030", "twice in the index of A[t,t]"),
    ("h[0] : n; s = sum_{t=1..T} h[t]; h[t] = tanh(s + h[t-1]) for t = 1..T; E = loss(h[T])", "P005", "s → h[t] → s"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "code", "says"), REFUSED, ids=[f"{c} {s[:40]}" for s, c, _ in REFUSED])
def test_a_refusal_says_where_and_why(source: str, code: str, says: str) -> None:
    with pytest.raises(pb.PullbackError) as refused:
        pb.derive(source)
    error = refused.value
    assert error.code == code, error.render()
    assert says in error.message
    assert error.exit_code in (2, 3, 4)
    assert error.expected or error.hint
    assert error.span is not None or code in ("U033", "U038", "P010"), error.render()


SUMS = {  # the letter of a sum as a number, sums in functions, numbers in front of members
    "x : n; E = sum_{t=1..T} ‖t x‖²": ["∇x = 2 (Σ_{t=1..T} t t x)"],
    "x : n; E = sum_{t=1..T} loss(x/t)": ["∇x = Σ_{t=1..T} ∇loss(x / t) / t"],
    "x[t] : n; E = loss(sum_{t=1..T} x[t])": ["∇x[t] = ∇loss(Σ_{t=1..T} x[t])  (t = 1..T)"],
    "x[t] : n; y[t] = x[t] - sum_{s=1..T} x[s] for t = 1..T; E = ½ sum_{t=1..T} ‖y[t]‖²": [
        "∇y[t] = y[t]  (t = 1..T)", "∇x[t] = ∇y[t] − Σ_{t2=1..T} ∇y[t2]  (t = 1..T)"],
    "x : n; E = ‖x‖² sum_{t=1..T} t": ["∇x = 2 (Σ_{t=1..T} t) x"],
    "x[t] : n; E = sum_{t=1..T} loss(½x[t])": ["∇x[t] = ½ ∇loss(½ x[t])  (t = 1..T)"],
    "x[t] : n; E = sum_{t=1..T} loss(2x[t])": ["∇x[t] = 2 ∇loss(2 x[t])  (t = 1..T)"],
}  # fmt: skip


@pytest.mark.parametrize(("source", "wanted"), SUMS.items(), ids=SUMS)
def test_sums_over_an_index(source: str, wanted: list[str]) -> None:
    assert rows(pb.derive(source)) == wanted


INNER = {  # sums over another index than the recurrence's, letters that meet, members with unlike numbers of indices
    "h[0] : n; V[q] : (n, p); x[q] : p; h[t] = tanh(W h[t-1] + sum_{q=1..J} V[q] x[q]) for t = 1..T; E = loss(h[T])": [
        "∇W = Σ_{t=1..T} (∇h[t] ⊙ (1 − h[t]^∘2)) h[t-1]ᵀ"],
    "h[0] : j; W : (j, j); h[t] = tanh(W h[t-1]) for t = 1..T; E = loss(h[T])": ["∇h[T] = ∇loss(h[T])"],
    "W[k] : n; A[k] : (n, p); x[t] : p; y[k] = W[k] ⊙ sum_{t=1..T} (A[k] x[t]) for k = 1..K; r[t] = W[t] ⊙ b for t = 1..K; "
    "E = sum_{k=1..K} loss(y[k]) + sum_{s=1..K} loss(r[s])": ["∇W[t] = ∇r[t] ⊙ b + ∇y[t] ⊙ (Σ_{t2=1..T} A[t] x[t2])  (t = 1..K)"],
    "W[k] : (n, n); x[t,s] : n; y : n; s[t,t2,k] = W[k] x[t,t2] for t = 1..T, t2 = 1..S, k = 1..K; r[t] = W[t] y for t = 1..K; "
    "E = sum_{k=1..K} sum_{t=1..T} sum_{t2=1..S} loss(s[t,t2,k]) + sum_{l=1..K} loss(r[l])": [
        "∇W[t] = ∇r[t] yᵀ + Σ_{t3=1..T} (Σ_{t2=1..S} ∇s[t3,t2,t] x[t3,t2]ᵀ)  (t = 1..K)",
        "∇x[t,t2] = Σ_{k=1..K} W[k]ᵀ ∇s[t,t2,k]  (t = 1..T)  (t2 = 1..S)"],
    "h[0] : n; A[j] : (n, n); h[t] = tanh(sum_{j=1..J} A[j] h[t-1]) for t = 1..T; E = loss(h[T])": [
        "∇h[t] = Σ_{j=1..J} A[j]ᵀ (∇h[t+1] ⊙ (1 − h[t+1]^∘2))  (t = 0..T−1)"],
    "h[0] : n; B[j] : (n, n); a[j,t] = relu(B[j] h[t-1]) for t = 1..T, j = 1..J; h[t] = tanh(sum_{j=1..J} a[j,t]) for t = 1..T; "
    "E = loss(h[T])": ["∇a[j,t] = ∇h[t] ⊙ (1 − h[t]^∘2)  (t = 1..T)  (j = 1..J)"],
}  # fmt: skip


@pytest.mark.parametrize(("source", "wanted"), INNER.items(), ids=INNER)
def test_sums_inside_a_recurrence_and_letters_that_meet(source: str, wanted: list[str]) -> None:
    d = pb.derive(source)
    assert set(wanted) <= set(rows(d))
    page = d.text("index")  # the chain rule on single numbers knows the sums too
    assert "I-PARTIAL" in page and d.to_json()


def test_the_sum_of_members_has_the_same_partial_derivative_for_each() -> None:
    page = pb.derive("x[q] : n; W : (m, n); y = sum_{q=1..J} W x[q]; E = loss(y)").text("index", level=3)
    assert re.search(r"∂y_k/∂u₁\[q\]_i\n       = \{[^}]*\}\n +δ_ki\n", page)
    assert "contribution to ∇W_ij" in page and "Σ_{q=1..J} ∇u₁[q] x[q]ᵀ" in page


def test_a_factor_beside_an_undeclared_name_and_one_far_out() -> None:
    start = "a[0] : n[0]; W[k] : (n[k], n[k-1]); b[k] : n[k]; "
    for body in ("a[k] = f(W[k] a[k-1] + c b[k])", "a[k] = v[25] (W[k] a[k-1])"):
        assert pb.derive(f"{start}{body} for k = 1..L; E = loss(a[L])").derivation.backward


def test_what_reaches_nothing_has_gradient_zero_and_the_target_one() -> None:
    two = "x : n; y : n; z[t] = f(x) for t = 1..T; h[t] = g(y) for t = 1..T; E = loss(z[T])"
    assert rows(pb.derive(two))[-1] == "∇y = 0"
    assert rows(pb.derive(two, wrt=["h", "E"])) == ["∇E = 1", "∇h[t] = 0  (t = 1..T)"]
    with pytest.raises(pb.PullbackError, match="no equation uses it"):
        pb.derive("x : n; y[t] : n; z[t] = f(x) for t = 1..T; E = loss(z[T])", wrt=["y"])


@pytest.mark.parametrize(("end", "proof"), [
    ("E = loss(p[T])", ["order"]),
    ("E = loss(p[T]) + loss(q[T])", ["order"]),
    ("E = sum_{t=2..T-1} loss(p[t+1])", ["order"]),
    ("y[t] = f(p[T]) for t = 1..T; E = sum_{t=1..T} ‖y[t]‖²", ["order"]),
    ("E = sum_{t=1..T} loss(p[t])", ["P", "base", "step", "end"]),
    ("r[0] : n; r[t] = f(W r[t-1] + p[t]) for t = 1..T; E = loss(r[T])", 2 * ["P", "base", "step", "end"]),
])  # fmt: skip
def test_a_member_that_its_own_step_uses_may_reach_the_target_otherwise_too(end: str, proof: list[str]) -> None:
    """q[t] uses p[t]: when p[t] is eliminated, what others gave to it is no pairing of its own in the invariant."""
    d = pb.derive("p[0] : n; q[0] : n; p[t] = tanh(W p[t-1] + V q[t-1]) for t = 1..T\n"
                  "q[t] = tanh(W q[t-1] + p[t]) for t = 1..T\n" + end)  # fmt: skip
    assert [s.relation for s in d.steps if s.kind == "induction"] == proof


def test_conditions_say_for_which_values_they_hold() -> None:
    assert "f is differentiable at every entry of z[k+1], k = 1..L−1" in example("feedforward").text()


@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 240), marks=pytest.mark.slow)])
def test_random_recurrences_are_right_or_refused(seeds: range) -> None:
    """Families, distances, shared and indexed parameters, outputs, skips drawn at random; the written-out program judges."""
    outcomes: dict[str, int] = {}
    for seed in seeds:
        source = recurrence(random.Random(seed))
        try:
            d = pb.derive(source)
            outcome = "right"
            assert d.evidence[0].level == "RECUR"
        except pb.PullbackError as why:
            assert why.exit_code != 1, f"seed {seed}\n{source}\n{why.render()}"
            outcome = why.code
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert outcomes.get("right", 0) >= 0.9 * sum(outcomes.values()), outcomes


def recurrence(rng: random.Random) -> str:
    """A program of one to three carried families with distances 1 to 3, inner sums over another index, and a loss at the end or always."""
    names = ["p", "q", "r"][: rng.randrange(1, 4)]
    lags = {v: rng.choice([1, 1, 1, 2, 3]) for v in names}
    reach = max(lags.values())
    lines = [f"{v}[{-k}] : n" for v in names for k in range(reach)]
    lines += ["W, V : (n, n); b : n; A[t] : (n, n); x[t] : n where data; s : scalar; B[q] : (n, m); u[q] : m; c[q] : n"]
    body = []
    for i, v in enumerate(names):
        terms = [f"W {v}[t-{lags[v]}]"]
        pool = [f"A[t] {v}[t-1]", "b", f"s {v}[t-{lags[v]}]", "V x[t]", "sum_{q=1..J} B[q] u[q]", "sum_{q=1..J} c[q]",
                f"sum_{{q=1..J}} c[q] ⊙ {v}[t-1]", f"x[t] ⊙ {v}[t-1]", *(f"{u}[t]" for u in names[:i]),
                *(f"V {u}[t-{lags[u]}]" for u in names)]  # fmt: skip
        terms += rng.sample(pool, rng.randrange(0, 4))
        inside = " + ".join(terms)
        body.append(f"{v}[t] = {rng.choice(['tanh', 'f', 'f[t]', 'sigmoid'])}({inside}) for t = 1..T")
    if rng.random() < 0.5:
        letter = rng.choice("ti")  # another one than in the recurrence, in families that both use
        body.append(f"y[{letter}] = {rng.choice(['V', f'A[{letter}]'])} {names[-1]}[{letter}] for {letter} = 1..T")
        body.append(
            rng.choice(["E = sum_{t=1..T} loss(y[t])", "E = loss(y[T])", "E = (1/T) sum_{t=1..T} ½ ‖y[t] − x[t]‖²"])
        )
    else:
        last = rng.choice(names)  # also one that others of the same step use
        body.append(
            rng.choice(
                [
                    f"E = loss({last}[T])",
                    f"E = loss({last}[T]) + sum_{{t=1..T}} loss({names[0]}[t])",
                    f"E = loss({last}[T-1]) + ½ ‖{names[-1]}[T]‖²",
                    f"E = sum_{{t=1..T}} loss({last}[t], {last}[t-1]) + s²",
                    f"given grad {last}[T] as g",
                ]
            )
        )
    size = rng.choice(["n", "n", "j", "k"])  # the letters that sums of ours are written with are names like any other
    return re.sub(r"\bn\b", size, "\n".join([*lines, *body]))
