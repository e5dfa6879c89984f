"""What it costs to have the gradient of an L-layer network, before any number is computed, here and elsewhere.

Every system gets the same network, xₖ = tanh(Wₖ xₖ₋₁ + bₖ) with E = ½ ‖x_L − t‖², written out layer by layer, and is asked for the
gradients of all weights and biases together. Each run has a process of its own with a time limit; imports and a run
at one layer come before. What is timed is the fastest of a few runs, without the garbage collector.

    python benchmarks/symbolic.py --child SYSTEM L
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from rounds import environment, interpreter, pinned

__all__ = ["SYSTEMS", "measure"]

UNITS = 8  # of every layer, for those who must know it
RUNS = 3  # if they are quick
QUICK = 2.0  # seconds

Build = Callable[[int, int], Callable[[], Any]]  # (layers, number of the run) -> what is timed


def text(layers: int, run: int) -> str:
    """The program; the names differ from run to run, so that nothing is known from the last one."""
    r = f"r{run}"
    rows = [f"x0{r} : n0", f"t : n{layers} where data"]
    for k in range(1, layers + 1):
        rows += [f"W{k}{r} : (n{k}, n{k - 1})", f"b{k}{r} : n{k}"]
    for k in range(1, layers + 1):
        rows += [f"z{k}{r} = W{k}{r} x{k - 1}{r} + b{k}{r}", f"x{k}{r} = tanh(z{k}{r})"]
    wanted = ", ".join(f"W{k}{r}, b{k}{r}" for k in range(1, layers + 1))
    return "\n".join([*rows, f"E = ½ ‖x{layers}{r} − t‖²", f"derive grad {wanted}"]) + "\n"


def ours(layers: int, run: int) -> Callable[[], Any]:
    from pullback import api
    from pullback.calculus.core import Definition
    from pullback.code.plan import plan
    from pullback.wanted import wanted

    source = text(layers, run)

    def work() -> Any:  # pullback.derive without its checks, and without the shorter equations that people read
        program = api.parse_program(source)
        goal = api.choose_target(program, None).var
        rows = [Definition(q.var, q.rhs, q.surface, False, q.notes, ()) for q in program.equations]
        asked = wanted(program, None)
        d = api.sweep(rows, program.inputs, goal, asked, facts=program.facts, known=program.known, plain=True)
        return plan(d)

    return work


def ours_checked(layers: int, run: int) -> Callable[[], Any]:
    import pullback

    source = text(layers, run)

    def work() -> Any:
        from pullback.code.plan import plan

        return plan(pullback.derive(source).derivation)

    return work


def ours_indexed(layers: int, run: int) -> Callable[[], Any]:
    import pullback
    from pullback.coding import planned

    r = f"r{run}"
    source = (
        f"x{r}[0] : n\nt : n where data\n"
        f"x{r}[k] = tanh(W{r}[k] x{r}[k-1] + b{r}[k]) for k = 1..L\nE = ½ ‖x{r}[L] − t‖²\n"
    )
    return lambda: planned(pullback.derive(source, wrt=[f"W{r}", f"b{r}"]).derivation)


def _jax(layers: int) -> tuple[Any, Any]:
    import jax
    import jax.numpy as jnp

    weights = [(jnp.ones((UNITS, UNITS)), jnp.ones(UNITS)) for _ in range(layers)]
    x0, t = jnp.ones(UNITS), jnp.ones(UNITS)

    def loss(p: Any) -> Any:
        x = x0
        for w, b in p:
            x = jnp.tanh(w @ x + b)
        return 0.5 * jnp.sum((x - t) ** 2)

    return jax.grad(loss), weights


def jax_traced(layers: int, run: int) -> Callable[[], Any]:
    import jax

    f, weights = _jax(layers)
    return lambda: jax.make_jaxpr(f)(weights)


def jax_lowered(layers: int, run: int) -> Callable[[], Any]:
    import jax

    f, weights = _jax(layers)
    return lambda: jax.jit(f).lower(weights)


def _casadi(kind: str, layers: int) -> Callable[[], Any]:
    import casadi as ca

    sym = getattr(ca, kind).sym

    def work() -> Any:
        x = x0 = sym("x0", UNITS)
        t = sym("t", UNITS)
        ps = []
        for k in range(1, layers + 1):
            w, b = sym(f"W{k}", UNITS, UNITS), sym(f"b{k}", UNITS)
            ps += [w, b]
            x = ca.tanh(w @ x + b)
        f = ca.Function("f", [*ps, x0, t], [0.5 * ca.sumsqr(x - t)])
        return f.reverse(1)

    return work


def casadi_mx(layers: int, run: int) -> Callable[[], Any]:
    return _casadi("MX", layers)


def casadi_sx(layers: int, run: int) -> Callable[[], Any]:
    return _casadi("SX", layers)


def pytensor_grad(layers: int, run: int) -> Callable[[], Any]:
    import pytensor.tensor as pt

    def work() -> Any:
        x, t = pt.dvector("x0"), pt.dvector("t")
        ps = []
        for k in range(1, layers + 1):
            w, b = pt.dmatrix(f"W{k}"), pt.dvector(f"b{k}")
            ps += [w, b]
            x = pt.tanh(w @ x + b)
        return pt.grad(0.5 * pt.sum((x - t) ** 2), ps)

    return work


def tensorgrad_reverse(layers: int, run: int) -> Callable[[], Any]:
    import tensorgrad.functions as F
    from sympy import symbols
    from tensorgrad import Derivative, Variable
    from tensorgrad.compiler.reverse import resolve_shared_gradients

    def work() -> Any:
        n = symbols(" ".join(f"n{k}" for k in range(layers + 1)))
        x = Variable("x0", i0=n[0])
        t = Variable("t", **{f"i{layers}": n[layers]})
        ps = []
        for k in range(1, layers + 1):
            w = Variable(f"W{k}", **{f"i{k - 1}": n[k - 1], f"i{k}": n[k]})
            b = Variable(f"b{k}", **{f"i{k}": n[k]})
            ps += [w, b]
            x = F.tanh(w @ x + b)
        loss = F.sum((x - t) * (x - t)) / 2
        found = resolve_shared_gradients((loss, *(Derivative(loss, p) for p in ps)))
        assert not any(isinstance(g, Derivative) for g in found)
        return found

    return work


def sympy_matrices(layers: int, run: int) -> Callable[[], Any]:
    from sympy import Lambda, MatrixSymbol, tanh
    from sympy.abc import u

    def work() -> Any:
        n = UNITS  # with a symbol for every size it refuses two layers
        x, t = MatrixSymbol("x0", n, 1), MatrixSymbol("t", n, 1)
        ps = []
        for k in range(1, layers + 1):
            w, b = MatrixSymbol(f"W{k}", n, n), MatrixSymbol(f"b{k}", n, 1)
            ps += [w, b]
            x = (w * x + b).applyfunc(Lambda(u, tanh(u)))
        loss = (x - t).T * (x - t) / 2
        return [loss.diff(p) for p in ps]

    return work


# name in the tables: (module, what builds the work)
SYSTEMS: dict[str, tuple[str, Build]] = {
    "pullback": ("numpy", ours),
    "pullback, every step checked": ("numpy", ours_checked),
    "pullback, one line for all k": ("numpy", ours_indexed),
    "JAX: jaxpr of jax.grad": ("jax", jax_traced),
    "JAX: lowered": ("jax", jax_lowered),
    "CasADi MX": ("casadi", casadi_mx),
    "CasADi SX": ("casadi", casadi_sx),
    "PyTensor": ("pytensor", pytensor_grad),
    "tensorgrad": ("tensorgrad", tensorgrad_reverse),
    "SymPy": ("sympy", sympy_matrices),
}


def child(system: str, layers: int) -> dict[str, Any]:
    sys.setrecursionlimit(100_000)
    module, build = SYSTEMS[system]
    build(1, 0)()
    gc.collect()
    gc.freeze()
    gc.disable()
    spent: list[float] = []
    for run in range(1, RUNS + 1):
        work = build(layers, run)
        start = time.perf_counter()
        made = work()
        spent.append(time.perf_counter() - start)
        if spent[-1] > QUICK:
            break
        del made, work
        gc.collect()
    return {"seconds": min(spent), "version": str(getattr(sys.modules.get(module), "__version__", ""))}


def _one(python: str, system: str, layers: int, limit: float) -> dict[str, Any]:
    cores = pinned(1)
    command = [python, __file__, "--child", system, str(layers)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment(1),
                              preexec_fn=lambda: os.sched_setaffinity(0, cores))  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"failed": f"over {limit:.0f} s"}
    if done.returncode:
        rows = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        return {"failed": rows[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(
    sizes: Sequence[int], limit: float, say: Callable[[str], None], systems: Sequence[str] = tuple(SYSTEMS)
) -> dict[str, Any]:
    """{system: {layers: {"seconds"} or {"failed"}}}; after a failure a system is asked for no more."""
    found: dict[str, Any] = {}
    alive: dict[str, str] = {}
    for s in systems:
        python = interpreter(SYSTEMS[s][0])
        if python is None:
            say(f"skipped: {s}: {SYSTEMS[s][0]} is not installed")
        else:
            alive[s], found[s] = python, {}
    for layers in sizes:
        for s in list(alive):
            found[s][str(layers)] = one = _one(alive[s], s, layers, limit)
            say(f"  {s}, {layers} layers: {one.get('failed') or format(one['seconds'], '.4f') + ' s'}")
            if "failed" in one:
                del alive[s]
    return found


if __name__ == "__main__":
    assert sys.argv[1] == "--child"
    print(json.dumps(child(sys.argv[2], int(sys.argv[3]))))
