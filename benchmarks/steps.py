"""Gradient steps: the network at several batch sizes, and seven problems, every candidate in turn; and their memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from candidates import FRAMEWORKS
from problems import PROBLEMS, Problem, mlp
from rounds import Failed, Worker, rounds

__all__ = ["measure", "memory", "network", "seven"]

Say = Callable[[str], None]


def network(batches: Sequence[int], dtypes: Sequence[str]) -> list[Problem]:
    return [mlp(b, d) for d in dtypes for b in batches]


def seven() -> list[Problem]:
    return list(PROBLEMS.values())


def _asked(p: Problem) -> dict[str, Any]:
    return {"problem": p.name, "sizes": dict(p.sizes), "dtype": p.dtype}


def _start(stack: ExitStack, frameworks: Sequence[str], threads: int, cache: str, say: Say) -> dict[str, Worker]:
    workers = {}
    for f in frameworks:
        try:
            workers[f] = stack.enter_context(Worker(f, threads, cache))
        except Failed as why:
            say(f"skipped: {why}")
    return workers


def measure(problems: Sequence[Problem], threads: int, count: int, seconds: float, say: Say,
            frameworks: Sequence[str] = tuple(FRAMEWORKS)) -> dict[str, Any]:  # fmt: skip
    """{"info": of each process, "cases": [...]}; a candidate that fails or is wrong is an error of its case, and not timed."""
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        workers = _start(stack, frameworks, threads, cache, say)
        judge = stack.enter_context(Worker("jax", 1, cache))
        found: dict[str, Any] = {"info": {f: w.ask("info") for f, w in workers.items()}, "cases": []}
        for p in problems:
            start = time.monotonic()
            asked = {**_asked(p), "reference": f"{cache}/reference.npz"}
            judge.ask("reference", **asked)
            case: dict[str, Any] = {**_asked(p), "title": p.title, "said": p.said(), "threads": threads}
            case |= {"first": {}, "error": {}, "failed": {}, "seconds": {}}
            names: dict[str, list[str]] = {}
            for f, w in workers.items():
                names[f] = []
                for n in w.ask("candidates", problem=p.name)["names"]:
                    try:
                        made = w.ask("make", name=n, **asked)
                    except Failed as why:
                        case["failed"][n] = str(why)
                        say(f"  {n}: {why}")
                        if w.process.poll() is not None:
                            raise
                        continue
                    names[f].append(n)
                    case["first"][n], case["error"][n] = made["first"], made["error"]
            for n, t in rounds(workers, names, count, seconds):
                case["seconds"].setdefault(n, []).append(t)
            for w in workers.values():
                w.ask("drop")
            found["cases"].append(case)
            say(f"  {p.title}, {p.said()}, {p.dtype}, {threads} threads: {time.monotonic() - start:.0f} s")
        return found


def memory(
    problems: Sequence[Problem], say: Say, frameworks: Sequence[str] = tuple(FRAMEWORKS)
) -> list[dict[str, Any]]:
    """The memory of one call, each candidate in a process of its own."""
    found = []
    with tempfile.TemporaryDirectory() as cache:
        for p in problems:
            case: dict[str, Any] = {**_asked(p), "title": p.title, "said": p.said(), "failed": {}, "memory": {}}
            for f in frameworks:
                names: list[str] = []
                try:
                    with Worker(f, 1, cache) as w:
                        names = w.ask("candidates", problem=p.name)["names"]
                except Failed as why:
                    say(f"skipped: {why}")
                for n in names:
                    try:
                        with Worker(f, 1, cache, memory=True) as w:
                            case["memory"][n] = w.ask("memory", name=n, **_asked(p))
                    except Failed as why:
                        case["failed"][n] = str(why)
                        say(f"  {n}: {why}")
            found.append(case)
            say(f"  memory of {p.title}")
    return found
