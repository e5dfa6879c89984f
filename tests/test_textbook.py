"""The gradients that every textbook has, in the form in which it prints them (theory.md §10.D–F, §15).

Every derivation is confirmed against its program as it is made (FINAL); here the printed forms are compared, and the
formulas that people get wrong are put in the place of the right ones: each has the right shape, and each is refused.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

import pullback as pb
from pullback.algebra.expr import Expr
from pullback.algebra.op import REGISTRY
from pullback.algebra.ops.arithmetic import size_of
from pullback.algebra.ops.free import free_map, gradient
from pullback.algebra.ops.matrix import outer
from pullback.algebra.ops.structure import ones
from pullback.proof.final import survives

_LAYER = "W : (m, n); a : n; b : m; z = W a + b; y = f(z); E = loss(y)"
_NORM = "mu = mean(X, axis={k}); C = X − {spread}; v = mean(C ⊙ C, axis={k}); r = (v + 0.001)^∘(−1/2); "

# The program, and the gradients as they are printed.
CASES: dict[str, tuple[str, dict[str, str]]] = {
    # §10.A-C, G
    "layer, column": (_LAYER, {"W": "∇z aᵀ", "b": "∇z", "a": "Wᵀ ∇z", "z": "∇y ⊙ f′(z)"}),
    "ridge": (
        "W : (m, n); A : (n, B); b : m; Y : (m, B); lam : (); Z = W A + b 1_Bᵀ; E = ½ ‖Z − Y‖²/B + ½ lam ‖W‖²",
        {"Z": "(Z − Y) / B", "W": "lam W + ∇Z Aᵀ", "A": "Wᵀ ∇Z", "b": "∇Z 1_B", "Y": "(Y − Z) / B", "lam": "½ ‖W‖²"},
    ),
    # §10.D
    "softmax": ("z : n; p = softmax(z); E = loss(p)", {"z": "∇p ⊙ p − (∇pᵀ p) p"}),
    "softmax from primitives": (
        "z : n; e = exp(z); s = sum(e); p = e / s; E = loss(p)",
        {"z": "∇p ⊙ p − (∇pᵀ p) p"},
    ),
    "logsumexp": ("z : n; E = logsumexp(z)", {"z": "softmax(z)"}),
    "cross-entropy": (
        "z : n; y : n; p = softmax(z); E = −yᵀ log(p)",
        {"p": "−y ⊘ p", "z": "sum(y) p − y", "y": "−log(p)"},
    ),
    "cross-entropy from primitives": (
        "z : n; y : n; e = exp(z); s = 1ᵀ e; p = e / s; E = −yᵀ log(p)",
        {"z": "sum(y) p − y", "y": "−log(p)"},
    ),
    "cross-entropy, y sums to 1": ("z : n; y : n; assume sum(y) = 1; p = softmax(z); E = −yᵀ log(p)", {"z": "p − y"}),
    "cross-entropy, y declared": (
        "z : n; y : n; assume sums_to_one(y); p = softmax(z); E = −yᵀ log(p)",
        {"z": "p − y"},
    ),
    "cross-entropy, a batch": (
        "Z : (B, n); Y : (B, n); P = softmax(Z); E = −sum(Y ⊙ log(P)) / B",
        {"Z": "(diag(Y 1_n) P − Y) / B", "Y": "−log(P) / B"},
    ),
    "cross-entropy, a batch of distributions": (
        "Z : (B, n); Y : (B, n); assume sums_to_one(Y); P = softmax(Z); E = −sum(Y ⊙ log(P)) / B",
        {"Z": "(P − Y) / B"},
    ),
    "logistic regression": (
        "X : (N, n); w : n; y : N; p = sigmoid(X w); E = −sum(y ⊙ log(p) + (1 − y) ⊙ log(1 − p))",
        {"w": "Xᵀ (p − y)"},
    ),
    # §10.E
    "layer norm": (
        "x : n; g : n; b : n; mu = mean(x); c = x − mu; v = mean(c ⊙ c); r = (v + 0.001)^(−1/2); h = r c; y = g ⊙ h + b;"
        " E = loss(y)",
        {"h": "∇y ⊙ g", "x": "r (∇h − ((hᵀ ∇h) / n) h − mean(∇h))", "g": "∇y ⊙ h", "b": "∇y"},
    ),
    "layer norm of rows": (
        "X : (B, n); g : n; b : n; " + _NORM.format(k=1, spread="mu 1_nᵀ")
        + "H = diag(r) C; Y = H diag(g) + 1_B bᵀ; E = loss(Y)",
        {"X": "diag(r) (∇H − (diag((H ⊙ ∇H) 1_n) H) / n − (∇H 1_n 1_nᵀ) / n)", "g": "(H ⊙ ∇Y)ᵀ 1_B", "b": "∇Yᵀ 1_B"},
    ),
    "batch norm": (
        "X : (B, n); " + _NORM.format(k=0, spread="1_B muᵀ") + "H = C diag(r); E = loss(H)",
        {"X": "(∇H − (H diag((∇H ⊙ H)ᵀ 1_B)) / B − (1_B (∇Hᵀ 1_B)ᵀ) / B) diag(r)"},
    ),
    "RMS norm": (
        "x : n; g : n; r = (mean(x ⊙ x) + 0.001)^(−1/2); h = r x; y = g ⊙ h; E = loss(y)",
        {"x": "r (∇h − ((∇yᵀ y) / n) h)", "g": "∇y ⊙ h"},
    ),
    # §10.F
    "attention": (
        "Q : (t, d); K : (s, d); V : (s, e); c : (); S = c Q Kᵀ; A = softmax(S); O = A V; E = loss(O)",
        {"V": "Aᵀ ∇O", "A": "∇O Vᵀ", "S": "A ⊙ (∇A − (∇O ⊙ O) 1_e 1_sᵀ)", "Q": "c ∇S K", "K": "c ∇Sᵀ Q"},
    ),
    "self-attention": (
        "X : (t, m); WQ : (m, d); WK : (m, d); WV : (m, e); Q = X WQ; K = X WK; V = X WV; S = 0.5 Q Kᵀ; A = softmax(S);"
        " O = A V; E = loss(O)",
        {"WQ": "Xᵀ ∇Q", "WK": "Xᵀ ∇K", "WV": "Xᵀ ∇V", "X": "∇V WVᵀ + ∇K WKᵀ + ∇Q WQᵀ"},
    ),
    # linear algebra
    "inverse": ("A : (n, n); B = A⁻¹; E = loss(B)", {"A": "−Bᵀ ∇B Bᵀ"}),
    "solve": ("A : (n, n); b : n; x = solve(A, b); E = loss(x)", {"A": "−A⁻ᵀ ∇x xᵀ", "b": "A⁻ᵀ ∇x"}),
    "logdet": ("A : (n, n); E = logdet(A)", {"A": "A⁻ᵀ"}),
    "det": ("A : (n, n); E = det(A)", {"A": "E A⁻ᵀ"}),
    "trace of a product": ("A : (m, n); X : (n, p); B : (p, m); E = tr(A X B)", {"X": "(B A)ᵀ"}),
    "trace of a square": ("A : (n, n); X : (n, n); E = tr(X X A)", {"X": "(X A + A X)ᵀ"}),
    "Cholesky": ("A : (n, n); assume posdef(A); L = cholesky(A); E = loss(L)", {"A": "sym(L⁻ᵀ Phi(Lᵀ ∇L) L⁻¹)"}),
    "quadratic form": ("x : n; A : (n, n); E = xᵀ A x", {"x": "(A + Aᵀ) x", "A": "x xᵀ"}),
    "quadratic form, symmetric": ("x : n; A : (n, n); assume symmetric(A); E = xᵀ A x", {"x": "2 A x", "A": "x xᵀ"}),
    "length": ("v : n; E = ‖v‖", {"v": "v / E"}),
    "direction": ("v : n; s = ‖v‖; u = v/s; E = loss(u)", {"v": "(∇u − (∇uᵀ u) u) / s"}),
    "Gaussian likelihood": (
        "S : (n, n); assume posdef(S); x : n; mu : n; r = x − mu; E = ½ logdet(S) + ½ rᵀ S⁻¹ r",
        {"S": "½ (S⁻¹ − S⁻¹ r (S⁻¹ r)ᵀ)", "r": "S⁻¹ r", "x": "∇r", "mu": "−∇r"},
    ),
    "Gaussian density": (
        "x : n; m : n; S : (n, n); assume posdef(S); p = exp(−½ (x − m)ᵀ S⁻¹ (x − m)) / sqrt(det(2 π S)); E = p",
        {"x": "p S⁻¹ (m − x)"},
    ),
    "vec and ⊗": (
        "A : (m, n); X : (n, p); B : (p, q); y = kron(Bᵀ, A) vec(X); E = loss(y)",
        {"X": "(B reshape(∇y, (q, m)) A)ᵀ"},
    ),
    # networks
    "GELU": ("z : n; a = gelu(z); E = loss(a)", {"z": "∇a ⊙ (normcdf(z) + z ⊙ normpdf(z))"}),
    "dropout mask": ("x : n; m : n; y = m ⊙ x / 0.9; E = loss(y)", {"x": "(10/9) (∇y ⊙ m)"}),
    "weight tying": (
        "T : (V, d); x : V; h = tanh(Tᵀ x); y = T h; E = loss(y)",
        {"T": "∇y hᵀ + x (∇h ⊙ (1 − h^∘2))ᵀ", "h": "Tᵀ ∇y"},
    ),
    "convolution": (
        "x : (B, C, n); k : (D, C, m); y = conv1d(x, k); E = loss(y)",
        {"x": 'fold(ein("bot,ock->bctk", ∇y, k), size=n)', "k": 'ein("bot,bctk->ock", ∇y, unfold(x, size=m))'},
    ),
    "embedding": ("T : (V, d); i : B where index; X = embedding(T, i); E = loss(X)", {"T": "scatter(∇X, i, V)"}),
    "max pooling": (
        "x : (C, 6); y = max_pool1d(x, size=2); E = loss(y)",
        {"x": 'fold(ein("ab,c->abc", ∇y, 1_2) ⊙ hardmax(unfold(x, size=2, stride=2), axis=2), size=6, stride=2)'},
    ),
    "softmax of every head": (
        'S : (h, t, s); V : (h, s, e); A = softmax(S); O = ein("hts,hse->hte", A, V); E = loss(O)',
        {"V": 'ein("hte,hts->hse", ∇O, A)', "A": 'ein("hte,hse->hts", ∇O, V)'},
    ),
    "contrastive": (
        "x : n; y : n; mu : (); s : (); d = ‖x − y‖; E = s d² + (1 − s) relu(mu − d)²",
        {"d": "2 (d s + relu(mu − d) (s − 1))", "x": "(∇d / d) (x − y)", "y": "(∇d / d) (y − x)"},
    ),
    "batched einsum": (
        "A : (B, i, j); C : (B, j, k); D : (B, i, k); E = sum_bijk A_bij C_bjk D_bik",
        {"A": 'ein("abc,adc->adb", C, D)', "C": 'ein("abc,abd->acd", A, D)', "D": 'ein("abc,acd->abd", A, C)'},
    ),
    "triplet": (
        "a : n; p : n; q : n; mu : (); E = relu(‖a − p‖² − ‖a − q‖² + mu)",
        {"a": "2 step(‖a − p‖² − ‖a − q‖² + mu) (q − p)"},
    ),
    "GRU": (
        "x : n; h : m; Wr : (m, n); Ur : (m, m); Wz : (m, n); Uz : (m, m); Wn : (m, n); Un : (m, m); r = sigmoid(Wr x + Ur h);"
        " z = sigmoid(Wz x + Uz h); c = tanh(Wn x + r ⊙ (Un h)); y = (1 − z) ⊙ c + z ⊙ h; E = loss(y)",
        {"c": "∇y ⊙ (1 − z)", "z": "∇y ⊙ (h − c)", "Wn": "(∇c ⊙ (1 − c^∘2)) xᵀ", "Wr": "(∇r ⊙ (r ⊙ (1 − r))) xᵀ"},
    ),
    "LSTM": (
        "x : n; h : m; c : m; Wi : (m, n); Wf : (m, n); Wo : (m, n); Wg : (m, n); i = sigmoid(Wi x); f = sigmoid(Wf x);"
        " o = sigmoid(Wo x); g = tanh(Wg x); s = f ⊙ c + i ⊙ g; t = tanh(s); y = o ⊙ t; E = loss(y)",
        {"o": "∇y ⊙ t", "s": "∇t ⊙ (1 − t^∘2)", "c": "∇s ⊙ f", "f": "∇s ⊙ c", "i": "∇s ⊙ g", "g": "∇s ⊙ i",
         "Wg": "(∇g ⊙ (1 − g^∘2)) xᵀ"},
    ),
}  # fmt: skip

ARRAYS = {
    "softmax": ("z : n; p = softmax(z)", "z", "diag(p) − p pᵀ"),
    "layer norm": (
        "x : n; mu = mean(x); c = x − mu; r = (mean(c ⊙ c) + 0.001)^(−1/2); h = r c",
        "x",
        "r (I_n − (h hᵀ) / n − (1_n 1_nᵀ) / n)",
    ),
}
HESSIANS = {
    "layer": (
        "W : (m, n); x : n; z = W x; y = f(z); E = loss(y)",
        "x",
        "Wᵀ (diag(∇loss(y) ⊙ f″(z)) W + diag(f′(z)) ∇∇loss(y) diag(f′(z)) W)",
    ),
    "cross-entropy": ("z : n; y : n; assume sum(y) = 1; p = softmax(z); E = −yᵀ log(p)", "z", "diag(p) − p pᵀ"),
    "logistic regression": (
        "X : (N, n); w : n; y : N; p = sigmoid(X w); E = −sum(y ⊙ log(p) + (1 − y) ⊙ log(1 − p))", "w", "Xᵀ diag(p ⊙ (1 − p)) X",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_gradients_have_the_form_of_a_textbook(name: str) -> None:
    program, expected = CASES[name]
    d = pb.derive(program)
    assert {v: str(d[v]) for v in expected} == expected


@pytest.mark.parametrize("name", ARRAYS)
def test_jacobians_have_the_form_of_a_textbook(name: str) -> None:
    program, x, expected = ARRAYS[name]
    assert str(pb.jacobian(program, x)) == expected


@pytest.mark.parametrize("name", HESSIANS)
def test_hessians_have_the_form_of_a_textbook(name: str) -> None:
    program, x, expected = HESSIANS[name]
    assert str(pb.hessian(program, x)) == expected


# ---- the wrong formulas that people write (theory.md §14) ---------------------------------------------------

_BATCH = "W : (m, n); A : (n, B); b : m; Z = W A + b 1_Bᵀ; Y = f(Z); E = loss(Y)"
_SQUARE = "W : (n, n); a : n; z = W a; y = tanh(z); E = loss(y)"  # shapes say nothing here


def _of(d: pb.Derived, name: str) -> Expr:
    """A forward value by its name, a gradient by ∇ before it."""
    known = {str(v.attrs[0]): v for v in (*d.problem.inputs, *(v for v, _ in d.problem.forward))}
    return gradient(known[name[1:]]) if name.startswith("∇") else known[name]


WRONG: dict[str, tuple[str, str, Callable[..., Expr], str]] = {
    "a factor transposed": (_SQUARE, "a", lambda W, dz: W @ dz, "W ∇z"),
    "the factors swapped": (_SQUARE, "W", lambda a, dz: outer(a, dz), "a ∇z"),
    "⊙ for a product": ("W : (n, n); X : (n, n); Z = W X; E = loss(Z)", "W", lambda X, dZ: dZ * X, "X ∇Z"),
    "a product for ⊙": ("Z : (n, n); Y = f(Z); E = loss(Y)", "Z", lambda Z, dY: dY @ free_map("f", Z, orders=(1,)), "Z ∇Y"),
    "the slope forgotten": (_LAYER, "z", lambda dy: dy, "∇y"),
    "the slope at y": (_LAYER, "z", lambda y, dy: dy * free_map("f", y, orders=(1,)), "y ∇y"),
    "tanh′ at y": (_SQUARE, "z", lambda y, dy: dy * (1 - REGISTRY["tanh"](y) * REGISTRY["tanh"](y)), "y ∇y"),
    "the mean over the batch for the sum": (_BATCH, "b", lambda dZ: (dZ @ ones((dZ.shape[1],))) / size_of(dZ.shape[1]), "∇Z"),
    "one use forgotten": ("T : (V, d); x : V; h = Tᵀ x; y = T h; E = loss(y)", "T", lambda h, dy: outer(dy, h), "h ∇y"),
    "the gradient of Wᵀ": (_SQUARE, "W", lambda a, dz: outer(dz, a).T, "a ∇z"),
    "the Jacobian for the gradient": ("x : n; A : (n, n); z = A x; E = ½ ‖z‖²", "x", lambda A, z: A @ z, "A z"),
    "softmax without its normalizer": ("z : n; p = softmax(z); E = loss(p)", "z", lambda p, dp: dp * p, "p ∇p"),
    "softmax as an entrywise function": ("z : n; p = softmax(z); E = loss(p)", "z", lambda p, dp: dp * p * (1 - p), "p ∇p"),
    "p − y for any y": ("z : n; y : n; p = softmax(z); E = −yᵀ log(p)", "z", lambda p, y: p - y, "p y"),
    "one half of a quadratic form": ("x : n; A : (n, n); E = xᵀ A x", "x", lambda A, x: 2 * (A @ x), "A x"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_wrong_formulas_that_people_write_are_refused(name: str) -> None:
    program, of, formula, names = WRONG[name]
    d = pb.derive(program)
    wrong = formula(*(_of(d, x) for x in names.split()))
    v = _of(d, of)
    assert wrong.shape == v.shape, "found by its shape"
    claimed = [(x, wrong if x is v else value) for x, value in d.problem.backward]
    assert v in {x for x, _ in claimed}
    assert survives(d.problem)
    assert not survives(replace(d.problem, backward=claimed))
