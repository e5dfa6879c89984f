"""Programs with the ops of structure: gradients against JAX's own functions, round trips that are proved, refusals by code."""

from __future__ import annotations

from typing import Any

import pytest

import pullback as pb

np = pytest.importorskip("numpy")
jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy


def conv(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int = 1) -> Any:
    n = w.ndim - 2
    batched = x if x.ndim == n + 2 else x[None]
    out = jax.lax.conv_general_dilated(
        batched, w, stride, [(p, p) for p in padding], rhs_dilation=dilation, feature_group_count=groups
    )
    return out if x.ndim == n + 2 else out[0]


def pool(x: Any, init: float, op: Any, size: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...]) -> Any:
    lead = x.ndim - len(size)
    pads = [(0, 0)] * lead + [(p, p) for p in padding]
    return jax.lax.reduce_window(x, init, op, (1,) * lead + size, (1,) * lead + stride, pads)


def gsum(G: Any, Y: Any) -> Any:
    return jnp.sum(G * Y)


# name: (text, shapes of the arrays, the same program in JAX; integer arrays begin with "i")
PROGRAMS: dict[str, tuple[str, dict[str, tuple[int, ...]], Any]] = {
    "reshape": ("X:(m,n)\nG:(k,m*n)\nE = sum(tanh(G reshape(X, (m*n))))", {"X": (5, 7), "G": (3, 35)},
                lambda X, G: jnp.sum(jnp.tanh(G @ X.reshape(-1)))),
    "reshape-numbers": ("X:(12,5)\nG:(4,15)\nE = sum(G ⊙ reshape(X, (4, 15))^∘2)", {"X": (12, 5), "G": (4, 15)},
                        lambda X, G: gsum(G, X.reshape(4, 15) ** 2)),
    "reshape-rest": ("X:(m,n,k)\nG:(m*n,k)\nE = sum(G ⊙ exp(reshape(X, (-1, k))))", {"X": (3, 4, 5), "G": (12, 5)},
                     lambda X, G: gsum(G, jnp.exp(X.reshape(-1, 5)))),
    "vec": ("X:(m,n)\ng:m*n\nE = gᵀ sin(vec(X))", {"X": (4, 6), "g": (24,)}, lambda X, g: g @ jnp.sin(X.T.reshape(-1))),
    "unvec": ("x:m*n\nG:(m,n)\nE = sum(G ⊙ sin(unvec(x, m, n)))", {"x": (24,), "G": (4, 6)},
              lambda x, G: gsum(G, jnp.sin(x.reshape(6, 4).T))),
    "permute": ("X:(a,b,c)\nG:(c,a,b)\nE = sum(G ⊙ sin(permute(X, axes=(2,0,1))))", {"X": (3, 4, 5), "G": (5, 3, 4)},
                lambda X, G: gsum(G, jnp.sin(X.transpose(2, 0, 1)))),
    "kron": ("A:(m,n)\nB:(p,q)\nG:(m*p,n*q)\nE = sum(G ⊙ sin(A ⊗ B))", {"A": (2, 3), "B": (4, 5), "G": (8, 15)},
             lambda A, B, G: gsum(G, jnp.sin(jnp.kron(A, B)))),
    "kron-vectors": ("a:m\nb:n\ng:m*n\nE = gᵀ sin(kron(a, b))", {"a": (4,), "b": (5,), "g": (20,)},
                     lambda a, b, g: g @ jnp.sin(jnp.kron(a, b))),
    "kron-column": ("A:(m,n)\nb:p\nG:(m*p,n)\nE = sum(G ⊙ sin(kron(A, b)))", {"A": (2, 3), "b": (4,), "G": (8, 3)},
                    lambda A, b, G: gsum(G, jnp.sin(jnp.kron(A, b[:, None])))),
    "kron-vec": ("A:(m,n)\nB:(p,q)\nX:(q,n)\ng:m*p\nE = gᵀ sin((A ⊗ B) vec(X))", {"A": (2, 3), "B": (4, 5), "X": (5, 3), "g": (8,)},
                 lambda A, B, X, g: g @ jnp.sin(jnp.kron(A, B) @ X.T.reshape(-1))),
    "commut": ("X:(m,n)\ng:m*n\nE = gᵀ sin(commut(m, n) vec(X))", {"X": (4, 6), "g": (24,)}, lambda X, g: g @ jnp.sin(X.reshape(-1))),
    "tril": ("A,G:(m,n)\nE = sum(G ⊙ sin(tril(A, -1)) + triu(A, 1)^∘2)", {"A": (5, 7), "G": (5, 7)},
             lambda A, G: jnp.sum(G * jnp.sin(jnp.tril(A, -1)) + jnp.triu(A, 1) ** 2)),
    "phi": ("A,G:(n,n)\nE = sum(G ⊙ sin(Phi(A) sym(A) skew(A)))", {"A": (5, 5), "G": (5, 5)},
            lambda A, G: gsum(G, jnp.sin((jnp.tril(A) - jnp.diag(jnp.diag(A)) / 2) @ ((A + A.T) / 2) @ ((A - A.T) / 2)))),
    "flip-roll": ("X,G:(m,n)\nE = sum(G ⊙ sin(flip(roll(X, shift=-2, axis=1), axis=0)))", {"X": (5, 7), "G": (5, 7)},
                  lambda X, G: gsum(G, jnp.sin(jnp.flip(jnp.roll(X, -2, 1), 0)))),
    "cumsum": ("X,G:(m,n)\nE = sum(G ⊙ sin(cumsum(X) + cumsum(X, axis=0) + revcumsum(X)))", {"X": (5, 7), "G": (5, 7)},
               lambda X, G: gsum(G, jnp.sin(jnp.cumsum(X, 1) + jnp.cumsum(X, 0) + jnp.cumsum(X[:, ::-1], 1)[:, ::-1]))),
    "strided": ("X:(m,2*n+1)\nG:(m,n)\nE = sum(G ⊙ sin(X[:, 2:2:2*n]))", {"X": (3, 9), "G": (3, 4)}, lambda X, G: gsum(G, jnp.sin(X[:, 1:8:2]))),
    "repeat-tile": ("x:n\ng:3*n\nE = gᵀ (sin(repeat(x, 3)) ⊙ tile(x, 3))", {"x": (5,), "g": (15,)},
                    lambda x, g: g @ (jnp.sin(jnp.repeat(x, 3)) * jnp.tile(x, 3))),
    "stack": ("x,y:n\nG:(n,2)\nE = sum(G ⊙ sin(stack(x, y, axis=1)))", {"x": (5,), "y": (5,), "G": (5, 2)},
              lambda x, y, G: gsum(G, jnp.sin(jnp.stack([x, y], 1)))),
    "hcat-vcat": ("A:(m,n)\nb:m\nG:(2*m,n+1)\nE = sum(G ⊙ sin(vcat(hcat(A, b), hcat(A, b))))", {"A": (3, 4), "b": (3,), "G": (6, 5)},
                  lambda A, b, G: gsum(G, jnp.sin(jnp.concatenate([jnp.c_[A, b]] * 2)))),
    "max": ("X:(m,n)\ng:m\nE = gᵀ sin(max(X, axis=1)) + max(X) min(X)", {"X": (5, 7), "g": (5,)},
            lambda X, g: g @ jnp.sin(X.max(1)) + X.max() * X.min()),
    "var": ("X:(m,n)\ng:m\nE = gᵀ std(X, axis=1, ddof=1) + var(X)", {"X": (5, 7), "g": (5,)},
            lambda X, g: g @ X.std(1, ddof=1) + X.var()),
    "prod": ("X:(m,n)\ng:m\nE = gᵀ prod(X, axis=1) + prod(X)", {"X": (3, 4), "g": (3,)}, lambda X, g: g @ X.prod(1) + X.prod()),
    "gather": ("T:(v,d)\nidx:(a,b) where index\nG:(a,b,d)\nE = sum(G ⊙ sin(gather(T, idx)))", {"T": (6, 3), "iidx": (4, 5), "G": (4, 5, 3)},
               lambda T, idx, G: gsum(G, jnp.sin(T[idx]))),
    "pick": ("X:(a,b,c)\ny:(a,b) where index\nG:(a,b)\nE = sum(G ⊙ sin(pick(X, y)))", {"X": (3, 4, 6), "iy": (3, 4), "G": (3, 4)},
             lambda X, y, G: gsum(G, jnp.sin(jnp.take_along_axis(X, y[..., None], 2)[..., 0]))),
    "one-hot": ("y:b where index\nW:(b,c)\nE = -sum(one_hot(y, c) ⊙ log(softmax(W)))", {"iy": (7,), "W": (7, 5)},
                lambda y, W: -jnp.sum(jax.nn.one_hot(y, 5) * jax.nn.log_softmax(W))),
    "conv1d": ("x:(c,s)\nw:(o,c,k)\nG:(o,s-k+1)\nE = sum(G ⊙ sin(conv1d(x, w)))", {"x": (3, 9), "w": (4, 3, 2), "G": (4, 8)},
               lambda x, w, G: gsum(G, jnp.sin(conv(x, w, (1,), (0,), (1,))))),
    "conv1d-all": ("x:(b,4,11)\nw:(6,2,3)\nG:(b,6,5)\nE = sum(G ⊙ sin(conv1d(x, w, stride=2, padding=1, dilation=2, groups=2)))",
                   {"x": (2, 4, 11), "w": (6, 2, 3), "G": (2, 6, 5)}, lambda x, w, G: gsum(G, jnp.sin(conv(x, w, (2,), (1,), (2,), 2)))),
    "conv2d": ("x:(b,c,h,v)\nw:(o,c,3,2)\nG:(b,o,h,v+1)\nE = sum(G ⊙ sin(conv2d(x, w, padding=1)))",
               {"x": (2, 3, 6, 5), "w": (4, 3, 3, 2), "G": (2, 4, 6, 6)}, lambda x, w, G: gsum(G, jnp.sin(conv(x, w, (1, 1), (1, 1), (1, 1))))),
    "conv2d-depthwise": ("x:(c,9,8)\nw:(c,1,3,3)\nG:(c,4,3)\nE = sum(G ⊙ sin(conv2d(x, w, stride=2, groups=c)))",
                         {"x": (3, 9, 8), "w": (3, 1, 3, 3), "G": (3, 4, 3)}, lambda x, w, G: gsum(G, jnp.sin(conv(x, w, (2, 2), (0, 0), (1, 1), 3)))),
    "maxpool1d": ("x:(c,2*t)\nG:(c,t)\nE = sum(G ⊙ sin(maxpool1d(x, size=2)))", {"x": (3, 8), "G": (3, 4)},
                  lambda x, G: gsum(G, jnp.sin(pool(x, -jnp.inf, jax.lax.max, (2,), (2,), (0,))))),
    "maxpool2d": ("x:(c,7,8)\nG:(c,3,3)\nE = sum(G ⊙ sin(maxpool2d(x, size=3, stride=2)))", {"x": (2, 7, 8), "G": (2, 3, 3)},
                  lambda x, G: gsum(G, jnp.sin(pool(x, -jnp.inf, jax.lax.max, (3, 3), (2, 2), (0, 0))))),
    "avgpool2d": ("x:(c,7,8)\nG:(c,4,4)\nE = sum(G ⊙ sin(avgpool2d(x, size=3, stride=2, padding=1)))", {"x": (2, 7, 8), "G": (2, 4, 4)},
                  lambda x, G: gsum(G, jnp.sin(pool(x, 0.0, jax.lax.add, (3, 3), (2, 2), (1, 1)) / 9))),
    "unfold-fold": ("x:s\nG:s\nE = sum(G ⊙ sin(fold(unfold(x, size=3, padding=1), size=s, padding=1)))", {"x": (7,), "G": (7,)},
                    lambda x, G: gsum(G, jnp.sin(x * jnp.array([2.0, *[3.0] * 5, 2.0])))),
    "conv-image": ("x:(3,32,32)\nw:(8,3,5,5)\nG:(8,14,14)\nE = sum(G ⊙ maxpool2d(conv2d(x, w), size=2))",
                   {"x": (3, 32, 32), "w": (8, 3, 5, 5), "G": (8, 14, 14)},
                   lambda x, w, G: gsum(G, pool(conv(x, w, (1, 1), (0, 0), (1, 1)), -jnp.inf, jax.lax.max, (2, 2), (2, 2), (0, 0)))),
}  # fmt: skip


def arrays(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        n.removeprefix("i"): rng.integers(0, 5, s) if n[0] == "i" else rng.normal(size=s) for n, s in shapes.items()
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_agree_with_jax(name: str) -> None:
    text, shapes, program = PROGRAMS[name]
    given = arrays(shapes)
    d = pb.derive(text)
    value, gradients = d.evaluate(**given)
    moving = [k for k, n in enumerate(shapes) if n[0] != "i"]
    truth = jax.grad(program, argnums=moving)(*given.values())
    assert np.allclose(value, program(*given.values()), rtol=1e-10, atol=1e-10)
    names = list(given)
    assert set(gradients) == {names[k] for k in moving}
    for k, expected in zip(moving, truth, strict=True):
        assert np.allclose(gradients[names[k]], expected, rtol=1e-9, atol=1e-9), names[k]


def test_a_product_is_differentiated_where_entries_are_zero() -> None:
    d = pb.derive("x : n\nE = prod(x)")
    for x in ([2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [2.0, 5.0, 3.0]):
        expected = [np.prod([t for j, t in enumerate(x) if j != i]) for i in range(3)]
        assert np.allclose(d.evaluate(x=np.array(x))[1]["x"], expected)


def test_ties_go_to_the_first_entry() -> None:
    d = pb.derive("x : n\nE = max(x)")
    assert d.evaluate(x=np.array([1.0, 3.0, 3.0, 2.0]))[1]["x"].tolist() == [0, 1, 0, 0]
    assert "first" in d.text(level=3)


PRINTED = {
    "A,G:(m,n)\nE = sum(G ⊙ tril(A))": ("A", "tril(G)"),
    "x,g:n\nE = gᵀ flip(x)": ("x", "flip(g)"),
    "x,g:n\nE = gᵀ cumsum(x)": ("x", "revcumsum(g)"),
    "x,g:n\nE = gᵀ roll(x, shift=3)": ("x", "roll(g, shift=-3)"),
    "X:(m,n)\ng:m*n\nE = gᵀ reshape(X, m*n)": ("X", "reshape(g, (m, n))"),
    "X:(m,n)\ng:m*n\nE = gᵀ vec(X)": ("X", "unvec(g, m, n)"),
    "x:s\nG:(s-2,3)\nE = sum(G ⊙ unfold(x, size=3))": ("x", "fold(G, size=s)"),
    "A:(m,n)\nB:(p,q)\nE = ‖kron(A, B)‖²": ("A", "2 sum(B^∘2) A"),
    "A:(m,n)\nB:(p,q)\nX:(q,n)\ng:m*p\nE = gᵀ ((A ⊗ B) vec(X))": ("A", "reshape(g, (m, p)) B X"),
    "E:(v,d)\nidx:t where index\nG:(t,d)\nL = sum(G ⊙ gather(E, idx))": ("E", "scatter(G, idx, v)"),
    "x:n\nE = max(x)": ("x", "hardmax(x)"),
    "x:n\nE = var(x)": ("x", "(2 / n) (x − mean(x))"),
    "x:2*m\ng:m\nE = gᵀ x[1:2:2*m-1]": ("x", "spaced(g, axis=0, start=0, size=2*m, step=2)"),
}


@pytest.mark.parametrize("text", PRINTED)
def test_answers_are_written_with_ops_and_not_with_their_tensors(text: str) -> None:
    name, expected = PRINTED[text]
    assert str(pb.derive(text)[name]) == expected


PROVED = [
    "X : (m, n, k)\nreshape(reshape(X, (m*n, k)), (m, n, k)) = X",
    "X : (m, n, k)\nreshape(reshape(X, (m*n, k)), (m*n*k)) = reshape(X, (m*n*k))",
    "x : n\nflip(flip(x)) = x",
    "x : n\nroll(roll(x, shift=2), shift=-2) = x",
    "x : n\nroll(roll(x, shift=2), shift=3) = roll(x, shift=5)",
    "X : (m, n)\nunvec(vec(X), m, n) = X",
    "X : (m, n)\ncommut(m, n) vec(X) = vec(Xᵀ)",
    "A : (m, n)\nB : (p, q)\nX : (q, n)\n(A ⊗ B) vec(X) = vec(B X Aᵀ)",
    "A : (m, n)\nB : (p, q)\nC : (n, k)\nD : (q, r)\n(A ⊗ B) (C ⊗ D) = (A C) ⊗ (B D)",
    "A : (m, n)\nB : (p, q)\n(A ⊗ B)ᵀ = Aᵀ ⊗ Bᵀ",
    "A : (n, n)\nB : (p, p)\ntr(A ⊗ B) = tr(A) tr(B)",
    "A : (m, n)\ntril(tril(A)) = tril(A)",
    "A : (n, n)\ntril(triu(A)) = diag(diag(A))",
    "A : (n, n)\nsym(A) + skew(A) = A",
    "X : (a, b, c)\npermute(permute(X, axes=(2,0,1)), axes=(1,2,0)) = X",
    "y : b where index\nsum(one_hot(y, c), axis=1) = 1_b",
]


@pytest.mark.parametrize("text", PROVED)
def test_round_trips_are_proved(text: str) -> None:
    verdict = pb.prove(text)
    assert verdict.holds, text
    assert verdict.level in ("L0", "L1"), (text, verdict.level)


REFUTED = [
    "x : n\nflip(x) = x",
    "X : (m, n)\nvec(X) = reshape(X, m*n)",
    "A : (m, n)\ntril(A) = A",
    "x : n\nmax(x) = sum(x)",
    "x : n\ncumsum(x) = revcumsum(x)",
    "A, B : (n, n)\nA ⊗ B = B ⊗ A",
]


@pytest.mark.parametrize("text", REFUTED)
def test_what_is_false_is_refuted(text: str) -> None:
    assert pb.prove(text).holds is False


MISTAKES = {
    "X:(m,n)\nE = sum(flip(X, axis=2))": "P051",
    "X:(m,n)\nE = sum(flip(X))": "P002",
    "X:(m,n)\nE = sum(max(X, axis=(0,0)))": "P051",
    "X:(m,n)\nE = sum(reshape(X, (m, m)))": "S011",
    "X:(6,5)\nE = sum(reshape(X, (4, 7)))": "S011",
    "X:(6,5)\nE = sum(reshape(X, (4, -1)))": "S011",
    "T:(v,d)\ni:t\nE = sum(gather(T, i))": "S030",
    "T:(v,d)\ni:t where index\nE = sum(gather(T, 2 i))": "S030",
    "X:(a,b)\ni:a\nE = sum(pick(X, i))": "S030",
    "X:(a,b)\ni:c where index\nE = sum(pick(X, i))": "S002",
    "x:(c,s)\nw:(o,c,3)\nE = sum(conv1d(x, w, stride=2))": "S013",
    "x:(3,10)\nw:(4,2,3)\nE = sum(conv1d(x, w))": "S002",
    "x:(3,10)\nw:(4,3,3)\nE = sum(conv1d(x, w, out=7))": "S012",
    "x:(3,2)\nw:(4,3,3)\nE = sum(conv1d(x, w))": "S012",
    "x:(4,10)\nw:(3,2,3)\nE = sum(conv1d(x, w, groups=2))": "S012",
    "x:(3,10)\nw:(4,3,3)\nE = sum(conv1d(x, w, stride=0))": "P002",
    "x:(3,10)\nw:(4,3,3)\nE = sum(conv1d(x, w, strides=2))": "P002",
    "x:n\nE = sum(x[1:2:n])": "P002",
    "x,y:n\nE = sum(stack(x, y, axis=2))": "P051",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_have_their_own_message(text: str) -> None:
    with pytest.raises(pb.PullbackError) as caught:
        pb.derive(text)
    error = caught.value
    assert error.code == MISTAKES[text], error.render()
    assert error.span is not None and (error.expected or error.hint), error.render()


def test_an_index_outside_the_axis_is_refused() -> None:
    d = pb.derive("T:(v,d)\nidx:t where index\nL = sum(gather(T, idx)^∘2)")
    T = np.ones((4, 2))
    for bad in ([0, 4], [-1, 0], [0.5, 1.0]):
        with pytest.raises(pb.PullbackError) as caught:
            d.evaluate(T=T, idx=np.array(bad))
        assert caught.value.code == "S031"


def test_a_function_of_the_program_may_have_the_name_of_one() -> None:
    d = pb.derive("tile : entrywise\nx, y : n\nE = sum(tile(x, y))")
    assert set(d) == {"x", "y"}


DIALECT = {
    "A : (m, n)\nB : (p, q)\nE = norm2(kron(A,B))^2": {"A": (2, 3), "B": (4, 5)},
    "x : n\nE = norm2(kron(x*x',eye(2)))^2": {"x": (3,)},
    "X : (N, d)\nV : (d1, h)\nT : (N, h)\nassume d1 = d + 1\nE = norm2(hcat(X,ones(N))*V-T)^2": {
        "X": (4, 3),
        "V": (4, 2),
        "T": (4, 2),
    },
    "G : n\nx : n\nE = G'*cumsum(x)": {"G": (5,), "x": (5,)},
    "X : (n, n)\nE = norm2(vec(kron(X,eye(n))))^2": {"X": (3, 3)},
    "F : (m, n)\nA : (2*m, 2*m)\nB : (2*n, 2*n)\nE = tr(kron(eye(2),F)'*A*kron(eye(2),F)*B)": {
        "F": (2, 3),
        "A": (4, 4),
        "B": (6, 6),
    },
    "a : 2\nX : (4, 4)\nb : 4\nc : 2\nE = c'*kron(a',eye(2))*X*b": {"a": (2,), "X": (4, 4), "b": (4,), "c": (2,)},
}


@pytest.mark.parametrize("text", DIALECT)
def test_the_dialect_reads_them(text: str) -> None:
    given = arrays(DIALECT[text])
    d = pb.derive("dialect: matlab\n" + text)
    _, gradients = d.evaluate(**given)
    name = next(iter(gradients))
    step, plain = 1e-6, given[name]
    direction = np.random.default_rng(5).normal(size=plain.shape)
    ends = [d.evaluate(**{**given, name: plain + s * step * direction})[0] for s in (1, -1)]
    assert np.sum(gradients[name] * direction) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-6)


def test_windows_that_do_not_fit_are_refused_when_it_is_run() -> None:
    """Found by fuzzing: where they do not, their entries are added up nowhere, and the gradient is another one."""
    d = pb.derive("x : (n, p); a : m; E = sum(fold(x, size=m + n, stride=2)) + sum(a)")
    assert "2*n + p - 2 is at most m + n" in d.text(level=1)
    with pytest.raises(pb.ShapeError, match="fold does not fit") as why:
        d.evaluate(x=np.ones((4, 5)), a=np.ones(3))
    assert why.value.code == "S022"
    value, found = d.evaluate(x=np.ones((2, 3)), a=np.ones(3))
    assert value == 9 and found["x"].shape == (2, 3) and np.all(found["x"] == 1)
