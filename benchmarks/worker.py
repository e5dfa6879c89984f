"""One process of one framework, which does what it is asked for over a pipe: a line of JSON in, a line of JSON out.

make     build a candidate, call it once, compare its gradients with the reference
time     the median time of a call, in a turn of so many seconds
memory   how far the resident set rises above what it was before a call
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from candidates import Made, candidates, make, to_numpy
from problems import PROBLEMS, Problem, mlp

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}  # of the largest entry of a gradient
LEAST = 3  # calls in a turn

_made: dict[str, Made] = {}


def problem(asked: dict[str, Any]) -> Problem:
    p = mlp(1, asked["dtype"]) if asked["problem"] == "mlp" else PROBLEMS[asked["problem"]]
    return p.at(**asked["sizes"])


def reference(p: Problem, path: str) -> None:
    """The gradients by JAX's autodiff in float64, at the inputs as they are rounded to the dtype."""
    import jax
    from forwards_jax import FORWARDS

    given = {n: np.asarray(a, np.float64) for n, a in p.inputs().items()} | {
        n: p.inputs()[n].astype(int) for n in p.whole
    }
    move = {n: given[n] for n in p.wrt}
    found = jax.grad(FORWARDS[p.name])(move, {n: a for n, a in given.items() if n not in move})
    np.savez(path, **{n: np.asarray(g) for n, g in found.items()})


def compared(p: Problem, gradients: dict[str, Any], path: str) -> float:
    """The largest difference, in parts of the largest entry of the gradient. Raises ValueError if that is too much."""
    worst = 0.0
    with np.load(path) as truth:
        missing = set(truth) - set(gradients)
        if missing:
            raise ValueError(f"no gradient of {', '.join(sorted(missing))}")
        for n in truth:
            if gradients[n].shape != truth[n].shape:
                raise ValueError(f"the gradient of {n} has the shape {gradients[n].shape}")
            off = float(np.max(np.abs(gradients[n] - truth[n])) / (np.max(np.abs(truth[n])) or 1.0))
            if not off <= TOLERANCE[p.dtype]:
                raise ValueError(f"the gradient of {n} is off by {off:.1e} of its largest entry")
            worst = max(worst, off)
    return worst


def do_make(framework: str, asked: dict[str, Any]) -> dict[str, Any]:
    p = problem(asked)
    start = time.perf_counter()
    call, read = _made[asked["name"]] = make(framework, asked["name"], p)
    found = call()
    first = time.perf_counter() - start
    gradients = dict(to_numpy(read(found)))
    return {"first": first, "error": compared(p, gradients, asked["reference"]) if gradients else 0.0}


def do_time(asked: dict[str, Any]) -> dict[str, Any]:
    call = _made[asked["name"]][0]
    call()  # the caches belong to whoever had the turn before
    spent = []
    end = time.perf_counter() + asked["seconds"]
    while len(spent) < LEAST or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return {"seconds": statistics.median(spent), "calls": len(spent)}


def _status(field: str) -> int:
    """Bytes, by the name in /proc/self/status."""
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith(field + ":"):
            return 1024 * int(row.split()[1])
    raise KeyError(field)


def _settle() -> int:
    """The resident set, when what is free has been given back and the high-water mark is reset."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def do_memory(framework: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The rise of the resident set during one call after the first; arrays that are made once belong to the call."""
    p, name = problem(asked), asked["name"]
    call, _ = make(framework, name, p)
    call()
    if name.endswith("buffers"):
        del call
        before = _settle()
        call, _ = make(framework, name, p)
    else:
        before = _settle()
    kept = call()
    found = {"rise": _status("VmHWM") - before}
    del kept
    if hasattr(call, "lowered"):
        sizes = call.lowered().compile().memory_analysis()
        found |= {"temp": sizes.temp_size_in_bytes, "output": sizes.output_size_in_bytes}
    return found


def info(framework: str, threads: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "cpus": sorted(os.sched_getaffinity(0)),
    }
    if framework in ("jax", "numba", "torch"):
        module = __import__(framework)
        found[framework] = module.__version__
    if framework == "torch":
        module.set_num_threads(threads)
        found["torch threads"] = module.get_num_threads()
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return found
    np.ones((2, 2)) @ np.ones((2, 2))
    found["blas"] = [
        f"{x['internal_api']} {x.get('version')} {x.get('architecture', '')}, {x['num_threads']} threads"
        for x in threadpool_info()
    ]
    return found


def answer(framework: str, threads: int, asked: dict[str, Any]) -> dict[str, Any]:
    match asked["do"]:
        case "info":
            return info(framework, threads)
        case "candidates":
            return {"names": candidates(framework, asked["problem"])}
        case "reference":
            reference(problem(asked), asked["reference"])
        case "make":
            return do_make(framework, asked)
        case "time":
            return do_time(asked)
        case "memory":
            return do_memory(framework, asked)
        case "drop":
            _made.clear()
            gc.collect()
            gc.freeze()
    return {}


def main(framework: str, threads: int) -> None:
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a framework prints is no answer
    if framework == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    gc.disable()
    for row in sys.stdin:
        try:
            found = answer(framework, threads, json.loads(row))
        except Exception as error:  # whatever a framework raises, the others are still timed
            found = {"failed": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(found), file=pipe, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
