"""A program is derived where it has real values; one that has none anywhere is refused."""

import pytest

import pullback as pb
from pullback.errors import ParseError, UnsupportedError

NOWHERE = [
    "s : scalar; E = (-1)^0.5 s",
    "s : scalar; E = log(s - s)",
    "E = norm(x - x)",
    "E = sqrt(x'x - x'x)",
    "s : scalar; E = log(s - s^2 - 1)",
]


@pytest.mark.parametrize("text", NOWHERE)
def test_a_program_without_a_real_point_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        pb.derive(text)
    assert caught.value.code == "U012"


@pytest.mark.parametrize(
    "text", ["s : scalar; E = log(-s^2)", "s : scalar; E = sqrt(-s^2 - 1)", "E = sum(sqrt(-exp(x)))"]
)
def test_an_argument_that_is_nowhere_in_the_domain_is_seen(text: str) -> None:
    """By intervals, without a search."""
    with pytest.raises(ParseError) as caught:
        pb.derive(text)
    assert caught.value.code == "P052"


@pytest.mark.parametrize(
    "part",
    ["log(-2)", "sqrt(-1/4)", "log(0)", "asin(3)", "acosh(1/2)", "atanh(1)", "lgamma(-3)", "log(−(−(−1)))", "(−2)^b"],
)
def test_a_number_outside_a_domain_is_named(part: str) -> None:
    """What can be seen needs no search; the place is that of the function."""
    with pytest.raises(ParseError) as caught:
        pb.derive(f"s, b : scalar; E = s {part}")
    assert caught.value.code == "P052" and caught.value.span is not None
    assert caught.value.span.text[caught.value.span.column - 1 :].startswith(part)


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
