"""Time and memory as the program grows, and the time to start.

Usage: python benchmarks/run.py [--markdown] [--huge] [--profile L] [--layers L ...] [--form FORM]

Scaling: a network of L layers written out, with other names and another size in every layer, derived with all
steps checked and FINAL; each layer in two lines, in one line, or with its bias folded into a block; each run in a process of its own. Seconds are of CPU time,
`wall` is by the clock. `ratio` is `whole` per layer over that of the line above: 1 is linear, and above LIMIT the
exit status is 1. `text` is the page of style pairing, its record included; the other readings are made when asked for.
Start-up: the commands in turn, so that all meet the same machine.
"""

import argparse
import cProfile
import importlib
import json
import os
import platform
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 1.3
ROUNDS = 15

# What pullback.derive does, by the names under which it is called: (module, function).
PHASES = {
    "parse": ("api", "parse_program"),
    "derive": ("api", "sweep"),
    "check": ("confirming", "check"),
    "FINAL": ("api", "confirm"),
    "read back": ("api", "read_back"),
}


# How the layer xₖ = tanh(Wₖ xₖ₋₁ + bₖ) is written.
FORMS: dict[str, Callable[[int], str]] = {
    "two lines": lambda k: f"z{k} = W{k} x{k - 1} + b{k}\nx{k} = tanh(z{k})",
    "one line": lambda k: f"x{k} = tanh(W{k} x{k - 1} + b{k})",
    "blocks": lambda k: f"V{k} = [W{k} b{k}]\nc{k} = [x{k - 1}; 1]\nz{k} = V{k} c{k}\nx{k} = tanh(z{k})",
}


def network(layers: int, form: str = "two lines") -> str:
    """The text of a network of that many layers, with a squared error on top."""
    rows = ["x0 : n0", f"t : n{layers} where data"]
    for k in range(1, layers + 1):
        rows += [f"W{k} : (n{k}, n{k - 1})", f"b{k} : n{k}"]
    rows += [FORMS[form](k) for k in range(1, layers + 1)]
    return "\n".join([*rows, f"E = ½ ‖x{layers} − t‖²"]) + "\n"


def timed(call: Callable[..., Any], spent: dict[str, float], phase: str) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return call(*args, **kwargs)
        finally:
            spent[phase] += time.process_time() - start

    return wrapper


def child(layers: int, form: str) -> dict[str, float]:
    """Seconds by phase and MiB, measured in this process."""
    import pullback.api as api

    text = network(layers, form)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = dict.fromkeys(PHASES, 0.0)
    for phase, (home, name) in PHASES.items():
        module = importlib.import_module(f"pullback.{home}")
        setattr(module, name, timed(getattr(module, name), spent, phase))
    start, wall = time.process_time(), time.perf_counter()
    derived = api.derive(text)
    proved = time.process_time()
    found = {**spent, "steps": len(derived.steps)}
    assert derived.text()
    end = time.process_time()
    found |= {"text": end - proved, "whole": end - start}
    found["wall"] = time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**found, "MiB": peak / 1024, "grown": (peak - before) / 1024}


def measure(layers: int, form: str) -> dict[str, float]:
    """The fastest of a few runs: what else the machine does can only slow one down."""
    runs = []
    for _ in range(3 if layers < 1000 else 1):
        command = [sys.executable, __file__, "--child", str(layers), "--form", form]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        runs.append(json.loads(done.stdout))
    return min(runs, key=lambda r: r["whole"])


def scaling(sizes: list[int], markdown: bool, form: str) -> bool:
    shown = [*PHASES, "text", "whole", "wall"]
    rows = [[f"layers, {form}", "steps", *[f"{p} s" for p in shown], "ratio", "peak MiB", "KiB per layer"]]
    linear = True
    last: tuple[int, float] | None = None
    for layers in sizes:
        r = measure(layers, form)
        ratio = r["whole"] / layers / (last[1] / last[0]) if last else None
        linear = linear and (ratio is None or ratio <= LIMIT)
        last = layers, r["whole"]
        times = [f"{r[p]:.3f}" for p in shown]
        memory = [f"{r['MiB']:.0f}", f"{1024 * r['grown'] / layers:.0f}"]
        rows.append([f"{layers:,}", f"{r['steps']:,}", *times, f"{ratio:.2f}" if ratio else "", *memory])
    show(rows, markdown)
    return linear


def commands() -> dict[str, list[str]]:
    python = sys.executable
    here = Path(python).with_name("pullback")
    pullback = [str(here)] if here.exists() else [python, "-m", "pullback"]
    return {
        "python -c pass": [python, "-c", "pass"],
        "import pullback": [python, "-c", "import pullback"],
        "pullback --version": [*pullback, "--version"],
        "import pullback.cli": [python, "-c", "import pullback.cli"],
        "pullback derive examples/layer.eqn": [*pullback, "derive", str(ROOT / "examples" / "layer.eqn")],
    }


def startup(markdown: bool) -> None:
    spent: dict[str, list[float]] = {name: [] for name in commands()}
    with tempfile.TemporaryDirectory() as caches:  # compiled modules are kept between runs, whatever this shell says
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": caches}
        for _ in range(ROUNDS + 1):
            for name, command in commands().items():
                start = time.perf_counter()
                subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=env)
                spent[name].append(1000 * (time.perf_counter() - start))
    kept = {name: s[1:] for name, s in spent.items()}  # the first round fills the caches
    base = statistics.median(kept["python -c pass"])
    rows = [["command", "median ms", "fastest ms", "above python"]]
    for name, s in kept.items():
        middle = statistics.median(s)
        rows.append([name, f"{middle:.0f}", f"{min(s):.0f}", f"{middle - base:+.0f}"])
    show(rows, markdown)


def show(rows: list[list[str]], markdown: bool) -> None:
    """A table; the first column to the left, the others to the right."""
    widths = [max(len(r[k]) for r in rows) for k in range(len(rows[0]))]
    cells = [[r[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(r[1:], widths[1:], strict=True))] for r in rows]
    if markdown:
        rule = [":" + "-" * (widths[0] - 1), *("-" * (w - 1) + ":" for w in widths[1:])]
        print(*["| " + " | ".join(r) + " |" for r in [cells[0], rule, *cells[1:]]], sep="\n")
    else:
        print(*["  ".join(r).rstrip() for r in cells], sep="\n")
    print()


def profile(layers: int) -> None:
    """Where the time goes: first in deriving and proving, then in the record and the text."""
    import pullback

    text = network(layers)
    first, second = cProfile.Profile(), cProfile.Profile()
    derived = first.runcall(pullback.derive, text)
    pstats.Stats(first).sort_stats("tottime").print_stats(25)
    second.runcall(derived.text)
    pstats.Stats(second).sort_stats("tottime").print_stats(25)


def machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [row.split(":", 1)[1].strip() for row in info.read_text().splitlines() if row.startswith("model name")]
        model = names[0] if names else model
    return f"Python {platform.python_version()}, {platform.system()}, {model}, {os.cpu_count()} cores"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--huge", action="store_true", help="10 000 layers too")
    parser.add_argument("--layers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--profile", type=int, metavar="L", help="where the time goes at L layers, and nothing else")
    parser.add_argument("--form", choices=FORMS, help="layers written in this form only")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(args.child, args.form)))
        return 0
    if args.profile:
        profile(args.profile)
        return 0
    print(f"{machine()}\n")
    sizes = [*args.layers, *([10_000] if args.huge else [])]
    found = [scaling(sizes, args.markdown, form) for form in ([args.form] if args.form else FORMS)]
    startup(args.markdown)
    if not all(found):
        print(f"more than linear: a ratio is above {LIMIT}")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
