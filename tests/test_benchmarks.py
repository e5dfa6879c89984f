"""The benchmarks run: what they time by name exists, and a small network is measured."""

import importlib.util
from pathlib import Path
from types import ModuleType

from pullback import api


def benchmarks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run", Path(__file__).parents[1] / "benchmarks" / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_phase_is_a_function_that_derive_calls() -> None:
    assert all(callable(getattr(api, name)) for name in benchmarks().PHASES.values())


def test_a_small_network_is_measured() -> None:
    run = benchmarks()
    found = run.measure(2, next(iter(run.FORMS)))
    assert all(found[phase] > 0 for phase in (*run.PHASES, "text", "whole"))
