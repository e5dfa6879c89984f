"""Generated for every op from its declaration: shape, differential, adjoint, second order, refusals, templates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest
from _samples import S, arguments, samples

from pullback.algebra.canonical import canonical, equal
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr, postorder
from pullback.algebra.network import network
from pullback.algebra.op import REGISTRY, Op
from pullback.algebra.ops.arithmetic import added, rational, size_of
from pullback.algebra.ops.free import facts_of, increment, is_name, var
from pullback.algebra.ops.matrix import inner
from pullback.algebra.ops.structure import einsum, ones, zeros
from pullback.calculus.differential import differential
from pullback.calculus.lemma import differentiate
from pullback.calculus.reason import instantiate, reason_of
from pullback.errors import ShapeError, UnsupportedError
from pullback.proof.claim import modular_equal
from pullback.proof.field import Modular, OutOfDomain, P, Real, dot
from pullback.proof.jets import Point

np = pytest.importorskip("numpy")

from _oracle import SIZES, Interpreter, _erf_complex, by_difference  # noqa: E402

# a sum over an index has a value only once it is written out: tests/calculus/test_recurrence.py
OPS = [op for op in REGISTRY.values() if not op.binder]
NODES = [e for op in OPS for e in samples(op)]
INNER = [e for e in NODES if e.args]
LINEAR = [e for e in INNER if e.op.linear]
NONLINEAR = [e for e in INNER if not e.op.linear]


MOST = 5  # samples of an op, and one, in a run that is not slow


def label(e: Expr) -> str:
    data = ",".join(map(str, e.attrs))
    return f"{e.op.name}[{data}]({', '.join('x'.join(map(str, a.shape)) or '1' for a in e.args)})"


def each(nodes: list[Expr], slow: Collection[str] = ()) -> Callable[[Callable[[Expr], None]], Callable[[Op], None]]:
    """One test per op, which runs the body on samples of it and names those that fail; a slow one runs it on those beyond MOST."""
    by_op: dict[Op, list[Expr]] = {}
    for e in nodes:
        by_op.setdefault(e.op, []).append(e)

    def wrap(body: Callable[[Expr], None]) -> Callable[[Op], None]:
        params = []
        for op, found in by_op.items():
            chosen = {round(k * (len(found) - 1) / MOST) for k in range(MOST + 1)}  # from all over the list
            rest = [e for k, e in enumerate(found) if k not in chosen]
            marks = [pytest.mark.slow] if op.name in slow else []
            params.append(pytest.param([found[k] for k in sorted(chosen)], id=op.name, marks=marks))
            params += [pytest.param(rest, id=f"{op.name}, the others", marks=pytest.mark.slow)] if rest else []

        @pytest.mark.parametrize("some", params)
        def test(some: list[Expr]) -> None:
            failed = []
            for e in some:
                try:
                    body(e)
                except UnsupportedError as why:  # a differential that no op stands for: said so, and not tested
                    if why.code != "U041":
                        failed.append((label(e), why))
                except (Exception, pytest.fail.Exception) as why:
                    failed.append((label(e), why))
            if failed:
                first = failed[0][1]
                raise AssertionError(
                    f"{len(failed)} of {len(some)} samples: {[n for n, _ in failed[:4]]}: {first}"
                ) from first

        test.__doc__ = body.__doc__
        return test

    return wrap


each_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)


def domain(e: Expr, k: int) -> tuple[float, float]:
    """The largest domain that the op claims for argument number k, from the condition that it states; ±inf for all numbers."""
    needs = e.op.needs(e) if callable(e.op.needs) else e.op.needs
    slot = e.op.slots[min(k, len(e.op.slots) - 1)][0] if e.op.slots else ""
    if f"${slot}" not in needs.replace(f"${k}", f"${slot}"):
        return -math.inf, math.inf
    needs = needs.replace("−", "-")
    if "whole number" in needs:
        return math.nan, math.nan
    if found := re.search(r"strictly between (-?\d+) and (-?\d+)", needs):
        return float(found[1]), float(found[2])
    if found := re.search(r"greater than (-?\d+)", needs):
        return float(found[1]), math.inf
    return 0.0 if "positive" in needs else -math.inf, math.inf


def inside(bounds: tuple[float, float], x: Any) -> Any:
    """Numbers of size 0.3 to 1.4 with any sign, moved into the bounds."""
    low, high = bounds
    if math.isnan(low):  # away from the whole numbers
        return np.floor(x) + 0.25 + (x - np.floor(x)) / 2
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * (0.5 + x / 3)
    return low + np.abs(x) if math.isfinite(low) else x


def draw(e: Expr, seed: int = 1) -> dict[Expr, Any]:
    """Values for the names in `e` and an increment for each; no matrix is symmetric, no two axes are alike."""
    rng = np.random.default_rng(seed)
    found = {}
    for v in dict.fromkeys(x for x in postorder(e) if is_name(x)):
        extents = [d.value(SIZES) for d in v.shape]
        found[v] = rng.choice([-1, 1], extents) * rng.uniform(0.3, 1.4, extents)
        if "index" in facts_of(v):
            found[v] = rng.integers(0, 5, extents) * 1.0
        if v in e.args:
            found[v] = inside(domain(e, e.args.index(v)), found[v])
        needs = e.op.needs(e) if callable(e.op.needs) else e.op.needs
        if len(extents) == 2 and extents[0] == extents[1] and ("definite" in needs or "negative axis" in needs):
            noise = (
                0.0 if "definite" in needs else 0.1 * rng.normal(size=extents)
            )  # neither symmetric nor far from definite
            found[v] = found[v] @ found[v].T / extents[0] + np.eye(extents[0]) + noise
        found[increment(v)] = rng.normal(size=extents)
    return found


def run(e: Expr, values: Mapping[Expr, Any], erf: Any = None) -> Any:
    return Interpreter(np, SIZES, erf or np.vectorize(math.erf, otypes=[float])).run(e, dict(values))


def along(e: Expr, values: Mapping[Expr, Any], moving: list[Expr]) -> Any:
    """The directional derivative of `e` by a complex step through NumPy."""
    step = 1e-40
    moved = {v: x + 1j * step * values[increment(v)] if v in moving else x for v, x in values.items()}
    return np.imag(run(e, moved, _erf_complex)) / step


def movable(e: Expr) -> list[tuple[int, Expr]]:
    """The arguments that have increments: all but whole numbers, with their places."""
    fixed = {k for k, (name, _) in enumerate(e.op.slots) if name in e.op.fixed}
    return [(k, a) for k, a in enumerate(e.args) if k not in fixed]


MOVING = [e for e in INNER if movable(e)]
SECOND = [e for e in NONLINEAR if movable(e)]


def hole(G: Expr, term: Expr, d: Expr) -> list[tuple[Any, tuple[int, ...]]]:
    """The index sums of ⟨G, term⟩, each with its one node `d` taken out, and the legs of that node: the gradient by T1."""
    found = []
    for t in network(inner(G, term)).terms:
        [node] = [f for f in t.factors if f.atom is d]
        t.factors.remove(node)
        found.append((t, node.legs))
    return found


def close(a: Any, b: Any, tolerance: float = 1e-11) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
    return a.shape == b.shape and float(np.max(np.abs(a - b), initial=0.0)) <= tolerance * scale


def exactness(e: Expr) -> float:
    """The tolerance that slopes of this expression allow."""
    return 1e-7 if by_difference(e) else 1e-11


@each_op
def test_every_op_has_a_sample(op: Op) -> None:
    """An op added without a row in SAMPLES fails here with its attribute names."""
    found = samples(op)
    assert found
    if op.slots and not op.attr_names and any(p == ("*s",) for _, p in op.slots):
        assert {len(s) for shapes in arguments(op) for s in shapes} >= set(range(5))


@each([e for e in NODES if not is_name(e)])
def test_shape_is_the_shape_that_numpy_gives(e: Expr) -> None:
    assert np.shape(run(e, draw(e))) == tuple(d.value(SIZES) for d in e.shape)


@each([e for e in NODES if not is_name(e) and not e.op.name.startswith("free")])
def test_meaning_agrees_with_numpy(e: Expr) -> None:
    """The value that the checker computes from the meaning is what NumPy computes from the name."""
    for seed in range(1, 100):
        values = draw(e, seed)
        point = Point(Real("meaning"), SIZES)
        for v, x in values.items():
            point.bind(v, [float(t) for t in np.ravel(x)])
        try:
            found = point.value(e)
        except OutOfDomain:  # too near to a kink
            continue
        expected = run(e, values)
        assert close(np.reshape(found, np.shape(expected)), expected, exactness(e))
        return
    pytest.fail("no random point lies in the domain")


@each(MOVING)
def test_differential_is_the_slope_of_a_complex_step(e: Expr) -> None:
    values = draw(e)
    for k, a in movable(e):
        moved = [increment(x) if i == k else None for i, x in enumerate(e.args)]
        if e.op.linear == "joint":
            claimed = e.op.adjoint and Expr.make(e.op, tuple(increment(x) if i == k else zeros(x.shape)
                                                             for i, x in enumerate(e.args)), e.attrs, e.shape)  # fmt: skip
        else:
            claimed = added(differentiate(e, moved))
        assert claimed.shape == e.shape
        assert close(run(claimed, values), along(e, values, [a]), exactness(e)), f"argument {k + 1}"


@each(MOVING)
def test_program_differential_is_the_slope_in_all_arguments_at_once(e: Expr) -> None:
    """Through calculus.differential: the product rule over all slots together, and the same name in every slot."""
    values = draw(e)
    terms = differential(e, [a for _, a in movable(e)])
    assert close(
        run(added([t.expr for t in terms]), values), along(e, values, [a for _, a in movable(e)]), exactness(e)
    )
    if len(e.args) > 1 and len({a.shape for a in e.args}) == 1 and not e.op.fixed:
        x = e.args[0]
        for k in range(len(e.args)):
            values[x] = inside(domain(e, k), values[x])
        same = Expr.make(e.op, (x,) * len(e.args), e.attrs, e.shape)
        assert close(
            run(added([t.expr for t in differential(same, [x])]), values), along(same, values, [x]), exactness(e)
        )


def exact(e: Expr, point: Point) -> list[int]:
    return [x % P for x in point.value(e)]


@each(LINEAR)
def test_adjoint_moves_the_increment_exactly(e: Expr) -> None:
    """⟨G, F(.., V, ..)⟩ = ⟨F*[G], V⟩ for every slot, modulo p and in floats."""
    G = var("G", e.shape)
    found = e.op.adjoints(e, G)
    assert len(found) == len(e.args)
    for k, a in movable(e):
        V = increment(a)
        image, H = moved_alone(e, k, V), found[k]
        assert H.shape == a.shape
        for field in (Modular(f"adjoint{k}"), Real(f"adjoint{k}")):
            point = Point(field, SIZES)
            left = dot(point.value(G), point.value(image), field.mod)
            right = dot(point.value(H), point.value(V), field.mod)
            if field.mod:
                assert left == right
            else:
                assert left == pytest.approx(right, rel=1e-11, abs=1e-11)


def moved_alone(e: Expr, k: int, V: Expr) -> Expr:
    """F with V in slot k: the others as they are if F is linear in each, zero if it is linear in all together."""
    others = [zeros(a.shape) for a in e.args] if e.op.linear == "joint" else list(e.args)
    others[k] = V
    return Expr.make(e.op, tuple(others), e.attrs, e.shape)


@each(LINEAR)
def test_adjoint_is_the_network_with_the_node_removed(e: Expr) -> None:
    """The declared adjoint has the canonical form of ⟨G, F⟩ without the increment (theory.md §2.2, T1)."""
    G = var("G", e.shape)
    for k, a in movable(e):
        H = e.op.adjoints(e, G)[k]
        V = increment(a)
        image = moved_alone(e, k, V)
        assert canonical(inner(G, image)) is not None
        assert canonical(inner(G, image)) == canonical(inner(H, V))
        holes = []
        for t, legs in hole(G, image, V):
            letters = {i: "abcdefghijklmn"[n] for n, i in enumerate(dict.fromkeys([*t.dims, *legs]))}
            assert len(legs) == a.order
            out: list[int] = []
            factors = [(f.legs, f.tensor) for f in t.factors]
            for n, i in enumerate(legs):
                if i in out:  # a repeated leg of the removed node is tied by δ
                    twin = -1 - n
                    letters[twin] = "zyxw"[n]
                    factors.append(((i, twin), REGISTRY["eye"](dim=a.shape[n])))
                    i = twin
                out.append(i)
            factors += [
                ((i,), ones((d,)))
                for i, d in zip(out, a.shape, strict=True)
                if not any(i in legs for legs, _ in factors)
            ]
            spec = ",".join("".join(letters[i] for i in legs) for legs, _ in factors)
            body = (
                einsum(f"{spec}->{''.join(letters[i] for i in out)}", *(x for _, x in factors))
                if factors
                else rational(1)
            )
            for d, p in t.sizes.items():
                body = size_of(d, p) * body
            holes.append(rational(t.coef) * body)
        assert holes and modular_equal(added(holes), H, {})


@each(LINEAR)
def test_adjoint_does_not_see_the_value_it_is_linear_in(e: Expr) -> None:
    G = var("G", e.shape)
    for k, _ in movable(e):
        H = e.op.adjoints(e, G)[k]
        seen = set(postorder(H))
        hidden = set(e.args) if e.op.linear == "joint" else {e.args[k]}
        assert not seen & hidden


@each(SECOND, slow={"grouped_query_attention"})  # a minute
def test_second_order(e: Expr) -> None:
    """The differential of the differential is the slope of the differential."""
    values = draw(e)
    first = added([t.expr for t in differential(e, [a for _, a in movable(e)])])
    renamed = {increment(a): var(f"V{i}", a.shape) for i, a in enumerate(e.args)}
    values.update(
        {v: np.random.default_rng(7).normal(size=[d.value(SIZES) for d in v.shape]) for v in renamed.values()}
    )
    for d, v in renamed.items():
        first = _renamed(first, d, v)
    second = [t.expr for t in differential(first, e.args)]
    claimed = run(added(second), values) if second else np.zeros(np.shape(run(first, values)))
    assert close(claimed, along(first, values, list(e.args)), max(exactness(first), 1e-10))


def _renamed(e: Expr, old: Expr, new: Expr) -> Expr:
    done: dict[Expr, Expr] = {}
    for x in postorder(e):
        done[x] = new if x is old else Expr.make(x.op, tuple(done[a] for a in x.args), x.attrs, x.shape)
    return done[e]


@each(SECOND)
def test_definition_or_slope_holds_modulo_p(e: Expr) -> None:
    """The tangent that the exact checker computes is the declared differential."""
    for attempt in range(10):  # past the attempts that insist on square roots
        point = Point(Modular("ops", attempt), SIZES)
        for a in e.args:
            point.bind(a, point.draw(a), point.draw(a))
            tangent = point.tangents[a]
            assert tangent is not None
            point.bind(increment(a), tangent)
        try:
            tangent = point.tangent(e)
            still = Point(point.field, SIZES)
            for v in [x for x in point.values if is_name(x)]:
                still.bind(v, point.values[v])
            claimed = exact(added([t.expr for t in differential(e, [a for _, a in movable(e)])]), still)
        except OutOfDomain:
            continue
        assert (tangent or [0] * point.count(e)) == claimed
        return
    pytest.fail("no random point lies in the domain")


# ---- refusals ----------------------------------------------------------------------------------------------


def misfits() -> list[Any]:
    """(op, attrs, shapes) that do not fit the signature: a wrong order, a wrong size, a wrong count."""
    found = []
    for op in OPS:
        if not op.slots:
            continue
        for e in {tuple(a.shape for a in e.args): e for e in samples(op)}.values():
            attrs, shapes = op.attributes(e), [a.shape for a in e.args]
            patterns = [p for _, p in op.slots]
            if (
                op.attr_names
                and not any(p != ("*s",) for p in patterns)
                and len(patterns) == 1
                and op.result == ("*s",)
            ):
                continue  # any tensor fits
            for k in range(len(shapes)):
                if k < len(patterns) and patterns[k][:1] not in (("*s",), ("*t",)):
                    found.append((op, attrs, [*shapes[:k], (*shapes[k], S["q"]), *shapes[k + 1 :]], "order"))
            if not op.attr_names:
                found.append((op, attrs, [*shapes, ()], "count"))
                letters = [c for p in patterns for c in p]
                for k, p in enumerate(patterns):
                    for axis, c in enumerate(p):
                        if c != "*s" and letters.count(c) > 1:
                            wrong = (*shapes[k][:axis], Dim.symbol("other"), *shapes[k][axis + 1 :])
                            found.append((op, attrs, [*shapes[:k], wrong, *shapes[k + 1 :]], "size"))
                if patterns.count(("*s",)) > 1 and shapes[0]:
                    found.append((op, attrs, [(*shapes[0][:-1], Dim.symbol("other")), *shapes[1:]], "size"))
    return found


@pytest.mark.parametrize(("op", "attrs", "shapes", "what"), misfits(), ids=lambda x: getattr(x, "name", None))
def test_misfits_are_refused(op: Op, attrs: dict[str, Any], shapes: list[Any], what: str) -> None:
    with pytest.raises(ShapeError):
        op(*(var(f"x{i}", s) for i, s in enumerate(shapes)), **attrs)


m, n, k = S["m"], S["n"], S["k"]
BAD_DATA = {
    "einsum-too-few-factors": ("einsum", [(m, n)], {"spec": "ab,b->a"}),
    "einsum-two-sizes": ("einsum", [(m, n), (k,)], {"spec": "ab,b->a"}),
    "einsum-wrong-order": ("einsum", [(m, n), (n,)], {"spec": "abc,b->a"}),
    "einsum-unknown-output": ("einsum", [(m,)], {"spec": "a->b"}),
    "einsum-repeated-output": ("einsum", [(m,)], {"spec": "a->aa"}),
    "concat-unlike-blocks": ("concat", [(m, n), (k, m)], {"axis": 0}),
    "concat-order-too-small": ("concat", [(m, n, k), (m,)], {"axis": 0}),
    "concat-nothing": ("concat", [], {"axis": 0}),
    "sum-axis-out-of-range": ("sum_over", [(m, n)], {"axes": (2,)}),
    "mean-axis-out-of-range": ("mean_over", [(m,)], {"axes": (1,)}),
    "sum-axis-twice": ("sum_over", [(m, n)], {"axes": (0, 0)}),
    "slice-axis-out-of-range": ("slice", [(m,)], {"axis": 1, "start": Dim.number(0), "dim": n}),
    "take-axis-out-of-range": ("take", [(m,)], {"axis": 1, "start": Dim.number(0)}),
    "pad-axis-out-of-range": ("pad", [(m,)], {"axis": 2, "start": Dim.number(0), "total": n}),
    "slice-of-a-scalar": ("slice", [()], {"axis": 0, "start": Dim.number(0), "dim": n}),
    "slice-longer-than-the-axis": ("slice", [(m,)], {"axis": 0, "start": Dim.number(1), "dim": m}),
    "take-beyond-the-end": ("take", [(m,)], {"axis": 0, "start": m}),
    "pad-too-small": ("pad", [(m,)], {"axis": 0, "start": Dim.number(1), "total": m}),
    "free-map-unlike-shapes": ("free_map", [(m,), (n,)], {"name": "f", "orders": (0, 0)}),
}


@pytest.mark.parametrize(("name", "shapes", "attrs"), BAD_DATA.values(), ids=BAD_DATA)
def test_data_that_does_not_fit_is_refused(name: str, shapes: list[Any], attrs: dict[str, Any]) -> None:
    with pytest.raises(ShapeError):
        REGISTRY[name](*(var(f"x{i}", s) for i, s in enumerate(shapes)), **attrs)


# ---- templates ---------------------------------------------------------------------------------------------


@each([e for e in NODES if not is_name(e)])
def test_text_and_latex_name_every_argument(e: Expr) -> None:
    names = {n: i for i, (n, _) in enumerate(e.op.slots)}
    for template in (e.op.text, e.op.latex):
        written = template(e) if callable(template) else template
        assert written
        used = set()
        for name in re.findall(r"\$([A-Za-z]+|\d+)(?::\d+)?", written.replace(r"$\to$", "")):
            used.add(int(name) if name.isdigit() else names[name])
        assert used == set(range(len(e.args)))


@each(INNER)
def test_reasons_have_rules_and_known_names(e: Expr) -> None:
    assert e.op.doc
    for slot in range(len(e.args)):
        reason = reason_of(e, slot)
        assert re.fullmatch(r"[A-Z]+-[A-Z]+", reason.rule)
        assert reason.rule.startswith("M-" if e.op.linear or slot in e.op.moves else "D-")
        if slot < len(e.op.slots) and not e.op.composite:  # a lemma is its own reason
            assert e.op.slots[min(slot, len(e.op.slots) - 1)][0] in e.op.reasons, "a slot without a reason of its own"
        for template in (reason.statement, reason.proof, e.op.doc):
            bind: dict[str, Any] = {}
            shown = instantiate(template, e, slot, bind, G=var("G", e.shape))
            assert all(name in bind for name in re.findall(r"\$([A-Za-z0-9_]+)", shown)), shown
        assert reason.statement
        assert reason.proof or not e.op.linear, "a moving rule without a proof"


@each([e for e in INNER if e.op.name not in ("place", "unit")])
def test_printed_form_reads_back(e: Expr) -> None:
    """parse ∘ print = identity, in Unicode and in ASCII."""
    notation = pytest.importorskip("pullback.show.notation")
    parse = pytest.importorskip("pullback.language.text").parse_expression
    kinds = pytest.importorskip("pullback.language.program").FunctionKind
    scope: dict[str, Any] = {a.attrs[0]: a for a in e.args}
    if e.op.name == "free_map":
        scope["f"] = kinds("entrywise")
    if e.op.name == "defined_map":
        scope[e.attrs[0].name] = kinds("entrywise", definition=e.attrs[0])
    if e.op.name == "free_function":
        scope["g"] = kinds("tensor", e.attrs[2], tuple(a.shape for a in e.args))
    for write in (notation.text, notation.ascii):
        again = parse(write(e), scope)
        assert again.shape == e.shape, write(e)
        rivals = [o for o in REGISTRY.values() if set(o.calls) & set(e.op.calls)]
        if next((o for o in rivals if o.accepts(e.args)), e.op) is not e.op:  # of numbers, x^y is read as the other op
            assert close(run(again, draw(e)), run(e, draw(e)))
            continue
        assert again is e or equal(again, e), write(e)


def test_a_pattern_with_every_letter_has_an_adjoint() -> None:
    pairs = ",".join(a + b for a, b in zip("cegikmoqsuwy", "dfhjlnprtvxz", strict=True))
    A, B = var("A", (S["n"],) * 3), var("B", (S["n"],) * 2)
    e = einsum(f"aab,{pairs}->b", A, *[B] * 12)
    assert [h.shape for h in e.op.adjoints(e, var("G", e.shape))] == [a.shape for a in e.args]
