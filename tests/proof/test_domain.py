"""A program is derived where it has real values; one that has none anywhere is refused."""

import pytest

import pullback as pb
from pullback.errors import UnsupportedError

NOWHERE = [
    "s : scalar; E = log(-s^2)",
    "s : scalar; E = sqrt(-1) s",
    "s : scalar; E = (-1)^0.5 s",
    "s : scalar; E = log(0) s",
    "E = sum(sqrt(-exp(x)))",
    "E = norm(x - x)",
    "E = sqrt(x'x - x'x)",
    "s : scalar; E = log(s - s^2 - 1)",
]


@pytest.mark.parametrize("text", NOWHERE)
def test_a_program_without_a_real_point_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        pb.derive(text)
    assert caught.value.code == "U012"


NARROW = [
    "s : scalar; E = log(s - 5)",
    "E = sum(log(a - b))",
    "E = sum(log((x - 1) ⊙ (2 - x)))",
    "E = log(1 - x'x)",
    "E = sum(log(p) + log(1 - p))",
]


@pytest.mark.parametrize("text", NARROW)
def test_a_narrow_domain_is_found(text: str) -> None:
    assert any(e.level == "TESTED-FLOAT" for e in pb.derive(text).evidence)


@pytest.mark.parametrize(
    "text",
    [
        "s : scalar; E = exp(exp(exp(exp(exp(exp(s))))))",
        "E = (99999999999999999999 ‖x‖²)^30",
        "E = 1e250 ‖x‖^4",
        "s : scalar; E = ((9^99)^50) s",
        "s : scalar; E = (s^100)^100",
        "s : scalar; E = (1e300 s)^20",
        "s : scalar; E = 1e300 (1e300 s)",
        "s : scalar; E = ((2^1000)^1000)^1000 s",
    ],
)
def test_a_value_too_large_for_floats_is_no_reason_to_refuse(text: str) -> None:
    assert [e.level for e in pb.derive(text).evidence][-1] == "LIFT"
