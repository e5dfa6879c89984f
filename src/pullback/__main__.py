"""The command `pullback`: answers `--version` at once, hands everything else to `pullback.cli`."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from pullback._version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = sys.argv[1:] if argv is None else list(argv)
    if sys.stderr is None:  # closed by the caller: messages go nowhere
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stdout is None:
        return _unwritten("it is closed")
    try:
        if args in (["--version"], ["-V"]):
            print(f"pullback {__version__}")
            status = 0
        else:
            # By name, not by import statement: --version must not wait for the whole house to load.
            status = int(import_module("pullback.cli").main(args) or 0)
        sys.stdout.flush()  # here, so that a closed pipe is met inside this try and not at interpreter exit
        return status
    except BrokenPipeError:
        # The reader (`head`, `less`) has seen enough. Python flushes again at exit: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE, as the shell reports it
    except OSError as why:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _unwritten(why.strerror or str(why))
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT


def _unwritten(why: str) -> int:
    print(f"error[P031]: cannot write to standard output: {why}\n  help: -o FILE writes to a file", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
