"""Completion for shells, made from the parser itself, so that it cannot fall behind."""

from __future__ import annotations

import argparse

__all__ = ["completion"]


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script that completes the options and choices of the parser, for bash, zsh or fish."""
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    options = {n: [o for a in c._actions for o in a.option_strings if o.startswith("--")] for n, c in commands.items()}
    filled = {(n, o) for n, c in commands.items() for a in c._actions if a.nargs != 0 for o in a.option_strings}
    values = {
        (n, o): list(map(str, a.choices))
        for n, c in commands.items()
        for a in c._actions
        if a.choices
        for o in a.option_strings or [n]  # what follows the command itself
    }
    if shell == "fish":
        lines = [f"complete -c pullback -n __fish_use_subcommand -a {c}" for c in commands]
        for n, found in options.items():
            seen = f"complete -c pullback -n '__fish_seen_subcommand_from {n}'"
            lines += [
                f"{seen} -l {o[2:]}"
                + (f" -xa '{' '.join(values[n, o])}'" if (n, o) in values else " -r" if (n, o) in filled else "")
                for o in found
            ]
            lines += [f"{seen} -xa '{' '.join(values[n, n])}'"] if (n, n) in values else []
        return "\n".join(lines)
    cases = "\n".join(
        f'    {n}:{o}) COMPREPLY=($(compgen -P "$head" -W \'{" ".join(v)}\' -- "$cur")); return;;'
        for (n, o), v in sorted(values.items())
    )
    every = "\n".join(f"    {n}) words='{' '.join(sorted(found))}';;" for n, found in options.items())
    body = f"""_pullback() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" head=""
  if [[ "$cur" == --*=* ]]; then head="${{cur%%=*}}="; prev="${{cur%%=*}}"; cur="${{cur#*=}}"
  elif [ "$cur" = "=" ]; then cur=""
  elif [ "$prev" = "=" ]; then prev="${{COMP_WORDS[COMP_CWORD-2]}}"; fi
  case "${{COMP_WORDS[1]}}:$prev" in
{cases}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W '{" ".join(commands)} --version --help' -- "$cur"))
  elif [[ "$cur" == -* ]]; then
    local words=
    case "${{COMP_WORDS[1]}}" in
{every}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  else COMPREPLY=($(compgen -f -- "$cur")); fi
}}
complete -o filenames -F _pullback pullback"""
    return body if shell == "bash" else "autoload -U +X bashcompinit && bashcompinit\n" + body
