"""The laws of the house (docs/design.md) as tests, read off the source by AST: nothing has to run."""

import ast
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src"
PACKAGE = SRC / "pullback"
MAX_LINES = 420

# A room is a folder of the package; the modules directly in the package are the ground and the door.
FLOORS = {"ground": 0, "algebra": 1, "calculus": 2, "proof": 3, "language": 4, "show": 4, "code": 4}
FLOORS["door"] = 5
GROUND = {"step", "errors", "_version"}

OPTIONAL = {"numpy", "jax", "torch", "tensorflow", "scipy", "numba"}
MAY_IMPORT_OPTIONAL = ("pullback.code.", "pullback.proof.", "pullback.language.trace")
MAY_IMPORT_BY_NAME = ("pullback.code.", "pullback.proof.")
LAZY_DOORS = {"pullback", "pullback.__main__"}

# "module:qualified.name" -> why its depth does not grow with the size of the input.
_FORM = "a form is as deep as a tensor has axes, and a few levels more, whatever the program"
ALLOWED_RECURSION: dict[str, str] = {
    "pullback.calculus.stacked:turned": _FORM,
    "pullback.calculus.stacked:mapped": _FORM,
    "pullback.calculus.stacked:rows_first": _FORM,
    "pullback.calculus.stacked:extent": _FORM,
    "pullback.proof.stacked:evaluate": _FORM,
}
# The functions of a circle -> why its depth does not grow with the size of the input.
ALLOWED_CIRCLES: dict[frozenset[str], str] = {
    frozenset(f"pullback.proof.jets:Point.{f}" for f in ("value", "_evaluate", "_sum")): (
        "the definition of one op over arguments that have their values, and the constants of one meaning"
    ),
    frozenset(f"pullback.algebra.factor:{f}" for f in ("written", "_factored", "_taken_out")): (
        "every round takes a factor out of terms of which there are at most 24"
    ),
    frozenset(
        f"pullback.algebra.canonical:{f}"
        for f in ("_components", "_settle", "_term_key", "_text", "mirrored", "symmetric")
    ): (
        "what stands inside a factor has its text, and it is known whether it is symmetric, before the factor is asked"
    ),
}
RECURSION_FREE_ROOMS = {"algebra", "calculus", "proof"}
# Under these decorators the name stands for the declared op or law, not for the function: no recursion.
DECLARATIONS = {"op", "linear_op", "law", "not_law", "mapped", "composite_op"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}

each_module = pytest.mark.parametrize("name", FILES)


def room(module: str) -> str:
    parts = module.split(".")[1:]
    if not parts:
        return "door"
    if parts[0] in GROUND:
        return "ground"
    return parts[0] if parts[0] in FLOORS else "door"


def where(name: str, node: ast.AST) -> str:
    return f"{FILES[name].relative_to(SRC.parent)}:{getattr(node, 'lineno', 1)}"


def imported(name: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules that an import statement of the module `name` reaches for, by their full names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        parts = name.split(".")
        is_package = FILES[name].name == "__init__.py"
        anchor = parts[: len(parts) - node.level + is_package]
        base = ".".join([*anchor, base] if base else anchor)
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        yield inner if inner in FILES else base


def imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def functions(tree: ast.AST, prefix: str = "", owner: str = "") -> Iterator[tuple[str, str, Function]]:
    """Every function with its qualified name and the class that it is a method of ('' if none)."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield f"{prefix}{node.name}", owner, node
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.", node.name)
        else:
            yield from functions(node, prefix, owner)


def last_name(node: ast.expr) -> str:
    """`f` for f, m.f, f(...) and m.f(...)."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


# Law 1: imports go down.


@each_module
def test_imports_go_down(name: str) -> None:
    """Also those under `if TYPE_CHECKING`: a type that must be known upstairs lives downstairs."""
    here = room(name)
    bad = []
    for node in imports(TREES[name]):
        for target in imported(name, node):
            if target.split(".")[0] != "pullback":
                continue
            there = room(target)
            if there != here and FLOORS[there] >= FLOORS[here]:
                bad.append(f"{where(name, node)}: {here} (floor {FLOORS[here]}) imports {target} ({there})")
    assert not bad, "\n".join(bad)


@each_module
def test_no_import_inside_a_function_and_no_third_party_outside(name: str) -> None:
    """An optional package is imported inside the function that needs it; nothing else is."""
    inside = {node for _, _, function in functions(TREES[name]) for node in imports(function)}
    may = name.startswith(MAY_IMPORT_OPTIONAL)
    bad = []
    for node in imports(TREES[name]):
        for target in imported(name, node):
            root, at = target.split(".")[0], where(name, node)
            if root in OPTIONAL and not may:
                bad.append(f"{at}: {root} is for code/, proof/ and language/trace.py only")
            elif root in OPTIONAL and node not in inside:
                bad.append(f"{at}: {root} is optional, import it in the function that needs it")
            elif root not in OPTIONAL and node in inside:
                bad.append(f"{at}: {target} imported inside a function")
            elif root not in OPTIONAL | {"pullback"} | sys.stdlib_module_names:
                bad.append(f"{at}: {root} is neither the standard library nor optional")
    assert not bad, "\n".join(bad)


@each_module
def test_no_import_by_name(name: str) -> None:
    """import_module is for the lazy doors, and for optional packages where they may be imported at all."""
    if name in LAZY_DOORS or name.startswith(MAY_IMPORT_BY_NAME):
        return
    bad = [where(name, c) for c in calls(TREES[name]) if last_name(c) in {"import_module", "__import__"}]
    assert not bad, "\n".join(bad)


def test_the_kernel_imports_nothing_of_the_house() -> None:
    name = "pullback.proof.kernel"
    if name not in FILES:
        pytest.skip("no proof/kernel.py yet")
    bad = [t for node in imports(TREES[name]) for t in imported(name, node) if t.startswith("pullback")]
    assert not bad, f"the independent checker imports {bad}"


def newly_imported(statement: str) -> set[str]:
    """The modules that the statement adds in a fresh interpreter (site packages may add some before)."""
    script = f"import sys; before = set(sys.modules)\n{statement}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SRC)}


@pytest.mark.parametrize("module", ["pullback", "pullback.api", "pullback.cli"])
def test_import_stays_in_the_standard_library(module: str) -> None:
    if module not in FILES:
        pytest.skip(f"no {module} yet")
    roots = {m.split(".")[0] for m in newly_imported(f"import {module}")}
    assert roots - sys.stdlib_module_names == {"pullback"}


def test_every_public_name_resolves_within_the_standard_library() -> None:
    if "pullback.api" not in FILES:
        pytest.skip("no pullback.api yet")
    added = newly_imported("import pullback\nfor n in pullback.__all__: getattr(pullback, n)")
    assert {m.split(".")[0] for m in added} - sys.stdlib_module_names == {"pullback"}


# Laws 4, 7, 8, and no code from strings.


@each_module
def test_no_module_is_long(name: str) -> None:
    lines = len(FILES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{where(name, TREES[name])}: {lines} lines, at most {MAX_LINES}"


@each_module
def test_no_code_from_strings(name: str) -> None:
    def is_builtin(f: ast.expr) -> bool:
        return isinstance(f, ast.Name) or (isinstance(f, ast.Attribute) and last_name(f.value) == "builtins")

    words = {"eval", "exec", "compile"}
    bad = [where(name, c) for c in calls(TREES[name]) if last_name(c) in words and is_builtin(c.func)]
    if name == "pullback.coding":  # runs what it wrote, the text of a derivation, and nothing else (docs/design.md)
        assert len(bad) == 2
        return
    assert not bad, "\n".join(bad)


def self_calls(tree: ast.AST) -> dict[str, ast.Call]:
    """Functions that call themselves directly."""
    found = {}
    for qualified, owner, function in functions(tree):
        if DECLARATIONS & {last_name(d) for d in function.decorator_list}:
            continue
        for call in calls(function):
            f = call.func
            if owner:  # inside a method its bare name means something else
                own = isinstance(f, ast.Attribute) and getattr(f.value, "id", "") in {"self", "cls", owner}
                again = own and last_name(f) == function.name
            else:
                again = isinstance(f, ast.Name) and f.id == function.name
            if again:
                found[qualified] = call
    return found


@each_module
def test_no_direct_recursion(name: str) -> None:
    if room(name) not in RECURSION_FREE_ROOMS:
        return
    found = self_calls(TREES[name])
    bad = [where(name, call) for f, call in found.items() if f"{name}:{f}" not in ALLOWED_RECURSION]
    assert not bad, "a function calls itself:\n" + "\n".join(bad)


def test_no_stale_leave_to_recurse() -> None:
    stale = [k for k in ALLOWED_RECURSION if k.split(":")[1] not in self_calls(TREES[k.split(":")[0]])]
    assert not stale


def circles(trees: dict[str, ast.Module]) -> set[frozenset[str]]:
    """Functions that call each other in a circle, by the names that they and the other modules give each other.

    Seen are calls of functions and of own methods; a call of a method of something else is not.
    """
    known = {(name, f): f"{name}:{f}" for name, tree in trees.items() for f, _, _ in functions(tree)}
    needs: dict[str, set[str]] = {where: set() for where in known.values()}
    for name, tree in trees.items():
        given = {
            alias.asname or alias.name: (imported_from(name, node), alias.name)
            for node in imports(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
        }  # fmt: skip
        for f, owner, function in functions(tree):
            if DECLARATIONS & {last_name(d) for d in function.decorator_list}:
                continue
            around = f.split(".")[:-1]
            for call in calls(function):
                g, found = call.func, None
                if isinstance(g, ast.Name):
                    scopes = (
                        [".".join([*around[:k], g.id]) for k in range(len(around), -1, -1)] if not owner else [g.id]
                    )
                    inner = known.get((name, f"{f}.{g.id}"))
                    found = inner or next(
                        (known[name, x] for x in scopes if (name, x) in known), known.get(given.get(g.id))
                    )
                elif isinstance(g, ast.Attribute) and owner and getattr(g.value, "id", "") in {"self", "cls", owner}:
                    found = known.get((name, ".".join([*around, g.attr])))
                if found:
                    needs[f"{name}:{f}"].add(found)
    return circular(needs)


def imported_from(name: str, node: ast.ImportFrom) -> str:
    """The full name of the module after `from`."""
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    anchor = parts[: len(parts) - node.level + (name in FILES and FILES[name].name == "__init__.py")]
    return ".".join([*anchor, *([node.module] if node.module else [])])


def circular(needs: dict[str, set[str]]) -> set[frozenset[str]]:
    """The sets of two or more that reach each other."""
    reach: dict[str, set[str]] = {}
    for start in needs:
        found, waiting = set(), list(needs[start])
        while waiting:
            x = waiting.pop()
            if x not in found:
                found.add(x)
                waiting += needs[x]
        reach[start] = found
    return {c for a in needs if len(c := frozenset(b for b in reach[a] if a in reach[b])) > 1}


def test_no_circle_of_functions() -> None:
    """Recursion by way of a second function, in one module or through several."""
    trees = {name: tree for name, tree in TREES.items() if room(name) in RECURSION_FREE_ROOMS}
    found = circles(trees) - set(ALLOWED_CIRCLES)
    assert not found, "functions call each other in a circle:\n" + "\n".join(", ".join(sorted(c)) for c in found)
    assert set(ALLOWED_CIRCLES) <= circles(trees), "an exception that is not needed"


def asks_for_an_op_by_name(node: ast.AST) -> bool:
    def is_op_name(e: ast.expr) -> bool:
        return isinstance(e, ast.Attribute) and e.attr == "name" and last_name(e.value) == "op"

    def has_text(e: ast.AST) -> bool:
        return any(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in ast.walk(e))

    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return any(map(is_op_name, sides)) and any(map(has_text, sides))
    if isinstance(node, ast.Match):
        return is_op_name(node.subject) and any(has_text(case.pattern) for case in node.cases)
    if isinstance(node, ast.Subscript):
        return is_op_name(node.slice) and isinstance(node.value, ast.Dict)
    return False


@each_module
def test_no_other_file_knows_an_op_by_name(name: str) -> None:
    if name.startswith("pullback.algebra.ops"):
        return
    bad = [where(name, node) for node in ast.walk(TREES[name]) if asks_for_an_op_by_name(node)]
    assert not bad, "\n".join(bad)


# Files that ask a node for one op by `is`, beside algebra/, where what an op is like is declared -> why they may.
KNOWS_OPS: dict[str, str] = {
    "pullback.calculus.stacked": "Kronecker notation: the transpose, the identity and diagonals have shorter forms there",
    "pullback.calculus.kronecker": "Kronecker notation: a transpose is turned back",
    "pullback.calculus.gathered": "matrix notation: sums and products are taken apart, and diagonals in them gathered",
    "pullback.calculus.matrix_reasons": "reasons for diagonal Jacobians",
    "pullback.calculus.axes": "which factor of a matrix product is summed over which axis: the two conventions of weights",
    "pullback.calculus.products": "a sum that is a factor is kept whole: sums and differences",
    "pullback.calculus.roles": "sentences about diagonal and padded factors",
    "pullback.show.constants": "a sentence that says what pad means",
    "pullback.proof.mutants": "⊙ for a product: a lost factor of ⊙ is not that of a sum",
    "pullback.proof.functional": "identities of particular functions, as exp(a + b) = exp(a) exp(b), are about particular functions",
    "pullback.proof.mistakes": "what people do wrong with diagonals and the identity",
}


def asks_for_an_op(node: ast.AST) -> bool:
    """`e.op is add`, `e.op in (add, sub)`, or a citation taken for a name; `e.op is f.op` asks for none."""
    if isinstance(node, ast.Attribute):
        return node.attr == "cite"
    if not isinstance(node, ast.Compare):
        return False

    def is_op(e: ast.expr) -> bool:
        return isinstance(e, ast.Attribute) and e.attr == "op"

    sides = [node.left, *node.comparators]
    return any(map(is_op, sides)) and not all(is_op(e) or getattr(e, "value", e) is None for e in sides)


def test_what_an_op_is_like_is_declared_and_not_known_elsewhere() -> None:
    found = {
        name: [where(name, node) for node in ast.walk(tree) if asks_for_an_op(node)]
        for name, tree in TREES.items() if not name.startswith("pullback.algebra.")
    }  # fmt: skip
    bad = [x for name, places in found.items() if name not in KNOWS_OPS for x in places]
    assert not bad, "declare in Op what is asked for here:\n" + "\n".join(bad)
    assert not [name for name in KNOWS_OPS if not found[name]], "an exception that is not needed"


@pytest.mark.parametrize(
    "source", ["e.op is add", "x if e.op in (add, sub) else y", "e.op is not f(1).value", "e.op.cite == 'a'"]
)
def test_an_op_asked_for_is_seen(source: str) -> None:
    assert any(asks_for_an_op(node) for node in ast.walk(ast.parse(source)))


@pytest.mark.parametrize("source", ["e.op is f.op", "e.op.sums", "e.op.places is None", "e.op is None"])
def test_an_op_compared_with_that_of_another_node_is_not_asked_for(source: str) -> None:
    assert not any(asks_for_an_op(node) for node in ast.walk(ast.parse(source)))


# The door opens at once.


def test_version_loads_nothing_heavy() -> None:
    added = newly_imported("import pullback.__main__ as m; m.main(['--version'])")
    assert not added & {"argparse", "dataclasses", "inspect", "re", "pathlib", "pullback.cli", "pullback.api"}


@pytest.mark.slow
def test_version_costs_little_more_than_python() -> None:
    """At most three times `python -c pass`: the best of seven interleaved runs; a noisy machine may retry."""
    ratios = []
    for _ in range(5):
        best = {"pass": float("inf"), "version": float("inf")}
        for _ in range(7):
            for key, tail in (("pass", ["-c", "pass"]), ("version", ["-m", "pullback", "--version"])):
                start = time.perf_counter()
                subprocess.run([sys.executable, *tail], env=environment(), check=True, capture_output=True)
                best[key] = min(best[key], time.perf_counter() - start)
        ratios.append(best["version"] / best["pass"])
        if ratios[-1] <= 3:
            return
    pytest.fail(f"pullback --version takes {statistics.median(ratios):.1f} times as long as python -c pass")


# The laws can be broken: each detector sees what it is there to see.


@pytest.mark.parametrize(
    "source",
    [
        "x.op.name == 'matmul'",
        "op.name in {'matmul', 'add'}",
        "'add' != e.op.name",
        "match e.op.name:\n  case 'add' | 'sub': pass",
        "{'add': 1}[e.op.name]",
    ],
)
def test_an_op_asked_for_by_name_is_seen(source: str) -> None:
    assert any(asks_for_an_op_by_name(node) for node in ast.walk(ast.parse(source)))


def test_a_self_call_is_seen() -> None:
    source = """
def f(x): return [f(y) for y in x]
class C:
    def g(self): return self.g()
    def h(self): return h(self)
@linear_op("A -> B")
def transpose(G): return transpose(G)
def outer():
    def inner(): return inner()
"""
    assert set(self_calls(ast.parse(source))) == {"f", "C.g", "outer.inner"}


def test_a_circle_of_functions_is_seen() -> None:
    one = ast.parse("""
from .two import back
def there(x): return back(x)
def alone(x): return there(x)
class C:
    def f(self): return self.g()
    def g(self): return self.f()
def outer():
    def ping(): return pong()
    def pong(): return ping()
""")
    two = ast.parse("from .one import there\ndef back(x): return there(x)")
    assert circles({"p.one": one, "p.two": two}) == {
        frozenset({"p.one:there", "p.two:back"}),
        frozenset({"p.one:C.f", "p.one:C.g"}),
        frozenset({"p.one:outer.ping", "p.one:outer.pong"}),
    }


def test_relative_imports_are_resolved() -> None:
    node = ast.parse("from . import errors, nothing\nfrom .errors import X").body
    assert [list(imported("pullback.__main__", n)) for n in node] == [
        ["pullback.errors" if "pullback.errors" in FILES else "pullback", "pullback"],
        ["pullback.errors"],
    ]
