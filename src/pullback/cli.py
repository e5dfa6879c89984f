"""The command line: data on stdout, messages on stderr, an exit code by kind of refusal."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from ._version import __version__
from .api import Derived, derive
from .array_options import array_options
from .claim_options import claim_options
from .code.targets import FORMS
from .code_options import code_options
from .comparing import Comparison, compare
from .completion import completion
from .errors import ParseError, PullbackError, nearest
from .explain_options import explain_options
from .explaining import Explanation, explain
from .language.text import decode
from .pictures import format_of, read_sizes
from .proving import Proof, prove
from .second import hessian, jacobian
from .show.draw.picture import FORMATS, WHAT
from .show.names import SCHEMES
from .show.page import LAYOUTS, LEVELS, STYLES

__all__ = ["main"]

_PLANS = {".svg": "svg", ".tex": "tikz"}  # pictures of a plan
_FORMATS = ("text", "markdown", "latex", "json")

_EXAMPLES = """\
examples:
  pullback derive examples/layer.eqn
  pullback derive -e "z = W a + b; y = f(z); E = loss(y)" --wrt W,a,b
  pullback derive -e "E = 0.5*x'*A*x" --dialect matlab
  cat net.eqn | pullback derive - --style index --format latex
  pullback derive examples/layer.eqn --style jacobian --layout denominator
  pullback derive examples/layer.eqn --style scalar --sizes m=2,n=3 --numbers
  pullback derive examples/layer.eqn --style all
  pullback derive examples/layer.eqn --level 4
  pullback derive examples/layer.eqn --format json > layer.json
  pullback draw examples/layer.eqn --sizes m=2,n=3 -o layer.svg

exit codes: 0 proved · 1 a check failed · 2 the text or the command cannot be read · 3 shapes · 4 not supported
"""


_DRAWN = """\
examples:
  pullback draw examples/layer.eqn > layer.svg
  pullback draw examples/layer.eqn --sizes m=2,n=3 -o layer.svg
  pullback draw examples/batch_rows.eqn --what diagrams -o diagrams.tex
  pullback draw -e "z = W a + b; y = f(z); E = loss(y)" --format mermaid

The format of the output file is that of its name: .svg, .dot, .mmd (Mermaid) or .tex (TikZ).
"""


class _Parser(argparse.ArgumentParser):
    """argparse whose complaints look like every other message of the program."""

    def error(self, message: str) -> NoReturn:
        expected = " ".join(self.format_usage().removeprefix("usage: ").split())
        hint = ""
        choice = re.fullmatch(r"(?:argument (.*): )?invalid choice: '?(.*?)'? \(choose from (.*)\)", message, re.S)
        if choice:
            where, word, known = choice[1] or "COMMAND", choice[2], [c.strip("' ") for c in choice[3].split(",")]
            message, expected = f"{where} cannot be {word}", ", ".join(known)
            close = nearest(word, known) if word.isalpha() else None
        else:
            words = [w.split("=")[0] for w in message.split() if w.startswith("-")]
            close = nearest(words[0], self._options()) if words and "unrecognized" in message else None
            message = message.removeprefix("argument ")
        hint = f"did you mean {close}?" if close else f"{self.prog} --help shows worked examples"
        raise ParseError("P030", message, expected=expected, hint=hint)

    def _options(self) -> list[str]:
        """The options of this command and of those below it."""
        found: list[str] = []
        for action in self._actions:
            found += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                found += [o for p in action.choices.values() for a in p._actions for o in a.option_strings]
        return found


def _parser() -> _Parser:
    parser = _Parser(prog="pullback", description="Forward equations in, a proved derivation of the backward equations out.",
                     epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("-V", "--version", action="version", version=f"pullback {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    d = commands.add_parser("derive", help="derive the backward equations of a program", epilog=_EXAMPLES,
                            formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    _program_arguments(d)
    d.add_argument(
        "--style",
        choices=tuple(STYLES),
        default="pairing",
        help="pairing: ⟨G, L d⟩ = ⟨L*G, d⟩; jacobian: matrices; index: entries and δ; scalar: one number at a time; "
        "diagram: networks, one node removed; all of them",
    )
    d.add_argument("--level", type=int, choices=LEVELS, default=2, metavar="1|2|3|4",
                   help="1 frontier lines, 2 with rules, 3 with proofs and WHY, 4 with entries at small sizes")  # fmt: skip
    d.add_argument("--names", choices=SCHEMES, default="nabla",
                   help="what gradients are called: ∇z, ∇_z E, ∂E/∂z, z̄, δz, grad_z")  # fmt: skip
    d.add_argument(
        "--layout", choices=LAYOUTS, default="numerator", help="of style jacobian: which way its matrices stand"
    )
    d.add_argument(
        "--sizes", metavar="m=2,n=3", help="the sizes of style scalar and of level 4 (default: small, different)"
    )
    d.add_argument("--numbers", action="store_true", help="style scalar: with a worked example in small numbers")
    d.add_argument("--format", choices=_FORMATS, default="text")
    d.add_argument("--ascii", action="store_true", help="no character outside ASCII in text output")
    d.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    d.add_argument("-o", "--out", metavar="FILE", help="write there instead of to standard output")
    array_options(commands, _FORMATS)
    claim_options(commands, _FORMATS)
    explain_options(commands, _FORMATS)
    p = commands.add_parser("draw", help="draw the network of a program, or its tensor diagrams", epilog=_DRAWN,
                            formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    _program_arguments(p)
    p.add_argument("--what", choices=WHAT, default="network",
                   help="network: the program, its values and gradients; diagrams: each gradient as a network with one node removed")  # fmt: skip
    p.add_argument("--format", choices=FORMATS, help="default: what the name of the output file says, else svg")
    p.add_argument("--sizes", metavar="m=2,n=3", help="small sizes: draw every neuron and every weight")
    p.add_argument("-o", "--out", metavar="FILE", help="write there instead of to standard output")
    code_options(commands, FORMS)
    c = commands.add_parser(
        "completion", help="print a shell completion script", epilog='bash: eval "$(pullback completion bash)"'
    )
    c.add_argument("shell", choices=("bash", "zsh", "fish"))
    return parser


def _array(args: argparse.Namespace) -> int:
    """The Jacobian or Hessian that the arguments name."""
    text, name = _read(args)
    wrt = _names(args.wrt) if args.wrt is not None else []
    most = 2 if args.command == "hessian" else 1
    if len(wrt) > most:
        raise ParseError(
            "P030", f"--wrt names {', '.join(wrt)}", expected="one name" if most == 1 else "one name, or two"
        )
    if args.command == "hessian":
        both = (wrt[0], wrt[-1]) if wrt else None
        found = hessian(text, both, args.of, name=name, dialect=args.dialect)
    else:
        found = jacobian(text, wrt[0] if wrt else None, args.of, name=name, dialect=args.dialect)
    _echo(found.program.assumptions, not args.out)
    color = args.format == "text" and args.out is None and _colored(args.color, sys.stdout)
    shown = found.to_json() if args.format == "json" else found.page(args.format, ascii=args.ascii, color=color)
    _write(shown.rstrip("\n"), args.out)
    return 0


def _compare(args: argparse.Namespace) -> int:
    """0 if the programs are one; a CheckFailed says where they are not."""
    sides = []
    for file in (args.first, args.second):
        text, name = _read(argparse.Namespace(file=file, equations=None))
        sides.append(derive(text, name=name))
    found = compare(sides[0], sides[1], args.where)
    _echo(found.record["assumptions"], not args.out)
    _write(_formatted(found, args), args.out)
    return 0


def _formatted(found: Proof | Comparison | Explanation, args: argparse.Namespace) -> str:
    if args.format == "text":
        color = args.out is None and _colored(args.color, sys.stdout)
        return found.text(ascii=args.ascii, color=color).rstrip("\n")
    return {"markdown": found.markdown, "latex": found.latex, "json": found.to_json}[args.format]().rstrip("\n")


def _prove(args: argparse.Namespace) -> int:
    """0 if every claim holds, 1 if one is refuted, 4 if one could not be decided."""
    if args.file and args.file != "-" and args.equations is None and "=" in args.file and not Path(args.file).is_file():
        args.file, args.equations = None, args.file
    text, name = _read(args)
    found = prove(text, name="<claim>" if name == "<-e>" else name, dialect=args.dialect)
    _echo(found.claims.program.assumptions, not args.out)
    _write(_formatted(found, args), args.out)
    return {True: 0, False: 1, None: 4}[found.holds]


def _echo(assumptions: Sequence[str], seen: bool) -> None:
    """What was assumed, on stderr, unless it is `seen` in the text itself on a terminal."""
    if not (seen and sys.stdout.isatty()):
        for line in assumptions:
            print(f"assumed: {line}", file=sys.stderr)


def _write(shown: str, out: str | None) -> None:
    """To the file, or to standard output. Raises ParseError P031."""
    if not out:
        sys.stdout.buffer.write((shown + "\n").encode("utf-8", "replace"))
        return
    try:
        Path(out).write_text(shown + "\n", encoding="utf-8")
    except OSError as why:
        raise ParseError("P031", f"cannot write {out}: {why.strerror or why}",
                         hint="name a file in a folder that exists") from None  # fmt: skip
    print(f"wrote {out}", file=sys.stderr)


class _Lines(argparse.Action):
    """What is said several times is several lines."""

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        known = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if known is None else f"{known}\n{values}")


def _program_arguments(parser: argparse.ArgumentParser) -> None:
    """Which program is meant, and which gradients."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="a file of equations, or - for standard input")
    parser.add_argument(
        "-e", "--equations", metavar="TEXT", action=_Lines, help="the equations themselves, separated by ;"
    )
    parser.add_argument(
        "--wrt", metavar="NAMES", action="append",
        help="differentiate with respect to these, comma-separated (default: every input)")  # fmt: skip
    parser.add_argument(
        "--target", metavar="NAME", help="the scalar to differentiate (default: E, or the last equation)"
    )
    parser.add_argument(
        "--dialect", choices=("matrix", "matlab"), help="how to read *: refuse between tensors, or matrix product"
    )


def _read(args: argparse.Namespace) -> tuple[str, str]:
    """(text, its name). Raises ParseError for what is not there or not text."""
    if args.equations is not None:
        if args.file is not None:
            raise ParseError("P030", "give a FILE or -e TEXT, not both", hint="a file can hold the lines of -e as well")
        return args.equations, "<-e>"
    if args.file is None:
        raise ParseError("P030", "nothing to derive: give a FILE, - for standard input, or -e \"equations\"",
                         hint='pullback derive -e "z = W a + b; y = f(z); E = loss(y)"')  # fmt: skip
    if args.file == "-":
        if sys.stdin is None:
            raise ParseError(
                "P031", "cannot read standard input: it is closed", hint="name a file of equations, or use -e"
            )
        data, name = sys.stdin.buffer.read(), "<stdin>"
    else:
        try:
            data, name = Path(args.file).read_bytes(), args.file
        except OSError as why:
            folder = Path(args.file).parent
            beside = {p.name: str(p) for p in folder.glob("*.eqn")} if folder.is_dir() else {}
            close = beside.get(nearest(Path(args.file).name, list(beside)) or "")
            hint = f"did you mean {close}?" if close else "name one file of equations, - for standard input, or use -e"
            raise ParseError("P031", f"cannot read {args.file}: {why.strerror or why}", hint=hint) from None
    return decode(data, name), name


def _colored(choice: str, stream: TextIO) -> bool:
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _progress() -> Callable[[str, float], None] | None:
    """A line on a terminal's stderr once a run takes longer than a second, wiped at the end."""
    if not sys.stderr.isatty():
        return None
    start = time.monotonic()

    def show(phase: str, part: float) -> None:
        if time.monotonic() - start > 1:
            bar = "█" * round(20 * part) + "░" * (20 - round(20 * part))
            sys.stderr.write("\r\x1b[K" if part >= 1 else f"\r{phase} {bar} {part:4.0%}")
            sys.stderr.flush()

    return show


def _derived(args: argparse.Namespace, seen: bool = True) -> Derived:
    """The derivation of the program that the arguments name; assumptions are echoed where they are not `seen`."""
    text, name = _read(args)
    wrt = _names(args.wrt) if args.wrt is not None else None
    d = derive(text, wrt=wrt, target=args.target, name=name, dialect=args.dialect, progress=_progress())
    _echo(d.program.assumptions, seen and not args.out)
    return d


def _derive(args: argparse.Namespace) -> int:
    d = _derived(args)
    color = args.format == "text" and args.out is None and _colored(args.color, sys.stdout)
    _write(_shown(d, args, color), args.out)
    return 0


def _draw(args: argparse.Namespace) -> int:
    format = format_of(args.out, args.format)
    sizes = None if args.sizes is None else read_sizes(args.sizes)
    _write(_derived(args, seen=False).draw(args.what, format, sizes).rstrip("\n"), args.out)
    return 0


def _code(args: argparse.Namespace) -> int:
    """Source for a target, or the plan."""
    args.target, language = args.of, getattr(args, "target", "")
    sizes = None if args.sizes is None else read_sizes(args.sizes)
    d = _derived(args, seen=False)
    code = args.command == "code"
    less = {"sizes": sizes, "recompute": args.recompute or (), "memory": args.memory}
    if code:
        shown = d.code(language, form=args.form, name=args.name or "", mesh=args.mesh, **less)
    else:
        shown = d.plan(**less)
        if args.picture is not None:  # first, so that nothing is printed if there is none
            suffix = Path(args.picture).suffix.lower()
            if suffix not in _PLANS or args.picture == args.out:
                said = "is written already" if suffix in _PLANS else "names no format for the picture of a plan"
                raise ParseError("P030", f"{args.picture} {said}", expected=f"a file named {' or '.join(_PLANS)}")
            _write(d.plan(**less, format=_PLANS[suffix]).rstrip("\n"), args.picture)
    _write(shown.rstrip("\n"), args.out)
    return 0


def _given(args: argparse.Namespace) -> None:
    """Refuses options that are empty. Raises ParseError P030."""
    for name in ("out", "of", "name", "mesh", "recompute", "picture"):
        value = getattr(args, name, None)
        if value is not None and not value.strip(" ,"):
            raise ParseError("P030", f"--{name} is empty", hint="leave it out")


def _names(options: list[str]) -> list[str]:
    """The names of every --wrt, separated by commas outside of brackets."""
    found = [n.strip() for o in options for n in re.split(r",(?![^\[]*\])", o) if n.strip()]
    if not found:
        raise ParseError("P030", "--wrt names nothing", expected="names separated by commas", hint="--wrt W,b")
    return found


def _shown(d: Derived, args: argparse.Namespace, color: bool) -> str:
    sizes = None if args.sizes is None else read_sizes(args.sizes)
    if args.format == "json":
        return d.to_json(names=args.names, sizes=sizes)
    view = {"names": args.names, "layout": args.layout, "sizes": sizes, "numbers": args.numbers}
    if args.format == "latex":
        return d.latex(args.style, args.level, **view).rstrip("\n")
    if args.format == "markdown":
        return d.markdown(args.style, args.level, **view).rstrip("\n")
    return d.text(args.style, args.level, ascii=args.ascii, color=color, **view).rstrip("\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status. Never raises for bad input."""
    choice = "auto"
    try:
        args = _parser().parse_args(argv)
        choice = getattr(args, "color", "auto")
        _given(args)
        if args.command == "derive":
            return _derive(args)
        if args.command in ("code", "plan"):
            return _code(args)
        if args.command in ("jacobian", "hessian"):
            return _array(args)
        if args.command == "prove":
            return _prove(args)
        if args.command == "compare":
            return _compare(args)
        if args.command == "explain":
            _write(_formatted(explain(args.name), args), args.out)
            return 0
        if args.command == "draw":
            return _draw(args)
        if args.command == "completion":
            print(completion(_parser(), args.shell))
            return 0
        _parser().print_help()
        return 0
    except PullbackError as error:
        for line in error.assumed:
            print(f"assumed: {line}", file=sys.stderr)
        print(error.render(color=_colored(choice, sys.stderr)), file=sys.stderr)
        return error.exit_code
    except SystemExit as done:  # argparse after --help or --version
        return int(done.code or 0)
