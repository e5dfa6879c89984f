"""PyTorch: numbers of Python are exact, arguments of several types are computed with in one; what is written to is read before."""

from __future__ import annotations

from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
TEXT = "X : (n, m); Y : (n, m); s : scalar; A = softmax(X Y' / s); E = sumsq(A Y) + sum(X .* Y)"
FORMS = ["function", "autodiff", "op"]


def run(form: str, *given: Any) -> tuple[Any, list[Any]]:
    """The value, and the gradients of the tensors in one list."""
    f = pb.derive(TEXT).compile("torch", form=form)
    if form == "function":
        value, grad = f(*given)
        return value, [g for g, x in zip(grad.values(), given, strict=True) if torch.is_tensor(x)]
    tensors = [x.clone().requires_grad_() if torch.is_tensor(x) else x for x in given]
    value = f(*tensors)
    value.backward()
    return value.detach(), [x.grad for x in tensors if torch.is_tensor(x)]


@pytest.mark.parametrize("form", FORMS)
def test_a_number_of_python_has_all_its_digits(form: str) -> None:
    value, grad = pb.derive(TEXT).compile("numpy")(X, Y, 1.3)
    found, gradients = run(form, torch.tensor(X), torch.tensor(Y), 1.3)
    assert found.dtype == torch.float64 and float(found) == pytest.approx(value, rel=1e-14)
    for g, right in zip(gradients, grad.values(), strict=False):
        np.testing.assert_allclose(g, right, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_a_number_of_python_takes_the_type_of_the_tensors(form: str) -> None:
    found, gradients = run(form, torch.tensor(X).float(), torch.tensor(Y).float(), 1.3)
    assert found.dtype == torch.float32 and all(g.dtype == torch.float32 for g in gradients)


@pytest.mark.parametrize("form", FORMS)
def test_tensors_of_two_types(form: str) -> None:
    value, _ = pb.derive(TEXT).compile("numpy")(X.astype(np.float32), Y, 1.3)
    found, gradients = run(form, torch.tensor(X).float(), torch.tensor(Y), torch.tensor(1.3, dtype=torch.float64))
    assert found.dtype == torch.float64 and float(found) == pytest.approx(value, rel=1e-13)
    assert gradients[1].dtype == torch.float64


def test_lists_are_exact() -> None:
    value, _ = pb.derive(TEXT).compile("numpy")(X, Y, 1.3)
    found, _ = pb.derive(TEXT).compile("torch")(X.tolist(), Y.tolist(), 1.3)
    assert found.dtype == torch.float64 and float(found) == pytest.approx(value, rel=1e-14)


def test_a_loop_computes_in_the_type_of_its_arrays() -> None:
    d = pb.derive("x[0] : n; a : scalar; x[t] = tanh(a x[t-1]) for t = 1..T; E = ½ ‖x[T]‖²")
    value, grad = d.compile("numpy")(x_0=X[0], a=0.3, T=3)
    found, gradients = d.compile("torch")(x_0=torch.tensor(X[0]), a=0.3, T=3)
    assert float(found) == pytest.approx(float(value), rel=1e-14)
    np.testing.assert_allclose(gradients["x[0]"], grad["x[0]"], rtol=1e-13)


def test_members_of_several_types_and_shapes() -> None:
    d = pb.derive("W[k] : (n[k+1], n[k]); x[1] : n[1]; c : scalar; x[k+1] = tanh(W[k] x[k]) for k = 1..L; "
                  "E = sumsq(x[L+1]) + sum_{k=1..L} c norm(W[k])")  # fmt: skip
    W = [RNG.normal(size=(4, 3)), RNG.normal(size=(2, 4))]
    found, grad = d.compile("torch")(W=[torch.tensor(w).float() for w in W], x_1=torch.tensor(X[0]), c=0.1)
    value, _ = d.compile("numpy")(W=[w.astype(np.float32).astype(float) for w in W], x_1=X[0], c=0.1)
    assert found.dtype == torch.float64 and float(found) == pytest.approx(float(value), rel=1e-13)
    assert [g.shape for g in grad["W"]] == [(4, 3), (2, 4)]


def test_a_family_as_a_list_of_tensors() -> None:
    d = pb.derive("x[k] : n; E = sum_{k=1..L} sumsq(sin(x[k]))")
    value, grad = d.compile("torch")([torch.tensor(x) for x in X])
    assert float(value) == pytest.approx(float((np.sin(X) ** 2).sum()), rel=1e-14)
    assert grad["x"].shape == X.shape


def test_the_tail_of_the_normal_distribution() -> None:
    d = pb.derive("x : n; y : n where const; E = -mean(y .* log(normcdf(x)) + (1-y) .* log(normcdf(-x)))")
    x, y = np.array([-9.0, 12.0, 0.3, -37.0]), np.array([1.0, 0.0, 1.0, 1.0])
    value, grad = d.compile("numpy")(x, y)
    found, gradients = d.compile("torch")(torch.tensor(x), torch.tensor(y))
    assert float(found) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(gradients["x"], grad["x"], rtol=1e-11)


OVERLAPPING = [
    "X : (m, n); A : (n, n) where const; Y = X + X A; E = sum(sin(Y))",
    "X : (m, n); A : (m, m) where const; Y = X + A X; E = sum(sin(Y))",
    "X : (m, n); A : (n, n) where const; Y = X - 2 X A; E = sum(sin(Y))",
    "X : (m, n); u : m where const; Y = X + u u' X; E = sum(sin(Y))",
    "X : (m, n); A : (n, n); Y = 3 X - X A; Z = Y + Y A' + ½ Y; E = sum(cos(Z)) + sum(sin(Y) .* Z)",
    "A : (n, n); u : n; M = A A'; N = M'; E = u' M u + u' (M A') u + ⟨N A, diag(u) N⟩ + ½ tr(M N)",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", OVERLAPPING)
def test_a_product_is_not_added_to_what_it_reads(text: str, form: str) -> None:
    """`x.addmm_(x, A)` reads entries of x that it has written already, from a certain size on."""
    d = pb.derive(text)
    sizes = {"m": 30, "n": 40}
    arrays = {str(v.attrs[0]): RNG.normal(size=tuple(x.value(sizes) for x in v.shape)) / 4 for v in d.program.inputs}
    value, wanted = d.compile("numpy")(**arrays)
    tensors = {n: torch.tensor(x, requires_grad=form != "function" and n in wanted) for n, x in arrays.items()}
    f = d.compile("torch", form=form)
    if form == "function":
        found, grad = f(**tensors)
    else:
        found = f(**tensors)
        found.backward()
        grad = {n: tensors[n].grad for n in wanted}
    assert float(found) == pytest.approx(float(value), rel=1e-11)
    for n, right in wanted.items():
        np.testing.assert_allclose(grad[n], right, rtol=1e-9, atol=1e-9 * np.abs(right).max(), err_msg=n)


def test_checkpoint_and_compile_where_nothing_needs_a_gradient() -> None:
    from torch.utils.checkpoint import checkpoint

    d = pb.derive("z = W a; y = tanh(z); E = ½ ‖y‖²")
    f = d.compile("torch", form="autodiff")
    W, a = (
        torch.tensor(RNG.normal(size=(3, 4)), requires_grad=True),
        torch.tensor(RNG.normal(size=4), requires_grad=True),
    )
    wanted = torch.autograd.grad(f(W, a), (W, a))
    found = torch.autograd.grad(checkpoint(f, W, a, use_reentrant=False), (W, a))
    for x, y in zip(found, wanted, strict=True):
        torch.testing.assert_close(x, y)
    whole = torch.compile(f, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(whole(W.detach(), a.detach()), f(W, a).detach())
    with torch.no_grad():
        torch.testing.assert_close(whole(W, a), f(W, a))


LABELLED = "X : (B, n) where const; W : (n, c); y : B where index; E = cross_entropy(tanh(X W), y)"


@pytest.mark.parametrize("form", ["autodiff", "op"])
def test_autocast_is_not_heard(form: str) -> None:
    """Products in half precision beside sums in single precision would not fit each other."""
    f = pb.derive(LABELLED).compile("torch", form=form)
    x, y = torch.tensor(X).float(), torch.tensor([0, 1, 1, 0])
    W = torch.tensor(RNG.normal(size=(3, 2))).float().requires_grad_()
    (wanted,) = torch.autograd.grad(f(x, W, y), W, create_graph=True)
    (curved,) = torch.autograd.grad(wanted.sum(), W)
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = torch.autograd.grad(f(x, W, y), W, create_graph=True)
        value = torch.compile(f, fullgraph=True, backend="aot_eager")(x, W, y)
    (again,) = torch.autograd.grad(found.sum(), W)
    assert found.dtype == value.dtype == torch.float32
    assert torch.equal(found, wanted) and torch.equal(again, curved) and torch.equal(value, f(x, W, y))


@pytest.mark.parametrize("labels", [torch.int64, torch.float64, torch.bool])
@pytest.mark.parametrize("form", ["autodiff", "op"])
def test_second_derivatives_beside_labels(form: str, labels: Any) -> None:
    f = pb.derive(LABELLED).compile("torch", form=form)
    x, y = torch.tensor(X), torch.tensor([0, 1, 1, 0], dtype=labels)
    W = torch.tensor(RNG.normal(size=(3, 2)), requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda w: f(x, w, y), (W,))


@pytest.mark.parametrize("bad", [2, -1, 1.5])
@pytest.mark.parametrize("how", ["vmap", "compile"])
def test_labels_that_are_none_are_refused_where_they_cannot_be_checked(how: str, bad: float) -> None:
    f = pb.derive(LABELLED).compile("torch", form="autodiff")
    x, W, y = torch.tensor(X), torch.tensor(RNG.normal(size=(3, 2))), torch.tensor([0, 1, bad, 0])
    with pytest.raises((RuntimeError, IndexError), match=r"index 2 is out of"):
        if how == "vmap":
            torch.vmap(f, in_dims=(None, None, 0))(x, W, torch.stack([y, y]))
        else:
            torch.compile(f, backend="aot_eager")(x, W, y)


def test_the_value_may_be_changed_in_place() -> None:
    f = pb.derive("x : n; E = sum(exp(x))").compile("torch", form="autodiff")
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    value = f(x)
    value /= 2
    value.backward()
    torch.testing.assert_close(x.grad, torch.exp(x.detach()) / 2)


@pytest.mark.parametrize("form", FORMS)
def test_a_mask_in_half_precision(form: str) -> None:
    text = "Q : (t, d); K : (s, d); V : (s, e); O = causal_attention(Q, K, V); E = sum(O)"
    q, k, v = (torch.tensor(RNG.normal(size=(3, 3))) for _ in range(3))
    f = pb.derive(text).compile("torch", form=form)
    found = f(*(x.half() for x in (q, k, v)))
    wanted = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True).sum()
    assert float(found[0] if form == "function" else found) == pytest.approx(float(wanted), abs=0.02)


@pytest.mark.parametrize("form", ["autodiff", "op"])
def test_inputs_may_have_the_names_of_what_is_written(form: str) -> None:
    names = ("forward", "value", "kept", "again", "found", "plain")
    text = (
        "; ".join(f"{n} : n" for n in names) + "; E = sum(forward .* value .* exp(kept)) + sum(again .* found .* plain)"
    )
    f = pb.derive(text).compile("torch", form=form)
    given = [torch.tensor(RNG.normal(size=3), requires_grad=True) for _ in names]
    assert torch.autograd.gradcheck(f, given) and torch.autograd.gradgradcheck(f, given)
