"""What both training runs show: a bar and lines on a terminal, a picture of curves."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INK, PALE = ["#1f5fa8", "#e08214", "#4d9221"], "#8a8a8a"


def at_least_one(text):
    """A whole number for argparse."""
    n = int(text)
    if n < 1:
        raise argparse.ArgumentTypeError(f"{n} is not at least 1")
    return n


class Progress:
    """A bar on stderr where that is a terminal; lines on stdout."""

    def __init__(self, total):
        self.total = total
        self.live = sys.stderr.isatty()

    def bar(self, done, text):
        if self.live:
            full = round(30 * done / self.total)
            sys.stderr.write(f"\r\x1b[K{'█' * full}{'░' * (30 - full)} {done / self.total:4.0%}  {text}")
            sys.stderr.flush()

    def line(self, text):
        if self.live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        print(text, flush=True)


def saved(path, title, panels):
    """Draws the panels, functions of axes, beside each other into a file; the line that says so."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "no picture: matplotlib is not installed"
    figure = Figure(figsize=(3 + 3.4 * len(panels), 3.8), dpi=150, layout="constrained")
    figure.suptitle(title, fontsize=12)
    for ax, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="#e4e4e4", linewidth=0.7)
        panel(ax)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    return f"picture: {path}"
