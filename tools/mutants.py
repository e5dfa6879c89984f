"""How many wrong backward equations does matching shapes find, and how many the FINAL check?

Usage: python tools/mutants.py [--markdown] [--survivors] [PROGRAM.eqn ...]    (default: examples, BUILT_IN)

Every backward equation is changed in every mechanical way (pullback/proof/mutants.py); then its shapes are
compared, and what fits is judged by FINAL, at four choices of sizes. Exit status 1 if a mutant passes at
different sizes.
"""

import sys
from pathlib import Path

import pullback
from pullback.proof.mutants import Counts, alike, different, trial

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

BUILT_IN = {
    "attention": """
        Q : (t, d)
        K : (s, d)
        V : (s, e)
        S = Q Kᵀ
        P = exp(S)
        r = sum(P, axis=1)
        A = diag(r.^(-1)) P
        O = A V
        E = loss(O)
    """,
    "layer norm": """
        x : n
        g : n
        b : n
        mu = mean(x)
        c = x - mu
        v = mean(c.^2)
        h = c / sqrt(v + 1/10)
        y = g .* h + b
        E = loss(y)
    """,
    "quadratic form": """
        x : n
        A : (n, n)
        E = xᵀ A x
    """,
    "ridge regression": """
        X : (n, m)
        y : n
        w : m
        E = ½ ‖X w − y‖² / n + ½ ‖w‖²
    """,
}

SETTINGS = ("all sizes 1", "all sizes 3", "all sizes different", "different, f(t) = t")


def lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def trials(text: str) -> list[Counts]:
    """One count for each of SETTINGS."""
    p = pullback.derive(text).problem
    sizes = different(p)
    return [trial(p, alike(p, 1)), trial(p, alike(p, 3)), trial(p, sizes), trial(p, sizes, identity=True)]


def row(name: str, counts: list[Counts]) -> list[str]:
    one, three, other, linear = counts
    share = f"{other.by_shape} ({100 * other.by_shape / other.total:.0f} %)"
    equal = f"{three.by_shape} ({100 * three.by_shape / three.total:.0f} %)"
    survived = [str(len(c.survived)) for c in (one, three, linear, other)]
    return [name, str(other.total), equal, share, *survived]


HEAD = [
    "program",
    "wrong equations",
    "shapes find, sizes 3",
    "shapes find, sizes differ",
    "pass at size 1",
    "pass at size 3",
    "pass, f(t) = t",
    "pass, sizes differ",
]


def table(rows: list[list[str]], markdown: bool) -> str:
    """The first column to the left, the others to the right."""
    widths = [max(len(r[k]) for r in rows) for k in range(len(rows[0]))]
    cells = [[r[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(r[1:], widths[1:], strict=True))] for r in rows]
    if markdown:
        rule = [":" + "-" * (widths[0] - 1), *("-" * (w - 1) + ":" for w in widths[1:])]
        return "\n".join("| " + " | ".join(r) + " |" for r in [cells[0], rule, *cells[1:]])
    return "\n".join("  ".join(r).rstrip() for r in cells)


def main(arguments: list[str]) -> int:
    flags = {a for a in arguments if a.startswith("-")}
    if flags - {"--markdown", "--survivors"}:
        print(__doc__)
        return 2
    files = [Path(a) for a in arguments if a not in flags]
    programs = {f.stem: f.read_text(encoding="utf-8") for f in files or sorted(EXAMPLES.glob("*.eqn"))}
    if not files:  # equations for every value of an index are damaged in tests/proof/test_recur.py
        programs = {name: text for name, text in programs.items() if not pullback.parse_program(text).ranges}
        programs |= {name: lines(text) for name, text in BUILT_IN.items()}
    counted = {name: trials(text) for name, text in programs.items()}
    whole = [sum((c[k] for c in counted.values()), Counts()) for k in range(len(SETTINGS))]
    rows = [HEAD, *[row(name, c) for name, c in counted.items()]]
    if len(counted) > 1:
        rows.append(row("all", whole))
    print(table(rows, "--markdown" in flags))
    print()
    c = whole[2]
    print(f"At different sizes {c.by_value} of {c.total} are found by FINAL alone.")
    print(f"Not counted: {c.equal} edits that change nothing, {c.repeated} that repeat another.")
    if "--survivors" in flags:
        for k, setting in enumerate(SETTINGS):
            for name, c in counted.items():
                for s in c[k].survived:
                    print(f"{setting}: {name}: {s}")
    return 1 if whole[2].survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
