"""Generated for every function of entries: a program that uses it is derived, proved and shown in every style."""

from __future__ import annotations

import pytest

import pullback as pb
from pullback.algebra.op import REGISTRY, Op
from pullback.algebra.ops.free import var

assert var  # importing an op declares them all
FUNCTIONS = [o for o in REGISTRY.values() if o.entrywise and o.calls]


def program(o: Op) -> str:
    """E = wᵀ f(x, ..), every argument an input."""
    names = "xyz"[: len(o.slots)]
    declared = "; ".join(
        f"{v} : {'n' if pattern else 'scalar'}" for v, (_, pattern) in zip(names, o.slots, strict=True)
    )
    data = ["3"] * len(o.attr_names)
    return f"{declared}; w : n where const; E = wᵀ {o.calls[0]}({', '.join([*data, *names])})"


def test_there_are_functions() -> None:
    assert len(FUNCTIONS) > 60


@pytest.mark.parametrize("o", FUNCTIONS, ids=lambda o: o.name)
def test_a_program_with_the_function_is_derived_in_every_style(o: Op) -> None:
    d = pb.derive(program(o))
    assert all(s.evidence for s in d.steps) and d.evidence
    for style in ("index", "scalar", "jacobian", "diagram"):
        assert d.text(style=style, level=2)
    assert o.calls[0] in d.text(level=4)
    assert d.latex(level=3) and d.markdown(level=2)
    if o.kink:
        assert o.kink.split(";")[0] in " ".join(d.text(level=3).split()).replace("- ", "-")
