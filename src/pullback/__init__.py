"""pullback: equations go in, a proved derivation of their backpropagation comes out.

Public names load on first use (PEP 562): `import pullback` and `pullback --version` cost next to nothing.
"""

from importlib import import_module

from pullback._version import __version__

_EXPORTS: dict[str, str] = {
    "Comparison": "pullback.comparing",
    "Derived": "pullback.api",
    "Explanation": "pullback.explaining",
    "Gradient": "pullback.api",
    "Jacobian": "pullback.second",
    "Program": "pullback.language.program",
    "Proof": "pullback.proving",
    "PullbackError": "pullback.errors",
    "ParseError": "pullback.errors",
    "ShapeError": "pullback.errors",
    "UnsupportedError": "pullback.errors",
    "CheckFailed": "pullback.errors",
    "compare": "pullback.comparing",
    "defined": "pullback.language.own_operators",
    "derive": "pullback.api",
    "explain": "pullback.explaining",
    "function": "pullback.language.operators",
    "functional": "pullback.language.operators",
    "hessian": "pullback.second",
    "jacobian": "pullback.second",
    "map_to": "pullback.language.operators",
    "ops": "pullback.language.operators",
    "parse_program": "pullback.language.text",
    "prove": "pullback.proving",
    "tensor": "pullback.language.operators",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value  # the next look-up does not come here again
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
