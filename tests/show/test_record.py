"""The record holds everything that is shown; pages read nothing else."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pullback as pb
from pullback.algebra.dims import Dim
from pullback.algebra.expr import Expr
from pullback.algebra.ops.arithmetic import rational
from pullback.algebra.ops.entrywise import exp, log
from pullback.algebra.ops.free import free_function, free_map, var
from pullback.algebra.ops.matrix import dot, outer
from pullback.algebra.ops.reduction import total
from pullback.algebra.ops.structure import concat, einsum, ones
from pullback.calculus.core import Definition
from pullback.calculus.derivation import Derivation
from pullback.calculus.derive import derive
from pullback.calculus.diagram import diagrams
from pullback.errors import CheckFailed
from pullback.show.page import render
from pullback.show.record import record
from pullback.step import Evidence

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "record.schema.json").read_text(encoding="utf-8"))
m, n, p, B = (Dim.of(c) for c in "mnpB")
W, U, S, T = var("W", (m, n)), var("U", (m, n)), var("S", (n, n)), var("T", (m, n, p))
a, b, x, y, z, h = (
    var("a", (n,)),
    var("b", (m,)),
    var("x", (n,)),
    var("y", (m,)),
    var("z", (m,)),
    var("h", (m,)),
)
A, Y, Z, V, E = var("A", (n, B)), var("Y", (m, B)), var("Z", (m, B)), var("V", (n, p)), var("E", ())
M = var("M", (n, m))

PROGRAMS: dict[str, tuple[list[tuple[Expr, Expr]], list[Expr]]] = {
    "layer": ([(z, W @ a + b), (y, free_map("f", z)), (E, free_function("loss", (), y))], [W, a, b]),
    "batch": (
        [(Z, W @ A + outer(b, ones((B,)))), (Y, free_map("f", Z)), (E, free_function("loss", (), Y))],
        [W, A, b],
    ),
    "shared": (
        [(h, free_map("f", W @ x)), (y, free_map("g", W @ x + U @ x) + h), (E, free_function("l", (), y))],
        [W, U, x],
    ),
    "quadratic": ([(E, dot(x, S @ x))], [x, S]),
    "logsumexp": ([(E, log(total(exp(x))))], [x]),
    "folded": (
        [(z, concat(1, W, b) @ concat(0, a, rational(1))), (E, free_function("loss", (), z))],
        [W, a, b],
    ),
    "tensor": ([(T, einsum("ab,bc->abc", W, V)), (E, free_function("loss", (), T))], [W, V]),
    "from_to": ([(z, M.T @ a + b), (E, free_function("loss", (), z))], [M, a, b]),
}
each_program = pytest.mark.parametrize("name", PROGRAMS)


def derived(name: str) -> Derivation:
    equations, inputs = PROGRAMS[name]
    d = derive([Definition(v, e) for v, e in equations], inputs, equations[-1][0], inputs)
    d.steps = [s.proved([Evidence("ASSUMED", "for this test")]) for s in d.steps]
    d.diagrams = [
        replace(g, steps=tuple(replace(s, id=f"d{n}{k}", evidence=d.steps[0].evidence) for k, s in enumerate(g.steps)))
        for n, g in enumerate(diagrams(d))
    ]
    return d


def made(name: str) -> dict[str, Any]:
    return record(derived(name), {"functions": {"f": "entrywise"}})


def complaints(value: Any, schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """A small part of JSON Schema: type, required, properties, items, enum, const, oneOf, $ref."""
    if "$ref" in schema:
        yield from complaints(value, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], at)
        return
    if "oneOf" in schema:
        if sum(not list(complaints(value, s, at)) for s in schema["oneOf"]) != 1:
            yield f"{at}: fits not exactly one form"
        return
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "boolean": bool,
        "null": type(None),
    }
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        yield f"{at}: not of type {schema['type']}"
        return
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        yield f"{at}: {value!r}"
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{at}: no {key}"
    for key, inner in schema.get("properties", {}).items():
        if key in value:
            yield from complaints(value[key], inner, f"{at}/{key}")
    for k, one in enumerate(value if "items" in schema else ()):
        yield from complaints(one, schema["items"], f"{at}/{k}")


@each_program
def test_schema(name: str) -> None:
    assert list(complaints(made(name), SCHEMA)) == []


def test_schema_of_neurons() -> None:
    made = record(derived("layer"), {"sizes": {"m": 2, "n": 3}}, {"neurons"})
    assert list(complaints(made, SCHEMA)) == []
    assert len(made["neurons"]["layers"]) == 4 and made["neurons"]["uses"]


def test_schema_with_the_real_validator() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(made("layer"), SCHEMA)


@each_program
@pytest.mark.parametrize("style", ["pairing", "index", "diagram"])
@pytest.mark.parametrize("format", ["text", "markdown", "latex"])
def test_a_record_from_a_file_prints_the_same(name: str, style: str, format: str) -> None:
    one = made(name)
    again = json.loads(json.dumps(one, ensure_ascii=False))
    for level in (1, 2, 3, 4):
        page = render(one, style, format, level)
        assert page == render(again, style, format, level)
        assert "\x00" not in page and " None" not in page
        if format == "text":
            assert max(map(len, page.split("\n"))) <= 100
            assert render(one, style, format, level, ascii=True).isascii()


def test_no_step_without_evidence_is_shown() -> None:
    d = derived("layer")
    d.steps[4] = d.steps[4].proved([])
    with pytest.raises(CheckFailed):
        record(d, {})


def test_roles_of_the_layer() -> None:
    found = {b["name"]: b for b in made("layer")["backward"]}
    assert [t["conclusion"][0]["text"] for t in found["W"]["roles"]["terms"]] == [
        "no axis is shared by ∇z and a ⇒ nothing to sum, nothing to match: "
        "every pair (i, j) gets ∇z_i a_j ⇒ outer product"
    ]
    assert found["W"]["roles"]["order"][0]["text"].endswith("a ∇zᵀ would have rows j: it is the gradient of Wᵀ")
    assert found["W"]["used"][0]["text"] == (
        "W_ij enters E only through z_i, multiplied by a_j; so E changes by ∇z_i a_j per unit of W_ij"
    )
    [axis] = [x for x in found["a"]["roles"]["terms"][0]["axes"] if not x["open"]]
    assert (axis["letter"], axis["role"], axis["places"]) == ("i", "matrix product", [[1], [1]])
    assert found["a"]["entries"][0]["right"]["text"] == "W_11 ∇z_1 + W_21 ∇z_2"


def test_roles_of_a_batch() -> None:
    found = {b["name"]: b for b in made("batch")["backward"]}
    assert "summed over all k" in found["b"]["roles"]["terms"][0]["conclusion"][0]["text"]
    assert "once for every k" in found["b"]["used"][0]["text"]


def test_frontier_lines_are_bounded() -> None:
    """Eight products wait for their turn; six of them are shown."""
    names = [f"{k}{k}" for k in range(1, 10)]
    text = "\n".join([f"W{k} : (n, n)" for k in names] + ["x : n"] + [f"z{k} = W{k} x" for k in names])
    d = pb.derive(f"{text}\nE = loss({', '.join(f'z{k}' for k in names)})")
    first = d.record["blocks"][1]
    assert (len(first["waiting"]), first["waiting_more"]) == (6, 2)


def test_every_key_and_kind_is_documented() -> None:
    """docs/record.md names what a record holds: the keys of the record, of a step, of a result, and every kind of step."""
    said = set(re.findall(r"\w+", (Path(__file__).parents[2] / "docs" / "record.md").read_text(encoding="utf-8")))
    for name in ("layer", "folded", "from_to", "logsumexp"):
        r = made(name)
        kinds = {s["kind"] for part in ("steps", "index_steps", "diagram_steps") for s in r[part]}
        keys = {*r, *r["header"], *r["steps"][0], *r["backward"][0], *r["names"][0]}
        assert not (kinds | keys) - said, name
