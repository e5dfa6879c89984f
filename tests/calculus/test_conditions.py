"""What a formula needs is said of the entries of a tensor, and of a number itself."""

import pullback as pb


def said(text: str) -> set[str]:
    return {c["text"] for s in pb.derive(text).record["steps"] for c in s["conditions"]}


def test_a_number_has_no_entries() -> None:
    assert said("s : scalar; f : entrywise; E = log(s) + f(s)") == {"s is positive", "f is differentiable at s"}


def test_a_tensor_has_entries() -> None:
    assert said("f : entrywise; E = sum(log(x) + f(x))") == {
        "every entry of x is positive",
        "f is differentiable at every entry of x",
    }


def test_a_size_is_positive_and_no_more() -> None:
    assert said("x : n; E = sum(x) acosh(n)") == {"n is greater than 1"}
    assert said("x : n; E = sum(x) log(n)") == set()
