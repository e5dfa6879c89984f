"""What holds for all tests: JAX computes in float64, and compiles as fast as it can rather than as well."""

from __future__ import annotations

import gc
import os

import pytest

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiling is most of the work


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there from now on is never garbage; 13 000 tests are a million objects to look through each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
