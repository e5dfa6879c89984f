"""Processes that take turns: one for each framework, all on the same cores, and stopped while they wait.

A stopped process has no thread that spins for work, so that nobody is timed against the idle threads of another.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Failed", "Worker", "environment", "interpreter", "pinned", "rounds"]

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 240  # seconds for an answer: torch.compile takes its time
HELD = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # for the sake of older builds: they slow a current NumPy


class Failed(Exception):
    """What a process says, or that it says nothing."""


def interpreter(module: str) -> str | None:
    """A Python that has the module: this one, else one of the environments of the Makefile."""
    if importlib.util.find_spec(module):
        return sys.executable
    for name in (".venv", ".venv-frameworks", ".venv-bench"):
        home = Path(os.environ.get("PULLBACK_VENVS", ROOT)) / name
        if list(home.glob(f"lib/python*/site-packages/{module}/__init__.py")):
            return str(home / "bin" / "python")
    return None


def pinned(threads: int) -> list[int]:
    """The cores, the last ones: the first has the interrupts."""
    return sorted(os.sched_getaffinity(0))[-threads:]


def environment(threads: int) -> dict[str, str]:
    found = {k: v for k, v in os.environ.items() if k not in HELD}
    for name in ("OPENBLAS", "OMP", "MKL", "NUMBA"):
        found[f"{name}_NUM_THREADS"] = str(threads)
    found["PYTHONPATH"] = str(ROOT / "src")
    found["JAX_PLATFORMS"] = "cpu"
    found["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1" if threads == 1 else ""
    return found


class Worker:
    """A process of one framework with so many threads."""

    def __init__(self, framework: str, threads: int, memory: bool = False) -> None:
        python = interpreter(framework)
        if python is None:
            raise Failed(f"{framework} is not installed")
        self.framework = framework
        env = environment(threads)
        if memory:  # every array of 64 KiB or more has pages of its own, which go back when it does
            env |= {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
        cores = pinned(threads)
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name("worker.py")), framework, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not os.environ.get("PULLBACK_BENCH_LOUD") else None,
            text=True,
            env=env,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Raises Failed."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        self.process.send_signal(signal.SIGCONT)
        try:
            stdin.write(json.dumps({"do": do, **more}) + "\n")
            stdin.flush()
            ready, _, _ = select.select([stdout], [], [], PATIENCE)
            row = stdout.readline() if ready else ""
        except BrokenPipeError:
            ready, row = [stdin], ""
        if not row:
            self.close()
            ended = f"the process of {self.framework} ended ({self.process.returncode})"
            raise Failed(ended if ready else f"no answer in {PATIENCE} s")
        self.process.send_signal(signal.SIGSTOP)
        found: dict[str, Any] = json.loads(row)
        if "failed" in found:
            raise Failed(found["failed"])
        return found

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        if self.alive:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def rounds(
    workers: Mapping[str, Worker], names: Mapping[str, list[str]], count: int, seconds: float
) -> Iterator[tuple[str, float]]:
    """(candidate, seconds a call) round by round; each round begins with another one."""
    turns = [(w, n) for w in names for n in names[w]]
    for k in range(count):
        shift = k % len(turns)
        for w, n in turns[shift:] + turns[:shift]:
            yield n, workers[w].ask("time", name=n, seconds=seconds)["seconds"]
