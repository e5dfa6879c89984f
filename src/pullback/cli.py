"""The command line: data on stdout, messages on stderr, an exit code by kind of refusal."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from ._version import __version__
from .api import Derived, derive
from .errors import ParseError, PullbackError, nearest
from .language.text import decode

__all__ = ["main"]

_STYLES = ("pairing", "index")
_FORMATS = ("text", "markdown", "latex", "json")

_EXAMPLES = """\
examples:
  pullback derive examples/layer.eqn
  pullback derive -e "z = W a + b; y = f(z); E = loss(y)" --wrt W,a,b
  pullback derive -e "E = 0.5*x'*A*x" --dialect matlab
  cat net.eqn | pullback derive - --style index --format latex
  pullback derive examples/layer.eqn --level 4
  pullback derive examples/layer.eqn --format json > layer.json

exit codes: 0 proved · 1 a check failed · 2 the text or the command cannot be read · 3 shapes · 4 not supported
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
    d.add_argument("file", nargs="?", metavar="FILE", help="a file of equations, or - for standard input")
    d.add_argument("-e", "--equations", metavar="TEXT", help="the equations themselves, separated by ;")
    d.add_argument(
        "--wrt",
        metavar="NAMES",
        action="append",
        help="differentiate with respect to these, comma-separated (default: every input)",
    )
    d.add_argument("--target", metavar="NAME", help="the scalar to differentiate (default: E, or the last equation)")
    d.add_argument(
        "--style", choices=_STYLES, default="pairing", help="pairing: ⟨G, L d⟩ = ⟨L*G, d⟩; index: entries and δ"
    )
    d.add_argument("--level", type=int, choices=(1, 2, 3, 4), default=2, metavar="1|2|3|4",
                   help="1 frontier lines, 2 with rules, 3 with proofs and WHY, 4 with entries at small sizes")  # fmt: skip
    d.add_argument("--format", choices=_FORMATS, default="text")
    d.add_argument(
        "--dialect", choices=("matrix", "matlab"), help="how to read *: refuse between tensors, or matrix product"
    )
    d.add_argument("--ascii", action="store_true", help="no character outside ASCII in text output")
    d.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    d.add_argument("-o", "--out", metavar="FILE", help="write there instead of to standard output")
    c = commands.add_parser(
        "completion", help="print a shell completion script", epilog='bash: eval "$(pullback completion bash)"'
    )
    c.add_argument("shell", choices=("bash", "zsh", "fish"))
    return parser


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


def _derive(args: argparse.Namespace) -> int:
    text, name = _read(args)
    wrt = _names(args.wrt) if args.wrt is not None else None
    d = derive(text, wrt=wrt, target=args.target, name=name, dialect=args.dialect, progress=_progress())
    if args.out or not sys.stdout.isatty():  # on a terminal they stand in the text itself
        for line in d.program.assumptions:
            print(f"assumed: {line}", file=sys.stderr)
    color = args.format == "text" and args.out is None and _colored(args.color, sys.stdout)
    shown = _shown(d, args, color)
    if args.out:
        try:
            Path(args.out).write_text(shown + "\n", encoding="utf-8")
        except OSError as why:
            raise ParseError("P031", f"cannot write {args.out}: {why.strerror or why}",
                             hint="--out names a file in a folder that exists") from None  # fmt: skip
        print(f"wrote {args.out}", file=sys.stderr)
    else:
        sys.stdout.buffer.write((shown + "\n").encode("utf-8", "replace"))
    return 0


def _names(options: list[str]) -> list[str]:
    """The names of every --wrt, separated by commas outside of brackets."""
    found = [n.strip() for o in options for n in re.split(r",(?![^\[]*\])", o) if n.strip()]
    if not found:
        raise ParseError("P030", "--wrt names nothing", expected="names separated by commas", hint="--wrt W,b")
    return found


def _shown(d: Derived, args: argparse.Namespace, color: bool) -> str:
    if args.format == "json":
        return d.to_json()
    if args.format == "latex":
        return d.latex(args.style, args.level).rstrip("\n")
    if args.format == "markdown":
        return d.markdown(args.style, args.level).rstrip("\n")
    return d.text(args.style, args.level, ascii=args.ascii, color=color).rstrip("\n")


def _completion(shell: str) -> str:
    """A completion script made from the parser itself, so that it cannot fall behind."""
    parser = _parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    actions = [a for c in commands.values() for a in c._actions]
    options = sorted({o for a in actions for o in a.option_strings if o.startswith("--")})
    filled = {o for a in actions for o in a.option_strings if a.nargs != 0}
    values = {o: list(map(str, a.choices)) for a in actions if a.choices for o in a.option_strings}
    follow = {
        n: list(map(str, a.choices))
        for n, c in commands.items()
        for a in c._actions
        if a.choices and not a.option_strings
    }
    if shell == "fish":
        lines = [f"complete -c pullback -n __fish_use_subcommand -a {c}" for c in commands]
        lines += [
            f"complete -c pullback -l {o[2:]}"
            + (f" -xa '{' '.join(values[o])}'" if o in values else " -r" if o in filled else "")
            for o in options
        ]
        lines += [
            f"complete -c pullback -n '__fish_seen_subcommand_from {n}' -xa '{' '.join(v)}'" for n, v in follow.items()
        ]
        return "\n".join(lines)
    values |= follow
    cases = "\n".join(
        f'    {o}) COMPREPLY=($(compgen -P "$head" -W \'{" ".join(v)}\' -- "$cur")); return;;'
        for o, v in sorted(values.items())
    )
    body = f"""_pullback() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" head=""
  if [[ "$cur" == --*=* ]]; then head="${{cur%%=*}}="; prev="${{cur%%=*}}"; cur="${{cur#*=}}"
  elif [ "$cur" = "=" ]; then cur=""
  elif [ "$prev" = "=" ]; then prev="${{COMP_WORDS[COMP_CWORD-2]}}"; fi
  case "$prev" in
{cases}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W '{" ".join(commands)} --version --help' -- "$cur"))
  elif [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W '{" ".join(options)}' -- "$cur"))
  else COMPREPLY=($(compgen -f -- "$cur")); fi
}}
complete -o filenames -F _pullback pullback"""
    return body if shell == "bash" else "autoload -U +X bashcompinit && bashcompinit\n" + body


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status. Never raises for bad input."""
    choice = "auto"
    try:
        args = _parser().parse_args(argv)
        choice = getattr(args, "color", "auto")
        if args.command == "derive":
            return _derive(args)
        if args.command == "completion":
            print(_completion(args.shell))
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
