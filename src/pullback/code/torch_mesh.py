"""PyTorch on a mesh of devices: the layout of every input, and the sharding rules by which DTensor runs the ops on blocks.

DTensor calls an op with the blocks of its arguments where a rule says what the blocks of the results then are, and lays the arguments
out anew where none fits. The rules follow from the index lists: what has a leg that is cut is cut along it, and a sum over such a leg
is a part of the sum (`Partial`), which whoever reads the result adds up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..errors import ParseError, UnsupportedError
from .autodiff import Passes, write_differentiable
from .frame import Text, Words
from .guards import bracketed
from .instructions import Given, Value
from .mesh import Mesh, MeshWriter, laid_out, where
from .pending import pending
from .plan import Plan
from .to_torch import REUSING
from .torch_op import ops

__all__ = ["FORMS"]

_IMPORTS = (
    "from torch.distributed.tensor import (\n    DTensor,\n    Partial,\n    Replicate,\n    Shard,\n    distribute_tensor,\n)",
    "from torch.distributed.tensor.experimental import register_sharding",
)
_OURS = frozenset(
    {"DTensor", "INPUTS", "Partial", "Replicate", "Shard", "distribute_tensor", "laid_out", "mesh", "register_sharding"}
)
_WHOLE = '''def _whole(arrays):
    """The arrays, DTensors whole on every device, and what makes DTensors of results."""
    mesh = next((x.device_mesh for x in arrays if isinstance(x, DTensor)), None)

    def laid(x):
        if mesh is None:
            return x
        return DTensor.from_local(x, mesh, [Replicate()] * mesh.ndim, run_check=False)

    return [x.full_tensor() if isinstance(x, DTensor) else x for x in arrays], laid'''

_PARTS = {"sum": "Partial()", "max": 'Partial("max")', "min": 'Partial("min")'}


def _write_op(plan: Plan, words: Words, name: str, mesh: Mesh) -> str:
    """The module of the form `op`, with rules for DTensor."""
    cut = [s for s in mesh.along if any(s in d.symbols() for v in plan.inputs for d in v.shape)]
    if not cut:
        raise ParseError(
            "P030", "the mesh lays no size along an axis", expected='a size beside an axis, as in --mesh "data=4: B"'
        )
    target = replace(
        REUSING,
        imports=(*REUSING.imports, *_IMPORTS),
        extras=(*REUSING.extras, ("_whole(", "", _WHOLE)),
        reserved=REUSING.reserved | _OURS | {name, f"_{name}", f"_{name}_backward"},
    )
    return write_differentiable(
        plan,
        words,
        name,
        target=target,
        shell=partial(_laid, mesh=mesh),
        guarded=True,
        owned=True,
        cut=cut,
        ahead=partial(_layout, mesh=mesh),
    )


def _laid(t: Text, name: str, p: Passes, mesh: Mesh) -> Iterator[str]:
    """The ops, their rules, and the function that lays the arguments out."""
    lines = list(ops(t, name, p))
    at = next(k for k, x in enumerate(lines) if x.startswith(f"def {name}("))
    yield from lines[:at]
    yield from _rules(t, name, p, mesh)
    yield from ("", "")
    yield from lines[at:]


def _layout(t: Text, _: str, p: Passes, mesh: Mesh) -> Iterator[str]:
    """Where the inputs lie, and the function that lays them there."""
    yield f"# {laid_out(mesh)}"
    yield "INPUTS = {"
    for v in p.inputs:
        axes = mesh.spec(v.shape, f"in {v.name}")
        some = [f"Shard({axes.index(a)})" if a in axes else "Replicate()" for a in mesh.axes]
        yield from t.listed(f'    "{t.names[v]}": (', some, ",)," if len(some) == 1 else "),")
    yield "}"
    names = [t.names[v] for v in p.inputs]
    yield from ("", "")
    yield from t.listed("def laid_out(", ["mesh", *names], "):")
    counts, which = " × ".join(map(str, mesh.axes.values())), " × ".join(mesh.axes)
    yield f'    """The arguments as DTensors over a mesh, planned for {counts} devices: {which}."""'
    yield "    axes = " + bracketed([f'"{a}"' for a in mesh.axes])
    yield "    if mesh.mesh_dim_names not in (None, axes):"
    yield '        raise ValueError(f"the mesh has the axes {mesh.mesh_dim_names}, not {axes}")'
    yield from t.listed("    arrays = [", names, "]")
    yield "    arrays = [torch.as_tensor(x) for x in arrays]"
    yield "    return [distribute_tensor(x, mesh, p) for x, p in zip(arrays, INPUTS.values())]"


def _rules(t: Text, name: str, p: Passes, mesh: Mesh) -> Iterator[str]:
    """For each op: the placements of its results and of its arguments, for one axis of a mesh."""
    plan = t.plan
    made = [v for v in p.kept if v not in p.inputs and v is not plan.value]
    gradients = [plan.gradients[v.name] for v in p.inputs if v.name in plan.gradients]
    before, behind = plan.values[: plan.backward], plan.values[plan.backward :]
    seed = next(v for v in plan.values if t.names.get(v) == p.cotangent)
    given = [v for v in plan.values if isinstance(v.by, Given)]
    numbers = ["None"] * len(p.numbers)
    forward, backward = [], []
    for axis in mesh.axes:
        if axis not in mesh.along.values():
            continue
        comment = f"# {', '.join(s for s, a in mesh.along.items() if a == axis)} along {axis}"

        def placed(v: Value, how: Mapping[Value, str], axis: str = axis) -> str:
            axes = mesh.spec(v.shape, where(t, v))
            return _PARTS[how[v]] if how[v] else f"Shard({axes.index(axis)})" if axis in axes else "Replicate()"

        say = partial(where, t)
        whole = dict.fromkeys([*given, seed, *t.static], "")
        first = pending(before, whole, mesh, axis, say)
        kept = [v for v in p.kept if v not in p.inputs]
        try:  # what is kept as it comes from the forward pass
            second = pending(behind, {**whole, **{v: first[v] for v in kept}}, mesh, axis, say)
        except UnsupportedError:  # what is kept joined on the way
            second = pending(behind, {**whole, **dict.fromkeys(kept, "")}, mesh, axis, say)
        forward.append((comment, [placed(v, first) for v in (plan.value, *made)],
                        [*(placed(v, first) for v in p.inputs), *numbers]))  # fmt: skip
        backward.append((comment, [placed(v, second) for v in gradients],
                         [*(placed(v, second) for v in (seed, *p.inputs, *kept)), *numbers, "None"]))  # fmt: skip
    yield from _registered(t, f"_{name}", forward, len(p.numbers), ())
    yield from ("", "")
    moving = [k for k, v in enumerate(p.inputs) if v.name in plan.gradients]
    yield from _registered(t, f"_{name}_backward", backward, len(p.numbers) + 1, moving if len(moving) > 1 else ())


def _registered(
    t: Text, op: str, rules: Sequence[tuple[str, list[str], list[str]]], numbers: int, moving: Sequence[int]
) -> Iterator[str]:
    """The rules of one op, that of whole arrays first. A gradient that is not needed is an empty array, whole everywhere: those are
    told by the last argument, of the `moving` inputs."""
    _, results, arguments = rules[0]
    yield f"@register_sharding({op}._opoverload)"
    yield "def _(*args):"
    yield "    rules = ["
    yield f"        ([Replicate()] * {len(results)}, [Replicate()] * {len(arguments) - numbers} + [None] * {numbers}),"
    for comment, results, arguments in rules:
        yield f"        {comment}"
        yield "        ("
        yield from t.listed("            [", results, "],")
        yield from t.listed("            [", arguments, "],")
        yield "        ),"
    yield "    ]"
    if not moving:
        yield "    return rules"
        return
    yield from t.listed("    moving = (", [str(k) for k in moving], ")")
    yield "    needs = [args[-1][k] for k in moving]"
    yield "    return ["
    yield "        ([p if need else Replicate() for p, need in zip(results, needs)], arguments)"
    yield "        for results, arguments in rules"
    yield "    ]"


FORMS: Mapping[str, MeshWriter] = {"op": _write_op}
