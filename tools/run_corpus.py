"""Derives every problem of a corpus and compares the results with their truth.

Usage: python tools/run_corpus.py FILE.jsonl ... [--ids a,b] [--jobs N] [--points 3] [--target numpy] [--verbose] [--json out.json]

Each problem is derived from the text of its `expr`, in the MATLAB-like dialect. The result is evaluated in float64 and
compared with JAX's derivative of the problem's lambda: at the sizes that are given, with every size one larger, and with
sizes that all differ, at random points from the largest domain that its properties allow. A truth is not printed from:
it is compared with.

Right: the same numbers at every point. Refused: there is no result, and a reason; codes that begin with R are the runner's
own (docs/corpus.md). Wrong: other numbers, a result that cannot be evaluated, or a crash. Exit status 1 if any is wrong.

Length ratio: the length of our printed form over that of the given truth, both written by one printer and counted by one
function (pullback/show/length.py): atoms and operators; brackets are free. The truth is read by our own reader, its
bindings counted once each and as one atom wherever they are used. Ours is the final equation of the gradient with every
backward equation (∇S) and own name that it rests on, counted in the same way, or with all of them written out, whichever
is shorter. On both sides a name that is used once is written out, and a name that the problem binds is one atom.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import corpus_verdicts
from corpus_problems import problems
from corpus_verdicts import Outcome, judge

import pullback as pb

FOLDER = Path(os.environ.get("PULLBACK_CORPORA", Path(__file__).resolve().parents[2] / "shared" / "corpora"))


def outcomes(rows: Sequence[dict[str, Any]], points: int, jobs: int) -> Iterator[Outcome]:
    """The outcome of each problem, in order."""
    work = partial(judge, points=points)
    if jobs == 1:
        pb.derive("E = sum(x)")  # what loads at the first derivation is not the problem's time
        yield from map(work, rows)
        return
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=pb.derive, initargs=("E = sum(x)",)
    ) as pool:
        yield from pool.map(work, rows, chunksize=4)


def counts(found: Sequence[Outcome]) -> Counter[str]:
    return Counter(o.verdict for o in found)


def summary(found: Sequence[Outcome]) -> Iterator[str]:
    """The report, line by line."""
    n = counts(found)
    for verdict in ("wrong", "refused"):
        some = [o for o in found if o.verdict == verdict]
        if some:
            yield f"{verdict.upper()}"
            yield from (f"  {o.id}  {o.code}  {o.reason}" for o in some)
            yield ""
    reasons = Counter((o.code, o.reason) for o in found if o.verdict == "refused")
    if reasons:
        yield "REASONS OF REFUSALS"
        yield from (f"  {times:4d}  {code}  {reason}" for (code, reason), times in reasons.most_common())
        yield ""
    yield from _lengths(found)
    yield from _times(found)
    skipped = f" ({n['skipped']} skipped: text that is descriptive only)" if n["skipped"] else ""
    yield f"{n['right']} right, {n['refused']} refused, {n['wrong']} wrong{skipped}"


def _lengths(found: Sequence[Outcome]) -> Iterator[str]:
    rated = sorted((o.ratio, o.id) for o in found if o.ratio is not None)
    if not rated:
        return
    ratios = [r for r, _ in rated]
    over = {limit: sum(r > limit + 1e-9 for r in ratios) for limit in (1.1, 2)}
    yield (f"LENGTH RATIO of {len(ratios)}: median {statistics.median(ratios):.2f}, max {ratios[-1]:.2f}, "
           f"{over[1.1]} over 1.1, {over[2]} over 2")  # fmt: skip
    longest = [f"{name} {r:.2f}" for r, name in reversed(rated) if r > 1.5]
    if longest:
        yield "  over 1.5: " + ", ".join(longest)
    yield ""


def _times(found: Sequence[Outcome]) -> Iterator[str]:
    timed = sorted((o.seconds, o.id) for o in found if o.seconds is not None)
    if not timed:
        return
    seconds = [s for s, _ in timed]
    yield (f"DERIVE TIME of {len(timed)}, all checks on: median {statistics.median(seconds) * 1000:.0f} ms, "
           f"max {seconds[-1]:.2f} s")  # fmt: skip
    slow = [f"{name} {s:.2f} s" for s, name in reversed(timed) if s > 1]
    if slow:
        yield "  over 1 s: " + ", ".join(slow)
    yield ""


def one_line(o: Outcome) -> str:
    ratio = f"  ratio {o.ratio:.2f} ({o.length}/{o.truth_length})" if o.ratio is not None else ""
    time = f"  {o.seconds * 1000:.0f} ms" if o.seconds is not None else ""
    detail = f"  {o.code} {o.reason}" if o.code else f"  {o.reason}" if o.reason else ""
    lines = [f"{o.verdict:8s} {o.id}{ratio}{time}{detail}"]
    lines += [f"    {o.answer}"] if o.answer else []
    lines += [f"    truth: {o.truth}"] if o.truth and o.answer and (o.ratio or 0) > 1 else []
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="See docs/corpus.md.")
    parser.add_argument(
        "files", nargs="*", type=Path, help="JSON lines; default: every .jsonl in PULLBACK_CORPORA or ../shared/corpora"
    )
    parser.add_argument("--ids", default="", help="only these problems, with commas between")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--points", type=int, default=3, help="random points for each choice of sizes")
    parser.add_argument(
        "--target",
        default="",
        help="run the generated code of numpy, jax, torch or tensorflow instead of the evaluator",
    )
    parser.add_argument("--verbose", action="store_true", help="one line for each problem")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every outcome as JSON")
    asked = parser.parse_args(argv)
    if asked.target:
        os.environ["PULLBACK_TARGET"] = corpus_verdicts.TARGET = asked.target  # also of the processes that are started
    files = asked.files or sorted(FOLDER.glob("*.jsonl"))
    if not files:
        print(f"no corpora: {FOLDER} holds no .jsonl file (name files, or set PULLBACK_CORPORA)")
        return 0
    wanted = set(filter(None, asked.ids.split(",")))
    rows = [p for p in problems(files) if not wanted or p["id"] in wanted]
    if unknown := wanted - {p["id"] for p in rows}:
        parser.error(f"there is no problem {', '.join(sorted(unknown))}")
    found: list[Outcome] = []
    for o in outcomes(rows, asked.points, asked.jobs):
        found.append(o)
        if asked.verbose:
            print(one_line(o))
        if sys.stderr.isatty():
            n = counts(found)
            print(
                f"\r{len(found)}/{len(rows)}  {n['wrong']} wrong  {o.id[:40]:40s}", end="", file=sys.stderr, flush=True
            )
    if sys.stderr.isatty():
        print("\r" + " " * 70 + "\r", end="", file=sys.stderr)
    print("\n".join(summary(found)))
    if asked.json:
        asked.json.write_text(
            json.dumps([{**asdict(o), "ratio": o.ratio} for o in found], ensure_ascii=False, indent=1) + "\n"
        )
    return 1 if counts(found)["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
