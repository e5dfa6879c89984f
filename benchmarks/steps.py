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


def _start(stack: ExitStack, frameworks: Sequence[str], threads: int, say: Say) -> dict[str, Worker]:
    workers = {}
    for f in frameworks:
        try:
            workers[f] = stack.enter_context(Worker(f, threads))
        except Failed as why:
            say(f"skipped: {why}")
    return workers


def measure(problems: Sequence[Problem], threads: int, count: int, seconds: float, say: Say,
            frameworks: Sequence[str] = tuple(FRAMEWORKS)) -> dict[str, Any]:  # fmt: skip
    """{"info": of each process, "cases": [...]}; a candidate that fails or is wrong is an error of its case, and not timed."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        workers = _start(stack, frameworks, threads, say)
        judge = stack.enter_context(Worker("jax", 1))
        found: dict[str, Any] = {"info": {f: w.ask("info") for f, w in workers.items()}, "cases": []}
        for p in problems:
            start = time.monotonic()
            asked = {**_asked(p), "reference": f"{folder}/reference.npz"}
            judge.ask("reference", **asked)
            case: dict[str, Any] = {**_asked(p), "title": p.title, "said": p.said(), "threads": threads}
            case |= {"first": {}, "error": {}, "failed": {}, "seconds": {}}
            names = {f: _made(w, asked, case, say) for f, w in workers.items()}
            names = {f: some for f, some in names.items() if workers[f].alive}
            try:
                for n, t in rounds(workers, names, count, seconds):
                    case["seconds"].setdefault(n, []).append(t)
            except Failed as why:  # without all rounds a candidate is no row
                case["failed"]["a turn"] = str(why)
                case["seconds"] = {n: ts for n, ts in case["seconds"].items() if len(ts) == count}
            for f in [f for f, w in workers.items() if not w.alive]:
                say(f"  the process of {f} is gone: it is left out from now on")
                del workers[f]
            for w in workers.values():
                w.ask("drop")
            found["cases"].append(case)
            say(f"  {p.title}, {p.said()}, {p.dtype}, {threads} threads: {time.monotonic() - start:.0f} s")
        return found


def _made(w: Worker, asked: dict[str, Any], case: dict[str, Any], say: Say) -> list[str]:
    """The candidates of a process that give the right gradients."""
    names = []
    for n in w.ask("candidates", problem=asked["problem"])["names"]:
        try:
            made = w.ask("make", name=n, **asked)
        except Failed as why:
            case["failed"][n] = str(why)
            say(f"  {n}: {why}")
            if not w.alive:
                break
            continue
        names.append(n)
        case["first"][n], case["error"][n] = made["first"], made["error"]
    return names


def memory(
    problems: Sequence[Problem], say: Say, frameworks: Sequence[str] = tuple(FRAMEWORKS)
) -> list[dict[str, Any]]:
    """The memory of one call, each candidate in a process of its own."""
    found = []
    for p in problems:
        case: dict[str, Any] = {**_asked(p), "title": p.title, "said": p.said(), "failed": {}, "memory": {}}
        for f in frameworks:
            try:
                with Worker(f, 1) as w:
                    names = w.ask("candidates", problem=p.name)["names"]
            except Failed as why:
                say(f"skipped: {why}")
                continue
            for n in names:
                try:
                    with Worker(f, 1, memory=True) as w:
                        case["memory"][n] = w.ask("memory", name=n, **_asked(p))
                except Failed as why:
                    case["failed"][n] = str(why)
                    say(f"  {n}: {why}")
        found.append(case)
        say(f"  memory of {p.title}")
    return found
