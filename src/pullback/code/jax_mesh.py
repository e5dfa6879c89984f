"""JAX on a mesh of devices: the layout of every input and gradient, and the function over it, as the compiler or as we divide it.

With `shard_map` every line works on blocks, and the sums between devices are written where the index lists have them. JAX's check of
what is alike on all devices (`check_vma`) stays on: it finds a sum that is missing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from .door import door, weighed, words_of
from .frame import Target, Text, Words, begun
from .guards import bracketed
from .instructions import Value
from .mesh import Mesh, MeshWriter, laid_out, where
from .plan import Plan
from .syntax import call
from .to_jax import JAX
from .writer import body, described, function, module

__all__ = ["FORMS"]

_LAID = '''def _laid(name, x, mesh, spec):
    """The array in equal blocks over the mesh."""
    try:
        x = jnp.asarray(x)
    except (TypeError, ValueError) as why:
        raise TypeError(f"{name} cannot be made an array: {why}") from None
    if x.ndim != len(spec):
        raise ValueError(f"{name} has {x.ndim} axes, not {len(spec)}")
    for n, axis in zip(x.shape, spec):
        if axis is not None and n % mesh.shape[axis]:
            why = f"{n} is no multiple of {mesh.shape[axis]}, the devices along {axis}"
            raise ValueError(f"{name} has the shape {x.shape}, and {why}")
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, spec))'''

_DIVIDED = '''def _divided(mesh):
    """The mesh, on which we say what lies where (AxisType.Auto)."""
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh is a {type(mesh).__name__}, not a jax.sharding.Mesh")
    for axis in AXES:
        if axis not in mesh.axis_names:
            raise ValueError(f"the mesh has no axis {axis}, it has {mesh.axis_names}")
    auto = (AxisType.Auto,) * mesh.devices.ndim
    return Mesh(mesh.devices, mesh.axis_names, axis_types=auto)'''

_SHARDINGS = '''def shardings(mesh):
    """The layout of the arguments by name, and that of (value, gradients)."""
    mesh = _divided(mesh)
    inputs = {name: NamedSharding(mesh, spec) for name, spec in INPUTS.items()}
    gradients = {name: NamedSharding(mesh, spec) for name, spec in GRADIENTS.items()}
    return inputs, (NamedSharding(mesh, VALUE), gradients)'''

_OURS = frozenset(
    {
        "AXES",
        "AxisType",
        "GRADIENTS",
        "INPUTS",
        "Mesh",
        "NamedSharding",
        "VALUE",
        "blocks",
        "laid_out",
        "mesh",
        "over_blocks",
        "partial",
        "results",
        "shardings",
    }
)

MESHED: Target = replace(
    JAX,
    imports=("import jax", "import jax.numpy as jnp", "from jax.sharding import AxisType, Mesh, NamedSharding",
             "from jax.sharding import PartitionSpec as P"),
    reserved=JAX.reserved | _OURS,
    extras=(*JAX.extras, ("_laid(", "", _LAID), ("_divided(", "", _DIVIDED), ("partial(", "from functools import partial", "")),
)  # fmt: skip


def _write_laid_out(plan: Plan, words: Words, name: str, mesh: Mesh) -> str:
    """The function as it is, and one that computes it over a mesh: the compiler divides it."""
    t = _begun(plan, words, name, mesh)
    layout = list(_layout(t, mesh))
    lines = [*function(t, name), "", "", *layout, "", "", *_maker(t, name, mesh, _compiled(t, name))]
    return module(t.target, lines)


def _write_blocks(plan: Plan, words: Words, name: str, mesh: Mesh) -> str:
    """A function of one block of every array, and the one over a mesh that is made of it."""
    t = _begun(plan, words, name, mesh)

    def joined(v: Value, node: ast.expr) -> ast.expr:
        how, axes = mesh.joined(v, where(t, v))
        return call(f"p{how}", node, axes[0] if len(axes) == 1 else axes) if axes else node

    def extent(symbol: str) -> str:
        size = t.size(symbol)
        return f'({size} // jax.lax.axis_size("{mesh.along[symbol]}"))' if symbol in mesh.along else size

    layout = list(_layout(t, mesh))
    t.joined, t.extent = joined, extent
    lines = list(body(t))
    used = words_of(lines)
    functions = list(dict.fromkeys(t.functions.values()))
    known = [*(w for w in t.sizes.values() if w in used), *functions]
    names = [t.names[v] for v in plan.inputs]
    block = list(t.listed("def _block(", [*names, *(["*", *known] if known else [])], "):"))
    block.append('    """The value and the gradients, a block of each, from a block of every array."""')
    if "dtype" in used:
        block += t.typed_as(weighed(t, plan.inputs))
    lines = [*block, *lines, "", "", *layout, "", "", *_maker(t, name, mesh, _blocks(t, names, known))]
    return module(t.target, lines)


def _begun(plan: Plan, words: Words, name: str, mesh: Mesh) -> Text:
    return begun(plan, replace(MESHED, reserved=MESHED.reserved | {name}), words)


def _spec(mesh: Mesh, name: str, v: Value) -> str:
    axes = [f'"{a}"' if a else "None" for a in mesh.spec(v.shape, f"in {name}")]
    return f"P({', '.join(axes)})"


def _layout(t: Text, mesh: Mesh) -> Iterator[str]:
    """The constants AXES, INPUTS, VALUE and GRADIENTS, and the function that makes shardings of them."""
    axes = bracketed([f'"{a}"' for a in mesh.axes])
    yield f"# {laid_out(mesh)}"
    yield f"AXES = {axes}"
    yield "INPUTS = {"
    yield from (f'    "{t.names[v]}": {_spec(mesh, v.name, v)},' for v in t.plan.inputs)
    yield "}"
    yield f"VALUE = {_spec(mesh, 'the value', t.plan.value)}"
    yield "GRADIENTS = {"
    yield from (f'    "{n}": {_spec(mesh, "∇" + n, v)},' for n, v in t.plan.gradients.items())
    yield "}"
    yield ""
    yield ""
    yield from _SHARDINGS.split("\n")


def _maker(t: Text, name: str, mesh: Mesh, inside: Iterator[str]) -> Iterator[str]:
    """The function that makes one over a mesh; `inside` is what stands in it."""
    functions = list(dict.fromkeys(t.functions.values()))
    yield from t.listed(f"def make_{name}(", ["mesh=None", *(["*", *functions] if functions else [])], "):")
    counts, names = " × ".join(map(str, mesh.axes.values())), " × ".join(mesh.axes)
    yield f'    """The value and the gradients over a mesh, by default of {counts} devices: {names}.'
    yield ""
    yield from described(t)
    yield '    """'
    t.deeper = 4
    sizes = bracketed([str(n) for n in mesh.axes.values()])
    yield "    if mesh is None:"
    yield from (f"    {x}" for x in t.listed("    mesh = jax.make_mesh(", [sizes, "AXES"], ")"))
    yield "    mesh = _divided(mesh)"
    yield from inside


def _inputs(t: Text) -> Iterator[str]:
    for v in t.plan.inputs:
        if v.shape:
            n = t.names[v]
            yield from t.listed(f"    {n} = _laid(", [f'"{n}"', n, "mesh", f'INPUTS["{n}"]'], ")")


def _indented(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"    {x}" if x else "" for x in lines)


def _compiled(t: Text, name: str) -> Iterator[str]:
    names = [t.names[v] for v in t.plan.inputs]
    functions = list(dict.fromkeys(t.functions.values()))
    yield "    _, results = shardings(mesh)"
    yield ""
    yield from _indented(list(t.listed("def laid_out(", names, "):")))
    yield from _indented(list(_inputs(t)))
    yield from _indented(list(t.listed(f"    return {name}(", [*names, *(f"{f}={f}" for f in functions)], ")")))
    yield ""
    yield "    return jax.jit(laid_out, out_shardings=results)"


def _blocks(t: Text, names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    block = (
        list(t.listed("        partial(", ["_block", *(f"{w}={w}" for w in known)], "),"))
        if known
        else ["        _block,"]
    )
    yield ""
    yield from _indented(list(t.listed("def over_blocks(", names, "):")))
    yield from _indented([*door(t, block), *_inputs(t), "    blocks = jax.shard_map(", *block])
    yield from _indented([
        "        mesh=mesh,", "        in_specs=tuple(INPUTS.values()),", "        out_specs=(VALUE, GRADIENTS),", "        check_vma=True,",
        "    )", *t.listed("    return blocks(", names, ")")])  # fmt: skip
    yield ""
    yield "    return jax.jit(over_blocks)"


FORMS: Mapping[str, MeshWriter] = {"function": _write_laid_out, "shard_map": _write_blocks}
