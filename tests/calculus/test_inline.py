"""Our own names written out: claims rest on the names they are made of, so that a program twice as long has twice the work."""

from collections.abc import Callable

import pytest

import pullback as pb

FORMS: dict[str, Callable[[int], str]] = {
    "one line": lambda k: f"x{k} = f(W{k} x{k - 1} + b{k})",
    "blocks": lambda k: f"V{k} = [W{k} b{k}]\nc{k} = [x{k - 1}; 1]\nz{k} = V{k} c{k}\nx{k} = f(z{k})",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_claim_rests_on_no_more_names_in_a_longer_program(form: str) -> None:
    most = []
    for layers in (4, 16):
        rows = ["x0 : n", *(f"W{k} : (n, n)\nb{k} : n" for k in range(1, layers + 1))]
        d = pb.derive("\n".join([*rows, *map(FORMS[form], range(1, layers + 1)), f"E = loss(x{layers})"]))
        inlined = [s for s in d.steps if s.kind in ("inline", "blocks")]
        assert len(inlined) >= layers
        most.append(max(len(s.claim.where) for s in inlined))
    assert most[0] == most[1] <= 4
