"""docs/performance.md between its markers, and its pictures, from the stored JSON of a run.

    python benchmarks/report.py [build/benchmarks.json]

A ratio is the median over the rounds of the ratios within a round; who is behind on a row is said in words.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from math import log10
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from chart import INK, Line, Panel, chart
from rounds import ROOT

__all__ = ["BEGIN", "END", "pictures", "ratio", "text", "write"]

BEGIN, END = "<!-- made by benchmarks/report.py: begin -->", "<!-- end -->"
FLOOR = "floor: the products alone"
TORCH_FLOOR = "floor: the products alone, PyTorch"
PEERS = ("jax.grad", "torch eager", "torch.compile")
PEERS_OF_MEMORY = (
    ("ours JAX", "jax.grad"),
    ("ours PyTorch", "torch eager"),
    ("ours PyTorch", "torch eager, fused"),
)
NOISE = 1.05  # what two equal candidates differ by
NEAR = 1.15  # what is aimed at: times the floor, from batch 256 on,
TWICE = 0.5  # of the best peer at batch 1,
EAGER = 0.8  # of PyTorch's eager autograd
BLUE, GREEN, ORANGE, RED, PURPLE, BROWN = "#0969da", "#1a7f37", "#d4730d", "#cf222e", "#8250df", "#7d4e00"
STROKES = {
    "pullback": (BLUE, ""),
    "pullback, every step checked": (BLUE, "6 4"),
    "pullback, one line for all k": (BLUE, "2 3"),
    "JAX: jaxpr of jax.grad": (GREEN, ""),
    "JAX: lowered": (GREEN, "6 4"),
    "CasADi MX": (ORANGE, ""),
    "CasADi SX": (ORANGE, "6 4"),
    "PyTensor": (PURPLE, ""),
    "tensorgrad": (RED, ""),
    "SymPy": (BROWN, ""),
}

Case = dict[str, Any]


def ratio(case: Case, a: str, b: str) -> float:
    return statistics.median(x / y for x, y in zip(case["seconds"][a], case["seconds"][b], strict=True))


def middle(case: Case, name: str) -> float:
    return statistics.median(case["seconds"][name])


def ours(case: Case, framework: str = "") -> list[str]:
    return [n for n in case["seconds"] if n.startswith(f"ours {framework}".rstrip())]


def _complete(case: Case) -> bool:
    """Whether the floor, one of ours and one of the others were timed."""
    return FLOOR in case["seconds"] and bool(ours(case)) and any(n in case["seconds"] for n in PEERS)


def best(case: Case, names: Sequence[str]) -> str:
    return min(names, key=lambda n: middle(case, n))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: bool = True) -> Iterator[str]:
    """The first column to the left, the last one too if it holds words, the others to the right."""
    if not rows:
        yield "(nothing was timed)"
        yield ""
        return
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join(["---", *["---:"] * (len(head) - 2), "---" if words else "---:"]) + " |"
    yield from ("| " + " | ".join(r) + " |" for r in rows)
    yield ""


def duration(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def cell(case: Case, name: str, base: str) -> str:
    """The time of a candidate, and in brackets times that of another; or nothing."""
    if name not in case["seconds"]:
        return "failed" if name in case["failed"] else ""
    beside = f" ({ratio(case, name, base):.2f})" if base in case["seconds"] and base != name else ""
    return duration(middle(case, name)) + beside


def label(case: Case) -> str:
    return f"{case['title']}, {threads(case['threads'])}"


def size(count: float) -> str:
    return f"{count / 2**20:.1f} MiB"


def behind(rows: Sequence[tuple[float, float, str]]) -> str:
    """(ratio, what is aimed at, of whom): what is above the aim, in words."""
    return "; ".join(f"behind: {r:.2f} × {whom}, the aim is {aim:g}" for r, aim, whom in rows if r > aim) or "—"


def threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


# ---- the network -----------------------------------------------------------------------------------------------


def network(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    groups: dict[tuple[str, int], list[Case]] = {}
    for c in (c for r in runs for c in r["cases"]):
        groups.setdefault((c["dtype"], c["threads"]), []).append(c)
    yield "### A gradient step of an MLP 784-256-128-10"
    yield ""
    yield "The value and all six gradients (relu, softmax cross-entropy). In brackets: times the floor, which is the eight matrix products"
    yield "alone, by NumPy into arrays that are there, in the same rounds."
    yield ""
    for (dtype, count), cases in groups.items():
        yield f"{dtype}, {threads(count)}:"
        yield ""
        names = list(dict.fromkeys(n for c in cases for n in c["seconds"]))
        rows = []
        for n in names:
            rows.append([n, *(cell(c, n, FLOOR) for c in cases)])
        yield from table(["", *[f"batch {c['sizes']['B']}" for c in cases]], rows, words=False)
    yield "The best of our CPU targets, the floor, and the best of the frameworks' own autodiff:"
    yield ""
    rows = []
    for (dtype, count), cases in groups.items():
        for c in (c for c in cases if _complete(c)):
            mine, batch = best(c, ours(c)), c["sizes"]["B"]
            peer = best(c, [n for n in PEERS if n in c["seconds"]])
            to_floor, to_peer = ratio(c, mine, FLOOR), ratio(c, mine, peer)
            aims = [(to_peer, TWICE if batch == 1 else 1.0, peer)] + (
                [(to_floor, NEAR, "the floor")] if batch >= 256 else []
            )
            rows.append(
                [
                    f"{dtype}, {threads(count)}, batch {batch}",
                    mine.removeprefix("ours "),
                    f"{to_floor:.2f}",
                    peer,
                    f"{to_peer:.2f}",
                    behind(aims),
                ]
            )
    yield from table(["", "best of ours", "× floor", "best of the others", "× of it", "behind"], rows)


# ---- seven problems --------------------------------------------------------------------------------------------


def problems(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    cases = [c for r in runs for c in r["cases"]]
    yield "### Seven problems"
    yield ""
    for title, said in {c["title"]: f"{c['said']}, {c['dtype']}" for c in cases}.items():
        yield f"- {title}: {said}"
    yield ""
    yield "Our JAX target, as a function and with `jax.custom_vjp`, against `jax.value_and_grad` of the same forward pass by hand, all under"
    yield "`jax.jit`:"
    yield ""
    rows = []
    names = list(dict.fromkeys(n for c in cases for n in ours(c, "JAX")))
    for c in cases:
        if not ours(c, "JAX") or "jax.grad" not in c["seconds"]:
            continue
        aims = [(ratio(c, best(c, ours(c, "JAX")), "jax.grad"), NOISE, "jax.grad")]
        rows.append([label(c), *(cell(c, n, "jax.grad") for n in [*names, "jax.grad"]), behind(aims)])
    yield from table(["", *[n.removeprefix("ours JAX ") for n in names], "jax.grad", "behind"], rows)
    yield "Our PyTorch target against eager autograd and `torch.compile`; in brackets times eager autograd:"
    yield ""
    rows, names = [], list(dict.fromkeys(n for c in cases for n in [*ours(c, "PyTorch"), *c["seconds"]] if "orch" in n))
    for c in cases:
        if "torch eager" not in c["seconds"] or not ours(c, "PyTorch"):
            continue
        plain = best(c, [n for n in ours(c, "PyTorch") if not n.endswith("compiled")])
        aims = [(ratio(c, plain, "torch eager"), EAGER, "eager autograd")]
        mine = best(c, ours(c, "PyTorch"))
        others = best(c, [n for n in c["seconds"] if n.startswith("torch")])
        aims.append((ratio(c, mine, others), NOISE, others))
        told = behind(aims)
        if TORCH_FLOOR in c["seconds"] and (least := ratio(c, TORCH_FLOOR, "torch eager")) > EAGER:
            told += f" (the products alone are {least:.2f} of eager autograd)"
        rows.append([label(c), *(cell(c, n, "torch eager") for n in names), told])
    yield from table(["", *[n.removeprefix("ours PyTorch ") for n in names], "behind"], rows)
    yield from _others(cases)
    yield from first_calls(runs)


def first_calls(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "The first call, which is not in the tables above: derivation and proof of ours, tracing, compilation."
    yield ""
    cases = list(runs[0]["cases"])
    names = list(dict.fromkeys(n for c in cases for n in c["first"]))
    rows = [[n, *(duration(c["first"][n]) if n in c["first"] else "" for c in cases)] for n in names]
    yield from table(["", *[c["title"] for c in cases]], rows, words=False)


def _others(cases: Sequence[Case]) -> Iterator[str]:
    """Our targets for which there is nobody to compare with in the same framework."""
    names = list(dict.fromkeys(n for c in cases for n in ours(c) if "JAX" not in n and "PyTorch" not in n))
    if names:
        yield "Our other CPU targets; in brackets times the best of the frameworks' own autodiff:"
        yield ""
        rows = []
        for c in cases:
            there = [n for n in PEERS if n in c["seconds"]]
            if not there:
                continue
            rows.append([label(c), *(cell(c, n, best(c, there)) for n in names), best(c, there)])
        yield from table(["", *[n.removeprefix("ours ") for n in names], "of"], rows)


def taken(m: Mapping[str, float]) -> float:
    """What XLA says, where it says something; else what was seen."""
    return m["temp"] + m["output"] if "temp" in m else m["rise"]


def memory(cases: Sequence[Case]) -> Iterator[str]:
    yield "### Memory"
    yield ""
    yield "How far the resident set rises during one call, in a process of its own, results included; for JAX in brackets what XLA says that it"
    yield "allocates (temporaries and results)."
    yield ""
    names = list(dict.fromkeys(n for c in cases for n in c["memory"] if not n.startswith("floor")))
    rows = []
    for c in cases:
        m = c["memory"]

        def cell(n: str, m: Mapping[str, Any] = m) -> str:
            if n not in m:
                return ""
            planned = f" ({size(m[n]['temp'] + m[n]['output'])})" if "temp" in m[n] else ""
            return f"{size(m[n]['rise'])}{planned}"

        def least(word: str, m: Mapping[str, Any] = m) -> float:
            return min((taken(v) for n, v in m.items() if n.startswith(word)), default=0)

        aims = []
        for word, peer in PEERS_OF_MEMORY:
            if peer in m and (there := taken(m[peer])):
                aims.append((least(word) / there, NOISE, peer))
        rows.append([c["title"], *[cell(n) for n in names], behind(aims)])
    yield from table(
        ["", *[n.removeprefix("ours ") if n.startswith("ours NumPy") else n for n in names], "behind"], rows
    )


# ---- symbolic cost ---------------------------------------------------------------------------------------------


def growth(times: Mapping[int, float]) -> float | None:
    """Per decade of layers over the last three sizes, by least squares: 1 is linear."""
    points = [(log10(n), log10(t)) for n, t in sorted(times.items())][-3:]
    if len(points) < 3:
        return None
    mx, my = statistics.mean(x for x, _ in points), statistics.mean(y for _, y in points)
    slope = sum((x - mx) * (y - my) for x, y in points) / sum((x - mx) ** 2 for x, _ in points)
    return 10 ** (slope - 1)


def _times(found: Mapping[str, Any]) -> dict[int, float]:
    return {int(n): v["seconds"] for n, v in found.items() if "seconds" in v}


def symbolic(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    sizes = sorted({int(n) for v in found.values() for n in v})
    yield "### The gradient before any number is computed"
    yield ""
    yield "An L-layer network written out layer by layer, all weights and biases asked for. `pullback` reads the text, derives and plans;"
    yield "`every step checked` is `pullback.derive`, with shorter equations for people and every proof, and the plan; `one line for all k` is the"
    yield "same network as a program with an index. JAX traces, and lowers to StableHLO; CasADi makes the reverse function; PyTorch is not in"
    yield "the table, for it has no graph before numbers. `growth` is per decade: 1 is linear, 0.1 constant."
    yield ""
    rows = []
    for name, one in found.items():
        cells = [
            duration(v["seconds"]) if "seconds" in (v := one.get(str(n), {})) else v.get("failed", "") for n in sizes
        ]
        g = growth(_times(one))
        rows.append([name, *cells, f"{g:.2f}" if g else "—"])
    yield from table(["", *[f"L = {n}" for n in sizes], "growth"], rows, words=False)
    yield "Who is faster than `pullback` (derivation and plan, the same text):"
    yield ""
    mine = _times(found.get("pullback", {}))
    for n in (n for n in sizes if n in mine):
        faster = [
            (t[n], s)
            for s, one in found.items()
            if not s.startswith("pullback") and n in (t := _times(one)) and t[n] < mine[n]
        ]
        said = ", ".join(f"{s} ({mine[n] / t:.1f} times)" for t, s in sorted(faster))
        yield f"- L = {n}: {said or 'nobody'}"
    yield ""


# ---- all of it -------------------------------------------------------------------------------------------------


def _machine(run: Mapping[str, Any]) -> Iterator[str]:
    m = run["machine"]
    yield f"{m['model']}, {m['cores']} cores, {m['system']}, Python {m['python']}; {run['date']}, load average before the run {m['load']:.2f}"
    yield "(what else runs on the machine shows in every figure)."
    infos = [(f, i) for r in run["steps"] for f, i in r["info"].items()]
    versions = {f: i.get(f, i["numpy"]) for f, i in infos}
    kernels = list(dict.fromkeys(b.rpartition(", ")[0] for _, i in infos for b in i.get("blas", [])))
    yield f"Versions: {', '.join(f'{f} {v}' for f, v in versions.items())}. BLAS of NumPy: {'; '.join(kernels)}."
    yield f"{run['rounds']} rounds; one process a framework and thread count, stopped while another has its turn, pinned to as many cores as"
    yield "it has threads; a turn is the median of its calls, a figure the median of its turns; compilation and the first call are left out."
    yield "The gradients of every candidate were compared with JAX's in float64 before it was timed."
    yield ""
    wrong = [
        f"{n} on {c['title']} ({c['said']}, {c['dtype']}): {why}"
        for r in (*run["steps"], *run["problems"])
        for c in r["cases"]
        for n, why in c["failed"].items()
    ]
    if wrong:
        yield "Not timed, because it failed or was wrong:"
        yield ""
        yield from (f"- {w}" for w in dict.fromkeys(wrong))
        yield ""


def text(run: Mapping[str, Any]) -> str:
    """What stands between the markers."""
    lines = ["## Gradients as code, beside others", "", *_machine(run)]
    if run["steps"]:
        lines += network(run["steps"])
        lines += ["![time over the floor](performance_steps.svg)", ""]
    if run["problems"]:
        lines += problems(run["problems"])
    if run["memory"]:
        lines += memory(run["memory"])
    if run["symbolic"]:
        lines += symbolic(run["symbolic"])
        lines += ["![seconds over layers](performance_symbolic.svg)", ""]
    return "\n".join(lines).rstrip() + "\n"


def pictures(run: Mapping[str, Any]) -> dict[str, str]:
    """{name of the file: SVG}."""
    found = {}
    panels = []
    groups: dict[tuple[str, int], list[Case]] = {}
    for c in (c for r in run["steps"] for c in r["cases"]):
        if _complete(c):
            groups.setdefault((c["dtype"], c["threads"]), []).append(c)
    for (dtype, count), cases in groups.items():
        lines = [
            Line("ours, the best target", [(c["sizes"]["B"], ratio(c, best(c, ours(c)), FLOOR)) for c in cases], BLUE)
        ]
        for n, color in zip(PEERS, (GREEN, ORANGE, RED), strict=True):
            points = [(c["sizes"]["B"], ratio(c, n, FLOOR)) for c in cases if n in c["seconds"]]
            lines += [Line(n, points, color)] if points else []
        panels.append(Panel(f"{dtype}, {threads(count)}", "batch", "time / floor", lines, level=1))
    if panels:
        found["performance_steps.svg"] = chart(panels, 2, "Gradient step of an MLP: time over the floor, by batch")
    lines = [
        Line(s, sorted(_times(one).items()), *STROKES.get(s, (INK, "")))
        for s, one in run["symbolic"].items()
        if _times(one)
    ]
    if lines:
        panel = Panel("", "layers", "seconds", lines)
        found["performance_symbolic.svg"] = chart(
            [panel], 1, "Seconds to have the gradient of a network, by its layers"
        )
    return found


def write(run: Mapping[str, Any], docs: Path) -> None:
    page = docs / "performance.md"
    before, begin, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2] if begin else "\n"
    page.write_text(f"{before.rstrip()}\n\n{BEGIN}\n\n{text(run)}\n{END}{after}")
    for name, svg in pictures(run).items():
        (docs / name).write_text(svg)


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "benchmarks.json"
    write(json.loads(source.read_text()), ROOT / "docs")
