"""The data of a call, `axis=0`, `stride=2`, as its op declares them: keywords, kinds, and what is taken where they are left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..algebra.dims import Dim, Shape
from ..algebra.op import Op
from ..errors import ParseError

__all__ = ["attributes_of"]

Value = Sequence[Dim]  # one entry for a number, several for `axis=(0, 1)`


def _integer(d: Dim, word: str) -> int:
    if d.constant is None:
        raise ParseError("P002", f"{word}={d} is no number", expected=f"a whole number, as in {word}=1")
    return d.constant


def _one(value: Value, word: str) -> Dim:
    if len(value) != 1:
        raise ParseError("P002", f"{word} is one number, not {len(value)}", expected=f"{word}=1")
    return value[0]


def _axis_among(value: Value, word: str, count: int) -> int:
    axis = _integer(_one(value, word), word)
    if not -count <= axis < count:
        raise ParseError("P051", f"there is no axis {axis}", expected=f"an axis between 0 and {count - 1}: axes are counted from 0"
                         if count else "a tensor: a number has no axis")  # fmt: skip
    return axis % count


def _axes(value: Value, word: str, order: int) -> tuple[int, ...]:
    found = tuple(_axis_among([d], word, order) for d in value)
    if len(set(found)) != len(found):
        raise ParseError("P051", "an axis is named twice", expected="each axis once")
    return found


def _step(d: Dim, word: str) -> int:
    found = _integer(d, word)
    if found < 1:
        raise ParseError("P002", f"{word}={found}", expected=f"{word}=1 or more")
    return found


def _several(value: Value, n: int, word: str, read: Callable[[Dim, str], Any]) -> tuple[Any, ...]:
    """One value for each of n axes; a single one stands for all."""
    wide = list(value) * n if len(value) == 1 else list(value)
    if len(wide) != n:
        raise ParseError(
            "P002",
            f"{word} has {len(wide)} numbers for {n} {'axis' if n == 1 else 'axes'}",
            expected=f"one number, or {n}",
        )
    return tuple(read(d, word) for d in wide)


def _size(d: Dim, word: str) -> Dim:
    if not any(c > 0 for _, c in d.terms):
        raise ParseError("P002", f"{word}={d}", expected="a positive size")
    return d


def _word(d: Dim, word: str, known: Sequence[str]) -> str:
    found = str(d)
    if found not in known:
        raise ParseError("P002", f"{word}={d}", expected=" or ".join(f"{word}={k}" for k in known))
    return found


def _as_it_is(d: Dim, word: str) -> Dim:
    return d


def _read(kind: str, value: Value, word: str, order: int) -> Any:
    kind, _, several = kind.partition(":")
    if several:
        read = {"steps": _step, "sizes": _size, "windows": _size, "numbers": _as_it_is}[kind]
        return _several(value, int(several), word, read)
    if kind in ("axis", "last axis", "last but one axis"):
        return _axis_among(value, word, order - (kind == "last but one axis"))
    if kind == "new axis":
        return _axis_among(value, word, order + 1)
    if kind == "axes":
        return tuple(sorted(_axes(value, word, order)))
    if kind == "order":
        return _axes(value, word, order)
    if kind == "sizes":
        return tuple(value)
    one = _one(value, word)
    if kind.startswith("word "):
        return _word(one, word, kind.split()[1:])
    if kind == "step":
        return _step(one, word)
    if kind == "whole":
        return _integer(one, word)
    return _size(one, word) if kind in ("size", "windows") else one


def _default(kind: str, order: int, word: str, name: str) -> Any:
    """What is taken for data that are left out. Raises ParseError P002."""
    if kind == "axes" and order:
        return tuple(range(order))
    if (kind == "last axis" and order) or (kind == "axis" and order == 1):
        return order - 1
    if kind == "last but one axis" and order > 1:
        return order - 2
    if not order:
        _axis_among([Dim({})], word, order)
    raise ParseError("P002", f"{name} needs {word}=…", expected=f"{name}(…, {word}=…)")


def attributes_of(o: Op, name: str, shapes: Sequence[Shape], given: Mapping[str, Value]) -> dict[str, Any]:
    """The attributes of a node from the options of a call. Raises ParseError, ShapeError."""
    order = len(shapes[0]) if shapes else 0
    words = {word for word, _ in o.options.values()}
    wrong = next((w for w in given if w not in words), None)
    if wrong is not None:
        raise ParseError(
            "P002", f"{name} has no option {wrong}", expected=", ".join(f"{w}=…" for w in words) or "no options"
        )
    found: dict[str, Any] = {}
    later: list[str] = []
    for key in o.attr_names:
        word, kind = o.options[key]
        if word in given:
            found[key] = _read(kind, given[word], word, order)
        elif key in o.defaults:
            found[key] = o.defaults[key]
        elif key in o.completes:
            later.append(key)
        else:
            found[key] = _default(kind, order, word, name)
    if o.complete is not None:
        found = o.complete(found, *shapes)
    missing = next((k for k in later if k not in found), None)
    if missing is not None:
        raise ParseError("P002", f"{name} needs {o.options[missing][0]}=…")
    return {k: found[k] for k in o.attr_names}
