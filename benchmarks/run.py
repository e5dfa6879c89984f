"""All benchmarks, and the report of them.

    python benchmarks/run.py [--quick] [--only PART ...] [--rounds N] [--json FILE] [--no-report] [-- options of scaling.py]

    scaling    derivation, proof and page as the program grows; start-up     benchmarks/scaling.py
    steps      a gradient step of an MLP in every target, beside others      benchmarks/steps.py
    problems   seven problems in JAX and PyTorch
    memory     of the seven problems
    symbolic   what the gradient costs before any number is computed         benchmarks/symbolic.py

The raw figures go to build/benchmarks.json, the tables and pictures to docs/. Frameworks are looked for in this environment, then in
.venv-frameworks and .venv-bench; what is not installed is skipped, with a line that says so. --quick is a small set with few rounds,
which shows that everything runs; its report goes to build/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import report
import steps
import symbolic
from problems import PROBLEMS, Problem
from rounds import ROOT
from scaling import machine

PARTS = ("scaling", "steps", "problems", "memory", "symbolic")
BATCHES = (1, 32, 256, 1024)
LAYERS = (2, 8, 32, 128, 512, 1024)
ROUNDS, TURN = 15, 0.03  # rounds; seconds of a turn
LIMIT = 60  # seconds for one symbolic run


def told() -> dict[str, Any]:
    model = machine().split(", ", 2)[2].rpartition(",")[0]
    return {"model": model, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(), "load": os.getloadavg()[0]}  # fmt: skip


def measured(parts: list[str], quick: bool, rounds: int) -> Iterator[tuple[str, Any]]:
    """Part by part what was found."""

    def say(line: str) -> None:
        print(line, flush=True)

    counts = (1,) if quick else tuple(n for n in (1, 2) if n <= len(os.sched_getaffinity(0)))
    frameworks = ("numpy", "jax") if quick else tuple(steps.FRAMEWORKS)
    turn = 0.001 if quick else TURN
    if "steps" in parts:
        say("steps")
        networks = _small("mlp") if quick else steps.network(BATCHES, ("float32", "float64"))
        yield "steps", [steps.measure(networks, n, rounds, turn, say, frameworks) for n in counts]
    if "problems" in parts:
        say("problems")
        problems = _small("logistic") if quick else steps.seven()
        yield "problems", [steps.measure(problems, n, rounds, turn, say, frameworks) for n in counts]
    if "memory" in parts:
        say("memory")
        problems = _small("logistic") if quick else steps.seven()
        yield "memory", steps.memory(problems, say, frameworks[: 1 if quick else None])
    if "symbolic" in parts:
        say("symbolic")
        systems = ["pullback"] if quick else list(symbolic.SYSTEMS)
        yield "symbolic", symbolic.measure((2, 3) if quick else LAYERS, LIMIT, say, systems)


def _small(name: str) -> list[Problem]:
    """One problem, with every size cut down to a few."""
    p = PROBLEMS[name]
    return [p.at(**{s: 3 + k for k, s in enumerate(p.sizes)})]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small set, to see that everything runs")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=0, metavar="N")
    parser.add_argument("--json", type=Path, default=None, help="where the raw figures go")
    parser.add_argument("--no-report", action="store_true")
    args, rest = parser.parse_known_args()
    parts = [p for p in args.only if p != "scaling"]
    status = 0
    if "scaling" in args.only:
        command = [sys.executable, str(Path(__file__).with_name("scaling.py")), *(x for x in rest if x != "--")]
        status = subprocess.run([*command, *(["--layers", "2", "4"] if args.quick else [])]).returncode
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if not parts:
        return status
    rounds = args.rounds or (2 if args.quick else ROUNDS)
    target = args.json or ROOT / "build" / ("benchmarks-quick.json" if args.quick else "benchmarks.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"steps": [], "problems": [], "memory": [], "symbolic": {}}
    if target.exists() and set(parts) < set(PARTS[1:]):  # the parts that are not measured now stay as they are
        found = json.loads(target.read_text())
    found |= {"machine": told(), "date": time.strftime("%Y-%m-%d"), "rounds": rounds, "quick": args.quick}
    with tempfile.TemporaryDirectory() as cache:  # torch.compile begins with an empty one
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        for part, result in measured(parts, args.quick, rounds):
            found[part] = result
            target.write_text(json.dumps(found, indent=1))
    print(f"raw figures: {target}")
    if not args.no_report:
        docs = ROOT / "docs"
        if args.quick:
            docs = target.parent / "benchmarks-quick"
            docs.mkdir(exist_ok=True)
            shutil.copy(ROOT / "docs" / "performance.md", docs)
        report.write(found, docs)
        print(f"report: {docs / 'performance.md'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
