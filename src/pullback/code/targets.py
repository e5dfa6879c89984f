"""The targets by name, and the forms that each is written in. A new target is a file `to_….py` beside these and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ParseError, nearest
from . import jax_mesh, to_jax, to_numba, to_numpy, to_scipy, to_tensorflow, to_torch, torch_mesh
from .frame import Target, Writer
from .mesh import MeshWriter

__all__ = ["FORMS", "MESHES", "TARGETS", "kernels_of", "mesh_writer_of", "writer_of"]

TARGETS: Mapping[str, Target] = {
    "numpy": to_numpy.NUMPY,
    "numba": to_numba.NUMBA,
    "jax": to_jax.JAX,
    "torch": to_torch.TORCH,
    "tensorflow": to_tensorflow.TENSORFLOW,
    "scipy": to_scipy.SCIPY,
}
FORMS: Mapping[str, Mapping[str, Writer]] = {
    "numpy": to_numpy.FORMS,
    "numba": to_numba.FORMS,
    "jax": to_jax.FORMS,
    "torch": to_torch.FORMS,
    "tensorflow": to_tensorflow.FORMS,
    "scipy": to_scipy.FORMS,
}
MESHES: Mapping[str, Mapping[str, MeshWriter]] = {"jax": jax_mesh.FORMS, "torch": torch_mesh.FORMS}


def kernels_of(name: str, plain: bool = False) -> frozenset[str]:
    """The functions that a target has whole, more of them where nothing differentiates what is written; a target that there is
    not has none."""
    if not isinstance(name, str) or name not in TARGETS:
        return frozenset()
    return TARGETS[name].kernels | (TARGETS[name].alone if plain else frozenset())


def writer_of(name: str, form: str = "function") -> Writer:
    """Raises ParseError P030 for a target, or a form of it, that there is not."""
    if not isinstance(name, str) or name not in FORMS:
        close = nearest(str(name), list(FORMS))
        raise ParseError(
            "P030", f"no target {name!s:.40}", expected=", ".join(FORMS), hint=f"did you mean {close}?" if close else ""
        )
    if form not in FORMS[name]:
        raise ParseError("P030", f"{name} has no form {form!s:.40}", expected=", ".join(FORMS[name]))
    return FORMS[name][form]


def mesh_writer_of(name: str, form: str) -> MeshWriter:
    """Raises ParseError P030 for a target, or a form of it, that is not written for a mesh."""
    writer_of(name, form)
    if form not in MESHES.get(name, {}):
        forms = [f"--target {n} --form {f}" for n, some in MESHES.items() for f in some]
        raise ParseError("P030", f"{name} has no mesh in the form {form}", expected=" or ".join(forms))
    return MESHES[name][form]
