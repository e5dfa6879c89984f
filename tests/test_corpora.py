"""Problems with external truth (shared/corpora): what this version accepts is right, what it refuses has a reason.

The corpora lie beside the checkout (`../shared/corpora`, or PULLBACK_CORPORA); without them the test is skipped.
"""

import json
import os
from pathlib import Path

import pytest

import pullback as pb

np = pytest.importorskip("numpy")
jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)

FOLDER = Path(os.environ.get("PULLBACK_CORPORA", Path(__file__).parents[2] / "shared" / "corpora"))
# Sampling that needs more than a positive or an arbitrary number belongs to a later version's ops.
STRUCTURED = {"symmetric", "positive_definite", "spd", "integer", "labels", "orthogonal", "diagonal", "lower",
              "upper", "triangular", "onehot", "index", "binary", "permutation", "stochastic"}  # fmt: skip
# Known functions that belong to a later version are refused with U001; anything else must be understood.
ACCEPTED_REFUSALS = {"U001", "S010", "P002"}


def problems() -> list[dict]:
    rows = [
        json.loads(line) for f in sorted(FOLDER.glob("*.jsonl")) for line in f.read_text().splitlines() if line.strip()
    ]
    return [
        p for p in rows
        if p["order"] == 1 and p["layout"] == "gradient" and isinstance(p["wrt"], str) and p.get("expr_parsable", True)
        and not any(STRUCTURED & set(v.get("props", ())) for v in p["vars"].values())
    ]  # fmt: skip


def program(p: dict) -> str:
    lines = ["dialect: matlab"]
    for name, v in p["vars"].items():
        lines.append(f"{name} : ({', '.join(map(str, v['shape']))})" if v["shape"] else f"{name} : scalar")
    return "\n".join([*lines, p["expr"].replace(";", "\n")])


def arrays(p: dict, bump: int) -> dict:
    """Random arrays, every size `bump` larger than in the corpus, from the whole domain that the props allow."""
    rng = np.random.default_rng(len(p["id"]) + bump)
    sizes = {k: v + bump for k, v in p["sizes"].items()}
    found = {}
    for name, v in p["vars"].items():
        shape = [s if isinstance(s, int) else sizes[s] if s in sizes else eval(s, {}, dict(sizes)) for s in v["shape"]]
        found[name] = rng.uniform(0.3, 1.2, size=shape) if v.get("props") else rng.normal(size=shape)
    return found


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no corpora at {FOLDER}")
def test_gradients_agree_with_jax() -> None:
    right, refused, wrong = 0, {}, []
    for p in problems():
        try:
            d = pb.derive(program(p), wrt=[p["wrt"]], name=p["id"])
        except pb.PullbackError as why:
            assert why.code in ACCEPTED_REFUSALS, f"{p['id']}: {why.render()}"
            refused[p["id"]] = why.message
            continue
        env = {"jnp": jax.numpy, "jax": jax, "np": np, "jsp": jax.scipy, **p["sizes"]}
        given = arrays(p, 0)
        # jax lambdas are the corpus's own test data, not user text
        truth = jax.grad(eval(p["jax"], env), argnums=list(p["vars"]).index(p["wrt"]))(*given.values())
        used = {v.attrs[0] for v in d.program.inputs}
        _, gradients = d.evaluate(**{k: a for k, a in given.items() if k in used})
        error = np.max(np.abs(gradients[p["wrt"]] - truth)) / (1 + np.max(np.abs(truth)))
        if not error < 1e-9:
            wrong.append((p["id"], float(error)))
        right += 1
    print(f"{right} right, {len(refused)} refused, {len(wrong)} wrong")
    assert not wrong
    assert right >= 190
